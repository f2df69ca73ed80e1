#include "tests/kv_memory.h"

#include <stdlib.h>
#include <string.h>

enum { LISTS_MAX = 4096 };

struct pair {
    uint32_t holders;
    uint32_t key_count;
    uint32_t value_count;
    uint8_t bytes[];
};

struct list {
    uint32_t holders;
    uint64_t count;
    struct pair *pairs[];
};

struct store {
    struct kv kv;
    struct list *now;
    struct list *unsynced[LISTS_MAX]; /* [0] is the synced one, the last one is now */
    uint32_t unsynced_count;
    enum err failing;
};

struct cursor {
    struct kv_cursor cursor;
    struct store *store;
    struct list *list;
    uint64_t at; /* count: nowhere */
};

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void pair_release(struct pair *pair)
{
    pair->holders -= 1;
    if (pair->holders == 0) {
        free(pair);
    }
}

static void list_release(struct list *list)
{
    list->holders -= 1;
    if (list->holders == 0) {
        for (uint64_t i = 0; i < list->count; i++) {
            pair_release(list->pairs[i]);
        }
        free(list);
    }
}

static struct list *list_hold(struct list *list)
{
    list->holders += 1;
    return list;
}

static struct list *list_new(uint64_t count)
{
    struct list *list = must(malloc(sizeof *list + count * sizeof(struct pair *)));

    list->holders = 1;
    list->count = 0;
    return list;
}

static int order(struct bytes a, struct bytes b)
{
    const size_t common = a.count < b.count ? a.count : b.count;
    const int first = common == 0 ? 0 : memcmp(a.at, b.at, common);

    return first != 0 ? first : (a.count > b.count) - (a.count < b.count);
}

static struct bytes pair_key(const struct pair *pair)
{
    return bytes_of(pair->bytes, pair->key_count);
}

static uint64_t list_from(const struct list *list, struct bytes key)
{
    uint64_t low = 0;
    uint64_t high = list->count;

    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;

        if (order(pair_key(list->pairs[middle]), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static enum err store_get(struct kv *kv, struct bytes key, struct arena *arena, struct bytes *value)
{
    const struct store *store = (const struct store *)(const void *)kv;
    const uint64_t at = list_from(store->now, key);
    const struct pair *pair;
    uint8_t *copy;

    if (store->failing != ERR_OK) {
        return store->failing;
    }
    if (at == store->now->count || order(pair_key(store->now->pairs[at]), key) != 0) {
        return ERR_ABSENT;
    }
    pair = store->now->pairs[at];
    copy = arena_take(arena, pair->value_count);
    if (copy == NULL) {
        return ERR_NO_SPACE;
    }
    memcpy(copy, pair->bytes + pair->key_count, pair->value_count);
    *value = bytes_of(copy, pair->value_count);
    return ERR_OK;
}

struct step {
    const struct kv_operation *operation;
    uint32_t place;
};

static int step_order(const void *a, const void *b)
{
    const struct step *one = a;
    const struct step *other = b;
    const int first = order(one->operation->key, other->operation->key);

    return first != 0 ? first : (one->place > other->place) - (one->place < other->place);
}

static struct pair *pair_new(const struct kv_operation *operation)
{
    const size_t count = operation->key.count + operation->value.count;
    struct pair *pair = must(malloc(sizeof *pair + count));

    pair->holders = 1;
    pair->key_count = (uint32_t)operation->key.count;
    pair->value_count = (uint32_t)operation->value.count;
    memcpy(pair->bytes, operation->key.at, operation->key.count);
    if (operation->value.count != 0) {
        memcpy(pair->bytes + operation->key.count, operation->value.at, operation->value.count);
    }
    return pair;
}

static void list_copy(struct list *to, const struct list *from, uint64_t *at, uint64_t end)
{
    for (; *at < end; *at += 1) {
        from->pairs[*at]->holders += 1;
        to->pairs[to->count] = from->pairs[*at];
        to->count += 1;
    }
}

static struct list *list_with(const struct list *old, const struct kv_batch *batch)
{
    struct step *steps = must(malloc((batch->count + 1) * sizeof *steps));
    struct list *new = list_new(old->count + batch->count);
    uint32_t count = 0;
    uint64_t at = 0;

    for (const struct kv_operation *o = batch->first; o != NULL; o = o->next) {
        steps[count] = (struct step){o, count};
        count += 1;
    }
    qsort(steps, count, sizeof *steps, step_order);
    for (uint32_t i = 0; i < count; i++) {
        const struct kv_operation *operation = steps[i].operation;
        uint64_t found;

        if (i + 1 < count && order(operation->key, steps[i + 1].operation->key) == 0) {
            continue; /* the last one of a key counts */
        }
        found = list_from(old, operation->key);
        list_copy(new, old, &at, found);
        if (at < old->count && order(pair_key(old->pairs[at]), operation->key) == 0) {
            at += 1;
        }
        if (!operation->remove) {
            new->pairs[new->count] = pair_new(operation);
            new->count += 1;
        }
    }
    list_copy(new, old, &at, old->count);
    free(steps);
    return new;
}

static void unsynced_drop(struct store *store, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        list_release(store->unsynced[i]);
    }
}

static enum err store_write(struct kv *kv, const struct kv_batch *batch, bool sync)
{
    struct store *store = (struct store *)(void *)kv;
    struct list *new;

    if (store->failing != ERR_OK) {
        return store->failing;
    }
    if (batch->full) {
        return ERR_NO_SPACE;
    }
    new = list_with(store->now, batch);
    if (sync) {
        unsynced_drop(store, 0, store->unsynced_count);
        store->unsynced_count = 0;
    } else if (store->unsynced_count == LISTS_MAX) {
        unsynced_drop(store, 0, 1);
        memmove(store->unsynced, store->unsynced + 1, (LISTS_MAX - 1) * sizeof(struct list *));
        store->unsynced_count -= 1;
    }
    list_release(store->now);
    store->now = new;
    store->unsynced[store->unsynced_count] = list_hold(new);
    store->unsynced_count += 1;
    return ERR_OK;
}

static void store_close(struct kv *kv)
{
    struct store *store = (struct store *)(void *)kv;

    unsynced_drop(store, 0, store->unsynced_count);
    list_release(store->now);
    free(store);
}

static bool cursor_valid(const struct kv_cursor *cursor)
{
    const struct cursor *at = (const struct cursor *)(const void *)cursor;

    return at->store->failing == ERR_OK && at->at < at->list->count;
}

static void cursor_seek(struct kv_cursor *cursor, struct bytes key)
{
    struct cursor *at = (struct cursor *)(void *)cursor;

    at->at = list_from(at->list, key);
}

static void cursor_seek_last(struct kv_cursor *cursor)
{
    struct cursor *at = (struct cursor *)(void *)cursor;

    at->at = at->list->count == 0 ? 0 : at->list->count - 1;
}

static void cursor_next(struct kv_cursor *cursor)
{
    struct cursor *at = (struct cursor *)(void *)cursor;

    if (!cursor_valid(cursor) && at->store->failing == ERR_OK) {
        abort(); /* as LevelDB would */
    }
    at->at += 1;
}

static void cursor_prev(struct kv_cursor *cursor)
{
    struct cursor *at = (struct cursor *)(void *)cursor;

    if (!cursor_valid(cursor) && at->store->failing == ERR_OK) {
        abort();
    }
    at->at = at->at == 0 ? at->list->count : at->at - 1;
}

static struct bytes cursor_key(const struct kv_cursor *cursor)
{
    const struct cursor *at = (const struct cursor *)(const void *)cursor;

    return pair_key(at->list->pairs[at->at]);
}

static struct bytes cursor_value(const struct kv_cursor *cursor)
{
    const struct cursor *at = (const struct cursor *)(const void *)cursor;
    const struct pair *pair = at->list->pairs[at->at];

    return bytes_of(pair->bytes + pair->key_count, pair->value_count);
}

static enum err cursor_error(const struct kv_cursor *cursor)
{
    return ((const struct cursor *)(const void *)cursor)->store->failing;
}

static void cursor_close(struct kv_cursor *cursor)
{
    list_release(((struct cursor *)(void *)cursor)->list);
    free(cursor);
}

static const struct kv_cursor_maker cursor_maker = {
    .seek = cursor_seek,
    .seek_last = cursor_seek_last,
    .next = cursor_next,
    .prev = cursor_prev,
    .valid = cursor_valid,
    .key = cursor_key,
    .value = cursor_value,
    .error = cursor_error,
    .close = cursor_close,
};

static struct kv_cursor *store_cursor(struct kv *kv)
{
    struct store *store = (struct store *)(void *)kv;
    struct cursor *cursor = must(calloc(1, sizeof *cursor));

    cursor->cursor.maker = &cursor_maker;
    cursor->store = store;
    cursor->list = list_hold(store->now);
    cursor->at = cursor->list->count;
    return &cursor->cursor;
}

static struct kv *store_snapshot(struct kv *kv);

static const struct kv_maker store_maker = {
    .get = store_get,
    .write = store_write,
    .snapshot = store_snapshot,
    .cursor = store_cursor,
    .close = store_close,
};

static struct kv *store_new(struct list *list)
{
    struct store *store = must(calloc(1, sizeof *store));

    store->kv.maker = &store_maker;
    store->now = list;
    store->unsynced[0] = list_hold(list);
    store->unsynced_count = 1;
    return &store->kv;
}

static struct kv *store_snapshot(struct kv *kv)
{
    return store_new(list_hold(((struct store *)(void *)kv)->now));
}

struct kv *kv_memory_open(void)
{
    return store_new(list_new(0));
}

uint32_t kv_memory_unsynced(const struct kv *kv)
{
    return ((const struct store *)(const void *)kv)->unsynced_count - 1;
}

void kv_memory_crash(struct kv *kv, uint32_t keep)
{
    struct store *store = (struct store *)(void *)kv;

    if (keep >= store->unsynced_count) {
        return;
    }
    list_release(store->now);
    store->now = list_hold(store->unsynced[keep]);
    unsynced_drop(store, keep + 1, store->unsynced_count);
    store->unsynced_count = keep + 1;
}

void kv_memory_fail(struct kv *kv, enum err error)
{
    ((struct store *)(void *)kv)->failing = error;
}

uint64_t kv_memory_count(const struct kv *kv, int first)
{
    const struct list *now = ((const struct store *)(const void *)kv)->now;
    uint64_t count = 0;

    for (uint64_t i = 0; i < now->count; i++) {
        count += first < 0 || now->pairs[i]->bytes[0] == (uint8_t)first;
    }
    return count;
}

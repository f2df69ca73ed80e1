#include "tests/sim/kv_sim.h"

#include <stdlib.h>
#include <string.h>

struct kv_row {
    uint32_t holders;
    uint32_t key_count;
    uint32_t value_count;
    uint8_t bytes[]; /* key, value */
};

struct cursor {
    struct kv_cursor port;
    struct kv_sim *kv;
    uint32_t at; /* kv->count: nowhere */
};

static struct kv_sim *sim_of(struct kv *kv)
{
    return (struct kv_sim *)(void *)kv;
}

static struct bytes row_key(const struct kv_row *row)
{
    return bytes_of(row->bytes, row->key_count);
}

static struct bytes row_value(const struct kv_row *row)
{
    return bytes_of(row->bytes + row->key_count, row->value_count);
}

static struct kv_row *row_make(struct bytes key, struct bytes value)
{
    struct kv_row *row = malloc(sizeof *row + key.count + value.count);

    INVARIANT(row != NULL && key.count <= UINT32_MAX && value.count <= UINT32_MAX);
    row->holders = 1;
    row->key_count = (uint32_t)key.count;
    row->value_count = (uint32_t)value.count;
    if (key.count != 0) {
        memcpy(row->bytes, key.at, key.count);
    }
    if (value.count != 0) {
        memcpy(row->bytes + key.count, value.at, value.count);
    }
    return row;
}

static void row_drop(struct kv_row *row)
{
    if (row != NULL) {
        row->holders -= 1;
        if (row->holders == 0) {
            free(row);
        }
    }
}

static int keys_compare(struct bytes a, struct bytes b)
{
    const size_t least = a.count < b.count ? a.count : b.count;
    const int order = least == 0 ? 0 : memcmp(a.at, b.at, least);

    if (order != 0) {
        return order;
    }
    return a.count < b.count ? -1 : a.count > b.count;
}

/* The first row whose key is not below. */
static uint32_t place_of(const struct kv_sim *kv, struct bytes key, bool *found)
{
    uint32_t low = 0;
    uint32_t high = kv->count;

    *found = false;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = keys_compare(row_key(kv->rows[middle]), key);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Put `row` (taken) at its key, or take the key away; what stood there is handed back. */
static struct kv_row *rows_set(struct kv_sim *kv, struct bytes key, struct kv_row *row)
{
    bool found;
    const uint32_t at = place_of(kv, key, &found);
    struct kv_row *old = found ? kv->rows[at] : NULL;

    if (found && row != NULL) {
        kv->rows[at] = row;
    } else if (found) {
        kv->count -= 1;
        memmove(kv->rows + at, kv->rows + at + 1, (kv->count - at) * sizeof(struct kv_row *));
    } else if (row != NULL) {
        if (kv->count == kv->size) {
            kv->size = kv->size * 2 + 64;
            kv->rows = realloc(kv->rows, kv->size * sizeof(struct kv_row *));
            INVARIANT(kv->rows != NULL);
        }
        memmove(kv->rows + at + 1, kv->rows + at, (kv->count - at) * sizeof(struct kv_row *));
        kv->rows[at] = row;
        kv->count += 1;
    }
    return old;
}

static enum err kv_sim_get(struct kv *port, struct bytes key, struct arena *arena,
                           struct bytes *value)
{
    const struct kv_sim *kv = sim_of(port);
    struct bytes found;
    uint8_t *copy;

    if (kv->read_fails) {
        return ERR_IO;
    }
    found = kv_sim_look(kv, key);
    if (found.at == NULL) {
        return ERR_ABSENT;
    }
    copy = arena_take(arena, found.count == 0 ? 1 : found.count);
    if (copy == NULL) {
        return ERR_NO_SPACE;
    }
    if (found.count != 0) {
        memcpy(copy, found.at, found.count);
    }
    *value = bytes_of(copy, found.count);
    return ERR_OK;
}

static void undo_clear(struct kv_sim *kv)
{
    for (uint32_t i = 0; i < kv->undo_count; i++) {
        row_drop(kv->undo[i].row);
        row_drop(kv->undo[i].now);
    }
    kv->undo_count = 0;
}

static void undo_add(struct kv_sim *kv, struct kv_row *old, struct kv_row *now)
{
    if (kv->undo_count == kv->undo_size) {
        kv->undo_size = kv->undo_size * 2 + 64;
        kv->undo = realloc(kv->undo, kv->undo_size * sizeof *kv->undo);
        INVARIANT(kv->undo != NULL);
    }
    kv->undo[kv->undo_count] = (struct kv_undo){.batch = kv->batch, .row = old, .now = now};
    kv->undo_count += 1;
}

/* Apply a batch; of a synced one nothing is left to undo, nor of those before it. */
static void batch_apply(struct kv_sim *kv, const struct kv_batch *batch, bool sync)
{
    kv->batch += 1;
    for (const struct kv_operation *operation = batch->first; operation != NULL;
         operation = operation->next) {
        struct kv_row *row = row_make(operation->key, operation->value);

        if (operation->remove) {
            undo_add(kv, rows_set(kv, operation->key, NULL), row);
        } else {
            row->holders += 1;
            undo_add(kv, rows_set(kv, operation->key, row), row);
        }
    }
    if (sync) {
        undo_clear(kv);
        kv->durable_batch = kv->batch;
    }
}

static void kv_die(struct kv_sim *kv)
{
    kv->dead = true;
    if (kv->crashed != NULL) {
        kv->crashed(kv->context);
    }
}

static enum err kv_sim_write(struct kv *port, const struct kv_batch *batch, bool sync)
{
    struct kv_sim *kv = sim_of(port);

    INVARIANT(!kv->snapshot);
    if (kv->dead) {
        return ERR_OK;
    }
    if (batch->full || kv->full) {
        return ERR_NO_SPACE;
    }
    if (kv->write_fails) {
        return ERR_IO;
    }
    kv->writes += 1;
    if (kv->crash_in != 0) {
        kv->crash_in -= 1;
        if (kv->crash_in == 0) {
            if (kv->crash_after) {
                batch_apply(kv, batch, sync);
            }
            kv_die(kv);
            return ERR_OK;
        }
    }
    batch_apply(kv, batch, sync);
    return ERR_OK;
}

static const struct kv_maker maker;

static struct kv *kv_sim_snapshot(struct kv *port)
{
    const struct kv_sim *kv = sim_of(port);
    struct kv_sim *copy = calloc(1, sizeof *copy);

    if (copy == NULL) {
        return NULL;
    }
    copy->port.maker = &maker;
    copy->snapshot = true;
    copy->size = kv->count;
    copy->count = kv->count;
    copy->rows = malloc(((size_t)kv->count + 1) * sizeof(struct kv_row *));
    INVARIANT(copy->rows != NULL);
    for (uint32_t i = 0; i < kv->count; i++) {
        copy->rows[i] = kv->rows[i];
        copy->rows[i]->holders += 1;
    }
    return &copy->port;
}

static struct cursor *cursor_of(struct kv_cursor *port)
{
    return (struct cursor *)(void *)port;
}

static const struct cursor *cursor_const(const struct kv_cursor *port)
{
    return (const struct cursor *)(const void *)port;
}

static void cursor_seek(struct kv_cursor *port, struct bytes key)
{
    struct cursor *cursor = cursor_of(port);
    bool found;

    cursor->at = place_of(cursor->kv, key, &found);
}

static void cursor_seek_last(struct kv_cursor *port)
{
    struct cursor *cursor = cursor_of(port);

    cursor->at = cursor->kv->count == 0 ? 0 : cursor->kv->count - 1;
}

static void cursor_next(struct kv_cursor *port)
{
    cursor_of(port)->at += 1;
}

static void cursor_prev(struct kv_cursor *port)
{
    struct cursor *cursor = cursor_of(port);

    cursor->at = cursor->at == 0 ? cursor->kv->count : cursor->at - 1;
}

static bool cursor_valid(const struct kv_cursor *port)
{
    const struct cursor *cursor = cursor_const(port);

    return cursor->at < cursor->kv->count && !cursor->kv->read_fails;
}

static struct bytes cursor_key(const struct kv_cursor *port)
{
    return row_key(cursor_const(port)->kv->rows[cursor_const(port)->at]);
}

static struct bytes cursor_value(const struct kv_cursor *port)
{
    return row_value(cursor_const(port)->kv->rows[cursor_const(port)->at]);
}

static enum err cursor_error(const struct kv_cursor *port)
{
    return cursor_const(port)->kv->read_fails ? ERR_IO : ERR_OK;
}

static void cursor_close(struct kv_cursor *port)
{
    kv_close(&cursor_of(port)->kv->port);
    free(port);
}

static const struct kv_cursor_maker cursor_maker = {.seek = cursor_seek,
                                                    .seek_last = cursor_seek_last,
                                                    .next = cursor_next,
                                                    .prev = cursor_prev,
                                                    .valid = cursor_valid,
                                                    .key = cursor_key,
                                                    .value = cursor_value,
                                                    .error = cursor_error,
                                                    .close = cursor_close};

/* A cursor stands on a snapshot of its own: later writes do not move it, as in LevelDB. */
static struct kv_cursor *kv_sim_cursor(struct kv *port)
{
    struct cursor *cursor = calloc(1, sizeof *cursor);

    if (cursor == NULL) {
        return NULL;
    }
    cursor->port.maker = &cursor_maker;
    cursor->kv = sim_of(kv_sim_snapshot(port));
    cursor->at = cursor->kv->count;
    return &cursor->port;
}

/* A node closes its stores when it ends; the store itself outlives it. */
static void kv_sim_close(struct kv *port)
{
    struct kv_sim *kv = sim_of(port);

    if (kv->snapshot) {
        kv_sim_free(kv);
        free(kv);
    }
}

static const struct kv_maker maker = {.get = kv_sim_get,
                                      .write = kv_sim_write,
                                      .snapshot = kv_sim_snapshot,
                                      .cursor = kv_sim_cursor,
                                      .close = kv_sim_close};

void kv_sim_init(struct kv_sim *kv, struct random *random)
{
    memset(kv, 0, sizeof *kv);
    kv->port.maker = &maker;
    kv->random = random;
}

void kv_sim_free(struct kv_sim *kv)
{
    undo_clear(kv);
    free(kv->undo);
    kv->undo = NULL;
    kv->undo_size = 0;
    for (uint32_t i = 0; i < kv->count; i++) {
        row_drop(kv->rows[i]);
    }
    free(kv->rows);
    kv->rows = NULL;
    kv->count = 0;
    kv->size = 0;
}

void kv_sim_crash_at(struct kv_sim *kv, uint32_t k, bool after)
{
    kv->crash_in = k;
    kv->crash_after = after;
}

void kv_sim_power_cut(struct kv_sim *kv)
{
    const uint64_t unsynced = kv->batch - kv->durable_batch;
    const uint64_t kept = unsynced == 0 ? 0 : random_below(kv->random, unsynced + 1);

    while (kv->undo_count > 0) {
        struct kv_undo *undo = &kv->undo[kv->undo_count - 1];

        if (undo->batch <= kv->durable_batch + kept) {
            break;
        }
        row_drop(rows_set(kv, row_key(undo->now), undo->row));
        row_drop(undo->now);
        kv->undo_count -= 1;
    }
    undo_clear(kv);
    kv->durable_batch = kv->batch;
    kv_sim_kill(kv);
}

void kv_sim_kill(struct kv_sim *kv)
{
    kv->dead = false;
    kv->crash_in = 0;
}

struct bytes kv_sim_look(const struct kv_sim *kv, struct bytes key)
{
    bool found;
    const uint32_t at = place_of(kv, key, &found);

    return found ? row_value(kv->rows[at]) : bytes_of(NULL, 0);
}

bool kv_sim_flip(struct kv_sim *kv, struct bytes key, size_t offset, uint32_t bit)
{
    bool found;
    const uint32_t at = place_of(kv, key, &found);

    if (!found || offset >= kv->rows[at]->value_count) {
        return false;
    }
    kv->rows[at]->bytes[kv->rows[at]->key_count + offset] ^= (uint8_t)(1U << (bit & 7U));
    return true;
}

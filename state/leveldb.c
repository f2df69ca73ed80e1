#include "state/leveldb.h"

#include <leveldb/c.h>
#include <stdlib.h>
#include <string.h>

enum {
    MIB = 1 << 20,
    BLOOM_BITS = 10,
    OPEN_FILES_MAX = 2000,
};

struct leveldb_shared {
    leveldb_cache_t *cache;
};

/* A store, or a snapshot of one. */
struct store {
    struct kv kv; /* first */
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_readoptions_t *reading;
    leveldb_filterpolicy_t *bloom;
    struct leveldb_shared *own_cache; /* NULL: shared with others */
    const leveldb_snapshot_t *snapshot;
};

struct cursor {
    struct kv_cursor cursor; /* first */
    leveldb_iterator_t *iterator;
};

static enum err text_error(const char *text)
{
    if (strncmp(text, "Corruption", 10) == 0) {
        return ERR_CORRUPT;
    }
    if (strncmp(text, "Invalid argument", 16) == 0) { /* the only one left: it does not exist */
        return ERR_ABSENT;
    }
    if (strstr(text, "No space left") != NULL || strstr(text, "quota exceeded") != NULL) {
        return ERR_NO_SPACE;
    }
    if (strstr(text, "lock") != NULL && (strstr(text, "already held by process") != NULL ||
                                         strstr(text, "temporarily unavailable") != NULL)) {
        return ERR_BUSY;
    }
    return ERR_IO;
}

/* What LevelDB said, which is given back. */
static enum err said(char *text)
{
    enum err error;

    if (text == NULL) {
        return ERR_OK;
    }
    error = text_error(text);
    leveldb_free(text);
    return error;
}

static struct store *store_of(struct kv *kv)
{
    return (struct store *)(void *)kv;
}

static struct cursor *cursor_of(struct kv_cursor *cursor)
{
    return (struct cursor *)(void *)cursor;
}

static const struct cursor *cursor_of_const(const struct kv_cursor *cursor)
{
    return (const struct cursor *)(const void *)cursor;
}

static const char *chars(struct bytes bytes)
{
    return bytes.count == 0 ? "" : (const char *)bytes.at;
}

/* ---- cursors ---- */

static void cursor_seek(struct kv_cursor *cursor, struct bytes key)
{
    leveldb_iter_seek(cursor_of(cursor)->iterator, chars(key), key.count);
}

static void cursor_seek_last(struct kv_cursor *cursor)
{
    leveldb_iter_seek_to_last(cursor_of(cursor)->iterator);
}

static void cursor_next(struct kv_cursor *cursor)
{
    leveldb_iter_next(cursor_of(cursor)->iterator);
}

static void cursor_prev(struct kv_cursor *cursor)
{
    leveldb_iter_prev(cursor_of(cursor)->iterator);
}

static bool cursor_valid(const struct kv_cursor *cursor)
{
    return leveldb_iter_valid(cursor_of_const(cursor)->iterator) != 0;
}

static struct bytes cursor_key(const struct kv_cursor *cursor)
{
    size_t count;
    const char *at = leveldb_iter_key(cursor_of_const(cursor)->iterator, &count);

    return bytes_of(at, count);
}

static struct bytes cursor_value(const struct kv_cursor *cursor)
{
    size_t count;
    const char *at = leveldb_iter_value(cursor_of_const(cursor)->iterator, &count);

    return bytes_of(at, count);
}

static enum err cursor_error(const struct kv_cursor *cursor)
{
    char *text = NULL;

    leveldb_iter_get_error(cursor_of_const(cursor)->iterator, &text);
    return said(text);
}

static void cursor_close(struct kv_cursor *cursor)
{
    leveldb_iter_destroy(cursor_of(cursor)->iterator);
    free(cursor_of(cursor));
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
    struct store *store = store_of(kv);
    struct cursor *cursor = calloc(1, sizeof *cursor);

    if (cursor == NULL) {
        return NULL;
    }
    cursor->cursor.maker = &cursor_maker;
    cursor->iterator = leveldb_create_iterator(store->db, store->reading);
    return &cursor->cursor;
}

/* ---- stores ---- */

static enum err store_get(struct kv *kv, struct bytes key, struct arena *arena, struct bytes *value)
{
    struct store *store = store_of(kv);
    char *text = NULL;
    size_t count = 0;
    char *found = leveldb_get(store->db, store->reading, chars(key), key.count, &count, &text);
    uint8_t *copy;

    TRY(said(text));
    if (found == NULL) {
        return ERR_ABSENT;
    }
    copy = arena_take(arena, count);
    if (copy != NULL && count != 0) {
        memcpy(copy, found, count);
    }
    leveldb_free(found);
    *value = bytes_of(copy, count);
    return copy == NULL ? ERR_NO_SPACE : ERR_OK;
}

static enum err store_write(struct kv *kv, const struct kv_batch *batch, bool sync)
{
    struct store *store = store_of(kv);
    leveldb_writebatch_t *writes;
    leveldb_writeoptions_t *options;
    char *text = NULL;

    if (batch->full) {
        return ERR_NO_SPACE;
    }
    writes = leveldb_writebatch_create();
    options = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(options, sync ? 1 : 0);
    for (const struct kv_operation *at = batch->first; at != NULL; at = at->next) {
        if (at->remove) {
            leveldb_writebatch_delete(writes, chars(at->key), at->key.count);
        } else {
            leveldb_writebatch_put(writes, chars(at->key), at->key.count, chars(at->value),
                                   at->value.count);
        }
    }
    leveldb_write(store->db, options, writes, &text);
    leveldb_writeoptions_destroy(options);
    leveldb_writebatch_destroy(writes);
    return said(text);
}

static void store_close(struct kv *kv)
{
    struct store *store = store_of(kv);

    leveldb_close(store->db);
    leveldb_options_destroy(store->options);
    leveldb_readoptions_destroy(store->reading);
    leveldb_filterpolicy_destroy(store->bloom);
    leveldb_shared_close(store->own_cache);
    free(store);
}

static enum err snapshot_write(struct kv *kv, const struct kv_batch *batch, bool sync)
{
    (void)kv;
    (void)batch;
    (void)sync;
    invariant_fail("a snapshot takes no write", __FILE__, __LINE__);
}

static struct kv *snapshot_snapshot(struct kv *kv)
{
    (void)kv;
    invariant_fail("a snapshot of a snapshot", __FILE__, __LINE__);
}

static void snapshot_close(struct kv *kv)
{
    struct store *store = store_of(kv);

    leveldb_readoptions_destroy(store->reading);
    leveldb_release_snapshot(store->db, store->snapshot);
    free(store);
}

static const struct kv_maker snapshot_maker = {
    .get = store_get,
    .write = snapshot_write,
    .snapshot = snapshot_snapshot,
    .cursor = store_cursor,
    .close = snapshot_close,
};

static leveldb_readoptions_t *reading_create(const leveldb_snapshot_t *snapshot)
{
    leveldb_readoptions_t *reading = leveldb_readoptions_create();

    leveldb_readoptions_set_verify_checksums(reading, 1);
    if (snapshot != NULL) {
        leveldb_readoptions_set_snapshot(reading, snapshot);
    }
    return reading;
}

static struct kv *store_snapshot(struct kv *kv)
{
    const struct store *store = store_of(kv);
    struct store *snapshot = calloc(1, sizeof *snapshot);

    if (snapshot == NULL) {
        return NULL;
    }
    snapshot->kv.maker = &snapshot_maker;
    snapshot->db = store->db;
    snapshot->snapshot = leveldb_create_snapshot(store->db);
    snapshot->reading = reading_create(snapshot->snapshot);
    return &snapshot->kv;
}

static const struct kv_maker store_maker = {
    .get = store_get,
    .write = store_write,
    .snapshot = store_snapshot,
    .cursor = store_cursor,
    .close = store_close,
};

/* ---- opening ---- */

struct leveldb_shared *leveldb_shared_open(enum leveldb_preset preset)
{
    struct leveldb_shared *shared = calloc(1, sizeof *shared);

    if (shared != NULL) {
        shared->cache =
            leveldb_cache_create_lru((size_t)(preset == LEVELDB_SMALL ? 16 : 256) * MIB);
    }
    return shared;
}

void leveldb_shared_close(struct leveldb_shared *shared)
{
    if (shared != NULL) {
        leveldb_cache_destroy(shared->cache);
        free(shared);
    }
}

static leveldb_options_t *options_create(const struct leveldb_store_options *options,
                                         struct leveldb_shared *shared,
                                         leveldb_filterpolicy_t *bloom)
{
    const bool small = options->preset == LEVELDB_SMALL;
    leveldb_options_t *settings = leveldb_options_create();

    leveldb_options_set_create_if_missing(settings, options->must_exist ? 0 : 1);
    leveldb_options_set_paranoid_checks(settings, 1);
    leveldb_options_set_compression(settings, leveldb_no_compression);
    leveldb_options_set_filter_policy(settings, bloom);
    leveldb_options_set_cache(settings, shared->cache);
    leveldb_options_set_max_open_files(settings, OPEN_FILES_MAX);
    leveldb_options_set_write_buffer_size(settings, (size_t)(small ? 4 : 64) * MIB);
    if (!small) {
        leveldb_options_set_max_file_size(settings, (size_t)16 * MIB);
    }
    return settings;
}

enum err leveldb_store_open(const char *path, const struct leveldb_store_options *options,
                            struct kv **out)
{
    struct store *store = calloc(1, sizeof *store);
    struct leveldb_shared *shared = options->shared;
    char *text = NULL;
    enum err error;

    *out = NULL;
    if (store == NULL) {
        return ERR_NO_SPACE;
    }
    if (shared == NULL) {
        store->own_cache = leveldb_shared_open(options->preset);
        shared = store->own_cache;
    }
    if (shared == NULL) {
        free(store);
        return ERR_NO_SPACE;
    }
    store->kv.maker = &store_maker;
    store->bloom = leveldb_filterpolicy_create_bloom(BLOOM_BITS);
    store->options = options_create(options, shared, store->bloom);
    store->reading = reading_create(NULL);
    store->db = leveldb_open(store->options, path, &text);
    error = said(text);
    if (error == ERR_OK) {
        *out = &store->kv;
        return ERR_OK;
    }
    leveldb_options_destroy(store->options);
    leveldb_readoptions_destroy(store->reading);
    leveldb_filterpolicy_destroy(store->bloom);
    leveldb_shared_close(store->own_cache);
    free(store);
    return error;
}

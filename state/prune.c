#include <stdalign.h>

#include "base/reader.h"
#include "base/writer.h"
#include "state/overlay.h"
#include "state/overlay_inner.h"

/*
 * A node replaced at version s serves the heights below s, so keeping the heights from b on needs those with
 * s > b.  Roots go first: a height whose root is gone is not asked for, and its nodes may follow in later calls.
 */

enum { PRUNE_KEY_BYTES = 1 + 8 };

static struct bytes version_key(uint8_t first, uint64_t version, uint8_t memory[PRUNE_KEY_BYTES])
{
    struct writer writer = writer_of(memory, PRUNE_KEY_BYTES);

    writer_u8(&writer, first);
    writer_u64(&writer, version);
    INVARIANT(!writer.failed);
    return writer_done(&writer);
}

/* The version in a key of the kind `first`; false for a key of another kind. */
static bool version_of(struct bytes key, uint8_t first, uint64_t *version, struct bytes *rest)
{
    struct reader reader = reader_of(key);
    const uint8_t kind = reader_u8(&reader);

    *version = reader_u64(&reader);
    *rest = reader.left;
    return !reader.failed && kind == first;
}

struct prune {
    struct kv_cursor *cursor;
    struct kv_batch *batch;
    uint32_t left; /* of the limit */
};

/*
 * Delete entries of one kind with versions below `end`, and for stale entries the node that each names.  Begins
 * at version *from, below which all is deleted, and moves it on.
 */
static enum err prune_kind(struct prune *prune, uint8_t first, uint64_t *from, uint64_t end)
{
    struct kv_cursor *cursor = prune->cursor;
    uint8_t memory[PRUNE_KEY_BYTES];
    struct bytes node;
    uint64_t version;

    cursor->maker->seek(cursor, version_key(first, *from, memory));
    while (prune->left > 0) {
        if (!cursor->maker->valid(cursor) ||
            !version_of(cursor->maker->key(cursor), first, &version, &node) || version >= end) {
            break;
        }
        *from = version;
        if (first == STORE_STALE) {
            if (node.count == 0 || node.at[0] != STORE_NODE) {
                return ERR_CORRUPT;
            }
            kv_batch_delete(prune->batch, node);
        }
        kv_batch_delete(prune->batch, cursor->maker->key(cursor));
        prune->left -= 1;
        cursor->maker->next(cursor);
    }
    return cursor->maker->valid(cursor) ? ERR_OK : cursor->maker->error(cursor);
}

/* The first height to be kept: at most `below_height`, and the store's newest less those to be retained. */
static enum err prune_end(const struct state *state, uint64_t below_height, uint64_t *end)
{
    uint64_t height;
    const enum err error = state_stored_height(state->kv, &height);

    *end = 0;
    if (error == ERR_ABSENT) {
        return ERR_OK;
    }
    TRY(error);
    if (height > state->options.retain_versions) {
        *end = height - state->options.retain_versions;
    }
    if (*end > below_height) {
        *end = below_height;
    }
    return ERR_OK;
}

enum err state_prune(struct state *state, uint64_t below_height, uint32_t limit,
                     struct kv_batch *batch, uint32_t *done)
{
    struct prune prune = {.batch = batch, .left = limit};
    uint64_t end;
    enum err error;

    *done = 0;
    TRY(prune_end(state, below_height, &end));
    prune.cursor = kv_cursor_open(state->kv);
    if (prune.cursor == NULL) {
        return ERR_NO_SPACE;
    }
    error = prune_kind(&prune, STORE_ROOT, &state->pruned_roots, end);
    if (error == ERR_OK && prune.left > 0) {
        error = prune_kind(&prune, STORE_STALE, &state->pruned_nodes, end + 1);
    }
    kv_cursor_close(prune.cursor);
    *done = limit - prune.left;
    return error;
}

#include <stdalign.h>
#include <string.h>

#include "base/mutant.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "state/overlay.h"
#include "state/overlay_inner.h"

enum {
    APPLIED_BYTES = 8 + HASH_BYTES, /* height, root */
    ROOT_KEY_BYTES = 1 + 8,
    ROOT_BYTES = HASH_BYTES + 8, /* hash, version of the node */
    SCRATCH_BYTES = 64,
};

static const struct bytes applied_key = {(const uint8_t *)STORE_APPLIED, sizeof STORE_APPLIED - 1};

static struct bytes root_key(uint64_t height, uint8_t memory[ROOT_KEY_BYTES])
{
    struct writer writer = writer_of(memory, ROOT_KEY_BYTES);

    writer_u8(&writer, STORE_ROOT);
    writer_u64(&writer, height);
    INVARIANT(!writer.failed);
    return writer_done(&writer);
}

/* The tree of a height in the store.  Errors: ERR_ABSENT it is not kept; ERR_CORRUPT; ERR_IO. */
static enum err root_read(struct kv *kv, uint64_t height, struct tree_root *out)
{
    alignas(ARENA_ALIGN) uint8_t memory[SCRATCH_BYTES];
    uint8_t key[ROOT_KEY_BYTES];
    struct arena scratch;
    struct bytes value;
    struct reader reader;

    arena_init(&scratch, memory, sizeof memory);
    TRY(kv_get(kv, root_key(height, key), &scratch, &value));
    reader = reader_of(value);
    reader_copy(&reader, out->hash, HASH_BYTES);
    out->version = reader_u64(&reader);
    return reader_done(&reader) && out->version <= height ? ERR_OK : ERR_CORRUPT;
}

/* Is there a key that begins with `prefix`, at or behind `from`? */
static enum err store_any(struct kv *kv, struct bytes prefix, struct bytes from, bool *any)
{
    struct kv_cursor *cursor = kv_cursor_open(kv);
    enum err error;

    if (cursor == NULL) {
        return ERR_NO_SPACE;
    }
    cursor->maker->seek(cursor, from);
    *any = cursor->maker->valid(cursor) && key_begins(cursor->maker->key(cursor), prefix);
    error = cursor->maker->valid(cursor) ? ERR_OK : cursor->maker->error(cursor);
    kv_cursor_close(cursor);
    return error;
}

static enum err stored_read(struct kv *kv, uint64_t *height, uint8_t root[HASH_BYTES])
{
    alignas(ARENA_ALIGN) uint8_t memory[SCRATCH_BYTES];
    struct arena scratch;
    struct bytes value;
    struct reader reader;

    arena_init(&scratch, memory, sizeof memory);
    TRY(kv_get(kv, applied_key, &scratch, &value));
    reader = reader_of(value);
    *height = reader_u64(&reader);
    reader_copy(&reader, root, HASH_BYTES);
    return reader_done(&reader) && *height != UINT64_MAX ? ERR_OK : ERR_CORRUPT;
}

enum err state_stored_height(struct kv *kv, uint64_t *height)
{
    uint8_t root[HASH_BYTES];

    return stored_read(kv, height, root);
}

/*
 * The newest applied height and root.  A batch is atomic, so the row of the height stands beside the newest
 * root, or the store holds nothing at all.
 */
static enum err applied_read(struct state *state)
{
    uint8_t key[ROOT_KEY_BYTES];
    uint8_t root[HASH_BYTES];
    bool any;
    enum err error = stored_read(state->kv, &state->height, root);

    if (error == ERR_ABSENT) {
        TRY(store_any(state->kv, (struct bytes){0}, (struct bytes){0}, &any));
        return any ? ERR_CORRUPT : ERR_OK;
    }
    TRY(error);
    state->any = true;
    TRY(store_any(state->kv, bytes_of("R", 1), root_key(state->height + 1, key), &any));
    if (any) {
        return ERR_CORRUPT;
    }
    error = root_read(state->kv, state->height, &state->root);
    if (error != ERR_OK) {
        return error == ERR_ABSENT ? ERR_CORRUPT : error;
    }
    return hash_equal(root, state->root.hash) ? ERR_OK : ERR_CORRUPT;
}

enum err state_open(const struct state_options *options, struct kv *kv, struct arena *arena,
                    struct state **out)
{
    struct state *state = arena_take(arena, sizeof *state);

    if (state == NULL) {
        return ERR_NO_SPACE;
    }
    memset(state, 0, sizeof *state);
    state->kv = kv;
    state->options = *options;
    state->walk = tree_walk_init(arena);
    if (state->walk == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(cache_init(&state->rows, options->row_cache_bytes, ROW_PLACE_BYTES, arena));
    TRY(cache_init(&state->nodes, options->node_cache_bytes, TREE_PLACE_BYTES, arena));
    TRY(pool_init(&state->pool, state_pool_bytes(options), arena));
    TRY(applied_read(state));
    *out = state;
    return ERR_OK;
}

enum err overlay_root(struct overlay *overlay, uint8_t root[HASH_BYTES])
{
    const struct overlay *below = overlay->below;
    const struct state *state = overlay->state;

    INVARIANT(overlay->used && !overlay->sealed && overlay->children == 0);
    INVARIANT(below == NULL || below->sealed);
    INVARIANT(below == NULL || below->height < overlay->height);
    INVARIANT(below != NULL || !state->any || state->height < overlay->height);
    changes_settle(&overlay->changes);
    TRY(tree_update(state->walk, overlay, below != NULL ? &below->root : &state->root,
                    &overlay->root));
    overlay->sealed = true;
    memcpy(root, overlay->root.hash, HASH_BYTES);
    return ERR_OK;
}

/* Every overlay in use is applied, or is this one or lies above it. */
static bool excludes_all(const struct overlay *overlay)
{
    const struct state *state = overlay->state;

    for (uint32_t i = 0; i < STATE_OVERLAYS_MAX; i++) {
        const struct overlay *at = &state->overlays[i];

        if (!at->used || at->applied) {
            continue;
        }
        while (at != NULL && at != overlay) {
            at = at->below;
        }
        if (at == NULL) {
            return false;
        }
    }
    return true;
}

static void apply_changes(const struct overlay *overlay, struct kv_batch *batch)
{
    for (const struct change *change = changes_first(&overlay->changes); change != NULL;
         change = changes_next(change)) {
        if (change->value.kind == CHANGE_PUT) {
            kv_batch_put_kept(batch, change_key(change), change_bytes(change));
        } else {
            kv_batch_delete(batch, change_key(change));
        }
    }
}

static void apply_height(struct kv_batch *batch, uint64_t height, const struct tree_root *root)
{
    uint8_t key[ROOT_KEY_BYTES];
    uint8_t root_value[ROOT_BYTES];
    uint8_t applied_value[APPLIED_BYTES];
    struct writer writer = writer_of(root_value, sizeof root_value);

    writer_bytes(&writer, root->hash, HASH_BYTES);
    writer_u64(&writer, root->version);
    INVARIANT(!writer.failed);
    kv_batch_put(batch, root_key(height, key), writer_done(&writer));
    writer = writer_of(applied_value, sizeof applied_value);
    writer_u64(&writer, height);
    writer_bytes(&writer, root->hash, HASH_BYTES);
    INVARIANT(!writer.failed);
    if (!MUTANT_IS(12)) {
        kv_batch_put(batch, applied_key, writer_done(&writer));
    }
}

enum err state_apply(struct overlay *overlay, struct kv_batch *batch)
{
    struct state *state = overlay->state;

    INVARIANT(overlay->used && overlay->sealed && !overlay->applied);
    INVARIANT(overlay->below == state->top);
    INVARIANT(!state->any || overlay->height == state->height + 1);
    INVARIANT(excludes_all(overlay));
    apply_changes(overlay, batch);
    apply_height(batch, overlay->height, &overlay->root);
    overlay->applied = true;
    state->top = overlay;
    state->any = true;
    state->height = overlay->height;
    state->root = overlay->root;
    return batch->full ? ERR_NO_SPACE : ERR_OK;
}

/* The caches hold what the store has: now this overlay's changes, too. */
static void applied_cache(struct state *state, const struct overlay *overlay)
{
    for (const struct change *change = changes_first(&overlay->changes); change != NULL;
         change = changes_next(change)) {
        const struct bytes key = change_key(change);

        if (key.at[0] == STORE_NODE) {
            tree_cache(state, key, change_bytes(change));
        } else if (change->value.kind == CHANGE_DELETED) {
            cache_forget(&state->rows, change->hash, key);
        } else if (key.at[0] != STORE_STALE) {
            cache_put(&state->rows, change->hash, key, change_bytes(change));
        }
    }
}

static void applied_free(struct state *state, struct overlay *overlay)
{
    for (uint32_t i = 0; i < STATE_OVERLAYS_MAX; i++) {
        if (state->overlays[i].used && state->overlays[i].below == overlay) {
            state->overlays[i].below = NULL;
        }
    }
    if (state->top == overlay) {
        state->top = NULL;
    }
    applied_cache(state, overlay);
    heap_reset(&overlay->heap);
    overlay->used = false;
    overlay->applied = false;
}

/* The oldest applied overlay. */
static struct overlay *applied_oldest(struct state *state)
{
    struct overlay *oldest = state->top;

    while (oldest != NULL && oldest->below != NULL) {
        oldest = oldest->below;
    }
    return oldest;
}

void state_written(struct state *state, uint64_t height)
{
    struct overlay *oldest = applied_oldest(state);

    while (oldest != NULL && oldest->height <= height) {
        applied_free(state, oldest);
        oldest = applied_oldest(state);
    }
}

/* The tree of an applied height: of an overlay that is not yet written, or in the store. */
static enum err root_at(const struct state *state, uint64_t height, struct tree_root *out)
{
    for (const struct overlay *at = state->top; at != NULL; at = at->below) {
        if (at->height == height) {
            *out = at->root;
            return ERR_OK;
        }
    }
    return root_read(state->kv, height, out);
}

enum err state_prove(struct state *state, uint64_t height, struct bytes key, uint8_t *memory,
                     struct proof *out)
{
    const struct tree_source source = {.kv = state->kv, .top = state->top};
    uint8_t key_hash[HASH_BYTES];
    struct tree_root root;

    TRY(root_at(state, height, &root));
    proof_key_hash(key, key_hash);
    return tree_prove(&source, &root, key_hash, memory, out);
}

enum err state_prove_stored(struct kv *kv, uint64_t height, struct bytes key, uint8_t *memory,
                            struct proof *out)
{
    const struct tree_source source = {.kv = kv};
    uint8_t key_hash[HASH_BYTES];
    struct tree_root root;

    TRY(root_read(kv, height, &root));
    proof_key_hash(key, key_hash);
    return tree_prove(&source, &root, key_hash, memory, out);
}

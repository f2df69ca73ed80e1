#include "state/overlay.h"

#include <string.h>

#include "state/overlay_inner.h"

_Static_assert(CHANGES_KEY_BYTES_MAX == 1 + STATE_KEY_BYTES_MAX, "a space and a key");
_Static_assert((int)STATE_ROW_BYTES_MAX <= (int)POOL_PIECE_MAX, "a row is one piece");

enum { POOL_OVERLAYS = 8 }; /* how many overlays' memory a pool has, if it is not said */

size_t state_pool_bytes(const struct state_options *options)
{
    return options->pool_bytes != 0 ? options->pool_bytes : options->overlay_bytes * POOL_OVERLAYS;
}

size_t state_footprint(const struct state_options *options)
{
    return arena_rounded(sizeof(struct state)) + tree_walk_footprint() +
           cache_footprint(options->row_cache_bytes, ROW_PLACE_BYTES) +
           cache_footprint(options->node_cache_bytes, TREE_PLACE_BYTES) +
           pool_footprint(state_pool_bytes(options));
}

bool state_applied(const struct state *state, uint64_t *height, uint8_t root[HASH_BYTES])
{
    if (!state->any) {
        return false;
    }
    *height = state->height;
    memcpy(root, state->root.hash, HASH_BYTES);
    return true;
}

struct overlay *overlay_begin(struct state *state, struct overlay *parent, uint64_t height)
{
    struct overlay *overlay = NULL;

    INVARIANT(parent == NULL || (parent->used && parent->state == state));
    for (uint32_t i = 0; i < STATE_OVERLAYS_MAX && overlay == NULL; i++) {
        if (!state->overlays[i].used) {
            overlay = &state->overlays[i];
        }
    }
    if (overlay == NULL) {
        return NULL;
    }
    overlay->state = state;
    overlay->below = parent != NULL ? parent : state->top;
    overlay->height = height;
    overlay->used = true;
    overlay->sealed = false;
    overlay->applied = false;
    overlay->children = 0;
    heap_init(&overlay->heap, &state->pool, state->options.overlay_bytes);
    changes_init(&overlay->changes, &overlay->heap);
    if (overlay->below != NULL) {
        overlay->below->children += 1;
    }
    return overlay;
}

void overlay_drop(struct overlay *overlay)
{
    if (overlay == NULL) {
        return;
    }
    INVARIANT(overlay->used);
    INVARIANT(overlay->children == 0);
    INVARIANT(!overlay->applied);
    if (overlay->below != NULL) {
        overlay->below->children -= 1;
    }
    heap_reset(&overlay->heap);
    overlay->used = false;
}

void store_key_make(struct store_key *out, enum state_space space, struct bytes key)
{
    INVARIANT(key.count != 0 && key.count <= STATE_KEY_BYTES_MAX);
    out->bytes[0] = space == STATE_ROWS ? STORE_ROW : STORE_INDEX;
    memcpy(out->bytes + 1, key.at, key.count);
    out->count = (uint32_t)key.count + 1;
}

/* A row of the store, out of the cache if it is there. */
static enum err stored_get(struct state *state, const struct store_key *key, uint32_t hash,
                           struct arena *arena, struct bytes *value)
{
    struct bytes cached;
    uint8_t *copy;

    if (!cache_get(&state->rows, hash, store_key_bytes(key), &cached)) {
        TRY(kv_get(state->kv, store_key_bytes(key), arena, value));
        cache_put(&state->rows, hash, store_key_bytes(key), *value);
        return ERR_OK;
    }
    copy = arena_take(arena, cached.count);
    if (copy == NULL) {
        return ERR_NO_SPACE;
    }
    if (cached.count != 0) {
        memcpy(copy, cached.at, cached.count);
    }
    *value = bytes_of(copy, cached.count);
    return ERR_OK;
}

enum err overlay_get(struct overlay *overlay, enum state_space space, struct bytes key,
                     struct arena *arena, struct bytes *value)
{
    struct state *state = overlay->state;
    struct store_key full;
    uint32_t hash;

    INVARIANT(overlay->used);
    store_key_make(&full, space, key);
    hash = changes_hash(state->options.secret, store_key_bytes(&full));
    for (const struct overlay *at = overlay; at != NULL; at = at->below) {
        const struct change *change = changes_find(&at->changes, hash, store_key_bytes(&full));

        if (change != NULL) {
            *value = change_bytes(change);
            return change->value.kind == CHANGE_PUT ? ERR_OK : ERR_ABSENT;
        }
    }
    return stored_get(state, &full, hash, arena, value);
}

static enum err overlay_set(struct overlay *overlay, enum state_space space, struct bytes key,
                            enum change_kind kind, struct bytes value)
{
    struct store_key full;

    INVARIANT(overlay->used && !overlay->sealed);
    INVARIANT(overlay->children == 0);
    INVARIANT(value.count <= STATE_ROW_BYTES_MAX);
    store_key_make(&full, space, key);
    return changes_set(&overlay->changes,
                       changes_hash(overlay->state->options.secret, store_key_bytes(&full)),
                       store_key_bytes(&full), kind, value);
}

enum err overlay_put(struct overlay *overlay, enum state_space space, struct bytes key,
                     struct bytes value)
{
    return overlay_set(overlay, space, key, CHANGE_PUT, value);
}

enum err overlay_delete(struct overlay *overlay, enum state_space space, struct bytes key)
{
    return overlay_set(overlay, space, key, CHANGE_DELETED, (struct bytes){0});
}

struct overlay_mark overlay_mark(const struct overlay *overlay)
{
    return (struct overlay_mark){.place = changes_mark(&overlay->changes)};
}

void overlay_undo(struct overlay *overlay, struct overlay_mark mark)
{
    INVARIANT(overlay->used && !overlay->sealed);
    INVARIANT(overlay->children == 0);
    changes_undo(&overlay->changes, mark.place);
}

void overlay_settle(struct overlay *overlay)
{
    INVARIANT(overlay->used);
    changes_settle(&overlay->changes);
}

size_t overlay_bytes(const struct overlay *overlay)
{
    return (size_t)overlay->heap.chunk_count * POOL_CHUNK_BYTES;
}

#include <stdalign.h>
#include <string.h>

#include "base/mutant.h"
#include "base/reader.h"
#include "base/writer.h"
#include "state/overlay.h"
#include "state/overlay_inner.h"

enum {
    APPLIED_BYTES = 8 + HASH_BYTES, /* height, root */
    ROOT_KEY_BYTES = 1 + 8,
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

/*
 * The newest applied height and root.  A batch is atomic, so the row of the height stands beside the newest
 * root, or the store holds nothing at all.
 */
static enum err applied_read(struct state *state, struct arena *scratch)
{
    uint8_t memory[ROOT_KEY_BYTES];
    struct bytes value;
    struct reader reader;
    enum err error = kv_get(state->kv, applied_key, scratch, &value);
    bool any;

    if (error == ERR_ABSENT) {
        TRY(store_any(state->kv, (struct bytes){0}, (struct bytes){0}, &any));
        return any ? ERR_CORRUPT : ERR_OK;
    }
    TRY(error);
    reader = reader_of(value);
    state->any = true;
    state->height = reader_u64(&reader);
    reader_copy(&reader, state->root, HASH_BYTES);
    if (!reader_done(&reader) || state->height == UINT64_MAX) {
        return ERR_CORRUPT;
    }
    TRY(store_any(state->kv, bytes_of("R", 1), root_key(state->height + 1, memory), &any));
    if (any) {
        return ERR_CORRUPT;
    }
    error = kv_get(state->kv, root_key(state->height, memory), scratch, &value);
    if (error != ERR_OK) {
        return error == ERR_ABSENT ? ERR_CORRUPT : error;
    }
    return bytes_equal(value, bytes_of(state->root, HASH_BYTES)) ? ERR_OK : ERR_CORRUPT;
}

enum err state_open(const struct state_options *options, struct kv *kv, struct arena *arena,
                    struct state **out)
{
    struct state *state = arena_take(arena, sizeof *state);
    alignas(ARENA_ALIGN) uint8_t memory[256];
    struct arena scratch;

    if (state == NULL) {
        return ERR_NO_SPACE;
    }
    memset(state, 0, sizeof *state);
    state->kv = kv;
    state->options = *options;
    arena_init(&scratch, memory, sizeof memory);
    TRY(pool_init(&state->pool, state_pool_bytes(options), arena));
    TRY(applied_read(state, &scratch));
    *out = state;
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

static void apply_height(struct kv_batch *batch, uint64_t height, const uint8_t root[HASH_BYTES])
{
    uint8_t key[ROOT_KEY_BYTES];
    uint8_t value[APPLIED_BYTES];
    struct writer writer = writer_of(value, sizeof value);

    writer_u64(&writer, height);
    writer_bytes(&writer, root, HASH_BYTES);
    kv_batch_put(batch, root_key(height, key), bytes_of(root, HASH_BYTES));
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
    apply_height(batch, overlay->height, overlay->root);
    overlay->applied = true;
    state->top = overlay;
    state->any = true;
    state->height = overlay->height;
    memcpy(state->root, overlay->root, HASH_BYTES);
    return batch->full ? ERR_NO_SPACE : ERR_OK;
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
    heap_reset(&overlay->heap);
    overlay->used = false;
    overlay->applied = false;
}

void state_written(struct state *state, uint64_t height)
{
    for (uint32_t i = 0; i < STATE_OVERLAYS_MAX; i++) {
        struct overlay *overlay = &state->overlays[i];

        if (overlay->used && overlay->applied && overlay->height <= height) {
            applied_free(state, overlay);
        }
    }
}

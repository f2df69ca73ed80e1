#include <string.h>

#include "state/overlay.h"
#include "state/overlay_inner.h"

/*
 * A walk merges the overlays' changes, the nearest first, with a cursor of the store.  Each source stands at its
 * next key in the walk's direction; the source that gave the last key, and all below it that stand at the same
 * one, are moved on at the beginning of the next call, so that the caller's views stay good until then.
 */
struct scan_place {
    struct bytes prefix;
    bool reverse;
    bool begun;
    bool ended;
    struct kv_cursor *cursor;
    uint32_t source_count;
    const struct change *last; /* the key of the last call, if an overlay gave it */
    const struct change *sources[STATE_OVERLAYS_MAX]; /* NULL: at its end */
};

static const struct change *inside(const struct scan_place *place, const struct change *change)
{
    return change != NULL && key_begins(change_key(change), place->prefix) ? change : NULL;
}

/* The first key behind all that begin with `prefix`, which does not consist of 0xff alone. */
static struct bytes prefix_end(struct bytes prefix, uint8_t memory[CHANGES_KEY_BYTES_MAX])
{
    size_t count = prefix.count;

    while (prefix.at[count - 1] == 0xff) {
        count -= 1;
        INVARIANT(count != 0);
    }
    memcpy(memory, prefix.at, count);
    memory[count - 1] += 1;
    return bytes_of(memory, count);
}

static struct change *source_start(const struct changes *changes, struct bytes from, bool inclusive,
                                   bool reverse)
{
    struct change *start = changes_from(changes, from);

    if (!reverse) {
        return start;
    }
    if (inclusive && start != NULL && bytes_equal(change_key(start), from)) {
        return start;
    }
    return changes_below(changes, from);
}

/* Put the cursor at `from`, or against the order at the last key not above it (below it: not inclusive). */
static void cursor_start(struct kv_cursor *cursor, struct bytes from, bool inclusive, bool reverse)
{
    cursor->maker->seek(cursor, from);
    if (!reverse) {
        return;
    }
    if (!cursor->maker->valid(cursor)) {
        if (cursor->maker->error(cursor) == ERR_OK) {
            cursor->maker->seek_last(cursor);
        }
        return;
    }
    if (!inclusive || !bytes_equal(cursor->maker->key(cursor), from)) {
        cursor->maker->prev(cursor);
    }
}

/* The key to start at, out of one of two pieces of memory, and whether that key itself counts. */
static struct bytes place_start(const struct scan_place *place, enum state_space space,
                                struct bytes from, struct store_key *memory, bool *inclusive)
{
    *inclusive = true;
    if (from.count != 0) {
        INVARIANT(key_begins(from, bytes_after(place->prefix, 1)));
        store_key_make(memory, space, from);
        return store_key_bytes(memory);
    }
    if (place->reverse) {
        *inclusive = false;
        return prefix_end(place->prefix, memory->bytes);
    }
    return place->prefix;
}

/* Put each overlay that holds something inside the prefix among the sources, the nearest first. */
static void place_sources(struct scan_place *place, const struct overlay *overlay,
                          struct bytes start, bool inclusive)
{
    for (const struct overlay *at = overlay; at != NULL; at = at->below) {
        const struct change *first =
            inside(place, source_start(&at->changes, start, inclusive, place->reverse));

        if (first != NULL) {
            INVARIANT(place->source_count < STATE_OVERLAYS_MAX);
            place->sources[place->source_count] = first;
            place->source_count += 1;
        }
    }
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are those of a scan. */
enum err overlay_scan_begin(struct overlay *overlay, enum state_space space, struct bytes prefix,
                            struct bytes from, bool reverse, struct arena *arena,
                            struct overlay_scan *out)
{
    struct scan_place *place = arena_take(arena, sizeof *place);
    uint8_t *memory = arena_take(arena, CHANGES_KEY_BYTES_MAX);
    struct store_key start_memory;
    struct bytes start;
    bool inclusive;

    INVARIANT(overlay->used);
    INVARIANT(prefix.count <= STATE_KEY_BYTES_MAX);
    *out = (struct overlay_scan){.overlay = overlay, .space = space};
    if (place == NULL || memory == NULL) {
        return ERR_NO_SPACE;
    }
    *place = (struct scan_place){.reverse = reverse};
    memory[0] = space == STATE_ROWS ? STORE_ROW : STORE_INDEX;
    if (prefix.count != 0) {
        memcpy(memory + 1, prefix.at, prefix.count);
    }
    place->prefix = bytes_of(memory, prefix.count + 1);
    place->cursor = kv_cursor_open(overlay->state->kv);
    if (place->cursor == NULL) {
        return ERR_NO_SPACE;
    }
    start = place_start(place, space, from, &start_memory, &inclusive);
    cursor_start(place->cursor, start, inclusive, reverse);
    place_sources(place, overlay, start, inclusive);
    out->place = place;
    return ERR_OK;
}

/* Does the key of `a` come before `b` in the walk's direction? */
static bool comes_before(const struct scan_place *place, struct bytes a, struct bytes b)
{
    const int order = key_compare(a, b);

    return place->reverse ? order > 0 : order < 0;
}

/* The cursor's key if it is inside the prefix; sets *error where it failed. */
static bool cursor_key(const struct scan_place *place, struct bytes *key, enum err *error)
{
    const struct kv_cursor *cursor = place->cursor;

    if (!cursor->maker->valid(cursor)) {
        *error = cursor->maker->error(cursor);
        return false;
    }
    *key = cursor->maker->key(cursor);
    return key_begins(*key, place->prefix);
}

static void cursor_move(const struct scan_place *place)
{
    if (place->reverse) {
        place->cursor->maker->prev(place->cursor);
    } else {
        place->cursor->maker->next(place->cursor);
    }
}

/* Move on everything that stands at the key of the last step. */
static enum err place_move(struct scan_place *place)
{
    const struct change *last = place->last;
    enum err error = ERR_OK;
    struct bytes key;

    if (!place->begun) {
        place->begun = true;
        return ERR_OK;
    }
    if (last == NULL) {
        cursor_move(place);
        return ERR_OK;
    }
    if (cursor_key(place, &key, &error) && bytes_equal(key, change_key(last))) {
        cursor_move(place);
    }
    for (uint32_t i = 0; i < place->source_count; i++) {
        const struct change *source = place->sources[i];

        if (source != NULL && bytes_equal(change_key(source), change_key(last))) {
            place->sources[i] =
                inside(place, place->reverse ? changes_prev(source) : changes_next(source));
        }
    }
    return error;
}

/* The source that comes next: the nearest of those with the first key; NULL: none. */
static const struct change *place_choose(const struct scan_place *place)
{
    const struct change *best = NULL;

    for (uint32_t i = 0; i < place->source_count; i++) {
        const struct change *source = place->sources[i];

        if (source != NULL &&
            (best == NULL || comes_before(place, change_key(source), change_key(best)))) {
            best = source;
        }
    }
    return best;
}

bool overlay_scan_next(struct overlay_scan *scan)
{
    struct scan_place *place = scan->place;

    while (!place->ended) {
        struct bytes key;
        bool stored = false;

        scan->error = place_move(place);
        if (scan->error == ERR_OK) {
            place->last = place_choose(place);
            stored = cursor_key(place, &key, &scan->error);
        }
        if (scan->error != ERR_OK) {
            break;
        }
        if (stored && (place->last == NULL || comes_before(place, key, change_key(place->last)))) {
            place->last = NULL;
            scan->key = bytes_after(key, 1);
            scan->value = place->cursor->maker->value(place->cursor);
            return true;
        }
        if (place->last == NULL) {
            break;
        }
        if (place->last->value.kind == CHANGE_PUT) {
            scan->key = bytes_after(change_key(place->last), 1);
            scan->value = change_bytes(place->last);
            return true;
        }
    }
    place->ended = true;
    return false;
}

void overlay_scan_end(struct overlay_scan *scan)
{
    struct scan_place *place = scan->place;

    if (place != NULL) {
        kv_cursor_close(place->cursor);
        place->cursor = NULL;
        scan->place = NULL;
    }
}

#include "state/tree.h"

#include <stdalign.h>
#include <string.h>

#include "base/mutant.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "state/overlay_inner.h"

enum {
    STALE_KEY_BYTES_MAX = 1 + 8 + NODE_KEY_BYTES_MAX,
    CACHE_KEY_AT = 1 + 8,
    SORT_BINS = 32, /* lists of 1, 2, 4, ... updates that wait to be merged */
};

/* A changed row; a list in order of key hashes. */
struct update {
    struct update *next;
    uint32_t shared; /* half bytes shared with the update before */
    bool remove;
    uint8_t key_hash[HASH_BYTES];
    uint8_t value_hash[HASH_BYTES];
};

/* A node that is being changed.  Its depth is its place in the stack. */
struct frame {
    struct node node;
    bool stored; /* there is one to be replaced, of this version */
    bool changed;
    uint64_t version;
};

struct tree_walk {
    uint32_t depth; /* of the newest frame */
    struct frame frames[NODE_DEPTH_MAX];
};

size_t tree_walk_footprint(void)
{
    return arena_rounded(sizeof(struct tree_walk));
}

struct tree_walk *tree_walk_init(struct arena *arena)
{
    return arena_take(arena, sizeof(struct tree_walk));
}

/* Reading nodes. */

static enum err node_read_overlay(const struct overlay *overlay, struct bytes key,
                                  struct bytes *value)
{
    const struct change *change =
        changes_find(&overlay->changes, changes_hash(overlay->state->options.secret, key), key);

    if (change == NULL) {
        return ERR_CORRUPT;
    }
    *value = change_bytes(change);
    return ERR_OK;
}

/* A cached node is found by what its key says behind the version, which stands before its value. */
static struct bytes cache_key(struct bytes key)
{
    return bytes_after(key, CACHE_KEY_AT);
}

static bool cache_read(struct state *state, struct bytes key, struct bytes *value)
{
    const struct bytes place = cache_key(key);

    if (!cache_get(&state->nodes, changes_hash(state->options.secret, place), place, value) ||
        memcmp(value->at, key.at + 1, 8) != 0) {
        return false;
    }
    *value = bytes_after(*value, 8);
    return true;
}

void tree_cache(struct state *state, struct bytes key, struct bytes value)
{
    const struct bytes place = cache_key(key);
    uint8_t memory[8 + NODE_BYTES_MAX];
    struct writer writer = writer_of(memory, sizeof memory);

    if (state->nodes.set_count == 0 || place.at[0] >= TREE_CACHE_DEPTH) {
        return;
    }
    writer_bytes(&writer, key.at + 1, 8);
    writer_view(&writer, value);
    if (!writer.failed) {
        cache_put(&state->nodes, changes_hash(state->options.secret, place), place,
                  writer_done(&writer));
    }
}

static enum err node_read_store(const struct tree_source *source, struct bytes key,
                                struct arena *arena, struct bytes *value)
{
    if (source->cached != NULL && cache_read(source->cached, key, value)) {
        return ERR_OK;
    }
    TRY(kv_get(source->kv, key, arena, value));
    if (source->cached != NULL) {
        tree_cache(source->cached, key, *value);
    }
    return ERR_OK;
}

static enum err node_read(const struct tree_source *source, uint64_t version, uint32_t depth,
                          const uint8_t *key_hash, struct node *out)
{
    uint8_t key_memory[NODE_KEY_BYTES_MAX];
    alignas(ARENA_ALIGN) uint8_t memory[NODE_BYTES_MAX + ARENA_ALIGN];
    const struct bytes key = node_key(version, depth, key_hash, key_memory);
    const struct overlay *overlay = source->top;
    struct bytes value = {0};
    struct arena arena;
    enum err error;

    while (overlay != NULL && overlay->height > version) {
        overlay = overlay->below;
    }
    if (overlay != NULL && overlay->height == version) {
        error = node_read_overlay(overlay, key, &value);
    } else {
        arena_init(&arena, memory, sizeof memory);
        error = node_read_store(source, key, &arena, &value);
    }
    if (error == ERR_ABSENT || error == ERR_NO_SPACE) {
        return ERR_CORRUPT; /* missing, or too large for a node */
    }
    TRY(error);
    return node_decode(value, depth, key_hash, out) ? ERR_OK : ERR_CORRUPT;
}

/* The list of changed rows. */

static struct update *lists_merge(struct update *a, struct update *b)
{
    struct update *merged = NULL;
    struct update **end = &merged;

    while (a != NULL && b != NULL) {
        struct update **from = memcmp(a->key_hash, b->key_hash, HASH_BYTES) < 0 ? &a : &b;

        *end = *from;
        *from = (*from)->next;
        end = &(*end)->next;
    }
    *end = a != NULL ? a : b;
    return merged;
}

/* Merge sort without recursion: bin i holds a sorted list of 2^i updates, or none, as the digits of a number. */
static struct update *updates_sort(struct update *list)
{
    struct update *bins[SORT_BINS] = {NULL};
    struct update *sorted = NULL;

    while (list != NULL) {
        struct update *carried = list;
        uint32_t i = 0;

        list = list->next;
        carried->next = NULL;
        while (bins[i] != NULL) {
            carried = lists_merge(bins[i], carried);
            bins[i] = NULL;
            i += 1;
            INVARIANT(i < SORT_BINS);
        }
        bins[i] = carried;
    }
    for (uint32_t i = 0; i < SORT_BINS; i++) {
        sorted = lists_merge(bins[i], sorted);
    }
    return sorted;
}

static void updates_free(struct heap *heap, struct update *list)
{
    while (list != NULL) {
        struct update *next = list->next;

        heap_give(heap, list, sizeof *list);
        list = next;
    }
}

static enum err updates_of(struct overlay *overlay, struct update **out)
{
    const uint8_t rows = STORE_ROW;
    struct update *list = NULL;

    for (const struct change *change = changes_from(&overlay->changes, bytes_of(&rows, 1));
         change != NULL && change->key[0] == STORE_ROW; change = changes_next(change)) {
        struct update *update = heap_take(&overlay->heap, sizeof *update);

        if (update == NULL) {
            updates_free(&overlay->heap, list);
            return ERR_NO_SPACE;
        }
        *update = (struct update){.next = list, .remove = change->value.kind == CHANGE_DELETED};
        list = update;
        proof_key_hash(bytes_after(change_key(change), 1), update->key_hash);
        if (!update->remove) {
            proof_value_hash(change_bytes(change), update->value_hash);
        }
    }
    list = updates_sort(list);
    for (struct update *at = list; at != NULL && at->next != NULL; at = at->next) {
        at->next->shared = node_shared(at->key_hash, at->next->key_hash);
        INVARIANT(at->next->shared < NODE_DEPTH_MAX);
    }
    *out = list;
    return ERR_OK;
}

/* Writing nodes. */

static enum err overlay_note(struct overlay *overlay, struct bytes key, struct bytes value)
{
    return changes_note(&overlay->changes, changes_hash(overlay->state->options.secret, key), key,
                        value);
}

static enum err stale_write(struct overlay *overlay, uint64_t version, uint32_t depth,
                            const uint8_t *key_hash)
{
    uint8_t node_memory[NODE_KEY_BYTES_MAX];
    uint8_t memory[STALE_KEY_BYTES_MAX];
    struct writer writer = writer_of(memory, sizeof memory);

    writer_u8(&writer, STORE_STALE);
    writer_u64(&writer, overlay->height);
    writer_view(&writer, node_key(version, depth, key_hash, node_memory));
    INVARIANT(!writer.failed);
    return overlay_note(overlay, writer_done(&writer), (struct bytes){0});
}

static enum err node_write(struct overlay *overlay, const struct node *node, uint32_t depth,
                           const uint8_t *key_hash)
{
    uint8_t key[NODE_KEY_BYTES_MAX];
    uint8_t value[NODE_BYTES_MAX];

    return overlay_note(overlay, node_key(overlay->height, depth, key_hash, key),
                        node_encode(node, value));
}

/* Planted bug 21: two children change places in the fold when the address of this memory says so. */
static void fold_by_address(const struct overlay *overlay, struct node *node)
{
    const uint64_t address = (uint64_t)(uintptr_t)overlay->heap.at;
    struct node_child *first = NULL;

    for (uint32_t i = 0; i < NODE_CHILDREN && (address * UINT64_C(0x9e3779b97f4a7c15)) >> 63 != 0;
         i++) {
        struct node_child *child = &node->children[i];

        if (child->kind == NODE_EMPTY) {
            continue;
        }
        if (first != NULL) {
            const struct node_child other = *first;

            *first = *child;
            *child = other;
            return;
        }
        first = child;
    }
}

static void frame_hash(const struct overlay *overlay, const struct node *node,
                       uint8_t out[HASH_BYTES])
{
    struct node_fold fold;

    if (MUTANT_IS(21)) {
        struct node shuffled = *node;

        fold_by_address(overlay, &shuffled);
        node_fold(&shuffled, &fold);
    } else {
        node_fold(node, &fold);
    }
    memcpy(out, fold.places[node_level_start(4)].hash, HASH_BYTES);
}

/*
 * What a changed node becomes: nothing, the lone leaf that is left of it, or an inner node, which is written.
 * At the top a lone leaf is a node, too: there is no parent to hold it.
 */
static enum err frame_close(struct overlay *overlay, const struct frame *frame, uint32_t depth,
                            const uint8_t *key_hash, struct node_child *out)
{
    const struct node_child *only = NULL;
    uint32_t count = 0;

    if (frame->stored) {
        TRY(stale_write(overlay, frame->version, depth, key_hash));
    }
    for (uint32_t i = 0; i < NODE_CHILDREN; i++) {
        if (frame->node.children[i].kind != NODE_EMPTY) {
            only = &frame->node.children[i];
            count += 1;
        }
    }
    *out = (struct node_child){.kind = NODE_EMPTY};
    if (count == 0) {
        return ERR_OK;
    }
    if (count == 1 && only->kind == NODE_LEAF && depth > 0) {
        *out = *only;
        return ERR_OK;
    }
    out->kind = NODE_INNER;
    out->version = overlay->height;
    frame_hash(overlay, &frame->node, out->hash);
    return node_write(overlay, &frame->node, depth, key_hash);
}

/* Leave the newest frame, whose parent gets what it became. */
static enum err walk_up(struct tree_walk *walk, struct overlay *overlay, const uint8_t *key_hash)
{
    const struct frame *frame = &walk->frames[walk->depth];
    struct frame *parent;
    struct node_child *child;

    INVARIANT(walk->depth > 0);
    walk->depth -= 1;
    if (!frame->changed) {
        return ERR_OK;
    }
    parent = &walk->frames[walk->depth];
    child = &parent->node.children[node_nibble(key_hash, walk->depth)];
    parent->changed = true;
    return frame_close(overlay, frame, walk->depth + 1, key_hash, child);
}

static void frame_empty(struct frame *frame)
{
    for (uint32_t i = 0; i < NODE_CHILDREN; i++) {
        frame->node.children[i].kind = NODE_EMPTY;
    }
    frame->stored = false;
    frame->changed = false;
    frame->version = 0;
}

/* Enter the node below a child on the way to `key_hash`; a leaf becomes a node that holds it alone. */
static enum err walk_down(struct tree_walk *walk, const struct tree_source *source,
                          const struct node_child *child, const uint8_t *key_hash)
{
    struct frame *frame;

    INVARIANT(walk->depth + 1 < NODE_DEPTH_MAX);
    walk->depth += 1;
    frame = &walk->frames[walk->depth];
    frame_empty(frame);
    switch (child->kind) {
    case NODE_EMPTY:
        break;
    case NODE_LEAF:
        frame->node.children[node_nibble(child->hash, walk->depth)] = *child;
        break;
    case NODE_INNER:
        frame->stored = true;
        frame->version = child->version;
        return node_read(source, child->version, walk->depth, key_hash, &frame->node);
    }
    return ERR_OK;
}

/* Put a lone update into a child that is empty or a leaf of the same key. */
static void child_update(struct frame *frame, struct node_child *child, const struct update *update)
{
    if (update->remove) {
        frame->changed = frame->changed || child->kind == NODE_LEAF;
        child->kind = NODE_EMPTY;
        return;
    }
    if (child->kind == NODE_LEAF && hash_equal(child->value_hash, update->value_hash)) {
        return;
    }
    frame->changed = true;
    child->kind = NODE_LEAF;
    child->version = 0;
    memcpy(child->hash, update->key_hash, HASH_BYTES);
    memcpy(child->value_hash, update->value_hash, HASH_BYTES);
}

/*
 * One step at an update that belongs into the newest frame: true if it is put in, false if a node below was
 * entered instead.
 */
static enum err walk_step(struct tree_walk *walk, const struct tree_source *source,
                          const struct update *update, bool *done)
{
    struct frame *frame = &walk->frames[walk->depth];
    struct node_child *child = &frame->node.children[node_nibble(update->key_hash, walk->depth)];
    const bool alone = update->next == NULL || update->next->shared <= walk->depth;

    *done = true;
    if (alone) {
        if (child->kind == NODE_EMPTY ||
            (child->kind == NODE_LEAF && hash_equal(child->hash, update->key_hash))) {
            child_update(frame, child, update);
            return ERR_OK;
        }
        if (child->kind == NODE_LEAF && update->remove) {
            return ERR_OK; /* another key's leaf: this one is not in the tree */
        }
    }
    *done = false;
    return walk_down(walk, source, child, update->key_hash);
}

/* NOLINTNEXTLINE(readability-function-size): one visit a touched node, in one loop. */
static enum err walk_updates(struct tree_walk *walk, struct overlay *overlay,
                             const struct tree_source *source, const struct update *list)
{
    const struct update *before = NULL;

    for (const struct update *update = list; update != NULL; update = update->next) {
        bool done = false;

        while (before != NULL && walk->depth > update->shared) {
            TRY(walk_up(walk, overlay, before->key_hash));
        }
        while (!done) {
            TRY(walk_step(walk, source, update, &done));
        }
        before = update;
    }
    while (walk->depth > 0) {
        INVARIANT(before != NULL); /* a walk goes down for an update only */
        TRY(walk_up(walk, overlay, before->key_hash));
    }
    return ERR_OK;
}

enum err tree_update(struct tree_walk *walk, struct overlay *overlay, const struct tree_root *base,
                     struct tree_root *out)
{
    const struct tree_source source = {
        .kv = overlay->state->kv, .top = overlay->below, .cached = overlay->state};
    struct frame *top = &walk->frames[0];
    struct update *list;
    struct node_child root;
    enum err error;

    *out = *base;
    TRY(updates_of(overlay, &list));
    walk->depth = 0;
    frame_empty(top);
    if (!hash_is_zero(base->hash)) {
        top->stored = true;
        top->version = base->version;
        error = node_read(&source, base->version, 0, base->hash, &top->node);
    } else {
        error = ERR_OK;
    }
    if (error == ERR_OK) {
        error = walk_updates(walk, overlay, &source, list);
    }
    if (error == ERR_OK && top->changed) {
        error = frame_close(overlay, top, 0, base->hash, &root);
    }
    if (error == ERR_OK && top->changed) {
        *out = (struct tree_root){0};
        if (root.kind != NODE_EMPTY) {
            memcpy(out->hash, root.hash, HASH_BYTES);
            out->version = overlay->height;
        }
    }
    updates_free(&overlay->heap, list);
    return error;
}

/* Paths. */

/* The siblings from the top down, written from the end of `memory` forwards. */
struct path {
    uint8_t *memory;
    uint32_t count;
};

static void path_add(struct path *path, const uint8_t *sibling)
{
    INVARIANT(path->count < PROOF_SIBLINGS_MAX);
    path->count += 1;
    memcpy(path->memory + (size_t)(PROOF_SIBLINGS_MAX - path->count) * HASH_BYTES, sibling,
           HASH_BYTES);
}

/*
 * Follow a key through the four levels of a node, noting siblings, to a place that is no inner node, or to a
 * child.  The children below that place, `*first` and the `*count` behind it, hold at most one leaf unless the
 * child is an inner node.
 */
static enum node_kind path_through(struct path *path, const struct node_fold *fold, uint32_t nibble,
                                   uint32_t *first, uint32_t *count)
{
    const struct node_place *place = &fold->places[node_level_start(4)];
    uint32_t level = 4;

    while (place->kind == NODE_INNER && level > 0) {
        const struct node_place *places;
        uint32_t at;

        level -= 1;
        places = &fold->places[node_level_start(level)];
        at = nibble >> level;
        path_add(path, places[at ^ 1U].hash);
        place = &places[at];
    }
    *count = 1U << level;
    *first = nibble >> level << level;
    return place->kind;
}

static void path_end(const struct node *node, uint32_t first, uint32_t count,
                     const uint8_t *key_hash, struct proof *out)
{
    out->kind = PROOF_ABSENT_EMPTY;
    for (uint32_t i = first; i < first + count; i++) {
        const struct node_child *child = &node->children[i];

        if (child->kind != NODE_LEAF) {
            continue;
        }
        out->kind = PROOF_ABSENT_OTHER;
        if (hash_equal(child->hash, key_hash)) {
            out->kind = PROOF_MEMBER;
        }
        memcpy(out->other_key_hash, child->hash, HASH_BYTES);
        memcpy(out->other_value_hash, child->value_hash, HASH_BYTES);
    }
}

enum err tree_prove(const struct tree_source *source, const struct tree_root *root,
                    const uint8_t key_hash[HASH_BYTES], uint8_t *memory, struct proof *out)
{
    struct path path = {.memory = memory};
    enum node_kind kind = hash_is_zero(root->hash) ? NODE_EMPTY : NODE_INNER;
    uint64_t version = root->version;

    *out = (struct proof){.kind = PROOF_ABSENT_EMPTY};
    for (uint32_t depth = 0; kind == NODE_INNER; depth++) {
        struct node node;
        struct node_fold fold;
        uint32_t first;
        uint32_t count;

        if (depth == NODE_DEPTH_MAX) {
            return ERR_CORRUPT;
        }
        TRY(node_read(source, version, depth, key_hash, &node));
        node_fold(&node, &fold);
        kind = path_through(&path, &fold, node_nibble(key_hash, depth), &first, &count);
        if (kind == NODE_INNER) {
            version = node.children[first].version;
        } else {
            path_end(&node, first, count, key_hash, out);
        }
    }
    out->sibling_count = (uint16_t)path.count;
    out->siblings = bytes_of(memory + (size_t)(PROOF_SIBLINGS_MAX - path.count) * HASH_BYTES,
                             (size_t)path.count * HASH_BYTES);
    return proof_check(out, key_hash, out->kind == PROOF_MEMBER ? out->other_value_hash : NULL,
                       root->hash)
               ? ERR_OK
               : ERR_CORRUPT;
}

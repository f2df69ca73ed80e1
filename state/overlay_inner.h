/*
 * state/overlay_inner.h -- what overlay.c, overlay_scan.c, apply.c, tree.c and prune.c share; not for other rooms.
 *
 * Overlays hang below one another: from a block's overlay over its ancestors' and over those that are applied
 * but not yet written, down to the store.  Applied ones are freed from the oldest on, when the store has them.
 *
 * Keys of state.db (consensus.md 8.8): 'K' full key; 'I' index key; 'N' be64 version, u8 depth, packed
 * nibbles; 'S' be64 version, node key; 'R' be64 version, whose value is the root's hash and the be64 version of
 * its node; "Mapplied_height", whose value is be64 height and the root's hash.
 */
#ifndef STATE_OVERLAY_INNER_H
#define STATE_OVERLAY_INNER_H

#include "state/cache.h"
#include "state/changes.h"
#include "state/overlay.h"
#include "state/tree.h"

enum {
    STORE_ROW = 'K',
    STORE_INDEX = 'I',
    STORE_NODE = 'N',
    STORE_STALE = 'S',
    STORE_ROOT = 'R',
};

enum {
    ROW_PLACE_BYTES = 368, /* key and value of a cached row: larger ones are read from the store */
};

#define STORE_APPLIED "Mapplied_height"

struct overlay {
    struct state *state;
    struct overlay *below; /* NULL: the store */
    uint64_t height;
    bool used;
    bool sealed;  /* its root is computed */
    bool applied; /* waits for the store */
    uint32_t children;
    struct heap heap;
    struct changes changes;
    struct tree_root root; /* when sealed */
};

struct state {
    struct kv *kv;
    struct state_options options;
    struct pool pool;
    struct overlay *top; /* of those applied and not written */
    bool any;            /* something was applied */
    uint64_t height;     /* of the newest applied */
    struct tree_root root;
    struct tree_walk *walk;
    struct cache rows;     /* as the store has them: overlays that are not yet written lie above */
    struct cache nodes;    /* by depth and path; value: be64 version, node */
    uint64_t pruned_roots; /* deleted below these versions; of the thread that prunes alone */
    uint64_t pruned_nodes;
    struct overlay overlays[STATE_OVERLAYS_MAX];
};

/* A key of the store: its space, then the key.  Keys are of the right size, or the caller has a bug. */
struct store_key {
    uint8_t bytes[CHANGES_KEY_BYTES_MAX];
    uint32_t count;
};

/* Memory of all overlays together. */
size_t state_pool_bytes(const struct state_options *options);

/* The height in the store's row of it.  Errors: ERR_ABSENT a new store; ERR_CORRUPT; ERR_IO. */
CHECKED enum err state_stored_height(struct kv *kv, uint64_t *height);

void store_key_make(struct store_key *out, enum state_space space, struct bytes key);

static inline struct bytes store_key_bytes(const struct store_key *key)
{
    return bytes_of(key->bytes, key->count);
}

#endif /* STATE_OVERLAY_INNER_H */

/*
 * state/tree.h -- the Merkle tree over rows: its new nodes after a block, and paths to leaves.  Not for other rooms.
 *
 * Source: docs/protocol/consensus.md 8.17.  The hash of a tree depends on its rows alone.  A block's changed
 * keys are sorted by their hash and put in on one pass from left to right, with the nodes between the root and
 * the present place on a stack: each touched node is read once, hashed once and written once, at version =
 * height.  New nodes and the stale entries of those they replace stay in the block's overlay; a node of a
 * version that is not in the store is looked up in the overlay of that height.
 */
#ifndef STATE_TREE_H
#define STATE_TREE_H

#include <stdint.h>

#include "state/node.h"
#include "state/overlay.h"
#include "state/proof.h"

/* Where a tree begins: its hash, zero for an empty one, and the version at which the root's node was written. */
struct tree_root {
    uint8_t hash[HASH_BYTES];
    uint64_t version; /* 0 if the tree is empty */
};

struct tree_walk;

size_t tree_walk_footprint(void);
struct tree_walk *tree_walk_init(struct arena *arena);

/*
 * Put the overlay's rows into the tree of `base`, that of what lies below it.
 *
 * Errors: ERR_NO_SPACE the overlay is full; ERR_CORRUPT a stored node is missing or is none; ERR_IO.
 */
CHECKED enum err tree_update(struct tree_walk *walk, struct overlay *overlay,
                             const struct tree_root *base, struct tree_root *out);

/* Where nodes are read: overlays from `top` down, then the cache, then the store.  NULL: without it. */
struct tree_source {
    struct kv *kv;
    const struct overlay *top;
    struct state *cached; /* whose cache it is */
};

enum {
    TREE_CACHE_DEPTH = 5, /* nodes above it are cached */
    TREE_PLACE_BYTES = HASH_BYTES + 8 + NODE_BYTES_MAX,
};

/* A node that is in the store now: its key and value. */
void tree_cache(struct state *state, struct bytes key, struct bytes value);

/*
 * The path to a key hash.  `memory` as in state_prove.
 *
 * Errors: ERR_CORRUPT as above, or the nodes do not fold to the root; ERR_IO.
 */
CHECKED enum err tree_prove(const struct tree_source *source, const struct tree_root *root,
                            const uint8_t key_hash[HASH_BYTES], uint8_t *memory, struct proof *out);

#endif /* STATE_TREE_H */

/*
 * crypto/merkle.h -- the two trees over lists: roots of a block's items, and the growing history of blocks.
 *
 * Sources: docs/protocol/consensus.md 8.2; RFC 6962 2.1 for the shape of the first, a Merkle mountain
 * range bagged from the right for the second.  An empty list has 32 zero bytes as its root.
 */
#ifndef CRYPTO_MERKLE_H
#define CRYPTO_MERKLE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

/*
 * A root over items that come one by one: leaf H(mleaf: item), node H(mnode: left, right), a left subtree
 * being the largest power of two below the count.  32 levels: up to 2^32 - 1 items.
 */
struct merkle {
    uint32_t count;
    uint8_t levels[32]
                  [HASH_BYTES]; /* levels[i]: the complete subtree of 2^i items not yet joined */
};

void merkle_begin(struct merkle *merkle);
void merkle_add(struct merkle *merkle, struct bytes item);
void merkle_root(const struct merkle *merkle, uint8_t out[HASH_BYTES]);

/* A path from one item to the root: siblings, deepest first. */
struct merkle_path {
    uint32_t index;
    uint32_t count; /* of items in the list */
    uint32_t sibling_count;
    uint8_t siblings[32][HASH_BYTES];
};

/*
 * The path of item `index` of a list whose items `at` gives.  index < count.
 */
void merkle_path_of(const struct bytes *items, uint32_t count, uint32_t index,
                    struct merkle_path *out);

/* Does `path` lead from `item` to `root`?  False also for a path of a wrong length. */
CHECKED bool merkle_path_check(const struct merkle_path *path, struct bytes item,
                               const uint8_t root[HASH_BYTES]);

/* The hashes of blocks 0 to count - 1, as peaks; peaks[i] belongs to bit i of count. */
struct history {
    uint64_t count;
    uint8_t peaks[64][HASH_BYTES];
};

/* Append the hash of block `history->count`: leaf H(hleaf: be64 height, hash), node H(hnode: left, right). */
void history_add(struct history *history, const uint8_t block_hash[HASH_BYTES]);

/* The root over the blocks added so far: history_root of the block of height `history->count`. */
void history_root(const struct history *history, uint8_t out[HASH_BYTES]);

#endif /* CRYPTO_MERKLE_H */

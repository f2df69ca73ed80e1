/*
 * state/node.h -- one node of the state tree: sixteen children by the next four bits, as bytes and as a hash.
 *
 * Source: docs/protocol/consensus.md 8.17.  The tree is binary by its hash; a stored node is four levels of it.
 * Value: u16 child bitmap, u16 leaf bitmap, then the children ascending: a leaf as key hash and value hash, an
 * inner node as its hash and the varint of the version it was written at.  Key: 'N', be64 version, u8 depth in
 * nibbles, the nibbles packed, the last half byte zero.
 */
#ifndef STATE_NODE_H
#define STATE_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

enum {
    NODE_CHILDREN = 16,
    NODE_DEPTH_MAX = 64,                                 /* nibbles of a key hash */
    NODE_BYTES_MAX = 4 + NODE_CHILDREN * 2 * HASH_BYTES, /* all leaves */
    NODE_KEY_BYTES_MAX = 1 + 8 + 1 + HASH_BYTES,
};

enum node_kind {
    NODE_EMPTY,
    NODE_LEAF,
    NODE_INNER,
};

struct node_child {
    enum node_kind kind;
    uint64_t version;               /* inner: of the node's key */
    uint8_t hash[HASH_BYTES];       /* inner: its hash; leaf: the key hash */
    uint8_t value_hash[HASH_BYTES]; /* leaf */
};

struct node {
    struct node_child children[NODE_CHILDREN];
};

/* The half byte of a key hash that chooses the child of a node of this depth. */
static inline uint32_t node_nibble(const uint8_t *key_hash, uint32_t depth)
{
    return (uint32_t)key_hash[depth / 2] >> (depth % 2 == 0 ? 4 : 0) & 15U;
}

/* How many half bytes two key hashes share at their beginning; NODE_DEPTH_MAX for equal ones. */
uint32_t node_shared(const uint8_t *a, const uint8_t *b);

/* Writes the key of the node on the way to `key_hash`; the number of bytes. */
struct bytes node_key(uint64_t version, uint32_t depth, const uint8_t key_hash[HASH_BYTES],
                      uint8_t memory[NODE_KEY_BYTES_MAX]);

/* Writes the value of a node that has children. */
struct bytes node_encode(const struct node *node, uint8_t memory[NODE_BYTES_MAX]);

/*
 * Read a node of this depth on the way to `key_hash`.  False unless these are the bytes that node_encode writes
 * for a node that may stand there: leaves under their own bits, a lone leaf nowhere but at the top, no inner node
 * where all bits are used up.
 */
CHECKED bool node_decode(struct bytes bytes, uint32_t depth, const uint8_t *key_hash,
                         struct node *out);

/* A place of the binary tree inside a node. */
struct node_place {
    enum node_kind kind;      /* a lone leaf stands for the whole subtree */
    uint8_t hash[HASH_BYTES]; /* what stands there in the fold; zero for NODE_EMPTY */
};

/*
 * The binary tree inside a node: level 0 has sixteen places, the children, level 4 one, the node.  Level l
 * begins at places[level_start(l)].
 */
struct node_fold {
    struct node_place places[NODE_CHILDREN * 2 - 1];
};

static inline uint32_t node_level_start(uint32_t level)
{
    return 32U - (32U >> level);
}

void node_fold(const struct node *node, struct node_fold *out);

/* H(leaf: key hash, value hash) and H(node: left, right). */
void node_leaf_hash(const uint8_t *key_hash, const uint8_t *value_hash, uint8_t out[HASH_BYTES]);
void node_inner_hash(const uint8_t *left, const uint8_t *right, uint8_t out[HASH_BYTES]);

#endif /* STATE_NODE_H */

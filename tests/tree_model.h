/*
 * tests/tree_model.h -- the state tree as its definition reads: a sorted list of leaves, and recursion over bits.
 *
 * Slow, and independent of state/: own hashing order, own proofs, own check of proofs (consensus.md 8.17).  Only
 * the hash function is shared.  A subtree is a range of the list whose keys agree in their first bits.
 */
#ifndef TESTS_TREE_MODEL_H
#define TESTS_TREE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct tree_leaf {
    uint8_t key_hash[32];
    uint8_t value_hash[32];
};

enum { TREE_PROOF_BYTES_MAX = 3 + 64 + 256 * 32 };

void tree_model_leaf(struct bytes key, struct bytes value, struct tree_leaf *out);

/* Ascending by key hash. */
void tree_model_sort(struct tree_leaf *leaves, size_t count);

void tree_model_root(const struct tree_leaf *leaves, size_t count, uint8_t out[32]);

/*
 * Remember the hashes of subtrees from now on, for many proofs of one list that does not change meanwhile; false:
 * forget them.
 */
void tree_model_remember(bool on);

/* How many stored nodes of sixteen children such a tree has. */
uint64_t tree_model_nodes(const struct tree_leaf *leaves, size_t count);

/* The bytes of the proof of a key hash, present or not; their number. */
size_t tree_model_proof(const struct tree_leaf *leaves, size_t count, const uint8_t key_hash[32],
                        uint8_t out[TREE_PROOF_BYTES_MAX]);

/* Is the proof exact, and does it hold?  value_hash NULL: it must prove absence. */
bool tree_model_check(struct bytes proof, const uint8_t key_hash[32], const uint8_t *value_hash,
                      const uint8_t root[32]);

#endif /* TESTS_TREE_MODEL_H */

#include "tests/tree_model.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"

void tree_model_leaf(struct bytes key, struct bytes value, struct tree_leaf *out)
{
    hash_of(TAG_KEY, key, out->key_hash);
    hash_of(TAG_VAL, value, out->value_hash);
}

static int leaf_order(const void *a, const void *b)
{
    const struct tree_leaf *one = a;
    const struct tree_leaf *other = b;

    return memcmp(one->key_hash, other->key_hash, 32);
}

void tree_model_sort(struct tree_leaf *leaves, size_t count)
{
    qsort(leaves, count, sizeof *leaves, leaf_order);
}

static bool bit(const uint8_t *hash, uint32_t i)
{
    return (hash[i / 8] & (0x80U >> (i % 8))) != 0;
}

static void two(enum tag tag, const uint8_t *a, const uint8_t *b, uint8_t *out)
{
    uint8_t both[64];

    memcpy(both, a, 32);
    memcpy(both + 32, b, 32);
    hash_of(tag, bytes_of(both, 64), out);
}

/* The first leaf of the range whose bit is 1. */
static size_t half(const struct tree_leaf *leaves, size_t count, uint32_t depth)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (bit(leaves[middle].key_hash, depth)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static struct memory {
    const struct tree_leaf *leaves;
    size_t count;
    uint32_t depth;
    uint8_t hash[32];
} memories[4096];
static bool remembering;

static struct memory *memory_of(const struct tree_leaf *leaves, size_t count, uint32_t depth)
{
    const size_t place = (size_t)(uintptr_t)leaves / sizeof *leaves * 31 + count * 7 + depth;

    return &memories[place % 4096];
}

void tree_model_remember(bool on)
{
    remembering = on;
    memset(memories, 0, sizeof memories);
}

/* NOLINTBEGIN(misc-no-recursion): the definition is recursive, the depth at most 256. */
static void subtree(const struct tree_leaf *leaves, size_t count, uint32_t depth, uint8_t *out)
{
    struct memory *known = memory_of(leaves, count, depth);
    uint8_t left[32];
    uint8_t right[32];
    size_t middle;

    if (count == 0) {
        memset(out, 0, 32);
        return;
    }
    if (count == 1) {
        two(TAG_LEAF, leaves->key_hash, leaves->value_hash, out);
        return;
    }
    if (remembering && known->leaves == leaves && known->count == count && known->depth == depth) {
        memcpy(out, known->hash, 32);
        return;
    }
    middle = half(leaves, count, depth);
    subtree(leaves, middle, depth + 1, left);
    subtree(leaves + middle, count - middle, depth + 1, right);
    two(TAG_NODE, left, right, out);
    known->leaves = leaves;
    known->count = count;
    known->depth = depth;
    memcpy(known->hash, out, 32);
}

static uint64_t nodes(const struct tree_leaf *leaves, size_t count, uint32_t depth)
{
    uint64_t sum = depth % 4 == 0 ? 1 : 0;
    size_t middle;

    if (count < 2) {
        return 0;
    }
    middle = half(leaves, count, depth);
    sum += nodes(leaves, middle, depth + 1);
    return sum + nodes(leaves + middle, count - middle, depth + 1);
}
/* NOLINTEND(misc-no-recursion) */

void tree_model_root(const struct tree_leaf *leaves, size_t count, uint8_t out[32])
{
    subtree(leaves, count, 0, out);
}

uint64_t tree_model_nodes(const struct tree_leaf *leaves, size_t count)
{
    return count == 1 ? 1 : nodes(leaves, count, 0); /* a lone leaf has a node at the top */
}

size_t tree_model_proof(const struct tree_leaf *leaves, size_t count, const uint8_t key_hash[32],
                        uint8_t out[TREE_PROOF_BYTES_MAX])
{
    uint8_t siblings[256][32];
    uint32_t depth = 0;
    size_t used = 3;

    while (count > 1) {
        const size_t middle = half(leaves, count, depth);

        if (bit(key_hash, depth)) {
            subtree(leaves, middle, depth + 1, siblings[depth]);
            leaves += middle;
            count -= middle;
        } else {
            subtree(leaves + middle, count - middle, depth + 1, siblings[depth]);
            count = middle;
        }
        depth += 1;
    }
    out[0] = count == 0 ? 2 : memcmp(leaves->key_hash, key_hash, 32) == 0 ? 1 : 3;
    out[1] = (uint8_t)(depth >> 8);
    out[2] = (uint8_t)depth;
    if (out[0] == 3) {
        memcpy(out + used, leaves->key_hash, 32);
        memcpy(out + used + 32, leaves->value_hash, 32);
        used += 64;
    }
    for (uint32_t i = depth; i > 0; i--) {
        memcpy(out + used, siblings[i - 1], 32);
        used += 32;
    }
    return used;
}

bool tree_model_check(struct bytes proof, const uint8_t key_hash[32], const uint8_t *value_hash,
                      const uint8_t root[32])
{
    uint8_t now[32] = {0};
    const uint8_t *at = proof.at + 3;
    size_t levels;

    if (proof.count < 3) {
        return false;
    }
    levels = (size_t)proof.at[1] * 256 + proof.at[2];
    if (levels > 256 || proof.count != 3 + levels * 32 + (proof.at[0] == 3 ? 64U : 0U) ||
        proof.at[0] < 1 || proof.at[0] > 3 || (proof.at[0] == 1) != (value_hash != NULL)) {
        return false;
    }
    if (proof.at[0] == 1) {
        two(TAG_LEAF, key_hash, value_hash, now);
    }
    if (proof.at[0] == 3) {
        for (uint32_t i = 0; i < levels; i++) {
            if (bit(at, i) != bit(key_hash, i)) {
                return false;
            }
        }
        if (memcmp(at, key_hash, 32) == 0) {
            return false;
        }
        two(TAG_LEAF, at, at + 32, now);
        at += 64;
    }
    for (size_t i = levels; i > 0; i--) {
        if (bit(key_hash, (uint32_t)i - 1)) {
            two(TAG_NODE, at, now, now);
        } else {
            two(TAG_NODE, now, at, now);
        }
        at += 32;
    }
    return memcmp(now, root, 32) == 0;
}

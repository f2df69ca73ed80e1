#include "crypto/merkle.h"

#include <string.h>

#include "base/count.h"
#include "base/writer.h"
#include "crypto/hash.h"

static void merkle_join(enum tag tag, const uint8_t *left, const uint8_t *right, uint8_t *out)
{
    const struct bytes parts[] = {bytes_of(left, HASH_BYTES), bytes_of(right, HASH_BYTES)};

    hash_parts(tag, parts, COUNT_OF(parts), out);
}

/*
 * Put one more leaf behind `count` others.  As in binary counting, the leaf joins each complete subtree to
 * its left that is as large as itself, and stays as the subtree of the first bit of `count` that is zero.
 */
static void merkle_push(enum tag tag, uint8_t (*levels)[HASH_BYTES], uint64_t count,
                        const uint8_t *leaf)
{
    uint8_t joined[HASH_BYTES];
    uint32_t level = 0;

    memcpy(joined, leaf, HASH_BYTES);
    for (; (count >> level & 1U) != 0; level++) {
        merkle_join(tag, levels[level], joined, joined);
    }
    memcpy(levels[level], joined, HASH_BYTES);
}

/* Join the complete subtrees from the smallest, which is rightmost, to the largest. */
static void merkle_bag(enum tag tag, const uint8_t (*levels)[HASH_BYTES], uint64_t count,
                       uint8_t *out)
{
    bool found = false;

    memset(out, 0, HASH_BYTES);
    for (uint32_t level = 0; level < 64 && count >> level != 0; level++) {
        if ((count >> level & 1U) == 0) {
            continue;
        }
        if (found) {
            merkle_join(tag, levels[level], out, out);
        } else {
            memcpy(out, levels[level], HASH_BYTES);
        }
        found = true;
    }
}

void merkle_begin(struct merkle *merkle)
{
    merkle->count = 0;
}

void merkle_add(struct merkle *merkle, struct bytes item)
{
    uint8_t leaf[HASH_BYTES];

    INVARIANT(merkle->count != UINT32_MAX);
    hash_of(TAG_MLEAF, item, leaf);
    merkle_push(TAG_MNODE, merkle->levels, merkle->count, leaf);
    merkle->count += 1;
}

void merkle_root(const struct merkle *merkle, uint8_t out[HASH_BYTES])
{
    merkle_bag(TAG_MNODE, (const uint8_t(*)[HASH_BYTES])merkle->levels, merkle->count, out);
}

static void merkle_range(const struct bytes *items, uint32_t count, uint8_t *out)
{
    struct merkle merkle;

    merkle_begin(&merkle);
    for (uint32_t i = 0; i < count; i++) {
        merkle_add(&merkle, items[i]);
    }
    merkle_root(&merkle, out);
}

/* The largest power of two below count, which is at least 2. */
static uint32_t merkle_split(uint32_t count)
{
    uint32_t left = 1;

    while (left < count - left) {
        left *= 2;
    }
    return left;
}

void merkle_path_of(const struct bytes *items, uint32_t count, uint32_t index,
                    struct merkle_path *out)
{
    uint32_t steps = 0;

    INVARIANT(index < count);
    out->index = index;
    out->count = count;
    /* From the root down: the half without the item is the sibling, the other half is looked at next. */
    while (count > 1) {
        const uint32_t left = merkle_split(count);

        if (index < left) {
            merkle_range(items + left, count - left, out->siblings[steps]);
            count = left;
        } else {
            merkle_range(items, left, out->siblings[steps]);
            items += left;
            count -= left;
            index -= left;
        }
        steps += 1;
    }
    out->sibling_count = steps;
    for (uint32_t i = 0; i < steps / 2; i++) {
        uint8_t swap[HASH_BYTES];

        memcpy(swap, out->siblings[i], HASH_BYTES);
        memcpy(out->siblings[i], out->siblings[steps - 1 - i], HASH_BYTES);
        memcpy(out->siblings[steps - 1 - i], swap, HASH_BYTES);
    }
}

bool merkle_path_check(const struct merkle_path *path, struct bytes item,
                       const uint8_t root[HASH_BYTES])
{
    uint8_t running[HASH_BYTES];
    uint32_t node =
        path->index; /* our place among the nodes of one level, and the last place there */
    uint32_t last;

    if (path->index >= path->count || path->sibling_count > COUNT_OF(path->siblings)) {
        return false;
    }
    last = path->count - 1;
    hash_of(TAG_MLEAF, item, running);
    for (uint32_t i = 0; i < path->sibling_count; i++) {
        if (last == 0) {
            return false; /* the root is reached already */
        }
        /* A last node at an even place has no sibling on its level and rises until it has one. */
        while (node == last && (node & 1U) == 0) {
            node >>= 1;
            last >>= 1;
        }
        if ((node & 1U) != 0) {
            merkle_join(TAG_MNODE, path->siblings[i], running, running);
        } else {
            merkle_join(TAG_MNODE, running, path->siblings[i], running);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && hash_equal(running, root);
}

void history_add(struct history *history, const uint8_t block_hash[HASH_BYTES])
{
    uint8_t leaf[8 + HASH_BYTES];
    struct writer writer = writer_of(leaf, sizeof leaf);
    uint8_t hash[HASH_BYTES];

    INVARIANT(history->count != UINT64_MAX);
    writer_u64(&writer, history->count);
    writer_bytes(&writer, block_hash, HASH_BYTES);
    hash_of(TAG_HLEAF, writer_done(&writer), hash);
    merkle_push(TAG_HNODE, history->peaks, history->count, hash);
    history->count += 1;
}

void history_root(const struct history *history, uint8_t out[HASH_BYTES])
{
    merkle_bag(TAG_HNODE, (const uint8_t(*)[HASH_BYTES])history->peaks, history->count, out);
}

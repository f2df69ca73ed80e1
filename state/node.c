#include "state/node.h"

#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"

enum {
    NODE_KEY_FIRST = 'N',
    VARINT_BYTES_MAX = 10,
    NODE_LEVELS = 4,
};

uint32_t node_shared(const uint8_t *a, const uint8_t *b)
{
    for (uint32_t i = 0; i < HASH_BYTES; i++) {
        const uint32_t difference = (uint32_t)a[i] ^ b[i];

        if (difference != 0) {
            return i * 2 + (difference < 16 ? 1 : 0);
        }
    }
    return NODE_DEPTH_MAX;
}

struct bytes node_key(uint64_t version, uint32_t depth, const uint8_t key_hash[HASH_BYTES],
                      uint8_t memory[NODE_KEY_BYTES_MAX])
{
    struct writer writer = writer_of(memory, NODE_KEY_BYTES_MAX);

    INVARIANT(depth < NODE_DEPTH_MAX);
    writer_u8(&writer, NODE_KEY_FIRST);
    writer_u64(&writer, version);
    writer_u8(&writer, (uint8_t)depth);
    writer_bytes(&writer, key_hash, depth / 2);
    if (depth % 2 != 0) {
        writer_u8(&writer, key_hash[depth / 2] & 0xf0U);
    }
    INVARIANT(!writer.failed);
    return writer_done(&writer);
}

static void varint_write(struct writer *writer, uint64_t value)
{
    while (value >= 0x80) {
        writer_u8(writer, (uint8_t)(value | 0x80U));
        value >>= 7;
    }
    writer_u8(writer, (uint8_t)value);
}

/* Minimal, at most 64 bits; else the reader fails. */
static uint64_t varint_read(struct reader *reader)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < VARINT_BYTES_MAX; i++) {
        const uint8_t byte = reader_u8(reader);

        if ((i > 0 && byte == 0) || (i == VARINT_BYTES_MAX - 1 && byte > 1)) {
            break;
        }
        value |= (uint64_t)(byte & 0x7fU) << (7 * i);
        if (byte < 0x80) {
            return value;
        }
    }
    reader->failed = true;
    return 0;
}

struct bytes node_encode(const struct node *node, uint8_t memory[NODE_BYTES_MAX])
{
    struct writer writer = writer_of(memory, NODE_BYTES_MAX);
    uint32_t children = 0;
    uint32_t leaves = 0;

    for (uint32_t i = 0; i < NODE_CHILDREN; i++) {
        children |= (node->children[i].kind != NODE_EMPTY ? 1U : 0U) << i;
        leaves |= (node->children[i].kind == NODE_LEAF ? 1U : 0U) << i;
    }
    INVARIANT(children != 0);
    writer_u16(&writer, (uint16_t)children);
    writer_u16(&writer, (uint16_t)leaves);
    for (uint32_t i = 0; i < NODE_CHILDREN; i++) {
        const struct node_child *child = &node->children[i];

        if (child->kind == NODE_EMPTY) {
            continue;
        }
        writer_bytes(&writer, child->hash, HASH_BYTES);
        if (child->kind == NODE_LEAF) {
            writer_bytes(&writer, child->value_hash, HASH_BYTES);
        } else {
            varint_write(&writer, child->version);
        }
    }
    INVARIANT(!writer.failed);
    return writer_done(&writer);
}

/* May a node of this depth on the way to `key_hash` have this leaf as child i? */
static bool leaf_placed(const struct node_child *leaf, uint32_t i, uint32_t depth,
                        const uint8_t *key_hash)
{
    return node_shared(leaf->hash, key_hash) >= depth && node_nibble(leaf->hash, depth) == i;
}

bool node_decode(struct bytes bytes, uint32_t depth, const uint8_t *key_hash, struct node *out)
{
    struct reader reader = reader_of(bytes);
    const uint32_t children = reader_u16(&reader);
    const uint32_t leaves = reader_u16(&reader);

    if (children == 0 || (depth == NODE_DEPTH_MAX - 1 && children != leaves) ||
        (leaves & ~children) != 0 ||
        (depth > 0 && children == leaves && (leaves & (leaves - 1)) == 0)) {
        return false;
    }
    for (uint32_t i = 0; i < NODE_CHILDREN; i++) {
        struct node_child *child = &out->children[i];

        child->kind = NODE_EMPTY;
        if ((children >> i & 1U) == 0) {
            continue;
        }
        reader_copy(&reader, child->hash, HASH_BYTES);
        if ((leaves >> i & 1U) != 0) {
            child->kind = NODE_LEAF;
            child->version = 0;
            reader_copy(&reader, child->value_hash, HASH_BYTES);
            if (!leaf_placed(child, i, depth, key_hash)) {
                return false;
            }
        } else {
            child->kind = NODE_INNER;
            child->version = varint_read(&reader);
        }
    }
    return reader_done(&reader);
}

void node_leaf_hash(const uint8_t *key_hash, const uint8_t *value_hash, uint8_t out[HASH_BYTES])
{
    const struct bytes parts[] = {bytes_of(key_hash, HASH_BYTES), bytes_of(value_hash, HASH_BYTES)};

    hash_parts(TAG_LEAF, parts, 2, out);
}

void node_inner_hash(const uint8_t *left, const uint8_t *right, uint8_t out[HASH_BYTES])
{
    const struct bytes parts[] = {bytes_of(left, HASH_BYTES), bytes_of(right, HASH_BYTES)};

    hash_parts(TAG_NODE, parts, 2, out);
}

/* Two halves make an empty place, a lone leaf that rises, or an inner node. */
static void place_join(const struct node_place *left, const struct node_place *right,
                       struct node_place *out)
{
    if (left->kind == NODE_EMPTY && right->kind != NODE_INNER) {
        *out = *right;
        return;
    }
    if (right->kind == NODE_EMPTY && left->kind != NODE_INNER) {
        *out = *left;
        return;
    }
    out->kind = NODE_INNER;
    node_inner_hash(left->hash, right->hash, out->hash);
}

void node_fold(const struct node *node, struct node_fold *out)
{
    for (uint32_t i = 0; i < NODE_CHILDREN; i++) {
        const struct node_child *child = &node->children[i];
        struct node_place *place = &out->places[i];

        place->kind = child->kind;
        switch (child->kind) {
        case NODE_EMPTY:
            memset(place->hash, 0, HASH_BYTES);
            break;
        case NODE_LEAF:
            node_leaf_hash(child->hash, child->value_hash, place->hash);
            break;
        case NODE_INNER:
            memcpy(place->hash, child->hash, HASH_BYTES);
            break;
        }
    }
    for (uint32_t level = 0; level < NODE_LEVELS; level++) {
        const struct node_place *from = &out->places[node_level_start(level)];
        struct node_place *to = &out->places[node_level_start(level + 1)];

        for (uint32_t i = 0; i < (uint32_t)NODE_CHILDREN >> (level + 1); i++) {
            place_join(&from[(size_t)2 * i], &from[(size_t)2 * i + 1], &to[i]);
        }
    }
}

#include "state/proof.h"

#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "state/node.h"

void proof_write(struct writer *writer, const struct proof *proof)
{
    INVARIANT(proof->siblings.count == (size_t)proof->sibling_count * HASH_BYTES);
    writer_u8(writer, (uint8_t)proof->kind);
    writer_u16(writer, proof->sibling_count);
    if (proof->kind == PROOF_ABSENT_OTHER) {
        writer_bytes(writer, proof->other_key_hash, HASH_BYTES);
        writer_bytes(writer, proof->other_value_hash, HASH_BYTES);
    }
    writer_view(writer, proof->siblings);
}

bool proof_decode(struct bytes bytes, struct proof *out)
{
    struct reader reader = reader_of(bytes);
    const uint8_t kind = reader_u8(&reader);

    *out = (struct proof){0};
    if (kind != PROOF_MEMBER && kind != PROOF_ABSENT_EMPTY && kind != PROOF_ABSENT_OTHER) {
        return false;
    }
    out->kind = (enum proof_kind)kind;
    out->sibling_count = reader_u16(&reader);
    if (out->sibling_count > PROOF_SIBLINGS_MAX) {
        return false;
    }
    if (out->kind == PROOF_ABSENT_OTHER) {
        reader_copy(&reader, out->other_key_hash, HASH_BYTES);
        reader_copy(&reader, out->other_value_hash, HASH_BYTES);
    }
    out->siblings = reader_take(&reader, (size_t)out->sibling_count * HASH_BYTES);
    return reader_done(&reader);
}

void proof_key_hash(struct bytes key, uint8_t out[HASH_BYTES])
{
    hash_of(TAG_KEY, key, out);
}

void proof_value_hash(struct bytes value, uint8_t out[HASH_BYTES])
{
    hash_of(TAG_VAL, value, out);
}

/* Bit i of a key hash, the first one highest in its byte; 0 goes left. */
static uint32_t key_bit(const uint8_t *key_hash, uint32_t i)
{
    return (uint32_t)key_hash[i / 8] >> (7 - i % 8) & 1U;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (key_bit(a, i) != key_bit(b, i)) {
            return false;
        }
    }
    return true;
}

bool proof_check(const struct proof *proof, const uint8_t key_hash[HASH_BYTES],
                 const uint8_t *value_hash, const uint8_t root[HASH_BYTES])
{
    uint8_t hash[HASH_BYTES] = {0};

    if (proof->sibling_count > PROOF_SIBLINGS_MAX ||
        proof->siblings.count != (size_t)proof->sibling_count * HASH_BYTES ||
        (proof->kind == PROOF_MEMBER) != (value_hash != NULL)) {
        return false;
    }
    switch (proof->kind) {
    case PROOF_MEMBER:
        node_leaf_hash(key_hash, value_hash, hash);
        break;
    case PROOF_ABSENT_EMPTY:
        break;
    case PROOF_ABSENT_OTHER:
        if (hash_equal(proof->other_key_hash, key_hash) ||
            !bits_equal(proof->other_key_hash, key_hash, proof->sibling_count)) {
            return false;
        }
        node_leaf_hash(proof->other_key_hash, proof->other_value_hash, hash);
        break;
    }
    for (uint32_t i = 0; i < proof->sibling_count; i++) {
        const uint8_t *sibling = proof->siblings.at + (size_t)i * HASH_BYTES;

        if (key_bit(key_hash, proof->sibling_count - 1U - i) == 0) {
            node_inner_hash(hash, sibling, hash);
        } else {
            node_inner_hash(sibling, hash, hash);
        }
    }
    return hash_equal(hash, root);
}

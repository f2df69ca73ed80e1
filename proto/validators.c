#include "proto/validators.h"

#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"

enum { WEIGHT = 1 }; /* of every member: a quorum counts votes */

static void member_write(struct writer *writer, const struct validator *member)
{
    writer_bytes(writer, member->consensus_key, sizeof member->consensus_key);
    writer_bytes(writer, member->node_key, sizeof member->node_key);
    writer_bytes(writer, member->account, sizeof member->account);
    writer_u16(writer, WEIGHT);
}

void validators_write(struct writer *writer, const struct validator_set *set)
{
    writer_u16(writer, set->count);
    for (uint32_t i = 0; i < set->count; i++) {
        member_write(writer, &set->members[i]);
    }
}

bool validators_read(struct reader *reader, struct validator_set *out)
{
    const uint16_t count = reader_u16(reader);

    if (count < 1 || count > VALIDATORS_MAX) {
        return false;
    }
    out->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct validator *member = &out->members[i];

        reader_copy(reader, member->consensus_key, sizeof member->consensus_key);
        reader_copy(reader, member->node_key, sizeof member->node_key);
        reader_copy(reader, member->account, sizeof member->account);
        if (reader_u16(reader) != WEIGHT) {
            return false;
        }
    }
    return !reader->failed && validators_ordered(out);
}

/* Piece by piece: the bytes of the largest set would be 25 kB of stack. */
void validators_hash(const struct validator_set *set, uint8_t out[HASH_BYTES])
{
    struct hash_state state;
    uint8_t bytes[VALIDATOR_BYTES];
    struct writer writer = writer_of(bytes, sizeof bytes);

    writer_u16(&writer, set->count);
    hash_begin(&state, TAG_VALSET);
    hash_add(&state, writer_done(&writer));
    for (uint32_t i = 0; i < set->count; i++) {
        writer = writer_of(bytes, sizeof bytes);
        member_write(&writer, &set->members[i]);
        INVARIANT(writer.used == sizeof bytes);
        hash_add(&state, writer_done(&writer));
    }
    hash_end(&state, out);
}

uint16_t validators_find(const struct validator_set *set, const uint8_t consensus_key[32])
{
    for (uint16_t i = 0; i < set->count; i++) {
        if (memcmp(set->members[i].consensus_key, consensus_key, 32) == 0) {
            return i;
        }
    }
    return VALIDATOR_NONE;
}

bool validators_ordered(const struct validator_set *set)
{
    if (set->count == 0 || set->count > VALIDATORS_MAX) {
        return false;
    }
    for (uint32_t i = 1; i < set->count; i++) {
        if (memcmp(set->members[i - 1].consensus_key, set->members[i].consensus_key, 32) >= 0) {
            return false;
        }
    }
    return true;
}

/* The numbers of the shuffle, four from each hash. */
struct order_words {
    const uint8_t *genesis;
    uint64_t next;
    uint32_t used;
    uint8_t hash[HASH_BYTES];
};

static uint64_t order_word(struct order_words *words)
{
    struct reader reader;
    uint64_t word;

    if (words->used == 4) {
        uint8_t number[8];
        struct writer writer = writer_of(number, sizeof number);
        const struct bytes parts[] = {bytes_of(words->genesis, HASH_BYTES),
                                      bytes_of(number, sizeof number)};

        writer_u64(&writer, words->next);
        hash_parts(TAG_ORDER, parts, 2, words->hash);
        words->next += 1;
        words->used = 0;
    }
    reader = reader_of(bytes_of(words->hash + 8 * (size_t)words->used, 8));
    word = reader_u64(&reader);
    words->used += 1;
    return word;
}

/* A number below `bound`, each equally likely: words at or above the largest multiple of it are passed over. */
static uint64_t order_below(struct order_words *words, uint64_t bound)
{
    const uint64_t surplus = (UINT64_MAX % bound + 1) % bound; /* 2^64 mod bound */

    for (;;) {
        const uint64_t word = order_word(words);

        if (surplus == 0 || word < UINT64_MAX - surplus + 1) {
            return word % bound;
        }
    }
}

void validators_order(const struct validator_set *set, const uint8_t genesis_block_hash[HASH_BYTES],
                      struct leader_order *out)
{
    struct order_words words = {.genesis = genesis_block_hash, .used = 4};

    out->count = set->count;
    for (uint16_t j = 0; j < set->count; j++) {
        out->order[j] = j;
    }
    for (uint32_t j = set->count; j > 1; j--) {
        const uint64_t other = order_below(&words, j);
        const uint16_t moved = out->order[j - 1];

        out->order[j - 1] = out->order[other];
        out->order[other] = moved;
    }
}

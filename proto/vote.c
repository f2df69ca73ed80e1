#include "proto/vote.h"

#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"

bool candidate_equal(const struct candidate *a, const struct candidate *b)
{
    return a->epoch == b->epoch && a->view == b->view && a->parent_view == b->parent_view &&
           hash_equal(a->block_hash, b->block_hash);
}

bool statement_equal(const struct statement *a, const struct statement *b)
{
    return a->kind == b->kind && candidate_equal(&a->candidate, &b->candidate);
}

struct statement statement_nullify(uint64_t epoch, uint64_t view)
{
    return (struct statement){.kind = VOTE_NULLIFY, .candidate = {.epoch = epoch, .view = view}};
}

void candidate_write(struct writer *writer, const struct candidate *candidate)
{
    writer_u64(writer, candidate->epoch);
    writer_u64(writer, candidate->view);
    writer_u64(writer, candidate->parent_view);
    writer_bytes(writer, candidate->block_hash, HASH_BYTES);
}

void candidate_read(struct reader *reader, struct candidate *out)
{
    out->epoch = reader_u64(reader);
    out->view = reader_u64(reader);
    out->parent_view = reader_u64(reader);
    reader_copy(reader, out->block_hash, HASH_BYTES);
}

void statement_sign_bytes(const uint8_t chain_id[HASH_BYTES], const struct statement *statement,
                          uint8_t out[STATEMENT_BYTES])
{
    struct writer writer = writer_of(out, STATEMENT_BYTES);

    writer_bytes(&writer, "SXV1", 4);
    writer_u8(&writer, (uint8_t)statement->kind);
    writer_bytes(&writer, chain_id, HASH_BYTES);
    candidate_write(&writer, &statement->candidate);
    INVARIANT(!writer.failed && writer.used == STATEMENT_BYTES);
}

static void statement_write(struct writer *writer, const struct statement *statement)
{
    writer_u8(writer, (uint8_t)statement->kind);
    candidate_write(writer, &statement->candidate);
}

static bool statement_read(struct reader *reader, struct statement *out)
{
    const uint8_t kind = reader_u8(reader);
    const struct candidate *candidate = &out->candidate;

    candidate_read(reader, &out->candidate);
    if (reader->failed || kind < VOTE_NOTARIZE || kind > VOTE_FINALIZE) {
        return false;
    }
    out->kind = (enum vote_kind)kind;
    if (out->kind == VOTE_NULLIFY &&
        (candidate->parent_view != 0 || !hash_is_zero(candidate->block_hash))) {
        return false;
    }
    return candidate->view > candidate->parent_view;
}

void vote_write(struct writer *writer, const struct vote *vote)
{
    statement_write(writer, &vote->statement);
    writer_u16(writer, vote->index);
    writer_bytes(writer, vote->signature, SIGNATURE_BYTES);
}

bool vote_read(struct reader *reader, struct vote *out)
{
    const bool known = statement_read(reader, &out->statement);

    out->index = reader_u16(reader);
    reader_copy(reader, out->signature, SIGNATURE_BYTES);
    return known && !reader->failed;
}

static uint32_t bits_set(struct bytes bitmap)
{
    uint32_t set = 0;

    for (size_t i = 0; i < bitmap.count; i++) {
        set += (uint32_t)__builtin_popcount(bitmap.at[i]);
    }
    return set;
}

bool certificate_read(struct reader *reader, uint16_t count, struct certificate *out)
{
    const struct bytes all = reader->left;
    const bool known = statement_read(reader, &out->statement);
    const uint32_t beyond = validators_bitmap_bytes(count) * 8 - count;

    out->count = reader_u16(reader);
    if (!known || reader->failed || out->count != count || count == 0 || count > VALIDATORS_MAX) {
        return false;
    }
    out->bitmap = reader_take(reader, validators_bitmap_bytes(count));
    out->signatures = reader_take(reader, SIGNATURE_BYTES * (size_t)validators_quorum(count));
    if (reader->failed) {
        return false;
    }
    out->encoded = bytes_of(all.at, certificate_bytes(count));
    return (out->bitmap.at[out->bitmap.count - 1] >> (8 - beyond)) == 0 &&
           bits_set(out->bitmap) == validators_quorum(count);
}

bool certificate_decode(struct bytes bytes, uint16_t count, struct certificate *out)
{
    struct reader reader = reader_of(bytes);

    return certificate_read(&reader, count, out) && reader_done(&reader);
}

void certificate_make(const struct statement *statement, uint16_t count,
                      const uint8_t *const *signatures, uint8_t *memory, struct certificate *out)
{
    const uint32_t quorum = validators_quorum(count);
    const size_t bitmap_at = 59;
    struct writer writer = writer_of(memory, certificate_bytes(count));
    uint32_t taken = 0;

    statement_write(&writer, statement);
    writer_u16(&writer, count);
    writer_zeros(&writer, validators_bitmap_bytes(count));
    for (uint32_t i = 0; i < count && taken < quorum; i++) {
        if (signatures[i] != NULL) {
            memory[bitmap_at + i / 8] |= (uint8_t)(1U << (i % 8));
            writer_bytes(&writer, signatures[i], SIGNATURE_BYTES);
            taken += 1;
        }
    }
    INVARIANT(taken == quorum && !writer.failed && writer.used == certificate_bytes(count));
    INVARIANT(certificate_decode(writer_done(&writer), count, out));
}

/* tests/unit/proto/wire.c -- each message is read as it was written, and refused when cut, longer, or out of bounds. */
#include "proto/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "base/writer.h"
#include "tests/check.h"

enum { MEMORY_BYTES = 1 << 17, VALIDATORS = 4 };

static uint8_t memory[MEMORY_BYTES];

static struct writer fresh(void)
{
    memset(memory, 0xee, sizeof memory);
    return writer_of(memory, sizeof memory);
}

/* Does some decoder take these bytes? */
static bool taken(struct bytes message)
{
    static struct wire_proposal proposal;
    struct wire_status status;
    struct wire_get_certs get_certs;
    struct wire_get_blocks get_blocks;
    struct wire_blocks blocks;
    struct block_header header;
    struct certificate certificate;
    struct vote vote;
    struct bytes view;
    const uint8_t *hashes;
    uint64_t token;
    uint16_t count;

    return wire_status_decode(message, &status) || wire_vote_decode(message, &vote) ||
           wire_cert_decode(message, VALIDATORS, &certificate) ||
           wire_get_certs_decode(message, &get_certs) ||
           wire_proposal_decode(message, VALIDATORS, &proposal) ||
           wire_get_block_decode(message, &hashes) || wire_block_decode(message, &header, &view) ||
           wire_tx_push_decode(message, &count, &view) ||
           wire_tx_ids_decode(message, &count, &hashes) ||
           wire_get_blocks_decode(message, &get_blocks) ||
           wire_blocks_decode(message, VALIDATORS, &blocks) || wire_ping_decode(message, &token);
}

/* No decoder takes the message cut short anywhere but at `allowed`, nor with a byte behind it. */
static void refuses_other_lengths(struct bytes message, size_t allowed)
{
    uint8_t *copy = malloc(message.count + 1);

    CHECK(copy != NULL);
    memcpy(copy, message.at, message.count);
    copy[message.count] = 0;
    for (size_t count = 0; count <= message.count + 1; count++) {
        uint8_t *exact = malloc(count == 0 ? 1 : count); /* the sanitizer sees one byte too many */

        CHECK(exact != NULL);
        memcpy(exact, copy, count);
        if (taken(bytes_of(exact, count)) != (count == message.count || count == allowed)) {
            check_failed(__FILE__, __LINE__, "%zu bytes of type %u", count, copy[0]);
        }
        free(exact);
    }
    free(copy);
}

static void fill(uint8_t *at, size_t count, uint8_t first)
{
    for (size_t i = 0; i < count; i++) {
        at[i] = (uint8_t)(first + i);
    }
}

static struct candidate some_candidate(uint64_t view)
{
    struct candidate candidate = {.epoch = 3, .view = view, .parent_view = view - 1};

    fill(candidate.block_hash, HASH_BYTES, (uint8_t)view);
    return candidate;
}

static struct certificate some_certificate(uint64_t view, uint8_t *at)
{
    static const uint8_t signature[SIGNATURE_BYTES] = {7, 7};
    const uint8_t *signatures[VALIDATORS] = {NULL, signature, signature, signature};
    const struct statement statement = {.kind = VOTE_NOTARIZE, .candidate = some_candidate(view)};
    struct certificate out;

    certificate_make(&statement, VALIDATORS, signatures, at, &out);
    return out;
}

static struct block_header some_header(uint32_t tx_bytes)
{
    struct block_header header = {.version = BLOCK_VERSION, .height = 9, .tx_bytes = tx_bytes};

    fill(header.state_root, HASH_BYTES, 1);
    return header;
}

static bool headers_equal(const struct block_header *a, const struct block_header *b)
{
    uint8_t one[BLOCK_HEADER_BYTES];
    uint8_t other[BLOCK_HEADER_BYTES];

    block_header_encode(a, one);
    block_header_encode(b, other);
    return memcmp(one, other, sizeof one) == 0;
}

TEST(channels_are_those_of_the_register)
{
    static const uint8_t known[][2] = {
        {0x01, 0}, {0x02, 0}, {0x03, 0}, {0x04, 0}, {0x05, 0}, {0x10, 1}, {0x11, 1},
        {0x12, 1}, {0x20, 2}, {0x21, 2}, {0x22, 2}, {0x23, 2}, {0x24, 2}, {0x40, 4},
        {0x41, 4}, {0x42, 4}, {0x50, 5}, {0x51, 5}, {0x52, 5}, {0x53, 5}, {0x70, 7},
    };
    uint32_t found = 0;

    for (uint32_t type = 0; type < 256; type++) {
        uint8_t expected = WIRE_CHANNEL_NONE;

        for (size_t i = 0; i < COUNT_OF(known); i++) {
            expected = known[i][0] == type ? known[i][1] : expected;
        }
        CHECK_U64(wire_channel((uint8_t)type), ==, expected);
        found += expected != WIRE_CHANNEL_NONE;
    }
    CHECK_U64(found, ==, COUNT_OF(known));
}

TEST(status_round_trip)
{
    const uint8_t bitmaps[3] = {1, 2, 3};
    struct wire_status status = {.epoch = 1,
                                 .cur = 2,
                                 .final_view = 3,
                                 .final_height = 4,
                                 .earliest_height = 5,
                                 .wall_ms = 6,
                                 .features = 7,
                                 .parent_view = 8,
                                 .top_view = 9,
                                 .notarize_bitmap = {.at = bitmaps, .count = 1},
                                 .nullify_bitmap = {.at = bitmaps + 1, .count = 1},
                                 .finalize_bitmap = {.at = bitmaps + 2, .count = 1}};
    struct wire_status read;
    struct writer writer = fresh();

    fill(status.final_hash, HASH_BYTES, 100);
    fill(status.block_hash, HASH_BYTES, 200);
    wire_status_write(&writer, &status);
    CHECK_U64(writer.used, ==, 1 + 136 + 3);
    CHECK(wire_status_decode(writer_done(&writer), &read));
    CHECK_U64(read.epoch, ==, 1);
    CHECK_U64(read.cur, ==, 2);
    CHECK_U64(read.final_view, ==, 3);
    CHECK_U64(read.final_height, ==, 4);
    CHECK_U64(read.earliest_height, ==, 5);
    CHECK_U64(read.wall_ms, ==, 6);
    CHECK_U64(read.features, ==, 7);
    CHECK_U64(read.parent_view, ==, 8);
    CHECK_U64(read.top_view, ==, 9);
    CHECK(memcmp(read.final_hash, status.final_hash, HASH_BYTES) == 0);
    CHECK(memcmp(read.block_hash, status.block_hash, HASH_BYTES) == 0);
    CHECK_BYTES(read.notarize_bitmap, status.notarize_bitmap);
    CHECK_BYTES(read.nullify_bitmap, status.nullify_bitmap);
    CHECK_BYTES(read.finalize_bitmap, status.finalize_bitmap);
    refuses_other_lengths(writer_done(&writer), 1 + 136);
}

TEST(status_bitmaps_have_a_limit)
{
    static const uint8_t zeros[BITMAP_BYTES_MAX];
    const struct bytes bitmap = bytes_of(zeros, BITMAP_BYTES_MAX);
    struct wire_status status = {
        .notarize_bitmap = bitmap, .nullify_bitmap = bitmap, .finalize_bitmap = bitmap};
    struct writer writer = fresh();

    wire_status_write(&writer, &status);
    CHECK_U64(writer.used, ==, WIRE_STATUS_BYTES_MAX);
    CHECK(wire_status_decode(writer_done(&writer), &status));
    writer_zeros(&writer, 3);
    CHECK(!wire_status_decode(writer_done(&writer), &status));
}

TEST(vote_round_trip)
{
    struct vote vote = {.statement = {.kind = VOTE_FINALIZE, .candidate = some_candidate(5)},
                        .index = 3};
    struct vote read;
    struct writer writer = fresh();
    uint64_t epoch;
    uint64_t view;

    fill(vote.signature, SIGNATURE_BYTES, 9);
    wire_vote_write(&writer, &vote);
    CHECK_U64(writer.used, ==, 1 + VOTE_BYTES);
    CHECK(wire_vote_decode(writer_done(&writer), &read));
    CHECK(statement_equal(&read.statement, &vote.statement));
    CHECK_U64(read.index, ==, 3);
    CHECK(memcmp(read.signature, vote.signature, SIGNATURE_BYTES) == 0);
    CHECK(wire_epoch_view(writer_done(&writer), &epoch, &view));
    CHECK_U64(epoch, ==, 3);
    CHECK_U64(view, ==, 5);
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);
    memory[1] = 4; /* kind */
    CHECK(!taken(writer_done(&writer)));
}

TEST(cert_round_trip)
{
    uint8_t at[CERTIFICATE_BYTES_MAX];
    const struct certificate certificate = some_certificate(6, at);
    struct certificate read;
    struct writer writer = fresh();
    uint64_t epoch;
    uint64_t view;

    wire_cert_write(&writer, &certificate);
    CHECK_U64(writer.used, ==, 1 + 252);
    CHECK(wire_cert_decode(writer_done(&writer), VALIDATORS, &read));
    CHECK_BYTES(read.encoded, certificate.encoded);
    CHECK(!wire_cert_decode(writer_done(&writer), 5, &read));
    CHECK(wire_epoch_view(writer_done(&writer), &epoch, &view));
    CHECK_U64(epoch, ==, 3);
    CHECK_U64(view, ==, 6);
    CHECK(!wire_epoch_view(bytes_of(memory, 17), &epoch, &view));
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);
}

TEST(get_certs_round_trip)
{
    struct wire_get_certs get = {
        .epoch = 8, .count = 3, .wants = {{5, 0}, {6, 3}, {UINT64_MAX, 1}}};
    struct wire_get_certs read;
    struct writer writer = fresh();

    wire_get_certs_write(&writer, &get);
    CHECK_U64(writer.used, ==, 1 + 8 + 1 + 27);
    CHECK(wire_get_certs_decode(writer_done(&writer), &read));
    CHECK_U64(read.epoch, ==, 8);
    CHECK_U64(read.count, ==, 3);
    CHECK_U64(read.wants[1].view, ==, 6);
    CHECK_U64(read.wants[1].kind, ==, 3);
    CHECK_U64(read.wants[2].view, ==, UINT64_MAX);
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);
    memory[1 + 8 + 1 + 8] = 4;
    CHECK(!taken(writer_done(&writer)));
    memory[9] = 0;
    CHECK(!taken(bytes_of(memory, 10)));

    get.count = WIRE_GET_CERTS_MAX;
    writer = fresh();
    wire_get_certs_write(&writer, &get);
    CHECK(taken(writer_done(&writer)));
    memory[9] = WIRE_GET_CERTS_MAX + 1;
    writer_zeros(&writer, 9);
    CHECK(!taken(writer_done(&writer)));
}

TEST(proposal_round_trip)
{
    static struct wire_proposal proposal;
    static struct wire_proposal read;
    uint8_t certificates[2][CERTIFICATE_BYTES_MAX];
    struct writer writer = fresh();
    size_t head;
    uint64_t epoch;
    uint64_t view;

    proposal.candidate = some_candidate(9);
    fill(proposal.signature, SIGNATURE_BYTES, 3);
    proposal.justification_count = 2;
    proposal.justification[0] = some_certificate(8, certificates[0]);
    proposal.justification[1] = some_certificate(7, certificates[1]);
    proposal.form = WIRE_FORM_FULL;
    proposal.header = some_header(5);
    wire_proposal_write(&writer, &proposal);
    head = writer.used;
    CHECK_U64(head, ==, 1 + 56 + 64 + 1 + 2 * 252 + 1 + 344);
    CHECK(wire_proposal_decode(writer_done(&writer), VALIDATORS, &read));
    CHECK_U64(read.body.count, ==, 0);

    writer_bytes(&writer, "tx tx", 5);
    CHECK(wire_proposal_decode(writer_done(&writer), VALIDATORS, &read));
    CHECK(candidate_equal(&read.candidate, &proposal.candidate));
    CHECK(memcmp(read.signature, proposal.signature, SIGNATURE_BYTES) == 0);
    CHECK_U64(read.justification_count, ==, 2);
    CHECK_BYTES(read.justification[1].encoded, proposal.justification[1].encoded);
    CHECK(headers_equal(&read.header, &proposal.header));
    CHECK_BYTES(read.head, bytes_of(memory, head));
    CHECK_BYTES(read.body, bytes_of("tx tx", 5));
    CHECK(wire_epoch_view(writer_done(&writer), &epoch, &view));
    CHECK_U64(epoch, ==, 3);
    CHECK_U64(view, ==, 9);
    refuses_other_lengths(writer_done(&writer), head);

    memory[head - BLOCK_HEADER_BYTES - 1] = WIRE_FORM_COMPACT;
    CHECK(!taken(writer_done(&writer)));
    memory[head - BLOCK_HEADER_BYTES - 1] = 3;
    CHECK(!taken(writer_done(&writer)));
}

TEST(repeat_proposal_has_no_block)
{
    static struct wire_proposal proposal;
    static struct wire_proposal read;
    struct writer writer = fresh();

    proposal.candidate = some_candidate(9);
    proposal.form = WIRE_FORM_REPEAT;
    wire_proposal_write(&writer, &proposal);
    CHECK_U64(writer.used, ==, 1 + 56 + 64 + 1 + 1);
    CHECK(wire_proposal_decode(writer_done(&writer), VALIDATORS, &read));
    CHECK_U64(read.form, ==, WIRE_FORM_REPEAT);
    CHECK_BYTES(read.head, writer_done(&writer));
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);

    memory[8 + 16] = 9; /* parent view = view */
    CHECK(!taken(writer_done(&writer)));
}

TEST(proposal_has_at_most_17_certificates)
{
    static struct wire_proposal proposal;
    static struct wire_proposal read;
    uint8_t at[CERTIFICATE_BYTES_MAX];
    struct writer writer = fresh();
    const size_t count_at = 1 + 56 + 64;

    proposal.candidate = some_candidate(9);
    proposal.form = WIRE_FORM_FULL;
    proposal.header = some_header(0);
    proposal.justification_count = JUSTIFICATION_MAX;
    for (uint32_t i = 0; i < JUSTIFICATION_MAX; i++) {
        proposal.justification[i] = some_certificate(8, at);
    }
    wire_proposal_write(&writer, &proposal);
    CHECK_U64(writer.used, ==, wire_proposal_head_bytes(VALIDATORS));
    CHECK(wire_proposal_decode(writer_done(&writer), VALIDATORS, &read));

    memmove(memory + count_at + 1 + 252, memory + count_at + 1, writer.used - count_at - 1);
    memory[count_at] += 1;
    CHECK(!wire_proposal_decode(bytes_of(memory, writer.used + 252), VALIDATORS, &read));
}

TEST(block_round_trip)
{
    const struct block_header header = some_header(3);
    struct block_header read;
    struct bytes body;
    struct writer writer = fresh();
    const uint8_t *hash;

    wire_block_write_head(&writer, &header);
    writer_bytes(&writer, "abc", 3);
    CHECK(wire_block_decode(writer_done(&writer), &read, &body));
    CHECK(headers_equal(&read, &header));
    CHECK_BYTES(body, bytes_of("abc", 3));
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);

    writer = fresh();
    wire_get_block_write(&writer, header.state_root);
    CHECK_U64(writer.used, ==, 33);
    CHECK(wire_get_block_decode(writer_done(&writer), &hash));
    CHECK(memcmp(hash, header.state_root, HASH_BYTES) == 0);
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);
}

TEST(tx_push_round_trip)
{
    struct writer writer = fresh();
    struct bytes left;
    struct bytes transaction;
    uint16_t count;

    wire_tx_push_begin(&writer, 2);
    wire_tx_push_add(&writer, bytes_of("one", 3));
    wire_tx_push_add(&writer, bytes_of("three", 5));
    CHECK_U64(writer.used, ==, 3 + 4 + 3 + 4 + 5);
    CHECK(wire_tx_push_decode(writer_done(&writer), &count, &left));
    CHECK_U64(count, ==, 2);
    CHECK(wire_tx_push_next(&left, &transaction));
    CHECK_BYTES(transaction, bytes_of("one", 3));
    CHECK(wire_tx_push_next(&left, &transaction));
    CHECK_BYTES(transaction, bytes_of("three", 5));
    CHECK(!wire_tx_push_next(&left, &transaction));
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);

    writer = fresh();
    wire_tx_push_begin(&writer, WIRE_TXS_MAX);
    for (uint32_t i = 0; i < WIRE_TXS_MAX; i++) {
        wire_tx_push_add(&writer, bytes_of(NULL, 0));
    }
    CHECK(taken(writer_done(&writer)));
    memory[2] = 1; /* 257 */
    writer_zeros(&writer, 4);
    CHECK(!taken(writer_done(&writer)));
    memory[1] = 0;
    memory[2] = 0;
    CHECK(!taken(bytes_of(memory, 3)));
}

TEST(tx_ids_round_trip)
{
    static uint8_t hashes[WIRE_TXS_MAX + 1][HASH_BYTES];
    struct writer writer = fresh();
    const uint8_t *read;
    uint16_t count;

    for (uint32_t i = 0; i < COUNT_OF(hashes); i++) {
        hashes[i][30] = (uint8_t)(i >> 8); /* equal fronts, so that the whole is compared */
        hashes[i][31] = (uint8_t)i;
    }
    wire_tx_ids_write(&writer, WIRE_TX_WANT, hashes[0], 3);
    CHECK_U64(writer.used, ==, 3 + 96);
    CHECK(wire_tx_ids_decode(writer_done(&writer), &count, &read));
    CHECK_U64(count, ==, 3);
    CHECK_BYTES(bytes_of(read, 96), bytes_of(hashes, 96));
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);

    memory[3 + 31 + 64] = 0; /* the third becomes the first */
    CHECK(!taken(writer_done(&writer)));

    writer = fresh();
    wire_tx_ids_write(&writer, WIRE_TX_HAVE, hashes[0], WIRE_TXS_MAX);
    CHECK(taken(writer_done(&writer)));
    memory[2] = 1;
    writer_bytes(&writer, hashes[WIRE_TXS_MAX], HASH_BYTES);
    CHECK(!taken(writer_done(&writer)));
    memory[2] = 0;
    memory[1] = 0;
    CHECK(!taken(bytes_of(memory, 3)));
}

TEST(get_blocks_round_trip)
{
    struct wire_get_blocks get = {.id = 7, .from = 99, .blocks = 128, .bytes = 1 << 20};
    struct wire_get_blocks read;
    struct writer writer = fresh();

    wire_get_blocks_write(&writer, &get);
    CHECK_U64(writer.used, ==, 1 + 18);
    CHECK(wire_get_blocks_decode(writer_done(&writer), &read));
    CHECK_U64(read.id, ==, 7);
    CHECK_U64(read.from, ==, 99);
    CHECK_U64(read.blocks, ==, 128);
    CHECK_U64(read.bytes, ==, 1 << 20);
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);

    memory[18] = 1; /* one byte above 1 MiB */
    CHECK(!taken(writer_done(&writer)));
    memory[16] = 0;
    memory[17] = 0xff; /* below 64 KiB */
    CHECK(!taken(writer_done(&writer)));
    memory[16] = 1;
    CHECK(taken(writer_done(&writer)));
    memory[14] = 129;
    CHECK(!taken(writer_done(&writer)));
    memory[14] = 0;
    CHECK(!taken(writer_done(&writer)));
}

TEST(blocks_round_trip)
{
    uint8_t at[CERTIFICATE_BYTES_MAX];
    const struct certificate certificate = some_certificate(6, at);
    struct wire_blocks blocks = {
        .id = 5, .result = WIRE_BLOCKS_FOLLOW, .from = 9, .count = 2, .header_count = 1};
    struct block_header header = some_header(3);
    uint8_t encoded[BLOCK_HEADER_BYTES + 3];
    struct wire_blocks read;
    struct writer writer = fresh();
    struct bytes body;

    block_header_encode(&header, encoded);
    fill(encoded + BLOCK_HEADER_BYTES, 3, 'a');
    wire_blocks_begin(&writer, &blocks);
    wire_blocks_add(&writer, bytes_of(encoded, sizeof encoded));
    wire_blocks_add(&writer, bytes_of(encoded, sizeof encoded));
    wire_blocks_add(&writer, bytes_of(encoded, BLOCK_HEADER_BYTES));
    wire_blocks_end(&writer, &certificate);
    CHECK_U64(writer.used, ==, 1 + 17 + 2 * 347 + 344 + 252);
    CHECK(wire_blocks_decode(writer_done(&writer), VALIDATORS, &read));
    CHECK_U64(read.id, ==, 5);
    CHECK_U64(read.from, ==, 9);
    CHECK_U64(read.count, ==, 2);
    CHECK_U64(read.header_count, ==, 1);
    CHECK_U64(read.headers.count, ==, BLOCK_HEADER_BYTES);
    CHECK_BYTES(read.certificate.encoded, certificate.encoded);
    for (uint32_t i = 0; i < 2; i++) {
        memset(&header, 0, sizeof header);
        CHECK(wire_blocks_next(&read.blocks, &header, &body));
        CHECK_U64(header.height, ==, 9);
        CHECK_BYTES(body, bytes_of("abc", 3));
    }
    CHECK(!wire_blocks_next(&read.blocks, &header, &body));
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);

    memory[1 + 4 + 1 + 8 + 1] = 0; /* no block */
    CHECK(!taken(writer_done(&writer)));
    memory[1 + 4 + 1 + 8 + 1] = 2;
    memory[1 + 17 + 2 * 347 + 1] = 2; /* version of the header above */
    CHECK(!taken(writer_done(&writer)));
}

TEST(blocks_refused_is_short)
{
    struct wire_blocks blocks = {.id = 5, .result = WIRE_BLOCKS_BUSY};
    struct wire_blocks read;
    struct writer writer = fresh();

    wire_blocks_begin(&writer, &blocks);
    CHECK_U64(writer.used, ==, 6);
    CHECK(wire_blocks_decode(writer_done(&writer), VALIDATORS, &read));
    CHECK_U64(read.result, ==, WIRE_BLOCKS_BUSY);
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);
    memory[5] = 3;
    CHECK(!taken(writer_done(&writer)));
}

TEST(ping_round_trip)
{
    struct writer writer = fresh();
    uint64_t token;

    wire_ping_write(&writer, WIRE_PONG, 0x0102030405060708);
    CHECK_BYTES(writer_done(&writer), bytes_of("\x04\x01\x02\x03\x04\x05\x06\x07\x08", 9));
    CHECK(wire_ping_decode(writer_done(&writer), &token));
    CHECK_U64(token, ==, 0x0102030405060708);
    refuses_other_lengths(writer_done(&writer), SIZE_MAX);
    memory[0] = WIRE_GOODBYE;
    CHECK(!wire_ping_decode(writer_done(&writer), &token));
}

TESTS(TEST_ENTRY(channels_are_those_of_the_register), TEST_ENTRY(status_round_trip),
      TEST_ENTRY(status_bitmaps_have_a_limit), TEST_ENTRY(vote_round_trip),
      TEST_ENTRY(cert_round_trip), TEST_ENTRY(get_certs_round_trip),
      TEST_ENTRY(proposal_round_trip), TEST_ENTRY(repeat_proposal_has_no_block),
      TEST_ENTRY(proposal_has_at_most_17_certificates), TEST_ENTRY(block_round_trip),
      TEST_ENTRY(tx_push_round_trip), TEST_ENTRY(tx_ids_round_trip),
      TEST_ENTRY(get_blocks_round_trip), TEST_ENTRY(blocks_round_trip),
      TEST_ENTRY(blocks_refused_is_short), TEST_ENTRY(ping_round_trip))

/* tests/unit/proto/record.c -- each record is read as it was written; unknown types and other lengths are refused. */
#include "proto/record.h"

#include <string.h>

#include "base/writer.h"
#include "tests/check.h"

enum { VALIDATORS = 4 };

static uint8_t memory[RECORD_BYTES_MAX + 64];
static uint8_t certificate_memory[CERTIFICATE_BYTES_MAX];

static struct candidate some_candidate(void)
{
    return (struct candidate){.epoch = 3, .view = 5, .parent_view = 4, .block_hash = {1, 2, 3}};
}

static struct certificate some_certificate(void)
{
    static const uint8_t signature[SIGNATURE_BYTES] = {7, 7};
    const uint8_t *signatures[VALIDATORS] = {signature, signature, NULL, signature};
    const struct statement statement = {.kind = VOTE_NOTARIZE, .candidate = some_candidate()};
    struct certificate out;

    certificate_make(&statement, VALIDATORS, signatures, certificate_memory, &out);
    return out;
}

/* Write, check the length, read back, and refuse every other length but `allowed`. */
static struct record round_trip(const struct record *record, size_t count, size_t allowed)
{
    struct writer writer = writer_of(memory, sizeof memory);
    struct record read;
    struct record other;

    record_write(&writer, record);
    CHECK(!writer.failed);
    CHECK_U64(writer.used, ==, count);
    for (size_t i = 0; i <= count + 1; i++) {
        if (record_decode(bytes_of(memory, i), VALIDATORS, &other) !=
            (i == count || i == allowed)) {
            check_failed(__FILE__, __LINE__, "%zu bytes of type %u", i, memory[0]);
        }
    }
    CHECK(record_decode(writer_done(&writer), VALIDATORS, &read));
    CHECK_U64(read.type, ==, record->type);
    return read;
}

static uint64_t epoch_of(size_t count)
{
    uint64_t epoch = 0;

    CHECK(record_epoch(bytes_of(memory, count), &epoch));
    return epoch;
}

TEST(block)
{
    const struct record record = {
        .type = RECORD_BLOCK,
        .header = {.version = BLOCK_VERSION, .epoch = 3, .height = 8, .tx_bytes = 2}};
    struct record read = round_trip(&record, 1 + 344, 1 + 344);

    CHECK_U64(read.header.height, ==, 8);
    CHECK_U64(read.body.count, ==, 0);
    CHECK_U64(epoch_of(1 + 344), ==, 3);
    memory[345] = 'a';
    memory[346] = 'b';
    CHECK(!record_decode(bytes_of(memory, 346), VALIDATORS, &read));
    CHECK(record_decode(bytes_of(memory, 347), VALIDATORS, &read));
    CHECK_BYTES(read.body, bytes_of("ab", 2));
    CHECK(!record_decode(bytes_of(memory, 348), VALIDATORS, &read));
}

TEST(votes)
{
    const struct candidate candidate = some_candidate();
    struct record record = {.type = RECORD_NOTARIZE, .candidate = candidate};
    struct record read = round_trip(&record, 57, SIZE_MAX);

    CHECK(candidate_equal(&read.candidate, &candidate));
    CHECK_U64(epoch_of(57), ==, 3);

    record = (struct record){.type = RECORD_NULLIFY, .epoch = 3, .view = 9};
    read = round_trip(&record, 17, SIZE_MAX);
    CHECK_U64(read.epoch, ==, 3);
    CHECK_U64(read.view, ==, 9);
    CHECK_U64(epoch_of(17), ==, 3);

    record = (struct record){
        .type = RECORD_FINALIZE, .candidate = candidate, .certificate = some_certificate()};
    read = round_trip(&record, 57 + 252, SIZE_MAX);
    CHECK(candidate_equal(&read.candidate, &candidate));
    CHECK_BYTES(read.certificate.encoded, record.certificate.encoded);
    CHECK_U64(epoch_of(57 + 252), ==, 3);
    CHECK(!record_decode(bytes_of(memory, 57 + 252), VALIDATORS + 1, &read));
}

TEST(what_stands_for_itself)
{
    const uint8_t key[32] = {9, 9, 9};
    struct record record = {.type = RECORD_CERT, .certificate = some_certificate()};
    struct record read = round_trip(&record, 1 + 252, SIZE_MAX);
    uint64_t epoch;

    CHECK_BYTES(read.certificate.encoded, record.certificate.encoded);
    CHECK_U64(epoch_of(1 + 252), ==, 3);

    record = (struct record){.type = RECORD_EPOCH, .epoch = 4, .view = 77};
    read = round_trip(&record, 17, SIZE_MAX);
    CHECK_U64(read.epoch, ==, 4);
    CHECK_U64(read.view, ==, 77);
    CHECK_U64(epoch_of(17), ==, 4);

    record = (struct record){.type = RECORD_KEY, .key = key};
    read = round_trip(&record, 33, SIZE_MAX);
    CHECK_BYTES(bytes_of(read.key, 32), bytes_of(key, 32));
    CHECK(!record_epoch(bytes_of(memory, 33), &epoch));
}

TEST(unknown_types)
{
    struct record read;
    uint64_t epoch;

    memset(memory, 0, sizeof memory);
    for (uint32_t type = 0; type < 256; type++) {
        if (type < RECORD_BLOCK || type > RECORD_KEY) {
            memory[0] = (uint8_t)type;
            CHECK(!record_decode(bytes_of(memory, 17), VALIDATORS, &read));
            CHECK(!record_epoch(bytes_of(memory, 17), &epoch));
        }
    }
    CHECK(!record_decode(bytes_of(memory, 0), VALIDATORS, &read));
    CHECK(!record_epoch(bytes_of(memory, 0), &epoch));
}

TEST(the_longest)
{
    CHECK_U64(RECORD_BYTES_MAX, ==, 1 + 56 + certificate_bytes(VALIDATORS_MAX));
    CHECK_U64(RECORD_BYTES_MAX, >=, 1 + BLOCK_HEADER_BYTES);
}

TESTS(TEST_ENTRY(block), TEST_ENTRY(votes), TEST_ENTRY(what_stands_for_itself),
      TEST_ENTRY(unknown_types), TEST_ENTRY(the_longest))

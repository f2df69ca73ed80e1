/* tests/unit/base/wire.c -- reader and writer agree, and both refuse one byte too many. */
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "tests/check.h"

TEST(what_is_written_is_read)
{
    uint8_t memory[23];
    struct writer writer = writer_of(memory, sizeof memory);
    struct reader reader;
    uint8_t copy[8];

    writer_u8(&writer, 0xab);
    writer_u16(&writer, 0x1234);
    writer_u32(&writer, 0xdeadbeef);
    writer_u64(&writer, UINT64_MAX - 1);
    writer_zeros(&writer, 3);
    writer_bytes(&writer, "abcde", 5);
    CHECK(!writer.failed);
    CHECK_U64(writer.used, ==, 23);
    CHECK_U64(memory[1], ==, 0x12);

    reader = reader_of(writer_done(&writer));
    CHECK_U64(reader_u8(&reader), ==, 0xab);
    CHECK_U64(reader_u16(&reader), ==, 0x1234);
    CHECK_U64(reader_u32(&reader), ==, 0xdeadbeef);
    CHECK_U64(reader_u64(&reader), ==, UINT64_MAX - 1);
    reader_copy(&reader, copy, 8);
    CHECK(memcmp(copy, "\0\0\0abcde", 8) == 0);
    CHECK(reader_done(&reader));
}

TEST(a_full_writer_changes_nothing)
{
    uint8_t memory[4] = {9, 9, 9, 9};
    struct writer writer = writer_of(memory, 3);

    writer_u16(&writer, 1);
    writer_u32(&writer, 2);
    writer_u8(&writer, 3);
    CHECK(writer.failed);
    CHECK_U64(writer.used, ==, 2);
    CHECK_U64(memory[2], ==, 9);
}

TEST(an_empty_reader_gives_zero_and_says_so)
{
    const uint8_t memory[3] = {1, 2, 3};
    struct reader reader = reader_of(bytes_of(memory, 3));
    uint8_t copy[2] = {7, 7};

    CHECK_U64(reader_u32(&reader), ==, 0);
    CHECK_U64(reader_u8(&reader), ==, 0);
    reader_copy(&reader, copy, 2);
    CHECK_U64(copy[0], ==, 0);
    CHECK(!reader_done(&reader));

    reader = reader_of(bytes_of(memory, 3));
    CHECK_U64(reader_u16(&reader), ==, 0x102);
    CHECK(!reader_done(&reader));
}

/* Lengths that no sum survives, and views of nothing. */
TEST(impossible_lengths_are_refused)
{
    uint8_t memory[4] = {1, 2, 3, 4};
    struct reader reader = reader_of(bytes_of(memory, 4));
    struct writer writer = writer_of(memory, 4);

    CHECK_U64(reader_u8(&reader), ==, 1);
    CHECK_U64(reader_take(&reader, SIZE_MAX).count, ==, 0);
    CHECK_U64(reader_u8(&reader), ==, 0);
    CHECK(!reader_done(&reader));

    writer_u8(&writer, 9);
    writer_zeros(&writer, SIZE_MAX);
    CHECK(writer.failed);
    CHECK_U64(writer.used, ==, 1);
    CHECK_U64(memory[1], ==, 2);
    writer = writer_of(memory, 4);
    writer_bytes(&writer, memory, SIZE_MAX);
    CHECK(writer.failed);

    reader = reader_of(bytes_of(NULL, 0));
    CHECK_U64(reader_take(&reader, 0).count, ==, 0);
    CHECK(reader_done(&reader));
    writer = writer_of(NULL, 0);
    writer_view(&writer, bytes_of(NULL, 0));
    writer_zeros(&writer, 0);
    CHECK(!writer.failed);
}

TESTS(TEST_ENTRY(what_is_written_is_read), TEST_ENTRY(a_full_writer_changes_nothing),
      TEST_ENTRY(an_empty_reader_gives_zero_and_says_so),
      TEST_ENTRY(impossible_lengths_are_refused))

/* tests/unit/base/bytes.c -- views. */
#include "base/bytes.h"

#include "base/count.h"
#include "tests/check.h"

TEST(equality_is_of_length_and_content)
{
    const uint8_t one[5] = {1, 2, 3, 4, 5};
    uint8_t other[5] = {1, 2, 3, 4, 5};

    CHECK(bytes_equal(bytes_of(one, 5), bytes_of(other, 5)));
    CHECK(!bytes_equal(bytes_of(one, 5), bytes_of(other, 4)));
    CHECK(bytes_equal(bytes_of(one, 0), bytes_of(NULL, 0)));
    for (size_t i = 0; i < 5; i++) {
        other[i] ^= 0x80;
        CHECK(!bytes_equal(bytes_of(one, 5), bytes_of(other, 5)));
        other[i] ^= 0x80;
    }
}

TEST(what_is_behind_is_a_view_of_the_same)
{
    const uint8_t memory[5] = {1, 2, 3, 4, 5};

    for (size_t i = 0; i <= 5; i++) {
        const struct bytes rest = bytes_after(bytes_of(memory, 5), i);

        CHECK(rest.at == memory + i);
        CHECK_U64(rest.count, ==, 5 - i);
    }
}

TEST(zero_looks_at_every_byte)
{
    uint8_t memory[33] = {0};

    CHECK(bytes_zero(memory, 0));
    for (size_t i = 0; i < sizeof memory; i++) {
        memory[i] = 1;
        CHECK(bytes_zero(memory, i));
        CHECK(!bytes_zero(memory, i + 1));
        CHECK(!bytes_zero(memory, sizeof memory));
        memory[i] = 0;
    }
    CHECK_U64(COUNT_OF(memory), ==, 33);
}

TESTS(TEST_ENTRY(equality_is_of_length_and_content),
      TEST_ENTRY(what_is_behind_is_a_view_of_the_same), TEST_ENTRY(zero_looks_at_every_byte))

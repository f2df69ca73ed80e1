/* tests/unit/base/hex.c -- digits and bytes, and every text that is neither. */
#include "base/hex.h"

#include <string.h>

#include "tests/check.h"

TEST(every_byte_goes_round)
{
    uint8_t bytes[256];
    uint8_t again[256];
    char text[513];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    hex_encode(bytes_of(bytes, sizeof bytes), text);
    CHECK_U64(strlen(text), ==, 512);
    CHECK(strncmp(text, "000102030405060708090a0b0c0d0e0f10", 34) == 0);
    CHECK(strcmp(text + 508, "feff") == 0);
    CHECK(hex_decode(text, again, sizeof again));
    CHECK_BYTES(bytes_of(again, sizeof again), bytes_of(bytes, sizeof bytes));
}

TEST(nothing_is_an_empty_text)
{
    char text[2] = "x";
    uint8_t none[1] = {7};

    hex_encode(bytes_of(NULL, 0), text);
    CHECK(text[0] == '\0');
    CHECK(hex_decode("", none, 0));
    CHECK(!hex_decode("00", none, 0));
    CHECK_U64(none[0], ==, 7);
}

TEST(upper_case_is_read)
{
    uint8_t bytes[3];

    CHECK(hex_decode("aBCdEf", bytes, 3));
    CHECK(bytes[0] == 0xab && bytes[1] == 0xcd && bytes[2] == 0xef);
}

TEST(each_char_that_is_no_digit_is_refused)
{
    uint8_t bytes[2];
    uint32_t digits = 0;

    for (int c = -128; c < 128; c++) {
        for (size_t place = 0; place < 4; place++) {
            char text[5] = "0000";
            const bool digit = c > 0 && strchr("0123456789abcdefABCDEF", c) != NULL;

            text[place] = (char)c;
            CHECK(hex_decode(text, bytes, 2) == digit);
            digits += digit;
        }
    }
    CHECK_U64(digits, ==, 4 * 22);
}

TEST(the_length_must_be_exact)
{
    static const char *const wrong[] = {"", "0", "00", "000", "00000", "000000", "0000 ", " 0000"};
    uint8_t bytes[4];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK(!hex_decode(wrong[i], bytes, 2));
    }
    CHECK(hex_decode("0000", bytes, 2));
}

TESTS(TEST_ENTRY(every_byte_goes_round), TEST_ENTRY(nothing_is_an_empty_text),
      TEST_ENTRY(upper_case_is_read), TEST_ENTRY(each_char_that_is_no_digit_is_refused),
      TEST_ENTRY(the_length_must_be_exact))

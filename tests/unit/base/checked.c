/* tests/unit/base/checked.c -- sums and products at the ends of their types, against 128-bit arithmetic. */
#include "base/checked.h"

#include "base/count.h"
#include "base/random.h"
#include "tests/check.h"

/* Numbers where things break: the ends, zero, and their neighbours. */
static const int64_t signs[] = {
    INT64_MIN, INT64_MIN + 1, INT64_MIN / 2,     -1000000,      -2,       -1, 0, 1, 2,
    1000000,   INT64_MAX / 2, INT64_MAX / 2 + 1, INT64_MAX - 1, INT64_MAX};
static const uint64_t naturals[] = {0,
                                    1,
                                    2,
                                    3,
                                    1000000,
                                    UINT32_MAX,
                                    UINT64_C(1) << 32,
                                    (UINT64_C(1) << 32) + 1,
                                    INT64_MAX,
                                    UINT64_MAX / 3,
                                    UINT64_MAX / 2,
                                    UINT64_MAX / 2 + 1,
                                    UINT64_MAX - 1,
                                    UINT64_MAX};

static void signed_pair(int64_t a, int64_t b)
{
    const wide_t sum = (wide_t)a + b;
    const wide_t difference = (wide_t)a - b;
    int64_t out = 77;

    CHECK(checked_add_i64(a, b, &out) == (sum >= INT64_MIN && sum <= INT64_MAX));
    CHECK(out == (sum >= INT64_MIN && sum <= INT64_MAX ? (int64_t)sum : 77));
    out = 77;
    CHECK(checked_sub_i64(a, b, &out) == (difference >= INT64_MIN && difference <= INT64_MAX));
    CHECK(out == (difference >= INT64_MIN && difference <= INT64_MAX ? (int64_t)difference : 77));
}

static void natural_pair(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 natural_t;
    const natural_t sum = (natural_t)a + b;
    const natural_t product = (natural_t)a * b;
    uint64_t out = 77;

    CHECK(checked_add_u64(a, b, &out) == (sum <= UINT64_MAX));
    CHECK_U64(out, ==, sum <= UINT64_MAX ? (uint64_t)sum : 77);
    out = 77;
    CHECK(checked_mul_u64(a, b, &out) == (product <= UINT64_MAX));
    CHECK_U64(out, ==, product <= UINT64_MAX ? (uint64_t)product : 77);
    CHECK_U64(checked_add_cap_u64(a, b), ==, sum <= UINT64_MAX ? (uint64_t)sum : UINT64_MAX);
}

TEST(the_ends_of_the_types)
{
    for (size_t i = 0; i < COUNT_OF(signs); i++) {
        for (size_t k = 0; k < COUNT_OF(signs); k++) {
            signed_pair(signs[i], signs[k]);
        }
    }
    for (size_t i = 0; i < COUNT_OF(naturals); i++) {
        for (size_t k = 0; k < COUNT_OF(naturals); k++) {
            natural_pair(naturals[i], naturals[k]);
        }
    }
}

/* Random numbers of random length, so that about half of the results fit. */
TEST(random_numbers)
{
    struct random random = {.state = 11};

    for (uint32_t i = 0; i < 100000; i++) {
        const uint64_t a = random_next(&random) >> random_below(&random, 64);
        const uint64_t b = random_next(&random) >> random_below(&random, 64);

        natural_pair(a, b);
        signed_pair((int64_t)(a >> 1), (int64_t)(b >> 1));
        signed_pair(-(int64_t)(a >> 1), (int64_t)(b >> 1));
        signed_pair(-(int64_t)(a >> 1), -(int64_t)(b >> 1));
    }
}

TEST(parts_per_million_round_down)
{
    int64_t out = 77;

    CHECK(checked_ppm_floor(1999999, 500000, &out) && out == 999999);
    CHECK(checked_ppm_floor(1, 999999, &out) && out == 0);
    CHECK(checked_ppm_floor(1, 1000000, &out) && out == 1);
    CHECK(checked_ppm_floor(0, UINT32_MAX, &out) && out == 0);
    CHECK(checked_ppm_floor(INT64_MAX, 0, &out) && out == 0);
    CHECK(checked_ppm_floor(INT64_MAX, 1000000, &out) && out == INT64_MAX);
    CHECK(checked_ppm_floor(INT64_MAX, 1, &out) && out == INT64_C(9223372036854));
    out = 77;
    CHECK(!checked_ppm_floor(INT64_MAX, 1000001, &out));
    CHECK(!checked_ppm_floor(-1, 1, &out));
    CHECK(!checked_ppm_floor(INT64_MIN, 0, &out));
    CHECK(out == 77);
}

/* The definition: the largest q with q * 1,000,000 <= amount * ppm. */
TEST(parts_per_million_against_the_definition)
{
    struct random random = {.state = 12};
    uint32_t fitting = 0;

    for (uint32_t i = 0; i < 100000; i++) {
        const int64_t amount = (int64_t)(random_next(&random) >> (1 + random_below(&random, 63)));
        const uint32_t ppm = (uint32_t)(random_next(&random) >> (32 + random_below(&random, 32)));
        const wide_t product = (wide_t)amount * ppm;
        int64_t out;

        if (checked_ppm_floor(amount, ppm, &out)) {
            CHECK((wide_t)out * 1000000 <= product);
            CHECK(((wide_t)out + 1) * 1000000 > product);
            fitting += 1;
        } else {
            CHECK(product >= ((wide_t)INT64_MAX + 1) * 1000000);
        }
    }
    CHECK_U64(fitting, >, 50000);
    CHECK_U64(fitting, <, 100000);
}

TESTS(TEST_ENTRY(the_ends_of_the_types), TEST_ENTRY(random_numbers),
      TEST_ENTRY(parts_per_million_round_down),
      TEST_ENTRY(parts_per_million_against_the_definition))

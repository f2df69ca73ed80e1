/* tests/unit/base/random.c -- the sequence of a seed is the same on every machine and for ever. */
#include "base/random.h"

#include "base/count.h"
#include "tests/check.h"

/* Known answers of splitmix64 for the seeds 0 and 1234567. */
TEST(seeds_give_the_known_sequences)
{
    static const uint64_t of_0[] = {UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x6e789e6aa1b965f4),
                                    UINT64_C(0x06c45d188009454f)};
    static const uint64_t of_1234567[] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
        UINT64_C(4593380528125082431), UINT64_C(16408922859458223821)};
    struct random random = {.state = 0};

    for (size_t i = 0; i < COUNT_OF(of_0); i++) {
        CHECK_U64(random_next(&random), ==, of_0[i]);
    }
    random.state = 1234567;
    for (size_t i = 0; i < COUNT_OF(of_1234567); i++) {
        CHECK_U64(random_next(&random), ==, of_1234567[i]);
    }
}

TEST(equal_seeds_go_together_and_others_do_not)
{
    struct random one = {.state = 42};
    struct random same = {.state = 42};
    struct random other = {.state = 43};
    uint32_t alike = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        const uint64_t next = random_next(&one);

        CHECK_U64(next, ==, random_next(&same));
        alike += next == random_next(&other);
    }
    CHECK_U64(alike, ==, 0);
}

/* Six faces, 60,000 throws: each face 10,000 times, give or take six deviations of 91. */
TEST(numbers_below_a_bound_are_even)
{
    struct random random = {.state = 7};
    uint32_t faces[6] = {0};

    for (uint32_t i = 0; i < 60000; i++) {
        faces[random_below(&random, 6)] += 1;
    }
    for (size_t i = 0; i < COUNT_OF(faces); i++) {
        CHECK_U64(faces[i], >, 9450);
        CHECK_U64(faces[i], <, 10550);
    }
    for (uint32_t i = 0; i < 100; i++) {
        CHECK_U64(random_below(&random, 1), ==, 0);
        CHECK_U64(random_below(&random, UINT64_MAX), <, UINT64_MAX);
    }
    CHECK_ABORTS((void)random_below(&random, 0));
}

TESTS(TEST_ENTRY(seeds_give_the_known_sequences),
      TEST_ENTRY(equal_seeds_go_together_and_others_do_not),
      TEST_ENTRY(numbers_below_a_bound_are_even))

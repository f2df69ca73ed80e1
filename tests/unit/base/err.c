/* tests/unit/base/err.c -- errors have words, TRY hands them on, invariants stop. */
#include "base/err.h"

#include <string.h>

#include "tests/check.h"

TEST(each_error_has_its_own_word)
{
    for (int i = ERR_OK; i <= ERR_FORM; i++) {
        CHECK(strcmp(err_name((enum err)i), "?") != 0);
        for (int k = ERR_OK; k < i; k++) {
            CHECK(strcmp(err_name((enum err)i), err_name((enum err)k)) != 0);
        }
    }
}

static int went_on;

static CHECKED enum err tries(enum err first)
{
    TRY(first);
    went_on += 1;
    return ERR_EXISTS;
}

TEST(try_returns_the_error_and_goes_on_without_one)
{
    went_on = 0;
    CHECK(tries(ERR_BUSY) == ERR_BUSY);
    CHECK(went_on == 0);
    CHECK(tries(ERR_OK) == ERR_EXISTS);
    CHECK(went_on == 1);
    err_ignore(tries(ERR_IO), "a test of dropping");
}

TEST(a_broken_invariant_aborts)
{
    volatile int two = 2;

    INVARIANT(two == 2);
    INVARIANT_SLOW(two == 2);
    CHECK_ABORTS(INVARIANT(two == 3));
    CHECK_ABORTS(invariant_fail("said by name", __FILE__, __LINE__));
#ifdef SLOW_INVARIANTS
    CHECK_ABORTS(INVARIANT_SLOW(two == 3));
#else
    INVARIANT_SLOW(two == 3);
#endif
}

TESTS(TEST_ENTRY(each_error_has_its_own_word),
      TEST_ENTRY(try_returns_the_error_and_goes_on_without_one),
      TEST_ENTRY(a_broken_invariant_aborts))

/* tests/unit/base/arena.c -- pieces of an arena are aligned, apart, and end where the arena ends. */
#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/check.h"

TEST(pieces_are_aligned_and_apart)
{
    struct arena arena;
    uint8_t *last;

    CHECK(arena_open(&arena, 4096) == ERR_OK);
    last = arena_must(&arena, 0);
    for (size_t bytes = 1; bytes < 60; bytes++) {
        uint8_t *taken = arena_take(&arena, bytes);

        CHECK(taken != NULL);
        CHECK_U64((uintptr_t)taken % ARENA_ALIGN, ==, 0);
        CHECK(bytes_zero(taken, bytes));
        CHECK_U64((size_t)(taken - last), ==, arena_rounded(bytes - 1));
        memset(taken, 0xff, bytes);
        last = taken;
    }
    arena_close(&arena);
}

TEST(a_full_arena_gives_nothing_and_stays_as_it_is)
{
    alignas(ARENA_ALIGN) uint8_t memory[64];
    struct arena arena;

    arena_init(&arena, memory, sizeof memory);
    CHECK(arena_take(&arena, 48) == memory);
    CHECK(arena_take(&arena, 17) == NULL);
    CHECK_U64(arena.used, ==, 48);
    CHECK(arena_take(&arena, 16) == memory + 48);
    CHECK(arena_take(&arena, 1) == NULL);
    CHECK(arena_take(&arena, 0) != NULL);
    CHECK_ABORTS((void)arena_must(&arena, 1));
}

/* Sizes that wrap when they are rounded up. */
TEST(impossible_sizes_are_refused)
{
    alignas(ARENA_ALIGN) uint8_t memory[64];
    struct arena arena;

    arena_init(&arena, memory, sizeof memory);
    for (size_t less = 0; less < 40; less++) {
        CHECK(arena_take(&arena, SIZE_MAX - less) == NULL);
    }
    CHECK_U64(arena.used, ==, 0);
    CHECK_U64(arena_rounded(0), ==, 0);
    CHECK_U64(arena_rounded(1), ==, 16);
    CHECK_U64(arena_rounded(16), ==, 16);
    CHECK_U64(arena_rounded(17), ==, 32);
}

TEST(a_size_that_is_no_multiple_is_not_exceeded)
{
    alignas(ARENA_ALIGN) uint8_t memory[48];
    struct arena arena;

    arena_init(&arena, memory, 47);
    CHECK(arena_take(&arena, 32) != NULL);
    CHECK(arena_take(&arena, 10) == NULL); /* would be rounded past the end */
}

TEST(reset_gives_the_same_memory_with_its_old_data)
{
    struct arena arena;
    uint8_t *first;
    uint8_t *second;

    CHECK(arena_open(&arena, 128) == ERR_OK);
    first = arena_must(&arena, 100);
    first[3] = 9;
    arena_reset(&arena);
    second = arena_must(&arena, 100);
    CHECK(first == second);
    CHECK_U64(second[3], ==, 9);
    arena_close(&arena);
}

TEST(memory_of_the_caller_must_be_aligned)
{
    alignas(ARENA_ALIGN) uint8_t memory[64];
    struct arena arena;

    CHECK_ABORTS(arena_init(&arena, memory + 8, 32));
}

TEST(no_memory_is_an_error_that_can_be_closed)
{
    struct arena arena;
    struct arena never = {0};

    CHECK(arena_open(&arena, SIZE_MAX / 2) == ERR_NO_SPACE);
    CHECK(arena_take(&arena, 1) == NULL);
    arena_close(&arena);
    arena_close(&never);
    CHECK(arena_open(&arena, 32) == ERR_OK);
    arena_close(&arena);
    CHECK(arena.at == NULL);
    arena_close(&arena);
}

TESTS(TEST_ENTRY(pieces_are_aligned_and_apart),
      TEST_ENTRY(a_full_arena_gives_nothing_and_stays_as_it_is),
      TEST_ENTRY(impossible_sizes_are_refused),
      TEST_ENTRY(a_size_that_is_no_multiple_is_not_exceeded),
      TEST_ENTRY(reset_gives_the_same_memory_with_its_old_data),
      TEST_ENTRY(memory_of_the_caller_must_be_aligned),
      TEST_ENTRY(no_memory_is_an_error_that_can_be_closed))

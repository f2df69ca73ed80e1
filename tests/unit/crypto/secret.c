/* tests/unit/crypto/secret.c -- memory for secrets behaves as its header says, seen through the kernel's eyes. */
#include "crypto/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check.h"

/* Before main, so that a single test can be run by its name. */
__attribute__((constructor)) static void start(void)
{
    if (crypto_start() != ERR_OK) {
        abort();
    }
}

TEST(the_library_starts_more_than_once)
{
    CHECK(crypto_start() == ERR_OK);
    CHECK(crypto_start() == ERR_OK);
}

TEST(random_bytes_differ)
{
    uint8_t one[32] = {0};
    uint8_t other[32] = {0};

    secret_random(one, sizeof one);
    secret_random(other, sizeof other);
    CHECK(!bytes_equal(bytes_of(one, 32), bytes_of(other, 32)));
    CHECK(!bytes_zero(one, 32) && !bytes_zero(other, 32));
    other[31] = 77;
    secret_random(other, 31);
    CHECK_U64(other[31], ==, 77);
}

TEST(what_is_wiped_is_zero)
{
    uint8_t memory[40];

    memset(memory, 5, sizeof memory);
    seal_wipe(memory, 39);
    CHECK(bytes_zero(memory, 39));
    CHECK_U64(memory[39], ==, 5);
}

TEST(memory_of_any_size_is_aligned)
{
    for (size_t count = 1; count < 100; count++) {
        uint8_t *taken = secret_take(count);

        CHECK(taken != NULL);
        CHECK_U64((uintptr_t)taken % 16, ==, 0);
        memset(taken, 1, count);
        secret_free(taken);
    }
    secret_free(NULL);
}

TEST(there_is_none_of_impossible_sizes)
{
    CHECK(secret_take(SIZE_MAX) == NULL);
    CHECK(secret_take(SIZE_MAX - 4096) == NULL);
}

/* A child that writes at `place` must not live to say so. */
static bool child_survives(volatile uint8_t *place)
{
    int status = 0;
    const pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        const int nowhere = open("/dev/null", O_WRONLY);

        if (nowhere >= 0) {
            (void)dup2(nowhere, 1);
            (void)dup2(nowhere, 2);
        }
        *place = 1;
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(a_write_past_the_end_ends_the_process)
{
    uint8_t *taken = secret_take(64);

    CHECK(taken != NULL);
    CHECK(child_survives(taken));
    CHECK(child_survives(taken + 63));
    CHECK(!child_survives(taken + 64));
    secret_free(taken);
}

/* The flags of the mapping that holds an address, from the kernel's list; "dd" is: not in a core dump. */
static bool mapping_has(const void *address, const char *flag)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512];
    bool inside = false;
    bool found = false;

    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        char *dash;
        const uintptr_t from = strtoull(line, &dash, 16);

        if (dash != line && *dash == '-') {
            inside =
                (uintptr_t)address >= from && (uintptr_t)address < strtoull(dash + 1, NULL, 16);
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            found = strstr(line + 8, flag) != NULL;
        }
    }
    (void)fclose(file);
    return found;
}

TEST(core_dumps_leave_it_out)
{
    uint8_t *taken = secret_take(64);
    static uint8_t other[64];

    CHECK(taken != NULL);
    CHECK(mapping_has(taken, " dd"));
    CHECK(!mapping_has(other, " dd"));
    secret_free(taken);
}

TESTS(TEST_ENTRY(the_library_starts_more_than_once), TEST_ENTRY(random_bytes_differ),
      TEST_ENTRY(what_is_wiped_is_zero), TEST_ENTRY(memory_of_any_size_is_aligned),
      TEST_ENTRY(there_is_none_of_impossible_sizes),
      TEST_ENTRY(a_write_past_the_end_ends_the_process), TEST_ENTRY(core_dumps_leave_it_out))

/*
 * tests/check.h -- the least a test needs: named tests, checks that say what they saw, a last line of totals.
 *
 *     TEST(a_thing_holds) { CHECK(x); CHECK_U64(a, ==, b); CHECK_BYTES(one, other); }
 *     TESTS(TEST_ENTRY(a_thing_holds), TEST_ENTRY(another))
 *
 * A failed check ends its test; the others still run.  The process exits with 1 if any failed.  With an
 * argument, only the tests whose name contains it run.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct check_test {
    const char *name;
    void (*run)(void);
};

/* Runs them; what main returns. */
int check_main(int argc, char **argv, const struct check_test *tests, size_t count);

/* Report a failure and leave the running test. */
_Noreturn void check_failed(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Say that the running test cannot run here, in one line, and leave it; it counts as skipped. */
_Noreturn void check_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The folder with public vectors beside the project, or skip the running test. */
const char *check_public_vectors(void);

/* The folder of the project's own vectors. */
const char *check_own_vectors(void);

/* Read a whole file into memory from malloc (the test frees it, or leaves it); fails the test if it cannot. */
uint8_t *check_file(const char *path, size_t *count);

/*
 * For CHECK_ABORTS alone: run the statement in a child process, whose words are lost, and look how it ended.
 * check_child gives true in the child.
 */
bool check_child(void);
_Noreturn void check_child_lived(void);
void check_child_aborted(const char *file, int line, const char *what);

void check_bytes(const char *file, int line, struct bytes a, struct bytes b);

#define TEST(name) static void name(void)
#define TEST_ENTRY(name)                                                                           \
    {                                                                                              \
#name, name                                                                                \
    }
#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, "not true: %s", #cond))
#define CHECK_U64(a, op, b)                                                                        \
    do {                                                                                           \
        const uint64_t check_a_ = (uint64_t)(a);                                                   \
        const uint64_t check_b_ = (uint64_t)(b);                                                   \
        if (!(check_a_ op check_b_)) {                                                             \
            check_failed(__FILE__, __LINE__, "%s is %" PRIu64 ", not %s %" PRIu64, #a, check_a_,   \
                         #op, check_b_);                                                           \
        }                                                                                          \
    } while (0)
/* The statement breaks an invariant: it must end its process by abort. */
#define CHECK_ABORTS(statement)                                                                    \
    do {                                                                                           \
        if (check_child()) {                                                                       \
            statement;                                                                             \
            check_child_lived();                                                                   \
        }                                                                                          \
        check_child_aborted(__FILE__, __LINE__, #statement);                                       \
    } while (0)
#define CHECK_BYTES(a, b) check_bytes(__FILE__, __LINE__, a, b)

/* The list of a file's tests, and its main. */
#define TESTS(...)                                                                                 \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const struct check_test check_tests_[] = {__VA_ARGS__};                             \
        return check_main(argc, argv, check_tests_, sizeof check_tests_ / sizeof check_tests_[0]); \
    }

#endif /* TESTS_CHECK_H */

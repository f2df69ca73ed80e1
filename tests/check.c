#include "tests/check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"

enum outcome { OUTCOME_FAILED = 1, OUTCOME_SKIPPED = 2 };

static jmp_buf leave;
static const char *running = "";

static void say(const char *word, const char *place, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void say(const char *word, const char *place, const char *format, va_list arguments)
{
    (void)printf("%s %s: %s", word, running, place);
    (void)vprintf(format, arguments);
    (void)printf("\n");
}

_Noreturn void check_failed(const char *file, int line, const char *format, ...)
{
    char place[512];
    va_list arguments;

    (void)snprintf(place, sizeof place, "%s:%d: ", file, line);
    va_start(arguments, format);
    say("FAILED", place, format, arguments);
    va_end(arguments);
    longjmp(leave, OUTCOME_FAILED);
}

_Noreturn void check_skip(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say("skipped", "", format, arguments);
    va_end(arguments);
    longjmp(leave, OUTCOME_SKIPPED);
}

const char *check_public_vectors(void)
{
    static const char *const places[] = {SOURCE_DIR "/../shared/vectors"};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char path[1024];
        FILE *file;

        (void)snprintf(path, sizeof path, "%s/README.md", places[i]);
        file = fopen(path, "rb");
        if (file != NULL) {
            (void)fclose(file);
            return places[i];
        }
    }
    check_skip("no public vectors beside the project (../shared/vectors)");
}

const char *check_own_vectors(void)
{
    return SOURCE_DIR "/tests/vectors";
}

uint8_t *check_file(const char *path, size_t *count)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t size = 0;

    if (file == NULL) {
        check_failed(__FILE__, __LINE__, "cannot open %s", path);
    }
    *count = 0;
    for (;;) {
        size_t got;

        if (*count == size) {
            size = size * 2 + 65536;
            bytes = realloc(bytes, size + 1);
            if (bytes == NULL) {
                abort();
            }
        }
        got = fread(bytes + *count, 1, size - *count, file);
        if (got == 0) {
            break;
        }
        *count += got;
    }
    (void)fclose(file);
    bytes[*count] = 0;
    return bytes;
}

static pid_t child;

bool check_child(void)
{
    int nowhere;

    child = fork();
    if (child < 0) {
        check_failed(__FILE__, __LINE__, "cannot fork");
    }
    if (child > 0) {
        return false;
    }
    nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) {
        (void)dup2(nowhere, STDOUT_FILENO);
        (void)dup2(nowhere, STDERR_FILENO);
    }
    return true;
}

_Noreturn void check_child_lived(void)
{
    _exit(0);
}

void check_child_aborted(const char *file, int line, const char *what)
{
    int status = 0;

    if (waitpid(child, &status, 0) != child) {
        check_failed(__FILE__, __LINE__, "lost a child process");
    }
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {
        check_failed(file, line, "did not abort: %s", what);
    }
}

void check_bytes(const char *file, int line, struct bytes a, struct bytes b)
{
    char one[129];
    char other[129];

    if (bytes_equal(a, b)) {
        return;
    }
    hex_encode(bytes_of(a.at, a.count < 64 ? a.count : 64), one);
    hex_encode(bytes_of(b.at, b.count < 64 ? b.count : 64), other);
    check_failed(file, line, "bytes differ: %zu of %s and %zu of %s", a.count, one, b.count, other);
}

int check_main(int argc, char **argv, const struct check_test *tests, size_t count)
{
    size_t counts[3] = {0};

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (volatile size_t i = 0; i < count; i++) {
        int outcome;

        if (argc > 1 && strstr(tests[i].name, argv[1]) == NULL) {
            continue;
        }
        running = tests[i].name;
        outcome = setjmp(leave);
        if (outcome == 0) {
            tests[i].run();
        }
        counts[outcome] += 1;
    }
    (void)printf("%zu passed, %zu failed, %zu skipped\n", counts[0], counts[OUTCOME_FAILED],
                 counts[OUTCOME_SKIPPED]);
    if (counts[0] + counts[1] + counts[2] == 0) {
        (void)printf("no test ran\n");
        return 1;
    }
    return counts[OUTCOME_FAILED] == 0 ? 0 : 1;
}

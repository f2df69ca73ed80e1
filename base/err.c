#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

const char *err_name(enum err error)
{
    switch (error) {
    case ERR_OK:
        return "ok";
    case ERR_IO:
        return "input or output failed";
    case ERR_CORRUPT:
        return "damaged";
    case ERR_NO_SPACE:
        return "no space";
    case ERR_ABSENT:
        return "absent";
    case ERR_EXISTS:
        return "exists already";
    case ERR_DENIED:
        return "not allowed";
    case ERR_BUSY:
        return "busy";
    case ERR_FORM:
        return "unknown form";
    }
    return "?";
}

_Noreturn void invariant_fail(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, what);
    abort();
}

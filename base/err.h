/*
 * base/err.h -- the words for what goes wrong on this machine: an error to look at, an invariant to stop at.
 *
 * What is wrong with foreign input is neither: contracts answer enum status, peers get enum peer_fault.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define CHECKED __attribute__((warn_unused_result))

enum err {
    ERR_OK,
    ERR_IO,       /* the operating system or a store failed; what it kept is unknown */
    ERR_CORRUPT,  /* stored bytes are not what was written */
    ERR_NO_SPACE, /* no memory, no room in a buffer, or a full disk */
    ERR_ABSENT,   /* nothing there */
    ERR_EXISTS,   /* something there already */
    ERR_DENIED,   /* not allowed: permission, or a wrong passphrase */
    ERR_BUSY,     /* held by another */
    ERR_FORM,     /* bytes of a file that this version cannot read */
};

/* Return from a function that owns nothing, handing the caller the same error. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        const enum err try_err_ = (call);                                                          \
        if (try_err_ != ERR_OK) {                                                                  \
            return try_err_;                                                                       \
        }                                                                                          \
    } while (0)

/* Drop an error on purpose; `why` is for the reader. */
static inline void err_ignore(enum err error, const char *why)
{
    (void)error;
    (void)why;
}

/* The word of an error, for a log line. */
const char *err_name(enum err error);

/* Say what broke and abort.  Call it by name where there is no condition to test. */
_Noreturn void invariant_fail(const char *what, const char *file, int line);

/* Stays on in release. */
#define INVARIANT(cond) ((cond) ? (void)0 : invariant_fail(#cond, __FILE__, __LINE__))

/* As INVARIANT, for what is too slow for release: compiled always, run in dev and in the simulator. */
#ifdef SLOW_INVARIANTS
#define INVARIANT_SLOW(cond) INVARIANT(cond)
#else
#define INVARIANT_SLOW(cond) ((void)sizeof((cond) ? 1 : 0))
#endif

#endif /* BASE_ERR_H */

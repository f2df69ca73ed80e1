/*
 * base/checked.h -- arithmetic on stored and foreign numbers: true, or nothing happened.
 *
 * Each function leaves *out alone when the exact result does not fit.
 */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

__extension__ typedef __int128 wide_t; /* -Wpedantic refuses __int128 by itself */

static inline CHECKED bool checked_add_i64(int64_t a, int64_t b, int64_t *out)
{
    int64_t result;

    if (__builtin_add_overflow(a, b, &result)) {
        return false;
    }
    *out = result;
    return true;
}

static inline CHECKED bool checked_sub_i64(int64_t a, int64_t b, int64_t *out)
{
    int64_t result;

    if (__builtin_sub_overflow(a, b, &result)) {
        return false;
    }
    *out = result;
    return true;
}

static inline CHECKED bool checked_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t result;

    if (__builtin_add_overflow(a, b, &result)) {
        return false;
    }
    *out = result;
    return true;
}

static inline CHECKED bool checked_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t result;

    if (__builtin_mul_overflow(a, b, &result)) {
        return false;
    }
    *out = result;
    return true;
}

/* a + b, or the largest number. */
static inline uint64_t checked_add_cap_u64(uint64_t a, uint64_t b)
{
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

/* amount * ppm / 1,000,000, rounded down; false for a negative amount or a result beyond int64. */
CHECKED bool checked_ppm_floor(int64_t amount, uint32_t ppm, int64_t *out);

#endif /* BASE_CHECKED_H */

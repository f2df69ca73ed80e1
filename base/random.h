/*
 * base/random.h -- a deterministic sequence of numbers from a seed (splitmix64).
 *
 * For choices that need not be secret: which peers get a relay, back-off, simulated faults.  Keys, nonces
 * and salts come from crypto.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

#include "base/err.h"

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A number below `bound`, which is not 0.  The bias of at most bound / 2^64 does not matter here. */
static inline uint64_t random_below(struct random *random, uint64_t bound)
{
    INVARIANT(bound != 0);
    return random_next(random) % bound;
}

#endif /* BASE_RANDOM_H */

/*
 * p2p/tokens.h -- how often somebody may do something: a bucket that fills with time.
 *
 * The level counts millionths of a unit and may go below zero, for what is charged after it was seen.
 */
#ifndef P2P_TOKENS_H
#define P2P_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
    TOKENS_UNIT = 1000000,
    TOKENS_GAP_MS_MAX = 60000, /* longer pauses fill no more: every bucket here is full by then */
};

/* A rate of 2^36 thousandths and the longest pause stay below 2^52; bursts are of two seconds. */
struct tokens_rate {
    uint64_t milli_per_s; /* thousandths of a unit a second */
    uint64_t burst;       /* units */
};

struct tokens {
    int64_t level;
    uint64_t at_ms;
};

/* A rate of `per_s` units with the burst of two seconds, one unit at least. */
static inline struct tokens_rate tokens_per_second(uint64_t per_s)
{
    return (struct tokens_rate){.milli_per_s = per_s * 1000, .burst = per_s == 0 ? 1 : 2 * per_s};
}

static inline void tokens_fill(struct tokens *tokens, uint64_t now_ms, struct tokens_rate rate)
{
    tokens->level = (int64_t)(rate.burst * TOKENS_UNIT);
    tokens->at_ms = now_ms;
}

static inline void tokens_refill(struct tokens *tokens, uint64_t now_ms, struct tokens_rate rate)
{
    const uint64_t gap_ms = now_ms > tokens->at_ms ? now_ms - tokens->at_ms : 0;
    const uint64_t counted_ms = gap_ms < TOKENS_GAP_MS_MAX ? gap_ms : TOKENS_GAP_MS_MAX;
    const int64_t full = (int64_t)(rate.burst * TOKENS_UNIT);

    tokens->level += (int64_t)(counted_ms * rate.milli_per_s);
    if (tokens->level > full) {
        tokens->level = full;
    }
    tokens->at_ms = now_ms;
}

/* Take one unit if there is one. */
static inline CHECKED bool tokens_take(struct tokens *tokens, uint64_t now_ms,
                                       struct tokens_rate rate)
{
    tokens_refill(tokens, now_ms, rate);
    if (tokens->level < TOKENS_UNIT) {
        return false;
    }
    tokens->level -= TOKENS_UNIT;
    return true;
}

/* Is there anything?  For units that are counted only afterwards. */
static inline CHECKED bool tokens_any(struct tokens *tokens, uint64_t now_ms,
                                      struct tokens_rate rate)
{
    tokens_refill(tokens, now_ms, rate);
    return tokens->level > 0;
}

/* Charge what was used; at most 2^32 units, so that the level stays in range. */
static inline void tokens_spend(struct tokens *tokens, uint32_t units)
{
    const int64_t floor = -((int64_t)1 << 56);

    tokens->level -= (int64_t)units * TOKENS_UNIT;
    if (tokens->level < floor) {
        tokens->level = floor;
    }
}

#endif /* P2P_TOKENS_H */

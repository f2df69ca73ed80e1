/*
 * contracts/quota.h -- the level of a token bucket at a time.
 *
 * Source: docs/protocol/bytes.md 7.  level' = min(capacity, level + refill * elapsed_ms / 1000).  What a transaction
 * used is taken when it has run, so a level may be below zero.
 */
#ifndef CONTRACTS_QUOTA_H
#define CONTRACTS_QUOTA_H

#include <stdint.h>

struct quota_rate {
    uint64_t capacity;
    uint64_t refill_per_s;
};

/* A level of `last_at_ms` at `now_ms`, which is not earlier. */
int64_t quota_level(int64_t level, uint64_t last_at_ms, uint64_t now_ms, struct quota_rate rate);

/* The level after `units` were taken; never beyond int64. */
int64_t quota_take(int64_t level, uint64_t units);

#endif /* CONTRACTS_QUOTA_H */

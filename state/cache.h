/*
 * state/cache.h -- values of the store in memory of a fixed size, to spare reads.
 *
 * Four places a set, a key's set chosen by its hash; the place that was not used since the hand last passed goes
 * first (CLOCK).  It answers with what was put or with nothing, and whoever writes the store keeps it true.
 * Nothing but time depends on what it holds.
 */
#ifndef STATE_CACHE_H
#define STATE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

enum { CACHE_WAYS = 4 };

struct cache_set;

struct cache {
    struct cache_set *sets;
    uint8_t *places;
    uint32_t set_count; /* a power of two; 0: keeps nothing */
    uint32_t place_bytes;
};

/* What a cache of about `bytes` takes from an arena; a key with its value must fit in `place_bytes`. */
size_t cache_footprint(size_t bytes, uint32_t place_bytes);

/* Empty; `bytes` too small for one set: it keeps nothing.  Errors: ERR_NO_SPACE the arena is too small. */
CHECKED enum err cache_init(struct cache *cache, size_t bytes, uint32_t place_bytes,
                            struct arena *arena);

/* The value of a key: a view until the next cache_put.  False: not here. */
CHECKED bool cache_get(struct cache *cache, uint32_t hash, struct bytes key, struct bytes *value);

/* Keep a copy, in place of an older value; what is too large is forgotten. */
void cache_put(struct cache *cache, uint32_t hash, struct bytes key, struct bytes value);

void cache_forget(struct cache *cache, uint32_t hash, struct bytes key);

#endif /* STATE_CACHE_H */

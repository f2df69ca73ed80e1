/*
 * state/pool.h -- memory of overlays: pieces of one budget, handed out and given back as blocks come and go.
 *
 * A pool is one range of memory cut into chunks.  A heap belongs to one overlay: it takes chunks as it grows,
 * keeps what was given back to it by size, and returns all of its chunks at once.  Memory that was used last
 * is used first, so that a pool much larger than the need stays untouched.
 *
 * Sizes are rounded up by at most an eighth (and to 16 bytes).  The largest piece is POOL_PIECE_MAX.
 */
#ifndef STATE_POOL_H
#define STATE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum {
    POOL_CHUNK_BYTES = 256 << 10,
    POOL_PIECE_MAX = 64 << 10,
    POOL_CLASSES = 64 + 6 * 8 + 1, /* up to 1,024 in steps of 16, then eight steps a doubling */
};

struct pool_chunk {
    struct pool_chunk *next;
};

struct pool {
    struct pool_chunk *free;
    uint8_t *fresh; /* chunks never used */
    uint32_t fresh_count;
    uint32_t free_count;
};

struct pool_piece {
    struct pool_piece *next;
};

struct heap {
    struct pool *pool;
    struct pool_chunk *chunks;
    uint8_t *at; /* the rest of the newest chunk */
    size_t left;
    uint32_t chunk_count;
    uint32_t chunk_limit;
    struct pool_piece *pieces[POOL_CLASSES]; /* given back, by class of size */
};

/* Bytes of arena that a pool of `bytes` takes. */
size_t pool_footprint(size_t bytes);

/* Errors: ERR_NO_SPACE the arena is too small. */
CHECKED enum err pool_init(struct pool *pool, size_t bytes, struct arena *arena);

/* A heap of at most `bytes` from the pool; it takes its first chunk when it is first asked. */
void heap_init(struct heap *heap, struct pool *pool, size_t bytes);

/* At most POOL_PIECE_MAX bytes, not zeroed; NULL when heap or pool is used up. */
CHECKED void *heap_take(struct heap *heap, size_t bytes);

/* Give back what heap_take gave for the same number of bytes.  Accepts NULL. */
void heap_give(struct heap *heap, void *piece, size_t bytes);

/* Return all chunks to the pool; the heap is empty and ready again. */
void heap_reset(struct heap *heap);

#endif /* STATE_POOL_H */

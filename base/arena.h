/*
 * base/arena.h -- memory that is taken piece by piece and given back all at once.
 *
 * Rooms that may not grow while they run (consensus, p2p sessions, the pool) take everything from an
 * arena at start; a block, a request, a frame has one that is reset after it.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { ARENA_ALIGN = 16 };

struct arena {
    uint8_t *at;
    size_t size;
    size_t used;
};

/* Use memory of the caller, which must outlive the arena and begin at a multiple of ARENA_ALIGN. */
void arena_init(struct arena *arena, void *memory, size_t size);

/*
 * Take zeroed memory from the machine; pages that are never touched cost nothing.
 *
 * Errors: ERR_NO_SPACE, and then arena_close is still allowed.
 */
CHECKED enum err arena_open(struct arena *arena, size_t size);

/* Give back what arena_open took.  Accepts an arena that was zeroed and never opened. */
void arena_close(struct arena *arena);

/*
 * The next `bytes` bytes, aligned to ARENA_ALIGN; NULL when the arena is full.  They are zero in a fresh
 * arena_open arena and hold old data after arena_reset.
 */
CHECKED void *arena_take(struct arena *arena, size_t bytes);

/* As arena_take for what was counted before: a full arena is our bug and aborts. */
void *arena_must(struct arena *arena, size_t bytes);

/* What arena_take uses up for a request of this size. */
static inline size_t arena_rounded(size_t bytes)
{
    return (bytes + (ARENA_ALIGN - 1U)) & ~(size_t)(ARENA_ALIGN - 1U);
}

/* Give everything back at once; pointers into the arena are dead. */
void arena_reset(struct arena *arena);

#endif /* BASE_ARENA_H */

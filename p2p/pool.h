/*
 * p2p/pool.h -- memory of unfinished and unsent messages: pieces of 16 KiB, and smaller cells cut from them.
 *
 * All is taken at start; a piece whose cells are all given back is a piece again.  What is kept goes by
 * handle.  A chain strings whole pieces together and holds one long message.
 *
 * Source: docs/protocol/consensus.md 8.20, "pools".
 */
#ifndef P2P_POOL_H
#define P2P_POOL_H

#include "base/arena.h"
#include "base/bytes.h"

enum {
    POOL_PIECE_BYTES = 16 << 10,
    POOL_CELL_BITS = 10, /* a handle is piece << 10 | cell */
    POOL_PIECES_MAX = (1 << 22) - 1,
    POOL_KINDS = 5, /* cells of 16, 256, 1,024, 4,096 bytes, and the whole piece */
};

#define POOL_NONE UINT32_MAX

struct pool_piece {
    uint8_t kind;
    uint16_t used;     /* cells given out */
    uint16_t fresh;    /* cells from here on were never given out */
    uint16_t free;     /* first cell that was given back; its first bytes name the next */
    uint32_t next;     /* of the free pieces, of the pieces of a kind with room, or of a chain */
    uint32_t previous; /* of the pieces of a kind with room */
};

struct pool {
    uint8_t *memory;
    struct pool_piece *pieces;
    uint32_t piece_count;
    uint32_t free_count;
    uint32_t free;
    uint32_t room[POOL_KINDS]; /* first piece of the kind with room */
};

size_t pool_footprint(uint32_t piece_count);

/* Take `piece_count` pieces, 1 to POOL_PIECES_MAX, from the arena, which was counted before. */
void pool_init(struct pool *pool, struct arena *arena, uint32_t piece_count);

/* A cell of at least `bytes`, at most a piece, aligned to 16; POOL_NONE if there is none.  Old data in it. */
CHECKED uint32_t pool_take(struct pool *pool, size_t bytes);
void pool_give(struct pool *pool, uint32_t handle);

uint8_t *pool_at(const struct pool *pool, uint32_t handle);

struct chain {
    uint32_t first;
    uint32_t last;
    uint32_t count; /* bytes */
};

#define CHAIN_EMPTY ((struct chain){.first = POOL_NONE, .last = POOL_NONE})

/* Pieces that a chain of `count` bytes holds. */
static inline uint32_t chain_pieces(uint32_t count)
{
    return count / POOL_PIECE_BYTES + (count % POOL_PIECE_BYTES != 0);
}

/* Copy bytes to the end.  False, and nothing is changed, if there are not enough pieces. */
CHECKED bool chain_append(struct pool *pool, struct chain *chain, struct bytes bytes);

/* Copy `count` bytes from `offset`; they must be there. */
void chain_copy(const struct pool *pool, const struct chain *chain, uint32_t offset, uint8_t *out,
                uint32_t count);

/* Give all pieces back; the chain is empty then. */
void chain_free(struct pool *pool, struct chain *chain);

/* Count pieces and cells again: slow, for tests and INVARIANT_SLOW. */
void pool_check(const struct pool *pool);

#endif /* P2P_POOL_H */

#include "p2p/pool.h"

#include <string.h>

enum { CELL_NONE = 0xffff, KIND_WHOLE = POOL_KINDS - 1, KIND_FREE = POOL_KINDS };

static const uint32_t cell_bytes[POOL_KINDS] = {16, 256, 1024, 4096, POOL_PIECE_BYTES};

static uint32_t cells_of(uint32_t kind)
{
    return POOL_PIECE_BYTES / cell_bytes[kind];
}

size_t pool_footprint(uint32_t piece_count)
{
    return arena_rounded((size_t)piece_count * POOL_PIECE_BYTES) +
           arena_rounded((size_t)piece_count * sizeof(struct pool_piece));
}

void pool_init(struct pool *pool, struct arena *arena, uint32_t piece_count)
{
    INVARIANT(piece_count >= 1);
    INVARIANT(piece_count <= POOL_PIECES_MAX);
    *pool = (struct pool){.piece_count = piece_count, .free_count = piece_count};
    pool->memory = arena_must(arena, (size_t)piece_count * POOL_PIECE_BYTES);
    pool->pieces = arena_must(arena, (size_t)piece_count * sizeof *pool->pieces);
    for (uint32_t i = 0; i < piece_count; i++) {
        pool->pieces[i].kind = KIND_FREE;
        pool->pieces[i].next = i + 1 < piece_count ? i + 1 : POOL_NONE;
    }
    for (uint32_t kind = 0; kind < POOL_KINDS; kind++) {
        pool->room[kind] = POOL_NONE;
    }
}

static uint8_t *cell_at(const struct pool *pool, uint32_t piece, uint32_t cell)
{
    return pool->memory + (size_t)piece * POOL_PIECE_BYTES +
           (size_t)cell * cell_bytes[pool->pieces[piece].kind];
}

static void room_link(struct pool *pool, uint32_t piece)
{
    struct pool_piece *at = &pool->pieces[piece];
    uint32_t *first = &pool->room[at->kind];

    at->previous = POOL_NONE;
    at->next = *first;
    if (*first != POOL_NONE) {
        pool->pieces[*first].previous = piece;
    }
    *first = piece;
}

static void room_unlink(struct pool *pool, uint32_t piece)
{
    const struct pool_piece *at = &pool->pieces[piece];

    if (at->previous == POOL_NONE) {
        pool->room[at->kind] = at->next;
    } else {
        pool->pieces[at->previous].next = at->next;
    }
    if (at->next != POOL_NONE) {
        pool->pieces[at->next].previous = at->previous;
    }
}

/* A free piece becomes one of this kind. */
static CHECKED uint32_t piece_take(struct pool *pool, uint32_t kind)
{
    const uint32_t piece = pool->free;

    if (piece == POOL_NONE) {
        return POOL_NONE;
    }
    pool->free = pool->pieces[piece].next;
    pool->free_count -= 1;
    pool->pieces[piece] = (struct pool_piece){
        .kind = (uint8_t)kind, .free = CELL_NONE, .next = POOL_NONE, .previous = POOL_NONE};
    return piece;
}

static void piece_give(struct pool *pool, uint32_t piece)
{
    pool->pieces[piece].kind = KIND_FREE;
    pool->pieces[piece].next = pool->free;
    pool->free = piece;
    pool->free_count += 1;
}

uint32_t pool_take(struct pool *pool, size_t bytes)
{
    struct pool_piece *at;
    uint32_t kind = 0;
    uint32_t piece;
    uint32_t cell;

    INVARIANT(bytes <= POOL_PIECE_BYTES);
    while (cell_bytes[kind] < bytes) {
        kind += 1;
    }
    piece = pool->room[kind];
    if (piece == POOL_NONE) {
        piece = piece_take(pool, kind);
        if (piece == POOL_NONE) {
            return POOL_NONE;
        }
        room_link(pool, piece);
    }
    at = &pool->pieces[piece];
    if (at->free != CELL_NONE) {
        cell = at->free;
        memcpy(&at->free, cell_at(pool, piece, cell), sizeof at->free);
    } else {
        cell = at->fresh;
        at->fresh += 1;
    }
    at->used += 1;
    if (at->used == cells_of(kind)) {
        room_unlink(pool, piece);
    }
    return piece << POOL_CELL_BITS | cell;
}

void pool_give(struct pool *pool, uint32_t handle)
{
    const uint32_t piece = handle >> POOL_CELL_BITS;
    const uint32_t cell = handle & ((1U << POOL_CELL_BITS) - 1);
    struct pool_piece *at;

    INVARIANT(piece < pool->piece_count);
    at = &pool->pieces[piece];
    INVARIANT(at->kind < KIND_FREE);
    INVARIANT(at->used != 0);
    INVARIANT(cell < at->fresh);
    if (at->used == cells_of(at->kind)) {
        room_link(pool, piece);
    }
    memcpy(cell_at(pool, piece, cell), &at->free, sizeof at->free);
    at->free = (uint16_t)cell; /* below 2^POOL_CELL_BITS */
    at->used -= 1;
    if (at->used == 0) {
        room_unlink(pool, piece);
        piece_give(pool, piece);
    }
}

uint8_t *pool_at(const struct pool *pool, uint32_t handle)
{
    const uint32_t piece = handle >> POOL_CELL_BITS;

    INVARIANT(piece < pool->piece_count);
    INVARIANT(pool->pieces[piece].kind < KIND_FREE);
    return cell_at(pool, piece, handle & ((1U << POOL_CELL_BITS) - 1));
}

bool chain_append(struct pool *pool, struct chain *chain, struct bytes bytes)
{
    uint32_t used = chain->count % POOL_PIECE_BYTES;
    uint32_t needed;

    INVARIANT(bytes.count <= UINT32_MAX - chain->count);
    needed = chain_pieces(chain->count + (uint32_t)bytes.count) - chain_pieces(chain->count);
    if (needed > pool->free_count) {
        return false;
    }
    while (bytes.count != 0) {
        size_t part;

        if (used == 0) {
            const uint32_t piece = piece_take(pool, KIND_WHOLE);

            INVARIANT(piece != POOL_NONE);
            pool->pieces[piece].used = 1;
            pool->pieces[piece].fresh = 1;
            if (chain->first == POOL_NONE) {
                chain->first = piece;
            } else {
                pool->pieces[chain->last].next = piece;
            }
            chain->last = piece;
        }
        part = POOL_PIECE_BYTES - used < bytes.count ? POOL_PIECE_BYTES - used : bytes.count;
        memcpy(cell_at(pool, chain->last, 0) + used, bytes.at, part);
        bytes = bytes_after(bytes, part);
        chain->count += (uint32_t)part; /* at most a piece */
        used = chain->count % POOL_PIECE_BYTES;
    }
    return true;
}

void chain_copy(const struct pool *pool, const struct chain *chain, uint32_t offset, uint8_t *out,
                uint32_t count)
{
    uint32_t piece = chain->first;
    uint32_t from = offset % POOL_PIECE_BYTES;

    INVARIANT(offset <= chain->count);
    INVARIANT(count <= chain->count - offset);
    for (uint32_t i = 0; i < offset / POOL_PIECE_BYTES && count != 0; i++) {
        piece = pool->pieces[piece].next;
    }
    while (count != 0) {
        const uint32_t part = POOL_PIECE_BYTES - from < count ? POOL_PIECE_BYTES - from : count;

        memcpy(out, cell_at(pool, piece, 0) + from, part);
        out += part;
        count -= part;
        from = 0;
        piece = pool->pieces[piece].next;
    }
}

void chain_free(struct pool *pool, struct chain *chain)
{
    uint32_t piece = chain->first;

    for (uint32_t left = chain_pieces(chain->count); left != 0; left--) {
        const uint32_t next = pool->pieces[piece].next;

        piece_give(pool, piece);
        piece = next;
    }
    *chain = CHAIN_EMPTY;
}

void pool_check(const struct pool *pool)
{
    uint32_t free = 0;

    for (uint32_t i = 0; i < pool->piece_count; i++) {
        const struct pool_piece *at = &pool->pieces[i];

        if (at->kind == KIND_FREE) {
            free += 1;
            continue;
        }
        INVARIANT(at->used >= 1);
        INVARIANT(at->used <= at->fresh);
        INVARIANT(at->fresh <= cells_of(at->kind));
    }
    INVARIANT(free == pool->free_count);
}

#include "state/pool.h"

enum {
    PIECE_STEP = 16,
    PIECE_FINE_MAX = 1024, /* up to here classes are PIECE_STEP apart */
    CHUNK_HEAD = ARENA_ALIGN,
};

_Static_assert(sizeof(struct pool_chunk) <= CHUNK_HEAD, "a chunk's link stands before its bytes");
_Static_assert(sizeof(struct pool_piece) <= PIECE_STEP, "the smallest piece holds a link");

/* The class of a size, and the size that all pieces of that class have. */
static uint32_t piece_class(size_t bytes, size_t *rounded)
{
    uint32_t doubling = 0;
    size_t step;

    if (bytes <= PIECE_FINE_MAX) {
        const size_t steps = bytes == 0 ? 1 : (bytes + PIECE_STEP - 1) / PIECE_STEP;

        *rounded = steps * PIECE_STEP;
        return (uint32_t)steps;
    }
    while (bytes > (size_t)PIECE_FINE_MAX << (doubling + 1)) {
        doubling += 1;
    }
    step = ((size_t)PIECE_FINE_MAX << doubling) / 8;
    *rounded = (bytes + step - 1) / step * step;
    return 64 + doubling * 8 + (uint32_t)(*rounded / step - 8);
}

size_t pool_footprint(size_t bytes)
{
    return arena_rounded(bytes / POOL_CHUNK_BYTES * POOL_CHUNK_BYTES);
}

enum err pool_init(struct pool *pool, size_t bytes, struct arena *arena)
{
    const size_t count = bytes / POOL_CHUNK_BYTES;

    *pool = (struct pool){0};
    if (count == 0 || count > UINT32_MAX) {
        return ERR_NO_SPACE;
    }
    pool->fresh = arena_take(arena, count * POOL_CHUNK_BYTES);
    if (pool->fresh == NULL) {
        return ERR_NO_SPACE;
    }
    pool->fresh_count = (uint32_t)count;
    return ERR_OK;
}

static struct pool_chunk *pool_take(struct pool *pool)
{
    struct pool_chunk *chunk = pool->free;

    if (chunk != NULL) {
        pool->free = chunk->next;
        pool->free_count -= 1;
        return chunk;
    }
    if (pool->fresh_count == 0) {
        return NULL;
    }
    chunk = (struct pool_chunk *)(void *)pool->fresh;
    pool->fresh += POOL_CHUNK_BYTES;
    pool->fresh_count -= 1;
    return chunk;
}

void heap_init(struct heap *heap, struct pool *pool, size_t bytes)
{
    const size_t limit = bytes / POOL_CHUNK_BYTES;

    *heap = (struct heap){.pool = pool};
    heap->chunk_limit = limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
}

void *heap_take(struct heap *heap, size_t bytes)
{
    size_t rounded;
    uint32_t class;
    struct pool_piece *piece;
    uint8_t *taken;

    INVARIANT(bytes <= POOL_PIECE_MAX);
    class = piece_class(bytes, &rounded);
    INVARIANT(class < POOL_CLASSES);
    piece = heap->pieces[class];
    if (piece != NULL) {
        heap->pieces[class] = piece->next;
        return piece;
    }
    if (rounded > heap->left) {
        struct pool_chunk *chunk =
            heap->chunk_count < heap->chunk_limit ? pool_take(heap->pool) : NULL;

        if (chunk == NULL) {
            return NULL;
        }
        chunk->next = heap->chunks;
        heap->chunks = chunk;
        heap->chunk_count += 1;
        heap->at = (uint8_t *)chunk + CHUNK_HEAD;
        heap->left = POOL_CHUNK_BYTES - CHUNK_HEAD;
    }
    taken = heap->at;
    heap->at += rounded;
    heap->left -= rounded;
    return taken;
}

void heap_give(struct heap *heap, void *piece, size_t bytes)
{
    struct pool_piece *given = piece;
    size_t rounded;
    uint32_t class;

    if (piece == NULL) {
        return;
    }
    class = piece_class(bytes, &rounded);
    given->next = heap->pieces[class];
    heap->pieces[class] = given;
}

void heap_reset(struct heap *heap)
{
    while (heap->chunks != NULL) {
        struct pool_chunk *chunk = heap->chunks;

        heap->chunks = chunk->next;
        chunk->next = heap->pool->free;
        heap->pool->free = chunk;
        heap->pool->free_count += 1;
    }
    heap->at = NULL;
    heap->left = 0;
    heap->chunk_count = 0;
    for (uint32_t class = 0; class < POOL_CLASSES; class ++) {
        heap->pieces[class] = NULL;
    }
}

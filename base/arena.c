#include "base/arena.h"

#include <stdlib.h>

void arena_init(struct arena *arena, void *memory, size_t size)
{
    INVARIANT((uintptr_t)memory % ARENA_ALIGN == 0);
    *arena = (struct arena){.at = memory, .size = size};
}

enum err arena_open(struct arena *arena, size_t size)
{
    *arena = (struct arena){.at = calloc(1, size)};
    if (arena->at == NULL) {
        return ERR_NO_SPACE;
    }
    arena->size = size;
    return ERR_OK;
}

void arena_close(struct arena *arena)
{
    free(arena->at);
    *arena = (struct arena){0};
}

void *arena_take(struct arena *arena, size_t bytes)
{
    const size_t rounded = arena_rounded(bytes);
    void *taken;

    if (rounded < bytes || rounded > arena->size - arena->used) {
        return NULL;
    }
    taken = arena->at + arena->used;
    arena->used += rounded;
    return taken;
}

void *arena_must(struct arena *arena, size_t bytes)
{
    void *taken = arena_take(arena, bytes);

    INVARIANT(taken != NULL);
    return taken;
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
}

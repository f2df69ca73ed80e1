#include "node/bodies.h"

#include <string.h>

#include "consensus/sx.h"
#include "crypto/hash.h"

size_t bodies_footprint(uint32_t count, uint32_t body_bytes_max)
{
    return arena_rounded(count * sizeof(struct body)) +
           count * arena_rounded((size_t)BLOCK_HEADER_BYTES + body_bytes_max);
}

void bodies_init(struct bodies *bodies, struct arena *arena, uint32_t count,
                 uint32_t body_bytes_max)
{
    bodies->count = count;
    bodies->row_bytes_max = (size_t)BLOCK_HEADER_BYTES + body_bytes_max;
    bodies->slots = arena_must(arena, count * sizeof(struct body));
    for (uint32_t i = 0; i < count; i++) {
        bodies->slots[i] = (struct body){.memory = arena_must(arena, bodies->row_bytes_max)};
    }
}

struct body *bodies_find(const struct bodies *bodies, const uint8_t *hash)
{
    for (uint32_t i = 0; i < bodies->count; i++) {
        if (bodies->slots[i].state != BODY_FREE && hash_equal(bodies->slots[i].hash, hash)) {
            return &bodies->slots[i];
        }
    }
    return NULL;
}

static void body_clear(struct body *body)
{
    uint8_t *memory = body->memory;

    INVARIANT(body->pins == 0);
    *body = (struct body){.memory = memory};
}

/* How gladly this block is given up; 0: not at all. */
static uint32_t worth_of(const struct body *body, const struct sx *core)
{
    if (body->state == BODY_FREE) {
        return 3;
    }
    if (body->pins != 0 || body->sync || body->marked) {
        return 0;
    }
    if (!sx_needs_block(core, body->hash)) {
        return 2;
    }
    return body->state == BODY_EXECUTED ? 0 : 1;
}

struct body *bodies_place(struct bodies *bodies, const struct sx *core, const uint8_t *tip)
{
    struct body *best = NULL;
    uint32_t best_worth = 0;
    struct body *at;

    for (uint32_t i = 0; i < bodies->count; i++) {
        bodies->slots[i].marked = false;
    }
    at = bodies_find(bodies, tip);
    while (at != NULL && !at->marked) {
        at->marked = true;
        at = bodies_find(bodies, at->header.parent_hash);
    }
    for (uint32_t i = 0; i < bodies->count; i++) {
        struct body *body = &bodies->slots[i];
        const uint32_t worth = worth_of(body, core);

        if (worth != 0 && (worth > best_worth ||
                           (worth == best_worth && body->header.view < best->header.view))) {
            best = body;
            best_worth = worth;
        }
    }
    if (best != NULL) {
        body_clear(best);
    }
    return best;
}

void body_fill(struct body *body, const struct block_header *header, const uint8_t *hash,
               struct bytes row)
{
    INVARIANT(body->state == BODY_FREE);
    INVARIANT(row.count == (size_t)BLOCK_HEADER_BYTES + header->tx_bytes);
    body->state = BODY_HELD;
    body->header = *header;
    memcpy(body->hash, hash, HASH_BYTES);
    memmove(body->memory, row.at, row.count);
    body->row_bytes = row.count;
}

void bodies_exclude(struct bodies *bodies, uint64_t final_view)
{
    for (uint32_t i = 0; i < bodies->count; i++) {
        struct body *body = &bodies->slots[i];

        if (body->state != BODY_FREE && body->pins == 0 && body->header.view <= final_view) {
            body_clear(body);
        }
    }
}

void bodies_check(const struct bodies *bodies)
{
    for (uint32_t i = 0; i < bodies->count; i++) {
        const struct body *body = &bodies->slots[i];

        if (body->state == BODY_FREE) {
            INVARIANT(body->pins == 0 && !body->sync);
            continue;
        }
        INVARIANT(bodies_find(bodies, body->hash) == body);
        INVARIANT(body->row_bytes >= BLOCK_HEADER_BYTES &&
                  body->row_bytes <= bodies->row_bytes_max);
        INVARIANT(body->state != BODY_EXECUTED || body->history.count == body->header.height);
    }
}

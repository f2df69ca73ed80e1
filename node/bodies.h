/*
 * node/bodies.h -- blocks above the final one with their bodies: a fixed pool of places.
 *
 * A place holds a whole block: header and a body of its count, length and root (8.2); what fails that is never
 * put here.  It stays until its block is committed, excluded by a commit, or not needed by anybody when a
 * newer one needs the place.
 */
#ifndef NODE_BODIES_H
#define NODE_BODIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "crypto/merkle.h"
#include "node/ports.h"

enum body_state {
    BODY_FREE,
    BODY_HELD,     /* complete, not executed here or not any more */
    BODY_EXECUTED, /* valid, its overlay is the application's, `result` and `history` are set */
    BODY_INVALID,
};

struct body {
    enum body_state state;
    uint32_t pins; /* commits that are under way with it */
    bool sync;     /* brought by a range whose certificate is still to come or to be committed */
    bool marked;   /* of the pass that looks for a place */
    uint8_t hash[HASH_BYTES];
    struct block_header header;
    uint8_t *memory; /* encoded header and body */
    size_t row_bytes;
    struct app_result result;
    struct history history; /* over blocks 0 to height - 1 */
    struct body *next;      /* towards the block that is to be executed */
};

struct bodies {
    uint32_t count;
    size_t row_bytes_max;
    struct body *slots;
};

size_t bodies_footprint(uint32_t count, uint32_t body_bytes_max);
void bodies_init(struct bodies *bodies, struct arena *arena, uint32_t count,
                 uint32_t body_bytes_max);

/* NULL if it is not here. */
struct body *bodies_find(const struct bodies *bodies, const uint8_t *hash);

/*
 * A place for one more block, or NULL: free ones first, then those that `core` does not need, then those not
 * executed; the lowest view first.  What is pinned, brought by sync, or an ancestor of `tip` stays.  The place is
 * free when it is returned.
 */
struct body *bodies_place(struct bodies *bodies, const struct sx *core, const uint8_t *tip);

/* Fill a place with a block whose body matches its header. */
void body_fill(struct body *body, const struct block_header *header, const uint8_t *hash,
               struct bytes row);

/* Give up everything created in a view at or below the final one, except what is pinned. */
void bodies_exclude(struct bodies *bodies, uint64_t final_view);

static inline struct bytes body_row(const struct body *body)
{
    return bytes_of(body->memory, body->row_bytes);
}

static inline struct bytes body_bytes(const struct body *body)
{
    return blocks_body(body_row(body));
}

void bodies_check(const struct bodies *bodies);

#endif /* NODE_BODIES_H */

/*
 * p2p/queue.h -- messages that wait: stored once in a pool, and counted in every queue that holds them.
 *
 * A queue is first in, first out.  Of its first message some bytes may be gone already; such a message is
 * never dropped alone, for the other side has begun to read it.
 */
#ifndef P2P_QUEUE_H
#define P2P_QUEUE_H

#include "p2p/pool.h"

struct queue {
    uint32_t first; /* handles of entries */
    uint32_t last;
    uint32_t count; /* messages */
    uint32_t bytes; /* of these messages */
    uint32_t done;  /* bytes of the first one that were taken */
};

#define QUEUE_EMPTY ((struct queue){.first = POOL_NONE, .last = POOL_NONE})

/*
 * Store a message of head and body, at least one byte together; the caller holds it until stored_release.
 * Its handle, or POOL_NONE if the pool has no room.
 */
CHECKED uint32_t stored_make(struct pool *pool, struct bytes head, struct bytes body);

/* Let go of it; it is given back when no queue holds it either. */
void stored_release(struct pool *pool, uint32_t handle);

/* Put a stored message at the end.  False if the pool has no room for the entry. */
CHECKED bool queue_push(struct pool *pool, struct queue *queue, uint32_t handle);

/* Length of the first message; the queue is not empty. */
uint32_t queue_first_bytes(const struct pool *pool, const struct queue *queue);

/*
 * Take the next `count` bytes of the first message, which has as many left; the last one takes it off the
 * queue.
 */
void queue_take(struct pool *pool, struct queue *queue, uint8_t *out, uint32_t count);

/* Drop the oldest message that is not begun; false if there is none. */
CHECKED bool queue_drop(struct pool *pool, struct queue *queue);

/* Drop the first message if it is begun: its connection is gone. */
void queue_drop_begun(struct pool *pool, struct queue *queue);

/* Drop all. */
void queue_clear(struct pool *pool, struct queue *queue);

#endif /* P2P_QUEUE_H */

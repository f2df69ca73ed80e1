#include "p2p/queue.h"

#include <stdalign.h>
#include <string.h>

/* A short message follows in the same cell, a long one hangs on the chain. */
struct stored {
    uint32_t holders;
    uint32_t count;
    struct chain chain;
    bool inside;
};

struct entry {
    uint32_t next;
    uint32_t stored;
};

enum { STORED_INSIDE_MAX = 4096 - sizeof(struct stored) };

_Static_assert(sizeof(struct entry) <= 16, "an entry fills the smallest cell");

static struct stored *stored_at(const struct pool *pool, uint32_t handle)
{
    void *at = pool_at(pool, handle);

    return at;
}

static struct entry *entry_at(const struct pool *pool, uint32_t handle)
{
    void *at = pool_at(pool, handle);

    return at;
}

uint32_t stored_make(struct pool *pool, struct bytes head, struct bytes body)
{
    const size_t count = head.count + body.count;
    const bool inside = count <= STORED_INSIDE_MAX;
    uint32_t handle;
    struct stored *stored;

    INVARIANT(count >= 1);
    INVARIANT(count <= UINT32_MAX);
    handle = pool_take(pool, sizeof *stored + (inside ? count : 0));
    if (handle == POOL_NONE) {
        return POOL_NONE;
    }
    stored = stored_at(pool, handle);
    *stored = (struct stored){
        .holders = 1, .count = (uint32_t)count, .chain = CHAIN_EMPTY, .inside = inside};
    if (inside) {
        uint8_t *at = (uint8_t *)(stored + 1);

        if (head.count != 0) {
            memcpy(at, head.at, head.count);
        }
        if (body.count != 0) {
            memcpy(at + head.count, body.at, body.count);
        }
        return handle;
    }
    if (!chain_append(pool, &stored->chain, head) || !chain_append(pool, &stored->chain, body)) {
        chain_free(pool, &stored->chain);
        pool_give(pool, handle);
        return POOL_NONE;
    }
    return handle;
}

void stored_release(struct pool *pool, uint32_t handle)
{
    struct stored *stored = stored_at(pool, handle);

    INVARIANT(stored->holders != 0);
    stored->holders -= 1;
    if (stored->holders == 0) {
        chain_free(pool, &stored->chain);
        pool_give(pool, handle);
    }
}

bool queue_push(struct pool *pool, struct queue *queue, uint32_t handle)
{
    const uint32_t place = pool_take(pool, sizeof(struct entry));
    struct stored *stored = stored_at(pool, handle);

    if (place == POOL_NONE) {
        return false;
    }
    *entry_at(pool, place) = (struct entry){.next = POOL_NONE, .stored = handle};
    if (queue->last == POOL_NONE) {
        queue->first = place;
    } else {
        entry_at(pool, queue->last)->next = place;
    }
    queue->last = place;
    queue->count += 1;
    queue->bytes += stored->count;
    stored->holders += 1;
    return true;
}

uint32_t queue_first_bytes(const struct pool *pool, const struct queue *queue)
{
    INVARIANT(queue->count != 0);
    return stored_at(pool, entry_at(pool, queue->first)->stored)->count;
}

/* Free the entry and let go of its message. */
static void entry_free(struct pool *pool, struct queue *queue, uint32_t place)
{
    const uint32_t handle = entry_at(pool, place)->stored;

    pool_give(pool, place);
    queue->count -= 1;
    queue->bytes -= stored_at(pool, handle)->count;
    stored_release(pool, handle);
}

static void first_drop(struct pool *pool, struct queue *queue)
{
    const uint32_t place = queue->first;

    queue->first = entry_at(pool, place)->next;
    if (queue->first == POOL_NONE) {
        queue->last = POOL_NONE;
    }
    queue->done = 0;
    entry_free(pool, queue, place);
}

void queue_take(struct pool *pool, struct queue *queue, uint8_t *out, uint32_t count)
{
    const struct stored *stored;

    INVARIANT(queue->count != 0);
    stored = stored_at(pool, entry_at(pool, queue->first)->stored);
    INVARIANT(count <= stored->count - queue->done);
    if (stored->inside) {
        memcpy(out, (const uint8_t *)(stored + 1) + queue->done, count);
    } else {
        chain_copy(pool, &stored->chain, queue->done, out, count);
    }
    queue->done += count;
    if (queue->done == stored->count) {
        first_drop(pool, queue);
    }
}

bool queue_drop(struct pool *pool, struct queue *queue)
{
    uint32_t second;

    if (queue->count == 0) {
        return false;
    }
    if (queue->done == 0) {
        first_drop(pool, queue);
        return true;
    }
    second = entry_at(pool, queue->first)->next;
    if (second == POOL_NONE) {
        return false;
    }
    entry_at(pool, queue->first)->next = entry_at(pool, second)->next;
    if (queue->last == second) {
        queue->last = queue->first;
    }
    entry_free(pool, queue, second);
    return true;
}

void queue_drop_begun(struct pool *pool, struct queue *queue)
{
    if (queue->count != 0 && queue->done != 0) {
        first_drop(pool, queue);
    }
}

void queue_clear(struct pool *pool, struct queue *queue)
{
    while (queue->count != 0) {
        first_drop(pool, queue);
    }
}

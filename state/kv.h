/*
 * state/kv.h -- the port of an ordered key-value store.
 *
 * Two makers: leveldb.c and tests/sim/kv_sim.c.  A batch is atomic; one with `sync` is durable when it
 * returns and so is every batch before it; one without may be lost in a power cut, whole and with all later
 * ones, never in part (reliability A1 to A3).  Keys are ordered bytewise.
 */
#ifndef STATE_KV_H
#define STATE_KV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

/*
 * Puts and deletes in order, in memory of an arena; the last one of a key counts.  An arena that is full is
 * remembered and told by kv_write as ERR_NO_SPACE, so that a builder need not look at each put.
 */
struct kv_operation {
    struct bytes key;
    struct bytes value;
    bool remove;
    struct kv_operation *next;
};

struct kv_batch {
    struct arena *arena;
    struct kv_operation *first;
    struct kv_operation *last;
    uint32_t count;
    uint64_t bytes; /* of keys and values */
    bool full;
};

void kv_batch_init(struct kv_batch *batch, struct arena *arena);

/* Key and value are copied. */
void kv_batch_put(struct kv_batch *batch, struct bytes key, struct bytes value);

/* The key is copied; the value is kept: it stays as it is until the batch is written. */
void kv_batch_put_kept(struct kv_batch *batch, struct bytes key, struct bytes value);

void kv_batch_delete(struct kv_batch *batch, struct bytes key);

struct kv;
struct kv_cursor;

struct kv_maker {
    /* Errors: ERR_ABSENT; ERR_CORRUPT damaged; ERR_IO; ERR_NO_SPACE the arena is full. */
    enum err (*get)(struct kv *kv, struct bytes key, struct arena *arena, struct bytes *value);

    /* Errors: ERR_NO_SPACE the batch's arena was full, or the disk is; ERR_IO; ERR_CORRUPT. */
    enum err (*write)(struct kv *kv, const struct kv_batch *batch, bool sync);

    /* A store that reads as this one does now, until it is closed; takes no write.  NULL: no memory. */
    struct kv *(*snapshot)(struct kv *kv);

    /* NULL: no memory.  The cursor stands nowhere. */
    struct kv_cursor *(*cursor)(struct kv *kv);

    void (*close)(struct kv *kv);
};

/* Makers embed this first in their own struct. */
struct kv {
    const struct kv_maker *maker;
};

struct kv_cursor_maker {
    void (*seek)(struct kv_cursor *cursor, struct bytes key); /* to the first key not below */
    void (*seek_last)(struct kv_cursor *cursor);
    void (*next)(struct kv_cursor *cursor);
    void (*prev)(struct kv_cursor *cursor);
    bool (*valid)(const struct kv_cursor *cursor);
    struct bytes (*key)(const struct kv_cursor *cursor); /* until the cursor moves */
    struct bytes (*value)(const struct kv_cursor *cursor);
    enum err (*error)(const struct kv_cursor *cursor); /* why it became invalid; ERR_OK: the end */
    void (*close)(struct kv_cursor *cursor);
};

struct kv_cursor {
    const struct kv_cursor_maker *maker;
};

static inline CHECKED enum err kv_get(struct kv *kv, struct bytes key, struct arena *arena,
                                      struct bytes *value)
{
    return kv->maker->get(kv, key, arena, value);
}

static inline CHECKED enum err kv_write(struct kv *kv, const struct kv_batch *batch, bool sync)
{
    return kv->maker->write(kv, batch, sync);
}

static inline CHECKED struct kv *kv_snapshot(struct kv *kv)
{
    return kv->maker->snapshot(kv);
}

static inline CHECKED struct kv_cursor *kv_cursor_open(struct kv *kv)
{
    return kv->maker->cursor(kv);
}

/* Accepts NULL. */
static inline void kv_cursor_close(struct kv_cursor *cursor)
{
    if (cursor != NULL) {
        cursor->maker->close(cursor);
    }
}

/* Accepts NULL. */
static inline void kv_close(struct kv *kv)
{
    if (kv != NULL) {
        kv->maker->close(kv);
    }
}

#endif /* STATE_KV_H */

/*
 * node/pool.h -- transactions that wait for a block, and the ids of those seen lately.
 *
 * Source: docs/protocol/consensus.md 8.19; classes and limits of 2.4.  The pool keeps bytes and what admission
 * learned of them; whether a transaction may stand in a block is asked of the executor by its caller.  All
 * memory is taken at start.
 *
 * Order of assembly: SYSTEM first, then URGENT, NORMAL and BULK by turns of 4, 2 and 1; within a class the first
 * admitted comes first.  (account, lane, nonce) is unique: first seen stays.
 */
#ifndef NODE_POOL_H
#define NODE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

enum pool_class { POOL_SYSTEM, POOL_URGENT, POOL_NORMAL, POOL_BULK, POOL_CLASSES };

struct pool_options {
    uint32_t class_count;   /* of transactions in one class; 20,000 */
    uint32_t bytes;         /* of all; 32 MiB.  SYSTEM and URGENT have a tenth each to themselves */
    uint32_t account_count; /* of one account; 64 */
    uint32_t account_bytes; /* of one account; 256 KiB */
    uint32_t seen_count;    /* ids remembered; 256k */
};

struct pool_options pool_options_standard(void);

struct pool;

size_t pool_footprint(const struct pool_options *options);

/* Errors: ERR_NO_SPACE the arena is too small. */
CHECKED enum err pool_init(const struct pool_options *options, struct arena *arena,
                           struct pool **out);

/* What the pool knows of a transaction. */
struct pool_tx {
    struct bytes bytes;
    uint8_t wire_hash[HASH_BYTES];
    uint8_t tx_id[HASH_BYTES];
    uint8_t account[ACCOUNT_BYTES]; /* who pays */
    uint32_t lane;
    uint64_t nonce;
    uint64_t expiry_at_ms;
    enum pool_class class;
    uint64_t admitted_ms;
};

enum pool_answer {
    POOL_ADDED,
    POOL_KNOWN,        /* the same bytes are here */
    POOL_NONCE_TAKEN,  /* another transaction has this account, lane and nonce */
    POOL_ACCOUNT_FULL, /* the account's share is used up */
    POOL_FULL,         /* the class, or the memory, is full and nothing lower can go */
};

/* Would pool_add take it?  The same checks, nothing changed. */
enum pool_answer pool_room(const struct pool *pool, const struct pool_tx *tx);

/* Copies the bytes.  A higher class takes the place of the newest of the lowest class when memory is full. */
enum pool_answer pool_add(struct pool *pool, const struct pool_tx *tx);

/* NULL if it is not here; a view until the pool changes. */
const struct pool_tx *pool_find(const struct pool *pool, const uint8_t wire_hash[HASH_BYTES]);

/* Accepts a hash that is not here. */
void pool_remove(struct pool *pool, const uint8_t wire_hash[HASH_BYTES]);

/* Remove whoever has this account, lane and nonce: a final block has used it. */
void pool_remove_nonce(struct pool *pool, const uint8_t account[ACCOUNT_BYTES], uint32_t lane,
                       uint64_t nonce);

/* Remove what expired before `time_ms`; looks at no more than `limit` entries a call, going round. */
void pool_expire(struct pool *pool, uint64_t time_ms, uint32_t limit);

uint32_t pool_count(const struct pool *pool);
uint64_t pool_bytes(const struct pool *pool);

/*
 * Walk in the order of assembly.  Removing the transaction just given is allowed.  Transactions marked with
 * `stamp` are passed over.
 */
struct pool_walk {
    uint64_t stamp;
    uint32_t next[POOL_CLASSES];
    uint32_t turn;
};

void pool_walk_begin(const struct pool *pool, uint64_t stamp, struct pool_walk *walk);
const struct pool_tx *pool_walk_next(const struct pool *pool, struct pool_walk *walk);

/* Mark a transaction, so that walks with this stamp pass it over (it stands in an ancestor); absent: nothing. */
void pool_stamp(struct pool *pool, const uint8_t wire_hash[HASH_BYTES], uint64_t stamp);

/* Up to `max` of the oldest, over all classes. */
uint32_t pool_oldest(const struct pool *pool, const struct pool_tx **out, uint32_t max);

/* Ids seen lately, with what was said about them; the oldest is forgotten. */
enum pool_seen {
    POOL_UNSEEN,
    POOL_SEEN_ADMITTED,
    POOL_SEEN_FINAL,
    POOL_SEEN_REFUSED,
    POOL_SEEN_LATER
};

/* POOL_SEEN_LATER (refused for now) is forgotten after 10 s. */
void pool_seen_set(struct pool *pool, const uint8_t wire_hash[HASH_BYTES], enum pool_seen what,
                   uint64_t now_ms);
enum pool_seen pool_seen_get(const struct pool *pool, const uint8_t wire_hash[HASH_BYTES],
                             uint64_t now_ms);

/* Invariants of lists, tables and limits; aborts.  Slow. */
void pool_check(const struct pool *pool);

#endif /* NODE_POOL_H */

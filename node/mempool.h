/*
 * node/mempool.h -- transactions that wait for a block, and the ids of those seen lately.
 *
 * Source: docs/protocol/consensus.md 8.19; classes and limits of 2.4.  The pool keeps bytes and what admission
 * learned of them; whether a transaction may stand in a block is asked of the executor by its caller.  All
 * memory is taken at start.
 *
 * Order of assembly: SYSTEM first, then URGENT, NORMAL and BULK by turns of 4, 2 and 1; within a class the first
 * admitted comes first.  (account, lane, nonce) is unique: first seen stays.
 */
#ifndef NODE_MEMPOOL_H
#define NODE_MEMPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

enum mempool_class {
    MEMPOOL_SYSTEM,
    MEMPOOL_URGENT,
    MEMPOOL_NORMAL,
    MEMPOOL_BULK,
    MEMPOOL_CLASSES
};

struct mempool_options {
    uint32_t class_count;   /* of transactions in one class; 20,000 */
    uint32_t bytes;         /* of all; 32 MiB.  SYSTEM and URGENT have a tenth each to themselves */
    uint32_t account_count; /* of one account; 64 */
    uint32_t account_bytes; /* of one account; 256 KiB */
    uint32_t seen_count;    /* ids remembered; 256k */
};

struct mempool_options mempool_options_standard(void);

struct mempool;

size_t mempool_footprint(const struct mempool_options *options);

/* Errors: ERR_NO_SPACE the arena is too small. */
CHECKED enum err mempool_init(const struct mempool_options *options, struct arena *arena,
                              struct mempool **out);

/* What the pool knows of a transaction. */
struct mempool_tx {
    struct bytes bytes;
    uint8_t wire_hash[HASH_BYTES];
    uint8_t tx_id[HASH_BYTES];
    uint8_t account[ACCOUNT_BYTES]; /* who pays */
    uint32_t lane;
    uint64_t nonce;
    uint64_t expiry_at_ms;
    enum mempool_class class;
    uint64_t admitted_ms;
};

enum mempool_answer {
    MEMPOOL_ADDED,
    MEMPOOL_KNOWN,        /* the same bytes are here */
    MEMPOOL_NONCE_TAKEN,  /* another transaction has this account, lane and nonce */
    MEMPOOL_ACCOUNT_FULL, /* the account's share is used up */
    MEMPOOL_FULL,         /* the class, or the memory, is full and nothing lower can go */
};

/* Would mempool_add take it?  The same checks, nothing changed. */
enum mempool_answer mempool_room(const struct mempool *pool, const struct mempool_tx *tx);

/* Copies the bytes.  A higher class takes the place of the newest of the lowest class when memory is full. */
enum mempool_answer mempool_add(struct mempool *pool, const struct mempool_tx *tx);

/* NULL if it is not here; a view until the pool changes. */
const struct mempool_tx *mempool_find(const struct mempool *pool,
                                      const uint8_t wire_hash[HASH_BYTES]);

/* Accepts a hash that is not here. */
void mempool_remove(struct mempool *pool, const uint8_t wire_hash[HASH_BYTES]);

/* Remove whoever has this account, lane and nonce: a final block has used it. */
void mempool_remove_nonce(struct mempool *pool, const uint8_t account[ACCOUNT_BYTES], uint32_t lane,
                          uint64_t nonce);

/* Remove what expired before `time_ms`; looks at no more than `limit` entries a call, going round. */
void mempool_expire(struct mempool *pool, uint64_t time_ms, uint32_t limit);

uint32_t mempool_count(const struct mempool *pool);
uint64_t mempool_bytes(const struct mempool *pool);

/*
 * Walk in the order of assembly.  Removing the transaction just given is allowed.  Transactions marked with
 * `stamp` are passed over.
 */
struct mempool_walk {
    uint64_t stamp;
    uint32_t next[MEMPOOL_CLASSES];
    uint32_t turn;
};

void mempool_walk_begin(const struct mempool *pool, uint64_t stamp, struct mempool_walk *walk);
const struct mempool_tx *mempool_walk_next(const struct mempool *pool, struct mempool_walk *walk);

/* Mark a transaction, so that walks with this stamp pass it over (it stands in an ancestor); absent: nothing. */
void mempool_stamp(struct mempool *pool, const uint8_t wire_hash[HASH_BYTES], uint64_t stamp);

/* Up to `max` of the oldest, over all classes. */
uint32_t mempool_oldest(const struct mempool *pool, const struct mempool_tx **out, uint32_t max);

/* Ids seen lately, with what was said about them; the oldest is forgotten. */
enum mempool_seen {
    MEMPOOL_UNSEEN,
    MEMPOOL_SEEN_ADMITTED,
    MEMPOOL_SEEN_FINAL,
    MEMPOOL_SEEN_REFUSED,
    MEMPOOL_SEEN_LATER
};

/* MEMPOOL_SEEN_LATER (refused for now) is forgotten after 10 s. */
void mempool_seen_set(struct mempool *pool, const uint8_t wire_hash[HASH_BYTES],
                      enum mempool_seen what, uint64_t now_ms);
enum mempool_seen mempool_seen_get(const struct mempool *pool, const uint8_t wire_hash[HASH_BYTES],
                                   uint64_t now_ms);

/* Invariants of lists, tables and limits; aborts.  Slow. */
void mempool_check(const struct mempool *pool);

#endif /* NODE_MEMPOOL_H */

/*
 * proto/block.h -- the block header, version 1: 344 bytes, big-endian.
 *
 * Source: docs/protocol/consensus.md 8.2, docs/protocol/bytes.md 5.  A header is complete by itself: its
 * hash is the block's id, and state_root is the state after this block.
 */
#ifndef PROTO_BLOCK_H
#define PROTO_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

enum {
    BLOCK_VERSION = 1,
    BLOCK_HEADER_BYTES = 344,

    BLOCK_EPOCH_END = 1, /* flags */
    BLOCK_HEARTBEAT = 2,
    BLOCK_SCHED = 4,
    BLOCK_FLAGS_KNOWN = 7,
};

struct block_header {
    uint16_t version;
    uint8_t flags;
    uint8_t chain_id[HASH_BYTES];
    uint64_t epoch;
    uint64_t view; /* of creation */
    uint64_t height;
    uint64_t time_ms;
    uint16_t proposer;
    uint8_t parent_hash[HASH_BYTES];
    uint8_t txs_root[HASH_BYTES];
    uint8_t receipts_root[HASH_BYTES];
    uint8_t state_root[HASH_BYTES]; /* after this block */
    uint8_t valset_hash[HASH_BYTES];
    uint8_t next_valset_hash[HASH_BYTES]; /* zero unless BLOCK_EPOCH_END */
    uint8_t history_root[HASH_BYTES];     /* over the hashes of the blocks below this one */
    uint8_t params_hash[HASH_BYTES];
    uint32_t tx_count;
    uint32_t tx_bytes; /* length of the body */
    uint64_t units_used;
};

void block_header_encode(const struct block_header *header, uint8_t out[BLOCK_HEADER_BYTES]);

/* False unless exactly BLOCK_HEADER_BYTES, version 1, known flags, and zero where zero must be. */
CHECKED bool block_header_decode(struct bytes bytes, struct block_header *out);

/* H(block: header). */
void block_header_hash(const struct block_header *header, uint8_t out[HASH_BYTES]);

/*
 * A body: tx_count times (u32 length, transaction).  Walk it with a reader; a body that is complete and of
 * the header's count, length and txs_root is "present", anything else is "missing", never "invalid" (8.2).
 */
CHECKED bool block_body_matches(const struct block_header *header, struct bytes body);

/* The next transaction of a body; false at its end or where it is cut short. */
CHECKED bool block_body_next(struct bytes *left, struct bytes *transaction);

#endif /* PROTO_BLOCK_H */

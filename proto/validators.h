/*
 * proto/validators.h -- a set of validators, its quorum, its hash, and the order in which its members lead.
 *
 * Source: docs/protocol/consensus.md 8.1, 8.2, 8.5.  A set belongs to one epoch and never changes in it.
 * The index of a member is its place in ascending order of consensus keys.
 */
#ifndef PROTO_VALIDATORS_H
#define PROTO_VALIDATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

struct validator {
    uint8_t consensus_key[32]; /* ed25519 */
    uint8_t node_key[32];      /* X25519 */
    uint8_t account[ACCOUNT_BYTES];
};

struct validator_set {
    uint16_t count; /* 1 to VALIDATORS_MAX */
    struct validator members[VALIDATORS_MAX];
};

enum { VALIDATOR_NONE = 0xffff }; /* an index of nobody */

/* f = floor((n - 1) / 3): how many may be Byzantine. */
static inline uint32_t validators_faulty(uint32_t count)
{
    return (count - 1) / 3;
}

/* q = n - f: how many votes prove a statement. */
static inline uint32_t validators_quorum(uint32_t count)
{
    return count - validators_faulty(count);
}

/* ceil(n / 8). */
static inline uint32_t validators_bitmap_bytes(uint32_t count)
{
    return (count + 7) / 8;
}

/* H(valset: u16 n, then a member: consensus key, node key, account, u16 weight 1). */
void validators_hash(const struct validator_set *set, uint8_t out[HASH_BYTES]);

struct reader;
struct writer;

enum { VALIDATOR_BYTES = 98 }; /* of a member in bytes */

/* What is hashed there, as bytes of their own: in P-records and EPOCHS. */
void validators_write(struct writer *writer, const struct validator_set *set);

/*
 * Read a set.  False if it is cut short, has no member or more than VALIDATORS_MAX, a weight other than 1, or
 * members that do not ascend.
 */
CHECKED bool validators_read(struct reader *reader, struct validator_set *out);

/* The index of the member with this consensus key, or VALIDATOR_NONE. */
uint16_t validators_find(const struct validator_set *set, const uint8_t consensus_key[32]);

/* 1 to VALIDATORS_MAX members, ascending by consensus key, no key twice. */
CHECKED bool validators_ordered(const struct validator_set *set);

/* Leader of view v >= 1 is order[(v - 1) mod count]. */
struct leader_order {
    uint16_t count;
    uint16_t order[VALIDATORS_MAX];
};

/* The order of the epoch that begins at the block of this hash; 8.5 has the shuffle. */
void validators_order(const struct validator_set *set, const uint8_t genesis_block_hash[HASH_BYTES],
                      struct leader_order *out);

static inline uint16_t validators_leader(const struct leader_order *order, uint64_t view)
{
    return order->order[(view - 1) % order->count];
}

#endif /* PROTO_VALIDATORS_H */

/*
 * state/proof.h -- what a client can check without trusting a node: a row, or its absence, under a header.
 *
 * Source: docs/protocol/consensus.md 8.16, 8.17.  Proof bytes: u8 kind (1 member, 2 absent-empty, 3
 * absent-other-leaf), u16 L, for kind 3 the other leaf's key hash and value hash, then L siblings, deepest
 * first.  Exact length, L <= 256, nothing behind it.
 */
#ifndef STATE_PROOF_H
#define STATE_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "proto/block.h"
#include "proto/validators.h"
#include "proto/vote.h"

enum proof_kind { PROOF_MEMBER = 1, PROOF_ABSENT_EMPTY = 2, PROOF_ABSENT_OTHER = 3 };

enum {
    PROOF_SIBLINGS_MAX = 256,
    PROOF_BYTES_MAX = 3 + 2 * HASH_BYTES + PROOF_SIBLINGS_MAX * HASH_BYTES,
};

struct proof {
    enum proof_kind kind;
    uint16_t sibling_count;
    uint8_t other_key_hash[HASH_BYTES]; /* PROOF_ABSENT_OTHER; of state_prove also a member's own */
    uint8_t other_value_hash[HASH_BYTES];
    struct bytes siblings; /* sibling_count * HASH_BYTES, deepest first */
};

struct writer;

void proof_write(struct writer *writer, const struct proof *proof);
CHECKED bool proof_decode(struct bytes bytes, struct proof *out);

/* H(key: full state key) and H(val: row). */
void proof_key_hash(struct bytes key, uint8_t out[HASH_BYTES]);
void proof_value_hash(struct bytes value, uint8_t out[HASH_BYTES]);

/*
 * Does the proof fold to `root` for this key?  For PROOF_MEMBER with `value_hash`; for the others
 * value_hash is NULL.
 */
CHECKED bool proof_check(const struct proof *proof, const uint8_t key_hash[HASH_BYTES],
                         const uint8_t *value_hash, const uint8_t root[HASH_BYTES]);

/* Why a header and its certificate are not to be believed. */
enum proof_fault {
    PROOF_OK,
    PROOF_HEADER,      /* does not decode, or is of another chain */
    PROOF_EPOCH,       /* header, certificate and set are not of one epoch */
    PROOF_CERTIFICATE, /* does not decode, wrong kind, wrong views, or not on this header */
    PROOF_SIGNATURES,  /* one of the q signatures does not hold */
    PROOF_VALSET,      /* the header names another set */
};

/*
 * Steps 1 to 4 of 8.16: is this header final in epoch `epoch` of the chain, by this set?  Verifies q
 * signatures; keeps nothing.
 */
CHECKED enum proof_fault proof_header_check(const uint8_t chain_id[HASH_BYTES], uint64_t epoch,
                                            const struct validator_set *set, struct bytes header,
                                            struct bytes certificate, struct block_header *out);

#endif /* STATE_PROOF_H */

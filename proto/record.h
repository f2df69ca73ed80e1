/*
 * proto/record.h -- records of the vote log: what the core writes down before it votes.
 *
 * Source: docs/protocol/consensus.md 8.8.  A record is u8 type and payload; length, sequence and MAC are the
 * vote log's (state/vote_log.h), which reads the type byte alone.
 */
#ifndef PROTO_RECORD_H
#define PROTO_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "proto/block.h"
#include "proto/vote.h"

struct writer;

enum record_type {
    RECORD_BLOCK = 1,    /* header 344, body */
    RECORD_NOTARIZE = 2, /* candidate 56 */
    RECORD_NULLIFY = 3,  /* u64 epoch, u64 view */
    RECORD_FINALIZE = 4, /* candidate 56, certificate cN */
    RECORD_CERT = 5,     /* certificate of any kind */
    RECORD_EPOCH = 6,    /* u64 epoch, u64 final view of the durable M|final */
    RECORD_KEY = 7,      /* consensus key 32: this log holds all that the key ever signed */
};

struct record {
    enum record_type type;
    struct candidate candidate;     /* NOTARIZE, FINALIZE */
    struct certificate certificate; /* FINALIZE, CERT */
    struct block_header header;     /* BLOCK */
    struct bytes body;              /* BLOCK, where it was not taken off */
    uint64_t epoch;                 /* NULLIFY, EPOCH */
    uint64_t view;                  /* NULLIFY, EPOCH: final view */
    const uint8_t *key;             /* KEY */
};

enum {
    RECORD_BYTES_MAX = 1 + CANDIDATE_BYTES + CERTIFICATE_BYTES_MAX
}; /* a BLOCK without body is shorter */

/* Write type and payload; of a BLOCK the header alone, the body follows by another hand. */
void record_write(struct writer *writer, const struct record *record);

/* Views into `bytes`.  False for an unknown type or a wrong length; `count` is the size of the epoch's set. */
CHECKED bool record_decode(struct bytes bytes, uint16_t count, struct record *out);

/*
 * The epoch that a record belongs to, so that those of another epoch, whose set has another size, are passed
 * over before they are decoded.  False for a KEY, an unknown type, or bytes too short to tell.
 */
CHECKED bool record_epoch(struct bytes bytes, uint64_t *epoch);

#endif /* PROTO_RECORD_H */

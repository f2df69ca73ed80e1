/*
 * proto/params.h -- the parameters that a network has agreed on: their bounds, their hash, two sets to begin with.
 *
 * Source: docs/protocol/consensus.md 8.22, docs/protocol/bytes.md 8.  The same check stands before a genesis and
 * before a vote of the governance module: what it refuses can never become a parameter.
 */
#ifndef PROTO_PARAMS_H
#define PROTO_PARAMS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "proto/messages.h"

/* Quota classes of accounts.  Parameters hold the buckets of the first two. */
enum { QUOTA_PERSON = 1, QUOTA_ORGANISATION = 2, QUOTA_WITHOUT_LIMIT = 3 };

/* Why parameters are refused; params_fault_text has the bounds in words. */
enum params_fault {
    PARAMS_OK,
    PARAMS_DELTA,        /* delta_ms outside 100 ms to 15 s: twice that is the longest timer */
    PARAMS_MIN_INTERVAL, /* zero, or above half of delta_ms */
    PARAMS_PRECISION,    /* zero, or above delta_ms */
    PARAMS_LATE_BOUND,   /* below delta_ms, or above an hour */
    PARAMS_HEARTBEAT,    /* neither 0 nor 10 s to a day */
    PARAMS_BLOCK_BYTES, /* no room for the longest transaction and its length, or above BLOCK_BYTES_MAX */
    PARAMS_BLOCK_TXS,   /* 0, or above BLOCK_TXS_MAX */
    PARAMS_BLOCK_UNITS, /* below max_tx_units, or above 10^12 */
    PARAMS_TX_BYTES,    /* below 1 KiB, or above TX_BYTES_MAX */
    PARAMS_TX_UNITS,    /* below 10,000, or above 10^12 */
    PARAMS_TTL,         /* max_ttl_ms outside 10 s to a day */
    PARAMS_DUE, /* max_due_actions outside 1 to 4,096, or their share outside 1 to 1,000,000 ppm */
    PARAMS_DEPTH,       /* not 1 <= propose_depth <= vote_depth <= 16 */
    PARAMS_QUOTA_CLASS, /* classes not exactly 1 and 2, in order */
    PARAMS_QUOTA_BUCKET, /* a bucket is missing, empty, larger than 10^15, or a class where none belongs */
    PARAMS_RESERVE,    /* more than 1,000 reserve actions an hour */
    PARAMS_REF_KEEP,   /* ref_keep_ms below max_ttl_ms, or above ten years */
    PARAMS_TERM_FLOOR, /* term_floor_ms outside 1 s to 30 days */
};

CHECKED enum params_fault params_check(const Chain__Parameters *parameters);

/* One line for a person, with the bound. */
const char *params_fault_text(enum params_fault fault);

/*
 * H(params: canonical bytes).  `arena` holds those bytes for a moment and is as before when this returns.
 *
 * Errors: ERR_NO_SPACE.
 */
CHECKED enum err params_hash(const Chain__Parameters *parameters, struct arena *arena,
                             uint8_t out[HASH_BYTES]);

/* A set with the memory that its pointers point into: not to be copied. */
struct params_set {
    Chain__Parameters message;
    Chain__QuotaClass classes[2];
    Chain__QuotaClass *class_list[2];
    Chain__QuotaClass coop_quota;
    Chain__QuotaClass public_lane;
};

/* D 500 ms, 50 ms between blocks, a heartbeat each ten minutes. */
void params_production(struct params_set *out);

/* One machine or a LAN: D 100 ms, 20 ms between blocks, no heartbeat, admission terms from a second. */
void params_lan(struct params_set *out);

#endif /* PROTO_PARAMS_H */

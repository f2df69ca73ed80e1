/*
 * base/limits.h -- the limits that several rooms share.  What only one room needs stands in that room.
 *
 * Source: docs/protocol/consensus.md (8.4, 8.5, 8.22), docs/protocol/bytes.md.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
    HASH_BYTES = 32,
    ACCOUNT_BYTES = 32,
    SIGNATURE_BYTES = 64,

    VALIDATORS_MAX = 256,             /* a u16 and bitmaps of 32 bytes hold it */
    QUORUM_MAX = VALIDATORS_MAX - 85, /* n - floor((n - 1) / 3) at 256 */
    BITMAP_BYTES_MAX = VALIDATORS_MAX / 8,

    BLOCK_BYTES_MAX = 1 << 20, /* of a body; the parameter may be lower */
    BLOCK_TXS_MAX = 5000,
    TX_BYTES_MAX = 64 << 10,
    TX_ACTIONS_MAX = 16,
    TX_SIGNATURES_MAX = 32,

    VIEWS_AHEAD = 64,       /* votes are taken up to cur + 64 */
    VIEWS_OPEN = 1024,      /* full entries above final_view */
    VIEWS_OLD = 65536,      /* small entries below those */
    JUSTIFICATION_MAX = 17, /* the parent's certificate and 16 nullifications */
};

#endif /* BASE_LIMITS_H */

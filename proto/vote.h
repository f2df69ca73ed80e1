/*
 * proto/vote.h -- candidates, votes and certificates: what validators sign and what proves a quorum.
 *
 * Source: docs/protocol/consensus.md 8.1, 8.4.  These are layouts: nothing here verifies a signature, that is
 * consensus/verify.h for nodes and state/proof.h for clients.
 */
#ifndef PROTO_VOTE_H
#define PROTO_VOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "proto/validators.h"

enum vote_kind { VOTE_NOTARIZE = 1, VOTE_NULLIFY = 2, VOTE_FINALIZE = 3 };

enum {
    STATEMENT_BYTES = 93, /* "SXV1", kind, chain id, epoch, view, parent view, block hash */
    CANDIDATE_BYTES = 56, /* epoch, view, parent view, block hash */
    VOTE_BYTES = 123,     /* without the message type */
    CERTIFICATE_BYTES_MAX = 59 + BITMAP_BYTES_MAX + SIGNATURE_BYTES * QUORUM_MAX,
};

/* A block in a view above a parent view.  The same block with another parent view is another candidate. */
struct candidate {
    uint64_t epoch;
    uint64_t view;
    uint64_t parent_view;
    uint8_t block_hash[HASH_BYTES];
};

/* What a vote says.  A NULLIFY has parent view 0 and a zero hash. */
struct statement {
    enum vote_kind kind;
    struct candidate candidate;
};

struct vote {
    struct statement statement;
    uint16_t index; /* of the voter */
    uint8_t signature[SIGNATURE_BYTES];
};

/*
 * A certificate as a view of its bytes, which live elsewhere: exactly q signatures in order of index.
 */
struct certificate {
    struct statement statement;
    uint16_t count;      /* n, of the set */
    struct bytes bitmap; /* index i is bit i mod 8 of byte i div 8 */
    struct bytes signatures;
    struct bytes encoded; /* all of it, without the message type */
};

CHECKED bool candidate_equal(const struct candidate *a, const struct candidate *b);
CHECKED bool statement_equal(const struct statement *a, const struct statement *b);

/* The statement that nullifies a view. */
struct statement statement_nullify(uint64_t epoch, uint64_t view);

/* What is signed: everything is inside. */
void statement_sign_bytes(const uint8_t chain_id[HASH_BYTES], const struct statement *statement,
                          uint8_t out[STATEMENT_BYTES]);

struct reader;
struct writer;

void candidate_write(struct writer *writer, const struct candidate *candidate);
void candidate_read(struct reader *reader, struct candidate *out);

void vote_write(struct writer *writer, const struct vote *vote);

/*
 * Read a vote.  False if it is cut short, of an unknown kind, of view 0, not below its parent view's view,
 * or a NULLIFY with a parent view or hash.
 */
CHECKED bool vote_read(struct reader *reader, struct vote *out);

/* Length of a certificate of a set of `count` members. */
static inline size_t certificate_bytes(uint32_t count)
{
    return 59 + (size_t)validators_bitmap_bytes(count) +
           SIGNATURE_BYTES * (size_t)validators_quorum(count);
}

/*
 * Read a certificate of a set of `count` members from the front of the reader.  False if n is another, bits
 * beyond n are set, not exactly q bits are set, or as vote_read says.
 */
CHECKED bool certificate_read(struct reader *reader, uint16_t count, struct certificate *out);

/* As certificate_read, and nothing may follow. */
CHECKED bool certificate_decode(struct bytes bytes, uint16_t count, struct certificate *out);

/*
 * Make a certificate in `memory` of certificate_bytes(count).  `signatures[i]` is that of index i, NULL where
 * there is none; the q lowest are taken.  There must be at least q.
 */
void certificate_make(const struct statement *statement, uint16_t count,
                      const uint8_t *const *signatures, uint8_t *memory, struct certificate *out);

static inline bool bitmap_has(struct bytes bitmap, uint32_t index)
{
    return (bitmap.at[index / 8] >> (index % 8) & 1) != 0;
}

#endif /* PROTO_VOTE_H */

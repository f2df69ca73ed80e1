/*
 * tests/sim/words.h -- what a message or a record says, read by the simulator's own hand.
 *
 * The oracles judge the bytes on the wire and on the disk, so they do not ask the product's decoders what
 * these mean.  Source: docs/protocol/consensus.md 8.4, 8.8, 8.20.
 */
#ifndef TESTS_SIM_WORDS_H
#define TESTS_SIM_WORDS_H

#include "tests/sim/sim.h"

/* A statement and who signed it. */
struct words_cert {
    uint8_t kind; /* enum vote_kind; 0: there is none */
    uint64_t epoch;
    uint64_t view;
    uint64_t parent_view;
    const uint8_t *block;
    uint32_t n;
    uint32_t signers; /* a set */
    uint32_t signer_count;
    const uint8_t *signatures; /* in order of index */
};

/* Everything points into the bytes. */
struct words {
    enum sim_what what;
    bool whole;   /* the layout was read to its end */
    uint8_t kind; /* of a vote or a certificate */
    uint64_t epoch;
    uint64_t view; /* of votes, certificates, proposals */
    uint64_t parent_view;
    const uint8_t *block;
    uint32_t index;                             /* of a vote */
    const uint8_t *signature;                   /* of a vote, of a proposal's leader */
    struct words_cert certs[JUSTIFICATION_MAX]; /* that of a CERT, or the justification */
    uint32_t cert_count;
    const uint8_t *header; /* of a NEW proposal */
    struct bytes body;
};

void words_read(struct bytes message, uint32_t n, struct words *out);

/* A certificate as 8.4 has it, from the front of `bytes`; its length, or 0 if it is none of a set of n. */
size_t words_cert_read(struct bytes bytes, uint32_t n, struct words_cert *out);

/* The 93 bytes that are signed. */
void words_statement(const uint8_t *chain_id, uint8_t kind, const struct words_cert *of,
                     uint8_t out[STATEMENT_BYTES]);

/* Fields of a header. */
uint64_t words_header_view(const uint8_t *header);
uint64_t words_header_height(const uint8_t *header);
const uint8_t *words_header_parent(const uint8_t *header);

const char *words_name(enum sim_what what);

#endif /* TESTS_SIM_WORDS_H */

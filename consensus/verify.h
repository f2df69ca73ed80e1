/*
 * consensus/verify.h -- the only maker of struct verified_message: decode, then check every signature.
 *
 * It keeps no state, so the node runs it on its verify thread and the simulator inline.  Forgetting to
 * check a signature does not compile: the core takes nothing else.
 */
#ifndef CONSENSUS_VERIFY_H
#define CONSENSUS_VERIFY_H

#include "proto/wire.h"

/* What the signatures of one epoch are checked against.  The set is kept: it must outlive the calls. */
struct verify_context {
    uint8_t chain_id[HASH_BYTES];
    uint64_t epoch;
    const struct validator_set *set;
    const struct leader_order *order;
};

/* A decoded message whose signatures hold.  Views point into the bytes it was made from. */
struct verified_message {
    enum wire_type type;
    union {
        struct vote vote;
        struct certificate certificate;
        struct wire_proposal proposal;
        struct wire_status status;
        struct wire_get_certs get_certs;
    };
};

enum verify_fault {
    VERIFY_OK,
    VERIFY_MALFORMED,    /* does not decode: close the session */
    VERIFY_SIGNATURE,    /* a signature does not hold: charge the sender */
    VERIFY_OTHER_EPOCH,  /* not of the context's epoch: nothing was checked */
    VERIFY_NOT_LEADER,   /* a proposal that its view's leader did not sign */
    VERIFY_NOT_FOR_CORE, /* a type that the core does not take */
};

/*
 * Decode and verify a VOTE, CERT, PROPOSAL (its body cut off or not), STATUS or GET_CERTS.
 *
 * `known` has bit i set where certificate i of a PROPOSAL's justification, or bit 0 for a CERT, is held
 * already by the core (sx_holds): its signatures are not checked again, and the core will not keep its bytes.
 * Of a proposal it is also checked that the justification is about this epoch and views below its own.
 */
CHECKED enum verify_fault verify_message(const struct verify_context *context, struct bytes message,
                                         uint32_t known, struct verified_message *out);

/* All q signatures over one statement; used for certificates that arrive outside messages (sync). */
CHECKED bool verify_certificate(const struct verify_context *context,
                                const struct certificate *certificate);

#endif /* CONSENSUS_VERIFY_H */

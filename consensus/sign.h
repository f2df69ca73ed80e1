/* consensus/sign.h -- the bytes that a vote signs, the same for making and for checking a signature. */
#ifndef CONSENSUS_SIGN_H
#define CONSENSUS_SIGN_H

#include "proto/vote.h"

/* statement_sign_bytes, and the place where planted bugs 111 to 113 and 308 leave a field out. */
void sign_bytes(const uint8_t chain_id[HASH_BYTES], const struct statement *statement,
                uint8_t out[STATEMENT_BYTES]);

#endif /* CONSENSUS_SIGN_H */

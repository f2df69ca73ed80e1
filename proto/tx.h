/*
 * proto/tx.h -- a transaction as its bytes: the two hashes, and views of its parts.
 *
 * Source: docs/protocol/bytes.md 7.  This checks form alone (canonical bytes, counts, order of signatures);
 * what a state must know (keys, nonce, quota) is the executor's.
 */
#ifndef PROTO_TX_H
#define PROTO_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "proto/canon.h"
#include "proto/messages.h"

enum {
    TX_LANES = 8,
    TX_ARENA_BYTES = 4 * TX_BYTES_MAX, /* what tx_decode takes at most */
};

enum tx_fault {
    TX_OK,
    TX_LENGTH,        /* empty, or longer than TX_BYTES_MAX */
    TX_NOT_CANONICAL, /* Tx or TxBody; `canon` says why */
    TX_ACCOUNT,       /* no payer, or no chain id */
    TX_LANE,          /* lane above 7 */
    TX_NUMBER,        /* a module above 65,535 or an action above 255 */
    TX_ACTOR,         /* an actor or signer that names the payer, which must be left out */
    TX_SIGNATURE_ORDER, /* signatures not ascending by (account, key_id), one twice, or none of the payer */
    TX_SIGNATURE, /* a signature without its 64 bytes */
    TX_NO_MEMORY, /* the arena was full */
};

struct tx {
    struct bytes bytes; /* all of it */
    struct bytes body_bytes;
    uint8_t tx_id[HASH_BYTES];     /* H(tx: body): what is signed */
    uint8_t wire_hash[HASH_BYTES]; /* H(txwire: bytes) */
    const Chain__Tx *message;
    const Chain__TxBody *body;
    enum canon_fault canon;
};

/*
 * Decode; everything in `out` points into `bytes` and `arena`.  Signatures ascend by the fields as they stand:
 * an empty account, the payer's, is lower than any other.  Both hashes are there when TX_OK is answered;
 * wire_hash also with every fault but TX_LENGTH.
 */
CHECKED enum tx_fault tx_decode(struct bytes bytes, struct arena *arena, struct tx *out);

/* The account of an action's actor, or of a signature: its own, or the payer's if it is empty. */
struct bytes tx_actor(const struct tx *tx, const Chain__Action *action);
struct bytes tx_signer(const struct tx *tx, const Chain__Signature *signature);

/* One word for a log line and for vectors. */
const char *tx_fault_name(enum tx_fault fault);

#endif /* PROTO_TX_H */

/*
 * contracts/exec.h -- run blocks: due actions, transactions, their receipts, and the roots over them.
 *
 * Source: docs/protocol/bytes.md 7; rules H-1 to H-9 in contracts/README.md.  What makes a block invalid
 * (bytes, chain id, expiry, nonce, signatures, quota) is told apart from what is refused in a receipt
 * (everything else, which keeps nonce and charge).  The executor knows no module; what it must ask of one is a
 * function of the registry (contracts/registry.h).
 *
 * One thread; nothing is re-entrant; no memory is taken after exec_init.  A fault of the machine ends everything:
 * the overlay is then in no state to be used, and the node stops.
 */
#ifndef CONTRACTS_EXEC_H
#define CONTRACTS_EXEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "contracts/registry.h"
#include "contracts/tables.h"
#include "proto/genesis.h"
#include "proto/tx.h"
#include "state/overlay.h"

struct exec;

enum { EXEC_KEY_BYTES = 33 };

/*
 * The port to signatures of accounts.  `verified` answers whether one holds, out of a cache by (public key, tx_id,
 * signature), never by tx_id alone: two copies of a transaction may differ in one signature.  `key_valid` answers
 * whether a public key is one; it is asked when an account or a key comes to be, and answers alike on every node.
 */
struct exec_verifier {
    void *self;
    bool (*verified)(void *self, const uint8_t public_key[EXEC_KEY_BYTES],
                     const uint8_t tx_id[HASH_BYTES], const uint8_t signature[SIGNATURE_BYTES]);
    bool (*key_valid)(void *self, const uint8_t public_key[EXEC_KEY_BYTES]);
};

/* Why a transaction may not stand in this block. */
enum exec_validity {
    EXEC_VALID,
    EXEC_BYTES,     /* tx_decode refuses it */
    EXEC_CHAIN,     /* another chain */
    EXEC_EXPIRED,   /* expiry below the block's time */
    EXEC_TTL,       /* expiry beyond time + max_ttl: for now */
    EXEC_PAYER,     /* the payer does not exist */
    EXEC_NONCE,     /* used, below the window, or above it */
    EXEC_KEY,       /* a signer or key id that the pre-state does not know */
    EXEC_SIGNATURE, /* a signature does not hold */
    EXEC_QUOTA,     /* a bucket does not hold the sum of the actions' units */
    EXEC_FULL,      /* it would pass a limit of the block: undone, stays in the pool */
    EXEC_FAULT,     /* the machine failed: exec_fault says how; the node stops */
};

const char *exec_validity_name(enum exec_validity validity);

size_t exec_footprint(void);

struct exec_options {
    const struct registry *registry;
    struct state *state;
    struct exec_verifier verifier;
    const struct genesis *genesis; /* its chain id, root account and features are copied */
};

/*
 * Take memory and check every name, number and size that the modules state; a module that contradicts
 * itself is our bug and aborts.  The registry and the state are kept.
 *
 * Errors: ERR_NO_SPACE.
 */
CHECKED enum err exec_init(struct arena *arena, const struct exec_options *options,
                           struct exec **out);

/*
 * Load the genesis into an empty overlay of height 0: parameters, accounts as account_create writes them, their
 * quota classes, the operator's row.
 *
 * Errors: ERR_FORM a rule of the modules that genesis_decode has not held; of the overlay.
 */
CHECKED enum err exec_genesis(struct exec *exec, struct overlay *overlay,
                              const struct genesis *genesis);

/*
 * Begin a block on its overlay: runs what is due, whose receipts come first.  A block that was begun before and
 * not ended is forgotten; its overlay is the caller's to drop.  Errors: of the overlay.
 */
CHECKED enum err exec_block_begin(struct exec *exec, struct overlay *overlay, uint64_t height,
                                  uint64_t time_ms);

/*
 * Run one transaction in the block.  EXEC_VALID: its effects (or its refusal, nonce and charge) and its
 * receipt stay; anything else leaves the overlay as it was.
 */
enum exec_validity exec_tx(struct exec *exec, struct bytes transaction);

struct exec_result {
    uint32_t due_count;
    uint32_t tx_count;
    uint64_t units_used; /* of due actions and transactions */
    uint8_t receipts_root[HASH_BYTES];
    uint8_t state_root[HASH_BYTES];
    struct bytes
        receipts; /* u32 count, then count times (u32 length, receipt); until the next block begins */
};

/* End the block: roots.  The overlay takes no change afterwards.  Errors: of the overlay. */
CHECKED enum err exec_block_end(struct exec *exec, struct exec_result *out);

/*
 * Would it be valid in a block of this time on `overlay`?  Changes nothing; no signature is checked.  May be asked
 * while a block is open.
 */
enum exec_validity exec_check(struct exec *exec, struct overlay *overlay, uint64_t time_ms,
                              const struct tx *tx);

/*
 * After exec_check said EXEC_VALID: the key, 33 bytes, behind signature `index` of that transaction, until the next
 * call of the executor.
 */
const uint8_t *exec_signer_key(const struct exec *exec, uint32_t index);

/* A block that is not there. */
struct exec_place {
    struct overlay *overlay; /* its parent's; not open for changes */
    uint64_t height;
    uint64_t time_ms;
};

/*
 * Run a transaction on a throw-away overlay, without looking at signatures, and give the receipt it would get, in
 * `arena`.  EXEC_FULL also when there is no free overlay or the arena is too small.
 */
enum exec_validity exec_simulate(struct exec *exec, const struct exec_place *place,
                                 struct bytes transaction, struct arena *arena,
                                 struct bytes *receipt);

/*
 * Is an action due in a block of this time on `overlay`?  `due_at_ms` is that of the first one, or UINT64_MAX.
 */
bool exec_due(struct exec *exec, struct overlay *overlay, uint64_t time_ms, uint64_t *due_at_ms);

/* After EXEC_FAULT: what failed. */
enum err exec_fault(const struct exec *exec);

/* The data of an action, its class for example; NULL: there is none. */
const struct action *exec_action(const struct exec *exec, uint32_t module, uint32_t action);

/* The full key of a row given by example, for proofs and RPC; false for a field that has the wrong size. */
CHECKED bool exec_row_key(const struct table *table, const void *row, struct table_key *out);

/*
 * contracts/register.txt: every module, table, field, action, event and status with its numbers, from the data.
 * Ends with a zero byte.  Errors: ERR_NO_SPACE.
 */
CHECKED enum err exec_register_text(const struct module *const *modules, char *out, size_t size);

#endif /* CONTRACTS_EXEC_H */

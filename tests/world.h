/*
 * tests/world.h -- a small chain in memory for tests of the executor: actors, transactions, blocks, rows.
 *
 * Everything is real but the signatures: a signature here is a hash of public key and tx_id, so that a test may
 * sign thousands of transactions.  All actors that the options name stand in the genesis; others can be created by
 * transactions.  Test keys are the secrets 1, 2, 3, ... and belong to nobody.
 *
 * A failed step fails the running test (tests/check.h).
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "contracts/exec.h"
#include "contracts/sigcache.h"
#include "contracts/tables.h"
#include "crypto/merkle.h"
#include "proto/params.h"
#include "tests/kv_memory.h"

enum {
    WORLD_ACTORS_MAX = 64,
    WORLD_KEYS_MAX = 3,
    WORLD_NOBODY = WORLD_ACTORS_MAX, /* as an actor: the payer, left out */
};

#define WORLD_GENESIS_MS UINT64_C(1780000000000)

struct world_actor {
    Accounts__Account__Type type;
    uint32_t key_count;
    Accounts__Key__Purpose purposes[WORLD_KEYS_MAX];
    uint32_t quota_class; /* in the genesis; 0: not there, to be created */
    bool keys_given;      /* public_keys are the test's own */
    bool salt_missing;

    /* Filled in by the world. */
    uint8_t id[ACCOUNT_BYTES];
    uint8_t public_keys[WORLD_KEYS_MAX][33];
    uint8_t secrets[WORLD_KEYS_MAX][32];
    struct bytes create; /* canonical AccountCreate */
    uint64_t next_nonce; /* of lane 0 */
};

struct world {
    struct arena memory;  /* of the node's parts */
    struct arena scratch; /* of one step */
    struct arena kept;    /* of payloads */
    struct kv *kv;
    struct state *state;
    struct exec *exec;
    struct params_set params;
    struct genesis genesis;
    struct world_actor actors[WORLD_ACTORS_MAX];
    uint32_t actor_count;
    struct overlay *overlay; /* of the open block; NULL: none */
    uint64_t height;
    uint64_t time_ms;
    bool real;                 /* signatures are ECDSA */
    uint64_t verified;         /* signatures that the verifier was asked about */
    struct merkle receipts;    /* of the open block's transactions, as simulated */
    struct exec_result result; /* of the block that ended last */
};

struct world_options {
    const struct registry *registry; /* NULL: registry_here */
    const struct world_actor
        *actors; /* the first is the operator and pays for validators, the second root */
    uint32_t actor_count;
    void (*parameters)(
        Chain__Parameters *parameters); /* change the production set; NULL: as it is */
    bool real;                          /* ECDSA instead of hashes */
    struct sigcache *cache;             /* before the verifier; NULL: none */
};

void world_open(struct world *world, const struct world_options *options);

/* What the world asks about signatures, for a cache before it. */
struct exec_verifier world_verifier(struct world *world);
void world_close(struct world *world);

/* Another actor, not in the genesis: its number.  One DEVICE key, or as `like` says. */
uint32_t world_add(struct world *world, Accounts__Account__Type type);
uint32_t world_add_like(struct world *world, const struct world_actor *like);

ProtobufCBinaryData world_id(const struct world *world, uint32_t actor);

/* -- Transactions. -- */

struct world_action {
    uint32_t module;
    uint32_t action;
    uint32_t actor; /* WORLD_NOBODY: the payer */
    struct bytes payload;
    uint8_t ref[32];
    bool has_ref;
};

struct world_signer {
    uint32_t actor;
    uint32_t key_id;
    bool wrong; /* a signature that does not hold */
};

struct world_tx {
    uint32_t payer;
    uint32_t lane;
    uint64_t nonce;
    uint64_t expiry_at_ms;
    uint8_t chain_id[HASH_BYTES];
    struct world_action actions[TX_ACTIONS_MAX];
    uint32_t action_count;
    struct world_signer signers[TX_SIGNATURES_MAX];
    uint32_t signer_count;
};

/* An empty transaction with the payer's next nonce, signed by its first key. */
void world_tx_begin(struct world *world, struct world_tx *tx, uint32_t payer);

/* An action of the module, by its place in the data. */
struct world_action *world_tx_act(struct world *world, struct world_tx *tx, uint32_t actor,
                                  const struct module *module, uint32_t place, const void *request);

/* Sign with a key of an actor too; twice the same changes nothing. */
void world_tx_sign(struct world_tx *tx, uint32_t actor, uint32_t key_id);

/* Canonical bytes, in memory that stays. */
struct bytes world_tx_bytes(struct world *world, const struct world_tx *tx);

/* AccountCreate of an actor, with all its signatures. */
void world_tx_create(struct world *world, struct world_tx *tx, uint32_t actor);

/* -- Blocks. -- */

/* Begin a block `later_ms` after the last one. */
void world_block(struct world *world, uint64_t later_ms);

/* End it, apply it, write it to the store. */
void world_block_end(struct world *world);

/* Run in the open block; the receipt of a valid one lives until the next step. */
enum exec_validity world_run(struct world *world, const struct world_tx *tx,
                             const Chain__Receipt **receipt);

/* The receipt of place `index` in the block that ended last. */
const Chain__Receipt *world_receipt(struct world *world, uint32_t index);

/* Run and demand acceptance. */
const Chain__Receipt *world_accepted(struct world *world, const struct world_tx *tx);

/*
 * Run and demand this refusal of action `failed`: no event, no row changed but usage; the nonce is used up, and the
 * payer's level is lower by the receipt's units.
 */
const Chain__Receipt *world_refused(struct world *world, const struct world_tx *tx,
                                    enum status status, uint32_t failed);

/* Run and demand that it may not stand here: nothing at all has changed. */
void world_invalid(struct world *world, const struct world_tx *tx, enum exec_validity validity);

/* One action of an actor who pays too, in one step. */
const Chain__Receipt *world_act(struct world *world, uint32_t actor, const struct module *module,
                                uint32_t place, const void *request);
const Chain__Receipt *world_act_refused(struct world *world, uint32_t actor,
                                        const struct module *module, uint32_t place,
                                        const void *request, enum status status);

/* -- Rows. -- */

/* A row by example, in scratch memory; NULL: none. */
const void *world_get(struct world *world, const struct table *table, const void *like);

/* Write a row past all rules, into the open block. */
void world_put(struct world *world, const struct table *table, const void *row);

/* How many rows begin with `fields` fields of an index. */
uint32_t world_count(struct world *world, const struct table *table, uint32_t index,
                     uint32_t fields, const void *like);

/* The table of a module by number. */
const struct table *world_table(const struct module *module, uint32_t number);

/* A hash of all rows and index entries, those of usage and coop_usage left out if `without_usage`. */
void world_digest(struct world *world, bool without_usage, uint8_t out[HASH_BYTES]);

/* Rebuild every index entry from the rows and compare with those that stand. */
void world_check_indexes(struct world *world);

/* -- The usual cast. -- */

enum {
    OPERATOR, /* organisation, quota class 3 */
    ROOT,     /* organisation, class 3 */
    FIRST,    /* organisations that become cooperatives, class 1 as account_create would give it */
    SECOND,
    CHAIR, /* person, with a DEVICE and a RECOVERY key */
    ANNA,  /* persons */
    BORIS,
    VERA,
    ROBOT, /* service account */
    CAST_COUNT,
};

/* The production parameters, but terms from a second; then changed by `parameters`, which may be NULL. */
void world_open_cast(struct world *world, void (*parameters)(Chain__Parameters *parameters));

/* The cast by itself, for other options. */
extern const struct world_actor world_cast[CAST_COUNT];

/* What world_coop registers. */
extern const Cooperatives__Policy world_policy;
Cooperatives__CoopRegister world_registration(const struct world *world,
                                              const Cooperatives__Policy *policy);

/* Register and activate the cooperative of an organisation, with CHAIR as its council: its number. */
uint64_t world_coop(struct world *world, uint32_t organisation);

/* An application as the policy wants it, and its decision. */
Membership__AdmissionApply world_application(const struct world *world, uint64_t coop,
                                             Membership__Member__Kind kind);
void world_admit(struct world *world, uint64_t coop, uint32_t actor);

#endif /* TESTS_WORLD_H */

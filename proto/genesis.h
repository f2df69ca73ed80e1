/*
 * proto/genesis.h -- genesis.bin, decoded and checked: the chain's id, its first validators, accounts and parameters.
 *
 * Source: docs/protocol/bytes.md 8.  chain_id = H(genesis: bytes).  Whatever a node could check later is
 * checked here, once, so that loading a decoded genesis into the state cannot be refused.
 */
#ifndef PROTO_GENESIS_H
#define PROTO_GENESIS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "proto/block.h"
#include "proto/canon.h"
#include "proto/messages.h"
#include "proto/params.h"
#include "proto/validators.h"

enum { GENESIS_BYTES_MAX = 16 << 20 };

/* Why a genesis is refused; genesis_fault_text says it in words. */
enum genesis_fault {
    GENESIS_OK,
    GENESIS_LENGTH,        /* empty, or longer than GENESIS_BYTES_MAX */
    GENESIS_NOT_CANONICAL, /* `canon` says why */
    GENESIS_TIME,          /* none, or behind the year 9999 */
    GENESIS_NO_PARAMETERS,
    GENESIS_PARAMETERS,        /* `params` says why */
    GENESIS_VALIDATOR_KEY,     /* validator `index` lacks its consensus key or node key */
    GENESIS_VALIDATOR_ORDER,   /* validators not ascending by consensus key, or one twice */
    GENESIS_NODE_KEY_TWICE,    /* two validators with one node key */
    GENESIS_VALIDATOR_ACCOUNT, /* the account of validator `index` is none of the accounts */
    GENESIS_ACCOUNT_CREATE, /* account `index`: `create` is not a canonical AccountCreate, `canon` says why */
    GENESIS_ACCOUNT_TYPE,    /* account `index` has no type */
    GENESIS_ACCOUNT_KEY,     /* account `index`: a key that is no point of the curve */
    GENESIS_ACCOUNT_PURPOSE, /* account `index`: a key without purpose, or no DEVICE key */
    GENESIS_ACCOUNT_QUOTA,   /* account `index`: no such quota class */
    GENESIS_ACCOUNT_ORDER,   /* accounts not ascending by account id, or one twice */
    GENESIS_KEY_TWICE,       /* a public key stands twice in the genesis */
    GENESIS_OPERATOR,        /* the operator is none of the accounts */
    GENESIS_ROOT,            /* nor is the root account */
    GENESIS_FEATURES,        /* features not ascending from 1, or one twice */
    GENESIS_NO_MEMORY,       /* the arena was full */
};

struct genesis_account {
    uint8_t id[ACCOUNT_BYTES]; /* H(account: create) */
    struct bytes create;       /* canonical AccountCreate */
    const Accounts__AccountCreate *message;
    uint32_t quota_class;
};

struct genesis {
    uint8_t chain_id[HASH_BYTES];
    uint64_t time_ms;
    const Chain__Parameters *parameters;
    uint8_t params_hash[HASH_BYTES];
    struct validator_set set; /* of epoch 1 */
    uint8_t valset_hash[HASH_BYTES];
    uint8_t operator_id[ACCOUNT_BYTES];
    uint8_t root_id[ACCOUNT_BYTES];
    const struct genesis_account *accounts; /* ascending by id */
    uint32_t account_count;
    const uint32_t *features; /* ascending */
    uint32_t feature_count;
    enum canon_fault
        canon; /* with a fault: what GENESIS_NOT_CANONICAL and GENESIS_ACCOUNT_CREATE mean */
    enum params_fault params; /* with GENESIS_PARAMETERS */
    uint32_t index;           /* of the validator or account that the fault is about */
};

/* Enough arena for any genesis of `count` bytes that is not made of empty entries. */
static inline size_t genesis_arena_bytes(size_t count)
{
    return ((size_t)1 << 20) + 32 * count;
}

/* Decode and check; what `out` points to lives in `arena`, and `bytes` are not needed any more. */
CHECKED enum genesis_fault genesis_decode(struct bytes bytes, struct arena *arena,
                                          struct genesis *out);

/* One word for vectors; one line for a person. */
const char *genesis_fault_name(enum genesis_fault fault);
const char *genesis_fault_text(enum genesis_fault fault);

/* The account of this id, or NULL. */
CHECKED const struct genesis_account *genesis_account_find(const struct genesis *genesis,
                                                           const uint8_t id[ACCOUNT_BYTES]);

/* The header of block 0 (consensus.md 8.2), `state_root` being that of the loaded genesis. */
void genesis_block_0(const struct genesis *genesis, const uint8_t state_root[HASH_BYTES],
                     struct block_header *out);

#endif /* PROTO_GENESIS_H */

/* tests/vectors/make_genesis.c -- genesis.json: a small genesis, what follows from it, and each fault of one. */
#include <string.h>

#include "base/arena.h"
#include "base/count.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "proto/genesis.h"
#include "tests/vectors/make_proto.h"

enum { VALIDATORS = 4, ACCOUNTS = 6 };

/* A genesis to be changed before it is packed: four validators, each with its organisation, an operator, a root. */
struct draft {
    Chain__Genesis message;
    struct params_set params;
    Chain__Validator validators[VALIDATORS];
    Chain__Validator *validator_list[VALIDATORS];
    uint8_t keys[VALIDATORS][2][32];
    Chain__GenesisAccount accounts[ACCOUNTS];
    Chain__GenesisAccount *account_list[ACCOUNTS];
    uint8_t creates[ACCOUNTS][256];
    uint8_t ids[ACCOUNTS][32];
    uint32_t features[2];
};

static ProtobufCBinaryData data(uint8_t *at, size_t count)
{
    return (ProtobufCBinaryData){.len = count, .data = at};
}

/* An organisation with a device key and a recovery key, both test keys. */
static void draft_account(struct draft *draft, uint32_t index)
{
    uint8_t secret[32];
    uint8_t public_keys[2][33];
    uint8_t salt[16];
    Accounts__AccountCreate__NewKey keys[2];
    Accounts__AccountCreate__NewKey *list[2] = {&keys[0], &keys[1]};
    Accounts__AccountCreate create = ACCOUNTS__ACCOUNT_CREATE__INIT;
    Chain__GenesisAccount *account = &draft->accounts[index];
    struct bytes packed;

    for (uint32_t i = 0; i < 2; i++) {
        make_account_key((uint8_t)(1 + 2 * index + i), secret, public_keys[i]);
        accounts__account_create__new_key__init(&keys[i]);
        keys[i].public_key = data(public_keys[i], 33);
        keys[i].purpose =
            i == 0 ? ACCOUNTS__KEY__PURPOSE__DEVICE : ACCOUNTS__KEY__PURPOSE__RECOVERY;
    }
    memset(salt, (int)(0x50 + index), sizeof salt);
    create.type = ACCOUNTS__ACCOUNT__TYPE__ORGANISATION;
    create.salt = data(salt, sizeof salt);
    create.keys = list;
    create.n_keys = 2;
    packed = canon_pack(&accounts__account_create__descriptor, &create, make_arena());
    INVARIANT(packed.count <= sizeof draft->creates[index]);
    memcpy(draft->creates[index], packed.at, packed.count);
    chain__genesis_account__init(account);
    account->create = data(draft->creates[index], packed.count);
    account->quota_class = QUOTA_WITHOUT_LIMIT;
    hash_of(TAG_ACCOUNT, packed, draft->ids[index]);
}

/* Ascending by id: the place of each account in the list, by insertion. */
static void draft_sort_accounts(struct draft *draft)
{
    uint8_t id[32];

    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        uint32_t at = i;

        memcpy(id, draft->ids[i], 32);
        while (at > 0 && memcmp(draft->ids[at - 1], id, 32) > 0) {
            memcpy(draft->ids[at], draft->ids[at - 1], 32);
            draft->account_list[at] = draft->account_list[at - 1];
            at -= 1;
        }
        memcpy(draft->ids[at], id, 32);
        draft->account_list[at] = &draft->accounts[i];
    }
}

static void draft_validator(struct draft *draft, uint32_t index)
{
    Chain__Validator *validator = &draft->validators[index];
    uint8_t secret[32];
    uint32_t at = index;

    make_consensus_key((uint8_t)(0x41 + index), secret, draft->keys[index][0]);
    memset(draft->keys[index][1], (int)(0x61 + index), 32);
    chain__validator__init(validator);
    validator->consensus_key = data(draft->keys[index][0], 32);
    validator->node_key = data(draft->keys[index][1], 32);
    while (at > 0 && memcmp(draft->validator_list[at - 1]->consensus_key.data,
                            draft->keys[index][0], 32) > 0) {
        draft->validator_list[at] = draft->validator_list[at - 1];
        at -= 1;
    }
    draft->validator_list[at] = validator;
}

static void draft_begin(struct draft *draft)
{
    memset(draft, 0, sizeof *draft);
    chain__genesis__init(&draft->message);
    params_production(&draft->params);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        draft_account(draft, i);
    }
    draft_sort_accounts(draft);
    for (uint32_t i = 0; i < VALIDATORS; i++) {
        draft_validator(draft, i);
    }
    for (uint32_t i = 0; i < VALIDATORS; i++) {
        draft->validator_list[i]->account = data(draft->ids[i], 32);
    }
    draft->features[0] = 1;
    draft->features[1] = 7;
    draft->message.genesis_at_ms = UINT64_C(1780000000000);
    draft->message.parameters = &draft->params.message;
    draft->message.n_validators = VALIDATORS;
    draft->message.validators = draft->validator_list;
    draft->message.operator_ = data(draft->ids[4], 32);
    draft->message.root = data(draft->ids[5], 32);
    draft->message.n_accounts = ACCOUNTS;
    draft->message.accounts = draft->account_list;
    draft->message.n_features = 2;
    draft->message.features = draft->features;
}

static void write_one(FILE *file, const char *name, const char *fault, const struct draft *draft)
{
    make_object(file);
    make_text(file, "name", name);
    make_text(file, "fault", fault);
    make_hex(file, "hex", canon_pack(&chain__genesis__descriptor, &draft->message, make_arena()));
    make_object_end(file);
}

/* What follows from the good one; each hash is computed again in the test. */
static void write_good(FILE *file)
{
    static struct draft draft;
    static struct genesis genesis;
    struct block_header header;
    uint8_t state_root[32];
    uint8_t encoded[BLOCK_HEADER_BYTES];
    uint8_t hash[32];
    struct arena *arena;
    struct bytes bytes;

    draft_begin(&draft);
    arena = make_arena();
    bytes = canon_pack(&chain__genesis__descriptor, &draft.message, arena);
    INVARIANT(genesis_decode(bytes, arena, &genesis) == GENESIS_OK);
    memset(state_root, 0x77, sizeof state_root);
    genesis_block_0(&genesis, state_root, &header);
    block_header_encode(&header, encoded);
    block_header_hash(&header, hash);
    make_object(file);
    make_text(file, "name", "four validators");
    make_text(file, "fault", "ok");
    make_hex(file, "hex", bytes);
    make_hex(file, "chain_id", bytes_of(genesis.chain_id, 32));
    make_hex(file, "params_hash", bytes_of(genesis.params_hash, 32));
    make_hex(file, "valset_hash", bytes_of(genesis.valset_hash, 32));
    make_hex(file, "operator", bytes_of(genesis.operator_id, 32));
    make_hex(file, "root", bytes_of(genesis.root_id, 32));
    make_hex(file, "state_root", bytes_of(state_root, 32));
    make_hex(file, "block_0", bytes_of(encoded, sizeof encoded));
    make_hex(file, "block_0_hash", bytes_of(hash, 32));
    make_object_end(file);
}

static void write_bad_validators(FILE *file)
{
    static struct draft draft;
    Chain__Validator *moved;

    draft_begin(&draft);
    draft.validators[1].consensus_key.len = 0;
    write_one(file, "a validator without consensus key", "validator_key", &draft);

    draft_begin(&draft);
    draft.validators[1].node_key.len = 0;
    write_one(file, "a validator without node key", "validator_key", &draft);

    draft_begin(&draft);
    moved = draft.validator_list[0];
    draft.validator_list[0] = draft.validator_list[1];
    draft.validator_list[1] = moved;
    write_one(file, "validators out of order", "validator_order", &draft);

    draft_begin(&draft);
    draft.validator_list[1]->consensus_key = draft.validator_list[0]->consensus_key;
    write_one(file, "a consensus key twice", "validator_order", &draft);

    draft_begin(&draft);
    draft.validators[2].node_key = draft.validators[0].node_key;
    write_one(file, "a node key twice", "node_key_twice", &draft);

    draft_begin(&draft);
    draft.validators[2].account.len = 0;
    write_one(file, "a validator without account", "validator_account", &draft);

    draft_begin(&draft);
    draft.validators[2].account = draft.validators[2].node_key;
    write_one(file, "a validator whose account is not there", "validator_account", &draft);
}

/* Make one account of another AccountCreate: replace byte `at` of it, or write it anew. */
static void write_bad_create(FILE *file, const char *name, const char *fault, size_t at,
                             uint8_t byte)
{
    static struct draft draft;

    draft_begin(&draft);
    draft.account_list[3]->create.data[at] = byte;
    write_one(file, name, fault, &draft);
}

static void write_bad_accounts(FILE *file)
{
    static struct draft draft;
    Chain__GenesisAccount *moved;

    /* AccountCreate is 08 type, 12 10 salt, then twice 1a 25, 0a 21 key, 10 purpose. */
    write_bad_create(file, "an account of an unknown type", "account_create", 1, 9);
    write_bad_create(file, "an account without type", "account_create", 1, 0);
    write_bad_create(file, "a key that is no point", "account_key", 24, 5);
    write_bad_create(file, "no device key", "account_purpose", 58,
                     ACCOUNTS__KEY__PURPOSE__RECOVERY);

    draft_begin(&draft);
    draft.accounts[0].create.data += 2;
    draft.accounts[0].create.len -= 2;
    write_one(file, "an account whose type is left out", "account_type", &draft);

    draft_begin(&draft);
    draft.accounts[0].quota_class = 4;
    write_one(file, "quota class 4", "account_quota", &draft);

    draft_begin(&draft);
    moved = draft.account_list[0];
    draft.account_list[0] = draft.account_list[1];
    draft.account_list[1] = moved;
    write_one(file, "accounts out of order", "account_order", &draft);

    draft_begin(&draft);
    draft.account_list[1] = draft.account_list[0];
    write_one(file, "an account twice", "account_order", &draft);

    draft_begin(&draft);
    memcpy(draft.creates[1] + 24, draft.creates[0] + 24, 33);
    for (uint32_t i = 0; i < ACCOUNTS; i++) { /* sort again, from all ids */
        draft.account_list[i] = NULL;
        hash_of(TAG_ACCOUNT, bytes_of(draft.creates[i], draft.accounts[i].create.len),
                draft.ids[i]);
    }
    draft_sort_accounts(&draft);
    write_one(file, "a public key in two accounts", "key_twice", &draft);
}

static void write_bad_rest(FILE *file)
{
    static struct draft draft;
    static uint8_t nobody[32] = {9};

    draft_begin(&draft);
    draft.message.genesis_at_ms = 0;
    write_one(file, "no time", "time", &draft);

    draft_begin(&draft);
    draft.message.parameters = NULL;
    write_one(file, "no parameters", "no_parameters", &draft);

    draft_begin(&draft);
    draft.params.message.delta_ms = 99;
    write_one(file, "D of 99 ms", "parameters", &draft);

    draft_begin(&draft);
    draft.message.operator_ = data(nobody, 32);
    write_one(file, "an operator that is not there", "operator", &draft);

    draft_begin(&draft);
    draft.message.operator_.len = 0;
    write_one(file, "no operator", "operator", &draft);

    draft_begin(&draft);
    draft.message.root = data(nobody, 32);
    write_one(file, "a root that is not there", "root", &draft);

    draft_begin(&draft);
    draft.features[1] = 1;
    write_one(file, "a feature twice", "features", &draft);

    draft_begin(&draft);
    draft.features[0] = 0;
    write_one(file, "feature 0", "features", &draft);

    draft_begin(&draft);
    draft.message.n_validators = 0;
    write_one(file, "no validator", "not_canonical", &draft);

    draft_begin(&draft);
    draft.message.n_accounts = 0;
    write_one(file, "no account", "not_canonical", &draft);
}

void make_genesis(const char *folder)
{
    FILE *file = make_open(
        folder, "genesis",
        "genesis.bin (docs/protocol/bytes.md 8): chain id, hashes, block 0 with a state root of "
        "bytes 77, and each fault.  All keys are test keys.");

    make_list(file, "vectors");
    write_good(file);
    write_bad_validators(file);
    write_bad_accounts(file);
    write_bad_rest(file);
    make_list_end(file);
    make_close(file);
}

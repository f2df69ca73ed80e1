#include "proto/genesis.h"

#include <string.h>

#include "base/count.h"
#include "crypto/ecdsa.h"
#include "crypto/hash.h"

#define YEAR_10000_MS UINT64_C(253402300800000)

static struct bytes view(ProtobufCBinaryData data)
{
    return bytes_of(data.data, data.len);
}

static void key_copy(ProtobufCBinaryData data, uint8_t out[32])
{
    INVARIANT(data.len == 32);
    memcpy(out, data.data, 32);
}

/* The set of epoch 1: form, order, keys of its own. */
static enum genesis_fault validators_load(const Chain__Genesis *message, struct genesis *out)
{
    struct validator_set *set = &out->set;

    INVARIANT(message->n_validators <= VALIDATORS_MAX); /* max_count of the schema */
    set->count = (uint16_t)message->n_validators;
    for (uint32_t i = 0; i < set->count; i++) {
        const Chain__Validator *from = message->validators[i];
        struct validator *to = &set->members[i];

        out->index = i;
        if (from->consensus_key.len == 0 || from->node_key.len == 0) {
            return GENESIS_VALIDATOR_KEY;
        }
        key_copy(from->consensus_key, to->consensus_key);
        key_copy(from->node_key, to->node_key);
        for (uint32_t j = 0; j < i; j++) {
            if (hash_equal(set->members[j].node_key, to->node_key)) {
                return GENESIS_NODE_KEY_TWICE;
            }
        }
        if (from->account.len == 0) {
            return GENESIS_VALIDATOR_ACCOUNT;
        }
        key_copy(from->account, to->account);
    }
    if (!validators_ordered(set)) {
        return GENESIS_VALIDATOR_ORDER;
    }
    validators_hash(set, out->valset_hash);
    return GENESIS_OK;
}

/* What the module `accounts` would refuse in an account_create: rules AC-3 and AC-6, and keys off the curve. */
static enum genesis_fault account_check(const Accounts__AccountCreate *create)
{
    bool has_device = false;

    if (create->type == ACCOUNTS__ACCOUNT__TYPE__TYPE_UNSPECIFIED) {
        return GENESIS_ACCOUNT_TYPE;
    }
    for (size_t i = 0; i < create->n_keys; i++) {
        const Accounts__AccountCreate__NewKey *key = create->keys[i];

        if (key->public_key.len != ECDSA_PUBLIC_BYTES || !ecdsa_key_valid(key->public_key.data)) {
            return GENESIS_ACCOUNT_KEY;
        }
        if (key->purpose == ACCOUNTS__KEY__PURPOSE__UNSPECIFIED) {
            return GENESIS_ACCOUNT_PURPOSE;
        }
        has_device = has_device || key->purpose == ACCOUNTS__KEY__PURPOSE__DEVICE;
    }
    return has_device ? GENESIS_OK : GENESIS_ACCOUNT_PURPOSE;
}

static enum genesis_fault account_load(const Chain__GenesisAccount *from, struct arena *arena,
                                       struct genesis *out, struct genesis_account *to)
{
    enum genesis_fault fault;

    to->create = view(from->create);
    to->quota_class = from->quota_class;
    to->message = (const Accounts__AccountCreate *)canon_unpack(
        &accounts__account_create__descriptor, to->create, arena, &out->canon);
    if (to->message == NULL) {
        return out->canon == CANON_OK ? GENESIS_NO_MEMORY : GENESIS_ACCOUNT_CREATE;
    }
    hash_of(TAG_ACCOUNT, to->create, to->id);
    fault = account_check(to->message);
    if (fault != GENESIS_OK) {
        return fault;
    }
    if (to->quota_class < QUOTA_PERSON || to->quota_class > QUOTA_WITHOUT_LIMIT) {
        return GENESIS_ACCOUNT_QUOTA;
    }
    return GENESIS_OK;
}

static int key_order(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, ECDSA_PUBLIC_BYTES);
}

/* Let keys[at] sink in a heap of `count` whose largest key is keys[0]. */
static void heap_sink(const uint8_t **keys, size_t count, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        const uint8_t *moved = keys[at];

        if (child >= count) {
            return;
        }
        if (child + 1 < count && key_order(keys[child], keys[child + 1]) < 0) {
            child += 1;
        }
        if (key_order(moved, keys[child]) >= 0) {
            return;
        }
        keys[at] = keys[child];
        keys[child] = moved;
        at = child;
    }
}

static void keys_sort(const uint8_t **keys, size_t count)
{
    for (size_t i = count / 2; i > 0; i--) {
        heap_sink(keys, count, i - 1);
    }
    for (size_t i = count; i > 1; i--) {
        const uint8_t *largest = keys[0];

        keys[0] = keys[i - 1];
        keys[i - 1] = largest;
        heap_sink(keys, i - 1, 0);
    }
}

/* A public key belongs to one account, and stands once in its set (AC-4). */
static enum genesis_fault keys_check(const struct genesis *genesis, struct arena *arena)
{
    const size_t used = arena->used;
    const uint8_t **keys;
    size_t count = 0;
    enum genesis_fault fault = GENESIS_OK;

    for (uint32_t i = 0; i < genesis->account_count; i++) {
        count += genesis->accounts[i].message->n_keys;
    }
    keys = arena_take(arena, count * sizeof *keys);
    if (keys == NULL) {
        return GENESIS_NO_MEMORY;
    }
    count = 0;
    for (uint32_t i = 0; i < genesis->account_count; i++) {
        const Accounts__AccountCreate *create = genesis->accounts[i].message;

        for (size_t j = 0; j < create->n_keys; j++) {
            keys[count] = create->keys[j]->public_key.data;
            count += 1;
        }
    }
    keys_sort(keys, count);
    for (size_t i = 1; i < count; i++) {
        if (key_order(keys[i - 1], keys[i]) == 0) {
            fault = GENESIS_KEY_TWICE;
        }
    }
    arena->used = used;
    return fault;
}

static enum genesis_fault accounts_load(const Chain__Genesis *message, struct arena *arena,
                                        struct genesis *out)
{
    struct genesis_account *accounts =
        arena_take(arena, message->n_accounts * sizeof(struct genesis_account));

    if (accounts == NULL) {
        return GENESIS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < message->n_accounts; i++) {
        enum genesis_fault fault;

        out->index = i;
        fault = account_load(message->accounts[i], arena, out, &accounts[i]);
        if (fault != GENESIS_OK) {
            return fault;
        }
        if (i > 0 && memcmp(accounts[i - 1].id, accounts[i].id, ACCOUNT_BYTES) >= 0) {
            return GENESIS_ACCOUNT_ORDER;
        }
    }
    out->accounts = accounts;
    out->account_count = (uint32_t)message->n_accounts;
    return keys_check(out, arena);
}

const struct genesis_account *genesis_account_find(const struct genesis *genesis,
                                                   const uint8_t id[ACCOUNT_BYTES])
{
    uint32_t low = 0;
    uint32_t high = genesis->account_count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = memcmp(genesis->accounts[middle].id, id, ACCOUNT_BYTES);

        if (order == 0) {
            return &genesis->accounts[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* Those who are named elsewhere are among the accounts. */
static enum genesis_fault names_check(const Chain__Genesis *message, struct genesis *out)
{
    if (message->operator_.len == 0) {
        return GENESIS_OPERATOR;
    }
    key_copy(message->operator_, out->operator_id);
    if (genesis_account_find(out, out->operator_id) == NULL) {
        return GENESIS_OPERATOR;
    }
    if (message->root.len == 0) {
        return GENESIS_ROOT;
    }
    key_copy(message->root, out->root_id);
    if (genesis_account_find(out, out->root_id) == NULL) {
        return GENESIS_ROOT;
    }
    for (uint32_t i = 0; i < out->set.count; i++) {
        if (genesis_account_find(out, out->set.members[i].account) == NULL) {
            out->index = i;
            return GENESIS_VALIDATOR_ACCOUNT;
        }
    }
    return GENESIS_OK;
}

static enum genesis_fault features_load(const Chain__Genesis *message, struct genesis *out)
{
    for (size_t i = 0; i < message->n_features; i++) {
        if (message->features[i] <= (i == 0 ? 0 : message->features[i - 1])) {
            return GENESIS_FEATURES;
        }
    }
    out->features = message->features;
    out->feature_count = (uint32_t)message->n_features; /* max_count of the schema */
    return GENESIS_OK;
}

static enum genesis_fault params_load(const Chain__Genesis *message, struct arena *arena,
                                      struct genesis *out)
{
    if (message->parameters == NULL) {
        return GENESIS_NO_PARAMETERS;
    }
    out->parameters = message->parameters;
    out->params = params_check(out->parameters);
    if (out->params != PARAMS_OK) {
        return GENESIS_PARAMETERS;
    }
    return params_hash(out->parameters, arena, out->params_hash) == ERR_OK ? GENESIS_OK
                                                                           : GENESIS_NO_MEMORY;
}

enum genesis_fault genesis_decode(struct bytes bytes, struct arena *arena, struct genesis *out)
{
    const Chain__Genesis *message;
    enum genesis_fault fault;

    memset(out, 0, sizeof *out);
    if (bytes.count == 0 || bytes.count > GENESIS_BYTES_MAX) {
        return GENESIS_LENGTH;
    }
    hash_of(TAG_GENESIS, bytes, out->chain_id);
    message = (const Chain__Genesis *)canon_unpack(&chain__genesis__descriptor, bytes, arena,
                                                   &out->canon);
    if (message == NULL) {
        return out->canon == CANON_OK ? GENESIS_NO_MEMORY : GENESIS_NOT_CANONICAL;
    }
    out->time_ms = message->genesis_at_ms;
    if (out->time_ms == 0 || out->time_ms >= YEAR_10000_MS) {
        return GENESIS_TIME;
    }
    fault = params_load(message, arena, out);
    if (fault == GENESIS_OK) {
        fault = validators_load(message, out);
    }
    if (fault == GENESIS_OK) {
        fault = accounts_load(message, arena, out);
    }
    if (fault == GENESIS_OK) {
        fault = names_check(message, out);
    }
    return fault == GENESIS_OK ? features_load(message, out) : fault;
}

const char *genesis_fault_name(enum genesis_fault fault)
{
    static const char *const names[] = {
        [GENESIS_OK] = "ok",
        [GENESIS_LENGTH] = "length",
        [GENESIS_NOT_CANONICAL] = "not_canonical",
        [GENESIS_TIME] = "time",
        [GENESIS_NO_PARAMETERS] = "no_parameters",
        [GENESIS_PARAMETERS] = "parameters",
        [GENESIS_VALIDATOR_KEY] = "validator_key",
        [GENESIS_VALIDATOR_ORDER] = "validator_order",
        [GENESIS_NODE_KEY_TWICE] = "node_key_twice",
        [GENESIS_VALIDATOR_ACCOUNT] = "validator_account",
        [GENESIS_ACCOUNT_CREATE] = "account_create",
        [GENESIS_ACCOUNT_TYPE] = "account_type",
        [GENESIS_ACCOUNT_KEY] = "account_key",
        [GENESIS_ACCOUNT_PURPOSE] = "account_purpose",
        [GENESIS_ACCOUNT_QUOTA] = "account_quota",
        [GENESIS_ACCOUNT_ORDER] = "account_order",
        [GENESIS_KEY_TWICE] = "key_twice",
        [GENESIS_OPERATOR] = "operator",
        [GENESIS_ROOT] = "root",
        [GENESIS_FEATURES] = "features",
        [GENESIS_NO_MEMORY] = "no_memory",
    };

    return (size_t)fault < COUNT_OF(names) ? names[fault] : "?";
}

const char *genesis_fault_text(enum genesis_fault fault)
{
    static const char *const texts[] = {
        [GENESIS_OK] = "good",
        [GENESIS_LENGTH] = "the file is empty or longer than 16 MiB",
        [GENESIS_NOT_CANONICAL] = "the file is not a canonical Genesis message",
        [GENESIS_TIME] = "genesis_at_ms is missing or behind the year 9999",
        [GENESIS_NO_PARAMETERS] = "there are no parameters",
        [GENESIS_PARAMETERS] = "a parameter is out of its bounds",
        [GENESIS_VALIDATOR_KEY] = "a validator lacks its consensus key or node key",
        [GENESIS_VALIDATOR_ORDER] = "the validators are not in ascending order of consensus keys",
        [GENESIS_NODE_KEY_TWICE] = "two validators have the same node key",
        [GENESIS_VALIDATOR_ACCOUNT] = "the account of a validator is not among the accounts",
        [GENESIS_ACCOUNT_CREATE] = "an account is not a canonical AccountCreate message",
        [GENESIS_ACCOUNT_TYPE] = "an account has no type",
        [GENESIS_ACCOUNT_KEY] = "a key of an account is no point of secp256k1",
        [GENESIS_ACCOUNT_PURPOSE] =
            "a key of an account has no purpose, or none of them is a device key",
        [GENESIS_ACCOUNT_QUOTA] = "an account has a quota class other than 1, 2 or 3",
        [GENESIS_ACCOUNT_ORDER] = "the accounts are not in ascending order of account ids",
        [GENESIS_KEY_TWICE] = "a public key stands twice",
        [GENESIS_OPERATOR] = "the operator is not among the accounts",
        [GENESIS_ROOT] = "the root account is not among the accounts",
        [GENESIS_FEATURES] = "the features are not ascending numbers from 1",
        [GENESIS_NO_MEMORY] = "there is not enough memory",
    };

    return (size_t)fault < COUNT_OF(texts) ? texts[fault] : "?";
}

void genesis_block_0(const struct genesis *genesis, const uint8_t state_root[HASH_BYTES],
                     struct block_header *out)
{
    *out = (struct block_header){.version = BLOCK_VERSION, .flags = BLOCK_EPOCH_END};
    out->time_ms = genesis->time_ms;
    memcpy(out->chain_id, genesis->chain_id, HASH_BYTES);
    memcpy(out->state_root, state_root, HASH_BYTES);
    memcpy(out->next_valset_hash, genesis->valset_hash, HASH_BYTES);
    memcpy(out->params_hash, genesis->params_hash, HASH_BYTES);
}

#include "tests/world.h"

#include <stdlib.h>
#include <string.h>

#include "contracts/core.h"
#include "contracts/modules/cooperatives/interface.h"
#include "contracts/modules/membership/interface.h"
#include "contracts/nonce.h"
#include "crypto/ecdsa.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "proto/canon.h"
#include "tests/check.h"

enum {
    SCRATCH_BYTES = 32 << 20,
    KEPT_BYTES = 64 << 20,
    OVERLAY_BYTES = 64 << 20,
    BATCH_BYTES = 64 << 20,
};

static ProtobufCBinaryData field(const void *at, size_t count)
{
    ProtobufCBinaryData out = {.len = count};

    memcpy(&out.data, &at, sizeof out.data);
    return out;
}

static struct bytes keep(struct world *world, struct bytes from)
{
    void *copy = arena_take(&world->kept, from.count + 1);

    CHECK(copy != NULL && from.at != NULL);
    memcpy(copy, from.at, from.count);
    return bytes_of(copy, from.count);
}

/* -- Signatures that are hashes. -- */

static void hash_signature(const uint8_t public_key[33], const uint8_t tx_id[HASH_BYTES],
                           uint8_t out[SIGNATURE_BYTES])
{
    const struct bytes parts[] = {bytes_of(public_key, 33), bytes_of(tx_id, HASH_BYTES)};

    hash_parts(TAG_VOTE, parts, 2, out);
    hash_parts(TAG_WAL, parts, 2, out + HASH_BYTES);
}

static bool world_verified(void *self, const uint8_t public_key[33],
                           const uint8_t tx_id[HASH_BYTES],
                           const uint8_t signature[SIGNATURE_BYTES])
{
    struct world *world = self;
    uint8_t right[SIGNATURE_BYTES];

    world->verified += 1;
    if (world->real) {
        return ecdsa_verify(public_key, tx_id, signature);
    }
    hash_signature(public_key, tx_id, right);
    return memcmp(right, signature, SIGNATURE_BYTES) == 0;
}

static bool world_key_valid(void *self, const uint8_t public_key[33])
{
    (void)self;
    return ecdsa_key_valid(public_key);
}

struct exec_verifier world_verifier(struct world *world)
{
    return (struct exec_verifier){
        .self = world, .verified = world_verified, .key_valid = world_key_valid};
}

/* -- Actors and genesis. -- */

static void actor_make(struct world *world, uint32_t index)
{
    struct world_actor *actor = &world->actors[index];
    Accounts__AccountCreate__NewKey keys[WORLD_KEYS_MAX];
    Accounts__AccountCreate__NewKey *list[WORLD_KEYS_MAX];
    uint8_t salt[16];
    Accounts__AccountCreate create = {.type = actor->type, .keys = list};
    struct bytes packed;

    for (uint32_t i = 0; i < actor->key_count; i++) {
        if (!actor->keys_given) {
            actor->secrets[i][30] = (uint8_t)(index + 1);
            actor->secrets[i][31] = (uint8_t)(i + 1);
            CHECK(ecdsa_public(actor->secrets[i], actor->public_keys[i]));
        }
        keys[i] = (Accounts__AccountCreate__NewKey){.public_key = field(actor->public_keys[i], 33),
                                                    .purpose = actor->purposes[i]};
        list[i] = &keys[i];
    }
    memset(salt, (int)(0x30 + index), sizeof salt);
    create.salt = field(salt, actor->salt_missing ? 0 : sizeof salt);
    create.n_keys = actor->key_count;
    packed = canon_pack(&accounts__account_create__descriptor, &create, &world->scratch);
    actor->create = keep(world, packed);
    hash_of(TAG_ACCOUNT, actor->create, actor->id);
}

uint32_t world_add_like(struct world *world, const struct world_actor *like)
{
    const uint32_t index = world->actor_count;

    CHECK(index < WORLD_ACTORS_MAX);
    world->actors[index] = *like;
    world->actor_count += 1;
    actor_make(world, index);
    return index;
}

uint32_t world_add(struct world *world, Accounts__Account__Type type)
{
    return world_add_like(
        world, &(struct world_actor){
                   .type = type, .key_count = 1, .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE}});
}

ProtobufCBinaryData world_id(const struct world *world, uint32_t actor)
{
    return field(world->actors[actor].id, ACCOUNT_BYTES);
}

/* The numbers of the genesis' actors, ascending by account id. */
static uint32_t genesis_order(const struct world *world, uint32_t *order)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->actor_count; i++) {
        uint32_t at = count;

        if (world->actors[i].quota_class == 0) {
            continue;
        }
        while (at > 0 && memcmp(world->actors[order[at - 1]].id, world->actors[i].id, 32) > 0) {
            order[at] = order[at - 1];
            at -= 1;
        }
        order[at] = i;
        count += 1;
    }
    return count;
}

static void genesis_make(struct world *world)
{
    Chain__GenesisAccount accounts[WORLD_ACTORS_MAX];
    Chain__GenesisAccount *list[WORLD_ACTORS_MAX];
    uint32_t order[WORLD_ACTORS_MAX];
    const uint32_t count = genesis_order(world, order);
    const uint8_t seed[ED25519_SECRET_BYTES] = {7};
    uint8_t consensus_key[32];
    uint8_t node_key[32];
    Chain__Validator validator;
    Chain__Validator *validators[] = {&validator};
    struct bytes packed;
    enum genesis_fault fault;

    ed25519_public(seed, consensus_key);
    memset(node_key, 9, sizeof node_key);
    validator = (Chain__Validator){.consensus_key = field(consensus_key, 32),
                                   .node_key = field(node_key, 32),
                                   .account = world_id(world, 0)};
    for (uint32_t i = 0; i < count; i++) {
        const struct world_actor *actor = &world->actors[order[i]];

        accounts[i] =
            (Chain__GenesisAccount){.create = field(actor->create.at, actor->create.count),
                                    .quota_class = actor->quota_class};
        list[i] = &accounts[i];
    }
    packed = canon_pack(&chain__genesis__descriptor,
                        &(Chain__Genesis){
                            .genesis_at_ms = WORLD_GENESIS_MS,
                            .parameters = &world->params.message,
                            .n_validators = 1,
                            .validators = validators,
                            .operator_ = world_id(world, 0),
                            .root = world_id(world, 1),
                            .n_accounts = count,
                            .accounts = list,
                        },
                        &world->scratch);
    CHECK(packed.at != NULL);
    fault = genesis_decode(packed, &world->memory, &world->genesis);
    if (fault != GENESIS_OK) {
        check_failed(__FILE__, __LINE__, "genesis: %s", genesis_fault_text(fault));
    }
}

static void world_apply(struct world *world, struct overlay *overlay)
{
    struct arena memory;
    struct kv_batch batch;

    CHECK(arena_open(&memory, BATCH_BYTES) == ERR_OK);
    kv_batch_init(&batch, &memory);
    CHECK(state_apply(overlay, &batch) == ERR_OK);
    CHECK(kv_write(world->kv, &batch, true) == ERR_OK);
    state_written(world->state, world->height);
    arena_close(&memory);
}

static void world_genesis(struct world *world)
{
    struct overlay *overlay = overlay_begin(world->state, NULL, 0);
    uint8_t root[HASH_BYTES];

    CHECK(overlay != NULL);
    CHECK(exec_genesis(world->exec, overlay, &world->genesis) == ERR_OK);
    CHECK(overlay_root(overlay, root) == ERR_OK);
    world_apply(world, overlay);
}

void world_open(struct world *world, const struct world_options *options)
{
    const struct state_options state_options = {
        .overlay_bytes = OVERLAY_BYTES,
        .retain_versions = 1000,
    };
    struct exec_options given = {
        .registry = options->registry == NULL ? &registry_here : options->registry,
        .verifier =
            options->cache == NULL ? world_verifier(world) : sigcache_verifier(options->cache),
        .genesis = &world->genesis,
    };

    memset(world, 0, sizeof *world);
    world->real = options->real;
    CHECK(arena_open(&world->memory,
                     exec_footprint() + state_footprint(&state_options) + (16 << 20)) == ERR_OK);
    CHECK(arena_open(&world->scratch, SCRATCH_BYTES) == ERR_OK);
    CHECK(arena_open(&world->kept, KEPT_BYTES) == ERR_OK);
    params_production(&world->params);
    if (options->parameters != NULL) {
        options->parameters(&world->params.message);
    }
    for (uint32_t i = 0; i < options->actor_count; i++) {
        world->actors[i] = options->actors[i];
        world->actor_count += 1;
        actor_make(world, i);
    }
    genesis_make(world);
    world->kv = kv_memory_open();
    world->time_ms = WORLD_GENESIS_MS;
    CHECK(state_open(&state_options, world->kv, &world->memory, &world->state) == ERR_OK);
    given.state = world->state;
    CHECK(exec_init(&world->memory, &given, &world->exec) == ERR_OK);
    world_genesis(world);
}

void world_close(struct world *world)
{
    if (world->overlay != NULL) {
        overlay_drop(world->overlay);
    }
    kv_close(world->kv);
    arena_close(&world->kept);
    arena_close(&world->scratch);
    arena_close(&world->memory);
}

/* -- Transactions. -- */

void world_tx_begin(struct world *world, struct world_tx *tx, uint32_t payer)
{
    memset(tx, 0, sizeof *tx);
    tx->payer = payer;
    tx->nonce = world->actors[payer].next_nonce;
    tx->expiry_at_ms = world->time_ms + 60000;
    memcpy(tx->chain_id, world->genesis.chain_id, HASH_BYTES);
    world->actors[payer].next_nonce += 1;
    world_tx_sign(tx, payer, 0);
}

struct world_action *world_tx_act(struct world *world, struct world_tx *tx, uint32_t actor,
                                  const struct module *module, uint32_t place, const void *request)
{
    struct world_action *action = &tx->actions[tx->action_count];
    const struct action *data = &module->actions[place];
    const size_t used = world->scratch.used;
    struct bytes packed = canon_pack(data->request, request, &world->scratch);

    CHECK(tx->action_count < TX_ACTIONS_MAX);
    *action = (struct world_action){
        .module = module->number,
        .action = data->number,
        .actor = actor == tx->payer ? WORLD_NOBODY : actor,
        .payload = keep(world, packed),
    };
    tx->action_count += 1;
    world->scratch.used = used;
    return action;
}

void world_tx_sign(struct world_tx *tx, uint32_t actor, uint32_t key_id)
{
    for (uint32_t i = 0; i < tx->signer_count; i++) {
        if (tx->signers[i].actor == actor && tx->signers[i].key_id == key_id) {
            return;
        }
    }
    CHECK(tx->signer_count < TX_SIGNATURES_MAX);
    tx->signers[tx->signer_count] = (struct world_signer){.actor = actor, .key_id = key_id};
    tx->signer_count += 1;
}

void world_tx_create(struct world *world, struct world_tx *tx, uint32_t actor)
{
    const struct world_actor *created = &world->actors[actor];

    CHECK(tx->action_count < TX_ACTIONS_MAX);
    tx->actions[tx->action_count] =
        (struct world_action){.module = 1, .action = 1, .actor = actor, .payload = created->create};
    tx->action_count += 1;
    for (uint32_t i = 0; i < created->key_count; i++) {
        world_tx_sign(tx, actor, i);
    }
}

/* Does signer a come before b?  The payer's are left empty, and so come first. */
static bool signer_before(const struct world *world, const struct world_tx *tx,
                          const struct world_signer *a, const struct world_signer *b)
{
    if (a->actor == b->actor) {
        return a->key_id < b->key_id;
    }
    if (a->actor == tx->payer || b->actor == tx->payer) {
        return a->actor == tx->payer;
    }
    return memcmp(world->actors[a->actor].id, world->actors[b->actor].id, ACCOUNT_BYTES) < 0;
}

static struct bytes tx_body(const struct world *world, const struct world_tx *tx,
                            struct arena *arena)
{
    Chain__Action actions[TX_ACTIONS_MAX];
    Chain__Action *list[TX_ACTIONS_MAX];

    for (uint32_t i = 0; i < tx->action_count; i++) {
        const struct world_action *from = &tx->actions[i];

        actions[i] = (Chain__Action){
            .module = from->module,
            .action = from->action,
            .payload = field(from->payload.at, from->payload.count),
        };
        if (from->actor != WORLD_NOBODY) {
            actions[i].actor = world_id(world, from->actor);
        }
        if (from->has_ref) {
            actions[i].ref = field(from->ref, sizeof from->ref);
        }
        list[i] = &actions[i];
    }
    return canon_pack(&chain__tx_body__descriptor,
                      &(Chain__TxBody){
                          .chain_id = field(tx->chain_id, HASH_BYTES),
                          .account = world_id(world, tx->payer),
                          .lane = tx->lane,
                          .nonce = tx->nonce,
                          .expiry_at_ms = tx->expiry_at_ms,
                          .n_actions = tx->action_count,
                          .actions = list,
                      },
                      arena);
}

struct bytes world_tx_bytes(struct world *world, const struct world_tx *tx)
{
    struct world_signer sorted[TX_SIGNATURES_MAX];
    Chain__Signature signatures[TX_SIGNATURES_MAX];
    Chain__Signature *list[TX_SIGNATURES_MAX];
    uint8_t sig64[TX_SIGNATURES_MAX][SIGNATURE_BYTES];
    uint8_t tx_id[HASH_BYTES];
    struct arena arena;
    struct bytes body;
    struct bytes packed;

    CHECK(arena_open(&arena, 1 << 20) == ERR_OK);
    body = tx_body(world, tx, &arena);
    hash_of(TAG_TX, body, tx_id);
    for (uint32_t i = 0; i < tx->signer_count; i++) {
        uint32_t at = i;

        while (at > 0 && signer_before(world, tx, &tx->signers[i], &sorted[at - 1])) {
            sorted[at] = sorted[at - 1];
            at -= 1;
        }
        sorted[at] = tx->signers[i];
    }
    for (uint32_t i = 0; i < tx->signer_count; i++) {
        const struct world_actor *actor = &world->actors[sorted[i].actor];
        const uint32_t key = sorted[i].key_id < WORLD_KEYS_MAX ? sorted[i].key_id : 0;

        if (world->real) {
            CHECK(ecdsa_sign(actor->secrets[key], tx_id, sig64[i]));
        } else {
            hash_signature(actor->public_keys[key], tx_id, sig64[i]);
        }
        sig64[i][0] ^= sorted[i].wrong ? 1 : 0;
        signatures[i] = (Chain__Signature){.key_id = sorted[i].key_id,
                                           .sig64 = field(sig64[i], SIGNATURE_BYTES)};
        if (sorted[i].actor != tx->payer) {
            signatures[i].account = world_id(world, sorted[i].actor);
        }
        list[i] = &signatures[i];
    }
    packed = canon_pack(&chain__tx__descriptor,
                        &(Chain__Tx){.body = field(body.at, body.count),
                                     .n_signatures = tx->signer_count,
                                     .signatures = list},
                        &arena);
    packed = keep(world, packed);
    arena_close(&arena);
    return packed;
}

/* -- Blocks. -- */

void world_block(struct world *world, uint64_t later_ms)
{
    CHECK(world->overlay == NULL);
    world->height += 1;
    world->time_ms += later_ms;
    world->overlay = overlay_begin(world->state, NULL, world->height);
    CHECK(world->overlay != NULL);
    merkle_begin(&world->receipts);
    CHECK(exec_block_begin(world->exec, world->overlay, world->height, world->time_ms) == ERR_OK);
}

/* Where receipt `index` stands among the block's, and its bytes. */
static struct bytes receipt_bytes(struct bytes receipts, uint32_t index)
{
    struct bytes left = bytes_after(receipts, 4);

    for (uint32_t i = 0;; i++) {
        const uint32_t count = (uint32_t)left.at[0] << 24 | (uint32_t)left.at[1] << 16 |
                               (uint32_t)left.at[2] << 8 | left.at[3];

        if (i == index) {
            return bytes_of(left.at + 4, count);
        }
        left = bytes_after(left, 4 + count);
    }
}

/* The root is over the receipts as they are kept, and transactions got those that a simulation gave them. */
static void check_receipts(const struct world *world)
{
    const struct exec_result *result = &world->result;
    struct merkle all;
    struct merkle transactions;
    uint8_t one[HASH_BYTES];
    uint8_t other[HASH_BYTES];

    merkle_begin(&all);
    merkle_begin(&transactions);
    for (uint32_t i = 0; i < result->due_count + result->tx_count; i++) {
        const struct bytes receipt = receipt_bytes(result->receipts, i);

        merkle_add(&all, receipt);
        if (i >= result->due_count) {
            merkle_add(&transactions, receipt);
        }
    }
    merkle_root(&all, one);
    CHECK_BYTES(bytes_of(one, HASH_BYTES), bytes_of(result->receipts_root, HASH_BYTES));
    merkle_root(&transactions, one);
    merkle_root(&world->receipts, other);
    CHECK_BYTES(bytes_of(one, HASH_BYTES), bytes_of(other, HASH_BYTES));
}

void world_block_end(struct world *world)
{
    struct overlay *overlay = world->overlay;

    CHECK(overlay != NULL);
    world->overlay = NULL;
    CHECK(exec_block_end(world->exec, &world->result) == ERR_OK);
    check_receipts(world);
    world_apply(world, overlay);
}

const Chain__Receipt *world_receipt(struct world *world, uint32_t index)
{
    enum canon_fault fault;
    const ProtobufCMessage *message;

    CHECK(world->overlay == NULL);
    CHECK_U64(index, <, world->result.due_count + world->result.tx_count);
    message = canon_unpack(&chain__receipt__descriptor,
                           receipt_bytes(world->result.receipts, index), &world->scratch, &fault);
    CHECK(message != NULL);
    return (const Chain__Receipt *)message;
}

/* The receipt that a transaction would get, byte for byte: simulated before it runs. */
enum exec_validity world_run(struct world *world, const struct world_tx *tx,
                             const Chain__Receipt **receipt)
{
    const size_t kept = world->kept.used;
    const struct bytes bytes = world_tx_bytes(world, tx);
    struct bytes packed = {0};
    const struct exec_place place = {
        .overlay = world->overlay, .height = world->height, .time_ms = world->time_ms};
    enum exec_validity simulated;
    enum exec_validity validity;
    const ProtobufCMessage *message;
    enum canon_fault fault;

    *receipt = NULL;
    arena_reset(&world->scratch);
    simulated = exec_simulate(world->exec, &place, bytes, &world->scratch, &packed);
    validity = exec_tx(world->exec, bytes);
    world->kept.used = kept;
    if (validity != EXEC_VALID) {
        CHECK(simulated == validity || validity == EXEC_SIGNATURE || validity == EXEC_FULL);
        return validity;
    }
    CHECK_U64(simulated, ==, EXEC_VALID);
    message = canon_unpack(&chain__receipt__descriptor, packed, &world->scratch, &fault);
    CHECK(message != NULL);
    merkle_add(&world->receipts, packed);
    *receipt = (const Chain__Receipt *)message;
    return validity;
}

const Chain__Receipt *world_accepted(struct world *world, const struct world_tx *tx)
{
    const Chain__Receipt *receipt;
    const enum exec_validity validity = world_run(world, tx, &receipt);

    if (validity != EXEC_VALID) {
        check_failed(__FILE__, __LINE__, "invalid: %s", exec_validity_name(validity));
    }
    if (receipt->status != STATUS_OK) {
        check_failed(__FILE__, __LINE__, "refused: %s of action %u",
                     status_name((enum status)receipt->status), receipt->failed_action);
    }
    CHECK_U64(receipt->failed_action, ==, 0);
    CHECK_U64(receipt->n_notes, ==, 0);
    CHECK_U64(receipt->tx_id.len, ==, HASH_BYTES);
    return receipt;
}

static bool nonce_used(struct world *world, const struct world_tx *tx)
{
    const Core__Usage *row =
        world_get(world, &core_usage, &(Core__Usage){.account = world_id(world, tx->payer)});

    CHECK(row != NULL);
    for (size_t i = 0; i < row->n_lanes; i++) {
        const Core__Lane *lane = row->lanes[i];
        const uint64_t place = tx->nonce - lane->first;

        if (lane->lane != tx->lane) {
            continue;
        }
        return tx->nonce < lane->first ||
               (place < NONCE_WINDOW && lane->bitmap.len == NONCE_BITMAP_BYTES &&
                (lane->bitmap.data[place / 8] >> (place % 8) & 1) != 0);
    }
    return false;
}

/* The payer's level brought to the time of the block, in the test's own words. */
static int64_t level_of(struct world *world, uint32_t actor)
{
    const Core__Usage *row =
        world_get(world, &core_usage, &(Core__Usage){.account = world_id(world, actor)});
    int64_t level;
    const Chain__QuotaClass *rate;

    CHECK(row != NULL);
    level = row->level;
    if (row->quota_class > 2) {
        return level;
    }
    rate = world->params.message.quota_classes[row->quota_class - 1];
    level += (int64_t)((world->time_ms - row->last_at_ms) * rate->refill_per_s / 1000);
    return level > (int64_t)rate->capacity ? (int64_t)rate->capacity : level;
}

const Chain__Receipt *world_refused(struct world *world, const struct world_tx *tx,
                                    enum status status, uint32_t failed)
{
    uint8_t before[HASH_BYTES];
    uint8_t after[HASH_BYTES];
    const int64_t level = level_of(world, tx->payer);
    const Chain__Receipt *receipt;
    enum exec_validity validity;

    CHECK(!nonce_used(world, tx));
    world_digest(world, true, before);
    validity = world_run(world, tx, &receipt);
    if (validity != EXEC_VALID) {
        check_failed(__FILE__, __LINE__, "invalid: %s", exec_validity_name(validity));
    }
    if (receipt->status != (uint32_t)status) {
        check_failed(__FILE__, __LINE__, "%s of action %u, not %s",
                     status_name((enum status)receipt->status), receipt->failed_action,
                     status_name(status));
    }
    CHECK_U64(receipt->failed_action, ==, failed);
    CHECK_U64(receipt->n_events, ==, 0);
    CHECK_U64(receipt->units, >, 0);
    world_digest(world, true, after);
    CHECK_BYTES(bytes_of(before, HASH_BYTES), bytes_of(after, HASH_BYTES));
    CHECK(nonce_used(world, tx));
    CHECK(level_of(world, tx->payer) == level - (int64_t)receipt->units);
    return receipt;
}

void world_invalid(struct world *world, const struct world_tx *tx, enum exec_validity validity)
{
    uint8_t before[HASH_BYTES];
    uint8_t after[HASH_BYTES];
    const Chain__Receipt *receipt;
    enum exec_validity found;

    world_digest(world, false, before);
    found = world_run(world, tx, &receipt);
    if (found != validity) {
        check_failed(__FILE__, __LINE__, "%s, not %s", exec_validity_name(found),
                     exec_validity_name(validity));
    }
    world_digest(world, false, after);
    CHECK_BYTES(bytes_of(before, HASH_BYTES), bytes_of(after, HASH_BYTES));
}

const Chain__Receipt *world_act(struct world *world, uint32_t actor, const struct module *module,
                                uint32_t place, const void *request)
{
    struct world_tx tx;

    world_tx_begin(world, &tx, actor);
    (void)world_tx_act(world, &tx, actor, module, place, request);
    return world_accepted(world, &tx);
}

const Chain__Receipt *world_act_refused(struct world *world, uint32_t actor,
                                        const struct module *module, uint32_t place,
                                        const void *request, enum status status)
{
    struct world_tx tx;

    world_tx_begin(world, &tx, actor);
    (void)world_tx_act(world, &tx, actor, module, place, request);
    return world_refused(world, &tx, status, 0);
}

/* -- Rows. -- */

/* The open block's overlay, or one above the state for a moment. */
static struct tables world_tables(struct world *world, struct overlay **own)
{
    *own = world->overlay == NULL ? overlay_begin(world->state, NULL, world->height) : NULL;
    return (struct tables){
        .overlay = *own != NULL ? *own : world->overlay,
        .scratch = &world->scratch,
    };
}

const void *world_get(struct world *world, const struct table *table, const void *like)
{
    struct overlay *own;
    struct tables tables = world_tables(world, &own);
    struct table_plan plan;
    const void *row;
    uint32_t count;
    enum tables_answer answer;
    struct arena rows;

    tables_plan(table, &plan);
    arena_init(&rows, arena_must(&world->scratch, 64 << 10), 64 << 10);
    answer = tables_get(&tables, &plan, like, &rows, &row, &count);
    overlay_drop(own);
    CHECK(answer == TABLES_OK || answer == TABLES_ABSENT);
    return answer == TABLES_OK ? row : NULL;
}

void world_put(struct world *world, const struct table *table, const void *row)
{
    struct overlay *own;
    struct tables tables = world_tables(world, &own);
    struct table_plan plan;
    uint32_t count;

    CHECK(own == NULL);
    tables_plan(table, &plan);
    CHECK(tables_put(&tables, &plan, row, &count) == TABLES_OK);
}

uint32_t world_count(struct world *world, const struct table *table, uint32_t index,
                     uint32_t fields, const void *like)
{
    static struct table_key found[TABLE_LIST_MAX];
    struct overlay *own;
    struct tables tables = world_tables(world, &own);
    struct table_plan plan;
    uint32_t count;
    bool more;

    tables_plan(table, &plan);
    CHECK(tables_scan(&tables, &plan,
                      (struct scan){.index = index, .fields = fields, .limit = TABLE_LIST_MAX},
                      like, found, &count, &more) == TABLES_OK);
    CHECK(!more);
    overlay_drop(own);
    return count;
}

const struct table *world_table(const struct module *module, uint32_t number)
{
    CHECK(number > 0 && number <= module->table_count);
    return module->tables[number - 1];
}

static bool is_usage(struct bytes key)
{
    return key.count > 3 && key.at[0] == 0 && key.at[1] == 0 &&
           (key.at[2] == CORE_USAGE || key.at[2] == CORE_COOP_USAGE);
}

void world_digest(struct world *world, bool without_usage, uint8_t out[HASH_BYTES])
{
    struct overlay *own;
    struct tables tables = world_tables(world, &own);
    const size_t used = world->scratch.used;
    struct hash_state hash;

    hash_begin(&hash, TAG_VAL);
    for (uint32_t i = 0; i < 2; i++) {
        const enum state_space space = i == 0 ? STATE_ROWS : STATE_INDEX;
        struct overlay_scan walk;

        CHECK(overlay_scan_begin(tables.overlay, space, (struct bytes){0}, (struct bytes){0}, false,
                                 &world->scratch, &walk) == ERR_OK);
        while (overlay_scan_next(&walk)) {
            if (!without_usage || space == STATE_INDEX || !is_usage(walk.key)) {
                hash_add(&hash, walk.key);
                hash_add(&hash, walk.value);
            }
        }
        CHECK(walk.error == ERR_OK);
        overlay_scan_end(&walk);
    }
    hash_end(&hash, out);
    world->scratch.used = used;
    overlay_drop(own);
}

/* Entries of one table: as many as rows times indexes, and each row is found through each. */
static uint64_t check_table(struct world *world, struct tables *tables, const struct table *table)
{
    const size_t used = world->scratch.used;
    struct table_plan plan;
    struct table_key prefix;
    struct overlay_scan walk;
    uint64_t entries = 0;

    tables_plan(table, &plan);
    CHECK(tables_prefix(&plan, TABLE_BY_KEY, 0, NULL, &prefix));
    CHECK(overlay_scan_begin(tables->overlay, STATE_ROWS, table_key_bytes(&prefix),
                             (struct bytes){0}, false, &world->scratch, &walk) == ERR_OK);
    while (overlay_scan_next(&walk)) {
        const size_t row_used = world->scratch.used;
        enum canon_fault fault;
        const void *row = canon_unpack(table->row, walk.value, &world->scratch, &fault);

        CHECK(row != NULL);
        for (uint32_t i = 0; i < plan.index_count; i++) {
            struct table_key key;
            struct bytes value;

            CHECK(tables_prefix(&plan, i, plan.indexes[i].count, row, &key));
            memcpy(key.bytes + key.count, walk.key.at + 3, walk.key.count - 3);
            key.count += (uint32_t)walk.key.count - 3;
            CHECK(overlay_get(tables->overlay, STATE_INDEX, table_key_bytes(&key), &world->scratch,
                              &value) == ERR_OK);
            CHECK_U64(value.count, ==, 0);
            entries += 1;
        }
        world->scratch.used = row_used;
    }
    overlay_scan_end(&walk);
    world->scratch.used = used;
    return entries;
}

void world_check_indexes(struct world *world)
{
    struct overlay *own;
    struct tables tables = world_tables(world, &own);
    struct overlay_scan walk;
    uint64_t expected = 0;
    uint64_t entries = 0;

    for (uint32_t m = 0; registry_here.modules[m] != NULL; m++) {
        for (uint32_t t = 0; t < registry_here.modules[m]->table_count; t++) {
            expected += check_table(world, &tables, registry_here.modules[m]->tables[t]);
        }
    }
    CHECK(overlay_scan_begin(tables.overlay, STATE_INDEX, (struct bytes){0}, (struct bytes){0},
                             false, &world->scratch, &walk) == ERR_OK);
    while (overlay_scan_next(&walk)) {
        entries += 1;
    }
    overlay_scan_end(&walk);
    overlay_drop(own);
    CHECK_U64(entries, ==, expected);
}

/* -- The usual cast. -- */

const struct world_actor world_cast[CAST_COUNT] = {
    [OPERATOR] = {.type = ACCOUNTS__ACCOUNT__TYPE__ORGANISATION,
                  .key_count = 1,
                  .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
                  .quota_class = 3},
    [ROOT] = {.type = ACCOUNTS__ACCOUNT__TYPE__ORGANISATION,
              .key_count = 1,
              .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
              .quota_class = 3},
    [FIRST] = {.type = ACCOUNTS__ACCOUNT__TYPE__ORGANISATION,
               .key_count = 1,
               .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
               .quota_class = 1},
    [SECOND] = {.type = ACCOUNTS__ACCOUNT__TYPE__ORGANISATION,
                .key_count = 1,
                .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
                .quota_class = 1},
    [CHAIR] = {.type = ACCOUNTS__ACCOUNT__TYPE__PERSON,
               .key_count = 2,
               .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE, ACCOUNTS__KEY__PURPOSE__RECOVERY},
               .quota_class = 1},
    [ANNA] = {.type = ACCOUNTS__ACCOUNT__TYPE__PERSON,
              .key_count = 1,
              .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
              .quota_class = 1},
    [BORIS] = {.type = ACCOUNTS__ACCOUNT__TYPE__PERSON,
               .key_count = 1,
               .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
               .quota_class = 1},
    [VERA] = {.type = ACCOUNTS__ACCOUNT__TYPE__PERSON,
              .key_count = 1,
              .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
              .quota_class = 1},
    [ROBOT] = {.type = ACCOUNTS__ACCOUNT__TYPE__SERVICE,
               .key_count = 1,
               .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
               .quota_class = 1},
};

const Cooperatives__Policy world_policy = {
    .entrance_fee = 100,
    .min_share = 5000,
    .org_entrance_fee = 1000,
    .org_min_share = 50000,
    .admission_term_ms = UINT64_C(10) * 86400000,
};

static void (*cast_change)(Chain__Parameters *parameters);

static void cast_parameters(Chain__Parameters *parameters)
{
    parameters->term_floor_ms = 1000;
    if (cast_change != NULL) {
        cast_change(parameters);
    }
}

void world_open_cast(struct world *world, void (*parameters)(Chain__Parameters *parameters))
{
    cast_change = parameters;
    world_open(world, &(struct world_options){.actors = world_cast,
                                              .actor_count = CAST_COUNT,
                                              .parameters = cast_parameters});
}

Cooperatives__CoopRegister world_registration(const struct world *world,
                                              const Cooperatives__Policy *policy)
{
    Cooperatives__CoopRegister request = {
        .operator_ = world_id(world, OPERATOR),
        .name = "First Consumer Society",
        .kind = COOPERATIVES__COOP__KIND__CONSUMER,
        .jurisdiction = "RU",
        .currency = "RUB",
        .scale = 2,
        .charter_digest = world_id(world, ROOT), /* any 32 bytes */
        .minutes_digest = world_id(world, ROOT),
    };

    memcpy(&request.policy, &policy, sizeof request.policy);
    return request;
}

uint64_t world_coop(struct world *world, uint32_t organisation)
{
    const Cooperatives__CoopRegister request = world_registration(world, &world_policy);
    const Chain__Receipt *receipt;
    const Cooperatives__CoopRegistered *registered;
    enum canon_fault fault;
    uint64_t coop;
    struct world_tx tx;

    world_tx_begin(world, &tx, organisation);
    (void)world_tx_act(world, &tx, organisation, &cooperatives, 0, &request);
    world_tx_sign(&tx, OPERATOR, 0);
    receipt = world_accepted(world, &tx);
    CHECK_U64(receipt->n_events, ==, 1);
    registered = (const Cooperatives__CoopRegistered *)canon_unpack(
        &cooperatives__coop_registered__descriptor,
        bytes_of(receipt->events[0]->body.data, receipt->events[0]->body.len), &world->scratch,
        &fault);
    CHECK(registered != NULL);
    coop = registered->coop;
    (void)world_act(world, OPERATOR, &cooperatives, 1,
                    &(Cooperatives__CoopActivate){.coop = coop,
                                                  .council_member = world_id(world, CHAIR),
                                                  .decision_digest = world_id(world, ROOT)});
    return coop;
}

Membership__AdmissionApply world_application(const struct world *world, uint64_t coop,
                                             Membership__Member__Kind kind)
{
    const bool organisation = kind == MEMBERSHIP__MEMBER__KIND__ORGANISATION;

    return (Membership__AdmissionApply){
        .coop = coop,
        .profile_commitment = world_id(world, ROOT), /* any 32 bytes */
        .entrance_fee = organisation ? world_policy.org_entrance_fee : world_policy.entrance_fee,
        .min_share = organisation ? world_policy.org_min_share : world_policy.min_share,
        .kind = kind,
    };
}

void world_admit(struct world *world, uint64_t coop, uint32_t actor)
{
    const Membership__Member__Kind kind =
        world->actors[actor].type == ACCOUNTS__ACCOUNT__TYPE__ORGANISATION
            ? MEMBERSHIP__MEMBER__KIND__ORGANISATION
            : MEMBERSHIP__MEMBER__KIND__PERSON;
    const Membership__AdmissionApply apply = world_application(world, coop, kind);

    (void)world_act(world, actor, &membership, 0, &apply);
    (void)world_act(world, CHAIR, &membership, 1,
                    &(Membership__AdmissionDecide){
                        .coop = coop, .account = world_id(world, actor), .admit = true});
}

#include "contracts/exec.h"

#include <string.h>

#include "contracts/machine.h"

const char *exec_validity_name(enum exec_validity validity)
{
    switch (validity) {
    case EXEC_VALID:
        return "valid";
    case EXEC_BYTES:
        return "bytes";
    case EXEC_CHAIN:
        return "another chain";
    case EXEC_EXPIRED:
        return "expired";
    case EXEC_TTL:
        return "expiry too far ahead";
    case EXEC_PAYER:
        return "no such payer";
    case EXEC_NONCE:
        return "nonce";
    case EXEC_KEY:
        return "no such key";
    case EXEC_SIGNATURE:
        return "signature";
    case EXEC_QUOTA:
        return "quota";
    case EXEC_FULL:
        return "block is full";
    case EXEC_FAULT:
        return "fault of the machine";
    }
    return "unknown";
}

/* -- Start. -- */

size_t exec_footprint(void)
{
    const size_t plans =
        REGISTRY_MODULES_MAX * arena_rounded((REGISTRY_TABLES_MAX + 1) * sizeof(struct table_plan));

    return arena_rounded(sizeof(struct exec)) + plans + MACHINE_ARENA_BYTES + MACHINE_TAIL_BYTES +
           MACHINE_SCRATCH_BYTES + MACHINE_PARAMETERS_BYTES + MACHINE_RECEIPT_BYTES_MAX;
}

static enum err part(struct arena *from, size_t bytes, struct arena *out)
{
    void *memory = arena_take(from, bytes);

    if (memory == NULL) {
        return ERR_NO_SPACE;
    }
    arena_init(out, memory, bytes);
    return ERR_OK;
}

static enum err plans_make(struct exec *exec, struct arena *arena)
{
    for (uint32_t m = 0; exec->registry->modules[m] != NULL; m++) {
        const struct module *module = exec->registry->modules[m];
        struct table_plan *plans =
            arena_take(arena, (REGISTRY_TABLES_MAX + 1) * sizeof(struct table_plan));

        if (plans == NULL) {
            return ERR_NO_SPACE;
        }
        for (uint32_t t = 0; t < module->table_count; t++) {
            tables_plan(module->tables[t], &plans[module->tables[t]->number]);
        }
        exec->modules[module->number] = module;
        exec->plans[module->number] = plans;
    }
    return ERR_OK;
}

enum err exec_init(struct arena *arena, const struct exec_options *options, struct exec **out)
{
    struct exec *exec = arena_take(arena, sizeof *exec);

    if (exec == NULL) {
        return ERR_NO_SPACE;
    }
    registry_check(options->registry);
    memset(exec, 0, sizeof *exec);
    exec->registry = options->registry;
    exec->state = options->state;
    exec->verifier = options->verifier;
    memcpy(exec->chain_id, options->genesis->chain_id, HASH_BYTES);
    memcpy(exec->root, options->genesis->root_id, ACCOUNT_BYTES);
    INVARIANT(options->genesis->feature_count <= MACHINE_FEATURES_MAX);
    for (uint32_t i = 0; i < options->genesis->feature_count; i++) {
        exec->features[i] = options->genesis->features[i];
    }
    exec->feature_count = options->genesis->feature_count;
    TRY(plans_make(exec, arena));
    TRY(part(arena, MACHINE_ARENA_BYTES, &exec->arena));
    TRY(part(arena, MACHINE_TAIL_BYTES, &exec->tail));
    TRY(part(arena, MACHINE_SCRATCH_BYTES, &exec->scratch));
    TRY(part(arena, MACHINE_PARAMETERS_BYTES, &exec->parameters_arena));
    exec->receipts = arena_take(arena, MACHINE_RECEIPT_BYTES_MAX);
    if (exec->receipts == NULL) {
        return ERR_NO_SPACE;
    }
    *out = exec;
    return ERR_OK;
}

enum err exec_fault(const struct exec *exec)
{
    return exec->fault;
}

const struct action *exec_action(const struct exec *exec, uint32_t module, uint32_t action)
{
    return machine_action(exec, module, action);
}

/* -- Genesis. -- */

static enum err genesis_account(struct exec *exec, struct machine_block *block,
                                const struct genesis_account *account)
{
    const ProtobufCBinaryData id = machine_field(bytes_of(account->id, ACCOUNT_BYTES));
    enum status status;

    machine_set(exec, block);
    machine_free_begin(exec);
    status = exec->registry->genesis_account(&exec->host, account->message, id);
    quota_class_set(&exec->host, id, account->quota_class);
    machine_free_end(exec);
    if (machine_failed(exec)) {
        return exec->fault;
    }
    return status == STATUS_OK && exec->host.sticky == STATUS_OK ? ERR_OK : ERR_FORM;
}

enum err exec_genesis(struct exec *exec, struct overlay *overlay, const struct genesis *genesis)
{
    struct machine_block block = {.overlay = overlay, .time_ms = genesis->time_ms};
    Chain__Parameters parameters = *genesis->parameters;
    const Core__ParametersRow row = {.parameters = &parameters};
    enum status status;

    exec->begun = NULL;
    machine_set(exec, &block);
    machine_free_begin(exec);
    core_parameters_put(&exec->host, &row);
    machine_free_end(exec);
    if (machine_failed(exec)) {
        return exec->fault;
    }
    TRY(machine_begin(exec, &block));
    for (uint32_t i = 0; i < genesis->account_count; i++) {
        TRY(genesis_account(exec, &block, &genesis->accounts[i]));
    }
    machine_set(exec, &block);
    machine_free_begin(exec);
    status = exec->registry->genesis_operator(
        &exec->host, machine_field(bytes_of(genesis->operator_id, ACCOUNT_BYTES)));
    machine_free_end(exec);
    exec->begun = NULL;
    if (machine_failed(exec)) {
        return exec->fault;
    }
    overlay_settle(overlay);
    return status == STATUS_OK ? ERR_OK : ERR_FORM;
}

/* -- Blocks. -- */

enum err exec_block_begin(struct exec *exec, struct overlay *overlay, uint64_t height,
                          uint64_t time_ms)
{
    exec->begun = NULL;
    exec->block = (struct machine_block){.overlay = overlay, .height = height, .time_ms = time_ms};
    receipts_begin(&exec->block);
    TRY(machine_begin(exec, &exec->block));
    exec->block_open = true;
    due_run(exec);
    return exec->fault;
}

/* Is there room for one more transaction of `count` bytes? */
static bool block_has_room(const struct exec *exec, size_t count)
{
    const struct machine_block *block = &exec->block;

    return block->tx_count < exec->parameters->max_block_txs &&
           block->body_bytes + sizeof(uint32_t) + count <= exec->parameters->max_block_bytes &&
           block->written_bytes < MACHINE_WRITTEN_BYTES_MAX;
}

/* Run what has been found valid, if the block still has the units for it. */
static enum exec_validity block_run(struct exec *exec, const struct tx *tx)
{
    struct machine_block *block = &exec->block;
    const uint64_t units_max = exec->parameters->max_block_units;
    const struct machine_mark mark = machine_mark(exec);
    struct bytes receipt;
    enum exec_validity validity;

    if (block->units_used + transaction_price(exec) > units_max) {
        return EXEC_FULL;
    }
    validity = transaction_run(exec, tx, &receipt);
    if (validity != EXEC_VALID) {
        return validity;
    }
    if (block->units_used + exec->host.units > units_max || !receipts_add(exec, receipt)) {
        machine_undo(exec, mark);
        return EXEC_FULL;
    }
    block->tx_count += 1;
    block->units_used += exec->host.units;
    block->body_bytes += sizeof(uint32_t) + tx->bytes.count;
    block->written_bytes += exec->host.tables.written_bytes;
    overlay_settle(block->overlay);
    return EXEC_VALID;
}

enum exec_validity exec_tx(struct exec *exec, struct bytes transaction)
{
    struct tx tx;
    enum exec_validity validity;

    INVARIANT(exec->block_open);
    if (machine_begin(exec, &exec->block) != ERR_OK) {
        return EXEC_FAULT;
    }
    machine_transaction(exec, exec->parameters->max_tx_units);
    if (tx_decode(transaction, &exec->arena, &tx) != TX_OK) {
        return EXEC_BYTES;
    }
    if (!block_has_room(exec, transaction.count)) {
        return EXEC_FULL;
    }
    validity = transaction_check(exec, &tx, true);
    if (validity != EXEC_VALID) {
        return validity;
    }
    return signers_hold(exec, &tx) ? block_run(exec, &tx) : EXEC_SIGNATURE;
}

enum err exec_block_end(struct exec *exec, struct exec_result *out)
{
    INVARIANT(exec->block_open);
    exec->block_open = false;
    exec->begun = NULL;
    *out = (struct exec_result){
        .due_count = exec->block.due_count,
        .tx_count = exec->block.tx_count,
        .units_used = exec->block.units_used,
        .receipts = receipts_end(exec),
    };
    merkle_root(&exec->block.merkle, out->receipts_root);
    exec->fault = overlay_root(exec->block.overlay, out->state_root);
    return exec->fault;
}

/* -- Questions. -- */

enum exec_validity exec_check(struct exec *exec, struct overlay *overlay, uint64_t time_ms,
                              const struct tx *tx)
{
    struct machine_block block = {.overlay = overlay, .time_ms = time_ms};
    enum exec_validity validity = EXEC_FAULT;

    exec->begun = NULL;
    if (machine_begin(exec, &block) == ERR_OK) {
        machine_transaction(exec, exec->parameters->max_tx_units);
        validity = transaction_check(exec, tx, false);
    }
    exec->begun = NULL;
    return validity;
}

static enum exec_validity simulate_on(struct exec *exec, struct machine_block *block,
                                      struct bytes transaction, struct arena *arena,
                                      struct bytes *receipt)
{
    struct tx tx;
    struct bytes packed;
    enum exec_validity validity;
    uint8_t *copy;

    if (machine_begin(exec, block) != ERR_OK) {
        return EXEC_FAULT;
    }
    machine_transaction(exec, exec->parameters->max_tx_units);
    if (tx_decode(transaction, &exec->arena, &tx) != TX_OK) {
        return EXEC_BYTES;
    }
    validity = transaction_check(exec, &tx, false);
    if (validity == EXEC_VALID) {
        validity = transaction_run(exec, &tx, &packed);
    }
    if (validity != EXEC_VALID) {
        return validity;
    }
    copy = arena_take(arena, packed.count);
    if (copy == NULL) {
        return EXEC_FULL;
    }
    memcpy(copy, packed.at, packed.count);
    *receipt = bytes_of(copy, packed.count);
    return EXEC_VALID;
}

enum exec_validity exec_simulate(struct exec *exec, const struct exec_place *place,
                                 struct bytes transaction, struct arena *arena,
                                 struct bytes *receipt)
{
    struct machine_block block = {
        .overlay = overlay_begin(exec->state, place->overlay, place->height),
        .height = place->height,
        .time_ms = place->time_ms,
    };
    enum exec_validity validity;

    if (block.overlay == NULL) {
        return EXEC_FULL;
    }
    exec->begun = NULL;
    validity = simulate_on(exec, &block, transaction, arena, receipt);
    exec->begun = NULL;
    overlay_drop(block.overlay);
    return validity;
}

bool exec_due(struct exec *exec, struct overlay *overlay, uint64_t time_ms, uint64_t *due_at_ms)
{
    struct machine_block block = {.overlay = overlay, .time_ms = time_ms};
    bool any;

    exec->begun = NULL;
    machine_set(exec, &block);
    *due_at_ms = UINT64_MAX;
    any = due_first(exec, due_at_ms);
    return any && *due_at_ms <= time_ms;
}

bool exec_row_key(const struct table *table, const void *row, struct table_key *out)
{
    struct table_plan plan;

    tables_plan(table, &plan);
    return tables_row_key(&plan, row, out);
}

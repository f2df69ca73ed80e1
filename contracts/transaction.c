/*
 * contracts/transaction.c -- one transaction: may it stand in this block, and what does it do.
 *
 * What makes a block invalid is looked at here (bytes, chain id, expiry, nonce, signers, quota); everything else is
 * a refusal, which keeps nonce and charge.  The actions of a transaction are atomic.
 */
#include "base/checked.h"
#include "base/mutant.h"
#include "contracts/machine.h"
#include "contracts/nonce.h"

static enum exec_validity check_envelope(const struct exec *exec, const struct tx *tx)
{
    const uint64_t now_ms = exec->host.time_ms;
    const uint64_t until_ms = checked_add_cap_u64(now_ms, exec->parameters->max_ttl_ms);

    if (tx->bytes.count > exec->parameters->max_tx_bytes) {
        return EXEC_BYTES;
    }
    if (!bytes_equal(machine_bytes(tx->body->chain_id), bytes_of(exec->chain_id, HASH_BYTES))) {
        return EXEC_CHAIN;
    }
    if (tx->body->expiry_at_ms < now_ms) {
        return EXEC_EXPIRED;
    }
    return tx->body->expiry_at_ms > until_ms ? EXEC_TTL : EXEC_VALID;
}

/* Look all actions up and unpack them: validity needs their prices and cooperatives. */
static void plan_all(struct exec *exec, const struct tx *tx)
{
    exec->planned_count = 0;
    for (size_t i = 0; i < tx->body->n_actions; i++) {
        const Chain__Action *action = tx->body->actions[i];

        action_plan(exec, action, machine_field(tx_actor(tx, action)), &exec->planned[i]);
        exec->planned_count += 1;
    }
}

/* Against the state before the transaction. */
static enum exec_validity check_state(struct exec *exec, const struct tx *tx, bool in_block)
{
    const Core__Usage *payer =
        core_usage_get(&exec->host, &(Core__Usage){.account = exec->host.payer});
    struct nonce_window window;
    enum exec_validity validity;

    if (payer == NULL) {
        return EXEC_PAYER;
    }
    quota_window(payer, tx->body->lane, &window);
    if (!nonce_usable(&window, tx->body->nonce) && !(in_block && MUTANT_IS(19))) {
        return EXEC_NONCE;
    }
    plan_all(exec, tx);
    validity = signers_find(exec, tx);
    if (validity != EXEC_VALID) {
        return validity;
    }
    return quota_holds(exec, payer) ? EXEC_VALID : EXEC_QUOTA;
}

enum exec_validity transaction_check(struct exec *exec, const struct tx *tx, bool in_block)
{
    struct host *host = &exec->host;
    enum exec_validity validity = check_envelope(exec, tx);

    if (validity != EXEC_VALID) {
        return validity;
    }
    host->payer = machine_field(bytes_of(tx->body->account.data, tx->body->account.len));
    machine_free_begin(exec);
    validity = check_state(exec, tx, in_block);
    machine_free_end(exec);
    if (machine_failed(exec)) {
        return EXEC_FAULT;
    }
    /* More memory than a transaction of 64 KiB can take: the same on every node. */
    return validity == EXEC_VALID && host->sticky != STATUS_OK ? EXEC_BYTES : validity;
}

uint64_t transaction_price(const struct exec *exec)
{
    uint64_t price = 0;

    for (uint32_t i = 0; i < exec->planned_count; i++) {
        price += exec->planned[i].price;
    }
    return price;
}

/* Run the actions until one is refused. */
static void run_actions(struct exec *exec, struct receipt_of *of, uint32_t *repeated)
{
    for (uint32_t i = 0; i < exec->planned_count && of->status == STATUS_OK; i++) {
        bool again;

        of->status = action_run(exec, &exec->planned[i], &again);
        if (of->status != STATUS_OK) {
            of->failed_action = i;
        } else if (again) {
            repeated[of->repeated_count] = i;
            of->repeated_count += 1;
        }
    }
}

enum exec_validity transaction_run(struct exec *exec, const struct tx *tx, struct bytes *receipt)
{
    const struct machine_mark mark = machine_mark(exec);
    uint32_t repeated[TX_ACTIONS_MAX];
    struct receipt_of of = {.tx = tx, .repeated = repeated};

    run_actions(exec, &of, repeated);
    if (machine_failed(exec)) {
        return EXEC_FAULT; /* H-6 */
    }
    if (of.status != STATUS_OK) {
        machine_undo(exec, mark);
    }
    machine_tail_begin(exec);
    quota_charge(exec, tx);
    *receipt = receipts_pack(exec, &of);
    INVARIANT(exec->host.sticky == STATUS_OK);
    machine_tail_end(exec);
    return machine_failed(exec) ? EXEC_FAULT : EXEC_VALID;
}

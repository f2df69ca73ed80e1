/*
 * contracts/due.c -- what is due in a block, before its transactions.
 *
 * The due rows of the state before the block whose time has come run in the order (due_at_ms, seq), at most
 * max_due_actions of them and within max_due_units_ppm of the block's units.  Those that would pass a limit are
 * left for the next block; the first one of a block always runs, so that nothing is ever stuck.  Each leaves a
 * receipt, refused or not, and its row goes.
 */
#include "base/checked.h"
#include "base/reader.h"
#include "contracts/machine.h"

/* The units that due actions may use in this block. */
static uint64_t due_units_max(const struct exec *exec)
{
    const wide_t most =
        (wide_t)exec->parameters->max_block_units * exec->parameters->max_due_units_ppm / 1000000;

    return most > UINT64_MAX ? UINT64_MAX : (uint64_t)most;
}

/* The keys of what is due, gathered first: what the actions themselves schedule is for a later block. */
static uint32_t due_gather(struct exec *exec, uint64_t until_ms, struct due_key *keys, uint32_t max)
{
    const struct table_plan *plan = machine_plan(exec, &core_due);
    const size_t scratch_used = exec->scratch.used;
    const Core__DueRow like = {.seq = 0};
    struct table_key prefix;
    struct overlay_scan walk;
    uint32_t count = 0;
    enum err error;

    if (!tables_prefix(plan, TABLE_BY_KEY, 0, &like, &prefix)) {
        return 0; /* cannot be: a prefix of no field fits */
    }
    error = overlay_scan_begin(exec->host.tables.overlay, STATE_ROWS, table_key_bytes(&prefix),
                               (struct bytes){0}, false, &exec->scratch, &walk);
    while (error == ERR_OK && count < max && overlay_scan_next(&walk)) {
        struct reader reader = reader_of(bytes_after(walk.key, TABLES_PREFIX_BYTES));

        keys[count].due_at_ms = reader_u64(&reader);
        keys[count].seq = reader_u64(&reader);
        if (!reader_done(&reader)) {
            error = ERR_CORRUPT;
        } else if (keys[count].due_at_ms > until_ms) {
            break;
        } else {
            count += 1;
        }
    }
    if (error == ERR_OK) {
        error = walk.error;
    }
    overlay_scan_end(&walk);
    exec->scratch.used = scratch_used;
    exec->fault = exec->fault == ERR_OK ? error : exec->fault;
    return count;
}

bool due_first(struct exec *exec, uint64_t *due_at_ms)
{
    struct due_key key;

    if (due_gather(exec, UINT64_MAX, &key, 1) == 0) {
        return false;
    }
    *due_at_ms = key.due_at_ms;
    return true;
}

/* Run the action of a row that has just been taken away.  What a refused one did is undone. */
static struct receipt_of due_action(struct exec *exec, const Core__DueRow *row)
{
    const Chain__Action action = {
        .module = row->module, .action = row->action, .payload = row->payload};
    const struct machine_mark mark = machine_mark(exec);
    struct receipt_of of = {.due_row = row};
    bool repeated;

    action_plan(exec, &action, (ProtobufCBinaryData){0}, &exec->planned[0]);
    exec->host.by_chain = true;
    of.status = action_run(exec, &exec->planned[0], &repeated);
    if (of.status != STATUS_OK) {
        machine_undo(exec, mark);
    }
    return of;
}

/*
 * Run one row with at most `units`.  False: it is left for the next block, untouched, because it used up less than
 * any action may use, or its receipt has no room; or the machine failed.
 */
static bool due_one(struct exec *exec, const struct due_key *key, uint64_t units, bool may_wait)
{
    const Core__DueRow like = {.due_at_ms = key->due_at_ms, .seq = key->seq};
    struct machine_mark mark;
    const Core__DueRow *row;
    struct receipt_of of;
    struct bytes receipt;

    machine_set(exec, &exec->block);
    machine_transaction(exec, units);
    mark = machine_mark(exec);
    machine_free_begin(exec);
    row = core_due_get(&exec->host, &like);
    core_due_delete(&exec->host, &like);
    machine_free_end(exec);
    if (machine_failed(exec) || row == NULL) {
        return false;
    }
    of = due_action(exec, row);
    if (machine_failed(exec)) {
        return false;
    }
    if (of.status == STATUS_OUT_OF_UNITS && may_wait && units < exec->parameters->max_tx_units) {
        machine_undo(exec, mark);
        return false;
    }
    machine_tail_begin(exec);
    receipt = receipts_pack(exec, &of);
    machine_tail_end(exec);
    if (!receipts_add(exec, receipt)) {
        machine_undo(exec, mark);
        return false;
    }
    exec->block.written_bytes += exec->host.tables.written_bytes;
    exec->block.units_used += exec->host.units;
    exec->block.due_count += 1;
    overlay_settle(exec->block.overlay);
    return true;
}

void due_run(struct exec *exec)
{
    const uint64_t units_max = due_units_max(exec);
    const uint64_t actions_max = exec->parameters->max_due_actions;
    const uint32_t max = actions_max < MACHINE_DUE_MAX ? (uint32_t)actions_max : MACHINE_DUE_MAX;
    const uint32_t count = due_gather(exec, exec->block.time_ms, exec->due_keys, max);

    for (uint32_t i = 0; i < count && exec->fault == ERR_OK; i++) {
        const uint64_t left =
            units_max > exec->block.units_used ? units_max - exec->block.units_used : 0;
        const uint64_t most = exec->parameters->max_tx_units;

        if (i != 0 && (left == 0 || exec->block.written_bytes >= MACHINE_WRITTEN_BYTES_MAX)) {
            break;
        }
        if (!due_one(exec, &exec->due_keys[i], left < most ? left : most, i != 0)) {
            break;
        }
    }
}

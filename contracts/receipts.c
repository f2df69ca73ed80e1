/*
 * contracts/receipts.c -- what the chain answers, as canonical bytes, and the root over them.
 *
 * Receipts of a block are gathered in memory of the executor as state/blocks.h keeps them: u32 count, then u32
 * length and bytes of each, those of due actions first.
 */
#include <string.h>

#include "contracts/machine.h"
#include "proto/canon.h"

enum { LENGTH_BYTES = 4 };

static void length_write(uint8_t *at, uint32_t value)
{
    for (uint32_t i = 0; i < LENGTH_BYTES; i++) {
        at[i] = (uint8_t)(value >> (8 * (LENGTH_BYTES - 1 - i)));
    }
}

static void notes_fill(struct exec *exec, Chain__Receipt *receipt)
{
    const struct host *host = &exec->host;

    receipt->n_notes = host->note_count;
    receipt->notes = arena_must(&exec->tail, MACHINE_NOTES_MAX * sizeof *receipt->notes);
    for (uint32_t i = 0; i < host->note_count; i++) {
        Chain__Note *note = arena_must(&exec->tail, sizeof *note);

        *note = (Chain__Note){.name = host->notes[i].name, .value = host->notes[i].value};
        receipt->notes[i] = note;
    }
}

static void events_fill(struct exec *exec, Chain__Receipt *receipt)
{
    const struct host *host = &exec->host;

    receipt->n_events = host->event_count;
    receipt->events = arena_must(&exec->tail, (host->event_count + 1U) * sizeof *receipt->events);
    for (uint32_t i = 0; i < host->event_count; i++) {
        Chain__Event *event = arena_must(&exec->tail, sizeof *event);

        *event = (Chain__Event){
            .module = host->events[i].module,
            .event = host->events[i].event,
            .body = machine_field(host->events[i].body),
        };
        receipt->events[i] = event;
    }
}

struct bytes receipts_pack(struct exec *exec, const struct receipt_of *of)
{
    Chain__Receipt receipt = {
        .status = (uint32_t)of->status,
        .failed_action = of->failed_action,
        .units = exec->host.units,
    };
    Chain__Due due;
    struct bytes packed;

    if (of->tx != NULL) {
        receipt.tx_id = machine_field(bytes_of(of->tx->tx_id, HASH_BYTES));
    }
    if (of->due_row != NULL) {
        due = (Chain__Due){
            .module = of->due_row->module,
            .action = of->due_row->action,
            .payload = of->due_row->payload,
            .due_at_ms = of->due_row->due_at_ms,
            .seq = of->due_row->seq,
        };
        receipt.due = &due;
    }
    if (of->repeated_count != 0) {
        receipt.n_repeated = of->repeated_count;
        receipt.repeated = arena_must(&exec->tail, of->repeated_count * sizeof *receipt.repeated);
        memcpy(receipt.repeated, of->repeated, of->repeated_count * sizeof *receipt.repeated);
    }
    if (of->status == STATUS_OK) {
        events_fill(exec, &receipt);
    } else {
        notes_fill(exec, &receipt);
    }
    packed = canon_pack(&chain__receipt__descriptor, &receipt, &exec->tail);
    INVARIANT(packed.at != NULL);
    INVARIANT_SLOW(canon_check(&chain__receipt__descriptor, packed) == CANON_OK);
    return packed;
}

void receipts_begin(struct machine_block *block)
{
    block->receipt_bytes = LENGTH_BYTES;
    merkle_begin(&block->merkle);
}

bool receipts_add(struct exec *exec, struct bytes receipt)
{
    struct machine_block *block = &exec->block;

    if (receipt.count + LENGTH_BYTES > MACHINE_RECEIPT_BYTES_MAX - block->receipt_bytes) {
        return false;
    }
    length_write(exec->receipts + block->receipt_bytes, (uint32_t)receipt.count);
    memcpy(exec->receipts + block->receipt_bytes + LENGTH_BYTES, receipt.at, receipt.count);
    block->receipt_bytes += LENGTH_BYTES + receipt.count;
    merkle_add(&block->merkle, receipt);
    return true;
}

struct bytes receipts_end(struct exec *exec)
{
    length_write(exec->receipts, exec->block.merkle.count);
    return bytes_of(exec->receipts, exec->block.receipt_bytes);
}

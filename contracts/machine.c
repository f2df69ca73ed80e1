#include "contracts/machine.h"

#include <string.h>

#include "proto/canon.h"

void machine_set(struct exec *exec, struct machine_block *block)
{
    struct host *host = &exec->host;

    arena_reset(&exec->arena);
    arena_reset(&exec->scratch);
    host->exec = exec;
    host->arena = &exec->arena;
    host->tables = (struct tables){.overlay = block->overlay, .scratch = &exec->scratch};
    host->height = block->height;
    host->time_ms = block->time_ms;
    host->schedule_seq = &block->schedule_seq;
    host->uncharged = false;
    machine_transaction(exec, 0);
}

/* Unpack the parameters once, and again only when the row's bytes are others. */
static enum err parameters_keep(struct exec *exec, struct bytes row)
{
    enum canon_fault fault;
    const ProtobufCMessage *message;
    const Core__ParametersRow *unpacked;
    uint8_t *copy;

    if (exec->parameters != NULL && bytes_equal(row, exec->parameters_bytes)) {
        return ERR_OK;
    }
    exec->parameters = NULL;
    arena_reset(&exec->parameters_arena);
    copy = arena_take(&exec->parameters_arena, row.count);
    message = canon_unpack(&core__parameters_row__descriptor, row, &exec->parameters_arena, &fault);
    if (copy == NULL || message == NULL) {
        return fault == CANON_OK ? ERR_NO_SPACE : ERR_CORRUPT;
    }
    memcpy(copy, row.at, row.count);
    unpacked = (const Core__ParametersRow *)message;
    if (unpacked->parameters == NULL) {
        return ERR_CORRUPT;
    }
    exec->parameters_bytes = bytes_of(copy, row.count);
    exec->parameters = unpacked->parameters;
    return ERR_OK;
}

enum err machine_begin(struct exec *exec, struct machine_block *block)
{
    const Core__ParametersRow like = {.id = 0};
    struct tables *tables = &exec->host.tables;
    struct bytes row;
    enum tables_answer answer;
    enum err error = ERR_CORRUPT;

    machine_set(exec, block);
    if (exec->begun == block) {
        return ERR_OK;
    }
    answer = tables_get_bytes(tables, machine_plan(exec, &core_parameters), &like, &row);
    if (answer == TABLES_OK) {
        error = parameters_keep(exec, row);
    } else if (answer == TABLES_FAULT) {
        error = tables->fault;
    }
    arena_reset(&exec->scratch);
    exec->begun = block;
    if (error != ERR_OK) {
        exec->begun = NULL;
        exec->fault = error;
    }
    return error;
}

struct machine_mark machine_mark(const struct exec *exec)
{
    return (struct machine_mark){
        .overlay = overlay_mark(exec->host.tables.overlay),
        .schedule_seq = *exec->host.schedule_seq,
    };
}

void machine_undo(struct exec *exec, struct machine_mark mark)
{
    overlay_undo(exec->host.tables.overlay, mark.overlay);
    *exec->host.schedule_seq = mark.schedule_seq;
}

void machine_transaction(struct exec *exec, uint64_t units_limit)
{
    struct host *host = &exec->host;

    host->payer = (ProtobufCBinaryData){0};
    host->signer_count = 0;
    host->units = 0;
    host->units_limit = units_limit;
    host->sticky = STATUS_OK;
    host->event_count = 0;
    host->event_bytes = 0;
    host->note_count = 0;
    host->actor = (ProtobufCBinaryData){0};
    host->payload = (ProtobufCBinaryData){0};
    host->by_chain = false;
}

void machine_free_begin(struct exec *exec)
{
    INVARIANT(!exec->host.uncharged);
    exec->host.uncharged = true;
}

void machine_free_end(struct exec *exec)
{
    INVARIANT(exec->host.uncharged);
    exec->host.uncharged = false;
}

void machine_tail_begin(struct exec *exec)
{
    machine_free_begin(exec);
    arena_reset(&exec->tail);
    exec->host.arena = &exec->tail;
    exec->host.sticky = STATUS_OK;
}

void machine_tail_end(struct exec *exec)
{
    exec->host.arena = &exec->arena;
    machine_free_end(exec);
}

const struct table_plan *machine_plan(const struct exec *exec, const struct table *table)
{
    const struct table_plan *plan;

    INVARIANT(table->module->number < REGISTRY_MODULES_MAX);
    INVARIANT(exec->modules[table->module->number] == table->module);
    plan = &exec->plans[table->module->number][table->number];
    INVARIANT(plan->table == table);
    return plan;
}

const struct action *machine_action(const struct exec *exec, uint32_t module, uint32_t number)
{
    const struct module *found = module < REGISTRY_MODULES_MAX ? exec->modules[module] : NULL;

    for (uint32_t i = 0; found != NULL && i < found->action_count; i++) {
        if (found->actions[i].number == number) {
            return &found->actions[i];
        }
    }
    return NULL;
}

bool machine_failed(struct exec *exec)
{
    if (exec->fault == ERR_OK) {
        exec->fault = exec->host.tables.fault;
    }
    return exec->fault != ERR_OK;
}

ProtobufCBinaryData machine_field(struct bytes bytes)
{
    ProtobufCBinaryData field = {.len = bytes.count};

    memcpy(&field.data, &bytes.at, sizeof field.data);
    return field;
}

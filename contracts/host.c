#include "contracts/host.h"

#include <string.h>

#include "base/checked.h"
#include "contracts/machine.h"
#include "contracts/prices.h"
#include "crypto/hash.h"
#include "proto/canon.h"

/* -- What the host remembers and no module can take back. -- */

static bool host_stopped(const struct host *host)
{
    return host->sticky != STATUS_OK || host->tables.fault != ERR_OK;
}

static void host_stick(struct host *host, enum status status)
{
    if (host->sticky == STATUS_OK) {
        host->sticky = status;
    }
}

static void host_fault(struct host *host, enum err error)
{
    if (host->tables.fault == ERR_OK) {
        host->tables.fault = error;
    }
}

/*
 * The arena is a limit like the units, since what lies in it follows from the messages alone; in the tail it can
 * only be the machine.
 */
static void host_no_memory(struct host *host)
{
    if (host->arena == &host->exec->tail) {
        host_fault(host, ERR_NO_SPACE);
    } else {
        host_stick(host, STATUS_OUT_OF_UNITS); /* H-4 */
    }
}

static void *host_take(struct host *host, size_t bytes)
{
    void *memory = arena_take(host->arena, bytes);

    if (memory == NULL) {
        host_no_memory(host);
    }
    return memory;
}

void host_charge(struct host *host, uint32_t units)
{
    if (host->uncharged || host->sticky != STATUS_OK) {
        return;
    }
    host->units += units;
    if (host->units > host->units_limit) {
        host->units = host->units_limit;
        host_stick(host, STATUS_OUT_OF_UNITS); /* H-4 */
    }
}

/* `bytes` of them cost a unit. */
static void host_charge_bytes(struct host *host, uint32_t price, size_t count, uint32_t bytes)
{
    const uint64_t units = price + (uint64_t)count / bytes;

    host_charge(host, units > UINT32_MAX ? UINT32_MAX : (uint32_t)units);
}

static void host_answered(struct host *host, enum tables_answer answer)
{
    switch (answer) {
    case TABLES_OK:
    case TABLES_ABSENT:
        return;
    case TABLES_SIZE:
        host_stick(host, STATUS_ROW_TOO_LARGE); /* H-7 */
        return;
    case TABLES_MEMORY:
        host_no_memory(host);
        return;
    case TABLES_FAULT:
        host_fault(host, host->tables.fault); /* H-6: is already there */
        return;
    }
}

/* -- The block, the transaction, the action. -- */

uint64_t host_block_time_ms(const struct host *host)
{
    return host->time_ms;
}

uint64_t host_height(const struct host *host)
{
    return host->height;
}

ProtobufCBinaryData host_actor(const struct host *host)
{
    return host->actor;
}

bool host_signed(const struct host *host, ProtobufCBinaryData account)
{
    return !host->by_chain && signers_authorise(host, account);
}

bool host_signed_by_key(const struct host *host, ProtobufCBinaryData account, uint32_t key_id)
{
    for (uint32_t i = 0; i < host->signer_count; i++) {
        if (host->signers[i].key_id == key_id && id_equal(host->signers[i].account, account)) {
            return true;
        }
    }
    return false;
}

ProtobufCBinaryData host_payer(const struct host *host)
{
    return host->payer;
}

ProtobufCBinaryData host_payload(const struct host *host)
{
    return host->payload;
}

const Chain__Parameters *host_parameters(const struct host *host)
{
    return host->exec->parameters;
}

bool host_feature(const struct host *host, uint32_t feature)
{
    for (uint32_t i = 0; i < host->exec->feature_count; i++) {
        if (host->exec->features[i] == feature) {
            return true;
        }
    }
    return false;
}

/* -- What costs no row. -- */

ProtobufCBinaryData host_hash(struct host *host, enum tag tag, const struct bytes *parts,
                              uint32_t count)
{
    uint8_t *hash = host_take(host, HASH_BYTES);
    size_t bytes = 0;

    for (uint32_t i = 0; i < count; i++) {
        bytes += parts[i].count;
    }
    host_charge_bytes(host, PRICE_HASH, bytes, PRICE_HASH_BYTES);
    if (hash == NULL || host_stopped(host)) {
        return (ProtobufCBinaryData){0};
    }
    hash_parts(tag, parts, count, hash);
    return (ProtobufCBinaryData){.len = HASH_BYTES, .data = hash};
}

bool host_key_valid(struct host *host, ProtobufCBinaryData public_key)
{
    const struct exec_verifier *verifier = &host->exec->verifier;

    host_charge(host, PRICE_KEY_CHECK);
    return !host_stopped(host) && public_key.len == EXEC_KEY_BYTES &&
           verifier->key_valid(verifier->self, public_key.data);
}

void host_quota_class_set(struct host *host, ProtobufCBinaryData account, uint32_t quota_class)
{
    const bool uncharged = host->uncharged;

    host_charge(host, PRICE_PUT);
    if (host_stopped(host)) {
        return;
    }
    host->uncharged = true;
    quota_class_set(host, account, quota_class);
    host->uncharged = uncharged;
}

/* -- Tables. -- */

const void *host_get(struct host *host, const struct table *table, const void *key)
{
    const void *row = NULL;
    uint32_t row_bytes;

    if (host_stopped(host)) {
        return NULL;
    }
    host_answered(host, tables_get(&host->tables, machine_plan(host->exec, table), key, host->arena,
                                   &row, &row_bytes));
    host_charge_bytes(host, PRICE_GET, row_bytes, PRICE_GET_BYTES);
    return host_stopped(host) ? NULL : row;
}

void host_put(struct host *host, const struct table *table, const void *row)
{
    const struct table_plan *plan = machine_plan(host->exec, table);
    uint32_t row_bytes;

    if (host_stopped(host)) {
        return;
    }
    host_answered(host, tables_put(&host->tables, plan, row, &row_bytes));
    host_charge_bytes(host, PRICE_PUT + PRICE_INDEX * plan->index_count, row_bytes,
                      PRICE_PUT_BYTES);
}

void host_delete(struct host *host, const struct table *table, const void *key)
{
    const struct table_plan *plan = machine_plan(host->exec, table);

    host_charge(host, PRICE_DELETE + PRICE_INDEX * plan->index_count);
    if (host_stopped(host)) {
        return;
    }
    host_answered(host, tables_delete(&host->tables, plan, key));
}

/* Unpack the rows that a walk has found, each for its price. */
static struct rows host_rows(struct host *host, const struct table_plan *plan,
                             const struct table_key *keys, uint32_t count)
{
    const void **at = count == 0 ? NULL : host_take(host, count * sizeof *at);
    struct rows rows = {.at = at};

    for (uint32_t i = 0; i < count && at != NULL && !host_stopped(host); i++) {
        uint32_t row_bytes;
        const enum tables_answer answer =
            tables_get_at(&host->tables, plan, &keys[i], host->arena, &at[i], &row_bytes);

        if (answer == TABLES_ABSENT) {
            host_fault(host, ERR_CORRUPT); /* an entry of an index without its row */
        }
        host_answered(host, answer);
        host_charge_bytes(host, PRICE_LIST_ROW, row_bytes, PRICE_GET_BYTES);
        rows.count = i + 1;
    }
    return host_stopped(host) ? (struct rows){0} : rows;
}

struct rows host_list(struct host *host, const struct table *table, struct scan scan,
                      const void *like)
{
    const struct table_plan *plan = machine_plan(host->exec, table);
    const size_t scratch_used = host->exec->scratch.used;
    struct table_key *keys;
    struct rows rows = {0};
    uint32_t count;
    bool more;

    INVARIANT(scan.limit <= TABLE_LIST_MAX);
    host_charge(host, PRICE_LIST);
    if (host_stopped(host)) {
        return rows;
    }
    keys = arena_must(&host->exec->scratch, scan.limit * sizeof *keys);
    host_answered(host, tables_scan(&host->tables, plan, scan, like, keys, &count, &more));
    if (!host_stopped(host)) {
        rows = host_rows(host, plan, keys, count);
        rows.more = more && rows.count == count;
    }
    host->exec->scratch.used = scratch_used;
    return rows;
}

/* -- Events, notes, what is due later. -- */

/* The numbers of an event; one that no module lists is our bug. */
static void event_numbers(const struct exec *exec, const ProtobufCMessageDescriptor *event,
                          struct host_event *out)
{
    for (uint32_t m = 0; m < REGISTRY_MODULES_MAX; m++) {
        const struct module *module = exec->modules[m];

        for (uint32_t e = 0; module != NULL && e < module->event_count; e++) {
            if (module->events[e].body == event) {
                out->module = m;
                out->event = e + 1;
                return;
            }
        }
    }
    invariant_fail("an event that no module lists", __FILE__, __LINE__);
}

/* A message that a module has filled in, as bytes in the action's arena; false: it does not fit. */
static bool host_pack(struct host *host, const ProtobufCMessageDescriptor *type, const void *body,
                      struct bytes *out)
{
    *out = canon_pack(type, body, host->arena);
    if (out->at == NULL) {
        host_no_memory(host);
        return false;
    }
    if (out->count > STATE_ROW_BYTES_MAX || canon_check(type, *out) != CANON_OK) {
        host_stick(host, STATUS_ROW_TOO_LARGE); /* H-7 */
        return false;
    }
    return true;
}

void host_emit(struct host *host, const ProtobufCMessageDescriptor *event, const void *body)
{
    struct host_event *kept;

    if (host_stopped(host)) {
        return;
    }
    if (host->event_count == MACHINE_EVENTS_MAX) {
        host_stick(host, STATUS_ROW_TOO_LARGE); /* H-7 */
        return;
    }
    kept = &host->events[host->event_count];
    event_numbers(host->exec, event, kept);
    if (!host_pack(host, event, body, &kept->body)) {
        return;
    }
    host->event_count += 1;
    host->event_bytes += kept->body.count;
    if (host->event_bytes > MACHINE_EVENT_BYTES_MAX) {
        host_stick(host, STATUS_ROW_TOO_LARGE); /* H-7 */
    }
    host_charge_bytes(host, PRICE_EVENT, kept->body.count, PRICE_EVENT_BYTES);
}

void host_note(struct host *host, const char *name, int64_t value)
{
    INVARIANT(strlen(name) <= MACHINE_NOTE_BYTES_MAX);
    if (host->note_count < MACHINE_NOTES_MAX) {
        host->notes[host->note_count] = (struct host_noted){.name = name, .value = value};
        host->note_count += 1;
    }
}

/* The module that lists an action. */
static const struct module *action_module(const struct exec *exec, const struct action *action)
{
    for (uint32_t m = 0; m < REGISTRY_MODULES_MAX; m++) {
        if (exec->modules[m] != NULL && machine_action(exec, m, action->number) == action) {
            return exec->modules[m];
        }
    }
    invariant_fail("an action that no module lists", __FILE__, __LINE__);
}

void host_schedule(struct host *host, uint64_t due_ms, const struct action *action,
                   const void *request)
{
    struct bytes payload;
    Core__DueRow row;

    INVARIANT((action->authority & AUTHORITY_CHAIN) != 0 && action->basis == BASIS_DEADLINE);
    if (host_stopped(host) || !host_pack(host, action->request, request, &payload)) {
        return;
    }
    /* Of one height no seq is given twice, and later heights give higher ones. */
    row = (Core__DueRow){
        .due_at_ms = due_ms,
        .seq = host->height << 32 | *host->schedule_seq,
        .module = action_module(host->exec, action)->number,
        .action = action->number,
        .payload = machine_field(payload),
    };
    *host->schedule_seq += 1;
    core_due_put(host, &row);
}

/*
 * contracts/refs.c -- a ref makes an action idempotent (rule H-8).
 *
 * An actor's ref stands for one action, its module, number and payload, for ref_keep_ms after it has run.  A row
 * whose time is over counts as absent.  Nothing else removes them by the clock: whoever writes a ref takes away up
 * to two that are over, oldest first, and has paid for it, so that rows that are over do not pile up.
 */
#include "base/checked.h"
#include "contracts/machine.h"
#include "contracts/prices.h"
#include "crypto/hash.h"

enum { REFS_SWEPT = 2 };

static void refs_key(const struct planned *planned, uint8_t out[HASH_BYTES])
{
    const struct bytes parts[] = {machine_bytes(planned->actor), machine_bytes(planned->ref)};

    hash_parts(TAG_REF, parts, 2, out);
}

static void refs_action(const struct planned *planned, uint8_t out[HASH_BYTES])
{
    const uint8_t numbers[3] = {
        (uint8_t)(planned->module >> 8),
        (uint8_t)planned->module,
        (uint8_t)planned->number,
    };
    const struct bytes parts[] = {bytes_of(numbers, sizeof numbers),
                                  machine_bytes(planned->payload)};

    hash_parts(TAG_ACTION, parts, 2, out);
}

enum refs_answer refs_look(struct exec *exec, const struct planned *planned)
{
    uint8_t key[HASH_BYTES];
    uint8_t action[HASH_BYTES];
    const Core__Ref *row;

    refs_key(planned, key);
    row = core_refs_get(&exec->host,
                        &(Core__Ref){.ref_hash = machine_field(bytes_of(key, HASH_BYTES))});
    if (row == NULL || row->until_ms <= exec->host.time_ms) {
        return REFS_NEW;
    }
    refs_action(planned, action);
    return bytes_equal(machine_bytes(row->action_hash), bytes_of(action, HASH_BYTES))
               ? REFS_REPEATED
               : REFS_REUSED;
}

static void refs_sweep(struct host *host)
{
    const struct rows oldest = core_refs_list(
        host, (struct scan){.index = CORE_REFS_BY_UNTIL, .fields = 0, .limit = REFS_SWEPT},
        &(Core__Ref){0});

    for (uint32_t i = 0; i < oldest.count; i++) {
        const Core__Ref *row = core_refs_at(&oldest, i);

        if (row->until_ms <= host->time_ms) {
            core_refs_delete(host, row);
        }
    }
}

void refs_keep(struct exec *exec, const struct planned *planned)
{
    struct host *host = &exec->host;
    uint8_t key[HASH_BYTES];
    uint8_t action[HASH_BYTES];

    refs_key(planned, key);
    refs_action(planned, action);
    core_refs_put(host,
                  &(Core__Ref){
                      .ref_hash = machine_field(bytes_of(key, HASH_BYTES)),
                      .action_hash = machine_field(bytes_of(action, HASH_BYTES)),
                      .until_ms = checked_add_cap_u64(host->time_ms, exec->parameters->ref_keep_ms),
                  });
    host_charge(host, PRICE_DELETE + PRICE_INDEX); /* of taking it away later */
    machine_free_begin(exec);
    refs_sweep(host);
    machine_free_end(exec);
}

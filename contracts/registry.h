/*
 * contracts/registry.h -- which modules there are, and the few questions that the executor asks of them.
 *
 * The executor knows no module.  Who holds a seat, who is an operator, which keys an account has, who pays out of
 * a cooperative's own bucket: each is one function, named here and written in the module that keeps the rows.
 * They run as part of the executor: nothing they read is charged, and what they write (the genesis alone) stays.
 */
#ifndef CONTRACTS_REGISTRY_H
#define CONTRACTS_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "contracts/host.h"
#include "contracts/table.h"

enum {
    REGISTRY_MODULES_MAX = 32,
    REGISTRY_TABLES_MAX = 64, /* of a module, and the largest number of a table */
};

/* Which bucket of a cooperative a payer uses. */
enum registry_bucket {
    REGISTRY_NO_BUCKET, /* there is no such cooperative */
    REGISTRY_OWN,       /* its own account, staff, a seat, an active member */
    REGISTRY_PUBLIC,    /* everybody else */
};

struct registry {
    const struct module *const *modules; /* ascending by number, `core` first; ended by NULL */

    /* The key of an account; false if the state does not know the account or the key. */
    bool (*key)(struct host *host, ProtobufCBinaryData account, uint32_t key_id,
                struct host_key *out);

    /* As key, of the account that a request with .creates_account would create. */
    bool (*key_of_request)(const void *request, uint32_t key_id, struct host_key *out);

    bool (*has_seat)(struct host *host, uint64_t coop, ProtobufCBinaryData account, uint32_t seats);
    bool (*is_operator)(struct host *host, ProtobufCBinaryData account);
    enum registry_bucket (*bucket)(struct host *host, uint64_t coop, ProtobufCBinaryData payer);

    /* Rows of the genesis.  Any status but STATUS_OK: the genesis contradicts itself. */
    enum status (*genesis_account)(struct host *host, const void *request,
                                   ProtobufCBinaryData account);
    enum status (*genesis_operator)(struct host *host, ProtobufCBinaryData account);
};

/* That of this binary (contracts/registry.c). */
extern const struct registry registry_here;

/*
 * Compare everything that the modules state with itself and with the schema.  A module that contradicts itself is
 * our bug and aborts: registry_check.c lists what is looked at.
 */
void registry_check(const struct registry *registry);

#endif /* CONTRACTS_REGISTRY_H */

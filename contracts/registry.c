/*
 * contracts/registry.c -- the modules of this binary.  The one file of the room that knows them by name.
 */
#include "contracts/registry.h"

#include "contracts/core.h"
#include "contracts/modules/accounts/interface.h"
#include "contracts/modules/cooperatives/interface.h"
#include "contracts/modules/membership/interface.h"

static const struct module *const modules[] = {
    &core, &accounts, &cooperatives, &membership, NULL,
};

/* Own account and seat are the cooperative's to know, members membership's. */
static enum registry_bucket bucket_of(struct host *host, uint64_t coop, ProtobufCBinaryData payer)
{
    switch (cooperatives_stand_of(host, coop, payer)) {
    case COOPERATIVES_UNKNOWN:
        return REGISTRY_NO_BUCKET;
    case COOPERATIVES_INSIDER:
        return REGISTRY_OWN;
    case COOPERATIVES_STRANGER:
        break;
    }
    return membership_require(host, coop, payer) == STATUS_OK ? REGISTRY_OWN : REGISTRY_PUBLIC;
}

const struct registry registry_here = {
    .modules = modules,
    .key = accounts_key,
    .key_of_request = accounts_key_of_request,
    .has_seat = cooperatives_has_seat,
    .is_operator = cooperatives_is_operator,
    .bucket = bucket_of,
    .genesis_account = accounts_genesis,
    .genesis_operator = cooperatives_genesis_operator,
};

#include "tests/scripted.h"

#include "base/count.h"
#include "contracts/core.h"
#include "contracts/modules/accounts/interface.h"
#include "contracts/modules/cooperatives/interface.h"
#include "contracts/modules/membership/interface.h"

enum status (*scripted_run)(struct host *host, uint64_t step);

const struct table mixed = {
    .number = 1,
    .name = "mixed",
    .module = &testing,
    .row = &testing__row__descriptor,
    .row_bytes = mixed_row_bytes,
    .key = {"id", "signed", "kind", "text"},
};

const struct table plains = {
    .number = 2,
    .name = "plains",
    .module = &testing,
    .row = &testing__plain__descriptor,
    .row_bytes = plains_row_bytes,
    .key = {"large"},
    .indexes =
        {
            [PLAINS_BY_SIGNED] = {"by_signed", {"signed"}},
            [PLAINS_BY_ID_SMALL] = {"by_id_small", {"id", "small"}},
        },
};

static const struct table *const tables[] = {&mixed, &plains};

static enum status run(struct host *host, const void *request)
{
    const Testing__Script *script = request;

    return scripted_run(host, script->step);
}

static const struct action actions[] = {
    [SCRIPT] = {.number = 1,
                .name = "script",
                .request = &testing__script__descriptor,
                .request_bytes = sizeof(Testing__Script),
                .coop = "coop",
                .authority = AUTHORITY_SELF,
                .units = 100,
                .run = run},
    [TIMER] = {.number = 2,
               .name = "timer",
               .request = &testing__script__descriptor,
               .request_bytes = sizeof(Testing__Script),
               .authority = AUTHORITY_CHAIN | AUTHORITY_ANYONE,
               .basis = BASIS_DEADLINE,
               .units = 20,
               .run = run},
    [SPARE] = {.number = 3,
               .name = "spare",
               .request = &testing__script__descriptor,
               .request_bytes = sizeof(Testing__Script),
               .coop = "coop",
               .authority = AUTHORITY_SELF,
               .class = CLASS_URGENT,
               .reserve = true,
               .units = 100,
               .run = run},
    [TICK] = {.number = 4,
              .name = "tick",
              .request = &testing__script__descriptor,
              .request_bytes = sizeof(Testing__Script),
              .authority = AUTHORITY_ROOT,
              .units = 20,
              .run = run},
};

static const struct event events[] = {EVENT_IS(testing, happened)};

const struct module testing = {
    .number = 30,
    .name = "testing",
    .tables = tables,
    .table_count = COUNT_OF(tables),
    .actions = actions,
    .action_count = COUNT_OF(actions),
    .events = events,
    .event_count = COUNT_OF(events),
};

static const struct module *const modules[] = {
    &core, &accounts, &cooperatives, &membership, &testing, NULL,
};

static bool key(struct host *host, ProtobufCBinaryData account, uint32_t key_id,
                struct host_key *out)
{
    return registry_here.key(host, account, key_id, out);
}

static bool key_of_request(const void *request, uint32_t key_id, struct host_key *out)
{
    return registry_here.key_of_request(request, key_id, out);
}

static bool has_seat(struct host *host, uint64_t coop, ProtobufCBinaryData account, uint32_t seats)
{
    return registry_here.has_seat(host, coop, account, seats);
}

static bool is_operator(struct host *host, ProtobufCBinaryData account)
{
    return registry_here.is_operator(host, account);
}

static enum registry_bucket bucket(struct host *host, uint64_t coop, ProtobufCBinaryData payer)
{
    return registry_here.bucket(host, coop, payer);
}

static enum status genesis_account(struct host *host, const void *request,
                                   ProtobufCBinaryData account)
{
    return registry_here.genesis_account(host, request, account);
}

static enum status genesis_operator(struct host *host, ProtobufCBinaryData account)
{
    return registry_here.genesis_operator(host, account);
}

const struct registry scripted_registry = {
    .modules = modules,
    .key = key,
    .key_of_request = key_of_request,
    .has_seat = has_seat,
    .is_operator = is_operator,
    .bucket = bucket,
    .genesis_account = genesis_account,
    .genesis_operator = genesis_operator,
};

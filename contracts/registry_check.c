/*
 * contracts/registry_check.c -- what the modules state, compared with itself and with the schema, once at start.
 *
 * Numbers unique and in order; tables of the module that lists them (tables_plan looks at names, keys, indexes and
 * sizes); rows, requests and events of the module's own package; requests of the size that their code expects;
 * actions with an authority that somebody can have, a seat with its cooperative, the chain with its basis.
 */
#include <string.h>

#include "base/err.h"
#include "contracts/registry.h"
#include "contracts/tables.h"

enum {
    /* Granted by the executor.  The others wait for modules that do not exist yet. */
    AUTHORITY_GRANTED = AUTHORITY_ANYONE | AUTHORITY_SELF | AUTHORITY_SEAT | AUTHORITY_OPERATOR |
                        AUTHORITY_ROOT | AUTHORITY_CHAIN,
    AUTHORITY_KNOWN =
        AUTHORITY_GRANTED | AUTHORITY_RIGHT | AUTHORITY_BRANCH_POST | AUTHORITY_SERVICE,
    SEATS_KNOWN = SEAT_COUNCIL | SEAT_CHAIR,
};

/* Is it a message of artel.NAME.v1? */
static bool check_package(const struct module *module, const ProtobufCMessageDescriptor *message)
{
    static const char before[] = "artel.";
    static const char after[] = ".v1";
    const size_t before_bytes = sizeof before - 1;
    const size_t name_bytes = strlen(module->name);
    const char *package = message->package_name;

    return strncmp(package, before, before_bytes) == 0 &&
           strncmp(package + before_bytes, module->name, name_bytes) == 0 &&
           strcmp(package + before_bytes + name_bytes, after) == 0;
}

static void check_tables(const struct module *module)
{
    struct table_plan plan;

    INVARIANT(module->table_count <= REGISTRY_TABLES_MAX);
    for (uint32_t i = 0; i < module->table_count; i++) {
        const struct table *table = module->tables[i];

        INVARIANT(table->module == module);
        INVARIANT(table->number == i + 1);
        INVARIANT(check_package(module, table->row));
        for (uint32_t k = 0; k < i; k++) {
            INVARIANT(strcmp(table->name, module->tables[k]->name) != 0);
            INVARIANT(table->row != module->tables[k]->row);
        }
        tables_plan(table, &plan);
    }
}

/* The field that scopes seat and quota is a plain u64 of the request. */
static void check_coop(const struct action *action)
{
    const ProtobufCFieldDescriptor *field;

    if (action->coop == NULL) {
        return;
    }
    field = protobuf_c_message_descriptor_get_field_by_name(action->request, action->coop);
    INVARIANT(field != NULL);
    INVARIANT(field->type == PROTOBUF_C_TYPE_UINT64 && field->label == PROTOBUF_C_LABEL_NONE);
}

static void check_authority(const struct action *action)
{
    const uint32_t authority = action->authority;
    const bool seat = (authority & AUTHORITY_SEAT) != 0;
    const bool chain = (authority & AUTHORITY_CHAIN) != 0;

    INVARIANT((authority & AUTHORITY_GRANTED) != 0);
    INVARIANT((authority & ~(uint32_t)AUTHORITY_KNOWN) == 0);
    INVARIANT(seat == (action->seats != 0));
    INVARIANT((action->seats & ~(uint32_t)SEATS_KNOWN) == 0);
    INVARIANT(!seat || action->coop != NULL);
    INVARIANT(chain == (action->basis != BASIS_NONE)); /* the chain alone authorises nothing */
    INVARIANT(!action->creates_account || authority == AUTHORITY_SELF);
    INVARIANT(!action->reserve || (authority & AUTHORITY_SELF) != 0);
}

static void check_actions(const struct module *module)
{
    for (uint32_t i = 0; i < module->action_count; i++) {
        const struct action *action = &module->actions[i];

        INVARIANT(action->number != 0);
        INVARIANT(action->name != NULL && action->run != NULL && action->units != 0);
        INVARIANT(action->request->sizeof_message == action->request_bytes);
        INVARIANT(check_package(module, action->request));
        for (uint32_t k = 0; k < i; k++) {
            INVARIANT(action->number != module->actions[k].number);
            INVARIANT(strcmp(action->name, module->actions[k].name) != 0);
        }
        check_coop(action);
        check_authority(action);
    }
}

static void check_events(const struct module *module)
{
    INVARIANT(module->event_count < 256);
    for (uint32_t i = 0; i < module->event_count; i++) {
        INVARIANT(module->events[i].name != NULL);
        INVARIANT(check_package(module, module->events[i].body));
        for (uint32_t k = 0; k < i; k++) {
            INVARIANT(module->events[i].body != module->events[k].body);
        }
    }
}

void registry_check(const struct registry *registry)
{
    const struct module *const *modules = registry->modules;

    INVARIANT(modules[0] != NULL && modules[0]->number == 0);
    INVARIANT(registry->key != NULL && registry->key_of_request != NULL);
    INVARIANT(registry->has_seat != NULL && registry->is_operator != NULL);
    INVARIANT(registry->bucket != NULL);
    INVARIANT(registry->genesis_account != NULL && registry->genesis_operator != NULL);
    for (uint32_t m = 0; modules[m] != NULL; m++) {
        INVARIANT(modules[m]->number < REGISTRY_MODULES_MAX);
        INVARIANT(m == 0 || modules[m]->number > modules[m - 1]->number);
        check_tables(modules[m]);
        check_actions(modules[m]);
        check_events(modules[m]);
    }
}

/*
 * contracts/modules/cooperatives/cooperatives.c -- the module as data.
 */
#include "contracts/modules/cooperatives/cooperatives.h"

#include "base/count.h"
#include "contracts/modules/cooperatives/interface.h"

const struct table coops = {
    .number = 1,
    TABLE_IS(cooperatives, coops, coop),
    .key = {"coop"},
    .indexes =
        {
            [COOPS_BY_STATE] = {"by_state", {"state"}},
            [COOPS_BY_ACCOUNT] = {"by_account", {"account"}},
        },
};

const struct table coop_counters = {
    .number = 2,
    TABLE_IS(cooperatives, coop_counters, coop_counters),
    .key = {"coop"},
};

const struct table policies = {
    .number = 3,
    TABLE_IS(cooperatives, policies, policy_row),
    .key = {"coop", "version"},
};

const struct table operators = {
    .number = 4,
    TABLE_IS(cooperatives, operators, operator),
    .key = {"account"},
};

const struct table sequences = {
    .number = 5,
    TABLE_IS(cooperatives, sequences, sequence),
    .key = {"kind"},
};

static const struct table *const tables[] = {
    &coops, &coop_counters, &policies, &operators, &sequences,
};

static const struct action actions[] = {
    [COOPERATIVES_COOP_REGISTER] =
        {
            .number = 1,
            ACTION_IS(cooperatives, coop_register),
            .authority = AUTHORITY_SELF,
            .units = 50,
        },
    [COOPERATIVES_COOP_ACTIVATE] =
        {
            .number = 2,
            ACTION_IS(cooperatives, coop_activate),
            .coop = "coop",
            .authority = AUTHORITY_OPERATOR,
            .units = 50,
        },
    [COOPERATIVES_COOP_LAPSE] =
        {
            .number = 3,
            ACTION_IS(cooperatives, coop_lapse),
            .coop = "coop",
            .authority = AUTHORITY_CHAIN | AUTHORITY_ANYONE,
            .basis = BASIS_DEADLINE,
            .units = 20,
        },
};

static const struct event events[] = {
    EVENT_IS(cooperatives, coop_registered),
    EVENT_IS(cooperatives, coop_activated),
    EVENT_IS(cooperatives, coop_lapsed),
};

const struct module cooperatives = {
    .number = 2,
    .name = "cooperatives",
    .tables = tables,
    .table_count = COUNT_OF(tables),
    .actions = actions,
    .action_count = COUNT_OF(actions),
    .events = events,
    .event_count = COUNT_OF(events),
};

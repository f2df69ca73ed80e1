#include "contracts/core.h"

#include "base/count.h"

const struct table core_usage = {
    .number = CORE_USAGE,
    .name = "usage",
    .module = &core,
    .row = &core__usage__descriptor,
    .row_bytes = core_usage_row_bytes,
    .key = {"account"},
};

const struct table core_coop_usage = {
    .number = CORE_COOP_USAGE,
    .name = "coop_usage",
    .module = &core,
    .row = &core__coop_usage__descriptor,
    .row_bytes = core_coop_usage_row_bytes,
    .key = {"coop"},
};

const struct table core_refs = {
    .number = CORE_REFS,
    .name = "refs",
    .module = &core,
    .row = &core__ref__descriptor,
    .row_bytes = core_refs_row_bytes,
    .key = {"ref_hash"},
    .indexes = {[CORE_REFS_BY_UNTIL] = {"by_until", {"until_ms"}}},
};

const struct table core_due = {
    .number = CORE_DUE,
    .name = "due",
    .module = &core,
    .row = &core__due_row__descriptor,
    .row_bytes = core_due_row_bytes,
    .key = {"due_at_ms", "seq"},
};

const struct table core_parameters = {
    .number = CORE_PARAMETERS,
    .name = "parameters",
    .module = &core,
    .row = &core__parameters_row__descriptor,
    .row_bytes = core_parameters_row_bytes,
    .key = {"id"},
};

static const struct table *const tables[] = {
    &core_usage, &core_coop_usage, &core_refs, &core_due, &core_parameters,
};

const struct module core = {
    .number = 0,
    .name = "core",
    .tables = tables,
    .table_count = COUNT_OF(tables),
};

/*
 * contracts/core.h -- module 0: the host's own tables.  It has no action; RPC serves its rows as any other's.
 */
#ifndef CONTRACTS_CORE_H
#define CONTRACTS_CORE_H

#include "contracts/host.h"

extern const struct module core;

TABLE(core_usage, Core__Usage);
TABLE(core_coop_usage, Core__CoopUsage);
TABLE(core_refs, Core__Ref);
TABLE(core_due, Core__DueRow);
TABLE(core_parameters, Core__ParametersRow);

enum core_refs_index { /* order of core_refs.indexes */
                       CORE_REFS_BY_UNTIL,
};

enum core_table { /* numbers */
                  CORE_USAGE = 1,
                  CORE_COOP_USAGE = 2,
                  CORE_REFS = 3,
                  CORE_DUE = 4,
                  CORE_PARAMETERS = 5,
};

#endif /* CONTRACTS_CORE_H */

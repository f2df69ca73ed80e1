/* tests/sim/scenario.h -- the list of scenarios and how main runs one. */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "tests/sim/world.h"

struct scenario_result {
    const char *failure; /* NULL: it passed; valid until the next run */
    uint32_t oracle;     /* that fired; 0: a check of the scenario's own */
    uint64_t virtual_us;
    uint64_t events;
    uint64_t hash;
    uint64_t marks[MARK_COUNT];
};

/* The next one in order of names; only those that begin with `name`, unless it is NULL. */
const struct sim_scenario *scenario_next(const struct sim_scenario *after, const char *name);
bool scenario_run(const struct sim_scenario *scenario, struct scenario_result *result);

#endif /* TESTS_SIM_SCENARIO_H */

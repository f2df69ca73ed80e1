/*
 * tests/scripted.h -- a module whose actions do what a test wants, beside the real ones.
 *
 * Module 30 `testing`: action 1 `script` of the actor (with .coop), 2 `timer` of the chain or anyone, 3 `spare`, a
 * reserve action.  Each calls scripted_run with its step.  Tables 1 `mixed` and 2 `plains`.
 */
#ifndef TESTS_SCRIPTED_H
#define TESTS_SCRIPTED_H

#include "contracts/host.h"
#include "contracts/registry.h"
#include "testing.pb-c.h"

enum { SCRIPT, TIMER, SPARE, TICK }; /* places in testing.actions */

enum { PLAINS_BY_SIGNED, PLAINS_BY_ID_SMALL };

TABLE(mixed, Testing__Row);
TABLE(plains, Testing__Plain);
EVENT(testing, happened, Testing__Happened);

extern const struct module testing;
extern const struct registry scripted_registry; /* registry_here and this module */

/* What the next actions do; set by the test. */
extern enum status (*scripted_run)(struct host *host, uint64_t step);

#endif /* TESTS_SCRIPTED_H */

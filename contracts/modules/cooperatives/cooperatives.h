/*
 * contracts/modules/cooperatives/cooperatives.h -- the module's own tables, actions and events.
 *
 * Seen by this folder only; other modules see interface.h.  States of a cooperative:
 *
 *     (none) --register--> PENDING --activate--> ACTIVE
 *                             \------lapse-----> LAPSED     the account may register again
 */
#ifndef CONTRACTS_MODULES_COOPERATIVES_COOPERATIVES_H
#define CONTRACTS_MODULES_COOPERATIVES_COOPERATIVES_H

#include "contracts/host.h"

TABLE(coops, Cooperatives__Coop);
TABLE(coop_counters, Cooperatives__CoopCounters);
TABLE(policies, Cooperatives__PolicyRow);
TABLE(operators, Cooperatives__Operator);
TABLE(sequences, Cooperatives__Sequence);

enum coops_index { /* order of coops.indexes */
                   COOPS_BY_STATE,
                   COOPS_BY_ACCOUNT,
};

ACTION(cooperatives_coop_register, Cooperatives__CoopRegister);
ACTION(cooperatives_coop_activate, Cooperatives__CoopActivate);
ACTION(cooperatives_coop_lapse, Cooperatives__CoopLapse);

EVENT(cooperatives, coop_registered, Cooperatives__CoopRegistered);
EVENT(cooperatives, coop_activated, Cooperatives__CoopActivated);
EVENT(cooperatives, coop_lapsed, Cooperatives__CoopLapsed);

enum cooperatives_action { /* position in cooperatives.actions */
                           COOPERATIVES_COOP_REGISTER,
                           COOPERATIVES_COOP_ACTIVATE,
                           COOPERATIVES_COOP_LAPSE,
};

#endif /* CONTRACTS_MODULES_COOPERATIVES_COOPERATIVES_H */

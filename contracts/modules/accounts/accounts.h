/*
 * contracts/modules/accounts/accounts.h -- the module's own tables, actions and events.
 *
 * Seen by this folder only; other modules see interface.h.
 */
#ifndef CONTRACTS_MODULES_ACCOUNTS_ACCOUNTS_H
#define CONTRACTS_MODULES_ACCOUNTS_ACCOUNTS_H

#include "contracts/host.h"

TABLE(account_rows, Accounts__Account); /* named "accounts", as the module is */
TABLE(keys, Accounts__Key);
TABLE(key_owners, Accounts__KeyOwner);
TABLE(aliases, Accounts__Alias);
TABLE(alias_reservations, Accounts__AliasReservation);

ACTION(accounts_account_create, Accounts__AccountCreate);
ACTION(accounts_alias_reserve, Accounts__AliasReserve);
ACTION(accounts_alias_set, Accounts__AliasSet);

EVENT(accounts, account_created, Accounts__AccountCreated);
EVENT(accounts, alias_taken, Accounts__AliasTaken);

enum accounts_action { /* position in accounts.actions */
                       ACCOUNTS_ACCOUNT_CREATE,
                       ACCOUNTS_ALIAS_RESERVE,
                       ACCOUNTS_ALIAS_SET,
};

#endif /* CONTRACTS_MODULES_ACCOUNTS_ACCOUNTS_H */

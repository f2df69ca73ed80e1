/*
 * contracts/modules/accounts/interface.h -- what other modules and the executor may ask of accounts.
 *
 * Plain calls: they run in the caller's action, under its units, and may be undone with it.
 */
#ifndef CONTRACTS_MODULES_ACCOUNTS_INTERFACE_H
#define CONTRACTS_MODULES_ACCOUNTS_INTERFACE_H

#include "contracts/host.h"

extern const struct module accounts;

/* The type of an account; ACCOUNTS__ACCOUNT__TYPE__TYPE_UNSPECIFIED if there is no such account. */
Accounts__Account__Type accounts_type(struct host *host, ProtobufCBinaryData account);

/*
 * A key of an account: what the executor asks for each signature.  False if account or key do not exist.  A
 * RECOVERY key is a key, and authorises nothing (H-9).
 */
bool accounts_key(struct host *host, ProtobufCBinaryData account, uint32_t key_id,
                  struct host_key *out);

/* The same of the account that this AccountCreate would create. */
bool accounts_key_of_request(const void *request, uint32_t key_id, struct host_key *out);

/* Write an account of the genesis, without sponsor and event.  Refuses as account_create does, AC-5 apart. */
enum status accounts_genesis(struct host *host, const void *request, ProtobufCBinaryData account);

#endif /* CONTRACTS_MODULES_ACCOUNTS_INTERFACE_H */

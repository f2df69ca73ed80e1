/*
 * contracts/modules/membership/interface.h -- what other modules and the executor may ask of membership.
 *
 * Plain calls: they run in the caller's action, under its units, and may be undone with it.
 */
#ifndef CONTRACTS_MODULES_MEMBERSHIP_INTERFACE_H
#define CONTRACTS_MODULES_MEMBERSHIP_INTERFACE_H

#include "contracts/host.h"

extern const struct module membership;

/*
 * STATUS_OK if `account` is an active member of `coop`.
 *
 * Refuses: MEMBERSHIP_NOT_MEMBER (M-7) otherwise, an open application included.
 */
enum status membership_require(struct host *host, uint64_t coop, ProtobufCBinaryData account);

#endif /* CONTRACTS_MODULES_MEMBERSHIP_INTERFACE_H */

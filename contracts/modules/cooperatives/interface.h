/*
 * contracts/modules/cooperatives/interface.h -- what other modules and the executor may ask of cooperatives.
 *
 * Plain calls: they run in the caller's action, under its units, and may be undone with it.
 */
#ifndef CONTRACTS_MODULES_COOPERATIVES_INTERFACE_H
#define CONTRACTS_MODULES_COOPERATIVES_INTERFACE_H

#include "contracts/host.h"

extern const struct module cooperatives;

struct admission_terms {
    int64_t entrance_fee; /* minor units of the cooperative's currency */
    int64_t min_share;
    uint64_t term_ms; /* for the council to decide */
    uint32_t policy_version;
};

/*
 * The terms on which `coop` admits a member of `kind` now.
 *
 * Refuses: COOPERATIVES_NO_SUCH_COOP (CO-1), COOPERATIVES_NOT_ACTIVE (CO-2); `terms` is then untouched.
 */
enum status cooperatives_admission_terms(struct host *host, uint64_t coop,
                                         Membership__Member__Kind kind,
                                         struct admission_terms *terms);

/*
 * Add `change` (1 or -1) to the cooperative's count of active members of `kind`, and so of voters.
 *
 * Refuses: COOPERATIVES_NO_SUCH_COOP (CO-1), STATUS_OVERFLOW (H-5).
 */
enum status cooperatives_member_count_add(struct host *host, uint64_t coop,
                                          Membership__Member__Kind kind, int32_t change);

/* The same for open applications. */
enum status cooperatives_candidates_add(struct host *host, uint64_t coop, int32_t change);

/* Does `account` hold one of `seats` in `coop`?  What the executor asks for AUTHORITY_SEAT. */
bool cooperatives_has_seat(struct host *host, uint64_t coop, ProtobufCBinaryData account,
                           uint32_t seats);

/* Is `account` an active operator?  What the executor asks for AUTHORITY_OPERATOR. */
bool cooperatives_is_operator(struct host *host, ProtobufCBinaryData account);

/* Whose transactions may use the cooperative's own bucket: members are asked of membership. */
enum cooperatives_stand {
    COOPERATIVES_UNKNOWN, /* there is no such cooperative */
    COOPERATIVES_STRANGER,
    COOPERATIVES_INSIDER, /* its own account, or a seat */
};

enum cooperatives_stand cooperatives_stand_of(struct host *host, uint64_t coop,
                                              ProtobufCBinaryData account);

/* Write the operator of the genesis.  Refuses: COOPERATIVES_OPERATOR (CO-5) no such account. */
enum status cooperatives_genesis_operator(struct host *host, ProtobufCBinaryData account);

#endif /* CONTRACTS_MODULES_COOPERATIVES_INTERFACE_H */

/*
 * contracts/status.h -- every reason for which the chain refuses, in one append-only register.
 *
 * A line is: name, number, rule.  number = module << 8 | n; numbers are hashed, names are for people and
 * for the catalogue of texts (docs/catalogue).  The rule stands in the README of the module, for module 0
 * in that of contracts.
 */
#ifndef CONTRACTS_STATUS_H
#define CONTRACTS_STATUS_H

#define STATUSES(X)                                                                                \
    X(STATUS_OK, 0x0000, "")                                                                       \
    X(STATUS_NO_SUCH_ACTION, 0x0001, "H-1")                                                        \
    X(STATUS_NOT_CANONICAL, 0x0002, "H-2")                                                         \
    X(STATUS_NOT_AUTHORISED, 0x0003, "H-3")                                                        \
    X(STATUS_OUT_OF_UNITS, 0x0004, "H-4")                                                          \
    X(STATUS_OVERFLOW, 0x0005, "H-5")                                                              \
    X(STATUS_ROW_TOO_LARGE, 0x0006, "H-7")                                                         \
    X(STATUS_REF_REUSED, 0x0007, "H-8")                                                            \
    X(STATUS_KEY_PURPOSE, 0x0008, "H-9")                                                           \
    X(ACCOUNTS_ID, 0x0100, "AC-1")                                                                 \
    X(ACCOUNTS_EXISTS, 0x0101, "AC-2")                                                             \
    X(ACCOUNTS_NO_DEVICE_KEY, 0x0102, "AC-3")                                                      \
    X(ACCOUNTS_KEY_TAKEN, 0x0103, "AC-4")                                                          \
    X(ACCOUNTS_KEY_UNSIGNED, 0x0104, "AC-5")                                                       \
    X(ACCOUNTS_FORM, 0x0105, "AC-6")                                                               \
    X(ACCOUNTS_ALIAS_FORM, 0x0106, "AC-7")                                                         \
    X(ACCOUNTS_ALIAS_TAKEN, 0x0107, "AC-8")                                                        \
    X(ACCOUNTS_ALIAS_NOT_RESERVED, 0x0108, "AC-9")                                                 \
    X(ACCOUNTS_ALIAS_TOO_SOON, 0x0109, "AC-10")                                                    \
    X(COOPERATIVES_NO_SUCH_COOP, 0x0200, "CO-1")                                                   \
    X(COOPERATIVES_NOT_ACTIVE, 0x0201, "CO-2")                                                     \
    X(COOPERATIVES_EXISTS, 0x0202, "CO-3")                                                         \
    X(COOPERATIVES_NOT_ORGANISATION, 0x0203, "CO-4")                                               \
    X(COOPERATIVES_OPERATOR, 0x0204, "CO-5")                                                       \
    X(COOPERATIVES_POLICY_BOUNDS, 0x0205, "CO-6")                                                  \
    X(COOPERATIVES_NOT_PENDING, 0x0206, "CO-7")                                                    \
    X(COOPERATIVES_COUNCIL, 0x0207, "CO-8")                                                        \
    X(COOPERATIVES_NOT_DUE, 0x0208, "CO-9")                                                        \
    X(COOPERATIVES_FORM, 0x0209, "CO-10")                                                          \
    X(MEMBERSHIP_COMMITMENT_SIZE, 0x0300, "M-1")                                                   \
    X(MEMBERSHIP_FEES_CHANGED, 0x0301, "M-2")                                                      \
    X(MEMBERSHIP_ALREADY_OPEN, 0x0302, "M-3")                                                      \
    X(MEMBERSHIP_ALREADY_MEMBER, 0x0303, "M-4")                                                    \
    X(MEMBERSHIP_NO_APPLICATION, 0x0304, "M-5")                                                    \
    X(MEMBERSHIP_REASON_MISSING, 0x0305, "M-6")                                                    \
    X(MEMBERSHIP_NOT_MEMBER, 0x0306, "M-7")                                                        \
    X(MEMBERSHIP_NOT_DUE, 0x0307, "M-8")                                                           \
    X(MEMBERSHIP_KIND, 0x0308, "M-9")

enum status {
#define STATUS_ENUMERATOR(name, number, rule) name = (number),
    STATUSES(STATUS_ENUMERATOR)
#undef STATUS_ENUMERATOR
};

/* Return the refusal unless the condition holds.  Only in a function that owns nothing. */
#define REQUIRE(cond, refusal)                                                                     \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            return (refusal);                                                                      \
        }                                                                                          \
    } while (0)

/* As REQUIRE for a call that itself answers a status. */
#define REQUIRE_OK(call)                                                                           \
    do {                                                                                           \
        const enum status require_status_ = (call);                                                \
        if (require_status_ != STATUS_OK) {                                                        \
            return require_status_;                                                                \
        }                                                                                          \
    } while (0)

const char *status_name(enum status status);
const char *status_rule(enum status status);

#endif /* CONTRACTS_STATUS_H */

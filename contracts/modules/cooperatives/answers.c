/*
 * contracts/modules/cooperatives/answers.c -- what other modules and the executor ask.
 */
#include "base/checked.h"
#include "contracts/modules/accounts/interface.h"
#include "contracts/modules/cooperatives/cooperatives.h"
#include "contracts/modules/cooperatives/interface.h"

enum status cooperatives_admission_terms(struct host *host, uint64_t coop,
                                         Membership__Member__Kind kind,
                                         struct admission_terms *terms)
{
    const Cooperatives__Coop *row = coops_get(host, &(Cooperatives__Coop){.coop = coop});
    const bool organisation = kind == MEMBERSHIP__MEMBER__KIND__ORGANISATION;
    const Cooperatives__PolicyRow *policy;

    REQUIRE(row != NULL, COOPERATIVES_NO_SUCH_COOP);                                   /* CO-1 */
    REQUIRE(row->state == COOPERATIVES__COOP__STATE__ACTIVE, COOPERATIVES_NOT_ACTIVE); /* CO-2 */
    policy = policies_get(host,
                          &(Cooperatives__PolicyRow){.coop = coop, .version = row->policy_version});
    REQUIRE(policy != NULL && policy->policy != NULL, COOPERATIVES_NO_SUCH_COOP);
    *terms = (struct admission_terms){
        .entrance_fee =
            organisation ? policy->policy->org_entrance_fee : policy->policy->entrance_fee,
        .min_share = organisation ? policy->policy->org_min_share : policy->policy->min_share,
        .term_ms = policy->policy->admission_term_ms,
        .policy_version = row->policy_version,
    };
    return STATUS_OK;
}

/* One more or one less; false if the counter cannot go there. */
static bool count_add(uint64_t *count, int32_t change)
{
    if (change < 0) {
        if (*count == 0) {
            return false;
        }
        *count -= 1;
        return true;
    }
    return checked_add_u64(*count, 1, count);
}

static uint64_t *count_of(Cooperatives__CoopCounters *counters, Membership__Member__Kind kind)
{
    switch (kind) {
    case MEMBERSHIP__MEMBER__KIND__KIND_UNSPECIFIED:
        return NULL;
    case MEMBERSHIP__MEMBER__KIND__PERSON:
        return &counters->persons;
    case MEMBERSHIP__MEMBER__KIND__ENTREPRENEUR:
        return &counters->entrepreneurs;
    case MEMBERSHIP__MEMBER__KIND__ORGANISATION:
        return &counters->organisations;
    }
    return NULL;
}

enum status cooperatives_member_count_add(struct host *host, uint64_t coop,
                                          Membership__Member__Kind kind, int32_t change)
{
    const Cooperatives__CoopCounters *row =
        coop_counters_get(host, &(Cooperatives__CoopCounters){.coop = coop});
    Cooperatives__CoopCounters counted;
    uint64_t *of_kind;

    REQUIRE(row != NULL, COOPERATIVES_NO_SUCH_COOP); /* CO-1 */
    counted = *row;
    of_kind = count_of(&counted, kind);
    REQUIRE(of_kind != NULL && count_add(of_kind, change), STATUS_OVERFLOW); /* H-5 */
    REQUIRE(count_add(&counted.voters, change), STATUS_OVERFLOW);            /* H-5 */
    coop_counters_put(host, &counted);
    return STATUS_OK;
}

enum status cooperatives_candidates_add(struct host *host, uint64_t coop, int32_t change)
{
    const Cooperatives__CoopCounters *row =
        coop_counters_get(host, &(Cooperatives__CoopCounters){.coop = coop});
    Cooperatives__CoopCounters counted;

    REQUIRE(row != NULL, COOPERATIVES_NO_SUCH_COOP); /* CO-1 */
    counted = *row;
    REQUIRE(count_add(&counted.candidates_open, change), STATUS_OVERFLOW); /* H-5 */
    coop_counters_put(host, &counted);
    return STATUS_OK;
}

bool cooperatives_has_seat(struct host *host, uint64_t coop, ProtobufCBinaryData account,
                           uint32_t seats)
{
    const Cooperatives__Coop *row = coops_get(host, &(Cooperatives__Coop){.coop = coop});

    return row != NULL && (seats & SEAT_COUNCIL) != 0 && row->council_member.len != 0 &&
           id_equal(row->council_member, account);
}

bool cooperatives_is_operator(struct host *host, ProtobufCBinaryData account)
{
    const Cooperatives__Operator *row =
        operators_get(host, &(Cooperatives__Operator){.account = account});

    return row != NULL && row->state == COOPERATIVES__OPERATOR__STATE__ACTIVE;
}

enum cooperatives_stand cooperatives_stand_of(struct host *host, uint64_t coop,
                                              ProtobufCBinaryData account)
{
    const Cooperatives__Coop *row = coops_get(host, &(Cooperatives__Coop){.coop = coop});

    if (row == NULL) {
        return COOPERATIVES_UNKNOWN;
    }
    if (id_equal(row->account, account) || id_equal(row->council_member, account)) {
        return COOPERATIVES_INSIDER;
    }
    return COOPERATIVES_STRANGER;
}

enum status cooperatives_genesis_operator(struct host *host, ProtobufCBinaryData account)
{
    REQUIRE(accounts_type(host, account) != ACCOUNTS__ACCOUNT__TYPE__TYPE_UNSPECIFIED,
            COOPERATIVES_OPERATOR); /* CO-5 */
    operators_put(host, &(Cooperatives__Operator){.account = account,
                                                  .state = COOPERATIVES__OPERATOR__STATE__ACTIVE});
    return STATUS_OK;
}

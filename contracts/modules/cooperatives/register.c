/*
 * contracts/modules/cooperatives/register.c -- from the wish to be a cooperative of the network to its beginning.
 */
#include "contracts/modules/accounts/interface.h"
#include "contracts/modules/cooperatives/cooperatives.h"
#include "contracts/modules/cooperatives/interface.h"

static const uint64_t PENDING_MS = UINT64_C(30) * 86400000;
static const uint64_t TERM_MAX_MS = UINT64_C(30) * 86400000;
static const int64_t SUM_MAX = INT64_C(1000000000000000);

enum { DIGEST_BYTES = 32, SCALE_MAX = 4, QUOTA_ORGANISATION = 2 };

/* The next number of `kind`, from 1; none is given twice. */
static uint64_t next_number(struct host *host, Cooperatives__Sequence__Kind kind)
{
    const Cooperatives__Sequence *row =
        sequences_get(host, &(Cooperatives__Sequence){.kind = kind});
    const uint64_t number = row == NULL ? 1 : row->next;

    sequences_put(host, &(Cooperatives__Sequence){.kind = kind, .next = number + 1});
    return number;
}

/*
 * CO-3: at most one cooperative of an account is not over.  A new one needs the older ones over, so only the newest
 * can be open.
 */
static bool register_has_open(struct host *host, ProtobufCBinaryData account)
{
    const struct rows newest = coops_list(
        host, (struct scan){.index = COOPS_BY_ACCOUNT, .fields = 1, .limit = 1, .reverse = true},
        &(Cooperatives__Coop){.account = account});
    const Cooperatives__Coop *row = coops_at(&newest, 0);

    return row != NULL && row->state != COOPERATIVES__COOP__STATE__LAPSED;
}

/* `count` capital letters and nothing else. */
static bool register_capitals(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text[i] < 'A' || text[i] > 'Z') {
            return false;
        }
    }
    return text[count] == 0;
}

/* CO-10 */
static bool register_form(const Cooperatives__CoopRegister *request)
{
    return request->name[0] != 0 && request->kind != COOPERATIVES__COOP__KIND__KIND_UNSPECIFIED &&
           register_capitals(request->jurisdiction, 2) && register_capitals(request->currency, 3) &&
           request->scale <= SCALE_MAX && request->charter_digest.len == DIGEST_BYTES &&
           request->minutes_digest.len == DIGEST_BYTES;
}

static bool register_sum(int64_t sum)
{
    return sum >= 0 && sum <= SUM_MAX;
}

/* CO-6 */
static bool register_policy(struct host *host, const Cooperatives__Policy *policy)
{
    return policy != NULL && register_sum(policy->entrance_fee) &&
           register_sum(policy->min_share) && register_sum(policy->org_entrance_fee) &&
           register_sum(policy->org_min_share) &&
           policy->admission_term_ms >= host_parameters(host)->term_floor_ms &&
           policy->admission_term_ms <= TERM_MAX_MS;
}

static void register_write(struct host *host, const Cooperatives__CoopRegister *request,
                           uint64_t coop)
{
    const uint64_t now_ms = host_block_time_ms(host);

    coops_put(host, &(Cooperatives__Coop){
                        .coop = coop,
                        .account = host_actor(host),
                        .name = request->name,
                        .kind = request->kind,
                        .jurisdiction = request->jurisdiction,
                        .state = COOPERATIVES__COOP__STATE__PENDING,
                        .state_due_at_ms = now_ms + PENDING_MS,
                        .operator_ = request->operator_,
                        .currency = request->currency,
                        .scale = request->scale,
                        .policy_version = 1,
                        .charter_digest = request->charter_digest,
                        .minutes_digest = request->minutes_digest,
                        .created_at_ms = now_ms,
                    });
    policies_put(host, &(Cooperatives__PolicyRow){
                           .coop = coop,
                           .version = 1,
                           .policy = request->policy,
                           .effective_at_ms = now_ms,
                       });
    coop_counters_put(host, &(Cooperatives__CoopCounters){.coop = coop});
}

/*
 * Ask to be a cooperative of the network, served by an operator, who signs too.  The chain gives the number; nobody is
 * admitted before the operator has activated it (CO-2), and after 30 days without that it lapses (CO-9).
 *
 * Writes: the cooperative's row, its first policy and counters; the sequence; a deadline; one event.
 */
enum status cooperatives_coop_register(struct host *host, const Cooperatives__CoopRegister *request)
{
    const ProtobufCBinaryData account = host_actor(host);
    uint64_t coop;

    REQUIRE(accounts_type(host, account) == ACCOUNTS__ACCOUNT__TYPE__ORGANISATION,
            COOPERATIVES_NOT_ORGANISATION);                          /* CO-4 */
    REQUIRE(!register_has_open(host, account), COOPERATIVES_EXISTS); /* CO-3 */
    REQUIRE(cooperatives_is_operator(host, request->operator_) &&
                host_signed(host, request->operator_),
            COOPERATIVES_OPERATOR);                                              /* CO-5 */
    REQUIRE(register_form(request), COOPERATIVES_FORM);                          /* CO-10 */
    REQUIRE(register_policy(host, request->policy), COOPERATIVES_POLICY_BOUNDS); /* CO-6 */

    coop = next_number(host, COOPERATIVES__SEQUENCE__KIND__COOP);
    register_write(host, request, coop);
    host_schedule(host, host_block_time_ms(host) + PENDING_MS,
                  &cooperatives.actions[COOPERATIVES_COOP_LAPSE],
                  &(Cooperatives__CoopLapse){.coop = coop});
    cooperatives_coop_registered_emit(
        host, &(Cooperatives__CoopRegistered){.coop = coop, .account = account});
    return STATUS_OK;
}

/*
 * Let a registered cooperative begin, with its one council member, who need not be a member.
 *
 * Writes: the cooperative's row; the quota class of its account; one event.
 */
enum status cooperatives_coop_activate(struct host *host, const Cooperatives__CoopActivate *request)
{
    const Cooperatives__Coop *row = coops_get(host, &(Cooperatives__Coop){.coop = request->coop});
    Cooperatives__Coop activated;

    REQUIRE(row != NULL, COOPERATIVES_NO_SUCH_COOP);                                     /* CO-1 */
    REQUIRE(row->state == COOPERATIVES__COOP__STATE__PENDING, COOPERATIVES_NOT_PENDING); /* CO-7 */
    REQUIRE(id_equal(row->operator_, host_actor(host)), COOPERATIVES_OPERATOR);          /* CO-5 */
    REQUIRE(accounts_type(host, request->council_member) == ACCOUNTS__ACCOUNT__TYPE__PERSON,
            COOPERATIVES_COUNCIL);                                            /* CO-8 */
    REQUIRE(request->decision_digest.len == DIGEST_BYTES, COOPERATIVES_FORM); /* CO-10 */

    activated = *row;
    activated.state = COOPERATIVES__COOP__STATE__ACTIVE;
    activated.state_due_at_ms = 0;
    activated.council_member = request->council_member;
    activated.decision_digest = request->decision_digest;
    activated.activated_at_ms = host_block_time_ms(host);
    coops_put(host, &activated);
    host_quota_class_set(host, row->account, QUOTA_ORGANISATION);
    cooperatives_coop_activated_emit(
        host, &(Cooperatives__CoopActivated){.coop = request->coop,
                                             .council_member = request->council_member});
    return STATUS_OK;
}

/*
 * Close a registration that nobody activated.  The chain calls it when the time is over; anyone may call it later.
 *
 * Writes: the cooperative's row; one event.
 */
enum status cooperatives_coop_lapse(struct host *host, const Cooperatives__CoopLapse *request)
{
    const Cooperatives__Coop *row = coops_get(host, &(Cooperatives__Coop){.coop = request->coop});
    Cooperatives__Coop lapsed;

    REQUIRE(row != NULL, COOPERATIVES_NO_SUCH_COOP);                                     /* CO-1 */
    REQUIRE(row->state == COOPERATIVES__COOP__STATE__PENDING, COOPERATIVES_NOT_PENDING); /* CO-7 */
    REQUIRE(host_block_time_ms(host) >= row->state_due_at_ms, COOPERATIVES_NOT_DUE);     /* CO-9 */

    lapsed = *row;
    lapsed.state = COOPERATIVES__COOP__STATE__LAPSED;
    lapsed.state_due_at_ms = 0;
    coops_put(host, &lapsed);
    cooperatives_coop_lapsed_emit(host, &(Cooperatives__CoopLapsed){.coop = request->coop});
    return STATUS_OK;
}

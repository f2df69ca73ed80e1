/*
 * contracts/modules/membership/admission.c -- from an application to a place in the register.
 */
#include "contracts/modules/accounts/interface.h"
#include "contracts/modules/cooperatives/interface.h"
#include "contracts/modules/membership/interface.h"
#include "contracts/modules/membership/membership.h"

enum { COMMITMENT_BYTES = 32 };

/* M-9: which kinds of member an account of this type may be. */
static bool admission_kind_fits(Membership__Member__Kind kind, Accounts__Account__Type type)
{
    switch (kind) {
    case MEMBERSHIP__MEMBER__KIND__KIND_UNSPECIFIED:
        return false;
    case MEMBERSHIP__MEMBER__KIND__PERSON:
    case MEMBERSHIP__MEMBER__KIND__ENTREPRENEUR:
        return type == ACCOUNTS__ACCOUNT__TYPE__PERSON;
    case MEMBERSHIP__MEMBER__KIND__ORGANISATION:
        return type == ACCOUNTS__ACCOUNT__TYPE__ORGANISATION;
    }
    return false;
}

/* M-2: the candidate signs what they were shown, and a refusal says what it is now. */
static enum status admission_fees(struct host *host, const Membership__AdmissionApply *request,
                                  const struct admission_terms *terms)
{
    if (request->entrance_fee != terms->entrance_fee || request->min_share != terms->min_share) {
        host_note(host, "entrance_fee", terms->entrance_fee);
        host_note(host, "min_share", terms->min_share);
        return MEMBERSHIP_FEES_CHANGED; /* M-2 */
    }
    return STATUS_OK;
}

/*
 * Apply for membership.
 *
 * The fees are written down as the policy has them now: a policy that changed since the candidate looked refuses
 * the application instead of surprising the person (M-2).  An account may be a member of any number of
 * cooperatives, and of each one once (M-3, M-4).
 *
 * Writes: the member row; the cooperative's open candidates; one event; a deadline for the council (M-8).
 */
enum status membership_admission_apply(struct host *host, const Membership__AdmissionApply *request)
{
    const ProtobufCBinaryData candidate = host_actor(host);
    const Membership__Member like = {.coop = request->coop, .account = candidate};
    const uint64_t now_ms = host_block_time_ms(host);
    const Membership__Member *before;
    struct admission_terms terms;

    REQUIRE_OK(cooperatives_admission_terms(host, request->coop, request->kind, &terms));
    REQUIRE(request->profile_commitment.len == COMMITMENT_BYTES,
            MEMBERSHIP_COMMITMENT_SIZE); /* M-1 */
    REQUIRE(admission_kind_fits(request->kind, accounts_type(host, candidate)),
            MEMBERSHIP_KIND); /* M-9 */
    REQUIRE_OK(admission_fees(host, request, &terms));
    before = members_get(host, &like);
    if (before != NULL) {
        REQUIRE(before->state != MEMBERSHIP__MEMBER__STATE__APPLIED,
                MEMBERSHIP_ALREADY_OPEN); /* M-3 */
        REQUIRE(before->state != MEMBERSHIP__MEMBER__STATE__ACTIVE,
                MEMBERSHIP_ALREADY_MEMBER);                /* M-4 */
        REQUIRE(before->n != UINT32_MAX, STATUS_OVERFLOW); /* H-5 */
    }
    members_put(host, &(Membership__Member){
                          .coop = request->coop,
                          .account = candidate,
                          .state = MEMBERSHIP__MEMBER__STATE__APPLIED,
                          .profile_commitment = request->profile_commitment,
                          .entrance_fee = terms.entrance_fee,
                          .min_share = terms.min_share,
                          .applied_at_ms = now_ms,
                          .lapses_at_ms = now_ms + terms.term_ms,
                          .kind = request->kind,
                          .n = before == NULL ? 1 : before->n + 1,
                          .policy_version = terms.policy_version,
                      });
    REQUIRE_OK(cooperatives_candidates_add(host, request->coop, 1));
    membership_admission_applied_emit(
        host, &(Membership__AdmissionApplied){.coop = request->coop, .account = candidate});
    host_schedule(host, now_ms + terms.term_ms, &membership.actions[MEMBERSHIP_ADMISSION_LAPSE],
                  &(Membership__AdmissionLapse){.coop = request->coop, .account = candidate});
    return STATUS_OK;
}

/* The open application of an account, or NULL (M-5). */
static const Membership__Member *admission_open(struct host *host, uint64_t coop,
                                                ProtobufCBinaryData account)
{
    const Membership__Member *row =
        members_get(host, &(Membership__Member){.coop = coop, .account = account});

    return row != NULL && row->state == MEMBERSHIP__MEMBER__STATE__APPLIED ? row : NULL;
}

/*
 * Admit or refuse.  A refusal carries the digest of its reasons, so that the person can ask for them (M-6).
 *
 * Writes: the member row; the cooperative's counters; one event.
 */
enum status membership_admission_decide(struct host *host,
                                        const Membership__AdmissionDecide *request)
{
    const Membership__Member *row = admission_open(host, request->coop, request->account);
    Membership__Member decided;

    REQUIRE(row != NULL, MEMBERSHIP_NO_APPLICATION);                                       /* M-5 */
    REQUIRE(request->admit || request->reason_digest.len != 0, MEMBERSHIP_REASON_MISSING); /* M-6 */

    decided = *row;
    decided.state =
        request->admit ? MEMBERSHIP__MEMBER__STATE__ACTIVE : MEMBERSHIP__MEMBER__STATE__REFUSED;
    decided.decided_at_ms = host_block_time_ms(host);
    decided.decided_by = host_actor(host);
    decided.reason_digest = request->reason_digest;
    members_put(host, &decided);
    REQUIRE_OK(cooperatives_candidates_add(host, request->coop, -1));
    if (request->admit) {
        REQUIRE_OK(cooperatives_member_count_add(host, request->coop, row->kind, 1));
    }
    membership_admission_decided_emit(
        host, &(Membership__AdmissionDecided){
                  .coop = request->coop, .account = request->account, .admitted = request->admit});
    return STATUS_OK;
}

/*
 * Close an application on which the council was silent for the whole term (M-8).
 *
 * The chain calls it when the term ends; anyone may call it later.  The row decides: a decided application is
 * left alone (M-5), and so is one that was made anew (M-8).
 *
 * Writes: the member row; the cooperative's open candidates; one event.
 */
enum status membership_admission_lapse(struct host *host, const Membership__AdmissionLapse *request)
{
    const Membership__Member *row = admission_open(host, request->coop, request->account);
    Membership__Member lapsed;

    REQUIRE(row != NULL, MEMBERSHIP_NO_APPLICATION);                            /* M-5 */
    REQUIRE(host_block_time_ms(host) >= row->lapses_at_ms, MEMBERSHIP_NOT_DUE); /* M-8 */

    lapsed = *row;
    lapsed.state = MEMBERSHIP__MEMBER__STATE__LAPSED;
    lapsed.decided_at_ms = host_block_time_ms(host);
    members_put(host, &lapsed);
    REQUIRE_OK(cooperatives_candidates_add(host, request->coop, -1));
    membership_admission_lapsed_emit(
        host, &(Membership__AdmissionLapsed){.coop = request->coop, .account = request->account});
    return STATUS_OK;
}

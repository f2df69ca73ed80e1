/* Module membership: each rule once, in its order, and what an accepted action writes. */
#include "contracts/modules/membership/interface.h"

#include "contracts/core.h"
#include "contracts/modules/cooperatives/interface.h"
#include "tests/check.h"
#include "tests/world.h"

enum { APPLY, DECIDE, LEAVE, LAPSE };          /* places in the module's data */
enum { MEMBERS_BY_STATE, MEMBERS_BY_ACCOUNT }; /* of table 1 */

static const uint64_t day_ms = 86400000;

static struct world world;

static const Membership__Member *member(uint64_t coop, uint32_t actor)
{
    return world_get(&world, world_table(&membership, 1),
                     &(Membership__Member){.coop = coop, .account = world_id(&world, actor)});
}

static const Cooperatives__CoopCounters *counters(uint64_t coop)
{
    return world_get(&world, world_table(&cooperatives, 2),
                     &(Cooperatives__CoopCounters){.coop = coop});
}

static uint64_t begin(void)
{
    world_open_cast(&world, NULL);
    world_block(&world, 1000);
    return world_coop(&world, FIRST);
}

static void end(void)
{
    world_check_indexes(&world);
    world_block_end(&world);
    world_close(&world);
}

static void next_block(uint64_t later_ms)
{
    world_block_end(&world);
    world_block(&world, later_ms);
}

static void apply_refused(uint32_t actor, const Membership__AdmissionApply *request,
                          enum status status)
{
    (void)world_act_refused(&world, actor, &membership, APPLY, request, status);
}

static Membership__AdmissionDecide decision(uint64_t coop, uint32_t actor, bool admit)
{
    return (Membership__AdmissionDecide){
        .coop = coop, .account = world_id(&world, actor), .admit = admit};
}

TEST(an_application_writes_its_row)
{
    const uint64_t coop = begin();
    const Membership__AdmissionApply apply =
        world_application(&world, coop, MEMBERSHIP__MEMBER__KIND__ENTREPRENEUR);
    const Chain__Receipt *receipt = world_act(&world, ANNA, &membership, APPLY, &apply);
    const Membership__Member *row;

    CHECK_U64(receipt->n_events, ==, 1);
    CHECK_U64(receipt->events[0]->module, ==, 3);
    CHECK_U64(receipt->events[0]->event, ==, 1);
    row = member(coop, ANNA);
    CHECK(row != NULL && row->state == MEMBERSHIP__MEMBER__STATE__APPLIED);
    CHECK(row->kind == MEMBERSHIP__MEMBER__KIND__ENTREPRENEUR);
    CHECK(id_equal(row->profile_commitment, apply.profile_commitment));
    CHECK(row->entrance_fee == 100 && row->min_share == 5000);
    CHECK_U64(row->applied_at_ms, ==, world.time_ms);
    CHECK_U64(row->lapses_at_ms, ==, world.time_ms + 10 * day_ms);
    CHECK_U64(row->n, ==, 1);
    CHECK_U64(row->policy_version, ==, 1);
    CHECK_U64(counters(coop)->candidates_open, ==, 1);
    CHECK_U64(counters(coop)->voters, ==, 0);
    end();
}

TEST(refusals_of_an_application_in_order)
{
    const uint64_t coop = begin();
    Membership__AdmissionApply apply =
        world_application(&world, coop + 1, MEMBERSHIP__MEMBER__KIND__KIND_UNSPECIFIED);
    const Chain__Receipt *receipt;
    Cooperatives__CoopRegister request;
    struct world_tx tx;

    /* Everything is wrong with it; one after another is put right. */
    apply.profile_commitment.len = 31;
    apply.entrance_fee = 99;
    apply_refused(ANNA, &apply, COOPERATIVES_NO_SUCH_COOP); /* CO-1 */
    request = world_registration(&world, &world_policy);
    world_tx_begin(&world, &tx, SECOND);
    (void)world_tx_act(&world, &tx, SECOND, &cooperatives, 0, &request);
    world_tx_sign(&tx, OPERATOR, 0);
    (void)world_accepted(&world, &tx);
    apply_refused(ANNA, &apply, COOPERATIVES_NOT_ACTIVE); /* CO-2 */
    apply.coop = coop;
    apply_refused(ANNA, &apply, MEMBERSHIP_COMMITMENT_SIZE); /* M-1 */
    apply.profile_commitment.len = 0;
    apply_refused(ANNA, &apply, MEMBERSHIP_COMMITMENT_SIZE);
    apply.profile_commitment.len = 32;
    apply_refused(ANNA, &apply, MEMBERSHIP_KIND); /* M-9 */
    apply.kind = MEMBERSHIP__MEMBER__KIND__PERSON;
    receipt = world_act_refused(&world, ANNA, &membership, APPLY, &apply,
                                MEMBERSHIP_FEES_CHANGED); /* M-2 */
    CHECK_U64(receipt->n_notes, ==, 2);
    CHECK_BYTES(bytes_of(receipt->notes[0]->name, 12), bytes_of("entrance_fee", 12));
    CHECK(receipt->notes[0]->value == 100 && receipt->notes[1]->value == 5000);
    apply.entrance_fee = 100;
    (void)world_act(&world, ANNA, &membership, APPLY, &apply);
    apply_refused(ANNA, &apply, MEMBERSHIP_ALREADY_OPEN); /* M-3 */
    receipt = world_act(&world, CHAIR, &membership, DECIDE,
                        &(Membership__AdmissionDecide){
                            .coop = coop, .account = world_id(&world, ANNA), .admit = true});
    CHECK_U64(receipt->n_events, ==, 1);
    apply_refused(ANNA, &apply, MEMBERSHIP_ALREADY_MEMBER); /* M-4 */
    end();
}

TEST(kinds_fit_accounts)
{
    static const struct {
        uint32_t actor;
        bool fits[4]; /* by kind */
    } cases[] = {
        {ANNA, {false, true, true, false}},
        {SECOND, {false, false, false, true}},
        {ROBOT, {false, false, false, false}},
    };
    const uint64_t coop = begin();
    uint64_t admitted[4] = {0};

    for (size_t i = 0; i < 3; i++) {
        for (int kind = 0; kind < 4; kind++) {
            const Membership__AdmissionApply apply =
                world_application(&world, coop, (Membership__Member__Kind)kind);
            const Membership__AdmissionDecide admit = decision(coop, cases[i].actor, true);

            if (!cases[i].fits[kind]) {
                apply_refused(cases[i].actor, &apply, MEMBERSHIP_KIND); /* M-9 */
                continue;
            }
            (void)world_act(&world, cases[i].actor, &membership, APPLY, &apply);
            (void)world_act(&world, CHAIR, &membership, DECIDE, &admit);
            admitted[kind] += 1;
            CHECK_U64(counters(coop)->persons, ==, admitted[1]);
            CHECK_U64(counters(coop)->entrepreneurs, ==, admitted[2]);
            CHECK_U64(counters(coop)->organisations, ==, admitted[3]);
            CHECK_U64(counters(coop)->voters, ==, 1);
            (void)world_act(&world, cases[i].actor, &membership, LEAVE,
                            &(Membership__Leave){.coop = coop});
            admitted[kind] -= 1;
            CHECK_U64(counters(coop)->voters, ==, 0);
        }
    }
    end();
}

TEST(decisions)
{
    const uint64_t coop = begin();
    const Membership__AdmissionApply apply =
        world_application(&world, coop, MEMBERSHIP__MEMBER__KIND__PERSON);
    Membership__AdmissionDecide decide = decision(coop, ANNA, true);
    const Membership__Member *row;

    (void)world_act_refused(&world, CHAIR, &membership, DECIDE, &decide,
                            MEMBERSHIP_NO_APPLICATION); /* M-5: nobody applied */
    (void)world_act(&world, ANNA, &membership, APPLY, &apply);
    (void)world_act_refused(&world, ANNA, &membership, DECIDE, &decide,
                            STATUS_NOT_AUTHORISED); /* H-3: no seat */
    (void)world_act_refused(&world, FIRST, &membership, DECIDE, &decide, STATUS_NOT_AUTHORISED);
    decide.admit = false;
    (void)world_act_refused(&world, CHAIR, &membership, DECIDE, &decide,
                            MEMBERSHIP_REASON_MISSING); /* M-6 */
    decide.reason_digest = world_id(&world, BORIS);
    (void)world_act(&world, CHAIR, &membership, DECIDE, &decide);
    row = member(coop, ANNA);
    CHECK(row->state == MEMBERSHIP__MEMBER__STATE__REFUSED);
    CHECK(id_equal(row->decided_by, world_id(&world, CHAIR)));
    CHECK(id_equal(row->reason_digest, world_id(&world, BORIS)));
    CHECK_U64(row->decided_at_ms, ==, world.time_ms);
    CHECK_U64(counters(coop)->candidates_open, ==, 0);
    (void)world_act_refused(&world, CHAIR, &membership, DECIDE, &decide,
                            MEMBERSHIP_NO_APPLICATION); /* M-5: decided */
    (void)world_act(&world, ANNA, &membership, APPLY, &apply);
    row = member(coop, ANNA);
    CHECK_U64(row->n, ==, 2);
    CHECK_U64(row->reason_digest.len, ==, 0); /* written anew */
    decide.admit = true;
    (void)world_act(&world, CHAIR, &membership, DECIDE, &decide);
    CHECK(member(coop, ANNA)->state == MEMBERSHIP__MEMBER__STATE__ACTIVE);
    CHECK_U64(counters(coop)->voters, ==, 1);
    end();
}

TEST(leaving)
{
    const uint64_t coop = begin();
    const Membership__Leave leave = {.coop = coop};
    const Membership__AdmissionApply apply =
        world_application(&world, coop, MEMBERSHIP__MEMBER__KIND__PERSON);

    (void)world_act_refused(&world, ANNA, &membership, LEAVE, &leave,
                            MEMBERSHIP_NOT_MEMBER); /* M-7: never applied */
    (void)world_act(&world, ANNA, &membership, APPLY, &apply);
    (void)world_act_refused(&world, ANNA, &membership, LEAVE, &leave,
                            MEMBERSHIP_NOT_MEMBER); /* M-7: an application is no membership */
    (void)world_act(&world, CHAIR, &membership, DECIDE,
                    &(Membership__AdmissionDecide){
                        .coop = coop, .account = world_id(&world, ANNA), .admit = true});
    (void)world_act(&world, ANNA, &membership, LEAVE, &leave);
    CHECK(member(coop, ANNA)->state == MEMBERSHIP__MEMBER__STATE__LEFT);
    CHECK_U64(member(coop, ANNA)->left_at_ms, ==, world.time_ms);
    (void)world_act_refused(&world, ANNA, &membership, LEAVE, &leave,
                            MEMBERSHIP_NOT_MEMBER);            /* M-7 */
    (void)world_act(&world, ANNA, &membership, APPLY, &apply); /* again at once */
    end();
}

TEST(a_silent_council)
{
    const uint64_t coop = begin();
    const Membership__AdmissionApply apply =
        world_application(&world, coop, MEMBERSHIP__MEMBER__KIND__PERSON);
    const Membership__AdmissionLapse lapse = {.coop = coop, .account = world_id(&world, ANNA)};
    const Chain__Receipt *receipt;

    (void)world_act_refused(&world, BORIS, &membership, LAPSE, &lapse,
                            MEMBERSHIP_NO_APPLICATION); /* M-5 */
    (void)world_act(&world, ANNA, &membership, APPLY, &apply);
    next_block(10 * day_ms - 1);
    (void)world_act_refused(&world, BORIS, &membership, LAPSE, &lapse,
                            MEMBERSHIP_NOT_DUE); /* M-8 */
    next_block(1);
    CHECK(member(coop, ANNA)->state == MEMBERSHIP__MEMBER__STATE__LAPSED);
    CHECK_U64(member(coop, ANNA)->decided_by.len, ==, 0);
    CHECK_U64(counters(coop)->candidates_open, ==, 0);
    world_block_end(&world);
    CHECK_U64(world.result.due_count, ==, 1);
    receipt = world_receipt(&world, 0);
    CHECK_U64(receipt->status, ==, STATUS_OK);
    CHECK_U64(receipt->n_events, ==, 1);
    CHECK_U64(receipt->events[0]->event, ==, 4);
    world_close(&world);
}

/* Decided, left, applied anew: the first deadline finds an application whose time has not come. */
TEST(a_deadline_that_comes_too_late)
{
    const uint64_t coop = begin();
    const Membership__AdmissionApply apply =
        world_application(&world, coop, MEMBERSHIP__MEMBER__KIND__PERSON);
    Membership__AdmissionDecide refuse = decision(coop, ANNA, false);

    (void)world_act(&world, ANNA, &membership, APPLY, &apply);
    (void)world_act(&world, BORIS, &membership, APPLY, &apply);
    next_block(day_ms);
    refuse.reason_digest = world_id(&world, BORIS);
    (void)world_act(&world, CHAIR, &membership, DECIDE, &refuse);
    (void)world_act(&world, ANNA, &membership, APPLY, &apply);
    refuse.account = world_id(&world, BORIS);
    (void)world_act(&world, CHAIR, &membership, DECIDE, &refuse);
    next_block(9 * day_ms);
    CHECK(member(coop, ANNA)->state == MEMBERSHIP__MEMBER__STATE__APPLIED);
    CHECK(member(coop, BORIS)->state == MEMBERSHIP__MEMBER__STATE__REFUSED);
    world_block_end(&world);
    CHECK_U64(world.result.due_count, ==, 2);
    CHECK_U64(world_receipt(&world, 0)->status, ==, MEMBERSHIP_NOT_DUE);        /* M-8 */
    CHECK_U64(world_receipt(&world, 1)->status, ==, MEMBERSHIP_NO_APPLICATION); /* M-5 */
    world_close(&world);
}

TEST(one_person_two_cooperatives)
{
    const uint64_t first = begin();
    const uint64_t second = world_coop(&world, SECOND);
    const Membership__Member like = {.account = world_id(&world, ANNA)};
    const Membership__Member active = {.coop = second, .state = MEMBERSHIP__MEMBER__STATE__ACTIVE};

    world_admit(&world, first, ANNA);
    world_admit(&world, second, ANNA);
    world_admit(&world, second, BORIS);
    world_admit(&world, second, FIRST); /* a cooperative is a member of another */
    CHECK_U64(world_count(&world, world_table(&membership, 1), MEMBERS_BY_ACCOUNT, 1, &like), ==,
              2);
    CHECK_U64(world_count(&world, world_table(&membership, 1), MEMBERS_BY_STATE, 2, &active), ==,
              3);
    (void)world_act(&world, ANNA, &membership, LEAVE, &(Membership__Leave){.coop = second});
    CHECK(member(first, ANNA)->state == MEMBERSHIP__MEMBER__STATE__ACTIVE);
    CHECK_U64(counters(first)->voters, ==, 1);
    CHECK_U64(counters(second)->voters, ==, 2);
    CHECK_U64(counters(second)->organisations, ==, 1);
    end();
}

/* H-5: numbers that no real history reaches, written past the rules. */
TEST(counters_do_not_wrap)
{
    const uint64_t coop = begin();
    const Membership__AdmissionApply apply =
        world_application(&world, coop, MEMBERSHIP__MEMBER__KIND__PERSON);
    Membership__Member row;

    world_admit(&world, coop, ANNA);
    world_put(&world, world_table(&cooperatives, 2), &(Cooperatives__CoopCounters){.coop = coop});
    (void)world_act_refused(&world, ANNA, &membership, LEAVE, &(Membership__Leave){.coop = coop},
                            STATUS_OVERFLOW); /* H-5 */
    world_put(&world, world_table(&cooperatives, 2),
              &(Cooperatives__CoopCounters){.coop = coop, .candidates_open = UINT64_MAX});
    apply_refused(BORIS, &apply, STATUS_OVERFLOW); /* H-5 */
    world_put(&world, world_table(&cooperatives, 2), &(Cooperatives__CoopCounters){.coop = coop});
    row = (Membership__Member){.coop = coop,
                               .account = world_id(&world, BORIS),
                               .state = MEMBERSHIP__MEMBER__STATE__LEFT,
                               .n = UINT32_MAX};
    world_put(&world, world_table(&membership, 1), &row);
    apply_refused(BORIS, &apply, STATUS_OVERFLOW); /* H-5 */
    end();
}

TESTS(TEST_ENTRY(an_application_writes_its_row), TEST_ENTRY(refusals_of_an_application_in_order),
      TEST_ENTRY(kinds_fit_accounts), TEST_ENTRY(decisions), TEST_ENTRY(leaving),
      TEST_ENTRY(a_silent_council), TEST_ENTRY(a_deadline_that_comes_too_late),
      TEST_ENTRY(one_person_two_cooperatives), TEST_ENTRY(counters_do_not_wrap))

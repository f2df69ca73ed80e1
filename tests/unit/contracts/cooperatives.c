/* Module cooperatives: each rule once, in its order, and what an accepted action writes. */
#include "contracts/modules/cooperatives/interface.h"

#include <string.h>

#include "contracts/core.h"
#include "tests/check.h"
#include "tests/world.h"

enum { REGISTER, ACTIVATE, LAPSE }; /* places in the module's data */

static const uint64_t day_ms = 86400000;

static struct world world;

static const Cooperatives__Coop *coop_row(uint64_t coop)
{
    return world_get(&world, world_table(&cooperatives, 1), &(Cooperatives__Coop){.coop = coop});
}

static void begin(void)
{
    world_open_cast(&world, NULL);
    world_block(&world, 1000);
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

/* The organisation's registration with or without the operator's signature. */
static void registration(struct world_tx *tx, uint32_t actor,
                         const Cooperatives__CoopRegister *request, bool operator_signs)
{
    world_tx_begin(&world, tx, actor);
    (void)world_tx_act(&world, tx, actor, &cooperatives, REGISTER, request);
    if (operator_signs) {
        world_tx_sign(tx, OPERATOR, 0);
    }
}

static void register_refused(uint32_t actor, const Cooperatives__CoopRegister *request,
                             enum status status)
{
    struct world_tx tx;

    registration(&tx, actor, request, true);
    (void)world_refused(&world, &tx, status, 0);
}

TEST(registration_writes_its_rows)
{
    Cooperatives__CoopRegister mine;
    const Cooperatives__Coop *row;
    const Cooperatives__PolicyRow *policy;
    const Cooperatives__CoopCounters *counters;
    const Chain__Receipt *receipt;
    struct world_tx tx;

    begin();
    mine = world_registration(&world, &world_policy);
    registration(&tx, FIRST, &mine, true);
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_events, ==, 1);
    CHECK_U64(receipt->events[0]->module, ==, 2);
    CHECK_U64(receipt->events[0]->event, ==, 1);
    row = coop_row(1);
    CHECK(row != NULL && row->state == COOPERATIVES__COOP__STATE__PENDING);
    CHECK(id_equal(row->account, world_id(&world, FIRST)));
    CHECK(strcmp(row->name, mine.name) == 0 && row->kind == mine.kind);
    CHECK_U64(row->state_due_at_ms, ==, world.time_ms + 30 * day_ms);
    CHECK_U64(row->policy_version, ==, 1);
    CHECK_U64(row->created_at_ms, ==, world.time_ms);
    policy = world_get(&world, world_table(&cooperatives, 3),
                       &(Cooperatives__PolicyRow){.coop = 1, .version = 1});
    CHECK(policy != NULL && policy->policy != NULL);
    CHECK_U64(policy->policy->min_share, ==, 5000);
    CHECK_U64(policy->policy->admission_term_ms, ==, 10 * day_ms);
    counters =
        world_get(&world, world_table(&cooperatives, 2), &(Cooperatives__CoopCounters){.coop = 1});
    CHECK(counters != NULL && counters->voters == 0);
    CHECK_U64(world_count(&world, &core_due, TABLE_BY_KEY, 0, &(Core__DueRow){0}), ==, 1);
    registration(&tx, SECOND, &mine, true);
    (void)world_accepted(&world, &tx);
    CHECK(coop_row(2) != NULL); /* the chain counts */
    end();
}

TEST(only_an_organisation_registers_and_once)
{
    Cooperatives__CoopRegister request;
    struct world_tx tx;

    begin();
    request = world_registration(&world, &world_policy);
    register_refused(ANNA, &request, COOPERATIVES_NOT_ORGANISATION); /* CO-4 */
    register_refused(ROBOT, &request, COOPERATIVES_NOT_ORGANISATION);
    registration(&tx, FIRST, &request, true);
    (void)world_accepted(&world, &tx);
    register_refused(FIRST, &request, COOPERATIVES_EXISTS); /* CO-3: pending */
    end();
    begin();
    (void)world_coop(&world, FIRST);
    request = world_registration(&world, &world_policy);
    register_refused(FIRST, &request, COOPERATIVES_EXISTS); /* CO-3: active */
    end();
}

TEST(the_operator_is_active_and_signs)
{
    Cooperatives__CoopRegister request;
    struct world_tx tx;

    begin();
    request = world_registration(&world, &world_policy);
    registration(&tx, FIRST, &request, false);
    (void)world_refused(&world, &tx, COOPERATIVES_OPERATOR, 0); /* CO-5: has not signed */
    request.operator_ = world_id(&world, ROOT);
    registration(&tx, FIRST, &request, true);
    world_tx_sign(&tx, ROOT, 0);
    (void)world_refused(&world, &tx, COOPERATIVES_OPERATOR, 0); /* CO-5: is none */
    world_put(&world, world_table(&cooperatives, 4),
              &(Cooperatives__Operator){.account = world_id(&world, OPERATOR),
                                        .state = COOPERATIVES__OPERATOR__STATE__SUSPENDED});
    request.operator_ = world_id(&world, OPERATOR);
    register_refused(FIRST, &request, COOPERATIVES_OPERATOR); /* CO-5: suspended */
    end();
}

TEST(the_form_of_a_registration)
{
    static const char *const jurisdictions[] = {"", "R", "ru", "RUS", "R1"};
    static const char *const currencies[] = {"", "RU", "rub", "R2B"};
    Cooperatives__CoopRegister request;

    begin();
    request = world_registration(&world, &world_policy);
    request.name = "";
    register_refused(FIRST, &request, COOPERATIVES_FORM); /* CO-10 */
    request = world_registration(&world, &world_policy);
    request.kind = COOPERATIVES__COOP__KIND__KIND_UNSPECIFIED;
    register_refused(FIRST, &request, COOPERATIVES_FORM);
    for (size_t i = 0; i < 5; i++) {
        struct world_tx tx;

        request = world_registration(&world, &world_policy);
        request.jurisdiction = jurisdictions[i];
        registration(&tx, FIRST, &request, true); /* H-2: three letters do not fit the schema */
        (void)world_refused(&world, &tx, i == 3 ? STATUS_NOT_CANONICAL : COOPERATIVES_FORM, 0);
    }
    for (size_t i = 0; i < 4; i++) {
        request = world_registration(&world, &world_policy);
        request.currency = currencies[i];
        register_refused(FIRST, &request, COOPERATIVES_FORM);
    }
    request = world_registration(&world, &world_policy);
    request.scale = 5;
    register_refused(FIRST, &request, COOPERATIVES_FORM);
    request = world_registration(&world, &world_policy);
    request.charter_digest.len = 0;
    register_refused(FIRST, &request, COOPERATIVES_FORM);
    request = world_registration(&world, &world_policy);
    request.minutes_digest.len = 0;
    register_refused(FIRST, &request, COOPERATIVES_FORM);
    end();
}

static void policy_refused(Cooperatives__Policy policy)
{
    const Cooperatives__CoopRegister request = world_registration(&world, &policy);

    register_refused(FIRST, &request, COOPERATIVES_POLICY_BOUNDS); /* CO-6 */
}

TEST(the_bounds_of_a_policy)
{
    const int64_t most = INT64_C(1000000000000000);
    Cooperatives__CoopRegister request;
    Cooperatives__Policy policy = world_policy;
    struct world_tx tx;

    begin();
    policy.entrance_fee = -1;
    policy_refused(policy);
    policy = world_policy;
    policy.min_share = most + 1;
    policy_refused(policy);
    policy = world_policy;
    policy.org_entrance_fee = INT64_MIN;
    policy_refused(policy);
    policy = world_policy;
    policy.org_min_share = INT64_MAX;
    policy_refused(policy);
    policy = world_policy;
    policy.admission_term_ms = 999; /* the floor of this network is 1,000 */
    policy_refused(policy);
    policy.admission_term_ms = 30 * day_ms + 1;
    policy_refused(policy);
    request = world_registration(&world, &world_policy);
    request.policy = NULL;
    register_refused(FIRST, &request, COOPERATIVES_POLICY_BOUNDS);
    policy = (Cooperatives__Policy){.entrance_fee = most,
                                    .min_share = most,
                                    .org_entrance_fee = most,
                                    .org_min_share = most,
                                    .admission_term_ms = 1000};
    request = world_registration(&world, &policy);
    registration(&tx, FIRST, &request, true);
    (void)world_accepted(&world, &tx);
    end();
}

static Cooperatives__CoopActivate activation(uint64_t coop)
{
    return (Cooperatives__CoopActivate){.coop = coop,
                                        .council_member = world_id(&world, CHAIR),
                                        .decision_digest = world_id(&world, ROOT)};
}

static void activate_refused(uint32_t actor, const Cooperatives__CoopActivate *request,
                             enum status status)
{
    (void)world_act_refused(&world, actor, &cooperatives, ACTIVATE, request, status);
}

TEST(activation_and_its_refusals)
{
    Cooperatives__CoopRegister request;
    Cooperatives__CoopActivate activate;
    const Cooperatives__Coop *row;
    const Core__Usage *usage;
    struct world_tx tx;

    begin();
    request = world_registration(&world, &world_policy);
    registration(&tx, FIRST, &request, true);
    (void)world_accepted(&world, &tx);
    activate = activation(9);
    activate_refused(OPERATOR, &activate, COOPERATIVES_NO_SUCH_COOP); /* CO-1 */
    activate = activation(1);
    activate_refused(FIRST, &activate, STATUS_NOT_AUTHORISED); /* H-3 */
    activate.council_member = world_id(&world, FIRST);
    activate_refused(OPERATOR, &activate, COOPERATIVES_COUNCIL); /* CO-8: an organisation */
    activate.council_member.len = 0;
    activate_refused(OPERATOR, &activate, COOPERATIVES_COUNCIL); /* CO-8: nobody */
    activate.council_member = world_id(&world, world_add(&world, ACCOUNTS__ACCOUNT__TYPE__PERSON));
    activate_refused(OPERATOR, &activate, COOPERATIVES_COUNCIL); /* CO-8: does not exist */
    activate = activation(1);
    activate.decision_digest.len = 0;
    activate_refused(OPERATOR, &activate, COOPERATIVES_FORM); /* CO-10 */
    activate = activation(1);
    world_put(&world, world_table(&cooperatives, 4),
              &(Cooperatives__Operator){.account = world_id(&world, ROOT),
                                        .state = COOPERATIVES__OPERATOR__STATE__ACTIVE});
    activate_refused(ROOT, &activate, COOPERATIVES_OPERATOR); /* CO-5: another operator */
    (void)world_act(&world, OPERATOR, &cooperatives, ACTIVATE, &activate);
    row = coop_row(1);
    CHECK(row->state == COOPERATIVES__COOP__STATE__ACTIVE);
    CHECK(id_equal(row->council_member, world_id(&world, CHAIR)));
    CHECK_U64(row->activated_at_ms, ==, world.time_ms);
    CHECK_U64(row->state_due_at_ms, ==, 0);
    usage = world_get(&world, &core_usage, &(Core__Usage){.account = world_id(&world, FIRST)});
    CHECK_U64(usage->quota_class, ==, 2);
    CHECK_U64(usage->level, ==, 1000000);
    CHECK_U64(usage->n_lanes, ==, 1);                                /* the nonces stay */
    activate_refused(OPERATOR, &activate, COOPERATIVES_NOT_PENDING); /* CO-7 */
    end();
}

TEST(a_registration_lapses)
{
    const Cooperatives__CoopLapse lapse = {.coop = 1};
    Cooperatives__CoopRegister request;
    const Chain__Receipt *receipt;
    struct world_tx tx;

    begin();
    request = world_registration(&world, &world_policy);
    registration(&tx, FIRST, &request, true);
    (void)world_accepted(&world, &tx);
    (void)world_act_refused(&world, ANNA, &cooperatives, LAPSE,
                            &(Cooperatives__CoopLapse){.coop = 5},
                            COOPERATIVES_NO_SUCH_COOP); /* CO-1 */
    next_block(30 * day_ms - 1);
    (void)world_act_refused(&world, ANNA, &cooperatives, LAPSE, &lapse,
                            COOPERATIVES_NOT_DUE); /* CO-9 */
    next_block(1);
    (void)world_act_refused(&world, ANNA, &cooperatives, LAPSE, &lapse,
                            COOPERATIVES_NOT_PENDING); /* CO-7: the chain was there first */
    CHECK(coop_row(1)->state == COOPERATIVES__COOP__STATE__LAPSED);
    world_block_end(&world);
    CHECK_U64(world.result.due_count, ==, 1);
    receipt = world_receipt(&world, 0);
    CHECK_U64(receipt->status, ==, STATUS_OK);
    CHECK(receipt->due != NULL && receipt->tx_id.len == 0);
    CHECK_U64(receipt->due->module, ==, 2);
    CHECK_U64(receipt->due->action, ==, 3);
    CHECK_U64(receipt->n_events, ==, 1);
    world_block(&world, 1000);
    registration(&tx, FIRST, &request, true);
    (void)world_accepted(&world, &tx); /* may register again, CO-3 */
    CHECK(coop_row(2) != NULL);
    register_refused(FIRST, &request, COOPERATIVES_EXISTS);
    end();
}

/* Active in time: the deadline finds another state and is refused, which is all of its effect. */
TEST(a_deadline_that_comes_too_late)
{
    const Chain__Receipt *receipt;

    begin();
    (void)world_coop(&world, FIRST);
    world_block_end(&world);
    world_block(&world, 30 * day_ms);
    world_block_end(&world);
    CHECK_U64(world.result.due_count, ==, 1);
    receipt = world_receipt(&world, 0);
    CHECK_U64(receipt->status, ==, COOPERATIVES_NOT_PENDING);
    CHECK_U64(receipt->n_events, ==, 0);
    CHECK(coop_row(1)->state == COOPERATIVES__COOP__STATE__ACTIVE);
    CHECK_U64(world_count(&world, &core_due, TABLE_BY_KEY, 0, &(Core__DueRow){0}), ==, 0);
    world_close(&world);
}

TESTS(TEST_ENTRY(registration_writes_its_rows), TEST_ENTRY(only_an_organisation_registers_and_once),
      TEST_ENTRY(the_operator_is_active_and_signs), TEST_ENTRY(the_form_of_a_registration),
      TEST_ENTRY(the_bounds_of_a_policy), TEST_ENTRY(activation_and_its_refusals),
      TEST_ENTRY(a_registration_lapses), TEST_ENTRY(a_deadline_that_comes_too_late))

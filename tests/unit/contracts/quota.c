/* Token buckets: of accounts, of cooperatives, of strangers to them; and the reserve that no empty bucket stops. */
#include "contracts/quota.h"

#include "contracts/core.h"
#include "contracts/modules/accounts/interface.h"
#include "contracts/modules/cooperatives/interface.h"
#include "contracts/modules/membership/interface.h"
#include "tests/check.h"
#include "tests/scripted.h"
#include "tests/world.h"

enum { RESERVE = 1, LEAVE = 2 };

static struct world world;

/* -- The arithmetic. -- */

TEST(levels_refill_and_stop_at_the_capacity)
{
    const struct quota_rate rate = {.capacity = 1000, .refill_per_s = 200};

    CHECK(quota_level(0, 5000, 5000, rate) == 0);
    CHECK(quota_level(0, 5000, 5004, rate) == 0); /* 0.8 */
    CHECK(quota_level(0, 5000, 5005, rate) == 1);
    CHECK(quota_level(0, 5000, 9999, rate) == 999);
    CHECK(quota_level(0, 5000, 10000, rate) == 1000);
    CHECK(quota_level(-500, 5000, 10000, rate) == 500);
    CHECK(quota_level(1000, 5000, UINT64_MAX, rate) == 1000);
    CHECK(quota_level(7, 5000, 4000, rate) == 7); /* no time goes back */
    CHECK(quota_level(INT64_MIN, 0, UINT64_MAX, (struct quota_rate){UINT64_MAX, UINT64_MAX}) ==
          INT64_MAX);
    CHECK(quota_take(10, 30) == -20);
    CHECK(quota_take(INT64_MIN + 5, UINT64_MAX) == INT64_MIN);
}

/* -- Through transactions: each script spends what its step says beside its own 100. -- */

static enum status spends(struct host *host, uint64_t step)
{
    host_charge(host, (uint32_t)step % 100000);
    return step >= 100000 ? MEMBERSHIP_NOT_DUE : STATUS_OK;
}

static void rates(Chain__Parameters *parameters)
{
    parameters->quota_classes[0]->capacity = 1000;
    parameters->quota_classes[0]->refill_per_s = 100;
    parameters->coop_quota->capacity = 3000;
    parameters->coop_quota->refill_per_s = 500;
    parameters->public_lane->capacity = 500;
    parameters->public_lane->refill_per_s = 50;
}

static void begin(void)
{
    world_open(&world, &(struct world_options){.registry = &scripted_registry,
                                               .actors = world_cast,
                                               .actor_count = CAST_COUNT,
                                               .parameters = rates});
    scripted_run = spends;
    world_block(&world, 1000);
}

static void end(void)
{
    world_block_end(&world);
    world_close(&world);
}

static void next_block(uint64_t later_ms)
{
    world_block_end(&world);
    world_block(&world, later_ms);
}

static int64_t level(uint32_t actor)
{
    const Core__Usage *row =
        world_get(&world, &core_usage, &(Core__Usage){.account = world_id(&world, actor)});

    CHECK(row != NULL);
    return row->level;
}

static void script(struct world_tx *tx, uint32_t payer, uint32_t actor, uint64_t coop,
                   uint64_t step)
{
    world_tx_begin(&world, tx, payer);
    (void)world_tx_act(&world, tx, actor, &testing, SCRIPT,
                       &(Testing__Script){.coop = coop, .step = step});
    world_tx_sign(tx, actor, 0);
}

static void spend(uint32_t payer, uint64_t coop, uint64_t step)
{
    struct world_tx tx;

    script(&tx, payer, payer, coop, step);
    (void)world_accepted(&world, &tx);
}

static void stopped(uint32_t payer, uint64_t coop, uint64_t step)
{
    struct world_tx tx;

    script(&tx, payer, payer, coop, step);
    world.actors[payer].next_nonce -= 1;
    world_invalid(&world, &tx, EXEC_QUOTA);
}

TEST(an_account_pays_and_waits)
{
    struct world_tx tx;

    begin();
    spend(ANNA, 0, 700); /* 800 of 1,000 */
    CHECK(level(ANNA) == 200);
    script(&tx, ANNA, ANNA, 0, 100000 + 650);
    (void)world_refused(&world, &tx, MEMBERSHIP_NOT_DUE, 0); /* a refusal is charged, below zero */
    CHECK(level(ANNA) == -550);
    stopped(ANNA, 0, 0);
    next_block(6499); /* 649 more: 99 */
    stopped(ANNA, 0, 0);
    next_block(1);
    spend(ANNA, 0, 0); /* exactly its 100 */
    CHECK(level(ANNA) == 0);
    script(&tx, BORIS, ANNA, 0, 0); /* BORIS pays for her */
    (void)world_accepted(&world, &tx);
    CHECK(level(ANNA) == 0 && level(BORIS) == 900);
    next_block(UINT64_C(1000000000));
    spend(ANNA, 0, 0);
    CHECK(level(ANNA) == 900); /* never above the capacity */
    end();
}

/* The sum of the actions' own units must be there, not only that of the first. */
TEST(the_sum_is_asked_for)
{
    struct world_tx tx;

    begin();
    spend(ANNA, 0, 650); /* 250 left */
    script(&tx, ANNA, ANNA, 0, 0);
    for (uint32_t i = 0; i < 2; i++) {
        (void)world_tx_act(&world, &tx, ANNA, &testing, SCRIPT, &(Testing__Script){.step = 0});
    }
    world_invalid(&world, &tx, EXEC_QUOTA);
    tx.action_count = 2;
    (void)world_accepted(&world, &tx);
    CHECK(level(ANNA) == 50);
    /* An action that no module has asks for 50, so that nothing is free. */
    script(&tx, ANNA, ANNA, 0, 0);
    tx.actions[0].module = 77;
    (void)world_refused(&world, &tx, STATUS_NO_SUCH_ACTION, 0); /* H-1 */
    CHECK(level(ANNA) == 0);
    script(&tx, ANNA, ANNA, 0, 0);
    tx.actions[0].module = 77;
    world_invalid(&world, &tx, EXEC_QUOTA);
    end();
}

TEST(class_3_is_counted_and_never_stops)
{
    begin();
    for (uint32_t i = 0; i < 20; i++) {
        spend(OPERATOR, 0, 900);
    }
    CHECK(level(OPERATOR) == -20000);
    next_block(1000000);
    spend(OPERATOR, 0, 0);
    CHECK(level(OPERATOR) == -20100);
    end();
}

static const Core__CoopUsage *coop_row(uint64_t coop)
{
    return world_get(&world, &core_coop_usage, &(Core__CoopUsage){.coop = coop});
}

TEST(cooperatives_have_buckets_of_their_own)
{
    uint64_t coop;

    begin();
    coop = world_coop(&world, FIRST);
    next_block(10000); /* both full again */
    spend(FIRST, coop, 100);
    CHECK(coop_row(coop)->level == 2800);       /* its own account */
    CHECK(coop_row(coop)->public_level == 500); /* untouched */
    spend(CHAIR, coop, 100);                    /* a seat */
    CHECK(coop_row(coop)->level == 2600);
    spend(ANNA, coop, 350); /* a stranger: the public lane */
    CHECK(coop_row(coop)->level == 2600);
    CHECK(coop_row(coop)->public_level == 50);
    stopped(BORIS, coop, 0); /* it is shared */
    CHECK(level(BORIS) == 1000);
    spend(BORIS, 0, 0);   /* his own bucket is full: elsewhere he may */
    spend(BORIS, 999, 0); /* a number that no cooperative has charges none */
    CHECK(coop_row(999) == NULL && coop_row(0) == NULL);
    next_block(1000);
    spend(BORIS, coop, 0);
    CHECK(coop_row(coop)->public_level == 0);
    end();
}

TEST(members_use_the_own_bucket)
{
    struct world_tx tx;
    uint64_t coop;

    begin();
    coop = world_coop(&world, FIRST);
    next_block(60000);
    world_admit(&world, coop, ANNA);
    next_block(60000);
    spend(ANNA, coop, 400);
    CHECK(coop_row(coop)->level == 2500);
    CHECK(coop_row(coop)->public_level == 500);
    script(&tx, BORIS, ANNA, coop, 0); /* who pays decides, not who acts */
    (void)world_accepted(&world, &tx);
    CHECK(coop_row(coop)->level == 2500);
    CHECK(coop_row(coop)->public_level == 400);
    (void)world_act(&world, ANNA, &membership, LEAVE, &(Membership__Leave){.coop = coop});
    next_block(60000);
    spend(ANNA, coop, 0);
    CHECK(coop_row(coop)->public_level == 400); /* a stranger now */
    CHECK(coop_row(coop)->level == 3000);
    end();
}

/* Two cooperatives in one transaction: each pays for its own actions. */
TEST(each_cooperative_pays_for_its_own)
{
    struct world_tx tx;
    uint64_t first;
    uint64_t second;

    begin();
    first = world_coop(&world, FIRST);
    second = world_coop(&world, SECOND);
    next_block(60000);
    script(&tx, OPERATOR, OPERATOR, first, 10);
    (void)world_tx_act(&world, &tx, OPERATOR, &testing, SCRIPT,
                       &(Testing__Script){.coop = second, .step = 20});
    (void)world_tx_act(&world, &tx, OPERATOR, &testing, SCRIPT,
                       &(Testing__Script){.coop = first, .step = 30});
    (void)world_accepted(&world, &tx);
    CHECK(coop_row(first)->public_level == 500 - 240);
    CHECK(coop_row(second)->public_level == 500 - 120);
    /* What was not run is not charged. */
    script(&tx, OPERATOR, OPERATOR, first, 100000 + 5);
    (void)world_tx_act(&world, &tx, OPERATOR, &testing, SCRIPT,
                       &(Testing__Script){.coop = second, .step = 20});
    (void)world_refused(&world, &tx, MEMBERSHIP_NOT_DUE, 0);
    CHECK(coop_row(first)->public_level == 500 - 240 - 105);
    CHECK(coop_row(second)->public_level == 500 - 120);
    end();
}

/* -- The reserve. -- */

static void spare(struct world_tx *tx, uint32_t payer, uint32_t actor, uint64_t coop)
{
    world_tx_begin(&world, tx, payer);
    (void)world_tx_act(&world, tx, actor, &testing, SPARE, &(Testing__Script){.coop = coop});
    world_tx_sign(tx, actor, 0);
}

static uint32_t reserve_used(uint32_t actor)
{
    const Core__Usage *row =
        world_get(&world, &core_usage, &(Core__Usage){.account = world_id(&world, actor)});

    CHECK(row != NULL);
    return row->reserve_used;
}

TEST(no_empty_bucket_stops_a_reserve_action)
{
    struct world_tx tx;

    begin();
    spare(&tx, ANNA, ANNA, 0);
    (void)world_accepted(&world, &tx);
    CHECK_U64(reserve_used(ANNA), ==, 0); /* the bucket holds: no grant is needed */
    spend(ANNA, 0, 5000);
    stopped(ANNA, 0, 0);
    for (uint32_t i = 0; i < 2; i++) {
        spare(&tx, ANNA, ANNA, 0);
        (void)world_accepted(&world, &tx);
        CHECK_U64(reserve_used(ANNA), ==, i + 1);
    }
    CHECK(level(ANNA) == 1000 - 100 - 5100 - 200); /* charged all the same */
    spare(&tx, ANNA, ANNA, 0);
    world_invalid(&world, &tx, EXEC_QUOTA); /* two an hour */
    end();
}

static void slow_rates(Chain__Parameters *parameters)
{
    rates(parameters);
    parameters->quota_classes[0]->refill_per_s = 1;
}

TEST(the_reserve_comes_back_each_hour)
{
    struct world_tx tx;

    world_open(&world, &(struct world_options){.registry = &scripted_registry,
                                               .actors = world_cast,
                                               .actor_count = CAST_COUNT,
                                               .parameters = slow_rates});
    scripted_run = spends;
    world_block(&world, 1000);
    spend(ANNA, 0, 99000); /* far below zero: hours do not refill it */
    for (uint32_t hour = 0; hour < 3; hour++) {
        next_block(3600000 - world.time_ms % 3600000);
        for (uint32_t i = 0; i < 2; i++) {
            spare(&tx, ANNA, ANNA, 0);
            (void)world_accepted(&world, &tx);
            CHECK_U64(reserve_used(ANNA), ==, i + 1);
        }
        next_block(3600000 - 1);
        spare(&tx, ANNA, ANNA, 0);
        world_invalid(&world, &tx, EXEC_QUOTA);
    }
    end();
}

/* The grant is the actor's, who signed; who pays does not matter, and neither does a cooperative's bucket. */
TEST(the_reserve_is_the_actors)
{
    struct world_tx tx;
    uint64_t coop;

    begin();
    coop = world_coop(&world, FIRST);
    next_block(60000);
    spend(BORIS, coop, 700); /* both the lane and BORIS are empty */
    spend(BORIS, 0, 900);
    spare(&tx, BORIS, ANNA, coop);
    tx.signer_count = 1; /* ANNA has not signed */
    world_invalid(&world, &tx, EXEC_QUOTA);
    world_tx_sign(&tx, ANNA, 0);
    (void)world_accepted(&world, &tx);
    CHECK_U64(reserve_used(ANNA), ==, 1);
    CHECK_U64(reserve_used(BORIS), ==, 0);
    CHECK(coop_row(coop)->public_level == 500 - 800 - 100);
    spare(&tx, BORIS, ANNA, coop); /* one of hers, two of his; a third of his is no longer one */
    for (uint32_t i = 0; i < 3; i++) {
        (void)world_tx_act(&world, &tx, BORIS, &testing, SPARE, &(Testing__Script){.coop = coop});
    }
    world_invalid(&world, &tx, EXEC_QUOTA);
    tx.action_count = 3;
    (void)world_accepted(&world, &tx);
    CHECK_U64(reserve_used(ANNA), ==, 2);
    CHECK_U64(reserve_used(BORIS), ==, 2);
    /* Beside an action that is no reserve action it helps only itself. */
    spare(&tx, VERA, CHAIR, coop);
    (void)world_tx_act(&world, &tx, VERA, &testing, SCRIPT, &(Testing__Script){.coop = coop});
    world_invalid(&world, &tx, EXEC_QUOTA);
    end();
}

/* A member leaves although everything is empty. */
TEST(nobody_is_kept_by_an_empty_bucket)
{
    uint64_t coop;

    begin();
    coop = world_coop(&world, FIRST);
    next_block(60000);
    world_admit(&world, coop, ANNA);
    next_block(60000);
    spend(ANNA, coop, 99000);
    stopped(ANNA, 0, 0);
    (void)world_act(&world, ANNA, &membership, LEAVE, &(Membership__Leave){.coop = coop});
    end();
}

TESTS(TEST_ENTRY(levels_refill_and_stop_at_the_capacity), TEST_ENTRY(an_account_pays_and_waits),
      TEST_ENTRY(the_sum_is_asked_for), TEST_ENTRY(class_3_is_counted_and_never_stops),
      TEST_ENTRY(cooperatives_have_buckets_of_their_own), TEST_ENTRY(members_use_the_own_bucket),
      TEST_ENTRY(each_cooperative_pays_for_its_own),
      TEST_ENTRY(no_empty_bucket_stops_a_reserve_action),
      TEST_ENTRY(the_reserve_comes_back_each_hour), TEST_ENTRY(the_reserve_is_the_actors),
      TEST_ENTRY(nobody_is_kept_by_an_empty_bucket))

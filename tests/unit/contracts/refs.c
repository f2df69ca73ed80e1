/* Refs: an action is run once, however often it is sent (H-8). */
#include <string.h>

#include "contracts/core.h"
#include "contracts/modules/accounts/interface.h"
#include "contracts/modules/cooperatives/interface.h"
#include "crypto/hash.h"
#include "tests/check.h"
#include "tests/scripted.h"
#include "tests/world.h"

static const uint64_t keep_ms = UINT64_C(90) * 86400000;

static struct world world;
static uint64_t ran; /* how often an action has run */

static enum status counts(struct host *host, uint64_t step)
{
    (void)host;
    ran += 1;
    testing_happened_emit(host, &(Testing__Happened){.step = step});
    return step == 13 ? MEMBERSHIP_NOT_DUE : STATUS_OK;
}

static void begin(void)
{
    world_open(&world, &(struct world_options){.registry = &scripted_registry,
                                               .actors = world_cast,
                                               .actor_count = CAST_COUNT});
    scripted_run = counts;
    world_block(&world, 1000);
    ran = 0;
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

/* world_run runs each transaction twice: once to simulate it. */
static uint64_t runs(void)
{
    CHECK_U64(ran % 2, ==, 0);
    return ran / 2;
}

static void add(struct world_tx *tx, uint32_t actor, uint64_t step, uint8_t ref)
{
    struct world_action *action =
        world_tx_act(&world, tx, actor, &testing, SCRIPT, &(Testing__Script){.step = step});

    action->has_ref = true;
    memset(action->ref, ref, sizeof action->ref);
    world_tx_sign(tx, actor, 0);
}

static void with_ref(struct world_tx *tx, uint32_t payer, uint32_t actor, uint64_t step,
                     uint8_t ref)
{
    world_tx_begin(&world, tx, payer);
    add(tx, actor, step, ref);
}

static uint32_t kept(void)
{
    return world_count(&world, &core_refs, TABLE_BY_KEY, 0, &(Core__Ref){.until_ms = 0});
}

TEST(the_same_again_is_repeated)
{
    const Chain__Receipt *receipt;
    struct world_tx tx;

    begin();
    with_ref(&tx, ANNA, ANNA, 5, 0xaa);
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_repeated, ==, 0);
    CHECK_U64(receipt->n_events, ==, 1);
    CHECK_U64(runs(), ==, 1);
    with_ref(&tx, ANNA, ANNA, 5, 0xaa);
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_repeated, ==, 1);
    CHECK_U64(receipt->repeated[0], ==, 0);
    CHECK_U64(receipt->n_events, ==, 0);
    CHECK_U64(runs(), ==, 1);
    next_block(1000);
    with_ref(&tx, BORIS, ANNA, 5, 0xaa); /* whoever pays */
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_repeated, ==, 1);
    with_ref(&tx, BORIS, BORIS, 5, 0xaa); /* another actor's ref is another */
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_repeated, ==, 0);
    CHECK_U64(runs(), ==, 2);
    CHECK_U64(kept(), ==, 2);
    end();
}

TEST(another_action_under_the_same_ref)
{
    struct world_tx tx;

    begin();
    with_ref(&tx, ANNA, ANNA, 5, 0xaa);
    (void)world_accepted(&world, &tx);
    with_ref(&tx, ANNA, ANNA, 6, 0xaa);
    (void)world_refused(&world, &tx, STATUS_REF_REUSED, 0); /* H-8: another payload */
    with_ref(&tx, ANNA, ANNA, 5, 0xaa);
    tx.actions[0].action = 3;                               /* spare takes the same request */
    (void)world_refused(&world, &tx, STATUS_REF_REUSED, 0); /* H-8: another number */
    with_ref(&tx, ANNA, ANNA, 6, 0xab);
    (void)world_accepted(&world, &tx);
    CHECK_U64(runs(), ==, 2);
    end();
}

/* Within one transaction too; places of repeated actions are told, also beside others. */
TEST(within_one_transaction)
{
    const Chain__Receipt *receipt;
    struct world_tx tx;

    begin();
    with_ref(&tx, ANNA, ANNA, 5, 0xaa);
    add(&tx, ANNA, 6, 0xbb);
    add(&tx, ANNA, 5, 0xaa);
    add(&tx, ANNA, 6, 0xbb);
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_repeated, ==, 2);
    CHECK_U64(receipt->repeated[0], ==, 2);
    CHECK_U64(receipt->repeated[1], ==, 3);
    CHECK_U64(receipt->n_events, ==, 2);
    end();
}

/* What was refused has not run: its ref is free, and so are those of the actions before it. */
TEST(a_refusal_keeps_no_ref)
{
    const Chain__Receipt *receipt;
    struct world_tx tx;

    begin();
    with_ref(&tx, ANNA, ANNA, 5, 0xaa);
    add(&tx, ANNA, 13, 0xbb);
    (void)world_refused(&world, &tx, MEMBERSHIP_NOT_DUE, 1);
    CHECK_U64(kept(), ==, 0);
    with_ref(&tx, ANNA, ANNA, 7, 0xbb);
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_repeated, ==, 0);
    /* Done before, and then a refusal: the receipt says both. */
    with_ref(&tx, ANNA, ANNA, 7, 0xbb);
    add(&tx, ANNA, 13, 0xcc);
    receipt = world_refused(&world, &tx, MEMBERSHIP_NOT_DUE, 1);
    CHECK_U64(receipt->n_repeated, ==, 1);
    end();
}

/* A stranger could use up the refs of others through an action that anyone may send. */
TEST(a_ref_needs_its_actor)
{
    struct world_tx tx;
    struct world_action *action;

    begin();
    world_tx_begin(&world, &tx, BORIS);
    action = world_tx_act(&world, &tx, ANNA, &testing, TIMER, &(Testing__Script){.step = 1});
    action->has_ref = true;
    memset(action->ref, 0xaa, sizeof action->ref);
    (void)world_refused(&world, &tx, STATUS_NOT_AUTHORISED, 0); /* H-8, H-3 */
    world_tx_sign(&tx, ANNA, 0);
    tx.nonce = world.actors[BORIS].next_nonce;
    (void)world_accepted(&world, &tx);
    end();
}

/* Repeating needs no authority: the operator's second word finds the cooperative active, and says repeated. */
TEST(repeated_before_authority_and_rules)
{
    const Chain__Receipt *receipt;
    Cooperatives__CoopActivate activate;
    Cooperatives__CoopRegister request;
    struct world_tx tx;
    struct world_action *action;

    begin();
    request = world_registration(&world, &world_policy);
    world_tx_begin(&world, &tx, FIRST);
    (void)world_tx_act(&world, &tx, FIRST, &cooperatives, 0, &request);
    world_tx_sign(&tx, OPERATOR, 0);
    (void)world_accepted(&world, &tx);
    activate = (Cooperatives__CoopActivate){.coop = 1,
                                            .council_member = world_id(&world, CHAIR),
                                            .decision_digest = world_id(&world, ROOT)};
    for (uint32_t i = 0; i < 2; i++) {
        world_tx_begin(&world, &tx, OPERATOR);
        action = world_tx_act(&world, &tx, OPERATOR, &cooperatives, 1, &activate);
        action->has_ref = true;
        receipt = world_accepted(&world, &tx);
        CHECK_U64(receipt->n_repeated, ==, i);
    }
    end();
}

TEST(refs_are_forgotten)
{
    const Chain__Receipt *receipt;
    struct world_tx tx;

    begin();
    for (uint8_t i = 0; i < 5; i++) {
        with_ref(&tx, OPERATOR, OPERATOR, i, i);
        (void)world_accepted(&world, &tx);
    }
    next_block(keep_ms - 1);
    with_ref(&tx, OPERATOR, OPERATOR, 0, 0);
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_repeated, ==, 1);
    CHECK_U64(kept(), ==, 5);
    next_block(1);
    with_ref(&tx, OPERATOR, OPERATOR, 9, 0); /* the ref is free for another action */
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_repeated, ==, 0);
    CHECK_U64(kept(), ==, 3); /* two that were over are gone; one of five was written anew */
    with_ref(&tx, OPERATOR, OPERATOR, 9, 0);
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_repeated, ==, 1);
    CHECK_U64(kept(), ==, 3); /* a repeated action writes none, and takes none away */
    with_ref(&tx, OPERATOR, OPERATOR, 7, 50);
    (void)world_accepted(&world, &tx);
    CHECK_U64(kept(), ==, 2);
    end();
}

/* The row is what the documents say. */
TEST(what_a_ref_row_holds)
{
    static const uint8_t numbers[3] = {0, 30, 1};
    uint8_t ref[32];
    uint8_t key[32];
    uint8_t action[32];
    const Core__Ref *row;
    struct world_tx tx;

    begin();
    with_ref(&tx, ANNA, ANNA, 5, 0xaa);
    (void)world_accepted(&world, &tx);
    memset(ref, 0xaa, sizeof ref);
    hash_parts(TAG_REF,
               (const struct bytes[]){bytes_of(world.actors[ANNA].id, 32), bytes_of(ref, 32)}, 2,
               key);
    hash_parts(TAG_ACTION, (const struct bytes[]){bytes_of(numbers, 3), tx.actions[0].payload}, 2,
               action);
    row = world_get(&world, &core_refs, &(Core__Ref){.ref_hash = {32, key}});
    CHECK(row != NULL);
    CHECK_BYTES(bytes_of(row->action_hash.data, row->action_hash.len), bytes_of(action, 32));
    CHECK_U64(row->until_ms, ==, world.time_ms + keep_ms);
    end();
}

TESTS(TEST_ENTRY(the_same_again_is_repeated), TEST_ENTRY(another_action_under_the_same_ref),
      TEST_ENTRY(within_one_transaction), TEST_ENTRY(a_refusal_keeps_no_ref),
      TEST_ENTRY(a_ref_needs_its_actor), TEST_ENTRY(repeated_before_authority_and_rules),
      TEST_ENTRY(refs_are_forgotten), TEST_ENTRY(what_a_ref_row_holds))

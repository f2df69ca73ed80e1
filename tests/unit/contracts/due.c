/* What is due: order, limits of a block, receipts, and that nothing is stuck or runs twice. */
#include <string.h>

#include "contracts/core.h"
#include "tests/check.h"
#include "tests/scripted.h"
#include "tests/world.h"

static struct world world;

enum { REFUSED = 1000, AGAIN = 2000, COSTLY = 3000, HUNGRY = 4000 };

static uint64_t seen[512]; /* steps in the order in which they ran */
static uint32_t seen_count;

/* As a timer: note the step.  As a script: schedule the timer `step` ms after the block's time. */
static enum status act(struct host *host, uint64_t step)
{
    if (host_actor(host).len != 0) {
        host_schedule(host, host_block_time_ms(host) + step, &testing.actions[TIMER],
                      &(Testing__Script){.step = step});
        return STATUS_OK;
    }
    CHECK(host_payer(host).len == 0 && !host_signed(host, world_id(&world, ANNA)));
    CHECK(seen_count < sizeof seen / sizeof seen[0]);
    seen[seen_count] = step;
    seen_count += 1;
    testing_happened_emit(host, &(Testing__Happened){.step = step});
    plains_put(host, &(Testing__Plain){.large = step});
    if (step == AGAIN) { /* schedules itself in the past */
        host_schedule(host, 1, &testing.actions[TIMER], &(Testing__Script){.step = AGAIN});
    }
    if (step >= COSTLY && step < HUNGRY) {
        host_charge(host, 3000);
    }
    if (step == HUNGRY) {
        host_charge(host, 50000);
    }
    return step == REFUSED ? MEMBERSHIP_NOT_DUE : STATUS_OK;
}

static void begin(void (*parameters)(Chain__Parameters *parameters))
{
    world_open(&world, &(struct world_options){.registry = &scripted_registry,
                                               .actors = world_cast,
                                               .actor_count = CAST_COUNT,
                                               .parameters = parameters});
    scripted_run = act;
    seen_count = 0;
    world_block(&world, 1000);
}

static void schedule(uint64_t step)
{
    struct world_tx tx;

    world_tx_begin(&world, &tx, OPERATOR);
    (void)world_tx_act(&world, &tx, OPERATOR, &testing, SCRIPT, &(Testing__Script){.step = step});
    (void)world_accepted(&world, &tx);
}

static uint32_t waiting(void)
{
    return world_count(&world, &core_due, TABLE_BY_KEY, 0, &(Core__DueRow){.seq = 0});
}

static void next_block(uint64_t later_ms)
{
    world_block_end(&world);
    world_block(&world, later_ms);
}

TEST(they_run_in_order_of_time_and_of_writing)
{
    static const uint64_t steps[] = {500, 300, 400, 300, 500, 1, 300};
    static const uint64_t order[] = {1, 300, 300, 300, 400, 500, 500};
    const Chain__Receipt *receipt;
    uint64_t due_at_ms;
    uint64_t last_seq = 0;
    uint64_t start_ms;

    begin(NULL);
    start_ms = world.time_ms;
    for (size_t i = 0; i < 7; i++) {
        schedule(steps[i]);
    }
    CHECK_U64(waiting(), ==, 7);
    CHECK(!exec_due(world.exec, world.overlay, world.time_ms, &due_at_ms));
    CHECK_U64(due_at_ms, ==, world.time_ms + 1);
    CHECK(exec_due(world.exec, world.overlay, world.time_ms + 1, &due_at_ms));
    next_block(500);
    world_block_end(&world);
    CHECK_U64(seen_count, ==, 7);
    CHECK_U64(world.result.due_count, ==, 7);
    CHECK_U64(world.result.tx_count, ==, 0);
    CHECK(memcmp(seen, order, sizeof order) == 0);
    for (uint32_t i = 0; i < 7; i++) {
        receipt = world_receipt(&world, i);
        CHECK(receipt->due != NULL && receipt->tx_id.len == 0);
        CHECK_U64(receipt->status, ==, STATUS_OK);
        CHECK_U64(receipt->due->module, ==, 30);
        CHECK_U64(receipt->due->action, ==, 2);
        CHECK_U64(receipt->due->due_at_ms, ==, start_ms + order[i]);
        CHECK_U64(receipt->n_events, ==, 1);
        CHECK_U64(receipt->units, ==, 20 + 10 + 3 / 16 + 50 + 2 * 30);
        if (i == 2 || i == 3 || i == 6) {
            CHECK_U64(receipt->due->seq, >, last_seq);
        }
        last_seq = receipt->due->seq;
    }
    CHECK_U64(waiting(), ==, 0);
    world_close(&world);
}

/* The time of the block decides, to the millisecond. */
TEST(not_before_their_time)
{
    begin(NULL);
    schedule(300);
    next_block(299);
    CHECK_U64(seen_count, ==, 0);
    next_block(1);
    CHECK_U64(seen_count, ==, 1);
    next_block(1000);
    CHECK_U64(seen_count, ==, 1); /* once */
    world_block_end(&world);
    world_close(&world);
}

/* A refused one leaves its receipt, no effect, and no row. */
TEST(a_refused_one_is_over)
{
    const Chain__Receipt *receipt;

    begin(NULL);
    schedule(REFUSED);
    next_block(5000);
    CHECK(world_get(&world, &plains, &(Testing__Plain){.large = REFUSED}) == NULL);
    CHECK_U64(waiting(), ==, 0);
    world_block_end(&world);
    receipt = world_receipt(&world, 0);
    CHECK_U64(receipt->status, ==, MEMBERSHIP_NOT_DUE);
    CHECK_U64(receipt->n_events, ==, 0);
    world_close(&world);
}

/* What is scheduled for the past runs once a block, not for ever in one. */
TEST(what_they_schedule_is_for_a_later_block)
{
    begin(NULL);
    schedule(AGAIN);
    for (uint32_t i = 0; i < 3; i++) {
        next_block(5000);
        CHECK_U64(seen_count, ==, i + 1);
        CHECK_U64(waiting(), ==, 1);
    }
    world_block_end(&world);
    world_close(&world);
}

static void few_actions(Chain__Parameters *parameters)
{
    parameters->max_due_actions = 3;
}

TEST(so_many_a_block)
{
    begin(few_actions);
    for (uint64_t i = 0; i < 8; i++) {
        schedule(10 + i);
    }
    next_block(1000);
    CHECK_U64(seen_count, ==, 3);
    next_block(1);
    CHECK_U64(seen_count, ==, 6);
    next_block(1);
    CHECK_U64(seen_count, ==, 8);
    for (uint64_t i = 0; i < 8; i++) {
        CHECK_U64(seen[i], ==, 10 + i);
    }
    world_block_end(&world);
    CHECK_U64(world.result.due_count, ==, 2);
    world_close(&world);
}

static void few_units(Chain__Parameters *parameters)
{
    parameters->max_tx_units = 10000;
    parameters->max_block_units = 20000;
    parameters->max_due_units_ppm = 500000; /* 10,000 of them */
}

/* Each takes 3,140 units: the fourth would pass the share, is undone, and is the first of the next block. */
TEST(so_many_units_a_block)
{
    begin(few_units);
    for (uint64_t i = 0; i < 8; i++) {
        struct world_tx tx;

        world_tx_begin(&world, &tx, OPERATOR);
        (void)world_tx_act(&world, &tx, OPERATOR, &testing, SCRIPT,
                           &(Testing__Script){.step = COSTLY + i});
        (void)world_accepted(&world, &tx);
    }
    next_block(5000);
    CHECK_U64(seen_count, ==, 4); /* the fourth ran and was undone */
    CHECK(world_get(&world, &plains, &(Testing__Plain){.large = COSTLY + 2}) != NULL);
    CHECK(world_get(&world, &plains, &(Testing__Plain){.large = COSTLY + 3}) == NULL);
    CHECK_U64(waiting(), ==, 5);
    world_block_end(&world);
    CHECK_U64(world.result.due_count, ==, 3);
    CHECK_U64(world.result.units_used, <=, 10000);
    world_block(&world, 1);
    CHECK_U64(seen[4], ==, COSTLY + 3);
    next_block(1);
    CHECK_U64(waiting(), ==, 0);
    world_block_end(&world);
    world_close(&world);
}

/* One that needs more than any action may is refused as the first of its block, and stops nobody behind it. */
TEST(nothing_is_stuck)
{
    const Chain__Receipt *receipt;

    begin(few_units);
    schedule(3);
    schedule(HUNGRY);
    schedule(HUNGRY + 7);
    next_block(2 * HUNGRY);
    CHECK_U64(waiting(), ==, 2); /* it got what was left of the share, and waits */
    next_block(1);
    CHECK_U64(waiting(), ==, 1);
    world_block_end(&world);
    CHECK_U64(world.result.due_count, ==, 1);
    receipt = world_receipt(&world, 0);
    CHECK_U64(receipt->status, ==, STATUS_OUT_OF_UNITS); /* H-4 */
    CHECK_U64(receipt->units, ==, 10000);
    world_block(&world, 1);
    CHECK_U64(waiting(), ==, 0);
    CHECK_U64(seen[seen_count - 1], ==, HUNGRY + 7);
    world_block_end(&world);
    world_close(&world);
}

/* The block's units hold both kinds. */
TEST(their_units_count_in_the_block)
{
    const Chain__Receipt *receipt;
    struct world_tx tx;
    uint64_t units;

    begin(few_units);
    schedule(COSTLY);
    next_block(5000);
    world_tx_begin(&world, &tx, OPERATOR);
    (void)world_tx_act(&world, &tx, OPERATOR, &testing, SCRIPT, &(Testing__Script){.step = 5});
    receipt = world_accepted(&world, &tx);
    units = receipt->units;
    world_block_end(&world);
    CHECK_U64(world.result.units_used, ==, units + world_receipt(&world, 0)->units);
    CHECK(world_receipt(&world, 0)->due != NULL);
    CHECK(world_receipt(&world, 1)->due == NULL); /* due actions come first */
    world_close(&world);
}

/* A row that names an action which is not there any more, or that the chain may not run. */
TEST(rows_of_unknown_actions)
{
    begin(NULL);
    world_put(&world, &core_due,
              &(Core__DueRow){.due_at_ms = 5, .seq = 1, .module = 29, .action = 1});
    world_put(&world, &core_due,
              &(Core__DueRow){.due_at_ms = 5, .seq = 2, .module = 30, .action = 1});
    world_put(&world, &core_due,
              &(Core__DueRow){.due_at_ms = 5,
                              .seq = 3,
                              .module = 30,
                              .action = 2,
                              .payload = {2, (uint8_t[]){0x08, 0x00}}});
    next_block(1);
    CHECK_U64(seen_count, ==, 0);
    CHECK_U64(waiting(), ==, 0);
    world_block_end(&world);
    CHECK_U64(world_receipt(&world, 0)->status, ==, STATUS_NO_SUCH_ACTION); /* H-1 */
    CHECK_U64(world_receipt(&world, 1)->status, ==, STATUS_NOT_AUTHORISED); /* H-3 */
    CHECK_U64(world_receipt(&world, 2)->status, ==, STATUS_NOT_CANONICAL);  /* H-2 */
    world_close(&world);
}

/* seq goes on within a block, skips nothing that was undone, and is never given twice. */
TEST(numbers_of_rows)
{
    const Core__DueRow *row;
    struct world_tx tx;

    begin(NULL);
    for (uint64_t i = 0; i < 3; i++) {
        world_tx_begin(&world, &tx, OPERATOR);
        (void)world_tx_act(&world, &tx, OPERATOR, &testing, SCRIPT, &(Testing__Script){.step = 7});
        (void)world_tx_act(&world, &tx, OPERATOR, &testing, SCRIPT, &(Testing__Script){.step = 7});
        if (i == 1) { /* refused: its rows are undone */
            tx.actions[1].action = 99;
            (void)world_refused(&world, &tx, STATUS_NO_SUCH_ACTION, 1);
        } else {
            (void)world_accepted(&world, &tx);
        }
    }
    for (uint64_t i = 0; i < 4; i++) {
        row = world_get(
            &world, &core_due,
            &(Core__DueRow){.due_at_ms = world.time_ms + 7, .seq = world.height << 32 | i});
        CHECK(row != NULL);
    }
    world_block_end(&world);
    world_close(&world);
}

TESTS(TEST_ENTRY(they_run_in_order_of_time_and_of_writing), TEST_ENTRY(not_before_their_time),
      TEST_ENTRY(a_refused_one_is_over), TEST_ENTRY(what_they_schedule_is_for_a_later_block),
      TEST_ENTRY(so_many_a_block), TEST_ENTRY(so_many_units_a_block), TEST_ENTRY(nothing_is_stuck),
      TEST_ENTRY(their_units_count_in_the_block), TEST_ENTRY(rows_of_unknown_actions),
      TEST_ENTRY(numbers_of_rows))

/* The host: authority, units, what sticks, events and notes, through actions that do what the test wants. */
#include "contracts/host.h"

#include <string.h>

#include "contracts/core.h"
#include "contracts/modules/accounts/interface.h"
#include "contracts/modules/cooperatives/interface.h"
#include "contracts/modules/membership/interface.h"
#include "tests/check.h"
#include "tests/scripted.h"
#include "tests/world.h"

static struct world world;

static void begin_with(enum status (*run)(struct host *host, uint64_t step))
{
    world_open(&world, &(struct world_options){.registry = &scripted_registry,
                                               .actors = world_cast,
                                               .actor_count = CAST_COUNT});
    world_block(&world, 1000);
    scripted_run = run;
}

static void end(void)
{
    world_block_end(&world);
    world_close(&world);
}

static const Chain__Receipt *accepted(uint64_t step)
{
    return world_act(&world, ANNA, &testing, SCRIPT, &(Testing__Script){.step = step});
}

static const Chain__Receipt *refused(uint64_t step, enum status status)
{
    return world_act_refused(&world, ANNA, &testing, SCRIPT, &(Testing__Script){.step = step},
                             status);
}

static enum status nothing(struct host *host, uint64_t step)
{
    (void)host;
    (void)step;
    return STATUS_OK;
}

/* -- H-1, H-2 -- */

TEST(actions_that_no_module_has)
{
    static const uint32_t numbers[][2] = {{3, 5}, {3, 255}, {0, 1}, {4, 1}, {31, 1}, {65535, 255}};
    struct world_tx tx;

    begin_with(nothing);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        world_tx_begin(&world, &tx, ANNA);
        (void)world_tx_act(&world, &tx, ANNA, &testing, SCRIPT, &(Testing__Script){.step = 1});
        (void)world_tx_act(&world, &tx, ANNA, &testing, SCRIPT, &(Testing__Script){.step = 1});
        tx.actions[1].module = numbers[i][0];
        tx.actions[1].action = numbers[i][1];
        (void)world_refused(&world, &tx, STATUS_NO_SUCH_ACTION, 1); /* H-1 */
    }
    end();
}

TEST(requests_that_are_not_canonical)
{
    static const uint8_t unknown[] = {0x78, 0x01};      /* field 15 */
    static const uint8_t zero[] = {0x08, 0x00};         /* a default written out */
    static const uint8_t padded[] = {0x08, 0x81, 0x00}; /* a varint with a byte too many */
    static const struct bytes cases[] = {{unknown, 2}, {zero, 2}, {padded, 3}, {padded, 1}};
    struct world_tx tx;

    begin_with(nothing);
    for (size_t i = 0; i < 4; i++) {
        world_tx_begin(&world, &tx, ANNA);
        (void)world_tx_act(&world, &tx, ANNA, &testing, SCRIPT, &(Testing__Script){.step = 1});
        tx.actions[0].payload = cases[i];
        (void)world_refused(&world, &tx, STATUS_NOT_CANONICAL, 0); /* H-2 */
    }
    end();
}

/* -- H-3, H-9 -- */

TEST(who_may_act)
{
    struct world_tx tx;

    begin_with(nothing);
    world_tx_begin(&world, &tx, ANNA);
    (void)world_tx_act(&world, &tx, BORIS, &testing, SCRIPT, &(Testing__Script){.step = 1});
    (void)world_refused(&world, &tx, STATUS_NOT_AUTHORISED, 0); /* H-3: BORIS has not signed */
    world_tx_begin(&world, &tx, ANNA);
    (void)world_tx_act(&world, &tx, BORIS, &testing, SCRIPT, &(Testing__Script){.step = 1});
    world_tx_sign(&tx, BORIS, 0);
    (void)world_accepted(&world, &tx); /* ANNA pays for BORIS */
    world_tx_begin(&world, &tx, ANNA);
    (void)world_tx_act(&world, &tx, BORIS, &testing, TIMER, &(Testing__Script){.step = 1});
    (void)world_accepted(&world, &tx); /* anyone: the actor does not matter */
    (void)world_act_refused(&world, ANNA, &testing, TICK, &(Testing__Script){.step = 1},
                            STATUS_NOT_AUTHORISED); /* H-3: not the root account */
    (void)world_act(&world, ROOT, &testing, TICK, &(Testing__Script){.step = 1});
    end();
}

static enum status says_who_signed(struct host *host, uint64_t step)
{
    static const uint32_t signers[] = {CHAIR, ANNA, BORIS};
    const ProtobufCBinaryData account = world_id(&world, signers[step % 4]);

    CHECK(id_equal(host_payer(host), world_id(&world, ANNA)));
    return (step < 4 ? host_signed(host, account)
                     : host_signed_by_key(host, account, (uint32_t)(step / 4 - 1)))
               ? STATUS_OK
               : COOPERATIVES_OPERATOR;
}

TEST(recovery_keys_authorise_nothing)
{
    static const struct {
        uint64_t step;
        enum status status;
    } cases[] = {
        {0, COOPERATIVES_OPERATOR}, /* CHAIR signed with a RECOVERY key: not behind an action */
        {1, STATUS_OK},
        {2, COOPERATIVES_OPERATOR}, /* BORIS has not signed */
        {4, COOPERATIVES_OPERATOR}, /* CHAIR's key 0 */
        {8, STATUS_OK},             /* CHAIR's key 1 */
        {5, STATUS_OK},             /* ANNA's key 0 */
    };
    struct world_tx tx;

    begin_with(says_who_signed);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world_tx_begin(&world, &tx, ANNA);
        (void)world_tx_act(&world, &tx, ANNA, &testing, SCRIPT,
                           &(Testing__Script){.step = cases[i].step});
        world_tx_sign(&tx, CHAIR, 1);
        if (cases[i].status == STATUS_OK) {
            (void)world_accepted(&world, &tx);
        } else {
            (void)world_refused(&world, &tx, cases[i].status, 0);
        }
    }
    world_tx_begin(&world, &tx, ANNA);
    (void)world_tx_act(&world, &tx, CHAIR, &testing, SCRIPT, &(Testing__Script){.step = 1});
    world_tx_sign(&tx, CHAIR, 1);
    (void)world_refused(&world, &tx, STATUS_KEY_PURPOSE, 0); /* H-9 */
    world_tx_begin(&world, &tx, CHAIR);                      /* pays with it, and no more */
    tx.signers[0].key_id = 1;
    (void)world_tx_act(&world, &tx, CHAIR, &testing, SCRIPT, &(Testing__Script){.step = 1});
    (void)world_refused(&world, &tx, STATUS_KEY_PURPOSE, 0); /* H-9 */
    end();
}

/* -- H-4 -- */

static enum status spends(struct host *host, uint64_t step)
{
    const Testing__Plain like = {.large = step};

    switch (step) {
    case 1:
        host_charge(host, 200000 - 100);
        return STATUS_OK;
    case 2:
        host_charge(host, 200000 - 100 + 1);
        CHECK(plains_get(host, &like) == NULL);
        return MEMBERSHIP_NOT_DUE; /* whatever it answers */
    case 3:
        for (;;) { /* a loop that ends because every question is answered "nothing" */
            plains_put(host, &like);
            if (plains_get(host, &like) == NULL) {
                return STATUS_OK;
            }
        }
    default:
        host_charge(host, UINT32_MAX);
        host_charge(host, UINT32_MAX);
        plains_put(host, &like);
        testing_happened_emit(host, &(Testing__Happened){.step = step});
        host_schedule(host, 5, &testing.actions[TIMER], &(Testing__Script){.step = 9});
        CHECK(plains_list(host, (struct scan){.index = 0, .limit = 5}, &like).count == 0);
        CHECK(host_hash(host, TAG_ALIAS, NULL, 0).len == 0);
        CHECK(!host_key_valid(host, world_id(&world, ANNA)));
        return STATUS_OK;
    }
}

TEST(units_are_charged_and_end)
{
    begin_with(spends);
    CHECK_U64(accepted(1)->units, ==, 200000);
    end();
    for (uint64_t step = 2; step < 5; step++) {
        begin_with(spends);
        CHECK_U64(refused(step, STATUS_OUT_OF_UNITS)->units, ==, 200000); /* H-4 */
        CHECK_U64(world_count(&world, &core_due, TABLE_BY_KEY, 0, &(Core__DueRow){0}), ==, 0);
        end();
    }
}

/* A limit of memory beside that of units: what the executor itself writes afterwards still has room. */
static enum status hoards(struct host *host, uint64_t step)
{
    static uint8_t blob[60000];

    if (step == 0) {
        plains_put(host, &(Testing__Plain){.large = 1, .blob = {sizeof blob, blob}});
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < 2000; i++) {
        if (plains_get(host, &(Testing__Plain){.large = 1}) == NULL) {
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

static void many_units(Chain__Parameters *parameters)
{
    parameters->max_tx_units = 10000000;
    parameters->quota_classes[0]->capacity = 100000000;
}

TEST(memory_is_a_limit_too)
{
    world_open(&world, &(struct world_options){.registry = &scripted_registry,
                                               .actors = world_cast,
                                               .actor_count = CAST_COUNT,
                                               .parameters = many_units});
    world_block(&world, 1000);
    scripted_run = hoards;
    (void)accepted(0);
    (void)refused(1, STATUS_OUT_OF_UNITS); /* H-4 */
    end();
}

/* -- H-7 -- */

static enum status writes_too_much(struct host *host, uint64_t step)
{
    static uint8_t blob[(64 << 10) + 1];
    uint8_t id[31] = {1};

    switch (step) {
    case 1: /* fits exactly: field tags and length take 14 bytes */
        plains_put(host, &(Testing__Plain){.large = 1, .blob = {(64 << 10) - 6, blob}});
        return STATUS_OK;
    case 2: /* the row is beyond 64 KiB */
        plains_put(host, &(Testing__Plain){.large = 1, .blob = {(64 << 10) - 5, blob}});
        return STATUS_OK;
    case 3: /* the field is beyond its schema */
        mixed_put(host, &(Testing__Row){.text = "thirteen byte"});
        return STATUS_OK;
    case 4: /* an id of another size */
        mixed_put(host, &(Testing__Row){.id = {31, id}});
        return STATUS_OK;
    case 5:
        return mixed_get(host, &(Testing__Row){.id = {31, id}}) == NULL ? STATUS_OK
                                                                        : MEMBERSHIP_NOT_DUE;
    case 6:
        for (uint32_t i = 0; i < 1025; i++) {
            testing_happened_emit(host, &(Testing__Happened){.step = i});
        }
        return STATUS_OK;
    case 7:
        for (uint32_t i = 0; i < 1024; i++) {
            testing_happened_emit(host, &(Testing__Happened){.step = i});
        }
        return STATUS_OK;
    case 8:
        testing_happened_emit(host, &(Testing__Happened){.blob = {sizeof blob, blob}});
        return STATUS_OK;
    case 9:
        for (uint32_t i = 0; i < 17; i++) {
            testing_happened_emit(host, &(Testing__Happened){.blob = {64000, blob}});
        }
        return STATUS_OK;
    default:
        mixed_delete(host, &(Testing__Row){.id = {31, id}});
        return STATUS_OK;
    }
}

TEST(what_is_written_fits)
{
    static const enum status statuses[] = {
        [1] = STATUS_OK,
        [2] = STATUS_ROW_TOO_LARGE, /* H-7 */
        [3] = STATUS_ROW_TOO_LARGE,
        [4] = STATUS_ROW_TOO_LARGE,
        [5] = STATUS_ROW_TOO_LARGE,
        [6] = STATUS_ROW_TOO_LARGE,
        [7] = STATUS_OK,
        [8] = STATUS_ROW_TOO_LARGE,
        [9] = STATUS_ROW_TOO_LARGE,
        [10] = STATUS_ROW_TOO_LARGE,
    };

    begin_with(writes_too_much);
    for (uint64_t step = 1; step < 11; step++) {
        struct world_tx tx;

        world_tx_begin(&world, &tx, ROOT);
        (void)world_tx_act(&world, &tx, ROOT, &testing, SCRIPT, &(Testing__Script){.step = step});
        if (statuses[step] == STATUS_OK) {
            (void)world_accepted(&world, &tx);
        } else {
            (void)world_refused(&world, &tx, statuses[step], 0);
        }
    }
    end();
}

/* -- Notes, events, atomicity. -- */

static enum status notes(struct host *host, uint64_t step)
{
    for (uint64_t i = 0; i < 6; i++) {
        host_note(host, i == 0 ? "a_name_of_thirty_two_characters_" : "note", -(int64_t)i);
    }
    plains_put(host, &(Testing__Plain){.large = step});
    testing_happened_emit(host, &(Testing__Happened){.step = step});
    return step == 1 ? MEMBERSHIP_NOT_DUE : STATUS_OK;
}

TEST(notes_explain_a_refusal)
{
    const Chain__Receipt *receipt;
    struct world_tx tx;

    begin_with(notes);
    receipt = refused(1, MEMBERSHIP_NOT_DUE);
    CHECK_U64(receipt->n_notes, ==, 4);
    CHECK(strcmp(receipt->notes[0]->name, "a_name_of_thirty_two_characters_") == 0);
    CHECK(receipt->notes[3]->value == -3);
    receipt = accepted(2);
    CHECK_U64(receipt->n_notes, ==, 0);
    CHECK_U64(receipt->n_events, ==, 1);
    CHECK_U64(receipt->events[0]->module, ==, 30);
    /* The notes are those of the refused action alone. */
    world_tx_begin(&world, &tx, ANNA);
    (void)world_tx_act(&world, &tx, ANNA, &testing, SCRIPT, &(Testing__Script){.step = 3});
    (void)world_tx_act(&world, &tx, ANNA, &membership, 2, &(Membership__Leave){.coop = 1});
    receipt = world_refused(&world, &tx, MEMBERSHIP_NOT_MEMBER, 1);
    CHECK_U64(receipt->n_notes, ==, 0);
    CHECK_U64(receipt->n_events, ==, 0);
    end();
}

static enum status counts(struct host *host, uint64_t step)
{
    const Testing__Plain like = {.large = 1};
    const Testing__Plain *row = plains_get(host, &like);
    Testing__Plain next = row == NULL ? like : *row;

    REQUIRE(step != 99, MEMBERSHIP_NOT_DUE);
    REQUIRE(row == NULL ? step == 0 : (uint64_t)row->signed_ == step, MEMBERSHIP_KIND);
    next.signed_ = (int64_t)step + 1;
    plains_put(host, &next);
    return STATUS_OK;
}

/* Sixteen actions see each other's effects; one that is refused undoes all before it. */
TEST(actions_are_atomic)
{
    struct world_tx tx;
    const Testing__Plain *row;

    begin_with(counts);
    world_tx_begin(&world, &tx, ANNA);
    for (uint64_t i = 0; i < 15; i++) {
        (void)world_tx_act(&world, &tx, ANNA, &testing, SCRIPT, &(Testing__Script){.step = i});
    }
    (void)world_tx_act(&world, &tx, ANNA, &testing, SCRIPT, &(Testing__Script){.step = 99});
    (void)world_refused(&world, &tx, MEMBERSHIP_NOT_DUE, 15);
    CHECK(world_get(&world, &plains, &(Testing__Plain){.large = 1}) == NULL);
    world_tx_begin(&world, &tx, ANNA);
    for (uint64_t i = 0; i < 16; i++) {
        (void)world_tx_act(&world, &tx, ANNA, &testing, SCRIPT, &(Testing__Script){.step = i});
    }
    (void)world_accepted(&world, &tx);
    row = world_get(&world, &plains, &(Testing__Plain){.large = 1});
    CHECK(row != NULL && row->signed_ == 16);
    end();
}

/* -- What the host answers. -- */

static enum status asks(struct host *host, uint64_t step)
{
    CHECK_U64(host_block_time_ms(host), ==, world.time_ms);
    CHECK_U64(host_height(host), ==, world.height);
    CHECK(id_equal(host_actor(host), world_id(&world, ANNA)));
    CHECK_U64(host_payload(host).len, ==, 2); /* field 2, step */
    CHECK(!host_feature(host, 1));
    CHECK_U64(host_parameters(host)->max_tx_units, ==, 200000);
    CHECK(host_key_valid(
        host, (ProtobufCBinaryData){.len = 33, .data = world.actors[ANNA].public_keys[0]}));
    CHECK(!host_key_valid(host, world_id(&world, ANNA)));
    CHECK_U64(step, ==, 3);
    return STATUS_OK;
}

TEST(what_a_module_may_ask)
{
    begin_with(asks);
    (void)accepted(3);
    end();
}

static enum status priced(struct host *host, uint64_t step)
{
    static uint8_t blob[800];
    const Testing__Plain row = {.large = step, .blob = {sizeof blob, blob}};
    const struct bytes part = bytes_of(blob, 640);
    struct rows found;

    switch (step) {
    case 1: /* 2 + 803 bytes */
        plains_put(host, &row);
        return STATUS_OK;
    case 2:
        CHECK(plains_get(host, &(Testing__Plain){.large = 1}) != NULL);
        CHECK(plains_get(host, &(Testing__Plain){.large = 7}) == NULL);
        return STATUS_OK;
    case 3:
        found = plains_list(host, (struct scan){.index = 0, .fields = 1, .limit = 5}, &row);
        CHECK_U64(found.count, ==, 1);
        return STATUS_OK;
    case 4:
        testing_happened_emit(host, &(Testing__Happened){.step = 1, .blob = {160, blob}});
        return STATUS_OK;
    case 5:
        CHECK_U64(host_hash(host, TAG_ALIAS, &part, 1).len, ==, 32);
        return STATUS_OK;
    default:
        plains_delete(host, &(Testing__Plain){.large = 1});
        return STATUS_OK;
    }
}

TEST(prices_are_those_of_the_readme)
{
    begin_with(priced);
    CHECK_U64(accepted(1)->units, ==, 100 + 50 + 805 / 16 + 2 * 30);
    CHECK_U64(accepted(2)->units, ==, 100 + 10 + 805 / 32 + 10);
    CHECK_U64(accepted(3)->units, ==, 100 + 10 + 5 + 805 / 32);
    CHECK_U64(accepted(4)->units, ==, 100 + 10 + 165 / 16);
    CHECK_U64(accepted(5)->units, ==, 100 + 5 + 640 / 64);
    CHECK_U64(accepted(6)->units, ==, 100 + 50 + 2 * 30);
    end();
}

/* H-6: a fault of the machine is no status; the executor says EXEC_FAULT and which. */
TEST(a_fault_of_the_machine_stops)
{
    const Chain__Receipt *receipt;
    struct world_tx tx;

    begin_with(nothing);
    world_tx_begin(&world, &tx, BORIS);
    (void)world_tx_act(&world, &tx, BORIS, &testing, SCRIPT, &(Testing__Script){.step = 1});
    kv_memory_fail(world.kv, ERR_IO);
    CHECK_U64(world_run(&world, &tx, &receipt), ==, EXEC_FAULT); /* H-6 */
    CHECK(exec_fault(world.exec) == ERR_IO);
    kv_memory_fail(world.kv, ERR_OK);
    world_close(&world);
}

TESTS(TEST_ENTRY(actions_that_no_module_has), TEST_ENTRY(requests_that_are_not_canonical),
      TEST_ENTRY(who_may_act), TEST_ENTRY(recovery_keys_authorise_nothing),
      TEST_ENTRY(units_are_charged_and_end), TEST_ENTRY(memory_is_a_limit_too),
      TEST_ENTRY(what_is_written_fits), TEST_ENTRY(notes_explain_a_refusal),
      TEST_ENTRY(actions_are_atomic), TEST_ENTRY(what_a_module_may_ask),
      TEST_ENTRY(prices_are_those_of_the_readme), TEST_ENTRY(a_fault_of_the_machine_stops))

/* What makes a block invalid: each reason once, with nothing changed; and that the rest is a refusal. */
#include <string.h>

#include "contracts/exec.h"
#include "contracts/modules/accounts/interface.h"
#include "contracts/sigcache.h"
#include "tests/check.h"
#include "tests/world.h"

enum { CREATE, RESERVE };

static struct world world;

static void begin(void (*parameters)(Chain__Parameters *parameters))
{
    world_open_cast(&world, parameters);
    world_block(&world, 1000);
}

static void end(void)
{
    world_block_end(&world);
    world_close(&world);
}

/* Something that ANNA, or another, may do. */
static void reserve(struct world_tx *tx, uint32_t payer)
{
    world_tx_begin(&world, tx, payer);
    (void)world_tx_act(&world, tx, payer, &accounts, RESERVE,
                       &(Accounts__AliasReserve){.hash = world_id(&world, payer)});
}

static void short_transactions(Chain__Parameters *parameters)
{
    parameters->max_tx_bytes = 1024;
}

TEST(bytes)
{
    uint8_t garbage[200];
    struct world_tx tx;

    begin(short_transactions);
    memset(garbage, 0x5a, sizeof garbage);
    CHECK_U64(exec_tx(world.exec, bytes_of(garbage, sizeof garbage)), ==, EXEC_BYTES);
    CHECK_U64(exec_tx(world.exec, bytes_of(garbage, 0)), ==, EXEC_BYTES);
    reserve(&tx, ANNA);
    tx.signer_count = 0;
    world_invalid(&world, &tx, EXEC_BYTES); /* none of the payer */
    reserve(&tx, ANNA);
    tx.signer_count = 0;
    world_tx_sign(&tx, BORIS, 0);
    world_invalid(&world, &tx, EXEC_BYTES);
    reserve(&tx, ANNA);
    tx.lane = 8;
    world_invalid(&world, &tx, EXEC_BYTES);
    reserve(&tx, ANNA);
    for (uint32_t i = 0; i < 15; i++) {
        (void)world_tx_act(&world, &tx, ANNA, &accounts, RESERVE,
                           &(Accounts__AliasReserve){.hash = world_id(&world, i % 8)});
    }
    for (uint32_t i = 0; i < 5; i++) {
        world_tx_sign(&tx, i, 0);
    }
    world_invalid(&world, &tx, EXEC_BYTES); /* longer than this network allows */
    end();
}

TEST(another_chain)
{
    struct world_tx tx;

    begin(NULL);
    reserve(&tx, ANNA);
    tx.chain_id[31] ^= 1;
    world_invalid(&world, &tx, EXEC_CHAIN);
    tx.chain_id[31] ^= 1;
    (void)world_accepted(&world, &tx);
    end();
}

TEST(expiry)
{
    struct world_tx tx;

    begin(NULL);
    reserve(&tx, ANNA);
    tx.expiry_at_ms = world.time_ms - 1;
    world_invalid(&world, &tx, EXEC_EXPIRED);
    tx.expiry_at_ms = world.time_ms + 3600000 + 1;
    world_invalid(&world, &tx, EXEC_TTL);
    tx.expiry_at_ms = UINT64_MAX;
    world_invalid(&world, &tx, EXEC_TTL);
    tx.expiry_at_ms = world.time_ms;
    (void)world_accepted(&world, &tx);
    reserve(&tx, ANNA);
    tx.expiry_at_ms = world.time_ms + 3600000;
    (void)world_accepted(&world, &tx);
    end();
}

TEST(the_payer_exists)
{
    struct world_tx tx;
    uint32_t nina;

    begin(NULL);
    nina = world_add(&world, ACCOUNTS__ACCOUNT__TYPE__PERSON);
    reserve(&tx, nina);
    world_invalid(&world, &tx, EXEC_PAYER);
    world_tx_begin(&world, &tx, nina); /* also not by its own creation */
    world_tx_create(&world, &tx, nina);
    tx.actions[0].actor = WORLD_NOBODY;
    world_invalid(&world, &tx, EXEC_PAYER);
    end();
}

TEST(nonces)
{
    struct world_tx tx;

    begin(NULL);
    reserve(&tx, ANNA);
    (void)world_accepted(&world, &tx);
    world_invalid(&world, &tx, EXEC_NONCE); /* the same again */
    tx.nonce = 1024;
    world_invalid(&world, &tx, EXEC_NONCE); /* above the window */
    tx.lane = 7;
    world_invalid(&world, &tx, EXEC_NONCE);
    tx.nonce = 0;
    (void)world_accepted(&world, &tx); /* each lane counts for itself */
    tx.lane = 3;
    tx.nonce = 900;
    (void)world_accepted(&world, &tx); /* moves the window to 256 */
    tx.nonce = 255;
    world_invalid(&world, &tx, EXEC_NONCE); /* below it, although never used */
    tx.nonce = 256;
    (void)world_accepted(&world, &tx);
    tx.nonce = 1279;
    (void)world_accepted(&world, &tx);
    reserve(&tx, BORIS);
    tx.nonce = 0;
    (void)world_accepted(&world, &tx); /* and each account */
    end();
}

/* A refused transaction cannot be sent again until it is accepted: its nonce is gone, here and later. */
TEST(a_refusal_uses_the_nonce_up)
{
    struct world_tx tx;

    begin(NULL);
    reserve(&tx, ANNA);
    tx.actions[0].action = 99;
    (void)world_refused(&world, &tx, STATUS_NO_SUCH_ACTION, 0); /* H-1 */
    world_invalid(&world, &tx, EXEC_NONCE);
    world_block_end(&world);
    world_block(&world, 1000);
    world_invalid(&world, &tx, EXEC_NONCE);
    end();
}

TEST(keys_are_those_of_the_state)
{
    struct world_tx tx;
    struct world_tx create;
    uint32_t nina;

    begin(NULL);
    reserve(&tx, ANNA);
    tx.signers[0].key_id = 1;
    world_invalid(&world, &tx, EXEC_KEY); /* ANNA has one key */
    tx.signers[0].key_id = 0;
    nina = world_add(&world, ACCOUNTS__ACCOUNT__TYPE__PERSON);
    world_tx_sign(&tx, nina, 0);
    world_invalid(&world, &tx, EXEC_KEY); /* nobody of that name */
    world_tx_begin(&world, &create, ANNA);
    world_tx_create(&world, &create, nina);
    world_tx_sign(&create, nina, 1);
    world_invalid(&world, &create, EXEC_KEY); /* a key that the creation has not */
    create.signer_count = 2;
    create.actions[0].payload.count -= 1; /* hashes to another id */
    world_invalid(&world, &create, EXEC_KEY);
    create.actions[0].payload.count += 1;
    (void)world_accepted(&world, &create);
    (void)world_accepted(&world, &tx); /* now it is known */
    /* An account that is there has no other keys than the state says, whatever creation comes along. */
    world_tx_begin(&world, &create, ANNA);
    world_tx_create(&world, &create, nina);
    world_tx_sign(&create, nina, 1);
    world_invalid(&world, &create, EXEC_KEY);
    end();
}

TEST(signatures)
{
    struct world_tx tx;

    begin(NULL);
    reserve(&tx, ANNA);
    tx.signers[0].wrong = true;
    world_invalid(&world, &tx, EXEC_SIGNATURE);
    tx.signers[0].wrong = false;
    world_tx_sign(&tx, BORIS, 0);
    tx.signers[1].wrong = true;
    world_invalid(&world, &tx, EXEC_SIGNATURE); /* one of two */
    tx.signers[1].wrong = false;
    (void)world_accepted(&world, &tx);
    end();
}

/*
 * Two copies of a transaction that differ in one signature have one tx_id and two verdicts.  The executor asks a
 * cache as the node does; by tx_id alone it would let the second pass.
 */
TEST(the_same_body_with_another_signature)
{
    struct sigcache *cache;
    struct arena memory;
    struct world_tx tx;
    struct world_options options = {.actors = world_cast, .actor_count = CAST_COUNT};

    CHECK(arena_open(&memory, sigcache_footprint(64)) == ERR_OK);
    CHECK(sigcache_init(&memory, 64, world_verifier(&world), &cache) == ERR_OK);
    options.cache = cache;
    world_open(&world, &options);
    world_block(&world, 1000);
    reserve(&tx, ANNA);
    world_tx_sign(&tx, BORIS, 0);
    tx.signers[1].wrong = true;
    world_invalid(&world, &tx, EXEC_SIGNATURE);
    world_invalid(&world, &tx, EXEC_SIGNATURE); /* out of the cache */
    tx.signers[1].wrong = false;
    (void)world_accepted(&world, &tx);
    tx.nonce = world.actors[ANNA].next_nonce;
    tx.signers[0].wrong = true;
    world_invalid(&world, &tx, EXEC_SIGNATURE);
    CHECK_U64(sigcache_counts(cache).hits, >, 0);
    end();
    arena_close(&memory);
}

static void small_blocks(Chain__Parameters *parameters)
{
    parameters->max_tx_units = 10000;
    parameters->max_block_units = 10000;
    parameters->max_block_txs = 40;
    parameters->max_tx_bytes = 1024;
    parameters->max_block_bytes = 8192;
}

/* Fill a block with transactions until it is full, and put the last one into the next. */
static uint32_t fill(uint32_t actions)
{
    const Chain__Receipt *receipt;
    uint32_t count = 0;
    struct world_tx tx;

    for (;;) {
        enum exec_validity validity;

        reserve(&tx, OPERATOR);
        for (uint32_t i = 1; i < actions; i++) {
            (void)world_tx_act(&world, &tx, OPERATOR, &accounts, RESERVE,
                               &(Accounts__AliasReserve){.hash = world_id(&world, i % 8)});
        }
        validity = world_run(&world, &tx, &receipt);
        if (validity != EXEC_VALID) {
            world_invalid(&world, &tx, EXEC_FULL);
            CHECK_U64(validity, ==, EXEC_FULL);
            break;
        }
        count += 1;
    }
    world_block_end(&world);
    CHECK_U64(world.result.tx_count, ==, count);
    world_block(&world, 1000);
    (void)world_accepted(&world, &tx);
    return count;
}

static void few(Chain__Parameters *parameters)
{
    small_blocks(parameters);
    parameters->max_block_txs = 7;
}

static void short_blocks(Chain__Parameters *parameters)
{
    small_blocks(parameters);
    parameters->max_block_bytes = 4096;
}

TEST(a_full_block)
{
    begin(few);
    CHECK_U64(fill(1), ==, 7); /* by count */
    end();
    begin(small_blocks);
    CHECK_U64(fill(4), <, 30); /* by units */
    CHECK_U64(world.result.units_used, <=, 10000);
    CHECK_U64(world.result.units_used, >, 9500);
    end();
    begin(short_blocks);
    CHECK_U64(fill(1), <, 25); /* by bytes */
    CHECK_U64(world.result.units_used, <, 5000);
    end();
}

/* exec_check says the same as exec_tx, signatures apart, and changes nothing, also while a block is open. */
TEST(check_and_due_change_nothing)
{
    struct arena memory;
    struct world_tx tx;
    struct tx decoded;
    struct bytes bytes;
    uint64_t due_at_ms;
    uint8_t before[HASH_BYTES];
    uint8_t after[HASH_BYTES];

    begin(NULL);
    CHECK(arena_open(&memory, TX_ARENA_BYTES) == ERR_OK);
    reserve(&tx, ANNA);
    tx.signers[0].wrong = true;
    bytes = world_tx_bytes(&world, &tx);
    CHECK(tx_decode(bytes, &memory, &decoded) == TX_OK);
    world_digest(&world, false, before);
    CHECK_U64(exec_check(world.exec, world.overlay, world.time_ms, &decoded), ==, EXEC_VALID);
    CHECK_U64(exec_check(world.exec, world.overlay, world.time_ms + 60001, &decoded), ==,
              EXEC_EXPIRED);
    CHECK(!exec_due(world.exec, world.overlay, world.time_ms, &due_at_ms));
    CHECK_U64(due_at_ms, ==, UINT64_MAX);
    world_digest(&world, false, after);
    CHECK_BYTES(bytes_of(before, 32), bytes_of(after, 32));
    world_invalid(&world, &tx, EXEC_SIGNATURE); /* the open block goes on */
    tx.signers[0].wrong = false;
    (void)world_accepted(&world, &tx);
    CHECK_U64(exec_check(world.exec, world.overlay, world.time_ms, &decoded), ==, EXEC_NONCE);
    end();
    arena_close(&memory);
}

TEST(every_validity_has_a_name)
{
    for (int i = 0; i <= EXEC_FAULT; i++) {
        CHECK(strcmp(exec_validity_name((enum exec_validity)i), "unknown") != 0);
    }
}

TESTS(TEST_ENTRY(bytes), TEST_ENTRY(another_chain), TEST_ENTRY(expiry),
      TEST_ENTRY(the_payer_exists), TEST_ENTRY(nonces), TEST_ENTRY(a_refusal_uses_the_nonce_up),
      TEST_ENTRY(keys_are_those_of_the_state), TEST_ENTRY(signatures),
      TEST_ENTRY(the_same_body_with_another_signature), TEST_ENTRY(a_full_block),
      TEST_ENTRY(check_and_due_change_nothing), TEST_ENTRY(every_validity_has_a_name))

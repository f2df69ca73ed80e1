/* tests/unit/node/mempool.c -- the pool against a plain list, and each of its limits once. */
#include "node/mempool.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tests/check.h"

static struct arena arena;

static struct mempool *pool_of(const struct mempool_options *options)
{
    struct mempool *pool;

    arena_close(&arena);
    CHECK(arena_open(&arena, mempool_footprint(options)) == ERR_OK);
    CHECK(mempool_init(options, &arena, &pool) == ERR_OK);
    CHECK_U64(arena.used, ==, mempool_footprint(options));
    return pool;
}

static struct mempool_tx tx_of(uint32_t account, uint32_t number, size_t bytes,
                               enum mempool_class class)
{
    static uint8_t memory[TX_BYTES_MAX];
    struct random random = {.state = ((uint64_t)account << 32) + number};
    struct mempool_tx tx = {.bytes = {memory, bytes}, .nonce = number, .class = class};

    memset(memory, (int)number, bytes);
    for (size_t i = 0; i < HASH_BYTES; i += 8) {
        const uint64_t word = random_next(&random);

        memcpy(tx.wire_hash + i, &word, 8);
    }
    memcpy(tx.tx_id, tx.wire_hash, HASH_BYTES);
    random.state = account;
    for (size_t i = 0; i < ACCOUNT_BYTES; i += 8) {
        const uint64_t word = random_next(&random);

        memcpy(tx.account + i, &word, 8);
    }
    return tx;
}

static const struct mempool_options small = {.class_count = 100,
                                             .bytes = 64U << 10,
                                             .account_count = 8,
                                             .account_bytes = 4096,
                                             .seen_count = 64};

TEST(first_seen_stays)
{
    struct mempool *pool = pool_of(&small);
    struct mempool_tx tx = tx_of(1, 1, 200, MEMPOOL_NORMAL);
    struct mempool_tx other;

    CHECK(mempool_add(pool, &tx) == MEMPOOL_ADDED);
    CHECK(mempool_add(pool, &tx) == MEMPOOL_KNOWN);
    other = tx_of(1, 2, 210, MEMPOOL_NORMAL);
    other.nonce = tx.nonce;
    CHECK(mempool_add(pool, &other) == MEMPOOL_NONCE_TAKEN);
    other.lane = 1;
    CHECK(mempool_add(pool, &other) == MEMPOOL_ADDED);
    CHECK_U64(mempool_find(pool, tx.wire_hash)->bytes.count, ==, 200);
    CHECK_U64(mempool_find(pool, tx.wire_hash)->bytes.at[199], ==,
              1); /* copied before the other came */
    mempool_remove_nonce(pool, tx.account, 0, tx.nonce);
    CHECK(mempool_find(pool, tx.wire_hash) == NULL);
    CHECK_U64(mempool_count(pool), ==, 1);
    mempool_check(pool);
}

TEST(an_account_has_its_share)
{
    struct mempool *pool = pool_of(&small);
    struct mempool_tx tx;

    for (uint32_t i = 0; i < 8; i++) {
        tx = tx_of(7, i, 100, MEMPOOL_NORMAL);
        CHECK(mempool_add(pool, &tx) == MEMPOOL_ADDED);
    }
    tx = tx_of(7, 8, 100, MEMPOOL_NORMAL);
    CHECK(mempool_add(pool, &tx) == MEMPOOL_ACCOUNT_FULL);
    tx = tx_of(8, 0, 4097, MEMPOOL_NORMAL);
    CHECK(mempool_add(pool, &tx) == MEMPOOL_ACCOUNT_FULL);
    tx = tx_of(8, 1, 4000, MEMPOOL_NORMAL);
    CHECK(mempool_add(pool, &tx) == MEMPOOL_ADDED);
    tx = tx_of(8, 2, 97, MEMPOOL_NORMAL);
    CHECK(mempool_add(pool, &tx) == MEMPOOL_ACCOUNT_FULL);
    mempool_check(pool);
}

TEST(a_full_pool_refuses_and_a_higher_class_takes_the_newest_of_the_lowest)
{
    struct mempool *pool = pool_of(&small);
    struct mempool_tx tx;
    struct mempool_tx first = tx_of(0, 0, 2000, MEMPOOL_BULK);
    uint32_t added = 0;

    for (uint32_t i = 0; i < 100; i++) {
        tx = tx_of(i, i, 2000, MEMPOOL_BULK);
        if (mempool_add(pool, &tx) != MEMPOOL_ADDED) {
            break;
        }
        added += 1;
    }
    CHECK_U64(added, ==, 25); /* 64 KiB in slabs of 2 KiB, two tenths kept for SYSTEM and URGENT */
    CHECK(mempool_room(pool, &tx) == MEMPOOL_FULL);
    tx = tx_of(200, 0, 2000, MEMPOOL_NORMAL);
    CHECK(mempool_add(pool, &tx) == MEMPOOL_ADDED);
    CHECK_U64(mempool_count(pool), ==, 25);
    CHECK(mempool_find(pool, first.wire_hash) != NULL);
    tx = tx_of(added - 1, added - 1, 2000, MEMPOOL_BULK);
    CHECK(mempool_find(pool, tx.wire_hash) == NULL);
    tx = tx_of(300, 0, 2000, MEMPOOL_URGENT);
    CHECK(mempool_add(pool, &tx) == MEMPOOL_ADDED);
    CHECK_U64(mempool_count(pool), ==, 26);
    mempool_check(pool);
}

TEST(order_of_assembly)
{
    static const enum mempool_class classes[] = {MEMPOOL_BULK,   MEMPOOL_NORMAL, MEMPOOL_URGENT,
                                                 MEMPOOL_SYSTEM, MEMPOOL_URGENT, MEMPOOL_NORMAL,
                                                 MEMPOOL_NORMAL};
    static const uint32_t expected[] = {3, 2, 4, 1, 5, 0, 6};
    struct mempool *pool = pool_of(&small);
    struct mempool_walk walk;
    struct mempool_tx tx;

    for (uint32_t i = 0; i < 7; i++) {
        tx = tx_of(i, i, 100, classes[i]);
        CHECK(mempool_add(pool, &tx) == MEMPOOL_ADDED);
    }
    mempool_walk_begin(pool, 0, &walk);
    for (uint32_t i = 0; i < 7; i++) {
        const struct mempool_tx *next = mempool_walk_next(pool, &walk);

        CHECK(next != NULL);
        CHECK_U64(next->nonce, ==, expected[i]);
    }
    CHECK(mempool_walk_next(pool, &walk) == NULL);

    tx = tx_of(1, 1, 100, MEMPOOL_NORMAL);
    mempool_stamp(pool, tx.wire_hash, 9);
    mempool_walk_begin(pool, 9, &walk);
    for (uint32_t i = 0; i < 6; i++) {
        const struct mempool_tx *next = mempool_walk_next(pool, &walk);

        CHECK(next != NULL && next->nonce != 1);
    }
    CHECK(mempool_walk_next(pool, &walk) == NULL);
}

TEST(random_histories_keep_every_list)
{
    struct mempool *pool = pool_of(&small);
    struct random random = {.state = 5};
    bool here[400] = {false};
    uint32_t count = 0;

    for (uint32_t step = 0; step < 20000; step++) {
        const uint32_t number = (uint32_t)random_below(&random, 400);
        const enum mempool_class class = number % 2 == 0 ? MEMPOOL_NORMAL : MEMPOOL_SYSTEM;
        struct mempool_tx tx = tx_of(number % 50, number, 50 + number, class);

        tx.expiry_at_ms = 1000;
        if (random_below(&random, 2) == 0) {
            count -= here[number] ? 1 : 0;
            here[number] = false;
            mempool_remove(pool, tx.wire_hash);
        } else if (mempool_room(pool, &tx) == MEMPOOL_ADDED && mempool_count(pool) < 60) {
            const uint32_t before = mempool_count(pool);

            CHECK(mempool_add(pool, &tx) == MEMPOOL_ADDED);
            CHECK_U64(mempool_count(pool), ==, before + 1);
            here[number] = true;
            count += 1;
        }
        CHECK_U64(mempool_count(pool), ==, count);
        CHECK((mempool_find(pool, tx.wire_hash) != NULL) == here[number]);
        if (step % 100 == 0) {
            mempool_check(pool);
        }
    }
    mempool_expire(pool, 1000, 1000);
    CHECK_U64(mempool_count(pool), ==, count);
    mempool_expire(pool, 1001, 1000);
    CHECK_U64(mempool_count(pool), ==, 0);
    mempool_check(pool);
}

TEST(ids_seen_are_forgotten_oldest_first)
{
    struct mempool *pool = pool_of(&small);
    struct mempool_tx tx;

    for (uint32_t i = 0; i < 65; i++) {
        tx = tx_of(i, i, 100, MEMPOOL_NORMAL);
        mempool_seen_set(pool, tx.wire_hash, MEMPOOL_SEEN_REFUSED, 0);
    }
    tx = tx_of(0, 0, 100, MEMPOOL_NORMAL);
    CHECK(mempool_seen_get(pool, tx.wire_hash, 0) == MEMPOOL_UNSEEN);
    tx = tx_of(1, 1, 100, MEMPOOL_NORMAL);
    CHECK(mempool_seen_get(pool, tx.wire_hash, 0) == MEMPOOL_SEEN_REFUSED);
    mempool_seen_set(pool, tx.wire_hash, MEMPOOL_SEEN_LATER, 5);
    CHECK(mempool_seen_get(pool, tx.wire_hash, 10004) == MEMPOOL_SEEN_LATER);
    CHECK(mempool_seen_get(pool, tx.wire_hash, 10005) == MEMPOOL_UNSEEN);
}

TESTS(TEST_ENTRY(first_seen_stays), TEST_ENTRY(an_account_has_its_share),
      TEST_ENTRY(a_full_pool_refuses_and_a_higher_class_takes_the_newest_of_the_lowest),
      TEST_ENTRY(order_of_assembly), TEST_ENTRY(random_histories_keep_every_list),
      TEST_ENTRY(ids_seen_are_forgotten_oldest_first))

/* tests/unit/node/pool.c -- the pool against a plain list, and each of its limits once. */
#include "node/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tests/check.h"

static struct arena arena;

static struct pool *pool_of(const struct pool_options *options)
{
    struct pool *pool;

    arena_close(&arena);
    CHECK(arena_open(&arena, pool_footprint(options)) == ERR_OK);
    CHECK(pool_init(options, &arena, &pool) == ERR_OK);
    CHECK_U64(arena.used, ==, pool_footprint(options));
    return pool;
}

static struct pool_tx tx_of(uint32_t account, uint32_t number, size_t bytes, enum pool_class class)
{
    static uint8_t memory[TX_BYTES_MAX];
    struct random random = {.state = ((uint64_t)account << 32) + number};
    struct pool_tx tx = {.bytes = {memory, bytes}, .nonce = number, .class = class};

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

static const struct pool_options small = {.class_count = 100,
                                          .bytes = 64U << 10,
                                          .account_count = 8,
                                          .account_bytes = 4096,
                                          .seen_count = 64};

TEST(first_seen_stays)
{
    struct pool *pool = pool_of(&small);
    struct pool_tx tx = tx_of(1, 1, 200, POOL_NORMAL);
    struct pool_tx other;

    CHECK(pool_add(pool, &tx) == POOL_ADDED);
    CHECK(pool_add(pool, &tx) == POOL_KNOWN);
    other = tx_of(1, 2, 210, POOL_NORMAL);
    other.nonce = tx.nonce;
    CHECK(pool_add(pool, &other) == POOL_NONCE_TAKEN);
    other.lane = 1;
    CHECK(pool_add(pool, &other) == POOL_ADDED);
    CHECK_U64(pool_find(pool, tx.wire_hash)->bytes.count, ==, 200);
    CHECK_U64(pool_find(pool, tx.wire_hash)->bytes.at[199], ==,
              1); /* copied before the other came */
    pool_remove_nonce(pool, tx.account, 0, tx.nonce);
    CHECK(pool_find(pool, tx.wire_hash) == NULL);
    CHECK_U64(pool_count(pool), ==, 1);
    pool_check(pool);
}

TEST(an_account_has_its_share)
{
    struct pool *pool = pool_of(&small);
    struct pool_tx tx;

    for (uint32_t i = 0; i < 8; i++) {
        tx = tx_of(7, i, 100, POOL_NORMAL);
        CHECK(pool_add(pool, &tx) == POOL_ADDED);
    }
    tx = tx_of(7, 8, 100, POOL_NORMAL);
    CHECK(pool_add(pool, &tx) == POOL_ACCOUNT_FULL);
    tx = tx_of(8, 0, 4097, POOL_NORMAL);
    CHECK(pool_add(pool, &tx) == POOL_ACCOUNT_FULL);
    tx = tx_of(8, 1, 4000, POOL_NORMAL);
    CHECK(pool_add(pool, &tx) == POOL_ADDED);
    tx = tx_of(8, 2, 97, POOL_NORMAL);
    CHECK(pool_add(pool, &tx) == POOL_ACCOUNT_FULL);
    pool_check(pool);
}

TEST(a_full_pool_refuses_and_a_higher_class_takes_the_newest_of_the_lowest)
{
    struct pool *pool = pool_of(&small);
    struct pool_tx tx;
    struct pool_tx first = tx_of(0, 0, 2000, POOL_BULK);
    uint32_t added = 0;

    for (uint32_t i = 0; i < 100; i++) {
        tx = tx_of(i, i, 2000, POOL_BULK);
        if (pool_add(pool, &tx) != POOL_ADDED) {
            break;
        }
        added += 1;
    }
    CHECK_U64(added, ==, 25); /* 64 KiB in slabs of 2 KiB, two tenths kept for SYSTEM and URGENT */
    CHECK(pool_room(pool, &tx) == POOL_FULL);
    tx = tx_of(200, 0, 2000, POOL_NORMAL);
    CHECK(pool_add(pool, &tx) == POOL_ADDED);
    CHECK_U64(pool_count(pool), ==, 25);
    CHECK(pool_find(pool, first.wire_hash) != NULL);
    tx = tx_of(added - 1, added - 1, 2000, POOL_BULK);
    CHECK(pool_find(pool, tx.wire_hash) == NULL);
    tx = tx_of(300, 0, 2000, POOL_URGENT);
    CHECK(pool_add(pool, &tx) == POOL_ADDED);
    CHECK_U64(pool_count(pool), ==, 26);
    pool_check(pool);
}

TEST(order_of_assembly)
{
    static const enum pool_class classes[] = {POOL_BULK,   POOL_NORMAL, POOL_URGENT, POOL_SYSTEM,
                                              POOL_URGENT, POOL_NORMAL, POOL_NORMAL};
    static const uint32_t expected[] = {3, 2, 4, 1, 5, 0, 6};
    struct pool *pool = pool_of(&small);
    struct pool_walk walk;
    struct pool_tx tx;

    for (uint32_t i = 0; i < 7; i++) {
        tx = tx_of(i, i, 100, classes[i]);
        CHECK(pool_add(pool, &tx) == POOL_ADDED);
    }
    pool_walk_begin(pool, 0, &walk);
    for (uint32_t i = 0; i < 7; i++) {
        const struct pool_tx *next = pool_walk_next(pool, &walk);

        CHECK(next != NULL);
        CHECK_U64(next->nonce, ==, expected[i]);
    }
    CHECK(pool_walk_next(pool, &walk) == NULL);

    tx = tx_of(1, 1, 100, POOL_NORMAL);
    pool_stamp(pool, tx.wire_hash, 9);
    pool_walk_begin(pool, 9, &walk);
    for (uint32_t i = 0; i < 6; i++) {
        const struct pool_tx *next = pool_walk_next(pool, &walk);

        CHECK(next != NULL && next->nonce != 1);
    }
    CHECK(pool_walk_next(pool, &walk) == NULL);
}

TEST(random_histories_keep_every_list)
{
    struct pool *pool = pool_of(&small);
    struct random random = {.state = 5};
    bool here[400] = {false};
    uint32_t count = 0;

    for (uint32_t step = 0; step < 20000; step++) {
        const uint32_t number = (uint32_t)random_below(&random, 400);
        const enum pool_class class = number % 2 == 0 ? POOL_NORMAL : POOL_SYSTEM;
        struct pool_tx tx = tx_of(number % 50, number, 50 + number, class);

        tx.expiry_at_ms = 1000;
        if (random_below(&random, 2) == 0) {
            count -= here[number] ? 1 : 0;
            here[number] = false;
            pool_remove(pool, tx.wire_hash);
        } else if (pool_room(pool, &tx) == POOL_ADDED && pool_count(pool) < 60) {
            const uint32_t before = pool_count(pool);

            CHECK(pool_add(pool, &tx) == POOL_ADDED);
            CHECK_U64(pool_count(pool), ==, before + 1);
            here[number] = true;
            count += 1;
        }
        CHECK_U64(pool_count(pool), ==, count);
        CHECK((pool_find(pool, tx.wire_hash) != NULL) == here[number]);
        if (step % 100 == 0) {
            pool_check(pool);
        }
    }
    pool_expire(pool, 1000, 1000);
    CHECK_U64(pool_count(pool), ==, count);
    pool_expire(pool, 1001, 1000);
    CHECK_U64(pool_count(pool), ==, 0);
    pool_check(pool);
}

TEST(ids_seen_are_forgotten_oldest_first)
{
    struct pool *pool = pool_of(&small);
    struct pool_tx tx;

    for (uint32_t i = 0; i < 65; i++) {
        tx = tx_of(i, i, 100, POOL_NORMAL);
        pool_seen_set(pool, tx.wire_hash, POOL_SEEN_REFUSED, 0);
    }
    tx = tx_of(0, 0, 100, POOL_NORMAL);
    CHECK(pool_seen_get(pool, tx.wire_hash, 0) == POOL_UNSEEN);
    tx = tx_of(1, 1, 100, POOL_NORMAL);
    CHECK(pool_seen_get(pool, tx.wire_hash, 0) == POOL_SEEN_REFUSED);
    pool_seen_set(pool, tx.wire_hash, POOL_SEEN_LATER, 5);
    CHECK(pool_seen_get(pool, tx.wire_hash, 10004) == POOL_SEEN_LATER);
    CHECK(pool_seen_get(pool, tx.wire_hash, 10005) == POOL_UNSEEN);
}

TESTS(TEST_ENTRY(first_seen_stays), TEST_ENTRY(an_account_has_its_share),
      TEST_ENTRY(a_full_pool_refuses_and_a_higher_class_takes_the_newest_of_the_lowest),
      TEST_ENTRY(order_of_assembly), TEST_ENTRY(random_histories_keep_every_list),
      TEST_ENTRY(ids_seen_are_forgotten_oldest_first))

/* Pools, queues and layouts: the small parts under the machine. */
#include "p2p/pool.h"

#include <string.h>

#include "base/count.h"
#include "base/random.h"
#include "base/writer.h"
#include "p2p/hello.h"
#include "p2p/queue.h"
#include "p2p/tokens.h"
#include "tests/check.h"

static struct pool pool;
static struct arena arena;

static void begin(uint32_t pieces)
{
    CHECK(arena_open(&arena, pool_footprint(pieces)) == ERR_OK);
    pool_init(&pool, &arena, pieces);
    CHECK_U64(arena.used, ==, arena.size);
}

/* A model: every cell that is out is filled with its number, and must still be when it comes back. */
struct cell {
    uint32_t handle;
    size_t size;
};

static void cell_back(const struct cell *cell)
{
    const uint8_t *at = pool_at(&pool, cell->handle);
    bool whole = true;

    for (size_t i = 0; i < cell->size; i++) {
        whole = whole && at[i] == cell->handle % 251;
    }
    CHECK(whole);
    pool_give(&pool, cell->handle);
}

static bool cell_take(struct cell *cell, struct random *random)
{
    static const size_t sizes[] = {1, 16, 17, 256, 1000, 1024, 4096, 5000, 16384};

    cell->size = sizes[random_below(random, COUNT_OF(sizes))];
    cell->handle = pool_take(&pool, cell->size);
    if (cell->handle == POOL_NONE) {
        return false;
    }
    memset(pool_at(&pool, cell->handle), (int)(cell->handle % 251), cell->size);
    return true;
}

TEST(cells_do_not_overlap_and_all_come_back)
{
    static struct cell out[3000];
    struct random random = {.state = 5};
    uint32_t count = 0;
    uint32_t full = 0;

    begin(40);
    for (uint32_t i = 0; i < 100000; i++) {
        if (count < COUNT_OF(out) && random_below(&random, 100) < 51) {
            const bool taken = cell_take(&out[count], &random);

            count += taken;
            full += !taken;
        } else if (count != 0) {
            const uint32_t at = (uint32_t)random_below(&random, count);

            cell_back(&out[at]);
            count -= 1;
            out[at] = out[count];
        }
        if (i % 1000 == 0) {
            pool_check(&pool);
        }
    }
    CHECK_U64(full, >=, 1);
    for (uint32_t i = 0; i < count; i++) {
        cell_back(&out[i]);
    }
    pool_check(&pool);
    CHECK_U64(pool.free_count, ==, 40);
    arena_close(&arena);
}

TEST(a_chain_keeps_every_byte_or_takes_nothing)
{
    static uint8_t bytes[300000];
    static uint8_t again[300000];
    struct random random = {.state = 9};
    struct chain chain = CHAIN_EMPTY;
    size_t used = 0;
    size_t part;

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)random_next(&random);
    }
    begin(10);
    part = 1;
    while (chain_append(&pool, &chain, bytes_of(bytes + used, part))) {
        used += part;
        part = 1 + (size_t)random_below(&random, 20000);
    }
    CHECK_U64(used + part, >, (size_t)10 * POOL_PIECE_BYTES);
    CHECK_U64(chain.count, ==, used);
    chain_copy(&pool, &chain, 0, again, chain.count);
    CHECK_BYTES(bytes_of(again, used), bytes_of(bytes, used));
    chain_copy(&pool, &chain, 16383, again, 2);
    CHECK_BYTES(bytes_of(again, 2), bytes_of(bytes + 16383, 2));
    chain_copy(&pool, &chain, chain.count, again, 0);
    chain_free(&pool, &chain);
    CHECK_U64(pool.free_count, ==, 10);
    arena_close(&arena);
}

TEST(a_queue_shares_messages_and_drops_the_oldest)
{
    static uint8_t bytes[100000];
    struct queue one = QUEUE_EMPTY;
    struct queue two = QUEUE_EMPTY;
    uint8_t taken[100000];

    begin(20);
    for (uint32_t i = 0; i < 3; i++) {
        const size_t count = i == 1 ? sizeof bytes : 300;
        uint32_t stored;

        memset(bytes, (int)(i + 1), count);
        stored = stored_make(&pool, bytes_of(bytes, 1), bytes_of(bytes + 1, count - 1));
        CHECK(stored != POOL_NONE);
        CHECK(queue_push(&pool, &one, stored));
        CHECK(queue_push(&pool, &two, stored));
        stored_release(&pool, stored);
    }
    CHECK_U64(one.count, ==, 3);
    CHECK_U64(one.bytes, ==, 100600);
    queue_take(&pool, &one, taken, 100); /* begun */
    CHECK(queue_drop(&pool, &one));      /* the second, which is long */
    CHECK_U64(one.bytes, ==, 600);
    queue_take(&pool, &one, taken, 200);
    CHECK_U64(taken[199], ==, 1);
    queue_take(&pool, &one, taken, 300);
    CHECK_U64(taken[0], ==, 3);
    CHECK_U64(one.count, ==, 0);
    CHECK(!queue_drop(&pool, &one));
    CHECK(queue_drop(&pool, &two));
    queue_take(&pool, &two, taken, sizeof bytes - 1);
    CHECK_U64(taken[0], ==, 2);
    queue_drop_begun(&pool, &two);
    CHECK_U64(queue_first_bytes(&pool, &two), ==, 300);
    queue_drop_begun(&pool, &two);
    CHECK_U64(two.count, ==, 1);
    queue_clear(&pool, &two);
    CHECK_U64(pool.free_count, ==, 20);
    pool_check(&pool);
    arena_close(&arena);
}

TEST(a_full_pool_stores_nothing)
{
    static uint8_t bytes[40000];
    uint32_t stored;

    begin(2);
    CHECK(stored_make(&pool, bytes_of(bytes, sizeof bytes), bytes_of(NULL, 0)) == POOL_NONE);
    CHECK_U64(pool.free_count, ==, 2);
    stored = stored_make(&pool, bytes_of(bytes, 10), bytes_of(bytes, 16000));
    CHECK(stored != POOL_NONE);
    stored_release(&pool, stored);
    CHECK_U64(pool.free_count, ==, 2);
    arena_close(&arena);
}

TEST(tokens_fill_with_time_and_not_beyond_their_burst)
{
    const struct tokens_rate rate = tokens_per_second(10);
    struct tokens tokens;
    uint32_t taken = 0;

    tokens_fill(&tokens, 0, rate);
    while (tokens_take(&tokens, 0, rate)) {
        taken += 1;
    }
    CHECK_U64(taken, ==, 20);
    CHECK(!tokens_take(&tokens, 99, rate));
    CHECK(tokens_take(&tokens, 100, rate));
    CHECK(!tokens_take(&tokens, 100, rate));
    CHECK(tokens_any(&tokens, 100000, rate));
    tokens_spend(&tokens, 40);
    CHECK(!tokens_any(&tokens, 102000, rate));
    CHECK(tokens_any(&tokens, 102001, rate));
    for (uint32_t i = 0; i < 100; i++) {
        tokens_spend(&tokens, UINT32_MAX);
    }
    tokens_refill(&tokens, UINT64_MAX, tokens_per_second(UINT32_MAX / 8));
    CHECK(!tokens_any(&tokens, UINT64_MAX, rate));
}

TEST(hello_refuses_what_is_not_in_its_layout)
{
    uint8_t memory[HELLO_BYTES_MAX + 1] = {0};
    struct writer writer = writer_of(memory, sizeof memory);
    struct hello hello = {.protocol = 1,
                          .roles = 3,
                          .instance = 0x0102030405060708,
                          .address = {ADDRESS_IPV4, {1, 2, 3, 4}, 7411},
                          .software = bytes_of("artel/0.1", 9)};
    struct hello out;
    size_t count;

    hello_write(&writer, &hello);
    count = writer.used;
    CHECK_U64(count, ==, 1 + 2 + 1 + 8 + 1 + 16 + 2 + 1 + 9 + 2);
    CHECK(hello_decode(bytes_of(memory, count), &out));
    CHECK_U64(out.instance, ==, hello.instance);
    CHECK_U64(out.roles, ==, 3);
    CHECK(address_equal(&out.address, &hello.address));
    CHECK_BYTES(out.software, hello.software);
    for (size_t i = 0; i < count; i++) {
        CHECK(!hello_decode(bytes_of(memory, i), &out));
    }
    CHECK(!hello_decode(bytes_of(memory, count + 1), &out));
    memory[12] = 5; /* the family */
    CHECK(!hello_decode(bytes_of(memory, count), &out));
    memory[12] = 0; /* none, but an address follows */
    CHECK(!hello_decode(bytes_of(memory, count), &out));
    memory[12] = 4;
    memory[13 + 4] = 1; /* beyond the four bytes of IPv4 */
    CHECK(!hello_decode(bytes_of(memory, count), &out));
    memory[12] = 6;
    CHECK(hello_decode(bytes_of(memory, count), &out));
    memory[32] = ' '; /* in the software */
    CHECK(!hello_decode(bytes_of(memory, count), &out));
    memory[32] = 'x';
    memory[31] = 33; /* its length */
    CHECK(!hello_decode(bytes_of(memory, count), &out));
}

TEST(addresses_are_told_apart)
{
    static const struct {
        struct address address;
        bool is_public, loopback;
    } rows[] = {
        {{ADDRESS_IPV4, {8, 8, 8, 8}, 1}, true, false},
        {{ADDRESS_IPV4, {127, 3, 0, 1}, 1}, false, true},
        {{ADDRESS_IPV4, {10, 0, 0, 1}, 1}, false, false},
        {{ADDRESS_IPV4, {172, 16, 0, 1}, 1}, false, false},
        {{ADDRESS_IPV4, {172, 32, 0, 1}, 1}, true, false},
        {{ADDRESS_IPV4, {192, 168, 0, 1}, 1}, false, false},
        {{ADDRESS_IPV4, {169, 254, 0, 1}, 1}, false, false},
        {{ADDRESS_IPV4, {100, 64, 0, 1}, 1}, false, false},
        {{ADDRESS_IPV4, {100, 128, 0, 1}, 1}, true, false},
        {{ADDRESS_IPV4, {224, 0, 0, 1}, 1}, false, false},
        {{ADDRESS_IPV4, {0, 0, 0, 0}, 1}, false, false},
        {{ADDRESS_IPV6, {0x20, 1}, 1}, true, false},
        {{ADDRESS_IPV6, {0xfd}, 1}, false, false},
        {{ADDRESS_IPV6, {0xfe, 0x80}, 1}, false, false},
        {{ADDRESS_IPV6, {0xff, 2}, 1}, false, false},
        {{ADDRESS_IPV6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 1}, false, true},
        {{ADDRESS_NONE, {0}, 0}, false, false},
    };
    struct address prefix = {ADDRESS_IPV6, {1, 2, 3, 4, 5, 6, 7, 8, 9}, 7};

    for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_U64(address_public(&rows[i].address), ==, rows[i].is_public);
        CHECK_U64(address_loopback(&rows[i].address), ==, rows[i].loopback);
    }
    prefix = address_prefix(&prefix);
    CHECK_U64(prefix.ip[7], ==, 8);
    CHECK_U64(prefix.ip[8], ==, 0);
    CHECK_U64(prefix.port, ==, 0);
}

TESTS(TEST_ENTRY(cells_do_not_overlap_and_all_come_back),
      TEST_ENTRY(a_chain_keeps_every_byte_or_takes_nothing),
      TEST_ENTRY(a_queue_shares_messages_and_drops_the_oldest),
      TEST_ENTRY(a_full_pool_stores_nothing),
      TEST_ENTRY(tokens_fill_with_time_and_not_beyond_their_burst),
      TEST_ENTRY(hello_refuses_what_is_not_in_its_layout), TEST_ENTRY(addresses_are_told_apart))

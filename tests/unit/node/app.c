/*
 * tests/unit/node/app.c -- the application behind the driver's port: two of them agree on what one of them built.
 */
#include "node/app.h"

#include <string.h>

#include "contracts/modules/accounts/accounts.h"
#include "contracts/modules/accounts/interface.h"
#include "proto/block.h"
#include "tests/check.h"
#include "tests/kv_memory.h"
#include "tests/world.h"

/* One application, its store, and what it asked of the world and was not answered yet. */
struct place {
    struct arena arena;
    struct kv *kv;
    struct app *app;
    struct app_port port;
    struct block_header tip;
    uint8_t tip_hash[HASH_BYTES];
    struct app_check checks[16];
    uint32_t check_count;
    uint32_t write_count;
    bool refuse_checks;
};

static struct world world;

static bool place_check(void *self, const struct app_check *check)
{
    struct place *place = self;

    if (place->refuse_checks || place->check_count == 16) {
        return false;
    }
    place->checks[place->check_count] = *check; /* the test keeps the transaction's bytes */
    place->check_count += 1;
    return true;
}

static void place_write(void *self, struct kv *kv, const struct kv_batch *batch, bool sync,
                        uint64_t ticket)
{
    struct place *place = self;

    CHECK(kv_write(kv, batch, sync) == ERR_OK);
    place->write_count += 1;
    CHECK_U64(ticket, <, 4);
}

static void place_fatal(void *self, enum err error, const char *what)
{
    (void)self;
    check_failed(__FILE__, __LINE__, "%s: %s", what, err_name(error));
}

static void place_open(struct place *place)
{
    const struct app_ports ports = {
        .self = place, .check = place_check, .write = place_write, .fatal = place_fatal};
    const struct app_options options = {
        .genesis = &world.genesis,
        .registry = &registry_here,
        .state = place->kv,
        .overlays = {.overlay_bytes = 64U << 20, .pool_bytes = 256U << 20, .retain_versions = 100},
        .pool = mempool_options_standard(),
        .signatures_cached = 4096,
        .batch_bytes = 32U << 20,
        .receipts_bytes = 8U << 20};

    CHECK(arena_open(&place->arena, app_footprint(&options)) == ERR_OK);
    CHECK(app_open(&options, &ports, &place->arena, &place->app, &place->tip) == ERR_OK);
    place->port = app_port_of(place->app);
}

static void place_begin(struct place *place)
{
    memset(place, 0, sizeof *place);
    place->kv = kv_memory_open();
    CHECK(place->kv != NULL);
    place_open(place);
    block_header_hash(&place->tip, place->tip_hash);
}

static void place_end(struct place *place)
{
    arena_close(&place->arena);
    kv_close(place->kv);
}

/* The answers to all checks, `wrong` for one that fails. */
static enum app_admit answer_checks(struct place *place, bool wrong)
{
    enum app_admit last = APP_KNOWN;

    for (uint32_t i = 0; i < place->check_count; i++) {
        const uint32_t all = (1U << place->checks[i].count) - 1;

        last = app_checked(place->app, &place->checks[i], wrong ? 0 : all, place->tip.time_ms + 1);
    }
    place->check_count = 0;
    return last;
}

static struct bytes reserve(uint32_t actor)
{
    uint8_t hash[32] = {1, 2, 3};
    const Accounts__AliasReserve request = {.hash = {32, hash}};
    struct world_tx tx;

    world_tx_begin(&world, &tx, actor);
    (void)world_tx_act(&world, &tx, WORLD_NOBODY, &accounts, ACCOUNTS_ALIAS_RESERVE, &request);
    return world_tx_bytes(&world, &tx);
}

/* Build on the tip, name the block; false: nothing to build. */
static bool build(struct place *place, struct block_header *header, uint8_t *hash, uint8_t *body,
                  size_t *body_count)
{
    struct app_result result;
    uint32_t tx_count;
    struct block_header next = place->tip;

    next.height += 1;
    next.view += 1;
    next.time_ms += 100;
    memcpy(next.parent_hash, place->tip_hash, HASH_BYTES);
    if (!place->port.build(place->app, &place->tip, place->tip_hash, next.time_ms, body, 1U << 20,
                           body_count, &tx_count, &result)) {
        return false;
    }
    next.flags = result.flags;
    next.tx_count = tx_count;
    next.tx_bytes = (uint32_t)*body_count;
    next.units_used = result.units_used;
    memcpy(next.state_root, result.state_root, HASH_BYTES);
    memcpy(next.receipts_root, result.receipts_root, HASH_BYTES);
    block_header_hash(&next, hash);
    place->port.built(place->app, &next, hash);
    *header = next;
    return true;
}

static void finalize(struct place *place, const struct block_header *header, const uint8_t *hash,
                     struct bytes body)
{
    const uint32_t before = place->write_count;

    place->port.finalize(place->app, header, hash, body);
    CHECK_U64(place->write_count, ==, before + 1);
    app_written(place->app, 0, ERR_OK);
    place->tip = *header;
    memcpy(place->tip_hash, hash, HASH_BYTES);
    app_check(place->app);
}

static const struct world_actor cast[] = {
    {.type = ACCOUNTS__ACCOUNT__TYPE__ORGANISATION,
     .key_count = 1,
     .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
     .quota_class = 3},
    {.type = ACCOUNTS__ACCOUNT__TYPE__ORGANISATION,
     .key_count = 1,
     .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
     .quota_class = 3},
    {.type = ACCOUNTS__ACCOUNT__TYPE__PERSON,
     .key_count = 1,
     .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE},
     .quota_class = 3},
};

static struct place one;
static struct place other;

static void begin(void)
{
    world_open(&world, &(struct world_options){.actors = cast, .actor_count = 3, .real = true});
    place_begin(&one);
    place_begin(&other);
    CHECK_BYTES(bytes_of(one.tip_hash, 32), bytes_of(other.tip_hash, 32));
}

static void end(void)
{
    place_end(&one);
    place_end(&other);
    world_close(&world);
}

TEST(what_one_builds_the_other_executes)
{
    static uint8_t body[1U << 20];
    struct app_result result;
    struct block_header header;
    uint8_t hash[HASH_BYTES];
    size_t count;
    bool present;
    bool full;

    begin();
    CHECK(!build(&one, &header, hash, body, &count)); /* nothing is waiting, and no heartbeat */
    CHECK(one.port.admit(one.app, reserve(2), PEER_CLIENT, one.tip.time_ms + 1) == APP_PENDING);
    CHECK(answer_checks(&one, false) == APP_ADMITTED);
    one.port.work(one.app, &one.tip, one.tip_hash, 1, one.tip.time_ms + 1, &present, &full);
    CHECK(present && !full);
    CHECK(build(&one, &header, hash, body, &count));
    CHECK_U64(header.tx_count, ==, 1);

    CHECK(other.port.execute(other.app, &other.tip, other.tip_hash, &header, hash,
                             bytes_of(body, count), &result));
    CHECK_BYTES(bytes_of(result.state_root, 32), bytes_of(header.state_root, 32));
    CHECK_BYTES(bytes_of(result.receipts_root, 32), bytes_of(header.receipts_root, 32));
    CHECK_U64(result.units_used, ==, header.units_used);

    one.port.work(one.app, &header, hash, 2, header.time_ms + 1, &present, &full);
    CHECK(!present); /* it stands in an ancestor */
    finalize(&one, &header, hash, bytes_of(body, count));
    finalize(&other, &header, hash, bytes_of(body, count));
    CHECK_U64(mempool_count(app_pool(one.app)), ==, 0);
    CHECK_U64(app_written_height(one.app), ==, 1);
    end();
}

TEST(a_wrong_signature_is_refused_and_a_full_queue_is_for_now)
{
    struct bytes tx;

    begin();
    tx = reserve(2);
    one.refuse_checks = true;
    CHECK(one.port.admit(one.app, tx, PEER_CLIENT, one.tip.time_ms + 1) == APP_REFUSED_NOW);
    one.refuse_checks = false;
    CHECK(one.port.admit(one.app, tx, PEER_CLIENT, one.tip.time_ms + 1) == APP_PENDING);
    CHECK(answer_checks(&one, true) == APP_REFUSED);
    CHECK(app_refusal(one.app) == EXEC_SIGNATURE);
    CHECK_U64(mempool_count(app_pool(one.app)), ==, 0);
    CHECK(one.port.admit(one.app, bytes_of("junk", 4), 0, one.tip.time_ms + 1) == APP_MALFORMED);
    end();
}

TEST(a_block_with_a_used_nonce_is_invalid_and_leaves_nothing)
{
    static uint8_t body[1U << 20];
    struct app_result result;
    struct block_header header;
    uint8_t hash[HASH_BYTES];
    size_t count;

    begin();
    CHECK(one.port.admit(one.app, reserve(2), 0, one.tip.time_ms + 1) == APP_PENDING);
    CHECK(answer_checks(&one, false) == APP_ADMITTED);
    CHECK(build(&one, &header, hash, body, &count));
    memcpy(body + count, body, count); /* the same transaction twice */
    header.tx_count = 2;
    header.tx_bytes = (uint32_t)(2 * count);
    block_header_hash(&header, hash);
    CHECK(!other.port.execute(other.app, &other.tip, other.tip_hash, &header, hash,
                              bytes_of(body, 2 * count), &result));
    app_check(other.app);
    end();
}

TEST(a_restart_goes_on_from_the_store)
{
    static uint8_t body[1U << 20];
    struct block_header header;
    struct block_header block_0;
    uint8_t hash[HASH_BYTES];
    size_t count;

    begin();
    block_0 = one.tip;
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(one.port.admit(one.app, reserve(i), 0, one.tip.time_ms + 1) == APP_PENDING);
        CHECK(answer_checks(&one, false) == APP_ADMITTED);
        CHECK(build(&one, &header, hash, body, &count));
        finalize(&one, &header, hash, bytes_of(body, count));
    }
    arena_close(&one.arena);
    place_open(&one); /* the tip it gives is block 0 again */
    CHECK_BYTES(bytes_of(one.tip.state_root, 32), bytes_of(block_0.state_root, 32));
    CHECK_U64(one.port.applied_height(one.app), ==, 3);
    one.tip = header;
    CHECK(one.port.admit(one.app, reserve(2), 0, one.tip.time_ms + 1) == APP_PENDING);
    CHECK(answer_checks(&one, false) == APP_ADMITTED);
    CHECK(build(&one, &header, hash, body, &count));
    CHECK_U64(header.height, ==, 4);
    end();
}

TESTS(TEST_ENTRY(what_one_builds_the_other_executes),
      TEST_ENTRY(a_wrong_signature_is_refused_and_a_full_queue_is_for_now),
      TEST_ENTRY(a_block_with_a_used_nonce_is_invalid_and_leaves_nothing),
      TEST_ENTRY(a_restart_goes_on_from_the_store))

/* tests/unit/proto/params.c -- both default sets pass; each bound holds at its edge and refuses one past it. */
#include "proto/params.h"

#include <stddef.h>
#include <string.h>

#include "base/count.h"
#include "crypto/hash.h"
#include "proto/canon.h"
#include "tests/check.h"

#define FIELD(name) offsetof(Chain__Parameters, name)
#define DAY_MS      UINT64_C(86400000)

/* A value of one field of the production set, and what the check says of it. */
static const struct bound {
    size_t field;
    uint64_t value;
    enum params_fault fault;
} bounds[] = {
    {FIELD(delta_ms), 99, PARAMS_DELTA},
    {FIELD(delta_ms), 15001, PARAMS_DELTA},
    {FIELD(min_interval_ms), 0, PARAMS_MIN_INTERVAL},
    {FIELD(min_interval_ms), 1, PARAMS_OK},
    {FIELD(min_interval_ms), 250, PARAMS_OK},
    {FIELD(min_interval_ms), 251, PARAMS_MIN_INTERVAL},
    {FIELD(precision_ms), 0, PARAMS_PRECISION},
    {FIELD(precision_ms), 500, PARAMS_OK},
    {FIELD(precision_ms), 501, PARAMS_PRECISION},
    {FIELD(late_bound_ms), 499, PARAMS_LATE_BOUND},
    {FIELD(late_bound_ms), 500, PARAMS_OK},
    {FIELD(late_bound_ms), 3600001, PARAMS_LATE_BOUND},
    {FIELD(heartbeat_ms), 0, PARAMS_OK},
    {FIELD(heartbeat_ms), 1, PARAMS_HEARTBEAT},
    {FIELD(heartbeat_ms), 9999, PARAMS_HEARTBEAT},
    {FIELD(heartbeat_ms), 10000, PARAMS_OK},
    {FIELD(heartbeat_ms), DAY_MS + 1, PARAMS_HEARTBEAT},
    {FIELD(max_block_bytes), 65539, PARAMS_BLOCK_BYTES},
    {FIELD(max_block_bytes), 65540, PARAMS_OK},
    {FIELD(max_block_bytes), 1048577, PARAMS_BLOCK_BYTES},
    {FIELD(max_block_txs), 0, PARAMS_BLOCK_TXS},
    {FIELD(max_block_txs), 1, PARAMS_OK},
    {FIELD(max_block_txs), 5001, PARAMS_BLOCK_TXS},
    {FIELD(max_block_units), 199999, PARAMS_BLOCK_UNITS},
    {FIELD(max_block_units), 200000, PARAMS_OK},
    {FIELD(max_block_units), 1000000000001, PARAMS_BLOCK_UNITS},
    {FIELD(max_tx_bytes), 1023, PARAMS_TX_BYTES},
    {FIELD(max_tx_bytes), 1024, PARAMS_OK},
    {FIELD(max_tx_bytes), 65537, PARAMS_TX_BYTES},
    {FIELD(max_tx_units), 9999, PARAMS_TX_UNITS},
    {FIELD(max_tx_units), 10000, PARAMS_OK},
    {FIELD(max_tx_units), 10000001, PARAMS_BLOCK_UNITS},
    {FIELD(max_tx_units), 1000000000001, PARAMS_TX_UNITS},
    {FIELD(max_ttl_ms), 9999, PARAMS_TTL},
    {FIELD(max_ttl_ms), 10000, PARAMS_OK},
    {FIELD(max_ttl_ms), DAY_MS + 1, PARAMS_TTL},
    {FIELD(max_due_actions), 0, PARAMS_DUE},
    {FIELD(max_due_actions), 4096, PARAMS_OK},
    {FIELD(max_due_actions), 4097, PARAMS_DUE},
    {FIELD(max_due_units_ppm), 0, PARAMS_DUE},
    {FIELD(max_due_units_ppm), 1000001, PARAMS_DUE},
    {FIELD(propose_depth), 0, PARAMS_DEPTH},
    {FIELD(propose_depth), 16, PARAMS_OK},
    {FIELD(propose_depth), 17, PARAMS_DEPTH},
    {FIELD(vote_depth), 7, PARAMS_DEPTH},
    {FIELD(vote_depth), 17, PARAMS_DEPTH},
    {FIELD(reserve_actions_per_hour), 0, PARAMS_OK},
    {FIELD(reserve_actions_per_hour), 1001, PARAMS_RESERVE},
    {FIELD(ref_keep_ms), 3599999, PARAMS_REF_KEEP},
    {FIELD(ref_keep_ms), 3600000, PARAMS_OK},
    {FIELD(ref_keep_ms), 3650 * DAY_MS + 1, PARAMS_REF_KEEP},
    {FIELD(term_floor_ms), 999, PARAMS_TERM_FLOOR},
    {FIELD(term_floor_ms), 30 * DAY_MS, PARAMS_OK},
    {FIELD(term_floor_ms), 30 * DAY_MS + 1, PARAMS_TERM_FLOOR},
};

TEST(default_sets_pass)
{
    struct params_set set;

    params_production(&set);
    CHECK_U64(params_check(&set.message), ==, PARAMS_OK);
    CHECK_U64(set.message.delta_ms, ==, 500);
    CHECK_U64(set.message.n_quota_classes, ==, 2);
    CHECK_U64(set.message.quota_classes[1]->capacity, ==, 1000000);
    params_lan(&set);
    CHECK_U64(params_check(&set.message), ==, PARAMS_OK);
    CHECK_U64(set.message.delta_ms, ==, 100);
    CHECK_U64(set.message.min_interval_ms, ==, 20);
    CHECK_U64(set.message.precision_ms, ==, 100);
}

TEST(each_bound)
{
    struct params_set set;

    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        params_production(&set);
        memcpy((uint8_t *)&set.message + bounds[i].field, &bounds[i].value, sizeof(uint64_t));
        if (params_check(&set.message) != bounds[i].fault) {
            check_failed(__FILE__, __LINE__, "bound %zu: %s, not %s", i,
                         params_fault_text(params_check(&set.message)),
                         params_fault_text(bounds[i].fault));
        }
    }
}

TEST(delta_alone_bounds_others)
{
    struct params_set set;

    params_lan(&set);
    set.message.min_interval_ms = 51;
    CHECK_U64(params_check(&set.message), ==, PARAMS_MIN_INTERVAL);
    params_lan(&set);
    set.message.delta_ms = 15000;
    set.message.late_bound_ms = 15000;
    CHECK_U64(params_check(&set.message), ==, PARAMS_OK);
}

TEST(quotas)
{
    struct params_set set;

    params_production(&set);
    set.message.n_quota_classes = 1;
    CHECK_U64(params_check(&set.message), ==, PARAMS_QUOTA_CLASS);
    params_production(&set);
    set.classes[1].quota_class = QUOTA_WITHOUT_LIMIT;
    CHECK_U64(params_check(&set.message), ==, PARAMS_QUOTA_CLASS);
    params_production(&set);
    set.classes[0].capacity = 0;
    CHECK_U64(params_check(&set.message), ==, PARAMS_QUOTA_BUCKET);
    params_production(&set);
    set.classes[1].refill_per_s = 1000000000000001;
    CHECK_U64(params_check(&set.message), ==, PARAMS_QUOTA_BUCKET);
    params_production(&set);
    set.message.coop_quota = NULL;
    CHECK_U64(params_check(&set.message), ==, PARAMS_QUOTA_BUCKET);
    params_production(&set);
    set.public_lane.quota_class = 1;
    CHECK_U64(params_check(&set.message), ==, PARAMS_QUOTA_BUCKET);
}

TEST(hash_is_of_the_canonical_bytes)
{
    static _Alignas(ARENA_ALIGN) uint8_t memory[1024];
    struct params_set set;
    struct arena arena;
    struct bytes bytes;
    uint8_t hash[HASH_BYTES];
    uint8_t expected[HASH_BYTES];

    arena_init(&arena, memory, sizeof memory);
    params_production(&set);
    CHECK_U64(params_hash(&set.message, &arena, hash), ==, ERR_OK);
    CHECK_U64(arena.used, ==, 0);
    bytes = canon_pack(&chain__parameters__descriptor, &set.message, &arena);
    CHECK_U64(canon_check(&chain__parameters__descriptor, bytes), ==, CANON_OK);
    hash_of(TAG_PARAMS, bytes, expected);
    CHECK(hash_equal(hash, expected));
    arena_init(&arena, memory, 16);
    CHECK_U64(params_hash(&set.message, &arena, hash), ==, ERR_NO_SPACE);
}

TEST(each_fault_has_its_text)
{
    for (uint32_t i = 0; i <= PARAMS_TERM_FLOOR; i++) {
        CHECK(strlen(params_fault_text((enum params_fault)i)) > 3);
    }
}

TESTS(TEST_ENTRY(default_sets_pass), TEST_ENTRY(each_bound), TEST_ENTRY(delta_alone_bounds_others),
      TEST_ENTRY(quotas), TEST_ENTRY(hash_is_of_the_canonical_bytes),
      TEST_ENTRY(each_fault_has_its_text))

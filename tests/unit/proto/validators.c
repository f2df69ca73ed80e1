/* tests/unit/proto/validators.c -- validators.json, its hashes and orders found a second way, slowly. */
#include "proto/validators.h"

#include <sodium.h>
#include <string.h>

#include "base/checked.h"
#include "base/reader.h"
#include "base/writer.h"
#include "tests/check.h"
#include "tests/json.h"

static struct validator_set set;

static void library_hash(const char *tag, struct bytes bytes, uint8_t out[32])
{
    uint8_t personal[16] = {0};

    memcpy(personal, tag, strlen(tag));
    CHECK(crypto_generichash_blake2b_salt_personal(out, 32, bytes.at, bytes.count, NULL, 0, NULL,
                                                   personal) == 0);
}

/* The k-th word of the stream, computed from nothing each time. */
static uint64_t stream_word(const uint8_t *genesis, uint64_t k)
{
    uint8_t bytes[40];
    uint8_t hash[32];
    uint64_t word = 0;

    memcpy(bytes, genesis, 32);
    for (uint32_t i = 0; i < 8; i++) {
        bytes[32 + i] = (uint8_t)(k / 4 >> (56 - 8 * i));
    }
    library_hash("artel.order", bytes_of(bytes, sizeof bytes), hash);
    for (uint32_t i = 0; i < 8; i++) {
        word = word << 8 | hash[8 * (k % 4) + i];
    }
    return word;
}

/* The order as a list from which the places are taken one by one, in 128 bits. */
static void slow_order(const uint8_t *genesis, uint32_t count, uint32_t *order)
{
    uint64_t next = 0;

    for (uint32_t j = 0; j < count; j++) {
        order[j] = j;
    }
    for (uint32_t j = count - 1; j >= 1 && j < count; j--) {
        const wide_t whole = (wide_t)1 << 64;
        const wide_t bound = whole / (j + 1) * (j + 1);
        uint64_t word = stream_word(genesis, next++);
        uint32_t held;
        uint32_t r;

        while ((wide_t)word >= bound) {
            word = stream_word(genesis, next++);
        }
        r = (uint32_t)(word % (j + 1));
        held = order[j];
        order[j] = order[r];
        order[r] = held;
    }
}

/* The bytes of a set, its hash by us and by the library. */
static void set_is(const json_t *vector)
{
    static uint8_t memory[2 + VALIDATORS_MAX * VALIDATOR_BYTES];
    const struct bytes bytes = json_bytes(vector, "set");
    struct reader reader = reader_of(bytes);
    struct writer writer = writer_of(memory, sizeof memory);
    uint8_t hash[32];

    CHECK(validators_read(&reader, &set) && reader_done(&reader));
    CHECK_U64(set.count, ==, json_u64(vector, "n"));
    validators_write(&writer, &set);
    CHECK_BYTES(writer_done(&writer), bytes);
    validators_hash(&set, hash);
    CHECK_BYTES(bytes_of(hash, 32), json_bytes(vector, "valset_hash"));
    library_hash("artel.valset", bytes, hash);
    CHECK_BYTES(bytes_of(hash, 32), json_bytes(vector, "valset_hash"));
}

static void order_is(const json_t *vector)
{
    const uint8_t *genesis = json_exact(vector, "genesis_block_hash", 32);
    const json_t *listed = json_list(vector, "order");
    uint32_t slow[VALIDATORS_MAX];
    struct leader_order order;

    validators_order(&set, genesis, &order);
    slow_order(genesis, set.count, slow);
    CHECK_U64(order.count, ==, set.count);
    CHECK_U64(json_array_size(listed), ==, set.count);
    for (uint32_t j = 0; j < set.count; j++) {
        CHECK_U64(order.order[j], ==, slow[j]);
        CHECK_U64(order.order[j], ==, json_integer_value(json_array_get(listed, j)));
        CHECK_U64(validators_leader(&order, 1 + j + 3 * (uint64_t)set.count), ==, slow[j]);
    }
}

TEST(vectors)
{
    json_t *file = json_own("validators.json");
    const json_t *vector;
    size_t i;

    json_array_foreach (json_list(file, "vectors"), i, vector) {
        set_is(vector);
        order_is(vector);
    }
    json_decref(file);
}

TEST(bad_sets)
{
    json_t *file = json_own("validators.json");
    const json_t *vector;
    size_t i;

    json_array_foreach (json_list(file, "bad"), i, vector) {
        struct reader reader = reader_of(json_bytes(vector, "set"));

        if (validators_read(&reader, &set)) {
            check_failed(__FILE__, __LINE__, "read: %s", json_text(vector, "name"));
        }
    }
    json_decref(file);
}

TEST(members_are_found_by_key)
{
    json_t *file = json_own("validators.json");
    struct reader reader =
        reader_of(json_bytes(json_array_get(json_list(file, "vectors"), 3), "set"));
    uint8_t nobody[32] = {1, 2, 3};

    CHECK(validators_read(&reader, &set));
    for (uint16_t i = 0; i < set.count; i++) {
        CHECK_U64(validators_find(&set, set.members[i].consensus_key), ==, i);
    }
    CHECK_U64(validators_find(&set, nobody), ==, VALIDATOR_NONE);
    set.count = 0;
    CHECK(!validators_ordered(&set));
    json_decref(file);
}

TEST(quorums)
{
    static const uint32_t known[][2] = {{1, 1},  {2, 2},   {3, 3},    {4, 3},           {7, 5},
                                        {10, 7}, {25, 17}, {100, 67}, {256, QUORUM_MAX}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        CHECK_U64(validators_quorum(known[i][0]), ==, known[i][1]);
    }
    for (uint32_t n = 1; n <= VALIDATORS_MAX; n++) { /* any two quorums share more than f */
        CHECK_U64(2 * validators_quorum(n) - n, >, validators_faulty(n));
        CHECK_U64(validators_bitmap_bytes(n) * 8, >=, n);
    }
}

TESTS(TEST_ENTRY(vectors), TEST_ENTRY(bad_sets), TEST_ENTRY(members_are_found_by_key),
      TEST_ENTRY(quorums))

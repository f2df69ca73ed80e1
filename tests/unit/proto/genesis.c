/* tests/unit/proto/genesis.c -- genesis.json, with every hash computed again by hand from the bytes. */
#include "proto/genesis.h"

#include <sodium.h>
#include <string.h>

#include "base/writer.h"
#include "tests/check.h"
#include "tests/json.h"

static _Alignas(ARENA_ALIGN) uint8_t memory[2 << 20];
static struct genesis genesis;

static struct arena arena_of_test(size_t size)
{
    struct arena arena;

    arena_init(&arena, memory, size);
    return arena;
}

static struct bytes library_hash(const char *tag, struct bytes bytes)
{
    static uint8_t out[32];
    uint8_t personal[16] = {0};

    memcpy(personal, tag, strlen(tag));
    CHECK(crypto_generichash_blake2b_salt_personal(out, 32, bytes.at, bytes.count, NULL, 0, NULL,
                                                   personal) == 0);
    return bytes_of(out, 32);
}

/* A field of one byte's tag at `*at`, its value being bytes; steps behind it. */
static struct bytes field_at(struct bytes bytes, size_t *at, uint8_t tag)
{
    size_t count;

    CHECK(*at + 3 < bytes.count && bytes.at[*at] == tag);
    count = bytes.at[*at + 1] & 0x7fU;
    *at += 2;
    if (bytes.at[*at - 1] >= 0x80) {
        count |= (size_t)bytes.at[*at] << 7;
        *at += 1;
    }
    *at += count;
    CHECK(*at <= bytes.count);
    return bytes_of(bytes.at + *at - count, count);
}

/* params_hash and valset_hash, from the places where their bytes stand. */
static void hashes_by_hand(const json_t *vector, struct bytes bytes)
{
    static const uint8_t weight[] = {0, 1};
    uint8_t members[2 + 4 * 98];
    struct writer writer = writer_of(members, sizeof members);
    size_t at = 1;

    CHECK_U64(bytes.at[0], ==, 0x08);
    while (bytes.at[at] >= 0x80) {
        at += 1;
    }
    at += 1;
    CHECK_BYTES(library_hash("artel.params", field_at(bytes, &at, 0x12)),
                json_bytes(vector, "params_hash"));
    writer_u16(&writer, 4);
    for (uint32_t i = 0; i < 4; i++) {
        const struct bytes validator = field_at(bytes, &at, 0x1a);
        size_t inner = 0;

        writer_view(&writer, field_at(validator, &inner, 0x0a));
        writer_view(&writer, field_at(validator, &inner, 0x12));
        writer_view(&writer, field_at(validator, &inner, 0x1a));
        writer_bytes(&writer, weight, 2);
    }
    CHECK_U64(writer.used, ==, sizeof members);
    CHECK_BYTES(library_hash("artel.valset", writer_done(&writer)),
                json_bytes(vector, "valset_hash"));
}

/* Block 0 as a table of places and lengths. */
static void block_0_by_hand(const json_t *vector)
{
    const struct bytes block = json_bytes(vector, "block_0");
    uint8_t expected[BLOCK_HEADER_BYTES] = {0, 1, 1};
    struct writer writer;

    memcpy(expected + 4, json_bytes(vector, "chain_id").at, 32);
    writer = writer_of(expected + 60, 8);
    writer_u64(&writer, genesis.time_ms);
    memcpy(expected + 168, json_bytes(vector, "state_root").at, 32);
    memcpy(expected + 232, json_bytes(vector, "valset_hash").at, 32);
    memcpy(expected + 296, json_bytes(vector, "params_hash").at, 32);
    CHECK_BYTES(block, bytes_of(expected, sizeof expected));
    CHECK_BYTES(library_hash("artel.block", block), json_bytes(vector, "block_0_hash"));
}

static void good(const json_t *vector, struct bytes bytes)
{
    uint8_t encoded[BLOCK_HEADER_BYTES];
    struct block_header header;

    CHECK_BYTES(bytes_of(genesis.chain_id, 32), json_bytes(vector, "chain_id"));
    CHECK_BYTES(library_hash("artel.genesis", bytes), json_bytes(vector, "chain_id"));
    CHECK_BYTES(bytes_of(genesis.params_hash, 32), json_bytes(vector, "params_hash"));
    CHECK_BYTES(bytes_of(genesis.valset_hash, 32), json_bytes(vector, "valset_hash"));
    CHECK_BYTES(bytes_of(genesis.operator_id, 32), json_bytes(vector, "operator"));
    CHECK_BYTES(bytes_of(genesis.root_id, 32), json_bytes(vector, "root"));
    CHECK_U64(genesis.account_count, ==, 6);
    CHECK_U64(genesis.feature_count, ==, 2);
    CHECK_U64(genesis.features[1], ==, 7);
    for (uint32_t i = 0; i < genesis.account_count; i++) {
        const struct genesis_account *account = &genesis.accounts[i];

        CHECK(genesis_account_find(&genesis, account->id) == account);
        CHECK_BYTES(library_hash("artel.account", account->create), bytes_of(account->id, 32));
        CHECK_U64(account->message->n_keys, ==, 2);
    }
    CHECK(genesis_account_find(&genesis, genesis.chain_id) == NULL);
    genesis_block_0(&genesis, json_bytes(vector, "state_root").at, &header);
    block_header_encode(&header, encoded);
    CHECK_BYTES(bytes_of(encoded, sizeof encoded), json_bytes(vector, "block_0"));
    hashes_by_hand(vector, bytes);
    block_0_by_hand(vector);
}

TEST(vectors)
{
    json_t *file = json_own("genesis.json");
    bool seen[GENESIS_NO_MEMORY] = {[GENESIS_LENGTH] = true};
    const json_t *vector;
    size_t i;

    json_array_foreach (json_list(file, "vectors"), i, vector) {
        const struct bytes bytes = json_bytes_zeros(vector, "hex");
        struct arena arena = arena_of_test(genesis_arena_bytes(bytes.count));
        const enum genesis_fault fault = genesis_decode(bytes, &arena, &genesis);

        if (strcmp(genesis_fault_name(fault), json_text(vector, "fault")) != 0) {
            check_failed(__FILE__, __LINE__, "%s: %s, not %s", json_text(vector, "name"),
                         genesis_fault_name(fault), json_text(vector, "fault"));
        }
        seen[fault] = true;
        CHECK((fault == GENESIS_NOT_CANONICAL || fault == GENESIS_ACCOUNT_CREATE) ==
              (genesis.canon != CANON_OK));
        CHECK((fault == GENESIS_PARAMETERS) == (genesis.params != PARAMS_OK));
        if (fault == GENESIS_OK) {
            good(vector, bytes);
        }
    }
    for (i = 0; i < sizeof seen; i++) {
        if (!seen[i]) {
            check_failed(__FILE__, __LINE__, "no vector of %s",
                         genesis_fault_name((enum genesis_fault)i));
        }
    }
    json_decref(file);
}

TEST(lengths)
{
    static uint8_t zeros[GENESIS_BYTES_MAX + 1];
    struct arena arena = arena_of_test(sizeof memory);

    CHECK_U64(genesis_decode(bytes_of(NULL, 0), &arena, &genesis), ==, GENESIS_LENGTH);
    CHECK_U64(genesis_decode(bytes_of(zeros, sizeof zeros), &arena, &genesis), ==, GENESIS_LENGTH);
    CHECK_U64(genesis_decode(bytes_of(zeros, sizeof zeros - 1), &arena, &genesis), ==,
              GENESIS_NOT_CANONICAL);
}

TEST(memory_that_runs_out)
{
    json_t *file = json_own("genesis.json");
    const struct bytes bytes = json_bytes(json_array_get(json_list(file, "vectors"), 0), "hex");
    enum genesis_fault fault = GENESIS_NO_MEMORY;
    size_t size = 0;

    while (fault != GENESIS_OK) {
        struct arena arena = arena_of_test(size);

        fault = genesis_decode(bytes, &arena, &genesis);
        CHECK(fault == GENESIS_NO_MEMORY || fault == GENESIS_OK);
        size += 64;
    }
    CHECK_U64(size, <=, genesis_arena_bytes(bytes.count));
    CHECK_U64(size, <, 32 * bytes.count);
    json_decref(file);
}

TEST(each_fault_has_its_text)
{
    for (uint32_t i = 0; i <= GENESIS_NO_MEMORY; i++) {
        const enum genesis_fault fault = (enum genesis_fault)i;

        CHECK(strlen(genesis_fault_text(fault)) > 3);
        for (uint32_t j = 0; j < i; j++) {
            CHECK(strcmp(genesis_fault_text(fault), genesis_fault_text((enum genesis_fault)j)) !=
                  0);
            CHECK(strcmp(genesis_fault_name(fault), genesis_fault_name((enum genesis_fault)j)) !=
                  0);
        }
    }
}

TESTS(TEST_ENTRY(vectors), TEST_ENTRY(lengths), TEST_ENTRY(memory_that_runs_out),
      TEST_ENTRY(each_fault_has_its_text))

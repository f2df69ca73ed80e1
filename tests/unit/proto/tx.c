/* tests/unit/proto/tx.c -- tx.json, hashes by the library itself, and the memory that the longest transactions take. */
#include "proto/tx.h"

#include <sodium.h>
#include <string.h>

#include "crypto/ecdsa.h"
#include "tests/check.h"
#include "tests/json.h"

static _Alignas(ARENA_ALIGN) uint8_t memory[TX_ARENA_BYTES];

static struct arena arena_of_test(size_t size)
{
    struct arena arena;

    arena_init(&arena, memory, size);
    return arena;
}

/* H(tag: bytes), by the library and without our register of tags. */
static struct bytes library_hash(const char *tag, struct bytes bytes)
{
    static uint8_t out[2][32];
    static uint32_t turn;
    uint8_t personal[16] = {0};

    turn = 1 - turn;
    memcpy(personal, tag, strlen(tag));
    CHECK(crypto_generichash_blake2b_salt_personal(out[turn], 32, bytes.at, bytes.count, NULL, 0,
                                                   NULL, personal) == 0);
    return bytes_of(out[turn], 32);
}

/* The body of a transaction, found by hand: tag 0a, a length of one to three bytes. */
static struct bytes body_of(struct bytes bytes)
{
    size_t at = 1;
    size_t count = 0;

    CHECK_U64(bytes.at[0], ==, 0x0a);
    for (uint32_t shift = 0;; shift += 7) {
        const uint8_t byte = bytes.at[at++];

        count |= (size_t)(byte & 0x7fU) << shift;
        if (byte < 0x80) {
            break;
        }
    }
    return bytes_of(bytes.at + at, count);
}

static void good(const json_t *vector, struct bytes bytes, const struct tx *tx)
{
    uint8_t secret[32];
    uint8_t public_key[33];

    CHECK_BYTES(bytes_of(tx->tx_id, 32), json_bytes(vector, "tx_id"));
    CHECK_BYTES(bytes_of(tx->wire_hash, 32), json_bytes(vector, "wire_hash"));
    CHECK_BYTES(library_hash("artel.tx", body_of(bytes)), json_bytes(vector, "tx_id"));
    CHECK_BYTES(library_hash("artel.txwire", bytes), json_bytes(vector, "wire_hash"));
    CHECK_BYTES(tx->body_bytes, body_of(bytes));
    CHECK_U64(tx->body->nonce, ==, json_u64(vector, "nonce"));
    CHECK_U64(tx->body->lane, ==, json_u64(vector, "lane"));
    CHECK_U64(tx->body->expiry_at_ms, ==, json_u64(vector, "expiry_at_ms"));
    CHECK_U64(tx->body->n_actions, ==, json_u64(vector, "actions"));
    CHECK_U64(tx->message->n_signatures, ==, json_u64(vector, "signatures"));
    for (size_t i = 0; i < tx->message->n_signatures; i++) {
        const Chain__Signature *signature = tx->message->signatures[i];

        memset(secret, tx_signer(tx, signature).at[0] - 0xa0, sizeof secret);
        CHECK(ecdsa_public(secret, public_key));
        CHECK(ecdsa_verify(public_key, tx->tx_id, signature->sig64.data));
    }
}

TEST(vectors)
{
    json_t *file = json_own("tx.json");
    bool seen[TX_NO_MEMORY] = {0};
    const json_t *vector;
    size_t i;

    json_array_foreach (json_list(file, "vectors"), i, vector) {
        const struct bytes bytes = json_bytes_zeros(vector, "hex");
        struct arena arena = arena_of_test(sizeof memory);
        struct tx tx;
        const enum tx_fault fault = tx_decode(bytes, &arena, &tx);

        if (strcmp(tx_fault_name(fault), json_text(vector, "fault")) != 0) {
            check_failed(__FILE__, __LINE__, "%s: %s, not %s", json_text(vector, "name"),
                         tx_fault_name(fault), json_text(vector, "fault"));
        }
        seen[fault] = true;
        CHECK((fault == TX_NOT_CANONICAL) == (tx.canon != CANON_OK));
        if (fault == TX_OK) {
            good(vector, bytes, &tx);
        }
    }
    for (i = 0; i < sizeof seen; i++) {
        CHECK(seen[i]);
    }
    json_decref(file);
}

TEST(an_empty_actor_is_the_payer)
{
    json_t *file = json_own("tx.json");
    const json_t *vector = json_array_get(json_list(file, "vectors"), 1);
    struct arena arena = arena_of_test(sizeof memory);
    uint8_t expected[32];
    struct tx tx;

    CHECK_U64(tx_decode(json_bytes_zeros(vector, "hex"), &arena, &tx), ==, TX_OK);
    memset(expected, 0xa2, sizeof expected);
    CHECK_BYTES(tx_actor(&tx, tx.body->actions[0]), bytes_of(expected, 32));
    CHECK_BYTES(tx_signer(&tx, tx.message->signatures[2]), bytes_of(expected, 32));
    memset(expected, 0xa1, sizeof expected);
    CHECK_BYTES(tx_actor(&tx, tx.body->actions[1]), bytes_of(expected, 32));
    CHECK_BYTES(tx_signer(&tx, tx.message->signatures[1]), bytes_of(expected, 32));
    json_decref(file);
}

/*
 * A transaction of the most actions and signatures that its bytes allow, filled up with a long payload.
 */
static struct bytes longest(struct arena *arena, uint32_t actions, uint32_t signatures,
                            size_t total)
{
    static uint8_t payload[TX_BYTES_MAX];
    static uint8_t account[32] = {1};
    static uint8_t others[TX_SIGNATURES_MAX][32];
    static uint8_t sig64[64];
    Chain__Action action[TX_ACTIONS_MAX];
    Chain__Action *action_list[TX_ACTIONS_MAX];
    Chain__Signature signature[TX_SIGNATURES_MAX];
    Chain__Signature *signature_list[TX_SIGNATURES_MAX];
    Chain__TxBody body = {.chain_id = {.len = 32, .data = account},
                          .account = {.len = 32, .data = account},
                          .n_actions = actions,
                          .actions = action_list};
    Chain__Tx tx = {.n_signatures = signatures, .signatures = signature_list};
    struct bytes bytes = {0};

    for (uint32_t i = 0; i < actions; i++) {
        action[i] = (Chain__Action){.module = 1, .ref = {.len = 32, .data = account}};
        action_list[i] = &action[i];
    }
    for (uint32_t i = 0; i < signatures; i++) {
        others[i][0] = 2;
        others[i][31] = (uint8_t)i;
        signature[i] = (Chain__Signature){.sig64 = {.len = 64, .data = sig64}};
        if (i > 0) {
            signature[i].account = (ProtobufCBinaryData){.len = 32, .data = others[i]};
        }
        signature_list[i] = &signature[i];
    }
    for (size_t fill = 0; bytes.count < total; fill += fill == 0 ? total - bytes.count - 12 : 1) {
        struct bytes packed;

        arena_reset(arena);
        action[0].payload = (ProtobufCBinaryData){.len = fill, .data = payload};
        packed = canon_pack(&chain__tx_body__descriptor, &body, arena);
        tx.body.len = packed.count;
        tx.body.data = arena_must(arena, packed.count);
        memcpy(tx.body.data, packed.at, packed.count);
        bytes = canon_pack(&chain__tx__descriptor, &tx, arena);
    }
    return bytes;
}

TEST(the_longest_fits_into_its_arena)
{
    static _Alignas(ARENA_ALIGN) uint8_t other[4 * TX_BYTES_MAX];
    struct arena maker;
    struct arena arena = arena_of_test(sizeof memory);
    struct bytes bytes;
    struct tx tx;

    arena_init(&maker, other, sizeof other);
    bytes = longest(&maker, TX_ACTIONS_MAX, TX_SIGNATURES_MAX, TX_BYTES_MAX);
    CHECK_U64(bytes.count, ==, TX_BYTES_MAX);
    CHECK_U64(tx_decode(bytes, &arena, &tx), ==, TX_OK);
    CHECK_U64(tx.body->n_actions, ==, TX_ACTIONS_MAX);
    CHECK_U64(arena.used, <=, 3 * TX_BYTES_MAX); /* measured: 133,472; the rest is reserve */

    arena = arena_of_test(TX_BYTES_MAX);
    CHECK_U64(tx_decode(bytes, &arena, &tx), ==, TX_NO_MEMORY);
    CHECK_U64(tx.canon, ==, CANON_OK);

    arena = arena_of_test(sizeof memory);
    bytes = longest(&maker, 1, 1, TX_BYTES_MAX + 1);
    CHECK_U64(bytes.count, ==, TX_BYTES_MAX + 1);
    CHECK_U64(tx_decode(bytes, &arena, &tx), ==, TX_LENGTH);
}

TESTS(TEST_ENTRY(vectors), TEST_ENTRY(an_empty_actor_is_the_payer),
      TEST_ENTRY(the_longest_fits_into_its_arena))

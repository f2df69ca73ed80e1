/* tests/fuzz/tx.c -- any bytes as a transaction: what is accepted is in order, and packs to the same bytes. */
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "proto/tx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each signer after the one before it: 33 bytes compare as (length, account), then the number. */
static bool ascending(const Chain__Signature *a, const Chain__Signature *b)
{
    uint8_t keys[2][37] = {{0}};

    for (uint32_t i = 0; i < 2; i++) {
        const Chain__Signature *signature = i == 0 ? a : b;

        keys[i][0] = signature->account.len != 0;
        if (signature->account.len != 0) {
            memcpy(keys[i] + 1, signature->account.data, 32);
        }
        for (uint32_t j = 0; j < 4; j++) {
            keys[i][33 + j] = (uint8_t)(signature->key_id >> (24 - 8 * j));
        }
    }
    return memcmp(keys[0], keys[1], sizeof keys[0]) < 0;
}

static void accepted(const struct tx *tx, struct arena *arena)
{
    uint8_t hash[HASH_BYTES];

    INVARIANT(bytes_equal(canon_pack(&chain__tx__descriptor, tx->message, arena), tx->bytes));
    INVARIANT(
        bytes_equal(canon_pack(&chain__tx_body__descriptor, tx->body, arena), tx->body_bytes));
    hash_of(TAG_TX, tx->body_bytes, hash);
    INVARIANT(hash_equal(hash, tx->tx_id));
    hash_of(TAG_TXWIRE, tx->bytes, hash);
    INVARIANT(hash_equal(hash, tx->wire_hash));
    INVARIANT(tx->body->account.len == 32 && tx->body->chain_id.len == 32 && tx->body->lane < 8);
    INVARIANT(tx->body->n_actions >= 1 && tx->body->n_actions <= TX_ACTIONS_MAX);
    INVARIANT(tx->message->n_signatures >= 1 && tx->message->n_signatures <= TX_SIGNATURES_MAX);
    INVARIANT(tx->message->signatures[0]->account.len == 0);
    for (size_t i = 0; i < tx->message->n_signatures; i++) {
        const Chain__Signature *signature = tx->message->signatures[i];

        INVARIANT(signature->sig64.len == 64 && tx_signer(tx, signature).count == 32);
        INVARIANT(i == 0 || ascending(tx->message->signatures[i - 1], signature));
    }
    for (size_t i = 0; i < tx->body->n_actions; i++) {
        INVARIANT(tx_actor(tx, tx->body->actions[i]).count == 32);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(ARENA_ALIGN) uint8_t memory[TX_ARENA_BYTES];
    static _Alignas(ARENA_ALIGN) uint8_t other[3 * TX_BYTES_MAX];
    struct arena arena;
    struct arena scratch;
    enum tx_fault fault;
    struct tx tx;

    arena_init(&arena, memory, sizeof memory);
    arena_init(&scratch, other, sizeof other);
    fault = tx_decode(bytes_of(data, size), &arena, &tx);
    INVARIANT(fault != TX_NO_MEMORY && strcmp(tx_fault_name(fault), "?") != 0);
    INVARIANT((fault == TX_NOT_CANONICAL) == (tx.canon != CANON_OK));
    if (fault == TX_OK) {
        accepted(&tx, &scratch);
    }
    return 0;
}

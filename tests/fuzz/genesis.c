/* tests/fuzz/genesis.c -- any bytes as genesis.bin: what is accepted keeps the promises of its header. */
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "proto/genesis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void accepted(const struct genesis *genesis)
{
    struct block_header header;
    struct block_header again;
    uint8_t encoded[BLOCK_HEADER_BYTES];

    INVARIANT(validators_ordered(&genesis->set));
    INVARIANT(params_check(genesis->parameters) == PARAMS_OK);
    INVARIANT(genesis->account_count >= 1);
    for (uint32_t i = 0; i < genesis->account_count; i++) {
        INVARIANT(genesis_account_find(genesis, genesis->accounts[i].id) == &genesis->accounts[i]);
        INVARIANT(genesis->accounts[i].message->n_keys >= 1);
    }
    for (uint32_t i = 0; i < genesis->set.count; i++) {
        INVARIANT(genesis_account_find(genesis, genesis->set.members[i].account) != NULL);
    }
    INVARIANT(genesis_account_find(genesis, genesis->operator_id) != NULL);
    INVARIANT(genesis_account_find(genesis, genesis->root_id) != NULL);
    genesis_block_0(genesis, genesis->root_id, &header);
    block_header_encode(&header, encoded);
    INVARIANT(block_header_decode(bytes_of(encoded, sizeof encoded), &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(ARENA_ALIGN) uint8_t memory[16 << 20];
    static struct genesis genesis;
    const size_t limit = genesis_arena_bytes(size);
    enum genesis_fault fault;
    struct arena arena;
    ProtobufCMessage *message;

    arena_init(&arena, memory, limit < sizeof memory ? limit : sizeof memory);
    fault = genesis_decode(bytes_of(data, size), &arena, &genesis);
    INVARIANT(strcmp(genesis_fault_text(fault), "?") != 0);
    if (fault == GENESIS_OK) {
        accepted(&genesis);
        arena_init(&arena, memory, sizeof memory);
        message =
            canon_unpack(&chain__genesis__descriptor, bytes_of(data, size), &arena, &genesis.canon);
        INVARIANT(message != NULL);
        INVARIANT(bytes_equal(canon_pack(&chain__genesis__descriptor, message, &arena),
                              bytes_of(data, size)));
    }
    return 0;
}

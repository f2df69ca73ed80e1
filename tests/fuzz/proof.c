/*
 * tests/fuzz/proof.c -- any bytes as a proof, as a stored node, or as a header with its certificate.
 *
 * The first byte chooses which.  A proof stands against a tree of eight rows: one that is believed must be, byte
 * for byte, the one that the naive model makes for that key.  What decodes is written again as it was read.
 */
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/writer.h"
#include "state/node.h"
#include "state/proof.h"
#include "tests/tree_model.h"

enum { ROWS = 8, KEYS = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Row i of the tree, or one that is absent for i from ROWS on. */
static void row_make(uint8_t i, struct tree_leaf *out)
{
    const uint8_t key[] = {0, 3, 1, i};
    const uint8_t value[] = {'v', i};

    tree_model_leaf(bytes_of(key, sizeof key), bytes_of(value, sizeof value), out);
}

/* data[0]: bit 7 claims absence; the rest chooses the key. */
static void fuzz_proof(const uint8_t *data, size_t size)
{
    struct tree_leaf leaves[ROWS];
    struct tree_leaf asked;
    uint8_t root[HASH_BYTES];
    static uint8_t memory[TREE_PROOF_BYTES_MAX];
    const uint8_t i = data[0] % KEYS;
    const bool absent = (data[0] & 0x80U) != 0;
    const struct bytes bytes = bytes_of(data + 1, size - 1);
    struct proof proof;
    struct writer writer = writer_of(memory, sizeof memory);

    if (!proof_decode(bytes, &proof)) {
        return;
    }
    proof_write(&writer, &proof);
    INVARIANT(!writer.failed && bytes_equal(writer_done(&writer), bytes));
    for (uint8_t row = 0; row < ROWS; row++) {
        row_make(row, &leaves[row]);
    }
    tree_model_sort(leaves, ROWS);
    tree_model_root(leaves, ROWS, root);
    row_make(i, &asked);
    if (proof_check(&proof, asked.key_hash, absent ? NULL : asked.value_hash, root)) {
        INVARIANT(absent == (i >= ROWS));
        INVARIANT(bytes_equal(
            bytes, bytes_of(memory, tree_model_proof(leaves, ROWS, asked.key_hash, memory))));
    }
}

/* data[0]: the depth; then the key hash on whose way the node lies. */
static void fuzz_node(const uint8_t *data, size_t size)
{
    const uint32_t depth = data[0] % NODE_DEPTH_MAX;
    uint8_t memory[NODE_BYTES_MAX];
    struct node node;
    struct node_fold fold;

    if (size < 1 + HASH_BYTES) {
        return;
    }
    if (node_decode(bytes_of(data + 1 + HASH_BYTES, size - 1 - HASH_BYTES), depth, data + 1,
                    &node)) {
        INVARIANT(bytes_equal(node_encode(&node, memory),
                              bytes_of(data + 1 + HASH_BYTES, size - 1 - HASH_BYTES)));
        node_fold(&node, &fold);
        INVARIANT(fold.places[node_level_start(4)].kind != NODE_EMPTY);
    }
}

/* Two members whose keys are of small order: no signature of theirs can hold. */
static void fuzz_header(const uint8_t *data, size_t size)
{
    static struct validator_set set = {.count = 2};
    const size_t header = size < BLOCK_HEADER_BYTES ? size : BLOCK_HEADER_BYTES;
    uint8_t chain_id[HASH_BYTES] = {0};
    struct block_header out;

    set.members[1].consensus_key[0] = 1;
    INVARIANT(proof_header_check(chain_id, 1, &set, bytes_of(data, header),
                                 bytes_of(data + header, size - header), &out) != PROOF_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        fuzz_proof(data + 1, size - 1);
        break;
    case 1:
        fuzz_node(data + 1, size - 1);
        break;
    default:
        fuzz_header(data + 1, size - 1);
        break;
    }
    return 0;
}

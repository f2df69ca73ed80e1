/* Proofs as a client meets them: bytes that may be wrong in every way, headers and certificates, vectors. */
#include "state/proof.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/random.h"
#include "base/writer.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "state/overlay.h"
#include "tests/check.h"
#include "tests/kv_memory.h"
#include "tests/tree_model.h"

enum { LEAVES = 40 };

static struct tree_leaf leaves[LEAVES];
static uint8_t root[HASH_BYTES];

/* A tree of test keys: leaf i has key "key i" and value "value i". */
static void leaves_make(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t key[] = {'k', 'e', 'y', (uint8_t)i};
        const uint8_t value[] = {'v', (uint8_t)i};

        tree_model_leaf(bytes_of(key, sizeof key), bytes_of(value, sizeof value), &leaves[i]);
    }
    tree_model_sort(leaves, count);
    tree_model_root(leaves, count, root);
}

/* Both checkers must agree on any bytes: what does not decode does not hold. */
static bool holds(struct bytes bytes, const uint8_t *key_hash, const uint8_t *value_hash,
                  const uint8_t *of)
{
    struct proof proof;
    const bool ours = proof_decode(bytes, &proof) && proof_check(&proof, key_hash, value_hash, of);

    CHECK(ours == tree_model_check(bytes, key_hash, value_hash, of));
    return ours;
}

static void key_hash_draw(struct random *random, uint8_t out[HASH_BYTES])
{
    for (uint32_t i = 0; i < HASH_BYTES; i++) {
        out[i] = (uint8_t)random_next(random);
    }
}

/* Absent keys near leaves and far from them, members, and trees of every small size. */
TEST(proofs_hold_for_their_key_alone)
{
    struct random random = {3};
    uint8_t bytes[TREE_PROOF_BYTES_MAX];
    uint32_t kinds[4] = {0};

    for (size_t count = 0; count <= LEAVES; count++) {
        leaves_make(count);
        for (uint32_t round = 0; round < 60; round++) {
            const size_t near = count == 0 ? 0 : random_below(&random, count);
            uint8_t key_hash[HASH_BYTES];
            const uint8_t *value_hash = NULL;
            size_t size;

            key_hash_draw(&random, key_hash);
            if (count != 0 && round % 3 == 0) {
                memcpy(key_hash, leaves[near].key_hash, HASH_BYTES);
                value_hash = leaves[near].value_hash;
            } else if (count != 0 && round % 3 == 1) {
                memcpy(key_hash, leaves[near].key_hash, random_below(&random, HASH_BYTES));
            }
            size = tree_model_proof(leaves, count, key_hash, bytes);
            kinds[bytes[0]] += 1;
            CHECK(holds(bytes_of(bytes, size), key_hash, value_hash, root));
            CHECK(!holds(bytes_of(bytes, size), key_hash,
                         value_hash == NULL ? leaves[0].value_hash : NULL, root));
            if (bytes[0] == PROOF_MEMBER) {
                CHECK(!holds(bytes_of(bytes, size), key_hash, key_hash, root));
            }
        }
    }
    for (uint32_t kind = 1; kind <= 3; kind++) {
        CHECK_U64(kinds[kind], >, 100);
    }
}

/* One proof of each kind, and every wrong that 8.17 names. */
TEST(malformed_proofs_are_refused)
{
    struct random random = {4};
    uint8_t good[TREE_PROOF_BYTES_MAX];
    uint8_t bad[TREE_PROOF_BYTES_MAX + 1];
    uint32_t seen[4] = {0};

    leaves_make(LEAVES);
    while (seen[1] == 0 || seen[2] == 0 || seen[3] == 0) {
        uint8_t key_hash[HASH_BYTES];
        const uint8_t *value_hash = NULL;
        const size_t member = random_below(&random, LEAVES);
        size_t size;
        struct proof proof;

        key_hash_draw(&random, key_hash);
        if (seen[1] == 0) {
            memcpy(key_hash, leaves[member].key_hash, HASH_BYTES);
            value_hash = leaves[member].value_hash;
        }
        size = tree_model_proof(leaves, LEAVES, key_hash, good);
        if (seen[good[0]] != 0) {
            continue;
        }
        seen[good[0]] = 1;
        CHECK(holds(bytes_of(good, size), key_hash, value_hash, root));
        for (size_t cut = 0; cut < size; cut++) {
            CHECK(!proof_decode(bytes_of(good, cut), &proof));
        }
        memcpy(bad, good, size);
        bad[size] = 0;
        CHECK(!proof_decode(bytes_of(bad, size + 1), &proof)); /* a byte behind it */
        for (uint32_t kind = 0; kind < 256; kind++) {
            bad[0] = (uint8_t)kind;
            if (kind != good[0]) {
                CHECK(!holds(bytes_of(bad, size), key_hash, value_hash, root));
                CHECK(!holds(bytes_of(bad, size), key_hash, NULL, root));
            }
        }
        for (size_t at = 0; at < size; at++) { /* L, other leaf, each sibling */
            for (uint32_t bit = 0; bit < 8; bit++) {
                memcpy(bad, good, size);
                bad[at] ^= (uint8_t)(1U << bit);
                CHECK(!holds(bytes_of(bad, size), key_hash, value_hash, root));
            }
        }
        for (size_t at = 0; at < HASH_BYTES; at++) {
            uint8_t other[HASH_BYTES];

            memcpy(other, root, HASH_BYTES);
            other[at] ^= 1;
            CHECK(!holds(bytes_of(good, size), key_hash, value_hash, other));
        }
    }
}

TEST(too_many_siblings_are_refused)
{
    static uint8_t bytes[3 + 64 + 257 * HASH_BYTES];
    struct proof proof;

    for (uint32_t kind = 1; kind <= 3; kind++) {
        const size_t other = kind == 3 ? 64 : 0;

        memset(bytes, 0, sizeof bytes);
        bytes[0] = (uint8_t)kind;
        bytes[1] = 1;
        bytes[2] = 0;
        CHECK(proof_decode(bytes_of(bytes, 3 + other + (size_t)256 * HASH_BYTES), &proof));
        CHECK_U64(proof.sibling_count, ==, 256);
        bytes[2] = 1;
        CHECK(!proof_decode(bytes_of(bytes, 3 + other + (size_t)257 * HASH_BYTES), &proof));
    }
}

/* Absence shown by a leaf that has the key's own hash, or that lies elsewhere in the tree. */
TEST(another_leaf_must_be_another_and_near)
{
    uint8_t bytes[TREE_PROOF_BYTES_MAX];
    uint8_t member[TREE_PROOF_BYTES_MAX];

    leaves_make(LEAVES);
    for (size_t i = 0; i < LEAVES; i++) {
        const size_t size = tree_model_proof(leaves, LEAVES, leaves[i].key_hash, member);
        uint8_t key_hash[HASH_BYTES];
        const uint32_t levels = (uint32_t)member[1] * 256 + member[2];

        /* The path of leaf i as a claim that a key is absent. */
        bytes[0] = PROOF_ABSENT_OTHER;
        memcpy(bytes + 1, member + 1, 2);
        memcpy(bytes + 3, leaves[i].key_hash, HASH_BYTES);
        memcpy(bytes + 3 + HASH_BYTES, leaves[i].value_hash, HASH_BYTES);
        memcpy(bytes + 3 + 64, member + 3, size - 3);
        CHECK(!holds(bytes_of(bytes, size + 64), leaves[i].key_hash, NULL, root));
        memcpy(key_hash, leaves[i].key_hash, HASH_BYTES);
        key_hash[HASH_BYTES - 1] ^= 1; /* shares all bits of the path: truly absent */
        CHECK(holds(bytes_of(bytes, size + 64), key_hash, NULL, root));
        for (uint32_t bit = 0; bit < levels; bit++) {
            memcpy(key_hash, leaves[i].key_hash, HASH_BYTES);
            key_hash[bit / 8] ^= (uint8_t)(0x80U >> (bit % 8));
            CHECK(!holds(bytes_of(bytes, size + 64), key_hash, NULL, root));
        }
    }
}

/* Sign bytes and headers. */

enum { MEMBERS = 7, QUORUM = 5 };

struct chain {
    uint8_t chain_id[HASH_BYTES];
    uint8_t secrets[MEMBERS][32]; /* test keys */
    struct validator_set set;
    struct block_header header;
    uint8_t header_bytes[BLOCK_HEADER_BYTES];
    struct statement statement;
    uint8_t certificate[2048];
    size_t certificate_count;
};

static int member_order(const void *a, const void *b)
{
    const uint8_t *one = a;
    const uint8_t *other = b;
    uint8_t keys[2][32];

    ed25519_public(one, keys[0]);
    ed25519_public(other, keys[1]);
    return memcmp(keys[0], keys[1], 32);
}

static void chain_sign(struct chain *chain, uint32_t skip)
{
    uint8_t message[STATEMENT_BYTES];
    static uint8_t signatures[MEMBERS][SIGNATURE_BYTES];
    const uint8_t *held[MEMBERS] = {NULL};
    struct certificate certificate;

    statement_sign_bytes(chain->chain_id, &chain->statement, message);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        if (i == skip || i == skip + 2) {
            continue;
        }
        ed25519_sign(chain->secrets[i], bytes_of(message, sizeof message), signatures[i]);
        held[i] = signatures[i];
    }
    certificate_make(&chain->statement, MEMBERS, held, chain->certificate, &certificate);
    chain->certificate_count = certificate.encoded.count;
}

static void chain_seal(struct chain *chain)
{
    block_header_encode(&chain->header, chain->header_bytes);
    block_header_hash(&chain->header, chain->statement.candidate.block_hash);
    chain_sign(chain, 1);
}

static void chain_make(struct chain *chain)
{
    memset(chain, 0, sizeof *chain);
    memset(chain->chain_id, 0xc1, HASH_BYTES);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        memset(chain->secrets[i], (int)i + 1, 32);
    }
    qsort(chain->secrets, MEMBERS, 32, member_order);
    chain->set.count = MEMBERS;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        ed25519_public(chain->secrets[i], chain->set.members[i].consensus_key);
        memset(chain->set.members[i].node_key, (int)i + 0x20, 32);
        memset(chain->set.members[i].account, (int)i + 0x40, 32);
    }
    chain->header = (struct block_header){.version = BLOCK_VERSION,
                                          .epoch = 3,
                                          .view = 9,
                                          .height = 40,
                                          .time_ms = 1000,
                                          .proposer = 2};
    memcpy(chain->header.chain_id, chain->chain_id, HASH_BYTES);
    validators_hash(&chain->set, chain->header.valset_hash);
    chain->statement = (struct statement){.kind = VOTE_FINALIZE,
                                          .candidate = {.epoch = 3, .view = 11, .parent_view = 9}};
    chain_seal(chain);
}

static enum proof_fault chain_check(const struct chain *chain)
{
    struct block_header header;

    return proof_header_check(chain->chain_id, 3, &chain->set,
                              bytes_of(chain->header_bytes, BLOCK_HEADER_BYTES),
                              bytes_of(chain->certificate, chain->certificate_count), &header);
}

TEST(a_final_header_is_believed)
{
    static struct chain chain;

    chain_make(&chain);
    CHECK(chain_check(&chain) == PROOF_OK);
    for (uint32_t skip = 0; skip + 2 < MEMBERS; skip++) {
        chain_sign(&chain, skip);
        CHECK(chain_check(&chain) == PROOF_OK);
    }
    chain.statement.candidate.view = 9; /* finalized in its own view */
    chain.statement.candidate.parent_view = 0;
    chain_seal(&chain);
    CHECK(chain_check(&chain) == PROOF_OK);
}

TEST(each_fault_of_a_header_is_told)
{
    static struct chain chain;
    struct block_header header;

    chain_make(&chain);
    CHECK(proof_header_check(
              chain.chain_id, 3, &chain.set, bytes_of(chain.header_bytes, BLOCK_HEADER_BYTES - 1),
              bytes_of(chain.certificate, chain.certificate_count), &header) == PROOF_HEADER);
    chain.header_bytes[3] = 1; /* must be zero */
    CHECK(chain_check(&chain) == PROOF_HEADER);
    chain_make(&chain);
    chain.header_bytes[1] = 2; /* version */
    CHECK(chain_check(&chain) == PROOF_HEADER);
    chain_make(&chain);
    chain.header.chain_id[5] ^= 1;
    chain_seal(&chain);
    CHECK(chain_check(&chain) == PROOF_HEADER);
    chain_make(&chain);
    chain.header.epoch = 4;
    chain_seal(&chain);
    CHECK(chain_check(&chain) == PROOF_EPOCH);
    chain_make(&chain);
    chain.header.valset_hash[0] ^= 1;
    chain_seal(&chain);
    CHECK(chain_check(&chain) == PROOF_VALSET);
    chain_make(&chain);
    chain.set.members[6].account[0] ^= 1; /* another set, the same consensus keys */
    CHECK(chain_check(&chain) == PROOF_VALSET);
    chain_make(&chain);
    chain.header.view = 0;
    chain_seal(&chain);
    CHECK(chain_check(&chain) == PROOF_CERTIFICATE);
    chain_make(&chain);
    chain.header.state_root[7] ^= 1; /* signed: another header */
    block_header_encode(&chain.header, chain.header_bytes);
    CHECK(chain_check(&chain) == PROOF_CERTIFICATE);
}

TEST(each_fault_of_a_certificate_is_told)
{
    static struct chain chain;
    static struct chain other;

    chain_make(&chain);
    chain.certificate_count -= 1;
    CHECK(chain_check(&chain) == PROOF_CERTIFICATE);
    chain.certificate_count += 2;
    CHECK(chain_check(&chain) == PROOF_CERTIFICATE);
    chain_make(&chain);
    chain.statement.candidate.epoch = 2;
    chain_sign(&chain, 1);
    CHECK(chain_check(&chain) == PROOF_EPOCH);
    chain_make(&chain);
    chain.statement.kind = VOTE_NOTARIZE;
    chain_sign(&chain, 1);
    CHECK(chain_check(&chain) == PROOF_CERTIFICATE);
    chain_make(&chain);
    chain.statement.candidate.view = 8; /* before the block was made */
    chain.statement.candidate.parent_view = 7;
    chain_sign(&chain, 1);
    CHECK(chain_check(&chain) == PROOF_CERTIFICATE);
    chain_make(&chain);
    chain.certificate[24] = 11; /* parent view = view: does not decode */
    CHECK(chain_check(&chain) == PROOF_CERTIFICATE);
    chain_make(&chain);
    chain.certificate[59] |= 0x80; /* a bit beyond n */
    CHECK(chain_check(&chain) == PROOF_CERTIFICATE);
    chain_make(&chain);
    chain.certificate[59] |= 2; /* q + 1 bits */
    CHECK(chain_check(&chain) == PROOF_CERTIFICATE);
    chain_make(&chain);
    chain.certificate[59] ^= 3; /* index 1, who did not sign, in place of index 0 */
    CHECK(chain_check(&chain) == PROOF_SIGNATURES);
    for (uint32_t i = 0; i < QUORUM; i++) {
        chain_make(&chain);
        chain.certificate[60 + i * SIGNATURE_BYTES + 11] ^= 1;
        CHECK(chain_check(&chain) == PROOF_SIGNATURES);
    }
    chain_make(&other); /* signatures over another chain's statement */
    chain_make(&chain);
    other.chain_id[0] ^= 1;
    chain_sign(&other, 1);
    memcpy(chain.certificate, other.certificate, chain.certificate_count);
    CHECK(chain_check(&chain) == PROOF_SIGNATURES);
}

/* The vectors of the SDK: by the model, by the tree over a store, and by the check of proofs. */

static json_t *vectors(void)
{
    json_error_t error;
    json_t *file = json_load_file(SOURCE_DIR "/tests/vectors/tree.json", 0, &error);

    if (file == NULL) {
        check_failed(__FILE__, __LINE__, "%s", error.text);
    }
    return file;
}

/* Hex of a member of an object, into memory; false for null. */
static bool field(const json_t *object, const char *name, uint8_t *memory, size_t size,
                  struct bytes *out)
{
    const json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);

    CHECK(value != NULL);
    if (json_is_null(value)) {
        return false;
    }
    CHECK(text != NULL && strlen(text) % 2 == 0 && strlen(text) / 2 <= size);
    CHECK(hex_decode(text, memory, strlen(text) / 2));
    *out = bytes_of(memory, strlen(text) / 2);
    return true;
}

/* Does this object's proof hold? */
static bool vector_holds(const json_t *object, const uint8_t *of)
{
    static uint8_t memory[3][16384];
    struct bytes key;
    struct bytes value;
    struct bytes proof;
    uint8_t key_hash[HASH_BYTES];
    uint8_t value_hash[HASH_BYTES];
    const bool there = field(object, "value", memory[1], sizeof memory[1], &value);

    CHECK(field(object, "key", memory[0], sizeof memory[0], &key));
    CHECK(field(object, "proof", memory[2], sizeof memory[2], &proof));
    proof_key_hash(key, key_hash);
    if (there) {
        proof_value_hash(value, value_hash);
    }
    return holds(proof, key_hash, there ? value_hash : NULL, of);
}

static void vector_tree(const json_t *tree, struct state *state)
{
    struct overlay *overlay = overlay_begin(state, NULL, 0);
    static struct tree_leaf model[64];
    uint8_t memory[2][4096];
    uint8_t got[HASH_BYTES];
    struct bytes wanted;
    size_t count = 0;
    size_t i;
    json_t *object;

    json_array_foreach (json_object_get(tree, "rows"), i, object) {
        struct bytes key;
        struct bytes value;

        CHECK(count < 64);
        CHECK(field(object, "key", memory[0], sizeof memory[0], &key));
        CHECK(field(object, "value", memory[1], sizeof memory[1], &value));
        tree_model_leaf(key, value, &model[count]);
        count += 1;
        CHECK(overlay_put(overlay, STATE_ROWS, key, value) == ERR_OK);
    }
    CHECK(field(tree, "root", memory[0], sizeof memory[0], &wanted));
    tree_model_sort(model, count);
    tree_model_root(model, count, got);
    CHECK_BYTES(bytes_of(got, HASH_BYTES), wanted);
    CHECK(overlay_root(overlay, got) == ERR_OK);
    CHECK_BYTES(bytes_of(got, HASH_BYTES), wanted);
    overlay_drop(overlay);
    json_array_foreach (json_object_get(tree, "proofs"), i, object) {
        static uint8_t bytes[TREE_PROOF_BYTES_MAX];
        struct bytes key;
        struct bytes proof;
        uint8_t key_hash[HASH_BYTES];

        CHECK(vector_holds(object, got));
        CHECK(field(object, "key", memory[0], sizeof memory[0], &key));
        CHECK(field(object, "proof", memory[1], sizeof memory[1], &proof));
        proof_key_hash(key, key_hash);
        CHECK_BYTES(proof, bytes_of(bytes, tree_model_proof(model, count, key_hash, bytes)));
    }
    CHECK_U64(i, >=, 4);
}

TEST(vectors_of_trees_hold)
{
    const struct state_options options = {.overlay_bytes = 1 << 20};
    struct arena arena;
    struct kv *kv = kv_memory_open();
    struct state *state;
    json_t *file = vectors();
    json_t *tree;
    size_t i;

    CHECK(arena_open(&arena, state_footprint(&options)) == ERR_OK);
    CHECK(state_open(&options, kv, &arena, &state) == ERR_OK);
    json_array_foreach (json_object_get(file, "trees"), i, tree) {
        vector_tree(tree, state);
    }
    CHECK_U64(i, ==, 7);
    json_decref(file);
    kv_close(kv);
    arena_close(&arena);
}

TEST(vectors_of_wrong_proofs_are_refused)
{
    json_t *file = vectors();
    const json_t *wrong = json_object_get(file, "wrong");
    uint8_t memory[HASH_BYTES];
    struct bytes of;
    json_t *object;
    size_t i;

    CHECK(field(wrong, "root", memory, sizeof memory, &of));
    json_array_foreach (json_object_get(wrong, "proofs"), i, object) {
        if (vector_holds(object, of.at)) {
            check_failed(__FILE__, __LINE__, "holds: %s",
                         json_string_value(json_object_get(object, "why")));
        }
    }
    CHECK_U64(i, ==, 35);
    json_decref(file);
}

TESTS(TEST_ENTRY(proofs_hold_for_their_key_alone), TEST_ENTRY(malformed_proofs_are_refused),
      TEST_ENTRY(too_many_siblings_are_refused), TEST_ENTRY(another_leaf_must_be_another_and_near),
      TEST_ENTRY(a_final_header_is_believed), TEST_ENTRY(each_fault_of_a_header_is_told),
      TEST_ENTRY(each_fault_of_a_certificate_is_told), TEST_ENTRY(vectors_of_trees_hold),
      TEST_ENTRY(vectors_of_wrong_proofs_are_refused))

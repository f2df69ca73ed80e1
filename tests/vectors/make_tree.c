/*
 * tests/vectors/make_tree.c -- writes tree.json: roots and proofs of small states, and proofs that must be refused.
 *
 *     build/dev/tests/vectors_tree tests/vectors
 *
 * By hand, and only when a case is added: the file is the contract with the SDK.  Roots and proofs come from the
 * naive model of the tree (tests/tree_model.h), which shares no code with state/.  Every run gives the same bytes.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/random.h"
#include "tests/tree_model.h"

enum { ROWS_MAX = 64, KEY_BYTES = 11, VALUE_BYTES_MAX = 24, SEARCHED = 20000 };

struct row {
    uint8_t key[KEY_BYTES];
    uint8_t value[VALUE_BYTES_MAX];
    size_t value_count;
};

static struct row rows[ROWS_MAX];
static struct tree_leaf leaves[ROWS_MAX];
static size_t row_count;
static uint8_t root[32];

static void must(int condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "vectors_tree: %s\n", what);
        exit(1);
    }
}

static json_t *hex(const void *at, size_t count)
{
    static char text[2 * (TREE_PROOF_BYTES_MAX + 1) + 1];

    hex_encode(bytes_of(at, count), text);
    return json_string(text);
}

static void put(json_t *object, const char *name, json_t *value)
{
    must(value != NULL && json_object_set_new(object, name, value) == 0, name);
}

static void push(json_t *array, json_t *value)
{
    must(value != NULL && json_array_append_new(array, value) == 0, "array");
}

/* Module 3, table 1, a number. */
static void key_make(uint64_t number, uint8_t key[KEY_BYTES])
{
    key[0] = 0;
    key[1] = 3;
    key[2] = 1;
    for (uint32_t i = 0; i < 8; i++) {
        key[3 + i] = (uint8_t)(number >> (56 - 8 * i));
    }
}

static void row_add(uint64_t number)
{
    struct row *row = &rows[row_count];
    struct random random = {number};

    key_make(number, row->key);
    row->value_count = random_below(&random, VALUE_BYTES_MAX + 1);
    for (size_t i = 0; i < row->value_count; i++) {
        row->value[i] = (uint8_t)random_next(&random);
    }
    row_count += 1;
}

static void tree_make(void)
{
    for (size_t i = 0; i < row_count; i++) {
        tree_model_leaf(bytes_of(rows[i].key, KEY_BYTES),
                        bytes_of(rows[i].value, rows[i].value_count), &leaves[i]);
    }
    tree_model_sort(leaves, row_count);
    tree_model_root(leaves, row_count, root);
}

static size_t proof_make(const uint8_t key[KEY_BYTES], uint8_t out[TREE_PROOF_BYTES_MAX])
{
    struct tree_leaf leaf;

    tree_model_leaf(bytes_of(key, KEY_BYTES), (struct bytes){0}, &leaf);
    return tree_model_proof(leaves, row_count, leaf.key_hash, out);
}

static json_t *proof_object(const uint8_t key[KEY_BYTES], const struct row *row,
                            const uint8_t *proof, size_t count)
{
    json_t *object = json_object();

    put(object, "key", hex(key, KEY_BYTES));
    put(object, "value", row == NULL ? json_null() : hex(row->value, row->value_count));
    put(object, "proof", hex(proof, count));
    return object;
}

static json_t *tree_object(uint64_t absent_from, uint32_t absent_count)
{
    json_t *object = json_object();
    json_t *list = json_array();
    json_t *proofs = json_array();
    uint8_t bytes[TREE_PROOF_BYTES_MAX];

    tree_make();
    for (size_t i = 0; i < row_count; i++) {
        json_t *row = json_object();

        put(row, "key", hex(rows[i].key, KEY_BYTES));
        put(row, "value", hex(rows[i].value, rows[i].value_count));
        push(list, row);
        if (i < 12) {
            push(proofs,
                 proof_object(rows[i].key, &rows[i], bytes, proof_make(rows[i].key, bytes)));
        }
    }
    for (uint32_t i = 0; i < absent_count; i++) {
        uint8_t key[KEY_BYTES];

        key_make(absent_from + i, key);
        push(proofs, proof_object(key, NULL, bytes, proof_make(key, bytes)));
    }
    put(object, "rows", list);
    put(object, "root", hex(root, 32));
    put(object, "proofs", proofs);
    return object;
}

static int near_order(const void *a, const void *b)
{
    return memcmp(((const struct tree_leaf *)a)->key_hash, ((const struct tree_leaf *)b)->key_hash,
                  32);
}

static uint32_t shared_bits(const uint8_t *a, const uint8_t *b)
{
    uint32_t i = 0;

    while (i < 256 && ((a[i / 8] ^ b[i / 8]) & (0x80U >> (i % 8))) == 0) {
        i++;
    }
    return i;
}

/* Rows of two keys whose hashes share the most bits among many, so that paths are long. */
static void near_rows(void)
{
    static struct tree_leaf searched[SEARCHED]; /* value_hash holds the number */
    uint32_t best = 0;
    uint32_t at = 1;

    for (uint64_t i = 0; i < SEARCHED; i++) {
        uint8_t key[KEY_BYTES];

        key_make(100000 + i, key);
        tree_model_leaf(bytes_of(key, KEY_BYTES), (struct bytes){0}, &searched[i]);
        memcpy(searched[i].value_hash, &i, sizeof i);
    }
    qsort(searched, SEARCHED, sizeof searched[0], near_order);
    for (uint32_t i = 1; i < SEARCHED; i++) {
        const uint32_t shared = shared_bits(searched[i - 1].key_hash, searched[i].key_hash);

        if (shared > best) {
            best = shared;
            at = i;
        }
    }
    for (uint32_t i = at - 1; i <= at; i++) {
        uint64_t number;

        memcpy(&number, searched[i].value_hash, sizeof number);
        row_add(100000 + number);
    }
}

static void wrong_add(json_t *list, const char *why, const uint8_t key[KEY_BYTES],
                      const struct row *row, struct bytes proof)
{
    json_t *object = proof_object(key, row, proof.at, proof.count);

    put(object, "why", json_string(why));
    push(list, object);
}

static const struct row *row_of(const uint8_t key[KEY_BYTES])
{
    for (size_t i = 0; i < row_count; i++) {
        if (memcmp(rows[i].key, key, KEY_BYTES) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Ways to spoil a good proof that fit every kind. */
static void wrongs_of(json_t *list, const uint8_t key[KEY_BYTES])
{
    uint8_t bytes[TREE_PROOF_BYTES_MAX + 1];
    const struct row *row = row_of(key);
    const size_t count = proof_make(key, bytes);
    const uint8_t kind = bytes[0];

    bytes[count] = 0;
    wrong_add(list, "a byte behind it", key, row, bytes_of(bytes, count + 1));
    wrong_add(list, "cut by a byte", key, row, bytes_of(bytes, count - 1));
    wrong_add(list, "cut by a sibling", key, row, bytes_of(bytes, count - 32));
    wrong_add(list, "empty", key, row, bytes_of(bytes, 0));
    bytes[0] = 4;
    wrong_add(list, "unknown kind", key, row, bytes_of(bytes, count));
    bytes[0] = kind == 1 ? 2 : 1;
    wrong_add(list, "another kind", key, row, bytes_of(bytes, count));
    bytes[0] = kind;
    bytes[2] += 1;
    wrong_add(list, "one sibling said that is not there", key, row, bytes_of(bytes, count));
    bytes[2] -= 2;
    wrong_add(list, "one sibling more than said", key, row, bytes_of(bytes, count));
    bytes[2] += 1;
    bytes[count - 1] ^= 1;
    wrong_add(list, "highest sibling changed", key, row, bytes_of(bytes, count));
    bytes[count - 1] ^= 1;
    bytes[count - 32 * (size_t)bytes[2]] ^= 0x80;
    wrong_add(list, "deepest sibling changed", key, row, bytes_of(bytes, count));
}

static json_t *wrong_object(void)
{
    json_t *object = json_object();
    json_t *list = json_array();
    uint8_t bytes[TREE_PROOF_BYTES_MAX];
    uint8_t seen[4] = {0};
    static uint8_t long_one[3 + 257 * 32] = {1, 1, 1};

    tree_make();
    wrongs_of(list, rows[0].key);
    for (uint64_t number = 500; seen[2] == 0 || seen[3] == 0; number++) {
        uint8_t key[KEY_BYTES];

        key_make(number, key);
        (void)proof_make(key, bytes);
        if (seen[bytes[0]] == 0) {
            seen[bytes[0]] = 1;
            wrongs_of(list, key);
        }
    }
    {
        /* A member's path offered as proof that it is absent, and that a far key is. */
        const size_t count = proof_make(rows[0].key, bytes);
        uint8_t claim[TREE_PROOF_BYTES_MAX];
        struct tree_leaf leaf;

        tree_model_leaf(bytes_of(rows[0].key, KEY_BYTES),
                        bytes_of(rows[0].value, rows[0].value_count), &leaf);
        claim[0] = 3;
        memcpy(claim + 1, bytes + 1, 2);
        memcpy(claim + 3, leaf.key_hash, 32);
        memcpy(claim + 35, leaf.value_hash, 32);
        memcpy(claim + 67, bytes + 3, count - 3);
        wrong_add(list, "the other leaf is the key's own", rows[0].key, NULL,
                  bytes_of(claim, count + 64));
        wrong_add(list, "the other leaf does not share the path", rows[1].key, NULL,
                  bytes_of(claim, count + 64));
        wrong_add(list, "of another key", rows[1].key, &rows[1], bytes_of(bytes, count));
        wrong_add(list, "of another value", rows[0].key, &rows[1], bytes_of(bytes, count));
    }
    wrong_add(list, "257 siblings", rows[0].key, &rows[0], bytes_of(long_one, sizeof long_one));
    put(object, "root", hex(root, 32));
    put(object, "proofs", list);
    return object;
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {0, 1, 2, 3, 5, 40};
    json_t *file = json_object();
    json_t *trees = json_array();
    char path[1024];
    FILE *out;

    must(argc == 2, "vectors_tree FOLDER");
    put(file, "about",
        json_string("trees: root and proofs of a state of these rows; value null: absent. "
                    "wrong: proofs that must be refused for this root, key and value"));
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        row_count = 0;
        for (uint64_t number = 1; number <= sizes[i]; number++) {
            row_add(number);
        }
        push(trees, tree_object(1000, 8));
    }
    put(file, "wrong", wrong_object());
    row_count = 0;
    near_rows();
    row_add(7);
    push(trees, tree_object(2000, 4));
    put(file, "trees", trees);
    (void)snprintf(path, sizeof path, "%s/tree.json", argv[1]);
    out = fopen(path, "wb");
    must(out != NULL && json_dumpf(file, out, JSON_INDENT(1)) == 0, path);
    must(fputc('\n', out) == '\n' && fclose(out) == 0, path);
    json_decref(file);
    return 0;
}

/*
 * tests/unit/crypto/merkle.c -- both trees against models that follow the definitions word by word, and a path
 * that proves nothing but its own place.
 */
#include "crypto/merkle.h"

#include <string.h>

#include "base/count.h"
#include "base/random.h"
#include "crypto/hash.h"
#include "tests/check.h"
#include "tests/json.h"

enum { ITEMS_MAX = 300, ITEM_BYTES = 40 };

static uint8_t memory[ITEMS_MAX][ITEM_BYTES];
static struct bytes items[ITEMS_MAX];

/* Items of 0 to ITEM_BYTES bytes. */
static void fill(struct random *random, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < ITEM_BYTES; k++) {
            memory[i][k] = (uint8_t)random_next(random);
        }
        items[i] = bytes_of(memory[i], random_below(random, ITEM_BYTES + 1));
    }
}

static void node(enum tag tag, const uint8_t *left, const uint8_t *right, uint8_t *out)
{
    uint8_t both[2 * HASH_BYTES];

    memcpy(both, left, HASH_BYTES);
    memcpy(both + HASH_BYTES, right, HASH_BYTES);
    hash_of(tag, bytes_of(both, sizeof both), out);
}

/* RFC 6962 2.1 as it is written there. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void model_root(const struct bytes *list, uint32_t count, uint8_t *out)
{
    uint8_t left[HASH_BYTES];
    uint8_t right[HASH_BYTES];
    uint32_t k = 1;

    memset(out, 0, HASH_BYTES);
    if (count == 0) {
        return;
    }
    if (count == 1) {
        hash_of(TAG_MLEAF, list[0], out);
        return;
    }
    while (k * 2 < count) {
        k *= 2;
    }
    model_root(list, k, left);
    model_root(list + k, count - k, right);
    node(TAG_MNODE, left, right, out);
}

static void streamed_root(uint32_t count, uint8_t *out)
{
    struct merkle merkle;

    merkle_begin(&merkle);
    for (uint32_t i = 0; i < count; i++) {
        merkle_add(&merkle, items[i]);
    }
    merkle_root(&merkle, out);
}

TEST(streamed_roots_are_those_of_the_definition)
{
    struct random random = {.state = 1};

    for (uint32_t count = 0; count <= ITEMS_MAX; count++) {
        uint8_t model[HASH_BYTES];
        uint8_t root[HASH_BYTES];

        fill(&random, count);
        model_root(items, count, model);
        streamed_root(count, root);
        CHECK_BYTES(bytes_of(root, HASH_BYTES), bytes_of(model, HASH_BYTES));
    }
}

TEST(an_empty_list_has_a_root_of_zeros)
{
    uint8_t root[HASH_BYTES];

    streamed_root(0, root);
    CHECK(hash_is_zero(root));
}

static void each_path(uint32_t count)
{
    uint8_t root[HASH_BYTES];
    struct merkle_path path;

    streamed_root(count, root);
    for (uint32_t index = 0; index < count; index++) {
        merkle_path_of(items, count, index, &path);
        CHECK_U64(path.index, ==, index);
        CHECK_U64(path.count, ==, count);
        CHECK(merkle_path_check(&path, items[index], root));
    }
}

TEST(every_path_leads_to_the_root)
{
    struct random random = {.state = 2};

    for (uint32_t count = 1; count <= 70; count++) {
        fill(&random, count);
        each_path(count);
    }
}

/*
 * What a path looks like from its leaf, as a string of L and R: the sides on which siblings stand.  By the
 * definition from the top, which the check does not use.
 */
static void model_shape(uint32_t index, uint32_t count, char *out)
{
    char down[33];
    size_t steps = 0;

    while (count > 1) {
        uint32_t k = 1;

        while (k * 2 < count) {
            k *= 2;
        }
        if (index < k) {
            down[steps] = 'R';
            count = k;
        } else {
            down[steps] = 'L';
            index -= k;
            count -= k;
        }
        steps += 1;
    }
    for (size_t i = 0; i < steps; i++) {
        out[i] = down[steps - 1 - i];
    }
    out[steps] = '\0';
}

/*
 * A path claims a place.  Any other claim is refused, except of one whose siblings stand on the same sides:
 * those the hashes cannot tell apart, which is why a verifier compares index and count with what it asked.
 */
static uint32_t each_claim(uint32_t index, uint32_t count)
{
    uint8_t root[HASH_BYTES];
    struct merkle_path path;
    char shape[33];
    uint32_t alike = 0;

    streamed_root(count, root);
    merkle_path_of(items, count, index, &path);
    model_shape(index, count, shape);
    for (uint32_t claim = 0; claim < 24 * 24; claim++) {
        char other[33] = "-";

        path.index = claim / 24;
        path.count = claim % 24;
        if (path.index < path.count) {
            model_shape(path.index, path.count, other);
        }
        CHECK(merkle_path_check(&path, items[index], root) == (strcmp(shape, other) == 0));
        alike += strcmp(shape, other) == 0;
    }
    return alike;
}

TEST(a_path_proves_no_other_place)
{
    struct random random = {.state = 3};
    uint32_t alike = 0;

    for (uint32_t count = 1; count <= 20; count++) {
        fill(&random, count);
        for (uint32_t index = 0; index < count; index++) {
            alike += each_claim(index, count);
        }
    }
    CHECK_U64(alike, >=, 210); /* at least the true claims */
}

TEST(a_path_changed_anywhere_is_refused)
{
    struct random random = {.state = 4};

    for (uint32_t count = 1; count <= 33; count++) {
        const uint32_t index = (uint32_t)random_below(&random, count);
        struct merkle_path path;
        uint8_t root[HASH_BYTES];

        fill(&random, count);
        streamed_root(count, root);
        merkle_path_of(items, count, index, &path);
        for (uint32_t i = 0; i < path.sibling_count * HASH_BYTES * 8; i++) {
            path.siblings[i / 256][i % 256 / 8] ^= (uint8_t)(1U << i % 8);
            CHECK(!merkle_path_check(&path, items[index], root));
            path.siblings[i / 256][i % 256 / 8] ^= (uint8_t)(1U << i % 8);
        }
        for (uint32_t i = 0; i < HASH_BYTES * 8; i++) {
            root[i / 8] ^= (uint8_t)(1U << i % 8);
            CHECK(!merkle_path_check(&path, items[index], root));
            root[i / 8] ^= (uint8_t)(1U << i % 8);
        }
        CHECK(!merkle_path_check(&path, bytes_of("another item", 12), root));
        CHECK(merkle_path_check(&path, items[index], root));
    }
}

TEST(a_path_of_a_wrong_length_is_refused)
{
    struct random random = {.state = 5};

    for (uint32_t count = 1; count <= 33; count++) {
        uint8_t root[HASH_BYTES];

        fill(&random, count);
        streamed_root(count, root);
        for (uint32_t index = 0; index < count; index++) {
            struct merkle_path path;

            memset(&path, 0, sizeof path);
            merkle_path_of(items, count, index, &path);
            path.sibling_count += 1;
            CHECK(!merkle_path_check(&path, items[index], root));
            path.sibling_count = 33;
            CHECK(!merkle_path_check(&path, items[index], root));
            path.sibling_count = UINT32_MAX;
            CHECK(!merkle_path_check(&path, items[index], root));
            merkle_path_of(items, count, index, &path);
            if (path.sibling_count != 0) {
                path.sibling_count -= 1;
                CHECK(!merkle_path_check(&path, items[index], root));
            }
        }
    }
}

/* A leaf cannot be taken for a node: 64 bytes that are the two children hash under another tag. */
TEST(an_inner_node_is_not_an_item)
{
    struct random random = {.state = 6};
    struct merkle_path path = {.index = 0, .count = 1};
    uint8_t root[HASH_BYTES];
    uint8_t children[2 * HASH_BYTES];

    fill(&random, 2);
    streamed_root(2, root);
    hash_of(TAG_MLEAF, items[0], children);
    hash_of(TAG_MLEAF, items[1], children + HASH_BYTES);
    CHECK(!merkle_path_check(&path, bytes_of(children, sizeof children), root));
}

/* The largest list: index and count at the end of their type take 32 steps and no more. */
TEST(a_path_in_the_largest_list_is_walked)
{
    struct merkle_path path = {.index = UINT32_MAX - 1, .count = UINT32_MAX, .sibling_count = 32};
    uint8_t root[HASH_BYTES];
    uint8_t running[HASH_BYTES];

    /* The last item of 2^32 - 1 stands alone: its siblings are the 31 complete subtrees to its left. */
    memset(path.siblings, 7, sizeof path.siblings);
    hash_of(TAG_MLEAF, bytes_of("x", 1), running);
    for (uint32_t i = 0; i < 31; i++) {
        node(TAG_MNODE, path.siblings[i], running, running);
    }
    memcpy(root, running, HASH_BYTES);
    CHECK(!merkle_path_check(&path, bytes_of("x", 1), root));
    path.sibling_count = 31;
    CHECK(merkle_path_check(&path, bytes_of("x", 1), root));
}

/* The peaks of `count` leaves, largest first, then bagged from the right: consensus 8.2 as it is written. */
static void model_history(uint8_t (*hashes)[HASH_BYTES], uint64_t count, uint8_t *out)
{
    uint8_t peaks[64][HASH_BYTES];
    uint32_t peak_count = 0;
    uint64_t first = 0;

    for (uint64_t size = UINT64_C(1) << 32; size != 0; size /= 2) {
        uint8_t row[512][HASH_BYTES];

        if ((count & size) == 0) {
            continue;
        }
        for (uint64_t i = 0; i < size; i++) {
            uint8_t leaf[8 + HASH_BYTES];

            for (uint32_t k = 0; k < 8; k++) {
                leaf[k] = (uint8_t)((first + i) >> (56 - 8 * k));
            }
            memcpy(leaf + 8, hashes[first + i], HASH_BYTES);
            hash_of(TAG_HLEAF, bytes_of(leaf, sizeof leaf), row[i]);
        }
        for (uint64_t width = size; width > 1; width /= 2) {
            for (uint64_t i = 0; i < width / 2; i++) {
                node(TAG_HNODE, row[2 * i], row[2 * i + 1], row[i]);
            }
        }
        memcpy(peaks[peak_count], row[0], HASH_BYTES);
        peak_count += 1;
        first += size;
    }
    memset(out, 0, HASH_BYTES);
    for (uint32_t i = peak_count; i > 0; i--) {
        if (i == peak_count) {
            memcpy(out, peaks[i - 1], HASH_BYTES);
        } else {
            node(TAG_HNODE, peaks[i - 1], out, out);
        }
    }
}

TEST(history_roots_are_those_of_the_definition)
{
    static uint8_t hashes[300][HASH_BYTES];
    struct history history = {0};

    for (uint32_t i = 0; i < COUNT_OF(hashes); i++) {
        uint8_t model[HASH_BYTES];
        uint8_t root[HASH_BYTES];

        model_history(hashes, i, model);
        history_root(&history, root);
        CHECK_BYTES(bytes_of(root, HASH_BYTES), bytes_of(model, HASH_BYTES));

        hash_of(TAG_BLOCK, bytes_of(&i, sizeof i), hashes[i]);
        history_add(&history, hashes[i]);
        CHECK_U64(history.count, ==, i + 1);
    }
}

/* Peaks stay where the header says: the bits of count. */
TEST(the_largest_history_has_all_its_peaks)
{
    struct history history = {.count = UINT64_MAX - 1};
    uint8_t root[HASH_BYTES];
    uint8_t joined[HASH_BYTES];

    for (uint32_t i = 0; i < 64; i++) {
        memset(history.peaks[i], (int)i, HASH_BYTES);
    }
    memcpy(joined, history.peaks[1], HASH_BYTES);
    for (uint32_t i = 2; i < 64; i++) {
        node(TAG_HNODE, history.peaks[i], joined, joined);
    }
    history_root(&history, root);
    CHECK_BYTES(bytes_of(root, HASH_BYTES), bytes_of(joined, HASH_BYTES));
}

static void vector_list(const json_t *list, uint32_t count)
{
    const json_t *paths = json_field(list, "paths");
    uint8_t root[HASH_BYTES];

    CHECK_U64(json_array_size(json_field(list, "items")), ==, count);
    CHECK_U64(json_array_size(paths), ==, count);
    for (uint32_t i = 0; i < count; i++) {
        items[i] = json_digits(json_array_get(json_field(list, "items"), i));
    }
    streamed_root(count, root);
    CHECK_BYTES(bytes_of(root, HASH_BYTES), json_bytes(list, "root"));
    for (uint32_t i = 0; i < count; i++) {
        const json_t *siblings = json_array_get(paths, i);
        struct merkle_path path;

        merkle_path_of(items, count, i, &path);
        CHECK_U64(json_array_size(siblings), ==, path.sibling_count);
        for (size_t k = 0; k < path.sibling_count; k++) {
            CHECK_BYTES(json_digits(json_array_get(siblings, k)),
                        bytes_of(path.siblings[k], HASH_BYTES));
        }
    }
}

TEST(own_vectors_hold_for_lists)
{
    const json_t *lists = json_list(json_own("merkle.json"), "lists");

    CHECK_U64(json_array_size(lists), ==, 10);
    for (uint32_t count = 0; count < 10; count++) {
        vector_list(json_array_get(lists, count), count);
    }
}

TEST(what_cannot_be_counted_aborts)
{
    static struct merkle merkle = {.count = UINT32_MAX};
    static struct history history = {.count = UINT64_MAX};
    struct merkle_path path;

    CHECK_ABORTS(merkle_add(&merkle, bytes_of("", 0)));
    CHECK_ABORTS(history_add(&history, history.peaks[0]));
    CHECK_ABORTS(merkle_path_of(items, 3, 3, &path));
    CHECK_ABORTS(merkle_path_of(items, 0, 0, &path));
}

TEST(own_vectors_hold_for_the_history)
{
    const json_t *root = json_own("merkle.json");
    const json_t *blocks = json_list(root, "blocks");
    const json_t *cases = json_list(root, "history");
    struct history history = {0};

    CHECK_U64(json_array_size(cases), ==, 10);
    for (size_t count = 0; count < 10; count++) {
        const json_t *one = json_array_get(cases, count);
        const json_t *peaks = json_field(one, "peaks");
        uint8_t hash[HASH_BYTES];
        size_t place = 0;

        CHECK_U64(json_count(one, "count"), ==, count);
        history_root(&history, hash);
        CHECK_BYTES(bytes_of(hash, HASH_BYTES), json_bytes(one, "root"));
        for (uint32_t bit = 64; bit > 0; bit--) {
            if ((history.count >> (bit - 1) & 1U) != 0) {
                CHECK_BYTES(bytes_of(history.peaks[bit - 1], HASH_BYTES),
                            json_digits(json_array_get(peaks, place)));
                place += 1;
            }
        }
        CHECK_U64(place, ==, json_array_size(peaks));
        if (count < 9) {
            history_add(&history, json_digits(json_array_get(blocks, count)).at);
        }
    }
}

TESTS(TEST_ENTRY(streamed_roots_are_those_of_the_definition),
      TEST_ENTRY(an_empty_list_has_a_root_of_zeros), TEST_ENTRY(every_path_leads_to_the_root),
      TEST_ENTRY(a_path_proves_no_other_place), TEST_ENTRY(a_path_changed_anywhere_is_refused),
      TEST_ENTRY(a_path_of_a_wrong_length_is_refused), TEST_ENTRY(an_inner_node_is_not_an_item),
      TEST_ENTRY(a_path_in_the_largest_list_is_walked),
      TEST_ENTRY(history_roots_are_those_of_the_definition),
      TEST_ENTRY(the_largest_history_has_all_its_peaks), TEST_ENTRY(what_cannot_be_counted_aborts),
      TEST_ENTRY(own_vectors_hold_for_lists), TEST_ENTRY(own_vectors_hold_for_the_history))

/* The overlays against a model: each branch is a plain sorted list of pairs, copied from its parent's. */
#include "state/overlay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tests/check.h"
#include "tests/kv_memory.h"

enum { MODEL_KEYS = 300, BRANCHES = 12, MARKS = 8 };

/* Keys come from a fixed list, so that a model is an array of values by the key's number. */
struct key {
    uint8_t bytes[40];
    uint32_t count;
};

struct model {
    struct {
        bool there;
        uint32_t count;
        uint8_t bytes[600];
    } rows[2][MODEL_KEYS];
};

static struct key keys[MODEL_KEYS]; /* ascending */
static struct arena memory;
static struct arena scratch;
static struct kv *kv;
static struct state *state;

static struct bytes key_at(uint32_t i)
{
    return bytes_of(keys[i].bytes, keys[i].count);
}

static int key_order(const void *a, const void *b)
{
    const struct key *one = a;
    const struct key *other = b;
    const uint32_t common = one->count < other->count ? one->count : other->count;
    const int order = memcmp(one->bytes, other->bytes, common);

    return order != 0 ? order : (int)one->count - (int)other->count;
}

/* Keys with long common beginnings, keys that begin other keys, and bytes at the ends of the range. */
static void keys_draw(struct random *random)
{
    static const uint8_t drawn[] = {0, 1, 'a', 0x7f, 0x80, 0xfe, 0xff};
    uint32_t count = 0;

    while (count < MODEL_KEYS) {
        struct key *key = &keys[count];
        bool twice = false;

        key->count = 1 + (uint32_t)random_below(random, 12);
        for (uint32_t i = 0; i < key->count; i++) {
            key->bytes[i] = drawn[random_below(random, sizeof drawn)];
        }
        for (uint32_t i = 0; i < count; i++) {
            twice = twice || key_order(&keys[i], key) == 0;
        }
        count += !twice;
    }
    qsort(keys, MODEL_KEYS, sizeof keys[0], key_order);
}

static void begin(size_t overlay_bytes_max, size_t pool_bytes)
{
    const struct state_options options = {
        .overlay_bytes = overlay_bytes_max, .pool_bytes = pool_bytes, .secret = {1, 2}};

    CHECK(arena_open(&memory, state_footprint(&options)) == ERR_OK);
    CHECK(arena_open(&scratch, 8 << 20) == ERR_OK);
    kv = kv_memory_open();
    CHECK(state_open(&options, kv, &memory, &state) == ERR_OK);
}

static void end(void)
{
    kv_close(kv);
    arena_close(&memory);
    arena_close(&scratch);
}

/* Put a model into the store itself. */
static void store_fill(const struct model *model)
{
    struct kv_batch batch;

    kv_batch_init(&batch, &scratch);
    for (uint32_t space = 0; space < 2; space++) {
        for (uint32_t i = 0; i < MODEL_KEYS; i++) {
            uint8_t full[64];

            full[0] = space == STATE_ROWS ? 'K' : 'I';
            memcpy(full + 1, keys[i].bytes, keys[i].count);
            if (model->rows[space][i].there) {
                kv_batch_put(&batch, bytes_of(full, keys[i].count + 1),
                             bytes_of(model->rows[space][i].bytes, model->rows[space][i].count));
            }
        }
    }
    kv_batch_put(&batch, bytes_of("J", 1), bytes_of("not a row", 9));
    kv_batch_put(&batch, bytes_of("L", 1), bytes_of("not a row", 9));
    CHECK(kv_write(kv, &batch, true) == ERR_OK);
    arena_reset(&scratch);
}

static void change_random(struct random *random, struct overlay *overlay, struct model *model)
{
    const enum state_space space = (enum state_space)random_below(random, 2);
    const uint32_t i = (uint32_t)random_below(random, MODEL_KEYS);

    if (random_below(random, 3) == 0) {
        model->rows[space][i].there = false;
        CHECK(overlay_delete(overlay, space, key_at(i)) == ERR_OK);
        return;
    }
    model->rows[space][i].there = true;
    model->rows[space][i].count = (uint32_t)random_below(random, random_below(random, 600) + 1);
    for (uint32_t at = 0; at < model->rows[space][i].count; at++) {
        model->rows[space][i].bytes[at] = (uint8_t)random_next(random);
    }
    CHECK(overlay_put(overlay, space, key_at(i),
                      bytes_of(model->rows[space][i].bytes, model->rows[space][i].count)) ==
          ERR_OK);
}

static void check_gets(struct overlay *overlay, const struct model *model)
{
    for (uint32_t space = 0; space < 2; space++) {
        for (uint32_t i = 0; i < MODEL_KEYS; i++) {
            struct bytes value;
            const enum err got =
                overlay_get(overlay, (enum state_space)space, key_at(i), &scratch, &value);

            CHECK(got == (model->rows[space][i].there ? ERR_OK : ERR_ABSENT));
            if (got == ERR_OK) {
                CHECK_BYTES(value,
                            bytes_of(model->rows[space][i].bytes, model->rows[space][i].count));
            }
        }
    }
    arena_reset(&scratch);
}

static bool begins(struct bytes key, struct bytes prefix)
{
    return key.count >= prefix.count && memcmp(key.at, prefix.at, prefix.count) == 0;
}

/* Walk with a random prefix and start, and see exactly the model's rows. */
static void check_scan(struct random *random, struct overlay *overlay, const struct model *model)
{
    const enum state_space space = (enum state_space)random_below(random, 2);
    const bool reverse = random_below(random, 2) == 0;
    const uint32_t middle = (uint32_t)random_below(random, MODEL_KEYS);
    const uint32_t prefix_count = (uint32_t)random_below(random, 4);
    const struct bytes prefix = bytes_of(
        keys[middle].bytes, prefix_count < keys[middle].count ? prefix_count : keys[middle].count);
    const bool with_from = random_below(random, 2) == 0;
    const uint64_t limit = random_below(random, 3) == 0 ? random_below(random, 5) : UINT64_MAX;
    struct overlay_scan scan;
    uint64_t seen = 0;

    CHECK(overlay_scan_begin(overlay, space, prefix, with_from ? key_at(middle) : (struct bytes){0},
                             reverse, &scratch, &scan) == ERR_OK);
    for (uint32_t step = 0; step < MODEL_KEYS; step++) {
        const uint32_t i = reverse ? MODEL_KEYS - 1 - step : step;
        const bool wanted = model->rows[space][i].there && begins(key_at(i), prefix) &&
                            (!with_from || (reverse ? i <= middle : i >= middle));

        if (!wanted) {
            continue;
        }
        if (seen == limit) {
            break;
        }
        CHECK(overlay_scan_next(&scan));
        CHECK_BYTES(scan.key, key_at(i));
        CHECK_BYTES(scan.value, bytes_of(model->rows[space][i].bytes, model->rows[space][i].count));
        seen += 1;
    }
    if (seen != limit) {
        CHECK(!overlay_scan_next(&scan));
        CHECK(scan.error == ERR_OK);
        CHECK(!overlay_scan_next(&scan)); /* and stays at its end */
    }
    overlay_scan_end(&scan);
    overlay_scan_end(&scan);
    arena_reset(&scratch);
}

TEST(undo_at_random_places_is_the_model)
{
    static struct model models[MARKS + 1];

    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct random random = {seed};
        struct overlay_mark marks[MARKS];
        uint32_t depth = 0;
        struct overlay *overlay;

        keys_draw(&random);
        memset(models, 0, sizeof models);
        begin(4 << 20, 0);
        for (uint32_t i = 0; i < MODEL_KEYS; i += 3) {
            models[0].rows[0][i].there = true;
            models[0].rows[0][i].count = 1;
            models[0].rows[1][(i * 7) % MODEL_KEYS].there = true;
        }
        store_fill(&models[0]);
        overlay = overlay_begin(state, NULL, 1);
        for (uint32_t step = 0; step < 1500; step++) {
            const uint64_t what = random_below(&random, 20);

            if (what == 0 && depth < MARKS) {
                marks[depth] = overlay_mark(overlay);
                models[depth + 1] = models[depth];
                depth += 1;
            } else if (what == 1 && depth > 0) {
                const uint32_t to = (uint32_t)random_below(&random, depth);

                overlay_undo(overlay, marks[to]);
                depth = to;
            } else if (what == 2 && random_below(&random, 4) == 0) {
                overlay_settle(overlay);
                models[0] = models[depth];
                depth = 0;
            } else if (what == 3) {
                check_gets(overlay, &models[depth]);
            } else if (what == 4) {
                check_scan(&random, overlay, &models[depth]);
            } else {
                change_random(&random, overlay, &models[depth]);
            }
        }
        check_gets(overlay, &models[depth]);
        overlay_drop(overlay);
        end();
    }
}

struct node {
    struct overlay *overlay;
    uint32_t parent; /* BRANCHES: the store */
    struct model model;
};

static bool has_child(const struct node *nodes, uint32_t i)
{
    for (uint32_t other = 0; other < BRANCHES; other++) {
        if (nodes[other].overlay != NULL && nodes[other].parent == i) {
            return true;
        }
    }
    return false;
}

static void branch_begin(struct random *random, struct node *nodes, struct node *node)
{
    uint32_t parent = (uint32_t)random_below(random, BRANCHES + 1);

    while (parent != BRANCHES && nodes[parent].overlay == NULL) {
        parent = (uint32_t)random_below(random, BRANCHES + 1);
    }
    node->parent = parent;
    node->model = nodes[parent].model;
    node->overlay = overlay_begin(state, nodes[parent].overlay, 1);
    CHECK(node->overlay != NULL);
}

TEST(branches_see_their_ancestors_alone)
{
    static struct node nodes[BRANCHES + 1];

    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct random random = {seed * 1000};

        keys_draw(&random);
        memset(nodes, 0, sizeof nodes);
        begin(1 << 20, 0);
        for (uint32_t i = 0; i < MODEL_KEYS; i += 2) {
            nodes[BRANCHES].model.rows[0][i].there = true;
            nodes[BRANCHES].model.rows[1][MODEL_KEYS - 1 - i].there = true;
        }
        store_fill(&nodes[BRANCHES].model);
        for (uint32_t step = 0; step < 400; step++) {
            const uint32_t i = (uint32_t)random_below(&random, BRANCHES);
            struct node *node = &nodes[i];

            if (node->overlay == NULL) {
                branch_begin(&random, nodes, node);
            } else if (!has_child(nodes, i) && random_below(&random, 4) == 0) {
                overlay_drop(node->overlay);
                node->overlay = NULL;
            } else if (!has_child(nodes, i)) {
                for (uint32_t n = 0; n < 20; n++) {
                    change_random(&random, node->overlay, &node->model);
                }
            } else {
                check_gets(node->overlay, &node->model);
                check_scan(&random, node->overlay, &node->model);
            }
        }
        end();
    }
}

TEST(a_full_overlay_says_so_and_keeps_what_it_has)
{
    static uint8_t big[STATE_ROW_BYTES_MAX];
    struct overlay *overlay;
    struct overlay_mark mark;
    struct bytes value;
    uint32_t count = 0;
    uint8_t key[4];

    begin(1 << 20, 0);
    overlay = overlay_begin(state, NULL, 1);
    mark = overlay_mark(overlay);
    for (;; count++) {
        memcpy(key, &count, sizeof key);
        memset(big, (int)count, sizeof big);
        if (overlay_put(overlay, STATE_ROWS, bytes_of(key, 4), bytes_of(big, sizeof big)) !=
            ERR_OK) {
            break;
        }
    }
    CHECK_U64(count, >=, 12); /* three rows of the largest size in a chunk */
    CHECK_U64(overlay_bytes(overlay), ==, 1 << 20);
    CHECK(overlay_get(overlay, STATE_ROWS, bytes_of(key, 4), &scratch, &value) == ERR_ABSENT);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(key, &i, sizeof key);
        memset(big, (int)i, sizeof big);
        CHECK(overlay_get(overlay, STATE_ROWS, bytes_of(key, 4), &scratch, &value) == ERR_OK);
        CHECK_BYTES(value, bytes_of(big, sizeof big));
    }
    overlay_undo(overlay, mark);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(key, &i, sizeof key);
        CHECK(overlay_put(overlay, STATE_ROWS, bytes_of(key, 4), bytes_of(big, sizeof big)) ==
              ERR_OK);
    }
    end();
}

TEST(settling_bounds_memory_of_rows_written_again_and_again)
{
    static uint8_t big[STATE_ROW_BYTES_MAX];
    struct overlay *overlay;

    begin(2 << 20, 0);
    overlay = overlay_begin(state, NULL, 1);
    for (uint32_t i = 0; i < 1000; i++) {
        const uint8_t key = (uint8_t)(i % 5);

        CHECK(overlay_put(overlay, STATE_ROWS, bytes_of(&key, 1),
                          bytes_of(big, sizeof big - i % 100)) == ERR_OK);
        overlay_settle(overlay);
    }
    end();
}

TEST(overlays_are_limited_and_their_memory_is_used_again)
{
    struct overlay *overlays[STATE_OVERLAYS_MAX];
    static uint8_t big[STATE_ROW_BYTES_MAX];

    begin(1 << 20, 1 << 20);
    for (uint32_t i = 0; i < STATE_OVERLAYS_MAX; i++) {
        overlays[i] = overlay_begin(state, i == 0 ? NULL : overlays[i - 1], i + 1);
        CHECK(overlays[i] != NULL);
    }
    CHECK(overlay_begin(state, NULL, 1) == NULL);
    for (uint32_t i = STATE_OVERLAYS_MAX; i > 0; i--) {
        for (uint8_t key = 0; key < 8; key++) {
            CHECK(overlay_put(overlays[i - 1], STATE_ROWS, bytes_of(&key, 1),
                              bytes_of(big, sizeof big)) == ERR_OK);
        }
        overlay_drop(overlays[i - 1]);
    }
    end();
}

TEST(faults_of_the_store_are_told)
{
    struct overlay *overlay;
    struct overlay_scan scan;
    struct bytes value;

    begin(1 << 20, 0);
    overlay = overlay_begin(state, NULL, 1);
    CHECK(overlay_put(overlay, STATE_ROWS, bytes_of("a", 1), bytes_of("b", 1)) == ERR_OK);
    kv_memory_fail(kv, ERR_IO);
    CHECK(overlay_get(overlay, STATE_ROWS, bytes_of("a", 1), &scratch, &value) == ERR_OK);
    CHECK(overlay_get(overlay, STATE_ROWS, bytes_of("x", 1), &scratch, &value) == ERR_IO);
    for (int reverse = 0; reverse < 2; reverse++) {
        CHECK(overlay_scan_begin(overlay, STATE_ROWS, (struct bytes){0}, (struct bytes){0},
                                 reverse == 1, &scratch, &scan) == ERR_OK);
        CHECK(!overlay_scan_next(&scan));
        CHECK(scan.error == ERR_IO);
        overlay_scan_end(&scan);
    }
    end();
}

TESTS(TEST_ENTRY(undo_at_random_places_is_the_model),
      TEST_ENTRY(branches_see_their_ancestors_alone),
      TEST_ENTRY(a_full_overlay_says_so_and_keeps_what_it_has),
      TEST_ENTRY(settling_bounds_memory_of_rows_written_again_and_again),
      TEST_ENTRY(overlays_are_limited_and_their_memory_is_used_again),
      TEST_ENTRY(faults_of_the_store_are_told))

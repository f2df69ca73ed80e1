/* The tree over overlays and a store, against the naive model, through random chains and branches of blocks. */
#include "state/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/writer.h"
#include "state/overlay.h"
#include "state/proof.h"
#include "tests/check.h"
#include "tests/kv_memory.h"
#include "tests/tree_model.h"

enum {
    KEYS = 500,
    DRAWN =
        120000, /* keys out of which those with long common beginnings of their hashes are taken */
    NEAR_BITS = 26,
    KEPT = 200, /* heights whose models a test remembers */
};

struct content {
    uint32_t values[KEYS]; /* 0: absent; else the value is this number */
};

struct candidate_key {
    uint64_t number;
    uint8_t hash[32];
};

static uint64_t numbers[KEYS]; /* a key is 11 bytes: module, table, its number */
static uint8_t hashes[KEYS][32];
static struct arena memory;
static struct arena scratch;
static struct kv *kv;
static struct state *state;
static struct state_options options = {
    .overlay_bytes = 2 << 20,
    .retain_versions = 5,
    .row_cache_bytes = 64 << 10, /* small, so that much is thrown out */
    .node_cache_bytes = 64 << 10,
};

static struct bytes key_of(uint64_t number, uint8_t out[11])
{
    struct writer writer = writer_of(out, 11);

    writer_u16(&writer, 3);
    writer_u8(&writer, 1);
    writer_u64(&writer, number);
    return writer_done(&writer);
}

static struct bytes value_of(uint32_t value, uint8_t out[40])
{
    memset(out, 0, 40);
    memcpy(out, &value, sizeof value);
    return bytes_of(out, value % 41);
}

static int candidate_order(const void *a, const void *b)
{
    const struct candidate_key *one = a;
    const struct candidate_key *other = b;

    return memcmp(one->hash, other->hash, 32);
}

static bool are_near(const struct candidate_key *a, const struct candidate_key *b)
{
    return memcmp(a->hash, b->hash, NEAR_BITS / 8) == 0 &&
           (a->hash[NEAR_BITS / 8] ^ b->hash[NEAR_BITS / 8]) >> (8 - NEAR_BITS % 8) == 0;
}

/* Once: keys whose hashes share many bits, so that deep nodes come and go, and as many that do not. */
static void keys_draw(void)
{
    static struct candidate_key drawn[DRAWN];
    uint8_t bytes[11];
    uint32_t count = 0;

    if (numbers[0] != 0) {
        return;
    }
    for (uint64_t i = 0; i < DRAWN; i++) {
        drawn[i].number = i + 1;
        proof_key_hash(key_of(i + 1, bytes), drawn[i].hash);
    }
    qsort(drawn, DRAWN, sizeof drawn[0], candidate_order);
    for (uint32_t i = 1; i < DRAWN && count < KEYS / 2; i++) {
        if (are_near(&drawn[i - 1], &drawn[i])) {
            numbers[count] = drawn[i - 1].number;
            numbers[count + 1] = drawn[i].number;
            count += 2;
            i += 1;
        }
    }
    CHECK_U64(count, >=, 100);
    for (uint64_t i = DRAWN + 1; count < KEYS; i++) {
        numbers[count] = i;
        count += 1;
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        proof_key_hash(key_of(numbers[i], bytes), hashes[i]);
    }
}

static size_t leaves_of(const struct content *content, struct tree_leaf leaves[KEYS])
{
    size_t count = 0;
    uint8_t key[11];
    uint8_t value[40];

    for (uint32_t i = 0; i < KEYS; i++) {
        if (content->values[i] != 0) {
            tree_model_leaf(key_of(numbers[i], key), value_of(content->values[i], value),
                            &leaves[count]);
            count += 1;
        }
    }
    tree_model_sort(leaves, count);
    return count;
}

static void state_begin(void)
{
    CHECK(arena_open(&memory, state_footprint(&options)) == ERR_OK);
    CHECK(state_open(&options, kv, &memory, &state) == ERR_OK);
}

static void begin(void)
{
    keys_draw();
    CHECK(arena_open(&scratch, 8 << 20) == ERR_OK);
    kv = kv_memory_open();
    state_begin();
}

static void end(void)
{
    kv_close(kv);
    arena_close(&memory);
    arena_close(&scratch);
}

static void set(struct overlay *overlay, struct content *content, uint32_t i, uint32_t value)
{
    uint8_t key[11];
    uint8_t bytes[40];

    content->values[i] = value;
    if (value == 0) {
        CHECK(overlay_delete(overlay, STATE_ROWS, key_of(numbers[i], key)) == ERR_OK);
    } else {
        CHECK(overlay_put(overlay, STATE_ROWS, key_of(numbers[i], key), value_of(value, bytes)) ==
              ERR_OK);
    }
}

/* A random block: sometimes nothing, sometimes most keys; more puts or more deletes; also index entries. */
static void block_draw(struct random *random, struct overlay *overlay, struct content *content)
{
    const uint64_t size = random_below(random, 8) == 0 ? KEYS : random_below(random, 40);
    const uint64_t deletes = random_below(random, 11);

    for (uint64_t n = random_below(random, size + 1); n > 0; n--) {
        const uint32_t i = (uint32_t)random_below(random, KEYS);
        const bool remove = random_below(random, 10) < deletes;

        set(overlay, content, i, remove ? 0 : 1 + (uint32_t)random_below(random, 5));
        if (random_below(random, 4) == 0) {
            uint8_t key[11];

            CHECK(overlay_put(overlay, STATE_INDEX, key_of(numbers[i], key), (struct bytes){0}) ==
                  ERR_OK);
        }
    }
}

static void check_root(struct overlay *overlay, const struct content *content)
{
    struct tree_leaf leaves[KEYS];
    const size_t count = leaves_of(content, leaves);
    uint8_t root[32];
    uint8_t wanted[32];

    CHECK(overlay_root(overlay, root) == ERR_OK);
    tree_model_root(leaves, count, wanted);
    CHECK_BYTES(bytes_of(root, 32), bytes_of(wanted, 32));
}

static void apply(struct overlay *overlay, bool written)
{
    struct kv_batch batch;
    uint64_t height;
    uint8_t root[32];

    kv_batch_init(&batch, &scratch);
    CHECK(state_apply(overlay, &batch) == ERR_OK);
    CHECK(kv_write(kv, &batch, false) == ERR_OK);
    arena_reset(&scratch);
    CHECK(state_applied(state, &height, root));
    if (written) {
        state_written(state, height);
    }
}

/* The proof of every key at a height is the model's, byte for byte, and holds for both checkers. */
static void check_proofs(uint64_t height, const struct content *content, bool stored)
{
    static uint8_t siblings[PROOF_SIBLINGS_MAX * HASH_BYTES];
    static uint8_t wanted[TREE_PROOF_BYTES_MAX];
    static uint8_t bytes[PROOF_BYTES_MAX];
    struct tree_leaf leaves[KEYS];
    const size_t count = leaves_of(content, leaves);
    uint8_t root[32];

    tree_model_remember(true);
    tree_model_root(leaves, count, root);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t key[11];
        uint8_t value[40];
        uint8_t value_hash[32];
        const bool there = content->values[i] != 0;
        struct writer writer = writer_of(bytes, sizeof bytes);
        struct proof proof;
        struct proof read;
        size_t wanted_count;

        CHECK((stored ? state_prove_stored(kv, height, key_of(numbers[i], key), siblings, &proof)
                      : state_prove(state, height, key_of(numbers[i], key), siblings, &proof)) ==
              ERR_OK);
        proof_write(&writer, &proof);
        wanted_count = tree_model_proof(leaves, count, hashes[i], wanted);
        CHECK(!writer.failed);
        CHECK_BYTES(writer_done(&writer), bytes_of(wanted, wanted_count));
        proof_value_hash(value_of(content->values[i], value), value_hash);
        CHECK(proof_decode(writer_done(&writer), &read));
        CHECK(proof_check(&read, hashes[i], there ? value_hash : NULL, root));
        CHECK(!proof_check(&read, hashes[i], there ? NULL : value_hash, root));
        CHECK(tree_model_check(writer_done(&writer), hashes[i], there ? value_hash : NULL, root));
    }
    tree_model_remember(false);
}

TEST(roots_are_the_models_over_random_batches)
{
    uint32_t batches = 0;

    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct random random = {seed};
        struct content content = {0};

        begin();
        for (uint64_t height = 0; height < 100; height++) {
            struct overlay *overlay = overlay_begin(state, NULL, height);

            block_draw(&random, overlay, &content);
            check_root(overlay, &content);
            apply(overlay, random_below(&random, 3) != 0);
            batches += 1;
        }
        end();
    }
    CHECK_U64(batches, ==, 3000);
}

struct block {
    struct overlay *overlay; /* NULL: free */
    uint32_t parent;         /* BLOCKS: the applied state */
    uint64_t height;
    struct content content;
};

enum { BLOCKS = 24 };

static bool lies_on(const struct block *blocks, uint32_t at, uint32_t below)
{
    while (at != BLOCKS && at != below) {
        at = blocks[at].parent;
    }
    return at == below;
}

/* Drop a block and all above it, highest first. */
static void branch_drop(struct block *blocks, uint32_t root)
{
    for (;;) {
        uint32_t highest = BLOCKS;

        for (uint32_t i = 0; i < BLOCKS; i++) {
            if (blocks[i].overlay != NULL && lies_on(blocks, i, root) &&
                (highest == BLOCKS || blocks[i].height > blocks[highest].height)) {
                highest = i;
            }
        }
        if (highest == BLOCKS) {
            return;
        }
        overlay_drop(blocks[highest].overlay);
        blocks[highest].overlay = NULL;
    }
}

/* Finalize a block on the applied state: others of its height go with all above them. */
static void block_finalize(struct block *blocks, uint32_t final, bool written)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (i != final && blocks[i].overlay != NULL && blocks[i].parent == BLOCKS) {
            branch_drop(blocks, i);
        }
    }
    apply(blocks[final].overlay, written);
    blocks[final].overlay = NULL;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (blocks[i].overlay != NULL && blocks[i].parent == final) {
            blocks[i].parent = BLOCKS;
        }
    }
}

static void step_begin(struct random *random, struct block *blocks, const struct content *applied,
                       uint64_t next_height, uint32_t i)
{
    uint32_t parent = (uint32_t)random_below(random, BLOCKS + 1);

    while (parent != BLOCKS && blocks[parent].overlay == NULL) {
        parent = (uint32_t)random_below(random, BLOCKS + 1);
    }
    blocks[i].parent = parent;
    blocks[i].height = parent == BLOCKS ? next_height : blocks[parent].height + 1;
    blocks[i].content = parent == BLOCKS ? *applied : blocks[parent].content;
    blocks[i].overlay =
        overlay_begin(state, parent == BLOCKS ? NULL : blocks[parent].overlay, blocks[i].height);
    if (blocks[i].overlay == NULL) {
        return; /* many are applied and not written */
    }
    block_draw(random, blocks[i].overlay, &blocks[i].content);
    check_root(blocks[i].overlay, &blocks[i].content);
}

TEST(branches_are_dropped_and_finalized_in_order)
{
    static struct block blocks[BLOCKS];
    static struct content history[KEPT];

    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct random random = {seed * 77};
        struct content applied = {0};
        uint64_t height = 0;

        begin();
        memset(blocks, 0, sizeof blocks);
        for (uint32_t step = 0; step < 400 && height < KEPT; step++) {
            const uint32_t i = (uint32_t)random_below(&random, BLOCKS);
            struct block *block = &blocks[i];

            if (block->overlay == NULL) {
                step_begin(&random, blocks, &applied, height, i);
            } else if (random_below(&random, 6) == 0) {
                branch_drop(blocks, i);
            } else if (block->parent == BLOCKS) {
                applied = block->content;
                history[height] = applied;
                block_finalize(blocks, i, random_below(&random, 2) == 0);
                height += 1;
            }
        }
        CHECK_U64(height, >, 5);
        for (uint64_t h = height - 5; h < height; h++) {
            check_proofs(h, &history[h], false);
        }
        state_written(state, height);
        for (uint64_t h = 0; h < height; h += 5) {
            check_proofs(h, &history[h], true);
        }
        end();
    }
}

/* The same rows by other blocks in another order: one root, and the same nodes once old ones are pruned. */
TEST(the_tree_depends_on_its_content_alone)
{
    uint8_t roots[6][32];
    uint64_t node_counts[6];

    for (uint64_t way = 0; way < 6; way++) {
        struct random random = {way + 5};
        struct content content = {0};
        struct content wanted = {0};
        struct random fixed = {99};
        struct kv_batch batch;
        uint32_t done;
        uint64_t height = 0;

        options.retain_versions = 0;
        begin();
        for (uint32_t i = 0; i < KEYS; i++) {
            wanted.values[i] = (uint32_t)random_below(&fixed, 3);
        }
        for (; height < way * 9; height++) {
            struct overlay *overlay = overlay_begin(state, NULL, height);

            block_draw(&random, overlay, &content);
            check_root(overlay, &content);
            apply(overlay, true);
        }
        for (uint32_t i = 0; i < KEYS;) {
            struct overlay *overlay = overlay_begin(state, NULL, height);
            const uint64_t size = 1 + random_below(&random, 1 + way * 20);

            for (uint64_t n = 0; n < size && i < KEYS; n++, i++) {
                const uint32_t key = way % 2 == 0 ? i : KEYS - 1 - i;

                set(overlay, &content, key, wanted.values[key]);
            }
            check_root(overlay, &content);
            apply(overlay, true);
            height += 1;
        }
        CHECK(memcmp(content.values, wanted.values, sizeof wanted.values) == 0);
        CHECK(state_applied(state, &height, roots[way]));
        kv_batch_init(&batch, &scratch);
        CHECK(state_prune(state, height, UINT32_MAX, &batch, &done) == ERR_OK);
        CHECK(kv_write(kv, &batch, false) == ERR_OK);
        node_counts[way] = kv_memory_count(kv, 'N');
        CHECK_BYTES(bytes_of(roots[way], 32), bytes_of(roots[0], 32));
        CHECK_U64(node_counts[way], ==, node_counts[0]);
        end();
        options.retain_versions = 5;
    }
}

TEST(a_store_is_opened_again_where_it_was)
{
    struct random random = {31};
    struct content content = {0};

    begin();
    CHECK(!state_applied(state, &(uint64_t){0}, (uint8_t[32]){0}));
    for (uint64_t height = 0; height < 60; height++) {
        struct overlay *overlay = overlay_begin(state, NULL, height);
        uint8_t roots[2][32];
        uint64_t heights[2];

        block_draw(&random, overlay, &content);
        check_root(overlay, &content);
        apply(overlay, height % 2 == 0);
        CHECK(state_applied(state, &heights[0], roots[0]));
        arena_close(&memory);
        state_begin();
        CHECK(state_applied(state, &heights[1], roots[1]));
        CHECK_U64(heights[1], ==, height);
        CHECK_U64(heights[1], ==, heights[0]);
        CHECK_BYTES(bytes_of(roots[0], 32), bytes_of(roots[1], 32));
    }
    check_proofs(59, &content, false);
    end();
}

/* Oracle 15 in small: rows in the store are the model's, no more and no fewer. */
static void check_rows(const struct content *content)
{
    struct overlay *overlay = overlay_begin(state, NULL, 1000000);
    uint64_t count = 0;

    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t key[11];
        uint8_t value[40];
        struct bytes got;
        const enum err error =
            overlay_get(overlay, STATE_ROWS, key_of(numbers[i], key), &scratch, &got);

        CHECK(error == (content->values[i] != 0 ? ERR_OK : ERR_ABSENT));
        if (error == ERR_OK) {
            CHECK_BYTES(got, value_of(content->values[i], value));
            count += 1;
        }
    }
    CHECK_U64(kv_memory_count(kv, 'K'), ==, count);
    overlay_drop(overlay);
    arena_reset(&scratch);
}

/* A1 to A3: a cut between batches loses whole heights, and going on from there gives the same roots. */
TEST(a_power_cut_loses_whole_heights)
{
    static struct content history[KEPT];

    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct random random = {seed * 13};
        struct content content = {0};
        uint64_t height = 0;

        begin();
        for (uint32_t cut = 0; cut < 12; cut++) {
            const uint64_t blocks = 1 + random_below(&random, 10);
            uint32_t unsynced;
            uint32_t kept;
            uint64_t found = 0;
            uint8_t root[32];

            for (uint64_t n = 0; n < blocks; n++) {
                struct overlay *overlay = overlay_begin(state, NULL, height);

                block_draw(&random, overlay, &content);
                check_root(overlay, &content);
                apply(overlay, random_below(&random, 2) == 0);
                history[height] = content;
                height += 1;
            }
            unsynced = kv_memory_unsynced(kv);
            kept = (uint32_t)random_below(&random, (uint64_t)unsynced + 1);
            kv_memory_crash(kv, kept);
            arena_close(&memory);
            state_begin();
            if (state_applied(state, &found, root)) {
                CHECK_U64(found, ==, height - 1 - (unsynced - kept));
                content = history[found];
                height = found + 1;
                check_rows(&content);
                check_proofs(found, &content, false);
            } else {
                CHECK_U64(kv_memory_count(kv, -1), ==, 0);
                memset(&content, 0, sizeof content);
                height = 0;
            }
        }
        end();
    }
}

/* A height without its row is seen when the store is opened (planted bug 12). */
TEST(a_store_without_its_height_is_damaged)
{
    static const char *const missing[] = {"Mapplied_height", "R\0\0\0\0\0\0\0\2"};
    static const size_t counts[] = {15, 9};

    for (uint32_t i = 0; i < 2; i++) {
        struct random random = {5};
        struct content content = {0};
        struct kv_batch batch;
        struct state *again;

        begin();
        for (uint64_t height = 0; height < 3; height++) {
            struct overlay *overlay = overlay_begin(state, NULL, height);

            block_draw(&random, overlay, &content);
            check_root(overlay, &content);
            apply(overlay, true);
        }
        kv_batch_init(&batch, &scratch);
        kv_batch_delete(&batch, bytes_of(missing[i], counts[i]));
        CHECK(kv_write(kv, &batch, true) == ERR_OK);
        arena_close(&memory);
        CHECK(arena_open(&memory, state_footprint(&options)) == ERR_OK);
        CHECK(state_open(&options, kv, &memory, &again) == ERR_CORRUPT);
        end();
    }
}

/* An older height row beside newer roots: what a batch without its row leaves behind. */
TEST(a_height_row_that_lags_is_damage)
{
    struct random random = {6};
    struct content content = {0};
    struct bytes old;
    struct kv_batch batch;
    struct state *again;

    begin();
    for (uint64_t height = 0; height < 4; height++) {
        struct overlay *overlay = overlay_begin(state, NULL, height);
        uint8_t *kept;

        block_draw(&random, overlay, &content);
        check_root(overlay, &content);
        apply(overlay, true);
        if (height == 2) {
            kept = malloc(64);
            CHECK(kv_get(kv, bytes_of("Mapplied_height", 15), &scratch, &old) == ERR_OK);
            memcpy(kept, old.at, old.count);
            old.at = kept;
        }
    }
    kv_batch_init(&batch, &scratch);
    kv_batch_put(&batch, bytes_of("Mapplied_height", 15), old);
    CHECK(kv_write(kv, &batch, true) == ERR_OK);
    arena_close(&memory);
    CHECK(arena_open(&memory, state_footprint(&options)) == ERR_OK);
    CHECK(state_open(&options, kv, &memory, &again) == ERR_CORRUPT);
    {
        uint8_t *kept;

        memcpy(&kept, &old.at, sizeof kept);
        free(kept);
    }
    end();
}

TEST(pruning_keeps_what_kept_heights_need)
{
    static struct content history[KEPT];
    struct random random = {8};
    struct content content = {0};
    uint8_t siblings[PROOF_SIBLINGS_MAX * HASH_BYTES];
    struct proof proof;
    uint64_t plateau = 0;

    begin();
    for (uint64_t height = 0; height < KEPT; height++) {
        struct overlay *overlay = overlay_begin(state, NULL, height);
        const uint32_t limit = (uint32_t)random_below(&random, 400);
        struct kv_batch batch;
        uint32_t done;

        for (uint32_t n = 0; n < 30; n++) {
            set(overlay, &content, (uint32_t)random_below(&random, KEYS),
                1 + (uint32_t)random_below(&random, 1000));
        }
        check_root(overlay, &content);
        apply(overlay, true);
        history[height] = content;
        kv_batch_init(&batch, &scratch);
        CHECK(state_prune(state, height, limit, &batch, &done) == ERR_OK);
        CHECK_U64(done, <=, limit);
        CHECK(kv_write(kv, &batch, false) == ERR_OK);
        arena_reset(&scratch);
        for (uint64_t kept = height > 5 ? height - 5 : 0; kept <= height; kept++) {
            if (height % 20 == 0 || height == KEPT - 1) {
                check_proofs(kept, &history[kept], true);
            }
        }
        if (height >= 50 && kv_memory_count(kv, 'N') > plateau) {
            plateau = kv_memory_count(kv, 'N');
        }
    }
    CHECK(state_prove(state, 100, bytes_of("abc", 3), siblings, &proof) == ERR_ABSENT);
    CHECK_U64(kv_memory_count(kv, 'R'), <=, 12);
    {
        struct tree_leaf leaves[KEYS];
        const uint64_t live = tree_model_nodes(leaves, leaves_of(&content, leaves));

        /* Six heights of at most thirty paths of at most nine nodes, and what the limit left for later. */
        CHECK_U64(plateau, <=, live + UINT64_C(12) * 30 * 9);
    }
    end();
}

/* With nothing to keep but the newest height, the nodes are exactly those of the model. */
TEST(pruning_to_one_height_leaves_the_models_nodes)
{
    options.retain_versions = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct random random = {seed + 400};
        struct content content = {0};
        struct tree_leaf leaves[KEYS];

        begin();
        for (uint64_t height = 0; height < 60; height++) {
            struct overlay *overlay = overlay_begin(state, NULL, height);
            struct kv_batch batch;
            uint32_t done = 7;

            block_draw(&random, overlay, &content);
            check_root(overlay, &content);
            apply(overlay, true);
            while (done == 7) {
                kv_batch_init(&batch, &scratch);
                CHECK(state_prune(state, height, 7, &batch, &done) == ERR_OK);
                CHECK(kv_write(kv, &batch, false) == ERR_OK);
                arena_reset(&scratch);
            }
            CHECK_U64(kv_memory_count(kv, 'N'), ==,
                      tree_model_nodes(leaves, leaves_of(&content, leaves)));
            CHECK_U64(kv_memory_count(kv, 'S'), ==, 0);
            CHECK_U64(kv_memory_count(kv, 'R'), ==, 1);
        }
        check_proofs(59, &content, true);
        end();
    }
    options.retain_versions = 5;
}

TEST(damaged_nodes_are_told)
{
    struct random random = {77};
    struct content content = {0};
    uint32_t corrupt = 0;

    begin();
    for (uint64_t height = 0; height < 3; height++) {
        struct overlay *overlay = overlay_begin(state, NULL, height);

        for (uint32_t i = 0; i < KEYS; i++) {
            set(overlay, &content, i, 1 + (uint32_t)random_below(&random, 9));
        }
        check_root(overlay, &content);
        apply(overlay, true);
    }
    for (uint32_t round = 0; round < 150; round++) {
        struct kv_cursor *cursor = kv_cursor_open(kv);
        uint8_t bytes[NODE_BYTES_MAX + 1];
        uint8_t key_bytes[NODE_KEY_BYTES_MAX];
        uint8_t siblings[PROOF_SIBLINGS_MAX * HASH_BYTES];
        struct bytes key;
        struct bytes value;
        struct kv_batch batch;

        CHECK(cursor != NULL);
        cursor->maker->seek(cursor, bytes_of("N\0\0\0\0\0\0\0\2", 9));
        for (uint64_t skip = random_below(&random, 60); skip > 0; skip--) {
            cursor->maker->next(cursor);
        }
        key = cursor->maker->key(cursor);
        value = cursor->maker->value(cursor);
        CHECK(key.at[0] == 'N');
        memcpy(key_bytes, key.at, key.count);
        key.at = key_bytes;
        memcpy(bytes, value.at, value.count);
        kv_cursor_close(cursor);
        kv_batch_init(&batch, &scratch);
        if (round % 3 == 0) {
            kv_batch_delete(&batch, key);
        } else if (round % 3 == 1) {
            bytes[random_below(&random, value.count)] ^= (uint8_t)(1U << random_below(&random, 8));
            kv_batch_put(&batch, key, bytes_of(bytes, value.count));
        } else {
            kv_batch_put(&batch, key, bytes_of(bytes, random_below(&random, value.count)));
        }
        kv_batch_put(&batch, bytes_of("x", 1), bytes_of("", 0));
        CHECK(kv_write(kv, &batch, false) == ERR_OK);
        for (uint32_t i = 0; i < KEYS; i++) {
            uint8_t key_memory[11];
            struct proof proof;
            const enum err error =
                state_prove(state, 2, key_of(numbers[i], key_memory), siblings, &proof);

            CHECK(error == ERR_OK || error == ERR_CORRUPT);
            corrupt += error == ERR_CORRUPT;
        }
        kv_memory_crash(kv, kv_memory_unsynced(kv) - 1);
        arena_reset(&scratch);
    }
    CHECK_U64(corrupt, >, 150);
    end();
}

TESTS(TEST_ENTRY(roots_are_the_models_over_random_batches),
      TEST_ENTRY(branches_are_dropped_and_finalized_in_order),
      TEST_ENTRY(the_tree_depends_on_its_content_alone),
      TEST_ENTRY(a_store_is_opened_again_where_it_was), TEST_ENTRY(a_power_cut_loses_whole_heights),
      TEST_ENTRY(a_store_without_its_height_is_damaged),
      TEST_ENTRY(a_height_row_that_lags_is_damage),
      TEST_ENTRY(pruning_keeps_what_kept_heights_need),
      TEST_ENTRY(pruning_to_one_height_leaves_the_models_nodes), TEST_ENTRY(damaged_nodes_are_told))

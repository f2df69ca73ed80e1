/*
 * bench/overlay.c -- what state costs: gets and puts through chains of overlays, scans, and blocks of updates
 * on LevelDB, with their roots, batches and pruning.  Figures are of this thread's time unless they say wall.
 *
 *     bench_overlay FOLDER [KEYS [ROW_CACHE_MIB [NODE_CACHE_MIB]]]
 *
 * FOLDER must not exist; it gets a store of KEYS rows (1,000,000) of 100 bytes.  One object of JSON on stdout.
 * A row's key is what modules have: module, table, a u64 and an id of 32 bytes, at random.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "base/writer.h"
#include "state/leveldb.h"
#include "state/overlay.h"
#include "state/proof.h"

enum {
    KEY_BYTES = 2 + 1 + 8 + 32,
    ROW_BYTES = 100,
    LOAD_BLOCK = 10000,
    RETAINED = 100,
    CHAIN_MAX = 16,
    CHAIN_CHANGES = 3000, /* of each overlay: a block of a thousand transactions */
};

static uint64_t key_count = 1000000;
static struct kv *kv;
static struct state *state;
static struct arena memory;
static struct arena scratch;
static struct arena batch_memory;
static uint64_t height;
static struct random draw = {1};

static double clock_s(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Of this thread's work, whatever else the machine does; LevelDB compacts in another one. */
static double now_s(void)
{
    return clock_s(CLOCK_THREAD_CPUTIME_ID);
}

static double wall_s(void)
{
    return clock_s(CLOCK_MONOTONIC);
}

static void must(enum err error, const char *what)
{
    if (error != ERR_OK) {
        (void)fprintf(stderr, "bench_overlay: %s: %s\n", what, err_name(error));
        exit(1);
    }
}

/* The key of a number: the same every time, far from its neighbours'. */
static struct bytes key_of(uint64_t number, uint8_t out[KEY_BYTES])
{
    struct random random = {number};
    struct writer writer = writer_of(out, KEY_BYTES);

    writer_u16(&writer, 3);
    writer_u8(&writer, 1);
    writer_u64(&writer, number % 7);
    for (uint32_t i = 0; i < 4; i++) {
        writer_u64(&writer, random_next(&random));
    }
    return writer_done(&writer);
}

static void put(struct overlay *overlay, uint64_t number)
{
    uint8_t key[KEY_BYTES];
    uint8_t row[ROW_BYTES];
    const uint64_t value = random_next(&draw);

    memset(row, (int)(value & 0xff), sizeof row);
    memcpy(row, &value, sizeof value);
    must(overlay_put(overlay, STATE_ROWS, key_of(number, key), bytes_of(row, sizeof row)), "put");
}

struct cost {
    double put_s;
    double root_s;
    double apply_s;
    double write_s;
    double prune_s;
    uint64_t pruned;
};

static void block_finish(struct overlay *overlay, struct cost *cost)
{
    struct kv_batch batch;
    uint8_t root[HASH_BYTES];
    uint32_t done;
    double start = now_s();

    must(overlay_root(overlay, root), "root");
    cost->root_s += now_s() - start;
    start = now_s();
    arena_reset(&batch_memory);
    kv_batch_init(&batch, &batch_memory);
    must(state_apply(overlay, &batch), "apply");
    cost->apply_s += now_s() - start;
    start = now_s();
    must(kv_write(kv, &batch, false), "write");
    state_written(state, height);
    cost->write_s += now_s() - start;
    start = now_s();
    arena_reset(&batch_memory);
    kv_batch_init(&batch, &batch_memory);
    must(state_prune(state, height, 200000, &batch, &done), "prune");
    must(kv_write(kv, &batch, false), "write");
    cost->prune_s += now_s() - start;
    cost->pruned += done;
    height += 1;
}

static void load(void)
{
    const double start = now_s();
    struct cost cost = {0};

    for (uint64_t at = 0; at < key_count; at += LOAD_BLOCK) {
        struct overlay *overlay = overlay_begin(state, NULL, height);

        for (uint64_t i = at; i < at + LOAD_BLOCK && i < key_count; i++) {
            put(overlay, i);
        }
        block_finish(overlay, &cost);
    }
    for (uint64_t i = 0; i <= RETAINED; i++) { /* so that loading leaves nothing to prune */
        struct overlay *overlay = overlay_begin(state, NULL, height);

        put(overlay, i);
        block_finish(overlay, &cost);
    }
    (void)printf("{\"keys\": %llu, \"load_s\": %.1f", (unsigned long long)key_count,
                 now_s() - start);
}

static void updates(uint32_t count, uint32_t blocks)
{
    struct cost cost = {0};
    const double start = now_s();
    const double start_wall = wall_s();
    const double all = count * (double)blocks;
    double wall;

    for (uint32_t n = 0; n < blocks; n++) {
        const double begun = now_s();
        struct overlay *overlay = overlay_begin(state, NULL, height);

        for (uint32_t i = 0; i < count; i++) {
            put(overlay, random_below(&draw, key_count));
        }
        cost.put_s += now_s() - begun;
        block_finish(overlay, &cost);
    }
    wall = wall_s() - start_wall;
    (void)printf(",\n \"updates_%u\": {\"updates_a_s\": %.0f, \"updates_a_wall_s\": %.0f", count,
                 all / (now_s() - start), all / wall);
    (void)printf(", \"put_us\": %.2f, \"root_us\": %.2f, \"apply_us\": %.2f, \"write_us\": %.2f"
                 ", \"prune_us\": %.2f, \"wall_ms_a_block\": %.2f}",
                 cost.put_s * 1e6 / all, cost.root_s * 1e6 / all, cost.apply_s * 1e6 / all,
                 cost.write_s * 1e6 / all, cost.prune_s * 1e6 / all, wall * 1e3 / blocks);
    (void)fflush(stdout);
}

static double gets(struct overlay *overlay, uint64_t first, uint64_t count, uint32_t rounds)
{
    const double start = now_s();

    for (uint32_t i = 0; i < rounds; i++) {
        uint8_t key[KEY_BYTES];
        struct bytes value;
        const enum err error = overlay_get(
            overlay, STATE_ROWS, key_of(first + random_below(&draw, count), key), &scratch, &value);

        if (error != ERR_OK && error != ERR_ABSENT) {
            must(error, "get");
        }
        if (i % 1000 == 0) {
            arena_reset(&scratch);
        }
    }
    arena_reset(&scratch);
    return rounds / (now_s() - start);
}

static double scans(struct overlay *overlay, uint32_t rounds)
{
    const double start = now_s();

    for (uint32_t i = 0; i < rounds; i++) {
        uint8_t key[KEY_BYTES];
        const struct bytes full = key_of(random_below(&draw, key_count), key);
        struct overlay_scan scan;

        must(overlay_scan_begin(overlay, STATE_ROWS, bytes_of(full.at, 11), full, false, &scratch,
                                &scan),
             "scan");
        for (uint32_t row = 0; row < 10 && overlay_scan_next(&scan); row++) {
        }
        overlay_scan_end(&scan);
        arena_reset(&scratch);
    }
    return rounds / (now_s() - start);
}

static void chain(uint32_t depth)
{
    struct overlay *overlays[CHAIN_MAX];
    double start;
    double put_s = 0;

    for (uint32_t i = 0; i < depth; i++) {
        overlays[i] = overlay_begin(state, i == 0 ? NULL : overlays[i - 1], height + i);
        start = now_s();
        for (uint32_t n = 0; n < CHAIN_CHANGES; n++) {
            put(overlays[i], (uint64_t)i * CHAIN_CHANGES + n);
        }
        put_s += now_s() - start;
    }
    (void)printf(",\n \"chain_%u\": {\"puts_a_s\": %.0f", depth, depth * CHAIN_CHANGES / put_s);
    (void)printf(", \"gets_changed\": %.0f",
                 gets(overlays[depth - 1], 0, (uint64_t)depth * CHAIN_CHANGES, 400000));
    (void)printf(", \"gets_store\": %.0f", gets(overlays[depth - 1], 100000, 20000, 100000));
    (void)printf(", \"gets_store_all\": %.0f", gets(overlays[depth - 1], 0, key_count, 100000));
    (void)printf(", \"gets_absent\": %.0f", gets(overlays[depth - 1], key_count, 20000, 100000));
    (void)printf(", \"scans_of_10\": %.0f}", scans(overlays[depth - 1], 20000));
    (void)fflush(stdout);
    for (uint32_t i = depth; i > 0; i--) {
        overlay_drop(overlays[i - 1]);
    }
}

static void proofs(void)
{
    static uint8_t siblings[PROOF_SIBLINGS_MAX * HASH_BYTES];
    const uint32_t rounds = 20000;
    const double start = now_s();

    for (uint32_t i = 0; i < rounds; i++) {
        uint8_t key[KEY_BYTES];
        struct proof proof;

        must(state_prove(state, height - 1, key_of(random_below(&draw, key_count), key), siblings,
                         &proof),
             "prove");
    }
    (void)printf(",\n \"proofs_a_s\": %.0f}\n", rounds / (now_s() - start));
}

int main(int argc, char **argv)
{
    const struct state_options options = {
        .overlay_bytes = 64 << 20,
        .retain_versions = RETAINED,
        .row_cache_bytes = argc > 3 ? strtoull(argv[3], NULL, 10) << 20 : 32 << 20,
        .node_cache_bytes = argc > 4 ? strtoull(argv[4], NULL, 10) << 20 : 16 << 20,
        .secret = {1, 2},
    };
    const struct leveldb_store_options store = {.preset = LEVELDB_SMALL};

    if (argc < 2 || argc > 5) {
        (void)fprintf(stderr, "bench_overlay FOLDER [KEYS [ROW_CACHE_MIB [NODE_CACHE_MIB]]]\n");
        return 64;
    }
    if (argc > 2) {
        key_count = strtoull(argv[2], NULL, 10);
    }
    must(leveldb_store_open(argv[1], &store, &kv), argv[1]);
    must(arena_open(&memory, state_footprint(&options)), "memory");
    must(arena_open(&scratch, 8 << 20), "memory");
    must(arena_open(&batch_memory, 256 << 20), "memory");
    must(state_open(&options, kv, &memory, &state), "state");
    load();
    updates(50, 400);
    updates(500, 100);
    updates(5000, 20);
    for (uint32_t depth = 1; depth <= CHAIN_MAX; depth *= 2) {
        chain(depth);
    }
    proofs();
    kv_close(kv);
    arena_close(&memory);
    arena_close(&scratch);
    arena_close(&batch_memory);
    return 0;
}

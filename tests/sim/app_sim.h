/*
 * tests/sim/app_sim.h -- the stand-in application: transactions without meaning, a pool, a chained root.
 *
 * A transaction is (client, number), valid once in a chain, and valid in a block or not by a byte of it.  The
 * state is the set of those that are final; its root is the hash over the parent's root, the block's time
 * and its transactions.  Nothing is ever due.  The store (a kv_sim) is not synced, as state.db is not.
 *
 * It is strict with the driver: a block is executed on a parent that is executed or final, finalized in order of
 * height and after it was executed.  Anything else is a broken contract and ends the run.
 */
#ifndef TESTS_SIM_APP_SIM_H
#define TESTS_SIM_APP_SIM_H

#include "base/arena.h"
#include "node/ports.h"
#include "tests/sim/kv_sim.h"

enum { APP_TX_HEAD_BYTES = 37, APP_TX_BYTES_MAX = 1024 };

/* Magic, check, client, number, validity, pools that refuse it, expiry, size; then padding. */
struct app_tx {
    uint32_t client;
    uint32_t number;
    uint8_t validity; /* enum sim_validity */
    uint32_t refused_by;
    uint64_t expiry_ms;
    uint32_t bytes;
};

static inline uint64_t app_tx_key(const struct app_tx *tx)
{
    return (uint64_t)tx->client << 32 | tx->number;
}

void app_tx_write(const struct app_tx *tx, uint8_t *out);
CHECKED bool app_tx_read(struct bytes bytes, struct app_tx *out);

/* A set of keys; 0 is not one. */
struct app_set {
    uint64_t *keys;
    uint32_t count;
    uint32_t size; /* power of two */
};

bool app_set_has(const struct app_set *set, uint64_t key);
void app_set_add(struct app_set *set, uint64_t key);
void app_set_clear(struct app_set *set);
void app_set_free(struct app_set *set);

struct app_overlay {
    uint8_t hash[HASH_BYTES];
    uint8_t parent[HASH_BYTES];
    uint64_t height;
    uint32_t tx_count;
    uint64_t *keys;
    uint8_t *receipts;
    struct bytes result; /* the receipts as a view */
};

struct app_pending {
    struct app_tx tx;
    uint8_t tip[8]; /* on which it has waited, and since which view */
    uint64_t since_cur;
    uint64_t counted_ms;
    uint8_t *bytes; /* APP_TX_BYTES_MAX */
};

struct app_sim {
    struct app_port port;
    struct kv_sim *kv;
    uint32_t node; /* bit of refused_by */
    uint32_t validators;
    uint32_t pool_max;
    uint32_t block_txs_max;
    size_t block_bytes_max;
    struct app_pending *pool; /* oldest first */
    uint32_t pool_count;
    uint32_t pool_size;
    struct app_set final_txs;
    struct app_overlay *overlays;
    uint32_t overlay_count;
    uint32_t overlay_size;
    struct app_overlay building; /* run, not yet named; keys NULL: none */
    uint8_t final_hash[HASH_BYTES];
    uint64_t final_height;
    void (*ran)(void *context);                      /* a block was executed: time passes */
    void (*broken)(void *context, const char *what); /* the driver broke the contract of the port */
    void *context;
};

struct app_sim_options {
    uint32_t node;
    uint32_t validators;
    uint32_t pool_max;
    uint32_t block_txs_max;
    size_t block_bytes_max;
    const uint8_t *block_0_hash;
};

/* Memory is kept between lives (and worlds): start with a zeroed one, free it once. */
void app_sim_open(struct app_sim *app, struct kv_sim *kv, const struct app_sim_options *options);
void app_sim_free(struct app_sim *app);

/* The root after a block, which an oracle computes for itself: see app_sim.c. */
void app_root(const uint8_t parent_root[HASH_BYTES], uint64_t time_ms, struct bytes body,
              uint8_t out[HASH_BYTES]);
void app_receipts_root(uint32_t tx_count, uint8_t out[HASH_BYTES]);

#endif /* TESTS_SIM_APP_SIM_H */

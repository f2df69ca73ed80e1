/*
 * tests/sim/kv_sim.h -- a simulated store: an ordered map whose unsynced batches a power cut takes back.
 *
 * A batch is atomic.  What a power cut loses is a suffix of the batches since the last synced one, never a
 * part of one (reliability A1 to A3).  Rows are shared between the store and its snapshots.
 */
#ifndef TESTS_SIM_KV_SIM_H
#define TESTS_SIM_KV_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "state/kv.h"

struct kv_row; /* immutable, counted */

struct kv_undo {
    uint64_t batch;
    struct kv_row *row; /* what stood there; NULL: nothing */
    struct kv_row *now; /* names the key */
};

struct kv_sim {
    struct kv port;
    struct random *random;
    struct kv_row **rows; /* ascending */
    uint32_t count;
    uint32_t size;
    struct kv_undo *undo; /* of the batches since the last synced one */
    uint32_t undo_count;
    uint32_t undo_size;
    uint64_t batch;         /* number of the newest */
    uint64_t durable_batch; /* newest that a power cut leaves for certain */
    bool snapshot;
    bool dead;
    bool full; /* no write fits (A11) */
    bool write_fails;
    bool read_fails;
    uint32_t crash_in; /* counts down to the crash point; 0: none */
    bool crash_after;
    void (*crashed)(void *context);
    void *context;
    uint64_t writes; /* counted */
};

void kv_sim_init(struct kv_sim *kv, struct random *random);
void kv_sim_free(struct kv_sim *kv);

/* Lose power before or after the k-th batch from now. */
void kv_sim_crash_at(struct kv_sim *kv, uint32_t k, bool after);

void kv_sim_power_cut(struct kv_sim *kv);
void kv_sim_kill(struct kv_sim *kv);

/* A look from outside: the value of a key, empty with at == NULL if there is none. */
struct bytes kv_sim_look(const struct kv_sim *kv, struct bytes key);

/* Change a stored byte. */
bool kv_sim_flip(struct kv_sim *kv, struct bytes key, size_t offset, uint32_t bit);

#endif /* TESTS_SIM_KV_SIM_H */

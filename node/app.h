/*
 * node/app.h -- the application behind node/ports.h: executor, pool, and the state's store.
 *
 * It keeps the overlay, the result and the receipts of each executed block above the applied state; admits
 * transactions (docs/protocol/consensus.md 8.19, steps 2 to 9); builds and executes blocks; writes final ones to
 * state.db, one batch a height, not synced.  Made for the node and for the simulator alike: signatures are
 * checked through a port, batches are written through a port.
 *
 * One thread.  All memory from the arena.
 */
#ifndef NODE_APP_H
#define NODE_APP_H

#include "base/arena.h"
#include "contracts/exec.h"
#include "contracts/sigcache.h"
#include "node/mempool.h"
#include "node/ports.h"
#include "proto/genesis.h"
#include "state/overlay.h"

struct app;

/* One signature of a transaction, to be checked. */
struct app_signature {
    uint8_t public_key[33];
    uint8_t signature[SIGNATURE_BYTES];
};

/* What has to be checked before a transaction is admitted, and comes back with the answer. */
struct app_check {
    struct bytes transaction;
    uint8_t wire_hash[HASH_BYTES];
    uint8_t tx_id[HASH_BYTES];
    uint32_t source;
    uint32_t count;
    struct app_signature signatures[TX_SIGNATURES_MAX];
};

/* What the application asks of the world beside the driver's ports. */
struct app_ports {
    void *self;
    /*
     * Check every signature over tx_id, then call app_checked with a bit for each that holds.  The check and its
     * transaction are copied.  False: the queue is full (8.19, step 7).  The answer never comes from inside the call.
     */
    bool (*check)(void *self, const struct app_check *check);
    /* Write a batch to state.db, then call app_written.  In the order asked. */
    void (*write)(void *self, struct kv *kv, const struct kv_batch *batch, bool sync,
                  uint64_t ticket);
    /* The machine failed. */
    void (*fatal)(void *self, enum err error, const char *what);
};

struct app_options {
    const struct genesis *genesis; /* kept */
    const struct registry *registry;
    struct kv *state; /* state.db; kept */
    struct state_options overlays;
    struct mempool_options pool;
    uint32_t signatures_cached;
    size_t batch_bytes;    /* memory of one batch, touched as needed; 32 MiB */
    size_t receipts_bytes; /* of one block's receipts; 4 MiB */
};

size_t app_footprint(const struct app_options *options);

/*
 * Open over state.db.  A new store is filled from the genesis, synced.  `block_0` gets the header of block 0.
 *
 * Errors: ERR_CORRUPT; ERR_FORM the genesis breaks a rule of the modules; ERR_IO; ERR_NO_SPACE.
 */
CHECKED enum err app_open(const struct app_options *options, const struct app_ports *ports,
                          struct arena *arena, struct app **out, struct block_header *block_0);

/* The port that the driver takes. */
struct app_port app_port_of(struct app *app);

/*
 * Answers to ports.  app_checked admits the transaction if every bit is set and it still may stand in a block; the
 * caller hands an APP_ADMITTED one to driver_admitted, tells the client, and charges the source of an
 * APP_REFUSED one.
 */
enum app_admit app_checked(struct app *app, const struct app_check *check, uint32_t holds,
                           uint64_t wall_ms);
void app_written(struct app *app, uint64_t ticket, enum err error);

/* Height up to which state.db holds everything (written, not only applied). */
uint64_t app_written_height(const struct app *app);

const struct mempool *app_pool(const struct app *app);

/* Why the last admit refused; EXEC_VALID when it was not the executor. */
enum exec_validity app_refusal(const struct app *app);

/* Invariants of tables and limits; aborts.  Slow. */
void app_check(const struct app *app);

#endif /* NODE_APP_H */

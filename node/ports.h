/*
 * node/ports.h -- what the driver asks of the world; each port has a real maker and a simulated one.
 *
 * A port is a table of functions with its own `self`.  Asynchronous work is asked for here and answered by
 * a call of the driver (node/driver.h) from the driver's own thread, never from inside the asking call.
 */
#ifndef NODE_PORTS_H
#define NODE_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "consensus/event.h"
#include "consensus/verify.h"
#include "state/blocks.h"
#include "state/kv.h"
#include "state/vote_log.h"

/*
 * Peers have numbers: a validator its index in the set, a full node PEER_FULL + its place.  Who is who is
 * decided below, by the node key of the session (8.20), never by what a message says.
 */
enum { PEER_FULL = 0x10000, PEER_FULL_MAX = 64 /* places of full nodes */ };
#define PEER_ALL            SX_TO_ALL /* every other validator */
#define PEER_ALL_FULL_NODES SX_TO_FULL_NODES
#define PEER_CLIENT         UINT32_MAX /* as the source of a transaction */

struct net_port {
    void *self;
    /*
     * Send one message, head and body behind each other; both are copied, sealed or dropped before it
     * returns.  A message to a peer without a session is dropped in silence.
     */
    void (*send)(void *self, uint32_t to, uint8_t channel, struct bytes head, struct bytes body);
};

struct clock_port {
    void *self;
    uint64_t (*now_ms)(void *self);  /* monotonic */
    uint64_t (*wall_ms)(void *self); /* UTC */
    void (*arm)(
        void *self,
        uint64_t
            deadline_ms); /* call driver_tick then; replaces the deadline before; UINT64_MAX: none */
};

struct disk_port {
    void *self;
    /* Run disk->sync over the segments in order, then call driver_log_synced.  One at a time. */
    void (*sync)(void *self, const struct vote_log_sync *sync);
    /*
     * Write a batch to a store, then call driver_written with the ticket.  In the order asked.  The batch and
     * its arena stay untouched until then.
     */
    void (*write)(void *self, struct kv *kv, const struct kv_batch *batch, bool sync,
                  uint64_t ticket);
};

struct verify_port {
    void *self;
    /*
     * Run verify_message and call driver_verified.  `message` stays valid until then.  The simulator may
     * answer on the next turn of its loop, the node on its verify thread.
     */
    void (*verify)(void *self, uint64_t ticket, struct bytes message, uint32_t known);
};

struct signer_port {
    void *self;
    /* Sign a statement of 93 bytes with the own consensus key; false: refused.  At once. */
    bool (*sign)(void *self, struct bytes statement, uint8_t signature[SIGNATURE_BYTES]);
};

/* What the host knows about a block that it has executed, for the header's comparison and the commit. */
struct app_result {
    uint8_t flags; /* BLOCK_SCHED, BLOCK_HEARTBEAT, BLOCK_EPOCH_END */
    uint8_t receipts_root[HASH_BYTES];
    uint8_t state_root[HASH_BYTES];
    uint8_t next_valset_hash[HASH_BYTES];
    uint64_t units_used;
    struct bytes
        receipts; /* as blocks_new.receipts; valid until the block is finalized or dropped */
};

enum app_admit {
    APP_ADMITTED,    /* new, kept: push it on */
    APP_KNOWN,       /* seen before */
    APP_REFUSED,     /* refused for good */
    APP_REFUSED_NOW, /* full, busy, or not valid on the present tip */
    APP_MALFORMED,   /* not a transaction */
    APP_PENDING,     /* signatures are being checked; driver_admitted will say */
};

/*
 * The application: executor and pool.  Blocks are named by hash; an executed block that is not final yet
 * stands in an overlay above its parent's.  Block 0 and the final block are always executed.
 *
 * Makers: node/app.c over contracts, and the stand-in tests/sim/app_sim.c, which the simulator still runs.
 */
struct app_port {
    void *self;

    /*
     * Start: height that the application's own store holds.  The driver replays the final blocks above it
     * with execute and finalize before anything else.
     */
    uint64_t (*applied_height)(void *self);

    /*
     * Run a block on its parent, which is executed.  Fills `out` and keeps the overlay under `hash`.
     * False: a transaction is invalid in this block, nothing is kept.  The driver compares `out` with the header.
     * It may ask again for a block whose overlay is kept (its body came back): the answer is the same.
     */
    bool (*execute)(void *self, const struct block_header *parent, const uint8_t *parent_hash,
                    const struct block_header *header, const uint8_t *hash, struct bytes body,
                    struct app_result *out);

    /*
     * Choose transactions for a block of time `time_ms` on this parent and run them.  Writes the body of at
     * most `body_size` bytes and fills `out`; the driver computes txs_root.  False: nothing to build (no
     * transaction, no due action).  The overlay is kept when the driver names its block with `built`.
     */
    bool (*build)(void *self, const struct block_header *parent, const uint8_t *parent_hash,
                  uint64_t time_ms, uint8_t *body, size_t body_size, size_t *body_count,
                  uint32_t *tx_count, struct app_result *out);
    void (*built)(void *self, const struct block_header *header, const uint8_t *hash);

    /*
     * Is there something that an honest leader could put on this tip now: an includable transaction, a due
     * action (wall >= due + 200 ms), a heartbeat (8.6, 3 to 5)?  `full`: enough for a full block.
     */
    void (*work)(void *self, const struct block_header *tip, const uint8_t *tip_hash, uint64_t cur,
                 uint64_t wall_ms, bool *present, bool *full);

    /* Blocks become final in order of height, after their commit is durable; other branches are dropped. */
    void (*finalize)(void *self, const struct block_header *header, const uint8_t *hash,
                     struct bytes body);

    /* A transaction from a peer, or from a client (`source` is PEER_CLIENT). */
    enum app_admit (*admit)(void *self, struct bytes transaction, uint32_t source,
                            uint64_t wall_ms);

    /* Up to `max` pending transactions, oldest first, for the push to a peer whose session opened. */
    uint32_t (*pending)(void *self, struct bytes *out, uint32_t max);
};

/* What the driver tells: clients, metrics, the simulator's oracles. */
struct tell_port {
    void *self;
    /* A block is final and durable here.  `certificate` finalizes it or a later one of the same batch. */
    void (*final)(void *self, const struct block_header *header, const uint8_t *hash,
                  struct bytes body, struct bytes receipts, const struct certificate *certificate);
    void (*report)(void *self, enum sx_report what, uint64_t view);
    /* Two votes of one validator that contradict each other, for a transaction (8.15).  May be NULL. */
    void (*evidence)(void *self, const struct vote *first, const struct vote *second);
    /* A peer sent something wrong; the session layer charges or closes (8.20). */
    void (*fault)(void *self, uint32_t peer, enum verify_fault fault);
    /* The machine failed: stop.  The driver does nothing more after it. */
    void (*fatal)(void *self, enum err error, const char *what);
    /* Execution of a block here gave something else than its header says; fields that differ, as text. */
    void (*diverged)(void *self, const struct block_header *header,
                     const struct app_result *result);
};

struct ports {
    struct net_port net;
    struct clock_port clock;
    struct disk_port disk;
    struct verify_port verify;
    struct signer_port signer;
    struct app_port app;
    struct tell_port tell;
};

#endif /* NODE_PORTS_H */

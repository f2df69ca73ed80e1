/*
 * node/driver.h -- obeys the consensus core: bodies, execution, the vote log, commits, sync, messages.
 *
 * The same file runs under libuv and under the simulator: it names no outside library and stands on ports
 * (node/ports.h).  One thread calls it.  After each step of the core it does, in this order: execute,
 * durable, send, commit, tell.  Nothing here calls the core from inside the core: events are queued.
 *
 * What it keeps: bodies of unfinalized blocks by hash (a fixed pool), the messages being verified, sends that
 * wait for a sync, one commit under way, and one range of blocks being fetched a peer.
 */
#ifndef NODE_DRIVER_H
#define NODE_DRIVER_H

#include "base/arena.h"
#include "node/ports.h"

struct driver;

enum { DRIVER_BODY_SLOTS_MIN = 20, DRIVER_BODY_SLOTS_MAX = 1024 };

struct driver_options {
    uint8_t chain_id[HASH_BYTES];
    struct block_header block_0;
    uint16_t own_index;              /* VALIDATOR_NONE: a full node */
    uint8_t own_key[32];             /* consensus key, for the vote log's KEY record */
    const struct validator_set *set; /* kept */
    uint8_t params_hash[HASH_BYTES];
    struct sx_params params;
    uint32_t max_block_bytes;
    uint32_t body_slots; /* bodies above the final block; 64, at least DRIVER_BODY_SLOTS_MIN */
    struct vote_log_options log;
    const struct disk *log_disk; /* NULL for a full node */
    struct kv *blocks;           /* blocks.db; kept, closed by the caller */
    uint64_t seed;               /* of choices that need not be secret */
};

size_t driver_footprint(const struct driver_options *options);

/*
 * Open vote log and blocks.db, replay what the application lacks, start and restore the core.  Everything
 * lives in `arena`, which must be zeroed; ports are kept.  `found` tells how the vote log was found: a log that
 * is not whole makes a node that follows and signs nothing.
 *
 * Errors: ERR_CORRUPT blocks.db is damaged or of another chain, or a replayed block gives another root;
 * ERR_IO; ERR_NO_SPACE the arena is too small.
 */
CHECKED enum err driver_open(const struct driver_options *options, const struct ports *ports,
                             struct arena *arena, struct driver **out,
                             struct vote_log_found *found);

/* The deadline of clock_port.arm passed, or the session layer wants a look. */
void driver_tick(struct driver *driver);

/* A session with this peer opened, closed, or brought a frame (at most once a second and peer). */
void driver_session(struct driver *driver, uint32_t peer, enum sx_session what);

/* A whole message from a peer.  Copied where it is kept.  PING, HELLO and their kind stay below. */
void driver_receive(struct driver *driver, uint32_t peer, struct bytes message);

/* A transaction from a client, or one whose signatures were checked.  Admitted ones are pushed to validators. */
enum app_admit driver_submit(struct driver *driver, struct bytes transaction);

/* What app_port.admit left open (APP_PENDING) was admitted: push it on as driver_submit does. */
void driver_admitted(struct driver *driver, struct bytes transaction, uint32_t source);

/* The pool changed (a transaction became includable): ask the application about work again. */
void driver_work_changed(struct driver *driver);

/* Answers to ports. */
void driver_verified(struct driver *driver, uint64_t ticket, enum verify_fault what,
                     const struct verified_message *message);
void driver_log_synced(struct driver *driver, enum err error);
void driver_written(struct driver *driver, uint64_t ticket, enum err error);

/* Where the node stands. */
struct sx_summary;
void driver_summary(const struct driver *driver, struct sx_summary *out);
const struct blocks *driver_blocks(const struct driver *driver);

/* Invariants too slow for each event: bounds of every queue and table, the core's too (oracle 5, 6). */
void driver_check(const struct driver *driver);

#endif /* NODE_DRIVER_H */

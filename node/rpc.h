/*
 * node/rpc.h -- the node's face to clients, in a thread and a loop of its own.
 *
 * Source: docs/protocol/rpc.md; limits in its table.  JSON-RPC 2.0 on `POST /`, routes `/livez /readyz`.
 * What crosses between the main thread and this one: submissions one way through a bounded ring, verdicts and
 * final blocks the other; reads go to LevelDB snapshots and never to the main thread.  A heavy query cannot
 * delay consensus.
 */
#ifndef NODE_RPC_H
#define NODE_RPC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "node/ports.h"
#include "proto/genesis.h"
#include "proto/validators.h"

struct rpc;

enum {
    RPC_RING_COUNT = 1024, /* submissions on their way to the main thread */
    RPC_RING_BYTES = 8 << 20,
};

struct rpc_options {
    const char *host;           /* address to listen on */
    uint16_t port;              /* 0: any, see rpc_port */
    const char *const *origins; /* ended by NULL */
    const char *const *hosts;   /* names allowed in Host besides the defaults; ended by NULL */
    const char *version;        /* of the program */
    const char *node_name;

    const struct genesis *genesis; /* kept, as all below */
    struct kv *blocks;
    struct kv *state;
    struct kv
        *index; /* index.db; written by this thread alone: `T|tx_id` -> be64 height, be32 place */
};

/* What the main thread says about itself, at each commit and once a second. */
struct rpc_status {
    uint64_t epoch, view, final_view, final_height;
    uint64_t highest_height; /* notarized, or claimed by a peer */
    uint16_t leader;
    uint16_t own_index; /* VALIDATOR_NONE: a full node */
    bool votes;
    bool syncing;
    uint32_t peers; /* open sessions */
    uint32_t pool_count;
    uint64_t pool_bytes;
};

/* Called on the rpc thread when submissions wait in the ring; must wake the main thread (uv_async_send). */
struct rpc_wake {
    void *self;
    void (*wake)(void *self);
};

/*
 * Listen, start the thread.  Everything in `options` is kept.
 *
 * Errors: ERR_BUSY the port is taken; ERR_DENIED the address may not be bound; ERR_NO_SPACE; ERR_IO.
 */
CHECKED enum err rpc_open(const struct rpc_options *options, const struct rpc_wake *wake,
                          struct rpc **out);

uint16_t rpc_port(const struct rpc *rpc);

/* Stop the thread, close every connection; at most one second.  Accepts NULL. */
void rpc_close(struct rpc *rpc);

/* -- Called by the main thread. -- */

/* The next submission, or false.  The bytes are a view until rpc_answer with this ticket, which is due. */
CHECKED bool rpc_next(struct rpc *rpc, uint64_t *ticket, struct bytes *transaction);

/* What admission said; `reason` is a word of enum exec_validity or NULL. */
void rpc_answer(struct rpc *rpc, uint64_t ticket, enum app_admit admit, const char *reason);

/*
 * Heights up to `height` are final, durable in blocks.db, and applied and written to state.db.  The thread reads the
 * rest itself.
 */
void rpc_final(struct rpc *rpc, uint64_t height);

void rpc_status_set(struct rpc *rpc, const struct rpc_status *status);

#endif /* NODE_RPC_H */

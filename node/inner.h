/*
 * node/inner.h -- what the files of the driver share; nobody else includes it.
 *
 * driver.c: the loop and the order of duties.  commit.c: final blocks into blocks.db.  messages.c: what peers
 * say.  sync.c: bodies and ranges of final blocks from peers.  push.c: transactions to peers.  bodies.c: the pool.
 *
 * A call from outside enters, lets its event do its work, runs the queue of answers to the core until it is
 * empty, and leaves.  Nothing steps the core but driver_step, and nothing calls that from inside a step.
 */
#ifndef NODE_INNER_H
#define NODE_INNER_H

#include "base/random.h"
#include "base/writer.h"
#include "consensus/sx.h"
#include "node/bodies.h"
#include "node/driver.h"
#include "proto/record.h"
#include "proto/wire.h"

enum {
    ANSWERS_MAX =
        1024,        /* to the core, waiting: it asks each thing once, and each answer is small */
    SIGNS_MAX = 64,  /* that wait for a sync */
    COMMITS_MAX = 8, /* jobs; the core has one at a time, sync two, and what one of them overtook */
    FETCHES_MAX = 512,
    RANGES_MAX = 2,
    TURNS_MAX = 1 << 20, /* of one run; more is a loop without end */
    MORE_MAX = 1 << 16,

    SECOND_MS = 1000,
    FETCH_RETRY_MS = 300,
    RANGE_TIMEOUT_MS = 3000,
    SYNC_IDLE_MS =
        10000,           /* a peer that refused a height it claimed is left alone so long at most */
    SYNC_NEAR = 2,       /* so many blocks behind, consensus itself brings them */
    SYNC_WAIT_MS = 1000, /* and sync if it does not */

    GET_RATE = 20,                    /* GET_BLOCK and GET_BLOCKS a second and peer */
    SERVE_VALIDATOR_BYTES = 32 << 20, /* a second */
    SERVE_OTHER_BYTES = 4 << 20,
    PUSH_OLDEST_MAX = 32, /* announced again each second */
    PUSH_BYTES_MAX = (72 << 10) - 16,
    PUSH_ALL_VALIDATORS = 16, /* up to so many all get a new transaction */
};

/* An answer that waits for the core. */
struct answer {
    enum sx_event_kind kind;
    union {
        struct {
            uint64_t view;
            bool built;
            struct block_header header;
        } built;
        struct {
            uint8_t block[HASH_BYTES];
            enum sx_verdict verdict;
        } executed;
        uint8_t body[HASH_BYTES];
        uint64_t recorded_seq;
        struct {
            uint32_t request;
            bool done;
            uint8_t signature[SIGNATURE_BYTES];
        } signed_;
        struct {
            uint8_t tip[HASH_BYTES];
            bool present;
            bool full;
        } work;
    };
};

struct sign_wait {
    uint32_t request;
    uint64_t after_seq;
    uint8_t statement[STATEMENT_BYTES];
};

/* Tokens that come back with time. */
struct bucket {
    uint64_t level;
    uint64_t at_ms;
};

struct peer {
    bool open;
    /* Claims of its STATUS; nothing is proven by them. */
    uint64_t claim_height;
    uint64_t claim_earliest;
    uint64_t ask_after_ms; /* no range is asked of it before */
    uint32_t refusals;     /* in a row */
    uint32_t ranges;       /* asked of it and open */
    uint64_t status_ms;    /* when this node last sent it its own STATUS (full nodes) */
    struct bucket gets;
    struct bucket served;
};

/* A message on its way through verification. */
struct pending {
    uint64_t ticket; /* 0: free */
    uint32_t peer;
    uint8_t *memory;
    size_t size;
    size_t head_bytes; /* what is verified */
    size_t count;      /* with the body behind it */
};

/* Pending messages of up to one size. */
struct pendings {
    uint32_t count;
    uint32_t peer_max;
    size_t size;
    struct pending *slots;
};

enum { PENDING_SMALL, PENDING_CERT, PENDING_PROPOSAL, PENDING_CLASSES };

struct commit {
    bool core; /* asked for by the core, which waits for its answer */
    uint32_t count;
    uint8_t hashes[SX_COMMITS_MAX][HASH_BYTES];
    struct candidate final;
    struct bytes certificate; /* in memory of the job */
    uint32_t keep_count;
    struct certificate keeps[SX_KEEPS_MAX];
    uint8_t *memory;
};

struct commits {
    struct commit jobs[COMMITS_MAX];
    uint32_t first;
    uint32_t count;
    bool writing; /* the first job is with the disk */
    uint64_t ticket;
    uint32_t new_count; /* of the batch that is being written */
    struct body *news[SX_COMMITS_MAX];
    struct blocks_final final;
    struct block_header header;
    struct kv_batch batch;
    struct arena arena;
    struct blocks_new rows[SX_COMMITS_MAX];
};

struct fetch {
    bool used;
    bool own; /* the driver itself needs it, for a commit */
    uint8_t hash[HASH_BYTES];
    uint32_t peer; /* asked last */
    uint64_t next_ms;
};

enum range_state { RANGE_FREE, RANGE_ASKED, RANGE_HERE };

struct range {
    enum range_state state;
    uint32_t id;
    uint32_t peer;
    uint64_t from;
    uint32_t blocks;
    uint64_t asked_ms;
    uint8_t *memory; /* the answer */
    struct wire_blocks answer;
};

struct sync {
    struct fetch fetches[FETCHES_MAX];
    struct range ranges[RANGES_MAX];
    size_t range_bytes_max;
    uint32_t range_blocks; /* asked for at once */
    uint32_t next_id;
    uint64_t behind_since_ms; /* UINT64_MAX: nobody claims more than is final here */
    uint64_t behind_height;
    uint64_t tail_height; /* above the final block: executed here, its certificate still to come */
    uint8_t tail_hash[HASH_BYTES];
};

struct driver {
    struct ports ports;
    struct sx *sx;
    struct sx_out out;
    struct verify_context context;
    struct leader_order order;
    uint8_t valset_hash[HASH_BYTES];
    uint8_t params_hash[HASH_BYTES];
    uint16_t own_index;
    uint32_t n;
    uint32_t max_block_bytes;
    struct random random;

    bool dead; /* tell.fatal was said */
    enum err dead_why;
    bool inside;  /* a call from outside is being served */
    bool started; /* the core was told SX_RESTORED */
    uint64_t core_deadline_ms;
    uint64_t second_ms;
    uint64_t last_ticket;

    struct answer answers[ANSWERS_MAX];
    uint32_t answer_first;
    uint32_t answer_count;

    struct vote_log
        *log; /* NULL: keeps none, or lost its data: records are dropped and nothing is signed */
    struct vote_log_sync log_sync;
    bool log_syncing;
    bool log_wanted; /* a vote hangs on what is not durable yet */
    struct sign_wait signs[SIGNS_MAX];
    uint32_t sign_count;

    struct blocks blocks;
    struct bodies bodies;
    struct commits commits;
    struct sync sync;
    struct pendings pendings[PENDING_CLASSES];
    struct peer *peers; /* validators, then PEER_FULL_MAX full nodes */

    struct {
        bool known;
        uint64_t cur;
        uint8_t hash[HASH_BYTES];
    } tip;
    bool work_stale; /* ask the application again */
    bool work_told;
    bool work_present;
    bool work_full;
    uint8_t work_tip[HASH_BYTES];

    struct arena scratch; /* rows of blocks.db that are looked at */
    size_t message_size;
    uint8_t *message; /* that is being written */
};

/* driver.c */
void driver_fatal(struct driver *driver, enum err error, const char *what);
struct answer *driver_answer(struct driver *driver, enum sx_event_kind kind);
void driver_answer_body(struct driver *driver, const uint8_t *hash);
void driver_step(struct driver *driver, struct sx_event *event);
void driver_deliver(struct driver *driver);
bool driver_enter(struct driver *driver); /* false: dead */
void driver_leave(struct driver *driver);
uint64_t driver_now(const struct driver *driver);

/* execute.c */
enum sx_verdict execute_block(struct driver *driver, const uint8_t *hash);
void execute_build(struct driver *driver, uint64_t view, uint64_t time_ms, const uint8_t *parent);
bool execute_parent(struct driver *driver, const uint8_t *hash, struct block_header *header,
                    struct history *history);
bool execute_agrees(const struct block_header *header, const struct app_result *result);

/* commit.c */
size_t commit_footprint(uint32_t validators);
void commit_init(struct driver *driver, struct arena *arena);
struct commit *commit_add(struct driver *driver, const struct candidate *final,
                          struct bytes certificate);
bool commit_room(const struct driver *driver);
void commit_core(struct driver *driver);
bool commit_run(struct driver *driver);

/* messages.c */
size_t messages_footprint(uint32_t validators, uint32_t body_bytes_max);
void messages_init(struct driver *driver, struct arena *arena);
struct peer *peer_of(struct driver *driver, uint32_t peer);
bool peer_is_validator(const struct driver *driver, uint32_t peer);
uint32_t peer_random(struct driver *driver, uint32_t except);
bool bucket_take(struct bucket *bucket, uint64_t now_ms, uint64_t rate, uint64_t cost);
void messages_status_to(struct driver *driver, uint32_t peer);
void messages_check(const struct driver *driver);

/* sync.c */
size_t sync_footprint(uint32_t validators, uint32_t body_bytes_max);
void sync_init(struct driver *driver, struct arena *arena, uint32_t body_slots);
void fetch_add(struct driver *driver, const uint8_t *hash, uint32_t peer, bool own);
void fetch_block(struct driver *driver, uint32_t peer, struct bytes message);
void sync_claim(struct driver *driver, uint32_t peer, uint64_t height, uint64_t earliest);
void sync_blocks(struct driver *driver, uint32_t peer, struct bytes message);
void sync_committed(struct driver *driver);
void sync_closed(struct driver *driver, uint32_t peer);
bool sync_run(struct driver *driver);
void sync_tick(struct driver *driver);
uint64_t sync_deadline(const struct driver *driver);
void sync_check(const struct driver *driver);

/* serve.c */
void serve_get_block(struct driver *driver, uint32_t peer, struct bytes message);
void serve_get_blocks(struct driver *driver, uint32_t peer, struct bytes message);
size_t serve_bytes(uint32_t validators, uint32_t body_bytes_max);

/* push.c */
void push_received(struct driver *driver, uint32_t peer, struct bytes message);
void push_opened(struct driver *driver, uint32_t peer);
void push_second(struct driver *driver);
void push_new(struct driver *driver, struct bytes transaction, uint32_t source);

#endif /* NODE_INNER_H */

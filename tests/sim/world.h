/*
 * tests/sim/world.h -- the inside of the simulator: what its own files share and scenarios do not see.
 *
 *     sim.c       the world: queue, clock, events, what a scenario asks
 *     machine.c   a node: its disks and stores, a driver over ports, crash and restart
 *     net_sim.c   packets, links, sessions, rules
 *     byzantine.c roles
 *     facts.c     who signed what, who has heard what, which blocks there are
 *     oracles.c   what must hold
 *     swarm.c     worlds drawn from a seed
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "base/arena.h"
#include "base/random.h"
#include "node/driver.h"
#include "tests/sim/app_sim.h"
#include "tests/sim/disk_sim.h"
#include "tests/sim/kv_sim.h"
#include "tests/sim/sim.h"
#include "tests/sim/words.h"

enum {
    US_PER_MS = 1000,
    US_PER_S = 1000000,
    SIM_RULES_MAX = 64,
    SIM_PENDING_WRITES_MAX = 64,
    SIM_VERIFY_MAX = 4096,
    SIM_BLOCK_BYTES_MAX = 64 << 10,
};

#define SIM_NEVER UINT64_MAX

/* Each kind of draw has its own sequence, so that turning one fault off leaves the others' draws alone. */
enum sim_stream {
    STREAM_NETWORK,
    STREAM_DISK,
    STREAM_CLOCK,
    STREAM_WORKLOAD,
    STREAM_BYZANTINE,
    STREAM_FAULTS,
    STREAM_NODES,
    STREAM_COUNT,
};

/* Things that must have been seen in a batch, or the batch proves nothing about them. */
#define SIM_MARKS(X)                                                                               \
    X(SKIPPED_VIEW, "skipped view in a justification")                                             \
    X(REPEAT_FINAL, "REPEAT final")                                                                \
    X(NOTARIZE_AFTER_NULLIFY, "NOTARIZE after own NULLIFY")                                        \
    X(FINALIZE_LATE, "FINALIZE after leaving the view")                                            \
    X(FINALIZE_WITHOUT_NOTARIZE, "FINALIZE without own NOTARIZE")                                  \
    X(NULLIFY_BELOW, "NULLIFY below the view (R6 b)")                                              \
    X(SEGMENT_FREED, "vote-log segment freed")                                                     \
    X(SEGMENT_NEXT, "vote log goes on in a second segment")                                        \
    X(TORN_TAIL, "torn tail dropped")                                                              \
    X(LOG_DAMAGED, "damaged vote log refused")                                                     \
    X(FAST_SKIP, "fast skip")                                                                      \
    X(SAME_VIEW_RESTART, "restart in the same view")                                               \
    X(RESTART_VOTED, "restart after a vote in the view")                                           \
    X(POWER_CUT, "power cut")                                                                      \
    X(KILLED, "process killed")                                                                    \
    X(BLACKOUT, "all nodes down at once")                                                          \
    X(REPLAYED, "final blocks replayed after a crash")                                             \
    X(PROPOSAL_AGAIN, "proposal sent again after a restart")                                       \
    X(JUMP, "views jumped over")                                                                   \
    X(ABANDONED, "notarized block abandoned")                                                      \
    X(ANCESTORS_FINAL, "several blocks final by one certificate")                                  \
    X(EQUIVOCATION, "two proposals of one leader")                                                 \
    X(INVALID_BLOCK, "invalid block proposed")                                                     \
    X(FETCHED, "block fetched")                                                                    \
    X(SYNCED, "range of final blocks fetched")                                                     \
    X(FULL_NODE, "full node fetched blocks")                                                       \
    X(CERTS_ASKED, "certificates asked for")                                                       \
    X(PARTITION, "partition")                                                                      \
    X(ONE_WAY, "one-way cut")                                                                      \
    X(CLOG, "clogged link")                                                                        \
    X(PAUSE, "paused node")                                                                        \
    X(CLOCK_JUMP, "clock jump")                                                                    \
    X(DISK_ERROR, "node stopped by a disk error")                                                  \
    X(POOL_FULL, "full pool")                                                                      \
    X(EVIDENCE, "contradicting votes noticed")                                                     \
    X(TWIN, "twins notarized different blocks")                                                    \
    X(TIMERS_GROWN, "more than three views without finality")                                      \
    X(SILENCE, "silence")

enum sim_mark {
#define SIM_MARK_ENUMERATOR(name, text) MARK_##name,
    SIM_MARKS(SIM_MARK_ENUMERATOR)
#undef SIM_MARK_ENUMERATOR
        MARK_COUNT
};

const char *sim_mark_name(enum sim_mark mark);

/* ---- packets ---- */

/* Bytes on their way, shared by all who get them; never changed. */
struct packet {
    struct packet *next; /* free, held or waiting */
    uint32_t holders;
    uint32_t count;
    uint32_t size_class;
    struct packet *held; /* this one only keeps another, and its way */
    uint32_t from;
    uint32_t to;
    uint64_t digest;
    struct words words;
    uint8_t bytes[];
};

struct packet *packet_make(struct sim *sim, struct bytes head, struct bytes body);
void packet_drop(struct packet *packet);

static inline struct bytes packet_bytes(const struct packet *packet)
{
    return bytes_of(packet->bytes, packet->count);
}

/* ---- events ---- */

enum event_kind {
    EVENT_PACKET,  /* arrives at node, from other */
    EVENT_TICK,    /* the driver's deadline */
    EVENT_SYNC,    /* the vote log's sync is done */
    EVENT_WRITE,   /* a batch is written */
    EVENT_PING,    /* look at sessions, every two seconds */
    EVENT_DIAL,    /* node tries to open a session to other */
    EVENT_CLOSE,   /* node notices that its session to other is gone */
    EVENT_RESTART, /* start a node that is down */
    EVENT_SWARM,   /* a fault or a client of the swarm; number says which */
};

struct event {
    uint64_t at_us;
    uint64_t order;
    struct packet *packet;
    uint64_t number; /* session of a packet, kind of a fault */
    uint32_t life;   /* of the node; UINT32_MAX: any */
    uint8_t kind;
    uint8_t node;
    uint8_t other;
};

void sim_push(struct sim *sim, const struct event *event);

/* ---- nodes ---- */

struct pending_write {
    struct kv *kv;
    const struct kv_batch *batch;
    bool sync;
    uint64_t ticket;
};

struct verify_job {
    uint64_t ticket;
    struct bytes message;
    uint32_t known;
};

struct byzantine;

struct node {
    struct sim *sim;
    uint32_t number;
    uint32_t validator; /* VALIDATOR_NONE: a full node */
    uint32_t peer;      /* as the others' drivers name it */
    bool twin;          /* one of two with the same key */
    bool damaged;       /* its disk lies: it counts as faulty */
    bool disk_failed;   /* the log takes no more */
    enum sim_role role;
    struct byzantine *byzantine;

    /* What survives. */
    struct disk_sim disk;
    struct kv_sim blocks;
    struct kv_sim state;
    uint8_t secret[32];
    bool log_made;

    /* A life. */
    bool up;
    uint32_t life;
    struct arena arena;
    struct driver *driver;
    struct ports ports;
    struct app_sim app;
    struct vote_log_found found;
    enum err fatal; /* it stopped itself */
    const char *fatal_why;
    bool opening;    /* inside driver_open */
    uint32_t inside; /* calls of the driver under way */
    bool dying;      /* at the end of the call power is gone (dead: already) */
    enum sim_crash dying_how;
    uint64_t deadline_ms;
    uint64_t timer_us; /* of the earliest tick event that is queued */
    uint64_t busy_until_us;
    uint64_t execution_us;
    struct vote_log_sync sync;
    bool syncing;
    struct pending_write writes[SIM_PENDING_WRITES_MAX];
    uint32_t write_first;
    uint32_t write_count;
    uint64_t write_due_us;
    struct verify_job jobs[SIM_VERIFY_MAX];
    uint32_t job_first;
    uint32_t job_count;
    struct sx_summary summary; /* after the last event */
    uint64_t view_before;      /* of the life before */
    uint64_t start_height;     /* that the application's store held */
    uint64_t crashed_us;

    /* Clocks: the wall's offset and the drift of both. */
    int64_t wall_offset_us;
    int64_t clock_us; /* the offset of a good clock */
    int64_t drift_ppm;
    uint64_t boot_us;
    uint64_t mono_base_us;

    /* What the oracles keep of it. */
    struct app_set durable;       /* records under a completed sync */
    uint64_t durable_cert_view;   /* highest view with a durable certificate */
    struct app_set released;      /* votes that left, over all lives */
    struct app_set released_life; /* in this life, for the trace */
    uint64_t told_height;         /* highest that clients were told */
    uint8_t told_hash[HASH_BYTES];
    uint64_t final_view_seen;
    uint64_t epoch_seen;
    uint32_t reports[SX_REPORT_CONFLICT + 1];
    uint64_t faults_charged;
    uint64_t sent_messages[16]; /* by bit of enum sim_what */
    uint64_t sent_bytes;
    uint32_t events; /* since the last slow check */
};

bool node_honest(const struct node *node);

void machine_init(struct sim *sim, uint32_t number);
void machine_close(struct node *node);
bool machine_start(struct node *node); /* false: it cannot start, `fatal` says why */
void machine_crash(struct node *node, enum sim_crash how);
void machine_event(struct node *node, const struct event *event);
void machine_session(struct node *node, uint32_t peer, enum sx_session what);
void machine_deliver(struct node *node, uint32_t from, struct packet *packet);
enum app_admit machine_submit(struct node *node, struct bytes transaction);
uint64_t machine_now_us(const struct node *node);
uint64_t machine_wall_us(const struct node *node);

/* ---- network ---- */

struct link {
    bool open; /* as this side sees it */
    bool dialling;
    uint64_t heard_us;
    uint64_t told_us; /* when the driver was last told so */
    uint64_t sent_us;
    uint64_t clog_us;  /* nothing arrives before */
    uint64_t fixed_us; /* latency of this link; SIM_NEVER: as the network's */
};

struct net_options {
    uint64_t least_us;
    uint64_t mean_us; /* exponential, on top; 0: none */
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t replay_ppm;
    uint32_t slow_ppm; /* heavy tail: twenty times the delay */
    uint64_t dial_us;  /* longest wait before a dial */
};

struct rule {
    struct sim_rule rule;
    bool used;
    uint32_t hits;
    struct packet *held; /* copies that know their way, oldest first */
    struct packet **held_end;
};

void net_init(struct sim *sim);
void net_close(struct sim *sim);
/* What a node hands to its network port; `to` as in node/ports.h. */
void net_send(struct node *from, uint32_t to, struct packet *packet);
/* One packet to one node, rules and faults applied. */
void net_put(struct node *from, uint32_t to_node, struct packet *packet);
/* As net_put, without rules, faults and sessions, after `delay_us`. */
void net_deliver_later(struct sim *sim, uint32_t from, uint32_t to, struct packet *packet,
                       uint64_t delay_us);
void net_packet_event(struct sim *sim, const struct event *event);
void net_ping(struct node *node);
void net_dial(struct sim *sim, uint32_t a, uint32_t b);
void net_close_event(struct sim *sim, uint32_t a, uint32_t b);
void net_node_up(struct node *node);
void net_node_down(struct node *node, enum sim_crash how);
uint64_t net_delay_us(struct sim *sim, uint32_t from, uint32_t to);
bool net_reach(const struct sim *sim, uint32_t from, uint32_t to);

/* An exponential draw of this mean. */
uint64_t sim_exponential(struct random *random, uint64_t mean);

/* ---- facts ---- */

/* A block that somebody proposed. */
struct known_block {
    uint8_t hash[HASH_BYTES];
    struct block_header header;
    struct packet *packet; /* that first showed it */
    struct bytes body;
    uint32_t letter;
    bool honest; /* shown by an honest leader */
    bool valid;  /* by the oracle's own check */
    struct known_block *next;
};

/* Who signed a candidate, and who has heard of which of these signatures. */
struct fact {
    uint64_t parent_view;
    uint8_t block[HASH_BYTES];
    uint32_t signed_by[4];            /* by kind; NOTARIZE and FINALIZE */
    uint16_t heard[SIM_NODES_MAX][2]; /* NOTARIZE, FINALIZE */
    bool proposed;
    struct fact *next;
};

struct view_facts {
    uint64_t epoch;
    uint64_t view;
    uint32_t nullified_by;
    uint16_t heard_nullify[SIM_NODES_MAX];
    struct fact *facts;
    uint8_t lowest_proposal[HASH_BYTES];
    uint32_t proposals;
    bool abandoned;
};

struct facts {
    struct view_facts **views; /* hash table */
    uint32_t view_count;
    uint32_t view_size;
    struct known_block **blocks;
    uint32_t block_count;
    uint32_t block_size;
    struct known_block *lettered[4096];
    uint32_t letter_count;
    uint8_t *memory; /* pieces of the above, given back at once */
    struct facts_piece *pieces;
    size_t left;
};

void facts_close(struct facts *facts);
struct view_facts *facts_view(struct sim *sim, uint64_t epoch, uint64_t view, bool make);
struct fact *facts_of(struct sim *sim, uint64_t epoch, uint64_t view, uint64_t parent_view,
                      const uint8_t *block, bool make);
void facts_signed(struct sim *sim, uint32_t node, struct bytes statement);
/* A node got these words (or made them). */
void facts_heard(struct sim *sim, uint32_t node, const struct words *words);
struct known_block *facts_block(struct sim *sim, const uint8_t *hash);
/* A block that `packet` holds. */
void facts_learn(struct sim *sim, const uint8_t *hash, struct packet *packet, const uint8_t *header,
                 struct bytes body, bool honest);
void facts_proposed(struct sim *sim, uint32_t node, struct packet *packet);
bool facts_is_quorum(const struct sim *sim, uint32_t signers);
uint64_t digest_of(struct bytes bytes, uint64_t seed);

/* ---- oracles ---- */

__attribute__((format(printf, 3, 4))) void sim_fail(struct sim *sim, uint32_t oracle,
                                                    const char *format, ...);
void oracles_signed(struct node *node, struct bytes statement);
void oracles_sent(struct node *node, uint32_t to, const struct packet *packet);
void oracles_synced(struct node *node);
void oracles_started(struct node *node);
void oracles_after(struct node *node);
void oracles_final(struct node *node, const struct block_header *header, const uint8_t *hash,
                   struct bytes body, const struct certificate *certificate);
void oracles_report(struct node *node, enum sx_report what);
void oracles_evidence(struct node *node, const struct vote *first, const struct vote *second);
void oracles_fault(struct node *node, uint32_t peer, enum verify_fault fault);
void oracles_rescan(struct node *node);
/* Did such a vote ever leave this node?  `block` NULL: of any candidate. */
bool oracles_released(const struct node *node, uint8_t kind, uint64_t view, const uint8_t *block);

static inline void sim_mark_set(struct sim *sim, enum sim_mark mark);

/* ---- Byzantine ---- */

void byzantine_close(struct node *node);
/* What an instance of a Byzantine role does with a message of its core. */
void byzantine_send(struct node *node, uint32_t to, struct packet *packet);
void byzantine_heard(struct node *node, struct packet *packet);

/* ---- the world ---- */

struct client_tx {
    struct sim_tx name;
    uint8_t validity;
    bool final;
    bool wanted; /* liveness asks for it */
    uint32_t refused_by;
    uint64_t digest;
    uint64_t final_height;
    uint64_t asked_us;
    uint64_t expiry_ms;
    uint32_t bytes;
};

struct swarm;

struct sim {
    struct sim_options options;
    struct random streams[STREAM_COUNT];
    uint64_t now_us;
    uint64_t wall_base_us;
    uint64_t hash; /* running, over all events */
    uint64_t event_count;
    uint64_t order;
    struct event *heap;
    uint32_t heap_count;
    uint32_t heap_size;

    uint8_t chain_id[HASH_BYTES];
    uint8_t params_hash[HASH_BYTES];
    struct validator_set set;
    struct leader_order leaders;
    struct block_header block_0;
    uint8_t block_0_hash[HASH_BYTES];
    struct sx_params params;
    struct verify_context verify;
    uint32_t n;
    uint32_t f;
    uint32_t q;

    struct node *nodes; /* SIM_NODES_MAX */
    uint32_t node_count;
    uint32_t byzantine_nodes; /* a set, twins included */

    struct net_options net;
    struct link links[SIM_NODES_MAX][SIM_NODES_MAX];
    uint32_t session[SIM_NODES_MAX][SIM_NODES_MAX]; /* numbers, of the pair a < b */
    uint32_t cut[SIM_NODES_MAX];                    /* who does not hear this one */
    struct rule rules[SIM_RULES_MAX];
    uint32_t rule_count;

    struct facts facts;
    uint8_t (*chain)[HASH_BYTES]; /* agreed, from height 0 */
    uint64_t chain_height;
    uint64_t chain_size;
    struct client_tx *txs;
    uint32_t tx_count;
    uint32_t tx_size;
    uint32_t *tx_index; /* hash table by key */
    uint32_t tx_index_size;
    uint32_t next_client;

    struct swarm *swarm;
    uint64_t marks[MARK_COUNT];
    uint64_t silent_from_us; /* honest consensus messages after it break oracle 20 */

    bool failed;
    uint32_t failed_oracle;
    char failure[512];
    uint64_t failed_at_us;
    uint64_t failed_event;

    bool verbose;
    struct trace_state *trace; /* of sim_expect */
    struct disk_sim saved[2];
    bool saved_used[2];
};

static inline void sim_mark_set(struct sim *sim, enum sim_mark mark)
{
    sim->marks[mark] += 1;
}

static inline struct random *sim_random(struct sim *sim, enum sim_stream stream)
{
    return &sim->streams[stream];
}

struct sim *sim_open(const struct sim_options *options);
void sim_start_nodes(struct sim *sim);
void sim_close(struct sim *sim);
void sim_run_until_us(struct sim *sim, uint64_t us);
extern struct sim *sim_running; /* for the line that a broken invariant prints */
extern bool sim_verbose;        /* of worlds that are opened from now on */

struct sim_tx sim_tx_make(struct sim *sim, uint32_t client, const struct sim_submit *submit);
struct client_tx *sim_tx_find(struct sim *sim, uint64_t key);
void sim_tx_bytes(const struct client_tx *tx, uint8_t out[APP_TX_BYTES_MAX]);

/* ---- trace ---- */

bool trace_wanted(const struct sim *sim);
void trace_close(struct sim *sim);
/* A line of the expected kinds, or (main: false) one that only -v shows. */
__attribute__((format(printf, 4, 5))) void trace_line(struct sim *sim, bool main, uint32_t node,
                                                      const char *format, ...);

/* ---- swarm ---- */

enum swarm_mode { SWARM_MIXED, SWARM_UNIFORM, SWARM_TWINS, SWARM_BYZZ, SWARM_LITE };

/* Draw a world from a seed and run it to its end; the world is left open. */
struct sim *swarm_run(uint64_t seed, enum swarm_mode mode);
void swarm_event(struct sim *sim, const struct event *event);
void swarm_down(struct node *node);
void swarm_not_started(struct node *node);
void swarm_final(struct sim *sim, struct client_tx *tx);
void swarm_close(struct sim *sim);
const char *swarm_describe(const struct sim *sim, char *out, size_t size);

#endif /* TESTS_SIM_WORLD_H */

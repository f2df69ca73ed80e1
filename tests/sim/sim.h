/*
 * tests/sim/sim.h -- the deterministic simulator, as a scenario sees it.
 *
 * A world of n nodes, each a real driver and core (node/driver.h) over simulated ports: network, disk, stores,
 * clock, application.  One thread, one virtual clock, one seed.  The oracles of reliability 3.3 run after
 * every event, whatever the scenario does; a scenario adds what it alone expects.
 *
 *     // C-9: a FINALIZE that one node alone holds reaches the others without a further view.
 *     SCENARIO(D_7_hidden_finality)
 *     {
 *         struct sim *sim = sim_start(&(struct sim_options){.validators = 4, .leaders = "0123"});
 *
 *         sim_set_latency_ms(sim, 10);
 *         sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE, .to = SIM_NODE(0)});
 *         sim_submit(sim, 1);
 *         sim_expect(sim, "[  10] 0 > propose x view 1\n"
 *                         "[  20] 1 > notarize x view 1\n");
 *         sim_run_until_ms(sim, 3000);
 *         EXPECT_U64(sim_final_height(sim, 0), ==, 1);
 *     }
 *
 * Run it with `sim D-7 -v`: a name on the command line has '-' for '_', and a beginning is enough.
 * Nodes are numbers: validator i is node i; twins and full nodes come behind the validators.  Times are
 * virtual.  Every function of a stopped simulation (an oracle fired) returns at once.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "consensus/event.h"
#include "consensus/sx.h"

struct sim;
struct disk_sim; /* tests/sim/disk_sim.h */
struct kv_sim;   /* tests/sim/kv_sim.h */

enum {
    SIM_NODES_MAX = 24, /* validators, twins and full nodes together */
    SIM_VALIDATORS_MAX = 16,
};

/* Sets of nodes. */
#define SIM_NODE(i) (UINT32_C(1) << (i))
#define SIM_ALL     UINT32_C(0)          /* in rules: whoever */
#define SIM_OTHERS  UINT32_C(0xffffffff) /* in sends: everybody else */

/* ---- a world ---- */

struct sim_options {
    uint32_t validators; /* 0: 4 */
    uint32_t full_nodes; /* behind validators and twins */
    uint32_t twins; /* second instances of the last validators: node validators + i has the key of
                              validator validators - 1 - i */
    uint64_t seed;  /* 0: 1 */
    const char
        *leaders; /* order of the first views, a digit a validator: "0312"; NULL: as it falls */
    uint64_t delta_ms;        /* 0: 500 */
    uint64_t min_interval_ms; /* 0: 50 */
    uint64_t precision_ms;    /* 0: 500 */
    uint64_t late_bound_ms;   /* 0: 5000 */
    uint32_t block_bytes;     /* largest body; 0: 16 KiB */
    uint32_t body_slots;      /* of the driver; 0: 64 */
    uint32_t segment_bytes;   /* of the vote log; 0: 64 KiB */
    uint32_t block_txs;       /* most transactions of a block; 0: 64 */
    uint32_t pool_count;      /* transactions that a pool holds; 0: 256 */
    uint64_t sync_us;         /* how long a sync takes; 0: 300 */
    uint32_t
        skip_oracles; /* bit i: oracle i does not stop the run; for scenarios beyond f faults */
};

/* Make a world and start every node.  Closed by the runner. */
struct sim *sim_start(const struct sim_options *options);

/* ---- time ---- */

uint64_t sim_now_ms(const struct sim *sim);
void sim_run_until_ms(struct sim *sim, uint64_t ms); /* of the world's clock, which begins at 0 */
void sim_run_for_ms(struct sim *sim, uint64_t ms);
/* One event; false when none is left or an oracle fired. */
bool sim_step(struct sim *sim);

/* Run until `done` says so; fails the scenario with `what` when `limit_ms` more have passed. */
typedef bool sim_condition(struct sim *sim, void *context);
void sim_run_until(struct sim *sim, sim_condition *done, void *context, uint64_t limit_ms,
                   const char *what);
/* Run until every node of the set has this final height; fails as above. */
void sim_run_until_final(struct sim *sim, uint32_t nodes, uint64_t height, uint64_t limit_ms);

/* ---- what is said ---- */

/*
 * Run until these trace lines have come, in this order and with no other line of the expected kinds between:
 * propose, repeat, notarize, nullify, finalize, final, crash, restart.  Each line ends with a newline.  A
 * time may be written as "[   *]".  Lines have the form of `-v`; blocks are x, y, z, a, b, ... in the
 * order in which they were first spoken of:
 *
 *     [time] node > propose x view 1            a leader sends its NEW proposal
 *     [time] node > repeat x view 2             or its REPEAT
 *     [time] node > notarize x view 1           a vote leaves for the first time of this life of the node
 *     [time] node > nullify view 1
 *     [time] node > finalize x view 1
 *     [time] node > final x height 1            told to clients
 *     [time] node > crash (power)               or (kill)
 *     [time] node > restart
 */
void sim_expect(struct sim *sim, const char *lines);

/* As sim_expect, but other lines may come between. */
void sim_expect_among(struct sim *sim, const char *lines, uint64_t limit_ms);

/* The letter of a block, or its number behind the 26th; for messages. */
const char *sim_block_name(struct sim *sim, const uint8_t *hash);
/* The block of a letter; fails the scenario if none has it yet. */
const uint8_t *sim_block(struct sim *sim, const char *name);

/* ---- the network ---- */

void sim_set_latency_ms(struct sim *sim, uint64_t ms); /* fixed, all links; the default is 10 */
void sim_set_link_ms(struct sim *sim, uint32_t from, uint32_t to, uint64_t ms);
/* One way: sessions stay as they are, frames are lost.  Pings are frames: 12 s later the peer is silent. */
void sim_cut(struct sim *sim, uint32_t from_nodes, uint32_t to_nodes);
/* Both ways, between the set and the others. */
void sim_isolate(struct sim *sim, uint32_t nodes);
/* Undo all cuts. */
void sim_heal(struct sim *sim);
/* Close the session between two nodes as TCP would; it opens again by itself when they can reach each other. */
void sim_close_session(struct sim *sim, uint32_t a, uint32_t b);

/* What a message is.  Certificates are named by their kind too. */
enum sim_what {
    SIM_NOTARIZE = 1 << 0, /* VOTE */
    SIM_NULLIFY = 1 << 1,
    SIM_FINALIZE = 1 << 2,
    SIM_CERT_NOTARIZE = 1 << 3, /* CERT */
    SIM_CERT_NULLIFY = 1 << 4,
    SIM_CERT_FINALIZE = 1 << 5,
    SIM_PROPOSE = 1 << 6, /* PROPOSAL of a NEW */
    SIM_REPEAT = 1 << 7,  /* PROPOSAL of a REPEAT */
    SIM_STATUS = 1 << 8,
    SIM_GET_CERTS = 1 << 9,
    SIM_GET_BLOCK = 1 << 10,
    SIM_BLOCK = 1 << 11,
    SIM_TX = 1 << 12,   /* TX_PUSH, TX_HAVE, TX_WANT, GET_TXS, TXS */
    SIM_SYNC = 1 << 13, /* GET_BLOCKS, BLOCKS, GET_EPOCHS, EPOCHS */
    SIM_OTHER = 1 << 14,
    SIM_VOTES = 7,
    SIM_CERTS = 7 << 3,
    SIM_PROPOSALS = 3 << 6,
    SIM_CONSENSUS = SIM_VOTES | SIM_CERTS | SIM_PROPOSALS,
};

enum sim_fate {
    SIM_DROP,
    SIM_HOLD,         /* until the rule is removed; then delivered in order, at once */
    SIM_DELAY,        /* by `ms` more */
    SIM_DUPLICATE,    /* deliver, and once more after `ms` */
    SIM_CRASH_BEFORE, /* the sender loses power before it leaves */
    SIM_CRASH_AFTER,  /* or behind it */
};

/* A message on its way, as a predicate sees it. */
struct sim_message {
    uint32_t from;
    uint32_t to;
    enum sim_what what;
    uint64_t view; /* of votes, certificates, proposals; else 0 */
    uint64_t parent_view;
    const uint8_t *block; /* NULL where there is none */
    struct bytes bytes;
};

/* What it applies to: every field that is zero fits everything. */
struct sim_rule {
    uint32_t from; /* sets of nodes */
    uint32_t to;
    uint32_t what; /* enum sim_what, or-ed */
    uint64_t view;
    const uint8_t *block;
    bool (*fits)(void *context, const struct sim_message *message);
    void *context;
    enum sim_fate fate;
    uint64_t ms;
    uint32_t count; /* used up after so many; 0: never */
};

/* Rules are asked in the order in which they were made; the first that fits decides.  At most 64. */
uint32_t sim_rule(struct sim *sim, const struct sim_rule *rule);
void sim_rule_remove(struct sim *sim, uint32_t rule);
uint32_t sim_rule_hits(const struct sim *sim, uint32_t rule);

/* Put a message on the wire as if `from` had sent it; it has the latency of the link and no rule applies. */
void sim_inject(struct sim *sim, uint32_t from, uint32_t to_nodes, struct bytes message);

/* ---- clients ---- */

struct sim_tx {
    uint32_t client;
    uint32_t number;
};

/* A transaction from a new client at this node, at once; returns what names it. */
struct sim_tx sim_submit(struct sim *sim, uint32_t node);

enum sim_validity {
    SIM_TX_VALID = 0,
    SIM_TX_INVALID = 1, /* admitted, but no block that holds it is valid */
    SIM_TX_REFUSED = 2, /* no pool takes it */
};

struct sim_submit {
    uint32_t nodes; /* at each of these */
    enum sim_validity validity;
    uint64_t expiry_ms; /* of block time; 0: none */
    uint32_t bytes;     /* padded to this size; 0: 100 */
    uint32_t
        refused_by; /* pools of these nodes refuse it (a quota of theirs), blocks may hold it */
};

struct sim_tx sim_submit_with(struct sim *sim, const struct sim_submit *submit);
/* Is it in a final block of this node? */
bool sim_tx_final(const struct sim *sim, uint32_t node, struct sim_tx tx);

/* ---- faults of machines ---- */

enum sim_crash {
    SIM_POWER, /* what was not synced is lost, as the disk's options say */
    SIM_KILL,  /* the process ends, the page cache stays */
};

void sim_crash(struct sim *sim, uint32_t node, enum sim_crash how);
void sim_restart(struct sim *sim, uint32_t node); /* at once */
bool sim_up(const struct sim *sim, uint32_t node);
/* The node does nothing for so long (a stopped virtual machine); its clock goes on. */
void sim_pause(struct sim *sim, uint32_t node, uint64_t ms);
/* Executing a block holds the node up for so long. */
void sim_set_execution_ms(struct sim *sim, uint32_t node, uint64_t ms);
/* Wall clock against the world's; may jump. */
void sim_set_clock(struct sim *sim, uint32_t node, int64_t offset_ms, int32_t drift_ppm);
/* Power is lost at the k-th write call from now to the vote log (1: the next) or to the stores. */
enum sim_moment {
    SIM_BEFORE_WRITE,
    SIM_HALF_WRITE,
    SIM_AFTER_WRITE,
    SIM_BEFORE_SYNC,
    SIM_AFTER_SYNC
};
void sim_crash_at_log(struct sim *sim, uint32_t node, uint32_t k, enum sim_moment moment);
void sim_crash_at_store(struct sim *sim, uint32_t node, uint32_t k, enum sim_moment moment);
/* Damage and options of a disk: tests/sim/disk_sim.h, kv_sim.h. */
struct disk_sim *sim_log_disk(struct sim *sim, uint32_t node);
struct kv_sim *sim_blocks_store(struct sim *sim, uint32_t node);
/* Copy the vote log of a node that is down, and put the copy back later (a restored backup).  Two places. */
void sim_log_save(struct sim *sim, uint32_t node, uint32_t place);
void sim_log_restore(struct sim *sim, uint32_t node, uint32_t place);

/* ---- Byzantine nodes ---- */

enum sim_role {
    SIM_HONEST,
    SIM_SILENT,          /* says nothing but pings */
    SIM_WITHHOLD,        /* a leader shows its proposals to some, and never its own votes to all */
    SIM_PROPOSE_TWICE,   /* two different NEW blocks, each to half */
    SIM_PROPOSE_MIXED,   /* NEW to half, REPEAT to half, where both are possible */
    SIM_PROPOSE_PARENTS, /* the same block with two parent views */
    SIM_VOTE_TWICE,      /* votes for whatever anybody proposes, and nullifies too */
    SIM_LATE,            /* sends everything late */
    SIM_REPLAYER,        /* sends again what it or others sent long ago */
    SIM_MUTATOR, /* a real core whose messages are changed at random on the way out, signed anew */
    SIM_PUPPET, /* a real core that hears everything and sends nothing: the scenario speaks for it */
    SIM_INVALID, /* a leader whose blocks do not pass */
};

/* From now on.  Byzantine nodes count against f, and most oracles look at the others alone. */
void sim_set_byzantine(struct sim *sim, uint32_t node, enum sim_role role);

/*
 * Words for a puppet.  It signs with its own key and uses votes that reached it (any instance of the same
 * key included); what it lacks fails the scenario.
 */
void sim_say_vote(struct sim *sim, uint32_t node, enum vote_kind kind,
                  const struct candidate *candidate, uint32_t to);
/* A certificate of q votes that it saw, its own added. */
void sim_say_cert(struct sim *sim, uint32_t node, enum vote_kind kind,
                  const struct candidate *candidate, uint32_t to);

struct sim_proposal {
    uint64_t view;
    uint64_t parent_view;
    const uint8_t *parent; /* its block; NULL: the candidate notarized or final in parent_view */
    bool repeat;           /* block_hash is the parent's */
    uint32_t txs;          /* new transactions that only this block holds; 0 for a NEW: 1 */
    uint32_t invalid_txs;
    bool bare;       /* without justification */
    bool wrong_root; /* of the state */
    int64_t time_ms; /* ahead of the wall clock, or of the parent where that is later */
};

/* Make and sign it, show it to `to` (0: to nobody yet); gives the candidate. */
struct candidate sim_say_proposal(struct sim *sim, uint32_t node,
                                  const struct sim_proposal *proposal, uint32_t to);
/* Show a proposal that was made before. */
void sim_say_again(struct sim *sim, uint32_t node, const struct candidate *candidate, uint32_t to);

/* The candidate of this block and view as first proposed by anybody; fails the scenario if there is none. */
struct candidate sim_candidate(struct sim *sim, uint64_t view, const uint8_t *block);
struct candidate sim_nullify(uint64_t view); /* for sim_say_vote and sim_say_cert */

/* ---- questions ---- */

uint32_t sim_leader(const struct sim *sim, uint64_t view);
struct sx_summary sim_summary(const struct sim *sim, uint32_t node);
uint64_t sim_final_height(const struct sim *sim, uint32_t node);
uint64_t sim_final_view(const struct sim *sim, uint32_t node);
uint64_t sim_view(const struct sim *sim, uint32_t node);
/* Hash of the final block at a height, of this node. */
const uint8_t *sim_final_block(const struct sim *sim, uint32_t node, uint64_t height);
/* Did this node ever release such a vote?  `block` NULL: for any. */
bool sim_voted(const struct sim *sim, uint32_t node, enum vote_kind kind, uint64_t view,
               const uint8_t *block);
/* Messages of these kinds that nodes of the set sent so far, a broadcast counted once. */
uint64_t sim_sent(const struct sim *sim, uint32_t from, uint32_t what);
/* Bytes that nodes of the set sent so far, to all. */
uint64_t sim_sent_bytes(const struct sim *sim, uint32_t from);
/* How often a node reported this (tell_port.report). */
uint32_t sim_reports(const struct sim *sim, uint32_t node, enum sx_report what);
/* How the vote log was found at the last start (state/vote_log.h), and whether the node stopped itself. */
uint32_t sim_log_state(const struct sim *sim, uint32_t node);
enum err sim_fatal(const struct sim *sim, uint32_t node);

/* ---- oracles that a scenario asks for at its end ---- */

/* 16, 17: faults stop now; within `ms` every node of the set finalizes what clients asked for, equal heights. */
void sim_expect_progress(struct sim *sim, uint32_t nodes, uint64_t ms);
/* 20: with nothing to do, nothing but STATUS after 10 s, over 30 s more. */
void sim_expect_silence(struct sim *sim);

/* ---- the runner ---- */

_Noreturn void sim_check_failed(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Checks of a scenario: the scenario ends where one fails. */
#define EXPECT(cond)                                                                               \
    ((cond) ? (void)0 : sim_check_failed(__FILE__, __LINE__, "not true: %s", #cond))
#define EXPECT_U64(a, op, b)                                                                       \
    do {                                                                                           \
        const uint64_t expect_a_ = (uint64_t)(a);                                                  \
        const uint64_t expect_b_ = (uint64_t)(b);                                                  \
        if (!(expect_a_ op expect_b_)) {                                                           \
            sim_check_failed(__FILE__, __LINE__, "%s is %" PRIu64 ", not %s %" PRIu64, #a,         \
                             expect_a_, #op, expect_b_);                                           \
        }                                                                                          \
    } while (0)

struct sim_scenario {
    const char *name;
    void (*run)(void);
    struct sim_scenario *next;
};

void sim_scenario_add(struct sim_scenario *scenario);

/* A scenario adds itself to the list before main runs; the list is sorted by name. */
#define SCENARIO(title)                                                                            \
    static void scenario_##title(void);                                                            \
    static struct sim_scenario scenario_entry_##title = {#title, scenario_##title, NULL};          \
    __attribute__((constructor)) static void scenario_add_##title(void)                            \
    {                                                                                              \
        sim_scenario_add(&scenario_entry_##title);                                                 \
    }                                                                                              \
    static void scenario_##title(void)

#endif /* TESTS_SIM_SIM_H */

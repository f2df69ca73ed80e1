/*
 * consensus/core.h -- what the files of the core share; nobody outside consensus/ includes it.
 *
 * One struct sx holds everything.  The only data on which safety rests is `mine` of each open view: what
 * this node has recorded as said.  It is changed in mine_put alone, which asserts I1 to I3, and each kind of
 * vote is decided in one function (views.c).
 *
 * A step takes one event, then runs the queue of internal events and the evaluation of the current view
 * until nothing is left to do.  Handlers put events into the queue and never call each other.
 */
#ifndef CONSENSUS_CORE_H
#define CONSENSUS_CORE_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/mutant.h"
#include "base/random.h"
#include "consensus/event.h"
#include "consensus/sign.h"
#include "consensus/sx.h"
#include "consensus/verify.h"
#include "proto/record.h"
#include "proto/wire.h"

/* I1 to I3 are not asserted in a build with planted bugs: there the oracles of the simulator shall see them. */
#ifdef MUTANT
#define RULE_INVARIANT(cond) ((void)sizeof((cond) ? 1 : 0))
#else
#define RULE_INVARIANT(cond) INVARIANT(cond)
#endif

#define NEVER UINT64_MAX

/* Views from here on are refused, so that no sum of a view and a small number overflows. */
#define VIEW_LIMIT (UINT64_C(1) << 62)

enum {
    KINDS = 3,
    BLOCK_FINAL = 0, /* place of the final block */
    BLOCK_NONE = 0xffff,
    BLOCKS = SX_BLOCKS_MAX + 1,
    BUCKETS = 1024,
    SLOT_ANCHOR = VIEWS_OPEN, /* the newest notarized view that left the ring */
    SLOTS = VIEWS_OPEN + 1,
    TALLIES_RING = 2 * VIEWS_AHEAD,
    TALLIES_LOW = 64,
    TALLIES = TALLIES_RING + TALLIES_LOW,
    EVENTS_MAX = 2048, /* at most one of each slot and block is queued: SLOTS + BLOCKS fit */
    BALLOTS_MAX = 1024,
    RECORDS_QUEUE = 512,
    SENDS_QUEUE = 2048,
    FREES_MAX = 2 * (VIEWS_OLD + SLOTS),
    RELAYS_MAX = 128,
    PROPOSALS_AHEAD = 8,  /* a PROPOSAL is taken from the leaders of [cur, cur + 8) (8.20) */
    PATH_MAX_BLOCKS = 64, /* blocks recorded before one vote */
    RECORD_ROOM = 2 * (PATH_MAX_BLOCKS + 3), /* what a handler or one evaluation may record */
    SEND_ROOM = VALIDATORS_MAX + 64,
    LOW_NULLIFY_MAX = 32, /* C-6(b): views nullified in one evaluation */
    SCAN_MAX = 4096,      /* views looked at in one search for uncertified ones */
};

_Static_assert(SLOTS + BLOCKS <= EVENTS_MAX, "the event queue holds one event of each place");
_Static_assert(LOW_NULLIFY_MAX + PATH_MAX_BLOCKS + 4 <= RECORD_ROOM, "one evaluation fits");

/* What this node has said in a view.  By I3 one candidate serves NOTARIZE and FINALIZE. */
struct mine {
    bool notarized;
    bool nullified;
    bool finalized;
    struct candidate candidate;
};

struct cert {
    bool held;
    uint64_t at_ms;                 /* when it came */
    struct certificate certificate; /* its bytes lie in the slot's memory */
};

/* A full entry of a view above final_view. */
struct view {
    uint64_t view; /* 0: the place is free */
    bool queued;   /* in the event queue; belongs to the place and survives its owner */
    bool has_prop;
    bool prop_here;        /* the PROPOSAL itself came, not only its vote */
    bool prop_invalid;     /* contradicts its parent, or its execution here failed (8.2) */
    uint64_t prop_ms;      /* when the PROPOSAL last came */
    struct candidate prop; /* the first candidate of the view's leader */
    struct mine mine;
    struct cert certs[KINDS]; /* by kind - 1 */
};

/* What is kept of an older view above final_view. */
struct old_view {
    uint64_t view;
    uint64_t parent_view; /* of the candidate in mine */
    uint8_t hash[HASH_BYTES];
    uint8_t said;      /* bits of kind - 1 */
    uint8_t certified; /* bits of kind - 1 */
};

_Static_assert(sizeof(struct old_view) <= 64, "8.5: 64 bytes of an older view");

struct choice {
    uint64_t parent_view;
    uint8_t hash[HASH_BYTES];
    uint16_t counts[KINDS]; /* of NULLIFY unused */
};

/* Votes of one view.  Choices, signatures and which choice each voter took lie in memory of their own. */
struct tally {
    uint64_t view; /* 0: free */
    uint16_t choice_count;
    uint16_t nullify_count;
    uint8_t voted[KINDS][BITMAP_BYTES_MAX];
    uint8_t accused[BITMAP_BYTES_MAX]; /* a contradicting pair of this voter was told */
};

struct low_tally {
    uint64_t view; /* 0: free */
    uint8_t table;
};

enum block_verdict {
    BLOCK_UNJUDGED,
    BLOCK_VALID,    /* executed here: roots and all agree */
    BLOCK_INVALID,  /* its complete body fails on an executed parent */
    BLOCK_EXCLUDED, /* on a branch that can never be final here */
};

struct block {
    uint8_t hash[HASH_BYTES];
    struct block_header header;
    bool used;
    bool queued; /* in the event queue; survives the owner of the place */
    bool has_header;
    bool body;
    bool wanted;
    bool fetching;
    bool executing;
    bool linked; /* `parent` is known */
    enum block_verdict verdict;
    uint16_t parent; /* place; BLOCK_FINAL is the final block */
    uint16_t child;  /* first; 0 none */
    uint16_t sibling;
    uint16_t next;         /* in its bucket; 0 none */
    uint16_t holder;       /* validator to ask for it first */
    uint64_t recorded_seq; /* of its BLOCK record; 0 none */
};

/* An own vote between its record and its signature. */
struct ballot {
    uint32_t request;
    bool used;
    bool again;   /* of the restored record */
    uint64_t seq; /* of the record that must be durable first */
    struct vote vote;
};

enum send_what {
    SEND_BALLOT, /* own vote just signed; view is its request */
    SEND_VOTE,   /* vote of `index`, from the tally */
    SEND_CERT,
    SEND_FINAL, /* the final certificate */
    SEND_STATUS,
    SEND_PROPOSAL, /* own proposal of cur */
    SEND_GET,      /* one certificate */
    SEND_GET_MISSING,
    SEND_GET_JUSTIFICATION,
};

struct send_item {
    enum send_what what;
    uint8_t kind;
    uint16_t index;
    uint32_t to;
    uint64_t view;
    uint64_t after_seq;
};

struct record_item {
    enum record_type type;
    uint8_t kind;
    uint16_t block;
    uint64_t view;
    uint64_t seq;
};

struct free_item {
    uint64_t seq;
    uint64_t view;
};

struct relay {
    uint64_t view;
    uint64_t due_ms;
    uint8_t kind;
};

/* Views that are gone through for a peer, votes and certificates of each. */
struct sweep {
    uint64_t next; /* view; 0: nothing to do */
    uint64_t last;
    uint32_t left; /* views */
    uint8_t item;  /* of the view: 0..2 own votes, 3..5 certificates */
    uint8_t wants; /* SWEEP_... */
};

enum {
    SWEEP_OWN = 1,     /* own votes */
    SWEEP_NULLIFY = 2, /* own NULLIFY votes of cur and of uncertified views */
    SWEEP_CERTS = 4,
    SWEEP_GAPS = 8, /* only views without certificate */
    SWEEP_ITEMS = 6,

    PUSH_FINAL = 1,     /* the final certificate */
    PUSH_LEADER = 2,    /* the vote of leader(cur) */
    PUSH_NULLIFY = 4,   /* NULLIFY votes for cur that the peer lacks */
    PUSH_NOTARIZE = 8,  /* NOTARIZE votes of the candidate meant that it lacks */
    PUSH_FINALIZE = 16, /* FINALIZE votes of its top view that it lacks */
};

struct peer {
    bool open;
    bool heard; /* ever, in this session */
    bool told;  /* a STATUS came in this session */
    uint64_t heard_ms;
    uint64_t epoch; /* highest known; claims and votes */
    uint64_t cur;
    uint64_t final_view;
    uint64_t final_height;
    uint64_t status_view; /* of the bitmaps below */
    uint64_t top_view;
    uint8_t bitmaps[KINDS][BITMAP_BYTES_MAX];
    uint64_t status_answer_ms; /* not before this time, C-9(a) */
    uint64_t answer_ms;        /* C-9(b) */
    uint64_t get_answer_ms;
    uint32_t tokens; /* messages that a push may take now, C-9(c) */
    uint64_t tokens_ms;
    uint8_t pushes;
    uint16_t push_index;
    struct sweep low;  /* from the lowest view up */
    struct sweep high; /* the newest views */
    struct sweep gaps; /* views without certificate */
    bool relayed;      /* what was restored was sent to it (C-1) */
};

enum phase { PHASE_NEW, PHASE_RESTORING, PHASE_RUNNING };

struct sx {
    enum phase phase;
    uint16_t capacity; /* members that memory was taken for */
    uint16_t n;
    uint16_t f;
    uint16_t q;
    uint16_t own; /* VALIDATOR_NONE: follows only */
    uint64_t now;
    uint64_t wall;
    struct random random;

    /* Of the epoch. */
    uint8_t chain_id[HASH_BYTES];
    uint64_t epoch;
    struct leader_order order;
    uint8_t valset_hash[HASH_BYTES];
    uint8_t params_hash[HASH_BYTES];
    struct sx_params params;
    uint64_t earliest_height;
    uint32_t bodies_max;

    /* What forbids to vote. */
    bool record_whole;
    bool foreign; /* somebody else votes with the own key */
    bool stopped; /* diverged or in conflict: no vote and no commit */

    /* Final. */
    struct candidate final;
    uint64_t final_ms; /* when it last rose */
    bool final_held;   /* the certificate below is there */
    struct certificate final_certificate;
    uint64_t top_final; /* highest view above final_view with cF held, or 0 */
    uint64_t highest_height;
    bool committing;
    uint64_t commit_view;

    /* The current view. */
    uint64_t cur;
    uint64_t entered_ms;
    uint64_t entered_wall;
    bool admission_recorded;  /* 8.11, row "first vote in a view" */
    uint64_t justified_above; /* views in (this, cur) are known to be nullified */
    bool armed;
    bool prop_fired;   /* T_prop has fired in this view */
    bool prop_expired; /* it fired without an acceptable proposal */
    bool adv_expired;
    bool cannot_build;
    bool justify_wait; /* the proposal lacks certificates */
    bool reported_full;
    uint64_t prop_at;
    uint64_t adv_at;
    uint64_t retry_at;
    uint64_t retry_ms;
    uint64_t hold_at;    /* a vote waits for block time */
    uint64_t propose_at; /* the proposal waits for min_interval */
    uint64_t build_view; /* asked for; 0 none */
    uint8_t build_parent[HASH_BYTES];
    uint64_t justify_at; /* ask again for what the proposal lacks */
    uint64_t growth_milli;
    uint64_t growth_of; /* cur - final_view that it was computed for */

    /* Tip: highest p with cN[p], or final_view, all views in (p, cur) nullified. */
    bool tip_known;
    uint64_t tip_at; /* the tip's view, or the highest view without certificate */
    struct {
        bool valid; /* what the host was told last */
        bool known;
        uint64_t view;
        uint64_t cur;
        uint8_t hash[HASH_BYTES];
    } tip_told;
    bool work_present; /* the host's answer about work_hash */
    bool work_full;
    uint8_t work_hash[HASH_BYTES];
    bool work;        /* work() as last evaluated */
    uint64_t work_ms; /* since when */

    /* Repair. */
    uint64_t progress_ms;
    uint64_t status_at;
    uint64_t missing_at; /* ask for uncertified views */
    uint64_t standstill_at;
    uint64_t standstill_from; /* the next pass begins here */
    bool restored_certs;      /* the record held certificates */
    uint64_t push_votes_at;
    uint64_t push_at;  /* pushes wait for tokens; NEVER: there are none */
    uint64_t deadline; /* as last told */
    uint16_t ask_next; /* the peer asked last */
    uint64_t push_bytes;
    uint64_t push_bytes_ms;
    struct relay relays[RELAYS_MAX];
    uint32_t relay_first;
    uint32_t relay_count;

    /* Records. */
    uint64_t next_seq;
    uint64_t durable_seq;
    uint64_t highest_said; /* view of a restored vote, for the assertion of C-1 */
    uint64_t free_told;
    uint32_t free_first;
    uint32_t free_count;

    /* Tables; sizes are constants except where n stands. */
    struct view *slots;   /* ring of VIEWS_OPEN, and the anchor */
    uint8_t *cert_memory; /* SLOTS * KINDS * cert_stride, and the final certificate */
    size_t cert_stride;
    struct old_view *old;
    uint32_t old_first;
    uint32_t old_count;
    uint32_t open_count;
    uint64_t certified_count; /* views in (final_view, cur) with a certificate */
    uint64_t certified_below; /* every view in (final_view, this) has one */
    struct tally *tallies;
    uint8_t *tally_memory;
    size_t tally_stride;
    uint8_t tally_ring[TALLIES_RING];
    struct low_tally tally_low[TALLIES_LOW];
    struct block *blocks;
    uint16_t *buckets;
    uint16_t block_top;  /* places up to here were used */
    uint16_t block_free; /* list of free places; 0 none */
    uint16_t block_count;
    struct peer *peers;
    struct ballot *ballots;
    uint32_t ballot_next; /* request of the next one */
    uint32_t ballot_sign; /* the next one to be signed */
    bool finalize_again;  /* a FINALIZE found no room */
    struct free_item *frees;

    /* Queues; `dirty`: the current view must be evaluated. */
    bool dirty;
    uint32_t *events;
    uint32_t event_first;
    uint32_t event_count;
    struct record_item *records;
    uint32_t record_first;
    uint32_t record_count;
    struct send_item *sends;
    uint32_t send_first;
    uint32_t send_count;
    uint16_t *executes;
    uint32_t execute_first;
    uint32_t execute_count;
    uint16_t *fetches;
    uint32_t fetch_first;
    uint32_t fetch_count;

    /* Told with the next flush. */
    bool build_wanted;
    uint64_t build_time_ms;
    uint32_t commit_count;
    const uint8_t *commits[SX_COMMITS_MAX];
    bool commit_wanted;
    const struct certificate *commit_certificate;
    struct candidate commit_final;
    uint32_t keep_count;
    const struct certificate *keeps[SX_KEEPS_MAX];
    uint32_t evidence_count;
    struct vote evidence[2];
    enum sx_report report;
    uint64_t report_view;
    uint64_t free_seq;
    uint8_t *scratch; /* bytes that `out` points to */
    size_t scratch_size;
    size_t scratch_used;
    size_t proposal_bytes; /* own proposal in this flush; 0: not yet made */
};

/* slots.c: entries of views. */
struct view *slot_find(const struct sx *sx, uint64_t view);
struct view *slot_claim(struct sx *sx, uint64_t view);
struct view *slot_anchor_for(struct sx *sx, uint64_t view);
bool slot_certified(const struct sx *sx, uint64_t view, enum vote_kind kind);
bool slot_certified_any(const struct sx *sx, uint64_t view);
void slot_old_certified(struct sx *sx, uint64_t view, enum vote_kind kind);
void slot_drop(struct sx *sx, uint64_t old_final);
bool slot_full(const struct sx *sx);
bool slot_spare(const struct sx *sx);
uint8_t *slot_cert_memory(const struct sx *sx, const struct view *view, enum vote_kind kind);
void slot_check(const struct sx *sx);
struct mine mine_of(const struct sx *sx, uint64_t view);
bool mine_room(const struct sx *sx, uint64_t view);
void mine_put(struct sx *sx, uint64_t view, const struct mine *mine);
bool mine_allows(const struct mine *mine, const struct statement *statement);

/* votes.c: vote tables. */
struct tally *tally_find(const struct sx *sx, uint64_t view);
void tally_add(struct sx *sx, const struct vote *vote);
bool tally_vote(const struct sx *sx, uint64_t view, enum vote_kind kind, uint16_t index,
                struct vote *out);
uint32_t tally_nullify_count(const struct sx *sx, uint64_t view);
bool tally_voted(const struct tally *tally, enum vote_kind kind, uint16_t index);
bool tally_meant(const struct sx *sx, uint64_t view, struct candidate *out);
void tally_bitmap(const struct sx *sx, enum vote_kind kind, const struct candidate *candidate,
                  uint8_t out[BITMAP_BYTES_MAX]);
bool tally_wants(const struct sx *sx, const struct vote *vote);
size_t tally_memory_bytes(uint32_t n);
void tally_check(const struct sx *sx);

/* certs.c: certificates. */
void cert_take(struct sx *sx, const struct certificate *certificate);
const struct certificate *cert_find(const struct sx *sx, uint64_t view, enum vote_kind kind);
const struct certificate *cert_notarized(const struct sx *sx, uint64_t view);
uint64_t cert_at_ms(const struct sx *sx, uint64_t view);
void cert_final_put(struct sx *sx, struct bytes encoded);
void cert_foreign(struct sx *sx, const struct statement *statement);

/* tree.c: blocks and the tip. */
uint16_t block_find(const struct sx *sx, const uint8_t *hash);
bool block_room(struct sx *sx);
uint16_t block_add(struct sx *sx, const uint8_t *hash);
void block_header_put(struct sx *sx, uint16_t place, const struct block_header *header);
void block_want(struct sx *sx, uint16_t place, uint16_t holder);
void block_changed(struct sx *sx, uint16_t place);
void block_judged(struct sx *sx, uint16_t place, enum block_verdict verdict);
void block_built(struct sx *sx, uint16_t place);
void block_start(struct sx *sx, const struct candidate *final, const struct block_header *header);
bool block_path(const struct sx *sx, uint16_t place, uint16_t *path, uint32_t *count);
void block_final_set(struct sx *sx, const struct candidate *final,
                     const struct block_header *header);
uint64_t block_depth(const struct sx *sx, uint16_t place);
void block_check(const struct sx *sx);
void tip_walk(struct sx *sx, uint64_t from);
void tip_certified(struct sx *sx, uint64_t view, enum vote_kind kind);
bool tip_candidate(const struct sx *sx, struct candidate *out);
uint16_t tip_block(const struct sx *sx);
void commit_try(struct sx *sx);
void commit_done(struct sx *sx, const struct sx_event *event);

/* views.c: rules C-1 to C-6. */
bool view_may_vote(const struct sx *sx);
void view_entered(struct sx *sx, uint64_t previous);
uint16_t view_leader(const struct sx *sx, uint64_t view);
void view_changed(struct sx *sx, struct view *view);
void view_propose(struct sx *sx);
void view_built(struct sx *sx, uint64_t view, const struct block_header *header);
void view_notarize(struct sx *sx);
void view_nullify(struct sx *sx, uint64_t view);
void view_finalize(struct sx *sx, struct view *view);
bool view_justified(struct sx *sx, const struct candidate *candidate);
bool view_prop_acceptable(struct sx *sx);
bool view_repeats_final(const struct sx *sx, const struct candidate *candidate);
void view_finalize_again(struct sx *sx);

/* pace.c: work, timers. */
void pace_evaluate(struct sx *sx);
void pace_disarm(struct sx *sx);
uint64_t pace_retry_ms(struct sx *sx);
uint64_t pace_growth_milli(struct sx *sx);
uint64_t pace_deadline(const struct sx *sx);

/* repair.c: C-8 and C-9, fetching of C-1. */
void repair_entered(struct sx *sx, bool jumped);
void relay_add(struct sx *sx, const struct certificate *certificate);
void repair_evaluate(struct sx *sx);
void repair_retry(struct sx *sx);
void repair_session(struct sx *sx, uint16_t peer);
void repair_status(struct sx *sx, uint16_t peer, const struct wire_status *status);
void repair_get_certs(struct sx *sx, uint16_t peer, const struct wire_get_certs *get);
void repair_vote(struct sx *sx, uint16_t peer, const struct vote *vote);
bool repair_answers(const struct sx *sx, uint16_t peer, const struct statement *statement);
void repair_justification(struct sx *sx);
void repair_final_to(struct sx *sx, uint16_t peer);
void repair_final_ask(struct sx *sx);
uint32_t repair_missing(const struct sx *sx, struct wire_want *wants, uint32_t max);
uint32_t repair_lacking(const struct sx *sx, struct wire_want *wants, uint32_t max);
bool repair_behind(const struct sx *sx);
bool repair_top(const struct sx *sx, struct candidate *out);
uint64_t repair_deadline(const struct sx *sx);
uint64_t repair_lowest_uncertified(struct sx *sx, uint64_t from);
void repair_start(struct sx *sx);

/* records.c: the record out and in. */
void record_vote(struct sx *sx, const struct statement *statement, const struct mine *mine);
void record_epoch_put(struct sx *sx);
bool record_room(const struct sx *sx);
void record_restore(struct sx *sx, uint64_t seq, struct bytes bytes);
void record_restored(struct sx *sx);
void record_free(struct sx *sx);
bool ballot_room(const struct sx *sx);
void ballot_signed(struct sx *sx, uint32_t request, const uint8_t *signature);

/* intake.c: messages. */
bool intake_wants(const struct sx *sx, struct bytes message);
void intake_message(struct sx *sx, uint32_t peer, const struct verified_message *message);
void intake_session(struct sx *sx, uint32_t index, enum sx_session what);

/* out.c: queues of what goes out, and their bytes. */
void send_push(struct sx *sx, struct send_item item);
bool send_room(const struct sx *sx);
void out_report(struct sx *sx, enum sx_report what, uint64_t view);
void out_flush(struct sx *sx, struct sx_out *out);
size_t out_scratch_bytes(uint32_t n);

/* sx.c */
enum { EVENT_VIEW = 0, EVENT_BLOCK = 1 };
void event_view(struct sx *sx, struct view *view);
void event_block(struct sx *sx, uint16_t place);
void sx_stop(struct sx *sx, enum sx_report why, uint64_t view);

static inline uint64_t later(uint64_t at, uint64_t wait_ms)
{
    return wait_ms > NEVER - at ? NEVER : at + wait_ms;
}

static inline uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint32_t kind_bit(enum vote_kind kind)
{
    return 1U << ((uint32_t)kind - 1);
}

static inline void bitmap_set(uint8_t *bitmap, uint32_t index)
{
    bitmap[index / 8] |= (uint8_t)(1U << (index % 8));
}

static inline bool bitmap_at(const uint8_t *bitmap, uint32_t index)
{
    return (bitmap[index / 8] >> (index % 8) & 1) != 0;
}

#endif /* CONSENSUS_CORE_H */

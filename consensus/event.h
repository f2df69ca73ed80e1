/*
 * consensus/event.h -- what goes into the consensus core and what comes out.
 *
 * The core knows no clock, file, socket or key: the driver feeds it events and does what `out` says.
 * Bodies are the driver's too: it keeps them by block hash, takes them off proposals and block records
 * before the core sees these, and puts them on where `body` names a block.
 *
 * Rules C-1 to C-10 are in docs/protocol/consensus.md.  All hashes here are HASH_BYTES long.
 */
#ifndef CONSENSUS_EVENT_H
#define CONSENSUS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/block.h"
#include "proto/validators.h"
#include "proto/vote.h"

struct sx;
struct verified_message; /* made by consensus/verify.h and by nothing else */

enum {
    SX_RECORDS_MAX = 32, /* of one step; what does not fit comes with the next, see `more` */
    SX_SENDS_MAX = 256,
    SX_ASKS_MAX = 16,
    SX_COMMITS_MAX = 64,
    SX_KEEPS_MAX = 64,
    SX_BLOCKS_MAX = 512, /* blocks above the final one that the core knows at once */
};

#define SX_TO_ALL        UINT32_MAX       /* every other validator */
#define SX_TO_FULL_NODES (UINT32_MAX - 1) /* every attached full node */

/* Numbers of the parameters that the core itself needs (docs/protocol/consensus.md 8.22). */
struct sx_params {
    uint64_t delta_ms;
    uint64_t min_interval_ms;
    uint64_t precision_ms;
    uint64_t late_bound_ms;
    uint32_t propose_depth; /* unfinalized NEW blocks below a proposal */
    uint32_t vote_depth;    /* and below a block that gets a vote */
};

/* Where the core begins: what `M|final` says of the epoch, and who it is. */
struct sx_start {
    uint8_t chain_id[HASH_BYTES];
    uint16_t own_index; /* VALIDATOR_NONE: follows and never votes */
    uint64_t epoch;
    const struct validator_set *set;
    const struct leader_order *order;
    uint8_t valset_hash[HASH_BYTES];
    uint8_t params_hash[HASH_BYTES];
    struct sx_params params;
    struct candidate final; /* view final_view; {epoch, 0, 0, hash} in a new epoch */
    struct block_header final_header;
    const struct certificate *final_certificate; /* NULL at view 0 of the first epoch */
    uint64_t earliest_height;                    /* for STATUS */
    uint32_t bodies_max; /* bodies above the final block that the host keeps; 0: SX_BLOCKS_MAX */
    bool record_whole; /* the record of own votes is complete; else the core signs nothing (8.11) */
    uint64_t seed;     /* of the choice of peers */
};

enum sx_event_kind {
    SX_START,     /* once, first */
    SX_RESTORE,   /* a record of the vote log, oldest first */
    SX_RESTORED,  /* that was the last one */
    SX_SESSION,   /* a validator's session opened, closed, was heard */
    SX_MESSAGE,   /* a message that consensus/verify.h has accepted */
    SX_TICK,      /* out.deadline_ms has passed, and once a second */
    SX_WORK,      /* what the host says about work on a tip */
    SX_BUILT,     /* answer to out.build: a block, or nothing */
    SX_EXECUTED,  /* answer to out.executes: valid, invalid or missing */
    SX_BODY,      /* a block's header and body are here, complete, and the body matches its root */
    SX_RECORDED,  /* all records up to seq are durable */
    SX_SIGNED,    /* answer to out.signs: a signature, or refused */
    SX_COMMITTED, /* the batch with this final block is durable: from out.commits, or from sync */
    SX_MORE,      /* out.more was set: hand over the rest */
};

enum sx_session { SX_SESSION_OPENED, SX_SESSION_CLOSED, SX_SESSION_HEARD };
enum sx_verdict { SX_VALID, SX_INVALID, SX_MISSING };
enum sx_report {
    SX_REPORT_NONE,
    SX_REPORT_DIVERGED, /* execution here contradicts a final block: no commit, no vote any more */
    SX_REPORT_VIEWS_FULL,   /* the table of open views is full: no further view is entered */
    SX_REPORT_BODIES_FULL,  /* bodies above the final block reached their limit: REPEAT only */
    SX_REPORT_FOREIGN_VOTE, /* a vote under the own key that the record lacks: no vote any more */
    SX_REPORT_LOST_DATA,    /* the record of own votes is not whole: no vote until 8.11 allows it */
    SX_REPORT_CONFLICT, /* two certificates of one epoch that cannot both be: more than f faulty */
};

struct sx_event {
    enum sx_event_kind kind;
    uint64_t now_ms;  /* monotonic; deadlines and nothing else */
    uint64_t wall_ms; /* of the host; block time rules and nothing else */
    union {
        const struct sx_start *start; /* the core copies it, with what it points to */
        struct {
            uint64_t seq;
            struct bytes record; /* a BLOCK's body taken off */
        } restore;
        struct {
            uint32_t peer;
            enum sx_session what;
        } session;
        struct {
            uint32_t peer; /* index of the sender, or VALIDATOR_NONE for a full node */
            const struct verified_message *message;
        } message;
        struct {
            const uint8_t *tip;
            bool present;
            bool full; /* a block of what is waiting would be full: no wait for min_interval */
        } work;
        struct {
            uint64_t view;
            const struct block_header *header; /* NULL: nothing to build */
        } built; /* the block counts as executed, and its body as held */
        struct {
            const uint8_t *block;
            enum sx_verdict verdict;
        } executed;
        struct {
            const uint8_t *block;
            const struct block_header *header;
        } body;
        uint64_t recorded_seq;
        struct {
            uint32_t request;
            const uint8_t *signature; /* SIGNATURE_BYTES; NULL: the signer refused */
        } signed_;
        struct {
            struct candidate final;
            struct block_header header;  /* of the final block */
            struct bytes certificate;    /* its bytes, without a message type */
            const struct sx_start *next; /* the next epoch, after an EPOCH_END block; else NULL */
        } committed;
    };
};

/* What the driver does after a step, in this order: execute, durable, send, commit, tell. */
struct sx_out {
    struct {
        const uint8_t *block;
        const uint8_t *parent;
    } executes[SX_ASKS_MAX]; /* answered by SX_EXECUTED; the parent was executed before */
    struct {
        bool wanted; /* answered by SX_BUILT; a later build cancels an earlier one */
        uint64_t view;
        uint64_t time_ms;
        const uint8_t *parent;
    } build;
    struct {
        uint64_t seq;
        struct bytes record;   /* u8 type and payload: the core alone reads it, at SX_RESTORE */
        const uint8_t *body;   /* block whose body follows the record; NULL: none */
    } records[SX_RECORDS_MAX]; /* answered by SX_RECORDED */
    struct {
        uint32_t request;
        uint64_t after_seq;
        struct bytes statement; /* STATEMENT_BYTES to sign */
    } signs[SX_ASKS_MAX];       /* answered by SX_SIGNED */
    struct {
        uint32_t to;        /* validator index, SX_TO_ALL or SX_TO_FULL_NODES */
        uint64_t after_seq; /* must be durable: the driver asserts it; 0: nothing to wait for */
        struct bytes message;
        const uint8_t *body; /* block whose body follows the message; NULL: none */
    } sends[SX_SENDS_MAX];
    struct {
        const uint8_t *block; /* header and body are wanted; answered by SX_BODY */
        uint32_t peer;        /* to ask first; the driver goes on to others until it has it */
    } fetches[SX_ASKS_MAX];
    const uint8_t
        *commits[SX_COMMITS_MAX];  /* oldest first, all executed; answered by SX_COMMITTED */
    struct candidate commit_final; /* what commit_certificate finalizes */
    const struct certificate *commit_certificate;  /* NULL: no commit.  With no commits: a REPEAT */
    const struct certificate *keeps[SX_KEEPS_MAX]; /* for evidence; in the same batch */
    struct {
        bool changed; /* answered by SX_WORK, again whenever the answer changes */
        bool
            known; /* false: a certificate below cur or the tip's block is missing: nothing to judge */
        uint64_t view;
        uint64_t cur;
        const uint8_t *block;
    } tip;
    struct {
        const struct vote *first; /* NULL: none */
        const struct vote *second;
    } evidence; /* for the mempool */
    struct {
        enum sx_report what;
        uint64_t view;
    } report; /* for log and metrics; of one step the first */
    uint32_t execute_count, record_count, sign_count, send_count, fetch_count;
    uint32_t commit_count, keep_count;
    uint64_t
        free_seq; /* the vote log may drop segments whose records are all below it; 0: nothing new */
    uint64_t deadline_ms; /* call back at this time; UINT64_MAX for never */
    bool more;            /* something did not fit: step with SX_MORE before any other event */
};

/*
 * Is a received message worth verifying: not held, in the window, its quorum not yet full?  Asked
 * before consensus/verify.h, changes nothing.  `message` begins with its type; a body may be cut off.
 */
bool sx_wants(const struct sx *sx, struct bytes message);

/*
 * Take one event.  Nothing here can fail: memory was taken by sx_init, input was verified before, and a
 * broken invariant aborts.  What `out` points to belongs to `sx` and stays valid until the next call.
 */
void sx_step(struct sx *sx, const struct sx_event *event, struct sx_out *out);

#endif /* CONSENSUS_EVENT_H */

/*
 * consensus/sx.h -- make a core, and look into it.
 *
 * SX is Simplex (Chan and Pass, 2023) with REPEAT candidates and work-gated timers.  Rules C-1 to C-10:
 * docs/protocol/consensus.md.  All memory is taken by sx_init; its amount follows from the number of
 * validators and the bounds of 8.5.
 */
#ifndef CONSENSUS_SX_H
#define CONSENSUS_SX_H

#include "base/arena.h"
#include "consensus/event.h"

/* Bytes of arena for a set of at most `n` members. */
size_t sx_footprint(uint32_t n);

/*
 * Take all memory.  The arena must be zeroed (arena_open) and outlive the core; there is no sx_close.
 *
 * Errors: ERR_NO_SPACE when the arena has less than sx_footprint left.
 */
CHECKED enum err sx_init(struct arena *arena, uint32_t validators, struct sx **out);

/* Where the core stands, for RPC, metrics, STATUS of the host and tests.  A copy. */
struct sx_summary {
    uint64_t epoch;
    uint64_t cur;
    uint64_t entered_ms;
    uint64_t final_view;
    uint64_t final_height;
    uint8_t final_hash[HASH_BYTES];
    uint64_t highest_height; /* of any block known by a NOTARIZE certificate */
    uint16_t leader;         /* of cur */
    bool votes;              /* signs: own index, record whole, nothing reported that forbids it */
    bool work;               /* work() of 8.6 */
    bool armed;
    uint32_t open_views; /* full entries in use, at most VIEWS_OPEN */
    uint32_t old_views;  /* small entries in use, at most VIEWS_OLD */
    uint64_t next_seq;   /* of the next record */
};

void sx_summary(const struct sx *sx, struct sx_summary *out);

/* Does the core hold a certificate of this statement?  Such a one need not be verified again. */
bool sx_holds(const struct sx *sx, const struct statement *statement);

/* The final certificate, for answers of the host; false at view 0 of the first epoch. */
CHECKED bool sx_final_certificate(const struct sx *sx, struct certificate *out);

/*
 * Does the core still need this block?  A host that runs out of places for bodies drops those that it does
 * not: blocks that were committed, excluded by a commit, or given up for newer ones.
 */
bool sx_needs_block(const struct sx *sx, const uint8_t *hash);

/* Every internal invariant that is too slow for each step (oracle 5 and 6); aborts. */
void sx_check(const struct sx *sx);

#endif /* CONSENSUS_SX_H */

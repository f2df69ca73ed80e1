/*
 * When to act: the work predicate (8.6), timers and their growth (C-2, 8.9), and the causes of NULLIFY (C-6).
 *
 * There are no callbacks: a timer is a time in struct sx, compared when the view is evaluated, so that none can
 * fire for a view that was left.
 */
#include "consensus/core.h"

#include "crypto/hash.h"

enum {
    GROWTH_ONE = 1000,
    GROWTH_MAX = 20 * GROWTH_ONE,
    EXECUTION_ALLOWANCE_MS = 200,
    TIMER_MAX_MS = 30000,
    RETRY_MIN_MS = 750,
    LEADER_SILENT_MS = 12000, /* fast skip (8.9) */
    PEER_ALIVE_MS = 6000,
};

/* Planted bug 15 runs the two timers on the wall clock. */
static uint64_t timer_now(const struct sx *sx)
{
    return MUTANT_IS(15) ? sx->wall : sx->now;
}

/* g = min(1.5^max(0, k - 1), 20), k = cur - final_view - 1, in thousandths (8.9). */
uint64_t pace_growth_milli(struct sx *sx)
{
    const uint64_t distance = sx->cur - sx->final.view;
    uint64_t growth = GROWTH_ONE;

    INVARIANT(sx->cur > sx->final.view);
    if (sx->growth_of == distance) {
        return sx->growth_milli;
    }
    for (uint64_t k = 2; k < distance && growth < GROWTH_MAX && !MUTANT_IS(321); k++) {
        growth = growth * 3 / 2;
    }
    sx->growth_milli = growth < GROWTH_MAX ? growth : GROWTH_MAX;
    sx->growth_of = distance;
    return sx->growth_milli;
}

static uint64_t timer_prop_ms(struct sx *sx)
{
    return sooner(2 * sx->params.delta_ms * pace_growth_milli(sx) / GROWTH_ONE, TIMER_MAX_MS);
}

static uint64_t timer_adv_ms(struct sx *sx)
{
    return sooner(3 * sx->params.delta_ms * pace_growth_milli(sx) / GROWTH_ONE +
                      EXECUTION_ALLOWANCE_MS,
                  TIMER_MAX_MS);
}

uint64_t pace_retry_ms(struct sx *sx)
{
    const uint64_t half = timer_adv_ms(sx) / 2;

    return half > RETRY_MIN_MS ? half : RETRY_MIN_MS;
}

void pace_disarm(struct sx *sx)
{
    sx->armed = false;
    sx->prop_at = NEVER;
    sx->adv_at = NEVER;
}

/* The work predicate, 8.6.  An honest leader can turn 2 to 5 into a valid candidate at once. */
static bool work_now(const struct sx *sx)
{
    const struct tally *tally = tally_find(sx, sx->cur);
    struct candidate tip;

    if (!tip_candidate(sx, &tip)) { /* 1 */
        return true;
    }
    if (!hash_equal(tip.block_hash, sx->final.block_hash)) { /* 2 */
        return true;
    }
    if (sx->work_present && hash_equal(tip.block_hash, sx->work_hash)) { /* 3, 4, 5 */
        return true;
    }
    if (tally == NULL) {
        return false;
    }
    if (tally_voted(tally, VOTE_NOTARIZE, view_leader(sx, sx->cur)) && !MUTANT_IS(315)) { /* 6 */
        return true;
    }
    return tally->nullify_count > sx->f; /* 7 */
}

/* C-2. */
static void pace_arm(struct sx *sx)
{
    const bool work = work_now(sx);

    if (work && !sx->work) {
        sx->work_ms = sx->now;
    }
    sx->work = work;
    if (work && !sx->armed) {
        sx->armed = true;
        sx->prop_at = sx->prop_fired ? NEVER : later(timer_now(sx), timer_prop_ms(sx));
        sx->adv_at = later(timer_now(sx), timer_adv_ms(sx));
    } else if (!work && sx->armed) {
        pace_disarm(sx);
    }
}

/* T_prop fires, or is cancelled by an acceptable proposal; T_adv fires. */
static void pace_timers(struct sx *sx)
{
    if (sx->prop_at != NEVER && view_prop_acceptable(sx)) {
        sx->prop_at = NEVER;
    }
    if (timer_now(sx) >= sx->prop_at) {
        sx->prop_at = NEVER;
        sx->prop_fired = true;
        sx->prop_expired = true;
    }
    if (timer_now(sx) >= sx->adv_at) {
        sx->adv_at = NEVER;
        sx->adv_expired = true;
    }
}

/* Fast skip (8.9): a leader that is surely away while a quorum is there, not far from finality. */
static bool fast_skip(const struct sx *sx)
{
    const uint16_t leader = view_leader(sx, sx->cur);
    const struct peer *peer = &sx->peers[leader];
    uint32_t alive = 1; /* this node */

    if (!sx->work || leader == sx->own || sx->own == VALIDATOR_NONE ||
        sx->cur - sx->final.view > sx->n ||
        (peer->open && sx->now - peer->heard_ms < LEADER_SILENT_MS)) {
        return false;
    }
    for (uint32_t i = 0; i < sx->n; i++) {
        if (i != sx->own && sx->peers[i].open && sx->now - sx->peers[i].heard_ms <= PEER_ALIVE_MS) {
            alive += 1;
        }
    }
    return alive >= sx->q;
}

/* C-6(a): is there cause to NULLIFY cur? */
static bool nullify_cause(const struct sx *sx)
{
    const struct view *view = slot_find(sx, sx->cur);
    const struct tally *tally = tally_find(sx, sx->cur);
    const uint16_t leader = view_leader(sx, sx->cur);

    if (sx->prop_expired || sx->adv_expired) {
        return true;
    }
    if (view != NULL && view->prop_invalid) {
        return true;
    }
    if (leader != sx->own && tally != NULL && tally_voted(tally, VOTE_NULLIFY, leader)) {
        return true;
    }
    if (sx->cannot_build && sx->work) { /* C-3 */
        return true;
    }
    return fast_skip(sx);
}

/* C-6(b): once T_prop has fired and while the tip is unknown, views without certificate are closed again. */
static void nullify_left(struct sx *sx)
{
    uint64_t view;
    uint32_t said = 0;

    if (!sx->prop_fired || sx->tip_known || !view_may_vote(sx) || MUTANT_IS(311) ||
        MUTANT_IS(3112) || MUTANT_IS(320)) {
        return;
    }
    view = repair_lowest_uncertified(sx, sx->final.view + 1);
    for (uint32_t i = 0; i < TALLIES_LOW && view != 0; i++) {
        const struct mine mine = mine_of(sx, view);

        if (!mine.nullified && !mine.finalized) {
            if (said == LOW_NULLIFY_MAX || !ballot_room(sx)) {
                sx->dirty |= ballot_room(sx); /* the rest with the next evaluation */
                return;
            }
            view_nullify(sx, view);
            said += 1;
        }
        view = repair_lowest_uncertified(sx, view + 1);
    }
}

static void pace_nullify(struct sx *sx)
{
    const struct view *view = slot_find(sx, sx->cur);
    const bool nullified = view != NULL && view->mine.nullified;

    if (!nullified && nullify_cause(sx)) {
        view_nullify(sx, sx->cur);
    }
    nullify_left(sx);
    if (sx->retry_at == NEVER && view_may_vote(sx) &&
        (mine_of(sx, sx->cur).nullified || (sx->prop_fired && !sx->tip_known))) {
        sx->retry_ms = pace_retry_ms(sx);
        sx->retry_at = later(sx->now, sx->retry_ms);
    }
    if (sx->now >= sx->retry_at && (sx->work || MUTANT_IS(319)) && send_room(sx)) {
        repair_retry(sx);
        sx->retry_ms = sooner(2 * sx->retry_ms, TIMER_MAX_MS);
        sx->retry_at = later(sx->now, sx->retry_ms);
    }
}

void pace_evaluate(struct sx *sx)
{
    commit_try(sx);
    pace_arm(sx);
    view_propose(sx);
    view_notarize(sx);
    pace_timers(sx);
    pace_nullify(sx);
}

uint64_t pace_deadline(const struct sx *sx)
{
    uint64_t at = sooner(sx->hold_at, sx->propose_at);

    if (!MUTANT_IS(15)) {
        at = sooner(at, sooner(sx->prop_at, sx->adv_at));
    }
    if (sx->work) {
        at = sooner(at, sx->retry_at);
    }
    if (sx->justify_wait) {
        at = sooner(at, sx->justify_at);
    }
    return at;
}

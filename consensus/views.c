/*
 * The rules of a view: C-1 (second half) to C-6.  Each kind of vote is decided in one function, used by every path:
 * live, retry, restart.  Each check of C-4, C-5 and C-6 is a line with its rule.
 */
#include "consensus/core.h"

#include <string.h>

#include "crypto/hash.h"

/* What a proposal is worth here and now. */
enum judgement {
    JUDGE_WAIT,    /* something is missing, or block time has not come */
    JUDGE_ABSTAIN, /* no vote for it, but it is not invalid: T_adv decides */
    JUDGE_INVALID, /* 8.2 */
    JUDGE_VOTE,
};

uint16_t view_leader(const struct sx *sx, uint64_t view)
{
    return validators_leader(&sx->order, view);
}

bool view_may_vote(const struct sx *sx)
{
    return sx->phase == PHASE_RUNNING && sx->own != VALIDATOR_NONE && sx->record_whole &&
           !sx->foreign && !sx->stopped;
}

/* cur has risen. */
void view_entered(struct sx *sx, uint64_t previous)
{
    const uint64_t left = sx->cur - 1;

    INVARIANT(sx->cur > previous && sx->cur > sx->final.view);
    pace_disarm(sx);
    sx->entered_ms = sx->now;
    sx->entered_wall = sx->wall;
    sx->admission_recorded = false;
    sx->justified_above = left;
    sx->prop_fired = false;
    sx->prop_expired = false;
    sx->adv_expired = false;
    sx->cannot_build = false;
    sx->justify_wait = false;
    sx->retry_at = NEVER;
    sx->retry_ms = 0;
    sx->hold_at = NEVER;
    sx->propose_at = NEVER;
    sx->justify_at = 0;
    sx->build_view = 0;
    sx->build_wanted = false;
    sx->progress_ms = sx->now;
    sx->dirty = true;
    if (left != previous || left <= sx->final.view || !slot_certified(sx, left, VOTE_NULLIFY) ||
        slot_certified(sx, left, VOTE_NOTARIZE) || slot_certified(sx, left, VOTE_FINALIZE)) {
        tip_walk(sx, left); /* else the view left was nullified, and the tip stays */
    }
    repair_entered(sx, left > previous);
}

/* A member that signed this certificate, and so has its block. */
static uint16_t some_signer(struct sx *sx, const struct certificate *certificate)
{
    const uint32_t start = (uint32_t)random_below(&sx->random, sx->n);

    for (uint32_t i = 0; i < sx->n; i++) {
        const uint16_t index = (uint16_t)((start + i) % sx->n);

        if (index != sx->own && bitmap_has(certificate->bitmap, index)) {
            return index;
        }
    }
    return VALIDATOR_NONE;
}

/* Event: a certificate of this view came, or its block was executed. */
void view_changed(struct sx *sx, struct view *view)
{
    const struct certificate *certificate;
    uint16_t place;

    if (view->view <= sx->final.view) {
        return;
    }
    sx->dirty = true;
    certificate = cert_notarized(sx, view->view);
    if (certificate == NULL) {
        return;
    }
    place = block_add(sx, certificate->statement.candidate.block_hash);
    if (place == BLOCK_NONE) {
        return;
    }
    block_want(sx, place, some_signer(sx, certificate));
    if (sx->blocks[place].has_header && sx->blocks[place].header.height > sx->highest_height) {
        sx->highest_height = sx->blocks[place].header.height;
    }
    view_finalize(sx, view);
}

/* A candidate of a view above final_view on the final block can only repeat it. */
bool view_repeats_final(const struct sx *sx, const struct candidate *candidate)
{
    return hash_equal(candidate->block_hash, sx->final.block_hash);
}

/* C-3. */

static void propose(struct sx *sx, struct view *view, const struct candidate *tip,
                    const uint8_t *block_hash)
{
    INVARIANT(view->view == sx->cur && view_leader(sx, sx->cur) == sx->own);
    view->has_prop = true;
    view->prop_here = true;
    view->prop = (struct candidate){.epoch = sx->epoch, .view = sx->cur, .parent_view = sx->tip_at};
    memcpy(view->prop.block_hash, block_hash, HASH_BYTES);
    INVARIANT(tip->view == sx->tip_at);
    sx->dirty = true;
}

/* The time before which a proposal on this tip waits, unless its block would be full. */
static uint64_t propose_wait(const struct sx *sx, const struct block_header *tip)
{
    const uint64_t interval = sx->params.min_interval_ms;
    const uint64_t until = later(tip->time_ms, interval);

    if (until <= sx->entered_wall) {
        return sx->entered_ms;
    }
    return later(sx->entered_ms, sooner(until - sx->entered_wall, interval));
}

static bool propose_allowed(const struct sx *sx, const struct view *view)
{
    if (view_leader(sx, sx->cur) != sx->own || !view_may_vote(sx) || !sx->work) {
        return false;
    }
    if ((view->mine.notarized && !MUTANT_IS(304)) || view->mine.nullified) { /* C-3 */
        return false;
    }
    return !view->has_prop && sx->build_view != sx->cur;
}

/* C-3 a to c, on a tip whose block was executed. */
static void propose_on(struct sx *sx, struct view *view, const struct candidate *tip,
                       uint16_t place)
{
    const struct block_header *header = &sx->blocks[place].header;
    const bool ends = (header->flags & BLOCK_EPOCH_END) != 0 && header->epoch == sx->epoch;
    const bool present = sx->work_present && !ends;

    if (present && block_depth(sx, place) < sx->params.propose_depth &&
        block_room(sx)) { /* C-3 b */
        sx->build_view = sx->cur;
        sx->build_wanted = true;
        sx->build_time_ms = header->time_ms < sx->wall ? sx->wall : later(header->time_ms, 1);
        memcpy(sx->build_parent, tip->block_hash, HASH_BYTES);
        return;
    }
    if (place != BLOCK_FINAL && !MUTANT_IS(317)) { /* C-3 a, c */
        propose(sx, view, tip, tip->block_hash);
        return;
    }
    sx->cannot_build = true;
}

void view_propose(struct sx *sx)
{
    struct candidate tip = {.view = 0};
    struct view *view;
    uint16_t place;

    sx->propose_at = NEVER;
    sx->cannot_build = false;
    if (view_leader(sx, sx->cur) != sx->own) {
        return;
    }
    view = slot_claim(sx, sx->cur);
    INVARIANT(view != NULL);
    if (!propose_allowed(sx, view)) {
        return;
    }
    place = tip_block(sx);
    if (place == BLOCK_NONE || sx->blocks[place].verdict != BLOCK_VALID) {
        sx->cannot_build = repair_behind(sx); /* C-3: else what is missing is on its way */
        return;
    }
    if (!tip_candidate(sx, &tip) || !hash_equal(sx->work_hash, tip.block_hash)) {
        return; /* the host has not said yet what it could put on it */
    }
    if (!sx->work_full && sx->now < propose_wait(sx, &sx->blocks[place].header)) {
        sx->propose_at = propose_wait(sx, &sx->blocks[place].header);
        return;
    }
    propose_on(sx, view, &tip, place);
}

/* Does the header say what the candidate and its parent's header demand (C-4)? */
static bool header_fits(const struct sx *sx, const struct candidate *candidate,
                        const struct block_header *header, const struct block_header *parent,
                        const uint8_t *parent_hash)
{
    return hash_equal(header->chain_id, sx->chain_id) && header->epoch == sx->epoch &&
           header->view == candidate->view && header->height == parent->height + 1 &&
           header->proposer == view_leader(sx, candidate->view) &&
           hash_equal(header->parent_hash, parent_hash) &&
           hash_equal(header->valset_hash, sx->valset_hash) &&
           hash_equal(header->params_hash, sx->params_hash) && header->time_ms > parent->time_ms &&
           !((parent->flags & BLOCK_EPOCH_END) != 0 && parent->epoch == sx->epoch);
}

/* The host has built a block for this view, or has nothing to build. */
void view_built(struct sx *sx, uint64_t built_view, const struct block_header *header)
{
    struct candidate tip;
    struct view *view = slot_claim(sx, sx->cur);
    uint8_t hash[HASH_BYTES];
    uint16_t place;

    if (built_view != sx->cur || sx->build_view != sx->cur) {
        return;
    }
    INVARIANT(view != NULL);
    sx->build_view = 0;
    sx->dirty = true;
    if (header == NULL) {
        sx->work_present = false; /* until the host says so again */
        return;
    }
    if (!propose_allowed(sx, view) || !tip_candidate(sx, &tip) ||
        !hash_equal(tip.block_hash, header->parent_hash)) {
        return;
    }
    block_header_hash(header, hash);
    place = block_add(sx, hash);
    if (place == BLOCK_NONE || place == BLOCK_FINAL) {
        return;
    }
    propose(sx, view, &tip, hash);
    INVARIANT(
        header_fits(sx, &view->prop, header, &sx->blocks[tip_block(sx)].header, tip.block_hash));
    block_header_put(sx, place, header);
    block_built(sx, place);
}

/* C-4. */

/* The block that a justified candidate stands on. */
static uint16_t parent_block(const struct sx *sx, const struct candidate *candidate)
{
    const struct certificate *certificate;

    if (candidate->parent_view == sx->final.view) {
        return BLOCK_FINAL;
    }
    certificate = cert_notarized(sx, candidate->parent_view);
    if (certificate == NULL && (MUTANT_IS(9) || MUTANT_IS(303))) {
        const uint16_t place = block_find(sx, candidate->block_hash);

        return place == BLOCK_NONE || place == BLOCK_FINAL
                   ? place
                   : block_find(sx, sx->blocks[place].header.parent_hash);
    }
    return certificate == NULL ? BLOCK_NONE
                               : block_find(sx, certificate->statement.candidate.block_hash);
}

/* C-4: the parent's certificate, and cZ of all views between it and cur. */
bool view_justified(struct sx *sx, const struct candidate *candidate)
{
    const uint64_t parent = candidate->parent_view;

    INVARIANT(candidate->view == sx->cur);
    if (parent < sx->final.view) {
        return false;
    }
    if (parent > sx->final.view && cert_notarized(sx, parent) == NULL && !MUTANT_IS(9) &&
        !MUTANT_IS(303)) {
        return false;
    }
    while (sx->justified_above > parent) { /* certificates stay, so each view is looked at once */
        if (!slot_certified(sx, sx->justified_above, VOTE_NULLIFY) && !MUTANT_IS(1) &&
            !MUTANT_IS(302)) {
            return false;
        }
        sx->justified_above -= 1;
    }
    return true;
}

/* C-4, block time.  Neither answer makes the block invalid: no clock decides validity. */
static enum judgement judge_time(struct sx *sx, const struct block_header *header)
{
    const uint64_t time = header->time_ms;
    const uint64_t late = sx->params.late_bound_ms * pace_growth_milli(sx) / 1000;

    if (time > sx->wall && time - sx->wall > sx->params.precision_ms) {
        sx->hold_at = later(sx->now, time - sx->wall - sx->params.precision_ms);
        return JUDGE_WAIT;
    }
    if (sx->wall > time && sx->wall - time > late) {
        return JUDGE_ABSTAIN;
    }
    return JUDGE_VOTE;
}

/* C-4, a NEW candidate on an executed parent. */
static enum judgement judge_new(struct sx *sx, const struct candidate *candidate, uint16_t parent)
{
    const uint16_t place = block_add(sx, candidate->block_hash);
    const struct block *block;

    if (place == BLOCK_NONE) {
        return JUDGE_WAIT;
    }
    block = &sx->blocks[place];
    if (block->has_header && !header_fits(sx, candidate, &block->header, &sx->blocks[parent].header,
                                          sx->blocks[parent].hash)) {
        return JUDGE_INVALID;
    }
    if (block->has_header && block_depth(sx, place) > sx->params.vote_depth) {
        repair_final_ask(sx);
        return JUDGE_ABSTAIN;
    }
    block_want(sx, place, view_leader(sx, candidate->view));
    switch (block->verdict) {
    case BLOCK_UNJUDGED:
        return JUDGE_WAIT;
    case BLOCK_INVALID:
        return JUDGE_INVALID;
    case BLOCK_EXCLUDED:
        return JUDGE_ABSTAIN;
    case BLOCK_VALID:
        break;
    }
    return judge_time(sx, &block->header);
}

static enum judgement judge(struct sx *sx, const struct candidate *candidate)
{
    uint16_t parent;

    if (candidate->parent_view < sx->final.view || view_repeats_final(sx, candidate)) {
        repair_final_to(sx, view_leader(sx, candidate->view)); /* C-4, REPEAT of a final block */
        return JUDGE_ABSTAIN;
    }
    if (!view_justified(sx, candidate)) {
        repair_justification(sx);
        return JUDGE_WAIT;
    }
    parent = parent_block(sx, candidate);
    if (parent == BLOCK_NONE) {
        return JUDGE_WAIT; /* its view's event wants it */
    }
    block_want(sx, parent, view_leader(sx, candidate->view));
    if (sx->blocks[parent].verdict != BLOCK_VALID) {
        return JUDGE_WAIT;
    }
    if (hash_equal(sx->blocks[parent].hash, candidate->block_hash)) {
        return JUDGE_VOTE; /* REPEAT */
    }
    return judge_new(sx, candidate, parent);
}

/* The block's chain is recorded before the vote; false: too long a chain, or no room. */
static bool vote_room(struct sx *sx, uint64_t view, const uint8_t *block_hash)
{
    uint16_t path[PATH_MAX_BLOCKS];
    uint32_t count;

    return ballot_room(sx) && record_room(sx) && mine_room(sx, view) &&
           (block_hash == NULL || block_path(sx, block_find(sx, block_hash), path, &count));
}

/* C-4: the one place where NOTARIZE is decided. */
void view_notarize(struct sx *sx)
{
    struct view *view = slot_find(sx, sx->cur);
    struct mine mine;
    enum judgement judgement;

    sx->hold_at = NEVER;
    sx->justify_wait = false;
    if (view == NULL || !view->has_prop || !view_may_vote(sx)) {
        return;
    }
    mine = view->mine;
    if (mine.notarized && !MUTANT_IS(2) && !MUTANT_IS(304)) { /* C-4, I1 */
        return;
    }
    if (mine.notarized && candidate_equal(&mine.candidate, &view->prop)) {
        return;
    }
    if (mine.finalized && !candidate_equal(&mine.candidate, &view->prop)) { /* C-4, I3 */
        return;
    }
    judgement = judge(sx, &view->prop);
    view->prop_invalid = judgement == JUDGE_INVALID;
    if (judgement != JUDGE_VOTE || !vote_room(sx, sx->cur, view->prop.block_hash)) {
        return;
    }
    RULE_INVARIANT(view->view == sx->cur && view->prop.parent_view >= sx->final.view); /* I4, I5 */
    mine.notarized = true;
    mine.candidate = view->prop;
    record_vote(sx, &(struct statement){VOTE_NOTARIZE, view->prop}, &mine);
}

/* Is there a proposal that T_prop need not wait for: justified, here, its execution begun (C-6)? */
bool view_prop_acceptable(struct sx *sx)
{
    const struct view *view = slot_find(sx, sx->cur);
    uint16_t parent;
    uint16_t place;

    if (view == NULL || view->prop_invalid) {
        return false;
    }
    if (view->mine.notarized) {
        return true;
    }
    if (!view->has_prop || !view_justified(sx, &view->prop)) {
        return false;
    }
    parent = parent_block(sx, &view->prop);
    place = block_find(sx, view->prop.block_hash);
    if (parent == BLOCK_NONE || place == BLOCK_NONE || sx->blocks[parent].verdict != BLOCK_VALID) {
        return false;
    }
    return sx->blocks[place].executing || sx->blocks[place].verdict == BLOCK_VALID;
}

/* C-5: the one place where FINALIZE is decided. */
void view_finalize(struct sx *sx, struct view *view)
{
    const struct certificate *certificate = cert_find(sx, view->view, VOTE_NOTARIZE);
    const struct candidate *candidate;
    struct mine mine = view->mine;
    uint16_t place;

    if (certificate == NULL || !view_may_vote(sx) || view->view <= sx->final.view) { /* C-5, I5 */
        return;
    }
    candidate = &certificate->statement.candidate;
    if (mine.nullified && !MUTANT_IS(4) && !MUTANT_IS(301)) { /* C-5, I2 */
        return;
    }
    if (mine.finalized) { /* C-5 */
        return;
    }
    if (mine.notarized && !candidate_equal(&mine.candidate, candidate)) { /* C-5, I3 */
        return;
    }
    if (sx->top_final >= view->view) { /* C-5: no cF held for a view >= w */
        return;
    }
    place = block_find(sx, candidate->block_hash);
    if (place == BLOCK_NONE || sx->blocks[place].verdict != BLOCK_VALID) { /* C-5: executed here */
        return;
    }
    if (view_repeats_final(sx, candidate)) { /* C-5: REPEAT of a final block */
        repair_final_to(sx, view_leader(sx, view->view));
        return;
    }
    if (!vote_room(sx, view->view, candidate->block_hash)) {
        sx->finalize_again = true;
        return;
    }
    RULE_INVARIANT(slot_certified(sx, view->view, VOTE_NOTARIZE)); /* I3 */
    mine.finalized = true;
    mine.candidate = *candidate;
    record_vote(sx, &(struct statement){VOTE_FINALIZE, *candidate}, &mine);
}

/* Room has come for what found none. */
void view_finalize_again(struct sx *sx)
{
    if (!sx->finalize_again) {
        return;
    }
    sx->finalize_again = false;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (sx->slots[i].view > sx->final.view && sx->slots[i].certs[VOTE_NOTARIZE - 1].held &&
            !sx->slots[i].mine.finalized) {
            event_view(sx, &sx->slots[i]);
        }
    }
}

/* C-6: the one place where NULLIFY is decided; whether there is cause stands in pace.c. */
void view_nullify(struct sx *sx, uint64_t view)
{
    struct mine mine = mine_of(sx, view);

    if (!view_may_vote(sx) || view <= sx->final.view || view > sx->cur) { /* C-6, I5 */
        return;
    }
    if (mine.finalized) { /* C-6, I2: never after FINALIZE */
        return;
    }
    if (mine.nullified) { /* C-6: idempotent */
        return;
    }
    if (view != sx->cur && slot_certified_any(sx, view)) { /* C-6(b) */
        return;
    }
    if (!vote_room(sx, view, NULL)) {
        return;
    }
    mine.nullified = true;
    record_vote(sx, &(struct statement){VOTE_NULLIFY, {.epoch = sx->epoch, .view = view}}, &mine);
}

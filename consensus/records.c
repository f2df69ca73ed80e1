/*
 * The record of own votes: what goes into the vote log before a vote leaves (8.8, 8.11), how it comes back (C-1
 * "Restart"), and the way from a record to a signature.
 *
 * record -> RECORDED -> sign -> SIGNED -> count the vote here and send it.  mine[view] is set when the record
 * is emitted, so that no second statement can be made while it is on its way to the disk.
 */
#include "consensus/core.h"

#include <string.h>

#include "crypto/hash.h"

bool record_room(const struct sx *sx)
{
    return sx->record_count + RECORD_ROOM <= RECORDS_QUEUE;
}

/*
 * A record is needed while its view is above final_view.  Kept are those whose view is above that of every
 * earlier one: while such a record stands, everything behind it up to the next stands too.
 */
static void free_push(struct sx *sx, uint64_t seq, uint64_t view)
{
    struct free_item *last;

    if (view <= sx->final.view) {
        return;
    }
    if (sx->free_count != 0) {
        last = &sx->frees[(sx->free_first + sx->free_count - 1) % FREES_MAX];
        if (view <= last->view) {
            return;
        }
        if (sx->free_count == FREES_MAX) {
            last->view = view; /* keeps more than it must */
            return;
        }
    }
    sx->frees[(sx->free_first + sx->free_count) % FREES_MAX] =
        (struct free_item){.seq = seq, .view = view};
    sx->free_count += 1;
}

void record_free(struct sx *sx)
{
    uint64_t seq;

    while (sx->free_count != 0 && sx->frees[sx->free_first].view <= sx->final.view) {
        sx->free_first = (sx->free_first + 1) % FREES_MAX;
        sx->free_count -= 1;
    }
    seq = sx->free_count != 0 ? sx->frees[sx->free_first].seq : sx->next_seq;
    INVARIANT(seq >= sx->free_told);
    if (seq != sx->free_told) {
        sx->free_told = seq;
        sx->free_seq = seq;
    }
}

static uint64_t record_push(struct sx *sx, struct record_item item, uint64_t view)
{
    INVARIANT(sx->record_count < RECORDS_QUEUE);
    item.seq = sx->next_seq;
    sx->next_seq += 1;
    sx->records[(sx->record_first + sx->record_count) % RECORDS_QUEUE] = item;
    sx->record_count += 1;
    free_push(sx, item.seq, view);
    return item.seq;
}

/* 8.11: bodies of the block and of its ancestors above the final one, each once. */
static void record_blocks(struct sx *sx, uint16_t place)
{
    uint16_t path[PATH_MAX_BLOCKS];
    uint32_t count;

    if (MUTANT_IS(318)) {
        return;
    }
    INVARIANT(block_path(sx, place, path, &count));
    while (count > 0) {
        struct block *block = &sx->blocks[path[count - 1]];

        if (block->recorded_seq == 0) {
            block->recorded_seq = record_push(
                sx, (struct record_item){.type = RECORD_BLOCK, .block = path[count - 1]},
                block->header.view);
        }
        count -= 1;
    }
}

/* 8.11: before the first vote cast while in cur, the certificate of cur - 1 that admitted this node. */
static void record_admission(struct sx *sx)
{
    const uint64_t view = sx->cur - 1;
    enum vote_kind kind = VOTE_NOTARIZE;

    if (sx->admission_recorded || view <= sx->final.view || MUTANT_IS(311) || MUTANT_IS(3111) ||
        MUTANT_IS(320)) {
        return;
    }
    if (cert_find(sx, view, kind) == NULL) {
        kind = cert_find(sx, view, VOTE_NULLIFY) != NULL ? VOTE_NULLIFY : VOTE_FINALIZE;
    }
    INVARIANT(cert_find(sx, view, kind) != NULL); /* C-1: there is no other way into a view */
    (void)record_push(
        sx, (struct record_item){.type = RECORD_CERT, .kind = (uint8_t)kind, .view = view}, view);
    sx->admission_recorded = true;
}

/* Ballots. */

static struct ballot *ballot_at(const struct sx *sx, uint32_t request)
{
    return &sx->ballots[request % BALLOTS_MAX];
}

bool ballot_room(const struct sx *sx)
{
    return !ballot_at(sx, sx->ballot_next)->used;
}

static void ballot_add(struct sx *sx, const struct statement *statement, uint64_t seq, bool again)
{
    struct ballot *ballot = ballot_at(sx, sx->ballot_next);

    INVARIANT(!ballot->used);
    *ballot = (struct ballot){.request = sx->ballot_next, .used = true, .again = again, .seq = seq};
    ballot->vote.statement = *statement;
    ballot->vote.index = sx->own;
    sx->ballot_next += 1;
}

/* Say it: bodies, admission, then the statement itself; the signature follows when all is durable. */
void record_vote(struct sx *sx, const struct statement *statement, const struct mine *mine)
{
    const enum vote_kind kind = statement->kind;
    const uint64_t view = statement->candidate.view;
    const enum record_type type = kind == VOTE_NOTARIZE  ? RECORD_NOTARIZE
                                  : kind == VOTE_NULLIFY ? RECORD_NULLIFY
                                                         : RECORD_FINALIZE;
    uint64_t seq;

    INVARIANT(view_may_vote(sx) && view > sx->final.view);
    if (kind != VOTE_NULLIFY) {
        record_blocks(sx, block_find(sx, statement->candidate.block_hash));
    }
    if (kind != VOTE_FINALIZE) {
        record_admission(sx);
    }
    mine_put(sx, view, mine);
    seq = record_push(sx, (struct record_item){.type = type, .view = view}, view);
    ballot_add(sx, statement, seq, false);
    sx->dirty = true;
}

/* The durable M|final, repeated in the log; a node without a whole log writes none (8.11). */
void record_epoch_put(struct sx *sx)
{
    if (sx->own == VALIDATOR_NONE || !sx->record_whole) {
        return;
    }
    (void)record_push(sx, (struct record_item){.type = RECORD_EPOCH, .view = sx->final.view}, 0);
}

/* How the vote goes out: the leader's NOTARIZE of cur is its proposal. */
static void ballot_send(struct sx *sx, const struct ballot *ballot)
{
    const struct statement *statement = &ballot->vote.statement;
    const uint64_t after_seq = MUTANT_IS(3) ? 0 : ballot->seq;
    const struct view *view = slot_find(sx, statement->candidate.view);
    const bool proposal = statement->kind == VOTE_NOTARIZE && view != NULL &&
                          view->view == sx->cur && view_leader(sx, sx->cur) == sx->own &&
                          !view->mine.nullified;

    send_push(sx, (struct send_item){.what = proposal ? SEND_PROPOSAL : SEND_BALLOT,
                                     .to = SX_TO_ALL,
                                     .view = proposal ? sx->cur : ballot->request,
                                     .after_seq = after_seq});
}

/* The signer has answered.  A refused vote is not sent, and its record stands. */
void ballot_signed(struct sx *sx, uint32_t request, const uint8_t *signature)
{
    struct ballot *ballot = ballot_at(sx, request);
    const struct candidate *candidate = &ballot->vote.statement.candidate;

    if (!ballot->used || ballot->request != request) {
        return;
    }
    ballot->used = false;
    view_finalize_again(sx);
    if (signature == NULL || candidate->view <= sx->final.view || !view_may_vote(sx)) {
        return;
    }
    RULE_INVARIANT(ballot->seq <= sx->durable_seq);
    memcpy(ballot->vote.signature, signature, SIGNATURE_BYTES);
    tally_add(sx, &ballot->vote); /* commonware#4275: own votes count here too */
    ballot_send(sx, ballot);
}

/* Restart. */

static void restore_said(struct sx *sx, enum vote_kind kind, const struct candidate *candidate)
{
    struct mine mine = mine_of(sx, candidate->view);

    if (candidate->epoch != sx->epoch || candidate->view <= sx->final.view ||
        candidate->view >= VIEW_LIMIT || MUTANT_IS(306)) {
        return;
    }
    if (candidate->view > sx->highest_said) {
        sx->highest_said = candidate->view;
    }
    if ((MUTANT_IS(311) || MUTANT_IS(3111) || MUTANT_IS(320)) && candidate->view > sx->cur) {
        const uint64_t previous = sx->cur;

        sx->cur = candidate->view;
        view_entered(sx, previous);
    }
    if (candidate->view > sx->cur || !mine_room(sx, candidate->view)) {
        sx->record_whole = false; /* such a record was not written by these rules */
        out_report(sx, SX_REPORT_LOST_DATA, candidate->view);
        return;
    }
    mine.notarized |= kind == VOTE_NOTARIZE;
    mine.nullified |= kind == VOTE_NULLIFY;
    mine.finalized |= kind == VOTE_FINALIZE;
    if (kind != VOTE_NULLIFY) {
        mine.candidate = *candidate;
    }
    mine_put(sx, candidate->view, &mine);
}

static void restore_block(struct sx *sx, uint64_t seq, const struct block_header *header)
{
    uint8_t hash[HASH_BYTES];
    uint16_t place;

    if (header->epoch != sx->epoch || header->view <= sx->final.view ||
        header->height <= sx->blocks[BLOCK_FINAL].header.height) {
        return;
    }
    block_header_hash(header, hash);
    place = block_add(sx, hash);
    if (place == BLOCK_NONE || place == BLOCK_FINAL) {
        return;
    }
    block_header_put(sx, place, header);
    sx->blocks[place].body = true;
    sx->blocks[place].recorded_seq = seq;
    block_want(sx, place, VALIDATOR_NONE);
}

/* A vote log whose newest EPOCH record is above M|final stands beside an older store (8.8). */
static void restore_epoch(struct sx *sx, const struct record *record)
{
    if (record->epoch > sx->epoch ||
        (record->epoch == sx->epoch && record->view > sx->final.view)) {
        sx->record_whole = false;
        out_report(sx, SX_REPORT_LOST_DATA, record->view);
    }
}

/* One record of the log.  What does not decode was not written by this version: nothing is signed then. */
void record_restore(struct sx *sx, uint64_t seq, struct bytes bytes)
{
    struct record record;
    struct candidate candidate;

    if (seq >= sx->next_seq) {
        sx->next_seq = seq + 1;
    }
    if (!record_decode(bytes, sx->n, &record)) {
        sx->record_whole = false;
        out_report(sx, SX_REPORT_LOST_DATA, 0);
        return;
    }
    candidate = record.candidate;
    switch (record.type) {
    case RECORD_BLOCK:
        restore_block(sx, seq, &record.header);
        candidate = (struct candidate){.epoch = record.header.epoch, .view = record.header.view};
        break;
    case RECORD_NOTARIZE:
        restore_said(sx, VOTE_NOTARIZE, &candidate);
        break;
    case RECORD_NULLIFY:
        candidate = (struct candidate){.epoch = record.epoch, .view = record.view};
        restore_said(sx, VOTE_NULLIFY, &candidate);
        break;
    case RECORD_FINALIZE:
        if (!MUTANT_IS(312)) {
            cert_take(sx, &record.certificate);
        }
        restore_said(sx, VOTE_FINALIZE, &candidate);
        break;
    case RECORD_CERT:
        candidate = record.certificate.statement.candidate;
        cert_take(sx, &record.certificate);
        break;
    case RECORD_EPOCH:
        restore_epoch(sx, &record);
        return;
    case RECORD_KEY:
        return;
    }
    if (candidate.epoch == sx->epoch) {
        free_push(sx, seq, candidate.view);
    }
}

/* Sign what the record says of a view again, so that it counts here and can be sent. */
static void restore_ballots(struct sx *sx, uint64_t view)
{
    const struct mine mine = mine_of(sx, view);
    const struct candidate nullified = {.epoch = sx->epoch, .view = view};

    if (mine.notarized && ballot_room(sx)) {
        ballot_add(sx, &(struct statement){VOTE_NOTARIZE, mine.candidate}, sx->durable_seq, true);
    }
    if (mine.nullified && ballot_room(sx) && !MUTANT_IS(14)) {
        ballot_add(sx, &(struct statement){VOTE_NULLIFY, nullified}, sx->durable_seq, true);
    }
    if (mine.finalized && ballot_room(sx)) {
        ballot_add(sx, &(struct statement){VOTE_FINALIZE, mine.candidate}, sx->durable_seq, true);
    }
}

/* C-1 "Restart": all records were given. */
void record_restored(struct sx *sx)
{
    const uint64_t newest =
        sx->cur > sx->final.view + VIEWS_AHEAD ? sx->cur - VIEWS_AHEAD + 1 : sx->final.view + 1;
    struct view *view = slot_claim(sx, sx->cur);
    uint64_t low;

    INVARIANT(view != NULL);
    RULE_INVARIANT(sx->cur >= sx->highest_said || !sx->record_whole);
    sx->phase = PHASE_RUNNING;
    sx->durable_seq = sx->next_seq - 1;
    sx->admission_recorded = true; /* cur comes from a certificate of this very log */
    if (!sx->record_whole) {
        out_report(sx, SX_REPORT_LOST_DATA, sx->cur);
    }
    low = repair_lowest_uncertified(sx, sx->final.view + 1);
    for (uint32_t i = 0; i < TALLIES_LOW && low != 0 && low < newest; i++) {
        restore_ballots(sx, low);
        low = repair_lowest_uncertified(sx, low + 1);
    }
    for (uint64_t w = newest; w <= sx->cur; w++) {
        restore_ballots(sx, w);
    }
    if (view->mine.notarized && view_leader(sx, sx->cur) == sx->own && !MUTANT_IS(304)) {
        view->has_prop = true; /* C-3: the same proposal again, never a second one */
        view->prop_here = true;
        view->prop = view->mine.candidate;
    }
    if (view->mine.nullified) {
        sx->retry_ms = pace_retry_ms(sx);
        sx->retry_at = later(sx->now, sx->retry_ms);
    }
}

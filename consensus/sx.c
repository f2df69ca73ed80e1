#include "consensus/sx.h"

#include <string.h>

#include "consensus/core.h"
#include "crypto/hash.h"

enum {
    PASSES_MAX = 4096
}; /* evaluations in one step; each but the last has recorded or asked something */

/* Bytes of a certificate with its message type in front. */
static size_t cert_stride_of(uint32_t n)
{
    return arena_rounded(1 + certificate_bytes(n));
}

size_t sx_footprint(uint32_t n)
{
    INVARIANT(n >= 1 && n <= VALIDATORS_MAX);
    return arena_rounded(sizeof(struct sx)) + arena_rounded(SLOTS * sizeof(struct view)) +
           arena_rounded(((size_t)SLOTS * KINDS + 1) * cert_stride_of(n)) +
           arena_rounded(VIEWS_OLD * sizeof(struct old_view)) +
           arena_rounded(TALLIES * sizeof(struct tally)) +
           arena_rounded(TALLIES * arena_rounded(tally_memory_bytes(n))) +
           arena_rounded(BLOCKS * sizeof(struct block)) +
           arena_rounded(BUCKETS * sizeof(uint16_t)) + arena_rounded(n * sizeof(struct peer)) +
           arena_rounded(BALLOTS_MAX * sizeof(struct ballot)) +
           arena_rounded(FREES_MAX * sizeof(struct free_item)) +
           arena_rounded(EVENTS_MAX * sizeof(uint32_t)) +
           arena_rounded(RECORDS_QUEUE * sizeof(struct record_item)) +
           arena_rounded(SENDS_QUEUE * sizeof(struct send_item)) +
           2 * arena_rounded(BLOCKS * sizeof(uint16_t)) + arena_rounded(out_scratch_bytes(n));
}

enum err sx_init(struct arena *arena, uint32_t n, struct sx **out)
{
    struct sx *sx;

    INVARIANT(n >= 1 && n <= VALIDATORS_MAX);
    if (arena->size - arena->used < sx_footprint(n)) {
        return ERR_NO_SPACE;
    }
    sx = arena_must(arena, sizeof *sx);
    sx->capacity = (uint16_t)n;
    sx->own = VALIDATOR_NONE;
    sx->cert_stride = cert_stride_of(n);
    sx->tally_stride = arena_rounded(tally_memory_bytes(n));
    sx->scratch_size = out_scratch_bytes(n);
    sx->slots = arena_must(arena, SLOTS * sizeof *sx->slots);
    sx->cert_memory = arena_must(arena, ((size_t)SLOTS * KINDS + 1) * sx->cert_stride);
    sx->old = arena_must(arena, VIEWS_OLD * sizeof *sx->old);
    sx->tallies = arena_must(arena, TALLIES * sizeof *sx->tallies);
    sx->tally_memory = arena_must(arena, TALLIES * sx->tally_stride);
    sx->blocks = arena_must(arena, BLOCKS * sizeof *sx->blocks);
    sx->buckets = arena_must(arena, BUCKETS * sizeof *sx->buckets);
    sx->peers = arena_must(arena, n * sizeof *sx->peers);
    sx->ballots = arena_must(arena, BALLOTS_MAX * sizeof *sx->ballots);
    sx->frees = arena_must(arena, FREES_MAX * sizeof *sx->frees);
    sx->events = arena_must(arena, EVENTS_MAX * sizeof *sx->events);
    sx->records = arena_must(arena, RECORDS_QUEUE * sizeof *sx->records);
    sx->sends = arena_must(arena, SENDS_QUEUE * sizeof *sx->sends);
    sx->executes = arena_must(arena, BLOCKS * sizeof *sx->executes);
    sx->fetches = arena_must(arena, BLOCKS * sizeof *sx->fetches);
    sx->scratch = arena_must(arena, sx->scratch_size);
    for (uint32_t i = 0; i < TALLIES_RING; i++) {
        sx->tally_ring[i] = (uint8_t)i;
    }
    for (uint32_t i = 0; i < TALLIES_LOW; i++) {
        sx->tally_low[i].table = (uint8_t)(TALLIES_RING + i);
    }
    *out = sx;
    return ERR_OK;
}

/* The queue of internal events. */

static void event_push(struct sx *sx, uint32_t kind, uint32_t place)
{
    INVARIANT(sx->event_count < EVENTS_MAX); /* one of each place at most */
    sx->events[(sx->event_first + sx->event_count) % EVENTS_MAX] = kind << 16 | place;
    sx->event_count += 1;
}

void event_view(struct sx *sx, struct view *view)
{
    INVARIANT(view != NULL);
    if (!view->queued) {
        view->queued = true;
        event_push(sx, EVENT_VIEW, (uint32_t)(view - sx->slots));
    }
}

void event_block(struct sx *sx, uint16_t place)
{
    INVARIANT(place != BLOCK_FINAL && place < BLOCKS);
    if (!sx->blocks[place].queued) {
        sx->blocks[place].queued = true;
        event_push(sx, EVENT_BLOCK, place);
    }
}

static void event_next(struct sx *sx)
{
    const uint32_t event = sx->events[sx->event_first];
    const uint16_t place = (uint16_t)(event & 0xffff);

    INVARIANT(sx->event_count > 0);
    sx->event_first = (sx->event_first + 1) % EVENTS_MAX;
    sx->event_count -= 1;
    if (event >> 16 == EVENT_VIEW) {
        INVARIANT(place < SLOTS);
        sx->slots[place].queued = false;
        view_changed(sx, &sx->slots[place]);
    } else {
        sx->blocks[place].queued = false;
        block_changed(sx, place);
    }
}

/* No commit and no vote any more. */
void sx_stop(struct sx *sx, enum sx_report why, uint64_t view)
{
    if (!sx->stopped) {
        out_report(sx, why, view);
    }
    sx->stopped = true;
}

/* External events. */

static void step_start(struct sx *sx, const struct sx_start *start)
{
    INVARIANT(start->set->count >= 1 && start->set->count <= sx->capacity);
    INVARIANT(start->own_index < start->set->count || start->own_index == VALIDATOR_NONE);
    INVARIANT(start->final.epoch == start->epoch && start->final.view < VIEW_LIMIT);
    INVARIANT(start->bodies_max <= SX_BLOCKS_MAX);
    sx->phase = PHASE_RESTORING;
    sx->n = start->set->count;
    sx->f = (uint16_t)validators_faulty(sx->n);
    sx->q = (uint16_t)validators_quorum(sx->n);
    sx->own = start->own_index;
    sx->random = (struct random){.state = start->seed};
    memcpy(sx->chain_id, start->chain_id, HASH_BYTES);
    memcpy(sx->valset_hash, start->valset_hash, HASH_BYTES);
    memcpy(sx->params_hash, start->params_hash, HASH_BYTES);
    sx->epoch = start->epoch;
    sx->order = *start->order;
    sx->params = start->params;
    sx->earliest_height = start->earliest_height;
    sx->bodies_max = start->bodies_max != 0 ? start->bodies_max : SX_BLOCKS_MAX;
    sx->record_whole = start->record_whole;
    if (start->final_certificate != NULL) {
        cert_final_put(sx, start->final_certificate->encoded);
    }
    block_start(sx, &start->final, &start->final_header);
    sx->highest_height = start->final_header.height;
    sx->next_seq = 1;
    sx->cur = start->final.view + 1;
    sx->final_ms = sx->now;
    sx->work_ms = sx->now;
    view_entered(sx, start->final.view);
}

static void step_restored(struct sx *sx)
{
    record_restored(sx);
    sx->entered_ms = sx->now;
    sx->entered_wall = sx->wall;
    sx->dirty = true;
    repair_start(sx);
}

static void step_work(struct sx *sx, const struct sx_event *event)
{
    struct candidate tip;

    if (!tip_candidate(sx, &tip) || !hash_equal(tip.block_hash, event->work.tip)) {
        return; /* an answer about a tip that is no longer one */
    }
    memcpy(sx->work_hash, event->work.tip, HASH_BYTES);
    sx->work_present = event->work.present;
    sx->work_full = event->work.full;
    sx->dirty = true;
}

static void step_executed(struct sx *sx, const struct sx_event *event)
{
    const uint16_t place = block_find(sx, event->executed.block);

    if (place == BLOCK_NONE || place == BLOCK_FINAL || !sx->blocks[place].executing) {
        return; /* dropped meanwhile */
    }
    switch (event->executed.verdict) {
    case SX_VALID:
        block_judged(sx, place, BLOCK_VALID);
        break;
    case SX_INVALID:
        block_judged(sx, place, BLOCK_INVALID);
        break;
    case SX_MISSING:
        sx->blocks[place].executing = false;
        sx->blocks[place].body = false;
        sx->blocks[place].fetching = false;
        event_block(sx, place);
        break;
    }
}

static void step_body(struct sx *sx, const struct sx_event *event)
{
    const uint16_t place = block_find(sx, event->body.block);

    if (place == BLOCK_NONE || place == BLOCK_FINAL) {
        return;
    }
    block_header_put(sx, place, event->body.header);
    sx->blocks[place].body = true;
    sx->blocks[place].fetching = false;
    sx->dirty = true;
    event_block(sx, place);
}

static void step_event(struct sx *sx, const struct sx_event *event)
{
    switch (event->kind) {
    case SX_START:
        step_start(sx, event->start);
        break;
    case SX_RESTORE:
        INVARIANT(sx->phase == PHASE_RESTORING);
        record_restore(sx, event->restore.seq, event->restore.record);
        break;
    case SX_RESTORED:
        INVARIANT(sx->phase == PHASE_RESTORING);
        step_restored(sx);
        break;
    case SX_SESSION:
        intake_session(sx, event->session.peer, event->session.what);
        break;
    case SX_MESSAGE:
        intake_message(sx, event->message.peer, event->message.message);
        break;
    case SX_WORK:
        step_work(sx, event);
        break;
    case SX_BUILT:
        view_built(sx, event->built.view, event->built.header);
        break;
    case SX_EXECUTED:
        step_executed(sx, event);
        break;
    case SX_BODY:
        step_body(sx, event);
        break;
    case SX_RECORDED:
        INVARIANT(event->recorded_seq < sx->next_seq);
        if (event->recorded_seq > sx->durable_seq) {
            sx->durable_seq = event->recorded_seq;
        }
        break;
    case SX_SIGNED:
        ballot_signed(sx, event->signed_.request, event->signed_.signature);
        break;
    case SX_COMMITTED:
        commit_done(sx, event);
        break;
    case SX_TICK:
    case SX_MORE:
        break;
    }
}

static bool step_room(const struct sx *sx)
{
    return record_room(sx) && send_room(sx);
}

/* Run internal events and evaluate the view until nothing is left, or until the outgoing queues are full. */
static void step_run(struct sx *sx, bool tick)
{
    bool due = tick || sx->now >= sx->deadline;

    for (uint32_t passes = 0; passes < PASSES_MAX; passes++) {
        while (sx->event_count != 0 && step_room(sx)) {
            event_next(sx);
        }
        if (sx->event_count != 0 || !(sx->dirty || due)) {
            return;
        }
        if (!step_room(sx)) {
            sx->dirty = true; /* with SX_MORE */
            return;
        }
        sx->dirty = false;
        due = false;
        pace_evaluate(sx);
        repair_evaluate(sx);
    }
    INVARIANT(!sx->dirty);
}

void sx_step(struct sx *sx, const struct sx_event *event, struct sx_out *out)
{
    INVARIANT((sx->phase == PHASE_NEW) == (event->kind == SX_START));
    INVARIANT(event->now_ms >= sx->now);
    sx->now = event->now_ms;
    sx->wall = event->wall_ms;
    step_event(sx, event);
    if (sx->phase == PHASE_RUNNING) {
        step_run(sx, event->kind == SX_TICK);
    }
    out_flush(sx, out);
}

/* Queries. */

bool sx_wants(const struct sx *sx, struct bytes message)
{
    return intake_wants(sx, message);
}

bool sx_holds(const struct sx *sx, const struct statement *statement)
{
    const struct certificate *certificate;

    if (sx->final_held && statement_equal(&sx->final_certificate.statement, statement)) {
        return true;
    }
    if (statement->candidate.epoch != sx->epoch || statement->candidate.view <= sx->final.view ||
        statement->candidate.view >= VIEW_LIMIT) {
        return false;
    }
    certificate = cert_find(sx, statement->candidate.view, statement->kind);
    return certificate != NULL && statement_equal(&certificate->statement, statement);
}

bool sx_final_certificate(const struct sx *sx, struct certificate *out)
{
    if (sx->final_held) {
        *out = sx->final_certificate;
    }
    return sx->final_held;
}

bool sx_needs_block(const struct sx *sx, const uint8_t *hash)
{
    const uint16_t place = block_find(sx, hash);

    return place != BLOCK_NONE && place != BLOCK_FINAL;
}

void sx_summary(const struct sx *sx, struct sx_summary *out)
{
    *out = (struct sx_summary){
        .epoch = sx->epoch,
        .cur = sx->cur,
        .entered_ms = sx->entered_ms,
        .final_view = sx->final.view,
        .final_height = sx->blocks[BLOCK_FINAL].header.height,
        .highest_height = sx->highest_height,
        .leader = view_leader(sx, sx->cur),
        .votes = view_may_vote(sx),
        .work = sx->work,
        .armed = sx->armed,
        .open_views = sx->open_count,
        .old_views = sx->old_count,
        .next_seq = sx->next_seq,
    };
    memcpy(out->final_hash, sx->final.block_hash, HASH_BYTES);
}

/* The tip, looked for from the top. */
static void check_tip(const struct sx *sx)
{
    uint64_t view = sx->cur - 1;

    while (view > sx->final.view && slot_certified(sx, view, VOTE_NULLIFY) &&
           !slot_certified(sx, view, VOTE_NOTARIZE) && !slot_certified(sx, view, VOTE_FINALIZE)) {
        view -= 1;
    }
    INVARIANT(view == sx->tip_at);
    INVARIANT(sx->tip_known == (view == sx->final.view || slot_certified(sx, view, VOTE_NOTARIZE) ||
                                slot_certified(sx, view, VOTE_FINALIZE)));
}

void sx_check(const struct sx *sx)
{
    INVARIANT(sx->phase != PHASE_NEW);
    INVARIANT(sx->cur > sx->final.view && sx->cur < VIEW_LIMIT + VIEWS_AHEAD);
    INVARIANT(sx->top_final == 0 || sx->top_final > sx->final.view);
    INVARIANT(sx->certified_count <= sx->cur - 1 - sx->final.view);
    INVARIANT(sx->event_count <= SLOTS + BLOCKS);
    INVARIANT(sx->durable_seq < sx->next_seq);
    slot_check(sx);
    tally_check(sx);
    block_check(sx);
    check_tip(sx);
}

/*
 * Entries of views above final_view (8.5): a ring of the newest 1,024, one more for the newest notarized view
 * that left the ring (the tip is there, if no younger view was notarized), and 64 bytes of each older one.
 *
 * A place of the ring is taken over lazily: its old owner moves when a younger view needs it.
 */
#include "consensus/core.h"

#include <string.h>

#include "crypto/hash.h"

static struct view *ring_place(const struct sx *sx, uint64_t view)
{
    return &sx->slots[view % VIEWS_OPEN];
}

struct view *slot_find(const struct sx *sx, uint64_t view)
{
    struct view *place = ring_place(sx, view);
    struct view *anchor = &sx->slots[SLOT_ANCHOR];

    if (view <= sx->final.view) {
        return NULL;
    }
    if (place->view == view) {
        return place;
    }
    return anchor->view == view ? anchor : NULL;
}

uint8_t *slot_cert_memory(const struct sx *sx, const struct view *view, enum vote_kind kind)
{
    const size_t place = (size_t)(view - sx->slots);

    INVARIANT(place < SLOTS);
    return sx->cert_memory + (place * KINDS + (size_t)kind - 1) * sx->cert_stride;
}

/* The old table: a circular array in order of views. */

static struct old_view *old_at(const struct sx *sx, uint32_t i)
{
    return &sx->old[(sx->old_first + i) % VIEWS_OLD];
}

/* The first place whose view is not below this one. */
static uint32_t old_place(const struct sx *sx, uint64_t view)
{
    uint32_t low = 0;
    uint32_t high = sx->old_count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;

        if (old_at(sx, middle)->view < view) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct old_view *old_find(const struct sx *sx, uint64_t view)
{
    const uint32_t place = old_place(sx, view);

    if (place < sx->old_count && old_at(sx, place)->view == view) {
        return old_at(sx, place);
    }
    return NULL;
}

/* Views come here nearly in order, so that few entries move: at most those of one turn of the ring. */
static struct old_view *old_insert(struct sx *sx, uint64_t view)
{
    const uint32_t place = old_place(sx, view);

    if (place < sx->old_count && old_at(sx, place)->view == view) {
        return old_at(sx, place);
    }
    INVARIANT(sx->old_count < VIEWS_OLD);
    for (uint32_t i = sx->old_count; i > place; i--) {
        *old_at(sx, i) = *old_at(sx, i - 1);
    }
    sx->old_count += 1;
    *old_at(sx, place) = (struct old_view){.view = view};
    return old_at(sx, place);
}

static void old_mine_put(struct old_view *old, const struct mine *mine)
{
    old->said = (uint8_t)((mine->notarized ? kind_bit(VOTE_NOTARIZE) : 0) |
                          (mine->nullified ? kind_bit(VOTE_NULLIFY) : 0) |
                          (mine->finalized ? kind_bit(VOTE_FINALIZE) : 0));
    old->parent_view = mine->candidate.parent_view;
    memcpy(old->hash, mine->candidate.block_hash, HASH_BYTES);
}

static struct mine old_mine(const struct sx *sx, const struct old_view *old)
{
    struct mine mine = {
        .notarized = (old->said & kind_bit(VOTE_NOTARIZE)) != 0,
        .nullified = (old->said & kind_bit(VOTE_NULLIFY)) != 0,
        .finalized = (old->said & kind_bit(VOTE_FINALIZE)) != 0,
    };

    if (mine.notarized || mine.finalized) {
        mine.candidate = (struct candidate){
            .epoch = sx->epoch, .view = old->view, .parent_view = old->parent_view};
        memcpy(mine.candidate.block_hash, old->hash, HASH_BYTES);
    }
    return mine;
}

/* Keep 64 bytes of an entry that leaves. */
static void old_put(struct sx *sx, const struct view *view)
{
    const struct mine *mine = &view->mine;
    struct old_view *old;
    uint8_t certified = 0;

    for (uint32_t k = 0; k < KINDS; k++) {
        certified |= (uint8_t)(view->certs[k].held ? 1U << k : 0);
    }
    if (certified == 0 && !mine->notarized && !mine->nullified && !mine->finalized) {
        return;
    }
    old = old_insert(sx, view->view);
    old->certified |= certified;
    old_mine_put(old, mine);
}

/* The ring. */

/* Copy an entry and the bytes of its certificates to another place. */
static void slot_copy(struct sx *sx, struct view *to, const struct view *from)
{
    const bool queued = to->queued;

    *to = *from;
    to->queued = queued;
    for (uint32_t k = 0; k < KINDS; k++) {
        const enum vote_kind kind = (enum vote_kind)(k + 1);

        if (from->certs[k].held) {
            uint8_t *memory = slot_cert_memory(sx, to, kind);

            memcpy(memory, slot_cert_memory(sx, from, kind), sx->cert_stride);
            INVARIANT(certificate_decode(bytes_of(memory + 1, certificate_bytes(sx->n)), sx->n,
                                         &to->certs[k].certificate));
        }
    }
}

static void slot_clear(struct view *view)
{
    const bool queued = view->queued;

    memset(view, 0, sizeof *view);
    view->queued = queued;
}

static bool slot_notarized(const struct view *view)
{
    return view->certs[VOTE_NOTARIZE - 1].held || view->certs[VOTE_FINALIZE - 1].held;
}

/* Take an entry out of the ring. */
static void slot_leave(struct sx *sx, struct view *view)
{
    struct view *anchor = &sx->slots[SLOT_ANCHOR];

    INVARIANT(view != anchor && sx->open_count > 0);
    sx->open_count -= 1;
    if (view->view > sx->final.view) {
        if (slot_notarized(view) && view->view > anchor->view) {
            if (anchor->view > sx->final.view) {
                old_put(sx, anchor);
            }
            slot_copy(sx, anchor, view);
        } else {
            old_put(sx, view);
        }
    }
    slot_clear(view);
}

struct view *slot_claim(struct sx *sx, uint64_t view)
{
    struct view *place = slot_find(sx, view);

    if (place != NULL) {
        return place;
    }
    if (view <= sx->final.view || view > sx->cur + VIEWS_AHEAD ||
        view + VIEWS_OPEN <= sx->cur + VIEWS_AHEAD) {
        return NULL;
    }
    place = ring_place(sx, view);
    if (place->view != 0) {
        INVARIANT(place->view < view);
        slot_leave(sx, place);
    }
    slot_clear(place);
    place->view = view;
    sx->open_count += 1;
    return place;
}

/* A place for a certificate of a notarized view older than the ring: only the newest of them is kept. */
struct view *slot_anchor_for(struct sx *sx, uint64_t view)
{
    struct view *anchor = &sx->slots[SLOT_ANCHOR];
    const struct old_view *old = old_find(sx, view);

    if (anchor->view >= view || (old == NULL && slot_full(sx))) {
        return NULL;
    }
    if (anchor->view > sx->final.view) {
        old_put(sx, anchor);
        old = old_find(sx, view);
    }
    slot_clear(anchor);
    anchor->view = view;
    if (old != NULL) {
        anchor->mine = old_mine(sx, old);
    }
    return anchor;
}

bool slot_certified(const struct sx *sx, uint64_t view, enum vote_kind kind)
{
    const struct view *place = slot_find(sx, view);
    const struct old_view *old;

    if (place != NULL && place->certs[kind - 1].held) {
        return true;
    }
    if (view + VIEWS_OPEN > sx->cur + VIEWS_AHEAD) {
        return false; /* young enough for the ring, so it is not in the old table */
    }
    old = old_find(sx, view);
    return old != NULL && (old->certified & kind_bit(kind)) != 0;
}

bool slot_certified_any(const struct sx *sx, uint64_t view)
{
    return slot_certified(sx, view, VOTE_NOTARIZE) || slot_certified(sx, view, VOTE_NULLIFY) ||
           slot_certified(sx, view, VOTE_FINALIZE);
}

void slot_old_certified(struct sx *sx, uint64_t view, enum vote_kind kind)
{
    struct old_view *old = old_find(sx, view);

    if (old == NULL && slot_full(sx)) {
        return;
    }
    if (old == NULL) {
        old = old_insert(sx, view);
    }
    old->certified |= (uint8_t)kind_bit(kind);
}

/* Every entry of the ring must find a place among the old ones later. */
bool slot_full(const struct sx *sx)
{
    return sx->old_count + SLOTS + VIEWS_AHEAD >= VIEWS_OLD;
}

/* Beyond that, room for what can end it: a FINALIZE certificate. */
bool slot_spare(const struct sx *sx)
{
    return sx->old_count + sx->open_count + 4 < VIEWS_OLD;
}

static void certified_less(struct sx *sx)
{
    INVARIANT(sx->certified_count > 0);
    sx->certified_count -= 1;
}

static void slot_forget(struct sx *sx, struct view *view)
{
    if (view->view == 0 || view->view > sx->final.view) {
        return;
    }
    if (view->certs[0].held || view->certs[1].held || view->certs[2].held) {
        certified_less(sx);
    }
    if (view != &sx->slots[SLOT_ANCHOR]) {
        INVARIANT(sx->open_count > 0);
        sx->open_count -= 1;
    }
    slot_clear(view);
}

/* final_view has risen from `old_final`: drop what is not above it. */
void slot_drop(struct sx *sx, uint64_t old_final)
{
    const uint64_t gap = sx->final.view - old_final;

    INVARIANT(sx->final.view >= old_final);
    if (gap >= VIEWS_OPEN) {
        for (uint32_t i = 0; i < VIEWS_OPEN; i++) {
            slot_forget(sx, &sx->slots[i]);
        }
    } else {
        for (uint64_t view = old_final + 1; view <= sx->final.view; view++) {
            slot_forget(sx, ring_place(sx, view));
        }
    }
    while (sx->old_count > 0 && old_at(sx, 0)->view <= sx->final.view) {
        if (old_at(sx, 0)->certified != 0 && old_at(sx, 0)->view != sx->slots[SLOT_ANCHOR].view) {
            certified_less(sx);
        }
        sx->old_first = (sx->old_first + 1) % VIEWS_OLD;
        sx->old_count -= 1;
    }
    slot_forget(sx, &sx->slots[SLOT_ANCHOR]);
}

/* What this node has said. */

struct mine mine_of(const struct sx *sx, uint64_t view)
{
    const struct view *place = slot_find(sx, view);
    const struct old_view *old;

    if (place != NULL) {
        return place->mine;
    }
    if (view + VIEWS_OPEN > sx->cur + VIEWS_AHEAD) {
        return (struct mine){0};
    }
    old = old_find(sx, view);
    return old != NULL ? old_mine(sx, old) : (struct mine){0};
}

bool mine_room(const struct sx *sx, uint64_t view)
{
    return slot_find(sx, view) != NULL || view + VIEWS_OPEN > sx->cur + VIEWS_AHEAD ||
           old_find(sx, view) != NULL || !slot_full(sx);
}

/* Is this statement in the record? */
bool mine_allows(const struct mine *mine, const struct statement *statement)
{
    const struct candidate *candidate = &statement->candidate;

    switch (statement->kind) {
    case VOTE_NOTARIZE:
        return mine->notarized && candidate_equal(&mine->candidate, candidate);
    case VOTE_NULLIFY:
        return mine->nullified;
    case VOTE_FINALIZE:
        return mine->finalized && candidate_equal(&mine->candidate, candidate);
    }
    return false;
}

void mine_put(struct sx *sx, uint64_t view, const struct mine *mine)
{
    const struct mine before = mine_of(sx, view);
    struct view *place;

    RULE_INVARIANT(view > sx->final.view);                /* I5 */
    RULE_INVARIANT(!before.notarized || mine->notarized); /* I1 */
    RULE_INVARIANT(!(before.notarized || before.finalized) ||
                   candidate_equal(&before.candidate, &mine->candidate)); /* I1, I3 */
    RULE_INVARIANT(!(mine->nullified && mine->finalized));                /* I2 */
    RULE_INVARIANT(!before.nullified || mine->nullified);
    RULE_INVARIANT(!before.finalized || mine->finalized);
    place = slot_claim(sx, view);
    if (place != NULL) {
        place->mine = *mine;
        return;
    }
    old_mine_put(old_insert(sx, view), mine);
}

void slot_check(const struct sx *sx)
{
    uint32_t open = 0;
    uint64_t last = 0;

    for (uint32_t i = 0; i < VIEWS_OPEN; i++) {
        const struct view *view = &sx->slots[i];

        if (view->view != 0) {
            open += 1;
            INVARIANT(view->view % VIEWS_OPEN == i && view->view <= sx->cur + VIEWS_AHEAD);
            INVARIANT(view->view > sx->final.view);
            RULE_INVARIANT(!(view->mine.nullified && view->mine.finalized));
        }
    }
    INVARIANT(open == sx->open_count && open <= VIEWS_OPEN);
    INVARIANT(sx->old_count <= VIEWS_OLD);
    for (uint32_t i = 0; i < sx->old_count; i++) {
        INVARIANT(old_at(sx, i)->view > last && old_at(sx, i)->view > sx->final.view);
        last = old_at(sx, i)->view;
    }
}

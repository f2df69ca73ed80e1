/*
 * Vote tables (C-10): of each index and kind in a view the first vote counts, another of that kind never, and
 * the first pair that contradicts itself (8.15) is told as evidence.  There is a table for each view in
 * (cur - 64, cur + 64], and for the 64 lowest views without a certificate above final_view.
 */
#include "consensus/core.h"

#include <string.h>

#include "crypto/hash.h"

/* Of one table: choices, the choice of each voter for NOTARIZE and FINALIZE, signatures of three kinds. */
static size_t choices_bytes(uint32_t n)
{
    return 2 * (size_t)n * sizeof(struct choice);
}

static size_t taken_bytes(uint32_t n)
{
    return arena_rounded(2 * (size_t)n * sizeof(uint16_t));
}

size_t tally_memory_bytes(uint32_t n)
{
    return choices_bytes(n) + taken_bytes(n) + (size_t)KINDS * n * SIGNATURE_BYTES;
}

static uint8_t *tally_memory(const struct sx *sx, const struct tally *tally)
{
    return sx->tally_memory + (size_t)(tally - sx->tallies) * sx->tally_stride;
}

static struct choice *tally_choices(const struct sx *sx, const struct tally *tally)
{
    return (struct choice *)(void *)tally_memory(sx, tally);
}

static uint16_t *tally_taken(const struct sx *sx, const struct tally *tally, enum vote_kind kind)
{
    uint16_t *taken = (uint16_t *)(void *)(tally_memory(sx, tally) + choices_bytes(sx->n));

    INVARIANT(kind != VOTE_NULLIFY);
    return taken + (kind == VOTE_FINALIZE ? sx->n : 0);
}

static uint8_t *tally_signature(const struct sx *sx, const struct tally *tally, enum vote_kind kind,
                                uint32_t index)
{
    return tally_memory(sx, tally) + choices_bytes(sx->n) + taken_bytes(sx->n) +
           (((size_t)kind - 1) * sx->n + index) * SIGNATURE_BYTES;
}

bool tally_voted(const struct tally *tally, enum vote_kind kind, uint16_t index)
{
    return bitmap_at(tally->voted[kind - 1], index);
}

struct tally *tally_find(const struct sx *sx, uint64_t view)
{
    struct tally *tally = &sx->tallies[sx->tally_ring[view % TALLIES_RING]];

    if (tally->view == view) {
        return tally;
    }
    if (view + VIEWS_AHEAD > sx->cur) {
        return NULL;
    }
    for (uint32_t i = 0; i < TALLIES_LOW; i++) {
        if (sx->tally_low[i].view == view) {
            return &sx->tallies[sx->tally_low[i].table];
        }
    }
    return NULL;
}

static void tally_reset(struct tally *tally, uint64_t view)
{
    memset(tally, 0, sizeof *tally);
    tally->view = view;
}

/* Which place among the low ones a view without certificate may take: a useless one, or that of a higher view. */
static struct low_tally *low_place(struct sx *sx, uint64_t view)
{
    struct low_tally *highest = NULL;

    for (uint32_t i = 0; i < TALLIES_LOW; i++) {
        struct low_tally *low = &sx->tally_low[i];

        if (low->view <= sx->final.view || slot_certified_any(sx, low->view)) {
            return low;
        }
        if (highest == NULL || low->view > highest->view) {
            highest = low;
        }
    }
    INVARIANT(highest != NULL);
    return highest->view > view ? highest : NULL;
}

/* The table of a view in the ring whose turn is over: kept among the low ones if it may be needed. */
static void ring_leave(struct sx *sx, uint8_t *place)
{
    const uint64_t view = sx->tallies[*place].view;
    struct low_tally *low;

    if (view <= sx->final.view || slot_certified_any(sx, view)) {
        return;
    }
    low = low_place(sx, view);
    if (low != NULL) {
        const uint8_t table = low->table;

        low->view = view;
        low->table = *place;
        *place = table;
    }
}

static struct tally *tally_claim(struct sx *sx, uint64_t view)
{
    struct tally *tally = tally_find(sx, view);
    struct low_tally *low;

    if (tally != NULL) {
        return view > sx->final.view ? tally : NULL;
    }
    if (view <= sx->final.view || (view > sx->cur + VIEWS_AHEAD && !MUTANT_IS(16))) {
        return NULL; /* C-10 */
    }
    if (view + VIEWS_AHEAD > sx->cur) {
        uint8_t *place = &sx->tally_ring[view % TALLIES_RING];

        if (sx->tallies[*place].view > view) {
            return NULL;
        }
        ring_leave(sx, place);
        tally_reset(&sx->tallies[*place], view);
        return &sx->tallies[*place];
    }
    low = slot_certified_any(sx, view) ? NULL : low_place(sx, view);
    if (low == NULL) {
        return NULL;
    }
    low->view = view;
    tally_reset(&sx->tallies[low->table], view);
    return &sx->tallies[low->table];
}

/* Choices. */

static bool choice_is(const struct choice *choice, const struct candidate *candidate)
{
    return (choice->parent_view == candidate->parent_view || MUTANT_IS(308)) &&
           hash_equal(choice->hash, candidate->block_hash);
}

/* There is room: each voter makes at most one choice of each of two kinds. */
static uint16_t choice_of(const struct sx *sx, struct tally *tally,
                          const struct candidate *candidate)
{
    struct choice *choices = tally_choices(sx, tally);
    uint16_t i;

    for (i = 0; i < tally->choice_count; i++) {
        if (choice_is(&choices[i], candidate)) {
            return i;
        }
    }
    INVARIANT(tally->choice_count < 2 * sx->n);
    choices[i] = (struct choice){.parent_view = candidate->parent_view};
    memcpy(choices[i].hash, candidate->block_hash, HASH_BYTES);
    tally->choice_count += 1;
    return i;
}

static struct statement statement_of(const struct sx *sx, const struct tally *tally,
                                     enum vote_kind kind, uint16_t index)
{
    const struct choice *choice;
    struct statement statement = {.kind = kind,
                                  .candidate = {.epoch = sx->epoch, .view = tally->view}};

    INVARIANT(index < sx->n && tally_voted(tally, kind, index));
    if (kind != VOTE_NULLIFY) {
        choice = &tally_choices(sx, tally)[tally_taken(sx, tally, kind)[index]];
        statement.candidate.parent_view = choice->parent_view;
        memcpy(statement.candidate.block_hash, choice->hash, HASH_BYTES);
    }
    return statement;
}

bool tally_vote(const struct sx *sx, uint64_t view, enum vote_kind kind, uint16_t index,
                struct vote *out)
{
    const struct tally *tally = tally_find(sx, view);

    if (tally == NULL || !tally_voted(tally, kind, index)) {
        return false;
    }
    out->statement = statement_of(sx, tally, kind, index);
    out->index = index;
    memcpy(out->signature, tally_signature(sx, tally, kind, index), SIGNATURE_BYTES);
    return true;
}

uint32_t tally_nullify_count(const struct sx *sx, uint64_t view)
{
    const struct tally *tally = tally_find(sx, view);

    return tally != NULL ? tally->nullify_count : 0;
}

/* Do two statements of one voter in one view contradict each other?  E1 to E4 of 8.15. */
static bool contradict(const struct statement *a, const struct statement *b)
{
    if (a->kind == VOTE_NULLIFY || b->kind == VOTE_NULLIFY) {
        return a->kind == VOTE_FINALIZE || b->kind == VOTE_FINALIZE; /* E2 */
    }
    return !candidate_equal(&a->candidate, &b->candidate); /* E1, E3, E4: signed content */
}

/* The kind of a held vote that this one contradicts, or false. */
static bool contradicted(const struct sx *sx, const struct tally *tally, const struct vote *vote,
                         enum vote_kind *kind)
{
    for (uint32_t k = 1; k <= KINDS; k++) {
        *kind = (enum vote_kind)k;
        if (tally_voted(tally, *kind, vote->index)) {
            const struct statement held = statement_of(sx, tally, *kind, vote->index);

            if (contradict(&held, &vote->statement)) {
                return true;
            }
        }
    }
    return false;
}

/* Would this vote change anything: count, or prove a contradiction?  Where it is held already, no. */
bool tally_wants(const struct sx *sx, const struct vote *vote)
{
    const uint64_t view = vote->statement.candidate.view;
    const struct tally *tally = tally_find(sx, view);
    enum vote_kind kind;

    if (tally == NULL) {
        return view + VIEWS_AHEAD > sx->cur || !slot_certified_any(sx, view);
    }
    if (!bitmap_at(tally->accused, vote->index) && contradicted(sx, tally, vote, &kind)) {
        return true;
    }
    return !tally_voted(tally, vote->statement.kind, vote->index) &&
           !slot_certified(sx, view, vote->statement.kind);
}

/* One pair a step, one a voter and view; what finds no place is found again when it is sent again. */
static void tally_accuse(struct sx *sx, struct tally *tally, const struct vote *vote)
{
    enum vote_kind kind;

    if (sx->evidence_count != 0 || bitmap_at(tally->accused, vote->index) ||
        !contradicted(sx, tally, vote, &kind)) {
        return;
    }
    INVARIANT(tally_vote(sx, tally->view, kind, vote->index, &sx->evidence[0]));
    sx->evidence[1] = *vote;
    sx->evidence_count = 2;
    bitmap_set(tally->accused, vote->index);
}

static uint32_t quorum_of(const struct sx *sx, enum vote_kind kind)
{
    const bool short_by_one = (MUTANT_IS(5) && kind != VOTE_NULLIFY) ||
                              (MUTANT_IS(6) && kind == VOTE_NULLIFY) || MUTANT_IS(307);

    return short_by_one ? sx->q - 1U : sx->q;
}

/* A quorum is there: make the certificate of the q lowest indices (8.4). */
static void tally_certify(struct sx *sx, const struct tally *tally,
                          const struct statement *statement)
{
    uint8_t memory[CERTIFICATE_BYTES_MAX];
    const uint8_t *signatures[VALIDATORS_MAX] = {0};
    struct certificate certificate;
    uint32_t found = 0;

    for (uint16_t i = 0; i < sx->n; i++) {
        if (tally_voted(tally, statement->kind, i)) {
            const struct statement own = statement_of(sx, tally, statement->kind, i);

            if (statement_equal(&own, statement) || MUTANT_IS(308)) {
                signatures[i] = tally_signature(sx, tally, statement->kind, i);
                found += 1;
            }
        }
    }
    for (uint16_t i = 0; (MUTANT_IS(5) || MUTANT_IS(6) || MUTANT_IS(307)) && i < sx->n; i++) {
        if (found < sx->q && signatures[i] == NULL) {
            signatures[i] = tally_signature(sx, tally, statement->kind, 0);
            found += 1;
        }
    }
    INVARIANT(found >= sx->q);
    certificate_make(statement, sx->n, signatures, memory, &certificate);
    cert_take(sx, &certificate);
}

void tally_add(struct sx *sx, const struct vote *vote)
{
    const struct statement *statement = &vote->statement;
    const enum vote_kind kind = statement->kind;
    struct tally *tally = tally_claim(sx, statement->candidate.view);
    uint32_t count;

    INVARIANT(vote->index < sx->n && statement->candidate.epoch == sx->epoch);
    if (tally == NULL) {
        return;
    }
    tally_accuse(sx, tally, vote);
    if (tally_voted(tally, kind, vote->index)) {
        return; /* C-10: the first one counts */
    }
    bitmap_set(tally->voted[kind - 1], vote->index);
    memcpy(tally_signature(sx, tally, kind, vote->index), vote->signature, SIGNATURE_BYTES);
    if (kind == VOTE_NULLIFY) {
        tally->nullify_count += 1;
        count = tally->nullify_count;
    } else {
        const uint16_t place = choice_of(sx, tally, &statement->candidate);
        struct choice *choice = &tally_choices(sx, tally)[place];

        tally_taken(sx, tally, kind)[vote->index] = place;
        choice->counts[kind - 1] += 1;
        count = choice->counts[kind - 1];
    }
    sx->dirty |= statement->candidate.view == sx->cur;
    if (count >= quorum_of(sx, kind) && !slot_certified(sx, statement->candidate.view, kind)) {
        tally_certify(sx, tally, statement);
    }
}

/* The candidate of STATUS: that of the leader's NOTARIZE vote, else the one with most votes (8.4). */
bool tally_meant(const struct sx *sx, uint64_t view, struct candidate *out)
{
    const struct tally *tally = tally_find(sx, view);
    const uint16_t leader = view_leader(sx, view);
    const struct choice *choices;
    uint32_t best = 0;

    if (tally == NULL) {
        return false;
    }
    if (tally_voted(tally, VOTE_NOTARIZE, leader)) {
        *out = statement_of(sx, tally, VOTE_NOTARIZE, leader).candidate;
        return true;
    }
    choices = tally_choices(sx, tally);
    for (uint32_t i = 0; i < tally->choice_count; i++) {
        if (choices[i].counts[VOTE_NOTARIZE - 1] > best) {
            best = choices[i].counts[VOTE_NOTARIZE - 1];
            *out = (struct candidate){
                .epoch = sx->epoch, .view = view, .parent_view = choices[i].parent_view};
            memcpy(out->block_hash, choices[i].hash, HASH_BYTES);
        }
    }
    return best != 0;
}

/* Who voted for the candidate, as far as votes are held; of NULLIFY only its view matters. */
void tally_bitmap(const struct sx *sx, enum vote_kind kind, const struct candidate *candidate,
                  uint8_t out[BITMAP_BYTES_MAX])
{
    const struct tally *tally = tally_find(sx, candidate->view);

    memset(out, 0, BITMAP_BYTES_MAX);
    if (tally == NULL) {
        return;
    }
    if (kind == VOTE_NULLIFY) {
        memcpy(out, tally->voted[kind - 1], BITMAP_BYTES_MAX);
        return;
    }
    for (uint16_t i = 0; i < sx->n; i++) {
        if (tally_voted(tally, kind, i) &&
            choice_is(&tally_choices(sx, tally)[tally_taken(sx, tally, kind)[i]], candidate)) {
            bitmap_set(out, i);
        }
    }
}

void tally_check(const struct sx *sx)
{
    uint8_t seen[TALLIES] = {0};

    for (uint32_t i = 0; i < TALLIES_RING; i++) {
        const struct tally *tally = &sx->tallies[sx->tally_ring[i]];

        seen[sx->tally_ring[i]] += 1;
        INVARIANT(tally->view <= sx->cur + VIEWS_AHEAD); /* C-10 */
        INVARIANT(tally->view == 0 || tally->view % TALLIES_RING == i);
        INVARIANT(tally->choice_count <= 2 * sx->n && tally->nullify_count <= sx->n);
    }
    for (uint32_t i = 0; i < TALLIES_LOW; i++) {
        const struct low_tally *low = &sx->tally_low[i];

        seen[low->table] += 1;
        INVARIANT(low->view == 0 || sx->tallies[low->table].view == low->view);
    }
    for (uint32_t i = 0; i < TALLIES; i++) {
        INVARIANT(seen[i] == 1);
    }
}

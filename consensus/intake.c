/*
 * Messages in: what each says about its sender, then votes to their table, certificates to their view, a proposal to
 * its view (C-10: one candidate a view from its leader).
 */
#include "consensus/core.h"

#include <string.h>

#include "base/reader.h"
#include "crypto/hash.h"

enum { PROPOSAL_AGAIN_MS = 1000 };

static void peer_at(struct sx *sx, uint32_t peer, uint64_t cur)
{
    if (peer < sx->n && sx->peers[peer].epoch <= sx->epoch) {
        struct peer *known = &sx->peers[peer];

        if (known->epoch < sx->epoch) {
            known->epoch = sx->epoch;
            known->cur = 0;
            known->final_view = 0;
        }
        known->cur = cur > known->cur ? cur : known->cur;
    }
}

/* The first candidate of the view's leader; a vote alone is enough, what else it needs can be fetched. */
static struct view *intake_candidate(struct sx *sx, const struct candidate *candidate)
{
    struct view *view = slot_claim(sx, candidate->view);

    if (view == NULL || view_leader(sx, candidate->view) == sx->own) {
        return NULL;
    }
    if (!view->has_prop || MUTANT_IS(2)) {
        view->has_prop = true;
        view->prop = *candidate;
        sx->dirty = true;
    }
    return candidate_equal(&view->prop, candidate) ? view : NULL;
}

static void intake_vote(struct sx *sx, uint32_t peer, const struct vote *vote)
{
    const struct candidate *candidate = &vote->statement.candidate;

    INVARIANT(vote->index < sx->n);
    if (candidate->epoch != sx->epoch || candidate->view >= VIEW_LIMIT) {
        return;
    }
    if (vote->index == sx->own) {
        cert_foreign(sx, &vote->statement);
        return;
    }
    if (peer < sx->n) {
        if (vote->index == peer && vote->statement.kind != VOTE_FINALIZE) {
            peer_at(sx, peer, candidate->view);
        }
        repair_vote(sx, (uint16_t)peer, vote);
    }
    tally_add(sx, vote);
    if (vote->statement.kind == VOTE_NOTARIZE && vote->index == view_leader(sx, candidate->view)) {
        (void)intake_candidate(sx, candidate);
    }
}

/* The header of a NEW candidate; its body comes with SX_BODY. */
static void intake_header(struct sx *sx, const struct wire_proposal *proposal)
{
    const uint8_t *hash = proposal->candidate.block_hash;
    uint16_t place = block_find(sx, hash);

    if (proposal->form == WIRE_FORM_REPEAT) {
        return;
    }
    if (place == BLOCK_NONE && proposal->candidate.view >= sx->cur) {
        place = block_add(sx, hash);
    }
    if (place != BLOCK_NONE && place != BLOCK_FINAL) {
        block_header_put(sx, place, &proposal->header);
    }
}

static void intake_proposal(struct sx *sx, uint32_t peer, const struct wire_proposal *proposal)
{
    const struct candidate *candidate = &proposal->candidate;
    struct vote vote = {.statement = {VOTE_NOTARIZE, *candidate}};
    struct view *view;

    if (candidate->epoch != sx->epoch || candidate->view >= VIEW_LIMIT) {
        return;
    }
    INVARIANT(proposal->justification_count <= JUSTIFICATION_MAX);
    for (uint32_t i = 0; i < proposal->justification_count; i++) {
        cert_take(sx, &proposal->justification[i]);
    }
    vote.index = view_leader(sx, candidate->view);
    memcpy(vote.signature, proposal->signature, SIGNATURE_BYTES);
    intake_vote(sx, peer, &vote);
    if (candidate->view >= sx->cur + PROPOSALS_AHEAD || candidate->view <= sx->final.view) {
        return;
    }
    view = intake_candidate(sx, candidate);
    if (view != NULL) {
        view->prop_here = true;
        view->prop_ms = sx->now;
        intake_header(sx, proposal);
        sx->dirty = true;
    }
}

static void intake_cert(struct sx *sx, uint32_t peer, const struct certificate *certificate)
{
    const struct candidate *candidate = &certificate->statement.candidate;

    if (candidate->epoch != sx->epoch || candidate->view >= VIEW_LIMIT) {
        return;
    }
    peer_at(sx, peer, candidate->view + 1);
    if (peer < sx->n && certificate->statement.kind == VOTE_FINALIZE &&
        sx->peers[peer].epoch == sx->epoch && sx->peers[peer].final_view < candidate->view) {
        sx->peers[peer].final_view = candidate->view;
    }
    cert_take(sx, certificate);
}

void intake_message(struct sx *sx, uint32_t peer, const struct verified_message *message)
{
    if (sx->phase != PHASE_RUNNING) {
        return; /* nothing can be answered before the record is back */
    }
    if (peer < sx->n) {
        sx->peers[peer].heard_ms = sx->now;
    }
    if (message->type == WIRE_VOTE) {
        intake_vote(sx, peer, &message->vote);
    } else if (message->type == WIRE_PROPOSAL) {
        intake_proposal(sx, peer, &message->proposal);
    } else if (message->type == WIRE_CERT) {
        intake_cert(sx, peer, &message->certificate);
    } else if (message->type == WIRE_STATUS && peer < sx->n) {
        repair_status(sx, (uint16_t)peer, &message->status);
    } else if (message->type == WIRE_GET_CERTS && peer < sx->n) {
        repair_get_certs(sx, (uint16_t)peer, &message->get_certs);
    }
}

void intake_session(struct sx *sx, uint32_t index, enum sx_session what)
{
    struct peer *peer;
    struct peer before;

    if (index >= sx->n || index == sx->own) {
        return;
    }
    peer = &sx->peers[index];
    switch (what) {
    case SX_SESSION_OPENED:
        before = *peer;
        *peer = (struct peer){.open = true,
                              .heard_ms = sx->now,
                              .relayed = before.relayed,
                              .status_answer_ms = before.status_answer_ms,
                              .answer_ms = before.answer_ms};
        repair_session(sx, (uint16_t)index);
        break;
    case SX_SESSION_CLOSED:
        peer->open = false;
        peer->told = false;
        peer->pushes = 0;
        peer->low = (struct sweep){0};
        peer->high = (struct sweep){0};
        peer->gaps = (struct sweep){0};
        break;
    case SX_SESSION_HEARD:
        peer->heard_ms = sx->now;
        break;
    }
    sx->dirty = true;
}

/* Which messages are worth a look at their signatures. */

static bool wants_vote(const struct sx *sx, const struct vote *vote)
{
    const struct candidate *candidate = &vote->statement.candidate;

    if (candidate->epoch != sx->epoch || candidate->view >= VIEW_LIMIT) {
        return false;
    }
    if (vote->index >= sx->n) {
        return true; /* malformed: verify says so */
    }
    if (vote->index == sx->own) {
        const struct mine mine = mine_of(sx, candidate->view);

        return candidate->view > sx->final.view && sx->record_whole &&
               !mine_allows(&mine, &vote->statement);
    }
    if (repair_answers(sx, vote->index, &vote->statement)) {
        return true;
    }
    return candidate->view > sx->final.view &&
           (candidate->view <= sx->cur + VIEWS_AHEAD || MUTANT_IS(16)) && tally_wants(sx, vote);
}

static bool wants_proposal(const struct sx *sx, struct bytes message)
{
    struct reader reader = reader_of(bytes_after(message, 1));
    struct vote vote = {.statement = {.kind = VOTE_NOTARIZE}};
    struct candidate *candidate = &vote.statement.candidate;
    const struct view *view;
    uint16_t place;

    candidate_read(&reader, candidate);
    if (reader.failed || candidate->view == 0) {
        return true; /* malformed: verify says so */
    }
    vote.index = view_leader(sx, candidate->view);
    if (candidate->view >= sx->cur + PROPOSALS_AHEAD) {
        return false;
    }
    if (candidate->view < sx->cur || vote.index == sx->own) {
        place = block_find(sx, candidate->block_hash);
        return wants_vote(sx, &vote) || (candidate->epoch == sx->epoch && place != BLOCK_NONE &&
                                         place != BLOCK_FINAL && !sx->blocks[place].body);
    }
    view = slot_find(sx, candidate->view);
    if (view == NULL || !view->has_prop) {
        return candidate->epoch == sx->epoch;
    }
    if (!candidate_equal(&view->prop, candidate)) {
        return wants_vote(sx, &vote);
    }
    return !view->prop_here ||
           (!view->mine.notarized && sx->now - view->prop_ms >= PROPOSAL_AGAIN_MS);
}

bool intake_wants(const struct sx *sx, struct bytes message)
{
    const uint8_t type = message.count != 0 ? message.at[0] : 0;
    struct certificate certificate;
    struct vote vote;

    if (sx->phase != PHASE_RUNNING) {
        return false;
    }
    if (type == WIRE_VOTE) {
        return !wire_vote_decode(message, &vote) || wants_vote(sx, &vote);
    }
    if (type == WIRE_CERT) {
        return !wire_cert_decode(message, sx->n, &certificate) ||
               (certificate.statement.candidate.epoch == sx->epoch &&
                certificate.statement.candidate.view > sx->final.view &&
                !sx_holds(sx, &certificate.statement));
    }
    return type != WIRE_PROPOSAL || wants_proposal(sx, message);
}

/*
 * Certificates: the first half of C-1 (store, enter the next view) and what follows from two that disagree.
 *
 * Every certificate comes through cert_take: formed here, received, in a proposal's justification, or restored.
 */
#include "consensus/core.h"

#include <string.h>

#include "crypto/hash.h"

const struct certificate *cert_find(const struct sx *sx, uint64_t view, enum vote_kind kind)
{
    const struct view *place = slot_find(sx, view);

    return place != NULL && place->certs[kind - 1].held ? &place->certs[kind - 1].certificate
                                                        : NULL;
}

/* cF[w] = c serves wherever cN[w] = c is asked for (8.5). */
const struct certificate *cert_notarized(const struct sx *sx, uint64_t view)
{
    const struct certificate *certificate = cert_find(sx, view, VOTE_NOTARIZE);

    return certificate != NULL ? certificate : cert_find(sx, view, VOTE_FINALIZE);
}

/* When the first certificate of a view came; NEVER if there is none with its bytes. */
uint64_t cert_at_ms(const struct sx *sx, uint64_t view)
{
    const struct view *place = slot_find(sx, view);
    uint64_t first = NEVER;

    for (uint32_t k = 0; place != NULL && k < KINDS; k++) {
        if (place->certs[k].held) {
            first = sooner(first, place->certs[k].at_ms);
        }
    }
    return first;
}

/* A statement under the own key that the record lacks: a second machine has the key (8.11). */
void cert_foreign(struct sx *sx, const struct statement *statement)
{
    const uint64_t view = statement->candidate.view;
    const struct mine mine = mine_of(sx, view);

    if (sx->own == VALIDATOR_NONE || !sx->record_whole || view <= sx->final.view ||
        mine_allows(&mine, statement)) {
        return;
    }
    if (!sx->foreign) { /* said once */
        out_report(sx, SX_REPORT_FOREIGN_VOTE, view);
    }
    sx->foreign = true;
}

/* Can this certificate not be, given those that are held?  Then more than f members are faulty. */
static bool cert_impossible(const struct sx *sx, const struct certificate *certificate)
{
    const struct statement *statement = &certificate->statement;
    const uint64_t view = statement->candidate.view;
    const struct certificate *other;

    if (statement->kind == VOTE_NULLIFY) {
        return slot_certified(sx, view, VOTE_FINALIZE); /* L3 */
    }
    if (statement->kind == VOTE_FINALIZE && slot_certified(sx, view, VOTE_NULLIFY)) {
        return true; /* L3 */
    }
    other = cert_notarized(sx, view);
    return other != NULL &&
           !candidate_equal(&other->statement.candidate, &statement->candidate); /* L1, L2 */
}

static void cert_store(struct sx *sx, struct view *place, const struct certificate *certificate)
{
    const enum vote_kind kind = certificate->statement.kind;
    struct cert *cert = &place->certs[kind - 1];
    uint8_t *memory = slot_cert_memory(sx, place, kind);

    INVARIANT(certificate->encoded.count == certificate_bytes(sx->n));
    INVARIANT(certificate->encoded.count < sx->cert_stride);
    memory[0] = WIRE_CERT;
    memcpy(memory + 1, certificate->encoded.at, certificate->encoded.count);
    INVARIANT(certificate_decode(bytes_of(memory + 1, certificate->encoded.count), sx->n,
                                 &cert->certificate));
    cert->held = true;
    cert->at_ms = sx->now;
}

/* Find it a place: a full entry, else one bit.  False if there is none. */
static bool cert_place(struct sx *sx, const struct certificate *certificate)
{
    const enum vote_kind kind = certificate->statement.kind;
    const uint64_t view = certificate->statement.candidate.view;
    struct view *place = slot_claim(sx, view);

    if (place == NULL && kind != VOTE_NULLIFY) {
        place = slot_anchor_for(sx, view);
    }
    if (place == NULL) {
        slot_old_certified(sx, view, kind);
        return slot_certified(sx, view, kind);
    }
    cert_store(sx, place, certificate);
    event_view(sx, place);
    return true;
}

void cert_take(struct sx *sx, const struct certificate *certificate)
{
    const struct statement *statement = &certificate->statement;
    const uint64_t view = statement->candidate.view;
    const uint64_t previous = sx->cur;
    const bool first = !slot_certified_any(sx, view);

    if (statement->candidate.epoch != sx->epoch || view <= sx->final.view || view >= VIEW_LIMIT) {
        return;
    }
    if (sx->own != VALIDATOR_NONE && bitmap_has(certificate->bitmap, sx->own)) {
        cert_foreign(sx, statement);
    }
    if (cert_impossible(sx, certificate)) {
        sx_stop(sx, SX_REPORT_CONFLICT, view);
        return;
    }
    if (slot_certified(sx, view, statement->kind)) {
        return;
    }
    if (view >= sx->cur) { /* C-1 */
        if (slot_full(sx) && !(statement->kind == VOTE_FINALIZE && slot_spare(sx))) {
            out_report(sx, SX_REPORT_VIEWS_FULL, sx->cur);
            return;
        }
        sx->cur = view + 1;
    }
    if (!cert_place(sx, certificate)) {
        sx->cur = previous;
        return;
    }
    sx->certified_count += first ? 1 : 0;
    sx->restored_certs |= sx->phase == PHASE_RESTORING;
    sx->progress_ms = sx->now;
    sx->dirty = true;
    if ((statement->kind == VOTE_FINALIZE || MUTANT_IS(71)) && view > sx->top_final &&
        statement->kind != VOTE_NULLIFY) {
        sx->top_final = view;
    }
    if (sx->cur != previous) {
        view_entered(sx, previous);
    } else {
        tip_certified(sx, view, statement->kind);
    }
    if (view >= previous || statement->kind == VOTE_FINALIZE) { /* C-8 */
        relay_add(sx, certificate);
    }
}

/* Keep the bytes of the final certificate; none when it is empty. */
void cert_final_put(struct sx *sx, struct bytes encoded)
{
    uint8_t *memory = sx->cert_memory + (size_t)SLOTS * KINDS * sx->cert_stride;

    sx->final_held = false;
    if (encoded.count != certificate_bytes(sx->n)) {
        return;
    }
    memory[0] = WIRE_CERT;
    memmove(memory + 1, encoded.at, encoded.count);
    sx->final_held =
        certificate_decode(bytes_of(memory + 1, encoded.count), sx->n, &sx->final_certificate);
}

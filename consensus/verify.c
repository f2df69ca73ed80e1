#include "consensus/verify.h"

#include <string.h>

#include "base/mutant.h"
#include "consensus/sign.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"

enum { SIGN_KIND_AT = 4, SIGN_CHAIN_AT = 5, SIGN_PARENT_AT = 53 };

void sign_bytes(const uint8_t chain_id[HASH_BYTES], const struct statement *statement,
                uint8_t out[STATEMENT_BYTES])
{
    statement_sign_bytes(chain_id, statement, out);
    if (MUTANT_IS(111)) {
        out[SIGN_KIND_AT] = 0;
    }
    if (MUTANT_IS(112) || MUTANT_IS(308)) {
        memset(out + SIGN_PARENT_AT, 0, 8);
    }
    if (MUTANT_IS(113)) {
        memset(out + SIGN_CHAIN_AT, 0, HASH_BYTES);
    }
}

static bool signed_by(const struct verify_context *context, const uint8_t sign[STATEMENT_BYTES],
                      uint32_t index, const uint8_t *signature)
{
    INVARIANT(index < context->set->count);
    return ed25519_verify(context->set->members[index].consensus_key,
                          bytes_of(sign, STATEMENT_BYTES), signature);
}

bool verify_certificate(const struct verify_context *context, const struct certificate *certificate)
{
    const bool nullifies = certificate->statement.kind == VOTE_NULLIFY;
    const uint32_t wrong_max =
        MUTANT_IS(nullifies ? 6 : 5) || MUTANT_IS(307) ? 1 : 0; /* signatures that may be wrong */
    uint8_t sign[STATEMENT_BYTES];
    const uint8_t *signature = certificate->signatures.at;
    uint32_t wrong = 0;

    INVARIANT(certificate->count == context->set->count);
    if (certificate->statement.candidate.epoch != context->epoch) {
        return false;
    }
    sign_bytes(context->chain_id, &certificate->statement, sign);
    for (uint32_t i = 0; i < certificate->count; i++) {
        if (!bitmap_has(certificate->bitmap, i)) {
            continue;
        }
        if (!MUTANT_IS(8) && !signed_by(context, sign, i, signature)) {
            wrong += 1;
            if (wrong > wrong_max) {
                return false;
            }
        }
        signature += SIGNATURE_BYTES;
    }
    return true;
}

static enum verify_fault verify_vote(const struct verify_context *context, struct bytes message,
                                     struct vote *out)
{
    uint8_t sign[STATEMENT_BYTES];

    if (!wire_vote_decode(message, out) || out->index >= context->set->count) {
        return VERIFY_MALFORMED;
    }
    sign_bytes(context->chain_id, &out->statement, sign);
    return signed_by(context, sign, out->index, out->signature) ? VERIFY_OK : VERIFY_SIGNATURE;
}

static enum verify_fault verify_cert(const struct verify_context *context, struct bytes message,
                                     uint32_t known, struct certificate *out)
{
    if (!wire_cert_decode(message, context->set->count, out)) {
        return VERIFY_MALFORMED;
    }
    if ((known & 1) != 0) {
        return VERIFY_OK;
    }
    return verify_certificate(context, out) ? VERIFY_OK : VERIFY_SIGNATURE;
}

/* What a proposal says besides signatures: one epoch, certificates below its view, the header of its block. */
static bool proposal_fits(const struct wire_proposal *proposal)
{
    const struct candidate *candidate = &proposal->candidate;

    for (uint32_t i = 0; i < proposal->justification_count; i++) {
        const struct candidate *named = &proposal->justification[i].statement.candidate;

        if (named->epoch != candidate->epoch || named->view >= candidate->view) {
            return false;
        }
    }
    if (proposal->form != WIRE_FORM_REPEAT) {
        uint8_t hash[HASH_BYTES];

        block_header_hash(&proposal->header, hash);
        return hash_equal(hash, candidate->block_hash);
    }
    return true;
}

static enum verify_fault verify_proposal(const struct verify_context *context, struct bytes message,
                                         uint32_t known, struct wire_proposal *out)
{
    struct statement statement = {.kind = VOTE_NOTARIZE};
    uint8_t sign[STATEMENT_BYTES];

    if (!wire_proposal_decode(message, context->set->count, out) || !proposal_fits(out)) {
        return VERIFY_MALFORMED;
    }
    statement.candidate = out->candidate;
    sign_bytes(context->chain_id, &statement, sign);
    if (!signed_by(context, sign, validators_leader(context->order, out->candidate.view),
                   out->signature)) {
        return VERIFY_NOT_LEADER;
    }
    for (uint32_t i = 0; i < out->justification_count; i++) {
        if ((known >> i & 1) == 0 && !verify_certificate(context, &out->justification[i])) {
            return VERIFY_SIGNATURE;
        }
    }
    return VERIFY_OK;
}

static enum verify_fault verify_status(const struct verify_context *context, struct bytes message,
                                       struct wire_status *out)
{
    if (!wire_status_decode(message, out)) {
        return VERIFY_MALFORMED;
    }
    if (out->epoch == context->epoch &&
        out->notarize_bitmap.count != validators_bitmap_bytes(context->set->count)) {
        return VERIFY_MALFORMED;
    }
    return VERIFY_OK; /* of another epoch: a claim like any other, without bitmaps */
}

enum verify_fault verify_message(const struct verify_context *context, struct bytes message,
                                 uint32_t known, struct verified_message *out)
{
    uint64_t epoch;
    uint64_t view;
    const uint8_t type = message.count != 0 ? message.at[0] : 0;

    if (type == WIRE_STATUS) {
        out->type = WIRE_STATUS;
        return verify_status(context, message, &out->status);
    }
    if (type == WIRE_GET_CERTS) {
        out->type = WIRE_GET_CERTS;
        return wire_get_certs_decode(message, &out->get_certs) ? VERIFY_OK : VERIFY_MALFORMED;
    }
    if (type != WIRE_VOTE && type != WIRE_CERT && type != WIRE_PROPOSAL) {
        return message.count == 0 ? VERIFY_MALFORMED : VERIFY_NOT_FOR_CORE;
    }
    if (!wire_epoch_view(message, &epoch, &view)) {
        return VERIFY_MALFORMED;
    }
    if (epoch != context->epoch) {
        return VERIFY_OTHER_EPOCH;
    }
    if (type == WIRE_VOTE) {
        out->type = WIRE_VOTE;
        return verify_vote(context, message, &out->vote);
    }
    if (type == WIRE_CERT) {
        out->type = WIRE_CERT;
        return verify_cert(context, message, known, &out->certificate);
    }
    out->type = WIRE_PROPOSAL;
    return verify_proposal(context, message, known, &out->proposal);
}

#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "state/proof.h"

/* Every signature of a certificate, each by the member whose bit stands in its place. */
static bool signatures_hold(const uint8_t chain_id[HASH_BYTES], const struct validator_set *set,
                            const struct certificate *certificate)
{
    uint8_t message[STATEMENT_BYTES];
    struct bytes left = certificate->signatures;

    statement_sign_bytes(chain_id, &certificate->statement, message);
    for (uint32_t i = 0; i < set->count; i++) {
        if (!bitmap_has(certificate->bitmap, i)) {
            continue;
        }
        if (!ed25519_verify(set->members[i].consensus_key, bytes_of(message, sizeof message),
                            left.at)) {
            return false;
        }
        left = bytes_after(left, SIGNATURE_BYTES);
    }
    return true;
}

enum proof_fault proof_header_check(const uint8_t chain_id[HASH_BYTES], uint64_t epoch,
                                    const struct validator_set *set, struct bytes header,
                                    struct bytes certificate, struct block_header *out)
{
    struct certificate decoded;
    const struct candidate *candidate = &decoded.statement.candidate;
    uint8_t hash[HASH_BYTES];

    if (!block_header_decode(header, out) || !hash_equal(out->chain_id, chain_id)) {
        return PROOF_HEADER;
    }
    if (!certificate_decode(certificate, set->count, &decoded)) {
        return PROOF_CERTIFICATE;
    }
    if (out->epoch != epoch || candidate->epoch != epoch) {
        return PROOF_EPOCH;
    }
    block_header_hash(out, hash);
    if (!hash_equal(hash, candidate->block_hash)) {
        return PROOF_CERTIFICATE;
    }
    validators_hash(set, hash);
    if (!hash_equal(hash, out->valset_hash)) {
        return PROOF_VALSET;
    }
    if (decoded.statement.kind != VOTE_FINALIZE || out->view < 1 || candidate->view < out->view ||
        candidate->parent_view >= candidate->view) {
        return PROOF_CERTIFICATE;
    }
    return signatures_hold(chain_id, set, &decoded) ? PROOF_OK : PROOF_SIGNATURES;
}

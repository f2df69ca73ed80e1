/* consensus/verify.h against real signatures: what is accepted, and each kind of wrong (8.4, C-10). */
#include "consensus/verify.h"

#include <string.h>

#include "base/writer.h"
#include "tests/check.h"
#include "tests/core_net.h"

static struct net net;
static struct verified_message verified;
static uint8_t memory[4][CERTIFICATE_BYTES_MAX];
static uint8_t bytes[16384];

static struct verify_context context(void)
{
    struct verify_context context = {.epoch = 1, .set = &net.set, .order = &net.order};

    memcpy(context.chain_id, net.chain_id, HASH_BYTES);
    return context;
}

static enum verify_fault verify(struct bytes message, uint32_t known)
{
    const struct verify_context of = context();

    return verify_message(&of, message, known, &verified);
}

static struct bytes vote_bytes(const struct vote *vote)
{
    struct writer writer = writer_of(bytes, sizeof bytes);

    wire_vote_write(&writer, vote);
    return writer_done(&writer);
}

static struct bytes cert_bytes(const struct certificate *certificate)
{
    struct writer writer = writer_of(bytes, sizeof bytes);

    wire_cert_write(&writer, certificate);
    return writer_done(&writer);
}

static struct candidate some_candidate(uint64_t view, uint64_t parent_view)
{
    uint8_t hash[HASH_BYTES];

    memset(hash, (int)view, sizeof hash);
    return net_candidate(view, parent_view, hash);
}

static struct wire_proposal proposal_of(struct candidate candidate, uint32_t signer)
{
    static struct wire_proposal proposal;
    const struct vote vote = net_vote(&net, signer, VOTE_NOTARIZE, candidate);

    memset(&proposal, 0, sizeof proposal);
    proposal.candidate = candidate;
    memcpy(proposal.signature, vote.signature, SIGNATURE_BYTES);
    return proposal;
}

static struct bytes proposal_bytes(const struct wire_proposal *proposal)
{
    struct writer writer = writer_of(bytes, sizeof bytes);

    wire_proposal_write(&writer, proposal);
    return writer_done(&writer);
}

TEST(votes_of_each_kind_are_accepted)
{
    static const enum vote_kind kinds[] = {VOTE_NOTARIZE, VOTE_NULLIFY, VOTE_FINALIZE};

    net_open(&net, 4);
    for (uint32_t k = 0; k < 3; k++) {
        const struct candidate candidate =
            kinds[k] == VOTE_NULLIFY ? net_candidate(5, 0, NULL) : some_candidate(5, 3);
        const struct vote vote = net_vote(&net, 2, kinds[k], candidate);

        CHECK_U64(verify(vote_bytes(&vote), 0), ==, VERIFY_OK);
        CHECK_U64(verified.type, ==, WIRE_VOTE);
        CHECK_U64(verified.vote.index, ==, 2);
    }
    net_close(&net);
}

/* Everything is inside the signed bytes: no byte of a vote can be changed. */
TEST(each_changed_byte_of_a_vote_is_refused)
{
    struct vote vote;
    struct bytes message;

    net_open(&net, 4);
    vote = net_vote(&net, 2, VOTE_NOTARIZE, some_candidate(5, 3));
    message = vote_bytes(&vote);
    for (size_t i = 0; i < message.count; i++) {
        bytes[i] ^= 1;
        CHECK(verify(message, 0) != VERIFY_OK);
        bytes[i] ^= 1;
    }
    CHECK_U64(verify(message, 0), ==, VERIFY_OK);
    for (size_t count = 0; count < message.count; count++) {
        CHECK_U64(verify(bytes_of(bytes, count), 0), ==, VERIFY_MALFORMED);
    }
    CHECK_U64(verify(bytes_of(bytes, message.count + 1), 0), ==, VERIFY_MALFORMED);
    net_close(&net);
}

TEST(votes_for_others_and_from_nobody_are_refused)
{
    struct vote vote;

    net_open(&net, 4);
    vote = net_vote(&net, 2, VOTE_NULLIFY, net_candidate(5, 0, NULL));
    vote.index = 1; /* signed by another */
    CHECK_U64(verify(vote_bytes(&vote), 0), ==, VERIFY_SIGNATURE);
    vote.index = 4;
    CHECK_U64(verify(vote_bytes(&vote), 0), ==, VERIFY_MALFORMED);
    vote = net_vote(&net, 2, VOTE_NOTARIZE, some_candidate(5, 3));
    vote.statement.kind = VOTE_FINALIZE; /* the same candidate, moved to another kind */
    CHECK_U64(verify(vote_bytes(&vote), 0), ==, VERIFY_SIGNATURE);
    vote.statement.candidate.epoch = 2;
    CHECK_U64(verify(vote_bytes(&vote), 0), ==, VERIFY_OTHER_EPOCH);
    net_close(&net);
}

TEST(a_vote_of_another_chain_is_refused)
{
    struct verify_context other;
    struct vote vote;

    net_open(&net, 4);
    other = context();
    other.chain_id[0] ^= 1;
    vote = net_vote(&net, 2, VOTE_NOTARIZE, some_candidate(5, 3));
    CHECK_U64(verify_message(&other, vote_bytes(&vote), 0, &verified), ==, VERIFY_SIGNATURE);
    net_close(&net);
}

TEST(certificates_hold_q_signatures)
{
    const struct verify_context of = {0};
    struct verify_context real;
    struct certificate certificate;
    struct bytes message;

    (void)of;
    net_open(&net, 7);
    real = context();
    certificate = net_certificate(&net, VOTE_NOTARIZE, some_candidate(9, 8), 0x5b, memory[0]);
    CHECK(verify_certificate(&real, &certificate));
    message = cert_bytes(&certificate);
    CHECK_U64(verify(message, 0), ==, VERIFY_OK);
    CHECK_U64(verified.certificate.statement.candidate.view, ==, 9);
    for (size_t i = 0; i < message.count;
         i++) { /* every bit of head, bitmap and signatures counts */
        bytes[i] ^= 4;
        CHECK(verify(message, 0) != VERIFY_OK);
        bytes[i] ^= 4;
    }
    for (size_t count = 0; count < message.count; count++) {
        CHECK_U64(verify(bytes_of(bytes, count), 0), ==, VERIFY_MALFORMED);
    }
    CHECK_U64(verify(bytes_of(bytes, message.count + 1), 0), ==, VERIFY_MALFORMED);
    net_close(&net);
}

/* Planted bug 8: bits that are counted without a signature behind them. */
TEST(one_wrong_signature_refuses_a_certificate)
{
    struct certificate certificate;
    struct verify_context real;
    const size_t signatures_at = 60;

    net_open(&net, 4);
    real = context();
    for (size_t i = 0; i < 3; i++) {
        certificate = net_certificate(&net, VOTE_FINALIZE, some_candidate(2, 1), 7, memory[0]);
        memory[0][signatures_at + i * SIGNATURE_BYTES] ^= 1;
        CHECK(!verify_certificate(&real, &certificate));
        CHECK_U64(verify(cert_bytes(&certificate), 0), ==, VERIFY_SIGNATURE);
        CHECK_U64(verify(cert_bytes(&certificate), 1), ==, VERIFY_OK); /* held already */
    }
    certificate = net_certificate(&net, VOTE_FINALIZE, some_candidate(2, 1), 7, memory[0]);
    memory[0][59] = 0x0b; /* signatures of 0, 1, 2 under the bits of 0, 1, 3 */
    CHECK(certificate_decode(certificate.encoded, 4, &certificate));
    CHECK_U64(verify(cert_bytes(&certificate), 0), ==, VERIFY_SIGNATURE);
    net_close(&net);
}

TEST(proposals_are_signed_by_the_leader)
{
    struct wire_proposal proposal;
    struct certificate justification;
    uint32_t leader;

    net_open(&net, 4);
    leader = net_leader(&net, 3);
    proposal = proposal_of(some_candidate(3, 2), leader);
    justification = net_certificate(&net, VOTE_NOTARIZE, some_candidate(2, 1), 7, memory[0]);
    proposal.justification[0] = justification;
    proposal.justification_count = 1;
    CHECK_U64(verify(proposal_bytes(&proposal), 0), ==, VERIFY_OK);
    CHECK_U64(verified.type, ==, WIRE_PROPOSAL);
    CHECK_U64(verified.proposal.justification_count, ==, 1);
    proposal = proposal_of(some_candidate(3, 2), (leader + 1) % 4);
    CHECK_U64(verify(proposal_bytes(&proposal), 0), ==, VERIFY_NOT_LEADER);
    net_close(&net);
}

TEST(justifications_are_checked)
{
    struct wire_proposal proposal;
    struct certificate certificate;

    net_open(&net, 4);
    proposal = proposal_of(some_candidate(3, 2), net_leader(&net, 3));
    proposal.justification_count = 1;
    certificate = net_certificate(&net, VOTE_NOTARIZE, some_candidate(3, 1), 7, memory[0]);
    proposal.justification[0] = certificate; /* not below its view */
    CHECK_U64(verify(proposal_bytes(&proposal), 0), ==, VERIFY_MALFORMED);
    certificate = net_certificate(&net, VOTE_NOTARIZE, some_candidate(2, 1), 7, memory[0]);
    memory[0][100] ^= 1;
    proposal.justification[0] = certificate;
    CHECK_U64(verify(proposal_bytes(&proposal), 0), ==, VERIFY_SIGNATURE);
    CHECK_U64(verify(proposal_bytes(&proposal), 1), ==, VERIFY_OK); /* bit 0: it is held */
    CHECK_U64(verify(proposal_bytes(&proposal), 2), ==, VERIFY_SIGNATURE);
    net_close(&net);
}

TEST(a_header_is_that_of_the_candidate)
{
    struct wire_proposal proposal;
    const struct net_block *block;

    net_open(&net, 4);
    block = net_block(&net, &net.genesis, 1, 0);
    proposal = proposal_of(net_candidate(1, 0, block->hash), net_leader(&net, 1));
    proposal.form = WIRE_FORM_FULL;
    proposal.header = block->header;
    CHECK_U64(verify(proposal_bytes(&proposal), 0), ==, VERIFY_OK);
    proposal.header.time_ms += 1;
    CHECK_U64(verify(proposal_bytes(&proposal), 0), ==, VERIFY_MALFORMED);
    net_close(&net);
}

TEST(status_and_get_certs_need_no_signature)
{
    const uint8_t bitmap[2] = {0, 0};
    struct wire_status status = {.epoch = 1, .cur = 7};
    struct wire_get_certs get = {.epoch = 1, .count = 1, .wants = {{.view = 5, .kind = 2}}};
    struct writer writer = writer_of(bytes, sizeof bytes);

    net_open(&net, 4);
    status.notarize_bitmap = status.nullify_bitmap = status.finalize_bitmap = bytes_of(bitmap, 1);
    wire_status_write(&writer, &status);
    CHECK_U64(verify(writer_done(&writer), 0), ==, VERIFY_OK);
    CHECK_U64(verified.status.cur, ==, 7);
    status.notarize_bitmap = status.nullify_bitmap = status.finalize_bitmap = bytes_of(bitmap, 2);
    writer = writer_of(bytes, sizeof bytes);
    wire_status_write(&writer, &status); /* bitmaps of another set */
    CHECK_U64(verify(writer_done(&writer), 0), ==, VERIFY_MALFORMED);
    status.epoch = 2;
    writer = writer_of(bytes, sizeof bytes);
    wire_status_write(&writer, &status);
    CHECK_U64(verify(writer_done(&writer), 0), ==, VERIFY_OK);
    writer = writer_of(bytes, sizeof bytes);
    wire_get_certs_write(&writer, &get);
    CHECK_U64(verify(writer_done(&writer), 0), ==, VERIFY_OK);
    CHECK_U64(verified.get_certs.wants[0].view, ==, 5);
    bytes[0] = WIRE_PING;
    CHECK_U64(verify(bytes_of(bytes, 9), 0), ==, VERIFY_NOT_FOR_CORE);
    CHECK_U64(verify(bytes_of(bytes, 0), 0), ==, VERIFY_MALFORMED);
    net_close(&net);
}

TESTS(TEST_ENTRY(votes_of_each_kind_are_accepted),
      TEST_ENTRY(each_changed_byte_of_a_vote_is_refused),
      TEST_ENTRY(votes_for_others_and_from_nobody_are_refused),
      TEST_ENTRY(a_vote_of_another_chain_is_refused), TEST_ENTRY(certificates_hold_q_signatures),
      TEST_ENTRY(one_wrong_signature_refuses_a_certificate),
      TEST_ENTRY(proposals_are_signed_by_the_leader), TEST_ENTRY(justifications_are_checked),
      TEST_ENTRY(a_header_is_that_of_the_candidate),
      TEST_ENTRY(status_and_get_certs_need_no_signature))

/*
 * C-4, C-5, C-6: each check refuses once, and what they allow is done.  One node runs; the test speaks for the others.
 * It leads view 4, so that views 1 to 3 are led by keys of the test.
 */
#include <string.h>

#include "proto/record.h"
#include "tests/check.h"
#include "tests/core_net.h"

static struct net net;
static uint32_t me;
static uint8_t memory[64][CERTIFICATE_BYTES_MAX];

static void begin(void)
{
    net_open(&net, 4);
    me = net_leader(&net, 4);
    net_up(&net, me);
    net_run(&net, 10);
}

/* Signed by all but the node under test. */
static struct certificate cert(enum vote_kind kind, struct candidate candidate, uint32_t place)
{
    return net_certificate(&net, kind, candidate, ~(1U << me), memory[place]);
}

static void give_cert(enum vote_kind kind, struct candidate candidate)
{
    const struct certificate certificate = cert(kind, candidate, 63);

    net_give_certificate(&net, (me + 1) % 4, me, &certificate);
    net_run(&net, 10);
}

static void give_nullified(uint64_t view)
{
    give_cert(VOTE_NULLIFY, net_candidate(view, 0, NULL));
}

static void propose(struct candidate candidate, const struct certificate *justification,
                    uint32_t count)
{
    net_give_proposal(&net, net_leader(&net, candidate.view), me, candidate, justification, count);
    net_run(&net, 10);
}

static bool notarized(uint64_t view)
{
    return net_recorded(&net, me, RECORD_NOTARIZE, view);
}

static bool nullified(uint64_t view)
{
    return net_recorded(&net, me, RECORD_NULLIFY, view);
}

static bool finalized(uint64_t view)
{
    return net_recorded(&net, me, RECORD_FINALIZE, view);
}

static uint32_t count_records(uint8_t type)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < net.nodes[me].record_count; i++) {
        count += net.nodes[me].records[i].bytes.at[0] == type ? 1 : 0;
    }
    return count;
}

/* Make block of view 1 final: voted by the others. */
static const struct net_block *final_block(uint64_t view, uint64_t parent_view,
                                           const struct block_header *parent)
{
    const struct net_block *block = net_block(&net, parent, view, 0);
    const struct candidate candidate = net_candidate(view, parent_view, block->hash);

    propose(candidate, NULL, 0);
    give_cert(VOTE_NOTARIZE, candidate);
    give_cert(VOTE_FINALIZE, candidate);
    CHECK_U64(net_summary(&net, me).final_view, ==, view);
    return block;
}

/* C-4. */

TEST(a_good_proposal_is_notarized_and_finalized)
{
    const struct net_block *block;
    struct candidate candidate;

    begin();
    block = net_block(&net, &net.genesis, 1, 0);
    candidate = net_candidate(1, 0, block->hash);
    propose(candidate, NULL, 0);
    CHECK(notarized(1) && !nullified(1));
    CHECK(net_recorded(&net, me, RECORD_BLOCK, 1));
    CHECK(!finalized(1));
    give_cert(VOTE_NOTARIZE, candidate);
    CHECK(finalized(1));
    CHECK_U64(net_summary(&net, me).cur, ==, 2);
    give_cert(VOTE_FINALIZE, candidate);
    CHECK_U64(net_summary(&net, me).final_height, ==, 1);
    net_close(&net);
}

/* C-4, I1; C-10: one candidate a view from its leader, and the second is evidence (E1). */
TEST(second_candidate_of_a_leader_gets_no_vote)
{
    const struct net_block *x;
    const struct net_block *y;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    y = net_block(&net, &net.genesis, 1, 1);
    propose(net_candidate(1, 0, x->hash), NULL, 0);
    propose(net_candidate(1, 0, y->hash), NULL, 0);
    CHECK(notarized(1));
    CHECK_U64(count_records(RECORD_NOTARIZE), ==, 1);
    CHECK_U64(net.nodes[me].evidence_count, ==, 1);
    CHECK_BYTES(bytes_of(net.nodes[me].evidence[0].statement.candidate.block_hash, HASH_BYTES),
                bytes_of(x->hash, HASH_BYTES));
    CHECK_BYTES(bytes_of(net.nodes[me].evidence[1].statement.candidate.block_hash, HASH_BYTES),
                bytes_of(y->hash, HASH_BYTES));
    propose(net_candidate(1, 0, y->hash), NULL, 0);
    CHECK_U64(net.nodes[me].evidence_count, ==, 1); /* once a voter and view */
    net_close(&net);
}

/* C-4: the same block with another parent view is another candidate. */
TEST(same_block_with_another_parent_view_is_another_candidate)
{
    const struct net_block *x;
    struct certificate justification[2];

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    justification[0] = cert(VOTE_NOTARIZE, net_candidate(1, 0, x->hash), 0);
    justification[1] = cert(VOTE_NULLIFY, net_candidate(2, 0, NULL), 1);
    propose(net_candidate(1, 0, x->hash), NULL, 0);
    propose(net_candidate(3, 1, x->hash), justification, 2);
    CHECK(notarized(1) && notarized(3));
    propose(net_candidate(3, 2, x->hash), NULL, 0);
    CHECK_U64(count_records(RECORD_NOTARIZE), ==, 2);
    CHECK_U64(net.nodes[me].evidence_count, ==, 1);
    net_close(&net);
}

/* C-4: the parent's certificate is held. */
TEST(parent_without_certificate_waits)
{
    const struct net_block *x;
    const struct net_block *y;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    y = net_block(&net, &x->header, 2, 0);
    propose(net_candidate(1, 0, x->hash), NULL, 0);
    give_nullified(1); /* this lets the node into view 2; the parent needs cN(1) */
    propose(net_candidate(2, 1, y->hash), NULL, 0);
    CHECK(!notarized(2) && !nullified(2));
    give_cert(VOTE_NOTARIZE, net_candidate(1, 0, x->hash));
    CHECK(notarized(2));
    net_close(&net);
}

/* C-4: every view between parent and candidate is nullified. */
TEST(skipped_view_without_nullification_waits)
{
    const struct net_block *x;
    const struct net_block *y;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    y = net_block(&net, &net.genesis, 2, 1);
    propose(net_candidate(1, 0, x->hash), NULL, 0);
    give_cert(VOTE_NOTARIZE, net_candidate(1, 0, x->hash));
    propose(net_candidate(2, 0, y->hash), NULL, 0);
    CHECK(!notarized(2) && !nullified(2));
    give_nullified(1);
    CHECK(notarized(2));
    net_close(&net);
}

/* C-4: the parent was executed; a body that is missing is not invalid. */
TEST(parent_without_body_waits)
{
    struct net_block *x;
    const struct net_block *y;
    struct certificate justification;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    y = net_block(&net, &x->header, 2, 0);
    justification = cert(VOTE_NOTARIZE, net_candidate(1, 0, x->hash), 0);
    propose(net_candidate(2, 1, y->hash), &justification, 1);
    CHECK(!notarized(2) && !nullified(2));
    net_run(&net, 2 * NET_DELTA_MS + 50); /* C-6: what is missing does not cancel T_prop */
    CHECK(nullified(2) && !notarized(2));
    net_give_body(&net, me, x->hash);
    net_run(&net, 10);
    CHECK(notarized(2)); /* C-4: allowed after NULLIFY */
    net_close(&net);
}

/* C-4: REPEAT of a block known to be final, or a parent below final_view: no vote, the leader gets the certificate. */
TEST(repeat_of_a_final_block_gets_no_vote)
{
    const struct net_block *x;

    begin();
    x = final_block(1, 0, &net.genesis);
    propose(net_candidate(2, 1, x->hash), NULL, 0);
    CHECK(!notarized(2) && !nullified(2));
    give_cert(VOTE_NOTARIZE, net_candidate(2, 1, x->hash));
    CHECK(!finalized(2)); /* C-5 likewise */
    CHECK_U64(net.sent_final, >=, 1);
    net_close(&net);
}

TEST(parent_below_final_view_gets_no_vote)
{
    const struct net_block *y;

    begin();
    (void)final_block(1, 0, &net.genesis);
    y = net_block(&net, &net.genesis, 2, 3);
    propose(net_candidate(2, 0, y->hash), NULL, 0);
    CHECK(!notarized(2) && !nullified(2));
    net_close(&net);
}

/* C-4: a header that contradicts candidate or parent makes the candidate invalid: NULLIFY at once (C-6). */
TEST(header_must_fit)
{
    for (uint32_t field = 0; field < 10; field++) {
        struct net_block *x;
        struct block_header header;

        begin();
        header = net_block(&net, &net.genesis, 1, 0)->header;
        switch (field) {
        case 0:
            header.chain_id[0] ^= 1;
            break;
        case 1:
            header.epoch = 2;
            break;
        case 2:
            header.view = 2;
            break;
        case 3:
            header.height = 2;
            break;
        case 4:
            header.proposer ^= 1;
            break;
        case 5:
            header.parent_hash[0] ^= 1;
            break;
        case 6:
            header.valset_hash[0] ^= 1;
            break;
        case 7:
            header.params_hash[0] ^= 1;
            break;
        case 8:
            header.time_ms = net.genesis.time_ms;
            break;
        default: /* executed, but its roots differ */
            break;
        }
        x = net_block_put(&net, &header);
        x->invalid = field == 9;
        net_give_proposal_with(&net, net_leader(&net, 1), me, net_candidate(1, 0, x->hash),
                               &x->header);
        net_run(&net, 10);
        CHECK(!notarized(1) && nullified(1));
        net_close(&net);
    }
}

/* C-4: NEW above an EPOCH_END block of this epoch is invalid, REPEAT of it is not. */
TEST(no_new_block_above_the_end_of_an_epoch)
{
    struct net_block *end;
    struct block_header header;
    const struct net_block *y;
    struct certificate justification;

    begin();
    header = net_block(&net, &net.genesis, 1, 0)->header;
    header.flags = BLOCK_EPOCH_END;
    end = net_block_put(&net, &header);
    y = net_block(&net, &end->header, 2, 0);
    justification = cert(VOTE_NOTARIZE, net_candidate(1, 0, end->hash), 0);
    propose(net_candidate(1, 0, end->hash), NULL, 0);
    CHECK(notarized(1));
    propose(net_candidate(2, 1, y->hash), &justification, 1);
    CHECK(!notarized(2) && nullified(2));
    give_nullified(2);
    propose(net_candidate(3, 1, end->hash), NULL, 0);
    CHECK(notarized(3));
    net_close(&net);
}

/* C-4: at most 16 NEW blocks above the final one get a vote. */
TEST(depth_of_a_voted_block_is_bounded)
{
    const struct net_block *block = NULL;
    uint32_t place = 0;

    begin();
    for (uint64_t view = 1; view <= 17; view++) {
        struct certificate justification = {.count = 0};

        if (block != NULL) {
            justification =
                cert(VOTE_NOTARIZE, net_candidate(view - 1, view > 2 ? view - 2 : 0, block->hash),
                     place);
            place += 1;
        }
        block = net_block(&net, block == NULL ? &net.genesis : &block->header, view, 0);
        propose(net_candidate(view, view - 1, block->hash), &justification, view > 1 ? 1 : 0);
        if (view > 1 && net_leader(&net, view - 1) == me) {
            net_give_body(&net, me, block->header.parent_hash); /* nobody proposed it */
            net_run(&net, 10);
        }
        if (net_leader(&net, view) != me) {
            CHECK_U64(notarized(view) ? view : 0, ==, view <= 16 ? view : 0);
        }
    }
    CHECK(!nullified(17));
    net_close(&net);
}

/* C-4: time ahead of the clock holds the vote, time behind gets none; neither is invalid. */
TEST(block_time_is_no_verdict)
{
    struct block_header header;
    const struct net_block *x;

    begin();
    header = net_block(&net, &net.genesis, 1, 0)->header;
    header.time_ms = net.wall_ms + 180;
    x = net_block_put(&net, &header);
    propose(net_candidate(1, 0, x->hash), NULL, 0);
    CHECK(!notarized(1));
    net_run(&net, 50);
    CHECK(!notarized(1));
    net_run(&net, 40);
    CHECK(notarized(1) && !nullified(1));
    net_close(&net);
    begin();
    header = net_block(&net, &net.genesis, 1, 0)->header;
    header.time_ms = net.wall_ms - 6000;
    x = net_block_put(&net, &header);
    propose(net_candidate(1, 0, x->hash), NULL, 0);
    CHECK(!notarized(1) && !nullified(1));
    net_run(&net, 3 * NET_DELTA_MS + 250);
    CHECK(!notarized(1) && nullified(1)); /* T_adv decides */
    net_close(&net);
}

/* C-4: a leader's vote alone is enough, its block is fetched (C-6 passes it on). */
TEST(leaders_vote_alone_is_a_proposal)
{
    struct net_block *x;
    struct vote vote;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    vote = net_vote(&net, net_leader(&net, 1), VOTE_NOTARIZE, net_candidate(1, 0, x->hash));
    net_give_vote(&net, (net_leader(&net, 1) + 1) % 4, me, &vote);
    net_run(&net, 10);
    CHECK(net_summary(&net, me).work); /* 8.6, 6 */
    CHECK(!notarized(1));
    net_give_body(&net, me, x->hash);
    net_run(&net, 10);
    CHECK(notarized(1));
    net_close(&net);
}

/* C-5. */

TEST(no_finalize_after_nullify)
{
    const struct net_block *x;
    struct candidate candidate;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    candidate = net_candidate(1, 0, x->hash);
    net_work(&net, me);
    net_run(&net, 2 * NET_DELTA_MS + 50);
    CHECK(nullified(1));
    propose(candidate, NULL, 0);
    CHECK(notarized(1)); /* C-4 allows it */
    give_cert(VOTE_NOTARIZE, candidate);
    CHECK(!finalized(1));
    net_run(&net, 20000); /* D-10: retry, standstill */
    CHECK(!finalized(1));
    net_down(&net, me); /* D-10: restart */
    net_up(&net, me);
    net_run(&net, 1000);
    CHECK(!finalized(1));
    net_close(&net);
}

TEST(no_finalize_of_another_candidate)
{
    const struct net_block *x;
    struct net_block *y;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    y = net_block(&net, &net.genesis, 1, 1);
    propose(net_candidate(1, 0, x->hash), NULL, 0);
    CHECK(notarized(1));
    give_cert(VOTE_NOTARIZE, net_candidate(1, 0, y->hash));
    net_give_body(&net, me, y->hash);
    net_run(&net, 20);
    CHECK(!finalized(1));
    net_close(&net);
}

TEST(finalize_needs_no_own_notarize)
{
    struct net_block *x;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    give_cert(VOTE_NOTARIZE, net_candidate(1, 0, x->hash));
    CHECK(!finalized(1)); /* C-5: executed here first */
    net_give_body(&net, me, x->hash);
    net_run(&net, 10);
    CHECK(finalized(1) && !notarized(1));
    net_close(&net);
}

TEST(no_finalize_below_a_final_view)
{
    struct net_block *x;
    struct certificate justification;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    justification = cert(VOTE_NOTARIZE, net_candidate(1, 0, x->hash), 0);
    give_cert(VOTE_FINALIZE, net_candidate(2, 1, x->hash)); /* REPEAT, finalized by the others */
    net_give_certificate(&net, (me + 1) % 4, me, &justification);
    net_run(&net, 10);
    net_give_body(&net, me, x->hash);
    net_run(&net, 10);
    CHECK(!finalized(1) && !finalized(2));
    CHECK_U64(net_summary(&net, me).final_view, ==, 2);
    net_close(&net);
}

/* C-6. */

TEST(leaders_nullify_is_followed_at_once)
{
    struct vote vote;

    begin();
    vote = net_vote(&net, net_leader(&net, 1), VOTE_NULLIFY, net_candidate(1, 0, NULL));
    net_give_vote(&net, net_leader(&net, 1), me, &vote);
    net_run(&net, 10);
    CHECK(nullified(1));
    net_run(&net, 1000);
    CHECK_U64(count_records(RECORD_NULLIFY), ==, 1); /* idempotent */
    net_close(&net);
}

/* C-6, D-11: NULLIFY of the leader, T_prop and T_adv come after FINALIZE. */
TEST(no_nullify_after_finalize)
{
    const struct net_block *x;
    struct vote vote;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    propose(net_candidate(1, 0, x->hash), NULL, 0);
    give_cert(VOTE_NOTARIZE, net_candidate(1, 0, x->hash));
    CHECK(finalized(1));
    vote = net_vote(&net, net_leader(&net, 1), VOTE_NULLIFY, net_candidate(1, 0, NULL));
    net_give_vote(&net, net_leader(&net, 1), me, &vote);
    net_run(&net, 5000);
    CHECK(!nullified(1));
    CHECK(nullified(2));
    net_close(&net);
}

/* 8.6, 7: f NULLIFY votes arm nobody, f + 1 do, and they are no vote by themselves. */
TEST(more_than_f_nullify_votes_arm)
{
    uint32_t given = 0;

    begin();
    for (uint32_t i = 0; i < 4; i++) {
        struct vote vote = net_vote(&net, i, VOTE_NULLIFY, net_candidate(1, 0, NULL));

        if (i == me || i == net_leader(&net, 1)) {
            continue;
        }
        net_give_vote(&net, i, me, &vote);
        net_run(&net, 10);
        given += 1;
        CHECK_U64(net_summary(&net, me).armed, ==, given > 1);
        CHECK(!nullified(1));
    }
    net_run(&net, 2 * NET_DELTA_MS + 10);
    CHECK(nullified(1));
    net_close(&net);
}

/* C-6(b): views that were jumped over are closed again once T_prop has fired. */
TEST(views_left_behind_are_nullified)
{
    begin();
    give_nullified(3); /* a jump: views 1 and 2 have no certificate */
    CHECK_U64(net_summary(&net, me).cur, ==, 4);
    CHECK(!nullified(1) && !nullified(2));
    net_run(&net, 2 * NET_DELTA_MS * 3);
    CHECK(nullified(1) && nullified(2) && nullified(4) && !nullified(3));
    CHECK(net_recorded(&net, me, RECORD_CERT, 3)); /* 8.11: the admission certificate */
    net_close(&net);
}

/* 8.11, C-1: cur after a restart is that of a certificate in the record, never below a view voted in. */
TEST(restart_is_in_the_view_of_the_last_vote)
{
    begin();
    give_nullified(3);
    net_run(&net, 1000);
    CHECK(nullified(4));
    net_down(&net, me);
    net_up(&net, me);
    CHECK_U64(net_summary(&net, me).cur, ==, 4);
    net_close(&net);
}

/* 8.11: a foreign vote under the own key ends voting; own old votes do not. */
TEST(foreign_vote_under_the_own_key_is_reported)
{
    const struct net_block *x;
    struct vote vote;

    begin();
    x = net_block(&net, &net.genesis, 1, 0);
    propose(net_candidate(1, 0, x->hash), NULL, 0);
    CHECK(notarized(1));
    vote = net_vote(&net, me, VOTE_NOTARIZE, net_candidate(1, 0, x->hash));
    net_give_vote(&net, (me + 1) % 4, me, &vote);
    net_run(&net, 10);
    CHECK_U64(net.nodes[me].report, ==, SX_REPORT_NONE);
    vote = net_vote(&net, me, VOTE_NULLIFY, net_candidate(1, 0, NULL));
    net_give_vote(&net, (me + 1) % 4, me, &vote);
    net_run(&net, 10);
    CHECK_U64(net.nodes[me].report, ==, SX_REPORT_FOREIGN_VOTE);
    CHECK(!net_summary(&net, me).votes);
    net_close(&net);
}

/* I5: nothing is said in a view that is final. */
TEST(no_vote_in_a_final_view)
{
    struct vote vote;

    begin();
    (void)final_block(2, 0, &net.genesis);
    vote = net_vote(&net, net_leader(&net, 1), VOTE_NULLIFY, net_candidate(1, 0, NULL));
    net_give_vote(&net, net_leader(&net, 1), me, &vote);
    net_run(&net, 3000);
    CHECK(!nullified(1) && !nullified(2));
    net_close(&net);
}

TESTS(TEST_ENTRY(a_good_proposal_is_notarized_and_finalized),
      TEST_ENTRY(second_candidate_of_a_leader_gets_no_vote),
      TEST_ENTRY(same_block_with_another_parent_view_is_another_candidate),
      TEST_ENTRY(parent_without_certificate_waits),
      TEST_ENTRY(skipped_view_without_nullification_waits), TEST_ENTRY(parent_without_body_waits),
      TEST_ENTRY(repeat_of_a_final_block_gets_no_vote),
      TEST_ENTRY(parent_below_final_view_gets_no_vote), TEST_ENTRY(header_must_fit),
      TEST_ENTRY(no_new_block_above_the_end_of_an_epoch),
      TEST_ENTRY(depth_of_a_voted_block_is_bounded), TEST_ENTRY(block_time_is_no_verdict),
      TEST_ENTRY(leaders_vote_alone_is_a_proposal), TEST_ENTRY(no_finalize_after_nullify),
      TEST_ENTRY(no_finalize_of_another_candidate), TEST_ENTRY(finalize_needs_no_own_notarize),
      TEST_ENTRY(no_finalize_below_a_final_view), TEST_ENTRY(leaders_nullify_is_followed_at_once),
      TEST_ENTRY(no_nullify_after_finalize), TEST_ENTRY(more_than_f_nullify_votes_arm),
      TEST_ENTRY(views_left_behind_are_nullified),
      TEST_ENTRY(restart_is_in_the_view_of_the_last_vote),
      TEST_ENTRY(foreign_vote_under_the_own_key_is_reported), TEST_ENTRY(no_vote_in_a_final_view))

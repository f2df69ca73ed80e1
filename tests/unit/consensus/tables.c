/*
 * Tables and their bounds: votes, certificates, evidence, old views, answers (C-8, C-9, C-10, 8.5, 8.15).
 * One node runs, which leads view 4; the test speaks for the others.
 */
#include <string.h>

#include "base/reader.h"
#include "proto/record.h"
#include "tests/check.h"
#include "tests/core_net.h"

static struct net net;
static uint32_t me;
static uint8_t memory[CERTIFICATE_BYTES_MAX];

/* What the node under test has sent, by a filter. */
static struct {
    uint32_t certs;
    uint32_t finals;
    uint32_t gets;
    uint32_t statuses;
    uint32_t votes;
    struct wire_get_certs get;
    uint8_t cert[1 + CERTIFICATE_BYTES_MAX];
    size_t cert_bytes;
} seen;

static bool watch(struct net *that, uint32_t from, uint32_t to, struct bytes message)
{
    (void)that;
    (void)to;
    if (from != me) {
        return true;
    }
    seen.votes += message.at[0] == WIRE_VOTE ? 1 : 0;
    seen.statuses += message.at[0] == WIRE_STATUS ? 1 : 0;
    if (message.at[0] == WIRE_CERT) {
        seen.certs += 1;
        seen.finals += message.at[1] == VOTE_FINALIZE ? 1 : 0;
        seen.cert_bytes = message.count;
        memcpy(seen.cert, message.at, message.count);
    }
    if (message.at[0] == WIRE_GET_CERTS) {
        seen.gets += 1;
        CHECK(wire_get_certs_decode(message, &seen.get));
    }
    return true;
}

static void begin(void)
{
    net_open(&net, 4);
    me = net_leader(&net, 4);
    net_up(&net, me);
    for (uint32_t i = 0; i < 4; i++) { /* sessions with members that only the test plays */
        net_play(&net, i, i != me);
    }
    net_run(&net, 10);
    memset(&seen, 0, sizeof seen);
    net.filter = watch;
}

static void give_vote(uint32_t member, enum vote_kind kind, struct candidate candidate)
{
    const struct vote vote = net_vote(&net, member, kind, candidate);

    net_give_vote(&net, member, me, &vote);
    net_run(&net, 6);
}

static void give_cert(enum vote_kind kind, struct candidate candidate)
{
    const struct certificate certificate =
        net_certificate(&net, kind, candidate, ~(1U << me), memory);

    net_give_certificate(&net, (me + 1) % 4, me, &certificate);
    net_run(&net, 6);
}

static struct candidate candidate_of(uint64_t view, uint8_t salt)
{
    uint8_t hash[HASH_BYTES];

    memset(hash, salt, sizeof hash);
    return net_candidate(view, view - 1, hash);
}

/* Members but the node under test, in order. */
static uint32_t other(uint32_t place)
{
    return place < me ? place : place + 1;
}

TEST(votes_are_taken_up_to_64_views_ahead)
{
    begin();
    give_vote(other(0), VOTE_NULLIFY, net_candidate(65, 0, NULL));
    CHECK_U64(net.delivered, ==, 1);
    give_vote(other(0), VOTE_NULLIFY, net_candidate(66, 0, NULL)); /* C-10 */
    give_vote(other(0), VOTE_NULLIFY, net_candidate(UINT64_MAX, 0, NULL));
    give_vote(other(0), VOTE_NOTARIZE, candidate_of(UINT64_MAX - 63, 1));
    CHECK_U64(net.delivered, ==, 1);
    CHECK_U64(net.unwanted, ==, 3);
    net_close(&net);
}

/* C-10: the first vote of an index and kind counts, another never. */
TEST(a_vote_counts_once)
{
    begin();
    give_vote(other(0), VOTE_NULLIFY, net_candidate(1, 0, NULL));
    give_vote(other(0), VOTE_NULLIFY, net_candidate(1, 0, NULL));
    give_vote(other(0), VOTE_NULLIFY, net_candidate(1, 0, NULL));
    CHECK_U64(net_summary(&net, me).cur, ==, 1);
    CHECK_U64(net.delivered, ==, 1); /* a held vote is not verified again */
    give_vote(other(1), VOTE_NOTARIZE, candidate_of(1, 1));
    give_vote(other(1), VOTE_NOTARIZE, candidate_of(1, 2));
    give_vote(other(0), VOTE_NOTARIZE, candidate_of(1, 2));
    give_vote(other(2), VOTE_NOTARIZE, candidate_of(1, 2));
    CHECK_U64(net_summary(&net, me).cur, ==,
              1); /* two for candidate 2, one of them never counted */
    net_close(&net);
}

/* 8.4: exactly q signatures, of the lowest indices held. */
TEST(certificates_take_the_lowest_indices)
{
    struct certificate certificate;

    begin();
    for (uint32_t i = 3; i > 0; i--) {
        give_vote(other(i - 1), VOTE_NULLIFY, net_candidate(1, 0, NULL));
    }
    CHECK_U64(net_summary(&net, me).cur, ==, 2);
    CHECK(seen.certs >= 1); /* C-8: relayed when it was formed */
    CHECK(wire_cert_decode(bytes_of(seen.cert, seen.cert_bytes), 4, &certificate));
    CHECK_U64(certificate.statement.kind, ==, VOTE_NULLIFY);
    CHECK_U64(certificate.bitmap.at[0], ==, 0xf & ~(1U << me));
    net_close(&net);
}

/* 8.15, E1 to E4; NOTARIZE and NULLIFY together are legal. */
TEST(contradicting_votes_are_evidence)
{
    static const struct {
        enum vote_kind first;
        enum vote_kind second;
        uint8_t first_salt;
        uint8_t second_salt;
        bool evidence;
    } pairs[] = {
        {VOTE_NOTARIZE, VOTE_NOTARIZE, 1, 2, true},  {VOTE_NULLIFY, VOTE_FINALIZE, 0, 1, true},
        {VOTE_FINALIZE, VOTE_NULLIFY, 1, 0, true},   {VOTE_FINALIZE, VOTE_FINALIZE, 1, 2, true},
        {VOTE_NOTARIZE, VOTE_FINALIZE, 1, 2, true},  {VOTE_FINALIZE, VOTE_NOTARIZE, 2, 1, true},
        {VOTE_NOTARIZE, VOTE_NULLIFY, 1, 0, false},  {VOTE_NULLIFY, VOTE_NOTARIZE, 0, 1, false},
        {VOTE_NOTARIZE, VOTE_FINALIZE, 1, 1, false}, {VOTE_FINALIZE, VOTE_NOTARIZE, 1, 1, false},
    };

    for (uint32_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        begin();
        give_vote(other(1), pairs[i].first,
                  pairs[i].first_salt == 0 ? net_candidate(2, 0, NULL)
                                           : candidate_of(2, pairs[i].first_salt));
        CHECK_U64(net.nodes[me].evidence_count, ==, 0);
        give_vote(other(1), pairs[i].second,
                  pairs[i].second_salt == 0 ? net_candidate(2, 0, NULL)
                                            : candidate_of(2, pairs[i].second_salt));
        CHECK_U64(net.nodes[me].evidence_count, ==, pairs[i].evidence ? 1 : 0);
        if (pairs[i].evidence) {
            CHECK_U64(net.nodes[me].evidence[0].statement.kind, ==, pairs[i].first);
            CHECK_U64(net.nodes[me].evidence[1].statement.kind, ==, pairs[i].second);
            CHECK_U64(net.nodes[me].evidence[0].index, ==, other(1));
        }
        net_close(&net);
    }
}

/* D-36: a flood for far views and many candidates changes nothing that is kept of others. */
TEST(a_flood_of_one_member_is_bounded)
{
    begin();
    give_vote(other(0), VOTE_NULLIFY, net_candidate(2, 0, NULL));
    for (uint64_t view = 1; view <= 200; view++) {
        for (uint8_t salt = 1; salt <= 3; salt++) {
            give_vote(other(2), VOTE_NOTARIZE, candidate_of(view, salt));
        }
    }
    give_vote(other(1), VOTE_NULLIFY, net_candidate(2, 0, NULL));
    give_vote(other(2), VOTE_NULLIFY, net_candidate(2, 0, NULL));
    CHECK_U64(net_summary(&net, me).cur, ==, 3); /* the first vote of other(0) was kept */
    net_close(&net);
}

/* C-1, D-19: a jump over 70 views: they are asked for, 32 at a time, from two peers at once, then again. */
TEST(views_jumped_over_are_asked_for)
{
    begin();
    give_cert(VOTE_NULLIFY, net_candidate(70, 0, NULL));
    CHECK_U64(net_summary(&net, me).cur, ==, 71);
    CHECK_U64(seen.gets, ==, 2);
    CHECK_U64(seen.get.count, ==, 32);
    CHECK_U64(seen.get.wants[0].view, ==, 69);
    CHECK_U64(seen.get.wants[31].view, ==, 38);
    CHECK_U64(seen.get.wants[0].kind, ==, WIRE_CERT_ANY);
    net_run(&net, 20000);
    CHECK(seen.gets > 2);
    for (uint64_t view = 1; view < 70; view++) {
        give_cert(VOTE_NULLIFY, net_candidate(view, 0, NULL));
    }
    seen.gets = 0;
    net_run(&net, 40000);
    CHECK_U64(seen.gets, ==, 0);
    net_close(&net);
}

/* C-9(a), (b) and GET_CERTS: answers, at most one a second and peer. */
TEST(votes_of_left_views_are_answered)
{
    begin();
    give_cert(VOTE_NULLIFY, net_candidate(1, 0, NULL));
    give_vote(other(1), VOTE_NULLIFY, net_candidate(1, 0, NULL)); /* within 100 ms: C-8 covers it */
    net_run(&net, 1200); /* the relay of C-8 showed it the certificate: that counts for a second */
    memset(&seen, 0, sizeof seen);
    give_vote(other(1), VOTE_NULLIFY, net_candidate(1, 0, NULL));
    CHECK_U64(seen.certs, ==, 1);
    give_vote(other(1), VOTE_NULLIFY, net_candidate(1, 0, NULL));
    CHECK_U64(seen.certs, ==, 1);
    net_close(&net);
}

TEST(asked_certificates_are_sent)
{
    struct wire_get_certs get = {.epoch = 1, .count = 3};
    const struct candidate candidate = candidate_of(2, 5);

    begin();
    give_cert(VOTE_NULLIFY, net_candidate(1, 0, NULL));
    give_cert(VOTE_NOTARIZE, candidate);
    give_cert(VOTE_NULLIFY, net_candidate(2, 0, NULL));
    net_run(&net, 200);
    memset(&seen, 0, sizeof seen);
    get.wants[0] = (struct wire_want){.view = 1, .kind = WIRE_CERT_ANY};
    get.wants[1] = (struct wire_want){.view = 2, .kind = VOTE_NOTARIZE};
    get.wants[2] = (struct wire_want){.view = UINT64_MAX, .kind = VOTE_NOTARIZE};
    net_give_get(&net, other(0), me, &get);
    net_run(&net, 6);
    CHECK_U64(seen.certs, ==, 2);
    CHECK_U64(seen.cert[1], ==, VOTE_NOTARIZE);
    get.epoch = 2;
    net_give_get(&net, other(0), me, &get);
    net_run(&net, 6);
    CHECK_U64(seen.certs, ==, 2);
    net_close(&net);
}

/* Certificates that cannot both be: more than f members are faulty.  The node stops voting and says so. */
TEST(impossible_certificates_stop_the_node)
{
    begin();
    give_cert(VOTE_NOTARIZE, candidate_of(1, 1));
    give_cert(VOTE_NOTARIZE, candidate_of(1, 2));
    CHECK_U64(net.nodes[me].report, ==, SX_REPORT_CONFLICT);
    CHECK(!net_summary(&net, me).votes);
    net_close(&net);
    begin();
    give_cert(VOTE_FINALIZE, candidate_of(1, 1));
    give_cert(VOTE_NULLIFY, net_candidate(1, 0, NULL));
    CHECK_U64(net.nodes[me].report, ==, SX_REPORT_CONFLICT);
    net_close(&net);
}

/* A step of its own, past verification: for floods that would take long to sign. */
static void step_cert(struct sx *sx, enum vote_kind kind, struct candidate candidate,
                      struct sx_out *out)
{
    static struct verified_message message;
    static uint8_t signature[SIGNATURE_BYTES];
    const uint8_t *signatures[4];
    struct sx_event event = {.kind = SX_MESSAGE, .now_ms = net.now_ms, .wall_ms = net.wall_ms};

    for (uint32_t i = 0; i < 4; i++) {
        signatures[i] = i == me ? NULL : signature;
    }
    message.type = WIRE_CERT;
    certificate_make(&(struct statement){kind, candidate}, 4, signatures, memory,
                     &message.certificate);
    event.message.peer = other(0);
    event.message.message = &message;
    sx_step(sx, &event, out);
    for (uint32_t i = 0; i < 1000 && out->more; i++) {
        event.kind = SX_MORE;
        sx_step(sx, &event, out);
    }
    CHECK(!out->more);
}

/* 8.5: older views keep 64 bytes; what this node said there is not forgotten. */
TEST(old_views_are_kept_in_short)
{
    static struct sx_out out;
    struct sx *sx;
    struct candidate candidate;

    begin();
    net_work(&net, me);
    net_run(&net, 2 * NET_DELTA_MS + 20);
    CHECK(net_recorded(&net, me, RECORD_NULLIFY, 1));
    sx = net.nodes[me].sx;
    candidate = net_candidate(1, 0, net_block(&net, &net.genesis, 1, 0)->hash);
    for (uint64_t view = 1; view <= 3000; view++) {
        step_cert(sx, VOTE_NULLIFY, net_candidate(view, 0, NULL), &out);
    }
    sx_check(sx);
    CHECK_U64(net_summary(&net, me).open_views, <=, 1024);
    CHECK(net_summary(&net, me).old_views > 1900);
    CHECK_U64(net_summary(&net, me).cur, ==, 3001);
    step_cert(sx, VOTE_NOTARIZE, candidate, &out); /* late, for view 1 */
    sx_check(sx);
    CHECK_U64(out.record_count, ==, 0); /* C-5: view 1 was nullified */
    step_cert(sx, VOTE_FINALIZE, candidate_of(3001, 1), &out);
    sx_check(sx);
    net_close(&net);
}

/* 8.5: a node whose table is full enters no further view and reports it; a final certificate is still taken. */
TEST(a_full_table_of_views_is_reported)
{
    static struct sx_out out;
    struct sx *sx;
    uint64_t cur = 0;

    begin();
    sx = net.nodes[me].sx;
    for (uint64_t view = 1; view <= 70000; view++) {
        step_cert(sx, VOTE_NULLIFY, net_candidate(view, 0, NULL), &out);
        if (out.report.what == SX_REPORT_VIEWS_FULL) {
            break;
        }
        cur = view + 1;
    }
    CHECK_U64(out.report.what, ==, SX_REPORT_VIEWS_FULL);
    CHECK(cur > 64000);
    CHECK_U64(net_summary(&net, me).cur, ==, cur);
    sx_check(sx);
    step_cert(sx, VOTE_FINALIZE, candidate_of(cur + 5, 1), &out);
    CHECK_U64(net_summary(&net, me).cur, ==, cur + 6);
    sx_check(sx);
    net_close(&net);
}

/* Bodies above the final block are bounded; those of views that came to nothing give their places. */
TEST(blocks_that_came_to_nothing_give_their_places)
{
    uint32_t proposed = 0;

    begin();
    net.filter = NULL;
    for (uint64_t view = 1; view <= 30; view++) {
        if (net_leader(&net, view) != me) {
            const struct net_block *block = net_block(&net, &net.genesis, view, view);
            struct certificate justification[16];
            static uint8_t bytes[16][CERTIFICATE_BYTES_MAX];
            uint32_t count = 0;

            for (uint64_t back = view - 1; back > 0 && count < 16; back--) {
                justification[count] = net_certificate(
                    &net, VOTE_NULLIFY, net_candidate(back, 0, NULL), ~(1U << me), bytes[count]);
                count += 1;
            }
            net_give_proposal(&net, net_leader(&net, view), me, net_candidate(view, 0, block->hash),
                              justification, count);
            net_run(&net, 7);
            CHECK(net_recorded(&net, me, RECORD_NOTARIZE, view));
            proposed += 1;
        }
        give_cert(VOTE_NULLIFY, net_candidate(view, 0, NULL));
    }
    CHECK(proposed > NET_BODIES);
    CHECK_U64(net.nodes[me].report, ==, SX_REPORT_NONE);
    net_close(&net);
}

TESTS(TEST_ENTRY(votes_are_taken_up_to_64_views_ahead), TEST_ENTRY(a_vote_counts_once),
      TEST_ENTRY(certificates_take_the_lowest_indices),
      TEST_ENTRY(contradicting_votes_are_evidence), TEST_ENTRY(a_flood_of_one_member_is_bounded),
      TEST_ENTRY(views_jumped_over_are_asked_for), TEST_ENTRY(votes_of_left_views_are_answered),
      TEST_ENTRY(asked_certificates_are_sent), TEST_ENTRY(impossible_certificates_stop_the_node),
      TEST_ENTRY(old_views_are_kept_in_short), TEST_ENTRY(a_full_table_of_views_is_reported),
      TEST_ENTRY(blocks_that_came_to_nothing_give_their_places))

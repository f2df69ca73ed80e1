/*
 * Liveness of a few cores: finality, silence, a dead leader, REPEAT, restarts (C-1 to C-9 and the table of 8.11).
 */
#include <string.h>

#include "crypto/hash.h"
#include "proto/record.h"
#include "tests/check.h"
#include "tests/core_net.h"

static struct net net;

static void work_times(uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        net_work_all(&net);
    }
}

TEST(blocks_become_final_and_silence_follows)
{
    uint64_t sent;

    net_open(&net, 4);
    net_up_all(&net);
    net_run(&net, 100);
    CHECK_U64(net.nodes[0].sent, ==, 0); /* an idle chain is silent */
    work_times(5);
    CHECK(net_run_until(&net, 5, 1000));
    net_run(&net, 300);
    for (uint32_t i = 0; i < 4; i++) {
        const struct sx_summary summary = net_summary(&net, i);

        CHECK_U64(summary.final_height, ==, 5);
        CHECK_U64(summary.final_view, ==, 5); /* one view a block */
        CHECK(!summary.work && !summary.armed);
        CHECK_U64(net.nodes[i].report, ==, SX_REPORT_NONE);
    }
    sent = net.nodes[0].sent + net.nodes[1].sent + net.nodes[2].sent + net.nodes[3].sent;
    net_run(&net, 30000);
    CHECK_U64(net.nodes[0].sent + net.nodes[1].sent + net.nodes[2].sent + net.nodes[3].sent, ==,
              sent);
    CHECK_U64(net.refused, ==, 0);
    net_close(&net);
}

TEST(one_to_three_members_need_all)
{
    for (uint32_t n = 1; n <= 3; n++) {
        net_open(&net, n);
        net_up_all(&net);
        work_times(3);
        CHECK(net_run_until(&net, 3, 2000));
        net_close(&net);
    }
}

TEST(seven_members_bear_two_dead)
{
    net_open(&net, 7);
    for (uint32_t i = 0; i < 7; i++) {
        if (i != net_leader(&net, 1) && i != net_leader(&net, 2)) {
            net_up(&net, i);
        }
    }
    work_times(3);
    CHECK(net_run_until(&net, 3, 5000));
    net_close(&net);
}

/* C-2, C-6: a dead leader costs T_prop and two hops; a session that is closed is skipped at once. */
TEST(dead_leader_is_passed)
{
    const uint32_t dead = 1;
    uint64_t view = 1;

    net_open(&net, 4);
    net_up_all(&net);
    net_run(&net, 50);
    net_down(&net, dead);
    work_times(4);
    CHECK(net_run_until(&net, 4, 2000));
    while (net_leader(&net, view) != dead) {
        view += 1;
    }
    CHECK(net_summary(&net, 0).final_view >= view);
    CHECK(net_recorded(&net, 0, RECORD_NULLIFY, view) ||
          net_recorded(&net, 2, RECORD_NULLIFY, view));
    net_close(&net);
}

static bool drop_finalize(struct net *that, uint32_t from, uint32_t to, struct bytes message)
{
    (void)that;
    (void)from;
    (void)to;
    return !(message.at[0] == WIRE_VOTE && message.at[1] == VOTE_FINALIZE) &&
           !(message.at[0] == WIRE_CERT && message.at[1] == VOTE_FINALIZE);
}

/* C-3 c: without FINALIZE votes the chain goes on by REPEAT, and one view with them finalizes all. */
TEST(unfinal_tip_is_repeated)
{
    net_open(&net, 4);
    net_up_all(&net);
    net.filter = drop_finalize;
    net_work_all(&net);
    net_run(&net, 3000);
    CHECK(net_summary(&net, 0).cur > 3);
    CHECK_U64(net_summary(&net, 0).final_height, ==, 0);
    CHECK_U64(net_summary(&net, 0).highest_height, ==, 1);
    net.filter = NULL;
    CHECK(net_run_until(&net, 1, 3000));
    net_run(&net, 3000);
    CHECK(!net_summary(&net, 0).work);
    net_close(&net);
}

/* C-3 b: at most 8 unfinalized blocks, then REPEAT. */
TEST(depth_of_new_blocks_is_bounded)
{
    net_open(&net, 4);
    net_up_all(&net);
    net.filter = drop_finalize;
    work_times(30);
    net_run(&net, 5000);
    CHECK_U64(net_summary(&net, 0).highest_height, ==, 8);
    net.filter = NULL;
    CHECK(net_run_until(&net, 30, 10000));
    net_close(&net);
}

static bool drop_all(struct net *that, uint32_t from, uint32_t to, struct bytes message)
{
    (void)that;
    (void)from;
    (void)to;
    (void)message;
    return false;
}

/* C-1 "Restart", commonware#4275: all have recorded NULLIFY and lose power before anything is sent. */
TEST(all_restart_with_a_nullify_unsent)
{
    net_open(&net, 4);
    net_up_all(&net);
    net.filter = drop_all;
    work_times(2);
    net_run(&net, 2000);
    CHECK_U64(net_summary(&net, 0).cur, ==, 1);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(net_recorded(&net, i, RECORD_NULLIFY, 1));
        net_down(&net, i);
    }
    net.filter = NULL;
    net_run(&net, 10);
    net_up_all(&net);
    net_run(&net, 50);
    CHECK_U64(net_summary(&net, 0).cur, ==, 2); /* own votes were counted and sent again */
    work_times(1);
    CHECK(net_run_until(&net, 1, 3000));
    net_close(&net);
}

/* C-3: a restarted leader shows the same proposal again, never a second one. */
TEST(restarted_leader_repeats_its_proposal)
{
    uint32_t leader;

    net_open(&net, 4);
    net_up_all(&net);
    leader = net_leader(&net, 1);
    net.filter = drop_all;
    net_work(&net, leader); /* the others have no work, so that nobody skips it */
    net_run(&net, 30);
    CHECK(net_recorded(&net, leader, RECORD_NOTARIZE, 1));
    CHECK_U64(net.nodes[leader].proposals, ==, 1);
    net_down(&net, leader);
    net.filter = NULL;
    net_up(&net, leader);
    net_work(&net, leader);
    CHECK(net_run_until(&net, 1, 2000));
    CHECK_U64(net.nodes[leader].proposals, ==, 1);
    CHECK_U64(net_summary(&net, leader).final_view, ==, 1);
    CHECK_BYTES(bytes_of(net.finals[1], HASH_BYTES),
                bytes_of(net.nodes[leader].last_proposal, HASH_BYTES));
    net_close(&net);
}

/* 8.11: power cuts of all at every moment of two blocks; the chain goes on and never forks (core_net asserts it). */
TEST(blackouts_at_every_moment)
{
    for (uint64_t moment = 1; moment < 60; moment += 1) {
        net_open(&net, 4);
        net_up_all(&net);
        work_times(3);
        net_run(&net, moment);
        for (uint32_t i = 0; i < 4; i++) {
            net_down(&net, i);
        }
        net_up_all(&net);
        work_times(5);
        CHECK(net_run_until(&net, 3, 20000));
        net_close(&net);
    }
}

/* C-1, C-9: a node that was away takes part again. */
TEST(node_that_was_away_returns)
{
    net_open(&net, 4);
    net_up_all(&net);
    net_down(&net, 2);
    work_times(3);
    CHECK(net_run_until(&net, 3, 5000));
    net_up(&net, 2);
    work_times(1);
    CHECK(net_run_until(&net, 4, 5000));
    net_run(&net, 5000);
    CHECK_U64(net_summary(&net, 2).final_view, ==, net_summary(&net, 0).final_view);
    net_close(&net);
}

/* 8.11: nothing is signed before its record is durable (core_net asserts after_seq), nothing sent before that. */
TEST(slow_disk_delays_the_vote)
{
    uint32_t leader;

    net_open(&net, 4);
    leader = net_leader(&net, 1);
    net.nodes[leader].slow_disk = true;
    net_up_all(&net);
    net_run(&net, 20);
    net_work_all(&net);
    net_run(&net, 50);
    CHECK(net_recorded(&net, leader, RECORD_NOTARIZE, 1));
    CHECK_U64(net.nodes[leader].sent, ==, 0);
    net_sync(&net, leader);
    net_run(&net, 30);
    CHECK(net.nodes[leader].sent > 0);
    net.nodes[leader].slow_disk = false;
    net_sync(&net, leader);
    CHECK(net_run_until(&net, 1, 1000));
    net_close(&net);
}

/* The log's beginning is freed as final_view rises, never beyond what an open view needs. */
TEST(log_is_freed_after_commits)
{
    net_open(&net, 4);
    net_up_all(&net);
    work_times(10);
    CHECK(net_run_until(&net, 10, 3000));
    net_run(&net, 200);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_U64(net.nodes[i].freed_seq, ==, net_summary(&net, i).next_seq);
    }
    net_close(&net);
}

/* A lost log: the node follows and signs nothing. */
TEST(lost_record_signs_nothing)
{
    net_open(&net, 4);
    net_up_all(&net);
    work_times(2);
    CHECK(net_run_until(&net, 2, 2000));
    net_down(&net, 3);
    net_lose_log(&net, 3);
    net_up(&net, 3);
    CHECK_U64(net.nodes[3].report, ==, SX_REPORT_LOST_DATA);
    CHECK(!net_summary(&net, 3).votes);
    work_times(2);
    CHECK(net_run_until(&net, 4, 5000));
    CHECK_U64(net.nodes[3].record_count, ==, 0);
    net_close(&net);
}

TESTS(TEST_ENTRY(blocks_become_final_and_silence_follows),
      TEST_ENTRY(one_to_three_members_need_all), TEST_ENTRY(seven_members_bear_two_dead),
      TEST_ENTRY(dead_leader_is_passed), TEST_ENTRY(unfinal_tip_is_repeated),
      TEST_ENTRY(depth_of_new_blocks_is_bounded), TEST_ENTRY(all_restart_with_a_nullify_unsent),
      TEST_ENTRY(restarted_leader_repeats_its_proposal), TEST_ENTRY(blackouts_at_every_moment),
      TEST_ENTRY(node_that_was_away_returns), TEST_ENTRY(slow_disk_delays_the_vote),
      TEST_ENTRY(log_is_freed_after_commits), TEST_ENTRY(lost_record_signs_nothing))

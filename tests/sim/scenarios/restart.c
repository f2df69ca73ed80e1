/*
 * tests/sim/scenarios/restart.c -- power cuts: what the record must hold so that the chain goes on and nobody forks.
 *
 * D-1, D-2, D-5, D-12, D-13, D-35: docs/protocol/scenarios.md.
 */
#include "tests/sim/disk_sim.h"
#include "tests/sim/sim.h"

#define HONEST (SIM_NODE(0) | SIM_NODE(1) | SIM_NODE(2))

static void power_cut(struct sim *sim, uint32_t nodes)
{
    for (uint32_t node = 0; node < 4; node++) {
        if ((nodes & SIM_NODE(node)) != 0) {
            sim_crash(sim, node, SIM_POWER);
        }
    }
    for (uint32_t node = 0; node < 4; node++) {
        if ((nodes & SIM_NODE(node)) != 0) {
            sim_restart(sim, node);
        }
    }
}

/* Pools are lost in a power cut of all: a new request, and finality of what is there and of that. */
static void goes_on(struct sim *sim, uint32_t nodes, uint64_t height, uint64_t limit_ms)
{
    (void)sim_submit(sim, 1);
    sim_run_until_final(sim, nodes, height, limit_ms);
    sim_expect_silence(sim);
}

/*
 * Blackout.  View 1: N(1, x); 0 finalizes, 1 and 2 have nullified.  View 2: 1 and 2 nullify, the vote of 3
 * completes Z(2), 0 takes the certificate from a relay and does not vote there.  View 3: 0 and 1 notarize, 2
 * nullifies.  Then power is cut for 0, 1 and 2, and 3 is silent for ever.  8.11, C-1, C-6(b).
 */
SCENARIO(D_1_blackout)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "3210"});
    struct candidate nothing = sim_nullify(2);
    struct candidate x;
    uint32_t to_0;

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE | SIM_CERT_FINALIZE});
    (void)sim_rule(sim, &(struct sim_rule){
                            .what = SIM_PROPOSALS | SIM_NOTARIZE, .from = SIM_NODE(2), .view = 2});
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_NULLIFY, .to = SIM_NODE(0), .view = 2});
    to_0 = sim_rule(sim, &(struct sim_rule){.what = SIM_CONSENSUS | SIM_TX | SIM_STATUS,
                                            .to = SIM_NODE(0),
                                            .fate = SIM_HOLD});
    (void)sim_submit_with(sim, &(struct sim_submit){.nodes = SIM_NODE(1) | SIM_NODE(2)});
    sim_run_until_ms(sim, 1040); /* T_prop of view 1 has passed at 1 and 2 */
    EXPECT(sim_voted(sim, 1, VOTE_NULLIFY, 1, NULL) && sim_voted(sim, 2, VOTE_NULLIFY, 1, NULL));
    x = sim_say_proposal(sim, 3, &(struct sim_proposal){.view = 1, .txs = 1}, SIM_OTHERS);
    sim_say_vote(sim, 3, VOTE_NOTARIZE, &x, SIM_OTHERS);
    sim_run_until_ms(sim, 2900); /* 1 and 2 are in view 2 and have nullified it */
    EXPECT(sim_voted(sim, 1, VOTE_NULLIFY, 2, NULL) && sim_voted(sim, 2, VOTE_NULLIFY, 2, NULL));
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_PROPOSALS | SIM_NOTARIZE | SIM_CERT_NOTARIZE,
                                           .to = SIM_NODE(2),
                                           .view = 3});
    sim_rule_remove(sim, to_0); /* all at once: 0 notarizes and finalizes view 1 */
    sim_run_for_ms(sim, 8);
    sim_say_vote(sim, 3, VOTE_NULLIFY, &nothing, SIM_NODE(1) | SIM_NODE(2));
    sim_run_for_ms(sim, 1700);
    EXPECT(sim_voted(sim, 0, VOTE_FINALIZE, 1, x.block_hash));
    EXPECT(!sim_voted(sim, 0, VOTE_NULLIFY, 2, NULL));
    EXPECT(sim_voted(sim, 0, VOTE_NOTARIZE, 3, NULL) && sim_voted(sim, 1, VOTE_NOTARIZE, 3, NULL));
    EXPECT(sim_voted(sim, 2, VOTE_NULLIFY, 3, NULL));
    power_cut(sim, HONEST);
    sim_set_byzantine(sim, 3, SIM_SILENT);
    for (uint32_t rule = 0; rule < 5; rule++) {
        sim_rule_remove(sim, rule);
    }
    goes_on(sim, HONEST, 2, 30000);
}

/* The same for seven validators: view 1 nullified by three of five honest ones, two jumped over it. */
SCENARIO(D_1_blackout_of_seven)
{
    struct sim *sim = sim_start(&(struct sim_options){.validators = 7, .leaders = "6501234"});
    uint32_t honest = 0x1f;
    uint32_t far = SIM_NODE(3) | SIM_NODE(4);
    struct candidate nothing = sim_nullify(1);

    sim_set_byzantine(sim, 5, SIM_PUPPET);
    sim_set_byzantine(sim, 6, SIM_PUPPET);
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_CONSENSUS | SIM_TX | SIM_STATUS,
                                           .to = far,
                                           .from = honest,
                                           .fate = SIM_HOLD});
    (void)sim_submit_with(sim, &(struct sim_submit){.nodes = 7});
    sim_run_until_ms(sim, 1050);
    sim_say_vote(sim, 5, VOTE_NULLIFY, &nothing, 7);
    sim_say_vote(sim, 6, VOTE_NULLIFY, &nothing, 7);
    sim_run_for_ms(sim, 1200); /* 0, 1, 2 in view 2, of which 5 is the leader */
    sim_rule_remove(sim, 0);
    sim_run_for_ms(sim, 150);
    for (uint32_t node = 0; node < 5; node++) {
        sim_crash(sim, node, SIM_POWER);
    }
    for (uint32_t node = 0; node < 5; node++) {
        sim_restart(sim, node);
    }
    sim_set_byzantine(sim, 5, SIM_SILENT);
    sim_set_byzantine(sim, 6, SIM_SILENT);
    goes_on(sim, honest, 1, 60000);
}

/*
 * Lost final_view.  View 1: NEW x, final everywhere.  View 2, leader 3: y on x shown to 2, who notarizes; 0
 * and 1 nullify.  View 3: REPEAT or NEW goes on and is final.  0 loses power at a given moment of a commit; then 3
 * shows what is left of view 2 to 0, which must refuse there.  C-7, `M|final` at every finalization.
 */
static void lost_final_view(enum sim_moment moment, uint32_t k)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0312"});
    struct candidate y;

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    (void)sim_submit(sim, 0);
    sim_run_until_final(sim, HONEST, 1, 1000);
    y = sim_say_proposal(sim, 3, &(struct sim_proposal){.view = 2, .parent_view = 1, .txs = 1},
                         SIM_NODE(2));
    sim_run_for_ms(sim, 30);
    EXPECT(sim_voted(sim, 2, VOTE_NOTARIZE, 2, y.block_hash));
    sim_crash_at_store(sim, 0, k, moment);
    (void)sim_submit_with(sim, &(struct sim_submit){.nodes = HONEST});
    sim_run_for_ms(sim, 4000);
    EXPECT(!sim_up(sim, 0));
    sim_restart(sim, 0);
    sim_say_again(sim, 3, &y, SIM_NODE(0));
    sim_run_for_ms(sim, 2000);
    EXPECT(!sim_voted(sim, 0, VOTE_NOTARIZE, 2, y.block_hash));
    sim_set_byzantine(sim, 3, SIM_SILENT);
    (void)sim_submit(sim, 1);
    sim_expect_progress(sim, HONEST, 30000);
}

SCENARIO(D_2_before_the_batch)
{
    lost_final_view(SIM_BEFORE_WRITE, 1);
}

SCENARIO(D_2_before_the_sync)
{
    lost_final_view(SIM_BEFORE_SYNC, 1);
}

SCENARIO(D_2_after_the_batch)
{
    lost_final_view(SIM_AFTER_SYNC, 1);
}

/* A REPEAT of a block that is final delivers nothing and still moves `M|final`: after a power cut no vote below it. */
SCENARIO(D_2_repeat_of_a_final_block)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});
    uint32_t rule;
    uint64_t view;

    /* 0 alone learns that x is final in view 1; the others repeat it. */
    rule = sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE | SIM_CERT_FINALIZE,
                                            .view = 1,
                                            .to = SIM_NODE(1) | SIM_NODE(2) | SIM_NODE(3)});
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_STATUS, .from = SIM_NODE(0)});
    (void)sim_submit(sim, 0);
    sim_run_until_final(sim, SIM_NODE(1) | SIM_NODE(2) | SIM_NODE(3), 1, 20000);
    sim_rule_remove(sim, rule);
    sim_run_for_ms(sim, 3000);
    view = sim_final_view(sim, 1);
    EXPECT_U64(view, >, 1);
    power_cut(sim, SIM_NODE(1) | SIM_NODE(2));
    EXPECT_U64(sim_final_view(sim, 1), ==, view);
    (void)sim_submit(sim, 1);
    sim_expect_progress(sim, SIM_OTHERS, 30000);
}

/* Lost notarization certificate: 3 leads, shows x to 0 and 1 only, completes cN at 0, 0 finalizes; all lose power, 3 is
 * silent.  C-5: the certificate is in the record. */
SCENARIO(D_5_lost_certificate)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "3012"});
    struct candidate x;

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    (void)sim_submit_with(sim, &(struct sim_submit){.nodes = HONEST});
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_NOTARIZE | SIM_CERT_NOTARIZE,
                                           .from = HONEST,
                                           .to = SIM_NODE(1) | SIM_NODE(2)});
    sim_run_until_ms(sim, 100);
    x = sim_say_proposal(sim, 3, &(struct sim_proposal){.view = 1, .txs = 1},
                         SIM_NODE(0) | SIM_NODE(1));
    sim_run_for_ms(sim, 30);
    sim_say_vote(sim, 3, VOTE_NOTARIZE, &x, SIM_NODE(0));
    sim_run_for_ms(sim, 50);
    EXPECT(sim_voted(sim, 0, VOTE_FINALIZE, 1, x.block_hash));
    sim_run_for_ms(sim, 1500);
    power_cut(sim, HONEST);
    sim_rule_remove(sim, 0);
    sim_set_byzantine(sim, 3, SIM_SILENT);
    (void)sim_submit(sim, 1);
    sim_expect_progress(sim, HONEST, 60000);
}

/* All honest nodes record NULLIFY and lose power before it is sent; with and without the fourth one's vote.  C-1. */
static void nullify_recorded(bool with_vote)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "3012"});
    struct candidate nothing = sim_nullify(1);

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_NULLIFY, .from = HONEST});
    (void)sim_submit_with(sim, &(struct sim_submit){.nodes = HONEST});
    sim_run_until_ms(sim, 1100);
    EXPECT(sim_voted(sim, 0, VOTE_NULLIFY, 1, NULL) && sim_voted(sim, 1, VOTE_NULLIFY, 1, NULL) &&
           sim_voted(sim, 2, VOTE_NULLIFY, 1, NULL));
    power_cut(sim, HONEST);
    sim_rule_remove(sim, 0);
    if (with_vote) {
        sim_say_vote(sim, 3, VOTE_NULLIFY, &nothing, HONEST);
    }
    sim_set_byzantine(sim, 3, SIM_SILENT);
    goes_on(sim, HONEST, 1, 20000);
}

SCENARIO(D_12_nullify_recorded_not_sent)
{
    nullify_recorded(false);
}

SCENARIO(D_12_nullify_recorded_with_the_fourth)
{
    nullify_recorded(true);
}

/* C-3: a leader is cut off between record and send, or between the first and the other receivers; it comes back with
 * another pool and clock, and proposes the same block or none. */
static void leader_cut(enum sim_fate fate, uint32_t to)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});

    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_PROPOSE,
                                           .from = SIM_NODE(0),
                                           .to = to,
                                           .view = 1,
                                           .fate = fate,
                                           .count = 1});
    (void)sim_submit(sim, 0);
    sim_run_for_ms(sim, 100);
    EXPECT(!sim_up(sim, 0));
    sim_set_clock(sim, 0, 250, 0);
    sim_restart(sim, 0);
    (void)sim_submit(sim, 0);
    sim_expect_progress(sim, SIM_OTHERS, 20000);
}

SCENARIO(D_13_leader_cut_before_sending)
{
    leader_cut(SIM_CRASH_BEFORE, SIM_ALL);
}

SCENARIO(D_13_leader_cut_after_the_first)
{
    leader_cut(SIM_CRASH_AFTER, SIM_ALL);
}

SCENARIO(D_13_leader_cut_at_the_record)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});

    sim_crash_at_log(sim, 0, 1, SIM_AFTER_SYNC);
    (void)sim_submit(sim, 0);
    sim_run_for_ms(sim, 100);
    EXPECT(!sim_up(sim, 0));
    sim_restart(sim, 0);
    (void)sim_submit(sim, 0);
    sim_expect_progress(sim, SIM_OTHERS, 20000);
}

/* The leader comes back when its view was nullified: nothing is proposed there any more. */
SCENARIO(D_13_leader_back_after_nullify)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});

    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_PROPOSE,
                                           .from = SIM_NODE(0),
                                           .view = 1,
                                           .fate = SIM_CRASH_BEFORE,
                                           .count = 1});
    (void)sim_submit_with(sim, &(struct sim_submit){.nodes = SIM_OTHERS});
    sim_run_for_ms(sim, 3000);
    sim_restart(sim, 0);
    sim_expect_progress(sim, SIM_OTHERS, 20000);
}

/*
 * tests/sim/scenarios/votes.c -- which votes may stand beside each other, on every path.
 *
 * D-10, D-11, D-14, D-15: docs/protocol/scenarios.md.
 */
#include "tests/sim/sim.h"

#define HONEST (SIM_NODE(0) | SIM_NODE(1) | SIM_NODE(2))

/*
 * Node 2 hears nothing of view 1 until it has nullified.  Then proposal and certificate come, and it must not
 * finalize: C-5, I2.  Rule 0 holds what comes to it, rule 1 keeps everybody from finality.
 */
static struct sim *late_proposal(void)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});

    (void)sim_rule(sim,
                   &(struct sim_rule){.what = SIM_CONSENSUS, .to = SIM_NODE(2), .fate = SIM_HOLD});
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE | SIM_CERT_FINALIZE});
    (void)sim_submit_with(sim, &(struct sim_submit){.nodes = SIM_OTHERS});
    sim_run_until_ms(sim, 1600);
    EXPECT(sim_voted(sim, 2, VOTE_NULLIFY, 1, NULL));
    EXPECT(sim_voted(sim, 1, VOTE_FINALIZE, 1, NULL));
    return sim;
}

/* C-5: no FINALIZE after NULLIFY, live: proposal, votes and certificate come late. */
SCENARIO(D_10_finalize_after_nullify_live)
{
    struct sim *sim = late_proposal();

    sim_rule_remove(sim, 0);
    sim_run_for_ms(sim, 3000);
    EXPECT(!sim_voted(sim, 2, VOTE_FINALIZE, 1, NULL));
    sim_rule_remove(sim, 1);
    sim_expect_progress(sim, SIM_OTHERS, 30000);
    EXPECT(!sim_voted(sim, 2, VOTE_FINALIZE, 1, NULL));
}

/* C-5 by restart: the record says NULLIFY, the certificate comes after it. */
SCENARIO(D_10_finalize_after_nullify_restart)
{
    struct sim *sim = late_proposal();

    sim_crash(sim, 2, SIM_POWER);
    sim_restart(sim, 2);
    sim_rule_remove(sim, 0);
    sim_run_for_ms(sim, 3000);
    EXPECT(!sim_voted(sim, 2, VOTE_FINALIZE, 1, NULL));
    sim_rule_remove(sim, 1);
    sim_expect_progress(sim, SIM_OTHERS, 30000);
}

/* C-5 by repair: only the retries, relays and STATUS answers of others bring the certificate. */
SCENARIO(D_10_finalize_after_nullify_repair)
{
    struct sim *sim = late_proposal();

    sim_isolate(sim, SIM_NODE(2));
    sim_rule_remove(sim, 0);
    sim_run_for_ms(sim, 500);
    sim_heal(sim);
    sim_run_for_ms(sim, 10000);
    EXPECT(!sim_voted(sim, 2, VOTE_FINALIZE, 1, NULL));
    sim_rule_remove(sim, 1);
    sim_expect_progress(sim, SIM_OTHERS, 30000);
}

/* C-6: no NULLIFY after FINALIZE: T_prop and T_adv pass in the view, and the leader's NULLIFY comes late. */
SCENARIO(D_11_nullify_after_finalize)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "3012"});
    struct candidate x;
    struct candidate nothing = sim_nullify(1);

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    sim_submit_with(sim, &(struct sim_submit){.nodes = HONEST});
    sim_run_until_ms(sim, 100);
    sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE | SIM_CERT_FINALIZE});
    x = sim_say_proposal(sim, 3, &(struct sim_proposal){.view = 1, .txs = 1}, SIM_OTHERS);
    sim_run_for_ms(sim, 100);
    for (uint32_t node = 0; node < 3; node++) {
        EXPECT(sim_voted(sim, node, VOTE_FINALIZE, 1, x.block_hash));
    }
    sim_say_vote(sim, 3, VOTE_NULLIFY, &nothing, SIM_OTHERS);
    sim_run_for_ms(sim, 8000);
    for (uint32_t node = 0; node < 3; node++) {
        EXPECT(!sim_voted(sim, node, VOTE_NULLIFY, 1, NULL));
    }
    sim_rule_remove(sim, 0);
    sim_set_byzantine(sim, 3, SIM_SILENT);
    sim_expect_progress(sim, HONEST, 30000);
}

/* C-1, C-4: a late NOTARIZE after the own NULLIFY completes N while Z completes too; whoever leads next knows one. */
SCENARIO(D_14_both_certificates)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "3012"});
    struct candidate x;
    struct candidate nothing = sim_nullify(1);

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    sim_submit_with(sim, &(struct sim_submit){.nodes = HONEST});
    sim_rule(sim, &(struct sim_rule){.what = SIM_CERT_NOTARIZE, .view = 1, .to = SIM_NODE(0)});
    sim_rule(sim, &(struct sim_rule){.what = SIM_NOTARIZE, .view = 1, .to = SIM_NODE(0)});
    sim_rule(sim, &(struct sim_rule){.what = SIM_NULLIFY | SIM_CERT_NULLIFY,
                                     .view = 1,
                                     .to = SIM_NODE(1) | SIM_NODE(2)});
    sim_run_until_ms(sim, 950);
    x = sim_say_proposal(sim, 3, &(struct sim_proposal){.view = 1, .txs = 1},
                         SIM_NODE(1) | SIM_NODE(2));
    sim_run_until_ms(sim, 1300);
    EXPECT(sim_voted(sim, 0, VOTE_NULLIFY, 1, NULL));
    EXPECT(sim_voted(sim, 1, VOTE_NOTARIZE, 1, x.block_hash));
    sim_say_vote(sim, 3, VOTE_NOTARIZE, &x, SIM_NODE(1) | SIM_NODE(2));
    sim_say_vote(sim, 3, VOTE_NULLIFY, &nothing, SIM_NODE(0));
    sim_set_byzantine(sim, 3, SIM_SILENT);
    sim_run_for_ms(sim, 2000);
    for (uint32_t rule = 0; rule < 3; rule++) {
        sim_rule_remove(sim, rule);
    }
    sim_expect_progress(sim, HONEST, 30000);
}

/* C-4, I1: a leader that shows two NEW blocks; the one who saw the first stays with it, also after a restart. */
SCENARIO(D_15_two_new_blocks)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "3012"});
    struct candidate x;
    struct candidate y;

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    sim_submit_with(sim, &(struct sim_submit){.nodes = HONEST});
    sim_run_until_ms(sim, 100);
    x = sim_say_proposal(sim, 3, &(struct sim_proposal){.view = 1, .txs = 1}, SIM_NODE(0));
    y = sim_say_proposal(sim, 3, &(struct sim_proposal){.view = 1, .txs = 2},
                         SIM_NODE(1) | SIM_NODE(2));
    sim_run_for_ms(sim, 11);
    EXPECT(!candidate_equal(&x, &y));
    sim_say_again(sim, 3, &y, SIM_NODE(0));
    sim_run_for_ms(sim, 15);
    sim_crash(sim, 0, SIM_POWER);
    sim_restart(sim, 0);
    sim_say_again(sim, 3, &y, SIM_NODE(0));
    sim_run_for_ms(sim, 500);
    EXPECT(sim_voted(sim, 0, VOTE_NOTARIZE, 1, x.block_hash));
    EXPECT(!sim_voted(sim, 0, VOTE_NOTARIZE, 1, y.block_hash));
    sim_set_byzantine(sim, 3, SIM_SILENT);
    sim_expect_progress(sim, HONEST, 30000);
}

/* C-4: the same block under two parent views is two candidates; nobody notarizes both. */
SCENARIO(D_15_two_parents)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0312"});

    sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE | SIM_CERT_FINALIZE});
    sim_set_byzantine(sim, 3, SIM_PROPOSE_PARENTS);
    sim_submit_with(sim, &(struct sim_submit){.nodes = HONEST});
    sim_run_until_ms(sim, 4000);
    sim_rule_remove(sim, 0);
    sim_submit(sim, 1);
    sim_expect_progress(sim, HONEST, 30000);
}

/* C-4: NEW and REPEAT in one view. */
SCENARIO(D_15_new_and_repeat)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0312"});

    sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE | SIM_CERT_FINALIZE});
    sim_set_byzantine(sim, 3, SIM_PROPOSE_MIXED);
    sim_submit_with(sim, &(struct sim_submit){.nodes = HONEST});
    sim_run_until_ms(sim, 60);
    sim_submit_with(sim, &(struct sim_submit){.nodes = SIM_OTHERS});
    sim_run_until_ms(sim, 4000);
    sim_rule_remove(sim, 0);
    sim_submit(sim, 1);
    sim_expect_progress(sim, HONEST, 30000);
}

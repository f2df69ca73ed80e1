/*
 * tests/sim/scenarios/finality.c -- who learns of finality, and that nothing is said when nothing is to do.
 *
 * D-7, D-8, D-9, D-24: docs/protocol/scenarios.md.
 */
#include "tests/sim/sim.h"

/* C-8: FINALIZE votes that one node alone hears. It relays what they prove; nobody needs a further view. */
SCENARIO(D_7_hidden_finality)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});

    sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE,
                                     .to = SIM_NODE(1) | SIM_NODE(2) | SIM_NODE(3)});
    sim_submit(sim, 0);
    sim_run_until_final(sim, SIM_NODE(0), 1, 400);
    sim_run_until_final(sim, SIM_OTHERS, 1, 300);
    for (uint32_t node = 0; node < 4; node++) {
        EXPECT_U64(sim_view(sim, node), <=, 2);
    }
    sim_expect_silence(sim);
}

/* C-6, 8.6: on an idle chain a Byzantine leader shows a proposal to one node.  Silence comes within seconds. */
SCENARIO(D_8_lonely_proposal)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "3012"});
    uint64_t sent;

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    sim_run_until_ms(sim, 200);
    (void)sim_say_proposal(sim, 3, &(struct sim_proposal){.view = 1, .txs = 1}, SIM_NODE(0));
    sim_run_for_ms(sim, 10000);
    sent = sim_sent(sim, SIM_NODE(0) | SIM_NODE(1) | SIM_NODE(2), SIM_CONSENSUS);
    sim_run_for_ms(sim, 30000);
    EXPECT_U64(sim_sent(sim, SIM_NODE(0) | SIM_NODE(1) | SIM_NODE(2), SIM_CONSENSUS), ==, sent);
    EXPECT(sim_voted(sim, 0, VOTE_NOTARIZE, 1, NULL));
    sim_set_byzantine(sim, 3, SIM_SILENT);
    sim_submit(sim, 1);
    sim_expect_progress(sim, SIM_NODE(0) | SIM_NODE(1) | SIM_NODE(2), 20000);
}

/* C-6: a leader that sends its NULLIFY to some and its proposal to all: those nullify, others finalize; the next
 * view goes on from there. */
SCENARIO(D_9_leader_nullifies_too)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "3012"});
    struct candidate x;
    struct candidate nothing = sim_nullify(1);

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    sim_run_until_ms(sim, 100);
    sim_say_vote(sim, 3, VOTE_NULLIFY, &nothing, SIM_NODE(0));
    sim_submit(sim, 0);
    sim_run_for_ms(sim, 15);
    x = sim_say_proposal(sim, 3, &(struct sim_proposal){.view = 1, .txs = 1}, SIM_OTHERS);
    sim_run_for_ms(sim, 200);
    EXPECT(sim_voted(sim, 0, VOTE_NULLIFY, 1, NULL));
    EXPECT(sim_voted(sim, 0, VOTE_NOTARIZE, 1, x.block_hash)); /* legal after an own NULLIFY */
    EXPECT(!sim_voted(sim, 0, VOTE_FINALIZE, 1, NULL));
    EXPECT(sim_voted(sim, 1, VOTE_FINALIZE, 1, x.block_hash));
    sim_set_byzantine(sim, 3, SIM_SILENT);
    sim_expect_progress(sim, SIM_NODE(0) | SIM_NODE(1) | SIM_NODE(2), 20000);
}

/* C-9: the tip is final at one node and not at the others, there is no work, and STATUS is lost three times. */
SCENARIO(D_24_finality_missed_on_an_idle_chain)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});
    uint32_t votes;
    uint32_t certs;
    uint32_t status;

    votes = sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE, .to = SIM_NODE(1)});
    certs = sim_rule(sim, &(struct sim_rule){.what = SIM_CERT_FINALIZE, .to = SIM_NODE(1)});
    status = sim_rule(sim, &(struct sim_rule){.what = SIM_STATUS, .to = SIM_NODE(1), .count = 3});
    sim_submit(sim, 0);
    sim_run_until_final(sim, SIM_NODE(0) | SIM_NODE(2) | SIM_NODE(3), 1, 500);
    sim_run_for_ms(sim, 300);
    EXPECT_U64(sim_final_height(sim, 1), ==, 0);
    sim_rule_remove(sim, votes);
    sim_rule_remove(sim, certs);
    sim_run_until_final(sim, SIM_NODE(1), 1, 60000);
    EXPECT_U64(sim_rule_hits(sim, status), ==, 3); /* all three were there to lose */
    sim_expect_silence(sim);
}

/*
 * tests/sim/scenarios/hostile.c -- unjustified parents, floods, split knowledge, and slow networks.
 *
 * D-6, D-20, D-28, D-36: docs/protocol/scenarios.md.
 */
#include <string.h>

#include "base/writer.h"
#include "proto/wire.h"
#include "tests/sim/sim.h"

#define HONEST (SIM_NODE(0) | SIM_NODE(1) | SIM_NODE(2))

/* cN(1) at 0 alone, cZ(1) at 1 and 2, everybody past view 1: whoever leads must show the certificate that counts, and
 * it is asked for by kind.  8.4, C-4. */
SCENARIO(D_6_split)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "3012"});
    struct candidate nothing = sim_nullify(1);
    struct candidate x;

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    (void)sim_submit_with(sim, &(struct sim_submit){.nodes = HONEST});
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_NOTARIZE | SIM_CERT_NOTARIZE,
                                           .view = 1,
                                           .to = SIM_NODE(1) | SIM_NODE(2)});
    (void)sim_rule(sim, &(struct sim_rule){
                            .what = SIM_NULLIFY | SIM_CERT_NULLIFY, .view = 1, .to = SIM_NODE(0)});
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE | SIM_CERT_FINALIZE, .view = 1});
    sim_run_until_ms(sim, 980);
    x = sim_say_proposal(sim, 3, &(struct sim_proposal){.view = 1, .txs = 1},
                         SIM_NODE(0) | SIM_NODE(1));
    sim_run_for_ms(sim, 20);
    sim_say_vote(sim, 3, VOTE_NOTARIZE, &x, SIM_NODE(0));
    sim_run_for_ms(sim, 800);
    sim_say_vote(sim, 3, VOTE_NULLIFY, &nothing, SIM_NODE(1) | SIM_NODE(2));
    sim_run_for_ms(sim, 50);
    sim_set_byzantine(sim, 3, SIM_SILENT);
    for (uint32_t rule = 0; rule < 3; rule++) {
        sim_rule_remove(sim, rule);
    }
    sim_expect_progress(sim, HONEST, 6000);
}

/* 3 proposes on an older notarized block without cZ for the view that is final at one node only.  C-4, I4. */
SCENARIO(D_20_unjustified_parent)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0132"});
    struct candidate y;

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_FINALIZE | SIM_CERT_FINALIZE,
                                           .to = SIM_NODE(1) | SIM_NODE(2) | SIM_NODE(3)});
    (void)sim_rule(sim, &(struct sim_rule){.what = SIM_STATUS, .from = SIM_NODE(0)});
    (void)sim_submit(sim, 0);
    sim_run_until_ms(sim, 70);
    (void)sim_submit(sim, 1);
    sim_run_until_final(sim, SIM_NODE(0), 2, 3000);
    y = sim_say_proposal(
        sim, 3, &(struct sim_proposal){.view = 3, .parent_view = 1, .txs = 1, .bare = true},
        SIM_OTHERS);
    sim_run_for_ms(sim, 600);
    for (uint32_t node = 0; node < 3; node++) {
        EXPECT(!sim_voted(sim, node, VOTE_NOTARIZE, 3, y.block_hash));
    }
    sim_set_byzantine(sim, 3, SIM_SILENT);
    for (uint32_t rule = 0; rule < 2; rule++) {
        sim_rule_remove(sim, rule);
    }
    sim_expect_progress(sim, HONEST, 30000);
}

/* A delay of so many thousandths of D (500 ms) on each link: views grow until they are long enough.  8.9, V6. */
static void slow_network(uint64_t delay_ms, uint64_t limit_ms)
{
    struct sim *sim = sim_start(&(struct sim_options){.validators = 4});

    sim_set_latency_ms(sim, delay_ms);
    (void)sim_submit(sim, 0);
    sim_run_until_final(sim, SIM_OTHERS, 1, limit_ms);
    (void)sim_submit(sim, 1);
    sim_run_until_final(sim, SIM_OTHERS, 2, limit_ms);
}

SCENARIO(D_28_delay_of_0_9_D)
{
    slow_network(450, 10000);
}

SCENARIO(D_28_delay_of_1_5_D)
{
    slow_network(750, 30000);
}

SCENARIO(D_28_delay_of_4_D)
{
    slow_network(2000, 120000);
}

SCENARIO(D_28_delay_of_15_D)
{
    slow_network(7500, 600000);
}

/* 3 floods: votes for cur + 64 and far beyond, contradicting votes, several candidates in a view, unknown kinds.  Every
 * table stays within its bounds (oracle 5), the first vote of an index counts, and the chain goes on.  C-10. */
SCENARIO(D_36_flood)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});
    struct candidate candidate = {.epoch = 1};
    const uint8_t unknown[40] = {0x1f, 1, 2, 3};

    sim_set_byzantine(sim, 3, SIM_PUPPET);
    (void)sim_submit(sim, 0);
    for (uint64_t view = 1; view < 200; view++) {
        candidate.view = view;
        candidate.parent_view = view - 1;
        memset(candidate.block_hash, (int)view, HASH_BYTES);
        sim_say_vote(sim, 3, VOTE_NOTARIZE, &candidate, SIM_OTHERS);
        candidate.block_hash[0] ^= 1;
        sim_say_vote(sim, 3, VOTE_NOTARIZE, &candidate, SIM_OTHERS);
        sim_say_vote(sim, 3, VOTE_FINALIZE, &candidate, SIM_OTHERS);
        candidate = sim_nullify(view);
        sim_say_vote(sim, 3, VOTE_NULLIFY, &candidate, SIM_OTHERS);
    }
    candidate = sim_nullify(UINT64_MAX);
    sim_say_vote(sim, 3, VOTE_NULLIFY, &candidate, SIM_OTHERS);
    sim_inject(sim, 3, HONEST, bytes_of(unknown, sizeof unknown));
    for (uint32_t i = 0; i < 5; i++) {
        (void)sim_say_proposal(
            sim, 3, &(struct sim_proposal){.view = 4, .txs = i + 1, .bare = true}, SIM_OTHERS);
    }
    sim_run_for_ms(sim, 2000);
    sim_set_byzantine(sim, 3, SIM_SILENT);
    (void)sim_submit(sim, 1);
    sim_expect_progress(sim, HONEST, 30000);
}

/*
 * tests/sim/scenarios/log.c -- D-35: what is wrong with a vote log, and what its owner may still say.
 *
 * docs/protocol/scenarios.md; storage faults A3 to A6, A10, A11.
 */
#include "state/vote_log.h"
#include "tests/sim/disk_sim.h"
#include "tests/sim/sim.h"

/* A few blocks, so that node 0 has a record worth damaging, and then its power is cut. */
static struct sim *some_blocks(uint32_t segment_bytes)
{
    struct sim *sim =
        sim_start(&(struct sim_options){.leaders = "0123", .segment_bytes = segment_bytes});

    for (uint64_t height = 1; height <= 6; height++) {
        (void)sim_submit(sim, (uint32_t)height % 4);
        sim_run_until_final(sim, SIM_OTHERS, height, 3000);
    }
    (void)sim_submit(sim, 1);
    sim_run_for_ms(sim, 35); /* something above the final block */
    sim_crash(sim, 0, SIM_POWER);
    return sim;
}

/* The others go on; node 0 follows them, and has said nothing since it came back. */
static void follows_in_silence(struct sim *sim)
{
    uint64_t said;

    EXPECT(sim_up(sim, 0));
    said = sim_sent(sim, SIM_NODE(0), SIM_VOTES | SIM_PROPOSALS);
    (void)sim_submit(sim, 1);
    sim_run_until_final(sim, SIM_OTHERS, 8, 60000);
    EXPECT_U64(sim_sent(sim, SIM_NODE(0), SIM_VOTES | SIM_PROPOSALS), ==, said);
    EXPECT_U64(sim_reports(sim, 0, SX_REPORT_LOST_DATA), >=, 1);
}

/* A record that was never synced and is torn: dropped, and the node votes on. */
SCENARIO(D_35_torn_last_record)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});

    (void)sim_submit(sim, 0);
    sim_run_until_final(sim, SIM_OTHERS, 1, 3000);
    sim_crash_at_log(sim, 1, 2, SIM_HALF_WRITE);
    (void)sim_submit(sim, 0);
    sim_run_for_ms(sim, 3000);
    EXPECT(!sim_up(sim, 1));
    sim_restart(sim, 1);
    EXPECT_U64(sim_log_state(sim, 1), ==, VOTE_LOG_WHOLE);
    (void)sim_submit(sim, 1);
    sim_expect_progress(sim, SIM_OTHERS, 20000);
    EXPECT(sim_summary(sim, 1).votes);
}

/* A damaged record that valid ones follow: damage, and nothing is signed any more. */
SCENARIO(D_35_damaged_middle_record)
{
    struct sim *sim = some_blocks(0);

    disk_sim_flip(sim_log_disk(sim, 0), 0, 700, 3);
    sim_restart(sim, 0);
    EXPECT_U64(sim_log_state(sim, 0), ==, VOTE_LOG_DAMAGED);
    follows_in_silence(sim);
}

/* A sector of the middle that reads as zeros is no end of the log. */
SCENARIO(D_35_zeroed_middle_sector)
{
    struct sim *sim = some_blocks(0);

    disk_sim_zero(sim_log_disk(sim, 0), 0, 2);
    sim_restart(sim, 0);
    EXPECT_U64(sim_log_state(sim, 0), ==, VOTE_LOG_DAMAGED);
    follows_in_silence(sim);
}

/* An older copy of the log ends below the sequence that `M|final` names: a log that lost its tail. */
SCENARIO(D_35_lost_tail)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});

    (void)sim_submit(sim, 0);
    sim_run_until_final(sim, SIM_OTHERS, 1, 3000);
    sim_crash(sim, 0, SIM_POWER);
    sim_log_save(sim, 0, 0);
    sim_restart(sim, 0);
    for (uint64_t height = 2; height <= 7; height++) {
        (void)sim_submit(sim, (uint32_t)height % 4);
        sim_run_until_final(sim, SIM_OTHERS, height, 5000);
    }
    sim_crash(sim, 0, SIM_POWER);
    sim_log_restore(sim, 0, 0);
    sim_restart(sim, 0);
    follows_in_silence(sim);
}

/* The disk is full when a segment is needed, or a sync fails: the node stops, the vote is never sent. */
SCENARIO(D_35_disk_full)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123", .segment_bytes = 32768});

    sim_log_disk(sim, 0)->faults.full = true;
    for (uint64_t height = 1; height <= 60 && sim_up(sim, 0); height++) {
        (void)sim_submit(sim, 1);
        sim_run_until_final(sim, SIM_NODE(1) | SIM_NODE(2) | SIM_NODE(3), height, 10000);
    }
    EXPECT(!sim_up(sim, 0));
    EXPECT(sim_fatal(sim, 0) == ERR_NO_SPACE);
    (void)sim_submit(sim, 1);
    sim_expect_progress(sim, SIM_NODE(1) | SIM_NODE(2) | SIM_NODE(3), 20000);
}

SCENARIO(D_35_sync_fails)
{
    struct sim *sim = sim_start(&(struct sim_options){.leaders = "0123"});

    (void)sim_submit(sim, 0);
    sim_run_until_final(sim, SIM_OTHERS, 1, 3000);
    sim_log_disk(sim, 1)->faults.sync_fails = true;
    (void)sim_submit(sim, 0);
    sim_run_for_ms(sim, 3000);
    EXPECT(!sim_up(sim, 1));
    EXPECT(sim_fatal(sim, 1) == ERR_IO);
    sim_expect_progress(sim, SIM_NODE(0) | SIM_NODE(2) | SIM_NODE(3), 20000);
}

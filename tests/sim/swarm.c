/*
 * Worlds drawn from a seed (reliability 3.2): network, faults, load, limits, Byzantine nodes, anew for each.
 *
 * A run has four parts.  A calm one, until the first block is final.  Faults, for a while.  Then they stop:
 * n - f honest nodes are connected, the rest is down or Byzantine, and everything asked for must become final
 * (oracles 16, 17).  At last nobody asks for anything, and nobody may speak (20).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

enum swarm_what {
    SWARM_BURST,
    SWARM_RETRY,
    SWARM_CRASH,
    SWARM_BLACKOUT,
    SWARM_PARTITION,
    SWARM_HEAL,
    SWARM_CLOG,
    SWARM_PAUSE,
    SWARM_CLOCK,
    SWARM_RESET,
    SWARM_DISK,
    SWARM_DISK_WELL,
    SWARM_REDRAW,
    SWARM_COUNT,
};

enum partition { PARTITION_UNIFORM, PARTITION_ONE, PARTITION_RING, PARTITION_BRIDGE, PARTITIONS };

struct swarm {
    enum swarm_mode mode;
    uint64_t stop_us;              /* no faults from here on */
    uint64_t mean_us[SWARM_COUNT]; /* between two of a kind; 0: none */
    uint64_t partition_us;         /* longest */
    uint64_t down_us;              /* longest; 0: restart at once */
    uint32_t crash_point_percent;
    uint32_t burst_max;
    uint32_t invalid_percent;
    uint32_t retry_from; /* transactions before it are settled */
    uint32_t damaged;    /* nodes whose disks lie: part of f */
    uint32_t byzantine;  /* a set */
    uint32_t off;        /* down while progress is demanded */
    uint32_t core;       /* of whom it is demanded */
    bool stopped;
    bool quiet;        /* no more requests */
    uint64_t slot_us;  /* of a partition, in twins and byzz */
    uint64_t first_us; /* when the first block was final */
};

static uint64_t between(struct random *random, uint64_t least, uint64_t most)
{
    return least + random_below(random, most - least + 1);
}

static bool percent(struct random *random, uint32_t of_100)
{
    return random_below(random, 100) < of_100;
}

static struct random *faults(struct sim *sim)
{
    return sim_random(sim, STREAM_FAULTS);
}

static void swarm_push(struct sim *sim, enum swarm_what what, uint32_t node, uint64_t delay_us)
{
    sim_push(sim, &(struct event){.kind = EVENT_SWARM,
                                  .node = (uint8_t)node,
                                  .at_us = sim->now_us + delay_us,
                                  .number = what,
                                  .life = UINT32_MAX});
}

static void push_next(struct sim *sim, enum swarm_what what)
{
    const uint64_t mean_us = sim->swarm->mean_us[what];

    if (mean_us != 0) {
        swarm_push(sim, what, 0, 1 + sim_exponential(faults(sim), mean_us));
    }
}

/* ---- what is drawn ---- */

static void draw_limits(struct random *random, struct sim_options *out)
{
    if (percent(random, 50)) { /* small limits: every rare branch is near */
        out->segment_bytes = (uint32_t)between(random, 16, 128) * 512;
        out->pool_count = (uint32_t)between(random, 8, 64);
        out->block_bytes = (uint32_t)between(random, 4, 8) << 10;
        out->block_txs = (uint32_t)between(random, 1, 8);
        out->body_slots = (uint32_t)between(random, 20, 32);
        if (out->segment_bytes < out->block_bytes + 4096) {
            out->segment_bytes = (out->block_bytes + 4096) / 512 * 512;
        }
    }
}

static void draw_timing(struct random *random, struct sim_options *out, struct net_options *net)
{
    const uint64_t least_us = between(random, 0, 30000);
    const uint64_t mean_us = between(random, 1000, 100000);
    uint64_t delta_us = (least_us + mean_us) * between(random, 3, 15);

    net->least_us = least_us;
    net->mean_us = mean_us;
    net->dial_us = between(random, 100, 3000) * US_PER_MS;
    if (delta_us < 100 * US_PER_MS) {
        delta_us = 100 * US_PER_MS;
    }
    out->delta_ms = delta_us / US_PER_MS;
    out->min_interval_ms = between(random, 1, out->delta_ms / 2);
    out->precision_ms = between(random, out->delta_ms / 2, out->delta_ms);
    out->late_bound_ms = 5000 + 3 * out->delta_ms;
    out->sync_us =
        percent(random, 5) ? between(random, 20, 2000) * US_PER_MS : between(random, 100, 20000);
    if (out->sync_us > delta_us / 2) {
        out->sync_us = delta_us / 2;
    }
}

static void draw_faults(struct sim *sim, uint64_t length_us)
{
    struct swarm *swarm = sim->swarm;
    struct random *random = faults(sim);

    if (percent(random, 70)) {
        sim->net.loss_ppm = (uint32_t)between(random, 0, percent(random, 30) ? 300000 : 20000);
        sim->net.duplicate_ppm = (uint32_t)between(random, 0, percent(random, 30) ? 300000 : 20000);
        sim->net.replay_ppm = percent(random, 30) ? (uint32_t)between(random, 0, 500000) : 0;
        sim->net.slow_ppm = percent(random, 5) ? (uint32_t)between(random, 1000, 50000) : 0;
    }
    if (percent(random, 60)) {
        swarm->mean_us[SWARM_CRASH] = length_us / between(random, 1, 30);
        swarm->down_us = percent(random, 50) ? 0 : between(random, 100, 60000) * US_PER_MS;
        swarm->crash_point_percent = (uint32_t)between(random, 0, 60);
    }
    if (percent(random, 10)) {
        swarm->mean_us[SWARM_BLACKOUT] = length_us / between(random, 1, 4);
    }
    if (percent(random, 40)) {
        swarm->mean_us[SWARM_PARTITION] = length_us / between(random, 1, 10);
        swarm->partition_us = between(random, 50, 60000) * US_PER_MS;
    }
    if (percent(random, 30)) {
        swarm->mean_us[SWARM_CLOG] = length_us / between(random, 1, 40);
    }
    if (percent(random, 25)) {
        swarm->mean_us[SWARM_PAUSE] = length_us / between(random, 1, 10);
    }
    if (percent(random, 20)) {
        swarm->mean_us[SWARM_CLOCK] = length_us / between(random, 1, 5);
    }
    if (percent(random, 20)) {
        swarm->mean_us[SWARM_RESET] = length_us / between(random, 1, 30);
    }
    if (percent(random, 10)) {
        swarm->mean_us[SWARM_DISK] = length_us / 3;
    }
}

static enum sim_role draw_role(struct random *random)
{
    static const enum sim_role roles[] = {SIM_SILENT,        SIM_WITHHOLD,        SIM_PROPOSE_TWICE,
                                          SIM_PROPOSE_MIXED, SIM_PROPOSE_PARENTS, SIM_VOTE_TWICE,
                                          SIM_LATE,          SIM_REPLAYER,        SIM_MUTATOR,
                                          SIM_MUTATOR,       SIM_MUTATOR,         SIM_INVALID};

    return roles[random_below(random, sizeof roles / sizeof roles[0])];
}

/* Who is Byzantine, whose disk lies, whose clock is wrong: f together. */
static void draw_faulty(struct sim *sim)
{
    struct swarm *swarm = sim->swarm;
    struct random *random = sim_random(sim, STREAM_BYZANTINE);
    uint32_t left = sim->f;

    if (sim->options.twins != 0) {
        return;
    }
    if (left != 0 && percent(random, swarm->mode == SWARM_BYZZ ? 100 : 60)) {
        const uint64_t count = between(random, 1, left);

        for (uint64_t i = 0; i < count; i++) {
            const uint32_t node = (uint32_t)random_below(random, sim->n);

            if ((swarm->byzantine >> node & 1) == 0) {
                swarm->byzantine |= SIM_NODE(node);
                left -= 1;
            }
        }
    }
    if (left != 0 && swarm->mode == SWARM_UNIFORM && percent(random, 15)) {
        const uint32_t node = (uint32_t)random_below(random, sim->n);

        if ((swarm->byzantine >> node & 1) == 0) {
            swarm->damaged = SIM_NODE(node);
        }
    }
}

static void faults_begin(struct sim *sim)
{
    struct swarm *swarm = sim->swarm;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        if ((swarm->byzantine >> i & 1) != 0) {
            sim_set_byzantine(sim, i, draw_role(sim_random(sim, STREAM_BYZANTINE)));
        }
        if ((swarm->damaged >> i & 1) != 0) {
            sim->nodes[i].damaged = true;
            sim->nodes[i].disk.faults.lost_write_ppm =
                percent(faults(sim), 50) ? (uint32_t)between(faults(sim), 1, 10000) : 0;
        }
    }
    for (uint32_t i = 0; i < SWARM_COUNT; i++) {
        if (i != SWARM_BURST) {
            push_next(sim, (enum swarm_what)i);
        }
    }
}

/* ---- clients ---- */

static void submit_somewhere(struct sim *sim, const struct client_tx *of)
{
    const struct client_tx tx = *of;
    uint8_t bytes[APP_TX_BYTES_MAX];
    struct random *random = sim_random(sim, STREAM_WORKLOAD);
    const uint32_t first = (uint32_t)random_below(random, sim->node_count);

    sim_tx_bytes(&tx, bytes);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct node *node = &sim->nodes[(first + i) % sim->node_count];

        if (node->up && node->busy_until_us <= sim->now_us) {
            if (machine_submit(node, bytes_of(bytes, tx.bytes)) == APP_REFUSED_NOW) {
                sim_mark_set(sim, MARK_POOL_FULL);
            }
            return;
        }
    }
}

static void client_burst(struct sim *sim)
{
    struct swarm *swarm = sim->swarm;
    struct random *random = sim_random(sim, STREAM_WORKLOAD);
    const uint64_t count = between(random, 1, swarm->burst_max);

    for (uint64_t i = 0; i < count && !sim->failed; i++) {
        struct sim_submit submit = {.bytes = (uint32_t)between(random, 60, 300)};
        struct sim_tx name;

        if (percent(random, swarm->invalid_percent)) {
            submit.validity = percent(random, 50) ? SIM_TX_INVALID : SIM_TX_REFUSED;
        } else if (percent(random, 5)) {
            submit.expiry_ms = (sim->wall_base_us + sim->now_us) / US_PER_MS +
                               between(random, 1, 10 * sim->params.delta_ms);
        }
        name = sim_tx_make(sim, (uint32_t)random_below(random, 8), &submit);
        submit_somewhere(sim, &sim->txs[name.number - 1]);
        if (percent(random, 10)) {
            submit_somewhere(sim, &sim->txs[name.number - 1]);
        }
    }
}

/* Clients ask again, elsewhere, for what is not final after a while. */
static void client_retry(struct sim *sim)
{
    struct swarm *swarm = sim->swarm;

    while (swarm->retry_from < sim->tx_count &&
           (!sim->txs[swarm->retry_from].wanted || sim->txs[swarm->retry_from].final)) {
        swarm->retry_from += 1;
    }
    for (uint32_t i = swarm->retry_from; i < sim->tx_count && !sim->failed; i++) {
        struct client_tx *tx = &sim->txs[i];

        if (tx->wanted && !tx->final && tx->asked_us + 4 * US_PER_S <= sim->now_us) {
            tx->asked_us = sim->now_us;
            submit_somewhere(sim, tx);
        }
    }
    if (!swarm->quiet) {
        swarm_push(sim, SWARM_RETRY, 0, 5 * US_PER_S);
    }
}

void swarm_final(struct sim *sim, struct client_tx *tx)
{
    (void)tx;
    if (sim->swarm != NULL && sim->swarm->first_us == 0) {
        sim->swarm->first_us = sim->now_us;
    }
}

/* ---- faults ---- */

static void crash_one(struct sim *sim, struct node *node)
{
    struct random *random = faults(sim);
    const struct swarm *swarm = sim->swarm;

    if (!node->up) {
        return;
    }
    if (percent(random, swarm->crash_point_percent)) {
        const uint32_t k = (uint32_t)between(random, 1, 6);

        if (percent(random, 70)) {
            disk_sim_crash_at(&node->disk, k, (enum disk_moment)random_below(random, 5));
        } else {
            kv_sim_crash_at(&node->blocks, (k + 1) / 2, percent(random, 50));
        }
        return;
    }
    machine_crash(node, percent(random, 60) ? SIM_POWER : SIM_KILL);
}

/* A node went down: it comes back at once, or after a while. */
void swarm_down(struct node *node)
{
    struct sim *sim = node->sim;
    const struct swarm *swarm = sim->swarm;
    struct random *random = faults(sim);
    const uint64_t delay_us =
        swarm->down_us == 0 ? between(random, 1, 30000) : between(random, 1, swarm->down_us);

    if ((swarm->off >> node->number & 1) != 0) {
        return;
    }
    if (node->damaged && node->disk.count != 0 && percent(random, 50)) {
        const uint32_t at = (uint32_t)random_below(random, node->disk.count);
        const struct disk_segment *segment = &node->disk.segments[at];

        if (segment->touched > 128) {
            const size_t offset = random_below(random, segment->touched);

            disk_sim_flip(&node->disk, at, offset, (uint32_t)random_below(random, 8));
        }
    }
    sim_push(sim, &(struct event){.kind = EVENT_RESTART,
                                  .node = (uint8_t)node->number,
                                  .at_us = sim->now_us + delay_us,
                                  .life = node->life});
}

void swarm_not_started(struct node *node)
{
    struct sim *sim = node->sim;

    if (node->dying || node->fatal == ERR_OK) {
        return; /* it crashed again while it started */
    }
    if (!node->disk.faults.full && !node->disk.faults.sync_fails && !node->damaged) {
        sim_fail(sim, 6, "node %u does not start again: %s", node->number, err_name(node->fatal));
        return;
    }
    node->disk.faults.full = false;
    node->disk.faults.sync_fails = false;
    swarm_down(node);
}

static void partition_begin(struct sim *sim)
{
    struct random *random = faults(sim);
    const bool one_way = percent(random, 30);
    const uint32_t count = sim->node_count;
    const uint32_t one = (uint32_t)random_below(random, count);
    uint32_t group;

    sim_mark_set(sim, one_way ? MARK_ONE_WAY : MARK_PARTITION);
    switch ((enum partition)random_below(random, PARTITIONS)) {
    case PARTITION_UNIFORM:
        group = (uint32_t)random_next(random) & ((UINT32_C(1) << count) - 1);
        break;
    case PARTITION_RING: /* each hears its neighbours alone */
        for (uint32_t i = 0; i < count; i++) {
            sim_cut(sim, SIM_NODE(i),
                    ~(SIM_NODE(i) | SIM_NODE((i + 1) % count) | SIM_NODE((i + count - 1) % count)));
        }
        return;
    case PARTITION_BRIDGE: /* two halves, and one that hears both */
        group = ((UINT32_C(1) << count / 2) - 1) & ~SIM_NODE(one);
        sim_cut(sim, group, ~(group | SIM_NODE(one)));
        if (!one_way) {
            sim_cut(sim, ~(group | SIM_NODE(one)), group);
        }
        return;
    case PARTITION_ONE:
    case PARTITIONS:
        group = SIM_NODE(one);
        break;
    }
    sim_cut(sim, group, ~group);
    if (!one_way) {
        sim_cut(sim, ~group, group);
    }
}

/* Twins and byzz: another partition in every slot, of one to three groups. */
static void redraw(struct sim *sim)
{
    struct random *random = faults(sim);
    uint32_t groups[3] = {0};
    const uint64_t count = between(random, 1, 3);

    sim_heal(sim);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        groups[random_below(random, count)] |= SIM_NODE(i);
    }
    for (uint32_t i = 0; i < 3; i++) {
        sim_cut(sim, groups[i], ~groups[i]);
    }
    sim_mark_set(sim, MARK_PARTITION);
}

static void clog_link(struct sim *sim)
{
    struct random *random = faults(sim);
    const uint32_t from = (uint32_t)random_below(random, sim->node_count);
    const bool all = percent(random, 30);

    sim_mark_set(sim, MARK_CLOG);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (all || percent(random, 30)) {
            sim->links[from][i].clog_us =
                sim->now_us + 1 + sim_exponential(random, 2500 * US_PER_MS);
        }
    }
}

static void clock_fault(struct sim *sim)
{
    struct random *random = faults(sim);
    const uint32_t node = (uint32_t)random_below(random, sim->n);
    const int64_t most_ms = 3600000;

    /* Wrong clocks are faults that count: only where f has room. */
    if (sim->f == 0 || sim->swarm->byzantine != 0 || sim->options.twins != 0) {
        return;
    }
    for (uint32_t i = 0; i < sim->n; i++) {
        sim->nodes[i].wall_offset_us = sim->nodes[i].clock_us;
    }
    sim->nodes[node].wall_offset_us =
        (int64_t)random_below(random, 2 * (uint64_t)most_ms) * US_PER_MS - most_ms * US_PER_MS;
    sim_mark_set(sim, MARK_CLOCK_JUMP);
}

static void disk_fault(struct sim *sim)
{
    struct random *random = faults(sim);
    const uint32_t node = (uint32_t)random_below(random, sim->n);

    if (percent(random, 50)) {
        sim->nodes[node].disk.faults.sync_fails = true;
    } else {
        sim->nodes[node].disk.faults.full = true;
        sim->nodes[node].disk_failed = true;
    }
    swarm_push(sim, SWARM_DISK_WELL, node, between(random, 1, 30000) * US_PER_MS);
}

static void blackout(struct sim *sim)
{
    sim_mark_set(sim, MARK_BLACKOUT);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        machine_crash(&sim->nodes[i], SIM_POWER);
    }
}

static void fault_event(struct sim *sim, enum swarm_what what)
{
    struct random *random = faults(sim);
    struct swarm *swarm = sim->swarm;
    const uint32_t node = (uint32_t)random_below(random, sim->node_count);

    switch (what) {
    case SWARM_CRASH:
        crash_one(sim, &sim->nodes[node]);
        break;
    case SWARM_BLACKOUT:
        blackout(sim);
        break;
    case SWARM_PARTITION:
        sim_heal(sim);
        partition_begin(sim);
        swarm_push(sim, SWARM_HEAL, 0, 1 + sim_exponential(random, swarm->partition_us / 3 + 1));
        break;
    case SWARM_CLOG:
        clog_link(sim);
        break;
    case SWARM_PAUSE:
        sim_pause(sim, node, 1 + sim_exponential(random, 3000));
        sim_mark_set(sim, MARK_PAUSE);
        break;
    case SWARM_CLOCK:
        clock_fault(sim);
        break;
    case SWARM_RESET:
        sim_close_session(sim, node, (node + 1) % sim->node_count);
        break;
    case SWARM_DISK:
        disk_fault(sim);
        break;
    case SWARM_REDRAW:
        redraw(sim);
        swarm_push(sim, SWARM_REDRAW, 0, swarm->slot_us);
        return;
    case SWARM_BURST:
    case SWARM_RETRY:
    case SWARM_HEAL:
    case SWARM_DISK_WELL:
    case SWARM_COUNT:
        break;
    }
    push_next(sim, what);
}

void swarm_event(struct sim *sim, const struct event *event)
{
    struct swarm *swarm = sim->swarm;
    const enum swarm_what what = (enum swarm_what)event->number;

    if (what == SWARM_RETRY) {
        client_retry(sim);
    } else if (what == SWARM_BURST) {
        if (!swarm->stopped) {
            client_burst(sim);
            push_next(sim, SWARM_BURST);
        }
    } else if (what == SWARM_HEAL) {
        sim_heal(sim);
    } else if (what == SWARM_DISK_WELL) {
        sim->nodes[event->node].disk.faults.sync_fails = false;
        sim->nodes[event->node].disk.faults.full = false;
    } else if (!swarm->stopped) {
        fault_event(sim, what);
    }
}

/* ---- the end of faults ---- */

static void faults_end(struct sim *sim)
{
    struct swarm *swarm = sim->swarm;
    struct random *random = faults(sim);
    uint32_t spare = sim->f - (uint32_t)__builtin_popcount(swarm->byzantine | swarm->damaged) -
                     sim->options.twins;

    swarm->stopped = true;
    sim_heal(sim);
    sim->net.loss_ppm = 0;
    sim->net.duplicate_ppm /= 10;
    sim->net.replay_ppm /= 10;
    sim->net.slow_ppm = 0;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct node *node = &sim->nodes[i];

        node->wall_offset_us = node->clock_us;
        node->disk.faults.full = false;
        node->disk.faults.sync_fails = false;
        node->disk.faults.lost_write_ppm = 0;
        node->disk.crash_in = 0;
        node->blocks.crash_in = 0;
        node->state.crash_in = 0;
        for (uint32_t k = 0; k < sim->node_count; k++) {
            sim->links[i][k].clog_us = 0;
        }
        if (i < sim->n && ((swarm->byzantine | swarm->damaged) >> i & 1) == 0 && !node->twin &&
            spare != 0 && percent(random, 40)) {
            swarm->off |= SIM_NODE(i);
            spare -= 1;
        }
    }
    for (uint32_t i = 0; i < sim->node_count && !sim->failed; i++) {
        struct node *node = &sim->nodes[i];

        if ((swarm->off >> i & 1) != 0) {
            machine_crash(node, SIM_POWER);
            node->life += 1; /* a restart that was planned before does not happen */
        } else {
            if (node->up &&
                node->disk_failed) { /* it takes no more records: its operator restarts it */
                machine_crash(node, SIM_KILL);
            }
            if (!node->up && !machine_start(node)) {
                swarm_not_started(node);
            }
            if (node_honest(node) && !node->damaged) {
                swarm->core |= SIM_NODE(i);
            }
        }
    }
}

static bool core_agrees(const struct sim *sim)
{
    const struct swarm *swarm = sim->swarm;
    uint64_t height = UINT64_MAX;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        if ((swarm->core >> i & 1) == 0) {
            continue;
        }
        if (!sim->nodes[i].up || (height != UINT64_MAX && sim->nodes[i].told_height != height)) {
            return false;
        }
        height = sim->nodes[i].told_height;
    }
    return height >= sim->chain_height;
}

static bool all_final(const struct sim *sim)
{
    for (uint32_t i = sim->swarm->retry_from; i < sim->tx_count; i++) {
        if (sim->txs[i].wanted && !sim->txs[i].final) {
            return false;
        }
    }
    return true;
}

static bool core_idle(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if ((sim->swarm->core >> i & 1) != 0 && i < sim->n && sim->nodes[i].summary.work) {
            return false;
        }
    }
    return true;
}

static uint64_t core_view(const struct sim *sim)
{
    uint64_t view = 0;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        if ((sim->swarm->core >> i & 1) != 0 && sim->nodes[i].summary.cur > view) {
            view = sim->nodes[i].summary.cur;
        }
    }
    return view;
}

static void who_waits(const struct sim *sim, char *out, size_t size)
{
    size_t used = 0;
    uint32_t waiting = 0;

    for (uint32_t i = 0; i < sim->tx_count; i++) {
        waiting += sim->txs[i].wanted && !sim->txs[i].final;
    }
    used += (size_t)snprintf(out, size, "%u requests wait;", waiting);
    for (uint32_t i = 0; i < sim->node_count && used < size; i++) {
        const struct node *node = &sim->nodes[i];

        used += (size_t)snprintf(
            out + used, size - used, " %u%s h%" PRIu64 " f%" PRIu64 " v%" PRIu64 "%s%s", i,
            !node->up                  ? "(down)"
            : node->role != SIM_HONEST ? "(byz)"
            : node->twin               ? "(twin)"
            : node->damaged            ? "(disk)"
                                       : "",
            node->summary.final_height, node->summary.final_view, node->summary.cur,
            node->summary.work ? "w" : "", node->summary.votes ? "" : "!");
    }
}

/* 16 and 17: a commit within so many views, then everything that clients wait for. */
static void demand_progress(struct sim *sim)
{
    const uint64_t views = 3 * ((uint64_t)sim->f + 1) + 3 + 12;
    const uint64_t view = core_view(sim);
    const uint64_t height = sim->chain_height;
    const uint64_t limit_us =
        sim->now_us + 120 * US_PER_S + views * 40 * sim->params.delta_ms * US_PER_MS * 3 / 2;
    bool committed = all_final(sim);
    char who[400];

    while (!sim->failed && !(all_final(sim) && core_agrees(sim))) {
        if (!sim_step(sim)) {
            return;
        }
        committed = committed || sim->chain_height > height;
        if (!committed && core_view(sim) > view + views) {
            who_waits(sim, who, sizeof who);
            sim_fail(sim, 16, "no commit within %" PRIu64 " views: %s", views, who);
        }
        if (sim->now_us > limit_us) {
            who_waits(sim, who, sizeof who);
            sim_fail(sim, committed ? 17 : 16, "no progress within %" PRIu64 " s: %s",
                     limit_us / US_PER_S, who);
        }
    }
}

/* 20: nothing is wanted, Byzantine nodes are silent; soon nobody has work, and then nobody speaks. */
static void demand_silence(struct sim *sim)
{
    struct swarm *swarm = sim->swarm;
    const uint64_t limit_us =
        sim->now_us + 120 * US_PER_S + 40 * sim->params.delta_ms * US_PER_MS * (sim->f + 4);
    uint64_t idle_us = sim->now_us; /* since when nobody has work */
    char who[400];

    swarm->quiet = true;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].twin || sim->nodes[i].role != SIM_HONEST) {
            sim->nodes[i].role = SIM_SILENT;
        }
    }
    while (!sim->failed && sim->now_us < idle_us + 10 * US_PER_S) {
        if (!sim_step(sim)) {
            return;
        }
        if (!core_idle(sim) || !core_agrees(sim)) {
            idle_us = sim->now_us;
        }
        if (sim->now_us > limit_us) {
            who_waits(sim, who, sizeof who);
            sim_fail(sim, 16, "work does not end: %s", who);
        }
    }
    sim->silent_from_us = sim->now_us;
    sim_run_until_us(sim, sim->now_us + 40 * US_PER_S);
    sim->silent_from_us = SIM_NEVER;
    if (!sim->failed) {
        sim_mark_set(sim, MARK_SILENCE);
    }
}

static void marks_end(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->facts.view_size; i++) {
        const struct view_facts *view = sim->facts.views[i];

        for (const struct fact *fact = view == NULL ? NULL : view->facts; fact != NULL;
             fact = fact->next) {
            const struct known_block *block = facts_block(sim, fact->block);

            if (facts_is_quorum(sim, fact->signed_by[VOTE_NOTARIZE]) && block != NULL &&
                block->header.height <= sim->chain_height &&
                memcmp(sim->chain[block->header.height], fact->block, HASH_BYTES) != 0) {
                sim_mark_set(sim, MARK_ABANDONED);
            }
        }
    }
    for (uint32_t i = 0; i < sim->node_count; i++) {
        const struct node *node = &sim->nodes[i];

        sim->marks[MARK_SEGMENT_FREED] += node->disk.removes;
        sim->marks[MARK_SEGMENT_NEXT] += node->disk.creates > 1 ? node->disk.creates - 1 : 0;
        if (node->up) {
            driver_check(node->driver);
        }
    }
}

/* ---- a run ---- */

static enum swarm_mode draw_mode(struct random *random)
{
    const uint64_t draw = random_below(random, 100);

    return draw < 50   ? SWARM_UNIFORM
           : draw < 65 ? SWARM_TWINS
           : draw < 80 ? SWARM_BYZZ
                       : SWARM_LITE;
}

static uint32_t draw_validators(struct random *random, enum swarm_mode mode)
{
    static const uint32_t of_uniform[] = {1, 4, 4, 4, 5, 7, 10};
    static const uint32_t of_small[] = {4, 4, 4, 5, 7};

    if (mode == SWARM_LITE) {
        return percent(random, 10) ? 1 : 4;
    }
    if (mode == SWARM_UNIFORM) {
        return of_uniform[random_below(random, sizeof of_uniform / sizeof of_uniform[0])];
    }
    return of_small[random_below(random, sizeof of_small / sizeof of_small[0])];
}

static struct sim *world_draw(uint64_t seed, enum swarm_mode mode, uint64_t *length_us)
{
    struct random random = {.state = seed ^ UINT64_C(0x5eed5eed5eed5eed)};
    struct net_options net = {0};
    struct sim_options options = {.seed = seed == 0 ? UINT64_MAX : seed};
    struct sim *sim;

    if (mode == SWARM_MIXED) {
        mode = draw_mode(&random);
    }
    options.validators = draw_validators(&random, mode);
    if (mode == SWARM_TWINS) {
        options.twins = (uint32_t)between(&random, 1, (options.validators - 1) / 3);
    }
    if (mode == SWARM_UNIFORM && percent(&random, 30)) {
        options.full_nodes = (uint32_t)between(&random, 1, 2);
    }
    draw_timing(&random, &options, &net);
    draw_limits(&random, &options);
    sim = sim_open(&options);
    sim->net = net;
    sim->swarm = calloc(1, sizeof *sim->swarm);
    INVARIANT(sim->swarm != NULL);
    sim->swarm->mode = mode;
    sim->swarm->slot_us = (net.least_us + net.mean_us) * between(&random, 2, 12);
    *length_us = mode == SWARM_UNIFORM ? between(&random, 60, 600) * US_PER_S
                 : mode == SWARM_LITE  ? between(&random, 20, 90) * US_PER_S
                                       : sim->swarm->slot_us * between(&random, 6, 30);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct random *clock = sim_random(sim, STREAM_CLOCK);

        sim->nodes[i].drift_ppm = (int64_t)random_below(clock, 1001) - 500;
        sim->nodes[i].clock_us =
            (int64_t)random_below(clock, options.precision_ms * US_PER_MS + 1) -
            (int64_t)(options.precision_ms * US_PER_MS / 2);
        sim->nodes[i].wall_offset_us = sim->nodes[i].clock_us;
    }
    return sim;
}

/* Nothing is broken yet: one block must become final. */
static void calm_begin(struct sim *sim)
{
    struct swarm *swarm = sim->swarm;
    const uint64_t limit_us = 60 * US_PER_S + 100 * sim->params.delta_ms * US_PER_MS;

    swarm_push(sim, SWARM_RETRY, 0, 5 * US_PER_S);
    sim_run_until_us(sim, 200 * US_PER_MS);
    client_burst(sim);
    while (!sim->failed && swarm->first_us == 0) {
        if (sim->now_us > limit_us) {
            sim_fail(sim, 16, "no block in a calm world within %" PRIu64 " s", limit_us / US_PER_S);
        }
        if (all_final(sim)) {
            client_burst(sim); /* the burst held nothing that may become final */
        }
        if (!sim_step(sim)) {
            return;
        }
    }
}

struct sim *swarm_run(uint64_t seed, enum swarm_mode mode)
{
    uint64_t length_us;
    struct sim *sim = world_draw(seed, mode, &length_us);
    struct swarm *swarm = sim->swarm;
    struct random *workload = sim_random(sim, STREAM_WORKLOAD);
    const bool slots = swarm->mode == SWARM_TWINS || swarm->mode == SWARM_BYZZ;

    swarm->burst_max = (uint32_t)between(workload, 1, percent(workload, 20) ? 60 : 10);
    swarm->invalid_percent = percent(workload, 50) ? 20 : 0;
    swarm->mean_us[SWARM_BURST] =
        slots ? swarm->slot_us * between(workload, 1, 4) : between(workload, 2, 40) * US_PER_S;
    draw_faulty(sim);
    sim_start_nodes(sim);
    calm_begin(sim);
    if (!slots) {
        draw_faults(sim, length_us);
    }
    faults_begin(sim);
    push_next(sim, SWARM_BURST);
    if (slots) {
        swarm_push(sim, SWARM_REDRAW, 0, 1);
        if (swarm->mode == SWARM_BYZZ && percent(faults(sim), 30)) {
            swarm->mean_us[SWARM_CRASH] = length_us / 4;
            push_next(sim, SWARM_CRASH);
        }
    }
    sim_run_until_us(sim, sim->now_us + length_us);
    if (!sim->failed) {
        faults_end(sim);
        client_burst(sim);
        demand_progress(sim);
    }
    if (!sim->failed) {
        demand_silence(sim);
    }
    marks_end(sim);
    return sim;
}

void swarm_close(struct sim *sim)
{
    free(sim->swarm);
    sim->swarm = NULL;
}

const char *swarm_describe(const struct sim *sim, char *out, size_t size)
{
    static const char *const modes[] = {"mixed", "uniform", "twins", "byzz", "lite"};
    const struct swarm *swarm = sim->swarm;

    (void)snprintf(out, size,
                   "%s n=%u twins=%u byzantine=%x damaged=%x delta=%" PRIu64 "ms delay=%" PRIu64
                   "+%" PRIu64 "us sync=%" PRIu64 "us segment=%u loss=%u crash=%" PRIu64 "us",
                   modes[swarm->mode], sim->n, sim->options.twins, swarm->byzantine, swarm->damaged,
                   sim->params.delta_ms, sim->net.least_us, sim->net.mean_us, sim->options.sync_us,
                   sim->options.segment_bytes, sim->net.loss_ppm, swarm->mean_us[SWARM_CRASH]);
    return out;
}

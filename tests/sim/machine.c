/* A node of the world: its disk and stores, a driver over simulated ports, its lives. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "consensus/verify.h"
#include "crypto/ed25519.h"
#include "state/vote_log.h"
#include "tests/sim/world.h"

bool node_honest(const struct node *node)
{
    return node->role == SIM_HONEST && !node->twin &&
           !(node->damaged && node->found.state != VOTE_LOG_DAMAGED);
}

/* ---- clocks ---- */

static uint64_t drifted(uint64_t us, int64_t ppm)
{
    return (uint64_t)((int64_t)us + (int64_t)us / 1000000 * ppm +
                      (int64_t)us % 1000000 * ppm / 1000000);
}

uint64_t machine_now_us(const struct node *node)
{
    return node->mono_base_us + drifted(node->sim->now_us - node->boot_us, node->drift_ppm);
}

uint64_t machine_wall_us(const struct node *node)
{
    return (uint64_t)((int64_t)(node->sim->wall_base_us + node->sim->now_us) +
                      node->wall_offset_us);
}

static uint64_t port_now_ms(void *self)
{
    return machine_now_us(self) / US_PER_MS;
}

static uint64_t port_wall_ms(void *self)
{
    return machine_wall_us(self) / US_PER_MS;
}

static void timer_push(struct node *node)
{
    struct sim *sim = node->sim;
    const uint64_t now_us = machine_now_us(node);
    uint64_t at_us = sim->now_us;

    if (node->deadline_ms == UINT64_MAX || node->deadline_ms > UINT64_MAX / (2 * US_PER_S)) {
        return;
    }
    if (node->deadline_ms * US_PER_MS > now_us) {
        /* The clock's own microseconds are the world's but for the drift. */
        at_us += drifted(node->deadline_ms * US_PER_MS - now_us, -node->drift_ppm) + 1;
    }
    if (at_us < node->timer_us) {
        node->timer_us = at_us;
        sim_push(sim, &(struct event){.kind = EVENT_TICK,
                                      .node = (uint8_t)node->number,
                                      .at_us = at_us,
                                      .life = node->life});
    }
}

static void port_arm(void *self, uint64_t deadline_ms)
{
    struct node *node = self;

    node->deadline_ms = deadline_ms;
    timer_push(node);
}

/* ---- network, signer, verification ---- */

static void port_send(void *self, uint32_t to, uint8_t channel, struct bytes head,
                      struct bytes body)
{
    struct node *node = self;
    struct packet *packet;

    (void)channel;
    if (!node->up || node->dying) {
        return;
    }
    packet = packet_make(node->sim, head, body);
    if ((packet->words.what & SIM_PROPOSALS) != 0) {
        facts_proposed(node->sim, node->number, packet);
    }
    if (node->role != SIM_HONEST) {
        byzantine_send(node, to, packet);
    } else {
        if (node_honest(node)) {
            if (node->opening) {
                oracles_rescan(node); /* the log was synced by its open */
            }
            oracles_sent(node, to, packet);
        }
        net_send(node, to, packet);
    }
    packet_drop(packet);
}

static bool port_sign(void *self, struct bytes statement, uint8_t signature[SIGNATURE_BYTES])
{
    struct node *node = self;

    INVARIANT(statement.count == STATEMENT_BYTES);
    if (node->dying) {
        return false;
    }
    if (node_honest(node)) {
        oracles_signed(node, statement);
    }
    facts_signed(node->sim, node->number, statement);
    ed25519_sign(node->secret, statement, signature);
    return true;
}

static void port_verify(void *self, uint64_t ticket, struct bytes message, uint32_t known)
{
    struct node *node = self;

    INVARIANT(node->job_count < SIM_VERIFY_MAX);
    node->jobs[(node->job_first + node->job_count) % SIM_VERIFY_MAX] =
        (struct verify_job){.ticket = ticket, .message = message, .known = known};
    node->job_count += 1;
}

/* ---- disk and stores ---- */

static uint64_t sync_latency_us(struct node *node)
{
    const uint64_t mean = node->sim->options.sync_us;

    return mean / 4 + sim_exponential(sim_random(node->sim, STREAM_DISK), mean - mean / 4);
}

static void port_sync(void *self, const struct vote_log_sync *sync)
{
    struct node *node = self;
    struct sim *sim = node->sim;

    if (node->dying) {
        return;
    }
    INVARIANT(!node->syncing);
    node->sync = *sync;
    node->syncing = true;
    disk_sim_sync_begin(&node->disk, node->sync.segments, node->sync.segment_count);
    sim_push(sim, &(struct event){.kind = EVENT_SYNC,
                                  .node = (uint8_t)node->number,
                                  .at_us = sim->now_us + sync_latency_us(node),
                                  .life = node->life});
}

static void port_write(void *self, struct kv *kv, const struct kv_batch *batch, bool sync,
                       uint64_t ticket)
{
    struct node *node = self;
    struct sim *sim = node->sim;

    if (node->dying) {
        return;
    }
    INVARIANT(node->write_count < SIM_PENDING_WRITES_MAX);
    node->writes[(node->write_first + node->write_count) % SIM_PENDING_WRITES_MAX] =
        (struct pending_write){.kv = kv, .batch = batch, .sync = sync, .ticket = ticket};
    node->write_count += 1;
    if (node->write_due_us < sim->now_us) {
        node->write_due_us = sim->now_us;
    }
    node->write_due_us += sync ? sync_latency_us(node) : 5;
    sim_push(sim, &(struct event){.kind = EVENT_WRITE,
                                  .node = (uint8_t)node->number,
                                  .at_us = node->write_due_us,
                                  .life = node->life});
}

/* Power is gone in the midst of a call: nothing that the call still does happens. */
static void machine_dies(void *context)
{
    struct node *node = context;

    node->dying = true;
    node->dying_how = SIM_POWER;
    node->disk.dead = true;
    node->blocks.dead = true;
    node->state.dead = true;
}

/* ---- what the driver tells ---- */

static void port_final(void *self, const struct block_header *header, const uint8_t *hash,
                       struct bytes body, struct bytes receipts,
                       const struct certificate *certificate)
{
    struct node *node = self;

    (void)receipts;
    if (node->dying) {
        return;
    }
    if (!node_honest(node)) {
        node->told_height = header->height;
        memcpy(node->told_hash, hash, HASH_BYTES);
        return;
    }
    oracles_final(node, header, hash, body, certificate);
}

static void port_report(void *self, enum sx_report what, uint64_t view)
{
    struct node *node = self;

    node->reports[what] += 1;
    if (trace_wanted(node->sim)) {
        trace_line(node->sim, false, node->number, "report %d view %" PRIu64, (int)what, view);
    }
    if (node_honest(node)) {
        oracles_report(node, what);
    }
}

static void port_evidence(void *self, const struct vote *first, const struct vote *second)
{
    struct node *node = self;

    if (node_honest(node) && !node->dying) {
        oracles_evidence(node, first, second);
    }
}

static void port_fault(void *self, uint32_t peer, enum verify_fault fault)
{
    struct node *node = self;

    node->faults_charged += 1;
    if (trace_wanted(node->sim)) {
        trace_line(node->sim, false, node->number, "fault %d of peer %u", (int)fault, peer);
    }
    if (node_honest(node)) {
        oracles_fault(node, peer, fault);
    }
}

static void port_fatal(void *self, enum err error, const char *what)
{
    struct node *node = self;

    if (node->dying) {
        return;
    }
    node->fatal = error;
    node->fatal_why = what;
    node->dying = true;
    node->dying_how = SIM_KILL;
    if (trace_wanted(node->sim)) {
        trace_line(node->sim, false, node->number, "stops: %s, %s", err_name(error), what);
    }
}

static void port_diverged(void *self, const struct block_header *header,
                          const struct app_result *result)
{
    struct node *node = self;

    (void)result;
    if (node_honest(node) && header->proposer < node->sim->n &&
        node_honest(&node->sim->nodes[header->proposer])) {
        sim_fail(node->sim, 8, "node %u executed honest block %" PRIu64 " to another result",
                 node->number, header->height);
    }
}

static void app_ran(void *context)
{
    struct node *node = context;
    struct sim *sim = node->sim;

    if (node->execution_us != 0) {
        if (node->busy_until_us < sim->now_us) {
            node->busy_until_us = sim->now_us;
        }
        node->busy_until_us += node->execution_us;
    }
}

static void app_broken(void *context, const char *what)
{
    struct node *node = context;

    sim_fail(node->sim, 6, "driver of node %u %s", node->number, what);
}

/* ---- lives ---- */

void machine_init(struct sim *sim, uint32_t number)
{
    struct node *node = &sim->nodes[number];
    const struct app_sim app = node->app;
    const struct arena arena = node->arena;
    const struct app_set sets[] = {node->durable, node->released, node->released_life};

    memset(node, 0, sizeof *node);
    node->app = app;
    node->arena = arena;
    node->durable = sets[0];
    node->released = sets[1];
    node->released_life = sets[2];
    app_set_clear(&node->durable);
    app_set_clear(&node->released);
    app_set_clear(&node->released_life);
    node->sim = sim;
    node->number = number;
    node->timer_us = SIM_NEVER;
    node->mono_base_us = (1 + random_below(sim_random(sim, STREAM_CLOCK), 1000000)) * US_PER_MS;
    disk_sim_init(&node->disk, sim_random(sim, STREAM_DISK));
    kv_sim_init(&node->blocks, sim_random(sim, STREAM_DISK));
    kv_sim_init(&node->state, sim_random(sim, STREAM_DISK));
    node->disk.crashed = machine_dies;
    node->disk.context = node;
    node->blocks.crashed = machine_dies;
    node->blocks.context = node;
    node->state.crashed = machine_dies;
    node->state.context = node;
    memcpy(node->told_hash, sim->block_0_hash, HASH_BYTES);
}

void machine_close(struct node *node)
{
    if (node->sim == NULL) {
        return;
    }
    byzantine_close(node);
    disk_sim_close(&node->disk);
    kv_sim_free(&node->blocks);
    kv_sim_free(&node->state);
    node->sim = NULL;
}

/*
 * Zeroed memory for a life, mapped once and then used again: what was touched is given back.  In pages of two
 * megabytes, where the machine has them: a life touches hundreds of small ones, and faults cost more than it.
 */
static void arena_renew(struct node *node, size_t size)
{
    const size_t page = (size_t)2 << 20;
    const size_t rounded = (size + page - 1) / page * page;

    if (node->arena.size < rounded) {
        uint8_t *memory;

        if (node->arena.at != NULL) {
            INVARIANT(munmap(node->arena.at, node->arena.size) == 0);
        }
        memory = mmap(NULL, rounded + page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        INVARIANT(memory != MAP_FAILED);
        memory += (page - (uintptr_t)memory % page) % page;
        (void)madvise(memory, rounded, MADV_HUGEPAGE);
        node->arena = (struct arena){.at = memory, .size = rounded};
        return;
    }
    INVARIANT(madvise(node->arena.at, node->arena.size, MADV_DONTNEED) == 0);
    arena_reset(&node->arena);
}

static void ports_fill(struct node *node)
{
    node->ports = (struct ports){
        .net = {.self = node, .send = port_send},
        .clock = {.self = node, .now_ms = port_now_ms, .wall_ms = port_wall_ms, .arm = port_arm},
        .disk = {.self = node, .sync = port_sync, .write = port_write},
        .verify = {.self = node, .verify = port_verify},
        .signer = {.self = node, .sign = port_sign},
        .app = node->app.port,
        .tell = {.self = node,
                 .final = port_final,
                 .report = port_report,
                 .evidence = port_evidence,
                 .fault = port_fault,
                 .fatal = port_fatal,
                 .diverged = port_diverged}};
}

static void options_fill(struct node *node, struct driver_options *out)
{
    const struct sim *sim = node->sim;

    *out = (struct driver_options){.block_0 = sim->block_0,
                                   .own_index = (uint16_t)node->validator,
                                   .set = &sim->set,
                                   .params = sim->params,
                                   .max_block_bytes = sim->options.block_bytes,
                                   .body_slots = sim->options.body_slots,
                                   .log = {.segment_bytes = sim->options.segment_bytes},
                                   .log_disk =
                                       node->validator == VALIDATOR_NONE ? NULL : &node->disk.port,
                                   .blocks = &node->blocks.port,
                                   .seed = random_next(sim_random(node->sim, STREAM_NODES))};
    memcpy(out->chain_id, sim->chain_id, HASH_BYTES);
    memcpy(out->params_hash, sim->params_hash, HASH_BYTES);
    memset(out->log.salt, (int)(node->number + 1), sizeof out->log.salt);
    if (node->validator != VALIDATOR_NONE) {
        memcpy(out->own_key, sim->set.members[node->validator].consensus_key, 32);
    }
}

static void machine_enter(struct node *node)
{
    INVARIANT(node->inside == 0);
    node->inside = 1;
}

/* Verification of what was received: the node's verify thread, answered before anything else happens. */
static void jobs_run(struct node *node)
{
    struct sim *sim = node->sim;
    const struct verify_context context = sim->verify;

    while (node->job_count != 0 && !node->dying) {
        static struct verified_message message; /* large; the simulator has one thread */
        const struct verify_job job = node->jobs[node->job_first];
        enum verify_fault fault;

        node->job_first = (node->job_first + 1) % SIM_VERIFY_MAX;
        node->job_count -= 1;
        fault = verify_message(&context, job.message, job.known, &message);
        driver_verified(node->driver, job.ticket, fault, fault == VERIFY_OK ? &message : NULL);
    }
}

static void machine_leave(struct node *node)
{
    const uint64_t view = node->summary.cur;

    jobs_run(node);
    node->inside = 0;
    if (node->dying) {
        machine_crash(node, node->dying_how);
        return;
    }
    driver_summary(node->driver, &node->summary);
    if (node->summary.cur > view + 1 && view != 0) {
        sim_mark_set(node->sim, MARK_JUMP);
    }
    if (node->summary.cur > node->summary.final_view + 3) {
        sim_mark_set(node->sim, MARK_TIMERS_GROWN);
    }
    if (node_honest(node)) {
        oracles_after(node);
    }
    node->events += 1;
    if (node->events % 1024 == 0) {
        driver_check(node->driver);
    }
}

static bool log_make(struct node *node, const struct driver_options *options)
{
    if (node->log_made || node->validator == VALIDATOR_NONE) {
        return true;
    }
    node->log_made = true;
    node->fatal = vote_log_create(&node->disk.port, &options->log, options->own_key);
    return node->fatal == ERR_OK;
}

static void life_begin(struct node *node)
{
    struct sim *sim = node->sim;

    node->life += 1;
    app_set_clear(&node->released_life);
    node->up = true;
    node->dying = false;
    node->fatal = ERR_OK;
    node->fatal_why = NULL;
    node->disk_failed = false;
    node->deadline_ms = UINT64_MAX;
    node->timer_us = SIM_NEVER;
    node->busy_until_us = sim->now_us;
    node->boot_us = sim->now_us;
    node->mono_base_us += 12345678;
    node->syncing = false;
    node->write_first = 0;
    node->write_count = 0;
    node->write_due_us = sim->now_us;
    node->job_first = 0;
    node->job_count = 0;
    node->view_before = node->summary.cur;
    node->summary = (struct sx_summary){.epoch = 1};
}

bool machine_start(struct node *node)
{
    struct sim *sim = node->sim;
    struct driver_options options;
    enum err error;

    INVARIANT(!node->up);
    options_fill(node, &options);
    if (!log_make(node, &options)) {
        return false;
    }
    app_sim_open(&node->app, &node->state,
                 &(struct app_sim_options){.node = node->number,
                                           .validators = sim->n,
                                           .pool_max = sim->options.pool_count,
                                           .block_txs_max = sim->options.block_txs,
                                           .block_bytes_max = sim->options.block_bytes,
                                           .block_0_hash = sim->block_0_hash});
    node->app.ran = app_ran;
    node->app.broken = app_broken;
    node->app.context = node;
    arena_renew(node, driver_footprint(&options));
    ports_fill(node);
    life_begin(node);
    if (trace_wanted(sim) && sim->now_us != 0) {
        trace_line(sim, true, node->number, "restart");
    }
    node->start_height = node->app.final_height;
    machine_enter(node);
    node->opening = true;
    error = driver_open(&options, &node->ports, &node->arena, &node->driver, &node->found);
    node->opening = false;
    if (node->dying) { /* power was lost while it started, or it gave up */
        node->inside = 0;
        machine_crash(node, node->dying_how);
        return false;
    }
    if (error != ERR_OK) {
        node->inside = 0;
        node->up = false;
        node->life += 1;
        node->fatal = error;
        node->fatal_why = "driver_open";
        if (trace_wanted(sim)) {
            trace_line(sim, false, node->number, "cannot start: %s", err_name(error));
        }
        return false;
    }
    driver_summary(node->driver, &node->summary);
    oracles_started(node);
    machine_leave(node);
    if (node->up) {
        net_node_up(node);
    }
    return node->up;
}

/* What the disk thread had been given may have happened in part, in order. */
static void writes_settle(struct node *node)
{
    uint64_t done;

    if (node->write_count == 0) {
        return;
    }
    done = random_below(sim_random(node->sim, STREAM_DISK), (uint64_t)node->write_count + 1);
    for (uint64_t i = 0; i < done; i++) {
        const struct pending_write *write =
            &node->writes[(node->write_first + i) % SIM_PENDING_WRITES_MAX];

        err_ignore(kv_write(write->kv, write->batch, write->sync), "nobody is there to hear it");
    }
    node->write_count = 0;
}

void machine_crash(struct node *node, enum sim_crash how)
{
    struct sim *sim = node->sim;

    if (!node->up) {
        return;
    }
    if (node->inside != 0) { /* at the end of the call */
        machine_dies(node);
        node->dying_how = how;
        return;
    }
    if (trace_wanted(sim)) {
        trace_line(sim, true, node->number, "crash (%s)", how == SIM_POWER ? "power" : "kill");
    }
    sim_mark_set(sim, how == SIM_POWER ? MARK_POWER_CUT : MARK_KILLED);
    node->up = false;
    node->life += 1;
    node->crashed_us = sim->now_us;
    writes_settle(node);
    if (how == SIM_POWER) {
        disk_sim_power_cut(&node->disk);
        kv_sim_power_cut(&node->blocks);
        kv_sim_power_cut(&node->state);
    } else {
        disk_sim_kill(&node->disk);
        kv_sim_kill(&node->blocks);
        kv_sim_kill(&node->state);
    }
    node->dying = false;
    node->driver = NULL;
    net_node_down(node, how);
    if (sim->swarm != NULL) {
        swarm_down(node);
    }
}

/* ---- events ---- */

static void on_tick(struct node *node, const struct event *event)
{
    if (event->at_us != node->timer_us) {
        return; /* replaced by an earlier one */
    }
    node->timer_us = SIM_NEVER;
    if (node->deadline_ms == UINT64_MAX) {
        return;
    }
    if (port_now_ms(node) < node->deadline_ms) {
        timer_push(node);
        return;
    }
    node->deadline_ms = UINT64_MAX;
    machine_enter(node);
    driver_tick(node->driver);
    machine_leave(node);
}

static void on_sync(struct node *node)
{
    const enum err error = disk_sim_sync_end(&node->disk);

    if (node->dying) { /* the crash point was the end of the sync */
        machine_crash(node, node->dying_how);
        return;
    }
    node->syncing = false;
    if (error == ERR_OK) {
        oracles_synced(node);
    } else {
        sim_mark_set(node->sim, MARK_DISK_ERROR);
    }
    machine_enter(node);
    driver_log_synced(node->driver, error);
    machine_leave(node);
}

static void on_write(struct node *node)
{
    const struct pending_write write = node->writes[node->write_first];
    enum err error;

    INVARIANT(node->write_count != 0);
    node->write_first = (node->write_first + 1) % SIM_PENDING_WRITES_MAX;
    node->write_count -= 1;
    error = kv_write(write.kv, write.batch, write.sync);
    if (node->dying) {
        machine_crash(node, node->dying_how);
        return;
    }
    if (error != ERR_OK) {
        sim_mark_set(node->sim, MARK_DISK_ERROR);
    }
    machine_enter(node);
    driver_written(node->driver, write.ticket, error);
    machine_leave(node);
}

void machine_event(struct node *node, const struct event *event)
{
    if (event->kind == EVENT_TICK) {
        on_tick(node, event);
    } else if (event->kind == EVENT_SYNC) {
        on_sync(node);
    } else if (event->kind == EVENT_WRITE) {
        on_write(node);
    }
}

void machine_session(struct node *node, uint32_t peer, enum sx_session what)
{
    machine_enter(node);
    driver_session(node->driver, peer, what);
    machine_leave(node);
}

void machine_deliver(struct node *node, uint32_t from, struct packet *packet)
{
    struct sim *sim = node->sim;

    facts_heard(sim, node->number, &packet->words);
    if (node->role != SIM_HONEST) {
        byzantine_heard(node, packet);
    }
    if (sim->verbose && trace_wanted(sim)) {
        trace_line(sim, false, node->number, "< %s view %" PRIu64 " from %u",
                   words_name(packet->words.what), packet->words.view, from);
    }
    machine_enter(node);
    driver_receive(node->driver, sim->nodes[from].peer, packet_bytes(packet));
    machine_leave(node);
}

enum app_admit machine_submit(struct node *node, struct bytes transaction)
{
    enum app_admit admit;

    machine_enter(node);
    admit = driver_submit(node->driver, transaction);
    machine_leave(node);
    return admit;
}

/* The world: one queue of events, one clock, one seed; and what a scenario asks of it. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/mutant.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "tests/sim/world.h"

#ifdef MUTANT
int mutant_chosen;
#endif

struct sim *sim_running;
bool sim_verbose;

/* Kept from world to world: nodes with their memory, the queue. */
static struct node *spare_nodes;
static struct event *spare_heap;
static uint32_t spare_heap_size;

const char *sim_mark_name(enum sim_mark mark)
{
    static const char *const names[] = {
#define SIM_MARK_TEXT(name, text) text,
        SIM_MARKS(SIM_MARK_TEXT)
#undef SIM_MARK_TEXT
    };

    return names[mark];
}

/* ---- queue ---- */

static bool event_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void sim_push(struct sim *sim, const struct event *event)
{
    struct event new = *event;
    uint32_t at = sim->heap_count;

    INVARIANT(event->at_us >= sim->now_us);
    if (sim->heap_count == sim->heap_size) {
        sim->heap_size = sim->heap_size * 2 + 4096;
        sim->heap = realloc(sim->heap, sim->heap_size * sizeof *sim->heap);
        INVARIANT(sim->heap != NULL);
    }
    new.order = sim->order;
    sim->order += 1;
    sim->heap_count += 1;
    while (at > 0 && event_before(&new, &sim->heap[(at - 1) / 2])) {
        sim->heap[at] = sim->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sim->heap[at] = new;
}

static struct event heap_pop(struct sim *sim)
{
    const struct event top = sim->heap[0];
    const struct event last = sim->heap[sim->heap_count - 1];
    uint32_t at = 0;

    sim->heap_count -= 1;
    for (;;) {
        uint32_t child = at * 2 + 1;

        if (child >= sim->heap_count) {
            break;
        }
        if (child + 1 < sim->heap_count && event_before(&sim->heap[child + 1], &sim->heap[child])) {
            child += 1;
        }
        if (!event_before(&sim->heap[child], &last)) {
            break;
        }
        sim->heap[at] = sim->heap[child];
        at = child;
    }
    sim->heap[at] = last;
    return top;
}

/* ---- events ---- */

static void hash_event(struct sim *sim, const struct event *event)
{
    const uint64_t what = (uint64_t)event->kind << 16 | (uint64_t)event->node << 8 | event->other;

    sim->hash = (sim->hash ^ event->at_us) * UINT64_C(0x9fb21c651e98df25);
    sim->hash = (sim->hash ^ sim->hash >> 31 ^ what) * UINT64_C(0xd6e8feb86659fd93);
    if (event->packet != NULL) {
        sim->hash =
            (sim->hash ^ sim->hash >> 29 ^ event->packet->digest) * UINT64_C(0x9e3779b97f4a7c15);
    }
}

/* Is the node busy or paused?  Then the event waits for it. */
static bool event_waits(struct sim *sim, const struct event *event)
{
    struct node *node = &sim->nodes[event->node];
    struct event later = *event;

    if (event->kind > EVENT_PING || node->busy_until_us <= sim->now_us || !node->up) {
        return false;
    }
    later.at_us = node->busy_until_us;
    if (event->kind == EVENT_TICK && event->at_us == node->timer_us) {
        node->timer_us = later.at_us;
    }
    sim_push(sim, &later);
    return true;
}

static void event_run(struct sim *sim, const struct event *event)
{
    struct node *node = &sim->nodes[event->node];

    if (event->life != UINT32_MAX && event->life != node->life) {
        return;
    }
    switch ((enum event_kind)event->kind) {
    case EVENT_PACKET:
        net_packet_event(sim, event);
        break;
    case EVENT_TICK:
    case EVENT_SYNC:
    case EVENT_WRITE:
        machine_event(node, event);
        break;
    case EVENT_PING:
        net_ping(node);
        break;
    case EVENT_DIAL:
        net_dial(sim, event->node, event->other);
        break;
    case EVENT_CLOSE:
        net_close_event(sim, event->node, event->other);
        break;
    case EVENT_RESTART:
        if (!node->up && !machine_start(node) && sim->swarm != NULL) {
            swarm_not_started(node);
        }
        break;
    case EVENT_SWARM:
        swarm_event(sim, event);
        break;
    }
}

bool sim_step(struct sim *sim)
{
    struct event event;

    if (sim->failed || sim->heap_count == 0) {
        return false;
    }
    event = heap_pop(sim);
    sim->now_us = event.at_us;
    if (event_waits(sim, &event)) {
        return true;
    }
    sim->event_count += 1;
    hash_event(sim, &event);
    event_run(sim, &event);
    if (event.packet != NULL) {
        packet_drop(event.packet);
    }
    return !sim->failed;
}

void sim_run_until_us(struct sim *sim, uint64_t us)
{
    while (!sim->failed && sim->heap_count != 0 && sim->heap[0].at_us <= us) {
        (void)sim_step(sim);
    }
    if (!sim->failed && sim->now_us < us) {
        sim->now_us = us;
    }
}

/* ---- a world ---- */

static void options_complete(struct sim_options *options)
{
#define SIM_DEFAULT(field, value) options->field = options->field == 0 ? (value) : options->field
    SIM_DEFAULT(validators, 4);
    SIM_DEFAULT(seed, 1);
    SIM_DEFAULT(delta_ms, 500);
    SIM_DEFAULT(min_interval_ms, 50);
    SIM_DEFAULT(precision_ms, 500);
    SIM_DEFAULT(late_bound_ms, 5000);
    SIM_DEFAULT(block_bytes, 16 << 10);
    SIM_DEFAULT(block_txs, 64);
    SIM_DEFAULT(body_slots, 64);
    SIM_DEFAULT(segment_bytes, 64 << 10);
    SIM_DEFAULT(pool_count, 256);
    SIM_DEFAULT(sync_us, 300);
#undef SIM_DEFAULT
    INVARIANT(options->validators <= SIM_VALIDATORS_MAX &&
              options->validators + options->twins + options->full_nodes <= SIM_NODES_MAX &&
              options->twins <= options->validators && options->block_bytes <= SIM_BLOCK_BYTES_MAX);
}

static void random_fill(struct random *random, uint8_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint8_t)(random_next(random) >> 32);
    }
}

/* Keys in ascending order of the public ones; secrets[i] is that of member i. */
static void keys_draw(struct sim *sim, uint8_t secrets[SIM_VALIDATORS_MAX][32])
{
    struct random *random = sim_random(sim, STREAM_NODES);

    sim->set.count = (uint16_t)sim->n;
    for (uint32_t i = 0; i < sim->n; i++) {
        struct validator member;
        uint8_t secret[32];
        uint32_t at = i;

        random_fill(random, secret, sizeof secret);
        ed25519_public(secret, member.consensus_key);
        random_fill(random, member.node_key, sizeof member.node_key);
        random_fill(random, member.account, sizeof member.account);
        while (at > 0 && memcmp(sim->set.members[at - 1].consensus_key, member.consensus_key,
                                sizeof member.consensus_key) > 0) {
            sim->set.members[at] = sim->set.members[at - 1];
            memcpy(secrets[at], secrets[at - 1], 32);
            at -= 1;
        }
        sim->set.members[at] = member;
        memcpy(secrets[at], secret, sizeof secret);
    }
}

static bool leaders_fit(const struct sim *sim)
{
    const char *leaders = sim->options.leaders;

    for (uint32_t i = 0; leaders != NULL && leaders[i] != '\0'; i++) {
        if (sim->leaders.order[i % sim->n] != (uint16_t)(leaders[i] - '0')) {
            return false;
        }
    }
    return true;
}

/* Block 0; its time is moved on until the leaders' order is the one asked for. */
static void genesis_make(struct sim *sim)
{
    sim->block_0 = (struct block_header){.version = BLOCK_VERSION,
                                         .flags = BLOCK_EPOCH_END,
                                         .time_ms = sim->wall_base_us / US_PER_MS};
    memcpy(sim->block_0.chain_id, sim->chain_id, HASH_BYTES);
    memcpy(sim->block_0.params_hash, sim->params_hash, HASH_BYTES);
    validators_hash(&sim->set, sim->block_0.next_valset_hash);
    hash_of(TAG_VAL, bytes_of(sim->chain_id, HASH_BYTES), sim->block_0.state_root);
    for (uint32_t i = 0; i < 200000; i++) {
        sim->block_0.time_ms -= 1;
        block_header_hash(&sim->block_0, sim->block_0_hash);
        validators_order(&sim->set, sim->block_0_hash, &sim->leaders);
        if (leaders_fit(sim)) {
            return;
        }
    }
    invariant_fail("no block 0 gives this order of leaders", __FILE__, __LINE__);
}

static void nodes_make(struct sim *sim, uint8_t secrets[SIM_VALIDATORS_MAX][32])
{
    const struct sim_options *options = &sim->options;

    sim->node_count = sim->n + options->twins + options->full_nodes;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct node *node = &sim->nodes[i];

        machine_init(sim, i);
        if (i < sim->n) {
            node->validator = i;
        } else if (i < sim->n + options->twins) {
            node->validator = sim->n - 1 - (i - sim->n);
            node->twin = true;
            sim->nodes[node->validator].twin = true;
            sim->byzantine_nodes |= SIM_NODE(i) | SIM_NODE(node->validator);
        } else {
            node->validator = VALIDATOR_NONE;
        }
        node->peer = node->validator == VALIDATOR_NONE
                         ? (uint32_t)PEER_FULL + (i - sim->n - options->twins)
                         : node->validator;
        if (node->validator != VALIDATOR_NONE) {
            memcpy(node->secret, secrets[node->validator], sizeof node->secret);
        }
    }
}

struct sim *sim_open(const struct sim_options *options)
{
    struct sim *sim = calloc(1, sizeof *sim);
    uint8_t secrets[SIM_VALIDATORS_MAX][32];
    struct random root;

    INVARIANT(sim != NULL);
    sim_running = sim;
    sim->options = *options;
    options_complete(&sim->options);
    root.state = sim->options.seed;
    for (uint32_t i = 0; i < STREAM_COUNT; i++) {
        sim->streams[i].state = random_next(&root);
    }
    if (spare_nodes == NULL) {
        spare_nodes = calloc(SIM_NODES_MAX, sizeof *spare_nodes);
        INVARIANT(spare_nodes != NULL);
    }
    sim->nodes = spare_nodes;
    sim->heap = spare_heap;
    sim->heap_size = spare_heap_size;
    sim->verbose = sim_verbose;
    sim->n = sim->options.validators;
    sim->f = (sim->n - 1) / 3;
    sim->q = sim->n - sim->f;
    sim->silent_from_us = SIM_NEVER;
    sim->wall_base_us =
        UINT64_C(1700000000000000) +
        random_below(sim_random(sim, STREAM_CLOCK), UINT64_C(1000000000000)) / 1000 * 1000;
    sim->params = (struct sx_params){.delta_ms = sim->options.delta_ms,
                                     .min_interval_ms = sim->options.min_interval_ms,
                                     .precision_ms = sim->options.precision_ms,
                                     .late_bound_ms = sim->options.late_bound_ms,
                                     .propose_depth = 8,
                                     .vote_depth = 16};
    sim->net = (struct net_options){.least_us = 10 * US_PER_MS, .dial_us = US_PER_S};
    net_init(sim);
    random_fill(sim_random(sim, STREAM_NODES), sim->chain_id, HASH_BYTES);
    random_fill(sim_random(sim, STREAM_NODES), sim->params_hash, HASH_BYTES);
    keys_draw(sim, secrets);
    genesis_make(sim);
    sim->verify = (struct verify_context){.epoch = 1, .set = &sim->set, .order = &sim->leaders};
    memcpy(sim->verify.chain_id, sim->chain_id, HASH_BYTES);
    sim->chain_size = 256;
    sim->chain = malloc(sim->chain_size * HASH_BYTES);
    INVARIANT(sim->chain != NULL);
    memcpy(sim->chain[0], sim->block_0_hash, HASH_BYTES);
    nodes_make(sim, secrets);
    return sim;
}

void sim_start_nodes(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (!machine_start(&sim->nodes[i])) {
            sim_fail(sim, 6, "node %u does not start in a new world: %s", i,
                     err_name(sim->nodes[i].fatal));
        }
    }
}

void sim_close(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->heap_count; i++) {
        if (sim->heap[i].packet != NULL) {
            packet_drop(sim->heap[i].packet);
        }
    }
    spare_heap = sim->heap;
    spare_heap_size = sim->heap_size;
    net_close(sim);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        machine_close(&sim->nodes[i]);
    }
    facts_close(&sim->facts);
    swarm_close(sim);
    for (uint32_t i = 0; i < 2; i++) {
        if (sim->saved_used[i]) {
            disk_sim_close(&sim->saved[i]);
        }
    }
    free(sim->chain);
    free(sim->txs);
    free(sim->tx_index);
    trace_close(sim);
    free(sim);
    sim_running = NULL;
}

/* ---- transactions ---- */

static uint32_t tx_place(const struct sim *sim, uint64_t key)
{
    uint32_t at = (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (sim->tx_index_size - 1);

    while (sim->tx_index[at] != 0) {
        const struct sim_tx *name = &sim->txs[sim->tx_index[at] - 1].name;

        if (((uint64_t)name->client << 32 | name->number) == key) {
            break;
        }
        at = (at + 1) & (sim->tx_index_size - 1);
    }
    return at;
}

struct client_tx *sim_tx_find(struct sim *sim, uint64_t key)
{
    uint32_t at;

    if (sim->tx_index_size == 0) {
        return NULL;
    }
    at = tx_place(sim, key);
    return sim->tx_index[at] == 0 ? NULL : &sim->txs[sim->tx_index[at] - 1];
}

static void tx_index_grow(struct sim *sim)
{
    free(sim->tx_index);
    sim->tx_index_size = sim->tx_index_size == 0 ? 512 : sim->tx_index_size * 2;
    sim->tx_index = calloc(sim->tx_index_size, sizeof *sim->tx_index);
    INVARIANT(sim->tx_index != NULL);
    for (uint32_t i = 0; i < sim->tx_count; i++) {
        const struct sim_tx *name = &sim->txs[i].name;

        sim->tx_index[tx_place(sim, (uint64_t)name->client << 32 | name->number)] = i + 1;
    }
}

void sim_tx_bytes(const struct client_tx *tx, uint8_t out[APP_TX_BYTES_MAX])
{
    const struct app_tx of = {.client = tx->name.client,
                              .number = tx->name.number,
                              .validity = tx->validity,
                              .refused_by = tx->refused_by,
                              .expiry_ms = tx->expiry_ms,
                              .bytes = tx->bytes};

    app_tx_write(&of, out);
}

struct sim_tx sim_tx_make(struct sim *sim, uint32_t client, const struct sim_submit *submit)
{
    uint8_t bytes[APP_TX_BYTES_MAX];
    struct client_tx *tx;

    if (sim->tx_count == sim->tx_size) {
        sim->tx_size = sim->tx_size * 2 + 128;
        sim->txs = realloc(sim->txs, sim->tx_size * sizeof *sim->txs);
        INVARIANT(sim->txs != NULL);
    }
    if ((sim->tx_count + 1) * 2 > sim->tx_index_size) {
        tx_index_grow(sim);
    }
    tx = &sim->txs[sim->tx_count];
    *tx = (struct client_tx){.name = {.client = client, .number = sim->tx_count + 1},
                             .validity = (uint8_t)submit->validity,
                             .refused_by = submit->refused_by,
                             .expiry_ms = submit->expiry_ms,
                             .asked_us = sim->now_us,
                             .bytes = submit->bytes == 0 ? 100 : submit->bytes};
    INVARIANT(tx->bytes >= APP_TX_HEAD_BYTES && tx->bytes <= APP_TX_BYTES_MAX);
    tx->wanted = tx->validity == SIM_TX_VALID && tx->refused_by == 0 && tx->expiry_ms == 0;
    sim_tx_bytes(tx, bytes);
    tx->digest = digest_of(bytes_of(bytes, tx->bytes), 1);
    sim->tx_index[tx_place(sim, (uint64_t)client << 32 | tx->name.number)] = sim->tx_count + 1;
    sim->tx_count += 1;
    return tx->name;
}

struct sim_tx sim_submit_with(struct sim *sim, const struct sim_submit *submit)
{
    const struct sim_tx name = sim_tx_make(sim, sim->next_client, submit);
    uint8_t bytes[APP_TX_BYTES_MAX];
    const struct client_tx tx = sim->txs[sim->tx_count - 1];

    sim->next_client += 1;
    sim_tx_bytes(&tx, bytes);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if ((submit->nodes >> i & 1) != 0 && sim->nodes[i].up) {
            (void)machine_submit(&sim->nodes[i], bytes_of(bytes, tx.bytes));
        }
    }
    return name;
}

struct sim_tx sim_submit(struct sim *sim, uint32_t node)
{
    return sim_submit_with(sim, &(struct sim_submit){.nodes = SIM_NODE(node)});
}

bool sim_tx_final(const struct sim *sim, uint32_t node, struct sim_tx tx)
{
    const struct client_tx *of = &sim->txs[tx.number - 1];

    return of->final && of->final_height <= sim->nodes[node].summary.final_height;
}

/* ---- machines ---- */

void sim_crash(struct sim *sim, uint32_t node, enum sim_crash how)
{
    machine_crash(&sim->nodes[node], how);
}

void sim_restart(struct sim *sim, uint32_t node)
{
    if (!sim->nodes[node].up) {
        (void)machine_start(&sim->nodes[node]);
    }
}

bool sim_up(const struct sim *sim, uint32_t node)
{
    return sim->nodes[node].up;
}

void sim_pause(struct sim *sim, uint32_t node, uint64_t ms)
{
    const uint64_t until_us = sim->now_us + ms * US_PER_MS;

    if (sim->nodes[node].busy_until_us < until_us) {
        sim->nodes[node].busy_until_us = until_us;
    }
}

void sim_set_execution_ms(struct sim *sim, uint32_t node, uint64_t ms)
{
    sim->nodes[node].execution_us = ms * US_PER_MS;
}

void sim_set_clock(struct sim *sim, uint32_t node, int64_t offset_ms, int32_t drift_ppm)
{
    struct node *of = &sim->nodes[node];
    const uint64_t mono_us = machine_now_us(of);

    of->drift_ppm = drift_ppm;
    of->boot_us = sim->now_us;
    of->mono_base_us = mono_us;
    of->wall_offset_us = offset_ms * US_PER_MS;
}

void sim_crash_at_log(struct sim *sim, uint32_t node, uint32_t k, enum sim_moment moment)
{
    static const enum disk_moment moments[] = {DISK_BEFORE, DISK_HALF, DISK_AFTER, DISK_BEFORE_SYNC,
                                               DISK_AFTER_SYNC};

    disk_sim_crash_at(&sim->nodes[node].disk, k, moments[moment]);
}

void sim_crash_at_store(struct sim *sim, uint32_t node, uint32_t k, enum sim_moment moment)
{
    kv_sim_crash_at(&sim->nodes[node].blocks, k,
                    moment == SIM_AFTER_WRITE || moment == SIM_AFTER_SYNC);
}

struct disk_sim *sim_log_disk(struct sim *sim, uint32_t node)
{
    return &sim->nodes[node].disk;
}

struct kv_sim *sim_blocks_store(struct sim *sim, uint32_t node)
{
    return &sim->nodes[node].blocks;
}

void sim_log_save(struct sim *sim, uint32_t node, uint32_t place)
{
    INVARIANT(place < 2);
    if (!sim->saved_used[place]) {
        disk_sim_init(&sim->saved[place], sim_random(sim, STREAM_DISK));
        sim->saved_used[place] = true;
    }
    disk_sim_copy(&sim->saved[place], &sim->nodes[node].disk);
}

void sim_log_restore(struct sim *sim, uint32_t node, uint32_t place)
{
    INVARIANT(place < 2 && sim->saved_used[place] && !sim->nodes[node].up);
    disk_sim_copy(&sim->nodes[node].disk, &sim->saved[place]);
}

/* ---- questions ---- */

uint64_t sim_now_ms(const struct sim *sim)
{
    return sim->now_us / US_PER_MS;
}

uint32_t sim_leader(const struct sim *sim, uint64_t view)
{
    return validators_leader(&sim->leaders, view);
}

struct sx_summary sim_summary(const struct sim *sim, uint32_t node)
{
    return sim->nodes[node].summary;
}

uint64_t sim_final_height(const struct sim *sim, uint32_t node)
{
    return sim->nodes[node].summary.final_height;
}

uint64_t sim_final_view(const struct sim *sim, uint32_t node)
{
    return sim->nodes[node].summary.final_view;
}

uint64_t sim_view(const struct sim *sim, uint32_t node)
{
    return sim->nodes[node].summary.cur;
}

const uint8_t *sim_final_block(const struct sim *sim, uint32_t node, uint64_t height)
{
    if (height > sim->nodes[node].told_height || height > sim->chain_height) {
        return NULL;
    }
    return sim->chain[height];
}

bool sim_voted(const struct sim *sim, uint32_t node, enum vote_kind kind, uint64_t view,
               const uint8_t *block)
{
    return oracles_released(&sim->nodes[node], (uint8_t)kind, view, block);
}

uint64_t sim_sent(const struct sim *sim, uint32_t from, uint32_t what)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        for (uint32_t bit = 0; bit < 15 && (from >> i & 1) != 0; bit++) {
            sum += (what >> bit & 1) != 0 ? sim->nodes[i].sent_messages[bit] : 0;
        }
    }
    return sum;
}

uint64_t sim_sent_bytes(const struct sim *sim, uint32_t from)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        sum += (from >> i & 1) != 0 ? sim->nodes[i].sent_bytes : 0;
    }
    return sum;
}

uint32_t sim_reports(const struct sim *sim, uint32_t node, enum sx_report what)
{
    return sim->nodes[node].reports[what];
}

uint32_t sim_log_state(const struct sim *sim, uint32_t node)
{
    return (uint32_t)sim->nodes[node].found.state;
}

enum err sim_fatal(const struct sim *sim, uint32_t node)
{
    return sim->nodes[node].fatal;
}

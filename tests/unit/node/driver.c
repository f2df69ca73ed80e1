/*
 * Whole drivers in one process: real cores and signatures, a network, disks and stores in memory, a trivial
 * application.  What the simulator draws at random is set up here by hand, one promise of node/driver.h a test.
 */
#include "node/driver.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/writer.h"
#include "consensus/sx.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "proto/wire.h"
#include "tests/check.h"
#include "tests/disk_memory.h"
#include "tests/kv_memory.h"

enum {
    NODES_MAX = 5,
    TX_BYTES = 16,
    TXS_MAX = 4096,
    EXECUTED_MAX = 4096,
    BODY_MAX = 8 << 10,
    LATENCY_MS = 10,
    LOG_BYTES = 64 << 10,
};

/* ---- a world of nodes ---- */

enum event_kind { EVENT_MESSAGE, EVENT_VERIFY, EVENT_SYNC, EVENT_WRITE };

struct event {
    uint64_t at_ms;
    uint64_t order;
    enum event_kind kind;
    uint32_t node;
    uint32_t life; /* of the node; events of an earlier one are nothing */
    uint32_t from;
    uint8_t *bytes;
    size_t count;
    uint64_t ticket;
    uint32_t known;
    const struct kv_batch *batch;
    bool sync;
    struct event *next;
};

/* A block that the application has executed: what stands in it is not built again above it. */
struct executed {
    uint8_t hash[HASH_BYTES];
    uint8_t parent[HASH_BYTES];
    uint64_t txs[32];
    uint32_t count;
};

struct node {
    uint32_t index;
    uint32_t life;
    bool up;
    struct arena arena;
    struct driver *driver;
    struct kv *kv;
    struct disk_memory disk;
    struct vote_log_found found;
    uint64_t deadline_ms;
    enum err sync_error; /* what the next sync gives */
    enum err write_error;
    enum err fatal;
    const struct vote_log_sync *sync;
    struct kv *write_to;

    /* The application: gone with a crash but for what is final. */
    uint8_t pool[TXS_MAX][TX_BYTES];
    uint32_t pool_count;
    uint64_t seen[TXS_MAX];
    uint32_t seen_count;
    uint64_t final_txs[TXS_MAX];
    uint32_t final_tx_count;
    struct executed executed[EXECUTED_MAX];
    uint32_t executed_count;
    uint64_t applied;
    bool forgets; /* the application's store loses everything in a crash */

    /* What was told. */
    uint64_t final_height;
    uint8_t final_hashes[1024][HASH_BYTES];
    uint32_t faults;
    uint32_t diverged;
    bool wrong_root; /* its execution gives another state root */
};

struct world {
    struct node nodes[NODES_MAX];
    uint32_t n;    /* validators */
    uint32_t full; /* full nodes behind them */
    struct validator_set set;
    uint8_t secrets[NODES_MAX][32];
    struct leader_order order;
    struct block_header block_0;
    struct event *events;
    uint64_t order_count;
    uint64_t now_ms;
    bool cut[NODES_MAX]; /* the node hears and says nothing */
    uint64_t sent;
    uint64_t dropped;
    bool (*drop)(uint32_t from, uint32_t to, struct bytes message); /* NULL: nothing */
};

static struct world world;

static void event_add(struct event event)
{
    struct event **at = &world.events;
    struct event *added = malloc(sizeof *added);

    CHECK(added != NULL);
    event.order = world.order_count++;
    *added = event;
    while (*at != NULL && (*at)->at_ms <= event.at_ms) {
        at = &(*at)->next;
    }
    added->next = *at;
    *at = added;
}

static uint32_t peer_number(uint32_t node)
{
    return node < world.n ? node : PEER_FULL + node - world.n;
}

static uint32_t peer_node(uint32_t peer)
{
    return peer < PEER_FULL ? peer : world.n + peer - PEER_FULL;
}

/* ---- ports ---- */

static void send_one(uint32_t from, uint32_t to, struct bytes head, struct bytes body)
{
    struct event event = {.at_ms = world.now_ms + LATENCY_MS,
                          .kind = EVENT_MESSAGE,
                          .node = to,
                          .from = from,
                          .life = world.nodes[to].life,
                          .count = head.count + body.count};

    if (from == to || !world.nodes[to].up || world.cut[from] || world.cut[to]) {
        return;
    }
    event.bytes = malloc(event.count + 1);
    memcpy(event.bytes, head.at, head.count);
    if (body.count != 0) {
        memcpy(event.bytes + head.count, body.at, body.count);
    }
    if (world.drop != NULL && world.drop(from, to, bytes_of(event.bytes, event.count))) {
        world.dropped += 1;
        free(event.bytes);
        return;
    }
    world.sent += 1;
    event_add(event);
}

static void port_send(void *self, uint32_t to, uint8_t channel, struct bytes head,
                      struct bytes body)
{
    const struct node *node = self;

    CHECK(channel <= 7);
    if (to == PEER_ALL) {
        for (uint32_t i = 0; i < world.n; i++) {
            send_one(node->index, i, head, body);
        }
    } else if (to == PEER_ALL_FULL_NODES) {
        for (uint32_t i = world.n; i < world.n + world.full; i++) {
            send_one(node->index, i, head, body);
        }
    } else {
        send_one(node->index, peer_node(to), head, body);
    }
}

static uint64_t port_now(void *self)
{
    (void)self;
    return world.now_ms;
}

static uint64_t port_wall(void *self)
{
    (void)self;
    return 1000000 + world.now_ms;
}

static void port_arm(void *self, uint64_t deadline_ms)
{
    ((struct node *)self)->deadline_ms = deadline_ms;
}

static void port_sync(void *self, const struct vote_log_sync *sync)
{
    struct node *node = self;

    CHECK(node->sync == NULL);
    node->sync = sync;
    event_add((struct event){
        .at_ms = world.now_ms + 1, .kind = EVENT_SYNC, .node = node->index, .life = node->life});
}

static void port_write(void *self, struct kv *kv, const struct kv_batch *batch, bool sync,
                       uint64_t ticket)
{
    struct node *node = self;

    CHECK(kv == node->kv && sync);
    event_add((struct event){.at_ms = world.now_ms + 2,
                             .kind = EVENT_WRITE,
                             .node = node->index,
                             .life = node->life,
                             .batch = batch,
                             .sync = sync,
                             .ticket = ticket});
}

static void port_verify(void *self, uint64_t ticket, struct bytes message, uint32_t known)
{
    struct node *node = self;
    uint8_t *copy = malloc(message.count + 1);

    memcpy(copy, message.at, message.count);
    event_add((struct event){.at_ms = world.now_ms,
                             .kind = EVENT_VERIFY,
                             .node = node->index,
                             .life = node->life,
                             .bytes = copy,
                             .count = message.count,
                             .known = known,
                             .ticket = ticket});
}

static bool port_sign(void *self, struct bytes statement, uint8_t signature[SIGNATURE_BYTES])
{
    const struct node *node = self;

    ed25519_sign(world.secrets[node->index], statement, signature);
    return true;
}

static uint64_t tx_number(struct bytes transaction)
{
    uint64_t number;

    memcpy(&number, transaction.at, sizeof number);
    return number;
}

static uint64_t app_applied(void *self)
{
    return ((struct node *)self)->applied;
}

static const struct executed *executed_find(const struct node *node, const uint8_t *hash)
{
    for (uint32_t i = 0; i < node->executed_count; i++) {
        if (memcmp(node->executed[i].hash, hash, HASH_BYTES) == 0) {
            return &node->executed[i];
        }
    }
    return NULL;
}

static bool tx_used(const struct node *node, const uint8_t *parent, uint64_t number)
{
    const struct executed *at;

    for (uint32_t i = 0; i < node->final_tx_count; i++) {
        if (node->final_txs[i] == number) {
            return true;
        }
    }
    for (at = executed_find(node, parent); at != NULL; at = executed_find(node, at->parent)) {
        for (uint32_t i = 0; i < at->count; i++) {
            if (at->txs[i] == number) {
                return true;
            }
        }
    }
    return false;
}

static void app_result_of(const struct node *node, const struct block_header *parent,
                          struct bytes body, struct app_result *out)
{
    static const uint8_t none[4];
    const struct bytes parts[] = {bytes_of(parent->state_root, HASH_BYTES), body};

    hash_parts(TAG_NODE, parts, 2, out->state_root);
    if (node->wrong_root) {
        out->state_root[0] ^= 1;
    }
    out->units_used = body.count;
    out->receipts = bytes_of(none, sizeof none);
}

static void executed_add(struct node *node, const uint8_t *hash, const uint8_t *parent,
                         struct bytes body)
{
    struct executed *executed;
    struct bytes transaction;

    if (executed_find(node, hash) != NULL) {
        return;
    }
    CHECK(node->executed_count < EXECUTED_MAX);
    executed = &node->executed[node->executed_count++];
    memset(executed, 0, sizeof *executed);
    memcpy(executed->hash, hash, HASH_BYTES);
    memcpy(executed->parent, parent, HASH_BYTES);
    while (body.count != 0 && block_body_next(&body, &transaction)) {
        executed->txs[executed->count++] = tx_number(transaction);
    }
}

static bool app_execute(void *self, const struct block_header *parent, const uint8_t *parent_hash,
                        const struct block_header *header, const uint8_t *hash, struct bytes body,
                        struct app_result *out)
{
    struct node *node = self;
    struct bytes left = body;
    struct bytes transaction;

    CHECK(header->height == parent->height + 1);
    while (left.count != 0) {
        CHECK(block_body_next(&left, &transaction));
        if (transaction.count != TX_BYTES || tx_used(node, parent_hash, tx_number(transaction))) {
            return false;
        }
    }
    app_result_of(node, parent, body, out);
    executed_add(node, hash, parent_hash, body);
    return true;
}

static bool app_build(void *self, const struct block_header *parent, const uint8_t *parent_hash,
                      uint64_t time_ms, uint8_t *body, size_t body_size, size_t *body_count,
                      uint32_t *tx_count, struct app_result *out)
{
    struct node *node = self;
    struct writer writer = writer_of(body, body_size);

    CHECK(time_ms > parent->time_ms);
    *tx_count = 0;
    for (uint32_t i = 0; i < node->pool_count && *tx_count < 32; i++) {
        if (!tx_used(node, parent_hash, tx_number(bytes_of(node->pool[i], TX_BYTES)))) {
            writer_u32(&writer, TX_BYTES);
            writer_bytes(&writer, node->pool[i], TX_BYTES);
            *tx_count += 1;
        }
    }
    CHECK(!writer.failed);
    *body_count = writer.used;
    app_result_of(node, parent, writer_done(&writer), out);
    return *tx_count != 0;
}

static void app_built(void *self, const struct block_header *header, const uint8_t *hash)
{
    struct node *node = self;
    const struct bytes body = {0};

    executed_add(node, hash, header->parent_hash, body);
    /* Which transactions it took is known from the pool: all that were not used on the parent. */
    for (uint32_t i = 0; i < node->pool_count; i++) {
        const uint64_t number = tx_number(bytes_of(node->pool[i], TX_BYTES));
        struct executed *executed = &node->executed[node->executed_count - 1];

        if (executed->count < 32 && !tx_used(node, header->parent_hash, number)) {
            executed->txs[executed->count++] = number;
        }
    }
}

static void app_work(void *self, const struct block_header *tip, const uint8_t *tip_hash,
                     uint64_t cur, uint64_t wall_ms, bool *present, bool *full)
{
    const struct node *node = self;

    (void)tip;
    (void)cur;
    (void)wall_ms;
    *present = false;
    *full = false;
    for (uint32_t i = 0; i < node->pool_count; i++) {
        if (!tx_used(node, tip_hash, tx_number(bytes_of(node->pool[i], TX_BYTES)))) {
            *present = true;
        }
    }
}

static void app_finalize(void *self, const struct block_header *header, const uint8_t *hash,
                         struct bytes body)
{
    struct node *node = self;
    struct bytes transaction;

    (void)hash;
    CHECK_U64(header->height, ==, node->applied + 1);
    node->applied = header->height;
    while (body.count != 0 && block_body_next(&body, &transaction)) {
        const uint64_t number = tx_number(transaction);

        CHECK(node->final_tx_count < TXS_MAX);
        node->final_txs[node->final_tx_count++] = number;
        for (uint32_t i = 0; i < node->pool_count; i++) {
            if (tx_number(bytes_of(node->pool[i], TX_BYTES)) == number) {
                memmove(node->pool[i], node->pool[i + 1],
                        (node->pool_count - i - 1) * sizeof node->pool[0]);
                node->pool_count -= 1;
                break;
            }
        }
    }
}

static enum app_admit app_admit(void *self, struct bytes transaction, uint32_t source,
                                uint64_t wall_ms)
{
    struct node *node = self;

    (void)source;
    (void)wall_ms;
    if (transaction.count != TX_BYTES) {
        return APP_MALFORMED;
    }
    for (uint32_t i = 0; i < node->seen_count; i++) {
        if (node->seen[i] == tx_number(transaction)) {
            return APP_KNOWN;
        }
    }
    for (uint32_t i = 0; i < node->final_tx_count; i++) {
        if (node->final_txs[i] == tx_number(transaction)) {
            return APP_KNOWN;
        }
    }
    CHECK(node->pool_count < TXS_MAX && node->seen_count < TXS_MAX);
    node->seen[node->seen_count++] = tx_number(transaction);
    memcpy(node->pool[node->pool_count++], transaction.at, TX_BYTES);
    return APP_ADMITTED;
}

static uint32_t app_pending(void *self, struct bytes *out, uint32_t max)
{
    const struct node *node = self;
    uint32_t count = 0;

    while (count < max && count < node->pool_count) {
        out[count] = bytes_of(node->pool[count], TX_BYTES);
        count += 1;
    }
    return count;
}

static void tell_final(void *self, const struct block_header *header, const uint8_t *hash,
                       struct bytes body, struct bytes receipts,
                       const struct certificate *certificate)
{
    struct node *node = self;

    CHECK_U64(header->height, ==, node->final_height + 1);
    CHECK_U64(receipts.count, ==, 4);
    CHECK(block_body_matches(header, body));
    CHECK(certificate->statement.kind == VOTE_FINALIZE);
    node->final_height = header->height;
    CHECK(header->height < 1024);
    memcpy(node->final_hashes[header->height], hash, HASH_BYTES);
    for (uint32_t i = 0; i < world.n + world.full; i++) { /* agreement */
        if (world.nodes[i].final_height >= header->height) {
            CHECK(memcmp(world.nodes[i].final_hashes[header->height], hash, HASH_BYTES) == 0);
        }
    }
}

static void tell_report(void *self, enum sx_report what, uint64_t view)
{
    (void)self;
    (void)what;
    (void)view;
}

static void tell_fault(void *self, uint32_t peer, enum verify_fault fault)
{
    (void)peer;
    (void)fault;
    ((struct node *)self)->faults += 1;
}

static void tell_fatal(void *self, enum err error, const char *what)
{
    struct node *node = self;

    CHECK(what != NULL && node->fatal == ERR_OK);
    node->fatal = error;
}

static void tell_diverged(void *self, const struct block_header *header,
                          const struct app_result *result)
{
    (void)header;
    (void)result;
    ((struct node *)self)->diverged += 1;
}

static struct ports ports_of(struct node *node)
{
    return (struct ports){
        .net = {node, port_send},
        .clock = {node, port_now, port_wall, port_arm},
        .disk = {node, port_sync, port_write},
        .verify = {node, port_verify},
        .signer = {node, port_sign},
        .app = {node, app_applied, app_execute, app_build, app_built, app_work, app_finalize,
                app_admit, app_pending},
        .tell = {.self = node,
                 .final = tell_final,
                 .report = tell_report,
                 .fault = tell_fault,
                 .fatal = tell_fatal,
                 .diverged = tell_diverged},
    };
}

/* ---- nodes up and down ---- */

static struct driver_options options_of(struct node *node)
{
    const bool member = node->index < world.n;
    struct driver_options options = {
        .block_0 = world.block_0,
        .own_index = member ? (uint16_t)node->index : VALIDATOR_NONE,
        .set = &world.set,
        .params = {.delta_ms = 100,
                   .min_interval_ms = 20,
                   .precision_ms = 100,
                   .late_bound_ms = 5000,
                   .propose_depth = 8,
                   .vote_depth = 16},
        .max_block_bytes = BODY_MAX,
        .body_slots = 64,
        .log = {.segment_bytes = LOG_BYTES},
        .log_disk = member ? &node->disk.disk : NULL,
        .blocks = node->kv,
        .seed = 7 + node->index + 100 * node->life,
    };

    memcpy(options.chain_id, world.block_0.chain_id, HASH_BYTES);
    memcpy(options.params_hash, world.block_0.params_hash, HASH_BYTES);
    if (member) {
        memcpy(options.own_key, world.set.members[node->index].consensus_key, 32);
    }
    return options;
}

/* Make the driver; gives what driver_open said. */
static enum err node_open(struct node *node)
{
    const struct driver_options options = options_of(node);
    const struct ports ports = ports_of(node);
    enum err error;

    node->life += 1;
    node->sync = NULL;
    node->deadline_ms = UINT64_MAX;
    CHECK(arena_open(&node->arena, driver_footprint(&options)) == ERR_OK);
    node->up = true; /* it may send from now on */
    error = driver_open(&options, &ports, &node->arena, &node->driver, &node->found);
    if (error != ERR_OK) {
        node->up = false;
        arena_close(&node->arena);
    }
    return error;
}

static void sessions_open(struct node *node)
{
    for (uint32_t i = 0; i < world.n + world.full; i++) {
        struct node *other = &world.nodes[i];

        if (other->up && other != node && !world.cut[i] && !world.cut[node->index]) {
            driver_session(node->driver, peer_number(i), SX_SESSION_OPENED);
            driver_session(other->driver, peer_number(node->index), SX_SESSION_OPENED);
        }
    }
}

static void node_start(uint32_t index)
{
    CHECK(node_open(&world.nodes[index]) == ERR_OK);
    sessions_open(&world.nodes[index]);
}

/* The process ends; `power`: what was not synced is lost in part. */
static void node_stop(uint32_t index, bool power)
{
    struct node *node = &world.nodes[index];

    if (!node->up) {
        return;
    }
    node->up = false;
    arena_close(&node->arena);
    node->driver = NULL;
    if (power) {
        struct random random = {world.now_ms + index};

        disk_memory_cut(&node->disk, &random);
        kv_memory_crash(node->kv, 0);
    }
    node->pool_count = 0;
    node->seen_count = 0;
    node->executed_count = 0;
    node->fatal = ERR_OK;
    node->sync_error = ERR_OK;
    node->write_error = ERR_OK;
    if (node->forgets) {
        node->applied = 0;
        node->final_tx_count = 0;
    }
    for (uint32_t i = 0; i < world.n + world.full; i++) {
        if (world.nodes[i].up) {
            driver_session(world.nodes[i].driver, peer_number(index), SX_SESSION_CLOSED);
        }
    }
}

static void node_link(uint32_t index, bool linked)
{
    world.cut[index] = !linked;
    for (uint32_t i = 0; i < world.n + world.full; i++) {
        if (i != index && world.nodes[i].up && world.nodes[index].up) {
            const enum sx_session what = linked ? SX_SESSION_OPENED : SX_SESSION_CLOSED;

            driver_session(world.nodes[i].driver, peer_number(index), what);
            driver_session(world.nodes[index].driver, peer_number(i), what);
        }
    }
}

static void world_init(uint32_t n, uint32_t full)
{
    struct block_header *block_0 = &world.block_0;
    uint8_t hash[HASH_BYTES];

    memset(&world, 0, sizeof world);
    world.n = n;
    world.full = full;
    world.set.count = (uint16_t)n;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t best[32];

        do { /* seeds in ascending order of the public key: a member's index is its place */
            world.secrets[i][0] += 1;
            world.secrets[i][1] = (uint8_t)(i * 50);
            ed25519_public(world.secrets[i], best);
        } while (best[0] / 32 != i || world.secrets[i][0] == 0);
        memcpy(world.set.members[i].consensus_key, best, 32);
        world.set.members[i].node_key[0] = (uint8_t)i;
    }
    CHECK(validators_ordered(&world.set));
    block_0->version = BLOCK_VERSION;
    block_0->flags = BLOCK_EPOCH_END;
    memset(block_0->chain_id, 0xc1, HASH_BYTES);
    memset(block_0->params_hash, 0xaa, HASH_BYTES);
    validators_hash(&world.set, block_0->next_valset_hash);
    block_0->time_ms = 1000;
    block_header_hash(block_0, hash);
    validators_order(&world.set, hash, &world.order);
    for (uint32_t i = 0; i < n + full; i++) {
        struct node *node = &world.nodes[i];
        const struct driver_options options = options_of(node);

        node->index = i;
        node->kv = kv_memory_open();
        disk_memory_init(&node->disk);
        if (i < n) {
            CHECK(vote_log_create(&node->disk.disk, &options.log,
                                  world.set.members[i].consensus_key) == ERR_OK);
        }
    }
}

static void world_start(uint32_t n, uint32_t full)
{
    world_init(n, full);
    for (uint32_t i = 0; i < n + full; i++) {
        node_start(i);
    }
}

static void world_end(void)
{
    for (uint32_t i = 0; i < world.n + world.full; i++) {
        if (world.nodes[i].up) {
            arena_close(&world.nodes[i].arena);
        }
        kv_close(world.nodes[i].kv);
        disk_memory_clear(&world.nodes[i].disk);
    }
    while (world.events != NULL) {
        struct event *event = world.events;

        world.events = event->next;
        free(event->bytes);
        free(event);
    }
}

/* ---- time ---- */

static void event_sync(struct node *node)
{
    const struct vote_log_sync *sync = node->sync;

    for (uint32_t i = 0; i < sync->segment_count; i++) {
        CHECK(node->disk.disk.sync(&node->disk, sync->segments[i]) == ERR_OK);
    }
    node->sync = NULL;
    driver_log_synced(node->driver, node->sync_error);
}

static void event_verify(struct node *node, const struct event *event)
{
    const struct verify_context context = {.epoch = 1, .set = &world.set, .order = &world.order};
    struct verify_context with_chain = context;
    struct verified_message message;
    enum verify_fault fault;

    memcpy(with_chain.chain_id, world.block_0.chain_id, HASH_BYTES);
    fault =
        verify_message(&with_chain, bytes_of(event->bytes, event->count), event->known, &message);
    driver_verified(node->driver, event->ticket, fault, &message);
}

static void event_run(const struct event *event)
{
    struct node *node = &world.nodes[event->node];

    if (!node->up || event->life != node->life) {
        return;
    }
    switch (event->kind) {
    case EVENT_MESSAGE:
        if (!world.cut[event->node] && !world.cut[event->from]) {
            driver_receive(node->driver, peer_number(event->from),
                           bytes_of(event->bytes, event->count));
        }
        break;
    case EVENT_VERIFY:
        event_verify(node, event);
        break;
    case EVENT_SYNC:
        event_sync(node);
        break;
    case EVENT_WRITE:
        if (node->write_error == ERR_OK) {
            CHECK(kv_write(node->kv, event->batch, event->sync) == ERR_OK);
        }
        driver_written(node->driver, event->ticket, node->write_error);
        break;
    }
    if (node->fatal == ERR_OK) {
        driver_check(node->driver);
    }
}

/* The next event or deadline, at `until_ms` at the latest. */
static bool world_step(uint64_t until_ms)
{
    struct node *due = NULL;
    struct event *event = world.events;

    for (uint32_t i = 0; i < world.n + world.full; i++) {
        struct node *node = &world.nodes[i];

        if (node->up && node->fatal == ERR_OK &&
            (due == NULL || node->deadline_ms < due->deadline_ms)) {
            due = node;
        }
    }
    if (event != NULL && event->at_ms <= until_ms &&
        (due == NULL || event->at_ms <= due->deadline_ms)) {
        world.events = event->next;
        world.now_ms = event->at_ms > world.now_ms ? event->at_ms : world.now_ms;
        event_run(event);
        free(event->bytes);
        free(event);
        return true;
    }
    if (due != NULL && due->deadline_ms <= until_ms) {
        world.now_ms = due->deadline_ms > world.now_ms ? due->deadline_ms : world.now_ms;
        due->deadline_ms = UINT64_MAX;
        driver_tick(due->driver);
        return true;
    }
    world.now_ms = until_ms;
    return false;
}

static void world_run(uint64_t ms)
{
    const uint64_t until = world.now_ms + ms;
    uint32_t steps = 0;

    while (world_step(until)) {
        CHECK(steps++ < 5000000);
    }
}

/* Until all nodes that are up have this height. */
static void run_until_height(uint64_t height, uint64_t limit_ms)
{
    const uint64_t until = world.now_ms + limit_ms;

    for (;;) {
        uint64_t lowest = UINT64_MAX;

        for (uint32_t i = 0; i < world.n + world.full; i++) {
            if (world.nodes[i].up && !world.cut[i] && world.nodes[i].final_height < lowest) {
                lowest = world.nodes[i].final_height;
            }
        }
        if (lowest >= height) {
            return;
        }
        if (!world_step(until)) {
            CHECK_U64(lowest, >=, height);
        }
    }
}

static void submit(uint32_t node, uint64_t number)
{
    uint8_t transaction[TX_BYTES] = {0};

    memcpy(transaction, &number, sizeof number);
    CHECK(driver_submit(world.nodes[node].driver, bytes_of(transaction, sizeof transaction)) ==
          APP_ADMITTED);
}

static void run_until_txs(uint32_t node, uint32_t count, uint64_t limit_ms)
{
    const uint64_t until = world.now_ms + limit_ms;

    while (world.nodes[node].final_tx_count < count) {
        CHECK(world_step(until));
    }
}

/* ---- tests ---- */

TEST(one_validator_finalizes_and_restarts)
{
    world_start(1, 0);
    CHECK(world.nodes[0].found.state == VOTE_LOG_WHOLE);
    for (uint64_t i = 1; i <= 20; i++) {
        submit(0, i);
        run_until_txs(0, (uint32_t)i, 3000);
        if (i % 5 == 0) {
            node_stop(0, i % 2 == 0);
            node_start(0);
            CHECK(world.nodes[0].found.state == VOTE_LOG_WHOLE);
            CHECK_U64(driver_blocks(world.nodes[0].driver)->final.height, ==,
                      world.nodes[0].final_height);
        }
    }
    CHECK_U64(world.nodes[0].final_height, >=, 20);
    world_end();
}

TEST(four_validators_agree)
{
    struct sx_summary summary;

    world_start(4, 0);
    for (uint64_t i = 1; i <= 100; i++) {
        submit((uint32_t)(i % 4), i);
        world_run(15);
    }
    for (uint32_t i = 0; i < 4; i++) {
        run_until_txs(i, 100, 5000);
    }
    run_until_height(world.nodes[0].final_height, 2000);
    CHECK_U64(world.nodes[0].final_height, >=, 10);
    driver_summary(world.nodes[0].driver, &summary);
    CHECK_U64(summary.final_height, ==, world.nodes[0].final_height);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_U64(world.nodes[i].faults, ==, 0);
        CHECK_U64(world.nodes[i].diverged, ==, 0);
        CHECK(world.nodes[i].fatal == ERR_OK);
    }
    world_end();
}

TEST(an_idle_chain_is_silent)
{
    uint64_t height;
    uint64_t sent;

    world_start(4, 0);
    submit(0, 1);
    run_until_height(1, 3000);
    world_run(15000);
    height = world.nodes[0].final_height;
    sent = world.sent;
    world_run(30000);
    CHECK_U64(world.nodes[0].final_height, ==, height);
    CHECK_U64(world.sent - sent, <=, 3 * 12 + 12); /* STATUS of each to each, every 10 s */
    world_end();
}

/* All lose power at any moment, again and again: they agree, go on, and no transaction is in two blocks. */
TEST(four_validators_survive_power_cuts)
{
    struct random random = {11};
    uint64_t number = 0;

    world_start(4, 0);
    for (uint32_t round = 0; round < 12; round++) {
        for (uint32_t i = 0; i < 4; i++) {
            submit(i, ++number);
        }
        world_run(random_below(&random, 120));
        for (uint32_t i = 0; i < 4; i++) {
            node_stop(i, true);
        }
        for (uint32_t i = 0; i < 4; i++) {
            node_start(i);
            CHECK(world.nodes[i].found.state == VOTE_LOG_WHOLE);
        }
        submit(round % 4, ++number);
        run_until_txs(round % 4, world.nodes[round % 4].final_tx_count + 1, 20000);
    }
    run_until_height(world.nodes[0].final_height, 20000);
    world_end();
}

/* The application's store lost what was not synced: the driver replays final blocks into it. */
TEST(final_blocks_are_replayed_into_the_application)
{
    uint64_t height;

    world_start(1, 0);
    world.nodes[0].forgets = true;
    for (uint64_t i = 1; i <= 10; i++) {
        submit(0, i);
        run_until_txs(0, (uint32_t)i, 3000);
    }
    height = world.nodes[0].final_height;
    node_stop(0, false);
    CHECK_U64(world.nodes[0].applied, ==, 0);
    node_start(0);
    CHECK_U64(world.nodes[0].applied, ==, height);
    CHECK_U64(world.nodes[0].final_tx_count, ==, 10);
    node_stop(0, false);
    world.nodes[0].wrong_root = true; /* another program, another result: it must not start */
    CHECK(node_open(&world.nodes[0]) == ERR_CORRUPT);
    CHECK_U64(world.nodes[0].diverged, ==, 1);
    world_end();
}

/* 8.18: a validator that was away, and a full node, catch up by ranges. */
TEST(who_was_away_catches_up)
{
    world_start(4, 1);
    submit(0, 1);
    run_until_height(1, 3000);
    node_link(3, false);
    for (uint64_t i = 2; i <= 120; i++) {
        submit((uint32_t)(i % 3), i);
        world_run(25);
    }
    run_until_txs(0, 120, 20000);
    CHECK_U64(world.nodes[0].final_height, >=, 20);
    CHECK_U64(world.nodes[3].final_height, <=, 2);
    node_link(3, true);
    run_until_height(world.nodes[0].final_height, 30000);
    CHECK_U64(world.nodes[3].final_height, >=, world.nodes[0].final_height);
    CHECK_U64(world.nodes[4].final_height, >=, world.nodes[0].final_height);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_U64(world.nodes[i].faults, ==, 0);
    }
    world_end();
}

/* A full node that starts late, with an empty store, and one that restarts. */
TEST(a_full_node_follows)
{
    world_init(4, 1);
    for (uint32_t i = 0; i < 4; i++) {
        node_start(i);
    }
    for (uint64_t i = 1; i <= 60; i++) {
        submit((uint32_t)(i % 4), i);
        world_run(40);
    }
    run_until_txs(0, 60, 5000);
    node_start(4);
    CHECK(world.nodes[4].found.state == VOTE_LOG_ABSENT);
    run_until_height(world.nodes[0].final_height, 10000);
    submit(4, 1000); /* it hands on what its clients give it */
    run_until_txs(0, 61, 5000);
    run_until_txs(4, 61, 5000);
    node_stop(4, true);
    submit(1, 1001);
    run_until_txs(1, 62, 5000);
    node_start(4);
    run_until_txs(4, 62, 5000);
    world_end();
}

static bool drop_bodies(uint32_t from, uint32_t to, struct bytes message)
{
    (void)from;
    return to == 2 && message.at[0] == WIRE_PROPOSAL;
}

/* Proposals never reach one node: it fetches the blocks that certificates name. */
TEST(bodies_are_fetched)
{
    world_start(4, 0);
    world.drop = drop_bodies;
    for (uint64_t i = 1; i <= 20; i++) {
        submit(0, i);
        world_run(60);
    }
    for (uint32_t i = 0; i < 4; i++) {
        run_until_txs(i, 20, 10000);
    }
    CHECK_U64(world.dropped, >, 3);
    world_end();
}

/* A10: what the disk says no to ends the node; the others go on. */
TEST(a_failed_disk_stops_the_node)
{
    uint64_t sent;

    world_start(4, 0);
    submit(0, 1);
    run_until_height(1, 3000);
    world.nodes[1].sync_error = ERR_IO;
    submit(0, 2);
    run_until_txs(0, 2, 5000);
    world_run(1000);
    CHECK(world.nodes[1].fatal == ERR_IO);
    sent = world.sent;
    driver_tick(world.nodes[1].driver);
    CHECK_U64(world.sent, ==, sent);
    node_stop(1, true);
    world.nodes[2].write_error = ERR_NO_SPACE;
    node_start(1);
    submit(0, 3);
    run_until_txs(0, 3, 20000);
    world_run(2000);
    CHECK(world.nodes[2].fatal == ERR_NO_SPACE);
    world_end();
}

/* 8.11, A14: a lost, foreign, or older vote log makes a node that follows and signs nothing. */
TEST(a_lost_or_older_log_signs_nothing)
{
    struct disk_memory old;
    struct sx_summary summary;
    uint32_t before;

    world_start(4, 0);
    submit(0, 1);
    run_until_height(1, 3000);
    node_stop(1, false);
    disk_memory_copy(&old, &world.nodes[1].disk);
    node_start(1);
    for (uint64_t i = 2; i <= 10; i++) {
        submit(0, i);
        world_run(100);
    }
    run_until_txs(1, 10, 5000);
    node_stop(1, false);
    disk_memory_clear(&world.nodes[1].disk);
    disk_memory_copy(&world.nodes[1].disk, &old);
    node_start(1);
    CHECK(world.nodes[1].found.state == VOTE_LOG_WHOLE);
    driver_summary(world.nodes[1].driver, &summary);
    CHECK(!summary.votes);
    before = world.nodes[1].final_tx_count;
    submit(0, 11);
    run_until_txs(1, before + 1, 20000);
    node_stop(1, false);
    disk_memory_clear(&world.nodes[1].disk);
    node_start(1);
    CHECK(world.nodes[1].found.state == VOTE_LOG_ABSENT);
    driver_summary(world.nodes[1].driver, &summary);
    CHECK(!summary.votes);
    submit(0, 12);
    run_until_txs(1, before + 2, 20000);
    disk_memory_clear(&old);
    world_end();
}

/* What strangers say: nothing of it aborts, and what is wrong is charged. */
TEST(garbage_is_charged_or_dropped)
{
    struct random random = {3};
    uint8_t bytes[400];

    world_start(4, 1);
    submit(0, 1);
    run_until_height(1, 3000);
    for (uint32_t round = 0; round < 20000; round++) {
        const size_t count = random_below(&random, sizeof bytes);
        const uint32_t peer = random_below(&random, 2) == 0 ? 1 : PEER_FULL;

        for (size_t i = 0; i < count; i++) {
            bytes[i] = (uint8_t)random_next(&random);
        }
        bytes[0] = (uint8_t)(random_next(&random) % 0x71);
        driver_receive(world.nodes[0].driver, peer, bytes_of(bytes, count));
    }
    driver_receive(world.nodes[0].driver, 0, bytes_of(bytes, 10));  /* itself */
    driver_receive(world.nodes[0].driver, 77, bytes_of(bytes, 10)); /* nobody */
    driver_receive(world.nodes[0].driver, UINT32_MAX, bytes_of(bytes, 10));
    world_run(3000);
    CHECK_U64(world.nodes[0].faults, >, 1000);
    submit(0, 2);
    run_until_height(2, 5000);
    world_end();
}

TESTS(TEST_ENTRY(one_validator_finalizes_and_restarts), TEST_ENTRY(four_validators_agree),
      TEST_ENTRY(an_idle_chain_is_silent), TEST_ENTRY(four_validators_survive_power_cuts),
      TEST_ENTRY(final_blocks_are_replayed_into_the_application),
      TEST_ENTRY(who_was_away_catches_up), TEST_ENTRY(a_full_node_follows),
      TEST_ENTRY(bodies_are_fetched), TEST_ENTRY(a_failed_disk_stops_the_node),
      TEST_ENTRY(a_lost_or_older_log_signs_nothing), TEST_ENTRY(garbage_is_charged_or_dropped))

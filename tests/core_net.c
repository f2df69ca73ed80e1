#include "tests/core_net.h"

#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "proto/record.h"
#include "tests/check.h"

enum item_kind { ITEM_MESSAGE, ITEM_EVENT };

struct net_item {
    uint64_t at_ms;
    uint64_t order;
    uint32_t to;
    uint32_t from;
    enum item_kind kind;
    uint8_t *bytes; /* message, or a copy of what the event points to */
    size_t count;
    bool body; /* the message carried its block's body */
    struct sx_event event;
};

static void *net_copy(const void *from, size_t count)
{
    void *copy = malloc(count != 0 ? count : 1);

    INVARIANT(copy != NULL);
    memcpy(copy, from, count);
    return copy;
}

static struct net_item *item_add(struct net *net, uint64_t at_ms, uint32_t to)
{
    struct net_item *item;

    INVARIANT(net->item_count < NET_QUEUE_MAX);
    item = &net->items[net->item_count];
    memset(item, 0, sizeof *item);
    item->at_ms = at_ms;
    item->order = net->next_item;
    item->to = to;
    net->next_item += 1;
    net->item_count += 1;
    return item;
}

static struct net_block *block_of(const struct net *net, const uint8_t *hash)
{
    for (uint32_t i = net->block_count; i > 0; i--) {
        if (hash_equal(net->blocks[i - 1].hash, hash)) {
            return &net->blocks[i - 1];
        }
    }
    return NULL;
}

const struct net_block *net_find_block(const struct net *net, const uint8_t *hash)
{
    return block_of(net, hash);
}

struct net_block *net_block_put(struct net *net, const struct block_header *header)
{
    struct net_block *block;
    uint8_t hash[HASH_BYTES];

    block_header_hash(header, hash);
    block = block_of(net, hash);
    if (block != NULL) {
        return block;
    }
    INVARIANT(net->block_count < NET_BLOCKS_MAX);
    block = &net->blocks[net->block_count];
    net->block_count += 1;
    memset(block, 0, sizeof *block);
    memcpy(block->hash, hash, HASH_BYTES);
    block->header = *header;
    return block;
}

void net_open(struct net *net, uint32_t n)
{
    uint8_t seed = 1;

    net_close(net); /* of a test that failed */
    memset(net, 0, sizeof *net);
    net->n = n;
    net->now_ms = 1000;
    net->wall_ms = UINT64_C(1700000000000);
    net->items = malloc(NET_QUEUE_MAX * sizeof *net->items);
    net->blocks = malloc(NET_BLOCKS_MAX * sizeof *net->blocks);
    INVARIANT(net->items != NULL && net->blocks != NULL);
    net->set.count = (uint16_t)n;
    for (uint32_t i = 0; i < n; i++) { /* ascending by key: an insertion sort of test keys */
        uint8_t secret[32] = {0};
        uint8_t key[32];
        uint32_t place = i;

        secret[0] = seed;
        secret[31] = 0x7e; /* a test key */
        seed += 1;
        ed25519_public(secret, key);
        while (place > 0 && memcmp(net->set.members[place - 1].consensus_key, key, 32) > 0) {
            net->set.members[place] = net->set.members[place - 1];
            memcpy(net->secrets[place], net->secrets[place - 1], 32);
            place -= 1;
        }
        memset(&net->set.members[place], 0, sizeof net->set.members[place]);
        memcpy(net->set.members[place].consensus_key, key, 32);
        memcpy(net->secrets[place], secret, 32);
    }
    memset(net->chain_id, 7, HASH_BYTES);
    net->genesis = (struct block_header){.version = BLOCK_VERSION, .flags = BLOCK_EPOCH_END};
    memcpy(net->genesis.chain_id, net->chain_id, HASH_BYTES);
    net->genesis.time_ms = net->wall_ms - 10000;
    validators_hash(&net->set, net->genesis.next_valset_hash);
    memset(net->genesis.params_hash, 9, HASH_BYTES);
    block_header_hash(&net->genesis, net->genesis_hash);
    validators_order(&net->set, net->genesis_hash, &net->order);
    net->params = (struct sx_params){.delta_ms = NET_DELTA_MS,
                                     .min_interval_ms = 20,
                                     .precision_ms = 100,
                                     .late_bound_ms = 5000,
                                     .propose_depth = 8,
                                     .vote_depth = 16};
    memcpy(net->finals[0], net->genesis_hash, HASH_BYTES);
    for (uint32_t i = 0; i < n; i++) {
        struct net_node *node = &net->nodes[i];

        node->records = malloc(NET_RECORDS_MAX * sizeof *node->records);
        INVARIANT(node->records != NULL);
        node->final = net_candidate(0, 0, net->genesis_hash);
        node->final_header = net->genesis;
        node->deadline_ms = UINT64_MAX;
    }
}

void net_close(struct net *net)
{
    for (uint32_t i = 0; i < net->n; i++) {
        struct net_node *node = &net->nodes[i];

        for (uint32_t r = 0; r < node->record_count; r++) {
            free((void *)(uintptr_t)node->records[r].bytes.at);
        }
        free(node->records);
        arena_close(&node->arena);
    }
    for (uint32_t i = 0; i < net->item_count; i++) {
        free(net->items[i].bytes);
    }
    free(net->items);
    free(net->blocks);
    memset(net, 0, sizeof *net);
}

struct candidate net_candidate(uint64_t view, uint64_t parent_view, const uint8_t *hash)
{
    struct candidate candidate = {.epoch = 1, .view = view, .parent_view = parent_view};

    if (hash != NULL) {
        memcpy(candidate.block_hash, hash, HASH_BYTES);
    }
    return candidate;
}

uint32_t net_leader(const struct net *net, uint64_t view)
{
    return validators_leader(&net->order, view);
}

struct sx_summary net_summary(const struct net *net, uint32_t node)
{
    struct sx_summary summary;

    sx_summary(net->nodes[node].sx, &summary);
    return summary;
}

/* The host. */

static struct net_item *event_add(struct net *net, uint32_t node, enum sx_event_kind kind)
{
    struct net_item *item = item_add(net, net->now_ms, node);

    item->kind = ITEM_EVENT;
    item->event.kind = kind;
    return item;
}

static void host_work(struct net *net, uint32_t node, const uint8_t *tip)
{
    struct net_item *item = event_add(net, node, SX_WORK);
    const struct net_block *block = block_of(net, tip);
    uint64_t above = 0;

    if (block != NULL && block->header.height > net->nodes[node].final_header.height) {
        above = block->header.height - net->nodes[node].final_header.height;
    }
    item->bytes = net_copy(tip, HASH_BYTES);
    item->event.work.tip = item->bytes;
    item->event.work.present = net->nodes[node].pending > above;
}

static struct block_header header_on(const struct net *net, const struct block_header *parent,
                                     uint64_t view, uint64_t time_ms)
{
    struct block_header header = {.version = BLOCK_VERSION, .epoch = 1, .view = view};

    memcpy(header.chain_id, net->chain_id, HASH_BYTES);
    block_header_hash(parent, header.parent_hash);
    header.height = parent->height + 1;
    header.time_ms = time_ms;
    header.proposer = (uint16_t)net_leader(net, view);
    validators_hash(&net->set, header.valset_hash);
    memcpy(header.params_hash, net->genesis.params_hash, HASH_BYTES);
    header.tx_count = 1;
    return header;
}

static const struct block_header *header_of(const struct net *net, const uint8_t *hash)
{
    const struct net_block *block = block_of(net, hash);

    if (hash_equal(hash, net->genesis_hash)) {
        return &net->genesis;
    }
    INVARIANT(block != NULL);
    return &block->header;
}

struct net_block *net_block(struct net *net, const struct block_header *parent, uint64_t view,
                            uint64_t salt)
{
    struct block_header header =
        header_on(net, parent, view,
                  parent->time_ms < net->wall_ms ? net->wall_ms + salt % 50
                                                 : parent->time_ms + 1 + salt % 50);

    header.units_used = salt;
    return net_block_put(net, &header);
}

static void host_build(struct net *net, uint32_t node, const struct sx_out *out)
{
    struct net_item *item = event_add(net, node, SX_BUILT);
    const struct block_header *parent = header_of(net, out->build.parent);
    struct block_header header;
    struct net_block *block;

    item->event.built.view = out->build.view;
    if (net->nodes[node].pending <= parent->height - net->nodes[node].final_header.height) {
        return;
    }
    header = header_on(net, parent, out->build.view, out->build.time_ms);
    header.units_used = net->next_item; /* never the same block twice, so that a second one shows */
    block = net_block_put(net, &header);
    block->held |= 1U << node;
    item->bytes = net_copy(&block->header, sizeof block->header);
    item->event.built.header = (const struct block_header *)(const void *)item->bytes;
}

static void host_execute(struct net *net, uint32_t node, const uint8_t *hash, const uint8_t *parent)
{
    struct net_item *item = event_add(net, node, SX_EXECUTED);
    const struct net_block *block = block_of(net, hash);

    INVARIANT(block != NULL && hash_equal(block->header.parent_hash, parent));
    item->bytes = net_copy(hash, HASH_BYTES);
    item->event.executed.block = item->bytes;
    item->event.executed.verdict = (block->held >> node & 1) == 0 ? SX_MISSING
                                   : block->invalid               ? SX_INVALID
                                                                  : SX_VALID;
}

static void host_body(struct net *net, uint64_t at_ms, uint32_t node, const uint8_t *hash)
{
    struct net_item *item = item_add(net, at_ms, node);
    struct net_block *block = block_of(net, hash);

    INVARIANT(block != NULL);
    item->kind = ITEM_EVENT;
    item->event.kind = SX_BODY;
    block->held |= 1U << node;
    item->bytes = net_copy(block, sizeof *block);
    item->event.body.block = ((const struct net_block *)(const void *)item->bytes)->hash;
    item->event.body.header = &((const struct net_block *)(const void *)item->bytes)->header;
}

static void host_record(struct net *net, uint32_t node, uint64_t seq, struct bytes record,
                        const uint8_t *body)
{
    struct net_node *host = &net->nodes[node];
    struct net_record *kept = &host->records[host->record_count];

    INVARIANT(host->record_count < NET_RECORDS_MAX);
    INVARIANT(host->record_count == 0 || seq == kept[-1].seq + 1);
    INVARIANT((record.at[0] == RECORD_BLOCK) == (body != NULL));
    kept->seq = seq;
    kept->bytes = bytes_of(net_copy(record.at, record.count), record.count);
    host->record_count += 1;
    if (body != NULL) {
        INVARIANT((block_of(net, body)->held >> node & 1) != 0);
        block_of(net, body)->durable |= 1U << node;
    }
}

void net_sync(struct net *net, uint32_t node)
{
    struct net_node *host = &net->nodes[node];

    if (host->record_count != 0 && host->records[host->record_count - 1].seq > host->recorded_seq) {
        host->recorded_seq = host->records[host->record_count - 1].seq;
        event_add(net, node, SX_RECORDED)->event.recorded_seq = host->recorded_seq;
    }
}

static void host_sign(struct net *net, uint32_t node, uint32_t request, uint64_t after_seq,
                      struct bytes statement)
{
    struct net_item *item = event_add(net, node, SX_SIGNED);

    INVARIANT(after_seq <= net->nodes[node].recorded_seq);
    item->event.signed_.request = request;
    if (!net->nodes[node].signer_refuses) {
        uint8_t signature[SIGNATURE_BYTES];

        ed25519_sign(net->secrets[node], statement, signature);
        item->bytes = net_copy(signature, sizeof signature);
        item->event.signed_.signature = item->bytes;
    }
}

static void net_message(struct net *net, uint32_t from, uint32_t to, struct bytes message,
                        bool body)
{
    struct net_item *item;

    if (from == to || to >= net->n ||
        (net->filter != NULL && !net->filter(net, from, to, message)) || !net->nodes[to].up) {
        return;
    }
    item = item_add(net, net->now_ms + NET_DELAY_MS, to);
    item->from = from;
    item->bytes = net_copy(message.at, message.count);
    item->count = message.count;
    item->body = body;
}

static void host_send(struct net *net, uint32_t node, uint32_t to, uint64_t after_seq,
                      struct bytes message, const uint8_t *body)
{
    struct net_node *host = &net->nodes[node];

    INVARIANT(after_seq <= host->recorded_seq);
    INVARIANT(body == NULL || (block_of(net, body)->held >> node & 1) != 0);
    if (message.at[0] != WIRE_STATUS && to != SX_TO_FULL_NODES) {
        host->sent += 1;
        host->last_sent_ms = net->now_ms;
    }
    net->sent_final += message.at[0] == WIRE_CERT && message.at[1] == VOTE_FINALIZE ? 1 : 0;
    if (message.at[0] == WIRE_PROPOSAL && !hash_equal(host->last_proposal, message.at + 25)) {
        host->proposals += 1;
        memcpy(host->last_proposal, message.at + 25, HASH_BYTES);
    }
    if (to == SX_TO_ALL) {
        for (uint32_t i = 0; i < net->n; i++) {
            net_message(net, node, i, message, body != NULL);
        }
    } else if (to != SX_TO_FULL_NODES) {
        net_message(net, node, to, message, body != NULL);
    }
}

static void host_commit(struct net *net, uint32_t node, const struct sx_out *out)
{
    struct net_node *host = &net->nodes[node];
    struct net_item *item;

    for (uint32_t i = 0; i < out->commit_count; i++) {
        const struct net_block *block = block_of(net, out->commits[i]);
        const uint64_t height = block->header.height;

        INVARIANT(height == host->final_header.height + 1);
        if (bytes_zero(net->finals[height], HASH_BYTES)) {
            memcpy(net->finals[height], block->hash, HASH_BYTES);
        }
        INVARIANT(hash_equal(net->finals[height], block->hash)); /* no fork */
        host->final_header = block->header;
        host->finals += 1;
        host->pending -= host->pending != 0 ? 1 : 0;
    }
    INVARIANT(out->commit_final.view > host->final.view);
    host->final = out->commit_final;
    host->certificate_bytes = out->commit_certificate->encoded.count;
    memcpy(host->certificate, out->commit_certificate->encoded.at, host->certificate_bytes);
    item = event_add(net, node, SX_COMMITTED);
    item->event.committed.final = host->final;
    item->event.committed.header = host->final_header;
    item->bytes = net_copy(host->certificate, host->certificate_bytes);
    item->event.committed.certificate = bytes_of(item->bytes, host->certificate_bytes);
}

static void host_fetch(struct net *net, uint32_t node, const uint8_t *hash)
{
    const struct net_block *block = block_of(net, hash);
    uint32_t holders = 0;

    for (uint32_t i = 0; block != NULL && i < net->n; i++) {
        if (net->nodes[i].up) {
            holders |= block->held & 1U << i;
        }
    }
    if (holders != 0) {
        host_body(net, net->now_ms + 2 * NET_DELAY_MS, node, hash);
    }
}

static void net_out(struct net *net, uint32_t node, const struct sx_out *out)
{
    struct net_node *host = &net->nodes[node];

    for (uint32_t i = 0; i < out->execute_count; i++) {
        host_execute(net, node, out->executes[i].block, out->executes[i].parent);
    }
    if (out->build.wanted) {
        host_build(net, node, out);
    }
    for (uint32_t i = 0; i < out->record_count; i++) {
        host_record(net, node, out->records[i].seq, out->records[i].record, out->records[i].body);
    }
    if (!host->slow_disk) {
        net_sync(net, node);
    }
    for (uint32_t i = 0; i < out->sign_count; i++) {
        host_sign(net, node, out->signs[i].request, out->signs[i].after_seq,
                  out->signs[i].statement);
    }
    for (uint32_t i = 0; i < out->send_count; i++) {
        host_send(net, node, out->sends[i].to, out->sends[i].after_seq, out->sends[i].message,
                  out->sends[i].body);
    }
    for (uint32_t i = 0; i < out->fetch_count; i++) {
        host_fetch(net, node, out->fetches[i].block);
    }
    if (out->commit_certificate != NULL) {
        host_commit(net, node, out);
    }
    if (out->tip.changed) {
        host->tip_known = out->tip.known;
        memcpy(host->tip, out->tip.block, HASH_BYTES);
    }
    if (host->tip_known && (out->tip.changed || out->commit_certificate != NULL)) {
        host_work(net, node, host->tip);
    }
    if (out->evidence.first != NULL) {
        host->evidence_count += 1;
        host->evidence[0] = *out->evidence.first;
        host->evidence[1] = *out->evidence.second;
    }
    if (out->report.what != SX_REPORT_NONE) {
        host->report = out->report.what;
    }
    if (out->free_seq != 0) {
        INVARIANT(out->free_seq >= host->freed_seq);
        host->freed_seq = out->free_seq;
    }
    host->deadline_ms = out->deadline_ms;
}

static void net_step(struct net *net, uint32_t node, struct sx_event *event)
{
    static struct sx_out out;
    struct net_node *host = &net->nodes[node];
    uint32_t more = 0;

    event->now_ms = net->now_ms;
    event->wall_ms = net->wall_ms;
    sx_step(host->sx, event, &out);
    net_out(net, node, &out);
    while (out.more) {
        struct sx_event rest = {.kind = SX_MORE, .now_ms = net->now_ms, .wall_ms = net->wall_ms};

        more += 1;
        INVARIANT(more < 1000);
        sx_step(host->sx, &rest, &out);
        net_out(net, node, &out);
    }
    sx_check(host->sx);
}

static void net_session(struct net *net, uint32_t node, uint32_t peer, enum sx_session what)
{
    struct sx_event event = {.kind = SX_SESSION, .session = {.peer = peer, .what = what}};

    net_step(net, node, &event);
}

void net_up(struct net *net, uint32_t node)
{
    struct net_node *host = &net->nodes[node];
    struct sx_start start = {.own_index = (uint16_t)node,
                             .epoch = 1,
                             .set = &net->set,
                             .order = &net->order,
                             .params = net->params,
                             .final = host->final,
                             .final_header = host->final_header,
                             .bodies_max = NET_BODIES,
                             .record_whole = host->report != SX_REPORT_LOST_DATA,
                             .seed = node + 1};
    struct sx_event event = {.kind = SX_START, .start = &start};
    struct certificate certificate;

    INVARIANT(!host->up);
    memcpy(start.chain_id, net->chain_id, HASH_BYTES);
    validators_hash(&net->set, start.valset_hash);
    memcpy(start.params_hash, net->genesis.params_hash, HASH_BYTES);
    if (host->certificate_bytes != 0) {
        INVARIANT(certificate_decode(bytes_of(host->certificate, host->certificate_bytes),
                                     (uint16_t)net->n, &certificate));
        start.final_certificate = &certificate;
    }
    arena_close(&host->arena);
    INVARIANT(arena_open(&host->arena, sx_footprint(net->n)) == ERR_OK);
    INVARIANT(sx_init(&host->arena, net->n, &host->sx) == ERR_OK);
    net_step(net, node, &event);
    for (uint32_t i = 0; i < host->record_count; i++) {
        struct sx_event restore = {
            .kind = SX_RESTORE,
            .restore = {.seq = host->records[i].seq, .record = host->records[i].bytes}};

        net_step(net, node, &restore);
    }
    host->up = true;
    event = (struct sx_event){.kind = SX_RESTORED};
    net_step(net, node, &event);
    for (uint32_t i = 0; i < net->n; i++) {
        if (i != node && net->nodes[i].up) {
            net_session(net, node, i, SX_SESSION_OPENED);
            net_session(net, i, node, SX_SESSION_OPENED);
        }
    }
}

void net_up_all(struct net *net)
{
    for (uint32_t i = 0; i < net->n; i++) {
        if (!net->nodes[i].up) {
            net_up(net, i);
        }
    }
}

void net_down(struct net *net, uint32_t node)
{
    struct net_node *host = &net->nodes[node];

    host->up = false;
    host->deadline_ms = UINT64_MAX;
    host->pending = 0;
    while (host->record_count != 0 &&
           host->records[host->record_count - 1].seq > host->recorded_seq) {
        host->record_count -= 1;
        free((void *)(uintptr_t)host->records[host->record_count].bytes.at);
    }
    for (uint32_t i = 0; i < net->block_count; i++) {
        net->blocks[i].held &= ~(1U << node);
        net->blocks[i].held |= net->blocks[i].durable & 1U << node;
    }
    for (uint32_t i = 0; i < net->n; i++) {
        if (net->nodes[i].up) {
            net_session(net, i, node, SX_SESSION_CLOSED);
        }
    }
}

void net_lose_log(struct net *net, uint32_t node)
{
    struct net_node *host = &net->nodes[node];

    while (host->record_count != 0) {
        host->record_count -= 1;
        free((void *)(uintptr_t)host->records[host->record_count].bytes.at);
    }
    host->recorded_seq = 0;
    host->freed_seq = 0;
    host->report = SX_REPORT_LOST_DATA;
}

void net_work(struct net *net, uint32_t node)
{
    net->nodes[node].pending += 1;
    if (net->nodes[node].up && net->nodes[node].tip_known) {
        host_work(net, node, net->nodes[node].tip);
    }
}

void net_work_all(struct net *net)
{
    for (uint32_t i = 0; i < net->n; i++) {
        net_work(net, i);
    }
}

/* Messages. */

static void net_deliver(struct net *net, const struct net_item *item)
{
    const struct verify_context context = {.epoch = 1, .set = &net->set, .order = &net->order};
    struct verify_context with_chain = context;
    struct sx_event event = {.kind = SX_MESSAGE, .message = {.peer = item->from}};
    const struct bytes message = bytes_of(item->bytes, item->count);
    static struct verified_message verified;
    enum verify_fault fault;

    memcpy(with_chain.chain_id, net->chain_id, HASH_BYTES);
    if (!sx_wants(net->nodes[item->to].sx, message)) {
        net->unwanted += 1;
        return;
    }
    fault = verify_message(&with_chain, message, 0, &verified);
    if (fault != VERIFY_OK) {
        net->refused += 1;
        return;
    }
    net->delivered += 1;
    event.message.message = &verified;
    net_step(net, item->to, &event);
    if (item->body) {
        host_body(net, net->now_ms, item->to, verified.proposal.candidate.block_hash);
    }
}

/* The next item in time, then in order. */
static bool item_next(struct net *net, uint64_t until, struct net_item *out)
{
    uint32_t best = UINT32_MAX;

    for (uint32_t i = 0; i < net->item_count; i++) {
        const struct net_item *item = &net->items[i];

        if (item->at_ms <= until &&
            (best == UINT32_MAX || item->at_ms < net->items[best].at_ms ||
             (item->at_ms == net->items[best].at_ms && item->order < net->items[best].order))) {
            best = i;
        }
    }
    if (best == UINT32_MAX) {
        return false;
    }
    *out = net->items[best];
    net->item_count -= 1;
    net->items[best] = net->items[net->item_count];
    return true;
}

static void net_clock(struct net *net, uint64_t now_ms)
{
    net->wall_ms += now_ms - net->now_ms;
    net->now_ms = now_ms;
}

static void net_ticks(struct net *net)
{
    for (uint32_t i = 0; i < net->n; i++) {
        struct sx_event event = {.kind = SX_TICK};

        if (net->nodes[i].up &&
            (net->nodes[i].deadline_ms <= net->now_ms || net->now_ms % 1000 == 0)) {
            net_step(net, i, &event);
        }
        if (net->nodes[i].up && net->now_ms % 1000 == 0) {
            for (uint32_t peer = 0; peer < net->n; peer++) {
                if (peer != i && net->nodes[peer].up) {
                    net_session(net, i, peer, SX_SESSION_HEARD);
                }
            }
        }
    }
}

void net_run(struct net *net, uint64_t milliseconds)
{
    const uint64_t end = net->now_ms + milliseconds;
    struct net_item item;

    for (;;) {
        while (item_next(net, net->now_ms, &item)) {
            if (net->nodes[item.to].up && item.kind == ITEM_MESSAGE) {
                net_deliver(net, &item);
            } else if (net->nodes[item.to].up) {
                net_step(net, item.to, &item.event);
            }
            free(item.bytes);
        }
        if (net->now_ms == end) {
            return;
        }
        net_clock(net, net->now_ms + 1);
        net_ticks(net);
    }
}

bool net_run_until(struct net *net, uint64_t height, uint64_t milliseconds)
{
    for (uint64_t passed = 0; passed < milliseconds; passed += 10) {
        bool all = true;

        for (uint32_t i = 0; i < net->n; i++) {
            all = all && (!net->nodes[i].up || net->nodes[i].final_header.height >= height);
        }
        if (all) {
            return true;
        }
        net_run(net, 10);
    }
    return false;
}

struct vote net_vote(const struct net *net, uint32_t member, enum vote_kind kind,
                     struct candidate candidate)
{
    struct vote vote = {.statement = {.kind = kind, .candidate = candidate},
                        .index = (uint16_t)member};
    uint8_t sign[STATEMENT_BYTES];

    statement_sign_bytes(net->chain_id, &vote.statement, sign);
    ed25519_sign(net->secrets[member], bytes_of(sign, sizeof sign), vote.signature);
    return vote;
}

struct certificate net_certificate(const struct net *net, enum vote_kind kind,
                                   struct candidate candidate, uint32_t members, uint8_t *memory)
{
    struct vote votes[NET_NODES_MAX];
    const uint8_t *signatures[NET_NODES_MAX] = {0};
    struct certificate certificate;

    for (uint32_t i = 0; i < net->n; i++) {
        if ((members >> i & 1) != 0) {
            votes[i] = net_vote(net, i, kind, candidate);
            signatures[i] = votes[i].signature;
        }
    }
    certificate_make(&(struct statement){kind, candidate}, (uint16_t)net->n, signatures, memory,
                     &certificate);
    return certificate;
}

void net_give_vote(struct net *net, uint32_t from, uint32_t to, const struct vote *vote)
{
    uint8_t bytes[1 + VOTE_BYTES];
    struct writer writer = writer_of(bytes, sizeof bytes);

    wire_vote_write(&writer, vote);
    net_message(net, from, to, writer_done(&writer), false);
}

void net_give_get(struct net *net, uint32_t from, uint32_t to, const struct wire_get_certs *get)
{
    uint8_t bytes[512];
    struct writer writer = writer_of(bytes, sizeof bytes);

    wire_get_certs_write(&writer, get);
    net_message(net, from, to, writer_done(&writer), false);
}

void net_play(struct net *net, uint32_t member, bool played)
{
    for (uint32_t i = 0; i < net->n; i++) {
        if (i != member && net->nodes[i].up) {
            net_session(net, i, member, played ? SX_SESSION_OPENED : SX_SESSION_CLOSED);
        }
    }
}

void net_give_certificate(struct net *net, uint32_t from, uint32_t to,
                          const struct certificate *certificate)
{
    uint8_t bytes[1 + CERTIFICATE_BYTES_MAX];
    struct writer writer = writer_of(bytes, sizeof bytes);

    wire_cert_write(&writer, certificate);
    net_message(net, from, to, writer_done(&writer), false);
}

static void give_proposal(struct net *net, uint32_t from, uint32_t to,
                          struct wire_proposal *proposal)
{
    static uint8_t bytes[8192];
    struct writer writer = writer_of(bytes, sizeof bytes);
    const struct vote vote = net_vote(net, net_leader(net, proposal->candidate.view), VOTE_NOTARIZE,
                                      proposal->candidate);

    memcpy(proposal->signature, vote.signature, SIGNATURE_BYTES);
    wire_proposal_write(&writer, proposal);
    INVARIANT(!writer.failed);
    net_message(net, from, to, writer_done(&writer), proposal->form == WIRE_FORM_FULL);
}

void net_give_proposal(struct net *net, uint32_t from, uint32_t to, struct candidate candidate,
                       const struct certificate *justification, uint32_t count)
{
    static struct wire_proposal proposal;
    const struct net_block *block = block_of(net, candidate.block_hash);

    memset(&proposal, 0, sizeof proposal);
    proposal.candidate = candidate;
    proposal.justification_count = (uint8_t)count;
    for (uint32_t i = 0; i < count; i++) {
        proposal.justification[i] = justification[i];
    }
    if (block != NULL && block->header.view == candidate.view) {
        proposal.form = WIRE_FORM_FULL;
        proposal.header = block->header;
    }
    give_proposal(net, from, to, &proposal);
}

void net_give_proposal_with(struct net *net, uint32_t from, uint32_t to, struct candidate candidate,
                            const struct block_header *header)
{
    static struct wire_proposal proposal;

    memset(&proposal, 0, sizeof proposal);
    proposal.candidate = candidate;
    proposal.form = WIRE_FORM_FULL;
    proposal.header = *header;
    give_proposal(net, from, to, &proposal);
}

void net_give_body(struct net *net, uint32_t node, const uint8_t *hash)
{
    host_body(net, net->now_ms, node, hash);
}

bool net_recorded(const struct net *net, uint32_t node, uint8_t type, uint64_t view)
{
    const struct net_node *host = &net->nodes[node];
    struct record record;

    for (uint32_t i = 0; i < host->record_count; i++) {
        if (!record_decode(host->records[i].bytes, (uint16_t)net->n, &record) ||
            record.type != type) {
            continue;
        }
        if ((type == RECORD_NOTARIZE || type == RECORD_FINALIZE) && record.candidate.view == view) {
            return true;
        }
        if ((type == RECORD_NULLIFY && record.view == view) ||
            (type == RECORD_CERT && record.certificate.statement.candidate.view == view) ||
            (type == RECORD_BLOCK && record.header.view == view)) {
            return true;
        }
    }
    return false;
}

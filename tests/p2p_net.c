#include "tests/p2p_net.h"

#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "tests/check.h"

static struct net_event *event_add(struct net_node *node)
{
    CHECK_U64(node->event_count, <, NET_EVENTS);
    node->event_count += 1;
    node->events[node->event_count - 1] = (struct net_event){0};
    return &node->events[node->event_count - 1];
}

static void on_message(void *self, uint32_t peer, uint8_t channel, struct bytes message)
{
    struct net_node *node = self;

    node->messages[channel] += 1;
    node->message_bytes += message.count;
    if (node->keeps) {
        struct net_event *event = event_add(node);

        *event = (struct net_event){
            .kind = NET_MESSAGE, .peer = peer, .channel = channel, .count = message.count};
        event->bytes = malloc(message.count);
        CHECK(event->bytes != NULL);
        memcpy(event->bytes, message.at, message.count);
    }
    if (node->on_message != NULL) {
        node->on_message(node->self, (uint32_t)(node - node->net->nodes), peer, channel, message);
    }
}

static void on_session(void *self, uint32_t peer, enum mesh_session what)
{
    struct net_node *node = self;

    if (what != MESH_HEARD) {
        *event_add(node) =
            (struct net_event){.kind = what == MESH_OPENED ? NET_OPENED : NET_CLOSED, .peer = peer};
    }
}

static uint32_t on_length(void *self, uint32_t peer, uint8_t channel, struct bytes first)
{
    struct net_node *node = self;

    (void)peer;
    (void)channel;
    CHECK(first.count != 0);
    node->length_asked += 1;
    return node->length_answer;
}

static void on_report(void *self, const struct mesh_report *report)
{
    *event_add(self) =
        (struct net_event){.kind = NET_REPORT, .report = report->kind, .channel = report->code};
}

static void on_random(void *self, uint8_t *out, size_t count)
{
    struct net_node *node = self;

    for (size_t i = 0; i < count; i++) {
        out[i] = (uint8_t)random_next(&node->random);
    }
}

struct mesh_options net_options(void)
{
    return (struct mesh_options){
        .chain_id = {1, 2, 3},
        .roles = ROLE_VALIDATOR | ROLE_SERVES_BLOCKS,
        .software = "artel/test",
        .min_interval_ms = 20,
        .max_block_bytes = 1 << 20,
        .validators_max = 8,
        .configured_max = 4,
        .inbound_max = 64,
        .inbound_address_max = 4,
        .outbound_max = 8,
        .receive_bytes = 4 << 20,
        .send_bytes = 8 << 20,
    };
}

struct net *net_open(uint64_t seed)
{
    struct net *net = calloc(1, sizeof *net);

    CHECK(net != NULL);
    net->now_ms = 1000;
    net->drawn = seed != 0;
    net->random.state = seed;
    return net;
}

void net_forget(struct net_node *node)
{
    for (uint32_t i = 0; i < node->event_count; i++) {
        free(node->events[i].bytes);
    }
    node->event_count = 0;
    node->message_bytes = 0;
    node->length_asked = 0;
    memset(node->messages, 0, sizeof node->messages);
}

static void pipe_free(struct net_pipe *pipe)
{
    free(pipe->flow[0].bytes);
    free(pipe->flow[1].bytes);
    *pipe = (struct net_pipe){0};
}

static void node_free(struct net_node *node)
{
    net_forget(node);
    arena_close(&node->arena);
    node->used = false;
}

void net_close(struct net *net)
{
    for (uint32_t i = 0; i < NET_PIPES; i++) {
        pipe_free(&net->pipes[i]);
    }
    for (uint32_t i = 0; i < NET_NODES; i++) {
        node_free(&net->nodes[i]);
    }
    free(net);
}

void net_add(struct net *net, uint32_t index, uint64_t identity, const struct mesh_options *options)
{
    struct net_node *node = &net->nodes[index];
    struct random key = {.state = identity};
    struct mesh_options own = *options;

    CHECK(!node->used);
    *node = (struct net_node){.used = true, .listens = true, .keeps = true, .net = net};
    node->length_answer = UINT32_MAX;
    node->random.state = random_next(&net->random) ^ index ^ net->now_ms << 8;
    for (size_t i = 0; i < sizeof node->secret; i++) {
        node->secret[i] = (uint8_t)random_next(&key);
    }
    noise_public(node->secret, node->key);
    node->address = (struct address){
        .family = ADDRESS_IPV4, .ip = {10, 0, 0, (uint8_t)(index + 1)}, .port = 7411};
    own.node_secret = node->secret;
    own.now_ms = net->now_ms;
    own.owner = (struct mesh_owner){.self = node,
                                    .message = on_message,
                                    .session = on_session,
                                    .length = on_length,
                                    .report = on_report,
                                    .random = on_random};
    CHECK(arena_open(&node->arena, mesh_footprint(&own)) == ERR_OK);
    CHECK(mesh_init(&own, &node->arena, &node->mesh) == ERR_OK);
    CHECK_U64(node->arena.used, ==, node->arena.size);
}

static void end_shut(struct net_pipe *pipe, uint32_t side)
{
    pipe->open[side] = false;
    pipe->flow[1 - side].count = 0;
    pipe->flow[side].wants = false;
}

static void node_leave(struct net *net, uint32_t index, bool tell)
{
    for (uint32_t i = 0; i < NET_PIPES; i++) {
        struct net_pipe *pipe = &net->pipes[i];

        for (uint32_t side = 0; pipe->used && side < 2; side++) {
            if (pipe->node[side] == index && pipe->open[side]) {
                end_shut(pipe, side);
                pipe->cut = pipe->cut || !tell;
            }
        }
    }
    node_free(&net->nodes[index]);
}

void net_remove(struct net *net, uint32_t index)
{
    node_leave(net, index, true);
}

void net_kill(struct net *net, uint32_t index)
{
    node_leave(net, index, false);
}

void net_validators(struct net *net, uint32_t count)
{
    net->set = (struct validator_set){.count = (uint16_t)count};
    for (uint32_t i = 0; i < count; i++) {
        net->set.members[i].consensus_key[0] = (uint8_t)i;
        memcpy(net->set.members[i].node_key, net->nodes[i].key, 32);
    }
    for (uint32_t i = 0; i < NET_NODES; i++) {
        if (!net->nodes[i].used) {
            continue;
        }
        mesh_set_validators(net->nodes[i].mesh, NULL, &net->set, NULL);
        for (uint32_t k = 0; k < count; k++) {
            mesh_set_addresses(net->nodes[i].mesh, net->nodes[k].key, &net->nodes[k].address, 1);
        }
    }
}

static struct net_pipe *pipe_take(struct net *net)
{
    for (uint32_t i = 0; i < NET_PIPES; i++) {
        if (!net->pipes[i].used) {
            net->pipes[i] = (struct net_pipe){.used = true};
            net->pipes[i].flow[0].room = true;
            net->pipes[i].flow[1].room = true;
            return &net->pipes[i];
        }
    }
    check_failed(__FILE__, __LINE__, "too many pipes");
}

static struct net_pipe *pipe_of(struct net *net, uint32_t node, uint32_t link, uint32_t *side)
{
    for (uint32_t i = 0; i < NET_PIPES; i++) {
        for (*side = 0; *side < 2; *side += 1) {
            if (net->pipes[i].used && net->pipes[i].node[*side] == node &&
                net->pipes[i].link[*side] == link && net->pipes[i].open[*side]) {
                return &net->pipes[i];
            }
        }
    }
    return NULL;
}

static void dial(struct net *net, uint32_t index, const struct mesh_action *action)
{
    struct net_pipe *pipe = pipe_take(net);

    pipe->node[0] = index;
    pipe->link[0] = action->link;
    pipe->open[0] = true;
    pipe->connecting = true;
    pipe->node[1] = NET_NODES;
    for (uint32_t i = 0; i < NET_NODES && !net->refuse; i++) {
        if (net->nodes[i].used && net->nodes[i].listens &&
            address_equal(&net->nodes[i].address, &action->address)) {
            pipe->node[1] = i;
        }
    }
}

/* One action of a node.  False: it has none. */
static bool action_do(struct net *net, uint32_t index)
{
    struct net_node *node = &net->nodes[index];
    struct mesh_action action;
    struct net_pipe *pipe;
    uint32_t side;

    if (!node->used || !mesh_next(node->mesh, &action)) {
        return false;
    }
    if (action.kind == MESH_DIAL) {
        dial(net, index, &action);
        return true;
    }
    pipe = pipe_of(net, index, action.link, &side);
    if (pipe == NULL) {
        return true;
    }
    switch (action.kind) {
    case MESH_DIAL:
        break;
    case MESH_WRITE:
        pipe->flow[side].wants = true;
        break;
    case MESH_READ:
        pipe->flow[1 - side].room = true;
        break;
    case MESH_CLOSE:
        end_shut(pipe, side);
        break;
    }
    return true;
}

static struct address from_address(const struct net *net, uint32_t node)
{
    struct address address = net->nodes[node].address;

    address.port = (uint16_t)(40000 + node);
    return address;
}

static void connect_do(struct net *net, struct net_pipe *pipe)
{
    struct net_node *from = &net->nodes[pipe->node[0]];
    const struct address address = from_address(net, pipe->node[0]);

    pipe->connecting = false;
    if (pipe->node[1] == NET_NODES || !net->nodes[pipe->node[1]].used) {
        pipe->open[0] = false;
        mesh_closed(from->mesh, net->now_ms, pipe->link[0]);
        return;
    }
    pipe->link[1] = mesh_accepted(net->nodes[pipe->node[1]].mesh, net->now_ms, &address);
    pipe->open[1] = pipe->link[1] != MESH_NONE;
    mesh_connected(from->mesh, net->now_ms, pipe->link[0], &net->nodes[pipe->node[1]].address);
}

static bool flow_waits(const struct net_pipe *pipe, uint32_t side)
{
    return pipe->flow[side].count != 0 && !pipe->flow[side].stopped && pipe->flow[side].room &&
           pipe->open[1 - side] && !pipe->cut && pipe->node[1 - side] != NET_NODES;
}

static void flow_do(struct net *net, struct net_pipe *pipe, uint32_t side)
{
    struct net_flow *flow = &pipe->flow[side];
    struct mesh *mesh = net->nodes[pipe->node[1 - side]].mesh;
    const uint32_t link = pipe->link[1 - side];
    const struct mesh_room room = mesh_room(mesh, link);
    size_t count = flow->count < room.count ? flow->count : room.count;

    if (room.count == 0) {
        flow->room = false;
        return;
    }
    if (net->drawn) {
        count = 1 + (size_t)random_below(&net->random, count);
    }
    memcpy(room.at, flow->bytes, count);
    memmove(flow->bytes, flow->bytes + count, flow->count - count);
    flow->count -= count;
    mesh_received(mesh, net->now_ms, link, count);
}

static bool pull_waits(const struct net_pipe *pipe, uint32_t side)
{
    return pipe->open[side] && pipe->flow[side].wants && pipe->flow[side].count < NET_WINDOW &&
           !pipe->connecting && pipe->node[side] != NET_NODES;
}

static void pull_do(struct net *net, struct net_pipe *pipe, uint32_t side)
{
    struct net_flow *flow = &pipe->flow[side];
    size_t count;

    if (flow->size - flow->count < MESH_RECORD_BYTES) {
        flow->size += 2 * (size_t)MESH_RECORD_BYTES;
        flow->bytes = realloc(flow->bytes, flow->size);
        CHECK(flow->bytes != NULL);
    }
    count = mesh_pull(net->nodes[pipe->node[side]].mesh, net->now_ms, pipe->link[side],
                      flow->bytes + flow->count);
    flow->wants = count != 0;
    flow->count += count;
    if (!pipe->open[1 - side]) {
        flow->count = 0;
    }
}

/* The other side has closed, and all that it sent has come. */
static bool end_waits(const struct net_pipe *pipe, uint32_t side)
{
    return pipe->open[side] && !pipe->open[1 - side] && !pipe->connecting && !pipe->cut &&
           pipe->node[side] != NET_NODES && pipe->flow[1 - side].count == 0 &&
           !pipe->flow[1 - side].stopped;
}

/* Things that can happen to a pipe: both ends are gone; connect; pull, deliver and end of each side. */
enum { PIPE_GONE, PIPE_CONNECT, PIPE_PULL, PIPE_FLOW = PIPE_PULL + 2, PIPE_END = PIPE_FLOW + 2 };
enum { PIPE_THINGS = PIPE_END + 2 };

static bool pipe_can(const struct net_pipe *pipe, uint32_t what)
{
    const bool gone = !pipe->open[0] && !pipe->open[1];

    if (!pipe->used || gone) {
        return pipe->used && what == PIPE_GONE;
    }
    if (what == PIPE_CONNECT) {
        return pipe->connecting && pipe->open[0];
    }
    if (what >= PIPE_END) {
        return end_waits(pipe, what - PIPE_END);
    }
    if (what >= PIPE_FLOW) {
        return flow_waits(pipe, what - PIPE_FLOW);
    }
    return what >= PIPE_PULL && pull_waits(pipe, what - PIPE_PULL);
}

static void pipe_do(struct net *net, struct net_pipe *pipe, uint32_t what)
{
    if (what == PIPE_GONE) {
        pipe_free(pipe);
    } else if (what == PIPE_CONNECT) {
        connect_do(net, pipe);
    } else if (what >= PIPE_END) {
        const uint32_t side = what - PIPE_END;

        pipe->open[side] = false;
        mesh_closed(net->nodes[pipe->node[side]].mesh, net->now_ms, pipe->link[side]);
    } else if (what >= PIPE_FLOW) {
        flow_do(net, pipe, what - PIPE_FLOW);
    } else {
        pull_do(net, pipe, what - PIPE_PULL);
    }
}

bool net_step(struct net *net)
{
    uint32_t seen = 0;
    uint32_t pipe = 0;
    uint32_t what = 0;

    /* Actions first: a close must be seen before its link number comes again. */
    for (uint32_t i = 0; i < NET_NODES; i++) {
        if (action_do(net, i)) {
            return true;
        }
    }
    for (uint32_t at = 0; at < NET_PIPES * PIPE_THINGS; at++) {
        if (!net->pipes[at / PIPE_THINGS].used) {
            at += PIPE_THINGS - 1 - at % PIPE_THINGS;
            continue;
        }
        if (!pipe_can(&net->pipes[at / PIPE_THINGS], at % PIPE_THINGS)) {
            continue;
        }
        seen += 1;
        if (seen == 1 || random_below(&net->random, seen) == 0) { /* each with the same chance */
            pipe = at / PIPE_THINGS;
            what = at % PIPE_THINGS;
        }
        if (!net->drawn) {
            break;
        }
    }
    if (seen != 0) {
        pipe_do(net, &net->pipes[pipe], what);
    }
    return seen != 0;
}

void net_settle(struct net *net)
{
    uint32_t steps = 0;

    while (net_step(net)) {
        steps += 1;
        CHECK_U64(steps, <, 20000000);
    }
}

static uint64_t next_deadline(const struct net *net)
{
    uint64_t next_ms = UINT64_MAX;

    for (uint32_t i = 0; i < NET_NODES; i++) {
        if (net->nodes[i].used && mesh_deadline_ms(net->nodes[i].mesh) < next_ms) {
            next_ms = mesh_deadline_ms(net->nodes[i].mesh);
        }
    }
    return next_ms;
}

void net_run(struct net *net, uint64_t ms)
{
    const uint64_t end_ms = net->now_ms + ms;
    uint32_t turns = 0;

    for (;;) {
        uint64_t next_ms;

        net_settle(net);
        next_ms = next_deadline(net);
        if (next_ms > end_ms) {
            break;
        }
        turns += 1;
        CHECK_U64(turns, <, 1000 + 100 * ms); /* no deadline that stays in the past */
        net->now_ms = next_ms > net->now_ms ? next_ms : net->now_ms;
        for (uint32_t i = 0; i < NET_NODES; i++) {
            if (net->nodes[i].used) {
                mesh_tick(net->nodes[i].mesh, net->now_ms);
            }
        }
    }
    net->now_ms = end_ms;
    for (uint32_t i = 0; i < NET_NODES; i++) {
        if (net->nodes[i].used) {
            mesh_check(net->nodes[i].mesh);
        }
    }
}

struct net_pipe *net_pipe(struct net *net, uint32_t dialled, uint32_t accepted)
{
    for (uint32_t i = 0; i < NET_PIPES; i++) {
        struct net_pipe *pipe = &net->pipes[i];

        if (pipe->used && pipe->node[0] == dialled && pipe->node[1] == accepted && pipe->open[0] &&
            pipe->open[1]) {
            return pipe;
        }
    }
    return NULL;
}

uint32_t net_events(const struct net_node *node, enum net_event_kind kind, uint32_t peer)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < node->event_count; i++) {
        count +=
            node->events[i].kind == kind && (peer == MESH_NONE || node->events[i].peer == peer);
    }
    return count;
}

uint32_t net_reports(const struct net_node *node, enum mesh_report_kind kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < node->event_count; i++) {
        count += node->events[i].kind == NET_REPORT && node->events[i].report == kind;
    }
    return count;
}

const struct net_event *net_last_message(const struct net_node *node)
{
    for (uint32_t i = node->event_count; i != 0; i--) {
        if (node->events[i - 1].kind == NET_MESSAGE) {
            return &node->events[i - 1];
        }
    }
    return NULL;
}

uint32_t net_sessions(const struct net_node *node)
{
    struct mesh_peer peer;
    uint32_t place = 0;
    uint32_t count = 0;

    while (mesh_peer_next(node->mesh, &place, &peer)) {
        count += 1;
    }
    return count;
}

struct bytes net_message(uint8_t *memory, uint8_t type, size_t count, uint8_t fill)
{
    memset(memory, fill, count);
    memory[0] = type;
    return bytes_of(memory, count);
}

/* By hand. */

struct address raw_address(uint32_t number)
{
    return (struct address){.family = ADDRESS_IPV4,
                            .ip = {10, 1, (uint8_t)(number >> 8), (uint8_t)number},
                            .port = 50000};
}

static void raw_key(uint64_t identity, uint8_t secret[32], uint8_t key[32])
{
    struct random random = {.state = identity};

    for (size_t i = 0; i < 32; i++) {
        secret[i] = (uint8_t)random_next(&random);
    }
    noise_public(secret, key);
}

void raw_member(struct net *net, uint64_t identity)
{
    uint8_t secret[32];

    net->set = (struct validator_set){.count = 2};
    net->set.members[1].consensus_key[0] = 1;
    memcpy(net->set.members[0].node_key, net->nodes[0].key, 32);
    raw_key(identity, secret, net->set.members[1].node_key);
    mesh_set_validators(net->nodes[0].mesh, NULL, &net->set, NULL);
}

void raw_connect(struct net_raw *raw, struct net *net, uint32_t node, uint64_t identity,
                 const struct address *address)
{
    struct net_pipe *pipe = pipe_take(net);

    *raw = (struct net_raw){.net = net, .node = node, .instance = identity};
    raw_key(identity, raw->secret, raw->key);
    pipe->node[0] = NET_NODES;
    pipe->node[1] = node;
    pipe->link[1] = mesh_accepted(net->nodes[node].mesh, net->now_ms, address);
    if (pipe->link[1] == MESH_NONE) {
        pipe_free(pipe);
        return;
    }
    pipe->open[0] = true;
    pipe->open[1] = true;
    raw->pipe = pipe;
}

void raw_bytes(struct net_raw *raw, struct bytes bytes)
{
    struct net_flow *flow = &raw->pipe->flow[0];

    if (!raw->pipe->open[1]) {
        return;
    }
    if (flow->size - flow->count < bytes.count) {
        flow->size += bytes.count + MESH_RECORD_BYTES;
        flow->bytes = realloc(flow->bytes, flow->size);
        CHECK(flow->bytes != NULL);
    }
    memcpy(flow->bytes + flow->count, bytes.at, bytes.count);
    flow->count += bytes.count;
}

static void prologue_of(uint8_t out[36])
{
    static const uint8_t name[4] = {'s', 'x', '/', '1'};

    memcpy(out, name, sizeof name);
    memcpy(out + sizeof name, net_options().chain_id, 32);
}

void raw_first(struct net_raw *raw, const uint8_t *prologue)
{
    uint8_t own[36];
    uint8_t ephemeral[32];
    uint8_t message[64];
    size_t count;

    prologue_of(own);
    for (size_t i = 0; i < sizeof ephemeral; i++) {
        ephemeral[i] = (uint8_t)random_next(&raw->net->random);
    }
    noise_begin(&raw->handshake, true, bytes_of(own, sizeof own), raw->secret, ephemeral);
    CHECK(noise_write(&raw->handshake, bytes_of(NULL, 0), message, sizeof message, &count));
    raw_bytes(raw, bytes_of(prologue == NULL ? own : prologue, sizeof own));
    raw_bytes(raw, bytes_of(message, count));
}

void raw_third(struct net_raw *raw)
{
    struct net_flow *flow = &raw->pipe->flow[1];
    uint8_t message[128];
    uint8_t nothing[1];
    size_t count;

    net_settle(raw->net);
    CHECK_U64(flow->count, ==, 96);
    CHECK(noise_read(&raw->handshake, bytes_of(flow->bytes, 96), nothing, 0, &count));
    flow->count = 0;
    CHECK(noise_write(&raw->handshake, bytes_of(NULL, 0), message, sizeof message, &count));
    CHECK(noise_split(&raw->handshake, &raw->sending, &raw->receiving));
    raw_bytes(raw, bytes_of(message, count));
}

void raw_record(struct net_raw *raw, struct bytes plain)
{
    uint8_t record[2 + 65536 + 16];
    const size_t sealed = plain.count + 16;

    record[0] = (uint8_t)(sealed >> 8);
    record[1] = (uint8_t)sealed;
    noise_seal(&raw->sending, plain, record + 2);
    if (raw->sending.nonce % (1 << 20) == 0) {
        noise_rekey(&raw->sending);
    }
    raw_bytes(raw, bytes_of(record, 2 + sealed));
}

void raw_frame(struct net_raw *raw, uint8_t channel, uint8_t flags, struct bytes bytes)
{
    uint8_t plain[65536];

    CHECK_U64(bytes.count, <=, 16380);
    plain[0] = channel;
    plain[1] = flags;
    plain[2] = (uint8_t)(bytes.count >> 8);
    plain[3] = (uint8_t)bytes.count;
    memcpy(plain + 4, bytes.at, bytes.count);
    raw_record(raw, bytes_of(plain, 4 + bytes.count));
}

void raw_hello(struct net_raw *raw)
{
    uint8_t memory[HELLO_BYTES_MAX];
    struct writer writer = writer_of(memory, sizeof memory);

    hello_write(&writer, &(struct hello){.protocol = HELLO_PROTOCOL,
                                         .roles = raw->roles,
                                         .instance = raw->instance,
                                         .software = bytes_of("raw", 3)});
    raw_frame(raw, 0, 1, writer_done(&writer));
}

void raw_meet(struct net_raw *raw)
{
    raw_first(raw, NULL);
    raw_third(raw);
    raw_hello(raw);
    raw_read(raw);
}

static void raw_open(struct net_raw *raw, struct bytes plain)
{
    raw->records += 1;
    while (plain.count != 0) {
        const size_t count = (size_t)plain.at[2] << 8 | plain.at[3];
        const uint8_t type = plain.at[4];

        if (raw->frames < sizeof raw->channels) {
            raw->channels[raw->frames] = plain.at[0];
        }
        raw->frames += 1;
        raw->types[type] += 1;
        memcpy(raw->last, plain.at + 4, count);
        raw->last_count = count;
        if (plain.at[0] == 0 && type == 0x05) {
            raw->goodbye = raw->last[1];
            raw->goodbye_s = (uint32_t)raw->last[2] << 24 | (uint32_t)raw->last[3] << 16 |
                             (uint32_t)raw->last[4] << 8 | raw->last[5];
        }
        plain = bytes_after(plain, 4 + count);
    }
}

void raw_read(struct net_raw *raw)
{
    struct net_flow *flow = &raw->pipe->flow[1];
    size_t at = 0;

    net_settle(raw->net);
    while (flow->count - at >= 2) {
        const size_t sealed = (size_t)flow->bytes[at] << 8 | flow->bytes[at + 1];

        CHECK_U64(flow->count - at, >=, 2 + sealed);
        CHECK(noise_open(&raw->receiving, bytes_of(flow->bytes + at + 2, sealed),
                         flow->bytes + at + 2));
        if (raw->receiving.nonce % (1 << 20) == 0) {
            noise_rekey(&raw->receiving);
        }
        raw_open(raw, bytes_of(flow->bytes + at + 2, sealed - 16));
        at += 2 + sealed;
    }
    flow->count = 0;
    net_settle(raw->net);
}

bool raw_closed(const struct net_raw *raw)
{
    return !raw->pipe->open[1];
}

void raw_close(struct net_raw *raw)
{
    raw->pipe->open[0] = false;
    net_settle(raw->net);
    raw->pipe = NULL;
}

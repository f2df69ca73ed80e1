/* The machine on real sockets of the loopback interface. */
#include "p2p/net_uv.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "crypto/noise.h"
#include "crypto/secret.h"
#include "proto/wire.h"
#include "tests/check.h"

enum { NODES = 4, LIMIT_MS = 30000 };

struct node {
    struct net_uv *net;
    struct arena arena;
    uint8_t secret[32];
    uint8_t key[32];
    uint16_t port;
    bool open[NODES];
    uint32_t opened[NODES];
    uint32_t closed[NODES];
    uint64_t heard[NODES];
    uint64_t bytes;
    uint32_t next[NODES]; /* number that comes next from this peer on channel 1 */
    bool stopped;
};

static uv_loop_t loop;
static uv_timer_t watchdog;
static struct node nodes[NODES];
static struct validator_set set;

static void on_message(void *self, uint32_t peer, uint8_t channel, struct bytes message)
{
    struct node *node = self;

    CHECK_U64(peer, <, NODES);
    node->heard[peer] += 1;
    node->bytes += message.count;
    if (channel == 1) {
        const uint32_t number =
            (uint32_t)message.at[1] << 16 | (uint32_t)message.at[2] << 8 | message.at[3];

        CHECK_U64(number, ==, node->next[peer]);
        node->next[peer] += 1;
    }
}

static void on_session(void *self, uint32_t peer, enum mesh_session what)
{
    struct node *node = self;

    CHECK_U64(peer, <, NODES);
    if (what == MESH_OPENED) {
        CHECK(!node->open[peer]);
        node->open[peer] = true;
        node->opened[peer] += 1;
        node->next[peer] = 0;
    } else if (what == MESH_CLOSED) {
        CHECK(node->open[peer]);
        node->open[peer] = false;
        node->closed[peer] += 1;
    }
}

static void on_random(void *self, uint8_t *out, size_t count)
{
    (void)self;
    secret_random(out, count);
}

static void on_late(uv_timer_t *timer)
{
    (void)timer;
    check_failed(__FILE__, __LINE__, "not done in %d ms", LIMIT_MS);
}

static struct net_uv_options options_of(struct node *node)
{
    return (struct net_uv_options){
        .loop = &loop,
        .mesh = {.chain_id = {9},
                 .node_secret = node->secret,
                 .roles = ROLE_VALIDATOR,
                 .software = "test",
                 .min_interval_ms = 20,
                 .max_block_bytes = 1 << 20,
                 .validators_max = NODES,
                 .inbound_max = 64,
                 .inbound_address_max = 4,
                 .outbound_max = 8,
                 .receive_bytes = 16 << 20,
                 .send_bytes = 24 << 20,
                 .owner = {.self = node,
                           .message = on_message,
                           .session = on_session,
                           .random = on_random}},
        .listen_host = "127.0.0.1",
        .listen_port = node->port,
    };
}

static void node_open(uint32_t index)
{
    struct node *node = &nodes[index];
    struct net_uv_options options = options_of(node);
    int os_error;

    node->stopped = false;
    CHECK(arena_open(&node->arena, net_uv_footprint(&options)) == ERR_OK);
    CHECK(net_uv_open(&options, &node->arena, &node->net, &os_error) == ERR_OK);
    CHECK_U64(node->arena.used, ==, node->arena.size);
    node->port = net_uv_port(node->net);
}

/* Everybody knows everybody. */
static void node_introduce(uint32_t index)
{
    mesh_set_validators(net_uv_mesh(nodes[index].net), NULL, &set, NULL);
    for (uint32_t k = 0; k < NODES; k++) {
        const struct address address = {
            .family = ADDRESS_IPV4, .ip = {127, 0, 0, 1}, .port = nodes[k].port};

        mesh_set_addresses(net_uv_mesh(nodes[index].net), nodes[k].key, &address, 1);
    }
}

static void begin(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    CHECK(crypto_start() == ERR_OK);
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(uv_timer_init(&loop, &watchdog) == 0);
    CHECK(uv_timer_start(&watchdog, on_late, LIMIT_MS, 0) == 0);
    uv_unref((uv_handle_t *)&watchdog);
    memset(nodes, 0, sizeof nodes);
    memset(&set, 0, sizeof set);
    set.count = NODES;
    for (uint32_t i = 0; i < NODES; i++) {
        secret_random(nodes[i].secret, 32);
        noise_public(nodes[i].secret, nodes[i].key);
        set.members[i].consensus_key[0] = (uint8_t)i;
        memcpy(set.members[i].node_key, nodes[i].key, 32);
    }
}

static void on_stopped(void *self)
{
    struct node *node = self;

    node->stopped = true;
}

static void node_stop(uint32_t index)
{
    net_uv_stop(nodes[index].net, on_stopped, &nodes[index]);
    while (!nodes[index].stopped) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    arena_close(&nodes[index].arena);
    memset(nodes[index].open, 0, sizeof nodes[index].open);
}

static void end(void)
{
    uv_close((uv_handle_t *)&watchdog, NULL);
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0); /* no handle is left */
}

static bool all_open(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < count; k++) {
            if (i != k && !nodes[i].open[k]) {
                return false;
            }
        }
    }
    return true;
}

static void wait_open(uint32_t count)
{
    while (!all_open(count)) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
}

static void vote(uint32_t index, uint32_t number)
{
    const uint8_t head[4] = {WIRE_VOTE, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                             (uint8_t)number};
    const uint8_t body[120] = {0};

    net_uv_send(nodes[index].net, MESH_ALL, 1, bytes_of(head, sizeof head),
                bytes_of(body, sizeof body));
}

static void all_begin(void)
{
    begin();
    for (uint32_t i = 0; i < NODES; i++) {
        node_open(i);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        node_introduce(i);
    }
    wait_open(NODES);
}

static void all_end(void)
{
    for (uint32_t i = 0; i < NODES; i++) {
        node_stop(i);
    }
    end();
}

static uint64_t all_heard(void)
{
    uint64_t heard = 0;

    for (uint32_t i = 0; i < NODES * NODES; i++) {
        heard += nodes[i / NODES].heard[i % NODES];
    }
    return heard;
}

enum { EACH = 800, TOTAL = NODES * (3 * EACH + EACH / 8) };

/* A vote of each to all, and sometimes a large range to one. */
static void all_say(uint32_t number)
{
    static uint8_t block[1 << 20] = {WIRE_BLOCKS};

    for (uint32_t i = 0; i < NODES; i++) {
        vote(i, number);
        if (number % 8 == 0) {
            net_uv_send(nodes[i].net, (i + 1) % NODES, 5, bytes_of(block, number * 100U + 10),
                        bytes_of(NULL, 0));
        }
    }
}

/* 10,000 messages: votes of all to all, in order, while large ranges go beside them. */
TEST(four_nodes_exchange_ten_thousand_messages)
{
    all_begin();
    for (uint32_t number = 0; number < EACH; number++) {
        all_say(number);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    while (all_heard() < TOTAL) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    CHECK_U64(TOTAL, ==, 10000);
    CHECK_U64(all_heard(), ==, TOTAL);
    for (uint32_t i = 0; i < NODES * NODES; i++) {
        CHECK_U64(nodes[i / NODES].closed[i % NODES], ==, 0);
        CHECK_U64(nodes[i / NODES].next[i % NODES], ==, i / NODES == i % NODES ? 0 : EACH);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        mesh_check(net_uv_mesh(nodes[i].net));
    }
    all_end();
}

/* A node stops and comes back as another process would, many times; the others always find it again. */
TEST(a_node_that_comes_back_is_found_again)
{
    all_begin();
    for (uint32_t round = 0; round < 5; round++) {
        const uint32_t index = round % NODES;

        node_stop(index);
        for (uint32_t i = 0; i < NODES; i++) {
            while (i != index && nodes[i].open[index]) {
                (void)uv_run(&loop, UV_RUN_ONCE);
            }
        }
        node_open(index);
        node_introduce(index);
        wait_open(NODES);
    }
    all_end();
}

/* Node 3 in a process of its own, until it is killed. */
static pid_t child_start(void)
{
    const pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        (void)alarm(LIMIT_MS / 1000);
        for (int fd = 3; fd < 1024; fd++) { /* the parent's sockets and loop */
            (void)close(fd);
        }
        CHECK(uv_loop_init(&loop) == 0);
        node_open(3);
        node_introduce(3);
        for (;;) { /* until it is killed, or the alarm */
            (void)uv_run(&loop, UV_RUN_ONCE);
        }
    }
    return child;
}

TEST(a_killed_process_is_noticed_and_found_again)
{
    begin();
    for (uint32_t i = 0; i < NODES; i++) {
        node_open(i);
    }
    node_stop(3); /* its port is known now */
    for (uint32_t i = 0; i < 3; i++) {
        node_introduce(i);
    }
    for (uint32_t round = 0; round < 3; round++) {
        const pid_t child = child_start();
        int status;

        for (uint32_t i = 0; i < 3; i++) {
            while (!nodes[i].open[3]) {
                (void)uv_run(&loop, UV_RUN_ONCE);
            }
        }
        CHECK(kill(child, SIGKILL) == 0);
        CHECK(waitpid(child, &status, 0) == child);
        for (uint32_t i = 0; i < 3; i++) {
            while (nodes[i].open[3]) {
                (void)uv_run(&loop, UV_RUN_ONCE);
            }
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_U64(nodes[i].opened[3], ==, 3);
        node_stop(i);
    }
    end();
}

TEST(a_busy_port_a_foreign_address_and_a_name_are_told_apart)
{
    struct net_uv_options options;
    struct arena arena;
    struct net_uv *net;
    int os_error;

    begin();
    node_open(0);
    options = options_of(&nodes[1]);
    options.listen_port = nodes[0].port;
    CHECK(arena_open(&arena, net_uv_footprint(&options)) == ERR_OK);
    CHECK(net_uv_open(&options, &arena, &net, &os_error) == ERR_BUSY);
    CHECK(os_error == EADDRINUSE);
    arena_close(&arena);
    CHECK(arena_open(&arena, net_uv_footprint(&options)) == ERR_OK);
    options.listen_host = "192.0.2.1";
    CHECK(net_uv_open(&options, &arena, &net, &os_error) == ERR_IO);
    CHECK(os_error == EADDRNOTAVAIL);
    arena_close(&arena);
    CHECK(arena_open(&arena, net_uv_footprint(&options)) == ERR_OK);
    options.listen_host = "localhost";
    CHECK(net_uv_open(&options, &arena, &net, &os_error) == ERR_FORM);
    arena_close(&arena);
    CHECK(arena_open(&arena, net_uv_footprint(&options) - 16) == ERR_OK);
    CHECK(net_uv_open(&options, &arena, &net, &os_error) == ERR_NO_SPACE);
    arena_close(&arena);
    node_stop(0);
    end();
}

/* A configured peer by name; this side listens nowhere. */
TEST(a_configured_name_is_resolved_and_dialled)
{
    struct net_uv_peer peer = {.host = "localhost"};
    struct net_uv_options options;
    int os_error;

    begin();
    node_open(0);
    mesh_set_validators(net_uv_mesh(nodes[0].net), NULL, &set, NULL);
    options = options_of(&nodes[1]);
    memcpy(peer.key, nodes[0].key, 32);
    peer.port = nodes[0].port;
    options.listen_host = NULL;
    options.peers = &peer;
    options.peer_count = 1;
    CHECK(arena_open(&nodes[1].arena, net_uv_footprint(&options)) == ERR_OK);
    CHECK(net_uv_open(&options, &nodes[1].arena, &nodes[1].net, &os_error) == ERR_OK);
    CHECK_U64(net_uv_port(nodes[1].net), ==, 0);
    mesh_set_validators(net_uv_mesh(nodes[1].net), NULL, &set, NULL);
    while (!nodes[0].open[1] || !nodes[1].open[0]) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    node_stop(1);
    node_stop(0);
    end();
}

/* A label of more than 63 characters: the resolver says no without asking anybody. */
TEST(a_name_that_does_not_resolve_is_tried_again)
{
    struct net_uv_peer peer = {
        .host =
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid",
        .port = 1};
    struct net_uv_options options;
    uint64_t begin_ms;
    int os_error;

    begin();
    begin_ms = uv_now(&loop);
    options = options_of(&nodes[1]);
    memcpy(peer.key, nodes[0].key, 32);
    options.peers = &peer;
    options.peer_count = 1;
    CHECK(arena_open(&nodes[1].arena, net_uv_footprint(&options)) == ERR_OK);
    CHECK(net_uv_open(&options, &nodes[1].arena, &nodes[1].net, &os_error) == ERR_OK);
    while (uv_now(&loop) < begin_ms + 1500) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    CHECK_U64(mesh_counts(net_uv_mesh(nodes[1].net))->dials, >=, 2);
    CHECK_U64(mesh_counts(net_uv_mesh(nodes[1].net))->dials, <=, 4);
    node_stop(1); /* with a lookup under way or not */
    end();
}

TESTS(TEST_ENTRY(four_nodes_exchange_ten_thousand_messages),
      TEST_ENTRY(a_node_that_comes_back_is_found_again),
      TEST_ENTRY(a_killed_process_is_noticed_and_found_again),
      TEST_ENTRY(a_busy_port_a_foreign_address_and_a_name_are_told_apart),
      TEST_ENTRY(a_configured_name_is_resolved_and_dialled),
      TEST_ENTRY(a_name_that_does_not_resolve_is_tried_again))

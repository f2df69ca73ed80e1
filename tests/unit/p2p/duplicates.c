/* Two connections to one peer: 8.20 "Duplicates"; faults E2a of the list. */
#include <stdlib.h>
#include <string.h>

#include "p2p/mesh_private.h"
#include "proto/wire.h"
#include "tests/check.h"
#include "tests/p2p_net.h"

enum { TALK_MAX = 400 };

/* Each side counts up in its votes and notes what it hears. */
struct talk {
    uint32_t sent[2];
    uint32_t heard[2][TALK_MAX];
};

static void talk_hear(void *self, uint32_t node, uint32_t peer, uint8_t channel,
                      struct bytes message)
{
    struct talk *talk = self;
    const uint32_t number = (uint32_t)message.at[1] << 8 | message.at[2];

    (void)peer;
    if (channel == 1) {
        CHECK_U64(number, <, TALK_MAX);
        talk->heard[node][number] += 1;
    }
}

static void talk_say(struct net *net, struct talk *talk, uint32_t node)
{
    uint8_t memory[124] = {WIRE_VOTE};

    if (net_events(&net->nodes[node], NET_OPENED, 1 - node) == 0 || talk->sent[node] == TALK_MAX) {
        return;
    }
    memory[1] = (uint8_t)(talk->sent[node] >> 8);
    memory[2] = (uint8_t)talk->sent[node];
    talk->sent[node] += 1;
    mesh_send(net->nodes[node].mesh, 1 - node, 1, bytes_of(memory, sizeof memory),
              bytes_of(NULL, 0));
}

/* Small machines: many of them come and go here. */
static struct mesh_options small(void)
{
    struct mesh_options options = net_options();

    options.validators_max = 3;
    options.configured_max = 0;
    options.inbound_max = 4;
    options.receive_bytes = 1 << 20;
    options.send_bytes = 1 << 20;
    return options;
}

static struct net *pair(uint64_t seed, uint64_t first, uint64_t second)
{
    struct net *net = net_open(seed);
    const struct mesh_options options = small();

    net_add(net, 0, first, &options);
    net_add(net, 1, second, &options);
    net_validators(net, 2);
    return net;
}

static uint32_t pipes_open(struct net *net)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < NET_PIPES; i++) {
        count += net->pipes[i].used && net->pipes[i].open[0] && net->pipes[i].open[1];
    }
    return count;
}

static bool all_heard(const struct talk *talk, uint32_t node)
{
    bool once = true;

    for (uint32_t i = 0; i < TALK_MAX; i++) {
        once = once && talk->heard[1 - node][i] == (i < talk->sent[node] ? 1U : 0U);
    }
    return once;
}

/* One session all the while at both, and every vote heard once. */
static void talk_check(struct net *net, const struct talk *talk)
{
    CHECK_U64(pipes_open(net), ==, 1);
    for (uint32_t node = 0; node < 2; node++) {
        CHECK_U64(net_events(&net->nodes[node], NET_OPENED, 1 - node), ==, 1);
        CHECK_U64(net_events(&net->nodes[node], NET_CLOSED, MESH_NONE), ==, 0);
        CHECK_U64(net_reports(&net->nodes[node], MESH_REPORT_KEY_ELSEWHERE), ==, 0);
        CHECK_U64(net_reports(&net->nodes[node], MESH_REPORT_TWO_MACHINES), ==, 0);
        CHECK(all_heard(talk, node));
    }
    CHECK_U64(talk->sent[0] + talk->sent[1], >=, 2);
}

/* Is there a second connection to the other side that is only read? */
static bool loser_there(const struct net_node *node)
{
    bool there = false;

    for (uint32_t i = 0; i < node->mesh->peer_count; i++) {
        there = there || (node->mesh->peers[i].used && node->mesh->peers[i].loser != MESH_NONE);
    }
    return there;
}

/*
 * Both dial at once; steps in an order drawn from the seed, and both talk all the while.  True if both
 * connections were open for a moment.
 */
static bool both_dial(uint64_t seed, bool lower_first)
{
    struct net *net = lower_first ? pair(seed, 11, 12) : pair(seed, 12, 11);
    struct talk *talk = calloc(1, sizeof *talk);
    uint32_t steps = 0;
    bool two = false;

    CHECK(talk != NULL);
    for (uint32_t i = 0; i < 2; i++) {
        net->nodes[i].on_message = talk_hear;
        net->nodes[i].self = talk;
        mesh_tick(net->nodes[i].mesh, net->now_ms);
    }
    while (net_step(net) && steps < 100000) {
        steps += 1;
        two = two || loser_there(&net->nodes[0]);
        talk_say(net, talk, (uint32_t)random_below(&net->random, 2));
    }
    net_run(net, 7000);
    talk_check(net, talk);
    free(talk);
    net_close(net);
    return two;
}

TEST(both_dial_at_once_in_any_order)
{
    uint32_t two = 0;

    for (uint64_t seed = 1; seed <= 100; seed++) {
        two += both_dial(seed, seed % 2 == 0);
    }
    CHECK_U64(two, >=, 10);
}

/* Stop or let go one direction of both connections. */
static void both_flows(struct net_pipe *one, struct net_pipe *other, uint32_t side, bool stopped)
{
    one->flow[side].stopped = stopped;
    other->flow[side].stopped = stopped;
}

/* Neither connection is ahead of the other: the rule has to decide. */
TEST(the_connection_that_the_lower_key_dialled_stays)
{
    for (uint32_t order = 0; order < 2; order++) {
        struct net *net = order == 0 ? pair(0, 11, 12) : pair(0, 12, 11);
        const uint32_t lower = memcmp(net->nodes[0].key, net->nodes[1].key, 32) < 0 ? 0 : 1;
        struct net_pipe *one;
        struct net_pipe *other;

        mesh_tick(net->nodes[0].mesh, net->now_ms);
        mesh_tick(net->nodes[1].mesh, net->now_ms);
        do {
            CHECK(net_step(net));
            one = net_pipe(net, 0, 1);
            other = net_pipe(net, 1, 0);
            if (one != NULL) {
                one->flow[1].stopped = true; /* message 2 */
            }
        } while (one == NULL || other == NULL);
        both_flows(one, other, 1, true);
        net_settle(net);
        both_flows(one, other, 0, true); /* message 3 and HELLO */
        both_flows(one, other, 1, false);
        net_settle(net);
        both_flows(one, other, 0, false);
        net_settle(net);
        CHECK(net_pipe(net, lower, 1 - lower) != NULL);
        CHECK(net_pipe(net, 1 - lower, lower) == NULL);
        CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 1), ==, 1);
        CHECK_U64(net_events(&net->nodes[1], NET_OPENED, 0), ==, 1);
        net_run(net, 6000);
        CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 0);
        CHECK_U64(net_events(&net->nodes[1], NET_CLOSED, MESH_NONE), ==, 0);
        net_close(net);
    }
}

TEST(a_restarted_peer_replaces_its_dead_session_in_a_second)
{
    struct net *net = pair(0, 11, 12);
    const struct mesh_options options = small();

    net_run(net, 6000);
    net_kill(net, 1);
    net_run(net, 500);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 0);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    net_run(net, 900);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 0);
    net_run(net, 200);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, 1), ==, 1);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 1), ==, 2);
    CHECK_U64(net_events(&net->nodes[1], NET_OPENED, 0), ==, 1);
    net_run(net, 10000);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, 1), ==, 1);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 1);
    net_close(net);
}

/* What the new connection brings while it is held is read when it has become the session, not before. */
TEST(a_held_connection_loses_nothing)
{
    struct net *net = pair(0, 11, 12);
    const struct mesh_options options = small();
    uint8_t memory[124];

    net_run(net, 6000);
    net_kill(net, 1);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    net_run(net, 100);
    CHECK_U64(net_events(&net->nodes[1], NET_OPENED, 0), ==, 1);
    for (uint8_t i = 0; i < 200; i++) {
        mesh_send(net->nodes[1].mesh, 0, 1, net_message(memory, WIRE_VOTE, 124, i),
                  bytes_of(NULL, 0));
    }
    net_run(net, 500);
    CHECK_U64(net->nodes[0].messages[1], ==, 0);
    net_run(net, 1000);
    CHECK_U64(net->nodes[0].messages[1], ==, 200);
    net_close(net);
}

TEST(a_second_machine_is_refused_and_both_report)
{
    struct net *net = net_open(0);
    const struct mesh_options options = small();

    net_add(net, 0, 11, &options);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    net_run(net, 6000);
    net_add(net, 2, 12, &options); /* the key of node 1 */
    mesh_set_validators(net->nodes[2].mesh, NULL, &net->set, NULL);
    mesh_set_addresses(net->nodes[2].mesh, net->nodes[0].key, &net->nodes[0].address, 1);
    net_run(net, 400);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 0);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 1);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_TWO_MACHINES), >=, 1);
    CHECK_U64(net_reports(&net->nodes[2], MESH_REPORT_KEY_ELSEWHERE), >=, 1);
    CHECK_U64(net_events(&net->nodes[1], NET_CLOSED, MESH_NONE), ==, 0);
    CHECK(net_pipe(net, 2, 0) == NULL);
    net_close(net);
}

/* The peer saw its connection die, this side did not: the same process dials again. */
static void redial_over_dead(uint32_t dead_side)
{
    struct net *net = pair(0, 11, 12);
    struct net_pipe *pipe;
    uint32_t teller;

    net_run(net, 6000);
    pipe = net_pipe(net, 0, 1) != NULL ? net_pipe(net, 0, 1) : net_pipe(net, 1, 0);
    CHECK(pipe != NULL);
    pipe->cut = true;
    pipe->open[dead_side] = false;
    teller = pipe->node[dead_side];
    mesh_closed(net->nodes[teller].mesh, net->now_ms, pipe->link[dead_side]);
    net_run(net, 2500);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 1);
    CHECK_U64(net_sessions(&net->nodes[1]), ==, 1);
    CHECK_U64(pipes_open(net), ==, 1);
    CHECK_U64(net_events(&net->nodes[1 - teller], NET_CLOSED, teller), ==, 1);
    CHECK_U64(net_events(&net->nodes[1 - teller], NET_OPENED, teller), ==, 2);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_KEY_ELSEWHERE), ==, 0);
    CHECK_U64(net_reports(&net->nodes[1], MESH_REPORT_KEY_ELSEWHERE), ==, 0);
    net_close(net);
}

TEST(a_redial_over_a_dead_connection_replaces_it)
{
    redial_over_dead(0);
    redial_over_dead(1);
}

/* The dead one is noticed only a moment after the new one came. */
TEST(the_main_connection_closes_while_another_is_held)
{
    struct net *net = pair(0, 11, 12);
    const struct mesh_options options = small();
    struct net_pipe *pipe;
    uint32_t side;

    net_run(net, 6000);
    pipe = net_pipe(net, 0, 1) != NULL ? net_pipe(net, 0, 1) : net_pipe(net, 1, 0);
    side = pipe->node[0] == 0 ? 0 : 1;
    net_kill(net, 1);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    net_run(net, 200);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 0);
    pipe->open[side] = false;
    mesh_closed(net->nodes[0].mesh, net->now_ms, pipe->link[side]);
    net_run(net, 50);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, 1), ==, 1);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 1), ==, 2);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 1);
    net_close(net);
}

/* A peer that dials ten times at once has one session and at most one connection held. */
TEST(many_connections_of_one_key)
{
    struct net *net = net_open(0);
    const struct mesh_options options = small();
    const struct address address = {.family = ADDRESS_IPV4, .ip = {127, 0, 0, 1}, .port = 1};
    struct net_raw raws[10];
    uint32_t open = 0;

    net_add(net, 0, 11, &options);
    net_validators(net, 1);
    for (uint64_t i = 0; i < 10; i++) {
        raw_connect(&raws[i], net, 0, 5, &address);
        raws[i].instance = i; /* as if started anew each time */
        raw_meet(&raws[i]);
        mesh_check(net->nodes[0].mesh);
    }
    net_run(net, 1200);
    for (uint32_t i = 0; i < 10; i++) {
        open += !raw_closed(&raws[i]);
    }
    CHECK_U64(open, ==, 1);
    CHECK(!raw_closed(&raws[9])); /* the others said nothing when asked */
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 1);
    net_close(net);
}

/* True if the session of the higher key was in limbo for a moment. */
static bool goodbye_overtakes(uint64_t seed)
{
    struct net *net = pair(seed, 11, 12);
    const uint32_t lower = memcmp(net->nodes[0].key, net->nodes[1].key, 32) < 0 ? 0 : 1;
    const struct mesh *higher = net->nodes[1 - lower].mesh;
    struct net_pipe *stays = NULL;
    uint32_t steps = 0;
    bool limbo = false;

    mesh_tick(net->nodes[0].mesh, net->now_ms);
    mesh_tick(net->nodes[1].mesh, net->now_ms);
    while (net_step(net) && steps < 100000) {
        steps += 1;
        stays = net_pipe(net, lower, 1 - lower);
        if (stays != NULL && higher->links[stays->link[1]].state == LINK_HELLO) {
            stays->flow[0].stopped = true; /* HELLO of the lower key is late */
            limbo = limbo || higher->peers[0].limbo;
        }
    }
    if (stays != NULL) {
        stays->flow[0].stopped = false;
    }
    net_run(net, 6000);
    for (uint32_t node = 0; node < 2; node++) {
        CHECK_U64(net_events(&net->nodes[node], NET_OPENED, MESH_NONE), ==, 1);
        CHECK_U64(net_events(&net->nodes[node], NET_CLOSED, MESH_NONE), ==, 0);
        CHECK_U64(net_reports(&net->nodes[node], MESH_REPORT_KEY_ELSEWHERE), ==, 0);
    }
    CHECK_U64(pipes_open(net), ==, 1);
    net_close(net);
    return limbo;
}

/* Goodbye 2 arrives before the HELLO of the connection that stays: the session waits for it. */
TEST(a_goodbye_may_overtake_the_hello_of_what_stays)
{
    uint32_t overtaken = 0;

    for (uint64_t seed = 1; seed <= 100; seed++) {
        overtaken += goodbye_overtakes(seed);
    }
    CHECK_U64(overtaken, >=, 1);
}

TESTS(TEST_ENTRY(both_dial_at_once_in_any_order),
      TEST_ENTRY(the_connection_that_the_lower_key_dialled_stays),
      TEST_ENTRY(a_restarted_peer_replaces_its_dead_session_in_a_second),
      TEST_ENTRY(a_held_connection_loses_nothing),
      TEST_ENTRY(a_second_machine_is_refused_and_both_report),
      TEST_ENTRY(a_redial_over_a_dead_connection_replaces_it),
      TEST_ENTRY(the_main_connection_closes_while_another_is_held),
      TEST_ENTRY(many_connections_of_one_key),
      TEST_ENTRY(a_goodbye_may_overtake_the_hello_of_what_stays))

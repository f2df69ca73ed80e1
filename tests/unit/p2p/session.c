/* Handshake, HELLO, records, closing: 8.20 "Bytes before the session", "Records", "Close". */
#include <string.h>

#include "proto/wire.h"
#include "tests/check.h"
#include "tests/p2p_net.h"

static struct net *pair(uint64_t seed)
{
    struct net *net = net_open(seed);
    const struct mesh_options options = net_options();

    net_add(net, 0, 11, &options);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    return net;
}

TEST(two_validators_meet)
{
    struct net *net = pair(0);
    uint8_t memory[200];

    net_run(net, 100);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 1), ==, 1);
    CHECK_U64(net_events(&net->nodes[1], NET_OPENED, 0), ==, 1);
    mesh_send(net->nodes[0].mesh, 1, 1, net_message(memory, WIRE_VOTE, 124, 7), bytes_of(NULL, 0));
    net_run(net, 10);
    CHECK(net_last_message(&net->nodes[1]) != NULL);
    CHECK_BYTES(bytes_of(net_last_message(&net->nodes[1])->bytes, 124), bytes_of(memory, 124));
    net_close(net);
}

TESTS(TEST_ENTRY(two_validators_meet))

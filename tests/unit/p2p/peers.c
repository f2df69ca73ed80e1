/* Who is dialled, accepted, numbered, charged: 8.20 "Identity", "Half-open", places, "Dialling", "Score"; E3. */
#include <string.h>

#include "p2p/mesh_private.h"
#include "proto/wire.h"
#include "tests/check.h"
#include "tests/p2p_net.h"

enum { IDENTITY = 5 };

static uint8_t memory[1 << 16];

static struct net *single_with(const struct mesh_options *options)
{
    struct net *net = net_open(0);

    net_add(net, 0, 11, options);
    net_validators(net, 1);
    net_run(net, 10);
    return net;
}

static struct net *single(void)
{
    const struct mesh_options options = net_options();

    return single_with(&options);
}

/* Meet from an address of its own; false if refused before the handshake. */
static bool meet(struct net_raw *raw, struct net *net, uint64_t identity, uint32_t from)
{
    const struct address address = raw_address(from);

    raw_connect(raw, net, 0, identity, &address);
    if (raw->pipe == NULL) {
        return false;
    }
    raw_meet(raw);
    return true;
}

static struct mesh_peer peer_of(const struct net *net, const uint8_t *key)
{
    struct mesh_peer peer;
    uint32_t place = 0;

    while (mesh_peer_next(net->nodes[0].mesh, &place, &peer)) {
        if (memcmp(peer.key, key, 32) == 0) {
            return peer;
        }
    }
    check_failed(__FILE__, __LINE__, "no such peer");
}

TEST(validators_and_full_nodes_have_numbers)
{
    struct net *net = net_open(0);
    struct mesh_options options = net_options();

    for (uint32_t i = 0; i < 3; i++) {
        net_add(net, i, 11 + i, &options);
    }
    options.roles = 0;
    net_add(net, 3, 99, &options);
    net_validators(net, 3);
    net_run(net, 3000);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 1), ==, 1);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 2), ==, 1);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, MESH_NONE), ==, 3);
    CHECK_U64(peer_of(net, net->nodes[3].key).number, >=, MESH_PEER_FULL);
    CHECK(!peer_of(net, net->nodes[3].key).validator);
    CHECK(peer_of(net, net->nodes[2].key).validator);
    CHECK(strcmp(peer_of(net, net->nodes[2].key).software, "artel/test") == 0);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_U64(net_events(&net->nodes[3], NET_OPENED, i), ==, 1);
    }
    net_close(net);
}

TEST(a_new_set_renumbers_open_sessions)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();
    struct validator_set next;

    for (uint32_t i = 0; i < 3; i++) {
        net_add(net, i, 11 + i, &options);
    }
    net_validators(net, 3);
    net_run(net, 3000);
    next = net->set;
    next.members[1] = net->set.members[2]; /* 1 and 2 change places */
    next.members[2] = net->set.members[1];
    net_forget(&net->nodes[0]);
    mesh_set_validators(net->nodes[0].mesh, &net->set, &next, NULL);
    CHECK_U64(net->nodes[0].event_count, ==, 0); /* nobody is called from a setter */
    net_run(net, 10);
    CHECK_U64(net->nodes[0].event_count, ==, 4);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, 1), ==, 1);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, 2), ==, 1);
    CHECK(net->nodes[0].events[0].kind == NET_CLOSED && net->nodes[0].events[1].kind == NET_CLOSED);
    CHECK(net->nodes[0].events[2].kind == NET_OPENED && net->nodes[0].events[3].kind == NET_OPENED);
    mesh_send(net->nodes[0].mesh, 1, 1, net_message(memory, WIRE_VOTE, 124, 0), bytes_of(NULL, 0));
    net_run(net, 10);
    CHECK_U64(net->nodes[2].messages[1], ==, 1);
    /* A member that left is a full node, and may vote while its set is the previous one. */
    next.count = 2;
    mesh_set_validators(net->nodes[0].mesh, &net->set, &next, NULL);
    net_run(net, 10);
    CHECK_U64(peer_of(net, net->nodes[1].key).number, >=, MESH_PEER_FULL);
    mesh_send(net->nodes[1].mesh, 0, 1, net_message(memory, WIRE_VOTE, 124, 0), bytes_of(NULL, 0));
    net_run(net, 10);
    CHECK_U64(net->nodes[0].messages[1], ==, 1);
    CHECK_U64(net_last_message(&net->nodes[0])->peer, >=, MESH_PEER_FULL);
    net_close(net);
}

TEST(dials_back_off_to_thirty_seconds)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();
    uint64_t last_ms;
    uint64_t waits[64];
    uint32_t count = 0;

    net_add(net, 0, 11, &options);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    net_remove(net, 1);
    last_ms = net->now_ms;
    while (count < 20) {
        struct mesh_action action;

        mesh_tick(net->nodes[0].mesh, net->now_ms);
        while (mesh_next(net->nodes[0].mesh, &action)) {
            if (action.kind == MESH_DIAL) {
                waits[count] = net->now_ms - last_ms;
                last_ms = net->now_ms;
                count += 1;
                mesh_closed(net->nodes[0].mesh, net->now_ms, action.link);
            }
        }
        net->now_ms = mesh_deadline_ms(net->nodes[0].mesh);
    }
    CHECK_U64(waits[0], ==, 0);
    for (uint32_t i = 1; i < 20; i++) {
        uint64_t full_ms = 500;

        for (uint32_t k = 1; k < i && full_ms < 30000; k++) {
            full_ms += full_ms / 2;
        }
        full_ms = full_ms < 30000 ? full_ms : 30000;
        CHECK_U64(waits[i], >=, full_ms / 2);
        CHECK_U64(waits[i], <=, full_ms);
    }
    net_close(net);
}

TEST(a_dial_that_never_connects_is_given_up)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();
    struct mesh_action action;

    net_add(net, 0, 11, &options);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    mesh_tick(net->nodes[0].mesh, net->now_ms);
    CHECK(mesh_next(net->nodes[0].mesh, &action));
    CHECK(action.kind == MESH_DIAL);
    CHECK(address_equal(&action.address, &net->nodes[1].address));
    mesh_tick(net->nodes[0].mesh, net->now_ms + 9999);
    CHECK(!mesh_next(net->nodes[0].mesh, &action));
    mesh_tick(net->nodes[0].mesh, net->now_ms + 10000);
    CHECK(mesh_next(net->nodes[0].mesh, &action));
    CHECK(action.kind == MESH_CLOSE);
    net_close(net);
}

TEST(addresses_are_tried_in_turn)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();
    struct address addresses[2];

    net_add(net, 0, 11, &options);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    mesh_set_validators(net->nodes[1].mesh, NULL, NULL, NULL);
    addresses[0] = raw_address(9); /* nobody there */
    addresses[1] = net->nodes[1].address;
    mesh_set_addresses(net->nodes[0].mesh, net->nodes[1].key, addresses, 2);
    net_run(net, 600);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 1);
    net_close(net);
}

TEST(a_full_node_dials_eight_validators_and_configured_peers)
{
    struct net *net = net_open(0);
    struct mesh_options options = net_options();
    struct mesh_action action;
    const struct address none = {.family = ADDRESS_NONE};
    struct validator_set set = {.count = 8};
    uint32_t dials = 0;
    uint32_t tagged = 0;

    options.outbound_max = 3;
    net_add(net, 0, 11, &options);
    for (uint32_t i = 0; i < 8; i++) {
        set.members[i].consensus_key[0] = (uint8_t)i;
        set.members[i].node_key[0] = (uint8_t)(i + 1);
    }
    mesh_set_validators(net->nodes[0].mesh, NULL, &set, NULL);
    for (uint32_t i = 0; i < 8; i++) {
        const struct address address = raw_address(i);

        mesh_set_addresses(net->nodes[0].mesh, set.members[i].node_key, &address, 1);
    }
    CHECK(mesh_add_peer(net->nodes[0].mesh, (const uint8_t[32]){77}, 4, &none) == ERR_OK);
    CHECK(mesh_add_peer(net->nodes[0].mesh, net->nodes[0].key, 5, &none) == ERR_EXISTS);
    mesh_tick(net->nodes[0].mesh, net->now_ms);
    while (mesh_next(net->nodes[0].mesh, &action)) {
        CHECK(action.kind == MESH_DIAL);
        dials += action.tag == MESH_NONE;
        tagged += action.tag == 4 && action.address.family == ADDRESS_NONE;
    }
    CHECK_U64(dials, ==, 3);
    CHECK_U64(tagged, ==, 1);
    for (uint8_t i = 0; i < 3; i++) {
        CHECK(mesh_add_peer(net->nodes[0].mesh, (const uint8_t[32]){78, i}, 5, &none) == ERR_OK);
    }
    CHECK(mesh_add_peer(net->nodes[0].mesh, (const uint8_t[32]){79}, 5, &none) == ERR_NO_SPACE);
    net_close(net);
}

TEST(private_mode_knows_the_sets_and_configured_peers_alone)
{
    struct mesh_options options = net_options();
    struct net_raw raw;
    struct net *net;

    options.private_mode = true;
    net = single_with(&options);
    CHECK(meet(&raw, net, IDENTITY, 1));
    CHECK_U64(raw.goodbye, ==, GOODBYE_NOT_ALLOWED);
    CHECK_U64(raw.types[WIRE_HELLO], ==, 0); /* it learns nothing more */
    CHECK(mesh_add_peer(net->nodes[0].mesh, raw.key, 0, &(struct address){0}) == ERR_OK);
    CHECK(meet(&raw, net, IDENTITY, 1));
    CHECK_U64(raw.goodbye, ==, 0);
    raw_member(net, IDENTITY + 1);
    CHECK(meet(&raw, net, IDENTITY + 1, 2));
    CHECK_U64(raw.goodbye, ==, 0);
    net_close(net);
}

TEST(a_hello_address_is_a_hint_where_there_is_none)
{
    struct net *net = net_open(0);
    struct mesh_options options = net_options();

    net_add(net, 0, 11, &options);
    options.advertised =
        (struct address){.family = ADDRESS_IPV4, .ip = {10, 0, 0, 2}, .port = 7411};
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    mesh_set_addresses(net->nodes[0].mesh, net->nodes[1].key, NULL, 0);
    net_run(net, 35000);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 1);
    CHECK(net_pipe(net, 1, 0) != NULL);
    /* The other cannot dial any more; this one has learnt where it listens. */
    mesh_set_addresses(net->nodes[1].mesh, net->nodes[0].key, NULL, 0);
    net_pipe(net, 1, 0)->cut = true;
    net_run(net, 20000);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 1);
    CHECK(net_pipe(net, 0, 1) != NULL);
    net_close(net);
}

/* Places and the gate. */

TEST(full_nodes_have_64_places_and_four_an_address)
{
    struct mesh_options options = net_options();
    struct net *net;
    struct net_raw raws[80];
    uint32_t open = 0;

    options.inbound_max = 10;
    net = single_with(&options);
    for (uint32_t i = 0; i < 6; i++) {
        CHECK(meet(&raws[i], net, 100 + i, 1));
        CHECK_U64(raws[i].goodbye, ==, i < 4 ? 0 : GOODBYE_FULL);
    }
    for (uint32_t i = 6; i < 16; i++) {
        net_run(net, 20);
        CHECK(meet(&raws[i], net, 100 + i, i));
        open += raws[i].goodbye == 0;
    }
    CHECK_U64(open, ==, 6);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 10);
    raw_member(net, 300); /* a member has its own place */
    CHECK(meet(&raws[16], net, 300, 20));
    CHECK_U64(raws[16].goodbye, ==, 0);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 11);
    net_close(net);
}

TEST(ten_thousand_connections_leave_the_members_their_places)
{
    struct net *net = single();
    struct net_raw raw;
    uint64_t keys;
    uint32_t held = 0;

    raw_member(net, IDENTITY);
    for (uint32_t i = 0; i < 10000; i++) {
        const struct address address = raw_address(i);
        const uint32_t link = mesh_accepted(net->nodes[0].mesh, net->now_ms, &address);
        struct mesh_action action;

        held += link != MESH_NONE;
        CHECK_U64(mesh_links(net->nodes[0].mesh), <=, 32 + 8);
        while (mesh_next(net->nodes[0].mesh, &action)) {
            CHECK(action.kind == MESH_CLOSE);
        }
        if (i % 10 == 9) {
            net->now_ms += 10; /* a thousand a second */
            mesh_tick(net->nodes[0].mesh, net->now_ms);
        }
    }
    CHECK_U64(held, <=, 100 + 100 * 10 + 10);
    keys = mesh_counts(net->nodes[0].mesh)->key_operations;
    CHECK_U64(keys, ==, 0);
    mesh_check(net->nodes[0].mesh);
    /* A member from an address that is in the registry is let in all the same. */
    {
        const struct address known = raw_address(60000);

        mesh_set_addresses(net->nodes[0].mesh, net->set.members[1].node_key, &known, 1);
        raw_connect(&raw, net, 0, IDENTITY, &known);
        CHECK(raw.pipe != NULL);
        raw_meet(&raw);
        CHECK_U64(raw.goodbye, ==, 0);
        CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 1), ==, 1);
    }
    net_close(net);
}

TEST(half_open_places_go_to_newcomers_after_a_second)
{
    struct net *net = single();
    uint32_t links = 0;

    for (uint32_t i = 0; i < 40; i++) {
        const struct address address = raw_address(i);

        links += mesh_accepted(net->nodes[0].mesh, net->now_ms, &address) != MESH_NONE;
    }
    CHECK_U64(links, ==, 32);
    net_run(net, 1001);
    for (uint32_t i = 100; i < 110; i++) {
        const struct address address = raw_address(i);

        CHECK(mesh_accepted(net->nodes[0].mesh, net->now_ms, &address) != MESH_NONE);
    }
    net_settle(net);
    CHECK_U64(mesh_links(net->nodes[0].mesh), ==, 32);
    net_run(net, 6000);
    CHECK_U64(mesh_links(net->nodes[0].mesh), ==, 0);
    net_close(net);
}

TEST(one_address_begins_two_handshakes_a_second)
{
    struct net *net = single();
    const struct address address = raw_address(1);
    const struct address loopback = {.family = ADDRESS_IPV4, .ip = {127, 0, 0, 1}, .port = 9};
    struct address six = {.family = ADDRESS_IPV6, .ip = {0x20, 1, 2, 3, 4, 5, 6, 7}, .port = 9};
    uint32_t passed = 0;

    for (uint32_t i = 0; i < 50; i++) {
        passed += mesh_accepted(net->nodes[0].mesh, net->now_ms, &address) != MESH_NONE;
    }
    CHECK_U64(passed, ==, 8);
    net_run(net, 6000);
    passed = 0;
    for (uint32_t i = 0; i < 50; i++) { /* one /64 is one address */
        six.ip[15] = (uint8_t)i;
        passed += mesh_accepted(net->nodes[0].mesh, net->now_ms, &six) != MESH_NONE;
    }
    CHECK_U64(passed, ==, 8);
    net_run(net, 6000);
    passed = 0;
    for (uint32_t i = 0; i < 100; i++) {
        passed += mesh_accepted(net->nodes[0].mesh, net->now_ms, &loopback) != MESH_NONE;
    }
    CHECK_U64(passed, ==, 32); /* 64 by rate, but the half-open places are taken */
    net_close(net);
}

/* Scores. */

TEST(faults_have_their_price_and_a_full_node_is_banned)
{
    struct net *net = single();
    struct net_raw raw;
    uint32_t number;

    CHECK(meet(&raw, net, IDENTITY, 1));
    number = peer_of(net, raw.key).number;
    for (uint32_t i = 0; i < 60; i++) {
        mesh_charge(net->nodes[0].mesh, number, 4, MESH_USEFUL);
    }
    CHECK(peer_of(net, raw.key).score == 50);
    mesh_charge(net->nodes[0].mesh, number, 4, MESH_FAULT_SIGNATURE);
    mesh_charge(net->nodes[0].mesh, number, 4, MESH_FAULT_UNSOLICITED);
    mesh_charge(net->nodes[0].mesh, number, 4, MESH_FAULT_TX_SIGNATURE);
    mesh_charge(net->nodes[0].mesh, number, 4, MESH_FAULT_TIMEOUT);
    mesh_charge(net->nodes[0].mesh, number, 4, MESH_FAULT_TX_INVALID);
    CHECK(peer_of(net, raw.key).score == -36);
    for (uint32_t i = 0; i < 10; i++) { /* one a minute, towards 0 */
        const uint8_t ping[9] = {WIRE_PING};

        raw_frame(&raw, 0, 1, bytes_of(ping, sizeof ping));
        net_run(net, 12000);
        raw_read(&raw);
    }
    CHECK(peer_of(net, raw.key).score == -34);
    mesh_charge(net->nodes[0].mesh, number, 4, MESH_FAULT_SIGNATURE);
    mesh_charge(net->nodes[0].mesh, number, 4, MESH_FAULT_UNSOLICITED);
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->bans, ==, 0); /* not from inside a charge */
    net_run(net, 10);
    raw_read(&raw);
    CHECK_U64(raw.goodbye, ==, GOODBYE_BANNED);
    CHECK_U64(raw.goodbye_s, ==, 3600);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_BANNED), ==, 1);
    /* The key is known elsewhere too, and the address is slow now. */
    net_run(net, 10000);
    CHECK(meet(&raw, net, IDENTITY, 2));
    CHECK_U64(raw.goodbye, ==, GOODBYE_BANNED);
    CHECK_U64(raw.goodbye_s, <, 3600);
    CHECK(meet(&raw, net, IDENTITY + 1, 1));
    CHECK(!meet(&raw, net, IDENTITY + 2, 1));
    net_run(net, 3600000);
    CHECK(meet(&raw, net, IDENTITY, 3));
    CHECK_U64(raw.goodbye, ==, 0);
    number = peer_of(net, raw.key).number;
    mesh_charge(net->nodes[0].mesh, number, 4, MESH_FAULT_MALFORMED);
    net_run(net, 10);
    raw_read(&raw);
    CHECK_U64(raw.goodbye, ==, GOODBYE_MALFORMED);
    CHECK(meet(&raw, net, IDENTITY, 3));
    CHECK_U64(raw.goodbye, ==, GOODBYE_BANNED); /* again: a day */
    CHECK_U64(raw.goodbye_s, >, 86000);
    net_close(net);
}

TEST(a_validator_is_muted_for_a_minute_and_never_banned)
{
    struct net *net = single();
    struct net_raw raw;

    raw_member(net, IDENTITY);
    CHECK(meet(&raw, net, IDENTITY, 1));
    mesh_charge(net->nodes[0].mesh, 1, 4, MESH_FAULT_SIGNATURE);
    mesh_charge(net->nodes[0].mesh, 1, 4, MESH_FAULT_SIGNATURE);
    net_run(net, 10);
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->mutes, ==, 1);
    raw_frame(&raw, 4, 1, net_message(memory, WIRE_TX_HAVE, 35, 0));
    raw_frame(&raw, 1, 1, net_message(memory, WIRE_VOTE, 124, 0));
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[4], ==, 0);
    CHECK_U64(net->nodes[0].messages[1], ==, 1);
    mesh_charge(net->nodes[0].mesh, 1, 1, MESH_FAULT_SIGNATURE);
    mesh_charge(net->nodes[0].mesh, 1, 1, MESH_FAULT_SIGNATURE);
    net_run(net, 10);
    raw_frame(&raw, 1, 1, net_message(memory, WIRE_VOTE, 124, 0));
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[1], ==, 2); /* votes are heard always */
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->mutes, ==, 1);
    for (uint32_t i = 0; i < 6; i++) {
        const uint8_t ping[9] = {WIRE_PING};

        raw_frame(&raw, 0, 1, bytes_of(ping, sizeof ping));
        net_run(net, 10000);
        raw_read(&raw);
    }
    raw_frame(&raw, 4, 1, net_message(memory, WIRE_TX_HAVE, 35, 0));
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[4], ==, 1);
    CHECK(!raw_closed(&raw));
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->bans, ==, 0);
    net_close(net);
}

TEST(a_validator_comes_back_five_seconds_after_a_malformed_frame)
{
    struct net *net = single();
    struct net_raw raw;

    raw_member(net, IDENTITY);
    CHECK(meet(&raw, net, IDENTITY, 1));
    raw_frame(&raw, 8, 1, bytes_of("x", 1));
    raw_read(&raw);
    CHECK_U64(raw.goodbye, ==, GOODBYE_MALFORMED);
    net_run(net, 1000);
    CHECK(meet(&raw, net, IDENTITY, 1));
    CHECK_U64(raw.goodbye, ==, GOODBYE_NOT_ALLOWED);
    CHECK_U64(raw.goodbye_s, ==, 4);
    net_run(net, 4100);
    CHECK(meet(&raw, net, IDENTITY, 1));
    CHECK_U64(raw.goodbye, ==, 0);
    net_close(net);
}

/* Goodbye 5 with a day: a full node stays away an hour, a validator half a minute. */
static uint64_t stays_away(bool validator)
{
    struct net *net = single();
    const struct address none = {.family = ADDRESS_NONE};
    const uint8_t goodbye[6] = {WIRE_GOODBYE, GOODBYE_NOT_ALLOWED, 0, 1, 0x51, 0x80};
    struct net_raw raw;
    struct mesh_action action;
    uint64_t begin_ms;

    if (validator) {
        raw_member(net, IDENTITY);
    }
    CHECK(meet(&raw, net, IDENTITY, 1));
    CHECK(mesh_add_peer(net->nodes[0].mesh, raw.key, 9, &none) == ERR_OK);
    raw_frame(&raw, 0, 1, bytes_of(goodbye, sizeof goodbye));
    net_settle(net);
    begin_ms = net->now_ms;
    for (uint32_t i = 0; i < 1000; i++) {
        net->now_ms = mesh_deadline_ms(net->nodes[0].mesh);
        mesh_tick(net->nodes[0].mesh, net->now_ms);
        while (mesh_next(net->nodes[0].mesh, &action)) {
            if (action.kind == MESH_DIAL) {
                const uint64_t away_ms = net->now_ms - begin_ms;

                net_close(net);
                return away_ms;
            }
        }
    }
    check_failed(__FILE__, __LINE__, "never dialled again");
}

TEST(goodbyes_are_obeyed_within_bounds)
{
    CHECK_U64(stays_away(false), ==, 3600000);
    CHECK_U64(stays_away(true), ==, 30000);
}

TEST(memory_is_what_the_footprint_says)
{
    struct mesh_options options = net_options();
    struct net *net = net_open(0);
    struct arena arena;
    struct mesh *mesh;
    struct mesh_options large = options;

    net_add(net, 0, 11, &options);
    large.node_secret = net->nodes[0].secret;
    large.owner = net->nodes[0].mesh->options.owner;
    large.validators_max = VALIDATORS_MAX;
    large.receive_bytes = 24 << 20;
    large.send_bytes = 32 << 20;
    CHECK(arena_open(&arena, mesh_footprint(&large)) == ERR_OK);
    CHECK(mesh_init(&large, &arena, &mesh) == ERR_OK);
    CHECK_U64(arena.used, ==, arena.size);
    arena_close(&arena);
    CHECK(arena_open(&arena, mesh_footprint(&large) - 16) == ERR_OK);
    CHECK(mesh_init(&large, &arena, &mesh) == ERR_NO_SPACE);
    arena_close(&arena);
    net_close(net);
}

TESTS(TEST_ENTRY(validators_and_full_nodes_have_numbers),
      TEST_ENTRY(a_new_set_renumbers_open_sessions), TEST_ENTRY(dials_back_off_to_thirty_seconds),
      TEST_ENTRY(a_dial_that_never_connects_is_given_up), TEST_ENTRY(addresses_are_tried_in_turn),
      TEST_ENTRY(a_full_node_dials_eight_validators_and_configured_peers),
      TEST_ENTRY(private_mode_knows_the_sets_and_configured_peers_alone),
      TEST_ENTRY(a_hello_address_is_a_hint_where_there_is_none),
      TEST_ENTRY(full_nodes_have_64_places_and_four_an_address),
      TEST_ENTRY(ten_thousand_connections_leave_the_members_their_places),
      TEST_ENTRY(half_open_places_go_to_newcomers_after_a_second),
      TEST_ENTRY(one_address_begins_two_handshakes_a_second),
      TEST_ENTRY(faults_have_their_price_and_a_full_node_is_banned),
      TEST_ENTRY(a_validator_is_muted_for_a_minute_and_never_banned),
      TEST_ENTRY(a_validator_comes_back_five_seconds_after_a_malformed_frame),
      TEST_ENTRY(goodbyes_are_obeyed_within_bounds), TEST_ENTRY(memory_is_what_the_footprint_says))

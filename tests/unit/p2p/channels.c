/* What goes out, in which order, and what is dropped: 8.20 "Sending", the table's send caps; faults E4, E9a. */
#include <string.h>

#include "p2p/mesh_private.h"
#include "proto/wire.h"
#include "tests/check.h"
#include "tests/p2p_net.h"

enum { IDENTITY = 5 };

static uint8_t memory[2 << 20];

static struct net *begin_with(struct net_raw *raw, const struct mesh_options *options)
{
    struct net *net = net_open(0);
    const struct address address = raw_address(IDENTITY);

    net_add(net, 0, 11, options);
    raw_member(net, IDENTITY);
    net_run(net, 10);
    raw_connect(raw, net, 0, IDENTITY, &address);
    raw_meet(raw);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 1), ==, 1);
    return net;
}

static struct net *begin(struct net_raw *raw)
{
    const struct mesh_options options = net_options();

    return begin_with(raw, &options);
}

static void send(struct net *net, uint8_t channel, uint8_t type, size_t count)
{
    mesh_send(net->nodes[0].mesh, 1, channel, net_message(memory, type, count, 0),
              bytes_of(NULL, 0));
}

/* Frames read since the last call, of each channel. */
static void tally(struct net_raw *raw, uint32_t counts[MESH_CHANNELS])
{
    memset(counts, 0, MESH_CHANNELS * sizeof *counts);
    for (uint32_t i = 0; i < raw->frames && i < sizeof raw->channels; i++) {
        counts[raw->channels[i]] += 1;
    }
    raw->frames = 0;
}

TEST(head_and_body_become_one_message)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();
    static uint8_t body[300000];
    struct random random = {.state = 1};

    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (uint8_t)random_next(&random);
    }
    net_add(net, 0, 11, &options);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    net_run(net, 100);
    mesh_send(net->nodes[0].mesh, 1, 2, net_message(memory, WIRE_PROPOSAL, 500, 9),
              bytes_of(body, sizeof body));
    net_run(net, 10);
    CHECK_U64(net_last_message(&net->nodes[1])->count, ==, 500 + sizeof body);
    CHECK_BYTES(bytes_of(net_last_message(&net->nodes[1])->bytes + 500, sizeof body),
                bytes_of(body, sizeof body));
    CHECK_BYTES(bytes_of(net_last_message(&net->nodes[1])->bytes, 500), bytes_of(memory, 500));
    net_close(net);
}

TEST(a_message_to_all_is_stored_once)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();
    uint32_t before;
    uint32_t after;
    uint32_t other;

    for (uint32_t i = 0; i < 5; i++) {
        net_add(net, i, 11 + i, &options);
    }
    net_validators(net, 4); /* the fifth is a full node */
    net_run(net, 6000);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 4);
    mesh_memory(net->nodes[0].mesh, &other, &before);
    mesh_send(net->nodes[0].mesh, MESH_ALL, 2, net_message(memory, WIRE_PROPOSAL, 1 << 20, 0),
              bytes_of(NULL, 0));
    mesh_memory(net->nodes[0].mesh, &other, &after);
    CHECK_U64(before - after, ==, 64 + 2); /* the message, its head, the entries */
    net_run(net, 10);
    mesh_memory(net->nodes[0].mesh, &other, &after);
    CHECK_U64(after, ==, before);
    for (uint32_t i = 1; i < 4; i++) {
        CHECK_U64(net->nodes[i].messages[2], ==, 1);
    }
    CHECK_U64(net->nodes[4].messages[2], ==, 0);
    mesh_send(net->nodes[0].mesh, MESH_ALL_FULL_NODES, 3, net_message(memory, WIRE_CERT, 300, 0),
              bytes_of(NULL, 0));
    net_run(net, 10);
    CHECK_U64(net->nodes[4].messages[3], ==, 1);
    CHECK_U64(net->nodes[1].messages[3], ==, 0);
    net_close(net);
}

TEST(a_message_to_nobody_is_dropped)
{
    struct net_raw raw;
    struct net *net = begin(&raw);
    uint32_t before;
    uint32_t after;
    uint32_t other;

    mesh_memory(net->nodes[0].mesh, &other, &before);
    mesh_send(net->nodes[0].mesh, 7, 1, net_message(memory, WIRE_VOTE, 124, 0), bytes_of(NULL, 0));
    mesh_send(net->nodes[0].mesh, 0, 1, net_message(memory, WIRE_VOTE, 124, 0), bytes_of(NULL, 0));
    mesh_send(net->nodes[0].mesh, MESH_PEER_FULL + 70, 4, net_message(memory, WIRE_TX_PUSH, 99, 0),
              bytes_of(NULL, 0));
    mesh_send(net->nodes[0].mesh, MESH_ALL_FULL_NODES, 3, net_message(memory, WIRE_CERT, 99, 0),
              bytes_of(NULL, 0));
    mesh_memory(net->nodes[0].mesh, &other, &after);
    CHECK_U64(after, ==, before);
    net_close(net);
}

TEST(a_vote_waits_behind_one_record_of_bulk)
{
    struct net_raw raw;
    struct net *net = begin(&raw);
    uint8_t record[MESH_RECORD_BYTES];
    const uint32_t link = raw.pipe->link[1];
    struct mesh *mesh = net->nodes[0].mesh;
    uint32_t counts[MESH_CHANNELS];

    for (uint32_t i = 0; i < 2; i++) {
        send(net, 5, WIRE_BLOCKS, 1 << 20);
    }
    CHECK_U64(mesh_pull(mesh, net->now_ms, link, record), ==, MESH_RECORD_BYTES);
    send(net, 1, WIRE_VOTE, 124);
    /* The very next record is the vote and nothing else. */
    CHECK_U64(mesh_pull(mesh, net->now_ms, link, record), ==, 2 + 4 + 124 + 16);
    raw.receiving.nonce += 2;
    raw_read(&raw);
    tally(&raw, counts);
    CHECK_U64(counts[5], >=, 1);
    net_close(net);
}

TEST(channels_0_to_3_go_in_their_order)
{
    struct net_raw raw;
    struct net *net = begin(&raw);
    const uint8_t order[] = {1, 1, 2, 3, 4};

    raw.frames = 0;
    send(net, 4, WIRE_TX_PUSH, 100);
    send(net, 3, WIRE_CERT, 100);
    send(net, 2, WIRE_PROPOSAL, 100);
    send(net, 1, WIRE_VOTE, 124);
    send(net, 1, WIRE_VOTE, 124);
    raw_read(&raw);
    CHECK_U64(raw.frames, ==, 5);
    CHECK_BYTES(bytes_of(raw.channels, 5), bytes_of(order, 5));
    net_close(net);
}

TEST(bulk_gets_a_record_in_sixteen)
{
    struct mesh_options options = net_options();
    struct net_raw raw;
    struct net *net;
    uint8_t record[MESH_RECORD_BYTES];
    uint32_t link;
    uint32_t bulk = 0;
    uint32_t since = 0;
    uint32_t longest = 0;

    options.send_bytes = 32 << 20;
    net = begin_with(&raw, &options);
    link = raw.pipe->link[1];
    for (uint32_t i = 0; i < 10; i++) {
        send(net, 2, WIRE_PROPOSAL, 1 << 20);
    }
    send(net, 5, WIRE_BLOCKS, 1 << 20);
    for (uint32_t i = 0; i < 320; i++) {
        struct bytes plain;
        size_t count = mesh_pull(net->nodes[0].mesh, net->now_ms, link, record);

        CHECK_U64(count, >=, 2 + 16);
        CHECK(noise_open(&raw.receiving, bytes_of(record + 2, count - 2), record + 2));
        plain = bytes_of(record + 2, count - 18);
        since += 1;
        if (plain.at[0] == 5) {
            bulk += 1;
            longest = since > longest ? since : longest;
            since = 0;
        }
    }
    CHECK_U64(bulk, ==, 20);
    CHECK_U64(longest, ==, 16);
    net_close(net);
}

TEST(bulk_channels_share_by_weight)
{
    struct net_raw raw;
    struct net *net = begin(&raw);
    uint8_t record[MESH_RECORD_BYTES];
    const uint32_t link = raw.pipe->link[1];
    uint64_t bytes[MESH_CHANNELS] = {0};

    for (uint32_t i = 0; i < 30; i++) {
        send(net, 4, WIRE_TX_PUSH, 65000);
    }
    send(net, 5, WIRE_BLOCKS, 1 << 20);
    for (uint32_t i = 0; i < 90; i++) {
        size_t count = mesh_pull(net->nodes[0].mesh, net->now_ms, link, record);
        size_t at = 2;

        CHECK(noise_open(&raw.receiving, bytes_of(record + 2, count - 2), record + 2));
        while (at < count - 16) {
            const size_t length = (size_t)record[at + 2] << 8 | record[at + 3];

            bytes[record[at]] += length;
            at += 4 + length;
        }
    }
    /* Weights 4 and 2. */
    CHECK_U64(bytes[4] * 10, >=, bytes[5] * 18);
    CHECK_U64(bytes[4] * 10, <=, bytes[5] * 22);
    net_close(net);
}

TEST(announcements_go_before_pushes_but_never_into_one)
{
    struct net_raw raw;
    struct net *net = begin(&raw);

    send(net, 4, WIRE_TX_PUSH, 60000);
    net_settle(net); /* all of it is under way */
    send(net, 4, WIRE_TX_PUSH, 100);
    send(net, 4, WIRE_TX_HAVE, 35);
    raw_read(&raw);
    CHECK_U64(raw.types[WIRE_TX_HAVE], ==, 1);
    CHECK_U64(raw.last[0], ==, WIRE_TX_PUSH);
    CHECK_U64(raw.last_count, ==, 100);
    net_close(net);
}

/* A slow reader: nothing is read from flow[1], so 64 KiB are under way and the rest waits. */
TEST(votes_for_a_slow_reader_close_it_at_4_mib)
{
    struct net_raw raw;
    struct net *net = begin(&raw);
    uint32_t sent = 0;

    while (net_events(&net->nodes[0], NET_CLOSED, 1) == 0 && sent < 10000) {
        for (uint32_t i = 0; i < 100; i++) {
            send(net, 1, WIRE_CERT, 1000);
            sent += 1;
        }
        net_settle(net);
        mesh_tick(net->nodes[0].mesh, net->now_ms);
    }
    CHECK_U64(sent, >=, 4194);
    CHECK_U64(sent, <=, 4194 + 66 + 200);
    net_run(net, 600);
    CHECK(raw_closed(&raw));
    net_close(net);
}

TEST(proposals_for_a_slow_reader_close_it_at_16_mib)
{
    struct mesh_options options = net_options();
    struct net_raw raw;
    struct net *net;
    uint32_t sent = 0;

    options.send_bytes = 32 << 20;
    net = begin_with(&raw, &options);
    while (net_events(&net->nodes[0], NET_CLOSED, 1) == 0 && sent < 100) {
        send(net, 2, WIRE_PROPOSAL, 1 << 20);
        sent += 1;
        net_settle(net);
        mesh_tick(net->nodes[0].mesh, net->now_ms);
    }
    CHECK_U64(sent, ==, 17);
    net_close(net);
}

TEST(finality_for_a_slow_reader_drops_the_oldest)
{
    struct net_raw raw;
    struct net *net = begin(&raw);
    uint32_t counts[MESH_CHANNELS];

    send(net, 2, WIRE_PROPOSAL, 200000); /* fills what is under way */
    net_settle(net);
    for (uint32_t i = 0; i < 400; i++) {
        mesh_send(net->nodes[0].mesh, 1, 3, net_message(memory, WIRE_CERT, 1024, (uint8_t)i),
                  bytes_of(NULL, 0));
    }
    for (uint32_t i = 0; i < 40; i++) {
        raw_read(&raw);
    }
    CHECK(!raw_closed(&raw));
    tally(&raw, counts);
    CHECK_U64(counts[3], ==, 256);
    CHECK_U64(raw.last[1], ==, (uint8_t)399);
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->dropped[3], ==, 144);
    net_close(net);
}

TEST(transactions_for_a_slow_reader_drop_announcements_then_pushes)
{
    struct net_raw raw;
    struct net *net = begin(&raw);

    send(net, 2, WIRE_PROPOSAL, 200000);
    net_settle(net);
    for (uint32_t i = 0; i < 100; i++) {
        send(net, 4, WIRE_TX_HAVE, 3 + 32 * 256);
    }
    for (uint32_t i = 0; i < 40; i++) {
        send(net, 4, WIRE_TX_PUSH, 50000);
    }
    for (uint32_t i = 0; i < 60; i++) {
        raw_read(&raw);
    }
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->dropped[4], ==, 89);
    CHECK_U64(raw.types[WIRE_TX_HAVE], ==, 11); /* 2 MiB less 2,000,000 hold 11 of them */
    raw.types[WIRE_TX_HAVE] = 0;
    send(net, 2, WIRE_PROPOSAL, 200000);
    net_settle(net);
    for (uint32_t i = 0; i < 60; i++) {
        send(net, 4, WIRE_TX_PUSH, 50000);
    }
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->dropped[4], ==, 89 + 19);
    net_close(net);
}

TEST(ranges_wait_for_two_requests)
{
    struct net_raw raw;
    struct net *net = begin(&raw);

    send(net, 2, WIRE_PROPOSAL, 200000);
    net_settle(net);
    for (uint32_t i = 0; i < 3; i++) {
        send(net, 5, WIRE_BLOCKS, 1 << 20);
    }
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->dropped[5], ==, 1);
    net_close(net);
}

TEST(a_message_too_long_for_its_channel_is_reported_and_dropped)
{
    struct net_raw raw;
    struct net *net = begin(&raw);

    send(net, 3, WIRE_CERT, (16 << 10) + 1);
    net_run(net, 10);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_TOO_LONG), ==, 1);
    CHECK_U64(raw.types[WIRE_CERT], ==, 0);
    net_close(net);
}

/* The send pool is full: bulk goes first, then who has most waiting; the others lose nothing. */
TEST(an_empty_send_pool_costs_bulk_first_then_the_largest)
{
    struct mesh_options options = net_options();
    struct net *net = net_open(0);
    const struct address address = raw_address(IDENTITY);
    struct net_raw raw;

    options.send_bytes = 4 << 20;
    net_add(net, 0, 11, &options);
    net_add(net, 1, 12, &options);
    net_add(net, 2, IDENTITY, &options); /* for its key */
    net_validators(net, 3);
    net_remove(net, 2);
    net_run(net, 5000);
    raw_connect(&raw, net, 0, IDENTITY, &address);
    raw_meet(&raw);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 2);
    for (uint32_t i = 0; i < 2; i++) {
        mesh_send(net->nodes[0].mesh, 2, 5, net_message(memory, WIRE_BLOCKS, 1 << 20, 0),
                  bytes_of(NULL, 0));
    }
    for (uint32_t i = 0; i < 3; i++) {
        mesh_send(net->nodes[0].mesh, 2, 2, net_message(memory, WIRE_PROPOSAL, 1 << 20, 0),
                  bytes_of(NULL, 0));
    }
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->dropped[5], ==, 2);
    mesh_tick(net->nodes[0].mesh, net->now_ms);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_POOL_EMPTY), ==, 1);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 0);
    mesh_send(net->nodes[0].mesh, MESH_ALL, 2, net_message(memory, WIRE_PROPOSAL, 1 << 20, 0),
              bytes_of(NULL, 0));
    net_run(net, 700);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, 2), ==, 1); /* slow, and largest */
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, 1), ==, 0);
    CHECK_U64(net->nodes[1].messages[2], ==, 1);
    net_close(net);
}

TEST(memory_is_back_after_everything_closed)
{
    struct mesh_options options = net_options();
    struct net *net = net_open(77);
    uint32_t sending;
    uint32_t receiving;

    for (uint32_t i = 0; i < 4; i++) {
        net_add(net, i, 11 + i, &options);
        net->nodes[i].keeps = false;
    }
    net_validators(net, 4);
    net_run(net, 3000);
    for (uint32_t i = 0; i < 300; i++) {
        const uint32_t node = (uint32_t)random_below(&net->random, 4);
        const uint8_t types[] = {WIRE_VOTE, WIRE_PROPOSAL, WIRE_TX_PUSH, WIRE_BLOCKS};
        const uint8_t channels[] = {1, 2, 4, 5};
        const uint32_t kind = (uint32_t)random_below(&net->random, 4);
        const size_t count = 1 + (size_t)random_below(&net->random, kind == 0 ? 8000 : 70000);
        uint32_t steps = (uint32_t)random_below(&net->random, 50);

        mesh_send(net->nodes[node].mesh, MESH_ALL, channels[kind],
                  net_message(memory, types[kind], count, 0), bytes_of(NULL, 0));
        while (steps != 0 && net_step(net)) {
            steps -= 1;
        }
        if (i % 50 == 49) {
            for (uint32_t k = 0; k < 4; k++) {
                mesh_check(net->nodes[k].mesh);
            }
        }
    }
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_U64(net_events(&net->nodes[i], NET_CLOSED, MESH_NONE), ==, 0);
        mesh_stop(net->nodes[i].mesh);
    }
    net_run(net, 2000);
    for (uint32_t i = 0; i < 4; i++) {
        mesh_memory(net->nodes[i].mesh, &receiving, &sending);
        CHECK_U64(receiving, ==, options.receive_bytes / POOL_PIECE_BYTES);
        CHECK_U64(sending, ==, options.send_bytes / POOL_PIECE_BYTES);
        CHECK_U64(mesh_links(net->nodes[i].mesh), ==, 0);
    }
    net_close(net);
}

TESTS(TEST_ENTRY(head_and_body_become_one_message), TEST_ENTRY(a_message_to_all_is_stored_once),
      TEST_ENTRY(a_message_to_nobody_is_dropped),
      TEST_ENTRY(a_vote_waits_behind_one_record_of_bulk),
      TEST_ENTRY(channels_0_to_3_go_in_their_order), TEST_ENTRY(bulk_gets_a_record_in_sixteen),
      TEST_ENTRY(bulk_channels_share_by_weight),
      TEST_ENTRY(announcements_go_before_pushes_but_never_into_one),
      TEST_ENTRY(votes_for_a_slow_reader_close_it_at_4_mib),
      TEST_ENTRY(proposals_for_a_slow_reader_close_it_at_16_mib),
      TEST_ENTRY(finality_for_a_slow_reader_drops_the_oldest),
      TEST_ENTRY(transactions_for_a_slow_reader_drop_announcements_then_pushes),
      TEST_ENTRY(ranges_wait_for_two_requests),
      TEST_ENTRY(a_message_too_long_for_its_channel_is_reported_and_dropped),
      TEST_ENTRY(an_empty_send_pool_costs_bulk_first_then_the_largest),
      TEST_ENTRY(memory_is_back_after_everything_closed))

/* What may come, how long and how often: 8.20 "Frames", "Who may send what"; faults E1 of the list. */
#include <string.h>

#include "base/count.h"
#include "p2p/mesh_private.h"
#include "proto/wire.h"
#include "tests/check.h"
#include "tests/p2p_net.h"

enum { IDENTITY = 5 };

static uint8_t memory[5 << 20];

/* A validator, and a peer by hand that is another validator, or a full node. */
static struct net *begin(struct net_raw *raw, bool member)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();
    const struct address address = raw_address(IDENTITY);

    net_add(net, 0, 11, &options);
    net_validators(net, 1);
    if (member) {
        raw_member(net, IDENTITY);
    }
    net_run(net, 10);
    raw_connect(raw, net, 0, IDENTITY, &address);
    raw_meet(raw);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 1);
    return net;
}

/* Send a message as frames of at most `part` bytes. */
static void send_parts(struct net_raw *raw, uint8_t channel, struct bytes message, size_t part)
{
    while (message.count > part) {
        raw_frame(raw, channel, 0, bytes_of(message.at, part));
        message = bytes_after(message, part);
    }
    raw_frame(raw, channel, 1, message);
}

static uint32_t receive_free(const struct net *net)
{
    uint32_t receiving;
    uint32_t sending;

    mesh_memory(net->nodes[0].mesh, &receiving, &sending);
    return receiving;
}

TEST(malformed_frames_close_with_code_9)
{
    static const struct {
        uint8_t bytes[8];
        size_t count; /* zeros follow up to it */
    } records[] = {
        {{8, 1, 0, 1, 0x40}, 5},              /* unknown channel */
        {{4, 2, 0, 1, 0x40}, 5},              /* unknown flag */
        {{4, 3, 0, 1, 0x40}, 5},              /* FIN and an unknown flag */
        {{4, 1, 0, 0, 0x40}, 5},              /* no bytes */
        {{4, 1, 0, 2, 0x40}, 5},              /* past its record */
        {{4, 0, 0x03, 0xff, 0x40}, 4 + 1023}, /* short without FIN */
        {{7, 1, 0, 2, 0x70, 0, 4, 1}, 8},     /* a head cut short */
        {{4, 1, 0, 1, 0x99}, 5},              /* unknown type */
        {{4, 1, 0, 1, 0x10}, 5},              /* a type on another channel */
        {{3, 1, 0, 1, 0x10}, 5},              /* a vote on 3 */
        {{6, 1, 0, 1, 0x60}, 5},              /* snapshots are not spoken */
        {{0, 1, 0, 1, 0x03}, 5},              /* PING without its token */
        {{0, 1, 0, 1, 0x04}, 5},              /* PONG too */
        {{0, 1, 0, 3, 0x05, 1, 0}, 7},        /* GOODBYE cut short */
        {{7, 1, 0, 2, 0x70, 1}, 6},           /* ADDRS without what it counts */
        {{7, 1, 0, 2, 0x70, 65}, 6},          /* too many */
        {{0, 0, 0x04, 0, 0x02}, 4 + 1024}, /* channel 0 holds no message of more than one frame */
    };

    for (uint32_t i = 0; i < COUNT_OF(records); i++) {
        struct net_raw raw;
        struct net *net = begin(&raw, false);
        const uint32_t free = receive_free(net);

        memset(memory, 0, sizeof records[i].bytes + records[i].count);
        memcpy(memory, records[i].bytes, sizeof records[i].bytes);
        raw_record(&raw, bytes_of(memory, records[i].count));
        if (i == COUNT_OF(records) - 1) {
            raw_frame(&raw, 0, 1, bytes_of(memory, 1));
        }
        raw_read(&raw);
        CHECK_U64(raw.goodbye, ==, GOODBYE_MALFORMED);
        CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 1);
        CHECK_U64(net_events(&net->nodes[0], NET_MESSAGE, MESH_NONE), ==, 0);
        CHECK_U64(mesh_counts(net->nodes[0].mesh)->malformed, ==, 1);
        net_run(net, 600);
        CHECK(raw_closed(&raw));
        CHECK_U64(receive_free(net), ==, free);
        net_close(net);
    }
}

/* A message of this length on this channel; it passes or is malformed. */
static void message_of(uint8_t channel, uint8_t type, uint32_t count, bool passes)
{
    struct net_raw raw;
    struct net *net = begin(&raw, true);
    const uint32_t free = receive_free(net);
    const struct bytes message = net_message(memory, type, count, 0);

    if (channel == 0) {
        raw_frame(&raw, 0, 1, message);
    } else {
        send_parts(&raw, channel, message, channel == 4 ? 1024 : 16380);
    }
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[channel], ==, passes ? 1 : 0);
    CHECK_U64(raw.goodbye, ==, passes ? 0 : GOODBYE_MALFORMED);
    if (passes) {
        CHECK_U64(net_last_message(&net->nodes[0])->count, ==, count);
    }
    CHECK_U64(receive_free(net), ==, free);
    net_close(net);
}

TEST(a_message_of_the_limit_passes_and_one_byte_more_does_not)
{
    static const struct {
        uint8_t channel;
        uint8_t type;
        uint32_t limit; /* n = 2, max_block 1 MiB */
    } rows[] = {
        {0, WIRE_STATUS, 1 << 10},
        {1, WIRE_CERT, (8 << 10) + 128},
        {2, WIRE_PROPOSAL, (1 << 20) + (64 << 10) + 17 * (59 + 1 + 128)},
        {3, WIRE_CERT, 16 << 10},
        {4, WIRE_TX_PUSH, 72 << 10},
        {5, WIRE_BLOCKS, (1 << 20) + (64 << 10) + 59 + 1 + 128},
    };

    for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
        message_of(rows[i].channel, rows[i].type, rows[i].limit, true);
        message_of(rows[i].channel, rows[i].type, rows[i].limit + 1, false);
    }
}

TEST(frames_of_different_channels_may_alternate)
{
    struct net_raw raw;
    struct net *net = begin(&raw, true);
    struct random random = {.state = 3};
    static uint8_t one[200000];
    static uint8_t two[70000];

    for (size_t i = 0; i < sizeof one; i++) {
        one[i] = (uint8_t)random_next(&random);
        two[i % sizeof two] = (uint8_t)random_next(&random);
    }
    one[0] = WIRE_PROPOSAL;
    two[0] = WIRE_TX_PUSH;
    two[1] = 0;
    two[2] = 3;
    for (uint32_t i = 0; i < 20; i++) {
        raw_frame(&raw, 2, i == 19, bytes_of(one + 10000 * (size_t)i, 10000));
        if (i < 14) {
            raw_frame(&raw, 4, i == 13, bytes_of(two + 5000 * (size_t)i, 5000));
        }
        raw_frame(&raw, 1, 1, net_message(memory, WIRE_VOTE, 124, (uint8_t)i));
    }
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[1], ==, 20);
    CHECK_U64(net->nodes[0].messages[4], ==, 1);
    CHECK_BYTES(bytes_of(net_last_message(&net->nodes[0])->bytes, 124), bytes_of(memory, 124));
    for (uint32_t i = 0; i < net->nodes[0].event_count; i++) {
        const struct net_event *event = &net->nodes[0].events[i];

        if (event->kind == NET_MESSAGE && event->channel == 2) {
            CHECK_BYTES(bytes_of(event->bytes, event->count), bytes_of(one, sizeof one));
        }
        if (event->kind == NET_MESSAGE && event->channel == 4) {
            CHECK_BYTES(bytes_of(event->bytes, event->count), bytes_of(two, sizeof two));
        }
    }
    net_close(net);
}

/* 8.20: the owner of the channel says how long a message may become, 0 means skip. */
TEST(the_owner_says_how_long_a_message_may_become)
{
    struct net_raw raw;
    struct net *net = begin(&raw, true);
    const uint32_t free = receive_free(net);

    net->nodes[0].length_answer = 0;
    raw_frame(&raw, 2, 0, net_message(memory, WIRE_PROPOSAL, 16000, 0));
    net_settle(net);
    CHECK_U64(net->nodes[0].length_asked, ==, 1);
    CHECK_U64(receive_free(net), ==, free);
    raw_frame(&raw, 2, 0, net_message(memory, WIRE_PROPOSAL, 16000, 0));
    raw_frame(&raw, 2, 1, net_message(memory, WIRE_PROPOSAL, 10, 0));
    net_settle(net);
    CHECK_U64(net->nodes[0].messages[2], ==, 0);
    CHECK_U64(net->nodes[0].length_asked, ==, 1);
    /* The next message is another one, and a single frame asks nobody. */
    raw_frame(&raw, 2, 1, net_message(memory, WIRE_PROPOSAL, 5000, 0));
    net_settle(net);
    CHECK_U64(net->nodes[0].messages[2], ==, 1);
    CHECK_U64(net->nodes[0].length_asked, ==, 1);
    net->nodes[0].length_answer = 20000;
    send_parts(&raw, 2, net_message(memory, WIRE_PROPOSAL, 20000, 0), 10000);
    net_settle(net);
    CHECK_U64(net->nodes[0].messages[2], ==, 2);
    send_parts(&raw, 2, net_message(memory, WIRE_PROPOSAL, 20001, 0), 10000);
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[2], ==, 2);
    CHECK_U64(raw.goodbye, ==, GOODBYE_MALFORMED);
    CHECK_U64(receive_free(net), ==, free);
    net_close(net);
}

TEST(a_skipped_message_may_not_pass_the_channels_limit_either)
{
    struct net_raw raw;
    struct net *net = begin(&raw, true);

    net->nodes[0].length_answer = 0;
    send_parts(&raw, 4, net_message(memory, WIRE_TX_PUSH, (72 << 10) + 1, 0), 16380);
    raw_read(&raw);
    CHECK_U64(raw.goodbye, ==, GOODBYE_MALFORMED);
    net_close(net);
}

TEST(an_abandoned_message_gives_its_memory_back)
{
    struct net_raw raw;
    struct net *net = begin(&raw, true);
    const uint32_t free = receive_free(net);

    for (uint32_t i = 0; i < 20; i++) {
        raw_frame(&raw, 2, 0, net_message(memory, WIRE_PROPOSAL, 16380, 0));
    }
    net_settle(net);
    CHECK_U64(receive_free(net), <=, free - 19);
    raw_close(&raw);
    CHECK_U64(receive_free(net), ==, free);
    net_close(net);
}

TEST(votes_and_proposals_come_from_members_alone)
{
    for (uint32_t claims = 0; claims < 2; claims++) {
        struct net *net = net_open(0);
        const struct mesh_options options = net_options();
        const struct address address = raw_address(IDENTITY);
        struct mesh_peer peer;
        uint32_t place = 0;
        struct net_raw raw;

        net_add(net, 0, 11, &options);
        net_validators(net, 1);
        net_run(net, 10);
        raw_connect(&raw, net, 0, IDENTITY, &address);
        raw.roles = claims == 0 ? 0 : ROLE_VALIDATOR;
        raw_meet(&raw);
        raw_frame(&raw, 1, 1, net_message(memory, WIRE_VOTE, 124, 0));
        raw_frame(&raw, 2, 1, net_message(memory, WIRE_PROPOSAL, 500, 0));
        raw_frame(&raw, 3, 1, net_message(memory, WIRE_CERT, 500, 0));
        raw_frame(&raw, 4, 1, net_message(memory, WIRE_TX_HAVE, 40, 0));
        raw_read(&raw);
        CHECK_U64(net_events(&net->nodes[0], NET_MESSAGE, MESH_NONE), ==, 1);
        CHECK_U64(net->nodes[0].messages[4], ==, 1);
        CHECK(mesh_peer_next(net->nodes[0].mesh, &place, &peer));
        CHECK(peer.score == (claims == 0 ? -60 : 0));
        CHECK_U64(peer.number, >=, MESH_PEER_FULL);
        net_close(net);
    }
}

TEST(a_full_node_takes_finality_but_no_votes)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();
    const struct address address = raw_address(IDENTITY);
    struct net_raw raw;

    net_add(net, 0, 11, &options);
    net_run(net, 10);
    raw_member(net, IDENTITY);
    net->set.count = 1; /* the raw peer alone */
    net->set.members[0] = net->set.members[1];
    mesh_set_validators(net->nodes[0].mesh, NULL, &net->set, NULL);
    raw_connect(&raw, net, 0, IDENTITY, &address);
    raw_meet(&raw);
    raw_frame(&raw, 1, 1, net_message(memory, WIRE_VOTE, 124, 0));
    raw_frame(&raw, 3, 1, net_message(memory, WIRE_CERT, 500, 0));
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[1], ==, 0);
    CHECK_U64(net->nodes[0].messages[3], ==, 1);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 0), ==, 1);
    net_close(net);
}

/* Send `count` messages at once; how many came through. */
static uint64_t burst(struct net_raw *raw, uint8_t channel, uint8_t type, size_t size,
                      uint32_t count)
{
    struct net_node *node = &raw->net->nodes[0];
    const uint64_t before = node->messages[channel];

    node->keeps = false;
    for (uint32_t i = 0; i < count; i++) {
        raw_frame(raw, channel, 1, net_message(memory, type, size, 0));
        if (i % 64 == 63) {
            net_settle(raw->net);
        }
    }
    raw_read(raw);
    CHECK_U64(raw->goodbye, ==, 0);
    return node->messages[channel] - before;
}

TEST(each_channel_has_its_tokens)
{
    static const struct {
        uint8_t channel;
        uint8_t type;
        size_t size;
        uint32_t per_s;
        bool member;
    } rows[] = {
        {0, WIRE_STATUS, 145, 20, true},    {1, WIRE_GET_CERTS, 19, 5, true},
        {2, WIRE_PROPOSAL, 200, 100, true}, /* 2,000 / 20 ms */
        {2, WIRE_GET_BLOCK, 33, 20, true},  {3, WIRE_CERT, 300, 50, true},
    };

    for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
        struct net_raw raw;
        struct net *net = begin(&raw, rows[i].member);

        CHECK_U64(burst(&raw, rows[i].channel, rows[i].type, rows[i].size, 5 * rows[i].per_s), ==,
                  2 * rows[i].per_s);
        CHECK_U64(mesh_counts(net->nodes[0].mesh)->skipped[rows[i].channel], ==, 3 * rows[i].per_s);
        net_run(net, 1000);
        CHECK_U64(burst(&raw, rows[i].channel, rows[i].type, rows[i].size, 5 * rows[i].per_s), ==,
                  rows[i].per_s);
        net_close(net);
    }
}

TEST(bytes_are_limited_beside_messages)
{
    struct net_raw raw;
    struct net *net = begin(&raw, true);
    uint64_t came;

    /* 8 MiB of proposals at once, four blocks a second: 16 of a full record each 524 KiB. */
    net->nodes[0].keeps = false;
    for (uint32_t i = 0; i < 20; i++) {
        send_parts(&raw, 2, net_message(memory, WIRE_PROPOSAL, 600000, 0), 16380);
        net_settle(net);
    }
    came = net->nodes[0].messages[2];
    CHECK_U64(came, ==, 14); /* the last one begins with a token left, 8 MiB / 600,000 = 13.98 */
    net_close(net);
}

TEST(votes_over_the_tokens_wait_and_the_oldest_give_way)
{
    struct net_raw raw;
    struct net *net = begin(&raw, true);
    const uint32_t per_s = 400 + 50 * 2;
    const uint32_t kept = 4 * (2 + 64);

    CHECK_U64(burst(&raw, 1, WIRE_VOTE, 124, 2 * per_s + 600), ==, 2 * per_s);
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->skipped[1], ==, 600 - kept);
    net_run(net, 100); /* 50 tokens */
    CHECK_U64(net->nodes[0].messages[1], >=, 2 * per_s + 45);
    CHECK_U64(net->nodes[0].messages[1], <=, 2 * per_s + 55);
    net_run(net, 1000);
    CHECK_U64(net->nodes[0].messages[1], ==, 2 * per_s + kept);
    CHECK(!raw_closed(&raw)); /* shed, never muted */
    net_close(net);
}

TEST(transactions_count_by_their_number)
{
    struct net_raw raw;
    struct net *net = begin(&raw, false);

    net->nodes[0].keeps = false;
    for (uint32_t i = 0; i < 40; i++) { /* 10,240 transactions; a full node has 4,000 at once */
        net_message(memory, WIRE_TX_PUSH, 2000, 0);
        memory[1] = 1;
        raw_frame(&raw, 4, 1, bytes_of(memory, 2000));
    }
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[4], ==, 16); /* begun while there was a token: 16 * 256 */
    net_run(net, 2000);
    net_forget(&net->nodes[0]);
    for (uint32_t i = 0; i < 300; i++) { /* announced ids count a sixteenth */
        net_message(memory, WIRE_TX_HAVE, 3 + 256 * 32, 0);
        memory[1] = 1;
        raw_frame(&raw, 4, 1, bytes_of(memory, 3 + 256 * 32));
        if (i % 64 == 63) {
            net_settle(net);
        }
    }
    raw_read(&raw);
    /* 250 by ids (4,000 * 16 / 256), but the bytes end before: 2 MB of 8,195 each. */
    CHECK_U64(net->nodes[0].messages[4], >=, 244);
    CHECK_U64(net->nodes[0].messages[4], <=, 245);
    net_close(net);
}

TEST(requests_beyond_the_rate_are_answered_busy)
{
    struct net_raw raw;
    struct net *net = begin(&raw, false);

    net_message(memory, WIRE_GET_BLOCKS, 19, 0);
    memory[4] = 77; /* the id */
    for (uint32_t i = 0; i < 45; i++) {
        raw_frame(&raw, 5, 1, bytes_of(memory, 19));
    }
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[5], ==, 40);
    CHECK_U64(raw.types[WIRE_BLOCKS], ==, 5);
    CHECK_BYTES(bytes_of(raw.last, raw.last_count), bytes_of("\x51\0\0\0\x4d\x02", 6));
    net_message(memory, WIRE_GET_EPOCHS, 14, 0);
    raw_frame(&raw, 5, 1, bytes_of(memory, 14));
    raw_read(&raw);
    CHECK_BYTES(bytes_of(raw.last, raw.last_count), bytes_of("\x53\0\0\0\0\x02", 6));
    net_close(net);
}

TEST(what_is_served_is_limited_by_bytes)
{
    struct net_raw raw;
    struct net *net = begin(&raw, false);
    const uint32_t peer = net->nodes[0].events[0].peer;

    for (uint32_t i = 0; i < 9; i++) { /* 9 MiB to a full node, which has 8 at once */
        mesh_send(net->nodes[0].mesh, peer, 5, net_message(memory, WIRE_BLOCKS, 1 << 20, 0),
                  bytes_of(NULL, 0));
        for (uint32_t k = 0; k < 20; k++) {
            raw_read(&raw);
        }
    }
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->messages_out[5], ==, 9);
    raw_frame(&raw, 5, 1, net_message(memory, WIRE_GET_BLOCKS, 19, 0));
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[5], ==, 0);
    CHECK_BYTES(bytes_of(raw.last, raw.last_count), bytes_of("\x51\0\0\0\0\x02", 6));
    net_run(net, 1000);
    raw_frame(&raw, 5, 1, net_message(memory, WIRE_GET_BLOCKS, 19, 0));
    raw_read(&raw);
    CHECK_U64(net->nodes[0].messages[5], ==, 1);
    net_close(net);
}

TEST(pings_are_answered_with_their_token)
{
    struct net_raw raw;
    struct net *net = begin(&raw, false);
    uint8_t ping[9] = {WIRE_PING, 1, 2, 3, 4, 5, 6, 7, 8};

    raw_frame(&raw, 0, 1, bytes_of(ping, 9));
    raw_read(&raw);
    ping[0] = WIRE_PONG;
    CHECK_BYTES(bytes_of(raw.last, raw.last_count), bytes_of(ping, 9));
    ping[0] = WIRE_PING;
    for (uint32_t i = 0; i < 10; i++) {
        raw_frame(&raw, 0, 1, bytes_of(ping, 9));
        raw_read(&raw);
    }
    CHECK_U64(raw.types[WIRE_PONG], ==, 4); /* 2 a second, for two seconds */
    net_close(net);
}

TEST(a_question_for_addresses_is_taken_and_not_answered)
{
    struct net_raw raw;
    struct net *net = begin(&raw, false);
    const uint32_t frames = raw.frames;

    raw_frame(&raw, 7, 1, bytes_of("\x70\0", 2));
    raw_read(&raw);
    CHECK(!raw_closed(&raw));
    CHECK_U64(raw.frames, ==, frames);
    CHECK_U64(net->nodes[0].messages[7], ==, 0);
    net_close(net);
}

/* Unfinished messages of full nodes: the one that holds most goes when together they hold too much. */
TEST(full_nodes_share_a_third_of_the_receive_pool)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();
    struct net_raw raws[40];
    uint32_t closed = 0;

    net_add(net, 0, 11, &options); /* 256 pieces */
    net_validators(net, 1);
    for (uint32_t i = 0; i < 40; i++) {
        const struct address address = raw_address(i);

        net_run(net, 20);
        raw_connect(&raws[i], net, 0, 100 + i, &address);
        raw_meet(&raws[i]);
        CHECK_U64(raws[i].goodbye, ==, 0);
        net->nodes[0].length_answer = UINT32_MAX;
        for (uint32_t k = 0; k < 4; k++) { /* 64 KiB of a push that never ends */
            raw_frame(&raws[i], 4, 0, net_message(memory, WIRE_TX_PUSH, 16380, 0));
        }
        net_settle(net);
        CHECK_U64(receive_free(net), >=, 256 - 256 / 3);
        mesh_check(net->nodes[0].mesh);
    }
    for (uint32_t i = 0; i < 40; i++) {
        raw_read(&raws[i]);
        closed += raws[i].goodbye == GOODBYE_PLACE;
    }
    CHECK_U64(closed, >=, 8);
    net_close(net);
}

/* Three validators by hand fill the pool with proposals; the third is a leader. */
TEST(when_the_receive_pool_is_short_reading_stops_for_all_but_leaders)
{
    struct mesh_options options = net_options();
    struct net *net = net_open(0);
    const uint16_t leader = 3;
    struct validator_set set = {.count = 4};
    struct net_raw raws[3];

    options.receive_bytes = 2 << 20; /* 128 pieces, of which 9 are the reserve */
    net_add(net, 0, 11, &options);
    for (uint32_t i = 0; i < 3; i++) {
        raw_member(net, 100 + i);
        set.members[i + 1] = net->set.members[1];
    }
    set.members[0] = net->set.members[0];
    mesh_set_validators(net->nodes[0].mesh, NULL, &set, NULL);
    mesh_set_leaders(net->nodes[0].mesh, &leader, 1);
    for (uint32_t i = 0; i < 3; i++) {
        const struct address address = raw_address(i);

        raw_connect(&raws[i], net, 0, 100 + i, &address);
        raw_meet(&raws[i]);
    }
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 3);
    for (uint32_t k = 0; k < 60; k++) {
        raw_frame(&raws[0], 2, 0, net_message(memory, WIRE_PROPOSAL, 16380, 0));
        raw_frame(&raws[1], 2, 0, net_message(memory, WIRE_PROPOSAL, 16380, 0));
    }
    net_settle(net);
    CHECK_U64(receive_free(net), >=, 6);
    CHECK_U64(receive_free(net), <=, 9);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_POOL_EMPTY), >=, 1);
    raw_frame(&raws[0], 1, 1, net_message(memory, WIRE_VOTE, 124, 0));
    raw_frame(&raws[2], 1, 1, net_message(memory, WIRE_VOTE, 124, 0));
    net_settle(net);
    CHECK_U64(net->nodes[0].messages[1], ==, 1); /* the leader's */
    CHECK(raws[0].pipe->flow[0].count != 0);
    /* One of the two goes away: its memory lets the other go on. */
    raw_close(&raws[1]);
    net_run(net, 10);
    CHECK_U64(raws[0].pipe->flow[0].count, ==, 0);
    CHECK_U64(net->nodes[0].messages[1], ==, 2);
    net_close(net);
}

TESTS(TEST_ENTRY(malformed_frames_close_with_code_9),
      TEST_ENTRY(a_message_of_the_limit_passes_and_one_byte_more_does_not),
      TEST_ENTRY(frames_of_different_channels_may_alternate),
      TEST_ENTRY(the_owner_says_how_long_a_message_may_become),
      TEST_ENTRY(a_skipped_message_may_not_pass_the_channels_limit_either),
      TEST_ENTRY(an_abandoned_message_gives_its_memory_back),
      TEST_ENTRY(votes_and_proposals_come_from_members_alone),
      TEST_ENTRY(a_full_node_takes_finality_but_no_votes), TEST_ENTRY(each_channel_has_its_tokens),
      TEST_ENTRY(bytes_are_limited_beside_messages),
      TEST_ENTRY(votes_over_the_tokens_wait_and_the_oldest_give_way),
      TEST_ENTRY(transactions_count_by_their_number),
      TEST_ENTRY(requests_beyond_the_rate_are_answered_busy),
      TEST_ENTRY(what_is_served_is_limited_by_bytes),
      TEST_ENTRY(pings_are_answered_with_their_token),
      TEST_ENTRY(a_question_for_addresses_is_taken_and_not_answered),
      TEST_ENTRY(full_nodes_share_a_third_of_the_receive_pool),
      TEST_ENTRY(when_the_receive_pool_is_short_reading_stops_for_all_but_leaders))

/* Handshake, HELLO, records, silence, closing: 8.20 "Bytes before the session", "Records", "HELLO", "Close". */
#include <string.h>

#include "base/writer.h"
#include "p2p/mesh_private.h"
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

/* One validator without peers. */
static struct net *single(void)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();

    net_add(net, 0, 11, &options);
    net_validators(net, 1);
    net_run(net, 10);
    return net;
}

static void meet(struct net_raw *raw, struct net *net, uint64_t identity)
{
    const struct address address = raw_address((uint32_t)identity);

    raw_connect(raw, net, 0, identity, &address);
    CHECK(raw->pipe != NULL);
    raw_meet(raw);
}

static struct bytes status_message(uint8_t memory[WIRE_STATUS_BYTES_MAX], uint64_t height)
{
    static const uint8_t bitmap[1] = {0};
    struct writer writer = writer_of(memory, WIRE_STATUS_BYTES_MAX);
    const struct wire_status status = {
        .final_height = height,
        .notarize_bitmap = bytes_of(bitmap, 1),
        .nullify_bitmap = bytes_of(bitmap, 1),
        .finalize_bitmap = bytes_of(bitmap, 1),
    };

    wire_status_write(&writer, &status);
    CHECK(!writer.failed);
    return writer_done(&writer);
}

TEST(two_validators_meet_and_talk)
{
    struct net *net = pair(0);
    uint8_t memory[200];

    net_run(net, 100);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 1), ==, 1);
    CHECK_U64(net_events(&net->nodes[1], NET_OPENED, 0), ==, 1);
    mesh_send(net->nodes[0].mesh, 1, 1, net_message(memory, WIRE_VOTE, 124, 7), bytes_of(NULL, 0));
    net_run(net, 10);
    CHECK(net_last_message(&net->nodes[1]) != NULL);
    CHECK_U64(net_last_message(&net->nodes[1])->peer, ==, 0);
    CHECK_BYTES(bytes_of(net_last_message(&net->nodes[1])->bytes, 124), bytes_of(memory, 124));
    net_close(net);
}

TEST(hello_brings_the_newest_status)
{
    struct net *net = pair(0);
    uint8_t memory[WIRE_STATUS_BYTES_MAX];
    const struct bytes status = status_message(memory, 42);

    mesh_send(net->nodes[0].mesh, MESH_ALL, 0, status_message(memory, 41), bytes_of(NULL, 0));
    mesh_send(net->nodes[0].mesh, MESH_ALL, 0, status_message(memory, 42), bytes_of(NULL, 0));
    net_run(net, 100);
    CHECK_U64(net_events(&net->nodes[1], NET_MESSAGE, 0), ==, 1);
    CHECK_BYTES(bytes_of(net_last_message(&net->nodes[1])->bytes, status.count), status);
    CHECK_U64(net_events(&net->nodes[0], NET_MESSAGE, 1), ==, 0);
    net_close(net);
}

TEST(an_unsent_status_gives_way_to_a_newer_one)
{
    struct net *net = pair(0);
    uint8_t memory[WIRE_STATUS_BYTES_MAX];
    struct bytes status = {0};

    net_run(net, 100);
    net_forget(&net->nodes[1]);
    for (uint64_t height = 1; height <= 5; height++) {
        status = status_message(memory, height);
        mesh_send(net->nodes[0].mesh, 1, 0, status, bytes_of(NULL, 0));
    }
    net_run(net, 10);
    CHECK_U64(net_events(&net->nodes[1], NET_MESSAGE, 0), ==, 1);
    CHECK_BYTES(bytes_of(net_last_message(&net->nodes[1])->bytes, status.count), status);
    net_close(net);
}

TEST(another_prologue_gets_the_own_one_and_no_key_operation)
{
    for (uint32_t at = 0; at < 36; at++) {
        struct net *net = single();
        const struct address address = raw_address(1);
        uint8_t own[36] = {'s', 'x', '/', '1', 1, 2, 3};
        uint8_t other[36];
        struct net_raw raw;

        memcpy(other, own, sizeof other);
        other[at] ^= 1;
        raw_connect(&raw, net, 0, 5, &address);
        raw_first(&raw, other);
        net_settle(net);
        CHECK_U64(raw.pipe->flow[1].count, ==, 36);
        CHECK_BYTES(bytes_of(raw.pipe->flow[1].bytes, 36), bytes_of(own, 36));
        CHECK_U64(mesh_counts(net->nodes[0].mesh)->key_operations, ==, 0);
        CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_OTHER_CHAIN), ==, 1);
        net_run(net, 600);
        CHECK(raw_closed(&raw));
        net_close(net);
    }
}

TEST(a_dial_into_another_chain_is_reported)
{
    struct net *net = net_open(0);
    struct mesh_options options = net_options();

    net_add(net, 0, 11, &options);
    options.chain_id[31] = 9;
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    net_run(net, 2000);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_OTHER_CHAIN), >=, 1);
    CHECK_U64(net_reports(&net->nodes[1], MESH_REPORT_OTHER_CHAIN), >=, 1);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 0);
    net_close(net);
}

TEST(another_key_than_the_dialled_one_learns_nothing)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();

    net_add(net, 0, 11, &options);
    net_add(net, 1, 12, &options);
    net_add(net, 2, 13, &options);
    net_validators(net, 2);
    mesh_set_addresses(net->nodes[0].mesh, net->nodes[1].key, &net->nodes[2].address, 1);
    mesh_set_validators(net->nodes[1].mesh, NULL, NULL, NULL); /* they dial nobody */
    mesh_set_validators(net->nodes[2].mesh, NULL, NULL, NULL);
    net_run(net, 2000);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_WRONG_KEY), >=, 2); /* and tries again */
    CHECK_U64(net_events(&net->nodes[2], NET_OPENED, MESH_NONE), ==, 0);
    CHECK_U64(net_reports(&net->nodes[2], MESH_REPORT_HANDSHAKE), >=, 2);
    net_close(net);
}

TEST(a_node_that_dials_itself_notices)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();

    net_add(net, 0, 11, &options);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    net_remove(net, 1);
    mesh_set_addresses(net->nodes[0].mesh, net->set.members[1].node_key, &net->nodes[0].address, 1);
    net_run(net, 400);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_SELF), >=, 1);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_KEY_ELSEWHERE), ==, 0);
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 0);
    net_close(net);
}

TEST(a_second_machine_with_the_own_key_is_noticed_when_dialled)
{
    struct net *net = net_open(0);
    const struct mesh_options options = net_options();

    net_add(net, 0, 11, &options);
    net_add(net, 1, 12, &options);
    net_add(net, 2, 11, &options); /* the key of node 0 */
    net_validators(net, 2);
    mesh_set_validators(net->nodes[1].mesh, NULL, NULL, NULL);
    mesh_set_addresses(net->nodes[2].mesh, net->nodes[1].key, &net->nodes[2].address, 0);
    mesh_set_addresses(net->nodes[0].mesh, net->nodes[1].key, &net->nodes[2].address, 1);
    net_run(net, 400);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_KEY_ELSEWHERE), >=, 1);
    net_close(net);
}

/* What a raw peer sends until it is open, and where the messages in it end. */
enum { STREAM_BYTES = 68 + 64 + 2 + 4 + 37 + 16 };

/* Meet with one bit of the stream turned, or none if `at` is beyond it; true if a session opened. */
static bool meet_turned(uint32_t at, uint32_t *sent)
{
    struct net *net = single();
    const struct address address = raw_address(1);
    struct net_raw raw;
    bool opened;

    raw_connect(&raw, net, 0, 5, &address);
    raw_first(&raw, NULL);
    *sent = 68;
    if (at < 68) {
        raw.pipe->flow[0].bytes[at] ^= 4;
        net_settle(net);
    } else {
        raw_third(&raw);
        raw_hello(&raw);
        *sent += (uint32_t)raw.pipe->flow[0].count;
        if (at < *sent) {
            raw.pipe->flow[0].bytes[at - 68] ^= 4;
        }
    }
    net_run(net, 6000);
    opened = net_events(&net->nodes[0], NET_OPENED, MESH_NONE) != 0;
    if (!opened && at < 68 &&
        at >= 36) { /* message 1 holds no secret: only its answer shows that */
        CHECK(raw.pipe->flow[1].count == 96 || raw.pipe->flow[1].count == 0);
    }
    CHECK(opened || raw_closed(&raw));
    net_close(net);
    return opened;
}

TEST(every_turned_bit_of_the_initiators_handshake_is_noticed)
{
    uint32_t sent;

    CHECK(meet_turned(UINT32_MAX, &sent));
    CHECK_U64(sent, ==, STREAM_BYTES);
    for (uint32_t at = 0; at < STREAM_BYTES; at++) {
        CHECK(!meet_turned(at, &sent));
    }
}

TEST(every_turned_bit_of_the_responders_handshake_is_noticed)
{
    for (uint32_t at = 0; at < 96; at++) {
        struct net *net = pair(0);
        struct net_pipe *pipe = NULL;

        mesh_set_validators(net->nodes[1].mesh, NULL, NULL, NULL); /* only node 0 dials */
        mesh_tick(net->nodes[0].mesh, net->now_ms);
        mesh_tick(net->nodes[1].mesh, net->now_ms);
        while (pipe == NULL || pipe->flow[1].count == 0) {
            CHECK(net_step(net));
            pipe = net_pipe(net, 0, 1);
        }
        CHECK_U64(pipe->flow[1].count, ==, 96);
        pipe->flow[1].bytes[at] ^= 128;
        net_settle(net);
        /* X25519 ignores the top bit of a key in clear; the hash of the handshake does not. */
        CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_HANDSHAKE), ==, 1);
        CHECK_U64(net_sessions(&net->nodes[0]), ==, 0);
        CHECK_U64(net_sessions(&net->nodes[1]), ==, 0);
        net_close(net);
    }
}

/* A record with the bit of this byte turned; the first two are its length. */
static void record_turned(uint32_t at)
{
    struct net *net = single();
    uint8_t memory[124];
    struct net_raw raw;

    meet(&raw, net, 5);
    raw_frame(&raw, 4, 1, net_message(memory, WIRE_TX_HAVE, 50, 0));
    raw.pipe->flow[0].bytes[at] ^= 1;
    net_run(net, 16000);
    CHECK_U64(net->nodes[0].messages[4], ==, 0);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 1);
    CHECK(raw_closed(&raw));
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->bans, ==, 0);
    if (at >= 2) { /* the line may be at fault: no answer, no charge */
        CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_TAG), ==, 1);
    }
    net_close(net);
}

TEST(every_turned_bit_of_a_record_ends_the_session)
{
    for (uint32_t at = 0; at < 2 + 4 + 50 + 16; at++) {
        record_turned(at);
    }
}

enum record_trick { TRICK_REPLAY, TRICK_DROP, TRICK_SWAP };

TEST(records_replayed_dropped_or_swapped_end_the_session)
{
    static const enum record_trick tricks[] = {TRICK_REPLAY, TRICK_DROP, TRICK_SWAP};

    for (uint32_t i = 0; i < 3; i++) {
        struct net *net = single();
        uint8_t memory[40];
        uint8_t one[256];
        uint8_t two[256];
        struct net_raw raw;
        size_t count;

        meet(&raw, net, 5);
        raw_frame(&raw, 4, 1, net_message(memory, WIRE_TX_HAVE, 40, 1));
        count = raw.pipe->flow[0].count;
        memcpy(one, raw.pipe->flow[0].bytes, count);
        raw.pipe->flow[0].count = 0;
        raw_frame(&raw, 4, 1, net_message(memory, WIRE_TX_HAVE, 40, 2));
        memcpy(two, raw.pipe->flow[0].bytes, count);
        raw.pipe->flow[0].count = 0;
        if (tricks[i] == TRICK_REPLAY) {
            raw_bytes(&raw, bytes_of(one, count));
            raw_bytes(&raw, bytes_of(one, count));
        } else {
            raw_bytes(&raw, bytes_of(two, count));
            raw_bytes(&raw, bytes_of(tricks[i] == TRICK_SWAP ? one : two, count));
        }
        net_settle(net);
        CHECK_U64(net->nodes[0].messages[4], ==, tricks[i] == TRICK_REPLAY ? 1 : 0);
        CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_TAG), ==, 1);
        CHECK(raw_closed(&raw));
        CHECK_U64(raw.pipe->flow[1].count, ==, 0); /* no answer */
        net_close(net);
    }
}

TEST(replayed_handshake_messages_are_worthless)
{
    struct net *net = single();
    const struct address address = raw_address(1);
    uint8_t first[68];
    uint8_t third[64];
    struct net_raw raw;
    struct net_raw again;

    raw_connect(&raw, net, 0, 5, &address);
    raw_first(&raw, NULL);
    memcpy(first, raw.pipe->flow[0].bytes, sizeof first);
    raw_third(&raw);
    memcpy(third, raw.pipe->flow[0].bytes, sizeof third);
    raw_hello(&raw);
    net_settle(net);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, MESH_NONE), ==, 1);
    raw_connect(&again, net, 0, 6, &address);
    raw_bytes(&again, bytes_of(first, sizeof first));
    net_settle(net);
    CHECK_U64(again.pipe->flow[1].count, ==, 96);
    raw_bytes(&again, bytes_of(third, sizeof third));
    net_settle(net);
    CHECK(raw_closed(&again));
    CHECK_U64(net_sessions(&net->nodes[0]), ==, 1);
    net_close(net);
}

TEST(surplus_bytes_and_a_point_of_low_order_close_without_an_answer)
{
    struct net *net = single();
    const struct address address = raw_address(1);
    const uint8_t zeros[32] = {0};
    struct net_raw raw;

    raw_connect(&raw, net, 0, 5, &address);
    raw_first(&raw, NULL);
    raw_bytes(&raw, bytes_of(zeros, 1));
    net_settle(net);
    CHECK(raw_closed(&raw));
    CHECK_U64(raw.pipe->flow[1].count, ==, 0);
    raw_connect(&raw, net, 0, 5, &address);
    raw_first(&raw, NULL);
    memset(raw.pipe->flow[0].bytes + 36, 0, 32);
    net_settle(net);
    CHECK(raw_closed(&raw));
    CHECK_U64(raw.pipe->flow[1].count, ==, 0);
    net_close(net);
}

TEST(a_handshake_abandoned_at_any_step_ends_in_five_seconds)
{
    for (uint32_t step = 0; step < 4; step++) {
        struct net *net = single();
        const struct address address = raw_address(1);
        struct net_raw raw;

        raw_connect(&raw, net, 0, 5, &address);
        if (step == 1) {
            raw_first(&raw, NULL);
            raw.pipe->flow[0].count -= 1;
        } else if (step >= 2) {
            raw_first(&raw, NULL);
        }
        if (step == 3) {
            raw_third(&raw); /* and no HELLO */
        }
        net_run(net, 4990);
        CHECK(!raw_closed(&raw));
        net_run(net, 20);
        CHECK(raw_closed(&raw));
        CHECK_U64(mesh_links(net->nodes[0].mesh), ==, 0);
        net_close(net);
    }
}

TEST(the_first_record_is_hello_alone)
{
    static const struct {
        uint8_t bytes[64];
        size_t count;
    } firsts[] = {
        {{0, 1, 0, 9, 3, 0, 0, 0, 0, 0, 0, 0, 0}, 13}, /* PING */
        {{0, 1, 0, 1, 1}, 5},                          /* HELLO cut short */
        {{1, 1, 0, 1, 0x10}, 5},                       /* a vote */
        {{0, 0, 0, 1, 1}, 5},                          /* no FIN */
    };

    for (uint32_t i = 0; i < 4; i++) {
        struct net *net = single();
        const struct address address = raw_address(1);
        struct net_raw raw;

        raw_connect(&raw, net, 0, 5, &address);
        raw_first(&raw, NULL);
        raw_third(&raw);
        raw_record(&raw, bytes_of(firsts[i].bytes, firsts[i].count));
        raw_read(&raw);
        CHECK_U64(raw.goodbye, ==, GOODBYE_MALFORMED);
        CHECK_U64(net_events(&net->nodes[0], NET_OPENED, MESH_NONE), ==, 0);
        net_close(net);
    }
}

TEST(another_protocol_number_is_told_so)
{
    struct net *net = single();
    const struct address address = raw_address(1);
    uint8_t memory[HELLO_BYTES_MAX];
    struct writer writer = writer_of(memory, sizeof memory);
    struct net_raw raw;

    raw_connect(&raw, net, 0, 5, &address);
    raw_first(&raw, NULL);
    raw_third(&raw);
    hello_write(&writer, &(struct hello){.protocol = 2});
    raw_frame(&raw, 0, 1, writer_done(&writer));
    raw_read(&raw);
    CHECK_U64(raw.goodbye, ==, GOODBYE_PROTOCOL);
    net_close(net);
}

TEST(a_second_hello_is_malformed)
{
    struct net *net = single();
    struct net_raw raw;

    meet(&raw, net, 5);
    CHECK_U64(raw.types[WIRE_HELLO], ==, 1);
    raw_hello(&raw);
    raw_read(&raw);
    CHECK_U64(raw.goodbye, ==, GOODBYE_MALFORMED);
    net_close(net);
}

TEST(record_lengths_outside_the_bounds_are_malformed)
{
    static const uint32_t lengths[] = {0, 1, 20, 16401, 65535};
    uint8_t largest[16384];

    for (uint32_t i = 0; i < 5; i++) {
        struct net *net = single();
        const uint8_t head[2] = {(uint8_t)(lengths[i] >> 8), (uint8_t)lengths[i]};
        struct net_raw raw;

        meet(&raw, net, 5);
        raw_bytes(&raw, bytes_of(head, 2));
        raw_read(&raw);
        CHECK_U64(raw.goodbye, ==, GOODBYE_MALFORMED);
        net_close(net);
    }
    {
        struct net *net = single();
        struct net_raw raw;

        meet(&raw, net, 5);
        raw_frame(&raw, 0, 1, bytes_of("\x02", 1)); /* 21 bytes: the shortest record */
        raw_frame(&raw, 4, 1, net_message(largest, WIRE_TX_PUSH, 16380, 0));
        raw_read(&raw);
        CHECK_U64(net->nodes[0].messages[4], ==, 1);
        CHECK(!raw_closed(&raw));
        net_close(net);
    }
}

TEST(both_sides_rekey_at_the_same_record)
{
    struct net *net = single();
    uint8_t memory[40];
    uint8_t old[32];
    struct net_raw raw;
    struct link *link;

    meet(&raw, net, 5);
    link = &net->nodes[0].mesh->links[raw.pipe->link[1]];
    raw.sending.nonce = REKEY_RECORDS - 2;
    raw.receiving.nonce = REKEY_RECORDS - 2;
    link->receiving.nonce = REKEY_RECORDS - 2;
    link->sending.nonce = REKEY_RECORDS - 2;
    memcpy(old, link->receiving.key, sizeof old);
    for (uint8_t i = 0; i < 5; i++) {
        raw_frame(&raw, 4, 1, net_message(memory, WIRE_TX_HAVE, 40, i));
        mesh_send(net->nodes[0].mesh, net->nodes[0].events[0].peer, 4,
                  net_message(memory, WIRE_TX_HAVE, 40, i), bytes_of(NULL, 0));
        raw_read(&raw);
    }
    CHECK_U64(net->nodes[0].messages[4], ==, 5);
    CHECK_U64(raw.types[WIRE_TX_HAVE], ==, 5);
    CHECK_U64(link->receiving.nonce, ==, REKEY_RECORDS + 3);
    CHECK(!bytes_equal(bytes_of(old, 32), bytes_of(link->receiving.key, 32)));
    net_close(net);
}

TEST(nothing_is_read_after_a_goodbye)
{
    struct net *net = single();
    const uint8_t goodbye[6] = {WIRE_GOODBYE, GOODBYE_STOPPING};
    uint8_t memory[40];
    struct net_raw raw;

    meet(&raw, net, 5);
    raw_frame(&raw, 0, 1, bytes_of(goodbye, sizeof goodbye));
    raw_frame(&raw, 4, 1, net_message(memory, WIRE_TX_HAVE, 40, 1));
    net_settle(net);
    CHECK(raw_closed(&raw));
    CHECK_U64(net->nodes[0].messages[4], ==, 0);
    CHECK_U64(net_reports(&net->nodes[0], MESH_REPORT_GOODBYE), ==, 1);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 1);
    net_close(net);
}

TEST(an_idle_session_stays_and_costs_little)
{
    struct net *net = pair(0);
    uint64_t before;

    net_run(net, 6000);
    before = mesh_counts(net->nodes[0].mesh)->bytes_out;
    net_run(net, 60000);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 0);
    /* A ping every 2 s and the answer to the other's: records of 31 bytes. */
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->bytes_out - before, <=, 62 * 31);
    CHECK_U64(mesh_counts(net->nodes[0].mesh)->bytes_out - before, >=, 25 * 31);
    net_close(net);
}

TEST(a_silent_peer_is_left_after_fifteen_seconds)
{
    struct net *net = pair(0);
    uint32_t cuts = 0;

    net_run(net, 6000);
    for (uint32_t i = 0; i < NET_PIPES; i++) {
        cuts += net->pipes[i].used;
        net->pipes[i].cut = true;
    }
    CHECK_U64(cuts, ==, 1);
    net->refuse = true;
    net_run(net, 12900);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 0);
    net_run(net, 2200);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 1);
    CHECK_U64(net_events(&net->nodes[1], NET_CLOSED, MESH_NONE), ==, 1);
    net->refuse = false;
    net_run(net, 31000);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, MESH_NONE), ==, 2);
    net_close(net);
}

TEST(a_trickled_record_is_left_after_fifteen_seconds)
{
    struct net *net = single();
    uint8_t memory[2000];
    uint8_t record[2100];
    struct net_raw raw;
    size_t count;

    meet(&raw, net, 5);
    raw_frame(&raw, 4, 1, net_message(memory, WIRE_TX_HAVE, 2000, 1));
    count = raw.pipe->flow[0].count;
    memcpy(record, raw.pipe->flow[0].bytes, count);
    raw.pipe->flow[0].count = 0;
    for (uint32_t second = 0; second < 14; second++) {
        raw_bytes(&raw, bytes_of(record + second, 1));
        net_run(net, 1000);
        CHECK(!raw_closed(&raw));
    }
    net_run(net, 1100);
    raw_read(&raw);
    CHECK_U64(raw.goodbye, ==, GOODBYE_SILENT);
    net_close(net);
}

TEST(a_message_that_brings_too_little_is_left_after_thirty_seconds)
{
    struct net *net = single();
    const uint8_t ping[9] = {WIRE_PING};
    uint8_t memory[2000];
    struct net_raw raw;

    meet(&raw, net, 5);
    raw_frame(&raw, 4, 0, net_message(memory, WIRE_TX_PUSH, 1024, 0));
    for (uint32_t second = 0; second < 29; second++) {
        raw_frame(&raw, 0, 1, bytes_of(ping, sizeof ping));
        net_run(net, 1000);
        raw_read(&raw);
        CHECK_U64(raw.goodbye, ==, 0);
    }
    net_run(net, 1100);
    raw_read(&raw);
    CHECK_U64(raw.goodbye, ==, GOODBYE_SILENT);
    net_close(net);
}

TEST(a_goodbye_is_flushed_for_half_a_second)
{
    struct net *net = single();
    struct net_raw raw;

    meet(&raw, net, 5);
    mesh_stop(net->nodes[0].mesh);
    net_run(net, 490);
    CHECK(!raw_closed(&raw));
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, MESH_NONE), ==, 1); /* told at once */
    net_run(net, 20);
    CHECK(raw_closed(&raw));
    raw_read(&raw);
    CHECK_U64(raw.goodbye, ==, GOODBYE_STOPPING);
    CHECK_U64(mesh_links(net->nodes[0].mesh), ==, 0);
    net_close(net);
}

TEST(a_node_that_stops_is_dialled_again)
{
    struct net *net = pair(0);
    const struct mesh_options options = net_options();

    net_run(net, 1000);
    mesh_stop(net->nodes[1].mesh);
    net_run(net, 100);
    CHECK_U64(mesh_links(net->nodes[1].mesh), ==, 0);
    CHECK_U64(net_events(&net->nodes[0], NET_CLOSED, 1), ==, 1);
    net_remove(net, 1);
    net_run(net, 20000);
    net_add(net, 1, 12, &options);
    net_validators(net, 2);
    net_run(net, 30000);
    CHECK_U64(net_events(&net->nodes[0], NET_OPENED, 1), ==, 2);
    net_close(net);
}

TESTS(TEST_ENTRY(two_validators_meet_and_talk), TEST_ENTRY(hello_brings_the_newest_status),
      TEST_ENTRY(an_unsent_status_gives_way_to_a_newer_one),
      TEST_ENTRY(another_prologue_gets_the_own_one_and_no_key_operation),
      TEST_ENTRY(a_dial_into_another_chain_is_reported),
      TEST_ENTRY(another_key_than_the_dialled_one_learns_nothing),
      TEST_ENTRY(a_node_that_dials_itself_notices),
      TEST_ENTRY(a_second_machine_with_the_own_key_is_noticed_when_dialled),
      TEST_ENTRY(every_turned_bit_of_the_initiators_handshake_is_noticed),
      TEST_ENTRY(every_turned_bit_of_the_responders_handshake_is_noticed),
      TEST_ENTRY(every_turned_bit_of_a_record_ends_the_session),
      TEST_ENTRY(records_replayed_dropped_or_swapped_end_the_session),
      TEST_ENTRY(replayed_handshake_messages_are_worthless),
      TEST_ENTRY(surplus_bytes_and_a_point_of_low_order_close_without_an_answer),
      TEST_ENTRY(a_handshake_abandoned_at_any_step_ends_in_five_seconds),
      TEST_ENTRY(the_first_record_is_hello_alone), TEST_ENTRY(another_protocol_number_is_told_so),
      TEST_ENTRY(a_second_hello_is_malformed),
      TEST_ENTRY(record_lengths_outside_the_bounds_are_malformed),
      TEST_ENTRY(both_sides_rekey_at_the_same_record), TEST_ENTRY(nothing_is_read_after_a_goodbye),
      TEST_ENTRY(an_idle_session_stays_and_costs_little),
      TEST_ENTRY(a_silent_peer_is_left_after_fifteen_seconds),
      TEST_ENTRY(a_trickled_record_is_left_after_fifteen_seconds),
      TEST_ENTRY(a_message_that_brings_too_little_is_left_after_thirty_seconds),
      TEST_ENTRY(a_goodbye_is_flushed_for_half_a_second),
      TEST_ENTRY(a_node_that_stops_is_dialled_again))

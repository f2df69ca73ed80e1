/*
 * tests/fuzz/p2p_session.c -- one machine and somebody at its door who does what the input says.
 *
 * u8 mode: bit 0 the peer is a member, bits 1 and 2 how far the handshake goes properly (0 to 3; 3 is a session).
 * Then steps, a u8 each and what it needs:
 *
 *   0 u16 n, n bytes             a record of these bytes, properly sealed
 *   1 u8 channel, u8 flags, u16 n, n bytes   the same, as one frame
 *   2 u8 n, n bytes              bytes as they are
 *   3 u16 t                      16 t ms go by
 *   4 u8 channel, u16 n          the machine sends a message of n bytes
 *   5 u8 n                       n records are read from it
 *   6 u8 channel, u8 fault       the owner charges the peer
 *   7 u16 n                      the owner lets messages become n bytes long
 *   8                            the peer closes and another key comes
 *
 * Oracles: no invariant breaks, mesh_check holds, no message comes on a channel that it may not come on or past
 * its limit, and when all is over every piece of memory is back.
 */
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/noise.h"
#include "p2p/mesh.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 400, PIECES = 40, MEMORY_BYTES = 4 << 20 };

/* One piece of memory for all runs: mapping it anew each time would cost more than the run. */
static alignas(64) uint8_t arena_memory[MEMORY_BYTES];

static const uint8_t node_secret[32] = {1};
static const uint8_t chain_id[32] = {7};

struct world {
    struct arena arena;
    struct mesh *mesh;
    uint64_t now_ms;
    uint32_t link; /* MESH_NONE: closed */
    uint32_t length;
    uint32_t random;
    uint32_t peer;
    uint8_t key;
    bool open;
    struct noise_handshake handshake;
    struct noise_cipher sending;
    struct noise_cipher receiving;
};

static void on_message(void *self, uint32_t peer, uint8_t channel, struct bytes message)
{
    const struct world *world = self;
    const uint8_t type = message.at[0];

    INVARIANT(message.count >= 1);
    INVARIANT(wire_channel(type) == channel || (type == WIRE_CERT && channel == 3));
    INVARIANT(peer == world->peer);
    INVARIANT(channel != 0 || type == WIRE_STATUS);
    INVARIANT(channel == 0 || message.count <= world->length || message.count <= 16380);
}

static void on_session(void *self, uint32_t peer, enum mesh_session what)
{
    struct world *world = self;

    if (what == MESH_OPENED) {
        INVARIANT(!world->open);
        world->open = true;
        world->peer = peer;
    } else {
        INVARIANT(world->open);
        INVARIANT(peer == world->peer);
        world->open = what == MESH_HEARD;
    }
}

static uint32_t on_length(void *self, uint32_t peer, uint8_t channel, struct bytes first)
{
    const struct world *world = self;

    (void)peer;
    (void)channel;
    INVARIANT(first.count >= 1);
    return world->length;
}

static void on_random(void *self, uint8_t *out, size_t count)
{
    struct world *world = self;

    for (size_t i = 0; i < count; i++) {
        world->random = world->random * 1103515245U + 12345U;
        out[i] = (uint8_t)(world->random >> 16);
    }
}

/* Do the actions; a close ends the connection. */
static void actions(struct world *world)
{
    struct mesh_action action;

    while (mesh_next(world->mesh, &action)) {
        INVARIANT(action.kind != MESH_DIAL);
        if (action.kind == MESH_CLOSE && action.link == world->link) {
            world->link = MESH_NONE;
        }
    }
}

static void give(struct world *world, struct bytes bytes)
{
    while (world->link != MESH_NONE && bytes.count != 0) {
        const struct mesh_room room = mesh_room(world->mesh, world->link);
        const size_t part = room.count < bytes.count ? room.count : bytes.count;

        if (part == 0) {
            return;
        }
        memcpy(room.at, bytes.at, part);
        bytes = bytes_after(bytes, part);
        mesh_received(world->mesh, world->now_ms, world->link, part);
        actions(world);
    }
}

static void give_record(struct world *world, struct bytes plain)
{
    static uint8_t record[2 + 65536 + 16];
    const size_t sealed = plain.count + 16;

    if (sealed > 65535) {
        return;
    }
    record[0] = (uint8_t)(sealed >> 8);
    record[1] = (uint8_t)sealed;
    noise_seal(&world->sending, plain, record + 2);
    give(world, bytes_of(record, 2 + sealed));
}

static size_t pull(struct world *world, uint8_t out[MESH_RECORD_BYTES])
{
    const size_t count =
        world->link == MESH_NONE ? 0 : mesh_pull(world->mesh, world->now_ms, world->link, out);

    actions(world);
    return count;
}

/* A record that the machine made must open, and hold whole frames. */
static void take_record(struct world *world, bool session)
{
    uint8_t record[MESH_RECORD_BYTES];
    const size_t count = pull(world, record);
    struct reader reader;

    if (count == 0 || !session) {
        return;
    }
    INVARIANT(((size_t)record[0] << 8 | record[1]) == count - 2);
    INVARIANT(noise_open(&world->receiving, bytes_of(record + 2, count - 2), record + 2));
    reader = reader_of(bytes_of(record + 2, count - 18));
    while (reader.left.count != 0) {
        const uint8_t channel = reader_u8(&reader);
        const uint8_t flags = reader_u8(&reader);
        const struct bytes bytes = reader_take(&reader, reader_u16(&reader));

        INVARIANT(!reader.failed);
        INVARIANT(channel < MESH_CHANNELS);
        INVARIANT(flags == 1 || (flags == 0 && bytes.count >= 1024));
        INVARIANT(bytes.count >= 1);
    }
}

static void hello(struct world *world)
{
    uint8_t memory[4 + HELLO_BYTES_MAX];
    struct writer writer = writer_of(memory, sizeof memory);

    writer_zeros(&writer, 4);
    hello_write(&writer, &(struct hello){.protocol = 1, .instance = world->key});
    memory[1] = 1;
    memory[2] = (uint8_t)((writer.used - 4) >> 8);
    memory[3] = (uint8_t)(writer.used - 4);
    give_record(world, writer_done(&writer));
}

/* Connect and go `steps` of the handshake's way: message 1, message 3, HELLO.  True for a session. */
static bool meet(struct world *world, uint32_t steps)
{
    const struct address address = {ADDRESS_IPV4, {10, 0, 0, world->key}, 9};
    const uint8_t secret[32] = {2, world->key};
    const uint8_t ephemeral[32] = {3, world->key};
    uint8_t prologue[36] = {'s', 'x', '/', '1'};
    uint8_t message[MESH_RECORD_BYTES];
    uint8_t nothing[1];
    size_t count;

    memcpy(prologue + 4, chain_id, sizeof chain_id);
    world->link = mesh_accepted(world->mesh, world->now_ms, &address);
    noise_begin(&world->handshake, true, bytes_of(prologue, sizeof prologue), secret, ephemeral);
    INVARIANT(noise_write(&world->handshake, bytes_of(NULL, 0), message, sizeof message, &count));
    if (steps == 0 || world->link == MESH_NONE) {
        return false;
    }
    give(world, bytes_of(prologue, sizeof prologue));
    give(world, bytes_of(message, count));
    count = pull(world, message);
    if (steps == 1 || count != 96 ||
        !noise_read(&world->handshake, bytes_of(message, count), nothing, 0, &count) ||
        !noise_write(&world->handshake, bytes_of(NULL, 0), message, sizeof message, &count) ||
        !noise_split(&world->handshake, &world->sending, &world->receiving)) {
        return false;
    }
    give(world, bytes_of(message, count));
    if (steps == 3) {
        hello(world);
    }
    return true;
}

static void step(struct world *world, struct reader *input, bool *session)
{
    static uint8_t memory[1 << 16];
    const uint8_t what = reader_u8(input) % 9;
    uint8_t channel;
    uint8_t flags;
    struct bytes bytes;

    if (what == 0 && *session) {
        give_record(world, reader_take(input, reader_u16(input)));
    } else if (what == 1 && *session) {
        channel = reader_u8(input);
        flags = reader_u8(input);
        bytes = reader_take(input, reader_u16(input) % 16381);
        memory[0] = channel;
        memory[1] = flags;
        memory[2] = (uint8_t)(bytes.count >> 8);
        memory[3] = (uint8_t)bytes.count;
        if (bytes.count != 0) {
            memcpy(memory + 4, bytes.at, bytes.count);
        }
        give_record(world, bytes_of(memory, 4 + bytes.count));
    } else if (what == 2) {
        give(world, reader_take(input, reader_u8(input)));
    } else if (what == 3) {
        world->now_ms += 16U * (uint64_t)reader_u16(input);
        mesh_tick(world->mesh, world->now_ms);
        actions(world);
    } else if (what == 4) {
        static const uint8_t types[8] = {WIRE_STATUS,  WIRE_VOTE,   WIRE_PROPOSAL, WIRE_CERT,
                                         WIRE_TX_PUSH, WIRE_BLOCKS, WIRE_ADDRS,    WIRE_ADDRS};
        const uint8_t to = reader_u8(input) % 8;
        size_t count = 1 + (size_t)reader_u16(input);

        count = to == 0 && count > 257 ? 257 : count;
        memset(memory, 0, count);
        memory[0] = types[to];
        mesh_send(world->mesh, world->peer, to, bytes_of(memory, count), bytes_of(NULL, 0));
    } else if (what == 5) {
        for (uint32_t left = reader_u8(input); left != 0; left--) {
            take_record(world, *session);
        }
    } else if (what == 6) {
        channel = reader_u8(input) % 8;
        mesh_charge(world->mesh, world->peer, channel, (enum mesh_fault)(reader_u8(input) % 7));
    } else if (what == 7) {
        world->length = reader_u16(input) * 32U;
    } else if (what == 8) {
        if (world->link != MESH_NONE) {
            const uint32_t link = world->link;

            world->link = MESH_NONE;
            mesh_closed(world->mesh, world->now_ms, link);
        }
        world->key += 1;
        *session = meet(world, 3);
    }
    actions(world);
}

static void begin(struct world *world, bool member)
{
    struct mesh_options options = {
        .node_secret = node_secret,
        .roles = ROLE_VALIDATOR,
        .software = "fuzz",
        .min_interval_ms = 20,
        .max_block_bytes = 100000,
        .validators_max = 2,
        .inbound_max = 2,
        .inbound_address_max = 2,
        .receive_bytes = PIECES << 14,
        .send_bytes = PIECES << 14,
        .owner = {world, on_message, on_session, on_length, NULL, on_random},
    };
    const uint8_t peer_secret[32] = {2, 1};
    struct validator_set set = {.count = member ? 2 : 1};

    memcpy(options.chain_id, chain_id, sizeof chain_id);
    INVARIANT(mesh_footprint(&options) <= sizeof arena_memory);
    memset(arena_memory, 0, mesh_footprint(&options));
    arena_init(&world->arena, arena_memory, mesh_footprint(&options));
    INVARIANT(mesh_init(&options, &world->arena, &world->mesh) == ERR_OK);
    noise_public(node_secret, set.members[0].node_key);
    noise_public(peer_secret, set.members[1].node_key);
    mesh_set_validators(world->mesh, NULL, &set, NULL);
}

static void end(struct world *world)
{
    uint32_t receiving;
    uint32_t sending;

    mesh_check(world->mesh);
    mesh_stop(world->mesh);
    mesh_tick(world->mesh, world->now_ms);
    mesh_tick(world->mesh, world->now_ms + 600);
    actions(world);
    INVARIANT(mesh_links(world->mesh) == 0);
    INVARIANT(!world->open);
    mesh_memory(world->mesh, &receiving, &sending);
    INVARIANT(receiving == PIECES);
    INVARIANT(sending == PIECES);
    mesh_check(world->mesh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader input = reader_of(bytes_of(data, size));
    struct world world = {
        .now_ms = 1000, .link = MESH_NONE, .length = UINT32_MAX, .random = 1, .key = 1};
    const uint8_t mode = reader_u8(&input);
    uint32_t steps = 0;
    bool session;

    begin(&world, (mode & 1) != 0);
    session = meet(&world, mode >> 1 & 3);
    while (input.left.count != 0 && !input.failed && steps < STEPS_MAX) {
        step(&world, &input, &session);
        steps += 1;
    }
    end(&world);
    return 0;
}

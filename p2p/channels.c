#include <string.h>

#include "base/count.h"
#include "base/writer.h"
#include "p2p/mesh_private.h"
#include "proto/wire.h"

enum {
    CAP_VOTES = 4 << 20,
    CAP_PROPOSALS = 16 << 20,
    CAP_FINALITY = 256 << 10,
    CAP_TRANSACTIONS = 2 << 20,
    CAP_ADDRESSES = 4 << 10,
    BULK_STEPS_MAX = 64, /* a full frame of the lightest channel takes 16 rounds at most */
};

static enum lane lane_of(uint8_t channel, uint8_t type)
{
    INVARIANT(channel >= 1);
    INVARIANT(channel < MESH_CHANNELS);
    if (channel == 4 && type != WIRE_TX_PUSH) {
        return LANE_ANNOUNCES;
    }
    return (const enum lane[MESH_CHANNELS]){
        LANES,       LANE_VOTES,  LANE_PROPOSALS, LANE_FINALITY,
        LANE_PUSHES, LANE_RANGES, LANE_SNAPSHOTS, LANE_ADDRESSES,
    }[channel];
}

uint32_t channels_bytes(const struct peer *peer)
{
    uint32_t bytes = 0;

    for (uint32_t i = 0; i < LANES; i++) {
        bytes += peer->lanes[i].bytes;
    }
    return bytes;
}

void channels_clear(struct mesh *mesh, struct peer *peer)
{
    for (uint32_t i = 0; i < LANES; i++) {
        queue_clear(&mesh->sending, &peer->lanes[i]);
    }
    queue_clear(&mesh->receiving, &peer->shed_votes);
    queue_clear(&mesh->receiving, &peer->shed_others);
    peer->status_due = false;
    peer->express_run = 0;
}

void channels_move(struct mesh *mesh, struct peer *peer)
{
    for (uint32_t i = 0; i < LANES; i++) {
        queue_drop_begun(&mesh->sending, &peer->lanes[i]);
    }
    mesh_act(mesh, peer->main, MESH_WRITE);
}

/* Memory of all. */

static CHECKED bool lane_drop_all(struct mesh *mesh, enum lane lane, uint8_t channel)
{
    bool any = false;

    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        while (queue_drop(&mesh->sending, &mesh->peers[i].lanes[lane])) {
            mesh->counts.dropped[channel] += 1;
            any = true;
        }
    }
    return any;
}

/* Close a session because what waits for it is too much; its queues are free at once. */
static void slow_close(struct mesh *mesh, struct peer *peer)
{
    if (peer->main != MESH_NONE) {
        mesh_doom(mesh, peer->main, GOODBYE_SLOW);
    }
    channels_clear(mesh, peer);
}

/* Make room in the send pool: bulk first, then the peer with most bytes.  False: nothing is left to drop. */
static CHECKED bool room_make(struct mesh *mesh)
{
    static const struct {
        enum lane lane;
        uint8_t channel;
    } order[] = {{LANE_SNAPSHOTS, 6}, {LANE_RANGES, 5}, {LANE_ANNOUNCES, 4}, {LANE_PUSHES, 4}};
    uint32_t most = 0;
    uint32_t found = MESH_NONE;

    mesh->send_pool_empty = true;
    mesh_arm(mesh, mesh->now_ms);
    for (uint32_t i = 0; i < COUNT_OF(order); i++) {
        if (lane_drop_all(mesh, order[i].lane, order[i].channel)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        const uint32_t bytes = channels_bytes(&mesh->peers[i]);

        if (bytes > most) {
            most = bytes;
            found = i;
        }
    }
    if (found == MESH_NONE) {
        return false;
    }
    slow_close(mesh, &mesh->peers[found]);
    return true;
}

/* Caps of one peer. */

/* Drop old messages of a lane, but not one that is begun, until `count` more bytes fit under the cap. */
static void lane_drop(struct mesh *mesh, struct peer *peer, enum lane lane, uint8_t channel,
                      uint64_t over)
{
    struct queue *queue = &peer->lanes[lane];
    const uint32_t before = queue->bytes;

    while (before - queue->bytes < over && queue_drop(&mesh->sending, queue)) {
        mesh->counts.dropped[channel] += 1;
    }
}

static uint64_t over_cap(uint64_t held, uint64_t count, uint64_t cap)
{
    return held + count > cap ? held + count - cap : 0;
}

/* May `count` bytes more wait for this peer?  Drops what is older, or closes the session, as the table says. */
static CHECKED bool cap_allows(struct mesh *mesh, struct peer *peer, uint8_t channel,
                               uint32_t count)
{
    struct queue *lanes = peer->lanes;
    uint64_t over;

    switch (channel) {
    case 1:
    case 2:
        over = channel == 1 ? over_cap(lanes[LANE_VOTES].bytes, count, CAP_VOTES)
                            : over_cap(lanes[LANE_PROPOSALS].bytes, count, CAP_PROPOSALS);
        if (over != 0) {
            slow_close(mesh, peer);
        }
        return over == 0;
    case 3:
        lane_drop(mesh, peer, LANE_FINALITY, 3,
                  over_cap(lanes[LANE_FINALITY].bytes, count, CAP_FINALITY));
        return over_cap(lanes[LANE_FINALITY].bytes, count, CAP_FINALITY) == 0;
    case 4:
        over = (uint64_t)lanes[LANE_PUSHES].bytes + lanes[LANE_ANNOUNCES].bytes;
        lane_drop(mesh, peer, LANE_ANNOUNCES, 4, over_cap(over, count, CAP_TRANSACTIONS));
        over = (uint64_t)lanes[LANE_PUSHES].bytes + lanes[LANE_ANNOUNCES].bytes;
        lane_drop(mesh, peer, LANE_PUSHES, 4, over_cap(over, count, CAP_TRANSACTIONS));
        over = (uint64_t)lanes[LANE_PUSHES].bytes + lanes[LANE_ANNOUNCES].bytes;
        return over_cap(over, count, CAP_TRANSACTIONS) == 0;
    case 5:
        return over_cap(lanes[LANE_RANGES].bytes, count, 2ULL * mesh_limit(mesh, 5)) == 0;
    case 6:
        return over_cap(lanes[LANE_SNAPSHOTS].bytes, count, mesh_limit(mesh, 6)) == 0;
    default:
        return over_cap(lanes[LANE_ADDRESSES].bytes, count, CAP_ADDRESSES) == 0;
    }
}

/* Sending. */

static CHECKED bool may_send(const struct mesh *mesh, const struct peer *peer, uint8_t channel)
{
    const bool open = peer->main != MESH_NONE ? mesh->links[peer->main].doom == 0 : peer->limbo;

    return open && ((channel != 1 && channel != 2) || (mesh->own_member && peer->member));
}

/* In limbo there is no link yet that could write. */
static void wake(struct mesh *mesh, const struct peer *peer)
{
    if (peer->main != MESH_NONE) {
        mesh_act(mesh, peer->main, MESH_WRITE);
    }
}

/* Queue a stored message for one peer, which may send it. */
static void send_one(struct mesh *mesh, struct peer *peer, uint8_t channel, enum lane lane,
                     uint32_t stored, uint32_t count)
{
    if (!cap_allows(mesh, peer, channel, count)) {
        mesh->counts.dropped[channel] += 1;
        return;
    }
    while (!queue_push(&mesh->sending, &peer->lanes[lane], stored)) {
        if (!room_make(mesh) || !may_send(mesh, peer, channel)) {
            mesh->counts.dropped[channel] += 1;
            return;
        }
    }
    wake(mesh, peer);
}

/* The newest STATUS: kept for HELLO, and sent to whom it is meant for. */
static void status_send(struct mesh *mesh, uint32_t index, struct bytes message)
{
    mesh->status_count = (uint16_t)(message.count - 1); /* at most HELLO_STATUS_MAX */
    memcpy(mesh->status, message.at + 1, mesh->status_count);
    if (index != MESH_NONE && may_send(mesh, &mesh->peers[index], 0)) {
        mesh->peers[index].status_due = true;
        wake(mesh, &mesh->peers[index]);
    }
}

/* One target: as send_one, or a STATUS. */
struct outgoing {
    uint8_t channel;
    enum lane lane;
    uint32_t stored;
    uint32_t count;
    struct bytes status;
};

static void target_send(struct mesh *mesh, uint32_t index, const struct outgoing *outgoing)
{
    if (outgoing->channel == 0) {
        status_send(mesh, index, outgoing->status);
    } else if (may_send(mesh, &mesh->peers[index], outgoing->channel)) {
        send_one(mesh, &mesh->peers[index], outgoing->channel, outgoing->lane, outgoing->stored,
                 outgoing->count);
    }
}

static void targets_send(struct mesh *mesh, uint32_t to, const struct outgoing *outgoing)
{
    if (to == MESH_ALL) {
        for (uint32_t i = 0; i < mesh->set_counts[SET_CURRENT]; i++) {
            if (mesh->current[i] != MESH_NONE) {
                target_send(mesh, mesh->current[i], outgoing);
            }
        }
    } else if (to == MESH_ALL_FULL_NODES) {
        for (uint32_t i = 0; i < mesh->peer_count; i++) {
            if (mesh->peers[i].used && mesh->peers[i].index == VALIDATOR_NONE) {
                target_send(mesh, i, outgoing);
            }
        }
    } else {
        const uint32_t index = peers_by_number(mesh, to);

        if (index != MESH_NONE) {
            target_send(mesh, index, outgoing);
        }
    }
}

/* What is served is charged to who asked, and to all full nodes together. */
static void served_charge(struct mesh *mesh, uint32_t to, uint32_t count)
{
    const uint32_t index = peers_by_number(mesh, to);

    if (index == MESH_NONE) {
        return;
    }
    tokens_spend(&mesh->peers[index].buckets[BUCKET_SERVED], count);
    if (!mesh->peers[index].member) {
        tokens_spend(&mesh->served_others, count);
    }
}

/* Is there anybody to send to?  Saves storing what nobody gets. */
static CHECKED bool anybody(const struct mesh *mesh, uint32_t to, uint8_t channel)
{
    uint32_t index;

    if (to == MESH_ALL || to == MESH_ALL_FULL_NODES) {
        return true;
    }
    index = peers_by_number(mesh, to);
    return index != MESH_NONE && may_send(mesh, &mesh->peers[index], channel);
}

void channels_send(struct mesh *mesh, uint32_t to, uint8_t channel, struct bytes head,
                   struct bytes body)
{
    const size_t count = head.count + body.count;
    const uint8_t type = head.count != 0 ? head.at[0] : body.count != 0 ? body.at[0] : 0;
    struct outgoing outgoing = {.channel = channel, .status = head};

    INVARIANT(count >= 1);
    INVARIANT(channel < MESH_CHANNELS);
    if (count > mesh_limit(mesh, channel)) {
        mesh->too_long |= (uint8_t)(1U << channel);
        mesh->counts.dropped[channel] += 1;
        mesh_arm(mesh, mesh->now_ms);
        return;
    }
    if (channel == 0) {
        INVARIANT(type == WIRE_STATUS);
        INVARIANT(body.count == 0);
        INVARIANT(count <= 1 + HELLO_STATUS_MAX);
        status_send(mesh, MESH_NONE, head);
        targets_send(mesh, to, &outgoing);
        return;
    }
    if (!anybody(mesh, to, channel)) {
        return;
    }
    outgoing.lane = lane_of(channel, type);
    outgoing.count = (uint32_t)count; /* at most the channel's limit */
    outgoing.stored = stored_make(&mesh->sending, head, body);
    while (outgoing.stored == POOL_NONE) {
        if (!room_make(mesh)) {
            mesh->counts.dropped[channel] += 1;
            return;
        }
        outgoing.stored = stored_make(&mesh->sending, head, body);
    }
    targets_send(mesh, to, &outgoing);
    stored_release(&mesh->sending, outgoing.stored);
    if (type == WIRE_BLOCKS || type == WIRE_EPOCHS) {
        served_charge(mesh, to, outgoing.count);
    }
}

/* Records. */

static void frame_head(struct writer *writer, uint8_t channel, bool fin, size_t count)
{
    writer_u8(writer, channel);
    writer_u8(writer, fin ? FRAME_FIN : 0);
    writer_u16(writer, (uint16_t)count); /* at most a record */
}

/* Write the next frame of a lane; false if it does not fit any more. */
static CHECKED bool lane_write(struct mesh *mesh, struct queue *queue, uint8_t channel,
                               struct writer *writer)
{
    const uint32_t left = queue_first_bytes(&mesh->sending, queue) - queue->done;
    const size_t space = writer->size - writer->used;
    size_t count;
    bool fin;

    if (space <= FRAME_HEAD_BYTES) {
        return false;
    }
    fin = left <= space - FRAME_HEAD_BYTES;
    count = fin ? left : space - FRAME_HEAD_BYTES;
    if (!fin && count < FRAME_OPEN_MIN) {
        return false;
    }
    frame_head(writer, channel, fin, count);
    queue_take(&mesh->sending, queue, writer->at + writer->used, (uint32_t)count);
    writer->used += count;
    mesh->counts.messages_out[channel] += fin ? 1 : 0;
    return true;
}

static void control_write(struct mesh *mesh, struct link *link, struct writer *writer)
{
    if (link->pong_due) {
        link->pong_due = false;
        frame_head(writer, 0, true, 9);
        wire_ping_write(writer, WIRE_PONG, link->pong_token);
    }
    if (link->ping_due) {
        link->ping_due = false;
        mesh->ping_token += 1;
        frame_head(writer, 0, true, 9);
        wire_ping_write(writer, WIRE_PING, mesh->ping_token);
    }
}

/* Channels 0 to 3, in this order. */
static void express_write(struct mesh *mesh, struct peer *peer, struct writer *writer)
{
    static const enum lane lanes[] = {LANE_VOTES, LANE_PROPOSALS, LANE_FINALITY};

    if (peer->status_due) {
        peer->status_due = false;
        frame_head(writer, 0, true, 1U + mesh->status_count);
        writer_u8(writer, WIRE_STATUS);
        writer_bytes(writer, mesh->status, mesh->status_count);
        mesh->counts.messages_out[0] += 1;
    }
    for (uint32_t i = 0; i < COUNT_OF(lanes); i++) {
        struct queue *queue = &peer->lanes[lanes[i]];

        while (queue->count != 0) {
            if (!lane_write(mesh, queue, (uint8_t)(i + 1), writer)) {
                return;
            }
        }
    }
}

/* Of channel 4, what is begun goes on; else announcements first, for they are short. */
static struct queue *bulk_queue(struct peer *peer, uint32_t turn)
{
    static const enum lane lanes[BULK_CHANNELS] = {LANE_PUSHES, LANE_RANGES, LANE_SNAPSHOTS,
                                                   LANE_ADDRESSES};
    struct queue *pushes = &peer->lanes[LANE_PUSHES];
    struct queue *announces = &peer->lanes[LANE_ANNOUNCES];

    if (turn != 0) {
        return &peer->lanes[lanes[turn]];
    }
    return pushes->done != 0 || announces->count == 0 ? pushes : announces;
}

static CHECKED bool bulk_waits(struct peer *peer)
{
    for (uint32_t i = 0; i < BULK_CHANNELS; i++) {
        if (bulk_queue(peer, i)->count != 0) {
            return true;
        }
    }
    return false;
}

/*
 * Channels 4 to 7 by deficit round robin: a channel sends while its credit lasts, the last frame may overdraw
 * it, and each turn that it has to wait brings a quantum by weight.
 */
static void bulk_write(struct mesh *mesh, struct peer *peer, struct writer *writer)
{
    static const int32_t weights[BULK_CHANNELS] = {4, 2, 1, 1};

    for (uint32_t step = 0; step < BULK_STEPS_MAX && bulk_waits(peer); step++) {
        const uint32_t turn = peer->bulk_turn;
        struct queue *queue = bulk_queue(peer, turn);
        const size_t before = writer->used;

        if (queue->count == 0 || peer->bulk_credit[turn] <= 0) {
            peer->bulk_credit[turn] =
                queue->count == 0 ? 0 : peer->bulk_credit[turn] + weights[turn] * BULK_QUANTUM;
            peer->bulk_turn = (uint8_t)((turn + 1) % BULK_CHANNELS);
            continue;
        }
        if (!lane_write(mesh, queue, (uint8_t)(BULK_FIRST + turn), writer)) {
            return;
        }
        peer->bulk_credit[turn] -= (int32_t)(writer->used - before); /* at most a record */
    }
}

size_t channels_pull(struct mesh *mesh, uint32_t index, uint8_t *plain)
{
    struct link *link = &mesh->links[index];
    struct peer *peer = &mesh->peers[link->peer];
    struct writer writer = writer_of(plain, RECORD_PLAIN_MAX);
    bool waits;

    control_write(mesh, link, &writer);
    if (peer->main != index) { /* a contender or a loser speaks of nothing else */
        return writer.used;
    }
    waits = bulk_waits(peer);
    if (!waits || peer->express_run < BULK_TURN) {
        express_write(mesh, peer, &writer);
    }
    if (writer.used != 0) {
        peer->express_run = (uint8_t)(waits ? peer->express_run + 1 : 0); /* at most BULK_TURN */
    }
    if (writer.used == 0 || peer->express_run > BULK_TURN) {
        peer->express_run = 0;
        bulk_write(mesh, peer, &writer);
    }
    INVARIANT(!writer.failed);
    return writer.used;
}

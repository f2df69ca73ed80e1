#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "p2p/mesh_private.h"
#include "proto/wire.h"

struct frame {
    uint8_t channel;
    bool fin;
    struct bytes bytes;
};

/* What becomes of a message, decided at its first frame. */
enum fate {
    FATE_KEEP,
    FATE_SKIP,
    FATE_BUSY, /* skip it and say so */
    FATE_MALFORMED,
};

void frames_forget(struct mesh *mesh, struct body *body)
{
    for (uint32_t i = 0; i < MESH_CHANNELS; i++) {
        chain_free(&mesh->receiving, &body->assemblies[i].chain);
        body->assemblies[i].begun = false;
    }
}

uint32_t frames_pieces(const struct link *link)
{
    uint32_t held = 0;

    if (link->body == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < MESH_CHANNELS; i++) {
        held += chain_pieces(link->body->assemblies[i].chain.count);
    }
    return held;
}

uint64_t frames_tick(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    const bool paused = session_paused(mesh, index) && !mesh->short_of_memory;
    uint64_t next_ms = UINT64_MAX;

    for (uint32_t i = 0; i < MESH_CHANNELS; i++) {
        struct assembly *assembly = &link->body->assemblies[i];

        if (!assembly->begun) {
            continue;
        }
        if (mesh->now_ms >= assembly->window_ms + PROGRESS_MS) {
            if (assembly->window_bytes < PROGRESS_BYTES && !paused) {
                mesh_doom(mesh, index, GOODBYE_SILENT);
                return UINT64_MAX;
            }
            assembly->window_ms = mesh->now_ms;
            assembly->window_bytes = 0;
        }
        if (assembly->window_ms + PROGRESS_MS < next_ms) {
            next_ms = assembly->window_ms + PROGRESS_MS;
        }
    }
    return next_ms;
}

/* Memory. */

/* The full node whose unfinished messages hold most of the receive pool, or MESH_NONE. */
static uint32_t largest_full_node(const struct mesh *mesh, uint32_t *total)
{
    uint32_t found = MESH_NONE;
    uint32_t most = 0;

    *total = 0;
    for (uint32_t i = 0; i < mesh->link_count; i++) {
        const struct link *link = &mesh->links[i];
        uint32_t held;

        if (link->state != LINK_OPEN || mesh->peers[link->peer].member) {
            continue;
        }
        held = frames_pieces(link);
        *total += held;
        if (held > most && link->doom == 0) {
            most = held;
            found = i;
        }
    }
    return found;
}

void frames_memory(struct mesh *mesh)
{
    uint32_t total;
    uint32_t largest = MESH_NONE;

    if (mesh->short_of_memory) {
        if (mesh->receiving.free_count >= 2 * mesh->reserve) {
            mesh->short_of_memory = false;
            mesh_arm(mesh, mesh->now_ms); /* those that stalled read on in the tick */
        }
        return;
    }
    while (mesh->receiving.free_count < mesh->reserve) {
        largest = largest_full_node(mesh, &total);
        if (largest == MESH_NONE) {
            mesh->short_of_memory = true;
            mesh->receive_pool_empty = true;
            return;
        }
        session_goodbye(mesh, largest, GOODBYE_PLACE, 0);
    }
}

/* May this link put `pieces` more of the receive pool to use?  Full nodes share a third of it. */
static CHECKED bool memory_allowed(struct mesh *mesh, const struct link *link, uint32_t pieces)
{
    uint32_t total;
    uint32_t largest;

    if (pieces == 0 || mesh->peers[link->peer].member) {
        return true;
    }
    largest = largest_full_node(mesh, &total);
    if (total + pieces <= mesh->receiving.piece_count / 3) {
        return true;
    }
    if (largest != MESH_NONE) {
        mesh_doom(mesh, largest, GOODBYE_PLACE);
    }
    return false;
}

/* Delivery. */

static void deliver(struct mesh *mesh, const struct peer *peer, uint8_t channel,
                    struct bytes message)
{
    if (peer->told == MESH_NONE) { /* the session is over; what still arrives is for nobody */
        return;
    }
    mesh->counts.messages_in[channel] += 1;
    mesh->options.owner.message(mesh->options.owner.self, peer->told, channel, message);
}

/* Channel 1 without tokens: the newest wait, of each kind as many as the queue holds. */
static void shed(struct mesh *mesh, struct peer *peer, struct bytes message)
{
    const bool vote = message.at[0] == WIRE_VOTE;
    struct queue *queue = vote ? &peer->shed_votes : &peer->shed_others;
    const uint32_t most = vote ? 4 * (mesh_members(mesh) + 64) : 64;
    uint32_t stored;

    if (queue->count == most && queue_drop(&mesh->receiving, queue)) {
        mesh->counts.skipped[1] += 1;
    }
    stored = stored_make(&mesh->receiving, message, bytes_of(NULL, 0));
    if (stored == POOL_NONE) {
        mesh->counts.skipped[1] += 1;
        return;
    }
    if (!queue_push(&mesh->receiving, queue, stored)) {
        mesh->counts.skipped[1] += 1;
    }
    stored_release(&mesh->receiving, stored);
    mesh_arm(mesh, mesh->now_ms + SHED_MS);
}

static CHECKED bool votes_allowed(struct mesh *mesh, struct peer *peer, uint32_t bytes)
{
    if (!peers_any_token(mesh, peer, BUCKET_VOTE_BYTES) ||
        !peers_take_token(mesh, peer, BUCKET_VOTES)) {
        return false;
    }
    tokens_spend(&peer->buckets[BUCKET_VOTE_BYTES], bytes);
    return true;
}

void frames_shed(struct mesh *mesh, struct peer *peer)
{
    struct queue *queues[] = {&peer->shed_votes, &peer->shed_others};

    for (uint32_t i = 0; i < 2; i++) {
        struct queue *queue = queues[i];

        while (queue->count != 0) {
            const uint32_t count = queue_first_bytes(&mesh->receiving, queue);

            if (!votes_allowed(mesh, peer, count)) {
                mesh_arm(mesh, mesh->now_ms + SHED_MS);
                return;
            }
            queue_take(&mesh->receiving, queue, mesh->scratch, count);
            deliver(mesh, peer, 1, bytes_of(mesh->scratch, count));
        }
    }
}

static CHECKED bool control_message(struct mesh *mesh, uint32_t index, struct bytes message)
{
    struct link *link = &mesh->links[index];
    uint64_t token;

    switch (message.at[0]) {
    case WIRE_PING:
        if (!wire_ping_decode(message, &token)) {
            return false;
        }
        link->pong_due = true;
        link->pong_token = token;
        mesh_act(mesh, index, MESH_WRITE);
        return true;
    case WIRE_PONG: /* that something was heard is all that counts */
        return wire_ping_decode(message, &token);
    case WIRE_GOODBYE:
        return session_left(mesh, index, message);
    default: /* STATUS */
        deliver(mesh, &mesh->peers[link->peer], 0, message);
        return true;
    }
}

/* A whole message, kept.  False: malformed. */
static CHECKED bool message_take(struct mesh *mesh, uint32_t index, uint8_t channel,
                                 struct bytes message)
{
    struct peer *peer = &mesh->peers[mesh->links[index].peer];

    if (channel == 0) {
        return control_message(mesh, index, message);
    }
    if (channel == 1 && message.at[0] != WIRE_GET_CERTS) {
        if (peer->shed_votes.count + peer->shed_others.count != 0 ||
            !votes_allowed(mesh, peer, (uint32_t)message.count)) { /* at most the channel's limit */
            shed(mesh, peer, message);
            return true;
        }
    }
    if (channel == 7) { /* no address book is kept yet, and an empty answer would be a question */
        return addrs_check(message);
    }
    deliver(mesh, peer, channel, message);
    return true;
}

/* Permission. */

static CHECKED bool type_on_channel(uint8_t type, uint8_t channel)
{
    return wire_channel(type) == channel || (type == WIRE_CERT && channel == 3);
}

/* Channels 1 and 2 are for members, and 3 comes from them. */
static CHECKED bool channel_allowed(struct mesh *mesh, struct peer *peer, uint8_t channel)
{
    if (channel == 0 || channel > 3 || (peer->member && (mesh->own_member || channel == 3))) {
        return true;
    }
    if (!peer->member && (peer->roles & ROLE_VALIDATOR) == 0) {
        peers_charge(mesh, peer, channel, MESH_FAULT_UNSOLICITED);
    }
    return false;
}

static enum fate fate_if(bool kept)
{
    return kept ? FATE_KEEP : FATE_SKIP;
}

static enum fate control_fate(struct mesh *mesh, struct peer *peer, uint8_t type)
{
    if (type == WIRE_HELLO) {
        return FATE_MALFORMED; /* once, and first */
    }
    if (type == WIRE_GOODBYE) {
        return FATE_KEEP;
    }
    return fate_if(peers_take_token(mesh, peer, BUCKET_CONTROL) &&
                   (type != WIRE_PING || peers_take_token(mesh, peer, BUCKET_PINGS)));
}

static enum fate proposals_fate(struct mesh *mesh, struct peer *peer, uint8_t type)
{
    if (type == WIRE_GET_TXS || type == WIRE_GET_BLOCK) {
        return fate_if(peers_take_token(mesh, peer, BUCKET_GET_BODIES));
    }
    if (type == WIRE_TXS || type == WIRE_BLOCK) {
        return fate_if(peers_any_token(mesh, peer, BUCKET_BODY_BYTES));
    }
    return fate_if(peers_any_token(mesh, peer, BUCKET_PROPOSAL_BYTES) &&
                   peers_take_token(mesh, peer, BUCKET_PROPOSALS));
}

/* Sixteenths of a transaction: a pushed one counts whole, an announced or wanted one as one. */
static enum fate transactions_fate(struct mesh *mesh, struct peer *peer, struct bytes first)
{
    const uint32_t count = first.count < 3 ? 1 : (uint32_t)first.at[1] << 8 | first.at[2];

    if (!peers_any_token(mesh, peer, BUCKET_TXS) || !peers_any_token(mesh, peer, BUCKET_TX_BYTES)) {
        return FATE_SKIP;
    }
    tokens_spend(&peer->buckets[BUCKET_TXS], first.at[0] == WIRE_TX_PUSH ? 16 * count : count);
    return FATE_KEEP;
}

static enum fate ranges_fate(struct mesh *mesh, struct peer *peer, uint8_t type)
{
    if (type != WIRE_GET_BLOCKS && type != WIRE_GET_EPOCHS) {
        return FATE_KEEP; /* an answer: how long it may be, its owner says */
    }
    if (!peers_take_token(mesh, peer, BUCKET_GET_RANGES) ||
        !peers_any_token(mesh, peer, BUCKET_SERVED)) {
        return FATE_BUSY;
    }
    if (!peer->member &&
        !tokens_any(&mesh->served_others, mesh->now_ms, tokens_per_second(SERVED_OTHERS))) {
        return FATE_BUSY;
    }
    return FATE_KEEP;
}

/* Tokens are taken by channel and type alone, but for the count of transactions. */
static enum fate message_fate(struct mesh *mesh, struct peer *peer, const struct frame *frame)
{
    const uint8_t type = frame->bytes.at[0];

    if (!type_on_channel(type, frame->channel)) {
        return FATE_MALFORMED;
    }
    if (!channel_allowed(mesh, peer, frame->channel) ||
        mesh->now_ms < peer->muted_until_ms[frame->channel]) {
        return FATE_SKIP;
    }
    switch (frame->channel) {
    case 0:
        return control_fate(mesh, peer, type);
    case 1:
        return fate_if(type != WIRE_GET_CERTS || peers_take_token(mesh, peer, BUCKET_GET_CERTS));
    case 2:
        return proposals_fate(mesh, peer, type);
    case 3:
        return fate_if(peers_take_token(mesh, peer, BUCKET_FINALITY));
    case 4:
        return transactions_fate(mesh, peer, frame->bytes);
    case 5:
        return ranges_fate(mesh, peer, type);
    default:
        return fate_if(peers_take_token(mesh, peer, BUCKET_ADDRESSES));
    }
}

/* Bytes are charged as they come. */
static void bytes_charge(struct peer *peer, uint8_t type, uint32_t count)
{
    switch (type) {
    case WIRE_PROPOSAL:
        tokens_spend(&peer->buckets[BUCKET_PROPOSAL_BYTES], count);
        return;
    case WIRE_TXS:
    case WIRE_BLOCK:
        tokens_spend(&peer->buckets[BUCKET_BODY_BYTES], count);
        return;
    case WIRE_TX_PUSH:
    case WIRE_TX_HAVE:
    case WIRE_TX_WANT:
        tokens_spend(&peer->buckets[BUCKET_TX_BYTES], count);
        return;
    default:
        return;
    }
}

/* Answer a request for a range that there is no budget for: its id, and "busy".  False: it has no id. */
static CHECKED bool busy_answer(struct mesh *mesh, const struct peer *peer, struct bytes request)
{
    const uint8_t answer = request.at[0] == WIRE_GET_BLOCKS ? WIRE_BLOCKS : WIRE_EPOCHS;
    uint8_t memory[6];
    struct writer writer = writer_of(memory, sizeof memory);

    if (request.count < 5) {
        return false;
    }
    writer_u8(&writer, answer);
    writer_bytes(&writer, request.at + 1, 4);
    writer_u8(&writer, WIRE_BLOCKS_BUSY);
    INVARIANT(!writer.failed);
    channels_send(mesh, peers_number(mesh, peer), 5, writer_done(&writer), bytes_of(NULL, 0));
    return true;
}

/* Frames. */

/* Begin a message.  False: malformed. */
static CHECKED bool frame_first(struct mesh *mesh, uint32_t index, const struct frame *frame)
{
    struct link *link = &mesh->links[index];
    struct peer *peer = &mesh->peers[link->peer];
    struct assembly *assembly = &link->body->assemblies[frame->channel];
    const enum fate fate = message_fate(mesh, peer, frame);
    const struct mesh_owner *owner = &mesh->options.owner;

    *assembly = (struct assembly){
        .begun = true,
        .skip = fate != FATE_KEEP,
        .type = frame->bytes.at[0],
        .limit = mesh_limit(mesh, frame->channel),
        .chain = CHAIN_EMPTY,
        .window_ms = mesh->now_ms,
    };
    if (fate == FATE_MALFORMED) {
        return false;
    }
    if (fate != FATE_KEEP) {
        mesh->counts.skipped[frame->channel] += 1;
        return fate != FATE_BUSY || busy_answer(mesh, peer, frame->bytes);
    }
    if (!frame->fin && frame->channel != 0 && owner->length != NULL && peer->told != MESH_NONE) {
        const uint32_t length =
            owner->length(owner->self, peer->told, frame->channel, frame->bytes);

        if (length == 0) {
            assembly->skip = true;
            mesh->counts.skipped[frame->channel] += 1;
        } else if (length < assembly->limit) {
            assembly->limit = length;
        }
    }
    return true;
}

/* Keep a part of a message that is not whole yet, or its end. */
static void part_keep(struct mesh *mesh, uint32_t index, const struct frame *frame)
{
    struct link *link = &mesh->links[index];
    struct assembly *assembly = &link->body->assemblies[frame->channel];
    const uint32_t before = assembly->count - (uint32_t)frame->bytes.count; /* counted already */
    const uint32_t pieces = chain_pieces(assembly->count) - chain_pieces(before);

    if (frame->channel == 1) {
        memcpy(link->body->votes + before, frame->bytes.at, frame->bytes.count);
        return;
    }
    if (memory_allowed(mesh, link, pieces) &&
        chain_append(&mesh->receiving, &assembly->chain, frame->bytes)) {
        return;
    }
    chain_free(&mesh->receiving, &assembly->chain);
    assembly->skip = true;
    mesh->counts.skipped[frame->channel] += 1;
    mesh->receive_pool_empty = true;
}

/* The last frame of a message of several: put it together and hand it on. */
static CHECKED bool parts_take(struct mesh *mesh, uint32_t index, uint8_t channel)
{
    struct link *link = &mesh->links[index];
    struct assembly *assembly = &link->body->assemblies[channel];
    const uint32_t count = assembly->count;

    if (channel == 1) {
        return message_take(mesh, index, channel, bytes_of(link->body->votes, count));
    }
    chain_copy(&mesh->receiving, &assembly->chain, 0, mesh->scratch, count);
    chain_free(&mesh->receiving, &assembly->chain);
    return message_take(mesh, index, channel, bytes_of(mesh->scratch, count));
}

/* Take one frame.  False: malformed. */
static CHECKED bool frame_take(struct mesh *mesh, uint32_t index, const struct frame *frame)
{
    struct link *link = &mesh->links[index];
    struct assembly *assembly = &link->body->assemblies[frame->channel];
    const uint32_t count = (uint32_t)frame->bytes.count; /* at most a record */

    if (!assembly->begun && !frame_first(mesh, index, frame)) {
        return false;
    }
    if (count > assembly->limit - assembly->count) {
        return false;
    }
    assembly->count += count;
    assembly->window_bytes += count; /* at most the limit of a message */
    if (!assembly->skip) {
        bytes_charge(&mesh->peers[link->peer], assembly->type, count);
    }
    if (!assembly->skip && !(frame->fin && assembly->count == count)) {
        part_keep(mesh, index, frame);
    }
    if (!frame->fin) {
        mesh_arm(mesh, assembly->window_ms + PROGRESS_MS);
        return true;
    }
    assembly->begun = false;
    if (assembly->skip) {
        return true;
    }
    if (assembly->count == count) {
        return message_take(mesh, index, frame->channel, frame->bytes);
    }
    return parts_take(mesh, index, frame->channel);
}

/* Cut the next frame off.  False: malformed. */
static CHECKED bool frame_read(struct reader *reader, struct frame *out)
{
    uint8_t flags;

    out->channel = reader_u8(reader);
    flags = reader_u8(reader);
    out->bytes = reader_take(reader, reader_u16(reader));
    out->fin = flags == FRAME_FIN;
    return !reader->failed && out->channel < MESH_CHANNELS && (flags & ~FRAME_FIN) == 0 &&
           out->bytes.count >= (out->fin ? 1U : FRAME_OPEN_MIN);
}

void frames_record(struct mesh *mesh, uint32_t index, struct bytes plain)
{
    struct link *link = &mesh->links[index];
    struct reader reader = reader_of(plain);
    struct frame frame;

    while (reader.left.count != 0 && link->doom == 0) {
        if (!frame_read(&reader, &frame) || !frame_take(mesh, index, &frame)) {
            peers_charge(mesh, &mesh->peers[link->peer], 0, MESH_FAULT_MALFORMED);
            mesh_doom(mesh, index, GOODBYE_MALFORMED);
            return;
        }
    }
}

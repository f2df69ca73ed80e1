#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/secret.h"
#include "p2p/mesh_private.h"
#include "proto/wire.h"

/* Beginning. */

uint32_t session_accept(struct mesh *mesh, const struct address *address)
{
    const uint32_t own_places = HALF_OPEN_KNOWN * gate_known_count(&mesh->gate, address);
    const bool known = own_places != 0 || address_loopback(address);
    uint32_t on_own = 0;
    uint32_t on_common = 0;
    uint32_t oldest = MESH_NONE;
    uint32_t index;
    struct link *link;

    mesh->counts.accepted += 1;
    if (mesh->stopping || !gate_pass(&mesh->gate, address, known, mesh->now_ms)) {
        mesh->counts.refused += 1;
        return MESH_NONE;
    }
    for (uint32_t i = 0; i < mesh->link_count; i++) {
        link = &mesh->links[i];
        if (link->outbound || link->state < LINK_PROLOGUE || link->state > LINK_HELLO) {
            continue;
        }
        if (link->known) {
            on_own += address_same_ip(&link->address, address);
            continue;
        }
        on_common += 1;
        if (oldest == MESH_NONE || link->born_ms < mesh->links[oldest].born_ms) {
            oldest = i;
        }
    }
    if (on_own >= own_places && on_common >= HALF_OPEN_MAX) {
        if (mesh->now_ms - mesh->links[oldest].born_ms <= HALF_OPEN_OLD_MS) {
            mesh->counts.refused += 1;
            return MESH_NONE;
        }
        session_drop(mesh, oldest);
    }
    index = mesh_link_take(mesh);
    if (index == MESH_NONE) {
        mesh->counts.refused += 1;
        return MESH_NONE;
    }
    link = &mesh->links[index];
    link->state = LINK_PROLOGUE;
    link->address = *address;
    link->known = on_own < own_places;
    link->deadline_ms = mesh->now_ms + HALF_OPEN_MS;
    mesh_arm(mesh, link->deadline_ms);
    return index;
}

void session_dial(struct mesh *mesh, uint32_t peer_index)
{
    struct peer *peer = &mesh->peers[peer_index];
    const uint32_t index = mesh_link_take(mesh);
    struct link *link;

    if (index == MESH_NONE) {
        return;
    }
    link = &mesh->links[index];
    link->state = LINK_DIALLING;
    link->outbound = true;
    link->peer = peer_index;
    link->tag = peer->configured ? peer->tag : MESH_NONE;
    if (peer->address_count != 0) {
        link->address = peer->addresses[peer->address_turn % peer->address_count];
        peer->address_turn += 1;
    }
    link->deadline_ms = mesh->now_ms + CONNECT_MS;
    mesh_arm(mesh, link->deadline_ms);
    mesh->counts.dials += 1;
    peer->outgoing = index;
    peer->links += 1;
    mesh_act(mesh, index, MESH_DIAL);
}

static void handshake_begin(struct mesh *mesh, struct link *link)
{
    uint8_t ephemeral[NOISE_KEY_BYTES];

    mesh->options.owner.random(mesh->options.owner.self, ephemeral, sizeof ephemeral);
    noise_begin(&link->handshake, link->outbound, bytes_of(mesh->prologue, sizeof mesh->prologue),
                mesh->options.node_secret, ephemeral);
    seal_wipe(ephemeral, sizeof ephemeral);
    mesh->counts.key_operations += 1;
}

/* A handshake that cannot go on ends without an answer. */
static void handshake_failed(struct mesh *mesh, uint32_t index, enum mesh_report_kind kind)
{
    mesh->counts.handshakes_failed += 1;
    mesh_report(mesh, kind, 0, &mesh->links[index]);
    session_drop(mesh, index);
}

/* Write the next handshake message behind what `out` holds. */
static CHECKED bool handshake_write(struct link *link)
{
    size_t count;

    if (!noise_write(&link->handshake, bytes_of(NULL, 0), link->out + link->out_count,
                     sizeof link->out - link->out_count, &count)) {
        return false;
    }
    link->out_count = (uint16_t)(link->out_count + count); /* fits into `out` */
    return true;
}

static CHECKED bool handshake_read(struct link *link, struct bytes message)
{
    uint8_t payload[1];
    size_t count;

    return noise_read(&link->handshake, message, payload, 0, &count);
}

void session_connected(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];

    link->state = LINK_ANSWER;
    link->deadline_ms = mesh->now_ms + HALF_OPEN_MS;
    mesh_arm(mesh, link->deadline_ms);
    handshake_begin(mesh, link);
    memcpy(link->out, mesh->prologue, sizeof mesh->prologue);
    link->out_count = sizeof mesh->prologue;
    if (!handshake_write(link)) {
        handshake_failed(mesh, index, MESH_REPORT_HANDSHAKE);
        return;
    }
    mesh_act(mesh, index, MESH_WRITE);
}

/* Ending. */

void session_detach(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    const uint32_t peer_index = link->peer;
    struct peer *peer;

    if (peer_index == MESH_NONE) {
        return;
    }
    peer = &mesh->peers[peer_index];
    link->peer = MESH_NONE;
    peer->links -= 1;
    peer->used_ms = mesh->now_ms;
    if (peer->outgoing == index) {
        peer->outgoing = MESH_NONE;
        peers_failed(mesh, peer);
    }
    if (peer->contender == index) {
        peer->contender = MESH_NONE;
    }
    if (peer->loser == index) {
        peer->loser = MESH_NONE;
    }
    if (peer->main == index) {
        peer->main = MESH_NONE;
        duplicates_lost(mesh, peer);
    } else if (peer->limbo) {
        duplicates_limbo(mesh, peer);
    }
}

void session_drop(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];

    if (link->state == LINK_DEAD) {
        return;
    }
    INVARIANT(link->state != LINK_FREE);
    link->state = LINK_DEAD;
    mesh_act(mesh, index, MESH_CLOSE);
    session_detach(mesh, index);
    mesh_body_free(mesh, link);
    seal_wipe(&link->handshake, sizeof link->handshake);
    seal_wipe(&link->sending, sizeof link->sending);
    seal_wipe(&link->receiving, sizeof link->receiving);
}

void session_goodbye(struct mesh *mesh, uint32_t index, uint8_t code, uint32_t seconds)
{
    struct link *link = &mesh->links[index];
    const bool reads = code == GOODBYE_DUPLICATE && link->state == LINK_OPEN &&
                       mesh->peers[link->peer].loser == index;

    if (link->state != LINK_HELLO && link->state != LINK_OPEN) {
        session_drop(mesh, index);
        return;
    }
    if (code != GOODBYE_DUPLICATE) {
        mesh_report(mesh, MESH_REPORT_CLOSED, code, link);
    }
    link->state = LINK_LEAVING;
    link->goodbye_due = true;
    link->goodbye_code = code;
    link->goodbye_s = seconds;
    link->deadline_ms = mesh->now_ms + FLUSH_MS;
    mesh_arm(mesh, link->deadline_ms);
    mesh_act(mesh, index, MESH_WRITE);
    if (!reads) {
        session_detach(mesh, index);
        mesh_body_free(mesh, link);
        link->in_count = 0;
        if (link->stalled) { /* so that the end of the stream is seen */
            link->stalled = false;
            mesh_act(mesh, index, MESH_READ);
        }
    }
}

/* Records. */

/* Seal `count` bytes that stand behind the length in `out`. */
static CHECKED size_t record_seal(struct mesh *mesh, struct link *link, uint8_t *out, size_t count)
{
    const size_t sealed = count + NOISE_TAG_BYTES;

    INVARIANT(count != 0);
    INVARIANT(count <= RECORD_PLAIN_MAX);
    out[0] = (uint8_t)(sealed >> 8);
    out[1] = (uint8_t)sealed;
    noise_seal(&link->sending, bytes_of(out + RECORD_HEAD_BYTES, count), out + RECORD_HEAD_BYTES);
    if (link->sending.nonce % REKEY_RECORDS == 0) {
        noise_rekey(&link->sending);
    }
    link->sent_ms = mesh->now_ms;
    mesh_arm(mesh, mesh->now_ms + PING_VALIDATOR_MS);
    return RECORD_HEAD_BYTES + sealed;
}

/* Open a record of `sealed` bytes where it stands. */
static CHECKED bool record_open(struct link *link, uint8_t *at, size_t sealed, struct bytes *out)
{
    if (!noise_open(&link->receiving, bytes_of(at, sealed), at)) {
        return false;
    }
    if (link->receiving.nonce % REKEY_RECORDS == 0) {
        noise_rekey(&link->receiving);
    }
    *out = bytes_of(at, sealed - NOISE_TAG_BYTES);
    return true;
}

/* A record with one control message and nothing else. */
static CHECKED size_t control_record(struct mesh *mesh, struct link *link, struct writer *writer,
                                     uint8_t *out)
{
    const size_t count = writer->used - FRAME_HEAD_BYTES;

    INVARIANT(!writer->failed);
    writer->at[0] = 0; /* the channel */
    writer->at[1] = FRAME_FIN;
    writer->at[2] = (uint8_t)(count >> 8);
    writer->at[3] = (uint8_t)count;
    return record_seal(mesh, link, out, writer->used);
}

static CHECKED size_t hello_record(struct mesh *mesh, struct link *link, uint8_t *out)
{
    const struct mesh_options *options = &mesh->options;
    struct writer writer = writer_of(out + RECORD_HEAD_BYTES, RECORD_PLAIN_MAX);
    const struct hello hello = {
        .protocol = HELLO_PROTOCOL,
        .roles = options->roles,
        .instance = mesh->instance,
        .address = options->advertised,
        .software = bytes_of(options->software, strlen(options->software)),
        .status = bytes_of(mesh->status, mesh->status_count),
    };

    writer_zeros(&writer, FRAME_HEAD_BYTES);
    hello_write(&writer, &hello);
    return control_record(mesh, link, &writer, out);
}

static CHECKED size_t goodbye_record(struct mesh *mesh, struct link *link, uint8_t *out)
{
    struct writer writer = writer_of(out + RECORD_HEAD_BYTES, RECORD_PLAIN_MAX);

    writer_zeros(&writer, FRAME_HEAD_BYTES);
    goodbye_write(&writer, link->goodbye_code, link->goodbye_s);
    return control_record(mesh, link, &writer, out);
}

size_t session_pull(struct mesh *mesh, uint32_t index, uint8_t *out)
{
    struct link *link = &mesh->links[index];

    if (link->out_count != 0) {
        const size_t count = link->out_count;

        memcpy(out, link->out, count);
        link->out_count = 0;
        return count;
    }
    if (link->goodbye_due) {
        link->goodbye_due = false;
        return goodbye_record(mesh, link, out);
    }
    if (link->state == LINK_LEAVING) { /* nothing follows a goodbye */
        return 0;
    }
    if (link->hello_due) {
        link->hello_due = false;
        return hello_record(mesh, link, out);
    }
    if (link->state == LINK_OPEN) {
        const size_t count = channels_pull(mesh, index, out + RECORD_HEAD_BYTES);

        return count == 0 ? 0 : record_seal(mesh, link, out, count);
    }
    return 0;
}

/* Handshake. */

/* Does this e belong to a handshake of our own?  Then the node talks to itself. */
static CHECKED bool ephemeral_own(const struct mesh *mesh, const uint8_t *e, bool outbound)
{
    const struct bytes wanted = bytes_of(e, NOISE_KEY_BYTES);

    for (uint32_t i = 0; i < mesh->link_count; i++) {
        const struct link *link = &mesh->links[i];

        if (link->outbound == outbound &&
            (link->state == LINK_ANSWER || link->state == LINK_FINISH) &&
            bytes_equal(wanted, bytes_of(link->handshake.e_public, NOISE_KEY_BYTES))) {
            return true;
        }
    }
    return false;
}

/* Forget what was read of a handshake message; false if there is more than may be there. */
static CHECKED bool input_done(struct link *link, size_t count, bool more)
{
    const size_t left = link->in_count - count;

    if (left != 0 && !more) {
        return false;
    }
    memmove(link->in, link->in + count, left);
    link->in_count = (uint16_t)left;
    return true;
}

/* Message 1 at the responder.  Each returns false when it needs more bytes, or is done with this link. */
static CHECKED bool first_input(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    const size_t count = link->in_count < PROLOGUE_BYTES ? link->in_count : PROLOGUE_BYTES;

    if (!bytes_equal(bytes_of(link->in, count), bytes_of(mesh->prologue, count))) {
        mesh_report(mesh, MESH_REPORT_OTHER_CHAIN, 0, link);
        mesh->counts.handshakes_failed += 1;
        memcpy(link->out, mesh->prologue, sizeof mesh->prologue);
        link->out_count = sizeof mesh->prologue;
        link->in_count = 0;
        link->state = LINK_LEAVING;
        link->deadline_ms = mesh->now_ms + FLUSH_MS;
        mesh_arm(mesh, link->deadline_ms);
        mesh_act(mesh, index, MESH_WRITE);
        return false;
    }
    if (link->in_count < FIRST_BYTES) {
        return false;
    }
    handshake_begin(mesh, link);
    if (!handshake_read(link, bytes_of(link->in + PROLOGUE_BYTES, NOISE_KEY_BYTES)) ||
        !input_done(link, FIRST_BYTES, false)) {
        handshake_failed(mesh, index, MESH_REPORT_HANDSHAKE);
        return false;
    }
    if (ephemeral_own(mesh, link->handshake.remote_e, true)) {
        handshake_failed(mesh, index, MESH_REPORT_SELF);
        return false;
    }
    if (!handshake_write(link)) {
        handshake_failed(mesh, index, MESH_REPORT_HANDSHAKE);
        return false;
    }
    link->state = LINK_FINISH;
    mesh_act(mesh, index, MESH_WRITE);
    return true;
}

static CHECKED bool key_equal(const uint8_t *a, const uint8_t *b)
{
    return bytes_equal(bytes_of(a, MESH_KEY_BYTES), bytes_of(b, MESH_KEY_BYTES));
}

/* The key of message 2 is another than the dialled one: whose? */
static void second_other_key(struct mesh *mesh, uint32_t index)
{
    const struct link *link = &mesh->links[index];

    if (!key_equal(link->handshake.remote_s, mesh->own_key)) {
        handshake_failed(mesh, index, MESH_REPORT_WRONG_KEY);
    } else if (ephemeral_own(mesh, link->handshake.remote_e, false)) {
        handshake_failed(mesh, index, MESH_REPORT_SELF);
    } else {
        handshake_failed(mesh, index, MESH_REPORT_KEY_ELSEWHERE);
    }
}

/* Message 2 at the initiator. */
static CHECKED bool second_input(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];

    if (link->in_count < SECOND_BYTES) {
        return false;
    }
    if (!handshake_read(link, bytes_of(link->in, SECOND_BYTES)) ||
        !input_done(link, SECOND_BYTES, false)) {
        handshake_failed(mesh, index, MESH_REPORT_HANDSHAKE);
        return false;
    }
    if (!key_equal(link->handshake.remote_s, mesh->peers[link->peer].key)) {
        second_other_key(mesh, index);
        return false;
    }
    if (!handshake_write(link) ||
        !noise_split(&link->handshake, &link->sending, &link->receiving)) {
        handshake_failed(mesh, index, MESH_REPORT_HANDSHAKE);
        return false;
    }
    link->state = LINK_HELLO;
    link->hello_due = true;
    mesh_act(mesh, index, MESH_WRITE);
    return true;
}

/* May this key have a session?  0, or the goodbye code and the seconds to stay away. */
static CHECKED uint8_t key_refused(const struct mesh *mesh, const struct peer *peer,
                                   uint32_t *seconds)
{
    *seconds = peers_banned_s(mesh, peer->key);
    if (*seconds != 0 && !peer->member) {
        return GOODBYE_BANNED;
    }
    if (mesh->now_ms < peer->refused_until_ms) {
        *seconds = (uint32_t)((peer->refused_until_ms - mesh->now_ms + 999) / 1000); /* <= 5 */
        return GOODBYE_NOT_ALLOWED;
    }
    *seconds = 0;
    return mesh->options.private_mode && !peer->member && !peer->configured ? GOODBYE_NOT_ALLOWED
                                                                            : 0;
}

/* Message 3 at the responder: now the peer has a name. */
static CHECKED bool third_input(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    uint32_t seconds = 0;
    uint8_t code;

    if (link->in_count < THIRD_BYTES) {
        return false;
    }
    if (!handshake_read(link, bytes_of(link->in, THIRD_BYTES)) ||
        !noise_split(&link->handshake, &link->sending, &link->receiving) ||
        !input_done(link, THIRD_BYTES, true)) {
        handshake_failed(mesh, index, MESH_REPORT_HANDSHAKE);
        return false;
    }
    if (key_equal(link->handshake.remote_s, mesh->own_key)) {
        handshake_failed(mesh, index, MESH_REPORT_KEY_ELSEWHERE);
        return false;
    }
    link->state = LINK_HELLO;
    link->peer = peers_take(mesh, link->handshake.remote_s);
    if (link->peer == MESH_NONE) {
        session_goodbye(mesh, index, GOODBYE_FULL, 0);
        return false;
    }
    mesh->peers[link->peer].links += 1;
    code = key_refused(mesh, &mesh->peers[link->peer], &seconds);
    if (code != 0) {
        session_goodbye(mesh, index, code, seconds);
        return false;
    }
    link->hello_due = true;
    mesh_act(mesh, index, MESH_WRITE);
    return true;
}

/* What HELLO says about the peer, once it is the one that counts. */
static void hello_keep(struct mesh *mesh, struct peer *peer, const struct link *link,
                       const struct hello *hello)
{
    peer->roles = hello->roles;
    memcpy(peer->software, hello->software.at, hello->software.count);
    peer->software[hello->software.count] = '\0';
    memcpy(peer->status, hello->status.at, hello->status.count);
    peer->status_count = (uint16_t)hello->status.count; /* at most HELLO_STATUS_MAX */
    /* A hint where there is nothing better; a public peer may not send us to private addresses. */
    if (peer->address_count == 0 && peer->member && hello->address.family != ADDRESS_NONE &&
        hello->address.port != 0 &&
        (address_public(&hello->address) || !address_public(&link->address))) {
        peer->addresses[0] = hello->address;
        peer->address_count = 1;
        peers_known(mesh);
    }
}

/* A goodbye as the first message, or a HELLO; false: malformed. */
static CHECKED bool hello_message(struct mesh *mesh, uint32_t index, struct bytes message)
{
    struct link *link = &mesh->links[index];
    struct hello hello;

    if (message.at[0] == WIRE_GOODBYE) {
        return session_left(mesh, index, message);
    }
    if (!hello_decode(message, &hello)) {
        return false;
    }
    if (hello.protocol != HELLO_PROTOCOL) {
        session_goodbye(mesh, index, GOODBYE_PROTOCOL, 0);
        return true;
    }
    link->body = peers_place(mesh, index) ? mesh_body_take(mesh) : NULL;
    if (link->body == NULL) {
        session_goodbye(mesh, index, GOODBYE_FULL, 0);
        return true;
    }
    link->state = LINK_OPEN;
    link->heard_ms = mesh->now_ms;
    link->deadline_ms = 0;
    mesh_arm(mesh, mesh->now_ms + PING_VALIDATOR_MS);
    if (mesh->peers[link->peer].outgoing == index) {
        mesh->peers[link->peer].outgoing = MESH_NONE;
    }
    hello_keep(mesh, &mesh->peers[link->peer], link, &hello);
    duplicates_arrived(mesh, index, hello.instance);
    return true;
}

/* The record with HELLO: one frame and nothing else. */
static CHECKED bool hello_input(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    uint8_t first[HALF_OPEN_BYTES];
    struct bytes plain;
    size_t sealed;

    if (link->in_count < RECORD_HEAD_BYTES) {
        return false;
    }
    sealed = (size_t)link->in[0] << 8 | link->in[1];
    if (sealed < RECORD_MIN || sealed > HALF_OPEN_BYTES - RECORD_HEAD_BYTES) {
        mesh->counts.malformed += 1;
        session_goodbye(mesh, index, GOODBYE_MALFORMED, 0);
        return false;
    }
    if (link->in_count < RECORD_HEAD_BYTES + sealed) {
        return false;
    }
    memcpy(first, link->in + RECORD_HEAD_BYTES, sealed);
    if (!record_open(link, first, sealed, &plain)) {
        handshake_failed(mesh, index, MESH_REPORT_TAG);
        return false;
    }
    INVARIANT(input_done(link, RECORD_HEAD_BYTES + sealed, true));
    if (plain.at[0] != 0 || plain.at[1] != FRAME_FIN ||
        ((size_t)plain.at[2] << 8 | plain.at[3]) != plain.count - FRAME_HEAD_BYTES ||
        !hello_message(mesh, index, bytes_after(plain, FRAME_HEAD_BYTES))) {
        mesh->counts.malformed += 1;
        session_goodbye(mesh, index, GOODBYE_MALFORMED, 0);
        return false;
    }
    if (link->body != NULL) { /* what came behind HELLO */
        memcpy(link->body->in, link->in, link->in_count);
        link->body->count = link->in_count;
        link->in_count = 0;
    }
    if (mesh->tell_due) {
        peers_tell(mesh);
    }
    return link->state == LINK_OPEN;
}

/* Input. */

bool session_paused(const struct mesh *mesh, uint32_t index)
{
    const struct link *link = &mesh->links[index];
    const struct peer *peer;

    if (link->state != LINK_OPEN) {
        return false;
    }
    peer = &mesh->peers[link->peer];
    return peer->contender == index || (mesh->short_of_memory && !peer->leader);
}

static void heard(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    struct peer *peer = &mesh->peers[link->peer];

    link->heard_ms = mesh->now_ms;
    duplicates_heard(mesh, index);
    if (peer->told != MESH_NONE && mesh->now_ms >= peer->heard_told_ms + HEARD_MS) {
        peer->heard_told_ms = mesh->now_ms;
        mesh->options.owner.session(mesh->options.owner.self, peer->told, MESH_HEARD);
    }
}

/* One record, if a whole one is there; false if not, or if the link is done with. */
static CHECKED bool record_input(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    struct body *body = link->body;
    uint8_t *at = body->in + body->start;
    struct bytes plain;
    size_t sealed;

    if (body->count - body->start < RECORD_HEAD_BYTES) {
        return false;
    }
    sealed = (size_t)at[0] << 8 | at[1];
    if (sealed < RECORD_MIN || sealed > RECORD_MAX) {
        mesh->counts.malformed += 1;
        mesh_doom(mesh, index, GOODBYE_MALFORMED);
        return false;
    }
    if (body->count - body->start < RECORD_HEAD_BYTES + sealed) {
        return false;
    }
    if (!record_open(link, at + RECORD_HEAD_BYTES, sealed, &plain)) {
        mesh_report(mesh, MESH_REPORT_TAG, 0, link);
        mesh_doom(mesh, index, DOOM_DROP);
        return false;
    }
    body->start += RECORD_HEAD_BYTES + sealed;
    heard(mesh, index);
    frames_record(mesh, index, plain);
    return true;
}

static void records_input(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    struct body *body = link->body;
    bool more = true;
    bool read = false;

    while (more && link->doom == 0) {
        if (session_paused(mesh, index)) {
            link->stalled = true;
            break;
        }
        more = record_input(mesh, index);
        read = read || more;
    }
    memmove(body->in, body->in + body->start, body->count - body->start);
    body->count -= body->start;
    body->start = 0;
    if (body->count == 0) {
        link->record_ms = 0;
    } else if (read || link->record_ms == 0) {
        link->record_ms = mesh->now_ms;
        mesh_arm(mesh, mesh->now_ms + RECORD_MS);
    }
}

void session_input(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    bool more = true;

    while (more) {
        more = false;
        switch (link->state) {
        case LINK_PROLOGUE:
            more = first_input(mesh, index);
            break;
        case LINK_ANSWER:
            more = second_input(mesh, index);
            break;
        case LINK_FINISH:
            more = third_input(mesh, index);
            break;
        case LINK_HELLO:
            more = hello_input(mesh, index);
            break;
        case LINK_OPEN:
        case LINK_LEAVING:
            if (link->body != NULL) {
                records_input(mesh, index);
            } else {
                link->in_count = 0; /* read to see the end, and looked at no more */
            }
            break;
        case LINK_FREE:
        case LINK_DIALLING:
        case LINK_DEAD:
            link->in_count = 0;
            break;
        }
    }
}

bool session_left(struct mesh *mesh, uint32_t index, struct bytes message)
{
    struct link *link = &mesh->links[index];
    struct peer *peer = &mesh->peers[link->peer];
    uint32_t seconds;
    uint64_t away_ms;
    uint8_t code;

    if (!goodbye_decode(message, &code, &seconds)) {
        return false;
    }
    away_ms = (uint64_t)(seconds < AWAY_MAX_S ? seconds : AWAY_MAX_S) * 1000;
    if (mesh->own_member && peer->member && away_ms > AWAY_VALIDATOR_MS) {
        away_ms = AWAY_VALIDATOR_MS;
    }
    if (code == GOODBYE_DUPLICATE || code == GOODBYE_SELF || code == GOODBYE_NOT_ALLOWED ||
        code == GOODBYE_BANNED) {
        peer->away_until_ms = mesh->now_ms + away_ms;
    }
    if (code == GOODBYE_DUPLICATE) {
        duplicates_left(mesh, index);
    } else {
        mesh_report(mesh, MESH_REPORT_GOODBYE, code, link);
    }
    mesh_doom(mesh, index, DOOM_DROP);
    return true;
}

/* Time. */

void session_resume(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];

    if (!link->stalled || session_paused(mesh, index)) {
        return;
    }
    link->stalled = false;
    link->heard_ms = mesh->now_ms;
    mesh_act(mesh, index, MESH_READ);
    records_input(mesh, index);
}

static void open_tick(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    const struct peer *peer = &mesh->peers[link->peer];
    const uint64_t idle_ms = mesh->own_member && peer->member ? PING_VALIDATOR_MS : PING_MS;

    session_resume(mesh, index);
    if (link->doom != 0) {
        return;
    }
    if (session_paused(mesh, index)) {
        link->heard_ms = mesh->now_ms;
        link->record_ms = link->record_ms == 0 ? 0 : mesh->now_ms;
    }
    if (mesh->now_ms >= link->heard_ms + SILENT_MS ||
        (link->record_ms != 0 && mesh->now_ms >= link->record_ms + RECORD_MS)) {
        mesh_doom(mesh, index, GOODBYE_SILENT);
        return;
    }
    if (link->retire_ms != 0) {
        if (mesh->now_ms >= link->retire_ms) {
            mesh_doom(mesh, index, DOOM_DROP);
            return;
        }
        mesh_arm(mesh, link->retire_ms);
    }
    if (peer->main == index && !link->ping_due) {
        if (mesh->now_ms >= link->sent_ms + idle_ms) {
            link->ping_due = true;
            mesh_act(mesh, index, MESH_WRITE);
        } else {
            mesh_arm(mesh, link->sent_ms + idle_ms);
        }
    }
    mesh_arm(mesh, link->heard_ms + SILENT_MS);
    if (link->record_ms != 0) {
        mesh_arm(mesh, link->record_ms + RECORD_MS);
    }
    mesh_arm(mesh, frames_tick(mesh, index));
}

void session_tick(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];

    switch (link->state) {
    case LINK_FREE:
    case LINK_DEAD:
        return;
    case LINK_DIALLING:
    case LINK_PROLOGUE:
    case LINK_ANSWER:
    case LINK_FINISH:
    case LINK_HELLO:
        if (mesh->now_ms >= link->deadline_ms) {
            handshake_failed(mesh, index, MESH_REPORT_HANDSHAKE);
            return;
        }
        mesh_arm(mesh, link->deadline_ms);
        return;
    case LINK_LEAVING:
        if (mesh->now_ms >= link->deadline_ms) {
            session_drop(mesh, index);
            return;
        }
        mesh_arm(mesh, link->deadline_ms);
        return;
    case LINK_OPEN:
        open_tick(mesh, index);
        return;
    }
}

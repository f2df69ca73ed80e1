/*
 * p2p/duplicates.c -- two connections to one peer, and which of them is the session.
 *
 * Both sides dialled at once: the connection that the lower key dialled stays.  The lower key says goodbye 2
 * on the other and reads it to its end; the higher key sends on the one that stays, reads both, and closes
 * the other by itself after 5 s.  To those above it is one session all the time.
 *
 * Anything else (the same direction, another process, or a session that is older than a simultaneous dial
 * can be): the peer has begun anew, or there are two of them.  The older connection is asked; the newer one is
 * held, unread, until it answers or a second is over.
 *
 * Limbo: goodbye 2 came on the main link, while the connection that stays has not brought its HELLO yet.
 */
#include "p2p/mesh_private.h"

static CHECKED bool own_key_lower(const struct mesh *mesh, const struct peer *peer)
{
    for (uint32_t i = 0; i < MESH_KEY_BYTES; i++) {
        if (mesh->own_key[i] != peer->key[i]) {
            return mesh->own_key[i] < peer->key[i];
        }
    }
    return false;
}

/* The link becomes the session, a new one to those above. */
static void session_begin(struct mesh *mesh, struct peer *peer, uint32_t index)
{
    peer->main = index;
    peer->serial += 1;
    peer->opened_ms = mesh->now_ms;
    peer->limbo = false;
    mesh->tell_due = true;
    mesh_act(mesh, index, MESH_WRITE);
}

static void loser_drop(struct mesh *mesh, struct peer *peer)
{
    if (peer->loser != MESH_NONE) {
        session_drop(mesh, peer->loser);
    }
}

/* Two opposite connections of the same two processes. */
static void settle(struct mesh *mesh, struct peer *peer, uint32_t index)
{
    const bool lower = own_key_lower(mesh, peer);
    const bool new_stays = mesh->links[index].outbound == lower;
    const uint32_t stays = new_stays ? index : peer->main;
    const uint32_t goes = new_stays ? peer->main : index;

    loser_drop(mesh, peer);
    peer->loser = goes;
    if (new_stays) {
        peer->main = stays;
        channels_move(mesh, peer);
    }
    if (lower) {
        session_goodbye(mesh, goes, GOODBYE_DUPLICATE, 0);
    } else {
        mesh->links[goes].retire_ms = mesh->now_ms + RETIRE_MS;
        mesh_arm(mesh, mesh->links[goes].retire_ms);
    }
}

/* Hold the new link and ask on the old one. */
static void contest(struct mesh *mesh, struct peer *peer, uint32_t index)
{
    const bool asked = peer->contender != MESH_NONE;

    if (asked) { /* the newest connection is the one most likely alive */
        session_drop(mesh, peer->contender);
    }
    peer->contender = index;
    if (!asked) {
        peer->contest_ms = mesh->now_ms + CONTEST_MS;
        mesh->links[peer->main].ping_due = true;
        mesh_act(mesh, peer->main, MESH_WRITE);
    }
    mesh_arm(mesh, peer->contest_ms);
}

/* A dial that has not shown the own key yet is not needed any more. */
static void outgoing_drop(struct mesh *mesh, const struct peer *peer)
{
    if (peer->outgoing != MESH_NONE && mesh->links[peer->outgoing].state <= LINK_ANSWER) {
        session_drop(mesh, peer->outgoing);
    }
}

void duplicates_arrived(struct mesh *mesh, uint32_t index, uint64_t instance)
{
    struct link *link = &mesh->links[index];
    struct peer *peer = &mesh->peers[link->peer];
    const bool same = peer->instance == instance;

    if (peer->main == MESH_NONE) {
        if (peer->limbo && same) { /* the session goes on */
            peer->limbo = false;
            peer->main = index;
            channels_move(mesh, peer);
        } else {
            channels_clear(mesh, peer);
            session_begin(mesh, peer, index);
        }
        peer->instance = instance;
        outgoing_drop(mesh, peer);
        return;
    }
    if (same && mesh->links[peer->main].outbound != link->outbound &&
        mesh->now_ms < peer->opened_ms + SETTLED_MS) {
        settle(mesh, peer, index);
        return;
    }
    contest(mesh, peer, index);
    if (!same) {
        mesh->links[index].other_instance = true;
        mesh->links[index].instance = instance;
    }
}

void duplicates_heard(struct mesh *mesh, uint32_t index)
{
    const struct peer *peer = &mesh->peers[mesh->links[index].peer];
    const uint32_t contender = peer->contender;

    if (contender == MESH_NONE || peer->main != index) {
        return;
    }
    if (mesh->links[contender].other_instance) {
        mesh_report(mesh, MESH_REPORT_TWO_MACHINES, 0, &mesh->links[contender]);
    }
    session_goodbye(mesh, contender, GOODBYE_DUPLICATE, 0);
}

/* The contender is the session now. */
static void contender_wins(struct mesh *mesh, struct peer *peer)
{
    const uint32_t index = peer->contender;

    peer->contender = MESH_NONE;
    channels_clear(mesh, peer);
    session_begin(mesh, peer, index);
    if (mesh->links[index].other_instance) {
        peer->instance = mesh->links[index].instance;
    }
    mesh->links[index].heard_ms = mesh->now_ms;
    mesh_arm(mesh,
             mesh->now_ms); /* it reads on in the tick, after those above know of the session */
}

/* Does a half-open link of this peer, another than `except`, go on towards HELLO? */
static CHECKED bool half_open(const struct mesh *mesh, const struct peer *peer, uint32_t except)
{
    for (uint32_t i = 0; i < mesh->link_count; i++) {
        const struct link *link = &mesh->links[i];

        if (i != except && link->state == LINK_HELLO && link->doom == 0 &&
            link->peer != MESH_NONE && &mesh->peers[link->peer] == peer) {
            return true;
        }
    }
    return false;
}

static void session_over(struct mesh *mesh, struct peer *peer)
{
    peer->limbo = false;
    channels_clear(mesh, peer);
    mesh->tell_due = true;
    if (mesh->now_ms >= peer->opened_ms + SESSION_GOOD_MS) {
        peer->backoff_ms = BACKOFF_FIRST_MS;
    }
    peers_failed(mesh, peer);
}

void duplicates_lost(struct mesh *mesh, struct peer *peer)
{
    loser_drop(mesh, peer);
    if (peer->contender != MESH_NONE) {
        contender_wins(mesh, peer);
    } else if (!peer->limbo || !half_open(mesh, peer, MESH_NONE)) {
        session_over(mesh, peer);
    }
}

void duplicates_left(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    struct peer *peer = &mesh->peers[link->peer];

    const bool other = half_open(mesh, peer, index);

    if (peer->main == index && other) {
        peer->limbo = true;
    } else if (!other && (peer->main == index || peer->main == MESH_NONE)) {
        mesh_report(mesh, MESH_REPORT_KEY_ELSEWHERE, 0, link);
    }
}

void duplicates_limbo(struct mesh *mesh, struct peer *peer)
{
    if (peer->main == MESH_NONE && !half_open(mesh, peer, MESH_NONE)) {
        session_over(mesh, peer);
    }
}

void duplicates_tick(struct mesh *mesh, struct peer *peer)
{
    if (peer->contender == MESH_NONE) {
        return;
    }
    if (mesh->now_ms < peer->contest_ms) {
        mesh_arm(mesh, peer->contest_ms);
        return;
    }
    session_drop(mesh, peer->main); /* hands the session to the contender */
}

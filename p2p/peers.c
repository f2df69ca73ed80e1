#include <string.h>

#include "p2p/mesh_private.h"
#include "proto/wire.h"

static CHECKED bool key_equal(const uint8_t *a, const uint8_t *b)
{
    return bytes_equal(bytes_of(a, MESH_KEY_BYTES), bytes_of(b, MESH_KEY_BYTES));
}

/* The table. */

uint32_t peers_find(const struct mesh *mesh, const uint8_t *key)
{
    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        if (mesh->peers[i].used && key_equal(mesh->peers[i].key, key)) {
            return i;
        }
    }
    return MESH_NONE;
}

static void peer_begin(struct mesh *mesh, struct peer *peer, const uint8_t *key)
{
    *peer = (struct peer){
        .used = true,
        .index = VALIDATOR_NONE,
        .tag = MESH_NONE,
        .main = MESH_NONE,
        .contender = MESH_NONE,
        .loser = MESH_NONE,
        .outgoing = MESH_NONE,
        .told = MESH_NONE,
        .backoff_ms = BACKOFF_FIRST_MS,
        .shed_votes = QUEUE_EMPTY,
        .shed_others = QUEUE_EMPTY,
        .score_ms = mesh->now_ms,
        .used_ms = mesh->now_ms,
    };
    memcpy(peer->key, key, MESH_KEY_BYTES);
    for (uint32_t i = 0; i < LANES; i++) {
        peer->lanes[i] = QUEUE_EMPTY;
    }
    for (uint32_t i = 0; i < BUCKETS; i++) {
        tokens_fill(&peer->buckets[i], mesh->now_ms, peers_rate(mesh, peer, (enum bucket)i));
    }
}

/* Nobody needs it: what it remembers may give way to another. */
static CHECKED bool peer_idle(const struct peer *peer)
{
    return !peer->member && !peer->configured && peer->links == 0 && !peer->limbo &&
           peer->told == MESH_NONE;
}

uint32_t peers_take(struct mesh *mesh, const uint8_t *key)
{
    uint32_t found = peers_find(mesh, key);
    bool found_used = true;

    if (found != MESH_NONE) {
        return found;
    }
    for (uint32_t i = 0; i < mesh->peer_count && found_used; i++) {
        const struct peer *peer = &mesh->peers[i];

        if (!peer->used) {
            found = i;
            found_used = false;
        } else if (peer_idle(peer) &&
                   (found == MESH_NONE || peer->used_ms < mesh->peers[found].used_ms)) {
            found = i;
        }
    }
    if (found != MESH_NONE) {
        peer_begin(mesh, &mesh->peers[found], key);
    }
    return found;
}

uint32_t peers_number(const struct mesh *mesh, const struct peer *peer)
{
    return peer->index != VALIDATOR_NONE
               ? peer->index
               : (uint32_t)MESH_PEER_FULL + (uint32_t)(peer - mesh->peers);
}

uint32_t peers_by_number(const struct mesh *mesh, uint32_t number)
{
    uint32_t place;

    if (number < MESH_PEER_FULL) {
        return number < mesh->set_counts[SET_CURRENT] ? mesh->current[number] : MESH_NONE;
    }
    place = number - MESH_PEER_FULL;
    return place < mesh->peer_count && mesh->peers[place].used ? place : MESH_NONE;
}

/* Sets. */

static void member_mark(struct mesh *mesh, struct peer *peer, enum mesh_set set, uint32_t k)
{
    peer->member = true;
    if (set != SET_PREVIOUS) {
        peer->placed = true;
    }
    if (set == SET_CURRENT) {
        peer->index = (uint16_t)k; /* below VALIDATORS_MAX */
        mesh->current[k] = (uint32_t)(peer - mesh->peers);
    }
}

/* Members that are known first, so that they do not give way to new ones. */
static void members_mark(struct mesh *mesh, bool add)
{
    for (uint32_t set = 0; set < SETS; set++) {
        for (uint32_t k = 0; k < mesh->set_counts[set]; k++) {
            const uint8_t *key = mesh->set_keys[set][k];
            uint32_t index;

            if (key_equal(key, mesh->own_key)) {
                mesh->own_member = true;
                continue;
            }
            index = add ? peers_take(mesh, key) : peers_find(mesh, key);
            if (index != MESH_NONE) {
                member_mark(mesh, &mesh->peers[index], (enum mesh_set)set, k);
            }
        }
    }
}

void peers_classify(struct mesh *mesh)
{
    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        mesh->peers[i].member = false;
        mesh->peers[i].placed = false;
        mesh->peers[i].leader = false;
        mesh->peers[i].index = VALIDATOR_NONE;
    }
    for (uint32_t k = 0; k < mesh->options.validators_max; k++) {
        mesh->current[k] = MESH_NONE;
    }
    mesh->own_member = false;
    members_mark(mesh, false);
    members_mark(mesh, true);
    peers_known(mesh);
}

void peers_known(struct mesh *mesh)
{
    gate_known_clear(&mesh->gate);
    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        const struct peer *peer = &mesh->peers[i];

        if (!peer->used || (!peer->member && !peer->configured)) {
            continue;
        }
        for (uint32_t k = 0; k < peer->address_count; k++) {
            gate_known_add(&mesh->gate, &peer->addresses[k]);
        }
        if (peer->address_count == 0 && peer->resolved.family != ADDRESS_NONE) {
            gate_known_add(&mesh->gate, &peer->resolved);
        }
    }
}

/* Rates (8.20, "Who may send what"). */

static struct tokens_rate rate_proposals(const struct mesh *mesh)
{
    const uint32_t interval_ms = mesh->options.min_interval_ms;
    const uint64_t per_s = interval_ms == 0 ? 2000 : 2000 / interval_ms;

    return tokens_per_second(per_s < 20 ? 20 : per_s);
}

struct tokens_rate peers_rate(const struct mesh *mesh, const struct peer *peer, enum bucket bucket)
{
    const uint32_t members = mesh_members(mesh);

    switch (bucket) {
    case BUCKET_CONTROL:
    case BUCKET_GET_BODIES:
    case BUCKET_GET_RANGES:
        return tokens_per_second(20);
    case BUCKET_PINGS:
        return tokens_per_second(2);
    case BUCKET_VOTES:
        return tokens_per_second(400 + 50ULL * members);
    case BUCKET_VOTE_BYTES:
        return tokens_per_second(2000000);
    case BUCKET_GET_CERTS:
        return tokens_per_second(5);
    case BUCKET_PROPOSALS:
        return rate_proposals(mesh);
    case BUCKET_PROPOSAL_BYTES:
    case BUCKET_BODY_BYTES:
        return tokens_per_second(4ULL * mesh->options.max_block_bytes);
    case BUCKET_FINALITY:
        return tokens_per_second(50);
    case BUCKET_TXS:
        return tokens_per_second(16ULL * (peer->member ? 20000 : 2000));
    case BUCKET_TX_BYTES:
        return tokens_per_second(peer->member ? 16000000 : 1000000);
    case BUCKET_SERVED:
        return tokens_per_second(peer->member ? SERVED_VALIDATOR : SERVED_OTHER);
    case BUCKET_ADDRESSES:
        return (struct tokens_rate){.milli_per_s = 1000 / 30 + 1, .burst = 1};
    case BUCKETS:
        break;
    }
    invariant_fail("a bucket", __FILE__, __LINE__);
}

bool peers_take_token(struct mesh *mesh, struct peer *peer, enum bucket bucket)
{
    return tokens_take(&peer->buckets[bucket], mesh->now_ms, peers_rate(mesh, peer, bucket));
}

bool peers_any_token(struct mesh *mesh, struct peer *peer, enum bucket bucket)
{
    return tokens_any(&peer->buckets[bucket], mesh->now_ms, peers_rate(mesh, peer, bucket));
}

/* Places. */

bool peers_place(const struct mesh *mesh, uint32_t index)
{
    const struct link *link = &mesh->links[index];
    const struct peer *peer = &mesh->peers[link->peer];
    const uint32_t address_max = address_loopback(&link->address)
                                     ? mesh->options.inbound_max
                                     : mesh->options.inbound_address_max;
    uint32_t all = 0;
    uint32_t same = 0;

    if (peer->placed || peer->configured || link->outbound) {
        return true;
    }
    for (uint32_t i = 0; i < mesh->link_count; i++) {
        const struct link *other = &mesh->links[i];

        if (other->state != LINK_OPEN || other->outbound || mesh->peers[other->peer].placed ||
            mesh->peers[other->peer].configured) {
            continue;
        }
        all += 1;
        same += address_same_ip(&other->address, &link->address);
    }
    return all < mesh->options.inbound_max && same < address_max;
}

/* Dialling. */

void peers_failed(struct mesh *mesh, struct peer *peer)
{
    const uint64_t half = peer->backoff_ms / 2;

    peer->dial_ms = mesh->now_ms + half + random_below(&mesh->random, half + 1);
    peer->backoff_ms += peer->backoff_ms / 2;
    if (peer->backoff_ms > BACKOFF_MAX_MS) {
        peer->backoff_ms = BACKOFF_MAX_MS;
    }
    mesh_arm(mesh, peer->dial_ms);
}

/* Is this one of those that are always dialled, or, for a full node, one of the eight? */
static CHECKED bool dial_wanted(const struct mesh *mesh, const struct peer *peer, uint32_t outbound)
{
    if (!peer->used || peer->links != 0 || peer->limbo) {
        return false;
    }
    if (peer->configured) {
        return true;
    }
    if (mesh->options.private_mode || !peer->placed || peer->address_count == 0) {
        return false;
    }
    return mesh->own_member || outbound < mesh->options.outbound_max;
}

static uint32_t outbound_count(const struct mesh *mesh)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < mesh->link_count; i++) {
        const struct link *link = &mesh->links[i];

        count += link->outbound && link->peer != MESH_NONE && !mesh->peers[link->peer].configured;
    }
    return count;
}

/* Begin at another peer each time, so that full nodes spread over the validators. */
static void peers_dial(struct mesh *mesh)
{
    const uint64_t first = random_below(&mesh->random, mesh->peer_count);
    uint32_t outbound = outbound_count(mesh);

    for (uint32_t i = 0; i < mesh->peer_count && !mesh->stopping; i++) {
        const uint32_t index = (uint32_t)((first + i) % mesh->peer_count);
        const struct peer *peer = &mesh->peers[index];
        uint64_t at_ms;

        if (!dial_wanted(mesh, peer, outbound)) {
            continue;
        }
        at_ms = peer->dial_ms > peer->away_until_ms ? peer->dial_ms : peer->away_until_ms;
        if (mesh->now_ms < at_ms) {
            mesh_arm(mesh, at_ms);
            continue;
        }
        session_dial(mesh, index);
        outbound += peer->configured ? 0 : 1;
    }
}

void peers_tick(struct mesh *mesh)
{
    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        struct peer *peer = &mesh->peers[i];

        if (!peer->used) {
            continue;
        }
        duplicates_tick(mesh, peer);
        if (peer->shed_votes.count + peer->shed_others.count != 0) {
            frames_shed(mesh, peer);
        }
    }
    peers_dial(mesh);
}

/* Telling those above.  All that closed before all that opened: numbers may have changed hands. */
void peers_tell(struct mesh *mesh)
{
    const struct mesh_owner *owner = &mesh->options.owner;

    mesh->tell_due = false;
    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        struct peer *peer = &mesh->peers[i];
        const uint32_t told = peer->told;
        const bool open = peer->main != MESH_NONE || peer->limbo;

        if (peer->used && told != MESH_NONE &&
            (!open || told != peers_number(mesh, peer) || peer->told_serial != peer->serial)) {
            peer->told = MESH_NONE;
            mesh->counts.closed += 1;
            owner->session(owner->self, told, MESH_CLOSED);
        }
    }
    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        struct peer *peer = &mesh->peers[i];

        if (!peer->used || peer->told != MESH_NONE || (peer->main == MESH_NONE && !peer->limbo)) {
            continue;
        }
        peer->told = peers_number(mesh, peer);
        peer->told_serial = peer->serial;
        peer->heard_told_ms = mesh->now_ms;
        mesh->counts.opened += 1;
        owner->session(owner->self, peer->told, MESH_OPENED);
        if (peer->status_count != 0 && peer->told != MESH_NONE) {
            uint8_t status[1 + HELLO_STATUS_MAX] = {WIRE_STATUS};

            memcpy(status + 1, peer->status, peer->status_count);
            mesh->counts.messages_in[0] += 1;
            owner->message(owner->self, peer->told, 0, bytes_of(status, 1U + peer->status_count));
            peer->status_count = 0;
        }
    }
}

/* Scores. */

/* The score moves towards 0 by one a minute. */
int32_t peers_score(const struct peer *peer, uint64_t now_ms)
{
    const uint64_t minutes = (now_ms - peer->score_ms) / SCORE_DECAY_MS;
    const int32_t decay = minutes > 1000 ? 1000 : (int32_t)minutes;

    if (peer->score > 0) {
        return peer->score > decay ? peer->score - decay : 0;
    }
    return peer->score < -decay ? peer->score + decay : 0;
}

static int32_t price(enum mesh_fault fault)
{
    switch (fault) {
    case MESH_FAULT_SIGNATURE:
        return -50;
    case MESH_FAULT_MALFORMED:
        return -100;
    case MESH_FAULT_UNSOLICITED:
        return -20;
    case MESH_FAULT_TX_SIGNATURE:
        return -10;
    case MESH_FAULT_TX_INVALID:
        return -1;
    case MESH_FAULT_TIMEOUT:
        return -5;
    case MESH_USEFUL:
        return 1;
    }
    invariant_fail("a fault", __FILE__, __LINE__);
}

void peers_charge(struct mesh *mesh, struct peer *peer, uint8_t channel, enum mesh_fault fault)
{
    const int32_t score = peers_score(peer, mesh->now_ms) + price(fault);

    INVARIANT(channel < MESH_CHANNELS);
    if ((mesh->now_ms - peer->score_ms) >= SCORE_DECAY_MS) {
        peer->score_ms = mesh->now_ms;
    }
    peer->score = score > SCORE_BEST ? SCORE_BEST : score;
    peer->judged_channel = channel;
    if (fault == MESH_FAULT_MALFORMED) {
        mesh->counts.malformed += 1;
        if (peer->main != MESH_NONE) {
            mesh_doom(mesh, peer->main, GOODBYE_MALFORMED);
        }
        peer->refused_until_ms = peer->member ? mesh->now_ms + REFUSED_MS : 0;
    }
    if (peer->score <= SCORE_BAD) {
        mesh->judge_due = true;
        mesh_arm(mesh, mesh->now_ms);
    }
}

/* The place of this key in the list of bans, or the one that gives way to it. */
static struct ban *ban_place(const struct mesh *mesh, const uint8_t *key)
{
    struct ban *oldest = &mesh->bans[0];

    for (uint32_t i = 0; i < BANS_MAX; i++) {
        struct ban *ban = &mesh->bans[i];

        if (ban->times != 0 && key_equal(ban->key, key)) {
            return ban;
        }
        if (oldest->times != 0 && (ban->times == 0 || ban->at_ms < oldest->at_ms)) {
            oldest = ban;
        }
    }
    return oldest;
}

static void peer_ban(struct mesh *mesh, struct peer *peer)
{
    struct ban *place = ban_place(mesh, peer->key);
    const struct link *link = peer->main == MESH_NONE ? NULL : &mesh->links[peer->main];
    uint32_t seconds;

    if (place->times == 0 || !key_equal(place->key, peer->key)) {
        *place = (struct ban){.times = 0};
        memcpy(place->key, peer->key, MESH_KEY_BYTES);
    }
    seconds = place->times == 0 ? BAN_FIRST_S : BAN_AGAIN_S;
    place->times += 1;
    place->at_ms = mesh->now_ms;
    place->until_ms = mesh->now_ms + 1000ULL * seconds;
    peer->score = 0;
    peer->away_until_ms = place->until_ms;
    mesh->counts.bans += 1;
    mesh_report(mesh, MESH_REPORT_BANNED, 0, link);
    if (link != NULL) {
        gate_slow(&mesh->gate, &link->address, place->until_ms, mesh->now_ms);
        if (link->doom == GOODBYE_MALFORMED || link->doom == DOOM_DROP) {
            return; /* closed with the reason itself */
        }
        session_goodbye(mesh, peer->main, GOODBYE_BANNED, seconds);
    }
}

uint32_t peers_banned_s(const struct mesh *mesh, const uint8_t *key)
{
    for (uint32_t i = 0; i < BANS_MAX; i++) {
        const struct ban *ban = &mesh->bans[i];

        if (ban->times != 0 && key_equal(ban->key, key)) {
            return mesh->now_ms < ban->until_ms
                       ? (uint32_t)((ban->until_ms - mesh->now_ms + 999) / 1000) /* a day at most */
                       : 0;
        }
    }
    return 0;
}

void peers_judge(struct mesh *mesh)
{
    mesh->judge_due = false;
    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        struct peer *peer = &mesh->peers[i];

        if (!peer->used || peer->score > SCORE_BAD) {
            continue;
        }
        if (!peer->member) {
            peer_ban(mesh, peer);
            continue;
        }
        peer->score = 0; /* a validator is heard again after a minute, and its votes always */
        if (peer->judged_channel > 1) {
            peer->muted_until_ms[peer->judged_channel] = mesh->now_ms + MUTED_MS;
            mesh->counts.mutes += 1;
            mesh_report(mesh, MESH_REPORT_MUTED, peer->judged_channel,
                        peer->main == MESH_NONE ? NULL : &mesh->links[peer->main]);
        }
    }
}

#include "p2p/mesh.h"

#include <string.h>

#include "base/count.h"
#include "p2p/mesh_private.h"
#include "proto/vote.h"

static const char prologue_name[] = {'s', 'x', '/', '1'};

/* Sizes. */

static uint32_t places(const struct mesh_options *options)
{
    return 2U * options->validators_max + options->configured_max;
}

/* Every peer with a place may have two open links, each full node that dialled one. */
static uint32_t bodies(const struct mesh_options *options)
{
    return 2 * places(options) + options->inbound_max;
}

/* Open links, half-open ones of others, half-open ones and a dial of those with a place, and some closing. */
uint32_t mesh_links_max(const struct mesh_options *options)
{
    return bodies(options) + HALF_OPEN_MAX + 3 * places(options) + options->inbound_max;
}

static uint32_t peers(const struct mesh_options *options)
{
    return (uint32_t)SETS * options->validators_max + options->configured_max +
           options->inbound_max + PEERS_REMEMBERED;
}

static uint32_t votes_bytes(const struct mesh_options *options)
{
    return (8U << 10) + 64U * options->validators_max;
}

static uint32_t certificate_max(uint32_t members)
{
    return 59 + (members + 7) / 8 + 64 * members;
}

static uint32_t proposal_max(uint32_t max_block_bytes, uint32_t members)
{
    return max_block_bytes + (64U << 10) + JUSTIFICATION_MAX * certificate_max(members);
}

static uint32_t range_max(uint32_t max_block_bytes, uint32_t members)
{
    const uint32_t least = (1U << 20) + (64U << 10);
    const uint32_t most = max_block_bytes + (64U << 10) + certificate_max(members);

    return most > least ? most : least;
}

static size_t scratch_bytes(const struct mesh_options *options)
{
    const uint32_t proposal = proposal_max(options->max_block_bytes, options->validators_max);
    const uint32_t range = range_max(options->max_block_bytes, options->validators_max);

    return proposal > range ? proposal : range;
}

static uint32_t pieces(uint32_t bytes)
{
    return bytes < POOL_PIECE_BYTES ? 1 : bytes / POOL_PIECE_BYTES;
}

size_t mesh_footprint(const struct mesh_options *options)
{
    const size_t body = arena_rounded(BODY_IN_BYTES) + arena_rounded(votes_bytes(options));
    const size_t keys = arena_rounded((size_t)options->validators_max * MESH_KEY_BYTES);

    return arena_rounded(sizeof(struct mesh)) + SETS * keys +
           arena_rounded((size_t)options->validators_max * sizeof(uint32_t)) +
           arena_rounded(mesh_links_max(options) * sizeof(struct link)) +
           arena_rounded(mesh_links_max(options) * sizeof(uint32_t)) +
           arena_rounded(bodies(options) * sizeof(struct body)) + bodies(options) * body +
           arena_rounded(peers(options) * sizeof(struct peer)) +
           arena_rounded(BANS_MAX * sizeof(struct ban)) + arena_rounded(scratch_bytes(options)) +
           pool_footprint(pieces(options->receive_bytes)) +
           pool_footprint(pieces(options->send_bytes)) +
           gate_footprint(peers(options) * MESH_ADDRESSES_MAX);
}

/* Tables of links and peers, and their free lists. */
static void tables_init(struct mesh *mesh, struct arena *arena)
{
    const struct mesh_options *options = &mesh->options;

    for (uint32_t i = 0; i < SETS; i++) {
        mesh->set_keys[i] = arena_must(arena, (size_t)options->validators_max * MESH_KEY_BYTES);
    }
    mesh->current = arena_must(arena, (size_t)options->validators_max * sizeof *mesh->current);
    mesh->link_count = mesh_links_max(options);
    mesh->links = arena_must(arena, mesh->link_count * sizeof *mesh->links);
    mesh->ring = arena_must(arena, mesh->link_count * sizeof *mesh->ring);
    for (uint32_t i = 0; i < mesh->link_count; i++) {
        mesh->links[i].peer = MESH_NONE;
        mesh->links[i].next_free = i + 1 < mesh->link_count ? i + 1 : MESH_NONE;
    }
    mesh->body_count = bodies(options);
    mesh->bodies = arena_must(arena, mesh->body_count * sizeof *mesh->bodies);
    for (uint32_t i = 0; i < mesh->body_count; i++) {
        mesh->bodies[i].in = arena_must(arena, BODY_IN_BYTES);
        mesh->bodies[i].votes = arena_must(arena, votes_bytes(options));
        mesh->bodies[i].next_free = i + 1 < mesh->body_count ? i + 1 : MESH_NONE;
    }
    mesh->peer_count = peers(options);
    mesh->peers = arena_must(arena, mesh->peer_count * sizeof *mesh->peers);
    mesh->bans = arena_must(arena, BANS_MAX * sizeof *mesh->bans);
    mesh->scratch = arena_must(arena, scratch_bytes(options));
    pool_init(&mesh->receiving, arena, pieces(options->receive_bytes));
    pool_init(&mesh->sending, arena, pieces(options->send_bytes));
    mesh->reserve = mesh->receiving.piece_count / 16 + 1;
}

static uint64_t random_u64(const struct mesh_owner *owner)
{
    uint64_t word;
    uint8_t bytes[8];

    owner->random(owner->self, bytes, sizeof bytes);
    memcpy(&word, bytes, sizeof word);
    return word;
}

enum err mesh_init(const struct mesh_options *options, struct arena *arena, struct mesh **out)
{
    struct mesh *mesh;

    INVARIANT(options->validators_max >= 1);
    INVARIANT(options->validators_max <= VALIDATORS_MAX);
    INVARIANT(strlen(options->software) <= HELLO_SOFTWARE_MAX);
    if (arena->size - arena->used < mesh_footprint(options)) {
        return ERR_NO_SPACE;
    }
    mesh = arena_must(arena, sizeof *mesh);
    *mesh = (struct mesh){
        .options = *options, .now_ms = options->now_ms, .deadline_ms = options->now_ms};
    memcpy(mesh->prologue, prologue_name, sizeof prologue_name);
    memcpy(mesh->prologue + sizeof prologue_name, options->chain_id, HASH_BYTES);
    noise_public(options->node_secret, mesh->own_key);
    mesh->instance = random_u64(&options->owner);
    mesh->random.state = random_u64(&options->owner);
    tables_init(mesh, arena);
    gate_init(&mesh->gate, arena, peers(options) * MESH_ADDRESSES_MAX, random_u64(&options->owner),
              mesh->now_ms);
    tokens_fill(&mesh->served_others, mesh->now_ms, tokens_per_second(SERVED_OTHERS));
    *out = mesh;
    return ERR_OK;
}

/* What the other files use. */

void mesh_arm(struct mesh *mesh, uint64_t at_ms)
{
    if (at_ms < mesh->deadline_ms) {
        mesh->deadline_ms = at_ms;
    }
}

void mesh_act(struct mesh *mesh, uint32_t index, enum mesh_action_kind kind)
{
    struct link *link = &mesh->links[index];

    link->actions |= (uint8_t)(1U << kind);
    if (!link->in_ring) {
        link->in_ring = true;
        mesh->ring[(mesh->ring_first + mesh->ring_count) % mesh->link_count] = index;
        mesh->ring_count += 1;
    }
}

uint32_t mesh_link_take(struct mesh *mesh)
{
    const uint32_t index = mesh->link_free;
    struct link *link;
    bool in_ring;

    if (index == MESH_NONE) {
        return MESH_NONE;
    }
    link = &mesh->links[index];
    mesh->link_free = link->next_free;
    mesh->link_used += 1;
    in_ring = link->in_ring; /* belongs to the place, not to the connection */
    *link = (struct link){
        .peer = MESH_NONE, .tag = MESH_NONE, .in_ring = in_ring, .born_ms = mesh->now_ms};
    return index;
}

void mesh_link_free(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];

    INVARIANT(link->state != LINK_FREE);
    INVARIANT(link->peer == MESH_NONE);
    mesh_body_free(mesh, link);
    link->state = LINK_FREE;
    link->actions = 0;
    link->doom = 0;
    link->next_free = mesh->link_free;
    mesh->link_free = index;
    mesh->link_used -= 1;
}

/* A link that is leaving gives up its memory when nothing else is left. */
static void body_rob(struct mesh *mesh)
{
    uint32_t oldest = MESH_NONE;

    for (uint32_t i = 0; i < mesh->link_count; i++) {
        const struct link *link = &mesh->links[i];

        if (link->state == LINK_LEAVING && link->body != NULL &&
            (oldest == MESH_NONE || link->deadline_ms < mesh->links[oldest].deadline_ms)) {
            oldest = i;
        }
    }
    if (oldest != MESH_NONE) {
        session_drop(mesh, oldest);
    }
}

struct body *mesh_body_take(struct mesh *mesh)
{
    struct body *body;

    if (mesh->body_free == MESH_NONE) {
        body_rob(mesh);
    }
    if (mesh->body_free == MESH_NONE) {
        return NULL;
    }
    body = &mesh->bodies[mesh->body_free];
    mesh->body_free = body->next_free;
    body->start = 0;
    body->count = 0;
    for (uint32_t i = 0; i < MESH_CHANNELS; i++) {
        body->assemblies[i] = (struct assembly){.chain = CHAIN_EMPTY};
    }
    return body;
}

void mesh_body_free(struct mesh *mesh, struct link *link)
{
    if (link->body == NULL) {
        return;
    }
    frames_forget(mesh, link->body);
    link->body->next_free = mesh->body_free;
    mesh->body_free = (uint32_t)(link->body - mesh->bodies); /* below body_count */
    link->body = NULL;
}

uint32_t mesh_members(const struct mesh *mesh)
{
    uint32_t most = 1;

    for (uint32_t i = 0; i < SETS; i++) {
        if (mesh->set_counts[i] > most) {
            most = mesh->set_counts[i];
        }
    }
    return most;
}

uint32_t mesh_limit(const struct mesh *mesh, uint8_t channel)
{
    const uint32_t members = mesh_members(mesh);
    const uint32_t block = mesh->options.max_block_bytes;

    INVARIANT(channel < MESH_CHANNELS);
    return (const uint32_t[MESH_CHANNELS]){
        1U << 10,  (8U << 10) + 64 * members, proposal_max(block, members), 16U << 10,
        72U << 10, range_max(block, members), (4U << 20) + (1U << 10),      4U << 10,
    }[channel];
}

void mesh_report(const struct mesh *mesh, enum mesh_report_kind kind, uint8_t code,
                 const struct link *link)
{
    struct mesh_report report = {.kind = kind, .code = code};

    if (mesh->options.owner.report == NULL) {
        return;
    }
    if (link != NULL) {
        report.address = &link->address;
        report.key = link->peer == MESH_NONE ? NULL : mesh->peers[link->peer].key;
    }
    mesh->options.owner.report(mesh->options.owner.self, &report);
}

void mesh_doom(struct mesh *mesh, uint32_t index, uint8_t code)
{
    if (mesh->links[index].doom == 0) {
        mesh->links[index].doom = code;
        mesh->doom_due = true;
        mesh_arm(mesh, mesh->now_ms);
    }
}

/* Inputs: each begins with enter and ends with leave. */

static void enter(struct mesh *mesh, uint64_t now_ms)
{
    if (now_ms > mesh->now_ms) {
        mesh->now_ms = now_ms;
    }
}

static void dooms(struct mesh *mesh)
{
    mesh->doom_due = false;
    for (uint32_t i = 0; i < mesh->link_count; i++) {
        struct link *link = &mesh->links[i];
        const uint8_t code = link->doom;

        if (code == 0 || link->state == LINK_FREE || link->state == LINK_DEAD) {
            continue;
        }
        link->doom = 0;
        if (code == DOOM_DROP || link->state == LINK_LEAVING) {
            session_drop(mesh, i);
        } else {
            session_goodbye(mesh, i, code, 0);
        }
    }
}

/* Reports of what happened in calls that may not call the owner. */
static void reports(struct mesh *mesh)
{
    if (mesh->send_pool_empty) {
        mesh->send_pool_empty = false;
        mesh_report(mesh, MESH_REPORT_POOL_EMPTY, 1, NULL);
    }
    if (mesh->receive_pool_empty) {
        mesh->receive_pool_empty = false;
        mesh_report(mesh, MESH_REPORT_POOL_EMPTY, 0, NULL);
    }
    for (uint8_t i = 0; i < MESH_CHANNELS && mesh->too_long != 0; i++) {
        if ((mesh->too_long >> i & 1) != 0) {
            mesh->too_long &= (uint8_t) ~(1U << i);
            mesh_report(mesh, MESH_REPORT_TOO_LONG, i, NULL);
        }
    }
}

static void leave(struct mesh *mesh)
{
    if (mesh->judge_due) {
        peers_judge(mesh);
    }
    if (mesh->doom_due) {
        dooms(mesh);
    }
    frames_memory(mesh);
    if (mesh->tell_due) {
        peers_tell(mesh);
    }
    reports(mesh);
}

uint32_t mesh_accepted(struct mesh *mesh, uint64_t now_ms, const struct address *address)
{
    uint32_t index;

    enter(mesh, now_ms);
    index = session_accept(mesh, address);
    leave(mesh);
    return index;
}

void mesh_connected(struct mesh *mesh, uint64_t now_ms, uint32_t index,
                    const struct address *address)
{
    struct link *link = &mesh->links[index];

    enter(mesh, now_ms);
    INVARIANT(index < mesh->link_count);
    if (link->state == LINK_DIALLING) { /* else it was given up meanwhile, and MESH_CLOSE follows */
        struct peer *peer = &mesh->peers[link->peer];

        link->address = *address;
        if (peer->configured && peer->address_count == 0 &&
            !address_same_ip(&peer->resolved, address)) {
            peer->resolved = *address;
            peers_known(mesh);
        }
        session_connected(mesh, index);
    }
    leave(mesh);
}

struct mesh_room mesh_room(struct mesh *mesh, uint32_t index)
{
    struct link *link = &mesh->links[index];
    struct body *body = link->body;

    INVARIANT(index < mesh->link_count);
    if (body == NULL) {
        return (struct mesh_room){.at = link->in + link->in_count,
                                  .count = sizeof link->in - link->in_count};
    }
    if (session_paused(mesh, index)) {
        link->stalled = true;
        return (struct mesh_room){.at = body->in};
    }
    return (struct mesh_room){.at = body->in + body->count, .count = BODY_IN_BYTES - body->count};
}

void mesh_received(struct mesh *mesh, uint64_t now_ms, uint32_t index, size_t count)
{
    struct link *link = &mesh->links[index];

    enter(mesh, now_ms);
    INVARIANT(index < mesh->link_count);
    mesh->counts.bytes_in += count;
    if (link->state == LINK_FREE || link->state == LINK_DEAD) {
        return;
    }
    if (link->body != NULL) {
        INVARIANT(count <= BODY_IN_BYTES - link->body->count);
        link->body->count += count;
    } else {
        INVARIANT(count <= sizeof link->in - link->in_count);
        link->in_count = (uint16_t)(link->in_count + count);
    }
    session_input(mesh, index);
    leave(mesh);
}

void mesh_closed(struct mesh *mesh, uint64_t now_ms, uint32_t index)
{
    struct link *link = &mesh->links[index];

    enter(mesh, now_ms);
    INVARIANT(index < mesh->link_count);
    INVARIANT(link->state != LINK_FREE);
    if (link->state == LINK_OPEN) {
        mesh_report(mesh, MESH_REPORT_LOST, 0, link);
    } else if (link->state == LINK_ANSWER && link->in_count == PROLOGUE_BYTES &&
               bytes_equal(bytes_of(link->in, 3), bytes_of(prologue_name, 3))) {
        mesh_report(mesh, MESH_REPORT_OTHER_CHAIN, 0, link);
    } else if (link->state != LINK_LEAVING && link->state != LINK_DEAD &&
               link->state != LINK_DIALLING) {
        mesh->counts.handshakes_failed += 1;
        mesh_report(mesh, MESH_REPORT_HANDSHAKE, 0, link);
    }
    session_detach(mesh, index);
    mesh_link_free(mesh, index);
    leave(mesh);
}

void mesh_tick(struct mesh *mesh, uint64_t now_ms)
{
    enter(mesh, now_ms);
    if (mesh->now_ms < mesh->deadline_ms) {
        return;
    }
    mesh->deadline_ms = UINT64_MAX;
    for (uint32_t i = 0; i < mesh->link_count; i++) {
        session_tick(mesh, i);
    }
    peers_tick(mesh);
    leave(mesh);
}

uint64_t mesh_deadline_ms(const struct mesh *mesh)
{
    return mesh->deadline_ms;
}

/* Outputs. */

static CHECKED bool action_take(struct link *link, enum mesh_action_kind kind)
{
    const uint8_t bit = (uint8_t)(1U << kind);
    const bool set = (link->actions & bit) != 0;

    link->actions &= (uint8_t)~bit;
    return set;
}

/* The next thing of one link, the close before all else. */
static CHECKED bool link_next(struct mesh *mesh, uint32_t index, struct mesh_action *out)
{
    struct link *link = &mesh->links[index];

    out->link = index;
    if (action_take(link, MESH_CLOSE)) {
        const bool dialled = !action_take(link, MESH_DIAL);

        out->kind = MESH_CLOSE;
        mesh_link_free(mesh, index);
        return dialled; /* else the caller never heard of it */
    }
    if (action_take(link, MESH_DIAL)) {
        out->kind = MESH_DIAL;
        out->tag = link->tag;
        out->address = link->address;
        return true;
    }
    if (action_take(link, MESH_WRITE)) {
        out->kind = MESH_WRITE;
        return true;
    }
    if (action_take(link, MESH_READ)) {
        out->kind = MESH_READ;
        return true;
    }
    return false;
}

bool mesh_next(struct mesh *mesh, struct mesh_action *out)
{
    *out = (struct mesh_action){.tag = MESH_NONE};
    while (mesh->ring_count != 0) {
        const uint32_t index = mesh->ring[mesh->ring_first];
        struct link *link = &mesh->links[index];

        if (link->actions != 0 && link_next(mesh, index, out)) {
            return true;
        }
        link->in_ring = false;
        mesh->ring_first = (mesh->ring_first + 1) % mesh->link_count;
        mesh->ring_count -= 1;
    }
    return false;
}

size_t mesh_pull(struct mesh *mesh, uint64_t now_ms, uint32_t index, uint8_t out[MESH_RECORD_BYTES])
{
    size_t count;

    enter(mesh, now_ms);
    INVARIANT(index < mesh->link_count);
    count = session_pull(mesh, index, out);
    mesh->counts.bytes_out += count;
    return count;
}

/* What the owner does. */

void mesh_set_validators(struct mesh *mesh, const struct validator_set *previous,
                         const struct validator_set *current, const struct validator_set *next)
{
    const struct validator_set *sets[SETS] = {previous, current, next};

    for (uint32_t i = 0; i < SETS; i++) {
        mesh->set_counts[i] = sets[i] == NULL ? 0 : sets[i]->count;
        INVARIANT(mesh->set_counts[i] <= mesh->options.validators_max);
        for (uint32_t k = 0; k < mesh->set_counts[i]; k++) {
            memcpy(mesh->set_keys[i][k], sets[i]->members[k].node_key, MESH_KEY_BYTES);
        }
    }
    peers_classify(mesh);
    mesh->tell_due = true;
    mesh_arm(mesh, mesh->now_ms);
}

void mesh_set_addresses(struct mesh *mesh, const uint8_t key[MESH_KEY_BYTES],
                        const struct address *addresses, uint32_t count)
{
    const uint32_t index = peers_find(mesh, key);
    struct peer *peer;

    if (index == MESH_NONE || !mesh->peers[index].member) {
        return;
    }
    INVARIANT(count <= MESH_ADDRESSES_MAX);
    peer = &mesh->peers[index];
    peer->address_count = count;
    peer->address_turn = 0;
    for (uint32_t i = 0; i < count; i++) {
        peer->addresses[i] = addresses[i];
    }
    peers_known(mesh);
    mesh_arm(mesh, mesh->now_ms);
}

enum err mesh_add_peer(struct mesh *mesh, const uint8_t key[MESH_KEY_BYTES], uint32_t tag,
                       const struct address *address)
{
    uint32_t index;
    struct peer *peer;

    if (bytes_equal(bytes_of(key, MESH_KEY_BYTES), bytes_of(mesh->own_key, MESH_KEY_BYTES))) {
        return ERR_EXISTS;
    }
    if (mesh->configured_count == mesh->options.configured_max) {
        return ERR_NO_SPACE;
    }
    index = peers_take(mesh, key);
    if (index == MESH_NONE) {
        return ERR_NO_SPACE;
    }
    peer = &mesh->peers[index];
    mesh->configured_count += peer->configured ? 0 : 1;
    peer->configured = true;
    peer->tag = tag;
    peer->address_count = address->family == ADDRESS_NONE ? 0 : 1;
    peer->addresses[0] = *address;
    peers_known(mesh);
    mesh_arm(mesh, mesh->now_ms);
    return ERR_OK;
}

void mesh_set_leaders(struct mesh *mesh, const uint16_t *indices, uint32_t count)
{
    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        mesh->peers[i].leader = false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t peer = peers_by_number(mesh, indices[i]);

        if (peer != MESH_NONE) {
            mesh->peers[peer].leader = true;
        }
    }
}

void mesh_send(struct mesh *mesh, uint32_t to, uint8_t channel, struct bytes head,
               struct bytes body)
{
    channels_send(mesh, to, channel, head, body);
}

void mesh_charge(struct mesh *mesh, uint32_t peer, uint8_t channel, enum mesh_fault fault)
{
    const uint32_t index = peers_by_number(mesh, peer);

    if (index != MESH_NONE) {
        peers_charge(mesh, &mesh->peers[index], channel, fault);
    }
}

void mesh_stop(struct mesh *mesh)
{
    mesh->stopping = true;
    for (uint32_t i = 0; i < mesh->link_count; i++) {
        switch (mesh->links[i].state) {
        case LINK_FREE:
        case LINK_DEAD:
        case LINK_LEAVING:
            break;
        case LINK_HELLO:
        case LINK_OPEN:
            mesh_doom(mesh, i, GOODBYE_STOPPING);
            break;
        case LINK_DIALLING:
        case LINK_PROLOGUE:
        case LINK_ANSWER:
        case LINK_FINISH:
            mesh_doom(mesh, i, DOOM_DROP);
            break;
        }
    }
    mesh_arm(mesh, mesh->now_ms);
}

uint32_t mesh_links(const struct mesh *mesh)
{
    return mesh->link_used;
}

const struct mesh_counts *mesh_counts(const struct mesh *mesh)
{
    return &mesh->counts;
}

bool mesh_peer_next(const struct mesh *mesh, uint32_t *place, struct mesh_peer *out)
{
    while (*place < mesh->peer_count) {
        const struct peer *peer = &mesh->peers[*place];

        *place += 1;
        if (!peer->used || peer->main == MESH_NONE || peer->told == MESH_NONE) {
            continue;
        }
        *out = (struct mesh_peer){
            .number = peer->told,
            .validator = peer->index != VALIDATOR_NONE,
            .outbound = mesh->links[peer->main].outbound,
            .roles = peer->roles,
            .address = mesh->links[peer->main].address,
            .opened_ms = peer->opened_ms,
            .score = peers_score(peer, mesh->now_ms),
            .queued_bytes = channels_bytes(peer),
        };
        memcpy(out->key, peer->key, sizeof out->key);
        memcpy(out->software, peer->software, sizeof out->software);
        return true;
    }
    return false;
}

void mesh_memory(const struct mesh *mesh, uint32_t *receive_free, uint32_t *send_free)
{
    *receive_free = mesh->receiving.free_count;
    *send_free = mesh->sending.free_count;
}

static void link_check(const struct mesh *mesh, uint32_t index)
{
    const struct link *link = &mesh->links[index];

    INVARIANT(link->state == LINK_FREE || link->actions == 0 || link->in_ring);
    INVARIANT(link->state == LINK_OPEN || link->state == LINK_LEAVING || link->body == NULL);
    INVARIANT(link->state != LINK_OPEN || (link->body != NULL && link->peer != MESH_NONE));
    if (link->peer != MESH_NONE) {
        INVARIANT(mesh->peers[link->peer].used);
    }
    if (link->body != NULL) {
        INVARIANT(link->body->start <= link->body->count);
        INVARIANT(link->body->count <= BODY_IN_BYTES);
    }
}

static void peer_check(const struct mesh *mesh, uint32_t index)
{
    const struct peer *peer = &mesh->peers[index];
    const uint32_t own[] = {peer->main, peer->contender, peer->loser, peer->outgoing};
    uint32_t held = 0;

    for (uint32_t i = 0; i < mesh->link_count; i++) {
        held += mesh->links[i].peer == index;
    }
    INVARIANT(held == peer->links);
    for (uint32_t i = 0; i < COUNT_OF(own); i++) {
        INVARIANT(own[i] == MESH_NONE || mesh->links[own[i]].peer == index);
    }
    INVARIANT(peer->main == MESH_NONE || mesh->links[peer->main].state == LINK_OPEN);
    INVARIANT(peer->contender == MESH_NONE || peer->main != MESH_NONE);
    INVARIANT(peer->main != MESH_NONE || peer->limbo || channels_bytes(peer) == 0);
}

void mesh_check(const struct mesh *mesh)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < mesh->link_count; i++) {
        used += mesh->links[i].state != LINK_FREE;
        link_check(mesh, i);
    }
    INVARIANT(used == mesh->link_used);
    for (uint32_t i = 0; i < mesh->peer_count; i++) {
        if (mesh->peers[i].used) {
            peer_check(mesh, i);
        }
    }
    pool_check(&mesh->receiving);
    pool_check(&mesh->sending);
}

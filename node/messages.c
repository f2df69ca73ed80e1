/*
 * What peers say: who may say it (8.20), bodies taken off, signatures checked by the verify port, then the core.
 *
 * Everything a peer can make this node keep is here: a message in one of three classes of places while it is
 * verified, so many a peer; and what the other files bound by themselves.
 */
#include <string.h>

#include "crypto/hash.h"
#include "node/inner.h"

enum {
    SMALL_BYTES = 320, /* VOTE, GET_CERTS (298) and STATUS (233) */
    SMALL_PEER_MAX = 64,
    CERT_PEER_MAX = 16,
    PROPOSAL_PEER_MAX = 2,
    SMALL_MAX = 8192,
    CERTS_MAX = 1024,
    PROPOSALS_MAX = 8,
    STATUS_INTERVAL_MS = 1000,
};

_Static_assert((size_t)SMALL_BYTES >= (size_t)WIRE_STATUS_BYTES_MAX, "a STATUS is small");
_Static_assert(SMALL_BYTES >= 1 + 8 + 1 + 9 * WIRE_GET_CERTS_MAX, "a GET_CERTS is small");
_Static_assert((size_t)SMALL_BYTES > (size_t)VOTE_BYTES, "a VOTE is small");

static uint32_t lower(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Places of a class, and the size of each. */
static struct pendings class_of(uint32_t which, uint32_t validators, uint32_t body_bytes_max)
{
    switch (which) {
    case PENDING_SMALL:
        return (struct pendings){.count = lower(SMALL_PEER_MAX * validators, SMALL_MAX),
                                 .peer_max = SMALL_PEER_MAX,
                                 .size = SMALL_BYTES};
    case PENDING_CERT:
        return (struct pendings){.count = lower(CERT_PEER_MAX * validators, CERTS_MAX),
                                 .peer_max = CERT_PEER_MAX,
                                 .size = 1 + certificate_bytes(validators)};
    default:
        return (struct pendings){.count = PROPOSALS_MAX,
                                 .peer_max = PROPOSAL_PEER_MAX,
                                 .size = wire_proposal_head_bytes(validators) + body_bytes_max};
    }
}

size_t messages_footprint(uint32_t validators, uint32_t body_bytes_max)
{
    size_t bytes = arena_rounded((validators + PEER_FULL_MAX) * sizeof(struct peer));

    for (uint32_t i = 0; i < PENDING_CLASSES; i++) {
        const struct pendings class = class_of(i, validators, body_bytes_max);

        bytes += arena_rounded(class.count * sizeof(struct pending)) +
                 class.count * arena_rounded(class.size);
    }
    return bytes;
}

void messages_init(struct driver *driver, struct arena *arena)
{
    driver->peers = arena_must(arena, (driver->n + PEER_FULL_MAX) * sizeof(struct peer));
    for (uint32_t i = 0; i < PENDING_CLASSES; i++) {
        struct pendings *class = &driver->pendings[i];

        *class = class_of(i, driver->n, driver->max_block_bytes);
        class->slots = arena_must(arena, class->count * sizeof(struct pending));
        for (uint32_t j = 0; j < class->count; j++) {
            class->slots[j] = (struct pending){.memory = arena_must(arena, class->size)};
        }
    }
}

/* ---- peers ---- */

bool peer_is_validator(const struct driver *driver, uint32_t peer)
{
    return peer < driver->n;
}

/* NULL for the own number and for one that nobody has. */
struct peer *peer_of(struct driver *driver, uint32_t peer)
{
    if (peer_is_validator(driver, peer)) {
        return peer == driver->own_index ? NULL : &driver->peers[peer];
    }
    if (peer >= PEER_FULL && peer - PEER_FULL < PEER_FULL_MAX) {
        return &driver->peers[driver->n + (peer - PEER_FULL)];
    }
    return NULL;
}

/* A validator with an open session, not `except` if there is another; VALIDATOR_NONE if there is none. */
uint32_t peer_random(struct driver *driver, uint32_t except)
{
    const uint32_t start = (uint32_t)random_below(&driver->random, driver->n);
    uint32_t found = VALIDATOR_NONE;

    for (uint32_t i = 0; i < driver->n; i++) {
        const uint32_t peer = (start + i) % driver->n;

        if (peer == driver->own_index || !driver->peers[peer].open) {
            continue;
        }
        found = peer;
        if (peer != except) {
            break;
        }
    }
    return found;
}

/* Take `cost` tokens of a bucket that fills with `rate` a second up to two seconds of it; false: too few. */
bool bucket_take(struct bucket *bucket, uint64_t now_ms, uint64_t rate, uint64_t cost)
{
    const uint64_t passed = now_ms - bucket->at_ms;
    const uint64_t full = 2 * rate;

    if (bucket->at_ms == 0 || passed >= 2 * SECOND_MS) {
        bucket->level = full;
        bucket->at_ms = now_ms;
    } else if (passed * rate / SECOND_MS > 0) {
        bucket->level += passed * rate / SECOND_MS;
        bucket->level = bucket->level < full ? bucket->level : full;
        bucket->at_ms = now_ms;
    }
    if (bucket->level < cost) {
        return false;
    }
    bucket->level -= cost;
    return true;
}

/* A STATUS without votes, for a full node: where blocks are to be had. */
void messages_status_to(struct driver *driver, uint32_t peer)
{
    static const uint8_t zeros[BITMAP_BYTES_MAX];
    const struct net_port *net = &driver->ports.net;
    const struct bytes bitmap = bytes_of(zeros, validators_bitmap_bytes(driver->n));
    struct peer *entry = peer_of(driver, peer);
    struct wire_status status = {0};
    struct sx_summary summary;
    uint8_t memory[WIRE_STATUS_BYTES_MAX];
    struct writer writer = writer_of(memory, sizeof memory);
    const uint64_t now = driver_now(driver);

    if (entry->status_ms != 0 && now - entry->status_ms < STATUS_INTERVAL_MS) {
        return;
    }
    entry->status_ms = now;
    sx_summary(driver->sx, &summary);
    status.epoch = driver->blocks.final.epoch;
    status.cur = summary.cur;
    status.final_view = driver->blocks.final.final_view;
    status.final_height = driver->blocks.final.height;
    memcpy(status.final_hash, driver->blocks.final.block_hash, HASH_BYTES);
    status.earliest_height = driver->blocks.earliest;
    status.wall_ms = driver->ports.clock.wall_ms(driver->ports.clock.self);
    status.notarize_bitmap = bitmap;
    status.nullify_bitmap = bitmap;
    status.finalize_bitmap = bitmap;
    wire_status_write(&writer, &status);
    INVARIANT(!writer.failed);
    net->send(net->self, peer, wire_channel(WIRE_STATUS), writer_done(&writer), (struct bytes){0});
}

/* ---- verification ---- */

static void fault(const struct driver *driver, uint32_t peer, enum verify_fault what)
{
    driver->ports.tell.fault(driver->ports.tell.self, peer, what);
}

/* The place in a class that is free and that this peer may still take. */
static struct pending *pending_place(struct driver *driver, uint32_t which, uint32_t peer)
{
    const struct pendings *class = &driver->pendings[which];
    struct pending *place = NULL;
    uint32_t taken = 0;

    for (uint32_t i = 0; i < class->count; i++) {
        if (class->slots[i].ticket == 0) {
            place = place == NULL ? &class->slots[i] : place;
        } else if (class->slots[i].peer == peer) {
            taken += 1;
        }
    }
    return taken < class->peer_max ? place : NULL;
}

static struct pending *pending_find(struct driver *driver, uint64_t ticket)
{
    for (uint32_t i = 0; i < PENDING_CLASSES; i++) {
        for (uint32_t j = 0; j < driver->pendings[i].count; j++) {
            if (driver->pendings[i].slots[j].ticket == ticket) {
                return &driver->pendings[i].slots[j];
            }
        }
    }
    return NULL;
}

/* Copy a message and have its head verified.  What finds no place is shed: repair of 8.7 brings it again. */
static void verify(struct driver *driver, uint32_t which, uint32_t peer, struct bytes message,
                   size_t head_bytes, uint32_t known)
{
    struct pending *place = pending_place(driver, which, peer);

    if (place == NULL || message.count > driver->pendings[which].size) {
        return;
    }
    driver->last_ticket += 1;
    place->ticket = driver->last_ticket;
    place->peer = peer;
    memcpy(place->memory, message.at, message.count);
    place->head_bytes = head_bytes;
    place->count = message.count;
    driver->ports.verify.verify(driver->ports.verify.self, place->ticket,
                                bytes_of(place->memory, head_bytes), known);
}

/* Keep a body that came with a verified proposal; the core asks for it (FETCH) if it wants the block. */
static void proposal_body(struct driver *driver, const struct wire_proposal *proposal,
                          struct bytes body)
{
    uint8_t hash[HASH_BYTES];
    struct body *place;

    if (proposal->form != WIRE_FORM_FULL) {
        return;
    }
    block_header_hash(&proposal->header, hash);
    if (!hash_equal(hash, proposal->candidate.block_hash) ||
        bodies_find(&driver->bodies, hash) != NULL ||
        !block_body_matches(&proposal->header, body)) {
        return; /* 8.2: missing, never invalid */
    }
    place = bodies_place(&driver->bodies, driver->sx, driver->tip.hash);
    if (place != NULL) {
        /* The header is the last of the head, so that it stands before the body. */
        body_fill(place, &proposal->header, hash,
                  bytes_of(body.at - BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + body.count));
    }
}

void driver_verified(struct driver *driver, uint64_t ticket, enum verify_fault what,
                     const struct verified_message *message)
{
    struct pending *pending;
    struct sx_event event = {.kind = SX_MESSAGE};

    if (!driver_enter(driver)) {
        return;
    }
    pending = pending_find(driver, ticket);
    INVARIANT(pending != NULL);
    if (what == VERIFY_OK) {
        if (message->type == WIRE_PROPOSAL) {
            proposal_body(driver, &message->proposal,
                          bytes_of(pending->memory + pending->head_bytes,
                                   pending->count - pending->head_bytes));
        }
        if (message->type == WIRE_CERT && driver->own_index == VALIDATOR_NONE &&
            message->certificate.statement.kind == VOTE_FINALIZE &&
            message->certificate.statement.candidate.view > driver->blocks.final.final_view) {
            sync_claim(driver, pending->peer, driver->blocks.final.height + 1, 0);
        }
        event.message.peer = pending->peer;
        event.message.message = message;
        driver_step(driver, &event);
    } else if (what != VERIFY_OTHER_EPOCH) {
        fault(driver, pending->peer, what);
    }
    pending->ticket = 0;
    driver_leave(driver);
}

/* ---- by type ---- */

static void receive_certificate(struct driver *driver, uint32_t peer, struct bytes message)
{
    struct certificate certificate;

    if (!wire_cert_decode(message, (uint16_t)driver->n, &certificate)) {
        fault(driver, peer, VERIFY_MALFORMED);
        return;
    }
    if (sx_wants(driver->sx, message)) {
        verify(driver, PENDING_CERT, peer, message, message.count,
               sx_holds(driver->sx, &certificate.statement) ? 1 : 0);
    }
}

static void receive_proposal(struct driver *driver, uint32_t peer, struct bytes message)
{
    struct wire_proposal proposal;
    uint32_t known = 0;

    if (!wire_proposal_decode(message, (uint16_t)driver->n, &proposal)) {
        fault(driver, peer, VERIFY_MALFORMED);
        return;
    }
    if (!sx_wants(driver->sx, proposal.head)) {
        return;
    }
    for (uint32_t i = 0; i < proposal.justification_count; i++) {
        if (sx_holds(driver->sx, &proposal.justification[i].statement)) {
            known |= UINT32_C(1) << i;
        }
    }
    verify(driver, PENDING_PROPOSAL, peer, message, proposal.head.count, known);
}

static void receive_small(struct driver *driver, uint32_t peer, struct bytes message)
{
    if (message.count > SMALL_BYTES) {
        fault(driver, peer, VERIFY_MALFORMED);
    } else if (sx_wants(driver->sx, message)) {
        verify(driver, PENDING_SMALL, peer, message, message.count, 0);
    }
}

/* Votes, certificates and proposals of another epoch have another n, perhaps: the core may still answer votes. */
static bool other_epoch(const struct driver *driver, struct bytes message)
{
    uint64_t epoch;
    uint64_t view;

    return wire_epoch_view(message, &epoch, &view) && epoch != driver->context.epoch;
}

static void receive_status(struct driver *driver, uint32_t peer, struct bytes message)
{
    struct wire_status status;

    if (!wire_status_decode(message, &status)) {
        fault(driver, peer, VERIFY_MALFORMED);
        return;
    }
    sync_claim(driver, peer, status.final_height, status.earliest_height);
    if (peer_is_validator(driver, peer)) {
        receive_small(driver, peer, message);
    } else if (status.final_height < driver->blocks.final.height) {
        messages_status_to(driver, peer);
    }
}

/* Channels 1 and 2 belong to the members of the set; a full node that says such a thing is not heard. */
static void receive_from_validator(struct driver *driver, uint32_t peer, struct bytes message)
{
    switch (message.at[0]) {
    case WIRE_VOTE:
    case WIRE_GET_CERTS:
        receive_small(driver, peer, message);
        break;
    case WIRE_CERT:
        if (!other_epoch(driver, message)) {
            receive_certificate(driver, peer, message);
        }
        break;
    case WIRE_PROPOSAL:
        if (!other_epoch(driver, message)) {
            receive_proposal(driver, peer, message);
        }
        break;
    case WIRE_GET_BLOCK:
        serve_get_block(driver, peer, message);
        break;
    case WIRE_BLOCK:
        fetch_block(driver, peer, message);
        break;
    default: /* GET_TXS, TXS: compact proposals are not spoken */
        break;
    }
}

static void receive(struct driver *driver, uint32_t peer, struct bytes message)
{
    switch (message.at[0]) {
    case WIRE_STATUS:
        receive_status(driver, peer, message);
        break;
    case WIRE_TX_PUSH:
        push_received(driver, peer, message);
        break;
    case WIRE_GET_BLOCKS:
        serve_get_blocks(driver, peer, message);
        break;
    case WIRE_BLOCKS:
        sync_blocks(driver, peer, message);
        break;
    default:
        if (wire_channel(message.at[0]) == WIRE_CHANNEL_NONE) {
            fault(driver, peer, VERIFY_MALFORMED);
        } else if (peer_is_validator(driver, peer)) {
            receive_from_validator(driver, peer, message);
        }
        break;
    }
}

void driver_receive(struct driver *driver, uint32_t peer, struct bytes message)
{
    if (peer_of(driver, peer) == NULL || !driver_enter(driver)) {
        return;
    }
    if (message.count != 0) {
        receive(driver, peer, message);
    }
    driver_leave(driver);
}

void messages_check(const struct driver *driver)
{
    for (uint32_t i = 0; i < PENDING_CLASSES; i++) {
        const struct pendings *class = &driver->pendings[i];

        for (uint32_t j = 0; j < class->count; j++) {
            uint32_t same = 0;

            for (uint32_t k = 0; k < class->count; k++) {
                same += class->slots[j].ticket != 0 && class->slots[k].ticket != 0 &&
                                class->slots[k].peer == class->slots[j].peer
                            ? 1
                            : 0;
            }
            INVARIANT(same <= class->peer_max);
            INVARIANT(class->slots[j].count <= class->size);
        }
    }
}

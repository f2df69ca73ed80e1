/*
 * Repair: fetching certificates (C-1, C-4), relay (C-8), answers, standstill and pushes (C-9).
 *
 * Everything here is repeated by somebody until it is no longer needed, and everything is bounded: answers to one a
 * second and peer, pushes to 100 messages a second and peer, 64 views, and 1 MB a second in all.
 */
#include "consensus/core.h"

#include <string.h>

#include "crypto/hash.h"

enum {
    RELAY_PEERS = 3,
    RELAY_MS = 100,
    STATUS_MS = 10000,
    ANSWER_MS = 1000,
    ANSWER_QUIET_MS = 100, /* C-9(b): the relay of C-8 covers a vote that comes so soon */
    JUSTIFY_MS = 300,
    PUSH_VOTES_MS = 2000,
    PUSH_MESSAGES_MAX = 100, /* a second and peer */
    PUSH_MESSAGE_MS = 10,
    PUSH_BYTES_MAX = 1000000, /* a second in all */
    PUSH_WAIT_MS = 100,
    STANDSTILL_DELTAS = 8,
};

static void send_status(struct sx *sx, uint32_t to)
{
    send_push(sx, (struct send_item){.what = SEND_STATUS, .to = to});
}

static void send_cert(struct sx *sx, uint32_t to, uint64_t view, enum vote_kind kind)
{
    send_push(sx,
              (struct send_item){.what = SEND_CERT, .kind = (uint8_t)kind, .to = to, .view = view});
}

static void send_get(struct sx *sx, uint32_t to, uint64_t view, uint8_t kind)
{
    send_push(sx, (struct send_item){.what = SEND_GET, .kind = kind, .to = to, .view = view});
}

static bool peer_past(const struct sx *sx, const struct peer *peer, uint64_t view)
{
    return peer->epoch > sx->epoch || (peer->epoch == sx->epoch && peer->cur > view);
}

/* Another peer than the last time: the next one in turn, one with a session if there is one. */
static uint16_t peer_next(struct sx *sx)
{
    uint16_t index = sx->ask_next;

    for (uint32_t i = 0; i < sx->n; i++) {
        index = (uint16_t)((index + 1U) % sx->n);
        if (index != sx->own && sx->peers[index].open) {
            break;
        }
    }
    sx->ask_next = index;
    return index;
}

/* What is missing. */

/* The lowest view from `from` on, below cur, without any certificate; 0 if none was found. */
uint64_t repair_lowest_uncertified(struct sx *sx, uint64_t from)
{
    uint64_t view;

    if (sx->certified_below <= sx->final.view) {
        sx->certified_below = sx->final.view + 1;
    }
    for (uint32_t i = 0; i < SCAN_MAX && sx->certified_below < sx->cur &&
                         slot_certified_any(sx, sx->certified_below);
         i++) {
        sx->certified_below += 1;
    }
    view = from > sx->certified_below ? from : sx->certified_below;
    for (uint32_t i = 0; i < SCAN_MAX && view < sx->cur; i++) {
        if (!slot_certified_any(sx, view)) {
            return view;
        }
        view += 1;
    }
    return 0;
}

static uint64_t missing_count(const struct sx *sx)
{
    const uint64_t views = sx->cur - 1 - sx->final.view;

    INVARIANT(sx->certified_count <= views);
    return views - sx->certified_count;
}

/* C-1: the newest views in (final_view, cur) without a certificate, of any kind. */
uint32_t repair_missing(const struct sx *sx, struct wire_want *wants, uint32_t max)
{
    const uint64_t missing = missing_count(sx);
    uint32_t count = 0;
    uint64_t view = sx->cur - 1;

    for (uint32_t i = 0; i < SCAN_MAX && view > sx->final.view; i++) {
        if (count == max || count == missing) {
            break;
        }
        if (!slot_certified_any(sx, view)) {
            wants[count] = (struct wire_want){.view = view, .kind = WIRE_CERT_ANY};
            count += 1;
        }
        view -= 1;
    }
    if (count == 0 && missing != 0) { /* deeper than one search: the lowest one known */
        wants[0] = (struct wire_want){.view = sx->certified_below, .kind = WIRE_CERT_ANY};
        count = sx->certified_below > sx->final.view && sx->certified_below < sx->cur ? 1 : 0;
    }
    return count;
}

/* C-4: what the proposal of cur needs and is not held, by kind. */
uint32_t repair_lacking(const struct sx *sx, struct wire_want *wants, uint32_t max)
{
    const struct view *view = slot_find(sx, sx->cur);
    uint32_t count = 0;
    uint64_t parent;

    if (view == NULL || !view->has_prop || view->prop.parent_view < sx->final.view) {
        return 0;
    }
    parent = view->prop.parent_view;
    if (parent > sx->final.view && cert_notarized(sx, parent) == NULL &&
        !(MUTANT_IS(313) && slot_certified_any(sx, parent))) {
        wants[count] = (struct wire_want){.view = parent, .kind = VOTE_NOTARIZE};
        count += 1;
    }
    for (uint64_t w = sx->justified_above; w > parent && count < max; w--) {
        if (sx->justified_above - w == SCAN_MAX) {
            break;
        }
        if (!slot_certified(sx, w, VOTE_NULLIFY) &&
            !(MUTANT_IS(313) && slot_certified_any(sx, w))) {
            wants[count] = (struct wire_want){.view = w, .kind = VOTE_NULLIFY};
            count += 1;
        }
    }
    return count;
}

/* C-4: ask the leader at once, then another peer every 300 ms. */
void repair_justification(struct sx *sx)
{
    uint16_t peer = view_leader(sx, sx->cur);

    sx->justify_wait = true;
    if (sx->now < sx->justify_at || !send_room(sx)) {
        return;
    }
    if (sx->justify_at != 0) {
        peer = peer_next(sx);
    }
    sx->justify_at = later(sx->now, JUSTIFY_MS);
    send_push(sx, (struct send_item){.what = SEND_GET_JUSTIFICATION, .to = peer});
}

/* Views were jumped over: ask leader(cur) and one random peer at once (C-1). */
void repair_entered(struct sx *sx, bool jumped)
{
    if (sx->phase != PHASE_RUNNING || !jumped || missing_count(sx) == 0) {
        return;
    }
    send_push(sx, (struct send_item){.what = SEND_GET_MISSING, .to = view_leader(sx, sx->cur)});
    send_push(sx, (struct send_item){.what = SEND_GET_MISSING, .to = peer_next(sx)});
    sx->missing_at = later(sx->now, pace_retry_ms(sx));
}

static void missing_evaluate(struct sx *sx)
{
    if (missing_count(sx) == 0 || sx->now < sx->missing_at) {
        return;
    }
    send_push(sx, (struct send_item){.what = SEND_GET_MISSING, .to = peer_next(sx)});
    sx->missing_at = later(sx->now, pace_retry_ms(sx));
}

/* C-4, C-5: a leader that repeats a final block has missed its certificate. */
void repair_final_to(struct sx *sx, uint16_t peer)
{
    if (!sx->final_held || peer == sx->own || sx->now < sx->peers[peer].answer_ms) {
        return;
    }
    sx->peers[peer].answer_ms = later(sx->now, ANSWER_MS);
    send_push(sx, (struct send_item){.what = SEND_FINAL, .to = peer});
}

/* C-4: 16 blocks above the own final one: somebody must have a newer certificate. */
void repair_final_ask(struct sx *sx)
{
    if (sx->now < sx->justify_at) {
        return;
    }
    sx->justify_at = later(sx->now, ANSWER_MS);
    send_get(sx, peer_next(sx), sx->final.view, VOTE_FINALIZE);
}

/* More than f members claim to be more than two blocks ahead: this node is to catch up first (8.18). */
bool repair_behind(const struct sx *sx)
{
    uint32_t ahead = 0;

    for (uint32_t i = 0; i < sx->n; i++) {
        const struct peer *peer = &sx->peers[i];

        if (peer->told && peer->epoch == sx->epoch && peer->final_height > 2 &&
            peer->final_height - 2 > sx->blocks[BLOCK_FINAL].header.height) {
            ahead += 1;
        }
    }
    return ahead > sx->f;
}

bool repair_top(const struct sx *sx, struct candidate *out)
{
    uint64_t view = sx->cur - 1;

    for (uint32_t i = 0; i < VIEWS_AHEAD && view > sx->final.view; i++) {
        const struct certificate *certificate = cert_find(sx, view, VOTE_NOTARIZE);

        if (certificate != NULL) {
            *out = certificate->statement.candidate;
            return true;
        }
        view -= 1;
    }
    return false;
}

/* C-8. */

static void relay_now(struct sx *sx, uint64_t view, enum vote_kind kind)
{
    uint16_t chosen[RELAY_PEERS];
    uint32_t count = 0;

    if (kind == VOTE_FINALIZE) {
        send_cert(sx, SX_TO_FULL_NODES, view, kind);
    }
    if (sx->n <= RELAY_PEERS + 1) {
        send_cert(sx, SX_TO_ALL, view, kind);
        return;
    }
    for (uint32_t tries = 0; tries < 16 && count < RELAY_PEERS; tries++) {
        const uint16_t index = (uint16_t)random_below(&sx->random, sx->n);
        bool again = index == sx->own;

        for (uint32_t i = 0; i < count; i++) {
            again |= chosen[i] == index;
        }
        if (!again) {
            chosen[count] = index;
            count += 1;
            send_cert(sx, index, view, kind);
        }
    }
}

/* A certificate that is new here: three peers now, the rest in 100 ms. */
void relay_add(struct sx *sx, const struct certificate *certificate)
{
    const enum vote_kind kind = certificate->statement.kind;
    const uint64_t view = certificate->statement.candidate.view;

    if (sx->own == VALIDATOR_NONE || (MUTANT_IS(314) && kind == VOTE_FINALIZE)) {
        return;
    }
    if (sx->phase != PHASE_RUNNING) {
        return; /* restored ones are sent when a session opens */
    }
    relay_now(sx, view, kind);
    if (sx->relay_count == RELAYS_MAX) { /* the oldest gives way: C-9 repairs what it would have */
        sx->relay_first = (sx->relay_first + 1) % RELAYS_MAX;
        sx->relay_count -= 1;
    }
    sx->relays[(sx->relay_first + sx->relay_count) % RELAYS_MAX] =
        (struct relay){.view = view, .kind = (uint8_t)kind, .due_ms = later(sx->now, RELAY_MS)};
    sx->relay_count += 1;
}

static void relay_late(struct sx *sx, const struct relay *relay)
{
    const bool finalize = relay->kind == VOTE_FINALIZE;

    if (finalize && (sx->top_final > relay->view || sx->final.view > relay->view)) {
        return;
    }
    for (uint16_t i = 0; i < sx->n; i++) {
        const struct peer *peer = &sx->peers[i];

        if (i == sx->own || !peer->open) {
            continue;
        }
        if (finalize && !(peer->epoch > sx->epoch ||
                          (peer->epoch == sx->epoch && peer->final_view >= relay->view))) {
            send_status(sx, i);
        }
        if (!finalize && !peer_past(sx, peer, relay->view)) {
            send_cert(sx, i, relay->view, (enum vote_kind)relay->kind);
        }
    }
}

static void relay_evaluate(struct sx *sx)
{
    while (sx->relay_count != 0 && send_room(sx)) {
        const struct relay relay = sx->relays[sx->relay_first];

        if (relay.due_ms > sx->now) {
            return;
        }
        sx->relay_first = (sx->relay_first + 1) % RELAYS_MAX;
        sx->relay_count -= 1;
        relay_late(sx, &relay);
    }
}

/* C-9(a), (b): answers. */

/* All certificates held of one view. */
static void send_view_certs(struct sx *sx, uint16_t to, uint64_t view)
{
    for (uint32_t k = VOTE_NOTARIZE; k <= VOTE_FINALIZE; k++) {
        if (cert_find(sx, view, (enum vote_kind)k) != NULL) {
            send_cert(sx, to, view, (enum vote_kind)k);
        }
    }
}

static void most(uint64_t *known, uint64_t claimed)
{
    *known = claimed > *known ? claimed : *known;
}

/* What a peer is known to hold only grows while its session lasts, so that a STATUS that comes late says nothing. */
static void peer_told(struct peer *peer, const struct wire_status *status, bool same_epoch)
{
    peer->told = true;
    if (peer->epoch != status->epoch) {
        peer->epoch = status->epoch;
        peer->cur = 0;
        peer->final_view = 0;
        peer->status_view = 0;
    }
    most(&peer->cur, status->cur);
    most(&peer->final_view, status->final_view);
    most(&peer->final_height, status->final_height);
    if (!same_epoch || status->cur < peer->status_view) {
        return;
    }
    INVARIANT(status->notarize_bitmap.count <= BITMAP_BYTES_MAX);
    peer->status_view = status->cur;
    peer->top_view = status->top_view;
    memcpy(peer->bitmaps[0], status->notarize_bitmap.at, status->notarize_bitmap.count);
    memcpy(peer->bitmaps[1], status->nullify_bitmap.at, status->nullify_bitmap.count);
    memcpy(peer->bitmaps[2], status->finalize_bitmap.at, status->finalize_bitmap.count);
}

/* C-3: a peer in cur without my NOTARIZE gets my proposal again. */
static bool proposal_lacks(const struct sx *sx, const struct wire_status *status)
{
    const struct view *view = slot_find(sx, sx->cur);

    return status->cur == sx->cur && view != NULL && view->mine.notarized &&
           view_leader(sx, sx->cur) == sx->own && !bitmap_has(status->notarize_bitmap, sx->own);
}

void repair_status(struct sx *sx, uint16_t peer_index, const struct wire_status *status)
{
    struct peer *peer = &sx->peers[peer_index];
    const uint32_t before = sx->send_count;

    peer_told(peer, status, status->epoch == sx->epoch);
    if (status->epoch != sx->epoch || sx->now < peer->status_answer_ms) {
        return;
    }
    if (proposal_lacks(sx, status)) {
        send_push(sx, (struct send_item){.what = SEND_PROPOSAL,
                                         .to = peer_index,
                                         .view = sx->cur,
                                         .after_seq = sx->durable_seq});
    }
    if (peer->final_view < sx->final.view &&
        sx->final_held) { /* in one epoch height follows view */
        send_push(sx, (struct send_item){.what = SEND_FINAL, .to = peer_index});
    } else if (peer->cur < sx->cur) {
        send_view_certs(sx, peer_index, sx->cur - 1);
    }
    if (peer->final_view > sx->final.view) {
        send_get(sx, peer_index, peer->final_view, VOTE_FINALIZE);
    } else if (peer->cur > sx->cur) {
        send_get(sx, peer_index, peer->cur - 1, WIRE_CERT_ANY);
    }
    if (sx->send_count != before) {
        peer->status_answer_ms = later(sx->now, ANSWER_MS);
    }
}

/* C-9(b): would a vote of this peer be answered now? */
bool repair_answers(const struct sx *sx, uint16_t peer_index, const struct statement *statement)
{
    const uint64_t view = statement->candidate.view;
    const struct peer *peer = &sx->peers[peer_index];
    uint64_t since;

    if (sx->now < peer->answer_ms || statement->candidate.epoch != sx->epoch || MUTANT_IS(319)) {
        return false;
    }
    if (view <= sx->final.view) {
        return sx->final_held && sx->now - sx->final_ms > ANSWER_QUIET_MS &&
               !(peer->epoch == sx->epoch && peer->final_view >= sx->final.view);
    }
    if (statement->kind == VOTE_FINALIZE) {
        return false;
    }
    if (view < sx->cur) {
        since = cert_at_ms(sx, view);
        return since != NEVER && sx->now - since > ANSWER_QUIET_MS;
    }
    return statement->kind == VOTE_NULLIFY && view == sx->cur && !sx->work && sx->final_held &&
           !(peer->told && peer->epoch == sx->epoch && peer->final_view == sx->final.view);
}

void repair_vote(struct sx *sx, uint16_t peer_index, const struct vote *vote)
{
    const uint64_t view = vote->statement.candidate.view;

    if (vote->index != peer_index || !repair_answers(sx, peer_index, &vote->statement)) {
        return;
    }
    sx->peers[peer_index].answer_ms = later(sx->now, ANSWER_MS);
    if (view <= sx->final.view || view == sx->cur) {
        send_push(sx, (struct send_item){.what = SEND_FINAL, .to = peer_index});
    } else {
        send_view_certs(sx, peer_index, view);
    }
}

/* C-9(c): may another message be pushed to this peer? */
static bool push_take(struct sx *sx, struct peer *peer, size_t bytes)
{
    const uint64_t gained = (sx->now - peer->tokens_ms) / PUSH_MESSAGE_MS;
    const uint64_t gained_bytes = sx->now - sx->push_bytes_ms;

    if (gained > 0) {
        peer->tokens =
            (uint32_t)sooner(peer->tokens + sooner(gained, PUSH_MESSAGES_MAX), PUSH_MESSAGES_MAX);
        peer->tokens_ms = sx->now;
    }
    if (gained_bytes > 0) {
        sx->push_bytes = sooner(sx->push_bytes + sooner(gained_bytes, 1000) * 1000, PUSH_BYTES_MAX);
        sx->push_bytes_ms = sx->now;
    }
    if (peer->tokens == 0 || sx->push_bytes < bytes || !send_room(sx)) {
        return false;
    }
    peer->tokens -= 1;
    sx->push_bytes -= bytes;
    return true;
}

void repair_get_certs(struct sx *sx, uint16_t peer_index, const struct wire_get_certs *get)
{
    struct peer *peer = &sx->peers[peer_index];
    const size_t bytes = 1 + certificate_bytes(sx->n);
    bool final_sent = !sx->final_held;

    if (get->epoch != sx->epoch) {
        return;
    }
    INVARIANT(get->count <= WIRE_GET_CERTS_MAX);
    for (uint32_t i = 0; i < get->count; i++) {
        const uint64_t view = get->wants[i].view;
        const uint8_t kind = get->wants[i].kind;

        if (view <= sx->final.view) {
            if (!final_sent && push_take(sx, peer, bytes)) {
                send_push(sx, (struct send_item){.what = SEND_FINAL, .to = peer_index});
                final_sent = true;
            }
            continue;
        }
        for (uint32_t k = VOTE_NOTARIZE; k <= VOTE_FINALIZE; k++) {
            const bool serves =
                kind == WIRE_CERT_ANY || k == kind || (kind == VOTE_NOTARIZE && k == VOTE_FINALIZE);

            if (serves && cert_find(sx, view, (enum vote_kind)k) != NULL &&
                push_take(sx, peer, bytes)) {
                send_cert(sx, peer_index, view, (enum vote_kind)k);
            }
        }
    }
}

/* Pushes (C-6 retry, C-9(c) and (d)): what is to be sent to a peer, one message after the other. */

static void sweep_set(struct sweep *sweep, uint64_t from, uint64_t last, uint8_t wants)
{
    if (sweep->next !=
        0) { /* one is under way: it goes on, so that it ends however often it is asked for */
        sweep->wants |= wants;
        sweep->last = last > sweep->last ? last : sweep->last;
        return;
    }
    *sweep = (struct sweep){.next = from, .last = last, .left = VIEWS_AHEAD, .wants = wants};
}

/* 64 views from this one up. */
static void sweep_low(struct sx *sx, struct peer *peer, uint64_t from, uint8_t wants)
{
    INVARIANT(from > sx->final.view);
    sweep_set(&peer->low, from, sooner(sx->cur, later(from, VIEWS_AHEAD - 1)), wants);
    sx->push_at = 0;
}

/* The 64 lowest views without a certificate. */
static void sweep_gaps(struct sx *sx, struct peer *peer, uint8_t wants)
{
    const uint64_t from = repair_lowest_uncertified(sx, sx->final.view + 1);

    if (from != 0) {
        sweep_set(&peer->gaps, from, sx->cur - 1, (uint8_t)(wants | SWEEP_GAPS));
        sx->push_at = 0;
    }
}

/* The 64 newest views. */

static void sweep_high(struct sx *sx, struct peer *peer, uint8_t wants)
{
    uint64_t from = sx->final.view + 1;

    if (sx->cur > from + VIEWS_AHEAD - 1) {
        from = sx->cur - VIEWS_AHEAD + 1;
    }
    sweep_set(&peer->high, from, sx->cur, wants);
    sx->push_at = 0;
}

/* What item `item` of a view is for this sweep; false: nothing. */
static bool sweep_item(const struct sx *sx, const struct peer *peer, const struct sweep *sweep,
                       struct send_item *out)
{
    const uint64_t view = sweep->next;
    const enum vote_kind kind = (enum vote_kind)(sweep->item % KINDS + 1);
    struct vote vote;

    if (view <= sx->final.view) {
        return false;
    }
    *out = (struct send_item){.kind = (uint8_t)kind, .view = view, .index = sx->own};
    if (sweep->item >= KINDS) {
        out->what = SEND_CERT;
        return (sweep->wants & SWEEP_CERTS) != 0 && cert_find(sx, view, kind) != NULL &&
               !(peer->told && peer->epoch == sx->epoch && peer->final_view >= view);
    }
    out->what = SEND_VOTE;
    out->after_seq = sx->durable_seq;
    if ((sweep->wants & SWEEP_OWN) == 0 &&
        ((sweep->wants & SWEEP_NULLIFY) == 0 || kind != VOTE_NULLIFY ||
         (view != sx->cur && slot_certified_any(sx, view)))) {
        return false;
    }
    return sx->own != VALIDATOR_NONE && tally_vote(sx, view, kind, sx->own, &vote);
}

/* False when it must wait for tokens. */
static bool sweep_run(struct sx *sx, uint16_t to, struct sweep *sweep)
{
    struct peer *peer = &sx->peers[to];
    struct send_item item;

    while (sweep->next != 0) {
        if (sweep->next > sweep->last || sweep->next > sx->cur || sweep->left == 0) {
            *sweep = (struct sweep){0};
            return true;
        }
        if (sweep_item(sx, peer, sweep, &item)) {
            if (!push_take(sx, peer, 1 + certificate_bytes(sx->n))) {
                return false;
            }
            item.to = to;
            send_push(sx, item);
        }
        sweep->item += 1;
        if (sweep->item == SWEEP_ITEMS) {
            sweep->item = 0;
            sweep->left -= 1;
            sweep->next = (sweep->wants & SWEEP_GAPS) != 0
                              ? repair_lowest_uncertified(sx, sweep->next + 1)
                              : sweep->next + 1;
        }
    }
    return true;
}

/* The vote of `index` that this kind of push would send; false: none, or the peer has it. */
static bool push_vote(const struct sx *sx, const struct peer *peer, uint8_t push, uint16_t index,
                      struct send_item *item)
{
    const bool told = peer->told && peer->status_view == sx->cur;
    struct candidate top = {.view = 0};
    struct vote vote;

    item->what = SEND_VOTE;
    item->index = index;
    item->view = sx->cur;
    item->kind = push == PUSH_NULLIFY    ? VOTE_NULLIFY
                 : push == PUSH_NOTARIZE ? VOTE_NOTARIZE
                                         : VOTE_FINALIZE;
    if (push == PUSH_FINALIZE) {
        if (!repair_top(sx, &top) || !peer->told || peer->top_view != top.view) {
            return false;
        }
        item->view = top.view;
    }
    if (push == PUSH_NOTARIZE && !told) {
        return false;
    }
    if ((told || push == PUSH_FINALIZE) && bitmap_at(peer->bitmaps[item->kind - 1], index)) {
        return false;
    }
    return tally_vote(sx, item->view, (enum vote_kind)item->kind, index, &vote);
}

static bool push_votes(struct sx *sx, uint16_t to, uint8_t push)
{
    struct peer *peer = &sx->peers[to];

    for (; peer->push_index < sx->n; peer->push_index++) {
        struct send_item item = {.to = to};

        if (peer->push_index == to || !push_vote(sx, peer, push, peer->push_index, &item)) {
            continue;
        }
        item.after_seq = peer->push_index == sx->own ? sx->durable_seq : 0;
        if (!push_take(sx, peer, 1 + VOTE_BYTES)) {
            return false;
        }
        send_push(sx, item);
    }
    peer->push_index = 0;
    peer->pushes &= (uint8_t)~push;
    return true;
}

static bool push_single(struct sx *sx, uint16_t to, uint8_t push)
{
    struct peer *peer = &sx->peers[to];
    struct send_item item = {.what = SEND_FINAL, .to = to};
    const uint16_t leader = view_leader(sx, sx->cur);
    struct vote vote;

    if ((peer->pushes & push) == 0) {
        return true;
    }
    if (push == PUSH_LEADER) {
        item = (struct send_item){
            .what = SEND_VOTE, .kind = VOTE_NOTARIZE, .to = to, .index = leader, .view = sx->cur};
        item.after_seq = leader == sx->own ? sx->durable_seq : 0;
    }
    if (push == PUSH_LEADER ? leader != to && tally_vote(sx, sx->cur, VOTE_NOTARIZE, leader, &vote)
                            : sx->final_held) {
        if (!push_take(sx, peer, 1 + certificate_bytes(sx->n))) {
            return false;
        }
        send_push(sx, item);
    }
    peer->pushes &= (uint8_t)~push;
    return true;
}

/* Send what the tokens allow; false if something is left. */
static bool push_run(struct sx *sx, uint16_t to)
{
    static const uint8_t votes[] = {PUSH_NULLIFY, PUSH_NOTARIZE, PUSH_FINALIZE};
    struct peer *peer = &sx->peers[to];

    if (!push_single(sx, to, PUSH_FINAL) || !push_single(sx, to, PUSH_LEADER) ||
        !sweep_run(sx, to, &peer->gaps) || !sweep_run(sx, to, &peer->high) ||
        !sweep_run(sx, to, &peer->low)) {
        return false;
    }
    for (uint32_t i = 0; i < sizeof votes; i++) {
        if ((peer->pushes & votes[i]) != 0 && !push_votes(sx, to, votes[i])) {
            return false;
        }
    }
    return true;
}

static void push_evaluate(struct sx *sx)
{
    bool left = false;

    if (sx->now < sx->push_at) {
        return;
    }
    for (uint16_t i = 0; i < sx->n; i++) {
        if (i != sx->own && sx->peers[i].open && !push_run(sx, i)) {
            left = true;
        }
    }
    sx->push_at = left ? later(sx->now, PUSH_WAIT_MS) : NEVER;
}

static void push_add(struct sx *sx, struct peer *peer, uint8_t pushes)
{
    peer->pushes |= pushes;
    sx->push_at = 0;
}

/* C-6, retry after NULLIFY. */
void repair_retry(struct sx *sx)
{
    const uint8_t leader = MUTANT_IS(315) ? 0 : PUSH_LEADER;

    for (uint16_t i = 0; i < sx->n; i++) {
        struct peer *peer = &sx->peers[i];

        if (i != sx->own && peer->open) {
            push_add(sx, peer, (uint8_t)(PUSH_FINAL | PUSH_NULLIFY | leader));
            sweep_gaps(sx, peer, SWEEP_NULLIFY);
            sweep_high(sx, peer, SWEEP_NULLIFY | SWEEP_CERTS);
        }
    }
}

/* A session opened: where we stand, own votes above final_view, and our proposal (C-1, C-3). */
void repair_session(struct sx *sx, uint16_t peer_index)
{
    struct peer *peer = &sx->peers[peer_index];

    peer->tokens = PUSH_MESSAGES_MAX;
    peer->tokens_ms = sx->now;
    send_status(sx, peer_index);
    if (sx->own == VALIDATOR_NONE || sx->phase != PHASE_RUNNING) {
        return;
    }
    sweep_low(sx, peer, sx->final.view + 1, SWEEP_OWN);
    sweep_gaps(sx, peer, SWEEP_OWN);
    sweep_high(sx, peer,
               sx->restored_certs && !peer->relayed ? SWEEP_OWN | SWEEP_CERTS : SWEEP_OWN);
    peer->relayed = true;
    sx->missing_at = sooner(sx->missing_at, sx->now); /* C-1: whoever comes may have it */
    if (view_leader(sx, sx->cur) == sx->own && mine_of(sx, sx->cur).notarized) {
        send_push(sx, (struct send_item){.what = SEND_PROPOSAL,
                                         .to = peer_index,
                                         .view = sx->cur,
                                         .after_seq = sx->durable_seq});
    }
}

/* C-9(c): no new finality for 8 D while there is work. */
static void standstill_evaluate(struct sx *sx)
{
    const uint64_t wait = STANDSTILL_DELTAS * sx->params.delta_ms;
    const uint64_t since = sx->final_ms > sx->work_ms ? sx->final_ms : sx->work_ms;

    if (!sx->work || MUTANT_IS(320)) {
        sx->standstill_at = NEVER;
        return;
    }
    if (sx->standstill_at == NEVER || sx->standstill_at < later(since, wait)) {
        sx->standstill_at = later(since, wait);
    }
    if (sx->now < sx->standstill_at || !send_room(sx)) {
        return;
    }
    sx->standstill_at = later(sx->now, wait);
    if (sx->standstill_from <= sx->final.view || sx->standstill_from > sx->cur) {
        sx->standstill_from = sx->final.view + 1;
    }
    send_status(sx, SX_TO_ALL);
    for (uint16_t i = 0; i < sx->n; i++) {
        if (i != sx->own && sx->peers[i].open) {
            push_add(sx, &sx->peers[i], PUSH_FINAL);
            sweep_low(sx, &sx->peers[i], sx->standstill_from, SWEEP_OWN | SWEEP_CERTS);
        }
    }
    sx->standstill_from += VIEWS_AHEAD; /* the next pass takes the views above */
}

/* C-9(d): no progress for 2 s while there is work. */
static void stuck_evaluate(struct sx *sx)
{
    const uint64_t since = sx->progress_ms > sx->work_ms ? sx->progress_ms : sx->work_ms;

    if (!sx->work) {
        sx->push_votes_at = NEVER;
        return;
    }
    if (sx->push_votes_at == NEVER || sx->push_votes_at < later(since, PUSH_VOTES_MS)) {
        sx->push_votes_at = later(since, PUSH_VOTES_MS);
    }
    if (sx->now < sx->push_votes_at) {
        return;
    }
    sx->push_votes_at = later(sx->now, PUSH_VOTES_MS);
    for (uint16_t i = 0; i < sx->n; i++) {
        if (i != sx->own && sx->peers[i].open && sx->peers[i].told) {
            push_add(sx, &sx->peers[i], PUSH_NULLIFY | PUSH_NOTARIZE | PUSH_FINALIZE);
        }
    }
}

/* The core begins to run: nothing is under way. */
void repair_start(struct sx *sx)
{
    sx->status_at = later(sx->now, random_below(&sx->random, STATUS_MS));
    sx->missing_at = sx->now;
    sx->standstill_at = NEVER;
    sx->push_votes_at = NEVER;
    sx->push_at = NEVER;
    sx->push_bytes = PUSH_BYTES_MAX;
    sx->push_bytes_ms = sx->now;
}

void repair_evaluate(struct sx *sx)
{
    if (sx->now >= sx->status_at) {
        sx->status_at = later(sx->now, STATUS_MS);
        send_status(sx, SX_TO_ALL);
    }
    relay_evaluate(sx);
    missing_evaluate(sx);
    standstill_evaluate(sx);
    stuck_evaluate(sx);
    push_evaluate(sx);
}

uint64_t repair_deadline(const struct sx *sx)
{
    uint64_t at = sooner(sx->status_at, sx->push_at);

    if (sx->relay_count != 0) {
        at = sooner(at, sx->relays[sx->relay_first].due_ms);
    }
    if (missing_count(sx) != 0) {
        at = sooner(at, sx->missing_at);
    }
    return sooner(at, sooner(sx->standstill_at, sx->push_votes_at));
}

/*
 * Blocks from peers: single bodies that the core wants (8.4), and ranges of final blocks (8.18).
 *
 * A height counts only with a certificate: STATUS merely says whom to ask.  A range is checked, its blocks are
 * executed in order and held in the pool, and a commit is asked for where its certificate is.  This version has
 * at most two ranges on their way and asks for a quarter of the pool at once.
 */
#include <string.h>

#include "crypto/hash.h"
#include "node/inner.h"

enum {
    FETCH_BURST = 16,      /* asked for in one turn; the server answers 20 a second */
    REFUSAL_WAIT_MS = 250, /* doubled with each in a row */
    REFUSALS_MAX = 3,      /* then the claim is not believed any more */
};

size_t sync_footprint(uint32_t validators, uint32_t body_bytes_max)
{
    return RANGES_MAX * arena_rounded(serve_bytes(validators, body_bytes_max));
}

static void tail_reset(struct driver *driver)
{
    driver->sync.tail_height = driver->blocks.final.height;
    memcpy(driver->sync.tail_hash, driver->blocks.final.block_hash, HASH_BYTES);
}

void sync_init(struct driver *driver, struct arena *arena, uint32_t body_slots)
{
    struct sync *sync = &driver->sync;

    sync->range_bytes_max = serve_bytes(driver->n, driver->max_block_bytes);
    sync->range_blocks = body_slots / 4;
    if (sync->range_blocks > WIRE_BLOCKS_MAX) {
        sync->range_blocks = WIRE_BLOCKS_MAX;
    }
    sync->behind_since_ms = UINT64_MAX;
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        sync->ranges[i] = (struct range){.memory = arena_must(arena, sync->range_bytes_max)};
    }
    tail_reset(driver);
}

/* ---- single bodies ---- */

static struct fetch *fetch_find(struct driver *driver, const uint8_t *hash)
{
    for (uint32_t i = 0; i < FETCHES_MAX; i++) {
        struct fetch *fetch = &driver->sync.fetches[i];

        if (fetch->used && hash_equal(fetch->hash, hash)) {
            return fetch;
        }
    }
    return NULL;
}

static void fetch_ask(struct driver *driver, struct fetch *fetch, uint32_t peer)
{
    const struct net_port *net = &driver->ports.net;
    uint8_t memory[1 + HASH_BYTES];
    struct writer writer = writer_of(memory, sizeof memory);

    fetch->next_ms = driver_now(driver) + FETCH_RETRY_MS;
    if (peer == VALIDATOR_NONE) {
        return;
    }
    fetch->peer = peer;
    wire_get_block_write(&writer, fetch->hash);
    INVARIANT(!writer.failed);
    net->send(net->self, peer, wire_channel(WIRE_GET_BLOCK), writer_done(&writer),
              (struct bytes){0});
}

/*
 * Want a block: ask this peer, then every 300 ms another one, until it is here or nobody needs it.  A full node
 * may not ask for single blocks (8.20): ranges bring them.
 */
void fetch_add(struct driver *driver, const uint8_t *hash, uint32_t peer, bool own)
{
    struct fetch *free = NULL;
    struct fetch *fetch = fetch_find(driver, hash);

    if (fetch != NULL) {
        fetch->own = fetch->own || own;
        return;
    }
    for (uint32_t i = 0; i < FETCHES_MAX && free == NULL; i++) {
        free = driver->sync.fetches[i].used ? NULL : &driver->sync.fetches[i];
    }
    if (free == NULL || driver->own_index == VALIDATOR_NONE) {
        return;
    }
    *free = (struct fetch){.used = true, .own = own};
    memcpy(free->hash, hash, HASH_BYTES);
    if (peer >= driver->n || peer == driver->own_index || !driver->peers[peer].open) {
        peer = peer_random(driver, VALIDATOR_NONE);
    }
    fetch_ask(driver, free, peer);
}

static bool fetch_needed(const struct driver *driver, const struct fetch *fetch)
{
    if (bodies_find(&driver->bodies, fetch->hash) != NULL) {
        return false;
    }
    return (fetch->own && driver->commits.count != 0) || sx_needs_block(driver->sx, fetch->hash);
}

static void fetch_tick(struct driver *driver)
{
    const uint64_t now = driver_now(driver);
    const uint32_t start = (uint32_t)random_below(&driver->random, FETCHES_MAX);
    uint32_t asked = 0;

    for (uint32_t i = 0; i < FETCHES_MAX; i++) {
        struct fetch *fetch = &driver->sync.fetches[(start + i) % FETCHES_MAX];

        if (!fetch->used || fetch->next_ms > now) {
            continue;
        }
        fetch->used = fetch_needed(driver, fetch);
        if (fetch->used && asked < FETCH_BURST) {
            fetch_ask(driver, fetch, peer_random(driver, fetch->peer));
            asked += 1;
        } else {
            fetch->next_ms = now + FETCH_RETRY_MS;
        }
    }
}

/* BLOCK: an answer, or nothing that was asked for. */
void fetch_block(struct driver *driver, uint32_t peer, struct bytes message)
{
    struct block_header header;
    struct bytes body;
    struct body *place;
    struct fetch *fetch;
    uint8_t hash[HASH_BYTES];

    if (!wire_block_decode(message, &header, &body)) {
        driver->ports.tell.fault(driver->ports.tell.self, peer, VERIFY_MALFORMED);
        return;
    }
    block_header_hash(&header, hash);
    fetch = fetch_find(driver, hash);
    if (fetch == NULL || body.count > driver->max_block_bytes ||
        bodies_find(&driver->bodies, hash) != NULL) {
        return;
    }
    if (!block_body_matches(&header, body)) { /* 8.2: missing; another peer is asked */
        driver->ports.tell.fault(driver->ports.tell.self, peer, VERIFY_SIGNATURE);
        fetch_ask(driver, fetch, peer_random(driver, peer));
        return;
    }
    place = bodies_place(&driver->bodies, driver->sx, driver->tip.hash);
    if (place == NULL) {
        return;
    }
    body_fill(place, &header, hash, bytes_after(message, 1));
    fetch->used = false;
    driver_answer_body(driver, hash);
}

/* ---- whom to ask for ranges ---- */

/* A STATUS, or a certificate that stands for one. */
void sync_claim(struct driver *driver, uint32_t peer, uint64_t height, uint64_t earliest)
{
    struct peer *entry = peer_of(driver, peer);

    if (height != entry->claim_height) {
        entry->refusals = 0;
    }
    entry->claim_height = height;
    entry->claim_earliest = earliest;
}

static void peer_refused(struct driver *driver, uint32_t peer)
{
    struct peer *entry = peer_of(driver, peer);
    const uint64_t wait = (uint64_t)REFUSAL_WAIT_MS << entry->refusals;

    entry->refusals += 1;
    entry->ask_after_ms = driver_now(driver) + (wait < SYNC_IDLE_MS ? wait : SYNC_IDLE_MS);
    if (entry->refusals >= REFUSALS_MAX) {
        entry->refusals = REFUSALS_MAX;
        entry->ask_after_ms = driver_now(driver) + SYNC_IDLE_MS;
        entry->claim_height = driver->blocks.final.height;
    }
}

static uint64_t highest_claim(const struct driver *driver)
{
    uint64_t highest = 0;

    for (uint32_t i = 0; i < driver->n + PEER_FULL_MAX; i++) {
        const struct peer *peer = &driver->peers[i];

        if (peer->open && peer->claim_height > highest) {
            highest = peer->claim_height;
        }
    }
    return highest;
}

/* The peer with the fewest open ranges that claims the height; UINT32_MAX if there is none now. */
static uint32_t peer_for(struct driver *driver, uint64_t height)
{
    const uint32_t count = driver->n + PEER_FULL_MAX;
    const uint32_t start = (uint32_t)random_below(&driver->random, count);
    const uint64_t now = driver_now(driver);
    const struct peer *best = NULL;

    for (uint32_t i = 0; i < count; i++) {
        const struct peer *peer = &driver->peers[(start + i) % count];

        if (peer->open && peer->claim_height >= height && peer->claim_earliest <= height &&
            peer->ask_after_ms <= now && (best == NULL || peer->ranges < best->ranges)) {
            best = peer;
        }
    }
    if (best == NULL) {
        return UINT32_MAX;
    }
    return best - driver->peers < driver->n
               ? (uint32_t)(best - driver->peers)
               : PEER_FULL + (uint32_t)(best - driver->peers) - driver->n;
}

/* ---- ranges ---- */

static void range_free(struct driver *driver, struct range *range)
{
    if (range->state == RANGE_ASKED) {
        struct peer *peer = peer_of(driver, range->peer);

        INVARIANT(peer->ranges > 0);
        peer->ranges -= 1;
    }
    range->state = RANGE_FREE;
}

static void range_ask(struct driver *driver, struct range *range, uint64_t from, uint32_t blocks,
                      uint32_t peer)
{
    const struct net_port *net = &driver->ports.net;
    uint8_t memory[32];
    struct writer writer = writer_of(memory, sizeof memory);
    struct wire_get_blocks get;

    driver->sync.next_id += 1;
    range->state = RANGE_ASKED;
    range->id = driver->sync.next_id;
    range->peer = peer;
    range->from = from;
    range->blocks = blocks;
    range->asked_ms = driver_now(driver);
    peer_of(driver, peer)->ranges += 1;
    get = (struct wire_get_blocks){
        .id = range->id, .from = from, .blocks = (uint16_t)blocks, .bytes = WIRE_RANGE_BYTES_MAX};
    wire_get_blocks_write(&writer, &get);
    INVARIANT(!writer.failed);
    net->send(net->self, peer, wire_channel(WIRE_GET_BLOCKS), writer_done(&writer),
              (struct bytes){0});
}

/* The first height above the tail that no range has or asks for, and how many may be asked for there. */
static uint64_t first_uncovered(const struct sync *sync, uint32_t *blocks)
{
    uint64_t at = sync->tail_height + 1;

    *blocks = sync->range_blocks;
    for (uint32_t pass = 0; pass < RANGES_MAX; pass++) {
        for (uint32_t i = 0; i < RANGES_MAX; i++) {
            const struct range *range = &sync->ranges[i];

            if (range->state != RANGE_FREE && range->from <= at &&
                at - range->from < range->blocks) {
                at = range->from + range->blocks;
            }
        }
    }
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        const struct range *range = &sync->ranges[i];

        if (range->state != RANGE_FREE && range->from > at && range->from - at < *blocks) {
            *blocks = (uint32_t)(range->from - at);
        }
    }
    return at;
}

static void ranges_ask(struct driver *driver)
{
    struct sync *sync = &driver->sync;

    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        uint32_t blocks;
        uint32_t peer;
        uint64_t from;

        if (sync->ranges[i].state != RANGE_FREE) {
            continue;
        }
        from = first_uncovered(sync, &blocks);
        peer = peer_for(driver, from);
        if (peer == UINT32_MAX) {
            return;
        }
        range_ask(driver, &sync->ranges[i], from, blocks, peer);
    }
}

/* ---- the check of an answer, cheapest first ---- */

/* From the first block to the certified header each is the parent of the next; bodies are not looked at. */
static bool answer_chained(const struct range *range)
{
    const struct wire_blocks *answer = &range->answer;
    struct bytes left = answer->blocks;
    struct block_header header;
    struct bytes body;
    uint8_t hash[HASH_BYTES] = {0};

    for (uint32_t i = 0; i < (uint32_t)answer->count + answer->header_count; i++) {
        if (i < answer->count) {
            INVARIANT(wire_blocks_next(&left, &header, &body));
        } else {
            const size_t at = (size_t)(i - answer->count) * BLOCK_HEADER_BYTES;

            INVARIANT(block_header_decode(bytes_of(answer->headers.at + at, BLOCK_HEADER_BYTES),
                                          &header));
        }
        if (header.height != range->from + i || (i != 0 && !hash_equal(header.parent_hash, hash))) {
            return false;
        }
        block_header_hash(&header, hash);
    }
    return hash_equal(hash, answer->certificate.statement.candidate.block_hash) &&
           answer->certificate.statement.candidate.view >= header.view;
}

static bool answer_bodies(const struct driver *driver, const struct range *range)
{
    struct bytes left = range->answer.blocks;
    struct block_header header;
    struct bytes body;

    for (uint32_t i = 0; i < range->answer.count; i++) {
        INVARIANT(wire_blocks_next(&left, &header, &body));
        if (body.count > driver->max_block_bytes || !block_body_matches(&header, body)) {
            return false;
        }
    }
    return true;
}

static bool answer_holds(const struct driver *driver, const struct range *range)
{
    const struct wire_blocks *answer = &range->answer;
    const struct statement *statement = &answer->certificate.statement;

    return answer->from == range->from && answer->count <= range->blocks &&
           statement->kind == VOTE_FINALIZE &&
           statement->candidate.epoch == driver->context.epoch && answer_chained(range) &&
           verify_certificate(&driver->context, &answer->certificate) &&
           answer_bodies(driver, range);
}

void sync_blocks(struct driver *driver, uint32_t peer, struct bytes message)
{
    struct sync *sync = &driver->sync;
    struct range *range = NULL;
    struct wire_blocks answer;

    if (message.count > sync->range_bytes_max ||
        !wire_blocks_decode(message, (uint16_t)driver->n, &answer)) {
        driver->ports.tell.fault(driver->ports.tell.self, peer, VERIFY_MALFORMED);
        return;
    }
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        if (sync->ranges[i].state == RANGE_ASKED && sync->ranges[i].id == answer.id &&
            sync->ranges[i].peer == peer) {
            range = &sync->ranges[i];
        }
    }
    if (range == NULL) {
        return; /* given up long ago */
    }
    range_free(driver, range);
    if (answer.result != WIRE_BLOCKS_FOLLOW) {
        peer_refused(driver, peer);
        return;
    }
    memcpy(range->memory, message.at, message.count);
    INVARIANT(wire_blocks_decode(bytes_of(range->memory, message.count), (uint16_t)driver->n,
                                 &range->answer));
    if (!answer_holds(driver, range)) {
        driver->ports.tell.fault(driver->ports.tell.self, peer, VERIFY_SIGNATURE);
        peer_refused(driver, peer);
        return;
    }
    peer_of(driver, peer)->refusals = 0;
    range->blocks = range->answer.count;
    range->state = RANGE_HERE;
}

/* ---- blocks in order ---- */

enum outcome { SYNC_DONE, SYNC_WAITS, SYNC_DEAD };

/* Put one block of a checked range on the tail. */
static enum outcome block_take(struct driver *driver, const struct block_header *header,
                               struct bytes row)
{
    struct sync *sync = &driver->sync;
    struct body *body;
    uint8_t hash[HASH_BYTES];

    block_header_hash(header, hash);
    if (!hash_equal(header->parent_hash, sync->tail_hash)) {
        driver_fatal(driver, ERR_CORRUPT, "two certified chains");
        return SYNC_DEAD;
    }
    body = bodies_find(&driver->bodies, hash);
    if (body == NULL) {
        body = bodies_place(&driver->bodies, driver->sx, driver->tip.hash);
        if (body == NULL) {
            return SYNC_WAITS;
        }
        body_fill(body, header, hash, row);
    }
    body->sync = true;
    switch (execute_block(driver, hash)) {
    case SX_VALID:
        break;
    case SX_INVALID:
        driver_fatal(driver, ERR_CORRUPT, "execution contradicts a final block");
        return SYNC_DEAD;
    case SX_MISSING: /* what the tail stood on is gone: begin anew from the final block */
        tail_reset(driver);
        return SYNC_WAITS;
    }
    driver->work_stale = true;
    sync->tail_height = header->height;
    memcpy(sync->tail_hash, hash, HASH_BYTES);
    return SYNC_DONE;
}

/* The certificate stands on the tail: commit everything up to it. */
static enum outcome tail_commit(struct driver *driver, const struct certificate *certificate)
{
    const struct candidate *final = &certificate->statement.candidate;
    const uint64_t count = driver->sync.tail_height - driver->blocks.final.height;
    const struct body *body = bodies_find(&driver->bodies, driver->sync.tail_hash);
    struct commit *job;

    if (count > SX_COMMITS_MAX || !commit_room(driver)) {
        return SYNC_WAITS;
    }
    job = commit_add(driver, final, certificate->encoded);
    job->count = (uint32_t)count;
    for (uint32_t i = job->count; i > 0; i--) {
        INVARIANT(body != NULL); /* marked `sync`, so it stays until it is committed */
        memcpy(job->hashes[i - 1], body->hash, HASH_BYTES);
        body = bodies_find(&driver->bodies, body->header.parent_hash);
    }
    return SYNC_DONE;
}

static enum outcome range_take(struct driver *driver, struct range *range)
{
    struct bytes left = range->answer.blocks;
    enum outcome outcome = SYNC_DONE;

    for (uint32_t i = 0; i < range->answer.count && outcome == SYNC_DONE; i++) {
        const uint8_t *at = left.at;
        struct block_header header;
        struct bytes body;

        INVARIANT(wire_blocks_next(&left, &header, &body));
        if (header.height > driver->sync.tail_height) {
            outcome = block_take(driver, &header, bytes_of(at, BLOCK_HEADER_BYTES + body.count));
        }
    }
    if (outcome == SYNC_DONE && range->answer.header_count == 0) {
        const struct candidate *final = &range->answer.certificate.statement.candidate;

        if (hash_equal(final->block_hash, driver->sync.tail_hash) &&
            driver->sync.tail_height > driver->blocks.final.height) {
            outcome = tail_commit(driver, &range->answer.certificate);
        }
    }
    return outcome;
}

/* Is any node known to be ahead, so far or so long that consensus will not close the gap by itself? */
static bool sync_active(struct driver *driver)
{
    struct sync *sync = &driver->sync;
    const uint64_t final = driver->blocks.final.height;
    const uint64_t claim = highest_claim(driver);

    if (claim <= final) {
        sync->behind_since_ms = UINT64_MAX;
        return false;
    }
    if (sync->behind_since_ms == UINT64_MAX || sync->behind_height != final) {
        sync->behind_since_ms = driver_now(driver);
        sync->behind_height = final;
    }
    return driver->own_index == VALIDATOR_NONE || claim > final + SYNC_NEAR ||
           driver_now(driver) - sync->behind_since_ms >= SYNC_WAIT_MS;
}

/* Take what is here in order, ask for more.  True if something was taken. */
bool sync_run(struct driver *driver)
{
    struct sync *sync = &driver->sync;

    if (!driver->started) {
        return false;
    }
    if (sync->tail_height <= driver->blocks.final.height) {
        tail_reset(driver);
    }
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        struct range *range = &sync->ranges[i];

        if (range->state != RANGE_HERE || range->from > sync->tail_height + 1) {
            continue;
        }
        if (range->from + range->blocks <= driver->blocks.final.height + 1) {
            range_free(driver, range); /* consensus was faster */
            continue;
        }
        if (range_take(driver, range) == SYNC_DONE) {
            range_free(driver, range);
            return true;
        }
        return false;
    }
    if (sync_active(driver)) {
        ranges_ask(driver);
    }
    return false;
}

/* M|final moved on. */
void sync_committed(struct driver *driver)
{
    if (driver->sync.tail_height <= driver->blocks.final.height) {
        tail_reset(driver);
    }
}

void sync_closed(struct driver *driver, uint32_t peer)
{
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        struct range *range = &driver->sync.ranges[i];

        if (range->state == RANGE_ASKED && range->peer == peer) {
            range_free(driver, range);
        }
    }
}

void sync_tick(struct driver *driver)
{
    const uint64_t now = driver_now(driver);

    fetch_tick(driver);
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        struct range *range = &driver->sync.ranges[i];

        if (range->state == RANGE_ASKED && now - range->asked_ms >= RANGE_TIMEOUT_MS) {
            const uint32_t peer = range->peer;

            range_free(driver, range);
            peer_refused(driver, peer);
        }
    }
}

uint64_t sync_deadline(const struct driver *driver)
{
    const struct sync *sync = &driver->sync;
    uint64_t deadline = UINT64_MAX;

    for (uint32_t i = 0; i < FETCHES_MAX; i++) {
        if (sync->fetches[i].used && sync->fetches[i].next_ms < deadline) {
            deadline = sync->fetches[i].next_ms;
        }
    }
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        const uint64_t timeout = sync->ranges[i].asked_ms + RANGE_TIMEOUT_MS;

        if (sync->ranges[i].state == RANGE_ASKED && timeout < deadline) {
            deadline = timeout;
        }
    }
    return deadline;
}

void sync_check(const struct driver *driver)
{
    const struct sync *sync = &driver->sync;
    uint32_t asked = 0;
    uint32_t counted = 0;

    INVARIANT(sync->tail_height >= driver->blocks.final.height);
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        asked += sync->ranges[i].state == RANGE_ASKED ? 1 : 0;
    }
    for (uint32_t i = 0; i < driver->n + PEER_FULL_MAX; i++) {
        counted += driver->peers[i].ranges;
    }
    INVARIANT(asked == counted);
}

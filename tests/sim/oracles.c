/*
 * What must hold, checked at every event; reliability 3.3 by number.
 *
 * The rules are said again here, over the signatures that exist, the bytes on the wire and the records on the
 * disk.  What a node knows is what reached it: votes and certificates delivered to it in any of its lives,
 * and its own.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "proto/wire.h"
#include "tests/sim/world.h"

void sim_fail(struct sim *sim, uint32_t oracle, const char *format, ...)
{
    va_list arguments;

    if (sim->failed || (sim->options.skip_oracles >> oracle & 1) != 0) {
        return;
    }
    sim->failed = true;
    sim->failed_oracle = oracle;
    sim->failed_at_us = sim->now_us;
    sim->failed_event = sim->event_count;
    va_start(arguments, format);
    (void)vsnprintf(sim->failure, sizeof sim->failure, format, arguments);
    va_end(arguments);
}

/* ---- names of statements, as keys of sets ---- */

enum { KEY_VOTE = 1, KEY_SLOT = 2, KEY_BODY = 3, KEY_CERT = 4 };

static uint64_t key_make(uint64_t purpose, uint8_t kind, const struct words_cert *of)
{
    uint64_t fields[4 + HASH_BYTES / 8] = {purpose << 8 | kind, of->epoch, of->view};
    uint64_t key;

    if (purpose == KEY_VOTE || purpose == KEY_CERT) {
        fields[3] = of->parent_view;
    }
    if (purpose != KEY_SLOT && kind != VOTE_NULLIFY && of->block != NULL) {
        memcpy(&fields[4], of->block, HASH_BYTES);
    }
    key = digest_of(bytes_of(fields, sizeof fields), purpose);
    return key == 0 ? 1 : key;
}

static uint64_t key_body(const uint8_t *block)
{
    const struct words_cert of = {.block = block};

    return key_make(KEY_BODY, 0, &of);
}

/* ---- records on the disk (3) ---- */

/* The layout of state/vote_log.h's files, in own words: heads, then records on multiples of eight. */
enum {
    LOG_HEAD = 8 + 4 + 4 + 4 * 8 + 16 + 2 * 16,
    LOG_RECORD_HEAD = 4 + 3 * 8 + 8,
    LOG_MAC = 16,
};

static void durable_add(struct node *node, struct bytes record)
{
    struct reader reader = reader_of(record);
    struct words_cert of = {0};
    const uint8_t type = reader_u8(&reader);

    if (type == 1) { /* BLOCK */
        const struct bytes header = reader_take(&reader, BLOCK_HEADER_BYTES);
        uint8_t hash[HASH_BYTES];

        if (reader.failed) {
            return;
        }
        hash_of(TAG_BLOCK, header, hash);
        app_set_add(&node->durable, key_body(hash));
        if (facts_block(node->sim, hash) == NULL) { /* a node without peers shows it to nobody */
            struct packet *packet = packet_make(node->sim, header, reader.left);

            facts_learn(node->sim, hash, packet, packet->bytes,
                        bytes_after(packet_bytes(packet), BLOCK_HEADER_BYTES), node_honest(node));
            packet_drop(packet);
        }
    } else if (type == 2 || type == 4) { /* NOTARIZE, FINALIZE */
        of.epoch = reader_u64(&reader);
        of.view = reader_u64(&reader);
        of.parent_view = reader_u64(&reader);
        of.block = reader_take(&reader, HASH_BYTES).at;
        app_set_add(&node->durable,
                    key_make(KEY_VOTE, type == 2 ? VOTE_NOTARIZE : VOTE_FINALIZE, &of));
    } else if (type == 3) { /* NULLIFY */
        of.epoch = reader_u64(&reader);
        of.view = reader_u64(&reader);
        app_set_add(&node->durable, key_make(KEY_VOTE, VOTE_NULLIFY, &of));
    }
    if ((type == 4 || type == 5) && /* the certificate in FINALIZE; CERT */
        words_cert_read(reader.left, node->sim->n, &of) != 0) {
        app_set_add(&node->durable, key_make(KEY_CERT, of.kind, &of));
        if (of.view > node->durable_cert_view) {
            node->durable_cert_view = of.view;
        }
    }
}

/* Read the durable image of a segment from `from` on; where it ends. */
static size_t durable_scan(struct node *node, const struct disk_segment *segment, size_t from)
{
    size_t at = from < LOG_HEAD ? LOG_HEAD : from;

    while (at + LOG_RECORD_HEAD + LOG_MAC <= segment->touched) {
        struct reader reader = reader_of(bytes_of(segment->durable + at, segment->touched - at));
        const uint32_t length = reader_u32(&reader);

        if (length == 0 || length > segment->touched - at - LOG_RECORD_HEAD - LOG_MAC) {
            break;
        }
        durable_add(node, bytes_of(segment->durable + at + LOG_RECORD_HEAD, length));
        at += (LOG_RECORD_HEAD + length + LOG_MAC + 7) / 8 * 8;
    }
    return at;
}

void oracles_rescan(struct node *node)
{
    app_set_clear(&node->durable);
    node->durable_cert_view = 0;
    for (uint32_t i = 0; i < node->disk.count; i++) {
        node->disk.segments[i].scanned = durable_scan(node, &node->disk.segments[i], 0);
    }
}

void oracles_synced(struct node *node)
{
    for (uint32_t i = 0; i < node->disk.count; i++) {
        struct disk_segment *segment = &node->disk.segments[i];

        segment->scanned = durable_scan(node, segment, segment->scanned);
    }
}

static bool final_here(const struct node *node, const uint8_t *block, uint64_t height)
{
    const struct sim *sim = node->sim;

    return height <= node->told_height && height <= sim->chain_height &&
           memcmp(sim->chain[height], block, HASH_BYTES) == 0;
}

/* Is the body of a block, and of each ancestor that is not final here, on this disk? */
static bool bodies_durable(const struct node *node, const uint8_t *block)
{
    struct sim *sim = node->sim;

    for (;;) {
        const struct known_block *known = facts_block(sim, block);

        if (known == NULL) {
            return memcmp(block, sim->block_0_hash, HASH_BYTES) == 0;
        }
        if (final_here(node, block, known->header.height)) {
            return true;
        }
        if (!app_set_has(&node->durable, key_body(block))) {
            return false;
        }
        block = known->header.parent_hash;
    }
}

static const char *kind_name(uint8_t kind)
{
    return kind == VOTE_NOTARIZE ? "NOTARIZE" : kind == VOTE_NULLIFY ? "NULLIFY" : "FINALIZE";
}

/* Oracle 3: what must be on the disk before this vote leaves. */
static void check_durable(struct node *node, uint8_t kind, const struct words_cert *of)
{
    struct sim *sim = node->sim;

    if (!app_set_has(&node->durable, key_make(KEY_VOTE, kind, of))) {
        sim_fail(sim, 3, "node %u sends %s of view %" PRIu64 " without a durable record of it",
                 node->number, kind_name(kind), of->view);
        return;
    }
    if (kind != VOTE_NULLIFY && !bodies_durable(node, of->block)) {
        sim_fail(sim, 3, "node %u sends %s of view %" PRIu64 " without durable bodies",
                 node->number, kind_name(kind), of->view);
        return;
    }
    if (kind == VOTE_FINALIZE &&
        !app_set_has(&node->durable, key_make(KEY_CERT, VOTE_NOTARIZE, of))) {
        sim_fail(sim, 3,
                 "node %u sends FINALIZE of view %" PRIu64 " without a durable certificate of it",
                 node->number, of->view);
        return;
    }
    if (kind != VOTE_FINALIZE && of->view >= 2 && of->view - 1 > node->final_view_seen &&
        node->durable_cert_view < of->view - 1) {
        sim_fail(sim, 3,
                 "node %u sends %s of view %" PRIu64
                 " without a durable certificate of the view before",
                 node->number, kind_name(kind), of->view);
    }
}

/* ---- signatures (1, 2) ---- */

static bool heard_quorum(const struct sim *sim, const struct fact *fact, uint32_t node,
                         uint8_t kind)
{
    return facts_is_quorum(sim, fact->heard[node][kind == VOTE_FINALIZE] & fact->signed_by[kind]);
}

/* Does the node hold a certificate of a candidate of this view on this block? */
static bool view_carries(struct node *node, uint64_t epoch, uint64_t view, const uint8_t *block)
{
    struct sim *sim = node->sim;
    const struct view_facts *of = facts_view(sim, epoch, view, false);

    for (const struct fact *fact = of == NULL ? NULL : of->facts; fact != NULL; fact = fact->next) {
        if (memcmp(fact->block, block, HASH_BYTES) == 0 &&
            (heard_quorum(sim, fact, node->number, VOTE_NOTARIZE) ||
             heard_quorum(sim, fact, node->number, VOTE_FINALIZE))) {
            return true;
        }
    }
    return false;
}

static bool view_nullified(struct node *node, uint64_t epoch, uint64_t view)
{
    struct sim *sim = node->sim;
    const struct view_facts *of = facts_view(sim, epoch, view, false);

    return of != NULL && facts_is_quorum(sim, of->heard_nullify[node->number] & of->nullified_by);
}

/* The block under a candidate: the parent's of a NEW, itself of a REPEAT. */
static const uint8_t *parent_block(struct sim *sim, const struct words_cert *of)
{
    const struct known_block *known = facts_block(sim, of->block);

    if (known != NULL && known->header.view == of->view) {
        return known->header.parent_hash;
    }
    return of->block;
}

/* Oracle 2, NOTARIZE: a certified parent, and every view between nullified. */
static void check_justified(struct node *node, const struct words_cert *of)
{
    struct sim *sim = node->sim;
    const uint8_t *parent = parent_block(sim, of);

    if (of->parent_view == 0) {
        if (memcmp(parent, sim->block_0_hash, HASH_BYTES) != 0) {
            sim_fail(sim, 2, "node %u notarizes in view %" PRIu64 " a block that is not on block 0",
                     node->number, of->view);
            return;
        }
    } else if (!(of->parent_view == node->summary.final_view &&
                 memcmp(parent, node->summary.final_hash, HASH_BYTES) == 0) &&
               !view_carries(node, of->epoch, of->parent_view, parent)) {
        sim_fail(sim, 2,
                 "node %u notarizes in view %" PRIu64 " on view %" PRIu64
                 " without a certificate of its parent",
                 node->number, of->view, of->parent_view);
        return;
    }
    for (uint64_t view = of->parent_view + 1; view < of->view; view++) {
        if (!view_nullified(node, of->epoch, view)) {
            sim_fail(sim, 2,
                     "node %u notarizes in view %" PRIu64 " on view %" PRIu64 " while view %" PRIu64
                     " is not nullified",
                     node->number, of->view, of->parent_view, view);
            return;
        }
    }
}

static void marks_signed(struct node *node, uint8_t kind, const struct words_cert *of,
                         const struct view_facts *view)
{
    struct sim *sim = node->sim;
    const uint32_t own = UINT32_C(1) << node->validator;
    const uint64_t cur = node->summary.cur;

    if (kind == VOTE_NOTARIZE && (view->nullified_by & own) != 0) {
        sim_mark_set(sim, MARK_NOTARIZE_AFTER_NULLIFY);
    }
    if (kind == VOTE_FINALIZE && cur > of->view + 1) {
        sim_mark_set(sim, MARK_FINALIZE_LATE);
    }
    if (kind == VOTE_NULLIFY && of->view < cur) {
        sim_mark_set(sim, MARK_NULLIFY_BELOW);
    }
    if (kind == VOTE_NULLIFY && of->view == cur) {
        const uint32_t leader = validators_leader(&sim->leaders, cur);
        const struct node *other = &sim->nodes[leader];
        const uint64_t now_ms = machine_now_us(node) / US_PER_MS;

        /* Before T_prop can have fired, and not for a word of the leader: it is down or cut off. */
        if (leader != node->validator && !other->twin && node_honest(other) &&
            (view->heard_nullify[node->number] >> leader & 1) == 0 &&
            now_ms < node->summary.entered_ms + 2 * sim->params.delta_ms &&
            (!other->up || !net_reach(sim, leader, node->number) ||
             !sim->links[node->number][leader].open)) {
            sim_mark_set(sim, MARK_FAST_SKIP);
        }
    }
}

/* A statement was signed by an honest node for the first time, or again. */
void oracles_signed(struct node *node, struct bytes statement)
{
    struct sim *sim = node->sim;
    struct reader reader = reader_of(bytes_after(statement, 4));
    const uint8_t kind = reader_u8(&reader);
    const bool chain = memcmp(reader_take(&reader, HASH_BYTES).at, sim->chain_id, HASH_BYTES) == 0;
    struct words_cert of = {.epoch = reader_u64(&reader)};
    const uint32_t own = UINT32_C(1) << node->validator;
    struct view_facts *view;

    of.view = reader_u64(&reader);
    of.parent_view = reader_u64(&reader);
    of.block = reader_take(&reader, HASH_BYTES).at;
    view = facts_view(sim, of.epoch, of.view, true);
    if (!chain || kind < 1 || kind > 3 || of.epoch != node->summary.epoch) {
        sim_fail(sim, 1, "node %u signs what is of no kind, chain or epoch of its own",
                 node->number);
        return;
    }
    if (kind == VOTE_NULLIFY
            ? (view->nullified_by & own) != 0
            : (facts_of(sim, of.epoch, of.view, of.parent_view, of.block, true)->signed_by[kind] &
               own) != 0) {
        return; /* the same again */
    }
    if (of.view <= node->final_view_seen) {
        sim_fail(sim, 2, "node %u signs %s of view %" PRIu64 ", not above its final view %" PRIu64,
                 node->number, kind_name(kind), of.view, node->final_view_seen);
        return;
    }
    for (const struct fact *fact = view->facts; fact != NULL; fact = fact->next) {
        const bool same =
            fact->parent_view == of.parent_view && memcmp(fact->block, of.block, HASH_BYTES) == 0;

        if (kind != VOTE_NULLIFY && !same && (fact->signed_by[kind] & own) != 0) {
            sim_fail(sim, 1, "node %u signs a second %s in view %" PRIu64, node->number,
                     kind_name(kind), of.view);
            return;
        }
        if (kind == VOTE_NULLIFY && (fact->signed_by[VOTE_FINALIZE] & own) != 0) {
            sim_fail(sim, 2, "node %u signs NULLIFY after FINALIZE in view %" PRIu64, node->number,
                     of.view);
            return;
        }
        if (!same && ((kind == VOTE_FINALIZE && (fact->signed_by[VOTE_NOTARIZE] & own) != 0) ||
                      (kind == VOTE_NOTARIZE && (fact->signed_by[VOTE_FINALIZE] & own) != 0))) {
            sim_fail(sim, 2,
                     "node %u signs NOTARIZE and FINALIZE of different candidates in view %" PRIu64,
                     node->number, of.view);
            return;
        }
    }
    if (kind == VOTE_FINALIZE) {
        const struct fact *fact = facts_of(sim, of.epoch, of.view, of.parent_view, of.block, true);

        if ((view->nullified_by & own) != 0) {
            sim_fail(sim, 2, "node %u signs FINALIZE after NULLIFY in view %" PRIu64, node->number,
                     of.view);
            return;
        }
        if (!heard_quorum(sim, fact, node->number, VOTE_NOTARIZE)) {
            sim_fail(sim, 2,
                     "node %u signs FINALIZE in view %" PRIu64 " without a NOTARIZE certificate",
                     node->number, of.view);
            return;
        }
        if ((fact->signed_by[VOTE_NOTARIZE] & own) == 0) {
            sim_mark_set(sim, MARK_FINALIZE_WITHOUT_NOTARIZE);
        }
    }
    marks_signed(node, kind, &of, view);
}

/* ---- messages (1, 3, 5) ---- */

/* Oracle 5: what is sent decodes, and encodes to itself. */
static void check_encoding(struct node *node, const struct packet *packet)
{
    static uint8_t memory[SIM_BLOCK_BYTES_MAX + (32 << 10)];
    struct sim *sim = node->sim;
    struct writer writer = writer_of(memory, sizeof memory);
    const struct bytes bytes = packet_bytes(packet);
    bool decoded = true;

    if ((packet->words.what & SIM_VOTES) != 0) {
        struct vote vote;

        decoded = wire_vote_decode(bytes, &vote);
        if (decoded) {
            wire_vote_write(&writer, &vote);
        }
    } else if ((packet->words.what & SIM_CERTS) != 0) {
        struct certificate certificate;

        decoded = wire_cert_decode(bytes, (uint16_t)sim->n, &certificate);
        if (decoded) {
            wire_cert_write(&writer, &certificate);
        }
    } else if ((packet->words.what & SIM_PROPOSALS) != 0) {
        struct wire_proposal proposal;

        decoded = wire_proposal_decode(bytes, (uint16_t)sim->n, &proposal);
        if (decoded) {
            wire_proposal_write(&writer, &proposal);
            writer_view(&writer, proposal.body);
        }
    } else if (packet->words.what == SIM_STATUS) {
        struct wire_status status;

        decoded = wire_status_decode(bytes, &status);
        if (decoded) {
            wire_status_write(&writer, &status);
        }
    } else if (packet->words.what == SIM_GET_CERTS) {
        struct wire_get_certs get;

        decoded = wire_get_certs_decode(bytes, &get);
        if (decoded) {
            wire_get_certs_write(&writer, &get);
        }
    } else {
        return;
    }
    if (!decoded || writer.failed || !bytes_equal(writer_done(&writer), bytes)) {
        sim_fail(sim, 5, "node %u sends a %s that %s", node->number, words_name(packet->words.what),
                 decoded ? "does not encode to itself" : "does not decode");
    }
}

/* A vote leaves (alone, or a leader's in its proposal). */
static void vote_leaves(struct node *node, const struct packet *packet)
{
    struct sim *sim = node->sim;
    const struct words *words = &packet->words;
    const struct words_cert of = {.epoch = words->epoch,
                                  .view = words->view,
                                  .parent_view = words->parent_view,
                                  .block = words->block};
    const uint64_t key = key_make(KEY_VOTE, words->kind, &of);
    const struct view_facts *view = facts_view(sim, of.epoch, of.view, true);
    const uint32_t own = UINT32_C(1) << node->validator;
    const bool proposal = (words->what & SIM_PROPOSALS) != 0;
    uint32_t signers;

    if (!proposal && words->index != node->validator) {
        return; /* another's vote, passed on */
    }
    if (proposal && validators_leader(&sim->leaders, words->view) != node->validator) {
        sim_fail(sim, 1, "node %u sends a proposal of view %" PRIu64 ", which it does not lead",
                 node->number, words->view);
        return;
    }
    signers = words->kind == VOTE_NULLIFY
                  ? view->nullified_by
                  : facts_of(sim, of.epoch, of.view, of.parent_view, of.block, true)
                        ->signed_by[words->kind];
    if ((signers & own) == 0) {
        sim_fail(sim, 1, "node %u sends a %s of view %" PRIu64 " that it did not sign",
                 node->number, kind_name(words->kind), words->view);
        return;
    }
    if (proposal) {
        const uint64_t proposed = key ^ UINT64_C(0x5a5a);

        if (!app_set_has(&node->released_life, proposed)) {
            app_set_add(&node->released_life, proposed);
            if (app_set_has(&node->released, proposed)) {
                sim_mark_set(sim, MARK_PROPOSAL_AGAIN);
            }
            app_set_add(&node->released, proposed);
            if (trace_wanted(sim)) {
                trace_line(sim, true, node->number, "%s %s view %" PRIu64,
                           words->what == SIM_PROPOSE ? "propose" : "repeat",
                           sim_block_name(sim, words->block), words->view);
            }
        }
        if (words->what == SIM_PROPOSE && words->parent_view + 1 < words->view) {
            sim_mark_set(sim, MARK_SKIPPED_VIEW);
        }
    }
    if (app_set_has(&node->released_life, key)) {
        return;
    }
    app_set_add(&node->released_life, key);
    if (words->kind == VOTE_NOTARIZE && !app_set_has(&node->released, key)) {
        check_justified(node, &of); /* a leader's block is not known before its proposal leaves */
    }
    app_set_add(&node->released, key);
    app_set_add(&node->released, key_make(KEY_SLOT, words->kind, &of));
    check_durable(node, words->kind, &of);
    if (trace_wanted(sim) && !proposal) {
        if (words->kind == VOTE_NULLIFY) {
            trace_line(sim, true, node->number, "nullify view %" PRIu64, words->view);
        } else {
            trace_line(sim, true, node->number, "%s %s view %" PRIu64,
                       words->kind == VOTE_NOTARIZE ? "notarize" : "finalize",
                       sim_block_name(sim, words->block), words->view);
        }
    }
}

bool oracles_released(const struct node *node, uint8_t kind, uint64_t view, const uint8_t *block)
{
    struct sim *sim = node->sim;
    const struct words_cert of = {.epoch = 1, .view = view, .block = block};
    const struct view_facts *facts = facts_view(sim, 1, view, false);

    if (block == NULL || kind == VOTE_NULLIFY) {
        return app_set_has(&node->released, key_make(KEY_SLOT, kind, &of));
    }
    for (const struct fact *fact = facts == NULL ? NULL : facts->facts; fact != NULL;
         fact = fact->next) {
        const struct words_cert with = {
            .epoch = 1, .view = view, .parent_view = fact->parent_view, .block = block};

        if (memcmp(fact->block, block, HASH_BYTES) == 0 &&
            app_set_has(&node->released, key_make(KEY_VOTE, kind, &with))) {
            return true;
        }
    }
    return false;
}

static uint32_t bit_of(uint32_t what)
{
    return (uint32_t)__builtin_ctz(what);
}

void oracles_sent(struct node *node, uint32_t to, const struct packet *packet)
{
    struct sim *sim = node->sim;
    const struct words *words = &packet->words;

    (void)to;
    node->sent_messages[bit_of(words->what)] += 1;
    check_encoding(node, packet);
    if (node->validator == VALIDATOR_NONE) {
        if ((words->what & (SIM_CONSENSUS | SIM_GET_CERTS | SIM_GET_BLOCK)) != 0) {
            sim_fail(sim, 1, "full node %u sends a %s", node->number, words_name(words->what));
        }
        if (words->what == SIM_SYNC && packet->bytes[0] == 0x50) {
            sim_mark_set(sim, MARK_FULL_NODE);
        }
        return;
    }
    if ((words->what & (SIM_VOTES | SIM_PROPOSALS)) != 0 && words->whole) {
        vote_leaves(node, packet);
    }
    if (words->what == SIM_GET_CERTS) {
        sim_mark_set(sim, MARK_CERTS_ASKED);
    }
    if (words->what == SIM_GET_BLOCK) {
        sim_mark_set(sim, MARK_FETCHED);
    }
    if (words->what == SIM_SYNC && packet->bytes[0] == 0x50) {
        sim_mark_set(sim, MARK_SYNCED);
    }
    if (sim->now_us >= sim->silent_from_us &&
        (words->what & (SIM_CONSENSUS | SIM_GET_CERTS | SIM_GET_BLOCK | SIM_BLOCK | SIM_SYNC)) !=
            0) {
        sim_fail(sim, 20, "node %u sends a %s of view %" PRIu64 " with nothing to do", node->number,
                 words_name(words->what), words->view);
    }
}

/* ---- final blocks (4, 7, 8, 9, 10) ---- */

static bool certificate_holds(struct sim *sim, const struct certificate *certificate,
                              struct words_cert *of)
{
    uint8_t statement[STATEMENT_BYTES];
    const uint8_t *signature;

    if (words_cert_read(certificate->encoded, sim->n, of) != certificate->encoded.count ||
        of->kind != VOTE_FINALIZE) {
        return false;
    }
    words_statement(sim->chain_id, of->kind, of, statement);
    signature = of->signatures;
    for (uint32_t i = 0; i < sim->n; i++) {
        if ((of->signers >> i & 1) == 0) {
            continue;
        }
        if (!ed25519_verify(sim->set.members[i].consensus_key,
                            bytes_of(statement, sizeof statement), signature)) {
            return false;
        }
        signature += SIGNATURE_BYTES;
    }
    return true;
}

/* Is the block of this hash and height at or below the certified one? */
static bool leads_to(struct sim *sim, const uint8_t *hash, uint64_t height, const uint8_t *top)
{
    for (;;) {
        const struct known_block *known;

        if (memcmp(hash, top, HASH_BYTES) == 0) {
            return true;
        }
        known = facts_block(sim, top);
        if (known == NULL || known->header.height <= height) {
            return false;
        }
        top = known->header.parent_hash;
    }
}

static void chain_add(struct sim *sim, const uint8_t *hash)
{
    if (sim->chain_height + 2 > sim->chain_size) {
        sim->chain_size = sim->chain_size * 2 + 256;
        sim->chain = realloc(sim->chain, sim->chain_size * HASH_BYTES);
        INVARIANT(sim->chain != NULL);
    }
    sim->chain_height += 1;
    memcpy(sim->chain[sim->chain_height], hash, HASH_BYTES);
}

/* Oracle 9, and the state root of 8: once a height, on what every node agreed to. */
static void check_block(struct sim *sim, const struct block_header *header, struct bytes body)
{
    const struct known_block *parent = facts_block(sim, header->parent_hash);
    const struct block_header *below = parent == NULL ? &sim->block_0 : &parent->header;
    struct reader reader = reader_of(body);
    uint8_t root[HASH_BYTES];
    uint32_t count = 0;

    if (below->height + 1 == header->height) {
        app_root(below->state_root, header->time_ms, body, root);
        if (memcmp(root, header->state_root, HASH_BYTES) != 0) {
            sim_fail(sim, 8, "final block %" PRIu64 " has another state root than its transactions",
                     header->height);
        }
        if (header->time_ms <= below->time_ms) {
            sim_fail(sim, 9, "final block %" PRIu64 " is not later than its parent",
                     header->height);
        }
    }
    while (reader.left.count != 0 && !reader.failed) {
        const uint32_t length = reader_u32(&reader);
        const struct bytes bytes = reader_take(&reader, length);
        struct client_tx *tx;
        struct app_tx read;

        count += 1;
        if (reader.failed || !app_tx_read(bytes, &read)) {
            sim_fail(sim, 9, "final block %" PRIu64 " holds what is no transaction",
                     header->height);
            return;
        }
        tx = sim_tx_find(sim, app_tx_key(&read));
        if (tx == NULL || tx->digest != digest_of(bytes, 1)) {
            sim_fail(sim, 9, "final block %" PRIu64 " holds a transaction that nobody submitted",
                     header->height);
            return;
        }
        if (tx->final) {
            sim_fail(sim, 9, "transaction %u of client %u is final twice", tx->name.number,
                     tx->name.client);
            return;
        }
        if (tx->validity != 0 || (tx->expiry_ms != 0 && tx->expiry_ms < header->time_ms)) {
            sim_fail(sim, 9, "invalid transaction %u of client %u is final", tx->name.number,
                     tx->name.client);
            return;
        }
        tx->final = true;
        tx->final_height = header->height;
        swarm_final(sim, tx);
    }
    if (count != header->tx_count || count == 0) {
        sim_fail(sim, 9, "final block %" PRIu64 " is empty or of another count", header->height);
    }
}

/* Agreement on one block; true when it is a new height. */
static bool check_agreed(struct node *node, uint64_t height, const uint8_t *hash)
{
    struct sim *sim = node->sim;

    if (height <= sim->chain_height) {
        if (memcmp(sim->chain[height], hash, HASH_BYTES) != 0) {
            sim_fail(sim, 7, "node %u has another final block at height %" PRIu64, node->number,
                     height);
        }
        return false;
    }
    if (height != sim->chain_height + 1) {
        sim_fail(sim, 4, "node %u has a final block at height %" PRIu64 " above a gap",
                 node->number, height);
        return false;
    }
    chain_add(sim, hash);
    return true;
}

void oracles_final(struct node *node, const struct block_header *header, const uint8_t *hash,
                   struct bytes body, const struct certificate *certificate)
{
    struct sim *sim = node->sim;
    struct words_cert of;
    uint8_t encoded[BLOCK_HEADER_BYTES];
    uint8_t again[HASH_BYTES];
    uint8_t key[9] = {'B'};
    struct writer writer = writer_of(key + 1, 8);

    writer_u64(&writer, header->height);
    block_header_encode(header, encoded);
    hash_of(TAG_BLOCK, bytes_of(encoded, sizeof encoded), again);
    if (memcmp(again, hash, HASH_BYTES) != 0) {
        sim_fail(sim, 4, "node %u tells of a block under a hash of another", node->number);
        return;
    }
    if (header->height != node->told_height + 1 ||
        memcmp(header->parent_hash, node->told_hash, HASH_BYTES) != 0) {
        sim_fail(sim, 4, "node %u tells of height %" PRIu64 " after %" PRIu64, node->number,
                 header->height, node->told_height);
        return;
    }
    if (!certificate_holds(sim, certificate, &of) ||
        !leads_to(sim, hash, header->height, of.block)) {
        sim_fail(sim, 4, "node %u has no certificate that makes height %" PRIu64 " final",
                 node->number, header->height);
        return;
    }
    if (kv_sim_look(&node->blocks, bytes_of(key, sizeof key)).at == NULL ||
        node->blocks.batch != node->blocks.durable_batch) {
        sim_fail(sim, 3, "node %u tells of height %" PRIu64 " before it is durable", node->number,
                 header->height);
        return;
    }
    node->told_height = header->height;
    memcpy(node->told_hash, hash, HASH_BYTES);
    if (memcmp(of.block, hash, HASH_BYTES) != 0) {
        sim_mark_set(sim, MARK_ANCESTORS_FINAL);
    } else if (of.view != header->view) {
        sim_mark_set(sim, MARK_REPEAT_FINAL);
    }
    if (trace_wanted(sim)) {
        trace_line(sim, true, node->number, "final %s height %" PRIu64, sim_block_name(sim, hash),
                   header->height);
    }
    if (check_agreed(node, header->height, hash)) {
        check_block(sim, header, body);
    }
}

/* ---- what a node says of others (14) ---- */

void oracles_evidence(struct node *node, const struct vote *first, const struct vote *second)
{
    struct sim *sim = node->sim;
    const struct candidate *a = &first->statement.candidate;
    const struct candidate *b = &second->statement.candidate;
    const uint8_t one = (uint8_t)first->statement.kind;
    const uint8_t two = (uint8_t)second->statement.kind;
    const bool same =
        a->parent_view == b->parent_view && memcmp(a->block_hash, b->block_hash, HASH_BYTES) == 0;
    const bool closed = one == VOTE_NULLIFY || two == VOTE_NULLIFY;
    const bool finals = one == VOTE_FINALIZE || two == VOTE_FINALIZE;

    sim_mark_set(sim, MARK_EVIDENCE);
    if (first->index != second->index || a->epoch != b->epoch || a->view != b->view ||
        first->index >= sim->n || (closed ? one == two || !finals : same)) {
        sim_fail(sim, 14, "node %u takes two votes for evidence that do not contradict each other",
                 node->number);
    } else if (node_honest(&sim->nodes[first->index])) {
        sim_fail(sim, 14, "node %u accuses honest validator %u", node->number, first->index);
    }
}

void oracles_report(struct node *node, enum sx_report what)
{
    if (what == SX_REPORT_CONFLICT || what == SX_REPORT_DIVERGED) {
        sim_fail(node->sim, 7, "node %u reports %s", node->number,
                 what == SX_REPORT_CONFLICT ? "two certificates that cannot both be"
                                            : "that a final block's result differs");
    }
    if (what == SX_REPORT_FOREIGN_VOTE) {
        sim_fail(node->sim, 14, "node %u takes its own vote for a foreign one", node->number);
    }
}

/* An honest node is never charged by another: not for what it sends, nor for what it passes on. */
void oracles_fault(struct node *node, uint32_t peer, enum verify_fault fault)
{
    struct sim *sim = node->sim;

    if (peer < sim->n && node_honest(&sim->nodes[peer]) && fault != VERIFY_OTHER_EPOCH) {
        sim_fail(sim, 5, "node %u charges honest node %u (fault %d)", node->number, peer,
                 (int)fault);
    }
}

/* ---- a node's course (4, 10) ---- */

static void marks_started(struct node *node)
{
    struct sim *sim = node->sim;
    const uint32_t own = node->validator < sim->n ? UINT32_C(1) << node->validator : 0;
    const struct view_facts *view = facts_view(sim, 1, node->summary.cur, false);
    bool voted = view != NULL && (view->nullified_by & own) != 0;

    for (const struct fact *fact = view == NULL ? NULL : view->facts; fact != NULL;
         fact = fact->next) {
        voted = voted || (fact->signed_by[VOTE_NOTARIZE] & own) != 0;
    }
    if (node->life > 1 && node->summary.cur == node->view_before) {
        sim_mark_set(sim, MARK_SAME_VIEW_RESTART);
        if (voted) {
            sim_mark_set(sim, MARK_RESTART_VOTED);
        }
    }
    if (node->summary.final_height > node->start_height) {
        sim_mark_set(sim, MARK_REPLAYED);
    }
    if (node->found.dropped_bytes != 0) {
        sim_mark_set(sim, MARK_TORN_TAIL);
    }
    if (node->found.state == VOTE_LOG_DAMAGED) {
        sim_mark_set(sim, MARK_LOG_DAMAGED);
    }
}

/* After a start: what was told stays, and what lies in the store is of the chain that all agreed to. */
void oracles_started(struct node *node)
{
    struct sim *sim = node->sim;
    const struct sx_summary *now = &node->summary;

    oracles_rescan(node);
    marks_started(node);
    if (!node_honest(node)) {
        node->told_height = now->final_height;
        memcpy(node->told_hash, now->final_hash, HASH_BYTES);
        return;
    }
    if (now->final_height < node->told_height) {
        sim_fail(sim, 10, "node %u told clients of height %" PRIu64 " and starts at %" PRIu64,
                 node->number, node->told_height, now->final_height);
        return;
    }
    for (uint64_t height = node->told_height + 1; height <= now->final_height; height++) {
        uint8_t key[9] = {'B'};
        struct writer writer = writer_of(key + 1, 8);
        struct block_header header;
        struct bytes row;
        uint8_t hash[HASH_BYTES];

        writer_u64(&writer, height);
        row = kv_sim_look(&node->blocks, bytes_of(key, sizeof key));
        if (row.count < BLOCK_HEADER_BYTES ||
            !block_header_decode(bytes_of(row.at, BLOCK_HEADER_BYTES), &header)) {
            sim_fail(sim, 10, "node %u starts at height %" PRIu64 " without block %" PRIu64,
                     node->number, now->final_height, height);
            return;
        }
        hash_of(TAG_BLOCK, bytes_of(row.at, BLOCK_HEADER_BYTES), hash);
        if (check_agreed(node, height, hash)) {
            check_block(sim, &header, bytes_after(row, BLOCK_HEADER_BYTES));
        }
        node->told_height = height;
        memcpy(node->told_hash, hash, HASH_BYTES);
    }
    if (memcmp(node->told_hash, now->final_hash, HASH_BYTES) != 0) {
        sim_fail(sim, 10, "node %u starts with another final block than its store holds",
                 node->number);
    }
}

void oracles_after(struct node *node)
{
    struct sim *sim = node->sim;
    const struct sx_summary *now = &node->summary;

    if (now->epoch < node->epoch_seen ||
        (now->epoch == node->epoch_seen && now->final_view < node->final_view_seen)) {
        sim_fail(sim, 2, "final view of node %u falls from %" PRIu64 " to %" PRIu64, node->number,
                 node->final_view_seen, now->final_view);
        return;
    }
    if (now->final_height != node->told_height) {
        sim_fail(sim, 4, "node %u is at height %" PRIu64 " and told of %" PRIu64, node->number,
                 now->final_height, node->told_height);
        return;
    }
    if (now->cur <= now->final_view) {
        sim_fail(sim, 2, "node %u is in view %" PRIu64 ", final view %" PRIu64, node->number,
                 now->cur, now->final_view);
        return;
    }
    if (now->open_views > VIEWS_OPEN || now->old_views > VIEWS_OLD) {
        sim_fail(sim, 5, "node %u keeps %u open and %u old views", node->number, now->open_views,
                 now->old_views);
        return;
    }
    node->epoch_seen = now->epoch;
    node->final_view_seen = now->final_view;
}

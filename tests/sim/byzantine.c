/*
 * Byzantine nodes.  Each runs a real driver and core; its role decides what becomes of the messages.
 *
 * A role may sign anything with its own key, and use every signature that reached it.  It signs for nobody
 * else: byzantine_sign takes the node's own secret, and certificates are made of what was heard.
 */
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include "proto/wire.h"
#include "tests/sim/world.h"

enum { SEEN_MAX = 256, MESSAGE_BYTES = SIM_BLOCK_BYTES_MAX + (32 << 10) };

struct heard_vote {
    uint8_t kind;
    struct candidate candidate;
    uint32_t index;
    uint8_t signature[SIGNATURE_BYTES];
};

struct byzantine {
    struct heard_vote *votes; /* each signature once, as far as that is cheap */
    uint32_t vote_count;
    uint32_t vote_size;
    struct packet *seen[SEEN_MAX]; /* a ring of messages heard and sent */
    uint32_t seen_count;
    struct packet **made; /* proposals of its own making */
    uint32_t made_count;
    uint32_t made_size;
};

static struct byzantine *state_of(struct node *node)
{
    if (node->byzantine == NULL) {
        node->byzantine = calloc(1, sizeof *node->byzantine);
        INVARIANT(node->byzantine != NULL);
    }
    return node->byzantine;
}

void byzantine_close(struct node *node)
{
    struct byzantine *byzantine = node->byzantine;

    if (byzantine == NULL) {
        return;
    }
    for (uint32_t i = 0; i < SEEN_MAX; i++) {
        if (byzantine->seen[i] != NULL) {
            packet_drop(byzantine->seen[i]);
        }
    }
    for (uint32_t i = 0; i < byzantine->made_count; i++) {
        packet_drop(byzantine->made[i]);
    }
    free(byzantine->made);
    free(byzantine->votes);
    free(byzantine);
    node->byzantine = NULL;
}

static struct random *draws(const struct node *node)
{
    return sim_random(node->sim, STREAM_BYZANTINE);
}

static bool one_in(const struct node *node, uint64_t of)
{
    return random_below(draws(node), of) == 0;
}

/* A set of other nodes: each with a chance of one half, at least one. */
static uint32_t some_nodes(const struct node *node)
{
    const uint32_t all = (UINT32_C(1) << node->sim->node_count) - 1;
    const uint32_t drawn = (uint32_t)random_next(draws(node)) & all;

    return drawn != 0 ? drawn : all;
}

/* ---- what it knows ---- */

static void vote_keep(struct byzantine *byzantine, uint8_t kind, const struct words_cert *of,
                      uint32_t index, const uint8_t *signature)
{
    struct heard_vote *vote;

    for (uint32_t i = byzantine->vote_count; i > 0 && i + 256 > byzantine->vote_count; i--) {
        if (memcmp(byzantine->votes[i - 1].signature, signature, SIGNATURE_BYTES) == 0) {
            return;
        }
    }
    if (byzantine->vote_count == byzantine->vote_size) {
        byzantine->vote_size = byzantine->vote_size * 2 + 256;
        byzantine->votes =
            realloc(byzantine->votes, byzantine->vote_size * sizeof *byzantine->votes);
        INVARIANT(byzantine->votes != NULL);
    }
    vote = &byzantine->votes[byzantine->vote_count];
    byzantine->vote_count += 1;
    *vote = (struct heard_vote){
        .kind = kind,
        .candidate = {.epoch = of->epoch, .view = of->view, .parent_view = of->parent_view},
        .index = index};
    memcpy(vote->candidate.block_hash, of->block, HASH_BYTES);
    memcpy(vote->signature, signature, SIGNATURE_BYTES);
}

static void words_keep(struct node *node, const struct words *words)
{
    struct byzantine *byzantine = state_of(node);
    const struct words_cert of = {.epoch = words->epoch,
                                  .view = words->view,
                                  .parent_view = words->parent_view,
                                  .block = words->block};

    if ((words->what & SIM_VOTES) != 0 && words->whole) {
        vote_keep(byzantine, words->kind, &of, words->index, words->signature);
    }
    if ((words->what & SIM_PROPOSALS) != 0 && words->whole && words->view != 0) {
        vote_keep(byzantine, VOTE_NOTARIZE, &of,
                  validators_leader(&node->sim->leaders, words->view), words->signature);
    }
    for (uint32_t i = 0; i < words->cert_count && words->whole; i++) {
        const struct words_cert *cert = &words->certs[i];
        const uint8_t *signature = cert->signatures;

        for (uint32_t k = 0; k < node->sim->n; k++) {
            if ((cert->signers >> k & 1) != 0) {
                vote_keep(byzantine, cert->kind, cert, k, signature);
                signature += SIGNATURE_BYTES;
            }
        }
    }
}

static void packet_keep(struct node *node, struct packet *packet)
{
    struct byzantine *byzantine = state_of(node);
    struct packet **place = &byzantine->seen[byzantine->seen_count % SEEN_MAX];

    if (*place != NULL) {
        packet_drop(*place);
    }
    packet->holders += 1;
    *place = packet;
    byzantine->seen_count += 1;
}

static void byzantine_sign(struct node *node, uint8_t kind, const struct candidate *candidate,
                           uint8_t signature[SIGNATURE_BYTES])
{
    const struct statement statement = {.kind = (enum vote_kind)kind, .candidate = *candidate};
    uint8_t bytes[STATEMENT_BYTES];
    struct words_cert of = {.epoch = candidate->epoch,
                            .view = candidate->view,
                            .parent_view = candidate->parent_view,
                            .block = candidate->block_hash};

    statement_sign_bytes(node->sim->chain_id, &statement, bytes);
    facts_signed(node->sim, node->number, bytes_of(bytes, sizeof bytes));
    ed25519_sign(node->secret, bytes_of(bytes, sizeof bytes), signature);
    vote_keep(state_of(node), kind, &of, node->validator, signature);
}

/* ---- what it says ---- */

static void say(struct node *node, uint32_t to, struct packet *packet)
{
    struct sim *sim = node->sim;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        if ((to >> i & 1) != 0 && sim->nodes[i].peer != node->peer) {
            net_put(node, i, packet);
        }
    }
}

static void say_vote(struct node *node, uint8_t kind, const struct candidate *candidate,
                     uint32_t to)
{
    uint8_t memory[1 + VOTE_BYTES];
    struct writer writer = writer_of(memory, sizeof memory);
    struct vote vote = {.statement = {.kind = (enum vote_kind)kind, .candidate = *candidate},
                        .index = (uint16_t)node->validator};
    struct packet *packet;

    if (kind == VOTE_NULLIFY) {
        vote.statement = statement_nullify(candidate->epoch, candidate->view);
    }
    byzantine_sign(node, kind, &vote.statement.candidate, vote.signature);
    wire_vote_write(&writer, &vote);
    INVARIANT(!writer.failed);
    packet = packet_make(node->sim, writer_done(&writer), bytes_of(NULL, 0));
    say(node, to, packet);
    packet_drop(packet);
}

/* A certificate of votes that were heard; false if there are not enough. */
static bool cert_make(struct node *node, uint8_t kind, const struct candidate *candidate,
                      uint8_t *memory, struct certificate *out)
{
    struct sim *sim = node->sim;
    const struct byzantine *byzantine = state_of(node);
    const uint8_t *signatures[VALIDATORS_MAX] = {NULL};
    const struct statement statement = {.kind = (enum vote_kind)kind, .candidate = *candidate};
    uint8_t bytes[STATEMENT_BYTES];
    uint32_t count = 0;

    statement_sign_bytes(sim->chain_id, &statement, bytes);
    for (uint32_t i = 0; i < byzantine->vote_count; i++) {
        const struct heard_vote *vote = &byzantine->votes[i];

        if (vote->kind == kind && candidate_equal(&vote->candidate, candidate) &&
            vote->index < sim->n && signatures[vote->index] == NULL &&
            ed25519_verify(sim->set.members[vote->index].consensus_key,
                           bytes_of(bytes, sizeof bytes), vote->signature)) {
            signatures[vote->index] = vote->signature;
            count += 1;
        }
    }
    if (count < sim->q) {
        return false;
    }
    certificate_make(&statement, (uint16_t)sim->n, signatures, memory, out);
    return true;
}

/* ---- proposals ---- */

static void merkle_of(struct bytes body, uint8_t out[HASH_BYTES])
{
    struct merkle merkle;
    struct bytes transaction;

    merkle_begin(&merkle);
    while (block_body_next(&body, &transaction)) {
        uint8_t hash[HASH_BYTES];

        hash_of(TAG_TXWIRE, transaction, hash);
        merkle_add(&merkle, bytes_of(hash, sizeof hash));
    }
    merkle_root(&merkle, out);
}

/* Sign, write and keep a proposal; the candidate's fields and the header are the caller's. */
static struct packet *proposal_packet(struct node *node, struct wire_proposal *proposal,
                                      struct bytes body)
{
    static uint8_t memory[MESSAGE_BYTES];
    struct sim *sim = node->sim;
    struct byzantine *byzantine = state_of(node);
    struct writer writer = writer_of(memory, sizeof memory);
    struct packet *packet;

    byzantine_sign(node, VOTE_NOTARIZE, &proposal->candidate, proposal->signature);
    wire_proposal_write(&writer, proposal);
    INVARIANT(!writer.failed);
    packet = packet_make(sim, writer_done(&writer),
                         proposal->form == WIRE_FORM_REPEAT ? bytes_of(NULL, 0) : body);
    facts_proposed(sim, node->number, packet);
    if (byzantine->made_count == byzantine->made_size) {
        byzantine->made_size = byzantine->made_size * 2 + 16;
        byzantine->made = realloc(byzantine->made, byzantine->made_size * sizeof *byzantine->made);
        INVARIANT(byzantine->made != NULL);
    }
    byzantine->made[byzantine->made_count] = packet;
    byzantine->made_count += 1;
    return packet;
}

/* Fill what follows from the body; the parent's state root leads to the block's. */
static void header_fill(struct block_header *header, const uint8_t *parent_root, struct bytes body,
                        uint32_t tx_count)
{
    header->tx_count = tx_count;
    header->tx_bytes = (uint32_t)body.count;
    header->units_used = tx_count;
    merkle_of(body, header->txs_root);
    app_root(parent_root, header->time_ms, body, header->state_root);
    app_receipts_root(tx_count, header->receipts_root);
}

/* Write transactions that nobody else has seen: they count as submitted by a client of this node. */
static uint32_t txs_write(struct node *node, uint32_t valid, uint32_t invalid,
                          struct writer *writer)
{
    struct sim *sim = node->sim;

    for (uint32_t i = 0; i < valid + invalid; i++) {
        uint8_t bytes[APP_TX_BYTES_MAX];
        struct client_tx *tx;
        const struct sim_tx name = sim_tx_make(
            sim, sim->next_client,
            &(struct sim_submit){.validity = i < valid ? SIM_TX_VALID : SIM_TX_INVALID});

        sim->next_client += 1;
        tx = &sim->txs[name.number - 1];
        tx->wanted = false;
        sim_tx_bytes(tx, bytes);
        writer_u32(writer, tx->bytes);
        writer_bytes(writer, bytes, tx->bytes);
    }
    return valid + invalid;
}

static const struct block_header *header_of(struct sim *sim, const uint8_t *hash)
{
    const struct known_block *known = facts_block(sim, hash);

    if (known != NULL) {
        return &known->header;
    }
    return memcmp(hash, sim->block_0_hash, HASH_BYTES) == 0 ? &sim->block_0 : NULL;
}

/* Another block of the same leader, view and parent: its own transaction instead of the pool's. */
static struct packet *second_proposal(struct node *node, const struct packet *first)
{
    struct sim *sim = node->sim;
    struct wire_proposal proposal;
    uint8_t memory[APP_TX_BYTES_MAX + 4];
    struct writer writer = writer_of(memory, sizeof memory);
    const struct block_header *parent;

    if (!wire_proposal_decode(packet_bytes(first), (uint16_t)sim->n, &proposal) ||
        proposal.form != WIRE_FORM_FULL) {
        return NULL;
    }
    parent = header_of(sim, proposal.header.parent_hash);
    if (parent == NULL) {
        return NULL;
    }
    (void)txs_write(node, 1, 0, &writer);
    header_fill(&proposal.header, parent->state_root, writer_done(&writer), 1);
    block_header_hash(&proposal.header, proposal.candidate.block_hash);
    return proposal_packet(node, &proposal, writer_done(&writer));
}

/* REPEAT of the parent's block, in the view of a NEW proposal. */
static struct packet *repeat_proposal(struct node *node, const struct packet *first)
{
    struct sim *sim = node->sim;
    struct wire_proposal proposal;

    if (!wire_proposal_decode(packet_bytes(first), (uint16_t)sim->n, &proposal) ||
        proposal.form != WIRE_FORM_FULL || proposal.candidate.parent_view == 0) {
        return NULL;
    }
    memcpy(proposal.candidate.block_hash, proposal.header.parent_hash, HASH_BYTES);
    proposal.form = WIRE_FORM_REPEAT;
    return proposal_packet(node, &proposal, bytes_of(NULL, 0));
}

/* The same block with another parent view: that of a view with the same block if there is one. */
static struct packet *parents_proposal(struct node *node, const struct packet *first)
{
    struct sim *sim = node->sim;
    struct wire_proposal proposal;
    const uint8_t *parent;

    if (!wire_proposal_decode(packet_bytes(first), (uint16_t)sim->n, &proposal) ||
        proposal.form != WIRE_FORM_FULL) {
        return NULL;
    }
    parent = proposal.header.parent_hash;
    for (uint64_t view = proposal.candidate.view - 1; view > 0; view--) {
        const struct view_facts *of = facts_view(sim, 1, view, false);

        if (view == proposal.candidate.parent_view || view + 64 < proposal.candidate.view) {
            continue;
        }
        for (const struct fact *fact = of == NULL ? NULL : of->facts; fact != NULL;
             fact = fact->next) {
            if (memcmp(fact->block, parent, HASH_BYTES) == 0) {
                proposal.candidate.parent_view = view;
                return proposal_packet(node, &proposal, proposal.body);
            }
        }
    }
    if (proposal.candidate.parent_view == 0) {
        return NULL;
    }
    proposal.candidate.parent_view -= 1;
    return proposal_packet(node, &proposal, proposal.body);
}

/* A block that does not pass: a wrong root, a field that does not fit, a transaction that is not valid. */
static struct packet *invalid_proposal(struct node *node, const struct packet *first)
{
    struct sim *sim = node->sim;
    struct wire_proposal proposal;
    uint8_t memory[APP_TX_BYTES_MAX + 4];
    struct writer writer = writer_of(memory, sizeof memory);
    struct bytes body;

    if (!wire_proposal_decode(packet_bytes(first), (uint16_t)sim->n, &proposal) ||
        proposal.form != WIRE_FORM_FULL) {
        return NULL;
    }
    body = proposal.body;
    switch (random_below(draws(node), 8)) {
    case 0:
        proposal.header.state_root[3] ^= 1;
        break;
    case 1:
        proposal.header.receipts_root[3] ^= 1;
        break;
    case 2:
        proposal.header.history_root[3] ^= 1;
        break;
    case 3:
        proposal.header.height += 1;
        break;
    case 4:
        proposal.header.units_used += 1;
        break;
    case 5:
        proposal.header.flags = BLOCK_SCHED;
        break;
    case 6:
        proposal.header.time_ms = 1;
        break;
    default:
        (void)txs_write(node, 0, 1, &writer);
        body = writer_done(&writer);
        header_fill(&proposal.header, proposal.header.state_root, body, 1);
        break;
    }
    sim_mark_set(sim, MARK_INVALID_BLOCK);
    block_header_hash(&proposal.header, proposal.candidate.block_hash);
    return proposal_packet(node, &proposal, body);
}

/* ---- mutations ---- */

static void mutate_vote(struct node *node, const struct packet *packet, uint32_t to)
{
    const struct words *words = &packet->words;
    struct candidate candidate = {
        .epoch = words->epoch, .view = words->view, .parent_view = words->parent_view};
    uint8_t kind = words->kind;

    memcpy(candidate.block_hash, words->block, HASH_BYTES);
    switch (random_below(draws(node), 6)) {
    case 0:
        candidate.view += 1;
        break;
    case 1:
        candidate.view -= candidate.view > candidate.parent_view + 1;
        break;
    case 2:
        candidate.parent_view = random_below(draws(node), candidate.view);
        break;
    case 3: {
        const struct facts *facts = &node->sim->facts;

        for (uint32_t i = 0; i < facts->block_size; i++) { /* any block but this one */
            if (facts->blocks[i] != NULL && one_in(node, 3)) {
                memcpy(candidate.block_hash, facts->blocks[i]->hash, HASH_BYTES);
                break;
            }
        }
        break;
    }
    case 4:
        candidate.view += random_below(draws(node), 200);
        break;
    default:
        kind = (uint8_t)(1 + random_below(draws(node), 3));
        break;
    }
    if (candidate.view <= candidate.parent_view) {
        return;
    }
    if (kind == VOTE_NULLIFY) {
        candidate.parent_view = 0;
    }
    say_vote(node, kind, &candidate, to);
}

static void mutate_proposal(struct node *node, const struct packet *packet, uint32_t to)
{
    struct sim *sim = node->sim;
    struct wire_proposal proposal;
    struct packet *made = NULL;

    if (!wire_proposal_decode(packet_bytes(packet), (uint16_t)sim->n, &proposal)) {
        return;
    }
    switch (random_below(draws(node), 7)) {
    case 0: /* justification cut */
        proposal.justification_count =
            (uint8_t)(proposal.justification_count - (proposal.justification_count != 0));
        made = proposal_packet(node, &proposal, proposal.body);
        break;
    case 1:
        proposal.justification_count = 0;
        made = proposal_packet(node, &proposal, proposal.body);
        break;
    case 2: /* an older parent, with what is left of the justification */
        proposal.candidate.parent_view =
            random_below(draws(node), proposal.candidate.parent_view + 1);
        made = proposal_packet(node, &proposal, proposal.body);
        break;
    case 3:
        made = second_proposal(node, packet);
        break;
    case 4:
        made = repeat_proposal(node, packet);
        break;
    case 5:
        made = parents_proposal(node, packet);
        break;
    default:
        made = invalid_proposal(node, packet);
        break;
    }
    if (made != NULL) {
        say(node, to, made);
    }
}

/* Bytes changed: of a certificate, of anything. */
static void mutate_bytes(struct node *node, const struct packet *packet, uint32_t to)
{
    static uint8_t memory[MESSAGE_BYTES];
    size_t count = packet->count;
    size_t at;
    struct packet *made;

    if (count > sizeof memory || count < 2) {
        return;
    }
    memcpy(memory, packet->bytes, count);
    switch (random_below(draws(node), 5)) {
    case 0: /* a signature, a bitmap, a number */
        at = 1 + random_below(draws(node), count - 1);
        memory[at] ^= (uint8_t)(1U << random_below(draws(node), 8));
        break;
    case 1: /* the view of a certificate, its signatures kept */
        memory[count > 18 ? 17 : 1] ^= 1;
        break;
    case 2: /* its kind */
        memory[1] = (uint8_t)(1 + random_below(draws(node), 4));
        break;
    case 3: /* one signer for another */
        if (count > 61) {
            memory[60] ^= (uint8_t)random_next(draws(node));
        }
        break;
    default:
        count -= 1 + random_below(draws(node), count - 1 < 70 ? count - 1 : 70);
        break;
    }
    made = packet_make(node->sim, bytes_of(memory, count), bytes_of(NULL, 0));
    say(node, to, made);
    packet_drop(made);
}

static void mutate(struct node *node, uint32_t to, struct packet *packet)
{
    const uint32_t set = to == PEER_ALL ? some_nodes(node) : to < node->sim->n ? SIM_NODE(to) : 0;

    switch (random_below(draws(node), 6)) {
    case 0: /* withhold */
        return;
    case 1: /* other recipients */
        say(node, some_nodes(node), packet);
        return;
    case 2: /* repeat */
        net_send(node, to, packet);
        net_send(node, to, packet);
        return;
    case 3: /* the true one to some, a changed one to others */
        say(node, set, packet);
        break;
    default:
        break;
    }
    if ((packet->words.what & SIM_VOTES) != 0 && packet->words.whole) {
        mutate_vote(node, packet, some_nodes(node));
    } else if ((packet->words.what & SIM_PROPOSALS) != 0) {
        mutate_proposal(node, packet, some_nodes(node));
    } else {
        mutate_bytes(node, packet, set);
    }
}

/* ---- roles ---- */

static void equivocate(struct node *node, uint32_t to, struct packet *packet,
                       struct packet *(*other)(struct node *, const struct packet *))
{
    const uint32_t half = some_nodes(node);
    struct packet *second = packet->words.what == SIM_PROPOSE ? other(node, packet) : NULL;

    if (second == NULL || to != PEER_ALL) {
        net_send(node, to, packet);
        return;
    }
    if (one_in(node, 4)) { /* both to some */
        say(node, half, packet);
        say(node, some_nodes(node), second);
        return;
    }
    say(node, half, packet);
    say(node, ~half, second);
}

static void say_late(struct node *node, uint32_t to, struct packet *packet)
{
    struct sim *sim = node->sim;
    const uint64_t most_us = 6 * sim->params.delta_ms * US_PER_MS;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        if ((to == PEER_ALL || to == sim->nodes[i].peer) && sim->nodes[i].peer != node->peer &&
            net_reach(sim, node->number, i)) {
            const uint64_t late_us = random_below(draws(node), most_us);

            net_deliver_later(sim, node->number, i, packet,
                              net_delay_us(sim, node->number, i) + late_us);
        }
    }
}

static void replay(struct node *node)
{
    struct byzantine *byzantine = state_of(node);
    const uint32_t count = byzantine->seen_count < SEEN_MAX ? byzantine->seen_count : SEEN_MAX;

    if (count != 0) {
        const uint64_t at = random_below(draws(node), count);

        say(node, some_nodes(node), byzantine->seen[at]);
    }
}

void byzantine_send(struct node *node, uint32_t to, struct packet *packet)
{
    const uint32_t what = packet->words.what;

    words_keep(node, &packet->words);
    switch (node->role) {
    case SIM_SILENT:
    case SIM_PUPPET:
        return;
    case SIM_WITHHOLD:
        if ((what & (SIM_VOTES | SIM_PROPOSALS)) != 0 && to == PEER_ALL) {
            say(node, some_nodes(node), packet);
            return;
        }
        break;
    case SIM_PROPOSE_TWICE:
        equivocate(node, to, packet, second_proposal);
        return;
    case SIM_PROPOSE_MIXED:
        equivocate(node, to, packet, repeat_proposal);
        return;
    case SIM_PROPOSE_PARENTS:
        equivocate(node, to, packet, parents_proposal);
        return;
    case SIM_INVALID:
        if (what == SIM_PROPOSE && to == PEER_ALL) {
            struct packet *made = invalid_proposal(node, packet);

            if (made != NULL) {
                say(node, UINT32_MAX, made);
                return;
            }
        }
        break;
    case SIM_LATE:
        say_late(node, to, packet);
        return;
    case SIM_REPLAYER:
        packet_keep(node, packet);
        if (one_in(node, 2)) {
            replay(node);
        }
        break;
    case SIM_MUTATOR:
        if (one_in(node, 2)) {
            mutate(node, to, packet);
            return;
        }
        break;
    case SIM_VOTE_TWICE:
    case SIM_HONEST:
        break;
    }
    net_send(node, to, packet);
}

void byzantine_heard(struct node *node, struct packet *packet)
{
    const struct words *words = &packet->words;

    words_keep(node, words);
    if (node->role == SIM_REPLAYER) {
        packet_keep(node, packet);
    }
    if (node->role == SIM_VOTE_TWICE && (words->what & SIM_PROPOSALS) != 0 && words->whole &&
        words->view > words->parent_view && words->epoch == 1) {
        struct candidate candidate = {
            .epoch = words->epoch, .view = words->view, .parent_view = words->parent_view};

        memcpy(candidate.block_hash, words->block, HASH_BYTES);
        say_vote(node, VOTE_NOTARIZE, &candidate, some_nodes(node));
        say_vote(node, VOTE_FINALIZE, &candidate, some_nodes(node));
        say_vote(node, VOTE_NULLIFY, &candidate, some_nodes(node));
    }
}

void sim_set_byzantine(struct sim *sim, uint32_t node, enum sim_role role)
{
    sim->nodes[node].role = role;
    if (role == SIM_HONEST) {
        sim->byzantine_nodes &= ~SIM_NODE(node);
    } else {
        sim->byzantine_nodes |= SIM_NODE(node);
    }
}

/* ---- words of a puppet ---- */

void sim_say_vote(struct sim *sim, uint32_t node, enum vote_kind kind,
                  const struct candidate *candidate, uint32_t to)
{
    say_vote(&sim->nodes[node], (uint8_t)kind, candidate, to);
}

void sim_say_cert(struct sim *sim, uint32_t node, enum vote_kind kind,
                  const struct candidate *candidate, uint32_t to)
{
    uint8_t memory[CERTIFICATE_BYTES_MAX];
    uint8_t message[CERTIFICATE_BYTES_MAX + 1];
    struct writer writer = writer_of(message, sizeof message);
    struct certificate certificate;
    struct statement statement = {.kind = kind, .candidate = *candidate};
    uint8_t own[SIGNATURE_BYTES];
    struct packet *packet;

    if (kind == VOTE_NULLIFY) {
        statement = statement_nullify(candidate->epoch, candidate->view);
    }
    byzantine_sign(&sim->nodes[node], (uint8_t)kind, &statement.candidate, own);
    if (!cert_make(&sim->nodes[node], (uint8_t)kind, &statement.candidate, memory, &certificate)) {
        sim_check_failed(__FILE__, __LINE__,
                         "node %u lacks votes for a certificate of view %" PRIu64, node,
                         candidate->view);
    }
    wire_cert_write(&writer, &certificate);
    INVARIANT(!writer.failed);
    packet = packet_make(sim, writer_done(&writer), bytes_of(NULL, 0));
    say(&sim->nodes[node], to, packet);
    packet_drop(packet);
}

struct candidate sim_nullify(uint64_t view)
{
    return statement_nullify(1, view).candidate;
}

struct candidate sim_candidate(struct sim *sim, uint64_t view, const uint8_t *block)
{
    const struct view_facts *of = facts_view(sim, 1, view, false);

    for (const struct fact *fact = of == NULL ? NULL : of->facts; fact != NULL; fact = fact->next) {
        if (fact->proposed && (block == NULL || memcmp(fact->block, block, HASH_BYTES) == 0)) {
            struct candidate candidate = {
                .epoch = 1, .view = view, .parent_view = fact->parent_view};

            memcpy(candidate.block_hash, fact->block, HASH_BYTES);
            return candidate;
        }
    }
    sim_check_failed(__FILE__, __LINE__, "nobody proposed it in view %" PRIu64, view);
}

/* history_root of a child of this block. */
static void history_above(struct sim *sim, const uint8_t *parent, uint8_t out[HASH_BYTES])
{
    const uint64_t count = header_of(sim, parent)->height + 1;
    uint8_t(*hashes)[HASH_BYTES] = malloc(count * HASH_BYTES);
    struct history history = {0};

    INVARIANT(hashes != NULL);
    for (uint64_t i = count; i > 0; i--) {
        memcpy(hashes[i - 1], parent, HASH_BYTES);
        parent = i == 1 ? parent : header_of(sim, parent)->parent_hash;
    }
    for (uint64_t i = 0; i < count; i++) {
        history_add(&history, hashes[i]);
    }
    history_root(&history, out);
    free(hashes);
}

/* The candidate that carries a block in the parent's view: notarized or final, else the first proposed. */
static struct candidate parent_candidate(struct sim *sim, const struct sim_proposal *proposal)
{
    const struct view_facts *of = facts_view(sim, 1, proposal->parent_view, false);
    struct candidate candidate = {.epoch = 1, .view = proposal->parent_view};
    const struct fact *found = NULL;

    if (proposal->parent_view == 0) {
        memcpy(candidate.block_hash, sim->block_0_hash, HASH_BYTES);
        return candidate;
    }
    for (const struct fact *fact = of == NULL ? NULL : of->facts; fact != NULL; fact = fact->next) {
        const bool fits =
            proposal->parent == NULL || memcmp(fact->block, proposal->parent, HASH_BYTES) == 0;

        if (fits && (facts_is_quorum(sim, fact->signed_by[VOTE_NOTARIZE]) ||
                     (fact->proposed && found == NULL))) {
            found = fact;
        }
    }
    if (found == NULL) {
        sim_check_failed(__FILE__, __LINE__, "no candidate in view %" PRIu64,
                         proposal->parent_view);
    }
    candidate.parent_view = found->parent_view;
    memcpy(candidate.block_hash, found->block, HASH_BYTES);
    return candidate;
}

static void justify(struct node *node, const struct candidate *parent, uint64_t view,
                    uint8_t (*memory)[CERTIFICATE_BYTES_MAX], struct wire_proposal *out)
{
    uint64_t first = parent->view + 1;

    if (parent->view != 0) {
        if (!cert_make(node, VOTE_NOTARIZE, parent, memory[0], &out->justification[0]) &&
            !cert_make(node, VOTE_FINALIZE, parent, memory[0], &out->justification[0])) {
            sim_check_failed(__FILE__, __LINE__, "node %u has no certificate of view %" PRIu64,
                             node->number, parent->view);
        }
        out->justification_count = 1;
    }
    if (view - first > 16) {
        first = view - 16;
    }
    for (uint64_t w = first; w < view; w++) {
        const struct candidate nullify = sim_nullify(w);

        if (!cert_make(node, VOTE_NULLIFY, &nullify, memory[out->justification_count],
                       &out->justification[out->justification_count])) {
            sim_check_failed(__FILE__, __LINE__, "node %u has no nullification of view %" PRIu64,
                             node->number, w);
        }
        out->justification_count += 1;
    }
}

struct candidate sim_say_proposal(struct sim *sim, uint32_t number,
                                  const struct sim_proposal *proposal, uint32_t to)
{
    static uint8_t certificates[JUSTIFICATION_MAX][CERTIFICATE_BYTES_MAX];
    static uint8_t body[SIM_BLOCK_BYTES_MAX];
    struct node *node = &sim->nodes[number];
    const struct candidate parent = parent_candidate(sim, proposal);
    const struct block_header *below = header_of(sim, parent.block_hash);
    const uint64_t wall_ms = machine_wall_us(node) / US_PER_MS;
    struct writer writer = writer_of(body, sizeof body);
    struct wire_proposal out = {
        .candidate = {.epoch = 1, .view = proposal->view, .parent_view = parent.view}};
    struct packet *packet;

    if (!proposal->bare) {
        justify(node, &parent, proposal->view, certificates, &out);
    }
    if (proposal->repeat) {
        out.form = WIRE_FORM_REPEAT;
        memcpy(out.candidate.block_hash, parent.block_hash, HASH_BYTES);
    } else {
        const uint32_t valid = proposal->txs == 0 && proposal->invalid_txs == 0 ? 1 : proposal->txs;
        const uint64_t least_ms = wall_ms > below->time_ms ? wall_ms : below->time_ms + 1;
        uint32_t count;

        out.form = WIRE_FORM_FULL;
        out.header =
            (struct block_header){.version = BLOCK_VERSION,
                                  .epoch = 1,
                                  .view = proposal->view,
                                  .height = below->height + 1,
                                  .time_ms = (uint64_t)((int64_t)least_ms + proposal->time_ms),
                                  .proposer = (uint16_t)node->validator};
        memcpy(out.header.chain_id, sim->chain_id, HASH_BYTES);
        memcpy(out.header.parent_hash, parent.block_hash, HASH_BYTES);
        memcpy(out.header.params_hash, sim->params_hash, HASH_BYTES);
        validators_hash(&sim->set, out.header.valset_hash);
        history_above(sim, parent.block_hash, out.header.history_root);
        count = txs_write(node, valid, proposal->invalid_txs, &writer);
        header_fill(&out.header, below->state_root, writer_done(&writer), count);
        out.header.state_root[0] ^= proposal->wrong_root ? 1 : 0;
        block_header_hash(&out.header, out.candidate.block_hash);
    }
    packet = proposal_packet(node, &out, writer_done(&writer));
    if (trace_wanted(sim)) {
        trace_line(sim, false, number, "makes %s view %" PRIu64,
                   sim_block_name(sim, out.candidate.block_hash), proposal->view);
    }
    say(node, to, packet);
    return out.candidate;
}

void sim_say_again(struct sim *sim, uint32_t number, const struct candidate *candidate, uint32_t to)
{
    struct node *node = &sim->nodes[number];
    struct byzantine *byzantine = state_of(node);

    for (uint32_t i = 0; i < byzantine->made_count; i++) {
        const struct words *words = &byzantine->made[i]->words;

        if (words->view == candidate->view && words->parent_view == candidate->parent_view &&
            memcmp(words->block, candidate->block_hash, HASH_BYTES) == 0) {
            say(node, to, byzantine->made[i]);
            return;
        }
    }
    sim_check_failed(__FILE__, __LINE__, "node %u made no such proposal of view %" PRIu64, number,
                     candidate->view);
}

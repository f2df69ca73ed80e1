/* Who signed what, who has heard of it, and which blocks were ever shown: what oracles and roles look at. */
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "crypto/hash.h"
#include "tests/sim/world.h"

enum { PIECE_BYTES = 64 << 10 };

struct facts_piece {
    struct facts_piece *next;
    _Alignas(ARENA_ALIGN) uint8_t memory[PIECE_BYTES];
};

static struct facts_piece *spare_pieces;

static void *facts_take(struct facts *facts, size_t size)
{
    const size_t rounded = arena_rounded(size);
    uint8_t *taken;

    INVARIANT(rounded <= PIECE_BYTES);
    if (facts->left < rounded) {
        struct facts_piece *piece = spare_pieces;

        if (piece == NULL) {
            piece = malloc(sizeof *piece);
            INVARIANT(piece != NULL);
        } else {
            spare_pieces = piece->next;
        }
        piece->next = facts->pieces;
        facts->pieces = piece;
        facts->memory = piece->memory;
        facts->left = PIECE_BYTES;
    }
    taken = facts->memory;
    facts->memory += rounded;
    facts->left -= rounded;
    memset(taken, 0, rounded);
    return taken;
}

void facts_close(struct facts *facts)
{
    for (uint32_t i = 0; i < facts->block_size; i++) {
        for (struct known_block *block = facts->blocks[i]; block != NULL; block = block->next) {
            packet_drop(block->packet);
        }
    }
    while (facts->pieces != NULL) {
        struct facts_piece *piece = facts->pieces;

        facts->pieces = piece->next;
        piece->next = spare_pieces;
        spare_pieces = piece;
    }
    free(facts->views);
    free(facts->blocks);
    *facts = (struct facts){0};
}

uint64_t digest_of(struct bytes bytes, uint64_t seed)
{
    uint64_t a = seed ^ (bytes.count * UINT64_C(0x9e3779b97f4a7c15));
    uint64_t last = 0;
    size_t at = 0;

    for (; bytes.count - at >= 8; at += 8) {
        uint64_t word;

        memcpy(&word, bytes.at + at, sizeof word);
        a = (a ^ word) * UINT64_C(0x9fb21c651e98df25);
        a ^= a >> 32;
    }
    if (at < bytes.count) {
        memcpy(&last, bytes.at + at, bytes.count - at);
    }
    a = (a ^ last) * UINT64_C(0xd6e8feb86659fd93);
    a ^= a >> 32;
    a *= UINT64_C(0xd6e8feb86659fd93);
    return a ^ a >> 32;
}

static uint64_t view_digest(uint64_t epoch, uint64_t view)
{
    uint64_t z = view * UINT64_C(0x9e3779b97f4a7c15) + epoch;

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ (z >> 27);
}

static void views_grow(struct facts *facts)
{
    const uint32_t size = facts->view_size == 0 ? 256 : facts->view_size * 2;
    struct view_facts **views = calloc(size, sizeof(struct view_facts *));

    INVARIANT(views != NULL);
    for (uint32_t i = 0; i < facts->view_size; i++) {
        struct view_facts *old = facts->views[i];
        uint32_t at;

        if (old == NULL) {
            continue;
        }
        at = (uint32_t)view_digest(old->epoch, old->view) & (size - 1);
        while (views[at] != NULL) {
            at = (at + 1) & (size - 1);
        }
        views[at] = old;
    }
    free(facts->views);
    facts->views = views;
    facts->view_size = size;
}

struct view_facts *facts_view(struct sim *sim, uint64_t epoch, uint64_t view, bool make)
{
    struct facts *facts = &sim->facts;
    uint32_t at;

    if (facts->view_count * 2 >= facts->view_size) {
        views_grow(facts);
    }
    at = (uint32_t)view_digest(epoch, view) & (facts->view_size - 1);
    while (facts->views[at] != NULL) {
        if (facts->views[at]->view == view && facts->views[at]->epoch == epoch) {
            return facts->views[at];
        }
        at = (at + 1) & (facts->view_size - 1);
    }
    if (!make) {
        return NULL;
    }
    facts->views[at] = facts_take(facts, sizeof(struct view_facts));
    facts->views[at]->epoch = epoch;
    facts->views[at]->view = view;
    facts->view_count += 1;
    return facts->views[at];
}

struct fact *facts_of(struct sim *sim, uint64_t epoch, uint64_t view, uint64_t parent_view,
                      const uint8_t *block, bool make)
{
    struct view_facts *of = facts_view(sim, epoch, view, make);
    struct fact **at;

    if (of == NULL) {
        return NULL;
    }
    for (at = &of->facts; *at != NULL; at = &(*at)->next) {
        if ((*at)->parent_view == parent_view && memcmp((*at)->block, block, HASH_BYTES) == 0) {
            return *at;
        }
    }
    if (!make) {
        return NULL;
    }
    *at = facts_take(&sim->facts, sizeof(struct fact));
    (*at)->parent_view = parent_view;
    memcpy((*at)->block, block, HASH_BYTES);
    return *at;
}

bool facts_is_quorum(const struct sim *sim, uint32_t signers)
{
    return (uint32_t)__builtin_popcount(signers) >= sim->q;
}

/* The votes `signers` of a statement reached a node. */
static void heard_votes(struct sim *sim, uint32_t node, uint8_t kind, const struct words_cert *of,
                        uint32_t signers)
{
    struct fact *fact;

    if (kind == VOTE_NULLIFY) {
        struct view_facts *view = facts_view(sim, of->epoch, of->view, true);

        view->heard_nullify[node] = (uint16_t)(view->heard_nullify[node] | signers);
        return;
    }
    fact = facts_of(sim, of->epoch, of->view, of->parent_view, of->block, true);
    fact->heard[node][kind == VOTE_FINALIZE] =
        (uint16_t)(fact->heard[node][kind == VOTE_FINALIZE] | signers);
}

void facts_signed(struct sim *sim, uint32_t node, struct bytes statement)
{
    struct reader reader = reader_of(bytes_after(statement, 4));
    struct words_cert of = {.kind = reader_u8(&reader)};
    const uint32_t signer = sim->nodes[node].validator;

    (void)reader_take(&reader, HASH_BYTES);
    of.epoch = reader_u64(&reader);
    of.view = reader_u64(&reader);
    of.parent_view = reader_u64(&reader);
    of.block = reader_take(&reader, HASH_BYTES).at;
    INVARIANT(reader_done(&reader) && of.kind >= 1 && of.kind <= 3);
    if (sim->nodes[node].twin && of.kind == VOTE_NOTARIZE) {
        const struct view_facts *view = facts_view(sim, of.epoch, of.view, true);

        for (const struct fact *fact = view->facts; fact != NULL; fact = fact->next) {
            if ((fact->signed_by[VOTE_NOTARIZE] >> signer & 1) != 0 &&
                memcmp(fact->block, of.block, HASH_BYTES) != 0) {
                sim_mark_set(sim, MARK_TWIN);
            }
        }
    }
    if (of.kind == VOTE_NULLIFY) {
        facts_view(sim, of.epoch, of.view, true)->nullified_by |= UINT32_C(1) << signer;
    } else {
        facts_of(sim, of.epoch, of.view, of.parent_view, of.block, true)->signed_by[of.kind] |=
            UINT32_C(1) << signer;
    }
    heard_votes(sim, node, of.kind, &of, UINT32_C(1) << signer);
}

void facts_heard(struct sim *sim, uint32_t node, const struct words *words)
{
    if ((words->what & SIM_VOTES) != 0 && words->whole && words->index < sim->n) {
        const struct words_cert of = {.epoch = words->epoch,
                                      .view = words->view,
                                      .parent_view = words->parent_view,
                                      .block = words->block};

        heard_votes(sim, node, words->kind, &of, UINT32_C(1) << words->index);
    }
    if ((words->what & SIM_PROPOSALS) != 0 && words->whole && words->view != 0) {
        const struct words_cert of = {.epoch = words->epoch,
                                      .view = words->view,
                                      .parent_view = words->parent_view,
                                      .block = words->block};

        heard_votes(sim, node, VOTE_NOTARIZE, &of,
                    UINT32_C(1) << validators_leader(&sim->leaders, words->view));
    }
    for (uint32_t i = 0; i < words->cert_count && words->whole; i++) {
        if (words->certs[i].kind >= 1 && words->certs[i].kind <= 3) {
            heard_votes(sim, node, words->certs[i].kind, &words->certs[i], words->certs[i].signers);
        }
    }
}

static uint32_t block_place(const struct facts *facts, const uint8_t *hash)
{
    uint32_t word;

    memcpy(&word, hash, sizeof word);
    return word & (facts->block_size - 1);
}

struct known_block *facts_block(struct sim *sim, const uint8_t *hash)
{
    struct known_block *block;

    if (sim->facts.block_size == 0) {
        return NULL;
    }
    block = sim->facts.blocks[block_place(&sim->facts, hash)];
    while (block != NULL && memcmp(block->hash, hash, HASH_BYTES) != 0) {
        block = block->next;
    }
    return block;
}

void facts_proposed(struct sim *sim, uint32_t node, struct packet *packet)
{
    const struct words *words = &packet->words;
    struct fact *fact;

    if (!words->whole || words->view == 0) {
        return;
    }
    fact = facts_of(sim, words->epoch, words->view, words->parent_view, words->block, true);
    if (!fact->proposed) {
        struct view_facts *view = facts_view(sim, words->epoch, words->view, true);

        fact->proposed = true;
        view->proposals += 1;
        if (view->proposals == 2) {
            sim_mark_set(sim, MARK_EQUIVOCATION);
        }
    }
    if (words->header != NULL) {
        facts_learn(sim, words->block, packet, words->header, words->body,
                    node_honest(&sim->nodes[node]));
    }
}

void facts_learn(struct sim *sim, const uint8_t *hash, struct packet *packet, const uint8_t *header,
                 struct bytes body, bool honest)
{
    struct facts *facts = &sim->facts;
    struct known_block *block;
    uint32_t place;

    if (facts_block(sim, hash) != NULL) {
        return;
    }
    if (facts->block_size == 0) {
        facts->block_size = 1024;
        facts->blocks = calloc(facts->block_size, sizeof(struct known_block *));
        INVARIANT(facts->blocks != NULL);
    }
    block = facts_take(facts, sizeof *block);
    memcpy(block->hash, hash, HASH_BYTES);
    if (!block_header_decode(bytes_of(header, BLOCK_HEADER_BYTES), &block->header)) {
        return;
    }
    packet->holders += 1;
    block->packet = packet;
    block->body = body;
    block->honest = honest;
    place = block_place(facts, hash);
    block->next = facts->blocks[place];
    facts->blocks[place] = block;
    facts->block_count += 1;
}

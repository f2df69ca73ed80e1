/*
 * What goes out: bounded queues that the handlers fill, and the bytes that a step's `out` points to.
 *
 * A queue holds descriptions; bytes are made when a description fits into `out`.  What does not fit stays, and
 * `more` is set: the host steps with SX_MORE before anything else can change, so a description is good until then.
 */
#include "consensus/core.h"

#include <string.h>

#include "base/writer.h"
#include "crypto/hash.h"

enum { MESSAGE_BYTES = 304 }; /* of any message but CERT and PROPOSAL, which lie elsewhere */

_Static_assert((size_t)WIRE_STATUS_BYTES_MAX <= (size_t)MESSAGE_BYTES, "STATUS fits");
_Static_assert((size_t)1 + VOTE_BYTES <= (size_t)MESSAGE_BYTES, "VOTE fits");
_Static_assert(10 + (size_t)9 * WIRE_GET_CERTS_MAX <= (size_t)MESSAGE_BYTES, "GET_CERTS fits");

static size_t record_bytes(uint32_t n)
{
    const size_t finalize = 1 + CANDIDATE_BYTES + certificate_bytes(n);

    return finalize > 1 + BLOCK_HEADER_BYTES ? finalize : 1 + BLOCK_HEADER_BYTES;
}

size_t out_scratch_bytes(uint32_t n)
{
    return SX_SENDS_MAX * (size_t)MESSAGE_BYTES + SX_RECORDS_MAX * record_bytes(n) +
           SX_ASKS_MAX * (size_t)STATEMENT_BYTES + wire_proposal_head_bytes(n);
}

void out_report(struct sx *sx, enum sx_report what, uint64_t view)
{
    if (sx->report == SX_REPORT_NONE) {
        sx->report = what;
        sx->report_view = view;
    }
}

bool send_room(const struct sx *sx)
{
    return sx->send_count + SEND_ROOM <= SENDS_QUEUE;
}

/* A node that is not a member says where it stands and nothing else (8.20). */
void send_push(struct sx *sx, struct send_item item)
{
    if (item.to == sx->own || (sx->own == VALIDATOR_NONE && item.what != SEND_STATUS)) {
        return;
    }
    INVARIANT(item.to == SX_TO_ALL || item.to == SX_TO_FULL_NODES || item.to < sx->n);
    INVARIANT(sx->send_count < SENDS_QUEUE);
    sx->sends[(sx->send_first + sx->send_count) % SENDS_QUEUE] = item;
    sx->send_count += 1;
}

static struct writer scratch_writer(const struct sx *sx)
{
    return writer_of(sx->scratch + sx->scratch_used, sx->scratch_size - sx->scratch_used);
}

static struct bytes scratch_take(struct sx *sx, const struct writer *writer)
{
    INVARIANT(!writer->failed && writer->at == sx->scratch + sx->scratch_used);
    sx->scratch_used += writer->used;
    return writer_done(writer);
}

/* Messages. */

static bool vote_message(struct sx *sx, const struct vote *vote, struct bytes *message)
{
    struct writer writer = scratch_writer(sx);

    wire_vote_write(&writer, vote);
    *message = scratch_take(sx, &writer);
    return true;
}

static bool status_message(struct sx *sx, struct bytes *message)
{
    const uint32_t bytes = validators_bitmap_bytes(sx->n);
    uint8_t bitmaps[KINDS][BITMAP_BYTES_MAX];
    struct candidate meant = {.epoch = sx->epoch, .view = sx->cur};
    struct candidate top = {.epoch = sx->epoch};
    struct writer writer = scratch_writer(sx);
    struct wire_status status = {.epoch = sx->epoch,
                                 .cur = sx->cur,
                                 .final_view = sx->final.view,
                                 .final_height = sx->blocks[BLOCK_FINAL].header.height,
                                 .earliest_height = sx->earliest_height,
                                 .wall_ms = sx->wall};

    memset(bitmaps, 0, sizeof bitmaps);
    memcpy(status.final_hash, sx->final.block_hash, HASH_BYTES);
    if (tally_meant(sx, sx->cur, &meant)) {
        tally_bitmap(sx, VOTE_NOTARIZE, &meant, bitmaps[0]);
    }
    status.parent_view = meant.parent_view;
    memcpy(status.block_hash, meant.block_hash, HASH_BYTES);
    tally_bitmap(sx, VOTE_NULLIFY, &meant, bitmaps[1]);
    if (repair_top(sx, &top)) {
        status.top_view = top.view;
        tally_bitmap(sx, VOTE_FINALIZE, &top, bitmaps[2]);
    }
    status.notarize_bitmap = bytes_of(bitmaps[0], bytes);
    status.nullify_bitmap = bytes_of(bitmaps[1], bytes);
    status.finalize_bitmap = bytes_of(bitmaps[2], bytes);
    wire_status_write(&writer, &status);
    *message = scratch_take(sx, &writer);
    return true;
}

static bool get_message(struct sx *sx, const struct send_item *item, struct bytes *message)
{
    struct wire_get_certs get = {.epoch = sx->epoch};
    struct writer writer = scratch_writer(sx);
    uint32_t count;

    if (item->what == SEND_GET) {
        get.wants[0] = (struct wire_want){.view = item->view, .kind = item->kind};
        count = 1;
    } else if (item->what == SEND_GET_MISSING) {
        count = repair_missing(sx, get.wants, WIRE_GET_CERTS_MAX);
    } else {
        count = repair_lacking(sx, get.wants, WIRE_GET_CERTS_MAX);
    }
    INVARIANT(count <= WIRE_GET_CERTS_MAX);
    if (count == 0) {
        return false;
    }
    get.count = (uint8_t)count;
    wire_get_certs_write(&writer, &get);
    *message = scratch_take(sx, &writer);
    return true;
}

/* The justification of 8.4: the parent's certificate, and the newest 16 nullifications above it. */
static void proposal_justify(const struct sx *sx, struct wire_proposal *proposal)
{
    const uint64_t parent = proposal->candidate.parent_view;
    const struct certificate *certificate = NULL;
    uint8_t count = 0;

    if (parent > sx->final.view) {
        certificate = cert_notarized(sx, parent);
    } else if (parent == sx->final.view && parent != 0 && sx->final_held) {
        certificate = &sx->final_certificate;
    }
    if (certificate != NULL) {
        proposal->justification[count] = *certificate;
        count += 1;
    }
    for (uint64_t view = proposal->candidate.view - 1; view > parent && !MUTANT_IS(313); view--) {
        certificate = cert_find(sx, view, VOTE_NULLIFY);
        if (count == JUSTIFICATION_MAX || certificate == NULL) {
            break;
        }
        proposal->justification[count] = *certificate;
        count += 1;
    }
    proposal->justification_count = count;
}

/* Own proposal of cur, made anew from what is held: its candidate is that of the record. */
static bool proposal_message(struct sx *sx, struct bytes *message, const uint8_t **body)
{
    const struct view *view = slot_find(sx, sx->cur);
    struct writer writer = scratch_writer(sx);
    struct wire_proposal proposal;
    struct vote vote;
    uint16_t place;

    if (view == NULL || !view->mine.notarized || view->mine.nullified ||
        view_leader(sx, sx->cur) != sx->own ||
        !tally_vote(sx, sx->cur, VOTE_NOTARIZE, sx->own, &vote)) {
        return false;
    }
    place = block_find(sx, view->mine.candidate.block_hash);
    if (place == BLOCK_NONE || place == BLOCK_FINAL || !sx->blocks[place].has_header) {
        return false;
    }
    memset(&proposal, 0, sizeof proposal);
    proposal.candidate = view->mine.candidate;
    memcpy(proposal.signature, vote.signature, SIGNATURE_BYTES);
    proposal_justify(sx, &proposal);
    proposal.form = WIRE_FORM_REPEAT;
    if (sx->blocks[place].header.view == sx->cur) {
        proposal.form = WIRE_FORM_FULL;
        proposal.header = sx->blocks[place].header;
        *body = sx->blocks[place].hash;
    }
    wire_proposal_write(&writer, &proposal);
    *message = scratch_take(sx, &writer);
    return true;
}

static bool cert_message(const struct sx *sx, const struct send_item *item, struct bytes *message)
{
    const struct view *view = slot_find(sx, item->view);
    const enum vote_kind kind = (enum vote_kind)item->kind;

    INVARIANT(kind >= VOTE_NOTARIZE && kind <= VOTE_FINALIZE);
    if (view == NULL || !view->certs[kind - 1].held) {
        return false;
    }
    *message = bytes_of(slot_cert_memory(sx, view, kind), 1 + certificate_bytes(sx->n));
    return true;
}

/* False: what it names is no longer there. */
static bool send_message(struct sx *sx, const struct send_item *item, struct bytes *message,
                         const uint8_t **body)
{
    struct vote vote;

    *body = NULL;
    switch (item->what) {
    case SEND_BALLOT:
        return vote_message(sx, &sx->ballots[item->view % BALLOTS_MAX].vote, message);
    case SEND_VOTE:
        return tally_vote(sx, item->view, (enum vote_kind)item->kind, item->index, &vote) &&
               vote_message(sx, &vote, message);
    case SEND_CERT:
        return cert_message(sx, item, message);
    case SEND_FINAL:
        *message = bytes_of(sx->cert_memory + (size_t)SLOTS * KINDS * sx->cert_stride,
                            1 + certificate_bytes(sx->n));
        return sx->final_held;
    case SEND_STATUS:
        return status_message(sx, message);
    case SEND_PROPOSAL:
        return proposal_message(sx, message, body);
    case SEND_GET:
    case SEND_GET_MISSING:
    case SEND_GET_JUSTIFICATION:
        return get_message(sx, item, message);
    }
    return false;
}

static void flush_sends(struct sx *sx, struct sx_out *out)
{
    bool proposed = false;

    while (sx->send_count != 0 && out->send_count < SX_SENDS_MAX) {
        const struct send_item *item = &sx->sends[sx->send_first];
        const uint32_t at = out->send_count;

        if (item->what == SEND_PROPOSAL && proposed) {
            break; /* the scratch has room for one; the next comes with SX_MORE */
        }
        proposed |= item->what == SEND_PROPOSAL;
        if (send_message(sx, item, &out->sends[at].message, &out->sends[at].body)) {
            out->sends[at].to = item->to;
            out->sends[at].after_seq = item->after_seq;
            out->send_count += 1;
        }
        sx->send_first = (sx->send_first + 1) % SENDS_QUEUE;
        sx->send_count -= 1;
    }
}

/* Records. */

static void record_fill(const struct sx *sx, const struct record_item *item, struct record *record)
{
    const struct certificate *certificate;

    *record = (struct record){.type = item->type, .epoch = sx->epoch, .view = item->view};
    switch (item->type) {
    case RECORD_BLOCK:
        record->header = sx->blocks[item->block].header;
        break;
    case RECORD_FINALIZE:
    case RECORD_NOTARIZE:
        record->candidate = mine_of(sx, item->view).candidate;
        break;
    case RECORD_NULLIFY:
    case RECORD_EPOCH:
    case RECORD_CERT:
    case RECORD_KEY:
        break;
    }
    if (item->type == RECORD_FINALIZE || item->type == RECORD_CERT) {
        certificate =
            cert_find(sx, item->view,
                      item->type == RECORD_FINALIZE ? VOTE_NOTARIZE : (enum vote_kind)item->kind);
        INVARIANT(certificate != NULL);
        record->certificate = *certificate;
    }
}

static void flush_records(struct sx *sx, struct sx_out *out)
{
    while (sx->record_count != 0 && out->record_count < SX_RECORDS_MAX) {
        const struct record_item *item = &sx->records[sx->record_first];
        const uint32_t at = out->record_count;
        struct writer writer = scratch_writer(sx);
        struct record record;

        record_fill(sx, item, &record);
        record_write(&writer, &record);
        out->records[at].seq = item->seq;
        out->records[at].record = scratch_take(sx, &writer);
        out->records[at].body = item->type == RECORD_BLOCK ? sx->blocks[item->block].hash : NULL;
        out->record_count += 1;
        sx->record_first = (sx->record_first + 1) % RECORDS_QUEUE;
        sx->record_count -= 1;
    }
}

/* Votes whose record is durable go to the signer, in order of their records. */
static void flush_signs(struct sx *sx, struct sx_out *out)
{
    while (sx->ballot_sign != sx->ballot_next && out->sign_count < SX_ASKS_MAX) {
        struct ballot *ballot = &sx->ballots[sx->ballot_sign % BALLOTS_MAX];
        const uint32_t at = out->sign_count;

        if (ballot->used && ballot->vote.statement.candidate.view <= sx->final.view) {
            ballot->used = false; /* I5: no vote in a view that is final by now */
        }
        if (ballot->used && ballot->seq > sx->durable_seq && !MUTANT_IS(3)) {
            return; /* 8.11 */
        }
        sx->ballot_sign += 1;
        if (ballot->used) {
            uint8_t *bytes = sx->scratch + sx->scratch_used;

            INVARIANT(sx->scratch_used + STATEMENT_BYTES <= sx->scratch_size);
            sx->scratch_used += STATEMENT_BYTES;
            sign_bytes(sx->chain_id, &ballot->vote.statement, bytes);
            out->signs[at].request = ballot->request;
            out->signs[at].after_seq = MUTANT_IS(3) ? 0 : ballot->seq;
            out->signs[at].statement = bytes_of(bytes, STATEMENT_BYTES);
            out->sign_count += 1;
        }
    }
}

/* Blocks. */

static void flush_blocks(struct sx *sx, struct sx_out *out)
{
    while (sx->execute_count != 0 && out->execute_count < SX_ASKS_MAX) {
        const struct block *block = &sx->blocks[sx->executes[sx->execute_first]];

        if (block->used && block->executing) {
            out->executes[out->execute_count].block = block->hash;
            out->executes[out->execute_count].parent = sx->blocks[block->parent].hash;
            out->execute_count += 1;
        }
        sx->execute_first = (sx->execute_first + 1) % BLOCKS;
        sx->execute_count -= 1;
    }
    while (sx->fetch_count != 0 && out->fetch_count < SX_ASKS_MAX) {
        const struct block *block = &sx->blocks[sx->fetches[sx->fetch_first]];

        if (block->used && block->fetching) {
            out->fetches[out->fetch_count].block = block->hash;
            out->fetches[out->fetch_count].peer = block->holder;
            out->fetch_count += 1;
        }
        sx->fetch_first = (sx->fetch_first + 1) % BLOCKS;
        sx->fetch_count -= 1;
    }
}

static void flush_build(struct sx *sx, struct sx_out *out)
{
    out->build.wanted = sx->build_wanted;
    out->build.view = sx->build_view;
    out->build.time_ms = sx->build_time_ms;
    out->build.parent = sx->build_parent;
    sx->build_wanted = false;
}

static void flush_commit(struct sx *sx, struct sx_out *out)
{
    out->commit_certificate = NULL;
    if (!sx->commit_wanted) {
        return;
    }
    sx->commit_wanted = false;
    INVARIANT(sx->commit_count <= SX_COMMITS_MAX && sx->keep_count <= SX_KEEPS_MAX);
    for (uint32_t i = 0; i < sx->commit_count; i++) {
        out->commits[i] = sx->commits[i];
    }
    for (uint32_t i = 0; i < sx->keep_count; i++) {
        out->keeps[i] = sx->keeps[i];
    }
    out->commit_count = sx->commit_count;
    out->keep_count = sx->keep_count;
    out->commit_final = sx->commit_final;
    out->commit_certificate = sx->commit_certificate;
}

static void flush_tip(struct sx *sx, struct sx_out *out)
{
    struct candidate tip = {.block_hash = {0}};
    const uint16_t place = tip_candidate(sx, &tip) ? block_find(sx, tip.block_hash) : BLOCK_NONE;
    const bool known = place != BLOCK_NONE && sx->blocks[place].verdict == BLOCK_VALID;

    out->tip.changed = !sx->tip_told.valid || sx->tip_told.known != known ||
                       sx->tip_told.view != tip.view || sx->tip_told.cur != sx->cur ||
                       !hash_equal(sx->tip_told.hash, tip.block_hash);
    if (!out->tip.changed) {
        return;
    }
    sx->tip_told.valid = true;
    sx->tip_told.known = known;
    sx->tip_told.view = tip.view;
    sx->tip_told.cur = sx->cur;
    memcpy(sx->tip_told.hash, tip.block_hash, HASH_BYTES);
    out->tip.known = known;
    out->tip.view = tip.view;
    out->tip.cur = sx->cur;
    out->tip.block = sx->tip_told.hash;
}

void out_flush(struct sx *sx, struct sx_out *out)
{
    sx->scratch_used = 0;
    out->execute_count = out->record_count = out->sign_count = 0;
    out->send_count = out->fetch_count = out->commit_count = out->keep_count = 0;
    flush_blocks(sx, out);
    flush_build(sx, out);
    flush_records(sx, out);
    flush_signs(sx, out);
    flush_sends(sx, out);
    flush_commit(sx, out);
    flush_tip(sx, out);
    out->evidence.first = sx->evidence_count != 0 ? &sx->evidence[0] : NULL;
    out->evidence.second = sx->evidence_count != 0 ? &sx->evidence[1] : NULL;
    sx->evidence_count = 0;
    out->report.what = sx->report;
    out->report.view = sx->report_view;
    sx->report = SX_REPORT_NONE;
    out->free_seq = sx->free_seq;
    sx->free_seq = 0;
    sx->deadline =
        sx->phase == PHASE_RUNNING ? sooner(pace_deadline(sx), repair_deadline(sx)) : NEVER;
    out->deadline_ms = sx->deadline;
    out->more = (sx->phase == PHASE_RUNNING && sx->event_count != 0) || sx->record_count != 0 ||
                sx->send_count != 0 || sx->execute_count != 0 || sx->fetch_count != 0 ||
                (sx->ballot_sign != sx->ballot_next && out->sign_count == SX_ASKS_MAX);
}

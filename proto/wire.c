#include "proto/wire.h"

#include <string.h>

#include "base/count.h"
#include "base/reader.h"
#include "base/writer.h"

enum {
    WIRE_STATUS_FIXED_BYTES = 1 + 136, /* type and fields without the bitmaps */
    WIRE_PROPOSAL_FIXED_BYTES = 1 + CANDIDATE_BYTES + SIGNATURE_BYTES + 1 + 1,
};

/* Register of types: consensus.md 8.20. */
uint8_t wire_channel(uint8_t type)
{
    static const struct {
        uint8_t type;
        uint8_t channel;
    } channels[] = {
        {WIRE_HELLO, 0},      {WIRE_STATUS, 0},  {WIRE_PING, 0},       {WIRE_PONG, 0},
        {WIRE_GOODBYE, 0},    {WIRE_VOTE, 1},    {WIRE_CERT, 1},       {WIRE_GET_CERTS, 1},
        {WIRE_PROPOSAL, 2},   {WIRE_GET_TXS, 2}, {WIRE_TXS, 2},        {WIRE_GET_BLOCK, 2},
        {WIRE_BLOCK, 2},      {WIRE_TX_PUSH, 4}, {WIRE_TX_HAVE, 4},    {WIRE_TX_WANT, 4},
        {WIRE_GET_BLOCKS, 5}, {WIRE_BLOCKS, 5},  {WIRE_GET_EPOCHS, 5}, {WIRE_EPOCHS, 5},
        {WIRE_ADDRS, 7},
    };

    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        if (channels[i].type == type) {
            return channels[i].channel;
        }
    }
    return WIRE_CHANNEL_NONE;
}

/* A reader behind the type byte; failed if that is another. */
static struct reader message_open(struct bytes message, enum wire_type type)
{
    struct reader reader = reader_of(message);

    if (reader_u8(&reader) != (uint8_t)type) {
        reader.failed = true;
    }
    return reader;
}

static void message_begin(struct writer *writer, enum wire_type type)
{
    writer_u8(writer, (uint8_t)type);
}

/* STATUS. */

void wire_status_fields_write(struct writer *writer, const struct wire_status *status)
{
    INVARIANT(status->notarize_bitmap.count <= BITMAP_BYTES_MAX);
    INVARIANT(status->nullify_bitmap.count == status->notarize_bitmap.count);
    INVARIANT(status->finalize_bitmap.count == status->notarize_bitmap.count);
    writer_u64(writer, status->epoch);
    writer_u64(writer, status->cur);
    writer_u64(writer, status->final_view);
    writer_u64(writer, status->final_height);
    writer_bytes(writer, status->final_hash, HASH_BYTES);
    writer_u64(writer, status->earliest_height);
    writer_u64(writer, status->wall_ms);
    writer_u64(writer, status->features);
    writer_u64(writer, status->parent_view);
    writer_bytes(writer, status->block_hash, HASH_BYTES);
    writer_view(writer, status->notarize_bitmap);
    writer_view(writer, status->nullify_bitmap);
    writer_u64(writer, status->top_view);
    writer_view(writer, status->finalize_bitmap);
}

bool wire_status_fields_decode(struct bytes fields, struct wire_status *out)
{
    const size_t fixed = WIRE_STATUS_FIXED_BYTES - 1;
    struct reader reader = reader_of(fields);
    size_t bitmap_bytes;

    if (fields.count < fixed || (fields.count - fixed) % 3 != 0 ||
        (fields.count - fixed) / 3 > BITMAP_BYTES_MAX) {
        return false;
    }
    bitmap_bytes = (fields.count - fixed) / 3;
    out->epoch = reader_u64(&reader);
    out->cur = reader_u64(&reader);
    out->final_view = reader_u64(&reader);
    out->final_height = reader_u64(&reader);
    reader_copy(&reader, out->final_hash, HASH_BYTES);
    out->earliest_height = reader_u64(&reader);
    out->wall_ms = reader_u64(&reader);
    out->features = reader_u64(&reader);
    out->parent_view = reader_u64(&reader);
    reader_copy(&reader, out->block_hash, HASH_BYTES);
    out->notarize_bitmap = reader_take(&reader, bitmap_bytes);
    out->nullify_bitmap = reader_take(&reader, bitmap_bytes);
    out->top_view = reader_u64(&reader);
    out->finalize_bitmap = reader_take(&reader, bitmap_bytes);
    return reader_done(&reader);
}

void wire_status_write(struct writer *writer, const struct wire_status *status)
{
    message_begin(writer, WIRE_STATUS);
    wire_status_fields_write(writer, status);
}

bool wire_status_decode(struct bytes message, struct wire_status *out)
{
    const struct reader reader = message_open(message, WIRE_STATUS);

    return !reader.failed && wire_status_fields_decode(reader.left, out);
}

/* VOTE, CERT, GET_CERTS. */

void wire_vote_write(struct writer *writer, const struct vote *vote)
{
    message_begin(writer, WIRE_VOTE);
    vote_write(writer, vote);
}

bool wire_vote_decode(struct bytes message, struct vote *out)
{
    struct reader reader = message_open(message, WIRE_VOTE);

    return vote_read(&reader, out) && reader_done(&reader);
}

void wire_cert_write(struct writer *writer, const struct certificate *certificate)
{
    message_begin(writer, WIRE_CERT);
    writer_view(writer, certificate->encoded);
}

bool wire_cert_decode(struct bytes message, uint16_t count, struct certificate *out)
{
    struct reader reader = message_open(message, WIRE_CERT);

    return certificate_read(&reader, count, out) && reader_done(&reader);
}

void wire_get_certs_write(struct writer *writer, const struct wire_get_certs *get)
{
    INVARIANT(get->count >= 1 && get->count <= WIRE_GET_CERTS_MAX);
    message_begin(writer, WIRE_GET_CERTS);
    writer_u64(writer, get->epoch);
    writer_u8(writer, get->count);
    for (uint32_t i = 0; i < get->count; i++) {
        INVARIANT(get->wants[i].kind <= VOTE_FINALIZE);
        writer_u64(writer, get->wants[i].view);
        writer_u8(writer, get->wants[i].kind);
    }
}

bool wire_get_certs_decode(struct bytes message, struct wire_get_certs *out)
{
    struct reader reader = message_open(message, WIRE_GET_CERTS);

    out->epoch = reader_u64(&reader);
    out->count = reader_u8(&reader);
    if (out->count < 1 || out->count > WIRE_GET_CERTS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < out->count; i++) {
        out->wants[i].view = reader_u64(&reader);
        out->wants[i].kind = reader_u8(&reader);
        if (out->wants[i].kind > VOTE_FINALIZE) {
            return false;
        }
    }
    return reader_done(&reader);
}

/* PROPOSAL. */

void wire_proposal_write(struct writer *writer, const struct wire_proposal *proposal)
{
    INVARIANT(proposal->justification_count <= JUSTIFICATION_MAX);
    INVARIANT(proposal->form == WIRE_FORM_REPEAT || proposal->form == WIRE_FORM_FULL);
    message_begin(writer, WIRE_PROPOSAL);
    candidate_write(writer, &proposal->candidate);
    writer_bytes(writer, proposal->signature, SIGNATURE_BYTES);
    writer_u8(writer, proposal->justification_count);
    for (uint32_t i = 0; i < proposal->justification_count; i++) {
        writer_view(writer, proposal->justification[i].encoded);
    }
    writer_u8(writer, (uint8_t)proposal->form);
    if (proposal->form == WIRE_FORM_FULL) {
        uint8_t header[BLOCK_HEADER_BYTES];

        block_header_encode(&proposal->header, header);
        writer_bytes(writer, header, sizeof header);
    }
}

size_t wire_proposal_head_bytes(uint32_t count)
{
    return WIRE_PROPOSAL_FIXED_BYTES + JUSTIFICATION_MAX * certificate_bytes(count) +
           BLOCK_HEADER_BYTES;
}

/* Read form, header and body, the end of a proposal. */
static bool proposal_read_block(struct reader *reader, struct wire_proposal *out)
{
    const uint8_t form = reader_u8(reader);

    out->body = bytes_of(NULL, 0);
    if (reader->failed) {
        return false;
    }
    if (form == WIRE_FORM_REPEAT) {
        out->form = WIRE_FORM_REPEAT;
        return reader->left.count == 0;
    }
    out->form = WIRE_FORM_FULL;
    if (form != WIRE_FORM_FULL ||
        !block_header_decode(reader_take(reader, BLOCK_HEADER_BYTES), &out->header)) {
        return false;
    }
    out->body = reader->left;
    return out->body.count == 0 || out->body.count == out->header.tx_bytes;
}

bool wire_proposal_decode(struct bytes message, uint16_t count, struct wire_proposal *out)
{
    struct reader reader = message_open(message, WIRE_PROPOSAL);

    candidate_read(&reader, &out->candidate);
    reader_copy(&reader, out->signature, SIGNATURE_BYTES);
    out->justification_count = reader_u8(&reader);
    if (reader.failed || out->candidate.view <= out->candidate.parent_view ||
        out->justification_count > JUSTIFICATION_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < out->justification_count; i++) {
        if (!certificate_read(&reader, count, &out->justification[i])) {
            return false;
        }
    }
    if (!proposal_read_block(&reader, out)) {
        return false;
    }
    out->head = bytes_of(message.at, message.count - out->body.count);
    return true;
}

bool wire_epoch_view(struct bytes message, uint64_t *epoch, uint64_t *view)
{
    struct reader reader = reader_of(message);
    const uint8_t type = reader_u8(&reader);

    if (type == WIRE_VOTE || type == WIRE_CERT) {
        (void)reader_u8(&reader); /* kind */
    } else if (type != WIRE_PROPOSAL) {
        return false;
    }
    *epoch = reader_u64(&reader);
    *view = reader_u64(&reader);
    return !reader.failed;
}

/* GET_BLOCK, BLOCK. */

void wire_get_block_write(struct writer *writer, const uint8_t block_hash[HASH_BYTES])
{
    message_begin(writer, WIRE_GET_BLOCK);
    writer_bytes(writer, block_hash, HASH_BYTES);
}

bool wire_get_block_decode(struct bytes message, const uint8_t **block_hash)
{
    struct reader reader = message_open(message, WIRE_GET_BLOCK);

    *block_hash = reader_take(&reader, HASH_BYTES).at;
    return reader_done(&reader);
}

/* Read a header and a body of exactly the length that it names. */
static bool block_read(struct reader *reader, struct block_header *header, struct bytes *body)
{
    if (!block_header_decode(reader_take(reader, BLOCK_HEADER_BYTES), header)) {
        return false;
    }
    *body = reader_take(reader, header->tx_bytes);
    return !reader->failed;
}

void wire_block_write_head(struct writer *writer, const struct block_header *header)
{
    uint8_t bytes[BLOCK_HEADER_BYTES];

    block_header_encode(header, bytes);
    message_begin(writer, WIRE_BLOCK);
    writer_bytes(writer, bytes, sizeof bytes);
}

bool wire_block_decode(struct bytes message, struct block_header *header, struct bytes *body)
{
    struct reader reader = message_open(message, WIRE_BLOCK);

    return block_read(&reader, header, body) && reader_done(&reader);
}

/* TX_PUSH, TX_HAVE, TX_WANT. */

bool wire_tx_push_next(struct bytes *left, struct bytes *transaction)
{
    return block_body_next(left, transaction); /* the same form as in a body */
}

bool wire_tx_push_decode(struct bytes message, uint16_t *count, struct bytes *left)
{
    struct reader reader = message_open(message, WIRE_TX_PUSH);
    struct bytes transaction;
    struct bytes rest;

    *count = reader_u16(&reader);
    *left = reader.left;
    if (reader.failed || *count < 1 || *count > WIRE_TXS_MAX) {
        return false;
    }
    rest = *left;
    for (uint32_t i = 0; i < *count; i++) {
        if (!wire_tx_push_next(&rest, &transaction)) {
            return false;
        }
    }
    return rest.count == 0;
}

void wire_tx_push_begin(struct writer *writer, uint16_t count)
{
    INVARIANT(count >= 1 && count <= WIRE_TXS_MAX);
    message_begin(writer, WIRE_TX_PUSH);
    writer_u16(writer, count);
}

void wire_tx_push_add(struct writer *writer, struct bytes transaction)
{
    INVARIANT(transaction.count <= TX_BYTES_MAX);
    writer_u32(writer, (uint32_t)transaction.count);
    writer_view(writer, transaction);
}

/*
 * Is a hash there twice?  Each is compared with all before it, by eight bytes first: at most 32,640 comparisons,
 * 256 hashes being the limit, and nobody can make them slower than whole comparisons.
 */
static bool hashes_repeat(const uint8_t *hashes, uint32_t count)
{
    uint64_t fronts[WIRE_TXS_MAX];

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *hash = hashes + (size_t)i * HASH_BYTES;

        memcpy(&fronts[i], hash, sizeof fronts[i]);
        for (uint32_t j = 0; j < i; j++) {
            if (fronts[j] == fronts[i] &&
                memcmp(hashes + (size_t)j * HASH_BYTES, hash, HASH_BYTES) == 0) {
                return true;
            }
        }
    }
    return false;
}

void wire_tx_ids_write(struct writer *writer, enum wire_type type, const uint8_t *hashes,
                       uint16_t count)
{
    INVARIANT(type == WIRE_TX_HAVE || type == WIRE_TX_WANT);
    INVARIANT(count >= 1 && count <= WIRE_TXS_MAX);
    INVARIANT_SLOW(!hashes_repeat(hashes, count));
    message_begin(writer, type);
    writer_u16(writer, count);
    writer_bytes(writer, hashes, (size_t)count * HASH_BYTES);
}

bool wire_tx_ids_decode(struct bytes message, uint16_t *count, const uint8_t **hashes)
{
    struct reader reader = reader_of(message);
    const uint8_t type = reader_u8(&reader);

    *count = reader_u16(&reader);
    *hashes = reader.left.at;
    return !reader.failed && (type == WIRE_TX_HAVE || type == WIRE_TX_WANT) && *count >= 1 &&
           *count <= WIRE_TXS_MAX && reader.left.count == (size_t)*count * HASH_BYTES &&
           !hashes_repeat(*hashes, *count);
}

/* GET_BLOCKS, BLOCKS. */

static bool get_blocks_valid(const struct wire_get_blocks *get)
{
    return get->blocks >= 1 && get->blocks <= WIRE_BLOCKS_MAX &&
           get->bytes >= WIRE_RANGE_BYTES_MIN && get->bytes <= WIRE_RANGE_BYTES_MAX;
}

void wire_get_blocks_write(struct writer *writer, const struct wire_get_blocks *get)
{
    INVARIANT(get_blocks_valid(get));
    message_begin(writer, WIRE_GET_BLOCKS);
    writer_u32(writer, get->id);
    writer_u64(writer, get->from);
    writer_u16(writer, get->blocks);
    writer_u32(writer, get->bytes);
}

bool wire_get_blocks_decode(struct bytes message, struct wire_get_blocks *out)
{
    struct reader reader = message_open(message, WIRE_GET_BLOCKS);

    out->id = reader_u32(&reader);
    out->from = reader_u64(&reader);
    out->blocks = reader_u16(&reader);
    out->bytes = reader_u32(&reader);
    return reader_done(&reader) && get_blocks_valid(out);
}

bool wire_blocks_next(struct bytes *left, struct block_header *header, struct bytes *body)
{
    struct reader reader = reader_of(*left);

    if (!block_read(&reader, header, body)) {
        return false;
    }
    *left = reader.left;
    return true;
}

/* Walk the blocks and the headers above them; each header is looked at once, so that later walks cannot fail. */
static bool blocks_read(struct reader *reader, struct wire_blocks *out)
{
    const uint8_t *begin = reader->left.at;
    struct block_header header;
    struct bytes body;

    for (uint32_t i = 0; i < out->count; i++) {
        if (!block_read(reader, &header, &body)) {
            return false;
        }
    }
    out->blocks = bytes_of(begin, (size_t)(reader->left.at - begin));
    out->headers = reader_take(reader, (size_t)out->header_count * BLOCK_HEADER_BYTES);
    if (reader->failed) {
        return false;
    }
    for (uint32_t i = 0; i < out->header_count; i++) {
        const uint8_t *at = out->headers.at + (size_t)i * BLOCK_HEADER_BYTES;

        if (!block_header_decode(bytes_of(at, BLOCK_HEADER_BYTES), &header)) {
            return false;
        }
    }
    return true;
}

bool wire_blocks_decode(struct bytes message, uint16_t count, struct wire_blocks *out)
{
    struct reader reader = message_open(message, WIRE_BLOCKS);
    uint8_t result;

    memset(out, 0, sizeof *out);
    out->id = reader_u32(&reader);
    result = reader_u8(&reader);
    if (reader.failed || result > WIRE_BLOCKS_BUSY) {
        return false;
    }
    out->result = (enum wire_blocks_result)result;
    if (out->result != WIRE_BLOCKS_FOLLOW) {
        return reader_done(&reader);
    }
    out->from = reader_u64(&reader);
    out->count = reader_u16(&reader);
    out->header_count = reader_u16(&reader);
    if (reader.failed || out->count < 1 || out->count > WIRE_BLOCKS_MAX ||
        out->header_count > WIRE_BLOCKS_MAX || !blocks_read(&reader, out)) {
        return false;
    }
    return certificate_read(&reader, count, &out->certificate) && reader_done(&reader);
}

void wire_blocks_begin(struct writer *writer, const struct wire_blocks *blocks)
{
    message_begin(writer, WIRE_BLOCKS);
    writer_u32(writer, blocks->id);
    writer_u8(writer, (uint8_t)blocks->result);
    if (blocks->result == WIRE_BLOCKS_FOLLOW) {
        INVARIANT(blocks->count >= 1 && blocks->count <= WIRE_BLOCKS_MAX);
        INVARIANT(blocks->header_count <= WIRE_BLOCKS_MAX);
        writer_u64(writer, blocks->from);
        writer_u16(writer, blocks->count);
        writer_u16(writer, blocks->header_count);
    }
}

void wire_blocks_add(struct writer *writer, struct bytes header_and_body)
{
    INVARIANT(header_and_body.count >= BLOCK_HEADER_BYTES);
    writer_view(writer, header_and_body);
}

void wire_blocks_end(struct writer *writer, const struct certificate *certificate)
{
    writer_view(writer, certificate->encoded);
}

/* GET_EPOCHS, EPOCHS. */

static bool epochs_count_valid(uint8_t count)
{
    return count >= 1 && count <= WIRE_EPOCHS_MAX;
}

void wire_get_epochs_write(struct writer *writer, const struct wire_get_epochs *get)
{
    INVARIANT(epochs_count_valid(get->count));
    message_begin(writer, WIRE_GET_EPOCHS);
    writer_u32(writer, get->id);
    writer_u64(writer, get->first);
    writer_u8(writer, get->count);
}

bool wire_get_epochs_decode(struct bytes message, struct wire_get_epochs *out)
{
    struct reader reader = message_open(message, WIRE_GET_EPOCHS);

    out->id = reader_u32(&reader);
    out->first = reader_u64(&reader);
    out->count = reader_u8(&reader);
    return reader_done(&reader) && epochs_count_valid(out->count);
}

bool wire_epochs_decode(struct bytes message, struct wire_epochs *out)
{
    struct reader reader = message_open(message, WIRE_EPOCHS);
    uint8_t result;

    *out = (struct wire_epochs){.id = reader_u32(&reader)};
    result = reader_u8(&reader);
    if (reader.failed || result > WIRE_BLOCKS_BUSY) {
        return false;
    }
    out->result = (enum wire_blocks_result)result;
    if (out->result != WIRE_BLOCKS_FOLLOW) {
        return reader_done(&reader);
    }
    out->count = reader_u8(&reader);
    out->records = reader.left;
    return !reader.failed && epochs_count_valid(out->count);
}

bool wire_epochs_next(struct bytes *left, uint16_t count, struct wire_epoch *out)
{
    struct reader reader = reader_of(*left);

    if (!block_header_decode(reader_take(&reader, BLOCK_HEADER_BYTES), &out->header)) {
        return false;
    }
    memset(&out->certificate, 0, sizeof out->certificate);
    if (out->header.epoch != 0 && !certificate_read(&reader, count, &out->certificate)) {
        return false;
    }
    if (!validators_read(&reader, &out->next)) {
        return false;
    }
    *left = reader.left;
    return true;
}

void wire_epochs_begin(struct writer *writer, const struct wire_epochs *epochs)
{
    message_begin(writer, WIRE_EPOCHS);
    writer_u32(writer, epochs->id);
    writer_u8(writer, (uint8_t)epochs->result);
    if (epochs->result == WIRE_BLOCKS_FOLLOW) {
        INVARIANT(epochs_count_valid(epochs->count));
        writer_u8(writer, epochs->count);
    }
}

void wire_epoch_write(struct writer *writer, const struct wire_epoch *epoch)
{
    uint8_t header[BLOCK_HEADER_BYTES];

    INVARIANT((epoch->header.epoch == 0) == (epoch->certificate.encoded.count == 0));
    block_header_encode(&epoch->header, header);
    writer_bytes(writer, header, sizeof header);
    writer_view(writer, epoch->certificate.encoded);
    validators_write(writer, &epoch->next);
}

/* PING, PONG. */

void wire_ping_write(struct writer *writer, enum wire_type type, uint64_t token)
{
    INVARIANT(type == WIRE_PING || type == WIRE_PONG);
    message_begin(writer, type);
    writer_u64(writer, token);
}

bool wire_ping_decode(struct bytes message, uint64_t *token)
{
    struct reader reader = reader_of(message);
    const uint8_t type = reader_u8(&reader);

    *token = reader_u64(&reader);
    return reader_done(&reader) && (type == WIRE_PING || type == WIRE_PONG);
}

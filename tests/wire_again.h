/*
 * tests/wire_again.h -- decode a message of any type and write it again: what is accepted has one form.
 *
 * For the unit test over wire.json and for the fuzz target.
 */
#ifndef TESTS_WIRE_AGAIN_H
#define TESTS_WIRE_AGAIN_H

#include "base/writer.h"
#include "proto/wire.h"

static inline bool again_status(struct bytes message, struct writer *writer)
{
    struct wire_status status;

    if (!wire_status_decode(message, &status)) {
        return false;
    }
    wire_status_write(writer, &status);
    return true;
}

static inline bool again_vote(struct bytes message, struct writer *writer)
{
    struct vote vote;

    if (!wire_vote_decode(message, &vote)) {
        return false;
    }
    wire_vote_write(writer, &vote);
    return true;
}

static inline bool again_cert(struct bytes message, uint16_t count, struct writer *writer)
{
    struct certificate certificate;

    if (!wire_cert_decode(message, count, &certificate)) {
        return false;
    }
    wire_cert_write(writer, &certificate);
    return true;
}

static inline bool again_get_certs(struct bytes message, struct writer *writer)
{
    struct wire_get_certs get;

    if (!wire_get_certs_decode(message, &get)) {
        return false;
    }
    wire_get_certs_write(writer, &get);
    return true;
}

static inline bool again_proposal(struct bytes message, uint16_t count, struct writer *writer)
{
    static struct wire_proposal proposal;

    if (!wire_proposal_decode(message, count, &proposal)) {
        return false;
    }
    wire_proposal_write(writer, &proposal);
    writer_view(writer, proposal.body);
    return true;
}

static inline bool again_block(struct bytes message, struct writer *writer)
{
    struct block_header header;
    struct bytes body;

    if (!wire_block_decode(message, &header, &body)) {
        return false;
    }
    wire_block_write_head(writer, &header);
    writer_view(writer, body);
    return true;
}

static inline bool again_get_block(struct bytes message, struct writer *writer)
{
    const uint8_t *block_hash;

    if (!wire_get_block_decode(message, &block_hash)) {
        return false;
    }
    wire_get_block_write(writer, block_hash);
    return true;
}

static inline bool again_tx_push(struct bytes message, struct writer *writer)
{
    struct bytes left;
    struct bytes transaction;
    uint16_t count;

    if (!wire_tx_push_decode(message, &count, &left)) {
        return false;
    }
    wire_tx_push_begin(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        INVARIANT(wire_tx_push_next(&left, &transaction));
        writer_u32(writer,
                   (uint32_t)transaction.count); /* any length: that is for tx_decode to judge */
        writer_view(writer, transaction);
    }
    INVARIANT(left.count == 0);
    return true;
}

static inline bool again_tx_ids(struct bytes message, struct writer *writer)
{
    const uint8_t *hashes;
    uint16_t count;

    if (!wire_tx_ids_decode(message, &count, &hashes)) {
        return false;
    }
    wire_tx_ids_write(writer, (enum wire_type)message.at[0], hashes, count);
    return true;
}

static inline bool again_get_blocks(struct bytes message, struct writer *writer)
{
    struct wire_get_blocks get;

    if (!wire_get_blocks_decode(message, &get)) {
        return false;
    }
    wire_get_blocks_write(writer, &get);
    return true;
}

static inline bool again_blocks(struct bytes message, uint16_t count, struct writer *writer)
{
    struct wire_blocks blocks;
    struct block_header header;
    struct bytes left;
    struct bytes body;

    if (!wire_blocks_decode(message, count, &blocks)) {
        return false;
    }
    wire_blocks_begin(writer, &blocks);
    left = blocks.blocks;
    for (uint32_t i = 0; i < blocks.count; i++) {
        const uint8_t *begin = left.at;

        INVARIANT(wire_blocks_next(&left, &header, &body));
        wire_blocks_add(writer, bytes_of(begin, (size_t)(left.at - begin)));
    }
    INVARIANT(left.count == 0);
    for (uint32_t i = 0; i < blocks.header_count; i++) {
        wire_blocks_add(writer, bytes_of(blocks.headers.at + (size_t)i * BLOCK_HEADER_BYTES,
                                         BLOCK_HEADER_BYTES));
    }
    wire_blocks_end(writer, &blocks.certificate);
    return true;
}

static inline bool again_get_epochs(struct bytes message, struct writer *writer)
{
    struct wire_get_epochs get;

    if (!wire_get_epochs_decode(message, &get)) {
        return false;
    }
    wire_get_epochs_write(writer, &get);
    return true;
}

/* The set of each record's epoch is that of the record before; the first one's has `count` members. */
static inline bool again_epochs(struct bytes message, uint16_t count, struct writer *writer)
{
    static struct wire_epoch epoch;
    struct wire_epochs epochs;

    if (!wire_epochs_decode(message, &epochs)) {
        return false;
    }
    wire_epochs_begin(writer, &epochs);
    for (uint32_t i = 0; i < epochs.count; i++) {
        if (!wire_epochs_next(&epochs.records, count, &epoch)) {
            return false;
        }
        wire_epoch_write(writer, &epoch);
        count = epoch.next.count;
    }
    return epochs.records.count == 0;
}

static inline bool again_ping(struct bytes message, struct writer *writer)
{
    uint64_t token;

    if (!wire_ping_decode(message, &token)) {
        return false;
    }
    wire_ping_write(writer, (enum wire_type)message.at[0], token);
    return true;
}

/* False if no decoder takes the message; else it is written again to `writer`. */
static inline bool wire_again(struct bytes message, uint16_t count, struct writer *writer)
{
    switch (message.count == 0 ? 0 : message.at[0]) {
    case WIRE_STATUS:
        return again_status(message, writer);
    case WIRE_PING:
    case WIRE_PONG:
        return again_ping(message, writer);
    case WIRE_VOTE:
        return again_vote(message, writer);
    case WIRE_CERT:
        return again_cert(message, count, writer);
    case WIRE_GET_CERTS:
        return again_get_certs(message, writer);
    case WIRE_PROPOSAL:
        return again_proposal(message, count, writer);
    case WIRE_GET_BLOCK:
        return again_get_block(message, writer);
    case WIRE_BLOCK:
        return again_block(message, writer);
    case WIRE_TX_PUSH:
        return again_tx_push(message, writer);
    case WIRE_TX_HAVE:
    case WIRE_TX_WANT:
        return again_tx_ids(message, writer);
    case WIRE_GET_BLOCKS:
        return again_get_blocks(message, writer);
    case WIRE_BLOCKS:
        return again_blocks(message, count, writer);
    case WIRE_GET_EPOCHS:
        return again_get_epochs(message, writer);
    case WIRE_EPOCHS:
        return again_epochs(message, count, writer);
    default:
        return false;
    }
}

#endif /* TESTS_WIRE_AGAIN_H */

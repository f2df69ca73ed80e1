#include "proto/block.h"

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"

void block_header_encode(const struct block_header *header, uint8_t out[BLOCK_HEADER_BYTES])
{
    struct writer writer = writer_of(out, BLOCK_HEADER_BYTES);

    writer_u16(&writer, header->version);
    writer_u8(&writer, header->flags);
    writer_u8(&writer, 0);
    writer_bytes(&writer, header->chain_id, HASH_BYTES);
    writer_u64(&writer, header->epoch);
    writer_u64(&writer, header->view);
    writer_u64(&writer, header->height);
    writer_u64(&writer, header->time_ms);
    writer_u16(&writer, header->proposer);
    writer_u16(&writer, 0);
    writer_bytes(&writer, header->parent_hash, HASH_BYTES);
    writer_bytes(&writer, header->txs_root, HASH_BYTES);
    writer_bytes(&writer, header->receipts_root, HASH_BYTES);
    writer_bytes(&writer, header->state_root, HASH_BYTES);
    writer_bytes(&writer, header->valset_hash, HASH_BYTES);
    writer_bytes(&writer, header->next_valset_hash, HASH_BYTES);
    writer_bytes(&writer, header->history_root, HASH_BYTES);
    writer_bytes(&writer, header->params_hash, HASH_BYTES);
    writer_u32(&writer, header->tx_count);
    writer_u32(&writer, header->tx_bytes);
    writer_u64(&writer, header->units_used);
    INVARIANT(!writer.failed && writer.used == BLOCK_HEADER_BYTES);
}

bool block_header_decode(struct bytes bytes, struct block_header *out)
{
    struct reader reader = reader_of(bytes);
    uint64_t zeros;

    out->version = reader_u16(&reader);
    out->flags = reader_u8(&reader);
    zeros = reader_u8(&reader);
    reader_copy(&reader, out->chain_id, HASH_BYTES);
    out->epoch = reader_u64(&reader);
    out->view = reader_u64(&reader);
    out->height = reader_u64(&reader);
    out->time_ms = reader_u64(&reader);
    out->proposer = reader_u16(&reader);
    zeros |= reader_u16(&reader);
    reader_copy(&reader, out->parent_hash, HASH_BYTES);
    reader_copy(&reader, out->txs_root, HASH_BYTES);
    reader_copy(&reader, out->receipts_root, HASH_BYTES);
    reader_copy(&reader, out->state_root, HASH_BYTES);
    reader_copy(&reader, out->valset_hash, HASH_BYTES);
    reader_copy(&reader, out->next_valset_hash, HASH_BYTES);
    reader_copy(&reader, out->history_root, HASH_BYTES);
    reader_copy(&reader, out->params_hash, HASH_BYTES);
    out->tx_count = reader_u32(&reader);
    out->tx_bytes = reader_u32(&reader);
    out->units_used = reader_u64(&reader);
    return reader_done(&reader) && out->version == BLOCK_VERSION && zeros == 0 &&
           (out->flags & ~BLOCK_FLAGS_KNOWN) == 0;
}

void block_header_hash(const struct block_header *header, uint8_t out[HASH_BYTES])
{
    uint8_t bytes[BLOCK_HEADER_BYTES];

    block_header_encode(header, bytes);
    hash_of(TAG_BLOCK, bytes_of(bytes, sizeof bytes), out);
}

bool block_body_next(struct bytes *left, struct bytes *transaction)
{
    struct reader reader = reader_of(*left);
    const uint32_t count = reader_u32(&reader);

    *transaction = reader_take(&reader, count);
    if (reader.failed) {
        return false;
    }
    *left = reader.left;
    return true;
}

bool block_body_matches(const struct block_header *header, struct bytes body)
{
    struct bytes left = body;
    struct bytes transaction;
    struct merkle merkle;
    uint8_t item[HASH_BYTES];

    if (body.count != header->tx_bytes) {
        return false;
    }
    merkle_begin(&merkle);
    while (left.count != 0) {
        if (!block_body_next(&left, &transaction) || merkle.count == header->tx_count) {
            return false;
        }
        hash_of(TAG_TXWIRE, transaction, item);
        merkle_add(&merkle, bytes_of(item, sizeof item));
    }
    merkle_root(&merkle, item);
    return merkle.count == header->tx_count && hash_equal(item, header->txs_root);
}

#include "proto/record.h"

#include "base/reader.h"
#include "base/writer.h"

enum { RECORD_KEY_BYTES = 32 };

void record_write(struct writer *writer, const struct record *record)
{
    uint8_t header[BLOCK_HEADER_BYTES];

    writer_u8(writer, (uint8_t)record->type);
    switch (record->type) {
    case RECORD_BLOCK:
        block_header_encode(&record->header, header);
        writer_bytes(writer, header, sizeof header);
        break;
    case RECORD_NOTARIZE:
        candidate_write(writer, &record->candidate);
        break;
    case RECORD_NULLIFY:
    case RECORD_EPOCH:
        writer_u64(writer, record->epoch);
        writer_u64(writer, record->view);
        break;
    case RECORD_FINALIZE:
        candidate_write(writer, &record->candidate);
        writer_view(writer, record->certificate.encoded);
        break;
    case RECORD_CERT:
        writer_view(writer, record->certificate.encoded);
        break;
    case RECORD_KEY:
        writer_bytes(writer, record->key, RECORD_KEY_BYTES);
        break;
    }
}

static bool record_read_block(struct reader *reader, struct record *out)
{
    if (!block_header_decode(reader_take(reader, BLOCK_HEADER_BYTES), &out->header)) {
        return false;
    }
    out->body = reader_take(reader, reader->left.count);
    return out->body.count == 0 || out->body.count == out->header.tx_bytes;
}

/* The payload of the type that stands in `out` already. */
static bool record_read(struct reader *reader, uint16_t count, struct record *out)
{
    switch (out->type) {
    case RECORD_BLOCK:
        return record_read_block(reader, out);
    case RECORD_NOTARIZE:
        candidate_read(reader, &out->candidate);
        return true;
    case RECORD_NULLIFY:
    case RECORD_EPOCH:
        out->epoch = reader_u64(reader);
        out->view = reader_u64(reader);
        return true;
    case RECORD_FINALIZE:
        candidate_read(reader, &out->candidate);
        return certificate_read(reader, count, &out->certificate);
    case RECORD_CERT:
        return certificate_read(reader, count, &out->certificate);
    case RECORD_KEY:
        out->key = reader_take(reader, RECORD_KEY_BYTES).at;
        return true;
    }
    return false;
}

bool record_decode(struct bytes bytes, uint16_t count, struct record *out)
{
    struct reader reader = reader_of(bytes);
    const uint8_t type = reader_u8(&reader);

    if (type < RECORD_BLOCK || type > RECORD_KEY) {
        return false;
    }
    *out = (struct record){.type = (enum record_type)type};
    return record_read(&reader, count, out) && reader_done(&reader);
}

bool record_epoch(struct bytes bytes, uint64_t *epoch)
{
    struct reader reader = reader_of(bytes);
    const uint8_t type = reader_u8(&reader);
    struct block_header header;

    switch (type) {
    case RECORD_BLOCK:
        if (!block_header_decode(reader_take(&reader, BLOCK_HEADER_BYTES), &header)) {
            return false;
        }
        *epoch = header.epoch;
        return true;
    case RECORD_CERT:
        (void)reader_u8(&reader); /* kind */
        break;
    case RECORD_NOTARIZE:
    case RECORD_NULLIFY:
    case RECORD_FINALIZE:
    case RECORD_EPOCH:
        break;
    default: /* KEY, which belongs to no epoch, and unknown types */
        return false;
    }
    *epoch = reader_u64(&reader);
    return !reader.failed;
}

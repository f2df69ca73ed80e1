/* tests/fuzz/record.c -- any bytes as a record of the vote log: what is accepted is written again as it came. */
#include <stdint.h>

#include "base/err.h"
#include "base/writer.h"
#include "proto/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The epoch by the decoded record, to be compared with that of record_epoch. */
static uint64_t epoch_of(const struct record *record)
{
    switch (record->type) {
    case RECORD_BLOCK:
        return record->header.epoch;
    case RECORD_NOTARIZE:
    case RECORD_FINALIZE:
        return record->candidate.epoch;
    case RECORD_CERT:
        return record->certificate.statement.candidate.epoch;
    case RECORD_NULLIFY:
    case RECORD_EPOCH:
    case RECORD_KEY:
        break;
    }
    return record->epoch;
}

/* The first byte is the size of the set less one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 16];
    struct writer writer = writer_of(memory, sizeof memory);
    struct record record;
    struct bytes bytes;
    uint64_t epoch;

    if (size == 0 || size > sizeof memory) {
        return 0;
    }
    bytes = bytes_of(data + 1, size - 1);
    if (!record_decode(bytes, (uint16_t)(data[0] + 1), &record)) {
        (void)record_epoch(bytes, &epoch);
        return 0;
    }
    record_write(&writer, &record);
    writer_view(&writer, record.body);
    INVARIANT(bytes_equal(writer_done(&writer), bytes));
    INVARIANT(record.body.count != 0 || bytes.count <= RECORD_BYTES_MAX);
    INVARIANT(record_epoch(bytes, &epoch) == (record.type != RECORD_KEY));
    INVARIANT(record.type == RECORD_KEY || epoch == epoch_of(&record));
    return 0;
}

/*
 * Open and read a vote log whose segments are arbitrary bytes: no crash, no hang, records in ascending order; and a
 * log that is found whole takes a record and is whole afterwards with that record in it.
 *
 * Input: segments, each u8 number, u16 count (big-endian) and that many bytes, up to the end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "proto/record.h"
#include "state/vote_log.h"
#include "tests/disk_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEGMENT = 2048, SEGMENTS_MAX = 8 };

static const struct vote_log_options options = {.segment_bytes = SEGMENT};
static const uint8_t key[32] = {7, 7, 7};

static void disk_fill(struct disk_memory *disk, struct bytes input)
{
    struct reader reader = reader_of(input);

    disk_memory_init(disk);
    while (reader.left.count != 0 && disk->count < SEGMENTS_MAX) {
        const uint8_t number = reader_u8(&reader);
        const uint16_t count = reader_u16(&reader);
        const struct bytes bytes =
            reader_take(&reader, count <= reader.left.count ? count : reader.left.count);
        bool there = number == 0;

        for (uint32_t i = 0; i < disk->count; i++) {
            there = there || disk->files[i].number == number;
        }
        if (there) {
            continue;
        }
        disk_memory_insert(disk, number, count < SEGMENT ? SEGMENT : count);
        for (uint32_t i = 0; i < disk->count; i++) {
            if (disk->files[i].number == number && bytes.count != 0) {
                memcpy(disk->files[i].live, bytes.at, bytes.count);
            }
        }
    }
}

/* Open, read everything; gives how it was found. */
static struct vote_log_found log_visit(struct disk_memory *disk, bool append)
{
    struct arena arena;
    struct vote_log *log;
    struct vote_log_found found;
    struct vote_log_cursor cursor = {0};
    enum err error = ERR_OK;
    uint64_t last = 0;
    uint32_t count = 0;

    INVARIANT(arena_open(&arena, vote_log_footprint(&options)) == ERR_OK);
    INVARIANT(vote_log_open(&disk->disk, &options, key, &arena, &log, &found) == ERR_OK);
    while (vote_log_next(log, &cursor, &error)) {
        INVARIANT(cursor.record.count != 0);
        last = cursor.seq > last ? cursor.seq : last;
        count += 1;
        INVARIANT(count <= SEGMENTS_MAX * SEGMENT);
    }
    INVARIANT(error == ERR_OK && last <= found.last_seq);
    if (append && (found.state == VOTE_LOG_WHOLE || found.state == VOTE_LOG_NO_KEY)) {
        const uint8_t record[] = {RECORD_NULLIFY, 1, 2, 3};
        struct vote_log_sync sync;

        INVARIANT(vote_log_append(log, found.last_seq + 1, bytes_of(record, sizeof record),
                                  (struct bytes){0}) == ERR_OK);
        sync = vote_log_sync_begin(log);
        for (uint32_t i = 0; i < sync.segment_count; i++) {
            INVARIANT(disk->disk.sync(disk, sync.segments[i]) == ERR_OK);
        }
        vote_log_sync_end(log, &sync);
    }
    arena_close(&arena);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct disk_memory disk;
    struct vote_log_found found;
    struct vote_log_found again;

    disk_fill(&disk, bytes_of(data, size));
    found = log_visit(&disk, true);
    again = log_visit(&disk, false);
    INVARIANT(again.state == found.state);
    if (found.state == VOTE_LOG_WHOLE || found.state == VOTE_LOG_NO_KEY) {
        INVARIANT(again.last_seq == found.last_seq + 1 && again.dropped_bytes == 0);
    } else {
        INVARIANT(again.last_seq == found.last_seq && again.segment == found.segment &&
                  again.offset == found.offset);
    }
    disk_memory_clear(&disk);
    return 0;
}

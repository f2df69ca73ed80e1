/* The vote log on a disk in memory: torn writes are dropped, damage is named, nothing synced is ever lost silently. */
#include "state/vote_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "base/random.h"
#include "proto/record.h"
#include "tests/check.h"
#include "tests/disk_memory.h"

enum { SEGMENT = 4096 };

/* ---- a log over it ---- */

static const uint8_t own_key[32] = {7, 7, 7};
static const struct vote_log_options options = {.segment_bytes = SEGMENT, .salt = {1, 2, 3}};

struct opened {
    struct arena arena;
    struct vote_log *log;
    struct vote_log_found found;
};

static void log_open_key(struct opened *opened, struct disk_memory *disk, const uint8_t *key)
{
    CHECK(arena_open(&opened->arena, vote_log_footprint(&options)) == ERR_OK);
    CHECK(vote_log_open(&disk->disk, &options, key, &opened->arena, &opened->log, &opened->found) ==
          ERR_OK);
}

static void log_open(struct opened *opened, struct disk_memory *disk)
{
    log_open_key(opened, disk, own_key);
}

static void log_close(struct opened *opened)
{
    arena_close(&opened->arena);
}

/* A record whose content follows from its number: type NULLIFY, or EPOCH, or BLOCK with a body. */
static size_t record_of(uint64_t seq, uint8_t out[1400])
{
    const size_t count = seq % 7 == 3 ? 900 + seq % 300 : 20 + seq % 90;

    out[0] = seq % 7 == 3 ? RECORD_BLOCK : RECORD_NULLIFY;
    for (size_t i = 1; i < count; i++) {
        out[i] = (uint8_t)(seq * 31 + i * 7);
    }
    if (seq % 11 == 5) {
        out[0] = RECORD_EPOCH;
        return 17;
    }
    return count;
}

static enum err log_add(struct vote_log *log)
{
    uint8_t bytes[1400];
    const uint64_t seq = vote_log_last_seq(log) + 1;
    const size_t count = record_of(seq, bytes);
    const size_t head = bytes[0] == RECORD_BLOCK ? 345 : count;

    return vote_log_append(log, seq, bytes_of(bytes, head), bytes_of(bytes + head, count - head));
}

static void log_sync(struct vote_log *log, struct disk_memory *disk)
{
    for (;;) {
        const struct vote_log_sync sync = vote_log_sync_begin(log);

        if (sync.seq == 0) {
            return;
        }
        for (uint32_t i = 0; i < sync.segment_count; i++) {
            CHECK(disk->disk.sync(disk, sync.segments[i]) == ERR_OK);
        }
        vote_log_sync_end(log, &sync);
    }
}

/* Read all: numbers ascend without a gap up to `last`, contents are right.  Gives the first new number. */
static uint64_t log_read(struct vote_log *log, uint64_t last)
{
    struct vote_log_cursor cursor = {0};
    enum err error = ERR_OK;
    uint64_t first = 0;
    uint64_t before = 0;
    uint8_t expected[1400];

    while (vote_log_next(log, &cursor, &error)) {
        if (cursor.record.at[0] != RECORD_KEY && cursor.seq > 2) {
            const size_t count = record_of(cursor.seq, expected);

            CHECK_BYTES(cursor.record, bytes_of(expected, count));
        }
        if (cursor.seq == before + 1 || first != 0) {
            CHECK_U64(cursor.seq, ==, before + 1);
            first = first == 0 ? cursor.seq : first;
        }
        before = cursor.seq;
    }
    CHECK(error == ERR_OK);
    CHECK_U64(before, ==, last);
    return first;
}

static void log_new(struct disk_memory *disk)
{
    disk_memory_init(disk);
    CHECK(vote_log_create(&disk->disk, &options, own_key) == ERR_OK);
}

/* `count` records, each synced `every` records. */
static void log_fill(struct disk_memory *disk, uint32_t count, uint32_t every)
{
    struct opened opened;

    log_new(disk);
    log_open(&opened, disk);
    CHECK(opened.found.state == VOTE_LOG_WHOLE);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(log_add(opened.log) == ERR_OK);
        if ((i + 1) % every == 0) {
            log_sync(opened.log, disk);
        }
    }
    log_close(&opened);
}

/* ---- tests ---- */

TEST(a_new_log_holds_epoch_and_key)
{
    struct disk_memory disk;
    struct opened opened;
    struct vote_log_cursor cursor = {0};
    struct record record;
    enum err error;
    uint8_t other[32] = {1};

    log_new(&disk);
    CHECK(vote_log_create(&disk.disk, &options, own_key) == ERR_EXISTS);
    log_open(&opened, &disk);
    CHECK(opened.found.state == VOTE_LOG_WHOLE);
    CHECK_U64(opened.found.last_seq, ==, 2);
    CHECK_U64(vote_log_durable_seq(opened.log), ==, 2);
    CHECK(vote_log_next(opened.log, &cursor, &error));
    CHECK(record_decode(cursor.record, 4, &record) && record.type == RECORD_EPOCH);
    CHECK(record.epoch == 1 && record.view == 0);
    CHECK(vote_log_next(opened.log, &cursor, &error));
    CHECK(record_decode(cursor.record, 4, &record) && record.type == RECORD_KEY);
    CHECK(memcmp(record.key, own_key, 32) == 0);
    CHECK(!vote_log_next(opened.log, &cursor, &error) && error == ERR_OK);
    log_close(&opened);

    log_open_key(&opened, &disk, other);
    CHECK(opened.found.state == VOTE_LOG_NO_KEY);
    log_close(&opened);
    disk_memory_clear(&disk);

    log_open(&opened, &disk);
    CHECK(opened.found.state == VOTE_LOG_ABSENT && opened.found.last_seq == 0);
    log_close(&opened);
}

TEST(records_come_back_over_many_openings)
{
    struct disk_memory disk;
    struct opened opened;
    uint64_t last = 2;

    log_new(&disk);
    for (uint32_t round = 0; round < 60; round++) {
        log_open(&opened, &disk);
        CHECK(opened.found.state == VOTE_LOG_WHOLE);
        CHECK_U64(opened.found.last_seq, ==, last);
        CHECK_U64(opened.found.dropped_bytes, ==, 0);
        CHECK_U64(log_read(opened.log, last), ==, 1);
        for (uint32_t i = 0; i < 1 + round % 4; i++) {
            CHECK(log_add(opened.log) == ERR_OK);
            last += 1;
        }
        if (round % 2 == 0) {
            log_sync(opened.log, &disk);
        }
        log_close(&opened); /* a killed process: the cache stays */
    }
    CHECK_U64(disk.count, >=, 5);
    disk_memory_clear(&disk);
}

TEST(what_opening_read_back_is_durable)
{
    struct disk_memory disk;
    struct opened opened;
    struct random random = {5};

    log_fill(&disk, 40, 1000); /* never synced, and spread over segments */
    log_open(&opened, &disk);
    CHECK_U64(opened.found.last_seq, ==, 42);
    CHECK_U64(vote_log_durable_seq(opened.log), ==, 42);
    log_close(&opened);
    disk_memory_cut(&disk, &random);
    log_open(&opened, &disk);
    CHECK(opened.found.state == VOTE_LOG_WHOLE);
    CHECK_U64(opened.found.last_seq, ==, 42);
    log_close(&opened);
    disk_memory_clear(&disk);
}

/* A4: every length to which the last record can be cut, followed by zeros or by garbage. */
TEST(a_torn_last_record_is_dropped_at_every_length)
{
    struct disk_memory whole;
    struct opened opened;
    size_t end;

    log_fill(&whole, 4, 1);
    log_open(&opened, &whole);
    end = opened.found.offset;
    log_close(&opened);
    for (size_t cut = 1; cut < 60; cut++) {
        for (uint32_t garbage = 0; garbage < 2; garbage++) {
            struct disk_memory disk;
            uint8_t *live;

            disk_memory_copy(&disk, &whole);
            live = disk.files[0].live;
            memset(live + end - cut, garbage == 0 ? 0 : 0xa5, garbage == 0 ? cut : cut + 30);
            log_open(&opened, &disk);
            CHECK(opened.found.state == VOTE_LOG_WHOLE);
            if (opened.found.last_seq == 6) { /* padding alone was cut */
                CHECK(cut <= 7);
            } else {
                CHECK_U64(opened.found.last_seq, ==, 5);
                CHECK_U64(opened.found.dropped_bytes, >, 0);
                CHECK_U64(log_read(opened.log, 5), ==, 1);
            }
            CHECK(log_add(opened.log) == ERR_OK);
            log_sync(opened.log, &disk);
            log_close(&opened);
            log_open(&opened, &disk);
            CHECK(opened.found.state == VOTE_LOG_WHOLE && opened.found.dropped_bytes == 0);
            log_close(&opened);
            disk_memory_clear(&disk);
        }
    }
    disk_memory_clear(&whole);
}

/* Where record `seq` begins. */
static void place_of(struct disk_memory *disk, uint64_t seq, uint64_t *segment, size_t *offset)
{
    struct opened opened;
    struct vote_log_cursor cursor = {0};
    enum err error;

    log_open(&opened, disk);
    *segment = 1;
    *offset = 96;
    while (vote_log_next(opened.log, &cursor, &error)) {
        if (cursor.seq == seq) {
            *segment = cursor.segment;
            *offset = cursor.offset - ((40 - 4 + cursor.record.count + 16 + 7) & ~(size_t)7);
        }
    }
    log_close(&opened);
}

/* A5: each byte flipped.  Each record but the last was synced before the next one was written. */
TEST(a_flipped_byte_is_damage_or_a_torn_end_never_a_gap)
{
    struct disk_memory disk;
    struct opened opened;
    uint64_t segments[64];
    size_t offsets[64];
    const uint64_t last = 20;
    uint32_t damaged = 0;
    uint32_t dropped = 0;

    log_fill(&disk, 18, 1);
    CHECK_U64(disk.count, >=, 2);
    for (uint64_t seq = 1; seq <= last; seq++) {
        place_of(&disk, seq, &segments[seq], &offsets[seq]);
    }
    for (uint32_t f = 0; f < disk.count; f++) {
        for (size_t at = 0; at < SEGMENT; at++) {
            struct disk_memory copy;
            uint64_t hit = 0; /* newest record that begins at or before the byte */

            disk_memory_copy(&copy, &disk);
            copy.files[f].live[at] ^= (uint8_t)(1U << (at % 8));
            log_open(&opened, &copy);
            for (uint64_t seq = 1; seq <= last; seq++) {
                hit = segments[seq] == f + 1 && offsets[seq] <= at ? seq : hit;
            }
            if (opened.found.state == VOTE_LOG_DAMAGED) {
                damaged += 1;
                CHECK_U64(opened.found.segment, ==, f + 1);
                CHECK_U64(opened.found.offset, <=, at);
                CHECK(opened.found.last_seq < last);
                (void)log_read(opened.log, opened.found.last_seq);
            } else {
                CHECK(opened.found.state == VOTE_LOG_WHOLE);
                /* Nothing is gone, or the last record alone, which no later one had seen durable. */
                CHECK_U64(opened.found.last_seq, >=, last - 1);
                if (opened.found.last_seq == last - 1) {
                    dropped += 1;
                    CHECK(hit == last || (f + 1 == disk.count && hit == 0));
                }
            }
            log_close(&opened);
            disk_memory_clear(&copy);
        }
    }
    CHECK_U64(damaged, >, 1500);
    CHECK_U64(dropped, >, 40);
    disk_memory_clear(&disk);
}

/* The same for sectors: zeroed, or replaced by another sector of the log (A5, A7). */
TEST(a_lost_or_misplaced_sector_is_noticed)
{
    struct disk_memory disk;
    struct opened opened;

    log_fill(&disk, 40, 1);
    for (uint32_t f = 0; f + 1 < disk.count;
         f++) { /* the newest segment may hold the last record alone */
        for (size_t at = 0; at < SEGMENT; at += DISK_MEMORY_SECTOR) {
            for (uint32_t what = 0; what < 2; what++) {
                struct disk_memory copy;
                uint8_t *live;

                disk_memory_copy(&copy, &disk);
                live = copy.files[f].live;
                if (what == 0) {
                    memset(live + at, 0, DISK_MEMORY_SECTOR);
                } else {
                    memmove(live + at,
                            disk.files[(f + 1) % disk.count].live +
                                (at + DISK_MEMORY_SECTOR) % SEGMENT,
                            DISK_MEMORY_SECTOR);
                }
                log_open(&opened, &copy);
                if (memcmp(live + at, disk.files[f].live + at, DISK_MEMORY_SECTOR) != 0 &&
                    opened.found.state == VOTE_LOG_WHOLE) {
                    CHECK_U64(opened.found.last_seq, ==,
                              42); /* it hit the unused end of a segment */
                }
                log_close(&opened);
                disk_memory_clear(&copy);
            }
        }
    }
    disk_memory_clear(&disk);
}

/* A2, A3: a power cut keeps any part of what was not synced; the log opens, and holds all that was synced. */
TEST(a_power_cut_takes_unsynced_records_alone)
{
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct random random = {seed};
        struct disk_memory disk;
        struct opened opened;
        uint64_t synced = 2;

        log_new(&disk);
        for (uint32_t life = 0; life < 6; life++) {
            const uint32_t count = (uint32_t)random_below(&random, 25);

            log_open(&opened, &disk);
            CHECK(opened.found.state == VOTE_LOG_WHOLE);
            CHECK_U64(opened.found.last_seq, >=, synced);
            CHECK_U64(log_read(opened.log, opened.found.last_seq), ==, 1);
            synced = opened.found.last_seq;
            for (uint32_t i = 0; i < count; i++) {
                CHECK(log_add(opened.log) == ERR_OK);
                if (random_below(&random, 4) == 0) {
                    log_sync(opened.log, &disk);
                    synced = vote_log_durable_seq(opened.log);
                }
            }
            log_close(&opened);
            if (random_below(&random, 3) != 0) {
                disk_memory_cut(&disk, &random);
            }
        }
        disk_memory_clear(&disk);
    }
}

/* A cut while a sync of several segments is half done. */
TEST(a_cut_between_two_segments_of_one_sync)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random random = {seed};
        struct disk_memory disk;
        struct opened opened;
        struct vote_log_sync sync;

        log_new(&disk);
        log_open(&opened, &disk);
        for (uint32_t i = 0; i < 30; i++) {
            CHECK(log_add(opened.log) == ERR_OK);
        }
        sync = vote_log_sync_begin(opened.log);
        CHECK_U64(sync.segment_count, >=, 2);
        for (uint32_t i = 0; i < random_below(&random, sync.segment_count); i++) {
            CHECK(disk.disk.sync(&disk, sync.segments[i]) == ERR_OK);
        }
        log_close(&opened);
        disk_memory_cut(&disk, &random);
        log_open(&opened, &disk);
        CHECK(opened.found.state == VOTE_LOG_WHOLE);
        (void)log_read(opened.log, opened.found.last_seq);
        log_close(&opened);
        disk_memory_clear(&disk);
    }
}

/* Add records until a new segment was begun. */
static void log_rotate(struct vote_log *log, struct disk_memory *disk)
{
    const uint64_t newest = disk->files[disk->count - 1].number;

    while (disk->files[disk->count - 1].number == newest) {
        CHECK(log_add(log) == ERR_OK);
    }
}

/*
 * A cut may leave the head of a new segment and take the records repeated behind it.  The log must repeat them again:
 * once older segments are freed they stand nowhere else.
 */
TEST(repeated_records_lost_behind_a_head_are_repeated_again)
{
    const size_t head_bytes = 96;

    for (size_t kept = head_bytes; kept < 260; kept += 4) {
        struct disk_memory disk;
        struct opened opened;
        struct disk_memory_file *newest;

        log_fill(&disk, 5, 1);
        log_open(&opened, &disk);
        log_rotate(opened.log, &disk);
        log_close(&opened);
        newest = &disk.files[disk.count - 1];
        memset(newest->live + kept, 0, newest->size - kept);
        memset(newest->durable + kept, 0, newest->size - kept);

        log_open(&opened, &disk);
        CHECK(opened.found.state == VOTE_LOG_WHOLE);
        CHECK(log_add(opened.log) == ERR_OK);
        log_sync(opened.log, &disk);
        CHECK(vote_log_free(opened.log, vote_log_durable_seq(opened.log)) == ERR_OK);
        CHECK(log_add(opened.log) == ERR_OK);
        log_sync(opened.log, &disk);
        CHECK(vote_log_free(opened.log, vote_log_durable_seq(opened.log)) == ERR_OK);
        CHECK_U64(disk.files[0].number, >=, newest->number);
        log_close(&opened);

        log_open(&opened, &disk);
        CHECK(opened.found.state == VOTE_LOG_WHOLE);
        log_close(&opened);
        disk_memory_clear(&disk);
    }
}

TEST(a_missing_segment_is_damage)
{
    struct disk_memory disk;
    struct opened opened;

    log_fill(&disk, 60, 1);
    CHECK_U64(disk.count, >=, 4);
    for (uint32_t f = 0; f + 1 < disk.count; f++) {
        struct disk_memory copy;

        disk_memory_copy(&copy, &disk);
        CHECK(copy.disk.remove(&copy, f + 1) == ERR_OK);
        log_open(&opened, &copy);
        CHECK(opened.found.state == VOTE_LOG_DAMAGED);
        CHECK_U64(opened.found.segment, ==, f + 1);
        CHECK_U64(opened.found.offset, ==, 0);
        log_close(&opened);
        disk_memory_clear(&copy);
    }
    disk_memory_clear(&disk);
}

/* D-35: one segment's bytes stand under another's number. */
TEST(a_duplicated_segment_is_damage)
{
    struct disk_memory disk;
    struct opened opened;

    log_fill(&disk, 60, 1);
    for (uint32_t from = 0; from < disk.count; from++) {
        for (uint32_t to = 0; to <= disk.count; to++) {
            struct disk_memory copy;

            if (from == to) {
                continue;
            }
            disk_memory_copy(&copy, &disk);
            if (to == disk.count) {
                disk_memory_insert(&copy, to + 1, SEGMENT);
            }
            memcpy(copy.files[to].live, disk.files[from].live, SEGMENT);
            log_open(&opened, &copy);
            CHECK(opened.found.state == VOTE_LOG_DAMAGED);
            CHECK_U64(opened.found.segment, ==, to + 1);
            log_close(&opened);
            disk_memory_clear(&copy);
        }
    }
    disk_memory_clear(&disk);
}

TEST(a_segment_cut_short_is_damage_unless_it_is_the_last)
{
    struct disk_memory disk;
    struct opened opened;

    log_fill(&disk, 60, 1);
    disk.files[1].size = 1000;
    log_open(&opened, &disk);
    CHECK(opened.found.state == VOTE_LOG_DAMAGED && opened.found.segment == 2);
    log_close(&opened);
    disk.files[1].size = SEGMENT;
    disk_memory_insert(&disk, disk.count + 1, 700); /* a power cut while it was made */
    log_open(&opened, &disk);
    CHECK(opened.found.state == VOTE_LOG_WHOLE && opened.found.last_seq == 62);
    while (vote_log_last_seq(opened.log) < 90) {
        CHECK(log_add(opened.log) == ERR_OK);
    }
    log_close(&opened);
    disk_memory_clear(&disk);
}

TEST(freed_segments_go_once_that_is_durable)
{
    struct disk_memory disk;
    struct opened opened;
    uint32_t before;

    log_fill(&disk, 80, 1);
    log_open(&opened, &disk);
    before = disk.count;
    CHECK(vote_log_free(opened.log, 40) == ERR_OK);
    CHECK_U64(disk.count, ==, before); /* no record says so yet */
    CHECK(log_add(opened.log) == ERR_OK);
    CHECK(vote_log_free(opened.log, 40) == ERR_OK);
    CHECK_U64(disk.count, ==, before);
    log_sync(opened.log, &disk);
    CHECK(vote_log_free(opened.log, 40) == ERR_OK);
    CHECK_U64(disk.count, <, before);
    CHECK_U64(disk.files[0].number, >, 1);
    CHECK_U64(log_read(opened.log, 83), <=, 40);
    log_close(&opened);

    /* Repeated EPOCH and KEY records are read from the head of what is now the first segment. */
    log_open(&opened, &disk);
    CHECK(opened.found.state == VOTE_LOG_WHOLE);
    CHECK_U64(log_read(opened.log, 83), <=, 40);
    log_close(&opened);

    /* And one that is needed may not be missing. */
    CHECK(disk.disk.remove(&disk, disk.files[0].number) == ERR_OK);
    log_open(&opened, &disk);
    CHECK(opened.found.state == VOTE_LOG_DAMAGED);
    CHECK_U64(opened.found.segment, ==, disk.files[0].number - 1);
    log_close(&opened);
    disk_memory_clear(&disk);
}

TEST(freeing_everything_keeps_the_newest_segment)
{
    struct disk_memory disk;
    struct opened opened;
    struct vote_log_cursor cursor = {0};
    enum err error;
    uint32_t keys = 0;
    uint64_t epoch_seq = 0;

    log_fill(&disk, 80, 1);
    log_open(&opened, &disk);
    for (uint32_t i = 0; i < 300; i++) {
        CHECK(log_add(opened.log) == ERR_OK);
        log_sync(opened.log, &disk);
        CHECK(vote_log_free(opened.log, vote_log_last_seq(opened.log) + 1) == ERR_OK);
        CHECK(i < 2 || disk.count <= 3);
    }
    log_close(&opened);
    log_open(&opened, &disk);
    CHECK(opened.found.state == VOTE_LOG_WHOLE);
    CHECK_U64(opened.found.last_seq, ==, 382);
    while (vote_log_next(opened.log, &cursor, &error)) {
        keys += cursor.record.at[0] == RECORD_KEY ? 1 : 0;
        epoch_seq = cursor.record.at[0] == RECORD_EPOCH ? cursor.seq : epoch_seq;
    }
    CHECK_U64(keys, ==, 1);
    CHECK_U64(epoch_seq, ==, 379); /* the newest with seq mod 11 == 5 */
    log_close(&opened);
    disk_memory_clear(&disk);
}

TEST(errors_stop_the_log)
{
    struct disk_memory disk;
    struct opened opened;
    enum err error = ERR_OK;

    log_new(&disk);
    log_open(&opened, &disk);
    disk.full_at = 3;
    for (uint32_t i = 0; i < 100 && error == ERR_OK; i++) {
        error = log_add(opened.log);
    }
    CHECK(error == ERR_NO_SPACE);
    disk.full_at = 0;
    CHECK(log_add(opened.log) == ERR_NO_SPACE); /* and no further append */
    log_close(&opened);
    disk.fails = true;
    CHECK(arena_open(&opened.arena, vote_log_footprint(&options)) == ERR_OK);
    CHECK(vote_log_open(&disk.disk, &options, own_key, &opened.arena, &opened.log, &opened.found) ==
          ERR_IO); /* A10: a sync that fails */
    log_close(&opened);
    disk_memory_clear(&disk);
    CHECK(vote_log_create(&disk.disk, &options, own_key) == ERR_IO);
    CHECK_U64(disk.count, ==, 0);
    disk.fails = false;
    CHECK(vote_log_create(&disk.disk, &options, own_key) == ERR_OK);
    disk_memory_clear(&disk);
}

/* What a stranger puts into a body is no record, wherever the body is torn. */
TEST(a_record_inside_a_body_shows_nothing)
{
    struct disk_memory other;
    struct disk_memory disk;
    struct opened opened;
    uint8_t record[345] = {RECORD_BLOCK};
    struct vote_log_options stranger = options;

    stranger.salt[0] ^= 1;
    disk_memory_init(&other);
    CHECK(vote_log_create(&other.disk, &stranger, own_key) == ERR_OK);
    log_open(&opened, &other);
    for (uint32_t i = 0; i < 30; i++) {
        CHECK(log_add(opened.log) == ERR_OK);
        log_sync(opened.log, &other);
    }
    log_close(&opened);

    log_new(&disk);
    log_open(&opened, &disk);
    CHECK(vote_log_append(opened.log, 3, bytes_of(record, sizeof record),
                          bytes_of(other.files[1].live + 360, 1024)) == ERR_OK);
    log_close(&opened);
    disk.files[0].live[96 + 200] ^= 1; /* in the first records */
    disk.files[0].live[96 + 300] ^= 1; /* and torn in the block's */
    memset(disk.files[0].live + 96 + 160, 0, 40);
    log_open(&opened, &disk);
    CHECK(opened.found.state == VOTE_LOG_WHOLE);
    CHECK_U64(opened.found.last_seq, ==, 2);
    log_close(&opened);
    disk_memory_clear(&disk);
    disk_memory_clear(&other);
}

TESTS(TEST_ENTRY(a_new_log_holds_epoch_and_key), TEST_ENTRY(records_come_back_over_many_openings),
      TEST_ENTRY(what_opening_read_back_is_durable),
      TEST_ENTRY(a_torn_last_record_is_dropped_at_every_length),
      TEST_ENTRY(a_flipped_byte_is_damage_or_a_torn_end_never_a_gap),
      TEST_ENTRY(a_lost_or_misplaced_sector_is_noticed),
      TEST_ENTRY(a_power_cut_takes_unsynced_records_alone),
      TEST_ENTRY(a_cut_between_two_segments_of_one_sync),
      TEST_ENTRY(repeated_records_lost_behind_a_head_are_repeated_again),
      TEST_ENTRY(a_missing_segment_is_damage), TEST_ENTRY(a_duplicated_segment_is_damage),
      TEST_ENTRY(a_segment_cut_short_is_damage_unless_it_is_the_last),
      TEST_ENTRY(freed_segments_go_once_that_is_durable),
      TEST_ENTRY(freeing_everything_keeps_the_newest_segment), TEST_ENTRY(errors_stop_the_log),
      TEST_ENTRY(a_record_inside_a_body_shows_nothing))

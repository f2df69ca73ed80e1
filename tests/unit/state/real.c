/* The real makers in a folder of their own: disk_file.c under the vote log, leveldb.c under kv. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/disk_file.h"
#include "state/leveldb.h"
#include "state/vote_log.h"
#include "tests/check.h"

enum { PATH_BYTES = 256, SEGMENT = 4096 };

static char folder[PATH_BYTES];

static void folder_make(void)
{
    const char *base = getenv("TMPDIR");
    const int count =
        snprintf(folder, sizeof folder, "%s/artel-real-XXXXXX", base == NULL ? "/tmp" : base);

    CHECK(count > 0 && count < PATH_BYTES && mkdtemp(folder) != NULL);
}

static void folder_remove(void)
{
    char command[PATH_BYTES + 16];

    CHECK(snprintf(command, sizeof command, "rm -rf '%s'", folder) > 0);
    CHECK(system(command) == 0); /* NOLINT(cert-env33-c): a path that mkdtemp made */
}

static const char *path_of(const char *name)
{
    static char path[2 * PATH_BYTES];

    CHECK(snprintf(path, sizeof path, "%s/%s", folder, name) > 0);
    return path;
}

/* ---- disk_file ---- */

TEST(files_are_made_filled_listed_and_removed)
{
    struct disk_file file;
    const struct disk *disk = &file.disk;
    uint64_t numbers[8];
    uint32_t count;
    size_t size;
    uint8_t bytes[600];
    FILE *stray;

    folder_make();
    CHECK(disk_file_open(&file, path_of("votes.wal")) == ERR_OK);
    CHECK(disk->list(disk->self, numbers, 8, &count) == ERR_OK && count == 0);
    CHECK(disk->create(disk->self, 10, SEGMENT) == ERR_OK);
    CHECK(disk->create(disk->self, 9, SEGMENT) == ERR_OK);
    CHECK(disk->create(disk->self, 9, SEGMENT) == ERR_EXISTS);
    stray = fopen(path_of("votes.wal/notes.txt"), "w");
    CHECK(stray != NULL && fclose(stray) == 0);
    CHECK(disk->list(disk->self, numbers, 8, &count) == ERR_OK && count == 2);
    CHECK(numbers[0] == 9 && numbers[1] == 10);
    CHECK(disk->list(disk->self, numbers, 1, &count) == ERR_NO_SPACE);
    CHECK(disk->size(disk->self, 9, &size) == ERR_OK && size == SEGMENT);
    CHECK(disk->read(disk->self, 9, SEGMENT - 600, bytes, 600) == ERR_OK);
    CHECK(bytes_zero(bytes, 600));
    CHECK(disk->read(disk->self, 9, SEGMENT - 599, bytes, 600) == ERR_CORRUPT);
    memset(bytes, 0x5a, sizeof bytes);
    CHECK(disk->write(disk->self, 9, 100, bytes_of(bytes, 600)) == ERR_OK);
    CHECK(disk->sync(disk->self, 9) == ERR_OK);
    disk_file_close(&file);

    CHECK(disk_file_open(&file, path_of("votes.wal")) == ERR_OK);
    memset(bytes, 0, sizeof bytes);
    CHECK(disk->read(disk->self, 9, 100, bytes, 600) == ERR_OK);
    CHECK(bytes[0] == 0x5a && bytes[599] == 0x5a);
    CHECK(disk->remove(disk->self, 10) == ERR_OK);
    CHECK(disk->list(disk->self, numbers, 8, &count) == ERR_OK && count == 1);
    CHECK(disk->size(disk->self, 10, &size) == ERR_ABSENT);
    disk_file_close(&file);
    disk_file_close(&file); /* again: nothing */
    folder_remove();
}

TEST(folders_that_cannot_be_are_told)
{
    struct disk_file file;
    FILE *plain;

    folder_make();
    CHECK(disk_file_open(&file, path_of("a/b")) == ERR_ABSENT);
    disk_file_close(&file);
    plain = fopen(path_of("plain"), "w");
    CHECK(plain != NULL && fclose(plain) == 0);
    CHECK(disk_file_open(&file, path_of("plain")) == ERR_EXISTS);
    disk_file_close(&file);
    folder_remove();
}

TEST(a_vote_log_stands_on_files)
{
    static const struct vote_log_options options = {.segment_bytes = SEGMENT, .salt = {3}};
    static const uint8_t key[32] = {8};
    static uint8_t record[700] = {3};
    struct disk_file file;
    uint64_t last = 2;

    folder_make();
    CHECK(disk_file_open(&file, path_of("votes.wal")) == ERR_OK);
    CHECK(vote_log_create(&file.disk, &options, key) == ERR_OK);
    disk_file_close(&file);
    for (uint32_t life = 0; life < 6; life++) {
        struct arena arena;
        struct vote_log *log;
        struct vote_log_found found;

        CHECK(disk_file_open(&file, path_of("votes.wal")) == ERR_OK);
        CHECK(arena_open(&arena, vote_log_footprint(&options)) == ERR_OK);
        CHECK(vote_log_open(&file.disk, &options, key, &arena, &log, &found) == ERR_OK);
        CHECK(found.state == VOTE_LOG_WHOLE);
        CHECK_U64(found.last_seq, ==, last);
        for (uint32_t i = 0; i < 10; i++) {
            struct vote_log_sync sync;

            last += 1;
            CHECK(vote_log_append(log, last, bytes_of(record, sizeof record), (struct bytes){0}) ==
                  ERR_OK);
            sync = vote_log_sync_begin(log);
            for (uint32_t j = 0; j < sync.segment_count; j++) {
                CHECK(file.disk.sync(file.disk.self, sync.segments[j]) == ERR_OK);
            }
            vote_log_sync_end(log, &sync);
            CHECK(vote_log_free(log, last > 20 ? last - 20 : 0) == ERR_OK);
        }
        arena_close(&arena);
        disk_file_close(&file);
    }
    folder_remove();
}

/* ---- leveldb ---- */

static struct kv *store_open(const char *name, bool must_exist, enum leveldb_preset preset)
{
    const struct leveldb_store_options options = {.preset = preset, .must_exist = must_exist};
    struct kv *kv;

    CHECK(leveldb_store_open(path_of(name), &options, &kv) == ERR_OK);
    return kv;
}

static struct bytes key_of(uint8_t memory[4], uint32_t number)
{
    for (uint32_t i = 0; i < 4; i++) {
        memory[i] = (uint8_t)(number >> (24 - 8 * i));
    }
    return bytes_of(memory, 4);
}

/* Numbers from..to - 1, value three times the key; `remove` deletes them. */
static void numbers_put(struct kv *kv, uint32_t from, uint32_t to, bool remove, bool sync)
{
    struct arena arena;
    struct kv_batch batch;

    CHECK(arena_open(&arena, (size_t)(to - from) * 160 + 64) == ERR_OK);
    kv_batch_init(&batch, &arena);
    for (uint32_t i = from; i < to; i++) {
        uint8_t key[4];
        uint8_t value[4];

        if (remove) {
            kv_batch_delete(&batch, key_of(key, i));
        } else {
            kv_batch_put(&batch, key_of(key, i), key_of(value, 3 * i));
        }
    }
    CHECK(kv_write(kv, &batch, sync) == ERR_OK);
    arena_close(&arena);
}

static enum err number_get(struct kv *kv, uint32_t number)
{
    _Alignas(ARENA_ALIGN) uint8_t memory[64];
    struct arena arena;
    uint8_t key[4];
    uint8_t value[4];
    struct bytes got;
    enum err error;

    arena_init(&arena, memory, sizeof memory);
    error = kv_get(kv, key_of(key, number), &arena, &got);
    if (error == ERR_OK) {
        CHECK_BYTES(got, key_of(value, 3 * number));
    }
    return error;
}

TEST(a_store_keeps_what_it_was_given)
{
    const struct leveldb_store_options must = {.must_exist = true};
    const struct leveldb_store_options may = {.must_exist = false};
    struct kv *kv;
    struct kv *second;
    struct arena full = {0};
    struct kv_batch batch;
    uint8_t key[4];

    folder_make();
    CHECK(leveldb_store_open(path_of("a.db"), &must, &kv) == ERR_ABSENT && kv == NULL);
    kv = store_open("a.db", false, LEVELDB_SMALL);
    CHECK(leveldb_store_open(path_of("a.db"), &may, &second) == ERR_BUSY); /* A16 */
    numbers_put(kv, 0, 2000, false, true);
    numbers_put(kv, 100, 200, true, false);
    CHECK(number_get(kv, 99) == ERR_OK);
    CHECK(number_get(kv, 100) == ERR_ABSENT);
    CHECK(number_get(kv, 2000) == ERR_ABSENT);
    kv_batch_init(&batch, &full);
    kv_batch_put(&batch, key_of(key, 5000), key_of(key, 5000));
    CHECK(kv_write(kv, &batch, false) == ERR_NO_SPACE); /* the arena was full: nothing is written */
    CHECK(number_get(kv, 5000) == ERR_ABSENT);
    CHECK(kv_get(kv, key_of(key, 7), &full, &(struct bytes){0}) == ERR_NO_SPACE);
    kv_close(kv);
    kv = store_open("a.db", true, LEVELDB_STANDARD);
    CHECK(number_get(kv, 1999) == ERR_OK);
    CHECK(number_get(kv, 150) == ERR_ABSENT);
    kv_close(kv);
    kv_close(NULL);
    folder_remove();
}

/* In a batch the last word about a key counts; empty keys and values are allowed. */
TEST(a_batch_is_in_order)
{
    struct kv *kv;
    struct arena arena;
    struct kv_batch batch;
    struct bytes got;
    uint8_t key[4];

    folder_make();
    kv = store_open("b.db", false, LEVELDB_SMALL);
    CHECK(arena_open(&arena, 4096) == ERR_OK);
    kv_batch_init(&batch, &arena);
    kv_batch_put(&batch, key_of(key, 1), bytes_of("a", 1));
    kv_batch_delete(&batch, key_of(key, 1));
    kv_batch_put(&batch, key_of(key, 2), bytes_of("b", 1));
    kv_batch_put_kept(&batch, key_of(key, 2), bytes_of("c", 1));
    kv_batch_put(&batch, (struct bytes){0}, (struct bytes){0});
    CHECK_U64(batch.count, ==, 5);
    CHECK_U64(batch.bytes, ==, 4 * 4 + 3);
    CHECK(kv_write(kv, &batch, false) == ERR_OK);
    CHECK(kv_get(kv, key_of(key, 1), &arena, &got) == ERR_ABSENT);
    CHECK(kv_get(kv, key_of(key, 2), &arena, &got) == ERR_OK);
    CHECK_BYTES(got, bytes_of("c", 1));
    CHECK(kv_get(kv, (struct bytes){0}, &arena, &got) == ERR_OK && got.count == 0);
    arena_close(&arena);
    kv_close(kv);
    folder_remove();
}

TEST(cursors_walk_both_ways)
{
    struct kv *kv;
    struct kv_cursor *cursor;
    uint8_t key[4];
    uint32_t count = 0;

    folder_make();
    kv = store_open("c.db", false, LEVELDB_SMALL);
    numbers_put(kv, 0, 1000, false, false);
    numbers_put(kv, 500, 510, true, false);
    cursor = kv_cursor_open(kv);
    CHECK(cursor != NULL && !cursor->maker->valid(cursor));
    cursor->maker->seek(cursor, key_of(key, 495));
    for (uint32_t i = 495; cursor->maker->valid(cursor); i += i == 499 ? 11 : 1) {
        uint8_t value[4];

        CHECK_BYTES(cursor->maker->key(cursor), key_of(key, i));
        CHECK_BYTES(cursor->maker->value(cursor), key_of(value, 3 * i));
        cursor->maker->next(cursor);
        count += 1;
    }
    CHECK_U64(count, ==, 495);
    CHECK(cursor->maker->error(cursor) == ERR_OK);
    cursor->maker->seek_last(cursor);
    count = 0;
    for (uint32_t i = 999; cursor->maker->valid(cursor); i -= i == 510 ? 11 : 1) {
        CHECK_BYTES(cursor->maker->key(cursor), key_of(key, i));
        cursor->maker->prev(cursor);
        count += 1;
    }
    CHECK_U64(count, ==, 990);
    kv_cursor_close(cursor);
    kv_cursor_close(NULL);
    kv_close(kv);
    folder_remove();
}

TEST(a_snapshot_reads_as_it_was)
{
    struct leveldb_shared *shared = leveldb_shared_open(LEVELDB_SMALL);
    const struct leveldb_store_options options = {.shared = shared};
    struct kv *kv;
    struct kv *snapshot;
    struct kv_cursor *cursor;
    uint32_t count = 0;

    folder_make();
    CHECK(shared != NULL);
    CHECK(leveldb_store_open(path_of("d.db"), &options, &kv) == ERR_OK);
    numbers_put(kv, 0, 100, false, false);
    snapshot = kv_snapshot(kv);
    CHECK(snapshot != NULL);
    numbers_put(kv, 0, 50, true, false);
    numbers_put(kv, 100, 200, false, false);
    CHECK(number_get(kv, 10) == ERR_ABSENT && number_get(kv, 150) == ERR_OK);
    CHECK(number_get(snapshot, 10) == ERR_OK && number_get(snapshot, 150) == ERR_ABSENT);
    cursor = kv_cursor_open(snapshot);
    for (cursor->maker->seek(cursor, (struct bytes){0}); cursor->maker->valid(cursor);
         cursor->maker->next(cursor)) {
        count += 1;
    }
    CHECK_U64(count, ==, 100);
    kv_cursor_close(cursor);
    kv_close(snapshot);
    kv_close(kv);
    leveldb_shared_close(shared);
    leveldb_shared_close(NULL);
    folder_remove();
}

/* A8: a flipped byte in a table file is never read as data. */
TEST(a_flipped_byte_in_a_table_is_noticed)
{
    struct kv *kv;
    const struct leveldb_store_options options = {.must_exist = true};
    char command[3 * PATH_BYTES];
    enum err error;
    uint32_t wrong = 0;

    folder_make();
    kv = store_open("e.db", false, LEVELDB_SMALL);
    numbers_put(kv, 0, 60000, false, true);
    kv_close(kv);
    kv = store_open("e.db", true, LEVELDB_SMALL); /* opening turns the log into a table */
    kv_close(kv);
    CHECK(snprintf(command, sizeof command,
                   "for f in '%s'/e.db/*.ldb; do printf '\\377\\376\\375' | dd of=\"$f\" bs=1 "
                   "seek=2000 conv=notrunc status=none || exit 1; done",
                   folder) > 0);
    CHECK(system(command) == 0); /* NOLINT(cert-env33-c): a path that mkdtemp made */
    error = leveldb_store_open(path_of("e.db"), &options, &kv);
    if (error == ERR_OK) {
        for (uint32_t i = 0; i < 60000; i++) {
            wrong += number_get(kv, i) == ERR_CORRUPT ? 1 : 0;
        }
        kv_close(kv);
        CHECK_U64(wrong, >, 0);
    } else {
        CHECK(error == ERR_CORRUPT);
    }
    folder_remove();
}

TESTS(TEST_ENTRY(files_are_made_filled_listed_and_removed),
      TEST_ENTRY(folders_that_cannot_be_are_told), TEST_ENTRY(a_vote_log_stands_on_files),
      TEST_ENTRY(a_store_keeps_what_it_was_given), TEST_ENTRY(a_batch_is_in_order),
      TEST_ENTRY(cursors_walk_both_ways), TEST_ENTRY(a_snapshot_reads_as_it_was),
      TEST_ENTRY(a_flipped_byte_in_a_table_is_noticed))

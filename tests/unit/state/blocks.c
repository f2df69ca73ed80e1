/* blocks.db over a store in memory: commits, reads, openings, and each disagreement that an opening refuses. */
#include "state/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "tests/check.h"
#include "tests/kv_memory.h"

enum { ARENA_BYTES = 1 << 20, MEMBERS = 4, BLOCKS_MADE = 40 };

/* ---- a chain ---- */

struct made {
    struct block_header header;
    uint8_t hash[HASH_BYTES];
    uint8_t row[BLOCK_HEADER_BYTES + 64];
    size_t row_bytes;
    struct history history;
};

static struct made chain[BLOCKS_MADE];

static void chain_make(void)
{
    memset(chain, 0, sizeof chain);
    for (uint32_t i = 0; i < BLOCKS_MADE; i++) {
        struct made *made = &chain[i];
        struct writer body = writer_of(made->row + BLOCK_HEADER_BYTES, 64);

        made->header.version = BLOCK_VERSION;
        made->header.height = i;
        made->header.view = i * 2;
        memset(made->header.chain_id, 9, HASH_BYTES);
        if (i != 0) {
            struct merkle merkle;
            uint8_t item[HASH_BYTES];

            made->header.epoch = 1;
            made->history = chain[i - 1].history;
            history_add(&made->history, chain[i - 1].hash);
            memcpy(made->header.parent_hash, chain[i - 1].hash, HASH_BYTES);
            writer_u32(&body, 8);
            writer_u64(&body, i);
            hash_of(TAG_TXWIRE, bytes_of(body.at + 4, 8), item);
            merkle_begin(&merkle);
            merkle_add(&merkle, bytes_of(item, sizeof item));
            merkle_root(&merkle, made->header.txs_root);
            made->header.tx_count = 1;
            made->header.tx_bytes = (uint32_t)body.used;
        }
        history_root(&made->history, made->header.history_root);
        block_header_encode(&made->header, made->row);
        block_header_hash(&made->header, made->hash);
        made->row_bytes = BLOCK_HEADER_BYTES + body.used;
    }
}

/* A certificate with signatures that nobody checks here. */
static struct bytes certificate_of(enum vote_kind kind, uint64_t view, const uint8_t *hash,
                                   uint8_t memory[CERTIFICATE_BYTES_MAX])
{
    static const uint8_t signature[SIGNATURE_BYTES] = {5};
    const uint8_t *signatures[MEMBERS] = {signature, signature, NULL, signature};
    struct statement statement = {
        .kind = kind,
        .candidate = {
            .epoch = 1, .view = view, .parent_view = kind == VOTE_NULLIFY ? 0 : view - 1}};
    struct certificate certificate;

    memcpy(statement.candidate.block_hash, hash, HASH_BYTES);
    certificate_make(&statement, MEMBERS, signatures, memory, &certificate);
    return certificate.encoded;
}

/* ---- a store ---- */

struct opened {
    struct kv *kv;
    struct arena arena;
    struct blocks blocks;
};

static enum err store_reopen(struct opened *opened)
{
    arena_reset(&opened->arena);
    return blocks_open(&opened->blocks, opened->kv, &chain[0].header, &opened->arena);
}

static void store_open(struct opened *opened)
{
    chain_make();
    opened->kv = kv_memory_open();
    CHECK(arena_open(&opened->arena, ARENA_BYTES) == ERR_OK);
    CHECK(store_reopen(opened) == ERR_OK);
}

static void store_close(struct opened *opened)
{
    kv_close(opened->kv);
    arena_close(&opened->arena);
}

/* Commit blocks up to `height` by a certificate of this view. */
static void commit(struct opened *opened, uint64_t height, uint64_t view, uint64_t log_seq)
{
    static const uint8_t receipts[4 + 4 + 2] = {0, 0, 0, 1, 0, 0, 0, 2, 7, 7};
    const uint64_t from = opened->blocks.final.height + 1;
    uint8_t memory[CERTIFICATE_BYTES_MAX];
    uint8_t kept_memory[CERTIFICATE_BYTES_MAX];
    struct certificate kept;
    const struct certificate *keeps[] = {&kept};
    struct blocks_new news[BLOCKS_MADE];
    uint32_t count = 0;
    struct blocks_final final = {.epoch = 1,
                                 .final_view = view,
                                 .height = height,
                                 .parent_view = view - 1,
                                 .vote_log_seq = log_seq,
                                 .history = chain[height].history};
    struct kv_batch batch;

    for (uint64_t i = from; i <= height; i++) {
        news[count] = (struct blocks_new){.header = chain[i].header,
                                          .row = bytes_of(chain[i].row, chain[i].row_bytes),
                                          .receipts = bytes_of(receipts, sizeof receipts)};
        memcpy(news[count++].hash, chain[i].hash, HASH_BYTES);
    }
    memcpy(final.block_hash, chain[height].hash, HASH_BYTES);
    final.certificate = certificate_of(VOTE_FINALIZE, view, final.block_hash, memory);
    CHECK(view > 1);
    CHECK(certificate_decode(
        certificate_of(VOTE_NULLIFY, view - 1, (const uint8_t[HASH_BYTES]){0}, kept_memory),
        MEMBERS, &kept));
    arena_reset(&opened->arena);
    kv_batch_init(&batch, &opened->arena);
    blocks_commit(&opened->blocks, &batch, news, count, &final, keeps, 1);
    CHECK(!batch.full);
    CHECK_U64(opened->arena.used, <=, blocks_batch_footprint(count, 1, MEMBERS));
    CHECK(kv_write(opened->kv, &batch, true) == ERR_OK);
    blocks_committed(&opened->blocks, &final, &chain[height].header);
}

static void put(struct opened *opened, const char *table, uint64_t number, struct bytes value)
{
    uint8_t key[16];
    struct writer writer = writer_of(key, sizeof key);
    struct kv_batch batch;

    writer_bytes(&writer, table, strlen(table));
    if (strlen(table) == 1) {
        writer_u64(&writer, number);
    }
    arena_reset(&opened->arena);
    kv_batch_init(&batch, &opened->arena);
    kv_batch_put(&batch, writer_done(&writer), value);
    CHECK(kv_write(opened->kv, &batch, true) == ERR_OK);
}

static void check_chain(struct opened *opened, uint64_t height)
{
    CHECK_U64(opened->blocks.final.height, ==, height);
    CHECK(hash_equal(opened->blocks.final.block_hash, chain[height].hash));
    for (uint64_t i = 0; i <= height; i++) {
        struct block_header header;
        struct bytes row;
        struct bytes receipts;
        uint64_t found;

        arena_reset(&opened->arena);
        CHECK(blocks_at(&opened->blocks, i, &opened->arena, &header, &row) == ERR_OK);
        CHECK_BYTES(row, bytes_of(chain[i].row, chain[i].row_bytes));
        CHECK_U64(header.height, ==, i);
        CHECK(blocks_find(&opened->blocks, chain[i].hash, &opened->arena, &found) == ERR_OK);
        CHECK_U64(found, ==, i);
        CHECK(blocks_receipts(&opened->blocks, i, &opened->arena, &receipts) == ERR_OK);
        CHECK_U64(receipts.count, ==, i == 0 ? 4 : 10);
    }
}

/* ---- tests ---- */

TEST(a_new_store_holds_block_0)
{
    struct opened opened;
    struct bytes certificate;

    store_open(&opened);
    check_chain(&opened, 0);
    CHECK_U64(opened.blocks.final.epoch, ==, 1);
    CHECK_U64(opened.blocks.final.final_view, ==, 0);
    CHECK_U64(opened.blocks.final.certificate.count, ==, 0);
    CHECK(blocks_certificate(&opened.blocks, 0, &opened.arena, &certificate) == ERR_ABSENT);
    CHECK(store_reopen(&opened) == ERR_OK);
    check_chain(&opened, 0);
    store_close(&opened);
}

TEST(commits_come_back)
{
    struct opened opened;
    struct bytes certificate;
    struct block_header header;
    struct bytes row;
    uint64_t found;

    store_open(&opened);
    for (uint64_t height = 1; height < BLOCKS_MADE; height += 3) {
        commit(&opened, height, height * 2 + 1, 100 + height);
        check_chain(&opened, height);
        CHECK(store_reopen(&opened) == ERR_OK);
        check_chain(&opened, height);
        CHECK_U64(opened.blocks.final.final_view, ==, height * 2 + 1);
        CHECK_U64(opened.blocks.final.parent_view, ==, height * 2);
        CHECK_U64(opened.blocks.final.vote_log_seq, ==, 100 + height);
        CHECK(blocks_certificate(&opened.blocks, height, &opened.arena, &certificate) == ERR_OK);
        CHECK_BYTES(certificate, opened.blocks.final.certificate);
        CHECK(height == 1 || blocks_certificate(&opened.blocks, height - 1, &opened.arena,
                                                &certificate) == ERR_ABSENT);
    }
    CHECK(blocks_at(&opened.blocks, BLOCKS_MADE, &opened.arena, &header, &row) == ERR_ABSENT);
    CHECK(blocks_find(&opened.blocks, (const uint8_t[HASH_BYTES]){1}, &opened.arena, &found) ==
          ERR_ABSENT);
    CHECK_U64(kv_memory_count(opened.kv, 'Q'), >, 10);
    store_close(&opened);
}

/* R7: a certificate of a higher view for the same block is written too, and is what counts after a restart. */
TEST(a_repeat_raises_the_final_view)
{
    struct opened opened;
    struct bytes certificate;

    store_open(&opened);
    commit(&opened, 2, 7, 1);
    commit(&opened, 2, 9, 2);
    CHECK(store_reopen(&opened) == ERR_OK);
    CHECK_U64(opened.blocks.final.final_view, ==, 9);
    CHECK_U64(opened.blocks.final.vote_log_seq, ==, 2);
    CHECK(blocks_certificate(&opened.blocks, 2, &opened.arena, &certificate) == ERR_OK);
    CHECK_BYTES(certificate, opened.blocks.final.certificate);
    store_close(&opened);
}

/* 8.8: rows above M|final are ignored, and overwritten. */
TEST(rows_above_final_are_ignored)
{
    struct opened opened;
    struct block_header header;
    struct bytes row;
    uint8_t key[1 + HASH_BYTES] = {'H'};
    uint8_t number[8] = {0, 0, 0, 0, 0, 0, 0, 3};
    uint64_t found;
    struct kv_batch batch;

    store_open(&opened);
    commit(&opened, 2, 7, 1);
    put(&opened, "B", 3, bytes_of(chain[5].row, chain[5].row_bytes));
    memcpy(key + 1, chain[5].hash, HASH_BYTES);
    arena_reset(&opened.arena);
    kv_batch_init(&batch, &opened.arena);
    kv_batch_put(&batch, bytes_of(key, sizeof key), bytes_of(number, sizeof number));
    CHECK(kv_write(opened.kv, &batch, true) == ERR_OK);
    CHECK(store_reopen(&opened) == ERR_OK);
    CHECK(blocks_at(&opened.blocks, 3, &opened.arena, &header, &row) == ERR_ABSENT);
    CHECK(blocks_find(&opened.blocks, chain[5].hash, &opened.arena, &found) == ERR_ABSENT);
    commit(&opened, 3, 11, 1);
    check_chain(&opened, 3);
    CHECK(blocks_find(&opened.blocks, chain[5].hash, &opened.arena, &found) == ERR_ABSENT);
    store_close(&opened);
}

/* Every byte of M|final, of the final block's row and of its certificate: an opening refuses, or nothing changed. */
TEST(an_opening_refuses_what_disagrees)
{
    static const char *const tables[] = {"Mfinal", "B", "C", "Mearliest"};
    uint32_t refused = 0;

    for (uint32_t t = 0; t < 4; t++) {
        struct opened opened;
        uint8_t key[16];
        struct writer writer = writer_of(key, sizeof key);
        struct bytes value;
        uint8_t *copy;
        size_t count;

        store_open(&opened);
        commit(&opened, 6, 15, 44);
        writer_bytes(&writer, tables[t], strlen(tables[t]));
        if (t == 1 || t == 2) {
            writer_u64(&writer, 6);
        }
        CHECK(kv_get(opened.kv, writer_done(&writer), &opened.arena, &value) == ERR_OK);
        count = value.count;
        copy = malloc(count);
        memcpy(copy, value.at, count);
        for (size_t i = 0; i < count && t != 3; i++) {
            const enum err expected = ERR_CORRUPT;
            enum err error;

            copy[i] ^= 0x10;
            put(&opened, tables[t], 6, bytes_of(copy, count));
            copy[i] ^= 0x10;
            error = store_reopen(&opened);
            /* The vote log's sequence alone stands for itself: the driver compares it with the log. */
            if (!(t == 0 && i >= 64 && i < 72)) {
                CHECK_U64(error, ==, expected);
                refused += 1;
            }
        }
        for (size_t cut = 1; cut < count; cut += 7) {
            put(&opened, tables[t], 6, bytes_of(copy, count - cut));
            CHECK(store_reopen(&opened) == ERR_CORRUPT);
        }
        put(&opened, tables[t], 6, bytes_of(copy, count));
        CHECK(store_reopen(&opened) == ERR_OK);
        free(copy);
        store_close(&opened);
    }
    CHECK_U64(refused, >, 700);
}

TEST(another_chain_is_refused)
{
    struct opened opened;
    struct block_header other;

    store_open(&opened);
    commit(&opened, 2, 7, 1);
    other = chain[0].header;
    other.time_ms += 1;
    CHECK(blocks_open(&opened.blocks, opened.kv, &other, &opened.arena) == ERR_CORRUPT);
    other = chain[0].header;
    other.chain_id[0] ^= 1;
    CHECK(blocks_open(&opened.blocks, opened.kv, &other, &opened.arena) == ERR_CORRUPT);
    store_close(&opened);
}

TEST(a_damaged_block_is_corrupt_and_a_failing_store_is_told)
{
    struct opened opened;
    struct block_header header;
    struct bytes row;
    uint8_t bad[BLOCK_HEADER_BYTES + 64];
    uint64_t found;

    store_open(&opened);
    commit(&opened, 6, 15, 1);
    for (size_t i = 0; i < chain[3].row_bytes; i += 5) {
        memcpy(bad, chain[3].row, chain[3].row_bytes);
        bad[i] ^= 1;
        put(&opened, "B", 3, bytes_of(bad, chain[3].row_bytes));
        CHECK(blocks_at(&opened.blocks, 3, &opened.arena, &header, &row) == ERR_CORRUPT);
    }
    put(&opened, "B", 3, bytes_of(chain[4].row, chain[4].row_bytes)); /* another height's block */
    CHECK(blocks_at(&opened.blocks, 3, &opened.arena, &header, &row) == ERR_CORRUPT);
    kv_memory_fail(opened.kv, ERR_IO);
    CHECK(blocks_at(&opened.blocks, 2, &opened.arena, &header, &row) == ERR_IO);
    CHECK(blocks_find(&opened.blocks, chain[2].hash, &opened.arena, &found) == ERR_IO);
    CHECK(store_reopen(&opened) == ERR_IO);
    store_close(&opened);
}

TEST(an_arena_too_small_is_told)
{
    struct opened opened;
    struct arena small = {0};
    struct block_header header;
    struct bytes row;
    _Alignas(ARENA_ALIGN) uint8_t memory[64];

    store_open(&opened);
    commit(&opened, 2, 7, 1);
    arena_init(&small, memory, sizeof memory);
    CHECK(blocks_at(&opened.blocks, 1, &small, &header, &row) == ERR_NO_SPACE);
    CHECK(blocks_open(&opened.blocks, opened.kv, &chain[0].header, &small) == ERR_NO_SPACE);
    store_close(&opened);
}

/* A power cut loses a commit whole, or not at all. */
TEST(a_lost_batch_is_lost_whole)
{
    struct opened opened;

    store_open(&opened);
    commit(&opened, 4, 9, 1);
    CHECK_U64(kv_memory_unsynced(opened.kv), ==, 0);
    kv_memory_crash(opened.kv, 0);
    CHECK(store_reopen(&opened) == ERR_OK);
    check_chain(&opened, 4);
    store_close(&opened);
}

TESTS(TEST_ENTRY(a_new_store_holds_block_0), TEST_ENTRY(commits_come_back),
      TEST_ENTRY(a_repeat_raises_the_final_view), TEST_ENTRY(rows_above_final_are_ignored),
      TEST_ENTRY(an_opening_refuses_what_disagrees), TEST_ENTRY(another_chain_is_refused),
      TEST_ENTRY(a_damaged_block_is_corrupt_and_a_failing_store_is_told),
      TEST_ENTRY(an_arena_too_small_is_told), TEST_ENTRY(a_lost_batch_is_lost_whole))

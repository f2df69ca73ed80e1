#include "state/blocks.h"

#include <string.h>

#include "base/mutant.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"

enum {
    KEY_BYTES_MAX = 1 + 8 + 8 + 1, /* Q|epoch|view|kind; H|hash is made by itself */
    HASH_KEY_BYTES = 1 + HASH_BYTES,
    CERTIFICATE_COUNT_AT = 57, /* u16 n, behind kind and candidate */
};

/* A key made of a letter and numbers, in `memory`. */
static struct bytes key_height(uint8_t *memory, char table, uint64_t height)
{
    struct writer writer = writer_of(memory, KEY_BYTES_MAX);

    writer_u8(&writer, (uint8_t)table);
    writer_u64(&writer, height);
    return writer_done(&writer);
}

static struct bytes key_hash(uint8_t memory[HASH_KEY_BYTES], const uint8_t *hash)
{
    struct writer writer = writer_of(memory, HASH_KEY_BYTES);

    writer_u8(&writer, 'H');
    writer_bytes(&writer, hash, HASH_BYTES);
    return writer_done(&writer);
}

static struct bytes key_kept(uint8_t *memory, const struct statement *statement)
{
    struct writer writer = writer_of(memory, KEY_BYTES_MAX);

    writer_u8(&writer, 'Q');
    writer_u64(&writer, statement->candidate.epoch);
    writer_u64(&writer, statement->candidate.view);
    writer_u8(&writer, (uint8_t)statement->kind);
    return writer_done(&writer);
}

static const struct bytes key_final = {.at = (const uint8_t *)"Mfinal", .count = 6};
static const struct bytes key_earliest = {.at = (const uint8_t *)"Mearliest", .count = 9};

/* ---- M|final ---- */

static void final_write(struct writer *writer, const struct blocks_final *final)
{
    writer_u64(writer, final->epoch);
    writer_u64(writer, final->final_view);
    writer_u64(writer, final->height);
    writer_bytes(writer, final->block_hash, HASH_BYTES);
    writer_u64(writer, final->parent_view);
    writer_u64(writer, final->vote_log_seq);
    writer_u64(writer, final->history.count);
    for (uint32_t i = 0; i < 64; i++) {
        if ((final->history.count >> i & 1) != 0) {
            writer_bytes(writer, final->history.peaks[i], HASH_BYTES);
        }
    }
    writer_view(writer, final->certificate);
}

static bool final_decode(struct bytes row, struct blocks_final *out)
{
    struct reader reader = reader_of(row);

    *out = (struct blocks_final){.epoch = reader_u64(&reader)};
    out->final_view = reader_u64(&reader);
    out->height = reader_u64(&reader);
    reader_copy(&reader, out->block_hash, HASH_BYTES);
    out->parent_view = reader_u64(&reader);
    out->vote_log_seq = reader_u64(&reader);
    out->history.count = reader_u64(&reader);
    for (uint32_t i = 0; i < 64; i++) {
        if ((out->history.count >> i & 1) != 0) {
            reader_copy(&reader, out->history.peaks[i], HASH_BYTES);
        }
    }
    out->certificate = reader.left;
    return !reader.failed && out->certificate.count <= CERTIFICATE_BYTES_MAX;
}

/* Does the certificate say FINALIZE of what M|final says?  Its signatures are not verified. */
static bool final_certified(const struct blocks_final *final)
{
    struct certificate certificate;
    struct reader reader;
    const struct candidate *candidate = &certificate.statement.candidate;

    if (final->certificate.count == 0) { /* of block 0 alone */
        return final->height == 0 && final->final_view == 0 && final->epoch == 1;
    }
    if (final->certificate.count < CERTIFICATE_COUNT_AT + 2) {
        return false;
    }
    reader = reader_of(bytes_after(final->certificate, CERTIFICATE_COUNT_AT));
    if (!certificate_decode(final->certificate, reader_u16(&reader), &certificate) ||
        certificate.statement.kind != VOTE_FINALIZE ||
        !hash_equal(candidate->block_hash, final->block_hash)) {
        return false;
    }
    if (final->final_view ==
        0) { /* the first of an epoch: that of the block which ended the last one */
        return candidate->epoch + 1 == final->epoch;
    }
    return candidate->epoch == final->epoch && candidate->view == final->final_view &&
           candidate->parent_view == final->parent_view;
}

/* ---- reading ---- */

static enum err number_get(const struct blocks *blocks, struct bytes key, struct arena *arena,
                           uint64_t *out)
{
    struct bytes value;
    struct reader reader;

    TRY(kv_get(blocks->kv, key, arena, &value));
    reader = reader_of(value);
    *out = reader_u64(&reader);
    return reader_done(&reader) ? ERR_OK : ERR_CORRUPT;
}

/* The row at a height, whatever M|final says. */
static enum err row_get(const struct blocks *blocks, uint64_t height, struct arena *arena,
                        struct block_header *header, struct bytes *row)
{
    uint8_t key[KEY_BYTES_MAX];

    TRY(kv_get(blocks->kv, key_height(key, 'B', height), arena, row));
    if (row->count < BLOCK_HEADER_BYTES ||
        !block_header_decode(bytes_of(row->at, BLOCK_HEADER_BYTES), header) ||
        header->height != height || !block_body_matches(header, blocks_body(*row))) {
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

enum err blocks_at(const struct blocks *blocks, uint64_t height, struct arena *arena,
                   struct block_header *header, struct bytes *row)
{
    uint8_t key[HASH_KEY_BYTES];
    uint8_t hash[HASH_BYTES];
    uint64_t named;
    enum err error;

    if (height > blocks->final.height) {
        return ERR_ABSENT;
    }
    error = row_get(blocks, height, arena, header, row);
    if (error != ERR_OK) {
        return error == ERR_ABSENT && height >= blocks->earliest ? ERR_CORRUPT : error;
    }
    block_header_hash(header, hash);
    error = number_get(blocks, key_hash(key, hash), arena, &named);
    if (error != ERR_OK) {
        return error == ERR_ABSENT ? ERR_CORRUPT : error;
    }
    return named == height ? ERR_OK : ERR_CORRUPT;
}

enum err blocks_find(const struct blocks *blocks, const uint8_t hash[HASH_BYTES],
                     struct arena *arena, uint64_t *height)
{
    uint8_t key[HASH_KEY_BYTES];
    uint8_t found[HASH_BYTES];
    struct block_header header;
    struct bytes row;

    TRY(number_get(blocks, key_hash(key, hash), arena, height));
    if (*height > blocks->final.height) {
        return ERR_ABSENT;
    }
    TRY(row_get(blocks, *height, arena, &header, &row));
    block_header_hash(&header, found);
    return hash_equal(found, hash) ? ERR_OK : ERR_ABSENT; /* named by a row that was overwritten */
}

enum err blocks_receipts(const struct blocks *blocks, uint64_t height, struct arena *arena,
                         struct bytes *receipts)
{
    uint8_t key[KEY_BYTES_MAX];

    if (height > blocks->final.height) {
        return ERR_ABSENT;
    }
    return kv_get(blocks->kv, key_height(key, 'R', height), arena, receipts);
}

enum err blocks_certificate(const struct blocks *blocks, uint64_t height, struct arena *arena,
                            struct bytes *certificate)
{
    uint8_t key[KEY_BYTES_MAX];

    if (height > blocks->final.height) {
        return ERR_ABSENT;
    }
    return kv_get(blocks->kv, key_height(key, 'C', height), arena, certificate);
}

/* ---- writing ---- */

size_t blocks_batch_footprint(uint32_t count, uint32_t keep_count, uint32_t validators)
{
    const size_t operation = arena_rounded(sizeof(struct kv_operation));
    const size_t block = 3 * operation + 2 * arena_rounded(KEY_BYTES_MAX) +
                         arena_rounded(HASH_KEY_BYTES) + arena_rounded(8);
    const size_t certificate =
        operation + arena_rounded(KEY_BYTES_MAX) + arena_rounded(certificate_bytes(validators));

    return count * block + (keep_count + 1) * certificate + operation +
           arena_rounded(KEY_BYTES_MAX) + arena_rounded(BLOCKS_FINAL_BYTES_MAX);
}

static void block_put(struct kv_batch *batch, const struct blocks_new *block)
{
    uint8_t key[KEY_BYTES_MAX];
    uint8_t by_hash[HASH_KEY_BYTES];
    uint8_t height[8];
    struct writer writer = writer_of(height, sizeof height);

    writer_u64(&writer, block->header.height);
    kv_batch_put_kept(batch, key_height(key, 'B', block->header.height), block->row);
    kv_batch_put_kept(batch, key_height(key, 'R', block->header.height), block->receipts);
    kv_batch_put(batch, key_hash(by_hash, block->hash), writer_done(&writer));
}

static void final_put(struct kv_batch *batch, const struct blocks_final *final)
{
    uint8_t memory[BLOCKS_FINAL_BYTES_MAX];
    struct writer writer = writer_of(memory, sizeof memory);

    final_write(&writer, final);
    INVARIANT(!writer.failed);
    kv_batch_put(batch, key_final, writer_done(&writer));
}

void blocks_commit(const struct blocks *blocks, const struct blocks_write *write,
                   struct kv_batch *batch)
{
    const struct blocks_final *final = write->final;
    const bool silent = MUTANT_IS(309) && write->count == 0;
    uint8_t key[KEY_BYTES_MAX];
    uint64_t height = blocks->final.height;

    for (uint32_t i = 0; i < write->count; i++) {
        const struct blocks_new *block = &write->news[i];

        height += 1;
        INVARIANT(block->header.height == height);
        INVARIANT(block->row.count == (size_t)BLOCK_HEADER_BYTES + block->header.tx_bytes);
        block_put(batch, block);
    }
    INVARIANT(final->height == height && final->history.count == height);
    if (final->certificate.count != 0 && !silent) {
        kv_batch_put(batch, key_height(key, 'C', height), final->certificate);
    }
    if (!silent) {
        final_put(batch, final);
    }
    for (uint32_t i = 0; i < write->keep_count; i++) {
        const struct certificate *kept = write->keeps[i];

        kv_batch_put(batch, key_kept(key, &kept->statement), kept->encoded);
    }
}

void blocks_committed(struct blocks *blocks, const struct blocks_final *final,
                      const struct block_header *header)
{
    INVARIANT(final->certificate.count <= sizeof blocks->certificate);
    INVARIANT(final->height == header->height);
    blocks->final = *final;
    blocks->final_header = *header;
    if (final->certificate.count != 0) {
        memmove(blocks->certificate, final->certificate.at, final->certificate.count);
    }
    blocks->final.certificate = bytes_of(blocks->certificate, final->certificate.count);
}

/* ---- opening ---- */

/* A store without M|final: block 0 is all there is. */
static enum err store_begin(struct blocks *blocks, const struct block_header *block_0,
                            struct arena *scratch)
{
    uint8_t encoded[BLOCK_HEADER_BYTES];
    uint8_t zeros[8] = {0};
    struct blocks_final final = {.epoch = 1};
    struct blocks_new block = {.header = *block_0};
    struct kv_batch batch;

    block_header_encode(block_0, encoded);
    block_header_hash(block_0, block.hash);
    memcpy(final.block_hash, block.hash, HASH_BYTES);
    block.row = bytes_of(encoded, sizeof encoded);
    block.receipts = bytes_of(zeros, 4);
    kv_batch_init(&batch, scratch);
    block_put(&batch, &block);
    kv_batch_put(&batch, key_earliest, bytes_of(zeros, sizeof zeros));
    final_put(&batch, &final);
    TRY(kv_write(blocks->kv, &batch, true));
    blocks_committed(blocks, &final, block_0);
    return ERR_OK;
}

/* Is the block of M|final the one beside it, is its history the header's, and its certificate the row's? */
static enum err final_agrees(const struct blocks *blocks, struct arena *scratch)
{
    const struct blocks_final *final = &blocks->final;
    uint8_t hash[HASH_BYTES];
    struct bytes certificate;
    enum err error;

    block_header_hash(&blocks->final_header, hash);
    if (!hash_equal(hash, final->block_hash) || final->history.count != final->height ||
        !final_certified(final)) {
        return ERR_CORRUPT;
    }
    history_root(&final->history, hash);
    if (!hash_equal(hash, blocks->final_header.history_root)) {
        return ERR_CORRUPT;
    }
    if (final->certificate.count == 0) {
        return ERR_OK;
    }
    error = blocks_certificate(blocks, final->height, scratch, &certificate);
    if (error != ERR_OK) {
        return error == ERR_ABSENT ? ERR_CORRUPT : error;
    }
    return bytes_equal(certificate, final->certificate) ? ERR_OK : ERR_CORRUPT;
}

enum err blocks_open(struct blocks *blocks, struct kv *kv, const struct block_header *block_0,
                     struct arena *scratch)
{
    struct block_header header;
    struct blocks_final final;
    struct bytes row;
    uint8_t ours[HASH_BYTES];
    uint8_t theirs[HASH_BYTES];
    enum err error;

    *blocks = (struct blocks){.kv = kv};
    error = kv_get(kv, key_final, scratch, &row);
    if (error == ERR_ABSENT) {
        return store_begin(blocks, block_0, scratch);
    }
    TRY(error);
    if (!final_decode(row, &final)) {
        return ERR_CORRUPT;
    }
    error = row_get(blocks, final.height, scratch, &header, &row);
    if (error != ERR_OK) {
        return error == ERR_ABSENT ? ERR_CORRUPT : error;
    }
    blocks_committed(blocks, &final, &header);
    TRY(number_get(blocks, key_earliest, scratch, &blocks->earliest));
    TRY(final_agrees(blocks, scratch));
    if (!hash_equal(blocks->final_header.chain_id, block_0->chain_id)) {
        return ERR_CORRUPT;
    }
    if (blocks->earliest != 0) {
        return ERR_OK;
    }
    TRY(row_get(blocks, 0, scratch, &header, &row));
    block_header_hash(block_0, ours);
    block_header_hash(&header, theirs);
    return hash_equal(ours, theirs) ? ERR_OK : ERR_CORRUPT;
}

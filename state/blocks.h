/*
 * state/blocks.h -- blocks.db: final blocks, receipts, certificates, and the one row that says what is final.
 *
 * Source: docs/protocol/consensus.md 8.8.  Keys: `B|be64 h` header and body; `R|be64 h` receipts;
 * `C|be64 h` FINALIZE certificate, of directly finalized heights, overwritten by one of a higher view;
 * `H|hash` -> be64 h; `P|be64 e`; `Q|be64 e|be64 view|u8 kind`; `M|earliest`; `M|final`.  Rows above the height
 * of `M|final` are ignored at start and overwritten.  Each commit is one synced batch, built here and written
 * by the host on its disk thread.
 *
 * `M|final` = u64 epoch, final view, height, block hash 32, u64 parent view, u64 vote-log seq, u64 count and
 * peaks of the history below the block (lowest bit first), certificate.
 */
#ifndef STATE_BLOCKS_H
#define STATE_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "crypto/merkle.h"
#include "proto/block.h"
#include "proto/vote.h"
#include "state/kv.h"

enum { BLOCKS_FINAL_BYTES_MAX = 5 * 8 + HASH_BYTES + 8 + 64 * HASH_BYTES + CERTIFICATE_BYTES_MAX };

/* `M|final`. */
struct blocks_final {
    uint64_t epoch;
    uint64_t final_view;
    uint64_t height;
    uint8_t block_hash[HASH_BYTES];
    uint64_t parent_view; /* of the final candidate */
    uint64_t
        vote_log_seq; /* newest durable record of the vote log when it was written; 0: keeps none */
    struct history
        history; /* over blocks 0 to height - 1: its root is the final block's history_root */
    struct bytes certificate; /* its bytes; empty in a new store */
};

struct blocks {
    struct kv *kv;
    struct blocks_final
        final; /* as of the last batch reported durable; the certificate is kept here */
    struct block_header final_header;
    uint8_t certificate[CERTIFICATE_BYTES_MAX];
    uint64_t earliest;
};

/*
 * Open over a store, which is kept and closed by the caller.  A new store gets block 0 and
 * `M|final` = {1, 0, 0, hash of block 0, none}.  Looks whether `M|final` agrees with the block and the
 * certificate beside it.  Nothing verifies signatures here.  What was taken from `scratch` may be reset after it.
 *
 * Errors: ERR_CORRUPT they disagree, or block 0 is of another chain; ERR_IO; ERR_NO_SPACE.
 */
CHECKED enum err blocks_open(struct blocks *blocks, struct kv *kv,
                             const struct block_header *block_0, struct arena *scratch);

/* One final block to be written. */
struct blocks_new {
    struct block_header header;
    uint8_t hash[HASH_BYTES];
    struct bytes row;      /* the encoded header and the body behind it */
    struct bytes receipts; /* u32 count, then count times (u32 length, receipt) */
};

/* Bytes of arena that a batch of `count` blocks and `keep_count` certificates of `validators` members takes. */
size_t blocks_batch_footprint(uint32_t count, uint32_t keep_count, uint32_t validators);

/* What a commit writes. */
struct blocks_write {
    const struct blocks_new
        *news;      /* in order of height, without a gap above the present final block */
    uint32_t count; /* 0 for a certificate of a REPEAT */
    const struct blocks_final *final;
    const struct certificate *const *keeps; /* for evidence */
    uint32_t keep_count;
};

/*
 * Add to `batch` what a commit writes: the blocks in order of height, the certificate at the last one's
 * height (or at the final one's, for a REPEAT without blocks), what is kept for evidence, and `M|final`.
 * Rows and receipts are not copied: they stay until the batch is written.
 */
void blocks_commit(const struct blocks *blocks, const struct blocks_write *write,
                   struct kv_batch *batch);

/* The batch is durable: `final`, whose header is `header`, is now what this store says. */
void blocks_committed(struct blocks *blocks, const struct blocks_final *final,
                      const struct block_header *header);

/*
 * Reads of final blocks; all views in `arena`.  `row` is the encoded header and the body behind it.
 * Errors: ERR_ABSENT above the final height or not kept; ERR_CORRUPT when bytes do not decode or hash to
 * what leads to them; ERR_IO; ERR_NO_SPACE.
 */
CHECKED enum err blocks_at(const struct blocks *blocks, uint64_t height, struct arena *arena,
                           struct block_header *header, struct bytes *row);
CHECKED enum err blocks_find(const struct blocks *blocks, const uint8_t hash[HASH_BYTES],
                             struct arena *arena, uint64_t *height);
CHECKED enum err blocks_receipts(const struct blocks *blocks, uint64_t height, struct arena *arena,
                                 struct bytes *receipts);

/* The certificate stored at this height; ERR_ABSENT where the height was not finalized directly. */
CHECKED enum err blocks_certificate(const struct blocks *blocks, uint64_t height,
                                    struct arena *arena, struct bytes *certificate);

static inline struct bytes blocks_body(struct bytes row)
{
    return bytes_after(row, BLOCK_HEADER_BYTES);
}

#endif /* STATE_BLOCKS_H */

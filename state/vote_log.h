/*
 * state/vote_log.h -- votes.wal: everything a validator must remember before it speaks.
 *
 * Source: docs/protocol/consensus.md 8.8, 8.11; reliability rules A1 to A7, A14.  Segments of a fixed size,
 * preallocated and zero-filled.  A record is u32 length, u8 type, u64 seq, payload, 16-byte MAC chained over
 * the one before; a zero length ends the log.  Each segment begins with a head that names its number, the
 * next new sequence number and the last MAC of the segment before, and with the newest EPOCH record and the
 * KEY records in force, numbers unchanged.
 *
 * A bad record at the very end is a torn write and is dropped; a bad record that valid ones follow, in this
 * segment or a later one, is damage: nothing may be signed on such a log (8.11).
 *
 * The log never reads a payload: records are the consensus core's.  It reads the type byte alone.
 */
#ifndef STATE_VOTE_LOG_H
#define STATE_VOTE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "state/disk.h"

enum {
    VOTE_LOG_SEGMENT_BYTES = 8 << 20,
    VOTE_LOG_SEGMENTS_MAX = 256,
    VOTE_LOG_MAC_BYTES = 16,
    VOTE_LOG_OVERHEAD = 4 + 1 + 8 + VOTE_LOG_MAC_BYTES, /* of a record */
};

struct vote_log;

struct vote_log_options {
    size_t segment_bytes; /* VOTE_LOG_SEGMENT_BYTES; smaller in tests */
};

/* How a log was found. */
enum vote_log_state {
    VOTE_LOG_WHOLE,   /* every record reads, perhaps up to a torn last one */
    VOTE_LOG_ABSENT,  /* there is no segment */
    VOTE_LOG_DAMAGED, /* a bad record, or a missing segment, before valid ones */
    VOTE_LOG_NO_KEY,  /* whole, but without a KEY record of the key asked for */
};

struct vote_log_found {
    enum vote_log_state state;
    uint64_t segment; /* of the damage, or of the end */
    uint64_t offset;
    uint64_t last_seq; /* highest valid; 0 for an empty log */
    uint64_t dropped_bytes; /* of a torn tail */
};

/* Bytes of arena that vote_log_open takes. */
size_t vote_log_footprint(const struct vote_log_options *options);

/*
 * Begin a new log: one segment with an EPOCH record of epoch 1, final view 0, and a KEY record, durable when
 * it returns.  The tool that makes a consensus key calls it, in the folder where the key will vote.
 *
 * Errors: ERR_EXISTS there is a segment; ERR_NO_SPACE; ERR_IO.
 */
CHECKED enum err vote_log_create(const struct disk *disk, const struct vote_log_options *options,
                                 const uint8_t key[32]);

/*
 * Open a log and check all of it.  `disk` and the arena are kept.  A torn tail is cut off (zeros are written
 * over it and it counts as unsynced); a log that is not VOTE_LOG_WHOLE can be read up to `found`, and takes
 * no append.
 *
 * Errors: ERR_IO; ERR_NO_SPACE the arena is too small, or more than VOTE_LOG_SEGMENTS_MAX segments.
 */
CHECKED enum err vote_log_open(const struct disk *disk, const struct vote_log_options *options,
                               const uint8_t key[32], struct arena *arena, struct vote_log **out,
                               struct vote_log_found *found);

/*
 * Read on, oldest first, over the head records repeated in later segments; a cursor begins zeroed.  The
 * record is a view into the log's own buffer until the next call.  False at the end.
 *
 * Errors in *result: ERR_IO.
 */
struct vote_log_cursor {
    uint64_t segment;
    size_t offset;
    uint64_t seq;        /* of the record just read */
    struct bytes record; /* type and payload */
};

CHECKED bool vote_log_next(struct vote_log *log, struct vote_log_cursor *cursor, enum err *result);

/*
 * Append a record: `record` is its type and payload, `body` follows it in the same record (may be empty).
 * `seq` is one more than the last.  Nothing is durable yet.
 *
 * Errors: ERR_NO_SPACE disk full, or VOTE_LOG_SEGMENTS_MAX reached; ERR_IO.  After an error the log takes no
 * further append: the node stops voting.
 */
CHECKED enum err vote_log_append(struct vote_log *log, uint64_t seq, struct bytes record,
                                 struct bytes body);

/* What must be synced so that all appended records are durable. */
struct vote_log_sync {
    uint64_t seq; /* highest appended; 0: nothing to do */
    uint32_t segment_count;
    uint64_t segments[4]; /* ascending; to be synced in this order */
};

/* Begin a sync: at most one at a time.  The host runs disk->sync for each segment on its disk thread. */
struct vote_log_sync vote_log_sync_begin(struct vote_log *log);

/* The sync that was begun is done: records up to its seq are durable. */
void vote_log_sync_end(struct vote_log *log, const struct vote_log_sync *sync);

uint64_t vote_log_last_seq(const struct vote_log *log);
uint64_t vote_log_durable_seq(const struct vote_log *log);

/*
 * Remove segments whose records are all below `seq`, heads not counted; the newest stays.
 * Errors: ERR_IO.
 */
CHECKED enum err vote_log_free(struct vote_log *log, uint64_t seq);

#endif /* STATE_VOTE_LOG_H */

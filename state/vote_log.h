/*
 * state/vote_log.h -- votes.wal: everything a validator must remember before it speaks.
 *
 * Source: docs/protocol/consensus.md 8.8, 8.11; reliability rules A1 to A7, A14; docs/adr/0013-vote-log-records.md.
 * Segments of a fixed size, preallocated and zero-filled, numbered without a gap.  Big-endian:
 *
 *     head     "ARTELWAL", u32 version 1, u32 0, u64 number, u64 next new seq, u64 durable seq, u64 oldest needed
 *              segment, salt 16, last MAC of the segment before 16, MAC 16
 *     record   u32 length of type and payload, u64 seq, u64 durable seq, u64 oldest needed segment, check 8,
 *              u8 type, payload, MAC 16, zeros to a multiple of 8
 *
 * MAC = H(wal: previous MAC, record), check = H(wal: salt, the four fields before it), each cut to its size.
 * A zero length ends the log.  Behind the head stand the newest EPOCH record and the KEY records in force,
 * numbers unchanged.
 *
 * A bad record is a torn write if nothing shows that it was durable once: it and what follows are dropped.  It is
 * damage if a record or head behind it, in this segment or a later one, says that a sequence number not
 * below the bad one's was durable when it was written: nothing may be signed on such a log (8.11).  The check
 * finds such a record although the chain is broken before it, and the salt keeps bytes of a stranger's
 * transaction from passing for one.
 *
 * The log never reads a payload: records are the consensus core's.  It reads the type byte alone, and looks for
 * the key asked for among the KEY records.
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
    VOTE_LOG_SALT_BYTES = 16,
    VOTE_LOG_KEYS_MAX = 4,            /* KEY records in force */
    VOTE_LOG_REPEATED_BYTES_MAX = 64, /* of an EPOCH or KEY record */
    VOTE_LOG_SEGMENT_BYTES_MIN = 2048,
    VOTE_LOG_SYNC_SEGMENTS_MAX = 4,
};

struct vote_log;

struct vote_log_options {
    size_t segment_bytes; /* VOTE_LOG_SEGMENT_BYTES; smaller in tests; a multiple of 512 */
    uint8_t salt
        [VOTE_LOG_SALT_BYTES]; /* secret and random; of vote_log_create, later read from the log */
};

/* How a log was found. */
enum vote_log_state {
    VOTE_LOG_WHOLE,   /* every record reads that was ever seen to be durable */
    VOTE_LOG_ABSENT,  /* there is no segment */
    VOTE_LOG_DAMAGED, /* a bad record before valid ones, a segment missing or in another's place */
    VOTE_LOG_NO_KEY,  /* whole, but without a KEY record of the key asked for */
};

struct vote_log_found {
    enum vote_log_state state;
    uint64_t segment; /* of the damage, or of the end */
    uint64_t offset;
    uint64_t last_seq;      /* highest valid; 0 for an empty log */
    uint64_t dropped_bytes; /* of a torn tail, from its first byte to its last that is not zero */
};

/* Bytes of arena that vote_log_open takes. */
size_t vote_log_footprint(const struct vote_log_options *options);

/* The longest record (type, payload and body) that a segment of this size surely holds. */
size_t vote_log_record_max(const struct vote_log_options *options);

/*
 * Begin a new log: one segment with an EPOCH record of epoch 1, final view 0, and a KEY record, durable when
 * it returns.  The tool that makes a consensus key calls it, in the folder where the key will vote.
 *
 * Errors: ERR_EXISTS there is a segment; ERR_NO_SPACE; ERR_IO.
 */
CHECKED enum err vote_log_create(const struct disk *disk, const struct vote_log_options *options,
                                 const uint8_t key[32]);

/*
 * Open a log and check all of it.  `disk` and the arena are kept.  A torn tail is cut off: later segments are
 * removed, zeros are written over it.  Then what was read is synced here, since a process that died may have
 * left it in the cache alone: all that is read back is durable.  A log that is damaged or absent can be
 * read up to `found` and takes no append; one without the key takes appends.
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
 * Errors in *result: ERR_IO; ERR_CORRUPT what was read at the open reads otherwise now.
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
    uint64_t segments[VOTE_LOG_SYNC_SEGMENTS_MAX]; /* ascending; to be synced in this order */
    uint64_t oldest; /* the log's own: oldest needed segment as of the newest record covered */
};

/* Begin a sync: at most one at a time.  The host runs disk->sync for each segment on its disk thread. */
struct vote_log_sync vote_log_sync_begin(struct vote_log *log);

/* The sync that was begun is done: records up to its seq are durable. */
void vote_log_sync_end(struct vote_log *log, const struct vote_log_sync *sync);

uint64_t vote_log_last_seq(const struct vote_log *log);
uint64_t vote_log_durable_seq(const struct vote_log *log);

/* The newest EPOCH record, type and payload; empty if there is none. */
struct bytes vote_log_newest_epoch(const struct vote_log *log);

/*
 * Remove segments whose records are all below `seq`, heads not counted; the newest stays.  A segment goes once a
 * durable record says that it is not needed, so often with the next call: a missing one is then damage.
 * Errors: ERR_IO.
 */
CHECKED enum err vote_log_free(struct vote_log *log, uint64_t seq);

#endif /* STATE_VOTE_LOG_H */

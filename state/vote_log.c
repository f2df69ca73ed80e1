#include "state/vote_log.h"

#include <string.h>

#include "base/mutant.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "proto/record.h"

enum {
    LOG_VERSION = 1,
    LOG_HEAD_BYTES = 8 + 4 + 4 + 4 * 8 + VOTE_LOG_SALT_BYTES + 2 * VOTE_LOG_MAC_BYTES,
    LOG_RECORD_HEAD_BYTES = 4 + 3 * 8 + 8, /* the record, type first, is behind it */
    LOG_CHECK_AT = 4 + 3 * 8,
    LOG_CHECK_BYTES = 8,
    LOG_ALIGN = 8,
};

/* Segment numbers and sequence numbers from here on are refused, so that no sum overflows. */
#define LOG_NUMBER_LIMIT (UINT64_C(1) << 62)

static const uint8_t log_magic[8] = {'A', 'R', 'T', 'E', 'L', 'W', 'A', 'L'};

/* A segment that is there: its records from `first_seq` on are new ones. */
struct segment {
    uint64_t number;
    uint64_t first_seq;
};

/* An EPOCH or KEY record, to be repeated. */
struct repeated {
    uint64_t seq;
    uint32_t count; /* 0: there is none */
    uint8_t record[VOTE_LOG_REPEATED_BYTES_MAX];
};

struct vote_log {
    struct disk disk;
    size_t segment_bytes;
    uint8_t salt[VOTE_LOG_SALT_BYTES];

    struct segment segments[VOTE_LOG_SEGMENTS_MAX];
    uint32_t segment_count;
    size_t offset;                        /* of the next record, in the newest segment */
    uint8_t mac[VOTE_LOG_MAC_BYTES];      /* of the last record */
    uint8_t head_mac[VOTE_LOG_MAC_BYTES]; /* of the newest segment's head */
    uint64_t last_seq;
    uint64_t durable_seq;

    uint64_t dirty;     /* number of the oldest segment that may have unsynced writes; 0: none */
    uint64_t sync_from; /* first segment of the sync under way; 0: none is */
    uint64_t oldest;    /* number of the oldest segment that is needed */
    uint64_t oldest_written; /* the same, as the newest record says it */
    uint64_t oldest_durable; /* and as the newest durable record says it */

    struct repeated epoch;
    struct repeated keys[VOTE_LOG_KEYS_MAX];
    uint32_t key_count;

    bool takes;      /* appends are allowed */
    enum err failed; /* of an earlier append */
    uint8_t *buffer; /* segment_bytes: one segment as read, or a record being written */
    size_t buffer_size;
    uint64_t loaded;     /* number of the segment in the buffer; 0: none */
    size_t loaded_bytes; /* of it; the rest of the buffer is zero */
};

/* The parts of a record in a segment. */
struct parsed {
    size_t bytes; /* on disk, padding included */
    uint64_t seq;
    uint64_t durable;
    uint64_t oldest;
    struct bytes record;
    const uint8_t *mac;
};

struct head {
    uint64_t number;
    uint64_t first_seq;
    uint64_t durable;
    uint64_t oldest;
    const uint8_t *salt;
    const uint8_t *last_mac;
    const uint8_t *mac;
};

static size_t record_bytes(size_t count)
{
    const size_t bytes = LOG_RECORD_HEAD_BYTES + count + VOTE_LOG_MAC_BYTES;

    return (bytes + (LOG_ALIGN - 1)) & ~(size_t)(LOG_ALIGN - 1);
}

static void check_of(const uint8_t *salt, struct bytes fields, uint8_t out[LOG_CHECK_BYTES])
{
    const struct bytes parts[] = {bytes_of(salt, VOTE_LOG_SALT_BYTES), fields};
    uint8_t hash[HASH_BYTES];

    hash_parts(TAG_WAL, parts, 2, hash);
    memcpy(out, hash, LOG_CHECK_BYTES);
}

static void mac_of(const uint8_t *before, struct bytes record, uint8_t out[VOTE_LOG_MAC_BYTES])
{
    const struct bytes parts[] = {bytes_of(before, VOTE_LOG_MAC_BYTES), record};
    uint8_t hash[HASH_BYTES];

    hash_parts(TAG_WAL, parts, 2, hash);
    memcpy(out, hash, VOTE_LOG_MAC_BYTES);
}

/* ---- reading ---- */

/* Bring a segment into the buffer, zeros behind what it has. */
static enum err segment_load(struct vote_log *log, uint64_t number)
{
    size_t size;

    if (log->loaded == number) {
        return ERR_OK;
    }
    log->loaded = 0;
    TRY(log->disk.size(log->disk.self, number, &size));
    size = size < log->segment_bytes ? size : log->segment_bytes;
    if (size != 0) {
        TRY(log->disk.read(log->disk.self, number, 0, log->buffer, size));
    }
    memset(log->buffer + size, 0, log->segment_bytes - size);
    log->loaded = number;
    log->loaded_bytes = size;
    return ERR_OK;
}

/* The head of the segment in the buffer; false if it is not whole. */
static bool head_parse(const struct vote_log *log, struct head *out)
{
    struct reader reader = reader_of(bytes_of(log->buffer, LOG_HEAD_BYTES));
    const struct bytes magic = reader_take(&reader, sizeof log_magic);
    const uint32_t version = reader_u32(&reader);
    const uint32_t zeros = reader_u32(&reader);
    uint8_t mac[HASH_BYTES];

    out->number = reader_u64(&reader);
    out->first_seq = reader_u64(&reader);
    out->durable = reader_u64(&reader);
    out->oldest = reader_u64(&reader);
    out->salt = reader_take(&reader, VOTE_LOG_SALT_BYTES).at;
    out->last_mac = reader_take(&reader, VOTE_LOG_MAC_BYTES).at;
    out->mac = reader_take(&reader, VOTE_LOG_MAC_BYTES).at;
    hash_of(TAG_WAL, bytes_of(log->buffer, LOG_HEAD_BYTES - VOTE_LOG_MAC_BYTES), mac);
    return bytes_equal(magic, bytes_of(log_magic, sizeof log_magic)) && version == LOG_VERSION &&
           zeros == 0 && out->number != 0 && out->number < LOG_NUMBER_LIMIT &&
           out->first_seq != 0 && out->first_seq < LOG_NUMBER_LIMIT &&
           log->loaded_bytes == log->segment_bytes &&
           memcmp(mac, out->mac, VOTE_LOG_MAC_BYTES) == 0;
}

/* The head of a record at `offset`: its check holds.  The MAC is not looked at. */
static bool record_parse(const struct vote_log *log, size_t offset, struct parsed *out)
{
    struct reader reader;
    uint8_t check[LOG_CHECK_BYTES];
    uint32_t length;

    if (offset + record_bytes(1) > log->segment_bytes) {
        return false;
    }
    reader = reader_of(bytes_of(log->buffer + offset, log->segment_bytes - offset));
    length = reader_u32(&reader);
    out->seq = reader_u64(&reader);
    out->durable = reader_u64(&reader);
    out->oldest = reader_u64(&reader);
    (void)reader_take(&reader, LOG_CHECK_BYTES);
    if (length == 0 || record_bytes(length) > log->segment_bytes - offset) {
        return false;
    }
    check_of(log->salt, bytes_of(log->buffer + offset, LOG_CHECK_AT), check);
    if (memcmp(check, log->buffer + offset + LOG_CHECK_AT, LOG_CHECK_BYTES) != 0) {
        return false;
    }
    out->record = reader_take(&reader, length);
    out->mac = reader_take(&reader, VOTE_LOG_MAC_BYTES).at;
    out->bytes = record_bytes(length);
    return true;
}

/* Remember a record that must be repeated in later heads; false if there is no room for it. */
static bool repeated_keep(struct vote_log *log, uint64_t seq, struct bytes record)
{
    struct repeated *place = NULL;

    if (record.at[0] != RECORD_EPOCH && record.at[0] != RECORD_KEY) {
        return true;
    }
    if (record.count > VOTE_LOG_REPEATED_BYTES_MAX) {
        return false;
    }
    if (record.at[0] == RECORD_EPOCH) {
        place = &log->epoch;
    } else {
        for (uint32_t i = 0; i < log->key_count; i++) {
            if (bytes_equal(bytes_of(log->keys[i].record, log->keys[i].count), record)) {
                place = &log->keys[i];
            }
        }
        if (place == NULL && log->key_count == VOTE_LOG_KEYS_MAX) {
            memmove(log->keys, log->keys + 1, sizeof log->keys - sizeof log->keys[0]);
            log->key_count -= 1;
        }
        if (place == NULL) {
            place = &log->keys[log->key_count];
            log->key_count += 1;
        }
    }
    place->seq = seq;
    place->count = (uint32_t)record.count;
    memcpy(place->record, record.at, record.count);
    return true;
}

/* Is the parsed record the next one of the chain?  `new_seen`: a record that is no repetition came before. */
static bool record_fits(const struct vote_log *log, size_t offset, const struct parsed *parsed,
                        uint64_t first_seq, bool new_seen)
{
    const size_t covered = LOG_RECORD_HEAD_BYTES + parsed->record.count;
    uint8_t mac[VOTE_LOG_MAC_BYTES];

    mac_of(log->mac, bytes_of(log->buffer + offset, covered), mac);
    if (memcmp(mac, parsed->mac, VOTE_LOG_MAC_BYTES) != 0 && !MUTANT_IS(132)) {
        return false;
    }
    if (parsed->seq < first_seq) {
        return !new_seen &&
               (parsed->record.at[0] == RECORD_EPOCH || parsed->record.at[0] == RECORD_KEY);
    }
    return parsed->seq == log->last_seq + 1;
}

/* Take all records of the loaded segment into the log's view of itself; it ends before the first bad one. */
static void segment_walk(struct vote_log *log, const struct head *head)
{
    struct parsed parsed;
    bool new_seen = false;

    log->offset = LOG_HEAD_BYTES;
    memcpy(log->mac, head->mac, VOTE_LOG_MAC_BYTES);
    memcpy(log->head_mac, head->mac, VOTE_LOG_MAC_BYTES);
    log->oldest = head->oldest;
    log->durable_seq = head->durable;
    while (record_parse(log, log->offset, &parsed) &&
           record_fits(log, log->offset, &parsed, head->first_seq, new_seen) &&
           repeated_keep(log, parsed.seq, parsed.record)) {
        if (parsed.seq >= head->first_seq) {
            new_seen = true;
            log->last_seq = parsed.seq;
        }
        memcpy(log->mac, parsed.mac, VOTE_LOG_MAC_BYTES);
        log->oldest = parsed.oldest;
        log->durable_seq = parsed.durable;
        log->offset += parsed.bytes;
    }
}

/* Does anything in the loaded segment from `offset` on say that seq was durable?  Where it ends in *last. */
static bool segment_shows(const struct vote_log *log, size_t offset, uint64_t seq, size_t *last)
{
    struct parsed parsed;
    bool shown = false;

    *last = offset;
    for (size_t at = offset; at + LOG_ALIGN <= log->segment_bytes; at += LOG_ALIGN) {
        if (bytes_zero(log->buffer + at, LOG_ALIGN)) {
            continue;
        }
        *last = at + LOG_ALIGN;
        shown = shown || (record_parse(log, at, &parsed) && parsed.durable >= seq);
    }
    return shown;
}

/* ---- opening ---- */

/* What vote_log_open finds, while it looks. */
struct search {
    uint64_t numbers[VOTE_LOG_SEGMENTS_MAX];
    uint32_t count;
    uint32_t whole; /* segments whose heads fit; the last of them is where the log ends */
    bool damaged;
    uint64_t at_segment; /* of the damage or the end */
    uint64_t at_offset;
    uint64_t dropped;
    size_t tail; /* end of what must be zeroed in the last whole segment */
};

/* Does this head continue the log as read so far?  The first one begins it. */
static bool head_continues(const struct vote_log *log, const struct head *head, uint64_t number)
{
    if (head->number != number) {
        return false;
    }
    if (log->segment_count == 0) {
        return true;
    }
    return head->first_seq == log->last_seq + 1 &&
           memcmp(head->last_mac, log->mac, VOTE_LOG_MAC_BYTES) == 0 &&
           memcmp(head->salt, log->salt, VOTE_LOG_SALT_BYTES) == 0;
}

/* Read segments as long as each continues the one before. */
static enum err search_walk(struct vote_log *log, struct search *search)
{
    struct head head;

    for (uint32_t i = 0; i < search->count; i++) {
        if (search->numbers[i] != search->numbers[0] + i) {
            break;
        }
        TRY(segment_load(log, search->numbers[i]));
        if (!head_parse(log, &head) || !head_continues(log, &head, search->numbers[i])) {
            break;
        }
        if (i == 0) {
            memcpy(log->salt, head.salt, VOTE_LOG_SALT_BYTES);
            log->last_seq = head.first_seq - 1;
        }
        log->segments[i] = (struct segment){search->numbers[i], head.first_seq};
        log->segment_count = i + 1;
        segment_walk(log, &head);
    }
    search->whole = log->segment_count;
    return ERR_OK;
}

/* Look into the segments behind the last whole one; false if the first of them has no good head. */
static enum err search_later(struct vote_log *log, struct search *search, bool *head_good)
{
    const uint64_t expected = log->last_seq + 1;
    struct head head;
    size_t end;

    *head_good = true;
    for (uint32_t i = search->whole; i < search->count && !search->damaged; i++) {
        bool good;

        if (search->numbers[i] != search->numbers[0] + i) { /* one is missing before it */
            search->damaged = true;
            return ERR_OK;
        }
        TRY(segment_load(log, search->numbers[i]));
        good = head_parse(log, &head);
        if (good && head.number != search->numbers[i]) { /* a copy of another: no torn write */
            search->damaged = true;
            good = false;
        }
        if (segment_shows(log, LOG_HEAD_BYTES, expected, &end) ||
            (good && head.durable >= expected)) {
            search->damaged = true;
        }
        search->dropped += end - LOG_HEAD_BYTES;
        if (i == search->whole) {
            *head_good = good;
        }
    }
    return ERR_OK;
}

/* Look behind the end for anything that shows it to be no end. */
static enum err search_behind(struct vote_log *log, struct search *search)
{
    const uint64_t last = log->segments[search->whole - 1].number;
    bool head_good;

    search->at_segment = last;
    search->at_offset = log->offset;
    TRY(segment_load(log, last));
    search->damaged = segment_shows(log, log->offset, log->last_seq + 1, &search->tail);
    search->dropped = search->tail - log->offset;
    TRY(search_later(log, search, &head_good));
    if (search->damaged && search->tail == log->offset && search->whole < search->count &&
        (!head_good || search->numbers[search->whole] != last + 1)) {
        search->at_segment =
            last + 1; /* the log ended well there, and the next segment is bad or missing */
        search->at_offset = 0;
    }
    if (log->oldest < search->numbers[0]) { /* one at the front is missing */
        search->damaged = true;
        search->at_segment = log->oldest;
        search->at_offset = 0;
    }
    if (MUTANT_IS(131)) {
        search->damaged = false;
    }
    return ERR_OK;
}

/* Write one record behind the last one, where there is room for it. */
static enum err record_put(struct vote_log *log, uint64_t seq, struct bytes record,
                           struct bytes body)
{
    const size_t count = record.count + body.count;
    const size_t bytes = record_bytes(count);
    const struct segment *segment = &log->segments[log->segment_count - 1];
    struct writer writer = writer_of(log->buffer, log->buffer_size);
    uint8_t check[LOG_CHECK_BYTES];

    INVARIANT(record.count != 0 && count <= UINT32_MAX);
    INVARIANT(bytes <= log->segment_bytes - log->offset);
    log->loaded = 0;
    writer_u32(&writer, (uint32_t)count);
    writer_u64(&writer, seq);
    writer_u64(&writer, log->durable_seq);
    writer_u64(&writer, log->oldest);
    check_of(log->salt, writer_done(&writer), check);
    writer_bytes(&writer, check, sizeof check);
    writer_view(&writer, record);
    writer_view(&writer, body);
    INVARIANT(!writer.failed);
    mac_of(log->mac, writer_done(&writer), log->mac);
    writer_bytes(&writer, log->mac, sizeof log->mac);
    writer_zeros(&writer, bytes - writer.used);
    INVARIANT(!writer.failed && writer.used == bytes);
    TRY(log->disk.write(log->disk.self, segment->number, log->offset, writer_done(&writer)));
    log->offset += bytes;
    log->oldest_written = log->oldest;
    if (log->dirty == 0) {
        log->dirty = segment->number;
    }
    return ERR_OK;
}

/* Repeat the newest EPOCH record and the KEY records behind a segment's head, numbers unchanged. */
static enum err repeated_put(struct vote_log *log)
{
    const struct bytes nothing = {0};

    if (log->epoch.count != 0) {
        TRY(record_put(log, log->epoch.seq, bytes_of(log->epoch.record, log->epoch.count),
                       nothing));
    }
    for (uint32_t i = 0; i < log->key_count; i++) {
        TRY(record_put(log, log->keys[i].seq, bytes_of(log->keys[i].record, log->keys[i].count),
                       nothing));
    }
    return ERR_OK;
}

/*
 * Cut off what is behind the end, and make what is before it durable.
 *
 * A sync alone would not do: one that failed in an earlier life may have left pages that read well, are not
 * on the disk, and pass for clean (A10).  So what was read is written again.
 */
static enum err search_settle(struct vote_log *log, const struct search *search)
{
    const struct segment *newest = &log->segments[log->segment_count - 1];
    const bool bare = newest->first_seq == log->last_seq + 1; /* no new record in it yet */
    const size_t walked = log->offset;

    for (uint32_t i = search->count; i > search->whole; i--) {
        TRY(log->disk.remove(log->disk.self, search->numbers[i - 1]));
    }
    if (bare) { /* whatever stands there are repetitions, and perhaps not all of them */
        log->offset = LOG_HEAD_BYTES;
        memcpy(log->mac, log->head_mac, VOTE_LOG_MAC_BYTES);
    }
    for (uint32_t i = 0; i < log->segment_count; i++) {
        const uint64_t number = log->segments[i].number;
        const bool older = i + 1 < log->segment_count;
        size_t end;

        if (older && log->segments[i + 1].first_seq <= log->durable_seq + 1) {
            continue; /* all of it was known to be durable */
        }
        TRY(segment_load(log, number));
        end = log->loaded_bytes;
        if (!older) {
            end = search->tail > walked ? search->tail : walked;
            memset(log->buffer + log->offset, 0, end - log->offset);
        }
        TRY(log->disk.write(log->disk.self, number, 0, bytes_of(log->buffer, end)));
        TRY(log->disk.sync(log->disk.self, number));
    }
    if (bare) {
        TRY(repeated_put(log));
        TRY(log->disk.sync(log->disk.self, newest->number));
        log->dirty = 0;
    }
    log->durable_seq = log->last_seq;
    log->oldest_written = log->oldest;
    log->oldest_durable = log->oldest;
    return ERR_OK;
}

static bool key_known(const struct vote_log *log, const uint8_t key[32])
{
    for (uint32_t i = 0; i < log->key_count; i++) {
        if (log->keys[i].count == 33 && memcmp(log->keys[i].record + 1, key, 32) == 0) {
            return true;
        }
    }
    return false;
}

static enum err log_search(struct vote_log *log, const uint8_t key[32],
                           struct vote_log_found *found)
{
    struct search search = {0};

    TRY(log->disk.list(log->disk.self, search.numbers, VOTE_LOG_SEGMENTS_MAX, &search.count));
    if (search.count == 0) {
        found->state = VOTE_LOG_ABSENT;
        return ERR_OK;
    }
    TRY(search_walk(log, &search));
    if (search.whole == 0) { /* nothing of it reads */
        *found = (struct vote_log_found){.state = VOTE_LOG_DAMAGED, .segment = search.numbers[0]};
        return ERR_OK;
    }
    TRY(search_behind(log, &search));
    *found = (struct vote_log_found){
        .state = search.damaged ? VOTE_LOG_DAMAGED : VOTE_LOG_WHOLE,
        .segment = search.at_segment,
        .offset = search.at_offset,
        .last_seq = log->last_seq,
    };
    if (search.damaged) {
        return ERR_OK;
    }
    found->dropped_bytes = search.dropped;
    TRY(search_settle(log, &search));
    log->takes = true;
    if (!key_known(log, key)) {
        found->state = VOTE_LOG_NO_KEY;
    }
    return ERR_OK;
}

size_t vote_log_footprint(const struct vote_log_options *options)
{
    return arena_rounded(sizeof(struct vote_log)) + arena_rounded(options->segment_bytes);
}

size_t vote_log_record_max(const struct vote_log_options *options)
{
    const size_t repeated = (1 + VOTE_LOG_KEYS_MAX) * record_bytes(VOTE_LOG_REPEATED_BYTES_MAX);

    return options->segment_bytes - LOG_HEAD_BYTES - repeated - record_bytes(0) - LOG_ALIGN;
}

static void log_begin(struct vote_log *log, const struct disk *disk,
                      const struct vote_log_options *options)
{
    INVARIANT(options->segment_bytes >= VOTE_LOG_SEGMENT_BYTES_MIN);
    INVARIANT(options->segment_bytes % 512 == 0);
    *log = (struct vote_log){.disk = *disk, .segment_bytes = options->segment_bytes};
}

enum err vote_log_open(const struct disk *disk, const struct vote_log_options *options,
                       const uint8_t key[32], struct arena *arena, struct vote_log **out,
                       struct vote_log_found *found)
{
    struct vote_log *log = arena_take(arena, sizeof *log);
    uint8_t *buffer = arena_take(arena, options->segment_bytes);

    *found = (struct vote_log_found){.state = VOTE_LOG_ABSENT};
    if (log == NULL || buffer == NULL) {
        return ERR_NO_SPACE;
    }
    log_begin(log, disk, options);
    log->buffer = buffer;
    log->buffer_size = options->segment_bytes;
    *out = log;
    return log_search(log, key, found);
}

bool vote_log_next(struct vote_log *log, struct vote_log_cursor *cursor, enum err *result)
{
    struct parsed parsed;

    *result = ERR_OK;
    if (log->segment_count == 0) {
        return false;
    }
    if (cursor->segment < log->segments[0].number) {
        cursor->segment = log->segments[0].number;
        cursor->offset = LOG_HEAD_BYTES;
    }
    for (;;) {
        const uint64_t index = cursor->segment - log->segments[0].number;
        const bool newest = index + 1 == log->segment_count;

        INVARIANT(index < log->segment_count);
        if (newest && cursor->offset >= log->offset) {
            return false;
        }
        *result = segment_load(log, cursor->segment);
        if (*result != ERR_OK) {
            return false;
        }
        if (record_parse(log, cursor->offset, &parsed)) {
            cursor->offset += parsed.bytes;
            cursor->seq = parsed.seq;
            cursor->record = parsed.record;
            if (index == 0 || parsed.seq >= log->segments[index].first_seq) {
                return true;
            }
        } else if (newest) {
            *result = ERR_CORRUPT;
            return false;
        } else {
            cursor->segment += 1;
            cursor->offset = LOG_HEAD_BYTES;
        }
    }
}

/* ---- writing ---- */

/* Begin segment `number`, whose first new record will be `last_seq + 1`. */
static enum err segment_begin(struct vote_log *log, uint64_t number)
{
    uint8_t memory[LOG_HEAD_BYTES];
    struct writer writer = writer_of(memory, sizeof memory);
    uint8_t hash[HASH_BYTES];

    INVARIANT(log->segment_count < VOTE_LOG_SEGMENTS_MAX);
    TRY(log->disk.create(log->disk.self, number, log->segment_bytes));
    log->segments[log->segment_count] = (struct segment){number, log->last_seq + 1};
    log->segment_count += 1;
    writer_bytes(&writer, log_magic, sizeof log_magic);
    writer_u32(&writer, LOG_VERSION);
    writer_u32(&writer, 0);
    writer_u64(&writer, number);
    writer_u64(&writer, log->last_seq + 1);
    writer_u64(&writer, log->durable_seq);
    writer_u64(&writer, log->oldest);
    writer_bytes(&writer, log->salt, VOTE_LOG_SALT_BYTES);
    writer_bytes(&writer, log->mac, VOTE_LOG_MAC_BYTES);
    hash_of(TAG_WAL, writer_done(&writer), hash);
    writer_bytes(&writer, hash, VOTE_LOG_MAC_BYTES);
    INVARIANT(!writer.failed && writer.used == LOG_HEAD_BYTES);
    TRY(log->disk.write(log->disk.self, number, 0, writer_done(&writer)));
    memcpy(log->mac, hash, VOTE_LOG_MAC_BYTES);
    log->offset = LOG_HEAD_BYTES;
    if (log->dirty == 0) {
        log->dirty = number;
    }
    return repeated_put(log);
}

static enum err log_append(struct vote_log *log, uint64_t seq, struct bytes record,
                           struct bytes body)
{
    const size_t bytes = record_bytes(record.count + body.count);

    if (bytes > log->segment_bytes - log->offset) {
        if (log->segment_count == VOTE_LOG_SEGMENTS_MAX) {
            return ERR_NO_SPACE;
        }
        TRY(segment_begin(log, log->segments[log->segment_count - 1].number + 1));
    }
    TRY(record_put(log, seq, record, body));
    INVARIANT(body.count == 0 || (record.at[0] != RECORD_EPOCH && record.at[0] != RECORD_KEY));
    INVARIANT(repeated_keep(log, seq, record));
    log->last_seq = seq;
    return ERR_OK;
}

enum err vote_log_append(struct vote_log *log, uint64_t seq, struct bytes record, struct bytes body)
{
    INVARIANT(log->takes);
    INVARIANT(seq == log->last_seq + 1);
    INVARIANT(record.count + body.count <=
              vote_log_record_max(&(struct vote_log_options){.segment_bytes = log->segment_bytes}));
    if (log->failed == ERR_OK) {
        log->failed = log_append(log, seq, record, body);
    }
    return log->failed;
}

/* The records that a new log begins with. */
static enum err log_first_records(struct vote_log *log, const uint8_t key[32])
{
    const struct record records[] = {{.type = RECORD_EPOCH, .epoch = 1}, /* view 0 */
                                     {.type = RECORD_KEY, .key = key}};

    for (uint32_t i = 0; i < 2; i++) {
        uint8_t memory[VOTE_LOG_REPEATED_BYTES_MAX];
        struct writer writer = writer_of(memory, sizeof memory);

        record_write(&writer, &records[i]);
        INVARIANT(!writer.failed);
        TRY(log_append(log, i + 1, writer_done(&writer), (struct bytes){0}));
    }
    return ERR_OK;
}

enum err vote_log_create(const struct disk *disk, const struct vote_log_options *options,
                         const uint8_t key[32])
{
    struct vote_log log;
    uint8_t buffer[256]; /* for the records written here, which are short */
    uint64_t number;
    uint32_t count = 0;
    enum err error;

    log_begin(&log, disk, options);
    memcpy(log.salt, options->salt, VOTE_LOG_SALT_BYTES);
    log.buffer = buffer;
    log.buffer_size = sizeof buffer;
    log.oldest = 1;
    error = disk->list(disk->self, &number, 1, &count);
    if (error == ERR_NO_SPACE || (error == ERR_OK && count != 0)) {
        return ERR_EXISTS;
    }
    TRY(error);
    error = segment_begin(&log, 1);
    if (error == ERR_OK) {
        error = log_first_records(&log, key);
    }
    if (error == ERR_OK) {
        error = disk->sync(disk->self, 1);
    }
    if (error != ERR_OK) {
        err_ignore(disk->remove(disk->self, 1), "the error before it is the one to tell");
    }
    return error;
}

struct vote_log_sync vote_log_sync_begin(struct vote_log *log)
{
    const uint64_t newest =
        log->segment_count == 0 ? 0 : log->segments[log->segment_count - 1].number;
    struct vote_log_sync sync = {0};

    INVARIANT(log->sync_from == 0);
    if (log->last_seq == log->durable_seq) {
        return sync;
    }
    INVARIANT(log->dirty != 0 && log->dirty <= newest);
    sync.seq = log->last_seq;
    sync.oldest = log->oldest_written;
    for (uint64_t number = log->dirty; number <= newest; number++) {
        if (sync.segment_count == VOTE_LOG_SYNC_SEGMENTS_MAX) {
            sync.seq = log->segments[number - log->segments[0].number].first_seq - 1;
            sync.oldest = log->oldest_durable;
            break;
        }
        sync.segments[sync.segment_count] = number;
        sync.segment_count += 1;
    }
    log->sync_from = log->dirty;
    log->dirty = sync.segments[sync.segment_count - 1]; /* may be written on while the sync runs */
    return sync;
}

void vote_log_sync_end(struct vote_log *log, const struct vote_log_sync *sync)
{
    INVARIANT(log->sync_from != 0);
    INVARIANT(sync->seq > log->durable_seq && sync->seq <= log->last_seq);
    log->sync_from = 0;
    log->durable_seq = sync->seq;
    log->oldest_durable = sync->oldest;
}

uint64_t vote_log_last_seq(const struct vote_log *log)
{
    return log->last_seq;
}

uint64_t vote_log_durable_seq(const struct vote_log *log)
{
    return log->durable_seq;
}

struct bytes vote_log_newest_epoch(const struct vote_log *log)
{
    return bytes_of(log->epoch.record, log->epoch.count);
}

enum err vote_log_free(struct vote_log *log, uint64_t seq)
{
    uint64_t busy; /* segments from here on may be written or synced */
    uint32_t removed = 0;
    enum err error = ERR_OK;

    if (!log->takes) {
        return ERR_OK;
    }
    for (uint32_t i = 0; i + 1 < log->segment_count; i++) {
        const uint64_t next = log->segments[i + 1].first_seq;

        if (next > seq || next > log->durable_seq + 1) {
            break;
        }
        if (log->segments[i].number >= log->oldest) {
            log->oldest = log->segments[i].number + 1;
        }
    }
    busy = log->sync_from != 0 ? log->sync_from : log->dirty;
    busy = busy != 0 ? busy : log->segments[log->segment_count - 1].number;
    while (removed + 1 < log->segment_count && error == ERR_OK &&
           log->segments[removed].number < log->oldest_durable &&
           log->segments[removed].number < busy) {
        error = log->disk.remove(log->disk.self, log->segments[removed].number);
        removed += error == ERR_OK ? 1 : 0;
    }
    log->segment_count -= removed;
    memmove(log->segments, log->segments + removed, log->segment_count * sizeof log->segments[0]);
    return error;
}

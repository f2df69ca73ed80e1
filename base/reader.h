/*
 * base/reader.h -- read big-endian fields from foreign bytes, and look for trouble once at the end.
 *
 * A read beyond the end gives zero, or an empty view, and marks the reader as failed; every later read
 * fails too.  So a decoder reads all its fields and then asks reader_done.
 */
#ifndef BASE_READER_H
#define BASE_READER_H

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

struct reader {
    struct bytes left;
    bool failed;
};

static inline struct reader reader_of(struct bytes bytes)
{
    return (struct reader){.left = bytes};
}

/* A view of the next `count` bytes, which live as long as what is read. */
static inline struct bytes reader_take(struct reader *reader, size_t count)
{
    struct bytes taken = {.at = reader->left.at};

    if (reader->failed || count > reader->left.count) {
        reader->failed = true;
        reader->left.count = 0;
        return taken;
    }
    taken.count = count;
    if (count != 0) {
        reader->left = bytes_after(reader->left, count);
    }
    return taken;
}

static inline uint64_t reader_number(struct reader *reader, size_t count)
{
    const struct bytes taken = reader_take(reader, count);
    uint64_t value = 0;

    for (size_t i = 0; i < taken.count; i++) {
        value = value << 8 | taken.at[i];
    }
    return value;
}

static inline uint8_t reader_u8(struct reader *reader)
{
    return (uint8_t)reader_number(reader, 1);
}

static inline uint16_t reader_u16(struct reader *reader)
{
    return (uint16_t)reader_number(reader, 2);
}

static inline uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t)reader_number(reader, 4);
}

static inline uint64_t reader_u64(struct reader *reader)
{
    return reader_number(reader, 8);
}

/* Copy the next `count` bytes to `out`; zeros if they are not there. */
static inline void reader_copy(struct reader *reader, uint8_t *out, size_t count)
{
    const struct bytes taken = reader_take(reader, count);

    if (taken.count == count && count != 0) {
        memcpy(out, taken.at, count);
    } else {
        memset(out, 0, count);
    }
}

/* All read, nothing left, nothing missing. */
static inline CHECKED bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->left.count == 0;
}

#endif /* BASE_READER_H */

/*
 * base/writer.h -- write big-endian fields into memory of a known size.
 *
 * A write that does not fit marks the writer as failed and changes nothing; a caller whose buffer is
 * large enough by construction says so with INVARIANT(!writer.failed).
 */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

struct writer {
    uint8_t *at;
    size_t size;
    size_t used;
    bool failed;
};

static inline struct writer writer_of(uint8_t *at, size_t size)
{
    return (struct writer){.at = at, .size = size};
}

static inline void writer_bytes(struct writer *writer, const void *from, size_t count)
{
    if (writer->failed || count > writer->size - writer->used) {
        writer->failed = true;
        return;
    }
    if (count != 0) {
        memcpy(writer->at + writer->used, from, count);
    }
    writer->used += count;
}

static inline void writer_view(struct writer *writer, struct bytes bytes)
{
    writer_bytes(writer, bytes.at, bytes.count);
}

static inline void writer_zeros(struct writer *writer, size_t count)
{
    if (writer->failed || count > writer->size - writer->used) {
        writer->failed = true;
        return;
    }
    if (count != 0) {
        memset(writer->at + writer->used, 0, count);
    }
    writer->used += count;
}

static inline void writer_number(struct writer *writer, uint64_t value, size_t count)
{
    uint8_t bytes[8];

    for (size_t i = count; i > 0; i--) {
        bytes[i - 1] = (uint8_t)value;
        value >>= 8;
    }
    writer_bytes(writer, bytes, count);
}

static inline void writer_u8(struct writer *writer, uint8_t value)
{
    writer_number(writer, value, 1);
}

static inline void writer_u16(struct writer *writer, uint16_t value)
{
    writer_number(writer, value, 2);
}

static inline void writer_u32(struct writer *writer, uint32_t value)
{
    writer_number(writer, value, 4);
}

static inline void writer_u64(struct writer *writer, uint64_t value)
{
    writer_number(writer, value, 8);
}

/* What was written so far; lives as long as the memory. */
static inline struct bytes writer_done(const struct writer *writer)
{
    return bytes_of(writer->at, writer->used);
}

#endif /* BASE_WRITER_H */

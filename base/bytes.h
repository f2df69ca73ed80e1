/* base/bytes.h -- a view of bytes that belong to somebody else: passed by value, never freed. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *at;
    size_t count;
};

static inline struct bytes bytes_of(const void *at, size_t count)
{
    return (struct bytes){.at = (const uint8_t *)at, .count = count};
}

/* Not in constant time: for public data only. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    if (a.count != b.count) {
        return false;
    }
    for (size_t i = 0; i < a.count; i++) {
        if (a.at[i] != b.at[i]) {
            return false;
        }
    }
    return true;
}

/* The bytes behind the first `count`, which must be there. */
static inline struct bytes bytes_after(struct bytes bytes, size_t count)
{
    return bytes_of(bytes.at + count, bytes.count - count);
}

/* True if all `count` bytes are zero. */
static inline bool bytes_zero(const uint8_t *at, size_t count)
{
    uint8_t any = 0;

    for (size_t i = 0; i < count; i++) {
        any |= at[i];
    }
    return any == 0;
}

#endif /* BASE_BYTES_H */

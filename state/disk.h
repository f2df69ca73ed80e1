/*
 * state/disk.h -- the port under the vote log: numbered segments of a fixed size.
 *
 * Two makers: disk_file.c (a folder, preallocated files) and tests/sim/disk_sim.c (sectors, an unsynced
 * cache, crashes).  Writes are visible to later reads at once and durable after a sync that began behind
 * them; creating and removing is durable when it returns.
 */
#ifndef STATE_DISK_H
#define STATE_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct disk {
    void *self;

    /* Numbers of the segments there are, ascending; at most `max`.  Errors: ERR_NO_SPACE more than max; ERR_IO. */
    enum err (*list)(void *self, uint64_t *numbers, uint32_t max, uint32_t *count);

    /* Make a segment of `size` zero bytes.  Errors: ERR_EXISTS; ERR_NO_SPACE disk full; ERR_IO. */
    enum err (*create)(void *self, uint64_t number, size_t size);

    enum err (*size)(void *self, uint64_t number, size_t *out);

    /* Errors: ERR_IO; ERR_CORRUPT when the segment is shorter. */
    enum err (*read)(void *self, uint64_t number, size_t offset, uint8_t *out, size_t count);

    /* Within the size.  Errors: ERR_NO_SPACE; ERR_IO. */
    enum err (*write)(void *self, uint64_t number, size_t offset, struct bytes bytes);

    /* Not of a segment that is being synced. */
    enum err (*remove)(void *self, uint64_t number);

    /*
     * Make all earlier writes to the segment durable.  While the node runs, on the disk thread, beside the
     * other functions on the main thread; before that (vote_log_create, vote_log_open) on the caller's.
     * Errors: ERR_IO, after which the process must end: the kernel may have dropped the pages (A10).
     */
    enum err (*sync)(void *self, uint64_t number);
};

#endif /* STATE_DISK_H */

/*
 * tests/disk_memory.h -- the disk under a vote log, in memory, and what a power cut leaves of it.
 *
 * What was written is there for reads at once and survives a power cut only if it was synced; of other
 * sectors a cut keeps all, a half or nothing of the new content.  Everything comes from malloc.
 */
#ifndef TESTS_DISK_MEMORY_H
#define TESTS_DISK_MEMORY_H

#include <stdbool.h>

#include "base/random.h"
#include "state/disk.h"

enum { DISK_MEMORY_FILES_MAX = 300, DISK_MEMORY_SECTOR = 512 };

struct disk_memory_file {
    uint64_t number;
    size_t size;
    uint8_t *live;    /* what a read sees */
    uint8_t *durable; /* what a power cut surely leaves */
};

struct disk_memory {
    struct disk disk; /* its self is this struct, which must not move */
    struct disk_memory_file files[DISK_MEMORY_FILES_MAX];
    uint32_t count;
    uint64_t full_at; /* making a file of this number fails; 0: none */
    bool fails;       /* syncs and writes do */
};

void disk_memory_init(struct disk_memory *disk);
void disk_memory_clear(struct disk_memory *disk);

/* `to` gets copies of everything. */
void disk_memory_copy(struct disk_memory *to, const struct disk_memory *from);

/* Put a file of zeros between the others. */
void disk_memory_insert(struct disk_memory *disk, uint64_t number, size_t size);

void disk_memory_cut(struct disk_memory *disk, struct random *random);

#endif /* TESTS_DISK_MEMORY_H */

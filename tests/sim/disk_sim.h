/*
 * tests/sim/disk_sim.h -- a simulated disk under the vote log: sectors, a page cache, power cuts, damage.
 *
 * Each segment has two images: what a read sees (the page cache) and what survives a power cut.  A sync takes
 * the sectors that are dirty when it begins and makes them durable when it ends; writes in between wait for
 * the next one.  Source: reliability A1 to A11, 3.2.
 */
#ifndef TESTS_SIM_DISK_SIM_H
#define TESTS_SIM_DISK_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "state/disk.h"

enum { DISK_SECTOR_BYTES = 512, DISK_SEGMENTS_MAX = 300 };

/* Where power is lost: at the k-th write or sync from now. */
enum disk_moment { DISK_BEFORE, DISK_HALF, DISK_AFTER, DISK_BEFORE_SYNC, DISK_AFTER_SYNC };

/* What a power cut does to sectors that were not synced, in parts of 100; the rest is a torn last write. */
struct disk_faults {
    uint32_t drop_percent;   /* all of them are lost; 60 */
    uint32_t subset_percent; /* a random subset is kept; 30 */
    uint32_t lost_write_ppm; /* of synced sectors: reported durable, and is not (A6) */
    bool full;               /* no new segment (A11) */
    bool sync_fails;         /* EIO at the next sync (A10) */
    bool write_fails;
    bool read_fails;
};

struct disk_segment {
    uint64_t number;
    size_t size;
    size_t touched;     /* nothing but zeros behind it */
    size_t dirty_begin; /* written since the last sync began */
    size_t dirty_end;
    size_t scanned; /* by the oracle of durable records */
    uint8_t *current;
    uint8_t *durable;
};

struct disk_pending {
    uint64_t number;
    size_t offset;
    uint8_t bytes[DISK_SECTOR_BYTES];
};

struct disk_sim {
    struct disk port;
    struct disk_faults faults;
    struct random *random;
    struct disk_segment segments[DISK_SEGMENTS_MAX]; /* ascending */
    uint32_t count;
    struct disk_pending *pending; /* of the sync under way */
    uint32_t pending_count;
    uint32_t pending_size;
    uint64_t last_number; /* of the last write */
    size_t last_offset;
    size_t last_count;
    uint32_t crash_in; /* counts down to the crash point; 0: none is set */
    enum disk_moment crash_moment;
    bool die_after_sync; /* the crash point is the end of the sync under way */
    bool dead;           /* the crash point was reached: nothing that follows happens */
    void (*crashed)(void *context);
    void *context;
    uint64_t writes, syncs, creates, removes, lost_writes; /* counted */
};

/* An empty disk; `random` is kept. */
void disk_sim_init(struct disk_sim *disk, struct random *random);
void disk_sim_close(struct disk_sim *disk);

/* Lose power at the k-th write (or sync) from now; `crashed` is called then, from inside the call. */
void disk_sim_crash_at(struct disk_sim *disk, uint32_t k, enum disk_moment moment);

/* Begin to make what is written so far durable; end it.  Errors of the end: ERR_IO, nothing is durable. */
void disk_sim_sync_begin(struct disk_sim *disk, const uint64_t *numbers, uint32_t count);
enum err disk_sim_sync_end(struct disk_sim *disk);

/* The machine lost power, or the process ended; a sync under way may have happened in part, or whole. */
void disk_sim_power_cut(struct disk_sim *disk);
void disk_sim_kill(struct disk_sim *disk);

/* Damage at rest, in both images: flip a bit, zero a sector, copy a sector over another. */
void disk_sim_flip(struct disk_sim *disk, uint32_t segment, size_t offset, uint32_t bit);
void disk_sim_zero(struct disk_sim *disk, uint32_t segment, size_t sector);
void disk_sim_copy_sector(struct disk_sim *disk, uint32_t segment, size_t from, size_t to);

/* The whole disk as it would be after a power cut that drops everything unsynced. */
void disk_sim_copy(struct disk_sim *to, const struct disk_sim *from);

#endif /* TESTS_SIM_DISK_SIM_H */

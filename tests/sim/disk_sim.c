#include "tests/sim/disk_sim.h"

#include <stdlib.h>
#include <string.h>

/* Images come from here and go back zeroed, so that a new segment costs no 64 KiB of zeros. */
struct image {
    struct image *next;
    size_t size;
};

static struct image *images;

static uint8_t *image_take(size_t size)
{
    uint8_t *fresh;

    for (struct image **at = &images; *at != NULL; at = &(*at)->next) {
        struct image *found = *at;

        if (found->size == size) {
            *at = found->next;
            memset(found, 0, sizeof *found);
            return (uint8_t *)found;
        }
    }
    fresh = calloc(1, size < sizeof(struct image) ? sizeof(struct image) : size);
    INVARIANT(fresh != NULL);
    return fresh;
}

static void image_give(uint8_t *at, size_t size, size_t touched)
{
    struct image *image = (struct image *)(void *)at;

    memset(at, 0, touched);
    image->size = size;
    image->next = images;
    images = image;
}

static struct disk_segment *segment_of(struct disk_sim *disk, uint64_t number)
{
    for (uint32_t i = disk->count; i > 0; i--) {
        if (disk->segments[i - 1].number == number) {
            return &disk->segments[i - 1];
        }
    }
    return NULL;
}

static void disk_die(struct disk_sim *disk)
{
    disk->crash_in = 0;
    disk->die_after_sync = false;
    disk->dead = true;
    if (disk->crashed != NULL) {
        disk->crashed(disk->context);
    }
}

/* Is the crash point at this call? */
static bool disk_crash_here(struct disk_sim *disk, bool sync)
{
    const bool of_sync =
        disk->crash_moment == DISK_BEFORE_SYNC || disk->crash_moment == DISK_AFTER_SYNC;

    if (disk->crash_in == 0 || of_sync != sync) {
        return false;
    }
    disk->crash_in -= 1;
    return disk->crash_in == 0;
}

static enum err disk_list(void *self, uint64_t *numbers, uint32_t max, uint32_t *count)
{
    const struct disk_sim *disk = self;

    if (disk->faults.read_fails) {
        return ERR_IO;
    }
    if (disk->count > max) {
        return ERR_NO_SPACE;
    }
    for (uint32_t i = 0; i < disk->count; i++) {
        numbers[i] = disk->segments[i].number;
    }
    *count = disk->count;
    return ERR_OK;
}

static enum err disk_create(void *self, uint64_t number, size_t size)
{
    struct disk_sim *disk = self;
    uint32_t place = disk->count;

    if (disk->dead) {
        return ERR_IO;
    }
    if (segment_of(disk, number) != NULL) {
        return ERR_EXISTS;
    }
    if (disk->faults.full || disk->count == DISK_SEGMENTS_MAX) {
        return ERR_NO_SPACE;
    }
    while (place > 0 && disk->segments[place - 1].number > number) {
        disk->segments[place] = disk->segments[place - 1];
        place -= 1;
    }
    disk->segments[place] = (struct disk_segment){
        .number = number, .size = size, .current = image_take(size), .durable = image_take(size)};
    disk->count += 1;
    disk->creates += 1;
    return ERR_OK;
}

static enum err disk_size(void *self, uint64_t number, size_t *out)
{
    const struct disk_segment *segment = segment_of(self, number);

    if (segment == NULL) {
        return ERR_IO;
    }
    *out = segment->size;
    return ERR_OK;
}

static enum err disk_read(void *self, uint64_t number, size_t offset, uint8_t *out, size_t count)
{
    struct disk_sim *disk = self;
    const struct disk_segment *segment = segment_of(disk, number);

    if (segment == NULL || disk->faults.read_fails) {
        return ERR_IO;
    }
    if (offset > segment->size || count > segment->size - offset) {
        return ERR_CORRUPT;
    }
    memcpy(out, segment->current + offset, count);
    return ERR_OK;
}

static void segment_write(struct disk_segment *segment, size_t offset, struct bytes bytes)
{
    const size_t end = offset + bytes.count;

    if (bytes.count == 0) {
        return;
    }
    memcpy(segment->current + offset, bytes.at, bytes.count);
    if (segment->touched < end) {
        segment->touched = end;
    }
    if (segment->dirty_end == 0) {
        segment->dirty_begin = offset;
        segment->dirty_end = end;
        return;
    }
    if (offset < segment->dirty_begin) {
        segment->dirty_begin = offset;
    }
    if (end > segment->dirty_end) {
        segment->dirty_end = end;
    }
}

static enum err disk_write(void *self, uint64_t number, size_t offset, struct bytes bytes)
{
    struct disk_sim *disk = self;
    struct disk_segment *segment = segment_of(disk, number);
    bool crash;

    if (disk->dead) {
        return ERR_OK;
    }
    if (segment == NULL || disk->faults.write_fails) {
        return ERR_IO;
    }
    INVARIANT(offset <= segment->size && bytes.count <= segment->size - offset);
    disk->writes += 1;
    crash = disk_crash_here(disk, false);
    if (crash && disk->crash_moment == DISK_BEFORE) {
        bytes.count = 0;
    } else if (crash && disk->crash_moment == DISK_HALF) {
        bytes.count /= 2;
    }
    segment_write(segment, offset, bytes);
    disk->last_number = number;
    disk->last_offset = offset;
    disk->last_count = bytes.count;
    if (crash) {
        disk_die(disk);
    }
    return ERR_OK;
}

static enum err disk_remove(void *self, uint64_t number)
{
    struct disk_sim *disk = self;
    struct disk_segment *segment = segment_of(disk, number);
    uint32_t place;

    if (disk->dead) {
        return ERR_OK;
    }
    if (segment == NULL) {
        return ERR_IO;
    }
    place = (uint32_t)(segment - disk->segments);
    image_give(segment->current, segment->size, segment->touched);
    image_give(segment->durable, segment->size, segment->touched);
    disk->count -= 1;
    memmove(segment, segment + 1, (disk->count - place) * sizeof *segment);
    disk->removes += 1;
    return ERR_OK;
}

static void pending_add(struct disk_sim *disk, const struct disk_segment *segment, size_t sector)
{
    const size_t offset = sector * DISK_SECTOR_BYTES;
    const size_t left = segment->size - offset;
    struct disk_pending *pending;

    if (disk->pending_count == disk->pending_size) {
        disk->pending_size = disk->pending_size * 2 + 32;
        disk->pending = realloc(disk->pending, disk->pending_size * sizeof *disk->pending);
        INVARIANT(disk->pending != NULL);
    }
    pending = &disk->pending[disk->pending_count];
    disk->pending_count += 1;
    pending->number = segment->number;
    pending->offset = offset;
    memcpy(pending->bytes, segment->current + offset,
           left < DISK_SECTOR_BYTES ? left : DISK_SECTOR_BYTES);
}

/* Bytes of a sector; less at the end of a segment that is no multiple. */
static size_t sector_bytes(const struct disk_segment *segment, size_t offset)
{
    const size_t left = segment->size - offset;

    return left < DISK_SECTOR_BYTES ? left : DISK_SECTOR_BYTES;
}

void disk_sim_sync_begin(struct disk_sim *disk, const uint64_t *numbers, uint32_t count)
{
    if (disk->dead) {
        return;
    }
    INVARIANT(disk->pending_count == 0);
    disk->syncs += 1;
    if (disk_crash_here(disk, true)) {
        if (disk->crash_moment == DISK_BEFORE_SYNC) {
            disk_die(disk);
            return;
        }
        disk->die_after_sync = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct disk_segment *segment = segment_of(disk, numbers[i]);

        if (segment == NULL || segment->dirty_end == 0) {
            continue;
        }
        for (size_t sector = segment->dirty_begin / DISK_SECTOR_BYTES;
             sector * DISK_SECTOR_BYTES < segment->dirty_end; sector++) {
            pending_add(disk, segment, sector);
        }
        segment->dirty_begin = 0;
        segment->dirty_end = 0;
    }
}

/* The sector reaches the platter. */
static void pending_apply(struct disk_sim *disk, const struct disk_pending *pending)
{
    struct disk_segment *segment = segment_of(disk, pending->number);

    if (segment != NULL) {
        memcpy(segment->durable + pending->offset, pending->bytes,
               sector_bytes(segment, pending->offset));
    }
}

enum err disk_sim_sync_end(struct disk_sim *disk)
{
    if (disk->dead) {
        return ERR_OK;
    }
    if (disk->faults.sync_fails) {
        disk->pending_count = 0;
        return ERR_IO;
    }
    for (uint32_t i = 0; i < disk->pending_count; i++) {
        if (disk->faults.lost_write_ppm != 0 &&
            random_below(disk->random, 1000000) < disk->faults.lost_write_ppm) {
            disk->lost_writes += 1;
            continue;
        }
        pending_apply(disk, &disk->pending[i]);
    }
    disk->pending_count = 0;
    if (disk->die_after_sync) {
        disk_die(disk);
    }
    return ERR_OK;
}

static enum err disk_sync(void *self, uint64_t number)
{
    struct disk_sim *disk = self;

    if (disk->dead) {
        return ERR_OK;
    }
    disk_sim_sync_begin(disk, &number, 1);
    return disk_sim_sync_end(disk);
}

void disk_sim_init(struct disk_sim *disk, struct random *random)
{
    memset(disk, 0, sizeof *disk);
    disk->port = (struct disk){.self = disk,
                               .list = disk_list,
                               .create = disk_create,
                               .size = disk_size,
                               .read = disk_read,
                               .write = disk_write,
                               .remove = disk_remove,
                               .sync = disk_sync};
    disk->faults = (struct disk_faults){.drop_percent = 60, .subset_percent = 30};
    disk->random = random;
}

static void disk_clear(struct disk_sim *disk)
{
    for (uint32_t i = 0; i < disk->count; i++) {
        image_give(disk->segments[i].current, disk->segments[i].size, disk->segments[i].touched);
        image_give(disk->segments[i].durable, disk->segments[i].size, disk->segments[i].touched);
    }
    disk->count = 0;
}

void disk_sim_close(struct disk_sim *disk)
{
    disk_clear(disk);
    free(disk->pending);
    disk->pending = NULL;
}

void disk_sim_crash_at(struct disk_sim *disk, uint32_t k, enum disk_moment moment)
{
    disk->crash_in = k;
    disk->crash_moment = moment;
}

/* A sync that power cut short: any sector of it may have arrived. */
static void pending_settle(struct disk_sim *disk, uint32_t percent)
{
    for (uint32_t i = 0; i < disk->pending_count; i++) {
        if (random_below(disk->random, 100) < percent) {
            pending_apply(disk, &disk->pending[i]);
        }
    }
    disk->pending_count = 0;
}

static void sector_keep(struct disk_segment *segment, size_t offset)
{
    memcpy(segment->durable + offset, segment->current + offset, sector_bytes(segment, offset));
}

/* All but the last write arrived, and of that one a part: a sector half new, half old or garbage (A4). */
static void disk_tear(struct disk_sim *disk)
{
    struct disk_segment *last = segment_of(disk, disk->last_number);
    size_t cut;

    if (last == NULL || disk->last_count == 0) {
        return;
    }
    for (uint32_t i = 0; i < disk->count; i++) {
        struct disk_segment *segment = &disk->segments[i];

        for (size_t offset = 0; offset < segment->touched; offset += DISK_SECTOR_BYTES) {
            if (segment != last || last->dirty_end == 0 ||
                offset + DISK_SECTOR_BYTES <= disk->last_offset) {
                sector_keep(segment, offset);
            }
        }
    }
    if (disk->last_offset < last->dirty_begin ||
        disk->last_offset + disk->last_count > last->dirty_end) {
        return; /* it had been synced */
    }
    cut = disk->last_offset + random_below(disk->random, disk->last_count);
    for (size_t at = disk->last_offset / DISK_SECTOR_BYTES * DISK_SECTOR_BYTES; at < cut; at++) {
        last->durable[at] = last->current[at];
    }
    if (random_below(disk->random, 4) == 0) {
        const size_t end = disk->last_offset + disk->last_count;

        for (size_t at = cut; at < end; at++) {
            last->durable[at] = (uint8_t)random_next(disk->random);
        }
    }
}

void disk_sim_power_cut(struct disk_sim *disk)
{
    const uint64_t draw = random_below(disk->random, 100);

    if (draw >= disk->faults.drop_percent + disk->faults.subset_percent) {
        pending_settle(disk, 100);
        disk_tear(disk);
    } else if (draw >= disk->faults.drop_percent) {
        pending_settle(disk, 50);
        for (uint32_t i = 0; i < disk->count; i++) {
            struct disk_segment *segment = &disk->segments[i];

            for (size_t offset = segment->dirty_begin / DISK_SECTOR_BYTES * DISK_SECTOR_BYTES;
                 offset < segment->dirty_end; offset += DISK_SECTOR_BYTES) {
                if (random_below(disk->random, 2) == 0) {
                    sector_keep(segment, offset);
                }
            }
        }
    }
    disk->pending_count = 0;
    for (uint32_t i = 0; i < disk->count; i++) {
        struct disk_segment *segment = &disk->segments[i];

        memcpy(segment->current, segment->durable, segment->touched);
        segment->dirty_begin = 0;
        segment->dirty_end = 0;
    }
    disk->dead = false;
    disk->crash_in = 0;
    disk->last_count = 0;
}

void disk_sim_kill(struct disk_sim *disk)
{
    const bool arrived = random_below(disk->random, 2) == 0;

    /* What the kernel has been told to write and did not report goes on being dirty. */
    for (uint32_t i = 0; i < disk->pending_count && !arrived; i++) {
        struct disk_segment *segment = segment_of(disk, disk->pending[i].number);
        const size_t offset = disk->pending[i].offset;

        if (segment != NULL && segment->dirty_end == 0) {
            segment->dirty_begin = offset;
            segment->dirty_end = offset + sector_bytes(segment, offset);
        } else if (segment != NULL) {
            segment->dirty_begin = offset < segment->dirty_begin ? offset : segment->dirty_begin;
            segment->dirty_end = offset + sector_bytes(segment, offset) > segment->dirty_end
                                     ? offset + sector_bytes(segment, offset)
                                     : segment->dirty_end;
        }
    }
    pending_settle(disk, arrived ? 100 : 0);
    disk->dead = false;
    disk->crash_in = 0;
}

void disk_sim_flip(struct disk_sim *disk, uint32_t segment, size_t offset, uint32_t bit)
{
    const uint8_t mask = (uint8_t)(1U << (bit & 7U));

    INVARIANT(segment < disk->count && offset < disk->segments[segment].size);
    disk->segments[segment].current[offset] ^= mask;
    disk->segments[segment].durable[offset] ^= mask;
    if (disk->segments[segment].touched <= offset) {
        disk->segments[segment].touched = offset + 1;
    }
}

void disk_sim_zero(struct disk_sim *disk, uint32_t segment, size_t sector)
{
    struct disk_segment *of = &disk->segments[segment];
    const size_t offset = sector * DISK_SECTOR_BYTES;

    INVARIANT(segment < disk->count && offset < of->size);
    memset(of->current + offset, 0, sector_bytes(of, offset));
    memset(of->durable + offset, 0, sector_bytes(of, offset));
}

void disk_sim_copy_sector(struct disk_sim *disk, uint32_t segment, size_t from, size_t to)
{
    struct disk_segment *of = &disk->segments[segment];
    const size_t end = (to + 1) * DISK_SECTOR_BYTES;

    INVARIANT(segment < disk->count && end <= of->size &&
              (from + 1) * DISK_SECTOR_BYTES <= of->size);
    memmove(of->current + to * DISK_SECTOR_BYTES, of->current + from * DISK_SECTOR_BYTES,
            DISK_SECTOR_BYTES);
    memmove(of->durable + to * DISK_SECTOR_BYTES, of->durable + from * DISK_SECTOR_BYTES,
            DISK_SECTOR_BYTES);
    if (of->touched < end) {
        of->touched = end;
    }
}

void disk_sim_copy(struct disk_sim *to, const struct disk_sim *from)
{
    disk_clear(to);
    to->pending_count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        const struct disk_segment *old = &from->segments[i];
        struct disk_segment *new = &to->segments[i];

        *new = *old;
        new->current = image_take(old->size);
        new->durable = image_take(old->size);
        new->dirty_begin = 0;
        new->dirty_end = 0;
        memcpy(new->current, old->durable, old->touched);
        memcpy(new->durable, old->durable, old->touched);
    }
    to->count = from->count;
}

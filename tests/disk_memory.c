#include "tests/disk_memory.h"

#include <stdlib.h>
#include <string.h>

static struct disk_memory_file *file_find(struct disk_memory *disk, uint64_t number)
{
    for (uint32_t i = 0; i < disk->count; i++) {
        if (disk->files[i].number == number) {
            return &disk->files[i];
        }
    }
    return NULL;
}

static enum err memory_list(void *self, uint64_t *numbers, uint32_t max, uint32_t *count)
{
    struct disk_memory *disk = self;

    *count = 0;
    for (uint32_t i = 0; i < disk->count; i++) { /* kept ascending */
        if (*count == max) {
            return ERR_NO_SPACE;
        }
        numbers[(*count)++] = disk->files[i].number;
    }
    return ERR_OK;
}

void disk_memory_insert(struct disk_memory *disk, uint64_t number, size_t size)
{
    uint32_t at = disk->count;

    INVARIANT(disk->count < DISK_MEMORY_FILES_MAX);
    while (at > 0 && disk->files[at - 1].number > number) {
        disk->files[at] = disk->files[at - 1];
        at -= 1;
    }
    disk->files[at] =
        (struct disk_memory_file){number, size, calloc(1, size + 1), calloc(1, size + 1)};
    disk->count += 1;
}

static enum err memory_create(void *self, uint64_t number, size_t size)
{
    struct disk_memory *disk = self;

    if (file_find(disk, number) != NULL) {
        return ERR_EXISTS;
    }
    if (disk->full_at == number) {
        return ERR_NO_SPACE;
    }
    disk_memory_insert(disk, number, size);
    return ERR_OK;
}

static enum err memory_size(void *self, uint64_t number, size_t *out)
{
    *out = file_find(self, number)->size;
    return ERR_OK;
}

static enum err memory_read(void *self, uint64_t number, size_t offset, uint8_t *out, size_t count)
{
    const struct disk_memory_file *file = file_find(self, number);

    if (offset + count > file->size) {
        return ERR_CORRUPT;
    }
    memcpy(out, file->live + offset, count);
    return ERR_OK;
}

static enum err memory_write(void *self, uint64_t number, size_t offset, struct bytes bytes)
{
    struct disk_memory *disk = self;
    const struct disk_memory_file *file = file_find(disk, number);

    if (disk->fails) {
        return ERR_IO;
    }
    INVARIANT(offset + bytes.count <= file->size);
    memcpy(file->live + offset, bytes.at, bytes.count);
    return ERR_OK;
}

static enum err memory_remove(void *self, uint64_t number)
{
    struct disk_memory *disk = self;
    struct disk_memory_file *file = file_find(disk, number);
    const size_t index = (size_t)(file - disk->files);

    free(file->live);
    free(file->durable);
    memmove(file, file + 1, (disk->count - index - 1) * sizeof *file);
    disk->count -= 1;
    return ERR_OK;
}

static enum err memory_sync(void *self, uint64_t number)
{
    struct disk_memory *disk = self;
    const struct disk_memory_file *file = file_find(disk, number);

    if (disk->fails) {
        return ERR_IO;
    }
    memcpy(file->durable, file->live, file->size);
    return ERR_OK;
}

void disk_memory_init(struct disk_memory *disk)
{
    *disk = (struct disk_memory){.disk = {disk, memory_list, memory_create, memory_size,
                                          memory_read, memory_write, memory_remove, memory_sync}};
}

void disk_memory_clear(struct disk_memory *disk)
{
    while (disk->count != 0) {
        (void)memory_remove(disk, disk->files[0].number);
    }
}

void disk_memory_copy(struct disk_memory *to, const struct disk_memory *from)
{
    disk_memory_init(to);
    for (uint32_t i = 0; i < from->count; i++) {
        disk_memory_insert(to, from->files[i].number, from->files[i].size);
        memcpy(to->files[i].live, from->files[i].live, from->files[i].size);
        memcpy(to->files[i].durable, from->files[i].durable, from->files[i].size);
    }
}

/* A power cut: of each sector that was not synced, the old or the new content, or half of each. */
void disk_memory_cut(struct disk_memory *disk, struct random *random)
{
    for (uint32_t i = 0; i < disk->count; i++) {
        const struct disk_memory_file *file = &disk->files[i];

        for (size_t at = 0; at < file->size; at += DISK_MEMORY_SECTOR) {
            const size_t kept = random_below(random, 3) * (DISK_MEMORY_SECTOR / 2);

            memcpy(file->live + at + kept, file->durable + at + kept, DISK_MEMORY_SECTOR - kept);
        }
        memcpy(file->durable, file->live, file->size);
    }
}

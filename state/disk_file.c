#include "state/disk_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_BYTES = 24,
    NAME_DIGITS_MIN = 8,
    NAME_DIGITS_MAX = 20,
    ZEROS_BYTES = 64 << 10,
};

static enum err err_of(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_NO_SPACE;
    case ENOENT:
        return ERR_ABSENT;
    case EEXIST:
    case ENOTDIR:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    default:
        return ERR_IO;
    }
}

static void name_of(uint64_t number, char out[NAME_BYTES])
{
    const int count = snprintf(out, NAME_BYTES, "%08" PRIu64, number);

    INVARIANT(count > 0 && count < NAME_BYTES);
}

/* The number in a name; 0 if it is none of ours. */
static uint64_t number_of(const char *name)
{
    const size_t digits = strspn(name, "0123456789");
    char canonical[NAME_BYTES];
    uint64_t number;

    if (name[digits] != '\0' || digits < NAME_DIGITS_MIN || digits > NAME_DIGITS_MAX) {
        return 0;
    }
    number = strtoull(name, NULL, 10);
    name_of(number, canonical);
    return strcmp(name, canonical) == 0 ? number : 0;
}

/* The open file of a segment, opened if need be; -1 with errno. */
static int file_of(struct disk_file *disk, uint64_t number, int flags)
{
    char name[NAME_BYTES];
    uint32_t place = DISK_FILE_SEGMENTS_MAX;
    int file;

    for (uint32_t i = 0; i < DISK_FILE_SEGMENTS_MAX; i++) {
        if (disk->open[i].number == number) {
            return disk->open[i].file;
        }
        if (disk->open[i].number == 0 && place == DISK_FILE_SEGMENTS_MAX) {
            place = i;
        }
    }
    if (place == DISK_FILE_SEGMENTS_MAX) {
        errno = EMFILE;
        return -1;
    }
    name_of(number, name);
    file = openat(disk->folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (file >= 0) {
        disk->open[place].file = file;
        disk->open[place].number = number;
    }
    return file;
}

static void file_forget(struct disk_file *disk, uint64_t number)
{
    for (uint32_t i = 0; i < DISK_FILE_SEGMENTS_MAX; i++) {
        if (disk->open[i].number == number) {
            (void)close(disk->open[i].file);
            disk->open[i].number = 0;
        }
    }
}

/* Sort ascending: a few hundred numbers at most. */
static void numbers_sort(uint64_t *numbers, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        const uint64_t number = numbers[i];
        uint32_t at = i;

        while (at > 0 && numbers[at - 1] > number) {
            numbers[at] = numbers[at - 1];
            at -= 1;
        }
        numbers[at] = number;
    }
}

static enum err disk_list(void *self, uint64_t *numbers, uint32_t max, uint32_t *count)
{
    struct disk_file *disk = self;
    const int folder = openat(disk->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = folder < 0 ? NULL : fdopendir(folder);
    enum err result = ERR_OK;

    *count = 0;
    if (listing == NULL) {
        result = err_of(errno);
        if (folder >= 0) {
            (void)close(folder);
        }
        return result;
    }
    for (;;) {
        const struct dirent *entry;
        uint64_t number;

        errno = 0;
        entry = readdir(listing); /* the listing is ours alone */
        if (entry == NULL) {
            result = errno == 0 ? ERR_OK : err_of(errno);
            break;
        }
        number = number_of(entry->d_name);
        if (number == 0) {
            continue;
        }
        if (*count == max) {
            result = ERR_NO_SPACE;
            break;
        }
        numbers[*count] = number;
        *count += 1;
    }
    (void)closedir(listing);
    numbers_sort(numbers, *count);
    return result;
}

static enum err write_all(int file, size_t offset, struct bytes bytes)
{
    while (bytes.count != 0) {
        const ssize_t written = pwrite(file, bytes.at, bytes.count, (off_t)offset);

        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return written == 0 ? ERR_NO_SPACE : err_of(errno);
        }
        offset += (size_t)written;
        bytes = bytes_after(bytes, (size_t)written);
    }
    return ERR_OK;
}

/* Fill with zeros and make that durable. */
static enum err fill(int file, size_t size)
{
    static const uint8_t zeros[ZEROS_BYTES];
    const int refused = posix_fallocate(file, 0, (off_t)size);

    if (refused != 0 && refused != EOPNOTSUPP && refused != EINVAL) {
        return err_of(refused);
    }
    for (size_t at = 0; at < size; at += ZEROS_BYTES) {
        const size_t count = size - at < ZEROS_BYTES ? size - at : ZEROS_BYTES;

        TRY(write_all(file, at, bytes_of(zeros, count)));
    }
    return fsync(file) == 0 ? ERR_OK : err_of(errno);
}

static enum err disk_create(void *self, uint64_t number, size_t size)
{
    struct disk_file *disk = self;
    char name[NAME_BYTES];
    enum err result;
    int file;

    name_of(number, name);
    if (faccessat(disk->folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return ERR_EXISTS;
    }
    file = file_of(disk, number, O_CREAT | O_EXCL);
    if (file < 0) {
        return err_of(errno);
    }
    result = fill(file, size);
    if (result == ERR_OK && fsync(disk->folder) != 0) {
        result = err_of(errno);
    }
    if (result != ERR_OK) {
        file_forget(disk, number);
        (void)unlinkat(disk->folder, name, 0);
    }
    return result;
}

static enum err disk_size(void *self, uint64_t number, size_t *out)
{
    const int file = file_of(self, number, 0);
    struct stat status;

    if (file < 0 || fstat(file, &status) != 0) {
        return err_of(errno);
    }
    *out = (size_t)status.st_size;
    return ERR_OK;
}

static enum err disk_read(void *self, uint64_t number, size_t offset, uint8_t *out, size_t count)
{
    const int file = file_of(self, number, 0);

    if (file < 0) {
        return err_of(errno);
    }
    while (count != 0) {
        const ssize_t got = pread(file, out, count, (off_t)offset);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0 ? ERR_CORRUPT : err_of(errno);
        }
        out += got;
        offset += (size_t)got;
        count -= (size_t)got;
    }
    return ERR_OK;
}

static enum err disk_write(void *self, uint64_t number, size_t offset, struct bytes bytes)
{
    const int file = file_of(self, number, 0);

    return file < 0 ? err_of(errno) : write_all(file, offset, bytes);
}

static enum err disk_remove(void *self, uint64_t number)
{
    struct disk_file *disk = self;
    char name[NAME_BYTES];

    name_of(number, name);
    file_forget(disk, number);
    if (unlinkat(disk->folder, name, 0) != 0 || fsync(disk->folder) != 0) {
        return err_of(errno);
    }
    return ERR_OK;
}

/* On the disk thread: it reads a place of the table that was filled before the sync was asked for. */
static enum err disk_sync(void *self, uint64_t number)
{
    const struct disk_file *disk = self;

    for (uint32_t i = 0; i < DISK_FILE_SEGMENTS_MAX; i++) {
        if (disk->open[i].number == number) {
            return fdatasync(disk->open[i].file) == 0 ? ERR_OK : ERR_IO;
        }
    }
    return ERR_IO; /* never written to in this process: the vote log does not ask for that */
}

enum err disk_file_open(struct disk_file *disk, const char *path)
{
    *disk = (struct disk_file){.folder = -1};
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return err_of(errno);
    }
    disk->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->folder < 0) {
        return err_of(errno);
    }
    disk->disk = (struct disk){
        .self = disk,
        .list = disk_list,
        .create = disk_create,
        .size = disk_size,
        .read = disk_read,
        .write = disk_write,
        .remove = disk_remove,
        .sync = disk_sync,
    };
    return ERR_OK;
}

void disk_file_close(struct disk_file *disk)
{
    if (disk->disk.self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < DISK_FILE_SEGMENTS_MAX; i++) {
        if (disk->open[i].number != 0) {
            (void)close(disk->open[i].file);
        }
    }
    (void)close(disk->folder);
    *disk = (struct disk_file){.folder = -1};
}

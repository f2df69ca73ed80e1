/*
 * state/disk_file.h -- the real maker of state/disk.h: a folder with one file a segment, named by its number.
 *
 * Files are filled with zeros when they are made, so that a later fdatasync writes data and no metadata; making
 * and removing one syncs the folder too.  A file stays open from its first use until it is removed.  Names that
 * are not eight to twenty digits are not looked at.
 */
#ifndef STATE_DISK_FILE_H
#define STATE_DISK_FILE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "state/disk.h"

enum { DISK_FILE_SEGMENTS_MAX = 320 };

struct disk_file {
    struct disk disk; /* what the vote log gets; its self is this struct, which must not move */
    int folder;
    struct {
        _Atomic uint64_t number; /* 0: free; read by the disk thread too */
        int file;
    } open[DISK_FILE_SEGMENTS_MAX];
};

/*
 * Open the folder, which is made if it is not there (its parent must be).
 *
 * Errors: ERR_ABSENT no parent; ERR_DENIED permission; ERR_EXISTS it is no folder; ERR_NO_SPACE; ERR_IO.
 */
CHECKED enum err disk_file_open(struct disk_file *disk, const char *path);

/* Accepts a struct that was zeroed and never opened, or whose opening failed. */
void disk_file_close(struct disk_file *disk);

#endif /* STATE_DISK_FILE_H */

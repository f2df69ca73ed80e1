/*
 * state/leveldb.h -- the real maker of state/kv.h, on LevelDB.
 *
 * Source: reliability 2.A (A1 to A3, A8 to A11); docs/protocol/consensus.md 8.17 for the settings.  Paranoid
 * checks are on, every read verifies checksums, cursors too, nothing is compressed, and nothing is ever
 * repaired by itself.  A store is locked against a second process while it is open.
 */
#ifndef STATE_LEVELDB_H
#define STATE_LEVELDB_H

#include <stdbool.h>

#include "base/err.h"
#include "state/kv.h"

enum leveldb_preset {
    LEVELDB_SMALL,    /* write buffer 4 MiB, cache 16 MiB: home validators, tests */
    LEVELDB_STANDARD, /* write buffer 64 MiB, files of 16 MiB, cache 256 MiB */
};

/* A block cache that several stores may share. */
struct leveldb_shared;

/* NULL: no memory. */
struct leveldb_shared *leveldb_shared_open(enum leveldb_preset preset);
/* After the stores that use it are closed.  Accepts NULL. */
void leveldb_shared_close(struct leveldb_shared *shared);

struct leveldb_store_options {
    enum leveldb_preset preset;
    bool must_exist;               /* do not make a new store */
    struct leveldb_shared *shared; /* kept; NULL: a cache of its own */
};

/*
 * Open the store in the folder `path`.  The caller closes it with kv_close, cursors and snapshots before it.
 * Reads and writes of one store may come from several threads.
 *
 * Errors: ERR_BUSY locked by another process; ERR_ABSENT not there, and must_exist; ERR_CORRUPT damaged;
 * ERR_NO_SPACE no memory, or the disk is full; ERR_IO.
 */
CHECKED enum err leveldb_store_open(const char *path, const struct leveldb_store_options *options,
                                    struct kv **out);

#endif /* STATE_LEVELDB_H */

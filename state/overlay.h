/*
 * state/overlay.h -- the state as blocks see it: state.db below, and the changes of unfinalized blocks above.
 *
 * Source: docs/protocol/consensus.md 8.8, 8.17.  A block's changes stand in an overlay on its parent's; the
 * lowest lies on state.db.  Finalizing an overlay writes it to state.db and frees the branches that it
 * excludes.  Two spaces of keys: rows are in the Merkle tree, index entries are not (they are derived from rows).
 *
 * A full key is what docs/protocol/bytes.md 4 says: module u16, table u8, key fields.  Nothing here knows a
 * module; nothing here is hashed by address or in an order that depends on memory.
 */
#ifndef STATE_OVERLAY_H
#define STATE_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "state/kv.h"

struct state;
struct overlay;

enum state_space {
    STATE_ROWS,  /* in the tree */
    STATE_INDEX, /* beside it */
};

enum {
    STATE_KEY_BYTES_MAX = 256,
    STATE_ROW_BYTES_MAX = 64 << 10,
    STATE_OVERLAYS_MAX = 64, /* blocks above the final one */
};

struct state_options {
    size_t overlay_bytes; /* memory of one overlay at most, touched as needed */
    size_t pool_bytes;    /* memory of all overlays together; 0: of eight */
    uint64_t
        retain_versions;    /* heights below the newest whose tree nodes state_prune keeps; 1,000 */
    size_t row_cache_bytes; /* of rows and index entries of the store; 0: none */
    size_t node_cache_bytes; /* of the tree's upper nodes; 0: none */
    uint64_t secret[2]; /* of the hash tables: unknown to strangers, without effect on any result */
};

size_t state_footprint(const struct state_options *options);

/*
 * Open state.db over a store, which is kept and closed by the caller.  A new store holds nothing, height 0 is
 * written by the loader of the genesis.
 *
 * Errors: ERR_CORRUPT rows of heights and `M|applied_height` disagree; ERR_IO; ERR_NO_SPACE the arena is too
 * small.
 */
CHECKED enum err state_open(const struct state_options *options, struct kv *kv, struct arena *arena,
                            struct state **out);

/* Of the newest applied height; false in a new store. */
CHECKED bool state_applied(const struct state *state, uint64_t *height, uint8_t root[HASH_BYTES]);

/*
 * Begin the overlay of a block of `height` on `parent`, or on the applied state for NULL.  NULL result: all
 * STATE_OVERLAYS_MAX are in use, those applied and not yet written among them.  Overlays are found again by the
 * caller's own bookkeeping.  While an overlay has others on it, it takes no change.
 */
struct overlay *overlay_begin(struct state *state, struct overlay *parent, uint64_t height);

/* Forget an overlay; overlays above it must be gone.  Accepts NULL. */
void overlay_drop(struct overlay *overlay);

/*
 * The value of a key as this overlay sees it.  What comes from the store is copied into `arena`; what an overlay
 * holds is a view that later puts and deletes leave alone: it lives until the next overlay_settle or
 * overlay_undo of that overlay, or state_written.
 *
 * Errors: ERR_ABSENT; ERR_IO, ERR_CORRUPT a fault of the machine; ERR_NO_SPACE the arena or the overlay is full.
 */
CHECKED enum err overlay_get(struct overlay *overlay, enum state_space space, struct bytes key,
                             struct arena *arena, struct bytes *value);

/* Copied.  Errors: ERR_NO_SPACE the overlay is full, and nothing changed. */
CHECKED enum err overlay_put(struct overlay *overlay, enum state_space space, struct bytes key,
                             struct bytes value);
CHECKED enum err overlay_delete(struct overlay *overlay, enum state_space space, struct bytes key);

/*
 * Undo: everything put or deleted after the mark is as before.  Marks nest; a transaction is one, and its
 * writes cost nothing more when it is kept.
 */
struct overlay_mark {
    uint64_t place;
};

struct overlay_mark overlay_mark(const struct overlay *overlay);
void overlay_undo(struct overlay *overlay, struct overlay_mark mark);

/*
 * Nothing before now will be undone: marks are dead, and so are values that were replaced since the last call.
 * Called after each transaction, it keeps the memory of an overlay at what its rows need.
 */
void overlay_settle(struct overlay *overlay);

/* Memory that the overlay holds, in whole chunks; for metrics and limits of this machine. */
size_t overlay_bytes(const struct overlay *overlay);

/*
 * Walk keys that begin with `prefix`, in order (or against it), as the overlay sees them now; changing the
 * overlay, or state_written, ends the walk.  `from` (may be empty) is the key to start at, inside the prefix:
 * the walk begins with it, or with the next one in its direction.
 */
struct overlay_scan {
    struct overlay *overlay;
    enum state_space space;
    struct bytes key; /* of the entry walked to; until the next call */
    struct bytes value;
    enum err error; /* why overlay_scan_next said false: ERR_OK is the end */
    void *place;    /* the engine's own */
};

/* The walk's memory is taken from `arena`.  Errors: ERR_NO_SPACE no memory for it. */
CHECKED enum err overlay_scan_begin(struct overlay *overlay, enum state_space space,
                                    struct bytes prefix, struct bytes from, bool reverse,
                                    struct arena *arena, struct overlay_scan *out);

/* Walk to the next key; false at the end, or with scan->error.  Errors: ERR_IO, ERR_CORRUPT of the store. */
CHECKED bool overlay_scan_next(struct overlay_scan *scan);

/* Due after a scan that began; also one that was not walked to its end. */
void overlay_scan_end(struct overlay_scan *scan);

/*
 * Compute the tree's root with this overlay's rows, once the block is done; no change afterwards.  Touched tree
 * nodes stay in the overlay.  Errors: ERR_IO, ERR_CORRUPT, ERR_NO_SPACE.
 */
CHECKED enum err overlay_root(struct overlay *overlay, uint8_t root[HASH_BYTES]);

/*
 * Make this overlay, whose parent is the applied state and whose root is computed, the applied state: adds rows,
 * index entries, tree nodes, stale-node entries, `R|version`, `M|applied_height` with height and root, to `batch`
 * (one batch a height, or several heights in one, not synced).  Reads see it at once; the caller writes the
 * batch and calls state_written when that is done.  Overlays that do not descend from it must have been
 * dropped; its children now lie on the applied state.  The handle is dead.
 *
 * Errors: none but ERR_NO_SPACE, the batch is full.
 */
CHECKED enum err state_apply(struct overlay *overlay, struct kv_batch *batch);

/* What was applied up to `height` is in the store: its memory is free. */
void state_written(struct state *state, uint64_t height);

struct proof;

/*
 * Proof of a row or its absence at an applied height that is still kept.  The siblings are written to `memory` of
 * PROOF_SIBLINGS_MAX * HASH_BYTES.  Errors: ERR_ABSENT the height is not kept; ERR_IO; ERR_CORRUPT.
 */
CHECKED enum err state_prove(struct state *state, uint64_t height, struct bytes key,
                             uint8_t *memory, struct proof *out);

/* The same out of state.db, or a snapshot of it, alone: for threads that do not own the state. */
CHECKED enum err state_prove_stored(struct kv *kv, uint64_t height, struct bytes key,
                                    uint8_t *memory, struct proof *out);

/*
 * Remove what no height from `below_height` on needs, at most `limit` entries a call, into `batch`; `*done` says
 * how many, fewer than `limit` if nothing is left.  Heights that state_options.retain_versions keeps stay,
 * whatever `below_height` says.  Runs on the disk thread between commits and touches nothing that others do; the
 * batch is written, not synced, before the next call.
 *
 * Errors: ERR_NO_SPACE no memory for a cursor; ERR_CORRUPT; ERR_IO.
 */
CHECKED enum err state_prune(struct state *state, uint64_t below_height, uint32_t limit,
                             struct kv_batch *batch, uint32_t *done);

#endif /* STATE_OVERLAY_H */

/*
 * state/changes.h -- what one block changes: a map in memory that is looked up by hash and walked in order.
 *
 * A key of this map is a key of state.db, its first byte the space ('K' rows, 'I' index entries; 'N' and 'S' what
 * the tree adds when the block is done).  Each put or delete is noted in a log, so that all that came after a mark
 * can be undone; changes_settle forgets the log and gives back the memory of values that were replaced.
 *
 * Lookups: linear hashing (Litwin 1980), which grows bucket by bucket, with SipHash-1-3 under a key of the
 * host's choice, since keys are chosen by strangers.  Order: a binary trie on the first bit in which keys differ
 * (PATRICIA, Morrison 1968), with links to parents, so that walking needs no stack.  No order and no result
 * depends on an address or on the hash.
 */
#ifndef STATE_CHANGES_H
#define STATE_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "state/pool.h"

enum {
    CHANGES_KEY_BYTES_MAX = 1 + 256,
    CHANGES_SEGMENT_BUCKETS = 1024,
    CHANGES_SEGMENTS_MAX = 1024, /* beyond a million buckets chains grow longer */
};

enum change_kind {
    CHANGE_NONE, /* not changed here */
    CHANGE_PUT,
    CHANGE_DELETED,
};

struct change_value {
    uint8_t *memory;
    uint32_t count;
    enum change_kind kind;
};

struct branch;

/* Both ends of a link in the trie; bit tells which it is. */
struct trie_node {
    struct branch *parent;
    uint32_t bit; /* of a branch: where its two sides differ; TRIE_LEAF */
};

struct branch {
    struct trie_node node;
    struct trie_node *child[2];
};

struct change {
    struct trie_node leaf;
    uint32_t hash;
    uint32_t key_count;
    struct change *hash_next;
    struct change_value value;
    struct branch
        branch; /* the one that came into the trie with this key; unused by the first key */
    uint8_t key[];
};

struct log_block;

struct changes {
    struct heap *heap;
    struct change **segments[CHANGES_SEGMENTS_MAX];
    uint32_t bucket_count;
    uint32_t bucket_mask;
    uint32_t count; /* entries of the hash table */
    struct trie_node *top;
    struct log_block *log; /* the newest block */
    uint64_t log_count;    /* records above log_base */
    uint64_t log_base;     /* records settled */
};

/* Empty, in memory of `heap`, which is kept. */
void changes_init(struct changes *changes, struct heap *heap);

/* The hash of a key under a secret of 16 bytes; the same for all maps of a state. */
uint32_t changes_hash(const uint64_t secret[2], struct bytes key);

/* The change of a key, or NULL. */
struct change *changes_find(const struct changes *changes, uint32_t hash, struct bytes key);

/*
 * CHANGE_PUT a value, at most POOL_PIECE_MAX bytes, or CHANGE_DELETED, a tombstone with none.  Copied; the value
 * that was there stays in memory until changes_settle.  Errors: ERR_NO_SPACE, and nothing changed.
 */
CHECKED enum err changes_set(struct changes *changes, uint32_t hash, struct bytes key,
                             enum change_kind kind, struct bytes value);

/* Put a value of a key that is new, beside the log: of the tree, when rows stand.  Copied.  Errors: ERR_NO_SPACE. */
CHECKED enum err changes_note(struct changes *changes, uint32_t hash, struct bytes key,
                              struct bytes value);

/* The place in the log now. */
uint64_t changes_mark(const struct changes *changes);

/* Everything set after `mark`, which must not be settled, is as before. */
void changes_undo(struct changes *changes, uint64_t mark);

/* Nothing before now will be undone: marks are dead. */
void changes_settle(struct changes *changes);

/* In order of keys: the first not below `key`, the last below it, and neighbours.  NULL: none. */
struct change *changes_from(const struct changes *changes, struct bytes key);
struct change *changes_below(const struct changes *changes, struct bytes key);
struct change *changes_first(const struct changes *changes);
struct change *changes_next(const struct change *change);
struct change *changes_prev(const struct change *change);

static inline struct bytes change_key(const struct change *change)
{
    return bytes_of(change->key, change->key_count);
}

/* As memcmp, and a key before the longer ones that begin with it. */
int key_compare(struct bytes a, struct bytes b);

static inline struct bytes change_bytes(const struct change *change)
{
    return bytes_of(change->value.memory, change->value.count);
}

static inline bool key_begins(struct bytes key, struct bytes prefix)
{
    return key.count >= prefix.count && bytes_equal(bytes_of(key.at, prefix.count), prefix);
}

#endif /* STATE_CHANGES_H */

/*
 * node/mempool.c -- entries in a fixed array, found by two hash tables, ordered by one list a class and one an account.
 *
 * Bytes of a transaction lie in a slab of its size class (256 bytes to 64 KiB, powers of two), taken from a
 * region of fixed size; a slab once cut stays of its size.
 */
#include "node/mempool.h"

#include <string.h>

#define NONE UINT32_MAX /* an index of nobody */

enum {
    SLAB_BYTES_MIN = 256,
    SLAB_SIZES = 9, /* 256 to 65,536 */
    SEEN_LATER_MS = 10000,
    RESERVED_TENTHS = 1,
};

struct entry {
    struct mempool_tx tx;
    uint64_t stamp;
    uint64_t sequence;
    uint32_t slab;       /* size class of the bytes */
    uint32_t hash_next;  /* chain of the table by wire hash */
    uint32_t nonce_next; /* chain of the table by account, lane, nonce */
    uint32_t class_prev, class_next;
    uint32_t account; /* place in accounts */
    bool used;
};

struct account {
    uint8_t id[ACCOUNT_BYTES];
    uint32_t count;
    uint32_t bytes;
    uint32_t next; /* chain of the table by id, or of free places */
};

struct seen {
    uint8_t id[16];
    uint64_t at_ms;
    uint32_t next;
    uint8_t what;
};

struct list {
    uint32_t first;
    uint32_t last;
    uint32_t count;
    uint64_t bytes;
};

struct mempool {
    struct mempool_options options;
    uint32_t entry_count; /* size of entries */
    struct entry *entries;
    uint32_t free_entry; /* chained by class_next */
    uint32_t used;
    uint64_t used_bytes;
    uint64_t sequence;
    struct list classes[MEMPOOL_CLASSES];

    uint32_t bucket_mask;
    uint32_t *by_hash;
    uint32_t *by_nonce;
    uint32_t *by_account;
    struct account *accounts;
    uint32_t account_count; /* places ever used */
    uint32_t free_account;

    uint8_t *region;
    uint32_t region_used;
    uint8_t *free_slabs[SLAB_SIZES]; /* each begins with the address of the next */

    uint32_t expire_at; /* where mempool_expire goes on */

    struct seen *seen;
    uint32_t seen_used;
    uint32_t seen_next; /* place that is overwritten next */
    uint32_t seen_mask;
    uint32_t *by_seen;
};

struct mempool_options mempool_options_standard(void)
{
    return (struct mempool_options){.class_count = 20000,
                                    .bytes = 32U << 20,
                                    .account_count = 64,
                                    .account_bytes = 256U << 10,
                                    .seen_count = 256U << 10};
}

static uint32_t power_above(uint32_t count)
{
    uint32_t power = 16;

    while (power < count) {
        power *= 2;
    }
    return power;
}

static uint32_t entries_of(const struct mempool_options *options)
{
    return options->class_count * MEMPOOL_CLASSES;
}

size_t mempool_footprint(const struct mempool_options *options)
{
    const size_t entries = entries_of(options);
    const size_t buckets = power_above(entries_of(options));

    return arena_rounded(sizeof(struct mempool)) + arena_rounded(entries * sizeof(struct entry)) +
           arena_rounded(entries * sizeof(struct account)) +
           3 * arena_rounded(buckets * sizeof(uint32_t)) + arena_rounded(options->bytes) +
           arena_rounded(options->seen_count * sizeof(struct seen)) +
           arena_rounded(power_above(options->seen_count) * sizeof(uint32_t));
}

static uint32_t *buckets_take(struct arena *arena, uint32_t count)
{
    uint32_t *buckets = arena_must(arena, count * sizeof *buckets);

    memset(buckets, 0xff, count * sizeof *buckets);
    return buckets;
}

/* Chains of free places are made as places are first used: nothing is touched that is never needed. */
enum err mempool_init(const struct mempool_options *options, struct arena *arena,
                      struct mempool **out)
{
    struct mempool *pool;
    uint32_t buckets;

    if (arena->size - arena->used < mempool_footprint(options)) {
        return ERR_NO_SPACE;
    }
    pool = arena_must(arena, sizeof *pool);
    *pool = (struct mempool){.options = *options};
    pool->entries = arena_must(arena, entries_of(options) * sizeof *pool->entries);
    pool->accounts = arena_must(arena, entries_of(options) * sizeof *pool->accounts);
    buckets = power_above(entries_of(options));
    pool->bucket_mask = buckets - 1;
    pool->by_hash = buckets_take(arena, buckets);
    pool->by_nonce = buckets_take(arena, buckets);
    pool->by_account = buckets_take(arena, buckets);
    pool->region = arena_must(arena, options->bytes);
    pool->seen = arena_must(arena, options->seen_count * sizeof *pool->seen);
    pool->seen_mask = power_above(options->seen_count) - 1;
    pool->by_seen = buckets_take(arena, pool->seen_mask + 1);
    pool->free_entry = NONE;
    pool->free_account = NONE;
    for (uint32_t i = 0; i < MEMPOOL_CLASSES; i++) {
        pool->classes[i] = (struct list){.first = NONE, .last = NONE};
    }
    *out = pool;
    return ERR_OK;
}

/* Hashes and ids are uniform already: any eight bytes of them choose the bucket. */
static uint32_t bucket_of(const uint8_t *id)
{
    uint32_t value;

    memcpy(&value, id, sizeof value);
    return value;
}

static uint32_t nonce_bucket(const struct mempool *pool, const uint8_t *account, uint32_t lane,
                             uint64_t nonce)
{
    const uint64_t mixed = (nonce * 8 + lane) * UINT64_C(0x9e3779b97f4a7c15);

    return (bucket_of(account) ^ (uint32_t)(mixed >> 32)) & pool->bucket_mask;
}

static uint32_t find_hash(const struct mempool *pool, const uint8_t *wire_hash)
{
    uint32_t at = pool->by_hash[bucket_of(wire_hash) & pool->bucket_mask];

    while (at != NONE && memcmp(pool->entries[at].tx.wire_hash, wire_hash, HASH_BYTES) != 0) {
        at = pool->entries[at].hash_next;
    }
    return at;
}

static uint32_t find_nonce(const struct mempool *pool, const uint8_t *account, uint32_t lane,
                           uint64_t nonce)
{
    uint32_t at = pool->by_nonce[nonce_bucket(pool, account, lane, nonce)];

    while (at != NONE) {
        const struct mempool_tx *tx = &pool->entries[at].tx;

        if (tx->nonce == nonce && tx->lane == lane &&
            memcmp(tx->account, account, ACCOUNT_BYTES) == 0) {
            break;
        }
        at = pool->entries[at].nonce_next;
    }
    return at;
}

static uint32_t find_account(const struct mempool *pool, const uint8_t *account)
{
    uint32_t at = pool->by_account[bucket_of(account) & pool->bucket_mask];

    while (at != NONE && memcmp(pool->accounts[at].id, account, ACCOUNT_BYTES) != 0) {
        at = pool->accounts[at].next;
    }
    return at;
}

/* -- Slabs. -- */

static uint32_t slab_of(size_t bytes)
{
    uint32_t slab = 0;

    while (slab < SLAB_SIZES && (size_t)SLAB_BYTES_MIN << slab < bytes) {
        slab += 1;
    }
    return slab;
}

static uint32_t slab_bytes(uint32_t slab)
{
    return (uint32_t)SLAB_BYTES_MIN << slab;
}

static bool slab_there(const struct mempool *pool, uint32_t slab)
{
    return pool->free_slabs[slab] != NULL ||
           pool->options.bytes - pool->region_used >= slab_bytes(slab);
}

static uint8_t *slab_take(struct mempool *pool, uint32_t slab)
{
    uint8_t *taken = pool->free_slabs[slab];

    INVARIANT(slab_there(pool, slab));
    if (taken != NULL) {
        memcpy(&pool->free_slabs[slab], taken, sizeof(uint8_t *));
        return taken;
    }
    taken = pool->region + pool->region_used;
    pool->region_used += slab_bytes(slab);
    return taken;
}

static void slab_give(struct mempool *pool, uint32_t slab, uint8_t *at)
{
    memcpy(at, &pool->free_slabs[slab], sizeof(uint8_t *));
    pool->free_slabs[slab] = at;
}

/* -- Rules of room. -- */

/* Bytes that the class may not use, because they are kept for higher classes. */
static uint64_t reserved_from(const struct mempool *pool, enum mempool_class class)
{
    const uint64_t tenth = (uint64_t)(pool->options.bytes / 10) * RESERVED_TENTHS;
    uint64_t reserved = 0;

    for (uint32_t higher = MEMPOOL_SYSTEM; higher <= MEMPOOL_URGENT; higher++) {
        if (higher != (uint32_t) class && pool->classes[higher].bytes < tenth) {
            reserved += tenth - pool->classes[higher].bytes;
        }
    }
    return reserved;
}

static bool memory_there(const struct mempool *pool, const struct mempool_tx *tx)
{
    const uint32_t slab = slab_of(tx->bytes.count);

    return slab_there(pool, slab) &&
           pool->used_bytes + slab_bytes(slab) + reserved_from(pool, tx->class) <=
               pool->options.bytes;
}

/* The newest transaction of the lowest class below `class` that has any; NONE if there is none. */
static uint32_t lowest_newest(const struct mempool *pool, enum mempool_class class)
{
    for (uint32_t lower = MEMPOOL_CLASSES - 1; lower > (uint32_t) class; lower--) {
        if (pool->classes[lower].count != 0) {
            return pool->classes[lower].last;
        }
    }
    return NONE;
}

static enum mempool_answer room_without_memory(const struct mempool *pool,
                                               const struct mempool_tx *tx)
{
    const uint32_t account = find_account(pool, tx->account);
    const uint32_t count = account == NONE ? 0 : pool->accounts[account].count;
    const size_t bytes = account == NONE ? 0 : pool->accounts[account].bytes;

    if (find_hash(pool, tx->wire_hash) != NONE) {
        return MEMPOOL_KNOWN;
    }
    if (find_nonce(pool, tx->account, tx->lane, tx->nonce) != NONE) {
        return MEMPOOL_NONCE_TAKEN;
    }
    if (count >= pool->options.account_count ||
        bytes + tx->bytes.count > pool->options.account_bytes) {
        return MEMPOOL_ACCOUNT_FULL;
    }
    return pool->classes[tx->class].count >= pool->options.class_count ? MEMPOOL_FULL
                                                                       : MEMPOOL_ADDED;
}

enum mempool_answer mempool_room(const struct mempool *pool, const struct mempool_tx *tx)
{
    enum mempool_answer answer;

    INVARIANT(tx->class < MEMPOOL_CLASSES);
    if (tx->bytes.count == 0 || tx->bytes.count > TX_BYTES_MAX) {
        return MEMPOOL_FULL;
    }
    answer = room_without_memory(pool, tx);
    if (answer == MEMPOOL_ADDED && !memory_there(pool, tx) &&
        lowest_newest(pool, tx->class) == NONE) {
        return MEMPOOL_FULL;
    }
    return answer;
}

/* -- Adding and removing. -- */

static uint32_t entry_take(struct mempool *pool)
{
    uint32_t at = pool->free_entry;

    if (at != NONE) {
        pool->free_entry = pool->entries[at].class_next;
        return at;
    }
    INVARIANT(pool->entry_count < entries_of(&pool->options));
    at = pool->entry_count;
    pool->entry_count += 1;
    return at;
}

/* Places of accounts are as many as entries, and an account in use has an entry: one is always free. */
static uint32_t account_take(struct mempool *pool, const uint8_t *id)
{
    uint32_t at = find_account(pool, id);
    uint32_t *bucket = &pool->by_account[bucket_of(id) & pool->bucket_mask];

    if (at != NONE) {
        return at;
    }
    at = pool->free_account;
    if (at != NONE) {
        pool->free_account = pool->accounts[at].next;
    } else {
        INVARIANT(pool->account_count < entries_of(&pool->options));
        at = pool->account_count;
        pool->account_count += 1;
    }
    pool->accounts[at] = (struct account){.next = *bucket};
    memcpy(pool->accounts[at].id, id, ACCOUNT_BYTES);
    *bucket = at;
    return at;
}

static void account_give(struct mempool *pool, uint32_t at)
{
    uint32_t *link = &pool->by_account[bucket_of(pool->accounts[at].id) & pool->bucket_mask];

    while (*link != at) {
        link = &pool->accounts[*link].next;
    }
    *link = pool->accounts[at].next;
    pool->accounts[at].next = pool->free_account;
    pool->free_account = at;
}

static void class_append(struct mempool *pool, uint32_t at)
{
    struct entry *entry = &pool->entries[at];
    struct list *list = &pool->classes[entry->tx.class];

    entry->class_prev = list->last;
    entry->class_next = NONE;
    if (list->last == NONE) {
        list->first = at;
    } else {
        pool->entries[list->last].class_next = at;
    }
    list->last = at;
    list->count += 1;
    list->bytes += slab_bytes(entry->slab);
}

static void class_remove(struct mempool *pool, uint32_t at)
{
    struct entry *entry = &pool->entries[at];
    struct list *list = &pool->classes[entry->tx.class];

    if (entry->class_prev == NONE) {
        list->first = entry->class_next;
    } else {
        pool->entries[entry->class_prev].class_next = entry->class_next;
    }
    if (entry->class_next == NONE) {
        list->last = entry->class_prev;
    } else {
        pool->entries[entry->class_next].class_prev = entry->class_prev;
    }
    list->count -= 1;
    list->bytes -= slab_bytes(entry->slab);
}

static void remove_at(struct mempool *pool, uint32_t at)
{
    struct entry *entry = &pool->entries[at];
    struct account *account = &pool->accounts[entry->account];
    const struct mempool_tx *tx = &entry->tx;
    uint32_t *link = &pool->by_hash[bucket_of(tx->wire_hash) & pool->bucket_mask];

    INVARIANT(entry->used);
    while (*link != at) {
        link = &pool->entries[*link].hash_next;
    }
    *link = entry->hash_next;
    link = &pool->by_nonce[nonce_bucket(pool, tx->account, tx->lane, tx->nonce)];
    while (*link != at) {
        link = &pool->entries[*link].nonce_next;
    }
    *link = entry->nonce_next;
    class_remove(pool, at);
    account->count -= 1;
    account->bytes -= (uint32_t)tx->bytes.count;
    if (account->count == 0) {
        account_give(pool, entry->account);
    }
    pool->used_bytes -= slab_bytes(entry->slab);
    pool->used -= 1;
    slab_give(pool, entry->slab, pool->region + (tx->bytes.at - pool->region));
    entry->used = false;
    entry->class_next = pool->free_entry;
    pool->free_entry = at;
}

enum mempool_answer mempool_add(struct mempool *pool, const struct mempool_tx *tx)
{
    const enum mempool_answer answer = mempool_room(pool, tx);
    uint32_t *bucket;
    struct entry *entry;
    uint8_t *bytes;
    uint32_t at;

    if (answer != MEMPOOL_ADDED) {
        return answer;
    }
    while (!memory_there(pool, tx)) {
        const uint32_t lower = lowest_newest(pool, tx->class);

        if (lower == NONE) {
            return MEMPOOL_FULL; /* slabs of other sizes are free, none of this size */
        }
        remove_at(pool, lower);
    }
    at = entry_take(pool);
    entry = &pool->entries[at];
    *entry = (struct entry){.tx = *tx, .slab = slab_of(tx->bytes.count), .used = true};
    bytes = slab_take(pool, entry->slab);
    memcpy(bytes, tx->bytes.at, tx->bytes.count);
    entry->tx.bytes = bytes_of(bytes, tx->bytes.count);
    entry->sequence = ++pool->sequence;
    entry->account = account_take(pool, tx->account);
    pool->accounts[entry->account].count += 1;
    pool->accounts[entry->account].bytes += (uint32_t)tx->bytes.count;
    bucket = &pool->by_hash[bucket_of(tx->wire_hash) & pool->bucket_mask];
    entry->hash_next = *bucket;
    *bucket = at;
    bucket = &pool->by_nonce[nonce_bucket(pool, tx->account, tx->lane, tx->nonce)];
    entry->nonce_next = *bucket;
    *bucket = at;
    class_append(pool, at);
    pool->used += 1;
    pool->used_bytes += slab_bytes(entry->slab);
    return MEMPOOL_ADDED;
}

const struct mempool_tx *mempool_find(const struct mempool *pool,
                                      const uint8_t wire_hash[HASH_BYTES])
{
    const uint32_t at = find_hash(pool, wire_hash);

    return at == NONE ? NULL : &pool->entries[at].tx;
}

void mempool_remove(struct mempool *pool, const uint8_t wire_hash[HASH_BYTES])
{
    const uint32_t at = find_hash(pool, wire_hash);

    if (at != NONE) {
        remove_at(pool, at);
    }
}

void mempool_remove_nonce(struct mempool *pool, const uint8_t account[ACCOUNT_BYTES], uint32_t lane,
                          uint64_t nonce)
{
    const uint32_t at = find_nonce(pool, account, lane, nonce);

    if (at != NONE) {
        remove_at(pool, at);
    }
}

void mempool_expire(struct mempool *pool, uint64_t time_ms, uint32_t limit)
{
    for (uint32_t i = 0; i < limit && i < pool->entry_count; i++) {
        if (pool->expire_at >= pool->entry_count) {
            pool->expire_at = 0;
        }
        if (pool->entries[pool->expire_at].used &&
            pool->entries[pool->expire_at].tx.expiry_at_ms < time_ms) {
            remove_at(pool, pool->expire_at);
        }
        pool->expire_at += 1;
    }
}

uint32_t mempool_count(const struct mempool *pool)
{
    return pool->used;
}

uint64_t mempool_bytes(const struct mempool *pool)
{
    return pool->used_bytes;
}

/* -- Walking. -- */

void mempool_walk_begin(const struct mempool *pool, uint64_t stamp, struct mempool_walk *walk)
{
    *walk = (struct mempool_walk){.stamp = stamp};
    for (uint32_t i = 0; i < MEMPOOL_CLASSES; i++) {
        walk->next[i] = pool->classes[i].first;
    }
}

/* The place is moved on before the transaction is given, so that the caller may remove it. */
static const struct mempool_tx *walk_class(const struct mempool *pool, struct mempool_walk *walk,
                                           enum mempool_class class)
{
    while (walk->next[class] != NONE) {
        const struct entry *entry = &pool->entries[walk->next[class]];

        walk->next[class] = entry->class_next;
        if (walk->stamp == 0 || entry->stamp != walk->stamp) {
            return &entry->tx;
        }
    }
    return NULL;
}

const struct mempool_tx *mempool_walk_next(const struct mempool *pool, struct mempool_walk *walk)
{
    static const uint8_t turns[] = {MEMPOOL_URGENT, MEMPOOL_URGENT, MEMPOOL_NORMAL, MEMPOOL_URGENT,
                                    MEMPOOL_NORMAL, MEMPOOL_URGENT, MEMPOOL_BULK};
    const struct mempool_tx *tx = walk_class(pool, walk, MEMPOOL_SYSTEM);

    for (uint32_t tries = 0; tx == NULL && tries < sizeof turns; tries++) {
        tx = walk_class(pool, walk, (enum mempool_class)turns[walk->turn]);
        walk->turn = (walk->turn + 1) % (uint32_t)sizeof turns;
    }
    return tx;
}

void mempool_stamp(struct mempool *pool, const uint8_t wire_hash[HASH_BYTES], uint64_t stamp)
{
    const uint32_t at = find_hash(pool, wire_hash);

    if (at != NONE) {
        pool->entries[at].stamp = stamp;
    }
}

uint32_t mempool_oldest(const struct mempool *pool, const struct mempool_tx **out, uint32_t max)
{
    uint32_t next[MEMPOOL_CLASSES];
    uint32_t count = 0;

    for (uint32_t i = 0; i < MEMPOOL_CLASSES; i++) {
        next[i] = pool->classes[i].first;
    }
    while (count < max) {
        uint32_t oldest = MEMPOOL_CLASSES;

        for (uint32_t i = 0; i < MEMPOOL_CLASSES; i++) {
            if (next[i] != NONE &&
                (oldest == MEMPOOL_CLASSES ||
                 pool->entries[next[i]].sequence < pool->entries[next[oldest]].sequence)) {
                oldest = i;
            }
        }
        if (oldest == MEMPOOL_CLASSES) {
            break;
        }
        out[count] = &pool->entries[next[oldest]].tx;
        count += 1;
        next[oldest] = pool->entries[next[oldest]].class_next;
    }
    return count;
}

/* -- Ids seen. -- */

static uint32_t seen_find(const struct mempool *pool, const uint8_t *wire_hash)
{
    uint32_t at = pool->by_seen[bucket_of(wire_hash) & pool->seen_mask];

    while (at != NONE && memcmp(pool->seen[at].id, wire_hash, sizeof pool->seen[at].id) != 0) {
        at = pool->seen[at].next;
    }
    return at;
}

static void seen_unlink(struct mempool *pool, uint32_t at)
{
    uint32_t *link = &pool->by_seen[bucket_of(pool->seen[at].id) & pool->seen_mask];

    while (*link != at) {
        link = &pool->seen[*link].next;
    }
    *link = pool->seen[at].next;
}

void mempool_seen_set(struct mempool *pool, const uint8_t wire_hash[HASH_BYTES],
                      enum mempool_seen what, uint64_t now_ms)
{
    uint32_t at = seen_find(pool, wire_hash);
    uint32_t *bucket = &pool->by_seen[bucket_of(wire_hash) & pool->seen_mask];

    if (at == NONE) {
        at = pool->seen_next;
        pool->seen_next = (pool->seen_next + 1) % pool->options.seen_count;
        if (pool->seen_used < pool->options.seen_count) {
            pool->seen_used += 1;
        } else {
            seen_unlink(pool, at);
        }
        memcpy(pool->seen[at].id, wire_hash, sizeof pool->seen[at].id);
        pool->seen[at].next = *bucket;
        *bucket = at;
    }
    pool->seen[at].what = (uint8_t)what;
    pool->seen[at].at_ms = now_ms;
}

enum mempool_seen mempool_seen_get(const struct mempool *pool, const uint8_t wire_hash[HASH_BYTES],
                                   uint64_t now_ms)
{
    const uint32_t at = seen_find(pool, wire_hash);

    if (at == NONE || (pool->seen[at].what == MEMPOOL_SEEN_LATER &&
                       now_ms - pool->seen[at].at_ms >= SEEN_LATER_MS)) {
        return MEMPOOL_UNSEEN;
    }
    return (enum mempool_seen)pool->seen[at].what;
}

void mempool_check(const struct mempool *pool)
{
    uint32_t used = 0;
    uint64_t bytes = 0;

    for (uint32_t class = 0; class < MEMPOOL_CLASSES; class ++) {
        const struct list *list = &pool->classes[class];
        uint32_t count = 0;
        uint64_t sequence = 0;

        for (uint32_t at = list->first; at != NONE; at = pool->entries[at].class_next) {
            const struct entry *entry = &pool->entries[at];

            INVARIANT(entry->used && entry->tx.class == class && entry->sequence > sequence);
            INVARIANT(find_hash(pool, entry->tx.wire_hash) == at);
            INVARIANT(find_nonce(pool, entry->tx.account, entry->tx.lane, entry->tx.nonce) == at);
            INVARIANT(find_account(pool, entry->tx.account) == entry->account);
            sequence = entry->sequence;
            bytes += slab_bytes(entry->slab);
            count += 1;
        }
        INVARIANT(count == list->count && count <= pool->options.class_count);
        used += count;
    }
    INVARIANT(used == pool->used && bytes == pool->used_bytes && bytes <= pool->options.bytes);
}

#include "state/changes.h"

#include <string.h>

enum {
    TRIE_LEAF = UINT32_MAX >> 1, /* fits an enumerator; above every bit of a key */
    BUCKETS_FIRST = 64,
    LOG_BLOCK_RECORDS = 128,
};

struct log_record {
    struct change *change;
    struct change_value before;
};

struct log_block {
    struct log_block *older;
    uint32_t count;
    struct log_record records[LOG_BLOCK_RECORDS];
};

int key_compare(struct bytes a, struct bytes b)
{
    const size_t common = a.count < b.count ? a.count : b.count;
    const int order = common == 0 ? 0 : memcmp(a.at, b.at, common);

    if (order != 0) {
        return order;
    }
    return a.count < b.count ? -1 : a.count > b.count;
}

/*
 * Bits of a key: byte i has number i << 4 for "there is such a byte" and the next eight for its bits, highest
 * first.  So a key differs from a longer one that begins with it, and is below it.
 */
static uint32_t key_bit(struct bytes key, uint32_t bit)
{
    const uint32_t place = bit & 15U;

    if (bit >> 4 >= key.count) {
        return 0;
    }
    return place == 0 ? 1 : (uint32_t)key.at[bit >> 4] >> (8 - place) & 1U;
}

/* The first bit in which two keys differ; TRIE_LEAF for equal ones. */
static uint32_t key_difference(struct bytes a, struct bytes b)
{
    const size_t common = a.count < b.count ? a.count : b.count;
    size_t i = 0;
    uint32_t bits;
    uint32_t place = 1;

    while (i < common && a.at[i] == b.at[i]) {
        i++;
    }
    if (i == common) {
        return a.count == b.count ? TRIE_LEAF : (uint32_t)i << 4;
    }
    bits = (uint32_t)a.at[i] ^ b.at[i];
    while ((bits & 0x80U) == 0) {
        bits <<= 1;
        place += 1;
    }
    return (uint32_t)i << 4 | place;
}

static struct change *leaf_change(struct trie_node *node)
{
    return (struct change *)(void *)node;
}

static struct branch *node_branch(struct trie_node *node)
{
    return (struct branch *)(void *)node;
}

/* A leaf that shares with `key` all bits at which branches on its way stand. */
static struct change *trie_near(const struct changes *changes, struct bytes key)
{
    struct trie_node *node = changes->top;

    while (node->bit != TRIE_LEAF) {
        node = node_branch(node)->child[key_bit(key, node->bit)];
    }
    return leaf_change(node);
}

/* Upwards from a leaf to the highest node below which all keys agree in the bits before `bit`. */
static struct trie_node *trie_above(struct change *change, uint32_t bit)
{
    struct trie_node *node = &change->leaf;

    while (node->parent != NULL && node->parent->node.bit > bit) {
        node = &node->parent->node;
    }
    return node;
}

static struct change *trie_end(struct trie_node *node, uint32_t side)
{
    while (node->bit != TRIE_LEAF) {
        node = node_branch(node)->child[side];
    }
    return leaf_change(node);
}

/* The neighbour of a whole subtree, on `side`. */
static struct change *trie_beside(const struct trie_node *node, uint32_t side)
{
    const struct branch *parent = node->parent;

    while (parent != NULL && parent->child[side] == node) {
        node = &parent->node;
        parent = node->parent;
    }
    return parent == NULL ? NULL : trie_end(parent->child[side], 1 - side);
}

static void trie_replace(struct changes *changes, struct branch *parent,
                         const struct trie_node *old, struct trie_node *new)
{
    new->parent = parent;
    if (parent == NULL) {
        changes->top = new;
    } else {
        parent->child[parent->child[1] == old] = new;
    }
}

static void trie_add(struct changes *changes, struct change *change)
{
    const struct bytes key = change_key(change);
    struct change *near;
    struct trie_node *beside;
    struct branch *branch = &change->branch;
    uint32_t bit;
    uint32_t side;

    change->leaf = (struct trie_node){.bit = TRIE_LEAF};
    if (changes->top == NULL) {
        changes->top = &change->leaf;
        return;
    }
    near = trie_near(changes, key);
    bit = key_difference(change_key(near), key);
    INVARIANT(bit != TRIE_LEAF);
    beside = trie_above(near, bit);
    side = key_bit(key, bit);
    branch->node.bit = bit;
    trie_replace(changes, beside->parent, beside, &branch->node);
    branch->child[side] = &change->leaf;
    branch->child[1 - side] = beside;
    change->leaf.parent = branch;
    beside->parent = branch;
}

/*
 * Take the newest key out of the trie: that the log is undone from its end makes this the exact reverse of
 * trie_add, since the branch that came with the key is still its leaf's parent.
 */
static void trie_remove(struct changes *changes, struct change *change)
{
    struct branch *branch = change->leaf.parent;

    if (branch == NULL) {
        changes->top = NULL;
        return;
    }
    INVARIANT(branch == &change->branch);
    trie_replace(changes, branch->node.parent, &branch->node,
                 branch->child[branch->child[0] == &change->leaf]);
}

struct change *changes_from(const struct changes *changes, struct bytes key)
{
    struct change *near;
    struct trie_node *node;
    uint32_t bit;

    if (changes->top == NULL) {
        return NULL;
    }
    near = trie_near(changes, key);
    bit = key_difference(change_key(near), key);
    if (bit == TRIE_LEAF) {
        return near;
    }
    node = trie_above(near, bit);
    return key_bit(key, bit) == 0 ? trie_end(node, 0) : trie_beside(node, 1);
}

struct change *changes_below(const struct changes *changes, struct bytes key)
{
    struct change *from;

    if (changes->top == NULL) {
        return NULL;
    }
    from = changes_from(changes, key);
    return from == NULL ? trie_end(changes->top, 1) : trie_beside(&from->leaf, 0);
}

struct change *changes_first(const struct changes *changes)
{
    return changes->top == NULL ? NULL : trie_end(changes->top, 0);
}

struct change *changes_next(const struct change *change)
{
    return trie_beside(&change->leaf, 1);
}

struct change *changes_prev(const struct change *change)
{
    return trie_beside(&change->leaf, 0);
}

/* The hash table. */

static uint64_t rotated(uint64_t value, uint32_t by)
{
    return value << by | value >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotated(v[1], 13) ^ v[0];
    v[3] = rotated(v[3], 16) ^ v[2];
    v[0] = rotated(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotated(v[1], 17) ^ v[2];
    v[3] = rotated(v[3], 21) ^ v[0];
    v[2] = rotated(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein 2012), folded to 32 bits; words are of this machine's byte order. */
uint32_t changes_hash(const uint64_t secret[2], struct bytes key)
{
    uint64_t v[4] = {
        secret[0] ^ UINT64_C(0x736f6d6570736575), secret[1] ^ UINT64_C(0x646f72616e646f6d),
        secret[0] ^ UINT64_C(0x6c7967656e657261), secret[1] ^ UINT64_C(0x7465646279746573)};
    size_t done = 0;
    uint64_t word;

    for (; done + 8 <= key.count; done += 8) {
        memcpy(&word, key.at + done, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    if (done != key.count) {
        memcpy(&word, key.at + done, key.count - done);
    }
    word ^= (uint64_t)key.count << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    word = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (uint32_t)(word ^ word >> 32);
}

/* Buckets are split in turn: those that were, and their new halves, are told apart by one more bit. */
static uint32_t bucket_of(const struct changes *changes, uint32_t hash)
{
    const uint32_t bucket = hash & changes->bucket_mask;

    return bucket < changes->bucket_count ? bucket : bucket & changes->bucket_mask >> 1;
}

static struct change **bucket_at(const struct changes *changes, uint32_t bucket)
{
    return &changes->segments[bucket / CHANGES_SEGMENT_BUCKETS][bucket % CHANGES_SEGMENT_BUCKETS];
}

/* Add a segment of empty buckets; false if there is no room for it, which costs speed alone. */
static bool segment_add(struct changes *changes, uint32_t segment)
{
    struct change **buckets =
        heap_take(changes->heap, CHANGES_SEGMENT_BUCKETS * sizeof(struct change *));

    if (buckets == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < CHANGES_SEGMENT_BUCKETS; i++) {
        buckets[i] = NULL;
    }
    changes->segments[segment] = buckets;
    return true;
}

static void bucket_split(struct changes *changes)
{
    const uint32_t bucket = changes->bucket_count;
    const uint32_t segment = bucket / CHANGES_SEGMENT_BUCKETS;
    uint32_t from;
    struct change **link;

    if (bucket % CHANGES_SEGMENT_BUCKETS == 0 &&
        (segment == CHANGES_SEGMENTS_MAX || !segment_add(changes, segment))) {
        return;
    }
    if (bucket > changes->bucket_mask) {
        changes->bucket_mask = changes->bucket_mask << 1 | 1U;
    }
    changes->bucket_count += 1;
    from = bucket & changes->bucket_mask >> 1;
    link = bucket_at(changes, from);
    while (*link != NULL) {
        struct change *change = *link;

        if ((change->hash & changes->bucket_mask) == bucket) {
            *link = change->hash_next;
            change->hash_next = *bucket_at(changes, bucket);
            *bucket_at(changes, bucket) = change;
        } else {
            link = &change->hash_next;
        }
    }
}

struct change *changes_find(const struct changes *changes, uint32_t hash, struct bytes key)
{
    struct change *change;

    if (changes->count == 0) {
        return NULL;
    }
    change = *bucket_at(changes, bucket_of(changes, hash));
    while (change != NULL && (change->hash != hash || !bytes_equal(change_key(change), key))) {
        change = change->hash_next;
    }
    return change;
}

/* An entry for a key that has none. */
static struct change *table_add(struct changes *changes, uint32_t hash, struct bytes key)
{
    struct change *change;
    struct change **bucket;

    INVARIANT(key.count != 0 && key.count <= CHANGES_KEY_BYTES_MAX);
    if (changes->bucket_count == 0) {
        if (!segment_add(changes, 0)) {
            return NULL;
        }
        changes->bucket_count = CHANGES_SEGMENT_BUCKETS;
        changes->bucket_mask = CHANGES_SEGMENT_BUCKETS - 1;
    }
    change = heap_take(changes->heap, sizeof *change + key.count);
    if (change == NULL) {
        return NULL;
    }
    if (changes->count >= changes->bucket_count) {
        bucket_split(changes);
    }
    *change = (struct change){.hash = hash, .key_count = (uint32_t)key.count};
    memcpy(change->key, key.at, key.count);
    bucket = bucket_at(changes, bucket_of(changes, hash));
    change->hash_next = *bucket;
    *bucket = change;
    changes->count += 1;
    return change;
}

static void table_remove(struct changes *changes, struct change *change)
{
    struct change **link = bucket_at(changes, bucket_of(changes, change->hash));

    while (*link != change) {
        link = &(*link)->hash_next;
    }
    *link = change->hash_next;
    changes->count -= 1;
    heap_give(changes->heap, change, sizeof *change + change->key_count);
}

/* The log. */

static struct log_record *log_add(struct changes *changes)
{
    struct log_block *block = changes->log;

    if (block == NULL || block->count == LOG_BLOCK_RECORDS) {
        block = heap_take(changes->heap, sizeof *block);
        if (block == NULL) {
            return NULL;
        }
        block->older = changes->log;
        block->count = 0;
        changes->log = block;
    }
    block->count += 1;
    changes->log_count += 1;
    return &block->records[block->count - 1];
}

/* Forget the newest record, whose block goes when it is empty. */
static void log_drop(struct changes *changes)
{
    struct log_block *block = changes->log;

    block->count -= 1;
    changes->log_count -= 1;
    if (block->count == 0) {
        changes->log = block->older;
        heap_give(changes->heap, block, sizeof *block);
    }
}

static void value_free(struct changes *changes, struct change_value value)
{
    if (value.kind == CHANGE_PUT) {
        heap_give(changes->heap, value.memory, value.count);
    }
}

uint64_t changes_mark(const struct changes *changes)
{
    return changes->log_base + changes->log_count;
}

void changes_undo(struct changes *changes, uint64_t mark)
{
    INVARIANT(mark >= changes->log_base);
    while (changes_mark(changes) > mark) {
        const struct log_record *record = &changes->log->records[changes->log->count - 1];
        struct change *change = record->change;

        value_free(changes, change->value);
        change->value = record->before;
        if (change->value.kind == CHANGE_NONE) {
            trie_remove(changes, change);
            table_remove(changes, change);
        }
        log_drop(changes);
    }
}

void changes_settle(struct changes *changes)
{
    while (changes->log != NULL) {
        value_free(changes, changes->log->records[changes->log->count - 1].before);
        changes->log_base += 1;
        log_drop(changes);
    }
}

/* The map. */

void changes_init(struct changes *changes, struct heap *heap)
{
    *changes = (struct changes){.heap = heap};
}

enum err changes_set(struct changes *changes, uint32_t hash, struct bytes key,
                     enum change_kind kind, struct bytes value)
{
    struct change *change = changes_find(changes, hash, key);
    struct change_value new = {.count = (uint32_t)value.count, .kind = kind};
    const bool known = change != NULL;
    struct log_record *record;

    INVARIANT(kind == CHANGE_PUT || (kind == CHANGE_DELETED && value.count == 0));
    INVARIANT(value.count <= POOL_PIECE_MAX);
    if (kind == CHANGE_PUT) {
        new.memory = heap_take(changes->heap, value.count);
        if (new.memory == NULL) {
            return ERR_NO_SPACE;
        }
        if (value.count != 0) {
            memcpy(new.memory, value.at, value.count);
        }
    }
    record = log_add(changes);
    if (record == NULL) {
        value_free(changes, new);
        return ERR_NO_SPACE;
    }
    if (!known) {
        change = table_add(changes, hash, key);
        if (change == NULL) {
            log_drop(changes);
            value_free(changes, new);
            return ERR_NO_SPACE;
        }
        trie_add(changes, change);
    }
    *record = (struct log_record){.change = change, .before = change->value};
    change->value = new;
    return ERR_OK;
}

enum err changes_note(struct changes *changes, uint32_t hash, struct bytes key, struct bytes value)
{
    struct change *change;

    INVARIANT_SLOW(changes_find(changes, hash, key) == NULL);
    change = table_add(changes, hash, key);
    if (change == NULL) {
        return ERR_NO_SPACE;
    }
    change->value.memory = heap_take(changes->heap, value.count);
    if (change->value.memory == NULL) {
        table_remove(changes, change);
        return ERR_NO_SPACE;
    }
    if (value.count != 0) {
        memcpy(change->value.memory, value.at, value.count);
    }
    trie_add(changes, change);
    change->value.count = (uint32_t)value.count;
    change->value.kind = CHANGE_PUT;
    return ERR_OK;
}

#include "state/cache.h"

#include <string.h>

struct cache_set {
    uint32_t hashes[CACHE_WAYS];
    bool used[CACHE_WAYS];
    bool recent[CACHE_WAYS]; /* since the hand passed */
    uint32_t hand;
};

/* Before the bytes of a place. */
struct place_head {
    uint32_t key_count;
    uint32_t value_count;
};

static size_t set_bytes(uint32_t place_bytes)
{
    return sizeof(struct cache_set) +
           CACHE_WAYS * arena_rounded(sizeof(struct place_head) + place_bytes);
}

/* The largest power of two of sets that fit; 0 for none. */
static uint32_t sets_of(size_t bytes, uint32_t place_bytes)
{
    const size_t fit = bytes / set_bytes(place_bytes);
    uint32_t count = 1;

    if (fit == 0) {
        return 0;
    }
    while (count <= fit / 2 && count < UINT32_MAX / 2) {
        count *= 2;
    }
    return count;
}

size_t cache_footprint(size_t bytes, uint32_t place_bytes)
{
    const size_t count = sets_of(bytes, place_bytes);

    return arena_rounded(count * sizeof(struct cache_set)) +
           count * CACHE_WAYS * arena_rounded(sizeof(struct place_head) + place_bytes);
}

enum err cache_init(struct cache *cache, size_t bytes, uint32_t place_bytes, struct arena *arena)
{
    const uint32_t count = sets_of(bytes, place_bytes);

    *cache = (struct cache){0};
    if (count == 0) {
        return ERR_OK;
    }
    cache->place_bytes = (uint32_t)arena_rounded(sizeof(struct place_head) + place_bytes);
    cache->sets = arena_take(arena, count * sizeof(struct cache_set));
    cache->places = arena_take(arena, (size_t)count * CACHE_WAYS * cache->place_bytes);
    if (cache->sets == NULL || cache->places == NULL) {
        return ERR_NO_SPACE;
    }
    memset(cache->sets, 0, count * sizeof(struct cache_set));
    cache->set_count = count;
    return ERR_OK;
}

static uint8_t *place_at(const struct cache *cache, uint32_t set, uint32_t way)
{
    return cache->places + ((size_t)set * CACHE_WAYS + way) * cache->place_bytes;
}

static bool place_holds(const uint8_t *place, struct bytes key, struct bytes *value)
{
    struct place_head head;

    memcpy(&head, place, sizeof head);
    if (!bytes_equal(bytes_of(place + sizeof head, head.key_count), key)) {
        return false;
    }
    *value = bytes_of(place + sizeof head + head.key_count, head.value_count);
    return true;
}

/* The place of a key in its set; CACHE_WAYS: it has none. */
static uint32_t way_of(const struct cache *cache, uint32_t hash, struct bytes key,
                       struct bytes *value)
{
    const uint32_t at = hash & (cache->set_count - 1);
    const struct cache_set *set = &cache->sets[at];
    uint32_t way = 0;

    while (way < CACHE_WAYS && (!set->used[way] || set->hashes[way] != hash ||
                                !place_holds(place_at(cache, at, way), key, value))) {
        way++;
    }
    return way;
}

bool cache_get(struct cache *cache, uint32_t hash, struct bytes key, struct bytes *value)
{
    uint32_t way;

    if (cache->set_count == 0) {
        return false;
    }
    way = way_of(cache, hash, key, value);
    if (way == CACHE_WAYS) {
        return false;
    }
    cache->sets[hash & (cache->set_count - 1)].recent[way] = true;
    return true;
}

void cache_forget(struct cache *cache, uint32_t hash, struct bytes key)
{
    struct bytes value;
    uint32_t way;

    if (cache->set_count == 0) {
        return;
    }
    way = way_of(cache, hash, key, &value);
    if (way != CACHE_WAYS) {
        cache->sets[hash & (cache->set_count - 1)].used[way] = false;
    }
}

/* A free place, or the first that the hand finds not recent; it passes each at most twice. */
static uint32_t way_free(struct cache_set *set)
{
    for (uint32_t way = 0; way < CACHE_WAYS; way++) {
        if (!set->used[way]) {
            return way;
        }
    }
    for (uint32_t i = 0; i < CACHE_WAYS && set->recent[set->hand]; i++) {
        set->recent[set->hand] = false;
        set->hand = (set->hand + 1) % CACHE_WAYS;
    }
    return set->hand;
}

void cache_put(struct cache *cache, uint32_t hash, struct bytes key, struct bytes value)
{
    const struct place_head head = {(uint32_t)key.count, (uint32_t)value.count};
    const uint32_t at = hash & (cache->set_count - 1);
    struct bytes old;
    uint8_t *place;
    uint32_t way;

    if (cache->set_count == 0) {
        return;
    }
    if (key.count > cache->place_bytes - sizeof head ||
        value.count > cache->place_bytes - sizeof head - key.count) {
        cache_forget(cache, hash, key);
        return;
    }
    way = way_of(cache, hash, key, &old);
    if (way == CACHE_WAYS) {
        way = way_free(&cache->sets[at]);
        cache->sets[at].hand = (way + 1) % CACHE_WAYS;
        cache->sets[at].recent[way] = false;
    }
    place = place_at(cache, at, way);
    memcpy(place, &head, sizeof head);
    memcpy(place + sizeof head, key.at, key.count);
    if (value.count != 0) {
        memcpy(place + sizeof head + key.count, value.at, value.count);
    }
    cache->sets[at].hashes[way] = hash;
    cache->sets[at].used[way] = true;
}

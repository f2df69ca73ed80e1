#include "contracts/sigcache.h"

#include <string.h>

#include "base/mutant.h"

enum { WAYS = 4 }; /* entries that may have the same place */

struct entry {
    uint8_t public_key[EXEC_KEY_BYTES];
    bool used;
    bool holds;
    uint8_t tx_id[HASH_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
};

struct sigcache {
    struct entry *entries;
    uint8_t *next; /* of each set: which entry makes room */
    uint32_t set_count;
    struct exec_verifier miss;
    struct sigcache_counts counts;
};

static uint32_t set_count_of(uint32_t entries)
{
    return entries / WAYS + 1;
}

size_t sigcache_footprint(uint32_t entries)
{
    const size_t sets = set_count_of(entries);

    return arena_rounded(sizeof(struct sigcache)) + arena_rounded(sets) +
           arena_rounded(sets * WAYS * sizeof(struct entry));
}

enum err sigcache_init(struct arena *arena, uint32_t entries, struct exec_verifier miss,
                       struct sigcache **out)
{
    struct sigcache *cache = arena_take(arena, sizeof *cache);
    const size_t sets = set_count_of(entries);

    if (cache == NULL) {
        return ERR_NO_SPACE;
    }
    *cache = (struct sigcache){
        .entries = arena_take(arena, sets * WAYS * sizeof(struct entry)),
        .next = arena_take(arena, sets),
        .set_count = (uint32_t)sets,
        .miss = miss,
    };
    if (cache->entries == NULL || cache->next == NULL) {
        return ERR_NO_SPACE;
    }
    memset(cache->entries, 0, sets * WAYS * sizeof(struct entry));
    memset(cache->next, 0, sets);
    *out = cache;
    return ERR_OK;
}

/*
 * A place from the hash and the signature, which are as good as random; whoever chooses them so that many meet only
 * makes room among their own.
 */
static uint32_t set_of(const struct sigcache *cache, const uint8_t *tx_id, const uint8_t *signature)
{
    uint64_t place = 0;

    for (uint32_t i = 0; i < 8; i++) {
        place = place << 8 | (uint8_t)(tx_id[i] ^ (MUTANT_IS(25) ? 0 : signature[i]));
    }
    return (uint32_t)(place % cache->set_count);
}

static bool entry_is(const struct entry *entry, const uint8_t *public_key, const uint8_t *tx_id,
                     const uint8_t *signature)
{
    if (!entry->used || memcmp(entry->tx_id, tx_id, HASH_BYTES) != 0) {
        return false;
    }
    return MUTANT_IS(25) || (memcmp(entry->public_key, public_key, EXEC_KEY_BYTES) == 0 &&
                             memcmp(entry->signature, signature, SIGNATURE_BYTES) == 0);
}

bool sigcache_find(const struct sigcache *cache, const uint8_t public_key[EXEC_KEY_BYTES],
                   const uint8_t tx_id[HASH_BYTES], const uint8_t signature[SIGNATURE_BYTES],
                   bool *holds)
{
    const struct entry *set = &cache->entries[(size_t)set_of(cache, tx_id, signature) * WAYS];

    for (uint32_t i = 0; i < WAYS; i++) {
        if (entry_is(&set[i], public_key, tx_id, signature)) {
            *holds = set[i].holds;
            return true;
        }
    }
    return false;
}

void sigcache_add(struct sigcache *cache, const uint8_t public_key[EXEC_KEY_BYTES],
                  const uint8_t tx_id[HASH_BYTES], const uint8_t signature[SIGNATURE_BYTES],
                  bool holds)
{
    const uint32_t place = set_of(cache, tx_id, signature);
    struct entry *entry = &cache->entries[(size_t)place * WAYS + cache->next[place]];
    bool known;

    if (sigcache_find(cache, public_key, tx_id, signature, &known)) {
        return;
    }
    entry->used = true;
    entry->holds = holds;
    memcpy(entry->public_key, public_key, EXEC_KEY_BYTES);
    memcpy(entry->tx_id, tx_id, HASH_BYTES);
    memcpy(entry->signature, signature, SIGNATURE_BYTES);
    cache->next[place] = (uint8_t)((cache->next[place] + 1U) % WAYS);
}

static bool cache_verified(void *self, const uint8_t public_key[EXEC_KEY_BYTES],
                           const uint8_t tx_id[HASH_BYTES],
                           const uint8_t signature[SIGNATURE_BYTES])
{
    struct sigcache *cache = self;
    bool holds;

    if (sigcache_find(cache, public_key, tx_id, signature, &holds)) {
        cache->counts.hits += 1;
        return holds;
    }
    cache->counts.misses += 1;
    holds = cache->miss.verified(cache->miss.self, public_key, tx_id, signature);
    sigcache_add(cache, public_key, tx_id, signature, holds);
    return holds;
}

static bool cache_key_valid(void *self, const uint8_t public_key[EXEC_KEY_BYTES])
{
    const struct sigcache *cache = self;

    return cache->miss.key_valid(cache->miss.self, public_key);
}

struct exec_verifier sigcache_verifier(struct sigcache *cache)
{
    return (struct exec_verifier){
        .self = cache, .verified = cache_verified, .key_valid = cache_key_valid};
}

struct sigcache_counts sigcache_counts(const struct sigcache *cache)
{
    return cache->counts;
}

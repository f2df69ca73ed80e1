/* Results of signature checks: found by all three parts, both answers kept, bounded. */
#include "contracts/sigcache.h"

#include <string.h>

#include "base/random.h"
#include "tests/check.h"

enum { ENTRIES = 1024, DRAWN = 20000 };

static uint64_t asked;

/* The truth: a signature holds if its first byte is that of the key and of the hash together. */
static bool truth(const uint8_t *public_key, const uint8_t *tx_id, const uint8_t *signature)
{
    return ((public_key[0] ^ tx_id[0] ^ signature[0]) & 1) == 0;
}

static bool ask(void *self, const uint8_t public_key[33], const uint8_t tx_id[HASH_BYTES],
                const uint8_t signature[SIGNATURE_BYTES])
{
    CHECK(self == &asked);
    asked += 1;
    return truth(public_key, tx_id, signature);
}

static bool valid(void *self, const uint8_t public_key[33])
{
    CHECK(self == &asked);
    return public_key[0] == 2;
}

static struct arena memory;

static struct sigcache *begin(uint32_t entries)
{
    const struct exec_verifier miss = {.self = &asked, .verified = ask, .key_valid = valid};
    struct sigcache *cache;

    asked = 0;
    CHECK(arena_open(&memory, sigcache_footprint(entries)) == ERR_OK);
    CHECK(sigcache_init(&memory, entries, miss, &cache) == ERR_OK);
    return cache;
}

struct triple {
    uint8_t public_key[33];
    uint8_t tx_id[32];
    uint8_t signature[64];
};

static void draw(struct random *random, struct triple *out)
{
    uint8_t *at = (uint8_t *)out;

    for (size_t i = 0; i < sizeof *out; i++) {
        at[i] = (uint8_t)random_next(random);
    }
}

static bool verified(const struct exec_verifier *verifier, const struct triple *triple)
{
    return verifier->verified(verifier->self, triple->public_key, triple->tx_id, triple->signature);
}

/* One part changed is another question, and has its own answer. */
TEST(all_three_parts_count)
{
    struct sigcache *cache = begin(ENTRIES);
    const struct exec_verifier verifier = sigcache_verifier(cache);
    struct random random = {.state = 1};
    struct triple triple;

    for (uint32_t i = 0; i < 100; i++) {
        struct triple other;
        const uint64_t before = asked;

        draw(&random, &triple);
        CHECK(verified(&verifier, &triple) ==
              truth(triple.public_key, triple.tx_id, triple.signature));
        CHECK_U64(asked, ==, before + 1);
        other = triple;
        other.public_key[0] ^= 1;
        CHECK(verified(&verifier, &other) != verified(&verifier, &triple));
        other = triple;
        other.tx_id[0] ^= 1;
        CHECK(verified(&verifier, &other) != verified(&verifier, &triple));
        other = triple;
        other.signature[0] ^= 1; /* the same body with another signature */
        CHECK(verified(&verifier, &other) != verified(&verifier, &triple));
        CHECK_U64(asked, ==, before + 4);
    }
    CHECK_U64(sigcache_counts(cache).hits, ==, 300);
    CHECK_U64(sigcache_counts(cache).misses, ==, 400);
    arena_close(&memory);
}

TEST(never_a_wrong_answer_however_full)
{
    static struct triple triples[DRAWN];
    struct sigcache *cache = begin(ENTRIES);
    const struct exec_verifier verifier = sigcache_verifier(cache);
    struct random random = {.state = 2};
    uint32_t found = 0;

    for (uint32_t i = 0; i < DRAWN; i++) {
        draw(&random, &triples[i]);
        if (i % 3 == 0) { /* as the verify thread adds them */
            sigcache_add(cache, triples[i].public_key, triples[i].tx_id, triples[i].signature,
                         truth(triples[i].public_key, triples[i].tx_id, triples[i].signature));
        } else {
            (void)verified(&verifier, &triples[i]);
        }
    }
    for (uint32_t i = 0; i < DRAWN; i++) {
        const struct triple *t = &triples[i];
        bool holds;

        if (sigcache_find(cache, t->public_key, t->tx_id, t->signature, &holds)) {
            found += 1;
            CHECK(holds == truth(t->public_key, t->tx_id, t->signature));
        }
    }
    for (uint32_t i = 0; i < DRAWN; i++) { /* each question that is not there drives another out */
        const struct triple *t = &triples[i];

        CHECK(verified(&verifier, t) == truth(t->public_key, t->tx_id, t->signature));
    }
    CHECK_U64(found, >, ENTRIES / 2);
    CHECK_U64(found, <=, ENTRIES + 4);
    arena_close(&memory);
}

TEST(adding_twice_keeps_one)
{
    struct sigcache *cache = begin(0); /* the smallest: one set of four */
    struct random random = {.state = 3};
    struct triple triples[4];
    bool holds;

    for (uint32_t i = 0; i < 4; i++) {
        draw(&random, &triples[i]);
        for (uint32_t k = 0; k < 10; k++) {
            sigcache_add(cache, triples[i].public_key, triples[i].tx_id, triples[i].signature,
                         true);
        }
    }
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(sigcache_find(cache, triples[i].public_key, triples[i].tx_id, triples[i].signature,
                            &holds));
        CHECK(holds);
    }
    arena_close(&memory);
}

TEST(keys_are_asked_of_the_port)
{
    struct sigcache *cache = begin(ENTRIES);
    const struct exec_verifier verifier = sigcache_verifier(cache);
    uint8_t key[33] = {2};

    CHECK(verifier.key_valid(verifier.self, key));
    key[0] = 5;
    CHECK(!verifier.key_valid(verifier.self, key));
    arena_close(&memory);
}

TEST(too_little_memory)
{
    const struct exec_verifier miss = {.self = &asked, .verified = ask, .key_valid = valid};
    struct sigcache *cache;

    CHECK(arena_open(&memory, sigcache_footprint(ENTRIES) - ARENA_ALIGN) == ERR_OK);
    CHECK(sigcache_init(&memory, ENTRIES, miss, &cache) == ERR_NO_SPACE);
    arena_close(&memory);
}

TESTS(TEST_ENTRY(all_three_parts_count), TEST_ENTRY(never_a_wrong_answer_however_full),
      TEST_ENTRY(adding_twice_keeps_one), TEST_ENTRY(keys_are_asked_of_the_port),
      TEST_ENTRY(too_little_memory))

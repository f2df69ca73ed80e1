#include "crypto/hash.h"

#include <sodium.h>
#include <string.h>

#include "base/err.h"

_Static_assert(sizeof(crypto_generichash_blake2b_state) <= sizeof(struct hash_state),
               "the opaque state holds the library's");

/* The longest text fills the personalisation without a zero at its end, hence no plain strings. */
static const struct {
    uint8_t bytes[crypto_generichash_blake2b_PERSONALBYTES];
} personal[TAG_COUNT] = {
#define TAG_PERSONAL(name, text) {text},
    TAGS(TAG_PERSONAL)
#undef TAG_PERSONAL
};

static crypto_generichash_blake2b_state *inner(struct hash_state *state)
{
    return (crypto_generichash_blake2b_state *)(void *)state->opaque;
}

void hash_begin(struct hash_state *state, enum tag tag)
{
    INVARIANT(crypto_generichash_blake2b_init_salt_personal(inner(state), NULL, 0, HASH_BYTES, NULL,
                                                            personal[tag].bytes) == 0);
}

void hash_add(struct hash_state *state, struct bytes bytes)
{
    INVARIANT(crypto_generichash_blake2b_update(inner(state), bytes.at, bytes.count) == 0);
}

void hash_end(struct hash_state *state, uint8_t out[HASH_BYTES])
{
    INVARIANT(crypto_generichash_blake2b_final(inner(state), out, HASH_BYTES) == 0);
}

void hash_of(enum tag tag, struct bytes bytes, uint8_t out[HASH_BYTES])
{
    hash_parts(tag, &bytes, 1, out);
}

void hash_parts(enum tag tag, const struct bytes *parts, size_t count, uint8_t out[HASH_BYTES])
{
    struct hash_state state;

    hash_begin(&state, tag);
    for (size_t i = 0; i < count; i++) {
        hash_add(&state, parts[i]);
    }
    hash_end(&state, out);
}

bool hash_equal(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, HASH_BYTES) == 0;
}

bool hash_is_zero(const uint8_t *hash)
{
    return bytes_zero(hash, HASH_BYTES);
}

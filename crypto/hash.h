/*
 * crypto/hash.h -- BLAKE2b-256 with a personalisation for each purpose (RFC 7693; zero salt, no key).
 *
 * H(tag: a, b) in the documents is hash_parts with that tag over the plain concatenation of a and b.
 */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <stdalign.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/tags.h"

/* A hash that is being computed; as large as the library's state, which stays behind hash.c. */
struct hash_state {
    alignas(64) uint8_t opaque[384];
};

void hash_begin(struct hash_state *state, enum tag tag);
void hash_add(struct hash_state *state, struct bytes bytes);
void hash_end(struct hash_state *state, uint8_t out[HASH_BYTES]);

/* The hash of one piece. */
void hash_of(enum tag tag, struct bytes bytes, uint8_t out[HASH_BYTES]);

/* The hash of the concatenation of `count` pieces. */
void hash_parts(enum tag tag, const struct bytes *parts, size_t count, uint8_t out[HASH_BYTES]);

/* Two hashes are the same.  Not in constant time. */
bool hash_equal(const uint8_t *a, const uint8_t *b);

/* Thirty-two zero bytes: an empty list, "none". */
bool hash_is_zero(const uint8_t *hash);

#endif /* CRYPTO_HASH_H */

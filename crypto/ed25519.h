/*
 * crypto/ed25519.h -- signatures of validators (RFC 8032), by libsodium's strict rule.
 *
 * Refused besides a wrong equation: an S that is not reduced, a public key or an R of small order, a public
 * key that is not canonical.  tests/vectors holds the accept set that the SDK shares.
 */
#ifndef CRYPTO_ED25519_H
#define CRYPTO_ED25519_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

enum { ED25519_SECRET_BYTES = 32, ED25519_PUBLIC_BYTES = 32 };

/* The public key of a 32-byte secret (the seed of RFC 8032). */
void ed25519_public(const uint8_t secret[ED25519_SECRET_BYTES], uint8_t out[ED25519_PUBLIC_BYTES]);

void ed25519_sign(const uint8_t secret[ED25519_SECRET_BYTES], struct bytes message,
                  uint8_t out[SIGNATURE_BYTES]);

CHECKED bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_BYTES], struct bytes message,
                            const uint8_t signature[SIGNATURE_BYTES]);

#endif /* CRYPTO_ED25519_H */

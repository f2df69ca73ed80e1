/*
 * crypto/ecdsa.h -- signatures of accounts: ECDSA on secp256k1, compact 64 bytes r || s, low S only.
 *
 * A digest has one signature less to choose from than plain ECDSA: s above half of the order is refused
 * (BIP 146), so nobody can turn one valid signature into another.  Keys are compressed, 33 bytes.
 */
#ifndef CRYPTO_ECDSA_H
#define CRYPTO_ECDSA_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

enum { ECDSA_SECRET_BYTES = 32, ECDSA_PUBLIC_BYTES = 33 };

/* The public key of a secret; false if the secret is zero or not below the order. */
CHECKED bool ecdsa_public(const uint8_t secret[ECDSA_SECRET_BYTES],
                          uint8_t out[ECDSA_PUBLIC_BYTES]);

/* A compressed point of the curve. */
CHECKED bool ecdsa_key_valid(const uint8_t public_key[ECDSA_PUBLIC_BYTES]);

/* Sign a digest, with the nonce of RFC 6979; false for a secret that ecdsa_public refuses. */
CHECKED bool ecdsa_sign(const uint8_t secret[ECDSA_SECRET_BYTES], const uint8_t digest[HASH_BYTES],
                        uint8_t out[SIGNATURE_BYTES]);

CHECKED bool ecdsa_verify(const uint8_t public_key[ECDSA_PUBLIC_BYTES],
                          const uint8_t digest[HASH_BYTES],
                          const uint8_t signature[SIGNATURE_BYTES]);

#endif /* CRYPTO_ECDSA_H */

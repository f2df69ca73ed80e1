#include "crypto/ed25519.h"

#include <sodium.h>

#include "crypto/secret.h"

_Static_assert((int)crypto_sign_ed25519_SEEDBYTES == (int)ED25519_SECRET_BYTES,
               "the secret is the seed");
_Static_assert((int)crypto_sign_ed25519_PUBLICKEYBYTES == (int)ED25519_PUBLIC_BYTES, "one size");
_Static_assert((int)crypto_sign_ed25519_BYTES == (int)SIGNATURE_BYTES, "one size");

void ed25519_public(const uint8_t secret[ED25519_SECRET_BYTES], uint8_t out[ED25519_PUBLIC_BYTES])
{
    uint8_t expanded[crypto_sign_ed25519_SECRETKEYBYTES];

    INVARIANT(crypto_sign_ed25519_seed_keypair(out, expanded, secret) == 0);
    seal_wipe(expanded, sizeof expanded);
}

void ed25519_sign(const uint8_t secret[ED25519_SECRET_BYTES], struct bytes message,
                  uint8_t out[SIGNATURE_BYTES])
{
    uint8_t expanded[crypto_sign_ed25519_SECRETKEYBYTES];
    uint8_t public_key[ED25519_PUBLIC_BYTES];

    INVARIANT(crypto_sign_ed25519_seed_keypair(public_key, expanded, secret) == 0);
    INVARIANT(crypto_sign_ed25519_detached(out, NULL, message.at, message.count, expanded) == 0);
    seal_wipe(expanded, sizeof expanded);
}

bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_BYTES], struct bytes message,
                    const uint8_t signature[SIGNATURE_BYTES])
{
    return crypto_sign_ed25519_verify_detached(signature, message.at, message.count, public_key) ==
           0;
}

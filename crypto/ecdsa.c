#include "crypto/ecdsa.h"

#include <secp256k1.h>
#include <stdatomic.h>

#include "crypto/secret.h"

/*
 * The one context that computes with secrets, made by whoever needs it first and kept until the process
 * ends.  After that it is only read, so threads may share it.
 */
static _Atomic(secp256k1_context *) signing;

static const secp256k1_context *ecdsa_signing(void)
{
    secp256k1_context *context = atomic_load(&signing);
    secp256k1_context *other = NULL;
    uint8_t seed[32];

    if (context != NULL) {
        return context;
    }
    context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    INVARIANT(context != NULL);
    secret_random(seed, sizeof seed);
    INVARIANT(secp256k1_context_randomize(context, seed) == 1);
    seal_wipe(seed, sizeof seed);
    if (!atomic_compare_exchange_strong(&signing, &other, context)) {
        secp256k1_context_destroy(context);
        context = other;
    }
    return context;
}

/*
 * The context for public work needs no making, but the library asks for its self test before it is used.
 * Two threads may both run the test; that is harmless.
 */
static const secp256k1_context *ecdsa_public_only(void)
{
    static atomic_bool tested;

    if (!atomic_load_explicit(&tested, memory_order_relaxed)) {
        secp256k1_selftest();
        atomic_store_explicit(&tested, true, memory_order_relaxed);
    }
    return secp256k1_context_static;
}

bool ecdsa_public(const uint8_t secret[ECDSA_SECRET_BYTES], uint8_t out[ECDSA_PUBLIC_BYTES])
{
    const secp256k1_context *context = ecdsa_signing();
    secp256k1_pubkey key;
    size_t count = ECDSA_PUBLIC_BYTES;

    if (secp256k1_ec_pubkey_create(context, &key, secret) != 1) {
        return false;
    }
    INVARIANT(secp256k1_ec_pubkey_serialize(context, out, &count, &key, SECP256K1_EC_COMPRESSED) ==
              1);
    INVARIANT(count == ECDSA_PUBLIC_BYTES);
    return true;
}

bool ecdsa_key_valid(const uint8_t public_key[ECDSA_PUBLIC_BYTES])
{
    secp256k1_pubkey key;

    return secp256k1_ec_pubkey_parse(ecdsa_public_only(), &key, public_key, ECDSA_PUBLIC_BYTES) ==
           1;
}

bool ecdsa_sign(const uint8_t secret[ECDSA_SECRET_BYTES], const uint8_t digest[HASH_BYTES],
                uint8_t out[SIGNATURE_BYTES])
{
    const secp256k1_context *context = ecdsa_signing();
    secp256k1_ecdsa_signature signature;

    if (secp256k1_ecdsa_sign(context, &signature, digest, secret, secp256k1_nonce_function_rfc6979,
                             NULL) != 1) {
        return false;
    }
    INVARIANT(secp256k1_ecdsa_signature_serialize_compact(context, out, &signature) == 1);
    return true;
}

bool ecdsa_verify(const uint8_t public_key[ECDSA_PUBLIC_BYTES], const uint8_t digest[HASH_BYTES],
                  const uint8_t signature[SIGNATURE_BYTES])
{
    const secp256k1_context *context = ecdsa_public_only();
    secp256k1_pubkey key;
    secp256k1_ecdsa_signature parsed;

    /* Verification refuses a high S by itself; it is never normalised before. */
    return secp256k1_ec_pubkey_parse(context, &key, public_key, ECDSA_PUBLIC_BYTES) == 1 &&
           secp256k1_ecdsa_signature_parse_compact(context, &parsed, signature) == 1 &&
           secp256k1_ecdsa_verify(context, &parsed, digest, &key) == 1;
}

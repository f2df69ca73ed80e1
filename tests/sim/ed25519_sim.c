/*
 * Stand-in signatures, linked instead of the library `signatures`: a keyed hash, as fast as a few cache lines.
 *
 * A public key is its secret under a fixed mask, so verification finds the signer's secret in the key itself
 * and needs no table.  Nothing that the simulator runs does that: a Byzantine node signs with the secrets that
 * the simulator hands it, its own, and can no more forge another's than with real signatures.  A signature
 * binds every byte of the message, and no bit of it can be changed.
 */
#include <string.h>

#include "crypto/ed25519.h"

static const uint64_t mask = UINT64_C(0xa57e1a57e1a57e1a);

static uint64_t word_at(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Two lanes over the message, begun with the secret. */
static void keyed_hash(const uint8_t secret[ED25519_SECRET_BYTES], struct bytes message,
                       uint8_t out[SIGNATURE_BYTES])
{
    uint64_t a = word_at(secret) ^ message.count;
    uint64_t b = word_at(secret + 8) ^ word_at(secret + 16);
    uint64_t c = word_at(secret + 24);
    uint8_t last[8] = {0};
    size_t at = 0;

    for (; message.count - at >= 8; at += 8) {
        const uint64_t word = word_at(message.at + at);

        a = (a ^ word) * UINT64_C(0x9fb21c651e98df25);
        b = (b + word) * UINT64_C(0xd6e8feb86659fd93) ^ (a >> 29);
    }
    if (message.count > at) {
        memcpy(last, message.at + at, message.count - at);
    }
    a = mix(a ^ word_at(last));
    b = mix(b + c);
    for (uint64_t i = 0; i < SIGNATURE_BYTES / 8; i++) {
        const uint64_t word = mix(a + i * UINT64_C(0x9e3779b97f4a7c15)) ^ mix(b ^ (c + i));

        memcpy(out + i * 8, &word, sizeof word);
    }
}

void ed25519_public(const uint8_t secret[ED25519_SECRET_BYTES], uint8_t out[ED25519_PUBLIC_BYTES])
{
    for (size_t i = 0; i < ED25519_PUBLIC_BYTES; i++) {
        out[i] = (uint8_t)(secret[i] ^ (uint8_t)(mask >> (i % 8 * 8)));
    }
}

void ed25519_sign(const uint8_t secret[ED25519_SECRET_BYTES], struct bytes message,
                  uint8_t out[SIGNATURE_BYTES])
{
    keyed_hash(secret, message, out);
}

bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_BYTES], struct bytes message,
                    const uint8_t signature[SIGNATURE_BYTES])
{
    uint8_t secret[ED25519_SECRET_BYTES];
    uint8_t expected[SIGNATURE_BYTES];

    ed25519_public(public_key, secret); /* the mask is its own inverse */
    keyed_hash(secret, message, expected);
    return memcmp(expected, signature, SIGNATURE_BYTES) == 0;
}

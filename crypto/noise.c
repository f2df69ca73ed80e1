#include "crypto/noise.h"

#include <sodium.h>
#include <string.h>

#include "crypto/secret.h"

/* Section numbers are those of the Noise Protocol Framework, revision 34. */

enum {
    NONCE_BYTES = 12,
    STEPS = 3,
    STEP_DEAD = 255,
    SEALED_KEY_BYTES = NOISE_KEY_BYTES + NOISE_TAG_BYTES,
};

/* A name of exactly the hash's size is the first hash itself (5.2). */
static const uint8_t protocol_name[NOISE_KEY_BYTES] = {"Noise_XX_25519_ChaChaPoly_SHA256"};

/* What each message holds besides its payload: e; e, s and two tags; s and two tags. */
static const size_t overheads[STEPS] = {
    NOISE_KEY_BYTES,
    NOISE_KEY_BYTES + SEALED_KEY_BYTES + NOISE_TAG_BYTES,
    SEALED_KEY_BYTES + NOISE_TAG_BYTES,
};

_Static_assert((int)crypto_aead_chacha20poly1305_ietf_KEYBYTES == (int)NOISE_KEY_BYTES, "one size");
_Static_assert((int)crypto_aead_chacha20poly1305_ietf_ABYTES == (int)NOISE_TAG_BYTES, "one size");
_Static_assert((int)crypto_aead_chacha20poly1305_ietf_NPUBBYTES == (int)NONCE_BYTES, "one size");
_Static_assert((int)crypto_scalarmult_curve25519_BYTES == (int)NOISE_KEY_BYTES, "one size");
_Static_assert((int)crypto_hash_sha256_BYTES == (int)NOISE_KEY_BYTES, "one size");

void noise_public(const uint8_t secret[NOISE_KEY_BYTES], uint8_t out[NOISE_KEY_BYTES])
{
    INVARIANT(crypto_scalarmult_curve25519_base(out, secret) == 0);
}

/* Four zero bytes and the number, little-endian (12.3). */
static void noise_nonce(uint64_t number, uint8_t out[NONCE_BYTES])
{
    memset(out, 0, 4);
    for (uint32_t i = 0; i < 8; i++) {
        out[4 + i] = (uint8_t)(number >> (8 * i));
    }
}

static void seal_with(struct noise_cipher *cipher, struct bytes associated, struct bytes plain,
                      uint8_t *out)
{
    uint8_t nonce[NONCE_BYTES];

    INVARIANT(cipher->nonce != UINT64_MAX);
    noise_nonce(cipher->nonce, nonce);
    INVARIANT(crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.at, plain.count,
                                                        associated.at, associated.count, NULL,
                                                        nonce, cipher->key) == 0);
    cipher->nonce += 1;
}

static CHECKED bool open_with(struct noise_cipher *cipher, struct bytes associated,
                              struct bytes sealed, uint8_t *out)
{
    uint8_t nonce[NONCE_BYTES];

    if (sealed.count < NOISE_TAG_BYTES || cipher->nonce == UINT64_MAX) {
        return false;
    }
    noise_nonce(cipher->nonce, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.at, sealed.count,
                                                  associated.at, associated.count, nonce,
                                                  cipher->key) != 0) {
        return false;
    }
    cipher->nonce += 1;
    return true;
}

void noise_seal(struct noise_cipher *cipher, struct bytes plain, uint8_t *out)
{
    seal_with(cipher, bytes_of(NULL, 0), plain, out);
}

bool noise_open(struct noise_cipher *cipher, struct bytes sealed, uint8_t *out)
{
    return open_with(cipher, bytes_of(NULL, 0), sealed, out);
}

void noise_rekey(struct noise_cipher *cipher)
{
    static const uint8_t zeros[NOISE_KEY_BYTES];
    uint8_t sealed[NOISE_KEY_BYTES + NOISE_TAG_BYTES];
    uint8_t nonce[NONCE_BYTES];

    noise_nonce(UINT64_MAX, nonce);
    INVARIANT(crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, zeros, sizeof zeros, NULL, 0,
                                                        NULL, nonce, cipher->key) == 0);
    memcpy(cipher->key, sealed, NOISE_KEY_BYTES);
    seal_wipe(sealed, sizeof sealed);
}

static void hmac(const uint8_t key[NOISE_KEY_BYTES], struct bytes one, struct bytes other,
                 uint8_t out[NOISE_KEY_BYTES])
{
    crypto_auth_hmacsha256_state state;

    INVARIANT(crypto_auth_hmacsha256_init(&state, key, NOISE_KEY_BYTES) == 0);
    INVARIANT(crypto_auth_hmacsha256_update(&state, one.at, one.count) == 0);
    INVARIANT(crypto_auth_hmacsha256_update(&state, other.at, other.count) == 0);
    INVARIANT(crypto_auth_hmacsha256_final(&state, out) == 0);
    seal_wipe(&state, sizeof state);
}

/* HKDF with two outputs (4.3).  `first` may be `key`. */
static void hkdf(const uint8_t key[NOISE_KEY_BYTES], struct bytes input,
                 uint8_t first[NOISE_KEY_BYTES], uint8_t second[NOISE_KEY_BYTES])
{
    const uint8_t one = 1;
    const uint8_t two = 2;
    uint8_t extracted[NOISE_KEY_BYTES];

    hmac(key, input, bytes_of(NULL, 0), extracted);
    hmac(extracted, bytes_of(&one, 1), bytes_of(NULL, 0), first);
    hmac(extracted, bytes_of(first, NOISE_KEY_BYTES), bytes_of(&two, 1), second);
    seal_wipe(extracted, sizeof extracted);
}

static void mix_hash(struct noise_handshake *handshake, struct bytes data)
{
    crypto_hash_sha256_state state;

    INVARIANT(crypto_hash_sha256_init(&state) == 0);
    INVARIANT(crypto_hash_sha256_update(&state, handshake->hash, sizeof handshake->hash) == 0);
    INVARIANT(crypto_hash_sha256_update(&state, data.at, data.count) == 0);
    INVARIANT(crypto_hash_sha256_final(&state, handshake->hash) == 0);
}

/*
 * MixKey of DH(secret, public).  The library answers a point of small order, whose product is zero for every
 * secret, with a failure (12.1 leaves the choice to us).
 */
static CHECKED bool mix_dh(struct noise_handshake *handshake, const uint8_t *secret,
                           const uint8_t *public_key)
{
    uint8_t shared[NOISE_KEY_BYTES];

    if (crypto_scalarmult_curve25519(shared, secret, public_key) != 0) {
        return false;
    }
    hkdf(handshake->chaining_key, bytes_of(shared, sizeof shared), handshake->chaining_key,
         handshake->cipher.key);
    handshake->cipher.nonce = 0;
    handshake->has_key = true;
    seal_wipe(shared, sizeof shared);
    return true;
}

/* EncryptAndHash: to `out`, plain.count bytes, and a tag if there is a key. */
static size_t seal_and_hash(struct noise_handshake *handshake, struct bytes plain, uint8_t *out)
{
    size_t count = plain.count;

    if (handshake->has_key) {
        seal_with(&handshake->cipher, bytes_of(handshake->hash, sizeof handshake->hash), plain,
                  out);
        count += NOISE_TAG_BYTES;
    } else if (count != 0) {
        memcpy(out, plain.at, count);
    }
    mix_hash(handshake, bytes_of(out, count));
    return count;
}

/* DecryptAndHash. */
static CHECKED bool open_and_hash(struct noise_handshake *handshake, struct bytes sealed,
                                  uint8_t *out)
{
    const uint8_t *hash = handshake->hash;

    if (!handshake->has_key) {
        mix_hash(handshake, sealed);
        if (sealed.count != 0) {
            memcpy(out, sealed.at, sealed.count);
        }
        return true;
    }
    if (!open_with(&handshake->cipher, bytes_of(hash, sizeof handshake->hash), sealed, out)) {
        return false;
    }
    mix_hash(handshake, sealed);
    return true;
}

void noise_begin(struct noise_handshake *handshake, bool initiator, struct bytes prologue,
                 const uint8_t static_secret[NOISE_KEY_BYTES],
                 const uint8_t ephemeral[NOISE_KEY_BYTES])
{
    memset(handshake, 0, sizeof *handshake);
    handshake->initiator = initiator;
    memcpy(handshake->s_secret, static_secret, NOISE_KEY_BYTES);
    memcpy(handshake->e_secret, ephemeral, NOISE_KEY_BYTES);
    noise_public(static_secret, handshake->s_public);
    noise_public(ephemeral, handshake->e_public);
    memcpy(handshake->hash, protocol_name, NOISE_KEY_BYTES);
    memcpy(handshake->chaining_key, protocol_name, NOISE_KEY_BYTES);
    mix_hash(handshake, prologue);
}

static void forget(struct noise_handshake *handshake)
{
    seal_wipe(handshake->s_secret, sizeof handshake->s_secret);
    seal_wipe(handshake->e_secret, sizeof handshake->e_secret);
    seal_wipe(handshake->chaining_key, sizeof handshake->chaining_key);
    seal_wipe(&handshake->cipher, sizeof handshake->cipher);
    handshake->has_key = false;
    handshake->step = STEP_DEAD;
}

/* The initiator writes messages 0 and 2, the responder message 1. */
static bool may(const struct noise_handshake *handshake, bool write)
{
    return handshake->step < STEPS && (handshake->initiator == (handshake->step % 2 == 0)) == write;
}

/*
 * XX: -> e; <- e, ee, s, es; -> s, se.  Whoever sends s mixes its static secret with the other's e right
 * after it, so es and se are one line for the sender and one for the receiver.
 */
static CHECKED bool write_tokens(struct noise_handshake *handshake, struct bytes payload,
                                 uint8_t *out, size_t *count)
{
    size_t used = 0;

    if (handshake->step != 2) {
        memcpy(out, handshake->e_public, NOISE_KEY_BYTES);
        mix_hash(handshake, bytes_of(out, NOISE_KEY_BYTES));
        used += NOISE_KEY_BYTES;
    }
    if (handshake->step == 1 && !mix_dh(handshake, handshake->e_secret, handshake->remote_e)) {
        return false;
    }
    if (handshake->step != 0) {
        used +=
            seal_and_hash(handshake, bytes_of(handshake->s_public, NOISE_KEY_BYTES), out + used);
        if (!mix_dh(handshake, handshake->s_secret, handshake->remote_e)) {
            return false;
        }
    }
    used += seal_and_hash(handshake, payload, out + used);
    *count = used;
    return true;
}

bool noise_write(struct noise_handshake *handshake, struct bytes payload, uint8_t *out,
                 size_t out_size, size_t *out_count)
{
    if (!may(handshake, true) || payload.count > NOISE_HANDSHAKE_MAX - overheads[1] ||
        out_size < overheads[handshake->step] + payload.count ||
        !write_tokens(handshake, payload, out, out_count)) {
        forget(handshake);
        return false;
    }
    handshake->step += 1;
    return true;
}

/* `message` is at least as long as the overhead of this step, and `payload` holds the rest. */
static CHECKED bool read_tokens(struct noise_handshake *handshake, struct bytes message,
                                uint8_t *payload)
{
    if (handshake->step != 2) {
        memcpy(handshake->remote_e, message.at, NOISE_KEY_BYTES);
        mix_hash(handshake, bytes_of(message.at, NOISE_KEY_BYTES));
        message = bytes_after(message, NOISE_KEY_BYTES);
    }
    if (handshake->step == 1 && !mix_dh(handshake, handshake->e_secret, handshake->remote_e)) {
        return false;
    }
    if (handshake->step != 0) {
        if (!open_and_hash(handshake, bytes_of(message.at, SEALED_KEY_BYTES),
                           handshake->remote_s) ||
            !mix_dh(handshake, handshake->e_secret, handshake->remote_s)) {
            return false;
        }
        message = bytes_after(message, SEALED_KEY_BYTES);
    }
    return open_and_hash(handshake, message, payload);
}

bool noise_read(struct noise_handshake *handshake, struct bytes message, uint8_t *payload,
                size_t payload_size, size_t *payload_count)
{
    if (!may(handshake, false) || message.count > NOISE_HANDSHAKE_MAX ||
        message.count < overheads[handshake->step] ||
        message.count - overheads[handshake->step] > payload_size ||
        !read_tokens(handshake, message, payload)) {
        forget(handshake);
        return false;
    }
    *payload_count = message.count - overheads[handshake->step];
    handshake->step += 1;
    return true;
}

bool noise_split(struct noise_handshake *handshake, struct noise_cipher *sending,
                 struct noise_cipher *receiving)
{
    struct noise_cipher *initiators = handshake->initiator ? sending : receiving;
    struct noise_cipher *responders = handshake->initiator ? receiving : sending;

    if (handshake->step != STEPS) {
        forget(handshake);
        return false;
    }
    hkdf(handshake->chaining_key, bytes_of(NULL, 0), initiators->key, responders->key);
    initiators->nonce = 0;
    responders->nonce = 0;
    forget(handshake);
    return true;
}

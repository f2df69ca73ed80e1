/*
 * crypto/noise.h -- Noise_XX_25519_ChaChaPoly_SHA256 (Noise Protocol Framework, revision 34).
 *
 * A handshake of three messages and two cipher states with rekeying.  Bytes in, bytes out: who sends them,
 * when, and what a failure means is the business of p2p.
 */
#ifndef CRYPTO_NOISE_H
#define CRYPTO_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum {
    NOISE_KEY_BYTES = 32,
    NOISE_TAG_BYTES = 16,
    NOISE_HANDSHAKE_MAX =
        96 + 4096, /* the longest message: e, s with tag, tag, and a payload (tests only) */
};

/* The public key of an X25519 secret. */
void noise_public(const uint8_t secret[NOISE_KEY_BYTES], uint8_t out[NOISE_KEY_BYTES]);

/* One direction after the handshake.  Nonces count from 0; 2^64 - 1 is never used. */
struct noise_cipher {
    uint8_t key[NOISE_KEY_BYTES];
    uint64_t nonce;
};

/*
 * Seal `plain` to out, plain.count + NOISE_TAG_BYTES bytes; `out` may begin at `plain.at`.  Aborts at the
 * nonce that is never used: nobody can send that many messages.
 */
void noise_seal(struct noise_cipher *cipher, struct bytes plain, uint8_t *out);

/*
 * Open `sealed` to out, sealed.count - NOISE_TAG_BYTES bytes; false for a wrong tag or too few bytes, and
 * then the nonce stands still.
 */
CHECKED bool noise_open(struct noise_cipher *cipher, struct bytes sealed, uint8_t *out);

/* Replace the key by REKEY of section 4.2; the nonce goes on. */
void noise_rekey(struct noise_cipher *cipher);

struct noise_handshake {
    bool initiator;
    bool has_key; /* of the running cipher */
    uint8_t step; /* messages done */
    uint8_t s_secret[NOISE_KEY_BYTES], s_public[NOISE_KEY_BYTES];
    uint8_t e_secret[NOISE_KEY_BYTES], e_public[NOISE_KEY_BYTES];
    uint8_t remote_s[NOISE_KEY_BYTES], remote_e[NOISE_KEY_BYTES];
    uint8_t chaining_key[NOISE_KEY_BYTES], hash[NOISE_KEY_BYTES];
    struct noise_cipher cipher;
};

/*
 * Begin.  `ephemeral` is a fresh secret of the caller; both secrets are copied, and the copies are wiped when
 * the handshake is split or dead.  `prologue` must be the same on both sides.
 */
void noise_begin(struct noise_handshake *handshake, bool initiator, struct bytes prologue,
                 const uint8_t static_secret[NOISE_KEY_BYTES],
                 const uint8_t ephemeral[NOISE_KEY_BYTES]);

/*
 * Write the next own message.  False if it is not this side's turn, `out` is too small, the payload is longer
 * than NOISE_HANDSHAKE_MAX leaves, or the key exchange gives zeros; the handshake is then dead.  `out` must
 * not overlap `payload`.
 */
CHECKED bool noise_write(struct noise_handshake *handshake, struct bytes payload, uint8_t *out,
                         size_t out_size, size_t *out_count);

/*
 * Read the peer's next message; `payload` gets at most payload_size bytes.  False as above, for a message too
 * short or longer than NOISE_HANDSHAKE_MAX, or for a wrong tag.
 */
CHECKED bool noise_read(struct noise_handshake *handshake, struct bytes message, uint8_t *payload,
                        size_t payload_size, size_t *payload_count);

/*
 * After the third message: the ciphers, and the peer's static key stands in remote_s, the hash of the whole
 * handshake in `hash`.  Wipes the secrets.  False before the third message, for a dead handshake, or the
 * second time.
 */
CHECKED bool noise_split(struct noise_handshake *handshake, struct noise_cipher *sending,
                         struct noise_cipher *receiving);

#endif /* CRYPTO_NOISE_H */

/*
 * crypto/keyfile.h -- many secret keys under one passphrase, as bytes of one JSON file.
 *
 * {v: 1, kdf: "argon2id", kdf_params: {m_kib, t, p, salt}, keys: [{kind, pub, nonce, ct, created_ms}]},
 * bytes in hex.  argon2id v1.3, then XChaCha20-Poly1305 a key; associated data = "artel.keyfile" | u8 v |
 * u8 kdf (1) | be32 m_kib | be32 t | be32 p | salt 16 | u8 kind | pub.  kdf "none" keeps the secret itself
 * in `ct`, for a node without a person.  The same file is read by the SDK; tests/vectors/keyfile.json.
 *
 * This room turns bytes into keys and back; reading and writing the file (0600, O_EXCL, written aside,
 * synced, renamed) is the business of who has an operating system (tools/artel, node).
 */
#ifndef CRYPTO_KEYFILE_H
#define CRYPTO_KEYFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

enum {
    KEYFILE_KEYS_MAX = 10000,
    KEYFILE_PUBLIC_MAX = 33,
    KEYFILE_M_KIB_MIN = 64 << 10,
    KEYFILE_M_KIB_MAX = 1 << 20,
    KEYFILE_T_MIN = 3,
    KEYFILE_T_MAX = 10,
    KEYFILE_BYTES_MAX = 8 << 20, /* of a file */
    KEYFILE_NAME_BYTES = 17,     /* 16 digits and a zero */
};

enum keyfile_kind { KEYFILE_ACCOUNT = 1, KEYFILE_CONSENSUS = 2, KEYFILE_NODE = 3 };

/* Why a file was refused, each its own text. */
enum keyfile_fault {
    KEYFILE_OK,
    KEYFILE_NOT_JSON,      /* not JSON, or a field is missing, unknown, twice or of a wrong type */
    KEYFILE_VERSION,       /* `v` or `kdf` is not one that this program knows */
    KEYFILE_WEAK,          /* m_kib, t or p outside the bounds above */
    KEYFILE_TOO_MANY,      /* more than KEYFILE_KEYS_MAX keys, or more bytes than KEYFILE_BYTES_MAX */
    KEYFILE_WRONG,         /* a wrong passphrase or a damaged file: these two look alike */
    KEYFILE_PUBLIC_DIFFERS, /* a secret whose public key is not `pub` */
    KEYFILE_NO_MEMORY,
    KEYFILE_LOCKED,        /* a secret was asked for before keyfile_unlock */
};

struct keyfile_key {
    enum keyfile_kind kind;
    uint8_t public_key[KEYFILE_PUBLIC_MAX]; /* 33 bytes of an account, 32 of the others */
    uint64_t created_ms;
};

/*
 * A keyring: public parts in plain memory, secrets in secret_take memory.  Owned by the caller, made by
 * keyfile_open or keyfile_create, ended by keyfile_close.
 */
struct keyfile;

/* An empty keyring.  `passphrase` empty: kdf "none". */
CHECKED enum keyfile_fault keyfile_create(struct bytes passphrase, struct keyfile **out);

/* Read a file's bytes; the keys stay locked, their public parts can be listed. */
CHECKED enum keyfile_fault keyfile_open(struct bytes json, struct keyfile **out);

/* Open the secrets.  About 0.15 s at the smallest parameters, and 64 MiB while it runs. */
CHECKED enum keyfile_fault keyfile_unlock(struct keyfile *file, struct bytes passphrase);

/* Is no passphrase needed (kdf "none")? */
bool keyfile_plain(const struct keyfile *file);

uint32_t keyfile_count(const struct keyfile *file);
struct keyfile_key keyfile_key_at(const struct keyfile *file, uint32_t index);

/* The secret of a key, a view into guarded memory until keyfile_close.  NULL while locked. */
const uint8_t *keyfile_secret(const struct keyfile *file, uint32_t index);

/* Add a key: of the given secret, or a new one for secret NULL.  The ring must be created or unlocked. */
CHECKED enum keyfile_fault keyfile_add(struct keyfile *file, enum keyfile_kind kind,
                                       const uint8_t *secret, uint64_t created_ms);

/* The file as JSON text, in memory that keyfile_text_free gives back.  The ring must be created or unlocked. */
CHECKED enum keyfile_fault keyfile_text(const struct keyfile *file, char **out);
void keyfile_text_free(char *text);

/* Wipes and frees.  Accepts NULL. */
void keyfile_close(struct keyfile *file);

/* The name of a key's file: 16 digits of H(keyfile: public key). */
void keyfile_name(const struct keyfile_key *key, char out[KEYFILE_NAME_BYTES]);

/* One line for a person, for each fault. */
const char *keyfile_fault_text(enum keyfile_fault fault);

#endif /* CRYPTO_KEYFILE_H */

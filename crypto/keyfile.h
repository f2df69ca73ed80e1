/*
 * crypto/keyfile.h -- many secret keys under one passphrase, as bytes of one JSON file.
 *
 *     {"v": 1, "kdf": "argon2id", "kdf_params": {"m_kib": 65536, "t": 3, "p": 1, "salt": HEX},
 *      "keys": [{"kind": 1, "pub": HEX, "nonce": HEX, "ct": HEX, "created_ms": 1767225600000}]}
 *
 * The order of fields and white space are free; every field stands there exactly once and nothing else
 * does.  argon2id v1.3 gives one key for the file; each secret of 32 bytes is sealed by XChaCha20-Poly1305
 * under its own nonce of 24 bytes into ct, 48 bytes; associated data = "artel.keyfile" | u8 v | u8 kdf (1) |
 * be32 m_kib | be32 t | be32 p | salt 16 | u8 kind | pub.  So everything but created_ms is authentic.
 *
 * `"kdf": "none"` keeps the secret itself in ct, 32 bytes, for a node without a person; kdf_params and
 * nonce are then absent.  The same file is read by the SDK; tests/vectors/keyfile.json.
 *
 * This room turns bytes into keys and back; reading and writing the file (0600, O_EXCL, written aside,
 * synced, renamed) is the business of who has an operating system (tools/artel, node).  Link `keyfile`.
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
    KEYFILE_SECRET_BYTES = 32, /* of every kind */
    KEYFILE_PUBLIC_MAX = 33,
    KEYFILE_M_KIB_MIN = 64 << 10,
    KEYFILE_M_KIB_MAX = 1 << 20,
    KEYFILE_T_MIN = 3,
    KEYFILE_T_MAX = 10,
    KEYFILE_BYTES_MAX = 8 << 20, /* of a file */
    KEYFILE_NAME_BYTES = 17,     /* 16 digits and a zero */
};

/* The latest created_ms: a number that JavaScript holds exactly. */
#define KEYFILE_CREATED_MAX_MS ((UINT64_C(1) << 53) - 1)

enum keyfile_kind { KEYFILE_ACCOUNT = 1, KEYFILE_CONSENSUS = 2, KEYFILE_NODE = 3 };

/* Why a file was refused, each its own text. */
enum keyfile_fault {
    KEYFILE_OK,
    KEYFILE_NOT_JSON, /* not JSON, or a field is missing, unknown, twice or not of its form */
    KEYFILE_VERSION,  /* `v` or `kdf` is not one that this program knows */
    KEYFILE_WEAK,     /* m_kib or t outside the bounds above, or p other than 1 */
    KEYFILE_EMPTY,    /* no key: nothing would show a mistyped passphrase */
    KEYFILE_TOO_MANY, /* more than KEYFILE_KEYS_MAX keys, or more bytes than KEYFILE_BYTES_MAX */
    KEYFILE_WRONG,    /* a wrong passphrase or a damaged file: these two look alike */
    KEYFILE_PUBLIC_DIFFERS, /* a secret whose public key is not `pub` */
    KEYFILE_NOT_SECRET,     /* bytes that are no secret of their kind: an account's zero, say */
    KEYFILE_NO_MEMORY,
    KEYFILE_LOCKED, /* a secret is needed, and keyfile_unlock has not succeeded */
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

/*
 * An empty keyring, open at once.  `passphrase` empty: kdf "none"; else it is derived at the smallest
 * parameters.  Errors: KEYFILE_NO_MEMORY.
 */
CHECKED enum keyfile_fault keyfile_create(struct bytes passphrase, struct keyfile **out);

/*
 * Read a file's bytes; the keys stay locked, their public parts can be listed but are not yet known to be
 * true.  Errors: any but WRONG, PUBLIC_DIFFERS, NOT_SECRET and LOCKED; *out is then NULL.
 */
CHECKED enum keyfile_fault keyfile_open(struct bytes json, struct keyfile **out);

/*
 * Open the secrets and compare each with its public key; a keyring that is open already stays open.  About
 * 0.2 s at the smallest parameters, and 64 MiB while it runs; nothing is derived for kdf "none", and the
 * passphrase is not looked at.  All keys open or none.
 *
 * Errors: KEYFILE_WRONG, KEYFILE_PUBLIC_DIFFERS, KEYFILE_NO_MEMORY; the ring stays locked.
 */
CHECKED enum keyfile_fault keyfile_unlock(struct keyfile *file, struct bytes passphrase);

/* Is no passphrase needed (kdf "none")? */
bool keyfile_plain(const struct keyfile *file);

uint32_t keyfile_count(const struct keyfile *file);

/* index < keyfile_count. */
struct keyfile_key keyfile_key_at(const struct keyfile *file, uint32_t index);

/*
 * The secret of a key, KEYFILE_SECRET_BYTES, a view into guarded memory until keyfile_close, also if keys
 * are added.  NULL while locked.  index < keyfile_count.
 */
const uint8_t *keyfile_secret(const struct keyfile *file, uint32_t index);

/*
 * Add a key: of the given secret, or a new one for secret NULL.  created_ms <= KEYFILE_CREATED_MAX_MS.
 *
 * Errors: KEYFILE_LOCKED, KEYFILE_TOO_MANY, KEYFILE_NOT_SECRET, KEYFILE_NO_MEMORY; the ring is as it was.
 */
CHECKED enum keyfile_fault keyfile_add(struct keyfile *file, enum keyfile_kind kind,
                                       const uint8_t *secret, uint64_t created_ms);

/*
 * The file as JSON text with a zero behind it, in guarded memory that keyfile_text_free wipes and gives back.
 * Equal rings give equal texts.
 *
 * Errors: KEYFILE_LOCKED, KEYFILE_EMPTY, KEYFILE_NO_MEMORY; *out is then NULL.
 */
CHECKED enum keyfile_fault keyfile_text(const struct keyfile *file, char **out);

/* Accepts NULL. */
void keyfile_text_free(char *text);

/* Wipes and frees.  Accepts NULL. */
void keyfile_close(struct keyfile *file);

/* The name of a key's file: 16 digits of H(keyfile: public key). */
void keyfile_name(const struct keyfile_key *key, char out[KEYFILE_NAME_BYTES]);

/* Bytes of the public key of a kind. */
uint32_t keyfile_public_bytes(enum keyfile_kind kind);

/* One line for a person, for each fault. */
const char *keyfile_fault_text(enum keyfile_fault fault);

#endif /* CRYPTO_KEYFILE_H */

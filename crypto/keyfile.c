#include "crypto/keyfile.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/hex.h"
#include "base/writer.h"
#include "crypto/ecdsa.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/noise.h"
#include "crypto/secret.h"

enum {
    VERSION = 1,
    KDF_ARGON2ID = 1,
    LANES = 1, /* p: the library computes with one lane only */
    SALT_BYTES = crypto_pwhash_argon2id_SALTBYTES,
    KEY_BYTES = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    SEALED_BYTES = KEYFILE_SECRET_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES,

    /*
     * Secrets lie in blocks that never move, so that views of them stay true.  127 fill a page together with
     * the library's canary.
     */
    BLOCK_KEYS = 127,
    BLOCKS = (KEYFILE_KEYS_MAX + BLOCK_KEYS - 1) / BLOCK_KEYS,

    ASSOCIATED_MAX = 13 + 2 + 12 + SALT_BYTES + 1 + KEYFILE_PUBLIC_MAX,
    TEXT_HEAD_MAX = 256,
    TEXT_KEY_MAX = 384,
};

_Static_assert((int)SALT_BYTES == 16 && (int)NONCE_BYTES == 24 && (int)SEALED_BYTES == 48,
               "the sizes of the header");
_Static_assert((int)ECDSA_SECRET_BYTES == (int)KEYFILE_SECRET_BYTES &&
                   (int)ED25519_SECRET_BYTES == (int)KEYFILE_SECRET_BYTES &&
                   (int)NOISE_KEY_BYTES == (int)KEYFILE_SECRET_BYTES,
               "secrets of all kinds have one size");
_Static_assert(TEXT_HEAD_MAX + TEXT_KEY_MAX * KEYFILE_KEYS_MAX <= KEYFILE_BYTES_MAX,
               "what is written can be read");

struct entry {
    struct keyfile_key key;
    uint8_t nonce[NONCE_BYTES];   /* of argon2id */
    uint8_t sealed[SEALED_BYTES]; /* of argon2id */
};

struct keyfile {
    struct arena arena; /* holds this struct; pages of entries that are not used cost nothing */
    bool plain;
    bool unlocked;
    uint32_t count;
    uint32_t m_kib; /* from here to `key` of argon2id alone */
    uint32_t t;
    uint8_t salt[SALT_BYTES];
    uint8_t *key;             /* derived; NULL while locked */
    uint8_t *secrets[BLOCKS]; /* taken when the first key of a block comes */
    struct entry entries[KEYFILE_KEYS_MAX];
};

uint32_t keyfile_public_bytes(enum keyfile_kind kind)
{
    return kind == KEYFILE_ACCOUNT ? ECDSA_PUBLIC_BYTES : ED25519_PUBLIC_BYTES;
}

/* The public key of a secret, zeros behind it; false for bytes that are no secret of this kind. */
static CHECKED bool public_of(enum keyfile_kind kind, const uint8_t *secret,
                              uint8_t out[KEYFILE_PUBLIC_MAX])
{
    memset(out, 0, KEYFILE_PUBLIC_MAX);
    switch (kind) {
    case KEYFILE_ACCOUNT:
        return ecdsa_public(secret, out);
    case KEYFILE_CONSENSUS:
        ed25519_public(secret, out);
        return true;
    case KEYFILE_NODE:
        noise_public(secret, out);
        return true;
    }
    invariant_fail("a kind that has no number", __FILE__, __LINE__);
}

static struct bytes associated_of(const struct keyfile *file, const struct keyfile_key *key,
                                  uint8_t out[ASSOCIATED_MAX])
{
    struct writer writer = writer_of(out, ASSOCIATED_MAX);

    writer_bytes(&writer, "artel.keyfile", 13);
    writer_u8(&writer, VERSION);
    writer_u8(&writer, KDF_ARGON2ID);
    writer_u32(&writer, file->m_kib);
    writer_u32(&writer, file->t);
    writer_u32(&writer, LANES);
    writer_bytes(&writer, file->salt, SALT_BYTES);
    writer_u8(&writer, (uint8_t)key->kind);
    writer_bytes(&writer, key->public_key, keyfile_public_bytes(key->kind));
    INVARIANT(!writer.failed);
    return writer_done(&writer);
}

/* Errors: KEYFILE_NO_MEMORY, also when the library has no memory for its work. */
static CHECKED enum keyfile_fault derive(const struct keyfile *file, struct bytes passphrase,
                                         uint8_t **out)
{
    uint8_t *key = secret_take(KEY_BYTES);

    if (key == NULL ||
        crypto_pwhash_argon2id(key, KEY_BYTES, (const char *)passphrase.at, passphrase.count,
                               file->salt, file->t, (size_t)file->m_kib << 10,
                               crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
        secret_free(key);
        return KEYFILE_NO_MEMORY;
    }
    *out = key;
    return KEYFILE_OK;
}

/* The place of a secret, whose block is taken if need be; NULL without memory. */
static CHECKED uint8_t *secret_place(struct keyfile *file, uint32_t index)
{
    uint8_t **block = &file->secrets[index / BLOCK_KEYS];

    if (*block == NULL) {
        *block = secret_take((size_t)BLOCK_KEYS * KEYFILE_SECRET_BYTES);
    }
    return *block == NULL ? NULL : *block + (size_t)(index % BLOCK_KEYS) * KEYFILE_SECRET_BYTES;
}

static void secrets_free(struct keyfile *file)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        secret_free(file->secrets[i]);
        file->secrets[i] = NULL;
    }
    secret_free(file->key);
    file->key = NULL;
}

static CHECKED enum keyfile_fault take(struct keyfile **out)
{
    struct arena arena;
    struct keyfile *file;

    *out = NULL;
    if (arena_open(&arena, arena_rounded(sizeof *file)) != ERR_OK) {
        return KEYFILE_NO_MEMORY;
    }
    file = arena_must(&arena, sizeof *file);
    file->arena = arena;
    *out = file;
    return KEYFILE_OK;
}

void keyfile_close(struct keyfile *file)
{
    struct arena arena;

    if (file == NULL) {
        return;
    }
    secrets_free(file);
    arena = file->arena;
    arena_close(&arena);
}

enum keyfile_fault keyfile_create(struct bytes passphrase, struct keyfile **out)
{
    enum keyfile_fault result = take(out);

    if (result != KEYFILE_OK) {
        return result;
    }
    (*out)->plain = passphrase.count == 0;
    if (!(*out)->plain) {
        (*out)->m_kib = KEYFILE_M_KIB_MIN;
        (*out)->t = KEYFILE_T_MIN;
        secret_random((*out)->salt, SALT_BYTES);
        result = derive(*out, passphrase, &(*out)->key);
    }
    if (result != KEYFILE_OK) {
        keyfile_close(*out);
        *out = NULL;
        return result;
    }
    (*out)->unlocked = true;
    return KEYFILE_OK;
}

/* --- reading --- */

static CHECKED bool json_number(const json_t *object, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return false;
    }
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static CHECKED bool json_hex(const json_t *object, const char *name, uint8_t *out, size_t count)
{
    const json_t *value = json_object_get(object, name);

    return json_is_string(value) && hex_decode(json_string_value(value), out, count);
}

static CHECKED enum keyfile_fault read_params(struct keyfile *file, const json_t *params)
{
    uint64_t m_kib;
    uint64_t t;
    uint64_t p;

    if (!json_is_object(params) || json_object_size(params) != 4 ||
        !json_number(params, "m_kib", &m_kib) || !json_number(params, "t", &t) ||
        !json_number(params, "p", &p) || !json_hex(params, "salt", file->salt, SALT_BYTES)) {
        return KEYFILE_NOT_JSON;
    }
    if (m_kib < KEYFILE_M_KIB_MIN || m_kib > KEYFILE_M_KIB_MAX || t < KEYFILE_T_MIN ||
        t > KEYFILE_T_MAX || p != LANES) {
        return KEYFILE_WEAK;
    }
    file->m_kib = (uint32_t)m_kib;
    file->t = (uint32_t)t;
    return KEYFILE_OK;
}

/* A key that is plain brings its secret: it goes where secrets are, and stays locked. */
static CHECKED enum keyfile_fault read_key(struct keyfile *file, const json_t *object)
{
    struct entry *entry = &file->entries[file->count];
    uint8_t *secret;
    uint64_t kind;

    if (!json_is_object(object) || json_object_size(object) != (file->plain ? 4 : 5) ||
        !json_number(object, "kind", &kind) || kind < KEYFILE_ACCOUNT || kind > KEYFILE_NODE) {
        return KEYFILE_NOT_JSON;
    }
    entry->key.kind = (enum keyfile_kind)kind;
    if (!json_hex(object, "pub", entry->key.public_key, keyfile_public_bytes(entry->key.kind)) ||
        !json_number(object, "created_ms", &entry->key.created_ms) ||
        entry->key.created_ms > KEYFILE_CREATED_MAX_MS) {
        return KEYFILE_NOT_JSON;
    }
    if (file->plain) {
        secret = secret_place(file, file->count);
        if (secret == NULL) {
            return KEYFILE_NO_MEMORY;
        }
        if (!json_hex(object, "ct", secret, KEYFILE_SECRET_BYTES)) {
            return KEYFILE_NOT_JSON;
        }
    } else if (!json_hex(object, "nonce", entry->nonce, NONCE_BYTES) ||
               !json_hex(object, "ct", entry->sealed, SEALED_BYTES)) {
        return KEYFILE_NOT_JSON;
    }
    file->count += 1;
    return KEYFILE_OK;
}

static CHECKED enum keyfile_fault read_keys(struct keyfile *file, const json_t *keys)
{
    enum keyfile_fault result = KEYFILE_OK;

    if (!json_is_array(keys)) {
        return KEYFILE_NOT_JSON;
    }
    if (json_array_size(keys) == 0) {
        return KEYFILE_EMPTY;
    }
    if (json_array_size(keys) > KEYFILE_KEYS_MAX) {
        return KEYFILE_TOO_MANY;
    }
    for (size_t i = 0; i < json_array_size(keys) && result == KEYFILE_OK; i++) {
        result = read_key(file, json_array_get(keys, i));
    }
    return result;
}

/* Version and kdf come first: what a later version looks like is not ours to call malformed. */
static CHECKED enum keyfile_fault read_file(struct keyfile *file, const json_t *object)
{
    const json_t *kdf = json_object_get(object, "kdf");
    enum keyfile_fault result = KEYFILE_OK;
    uint64_t version;

    if (!json_is_object(object) || !json_number(object, "v", &version)) {
        return KEYFILE_NOT_JSON;
    }
    if (version != VERSION) {
        return KEYFILE_VERSION;
    }
    if (!json_is_string(kdf)) {
        return KEYFILE_NOT_JSON;
    }
    file->plain = strcmp(json_string_value(kdf), "none") == 0;
    if (!file->plain && strcmp(json_string_value(kdf), "argon2id") != 0) {
        return KEYFILE_VERSION;
    }
    if (json_object_size(object) != (file->plain ? 3 : 4)) {
        return KEYFILE_NOT_JSON;
    }
    if (!file->plain) {
        result = read_params(file, json_object_get(object, "kdf_params"));
    }
    return result == KEYFILE_OK ? read_keys(file, json_object_get(object, "keys")) : result;
}

enum keyfile_fault keyfile_open(struct bytes json, struct keyfile **out)
{
    enum keyfile_fault result;
    json_t *object;

    *out = NULL;
    if (json.count > KEYFILE_BYTES_MAX) {
        return KEYFILE_TOO_MANY;
    }
    object = json_loadb((const char *)json.at, json.count, JSON_REJECT_DUPLICATES, NULL);
    if (object == NULL) {
        return KEYFILE_NOT_JSON;
    }
    result = take(out);
    if (result == KEYFILE_OK) {
        result = read_file(*out, object);
    }
    json_decref(object);
    if (result != KEYFILE_OK) {
        keyfile_close(*out);
        *out = NULL;
    }
    return result;
}

/* Open one secret, unless it is plain and lies there already, and compare it with its public key. */
static CHECKED enum keyfile_fault unlock_key(struct keyfile *file, const uint8_t *key,
                                             uint32_t index)
{
    const struct entry *entry = &file->entries[index];
    uint8_t *secret = secret_place(file, index);
    uint8_t associated[ASSOCIATED_MAX];
    uint8_t public_key[KEYFILE_PUBLIC_MAX];
    struct bytes bound;

    if (secret == NULL) {
        return KEYFILE_NO_MEMORY;
    }
    if (!file->plain) {
        bound = associated_of(file, &entry->key, associated);
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(secret, NULL, NULL, entry->sealed,
                                                       SEALED_BYTES, bound.at, bound.count,
                                                       entry->nonce, key) != 0) {
            return KEYFILE_WRONG;
        }
    }
    if (!public_of(entry->key.kind, secret, public_key) ||
        memcmp(public_key, entry->key.public_key, KEYFILE_PUBLIC_MAX) != 0) {
        return KEYFILE_PUBLIC_DIFFERS;
    }
    return KEYFILE_OK;
}

enum keyfile_fault keyfile_unlock(struct keyfile *file, struct bytes passphrase)
{
    enum keyfile_fault result = KEYFILE_OK;
    uint8_t *key = NULL;

    if (file->unlocked) {
        return KEYFILE_OK;
    }
    if (!file->plain) {
        result = derive(file, passphrase, &key);
    }
    for (uint32_t i = 0; i < file->count && result == KEYFILE_OK; i++) {
        result = unlock_key(file, key, i);
    }
    file->unlocked = result == KEYFILE_OK;
    if (file->unlocked) {
        file->key = key;
    } else {
        secret_free(key);
        if (!file->plain) {
            secrets_free(file);
        }
    }
    return result;
}

/* --- use --- */

bool keyfile_plain(const struct keyfile *file)
{
    return file->plain;
}

uint32_t keyfile_count(const struct keyfile *file)
{
    return file->count;
}

struct keyfile_key keyfile_key_at(const struct keyfile *file, uint32_t index)
{
    INVARIANT(index < file->count);
    return file->entries[index].key;
}

const uint8_t *keyfile_secret(const struct keyfile *file, uint32_t index)
{
    INVARIANT(index < file->count);
    if (!file->unlocked) {
        return NULL;
    }
    return file->secrets[index / BLOCK_KEYS] + (size_t)(index % BLOCK_KEYS) * KEYFILE_SECRET_BYTES;
}

enum keyfile_fault keyfile_add(struct keyfile *file, enum keyfile_kind kind, const uint8_t *secret,
                               uint64_t created_ms)
{
    struct entry *entry;
    uint8_t *place;
    uint8_t associated[ASSOCIATED_MAX];
    struct bytes bound;

    INVARIANT(created_ms <= KEYFILE_CREATED_MAX_MS);
    if (!file->unlocked) {
        return KEYFILE_LOCKED;
    }
    if (file->count == KEYFILE_KEYS_MAX) {
        return KEYFILE_TOO_MANY;
    }
    place = secret_place(file, file->count);
    if (place == NULL) {
        return KEYFILE_NO_MEMORY;
    }
    if (secret != NULL) {
        memcpy(place, secret, KEYFILE_SECRET_BYTES);
    } else {
        /* A random number is no secret of an account with a chance of 2^-128: then NOT_SECRET is the answer. */
        secret_random(place, KEYFILE_SECRET_BYTES);
    }
    entry = &file->entries[file->count];
    entry->key.kind = kind;
    entry->key.created_ms = created_ms;
    if (!public_of(kind, place, entry->key.public_key)) {
        seal_wipe(place, KEYFILE_SECRET_BYTES);
        return KEYFILE_NOT_SECRET;
    }
    if (!file->plain) {
        secret_random(entry->nonce, NONCE_BYTES);
        bound = associated_of(file, &entry->key, associated);
        INVARIANT(crypto_aead_xchacha20poly1305_ietf_encrypt(
                      entry->sealed, NULL, place, KEYFILE_SECRET_BYTES, bound.at, bound.count, NULL,
                      entry->nonce, file->key) == 0);
    }
    file->count += 1;
    return KEYFILE_OK;
}

/* --- writing: a form so small that no library prints it, so that no plain secret is left in its memory --- */

static void text_add(struct writer *writer, const char *text)
{
    writer_bytes(writer, text, strlen(text));
}

static void text_number(struct writer *writer, const char *name, uint64_t value)
{
    char digits[64];

    (void)snprintf(digits, sizeof digits, "\"%s\":%" PRIu64, name, value);
    text_add(writer, digits);
}

/* Straight into the text: the bytes may be a secret.  hex_encode ends with a zero, which the next part replaces. */
static void text_hex(struct writer *writer, const char *name, const uint8_t *at, size_t count)
{
    text_add(writer, "\"");
    text_add(writer, name);
    text_add(writer, "\":\"");
    INVARIANT(!writer->failed && 2 * count + 1 <= writer->size - writer->used);
    hex_encode(bytes_of(at, count), (char *)writer->at + writer->used);
    writer->used += 2 * count;
    text_add(writer, "\"");
}

static void text_key(struct writer *writer, const struct keyfile *file, uint32_t index)
{
    const struct entry *entry = &file->entries[index];

    text_add(writer, index == 0 ? "\n{" : ",\n{");
    text_number(writer, "kind", (uint64_t)entry->key.kind);
    text_add(writer, ",");
    text_hex(writer, "pub", entry->key.public_key, keyfile_public_bytes(entry->key.kind));
    text_add(writer, ",");
    if (file->plain) {
        text_hex(writer, "ct", keyfile_secret(file, index), KEYFILE_SECRET_BYTES);
    } else {
        text_hex(writer, "nonce", entry->nonce, NONCE_BYTES);
        text_add(writer, ",");
        text_hex(writer, "ct", entry->sealed, SEALED_BYTES);
    }
    text_add(writer, ",");
    text_number(writer, "created_ms", entry->key.created_ms);
    text_add(writer, "}");
}

enum keyfile_fault keyfile_text(const struct keyfile *file, char **out)
{
    const size_t size = TEXT_HEAD_MAX + (size_t)TEXT_KEY_MAX * file->count;
    struct writer writer;

    *out = NULL;
    if (!file->unlocked) {
        return KEYFILE_LOCKED;
    }
    if (file->count == 0) {
        return KEYFILE_EMPTY;
    }
    writer = writer_of(secret_take(size), size);
    if (writer.at == NULL) {
        return KEYFILE_NO_MEMORY;
    }
    text_add(&writer, "{");
    text_number(&writer, "v", VERSION);
    if (file->plain) {
        text_add(&writer, ",\"kdf\":\"none\"");
    } else {
        text_add(&writer, ",\"kdf\":\"argon2id\",\"kdf_params\":{");
        text_number(&writer, "m_kib", file->m_kib);
        text_add(&writer, ",");
        text_number(&writer, "t", file->t);
        text_add(&writer, ",");
        text_number(&writer, "p", LANES);
        text_add(&writer, ",");
        text_hex(&writer, "salt", file->salt, SALT_BYTES);
        text_add(&writer, "}");
    }
    text_add(&writer, ",\"keys\":[");
    for (uint32_t i = 0; i < file->count; i++) {
        text_key(&writer, file, i);
    }
    text_add(&writer, "\n]}\n");
    writer_zeros(&writer, 1);
    INVARIANT(!writer.failed);
    *out = (char *)writer.at;
    return KEYFILE_OK;
}

void keyfile_text_free(char *text)
{
    secret_free(text);
}

void keyfile_name(const struct keyfile_key *key, char out[KEYFILE_NAME_BYTES])
{
    uint8_t hash[HASH_BYTES];

    hash_of(TAG_KEYFILE, bytes_of(key->public_key, keyfile_public_bytes(key->kind)), hash);
    hex_encode(bytes_of(hash, (KEYFILE_NAME_BYTES - 1) / 2), out);
}

const char *keyfile_fault_text(enum keyfile_fault fault)
{
    switch (fault) {
    case KEYFILE_OK:
        return "no fault";
    case KEYFILE_NOT_JSON:
        return "not a key file: not JSON, or a field is missing, unknown, twice or malformed";
    case KEYFILE_VERSION:
        return "a key file of a version or derivation that this program does not know";
    case KEYFILE_WEAK:
        return "derivation parameters outside m_kib 65536..1048576, t 3..10, p 1";
    case KEYFILE_EMPTY:
        return "the key file holds no key";
    case KEYFILE_TOO_MANY:
        return "more than 10000 keys, or more than 8 MiB";
    case KEYFILE_WRONG:
        return "wrong passphrase, or the key file is damaged";
    case KEYFILE_PUBLIC_DIFFERS:
        return "a secret in the key file does not belong to its public key";
    case KEYFILE_NOT_SECRET:
        return "these bytes are no secret key of this kind";
    case KEYFILE_NO_MEMORY:
        return "no memory";
    case KEYFILE_LOCKED:
        return "the key file is locked";
    }
    return "?";
}

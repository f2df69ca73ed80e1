/*
 * tests/fuzz/crypto_keyfile.c -- any bytes as a key file.
 *
 * What opens can be listed; what is plain is unlocked, written and read again, and must then be the same.  A
 * sealed file is not unlocked: argon2id would be all that is tested.
 */
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void list(const struct keyfile *file)
{
    INVARIANT(keyfile_count(file) > 0 && keyfile_count(file) <= KEYFILE_KEYS_MAX);
    for (uint32_t i = 0; i < keyfile_count(file); i++) {
        const struct keyfile_key key = keyfile_key_at(file, i);
        char name[KEYFILE_NAME_BYTES];

        keyfile_name(&key, name);
        INVARIANT(strlen(name) == KEYFILE_NAME_BYTES - 1);
        INVARIANT(key.kind >= KEYFILE_ACCOUNT && key.kind <= KEYFILE_NODE);
        INVARIANT(key.created_ms <= KEYFILE_CREATED_MAX_MS);
        INVARIANT(keyfile_secret(file, i) == NULL);
    }
}

static void compare(const struct keyfile *one, const struct keyfile *other)
{
    INVARIANT(keyfile_count(one) == keyfile_count(other));
    for (uint32_t i = 0; i < keyfile_count(one); i++) {
        const struct keyfile_key a = keyfile_key_at(one, i);
        const struct keyfile_key b = keyfile_key_at(other, i);

        INVARIANT(a.kind == b.kind && a.created_ms == b.created_ms);
        INVARIANT(memcmp(a.public_key, b.public_key, KEYFILE_PUBLIC_MAX) == 0);
        INVARIANT(memcmp(keyfile_secret(one, i), keyfile_secret(other, i), KEYFILE_SECRET_BYTES) ==
                  0);
    }
}

static void write_and_read(const struct keyfile *file)
{
    struct keyfile *again;
    char *text;
    char *second;

    INVARIANT(keyfile_text(file, &text) == KEYFILE_OK);
    INVARIANT(keyfile_open(bytes_of(text, strlen(text)), &again) == KEYFILE_OK);
    INVARIANT(keyfile_unlock(again, bytes_of(NULL, 0)) == KEYFILE_OK);
    compare(file, again);
    INVARIANT(keyfile_text(again, &second) == KEYFILE_OK);
    INVARIANT(strcmp(text, second) == 0);
    keyfile_text_free(text);
    keyfile_text_free(second);
    keyfile_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keyfile *file;

    INVARIANT(crypto_start() == ERR_OK);
    if (keyfile_open(bytes_of(data, size), &file) != KEYFILE_OK) {
        INVARIANT(file == NULL);
        return 0;
    }
    list(file);
    if (keyfile_plain(file)) {
        if (keyfile_unlock(file, bytes_of(NULL, 0)) == KEYFILE_OK) {
            write_and_read(file);
        } else {
            list(file);
        }
    }
    keyfile_close(file);
    return 0;
}

#include "crypto/secret.h"

#include <sodium.h>

enum { SECRET_ALIGN = 16 };

enum err crypto_start(void)
{
    return sodium_init() < 0 ? ERR_IO : ERR_OK;
}

void secret_random(uint8_t *out, size_t count)
{
    randombytes_buf(out, count);
}

void seal_wipe(void *at, size_t count)
{
    sodium_memzero(at, count);
}

void *secret_take(size_t count)
{
    const size_t rounded = (count + (SECRET_ALIGN - 1U)) & ~(size_t)(SECRET_ALIGN - 1U);

    if (rounded < count) {
        return NULL;
    }
    /* The library puts the end at a guard page: only a rounded size begins at an aligned address. */
    return sodium_malloc(rounded);
}

void secret_free(void *at)
{
    sodium_free(at);
}

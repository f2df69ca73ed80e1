/*
 * crypto/secret.h -- random bytes, memory for secrets, and forgetting them.
 */
#ifndef CRYPTO_SECRET_H
#define CRYPTO_SECRET_H

#include "base/bytes.h"
#include "base/err.h"

/* Start the library, once, before anything else of this room.  Errors: ERR_IO if it refuses. */
CHECKED enum err crypto_start(void);

/* Bytes from the operating system's generator, which blocks until it is seeded. */
void secret_random(uint8_t *out, size_t count);

/* Overwrite, so that the compiler does not leave it out. */
void seal_wipe(void *at, size_t count);

/* Locked, guarded memory that is left out of core dumps; NULL when there is none.  Free with secret_free. */
CHECKED void *secret_take(size_t count);

/* Wipe and give back.  Accepts NULL. */
void secret_free(void *at);

#endif /* CRYPTO_SECRET_H */

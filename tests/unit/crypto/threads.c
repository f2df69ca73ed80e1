/* tests/unit/crypto/threads.c -- the first signatures of a process come from many threads at once. */
#include <pthread.h>
#include <string.h>

#include "crypto/ecdsa.h"
#include "tests/check.h"

enum { THREADS = 8, ROUNDS = 20 };

static pthread_barrier_t barrier;

struct work {
    pthread_t thread;
    uint8_t number;
    uint32_t good;
};

static void *sign_and_verify(void *context)
{
    struct work *work = context;
    uint8_t secret[ECDSA_SECRET_BYTES] = {1};
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
    uint8_t digest[HASH_BYTES] = {0};

    secret[1] = work->number;
    (void)pthread_barrier_wait(&barrier);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        digest[0] = (uint8_t)i;
        work->good += ecdsa_public(secret, public_key) && ecdsa_sign(secret, digest, signature) &&
                      ecdsa_verify(public_key, digest, signature);
    }
    return NULL;
}

TEST(threads_that_sign_first_share_a_context)
{
    struct work works[THREADS];

    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    memset(works, 0, sizeof works);
    for (uint32_t i = 0; i < THREADS; i++) {
        works[i].number = (uint8_t)i;
        CHECK(pthread_create(&works[i].thread, NULL, sign_and_verify, &works[i]) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        CHECK(pthread_join(works[i].thread, NULL) == 0);
        CHECK_U64(works[i].good, ==, ROUNDS);
    }
    CHECK(pthread_barrier_destroy(&barrier) == 0);
}

TESTS(TEST_ENTRY(threads_that_sign_first_share_a_context))

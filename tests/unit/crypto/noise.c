/* tests/unit/crypto/noise.c -- the handshake with itself, with public vectors, and with a hostile wire. */
#include "crypto/noise.h"

#include <sodium.h>
#include <string.h>

#include "base/random.h"
#include "tests/check.h"
#include "tests/json.h"

struct pair {
    struct noise_handshake a; /* initiator */
    struct noise_handshake b;
};

/* Test secrets: 32 times one byte. */
static void pair_begin(struct pair *pair)
{
    uint8_t secrets[4][NOISE_KEY_BYTES];

    for (int i = 0; i < 4; i++) {
        memset(secrets[i], i + 1, NOISE_KEY_BYTES);
    }
    noise_begin(&pair->a, true, bytes_of("sx/1", 4), secrets[0], secrets[1]);
    noise_begin(&pair->b, false, bytes_of("sx/1", 4), secrets[2], secrets[3]);
}

/*
 * Carry message `number` across, with one byte changed if `flip` is a place in it.  True if the reader took it.
 */
static bool carry(struct pair *pair, uint32_t number, size_t flip, size_t *count)
{
    struct noise_handshake *writer = number == 1 ? &pair->b : &pair->a;
    struct noise_handshake *reader = number == 1 ? &pair->a : &pair->b;
    uint8_t message[NOISE_HANDSHAKE_MAX];
    uint8_t payload[64];
    size_t payload_count;

    CHECK(noise_write(writer, bytes_of("payload", 7), message, sizeof message, count));
    if (flip < *count) {
        message[flip] ^= 1;
    }
    if (!noise_read(reader, bytes_of(message, *count), payload, sizeof payload, &payload_count)) {
        return false;
    }
    CHECK_U64(payload_count, ==, 7);
    return true;
}

static void pair_finish(struct pair *pair)
{
    size_t count;

    pair_begin(pair);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(carry(pair, i, SIZE_MAX, &count));
    }
}

static bool is_dead(const struct noise_handshake *handshake)
{
    struct noise_handshake copy = *handshake;
    struct noise_cipher one;
    struct noise_cipher other;

    return bytes_zero(copy.s_secret, NOISE_KEY_BYTES) &&
           bytes_zero(copy.e_secret, NOISE_KEY_BYTES) &&
           bytes_zero(copy.chaining_key, NOISE_KEY_BYTES) &&
           bytes_zero(copy.cipher.key, NOISE_KEY_BYTES) && !noise_split(&copy, &one, &other);
}

TEST(both_sides_agree)
{
    struct pair pair;
    struct noise_cipher a_sends;
    struct noise_cipher a_receives;
    struct noise_cipher b_sends;
    struct noise_cipher b_receives;

    pair_finish(&pair);
    CHECK_BYTES(bytes_of(pair.a.hash, 32), bytes_of(pair.b.hash, 32));
    CHECK(noise_split(&pair.a, &a_sends, &a_receives));
    CHECK(noise_split(&pair.b, &b_sends, &b_receives));
    CHECK_BYTES(bytes_of(a_sends.key, 32), bytes_of(b_receives.key, 32));
    CHECK_BYTES(bytes_of(b_sends.key, 32), bytes_of(a_receives.key, 32));
    CHECK(memcmp(a_sends.key, b_sends.key, 32) != 0);
    CHECK(a_sends.nonce == 0 && a_receives.nonce == 0);
    CHECK_BYTES(bytes_of(pair.a.remote_s, 32), bytes_of(pair.b.s_public, 32));
    CHECK_BYTES(bytes_of(pair.b.remote_s, 32), bytes_of(pair.a.s_public, 32));
    CHECK(is_dead(&pair.a) && is_dead(&pair.b));
}

TEST(messages_have_the_sizes_of_the_pattern)
{
    struct pair pair;
    size_t count;

    pair_begin(&pair);
    CHECK(carry(&pair, 0, SIZE_MAX, &count));
    CHECK_U64(count, ==, 32 + 7);
    CHECK(carry(&pair, 1, SIZE_MAX, &count));
    CHECK_U64(count, ==, 96 + 7);
    CHECK(carry(&pair, 2, SIZE_MAX, &count));
    CHECK_U64(count, ==, 64 + 7);
}

/* A byte changed anywhere in any message: no two sides ever end up with a session. */
TEST(each_changed_byte_ends_the_handshake)
{
    static const size_t sizes[] = {39, 103, 71};
    uint32_t tried = 0;

    for (uint32_t number = 0; number < 3; number++) {
        for (size_t flip = 0; flip < sizes[number]; flip++) {
            struct pair pair;
            size_t count;
            bool alive = true;

            pair_begin(&pair);
            for (uint32_t i = 0; i < 3 && alive; i++) {
                alive = carry(&pair, i, i == number ? flip : SIZE_MAX, &count);
            }
            CHECK(!alive);
            CHECK(is_dead(&pair.a) || is_dead(&pair.b));
            tried += 1;
        }
    }
    CHECK_U64(tried, ==, 213);
}

TEST(another_prologue_ends_the_handshake)
{
    const uint8_t secret[NOISE_KEY_BYTES] = {9};
    struct pair pair;
    size_t count;

    pair_begin(&pair);
    noise_begin(&pair.b, false, bytes_of("sx/2", 4), secret, secret);
    CHECK(carry(&pair, 0, SIZE_MAX, &count)); /* nothing is sealed yet */
    CHECK(!carry(&pair, 1, SIZE_MAX, &count));
}

/* All points that give zeros with every secret, in the encodings that X25519 takes. */
static const char *const zeros[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

TEST(an_exchange_that_gives_zeros_is_refused)
{
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++) {
        uint8_t message[NOISE_HANDSHAKE_MAX] = {0};
        struct pair pair;
        size_t count;

        /* As e of the initiator: it is taken, and the answer that needs it is refused. */
        pair_begin(&pair);
        CHECK(hex_decode(zeros[i], message, 32));
        CHECK(noise_read(&pair.b, bytes_of(message, 32), NULL, 0, &count));
        CHECK(!noise_write(&pair.b, bytes_of(NULL, 0), message, sizeof message, &count));
        CHECK(is_dead(&pair.b));

        /* As e of the responder. */
        pair_begin(&pair);
        CHECK(noise_write(&pair.a, bytes_of(NULL, 0), message, sizeof message, &count));
        CHECK(hex_decode(zeros[i], message, 32));
        CHECK(!noise_read(&pair.a, bytes_of(message, 96), NULL, 0, &count));
        CHECK(is_dead(&pair.a));
    }
}

/* A peer that seals a static key of small order well: nobody has its secret, so it must not pass. */
TEST(a_static_key_that_gives_zeros_is_refused)
{
    uint8_t message[NOISE_HANDSHAKE_MAX];
    struct pair pair;
    size_t count;

    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++) {
        pair_begin(&pair);
        CHECK(hex_decode(zeros[i], pair.a.s_public, 32));
        CHECK(carry(&pair, 0, SIZE_MAX, &count));
        CHECK(carry(&pair, 1, SIZE_MAX, &count));
        CHECK(noise_write(&pair.a, bytes_of(NULL, 0), message, sizeof message, &count));
        CHECK(!noise_read(&pair.b, bytes_of(message, count), NULL, 0, &count));
        CHECK(is_dead(&pair.b));
    }
}

TEST(whose_turn_it_is_not_dies)
{
    uint8_t message[NOISE_HANDSHAKE_MAX];
    struct pair pair;
    size_t count;

    pair_begin(&pair);
    CHECK(!noise_write(&pair.b, bytes_of(NULL, 0), message, sizeof message, &count));
    CHECK(is_dead(&pair.b));
    memset(message, 9, 32);
    CHECK(!noise_read(&pair.a, bytes_of(message, 32), NULL, 0, &count));
    CHECK(is_dead(&pair.a));
    CHECK(!noise_write(&pair.a, bytes_of(NULL, 0), message, sizeof message, &count));

    pair_finish(&pair);
    CHECK(!noise_write(&pair.b, bytes_of(NULL, 0), message, sizeof message, &count));
    CHECK(!noise_write(&pair.a, bytes_of(NULL, 0), message, sizeof message, &count));
    CHECK(is_dead(&pair.a) && is_dead(&pair.b));
}

TEST(no_split_before_the_end)
{
    struct noise_cipher one = {{1}, 1};
    struct noise_cipher other = {{2}, 2};
    struct pair pair;
    size_t count;

    for (uint32_t done = 0; done < 3; done++) {
        pair_begin(&pair);
        for (uint32_t i = 0; i < done; i++) {
            CHECK(carry(&pair, i, SIZE_MAX, &count));
        }
        CHECK(!noise_split(&pair.a, &one, &other));
        CHECK(one.nonce == 1 && other.nonce == 2);
        CHECK(is_dead(&pair.a));
    }
}

/* Both sides where message `number` is next; gives who writes it. */
static struct noise_handshake *pair_before(struct pair *pair, uint32_t number)
{
    size_t count;

    pair_begin(pair);
    for (uint32_t i = 0; i < number; i++) {
        CHECK(carry(pair, i, SIZE_MAX, &count));
    }
    return number == 1 ? &pair->b : &pair->a;
}

static struct noise_handshake *other_side(struct pair *pair, const struct noise_handshake *side)
{
    return side == &pair->a ? &pair->b : &pair->a;
}

static const size_t overheads[] = {32, 96, 64};

TEST(a_buffer_too_small_ends_the_handshake)
{
    uint8_t message[NOISE_HANDSHAKE_MAX];
    uint8_t payload[10] = {0};
    struct pair pair;
    size_t count;

    for (uint32_t number = 0; number < 3; number++) {
        const size_t size = overheads[number] + sizeof payload;
        struct noise_handshake *writer = pair_before(&pair, number);

        CHECK(!noise_write(writer, bytes_of(payload, sizeof payload), message, size - 1, &count));
        CHECK(is_dead(writer));

        writer = pair_before(&pair, number);
        CHECK(noise_write(writer, bytes_of(payload, sizeof payload), message, size, &count));
        CHECK_U64(count, ==, size);
        CHECK(!noise_read(other_side(&pair, writer), bytes_of(message, count), payload,
                          sizeof payload - 1, &count));
        CHECK(is_dead(other_side(&pair, writer)));
    }
}

TEST(messages_too_short_or_too_long_end_the_handshake)
{
    static uint8_t message[NOISE_HANDSHAKE_MAX + 1];
    static uint8_t payload[NOISE_HANDSHAKE_MAX];
    struct pair pair;
    size_t count;

    for (uint32_t number = 0; number < 3; number++) {
        struct noise_handshake *writer = pair_before(&pair, number);
        struct noise_handshake *reader = other_side(&pair, writer);

        CHECK(!noise_read(reader, bytes_of(message, overheads[number] - 1), payload, 10, &count));
        CHECK(is_dead(reader));
        CHECK(!noise_write(writer, bytes_of(payload, 4097), message, sizeof message, &count));
        CHECK(is_dead(writer));

        writer = pair_before(&pair, number);
        reader = other_side(&pair, writer);
        CHECK(!noise_read(reader, bytes_of(message, sizeof message), payload, sizeof payload,
                          &count));
        CHECK(is_dead(reader));

        /* The longest payload passes. */
        writer = pair_before(&pair, number);
        reader = other_side(&pair, writer);
        CHECK(noise_write(writer, bytes_of(payload, 4096), message, sizeof message, &count));
        CHECK_U64(count, ==, overheads[number] + 4096);
        CHECK(noise_read(reader, bytes_of(message, count), payload, 4096, &count));
        CHECK_U64(count, ==, 4096);
    }
}

/* --- transport --- */

TEST(records_go_both_ways_in_order)
{
    struct pair pair;
    struct noise_cipher a[2]; /* sends, receives */
    struct noise_cipher b[2];
    struct random random = {.state = 3};
    uint8_t plain[300];
    uint8_t wire[sizeof plain + NOISE_TAG_BYTES];

    pair_finish(&pair);
    CHECK(noise_split(&pair.a, &a[0], &a[1]));
    CHECK(noise_split(&pair.b, &b[0], &b[1]));
    for (uint32_t i = 0; i < 200; i++) {
        const size_t count = random_below(&random, sizeof plain + 1);
        struct noise_cipher *sends = i % 3 == 0 ? &b[0] : &a[0];
        struct noise_cipher *receives = i % 3 == 0 ? &a[1] : &b[1];

        for (size_t k = 0; k < count; k++) {
            plain[k] = (uint8_t)random_next(&random);
        }
        memcpy(wire, plain, count);
        noise_seal(sends, bytes_of(wire, count), wire); /* in place */
        CHECK(noise_open(receives, bytes_of(wire, count + NOISE_TAG_BYTES), wire));
        CHECK_BYTES(bytes_of(wire, count), bytes_of(plain, count));
        CHECK_U64(sends->nonce, ==, receives->nonce);
        if (i % 50 == 7) {
            noise_rekey(sends);
            noise_rekey(receives);
        }
    }
    CHECK_U64(a[0].nonce + b[0].nonce, ==, 200);
}

TEST(a_failed_open_leaves_the_nonce)
{
    struct noise_cipher sends = {.key = {7}};
    struct noise_cipher receives = {.key = {7}};
    uint8_t wire[5 + NOISE_TAG_BYTES];
    uint8_t next[5 + NOISE_TAG_BYTES];
    uint8_t plain[5];

    noise_seal(&sends, bytes_of("hello", 5), wire);
    noise_seal(&sends, bytes_of("again", 5), next);
    for (size_t i = 0; i < sizeof wire * 8; i++) {
        wire[i / 8] ^= (uint8_t)(1U << i % 8);
        CHECK(!noise_open(&receives, bytes_of(wire, sizeof wire), plain));
        wire[i / 8] ^= (uint8_t)(1U << i % 8);
        CHECK_U64(receives.nonce, ==, 0);
    }
    for (size_t count = 0; count < sizeof wire; count++) {
        CHECK(!noise_open(&receives, bytes_of(wire, count), plain));
    }
    CHECK(!noise_open(&receives, bytes_of(next, sizeof next), plain)); /* too early */
    CHECK(noise_open(&receives, bytes_of(wire, sizeof wire), plain));
    CHECK(!noise_open(&receives, bytes_of(wire, sizeof wire), plain)); /* a second time */
    CHECK_U64(receives.nonce, ==, 1);
    CHECK(noise_open(&receives, bytes_of(next, sizeof next), plain));
    CHECK(memcmp(plain, "again", 5) == 0);
}

/* Section 5.1: nonces as four zero bytes and a little-endian number. */
TEST(the_nonce_is_little_endian)
{
    const uint8_t nonce[12] = {0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1};
    struct noise_cipher cipher = {.key = {1, 2, 3}, .nonce = UINT64_C(0x0102030405060708)};
    uint8_t expected[3 + NOISE_TAG_BYTES];
    uint8_t out[3 + NOISE_TAG_BYTES];

    CHECK(crypto_aead_chacha20poly1305_ietf_encrypt(expected, NULL, (const uint8_t *)"abc", 3, NULL,
                                                    0, NULL, nonce, cipher.key) == 0);
    noise_seal(&cipher, bytes_of("abc", 3), out);
    CHECK_BYTES(bytes_of(out, sizeof out), bytes_of(expected, sizeof expected));
}

TEST(the_last_nonce_is_not_used)
{
    struct noise_cipher sends = {.key = {1}, .nonce = UINT64_MAX - 1};
    struct noise_cipher receives = sends;
    uint8_t wire[NOISE_TAG_BYTES];
    uint8_t last[12] = {0};

    noise_seal(&sends, bytes_of(NULL, 0), wire);
    CHECK(noise_open(&receives, bytes_of(wire, sizeof wire), wire));
    CHECK_U64(receives.nonce, ==, UINT64_MAX);
    memset(last + 4, 0xff, 8);
    CHECK(crypto_aead_chacha20poly1305_ietf_encrypt(wire, NULL, NULL, 0, NULL, 0, NULL, last,
                                                    receives.key) == 0);
    CHECK(!noise_open(&receives, bytes_of(wire, sizeof wire), wire));
    CHECK_ABORTS(noise_seal(&sends, bytes_of(NULL, 0), wire));
}

/* Section 4.2: the first 32 bytes of ENCRYPT(k, 2^64 - 1, nothing, 32 zeros). */
TEST(rekey_is_that_of_the_specification)
{
    const uint8_t zero[32] = {0};
    uint8_t last[12] = {0};
    uint8_t expected[32 + NOISE_TAG_BYTES];
    struct noise_cipher cipher = {.key = {5, 6}, .nonce = 77};

    memset(last + 4, 0xff, 8);
    CHECK(crypto_aead_chacha20poly1305_ietf_encrypt(expected, NULL, zero, 32, NULL, 0, NULL, last,
                                                    cipher.key) == 0);
    noise_rekey(&cipher);
    CHECK_BYTES(bytes_of(cipher.key, 32), bytes_of(expected, 32));
    CHECK_U64(cipher.nonce, ==, 77);
}

/* --- public vectors --- */

static struct noise_handshake vector_side(const json_t *vector, bool initiator)
{
    struct noise_handshake side;

    noise_begin(&side, initiator, json_bytes(vector, initiator ? "init_prologue" : "resp_prologue"),
                json_exact(vector, initiator ? "init_static" : "resp_static", 32),
                json_exact(vector, initiator ? "init_ephemeral" : "resp_ephemeral", 32));
    return side;
}

static void vector_handshake(struct pair *pair, const json_t *messages)
{
    for (size_t i = 0; i < 3; i++) {
        const json_t *one = json_array_get(messages, i);
        uint8_t wire[NOISE_HANDSHAKE_MAX];
        uint8_t payload[256];
        size_t count;

        CHECK(noise_write(i == 1 ? &pair->b : &pair->a, json_bytes(one, "payload"), wire,
                          sizeof wire, &count));
        CHECK_BYTES(bytes_of(wire, count), json_bytes(one, "ciphertext"));
        CHECK(noise_read(i == 1 ? &pair->a : &pair->b, bytes_of(wire, count), payload,
                         sizeof payload, &count));
        CHECK_BYTES(bytes_of(payload, count), json_bytes(one, "payload"));
    }
}

/* The records behind the handshake, which the responder begins; gives how many. */
static size_t vector_records(struct pair *pair, const json_t *messages)
{
    struct noise_cipher a[2]; /* sends, receives */
    struct noise_cipher b[2];
    uint8_t wire[512];

    CHECK(noise_split(&pair->a, &a[0], &a[1]));
    CHECK(noise_split(&pair->b, &b[0], &b[1]));
    for (size_t k = 3; k < json_array_size(messages); k++) {
        const json_t *one = json_array_get(messages, k);
        const struct bytes payload = json_bytes(one, "payload");
        const size_t count = payload.count + NOISE_TAG_BYTES;

        CHECK_U64(count, <=, sizeof wire);
        noise_seal(k % 2 == 0 ? &a[0] : &b[0], payload, wire);
        CHECK_BYTES(bytes_of(wire, count), json_bytes(one, "ciphertext"));
        CHECK(noise_open(k % 2 == 0 ? &b[1] : &a[1], bytes_of(wire, count), wire));
        CHECK_BYTES(bytes_of(wire, payload.count), payload);
    }
    return json_array_size(messages) - 3;
}

TEST(public_vectors_hold)
{
    char folder[1024];
    const json_t *vectors;
    size_t records = 0;
    size_t hashes = 0;

    (void)snprintf(folder, sizeof folder, "%s/noise", check_public_vectors());
    vectors = json_list(json_open(folder, "xx_25519_chachapoly_sha256.json"), "vectors");
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        const json_t *vector = json_array_get(vectors, i);
        const json_t *messages = json_list(vector, "messages");
        struct pair pair = {vector_side(vector, true), vector_side(vector, false)};

        CHECK(strcmp(json_text(vector, "protocol_name"), "Noise_XX_25519_ChaChaPoly_SHA256") == 0);
        vector_handshake(&pair, messages);
        CHECK_BYTES(bytes_of(pair.a.hash, 32), bytes_of(pair.b.hash, 32));
        if (json_object_get(vector, "handshake_hash") != NULL) {
            CHECK_BYTES(bytes_of(pair.a.hash, 32), json_bytes(vector, "handshake_hash"));
            hashes += 1;
        }
        records += vector_records(&pair, messages);
    }
    CHECK_U64(json_array_size(vectors), ==, 2);
    CHECK_U64(records, ==, 5);
    CHECK_U64(hashes, ==, 1);
}

TESTS(TEST_ENTRY(both_sides_agree), TEST_ENTRY(messages_have_the_sizes_of_the_pattern),
      TEST_ENTRY(each_changed_byte_ends_the_handshake),
      TEST_ENTRY(another_prologue_ends_the_handshake),
      TEST_ENTRY(an_exchange_that_gives_zeros_is_refused),
      TEST_ENTRY(a_static_key_that_gives_zeros_is_refused), TEST_ENTRY(whose_turn_it_is_not_dies),
      TEST_ENTRY(no_split_before_the_end), TEST_ENTRY(a_buffer_too_small_ends_the_handshake),
      TEST_ENTRY(messages_too_short_or_too_long_end_the_handshake),
      TEST_ENTRY(records_go_both_ways_in_order), TEST_ENTRY(a_failed_open_leaves_the_nonce),
      TEST_ENTRY(the_nonce_is_little_endian), TEST_ENTRY(the_last_nonce_is_not_used),
      TEST_ENTRY(rekey_is_that_of_the_specification), TEST_ENTRY(public_vectors_hold))

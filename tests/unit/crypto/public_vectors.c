/*
 * tests/unit/crypto/public_vectors.c -- the cases of Project Wycheproof for what we use.
 *
 * Each test counts what it ran: a file that lost its cases fails.  Signatures go through crypto; AEADs, X25519
 * and HMAC through the library's functions that noise.c and keyfile.c call.
 */
#include <secp256k1.h>
#include <sodium.h>
#include <string.h>

#include "crypto/ecdsa.h"
#include "crypto/ed25519.h"
#include "tests/check.h"
#include "tests/json.h"

/* What a file's cases came to. */
struct tally {
    size_t cases;
    size_t valid;   /* as stated there */
    size_t refused; /* valid there, and refused by our own rule */
};

static const json_t *groups_of(const char *name)
{
    char folder[1024];

    (void)snprintf(folder, sizeof folder, "%s/wycheproof", check_public_vectors());
    return json_list(json_open(folder, name), "testGroups");
}

static bool says(const json_t *one, const char *result)
{
    return strcmp(json_text(one, "result"), result) == 0;
}

static bool has_flag(const json_t *one, const char *flag)
{
    const json_t *flags = json_field(one, "flags");

    for (size_t i = 0; i < json_array_size(flags); i++) {
        if (strcmp(json_string_value(json_array_get(flags, i)), flag) == 0) {
            return true;
        }
    }
    return false;
}

/* --- ECDSA --- */

static void compressed_key(const json_t *group, uint8_t out[ECDSA_PUBLIC_BYTES])
{
    const struct bytes text = json_bytes(json_field(group, "publicKey"), "uncompressed");
    secp256k1_pubkey key;
    size_t count = ECDSA_PUBLIC_BYTES;

    CHECK(secp256k1_ec_pubkey_parse(secp256k1_context_static, &key, text.at, text.count) == 1);
    CHECK(secp256k1_ec_pubkey_serialize(secp256k1_context_static, out, &count, &key,
                                        SECP256K1_EC_COMPRESSED) == 1);
    CHECK(ecdsa_key_valid(out));
}

static bool verify_message(const uint8_t *key, const json_t *one, const uint8_t *signature)
{
    const struct bytes message = json_bytes(one, "msg");
    uint8_t digest[HASH_BYTES];

    CHECK(crypto_hash_sha256(digest, message.at, message.count) == 0);
    return ecdsa_verify(key, digest, signature);
}

/* Bitcoin's rules are ours, but for the encoding, which is taken off before. */
TEST(ecdsa_agrees_with_the_bitcoin_cases)
{
    const json_t *groups = groups_of("ecdsa_secp256k1_sha256_bitcoin_test.json");
    struct tally tally = {0};

    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *tests = json_list(json_array_get(groups, i), "tests");
        uint8_t key[ECDSA_PUBLIC_BYTES];

        compressed_key(json_array_get(groups, i), key);
        for (size_t k = 0; k < json_array_size(tests); k++) {
            const json_t *one = json_array_get(tests, k);
            const struct bytes der = json_bytes(one, "sig");
            secp256k1_ecdsa_signature parsed;
            uint8_t compact[SIGNATURE_BYTES];
            bool accepted = secp256k1_ecdsa_signature_parse_der(secp256k1_context_static, &parsed,
                                                                der.at, der.count) == 1;

            if (accepted) {
                CHECK(secp256k1_ecdsa_signature_serialize_compact(secp256k1_context_static, compact,
                                                                  &parsed) == 1);
                accepted = verify_message(key, one, compact);
            }
            CHECK(accepted == says(one, "valid"));
            tally.cases += 1;
            tally.valid += accepted;
        }
    }
    CHECK_U64(tally.cases, ==, 463);
    CHECK_U64(tally.valid, ==, 162);
}

static bool high_s(const uint8_t *signature)
{
    uint8_t half[32];

    CHECK(hex_decode("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0", half, 32));
    return memcmp(signature + 32, half, 32) > 0;
}

TEST(ecdsa_refuses_the_high_s_of_the_p1363_cases)
{
    const json_t *groups = groups_of("ecdsa_secp256k1_sha256_p1363_test.json");
    struct tally tally = {0};

    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *tests = json_list(json_array_get(groups, i), "tests");
        uint8_t key[ECDSA_PUBLIC_BYTES];

        compressed_key(json_array_get(groups, i), key);
        for (size_t k = 0; k < json_array_size(tests); k++) {
            const json_t *one = json_array_get(tests, k);
            const struct bytes signature = json_bytes(one, "sig");
            bool accepted = false;

            if (signature.count == SIGNATURE_BYTES) {
                accepted = verify_message(key, one, signature.at);
            }
            if (says(one, "valid") && high_s(signature.at)) {
                CHECK(!accepted);
                tally.refused += 1;
            } else {
                CHECK(accepted == says(one, "valid"));
            }
            tally.cases += 1;
            tally.valid += accepted;
        }
    }
    CHECK_U64(tally.cases, ==, 252);
    CHECK_U64(tally.refused, ==, 72);
    CHECK_U64(tally.valid, ==, 95);
}

TEST(ed25519_agrees)
{
    const json_t *groups = groups_of("ed25519_test.json");
    struct tally tally = {0};

    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);
        const json_t *tests = json_list(group, "tests");
        const uint8_t *key = json_exact(json_field(group, "publicKey"), "pk", ED25519_PUBLIC_BYTES);

        for (size_t k = 0; k < json_array_size(tests); k++) {
            const json_t *one = json_array_get(tests, k);
            const struct bytes signature = json_bytes(one, "sig");
            const bool accepted = signature.count == SIGNATURE_BYTES &&
                                  ed25519_verify(key, json_bytes(one, "msg"), signature.at);

            CHECK(accepted == says(one, "valid"));
            tally.cases += 1;
            tally.valid += accepted;
        }
    }
    CHECK_U64(tally.cases, ==, 151);
    CHECK_U64(tally.valid, ==, 88);
}

/* --- X25519, as noise.c calls it --- */

TEST(x25519_agrees_and_refuses_zeros)
{
    const json_t *groups = groups_of("x25519_test.json");
    struct tally tally = {0};

    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *tests = json_list(json_array_get(groups, i), "tests");

        for (size_t k = 0; k < json_array_size(tests); k++) {
            const json_t *one = json_array_get(tests, k);
            uint8_t shared[32];
            const bool accepted =
                crypto_scalarmult_curve25519(shared, json_exact(one, "private", 32),
                                             json_exact(one, "public", 32)) == 0;

            CHECK(accepted == !has_flag(one, "ZeroSharedSecret"));
            if (accepted) {
                CHECK_BYTES(bytes_of(shared, 32), json_bytes(one, "shared"));
            }
            tally.cases += 1;
            tally.refused += !accepted;
        }
    }
    CHECK_U64(tally.cases, ==, 518);
    CHECK_U64(tally.refused, ==, 31);
}

/* --- AEADs --- */

struct aead {
    size_t nonce_bytes;
    int (*encrypt)(unsigned char *c, unsigned long long *count, const unsigned char *m,
                   unsigned long long m_count, const unsigned char *ad, unsigned long long ad_count,
                   const unsigned char *none, const unsigned char *nonce, const unsigned char *key);
    int (*decrypt)(unsigned char *m, unsigned long long *count, unsigned char *none,
                   const unsigned char *c, unsigned long long c_count, const unsigned char *ad,
                   unsigned long long ad_count, const unsigned char *nonce,
                   const unsigned char *key);
};

static void aead_case(const struct aead *aead, const json_t *one)
{
    const struct bytes plain = json_bytes(one, "msg");
    const struct bytes sealed = json_bytes(one, "ct");
    const struct bytes tag = json_bytes(one, "tag");
    const struct bytes associated = json_bytes(one, "aad");
    const struct bytes nonce = json_bytes(one, "iv");
    const uint8_t *key = json_exact(one, "key", 32);
    uint8_t both[2048];
    uint8_t out[2048];

    CHECK_U64(tag.count, ==, 16);
    CHECK_U64(sealed.count, <=, sizeof both - 16);
    memcpy(both, sealed.at, sealed.count);
    memcpy(both + sealed.count, tag.at, tag.count);
    CHECK((aead->decrypt(out, NULL, NULL, both, sealed.count + 16, associated.at, associated.count,
                         nonce.at, key) == 0) == says(one, "valid"));
    if (says(one, "valid")) {
        CHECK_BYTES(bytes_of(out, plain.count), plain);
        CHECK(aead->encrypt(out, NULL, plain.at, plain.count, associated.at, associated.count, NULL,
                            nonce.at, key) == 0);
        CHECK_BYTES(bytes_of(out, plain.count + 16), bytes_of(both, sealed.count + 16));
    }
}

static struct tally aead_run(const struct aead *aead, const char *name)
{
    const json_t *groups = groups_of(name);
    struct tally tally = {0};

    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *tests = json_list(json_array_get(groups, i), "tests");

        for (size_t k = 0; k < json_array_size(tests); k++) {
            const json_t *one = json_array_get(tests, k);

            if (json_bytes(one, "iv").count == aead->nonce_bytes) {
                aead_case(aead, one);
                tally.valid += says(one, "valid");
            } else {
                /* A nonce of another size cannot be said to the function. */
                CHECK(says(one, "invalid") && has_flag(one, "InvalidNonceSize"));
                tally.refused += 1;
            }
            tally.cases += 1;
        }
    }
    return tally;
}

TEST(chacha20_poly1305_agrees)
{
    const struct aead aead = {12, crypto_aead_chacha20poly1305_ietf_encrypt,
                              crypto_aead_chacha20poly1305_ietf_decrypt};
    const struct tally tally = aead_run(&aead, "chacha20_poly1305_test.json");

    CHECK_U64(tally.cases, ==, 325);
    CHECK_U64(tally.valid, ==, 256);
    CHECK_U64(tally.refused, ==, 9);
}

TEST(xchacha20_poly1305_agrees)
{
    const struct aead aead = {24, crypto_aead_xchacha20poly1305_ietf_encrypt,
                              crypto_aead_xchacha20poly1305_ietf_decrypt};
    const struct tally tally = aead_run(&aead, "xchacha20_poly1305_test.json");

    CHECK_U64(tally.cases, ==, 315);
    CHECK_U64(tally.valid, ==, 246);
    CHECK_U64(tally.refused, ==, 9);
}

/* --- HKDF (RFC 5869) on the HMAC that noise.c calls; its own two outputs are held by the Noise vectors --- */

static void hmac(struct bytes key, struct bytes a, struct bytes b, struct bytes c, uint8_t *out)
{
    crypto_auth_hmacsha256_state state;

    CHECK(crypto_auth_hmacsha256_init(&state, key.at, key.count) == 0);
    CHECK(crypto_auth_hmacsha256_update(&state, a.at, a.count) == 0);
    CHECK(crypto_auth_hmacsha256_update(&state, b.at, b.count) == 0);
    CHECK(crypto_auth_hmacsha256_update(&state, c.at, c.count) == 0);
    CHECK(crypto_auth_hmacsha256_final(&state, out) == 0);
}

static bool hkdf(const json_t *one, uint8_t *out, size_t count)
{
    uint8_t extracted[32];
    uint8_t block[32];
    size_t previous = 0;

    if (count > (size_t)255 * 32) {
        return false;
    }
    hmac(json_bytes(one, "salt"), json_bytes(one, "ikm"), bytes_of("", 0), bytes_of("", 0),
         extracted);
    for (size_t done = 0; done < count; done += 32) {
        const uint8_t number = (uint8_t)(done / 32 + 1);

        hmac(bytes_of(extracted, 32), bytes_of(block, previous), json_bytes(one, "info"),
             bytes_of(&number, 1), block);
        memcpy(out + done, block, count - done < 32 ? count - done : 32);
        previous = 32;
    }
    return true;
}

TEST(hkdf_sha256_agrees)
{
    const json_t *groups = groups_of("hkdf_sha256_test.json");
    struct tally tally = {0};

    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *tests = json_list(json_array_get(groups, i), "tests");

        for (size_t k = 0; k < json_array_size(tests); k++) {
            const json_t *one = json_array_get(tests, k);
            uint8_t out[255 * 32];
            const size_t size = json_count(one, "size");
            const bool accepted = hkdf(one, out, size);

            CHECK(accepted == says(one, "valid"));
            if (accepted) {
                CHECK_BYTES(bytes_of(out, size), json_bytes(one, "okm"));
            }
            tally.cases += 1;
            tally.valid += accepted;
        }
    }
    CHECK_U64(tally.cases, ==, 86);
    CHECK_U64(tally.valid, ==, 83);
}

TESTS(TEST_ENTRY(ecdsa_agrees_with_the_bitcoin_cases),
      TEST_ENTRY(ecdsa_refuses_the_high_s_of_the_p1363_cases), TEST_ENTRY(ed25519_agrees),
      TEST_ENTRY(x25519_agrees_and_refuses_zeros), TEST_ENTRY(chacha20_poly1305_agrees),
      TEST_ENTRY(xchacha20_poly1305_agrees), TEST_ENTRY(hkdf_sha256_agrees))

/* tests/unit/crypto/signatures.c -- both schemes sign, verify and refuse what their headers say. */
#include <string.h>

#include "base/hex.h"
#include "crypto/ecdsa.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "tests/check.h"
#include "tests/json.h"

static void from_hex(const char *text, uint8_t *out, size_t count)
{
    CHECK(hex_decode(text, out, count));
}

/* RFC 8032 7.1, test 2. */
TEST(ed25519_signs_as_the_rfc_says)
{
    uint8_t secret[ED25519_SECRET_BYTES];
    uint8_t expected[SIGNATURE_BYTES];
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
    const struct bytes message = bytes_of("\x72", 1);

    from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", secret, 32);
    from_hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
             "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
             expected, SIGNATURE_BYTES);
    ed25519_public(secret, public_key);
    ed25519_sign(secret, message, signature);
    CHECK_BYTES(bytes_of(signature, SIGNATURE_BYTES), bytes_of(expected, SIGNATURE_BYTES));
    CHECK(ed25519_verify(public_key, message, signature));
}

TEST(ed25519_refuses_each_changed_bit)
{
    const uint8_t secret[ED25519_SECRET_BYTES] = {5};
    const struct bytes message = bytes_of("a statement", 11);
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    uint8_t signature[SIGNATURE_BYTES];

    ed25519_public(secret, public_key);
    ed25519_sign(secret, message, signature);
    for (uint32_t i = 0; i < SIGNATURE_BYTES * 8; i++) {
        signature[i / 8] ^= (uint8_t)(1U << i % 8);
        CHECK(!ed25519_verify(public_key, message, signature));
        signature[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (uint32_t i = 0; i < ED25519_PUBLIC_BYTES * 8; i++) {
        public_key[i / 8] ^= (uint8_t)(1U << i % 8);
        CHECK(!ed25519_verify(public_key, message, signature));
        public_key[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    CHECK(!ed25519_verify(public_key, bytes_of("A statement", 11), signature));
    CHECK(!ed25519_verify(public_key, bytes_of("a statement", 10), signature));
    CHECK(ed25519_verify(public_key, message, signature));
}

TEST(ed25519_signs_an_empty_message)
{
    const uint8_t secret[ED25519_SECRET_BYTES] = {6};
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    uint8_t signature[SIGNATURE_BYTES];

    ed25519_public(secret, public_key);
    ed25519_sign(secret, bytes_of(NULL, 0), signature);
    CHECK(ed25519_verify(public_key, bytes_of(NULL, 0), signature));
}

/* The order of secp256k1. */
static const char *const order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

TEST(ecdsa_signs_with_the_nonce_of_rfc_6979)
{
    uint8_t digest[HASH_BYTES];
    uint8_t expected[SIGNATURE_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t secret[ECDSA_SECRET_BYTES] = {0};

    /* Key 1, SHA-256 of "Satoshi Nakamoto": a known answer that many implementations share. */
    secret[31] = 1;
    from_hex("a0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e", digest, 32);
    from_hex("934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
             "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
             expected, SIGNATURE_BYTES);
    CHECK(ecdsa_public(secret, public_key));
    CHECK(ecdsa_sign(secret, digest, signature));
    CHECK_BYTES(bytes_of(signature, SIGNATURE_BYTES), bytes_of(expected, SIGNATURE_BYTES));
    CHECK(ecdsa_verify(public_key, digest, signature));
}

TEST(ecdsa_refuses_each_changed_bit)
{
    uint8_t secret[ECDSA_SECRET_BYTES] = {0};
    uint8_t digest[HASH_BYTES] = {9};
    uint8_t signature[SIGNATURE_BYTES];
    uint8_t public_key[ECDSA_PUBLIC_BYTES];

    secret[5] = 77;
    CHECK(ecdsa_public(secret, public_key));
    CHECK(ecdsa_sign(secret, digest, signature));
    for (uint32_t i = 0; i < SIGNATURE_BYTES * 8; i++) {
        signature[i / 8] ^= (uint8_t)(1U << i % 8);
        CHECK(!ecdsa_verify(public_key, digest, signature));
        signature[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (uint32_t i = 0; i < HASH_BYTES * 8; i++) {
        digest[i / 8] ^= (uint8_t)(1U << i % 8);
        CHECK(!ecdsa_verify(public_key, digest, signature));
        digest[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (uint32_t i = 0; i < ECDSA_PUBLIC_BYTES * 8; i++) {
        public_key[i / 8] ^= (uint8_t)(1U << i % 8);
        CHECK(!ecdsa_verify(public_key, digest, signature));
        public_key[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    CHECK(ecdsa_verify(public_key, digest, signature));
}

/* out = order - s, which verifies as s does under plain ECDSA. */
static void other_s(const uint8_t *s, uint8_t *out)
{
    uint8_t n[32];
    int borrow = 0;

    from_hex(order, n, sizeof n);
    for (int i = 31; i >= 0; i--) {
        int digit = n[i] - s[i] - borrow;

        borrow = digit < 0;
        digit += borrow * 256;
        out[i] = (uint8_t)digit;
    }
}

TEST(ecdsa_refuses_the_other_s)
{
    uint8_t digest[HASH_BYTES] = {1};
    uint8_t secret[ECDSA_SECRET_BYTES] = {2};
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t signature[SIGNATURE_BYTES];

    CHECK(ecdsa_public(secret, public_key));
    for (uint32_t i = 0; i < 50; i++) {
        digest[1] = (uint8_t)i;
        CHECK(ecdsa_sign(secret, digest, signature));
        CHECK(ecdsa_verify(public_key, digest, signature));
        CHECK_U64(signature[32], <, 0x80);
        other_s(signature + 32, signature + 32);
        CHECK(!ecdsa_verify(public_key, digest, signature));
    }
}

TEST(ecdsa_refuses_secrets_outside_the_order)
{
    const uint8_t digest[HASH_BYTES] = {1};
    uint8_t secret[ECDSA_SECRET_BYTES] = {0};
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t signature[SIGNATURE_BYTES];

    CHECK(!ecdsa_public(secret, public_key));
    CHECK(!ecdsa_sign(secret, digest, signature));
    from_hex(order, secret, sizeof secret);
    CHECK(!ecdsa_public(secret, public_key));
    CHECK(!ecdsa_sign(secret, digest, signature));
    secret[31] -= 1;
    CHECK(ecdsa_public(secret, public_key));
    CHECK(ecdsa_sign(secret, digest, signature));
    CHECK(ecdsa_verify(public_key, digest, signature));
}

TEST(ecdsa_keys_are_compressed_points)
{
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t secret[ECDSA_SECRET_BYTES] = {3};

    CHECK(ecdsa_public(secret, public_key));
    CHECK(ecdsa_key_valid(public_key));
    for (uint32_t first = 0; first < 256; first++) {
        public_key[0] = (uint8_t)first;
        CHECK(ecdsa_key_valid(public_key) == (first == 2 || first == 3));
    }
    /* x = 5 is on no point of the curve; x = the field's prime is not reduced. */
    memset(public_key, 0, sizeof public_key);
    public_key[0] = 2;
    public_key[32] = 5;
    CHECK(!ecdsa_key_valid(public_key));
    from_hex("02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", public_key, 33);
    CHECK(!ecdsa_key_valid(public_key));
}

TEST(own_vectors_hold_for_ecdsa)
{
    const json_t *root = json_own("ecdsa.json");
    const json_t *signing = json_list(root, "signing");
    const json_t *verifying = json_list(root, "verifying");
    size_t valid = 0;

    for (size_t i = 0; i < json_array_size(signing); i++) {
        const json_t *one = json_array_get(signing, i);
        const uint8_t *secret = json_exact(one, "secret", ECDSA_SECRET_BYTES);
        const uint8_t *digest = json_exact(one, "digest", HASH_BYTES);
        uint8_t public_key[ECDSA_PUBLIC_BYTES];
        uint8_t signature[SIGNATURE_BYTES];

        CHECK(ecdsa_public(secret, public_key));
        CHECK_BYTES(bytes_of(public_key, sizeof public_key), json_bytes(one, "public"));
        CHECK(ecdsa_sign(secret, digest, signature));
        CHECK_BYTES(bytes_of(signature, sizeof signature), json_bytes(one, "signature"));
        CHECK(ecdsa_verify(public_key, digest, signature));
    }
    for (size_t i = 0; i < json_array_size(verifying); i++) {
        const json_t *one = json_array_get(verifying, i);

        CHECK(ecdsa_verify(json_exact(one, "public", ECDSA_PUBLIC_BYTES),
                           json_exact(one, "digest", HASH_BYTES),
                           json_exact(one, "signature", SIGNATURE_BYTES)) ==
              json_truth(one, "valid"));
        valid += json_truth(one, "valid");
    }
    CHECK_U64(json_array_size(signing), ==, 8);
    CHECK_U64(json_array_size(verifying), ==, 20);
    CHECK_U64(valid, ==, 1);
}

TEST(own_vectors_hold_for_ed25519)
{
    const json_t *root = json_own("ed25519.json");
    const json_t *signing = json_list(root, "signing");
    const json_t *verifying = json_list(root, "verifying");
    size_t valid = 0;

    for (size_t i = 0; i < json_array_size(signing); i++) {
        const json_t *one = json_array_get(signing, i);
        const uint8_t *secret = json_exact(one, "secret", ED25519_SECRET_BYTES);
        uint8_t public_key[ED25519_PUBLIC_BYTES];
        uint8_t signature[SIGNATURE_BYTES];

        ed25519_public(secret, public_key);
        CHECK_BYTES(bytes_of(public_key, sizeof public_key), json_bytes(one, "public"));
        ed25519_sign(secret, json_bytes(one, "message"), signature);
        CHECK_BYTES(bytes_of(signature, sizeof signature), json_bytes(one, "signature"));
        CHECK(ed25519_verify(public_key, json_bytes(one, "message"), signature));
    }
    for (size_t i = 0; i < json_array_size(verifying); i++) {
        const json_t *one = json_array_get(verifying, i);

        CHECK(ed25519_verify(
                  json_exact(one, "public", ED25519_PUBLIC_BYTES), json_bytes(one, "message"),
                  json_exact(one, "signature", SIGNATURE_BYTES)) == json_truth(one, "valid"));
        valid += json_truth(one, "valid");
    }
    CHECK_U64(json_array_size(signing), ==, 6);
    CHECK_U64(json_array_size(verifying), ==, 47);
    CHECK_U64(valid, ==, 5);
}

TESTS(TEST_ENTRY(ed25519_signs_as_the_rfc_says), TEST_ENTRY(ed25519_refuses_each_changed_bit),
      TEST_ENTRY(ed25519_signs_an_empty_message),
      TEST_ENTRY(ecdsa_signs_with_the_nonce_of_rfc_6979),
      TEST_ENTRY(ecdsa_refuses_each_changed_bit), TEST_ENTRY(ecdsa_refuses_the_other_s),
      TEST_ENTRY(ecdsa_refuses_secrets_outside_the_order),
      TEST_ENTRY(ecdsa_keys_are_compressed_points), TEST_ENTRY(own_vectors_hold_for_ecdsa),
      TEST_ENTRY(own_vectors_hold_for_ed25519))

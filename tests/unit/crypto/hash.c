/* tests/unit/crypto/hash.c -- tagged hashes, and the primitive below them. */
#include "crypto/hash.h"

#include <sodium.h>
#include <string.h>

#include "base/count.h"
#include "tests/check.h"
#include "tests/json.h"

static const char *const tags[] = {
#define TAG_TEXT(name, text) text,
    TAGS(TAG_TEXT)
#undef TAG_TEXT
};

TEST(tags_are_of_one_form_and_differ)
{
    CHECK_U64(COUNT_OF(tags), ==, TAG_COUNT);
    for (size_t i = 0; i < TAG_COUNT; i++) {
        CHECK(strncmp(tags[i], "artel.", 6) == 0);
        CHECK_U64(strlen(tags[i]), >, 6);
        CHECK_U64(strlen(tags[i]), <=, 16);
        for (const char *at = tags[i] + 6; *at != '\0'; at++) {
            CHECK(*at >= 'a' && *at <= 'z');
        }
        for (size_t k = 0; k < i; k++) {
            CHECK(strcmp(tags[i], tags[k]) != 0);
        }
    }
}

/* Each tag has its cases, in the order of the register, so that a tag without vectors fails here. */
TEST(own_vectors_hold_for_each_tag)
{
    const json_t *cases = json_list(json_own("hash.json"), "cases");

    CHECK_U64(json_array_size(cases), ==, 4 * TAG_COUNT);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        uint8_t hash[HASH_BYTES];

        CHECK(strcmp(json_text(one, "tag"), tags[i / 4]) == 0);
        hash_of((enum tag)(i / 4), json_bytes(one, "input"), hash);
        CHECK_BYTES(bytes_of(hash, HASH_BYTES), json_bytes(one, "hash"));
    }
}

TEST(parts_hash_as_their_concatenation)
{
    uint8_t input[300];
    uint8_t whole[HASH_BYTES];

    for (size_t i = 0; i < sizeof input; i++) {
        input[i] = (uint8_t)(i * 31);
    }
    hash_of(TAG_TX, bytes_of(input, sizeof input), whole);
    for (size_t cut = 0; cut <= sizeof input; cut++) {
        const struct bytes parts[] = {bytes_of(input, cut), bytes_of(NULL, 0),
                                      bytes_of(input + cut, sizeof input - cut)};
        struct hash_state state;
        uint8_t hash[HASH_BYTES];

        hash_parts(TAG_TX, parts, COUNT_OF(parts), hash);
        CHECK(hash_equal(hash, whole));
        hash_begin(&state, TAG_TX);
        hash_add(&state, parts[0]);
        hash_add(&state, parts[2]);
        hash_end(&state, hash);
        CHECK(hash_equal(hash, whole));
    }
}

TEST(equality_looks_at_every_byte)
{
    uint8_t one[HASH_BYTES] = {0};
    uint8_t other[HASH_BYTES] = {0};

    CHECK(hash_is_zero(one));
    for (size_t i = 0; i < HASH_BYTES; i++) {
        CHECK(hash_equal(one, other));
        other[i] = 0x80;
        CHECK(!hash_equal(one, other));
        CHECK(!hash_is_zero(other));
        other[i] = 0;
    }
}

/* The known answers are of 64 bytes without personalisation: the library's hash, which hash.c calls. */
TEST(public_answers_of_blake2b_hold)
{
    const char *folder = check_public_vectors();
    const json_t *cases = json_open(folder, "blake2b-kat.json");

    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        const struct bytes input = json_bytes(one, "in");
        const struct bytes key = json_bytes(one, "key");
        crypto_generichash_blake2b_state state;
        uint8_t hash[64];

        CHECK(crypto_generichash_blake2b_init_salt_personal(&state, key.at, key.count, 64, NULL,
                                                            NULL) == 0);
        CHECK(crypto_generichash_blake2b_update(&state, input.at, input.count) == 0);
        CHECK(crypto_generichash_blake2b_final(&state, hash, 64) == 0);
        CHECK_BYTES(bytes_of(hash, 64), json_bytes(one, "out"));
    }
    CHECK_U64(json_array_size(cases), ==, 512);
}

TESTS(TEST_ENTRY(tags_are_of_one_form_and_differ), TEST_ENTRY(own_vectors_hold_for_each_tag),
      TEST_ENTRY(parts_hash_as_their_concatenation), TEST_ENTRY(equality_looks_at_every_byte),
      TEST_ENTRY(public_answers_of_blake2b_hold))

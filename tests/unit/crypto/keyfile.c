/* tests/unit/crypto/keyfile.c -- key files open for whom they should, and say why they do not for others. */
#include "crypto/keyfile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/ecdsa.h"
#include "crypto/ed25519.h"
#include "crypto/noise.h"
#include "crypto/secret.h"
#include "tests/check.h"
#include "tests/json.h"

/* Before main, so that a single test can be run by its name. */
__attribute__((constructor)) static void start(void)
{
    if (crypto_start() != ERR_OK) {
        abort();
    }
}

/* The names of faults in tests/vectors/keyfile.json. */
static const char *const names[] = {
    [KEYFILE_OK] = "ok",
    [KEYFILE_NOT_JSON] = "not_json",
    [KEYFILE_VERSION] = "version",
    [KEYFILE_WEAK] = "weak",
    [KEYFILE_EMPTY] = "empty",
    [KEYFILE_TOO_MANY] = "too_many",
    [KEYFILE_WRONG] = "wrong",
    [KEYFILE_PUBLIC_DIFFERS] = "public_differs",
    [KEYFILE_NOT_SECRET] = "not_secret",
    [KEYFILE_NO_MEMORY] = "no_memory",
    [KEYFILE_LOCKED] = "locked",
};
enum { FAULTS = sizeof names / sizeof names[0] };

static struct bytes bytes_of_text(const char *text)
{
    return bytes_of(text, strlen(text));
}

static struct keyfile *opened(const char *text)
{
    struct keyfile *file;

    CHECK(keyfile_open(bytes_of_text(text), &file) == KEYFILE_OK);
    return file;
}

static char *text_of(const struct keyfile *file)
{
    char *text;

    CHECK(keyfile_text(file, &text) == KEYFILE_OK);
    return text;
}

/* --- own vectors --- */

static void compare_keys(const struct keyfile *file, const json_t *keys)
{
    CHECK_U64(keyfile_count(file), ==, json_array_size(keys));
    for (uint32_t i = 0; i < keyfile_count(file); i++) {
        const json_t *one = json_array_get(keys, i);
        const struct keyfile_key key = keyfile_key_at(file, i);
        const uint8_t *secret = keyfile_secret(file, i);
        char name[KEYFILE_NAME_BYTES];

        CHECK_U64(key.kind, ==, json_count(one, "kind"));
        CHECK_U64(key.created_ms, ==, json_count(one, "created_ms"));
        CHECK_BYTES(bytes_of(key.public_key, keyfile_public_bytes(key.kind)),
                    json_bytes(one, "public"));
        CHECK(secret != NULL);
        CHECK_BYTES(bytes_of(secret, KEYFILE_SECRET_BYTES), json_bytes(one, "secret"));
        keyfile_name(&key, name);
        CHECK(strcmp(name, json_text(one, "name")) == 0);
    }
}

/* A ring that did not unlock gives nothing away and takes nothing. */
static void stays_locked(struct keyfile *file)
{
    char *text;

    for (uint32_t i = 0; i < keyfile_count(file); i++) {
        CHECK(keyfile_secret(file, i) == NULL);
    }
    CHECK(keyfile_add(file, KEYFILE_NODE, NULL, 1) == KEYFILE_LOCKED);
    CHECK(keyfile_text(file, &text) == KEYFILE_LOCKED);
    CHECK(text == NULL);
}

static void vector_case(const json_t *one)
{
    struct keyfile *file;
    enum keyfile_fault fault = keyfile_open(bytes_of_text(json_text(one, "text")), &file);

    CHECK(strcmp(names[fault], json_text(one, "open")) == 0);
    if (fault != KEYFILE_OK) {
        CHECK(file == NULL);
        return;
    }
    stays_locked(file);
    fault = keyfile_unlock(file, bytes_of_text(json_text(one, "passphrase")));
    CHECK(strcmp(names[fault], json_text(one, "unlock")) == 0);
    if (fault == KEYFILE_OK) {
        compare_keys(file, json_list(one, "keys"));
    } else {
        stays_locked(file);
    }
    keyfile_close(file);
}

TEST(own_vectors_hold)
{
    const json_t *files = json_list(json_own("keyfile.json"), "files");
    uint32_t verdicts[FAULTS] = {0};

    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *one = json_array_get(files, i);
        const json_t *unlock = json_object_get(one, "unlock");
        const char *verdict = json_text(one, "open");

        vector_case(one);
        if (unlock != NULL) {
            verdict = json_string_value(unlock);
        }
        for (uint32_t k = 0; k < FAULTS; k++) {
            verdicts[k] += strcmp(names[k], verdict) == 0;
        }
    }
    CHECK_U64(json_array_size(files), ==, 49);
    CHECK_U64(verdicts[KEYFILE_OK], ==, 3);
    CHECK_U64(verdicts[KEYFILE_WRONG], ==, 10);
    CHECK_U64(verdicts[KEYFILE_WEAK], ==, 6);
    CHECK_U64(verdicts[KEYFILE_PUBLIC_DIFFERS], ==, 4);
    CHECK_U64(verdicts[KEYFILE_VERSION], ==, 3);
    CHECK_U64(verdicts[KEYFILE_EMPTY], ==, 1);
    CHECK_U64(verdicts[KEYFILE_NOT_JSON], ==, 22);
}

/* What this program writes is, byte for byte, what the vectors say, white space aside. */
TEST(written_files_look_like_the_vectors)
{
    const json_t *files = json_list(json_own("keyfile.json"), "files");

    for (size_t i = 0; i < 3; i++) {
        const json_t *one = json_array_get(files, i);
        struct keyfile *file = opened(json_text(one, "text"));
        char *text;
        json_t *mine;
        json_t *theirs;

        CHECK(keyfile_unlock(file, bytes_of_text(json_text(one, "passphrase"))) == KEYFILE_OK);
        text = text_of(file);
        mine = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        theirs = json_loads(json_text(one, "text"), 0, NULL);
        CHECK(mine != NULL && json_equal(mine, theirs) == 1);
        json_decref(mine);
        json_decref(theirs);
        keyfile_text_free(text);
        keyfile_close(file);
    }
}

/* --- round trips --- */

static void check_pair(const struct keyfile *file, uint32_t index)
{
    const struct keyfile_key key = keyfile_key_at(file, index);
    const uint8_t *secret = keyfile_secret(file, index);
    uint8_t expected[KEYFILE_PUBLIC_MAX];

    CHECK(secret != NULL);
    switch (key.kind) {
    case KEYFILE_ACCOUNT:
        CHECK(ecdsa_public(secret, expected));
        break;
    case KEYFILE_CONSENSUS:
        ed25519_public(secret, expected);
        break;
    case KEYFILE_NODE:
        noise_public(secret, expected);
        break;
    }
    CHECK_BYTES(bytes_of(key.public_key, keyfile_public_bytes(key.kind)),
                bytes_of(expected, keyfile_public_bytes(key.kind)));
}

static void round_trip(const char *passphrase)
{
    struct keyfile *file;
    struct keyfile *again;
    char *text;
    char *second;

    CHECK(keyfile_create(bytes_of_text(passphrase), &file) == KEYFILE_OK);
    CHECK(keyfile_plain(file) == (passphrase[0] == '\0'));
    CHECK(keyfile_text(file, &text) == KEYFILE_EMPTY);
    CHECK(text == NULL);
    CHECK(keyfile_add(file, KEYFILE_ACCOUNT, NULL, 1000) == KEYFILE_OK);
    CHECK(keyfile_add(file, KEYFILE_CONSENSUS, NULL, 2000) == KEYFILE_OK);
    CHECK(keyfile_add(file, KEYFILE_NODE, NULL, KEYFILE_CREATED_MAX_MS) == KEYFILE_OK);
    text = text_of(file);

    again = opened(text);
    CHECK(keyfile_plain(again) == (passphrase[0] == '\0'));
    CHECK_U64(keyfile_count(again), ==, 3);
    CHECK(keyfile_unlock(again, bytes_of_text(passphrase)) == KEYFILE_OK);
    CHECK(keyfile_unlock(again, bytes_of_text("it is open already")) == KEYFILE_OK);
    for (uint32_t i = 0; i < 3; i++) {
        check_pair(again, i);
        CHECK_BYTES(bytes_of(keyfile_secret(again, i), 32), bytes_of(keyfile_secret(file, i), 32));
        CHECK(keyfile_key_at(again, i).created_ms == keyfile_key_at(file, i).created_ms);
    }
    second = text_of(again);
    CHECK(strcmp(text, second) == 0);
    keyfile_text_free(second);

    /* A key that is added to what was read is sealed under the same derivation. */
    CHECK(keyfile_add(again, KEYFILE_ACCOUNT, keyfile_secret(file, 0), 5) == KEYFILE_OK);
    second = text_of(again);
    keyfile_close(again);
    again = opened(second);
    CHECK(keyfile_unlock(again, bytes_of_text(passphrase)) == KEYFILE_OK);
    CHECK_U64(keyfile_count(again), ==, 4);
    CHECK_BYTES(bytes_of(keyfile_secret(again, 3), 32), bytes_of(keyfile_secret(file, 0), 32));
    keyfile_text_free(second);
    keyfile_close(again);
    keyfile_text_free(text);
    keyfile_close(file);
}

TEST(a_sealed_ring_goes_round)
{
    round_trip("a passphrase of a test");
}

TEST(a_plain_ring_goes_round)
{
    round_trip("");
}

/* Equal secrets under one key: other nonces, so other bytes; and no secret in the text. */
TEST(a_sealed_text_hides_its_secrets)
{
    const uint8_t secret[KEYFILE_SECRET_BYTES] = {0xab, 0xcd, 0xef, 1, 2, 3, 4, 5};
    struct keyfile *file;
    struct keyfile *other;
    char digits[2 * KEYFILE_SECRET_BYTES + 1];
    char *text;
    json_t *root;
    json_t *keys;

    CHECK(keyfile_create(bytes_of_text("x"), &file) == KEYFILE_OK);
    CHECK(keyfile_create(bytes_of_text("x"), &other) == KEYFILE_OK);
    CHECK(keyfile_add(file, KEYFILE_NODE, secret, 1) == KEYFILE_OK);
    CHECK(keyfile_add(file, KEYFILE_NODE, secret, 1) == KEYFILE_OK);
    CHECK(keyfile_add(other, KEYFILE_NODE, secret, 1) == KEYFILE_OK);
    text = text_of(file);
    hex_encode(bytes_of(secret, 8), digits);
    CHECK(strstr(text, digits) == NULL);
    root = json_loads(text, 0, NULL);
    keys = json_list(root, "keys");
    CHECK(!json_equal(json_field(json_array_get(keys, 0), "nonce"),
                      json_field(json_array_get(keys, 1), "nonce")));
    CHECK(!json_equal(json_field(json_array_get(keys, 0), "ct"),
                      json_field(json_array_get(keys, 1), "ct")));
    json_decref(root);
    keyfile_text_free(text);

    /* Two files under one passphrase have two salts. */
    text = text_of(other);
    root = json_loads(text, 0, NULL);
    CHECK(strstr(text, json_text(json_field(root, "kdf_params"), "salt")) != NULL);
    keyfile_text_free(text);
    text = text_of(file);
    CHECK(strstr(text, json_text(json_field(root, "kdf_params"), "salt")) == NULL);
    keyfile_text_free(text);
    json_decref(root);
    keyfile_close(file);
    keyfile_close(other);
}

TEST(bytes_that_are_no_secret_are_refused)
{
    uint8_t secret[KEYFILE_SECRET_BYTES] = {0};
    struct keyfile *file;

    CHECK(keyfile_create(bytes_of(NULL, 0), &file) == KEYFILE_OK);
    CHECK(keyfile_add(file, KEYFILE_ACCOUNT, secret, 1) == KEYFILE_NOT_SECRET);
    memset(secret, 0xff, sizeof secret);
    CHECK(keyfile_add(file, KEYFILE_ACCOUNT, secret, 1) == KEYFILE_NOT_SECRET);
    CHECK_U64(keyfile_count(file), ==, 0);
    CHECK(keyfile_add(file, KEYFILE_CONSENSUS, secret, 1) == KEYFILE_OK);
    CHECK(keyfile_add(file, KEYFILE_NODE, secret, 1) == KEYFILE_OK);
    CHECK_U64(keyfile_count(file), ==, 2);
    CHECK_ABORTS((void)keyfile_key_at(file, 2));
    CHECK_ABORTS((void)keyfile_secret(file, 2));
    CHECK_ABORTS(
        (void)(keyfile_add(file, KEYFILE_NODE, NULL, KEYFILE_CREATED_MAX_MS + 1) == KEYFILE_OK));
    keyfile_close(file);
    keyfile_close(NULL);
    keyfile_text_free(NULL);
}

/* --- limits --- */

/* The whole ring: views stay, what is written is read, and one key more is refused both ways. */
TEST(a_ring_holds_its_limit_and_no_more)
{
    const uint8_t *first;
    struct keyfile *file;
    struct keyfile *again;
    char *text;
    char *longer;
    size_t count;

    CHECK(keyfile_create(bytes_of(NULL, 0), &file) == KEYFILE_OK);
    CHECK(keyfile_add(file, KEYFILE_CONSENSUS, NULL, 0) == KEYFILE_OK);
    first = keyfile_secret(file, 0);
    for (uint32_t i = 1; i < KEYFILE_KEYS_MAX; i++) {
        CHECK(keyfile_add(file, i % 2 == 0 ? KEYFILE_CONSENSUS : KEYFILE_ACCOUNT, NULL, i) ==
              KEYFILE_OK);
    }
    CHECK(keyfile_add(file, KEYFILE_NODE, NULL, 0) == KEYFILE_TOO_MANY);
    CHECK_U64(keyfile_count(file), ==, KEYFILE_KEYS_MAX);
    CHECK(keyfile_secret(file, 0) == first);
    text = text_of(file);
    count = strlen(text);
    CHECK_U64(count, <=, KEYFILE_BYTES_MAX);

    again = opened(text);
    CHECK(keyfile_unlock(again, bytes_of(NULL, 0)) == KEYFILE_OK);
    for (uint32_t i = 0; i < KEYFILE_KEYS_MAX; i++) {
        CHECK_BYTES(bytes_of(keyfile_secret(again, i), 32), bytes_of(keyfile_secret(file, i), 32));
        CHECK_U64(keyfile_key_at(again, i).created_ms, ==, i);
    }
    keyfile_close(again);

    longer = malloc(count + 64);
    CHECK(longer != NULL);
    (void)snprintf(longer, count + 64, "%.*s,{}]}", (int)(count - 4), text); /* without "\n]}\n" */
    CHECK(keyfile_open(bytes_of_text(longer), &again) == KEYFILE_TOO_MANY);
    free(longer);
    keyfile_text_free(text);
    keyfile_close(file);
}

TEST(a_file_of_too_many_bytes_is_refused)
{
    const char *plain =
        json_text(json_array_get(json_list(json_own("keyfile.json"), "files"), 2), "text");
    uint8_t *big = malloc(KEYFILE_BYTES_MAX + 1);
    struct keyfile *file;

    CHECK(big != NULL);
    memset(big, ' ', KEYFILE_BYTES_MAX + 1);
    for (size_t i = 0; plain[i] != '\0'; i++) {
        big[i] = (uint8_t)plain[i];
    }
    CHECK(keyfile_open(bytes_of(big, KEYFILE_BYTES_MAX + 1), &file) == KEYFILE_TOO_MANY);
    CHECK(file == NULL);
    CHECK(keyfile_open(bytes_of(big, KEYFILE_BYTES_MAX), &file) == KEYFILE_OK);
    keyfile_close(file);
    memset(big, '[', KEYFILE_BYTES_MAX);
    CHECK(keyfile_open(bytes_of(big, KEYFILE_BYTES_MAX), &file) == KEYFILE_NOT_JSON);
    CHECK(keyfile_open(bytes_of(NULL, 0), &file) == KEYFILE_NOT_JSON);
    free(big);
}

/* --- damage --- */

TEST(no_beginning_of_a_file_is_a_file)
{
    const char *plain =
        json_text(json_array_get(json_list(json_own("keyfile.json"), "files"), 2), "text");
    struct keyfile *file;

    for (size_t count = 0; count < strlen(plain); count++) {
        CHECK(keyfile_open(bytes_of(plain, count), &file) == KEYFILE_NOT_JSON);
    }
}

/* True if the file opens; its keys must then be those of `good`. */
static bool same_keys_or_none(const char *text, size_t count, const struct keyfile *good)
{
    struct keyfile *file;
    const bool whole = keyfile_open(bytes_of(text, count), &file) == KEYFILE_OK &&
                       keyfile_unlock(file, bytes_of(NULL, 0)) == KEYFILE_OK;

    for (uint32_t k = 0; whole && k < keyfile_count(good); k++) {
        const struct keyfile_key key = keyfile_key_at(good, k);

        CHECK_U64(keyfile_count(file), ==, keyfile_count(good));
        check_pair(file, k);
        CHECK_U64(keyfile_key_at(file, k).kind, ==, key.kind);
        CHECK_BYTES(bytes_of(keyfile_key_at(file, k).public_key, KEYFILE_PUBLIC_MAX),
                    bytes_of(key.public_key, KEYFILE_PUBLIC_MAX));
        CHECK(key.kind == KEYFILE_NODE ||
              memcmp(keyfile_secret(file, k), keyfile_secret(good, k), 32) == 0);
    }
    keyfile_close(file);
    return whole;
}

/*
 * Each bit of a plain file: a changed file opens with the same keys or not at all.  What may change is
 * created_ms, which nothing authenticates, the case of digits, and the five bits of a node's secret that
 * X25519 does not look at.
 */
TEST(no_changed_bit_of_a_plain_file_changes_a_key)
{
    const char *plain =
        json_text(json_array_get(json_list(json_own("keyfile.json"), "files"), 2), "text");
    const size_t count = strlen(plain);
    struct keyfile *good = opened(plain);
    char *changed = malloc(count + 1);
    uint32_t survivors = 0;

    CHECK(changed != NULL);
    CHECK(keyfile_unlock(good, bytes_of(NULL, 0)) == KEYFILE_OK);
    memcpy(changed, plain, count + 1);
    for (size_t i = 0; i < count * 8; i++) {
        changed[i / 8] = (char)(changed[i / 8] ^ (1 << i % 8));
        survivors += same_keys_or_none(changed, count, good);
        changed[i / 8] = (char)(changed[i / 8] ^ (1 << i % 8));
    }
    CHECK_U64(survivors, >, 0);
    CHECK_U64(survivors, <, count * 8 / 10);
    free(changed);
    keyfile_close(good);
}

/* One damaged key of many: none opens. */
TEST(all_keys_open_or_none)
{
    const char *text =
        json_text(json_array_get(json_list(json_own("keyfile.json"), "files"), 0), "text");
    const char *last = NULL;
    char *changed = malloc(strlen(text) + 1);
    struct keyfile *file;

    CHECK(changed != NULL);
    for (const char *at = strstr(text, "\"ct\":\""); at != NULL; at = strstr(at + 1, "\"ct\":\"")) {
        last = at;
    }
    CHECK(last != NULL);
    memcpy(changed, text, strlen(text) + 1);
    changed[last - text + 6] = changed[last - text + 6] == '0' ? '1' : '0';
    file = opened(changed);
    CHECK(keyfile_unlock(file, bytes_of_text("correct horse battery staple")) == KEYFILE_WRONG);
    stays_locked(file);
    keyfile_close(file);
    free(changed);
}

/* A wrong passphrase first, the right one after it. */
TEST(a_wrong_passphrase_spoils_nothing)
{
    const json_t *one = json_array_get(json_list(json_own("keyfile.json"), "files"), 0);
    struct keyfile *file = opened(json_text(one, "text"));

    CHECK(keyfile_unlock(file, bytes_of_text("Correct horse battery staple")) == KEYFILE_WRONG);
    stays_locked(file);
    CHECK(keyfile_unlock(file, bytes_of_text("correct horse battery staple")) == KEYFILE_OK);
    compare_keys(file, json_list(one, "keys"));
    keyfile_close(file);
}

/* Pages of address space that this process has; sanitizers take terabytes, and then a limit means nothing. */
static unsigned long long pages_now(void)
{
    char text[64] = "";
    FILE *file = fopen("/proc/self/statm", "r");

    CHECK(file != NULL);
    CHECK(fgets(text, sizeof text, file) != NULL);
    (void)fclose(file);
    return strtoull(text, NULL, 10);
}

/* In a child with 16 MiB left, where argon2id asks for 64. */
TEST(a_derivation_without_memory_says_so)
{
    const unsigned long long pages = pages_now();
    struct rlimit limit;
    struct keyfile *file;
    int status = 0;
    pid_t child;

    if (pages > UINT64_C(1) << 26) {
        check_skip("a sanitizer has taken the address space");
    }
    limit.rlim_cur = pages * 4096 + (16 << 20);
    limit.rlim_max = limit.rlim_cur;
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (setrlimit(RLIMIT_AS, &limit) != 0) {
            _exit(100);
        }
        _exit((int)keyfile_create(bytes_of_text("x"), &file) + (file == NULL ? 0 : 50));
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_U64(WEXITSTATUS(status), ==, KEYFILE_NO_MEMORY);
}

TEST(each_fault_has_its_text)
{
    for (uint32_t i = 0; i < FAULTS; i++) {
        const char *text = keyfile_fault_text((enum keyfile_fault)i);

        CHECK_U64(strlen(text), >, 5);
        CHECK(strchr(text, '\n') == NULL);
        for (uint32_t k = 0; k < i; k++) {
            CHECK(strcmp(text, keyfile_fault_text((enum keyfile_fault)k)) != 0);
        }
    }
}

TESTS(TEST_ENTRY(own_vectors_hold), TEST_ENTRY(written_files_look_like_the_vectors),
      TEST_ENTRY(a_sealed_ring_goes_round), TEST_ENTRY(a_plain_ring_goes_round),
      TEST_ENTRY(a_sealed_text_hides_its_secrets), TEST_ENTRY(bytes_that_are_no_secret_are_refused),
      TEST_ENTRY(a_ring_holds_its_limit_and_no_more),
      TEST_ENTRY(a_file_of_too_many_bytes_is_refused), TEST_ENTRY(no_beginning_of_a_file_is_a_file),
      TEST_ENTRY(no_changed_bit_of_a_plain_file_changes_a_key), TEST_ENTRY(all_keys_open_or_none),
      TEST_ENTRY(a_wrong_passphrase_spoils_nothing),
      TEST_ENTRY(a_derivation_without_memory_says_so), TEST_ENTRY(each_fault_has_its_text))

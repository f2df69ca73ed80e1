/*
 * tests/vectors/make_crypto.c -- writes hash.json, merkle.json, ecdsa.json, ed25519.json and keyfile.json.
 *
 *     build/dev/tests/vectors_crypto tests/vectors
 *
 * By hand, and only when a case is added: the files are the contract with the SDK.  It states the definitions
 * on the bare libraries and shares no code with crypto, whose unit tests read the files.  Every run gives the
 * same bytes.  All secrets here are test keys: 32 times one byte, or a hash of a sentence.
 */
#include <jansson.h>
#include <secp256k1.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/tags.h"

enum { HASH = 32, SIGNATURE = 64 };

static void must(int condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "vectors_crypto: %s\n", what);
        exit(1);
    }
}

static json_t *hex(const void *at, size_t count)
{
    char text[2 * 1024 + 1];

    must(count <= 1024, "too long for one field");
    (void)sodium_bin2hex(text, sizeof text, at, count);
    return json_string(text);
}

static void put(json_t *object, const char *name, json_t *value)
{
    must(value != NULL && json_object_set_new(object, name, value) == 0, name);
}

static void push(json_t *array, json_t *value)
{
    must(value != NULL && json_array_append_new(array, value) == 0, "array");
}

static void save(const char *folder, const char *name, json_t *root)
{
    char path[1024];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "wb");
    must(file != NULL && json_dumpf(root, file, JSON_INDENT(1)) == 0, path);
    must(fputc('\n', file) == '\n' && fclose(file) == 0, path);
    json_decref(root);
}

/* BLAKE2b-256 with the tag's text as personalisation. */
static void tagged(const char *tag, const void *at, size_t count, uint8_t *out)
{
    static const uint8_t salt[16];
    uint8_t personal[16] = {0};

    memcpy(personal, tag, strlen(tag));
    must(crypto_generichash_blake2b_salt_personal(out, HASH, at, count, NULL, 0, salt, personal) ==
             0,
         "blake2b");
}

static void make_hash(const char *folder)
{
    static const char *const tags[] = {
#define TAG_TEXT(name, text) text,
        TAGS(TAG_TEXT)
#undef TAG_TEXT
    };
    /* Around the block of BLAKE2b, 128 bytes. */
    static const size_t sizes[] = {0, 3, 128, 129};
    json_t *root = json_object();
    json_t *cases = json_array();
    uint8_t input[256];

    for (size_t i = 0; i < sizeof input; i++) {
        input[i] = (uint8_t)(i * 7 + 1);
    }
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            json_t *one = json_object();
            uint8_t hash[HASH];

            tagged(tags[i], input, sizes[k], hash);
            put(one, "tag", json_string(tags[i]));
            put(one, "input", hex(input, sizes[k]));
            put(one, "hash", hex(hash, HASH));
            push(cases, one);
        }
    }
    put(root, "about",
        json_string("BLAKE2b-256, personalisation = tag padded with zeros to 16 bytes, no salt"));
    put(root, "cases", cases);
    save(folder, "hash.json", root);
}

/* --- trees, as RFC 6962 2.1 and the definition of the history state them --- */

struct item {
    uint8_t at[16];
    size_t count;
};

static size_t split_of(size_t count)
{
    size_t k = 1;

    while (k * 2 < count) {
        k *= 2;
    }
    return k;
}

static void joined(const char *tag, const uint8_t *left, const uint8_t *right, uint8_t *out)
{
    uint8_t both[2 * HASH];

    memcpy(both, left, HASH);
    memcpy(both + HASH, right, HASH);
    tagged(tag, both, sizeof both, out);
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void tree_root(const struct item *items, size_t count, uint8_t *out)
{
    uint8_t left[HASH];
    uint8_t right[HASH];

    memset(out, 0, HASH);
    if (count == 1) {
        tagged("artel.mleaf", items[0].at, items[0].count, out);
    } else if (count > 1) {
        tree_root(items, split_of(count), left);
        tree_root(items + split_of(count), count - split_of(count), right);
        joined("artel.mnode", left, right, out);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void tree_path(const struct item *items, size_t count, size_t index, json_t *siblings)
{
    const size_t k = count > 1 ? split_of(count) : 0;
    uint8_t other[HASH];

    if (count <= 1) {
        return;
    }
    if (index < k) {
        tree_path(items, k, index, siblings);
        tree_root(items + k, count - k, other);
    } else {
        tree_path(items + k, count - k, index - k, siblings);
        tree_root(items, k, other);
    }
    push(siblings, hex(other, HASH));
}

static json_t *make_list(const struct item *items, size_t count)
{
    json_t *list = json_object();
    json_t *texts = json_array();
    json_t *paths = json_array();
    uint8_t root[HASH];

    for (size_t i = 0; i < count; i++) {
        json_t *siblings = json_array();

        push(texts, hex(items[i].at, items[i].count));
        tree_path(items, count, i, siblings);
        push(paths, siblings);
    }
    tree_root(items, count, root);
    put(list, "items", texts);
    put(list, "root", hex(root, HASH));
    put(list, "paths", paths);
    return list;
}

/* The complete subtree over `count` leaves, a power of two, from block `first`. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void history_peak(uint8_t (*blocks)[HASH], uint64_t first, uint64_t count, uint8_t *out)
{
    uint8_t leaf[8 + HASH];
    uint8_t left[HASH];
    uint8_t right[HASH];

    if (count == 1) {
        for (int k = 0; k < 8; k++) {
            leaf[k] = (uint8_t)(first >> (56 - 8 * k));
        }
        memcpy(leaf + 8, blocks[first], HASH);
        tagged("artel.hleaf", leaf, sizeof leaf, out);
        return;
    }
    history_peak(blocks, first, count / 2, left);
    history_peak(blocks, first + count / 2, count / 2, right);
    joined("artel.hnode", left, right, out);
}

static json_t *make_history(uint8_t (*blocks)[HASH], uint64_t count)
{
    json_t *one = json_object();
    json_t *peaks = json_array();
    uint8_t hashes[8][HASH];
    uint8_t root[HASH] = {0};
    uint64_t first = 0;
    int peak_count = 0;

    for (uint64_t size = 16; size != 0; size /= 2) {
        if ((count & size) != 0) {
            history_peak(blocks, first, size, hashes[peak_count]);
            push(peaks, hex(hashes[peak_count], HASH));
            first += size;
            peak_count += 1;
        }
    }
    if (peak_count != 0) {
        memcpy(root, hashes[peak_count - 1], HASH);
    }
    for (int i = peak_count - 2; i >= 0; i--) {
        joined("artel.hnode", hashes[i], root, root);
    }
    put(one, "count", json_integer((json_int_t)count));
    put(one, "peaks", peaks);
    put(one, "root", hex(root, HASH));
    return one;
}

static void make_merkle(const char *folder)
{
    json_t *root = json_object();
    json_t *lists = json_array();
    json_t *blocks_text = json_array();
    json_t *history = json_array();
    struct item items[9];
    uint8_t blocks[9][HASH];

    /* The first item is empty, and no two have one length. */
    for (size_t i = 0; i < 9; i++) {
        items[i].count = i;
        memset(items[i].at, (int)(0xa0 + i), sizeof items[i].at);
        tagged("artel.block", items[i].at, items[i].count, blocks[i]);
        push(blocks_text, hex(blocks[i], HASH));
    }
    for (size_t count = 0; count <= 9; count++) {
        push(lists, make_list(items, count));
        push(history, make_history(blocks, count));
    }
    put(root, "about",
        json_string("lists: leaf H(mleaf: item), node H(mnode: left, right); paths[i]: siblings of "
                    "item i, deepest first. history: the root over blocks 0 to count - 1, peaks "
                    "largest first"));
    put(root, "lists", lists);
    put(root, "blocks", blocks_text);
    put(root, "history", history);
    save(folder, "merkle.json", root);
}

/* --- ECDSA --- */

static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
                                  0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};

/* out = a - b, big-endian; a >= b. */
static void minus(const uint8_t *a, const uint8_t *b, uint8_t *out)
{
    int borrow = 0;

    for (int i = 31; i >= 0; i--) {
        const int digit = a[i] - b[i] - borrow;

        borrow = digit < 0 ? 1 : 0;
        out[i] = (uint8_t)(digit + borrow * 256);
    }
}

struct ecdsa_case {
    uint8_t public_key[33];
    uint8_t digest[HASH];
    uint8_t signature[SIGNATURE];
};

static void ecdsa_put(json_t *cases, const char *comment, const struct ecdsa_case *one, int valid)
{
    json_t *object = json_object();
    secp256k1_pubkey key;
    secp256k1_ecdsa_signature signature;
    const int found =
        secp256k1_ec_pubkey_parse(secp256k1_context_static, &key, one->public_key, 33) == 1 &&
        secp256k1_ecdsa_signature_parse_compact(secp256k1_context_static, &signature,
                                                one->signature) == 1 &&
        secp256k1_ecdsa_verify(secp256k1_context_static, &signature, one->digest, &key) == 1;

    must(found == valid, comment);
    put(object, "comment", json_string(comment));
    put(object, "public", hex(one->public_key, 33));
    put(object, "digest", hex(one->digest, HASH));
    put(object, "signature", hex(one->signature, SIGNATURE));
    put(object, "valid", json_boolean(valid));
    push(cases, object);
}

static void ecdsa_make(const secp256k1_context *context, const uint8_t *secret,
                       const uint8_t *digest, struct ecdsa_case *out)
{
    secp256k1_pubkey key;
    secp256k1_ecdsa_signature signature;
    size_t count = 33;

    memcpy(out->digest, digest, HASH);
    must(secp256k1_ec_pubkey_create(context, &key, secret) == 1, "secret");
    must(secp256k1_ec_pubkey_serialize(context, out->public_key, &count, &key,
                                       SECP256K1_EC_COMPRESSED) == 1,
         "serialize");
    must(secp256k1_ecdsa_sign(context, &signature, digest, secret, NULL, NULL) == 1, "sign");
    must(secp256k1_ecdsa_signature_serialize_compact(context, out->signature, &signature) == 1,
         "compact");
}

static json_t *ecdsa_signing(const secp256k1_context *context, struct ecdsa_case *last)
{
    json_t *cases = json_array();

    for (int i = 0; i < 8; i++) {
        json_t *object = json_object();
        uint8_t secret[32];
        uint8_t digest[HASH];

        memset(secret, i + 1, sizeof secret);
        tagged("artel.tx", "digest", (size_t)i % 7, digest);
        if (i == 6) {
            minus(order, (const uint8_t[32]){[31] = 1}, secret); /* the largest secret */
        }
        if (i == 7) {
            memset(secret, 0, sizeof secret); /* the smallest */
            secret[31] = 1;
            memset(digest, 0xff, sizeof digest); /* a number above the order */
        }
        ecdsa_make(context, secret, digest, last);
        put(object, "secret", hex(secret, sizeof secret));
        put(object, "public", hex(last->public_key, 33));
        put(object, "digest", hex(digest, HASH));
        put(object, "signature", hex(last->signature, SIGNATURE));
        push(cases, object);
    }
    return cases;
}

static json_t *ecdsa_verifying(const struct ecdsa_case *good)
{
    json_t *cases = json_array();
    struct ecdsa_case one = *good;

    ecdsa_put(cases, "a valid signature", &one, 1);
    minus(order, good->signature + 32, one.signature + 32);
    ecdsa_put(cases, "the same with n - s: high s", &one, 0);
    one = *good;
    memset(one.signature, 0, 32);
    ecdsa_put(cases, "r is zero", &one, 0);
    one = *good;
    memset(one.signature + 32, 0, 32);
    ecdsa_put(cases, "s is zero", &one, 0);
    one = *good;
    memcpy(one.signature, order, 32);
    ecdsa_put(cases, "r is the order", &one, 0);
    one = *good;
    memcpy(one.signature + 32, order, 32);
    ecdsa_put(cases, "s is the order", &one, 0);
    memset(one.signature, 0, SIGNATURE);
    ecdsa_put(cases, "all zeros", &one, 0);
    memset(one.signature, 0xff, SIGNATURE);
    ecdsa_put(cases, "all ones", &one, 0);
    one = *good;
    memcpy(one.signature, good->signature + 32, 32);
    memcpy(one.signature + 32, good->signature, 32);
    ecdsa_put(cases, "r and s exchanged", &one, 0);
    one = *good;
    one.digest[31] ^= 1;
    ecdsa_put(cases, "another digest", &one, 0);
    one = *good;
    one.public_key[0] ^= 1;
    ecdsa_put(cases, "the other point of the same x", &one, 0);
    for (int first = 0; first < 8; first++) {
        one = *good;
        one.public_key[0] = (uint8_t)first;
        if (first != 2 && first != 3) {
            ecdsa_put(cases, "a first byte that is not 2 or 3", &one, 0);
        }
    }
    one = *good;
    memset(one.public_key + 1, 0, 32);
    one.public_key[32] = 5;
    ecdsa_put(cases, "x without a point", &one, 0);
    memset(one.public_key + 1, 0xff, 32);
    ecdsa_put(cases, "x above the prime", &one, 0);
    memset(one.public_key, 0, 33);
    ecdsa_put(cases, "a key of zeros", &one, 0);
    return cases;
}

static void make_ecdsa(const char *folder)
{
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    json_t *root = json_object();
    struct ecdsa_case last;

    put(root, "about",
        json_string("secp256k1; digest is signed as it is; signature r || s, low s; nonce of RFC "
                    "6979 with SHA-256 and no extra data. The secrets are test keys"));
    put(root, "signing", ecdsa_signing(context, &last));
    put(root, "verifying", ecdsa_verifying(&last));
    save(folder, "ecdsa.json", root);
    secp256k1_context_destroy(context);
}

/* --- ed25519 --- */

/* The eight points of small order in every encoding that their bytes allow. */
static const struct {
    const char *digits;
    const char *comment;
} small[] = {
    {"0100000000000000000000000000000000000000000000000000000000000000", "order 1"},
    {"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "order 2"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "order 4"},
    {"0000000000000000000000000000000000000000000000000000000000000080", "order 4, other sign"},
    {"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "order 8"},
    {"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", "order 8, other sign"},
    {"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "order 8, other y"},
    {"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
     "order 8, other y and sign"},
    {"0100000000000000000000000000000000000000000000000000000000000080", "order 1, x = 0 signed"},
    {"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "order 2, x = 0 signed"},
    {"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "order 4, y = p"},
    {"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "order 4, y = p, signed"},
    {"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "order 1, y = p + 1"},
    {"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "order 1, y = p + 1, signed"},
};
enum { ORDER_8 = 4 };

static void point(const char *digits, uint8_t *out)
{
    must(sodium_hex2bin(out, 32, digits, 64, NULL, NULL, NULL) == 0, digits);
}

struct ed_case {
    uint8_t public_key[32];
    uint8_t message[32];
    uint8_t signature[SIGNATURE];
};

static void ed_put(json_t *cases, const char *comment, const struct ed_case *one, int valid)
{
    json_t *object = json_object();
    const int found = crypto_sign_ed25519_verify_detached(
                          one->signature, one->message, sizeof one->message, one->public_key) == 0;

    must(found == valid, comment);
    put(object, "comment", json_string(comment));
    put(object, "public", hex(one->public_key, 32));
    put(object, "message", hex(one->message, sizeof one->message));
    put(object, "signature", hex(one->signature, SIGNATURE));
    put(object, "valid", json_boolean(valid));
    push(cases, object);
}

/* k = SHA-512(R || A || M) mod L, of RFC 8032 5.1.7. */
static void challenge(const struct ed_case *one, uint8_t *k)
{
    crypto_hash_sha512_state state;
    uint8_t wide[64];

    must(crypto_hash_sha512_init(&state) == 0, "sha512");
    must(crypto_hash_sha512_update(&state, one->signature, 32) == 0, "sha512");
    must(crypto_hash_sha512_update(&state, one->public_key, 32) == 0, "sha512");
    must(crypto_hash_sha512_update(&state, one->message, sizeof one->message) == 0, "sha512");
    must(crypto_hash_sha512_final(&state, wide) == 0, "sha512");
    crypto_core_ed25519_scalar_reduce(k, wide);
}

static void scalar(const char *sentence, uint8_t *out)
{
    uint8_t wide[64];

    must(crypto_hash_sha512(wide, (const uint8_t *)sentence, strlen(sentence)) == 0, "sha512");
    crypto_core_ed25519_scalar_reduce(out, wide);
}

static void times_base(const uint8_t *k, uint8_t *out)
{
    must(crypto_scalarmult_ed25519_base_noclamp(out, k) == 0, "base");
}

/* `mine` with a point of order 8 added `times` times. */
static void add_small(uint8_t *mine, int times)
{
    uint8_t t[32];

    point(small[ORDER_8].digits, t);
    for (int i = 0; i < times; i++) {
        must(crypto_core_ed25519_add(mine, mine, t) == 0, "add");
    }
}

/*
 * A signature with a = secret of A, r = secret of R, to which multiples of a point of order 8 were added; the
 * message is chosen so that k = want (mod 8), which decides whether the equation without cofactor holds.
 */
static void ed_mixed(int a_times, int r_times, uint8_t want, struct ed_case *out)
{
    uint8_t a[32];
    uint8_t r[32];
    uint8_t k[32];
    uint8_t product[32];

    scalar("the secret of a test key of mixed order", a);
    scalar("the nonce of a test signature", r);
    memset(out, 0, sizeof *out);
    times_base(a, out->public_key);
    add_small(out->public_key, a_times);
    times_base(r, out->signature);
    add_small(out->signature, r_times);
    for (int i = 0; i < 255; i++) {
        out->message[0] = (uint8_t)i;
        challenge(out, k);
        if ((k[0] & 7) == want) {
            break;
        }
    }
    must((k[0] & 7) == want, "no message found");
    crypto_core_ed25519_scalar_mul(product, k, a);
    crypto_core_ed25519_scalar_add(out->signature + 32, r, product);
}

/*
 * s B = R + k A.  With A = a B + i T and R = r B + j T (T of order 8) the right side has (j + k i) T too much:
 * nothing if j + k i = 0 (mod 8).  A verifier that multiplies by the cofactor accepts all of these.
 */
static void ed_mixed_cases(json_t *cases)
{
    struct ed_case one;

    ed_mixed(0, 0, 3, &one);
    ed_put(cases, "made by hand, nothing added", &one, 1);
    ed_mixed(1, 0, 0, &one);
    ed_put(cases, "A of mixed order, equation holds", &one, 1);
    ed_mixed(1, 0, 3, &one);
    ed_put(cases, "A of mixed order, equation holds only with the cofactor", &one, 0);
    ed_mixed(4, 0, 1, &one);
    ed_put(cases, "A with a point of order 2 added, holds only with the cofactor", &one, 0);
    ed_mixed(4, 0, 2, &one);
    ed_put(cases, "A with a point of order 2 added, equation holds", &one, 1);
    ed_mixed(0, 1, 5, &one);
    ed_put(cases, "R of mixed order, equation holds only with the cofactor", &one, 0);
    ed_mixed(1, 5, 3, &one);
    ed_put(cases, "A and R of mixed order, equation holds", &one, 1);
    ed_mixed(1, 5, 4, &one);
    ed_put(cases, "A and R of mixed order, holds only with the cofactor", &one, 0);
}

/* Small points as A and as R, with S so that the equation holds wherever that is possible. */
static void ed_small_cases(json_t *cases)
{
    char comment[96];
    uint8_t a[32];
    uint8_t k[32];

    scalar("the secret of a test key", a);
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        struct ed_case one;

        /* A of small order, R the unit element, S = 0: holds for all messages with k A = 0. */
        memset(&one, 0, sizeof one);
        point(small[i].digits, one.public_key);
        one.signature[0] = 1;
        (void)snprintf(comment, sizeof comment, "A: %s", small[i].comment);
        ed_put(cases, comment, &one, 0);

        /* R of small order: S = k a, which holds for the unit element. */
        memset(&one, 0, sizeof one);
        times_base(a, one.public_key);
        point(small[i].digits, one.signature);
        challenge(&one, k);
        crypto_core_ed25519_scalar_mul(one.signature + 32, k, a);
        (void)snprintf(comment, sizeof comment, "R: %s", small[i].comment);
        ed_put(cases, comment, &one, 0);
    }
}

/* S + times L, little-endian; L is the order of the base point. */
static void add_order(uint8_t *s, int times)
{
    static const uint8_t l[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

    for (int n = 0; n < times; n++) {
        int carry = 0;

        for (int i = 0; i < 32; i++) {
            carry += s[i] + l[i];
            s[i] = (uint8_t)carry;
            carry >>= 8;
        }
        must(carry == 0, "S + L fits");
    }
}

static json_t *ed_verifying(void)
{
    json_t *cases = json_array();
    uint8_t seed[32];
    uint8_t expanded[64];
    struct ed_case good;
    struct ed_case one;

    memset(seed, 0x11, sizeof seed);
    memset(&good, 0, sizeof good);
    memcpy(good.message, "a statement of thirty-two bytes.", 32);
    must(crypto_sign_ed25519_seed_keypair(good.public_key, expanded, seed) == 0, "seed");
    must(crypto_sign_ed25519_detached(good.signature, NULL, good.message, 32, expanded) == 0,
         "sign");
    ed_put(cases, "a valid signature", &good, 1);
    one = good;
    add_order(one.signature + 32, 1);
    ed_put(cases, "S not reduced: S + L", &one, 0);
    add_order(one.signature + 32, 6);
    ed_put(cases, "S not reduced: S + 7 L", &one, 0);
    one = good;
    memset(one.signature + 32, 0, 32);
    ed_put(cases, "S is zero", &one, 0);
    add_order(one.signature + 32, 1);
    ed_put(cases, "S is L", &one, 0);
    one = good;
    one.signature[63] |= 0x80;
    ed_put(cases, "the highest bit of S", &one, 0);
    one = good;
    one.message[0] ^= 1;
    ed_put(cases, "another message", &one, 0);
    one = good;
    one.public_key[31] ^= 0x80;
    ed_put(cases, "the negated key", &one, 0);
    one = good;
    one.signature[31] ^= 0x80;
    ed_put(cases, "the negated R", &one, 0);
    one = good;
    memset(one.public_key, 0xff, 32);
    ed_put(cases, "a key with y above the prime", &one, 0);
    one = good;
    memset(one.public_key, 0, 32);
    one.public_key[0] = 2;
    ed_put(cases, "y = 2, which is on no point", &one, 0);
    ed_small_cases(cases);
    ed_mixed_cases(cases);
    return cases;
}

static json_t *ed_signing(void)
{
    json_t *cases = json_array();

    for (int i = 0; i < 6; i++) {
        json_t *object = json_object();
        uint8_t seed[32];
        uint8_t message[160];
        uint8_t expanded[64];
        uint8_t public_key[32];
        uint8_t signature[SIGNATURE];
        const size_t count = (size_t)i * 32;

        memset(seed, i + 1, sizeof seed);
        memset(message, i, sizeof message);
        must(crypto_sign_ed25519_seed_keypair(public_key, expanded, seed) == 0, "seed");
        must(crypto_sign_ed25519_detached(signature, NULL, message, count, expanded) == 0, "sign");
        put(object, "secret", hex(seed, sizeof seed));
        put(object, "public", hex(public_key, sizeof public_key));
        put(object, "message", hex(message, count));
        put(object, "signature", hex(signature, sizeof signature));
        push(cases, object);
    }
    return cases;
}

static void make_ed25519(const char *folder)
{
    json_t *root = json_object();

    put(root, "about",
        json_string("RFC 8032 without cofactor: s B = R + k A; refused besides: S not below L, A "
                    "or R of small order, A not canonical. The secrets are test keys"));
    put(root, "signing", ed_signing());
    put(root, "verifying", ed_verifying());
    save(folder, "ed25519.json", root);
}

/* --- key files --- */

struct ring {
    const char *passphrase; /* "" for kdf none */
    uint32_t m_kib;
    uint32_t t;
    uint8_t salt[16];
    uint8_t key[32];
};

struct ring_key {
    uint8_t kind;
    uint8_t secret[32];
    uint8_t public_key[33];
    size_t public_bytes;
    json_int_t created_ms;
};

static struct ring_key ring_key_of(const secp256k1_context *context, uint8_t kind, uint8_t fill)
{
    struct ring_key key = {.kind = kind, .public_bytes = kind == 1 ? 33 : 32};
    uint8_t expanded[64];
    secp256k1_pubkey point_of;
    size_t count = 33;

    memset(key.secret, fill, sizeof key.secret);
    key.created_ms = 1767225600000 + fill;
    if (kind == 1) {
        must(secp256k1_ec_pubkey_create(context, &point_of, key.secret) == 1, "secret");
        must(secp256k1_ec_pubkey_serialize(context, key.public_key, &count, &point_of,
                                           SECP256K1_EC_COMPRESSED) == 1,
             "serialize");
    } else if (kind == 2) {
        must(crypto_sign_ed25519_seed_keypair(key.public_key, expanded, key.secret) == 0, "seed");
    } else {
        must(crypto_scalarmult_curve25519_base(key.public_key, key.secret) == 0, "x25519");
    }
    return key;
}

static void be32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static json_t *key_object(const struct ring *ring, const struct ring_key *key)
{
    json_t *object = json_object();
    uint8_t nonce[24];
    uint8_t sealed[48];
    uint8_t associated[96];
    size_t used = 13;

    put(object, "kind", json_integer(key->kind));
    put(object, "pub", hex(key->public_key, key->public_bytes));
    if (ring->passphrase[0] == '\0') {
        put(object, "ct", hex(key->secret, sizeof key->secret));
    } else {
        memset(nonce, key->secret[0] ^ 0xff, sizeof nonce);
        memcpy(associated, "artel.keyfile", 13);
        associated[used++] = 1;
        associated[used++] = 1;
        be32(associated + used, ring->m_kib);
        be32(associated + used + 4, ring->t);
        be32(associated + used + 8, 1);
        memcpy(associated + used + 12, ring->salt, 16);
        associated[used + 28] = key->kind;
        memcpy(associated + used + 29, key->public_key, key->public_bytes);
        used += 29 + key->public_bytes;
        must(crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, key->secret, 32, associated,
                                                        used, NULL, nonce, ring->key) == 0,
             "seal");
        put(object, "nonce", hex(nonce, sizeof nonce));
        put(object, "ct", hex(sealed, sizeof sealed));
    }
    put(object, "created_ms", json_integer(key->created_ms));
    return object;
}

static json_t *ring_object(struct ring *ring, const struct ring_key *keys, size_t count)
{
    json_t *object = json_object();
    json_t *list = json_array();

    put(object, "v", json_integer(1));
    put(object, "kdf", json_string(ring->passphrase[0] == '\0' ? "none" : "argon2id"));
    if (ring->passphrase[0] != '\0') {
        json_t *params = json_object();

        must(crypto_pwhash_argon2id(ring->key, 32, ring->passphrase, strlen(ring->passphrase),
                                    ring->salt, ring->t, (size_t)ring->m_kib * 1024,
                                    crypto_pwhash_argon2id_ALG_ARGON2ID13) == 0,
             "argon2id");
        put(params, "m_kib", json_integer(ring->m_kib));
        put(params, "t", json_integer(ring->t));
        put(params, "p", json_integer(1));
        put(params, "salt", hex(ring->salt, 16));
        put(object, "kdf_params", params);
    }
    for (size_t i = 0; i < count; i++) {
        push(list, key_object(ring, &keys[i]));
    }
    put(object, "keys", list);
    return object;
}

/* `open` and `unlock`: the fault in lower case, or "ok"; unlock is left out where open fails. */
static json_t *file_case(json_t *files, const char *comment, const char *text,
                         const char *passphrase, const char *verdict)
{
    static const char *const at_unlock[] = {"ok", "wrong", "public_differs"};
    json_t *one = json_object();
    int opens = 0;

    for (size_t i = 0; i < sizeof at_unlock / sizeof at_unlock[0]; i++) {
        opens |= strcmp(verdict, at_unlock[i]) == 0;
    }
    put(one, "comment", json_string(comment));
    put(one, "text", json_string(text));
    put(one, "open", json_string(opens ? "ok" : verdict));
    if (opens) {
        put(one, "passphrase", json_string(passphrase));
        put(one, "unlock", json_string(verdict));
    }
    push(files, one);
    return one;
}

static void good_case(json_t *files, const char *comment, struct ring *ring,
                      const struct ring_key *keys, size_t count)
{
    json_t *object = ring_object(ring, keys, count);
    char *text = json_dumps(object, JSON_COMPACT);
    json_t *one = file_case(files, comment, text, ring->passphrase, "ok");
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *key = json_object();
        uint8_t hash[HASH];

        tagged("artel.keyfile", keys[i].public_key, keys[i].public_bytes, hash);
        put(key, "kind", json_integer(keys[i].kind));
        put(key, "public", hex(keys[i].public_key, keys[i].public_bytes));
        put(key, "secret", hex(keys[i].secret, 32));
        put(key, "created_ms", json_integer(keys[i].created_ms));
        put(key, "name", hex(hash, 8));
        push(list, key);
    }
    put(one, "keys", list);
    free(text);
    json_decref(object);
}

/* The text with the first `from` replaced by `to`. */
static void changed_case(json_t *files, const char *comment, const char *text, const char *from,
                         const char *to, const char *verdict)
{
    char out[4096];
    const char *at = strstr(text, from);

    must(at != NULL && strlen(text) + strlen(to) < sizeof out, comment);
    memcpy(out, text, (size_t)(at - text));
    out[at - text] = '\0';
    strcat(out, to);                /* NOLINT: the sum of lengths was looked at */
    strcat(out, at + strlen(from)); /* NOLINT */
    (void)file_case(files, comment, out, "correct horse battery staple", verdict);
}

/* The text with one hex digit of the first field `name` changed, to a letter or to another digit. */
static void flipped_case(json_t *files, const char *comment, const char *text, const char *name,
                         size_t digit, char letter)
{
    char out[4096];
    char *at;

    must(strlen(text) < sizeof out, comment);
    (void)snprintf(out, sizeof out, "%s", text);
    at = strstr(out, name);
    must(at != NULL, comment);
    at += strlen(name) + digit;
    if (*at != letter) {
        *at = letter;
    } else {
        *at = '1';
    }
    (void)file_case(files, comment, out, "correct horse battery staple",
                    letter == '0' ? "wrong" : "not_json");
}

static void sealed_faults(json_t *files, const char *text)
{
    (void)file_case(files, "a wrong passphrase", text, "correct horse battery stapler", "wrong");
    (void)file_case(files, "an empty passphrase", text, "", "wrong");
    flipped_case(files, "a changed salt", text, "\"salt\":\"", 0, '0');
    flipped_case(files, "a changed nonce", text, "\"nonce\":\"", 47, '0');
    flipped_case(files, "a changed secret", text, "\"ct\":\"", 0, '0');
    flipped_case(files, "a changed tag", text, "\"ct\":\"", 95, '0');
    flipped_case(files, "a changed public key", text, "\"pub\":\"", 60, '0');
    changed_case(files, "another kind of the same size", text, "\"kind\":2", "\"kind\":3", "wrong");
    changed_case(files, "m_kib raised by one", text, "65536", "65537", "wrong");
    changed_case(files, "t raised by one", text, "\"t\":3", "\"t\":4", "wrong");
    changed_case(files, "m_kib below the bound", text, "65536", "65535", "weak");
    changed_case(files, "m_kib above the bound", text, "65536", "1048577", "weak");
    changed_case(files, "t below the bound", text, "\"t\":3", "\"t\":2", "weak");
    changed_case(files, "t above the bound", text, "\"t\":3", "\"t\":11", "weak");
    changed_case(files, "two lanes", text, "\"p\":1", "\"p\":2", "weak");
    changed_case(files, "no lane", text, "\"p\":1", "\"p\":0", "weak");
    changed_case(files, "an unknown field of the parameters", text, "\"p\":1", "\"p\":1,\"q\":1",
                 "not_json");
    changed_case(files, "no salt", text, "\"salt\"", "\"salty\"", "not_json");
    changed_case(files, "a nonce too short", text, "\"nonce\":\"ddd", "\"nonce\":\"d", "not_json");
    changed_case(files, "kdf none with the fields of argon2id", text, "argon2id", "none",
                 "not_json");
}

static void form_faults(json_t *files, const char *text)
{
    changed_case(files, "version 2", text, "\"v\":1", "\"v\":2", "version");
    changed_case(files, "version 2 looks different", text, "\"v\":1,\"kdf\":\"none\"", "\"v\":2",
                 "version");
    changed_case(files, "version as text", text, "\"v\":1", "\"v\":\"1\"", "not_json");
    changed_case(files, "version as a fraction", text, "\"v\":1", "\"v\":1.0", "not_json");
    changed_case(files, "version below zero", text, "\"v\":1", "\"v\":-1", "not_json");
    changed_case(files, "another kdf", text, "none", "scrypt", "version");
    changed_case(files, "no kdf", text, "\"kdf\":\"none\",", "", "not_json");
    changed_case(files, "an unknown field", text, "\"v\":1", "\"v\":1,\"w\":1", "not_json");
    changed_case(files, "an unknown field of a key", text, "\"kind\":2", "\"kind\":2,\"k\":0",
                 "not_json");
    changed_case(files, "a field twice", text, "\"v\":1", "\"v\":1,\"v\":1", "not_json");
    changed_case(files, "a field of a key twice", text, "\"kind\":2", "\"kind\":2,\"kind\":2",
                 "not_json");
    changed_case(files, "kind 0", text, "\"kind\":2", "\"kind\":0", "not_json");
    changed_case(files, "kind 4", text, "\"kind\":2", "\"kind\":4", "not_json");
    changed_case(files, "a kind whose public key is longer", text, "\"kind\":2", "\"kind\":1",
                 "not_json");
    flipped_case(files, "a digit that is none", text, "\"pub\":\"", 0, 'x');
    changed_case(files, "a time before 1970", text, "\"created_ms\":1767225600023",
                 "\"created_ms\":-1", "not_json");
    changed_case(files, "a time that JavaScript cannot hold", text, "\"created_ms\":1767225600023",
                 "\"created_ms\":9007199254740992", "not_json");
    changed_case(files, "another kind of the same size", text, "\"kind\":2", "\"kind\":3",
                 "public_differs");
    changed_case(files, "a changed secret", text, "\"ct\":\"17", "\"ct\":\"18", "public_differs");
    (void)file_case(files, "no key", "{\"v\":1,\"kdf\":\"none\",\"keys\":[]}", "", "empty");
    (void)file_case(files, "an array", "[1]", "", "not_json");
    (void)file_case(files, "nothing", "", "", "not_json");
    (void)file_case(files, "cut off", "{\"v\":1,\"kdf\":\"none\",\"keys\":[", "", "not_json");
    changed_case(files, "bytes behind the end", text, "]}", "]} x", "not_json");
}

static void make_keyfile(const char *folder)
{
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    json_t *root = json_object();
    json_t *files = json_array();
    struct ring sealed = {"correct horse battery staple", 65536, 3, {0}, {0}};
    struct ring wide = {"\xd0\xb4\xd0\xbe\xd0\xbb\xd0\xb3\xd0\xb8\xd0\xb9 \xd0\xbf\xd1\x83\xd1\x82"
                        "\xd1\x8c",
                        65537,
                        4,
                        {0},
                        {0}};
    struct ring plain = {"", 0, 0, {0}, {0}};
    struct ring_key keys[3];
    struct ring_key zero;
    json_t *object;
    char *text;

    memset(sealed.salt, 0x5a, 16);
    memset(wide.salt, 0xa5, 16);
    keys[0] = ring_key_of(context, 1, 0x21);
    keys[1] = ring_key_of(context, 2, 0x22);
    keys[2] = ring_key_of(context, 3, 0x23);
    good_case(files, "three kinds under a passphrase", &sealed, keys, 3);
    good_case(files, "other parameters, passphrase in Cyrillic", &wide, &keys[0], 1);
    good_case(files, "three kinds without a passphrase", &plain, keys, 3);

    keys[1] = ring_key_of(context, 2, 0x22);
    object = ring_object(&sealed, &keys[1], 1);
    text = json_dumps(object, JSON_COMPACT);
    sealed_faults(files, text);
    free(text);
    json_decref(object);

    keys[1].public_key[0] ^= 1;
    object = ring_object(&sealed, &keys[1], 1);
    text = json_dumps(object, JSON_COMPACT);
    (void)file_case(files, "sealed with a public key that is not the secret's", text,
                    sealed.passphrase, "public_differs");
    free(text);
    json_decref(object);

    keys[2] = ring_key_of(context, 2, 0x17);
    object = ring_object(&plain, &keys[2], 1);
    text = json_dumps(object, JSON_COMPACT);
    form_faults(files, text);
    free(text);
    json_decref(object);

    zero = keys[0];
    memset(zero.secret, 0, sizeof zero.secret);
    object = ring_object(&plain, &zero, 1);
    text = json_dumps(object, JSON_COMPACT);
    (void)file_case(files, "an account's secret of zeros", text, "", "public_differs");
    free(text);
    json_decref(object);

    put(root, "about",
        json_string("key files as text; open: what reading says, unlock: what the passphrase "
                    "(UTF-8) says. All keys are test keys"));
    put(root, "files", files);
    save(folder, "keyfile.json", root);
    secp256k1_context_destroy(context);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: vectors_crypto FOLDER\n");
        return 2;
    }
    must(sodium_init() >= 0, "libsodium");
    make_hash(argv[1]);
    make_merkle(argv[1]);
    make_ecdsa(argv[1]);
    make_ed25519(argv[1]);
    make_keyfile(argv[1]);
    return 0;
}

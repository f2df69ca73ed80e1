/*
 * tests/json.h -- read vectors in JSON: a missing field, a wrong type or a digit that is none fails the test.
 *
 * What is read lives until the process ends; a test process is short.
 */
#ifndef TESTS_JSON_H
#define TESTS_JSON_H

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hex.h"
#include "tests/check.h"

/* What was read, in one chain, so that it is kept and not lost. */
struct json_kept {
    struct json_kept *next;
    json_t *root;
    uint8_t bytes[];
};

static struct json_kept *json_kept_first;

static inline struct json_kept *json_keep(size_t count)
{
    struct json_kept *kept = malloc(sizeof *kept + count);

    CHECK(kept != NULL);
    kept->root = NULL;
    kept->next = json_kept_first;
    json_kept_first = kept;
    return kept;
}

static inline json_t *json_open(const char *folder, const char *name)
{
    char path[4096];
    json_error_t error;
    json_t *root;
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);

    CHECK(length > 0 && (size_t)length < sizeof path);
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        check_failed(__FILE__, __LINE__, "%s:%d: %s", path, error.line, error.text);
    }
    json_keep(0)->root = root;
    return root;
}

/* A file of our own, in tests/vectors. */
static inline json_t *json_own(const char *name)
{
    return json_open(check_own_vectors(), name);
}

static inline json_t *json_field(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    if (value == NULL) {
        check_failed(__FILE__, __LINE__, "no field %s", name);
    }
    return value;
}

/* An array that is not empty: a test over no case tests nothing. */
static inline json_t *json_list(const json_t *object, const char *name)
{
    json_t *list = json_field(object, name);

    CHECK(json_is_array(list));
    CHECK_U64(json_array_size(list), >, 0);
    return list;
}

static inline const char *json_text(const json_t *object, const char *name)
{
    const json_t *value = json_field(object, name);

    CHECK(json_is_string(value));
    return json_string_value(value);
}

static inline uint64_t json_count(const json_t *object, const char *name)
{
    const json_t *value = json_field(object, name);

    CHECK(json_is_integer(value) && json_integer_value(value) >= 0);
    return (uint64_t)json_integer_value(value);
}

/* A number of 64 bits: beyond 2^53 it stands as a decimal string, since JavaScript reads the same files. */
static inline uint64_t json_u64(const json_t *object, const char *name)
{
    const json_t *value = json_field(object, name);
    char *end = NULL;
    uint64_t number;

    if (json_is_integer(value)) {
        return json_count(object, name);
    }
    errno = 0;
    number = strtoull(json_text(object, name), &end, 10);
    CHECK(errno == 0 && *end == '\0' && end != json_text(object, name));
    return number;
}

static inline bool json_truth(const json_t *object, const char *name)
{
    const json_t *value = json_field(object, name);

    CHECK(json_is_boolean(value));
    return json_is_true(value);
}

/* Hex digits as bytes; at least one byte of memory, so that `at` is never NULL. */
static inline struct bytes json_digits(const json_t *value)
{
    size_t count;
    uint8_t *at;

    CHECK(json_is_string(value));
    count = json_string_length(value);
    CHECK(count % 2 == 0);
    at = json_keep(count / 2 + 1)->bytes;
    CHECK(hex_decode(json_string_value(value), at, count / 2));
    return bytes_of(at, count / 2);
}

static inline struct bytes json_bytes(const json_t *object, const char *name)
{
    return json_digits(json_field(object, name));
}

/* As json_bytes; an object with `zeros` has that many zero bytes behind them. */
static inline struct bytes json_bytes_zeros(const json_t *object, const char *name)
{
    const struct bytes bytes = json_bytes(object, name);
    uint8_t *at;
    size_t zeros;

    if (json_object_get(object, "zeros") == NULL) {
        return bytes;
    }
    zeros = (size_t)json_count(object, "zeros");
    at = json_keep(bytes.count + zeros + 1)->bytes;
    memcpy(at, bytes.at, bytes.count);
    memset(at + bytes.count, 0, zeros);
    return bytes_of(at, bytes.count + zeros);
}

/* As json_bytes, of an exact size. */
static inline const uint8_t *json_exact(const json_t *object, const char *name, size_t count)
{
    const struct bytes bytes = json_bytes(object, name);

    CHECK_U64(bytes.count, ==, count);
    return bytes.at;
}

#endif /* TESTS_JSON_H */

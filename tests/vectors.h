/*
 * tests/vectors.h -- read the JSON files of tests/vectors in a unit test: hex strings, numbers, words.
 *
 * A file is {"about": text, "vectors": [objects]} or has several lists.  Numbers beyond 2^53 are decimal strings, since JavaScript
 * reads the same files.  A field that is missing or has another form fails the running test.
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "tests/check.h"

/* What vectors_hex gave so far; taken back by vectors_open. */
static inline uint8_t *vectors_memory(size_t count, bool reset)
{
    static uint8_t memory[8 << 20];
    static size_t used;
    uint8_t *taken;

    used = reset ? 0 : used;
    CHECK(count <= sizeof memory - used);
    taken = memory + used;
    used += count;
    return taken;
}

/* Read tests/vectors/NAME.json; the test ends it with json_decref. */
static inline json_t *vectors_open(const char *name)
{
    char path[1024];
    json_error_t error;
    json_t *file;

    (void)vectors_memory(0, true);
    (void)snprintf(path, sizeof path, "%s/tests/vectors/%s.json", SOURCE_DIR, name);
    file = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (file == NULL) {
        check_failed(__FILE__, __LINE__, "%s:%d: %s", path, error.line, error.text);
    }
    return file;
}

/* A list that is there and not empty. */
static inline json_t *vectors_list(json_t *object, const char *key)
{
    json_t *list = json_object_get(object, key);

    if (!json_is_array(list) || json_array_size(list) == 0) {
        check_failed(__FILE__, __LINE__, "no list %s", key);
    }
    return list;
}

static inline const char *vectors_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (text == NULL) {
        check_failed(__FILE__, __LINE__, "no text %s", key);
    }
    return text;
}

/* Bytes, alive until the next vectors_open.  An object with `zeros` has that many zero bytes behind its hex. */
static inline struct bytes vectors_hex(const json_t *object, const char *key)
{
    const char *text = vectors_text(object, key);
    const size_t count = strlen(text) / 2;
    const size_t zeros = (size_t)json_integer_value(json_object_get(object, "zeros"));
    uint8_t *memory = vectors_memory(count + zeros, false);

    if (strlen(text) % 2 != 0 || !hex_decode(text, memory, count)) {
        check_failed(__FILE__, __LINE__, "%s is not hex", key);
    }
    memset(memory + count, 0, zeros);
    return bytes_of(memory, count + zeros);
}

/* Thirty-two or another fixed number of bytes. */
static inline void vectors_copy(const json_t *object, const char *key, uint8_t *out, size_t count)
{
    if (!hex_decode(vectors_text(object, key), out, count)) {
        check_failed(__FILE__, __LINE__, "%s is not %zu bytes in hex", key, count);
    }
}

/* A number, or a decimal string. */
static inline uint64_t vectors_u64(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    char *end = NULL;
    uint64_t number;

    if (json_is_integer(value)) {
        return (uint64_t)json_integer_value(value);
    }
    if (!json_is_string(value)) {
        check_failed(__FILE__, __LINE__, "no number %s", key);
    }
    errno = 0;
    number = strtoull(json_string_value(value), &end, 10);
    if (errno != 0 || end == json_string_value(value) || *end != '\0') {
        check_failed(__FILE__, __LINE__, "%s is not a number", key);
    }
    return number;
}

#endif /* TESTS_VECTORS_H */

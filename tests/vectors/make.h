/* tests/vectors/make.h -- print vector files.  The generator is run by hand: ninja -C build/dev vectors_proto */
#ifndef TESTS_VECTORS_MAKE_H
#define TESTS_VECTORS_MAKE_H

#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"

/* Open FOLDER/NAME.json and begin it. */
FILE *make_open(const char *folder, const char *name, const char *about);
void make_close(FILE *file);

/* A list of objects, and an object in it; fields stand between make_object and make_object_end. */
void make_list(FILE *file, const char *key);
void make_list_end(FILE *file);
void make_object(FILE *file);
void make_object_end(FILE *file);

void make_text(FILE *file, const char *key, const char *text);
void make_hex(FILE *file, const char *key, struct bytes bytes);
void make_u64(FILE *file, const char *key, uint64_t value); /* as a string if it is beyond 2^53 */
void make_numbers(FILE *file, const char *key, const uint16_t *values, size_t count);

void make_canon(const char *folder);

#endif /* TESTS_VECTORS_MAKE_H */

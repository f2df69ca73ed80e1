/* tests/vectors/make_proto.h -- print vector files.  The generator is run by hand: ninja -C build/dev vectors_proto */
#ifndef TESTS_VECTORS_MAKE_PROTO_H
#define TESTS_VECTORS_MAKE_PROTO_H

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

void make_text(FILE *file, const char *name, const char *text);
void make_hex(FILE *file, const char *name, struct bytes bytes);
void make_u64(FILE *file, const char *name, uint64_t value); /* as a string if it is beyond 2^53 */
void make_numbers(FILE *file, const char *name, const uint16_t *values, size_t count);

/* Test keys: secrets of 32 equal bytes. */
void make_account_key(uint8_t fill, uint8_t secret[32], uint8_t public_key[33]);
void make_consensus_key(uint8_t fill, uint8_t secret[32], uint8_t public_key[32]);

struct arena;

/* An arena of 16 MiB that is empty again at each call. */
struct arena *make_arena(void);

void make_canon(const char *folder);
void make_tx(const char *folder);
void make_genesis(const char *folder);

#endif /* TESTS_VECTORS_MAKE_PROTO_H */

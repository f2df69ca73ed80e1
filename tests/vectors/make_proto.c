/*
 * tests/vectors/make_proto.c -- print the vector files of the room proto into a folder.
 *
 *     make_proto FOLDER
 *
 * It is run by hand when bytes are added; the files are committed.  Everything in them follows from constants, so
 * that a second run changes nothing.  Keys are test keys: a secret is 32 equal bytes.
 */
#include <stdlib.h>

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hex.h"
#include "crypto/ecdsa.h"
#include "crypto/ed25519.h"
#include "tests/vectors/make_proto.h"

static uint32_t things; /* in the open list or object, for commas */

FILE *make_open(const char *folder, const char *name, const char *about)
{
    char path[1024];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s.json", folder, name);
    file = fopen(path, "w");
    if (file == NULL) {
        (void)fprintf(stderr, "make_proto: cannot write %s\n", path);
        exit(1);
    }
    (void)fprintf(file, "{\n\"about\": \"%s\"", about);
    return file;
}

void make_close(FILE *file)
{
    (void)fputs("\n}\n", file);
    INVARIANT(ferror(file) == 0 && fclose(file) == 0);
}

void make_list(FILE *file, const char *key)
{
    (void)fprintf(file, ",\n\"%s\": [", key);
    things = 0;
}

void make_list_end(FILE *file)
{
    (void)fputs("\n]", file);
}

void make_object(FILE *file)
{
    (void)fputs(things == 0 ? "\n{" : ",\n{", file);
    things = 0;
}

void make_object_end(FILE *file)
{
    (void)fputs("}", file);
    things = 1;
}

static void key(FILE *file, const char *name)
{
    (void)fprintf(file, "%s\"%s\": ", things == 0 ? "" : ", ", name);
    things += 1;
}

void make_text(FILE *file, const char *name, const char *text)
{
    key(file, name);
    (void)fprintf(file, "\"%s\"", text);
}

void make_hex(FILE *file, const char *name, struct bytes bytes)
{
    char digits[3];

    key(file, name);
    (void)fputs("\"", file);
    for (size_t i = 0; i < bytes.count; i++) {
        hex_encode(bytes_of(bytes.at + i, 1), digits);
        (void)fputs(digits, file);
    }
    (void)fputs("\"", file);
}

void make_u64(FILE *file, const char *name, uint64_t value)
{
    const char *quote = value > UINT64_C(1) << 53 ? "\"" : "";

    key(file, name);
    (void)fprintf(file, "%s%llu%s", quote, (unsigned long long)value, quote);
}

void make_numbers(FILE *file, const char *name, const uint16_t *values, size_t count)
{
    key(file, name);
    (void)fputs("[", file);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(file, "%s%u", i == 0 ? "" : ", ", (unsigned)values[i]);
    }
    (void)fputs("]", file);
}

void make_account_key(uint8_t fill, uint8_t secret[32], uint8_t public_key[33])
{
    memset(secret, fill, 32);
    INVARIANT(ecdsa_public(secret, public_key));
}

void make_consensus_key(uint8_t fill, uint8_t secret[32], uint8_t public_key[32])
{
    memset(secret, fill, 32);
    ed25519_public(secret, public_key);
}

struct arena *make_arena(void)
{
    static _Alignas(ARENA_ALIGN) uint8_t memory[16 << 20];
    static struct arena arena;

    arena_init(&arena, memory, sizeof memory);
    return &arena;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fputs("usage: make_proto FOLDER\n", stderr);
        return 1;
    }
    make_canon(argv[1]);
    make_tx(argv[1]);
    make_genesis(argv[1]);
    return 0;
}

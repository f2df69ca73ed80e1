/* tests/unit/proto/canon.c -- the walk over canon.json, packing against protobuf-c, and memory that runs out. */
#include "proto/canon.h"

#include <string.h>

#include "base/arena.h"
#include "proto/messages.h"
#include "testing.pb-c.h"
#include "tests/check.h"
#include "tests/json.h"

static struct arena arena_of_test(void)
{
    static _Alignas(ARENA_ALIGN) uint8_t memory[1 << 20];
    struct arena arena;

    memset(memory, 0xaa, sizeof memory);
    arena_init(&arena, memory, sizeof memory);
    return arena;
}

/* Unpack what is canonical; packed again, by us and by the library, it must be the same bytes. */
static void packs_again(const ProtobufCMessageDescriptor *type, struct bytes bytes)
{
    static uint8_t other[1 << 17];
    struct arena arena = arena_of_test();
    enum canon_fault fault;
    ProtobufCMessage *message = canon_unpack(type, bytes, &arena, &fault);

    CHECK(message != NULL);
    CHECK_U64(fault, ==, CANON_OK);
    CHECK(protobuf_c_message_get_packed_size(message) <= sizeof other);
    CHECK_BYTES(bytes_of(other, protobuf_c_message_pack(message, other)), bytes);
    CHECK_BYTES(canon_pack(type, message, &arena), bytes);
}

static enum canon_fault one_vector(const json_t *vector)
{
    const ProtobufCMessageDescriptor *type = canon_type_of(json_text(vector, "type"));
    const struct bytes bytes = json_bytes_zeros(vector, "hex");
    struct arena arena = arena_of_test();
    enum canon_fault again;
    enum canon_fault fault;

    CHECK(type != NULL);
    fault = canon_check(type, bytes);
    if (strcmp(canon_fault_name(fault), json_text(vector, "fault")) != 0) {
        check_failed(__FILE__, __LINE__, "%s: %s, not %s", json_text(vector, "name"),
                     canon_fault_name(fault), json_text(vector, "fault"));
    }
    if (fault == CANON_OK) {
        packs_again(type, bytes);
    } else {
        CHECK(canon_unpack(type, bytes, &arena, &again) == NULL);
        CHECK_U64(again, ==, fault);
        CHECK_U64(arena.used, ==, 0);
    }
    return fault;
}

TEST(vectors)
{
    json_t *file = json_own("canon.json");
    bool seen[CANON_DEPTH + 1] = {0};
    const json_t *vector;
    size_t i;

    json_array_foreach (json_list(file, "vectors"), i, vector) {
        seen[one_vector(vector)] = true;
    }
    for (i = 0; i < sizeof seen; i++) {
        CHECK(seen[i]);
    }
    json_decref(file);
}

/* A prefix of a canonical message is canonical only where a field ends; no prefix is read past its end. */
TEST(every_prefix_ends)
{
    json_t *file = json_own("canon.json");
    const json_t *vector;
    size_t i;

    json_array_foreach (json_list(file, "vectors"), i, vector) {
        const ProtobufCMessageDescriptor *type = canon_type_of(json_text(vector, "type"));
        const struct bytes bytes = json_bytes_zeros(vector, "hex");

        for (size_t count = 0; count < bytes.count && bytes.count < 512; count++) {
            uint8_t *exact = json_keep(count)->bytes; /* the sanitizer sees one byte too many */

            memcpy(exact, bytes.at, count);
            if (canon_check(type, bytes_of(exact, count)) == CANON_OK) {
                packs_again(type, bytes_of(exact, count));
            }
        }
    }
    json_decref(file);
}

TEST(a_struct_needs_no_descriptor)
{
    uint8_t digest[4] = {1, 2, 3, 4};
    Testing__Everything__Part part = {.number = 5, .digest = {.len = 4, .data = digest}};
    Testing__Everything__Part empty = {.number = 0};
    Testing__Everything__Part *parts[] = {&empty, &part};
    const Testing__Everything all = {.small = 1,
                                     .kind = TESTING__EVERYTHING__KIND__ONE,
                                     .part = &part,
                                     .n_parts = 2,
                                     .parts = parts,
                                     .choice_case = TESTING__EVERYTHING__CHOICE_CHOSEN_TEXT};
    struct arena arena = arena_of_test();
    const struct bytes bytes = canon_pack(&testing__everything__descriptor, &all, &arena);

    CHECK_BYTES(
        bytes,
        bytes_of("\x08\x01\x28\x01\x4a\x08\x08\x05\x12\x04\x01\x02\x03\x04\x92\x01\x00\x92\x01"
                 "\x08\x08\x05\x12\x04\x01\x02\x03\x04\xba\x01\x00",
                 31));
    CHECK_U64(canon_check(&testing__everything__descriptor, bytes), ==, CANON_OK);
}

TEST(a_full_arena)
{
    const struct bytes text = bytes_of("\x32\x04text\x3a\x01\x01", 9);
    struct arena arena = arena_of_test();
    const Testing__Everything all = {.text = "text"};
    enum canon_fault fault = CANON_DEPTH;
    bool fits = false;

    for (size_t size = 0; !fits; size += ARENA_ALIGN) {
        arena.size = size;
        arena.used = 0;
        fits = canon_unpack(&testing__everything__descriptor, text, &arena, &fault) != NULL;
        CHECK_U64(fault, ==, CANON_OK);
        CHECK(fits || arena.used == 0);
        CHECK(size < 4096);
    }
    arena.used = arena.size;
    CHECK(canon_pack(&testing__everything__descriptor, &all, &arena).at == NULL);
    arena.used = 0;
    arena.size = ARENA_ALIGN;
    CHECK_U64(canon_pack(&testing__everything__descriptor, &all, &arena).count, ==, 6);
    CHECK(canon_pack(&testing__nothing__descriptor, &(Testing__Nothing){.base = {0}}, &arena).at !=
          NULL);
}

TEST(limits_are_those_of_the_schema)
{
    struct canon_limits limits = canon_limits_of(&chain__tx_body__descriptor, 6);

    CHECK_U64(limits.min_count, ==, 1);
    CHECK_U64(limits.max_count, ==, 16);
    limits = canon_limits_of(&chain__action__descriptor, 4);
    CHECK_U64(limits.max, ==, 65536);
    CHECK_U64(limits.size, ==, 0);
    CHECK_U64(limits.max_count, ==, 0);
    limits = canon_limits_of(&accounts__account_create__new_key__descriptor, 1);
    CHECK_U64(limits.size, ==, 33);
    CHECK_U64(limits.max, ==, 33);
    limits = canon_limits_of(&testing__everything__descriptor, 11);
    CHECK_U64(limits.max_count, ==, 64);
    limits = canon_limits_of(&testing__everything__descriptor, 27);
    CHECK_U64(limits.max, ==, 65536);
}

TEST(types_are_found_by_name)
{
    uint32_t count = 0;

    CHECK(canon_type_of("artel.chain.v1.Tx") == &chain__tx__descriptor);
    CHECK(canon_type_of("artel.accounts.v1.AccountCreate.NewKey") ==
          &accounts__account_create__new_key__descriptor);
    CHECK(canon_type_of("artel.chain.v1.Txx") == NULL);
    while (canon_type_at(count) != NULL) {
        CHECK(canon_type_of(canon_type_at(count)->name) == canon_type_at(count));
        count += 1;
    }
    CHECK_U64(count, >, 40);
}

TESTS(TEST_ENTRY(vectors), TEST_ENTRY(every_prefix_ends), TEST_ENTRY(a_struct_needs_no_descriptor),
      TEST_ENTRY(a_full_arena), TEST_ENTRY(limits_are_those_of_the_schema),
      TEST_ENTRY(types_are_found_by_name))

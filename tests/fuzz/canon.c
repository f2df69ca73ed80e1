/*
 * tests/fuzz/canon.c -- any bytes as a message of any type: the walk against protobuf-c, both ways.
 *
 * The first byte chooses the type, the messages of tests first.  What the walk accepts must unpack, be good
 * by a second look at the struct, and be the same bytes when packed again, by protobuf-c and by canon_pack.  What it
 * refuses must fail one of these.
 */
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/count.h"
#include "base/err.h"
#include "proto/canon.h"
#include "proto/messages.h"
#include "testing.pb-c.h"

enum { PENDING_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Messages that are still to be looked at. */
static struct pending {
    const ProtobufCMessage *message;
    uint32_t depth;
} pending[PENDING_MAX];
static size_t pending_count;

static const ProtobufCMessageDescriptor *type_of(uint8_t byte)
{
    static const ProtobufCMessageDescriptor *const first[] = {
        &testing__everything__descriptor, &testing__at_least__descriptor,
        &testing__deep__descriptor, &testing__nothing__descriptor};
    uint32_t count = 0;

    if (byte < COUNT_OF(first)) {
        return first[byte];
    }
    while (canon_type_at(count) != NULL) {
        count += 1;
    }
    INVARIANT(count > 0);
    return canon_type_at((byte - (uint32_t)COUNT_OF(first)) % count);
}

/* By decoding each character to its number, unlike the walk, which compares bytes with a table. */
static bool text_good(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;

    while (*at != 0) {
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        const uint32_t more = *at < 0x80   ? 0
                              : *at < 0xc0 ? 9
                              : *at < 0xe0 ? 1
                              : *at < 0xf0 ? 2
                              : *at < 0xf8 ? 3
                                           : 9;
        uint32_t character;

        if (more == 9) {
            return false;
        }
        character = more == 0 ? *at : *at & (0x3fU >> more);
        for (uint32_t i = 1; i <= more; i++) {
            if ((at[i] & 0xc0) != 0x80) {
                return false;
            }
            character = character << 6 | (at[i] & 0x3fU);
        }
        if (character < least[more] || character > 0x10ffff ||
            (character >= 0xd800 && character < 0xe000)) {
            return false;
        }
        at += 1 + more;
    }
    return true;
}

static bool length_good(const struct canon_limits *limits, size_t length)
{
    return length <= limits->max && (limits->size == 0 || length == limits->size);
}

/* One value that is there. */
static bool value_good(const ProtobufCFieldDescriptor *field, const struct canon_limits *limits,
                       const uint8_t *at, uint32_t depth)
{
    const ProtobufCBinaryData *data = (const ProtobufCBinaryData *)(const void *)at;
    const char *text;
    int number;

    if (field->type == PROTOBUF_C_TYPE_STRING) {
        memcpy(&text, at, sizeof text);
        return length_good(limits, strlen(text)) && text_good(text);
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        return length_good(limits, data->len);
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        memcpy(&number, at, sizeof number);
        return protobuf_c_enum_descriptor_get_value(field->descriptor, number) != NULL;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        INVARIANT(pending_count < PENDING_MAX);
        memcpy(&pending[pending_count].message, at, sizeof(void *));
        pending[pending_count].depth = depth + 1;
        pending_count += 1;
    }
    return true;
}

static size_t stride(const ProtobufCFieldDescriptor *field)
{
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        return sizeof(ProtobufCBinaryData);
    }
    return field->type == PROTOBUF_C_TYPE_UINT64 || field->type == PROTOBUF_C_TYPE_INT64 ||
                   field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE
               ? 8
               : 4;
}

/* Is a field that is no list there, and not merely empty? */
static bool present(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
    const uint8_t *at = message + field->offset;
    uint32_t chosen;
    const void *pointer;

    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        memcpy(&chosen, message + field->quantifier_offset, sizeof chosen);
        return chosen == field->id;
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        return ((const ProtobufCBinaryData *)(const void *)at)->len != 0;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
        memcpy(&pointer, at, sizeof pointer);
        return pointer != NULL &&
               (field->type == PROTOBUF_C_TYPE_MESSAGE || *(const char *)pointer != 0);
    }
    return true;
}

static bool field_good(const ProtobufCMessageDescriptor *type,
                       const ProtobufCFieldDescriptor *field, const uint8_t *message,
                       uint32_t depth)
{
    const struct canon_limits limits = canon_limits_of(type, field->id);
    const uint8_t *list;
    size_t count;

    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        return !present(field, message) ||
               value_good(field, &limits, message + field->offset, depth);
    }
    memcpy(&count, message + field->quantifier_offset, sizeof count);
    memcpy(&list, message + field->offset, sizeof list);
    if (count < limits.min_count || count > limits.max_count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!value_good(field, &limits, list + i * stride(field), depth)) {
            return false;
        }
    }
    return true;
}

/* All that packing again does not show: unknown fields, sizes, counts, text, enums, depth. */
static bool struct_good(const ProtobufCMessage *root)
{
    pending[0] = (struct pending){.message = root, .depth = 1};
    pending_count = 1;
    while (pending_count > 0) {
        const struct pending next = pending[pending_count - 1];
        const ProtobufCMessageDescriptor *type = next.message->descriptor;

        pending_count -= 1;
        if (next.depth > CANON_DEPTH_MAX || next.message->n_unknown_fields != 0) {
            return false;
        }
        for (uint32_t i = 0; i < type->n_fields; i++) {
            if (!field_good(type, &type->fields[i], (const uint8_t *)next.message, next.depth)) {
                return false;
            }
        }
    }
    return true;
}

/* Packed by protobuf-c it is the same. */
static bool packs_again(const ProtobufCMessage *message, struct bytes bytes)
{
    static uint8_t memory[1 << 20];

    if (protobuf_c_message_get_packed_size(message) != bytes.count || bytes.count > sizeof memory) {
        return false;
    }
    return bytes_equal(bytes_of(memory, protobuf_c_message_pack(message, memory)), bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(ARENA_ALIGN) uint8_t memory[8 << 20];
    const struct bytes bytes = bytes_of(data + 1, size - 1);
    const ProtobufCMessageDescriptor *type;
    ProtobufCMessage *message;
    enum canon_fault fault;
    struct arena arena;

    if (size == 0 || size > 1 << 18) {
        return 0;
    }
    type = type_of(data[0]);
    fault = canon_check(type, bytes);
    INVARIANT(strcmp(canon_fault_name(fault), "?") != 0);
    message = protobuf_c_message_unpack(type, NULL, bytes.count, bytes.at);
    if (fault == CANON_OK) {
        INVARIANT(message != NULL && struct_good(message) && packs_again(message, bytes));
        arena_init(&arena, memory, sizeof memory);
        INVARIANT(bytes_equal(canon_pack(type, message, &arena), bytes));
        INVARIANT(canon_unpack(type, bytes, &arena, &fault) != NULL);
    } else if (message != NULL) {
        INVARIANT(!struct_good(message) || !packs_again(message, bytes));
    }
    if (message != NULL) {
        protobuf_c_message_free_unpacked(message, NULL);
    }
    return 0;
}

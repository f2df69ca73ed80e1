#include "proto/canon.h"

#include <string.h>

#include "base/arena.h"
#include "base/count.h"
#include "base/reader.h"
#include "proto/sizes.h"

/* Wire types of protobuf that the schema uses. */
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

enum {
    TAG_TYPE_BITS = 3,
    VARINT_BYTES_MAX = 10,
    FIELDS_MAX = 64, /* of a message; tools/schema/sizes.c holds the schema to it */
};

/* The table of sizes. */

static const struct sizes_message *sizes_of(const ProtobufCMessageDescriptor *type)
{
    for (uint32_t i = 0; i < sizes_message_count; i++) {
        if (sizes_messages[i].type == type) {
            return &sizes_messages[i];
        }
    }
    invariant_fail("a message that the schema has", __FILE__, __LINE__);
}

struct canon_limits canon_limits_of(const ProtobufCMessageDescriptor *type, uint32_t field_number)
{
    const struct sizes_message *sizes = sizes_of(type);

    for (uint32_t i = 0; i < sizes->field_count; i++) {
        if (sizes->fields[i].number == field_number) {
            return sizes->fields[i].limits;
        }
    }
    invariant_fail("a field that the message has", __FILE__, __LINE__);
}

const ProtobufCMessageDescriptor *canon_type_at(uint32_t index)
{
    return index < sizes_message_count ? sizes_messages[index].type : NULL;
}

const ProtobufCMessageDescriptor *canon_type_of(const char *name)
{
    for (uint32_t i = 0; i < sizes_message_count; i++) {
        if (strcmp(sizes_messages[i].type->name, name) == 0) {
            return sizes_messages[i].type;
        }
    }
    return NULL;
}

/* Kinds of fields. */

static bool field_repeated(const ProtobufCFieldDescriptor *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED;
}

static bool field_packed(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0;
}

static bool field_oneof(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* Only there can a zero or an empty value be told from none, and stand. */
static bool field_keeps_default(const ProtobufCFieldDescriptor *field)
{
    return field_repeated(field) || field_oneof(field);
}

static bool field_scalar(const ProtobufCFieldDescriptor *field)
{
    return field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_BYTES &&
           field->type != PROTOBUF_C_TYPE_MESSAGE;
}

/* The check. */

struct canon_frame {
    const struct sizes_message *sizes;
    size_t end;       /* of the message, from the beginning of all bytes */
    uint64_t present; /* bit i: field i of the descriptor has come */
    uint32_t field;   /* the one that came last */
    uint32_t entries; /* of it, if it is a list */
};

struct canon_walk {
    const uint8_t *bytes;
    size_t at;
    uint32_t depth;
    struct canon_frame frames[CANON_DEPTH_MAX];
};

static enum canon_fault walk_enter(struct canon_walk *walk, const struct sizes_message *sizes,
                                   size_t end)
{
    if (walk->depth == CANON_DEPTH_MAX) {
        return CANON_DEPTH;
    }
    INVARIANT(sizes->field_count == sizes->type->n_fields && sizes->field_count <= FIELDS_MAX);
    walk->frames[walk->depth] = (struct canon_frame){.sizes = sizes, .end = end};
    walk->depth += 1;
    return CANON_OK;
}

/* A varint that ends before `end`, has no byte too many, and fits into 64 bits. */
static enum canon_fault walk_varint(struct canon_walk *walk, size_t end, uint64_t *out)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < VARINT_BYTES_MAX; i++) {
        uint8_t byte;

        if (walk->at == end) {
            return CANON_CUT;
        }
        byte = walk->bytes[walk->at];
        walk->at += 1;
        if (i == VARINT_BYTES_MAX - 1 && byte > 1) {
            return CANON_VARINT;
        }
        value |= (uint64_t)(byte & 0x7fU) << (7 * i);
        if (byte < 0x80) {
            *out = value;
            return byte == 0 && i != 0 ? CANON_VARINT : CANON_OK;
        }
    }
    return CANON_VARINT;
}

/* A length, and that many bytes are there before `end`. */
static enum canon_fault walk_length(struct canon_walk *walk, size_t end, size_t *out)
{
    uint64_t length;
    const enum canon_fault fault = walk_varint(walk, end, &length);

    if (fault != CANON_OK) {
        return fault;
    }
    if (length > end - walk->at) {
        return CANON_CUT;
    }
    *out = (size_t)length;
    return CANON_OK;
}

static enum canon_fault walk_scalar(struct canon_walk *walk, const ProtobufCFieldDescriptor *field,
                                    size_t end)
{
    uint64_t value;
    const enum canon_fault fault = walk_varint(walk, end, &value);

    if (fault != CANON_OK) {
        return fault;
    }
    if (field->type == PROTOBUF_C_TYPE_BOOL && value > 1) {
        return CANON_BOOL;
    }
    if ((field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_ENUM) &&
        value > UINT32_MAX) {
        return CANON_VARINT;
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM &&
        (value > INT32_MAX ||
         protobuf_c_enum_descriptor_get_value(field->descriptor, (int)value) == NULL)) {
        return CANON_ENUM;
    }
    return value == 0 && !field_keeps_default(field) ? CANON_DEFAULT : CANON_OK;
}

static enum canon_fault walk_packed(struct canon_walk *walk, const ProtobufCFieldDescriptor *field,
                                    const struct canon_limits *limits)
{
    struct canon_frame *frame = &walk->frames[walk->depth - 1];
    enum canon_fault fault;
    size_t length;
    size_t end;

    fault = walk_length(walk, frame->end, &length);
    if (fault != CANON_OK) {
        return fault;
    }
    if (length == 0) {
        return CANON_DEFAULT;
    }
    end = walk->at + length;
    while (walk->at != end) {
        if (frame->entries == limits->max_count) {
            return CANON_COUNT;
        }
        frame->entries += 1;
        fault = walk_scalar(walk, field, end);
        if (fault != CANON_OK) {
            return fault;
        }
    }
    return CANON_OK;
}

/* How many bytes a character of UTF-8 has by its first byte; 0: none begins so. */
static uint32_t utf8_bytes(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xc2 || first > 0xf4) {
        return 0;
    }
    if (first < 0xe0) {
        return 2;
    }
    return first < 0xf0 ? 3 : 4;
}

/* Well-formed by table 3-7 of the Unicode Standard, and without a zero, where a string of C would end. */
static bool utf8_valid(struct bytes text)
{
    size_t at = 0;

    while (at < text.count) {
        const uint8_t first = text.at[at];
        const uint32_t count = utf8_bytes(first);
        const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

        if (first == 0 || count == 0 || count > text.count - at) {
            return false;
        }
        for (uint32_t i = 1; i < count; i++) {
            const uint8_t byte = text.at[at + i];

            if (byte < (i == 1 ? low : 0x80) || byte > (i == 1 ? high : 0xbf)) {
                return false;
            }
        }
        at += count;
    }
    return true;
}

static enum canon_fault walk_bytes(struct canon_walk *walk, const ProtobufCFieldDescriptor *field,
                                   const struct canon_limits *limits, size_t length)
{
    const struct bytes value = bytes_of(walk->bytes + walk->at, length);

    if (length == 0 && !field_keeps_default(field)) {
        return CANON_DEFAULT;
    }
    if (length > limits->max || (limits->size != 0 && length != limits->size)) {
        return CANON_SIZE;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING && !utf8_valid(value)) {
        return CANON_UTF8;
    }
    walk->at += length;
    return CANON_OK;
}

/* Bytes, string or message; a message is entered, and walked by the caller. */
static enum canon_fault walk_lengthy(struct canon_walk *walk, const ProtobufCFieldDescriptor *field,
                                     const struct sizes_field *sizes)
{
    struct canon_frame *frame = &walk->frames[walk->depth - 1];
    enum canon_fault fault;
    size_t length;

    if (field_repeated(field)) {
        if (frame->entries == sizes->limits.max_count) {
            return CANON_COUNT;
        }
        frame->entries += 1;
    }
    fault = walk_length(walk, frame->end, &length);
    if (fault != CANON_OK) {
        return fault;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        INVARIANT(sizes->child < sizes_message_count);
        return walk_enter(walk, &sizes_messages[sizes->child], walk->at + length);
    }
    return walk_bytes(walk, field, &sizes->limits, length);
}

/* The lists that are complete when field `next` begins, `next` being the number of fields at the end. */
static enum canon_fault frame_complete(const struct canon_frame *frame, uint32_t next)
{
    for (uint32_t i = frame->field; i < next; i++) {
        const uint32_t entries = i == frame->field ? frame->entries : 0;

        if (entries < frame->sizes->fields[i].limits.min_count) {
            return CANON_COUNT;
        }
    }
    return CANON_OK;
}

/* Has another member of the same oneof come? */
static bool frame_has_sibling(const struct canon_frame *frame, uint32_t index)
{
    const ProtobufCFieldDescriptor *fields = frame->sizes->type->fields;

    for (uint32_t i = 0; i < index; i++) {
        if ((frame->present >> i & 1) != 0 && field_oneof(&fields[i]) &&
            fields[i].quantifier_offset == fields[index].quantifier_offset) {
            return true;
        }
    }
    return false;
}

/* A tag of this number has come: which field is it, and may it stand here? */
static enum canon_fault frame_field(struct canon_frame *frame, uint32_t number, uint32_t *out)
{
    const ProtobufCMessageDescriptor *type = frame->sizes->type;
    const ProtobufCFieldDescriptor *field;
    enum canon_fault fault;
    uint32_t index = 0;

    while (index < type->n_fields && type->fields[index].id != number) {
        index += 1;
    }
    if (index == type->n_fields) {
        return CANON_UNKNOWN;
    }
    field = &type->fields[index];
    INVARIANT(frame->sizes->fields[index].number == number);
    if (frame->present >> index != 0 && /* this one has come, or a later one */
        (frame->field != index || !field_repeated(field) || field_packed(field))) {
        return CANON_ORDER;
    }
    if (field_oneof(field) && frame_has_sibling(frame, index)) {
        return CANON_ORDER;
    }
    if (frame->field != index) {
        fault = frame_complete(frame, index);
        if (fault != CANON_OK) {
            return fault;
        }
        frame->field = index;
        frame->entries = 0;
    }
    frame->present |= UINT64_C(1) << index;
    *out = index;
    return CANON_OK;
}

/* One field, its tag first. */
static enum canon_fault walk_field(struct canon_walk *walk)
{
    struct canon_frame *frame = &walk->frames[walk->depth - 1];
    const ProtobufCFieldDescriptor *field;
    const struct sizes_field *sizes;
    enum canon_fault fault;
    uint64_t tag;
    uint32_t index;

    fault = walk_varint(walk, frame->end, &tag);
    if (fault != CANON_OK) {
        return fault;
    }
    if (tag > UINT32_MAX) {
        return CANON_VARINT;
    }
    fault = frame_field(frame, (uint32_t)tag >> TAG_TYPE_BITS, &index);
    if (fault != CANON_OK) {
        return fault;
    }
    field = &frame->sizes->type->fields[index];
    sizes = &frame->sizes->fields[index];
    if ((tag & 7U) != (field_scalar(field) && !field_packed(field) ? WIRE_VARINT : WIRE_BYTES)) {
        return CANON_WIRE_TYPE;
    }
    if (!field_scalar(field)) {
        return walk_lengthy(walk, field, sizes);
    }
    if (field_packed(field)) {
        return walk_packed(walk, field, &sizes->limits);
    }
    return walk_scalar(walk, field, frame->end);
}

enum canon_fault canon_check(const ProtobufCMessageDescriptor *type, struct bytes bytes)
{
    struct canon_walk walk = {.bytes = bytes.at};
    enum canon_fault fault = walk_enter(&walk, sizes_of(type), bytes.count);

    while (fault == CANON_OK && walk.depth > 0) {
        const struct canon_frame *frame = &walk.frames[walk.depth - 1];

        if (walk.at != frame->end) {
            fault = walk_field(&walk);
        } else {
            fault = frame_complete(frame, frame->sizes->field_count);
            walk.depth -= 1;
        }
    }
    return fault;
}

const char *canon_fault_name(enum canon_fault fault)
{
    switch (fault) {
    case CANON_OK:
        return "ok";
    case CANON_CUT:
        return "cut";
    case CANON_UNKNOWN:
        return "unknown";
    case CANON_ORDER:
        return "order";
    case CANON_WIRE_TYPE:
        return "wire_type";
    case CANON_VARINT:
        return "varint";
    case CANON_DEFAULT:
        return "default";
    case CANON_ENUM:
        return "enum";
    case CANON_BOOL:
        return "bool";
    case CANON_UTF8:
        return "utf8";
    case CANON_SIZE:
        return "size";
    case CANON_COUNT:
        return "count";
    case CANON_DEPTH:
        return "depth";
    }
    return "?";
}

/* Unpacking. */

static void *unpack_take(void *arena, size_t size)
{
    return arena_take(arena, size);
}

static void unpack_free(void *arena, void *memory)
{
    (void)arena; /* all of it goes with the arena */
    (void)memory;
}

ProtobufCMessage *canon_unpack(const ProtobufCMessageDescriptor *type, struct bytes bytes,
                               struct arena *arena, enum canon_fault *fault)
{
    const size_t used = arena->used;
    ProtobufCAllocator allocator = {
        .alloc = unpack_take, .free = unpack_free, .allocator_data = arena};
    ProtobufCMessage *message;

    *fault = canon_check(type, bytes);
    if (*fault != CANON_OK) {
        return NULL;
    }
    message = protobuf_c_message_unpack(type, &allocator, bytes.count, bytes.at);
    if (message == NULL) {
        arena->used = used;
    }
    return message;
}

/*
 * Packing, from the last byte to the first: so each length is known when it is written, and one walk serves
 * twice, first to count (end == NULL), then to write.
 */

struct pack_frame {
    const ProtobufCMessageDescriptor *type;
    const uint8_t *message;
    uint32_t field; /* fields below it are still to be written */
    size_t entries; /* values of it that are still to be written */
    size_t used;    /* when the message began */
};

struct pack {
    uint8_t *end;
    size_t used;
    uint32_t depth;
    struct pack_frame frames[CANON_DEPTH_MAX];
};

static void pack_bytes(struct pack *pack, const void *from, size_t count)
{
    pack->used += count;
    if (pack->end != NULL && count != 0) {
        memcpy(pack->end - pack->used, from, count);
    }
}

static void pack_varint(struct pack *pack, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t count = 0;

    while (value >= 0x80) {
        bytes[count] = (uint8_t)(value & 0x7fU) | 0x80U;
        value >>= 7;
        count += 1;
    }
    bytes[count] = (uint8_t)value;
    pack_bytes(pack, bytes, count + 1);
}

static void pack_tag(struct pack *pack, const ProtobufCFieldDescriptor *field, uint32_t wire)
{
    pack_varint(pack, (uint64_t)field->id << TAG_TYPE_BITS | wire);
}

/* What lies behind a field of a struct; pointers are read as they are stored. */
static uint64_t value_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t value_u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static size_t value_size(const uint8_t *at)
{
    size_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static const uint8_t *value_pointer(const uint8_t *at)
{
    const uint8_t *value;

    memcpy(&value, at, sizeof value);
    return value;
}

/* The bytes of a string or bytes field; a string without memory is empty. */
static struct bytes value_bytes(const ProtobufCFieldDescriptor *field, const uint8_t *at)
{
    ProtobufCBinaryData data;

    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = (const char *)value_pointer(at);

        return bytes_of(text, text == NULL ? 0 : strlen(text));
    }
    memcpy(&data, at, sizeof data);
    return bytes_of(data.data, data.len);
}

static bool field_wide(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_UINT64 || field->type == PROTOBUF_C_TYPE_INT64;
}

static uint64_t value_scalar(const ProtobufCFieldDescriptor *field, const uint8_t *at)
{
    if (field_wide(field)) {
        return value_u64(at);
    }
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        return value_u32(at) != 0;
    }
    return value_u32(at);
}

/* Bytes that one value of a list takes in memory. */
static size_t value_stride(const ProtobufCFieldDescriptor *field)
{
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        return sizeof(ProtobufCBinaryData);
    }
    if (!field_scalar(field)) {
        return sizeof(void *);
    }
    return field_wide(field) ? sizeof(uint64_t) : sizeof(uint32_t);
}

/* How many values of a field are to be written: those of a list, or one, or none. */
static size_t pack_entries(const uint8_t *message, const ProtobufCFieldDescriptor *field)
{
    const uint8_t *at = message + field->offset;

    if (field_repeated(field)) {
        return value_size(message + field->quantifier_offset);
    }
    if (field_oneof(field)) {
        return value_u32(message + field->quantifier_offset) == field->id;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return value_pointer(at) != NULL;
    }
    if (field_scalar(field)) {
        return value_scalar(field, at) != 0;
    }
    return value_bytes(field, at).count != 0;
}

static void pack_list(struct pack *pack, const uint8_t *message,
                      const ProtobufCFieldDescriptor *field, size_t entries)
{
    const uint8_t *list = value_pointer(message + field->offset);
    const size_t used = pack->used;

    if (entries == 0) {
        return;
    }
    for (size_t i = entries; i > 0; i--) {
        pack_varint(pack, value_scalar(field, list + (i - 1) * value_stride(field)));
    }
    pack_varint(pack, pack->used - used);
    pack_tag(pack, field, WIRE_BYTES);
}

static void pack_enter(struct pack *pack, const ProtobufCMessageDescriptor *type,
                       const uint8_t *message)
{
    INVARIANT(pack->depth < CANON_DEPTH_MAX && message != NULL);
    pack->frames[pack->depth] = (struct pack_frame){
        .type = type, .message = message, .field = type->n_fields, .used = pack->used};
    pack->depth += 1;
}

/* One value of the frame's field; a message is entered, and its length follows when it is left. */
static void pack_value(struct pack *pack, struct pack_frame *frame)
{
    const ProtobufCFieldDescriptor *field = &frame->type->fields[frame->field];
    const uint8_t *at = frame->message + field->offset;

    frame->entries -= 1;
    if (field_repeated(field)) {
        at = value_pointer(at) + frame->entries * value_stride(field);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        pack_enter(pack, field->descriptor, value_pointer(at));
    } else if (field_scalar(field)) {
        pack_varint(pack, value_scalar(field, at));
        pack_tag(pack, field, WIRE_VARINT);
    } else {
        const struct bytes value = value_bytes(field, at);

        pack_bytes(pack, value.at, value.count);
        pack_varint(pack, value.count);
        pack_tag(pack, field, WIRE_BYTES);
    }
}

/* The frame's message is written: close it in the one that holds it. */
static void pack_leave(struct pack *pack)
{
    const struct pack_frame *frame = &pack->frames[pack->depth - 1];

    pack->depth -= 1;
    if (pack->depth > 0) {
        const struct pack_frame *holder = &pack->frames[pack->depth - 1];

        pack_varint(pack, pack->used - frame->used);
        pack_tag(pack, &holder->type->fields[holder->field], WIRE_BYTES);
    }
}

/* Write the message so that it ends at `end`, or only count if that is NULL. */
static size_t pack_walk(const ProtobufCMessageDescriptor *type, const void *message, uint8_t *end)
{
    struct pack pack = {.end = end};

    pack_enter(&pack, type, message);
    while (pack.depth > 0) {
        struct pack_frame *frame = &pack.frames[pack.depth - 1];

        if (frame->entries > 0) {
            pack_value(&pack, frame);
        } else if (frame->field > 0) {
            const ProtobufCFieldDescriptor *field = &frame->type->fields[frame->field - 1];

            frame->field -= 1;
            frame->entries = pack_entries(frame->message, field);
            if (field_packed(field)) {
                pack_list(&pack, frame->message, field, frame->entries);
                frame->entries = 0;
            }
        } else {
            pack_leave(&pack);
        }
    }
    return pack.used;
}

struct bytes canon_pack(const ProtobufCMessageDescriptor *type, const void *message,
                        struct arena *arena)
{
    const size_t count = pack_walk(type, message, NULL);
    uint8_t *memory = arena_take(arena, count);

    if (memory == NULL) {
        return bytes_of(NULL, 0);
    }
    INVARIANT(pack_walk(type, message, memory + count) == count);
    return bytes_of(memory, count);
}

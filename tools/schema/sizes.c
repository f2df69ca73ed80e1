/*
 * tools/schema/sizes.c -- compile the size options of the schema into a C table (proto/sizes.h).
 *
 *     sizes DESCRIPTOR_SET OUT [deep]
 *
 * DESCRIPTOR_SET is what protoc --include_imports --descriptor_set_out writes.  Messages of packages "artel."
 * are taken, others passed over.  The habits of the schema (docs/protocol/bytes.md 3) are checked on the way,
 * so that canon.c can rely on them: types of fields, at most 64 fields a message, options only where they
 * mean something, no names that contract modules could not write, no message deeper than CANON_DEPTH_MAX
 * (`deep` allows that to the messages of tests).
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/count.h"

enum {
    NAME_BYTES = 128,
    MESSAGES_MAX = 1024,
    FIELDS_MAX = 8192,
    MESSAGE_FIELDS_MAX = 64, /* canon.c keeps one bit for each in 64 */
    DEPTH_MAX = 8,           /* CANON_DEPTH_MAX */
    BYTES_MAX_DEFAULT = 64 << 10,
    COUNT_MAX_DEFAULT = 64,
    NO_CHILD = 0xffff,
};

/* Numbers of google/protobuf/descriptor.proto and of proto/schema/options.proto. */
enum {
    SET_FILE = 1,
    FILE_PACKAGE = 2,
    FILE_MESSAGE = 4,
    FILE_OPTIONS = 8,
    FILE_OPTIONS_C = 1019, /* (pb_c_file) */
    C_OPTIONS_PACKAGE = 6,
    MESSAGE_NAME = 1,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    FIELD_NAME = 1,
    FIELD_NUMBER = 3,
    FIELD_LABEL = 4,
    FIELD_TYPE = 5,
    FIELD_TYPE_NAME = 6,
    FIELD_OPTIONS = 8,
    FIELD_OPTIONAL = 17,
    OPTION_SIZE = 50001,
    OPTION_MAX = 50002,
    OPTION_MAX_COUNT = 50003,
    OPTION_MIN_COUNT = 50004,

    LABEL_REPEATED = 3,
    TYPE_INT64 = 3,
    TYPE_UINT64 = 4,
    TYPE_BOOL = 8,
    TYPE_STRING = 9,
    TYPE_MESSAGE = 11,
    TYPE_BYTES = 12,
    TYPE_UINT32 = 13,
    TYPE_ENUM = 14,
};

struct field {
    char name[NAME_BYTES];
    char type_name[NAME_BYTES]; /* with a dot in front */
    uint64_t number, label, type, optional;
    uint64_t size, max, max_count, min_count;
    uint32_t child;
};

struct message {
    struct bytes bytes;
    char name[NAME_BYTES];   /* with a dot in front, as type names of fields */
    char c_name[NAME_BYTES]; /* of the descriptor that protoc-c makes */
    uint32_t first, count;   /* its fields */
    uint32_t depth;          /* of messages in it, itself included */
};

static struct message messages[MESSAGES_MAX];
static struct field fields[FIELDS_MAX];
static uint32_t message_count;
static uint32_t field_count;

__attribute__((format(printf, 1, 2))) static _Noreturn void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("sizes: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* One field of a protobuf message: a number, or bytes. */
struct item {
    uint64_t number;
    uint64_t value;
    struct bytes bytes;
};

static uint64_t varint_next(struct bytes *left)
{
    uint64_t value = 0;

    for (uint32_t shift = 0; shift < 64; shift += 7) {
        uint8_t byte;

        if (left->count == 0) {
            break;
        }
        byte = left->at[0];
        *left = bytes_after(*left, 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    die("the descriptor set is cut or damaged");
}

static bool item_next(struct bytes *left, struct item *out)
{
    uint64_t tag;
    uint64_t count;

    if (left->count == 0) {
        return false;
    }
    tag = varint_next(left);
    *out = (struct item){.number = tag >> 3};
    switch (tag & 7) {
    case 0:
        out->value = varint_next(left);
        return true;
    case 1:
        count = 8;
        break;
    case 2:
        count = varint_next(left);
        break;
    case 5:
        count = 4;
        break;
    default:
        die("the descriptor set holds a group");
    }
    if (count > left->count) {
        die("the descriptor set is cut");
    }
    out->bytes = bytes_of(left->at, (size_t)count);
    *left = bytes_after(*left, (size_t)count);
    return true;
}

/* The last field of this number; a zero item if there is none. */
static struct item item_find(struct bytes message, uint64_t number)
{
    struct item found = {0};
    struct item item;

    while (item_next(&message, &item)) {
        if (item.number == number) {
            found = item;
        }
    }
    return found;
}

static void name_copy(char out[NAME_BYTES], const char *prefix, struct bytes name)
{
    const int count =
        snprintf(out, NAME_BYTES, "%s%.*s", prefix, (int)name.count, (const char *)name.at);

    if (count < 0 || count >= NAME_BYTES) {
        die("a name is too long: %s", out);
    }
}

/* prefix, two underscores, and the name as protoc-c writes it: "TxBody" becomes "tx_body". */
static void c_name_join(char out[NAME_BYTES], const char *prefix, const char *name)
{
    bool was_upper = true;
    int at = snprintf(out, NAME_BYTES, "%s__", prefix);

    for (size_t i = 0; name[i] != '\0'; i++) {
        const bool upper = name[i] >= 'A' && name[i] <= 'Z';

        if (at < 0 || at + 3 > NAME_BYTES) {
            die("a name is too long: %s", name);
        }
        if (upper && !was_upper) {
            out[at++] = '_';
        }
        out[at++] = (char)(upper ? name[i] - 'A' + 'a' : name[i]);
        was_upper = upper;
    }
    out[at] = '\0';
}

static void message_add(struct bytes bytes, const char *scope, const char *c_scope)
{
    struct message *message = &messages[message_count];
    const struct bytes name = item_find(bytes, MESSAGE_NAME).bytes;
    char prefix[NAME_BYTES + 1];
    char plain[NAME_BYTES];

    if (message_count == MESSAGES_MAX) {
        die("more than %d messages", MESSAGES_MAX);
    }
    message_count += 1;
    snprintf(prefix, sizeof prefix, "%s.", scope);
    name_copy(message->name, prefix, name);
    name_copy(plain, "", name);
    c_name_join(message->c_name, c_scope, plain);
    message->bytes = bytes;
}

static void field_read(struct bytes bytes, struct field *field)
{
    const struct bytes options = item_find(bytes, FIELD_OPTIONS).bytes;

    name_copy(field->name, "", item_find(bytes, FIELD_NAME).bytes);
    name_copy(field->type_name, "", item_find(bytes, FIELD_TYPE_NAME).bytes);
    field->number = item_find(bytes, FIELD_NUMBER).value;
    field->label = item_find(bytes, FIELD_LABEL).value;
    field->type = item_find(bytes, FIELD_TYPE).value;
    field->optional = item_find(bytes, FIELD_OPTIONAL).value;
    field->size = item_find(options, OPTION_SIZE).value;
    field->max = item_find(options, OPTION_MAX).value;
    field->max_count = item_find(options, OPTION_MAX_COUNT).value;
    field->min_count = item_find(options, OPTION_MIN_COUNT).value;
}

/* The fields of a message, ascending by number as descriptors of protobuf-c have them, and its nested messages. */
static void message_read(struct message *message)
{
    struct bytes left = message->bytes;
    struct item item;

    message->first = field_count;
    while (item_next(&left, &item)) {
        if (item.number == MESSAGE_NESTED) {
            message_add(item.bytes, message->name, message->c_name);
        }
        if (item.number == MESSAGE_FIELD) {
            struct field field;
            uint32_t at = field_count;

            if (field_count == FIELDS_MAX) {
                die("more than %d fields", FIELDS_MAX);
            }
            field_read(item.bytes, &field);
            while (at > message->first && fields[at - 1].number > field.number) {
                fields[at] = fields[at - 1];
                at -= 1;
            }
            fields[at] = field;
            field_count += 1;
        }
    }
    message->count = field_count - message->first;
}

/* The (pb_c_file) options come in pieces, one for each line of the schema. */
static struct bytes c_package_find(struct bytes options)
{
    struct bytes found = {0};
    struct item item;

    while (item_next(&options, &item)) {
        if (item.number == FILE_OPTIONS_C) {
            const struct bytes name = item_find(item.bytes, C_OPTIONS_PACKAGE).bytes;

            found = name.count != 0 ? name : found;
        }
    }
    return found;
}

static void file_read(struct bytes file)
{
    const struct bytes options = item_find(file, FILE_OPTIONS).bytes;
    char package[NAME_BYTES];
    char c_package[NAME_BYTES];
    struct item item;

    name_copy(package, ".", item_find(file, FILE_PACKAGE).bytes);
    if (strncmp(package, ".artel.", 7) != 0) {
        return;
    }
    name_copy(c_package, "", c_package_find(options));
    if (c_package[0] == '\0') {
        die("%s has no c_package", package + 1);
    }
    while (item_next(&file, &item)) {
        if (item.number == FILE_MESSAGE) {
            message_add(item.bytes, package, c_package);
        }
    }
}

static void field_check(const char *message, const struct field *field)
{
    static const char *const poison[] = {"time", "clock", "free",
                                         "random"}; /* contracts/forbidden.h */
    const bool repeated = field->label == LABEL_REPEATED;

    switch (field->type) {
    case TYPE_INT64:
    case TYPE_UINT64:
    case TYPE_BOOL:
    case TYPE_STRING:
    case TYPE_MESSAGE:
    case TYPE_BYTES:
    case TYPE_UINT32:
    case TYPE_ENUM:
        break;
    default:
        die("%s.%s: a type that the schema does not use", message, field->name);
    }
    for (size_t i = 0; i < COUNT_OF(poison); i++) {
        if (strcmp(field->name, poison[i]) == 0) {
            die("%s.%s: contract modules could not include this name", message, field->name);
        }
    }
    if (field->optional != 0) {
        die("%s.%s: a oneof of one member instead of optional", message, field->name);
    }
    if (field->size != 0 && (field->type != TYPE_BYTES || field->max != 0)) {
        die("%s.%s: size is for bytes, and alone", message, field->name);
    }
    if (field->max != 0 && field->type != TYPE_BYTES && field->type != TYPE_STRING) {
        die("%s.%s: max is for bytes and strings", message, field->name);
    }
    if ((field->max_count != 0 || field->min_count != 0) && !repeated) {
        die("%s.%s: counts are for lists", message, field->name);
    }
    if (field->size > UINT32_MAX || field->max > UINT32_MAX || field->max_count > UINT32_MAX ||
        field->min_count > (field->max_count == 0 ? COUNT_MAX_DEFAULT : field->max_count)) {
        die("%s.%s: an option out of range", message, field->name);
    }
}

/* What an option that is not there means. */
static void field_defaults(struct field *field)
{
    if (field->max == 0 && (field->type == TYPE_BYTES || field->type == TYPE_STRING)) {
        field->max = field->size != 0 ? field->size : BYTES_MAX_DEFAULT;
    }
    if (field->max_count == 0 && field->label == LABEL_REPEATED) {
        field->max_count = COUNT_MAX_DEFAULT;
    }
}

static uint32_t message_find(const char *name)
{
    for (uint32_t i = 0; i < message_count; i++) {
        if (strcmp(messages[i].name, name) == 0) {
            return i;
        }
    }
    die("no message %s", name);
}

static void message_check(const struct message *message)
{
    if (message->count > MESSAGE_FIELDS_MAX) {
        die("%s: more than %d fields", message->name, MESSAGE_FIELDS_MAX);
    }
    for (uint32_t i = 0; i < message->count; i++) {
        struct field *field = &fields[message->first + i];

        field_check(message->name, field);
        field_defaults(field);
        field->child = NO_CHILD;
        if (field->type == TYPE_MESSAGE) {
            field->child = message_find(field->type_name);
        }
    }
}

/* The depth of the deepest message that this one holds, as far as it is known. */
static uint32_t depth_below(const struct message *message)
{
    uint32_t below = 0;

    for (uint32_t i = 0; i < message->count; i++) {
        const uint32_t child = fields[message->first + i].child;

        if (child != NO_CHILD && messages[child].depth > below) {
            below = messages[child].depth;
        }
    }
    return below;
}

/* Each round sees one level more; what is deeper than DEPTH_MAX after that many is too deep, or holds itself. */
static void depths_check(void)
{
    for (uint32_t round = 0; round <= DEPTH_MAX; round++) {
        for (uint32_t i = 0; i < message_count; i++) {
            messages[i].depth = depth_below(&messages[i]) + 1;
        }
    }
    for (uint32_t i = 0; i < message_count; i++) {
        if (messages[i].depth > DEPTH_MAX) {
            die("%s: holds itself, or is deeper than %d messages", messages[i].name, DEPTH_MAX);
        }
    }
}

static void write_table(FILE *out)
{
    fputs("/* Generated by tools/schema/sizes.c. */\n#include \"proto/sizes.h\"\n\n", out);
    for (uint32_t i = 0; i < message_count; i++) {
        fprintf(out, "extern const ProtobufCMessageDescriptor %s__descriptor;\n",
                messages[i].c_name);
    }
    fputs("\nstatic const struct sizes_field fields[] = {\n", out);
    for (uint32_t i = 0; i < field_count; i++) {
        const struct field *f = &fields[i];

        fprintf(out,
                "    {%" PRIu64 ", %" PRIu32 ", {.size = %" PRIu64 ", .max = %" PRIu64
                ", .max_count = %" PRIu64 ", .min_count = %" PRIu64 "}}, /* %s */\n",
                f->number, f->child, f->size, f->max, f->max_count, f->min_count, f->name);
    }
    fputs("};\n\nconst struct sizes_message sizes_messages[] = {\n", out);
    for (uint32_t i = 0; i < message_count; i++) {
        fprintf(out, "    {&%s__descriptor, fields + %" PRIu32 ", %" PRIu32 "}, /* %s */\n",
                messages[i].c_name, messages[i].first, messages[i].count, messages[i].name + 1);
    }
    fprintf(out, "};\n\nconst uint32_t sizes_message_count = %" PRIu32 ";\n", message_count);
}

static struct bytes file_load(const char *path)
{
    static uint8_t memory[8 << 20];
    FILE *file = fopen(path, "rb");
    size_t count;

    if (file == NULL) {
        die("cannot open %s", path);
    }
    count = fread(memory, 1, sizeof memory, file);
    if (ferror(file) != 0 || count == sizeof memory) {
        die("cannot read %s, or it is too long", path);
    }
    (void)fclose(file);
    return bytes_of(memory, count);
}

int main(int argc, char **argv)
{
    struct bytes set;
    struct item item;
    FILE *out;

    if (argc < 3 || argc > 4 || (argc == 4 && strcmp(argv[3], "deep") != 0)) {
        die("usage: sizes DESCRIPTOR_SET OUT [deep]");
    }
    set = file_load(argv[1]);
    while (item_next(&set, &item)) {
        if (item.number == SET_FILE) {
            file_read(item.bytes);
        }
    }
    for (uint32_t i = 0; i < message_count; i++) { /* grows as nested messages are found */
        message_read(&messages[i]);
    }
    if (message_count == 0 || message_count >= NO_CHILD || field_count == 0) {
        die("%s holds no messages of ours", argv[1]);
    }
    for (uint32_t i = 0; i < message_count; i++) {
        message_check(&messages[i]);
    }
    if (argc == 3) {
        depths_check();
    }
    out = fopen(argv[2], "w");
    if (out == NULL) {
        die("cannot write %s", argv[2]);
    }
    write_table(out);
    if (ferror(out) != 0 || fclose(out) != 0) {
        die("cannot write %s", argv[2]);
    }
    return 0;
}

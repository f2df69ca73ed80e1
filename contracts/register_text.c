/*
 * contracts/register_text.c -- everything that has a number, as text: contracts/register.txt.
 *
 * A test compares the committed file with this, so that a number or a field is never changed by accident.
 */
#include <stdarg.h>
#include <stdio.h>

#include "contracts/exec.h"

struct text {
    char *at;
    size_t size;
    size_t used;
    bool full;
};

static void text_add(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    int count;

    va_start(arguments, format);
    count = vsnprintf(text->at + text->used, text->size - text->used, format, arguments);
    va_end(arguments);
    if (count < 0 || (size_t)count >= text->size - text->used) {
        text->full = true;
        return;
    }
    text->used += (size_t)count;
}

static const char *field_type(const ProtobufCFieldDescriptor *field)
{
    switch ((unsigned)field->type) {
    case PROTOBUF_C_TYPE_UINT64:
        return "u64";
    case PROTOBUF_C_TYPE_INT64:
        return "i64";
    case PROTOBUF_C_TYPE_UINT32:
        return "u32";
    case PROTOBUF_C_TYPE_ENUM:
        return "enum";
    case PROTOBUF_C_TYPE_BOOL:
        return "bool";
    case PROTOBUF_C_TYPE_BYTES:
        return "bytes";
    case PROTOBUF_C_TYPE_STRING:
        return "string";
    case PROTOBUF_C_TYPE_MESSAGE:
        return "message";
    default:
        invariant_fail("a field of a type that the schema does not use", __FILE__, __LINE__);
    }
}

static void text_message(struct text *text, const ProtobufCMessageDescriptor *message)
{
    for (unsigned i = 0; i < message->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->fields[i];
        const bool list = field->label == PROTOBUF_C_LABEL_REPEATED;

        text_add(text, "    %u %s %s%s\n", field->id, field->name, field_type(field),
                 list ? "[]" : "");
        if (field->type == PROTOBUF_C_TYPE_ENUM) {
            const ProtobufCEnumDescriptor *values = field->descriptor;

            for (unsigned v = 0; v < values->n_values; v++) {
                text_add(text, "        %d %s\n", values->values[v].value, values->values[v].name);
            }
        }
    }
}

static void text_names(struct text *text, const char *const *names)
{
    for (uint32_t i = 0; i < TABLE_KEY_FIELDS_MAX && names[i] != NULL; i++) {
        text_add(text, "%s%s", i == 0 ? "" : " ", names[i]);
    }
}

static void text_table(struct text *text, const struct module *module, const struct table *table)
{
    text_add(text, "table %u.%u %s.%s key (", module->number, table->number, module->name,
             table->name);
    text_names(text, table->key);
    text_add(text, ")");
    for (uint32_t i = 0; i < TABLE_INDEX_COUNT_MAX && table->indexes[i].name != NULL; i++) {
        text_add(text, " index %u %s (", i, table->indexes[i].name);
        text_names(text, table->indexes[i].fields);
        text_add(text, ")");
    }
    text_add(text, "\n");
    text_message(text, table->row);
}

static void text_authority(struct text *text, const struct action *action)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {AUTHORITY_ANYONE, "anyone"},     {AUTHORITY_SELF, "self"},
        {AUTHORITY_SEAT, "seat"},         {AUTHORITY_RIGHT, "right"},
        {AUTHORITY_BRANCH_POST, "post"},  {AUTHORITY_SERVICE, "service"},
        {AUTHORITY_OPERATOR, "operator"}, {AUTHORITY_ROOT, "root"},
        {AUTHORITY_CHAIN, "chain"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((action->authority & names[i].bit) != 0) {
            text_add(text, " %s", names[i].name);
        }
    }
}

static const char *class_name(enum action_class class)
{
    switch (class) {
    case CLASS_NORMAL:
        return "normal";
    case CLASS_SYSTEM:
        return "system";
    case CLASS_URGENT:
        return "urgent";
    case CLASS_BULK:
        return "bulk";
    }
    return "?";
}

static void text_action(struct text *text, const struct module *module, const struct action *action)
{
    text_add(text, "action %u.%u %s.%s units %u %s authority", module->number, action->number,
             module->name, action->name, action->units, class_name(action->class));
    text_authority(text, action);
    text_add(text, "%s%s%s\n", action->coop == NULL ? "" : " coop ",
             action->coop == NULL ? "" : action->coop, action->reserve ? " reserve" : "");
    text_message(text, action->request);
}

enum err exec_register_text(const struct module *const *modules, char *out, size_t size)
{
    struct text text = {.at = out, .size = size};

    for (uint32_t m = 0; modules[m] != NULL; m++) {
        const struct module *module = modules[m];

        text_add(&text, "module %u %s\n", module->number, module->name);
        for (uint32_t i = 0; i < module->table_count; i++) {
            text_table(&text, module, module->tables[i]);
        }
        for (uint32_t i = 0; i < module->action_count; i++) {
            text_action(&text, module, &module->actions[i]);
        }
        for (uint32_t i = 0; i < module->event_count; i++) {
            text_add(&text, "event %u.%u %s.%s\n", module->number, i + 1, module->name,
                     module->events[i].name);
            text_message(&text, module->events[i].body);
        }
    }
#define STATUS_LINE(name, number, rule)                                                            \
    text_add(&text, "status 0x%04x %s %s\n", number, #name, rule);
    STATUSES(STATUS_LINE)
#undef STATUS_LINE
    return text.full ? ERR_NO_SPACE : ERR_OK;
}

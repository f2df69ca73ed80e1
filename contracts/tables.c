#include "contracts/tables.h"

#include <string.h>

#include "base/limits.h"
#include "proto/canon.h"

enum {
    INDEX_PREFIX_BYTES = TABLES_PREFIX_BYTES + 1,
};

/* -- Names looked up. -- */

static enum table_field_kind field_kind(const ProtobufCMessageDescriptor *row,
                                        const ProtobufCFieldDescriptor *field)
{
    INVARIANT(field->label == PROTOBUF_C_LABEL_NONE);
    INVARIANT((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0);
    switch ((unsigned)field->type) {
    case PROTOBUF_C_TYPE_UINT64:
        return TABLE_FIELD_U64;
    case PROTOBUF_C_TYPE_INT64:
        return TABLE_FIELD_I64;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_ENUM:
        return TABLE_FIELD_U32;
    case PROTOBUF_C_TYPE_BYTES:
        INVARIANT(canon_limits_of(row, field->id).size == ACCOUNT_BYTES);
        return TABLE_FIELD_ID;
    case PROTOBUF_C_TYPE_STRING:
        INVARIANT(canon_limits_of(row, field->id).max != 0);
        return TABLE_FIELD_STRING;
    default:
        invariant_fail("a field of a kind that no key may hold", __FILE__, __LINE__);
    }
}

static uint32_t field_bytes(enum table_field_kind kind)
{
    switch (kind) {
    case TABLE_FIELD_U64:
    case TABLE_FIELD_I64:
        return 8;
    case TABLE_FIELD_U32:
        return 4;
    case TABLE_FIELD_ID:
        return ACCOUNT_BYTES;
    case TABLE_FIELD_STRING:
        return 0;
    }
    invariant_fail("no such kind", __FILE__, __LINE__);
}

/* The most bytes that the string at the end of an order may have; 0 without one. */
static uint32_t order_string_max(const struct table *table, const char *const *names,
                                 const struct table_order *order)
{
    const ProtobufCFieldDescriptor *field;

    if (order->count == 0 || order->fields[order->count - 1].kind != TABLE_FIELD_STRING) {
        return 0;
    }
    field = protobuf_c_message_descriptor_get_field_by_name(table->row, names[order->count - 1]);
    INVARIANT(field != NULL);
    return canon_limits_of(table->row, field->id).max;
}

static void plan_order(const struct table *table, const char *const *names, struct table_order *out)
{
    *out = (struct table_order){0};
    while (out->count < TABLE_KEY_FIELDS_MAX && names[out->count] != NULL) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(table->row, names[out->count]);
        enum table_field_kind kind;

        INVARIANT(field != NULL);
        kind = field_kind(table->row, field);
        for (uint32_t i = 0; i < out->count; i++) {
            INVARIANT(out->fields[i].offset != field->offset);
            INVARIANT(out->fields[i].kind != TABLE_FIELD_STRING);
        }
        out->fields[out->count] = (struct table_field){.offset = field->offset, .kind = kind};
        out->bytes += field_bytes(kind);
        out->count += 1;
    }
    INVARIANT(out->count > 0);
}

void tables_plan(const struct table *table, struct table_plan *out)
{
    uint32_t key_bytes_max;

    *out = (struct table_plan){.table = table};
    INVARIANT(table->number != 0 && table->name != NULL && table->module != NULL);
    INVARIANT(table->row->sizeof_message == table->row_bytes);
    plan_order(table, table->key, &out->key);
    key_bytes_max = out->key.bytes + order_string_max(table, table->key, &out->key);
    INVARIANT(TABLES_PREFIX_BYTES + key_bytes_max <= STATE_KEY_BYTES_MAX);
    while (out->index_count < TABLE_INDEX_COUNT_MAX &&
           table->indexes[out->index_count].name != NULL) {
        struct table_order *order = &out->indexes[out->index_count];

        plan_order(table, table->indexes[out->index_count].fields, order);
        INVARIANT(order->fields[order->count - 1].kind != TABLE_FIELD_STRING);
        INVARIANT(INDEX_PREFIX_BYTES + order->bytes + key_bytes_max <= STATE_KEY_BYTES_MAX);
        out->index_count += 1;
    }
}

/* -- Keys. -- */

static void key_number(struct table_key *key, uint64_t value, uint32_t bytes)
{
    INVARIANT(key->count + bytes <= STATE_KEY_BYTES_MAX);
    for (uint32_t i = 0; i < bytes; i++) {
        key->bytes[key->count + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    }
    key->count += bytes;
}

static bool key_bytes(struct table_key *key, const uint8_t *at, size_t count)
{
    if (count > STATE_KEY_BYTES_MAX - key->count) {
        return false;
    }
    if (count != 0) {
        memcpy(key->bytes + key->count, at, count);
    }
    key->count += (uint32_t)count;
    return true;
}

static bool key_id(struct table_key *key, const ProtobufCBinaryData *id)
{
    static const uint8_t nothing[ACCOUNT_BYTES];

    if (id->len == 0) {
        return key_bytes(key, nothing, ACCOUNT_BYTES);
    }
    return id->len == ACCOUNT_BYTES && key_bytes(key, id->data, ACCOUNT_BYTES);
}

static bool key_field(struct table_key *key, const struct table_field *field, const void *row)
{
    const uint8_t *at = (const uint8_t *)row + field->offset;
    uint64_t wide;
    uint32_t narrow;
    ProtobufCBinaryData id;
    const char *text;

    switch (field->kind) {
    case TABLE_FIELD_U64:
        memcpy(&wide, at, sizeof wide);
        key_number(key, wide, 8);
        return true;
    case TABLE_FIELD_I64:
        memcpy(&wide, at, sizeof wide);
        key_number(key, wide ^ (UINT64_C(1) << 63), 8);
        return true;
    case TABLE_FIELD_U32:
        memcpy(&narrow, at, sizeof narrow);
        key_number(key, narrow, 4);
        return true;
    case TABLE_FIELD_ID:
        memcpy(&id, at, sizeof id);
        return key_id(key, &id);
    case TABLE_FIELD_STRING:
        memcpy(&text, at, sizeof text);
        return text == NULL || key_bytes(key, (const uint8_t *)text, strlen(text));
    }
    invariant_fail("no such kind", __FILE__, __LINE__);
}

static bool key_fields(struct table_key *key, const struct table_order *order, uint32_t count,
                       const void *row)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!key_field(key, &order->fields[i], row)) {
            return false;
        }
    }
    return true;
}

static void key_begin(struct table_key *key, const struct table_plan *plan)
{
    key->count = 0;
    key_number(key, plan->table->module->number, 2);
    key_number(key, plan->table->number, 1);
}

bool tables_row_key(const struct table_plan *plan, const void *row, struct table_key *out)
{
    key_begin(out, plan);
    return key_fields(out, &plan->key, plan->key.count, row);
}

bool tables_prefix(const struct table_plan *plan, uint32_t index, uint32_t fields, const void *row,
                   struct table_key *out)
{
    const struct table_order *order = index == TABLE_BY_KEY ? &plan->key : &plan->indexes[index];

    INVARIANT(index == TABLE_BY_KEY || index < plan->index_count);
    INVARIANT(fields <= order->count);
    key_begin(out, plan);
    if (index != TABLE_BY_KEY) {
        key_number(out, index, 1);
    }
    return key_fields(out, order, fields, row);
}

static bool entry_key(const struct table_plan *plan, uint32_t index, const void *row,
                      struct table_key *out)
{
    return tables_prefix(plan, index, plan->indexes[index].count, row, out) &&
           key_fields(out, &plan->key, plan->key.count, row);
}

bool tables_entry_row_key(const struct table_plan *plan, uint32_t index, struct bytes entry,
                          struct table_key *out)
{
    const size_t before = INDEX_PREFIX_BYTES + plan->indexes[index].bytes;
    const bool text = plan->key.fields[plan->key.count - 1].kind == TABLE_FIELD_STRING;

    INVARIANT(index < plan->index_count);
    if (entry.count < before + plan->key.bytes) {
        return false;
    }
    if (!text && entry.count != before + plan->key.bytes) {
        return false;
    }
    key_begin(out, plan);
    return key_bytes(out, entry.at + before, entry.count - before);
}

/* -- Rows. -- */

static enum tables_answer tables_fail(struct tables *tables, enum err error)
{
    if (tables->fault == ERR_OK) {
        tables->fault = error;
    }
    return TABLES_FAULT;
}

/* The bytes of a row, a view of the overlay or in the scratch arena. */
static enum tables_answer row_bytes_at(struct tables *tables, const struct table_key *key,
                                       struct bytes *value)
{
    enum err error;

    if (tables->fault != ERR_OK) {
        return TABLES_FAULT;
    }
    error = overlay_get(tables->overlay, STATE_ROWS, table_key_bytes(key), tables->scratch, value);
    if (error == ERR_ABSENT) {
        return TABLES_ABSENT;
    }
    return error == ERR_OK ? TABLES_OK : tables_fail(tables, error);
}

enum tables_answer tables_get_bytes(struct tables *tables, const struct table_plan *plan,
                                    const void *like, struct bytes *value)
{
    struct table_key key;

    return tables_row_key(plan, like, &key) ? row_bytes_at(tables, &key, value) : TABLES_SIZE;
}

/*
 * What stands in the store was canonical when it was written; if it is not, the machine's bytes have changed.
 * The view may lie in the scratch arena, and the row must not: canon_unpack copies what it keeps.
 */
static enum tables_answer row_unpack(struct tables *tables, const struct table_plan *plan,
                                     struct bytes value, struct arena *arena, const void **row)
{
    enum canon_fault fault;

    *row = canon_unpack(plan->table->row, value, arena, &fault);
    if (*row != NULL) {
        return TABLES_OK;
    }
    return fault == CANON_OK ? TABLES_MEMORY : tables_fail(tables, ERR_CORRUPT);
}

enum tables_answer tables_get_at(struct tables *tables, const struct table_plan *plan,
                                 const struct table_key *key, struct arena *arena, const void **row,
                                 uint32_t *row_bytes)
{
    const size_t scratch_used = tables->scratch->used;
    struct bytes value;
    enum tables_answer answer = row_bytes_at(tables, key, &value);

    *row = NULL;
    *row_bytes = 0;
    if (answer == TABLES_OK) {
        *row_bytes = (uint32_t)value.count;
        answer = row_unpack(tables, plan, value, arena, row);
    }
    tables->scratch->used = scratch_used;
    return answer;
}

enum tables_answer tables_get(struct tables *tables, const struct table_plan *plan,
                              const void *like, struct arena *arena, const void **row,
                              uint32_t *row_bytes)
{
    struct table_key key;

    *row = NULL;
    *row_bytes = 0;
    if (!tables_row_key(plan, like, &key)) {
        return TABLES_SIZE;
    }
    return tables_get_at(tables, plan, &key, arena, row, row_bytes);
}

static enum tables_answer entry_set(struct tables *tables, const struct table_key *entry,
                                    bool present)
{
    const struct bytes nothing = {.at = (const uint8_t *)"", .count = 0};
    enum err error;

    if (present) {
        error = overlay_put(tables->overlay, STATE_INDEX, table_key_bytes(entry), nothing);
        tables->written_bytes += entry->count;
    } else {
        error = overlay_delete(tables->overlay, STATE_INDEX, table_key_bytes(entry));
    }
    return error == ERR_OK ? TABLES_OK : tables_fail(tables, error);
}

/* From the entries of `before` to those of `after`; NULL has none. */
static enum tables_answer entries_change(struct tables *tables, const struct table_plan *plan,
                                         const void *before, const void *after)
{
    for (uint32_t i = 0; i < plan->index_count; i++) {
        struct table_key old = {.count = 0};
        struct table_key new = {.count = 0};
        enum tables_answer answer = TABLES_OK;

        if (before != NULL && !entry_key(plan, i, before, &old)) {
            return tables_fail(tables, ERR_CORRUPT);
        }
        if (after != NULL && !entry_key(plan, i, after, &new)) {
            return TABLES_SIZE;
        }
        if (bytes_equal(table_key_bytes(&old), table_key_bytes(&new))) {
            continue;
        }
        if (before != NULL) {
            answer = entry_set(tables, &old, false);
        }
        if (answer == TABLES_OK && after != NULL) {
            answer = entry_set(tables, &new, true);
        }
        if (answer != TABLES_OK) {
            return answer;
        }
    }
    return TABLES_OK;
}

/* The row as it stands, in the scratch arena. */
static enum tables_answer row_before(struct tables *tables, const struct table_plan *plan,
                                     const struct table_key *key, const void **row)
{
    struct bytes value;
    enum tables_answer answer = row_bytes_at(tables, key, &value);

    *row = NULL;
    if (answer == TABLES_OK) {
        answer = row_unpack(tables, plan, value, tables->scratch, row);
    }
    return answer == TABLES_MEMORY ? tables_fail(tables, ERR_NO_SPACE) : answer;
}

/* Pack, and hold the result to the schema, so that no module can write a row that nobody can read again. */
static enum tables_answer row_pack(struct tables *tables, const struct table_plan *plan,
                                   const void *row, struct bytes *value)
{
    *value = canon_pack(plan->table->row, row, tables->scratch);
    if (value->at == NULL) {
        return tables_fail(tables, ERR_NO_SPACE);
    }
    if (value->count > STATE_ROW_BYTES_MAX || canon_check(plan->table->row, *value) != CANON_OK) {
        return TABLES_SIZE; /* H-7 */
    }
    return TABLES_OK;
}

static enum tables_answer row_write(struct tables *tables, const struct table_plan *plan,
                                    const struct table_key *key, const void *row,
                                    uint32_t *row_bytes)
{
    const void *before = NULL;
    struct bytes value;
    enum tables_answer answer = row_pack(tables, plan, row, &value);
    enum err error;

    if (answer != TABLES_OK) {
        return answer;
    }
    *row_bytes = (uint32_t)value.count;
    if (plan->index_count != 0) {
        answer = row_before(tables, plan, key, &before);
        if (answer == TABLES_FAULT) {
            return answer;
        }
        answer = entries_change(tables, plan, before, row);
        if (answer != TABLES_OK) {
            return answer;
        }
    }
    error = overlay_put(tables->overlay, STATE_ROWS, table_key_bytes(key), value);
    tables->written_bytes += key->count + value.count;
    return error == ERR_OK ? TABLES_OK : tables_fail(tables, error);
}

enum tables_answer tables_put(struct tables *tables, const struct table_plan *plan, const void *row,
                              uint32_t *row_bytes)
{
    const size_t scratch_used = tables->scratch->used;
    struct table_key key;
    enum tables_answer answer;

    *row_bytes = 0;
    if (tables->fault != ERR_OK) {
        return TABLES_FAULT;
    }
    if (!tables_row_key(plan, row, &key)) {
        return TABLES_SIZE; /* H-7 */
    }
    answer = row_write(tables, plan, &key, row, row_bytes);
    tables->scratch->used = scratch_used;
    return answer;
}

enum tables_answer tables_delete(struct tables *tables, const struct table_plan *plan,
                                 const void *like)
{
    const size_t scratch_used = tables->scratch->used;
    const void *before;
    struct table_key key;
    enum tables_answer answer;
    enum err error;

    if (!tables_row_key(plan, like, &key)) {
        return TABLES_SIZE;
    }
    answer = row_before(tables, plan, &key, &before);
    if (answer == TABLES_OK) {
        answer = entries_change(tables, plan, before, NULL);
    }
    if (answer == TABLES_OK) {
        error = overlay_delete(tables->overlay, STATE_ROWS, table_key_bytes(&key));
        if (error != ERR_OK) {
            answer = tables_fail(tables, error);
        }
    }
    tables->scratch->used = scratch_used;
    return answer;
}

/* The key of the row that a walk stands on. */
static enum tables_answer scan_key(struct tables *tables, const struct table_plan *plan,
                                   uint32_t index, struct bytes at, struct table_key *out)
{
    if (index == TABLE_BY_KEY) {
        out->count = 0;
        return key_bytes(out, at.at, at.count) ? TABLES_OK : tables_fail(tables, ERR_CORRUPT);
    }
    return tables_entry_row_key(plan, index, at, out) ? TABLES_OK
                                                      : tables_fail(tables, ERR_CORRUPT);
}

static enum tables_answer scan_walk(struct tables *tables, const struct table_plan *plan,
                                    struct scan scan, struct overlay_scan *walk,
                                    struct table_key *keys, uint32_t *count)
{
    while (*count < scan.limit && overlay_scan_next(walk)) {
        const enum tables_answer answer =
            scan_key(tables, plan, scan.index, walk->key, &keys[*count]);

        if (answer != TABLES_OK) {
            return answer;
        }
        *count += 1;
    }
    return TABLES_OK;
}

/* NOLINTNEXTLINE(readability-function-size): the scan, and what it fills. */
enum tables_answer tables_scan(struct tables *tables, const struct table_plan *plan,
                               struct scan scan, const void *like, struct table_key *keys,
                               uint32_t *count, bool *more)
{
    const size_t scratch_used = tables->scratch->used;
    const enum state_space space = scan.index == TABLE_BY_KEY ? STATE_ROWS : STATE_INDEX;
    struct overlay_scan walk;
    struct table_key prefix;
    enum tables_answer answer;
    enum err error;

    *count = 0;
    *more = false;
    if (tables->fault != ERR_OK) {
        return TABLES_FAULT;
    }
    if (!tables_prefix(plan, scan.index, scan.fields, like, &prefix)) {
        return TABLES_SIZE;
    }
    error = overlay_scan_begin(tables->overlay, space, table_key_bytes(&prefix), (struct bytes){0},
                               scan.reverse, tables->scratch, &walk);
    if (error != ERR_OK) {
        return tables_fail(tables, error);
    }
    answer = scan_walk(tables, plan, scan, &walk, keys, count);
    if (answer == TABLES_OK && *count == scan.limit) {
        *more = overlay_scan_next(&walk);
    }
    if (answer == TABLES_OK && walk.error != ERR_OK) {
        answer = tables_fail(tables, walk.error);
    }
    overlay_scan_end(&walk);
    tables->scratch->used = scratch_used;
    return answer;
}

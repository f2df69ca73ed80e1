/*
 * contracts/tables.h -- rows and index entries of tables over an overlay, made from descriptors.
 *
 * Source: docs/protocol/bytes.md 4.  A row stands in STATE_ROWS under module u16, table u8, key fields; its value
 * is the canonical message.  An entry of an index stands in STATE_INDEX under module u16, table u8, place of the
 * index u8, index fields, primary key; its value is empty.  In keys a u64 has eight big-endian bytes, a u32 or
 * enum four, an i64 eight with the sign flipped, an id 32 (an empty one is zeros); one string at most, last.
 *
 * Knows no prices, no authority and no module: contracts/host.c charges, and RPC reads through this too.
 * Rules implemented: H-7 (what does not fit is not written).
 */
#ifndef CONTRACTS_TABLES_H
#define CONTRACTS_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "contracts/host.h"
#include "contracts/table.h"
#include "state/overlay.h"

enum { TABLES_PREFIX_BYTES = 3 }; /* of a row's key: module and table */

enum table_field_kind {
    TABLE_FIELD_U64,
    TABLE_FIELD_I64,
    TABLE_FIELD_U32, /* enums too */
    TABLE_FIELD_ID,
    TABLE_FIELD_STRING,
};

struct table_field {
    size_t offset; /* in the row's struct */
    enum table_field_kind kind;
};

struct table_order {
    struct table_field fields[TABLE_KEY_FIELDS_MAX];
    uint32_t count;
    uint32_t bytes; /* of the fields of fixed length */
};

/* A table with its names looked up. */
struct table_plan {
    const struct table *table;
    struct table_order key;
    struct table_order indexes[TABLE_INDEX_COUNT_MAX];
    uint32_t index_count;
};

struct table_key {
    uint8_t bytes[STATE_KEY_BYTES_MAX];
    uint32_t count;
};

static inline struct bytes table_key_bytes(const struct table_key *key)
{
    return bytes_of(key->bytes, key->count);
}

/*
 * Look the names up.  A table that contradicts itself or its schema is our bug and aborts: an unknown or
 * repeated field, a kind that has no key form, an id whose schema does not say 32 bytes, a string that is not
 * last, a key that may become too long, a struct of another size than its descriptor's.
 */
void tables_plan(const struct table *table, struct table_plan *out);

/* The full key of a row given by example; false for an id that is neither empty nor 32 bytes, or a long string. */
CHECKED bool tables_row_key(const struct table_plan *plan, const void *row, struct table_key *out);

/* Module, table, place and the first `fields` fields of an index; as tables_row_key for TABLE_BY_KEY. */
CHECKED bool tables_prefix(const struct table_plan *plan, uint32_t index, uint32_t fields,
                           const void *row, struct table_key *out);

/* The row's key behind an entry of an index; false for an entry that is too short or too long. */
CHECKED bool tables_entry_row_key(const struct table_plan *plan, uint32_t index, struct bytes entry,
                                  struct table_key *out);

enum tables_answer {
    TABLES_OK,
    TABLES_ABSENT,
    TABLES_SIZE,   /* a key or row that its schema does not allow, or beyond 64 KiB */
    TABLES_MEMORY, /* the caller's arena is full */
    TABLES_FAULT,  /* of the machine: tables->fault */
};

struct tables {
    struct overlay *overlay;
    struct arena *scratch;  /* used within a call and given back */
    enum err fault;         /* the first fault; sticky */
    uint64_t written_bytes; /* of keys and values put since the owner set it to 0 */
};

/* A row unpacked into `arena`, and the length of its bytes. */
enum tables_answer tables_get(struct tables *tables, const struct table_plan *plan,
                              const void *like, struct arena *arena, const void **row,
                              uint32_t *row_bytes);

/* The bytes of a row, as they stand in the tree: a view of the overlay, or in the scratch arena. */
enum tables_answer tables_get_bytes(struct tables *tables, const struct table_plan *plan,
                                    const void *like, struct bytes *value);

/* As tables_get by full key. */
enum tables_answer tables_get_at(struct tables *tables, const struct table_plan *plan,
                                 const struct table_key *key, struct arena *arena, const void **row,
                                 uint32_t *row_bytes);

/* Write a row and change the entries of its indexes that differ.  TABLES_SIZE: nothing was written. */
enum tables_answer tables_put(struct tables *tables, const struct table_plan *plan, const void *row,
                              uint32_t *row_bytes);

/* Remove a row and its entries.  TABLES_ABSENT: there was none. */
enum tables_answer tables_delete(struct tables *tables, const struct table_plan *plan,
                                 const void *like);

/*
 * The keys of rows in the order of an index or of the primary key, at most scan.limit of them, into `keys`.
 * `more`: there are others behind them.
 */
enum tables_answer tables_scan(struct tables *tables, const struct table_plan *plan,
                               struct scan scan, const void *like, struct table_key *keys,
                               uint32_t *count, bool *more);

#endif /* CONTRACTS_TABLES_H */

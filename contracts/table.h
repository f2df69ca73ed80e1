/*
 * contracts/table.h -- tables, actions and modules as data.
 *
 * A module is const data.  The executor runs it, RPC serves its tables and answers can_act from it, the
 * CLI and the SDK get their commands and types from it, and docs/ is printed from it.  Nothing here is
 * code of a module; contracts/host.h has what that code may call.
 *
 * One name serves everywhere: the action "admission_apply" of module "membership" is the message
 * AdmissionApply in proto/schema/membership.proto, the descriptor membership__admission_apply__descriptor and
 * the function membership_admission_apply.  Numbers, not names, go into keys and transactions; both
 * are append-only.  The registry checks all of it once, at start (exec_init).
 */
#ifndef CONTRACTS_TABLE_H
#define CONTRACTS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contracts/status.h"
#include "proto/messages.h"

enum {
    TABLE_KEY_FIELDS_MAX = 4,
    TABLE_INDEX_COUNT_MAX = 6,
    TABLE_LIST_MAX = 256,                 /* rows one host_list may return */
    TABLE_BY_KEY = TABLE_INDEX_COUNT_MAX, /* instead of an index: the primary key */
};

struct host;
struct module;

/*
 * An ordered list of fields of the row.  An entry of an index is those fields and then the primary key,
 * so entries are unique and equal ones are ordered by primary key.  In a key a u64 is eight big-endian
 * bytes, a u32 or enum four, an i64 eight with the sign flipped, bytes exactly 32 (an empty field is 32
 * zeros); at most one string, only last, without terminator (docs/protocol/bytes.md 4).
 */
struct table_index {
    const char *name;
    const char *fields[TABLE_KEY_FIELDS_MAX];
};

struct table {
    uint8_t number;
    const char *name;
    const struct module *module; /* whose table it is */
    const ProtobufCMessageDescriptor *row;
    size_t row_bytes;
    const char *key[TABLE_KEY_FIELDS_MAX];
    struct table_index
        indexes[TABLE_INDEX_COUNT_MAX]; /* kept up to date by the host, never by modules */
};

/* On whose authority an action runs (domain "roles" 2).  Several bits: any one of them is enough. */
enum {
    AUTHORITY_ANYONE = 1U << 0, /* a crank: the actor does not matter */
    AUTHORITY_SELF = 1U << 1,   /* the actor signed, and the action concerns the actor */
    AUTHORITY_SEAT = 1U << 2,   /* the actor holds one of .seats in the cooperative .coop names */
    AUTHORITY_RIGHT = 1U << 3,  /* staff right for this action; granted by no module yet */
    AUTHORITY_BRANCH_POST = 1U << 4, /* granted by no module yet */
    AUTHORITY_SERVICE = 1U << 5,  /* a service account within its scope; granted by no module yet */
    AUTHORITY_OPERATOR = 1U << 6, /* an active operator of the network */
    AUTHORITY_ROOT = 1U << 7,     /* the root account */
    AUTHORITY_CHAIN = 1U << 8, /* a due action, or an executed decision: never from a transaction */
};

enum {
    SEAT_COUNCIL = 1U << 0,
    SEAT_CHAIR = 1U << 1,
};

/* Which part of a block an action may use, and in which order it is taken from the pool. */
enum action_class {
    CLASS_NORMAL,
    CLASS_SYSTEM,
    CLASS_URGENT,
    CLASS_BULK,
};

/* What an action that the chain runs rests on; AUTHORITY_CHAIN alone authorises nothing. */
enum action_basis {
    BASIS_NONE,
    BASIS_DEADLINE, /* a due row that the host itself wrote */
};

struct action {
    uint8_t number;
    const char *name;
    const ProtobufCMessageDescriptor *request;
    size_t request_bytes;
    const char *coop; /* the request's field that names the cooperative; NULL: network-wide */
    uint32_t authority;
    uint32_t seats;
    enum action_class class;
    enum action_basis basis;
    bool reserve; /* no empty bucket stops it, two an hour and account */
    bool
        creates_account; /* the actor may be unknown: its keys come from the request (accounts alone) */
    uint32_t units;      /* charged before the action runs; host calls add to it */
    enum status (*run)(struct host *host, const void *request);
};

/* An event's number is its place in the module's list, from 1. */
struct event {
    const char *name;
    const ProtobufCMessageDescriptor *body;
};

struct module {
    uint16_t number;
    const char *name;
    const struct table *const *tables;
    uint32_t table_count;
    const struct action *actions;
    uint32_t action_count;
    const struct event *events;
    uint32_t event_count;
};

/*
 * The three macros that give modules types.  They are the only macros of the contracts room that make
 * functions; each function is one call.  A type that does not belong to its descriptor is found by the
 * registry at start, which compares sizes.
 */

/* NOLINTBEGIN(bugprone-macro-parentheses): names and types cannot stand in parentheses. */

/* Declare table NAME of rows TYPE: NAME_get, NAME_put, NAME_delete, NAME_list, NAME_at. */
#define TABLE(name, type)                                                                          \
    extern const struct table name;                                                                \
    enum { name##_row_bytes = sizeof(type) };                                                      \
    static inline const type *name##_get(struct host *host, const type *key)                       \
    {                                                                                              \
        return host_get(host, &name, key);                                                         \
    }                                                                                              \
    static inline void name##_put(struct host *host, const type *row)                              \
    {                                                                                              \
        host_put(host, &name, row);                                                                \
    }                                                                                              \
    static inline void name##_delete(struct host *host, const type *key)                           \
    {                                                                                              \
        host_delete(host, &name, key);                                                             \
    }                                                                                              \
    static inline struct rows name##_list(struct host *host, struct scan scan, const type *like)   \
    {                                                                                              \
        return host_list(host, &name, scan, like);                                                 \
    }                                                                                              \
    static inline const type *name##_at(const struct rows *rows, uint32_t index)                   \
    {                                                                                              \
        return host_row(rows, index);                                                              \
    }                                                                                              \
    struct table

/* Declare action FUNCTION with requests of TYPE. */
#define ACTION(function, type)                                                                     \
    enum status function(struct host *host, const type *request);                                  \
    enum { function##_bytes = sizeof(type) };                                                      \
    static inline enum status function##_run(struct host *host, const void *request)               \
    {                                                                                              \
        return function(host, request);                                                            \
    }                                                                                              \
    struct action

/* Declare event MODULE.EVENT of TYPE: MODULE_EVENT_emit. */
#define EVENT(module, event, type)                                                                 \
    static inline void module##_##event##_emit(struct host *host, const type *body)                \
    {                                                                                              \
        host_emit(host, &module##__##event##__descriptor, body);                                   \
    }                                                                                              \
    struct module

/* The fields that follow from the one name. */
#define TABLE_IS(owner, table, message)                                                            \
    .name = #table, .module = &(owner), .row = &owner##__##message##__descriptor,                  \
    .row_bytes = table##_row_bytes
#define ACTION_IS(owner, action)                                                                   \
    .name = #action, .request = &owner##__##action##__descriptor,                                  \
    .request_bytes = owner##_##action##_bytes, .run = owner##_##action##_run
#define EVENT_IS(owner, event)                                                                     \
    {                                                                                              \
        .name = #event, .body = &owner##__##event##__descriptor                                    \
    }

/* NOLINTEND(bugprone-macro-parentheses) */

#endif /* CONTRACTS_TABLE_H */

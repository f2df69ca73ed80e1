/*
 * proto/canon.h -- is a protobuf message canonical?  One walk over the bytes, without memory.
 *
 * Source: docs/protocol/bytes.md 3.  What is hashed or signed as protobuf must be canonical; the received
 * bytes are then hashed as they are, and nothing is ever re-serialised to be signed.  Decoding and encoding
 * again does not check this (protobuf-c keeps unknown fields, unknown enum values and bad UTF-8), so it is
 * only the oracle of the fuzz target.
 */
#ifndef PROTO_CANON_H
#define PROTO_CANON_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum { CANON_DEPTH_MAX = 8 };

/* Why bytes are not canonical; each has a vector. */
enum canon_fault {
    CANON_OK,
    CANON_CUT,     /* ends inside a field */
    CANON_UNKNOWN, /* field number that the message lacks, at any depth */
    CANON_ORDER,   /* fields not ascending, or a single one twice, or two members of a oneof */
    CANON_WIRE_TYPE, /* wire type that the field has not; groups; packed where it must not be, or not packed */
    CANON_VARINT,  /* longer than needed, or beyond 64 bits, or beyond the field's 32 bits */
    CANON_DEFAULT, /* zero, empty or UNSPECIFIED written out, outside a oneof and a list */
    CANON_ENUM,    /* value that the enum lacks */
    CANON_BOOL,    /* other than 1 */
    CANON_UTF8,    /* string that is not UTF-8, or holds a zero byte */
    CANON_SIZE,    /* bytes or string of a length that the schema's options forbid */
    CANON_COUNT,   /* list with too few or too many entries */
    CANON_DEPTH,   /* messages nested deeper than CANON_DEPTH_MAX */
};

/*
 * Check that `bytes` are a canonical message of type `type`, down to the last submessage.  Fields of type bytes
 * that hold another message (Tx.body, Action.payload) are bytes here: their owner checks them.  Of several
 * faults the first by place in the bytes is reported; a list with too few entries shows where the next field
 * begins, or the message ends.
 */
enum canon_fault canon_check(const ProtobufCMessageDescriptor *type, struct bytes bytes);

/* The word of a fault, for a refusal's text and for vectors. */
const char *canon_fault_name(enum canon_fault fault);

struct arena;

/*
 * Check, then unpack into `arena`; NULL if the bytes are not canonical or the arena is full, told apart by
 * `fault` (CANON_OK with NULL: the arena was full).
 */
CHECKED ProtobufCMessage *canon_unpack(const ProtobufCMessageDescriptor *type, struct bytes bytes,
                                       struct arena *arena, enum canon_fault *fault);

/*
 * Pack a message into `arena`: fields ascending, defaults left out, lists of numbers packed.  A struct filled
 * in by hand needs no descriptor in it or in nested messages: they are taken from the fields of `type`; a string
 * that is NULL is empty.  The limits of the schema are not checked: who takes values from outside runs
 * canon_check over the result.  Empty bytes with at == NULL when the arena is full.
 */
struct bytes canon_pack(const ProtobufCMessageDescriptor *type, const void *message,
                        struct arena *arena);

/*
 * What the schema's options say of a field, or mean where they are not there; zeros where a limit has no meaning.
 * Empty is allowed besides `size` only where it is not written, outside a oneof and a list.
 */
struct canon_limits {
    uint32_t size;      /* bytes: exactly so many; 0: not fixed */
    uint32_t max;       /* bytes, string: at most so many bytes */
    uint32_t max_count; /* repeated */
    uint32_t min_count;
};

/* Looked up in the table that is compiled from the schema's descriptor set; what it does not have is our bug. */
struct canon_limits canon_limits_of(const ProtobufCMessageDescriptor *type, uint32_t field_number);

/* The message type of a full name, as "artel.chain.v1.Tx"; NULL if the schema has none. */
CHECKED const ProtobufCMessageDescriptor *canon_type_of(const char *name);

/* All message types, by an index from 0; NULL behind the last. */
CHECKED const ProtobufCMessageDescriptor *canon_type_at(uint32_t index);

#endif /* PROTO_CANON_H */

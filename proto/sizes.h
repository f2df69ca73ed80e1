/*
 * proto/sizes.h -- the schema's options as a table, compiled from its descriptor set by tools/schema/sizes.
 *
 * Only canon.c reads it.  The table is a file of its own so that tests can link one that also has their own
 * messages.
 */
#ifndef PROTO_SIZES_H
#define PROTO_SIZES_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "proto/canon.h"

enum { SIZES_NO_CHILD = 0xffff };

/* One for each field of a message, in the order of its descriptor. */
struct sizes_field {
    uint32_t number;
    uint16_t child; /* place in sizes_messages of the field's message, or SIZES_NO_CHILD */
    struct canon_limits limits;
};

struct sizes_message {
    const ProtobufCMessageDescriptor *type;
    const struct sizes_field *fields; /* as many as the type has */
    uint32_t field_count;
};

extern const struct sizes_message sizes_messages[];
extern const uint32_t sizes_message_count;

#endif /* PROTO_SIZES_H */

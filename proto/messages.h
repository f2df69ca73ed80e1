/*
 * proto/messages.h -- the one door to the structs that protoc-c generates from proto/schema.
 *
 * protobuf-c gives each enum a last value that makes it as large as an int, and -Wswitch would ask for
 * a case for it.  On our two compilers each enum is four bytes without it, so it is taken away here,
 * before any generated header.
 */
#ifndef PROTO_MESSAGES_H
#define PROTO_MESSAGES_H

#include <protobuf-c/protobuf-c.h>

#undef PROTOBUF_C__FORCE_ENUM_TO_BE_INT_SIZE
#define PROTOBUF_C__FORCE_ENUM_TO_BE_INT_SIZE(name)

/* From the build folder. */
#include "proto/gen/accounts.pb-c.h"
#include "proto/gen/chain.pb-c.h"
#include "proto/gen/cooperatives.pb-c.h"
#include "proto/gen/core.pb-c.h"
#include "proto/gen/membership.pb-c.h"

_Static_assert(sizeof(Membership__Member__State) == sizeof(int), "enums are as large as int");

#endif /* PROTO_MESSAGES_H */

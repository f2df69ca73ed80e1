/*
 * p2p/hello.h -- layouts of the control messages that only sessions speak: HELLO, GOODBYE, ADDRS.
 *
 * Source: docs/protocol/consensus.md 8.20, the register of types.  Messages begin with their type byte.
 */
#ifndef P2P_HELLO_H
#define P2P_HELLO_H

#include "base/bytes.h"
#include "base/err.h"
#include "p2p/address.h"

enum {
    HELLO_PROTOCOL = 1,
    HELLO_SOFTWARE_MAX = 32,
    HELLO_STATUS_MAX = 256,
    HELLO_BYTES_MAX = 1 + 2 + 1 + 8 + 1 + 16 + 2 + 1 + HELLO_SOFTWARE_MAX + 2 + HELLO_STATUS_MAX,
    GOODBYE_BYTES = 6,
};

/* Bits of `roles`. */
enum {
    ROLE_VALIDATOR = 1,
    ROLE_SERVES_BLOCKS = 2,
    ROLE_ARCHIVE = 4,
    ROLE_SEED = 8,
    ROLE_SNAPSHOTS = 16,
};

struct hello {
    uint16_t protocol;
    uint8_t roles;
    uint64_t instance;
    struct address address; /* where the sender hears, family 0: nowhere; a hint */
    struct bytes software;  /* at most HELLO_SOFTWARE_MAX of 0x21 to 0x7e */
    struct bytes status;    /* the STATUS fields, without a type byte; may be empty */
};

struct writer;

void hello_write(struct writer *writer, const struct hello *hello);

/*
 * False if it is cut short, has bytes left over, an unknown family, an address or port without a family,
 * other characters in `software`, or STATUS fields that proto/wire.h refuses.  Any protocol number is let
 * through, so that the caller can tell an incompatible peer from a broken one.  Views live as long as `message`.
 */
CHECKED bool hello_decode(struct bytes message, struct hello *out);

enum goodbye {
    GOODBYE_STOPPING = 1,
    GOODBYE_DUPLICATE = 2,
    GOODBYE_SELF = 3,
    GOODBYE_PROTOCOL = 4,
    GOODBYE_NOT_ALLOWED = 5,
    GOODBYE_FULL = 6,
    GOODBYE_BANNED = 7,
    GOODBYE_RATE = 8,
    GOODBYE_MALFORMED = 9,
    GOODBYE_SLOW = 10,
    GOODBYE_SILENT = 11,
    GOODBYE_PLACE = 12,
};

void goodbye_write(struct writer *writer, uint8_t code, uint32_t seconds);

/* Any code is let through: it is for the log.  False for a wrong length. */
CHECKED bool goodbye_decode(struct bytes message, uint8_t *code, uint32_t *seconds);

/* A list of addresses is well formed: a count of at most 64, that many entries of a known family. */
CHECKED bool addrs_check(struct bytes message);

#endif /* P2P_HELLO_H */

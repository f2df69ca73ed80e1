/*
 * proto/wire.h -- the messages between nodes: types, channels, layouts.
 *
 * Source: docs/protocol/consensus.md 8.4 and 8.20 (the register of types).  A message is its type byte and
 * the fields; decoders take the message with its type byte, refuse what is cut short or has bytes left over,
 * and give views into it.  HELLO, GOODBYE and ADDRS, which only sessions speak, are in p2p/hello.h.  Layouts that hold certificates need the number of validators of the message's
 * epoch before anything else is read.
 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "proto/block.h"
#include "proto/validators.h"
#include "proto/vote.h"

enum wire_type {
    WIRE_HELLO = 0x01,
    WIRE_STATUS = 0x02,
    WIRE_PING = 0x03,
    WIRE_PONG = 0x04,
    WIRE_GOODBYE = 0x05,
    WIRE_VOTE = 0x10,
    WIRE_CERT = 0x11,
    WIRE_GET_CERTS = 0x12,
    WIRE_PROPOSAL = 0x20,
    WIRE_GET_TXS = 0x21,
    WIRE_TXS = 0x22,
    WIRE_GET_BLOCK = 0x23,
    WIRE_BLOCK = 0x24,
    WIRE_TX_PUSH = 0x40,
    WIRE_TX_HAVE = 0x41,
    WIRE_TX_WANT = 0x42,
    WIRE_GET_BLOCKS = 0x50,
    WIRE_BLOCKS = 0x51,
    WIRE_GET_EPOCHS = 0x52,
    WIRE_EPOCHS = 0x53,
    WIRE_ADDRS = 0x70,
};

enum { WIRE_CHANNEL_NONE = 255 };

/* The channel of a type (its priority); CERT to full nodes goes on 3 instead.  WIRE_CHANNEL_NONE for an unknown type. */
uint8_t wire_channel(uint8_t type);

enum {
    WIRE_GET_CERTS_MAX = 32,
    WIRE_TXS_MAX = 256, /* in TX_PUSH, TX_HAVE, TX_WANT */
    WIRE_EPOCHS_MAX = 16,
    WIRE_BLOCKS_MAX = 128,           /* blocks, and headers above them, in BLOCKS */
    WIRE_RANGE_BYTES_MIN = 64 << 10, /* what GET_BLOCKS may ask for */
    WIRE_RANGE_BYTES_MAX = 1 << 20,
    WIRE_STATUS_BYTES_MAX = 1 + 136 + 3 * BITMAP_BYTES_MAX,
    WIRE_CERT_ANY = 0, /* a kind in GET_CERTS */
};

/* STATUS: where a node stands.  A claim: it serves relays and repair, and proves nothing. */
struct wire_status {
    uint64_t epoch;
    uint64_t cur;
    uint64_t final_view;
    uint64_t final_height;
    uint8_t final_hash[HASH_BYTES];
    uint64_t earliest_height;
    uint64_t wall_ms;
    uint64_t features;
    uint64_t parent_view; /* with the hash: the candidate of cur meant, or zeros */
    uint8_t block_hash[HASH_BYTES];
    struct bytes notarize_bitmap; /* of that candidate's votes held; ceil(n / 8) bytes */
    struct bytes nullify_bitmap;
    uint64_t top_view;            /* highest view above final_view with cN held, or 0 */
    struct bytes finalize_bitmap; /* of its FINALIZE votes held */
};

struct writer;

void wire_status_write(struct writer *writer, const struct wire_status *status);

/* The bitmaps are of any equal length here: a receiver in another epoch skips them. */
CHECKED bool wire_status_decode(struct bytes message, struct wire_status *out);

/* The same without the type byte, as a HELLO carries it. */
void wire_status_fields_write(struct writer *writer, const struct wire_status *status);
CHECKED bool wire_status_fields_decode(struct bytes fields, struct wire_status *out);

void wire_vote_write(struct writer *writer, const struct vote *vote);
CHECKED bool wire_vote_decode(struct bytes message, struct vote *out);

void wire_cert_write(struct writer *writer, const struct certificate *certificate);
CHECKED bool wire_cert_decode(struct bytes message, uint16_t count, struct certificate *out);

struct wire_want {
    uint64_t view;
    uint8_t kind; /* enum vote_kind, or WIRE_CERT_ANY */
};

struct wire_get_certs {
    uint64_t epoch;
    uint8_t count; /* 1 to WIRE_GET_CERTS_MAX */
    struct wire_want wants[WIRE_GET_CERTS_MAX];
};

void wire_get_certs_write(struct writer *writer, const struct wire_get_certs *get);
CHECKED bool wire_get_certs_decode(struct bytes message, struct wire_get_certs *out);

enum wire_form { WIRE_FORM_REPEAT = 0, WIRE_FORM_COMPACT = 1, WIRE_FORM_FULL = 2 };

/*
 * PROPOSAL.  `head` is the message up to the body, that is all that the core needs; the body of a full NEW
 * proposal is what follows it.  A REPEAT has neither header nor body.
 */
struct wire_proposal {
    struct candidate candidate;
    uint8_t signature[SIGNATURE_BYTES]; /* of the leader's NOTARIZE vote */
    uint8_t justification_count;        /* at most JUSTIFICATION_MAX */
    struct certificate justification[JUSTIFICATION_MAX];
    enum wire_form form;
    struct block_header header; /* of a NEW */
    struct bytes head;
    struct bytes body; /* empty when the message was cut before it */
};

/* Write a proposal's head: `proposal->head` and `body` are not looked at. */
void wire_proposal_write(struct writer *writer, const struct wire_proposal *proposal);

/* The longest head for a set of `count`. */
size_t wire_proposal_head_bytes(uint32_t count);

/*
 * Read a proposal, with or without its body.  False also for a view that is not above the parent view, more
 * certificates than JUSTIFICATION_MAX, an unknown form, a header that block_header_decode refuses, a body that
 * is not as long as the header says, and a compact form (not spoken yet).  That header and candidate name the
 * same block is not checked here.
 */
CHECKED bool wire_proposal_decode(struct bytes message, uint16_t count, struct wire_proposal *out);

/* Only the epoch and view of a VOTE, CERT or PROPOSAL, to find the set before decoding; false if too short. */
CHECKED bool wire_epoch_view(struct bytes message, uint64_t *epoch, uint64_t *view);

/* GET_BLOCK: the hash of an unfinalized or final block.  BLOCK: its header and body. */
void wire_get_block_write(struct writer *writer, const uint8_t block_hash[HASH_BYTES]);
CHECKED bool wire_get_block_decode(struct bytes message, const uint8_t **block_hash);
void wire_block_write_head(struct writer *writer, const struct block_header *header);
CHECKED bool wire_block_decode(struct bytes message, struct block_header *header,
                               struct bytes *body);

/* TX_PUSH: 1 to WIRE_TXS_MAX transactions.  A decoded one is whole: wire_tx_push_next then succeeds `count` times. */
CHECKED bool wire_tx_push_decode(struct bytes message, uint16_t *count, struct bytes *left);
CHECKED bool wire_tx_push_next(struct bytes *left, struct bytes *transaction);
void wire_tx_push_begin(struct writer *writer, uint16_t count);
void wire_tx_push_add(struct writer *writer, struct bytes transaction);

/* TX_HAVE and TX_WANT: 1 to WIRE_TXS_MAX wire hashes, none twice; `hashes` is count * 32 bytes. */
void wire_tx_ids_write(struct writer *writer, enum wire_type type, const uint8_t *hashes,
                       uint16_t count);
CHECKED bool wire_tx_ids_decode(struct bytes message, uint16_t *count, const uint8_t **hashes);

struct wire_get_blocks {
    uint32_t id;
    uint64_t from;
    uint16_t blocks; /* 1 to WIRE_BLOCKS_MAX */
    uint32_t bytes;  /* WIRE_RANGE_BYTES_MIN to WIRE_RANGE_BYTES_MAX */
};

void wire_get_blocks_write(struct writer *writer, const struct wire_get_blocks *get);
CHECKED bool wire_get_blocks_decode(struct bytes message, struct wire_get_blocks *out);

enum wire_blocks_result { WIRE_BLOCKS_FOLLOW = 0, WIRE_BLOCKS_NOT_HELD = 1, WIRE_BLOCKS_BUSY = 2 };

/*
 * BLOCKS: blocks from..from + count - 1, then the headers above them up to the one that the certificate is
 * on.  Walk the blocks with wire_blocks_next, which then succeeds `count` times.  Heights, hashes and the kind
 * of the certificate are not checked here.
 */
struct wire_blocks {
    uint32_t id;
    enum wire_blocks_result result;
    uint64_t from;
    uint16_t count;
    uint16_t header_count;
    struct bytes blocks;  /* count times header and body */
    struct bytes headers; /* header_count times BLOCK_HEADER_BYTES */
    struct certificate certificate;
};

CHECKED bool wire_blocks_decode(struct bytes message, uint16_t count, struct wire_blocks *out);
CHECKED bool wire_blocks_next(struct bytes *left, struct block_header *header, struct bytes *body);

/* Write the parts in order: begin, count times a block, header_count times a header, the certificate. */
void wire_blocks_begin(struct writer *writer, const struct wire_blocks *blocks);
void wire_blocks_add(struct writer *writer, struct bytes header_and_body);
void wire_blocks_end(struct writer *writer, const struct certificate *certificate);

/* GET_EPOCHS: P-records from the epoch `first` on. */
struct wire_get_epochs {
    uint32_t id;
    uint64_t first;
    uint8_t count; /* 1 to WIRE_EPOCHS_MAX */
};

void wire_get_epochs_write(struct writer *writer, const struct wire_get_epochs *get);
CHECKED bool wire_get_epochs_decode(struct bytes message, struct wire_get_epochs *out);

/*
 * EPOCHS: P-records in order.  Each holds the certificate of its epoch's set, which the record before it names, so
 * they are read one by one with wire_epochs_next, and the decoder looks at nothing behind their number.
 */
struct wire_epochs {
    uint32_t id;
    enum wire_blocks_result result;
    uint8_t count; /* 1 to WIRE_EPOCHS_MAX if they follow */
    struct bytes records;
};

CHECKED bool wire_epochs_decode(struct bytes message, struct wire_epochs *out);

/* A P-record: how an epoch ended, and who votes in the next one. */
struct wire_epoch {
    struct block_header header;     /* of the EPOCH_END block */
    struct certificate certificate; /* FINALIZE on it; none (no `encoded`) for epoch 0 */
    struct validator_set next;      /* of the next epoch */
};

/*
 * Read the next record; `count` is the size of the set of its epoch, any number for epoch 0.  When the last one is
 * read nothing may be left.  Hashes and signatures are not checked here.
 */
CHECKED bool wire_epochs_next(struct bytes *left, uint16_t count, struct wire_epoch *out);

void wire_epochs_begin(struct writer *writer, const struct wire_epochs *epochs);
void wire_epoch_write(struct writer *writer, const struct wire_epoch *epoch);

/* PING and PONG: a token, echoed. */
void wire_ping_write(struct writer *writer, enum wire_type type, uint64_t token);
CHECKED bool wire_ping_decode(struct bytes message, uint64_t *token);

#endif /* PROTO_WIRE_H */

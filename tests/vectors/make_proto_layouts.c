/*
 * tests/vectors/make_proto_layouts.c -- header.json, vote.json, record.json, wire.json: the fixed layouts.
 *
 * Each field is written here by hand in the order of docs/protocol/bytes.md, and none of the encoders of proto is
 * called, so that these vectors say what the page says and not what the code does.
 */
#include <string.h>

#include "base/count.h"
#include "base/err.h"
#include "base/writer.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "tests/vectors/make_proto.h"

enum { HEADER_BYTES = 344, CHAIN = 0xc1, MEMBERS_MAX = 7 };

static uint8_t memory[1 << 17];

static struct writer fresh(void)
{
    return writer_of(memory, sizeof memory);
}

static void fill(struct writer *out, uint8_t byte, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        writer_u8(out, byte);
    }
}

/* Header. */

static void header(struct writer *out, uint64_t epoch, uint64_t height, uint32_t tx_bytes)
{
    writer_u16(out, 1); /* version */
    writer_u8(out, epoch == 0 ? 1 : 4);
    writer_u8(out, 0);
    fill(out, CHAIN, 32);
    writer_u64(out, epoch);
    writer_u64(out, height + 3); /* view */
    writer_u64(out, height);
    writer_u64(out, UINT64_C(1790000000123)); /* time */
    writer_u16(out, 2);                       /* proposer */
    writer_u16(out, 0);
    fill(out, 0x11, 32); /* parent */
    fill(out, 0x12, 32); /* txs_root */
    fill(out, 0x13, 32); /* receipts_root */
    fill(out, 0x14, 32); /* state_root */
    fill(out, 0x15, 32); /* valset_hash */
    fill(out, epoch == 0 ? 0x16 : 0, 32);
    fill(out, 0x17, 32); /* history_root */
    fill(out, 0x18, 32); /* params_hash */
    writer_u32(out, tx_bytes == 0 ? 0 : 1);
    writer_u32(out, tx_bytes);
    writer_u64(out, 54321); /* units */
}

/* One vector: a name, whether it may be decoded, bytes, and their hash if they are a header. */
static void header_one(FILE *file, const char *name, bool ok, struct bytes bytes)
{
    uint8_t hash[32];

    make_object(file);
    make_text(file, "name", name);
    make_text(file, "fault", ok ? "ok" : "malformed");
    make_hex(file, "hex", bytes);
    if (ok) {
        hash_of(TAG_BLOCK, bytes, hash);
        make_hex(file, "block_hash", bytes_of(hash, 32));
    }
    make_object_end(file);
}

void make_header(const char *folder)
{
    static const struct {
        const char *name;
        uint32_t at;
        uint8_t byte;
    } wrong[] = {
        {"version 2", 1, 2},
        {"version 257", 0, 1},
        {"flag 8", 2, 8},
        {"the byte at 3 not zero", 3, 1},
        {"the bytes at 70 not zero", 70, 1},
        {"the byte at 71 not zero", 71, 1},
    };
    FILE *file = make_open(folder, "header", "Block headers (docs/protocol/bytes.md 5).");
    struct writer out = fresh();

    make_list(file, "vectors");
    header(&out, 5, 900, 77);
    header_one(file, "a block", true, writer_done(&out));
    out = fresh();
    header(&out, 0, 0, 0);
    header_one(file, "with the flag EPOCH_END", true, writer_done(&out));
    memory[2] = 7;
    header_one(file, "all flags", true, writer_done(&out));
    header_one(file, "a byte too few", false, bytes_of(memory, HEADER_BYTES - 1));
    memory[HEADER_BYTES] = 0;
    header_one(file, "a byte too many", false, bytes_of(memory, HEADER_BYTES + 1));
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        out = fresh();
        header(&out, 5, 900, 77);
        memory[wrong[i].at] = wrong[i].byte;
        header_one(file, wrong[i].name, false, writer_done(&out));
    }
    make_list_end(file);
    make_close(file);
}

/* Votes and certificates. */

struct statement_of_test {
    uint8_t kind;
    uint64_t epoch, view, parent_view;
    uint8_t hash_fill;
};

static const struct statement_of_test notarize = {1, 5, 12, 10, 0xb1};
static const struct statement_of_test nullify = {2, 5, 12, 0, 0};
static const struct statement_of_test finalize = {3, 5, 12, 11, 0xb2};

static void candidate(struct writer *out, const struct statement_of_test *s)
{
    writer_u64(out, s->epoch);
    writer_u64(out, s->view);
    writer_u64(out, s->parent_view);
    fill(out, s->hash_fill, 32);
}

static void statement(struct writer *out, const struct statement_of_test *s)
{
    writer_u8(out, s->kind);
    candidate(out, s);
}

static struct bytes sign_bytes(const struct statement_of_test *s)
{
    static uint8_t bytes[93];
    struct writer out = writer_of(bytes, sizeof bytes);

    writer_bytes(&out, "SXV1", 4);
    writer_u8(&out, s->kind);
    fill(&out, CHAIN, 32);
    candidate(&out, s);
    INVARIANT(!out.failed && out.used == sizeof bytes);
    return writer_done(&out);
}

/* The signature of the member with secret 32 times index + 1. */
static void signature(struct writer *out, const struct statement_of_test *s, uint32_t index)
{
    uint8_t secret[32];
    uint8_t public_key[32];
    uint8_t bytes[64];

    make_consensus_key((uint8_t)(index + 1), secret, public_key);
    ed25519_sign(secret, sign_bytes(s), bytes);
    writer_bytes(out, bytes, sizeof bytes);
}

static void vote(struct writer *out, const struct statement_of_test *s, uint16_t index)
{
    statement(out, s);
    writer_u16(out, index);
    signature(out, s, index);
}

/* A certificate that says `count`, with the bits of `bits` and a signature of each. */
static void certificate(struct writer *out, const struct statement_of_test *s, uint16_t count,
                        uint32_t bits)
{
    statement(out, s);
    writer_u16(out, count);
    writer_u8(out, (uint8_t)bits);
    for (uint32_t i = 0; i < 8; i++) {
        if ((bits >> i & 1) != 0) {
            signature(out, s, i);
        }
    }
}

static void statement_fields(FILE *file, const struct statement_of_test *s)
{
    uint8_t hash[32];

    memset(hash, s->hash_fill, sizeof hash);
    make_u64(file, "kind", s->kind);
    make_u64(file, "epoch", s->epoch);
    make_u64(file, "view", s->view);
    make_u64(file, "parent_view", s->parent_view);
    make_hex(file, "block_hash", bytes_of(hash, sizeof hash));
}

static void votes(FILE *file)
{
    static const struct {
        const char *name;
        struct statement_of_test statement;
    } wrong[] = {
        {"kind 0", {0, 5, 12, 10, 0xb1}},
        {"kind 4", {4, 5, 12, 10, 0xb1}},
        {"view 0", {1, 5, 0, 0, 0xb1}},
        {"a parent view of the same view", {1, 5, 12, 12, 0xb1}},
        {"NULLIFY with a parent view", {2, 5, 12, 1, 0}},
        {"NULLIFY with a block", {2, 5, 12, 0, 1}},
    };
    static const struct statement_of_test *const good[] = {&notarize, &nullify, &finalize};

    make_list(file, "votes");
    for (size_t i = 0; i < COUNT_OF(good) + COUNT_OF(wrong); i++) {
        const bool ok = i < COUNT_OF(good);
        const struct statement_of_test *s = ok ? good[i] : &wrong[i - COUNT_OF(good)].statement;
        struct writer out = fresh();

        vote(&out, s, (uint16_t)i);
        make_object(file);
        make_text(file, "name", ok ? "a vote" : wrong[i - COUNT_OF(good)].name);
        make_text(file, "fault", ok ? "ok" : "malformed");
        statement_fields(file, s);
        make_u64(file, "index", i);
        make_hex(file, "sign_bytes", sign_bytes(s));
        make_hex(file, "hex", writer_done(&out));
        make_object_end(file);
    }
    make_list_end(file);
}

static void certificate_one(FILE *file, const char *name, uint16_t count, const char *fault,
                            struct bytes bytes)
{
    make_object(file);
    make_text(file, "name", name);
    make_u64(file, "n", count);
    make_text(file, "fault", fault);
    make_hex(file, "hex", bytes);
    make_object_end(file);
}

/* Of a set of `count`; `low` has the q lowest bits, `high` the q highest. */
static void certificates_of(FILE *file, uint16_t count, uint32_t low, uint32_t high)
{
    const uint32_t one_less = low & (low - 1);
    const uint32_t one_more = low << 1 | 1;
    struct writer out = fresh();

    certificate(&out, &finalize, count, low);
    certificate_one(file, "the lowest indices", count, "ok", writer_done(&out));
    writer_u8(&out, 0);
    certificate_one(file, "a byte too many", count, "malformed", writer_done(&out));
    certificate_one(file, "a byte too few", count, "malformed", bytes_of(memory, out.used - 2));
    memory[out.used - 2] ^=
        0x40; /* in S of the last signature, which stays reduced or not: it cannot hold */
    certificate_one(file, "a signature that does not hold", count, "signature",
                    bytes_of(memory, out.used - 1));

    out = fresh();
    certificate(&out, &notarize, count, high);
    certificate_one(file, "the highest indices", count, "ok", writer_done(&out));
    memory[59] ^= (uint8_t)(low ^ high);
    certificate_one(file, "signatures of others", count, "signature", writer_done(&out));

    out = fresh();
    certificate(&out, &nullify, count, low);
    certificate_one(file, "a nullification", count, "ok", writer_done(&out));
    memory[0] = 1;
    certificate_one(file, "its bytes as another kind", count, "signature", writer_done(&out));
    memory[0] = 4;
    certificate_one(file, "an unknown kind", count, "malformed", writer_done(&out));

    out = fresh();
    certificate(&out, &finalize, count, one_less);
    certificate_one(file, "q - 1 signatures", count, "malformed", writer_done(&out));
    out = fresh();
    certificate(&out, &finalize, count, one_more);
    certificate_one(file, "q + 1 signatures", count, "malformed", writer_done(&out));
    out = fresh();
    certificate(&out, &finalize, (uint16_t)(count + 1), low);
    certificate_one(file, "of another n", count, "malformed", writer_done(&out));
    out = fresh();
    certificate(&out, &finalize, count, one_less | 1U << count);
    certificate_one(file, "a bit beyond n", count, "malformed", writer_done(&out));
    out = fresh();
    certificate(&out, &finalize, count, low);
    memory[59] |= (uint8_t)(1U << count);
    certificate_one(file, "a bit beyond n and q below it", count, "malformed", writer_done(&out));
}

void make_vote(const char *folder)
{
    FILE *file = make_open(
        folder, "vote",
        "Votes and certificates (docs/protocol/bytes.md 6), without message type.  The chain id is "
        "32 bytes c1; key i has the secret of 32 bytes i + 1.  A certificate that decodes and "
        "whose "
        "signatures do not all hold has the fault `signature`.");

    make_list(file, "keys");
    for (uint32_t i = 0; i < MEMBERS_MAX + 2; i++) {
        uint8_t secret[32];
        uint8_t public_key[32];

        make_consensus_key((uint8_t)(i + 1), secret, public_key);
        make_object(file);
        make_hex(file, "public_key", bytes_of(public_key, 32));
        make_object_end(file);
    }
    make_list_end(file);
    votes(file);
    make_list(file, "certificates");
    certificates_of(file, 4, 0x07, 0x0e);
    certificates_of(file, 7, 0x1f, 0x7c);
    make_list_end(file);
    make_close(file);
}

/* Records of the vote log. */

static void record_one(FILE *file, const char *name, bool ok, struct bytes bytes)
{
    make_object(file);
    make_text(file, "name", name);
    make_u64(file, "n", 4);
    make_text(file, "fault", ok ? "ok" : "malformed");
    make_hex(file, "hex", bytes);
    make_object_end(file);
}

/* A good record, and it a byte shorter and a byte longer. */
static void record_lengths(FILE *file, const char *name, struct writer *out)
{
    record_one(file, name, true, writer_done(out));
    record_one(file, "the same, a byte too few", false, bytes_of(memory, out->used - 1));
    writer_u8(out, 0);
    record_one(file, "the same, a byte too many", false, writer_done(out));
}

void make_record(const char *folder)
{
    FILE *file = make_open(folder, "record",
                           "Records of the vote log (docs/protocol/bytes.md 9): type and payload.");
    struct writer out = fresh();

    make_list(file, "vectors");
    writer_u8(&out, 1);
    header(&out, 5, 900, 3);
    record_one(file, "BLOCK without its body", true, writer_done(&out));
    fill(&out, 0x55, 3);
    record_lengths(file, "BLOCK with its body", &out);
    out = fresh();
    writer_u8(&out, 2);
    candidate(&out, &notarize);
    record_lengths(file, "NOTARIZE", &out);
    out = fresh();
    writer_u8(&out, 3);
    writer_u64(&out, 5);
    writer_u64(&out, 12);
    record_lengths(file, "NULLIFY", &out);
    out = fresh();
    writer_u8(&out, 4);
    candidate(&out, &notarize);
    certificate(&out, &notarize, 4, 0x07);
    record_lengths(file, "FINALIZE", &out);
    out = fresh();
    writer_u8(&out, 5);
    certificate(&out, &nullify, 4, 0x0d);
    record_lengths(file, "CERT", &out);
    out = fresh();
    writer_u8(&out, 6);
    writer_u64(&out, 5);
    writer_u64(&out, 11);
    record_lengths(file, "EPOCH", &out);
    out = fresh();
    writer_u8(&out, 7);
    fill(&out, 0x42, 32);
    record_lengths(file, "KEY", &out);
    memory[0] = 8;
    record_one(file, "type 8", false, bytes_of(memory, 33));
    memory[0] = 0;
    record_one(file, "type 0", false, bytes_of(memory, 33));
    record_one(file, "nothing", false, bytes_of(NULL, 0));
    make_list_end(file);
    make_close(file);
}

/* Messages. */

static void wire_one(FILE *file, const char *name, bool ok, const struct writer *out)
{
    make_object(file);
    make_text(file, "name", name);
    make_u64(file, "n", 4);
    make_text(file, "fault", ok ? "ok" : "malformed");
    make_hex(file, "hex", writer_done(out));
    make_object_end(file);
}

static void status(struct writer *out, uint32_t bitmap_bytes)
{
    writer_u8(out, 0x02);
    writer_u64(out, 5);   /* epoch */
    writer_u64(out, 14);  /* cur */
    writer_u64(out, 11);  /* final view */
    writer_u64(out, 899); /* final height */
    fill(out, 0x21, 32);
    writer_u64(out, 1);                       /* earliest height */
    writer_u64(out, UINT64_C(1790000000456)); /* wall clock */
    writer_u64(out, 0);                       /* features */
    writer_u64(out, 13);                      /* parent view of the candidate meant */
    fill(out, 0xb1, 32);
    fill(out, 0x05, bitmap_bytes);
    fill(out, 0x02, bitmap_bytes);
    writer_u64(out, 13); /* top view */
    fill(out, 0x0f, bitmap_bytes);
}

static void control_and_votes(FILE *file)
{
    struct writer out = fresh();

    status(&out, 1);
    wire_one(file, "STATUS of four validators", true, &out);
    writer_u8(&out, 0);
    wire_one(file, "STATUS with bitmaps of unequal length", false, &out);
    out = fresh();
    status(&out, 32);
    wire_one(file, "STATUS of 256 validators", true, &out);
    out = fresh();
    status(&out, 33);
    wire_one(file, "STATUS of more than there can be", false, &out);
    out = fresh();
    writer_u8(&out, 0x03);
    writer_u64(&out, UINT64_C(0x0123456789abcdef));
    wire_one(file, "PING", true, &out);
    memory[0] = 0x04;
    wire_one(file, "PONG", true, &out);
    writer_u8(&out, 0);
    wire_one(file, "PONG with a byte behind it", false, &out);
    out = fresh();
    writer_u8(&out, 0x10);
    vote(&out, &notarize, 2);
    wire_one(file, "VOTE", true, &out);
    out = fresh();
    writer_u8(&out, 0x11);
    certificate(&out, &nullify, 4, 0x07);
    wire_one(file, "CERT", true, &out);
    out = fresh();
    writer_u8(&out, 0x12);
    writer_u64(&out, 5);
    writer_u8(&out, 2);
    writer_u64(&out, 12);
    writer_u8(&out, 0);
    writer_u64(&out, 13);
    writer_u8(&out, 3);
    wire_one(file, "GET_CERTS of two views", true, &out);
    memory[9] = 3;
    wire_one(file, "GET_CERTS that says three", false, &out);
    memory[9] = 2;
    memory[18] = 4;
    wire_one(file, "GET_CERTS of kind 4", false, &out);
    memory[9] = 0;
    out.used = 10;
    wire_one(file, "GET_CERTS of nothing", false, &out);
}

static void proposal_begin(struct writer *out, uint8_t form)
{
    writer_u8(out, 0x20);
    candidate(out, &notarize);
    signature(out, &notarize, 0);
    writer_u8(out, 2);
    certificate(out, &(struct statement_of_test){1, 5, 10, 9, 0xb0}, 4, 0x07);
    certificate(out, &(struct statement_of_test){2, 5, 11, 0, 0}, 4, 0x0b);
    writer_u8(out, form);
}

static void proposals_and_blocks(FILE *file)
{
    struct writer out = fresh();

    proposal_begin(&out, 0);
    wire_one(file, "PROPOSAL of a REPEAT", true, &out);
    writer_u8(&out, 0);
    wire_one(file, "PROPOSAL of a REPEAT with a byte behind it", false, &out);
    out = fresh();
    proposal_begin(&out, 2);
    header(&out, 5, 900, 9);
    wire_one(file, "PROPOSAL of a NEW without its body", true, &out);
    writer_u32(&out, 5);
    fill(&out, 0x66, 5);
    wire_one(file, "PROPOSAL of a NEW with its body", true, &out);
    writer_u8(&out, 0);
    wire_one(file, "PROPOSAL with a body too long", false, &out);
    out.used -= 2;
    wire_one(file, "PROPOSAL with a body too short", false, &out);
    out = fresh();
    proposal_begin(&out, 1);
    header(&out, 5, 900, 9);
    wire_one(file, "PROPOSAL in the compact form", false, &out);
    memory[1 + 56 + 64] = 18;
    wire_one(file, "PROPOSAL with 18 certificates", false, &out);
    out = fresh();
    writer_u8(&out, 0x23);
    fill(&out, 0x77, 32);
    wire_one(file, "GET_BLOCK", true, &out);
    out = fresh();
    writer_u8(&out, 0x24);
    header(&out, 5, 900, 9);
    writer_u32(&out, 5);
    fill(&out, 0x66, 5);
    wire_one(file, "BLOCK", true, &out);
    out.used -= 1;
    wire_one(file, "BLOCK with a body too short", false, &out);
}

static void transactions(FILE *file)
{
    struct writer out = fresh();

    writer_u8(&out, 0x40);
    writer_u16(&out, 2);
    writer_u32(&out, 3);
    fill(&out, 0x31, 3);
    writer_u32(&out, 1);
    fill(&out, 0x32, 1);
    wire_one(file, "TX_PUSH of two", true, &out);
    memory[2] = 1;
    wire_one(file, "TX_PUSH that says one", false, &out);
    memory[2] = 3;
    wire_one(file, "TX_PUSH that says three", false, &out);
    out = fresh();
    writer_u8(&out, 0x41);
    writer_u16(&out, 2);
    fill(&out, 0x33, 32);
    fill(&out, 0x34, 32);
    wire_one(file, "TX_HAVE of two", true, &out);
    memory[0] = 0x42;
    wire_one(file, "TX_WANT of two", true, &out);
    memset(memory + 35, 0x33, 32);
    wire_one(file, "TX_WANT of one twice", false, &out);
    out.used -= 1;
    wire_one(file, "TX_WANT cut", false, &out);
}

static void blocks(FILE *file)
{
    struct writer out = fresh();

    writer_u8(&out, 0x50);
    writer_u32(&out, 7);
    writer_u64(&out, 900);
    writer_u16(&out, 128);
    writer_u32(&out, 1 << 20);
    wire_one(file, "GET_BLOCKS", true, &out);
    memory[14] = 129;
    wire_one(file, "GET_BLOCKS of 129", false, &out);
    memory[14] = 1;
    memset(memory + 15, 0, 4);
    wire_one(file, "GET_BLOCKS of no bytes", false, &out);

    out = fresh();
    writer_u8(&out, 0x51);
    writer_u32(&out, 7);
    writer_u8(&out, 1);
    wire_one(file, "BLOCKS not held", true, &out);
    memory[5] = 3;
    wire_one(file, "BLOCKS of result 3", false, &out);
    out.used = 5;
    writer_u8(&out, 0);
    writer_u64(&out, 900); /* from */
    writer_u16(&out, 2);   /* blocks */
    writer_u16(&out, 1);   /* headers above them */
    header(&out, 5, 900, 5);
    writer_u32(&out, 1);
    fill(&out, 0x66, 1);
    header(&out, 5, 901, 0);
    header(&out, 5, 902, 77);
    certificate(&out, &finalize, 4, 0x07);
    wire_one(file, "BLOCKS: two and a header", true, &out);
    memory[15] = 1;
    wire_one(file, "BLOCKS that says one", false, &out);
    memory[15] = 0;
    wire_one(file, "BLOCKS that says none", false, &out);
}

static void member(struct writer *out, uint32_t index)
{
    fill(out, (uint8_t)(0x10 + index), 32); /* consensus key: ascending, and no key of anybody */
    fill(out, (uint8_t)(0x60 + index), 32);
    fill(out, (uint8_t)(0xa0 + index), 32);
    writer_u16(out, 1);
}

static void epochs(FILE *file)
{
    struct writer out = fresh();

    writer_u8(&out, 0x52);
    writer_u32(&out, 8);
    writer_u64(&out, 0);
    writer_u8(&out, 16);
    wire_one(file, "GET_EPOCHS", true, &out);
    memory[13] = 17;
    wire_one(file, "GET_EPOCHS of 17", false, &out);

    out = fresh();
    writer_u8(&out, 0x53);
    writer_u32(&out, 8);
    writer_u8(&out, 0);
    writer_u8(&out, 2);
    header(&out, 0, 0, 0);
    writer_u16(&out, 4);
    for (uint32_t i = 0; i < 4; i++) {
        member(&out, i);
    }
    header(&out, 1, 50, 0);
    certificate(&out, &finalize, 4, 0x07);
    writer_u16(&out, 5);
    for (uint32_t i = 0; i < 5; i++) {
        member(&out, i);
    }
    wire_one(file, "EPOCHS 0 and 1", true, &out);
    memory[out.used - 1] = 2;
    wire_one(file, "EPOCHS with a weight of 2", false, &out);
    memory[out.used - 1] = 1;
    memory[6] = 1;
    wire_one(file, "EPOCHS that says one", false, &out);
    out = fresh();
    writer_u8(&out, 0x53);
    writer_u32(&out, 8);
    writer_u8(&out, 2);
    wire_one(file, "EPOCHS while busy", true, &out);
}

void make_wire(const char *folder)
{
    FILE *file = make_open(
        folder, "wire",
        "Messages between nodes (docs/protocol/bytes.md 6), as a set of n = 4 reads them; HELLO, "
        "GOODBYE and ADDRS are not here.");
    struct writer out = fresh();

    make_list(file, "vectors");
    control_and_votes(file);
    proposals_and_blocks(file);
    transactions(file);
    blocks(file);
    epochs(file);
    wire_one(file, "nothing", false, &out);
    out = fresh();
    writer_u8(&out, 0x60);
    writer_u64(&out, 1);
    wire_one(file, "an unknown type", false, &out);
    make_list_end(file);
    make_close(file);
}

#include "tests/sim/words.h"

#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "proto/vote.h"

enum { TYPE_STATUS = 0x02, TYPE_VOTE = 0x10, TYPE_CERT = 0x11, TYPE_GET_CERTS = 0x12 };
enum { TYPE_PROPOSAL = 0x20, TYPE_GET_TXS = 0x21, TYPE_TXS = 0x22 };
enum { TYPE_GET_BLOCK = 0x23, TYPE_BLOCK = 0x24, TYPE_TX_PUSH = 0x40, TYPE_TX_WANT = 0x42 };
enum { TYPE_GET_BLOCKS = 0x50, TYPE_EPOCHS = 0x53 };
enum { HEADER_BYTES = 344 };

size_t words_cert_read(struct bytes bytes, uint32_t n, struct words_cert *out)
{
    struct reader reader = reader_of(bytes);
    struct bytes bitmap;
    const uint32_t quorum = n - (n - 1) / 3;

    *out = (struct words_cert){0};
    out->kind = reader_u8(&reader);
    out->epoch = reader_u64(&reader);
    out->view = reader_u64(&reader);
    out->parent_view = reader_u64(&reader);
    out->block = reader_take(&reader, HASH_BYTES).at;
    out->n = reader_u16(&reader);
    if (out->n != n) {
        return 0;
    }
    bitmap = reader_take(&reader, (n + 7) / 8);
    for (uint32_t i = 0; i < bitmap.count * 8 && i < 32; i++) {
        if ((bitmap.at[i / 8] >> i % 8 & 1) != 0) {
            out->signers |= UINT32_C(1) << i;
            out->signer_count += 1;
        }
    }
    if (out->signer_count != quorum || out->signers >> n != 0) {
        return 0;
    }
    out->signatures = reader_take(&reader, (size_t)quorum * SIGNATURE_BYTES).at;
    return reader.failed ? 0 : bytes.count - reader.left.count;
}

void words_statement(const uint8_t *chain_id, uint8_t kind, const struct words_cert *of,
                     uint8_t out[STATEMENT_BYTES])
{
    struct writer writer = writer_of(out, STATEMENT_BYTES);

    writer_bytes(&writer, "SXV1", 4);
    writer_u8(&writer, kind);
    writer_bytes(&writer, chain_id, HASH_BYTES);
    writer_u64(&writer, of->epoch);
    writer_u64(&writer, of->view);
    writer_u64(&writer, of->parent_view);
    writer_bytes(&writer, of->block, HASH_BYTES);
}

static void read_vote(struct reader *reader, struct words *out)
{
    static const enum sim_what names[] = {SIM_OTHER, SIM_NOTARIZE, SIM_NULLIFY, SIM_FINALIZE};

    out->kind = reader_u8(reader);
    out->epoch = reader_u64(reader);
    out->view = reader_u64(reader);
    out->parent_view = reader_u64(reader);
    out->block = reader_take(reader, HASH_BYTES).at;
    out->index = reader_u16(reader);
    out->signature = reader_take(reader, SIGNATURE_BYTES).at;
    out->whole = reader_done(reader);
    out->what = out->kind <= 3 ? names[out->kind] : SIM_OTHER;
}

static void read_cert(struct reader *reader, uint32_t n, struct words *out)
{
    static const enum sim_what names[] = {SIM_OTHER, SIM_CERT_NOTARIZE, SIM_CERT_NULLIFY,
                                          SIM_CERT_FINALIZE};
    const size_t length = words_cert_read(reader->left, n, &out->certs[0]);

    out->kind = out->certs[0].kind;
    out->epoch = out->certs[0].epoch;
    out->view = out->certs[0].view;
    out->parent_view = out->certs[0].parent_view;
    out->block = out->certs[0].block;
    out->cert_count = 1;
    out->whole = length != 0 && length == reader->left.count;
    out->what = out->kind <= 3 ? names[out->kind] : SIM_OTHER;
}

static void read_proposal(struct reader *reader, uint32_t n, struct words *out)
{
    uint32_t count;
    uint8_t form;

    out->kind = VOTE_NOTARIZE;
    out->epoch = reader_u64(reader);
    out->view = reader_u64(reader);
    out->parent_view = reader_u64(reader);
    out->block = reader_take(reader, HASH_BYTES).at;
    out->signature = reader_take(reader, SIGNATURE_BYTES).at;
    count = reader_u8(reader);
    out->what = SIM_PROPOSE;
    for (uint32_t i = 0; i < count; i++) {
        size_t length;

        if (i == JUSTIFICATION_MAX || reader->failed) {
            return;
        }
        length = words_cert_read(reader->left, n, &out->certs[i]);
        if (length == 0) {
            return;
        }
        (void)reader_take(reader, length);
        out->cert_count = i + 1;
    }
    form = reader_u8(reader);
    if (form == 0) {
        out->what = SIM_REPEAT;
        out->whole = reader_done(reader);
        return;
    }
    out->header = reader_take(reader, HEADER_BYTES).at;
    if (reader->failed) {
        out->header = NULL;
        return;
    }
    out->body = reader->left;
    out->whole = true;
}

void words_read(struct bytes message, uint32_t n, struct words *out)
{
    struct reader reader = reader_of(message);
    const uint8_t type = reader_u8(&reader);

    memset(out, 0, offsetof(struct words, certs));
    out->cert_count = 0;
    out->header = NULL;
    out->body = bytes_of(NULL, 0);
    out->what = SIM_OTHER;
    if (type == TYPE_VOTE) {
        read_vote(&reader, out);
    } else if (type == TYPE_CERT) {
        read_cert(&reader, n, out);
    } else if (type == TYPE_PROPOSAL) {
        read_proposal(&reader, n, out);
    } else if (type == TYPE_STATUS) {
        out->what = SIM_STATUS;
    } else if (type == TYPE_GET_CERTS) {
        out->what = SIM_GET_CERTS;
    } else if (type == TYPE_GET_BLOCK) {
        out->what = SIM_GET_BLOCK;
    } else if (type == TYPE_BLOCK) {
        out->what = SIM_BLOCK;
    } else if ((type >= TYPE_TX_PUSH && type <= TYPE_TX_WANT) || type == TYPE_GET_TXS ||
               type == TYPE_TXS) {
        out->what = SIM_TX;
    } else if (type >= TYPE_GET_BLOCKS && type <= TYPE_EPOCHS) {
        out->what = SIM_SYNC;
    }
}

static uint64_t number_at(const uint8_t *at)
{
    struct reader reader = reader_of(bytes_of(at, 8));

    return reader_u64(&reader);
}

uint64_t words_header_view(const uint8_t *header)
{
    return number_at(header + 44);
}

uint64_t words_header_height(const uint8_t *header)
{
    return number_at(header + 52);
}

const uint8_t *words_header_parent(const uint8_t *header)
{
    return header + 72;
}

const char *words_name(enum sim_what what)
{
    static const char *const names[] = {
        "notarize",      "nullify", "finalize", "cert notarize", "cert nullify",
        "cert finalize", "propose", "repeat",   "status",        "get certs",
        "get block",     "block",   "tx",       "sync",          "other"};

    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (what == (enum sim_what)(1U << i)) {
            return names[i];
        }
    }
    return "something";
}

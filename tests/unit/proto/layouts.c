/* tests/unit/proto/layouts.c -- header.json, vote.json, record.json and wire.json, which were written by hand from the page. */
#include <string.h>

#include "base/count.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "proto/block.h"
#include "proto/record.h"
#include "proto/vote.h"
#include "tests/check.h"
#include "tests/json.h"
#include "tests/wire_again.h"

static uint8_t memory[1 << 17];
static uint8_t chain_id[HASH_BYTES];

static bool expected_ok(const json_t *vector)
{
    return strcmp(json_text(vector, "fault"), "ok") == 0;
}

static void same_fault(const json_t *vector, const char *fault)
{
    if (strcmp(json_text(vector, "fault"), fault) != 0) {
        check_failed(__FILE__, __LINE__, "%s: %s, not %s", json_text(vector, "name"), fault,
                     json_text(vector, "fault"));
    }
}

TEST(headers)
{
    json_t *file = json_own("header.json");
    const json_t *vector;
    size_t i;

    json_array_foreach (json_list(file, "vectors"), i, vector) {
        const struct bytes bytes = json_bytes(vector, "hex");
        struct block_header header;
        uint8_t hash[HASH_BYTES];

        same_fault(vector, block_header_decode(bytes, &header) ? "ok" : "malformed");
        if (expected_ok(vector)) {
            block_header_encode(&header, memory);
            CHECK_BYTES(bytes_of(memory, BLOCK_HEADER_BYTES), bytes);
            block_header_hash(&header, hash);
            CHECK_BYTES(bytes_of(hash, sizeof hash), json_bytes(vector, "block_hash"));
        }
    }
    json_decref(file);
}

/* The first header, field by field as the generator gave them. */
TEST(header_fields)
{
    json_t *file = json_own("header.json");
    const json_t *vector = json_array_get(json_list(file, "vectors"), 0);
    struct block_header header;

    CHECK(block_header_decode(json_bytes(vector, "hex"), &header));
    CHECK_U64(header.flags, ==, BLOCK_SCHED);
    CHECK_U64(header.chain_id[31], ==, 0xc1);
    CHECK_U64(header.epoch, ==, 5);
    CHECK_U64(header.view, ==, 903);
    CHECK_U64(header.height, ==, 900);
    CHECK_U64(header.time_ms, ==, 1790000000123);
    CHECK_U64(header.proposer, ==, 2);
    CHECK_U64(header.parent_hash[0], ==, 0x11);
    CHECK_U64(header.txs_root[0], ==, 0x12);
    CHECK_U64(header.receipts_root[0], ==, 0x13);
    CHECK_U64(header.state_root[0], ==, 0x14);
    CHECK_U64(header.valset_hash[0], ==, 0x15);
    CHECK(hash_is_zero(header.next_valset_hash));
    CHECK_U64(header.history_root[0], ==, 0x17);
    CHECK_U64(header.params_hash[0], ==, 0x18);
    CHECK_U64(header.tx_count, ==, 1);
    CHECK_U64(header.tx_bytes, ==, 77);
    CHECK_U64(header.units_used, ==, 54321);
    json_decref(file);
}

static const uint8_t *key_of(const json_t *file, uint32_t index)
{
    return json_exact(json_array_get(json_list(file, "keys"), index), "public_key", 32);
}

static void vote_is(const json_t *file, const json_t *vector, const struct vote *vote)
{
    const struct statement *statement = &vote->statement;
    uint8_t bytes[STATEMENT_BYTES];

    CHECK_U64(statement->kind, ==, json_u64(vector, "kind"));
    CHECK_U64(statement->candidate.epoch, ==, json_u64(vector, "epoch"));
    CHECK_U64(statement->candidate.view, ==, json_u64(vector, "view"));
    CHECK_U64(statement->candidate.parent_view, ==, json_u64(vector, "parent_view"));
    CHECK_BYTES(bytes_of(statement->candidate.block_hash, 32), json_bytes(vector, "block_hash"));
    CHECK_U64(vote->index, ==, json_u64(vector, "index"));
    statement_sign_bytes(chain_id, statement, bytes);
    CHECK_BYTES(bytes_of(bytes, sizeof bytes), json_bytes(vector, "sign_bytes"));
    CHECK(
        ed25519_verify(key_of(file, vote->index), bytes_of(bytes, sizeof bytes), vote->signature));
}

TEST(votes)
{
    json_t *file = json_own("vote.json");
    const json_t *vector;
    size_t i;

    memset(chain_id, 0xc1, sizeof chain_id);
    json_array_foreach (json_list(file, "votes"), i, vector) {
        const struct bytes bytes = json_bytes(vector, "hex");
        struct reader reader = reader_of(bytes);
        struct writer writer = writer_of(memory, sizeof memory);
        struct vote vote;

        same_fault(vector, vote_read(&reader, &vote) && reader_done(&reader) ? "ok" : "malformed");
        if (expected_ok(vector)) {
            vote_is(file, vector, &vote);
            vote_write(&writer, &vote);
            CHECK_BYTES(writer_done(&writer), bytes);
        }
    }
    json_decref(file);
}

/* Do all signatures of a certificate hold?  Found by walking the bits, in order of index. */
static bool signatures_hold(const json_t *file, const struct certificate *certificate)
{
    uint8_t bytes[STATEMENT_BYTES];
    size_t taken = 0;

    statement_sign_bytes(chain_id, &certificate->statement, bytes);
    for (uint32_t i = 0; i < certificate->count; i++) {
        if (bitmap_has(certificate->bitmap, i)) {
            if (!ed25519_verify(key_of(file, i), bytes_of(bytes, sizeof bytes),
                                certificate->signatures.at + taken)) {
                return false;
            }
            taken += SIGNATURE_BYTES;
        }
    }
    return taken == certificate->signatures.count;
}

/* Made again from its parts it is the same. */
static void made_again(const struct certificate *certificate)
{
    const uint8_t *signatures[VALIDATORS_MAX] = {NULL};
    struct certificate again;
    size_t taken = 0;

    for (uint32_t i = 0; i < certificate->count; i++) {
        if (bitmap_has(certificate->bitmap, i)) {
            signatures[i] = certificate->signatures.at + taken;
            taken += SIGNATURE_BYTES;
        }
    }
    certificate_make(&certificate->statement, certificate->count, signatures, memory, &again);
    CHECK_BYTES(again.encoded, certificate->encoded);
}

TEST(certificates)
{
    json_t *file = json_own("vote.json");
    const json_t *vector;
    size_t i;

    memset(chain_id, 0xc1, sizeof chain_id);
    json_array_foreach (json_list(file, "certificates"), i, vector) {
        const struct bytes bytes = json_bytes(vector, "hex");
        struct certificate certificate;

        if (!certificate_decode(bytes, (uint16_t)json_u64(vector, "n"), &certificate)) {
            same_fault(vector, "malformed");
        } else {
            same_fault(vector, signatures_hold(file, &certificate) ? "ok" : "signature");
            CHECK_BYTES(certificate.encoded, bytes);
            made_again(&certificate);
        }
    }
    json_decref(file);
}

TEST(records)
{
    json_t *file = json_own("record.json");
    bool seen[RECORD_KEY + 1] = {true};
    const json_t *vector;
    size_t i;

    json_array_foreach (json_list(file, "vectors"), i, vector) {
        const struct bytes bytes = json_bytes(vector, "hex");
        struct writer writer = writer_of(memory, sizeof memory);
        struct record record;
        const bool ok = record_decode(bytes, (uint16_t)json_u64(vector, "n"), &record);

        same_fault(vector, ok ? "ok" : "malformed");
        if (ok) {
            record_write(&writer, &record);
            writer_view(&writer, record.body);
            CHECK_BYTES(writer_done(&writer), bytes);
            seen[record.type] = true;
        }
    }
    for (i = 0; i < COUNT_OF(seen); i++) {
        CHECK(seen[i]);
    }
    json_decref(file);
}

TEST(messages)
{
    json_t *file = json_own("wire.json");
    bool seen[256] = {false};
    const json_t *vector;
    size_t i;

    json_array_foreach (json_list(file, "vectors"), i, vector) {
        const struct bytes bytes = json_bytes(vector, "hex");
        struct writer writer = writer_of(memory, sizeof memory);
        const bool ok = wire_again(bytes, (uint16_t)json_u64(vector, "n"), &writer);

        same_fault(vector, ok ? "ok" : "malformed");
        if (ok) {
            CHECK_BYTES(writer_done(&writer), bytes);
            seen[bytes.at[0]] = true;
        }
    }
    for (uint32_t type = 0; type < 256; type++) {
        const bool elsewhere = type == WIRE_HELLO || type == WIRE_GOODBYE || type == WIRE_ADDRS ||
                               type == WIRE_GET_TXS ||
                               type == WIRE_TXS; /* the last two: not spoken yet */

        CHECK(seen[type] == (wire_channel((uint8_t)type) != WIRE_CHANNEL_NONE && !elsewhere));
    }
    json_decref(file);
}

TESTS(TEST_ENTRY(headers), TEST_ENTRY(header_fields), TEST_ENTRY(votes), TEST_ENTRY(certificates),
      TEST_ENTRY(records), TEST_ENTRY(messages))

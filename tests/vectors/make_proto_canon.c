/* tests/vectors/make_canon.c -- canon.json: canonical messages, and one or more of each kind of wrong, written by hand. */
#include <string.h>

#include "base/count.h"
#include "base/err.h"
#include "base/hex.h"
#include "proto/messages.h"
#include "testing.pb-c.h"
#include "tests/vectors/make_proto.h"

struct example {
    const char *type; /* behind "artel." */
    const char *fault;
    const char *name;
    const char *hex; /* spaces are for the reader */
};

#define EVERYTHING "testing.v1.Everything"
#define AT_LEAST   "testing.v1.AtLeast"
#define DEEP       "testing.v1.Deep"
#define NOTHING    "testing.v1.Nothing"

static const struct example examples[] = {
    /* canonical */
    {EVERYTHING, "ok", "no field", ""},
    {NOTHING, "ok", "a message without fields", ""},
    {EVERYTHING, "ok", "a number of one byte", "08 01"},
    {EVERYTHING, "ok", "the largest uint32", "08 ffffffff0f"},
    {EVERYTHING, "ok", "the largest uint64", "10 ffffffffffffffffff01"},
    {EVERYTHING, "ok", "the largest int64", "18 ffffffffffffffff7f"},
    {EVERYTHING, "ok", "-1 has ten bytes", "18 ffffffffffffffffff01"},
    {EVERYTHING, "ok", "the smallest int64", "18 80808080808080808001"},
    {EVERYTHING, "ok", "true", "20 01"},
    {EVERYTHING, "ok", "an enum value of two bytes", "28 ac02"},
    {EVERYTHING, "ok", "text of one to four bytes a character", "32 0a 61 c3a9 e282ac f09f9880"},
    {EVERYTHING, "ok", "the highest character", "32 04 f48fbfbf"},
    {EVERYTHING, "ok", "characters beside the surrogates", "32 06 ed9fbf ee8080"},
    {EVERYTHING, "ok", "text of the longest length", "32 0c 6162636465666768696a6b6c"},
    {EVERYTHING, "ok", "bytes of the longest length", "3a 04 00000000"},
    {EVERYTHING, "ok", "bytes of the fixed length", "42 04 01020304"},
    {EVERYTHING, "ok", "an empty message that is there", "4a 00"},
    {EVERYTHING, "ok", "a message with fields", "4a 08 08 05 12 04 01020304"},
    {EVERYTHING, "ok", "a packed list with a zero", "52 04 00 01 8001"},
    {EVERYTHING, "ok", "a packed list of the longest length", "52 04 01020304"},
    {EVERYTHING, "ok", "packed numbers of 64 bits", "5a 0b 00 ffffffffffffffffff01"},
    {EVERYTHING, "ok", "packed signed numbers", "62 0b 00 ffffffffffffffffff01"},
    {EVERYTHING, "ok", "packed truth values, false among them", "6a 03 010001"},
    {EVERYTHING, "ok", "packed enum values, the unspecified among them", "72 04 00 01 ac02"},
    {EVERYTHING, "ok", "a list of texts, an empty one among them", "7a 01 61 7a 00 7a 01 61"},
    {EVERYTHING, "ok", "a list of bytes, an empty one among them", "8201 00 8201 01 00"},
    {EVERYTHING, "ok", "a list of digests", "8a01 04 01020304 8a01 04 00000000"},
    {EVERYTHING, "ok", "a list of messages", "9201 00 9201 02 0801"},
    {EVERYTHING, "ok", "a zero in a oneof", "a001 00"},
    {EVERYTHING, "ok", "false in a oneof", "a801 00"},
    {EVERYTHING, "ok", "the unspecified value in a oneof", "b001 00"},
    {EVERYTHING, "ok", "an empty text in a oneof", "ba01 00"},
    {EVERYTHING, "ok", "a digest in a oneof", "c201 04 00000000"},
    {EVERYTHING, "ok", "an empty message in a oneof", "ca01 00"},
    {EVERYTHING, "ok", "a zero in a oneof of one member", "d001 00"},
    {EVERYTHING, "ok", "a member of each oneof", "a001 07 d001 00"},
    {EVERYTHING, "ok", "a tag of three bytes", "c0b802 01"},
    {EVERYTHING, "ok", "fields ascending", "08 01 10 02 18 03 20 01 28 01 c0b802 01"},
    {AT_LEAST, "ok", "two entries where two are asked for", "0a 02 0102 1a 00"},
    {DEEP, "ok", "eight messages deep",
     "0801 12 1a 0801 12 16 0801 12 12 0801 12 0e 0801 12 0a 0801 12 06 0801 12 02 0801"},

    /* cut short */
    {EVERYTHING, "cut", "a tag and no value", "08"},
    {EVERYTHING, "cut", "half a tag", "c0b8"},
    {EVERYTHING, "cut", "half a number", "08 80"},
    {EVERYTHING, "cut", "no length", "32"},
    {EVERYTHING, "cut", "half a length", "32 80"},
    {EVERYTHING, "cut", "a text shorter than its length", "32 02 61"},
    {EVERYTHING, "cut", "a message shorter than its length", "4a 03 08 05"},
    {EVERYTHING, "cut", "a field that ends behind its message", "4a 01 08 05"},
    {EVERYTHING, "cut", "bytes that end behind their message", "4a 02 12 04 01020304"},
    {EVERYTHING, "cut", "a packed number that ends behind its list", "52 01 80 01"},
    {EVERYTHING, "cut", "a length near 2^64", "32 ffffffffffffffffff01 61"},
    {EVERYTHING, "cut", "a length of 2^32", "3a 8080808010"},

    /* unknown fields */
    {EVERYTHING, "unknown", "a number without field", "98 01 01"},
    {EVERYTHING, "unknown", "behind the last field", "08 01 c8b802 01"},
    {EVERYTHING, "unknown", "the field number 0", "00 01"},
    {EVERYTHING, "unknown", "inside a message", "4a 02 18 01"},
    {EVERYTHING, "unknown", "inside a message of a list", "9201 02 18 01"},
    {EVERYTHING, "unknown", "an unknown group", "9b01 9c01"},
    {EVERYTHING, "unknown", "the highest field number", "f8ffffff0f 01"},
    {NOTHING, "unknown", "any field of a message without fields", "08 01"},

    /* order */
    {EVERYTHING, "order", "descending", "10 01 08 01"},
    {EVERYTHING, "order", "a single field twice", "08 01 08 02"},
    {EVERYTHING, "order", "a single message twice", "4a 00 4a 00"},
    {EVERYTHING, "order", "a list in two pieces", "7a 01 61 8201 00 7a 01 61"},
    {EVERYTHING, "order", "a packed list in two pieces", "52 01 01 52 01 02"},
    {EVERYTHING, "order", "two members of a oneof", "a001 01 a801 01"},
    {EVERYTHING, "order", "the same member twice", "a001 01 a001 01"},
    {EVERYTHING, "order", "descending inside a message", "4a 08 12 04 01020304 08 05"},
    {EVERYTHING, "order", "the first field behind a far one", "c0b802 01 08 01"},

    /* wire types */
    {EVERYTHING, "wire_type", "a number as bytes", "0a 01 01"},
    {EVERYTHING, "wire_type", "a number as fixed32", "0d 01000000"},
    {EVERYTHING, "wire_type", "a number as fixed64", "11 0100000000000000"},
    {EVERYTHING, "wire_type", "text as a number", "30 01"},
    {EVERYTHING, "wire_type", "a message as a group", "4b 4c"},
    {EVERYTHING, "wire_type", "the end of a group", "4c"},
    {EVERYTHING, "wire_type", "wire type 6", "0e 01"},
    {EVERYTHING, "wire_type", "wire type 7", "0f 01"},
    {EVERYTHING, "wire_type", "a list of numbers not packed", "50 01 50 02"},
    {EVERYTHING, "wire_type", "truth values not packed", "68 01"},

    /* varints */
    {EVERYTHING, "varint", "a number of two bytes that needs one", "08 8100"},
    {EVERYTHING, "varint", "zero in two bytes", "08 8000"},
    {EVERYTHING, "varint", "a tag of two bytes that needs one", "8800 01"},
    {EVERYTHING, "varint", "a length of two bytes that needs one", "32 8100 61"},
    {EVERYTHING, "varint", "a packed number of two bytes that needs one", "52 02 8100"},
    {EVERYTHING, "varint", "a uint32 of 2^32", "08 8080808010"},
    {EVERYTHING, "varint", "a uint32 with all of 64 bits", "08 ffffffffffffffffff01"},
    {EVERYTHING, "varint", "a packed uint32 of 2^32", "52 05 8080808010"},
    {EVERYTHING, "varint", "an enum of 2^32 + 1", "28 8180808010"},
    {EVERYTHING, "varint", "a negative enum", "28 ffffffffffffffffff01"},
    {EVERYTHING, "varint", "a number of 65 bits", "10 ffffffffffffffffff02"},
    {EVERYTHING, "varint", "ten bytes that need nine", "10 ffffffffffffffffff00"},
    {EVERYTHING, "varint", "eleven bytes", "10 8080808080808080808001"},
    {EVERYTHING, "varint", "a tag beyond 32 bits", "8880808010 01"},

    /* defaults written out */
    {EVERYTHING, "default", "zero", "08 00"},
    {EVERYTHING, "default", "zero of 64 bits", "10 00"},
    {EVERYTHING, "default", "a signed zero", "18 00"},
    {EVERYTHING, "default", "false", "20 00"},
    {EVERYTHING, "default", "the unspecified enum value", "28 00"},
    {EVERYTHING, "default", "an empty text", "32 00"},
    {EVERYTHING, "default", "empty bytes", "3a 00"},
    {EVERYTHING, "default", "an empty digest", "42 00"},
    {EVERYTHING, "default", "an empty packed list", "52 00"},
    {EVERYTHING, "default", "zero inside a message", "4a 02 08 00"},
    {EVERYTHING, "default", "zero inside a oneof's message", "ca01 02 08 00"},

    /* enum values */
    {EVERYTHING, "enum", "a value that is not there", "28 03"},
    {EVERYTHING, "enum", "a value between two that are", "28 ab02"},
    {EVERYTHING, "enum", "a value in a list", "72 02 01 05"},
    {EVERYTHING, "enum", "a value in a oneof", "b001 04"},
    {EVERYTHING, "enum", "a negative value in 32 bits", "28 ffffffff0f"},

    /* truth values */
    {EVERYTHING, "bool", "2", "20 02"},
    {EVERYTHING, "bool", "2 in a list", "6a 02 01 02"},
    {EVERYTHING, "bool", "2 in a oneof", "a801 02"},
    {EVERYTHING, "bool", "2^63", "20 80808080808080808001"},

    /* text */
    {EVERYTHING, "utf8", "a byte that begins nothing", "32 01 80"},
    {EVERYTHING, "utf8", "a byte that is never used", "32 02 61 ff"},
    {EVERYTHING, "utf8", "half a character", "32 01 c3"},
    {EVERYTHING, "utf8", "a character of three bytes cut", "32 02 e282"},
    {EVERYTHING, "utf8", "a second byte that is none", "32 02 c361"},
    {EVERYTHING, "utf8", "a third byte that is none", "32 03 e28261"},
    {EVERYTHING, "utf8", "two bytes that need one", "32 02 c1a1"},
    {EVERYTHING, "utf8", "three bytes that need two", "32 03 e08080"},
    {EVERYTHING, "utf8", "four bytes that need three", "32 04 f0808080"},
    {EVERYTHING, "utf8", "a surrogate", "32 03 eda080"},
    {EVERYTHING, "utf8", "above the highest character", "32 04 f4908080"},
    {EVERYTHING, "utf8", "a first byte of four that is too high", "32 04 f5808080"},
    {EVERYTHING, "utf8", "a zero", "32 03 610062"},
    {EVERYTHING, "utf8", "in a list", "7a 01 61 7a 01 ff"},
    {EVERYTHING, "utf8", "in a oneof", "ba01 01 ff"},

    /* lengths */
    {EVERYTHING, "size", "a text too long", "32 0d 6162636465666768696a6b6c6d"},
    {EVERYTHING, "size", "bytes too long", "3a 05 0000000000"},
    {EVERYTHING, "size", "a digest too short", "42 03 010203"},
    {EVERYTHING, "size", "a digest too long", "42 05 0102030405"},
    {EVERYTHING, "size", "a text of a list too long", "7a 0d 6162636465666768696a6b6c6d"},
    {EVERYTHING, "size", "an empty digest in a list", "8a01 00"},
    {EVERYTHING, "size", "an empty digest in a oneof", "c201 00"},
    {EVERYTHING, "size", "a digest inside a message", "4a 03 12 01 01"},

    /* counts */
    {EVERYTHING, "count", "a packed list too long", "52 05 0102030405"},
    {EVERYTHING, "count", "too many texts", "7a 00 7a 00 7a 00 7a 00"},
    {EVERYTHING, "count", "too many messages", "9201 00 9201 00 9201 00"},
    {AT_LEAST, "count", "nothing of what must be there", ""},
    {AT_LEAST, "count", "one entry where two are asked for", "0a 01 01 1a 00"},
    {AT_LEAST, "count", "too few before another field", "10 01 1a 00"},
    {AT_LEAST, "count", "a list of messages missing at the end", "0a 02 0102"},
    {AT_LEAST, "count", "a list of messages missing before another field", "0a 02 0102 20 01"},
    {AT_LEAST, "count", "more than three", "0a 04 01020304 1a 00"},

    /* depth */
    {DEEP, "depth", "nine messages deep", "12 0e 12 0c 12 0a 12 08 12 06 12 04 12 02 12 00"},

    /* messages of the chain, so that their options are held too */
    {"chain.v1.Tx", "count", "a transaction without signature", "0a 02 0801"},
    {"chain.v1.TxBody", "count", "a body without action", "18 01"},
    {"chain.v1.Note", "ok", "a note", "0a 01 61 10 ffffffffffffffffff01"},
    {"chain.v1.Signature", "size", "a signature of three bytes", "1a 03 010203"},
    {"accounts.v1.AccountCreate", "count", "an account without key", "08 01"},
    {"membership.v1.AdmissionDecide", "ok", "a decision", "08 01 18 01"},
    {"membership.v1.AdmissionDecide", "bool", "a decision of 2", "08 01 18 02"},
};

static size_t unspaced(const char *hex, char *out)
{
    size_t count = 0;

    for (size_t i = 0; hex[i] != '\0'; i++) {
        if (hex[i] != ' ') {
            out[count] = hex[i];
            count += 1;
        }
    }
    out[count] = '\0';
    return count / 2;
}

static void one(FILE *file, const struct example *example, struct bytes bytes, uint64_t zeros)
{
    char type[64];

    (void)snprintf(type, sizeof type, "artel.%s", example->type);
    make_object(file);
    make_text(file, "name", example->name);
    make_text(file, "type", type);
    make_text(file, "fault", example->fault);
    make_hex(file, "hex", bytes);
    if (zeros != 0) {
        make_u64(file, "zeros", zeros);
    }
    make_object_end(file);
}

/* Bytes of the length that a field without option may have, and one more. */
static void longest(FILE *file)
{
    const struct example good = {EVERYTHING, "ok", "64 KiB where no option stands", NULL};
    const struct example bad = {EVERYTHING, "size", "a byte beyond 64 KiB", NULL};

    one(file, &good, bytes_of("\xda\x01\x80\x80\x04", 5), 65536);
    one(file, &bad, bytes_of("\xda\x01\x81\x80\x04", 5), 65537);
}

/* As many entries as a list without option may have, and one more. */
static void most(FILE *file)
{
    uint8_t bytes[2 + 65] = {0x5a, 64};
    const struct example good = {EVERYTHING, "ok", "64 entries where no option stands", NULL};
    const struct example bad = {EVERYTHING, "count", "an entry beyond 64", NULL};

    one(file, &good, bytes_of(bytes, 2 + 64), 0);
    bytes[1] = 65;
    one(file, &bad, bytes_of(bytes, 2 + 65), 0);
}

/* Every field at once, as protobuf-c itself packs it. */
static void packed(FILE *file)
{
    static uint8_t memory[1024];
    uint8_t digest[4] = {1, 2, 3, 4};
    uint32_t smalls[] = {0, UINT32_MAX};
    uint64_t larges[] = {0, UINT64_MAX};
    int64_t signeds[] = {INT64_MIN, 0, INT64_MAX};
    protobuf_c_boolean flags[] = {0, 1};
    Testing__Everything__Kind kinds[] = {0, TESTING__EVERYTHING__KIND__FAR};
    const char *texts[] = {"", "\xd0\xb4\xd0\xb0"};
    ProtobufCBinaryData datas[] = {{.len = 4, .data = digest}, {.len = 0}};
    Testing__Everything__Part parts[2] = {TESTING__EVERYTHING__PART__INIT,
                                          TESTING__EVERYTHING__PART__INIT};
    Testing__Everything__Part *part_list[2] = {&parts[0], &parts[1]};
    Testing__Everything all = TESTING__EVERYTHING__INIT;
    const struct example example = {EVERYTHING, "ok", "every field", NULL};
    size_t count;

    parts[1].number = 7;
    parts[1].digest = datas[0];
    all.small = 1;
    all.large = UINT64_MAX;
    all.signed_ = -2;
    all.flag = 1;
    all.kind = TESTING__EVERYTHING__KIND__TWO;
    all.text = "text";
    all.data = (ProtobufCBinaryData){.len = 1, .data = digest};
    all.digest = datas[0];
    all.part = &parts[1];
    all.n_smalls = COUNT_OF(smalls), all.smalls = smalls;
    all.n_larges = COUNT_OF(larges), all.larges = larges;
    all.n_signeds = COUNT_OF(signeds), all.signeds = signeds;
    all.n_flags = COUNT_OF(flags), all.flags = flags;
    all.n_kinds = COUNT_OF(kinds), all.kinds = kinds;
    all.n_texts = COUNT_OF(texts), all.texts = texts;
    all.n_datas = COUNT_OF(datas), all.datas = datas;
    all.n_digests = 1, all.digests = datas;
    all.n_parts = COUNT_OF(part_list), all.parts = part_list;
    all.choice_case = TESTING__EVERYTHING__CHOICE_CHOSEN_PART;
    all.chosen_part = &parts[0];
    all.maybe_case = TESTING__EVERYTHING__MAYBE_LIMIT;
    all.limit = -1;
    all.far = 9;
    INVARIANT(protobuf_c_message_get_packed_size(&all.base) <= sizeof memory);
    count = protobuf_c_message_pack(&all.base, memory);
    one(file, &example, bytes_of(memory, count), 0);
}

void make_canon(const char *folder)
{
    FILE *file = make_open(folder, "canon",
                           "Is a message canonical (docs/protocol/bytes.md 3)?  `fault` is `ok` or "
                           "the first wrong; `zeros` zero bytes follow the hex; types of "
                           "artel.testing.v1 stand in tests/schema/testing.proto.");

    make_list(file, "vectors");
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        char hex[512];
        uint8_t bytes[256];
        size_t count;

        INVARIANT(strlen(examples[i].hex) < sizeof hex);
        count = unspaced(examples[i].hex, hex);
        INVARIANT(hex_decode(hex, bytes, count));
        one(file, &examples[i], bytes_of(bytes, count), 0);
    }
    packed(file);
    longest(file);
    most(file);
    make_list_end(file);
    make_close(file);
}

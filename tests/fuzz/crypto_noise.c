/*
 * tests/fuzz/crypto_noise.c -- two sides and a wire that does what the input says.
 *
 * For each of the three messages: u8 size of the payload, u8 what happens (0 nothing, 1 a byte changed, 2 cut,
 * 3 replaced by bytes of the input, 4 followed by bytes of the input), then what that needs.  After them, records: u8 what
 * happens and a size.  The oracle: whoever takes what the other did not send is wrong, and if the responder
 * finishes, nothing at all was changed and both have the same hash and keys.
 */
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/reader.h"
#include "crypto/noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAYLOAD_MAX = 255, RECORDS_MAX = 64, WIRE_MAX = 1024 };

struct wire {
    uint8_t at[WIRE_MAX];
    size_t count;
    bool changed;
};

/* Do to the wire what the input says; `changed` tells whether it is another message now. */
static void wire_treat(struct wire *wire, struct reader *input)
{
    const uint8_t what = reader_u8(input) % 5;
    uint8_t before[WIRE_MAX];
    const size_t count = wire->count;
    struct bytes other;

    memcpy(before, wire->at, count);
    if (what == 1) {
        const uint16_t place = reader_u16(input);

        wire->at[place % count] ^= reader_u8(input);
    } else if (what == 2) {
        wire->count = reader_u16(input) % (count + 1);
    } else if (what == 3) {
        other = reader_take(input, reader_u16(input) % WIRE_MAX);
        wire->count = other.count;
        if (other.count != 0) {
            memcpy(wire->at, other.at, other.count);
        }
    } else if (what == 4) {
        other = reader_take(input, reader_u8(input));
        if (other.count != 0 && count + other.count <= WIRE_MAX) {
            memcpy(wire->at + count, other.at, other.count);
            wire->count += other.count;
        }
    }
    wire->changed = wire->count != count || memcmp(before, wire->at, count) != 0;
}

struct session {
    struct noise_handshake a; /* initiator */
    struct noise_handshake b;
    bool changed; /* a message of the handshake was not what was sent */
};

static CHECKED bool step(struct session *session, uint32_t number, struct reader *input)
{
    struct noise_handshake *from = number == 1 ? &session->b : &session->a;
    struct noise_handshake *to = number == 1 ? &session->a : &session->b;
    uint8_t payload[PAYLOAD_MAX];
    uint8_t got[WIRE_MAX];
    size_t got_count = 0;
    const size_t count = reader_u8(input);
    struct wire wire;

    memset(payload, (int)number, sizeof payload);
    if (!noise_write(from, bytes_of(payload, count), wire.at, sizeof wire.at, &wire.count)) {
        INVARIANT(session->changed);
        return false;
    }
    wire_treat(&wire, input);
    session->changed = session->changed || wire.changed;
    if (!noise_read(to, bytes_of(wire.at, wire.count), got, sizeof got, &got_count)) {
        INVARIANT(session->changed);
        return false;
    }
    /* From the first sealed message on, only what was sent is taken. */
    INVARIANT(number == 0 || !session->changed);
    INVARIANT(session->changed || (got_count == count && memcmp(got, payload, count) == 0));
    return true;
}

static void records(struct noise_cipher *sends, struct noise_cipher *receives, struct reader *input)
{
    uint8_t plain[PAYLOAD_MAX];
    struct wire wire;

    for (uint32_t i = 0; i < RECORDS_MAX && input->left.count != 0; i++) {
        const size_t count = reader_u8(input);
        const uint64_t nonce = receives->nonce;

        memset(plain, (int)i, sizeof plain);
        memcpy(wire.at, plain, count);
        noise_seal(sends, bytes_of(wire.at, count), wire.at);
        wire.count = count + NOISE_TAG_BYTES;
        wire_treat(&wire, input);
        if (!noise_open(receives, bytes_of(wire.at, wire.count), wire.at)) {
            INVARIANT(wire.changed && receives->nonce == nonce);
            return;
        }
        INVARIANT(!wire.changed && receives->nonce == nonce + 1);
        INVARIANT(memcmp(wire.at, plain, count) == 0);
        if (count == PAYLOAD_MAX) {
            noise_rekey(sends);
            noise_rekey(receives);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secrets[4][NOISE_KEY_BYTES] = {{1}, {2}, {3}, {4}};
    struct reader input = reader_of(bytes_of(data, size));
    struct session session = {.changed = false};
    struct noise_cipher a[2]; /* sends, receives */
    struct noise_cipher b[2];

    noise_begin(&session.a, true, bytes_of("fuzz", 4), secrets[0], secrets[1]);
    noise_begin(&session.b, false, bytes_of("fuzz", 4), secrets[2], secrets[3]);
    for (uint32_t i = 0; i < 3; i++) {
        if (!step(&session, i, &input)) {
            return 0;
        }
    }
    INVARIANT(!session.changed);
    INVARIANT(memcmp(session.a.hash, session.b.hash, NOISE_KEY_BYTES) == 0);
    INVARIANT(noise_split(&session.a, &a[0], &a[1]));
    INVARIANT(noise_split(&session.b, &b[0], &b[1]));
    INVARIANT(memcmp(a[0].key, b[1].key, NOISE_KEY_BYTES) == 0);
    INVARIANT(memcmp(a[1].key, b[0].key, NOISE_KEY_BYTES) == 0);
    records(&a[0], &b[1], &input);
    records(&b[0], &a[1], &input);
    return 0;
}

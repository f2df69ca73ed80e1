#include "p2p/hello.h"

#include "base/reader.h"
#include "base/writer.h"
#include "proto/wire.h"

enum { ADDRS_MAX = 64, SOFTWARE_FIRST = 0x21, SOFTWARE_LAST = 0x7e };

static void address_write(struct writer *writer, const struct address *address)
{
    writer_u8(writer, address->family);
    writer_bytes(writer, address->ip, sizeof address->ip);
    writer_u16(writer, address->port);
}

/* False for an unknown family, or for bytes that must be zero and are not. */
static CHECKED bool address_read(struct reader *reader, struct address *out)
{
    out->family = reader_u8(reader);
    reader_copy(reader, out->ip, sizeof out->ip);
    out->port = reader_u16(reader);
    if (reader->failed) {
        return false;
    }
    if (out->family == ADDRESS_NONE) {
        return out->port == 0 && bytes_zero(out->ip, sizeof out->ip);
    }
    if (out->family == ADDRESS_IPV4) {
        return bytes_zero(out->ip + 4, sizeof out->ip - 4);
    }
    return out->family == ADDRESS_IPV6;
}

void hello_write(struct writer *writer, const struct hello *hello)
{
    INVARIANT(hello->software.count <= HELLO_SOFTWARE_MAX);
    INVARIANT(hello->status.count <= HELLO_STATUS_MAX);
    writer_u8(writer, WIRE_HELLO);
    writer_u16(writer, hello->protocol);
    writer_u8(writer, hello->roles);
    writer_u64(writer, hello->instance);
    address_write(writer, &hello->address);
    writer_u8(writer, (uint8_t)hello->software.count);
    writer_view(writer, hello->software);
    writer_u16(writer, (uint16_t)hello->status.count);
    writer_view(writer, hello->status);
}

static CHECKED bool software_clean(struct bytes software)
{
    for (size_t i = 0; i < software.count; i++) {
        if (software.at[i] < SOFTWARE_FIRST || software.at[i] > SOFTWARE_LAST) {
            return false;
        }
    }
    return software.count <= HELLO_SOFTWARE_MAX;
}

bool hello_decode(struct bytes message, struct hello *out)
{
    struct reader reader = reader_of(message);
    struct wire_status status;

    if (reader_u8(&reader) != WIRE_HELLO) {
        return false;
    }
    out->protocol = reader_u16(&reader);
    out->roles = reader_u8(&reader);
    out->instance = reader_u64(&reader);
    if (!address_read(&reader, &out->address)) {
        return false;
    }
    out->software = reader_take(&reader, reader_u8(&reader));
    out->status = reader_take(&reader, reader_u16(&reader));
    return reader_done(&reader) && software_clean(out->software) &&
           out->status.count <= HELLO_STATUS_MAX &&
           (out->status.count == 0 || wire_status_fields_decode(out->status, &status));
}

void goodbye_write(struct writer *writer, uint8_t code, uint32_t seconds)
{
    writer_u8(writer, WIRE_GOODBYE);
    writer_u8(writer, code);
    writer_u32(writer, seconds);
}

bool goodbye_decode(struct bytes message, uint8_t *code, uint32_t *seconds)
{
    struct reader reader = reader_of(message);
    const uint8_t type = reader_u8(&reader);

    *code = reader_u8(&reader);
    *seconds = reader_u32(&reader);
    return type == WIRE_GOODBYE && reader_done(&reader);
}

bool addrs_check(struct bytes message)
{
    struct reader reader = reader_of(message);
    const uint8_t type = reader_u8(&reader);
    const uint8_t count = reader_u8(&reader);
    struct address address;

    if (type != WIRE_ADDRS || count > ADDRS_MAX) {
        return false;
    }
    for (uint8_t i = 0; i < count; i++) {
        (void)reader_take(&reader, 32);
        if (!address_read(&reader, &address) || address.family == ADDRESS_NONE) {
            return false;
        }
    }
    return reader_done(&reader);
}

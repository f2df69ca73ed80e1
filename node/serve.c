/* Blocks for peers: single ones from the pool or blocks.db, and ranges of final ones (8.18, "Answer"). */
#include <string.h>

#include "node/inner.h"

/* The longest message that this file or push.c writes. */
size_t serve_bytes(uint32_t validators, uint32_t body_bytes_max)
{
    const size_t row = (size_t)BLOCK_HEADER_BYTES + body_bytes_max;
    const size_t rows = row > WIRE_RANGE_BYTES_MAX ? row : WIRE_RANGE_BYTES_MAX;

    return 64 + rows + (size_t)WIRE_BLOCKS_MAX * BLOCK_HEADER_BYTES + certificate_bytes(validators);
}

void serve_get_block(struct driver *driver, uint32_t peer, struct bytes message)
{
    static const uint8_t type = WIRE_BLOCK;
    const struct net_port *net = &driver->ports.net;
    struct peer *entry = peer_of(driver, peer);
    const struct body *body;
    struct block_header header;
    struct bytes row;
    const uint8_t *hash;
    uint64_t height;

    if (!wire_get_block_decode(message, &hash)) {
        driver->ports.tell.fault(driver->ports.tell.self, peer, VERIFY_MALFORMED);
        return;
    }
    if (!bucket_take(&entry->gets, driver_now(driver), GET_RATE, 1)) {
        return;
    }
    body = bodies_find(&driver->bodies, hash);
    if (body != NULL) {
        row = body_row(body);
    } else {
        enum err error;

        arena_reset(&driver->scratch);
        error = blocks_find(&driver->blocks, hash, &driver->scratch, &height);
        if (error == ERR_OK) {
            arena_reset(&driver->scratch);
            error = blocks_at(&driver->blocks, height, &driver->scratch, &header, &row);
        }
        if (error == ERR_ABSENT) {
            return;
        }
        if (error != ERR_OK) {
            driver_fatal(driver, error, "blocks.db: read");
            return;
        }
    }
    if (bucket_take(&entry->served, driver_now(driver), SERVE_VALIDATOR_BYTES, row.count)) {
        net->send(net->self, peer, wire_channel(WIRE_BLOCK), bytes_of(&type, 1), row);
    }
}

/* ---- ranges ---- */

static void answer_short(struct driver *driver, uint32_t peer, uint32_t id,
                         enum wire_blocks_result result)
{
    const struct net_port *net = &driver->ports.net;
    const struct wire_blocks blocks = {.id = id, .result = result};
    uint8_t memory[16];
    struct writer writer = writer_of(memory, sizeof memory);

    wire_blocks_begin(&writer, &blocks);
    INVARIANT(!writer.failed);
    net->send(net->self, peer, wire_channel(WIRE_BLOCKS), writer_done(&writer), (struct bytes){0});
}

/* Where a range ends. */
struct extent {
    uint64_t last;      /* block */
    uint64_t certified; /* height of the certificate: last, or above it */
    size_t bytes;       /* of the rows */
};

static enum err row_bytes_of(struct driver *driver, uint64_t height, size_t *bytes)
{
    struct block_header header;
    struct bytes row;

    arena_reset(&driver->scratch);
    TRY(blocks_at(&driver->blocks, height, &driver->scratch, &header, &row));
    *bytes = row.count;
    return ERR_OK;
}

static enum err certified_at(struct driver *driver, uint64_t height, bool *certified)
{
    struct bytes certificate;
    enum err error;

    arena_reset(&driver->scratch);
    error = blocks_certificate(&driver->blocks, height, &driver->scratch, &certificate);
    *certified = error == ERR_OK;
    return error == ERR_ABSENT ? ERR_OK : error;
}

/*
 * The last height with a certificate that fits; if none fits, as many blocks as fit and the next certificate above
 * them, at most WIRE_BLOCKS_MAX headers away.  ERR_ABSENT: there is none so near.
 */
static enum err extent_of(struct driver *driver, const struct wire_get_blocks *get,
                          struct extent *out)
{
    const uint64_t final = driver->blocks.final.height;
    struct extent certified = {0};
    struct extent all = {0};

    for (uint32_t i = 0; i < get->blocks && get->from + i <= final; i++) {
        bool here;
        size_t bytes;

        TRY(row_bytes_of(driver, get->from + i, &bytes));
        if (i != 0 && all.bytes + bytes > get->bytes) {
            break;
        }
        all.last = get->from + i;
        all.bytes += bytes;
        TRY(certified_at(driver, all.last, &here));
        if (here) {
            certified = all;
            certified.certified = all.last;
        }
    }
    if (certified.certified != 0) {
        *out = certified;
        return ERR_OK;
    }
    for (uint64_t height = all.last + 1; height <= final && height - all.last <= WIRE_BLOCKS_MAX;
         height++) {
        bool here;

        TRY(certified_at(driver, height, &here));
        if (here) {
            all.certified = height;
            *out = all;
            return ERR_OK;
        }
    }
    return ERR_ABSENT;
}

/* Write the answer; it fits, since its size was counted. */
static enum err extent_write(struct driver *driver, const struct wire_get_blocks *get,
                             const struct extent *extent, struct writer *writer)
{
    const struct wire_blocks blocks = {
        .id = get->id,
        .result = WIRE_BLOCKS_FOLLOW,
        .from = get->from,
        .count = (uint16_t)(extent->last - get->from + 1),
        .header_count = (uint16_t)(extent->certified - extent->last),
    };
    struct certificate certificate = {0};

    wire_blocks_begin(writer, &blocks);
    for (uint64_t height = get->from; height <= extent->certified; height++) {
        struct block_header header;
        struct bytes row;

        arena_reset(&driver->scratch);
        TRY(blocks_at(&driver->blocks, height, &driver->scratch, &header, &row));
        wire_blocks_add(writer,
                        height <= extent->last ? row : bytes_of(row.at, BLOCK_HEADER_BYTES));
    }
    arena_reset(&driver->scratch);
    TRY(blocks_certificate(&driver->blocks, extent->certified, &driver->scratch,
                           &certificate.encoded));
    wire_blocks_end(writer, &certificate);
    INVARIANT(!writer->failed);
    return ERR_OK;
}

static enum err range_answer(struct driver *driver, uint32_t peer,
                             const struct wire_get_blocks *get)
{
    const struct net_port *net = &driver->ports.net;
    struct peer *entry = peer_of(driver, peer);
    struct writer writer = writer_of(driver->message, driver->message_size);
    struct extent extent;

    TRY(extent_of(driver, get, &extent));
    if (!bucket_take(&entry->served, driver_now(driver),
                     peer_is_validator(driver, peer) ? SERVE_VALIDATOR_BYTES : SERVE_OTHER_BYTES,
                     extent.bytes)) {
        answer_short(driver, peer, get->id, WIRE_BLOCKS_BUSY);
        return ERR_OK;
    }
    TRY(extent_write(driver, get, &extent, &writer));
    net->send(net->self, peer, wire_channel(WIRE_BLOCKS), writer_done(&writer), (struct bytes){0});
    return ERR_OK;
}

void serve_get_blocks(struct driver *driver, uint32_t peer, struct bytes message)
{
    struct peer *entry = peer_of(driver, peer);
    struct wire_get_blocks get;
    enum err error;

    if (!wire_get_blocks_decode(message, &get)) {
        driver->ports.tell.fault(driver->ports.tell.self, peer, VERIFY_MALFORMED);
        return;
    }
    if (!bucket_take(&entry->gets, driver_now(driver), GET_RATE, 1)) {
        answer_short(driver, peer, get.id, WIRE_BLOCKS_BUSY);
        return;
    }
    if (get.from == 0 || get.from > driver->blocks.final.height ||
        get.from < driver->blocks.earliest) {
        answer_short(driver, peer, get.id, WIRE_BLOCKS_NOT_HELD);
        return;
    }
    error = range_answer(driver, peer, &get);
    if (error == ERR_ABSENT) {
        answer_short(driver, peer, get.id, WIRE_BLOCKS_NOT_HELD);
    } else if (error != ERR_OK) {
        driver_fatal(driver, error, "blocks.db: read");
    }
}

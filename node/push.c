/* Transactions to peers (8.19), as far as pushes go: announcements (TX_HAVE, TX_WANT) are not spoken yet. */
#include <string.h>

#include "node/inner.h"

/* Gather transactions into messages of at most PUSH_BYTES_MAX and WIRE_TXS_MAX, and send each to `to`. */
static void push_many(struct driver *driver, uint32_t to, const struct bytes *transactions,
                      uint32_t count, bool once)
{
    const struct net_port *net = &driver->ports.net;
    uint32_t next = 0;

    while (next < count) {
        struct writer writer = writer_of(driver->message, driver->message_size);
        const uint32_t first = next;
        size_t bytes = 0;

        while (next < count && next - first < WIRE_TXS_MAX &&
               (next == first || bytes + 4 + transactions[next].count <= PUSH_BYTES_MAX)) {
            bytes += 4 + transactions[next].count;
            next += 1;
        }
        wire_tx_push_begin(&writer, (uint16_t)(next - first));
        for (uint32_t i = first; i < next; i++) {
            wire_tx_push_add(&writer, transactions[i]);
        }
        INVARIANT(!writer.failed);
        net->send(net->self, to, wire_channel(WIRE_TX_PUSH), writer_done(&writer),
                  (struct bytes){0});
        if (once) {
            return;
        }
    }
}

/* The oldest that wait here, to a peer whose session opened. */
void push_opened(struct driver *driver, uint32_t peer)
{
    const struct app_port *app = &driver->ports.app;
    struct bytes transactions[WIRE_TXS_MAX];

    if (peer_is_validator(driver, peer)) {
        push_many(driver, peer, transactions, app->pending(app->self, transactions, WIRE_TXS_MAX),
                  false);
    }
}

/* Anti-entropy: once a second the oldest to one peer, so that what a loss hid from others comes through. */
void push_second(struct driver *driver)
{
    const struct app_port *app = &driver->ports.app;
    const uint32_t peer = peer_random(driver, VALIDATOR_NONE);
    struct bytes transactions[PUSH_OLDEST_MAX];

    if (peer != VALIDATOR_NONE) {
        push_many(driver, peer, transactions,
                  app->pending(app->self, transactions, PUSH_OLDEST_MAX), true);
    }
}

/* ceil(sqrt n) */
static uint32_t root_above(uint32_t n)
{
    uint32_t root = 0;

    while (root * root < n) {
        root += 1;
    }
    return root;
}

static void push_to(struct driver *driver, uint32_t peer, struct bytes transaction, uint32_t source)
{
    if (peer != source && peer != driver->own_index && driver->peers[peer].open) {
        push_many(driver, peer, &transaction, 1, true);
    }
}

/*
 * Newly admitted here.  From a client, or from a full node, it goes to all validators of a small set, else to the
 * leaders of the next three views and some more; a full node gives it to two validators.  What a validator
 * pushed, it pushed to the others as well.
 */
void push_new(struct driver *driver, struct bytes transaction, uint32_t source)
{
    struct sx_summary summary;

    driver->work_stale = true;
    if (peer_is_validator(driver, source)) {
        return;
    }
    if (driver->own_index == VALIDATOR_NONE) {
        const uint32_t first = peer_random(driver, VALIDATOR_NONE);
        const uint32_t second = peer_random(driver, first);

        if (first != VALIDATOR_NONE) {
            push_to(driver, first, transaction, source);
        }
        if (second != VALIDATOR_NONE && second != first) {
            push_to(driver, second, transaction, source);
        }
        return;
    }
    if (driver->n <= PUSH_ALL_VALIDATORS) {
        for (uint32_t peer = 0; peer < driver->n; peer++) {
            push_to(driver, peer, transaction, source);
        }
        return;
    }
    sx_summary(driver->sx, &summary);
    for (uint64_t ahead = 0; ahead < 3; ahead++) {
        push_to(driver, validators_leader(&driver->order, summary.cur + ahead), transaction,
                source);
    }
    for (uint32_t i = 0; i < root_above(driver->n); i++) {
        push_to(driver, (uint32_t)random_below(&driver->random, driver->n), transaction, source);
    }
}

void push_received(struct driver *driver, uint32_t peer, struct bytes message)
{
    const struct app_port *app = &driver->ports.app;
    const uint64_t wall = driver->ports.clock.wall_ms(driver->ports.clock.self);
    struct bytes left;
    struct bytes transaction;
    uint16_t count;
    enum app_admit admit = APP_KNOWN;

    if (!wire_tx_push_decode(message, &count, &left)) {
        driver->ports.tell.fault(driver->ports.tell.self, peer, VERIFY_MALFORMED);
        return;
    }
    for (uint32_t i = 0; i < count && admit != APP_MALFORMED; i++) {
        INVARIANT(wire_tx_push_next(&left, &transaction));
        admit = app->admit(app->self, transaction, peer, wall);
        if (admit == APP_ADMITTED) {
            push_new(driver, transaction, peer);
        }
    }
    if (admit == APP_MALFORMED) {
        driver->ports.tell.fault(driver->ports.tell.self, peer, VERIFY_MALFORMED);
    }
}

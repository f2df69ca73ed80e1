/* Execution for the core: a block on its parent, and the building of one. */
#include <string.h>

#include "crypto/hash.h"
#include "node/inner.h"

/* The header of an executed block, and the history over everything up to it. */
bool execute_parent(struct driver *driver, const uint8_t *hash, struct block_header *header,
                    struct history *history)
{
    const struct body *body;

    if (hash_equal(hash, driver->blocks.final.block_hash)) {
        *header = driver->blocks.final_header;
        *history = driver->blocks.final.history;
    } else {
        body = bodies_find(&driver->bodies, hash);
        if (body == NULL || body->state != BODY_EXECUTED) {
            return false;
        }
        *header = body->header;
        *history = body->history;
    }
    history_add(history, hash);
    return true;
}

/* 8.2: what execution gave is what the header says; history_root is looked at by itself. */
bool execute_agrees(const struct block_header *header, const struct app_result *result)
{
    return header->flags == result->flags &&
           hash_equal(header->receipts_root, result->receipts_root) &&
           hash_equal(header->state_root, result->state_root) &&
           hash_equal(header->next_valset_hash, result->next_valset_hash) &&
           header->units_used == result->units_used;
}

/* Run one block whose parent is executed or final. */
static void execute_one(struct driver *driver, struct body *body)
{
    const struct app_port *app = &driver->ports.app;
    const struct block_header *header = &body->header;
    struct block_header parent;
    struct history history;
    uint8_t root[HASH_BYTES];

    INVARIANT(execute_parent(driver, header->parent_hash, &parent, &history));
    body->state = BODY_INVALID;
    if (header->height != parent.height + 1 || header->tx_count > BLOCK_TXS_MAX ||
        header->tx_bytes > driver->max_block_bytes) {
        return;
    }
    history_root(&history, root);
    body->result = (struct app_result){0};
    if (!app->execute(app->self, &parent, header->parent_hash, header, body->hash, body_bytes(body),
                      &body->result)) {
        return;
    }
    if (!execute_agrees(header, &body->result) || !hash_equal(root, header->history_root)) {
        driver->ports.tell.diverged(driver->ports.tell.self, header, &body->result);
        return;
    }
    body->history = history;
    body->state = BODY_EXECUTED;
}

/*
 * Execute a block, and before it those ancestors that are here and not executed: a body may have gone and come
 * back.  The walk down ends at an executed block or at the final one.
 */
enum sx_verdict execute_block(struct driver *driver, const uint8_t *hash)
{
    struct body *body = bodies_find(&driver->bodies, hash);
    struct body *at = body;

    if (body == NULL) {
        return SX_MISSING;
    }
    body->next = NULL;
    for (uint32_t steps = 0; at->state == BODY_HELD; steps++) {
        struct body *parent;

        INVARIANT(steps <= driver->bodies.count);
        if (hash_equal(at->header.parent_hash, driver->blocks.final.block_hash)) {
            break;
        }
        parent = bodies_find(&driver->bodies, at->header.parent_hash);
        if (parent == NULL) {
            return SX_MISSING;
        }
        parent->next = at;
        at = parent;
    }
    if (at->state == BODY_EXECUTED) {
        at = at == body ? NULL : at->next;
    }
    for (; at != NULL && at->state == BODY_HELD; at = at->next) {
        execute_one(driver, at);
        if (at->state == BODY_INVALID) {
            break;
        }
    }
    return body->state == BODY_EXECUTED ? SX_VALID : SX_INVALID;
}

/* Fields of a header that the core and the application do not choose. */
static void header_complete(const struct driver *driver, const struct block_header *parent,
                            const struct history *history, struct block_header *header)
{
    header->version = BLOCK_VERSION;
    memcpy(header->chain_id, driver->context.chain_id, HASH_BYTES);
    header->epoch = driver->context.epoch;
    header->height = parent->height + 1;
    header->proposer = driver->own_index;
    memcpy(header->valset_hash, driver->valset_hash, HASH_BYTES);
    memcpy(header->params_hash, driver->params_hash, HASH_BYTES);
    history_root(history, header->history_root);
}

static void header_result(const struct app_result *result, struct block_header *header)
{
    header->flags = result->flags;
    memcpy(header->receipts_root, result->receipts_root, HASH_BYTES);
    memcpy(header->state_root, result->state_root, HASH_BYTES);
    memcpy(header->next_valset_hash, result->next_valset_hash, HASH_BYTES);
    header->units_used = result->units_used;
}

static void txs_root_of(struct bytes body, uint8_t out[HASH_BYTES])
{
    struct merkle merkle;
    struct bytes transaction;
    uint8_t item[HASH_BYTES];

    merkle_begin(&merkle);
    while (body.count != 0) {
        INVARIANT(block_body_next(&body, &transaction));
        hash_of(TAG_TXWIRE, transaction, item);
        merkle_add(&merkle, bytes_of(item, sizeof item));
    }
    merkle_root(&merkle, out);
}

/* Let the application fill `body`; false: it has nothing to put on this parent. */
static bool build_into(struct driver *driver, struct body *body, const struct block_header *parent,
                       const uint8_t *parent_hash, struct block_header *header)
{
    const struct app_port *app = &driver->ports.app;
    uint8_t *memory = body->memory + BLOCK_HEADER_BYTES;
    size_t count = 0;
    uint32_t tx_count = 0;

    body->result = (struct app_result){0};
    if (!app->build(app->self, parent, parent_hash, header->time_ms, memory,
                    driver->max_block_bytes, &count, &tx_count, &body->result)) {
        return false;
    }
    INVARIANT(count <= driver->max_block_bytes && tx_count <= BLOCK_TXS_MAX);
    header->tx_bytes = (uint32_t)count;
    header->tx_count = tx_count;
    txs_root_of(bytes_of(memory, count), header->txs_root);
    header_result(&body->result, header);
    return true;
}

/* C-3: build on an executed parent; the answer is a header, or nothing. */
void execute_build(struct driver *driver, uint64_t view, uint64_t time_ms, const uint8_t *parent)
{
    const struct app_port *app = &driver->ports.app;
    struct block_header header = {.view = view, .time_ms = time_ms};
    struct block_header above;
    struct history history;
    struct answer *answer;
    struct body *body;
    uint8_t hash[HASH_BYTES];
    bool built = false;

    INVARIANT(driver->own_index != VALIDATOR_NONE);
    body = bodies_place(&driver->bodies, driver->sx, parent);
    if (body != NULL && execute_parent(driver, parent, &above, &history)) {
        memcpy(header.parent_hash, parent, HASH_BYTES);
        header_complete(driver, &above, &history, &header);
        built = build_into(driver, body, &above, parent, &header);
    }
    if (built) {
        const struct app_result result = body->result;

        block_header_encode(&header, body->memory);
        block_header_hash(&header, hash);
        if (bodies_find(&driver->bodies, hash) == NULL) {
            body_fill(body, &header, hash,
                      bytes_of(body->memory, (size_t)BLOCK_HEADER_BYTES + header.tx_bytes));
            body->result = result;
            body->history = history;
            body->state = BODY_EXECUTED;
        }
        app->built(app->self, &header, hash);
    }
    answer = driver_answer(driver, SX_BUILT);
    answer->built.view = view;
    answer->built.built = built;
    answer->built.header = header;
}

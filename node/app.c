/*
 * node/app.c -- blocks above the applied state, admission, and what goes to state.db.
 *
 * A block that was executed has a place in `blocks` until it is applied or excluded.  Final blocks are applied in
 * order of height; when all batches are on their way to the store, they wait in their places, and reads go
 * through their overlays as before.
 */
#include "node/app.h"

#include <string.h>

#include "base/writer.h"
#include "crypto/ecdsa.h"
#include "crypto/hash.h"
#include "state/kv.h"

enum {
    BLOCKS_MAX = STATE_OVERLAYS_MAX,
    BATCHES_MAX = 4,
    IDS_BYTES = BLOCK_TXS_MAX * HASH_BYTES,
    SCRATCH_BYTES = 1 << 20, /* one decoded transaction */
    SKIPPED_MAX = 1000,      /* transactions that do not fit this tip, in one build or look */
    EXPIRED_LOOKED_AT = 256, /* entries of the pool, a final block */
    DUE_SLACK_MS = 200,      /* work() of 8.6, 4 */
};

struct app_block {
    bool used;
    bool final; /* waits for a batch */
    uint8_t hash[HASH_BYTES];
    uint8_t parent[HASH_BYTES];
    struct block_header header;
    struct overlay *overlay;
    struct app_result result;
    uint8_t *receipts; /* receipts_bytes, of this place */
    uint8_t *ids;      /* wire hashes of its transactions */
    uint32_t id_count;
};

struct batch {
    bool used;
    uint64_t height;
    struct arena arena;
    struct kv_batch batch;
};

struct app {
    struct app_options options;
    struct app_ports ports;
    struct state *state;
    struct exec *exec;
    struct sigcache *sigcache;
    struct mempool *pool;
    const Chain__Parameters *parameters;

    struct app_block blocks[BLOCKS_MAX];
    struct app_block *draft;     /* built, not yet named */
    uint8_t applied[HASH_BYTES]; /* block that the applied state is after */
    bool applied_named;          /* `applied` is known */
    uint64_t applied_height;
    uint64_t written_height;
    struct batch batches[BATCHES_MAX];

    uint8_t tip[HASH_BYTES]; /* newest executed tip that the driver asked about */
    uint64_t stamp;
    uint8_t stamp_tip[HASH_BYTES]; /* whose ancestors' transactions are stamped */
    bool work_known, work_present; /* for `tip` */
    uint64_t work_sequence;        /* additions seen when work_present was found false */
    uint64_t additions;
    enum exec_validity refusal;

    struct arena scratch;
};

/* -- Memory. -- */

size_t app_footprint(const struct app_options *options)
{
    return arena_rounded(sizeof(struct app)) + state_footprint(&options->overlays) +
           exec_footprint() + sigcache_footprint(options->signatures_cached) +
           mempool_footprint(&options->pool) +
           BLOCKS_MAX * (arena_rounded(options->receipts_bytes) + arena_rounded(IDS_BYTES)) +
           BATCHES_MAX * arena_rounded(options->batch_bytes) + arena_rounded(SCRATCH_BYTES);
}

static void memory_take(struct app *app, struct arena *arena)
{
    const struct app_options *options = &app->options;

    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        app->blocks[i].receipts = arena_must(arena, options->receipts_bytes);
        app->blocks[i].ids = arena_must(arena, IDS_BYTES);
    }
    for (uint32_t i = 0; i < BATCHES_MAX; i++) {
        arena_init(&app->batches[i].arena, arena_must(arena, options->batch_bytes),
                   options->batch_bytes);
    }
    arena_init(&app->scratch, arena_must(arena, SCRATCH_BYTES), SCRATCH_BYTES);
}

/* What the cache does not know: a signature of a block whose transaction never came by the pool. */
static bool app_verify_plain(void *self, const uint8_t public_key[33],
                             const uint8_t tx_id[HASH_BYTES],
                             const uint8_t signature[SIGNATURE_BYTES])
{
    (void)self;
    return ecdsa_verify(public_key, tx_id, signature);
}

static bool app_key_valid(void *self, const uint8_t public_key[33])
{
    (void)self;
    return ecdsa_key_valid(public_key);
}

static void app_fatal(struct app *app, enum err error, const char *what)
{
    app->ports.fatal(app->ports.self, error, what);
}

/* -- Blocks above the applied state. -- */

static struct app_block *block_find(struct app *app, const uint8_t *hash)
{
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        if (app->blocks[i].used && hash_equal(app->blocks[i].hash, hash)) {
            return &app->blocks[i];
        }
    }
    return NULL;
}

static bool block_has_children(const struct app *app, const struct app_block *block)
{
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        if (app->blocks[i].used && hash_equal(app->blocks[i].parent, block->hash)) {
            return true;
        }
    }
    return false;
}

static void block_drop(struct app_block *block)
{
    overlay_drop(block->overlay);
    block->overlay = NULL;
    block->used = false;
    block->final = false;
}

/*
 * A place for one more block.  The driver keeps fewer unfinalized blocks than there are places, but hostile
 * leaders can have many executed: then the lowest childless one that is not final gives way, since it can be
 * executed again.
 */
static struct app_block *block_place(struct app *app, const uint8_t *keep)
{
    struct app_block *lowest = NULL;

    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        struct app_block *block = &app->blocks[i];

        if (!block->used) {
            return block;
        }
        if (!block->final && !hash_equal(block->hash, keep) && !block_has_children(app, block) &&
            (lowest == NULL || block->header.height < lowest->header.height)) {
            lowest = block;
        }
    }
    if (lowest != NULL) {
        block_drop(lowest);
    }
    return lowest;
}

/*
 * The overlay to stand on for a child of this block: NULL is the applied state.  False: not executed here.  After
 * a start the store names the applied height alone; the first block asked about at that height is the final
 * one there, and gives it its hash.
 */
static bool parent_overlay(struct app *app, const struct block_header *header, const uint8_t *hash,
                           struct overlay **out)
{
    const struct app_block *block;

    *out = NULL;
    if (!app->applied_named && header->height == app->applied_height) {
        app->applied_named = true;
        memcpy(app->applied, hash, HASH_BYTES);
    }
    if (hash_equal(hash, app->applied)) {
        return true;
    }
    block = block_find(app, hash);
    if (block == NULL) {
        return false;
    }
    *out = block->overlay;
    return true;
}

/*
 * An overlay to read a tip through.  The applied state has none of its own: a throw-away one is begun on it.  NULL:
 * not executed here, or every overlay is in use.
 */
struct reading {
    struct overlay *overlay;
    bool temporary;
};

static struct reading reading_begin(struct app *app, struct overlay *tip)
{
    struct reading reading = {.overlay = tip};

    if (tip == NULL) {
        reading.overlay = overlay_begin(app->state, NULL, app->applied_height + 1);
        reading.temporary = true;
    }
    return reading;
}

static void reading_end(struct reading *reading)
{
    if (reading->temporary) {
        overlay_drop(reading->overlay);
    }
}

/* Walk up from a block to the applied one; false when it does not stand above it. */
static bool descends(struct app *app, const uint8_t *hash, const uint8_t *ancestor)
{
    for (uint32_t steps = 0; steps <= BLOCKS_MAX; steps++) {
        const struct app_block *block;

        if (hash_equal(hash, ancestor)) {
            return true;
        }
        block = block_find(app, hash);
        if (block == NULL) {
            return false;
        }
        hash = block->parent;
    }
    return false;
}

/* -- Running a block. -- */

static struct app_block *run_begin(struct app *app, const struct block_header *parent,
                                   const uint8_t *parent_hash, uint64_t time_ms)
{
    struct overlay *below;
    struct app_block *block;
    enum err error;

    if (!parent_overlay(app, parent, parent_hash, &below)) {
        return NULL;
    }
    block = block_place(app, parent_hash);
    if (block == NULL) {
        return NULL;
    }
    block->overlay = overlay_begin(app->state, below, parent->height + 1);
    if (block->overlay == NULL) {
        return NULL;
    }
    memcpy(block->parent, parent_hash, HASH_BYTES);
    block->id_count = 0;
    error = exec_block_begin(app->exec, block->overlay, parent->height + 1, time_ms);
    if (error != ERR_OK) {
        app_fatal(app, error, "state.db: a block could not be begun");
        overlay_drop(block->overlay);
        return NULL;
    }
    return block;
}

static enum exec_validity run_tx(struct app *app, struct app_block *block, struct bytes bytes)
{
    const enum exec_validity validity = exec_tx(app->exec, bytes);

    if (validity == EXEC_VALID) {
        INVARIANT(block->id_count < BLOCK_TXS_MAX);
        hash_of(TAG_TXWIRE, bytes, block->ids + (size_t)block->id_count * HASH_BYTES);
        block->id_count += 1;
    }
    return validity;
}

/* False: a fault of the machine, told already, or receipts that no limit of a block allows. */
static bool run_end(struct app *app, struct app_block *block, const struct block_header *parent,
                    uint64_t time_ms)
{
    struct exec_result result;
    const enum err error = exec_block_end(app->exec, &result);

    if (error != ERR_OK) {
        app_fatal(app, error, "state.db: a block could not be ended");
        return false;
    }
    INVARIANT(result.receipts.count <= app->options.receipts_bytes);
    memcpy(block->receipts, result.receipts.at, result.receipts.count);
    block->result = (struct app_result){
        .units_used = result.units_used,
        .receipts = {block->receipts, result.receipts.count},
    };
    memcpy(block->result.receipts_root, result.receipts_root, HASH_BYTES);
    memcpy(block->result.state_root, result.state_root, HASH_BYTES);
    if (result.due_count != 0) {
        block->result.flags |= BLOCK_SCHED;
    }
    if (result.due_count == 0 && block->id_count == 0) {
        block->result.flags |= BLOCK_HEARTBEAT;
    }
    return (block->result.flags & BLOCK_HEARTBEAT) == 0 ||
           (app->parameters->heartbeat_ms != 0 &&
            time_ms - parent->time_ms >= app->parameters->heartbeat_ms);
}

/* NOLINTNEXTLINE(readability-function-size): the shape of the port. */
static bool app_execute(void *self, const struct block_header *parent, const uint8_t *parent_hash,
                        const struct block_header *header, const uint8_t *hash, struct bytes body,
                        struct app_result *out)
{
    struct app *app = self;
    struct app_block *block = block_find(app, hash);
    struct bytes left = body;
    struct bytes transaction;
    bool good = body.count <= app->parameters->max_block_bytes &&
                header->tx_count <= app->parameters->max_block_txs &&
                header->tx_count <= BLOCK_TXS_MAX;

    if (block != NULL) {
        *out = block->result;
        return true;
    }
    if (!good) {
        return false;
    }
    block = run_begin(app, parent, parent_hash, header->time_ms);
    if (block == NULL) {
        return false;
    }
    while (good && left.count != 0) {
        good =
            block_body_next(&left, &transaction) && run_tx(app, block, transaction) == EXEC_VALID;
    }
    if (exec_fault(app->exec) != ERR_OK) {
        app_fatal(app, exec_fault(app->exec), "state.db: a block could not be executed");
        good = false;
    }
    if (!good || !run_end(app, block, parent, header->time_ms)) {
        overlay_drop(block->overlay);
        return false;
    }
    block->used = true;
    block->header = *header;
    memcpy(block->hash, hash, HASH_BYTES);
    *out = block->result;
    return true;
}

/* Mark what stands in the ancestors of a tip, so that walks of the pool pass it over. */
static void stamp_ancestors(struct app *app, const uint8_t *tip)
{
    const struct app_block *block = block_find(app, tip);

    if (app->stamp != 0 && hash_equal(app->stamp_tip, tip)) {
        return;
    }
    app->stamp += 1;
    memcpy(app->stamp_tip, tip, HASH_BYTES);
    for (uint32_t steps = 0; block != NULL && steps < BLOCKS_MAX; steps++) {
        for (uint32_t i = 0; i < block->id_count; i++) {
            mempool_stamp(app->pool, block->ids + (size_t)i * HASH_BYTES, app->stamp);
        }
        block = block_find(app, block->parent);
    }
}

/* No block will ever take it. */
static bool hopeless(enum exec_validity validity)
{
    return validity == EXEC_BYTES || validity == EXEC_CHAIN || validity == EXEC_EXPIRED ||
           validity == EXEC_SIGNATURE;
}

/* Fill the open block from the pool; the body's length. */
static size_t build_fill(struct app *app, struct app_block *block, struct writer *body)
{
    const uint64_t limit = app->parameters->max_block_txs;
    struct mempool_walk walk;
    const struct mempool_tx *tx;
    uint32_t skipped = 0;

    mempool_walk_begin(app->pool, app->stamp, &walk);
    while (block->id_count < limit && skipped < SKIPPED_MAX &&
           (tx = mempool_walk_next(app->pool, &walk)) != NULL) {
        uint8_t wire_hash[HASH_BYTES];
        enum exec_validity validity;

        if (body->size - body->used < 4 + tx->bytes.count) {
            break;
        }
        validity = run_tx(app, block, tx->bytes);
        if (validity == EXEC_FULL || validity == EXEC_FAULT) {
            break;
        }
        if (validity == EXEC_VALID) {
            writer_u32(body, (uint32_t)tx->bytes.count);
            writer_view(body, tx->bytes);
            continue;
        }
        skipped += 1;
        if (hopeless(validity)) {
            memcpy(wire_hash, tx->wire_hash, HASH_BYTES);
            mempool_seen_set(app->pool, wire_hash, MEMPOOL_SEEN_REFUSED, 0);
            mempool_remove(app->pool, wire_hash);
        }
    }
    INVARIANT(!body->failed);
    return body->used;
}

/* NOLINTNEXTLINE(readability-function-size): the shape of the port. */
static bool app_build(void *self, const struct block_header *parent, const uint8_t *parent_hash,
                      uint64_t time_ms, uint8_t *body, size_t body_size, size_t *body_count,
                      uint32_t *tx_count, struct app_result *out)
{
    struct app *app = self;
    const size_t size = body_size < app->parameters->max_block_bytes
                            ? body_size
                            : (size_t)app->parameters->max_block_bytes;
    struct writer writer = writer_of(body, size);
    struct app_block *block;

    app->draft = NULL;
    block = run_begin(app, parent, parent_hash, time_ms);
    if (block == NULL) {
        return false;
    }
    stamp_ancestors(app, parent_hash);
    *body_count = build_fill(app, block, &writer);
    if (exec_fault(app->exec) != ERR_OK) {
        app_fatal(app, exec_fault(app->exec), "state.db: a block could not be built");
        overlay_drop(block->overlay);
        return false;
    }
    if (!run_end(app, block, parent, time_ms)) {
        overlay_drop(block->overlay);
        return false;
    }
    *tx_count = block->id_count;
    *out = block->result;
    app->draft = block;
    block->used = true; /* under no name yet: zeros are no block's hash */
    memset(block->hash, 0, HASH_BYTES);
    block->header = *parent;
    block->header.height = parent->height + 1;
    return true;
}

static void app_built(void *self, const struct block_header *header, const uint8_t *hash)
{
    struct app *app = self;

    INVARIANT(app->draft != NULL && app->draft->used);
    app->draft->header = *header;
    memcpy(app->draft->hash, hash, HASH_BYTES);
    app->draft = NULL;
}

/* -- Work (8.6, 3 to 5). -- */

/* Is a transaction of the pool includable on the tip?  Few looks answer for many additions. */
static bool includable(struct app *app, struct overlay *tip, uint64_t time_ms)
{
    struct mempool_walk walk;
    const struct mempool_tx *pooled;
    uint32_t skipped = 0;

    mempool_walk_begin(app->pool, app->stamp, &walk);
    while (skipped < SKIPPED_MAX && (pooled = mempool_walk_next(app->pool, &walk)) != NULL) {
        struct tx tx;

        arena_reset(&app->scratch);
        if (tx_decode(pooled->bytes, &app->scratch, &tx) == TX_OK &&
            exec_check(app->exec, tip, time_ms, &tx) == EXEC_VALID) {
            return true;
        }
        skipped += 1;
    }
    return false;
}

/* NOLINTNEXTLINE(readability-function-size): the shape of the port. */
static void app_work(void *self, const struct block_header *tip, const uint8_t *tip_hash,
                     uint64_t cur, uint64_t wall_ms, bool *present, bool *full)
{
    struct app *app = self;
    const uint64_t time_ms = wall_ms > tip->time_ms ? wall_ms : tip->time_ms + 1;
    struct overlay *overlay;
    struct reading reading;
    uint64_t due_at_ms = UINT64_MAX;

    (void)cur;
    *present = false;
    *full = false;
    if (!parent_overlay(app, tip, tip_hash, &overlay)) {
        return;
    }
    reading = reading_begin(app, overlay);
    if (reading.overlay == NULL) {
        return;
    }
    stamp_ancestors(app, tip_hash);
    *full = mempool_bytes(app->pool) >= 2 * app->parameters->max_block_bytes ||
            mempool_count(app->pool) >= 2 * app->parameters->max_block_txs;
    if (!hash_equal(app->tip, tip_hash)) {
        memcpy(app->tip, tip_hash, HASH_BYTES);
        app->work_known = false;
    }
    if (!app->work_known || (!app->work_present && app->work_sequence != app->additions)) {
        app->work_known = true;
        app->work_sequence = app->additions;
        app->work_present = includable(app, reading.overlay, time_ms);
    }
    (void)exec_due(app->exec, reading.overlay, UINT64_MAX, &due_at_ms);
    reading_end(&reading);
    *present =
        app->work_present ||
        (due_at_ms != UINT64_MAX && wall_ms >= due_at_ms && wall_ms - due_at_ms >= DUE_SLACK_MS) ||
        (app->parameters->heartbeat_ms != 0 &&
         wall_ms >= tip->time_ms + app->parameters->heartbeat_ms);
    if (exec_fault(app->exec) != ERR_OK) {
        app_fatal(app, exec_fault(app->exec), "state.db: a read failed");
    }
}

/* -- Finality. -- */

static struct batch *batch_place(struct app *app)
{
    for (uint32_t i = 0; i < BATCHES_MAX; i++) {
        if (!app->batches[i].used) {
            return &app->batches[i];
        }
    }
    return NULL;
}

/* A block without children that does not descend from the final one; NULL when there is none. */
static struct app_block *excluded_leaf(struct app *app, const uint8_t *final)
{
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        struct app_block *block = &app->blocks[i];

        if (block->used && !block->final && !descends(app, block->hash, final) &&
            !block_has_children(app, block)) {
            return block;
        }
    }
    return NULL;
}

/* Branches that can never become final go, children first. */
static void drop_excluded(struct app *app, const uint8_t *final)
{
    for (uint32_t dropped = 0; dropped < BLOCKS_MAX; dropped++) {
        struct app_block *block = excluded_leaf(app, final);

        if (block == NULL) {
            return;
        }
        if (block == app->draft) {
            app->draft = NULL;
        }
        block_drop(block);
    }
}

/* Apply final blocks, oldest first, as long as there is a batch for them. */
static void apply_waiting(struct app *app)
{
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        struct app_block *block = NULL;
        struct batch *batch = batch_place(app);
        enum err error;

        for (uint32_t j = 0; j < BLOCKS_MAX && block == NULL; j++) {
            if (app->blocks[j].used && app->blocks[j].final &&
                app->blocks[j].header.height == app->applied_height + 1) {
                block = &app->blocks[j];
            }
        }
        if (block == NULL || batch == NULL) {
            return;
        }
        arena_reset(&batch->arena);
        kv_batch_init(&batch->batch, &batch->arena);
        error = state_apply(block->overlay, &batch->batch);
        if (error != ERR_OK || batch->batch.full) {
            app_fatal(app, ERR_NO_SPACE, "state.db: a block's batch is larger than its memory");
            return;
        }
        app->applied_height += 1;
        app->applied_named = true;
        memcpy(app->applied, block->hash, HASH_BYTES);
        block->overlay = NULL;
        block->used = false;
        block->final = false;
        batch->used = true;
        batch->height = app->applied_height;
        app->ports.write(app->ports.self, app->options.state, &batch->batch, false,
                         (uint64_t)(batch - app->batches));
    }
}

void app_written(struct app *app, uint64_t ticket, enum err error)
{
    struct batch *batch = &app->batches[ticket];

    INVARIANT(ticket < BATCHES_MAX && batch->used);
    if (error != ERR_OK) {
        app_fatal(app, error, "state.db: a batch could not be written");
        return;
    }
    state_written(app->state, batch->height);
    app->written_height = batch->height;
    batch->used = false;
    apply_waiting(app);
}

/* A transaction of a final block leaves the pool, with whoever has its nonce. */
static void pool_settle(struct app *app, struct bytes transaction)
{
    uint8_t wire_hash[HASH_BYTES];
    struct tx tx;

    hash_of(TAG_TXWIRE, transaction, wire_hash);
    mempool_seen_set(app->pool, wire_hash, MEMPOOL_SEEN_FINAL, 0);
    if (mempool_find(app->pool, wire_hash) != NULL) {
        mempool_remove(app->pool, wire_hash);
        return;
    }
    arena_reset(&app->scratch);
    if (tx_decode(transaction, &app->scratch, &tx) == TX_OK) {
        mempool_remove_nonce(app->pool, tx.body->account.data, tx.body->lane, tx.body->nonce);
    }
}

static void app_finalize(void *self, const struct block_header *header, const uint8_t *hash,
                         struct bytes body)
{
    struct app *app = self;
    struct app_block *block = block_find(app, hash);
    struct bytes left = body;
    struct bytes transaction;

    INVARIANT(block != NULL && !block->final);
    INVARIANT(header->height == block->header.height);
    block->final = true;
    while (block_body_next(&left, &transaction)) {
        pool_settle(app, transaction);
        if (left.count == 0) {
            break;
        }
    }
    mempool_expire(app->pool, header->time_ms, EXPIRED_LOOKED_AT);
    drop_excluded(app, hash);
    app->work_known = false;
    apply_waiting(app);
}

static uint64_t app_applied(void *self)
{
    const struct app *app = self;

    return app->applied_height;
}

/* -- Admission (docs/protocol/consensus.md 8.19). -- */

/* The newest executed overlay and its time: that of the tip, else the applied state's. */
static void newest(struct app *app, struct overlay **overlay, uint64_t *time_ms)
{
    const struct app_block *block = block_find(app, app->tip);

    *overlay = block == NULL ? NULL : block->overlay;
    *time_ms = block == NULL ? 0 : block->header.time_ms;
}

/*
 * The class of a transaction is the lowest of its actions': one action of the council does not carry fifteen
 * of bulk to the front.  False: an action that this program does not know.
 */
static bool class_of(const struct app *app, const struct tx *tx, enum mempool_class *out)
{
    static const enum mempool_class classes[] = {[CLASS_SYSTEM] = MEMPOOL_SYSTEM,
                                                 [CLASS_URGENT] = MEMPOOL_URGENT,
                                                 [CLASS_NORMAL] = MEMPOOL_NORMAL,
                                                 [CLASS_BULK] = MEMPOOL_BULK};

    *out = MEMPOOL_SYSTEM;
    for (size_t i = 0; i < tx->body->n_actions; i++) {
        const struct action *action =
            exec_action(app->exec, tx->body->actions[i]->module, tx->body->actions[i]->action);

        if (action == NULL) {
            return false;
        }
        if (classes[action->class] > *out) {
            *out = classes[action->class];
        }
    }
    return true;
}

static struct mempool_tx pooled_of(const struct tx *tx, enum mempool_class class, uint64_t now_ms)
{
    struct mempool_tx pooled = {
        .bytes = tx->bytes,
        .lane = tx->body->lane,
        .nonce = tx->body->nonce,
        .expiry_at_ms = tx->body->expiry_at_ms,
        .class = class,
        .admitted_ms = now_ms,
    };

    memcpy(pooled.wire_hash, tx->wire_hash, HASH_BYTES);
    memcpy(pooled.tx_id, tx->tx_id, HASH_BYTES);
    memcpy(pooled.account, tx->body->account.data, ACCOUNT_BYTES);
    return pooled;
}

/* Steps 4 to 6: all that can be said without a signature.  `pooled` is filled where the answer is APP_PENDING. */
static enum app_admit judge(struct app *app, struct bytes bytes, uint64_t wall_ms, struct tx *tx,
                            struct mempool_tx *pooled)
{
    struct reading reading;
    struct overlay *overlay;
    uint64_t tip_ms;
    enum mempool_class class;

    arena_reset(&app->scratch);
    if (tx_decode(bytes, &app->scratch, tx) != TX_OK) {
        app->refusal = EXEC_BYTES;
        return APP_MALFORMED;
    }
    if (!class_of(app, tx, &class)) {
        return APP_REFUSED_NOW;
    }
    *pooled = pooled_of(tx, class, wall_ms);
    if (mempool_room(app->pool, pooled) != MEMPOOL_ADDED) {
        return APP_REFUSED_NOW;
    }
    newest(app, &overlay, &tip_ms);
    reading = reading_begin(app, overlay);
    if (reading.overlay == NULL) {
        return APP_REFUSED_NOW;
    }
    app->refusal =
        exec_check(app->exec, reading.overlay, wall_ms > tip_ms ? wall_ms : tip_ms + 1, tx);
    reading_end(&reading);
    if (app->refusal == EXEC_FAULT) {
        app_fatal(app, exec_fault(app->exec), "state.db: a read failed");
    }
    if (app->refusal == EXEC_VALID) {
        return APP_PENDING;
    }
    return hopeless(app->refusal) ? APP_REFUSED : APP_REFUSED_NOW;
}

/* Fill in what has to be checked; the keys are those that exec_check has just found. */
static void check_of(const struct app *app, const struct tx *tx, uint32_t source,
                     struct app_check *out)
{
    out->transaction = tx->bytes;
    out->source = source;
    out->count = (uint32_t)tx->message->n_signatures;
    memcpy(out->wire_hash, tx->wire_hash, HASH_BYTES);
    memcpy(out->tx_id, tx->tx_id, HASH_BYTES);
    for (uint32_t i = 0; i < out->count; i++) {
        memcpy(out->signatures[i].public_key, exec_signer_key(app->exec, i), ECDSA_PUBLIC_BYTES);
        memcpy(out->signatures[i].signature, tx->message->signatures[i]->sig64.data,
               SIGNATURE_BYTES);
    }
}

static enum app_admit app_admit(void *self, struct bytes transaction, uint32_t source,
                                uint64_t wall_ms)
{
    struct app *app = self;
    uint8_t wire_hash[HASH_BYTES];
    struct app_check check;
    struct mempool_tx pooled;
    struct tx tx;
    enum app_admit answer;

    app->refusal = EXEC_VALID;
    if (transaction.count == 0 || transaction.count > TX_BYTES_MAX ||
        transaction.count > app->parameters->max_tx_bytes) {
        return APP_MALFORMED;
    }
    hash_of(TAG_TXWIRE, transaction, wire_hash);
    switch (mempool_seen_get(app->pool, wire_hash, wall_ms)) {
    case MEMPOOL_UNSEEN:
        break;
    case MEMPOOL_SEEN_REFUSED:
        return APP_REFUSED;
    case MEMPOOL_SEEN_ADMITTED:
    case MEMPOOL_SEEN_FINAL:
        return APP_KNOWN;
    case MEMPOOL_SEEN_LATER:
        return source == PEER_CLIENT ? APP_REFUSED_NOW : APP_KNOWN;
    }
    answer = judge(app, transaction, wall_ms, &tx, &pooled);
    if (answer == APP_PENDING) {
        check_of(app, &tx, source, &check);
        if (!app->ports.check(app->ports.self, &check)) {
            answer = APP_REFUSED_NOW;
        }
    }
    if (answer == APP_REFUSED) {
        mempool_seen_set(app->pool, wire_hash, MEMPOOL_SEEN_REFUSED, wall_ms);
    } else if (answer == APP_PENDING) {
        mempool_seen_set(app->pool, wire_hash, MEMPOOL_SEEN_LATER, wall_ms);
    }
    return answer;
}

enum app_admit app_checked(struct app *app, const struct app_check *check, uint32_t holds,
                           uint64_t wall_ms)
{
    const uint32_t all = check->count == 32 ? UINT32_MAX : (1U << check->count) - 1;
    struct mempool_tx pooled;
    struct tx tx;
    enum app_admit answer;

    INVARIANT(check->count <= TX_SIGNATURES_MAX);
    for (uint32_t i = 0; i < check->count; i++) {
        sigcache_add(app->sigcache, check->signatures[i].public_key, check->tx_id,
                     check->signatures[i].signature, (holds >> i & 1U) != 0);
    }
    if (holds != all) {
        app->refusal = EXEC_SIGNATURE;
        return APP_REFUSED; /* not remembered: the keys of an account may change */
    }
    answer = judge(app, check->transaction, wall_ms, &tx, &pooled);
    if (answer != APP_PENDING) {
        return answer;
    }
    if (mempool_add(app->pool, &pooled) != MEMPOOL_ADDED) {
        return APP_REFUSED_NOW;
    }
    mempool_seen_set(app->pool, check->wire_hash, MEMPOOL_SEEN_ADMITTED, wall_ms);
    app->additions += 1;
    return APP_ADMITTED;
}

static uint32_t app_pending(void *self, struct bytes *out, uint32_t max)
{
    struct app *app = self;
    const struct mempool_tx *oldest[256];
    const uint32_t count = mempool_oldest(app->pool, oldest, max < 256 ? max : 256);

    for (uint32_t i = 0; i < count; i++) {
        out[i] = oldest[i]->bytes;
    }
    return count;
}

/* -- Opening. -- */

/* Beside what state.db holds for itself: the root after the genesis, so that block 0 can be named at any time. */
static const uint8_t genesis_root_key[] = {'M', '|', 'g', 'e', 'n', 'e', 's', 'i', 's'};

static enum err genesis_load(struct app *app, uint8_t root[HASH_BYTES])
{
    struct overlay *overlay = overlay_begin(app->state, NULL, 0);
    struct batch *batch = &app->batches[0];

    INVARIANT(overlay != NULL);
    TRY(exec_genesis(app->exec, overlay, app->options.genesis));
    TRY(overlay_root(overlay, root));
    kv_batch_init(&batch->batch, &batch->arena);
    TRY(state_apply(overlay, &batch->batch));
    kv_batch_put(&batch->batch, bytes_of(genesis_root_key, sizeof genesis_root_key),
                 bytes_of(root, HASH_BYTES));
    TRY(kv_write(app->options.state, &batch->batch, true));
    state_written(app->state, 0);
    return ERR_OK;
}

static enum err state_begin(struct app *app, struct block_header *block_0)
{
    uint8_t root[HASH_BYTES];
    struct bytes stored;

    if (!state_applied(app->state, &app->applied_height, root)) {
        TRY(genesis_load(app, root));
        app->applied_height = 0;
    } else {
        arena_reset(&app->scratch);
        TRY(kv_get(app->options.state, bytes_of(genesis_root_key, sizeof genesis_root_key),
                   &app->scratch, &stored));
        if (stored.count != HASH_BYTES) {
            return ERR_CORRUPT;
        }
        memcpy(root, stored.at, HASH_BYTES);
    }
    app->written_height = app->applied_height;
    genesis_block_0(app->options.genesis, root, block_0);
    return ERR_OK;
}

enum err app_open(const struct app_options *options, const struct app_ports *ports,
                  struct arena *arena, struct app **out, struct block_header *block_0)
{
    const struct exec_verifier plain = {.verified = app_verify_plain, .key_valid = app_key_valid};
    struct exec_options exec = {.registry = options->registry, .genesis = options->genesis};
    struct app *app = arena_take(arena, sizeof *app);

    if (app == NULL || arena->size - arena->used < app_footprint(options) - sizeof *app) {
        return ERR_NO_SPACE;
    }
    *app = (struct app){.options = *options, .ports = *ports};
    app->parameters = options->genesis->parameters;
    memory_take(app, arena);
    TRY(state_open(&options->overlays, options->state, arena, &app->state));
    TRY(sigcache_init(arena, options->signatures_cached, plain, &app->sigcache));
    exec.state = app->state;
    exec.verifier = sigcache_verifier(app->sigcache);
    TRY(exec_init(arena, &exec, &app->exec));
    TRY(mempool_init(&options->pool, arena, &app->pool));
    TRY(state_begin(app, block_0));
    *out = app;
    return ERR_OK;
}

struct app_port app_port_of(struct app *app)
{
    return (struct app_port){
        .self = app,
        .applied_height = app_applied,
        .execute = app_execute,
        .build = app_build,
        .built = app_built,
        .work = app_work,
        .finalize = app_finalize,
        .admit = app_admit,
        .pending = app_pending,
    };
}

uint64_t app_written_height(const struct app *app)
{
    return app->written_height;
}

const struct mempool *app_pool(const struct app *app)
{
    return app->pool;
}

enum exec_validity app_refusal(const struct app *app)
{
    return app->refusal;
}

void app_check(const struct app *app)
{
    mempool_check(app->pool);
    INVARIANT(app->written_height <= app->applied_height);
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        const struct app_block *block = &app->blocks[i];

        INVARIANT(!block->used || block->overlay != NULL);
        INVARIANT(!block->used || block->header.height > app->applied_height);
        INVARIANT(!block->final || block->used);
    }
}

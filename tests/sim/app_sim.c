#include "tests/sim/app_sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "proto/block.h"

static const uint8_t magic[4] = {'S', 'I', 'M', 'T'};
static const uint8_t applied_key[] = {'M', 'a'};

/* In place of a signature: no other transaction can be made of one in passing. */
static uint64_t tx_check(struct bytes behind)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < behind.count; i++) {
        sum = (sum ^ behind.at[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

void app_tx_write(const struct app_tx *tx, uint8_t *out)
{
    const size_t behind = sizeof magic + 8;
    struct writer writer = writer_of(out, tx->bytes);

    writer_bytes(&writer, magic, sizeof magic);
    writer_u64(&writer, 0);
    writer_u32(&writer, tx->client);
    writer_u32(&writer, tx->number);
    writer_u8(&writer, tx->validity);
    writer_u32(&writer, tx->refused_by);
    writer_u64(&writer, tx->expiry_ms);
    writer_u32(&writer, tx->bytes);
    INVARIANT(!writer.failed && writer.used == APP_TX_HEAD_BYTES);
    memset(out + writer.used, (int)(tx->number & 0xffU), tx->bytes - writer.used);
    writer = writer_of(out + sizeof magic, 8);
    writer_u64(&writer, tx_check(bytes_of(out + behind, tx->bytes - behind)));
}

bool app_tx_read(struct bytes bytes, struct app_tx *out)
{
    struct reader reader = reader_of(bytes);
    const struct bytes head = reader_take(&reader, sizeof magic);
    const uint64_t check = reader_u64(&reader);

    if (reader.failed || check != tx_check(reader.left) || head.count != sizeof magic ||
        memcmp(head.at, magic, sizeof magic) != 0) {
        return false;
    }
    out->client = reader_u32(&reader);
    out->number = reader_u32(&reader);
    out->validity = reader_u8(&reader);
    out->refused_by = reader_u32(&reader);
    out->expiry_ms = reader_u64(&reader);
    out->bytes = reader_u32(&reader);
    return !reader.failed && out->bytes == bytes.count && bytes.count <= APP_TX_BYTES_MAX &&
           out->number != 0;
}

static uint32_t set_place(const struct app_set *set, uint64_t key)
{
    uint64_t mixed = key * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(mixed >> 32) & (set->size - 1);

    while (set->keys[at] != 0 && set->keys[at] != key) {
        at = (at + 1) & (set->size - 1);
    }
    return at;
}

bool app_set_has(const struct app_set *set, uint64_t key)
{
    return set->count != 0 && set->keys[set_place(set, key)] == key;
}

void app_set_add(struct app_set *set, uint64_t key)
{
    uint32_t at;

    INVARIANT(key != 0);
    if (set->count * 2 >= set->size) {
        struct app_set larger = {.size = set->size == 0 ? 256 : set->size * 2};

        larger.keys = calloc(larger.size, sizeof *larger.keys);
        INVARIANT(larger.keys != NULL);
        for (uint32_t i = 0; i < set->size; i++) {
            if (set->keys[i] != 0) {
                larger.keys[set_place(&larger, set->keys[i])] = set->keys[i];
            }
        }
        larger.count = set->count;
        free(set->keys);
        *set = larger;
    }
    at = set_place(set, key);
    set->count += set->keys[at] == 0;
    set->keys[at] = key;
}

void app_set_clear(struct app_set *set)
{
    if (set->count != 0) {
        memset(set->keys, 0, set->size * sizeof *set->keys);
    }
    set->count = 0;
}

void app_set_free(struct app_set *set)
{
    free(set->keys);
    *set = (struct app_set){0};
}

void app_root(const uint8_t parent_root[HASH_BYTES], uint64_t time_ms, struct bytes body,
              uint8_t out[HASH_BYTES])
{
    uint8_t time[8];
    struct writer writer = writer_of(time, sizeof time);
    struct bytes parts[3];

    writer_u64(&writer, time_ms);
    parts[0] = bytes_of(parent_root, HASH_BYTES);
    parts[1] = bytes_of(time, sizeof time);
    parts[2] = body;
    hash_parts(TAG_VAL, parts, 3, out);
}

void app_receipts_root(uint32_t tx_count, uint8_t out[HASH_BYTES])
{
    memset(out, 0, HASH_BYTES);
    out[HASH_BYTES - 1] = (uint8_t)tx_count;
    out[HASH_BYTES - 2] = (uint8_t)(tx_count >> 8);
    out[0] = 1;
}

static void overlay_free(struct app_overlay *overlay)
{
    free(overlay->keys);
    free(overlay->receipts);
    *overlay = (struct app_overlay){0};
}

static struct app_overlay *overlay_find(struct app_sim *app, const uint8_t *hash)
{
    for (uint32_t i = 0; i < app->overlay_count; i++) {
        if (memcmp(app->overlays[i].hash, hash, HASH_BYTES) == 0) {
            return &app->overlays[i];
        }
    }
    return NULL;
}

/* Was the transaction used on the branch that ends in `tip`? */
static bool branch_has(struct app_sim *app, const uint8_t *tip, uint64_t key)
{
    const struct app_overlay *overlay = overlay_find(app, tip);

    while (overlay != NULL) {
        for (uint32_t i = 0; i < overlay->tx_count; i++) {
            if (overlay->keys[i] == key) {
                return true;
            }
        }
        overlay = overlay_find(app, overlay->parent);
    }
    return app_set_has(&app->final_txs, key);
}

static bool executed(struct app_sim *app, const uint8_t *hash)
{
    return memcmp(app->final_hash, hash, HASH_BYTES) == 0 || overlay_find(app, hash) != NULL;
}

static void overlay_begin(struct app_overlay *overlay, uint32_t txs_max)
{
    *overlay = (struct app_overlay){0};
    overlay->keys = malloc((txs_max + 1) * sizeof *overlay->keys);
    INVARIANT(overlay->keys != NULL);
}

/* Receipts: u32 count, then per transaction u32 length 8 and its key. */
static struct bytes overlay_receipts(struct app_overlay *overlay)
{
    const size_t size = 4 + (size_t)overlay->tx_count * 12;
    struct writer writer;

    overlay->receipts = malloc(size);
    INVARIANT(overlay->receipts != NULL);
    writer = writer_of(overlay->receipts, size);
    writer_u32(&writer, overlay->tx_count);
    for (uint32_t i = 0; i < overlay->tx_count; i++) {
        writer_u32(&writer, 8);
        writer_u64(&writer, overlay->keys[i]);
    }
    overlay->result = writer_done(&writer);
    return overlay->result;
}

static void result_fill(struct app_overlay *overlay, const struct block_header *parent,
                        uint64_t time_ms, struct bytes body, struct app_result *out)
{
    *out = (struct app_result){.units_used = overlay->tx_count};
    app_root(parent->state_root, time_ms, body, out->state_root);
    app_receipts_root(overlay->tx_count, out->receipts_root);
    out->receipts = overlay_receipts(overlay);
}

/* Is it valid on this branch, behind the transactions of the overlay so far? */
static bool tx_valid(struct app_sim *app, const struct app_overlay *overlay, const uint8_t *parent,
                     const struct app_tx *tx, uint64_t time_ms)
{
    const uint64_t key = app_tx_key(tx);

    if (tx->validity != 0 || (tx->expiry_ms != 0 && tx->expiry_ms < time_ms)) {
        return false;
    }
    for (uint32_t i = 0; i < overlay->tx_count; i++) {
        if (overlay->keys[i] == key) {
            return false;
        }
    }
    return !branch_has(app, parent, key);
}

static void overlay_keep(struct app_sim *app, struct app_overlay *overlay)
{
    if (app->overlay_count == app->overlay_size) {
        app->overlay_size = app->overlay_size * 2 + 64;
        app->overlays = realloc(app->overlays, app->overlay_size * sizeof *app->overlays);
        INVARIANT(app->overlays != NULL);
    }
    app->overlays[app->overlay_count] = *overlay;
    app->overlay_count += 1;
    *overlay = (struct app_overlay){0};
}

static bool app_execute(void *self, const struct block_header *parent, const uint8_t *parent_hash,
                        const struct block_header *header, const uint8_t *hash, struct bytes body,
                        struct app_result *out)
{
    struct app_sim *app = self;
    struct app_overlay overlay;
    const struct app_overlay *old = overlay_find(app, hash);
    struct bytes left = body;
    struct bytes transaction;
    struct app_tx tx;

    app->ran(app->context);
    if (!executed(app, parent_hash)) {
        app->broken(app->context, "executes a block on a parent that is not executed");
        return false;
    }
    if (parent->height + 1 != header->height) {
        app->broken(app->context, "executes a block whose height does not follow its parent's");
        return false;
    }
    if (old != NULL) { /* asked again: the same answer */
        *out = (struct app_result){.units_used = old->tx_count, .receipts = old->result};
        app_root(parent->state_root, header->time_ms, body, out->state_root);
        app_receipts_root(old->tx_count, out->receipts_root);
        return true;
    }
    overlay_begin(&overlay, header->tx_count);
    memcpy(overlay.hash, hash, HASH_BYTES);
    memcpy(overlay.parent, parent_hash, HASH_BYTES);
    overlay.height = header->height;
    while (block_body_next(&left, &transaction)) {
        if (overlay.tx_count == header->tx_count || !app_tx_read(transaction, &tx) ||
            !tx_valid(app, &overlay, parent_hash, &tx, header->time_ms)) {
            overlay_free(&overlay);
            return false;
        }
        overlay.keys[overlay.tx_count] = app_tx_key(&tx);
        overlay.tx_count += 1;
    }
    result_fill(&overlay, parent, header->time_ms, body, out);
    overlay_keep(app, &overlay);
    return true;
}

static void pool_remove(struct app_sim *app, uint32_t at)
{
    const struct app_pending gone = app->pool[at];

    app->pool_count -= 1;
    memmove(app->pool + at, app->pool + at + 1, (app->pool_count - at) * sizeof *app->pool);
    app->pool[app->pool_count] = gone; /* its buffer is used again */
}

static bool app_build(void *self, const struct block_header *parent, const uint8_t *parent_hash,
                      uint64_t time_ms, uint8_t *body, size_t body_size, size_t *body_count,
                      uint32_t *tx_count, struct app_result *out)
{
    struct app_sim *app = self;
    struct writer writer = writer_of(body, body_size);

    app->ran(app->context);
    overlay_free(&app->building);
    if (!executed(app, parent_hash)) {
        app->broken(app->context, "builds on a parent that is not executed");
        return false;
    }
    overlay_begin(&app->building, app->pool_count);
    memcpy(app->building.parent, parent_hash, HASH_BYTES);
    app->building.height = parent->height + 1;
    for (uint32_t i = 0; i < app->pool_count;) {
        const struct app_tx *tx = &app->pool[i].tx;
        const uint64_t key = app_tx_key(tx);

        if (tx->validity != 0 || (tx->expiry_ms != 0 && tx->expiry_ms < time_ms) ||
            app_set_has(&app->final_txs, key)) {
            pool_remove(app, i); /* it can never pass */
            continue;
        }
        if (app->building.tx_count < app->block_txs_max && !branch_has(app, parent_hash, key) &&
            writer.size - writer.used >= 4 + (size_t)tx->bytes) {
            writer_u32(&writer, tx->bytes);
            writer_bytes(&writer, app->pool[i].bytes, tx->bytes);
            app->building.keys[app->building.tx_count] = key;
            app->building.tx_count += 1;
        }
        i += 1;
    }
    if (app->building.tx_count == 0) {
        overlay_free(&app->building);
        return false;
    }
    *body_count = writer.used;
    *tx_count = app->building.tx_count;
    result_fill(&app->building, parent, time_ms, writer_done(&writer), out);
    return true;
}

static void app_built(void *self, const struct block_header *header, const uint8_t *hash)
{
    struct app_sim *app = self;

    if (app->building.keys == NULL || app->building.tx_count != header->tx_count ||
        memcmp(app->building.parent, header->parent_hash, HASH_BYTES) != 0) {
        app->broken(app->context, "names a block that was not built");
        return;
    }
    if (overlay_find(app, hash) != NULL) {
        overlay_free(&app->building);
        return;
    }
    memcpy(app->building.hash, hash, HASH_BYTES);
    overlay_keep(app, &app->building);
}

/* Waiting through n views on the same tip, a transaction counts as work once a minute (8.6). */
static bool pending_counts(const struct app_sim *app, struct app_pending *pending,
                           const uint8_t *tip_hash, uint64_t cur, uint64_t wall_ms)
{
    if (memcmp(pending->tip, tip_hash, sizeof pending->tip) != 0) {
        memcpy(pending->tip, tip_hash, sizeof pending->tip);
        pending->since_cur = cur;
        pending->counted_ms = 0;
    }
    if (cur < pending->since_cur + app->validators) {
        return true;
    }
    if (pending->counted_ms == 0 || wall_ms - pending->counted_ms >= 60000) {
        pending->counted_ms = wall_ms;
        pending->since_cur = cur; /* as much as one round of leaders */
        return true;
    }
    return false;
}

static void app_work(void *self, const struct block_header *tip, const uint8_t *tip_hash,
                     uint64_t cur, uint64_t wall_ms, bool *present, bool *full)
{
    struct app_sim *app = self;
    const uint64_t time_ms = wall_ms > tip->time_ms ? wall_ms : tip->time_ms + 1;
    uint32_t count = 0;
    size_t bytes = 0;

    for (uint32_t i = 0; i < app->pool_count; i++) {
        const struct app_tx *tx = &app->pool[i].tx;

        if (tx->validity == 0 && (tx->expiry_ms == 0 || tx->expiry_ms >= time_ms) &&
            !branch_has(app, tip_hash, app_tx_key(tx)) &&
            pending_counts(app, &app->pool[i], tip_hash, cur, wall_ms)) {
            count += 1;
            bytes += 4 + tx->bytes;
        }
    }
    *present = count != 0;
    *full = count >= app->block_txs_max || bytes + APP_TX_BYTES_MAX > app->block_bytes_max;
}

static bool on_branch(struct app_sim *app, const struct app_overlay *overlay)
{
    while (overlay != NULL) {
        if (memcmp(overlay->parent, app->final_hash, HASH_BYTES) == 0) {
            return true;
        }
        overlay = overlay_find(app, overlay->parent);
    }
    return false;
}

/* Overlays that do not stand above the final block are of no use any more. */
static void overlays_prune(struct app_sim *app)
{
    for (uint32_t i = app->overlay_count; i > 0; i--) {
        struct app_overlay *overlay = &app->overlays[i - 1];

        if (overlay->height <= app->final_height || !on_branch(app, overlay)) {
            overlay_free(overlay);
            app->overlay_count -= 1;
            *overlay = app->overlays[app->overlay_count];
        }
    }
}

static void store_applied(struct app_sim *app, const struct app_overlay *overlay)
{
    static _Alignas(ARENA_ALIGN) uint8_t memory[1 << 19]; /* the simulator has one thread */
    uint8_t key[9] = {'T'};
    uint8_t value[8 + HASH_BYTES];
    struct arena arena;
    struct kv_batch batch;
    struct writer writer;

    arena_init(&arena, memory, sizeof memory);
    kv_batch_init(&batch, &arena);
    for (uint32_t i = 0; i < overlay->tx_count; i++) {
        writer = writer_of(key + 1, 8);
        writer_u64(&writer, overlay->keys[i]);
        kv_batch_put(&batch, bytes_of(key, sizeof key), bytes_of(NULL, 0));
    }
    writer = writer_of(value, sizeof value);
    writer_u64(&writer, overlay->height);
    writer_bytes(&writer, overlay->hash, HASH_BYTES);
    kv_batch_put(&batch, bytes_of(applied_key, sizeof applied_key), writer_done(&writer));
    INVARIANT(!batch.full);
    err_ignore(kv_write(&app->kv->port, &batch, false), "what is lost is replayed from blocks.db");
}

static void app_finalize(void *self, const struct block_header *header, const uint8_t *hash,
                         struct bytes body)
{
    struct app_sim *app = self;
    struct app_overlay *overlay = overlay_find(app, hash);

    (void)body;
    if (overlay == NULL) {
        app->broken(app->context, "finalizes a block that is not executed");
        return;
    }
    if (header->height != app->final_height + 1 ||
        memcmp(header->parent_hash, app->final_hash, HASH_BYTES) != 0) {
        app->broken(app->context, "finalizes blocks out of order");
        return;
    }
    for (uint32_t i = 0; i < overlay->tx_count; i++) {
        app_set_add(&app->final_txs, overlay->keys[i]);
    }
    store_applied(app, overlay);
    memcpy(app->final_hash, hash, HASH_BYTES);
    app->final_height = header->height;
    for (uint32_t i = app->pool_count; i > 0; i--) {
        const struct app_tx *tx = &app->pool[i - 1].tx;

        if (app_set_has(&app->final_txs, app_tx_key(tx)) ||
            (tx->expiry_ms != 0 && tx->expiry_ms < header->time_ms)) {
            pool_remove(app, i - 1);
        }
    }
    overlays_prune(app);
}

/* What no block may hold gives way, so that it cannot fill a pool for ever. */
static void pool_make_room(struct app_sim *app, uint64_t wall_ms)
{
    for (uint32_t i = 0; i < app->pool_count; i++) {
        const struct app_tx *tx = &app->pool[i].tx;

        if (tx->validity != 0 || (tx->expiry_ms != 0 && tx->expiry_ms < wall_ms)) {
            pool_remove(app, i);
            return;
        }
    }
}

static enum app_admit app_admit(void *self, struct bytes transaction, uint32_t source,
                                uint64_t wall_ms)
{
    struct app_sim *app = self;
    struct app_pending *pending;
    struct app_tx tx;

    (void)source;
    if (!app_tx_read(transaction, &tx)) {
        return APP_MALFORMED;
    }
    if (app_set_has(&app->final_txs, app_tx_key(&tx))) {
        return APP_KNOWN;
    }
    for (uint32_t i = 0; i < app->pool_count; i++) {
        if (app->pool[i].tx.client == tx.client && app->pool[i].tx.number == tx.number) {
            return APP_KNOWN;
        }
    }
    if (tx.validity > 1 || (tx.expiry_ms != 0 && tx.expiry_ms < wall_ms)) {
        return APP_REFUSED;
    }
    if (app->pool_count == app->pool_max) {
        pool_make_room(app, wall_ms);
    }
    if (app->pool_count == app->pool_max || (tx.refused_by >> app->node & 1) != 0) {
        return APP_REFUSED_NOW;
    }
    pending = &app->pool[app->pool_count];
    app->pool_count += 1;
    if (pending->bytes == NULL) {
        pending->bytes = malloc(APP_TX_BYTES_MAX);
        INVARIANT(pending->bytes != NULL);
    }
    *pending = (struct app_pending){.tx = tx, .bytes = pending->bytes};
    memcpy(pending->bytes, transaction.at, transaction.count);
    return APP_ADMITTED;
}

static uint32_t app_pending_list(void *self, struct bytes *out, uint32_t max)
{
    const struct app_sim *app = self;
    const uint32_t count = app->pool_count < max ? app->pool_count : max;

    for (uint32_t i = 0; i < count; i++) {
        out[i] = bytes_of(app->pool[i].bytes, app->pool[i].tx.bytes);
    }
    return count;
}

static uint64_t app_applied_height(void *self)
{
    return ((const struct app_sim *)self)->final_height;
}

/* Read back what the store holds: the applied height and the set of transactions. */
static void store_read(struct app_sim *app)
{
    const struct bytes applied = kv_sim_look(app->kv, bytes_of(applied_key, sizeof applied_key));
    struct kv_cursor *cursor;
    const uint8_t first[] = {'T'};

    if (applied.count != 8 + HASH_BYTES) {
        return;
    }
    {
        struct reader reader = reader_of(applied);

        app->final_height = reader_u64(&reader);
        reader_copy(&reader, app->final_hash, HASH_BYTES);
    }
    cursor = kv_cursor_open(&app->kv->port);
    INVARIANT(cursor != NULL);
    for (cursor->maker->seek(cursor, bytes_of(first, 1)); cursor->maker->valid(cursor);
         cursor->maker->next(cursor)) {
        struct reader reader = reader_of(bytes_after(cursor->maker->key(cursor), 1));

        app_set_add(&app->final_txs, reader_u64(&reader));
    }
    kv_cursor_close(cursor);
}

void app_sim_open(struct app_sim *app, struct kv_sim *kv, const struct app_sim_options *options)
{
    app->port = (struct app_port){.self = app,
                                  .applied_height = app_applied_height,
                                  .execute = app_execute,
                                  .build = app_build,
                                  .built = app_built,
                                  .work = app_work,
                                  .finalize = app_finalize,
                                  .admit = app_admit,
                                  .pending = app_pending_list};
    app->kv = kv;
    app->node = options->node;
    app->validators = options->validators;
    app->pool_max = options->pool_max;
    app->block_txs_max = options->block_txs_max;
    app->block_bytes_max = options->block_bytes_max;
    app->pool_count = 0;
    if (app->pool_size < app->pool_max) {
        app->pool = realloc(app->pool, app->pool_max * sizeof *app->pool);
        INVARIANT(app->pool != NULL);
        memset(app->pool + app->pool_size, 0, (app->pool_max - app->pool_size) * sizeof *app->pool);
        app->pool_size = app->pool_max;
    }
    for (uint32_t i = 0; i < app->overlay_count; i++) {
        overlay_free(&app->overlays[i]);
    }
    app->overlay_count = 0;
    overlay_free(&app->building);
    app_set_clear(&app->final_txs);
    app->final_height = 0;
    memcpy(app->final_hash, options->block_0_hash, HASH_BYTES);
    store_read(app);
}

void app_sim_free(struct app_sim *app)
{
    for (uint32_t i = 0; i < app->overlay_count; i++) {
        overlay_free(&app->overlays[i]);
    }
    free(app->overlays);
    overlay_free(&app->building);
    for (uint32_t i = 0; i < app->pool_size; i++) {
        free(app->pool[i].bytes);
    }
    free(app->pool);
    app_set_free(&app->final_txs);
    *app = (struct app_sim){0};
}

/* Opening a driver: memory, stores, what the application lacks, and the record of own votes (C-1, "Restart"). */
#include <string.h>

#include "base/mutant.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "node/inner.h"

static size_t scratch_bytes(const struct driver_options *options)
{
    const size_t row = (size_t)BLOCK_HEADER_BYTES + options->max_block_bytes;

    return 2 * arena_rounded(row) + (1 << 16) + 2 * arena_rounded(BLOCKS_FINAL_BYTES_MAX);
}

static size_t message_bytes(const struct driver_options *options)
{
    const size_t serve = serve_bytes(options->set->count, options->max_block_bytes);
    const size_t push = (size_t)PUSH_BYTES_MAX + TX_BYTES_MAX;

    return serve > push ? serve : push;
}

size_t driver_footprint(const struct driver_options *options)
{
    const uint32_t n = options->set->count;
    const size_t log = options->log_disk == NULL ? 0 : vote_log_footprint(&options->log);

    return arena_rounded(sizeof(struct driver)) + sx_footprint(n) + log +
           bodies_footprint(options->body_slots, options->max_block_bytes) +
           messages_footprint(n, options->max_block_bytes) +
           sync_footprint(n, options->max_block_bytes) + commit_footprint(n) +
           arena_rounded(scratch_bytes(options)) + arena_rounded(message_bytes(options));
}

static void driver_begin(struct driver *driver, const struct driver_options *options,
                         const struct ports *ports, struct arena *arena)
{
    uint8_t hash[HASH_BYTES];

    driver->ports = *ports;
    driver->own_index = options->own_index;
    driver->n = options->set->count;
    driver->max_block_bytes = options->max_block_bytes;
    driver->random.state = options->seed;
    driver->core_deadline_ms = UINT64_MAX;
    validators_hash(options->set, driver->valset_hash);
    memcpy(driver->params_hash, options->params_hash, HASH_BYTES);
    block_header_hash(&options->block_0, hash);
    validators_order(options->set, hash, &driver->order);
    memcpy(driver->context.chain_id, options->chain_id, HASH_BYTES);
    driver->context.epoch = 1;
    driver->context.set = options->set;
    driver->context.order = &driver->order;
    arena_init(&driver->scratch, arena_must(arena, scratch_bytes(options)), scratch_bytes(options));
    driver->message_size = message_bytes(options);
    driver->message = arena_must(arena, driver->message_size);
    bodies_init(&driver->bodies, arena, options->body_slots, options->max_block_bytes);
    messages_init(driver, arena);
    commit_init(driver, arena);
}

/* 8.8: a log that ends below the sequence in M|final, or an M|final below the newest EPOCH record, is an older copy. */
static bool copy_is_old(const struct driver *driver, const struct vote_log *log)
{
    const struct blocks_final *final = &driver->blocks.final;
    const struct bytes newest = vote_log_newest_epoch(log);
    struct record record;

    if (vote_log_last_seq(log) < final->vote_log_seq && !MUTANT_IS(23)) {
        return true;
    }
    if (newest.count == 0 || !record_decode(newest, (uint16_t)driver->n, &record)) {
        return true;
    }
    return record.epoch > final->epoch ||
           (record.epoch == final->epoch && record.view > final->final_view);
}

/* A log with which nothing may be signed is left alone: it takes no record any more. */
static enum err log_open(struct driver *driver, const struct driver_options *options,
                         struct arena *arena, struct vote_log_found *found)
{
    struct vote_log *log;

    *found = (struct vote_log_found){.state = VOTE_LOG_ABSENT};
    if (options->log_disk == NULL) {
        return ERR_OK;
    }
    INVARIANT(vote_log_record_max(&options->log) >=
              (size_t)1 + BLOCK_HEADER_BYTES + options->max_block_bytes);
    INVARIANT(vote_log_record_max(&options->log) >=
              1 + CANDIDATE_BYTES + certificate_bytes(driver->n));
    TRY(vote_log_open(options->log_disk, &options->log, options->own_key, arena, &log, found));
    if (found->state == VOTE_LOG_WHOLE && !copy_is_old(driver, log)) {
        driver->log = log;
    }
    return ERR_OK;
}

/* Run one final block that the application lacks. */
static enum err replay_one(struct driver *driver, uint64_t height, struct block_header *parent,
                           uint8_t parent_hash[HASH_BYTES])
{
    const struct app_port *app = &driver->ports.app;
    struct app_result result = {0};
    struct block_header header;
    struct bytes row;
    uint8_t hash[HASH_BYTES];

    arena_reset(&driver->scratch);
    TRY(blocks_at(&driver->blocks, height, &driver->scratch, &header, &row));
    if (!hash_equal(header.parent_hash, parent_hash)) {
        return ERR_CORRUPT;
    }
    block_header_hash(&header, hash);
    if (!app->execute(app->self, parent, parent_hash, &header, hash, blocks_body(row), &result)) {
        return ERR_CORRUPT;
    }
    if (!execute_agrees(&header, &result)) {
        driver->ports.tell.diverged(driver->ports.tell.self, &header, &result);
        return ERR_CORRUPT;
    }
    app->finalize(app->self, &header, hash, blocks_body(row));
    *parent = header;
    memcpy(parent_hash, hash, HASH_BYTES);
    return ERR_OK;
}

/* The final blocks above what the application's own store holds; it is written after blocks.db, so never ahead. */
static enum err replay(struct driver *driver)
{
    const struct app_port *app = &driver->ports.app;
    const uint64_t final = driver->blocks.final.height;
    const uint64_t applied = app->applied_height(app->self);
    struct block_header parent;
    struct bytes row;
    uint8_t parent_hash[HASH_BYTES];

    if (applied > final) {
        return ERR_CORRUPT;
    }
    if (applied == final) {
        return ERR_OK;
    }
    arena_reset(&driver->scratch);
    TRY(blocks_at(&driver->blocks, applied, &driver->scratch, &parent, &row));
    block_header_hash(&parent, parent_hash);
    for (uint64_t height = applied + 1; height <= final; height++) {
        const enum err error = replay_one(driver, height, &parent, parent_hash);

        if (error != ERR_OK) {
            return error == ERR_ABSENT ? ERR_CORRUPT : error;
        }
    }
    return ERR_OK;
}

static enum err core_start(struct driver *driver, const struct driver_options *options)
{
    const struct blocks_final *final = &driver->blocks.final;
    struct certificate certificate;
    struct sx_start start = {
        .own_index = options->own_index,
        .epoch = final->epoch,
        .set = options->set,
        .order = &driver->order,
        .params = options->params,
        .final = {.epoch = final->epoch,
                  .view = final->final_view,
                  .parent_view = final->parent_view},
        .final_header = driver->blocks.final_header,
        .earliest_height = driver->blocks.earliest,
        .bodies_max = options->body_slots - options->body_slots / 4, /* the rest is for sync */
        .record_whole = driver->log != NULL,
        .seed = random_next(&driver->random),
    };
    struct sx_event event = {.kind = SX_START, .start = &start};

    memcpy(start.chain_id, options->chain_id, HASH_BYTES);
    memcpy(start.valset_hash, driver->valset_hash, HASH_BYTES);
    memcpy(start.params_hash, options->params_hash, HASH_BYTES);
    memcpy(start.final.block_hash, final->block_hash, HASH_BYTES);
    if (final->certificate.count != 0) {
        if (!certificate_decode(final->certificate, (uint16_t)driver->n, &certificate) ||
            !verify_certificate(&driver->context, &certificate)) {
            return ERR_CORRUPT;
        }
        start.final_certificate = &certificate;
    }
    driver_step(driver, &event);
    return ERR_OK;
}

/* The body of a BLOCK record goes to the pool. */
static void restore_body(struct driver *driver, struct bytes record)
{
    struct block_header header;
    struct body *place;
    struct bytes row = bytes_after(record, 1);
    uint8_t hash[HASH_BYTES];

    if (!block_header_decode(bytes_of(row.at, BLOCK_HEADER_BYTES), &header) ||
        row.count > driver->bodies.row_bytes_max || header.epoch != driver->context.epoch ||
        header.view <= driver->blocks.final.final_view ||
        !block_body_matches(&header, blocks_body(row))) {
        return;
    }
    block_header_hash(&header, hash);
    if (bodies_find(&driver->bodies, hash) != NULL) {
        return;
    }
    place = bodies_place(&driver->bodies, driver->sx, driver->tip.hash);
    if (place != NULL) {
        body_fill(place, &header, hash, row);
        driver_answer_body(driver, hash);
    }
}

/* Every record, oldest first, bodies taken off. */
static enum err core_restore(struct driver *driver)
{
    struct sx_event event = {.kind = SX_RESTORE};
    struct sx_event restored = {.kind = SX_RESTORED};
    struct vote_log_cursor cursor = {0};
    enum err error = ERR_OK;

    while (driver->log != NULL && vote_log_next(driver->log, &cursor, &error)) {
        const bool block = cursor.record.at[0] == RECORD_BLOCK &&
                           cursor.record.count >= (size_t)1 + BLOCK_HEADER_BYTES;

        event.restore.seq = cursor.seq;
        event.restore.record =
            block ? bytes_of(cursor.record.at, (size_t)1 + BLOCK_HEADER_BYTES) : cursor.record;
        if (block) {
            restore_body(driver, cursor.record);
        }
        driver_step(driver, &event);
        driver_deliver(driver);
    }
    if (error == ERR_OK) {
        driver_step(driver, &restored);
    }
    return error;
}

static enum err driver_run_up(struct driver *driver, const struct driver_options *options,
                              struct arena *arena, struct vote_log_found *found)
{
    arena_reset(&driver->scratch);
    TRY(blocks_open(&driver->blocks, options->blocks, &options->block_0, &driver->scratch));
    if (driver->blocks.final.epoch != driver->context.epoch) {
        return ERR_CORRUPT; /* an epoch that this version cannot have come to */
    }
    TRY(log_open(driver, options, arena, found));
    TRY(replay(driver));
    TRY(sx_init(arena, driver->n, &driver->sx));
    sync_init(driver, arena, options->body_slots);
    driver->second_ms = driver_now(driver) + SECOND_MS;
    TRY(core_start(driver, options));
    return core_restore(driver);
}

enum err driver_open(const struct driver_options *options, const struct ports *ports,
                     struct arena *arena, struct driver **out, struct vote_log_found *found)
{
    struct driver *driver;
    enum err error;

    INVARIANT(options->body_slots >= DRIVER_BODY_SLOTS_MIN &&
              options->body_slots <= DRIVER_BODY_SLOTS_MAX);
    *found = (struct vote_log_found){.state = VOTE_LOG_ABSENT};
    if (arena->size - arena->used < driver_footprint(options)) {
        return ERR_NO_SPACE;
    }
    driver = arena_must(arena, sizeof *driver);
    driver_begin(driver, options, ports, arena);
    driver->inside = true;
    error = driver_run_up(driver, options, arena, found);
    if (error == ERR_OK && driver->dead) {
        error = driver->dead_why;
    }
    if (error != ERR_OK) {
        return error;
    }
    driver->started = true;
    driver->work_stale = true;
    driver_leave(driver);
    *out = driver;
    return driver->dead ? driver->dead_why : ERR_OK;
}

void driver_check(const struct driver *driver)
{
    INVARIANT(driver->answer_count <= ANSWERS_MAX && driver->sign_count <= SIGNS_MAX);
    INVARIANT(driver->commits.count <= COMMITS_MAX);
    INVARIANT(!driver->commits.writing || driver->commits.count != 0);
    INVARIANT(driver->log_syncing || driver->dead || driver->sign_count == 0);
    bodies_check(&driver->bodies);
    messages_check(driver);
    sync_check(driver);
    sx_check(driver->sx);
}

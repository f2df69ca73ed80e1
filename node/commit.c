/*
 * C-7: final blocks into blocks.db.  Commits of the core and of sync wait in one line; the first is reduced to what
 * is not final yet when its turn comes, so that they may overlap.
 */
#include <string.h>

#include "crypto/hash.h"
#include "node/inner.h"

size_t commit_footprint(uint32_t validators)
{
    return COMMITS_MAX * arena_rounded((1 + SX_KEEPS_MAX) * certificate_bytes(validators)) +
           arena_rounded(blocks_batch_footprint(SX_COMMITS_MAX, SX_KEEPS_MAX, validators));
}

void commit_init(struct driver *driver, struct arena *arena)
{
    struct commits *commits = &driver->commits;
    const size_t batch = blocks_batch_footprint(SX_COMMITS_MAX, SX_KEEPS_MAX, driver->n);

    for (uint32_t i = 0; i < COMMITS_MAX; i++) {
        commits->jobs[i].memory =
            arena_must(arena, (1 + SX_KEEPS_MAX) * certificate_bytes(driver->n));
    }
    arena_init(&commits->arena, arena_must(arena, batch), batch);
}

bool commit_room(const struct driver *driver)
{
    return driver->commits.count < COMMITS_MAX / 2; /* the rest is the core's */
}

/* A new job at the end of the line, still without blocks. */
struct commit *commit_add(struct driver *driver, const struct candidate *final,
                          struct bytes certificate)
{
    struct commits *commits = &driver->commits;
    struct commit *job;
    uint8_t *memory;

    INVARIANT(commits->count < COMMITS_MAX);
    INVARIANT(certificate.count == certificate_bytes(driver->n));
    job = &commits->jobs[(commits->first + commits->count) % COMMITS_MAX];
    commits->count += 1;
    memory = job->memory;
    *job = (struct commit){.memory = memory, .final = *final};
    memcpy(memory, certificate.at, certificate.count);
    job->certificate = bytes_of(memory, certificate.count);
    return job;
}

/* What the core asks for, copied: `out` is gone with its next step. */
void commit_core(struct driver *driver)
{
    const struct sx_out *out = &driver->out;
    struct commit *job = commit_add(driver, &out->commit_final, out->commit_certificate->encoded);

    job->core = true;
    job->count = out->commit_count;
    for (uint32_t i = 0; i < job->count; i++) {
        memcpy(job->hashes[i], out->commits[i], HASH_BYTES);
    }
    job->keep_count = out->keep_count;
    for (uint32_t i = 0; i < job->keep_count; i++) {
        const struct bytes encoded = out->keeps[i]->encoded;
        uint8_t *copy = job->memory + (1 + i) * certificate_bytes(driver->n);

        INVARIANT(encoded.count == certificate_bytes(driver->n));
        memcpy(copy, encoded.at, encoded.count);
        INVARIANT(
            certificate_decode(bytes_of(copy, encoded.count), (uint16_t)driver->n, &job->keeps[i]));
    }
}

static void commit_pop(struct driver *driver)
{
    struct commits *commits = &driver->commits;

    commits->first = (commits->first + 1) % COMMITS_MAX;
    commits->count -= 1;
}

enum readiness { COMMIT_READY, COMMIT_WAITS, COMMIT_FAILED };

/* Is this block, of which no body is here, final already?  Then it is nothing to wait for. */
static enum readiness block_known(struct driver *driver, const uint8_t *hash)
{
    uint64_t height;
    enum err error;

    arena_reset(&driver->scratch);
    error = blocks_find(&driver->blocks, hash, &driver->scratch, &height);
    if (error == ERR_OK) {
        return COMMIT_READY;
    }
    if (error != ERR_ABSENT) {
        driver_fatal(driver, error, "blocks.db: read");
        return COMMIT_FAILED;
    }
    fetch_add(driver, hash, VALIDATOR_NONE, true);
    return COMMIT_WAITS;
}

/* Collect the blocks of the job that are not final yet, executed, in order. */
static enum readiness commit_collect(struct driver *driver, const struct commit *job)
{
    struct commits *commits = &driver->commits;
    const uint8_t *parent = driver->blocks.final.block_hash;
    const uint64_t final_height = driver->blocks.final.height;

    commits->new_count = 0;
    for (uint32_t i = 0; i < job->count; i++) {
        struct body *body = bodies_find(&driver->bodies, job->hashes[i]);
        enum sx_verdict verdict;

        if (body == NULL) {
            const enum readiness known = block_known(driver, job->hashes[i]);

            if (known != COMMIT_READY) {
                return known;
            }
            continue;
        }
        if (body->header.height <= final_height) {
            continue;
        }
        if (!hash_equal(body->header.parent_hash, parent)) {
            driver_fatal(driver, ERR_CORRUPT, "two certified chains, or a gap in a commit");
            return COMMIT_FAILED;
        }
        verdict = execute_block(driver, body->hash);
        if (verdict == SX_INVALID) {
            driver_fatal(driver, ERR_CORRUPT, "execution contradicts a final block");
            return COMMIT_FAILED;
        }
        INVARIANT(verdict == SX_VALID); /* its parent is final or was executed just now */
        commits->news[commits->new_count] = body;
        commits->new_count += 1;
        parent = body->hash;
    }
    return COMMIT_READY;
}

/* Does the job say anything that M|final does not?  A contradiction is two certified chains (8.15). */
static enum readiness commit_needed(struct driver *driver, const struct commit *job, bool *needed)
{
    const struct commits *commits = &driver->commits;
    const struct blocks_final *final = &driver->blocks.final;
    const uint8_t *last =
        commits->new_count == 0 ? final->block_hash : commits->news[commits->new_count - 1]->hash;

    *needed = job->final.epoch == final->epoch && job->final.view > final->final_view;
    if ((!*needed && commits->new_count != 0) ||
        (*needed && !hash_equal(last, job->final.block_hash))) {
        driver_fatal(driver, ERR_CORRUPT, "two certified chains");
        return COMMIT_FAILED;
    }
    return COMMIT_READY;
}

/* Build the batch of the first job and give it to the disk. */
static void commit_write(struct driver *driver, const struct commit *job)
{
    struct commits *commits = &driver->commits;
    const struct certificate *keeps[SX_KEEPS_MAX];
    struct blocks_final *final = &commits->final;

    for (uint32_t i = 0; i < commits->new_count; i++) {
        struct body *body = commits->news[i];

        body->pins += 1;
        commits->rows[i] = (struct blocks_new){
            .header = body->header, .row = body_row(body), .receipts = body->result.receipts};
        memcpy(commits->rows[i].hash, body->hash, HASH_BYTES);
    }
    for (uint32_t i = 0; i < job->keep_count; i++) {
        keeps[i] = &job->keeps[i];
    }
    *final = driver->blocks.final;
    commits->header = driver->blocks.final_header;
    if (commits->new_count != 0) {
        const struct body *last = commits->news[commits->new_count - 1];

        commits->header = last->header;
        final->height = last->header.height;
        final->history = last->history;
    }
    final->epoch = job->final.epoch;
    final->final_view = job->final.view;
    final->parent_view = job->final.parent_view;
    memcpy(final->block_hash, job->final.block_hash, HASH_BYTES);
    final->certificate = job->certificate;
    final->vote_log_seq = driver->log == NULL ? 0 : vote_log_durable_seq(driver->log);
    arena_reset(&commits->arena);
    kv_batch_init(&commits->batch, &commits->arena);
    blocks_commit(&driver->blocks, &commits->batch, commits->rows, commits->new_count, final, keeps,
                  job->keep_count);
    INVARIANT(!commits->batch.full);
    commits->writing = true;
    driver->last_ticket += 1;
    commits->ticket = driver->last_ticket;
    driver->ports.disk.write(driver->ports.disk.self, driver->blocks.kv, &commits->batch, true,
                             commits->ticket);
}

/* Begin the next commit; true if something else is to be done first. */
bool commit_run(struct driver *driver)
{
    struct commits *commits = &driver->commits;
    const struct commit *job = &commits->jobs[commits->first];
    bool needed;

    if (commits->writing || commits->count == 0 || commit_collect(driver, job) != COMMIT_READY ||
        commit_needed(driver, job, &needed) != COMMIT_READY) {
        return false;
    }
    if (needed) {
        commit_write(driver, job);
        return false;
    }
    if (job->core) {
        (void)driver_answer(driver, SX_COMMITTED); /* with what is final by now */
    }
    commit_pop(driver);
    return true;
}

/* The batch is durable: the application, then clients, then the core. */
static void commit_done(struct driver *driver)
{
    struct commits *commits = &driver->commits;
    const struct app_port *app = &driver->ports.app;
    const struct tell_port *tell = &driver->ports.tell;
    struct certificate certificate;

    blocks_committed(&driver->blocks, &commits->final, &commits->header);
    INVARIANT(
        certificate_decode(driver->blocks.final.certificate, (uint16_t)driver->n, &certificate));
    for (uint32_t i = 0; i < commits->new_count; i++) {
        const struct body *body = commits->news[i];

        app->finalize(app->self, &body->header, body->hash, body_bytes(body));
        tell->final(tell->self, &body->header, body->hash, body_bytes(body), body->result.receipts,
                    &certificate);
    }
    for (uint32_t i = 0; i < commits->new_count; i++) {
        INVARIANT(commits->news[i]->pins > 0);
        commits->news[i]->pins -= 1;
    }
    bodies_exclude(&driver->bodies, driver->blocks.final.final_view);
    sync_committed(driver);
    driver->work_stale = true;
    (void)driver_answer(driver, SX_COMMITTED);
    commits->writing = false;
    commit_pop(driver);
}

void driver_written(struct driver *driver, uint64_t ticket, enum err error)
{
    if (!driver_enter(driver)) {
        return;
    }
    INVARIANT(driver->commits.writing && ticket == driver->commits.ticket);
    if (error != ERR_OK) {
        driver_fatal(driver, error, "blocks.db: write");
    } else {
        commit_done(driver);
    }
    driver_leave(driver);
}

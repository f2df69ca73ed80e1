/* The loop of the driver, and the order of duties: execute, durable, send, commit, tell. */
#include "node/driver.h"

#include <string.h>

#include "base/mutant.h"
#include "base/reader.h"
#include "crypto/hash.h"
#include "node/inner.h"

uint64_t driver_now(const struct driver *driver)
{
    return driver->ports.clock.now_ms(driver->ports.clock.self);
}

/* The machine failed (A9, A10): say so once, and do nothing more. */
void driver_fatal(struct driver *driver, enum err error, const char *what)
{
    if (!driver->dead) {
        driver->dead = true;
        driver->dead_why = error;
        driver->ports.tell.fatal(driver->ports.tell.self, error, what);
    }
}

/* ---- answers to the core ---- */

struct answer *driver_answer(struct driver *driver, enum sx_event_kind kind)
{
    struct answer *answer;

    INVARIANT(driver->answer_count < ANSWERS_MAX);
    answer = &driver->answers[(driver->answer_first + driver->answer_count) % ANSWERS_MAX];
    driver->answer_count += 1;
    answer->kind = kind;
    return answer;
}

void driver_answer_body(struct driver *driver, const uint8_t *hash)
{
    memcpy(driver_answer(driver, SX_BODY)->body, hash, HASH_BYTES);
}

/* ---- what the core asks for ---- */

/* Execute. */
static void obey_execute(struct driver *driver)
{
    const struct sx_out *out = &driver->out;

    for (uint32_t i = 0; i < out->execute_count; i++) {
        const enum sx_verdict verdict = execute_block(driver, out->executes[i].block);
        struct answer *answer = driver_answer(driver, SX_EXECUTED);

        memcpy(answer->executed.block, out->executes[i].block, HASH_BYTES);
        answer->executed.verdict = verdict;
        driver->work_stale = true;
    }
    if (out->build.wanted) {
        execute_build(driver, out->build.view, out->build.time_ms, out->build.parent);
    }
}

/* The body that follows a record or a message; empty if it is not here. */
static struct bytes body_behind(const struct driver *driver, const uint8_t *block)
{
    const struct body *body = block == NULL ? NULL : bodies_find(&driver->bodies, block);

    return body == NULL ? (struct bytes){0} : body_bytes(body);
}

/* Does a signature wait for a record of this type?  Others become durable with the next one, or in a second. */
static bool record_urgent(uint8_t type)
{
    return type == RECORD_NOTARIZE || type == RECORD_NULLIFY || type == RECORD_FINALIZE;
}

/* Durable: append, and say so once a sync is done; without a log there is nothing to wait for. */
static void obey_records(struct driver *driver)
{
    const struct sx_out *out = &driver->out;

    for (uint32_t i = 0; i < out->record_count && !driver->dead; i++) {
        const struct bytes record = out->records[i].record;
        const struct bytes body =
            MUTANT_IS(318) ? (struct bytes){0} : body_behind(driver, out->records[i].body);
        enum err error;

        if (driver->log == NULL) {
            driver_answer(driver, SX_RECORDED)->recorded_seq = out->records[i].seq;
            continue;
        }
        error = vote_log_append(driver->log, out->records[i].seq, record, body);
        if (error != ERR_OK) {
            driver_fatal(driver, error, "vote log: append");
        }
        if (MUTANT_IS(3)) {
            driver_answer(driver, SX_RECORDED)->recorded_seq = out->records[i].seq;
        }
        driver->log_wanted = driver->log_wanted || record_urgent(record.at[0]);
    }
}

static bool record_durable(const struct driver *driver, uint64_t seq)
{
    return MUTANT_IS(3) || driver->log == NULL || seq <= vote_log_durable_seq(driver->log);
}

static void sign(struct driver *driver, uint32_t request, struct bytes statement)
{
    struct answer *answer = driver_answer(driver, SX_SIGNED);

    INVARIANT(driver->log != NULL); /* a core that records nothing signs nothing */
    answer->signed_.request = request;
    answer->signed_.done =
        driver->ports.signer.sign(driver->ports.signer.self, statement, answer->signed_.signature);
}

static void obey_signs(struct driver *driver)
{
    const struct sx_out *out = &driver->out;

    for (uint32_t i = 0; i < out->sign_count; i++) {
        struct sign_wait *wait;

        INVARIANT(out->signs[i].statement.count == STATEMENT_BYTES);
        if (record_durable(driver, out->signs[i].after_seq)) {
            sign(driver, out->signs[i].request, out->signs[i].statement);
            continue;
        }
        INVARIANT(driver->sign_count < SIGNS_MAX);
        wait = &driver->signs[driver->sign_count];
        driver->sign_count += 1;
        wait->request = out->signs[i].request;
        wait->after_seq = out->signs[i].after_seq;
        memcpy(wait->statement, out->signs[i].statement.at, STATEMENT_BYTES);
        driver->log_wanted = true;
    }
}

/* A sync is done: sign what waited for it, in order. */
static void signs_release(struct driver *driver)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < driver->sign_count; i++) {
        if (record_durable(driver, driver->signs[i].after_seq)) {
            sign(driver, driver->signs[i].request,
                 bytes_of(driver->signs[i].statement, STATEMENT_BYTES));
        } else {
            driver->signs[kept] = driver->signs[i];
            kept += 1;
        }
    }
    driver->sign_count = kept;
}

/* Send.  Decision 4: what a message depends on is durable before it leaves. */
static void obey_sends(struct driver *driver)
{
    const struct sx_out *out = &driver->out;
    const struct net_port *net = &driver->ports.net;

    for (uint32_t i = 0; i < out->send_count; i++) {
        const struct bytes message = out->sends[i].message;
        const uint8_t *block = out->sends[i].body;
        const uint32_t to = out->sends[i].to;
        uint8_t channel;

        INVARIANT(message.count != 0);
        INVARIANT(record_durable(driver, out->sends[i].after_seq));
        if (block != NULL && bodies_find(&driver->bodies, block) == NULL) {
            continue; /* its body had to give place: a proposal without it would serve nobody */
        }
        channel = to == SX_TO_FULL_NODES ? 3 : wire_channel(message.at[0]);
        net->send(net->self, to, channel, message, body_behind(driver, block));
    }
}

static void obey_fetches(struct driver *driver)
{
    const struct sx_out *out = &driver->out;

    for (uint32_t i = 0; i < out->fetch_count; i++) {
        if (bodies_find(&driver->bodies, out->fetches[i].block) != NULL) {
            driver_answer_body(driver, out->fetches[i].block);
        } else {
            fetch_add(driver, out->fetches[i].block, out->fetches[i].peer, false);
        }
    }
}

static void obey_tells(struct driver *driver)
{
    const struct sx_out *out = &driver->out;
    const struct tell_port *tell = &driver->ports.tell;

    if (out->tip.changed) {
        driver->tip.known = out->tip.known;
        driver->tip.cur = out->tip.cur;
        if (out->tip.known) {
            memcpy(driver->tip.hash, out->tip.block, HASH_BYTES);
        }
        driver->work_stale = true;
        driver->work_told = false;
    }
    if (out->evidence.first != NULL && tell->evidence != NULL) {
        tell->evidence(tell->self, out->evidence.first, out->evidence.second);
    }
    if (out->report.what != SX_REPORT_NONE) {
        tell->report(tell->self, out->report.what, out->report.view);
    }
    if (out->free_seq != 0 && driver->log != NULL) {
        const enum err error = vote_log_free(driver->log, out->free_seq);

        if (error != ERR_OK) {
            driver_fatal(driver, error, "vote log: remove");
        }
    }
}

static void obey(struct driver *driver)
{
    driver->core_deadline_ms = driver->out.deadline_ms;
    obey_execute(driver);
    obey_records(driver);
    if (driver->dead) {
        return;
    }
    obey_signs(driver);
    obey_sends(driver);
    obey_fetches(driver);
    if (driver->out.commit_certificate != NULL) {
        commit_core(driver);
    }
    obey_tells(driver);
}

/* One event, and all that did not fit into one step. */
void driver_step(struct driver *driver, struct sx_event *event)
{
    struct sx_event more = {.kind = SX_MORE};

    for (uint32_t steps = 0; !driver->dead; steps++) {
        INVARIANT(steps < MORE_MAX);
        event->now_ms = driver_now(driver);
        event->wall_ms = driver->ports.clock.wall_ms(driver->ports.clock.self);
        sx_step(driver->sx, event, &driver->out);
        obey(driver);
        if (!driver->out.more) {
            return;
        }
        event = &more;
    }
}

/* ---- the queue of answers ---- */

static void deliver_committed(struct driver *driver)
{
    const struct blocks_final *final = &driver->blocks.final;
    struct sx_event event = {.kind = SX_COMMITTED};

    event.committed.final = (struct candidate){
        .epoch = final->epoch, .view = final->final_view, .parent_view = final->parent_view};
    memcpy(event.committed.final.block_hash, final->block_hash, HASH_BYTES);
    event.committed.header = driver->blocks.final_header;
    event.committed.certificate = final->certificate;
    driver_step(driver, &event);
}

static void deliver_body(struct driver *driver, const uint8_t *hash)
{
    const struct body *body = bodies_find(&driver->bodies, hash);
    struct sx_event event = {.kind = SX_BODY};
    struct block_header header;

    if (body == NULL) {
        return; /* it was excluded or had to give place meanwhile */
    }
    header = body->header;
    event.body.block = hash;
    event.body.header = &header;
    driver_step(driver, &event);
}

static void deliver(struct driver *driver, const struct answer *answer)
{
    struct sx_event event = {.kind = answer->kind};

    switch (answer->kind) {
    case SX_BUILT:
        event.built.view = answer->built.view;
        event.built.header = answer->built.built ? &answer->built.header : NULL;
        break;
    case SX_EXECUTED:
        event.executed.block = answer->executed.block;
        event.executed.verdict = answer->executed.verdict;
        break;
    case SX_BODY:
        deliver_body(driver, answer->body);
        return;
    case SX_RECORDED:
        event.recorded_seq = answer->recorded_seq;
        break;
    case SX_SIGNED:
        event.signed_.request = answer->signed_.request;
        event.signed_.signature = answer->signed_.done ? answer->signed_.signature : NULL;
        break;
    case SX_WORK:
        event.work.tip = answer->work.tip;
        event.work.present = answer->work.present;
        event.work.full = answer->work.full;
        break;
    case SX_COMMITTED:
        deliver_committed(driver);
        return;
    case SX_START:
    case SX_RESTORE:
    case SX_RESTORED:
    case SX_SESSION:
    case SX_MESSAGE:
    case SX_TICK:
    case SX_MORE:
        invariant_fail("no answer", __FILE__, __LINE__);
    }
    driver_step(driver, &event);
}

static void deliver_all(struct driver *driver)
{
    for (uint32_t turns = 0; driver->answer_count != 0 && !driver->dead; turns++) {
        const struct answer answer = driver->answers[driver->answer_first];

        INVARIANT(turns < TURNS_MAX);
        driver->answer_first = (driver->answer_first + 1) % ANSWERS_MAX;
        driver->answer_count -= 1;
        deliver(driver, &answer);
    }
}

/* ---- duties between events ---- */

/* Ask for a sync if something waits for it and none is under way. */
static void log_run(struct driver *driver)
{
    if (driver->log == NULL || driver->log_syncing || !driver->log_wanted) {
        return;
    }
    driver->log_sync = vote_log_sync_begin(driver->log);
    driver->log_wanted =
        driver->log_sync.seq != 0 && driver->log_sync.seq != vote_log_last_seq(driver->log);
    if (driver->log_sync.seq != 0) {
        driver->log_syncing = true;
        driver->ports.disk.sync(driver->ports.disk.self, &driver->log_sync);
    }
}

/* 8.6, 3 to 5: what could an honest leader put on the tip?  True if the core was told something new. */
static bool work_run(struct driver *driver)
{
    const struct app_port *app = &driver->ports.app;
    struct block_header header;
    struct history history;
    struct answer *answer;
    bool present = false;
    bool full = false;

    if (!driver->work_stale) {
        return false;
    }
    driver->work_stale = false;
    if (!driver->tip.known || !execute_parent(driver, driver->tip.hash, &header, &history)) {
        return false;
    }
    app->work(app->self, &header, driver->tip.hash, driver->tip.cur,
              driver->ports.clock.wall_ms(driver->ports.clock.self), &present, &full);
    if (driver->work_told && hash_equal(driver->work_tip, driver->tip.hash) &&
        driver->work_present == present && driver->work_full == full) {
        return false;
    }
    driver->work_told = true;
    driver->work_present = present;
    driver->work_full = full;
    memcpy(driver->work_tip, driver->tip.hash, HASH_BYTES);
    answer = driver_answer(driver, SX_WORK);
    memcpy(answer->work.tip, driver->tip.hash, HASH_BYTES);
    answer->work.present = present;
    answer->work.full = full;
    return true;
}

/* Until nothing is left to do now. */
static void run(struct driver *driver)
{
    for (uint32_t turns = 0; !driver->dead; turns++) {
        INVARIANT(turns < TURNS_MAX);
        deliver_all(driver);
        if (driver->dead) {
            return;
        }
        log_run(driver);
        if (!work_run(driver) && !commit_run(driver) && !sync_run(driver) &&
            driver->answer_count == 0) {
            return;
        }
    }
}

static void arm(struct driver *driver)
{
    uint64_t deadline = driver->core_deadline_ms;

    deadline = driver->second_ms < deadline ? driver->second_ms : deadline;
    if (sync_deadline(driver) < deadline) {
        deadline = sync_deadline(driver);
    }
    driver->ports.clock.arm(driver->ports.clock.self, deadline);
}

/* Restored records are the core's before anything else happens. */
void driver_deliver(struct driver *driver)
{
    deliver_all(driver);
}

/* ---- calls from outside ---- */

bool driver_enter(struct driver *driver)
{
    INVARIANT(!driver->inside); /* no port answers from inside the call that asked it */
    if (driver->dead) {
        return false;
    }
    driver->inside = true;
    return true;
}

void driver_leave(struct driver *driver)
{
    run(driver);
    driver->inside = false;
    if (!driver->dead) {
        arm(driver);
    }
}

void driver_tick(struct driver *driver)
{
    struct sx_event event = {.kind = SX_TICK};
    const uint64_t now = driver_now(driver);
    bool due;

    if (!driver_enter(driver)) {
        return;
    }
    due = now >= driver->core_deadline_ms;
    if (now >= driver->second_ms) {
        due = true;
        driver->second_ms = now + SECOND_MS;
        driver->work_stale = true;
        if (driver->log != NULL &&
            vote_log_last_seq(driver->log) > vote_log_durable_seq(driver->log)) {
            driver->log_wanted = true;
        }
        push_second(driver);
    }
    sync_tick(driver);
    if (due) {
        driver_step(driver, &event);
    }
    driver_leave(driver);
}

void driver_session(struct driver *driver, uint32_t peer, enum sx_session what)
{
    struct sx_event event = {.kind = SX_SESSION};
    struct peer *entry = peer_of(driver, peer);

    if (entry == NULL || !driver_enter(driver)) {
        return;
    }
    if (what == SX_SESSION_OPENED) {
        *entry = (struct peer){.open = true, .ranges = entry->ranges};
    }
    if (what == SX_SESSION_CLOSED) {
        entry->open = false;
        sync_closed(driver, peer);
    }
    if (peer_is_validator(driver, peer)) {
        event.session.peer = peer;
        event.session.what = what;
        driver_step(driver, &event);
    }
    if (what == SX_SESSION_OPENED) {
        push_opened(driver, peer);
        if (!peer_is_validator(driver, peer)) {
            messages_status_to(driver, peer);
        }
    }
    driver_leave(driver);
}

enum app_admit driver_submit(struct driver *driver, struct bytes transaction)
{
    const struct app_port *app = &driver->ports.app;
    enum app_admit admit;

    if (!driver_enter(driver)) {
        return APP_REFUSED_NOW;
    }
    admit = app->admit(app->self, transaction, PEER_CLIENT,
                       driver->ports.clock.wall_ms(driver->ports.clock.self));
    if (admit == APP_ADMITTED) {
        push_new(driver, transaction, PEER_CLIENT);
    }
    driver_leave(driver);
    return admit;
}

void driver_admitted(struct driver *driver, struct bytes transaction, uint32_t source)
{
    if (driver_enter(driver)) {
        push_new(driver, transaction, source);
        driver_leave(driver);
    }
}

void driver_work_changed(struct driver *driver)
{
    if (driver_enter(driver)) {
        driver->work_stale = true;
        driver_leave(driver);
    }
}

void driver_log_synced(struct driver *driver, enum err error)
{
    if (!driver_enter(driver)) {
        return;
    }
    INVARIANT(driver->log_syncing);
    driver->log_syncing = false;
    if (error != ERR_OK) {
        driver_fatal(driver, error, "vote log: sync");
        driver_leave(driver);
        return;
    }
    vote_log_sync_end(driver->log, &driver->log_sync);
    if (!MUTANT_IS(3)) {
        driver_answer(driver, SX_RECORDED)->recorded_seq = driver->log_sync.seq;
    }
    signs_release(driver);
    driver_leave(driver);
}

void driver_summary(const struct driver *driver, struct sx_summary *out)
{
    sx_summary(driver->sx, out);
}

const struct blocks *driver_blocks(const struct driver *driver)
{
    return &driver->blocks;
}

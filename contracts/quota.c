#include "contracts/quota.h"

#include <string.h>

#include "base/checked.h"
#include "contracts/machine.h"
#include "contracts/nonce.h"
#include "proto/params.h"

enum { HOUR_MS = 3600000 };

/* -- One bucket. -- */

static int64_t quota_capacity(struct quota_rate rate)
{
    return rate.capacity > INT64_MAX ? INT64_MAX : (int64_t)rate.capacity;
}

int64_t quota_level(int64_t level, uint64_t last_at_ms, uint64_t now_ms, struct quota_rate rate)
{
    const uint64_t elapsed_ms = now_ms > last_at_ms ? now_ms - last_at_ms : 0;
    const int64_t capacity = quota_capacity(rate);
    const wide_t missing = (wide_t)capacity - level;

    if (missing <= 0) {
        return capacity;
    }
    /* Full before the product below could leave its 128 bits. */
    if (rate.refill_per_s != 0 && elapsed_ms > missing * 1000 / rate.refill_per_s) {
        return capacity;
    }
    return (int64_t)(level + (wide_t)elapsed_ms * rate.refill_per_s / 1000);
}

int64_t quota_take(int64_t level, uint64_t units)
{
    const wide_t after = (wide_t)level - units;

    return after < INT64_MIN ? INT64_MIN : (int64_t)after;
}

/* -- Rates of the parameters. -- */

static struct quota_rate rate_of(const Chain__QuotaClass *quota)
{
    if (quota == NULL) {
        return (struct quota_rate){0};
    }
    return (struct quota_rate){.capacity = quota->capacity, .refill_per_s = quota->refill_per_s};
}

static struct quota_rate class_rate(const struct exec *exec, uint32_t quota_class)
{
    for (size_t i = 0; i < exec->parameters->n_quota_classes; i++) {
        if (exec->parameters->quota_classes[i]->quota_class == quota_class) {
            return rate_of(exec->parameters->quota_classes[i]);
        }
    }
    return rate_of(NULL);
}

/* -- Rows. -- */

/* The level of an account now.  Class 3 is counted downwards without limit. */
static int64_t usage_level(const struct exec *exec, const Core__Usage *row)
{
    if (row->quota_class == QUOTA_WITHOUT_LIMIT) {
        return row->level;
    }
    return quota_level(row->level, row->last_at_ms, exec->host.time_ms,
                       class_rate(exec, row->quota_class));
}

static bool usage_load(struct exec *exec, ProtobufCBinaryData account, Core__Usage *out)
{
    const Core__Usage *row = core_usage_get(&exec->host, &(Core__Usage){.account = account});

    if (row == NULL) {
        return false;
    }
    *out = *row;
    return true;
}

/* A cooperative that has used nothing has both buckets full. */
static Core__CoopUsage coop_load(struct exec *exec, uint64_t coop)
{
    const uint64_t now_ms = exec->host.time_ms;
    const struct quota_rate own = rate_of(exec->parameters->coop_quota);
    const struct quota_rate public = rate_of(exec->parameters->public_lane);
    const Core__CoopUsage *row = core_coop_usage_get(&exec->host, &(Core__CoopUsage){.coop = coop});

    if (row == NULL) {
        return (Core__CoopUsage){
            .coop = coop,
            .level = quota_capacity(own),
            .last_at_ms = now_ms,
            .public_level = quota_capacity(public),
            .public_last_at_ms = now_ms,
        };
    }
    return (Core__CoopUsage){
        .coop = coop,
        .level = quota_level(row->level, row->last_at_ms, now_ms, own),
        .last_at_ms = now_ms,
        .public_level = quota_level(row->public_level, row->public_last_at_ms, now_ms, public),
        .public_last_at_ms = now_ms,
    };
}

void quota_class_set(struct host *host, ProtobufCBinaryData account, uint32_t quota_class)
{
    struct exec *exec = host->exec;
    Core__Usage row = {.account = account};

    if (usage_load(exec, account, &row) && row.quota_class == quota_class) {
        return;
    }
    row.quota_class = quota_class;
    row.last_at_ms = host->time_ms;
    row.level =
        quota_class == QUOTA_WITHOUT_LIMIT ? 0 : quota_capacity(class_rate(exec, quota_class));
    core_usage_put(host, &row);
}

/* -- What a transaction must find before it runs. -- */

/* Which buckets of cooperatives the actions charge. */
static void buckets_find(struct exec *exec)
{
    exec->bucket_count = 0;
    for (uint32_t i = 0; i < exec->planned_count; i++) {
        struct planned *planned = &exec->planned[i];
        enum registry_bucket kind;
        uint64_t coop;
        uint32_t place = 0;

        if (!action_coop(planned, &coop)) {
            continue;
        }
        while (place < exec->bucket_count && exec->buckets[place].coop != coop) {
            place += 1;
        }
        if (place == exec->bucket_count) {
            kind = exec->registry->bucket(&exec->host, coop, exec->host.payer);
            exec->buckets[place] = (struct quota_bucket){.coop = coop, .kind = kind};
            exec->bucket_count += 1;
        }
        planned->bucket = place;
    }
}

/* Does every bucket hold the sum of what the actions ask of it, those granted left out? */
static bool buckets_hold(struct exec *exec, const Core__Usage *payer)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < exec->bucket_count; i++) {
        exec->buckets[i].price = 0;
    }
    for (uint32_t i = 0; i < exec->planned_count; i++) {
        const struct planned *planned = &exec->planned[i];

        if (!planned->granted) {
            sum += planned->price;
        }
        if (!planned->granted && planned->bucket != MACHINE_NO_BUCKET) {
            exec->buckets[planned->bucket].price += planned->price;
        }
    }
    if (sum != 0 && payer->quota_class != QUOTA_WITHOUT_LIMIT &&
        usage_level(exec, payer) < (int64_t)sum) {
        return false;
    }
    for (uint32_t i = 0; i < exec->bucket_count; i++) {
        const struct quota_bucket *bucket = &exec->buckets[i];
        const Core__CoopUsage row = coop_load(exec, bucket->coop);
        const int64_t level = bucket->kind == REGISTRY_OWN ? row.level : row.public_level;

        if (bucket->price != 0 && bucket->kind != REGISTRY_NO_BUCKET &&
            level < (int64_t)bucket->price) {
            return false;
        }
    }
    return true;
}

static uint64_t block_hour(const struct exec *exec)
{
    return exec->host.time_ms / HOUR_MS;
}

/* How many reserve actions this account has used in this hour of block time. */
static uint64_t reserve_used(const struct exec *exec, const Core__Usage *row)
{
    return row->reserve_hour == block_hour(exec) ? row->reserve_used : 0;
}

/*
 * No empty bucket stops a reserve action, two an hour and account (parameter reserve_actions_per_hour): those of
 * the actor, who signed.  The grant is used only where a bucket would stop the transaction.
 */
static void reserve_grant(struct exec *exec)
{
    for (uint32_t i = 0; i < exec->planned_count; i++) {
        struct planned *planned = &exec->planned[i];
        uint64_t used;
        Core__Usage row;

        if (planned->request == NULL || !planned->action->reserve ||
            !signers_authorise(&exec->host, planned->actor) ||
            !usage_load(exec, planned->actor, &row)) {
            continue;
        }
        used = reserve_used(exec, &row);
        for (uint32_t k = 0; k < i; k++) {
            if (exec->planned[k].granted && id_equal(exec->planned[k].actor, planned->actor)) {
                used += 1;
            }
        }
        planned->granted = used < exec->parameters->reserve_actions_per_hour;
    }
}

bool quota_holds(struct exec *exec, const Core__Usage *payer)
{
    buckets_find(exec);
    if (buckets_hold(exec, payer)) {
        return true;
    }
    reserve_grant(exec);
    return buckets_hold(exec, payer);
}

/* -- Nonces: in the same row. -- */

void quota_window(const Core__Usage *row, uint32_t lane, struct nonce_window *out)
{
    *out = (struct nonce_window){.first = 0};
    for (size_t i = 0; i < row->n_lanes; i++) {
        if (row->lanes[i]->lane == lane) {
            out->first = row->lanes[i]->first;
            if (row->lanes[i]->bitmap.len == NONCE_BITMAP_BYTES) {
                memcpy(out->bitmap, row->lanes[i]->bitmap.data, NONCE_BITMAP_BYTES);
            }
            return;
        }
    }
}

/* The lanes of `row` with one of them replaced or added, in the host's arena. */
static void lanes_set(struct exec *exec, Core__Usage *row, const Core__Lane *lane)
{
    Core__Lane **lanes = arena_must(exec->host.arena, (row->n_lanes + 1) * sizeof *lanes);
    Core__Lane *copy = arena_must(exec->host.arena, sizeof *copy);
    size_t count = 0;
    size_t i = 0;

    *copy = *lane;
    while (i < row->n_lanes && row->lanes[i]->lane < lane->lane) {
        lanes[count] = row->lanes[i];
        count += 1;
        i += 1;
    }
    lanes[count] = copy;
    count += 1;
    if (i < row->n_lanes && row->lanes[i]->lane == lane->lane) {
        i += 1;
    }
    while (i < row->n_lanes) {
        lanes[count] = row->lanes[i];
        count += 1;
        i += 1;
    }
    row->lanes = lanes;
    row->n_lanes = count;
}

static void nonce_charge(struct exec *exec, const struct tx *tx, Core__Usage *row)
{
    struct nonce_window *window = arena_must(exec->host.arena, sizeof *window);
    Core__Lane lane = {.lane = tx->body->lane};

    quota_window(row, lane.lane, window);
    if (nonce_usable(window, tx->body->nonce)) {
        nonce_use(window, tx->body->nonce);
    }
    lane.first = window->first;
    if (!nonce_unused(window)) {
        lane.bitmap = machine_field(bytes_of(window->bitmap, NONCE_BITMAP_BYTES));
    }
    lanes_set(exec, row, &lane);
}

/* -- What it leaves behind when it has run. -- */

static void payer_charge(struct exec *exec, const struct tx *tx)
{
    Core__Usage row;

    if (!usage_load(exec, exec->host.payer, &row)) {
        return; /* a fault of the machine: nobody deletes usage rows */
    }
    row.level = quota_take(usage_level(exec, &row), exec->host.units);
    row.last_at_ms = exec->host.time_ms;
    nonce_charge(exec, tx, &row);
    core_usage_put(&exec->host, &row);
}

static void reserve_charge(struct exec *exec)
{
    for (uint32_t i = 0; i < exec->planned_count; i++) {
        Core__Usage row;

        if (!exec->planned[i].granted || !usage_load(exec, exec->planned[i].actor, &row)) {
            continue;
        }
        row.reserve_used = (uint32_t)reserve_used(exec, &row) + 1;
        row.reserve_hour = block_hour(exec);
        core_usage_put(&exec->host, &row);
    }
}

static void buckets_charge(struct exec *exec)
{
    for (uint32_t i = 0; i < exec->planned_count; i++) {
        const struct planned *planned = &exec->planned[i];

        if (planned->bucket != MACHINE_NO_BUCKET) {
            exec->buckets[planned->bucket].units += planned->units;
        }
    }
    for (uint32_t i = 0; i < exec->bucket_count; i++) {
        const struct quota_bucket *bucket = &exec->buckets[i];
        Core__CoopUsage row;

        if (bucket->units == 0 || bucket->kind == REGISTRY_NO_BUCKET) {
            continue;
        }
        row = coop_load(exec, bucket->coop);
        if (bucket->kind == REGISTRY_OWN) {
            row.level = quota_take(row.level, bucket->units);
        } else {
            row.public_level = quota_take(row.public_level, bucket->units);
        }
        core_coop_usage_put(&exec->host, &row);
    }
}

void quota_charge(struct exec *exec, const struct tx *tx)
{
    payer_charge(exec, tx);
    reserve_charge(exec);
    buckets_charge(exec);
}

#include "proto/params.h"

#include "base/count.h"
#include "crypto/hash.h"
#include "proto/canon.h"

#define SECOND_MS UINT64_C(1000)
#define HOUR_MS   (3600 * SECOND_MS)
#define DAY_MS    (24 * HOUR_MS)

#define UNITS_MAX UINT64_C(1000000000000) /* so that sums over a block stay far from 2^64 */
#define BUCKET_MAX                                                                                 \
    UINT64_C(1000000000000000) /* a level is an int64, and may go below zero by a block's units */

static bool within(uint64_t value, uint64_t low, uint64_t high)
{
    return value >= low && value <= high;
}

/* D, the time between blocks, clocks. */
static enum params_fault times_check(const Chain__Parameters *p)
{
    if (!within(p->delta_ms, 100, 15 * SECOND_MS)) {
        return PARAMS_DELTA;
    }
    if (!within(p->min_interval_ms, 1, p->delta_ms / 2)) {
        return PARAMS_MIN_INTERVAL;
    }
    if (!within(p->precision_ms, 1, p->delta_ms)) {
        return PARAMS_PRECISION;
    }
    if (!within(p->late_bound_ms, p->delta_ms, HOUR_MS)) {
        return PARAMS_LATE_BOUND;
    }
    if (p->heartbeat_ms != 0 && !within(p->heartbeat_ms, 10 * SECOND_MS, DAY_MS)) {
        return PARAMS_HEARTBEAT;
    }
    if (p->propose_depth < 1 || p->propose_depth > p->vote_depth || p->vote_depth > 16) {
        return PARAMS_DEPTH;
    }
    return PARAMS_OK;
}

/* Sizes of transactions and blocks. */
static enum params_fault sizes_check(const Chain__Parameters *p)
{
    if (!within(p->max_tx_bytes, 1024, TX_BYTES_MAX)) {
        return PARAMS_TX_BYTES;
    }
    if (!within(p->max_block_bytes, p->max_tx_bytes + 4, BLOCK_BYTES_MAX)) {
        return PARAMS_BLOCK_BYTES;
    }
    if (!within(p->max_block_txs, 1, BLOCK_TXS_MAX)) {
        return PARAMS_BLOCK_TXS;
    }
    if (!within(p->max_tx_units, 10000, UNITS_MAX)) {
        return PARAMS_TX_UNITS;
    }
    if (!within(p->max_block_units, p->max_tx_units, UNITS_MAX)) {
        return PARAMS_BLOCK_UNITS;
    }
    if (!within(p->max_due_actions, 1, 4096) || !within(p->max_due_units_ppm, 1, 1000000)) {
        return PARAMS_DUE;
    }
    return PARAMS_OK;
}

static bool bucket_valid(const Chain__QuotaClass *bucket, uint32_t quota_class)
{
    return bucket != NULL && bucket->quota_class == quota_class &&
           within(bucket->capacity, 1, BUCKET_MAX) && within(bucket->refill_per_s, 1, BUCKET_MAX);
}

static enum params_fault quotas_check(const Chain__Parameters *p)
{
    if (p->n_quota_classes != 2 || p->quota_classes[0]->quota_class != QUOTA_PERSON ||
        p->quota_classes[1]->quota_class != QUOTA_ORGANISATION) {
        return PARAMS_QUOTA_CLASS;
    }
    if (!bucket_valid(p->quota_classes[0], QUOTA_PERSON) ||
        !bucket_valid(p->quota_classes[1], QUOTA_ORGANISATION) || !bucket_valid(p->coop_quota, 0) ||
        !bucket_valid(p->public_lane, 0)) {
        return PARAMS_QUOTA_BUCKET;
    }
    return p->reserve_actions_per_hour > 1000 ? PARAMS_RESERVE : PARAMS_OK;
}

enum params_fault params_check(const Chain__Parameters *parameters)
{
    enum params_fault fault = times_check(parameters);

    if (fault == PARAMS_OK) {
        fault = sizes_check(parameters);
    }
    if (fault == PARAMS_OK && !within(parameters->max_ttl_ms, 10 * SECOND_MS, DAY_MS)) {
        fault = PARAMS_TTL;
    }
    if (fault == PARAMS_OK) {
        fault = quotas_check(parameters);
    }
    if (fault == PARAMS_OK &&
        !within(parameters->ref_keep_ms, parameters->max_ttl_ms, 3650 * DAY_MS)) {
        fault = PARAMS_REF_KEEP;
    }
    if (fault == PARAMS_OK && !within(parameters->term_floor_ms, SECOND_MS, 30 * DAY_MS)) {
        fault = PARAMS_TERM_FLOOR;
    }
    return fault;
}

const char *params_fault_text(enum params_fault fault)
{
    static const char *const texts[] = {
        [PARAMS_OK] = "good",
        [PARAMS_DELTA] = "delta_ms must be 100 to 15,000",
        [PARAMS_MIN_INTERVAL] = "min_interval_ms must be 1 to half of delta_ms",
        [PARAMS_PRECISION] = "precision_ms must be 1 to delta_ms",
        [PARAMS_LATE_BOUND] = "late_bound_ms must be delta_ms to 3,600,000",
        [PARAMS_HEARTBEAT] = "heartbeat_ms must be 0 (none) or 10,000 to 86,400,000",
        [PARAMS_BLOCK_BYTES] = "max_block_bytes must be max_tx_bytes + 4 to 1,048,576",
        [PARAMS_BLOCK_TXS] = "max_block_txs must be 1 to 5,000",
        [PARAMS_BLOCK_UNITS] = "max_block_units must be max_tx_units to 10^12",
        [PARAMS_TX_BYTES] = "max_tx_bytes must be 1,024 to 65,536",
        [PARAMS_TX_UNITS] = "max_tx_units must be 10,000 to 10^12",
        [PARAMS_TTL] = "max_ttl_ms must be 10,000 to 86,400,000",
        [PARAMS_DUE] = "max_due_actions must be 1 to 4,096, max_due_units_ppm to 1,000,000",
        [PARAMS_DEPTH] = "propose_depth must be 1 to vote_depth, and vote_depth at most 16",
        [PARAMS_QUOTA_CLASS] = "quota_classes must be those of class 1 and 2, in this order",
        [PARAMS_QUOTA_BUCKET] =
            "a bucket lacks a capacity or refill of 1 to 10^15, or has another class",
        [PARAMS_RESERVE] = "reserve_actions_per_hour must be at most 1,000",
        [PARAMS_REF_KEEP] = "ref_keep_ms must be max_ttl_ms to ten years",
        [PARAMS_TERM_FLOOR] = "term_floor_ms must be 1,000 to 30 days",
    };

    return (size_t)fault < COUNT_OF(texts) ? texts[fault] : "?";
}

enum err params_hash(const Chain__Parameters *parameters, struct arena *arena,
                     uint8_t out[HASH_BYTES])
{
    const size_t used = arena->used;
    const struct bytes bytes = canon_pack(&chain__parameters__descriptor, parameters, arena);

    if (bytes.at == NULL) {
        return ERR_NO_SPACE;
    }
    hash_of(TAG_PARAMS, bytes, out);
    arena->used = used;
    return ERR_OK;
}

static void bucket_init(Chain__QuotaClass *bucket, uint32_t quota_class, uint64_t capacity,
                        uint64_t refill_per_s)
{
    chain__quota_class__init(bucket);
    bucket->quota_class = quota_class;
    bucket->capacity = capacity;
    bucket->refill_per_s = refill_per_s;
}

void params_production(struct params_set *out)
{
    Chain__Parameters *p = &out->message;

    chain__parameters__init(p);
    p->delta_ms = 500;
    p->min_interval_ms = 50;
    p->precision_ms = 500;
    p->late_bound_ms = 5 * SECOND_MS;
    p->heartbeat_ms = 600 * SECOND_MS;
    p->max_block_bytes = BLOCK_BYTES_MAX;
    p->max_block_txs = BLOCK_TXS_MAX;
    p->max_block_units = 10000000;
    p->max_tx_bytes = TX_BYTES_MAX;
    p->max_tx_units = 200000;
    p->max_ttl_ms = HOUR_MS;
    p->max_due_actions = 256;
    p->max_due_units_ppm = 300000;
    p->propose_depth = 8;
    p->vote_depth = 16;
    bucket_init(&out->classes[0], QUOTA_PERSON, 20000, 200);
    bucket_init(&out->classes[1], QUOTA_ORGANISATION, 1000000, 20000);
    out->class_list[0] = &out->classes[0];
    out->class_list[1] = &out->classes[1];
    p->n_quota_classes = 2;
    p->quota_classes = out->class_list;
    bucket_init(&out->coop_quota, 0, 1000000, 20000);
    bucket_init(&out->public_lane, 0, 100000, 1000);
    p->coop_quota = &out->coop_quota;
    p->public_lane = &out->public_lane;
    p->reserve_actions_per_hour = 2;
    p->ref_keep_ms = 90 * DAY_MS;
    p->term_floor_ms = HOUR_MS;
}

void params_lan(struct params_set *out)
{
    params_production(out);
    out->message.delta_ms = 100;
    out->message.min_interval_ms = 20;
    out->message.precision_ms = 100;
    out->message.heartbeat_ms = 0;
    out->message.term_floor_ms = SECOND_MS;
}

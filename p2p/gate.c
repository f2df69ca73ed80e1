#include "p2p/gate.h"

#include "base/random.h"

enum { GATE_SETS = GATE_ADDRESSES / GATE_WAYS };

static const struct tokens_rate rate_one = {.milli_per_s = GATE_PER_S * 1000ULL,
                                            .burst = GATE_BURST};
static const struct tokens_rate rate_known = {.milli_per_s = GATE_KNOWN_PER_S * 1000ULL,
                                              .burst = GATE_KNOWN_BURST};
static const struct tokens_rate rate_slow = {.milli_per_s = 1000 / 60 + 1, .burst = 1};
static const struct tokens_rate rate_all = {.milli_per_s = GATE_ALL_PER_S * 1000ULL,
                                            .burst = GATE_ALL_PER_S};

static uint32_t known_size(uint32_t known_max)
{
    uint32_t size = 16;

    INVARIANT(known_max <= 1U << 20);
    while (size < 2 * known_max) {
        size *= 2;
    }
    return size;
}

size_t gate_footprint(uint32_t known_max)
{
    return arena_rounded(GATE_ADDRESSES * sizeof(struct gate_entry)) +
           arena_rounded(known_size(known_max) * sizeof(struct gate_known));
}

void gate_init(struct gate *gate, struct arena *arena, uint32_t known_max, uint64_t key,
               uint64_t now_ms)
{
    *gate = (struct gate){.key = key, .known_size = known_size(known_max)};
    gate->entries = arena_must(arena, GATE_ADDRESSES * sizeof *gate->entries);
    gate->known = arena_must(arena, gate->known_size * sizeof *gate->known);
    for (uint32_t i = 0; i < GATE_ADDRESSES; i++) {
        gate->entries[i] = (struct gate_entry){.prefix = {.family = ADDRESS_NONE}};
    }
    gate_known_clear(gate);
    tokens_fill(&gate->all, now_ms, rate_all);
}

static uint64_t mix_of(const struct gate *gate, const struct address *address)
{
    struct random mix = {.state = gate->key ^ address->family};
    uint64_t word = 0;

    for (uint32_t i = 0; i < ADDRESS_BYTES; i++) {
        word = word << 8 | address->ip[i];
        if (i % 8 == 7) {
            mix.state = random_next(&mix) ^ word;
        }
    }
    return random_next(&mix);
}

void gate_known_clear(struct gate *gate)
{
    for (uint32_t i = 0; i < gate->known_size; i++) {
        gate->known[i] = (struct gate_known){.count = 0};
    }
}

/* Its place, or the unused one where it would stand. */
static struct gate_known *known_find(const struct gate *gate, const struct address *address)
{
    uint64_t at = mix_of(gate, address);
    struct gate_known *place = &gate->known[at % gate->known_size];

    while (place->count != 0 && !address_same_ip(&place->address, address)) {
        at += 1;
        place = &gate->known[at % gate->known_size];
    }
    return place;
}

void gate_known_add(struct gate *gate, const struct address *address)
{
    struct gate_known *place = known_find(gate, address);

    place->address = *address;
    place->count += 1;
}

uint32_t gate_known_count(const struct gate *gate, const struct address *address)
{
    return known_find(gate, address)->count;
}

static struct gate_entry *set_of(const struct gate *gate, const struct address *prefix)
{
    return &gate->entries[mix_of(gate, prefix) % GATE_SETS * GATE_WAYS];
}

/* The entry of this address; a new one takes the place of the one used longest ago. */
static struct gate_entry *entry_of(struct gate *gate, const struct address *address, bool known,
                                   uint64_t now_ms)
{
    const struct address prefix = address_prefix(address);
    struct gate_entry *set = set_of(gate, &prefix);
    struct gate_entry *oldest = &set[0];

    for (uint32_t i = 0; i < GATE_WAYS; i++) {
        if (set[i].prefix.family != ADDRESS_NONE && address_same_ip(&set[i].prefix, &prefix)) {
            return &set[i];
        }
        if (set[i].prefix.family == ADDRESS_NONE ||
            (oldest->prefix.family != ADDRESS_NONE && set[i].tokens.at_ms < oldest->tokens.at_ms)) {
            oldest = &set[i];
        }
    }
    *oldest = (struct gate_entry){.prefix = prefix};
    tokens_fill(&oldest->tokens, now_ms, known ? rate_known : rate_one);
    return oldest;
}

bool gate_pass(struct gate *gate, const struct address *address, bool known, uint64_t now_ms)
{
    struct gate_entry *entry;

    if (!known) {
        tokens_refill(&gate->all, now_ms, rate_all);
        if (gate->all.level < TOKENS_UNIT) {
            return false;
        }
    }
    entry = entry_of(gate, address, known, now_ms);
    if (!known && now_ms < entry->slow_until_ms) {
        if (!tokens_take(&entry->tokens, now_ms, rate_slow)) {
            return false;
        }
    } else if (!tokens_take(&entry->tokens, now_ms, known ? rate_known : rate_one)) {
        return false;
    }
    if (!known) {
        tokens_spend(&gate->all, 1);
    }
    return true;
}

void gate_slow(struct gate *gate, const struct address *address, uint64_t until_ms, uint64_t now_ms)
{
    struct gate_entry *entry = entry_of(gate, address, false, now_ms);

    entry->slow_until_ms = until_ms;
}

/*
 * p2p/gate.h -- how often an address may begin a handshake, before anything is known of who is there.
 *
 * A table of GATE_ADDRESSES entries (an IPv4 address, the /64 of an IPv6 one): sets of GATE_WAYS by a keyed
 * mix, in which the entry that was used longest ago makes room.  What an attacker does to the table of others
 * is bounded by the rate of all unknown addresses together, which is looked at first.
 *
 * Source: docs/protocol/consensus.md 8.20, "Half-open".
 */
#ifndef P2P_GATE_H
#define P2P_GATE_H

#include "base/arena.h"
#include "p2p/address.h"
#include "p2p/tokens.h"

enum {
    GATE_ADDRESSES = 4096,
    GATE_WAYS = 8,
    GATE_PER_S = 2,
    GATE_BURST = 8,
    GATE_KNOWN_PER_S = 20,
    GATE_KNOWN_BURST = 64,
    GATE_ALL_PER_S = 100, /* of unknown addresses together */
};

struct gate_entry {
    struct address prefix;
    struct tokens tokens;
    uint64_t slow_until_ms; /* one handshake a minute until then: somebody banned was there */
};

/* An address of the registry or the configuration, and how many peers have it. */
struct gate_known {
    struct address address;
    uint32_t count; /* 0: an unused place */
};

struct gate {
    struct gate_entry *entries;
    struct gate_known *known;
    uint32_t known_size; /* a power of two, at least twice the addresses */
    struct tokens all;
    uint64_t key;
};

/* For at most `known_max` known addresses. */
size_t gate_footprint(uint32_t known_max);

/* `key` is random and secret: it decides which addresses share a set. */
void gate_init(struct gate *gate, struct arena *arena, uint32_t known_max, uint64_t key,
               uint64_t now_ms);

/* Forget all known addresses; add one; how many peers have it. */
void gate_known_clear(struct gate *gate);
void gate_known_add(struct gate *gate, const struct address *address);
uint32_t gate_known_count(const struct gate *gate, const struct address *address);

/* May this address begin a handshake now?  `known`: it is loopback, in the registry or configured. */
CHECKED bool gate_pass(struct gate *gate, const struct address *address, bool known,
                       uint64_t now_ms);

/* Somebody at this address was banned; without effect while the address is known. */
void gate_slow(struct gate *gate, const struct address *address, uint64_t until_ms,
               uint64_t now_ms);

#endif /* P2P_GATE_H */

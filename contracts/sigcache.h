/*
 * contracts/sigcache.h -- which signatures have been checked, so that none is checked twice on its way into a block.
 *
 * An entry is found by all that a check depends on: public key, tx_id and signature.  By tx_id alone two copies of a
 * transaction that differ in one signature would share an answer, and nodes that saw them in another order would
 * disagree about a block.  Answers of both kinds are kept.  Bounded; an old entry of the same set makes room.
 *
 * What is not there is asked of `miss`, ECDSA in the node and a stand-in in the simulator.  One thread.
 */
#ifndef CONTRACTS_SIGCACHE_H
#define CONTRACTS_SIGCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "contracts/exec.h"

struct sigcache;

/* Arena for a cache of at least `entries` answers. */
size_t sigcache_footprint(uint32_t entries);

/* An empty cache.  Errors: ERR_NO_SPACE. */
CHECKED enum err sigcache_init(struct arena *arena, uint32_t entries, struct exec_verifier miss,
                               struct sigcache **out);

/* Add an answer that was found elsewhere, on the verify thread for example. */
void sigcache_add(struct sigcache *cache, const uint8_t public_key[EXEC_KEY_BYTES],
                  const uint8_t tx_id[HASH_BYTES], const uint8_t signature[SIGNATURE_BYTES],
                  bool holds);

/* Is the answer there, and which? */
bool sigcache_find(const struct sigcache *cache, const uint8_t public_key[EXEC_KEY_BYTES],
                   const uint8_t tx_id[HASH_BYTES], const uint8_t signature[SIGNATURE_BYTES],
                   bool *holds);

/* The cache as the executor uses it: finds, or asks `miss` and adds. */
struct exec_verifier sigcache_verifier(struct sigcache *cache);

struct sigcache_counts {
    uint64_t hits;
    uint64_t misses;
};

struct sigcache_counts sigcache_counts(const struct sigcache *cache);

#endif /* CONTRACTS_SIGCACHE_H */

/*
 * tests/kv_memory.h -- a key-value store in memory for tests and benchmarks, and what a power cut leaves of it.
 *
 * Each batch makes a new sorted list of pairs; lists since the last synced batch are kept, so that
 * kv_memory_crash can go back to any of them.  Cursors and snapshots hold the list they began with.  Everything
 * comes from malloc and is gone with kv_close; cursors must be closed before.
 */
#ifndef TESTS_KV_MEMORY_H
#define TESTS_KV_MEMORY_H

#include "state/kv.h"

/* An empty store; aborts without memory. */
struct kv *kv_memory_open(void);

/* Batches that a power cut may take away: those after the newest synced one. */
uint32_t kv_memory_unsynced(const struct kv *kv);

/* A power cut: of the unsynced batches only the first `keep` are there. */
void kv_memory_crash(struct kv *kv, uint32_t keep);

/* Every read and cursor fails with this until it is set to ERR_OK. */
void kv_memory_fail(struct kv *kv, enum err error);

/* Pairs, all or those whose key begins with a byte. */
uint64_t kv_memory_count(const struct kv *kv, int first);

#endif /* TESTS_KV_MEMORY_H */

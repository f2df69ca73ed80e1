/*
 * contracts/nonce.h -- which nonces of a lane may still be used: a window of 1,024 above a base.
 *
 * Source: docs/protocol/bytes.md 7 (window nonce).  A nonce is usable if first <= nonce < first + 1024 and its bit
 * is clear.  Using it sets the bit; if it lies 768 or more above `first`, the window moves by 256 and drops what
 * was not used there; then it moves by 64 while the lowest 64 are all used.  So transactions of one lane may come
 * in any order, and each once.
 */
#ifndef CONTRACTS_NONCE_H
#define CONTRACTS_NONCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    NONCE_WINDOW = 1024,
    NONCE_BITMAP_BYTES = NONCE_WINDOW / 8,
    NONCE_SLIDE_AT = 768,
    NONCE_SLIDE = 256,
    NONCE_STEP = 64,
};

struct nonce_window {
    uint64_t first;
    uint8_t bitmap[NONCE_BITMAP_BYTES]; /* bit i is bit i mod 8 of byte i div 8 */
};

bool nonce_usable(const struct nonce_window *window, uint64_t nonce);

/* Use it up.  `nonce` must be usable. */
void nonce_use(struct nonce_window *window, uint64_t nonce);

/* Is no bit set? */
bool nonce_unused(const struct nonce_window *window);

#endif /* CONTRACTS_NONCE_H */

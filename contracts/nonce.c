#include "contracts/nonce.h"

#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

bool nonce_usable(const struct nonce_window *window, uint64_t nonce)
{
    uint64_t place;

    if (nonce < window->first || nonce - window->first >= NONCE_WINDOW) {
        return false;
    }
    place = nonce - window->first;
    return (window->bitmap[place / 8] >> (place % 8) & 1) == 0;
}

/*
 * Forget the lowest `count` nonces, a multiple of 64.  At the very end of the numbers the base stays where it is:
 * beyond it would begin again at 0, and every nonce with it.
 */
static bool window_move(struct nonce_window *window, uint32_t count)
{
    const uint32_t bytes = count / 8;

    if (window->first > UINT64_MAX - count) {
        return false;
    }
    window->first += count;
    memmove(window->bitmap, window->bitmap + bytes, NONCE_BITMAP_BYTES - bytes);
    memset(window->bitmap + NONCE_BITMAP_BYTES - bytes, 0, bytes);
    return true;
}

static bool window_step_full(const struct nonce_window *window)
{
    for (uint32_t i = 0; i < NONCE_STEP / 8; i++) {
        if (window->bitmap[i] != 0xff) {
            return false;
        }
    }
    return true;
}

void nonce_use(struct nonce_window *window, uint64_t nonce)
{
    uint64_t place;

    INVARIANT(nonce_usable(window, nonce));
    place = nonce - window->first;
    window->bitmap[place / 8] |= (uint8_t)(1U << (place % 8));
    if (place >= NONCE_SLIDE_AT) {
        (void)window_move(window, NONCE_SLIDE);
    }
    while (window_step_full(window) && window_move(window, NONCE_STEP)) {
    }
}

bool nonce_unused(const struct nonce_window *window)
{
    return bytes_zero(window->bitmap, NONCE_BITMAP_BYTES);
}

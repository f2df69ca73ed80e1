/* The window of nonces against a model that keeps every nonce ever used. */
#include "contracts/nonce.h"

#include <string.h>

#include "base/random.h"
#include "tests/check.h"

enum { MODEL_NONCES = 20000 };

/* The rule in other words: a list of used nonces and a base. */
struct model {
    uint64_t base;
    bool used[MODEL_NONCES];
};

static bool model_usable(const struct model *model, uint64_t nonce)
{
    return nonce >= model->base && nonce < model->base + 1024 && !model->used[nonce];
}

static void model_use(struct model *model, uint64_t nonce)
{
    bool all = true;

    model->used[nonce] = true;
    if (nonce >= model->base + 768) {
        model->base += 256;
    }
    while (all) {
        for (uint64_t i = model->base; i < model->base + 64; i++) {
            all = all && model->used[i];
        }
        model->base += all ? 64 : 0;
    }
}

static void compare(const struct nonce_window *window, const struct model *model)
{
    CHECK_U64(window->first, ==, model->base);
    for (uint64_t i = model->base > 5 ? model->base - 5 : 0; i < model->base + 1030; i++) {
        CHECK(nonce_usable(window, i) == model_usable(model, i));
    }
}

/* Nonces of several habits: in order (spread 0), shuffled within `spread`, and now and then far ahead. */
static void run(uint64_t seed, uint64_t spread, bool leaps)
{
    static struct model model;
    struct nonce_window window = {.first = 0};
    struct random random = {.state = seed};
    uint64_t used = 0;

    memset(&model, 0, sizeof model);
    while (model.base < MODEL_NONCES - 3000) {
        uint64_t nonce = spread == 0 ? used : model.base + random_below(&random, spread);

        if (leaps && random_below(&random, 50) == 0) {
            nonce = model.base + random_below(&random, 1100);
        }
        CHECK(nonce_usable(&window, nonce) == model_usable(&model, nonce));
        if (model_usable(&model, nonce)) {
            nonce_use(&window, nonce);
            model_use(&model, nonce);
            used += 1;
        }
        if (used % 16 == 0) {
            compare(&window, &model);
        }
    }
    CHECK_U64(used, >, 2000);
}

TEST(agrees_with_the_model)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run(seed, 0, false);
        run(seed, 80, false);
        run(seed, 700, false);
        run(seed, 100, true);
    }
}

TEST(edges_of_the_window)
{
    struct nonce_window window = {.first = 0};

    CHECK(nonce_unused(&window));
    CHECK(nonce_usable(&window, 0) && nonce_usable(&window, 1023));
    CHECK(!nonce_usable(&window, 1024));
    nonce_use(&window, 767); /* does not move */
    CHECK_U64(window.first, ==, 0);
    CHECK(!nonce_usable(&window, 767) && nonce_usable(&window, 766));
    nonce_use(&window, 768); /* moves by 256, once, and drops 0 to 255 */
    CHECK_U64(window.first, ==, 256);
    CHECK(!nonce_usable(&window, 255) && nonce_usable(&window, 256));
    CHECK(!nonce_usable(&window, 768) && nonce_usable(&window, 256 + 1023));
    nonce_use(&window, 256 + 1023);
    CHECK_U64(window.first, ==, 512);
    CHECK(!nonce_unused(&window));
}

TEST(sixty_four_in_a_row_move_the_base)
{
    struct nonce_window window = {.first = 0};

    for (uint64_t i = 128; i > 64; i--) {
        nonce_use(&window, i - 1);
    }
    CHECK_U64(window.first, ==, 0);
    for (uint64_t i = 0; i < 63; i++) {
        nonce_use(&window, i);
    }
    CHECK_U64(window.first, ==, 0);
    nonce_use(&window, 63); /* now both sixty-fours are full */
    CHECK_U64(window.first, ==, 128);
    CHECK(nonce_unused(&window));
}

/* The numbers end; the base must not come round to 0, where every nonce could be used again. */
TEST(the_end_of_the_numbers)
{
    struct nonce_window window = {.first = UINT64_MAX - 1023};

    CHECK(nonce_usable(&window, UINT64_MAX));
    nonce_use(&window, UINT64_MAX);
    CHECK_U64(window.first, ==, UINT64_MAX - 767);
    CHECK(!nonce_usable(&window, 0));
    window = (struct nonce_window){.first = UINT64_MAX - 63};
    for (uint64_t i = 0; i < 64; i++) {
        nonce_use(&window, UINT64_MAX - i);
    }
    CHECK_U64(window.first, ==, UINT64_MAX - 63);
    CHECK(!nonce_usable(&window, UINT64_MAX) && !nonce_usable(&window, 0));
    CHECK(!nonce_usable(&window, 1023));
}

TESTS(TEST_ENTRY(agrees_with_the_model), TEST_ENTRY(edges_of_the_window),
      TEST_ENTRY(sixty_four_in_a_row_move_the_base), TEST_ENTRY(the_end_of_the_numbers))

/* The table engine: bytes of keys, indexes against a model, what it refuses. */
#include "contracts/tables.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/random.h"
#include "contracts/core.h"
#include "contracts/exec.h"
#include "contracts/modules/accounts/interface.h"
#include "tests/check.h"
#include "tests/kv_memory.h"
#include "tests/scripted.h"

enum { MODEL_ROWS = 200 };

static struct arena memory;
static struct arena scratch;
static struct arena row_memory;
static struct kv *kv;
static struct state *state;
static struct overlay *overlay;
static struct tables tables;

static void begin(void)
{
    const struct state_options options = {.overlay_bytes = 16 << 20, .retain_versions = 10};

    CHECK(arena_open(&memory, state_footprint(&options) + (1 << 20)) == ERR_OK);
    CHECK(arena_open(&scratch, 4 << 20) == ERR_OK);
    CHECK(arena_open(&row_memory, 4 << 20) == ERR_OK);
    kv = kv_memory_open();
    CHECK(state_open(&options, kv, &memory, &state) == ERR_OK);
    overlay = overlay_begin(state, NULL, 0);
    CHECK(overlay != NULL);
    tables = (struct tables){.overlay = overlay, .scratch = &scratch};
}

static void end(void)
{
    CHECK_U64(scratch.used, ==, 0); /* each call gave back what it took */
    overlay_drop(overlay);
    kv_close(kv);
    arena_close(&row_memory);
    arena_close(&scratch);
    arena_close(&memory);
}

static void check_hex(const struct table_key *key, const char *expected)
{
    char text[2 * STATE_KEY_BYTES_MAX + 1];

    hex_encode(table_key_bytes(key), text);
    if (strcmp(text, expected) != 0) {
        check_failed(__FILE__, __LINE__, "key %s, not %s", text, expected);
    }
}

#define ID_ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define ID_ABAB "abababababababababababababababababababababababababababababababab"

TEST(bytes_of_keys)
{
    uint8_t id[32];
    struct table_plan plan;
    struct table_key key;
    Testing__Row row = {.signed_ = 0};
    Testing__Plain plain = {.large = 258, .signed_ = -2, .small = 7};

    memset(id, 0xab, sizeof id);
    tables_plan(&mixed, &plan);
    CHECK(tables_row_key(&plan, &row, &key));
    check_hex(&key, "001e01" ID_ZERO "8000000000000000"
                    "00000000");
    row = (Testing__Row){
        .id = {32, id}, .signed_ = INT64_MIN, .kind = TESTING__EVERYTHING__KIND__FAR, .text = "ab"};
    CHECK(tables_row_key(&plan, &row, &key));
    check_hex(&key, "001e01" ID_ABAB "0000000000000000"
                    "0000012c"
                    "6162");
    row.signed_ = -1;
    CHECK(tables_row_key(&plan, &row, &key));
    check_hex(&key, "001e01" ID_ABAB "7fffffffffffffff"
                    "0000012c"
                    "6162");
    row.signed_ = INT64_MAX;
    row.text = "";
    CHECK(tables_row_key(&plan, &row, &key));
    check_hex(&key, "001e01" ID_ABAB "ffffffffffffffff"
                    "0000012c");
    CHECK(tables_prefix(&plan, TABLE_BY_KEY, 1, &row, &key));
    check_hex(&key, "001e01" ID_ABAB);
    row.id.len = 31;
    CHECK(!tables_row_key(&plan, &row, &key));
    CHECK(!exec_row_key(&mixed, &row, &key));

    tables_plan(&plains, &plan);
    CHECK(exec_row_key(&plains, &plain, &key));
    check_hex(&key, "001e02"
                    "0000000000000102");
    CHECK(tables_prefix(&plan, PLAINS_BY_SIGNED, 0, &plain, &key));
    check_hex(&key, "001e02"
                    "00");
    CHECK(tables_prefix(&plan, PLAINS_BY_ID_SMALL, 2, &plain, &key));
    check_hex(&key, "001e02"
                    "01" ID_ZERO "00000007");
    CHECK(exec_row_key(&core_parameters, &(Core__ParametersRow){.id = 0}, &key));
    check_hex(&key, "000005"
                    "00000000");
    CHECK(exec_row_key(accounts.tables[3], &(Accounts__Alias){.name = "anna"}, &key));
    check_hex(&key, "000104"
                    "616e6e61");
}

TEST(entries_of_another_length)
{
    struct table_plan plan;
    struct table_key entry;
    struct table_key key;

    tables_plan(&plains, &plan);
    CHECK(tables_prefix(&plan, PLAINS_BY_SIGNED, 1, &(Testing__Plain){.large = 0}, &entry));
    CHECK(!tables_entry_row_key(&plan, PLAINS_BY_SIGNED, table_key_bytes(&entry), &key));
    memset(entry.bytes + entry.count, 3, 9);
    CHECK(tables_entry_row_key(&plan, PLAINS_BY_SIGNED, bytes_of(entry.bytes, entry.count + 8),
                               &key));
    check_hex(&key, "001e02"
                    "0303030303030303");
    CHECK(!tables_entry_row_key(&plan, PLAINS_BY_SIGNED, bytes_of(entry.bytes, entry.count + 9),
                                &key));
}

/* -- Indexes against a model: a plain array of rows, scanned. -- */

struct model_row {
    bool there;
    uint64_t large;
    int64_t signed_;
    uint8_t id;
    uint32_t small;
    uint32_t blob;
};

static struct model_row model[MODEL_ROWS];

static int order_by_signed(const void *a, const void *b)
{
    const struct model_row *one = *(const struct model_row *const *)a;
    const struct model_row *other = *(const struct model_row *const *)b;

    if (one->signed_ != other->signed_) {
        return one->signed_ < other->signed_ ? -1 : 1;
    }
    return one->large < other->large ? -1 : 1;
}

static int order_by_small(const void *a, const void *b)
{
    const struct model_row *one = *(const struct model_row *const *)a;
    const struct model_row *other = *(const struct model_row *const *)b;

    if (one->small != other->small) {
        return one->small < other->small ? -1 : 1;
    }
    return one->large < other->large ? -1 : 1;
}

static int order_by_key(const void *a, const void *b)
{
    const struct model_row *one = *(const struct model_row *const *)a;
    const struct model_row *other = *(const struct model_row *const *)b;

    return one->large < other->large ? -1 : 1;
}

/* The rows that an index would give, in order. */
static uint32_t model_list(uint32_t index, const struct model_row *like, uint32_t fields,
                           const struct model_row **out)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < MODEL_ROWS; i++) {
        const struct model_row *row = &model[i];
        bool takes = row->there;

        if (index == PLAINS_BY_SIGNED && fields == 1) {
            takes = takes && row->signed_ == like->signed_;
        }
        if (index == PLAINS_BY_ID_SMALL) {
            takes = takes && row->id == like->id && (fields < 2 || row->small == like->small);
        }
        if (takes) {
            out[count] = row;
            count += 1;
        }
    }
    qsort(out, count, sizeof(const struct model_row *),
          index == PLAINS_BY_SIGNED     ? order_by_signed
          : index == PLAINS_BY_ID_SMALL ? order_by_small
                                        : order_by_key);
    return count;
}

static Testing__Plain plain_of(const struct model_row *row, uint8_t id[32], uint8_t *blob)
{
    memset(id, row->id, 32);
    memset(blob, 0x11, row->blob);
    return (Testing__Plain){.large = row->large,
                            .signed_ = row->signed_,
                            .id = {row->id == 0 ? 0 : 32, id},
                            .small = row->small,
                            .blob = {row->blob, blob}};
}

static void compare_list(const struct table_plan *plan, uint32_t index,
                         const struct model_row *like, uint32_t fields, struct random *random)
{
    static const struct model_row *expected[MODEL_ROWS];
    static struct table_key keys[TABLE_LIST_MAX];
    const uint32_t all = model_list(index, like, fields, expected);
    const bool reverse = random_below(random, 2) == 0;
    const uint32_t limit = 1 + (uint32_t)random_below(random, TABLE_LIST_MAX);
    uint8_t id[32];
    uint8_t blob[64];
    const Testing__Plain example = plain_of(like, id, blob);
    uint32_t count;
    bool more;

    CHECK(tables_scan(
              &tables, plan,
              (struct scan){.index = index, .fields = fields, .limit = limit, .reverse = reverse},
              &example, keys, &count, &more) == TABLES_OK);
    CHECK_U64(count, ==, all < limit ? all : limit);
    CHECK(more == (all > limit));
    for (uint32_t i = 0; i < count; i++) {
        const struct model_row *row = expected[reverse ? all - 1 - i : i];
        const void *found;
        uint32_t bytes;

        arena_reset(&row_memory);
        CHECK(tables_get_at(&tables, plan, &keys[i], &row_memory, &found, &bytes) == TABLES_OK);
        CHECK_U64(((const Testing__Plain *)found)->large, ==, row->large);
        CHECK(((const Testing__Plain *)found)->signed_ == row->signed_);
        CHECK_U64(((const Testing__Plain *)found)->blob.len, ==, row->blob);
    }
}

static void change(const struct table_plan *plan, struct random *random)
{
    const uint32_t at = (uint32_t)random_below(random, MODEL_ROWS);
    struct model_row *row = &model[at];
    uint8_t id[32];
    uint8_t blob[64];
    Testing__Plain plain;
    uint32_t bytes;

    if (random_below(random, 4) == 0) {
        plain = plain_of(row, id, blob);
        CHECK(tables_delete(&tables, plan, &plain) == (row->there ? TABLES_OK : TABLES_ABSENT));
        row->there = false;
        return;
    }
    row->there = true;
    row->large = at * UINT64_C(0x0123456789);
    row->signed_ = (int64_t)random_below(random, 7) - 3;
    row->id = (uint8_t)random_below(random, 4);
    row->small = (uint32_t)random_below(random, 3);
    row->blob = (uint32_t)random_below(random, 64);
    plain = plain_of(row, id, blob);
    CHECK(tables_put(&tables, plan, &plain, &bytes) == TABLES_OK);
}

TEST(indexes_agree_with_a_model)
{
    static struct model_row kept[MODEL_ROWS];
    struct random random = {.state = 42};
    struct table_plan plan;

    begin();
    memset(model, 0, sizeof model);
    for (uint32_t i = 0; i < MODEL_ROWS; i++) {
        model[i].large = i * UINT64_C(0x0123456789);
    }
    tables_plan(&plains, &plan);
    for (uint32_t step = 0; step < 3000; step++) {
        const struct model_row like = {.signed_ = (int64_t)random_below(&random, 7) - 3,
                                       .id = (uint8_t)random_below(&random, 4),
                                       .small = (uint32_t)random_below(&random, 3)};

        if (step % 50 == 49) { /* what is undone leaves no entry behind */
            const struct overlay_mark mark = overlay_mark(overlay);

            memcpy(kept, model, sizeof model);
            for (uint32_t i = 0; i < 10; i++) {
                change(&plan, &random);
            }
            overlay_undo(overlay, mark);
            memcpy(model, kept, sizeof model);
        }
        change(&plan, &random);
        compare_list(&plan, PLAINS_BY_SIGNED, &like, (uint32_t)random_below(&random, 2), &random);
        compare_list(&plan, PLAINS_BY_ID_SMALL, &like, 1 + (uint32_t)random_below(&random, 2),
                     &random);
        compare_list(&plan, TABLE_BY_KEY, &like, 0, &random);
    }
    end();
}

TEST(rows_come_back_as_they_were_put)
{
    uint8_t blob[300];
    const Testing__Plain row = {.large = 5, .signed_ = -7, .blob = {sizeof blob, blob}};
    const Testing__Plain *found;
    struct table_plan plan;
    struct bytes value;
    const void *got;
    uint32_t put;
    uint32_t bytes;

    begin();
    memset(blob, 0x5c, sizeof blob);
    tables_plan(&plains, &plan);
    CHECK(tables_get(&tables, &plan, &row, &row_memory, &got, &bytes) == TABLES_ABSENT);
    CHECK(got == NULL);
    CHECK(tables_put(&tables, &plan, &row, &put) == TABLES_OK);
    CHECK(tables_get(&tables, &plan, &row, &row_memory, &got, &bytes) == TABLES_OK);
    CHECK_U64(put, ==, bytes);
    found = got;
    CHECK(found->signed_ == -7 && found->blob.len == sizeof blob);
    CHECK(memcmp(found->blob.data, blob, sizeof blob) == 0);
    CHECK(tables_get_bytes(&tables, &plan, &row, &value) == TABLES_OK);
    CHECK_U64(value.count, ==, bytes);
    arena_reset(&scratch);
    CHECK(tables_delete(&tables, &plan, &row) == TABLES_OK);
    CHECK(tables_delete(&tables, &plan, &row) == TABLES_ABSENT);
    end();
}

TEST(what_does_not_fit_is_not_written)
{
    uint8_t id[32] = {1};
    struct table_plan plan;
    struct bytes value;
    uint32_t bytes;

    begin();
    tables_plan(&mixed, &plan);
    CHECK(tables_put(&tables, &plan, &(Testing__Row){.text = "thirteen byte"}, &bytes) ==
          TABLES_SIZE); /* H-7 */
    CHECK(tables_put(&tables, &plan, &(Testing__Row){.id = {31, id}}, &bytes) == TABLES_SIZE);
    CHECK(tables_put(&tables, &plan, &(Testing__Row){.short_ = {3, id}}, &bytes) == TABLES_SIZE);
    CHECK(tables_put(&tables, &plan, &(Testing__Row){.text = "\xff"}, &bytes) == TABLES_SIZE);
    CHECK(tables_get_bytes(&tables, &plan, &(Testing__Row){.text = ""}, &value) == TABLES_ABSENT);
    end();
}

TEST(faults_stick)
{
    struct table_plan plan;
    const void *row;
    uint32_t bytes;

    begin();
    tables_plan(&plains, &plan);
    kv_memory_fail(kv, ERR_IO);
    CHECK(tables_get(&tables, &plan, &(Testing__Plain){.large = 1}, &row_memory, &row, &bytes) ==
          TABLES_FAULT);
    kv_memory_fail(kv, ERR_OK);
    CHECK(tables.fault == ERR_IO);
    CHECK(tables_put(&tables, &plan, &(Testing__Plain){.large = 1}, &bytes) == TABLES_FAULT);
    tables.fault = ERR_OK;
    CHECK(tables_put(&tables, &plan, &(Testing__Plain){.large = 1}, &bytes) == TABLES_OK);
    row_memory.used = row_memory.size - 16;
    CHECK(tables_get(&tables, &plan, &(Testing__Plain){.large = 1}, &row_memory, &row, &bytes) ==
          TABLES_MEMORY);
    CHECK(tables.fault == ERR_OK);
    end();
}

TESTS(TEST_ENTRY(bytes_of_keys), TEST_ENTRY(entries_of_another_length),
      TEST_ENTRY(indexes_agree_with_a_model), TEST_ENTRY(rows_come_back_as_they_were_put),
      TEST_ENTRY(what_does_not_fit_is_not_written), TEST_ENTRY(faults_stick))

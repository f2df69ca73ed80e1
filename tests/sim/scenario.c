/* Scenarios: their list, the trace that they expect, and the checks that end them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/scenario.h"
#include "tests/sim/world.h"

enum { TRACE_BYTES = 1 << 16, LINE_BYTES = 256, EXPECT_LIMIT_MS = 600000 };

struct trace_state {
    bool scenario; /* lines of the expected kinds are kept for sim_expect */
    bool ignoring; /* a scenario runs on without looking */
    char kept[TRACE_BYTES];
    size_t count;
};

static struct sim_scenario *scenarios;
static jmp_buf leave;
static bool running;
static struct sim *scenario_sims[8]; /* worlds of the scenario under way */
static uint32_t scenario_sim_count;
static char scenario_failure[1024];

/* ---- trace ---- */

bool trace_wanted(const struct sim *sim)
{
    return sim->verbose || (sim->trace != NULL && !sim->trace->ignoring);
}

void trace_close(struct sim *sim)
{
    free(sim->trace);
    sim->trace = NULL;
}

void trace_line(struct sim *sim, bool main, uint32_t node, const char *format, ...)
{
    char text[LINE_BYTES];
    char line[LINE_BYTES + 64];
    va_list arguments;
    int length;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    length = snprintf(line, sizeof line, "[%4" PRIu64 "] %u > %s\n", sim->now_us / US_PER_MS, node,
                      text);
    if (sim->verbose) {
        (void)printf("%s%s", main ? "" : "    ", line);
    }
    if (main && sim->trace != NULL && !sim->trace->ignoring && length > 0 &&
        sim->trace->count + (size_t)length < TRACE_BYTES) {
        memcpy(sim->trace->kept + sim->trace->count, line, (size_t)length + 1);
        sim->trace->count += (size_t)length;
    }
}

const char *sim_block_name(struct sim *sim, const uint8_t *hash)
{
    static char names[4][16];
    static uint32_t next;
    struct known_block *block = facts_block(sim, hash);
    char *name;

    if (block == NULL) {
        return memcmp(hash, sim->block_0_hash, HASH_BYTES) == 0 ? "block 0" : "?";
    }
    if (block->letter == 0 &&
        sim->facts.letter_count < sizeof sim->facts.lettered / sizeof sim->facts.lettered[0]) {
        sim->facts.lettered[sim->facts.letter_count] = block;
        sim->facts.letter_count += 1;
        block->letter = sim->facts.letter_count;
    }
    next = (next + 1) % 4;
    name = names[next];
    if (block->letter >= 1 && block->letter <= 26) {
        name[0] = (char)('a' + (block->letter - 1 + 23) % 26);
        name[1] = '\0';
    } else {
        (void)snprintf(name, sizeof names[0], "b%u", block->letter);
    }
    return name;
}

const uint8_t *sim_block(struct sim *sim, const char *name)
{
    for (uint32_t i = 0; i < sim->facts.letter_count; i++) {
        if (strcmp(sim_block_name(sim, sim->facts.lettered[i]->hash), name) == 0) {
            return sim->facts.lettered[i]->hash;
        }
    }
    sim_check_failed(__FILE__, __LINE__, "no block is called %s", name);
}

/* ---- running ---- */

/* An oracle fired: the scenario ends here. */
static void leave_if_failed(const struct sim *sim)
{
    if (sim->failed && running) {
        longjmp(leave, 1);
    }
}

void sim_run_until_ms(struct sim *sim, uint64_t ms)
{
    if (sim->trace != NULL) {
        sim->trace->ignoring = !sim->verbose;
        sim->trace->count = 0;
    }
    sim_run_until_us(sim, ms * US_PER_MS);
    if (sim->trace != NULL) {
        sim->trace->ignoring = false;
        sim->trace->count = 0;
    }
    leave_if_failed(sim);
}

void sim_run_for_ms(struct sim *sim, uint64_t ms)
{
    sim_run_until_ms(sim, sim->now_us / US_PER_MS + ms);
}

void sim_run_until(struct sim *sim, sim_condition *done, void *context, uint64_t limit_ms,
                   const char *what)
{
    const uint64_t limit_us = sim->now_us + limit_ms * US_PER_MS;

    while (!done(sim, context)) {
        if (sim->heap_count == 0 || sim->heap[0].at_us > limit_us) {
            sim_check_failed(__FILE__, __LINE__, "not within %" PRIu64 " ms: %s", limit_ms, what);
        }
        if (sim->trace != NULL) {
            sim->trace->count = 0;
        }
        (void)sim_step(sim);
        leave_if_failed(sim);
    }
}

struct final_condition {
    uint32_t nodes;
    uint64_t height;
};

static bool final_reached(struct sim *sim, void *context)
{
    const struct final_condition *of = context;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        if ((of->nodes >> i & 1) != 0 && sim->nodes[i].summary.final_height < of->height) {
            return false;
        }
    }
    return true;
}

void sim_run_until_final(struct sim *sim, uint32_t nodes, uint64_t height, uint64_t limit_ms)
{
    struct final_condition of = {.nodes = nodes, .height = height};
    char what[64];

    (void)snprintf(what, sizeof what, "final height %" PRIu64, height);
    sim_run_until(sim, final_reached, &of, limit_ms, what);
}

static bool all_answered(struct sim *sim, void *context)
{
    const uint32_t nodes = *(const uint32_t *)context;
    uint64_t height = UINT64_MAX;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        if ((nodes >> i & 1) == 0) {
            continue;
        }
        if (height != UINT64_MAX && sim->nodes[i].summary.final_height != height) {
            return false;
        }
        height = sim->nodes[i].summary.final_height;
    }
    for (uint32_t i = 0; i < sim->tx_count; i++) {
        if (sim->txs[i].wanted && (!sim->txs[i].final || sim->txs[i].final_height > height)) {
            return false;
        }
    }
    return true;
}

void sim_expect_progress(struct sim *sim, uint32_t nodes, uint64_t ms)
{
    sim_run_until(sim, all_answered, &nodes, ms,
                  "all requests answered, equal heights (oracles 16, 17)");
}

void sim_expect_silence(struct sim *sim)
{
    sim_run_for_ms(sim, 10000);
    sim->silent_from_us = sim->now_us;
    sim_run_for_ms(sim, 30000);
    sim->silent_from_us = SIM_NEVER;
}

/* ---- expected lines ---- */

/* Does the line fit, whose time may be written as a star? */
static bool line_fits(const char *expected, size_t expected_count, const char *line,
                      size_t line_count)
{
    const char *behind = memchr(expected, ']', expected_count);
    const char *there = memchr(line, ']', line_count);

    if (behind != NULL && there != NULL && memchr(expected, '*', (size_t)(behind - expected))) {
        expected_count -= (size_t)(behind - expected);
        line_count -= (size_t)(there - line);
        expected = behind;
        line = there;
    }
    return expected_count == line_count && memcmp(expected, line, line_count) == 0;
}

/* Take the first kept line off. */
static bool kept_take(struct trace_state *trace, char *line)
{
    const char *end = trace->count == 0 ? NULL : memchr(trace->kept, '\n', trace->count);
    size_t length;

    if (end == NULL) {
        return false;
    }
    length = (size_t)(end - trace->kept);
    memcpy(line, trace->kept, length);
    line[length] = '\0';
    trace->count -= length + 1;
    memmove(trace->kept, end + 1, trace->count);
    return true;
}

static void expect(struct sim *sim, const char *lines, uint64_t limit_ms, bool strict)
{
    const uint64_t limit_us = sim->now_us + limit_ms * US_PER_MS;
    char line[LINE_BYTES + 64];

    while (*lines != '\0') {
        const char *end = strchr(lines, '\n');
        const size_t length = end == NULL ? strlen(lines) : (size_t)(end - lines);

        while (!kept_take(sim->trace, line)) {
            if (sim->heap_count == 0 || sim->heap[0].at_us > limit_us) {
                sim_check_failed(__FILE__, __LINE__, "expected, and nothing came: %.*s",
                                 (int)length, lines);
            }
            (void)sim_step(sim);
            leave_if_failed(sim);
        }
        if (line_fits(lines, length, line, strlen(line))) {
            lines = end == NULL ? lines + length : end + 1;
        } else if (strict) {
            sim_check_failed(__FILE__, __LINE__, "expected: %.*s\n        came: %s", (int)length,
                             lines, line);
        }
    }
}

void sim_expect(struct sim *sim, const char *lines)
{
    expect(sim, lines, EXPECT_LIMIT_MS, true);
}

void sim_expect_among(struct sim *sim, const char *lines, uint64_t limit_ms)
{
    expect(sim, lines, limit_ms, false);
}

/* ---- the runner ---- */

struct sim *sim_start(const struct sim_options *options)
{
    struct sim *sim = sim_open(options);

    INVARIANT(scenario_sim_count < sizeof scenario_sims / sizeof scenario_sims[0]);
    scenario_sims[scenario_sim_count] = sim;
    scenario_sim_count += 1;
    sim->trace = calloc(1, sizeof *sim->trace);
    INVARIANT(sim->trace != NULL);
    sim_start_nodes(sim);
    /* Every session is open before the first line of the scenario. */
    sim_run_until_us(sim, 3 * sim->net.least_us + US_PER_MS);
    sim->trace->count = 0;
    leave_if_failed(sim);
    return sim;
}

void sim_check_failed(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    int length;

    length = snprintf(scenario_failure, sizeof scenario_failure, "%s:%d: ", file, line);
    va_start(arguments, format);
    (void)vsnprintf(scenario_failure + length, sizeof scenario_failure - (size_t)length, format,
                    arguments);
    va_end(arguments);
    if (!running) {
        (void)printf("FAILED %s\n", scenario_failure);
        abort();
    }
    longjmp(leave, 1);
}

void sim_scenario_add(struct sim_scenario *scenario)
{
    struct sim_scenario **at = &scenarios;

    while (*at != NULL && strcmp((*at)->name, scenario->name) < 0) {
        at = &(*at)->next;
    }
    scenario->next = *at;
    *at = scenario;
}

/* '-' on the command line is '_' in the name; a beginning is enough. */
static bool name_begins(const char *name, const char *with)
{
    for (; *with != '\0'; name++, with++) {
        if (*name != *with && !(*name == '_' && *with == '-')) {
            return false;
        }
    }
    return *name == '\0' || *name == '_' || *name == '-';
}

const struct sim_scenario *scenario_next(const struct sim_scenario *after, const char *name)
{
    const struct sim_scenario *at = after == NULL ? scenarios : after->next;

    while (at != NULL && name != NULL && !name_begins(at->name, name)) {
        at = at->next;
    }
    return at;
}

bool scenario_run(const struct sim_scenario *scenario, struct scenario_result *result)
{
    scenario_sim_count = 0;
    scenario_failure[0] = '\0';
    *result = (struct scenario_result){0};
    running = true;
    if (setjmp(leave) == 0) {
        scenario->run();
    }
    running = false;
    for (uint32_t i = 0; i < scenario_sim_count; i++) {
        struct sim *sim = scenario_sims[i];

        if (sim->failed) {
            (void)snprintf(scenario_failure, sizeof scenario_failure, "oracle %u: %s",
                           sim->failed_oracle, sim->failure);
            result->oracle = sim->failed_oracle;
        }
        result->virtual_us += sim->now_us;
        result->events += sim->event_count;
        result->hash = result->hash * 31 + sim->hash;
        for (uint32_t k = 0; k < MARK_COUNT; k++) {
            result->marks[k] += sim->marks[k];
        }
        sim_close(sim);
    }
    result->failure = scenario_failure[0] == '\0' ? NULL : scenario_failure;
    return result->failure == NULL;
}

/*
 * sim: run worlds.
 *
 *     sim                      twenty fixed seeds and all scenarios
 *     sim FROM..TO             these seeds, mixed draw; prints failures and a last line of totals
 *     sim SEED [-v]            one seed; -v: a full trace
 *     sim NAME [-v]            scenarios whose name begins so; --scenarios: all of them
 *     --mode uniform|twins|byzz|lite   instead of the mixed draw
 *     --jobs N                 so many processes
 *     --digest                 print the running hash of each seed and nothing else
 *     --mutant K               plant bug K (a build with MUTANT)
 *
 * Exit status: 0; 1 something failed; 2 usage.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mutant.h"
#include "tests/sim/scenario.h"
#include "tests/sim/world.h"

enum { JOBS_MAX = 64, SEED_SECONDS_MAX = 120, MARKS_SEEDS_MIN = 200, TWICE_EVERY = 100 };

struct command {
    const char *name;
    uint64_t from;
    uint64_t to;
    enum swarm_mode mode;
    const char *mode_name;
    uint32_t jobs;
    bool seeds;
    bool verbose;
    bool digest;
    bool scenarios;
    int mutant;
};

/* What a worker tells after each seed; smaller than PIPE_BUF, so that it is written whole. */
struct told {
    uint64_t seed;
    uint64_t virtual_us;
    uint64_t events;
    uint64_t hash;
    uint64_t blocks;
    uint32_t failed;
    uint32_t marks[MARK_COUNT]; /* whether seen */
};

struct totals {
    uint64_t seeds;
    uint64_t failures;
    uint64_t virtual_us;
    uint64_t events;
    uint64_t blocks;
    uint64_t marks[MARK_COUNT];
};

static struct command command;
static uint64_t running_seed;
static bool running_scenario;
static const char *running_name = "";

static void command_line(char *out, size_t size)
{
    int used = 0;

    if (command.mutant != 0) {
        used = snprintf(out, size, "sim --mutant %d ", command.mutant);
    } else {
        used = snprintf(out, size, "sim ");
    }
    if (running_scenario) {
        (void)snprintf(out + used, size - (size_t)used, "%s -v", running_name);
    } else if (command.mode != SWARM_MIXED) {
        (void)snprintf(out + used, size - (size_t)used, "%" PRIu64 " --mode %s -v", running_seed,
                       command.mode_name);
    } else {
        (void)snprintf(out + used, size - (size_t)used, "%" PRIu64 " -v", running_seed);
    }
}

static void print_failure(uint32_t oracle, const char *text, const struct sim *sim)
{
    char line[128];
    char drawn[256] = "";

    command_line(line, sizeof line);
    if (sim != NULL && sim->swarm != NULL) {
        (void)swarm_describe(sim, drawn, sizeof drawn);
    }
    (void)printf("FAILED %s%" PRIu64 " oracle %u at %.3f s, event %" PRIu64
                 ": %s\n    %s\n    %s\n",
                 running_scenario ? running_name : "seed ", running_scenario ? 0 : running_seed,
                 oracle, sim == NULL ? 0.0 : (double)sim->now_us / 1e6,
                 sim == NULL ? 0 : sim->event_count, text, line, drawn);
    (void)fflush(stdout);
}

/* A broken invariant (oracle 6), a bad access, or a seed that does not end. */
static void on_signal(int number)
{
    print_failure(6, number == SIGALRM ? "does not end" : "the program stopped itself",
                  sim_running);
    _exit(3);
}

static void signals_set(void)
{
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)signal(numbers[i], on_signal);
    }
}

/* ---- seeds ---- */

static uint64_t seed_hash(const struct sim *sim)
{
    uint64_t hash = sim->hash ^ sim->event_count;

    for (uint64_t i = 0; i <= sim->chain_height; i++) {
        hash = digest_of(bytes_of(sim->chain[i], HASH_BYTES), hash);
    }
    return hash;
}

static void seed_run(uint64_t seed, struct told *told)
{
    struct sim *sim;

    running_seed = seed;
    (void)alarm(SEED_SECONDS_MAX);
    sim = swarm_run(seed, command.mode);
    *told = (struct told){.seed = seed,
                          .virtual_us = sim->now_us,
                          .events = sim->event_count,
                          .hash = seed_hash(sim),
                          .blocks = sim->chain_height,
                          .failed = sim->failed};
    for (uint32_t i = 0; i < MARK_COUNT; i++) {
        told->marks[i] = sim->marks[i] != 0;
    }
    if (sim->failed) {
        print_failure(sim->failed_oracle, sim->failure, sim);
    }
    sim_close(sim);
    if (seed % TWICE_EVERY == 0 && told->failed == 0 && !command.verbose) {
        sim = swarm_run(seed, command.mode);
        if (seed_hash(sim) != told->hash) {
            print_failure(6, "two runs of the same seed differ", sim);
            told->failed = 1;
        }
        sim_close(sim);
    }
    (void)alarm(0);
}

static void worker(int out, uint64_t from, uint64_t step)
{
    for (uint64_t seed = from; seed <= command.to; seed += step) {
        struct told told;

        seed_run(seed, &told);
        if (write(out, &told, sizeof told) != (ssize_t)sizeof told) {
            _exit(3);
        }
    }
    _exit(0);
}

struct job {
    pid_t pid;
    int in;
    uint64_t next; /* seed that it works on */
};

static bool job_start(struct job *job)
{
    int ends[2];

    if (pipe(ends) != 0) {
        return false;
    }
    (void)fflush(stdout);
    job->pid = fork();
    if (job->pid == 0) {
        (void)close(ends[0]);
        worker(ends[1], job->next, command.jobs);
    }
    (void)close(ends[1]);
    job->in = ends[0];
    return job->pid > 0;
}

static bool told_read(int in, struct told *told)
{
    size_t got = 0;

    while (got < sizeof *told) {
        const ssize_t more = read(in, (uint8_t *)told + got, sizeof *told - got);

        if (more < 0 && errno == EINTR) {
            continue;
        }
        if (more <= 0) {
            return false;
        }
        got += (size_t)more;
    }
    return true;
}

static void totals_add(struct totals *totals, const struct told *told)
{
    totals->seeds += 1;
    totals->failures += told->failed;
    totals->virtual_us += told->virtual_us;
    totals->events += told->events;
    totals->blocks += told->blocks;
    for (uint32_t i = 0; i < MARK_COUNT; i++) {
        totals->marks[i] += told->marks[i];
    }
    if (command.digest) {
        (void)printf("%" PRIu64 " %016" PRIx64 "\n", told->seed, told->hash);
    } else if (isatty(STDERR_FILENO) && totals->seeds % 50 == 0) {
        (void)fprintf(stderr, "\r%" PRIu64 " seeds, %" PRIu64 " failed ", totals->seeds,
                      totals->failures);
    }
}

/* Jobs take turns: each works on every jobs-th seed, and one that dies is started again behind its seed. */
static bool seeds_run(struct totals *totals)
{
    struct job jobs[JOBS_MAX];
    uint32_t left = command.jobs;

    for (uint32_t i = 0; i < command.jobs; i++) {
        jobs[i] = (struct job){.next = command.from + i};
        if (!job_start(&jobs[i])) {
            return false;
        }
    }
    while (left != 0) {
        for (uint32_t i = 0; i < command.jobs; i++) {
            struct told told;
            int status;

            if (jobs[i].pid == 0) {
                continue;
            }
            if (told_read(jobs[i].in, &told)) {
                totals_add(totals, &told);
                jobs[i].next = told.seed + command.jobs;
                continue;
            }
            (void)close(jobs[i].in);
            (void)waitpid(jobs[i].pid, &status, 0);
            jobs[i].pid = 0;
            if (jobs[i].next > command.to) {
                left -= 1;
                continue;
            }
            totals->seeds += 1;
            totals->failures += 1;
            jobs[i].next += command.jobs;
            if (!job_start(&jobs[i])) {
                return false;
            }
        }
    }
    return true;
}

static double timeval_s(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Of the processor, by this process and the jobs that have ended: what other programs take does not count. */
static double processor_seconds(void)
{
    struct rusage own;
    struct rusage jobs;

    (void)getrusage(RUSAGE_SELF, &own);
    (void)getrusage(RUSAGE_CHILDREN, &jobs);
    return timeval_s(own.ru_utime) + timeval_s(own.ru_stime) + timeval_s(jobs.ru_utime) +
           timeval_s(jobs.ru_stime);
}

static bool totals_print(const struct totals *totals, double seconds)
{
    const double virtual_s = (double)totals->virtual_us / 1e6;
    bool all = true;

    if (command.digest) {
        return totals->failures == 0;
    }
    for (uint32_t i = 0; i < MARK_COUNT; i++) {
        if (totals->marks[i] == 0 && command.mode == SWARM_MIXED &&
            totals->seeds >= MARKS_SEEDS_MIN) {
            (void)printf("FAILED: no seed came to: %s\n", sim_mark_name((enum sim_mark)i));
            all = false;
        }
    }
    (void)printf("marks:");
    for (uint32_t i = 0; i < MARK_COUNT; i++) {
        (void)printf("%s %s %" PRIu64, i == 0 ? "" : ";", sim_mark_name((enum sim_mark)i),
                     totals->marks[i]);
    }
    (void)printf("\n%" PRIu64 " seeds, %" PRIu64 " failed, %.0f virtual s, %" PRIu64
                 " blocks, %" PRIu64
                 " events, %.2f processor s: %.0f events/s, %.0f virtual:real on one core\n",
                 totals->seeds, totals->failures, virtual_s, totals->blocks, totals->events,
                 seconds, (double)totals->events / seconds, virtual_s / seconds);
    return all && totals->failures == 0;
}

/* ---- scenarios ---- */

static bool scenario_print(const struct sim_scenario *scenario)
{
    struct scenario_result result;

    running_scenario = true;
    running_name = scenario->name;
    (void)alarm(SEED_SECONDS_MAX);
    (void)scenario_run(scenario, &result);
    (void)alarm(0);
    if (result.failure == NULL) {
        (void)printf("passed %s: %.3f virtual s, %" PRIu64 " events\n", scenario->name,
                     (double)result.virtual_us / 1e6, result.events);
    } else {
        (void)printf("FAILED %s: %s\n    sim %s -v\n", scenario->name, result.failure,
                     scenario->name);
    }
    (void)fflush(stdout);
    running_scenario = false;
    return result.failure == NULL;
}

/* Each in a process of its own, unless it is watched: an aborted one must not take the others along. */
static bool scenario_apart(const struct sim_scenario *scenario)
{
    pid_t pid;
    int status = 0;

    if (command.verbose) {
        return scenario_print(scenario);
    }
    (void)fflush(stdout);
    pid = fork();
    if (pid == 0) {
        _exit(scenario_print(scenario) ? 0 : 1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static bool scenarios_run(const char *name)
{
    const struct sim_scenario *scenario = scenario_next(NULL, name);
    bool all = true;

    if (scenario == NULL && name != NULL) {
        (void)fprintf(stderr, "sim: no scenario is called %s\n", name);
        exit(2);
    }
    for (; scenario != NULL; scenario = scenario_next(scenario, name)) {
        all = scenario_apart(scenario) && all;
    }
    return all;
}

/* ---- command line ---- */

static void usage(void)
{
    (void)fprintf(stderr, "usage: sim [FROM..TO | SEED | NAME] [-v] [--mode MODE] [--jobs N] "
                          "[--digest] [--mutant K]\n");
    exit(2);
}

static uint64_t number_or_usage(const char *text, const char **end)
{
    char *behind;
    uint64_t value;

    errno = 0;
    value = strtoull(text, &behind, 10);
    if (behind == text || errno != 0) {
        usage();
    }
    *end = behind;
    return value;
}

static enum swarm_mode mode_or_usage(const char *name)
{
    static const char *const modes[] = {"mixed", "uniform", "twins", "byzz", "lite"};

    for (uint32_t i = 0; i < 5; i++) {
        if (strcmp(modes[i], name) == 0) {
            return (enum swarm_mode)i;
        }
    }
    usage();
    return SWARM_MIXED;
}

static void command_read(int argc, char **argv)
{
    const char *end;

    command = (struct command){.jobs = 1, .mode_name = "mixed"};
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(argv[i], "-v") == 0) {
            command.verbose = true;
        } else if (strcmp(argv[i], "--digest") == 0) {
            command.digest = true;
        } else if (strcmp(argv[i], "--scenarios") == 0) {
            command.scenarios = true;
        } else if (strcmp(argv[i], "--mode") == 0 && next != NULL) {
            command.mode = mode_or_usage(next);
            command.mode_name = next;
            i += 1;
        } else if (strcmp(argv[i], "--jobs") == 0 && next != NULL) {
            command.jobs = (uint32_t)number_or_usage(next, &end);
            i += 1;
        } else if (strcmp(argv[i], "--mutant") == 0 && next != NULL) {
            command.mutant = (int)number_or_usage(next, &end);
            i += 1;
        } else if (argv[i][0] >= '0' && argv[i][0] <= '9') {
            command.seeds = true;
            command.from = number_or_usage(argv[i], &end);
            command.to = command.from;
            if (strncmp(end, "..", 2) == 0) {
                command.to = number_or_usage(end + 2, &end);
            }
        } else if (argv[i][0] != '-' && command.name == NULL) {
            command.name = argv[i];
        } else {
            usage();
        }
    }
    if (command.jobs == 0 || command.jobs > JOBS_MAX || command.to < command.from) {
        usage();
    }
}

static bool mutant_set(void)
{
#ifdef MUTANT
    mutant_chosen = command.mutant;
    return true;
#else
    return command.mutant == 0;
#endif
}

int main(int argc, char **argv)
{
    struct totals totals = {0};
    bool passed = true;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    command_read(argc, argv);
    if (!mutant_set()) {
        (void)fprintf(stderr, "sim: this build holds no planted bug; use the preset mutants\n");
        return 2;
    }
    signals_set();
    sim_verbose = command.verbose;
    if (command.name != NULL || command.scenarios) {
        return scenarios_run(command.name) ? 0 : 1;
    }
    if (command.seeds && command.from == command.to) {
        struct told told;

        seed_run(command.from, &told);
        totals_add(&totals, &told);
        passed = totals_print(&totals, processor_seconds());
        return passed ? 0 : 1;
    }
    if (!command.seeds) {
        command.from = 1;
        command.to = 20;
    }
    if (!seeds_run(&totals)) {
        (void)fprintf(stderr, "sim: cannot start a process\n");
        return 1;
    }
    passed = totals_print(&totals, processor_seconds());
    if (!command.seeds) {
        passed = scenarios_run(NULL) && passed;
    }
    return passed ? 0 : 1;
}

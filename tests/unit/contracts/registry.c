/* What the registry refuses at start: each fault planted in a copy of a module, in a process of its own. */
#include "contracts/registry.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/count.h"
#include "contracts/core.h"
#include "contracts/exec.h"
#include "tests/check.h"
#include "tests/scripted.h"

enum { TABLES = 2, ACTIONS = 4 };

/* The module `testing`, to be changed. */
struct plant {
    struct module module;
    struct table tables[TABLES];
    const struct table *table_list[TABLES];
    struct action actions[ACTIONS];
    struct event events[2];
    const struct module *modules[3];
    struct registry registry;
};

static struct plant plant;

static void plant_begin(void)
{
    plant.module = testing;
    for (uint32_t i = 0; i < TABLES; i++) {
        plant.tables[i] = *testing.tables[i];
        plant.tables[i].module = &plant.module;
        plant.table_list[i] = &plant.tables[i];
    }
    for (uint32_t i = 0; i < ACTIONS; i++) {
        plant.actions[i] = testing.actions[i];
    }
    plant.events[0] = testing.events[0];
    plant.module.tables = plant.table_list;
    plant.module.actions = plant.actions;
    plant.module.events = plant.events;
    plant.modules[0] = &core;
    plant.modules[1] = &plant.module;
    plant.modules[2] = NULL;
    plant.registry = scripted_registry;
    plant.registry.modules = plant.modules;
}

/* Does registry_check abort? */
static bool refused(void)
{
    int status = 0;
    pid_t child;

    (void)fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(1);
        }
        (void)signal(SIGABRT, SIG_DFL);
        registry_check(&plant.registry);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#define PLANT(change)                                                                              \
    do {                                                                                           \
        plant_begin();                                                                             \
        change;                                                                                    \
        if (!refused()) {                                                                          \
            check_failed(__FILE__, __LINE__, "not refused: %s", #change);                          \
        }                                                                                          \
    } while (0)

TEST(what_is_right_passes)
{
    plant_begin();
    CHECK(!refused());
    registry_check(&registry_here);
    registry_check(&scripted_registry);
}

TEST(tables_are_checked)
{
    PLANT(plant.tables[0].key[0] = "idd");   /* no such field */
    PLANT(plant.tables[0].key[1] = "id");    /* one twice */
    PLANT(plant.tables[0].key[0] = "flag");  /* no form as a key */
    PLANT(plant.tables[0].key[0] = "list");  /* a list */
    PLANT(plant.tables[0].key[0] = "blob");  /* bytes without size */
    PLANT(plant.tables[0].key[0] = "short"); /* bytes of another size than 32 */
    PLANT((plant.tables[0].key[0] = "text", plant.tables[0].key[3] = "id")); /* string not last */
    PLANT(plant.tables[0].key[0] = NULL);                                    /* no key */
    PLANT(plant.tables[1].indexes[0].fields[0] = "sighned");                 /* no such field */
    PLANT(plant.tables[1].indexes[0].fields[0] = NULL); /* an index over nothing */
    PLANT(plant.tables[1].indexes[1].fields[1] = "blob");
    PLANT((plant.tables[0].indexes[0].name = "by_text",
           plant.tables[0].indexes[0].fields[0] = "text")); /* string before the primary key */
    PLANT(plant.tables[0].row_bytes += 8);                  /* a struct of another type */
    PLANT(plant.tables[0].row = &testing__script__descriptor);
    PLANT(plant.tables[0].row = &core__usage__descriptor); /* another module's message */
    PLANT(plant.tables[0].module = &testing);              /* listed by a stranger */
    PLANT(plant.tables[0].number = 0);
    PLANT(plant.tables[1].number = 1);
    PLANT(plant.tables[1].number = 3); /* a gap */
    PLANT(plant.tables[1].name = "mixed");
    PLANT((plant.tables[1].row = plant.tables[0].row,
           plant.tables[1].row_bytes = plant.tables[0].row_bytes,
           plant.tables[1].key[0] = "large")); /* one message for two tables */
}

TEST(actions_are_checked)
{
    PLANT(plant.actions[SCRIPT].number = 0);
    PLANT(plant.actions[SCRIPT].number = 2);
    PLANT(plant.actions[SCRIPT].name = "timer");
    PLANT(plant.actions[SCRIPT].name = NULL);
    PLANT(plant.actions[SCRIPT].run = NULL);
    PLANT(plant.actions[SCRIPT].units = 0);
    PLANT(plant.actions[SCRIPT].request_bytes += 8);
    PLANT((plant.actions[SCRIPT].request = &core__ref__descriptor,
           plant.actions[SCRIPT].request_bytes = sizeof(Core__Ref)));
    PLANT(plant.actions[SCRIPT].coop = "copo");
    PLANT((plant.actions[SCRIPT].request = &testing__row__descriptor,
           plant.actions[SCRIPT].request_bytes = sizeof(Testing__Row),
           plant.actions[SCRIPT].coop = "small")); /* not a u64 */
    PLANT(plant.actions[SCRIPT].authority = 0);
    PLANT(plant.actions[SCRIPT].authority = 1U << 20);
    PLANT(plant.actions[SCRIPT].authority = AUTHORITY_RIGHT); /* granted by nobody yet */
    PLANT(plant.actions[SCRIPT].authority = AUTHORITY_SEAT);  /* a seat, but which? */
    PLANT(plant.actions[SCRIPT].seats = SEAT_COUNCIL);        /* a seat without the authority */
    PLANT(
        (plant.actions[SCRIPT].authority = AUTHORITY_SEAT, plant.actions[SCRIPT].seats = 1U << 7));
    PLANT((plant.actions[TICK].authority = AUTHORITY_SEAT,
           plant.actions[TICK].seats = SEAT_COUNCIL));   /* a seat in no cooperative */
    PLANT(plant.actions[TIMER].basis = BASIS_NONE);      /* the chain alone */
    PLANT(plant.actions[SCRIPT].basis = BASIS_DEADLINE); /* a basis without the chain */
    PLANT((plant.actions[SCRIPT].creates_account = true,
           plant.actions[SCRIPT].authority = AUTHORITY_SELF | AUTHORITY_ANYONE));
    PLANT(plant.actions[TICK].reserve = true); /* a reserve that is not the actor's own */
}

TEST(modules_and_events_are_checked)
{
    PLANT(plant.module.number = 0);
    PLANT(plant.module.number = 32);
    PLANT(plant.modules[0] = &plant.module); /* core is not first */
    PLANT(plant.modules[0] = NULL);
    PLANT(plant.module.name = "testin");
    PLANT(plant.events[0].body = &core__ref__descriptor);
    PLANT(plant.events[0].name = NULL);
    PLANT((plant.events[1] = plant.events[0], plant.module.event_count = 2));
    PLANT(plant.registry.key = NULL);
    PLANT(plant.registry.has_seat = NULL);
    PLANT(plant.registry.genesis_operator = NULL);
}

/* The committed register is what the data say: a number that changes shows here. */
TEST(the_register_is_as_committed)
{
    static char text[1 << 18];
    size_t count;
    uint8_t *committed = check_file(SOURCE_DIR "/contracts/register.txt", &count);

    CHECK(exec_register_text(registry_here.modules, text, sizeof text) == ERR_OK);
    CHECK_U64(count, ==, strlen(text));
    CHECK(memcmp(committed, text, count) == 0);
    free(committed);
    CHECK(exec_register_text(registry_here.modules, text, 100) == ERR_NO_SPACE);
    CHECK(exec_register_text(registry_here.modules, text, count) == ERR_NO_SPACE);
    CHECK(exec_register_text(registry_here.modules, text, count + 1) == ERR_OK);
}

/* Statuses ascend, and each names its module's number and a rule. */
TEST(statuses_are_a_register)
{
    static const struct {
        uint32_t number;
        const char *name;
        const char *rule;
    } statuses[] = {
#define STATUS_ROW(name, number, rule) {number, #name, rule},
        STATUSES(STATUS_ROW)
#undef STATUS_ROW
    };

    CHECK_U64(statuses[0].number, ==, 0);
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        const enum status status = (enum status)statuses[i].number;

        CHECK(strcmp(status_name(status), statuses[i].name) == 0);
        CHECK(strcmp(status_rule(status), statuses[i].rule) == 0);
        CHECK(i == 0 || statuses[i].number > statuses[i - 1].number);
        CHECK(i == 0 || strlen(statuses[i].rule) >= 3);
    }
    CHECK(strcmp(status_name((enum status)0x7777), "?") == 0);
    CHECK(strcmp(status_rule((enum status)0x7777), "?") == 0);
}

TESTS(TEST_ENTRY(what_is_right_passes), TEST_ENTRY(tables_are_checked),
      TEST_ENTRY(actions_are_checked), TEST_ENTRY(modules_and_events_are_checked),
      TEST_ENTRY(the_register_is_as_committed), TEST_ENTRY(statuses_are_a_register))

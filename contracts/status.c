#include "contracts/status.h"

const char *status_name(enum status status)
{
    switch (status) {
#define STATUS_NAME(name, number, rule)                                                            \
    case name:                                                                                     \
        return #name;
        STATUSES(STATUS_NAME)
#undef STATUS_NAME
    }
    return "?";
}

const char *status_rule(enum status status)
{
    switch (status) {
#define STATUS_RULE(name, number, rule)                                                            \
    case name:                                                                                     \
        return (rule);
        STATUSES(STATUS_RULE)
#undef STATUS_RULE
    }
    return "?";
}

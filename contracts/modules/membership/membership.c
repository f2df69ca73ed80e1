/*
 * contracts/modules/membership/membership.c -- the module as data.
 */
#include "contracts/modules/membership/membership.h"

#include "base/count.h"
#include "contracts/modules/membership/interface.h"

const struct table members = {
    .number = 1,
    TABLE_IS(membership, members, member),
    .key = {"coop", "account"},
    .indexes =
        {
            [MEMBERS_BY_STATE] = {"by_state", {"coop", "state"}},
            [MEMBERS_BY_ACCOUNT] = {"by_account", {"account"}},
        },
};

static const struct table *const tables[] = {&members};

static const struct action actions[] = {
    [MEMBERSHIP_ADMISSION_APPLY] =
        {
            .number = 1,
            ACTION_IS(membership, admission_apply),
            .coop = "coop",
            .authority = AUTHORITY_SELF,
            .units = 50,
        },
    [MEMBERSHIP_ADMISSION_DECIDE] =
        {
            .number = 2,
            ACTION_IS(membership, admission_decide),
            .coop = "coop",
            .authority = AUTHORITY_SEAT,
            .seats = SEAT_COUNCIL,
            .class = CLASS_URGENT,
            .units = 50,
        },
    [MEMBERSHIP_LEAVE] =
        {
            .number = 3,
            ACTION_IS(membership, leave),
            .coop = "coop",
            .authority = AUTHORITY_SELF,
            .class = CLASS_URGENT,
            .reserve = true,
            .units = 50,
        },
    [MEMBERSHIP_ADMISSION_LAPSE] =
        {
            .number = 4,
            ACTION_IS(membership, admission_lapse),
            .coop = "coop",
            .authority = AUTHORITY_CHAIN | AUTHORITY_ANYONE,
            .basis = BASIS_DEADLINE,
            .units = 20,
        },
};

static const struct event events[] = {
    EVENT_IS(membership, admission_applied),
    EVENT_IS(membership, admission_decided),
    EVENT_IS(membership, member_left),
    EVENT_IS(membership, admission_lapsed),
};

const struct module membership = {
    .number = 3,
    .name = "membership",
    .tables = tables,
    .table_count = COUNT_OF(tables),
    .actions = actions,
    .action_count = COUNT_OF(actions),
    .events = events,
    .event_count = COUNT_OF(events),
};

enum status membership_require(struct host *host, uint64_t coop, ProtobufCBinaryData account)
{
    const Membership__Member *row =
        members_get(host, &(Membership__Member){.coop = coop, .account = account});

    REQUIRE(row != NULL && row->state == MEMBERSHIP__MEMBER__STATE__ACTIVE,
            MEMBERSHIP_NOT_MEMBER); /* M-7 */
    return STATUS_OK;
}

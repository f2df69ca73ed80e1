/*
 * contracts/modules/accounts/accounts.c -- the module as data, and what others ask of it.
 */
#include "contracts/modules/accounts/accounts.h"

#include "base/count.h"
#include "contracts/modules/accounts/interface.h"

const struct table account_rows = {
    .number = 1,
    .name = "accounts",
    .module = &accounts,
    .row = &accounts__account__descriptor,
    .row_bytes = account_rows_row_bytes,
    .key = {"account"},
};

const struct table keys = {
    .number = 2,
    TABLE_IS(accounts, keys, key),
    .key = {"account", "key_id"},
};

const struct table key_owners = {
    .number = 3,
    TABLE_IS(accounts, key_owners, key_owner),
    .key = {"key_hash"},
};

const struct table aliases = {
    .number = 4,
    TABLE_IS(accounts, aliases, alias),
    .key = {"name"},
};

const struct table alias_reservations = {
    .number = 5,
    TABLE_IS(accounts, alias_reservations, alias_reservation),
    .key = {"account"},
};

static const struct table *const tables[] = {
    &account_rows, &keys, &key_owners, &aliases, &alias_reservations,
};

static const struct action actions[] = {
    [ACCOUNTS_ACCOUNT_CREATE] =
        {
            .number = 1,
            ACTION_IS(accounts, account_create),
            .authority = AUTHORITY_SELF,
            .creates_account = true,
            .units = 50,
        },
    [ACCOUNTS_ALIAS_RESERVE] =
        {
            .number = 2,
            ACTION_IS(accounts, alias_reserve),
            .authority = AUTHORITY_SELF,
            .units = 50,
        },
    [ACCOUNTS_ALIAS_SET] =
        {
            .number = 3,
            ACTION_IS(accounts, alias_set),
            .authority = AUTHORITY_SELF,
            .units = 50,
        },
};

static const struct event events[] = {
    EVENT_IS(accounts, account_created),
    EVENT_IS(accounts, alias_taken),
};

const struct module accounts = {
    .number = 1,
    .name = "accounts",
    .tables = tables,
    .table_count = COUNT_OF(tables),
    .actions = actions,
    .action_count = COUNT_OF(actions),
    .events = events,
    .event_count = COUNT_OF(events),
};

Accounts__Account__Type accounts_type(struct host *host, ProtobufCBinaryData account)
{
    const Accounts__Account *row = account_rows_get(host, &(Accounts__Account){.account = account});

    return row == NULL ? ACCOUNTS__ACCOUNT__TYPE__TYPE_UNSPECIFIED : row->type;
}

static struct host_key key_answer(ProtobufCBinaryData public_key, Accounts__Key__Purpose purpose)
{
    return (struct host_key){
        .public_key = public_key, .authorises = purpose == ACCOUNTS__KEY__PURPOSE__DEVICE, /* H-9 */
    };
}

bool accounts_key(struct host *host, ProtobufCBinaryData account, uint32_t key_id,
                  struct host_key *out)
{
    const Accounts__Key *row =
        keys_get(host, &(Accounts__Key){.account = account, .key_id = key_id});

    if (row == NULL) {
        return false;
    }
    *out = key_answer(row->public_key, row->purpose);
    return true;
}

bool accounts_key_of_request(const void *request, uint32_t key_id, struct host_key *out)
{
    const Accounts__AccountCreate *create = request;

    if (key_id >= create->n_keys) {
        return false;
    }
    *out = key_answer(create->keys[key_id]->public_key, create->keys[key_id]->purpose);
    return true;
}

/*
 * contracts/modules/accounts/alias.c -- a name for people: reserved by a hash in one block, shown in a later one.
 *
 * Whoever sees a name for the first time in a transaction cannot take it before its owner, who has reserved it.
 */
#include "base/bytes.h"
#include "contracts/modules/accounts/accounts.h"

static const uint64_t RESERVED_MS = UINT64_C(86400000);
static const uint64_t CHANGE_MS = UINT64_C(365) * 86400000;

enum { NAME_BYTES_MIN = 3, NAME_BYTES_MAX = 32 };

static size_t alias_length(const char *name)
{
    size_t count = 0;

    while (count <= NAME_BYTES_MAX && name[count] != 0) {
        count += 1;
    }
    return count;
}

static bool alias_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

/* AC-7: 3 to 32 of a-z 0-9 -, a letter first, no - last or twice running. */
static bool alias_form(const char *name)
{
    const size_t count = alias_length(name);

    if (count < NAME_BYTES_MIN || count > NAME_BYTES_MAX || !alias_letter(name[0]) ||
        name[count - 1] == '-') {
        return false;
    }
    for (size_t i = 1; i < count; i++) {
        const char c = name[i];

        if (!alias_letter(c) && !(c >= '0' && c <= '9') && c != '-') {
            return false;
        }
        if (c == '-' && name[i - 1] == '-') {
            return false;
        }
    }
    return true;
}

/*
 * Reserve a name without showing it.
 *
 * Writes: the account's reservation, in place of an older one.
 */
enum status accounts_alias_reserve(struct host *host, const Accounts__AliasReserve *request)
{
    alias_reservations_put(host, &(Accounts__AliasReservation){
                                     .account = host_actor(host),
                                     .hash = request->hash,
                                     .reserved_height = host_height(host),
                                     .until_ms = host_block_time_ms(host) + RESERVED_MS,
                                 });
    return STATUS_OK;
}

/* AC-9: by this account, in an earlier block, at most a day ago, with this salt and name. */
static enum status alias_reserved(struct host *host, const Accounts__AliasSet *request)
{
    const Accounts__AliasReservation *row =
        alias_reservations_get(host, &(Accounts__AliasReservation){.account = host_actor(host)});
    const struct bytes parts[] = {
        bytes_of(request->salt.data, request->salt.len),
        bytes_of(request->name, alias_length(request->name)),
    };

    REQUIRE(row != NULL && row->reserved_height < host_height(host) &&
                host_block_time_ms(host) <= row->until_ms,
            ACCOUNTS_ALIAS_NOT_RESERVED); /* AC-9 */
    REQUIRE(id_equal(host_hash(host, TAG_ALIAS, parts, 2), row->hash),
            ACCOUNTS_ALIAS_NOT_RESERVED); /* AC-9 */
    return STATUS_OK;
}

/*
 * Take the name that was reserved.
 *
 * Writes: the alias, the account's row; the older alias and the reservation go; one event.
 */
enum status accounts_alias_set(struct host *host, const Accounts__AliasSet *request)
{
    const ProtobufCBinaryData account = host_actor(host);
    const uint64_t now_ms = host_block_time_ms(host);
    const Accounts__Account *row;
    Accounts__Account named;

    REQUIRE(alias_form(request->name), ACCOUNTS_ALIAS_FORM); /* AC-7 */
    REQUIRE(aliases_get(host, &(Accounts__Alias){.name = request->name}) == NULL,
            ACCOUNTS_ALIAS_TAKEN); /* AC-8 */
    REQUIRE_OK(alias_reserved(host, request));
    row = account_rows_get(host, &(Accounts__Account){.account = account});
    REQUIRE(row != NULL, STATUS_NOT_AUTHORISED); /* H-3: cannot be, a signer has an account */
    REQUIRE(row->alias_set_at_ms == 0 || now_ms >= row->alias_set_at_ms + CHANGE_MS,
            ACCOUNTS_ALIAS_TOO_SOON); /* AC-10 */

    named = *row;
    named.alias = request->name;
    named.alias_set_at_ms = now_ms;
    if (row->alias_set_at_ms != 0) {
        aliases_delete(host, &(Accounts__Alias){.name = row->alias});
    }
    aliases_put(host, &(Accounts__Alias){.name = request->name, .account = account});
    alias_reservations_delete(host, &(Accounts__AliasReservation){.account = account});
    account_rows_put(host, &named);
    accounts_alias_taken_emit(host,
                              &(Accounts__AliasTaken){.account = account, .name = request->name});
    return STATUS_OK;
}

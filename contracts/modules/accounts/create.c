/*
 * contracts/modules/accounts/create.c -- an account comes to be: its id is the hash of its creation.
 */
#include "base/bytes.h"
#include "contracts/modules/accounts/accounts.h"
#include "contracts/modules/accounts/interface.h"

enum { SALT_BYTES = 16, QUOTA_PERSON = 1 };

/* H(pubkey: public key): the key of key_owners. */
static ProtobufCBinaryData create_key_hash(struct host *host, ProtobufCBinaryData public_key)
{
    const struct bytes part = bytes_of(public_key.data, public_key.len);

    return host_hash(host, TAG_PUBKEY, &part, 1);
}

/* AC-1: nobody can choose an id, and a key set cannot be changed under it. */
static enum status create_id_check(struct host *host)
{
    const ProtobufCBinaryData payload = host_payload(host);
    const struct bytes part = bytes_of(payload.data, payload.len);

    REQUIRE(id_equal(host_hash(host, TAG_ACCOUNT, &part, 1), host_actor(host)),
            ACCOUNTS_ID); /* AC-1 */
    return STATUS_OK;
}

static bool create_has_device_key(const Accounts__AccountCreate *request)
{
    for (size_t i = 0; i < request->n_keys; i++) {
        if (request->keys[i]->purpose == ACCOUNTS__KEY__PURPOSE__DEVICE) {
            return true;
        }
    }
    return false;
}

/* Does key `index` stand before in the set? */
static bool create_key_twice(const Accounts__AccountCreate *request, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (id_equal(request->keys[i]->public_key, request->keys[index]->public_key)) {
            return true;
        }
    }
    return false;
}

static enum status create_keys_free(struct host *host, const Accounts__AccountCreate *request)
{
    for (size_t i = 0; i < request->n_keys; i++) {
        const Accounts__KeyOwner like = {.key_hash =
                                             create_key_hash(host, request->keys[i]->public_key)};

        REQUIRE(!create_key_twice(request, i), ACCOUNTS_KEY_TAKEN);       /* AC-4 */
        REQUIRE(key_owners_get(host, &like) == NULL, ACCOUNTS_KEY_TAKEN); /* AC-4 */
    }
    return STATUS_OK;
}

static enum status create_keys_signed(struct host *host, const Accounts__AccountCreate *request)
{
    for (uint32_t i = 0; i < request->n_keys; i++) {
        REQUIRE(host_signed_by_key(host, host_actor(host), i), ACCOUNTS_KEY_UNSIGNED); /* AC-5 */
    }
    return STATUS_OK;
}

static enum status create_form(struct host *host, const Accounts__AccountCreate *request)
{
    REQUIRE(request->type != ACCOUNTS__ACCOUNT__TYPE__TYPE_UNSPECIFIED, ACCOUNTS_FORM); /* AC-6 */
    REQUIRE(request->salt.len == SALT_BYTES, ACCOUNTS_FORM);                            /* AC-6 */
    for (size_t i = 0; i < request->n_keys; i++) {
        REQUIRE(request->keys[i]->purpose != ACCOUNTS__KEY__PURPOSE__UNSPECIFIED,
                ACCOUNTS_FORM);                                                     /* AC-6 */
        REQUIRE(host_key_valid(host, request->keys[i]->public_key), ACCOUNTS_FORM); /* AC-6 */
    }
    return STATUS_OK;
}

static void create_write(struct host *host, const Accounts__AccountCreate *request,
                         ProtobufCBinaryData account, ProtobufCBinaryData sponsor)
{
    const uint64_t now_ms = host_block_time_ms(host);

    account_rows_put(host, &(Accounts__Account){
                               .account = account,
                               .type = request->type,
                               .state = ACCOUNTS__ACCOUNT__STATE__ACTIVE,
                               .sponsor = sponsor,
                               .created_at_ms = now_ms,
                               .key_count = (uint32_t)request->n_keys,
                           });
    for (uint32_t i = 0; i < request->n_keys; i++) {
        const ProtobufCBinaryData public_key = request->keys[i]->public_key;

        keys_put(host, &(Accounts__Key){
                           .account = account,
                           .key_id = i,
                           .public_key = public_key,
                           .purpose = request->keys[i]->purpose,
                           .added_at_ms = now_ms,
                       });
        key_owners_put(host, &(Accounts__KeyOwner){
                                 .key_hash = create_key_hash(host, public_key),
                                 .account = account,
                                 .key_id = i,
                             });
    }
}

/*
 * Create an account; the actor is the new account itself, and whoever pays is its sponsor, without any right over it.
 *
 * Writes: the account's row, its keys and their owners; its quota class; one event.
 */
enum status accounts_account_create(struct host *host, const Accounts__AccountCreate *request)
{
    const ProtobufCBinaryData account = host_actor(host);

    REQUIRE_OK(create_id_check(host)); /* AC-1 */
    REQUIRE(account_rows_get(host, &(Accounts__Account){.account = account}) == NULL,
            ACCOUNTS_EXISTS);                                        /* AC-2 */
    REQUIRE(create_has_device_key(request), ACCOUNTS_NO_DEVICE_KEY); /* AC-3 */
    REQUIRE_OK(create_keys_free(host, request));
    REQUIRE_OK(create_keys_signed(host, request));
    REQUIRE_OK(create_form(host, request));

    create_write(host, request, account, host_payer(host));
    host_quota_class_set(host, account, QUOTA_PERSON);
    accounts_account_created_emit(host, &(Accounts__AccountCreated){
                                            .account = account,
                                            .type = request->type,
                                            .sponsor = host_payer(host),
                                        });
    return STATUS_OK;
}

enum status accounts_genesis(struct host *host, const void *request, ProtobufCBinaryData account)
{
    const Accounts__AccountCreate *create = request;

    REQUIRE(account_rows_get(host, &(Accounts__Account){.account = account}) == NULL,
            ACCOUNTS_EXISTS);                                       /* AC-2 */
    REQUIRE(create_has_device_key(create), ACCOUNTS_NO_DEVICE_KEY); /* AC-3 */
    REQUIRE_OK(create_keys_free(host, create));
    REQUIRE_OK(create_form(host, create));
    create_write(host, create, account, (ProtobufCBinaryData){0});
    return STATUS_OK;
}

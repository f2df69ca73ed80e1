/* Module accounts: each rule once, in its order, and what an accepted action writes. */
#include "contracts/modules/accounts/interface.h"

#include <string.h>

#include "contracts/core.h"
#include "contracts/modules/membership/interface.h"
#include "crypto/hash.h"
#include "proto/canon.h"
#include "tests/check.h"
#include "tests/world.h"

enum { CREATE, RESERVE, SET }; /* places in the module's data */

static struct world world;

static const Accounts__Account *account_row(uint32_t actor)
{
    return world_get(&world, world_table(&accounts, 1),
                     &(Accounts__Account){.account = world_id(&world, actor)});
}

static const Core__Usage *usage_row(uint32_t actor)
{
    return world_get(&world, &core_usage, &(Core__Usage){.account = world_id(&world, actor)});
}

static void begin(void)
{
    world_open_cast(&world, NULL);
    world_block(&world, 1000);
}

static void end(void)
{
    world_check_indexes(&world);
    world_block_end(&world);
    world_check_indexes(&world);
    world_close(&world);
}

/* A creation that ANNA pays for, refused. */
static void create_refused(const struct world_actor *like, enum status status)
{
    const uint32_t nina = world_add_like(&world, like);
    struct world_tx tx;

    world_tx_begin(&world, &tx, ANNA);
    world_tx_create(&world, &tx, nina);
    (void)world_refused(&world, &tx, status, 0);
    CHECK(account_row(nina) == NULL && usage_row(nina) == NULL);
}

TEST(an_account_is_created_by_its_own_keys_and_paid_by_another)
{
    const struct world_actor two_keys = {
        .type = ACCOUNTS__ACCOUNT__TYPE__PERSON,
        .key_count = 2,
        .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE, ACCOUNTS__KEY__PURPOSE__RECOVERY}};
    struct world_tx tx;
    const Chain__Receipt *receipt;
    const Accounts__Account *row;
    const Accounts__Key *key;
    const Accounts__KeyOwner *owner;
    uint8_t key_hash[HASH_BYTES];
    uint32_t nina;

    begin();
    nina = world_add_like(&world, &two_keys);
    world_tx_begin(&world, &tx, ANNA);
    world_tx_create(&world, &tx, nina);
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_events, ==, 1);
    CHECK_U64(receipt->events[0]->module, ==, 1);
    CHECK_U64(receipt->events[0]->event, ==, 1);
    row = account_row(nina);
    CHECK(row != NULL && row->type == ACCOUNTS__ACCOUNT__TYPE__PERSON);
    CHECK(row->state == ACCOUNTS__ACCOUNT__STATE__ACTIVE);
    CHECK(id_equal(row->sponsor, world_id(&world, ANNA)));
    CHECK_U64(row->created_at_ms, ==, world.time_ms);
    CHECK_U64(row->key_count, ==, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const uint8_t *public_key = world.actors[nina].public_keys[i];

        key = world_get(&world, world_table(&accounts, 2),
                        &(Accounts__Key){.account = world_id(&world, nina), .key_id = i});
        CHECK(key != NULL && key->purpose == two_keys.purposes[i]);
        CHECK_U64(key->added_at_ms, ==, world.time_ms);
        CHECK_BYTES(bytes_of(key->public_key.data, key->public_key.len), bytes_of(public_key, 33));
        hash_of(TAG_PUBKEY, bytes_of(public_key, 33), key_hash);
        owner = world_get(&world, world_table(&accounts, 3),
                          &(Accounts__KeyOwner){.key_hash = {HASH_BYTES, key_hash}});
        CHECK(owner != NULL && id_equal(owner->account, world_id(&world, nina)));
        CHECK_U64(owner->key_id, ==, i);
    }
    CHECK_U64(usage_row(nina)->quota_class, ==, 1);
    CHECK_U64(usage_row(nina)->level, ==, 20000);
    (void)world_act(&world, nina, &accounts, RESERVE,
                    &(Accounts__AliasReserve){.hash = world_id(&world, nina)});
    end();
}

/* One transaction, sponsored, creates an account and applies; further actions stand behind the creation. */
TEST(one_transaction_creates_and_applies)
{
    Membership__AdmissionApply apply;
    const Membership__Member *member;
    const Chain__Receipt *receipt;
    struct world_tx tx;
    uint64_t coop;
    uint32_t nina;

    begin();
    coop = world_coop(&world, FIRST);
    nina = world_add(&world, ACCOUNTS__ACCOUNT__TYPE__PERSON);
    apply = world_application(&world, coop, MEMBERSHIP__MEMBER__KIND__PERSON);

    world_tx_begin(&world, &tx, FIRST); /* the cooperative pays */
    (void)world_tx_act(&world, &tx, nina, &membership, 0, &apply);
    world_tx_create(&world, &tx, nina);
    (void)world_refused(&world, &tx, STATUS_NOT_AUTHORISED, 0); /* H-3: not created yet */

    world_tx_begin(&world, &tx, FIRST);
    world_tx_create(&world, &tx, nina);
    (void)world_tx_act(&world, &tx, nina, &membership, 0, &apply);
    receipt = world_accepted(&world, &tx);
    CHECK_U64(receipt->n_events, ==, 2);
    member = world_get(&world, world_table(&membership, 1),
                       &(Membership__Member){.coop = coop, .account = world_id(&world, nina)});
    CHECK(member != NULL && member->state == MEMBERSHIP__MEMBER__STATE__APPLIED);
    end();
}

/* Atomic: the second action is refused, so the account is not there, and the sponsor has paid. */
TEST(a_refused_application_creates_nobody)
{
    Membership__AdmissionApply apply;
    struct world_tx tx;
    uint32_t nina;

    begin();
    nina = world_add(&world, ACCOUNTS__ACCOUNT__TYPE__PERSON);
    apply = world_application(&world, 7, MEMBERSHIP__MEMBER__KIND__PERSON);
    world_tx_begin(&world, &tx, ANNA);
    world_tx_create(&world, &tx, nina);
    (void)world_tx_act(&world, &tx, nina, &membership, 0, &apply);
    (void)world_refused(&world, &tx, COOPERATIVES_NO_SUCH_COOP, 1); /* CO-1 */
    CHECK(account_row(nina) == NULL);
    world_tx_begin(&world, &tx, ANNA);
    world_tx_create(&world, &tx, nina);
    (void)world_accepted(&world, &tx);
    end();
}

TEST(the_id_is_the_hash_of_the_creation)
{
    struct world_tx tx;
    uint32_t nina;

    begin();
    nina = world_add(&world, ACCOUNTS__ACCOUNT__TYPE__PERSON);
    world_tx_begin(&world, &tx, ANNA);
    world_tx_create(&world, &tx, nina);
    tx.actions[0].actor = BORIS; /* signs too, and is not what the payload hashes to */
    tx.signer_count = 1;
    world_tx_sign(&tx, BORIS, 0);
    (void)world_refused(&world, &tx, ACCOUNTS_ID, 0); /* AC-1 */

    world_tx_begin(&world, &tx, BORIS);
    world_tx_create(&world, &tx, ANNA);
    (void)world_refused(&world, &tx, ACCOUNTS_EXISTS, 0); /* AC-2 */
    end();
}

TEST(a_key_set_without_device_key)
{
    const struct world_actor recovery = {.type = ACCOUNTS__ACCOUNT__TYPE__PERSON,
                                         .key_count = 1,
                                         .purposes = {ACCOUNTS__KEY__PURPOSE__RECOVERY}};

    begin();
    create_refused(&recovery, ACCOUNTS_NO_DEVICE_KEY); /* AC-3 */
    end();
}

TEST(a_key_has_one_owner)
{
    struct world_actor like = {
        .type = ACCOUNTS__ACCOUNT__TYPE__PERSON,
        .key_count = 2,
        .keys_given = true,
        .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE, ACCOUNTS__KEY__PURPOSE__DEVICE}};

    begin();
    memcpy(like.public_keys[0], world.actors[ROBOT].public_keys[0], 33);
    memcpy(like.public_keys[0] + 1, world.actors[ROBOT].public_keys[0] + 1, 32);
    memcpy(like.public_keys[1], world.actors[ANNA].public_keys[0], 33);
    create_refused(&like, ACCOUNTS_KEY_TAKEN); /* AC-4: BORIS and ANNA have them */
    like.public_keys[0][0] ^= 1;               /* the mirrored point: a key of nobody */
    memcpy(like.public_keys[1], like.public_keys[0], 33);
    create_refused(&like, ACCOUNTS_KEY_TAKEN); /* AC-4: twice in the set */
    end();
}

TEST(each_key_signs)
{
    const struct world_actor like = {
        .type = ACCOUNTS__ACCOUNT__TYPE__PERSON,
        .key_count = 2,
        .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE, ACCOUNTS__KEY__PURPOSE__RECOVERY}};
    struct world_tx tx;
    uint32_t nina;

    begin();
    nina = world_add_like(&world, &like);
    for (uint32_t key = 0; key < 2; key++) {
        world_tx_begin(&world, &tx, ANNA);
        world_tx_create(&world, &tx, nina);
        tx.signer_count = 1;
        world_tx_sign(&tx, nina, key);
        (void)world_refused(&world, &tx, ACCOUNTS_KEY_UNSIGNED, 0); /* AC-5 */
    }
    world_tx_begin(&world, &tx, ANNA);
    world_tx_create(&world, &tx, nina);
    tx.signer_count = 1;
    (void)world_refused(&world, &tx, STATUS_NOT_AUTHORISED, 0); /* H-3: nobody signed for it */
    end();
}

TEST(the_form_of_a_creation)
{
    struct world_actor like = {
        .type = ACCOUNTS__ACCOUNT__TYPE__TYPE_UNSPECIFIED,
        .key_count = 2,
        .purposes = {ACCOUNTS__KEY__PURPOSE__DEVICE, ACCOUNTS__KEY__PURPOSE__RECOVERY}};

    begin();
    create_refused(&like, ACCOUNTS_FORM); /* AC-6: no type */
    like.type = ACCOUNTS__ACCOUNT__TYPE__PERSON;
    like.purposes[1] = ACCOUNTS__KEY__PURPOSE__UNSPECIFIED;
    create_refused(&like, ACCOUNTS_FORM); /* AC-6: no purpose */
    like.purposes[1] = ACCOUNTS__KEY__PURPOSE__RECOVERY;
    like.salt_missing = true;
    create_refused(&like, ACCOUNTS_FORM); /* AC-6: no salt */
    like.salt_missing = false;
    like.keys_given = true;
    memset(like.public_keys, 5, sizeof like.public_keys);
    like.public_keys[1][32] = 6;
    create_refused(&like, ACCOUNTS_FORM); /* AC-6: no point of the curve */
    end();
}

/* -- Aliases. -- */

static const uint8_t alias_salt[32] = {1, 2, 3};

static ProtobufCBinaryData alias_hash(const char *name)
{
    static uint8_t hash[HASH_BYTES];
    const struct bytes parts[] = {bytes_of(alias_salt, 32), bytes_of(name, strlen(name))};

    hash_parts(TAG_ALIAS, parts, 2, hash);
    return (ProtobufCBinaryData){.len = HASH_BYTES, .data = hash};
}

static Accounts__AliasSet alias_request(const char *name)
{
    static uint8_t salt[32];

    memcpy(salt, alias_salt, sizeof salt);
    return (Accounts__AliasSet){.salt = {32, salt}, .name = name};
}

static void reserve(uint32_t actor, const char *name)
{
    (void)world_act(&world, actor, &accounts, RESERVE,
                    &(Accounts__AliasReserve){.hash = alias_hash(name)});
}

static void set_refused(uint32_t actor, const char *name, enum status status)
{
    const Accounts__AliasSet request = alias_request(name);

    (void)world_act_refused(&world, actor, &accounts, SET, &request, status);
}

static void set(uint32_t actor, const char *name)
{
    const Accounts__AliasSet request = alias_request(name);

    (void)world_act(&world, actor, &accounts, SET, &request);
}

static void next_block(uint64_t later_ms)
{
    world_block_end(&world);
    world_block(&world, later_ms);
}

TEST(the_form_of_an_alias)
{
    static const char *const bad[] = {
        "",      "ab",     "Anna",  "1anna", "-anna",
        "anna-", "an--na", "an na", "anna_", "\xd0\xb0\xd0\xbd\xd0\xbd"};

    begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reserve(ANNA, bad[i]);
        next_block(1000);
        set_refused(ANNA, bad[i], ACCOUNTS_ALIAS_FORM); /* AC-7 */
    }
    reserve(ANNA, "a-1");
    reserve(BORIS, "abcdefghijklmnopqrstuvwxyz-01234");
    next_block(1000);
    set(ANNA, "a-1");
    set(BORIS, "abcdefghijklmnopqrstuvwxyz-01234");
    end();
}

TEST(an_alias_is_reserved_first)
{
    const Accounts__Alias *alias;
    Accounts__AliasSet other;
    uint8_t other_salt[32] = {9};

    begin();
    set_refused(ANNA, "anna", ACCOUNTS_ALIAS_NOT_RESERVED); /* AC-9: nothing reserved */
    reserve(ANNA, "anna");
    set_refused(ANNA, "anna", ACCOUNTS_ALIAS_NOT_RESERVED); /* AC-9: in this very block */
    next_block(1000);
    set_refused(BORIS, "anna", ACCOUNTS_ALIAS_NOT_RESERVED); /* AC-9: by another account */
    set_refused(ANNA, "annb", ACCOUNTS_ALIAS_NOT_RESERVED);  /* AC-9: another name */
    other = alias_request("anna");
    other.salt.data = other_salt;
    (void)world_act_refused(&world, ANNA, &accounts, SET, &other,
                            ACCOUNTS_ALIAS_NOT_RESERVED); /* AC-9: another salt */
    next_block(UINT64_C(86400000) - 1000 + 1);
    set_refused(ANNA, "anna", ACCOUNTS_ALIAS_NOT_RESERVED); /* AC-9: more than a day ago */
    reserve(ANNA, "anna");
    reserve(BORIS, "anna");
    next_block(UINT64_C(86400000)); /* exactly a day */
    set(ANNA, "anna");
    set_refused(BORIS, "anna", ACCOUNTS_ALIAS_TAKEN); /* AC-8 */
    alias = world_get(&world, world_table(&accounts, 4), &(Accounts__Alias){.name = "anna"});
    CHECK(alias != NULL && id_equal(alias->account, world_id(&world, ANNA)));
    CHECK(strcmp(account_row(ANNA)->alias, "anna") == 0);
    CHECK(world_get(&world, world_table(&accounts, 5),
                    &(Accounts__AliasReservation){.account = world_id(&world, ANNA)}) == NULL);
    end();
}

TEST(an_alias_changes_once_a_year)
{
    const uint64_t year_ms = UINT64_C(365) * 86400000;

    begin();
    reserve(ANNA, "anna");
    next_block(1000);
    set(ANNA, "anna");
    next_block(year_ms - 2000);
    reserve(ANNA, "annushka");
    next_block(1999);
    set_refused(ANNA, "annushka", ACCOUNTS_ALIAS_TOO_SOON); /* AC-10 */
    next_block(1);
    set(ANNA, "annushka");
    CHECK(world_get(&world, world_table(&accounts, 4), &(Accounts__Alias){.name = "anna"}) == NULL);
    reserve(BORIS, "anna");
    next_block(1000);
    set(BORIS, "anna"); /* free again */
    end();
}

TESTS(TEST_ENTRY(an_account_is_created_by_its_own_keys_and_paid_by_another),
      TEST_ENTRY(one_transaction_creates_and_applies),
      TEST_ENTRY(a_refused_application_creates_nobody),
      TEST_ENTRY(the_id_is_the_hash_of_the_creation), TEST_ENTRY(a_key_set_without_device_key),
      TEST_ENTRY(a_key_has_one_owner), TEST_ENTRY(each_key_signs),
      TEST_ENTRY(the_form_of_a_creation), TEST_ENTRY(the_form_of_an_alias),
      TEST_ENTRY(an_alias_is_reserved_first), TEST_ENTRY(an_alias_changes_once_a_year))

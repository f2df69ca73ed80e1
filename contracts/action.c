/*
 * contracts/action.c -- look an action up, unpack its request, ask for its authority, run it.
 *
 * Rules: H-1 known by its numbers; H-2 canonical; H-3 authority; H-4 units; H-6 no fault becomes a status;
 * H-8 refs; H-9 the purpose of keys.
 */
#include <string.h>

#include "contracts/machine.h"
#include "contracts/prices.h"
#include "proto/canon.h"

void action_plan(struct exec *exec, const Chain__Action *action, ProtobufCBinaryData actor,
                 struct planned *out)
{
    enum canon_fault fault;

    *out = (struct planned){
        .action = machine_action(exec, action->module, action->action),
        .actor = actor,
        .payload = action->payload,
        .ref = action->ref,
        .module = action->module,
        .number = action->action,
        .price = PRICE_REFUSED,
        .bucket = MACHINE_NO_BUCKET,
    };
    if (out->action == NULL) {
        return;
    }
    out->price = out->action->units;
    /* A full arena is as good as a request that is not canonical: the same on every node. */
    out->request =
        canon_unpack(out->action->request, machine_bytes(out->payload), &exec->arena, &fault);
}

bool action_coop(const struct planned *planned, uint64_t *coop)
{
    const ProtobufCFieldDescriptor *field;

    if (planned->request == NULL || planned->action->coop == NULL) {
        return false;
    }
    field = protobuf_c_message_descriptor_get_field_by_name(planned->action->request,
                                                            planned->action->coop);
    INVARIANT(field != NULL);
    memcpy(coop, (const uint8_t *)planned->request + field->offset, sizeof *coop);
    return true;
}

/*
 * Did the actor sign, with a key that may stand behind this action?  Where anyone may act nobody has to, except
 * for a ref: refs are the actor's own, and a stranger must not use them up.
 */
static enum status action_signed(const struct host *host, const struct planned *planned)
{
    const bool anyone = (planned->action->authority & AUTHORITY_ANYONE) != 0;

    if (host->by_chain || (anyone && planned->ref.len == 0)) {
        return STATUS_OK;
    }
    REQUIRE(signers_any(host, planned->actor), STATUS_NOT_AUTHORISED); /* H-3 */
    if (planned->action->creates_account) {
        return STATUS_OK; /* the account's own rules look at each key */
    }
    REQUIRE(signers_there(host, planned->actor), STATUS_NOT_AUTHORISED);  /* H-3: not created yet */
    REQUIRE(signers_authorise(host, planned->actor), STATUS_KEY_PURPOSE); /* H-9 */
    return STATUS_OK;
}

/* One of the action's authorities is enough (H-3).  The chain's rests on a deadline, which is the due row itself. */
static bool action_authorised(struct exec *exec, const struct planned *planned)
{
    const struct registry *registry = exec->registry;
    const struct action *action = planned->action;
    struct host *host = &exec->host;
    uint64_t coop;

    if (host->by_chain) {
        return (action->authority & AUTHORITY_CHAIN) != 0 && action->basis == BASIS_DEADLINE;
    }
    if ((action->authority & (AUTHORITY_ANYONE | AUTHORITY_SELF)) != 0) {
        return true;
    }
    if ((action->authority & AUTHORITY_ROOT) != 0 &&
        bytes_equal(machine_bytes(planned->actor), bytes_of(exec->root, ACCOUNT_BYTES))) {
        return true;
    }
    if ((action->authority & AUTHORITY_OPERATOR) != 0 &&
        registry->is_operator(host, planned->actor)) {
        return true;
    }
    return (action->authority & AUTHORITY_SEAT) != 0 && action_coop(planned, &coop) &&
           registry->has_seat(host, coop, planned->actor, action->seats);
}

static enum status action_try(struct exec *exec, struct planned *planned, bool *repeated)
{
    struct host *host = &exec->host;
    enum status status;
    bool authorised;

    host_charge(host, (uint32_t)planned->price);
    REQUIRE(planned->action != NULL, STATUS_NO_SUCH_ACTION); /* H-1 */
    REQUIRE(planned->request != NULL, STATUS_NOT_CANONICAL); /* H-2 */
    REQUIRE_OK(action_signed(host, planned));
    if (planned->ref.len != 0) {
        const enum refs_answer answer = refs_look(exec, planned);

        REQUIRE(answer != REFS_REUSED, STATUS_REF_REUSED); /* H-8 */
        *repeated = answer == REFS_REPEATED;
        REQUIRE(!*repeated, STATUS_OK);
    }
    machine_free_begin(exec);
    authorised = action_authorised(exec, planned);
    machine_free_end(exec);
    REQUIRE(authorised, STATUS_NOT_AUTHORISED);       /* H-3 */
    REQUIRE(host->sticky == STATUS_OK, host->sticky); /* H-4: its own units were too many */
    status = planned->action->run(host, planned->request);
    if (status == STATUS_OK && planned->action->creates_account) {
        signers_exist(host, planned->actor);
    }
    if (status == STATUS_OK && planned->ref.len != 0) {
        refs_keep(exec, planned);
    }
    return status;
}

enum status action_run(struct exec *exec, struct planned *planned, bool *repeated)
{
    struct host *host = &exec->host;
    const uint64_t units = host->units;
    enum status status;

    host->note_count = 0;
    host->actor = planned->actor;
    host->payload = planned->payload;
    *repeated = false;
    status = action_try(exec, planned, repeated);
    planned->units = host->units - units;
    if (host->sticky != STATUS_OK) {
        status = host->sticky; /* H-4, H-7: whatever the module answered */
    }
    if (status == STATUS_OK) {
        host->note_count = 0;
    }
    return status;
}

/*
 * contracts/signers.c -- which keys signed a transaction, as the state before it knows them.
 *
 * Keys are looked up each time; only whether a signature holds comes out of a cache (contracts/sigcache.h).
 */
#include "contracts/machine.h"
#include "crypto/hash.h"

/*
 * A new account signs its own creation: no state has it, so its keys are those of the AccountCreate in the same
 * transaction that hashes to it.  An account that is there has the keys that the state says and no others.
 */
static bool signer_created(struct exec *exec, struct signer *signer)
{
    if (core_usage_get(&exec->host, &(Core__Usage){.account = signer->account}) != NULL) {
        return false;
    }
    for (uint32_t i = 0; i < exec->planned_count; i++) {
        const struct planned *planned = &exec->planned[i];
        uint8_t id[HASH_BYTES];

        if (planned->request == NULL || !planned->action->creates_account ||
            !id_equal(planned->actor, signer->account)) {
            continue;
        }
        hash_of(TAG_ACCOUNT, machine_bytes(planned->payload), id);
        if (hash_equal(id, signer->account.data) &&
            exec->registry->key_of_request(planned->request, signer->key_id, &signer->key)) {
            signer->created = true;
            return true;
        }
    }
    return false;
}

enum exec_validity signers_find(struct exec *exec, const struct tx *tx)
{
    struct host *host = &exec->host;

    host->signer_count = 0;
    for (size_t i = 0; i < tx->message->n_signatures; i++) {
        const Chain__Signature *signature = tx->message->signatures[i];
        struct signer *signer = &host->signers[host->signer_count];

        *signer = (struct signer){
            .account = machine_field(tx_signer(tx, signature)),
            .key_id = signature->key_id,
        };
        if (!exec->registry->key(host, signer->account, signer->key_id, &signer->key) &&
            !signer_created(exec, signer)) {
            return machine_failed(exec) ? EXEC_FAULT : EXEC_KEY;
        }
        if (signer->key.public_key.len != EXEC_KEY_BYTES) {
            return EXEC_KEY;
        }
        host->signer_count += 1;
    }
    return EXEC_VALID;
}

bool signers_hold(const struct exec *exec, const struct tx *tx)
{
    const struct exec_verifier *verifier = &exec->verifier;

    for (uint32_t i = 0; i < exec->host.signer_count; i++) {
        const ProtobufCBinaryData *sig64 = &tx->message->signatures[i]->sig64;

        if (sig64->len != SIGNATURE_BYTES ||
            !verifier->verified(verifier->self, exec->host.signers[i].key.public_key.data,
                                tx->tx_id, sig64->data)) {
            return false;
        }
    }
    return true;
}

bool signers_authorise(const struct host *host, ProtobufCBinaryData account)
{
    for (uint32_t i = 0; i < host->signer_count; i++) {
        const struct signer *signer = &host->signers[i];

        if (signer->key.authorises && !signer->created && id_equal(signer->account, account)) {
            return true;
        }
    }
    return false;
}

bool signers_any(const struct host *host, ProtobufCBinaryData account)
{
    for (uint32_t i = 0; i < host->signer_count; i++) {
        if (id_equal(host->signers[i].account, account)) {
            return true;
        }
    }
    return false;
}

bool signers_there(const struct host *host, ProtobufCBinaryData account)
{
    for (uint32_t i = 0; i < host->signer_count; i++) {
        if (id_equal(host->signers[i].account, account)) {
            return !host->signers[i].created;
        }
    }
    return false;
}

void signers_exist(struct host *host, ProtobufCBinaryData account)
{
    for (uint32_t i = 0; i < host->signer_count; i++) {
        if (id_equal(host->signers[i].account, account)) {
            host->signers[i].created = false;
        }
    }
}

const uint8_t *exec_signer_key(const struct exec *exec, uint32_t index)
{
    INVARIANT(index < exec->host.signer_count);
    return exec->host.signers[index].key.public_key.data;
}

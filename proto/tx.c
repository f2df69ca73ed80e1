#include "proto/tx.h"

#include <string.h>

#include "base/count.h"
#include "crypto/hash.h"

static struct bytes view(ProtobufCBinaryData data)
{
    return bytes_of(data.data, data.len);
}

struct bytes tx_actor(const struct tx *tx, const Chain__Action *action)
{
    return view(action->actor.len != 0 ? action->actor : tx->body->account);
}

struct bytes tx_signer(const struct tx *tx, const Chain__Signature *signature)
{
    return view(signature->account.len != 0 ? signature->account : tx->body->account);
}

/* Unpack one of the two messages; its length was checked before, so a full arena is the machine's fault. */
static enum tx_fault unpack(const ProtobufCMessageDescriptor *type, struct bytes bytes,
                            struct arena *arena, struct tx *out, ProtobufCMessage **message)
{
    *message = canon_unpack(type, bytes, arena, &out->canon);
    if (*message != NULL) {
        return TX_OK;
    }
    return out->canon == CANON_OK ? TX_NO_MEMORY : TX_NOT_CANONICAL;
}

static enum tx_fault body_check(const Chain__TxBody *body)
{
    const struct bytes payer = view(body->account);

    if (payer.count == 0 || body->chain_id.len == 0) {
        return TX_ACCOUNT;
    }
    if (body->lane >= TX_LANES) {
        return TX_LANE;
    }
    for (size_t i = 0; i < body->n_actions; i++) {
        const Chain__Action *action = body->actions[i];

        if (action->module > UINT16_MAX || action->action > UINT8_MAX) {
            return TX_NUMBER;
        }
        if (bytes_equal(view(action->actor), payer)) {
            return TX_ACTOR;
        }
    }
    return TX_OK;
}

/* Is `a` below `b` by (account, key id)?  Accounts are empty or 32 bytes. */
static bool signature_below(const Chain__Signature *a, const Chain__Signature *b)
{
    int order;

    if (a->account.len != b->account.len) {
        return a->account.len < b->account.len;
    }
    order = a->account.len == 0 ? 0 : memcmp(a->account.data, b->account.data, a->account.len);
    return order != 0 ? order < 0 : a->key_id < b->key_id;
}

static enum tx_fault signatures_check(const Chain__Tx *tx, struct bytes payer)
{
    for (size_t i = 0; i < tx->n_signatures; i++) {
        const Chain__Signature *signature = tx->signatures[i];

        if (signature->sig64.len != SIGNATURE_BYTES) {
            return TX_SIGNATURE;
        }
        if (bytes_equal(view(signature->account), payer)) {
            return TX_ACTOR;
        }
        if (i > 0 && !signature_below(tx->signatures[i - 1], signature)) {
            return TX_SIGNATURE_ORDER;
        }
    }
    /* Those of the payer are the lowest; min_count says that there is one at all. */
    return tx->signatures[0]->account.len == 0 ? TX_OK : TX_SIGNATURE_ORDER;
}

enum tx_fault tx_decode(struct bytes bytes, struct arena *arena, struct tx *out)
{
    ProtobufCMessage *message;
    enum tx_fault fault;

    memset(out, 0, sizeof *out);
    out->bytes = bytes;
    if (bytes.count == 0 || bytes.count > TX_BYTES_MAX) {
        return TX_LENGTH;
    }
    hash_of(TAG_TXWIRE, bytes, out->wire_hash);
    fault = unpack(&chain__tx__descriptor, bytes, arena, out, &message);
    if (fault != TX_OK) {
        return fault;
    }
    out->message = (const Chain__Tx *)message;
    out->body_bytes = view(out->message->body);
    fault = unpack(&chain__tx_body__descriptor, out->body_bytes, arena, out, &message);
    if (fault != TX_OK) {
        return fault;
    }
    out->body = (const Chain__TxBody *)message;
    hash_of(TAG_TX, out->body_bytes, out->tx_id);
    fault = body_check(out->body);
    if (fault == TX_OK) {
        fault = signatures_check(out->message, view(out->body->account));
    }
    return fault;
}

const char *tx_fault_name(enum tx_fault fault)
{
    static const char *const names[] = {
        [TX_OK] = "ok",
        [TX_LENGTH] = "length",
        [TX_NOT_CANONICAL] = "not_canonical",
        [TX_ACCOUNT] = "account",
        [TX_LANE] = "lane",
        [TX_NUMBER] = "number",
        [TX_ACTOR] = "actor",
        [TX_SIGNATURE_ORDER] = "signature_order",
        [TX_SIGNATURE] = "signature",
        [TX_NO_MEMORY] = "no_memory",
    };

    return (size_t)fault < COUNT_OF(names) ? names[fault] : "?";
}

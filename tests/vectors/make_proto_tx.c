/* tests/vectors/make_tx.c -- tx.json: a transaction as its bytes, both hashes, and each way to be malformed. */
#include <string.h>

#include "base/arena.h"
#include "base/count.h"
#include "base/err.h"
#include "crypto/ecdsa.h"
#include "crypto/hash.h"
#include "proto/canon.h"
#include "proto/messages.h"
#include "tests/vectors/make_proto.h"

enum { PAYER = 1, OTHER = 2, THIRD = 3 };

/* A transaction to be changed before it is packed; the signers are test keys by their fill byte, 0 for the payer. */
struct draft {
    Chain__TxBody body;
    Chain__Action actions[2];
    Chain__Action *action_list[2];
    uint8_t chain_id[32];
    uint8_t accounts[4][32]; /* by fill byte; accounts[0] is nobody's */
    uint8_t payload[64];
    Chain__Tx tx;
    Chain__Signature signatures[4];
    Chain__Signature *signature_list[4];
    uint8_t sigs[4][64];
    bool body_is_raw; /* tx.body was set by hand */
};

static ProtobufCBinaryData data(uint8_t *at, size_t count)
{
    return (ProtobufCBinaryData){.len = count, .data = at};
}

/* The payer applies for membership in cooperative 1. */
static void draft_begin(struct draft *draft)
{
    Membership__AdmissionApply apply = MEMBERSHIP__ADMISSION_APPLY__INIT;
    struct bytes payload;

    memset(draft, 0, sizeof *draft);
    memset(draft->chain_id, 0xc1, 32);
    for (uint32_t i = 0; i < COUNT_OF(draft->accounts); i++) {
        memset(draft->accounts[i], (int)(0xa0 + i), 32);
    }
    apply.coop = 1;
    apply.profile_commitment = data(draft->accounts[OTHER], 32);
    apply.entrance_fee = 50000;
    apply.min_share = 100000;
    apply.kind = MEMBERSHIP__MEMBER__KIND__PERSON;
    payload = canon_pack(&membership__admission_apply__descriptor, &apply, make_arena());
    INVARIANT(payload.count <= sizeof draft->payload);
    memcpy(draft->payload, payload.at, payload.count);

    chain__tx_body__init(&draft->body);
    draft->body.chain_id = data(draft->chain_id, 32);
    draft->body.account = data(draft->accounts[PAYER], 32);
    draft->body.nonce = 7;
    draft->body.expiry_at_ms = UINT64_C(1790000000000);
    draft->body.actions = draft->action_list;
    draft->body.n_actions = 1;
    for (uint32_t i = 0; i < COUNT_OF(draft->actions); i++) {
        chain__action__init(&draft->actions[i]);
        draft->actions[i].module = 3;
        draft->actions[i].action = 1;
        draft->actions[i].payload = data(draft->payload, payload.count);
        draft->action_list[i] = &draft->actions[i];
    }
    chain__tx__init(&draft->tx);
    draft->tx.signatures = draft->signature_list;
}

static void draft_sign(struct draft *draft, uint8_t account, uint32_t key_id)
{
    const size_t at = draft->tx.n_signatures;
    Chain__Signature *signature = &draft->signatures[at];

    INVARIANT(at < COUNT_OF(draft->signatures));
    chain__signature__init(signature);
    if (account != 0) {
        signature->account = data(draft->accounts[account], 32);
    }
    signature->key_id = key_id;
    signature->sig64 = data(draft->sigs[at], 64);
    draft->signature_list[at] = signature;
    draft->tx.n_signatures = at + 1;
}

/* Pack the body, sign it with the key of each signer, pack the transaction. */
static struct bytes draft_pack(struct draft *draft, struct bytes *body)
{
    struct arena *arena = make_arena();
    uint8_t tx_id[32];
    uint8_t secret[32];
    uint8_t public_key[33];

    *body = canon_pack(&chain__tx_body__descriptor, &draft->body, arena);
    if (draft->body_is_raw) {
        *body = bytes_of(draft->tx.body.data, draft->tx.body.len);
    } else {
        draft->tx.body.len = body->count;
        draft->tx.body.data = arena_must(arena, body->count);
        memcpy(draft->tx.body.data, body->at, body->count);
    }
    hash_of(TAG_TX, *body, tx_id);
    for (size_t i = 0; i < draft->tx.n_signatures; i++) {
        const Chain__Signature *signature = &draft->signatures[i];
        const uint8_t fill =
            signature->account.len == 0 ? PAYER : signature->account.data[0] - 0xa0;

        make_account_key(fill, secret, public_key);
        INVARIANT(ecdsa_sign(secret, tx_id, draft->sigs[i]));
    }
    return canon_pack(&chain__tx__descriptor, &draft->tx, arena);
}

/* A decoder gives the hashes only of what it takes. */
static void write_one(FILE *file, const char *name, const char *fault, struct draft *draft)
{
    struct bytes body;
    const struct bytes bytes = draft_pack(draft, &body);
    uint8_t hash[32];

    make_object(file);
    make_text(file, "name", name);
    make_text(file, "fault", fault);
    make_hex(file, "hex", bytes);
    if (strcmp(fault, "ok") == 0) {
        hash_of(TAG_TX, body, hash);
        make_hex(file, "tx_id", bytes_of(hash, 32));
        hash_of(TAG_TXWIRE, bytes, hash);
        make_hex(file, "wire_hash", bytes_of(hash, 32));
        make_u64(file, "nonce", draft->body.nonce);
        make_u64(file, "lane", draft->body.lane);
        make_u64(file, "expiry_at_ms", draft->body.expiry_at_ms);
        make_u64(file, "actions", draft->body.n_actions);
        make_u64(file, "signatures", draft->tx.n_signatures);
    }
    make_object_end(file);
}

static void write_good(FILE *file)
{
    static struct draft draft;
    static uint8_t ref[32] = {1, 2, 3};

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    write_one(file, "one action of the payer", "ok", &draft);

    draft_begin(&draft);
    draft.body.lane = 7;
    draft.body.nonce = UINT64_MAX;
    draft.body.n_actions = 2;
    draft.actions[0].actor = data(draft.accounts[OTHER], 32);
    draft.actions[1].module = 65535;
    draft.actions[1].action = 255;
    draft.actions[1].ref = data(ref, 32);
    draft_sign(&draft, 0, 0);
    draft_sign(&draft, 0, 4);
    draft_sign(&draft, OTHER, 0);
    draft_sign(&draft, THIRD, 1);
    write_one(file, "two actions, four signatures, the largest numbers", "ok", &draft);

    draft_begin(&draft);
    draft.body.nonce = 0;
    draft.body.expiry_at_ms = 0;
    draft.actions[0].module = 0;
    draft.actions[0].payload.len = 0;
    draft_sign(&draft, 0, 0);
    write_one(file, "as little as there can be", "ok", &draft);
}

/* What is wrong in the body. */
static void write_bad_bodies(FILE *file)
{
    static struct draft draft;
    static uint8_t raw[] = {0x18, 0x00};

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    draft.body_is_raw = true;
    draft.tx.body = data(raw, sizeof raw);
    write_one(file, "a body that is not canonical", "not_canonical", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    draft.body.n_actions = 0;
    write_one(file, "no action", "not_canonical", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    draft.body.account.len = 0;
    write_one(file, "no payer", "account", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    draft.body.chain_id.len = 0;
    write_one(file, "no chain", "account", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    draft.body.lane = 8;
    write_one(file, "lane 8", "lane", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    draft.actions[0].module = 65536;
    write_one(file, "a module number of 17 bits", "number", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    draft.actions[0].action = 256;
    write_one(file, "an action number of 9 bits", "number", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    draft.actions[0].actor = data(draft.accounts[PAYER], 32);
    write_one(file, "an actor that names the payer", "actor", &draft);
}

/* What is wrong with the signatures. */
static void write_bad_signatures(FILE *file)
{
    static struct draft draft;

    draft_begin(&draft);
    write_one(file, "no signature", "not_canonical", &draft);

    draft_begin(&draft);
    draft_sign(&draft, PAYER, 0);
    write_one(file, "a signer that names the payer", "actor", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 1);
    draft_sign(&draft, 0, 0);
    write_one(file, "key ids descending", "signature_order", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 1);
    draft_sign(&draft, 0, 1);
    write_one(file, "a signer twice", "signature_order", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    draft_sign(&draft, THIRD, 0);
    draft_sign(&draft, OTHER, 5);
    write_one(file, "accounts descending", "signature_order", &draft);

    draft_begin(&draft);
    draft_sign(&draft, OTHER, 0);
    draft_sign(&draft, 0, 0);
    write_one(file, "the payer behind another", "signature_order", &draft);

    draft_begin(&draft);
    draft_sign(&draft, OTHER, 0);
    write_one(file, "none of the payer", "signature_order", &draft);

    draft_begin(&draft);
    draft_sign(&draft, 0, 0);
    draft.signatures[0].sig64.len = 0;
    write_one(file, "a signature without its bytes", "signature", &draft);
}

static void write_bad_lengths(FILE *file)
{
    make_object(file);
    make_text(file, "name", "nothing");
    make_text(file, "fault", "length");
    make_hex(file, "hex", bytes_of(NULL, 0));
    make_object_end(file);

    make_object(file);
    make_text(file, "name", "65,537 bytes, whatever they are");
    make_text(file, "fault", "length");
    make_hex(file, "hex", bytes_of(NULL, 0));
    make_u64(file, "zeros", 65537);
    make_object_end(file);

    make_object(file);
    make_text(file, "name", "65,536 bytes that are no message");
    make_text(file, "fault", "not_canonical");
    make_hex(file, "hex", bytes_of(NULL, 0));
    make_u64(file, "zeros", 65536);
    make_object_end(file);
}

void make_tx(const char *folder)
{
    FILE *file = make_open(
        folder, "tx",
        "Transactions (docs/protocol/bytes.md 7).  Accounts are 32 equal bytes a1, a2, a3; the "
        "secret of "
        "each is 32 bytes 01, 02, 03; signatures are ECDSA over tx_id with the nonce of RFC 6979.");

    make_list(file, "vectors");
    write_good(file);
    write_bad_bodies(file);
    write_bad_signatures(file);
    write_bad_lengths(file);
    make_list_end(file);
    make_close(file);
}

/*
 * contracts/host.h -- all that a contract module may ask of the node.
 *
 * Rows are read and written "by example": a row with its key fields filled in is the key.  What the host
 * returns lies in the action's arena, is never changed by later calls and is gone when the action ends;
 * to change a row, copy the struct, change the copy, put it.
 *
 * Nothing here reports a fault of the machine.  When the store fails, the units run out, a row is too
 * large, or a list is cut by a limit it must not have, the host remembers that, answers "nothing" to
 * every later question so that loops end, and the executor throws the action away: with a refusal that
 * every node finds alike, or, for a fault of this machine alone, by stopping the node (rules H-4, H-6).
 */
#ifndef CONTRACTS_HOST_H
#define CONTRACTS_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "contracts/table.h"
#include "crypto/tags.h"

struct scan {
    uint32_t index;  /* position in table.indexes, or TABLE_BY_KEY */
    uint32_t fields; /* how many leading fields of the index must equal those of the example */
    uint32_t limit;  /* at most TABLE_LIST_MAX */
    bool reverse;    /* the highest first */
};

struct rows {
    const void *const *at;
    uint32_t count;
    bool more; /* there are rows beyond the limit */
};

/* The block and the transaction. */
uint64_t host_block_time_ms(const struct host *host);
uint64_t host_height(const struct host *host);

/* The account on whose authority this action runs.  32 bytes. */
ProtobufCBinaryData host_actor(const struct host *host);

/*
 * True if `account` signed this transaction with a key that may authorise actions, for what .authority
 * cannot say.  Always false in an action that the chain runs.
 */
bool host_signed(const struct host *host, ProtobufCBinaryData account);

/* True if the key `key_id` of `account` signed this transaction, whatever its purpose. */
bool host_signed_by_key(const struct host *host, ProtobufCBinaryData account, uint32_t key_id);

/* TxBody.account, who pays; empty in an action that the chain runs. */
ProtobufCBinaryData host_payer(const struct host *host);

/* The request's bytes as they were received; the host has checked that they are canonical. */
ProtobufCBinaryData host_payload(const struct host *host);

/* H(tag: bytes), charged by length; the 32 bytes lie in the action's arena. */
ProtobufCBinaryData host_hash(struct host *host, enum tag tag, const struct bytes *parts,
                              uint32_t count);

/* A key of an account, as the executor asks for it and `accounts` answers. */
struct host_key {
    ProtobufCBinaryData public_key; /* 33 bytes */
    bool authorises; /* may stand behind an action, and not only behind its own entry */
};

/* Is this a valid public key of an account (33 bytes, compressed)? */
bool host_key_valid(struct host *host, ProtobufCBinaryData public_key);

/*
 * Give an account a quota class (1 person, 2 organisation, 3 without limit).  An account that had none, or
 * another one, begins with a full bucket; the same class again changes nothing.  Called by `accounts` and
 * `cooperatives` alone.
 */
void host_quota_class_set(struct host *host, ProtobufCBinaryData account, uint32_t quota_class);

/* Parameters of the network in this epoch. */
const Chain__Parameters *host_parameters(const struct host *host);

/* Is a feature active (bytes.md 10)? */
bool host_feature(const struct host *host, uint32_t feature);

/* Tables.  Reading an absent row gives NULL.  Modules use the typed forms that TABLE makes. */
const void *host_get(struct host *host, const struct table *table, const void *key);
void host_put(struct host *host, const struct table *table, const void *row);
void host_delete(struct host *host, const struct table *table, const void *key);

/* Rows as they stand now, in the order of the index; later writes do not change the list. */
struct rows host_list(struct host *host, const struct table *table, struct scan scan,
                      const void *like);

static inline const void *host_row(const struct rows *rows, uint32_t index)
{
    return index < rows->count ? rows->at[index] : NULL;
}

/* What happened, for receipts and streams; the event must be in its module's list.  Kept only if the whole
 * transaction is accepted. */
void host_emit(struct host *host, const ProtobufCMessageDescriptor *event, const void *body);

/* A number that explains the refusal about to be returned; at most four, dropped on STATUS_OK. */
void host_note(struct host *host, const char *name, int64_t value);

/*
 * Have the chain run an action at the first block whose time is due_ms or later.  It runs with
 * AUTHORITY_CHAIN and no actor.  Nothing is ever unscheduled: the action looks at the row again and
 * does nothing if it came too late, so that a deadline has one truth, the row.
 */
void host_schedule(struct host *host, uint64_t due_ms, const struct action *action,
                   const void *request);

/* Price of work that no host call shows: call it in loops over what a user sized. */
void host_charge(struct host *host, uint32_t units);

static inline bool id_equal(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
    uint32_t difference = a.len == b.len ? 0 : 1;

    for (size_t i = 0; difference == 0 && i < a.len; i++) {
        difference = a.data[i] ^ b.data[i];
    }
    return difference == 0;
}

#endif /* CONTRACTS_HOST_H */

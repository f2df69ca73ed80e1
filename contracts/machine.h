/*
 * contracts/machine.h -- the inside of executor and host.  Seen by the files of this folder alone.
 *
 * One struct host serves whatever runs at a time: a check, a transaction, a due action, the genesis.  It is set up
 * by machine_begin for an overlay and a time; what belongs to a transaction or an action is set on the way.  The
 * executor reads and writes rows through the same typed accessors as modules do, between machine_free_begin and
 * machine_free_end, where nothing is charged.
 */
#ifndef CONTRACTS_MACHINE_H
#define CONTRACTS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "contracts/core.h"
#include "contracts/exec.h"
#include "contracts/host.h"
#include "contracts/registry.h"
#include "contracts/tables.h"
#include "crypto/merkle.h"

enum {
    MACHINE_ARENA_BYTES =
        32 << 20, /* of a transaction; pages that it does not touch cost nothing */
    MACHINE_SCRATCH_BYTES = 8 << 20, /* of one call */
    MACHINE_TAIL_BYTES =
        8 << 20, /* of what the executor itself writes when a transaction has run */
    MACHINE_PARAMETERS_BYTES = 64 << 10,
    MACHINE_NOTES_MAX = 4,
    MACHINE_NOTE_BYTES_MAX = 32,
    MACHINE_EVENTS_MAX = 1024,            /* of a transaction: Receipt.events */
    MACHINE_EVENT_BYTES_MAX = 1 << 20,    /* of all events of a transaction */
    MACHINE_DUE_MAX = 4096,               /* of a block, whatever the parameters say */
    MACHINE_RECEIPT_BYTES_MAX = 8 << 20,  /* of a block */
    MACHINE_WRITTEN_BYTES_MAX = 16 << 20, /* of a block: keys and values put */
    MACHINE_FEATURES_MAX = 64,
};

/* Who signed, in the order of the transaction's signatures. */
struct signer {
    ProtobufCBinaryData account;
    uint32_t key_id;
    struct host_key key;
    bool created; /* the account comes from an action of the same transaction */
};

struct host_event {
    uint32_t module;
    uint32_t event;
    struct bytes body;
};

struct host_noted {
    const char *name;
    int64_t value;
};

struct host {
    struct exec *exec;
    struct tables tables;
    struct arena *arena; /* where rows, events and hashes go */
    uint64_t height;
    uint64_t time_ms;
    uint32_t *schedule_seq; /* the block's counter of due rows written */
    bool uncharged;         /* the executor's own reads and writes: no price, no limit */

    /* Of the transaction, or of the due action. */
    ProtobufCBinaryData payer;
    struct signer signers[TX_SIGNATURES_MAX];
    uint32_t signer_count;
    uint64_t units;
    uint64_t units_limit;
    enum status sticky; /* set by the host itself: outlives whatever a module answers */
    struct host_event events[MACHINE_EVENTS_MAX];
    uint32_t event_count;
    size_t event_bytes;
    struct host_noted notes[MACHINE_NOTES_MAX];
    uint32_t note_count;

    /* Of the action. */
    ProtobufCBinaryData actor;
    ProtobufCBinaryData payload;
    bool by_chain;
};

/* A block that is being run. */
struct machine_block {
    struct overlay *overlay;
    uint64_t height;
    uint64_t time_ms;
    uint32_t due_count;
    uint32_t tx_count;
    uint64_t units_used;
    uint64_t body_bytes;
    uint64_t written_bytes;
    uint32_t schedule_seq;
    size_t receipt_bytes;
    struct merkle merkle;
};

/* A place to come back to. */
struct machine_mark {
    struct overlay_mark overlay;
    uint32_t schedule_seq;
};

/* An action, looked up and unpacked before anything runs. */
struct planned {
    const struct action *action; /* NULL: unknown */
    const void *request;         /* NULL: unknown, or not canonical */
    ProtobufCBinaryData actor;
    ProtobufCBinaryData payload;
    ProtobufCBinaryData ref;
    uint32_t module;
    uint32_t number;
    uint64_t price;  /* its own units, before it runs */
    uint64_t units;  /* what it used */
    uint32_t bucket; /* place in exec->buckets, or MACHINE_NO_BUCKET */
    bool granted;    /* stands on the actor's reserve, not on a bucket */
};

struct due_key {
    uint64_t due_at_ms;
    uint64_t seq;
};

/* A bucket of a cooperative that the transaction charges. */
struct quota_bucket {
    uint64_t coop;
    enum registry_bucket kind;
    uint64_t price;
    uint64_t units;
};

enum { MACHINE_NO_BUCKET = TX_ACTIONS_MAX };

struct exec {
    const struct registry *registry;
    struct state *state;
    struct exec_verifier verifier;
    uint8_t chain_id[HASH_BYTES];
    uint8_t root[ACCOUNT_BYTES];
    uint32_t features[MACHINE_FEATURES_MAX];
    uint32_t feature_count;

    const struct module *modules[REGISTRY_MODULES_MAX]; /* by number; NULL: none */
    struct table_plan *plans[REGISTRY_MODULES_MAX]; /* by number of the module and of the table */

    struct arena arena;   /* of the transaction */
    struct arena tail;    /* of its nonce, charge and receipt, whatever it has used up itself */
    struct arena scratch; /* of one call */
    struct arena parameters_arena;
    struct bytes parameters_bytes; /* of the row that `parameters` was unpacked from */
    const Chain__Parameters *parameters;
    uint8_t *receipts;
    struct machine_block block;
    bool block_open;
    struct host host;
    struct planned planned[TX_ACTIONS_MAX];
    uint32_t planned_count;
    struct quota_bucket buckets[TX_ACTIONS_MAX];
    uint32_t bucket_count;
    struct due_key due_keys[MACHINE_DUE_MAX];
    const struct machine_block *begun; /* whose parameters `parameters` are */
    enum err fault;
};

/*
 * Set the host up for an overlay and forget the transaction before.  Reads the parameters if another block was
 * begun in between.  Errors: ERR_CORRUPT a state without parameters; of the overlay.
 */
CHECKED enum err machine_begin(struct exec *exec, struct machine_block *block);

/* The same without parameters: they have been read, or are not there yet. */
void machine_set(struct exec *exec, struct machine_block *block);

struct machine_mark machine_mark(const struct exec *exec);
void machine_undo(struct exec *exec, struct machine_mark mark);

/* The next transaction or due action: no units used, no events, notes, signers. */
void machine_transaction(struct exec *exec, uint64_t units_limit);

/* The executor's own reads and writes. */
void machine_free_begin(struct exec *exec);
void machine_free_end(struct exec *exec);

/* The same when a transaction has run: in memory that it cannot have used up. */
void machine_tail_begin(struct exec *exec);
void machine_tail_end(struct exec *exec);

const struct table_plan *machine_plan(const struct exec *exec, const struct table *table);
const struct action *machine_action(const struct exec *exec, uint32_t module, uint32_t number);

/* A fault of the machine, by any call so far. */
bool machine_failed(struct exec *exec);

/* A view as protobuf-c has it.  What it points to is never changed. */
ProtobufCBinaryData machine_field(struct bytes bytes);

static inline struct bytes machine_bytes(ProtobufCBinaryData field)
{
    return bytes_of(field.data, field.len);
}

/* -- Parts of the executor, one file each. -- */

/* action.c: look up, unpack and run one action.  `planned` keeps pointing to the transaction. */
void action_plan(struct exec *exec, const Chain__Action *action, ProtobufCBinaryData actor,
                 struct planned *out);
bool action_coop(const struct planned *planned, uint64_t *coop);
enum status action_run(struct exec *exec, struct planned *planned, bool *repeated);

/* signers.c: EXEC_VALID, EXEC_KEY, EXEC_SIGNATURE, EXEC_FAULT. */
enum exec_validity signers_find(struct exec *exec, const struct tx *tx);
bool signers_hold(const struct exec *exec, const struct tx *tx);
bool signers_authorise(const struct host *host, ProtobufCBinaryData account);
bool signers_any(const struct host *host, ProtobufCBinaryData account);
bool signers_there(const struct host *host,
                   ProtobufCBinaryData account);                    /* not still to be created */
void signers_exist(struct host *host, ProtobufCBinaryData account); /* has been created now */

/* refs.c: H-8. */
enum refs_answer { REFS_NEW, REFS_REPEATED, REFS_REUSED };
enum refs_answer refs_look(struct exec *exec, const struct planned *planned);
void refs_keep(struct exec *exec, const struct planned *planned);

/* quota.c: buckets, reserve and nonces of core's rows. */
struct nonce_window;
bool quota_holds(struct exec *exec, const Core__Usage *payer);
void quota_charge(struct exec *exec, const struct tx *tx);
void quota_class_set(struct host *host, ProtobufCBinaryData account, uint32_t quota_class);
void quota_window(const Core__Usage *row, uint32_t lane, struct nonce_window *out);

/* due.c: run what is due, into the open block; the time of the first row. */
void due_run(struct exec *exec);
bool due_first(struct exec *exec, uint64_t *due_at_ms);

/* transaction.c: may it stand in a block, signatures apart; run it, with its nonce, charge and receipt. */
enum exec_validity transaction_check(struct exec *exec, const struct tx *tx, bool in_block);
enum exec_validity transaction_run(struct exec *exec, const struct tx *tx, struct bytes *receipt);
uint64_t transaction_price(const struct exec *exec);

/* receipts.c: a receipt of what the host has gathered, in the tail arena; empty: a fault of the machine. */
struct receipt_of {
    const struct tx *tx;         /* NULL: of a due action */
    const Core__DueRow *due_row; /* NULL: of a transaction */
    enum status status;
    uint32_t failed_action;
    const uint32_t *repeated;
    uint32_t repeated_count;
};

struct bytes receipts_pack(struct exec *exec, const struct receipt_of *of);
void receipts_begin(struct machine_block *block);
CHECKED bool receipts_add(struct exec *exec, struct bytes receipt);
struct bytes receipts_end(struct exec *exec);

#endif /* CONTRACTS_MACHINE_H */

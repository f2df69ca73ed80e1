/*
 * p2p/mesh.h -- sessions with all peers as one pure machine: bytes, connections and time in; bytes, dials,
 * closes and messages out.
 *
 * It decides who is dialled and accepted, does the handshakes, seals and opens records, cuts messages into
 * frames and puts them together, limits what each peer may send, chooses what is sent next, notices silence,
 * settles double connections, keeps scores.  It reads no clock, opens no socket, takes no memory after
 * mesh_init and gets random bytes from its owner, so the simulator and the tests run the same code as
 * p2p/net_uv.c.  One thread.
 *
 * How it is driven.  An input (mesh_accepted, mesh_connected, mesh_received, mesh_closed, mesh_tick) carries
 * the monotonic time and may call the owner's functions.  Everything else changes state and calls nobody.
 * After inputs and other calls: take all actions with mesh_next, then arm a timer for mesh_deadline_ms.
 *
 * Source: docs/protocol/consensus.md 8.20.  What differs from it stands in README.md of this room.
 */
#ifndef P2P_MESH_H
#define P2P_MESH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "p2p/address.h"
#include "p2p/hello.h"
#include "proto/validators.h"

struct mesh;

enum {
    MESH_KEY_BYTES = 32,
    MESH_CHANNELS = 8,
    MESH_RECORD_BYTES = 2 + (16 << 10) + 16, /* the longest record with its length */
    MESH_ADDRESSES_MAX = 4,                  /* of one peer */
    MESH_PEER_FULL = 0x10000, /* peers that are not in the current set: this + a place */
};

#define MESH_ALL            UINT32_MAX       /* every other member of the current set */
#define MESH_ALL_FULL_NODES (UINT32_MAX - 1) /* every peer outside the current set */
#define MESH_NONE           UINT32_MAX       /* no link, no peer */

/* What is told of a session, in the order of consensus/event.h's enum sx_session. */
enum mesh_session { MESH_OPENED, MESH_CLOSED, MESH_HEARD };

/* What a peer did, as the owner of a channel finds out; each has its price (8.20, "Score"). */
enum mesh_fault {
    MESH_FAULT_SIGNATURE,    /* a signature or certificate does not hold: -50 */
    MESH_FAULT_MALFORMED,    /* does not decode: -100, goodbye 9 */
    MESH_FAULT_UNSOLICITED,  /* bulk that nobody asked for: -20 */
    MESH_FAULT_TX_SIGNATURE, /* -10 */
    MESH_FAULT_TX_INVALID,   /* -1 */
    MESH_FAULT_TIMEOUT,      /* a request without an answer: -5 */
    MESH_USEFUL,             /* no fault: +1 */
};

enum mesh_report_kind {
    MESH_REPORT_LOST,          /* a session ended without a goodbye */
    MESH_REPORT_GOODBYE,       /* the peer said goodbye with `code` */
    MESH_REPORT_CLOSED,        /* this side says goodbye with `code` */
    MESH_REPORT_HANDSHAKE,     /* a handshake failed, or its time was over */
    MESH_REPORT_OTHER_CHAIN,   /* the other side has another prologue: another chain or protocol */
    MESH_REPORT_WRONG_KEY,     /* another key than the dialled one answers at this address */
    MESH_REPORT_SELF,          /* this node itself answers at this address */
    MESH_REPORT_KEY_ELSEWHERE, /* a second machine runs with the own key */
    MESH_REPORT_TWO_MACHINES,  /* two machines run with that peer's key */
    MESH_REPORT_TAG,           /* a record does not open */
    MESH_REPORT_BANNED,
    MESH_REPORT_MUTED,      /* a validator, on channel `code` */
    MESH_REPORT_POOL_EMPTY, /* `code` 0: receiving, 1: sending */
    MESH_REPORT_TOO_LONG,   /* the owner gave a message that channel `code` may not carry */
};

struct mesh_report {
    enum mesh_report_kind kind;
    uint8_t code;
    const uint8_t *key;            /* MESH_KEY_BYTES; NULL: not known */
    const struct address *address; /* NULL: not known */
};

/*
 * The owner.  Its functions are called from inside inputs alone, except `random`; from inside them it may
 * call anything of this header but inputs.
 */
struct mesh_owner {
    void *self;
    /* A whole message from a peer with an open session; valid during the call. */
    void (*message)(void *self, uint32_t peer, uint8_t channel, struct bytes message);
    void (*session)(void *self, uint32_t peer,
                    enum mesh_session what); /* HEARD: once a second at most */
    /*
     * How long may the message become that begins with `first` and goes on?  0: skip it.  More than the
     * channel's limit means that limit.  NULL: always the channel's limit.
     */
    uint32_t (*length)(void *self, uint32_t peer, uint8_t channel, struct bytes first);
    void (*report)(void *self, const struct mesh_report *report);
    void (*random)(void *self, uint8_t *out, size_t count); /* secret and unpredictable */
};

struct mesh_options {
    uint8_t chain_id[HASH_BYTES];
    const uint8_t *node_secret; /* X25519, MESH_KEY_BYTES; kept */
    uint8_t roles;              /* ROLE_... */
    bool private_mode; /* accept the sets and configured peers alone, dial configured peers alone */
    const char *software; /* name and version without spaces, at most HELLO_SOFTWARE_MAX; kept */
    struct address advertised; /* family 0: none */
    uint32_t min_interval_ms;  /* with max_block_bytes: limits of channel 2 */
    uint32_t max_block_bytes;
    uint16_t validators_max;      /* members of a set, at most VALIDATORS_MAX */
    uint16_t configured_max;      /* of mesh_add_peer */
    uint16_t inbound_max;         /* full nodes that dialled; 64 */
    uint16_t inbound_address_max; /* of one address, 4; loopback has inbound_max */
    uint16_t outbound_max;        /* validators that a full node dials; 8 */
    uint32_t receive_bytes;       /* pools; preset standard 24 and 32 MiB, small 16 and 24 */
    uint32_t send_bytes;
    struct mesh_owner owner; /* copied */
    uint64_t now_ms;
};

/* Links that there can be; their numbers are below it. */
uint32_t mesh_links_max(const struct mesh_options *options);

/* Bytes of arena that mesh_init takes. */
size_t mesh_footprint(const struct mesh_options *options);

/*
 * Create the machine in a zeroed arena, with which it dies.
 *
 * Errors: ERR_NO_SPACE the arena has less than mesh_footprint left.
 */
CHECKED enum err mesh_init(const struct mesh_options *options, struct arena *arena,
                           struct mesh **out);

/*
 * The sets that are known: current, and previous and next if there are (NULL: none).  Keys are copied.
 * Sessions go on under new numbers: the owner is told CLOSED and OPENED by the next mesh_tick.
 */
void mesh_set_validators(struct mesh *mesh, const struct validator_set *previous,
                         const struct validator_set *current, const struct validator_set *next);

/*
 * Addresses of a member from the registry, best first, at most MESH_ADDRESSES_MAX; copied.  Without effect
 * for a key that is in no set.
 */
void mesh_set_addresses(struct mesh *mesh, const uint8_t key[MESH_KEY_BYTES],
                        const struct address *addresses, uint32_t count);

/*
 * A configured peer (`p2p.peers`): dialled for ever.  `tag` comes back in MESH_DIAL; with family 0 the one who
 * dials finds the address by the tag.
 *
 * Errors: ERR_NO_SPACE more than configured_max; ERR_EXISTS the own key.
 */
CHECKED enum err mesh_add_peer(struct mesh *mesh, const uint8_t key[MESH_KEY_BYTES], uint32_t tag,
                               const struct address *address);

/* Leaders of [cur, cur + 8), by index in the current set: reading from them goes on when memory is short. */
void mesh_set_leaders(struct mesh *mesh, const uint16_t *indices, uint32_t count);

/* Inputs.  A link, that is a connection, goes by its index. */

/* A connection came in.  MESH_NONE: close it at once. */
CHECKED uint32_t mesh_accepted(struct mesh *mesh, uint64_t now_ms, const struct address *address);

/* What MESH_DIAL asked for is connected, to this address. */
void mesh_connected(struct mesh *mesh, uint64_t now_ms, uint32_t index,
                    const struct address *address);

/* Where the next bytes of this connection go; count 0: do not read until MESH_READ. */
struct mesh_room {
    uint8_t *at;
    size_t count;
};
struct mesh_room mesh_room(struct mesh *mesh, uint32_t index);

/* `count` bytes were put into mesh_room, at most its count. */
void mesh_received(struct mesh *mesh, uint64_t now_ms, uint32_t index, size_t count);

/* The connection is gone, or the dial failed.  The link is free: its number may come again. */
void mesh_closed(struct mesh *mesh, uint64_t now_ms, uint32_t index);

/* Call at mesh_deadline_ms, at the latest; earlier does nothing. */
void mesh_tick(struct mesh *mesh, uint64_t now_ms);
uint64_t mesh_deadline_ms(const struct mesh *mesh);

/* Outputs. */

enum mesh_action_kind {
    MESH_DIAL,  /* connect, then mesh_connected or mesh_closed */
    MESH_WRITE, /* there is something to pull */
    MESH_READ,  /* mesh_room has room again */
    MESH_CLOSE, /* close the connection, without mesh_closed: the link is free from here on */
};

struct mesh_action {
    enum mesh_action_kind kind;
    uint32_t link;
    uint32_t tag;           /* of MESH_DIAL to a configured peer, else MESH_NONE */
    struct address address; /* of MESH_DIAL; family 0: find it by the tag */
};

/* The next action; false if there is none.  Oldest first. */
CHECKED bool mesh_next(struct mesh *mesh, struct mesh_action *out);

/*
 * The next bytes for a connection: a handshake message or one record, sealed now, so that what is urgent then goes
 * first.  0: nothing to send until MESH_WRITE.  Bytes that were pulled must be written, in order.
 */
CHECKED size_t mesh_pull(struct mesh *mesh, uint64_t now_ms, uint32_t index,
                         uint8_t out[MESH_RECORD_BYTES]);

/* What the owner does. */

/*
 * Send one message, head and body behind each other, at least one byte; copied.  Dropped in silence: to peers
 * without a session, on channels 1 and 2 unless both sides are members, and by the caps of the channel (8.20).
 * On channel 0 only STATUS, of which the newest is sent, and kept for the HELLO of later sessions.
 */
void mesh_send(struct mesh *mesh, uint32_t to, uint8_t channel, struct bytes head,
               struct bytes body);

/* Charge a peer for what came on a channel.  Ban, mute and close follow in the next mesh_tick. */
void mesh_charge(struct mesh *mesh, uint32_t peer, uint8_t channel, enum mesh_fault fault);

/* Say goodbye (1) to all, dial and accept no more.  Done when mesh_links is 0, after 500 ms at most. */
void mesh_stop(struct mesh *mesh);
uint32_t mesh_links(const struct mesh *mesh);

/* For metrics and people. */

struct mesh_counts {
    uint64_t accepted, refused, dials; /* connections */
    uint64_t handshakes_failed, opened, closed;
    uint64_t bytes_in, bytes_out;
    uint64_t messages_in[MESH_CHANNELS], messages_out[MESH_CHANNELS];
    uint64_t skipped[MESH_CHANNELS]; /* received, over tokens or not allowed, and not kept */
    uint64_t dropped[MESH_CHANNELS]; /* not sent, over a cap */
    uint64_t malformed, bans, mutes, key_operations;
};
const struct mesh_counts *mesh_counts(const struct mesh *mesh);

struct mesh_peer {
    uint8_t key[MESH_KEY_BYTES];
    uint32_t number;
    bool validator; /* in the current set */
    bool outbound;  /* this side dialled */
    uint8_t roles;  /* as the peer claims */
    struct address address;
    char software[HELLO_SOFTWARE_MAX + 1];
    uint64_t opened_ms;
    int32_t score;
    uint32_t queued_bytes;
};

/* An open session; `place` from 0 until false. Places without a session are passed over. */
CHECKED bool mesh_peer_next(const struct mesh *mesh, uint32_t *place, struct mesh_peer *out);

/* Pieces free in the pools. */
void mesh_memory(const struct mesh *mesh, uint32_t *receive_free, uint32_t *send_free);

/* Check every table again: slow, for tests and the simulator. */
void mesh_check(const struct mesh *mesh);

#endif /* P2P_MESH_H */

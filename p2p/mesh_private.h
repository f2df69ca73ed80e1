/*
 * p2p/mesh_private.h -- what the files of the machine share: links, peers, the machine, and who does what.
 *
 * A link is one connection; a peer is a node key.  A peer has at most one session, on its main link.  Beside it
 * there may be a contender (a later connection, held until it is clear whether the main one lives), and a
 * loser (the other of two opposite connections, which is only read from).
 *
 *   accept -> PROLOGUE -> FINISH -+                                  from any state: -> DEAD -> free
 *   dial -> DIALLING -> ANSWER ---+-> HELLO -> OPEN -> LEAVING -> DEAD
 *
 *   state     waits for                           deadline
 *   DIALLING  mesh_connected                      10 s
 *   PROLOGUE  message 1                           5 s from accept to HELLO
 *   ANSWER    message 2                           5 s from connect to HELLO
 *   FINISH    message 3                           as PROLOGUE
 *   HELLO     the peer's HELLO                    as before
 *   OPEN      records                             15 s of silence, and others of 8.20
 *   LEAVING   the own last bytes going out        500 ms
 *   DEAD      the caller to take MESH_CLOSE       -
 *
 * Files: session.c handshake, records, closing; frames.c what comes; channels.c what goes; peers.c who is
 * dialled, accepted, charged; duplicates.c two connections to one peer; mesh.c inputs, actions, memory.
 */
#ifndef P2P_MESH_PRIVATE_H
#define P2P_MESH_PRIVATE_H

#include "base/random.h"
#include "crypto/noise.h"
#include "p2p/gate.h"
#include "p2p/mesh.h"
#include "p2p/queue.h"
#include "p2p/tokens.h"

enum {
    PROLOGUE_BYTES = 36,
    FIRST_BYTES = PROLOGUE_BYTES + NOISE_KEY_BYTES,           /* message 1 */
    SECOND_BYTES = 2 * NOISE_KEY_BYTES + 2 * NOISE_TAG_BYTES, /* message 2 */
    THIRD_BYTES = NOISE_KEY_BYTES + 2 * NOISE_TAG_BYTES,      /* message 3 */
    RECORD_PLAIN_MAX = 16 << 10,
    RECORD_HEAD_BYTES = 2,
    RECORD_MIN = 4 + 1 + NOISE_TAG_BYTES, /* one frame of one byte */
    RECORD_MAX = RECORD_PLAIN_MAX + NOISE_TAG_BYTES,
    REKEY_RECORDS = 1 << 20,
    FRAME_HEAD_BYTES = 4,
    FRAME_FIN = 1,
    FRAME_OPEN_MIN = 1024, /* of a frame without FIN */
    HALF_OPEN_BYTES = 512, /* what is read before HELLO: its record has at most 345 */

    CONNECT_MS = 10000,
    HALF_OPEN_MS = 5000,
    HALF_OPEN_MAX = 32,      /* of unknown addresses, or beyond the places of a known one */
    HALF_OPEN_KNOWN = 2,     /* more for every known address */
    HALF_OPEN_OLD_MS = 1000, /* may be replaced */
    FLUSH_MS = 500,
    SILENT_MS = 15000,
    RECORD_MS = 15000,        /* a begun record is whole */
    PROGRESS_MS = 30000,      /* in any such time a begun message brings ... */
    PROGRESS_BYTES = 4 << 10, /* ... this much */
    PING_VALIDATOR_MS = 2000,
    PING_MS = 5000,
    HEARD_MS = 1000,
    CONTEST_MS = 1000,
    RETIRE_MS = 5000,  /* the higher key closes the losing connection by itself */
    SETTLED_MS = 5000, /* after this a second connection is no simultaneous dial any more */
    SHED_MS = 10,      /* between looks at votes that wait for tokens */
    BACKOFF_FIRST_MS = 500,
    BACKOFF_MAX_MS = 30000,
    SESSION_GOOD_MS = 30000, /* resets the back-off */
    AWAY_MAX_S = 3600,
    AWAY_VALIDATOR_MS = 30000,
    REFUSED_MS = 5000, /* a validator after a malformed frame */
    MUTED_MS = 60000,
    SCORE_BAD = -100,
    SCORE_BEST = 50,
    SCORE_DECAY_MS = 60000,
    BAN_FIRST_S = 3600,
    BAN_AGAIN_S = 86400,
    BANS_MAX = 4096,
    PEERS_REMEMBERED = 256, /* keys without a session, for their scores and back-offs */
    SERVED_VALIDATOR = 32 << 20,
    SERVED_OTHER = 4 << 20,
    SERVED_OTHERS = 16 << 20,
    BULK_TURN = 15, /* records of channels 0 to 3 in a row while others wait */
    BULK_QUANTUM = 4 << 10,
    SETS = 3,
};

#define DOOM_DROP 0xff /* close without a goodbye */

enum mesh_set { SET_PREVIOUS, SET_CURRENT, SET_NEXT };

enum link_state {
    LINK_FREE,
    LINK_DIALLING,
    LINK_PROLOGUE,
    LINK_ANSWER,
    LINK_FINISH,
    LINK_HELLO,
    LINK_OPEN,
    LINK_LEAVING,
    LINK_DEAD,
};

/* A message that is coming in on one channel of one link. */
struct assembly {
    bool begun;
    bool skip; /* read to its end and keep nothing */
    uint8_t type;
    uint32_t limit;
    uint32_t count;
    struct chain chain; /* channels 2 to 7; channel 1 has memory of its own */
    uint64_t window_ms;
    uint32_t window_bytes;
};

/* The large memory of an open link. */
struct body {
    size_t start; /* of what is not opened yet */
    size_t count;
    struct assembly assemblies[MESH_CHANNELS];
    uint8_t *in;    /* BODY_IN_BYTES */
    uint8_t *votes; /* channel 1 */
    uint32_t next_free;
};

enum { BODY_IN_BYTES = 2 * MESH_RECORD_BYTES };

struct link {
    enum link_state state;
    bool outbound;
    bool known;   /* holds a place of a known address */
    bool stalled; /* stopped reading; MESH_READ is owed */
    bool in_ring;
    uint8_t actions; /* bits 1 << enum mesh_action_kind */
    uint8_t doom;    /* goodbye code to close with, or DOOM_DROP */
    struct address address;
    uint32_t tag;
    uint32_t peer; /* MESH_NONE: not known yet, or not any more */
    uint32_t next_free;
    uint64_t born_ms;
    uint64_t deadline_ms;
    uint64_t heard_ms;
    uint64_t sent_ms;
    uint64_t record_ms; /* a record was begun then; 0: none */
    uint64_t retire_ms; /* 0: never */
    uint64_t instance;  /* of a contender, if it is another than that of the session */
    bool other_instance;

    struct noise_handshake handshake;
    struct noise_cipher sending;
    struct noise_cipher receiving;
    uint8_t in[HALF_OPEN_BYTES];
    uint16_t in_count;
    uint8_t out[SECOND_BYTES];
    uint16_t out_count;
    bool hello_due;
    bool ping_due;
    bool pong_due;
    bool goodbye_due;
    uint8_t goodbye_code;
    uint32_t goodbye_s;
    uint64_t pong_token;
    struct body *body;
};

enum bucket {
    BUCKET_CONTROL,
    BUCKET_PINGS,
    BUCKET_VOTES,
    BUCKET_VOTE_BYTES,
    BUCKET_GET_CERTS,
    BUCKET_PROPOSALS,
    BUCKET_PROPOSAL_BYTES,
    BUCKET_GET_BODIES,
    BUCKET_BODY_BYTES,
    BUCKET_FINALITY,
    BUCKET_TXS, /* in sixteenths of a transaction */
    BUCKET_TX_BYTES,
    BUCKET_GET_RANGES,
    BUCKET_SERVED,
    BUCKET_ADDRESSES,
    BUCKETS,
};

/* Queues of a peer: by channel, and announcements of channel 4 apart, since they are dropped first. */
enum lane {
    LANE_VOTES,
    LANE_PROPOSALS,
    LANE_FINALITY,
    LANE_PUSHES,
    LANE_ANNOUNCES,
    LANE_RANGES,
    LANE_SNAPSHOTS,
    LANE_ADDRESSES,
    LANES,
};

enum { BULK_CHANNELS = 4, BULK_FIRST = 4 };

struct peer {
    bool used;
    bool member; /* of any known set */
    bool placed; /* of the current or next set */
    bool configured;
    bool leader;
    bool
        limbo; /* the main link is gone, but a half-open one of the same node goes on with the session */
    uint8_t key[MESH_KEY_BYTES];
    uint16_t index; /* in the current set, or VALIDATOR_NONE */
    uint32_t tag;
    struct address addresses[MESH_ADDRESSES_MAX];
    uint32_t address_count;
    uint32_t address_turn;
    struct address resolved; /* of a configured name, when it was last connected */
    uint32_t links;          /* that point here */

    uint32_t main;
    uint32_t contender;
    uint32_t loser;
    uint32_t outgoing; /* a dial under way, until OPEN */
    uint64_t contest_ms;
    uint64_t serial; /* of the session; another one is told as closed and opened */
    uint64_t told_serial;
    uint32_t told; /* number under which OPENED was told, or MESH_NONE */
    uint64_t instance;
    uint64_t opened_ms;
    uint64_t heard_told_ms;
    uint8_t roles;
    char software[HELLO_SOFTWARE_MAX + 1];
    uint8_t status[HELLO_STATUS_MAX]; /* of HELLO, until it is handed on */
    uint16_t status_count;

    struct queue lanes[LANES];
    bool status_due;
    uint8_t express_run;
    uint8_t bulk_turn;
    int32_t bulk_credit[BULK_CHANNELS];

    struct tokens buckets[BUCKETS];
    struct queue shed_votes; /* channel 1, waiting for tokens */
    struct queue shed_others;
    uint64_t muted_until_ms[MESH_CHANNELS];
    int32_t score;
    uint64_t score_ms;
    uint8_t judged_channel; /* of the last fault */
    uint64_t refused_until_ms;

    uint64_t dial_ms; /* not before */
    uint64_t away_until_ms;
    uint32_t backoff_ms;
    uint64_t used_ms;
};

struct ban {
    uint8_t key[MESH_KEY_BYTES];
    uint64_t until_ms;
    uint64_t at_ms; /* 0: unused place */
    uint32_t times;
};

struct mesh {
    struct mesh_options options;
    uint8_t prologue[PROLOGUE_BYTES];
    uint8_t own_key[MESH_KEY_BYTES];
    uint64_t instance;
    uint64_t ping_token;
    struct random random;
    uint64_t now_ms;
    uint64_t deadline_ms;

    uint8_t (*set_keys[SETS])[MESH_KEY_BYTES];
    uint16_t set_counts[SETS];
    uint32_t *current; /* peer of each index */
    bool own_member;

    struct link *links;
    uint32_t link_count;
    uint32_t link_free;
    uint32_t link_used;
    struct body *bodies;
    uint32_t body_count;
    uint32_t body_free;
    struct peer *peers;
    uint32_t peer_count;
    uint32_t configured_count;

    uint32_t *ring; /* links with actions */
    uint32_t ring_first;
    uint32_t ring_count;

    struct pool receiving;
    struct pool sending;
    uint32_t reserve; /* free receive pieces below which memory is short */
    uint8_t *scratch; /* one whole message */
    struct gate gate;
    struct ban *bans;
    struct tokens served_others;
    uint8_t status[HELLO_STATUS_MAX];
    uint16_t status_count;

    bool short_of_memory;
    bool stopping;
    bool doom_due;
    bool judge_due;
    bool tell_due;
    bool send_pool_empty; /* reports that are owed */
    bool receive_pool_empty;
    uint8_t too_long; /* channels, bits */
    struct mesh_counts counts;
};

/* Links and peers go by their index in the tables. */

/* mesh.c */
void mesh_arm(struct mesh *mesh, uint64_t at_ms);
void mesh_act(struct mesh *mesh, uint32_t index, enum mesh_action_kind kind);
CHECKED uint32_t mesh_link_take(struct mesh *mesh); /* MESH_NONE if all are taken */
void mesh_link_free(struct mesh *mesh, uint32_t index);
CHECKED struct body *mesh_body_take(struct mesh *mesh); /* NULL if all are taken */
void mesh_body_free(struct mesh *mesh, struct link *link);
uint32_t mesh_members(const struct mesh *mesh);                /* n, of the largest known set */
uint32_t mesh_limit(const struct mesh *mesh, uint8_t channel); /* of a message */
void mesh_report(const struct mesh *mesh, enum mesh_report_kind kind, uint8_t code,
                 const struct link *link);
/* Close the link with this code, or DOOM_DROP, when the running input is over.  The first doom counts. */
void mesh_doom(struct mesh *mesh, uint32_t index, uint8_t code);

/* session.c */
CHECKED uint32_t session_accept(struct mesh *mesh, const struct address *address);
void session_dial(struct mesh *mesh, uint32_t peer);
void session_connected(struct mesh *mesh, uint32_t index);
void session_input(struct mesh *mesh, uint32_t index);
void session_tick(struct mesh *mesh, uint32_t index);
CHECKED size_t session_pull(struct mesh *mesh, uint32_t index, uint8_t *out);
CHECKED bool session_paused(const struct mesh *mesh, uint32_t index);
void session_goodbye(struct mesh *mesh, uint32_t index, uint8_t code, uint32_t seconds);
void session_drop(struct mesh *mesh, uint32_t index);   /* close without a word */
void session_detach(struct mesh *mesh, uint32_t index); /* the peer has this link no more */
void session_resume(struct mesh *mesh, uint32_t index); /* read on if it stalled */
CHECKED bool session_left(struct mesh *mesh, uint32_t index,
                          struct bytes message); /* GOODBYE came */

/* frames.c */
void frames_record(struct mesh *mesh, uint32_t index, struct bytes plain);
void frames_forget(struct mesh *mesh, struct body *body); /* unfinished messages */
void frames_shed(struct mesh *mesh, struct peer *peer);   /* votes for which there are tokens now */
uint32_t frames_pieces(const struct link *link); /* receive pool held by unfinished messages */
uint64_t frames_tick(struct mesh *mesh, uint32_t index); /* next deadline of unfinished messages */
void frames_memory(struct mesh *mesh); /* what to do when the receive pool is short */

/* channels.c */
void channels_send(struct mesh *mesh, uint32_t to, uint8_t channel, struct bytes head,
                   struct bytes body);
CHECKED size_t channels_pull(struct mesh *mesh, uint32_t index, uint8_t *plain);
void channels_move(struct mesh *mesh,
                   struct peer *peer); /* the main link is another: begun messages are lost */
void channels_clear(struct mesh *mesh, struct peer *peer);
uint32_t channels_bytes(const struct peer *peer);

/* peers.c */
CHECKED uint32_t peers_find(const struct mesh *mesh, const uint8_t *key);
CHECKED uint32_t peers_take(struct mesh *mesh, const uint8_t *key); /* MESH_NONE: no place */
CHECKED uint32_t peers_by_number(const struct mesh *mesh, uint32_t number);
uint32_t peers_number(const struct mesh *mesh, const struct peer *peer);
void peers_classify(struct mesh *mesh);
void peers_known(struct mesh *mesh); /* addresses into the gate */
struct tokens_rate peers_rate(const struct mesh *mesh, const struct peer *peer, enum bucket bucket);
CHECKED bool peers_take_token(struct mesh *mesh, struct peer *peer, enum bucket bucket);
CHECKED bool peers_any_token(struct mesh *mesh, struct peer *peer, enum bucket bucket);
CHECKED bool peers_place(const struct mesh *mesh, uint32_t index);
void peers_failed(struct mesh *mesh, struct peer *peer); /* a dial or a session ended: back off */
void peers_tick(struct mesh *mesh);
void peers_tell(struct mesh *mesh);
void peers_charge(struct mesh *mesh, struct peer *peer, uint8_t channel, enum mesh_fault fault);
void peers_judge(struct mesh *mesh);
CHECKED uint32_t peers_banned_s(const struct mesh *mesh, const uint8_t *key); /* 0: not banned */
int32_t peers_score(const struct peer *peer, uint64_t now_ms);

/* duplicates.c */
void duplicates_arrived(struct mesh *mesh, uint32_t index, uint64_t instance);
void duplicates_heard(struct mesh *mesh, uint32_t index);
void duplicates_lost(struct mesh *mesh, struct peer *peer); /* the main link is gone */
void duplicates_left(struct mesh *mesh, uint32_t index);    /* goodbye 2 came */
void duplicates_tick(struct mesh *mesh, struct peer *peer);
void duplicates_limbo(struct mesh *mesh, struct peer *peer); /* a half-open link is gone */

#endif /* P2P_MESH_PRIVATE_H */

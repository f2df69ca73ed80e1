/*
 * tests/p2p_net.h -- some machines of p2p/mesh.h in one process, joined by pipes, under virtual time.
 *
 * Bytes, connects and ends of streams are delivered one at a time; with a seed, in an order drawn from it,
 * else oldest pipe first.  A test may cut a pipe, stop one direction, or change bytes that are under way.
 */
#ifndef TESTS_P2P_NET_H
#define TESTS_P2P_NET_H

#include "base/random.h"
#include "crypto/noise.h"
#include "p2p/mesh.h"

enum {
    NET_NODES = 8,
    NET_PIPES = 256,
    NET_WINDOW = 64 << 10, /* bytes under way in one direction */
    NET_EVENTS = 4096,
};

enum net_event_kind { NET_OPENED, NET_CLOSED, NET_MESSAGE, NET_REPORT };

struct net_event {
    enum net_event_kind kind;
    uint32_t peer;
    uint8_t channel; /* or the code of a report */
    enum mesh_report_kind report;
    uint8_t *bytes; /* of a message */
    size_t count;
};

struct net_node {
    bool used;
    bool listens;
    bool keeps; /* messages in events; else they are only counted */
    struct mesh *mesh;
    struct arena arena;
    uint8_t secret[32];
    uint8_t key[32];
    struct address address;
    struct random random;
    struct net_event events[NET_EVENTS];
    uint32_t event_count;
    uint64_t messages[MESH_CHANNELS];
    uint64_t message_bytes;
    uint32_t length_answer; /* of owner.length */
    uint32_t length_asked;
    void (*on_message)(void *self, uint32_t node, uint32_t peer, uint8_t channel,
                       struct bytes message);
    void *self;
    struct net *net;
};

/* One connection; side 0 dialled, side 1 accepted.  flow[i] goes from side i to the other.  A node of NET_NODES
 * is somebody outside. */
struct net_flow {
    uint8_t *bytes;
    size_t count, size;
    bool wants; /* the sender's mesh has something to pull */
    bool stopped;
    bool room; /* the receiver reads */
};

struct net_pipe {
    bool used;
    bool connecting;
    bool cut; /* nothing arrives any more, and nobody is told */
    uint32_t node[2];
    uint32_t link[2];
    bool open[2];
    struct net_flow flow[2];
};

struct net {
    uint64_t now_ms;
    uint64_t wait_ms; /* of owner.length and others: unused */
    bool drawn;
    struct random random;
    struct net_node nodes[NET_NODES];
    struct net_pipe pipes[NET_PIPES];
    struct validator_set set;
    bool refuse; /* dials fail */
};

/* Options as every test begins with; change them before net_add. */
struct mesh_options net_options(void);

struct net *net_open(uint64_t seed); /* 0: oldest first */
void net_close(struct net *net);

/* A node with the key drawn from `identity`, at 10.0.0.(index + 1). */
void net_add(struct net *net, uint32_t index, uint64_t identity,
             const struct mesh_options *options);
void net_remove(struct net *net, uint32_t index); /* its process dies: connections are reset */
void net_kill(struct net *net, uint32_t index);   /* its machine dies: nobody is told */

/* The first `count` nodes are the validators; each knows the addresses of all. */
void net_validators(struct net *net, uint32_t count);

/* Do one thing; false if nothing is left to do at this moment. */
bool net_step(struct net *net);
void net_settle(struct net *net);
void net_run(struct net *net, uint64_t ms);

/* The open pipe between two nodes, dialled by the first; NULL if there is none. */
struct net_pipe *net_pipe(struct net *net, uint32_t dialled, uint32_t accepted);

uint32_t net_events(const struct net_node *node, enum net_event_kind kind, uint32_t peer);
uint32_t net_reports(const struct net_node *node, enum mesh_report_kind kind);
const struct net_event *net_last_message(const struct net_node *node);
void net_forget(struct net_node *node);

/* How many sessions are open, in all. */
uint32_t net_sessions(const struct net_node *node);

/* A message of a type and a length, filled from a number. */
struct bytes net_message(uint8_t *memory, uint8_t type, size_t count, uint8_t fill);

/*
 * Somebody outside who speaks the protocol by hand, and so can break it.  Side 0 of a pipe; what the node
 * writes waits in flow[1] until raw_read.
 */
struct net_raw {
    struct net *net;
    struct net_pipe *pipe; /* NULL: refused */
    uint32_t node;
    uint8_t secret[32];
    uint8_t key[32];
    uint64_t instance;
    uint8_t roles;
    struct noise_handshake handshake;
    struct noise_cipher sending;
    struct noise_cipher receiving;
    uint32_t frames; /* read, in all */
    uint32_t records;
    uint32_t types[256]; /* first frames of this type */
    uint8_t goodbye;     /* code; 0: none */
    uint32_t goodbye_s;
    uint8_t last[16384]; /* bytes of the last frame that was read */
    size_t last_count;
    uint8_t channels[4096]; /* channel of each frame that was read, in order, the first ones */
};

void raw_connect(struct net_raw *raw, struct net *net, uint32_t node, uint64_t identity,
                 const struct address *address);
/* Messages 1 to 3 and HELLO, whole. */
void raw_meet(struct net_raw *raw);
void raw_first(struct net_raw *raw, const uint8_t *prologue);
void raw_third(struct net_raw *raw);
void raw_hello(struct net_raw *raw);
void raw_bytes(struct net_raw *raw, struct bytes bytes); /* as they are */
void raw_record(struct net_raw *raw, struct bytes plain);
void raw_frame(struct net_raw *raw, uint8_t channel, uint8_t flags, struct bytes bytes);
/* Take and open what the node has written by now. */
void raw_read(struct net_raw *raw);
bool raw_closed(const struct net_raw *raw); /* by the node */
void raw_close(struct net_raw *raw);

/* Node 0 of `net` and whoever has the key drawn from `identity` are the validators, 0 and 1. */
void raw_member(struct net *net, uint64_t identity);

/* An address outside, 10.1.x.x. */
struct address raw_address(uint32_t number);

#endif /* TESTS_P2P_NET_H */

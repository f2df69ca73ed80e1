/*
 * p2p/net_uv.h -- moves bytes between libuv's sockets and the machine of p2p/mesh.h, and nothing else.
 *
 * One loop, the caller's.  Callbacks hand bytes and connections to the machine; once a turn of the loop, before
 * it sleeps, the machine's actions are done.  What is sent in a turn leaves together at its end.
 *
 * The process must ignore SIGPIPE.
 */
#ifndef P2P_NET_UV_H
#define P2P_NET_UV_H

#include "p2p/mesh.h"

struct net_uv;
struct uv_loop_s;

enum {
    NET_UV_TURN_BYTES =
        256 << 10, /* read from, and written to, one connection before the next one's turn */
    NET_UV_UNSENT_BYTES =
        64 << 10, /* that the system holds unsent; see TCP_NOTSENT_LOWAT in tcp(7) */
    NET_UV_KEEPALIVE_S = 15,
    NET_UV_BACKLOG = 128,
};

/* A configured peer, `<node key hex>@host:port` in `p2p.peers`. */
struct net_uv_peer {
    uint8_t key[MESH_KEY_BYTES];
    const char *host; /* an IP literal, or a name that is resolved anew at each dial; kept */
    uint16_t port;
};

struct net_uv_options {
    struct uv_loop_s *loop;          /* kept */
    struct mesh_options mesh;        /* now_ms and configured_max are set by net_uv_open */
    const char *listen_host;         /* an IP literal; NULL: accept nothing */
    uint16_t listen_port;            /* 0: any that is free */
    const struct net_uv_peer *peers; /* kept */
    uint32_t peer_count;
};

size_t net_uv_footprint(const struct net_uv_options *options);

/*
 * Listen and begin to dial.  Everything lives in `arena`, which must be zeroed and outlive net_uv_stop's `done`.
 * On failure nothing is left open, and *os_error is the errno value, or 0.
 *
 * Errors: ERR_BUSY the port is taken; ERR_DENIED it may not be used; ERR_FORM listen_host is no IP literal;
 * ERR_NO_SPACE the arena is too small; ERR_EXISTS a peer has the own key; ERR_IO anything else, such as an
 * address that this machine does not have.
 */
CHECKED enum err net_uv_open(const struct net_uv_options *options, struct arena *arena,
                             struct net_uv **out, int *os_error);

/* The machine, for sets, addresses, charges, counts.  Inputs and outputs of it are net_uv's own. */
struct mesh *net_uv_mesh(struct net_uv *net);

/* The port it listens on; 0: none. */
uint16_t net_uv_port(const struct net_uv *net);

/* As mesh_send; what node/ports.h asks of net_port.send. */
void net_uv_send(struct net_uv *net, uint32_t to, uint8_t channel, struct bytes head,
                 struct bytes body);

/*
 * Say goodbye to all, close everything, then call `done`: after half a second, or when a lookup of a name that
 * is under way has come back.
 */
void net_uv_stop(struct net_uv *net, void (*done)(void *self), void *self);

#endif /* P2P_NET_UV_H */

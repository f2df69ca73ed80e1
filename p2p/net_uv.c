#include "p2p/net_uv.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { CONNS_CLOSING = 64, STEPS_MAX = 8 };

struct conn {
    struct net_uv *net;
    uint32_t link; /* MESH_NONE: the machine knows it no more, it is being closed */
    uint32_t next_free;
    bool writing; /* libuv holds what did not fit */
    bool connected;
    bool reading;
    bool resolving;
    bool closed; /* uv_close was called and has called back */
    bool queued; /* in `again` */
    size_t turn_read;
    size_t out_count;
    uv_tcp_t tcp;
    uv_connect_t connecting;
    uv_getaddrinfo_t lookup;
    uv_write_t write;
    uint8_t out[MESH_RECORD_BYTES];
};

struct net_uv {
    uv_loop_t *loop;
    struct mesh *mesh;
    const struct net_uv_peer *peers;
    uv_tcp_t listener;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_idle_t idle;
    uint16_t port;
    bool listening;
    bool accept_due; /* a connection waits for a free place */
    bool stopping;
    uint32_t handles; /* not closed yet, those of connections included */
    struct conn *conns;
    uint32_t conn_count;
    uint32_t conn_free;
    uint32_t *by_link; /* place in conns, or MESH_NONE */
    uint32_t *again;   /* connections that have not had enough of this turn */
    uint32_t again_count;
    void (*done)(void *self);
    void *done_self;
};

/* Sizes. */

static struct mesh_options machine_options(const struct net_uv_options *options)
{
    struct mesh_options machine = options->mesh;

    INVARIANT(options->peer_count <= UINT16_MAX);
    machine.configured_max = (uint16_t)options->peer_count;
    return machine;
}

static uint32_t conns_max(const struct mesh_options *machine)
{
    return mesh_links_max(machine) + CONNS_CLOSING;
}

size_t net_uv_footprint(const struct net_uv_options *options)
{
    const struct mesh_options machine = machine_options(options);

    return arena_rounded(sizeof(struct net_uv)) +
           arena_rounded(conns_max(&machine) * sizeof(struct conn)) +
           arena_rounded(mesh_links_max(&machine) * sizeof(uint32_t)) +
           arena_rounded(conns_max(&machine) * sizeof(uint32_t)) + mesh_footprint(&machine);
}

/* Addresses. */

static struct address address_from(const struct sockaddr *from)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct address address = {.family = ADDRESS_NONE};

    if (from->sa_family == AF_INET) {
        struct sockaddr_in four;

        memcpy(&four, from, sizeof four);
        address.family = ADDRESS_IPV4;
        memcpy(address.ip, &four.sin_addr, 4);
        address.port = ntohs(four.sin_port);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 six;

        memcpy(&six, from, sizeof six);
        address.port = ntohs(six.sin6_port);
        if (bytes_equal(bytes_of(&six.sin6_addr, 12), bytes_of(mapped, 12))) {
            address.family = ADDRESS_IPV4;
            memcpy(address.ip, (const uint8_t *)&six.sin6_addr + 12, 4);
        } else {
            address.family = ADDRESS_IPV6;
            memcpy(address.ip, &six.sin6_addr, ADDRESS_BYTES);
        }
    }
    return address;
}

static void address_to(const struct address *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (address->family == ADDRESS_IPV4) {
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(address->port)};

        memcpy(&four.sin_addr, address->ip, 4);
        memcpy(out, &four, sizeof four);
    } else {
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};

        memcpy(&six.sin6_addr, address->ip, ADDRESS_BYTES);
        memcpy(out, &six, sizeof six);
    }
}

/* False if `host` is no IP literal. */
static CHECKED bool address_parse(const char *host, uint16_t port, struct address *out)
{
    *out = (struct address){.family = ADDRESS_IPV4, .port = port};
    if (uv_inet_pton(AF_INET, host, out->ip) == 0) {
        return true;
    }
    *out = (struct address){.family = ADDRESS_IPV6, .port = port};
    return uv_inet_pton(AF_INET6, host, out->ip) == 0;
}

static struct address address_peer(const uv_tcp_t *tcp)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    int count = (int)sizeof storage;

    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&storage, &count) != 0) {
        storage.ss_family = AF_UNSPEC;
    }
    return address_from((const struct sockaddr *)&storage);
}

/* Connections. */

static CHECKED struct conn *conn_take(struct net_uv *net)
{
    struct conn *conn;

    if (net->conn_free == MESH_NONE) {
        return NULL;
    }
    conn = &net->conns[net->conn_free];
    net->conn_free = conn->next_free;
    conn->net = net;
    conn->link = MESH_NONE;
    conn->writing = false;
    conn->connected = false;
    conn->reading = false;
    conn->resolving = false;
    conn->closed = false;
    conn->turn_read = 0;
    INVARIANT(uv_tcp_init(net->loop, &conn->tcp) == 0);
    conn->tcp.data = conn;
    conn->connecting.data = conn;
    conn->lookup.data = conn;
    conn->write.data = conn;
    net->handles += 1;
    return conn;
}

static void handle_gone(struct net_uv *net)
{
    net->handles -= 1;
    if (net->handles == 0 && net->stopping) {
        net->done(net->done_self);
    }
}

static void accept_one(struct net_uv *net);

/* The place is free when the handle is closed and no lookup points to it any more. */
static void conn_release(struct conn *conn)
{
    struct net_uv *net = conn->net;

    if (!conn->closed || conn->resolving) {
        return;
    }
    conn->next_free = net->conn_free;
    net->conn_free = (uint32_t)(conn - net->conns); /* below conn_count */
    if (net->accept_due && !net->stopping) {
        net->accept_due = false;
        accept_one(net);
    }
    handle_gone(net);
}

static void on_conn_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;

    conn->closed = true;
    conn_release(conn);
}

/* Close; the machine knows already, or never knew. */
static void conn_close(struct conn *conn)
{
    if (conn->link != MESH_NONE) {
        conn->net->by_link[conn->link] = MESH_NONE;
        conn->link = MESH_NONE;
    }
    if (conn->resolving) {
        (void)uv_cancel(
            (uv_req_t *)&conn->lookup); /* if it runs already, its callback comes later */
    }
    if (!uv_is_closing((uv_handle_t *)&conn->tcp)) {
        uv_close((uv_handle_t *)&conn->tcp, on_conn_closed);
    }
}

/* The connection failed or ended by itself. */
static void conn_lost(struct conn *conn)
{
    const uint32_t link = conn->link;
    struct net_uv *net = conn->net;

    conn_close(conn);
    if (link != MESH_NONE) {
        mesh_closed(net->mesh, uv_now(net->loop), link);
    }
}

static void conn_bind(struct conn *conn, uint32_t link)
{
    conn->link = link;
    conn->net->by_link[link] = (uint32_t)(conn - conn->net->conns);
}

/* Not enough of this turn: go on in the next one, without sleeping before. */
static void conn_again(struct conn *conn)
{
    struct net_uv *net = conn->net;

    if (!conn->queued) {
        conn->queued = true;
        net->again[net->again_count] = (uint32_t)(conn - net->conns);
        net->again_count += 1;
    }
}

/* The socket is connected.  A system that does not know an option is no reason to do without the peer. */
static void conn_begin(struct conn *conn)
{
    const int unsent = NET_UV_UNSENT_BYTES;
    uv_os_fd_t fd;

    conn->connected = true;
    (void)uv_tcp_nodelay(&conn->tcp, 1);
    (void)uv_tcp_keepalive(&conn->tcp, 1, NET_UV_KEEPALIVE_S);
    if (uv_fileno((uv_handle_t *)&conn->tcp, &fd) == 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    }
}

/* Reading. */

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    const struct conn *conn = handle->data;

    (void)wanted;
    *out = uv_buf_init(NULL, 0);
    if (conn->link != MESH_NONE) {
        const struct mesh_room room = mesh_room(conn->net->mesh, conn->link);

        out->base = (char *)room.at;
        out->len = room.count;
    }
}

static void read_stop(struct conn *conn)
{
    (void)uv_read_stop((uv_stream_t *)&conn->tcp);
    conn->reading = false;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct conn *conn = stream->data;

    (void)buffer;
    if (conn->link == MESH_NONE || count == 0) {
        return;
    }
    if (count == UV_ENOBUFS) { /* the machine has no room: it says MESH_READ when it has */
        read_stop(conn);
        return;
    }
    if (count < 0) {
        conn_lost(conn);
        return;
    }
    conn->turn_read += (size_t)count;
    mesh_received(conn->net->mesh, uv_now(conn->net->loop), conn->link, (size_t)count);
    if (conn->turn_read >= NET_UV_TURN_BYTES) {
        read_stop(conn);
        conn_again(conn);
    }
}

static void read_start(struct conn *conn)
{
    if (conn->link == MESH_NONE || !conn->connected || conn->reading) {
        return;
    }
    conn->reading = uv_read_start((uv_stream_t *)&conn->tcp, on_room, on_read) == 0;
    if (!conn->reading) {
        conn_lost(conn);
    }
}

/* Writing. */

static void conn_pump(struct conn *conn);

static void on_written(uv_write_t *request, int status)
{
    struct conn *conn = request->data;

    conn->writing = false;
    if (conn->link == MESH_NONE) {
        return;
    }
    if (status < 0) {
        conn_lost(conn);
        return;
    }
    conn_pump(conn);
}

/* Write what was pulled; false if libuv took the rest, or the connection is lost. */
static CHECKED bool record_write(struct conn *conn, size_t count)
{
    uv_stream_t *stream = (uv_stream_t *)&conn->tcp;
    uv_buf_t buffer = uv_buf_init((char *)conn->out, (unsigned)count); /* at most a record */
    const int sent = uv_try_write(stream, &buffer, 1);

    if (sent < 0 && sent != UV_EAGAIN) {
        conn_lost(conn);
        return false;
    }
    if (sent > 0) {
        if ((size_t)sent == count) {
            return true;
        }
        buffer.base += sent;
        buffer.len -= (size_t)sent;
    }
    conn->writing = uv_write(&conn->write, stream, &buffer, 1, on_written) == 0;
    if (!conn->writing) {
        conn_lost(conn);
    }
    return false;
}

/* Seal and write record by record, so that what becomes urgent meanwhile is next. */
static void conn_pump(struct conn *conn)
{
    struct net_uv *net = conn->net;
    size_t total = 0;

    while (conn->connected && !conn->writing && conn->link != MESH_NONE) {
        size_t count;

        if (total >= NET_UV_TURN_BYTES) {
            conn_again(conn);
            return;
        }
        count = mesh_pull(net->mesh, uv_now(net->loop), conn->link, conn->out);
        if (count == 0 || !record_write(conn, count)) {
            return;
        }
        total += count;
    }
}

/* Dialling and accepting. */

static void on_connected(uv_connect_t *request, int status)
{
    struct conn *conn = request->data;
    struct address address;

    if (conn->link == MESH_NONE) {
        return;
    }
    if (status < 0) {
        conn_lost(conn);
        return;
    }
    conn_begin(conn);
    address = address_peer(&conn->tcp);
    mesh_connected(conn->net->mesh, uv_now(conn->net->loop), conn->link, &address);
    read_start(conn);
}

static void conn_connect(struct conn *conn, const struct sockaddr *to)
{
    if (uv_tcp_connect(&conn->connecting, &conn->tcp, to, on_connected) != 0) {
        conn_lost(conn);
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct conn *conn = request->data;

    conn->resolving = false;
    if (conn->closed) {
        conn_release(conn);
    } else if (conn->link != MESH_NONE) {
        if (status != 0 || found == NULL) {
            conn_lost(conn);
        } else {
            conn_connect(conn, found->ai_addr);
        }
    }
    uv_freeaddrinfo(found);
}

static void conn_resolve(struct conn *conn, const struct net_uv_peer *peer)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[6];
    uint32_t left = peer->port;
    size_t at = sizeof port - 1;

    port[at] = '\0';
    do {
        at -= 1;
        port[at] = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    conn->resolving = uv_getaddrinfo(conn->net->loop, &conn->lookup, on_resolved, peer->host,
                                     port + at, &hints) == 0;
    if (!conn->resolving) {
        conn_lost(conn);
    }
}

static void dial(struct net_uv *net, const struct mesh_action *action)
{
    struct conn *conn = conn_take(net);
    struct sockaddr_storage to;

    if (conn == NULL) {
        mesh_closed(net->mesh, uv_now(net->loop), action->link);
        return;
    }
    conn_bind(conn, action->link);
    if (action->address.family == ADDRESS_NONE) {
        conn_resolve(conn, &net->peers[action->tag]);
        return;
    }
    address_to(&action->address, &to);
    conn_connect(conn, (const struct sockaddr *)&to);
}

static void accept_one(struct net_uv *net)
{
    struct conn *conn = conn_take(net);
    struct address address;
    uint32_t link;

    if (conn == NULL) {
        net->accept_due = true;
        return;
    }
    if (uv_accept((uv_stream_t *)&net->listener, (uv_stream_t *)&conn->tcp) != 0) {
        conn_close(conn);
        return;
    }
    address = address_peer(&conn->tcp);
    link = address.family == ADDRESS_NONE ? MESH_NONE
                                          : mesh_accepted(net->mesh, uv_now(net->loop), &address);
    if (link == MESH_NONE) {
        conn_close(conn);
        return;
    }
    conn_bind(conn, link);
    conn_begin(conn);
    read_start(conn);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct net_uv *net = listener->data;

    if (status == 0 && !net->stopping) {
        accept_one(net);
    }
}

/* Turns of the loop. */

static void action_do(struct net_uv *net, const struct mesh_action *action)
{
    const uint32_t place = net->by_link[action->link];

    if (action->kind == MESH_DIAL) {
        dial(net, action);
        return;
    }
    if (place == MESH_NONE) {
        return;
    }
    switch (action->kind) {
    case MESH_DIAL:
        break;
    case MESH_WRITE:
        conn_pump(&net->conns[place]);
        break;
    case MESH_READ:
        read_start(&net->conns[place]);
        break;
    case MESH_CLOSE:
        conn_close(&net->conns[place]);
        break;
    }
}

/* Those that had enough for one turn go on. */
static void again_do(struct net_uv *net)
{
    const uint32_t count = net->again_count;

    net->again_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct conn *conn = &net->conns[net->again[i]];

        conn->queued = false;
        conn->turn_read = 0;
        read_start(conn);
        conn_pump(conn);
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* keeps the loop from sleeping */
}

static void handles_close(struct net_uv *net);

static void on_timer(uv_timer_t *timer)
{
    (void)timer; /* the turn does the work */
}

static void on_turn(uv_prepare_t *prepare)
{
    struct net_uv *net = prepare->data;
    const uint64_t now_ms = uv_now(net->loop);
    struct mesh_action action;
    uint64_t next_ms;

    again_do(net);
    for (uint32_t step = 0; step < STEPS_MAX; step++) {
        if (mesh_deadline_ms(net->mesh) <= now_ms) {
            mesh_tick(net->mesh, now_ms);
        }
        while (mesh_next(net->mesh, &action)) {
            action_do(net, &action);
        }
        if (mesh_deadline_ms(net->mesh) > now_ms) {
            break;
        }
    }
    if (net->stopping && mesh_links(net->mesh) == 0) {
        handles_close(net);
        return;
    }
    next_ms = mesh_deadline_ms(net->mesh);
    if (next_ms == UINT64_MAX) {
        (void)uv_timer_stop(&net->timer);
    } else {
        (void)uv_timer_start(&net->timer, on_timer, next_ms > now_ms ? next_ms - now_ms : 0, 0);
    }
    if (net->again_count != 0) {
        (void)uv_idle_start(&net->idle, on_idle);
    } else {
        (void)uv_idle_stop(&net->idle);
    }
}

/* Opening and closing. */

static enum err error_of(int os_error)
{
    switch (os_error) {
    case EADDRINUSE:
        return ERR_BUSY;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    default:
        return ERR_IO;
    }
}

/* A listening socket, made by hand: if it cannot be, no handle of libuv is owed a close. */
static CHECKED enum err listen_socket(const struct address *address, int *fd, int *os_error)
{
    const int family = address->family == ADDRESS_IPV4 ? AF_INET : AF_INET6;
    const socklen_t count =
        address->family == ADDRESS_IPV4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    const int on = 1;
    struct sockaddr_storage storage;

    address_to(address, &storage);
    *fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd >= 0 && setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(*fd, (const struct sockaddr *)&storage, count) == 0 &&
        listen(*fd, NET_UV_BACKLOG) == 0) {
        return ERR_OK;
    }
    *os_error = errno;
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
    return error_of(*os_error);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    socklen_t count = sizeof storage;

    if (getsockname(fd, (struct sockaddr *)&storage, &count) != 0) {
        return 0;
    }
    return address_from((const struct sockaddr *)&storage).port;
}

static void handles_open(struct net_uv *net, int fd)
{
    INVARIANT(uv_timer_init(net->loop, &net->timer) == 0);
    INVARIANT(uv_prepare_init(net->loop, &net->prepare) == 0);
    INVARIANT(uv_idle_init(net->loop, &net->idle) == 0);
    net->prepare.data = net;
    net->timer.data = net;
    net->idle.data = net;
    net->handles = 3;
    INVARIANT(uv_prepare_start(&net->prepare, on_turn) == 0);
    if (fd >= 0) {
        INVARIANT(uv_tcp_init(net->loop, &net->listener) == 0);
        net->listener.data = net;
        net->handles += 1;
        INVARIANT(uv_tcp_open(&net->listener, fd) == 0);
        INVARIANT(uv_listen((uv_stream_t *)&net->listener, NET_UV_BACKLOG, on_connection) == 0);
        net->listening = true;
    }
}

static CHECKED enum err peers_add(struct net_uv *net, const struct net_uv_options *options)
{
    for (uint32_t i = 0; i < options->peer_count; i++) {
        const struct net_uv_peer *peer = &options->peers[i];
        struct address address;

        if (!address_parse(peer->host, peer->port, &address)) {
            address = (struct address){.family = ADDRESS_NONE};
        }
        TRY(mesh_add_peer(net->mesh, peer->key, i, &address));
    }
    return ERR_OK;
}

/* Tables and the machine; the arena was measured. */
static CHECKED enum err memory_open(const struct net_uv_options *options, struct arena *arena,
                                    struct net_uv **out)
{
    struct mesh_options machine = machine_options(options);
    struct net_uv *net;

    if (arena->size - arena->used < net_uv_footprint(options)) {
        return ERR_NO_SPACE;
    }
    machine.now_ms = uv_now(options->loop);
    net = arena_must(arena, sizeof *net);
    *net = (struct net_uv){.loop = options->loop, .peers = options->peers};
    net->conn_count = conns_max(&machine);
    net->conns = arena_must(arena, net->conn_count * sizeof *net->conns);
    net->by_link = arena_must(arena, mesh_links_max(&machine) * sizeof *net->by_link);
    net->again = arena_must(arena, net->conn_count * sizeof *net->again);
    for (uint32_t i = 0; i < net->conn_count; i++) {
        net->conns[i].next_free = i + 1 < net->conn_count ? i + 1 : MESH_NONE;
    }
    for (uint32_t i = 0; i < mesh_links_max(&machine); i++) {
        net->by_link[i] = MESH_NONE;
    }
    TRY(mesh_init(&machine, arena, &net->mesh));
    *out = net;
    return peers_add(net, options);
}

enum err net_uv_open(const struct net_uv_options *options, struct arena *arena, struct net_uv **out,
                     int *os_error)
{
    struct net_uv *net = NULL;
    struct address address;
    int fd = -1;

    *os_error = 0;
    TRY(memory_open(options, arena, &net));
    if (options->listen_host != NULL) {
        if (!address_parse(options->listen_host, options->listen_port, &address)) {
            return ERR_FORM;
        }
        TRY(listen_socket(&address, &fd, os_error));
        net->port = port_of(fd);
    }
    handles_open(net, fd);
    *out = net;
    return ERR_OK;
}

struct mesh *net_uv_mesh(struct net_uv *net)
{
    return net->mesh;
}

uint16_t net_uv_port(const struct net_uv *net)
{
    return net->port;
}

void net_uv_send(struct net_uv *net, uint32_t to, uint8_t channel, struct bytes head,
                 struct bytes body)
{
    mesh_send(net->mesh, to, channel, head, body);
}

static void on_handle_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

/* All sessions are over: what is left of libuv's goes too. */
static void handles_close(struct net_uv *net)
{
    if (uv_is_closing((uv_handle_t *)&net->prepare)) {
        return;
    }
    uv_close((uv_handle_t *)&net->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&net->timer, on_handle_closed);
    uv_close((uv_handle_t *)&net->idle, on_handle_closed);
}

void net_uv_stop(struct net_uv *net, void (*done)(void *self), void *self)
{
    INVARIANT(!net->stopping);
    net->stopping = true;
    net->done = done;
    net->done_self = self;
    if (net->listening) {
        uv_close((uv_handle_t *)&net->listener, on_handle_closed);
    }
    mesh_stop(net->mesh);
}

/*
 * p2p/address.h -- where a node can be dialled: an IP address and a port, and what kind of address it is.
 *
 * A hint that proves nothing: who answers there is decided by the handshake.
 */
#ifndef P2P_ADDRESS_H
#define P2P_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { ADDRESS_NONE = 0, ADDRESS_IPV4 = 4, ADDRESS_IPV6 = 6, ADDRESS_BYTES = 16 };

struct address {
    uint8_t family;            /* ADDRESS_NONE: there is none */
    uint8_t ip[ADDRESS_BYTES]; /* an IPv4 address in the first four, the rest zero */
    uint16_t port;
};

/* The same IP address; ports are not looked at. */
bool address_same_ip(const struct address *a, const struct address *b);

bool address_equal(const struct address *a, const struct address *b);

bool address_loopback(const struct address *address);

/* Reachable from anywhere: not loopback, private, link-local, shared, multicast or unspecified. */
bool address_public(const struct address *address);

/* What limits count: an IPv4 address as it is, of an IPv6 address the first eight bytes; port 0. */
struct address address_prefix(const struct address *address);

#endif /* P2P_ADDRESS_H */

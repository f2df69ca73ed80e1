#include "p2p/address.h"

#include <string.h>

#include "base/bytes.h"

enum { IPV6_PREFIX_BYTES = 8 };

bool address_same_ip(const struct address *a, const struct address *b)
{
    return a->family == b->family &&
           bytes_equal(bytes_of(a->ip, sizeof a->ip), bytes_of(b->ip, sizeof b->ip));
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && address_same_ip(a, b);
}

bool address_loopback(const struct address *address)
{
    if (address->family == ADDRESS_IPV4) {
        return address->ip[0] == 127;
    }
    return address->family == ADDRESS_IPV6 && bytes_zero(address->ip, ADDRESS_BYTES - 1) &&
           address->ip[ADDRESS_BYTES - 1] == 1;
}

/* RFC 6890: the registers of special-purpose addresses, those that matter to a peer. */
static bool ipv4_public(const uint8_t *ip)
{
    return ip[0] != 0 && ip[0] != 10 && ip[0] != 127 && ip[0] < 224 &&
           !(ip[0] == 100 && (ip[1] & 0xc0) == 64) && !(ip[0] == 169 && ip[1] == 254) &&
           !(ip[0] == 172 && (ip[1] & 0xf0) == 16) && !(ip[0] == 192 && ip[1] == 168) &&
           !(ip[0] == 192 && ip[1] == 0 && ip[2] == 0) && !(ip[0] == 198 && (ip[1] & 0xfe) == 18);
}

bool address_public(const struct address *address)
{
    const uint8_t *ip = address->ip;

    if (address->family == ADDRESS_IPV4) {
        return ipv4_public(ip);
    }
    /* Unicast that is neither local (fc00::/7, fe80::/10) nor, under ::/8, mapped, loopback, unspecified. */
    return address->family == ADDRESS_IPV6 && ip[0] != 0xff && (ip[0] & 0xfe) != 0xfc &&
           !(ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) && ip[0] != 0;
}

struct address address_prefix(const struct address *address)
{
    struct address prefix = *address;

    prefix.port = 0;
    if (prefix.family == ADDRESS_IPV6) {
        memset(prefix.ip + IPV6_PREFIX_BYTES, 0, ADDRESS_BYTES - IPV6_PREFIX_BYTES);
    }
    return prefix;
}

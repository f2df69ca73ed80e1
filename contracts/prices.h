/*
 * contracts/prices.h -- what an action pays for, in units (contracts/README.md, "Prices").
 *
 * A unit is about 20 ns of the machine that the parameters were chosen on.  What an action spends is the sum of
 * its own .units and of these; bytes are those of the canonical message.
 */
#ifndef CONTRACTS_PRICES_H
#define CONTRACTS_PRICES_H

enum {
    PRICE_GET = 10,   /* and a unit for 32 bytes of the row; the same for an absent one */
    PRICE_PUT = 50,   /* and a unit for 16 bytes of the row */
    PRICE_INDEX = 30, /* each index of the table, of a put or delete */
    PRICE_DELETE = 50,
    PRICE_LIST = 10,       /* the walk itself */
    PRICE_LIST_ROW = 5,    /* each row, and a unit for 32 bytes */
    PRICE_EVENT = 10,      /* and a unit for 16 bytes */
    PRICE_HASH = 5,        /* and a unit for 64 bytes */
    PRICE_KEY_CHECK = 500, /* is a public key a point of the curve? */
    PRICE_REFUSED = 50,    /* an action that no module has */

    PRICE_GET_BYTES = 32,
    PRICE_PUT_BYTES = 16,
    PRICE_EVENT_BYTES = 16,
    PRICE_HASH_BYTES = 64,
};

#endif /* CONTRACTS_PRICES_H */

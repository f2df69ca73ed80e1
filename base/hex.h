/* base/hex.h -- bytes as lower-case hexadecimal digits and back. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

/* Write 2 * bytes.count digits and a terminating zero to `out`. */
void hex_encode(struct bytes bytes, char *out);

/* Read exactly 2 * count digits, lower or upper case, and the end; false for anything else. */
CHECKED bool hex_decode(const char *text, uint8_t *out, size_t count);

#endif /* BASE_HEX_H */

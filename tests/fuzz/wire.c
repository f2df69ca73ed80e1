/* tests/fuzz/wire.c -- any bytes as a message between nodes: what is accepted is written again as it came. */
#include <stdint.h>

#include "base/err.h"
#include "tests/wire_again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the size of the set less one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 20];
    struct writer writer = writer_of(memory, sizeof memory);
    struct bytes message;
    uint64_t epoch;
    uint64_t view;

    if (size == 0 || size > sizeof memory) {
        return 0;
    }
    message = bytes_of(data + 1, size - 1);
    if (wire_again(message, (uint16_t)(data[0] + 1), &writer)) {
        INVARIANT(bytes_equal(writer_done(&writer), message));
        INVARIANT(wire_channel(message.at[0]) != WIRE_CHANNEL_NONE);
        INVARIANT(wire_epoch_view(message, &epoch, &view) ==
                  (message.at[0] == WIRE_VOTE || message.at[0] == WIRE_CERT ||
                   message.at[0] == WIRE_PROPOSAL));
    } else if (wire_epoch_view(message, &epoch, &view)) {
        INVARIANT(message.count >= 17);
    }
    return 0;
}

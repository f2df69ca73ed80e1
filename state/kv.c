#include "state/kv.h"

#include <string.h>

void kv_batch_init(struct kv_batch *batch, struct arena *arena)
{
    *batch = (struct kv_batch){.arena = arena};
}

static bool copy_of(struct kv_batch *batch, struct bytes from, struct bytes *out)
{
    uint8_t *memory;

    *out = (struct bytes){0};
    if (from.count == 0) {
        return true;
    }
    memory = arena_take(batch->arena, from.count);
    if (memory == NULL) {
        return false;
    }
    memcpy(memory, from.at, from.count);
    *out = bytes_of(memory, from.count);
    return true;
}

static void batch_add(struct kv_batch *batch, struct bytes key, struct bytes value, bool remove)
{
    struct kv_operation *operation = arena_take(batch->arena, sizeof *operation);

    if (batch->full || operation == NULL) {
        batch->full = true;
        return;
    }
    *operation = (struct kv_operation){.remove = remove};
    if (!copy_of(batch, key, &operation->key) || !copy_of(batch, value, &operation->value)) {
        batch->full = true;
        return;
    }
    if (batch->last == NULL) {
        batch->first = operation;
    } else {
        batch->last->next = operation;
    }
    batch->last = operation;
    batch->count += 1;
    batch->bytes += key.count + value.count;
}

void kv_batch_put(struct kv_batch *batch, struct bytes key, struct bytes value)
{
    batch_add(batch, key, value, false);
}

void kv_batch_delete(struct kv_batch *batch, struct bytes key)
{
    batch_add(batch, key, (struct bytes){0}, true);
}

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

/* Add an operation with a copy of the key and no value yet; NULL when the arena is full. */
static struct kv_operation *batch_add(struct kv_batch *batch, struct bytes key)
{
    struct kv_operation *operation = arena_take(batch->arena, sizeof *operation);

    if (batch->full || operation == NULL) {
        batch->full = true;
        return NULL;
    }
    *operation = (struct kv_operation){0};
    if (!copy_of(batch, key, &operation->key)) {
        batch->full = true;
        return NULL;
    }
    if (batch->last == NULL) {
        batch->first = operation;
    } else {
        batch->last->next = operation;
    }
    batch->last = operation;
    batch->count += 1;
    batch->bytes += key.count;
    return operation;
}

void kv_batch_put_kept(struct kv_batch *batch, struct bytes key, struct bytes value)
{
    struct kv_operation *operation = batch_add(batch, key);

    if (operation != NULL) {
        operation->value = value;
        batch->bytes += value.count;
    }
}

void kv_batch_put(struct kv_batch *batch, struct bytes key, struct bytes value)
{
    struct bytes copy;

    if (!copy_of(batch, value, &copy)) {
        batch->full = true;
        return;
    }
    kv_batch_put_kept(batch, key, copy);
}

void kv_batch_delete(struct kv_batch *batch, struct bytes key)
{
    struct kv_operation *operation = batch_add(batch, key);

    if (operation != NULL) {
        operation->remove = true;
    }
}

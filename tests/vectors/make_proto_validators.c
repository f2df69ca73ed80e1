/* tests/vectors/make_proto_validators.c -- validators.json: sets, their hashes, and who leads in which order. */
#include <string.h>

#include "base/count.h"
#include "base/err.h"
#include "base/writer.h"
#include "proto/validators.h"
#include "tests/vectors/make_proto.h"

/* Member i has the test key of 32 bytes i + 1, the node key of 32 bytes i + 1, the account of 32 bytes 255 - i. */
static void set_make(struct validator_set *set, uint16_t count)
{
    set->count = 0;
    for (uint16_t i = 0; i < count; i++) {
        struct validator member;
        uint8_t secret[32];
        uint32_t at = i;

        make_consensus_key((uint8_t)(i + 1), secret, member.consensus_key);
        memset(member.node_key, i + 1, 32);
        memset(member.account, 255 - i, 32);
        while (at > 0 && memcmp(set->members[at - 1].consensus_key, member.consensus_key, 32) > 0) {
            set->members[at] = set->members[at - 1];
            at -= 1;
        }
        set->members[at] = member;
        set->count += 1;
    }
}

static uint8_t memory[2 + VALIDATORS_MAX * VALIDATOR_BYTES + 2];

static struct bytes set_bytes(const struct validator_set *set)
{
    struct writer writer = writer_of(memory, sizeof memory);

    validators_write(&writer, set);
    return writer_done(&writer);
}

static void write_bad(FILE *file, const char *name, struct bytes bytes)
{
    make_object(file);
    make_text(file, "name", name);
    make_hex(file, "set", bytes);
    make_object_end(file);
}

static void write_all_bad(FILE *file)
{
    static struct validator_set set;
    struct validator last;
    struct bytes bytes;

    set_make(&set, 2);
    bytes = set_bytes(&set);
    write_bad(file, "a byte too few", bytes_of(bytes.at, bytes.count - 1));
    memory[99] = 2;
    write_bad(file, "a weight of 2", bytes);
    memory[99] = 1;
    memory[1] = 0;
    write_bad(file, "nobody", bytes_of(bytes.at, 2));
    memory[0] = 1;
    memory[1] = 1;
    write_bad(file, "257 members that are not there", bytes);
    set_make(&set, 2);
    last = set.members[1];
    set.members[1] = set.members[0];
    write_bad(file, "a key twice", set_bytes(&set));
    set.members[0] = last;
    write_bad(file, "not ascending", set_bytes(&set));
}

void make_validators(const char *folder)
{
    static const uint16_t counts[] = {1, 4, 7, 25, 100};
    FILE *file = make_open(
        folder, "validators",
        "Validator sets as they are hashed (docs/protocol/bytes.md 5): u16 n, then consensus key, "
        "node key, account, u16 1; and the order in which they lead after a genesis block of this "
        "hash.  `bad` sets are refused.");
    uint8_t genesis[32];
    uint8_t hash[32];

    memset(genesis, 0x5a, sizeof genesis);
    make_list(file, "vectors");
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        static struct validator_set set;
        static struct leader_order order;

        set_make(&set, counts[i]);
        validators_hash(&set, hash);
        validators_order(&set, genesis, &order);
        make_object(file);
        make_u64(file, "n", counts[i]);
        make_hex(file, "set", set_bytes(&set));
        make_hex(file, "valset_hash", bytes_of(hash, 32));
        make_hex(file, "genesis_block_hash", bytes_of(genesis, 32));
        make_numbers(file, "order", order.order, order.count);
        make_object_end(file);
    }
    make_list_end(file);
    make_list(file, "bad");
    write_all_bad(file);
    make_list_end(file);
    make_close(file);
}

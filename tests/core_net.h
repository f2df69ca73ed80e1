/*
 * tests/core_net.h -- a few consensus cores that pass messages directly: virtual time, instant disks, no driver.
 *
 * For the unit tests of consensus/.  The heavy random testing is the simulator's; here a test sees each message
 * and may drop it, forge one, or stop a node.  Signatures are real.
 */
#ifndef TESTS_CORE_NET_H
#define TESTS_CORE_NET_H

#include "base/arena.h"
#include "consensus/sx.h"
#include "consensus/verify.h"
#include "proto/wire.h"

enum {
    NET_NODES_MAX = 7,
    NET_BLOCKS_MAX = 4096,
    NET_RECORDS_MAX = 16384,
    NET_QUEUE_MAX = 65536,
    NET_DELAY_MS = 5,
    NET_DELTA_MS = 100,
    NET_BODIES = 16, /* places for bodies above the final block */
};

struct net_block {
    uint8_t hash[HASH_BYTES];
    struct block_header header;
    uint32_t held;    /* bit of each node that has its body */
    uint32_t durable; /* bit of each node whose vote log has its body */
    bool invalid;     /* execution refuses it */
};

struct net_record {
    uint64_t seq;
    struct bytes bytes;
};

struct net_node {
    bool up;
    struct arena arena;
    struct sx *sx;
    uint64_t deadline_ms;
    /* The host's memory and disk. */
    uint32_t pending; /* transactions that are not final yet; one is put into each block */
    bool tip_known;
    uint8_t tip[HASH_BYTES];
    bool slow_disk; /* RECORDED comes when the test says so */
    uint64_t recorded_seq;
    bool signer_refuses;
    struct candidate final;
    struct block_header final_header;
    uint8_t certificate[CERTIFICATE_BYTES_MAX];
    size_t certificate_bytes;
    struct net_record *records;
    uint32_t record_count;
    uint64_t freed_seq;
    /* What was seen. */
    uint64_t sent; /* messages but STATUS */
    uint64_t last_sent_ms;
    uint64_t finals;       /* blocks */
    enum sx_report report; /* the last one */
    uint32_t evidence_count;
    struct vote evidence[2];
    uint32_t proposals; /* different ones sent by this node */
    uint8_t last_proposal[HASH_BYTES];
};

struct net;

/* What a test may do with a message on its way: false drops it. */
typedef bool (*net_filter)(struct net *net, uint32_t from, uint32_t to, struct bytes message);

struct net {
    uint32_t n;
    uint64_t now_ms;
    uint64_t wall_ms;
    struct validator_set set;
    struct leader_order order;
    uint8_t secrets[NET_NODES_MAX][32];
    uint8_t chain_id[HASH_BYTES];
    uint8_t genesis_hash[HASH_BYTES];
    struct block_header genesis;
    struct sx_params params;
    struct net_node nodes[NET_NODES_MAX];
    struct net_block *blocks;
    uint32_t block_count;
    struct net_item *items;
    uint32_t item_count;
    uint64_t next_item;
    uint8_t finals[NET_BLOCKS_MAX][HASH_BYTES]; /* by height: what the first node committed there */
    net_filter filter;
    void *context;       /* the filter's */
    uint32_t sent_final; /* FINALIZE certificates sent by all */
    uint32_t delivered;  /* messages accepted by verify */
    uint32_t refused;    /* and refused */
    uint32_t unwanted;
};

/* Make n members with test keys; nodes are down until net_up.  `net` is zeroed, or was open before. */
void net_open(struct net *net, uint32_t n);
void net_close(struct net *net);

/* Start a node, or start it again from what its disk holds; sessions with all that are up open at once. */
void net_up(struct net *net, uint32_t node);
void net_up_all(struct net *net);
/* Power cut: what was not recorded is gone. */
void net_down(struct net *net, uint32_t node);
/* Throw the vote log away: the node is told so. */
void net_lose_log(struct net *net, uint32_t node);

/* A transaction that every node, or one node, wants in a block. */
void net_work(struct net *net, uint32_t node);
void net_work_all(struct net *net);

/* Let virtual time pass. */
void net_run(struct net *net, uint64_t milliseconds);
/* Until all up nodes have this final height, for at most that long; false if they do not. */
bool net_run_until(struct net *net, uint64_t height, uint64_t milliseconds);
/* All records so far of a node with a slow disk are durable now. */
void net_sync(struct net *net, uint32_t node);

struct sx_summary net_summary(const struct net *net, uint32_t node);
/* The member that leads this view. */
uint32_t net_leader(const struct net *net, uint64_t view);

/* Signed by this member's key, whatever it says. */
struct vote net_vote(const struct net *net, uint32_t member, enum vote_kind kind,
                     struct candidate candidate);
/* Signed by the q lowest members of `members` (bits); `memory` of CERTIFICATE_BYTES_MAX. */
struct certificate net_certificate(const struct net *net, enum vote_kind kind,
                                   struct candidate candidate, uint32_t members, uint8_t *memory);
/* A block on this parent, held by nobody. */
struct net_block *net_block(struct net *net, const struct block_header *parent, uint64_t view,
                            uint64_t salt);
/* The block of this header, made known to all hosts. */
struct net_block *net_block_put(struct net *net, const struct block_header *header);
struct candidate net_candidate(uint64_t view, uint64_t parent_view, const uint8_t *hash);

/* Give a node a message as if `from` had sent it; it is verified like any other. */
void net_give_vote(struct net *net, uint32_t from, uint32_t to, const struct vote *vote);
void net_give_certificate(struct net *net, uint32_t from, uint32_t to,
                          const struct certificate *certificate);
void net_give_proposal(struct net *net, uint32_t from, uint32_t to, struct candidate candidate,
                       const struct certificate *justification, uint32_t count);

/* A NEW proposal whose header may be of any view. */
void net_give_proposal_with(struct net *net, uint32_t from, uint32_t to, struct candidate candidate,
                            const struct block_header *header);
void net_give_get(struct net *net, uint32_t from, uint32_t to, const struct wire_get_certs *get);
/* Sessions of all up nodes with a member that only the test plays open, or close. */
void net_play(struct net *net, uint32_t member, bool played);
/* The host of a node has fetched this block. */
void net_give_body(struct net *net, uint32_t node, const uint8_t *hash);

/* Does the record of a node hold a record of this type and view? */
bool net_recorded(const struct net *net, uint32_t node, uint8_t type, uint64_t view);
const struct net_block *net_find_block(const struct net *net, const uint8_t *hash);

#endif /* TESTS_CORE_NET_H */

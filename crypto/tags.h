/*
 * crypto/tags.h -- the register of hash purposes.  Append-only: a name is never changed or used again.
 *
 * Each is a BLAKE2b personalisation of 16 bytes, "artel.<word>" and zeros.  What is hashed under a tag
 * stands in docs/protocol/bytes.md 2.
 */
#ifndef CRYPTO_TAGS_H
#define CRYPTO_TAGS_H

#define TAGS(X)                                                                                    \
    X(GENESIS, "artel.genesis") /* genesis.bin: the chain id */                                    \
    X(BLOCK, "artel.block")     /* header, 344 bytes */                                            \
    X(MLEAF, "artel.mleaf")     /* item of txs_root or receipts_root */                            \
    X(MNODE, "artel.mnode")                                                                        \
    X(HLEAF, "artel.hleaf") /* be64 height, block hash: leaf of history_root */                    \
    X(HNODE, "artel.hnode")                                                                        \
    X(VALSET, "artel.valset")   /* u16 n, members */                                               \
    X(PARAMS, "artel.params")   /* canonical Parameters */                                         \
    X(ORDER, "artel.order")     /* genesis block hash, be64 i: the leader order's numbers */       \
    X(TX, "artel.tx")           /* TxBody: what is signed */                                       \
    X(TXWIRE, "artel.txwire")   /* whole Tx */                                                     \
    X(KEY, "artel.key")         /* full state key */                                               \
    X(VAL, "artel.val")         /* row */                                                          \
    X(LEAF, "artel.leaf")       /* key hash, value hash */                                         \
    X(NODE, "artel.node")       /* left, right */                                                  \
    X(WAL, "artel.wal")         /* previous MAC, record: the vote log's chain */                   \
    X(VOTE, "artel.vote")       /* statement with its kind zeroed: the signer's digest */          \
    X(ACCOUNT, "artel.account") /* canonical AccountCreate: the account id */                      \
    X(ALIAS, "artel.alias")     /* salt 32, name */                                                \
    X(PUBKEY, "artel.pubkey")   /* public key 33 */                                                \
    X(PROFILE, "artel.profile") /* salt 32, profile */                                             \
    X(REASON, "artel.reason")   /* salt 32, text */                                                \
    X(REF, "artel.ref")         /* account 32, ref 32 */                                           \
    X(ACTION, "artel.action")   /* u16 module, u8 action, payload */                               \
    X(KEYFILE, "artel.keyfile") /* public key: the name of a key file */

enum tag {
#define TAG_ENUMERATOR(name, text) TAG_##name,
    TAGS(TAG_ENUMERATOR)
#undef TAG_ENUMERATOR
        TAG_COUNT
};

#endif /* CRYPTO_TAGS_H */

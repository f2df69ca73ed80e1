/*
 * The tree of blocks above the final one (8.5), the tip (8.6), and commits (C-7).
 *
 * A block is known by its hash first; header and body follow with its proposal or by a fetch, and it is
 * executed when its parent was.  Only blocks that a certificate or the current proposal names, and their
 * ancestors, are wanted.
 */
#include "consensus/core.h"

#include <string.h>

#include "crypto/hash.h"

static uint16_t *bucket_of(const struct sx *sx, const uint8_t *hash)
{
    return &sx->buckets[((uint32_t)hash[0] << 8 | hash[1]) % BUCKETS];
}

uint16_t block_find(const struct sx *sx, const uint8_t *hash)
{
    uint16_t place;

    if (hash_equal(hash, sx->final.block_hash)) {
        return BLOCK_FINAL;
    }
    for (place = *bucket_of(sx, hash); place != 0; place = sx->blocks[place].next) {
        if (hash_equal(sx->blocks[place].hash, hash)) {
            return place;
        }
    }
    return BLOCK_NONE;
}

static void block_unlink(struct sx *sx, uint16_t place)
{
    struct block *block = &sx->blocks[place];
    uint16_t *at = &sx->blocks[block->parent].child;

    if (!block->linked) {
        return;
    }
    while (*at != place) {
        INVARIANT(*at != 0);
        at = &sx->blocks[*at].sibling;
    }
    *at = block->sibling;
    block->sibling = 0;
    block->linked = false;
}

static void block_remove(struct sx *sx, uint16_t place)
{
    struct block *block = &sx->blocks[place];
    uint16_t *at = bucket_of(sx, block->hash);
    const bool queued = block->queued;

    INVARIANT(place != BLOCK_FINAL && block->used);
    block_unlink(sx, place);
    while (block->child != 0) {
        block_unlink(sx, block->child);
    }
    while (*at != place) {
        INVARIANT(*at != 0);
        at = &sx->blocks[*at].next;
    }
    *at = block->next;
    memset(block, 0, sizeof *block);
    block->queued = queued;
    block->next = sx->block_free;
    sx->block_free = place;
    INVARIANT(sx->block_count > 0);
    sx->block_count -= 1;
}

static void block_mark(const struct sx *sx, const uint8_t *hash, bool *needed)
{
    uint16_t place = block_find(sx, hash);

    while (place != BLOCK_NONE && place != BLOCK_FINAL && !needed[place]) {
        needed[place] = true;
        place = sx->blocks[place].linked ? sx->blocks[place].parent : BLOCK_NONE;
    }
}

/*
 * All places are taken: give up the oldest block that no certificate and no open proposal stands on.  One
 * that we notarized stays while its view is not nullified: others may need it from us.
 */
static bool block_recycle(struct sx *sx)
{
    bool needed[BLOCKS] = {false};
    uint16_t oldest = BLOCK_NONE;

    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct view *view = &sx->slots[i];
        const struct certificate *certificate;

        if (view->view == 0) {
            continue;
        }
        certificate = cert_notarized(sx, view->view);
        if (certificate != NULL) {
            block_mark(sx, certificate->statement.candidate.block_hash, needed);
        }
        if (view->mine.notarized && !view->certs[VOTE_NULLIFY - 1].held) {
            block_mark(sx, view->mine.candidate.block_hash, needed);
        }
        if (view->has_prop && view->view >= sx->cur) {
            block_mark(sx, view->prop.block_hash, needed);
        }
    }
    for (uint16_t place = 1; place <= sx->block_top; place++) {
        const struct block *block = &sx->blocks[place];

        if (block->used && !needed[place] && block->child == 0 && !block->executing &&
            (oldest == BLOCK_NONE || block->header.view < sx->blocks[oldest].header.view)) {
            oldest = place;
        }
    }
    if (oldest == BLOCK_NONE) {
        return false;
    }
    block_remove(sx, oldest);
    return true;
}

/* Is there a place for one more block?  Reports it if not. */
bool block_room(struct sx *sx)
{
    if (sx->block_count < sx->bodies_max || block_recycle(sx)) {
        return true;
    }
    out_report(sx, SX_REPORT_BODIES_FULL, sx->cur);
    return false;
}

uint16_t block_add(struct sx *sx, const uint8_t *hash)
{
    uint16_t place = block_find(sx, hash);
    struct block *block;
    uint16_t *bucket;

    if (place != BLOCK_NONE) {
        return place;
    }
    if (!block_room(sx)) {
        return BLOCK_NONE;
    }
    if (sx->block_free != 0) {
        place = sx->block_free;
        sx->block_free = sx->blocks[place].next;
    } else {
        sx->block_top += 1;
        place = sx->block_top;
    }
    INVARIANT(place < BLOCKS);
    block = &sx->blocks[place];
    bucket = bucket_of(sx, hash);
    block->used = true;
    block->next = *bucket;
    block->holder = VALIDATOR_NONE;
    memcpy(block->hash, hash, HASH_BYTES);
    *bucket = place;
    sx->block_count += 1;
    return place;
}

void block_header_put(struct sx *sx, uint16_t place, const struct block_header *header)
{
    struct block *block = &sx->blocks[place];

    if (place != BLOCK_FINAL && !block->has_header) {
        block->header = *header;
        block->has_header = true;
    }
}

void block_want(struct sx *sx, uint16_t place, uint16_t holder)
{
    struct block *block = &sx->blocks[place];

    if (place == BLOCK_FINAL || place == BLOCK_NONE) {
        return;
    }
    if (block->holder == VALIDATOR_NONE) {
        block->holder = holder;
    }
    if (!block->wanted) {
        block->wanted = true;
        event_block(sx, place);
    }
}

/* How many blocks lie above the final one up to this one; more than any limit if unknown. */
uint64_t block_depth(const struct sx *sx, uint16_t place)
{
    const uint64_t final_height = sx->blocks[BLOCK_FINAL].header.height;
    const struct block *block = &sx->blocks[place];

    if (place == BLOCK_FINAL) {
        return 0;
    }
    if (!block->has_header || block->header.height <= final_height) {
        return NEVER;
    }
    return block->header.height - final_height;
}

/* Find the parent and take a place among its children.  False: there is none to wait for. */
static bool block_link(struct sx *sx, uint16_t place)
{
    struct block *block = &sx->blocks[place];
    const uint64_t depth = block_depth(sx, place);
    uint16_t parent;

    INVARIANT(block->has_header && !block->linked);
    if (depth == NEVER) {
        block->verdict = BLOCK_EXCLUDED;
        return false;
    }
    parent = block_find(sx, block->header.parent_hash);
    if ((depth == 1) != (parent == BLOCK_FINAL)) {
        block->verdict = BLOCK_EXCLUDED;
        return false;
    }
    if (parent == BLOCK_NONE && depth > SX_COMMITS_MAX) {
        return false; /* far ahead: sync brings what is between (8.18) */
    }
    if (parent == BLOCK_NONE) {
        parent = block_add(sx, block->header.parent_hash);
    }
    if (parent == BLOCK_NONE || parent == place) {
        return false;
    }
    block->parent = parent;
    block->sibling = sx->blocks[parent].child;
    sx->blocks[parent].child = place;
    block->linked = true;
    return true;
}

/* False when it is full: only after places changed hands in one step; the block's event comes again. */
static bool queue_push(uint16_t *queue, uint32_t first, uint32_t *count, uint16_t place)
{
    INVARIANT(place > BLOCK_FINAL && place < BLOCKS);
    if (*count == BLOCKS) {
        return false;
    }
    queue[(first + *count) % BLOCKS] = place;
    *count += 1;
    return true;
}

static void block_execute(struct sx *sx, uint16_t place)
{
    struct block *block = &sx->blocks[place];
    const struct block *parent = &sx->blocks[block->parent];

    if (parent->verdict == BLOCK_INVALID || parent->verdict == BLOCK_EXCLUDED) {
        block->verdict = BLOCK_EXCLUDED;
        return;
    }
    if (parent->verdict != BLOCK_VALID || block->executing) {
        return;
    }
    if (block->header.height != parent->header.height + 1) {
        block_judged(sx, place, BLOCK_INVALID);
        return;
    }
    block->executing = queue_push(sx->executes, sx->execute_first, &sx->execute_count, place);
}

/* Event: something about this block has changed. */
void block_changed(struct sx *sx, uint16_t place)
{
    struct block *block = &sx->blocks[place];

    if (!block->used || !block->wanted || block->verdict != BLOCK_UNJUDGED) {
        return;
    }
    sx->dirty = true;
    if (!block->body) {
        if (!block->fetching) {
            block->fetching = queue_push(sx->fetches, sx->fetch_first, &sx->fetch_count, place);
        }
        return;
    }
    if (!block->linked && !block_link(sx, place)) {
        return;
    }
    block_want(sx, block->parent, block->holder);
    block_execute(sx, place);
}

/* Views whose notarized block this is may now be finalized. */
static void block_views(struct sx *sx, const struct block *block)
{
    uint64_t view = block->header.view;

    if (view <= sx->final.view) {
        view = sx->final.view + 1;
    }
    if (view + VIEWS_OPEN < sx->cur) {
        view = sx->cur - VIEWS_OPEN;
    }
    for (; view < sx->cur; view++) {
        const struct certificate *certificate = cert_notarized(sx, view);

        if (certificate != NULL &&
            hash_equal(certificate->statement.candidate.block_hash, block->hash)) {
            event_view(sx, slot_find(sx, view));
        }
    }
}

void block_judged(struct sx *sx, uint16_t place, enum block_verdict verdict)
{
    struct block *block = &sx->blocks[place];

    INVARIANT(place != BLOCK_FINAL && block->used);
    block->executing = false;
    block->verdict = verdict;
    sx->dirty = true;
    for (uint16_t child = block->child; child != 0; child = sx->blocks[child].sibling) {
        event_block(sx, child);
    }
    block_views(sx, block);
}

/* The host built this block on an executed parent: it counts as executed, and its body as held. */
void block_built(struct sx *sx, uint16_t place)
{
    struct block *block = &sx->blocks[place];

    INVARIANT(place != BLOCK_FINAL && block->has_header);
    block->body = true;
    block->wanted = true;
    if (block->verdict == BLOCK_UNJUDGED && (block->linked || block_link(sx, place))) {
        INVARIANT(sx->blocks[block->parent].verdict == BLOCK_VALID);
        block_judged(sx, place, BLOCK_VALID);
    }
}

/* The blocks from this one down to the final one, newest first; false if one is not linked yet. */
bool block_path(const struct sx *sx, uint16_t place, uint16_t *path, uint32_t *count)
{
    *count = 0;
    while (place != BLOCK_FINAL) {
        if (place == BLOCK_NONE || !sx->blocks[place].linked || *count == PATH_MAX_BLOCKS) {
            return false;
        }
        path[*count] = place;
        *count += 1;
        place = sx->blocks[place].parent;
    }
    return true;
}

/* The tip. */

void tip_walk(struct sx *sx, uint64_t from)
{
    uint64_t view = from;

    INVARIANT(from < sx->cur);
    while (view > sx->final.view) {
        sx->tip_at = view;
        sx->tip_known =
            slot_certified(sx, view, VOTE_NOTARIZE) || slot_certified(sx, view, VOTE_FINALIZE);
        if (sx->tip_known || !slot_certified(sx, view, VOTE_NULLIFY)) {
            return;
        }
        view -= 1;
    }
    sx->tip_at = sx->final.view;
    sx->tip_known = true;
}

/* A certificate of a view below cur has come: does the tip change? */
void tip_certified(struct sx *sx, uint64_t view, enum vote_kind kind)
{
    if (kind != VOTE_NULLIFY && (view > sx->tip_at || (!sx->tip_known && view == sx->tip_at))) {
        sx->tip_at = view;
        sx->tip_known = true;
    } else if (kind == VOTE_NULLIFY && !sx->tip_known && view == sx->tip_at) {
        tip_walk(sx, view);
    }
}

bool tip_candidate(const struct sx *sx, struct candidate *out)
{
    const struct certificate *certificate;

    if (!sx->tip_known) {
        return false;
    }
    if (sx->tip_at == sx->final.view) {
        *out = sx->final;
        return true;
    }
    certificate = cert_notarized(sx, sx->tip_at);
    if (certificate == NULL) {
        return false;
    }
    *out = certificate->statement.candidate;
    return true;
}

/* The tip's block, or BLOCK_NONE. */
uint16_t tip_block(const struct sx *sx)
{
    struct candidate tip;

    return tip_candidate(sx, &tip) ? block_find(sx, tip.block_hash) : BLOCK_NONE;
}

/* C-7. */

/* For evidence (8.15): how each view without a FINALIZE certificate was left, the newest first. */
static void commit_keep(struct sx *sx, uint64_t view)
{
    sx->keep_count = 0;
    for (uint64_t back = 1; back < SX_KEEPS_MAX && view - back > sx->final.view; back++) {
        for (uint32_t k = VOTE_NOTARIZE; k <= VOTE_NULLIFY; k++) {
            const struct certificate *certificate = cert_find(sx, view - back, (enum vote_kind)k);

            if (certificate != NULL && sx->keep_count < SX_KEEPS_MAX &&
                cert_find(sx, view - back, VOTE_FINALIZE) == NULL) {
                sx->keeps[sx->keep_count] = certificate;
                sx->keep_count += 1;
            }
        }
    }
}

static const struct certificate *commit_certificate(const struct sx *sx)
{
    return MUTANT_IS(71) ? cert_notarized(sx, sx->top_final)
                         : cert_find(sx, sx->top_final, VOTE_FINALIZE);
}

/* A final block that cannot be: execution here or another branch says otherwise.  The node stops. */
static bool commit_refused(struct sx *sx, uint16_t place)
{
    const enum block_verdict verdict = sx->blocks[place].verdict;

    if (verdict == BLOCK_UNJUDGED || verdict == BLOCK_VALID) {
        return false;
    }
    for (uint32_t steps = 0; steps < BLOCKS && place != BLOCK_FINAL; steps++) {
        if (sx->blocks[place].verdict == BLOCK_INVALID) {
            sx_stop(sx, SX_REPORT_DIVERGED, sx->top_final);
            return true;
        }
        place = sx->blocks[place].linked ? sx->blocks[place].parent : BLOCK_FINAL;
    }
    sx_stop(sx, SX_REPORT_CONFLICT, sx->top_final);
    return true;
}

/* Commit the highest finalized candidate when its chain is here and executed. */
void commit_try(struct sx *sx)
{
    uint16_t path[PATH_MAX_BLOCKS];
    uint32_t count;
    const struct certificate *certificate;
    uint16_t place;

    if (sx->stopped || sx->committing || sx->top_final == 0) {
        return;
    }
    certificate = commit_certificate(sx);
    if (certificate == NULL) {
        return;
    }
    place = block_find(sx, certificate->statement.candidate.block_hash);
    if (place != BLOCK_NONE && commit_refused(sx, place)) {
        return;
    }
    if (!block_path(sx, place, path, &count) || sx->blocks[place].verdict != BLOCK_VALID) {
        return;
    }
    if (MUTANT_IS(72) && count > 1) {
        count = 1;
    }
    INVARIANT(count <= SX_COMMITS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const struct block *block = &sx->blocks[path[count - 1 - i]];

        INVARIANT(block->verdict == BLOCK_VALID);
        sx->commits[i] = block->hash;
    }
    commit_keep(sx, sx->top_final);
    sx->commit_count = count;
    sx->commit_final = certificate->statement.candidate;
    sx->commit_certificate = certificate;
    sx->commit_wanted = true;
    sx->committing = true;
    sx->commit_view = sx->top_final;
}

/*
 * Does this block stay when the final block moves to the one at `base`, of this height and view (BLOCK_NONE: it
 * is not known here, sync brought it)?  What stands on it stays, and what may turn out to.
 */
static bool block_stays(const struct sx *sx, uint16_t place, uint16_t base,
                        const struct candidate *final, uint64_t height)
{
    const struct block *block = &sx->blocks[place];

    if (!block->has_header || block->verdict == BLOCK_EXCLUDED || place == base ||
        block->header.height <= height || block->header.view <= final->view) {
        return false;
    }
    for (uint32_t steps = 0; steps < BLOCKS; steps++) {
        block = &sx->blocks[place];
        if (place == base || hash_equal(block->header.parent_hash, final->block_hash)) {
            return true;
        }
        if (!block->linked) {
            return true;
        }
        if (block->parent == BLOCK_FINAL) {
            return false;
        }
        place = block->parent;
    }
    return false;
}

static void block_final_put(struct sx *sx, const struct candidate *final,
                            const struct block_header *header)
{
    struct block *block = &sx->blocks[BLOCK_FINAL];

    block->header = *header;
    block->has_header = true;
    block->body = true;
    block->used = true;
    block->verdict = BLOCK_VALID;
    memcpy(block->hash, final->block_hash, HASH_BYTES);
    sx->final = *final;
}

/* The core begins with this final block. */
void block_start(struct sx *sx, const struct candidate *final, const struct block_header *header)
{
    INVARIANT(sx->block_count == 0 && sx->phase == PHASE_RESTORING);
    block_final_put(sx, final, header);
}

/* The final block moves up: what stands on it stays, all else goes. */
void block_final_set(struct sx *sx, const struct candidate *final,
                     const struct block_header *header)
{
    const uint16_t base = block_find(sx, final->block_hash);
    bool stays[BLOCKS] = {false};

    if (base == BLOCK_FINAL) {
        sx->final = *final; /* a REPEAT of it */
        return;
    }
    for (uint16_t place = 1; place <= sx->block_top; place++) {
        stays[place] =
            sx->blocks[place].used && block_stays(sx, place, base, final, header->height);
    }
    for (uint16_t place = 1; place <= sx->block_top; place++) {
        if (sx->blocks[place].used && !stays[place]) {
            block_remove(sx, place);
        }
    }
    INVARIANT(sx->blocks[BLOCK_FINAL].child == 0);
    block_final_put(sx, final, header);
    for (uint16_t place = 1; place <= sx->block_top; place++) {
        struct block *block = &sx->blocks[place];

        if (!block->used) {
            continue;
        }
        if (!block->linked && block->body) {
            (void)block_link(sx, place);
        }
        event_block(sx, place);
    }
}

/* The views above the new final one name blocks that may have been dropped, or be near enough now. */
static void commit_views(struct sx *sx)
{
    uint64_t view = sx->final.view + 1;

    if (view + VIEWS_OPEN < sx->cur) {
        view = sx->cur - VIEWS_OPEN;
    }
    for (; view < sx->cur; view++) {
        if (cert_notarized(sx, view) != NULL) {
            event_view(sx, slot_find(sx, view));
        }
    }
}

/* C-7 (2): a batch with this final block is durable. */
void commit_done(struct sx *sx, const struct sx_event *event)
{
    const struct candidate *final = &event->committed.final;
    const uint64_t old_final = sx->final.view;
    const uint64_t previous = sx->cur;

    INVARIANT(event->committed.next == NULL);
    if (sx->committing && sx->commit_view <= final->view) {
        sx->committing = false;
    }
    if (final->epoch != sx->epoch || final->view <= old_final) {
        return;
    }
    cert_final_put(sx, event->committed.certificate);
    block_final_set(sx, final, &event->committed.header);
    if (sx->cur <= final->view) {
        sx->cur = final->view + 1;
    }
    slot_drop(sx, old_final);
    if (sx->top_final <= final->view) {
        sx->top_final = 0;
    }
    sx->final_ms = sx->now;
    sx->progress_ms = sx->now;
    sx->dirty = true;
    if (sx->cur != previous) {
        view_entered(sx, previous);
    } else if (sx->tip_at <= final->view) {
        sx->tip_at = final->view;
        sx->tip_known = true;
    }
    commit_views(sx);
    record_epoch_put(sx);
    record_free(sx);
}

void block_check(const struct sx *sx)
{
    uint32_t used = 0;

    INVARIANT(sx->blocks[BLOCK_FINAL].verdict == BLOCK_VALID);
    for (uint16_t place = 1; place <= sx->block_top; place++) {
        const struct block *block = &sx->blocks[place];

        if (block->used) {
            used += 1;
            INVARIANT(block_find(sx, block->hash) == place);
            INVARIANT(!block->linked || block->has_header);
            INVARIANT(block->verdict != BLOCK_VALID || (block->body && block->linked));
        }
    }
    INVARIANT(used == sx->block_count && used <= SX_BLOCKS_MAX);
}

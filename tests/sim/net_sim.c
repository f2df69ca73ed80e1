/*
 * The network: packets, links with delay and loss, sessions that open and close, rules of a scenario.
 *
 * A session is what p2p gives: both sides see it open and close, frames arrive only within it.  Unlike TCP a
 * link may lose, repeat and reorder messages; what the protocol bears here it bears there.  Pings are not
 * packets: every two seconds a node that did not send is heard all the same, if the link is not cut.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

enum { SILENCE_US = 15 * US_PER_S, PING_US = 2 * US_PER_S };

/* ---- packets ---- */

static const uint32_t class_bytes[] = {320, 1024, 4096, 20480, 81920, 1100000};
enum { CLASS_COUNT = sizeof class_bytes / sizeof class_bytes[0] };

static struct packet *spare_packets[CLASS_COUNT];

struct packet *packet_make(struct sim *sim, struct bytes head, struct bytes body)
{
    const size_t count = head.count + body.count;
    struct packet *packet;
    uint32_t class = 0;

    while (class + 1 < CLASS_COUNT && class_bytes[class] < count) {
        class += 1;
    }
    INVARIANT(count <= class_bytes[class]);
    packet = spare_packets[class];
    if (packet == NULL) {
        packet = malloc(sizeof *packet + class_bytes[class]);
        INVARIANT(packet != NULL);
    } else {
        spare_packets[class] = packet->next;
    }
    packet->next = NULL;
    packet->holders = 1;
    packet->size_class = class;
    packet->count = (uint32_t)count;
    if (head.count != 0) {
        memcpy(packet->bytes, head.at, head.count);
    }
    if (body.count != 0) {
        memcpy(packet->bytes + head.count, body.at, body.count);
    }
    packet->digest = digest_of(packet_bytes(packet), 2);
    words_read(packet_bytes(packet), sim->n, &packet->words);
    return packet;
}

void packet_drop(struct packet *packet)
{
    INVARIANT(packet->holders != 0);
    packet->holders -= 1;
    if (packet->holders == 0) {
        packet->next = spare_packets[packet->size_class];
        spare_packets[packet->size_class] = packet;
    }
}

/* ---- links ---- */

/* -log2 of a uniform draw, in 1/65536: whole bits exactly, between them on a straight line. */
uint64_t sim_exponential(struct random *random, uint64_t mean)
{
    const uint64_t draw = random_next(random) | 1;
    const uint32_t zeros = (uint32_t)__builtin_clzll(draw);
    const uint64_t mantissa = zeros == 63 ? 0 : (draw << (zeros + 1)) >> 48;
    const uint64_t bits = ((uint64_t)zeros + 1) * 65536 - mantissa;

    /* The mean of -log2 of a uniform draw is 1 / ln 2, plus 0.0573 for the straight lines: 98,304 parts. */
    return mean * bits / 98304;
}

static uint32_t low(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t high(uint32_t a, uint32_t b)
{
    return a < b ? b : a;
}

static bool draw_ppm(struct random *random, uint32_t ppm)
{
    return ppm != 0 && random_below(random, 1000000) < ppm;
}

uint64_t net_delay_us(struct sim *sim, uint32_t from, uint32_t to)
{
    struct random *random = sim_random(sim, STREAM_NETWORK);
    uint64_t delay;

    if (sim->links[from][to].fixed_us != SIM_NEVER) {
        return sim->links[from][to].fixed_us;
    }
    delay = sim->net.least_us;
    if (sim->net.mean_us != 0) {
        delay += sim_exponential(random, sim->net.mean_us);
    }
    if (draw_ppm(random, sim->net.slow_ppm)) {
        delay *= 20;
    }
    return delay;
}

bool net_reach(const struct sim *sim, uint32_t from, uint32_t to)
{
    return (sim->cut[from] >> to & 1) == 0;
}

static void deliver_at(struct sim *sim, uint32_t from, uint32_t to, struct packet *packet,
                       uint64_t at_us)
{
    packet->holders += 1;
    sim_push(sim, &(struct event){.kind = EVENT_PACKET,
                                  .node = (uint8_t)to,
                                  .other = (uint8_t)from,
                                  .at_us = at_us,
                                  .life = UINT32_MAX,
                                  .number = sim->session[low(from, to)][high(from, to)],
                                  .packet = packet});
}

void net_deliver_later(struct sim *sim, uint32_t from, uint32_t to, struct packet *packet,
                       uint64_t delay_us)
{
    deliver_at(sim, from, to, packet, sim->now_us + delay_us);
}

/* ---- rules ---- */

static bool rule_fits(const struct rule *rule, const struct sim_message *message)
{
    const struct sim_rule *of = &rule->rule;

    return rule->used && (of->from == 0 || (of->from >> message->from & 1) != 0) &&
           (of->to == 0 || (of->to >> message->to & 1) != 0) &&
           (of->what == 0 || (of->what & (uint32_t)message->what) != 0) &&
           (of->view == 0 || of->view == message->view) &&
           (of->block == NULL ||
            (message->block != NULL && memcmp(of->block, message->block, HASH_BYTES) == 0)) &&
           (of->count == 0 || rule->hits < of->count) &&
           (of->fits == NULL || of->fits(of->context, message));
}

static void rule_hold(struct rule *rule, uint32_t from, uint32_t to, struct packet *packet)
{
    struct packet *copy = malloc(sizeof *copy);

    INVARIANT(copy != NULL);
    copy->next = NULL;
    copy->from = from;
    copy->to = to;
    packet->holders += 1;
    copy->held = packet;
    *rule->held_end = copy;
    rule->held_end = &copy->next;
}

static void rule_release(struct sim *sim, struct rule *rule, bool deliver)
{
    while (rule->held != NULL) {
        struct packet *held = rule->held;

        rule->held = held->next;
        if (deliver) {
            deliver_at(sim, held->from, held->to, held->held, sim->now_us);
        }
        packet_drop(held->held);
        free(held);
    }
    rule->held_end = &rule->held;
}

/* True when a rule has settled what becomes of it; `more_us` is added to its delay otherwise. */
static bool rules_apply(struct node *from, uint32_t to, struct packet *packet, uint64_t *more_us)
{
    struct sim *sim = from->sim;
    const struct sim_message message = {.from = from->number,
                                        .to = to,
                                        .what = packet->words.what,
                                        .view = packet->words.view,
                                        .parent_view = packet->words.parent_view,
                                        .block = packet->words.block,
                                        .bytes = packet_bytes(packet)};

    for (uint32_t i = 0; i < sim->rule_count; i++) {
        struct rule *rule = &sim->rules[i];

        if (!rule_fits(rule, &message)) {
            continue;
        }
        rule->hits += 1;
        switch (rule->rule.fate) {
        case SIM_DROP:
            return true;
        case SIM_HOLD:
            rule_hold(rule, from->number, to, packet);
            return true;
        case SIM_DELAY:
            *more_us = rule->rule.ms * US_PER_MS;
            return false;
        case SIM_DUPLICATE:
            deliver_at(sim, from->number, to, packet,
                       sim->now_us + net_delay_us(sim, from->number, to) +
                           rule->rule.ms * US_PER_MS);
            return false;
        case SIM_CRASH_BEFORE:
            machine_crash(from, SIM_POWER);
            return true;
        case SIM_CRASH_AFTER:
            deliver_at(sim, from->number, to, packet,
                       sim->now_us + net_delay_us(sim, from->number, to));
            machine_crash(from, SIM_POWER);
            return true;
        }
    }
    return false;
}

uint32_t sim_rule(struct sim *sim, const struct sim_rule *rule)
{
    struct rule *made = &sim->rules[sim->rule_count];

    INVARIANT(sim->rule_count < SIM_RULES_MAX);
    *made = (struct rule){.rule = *rule, .used = true};
    made->held_end = &made->held;
    sim->rule_count += 1;
    return sim->rule_count - 1;
}

void sim_rule_remove(struct sim *sim, uint32_t rule)
{
    INVARIANT(rule < sim->rule_count);
    sim->rules[rule].used = false;
    rule_release(sim, &sim->rules[rule], true);
}

uint32_t sim_rule_hits(const struct sim *sim, uint32_t rule)
{
    return sim->rules[rule].hits;
}

/* ---- sending ---- */

void net_put(struct node *from, uint32_t to, struct packet *packet)
{
    struct sim *sim = from->sim;
    struct random *random = sim_random(sim, STREAM_NETWORK);
    struct link *link = &sim->links[from->number][to];
    uint64_t at_us = sim->now_us;
    uint64_t more_us = 0;

    if (!link->open || from->dying || !net_reach(sim, from->number, to)) {
        return;
    }
    link->sent_us = sim->now_us;
    from->sent_bytes += packet->count;
    if (sim->rule_count != 0 && rules_apply(from, to, packet, &more_us)) {
        return;
    }
    if (draw_ppm(random, sim->net.loss_ppm)) {
        return;
    }
    at_us += net_delay_us(sim, from->number, to) + more_us;
    if (at_us < link->clog_us) {
        at_us = link->clog_us + random_below(random, 1000);
    }
    deliver_at(sim, from->number, to, packet, at_us);
    if (draw_ppm(random, sim->net.duplicate_ppm)) {
        deliver_at(sim, from->number, to, packet, at_us + net_delay_us(sim, from->number, to));
    }
    if (draw_ppm(random, sim->net.replay_ppm)) {
        deliver_at(sim, from->number, to, packet, at_us + random_below(random, 10 * US_PER_S));
    }
}

void net_send(struct node *from, uint32_t to, struct packet *packet)
{
    const struct sim *sim = from->sim;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        const struct node *node = &sim->nodes[i];
        const bool full = node->validator == VALIDATOR_NONE;

        if (to == node->peer || (to == PEER_ALL && !full && node->peer != from->peer) ||
            (to == PEER_ALL_FULL_NODES && full && i != from->number)) {
            net_put(from, i, packet);
        }
    }
}

void net_packet_event(struct sim *sim, const struct event *event)
{
    struct node *node = &sim->nodes[event->node];
    struct link *link = &sim->links[event->node][event->other];

    if (!node->up || !link->open || sim->nodes[event->other].role == SIM_SILENT ||
        event->number !=
            sim->session[low(event->node, event->other)][high(event->node, event->other)]) {
        return;
    }
    link->heard_us = sim->now_us;
    if (link->told_us + US_PER_S <= sim->now_us) {
        link->told_us = sim->now_us;
        machine_session(node, sim->nodes[event->other].peer, SX_SESSION_HEARD);
        if (!node->up) {
            return;
        }
    }
    machine_deliver(node, event->other, event->packet);
}

/* ---- sessions ---- */

static void dial_later(struct sim *sim, uint32_t a, uint32_t b, uint64_t delay_us)
{
    struct link *link = &sim->links[low(a, b)][high(a, b)];

    if (link->dialling || a == b || sim->nodes[a].peer == sim->nodes[b].peer) {
        return;
    }
    link->dialling = true;
    sim_push(sim, &(struct event){.kind = EVENT_DIAL,
                                  .node = (uint8_t)low(a, b),
                                  .other = (uint8_t)high(a, b),
                                  .at_us = sim->now_us + delay_us,
                                  .life = UINT32_MAX});
}

/* Other sessions of a node to instances of the same peer (a twin's). */
static bool peer_open(const struct sim *sim, uint32_t node, uint32_t but)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (i != but && sim->nodes[i].peer == sim->nodes[but].peer && sim->links[node][i].open) {
            return true;
        }
    }
    return false;
}

static void side_open(struct sim *sim, uint32_t node, uint32_t to)
{
    struct link *link = &sim->links[node][to];

    link->open = true;
    link->heard_us = sim->now_us;
    link->told_us = sim->now_us;
    link->sent_us = sim->now_us;
    if (!peer_open(sim, node, to)) {
        machine_session(&sim->nodes[node], sim->nodes[to].peer, SX_SESSION_OPENED);
    }
}

static void side_close(struct sim *sim, uint32_t node, uint32_t to)
{
    if (!sim->links[node][to].open) {
        return;
    }
    sim->links[node][to].open = false;
    if (sim->nodes[node].up && !peer_open(sim, node, to)) {
        machine_session(&sim->nodes[node], sim->nodes[to].peer, SX_SESSION_CLOSED);
    }
}

void net_dial(struct sim *sim, uint32_t a, uint32_t b)
{
    const uint64_t again_us = sim->net.dial_us / 2 + random_below(sim_random(sim, STREAM_NETWORK),
                                                                  sim->net.dial_us / 2 + 1);

    sim->links[a][b].dialling = false;
    if (!sim->nodes[a].up || !sim->nodes[b].up) {
        return; /* the one that comes up dials */
    }
    if (sim->links[a][b].open && sim->links[b][a].open) {
        return;
    }
    if (!net_reach(sim, a, b) || !net_reach(sim, b, a)) {
        dial_later(sim, a, b, again_us);
        return;
    }
    /* One side may still take the old session for open: the new one replaces it. */
    side_close(sim, a, b);
    side_close(sim, b, a);
    if (!sim->nodes[a].up || !sim->nodes[b].up) {
        return;
    }
    sim->session[a][b] += 1;
    sim->links[a][b].open = true;
    sim->links[b][a].open = true;
    side_open(sim, a, b);
    if (sim->nodes[b].up && sim->nodes[a].up) {
        side_open(sim, b, a);
    }
}

void net_close_event(struct sim *sim, uint32_t a, uint32_t b)
{
    side_close(sim, a, b);
    dial_later(sim, a, b, sim->net.dial_us / 2);
}

void net_node_up(struct node *node)
{
    struct sim *sim = node->sim;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (i != node->number && sim->nodes[i].up) {
            uint64_t wait_us = 3 * net_delay_us(sim, node->number, i); /* handshake */

            if (sim->now_us != 0) {
                wait_us += random_below(sim_random(sim, STREAM_NETWORK), sim->net.dial_us / 2 + 1);
            }
            dial_later(sim, node->number, i, wait_us);
        }
    }
    sim_push(sim, &(struct event){.kind = EVENT_PING,
                                  .node = (uint8_t)node->number,
                                  .at_us = sim->now_us + PING_US,
                                  .life = node->life});
}

/* A process that ends has its sessions closed by the kernel; after a power cut the others wait in vain. */
void net_node_down(struct node *node, enum sim_crash how)
{
    struct sim *sim = node->sim;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        sim->links[node->number][i].open = false;
        if (how == SIM_KILL && sim->links[i][node->number].open) {
            sim_push(sim, &(struct event){
                              .kind = EVENT_CLOSE,
                              .node = (uint8_t)i,
                              .other = (uint8_t)node->number,
                              .number = sim->session[low(i, node->number)][high(i, node->number)],
                              .at_us = sim->now_us + net_delay_us(sim, node->number, i),
                              .life = sim->nodes[i].life});
        }
    }
}

void net_ping(struct node *node)
{
    struct sim *sim = node->sim;

    for (uint32_t i = 0; i < sim->node_count && node->up; i++) {
        struct link *here = &sim->links[node->number][i];
        struct link *there = &sim->links[i][node->number];

        if (!here->open) {
            continue;
        }
        if (here->heard_us + SILENCE_US <= sim->now_us) {
            net_close_event(sim, node->number, i);
            continue;
        }
        if (here->sent_us + PING_US <= sim->now_us + US_PER_MS && there->open && sim->nodes[i].up &&
            net_reach(sim, node->number, i) && sim->nodes[i].busy_until_us <= sim->now_us) {
            there->heard_us = sim->now_us;
            there->told_us = sim->now_us;
            machine_session(&sim->nodes[i], node->peer, SX_SESSION_HEARD);
        }
    }
    if (node->up) {
        sim_push(sim, &(struct event){.kind = EVENT_PING,
                                      .node = (uint8_t)node->number,
                                      .at_us = sim->now_us + PING_US,
                                      .life = node->life});
    }
}

void net_init(struct sim *sim)
{
    memset(sim->links, 0, sizeof sim->links);
    for (uint32_t i = 0; i < SIM_NODES_MAX; i++) {
        for (uint32_t k = 0; k < SIM_NODES_MAX; k++) {
            sim->links[i][k].fixed_us = SIM_NEVER;
        }
    }
}

void net_close(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->rule_count; i++) {
        rule_release(sim, &sim->rules[i], false);
    }
}

/* ---- what a scenario does to it ---- */

void sim_set_latency_ms(struct sim *sim, uint64_t ms)
{
    sim->net.least_us = ms * US_PER_MS;
    sim->net.mean_us = 0;
    for (uint32_t i = 0; i < SIM_NODES_MAX; i++) {
        for (uint32_t k = 0; k < SIM_NODES_MAX; k++) {
            sim->links[i][k].fixed_us = SIM_NEVER;
        }
    }
}

void sim_set_link_ms(struct sim *sim, uint32_t from, uint32_t to, uint64_t ms)
{
    sim->links[from][to].fixed_us = ms * US_PER_MS;
}

void sim_cut(struct sim *sim, uint32_t from_nodes, uint32_t to_nodes)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if ((from_nodes >> i & 1) != 0) {
            sim->cut[i] |= to_nodes & ~(UINT32_C(1) << i);
        }
    }
}

void sim_isolate(struct sim *sim, uint32_t nodes)
{
    sim_cut(sim, nodes, ~nodes);
    sim_cut(sim, ~nodes, nodes);
}

void sim_heal(struct sim *sim)
{
    memset(sim->cut, 0, sizeof sim->cut);
}

void sim_close_session(struct sim *sim, uint32_t a, uint32_t b)
{
    side_close(sim, a, b);
    side_close(sim, b, a);
    dial_later(sim, a, b, sim->net.dial_us / 2);
}

void sim_inject(struct sim *sim, uint32_t from, uint32_t to_nodes, struct bytes message)
{
    struct packet *packet = packet_make(sim, message, bytes_of(NULL, 0));

    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (i != from && (to_nodes >> i & 1) != 0) {
            net_deliver_later(sim, from, i, packet, net_delay_us(sim, from, i));
        }
    }
    packet_drop(packet);
}

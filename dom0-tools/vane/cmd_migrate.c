/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * migrate: a running domain to another host, or to another domain of this one. The hand-over decides who has it; this
 * starts one, shows how it gets on and tells what came of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arriving.h"
#include "ballooning.h"
#include "dom0-tools/migration/channel.h"
#include "json.h"
#include "lifecycle.h"
#include "making.h"
#include "system.h"

#define TELL_NS    250000000ull
#define WAIT_NS    1000000u
#define CONNECT_NS 10000000000ull
#define SETTLE_NS  100000000ull /* in which a kernel that has arrived sets its watches again */

struct migration {
    struct departure departure;
    struct handover_offer offer;
    struct channel *channel;
    const char *target;
    char *json;
    bool local, told;
    bool left, settled; /* by the command; by the hand-over. Who comes second frees it */
    uint64_t started_ns, told_ns, running_ns;
    domid_t arrived;
    unsigned int connected; /* devices of the source, before it went */
};

static void end_line(struct migration *migration)
{
    if (migration->told)
        terminal_write("\r\033[K", 4);
    migration->told = false;
}

static void show(void *own, const struct migration_progress *progress)
{
    struct migration *migration = own;
    char line[160], outlook[80] = "";

    if (migration->departure.vane->json || clock_ns() - migration->told_ns < TELL_NS)
        return;
    migration->told_ns = clock_ns();
    migration->told = true;
    if (progress->round > 0) /* before, nobody knows what the guest writes */
        snprintf(outlook, sizeof(outlook), ", dirtied %llu KiB/s, downtime about %u ms",
                 (unsigned long long)(progress->dirty_rate >> 10), progress->expected_downtime_ms);
    snprintf(line, sizeof(line), "\rround %u: %llu pages sent, %llu left, %llu KiB/s%s\033[K", progress->round + 1,
             (unsigned long long)progress->pages_sent, (unsigned long long)progress->pages_left,
             (unsigned long long)(progress->rate >> 10), outlook);
    terminal_write(line, strlen(line));
}

/* Ctrl-C; whoever hears it, the others hear it too. */
static bool interrupted;

static bool is_unwanted(void)
{
    interrupted = interrupted || terminal_interrupted(0);
    return interrupted;
}

static bool is_cancelled(void *own)
{
    return is_unwanted();
}

static int send(void *own, const struct byte_sink *sink, struct stream_error *error)
{
    struct migration *migration = own;

    return departure_send(&migration->departure, sink, error);
}

static int resume(void *own)
{
    struct migration *migration = own;

    return departure_resume(&migration->departure);
}

/* Destroying takes this processor a while; who has taken its place needs it now, to talk to store and devices. */
static void let_successor_connect(const struct migration *migration)
{
    const struct departure *departure = &migration->departure;
    const struct domain_record *old = record_find(departure->domid);
    const struct domain_record *successor = old != NULL ? record_of_uuid(old->uuid, old->domid) : NULL;

    domid_t domid;

    if (successor == NULL)
        return;
    domid = successor->domid; /* which may end meanwhile */
    sleep_ns(SETTLE_NS);
    wait_connected(departure->vane, domid, migration->connected, clock_ns() + CONNECT_NS);
}

static void destroy(void *own)
{
    struct migration *migration = own;

    migration->running_ns = clock_ns();
    if (migration->local)
        let_successor_connect(migration);
    (void)destroy_domain(migration->departure.vane, migration->departure.domid);
}

static void release(struct migration *migration)
{
    free(migration->json);
    free(migration);
}

static void settled(void *own, enum handover_outcome outcome)
{
    struct migration *migration = own;

    lifecycle_tell("%s: its hand-over is settled: it %s", migration->departure.name,
                   outcome == HANDOVER_MOVED ? "has gone to the other host" : departure_fate(&migration->departure));
    migration->settled = true;
    if (migration->left)
        release(migration);
}

/* This host as its own peer. */
struct local {
    struct handover_host host;
    struct channel *channel;
    struct handover_receiver receiver;
    bool done;
};

static void receive_local(void *arg)
{
    struct local *local = arg;
    struct stream_error error;

    (void)handover_receive(&local->host, local->channel, &local->receiver, &error);
    local->channel->close(local->channel);
    local->done = true;
}

static enum handover_outcome hand_over_to(struct migration *migration, struct handover_host *host,
                                          struct stream_error *error)
{
    struct handover_sender sender = {
        .own = migration, .send = send, .resume = resume, .destroy = destroy, .settled = settled};
    enum handover_outcome outcome;

    outcome = handover_send(host, migration->channel, &migration->offer, &sender, error);
    end_line(migration);
    migration->channel->close(migration->channel);
    return outcome;
}

static enum handover_outcome hand_over_locally(struct migration *migration, struct stream_error *error)
{
    struct handover_host host;
    enum handover_outcome outcome = HANDOVER_KEPT;
    struct channel *ends[2];
    struct local local = {.done = false};

    snprintf(error->text, sizeof(error->text), "out of memory");
    if (!arriving_start(&local.receiver))
        return HANDOVER_KEPT;
    if (!channel_pair(ends, migration->target)) {
        arriving_finish(&local.receiver);
        return HANDOVER_KEPT;
    }
    handover_host_start(&host);
    handover_host_start(&local.host);
    migration->channel = ends[0];
    local.channel = ends[1];
    arriving_expect_local(migration->offer.transaction, migration->departure.domid);
    migration->connected = count_connected(migration->departure.vane, migration->departure.domid);
    if (spawn("arriving", receive_local, &local) == 0) {
        outcome = hand_over_to(migration, &host, error);
        while (!local.done)
            sleep_ns(WAIT_NS);
        migration->arrived = arriving_domid(&local.receiver, &migration->running_ns);
    } else {
        ends[0]->close(ends[0]);
        ends[1]->close(ends[1]);
    }
    arriving_finish(&local.receiver);
    return outcome;
}

static enum handover_outcome hand_over(struct migration *migration, struct stream_error *error)
{
    if (migration->local)
        return hand_over_locally(migration, error);
    migration->channel = channel_open(migration->target, is_unwanted, error);
    return migration->channel != NULL ? hand_over_to(migration, &handover_self, error) : HANDOVER_KEPT;
}

static void say_moved(const struct migration *migration, uint64_t took, uint64_t stood)
{
    const struct departure *departure = &migration->departure;
    const struct migration_totals *totals = &departure->totals;
    char as[32] = "";

    if (migration->local)
        snprintf(as, sizeof(as), " as domain %u", migration->arrived);
    say(departure->vane, "migrated %s to %s%s: %llu.%llu MiB in %u round%s, %llu.%llu s; stood still %llu ms\n",
        departure->name, migration->target, as, (unsigned long long)(totals->bytes >> 20),
        (unsigned long long)((totals->bytes & 0xfffff) * 10 >> 20), totals->rounds, totals->rounds == 1 ? "" : "s",
        (unsigned long long)(took / 1000000000), (unsigned long long)(took / 100000000 % 10),
        (unsigned long long)((stood + 500000) / 1000000));
    if (departure->live)
        say(departure->vane, "it was suspended for the last round because %s%s\n", totals->why_stopped,
            migration->offer.paused ? "; it is paused now" : "");
}

static int report(const struct migration *migration)
{
    const struct departure *departure = &migration->departure;
    const struct migration_totals *totals = &departure->totals;
    uint64_t took = clock_ns() - migration->started_ns, stood = migration->running_ns - totals->suspended_ns;
    struct json json;

    say_moved(migration, took, stood);
    json_begin(&json, departure->vane);
    json_open(&json, NULL, '{');
    json_string(&json, "name", departure->name);
    json_string(&json, "target", migration->target);
    if (migration->local)
        json_number(&json, "domid", migration->arrived);
    json_number(&json, "bytes", totals->bytes);
    json_number(&json, "pages", totals->pages);
    json_number(&json, "rounds", totals->rounds);
    json_string(&json, "stopped_because", totals->why_stopped);
    json_number(&json, "took_ns", took);
    json_number(&json, "stood_still_ns", stood);
    json_close(&json, '}');
    json_end(&json);
    return 0;
}

static int ask_peer(struct migration *migration, struct stream_error *error)
{
    int status;

    migration->offer.asked = true;
    migration->channel = channel_open(migration->target, is_unwanted, error);
    if (migration->channel == NULL)
        return -1;
    status = handover_ask(&handover_self, migration->channel, &migration->offer, error);
    migration->channel->close(migration->channel);
    return status;
}

static int dry_run(struct migration *migration)
{
    struct departure *departure = &migration->departure;
    struct vane *vane = departure->vane;
    struct domain_config config = {.memory_kib = migration->offer.memory_kib, .max_vcpus = migration->offer.vcpus};
    struct build_error why;
    struct stream_error error;

    config.name = departure->name;
    if (migration->local && incoming_check(vane, &config, departure->domid, &why) != 0)
        return fail(vane, "%s would not get there: %s", departure->name, why.text);
    if (!migration->local && ask_peer(migration, &error) != 0)
        return fail(vane, "%s would not get there: %s", departure->name, error.text);
    say(vane, "%s (%llu MiB, %u vCPUs) could go to %s. Nothing was sent (dry run).\n", departure->name,
        (unsigned long long)(migration->offer.memory_kib >> 10), migration->offer.vcpus, migration->target);
    json_ok(vane);
    return 0;
}

/* The hand-over has it until it is settled, which it may be by now. */
static int leave_in_doubt(struct migration *migration, const struct stream_error *error)
{
    int status =
        fail(migration->departure.vane,
             "%s is suspended here and may run at %s: the connection was lost at the moment of hand-over; it is "
             "settled when the two hosts talk again, or by migrate-settle (%s)",
             migration->departure.name, migration->target, error->text);

    migration->left = true;
    if (migration->settled)
        release(migration);
    return status;
}

static int migrate(struct migration *migration)
{
    struct departure *departure = &migration->departure;
    struct stream_error error = {.text = ""};
    enum handover_outcome outcome;
    int status = 1;

    migration->json = departure_config(departure->vane, departure->domid);
    if (migration->json != NULL) {
        departure->json = migration->json;
        migration->started_ns = migration->told_ns = clock_ns();
        outcome = hand_over(migration, &error);
        if (outcome == HANDOVER_IN_DOUBT)
            return leave_in_doubt(migration, &error);
        status = outcome == HANDOVER_MOVED ? report(migration)
                                           : fail(departure->vane, "%s %s and was not migrated: %s", departure->name,
                                                  departure_fate(departure), error.text);
    }
    release(migration);
    return status;
}

static int read_limits(struct vane *vane, int *argc, char **argv, struct migration_limits *limits)
{
    const char *downtime = option_value(argc, argv, NULL, "--max-downtime");
    const char *bandwidth = option_value(argc, argv, NULL, "--bandwidth");
    const char *rounds = option_value(argc, argv, NULL, "--rounds");
    uint64_t value;

    if (downtime != NULL) {
        if (!parse_unsigned(downtime, &value) || value == 0 || value > 3600000)
            return fail_usage(vane, "--max-downtime is a number of milliseconds from 1 to 3600000, not \"%s\"",
                              downtime);
        limits->max_downtime_ms = (unsigned int)value;
    }
    if (bandwidth != NULL) {
        if (!parse_memory(bandwidth, &value) || value == 0)
            return fail_usage(vane,
                              "--bandwidth is a number of MiB per second, or with a letter b, k, m or g, not \"%s\"",
                              bandwidth);
        limits->bandwidth = value * 1024;
    }
    if (rounds != NULL) {
        if (!parse_unsigned(rounds, &value) || value == 0 || value > 1000)
            return fail_usage(vane, "--rounds is a number from 1 to 1000, not \"%s\"", rounds);
        limits->rounds = (unsigned int)value;
    }
    return 0;
}

static struct migration *prepare(struct vane *vane, const struct xen_domctl_getdomaininfo *info, const char *target)
{
    struct migration *migration = calloc(1, sizeof(*migration));
    char *name = name_of_domain(vane, info->domain);

    if (migration == NULL || name == NULL) {
        free(migration);
        free(name);
        fail(vane, "out of memory");
        return NULL;
    }
    migration->departure = (struct departure){.vane = vane, .domid = info->domain};
    migration->departure.progress = show;
    migration->departure.cancelled = is_cancelled;
    migration->departure.own = migration;
    strncpy(migration->departure.name, name, DOMAIN_NAME_MAX);
    strncpy(migration->offer.name, name, sizeof(migration->offer.name) - 1);
    migration->offer.memory_kib = ballooning_target(vane, info);
    migration->offer.vcpus = info->max_vcpu_id + 1;
    migration->target = target;
    migration->local = strcmp(target, "localhost") == 0;
    handover_random(migration->offer.transaction);
    free(name);
    return migration;
}

int cmd_migrate(struct vane *vane, int argc, char **argv)
{
    bool dry = option(&argc, argv, "-n", "--dry-run"), still = option(&argc, argv, NULL, "--non-live");
    bool pause = option(&argc, argv, "-p", "--pause"), verify = option(&argc, argv, NULL, "--debug");
    struct migration_limits limits = {0};
    struct xen_domctl_getdomaininfo info;
    struct migration *migration;
    int status;

    (void)option(&argc, argv, NULL, "--live"); /* of xl, whose migrations are live, too, unless told otherwise */
    (void)option(&argc, argv, "-e", NULL);
    if (read_limits(vane, &argc, argv, &limits) != 0 || check_arguments(vane, argc, argv, 2, 2) != 0 ||
        find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    if (info.domain == 0)
        return fail(vane, "domain 0 is the one you are talking to; it stays where it is");
    interrupted = false;
    migration = prepare(vane, &info, argv[2]);
    if (migration == NULL)
        return 1;
    migration->departure.live = !still;
    migration->departure.verify = verify;
    migration->departure.limits = limits;
    migration->offer.paused = pause;
    if (!dry)
        return migrate(migration);
    status = dry_run(migration);
    release(migration);
    return status;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * migrate-receive: domains that come over a link are taken, by the link's own thread; the command only says so, or waits
 * for one. migrate-settle: the user's word about a hand-over that was cut and whose other side never comes back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/migration/channel.h"
#include "json.h"
#include "lifecycle.h"
#include "receiving.h"
#include "system.h"

#define LINKS_MAX    16u
#define WAIT_STEP_NS 100000000u

/* The links that domains are taken from. */
struct open_link {
    char name[HANDOVER_LINK_SIZE];
    bool stays; /* not only for the next one */
    unsigned int came;
    struct stream_error error; /* of the last that did not */
    unsigned int failed;
    char last[HANDOVER_NAME_SIZE];
};

static struct open_link links[LINKS_MAX];

/* A domain that is on its way to this host. */
struct arrived {
    struct handover_receiver inner;
    char link[HANDOVER_LINK_SIZE], name[HANDOVER_NAME_SIZE];
    bool offered;
};

static struct open_link *link_find(const char *name)
{
    for (unsigned int i = 0; i < LINKS_MAX; i++)
        if (links[i].name[0] != '\0' && strcmp(links[i].name, name) == 0)
            return &links[i];
    return NULL;
}

static struct open_link *link_add(const char *name, bool stays)
{
    struct open_link *link = link_find(name);
    bool stayed = link != NULL && link->stays;

    for (unsigned int i = 0; i < LINKS_MAX && link == NULL; i++)
        if (links[i].name[0] == '\0')
            link = &links[i];
    if (link != NULL) {
        *link = (struct open_link){.stays = stays || stayed};
        snprintf(link->name, sizeof(link->name), "%s", name);
    }
    return link;
}

static int prepare(void *own, const struct handover_offer *offer, struct stream_error *error)
{
    struct arrived *arrived = own;

    arrived->offered = !offer->asked;
    memcpy(arrived->name, offer->name, sizeof(arrived->name));
    return arrived->inner.prepare(arrived->inner.own, offer, error);
}

static int receive(void *own, const struct byte_source *source, struct stream_error *error)
{
    struct arrived *arrived = own;

    return arrived->inner.receive(arrived->inner.own, source, error);
}

static int activate(void *own, struct stream_error *error)
{
    struct arrived *arrived = own;

    return arrived->inner.activate(arrived->inner.own, error);
}

static void discard(void *own)
{
    struct arrived *arrived = own;

    arrived->inner.discard(arrived->inner.own);
}

static void note(const struct arrived *arrived, enum handover_outcome outcome, const struct stream_error *error)
{
    struct open_link *link = link_find(arrived->link);

    if (outcome == HANDOVER_MOVED)
        lifecycle_tell("%s: arrived by %s and runs", arrived->name, arrived->link);
    else
        lifecycle_tell("%s: did not arrive by %s: %s", arrived->name, arrived->link, error->text);
    if (link == NULL)
        return;
    if (outcome == HANDOVER_MOVED)
        link->came++;
    else
        link->failed++;
    link->error = *error;
    memcpy(link->last, arrived->name, sizeof(link->last));
}

static void release(struct arrived *arrived)
{
    arriving_finish(&arrived->inner);
    free(arrived);
}

/* The hand-over was in doubt, and is no more. */
static void settled(void *own, enum handover_outcome outcome)
{
    struct arrived *arrived = own;
    struct stream_error error = {.text = "the hand-over was cut, and it runs where it came from"};

    note(arrived, outcome, &error);
    release(arrived);
}

static bool start(const char *name, struct handover_receiver *receiver, struct stream_error *error)
{
    struct arrived *arrived;

    if (link_find(name) == NULL)
        return false;
    arrived = calloc(1, sizeof(*arrived));
    if (arrived == NULL || !arriving_start(&arrived->inner)) {
        free(arrived);
        return false;
    }
    snprintf(arrived->link, sizeof(arrived->link), "%s", name);
    *receiver = (struct handover_receiver){.own = arrived,
                                           .prepare = prepare,
                                           .receive = receive,
                                           .activate = activate,
                                           .discard = discard,
                                           .settled = settled};
    return true;
}

static void finish(const char *name, struct handover_receiver *receiver, enum handover_outcome outcome,
                   const struct stream_error *error)
{
    struct arrived *arrived = receiver->own;

    if (outcome == HANDOVER_IN_DOUBT) {
        lifecycle_tell(
            "%s: arrived by %s and is paused: the connection was cut before it was ours; that is settled when "
            "%s is back, or by migrate-settle",
            arrived->name, name, name);
        return; /* until settled() */
    }
    if (arrived->offered)
        note(arrived, outcome, error);
    release(arrived);
}

void receiving_start(void)
{
    static const struct channel_acceptor acceptor = {.start = start, .finish = finish};

    channel_accept(&acceptor);
    channel_start();
}

static const char *record_words(const struct handover_record *record)
{
    static const char *const words[] = {
        [HANDOVER_SENDING] = "under way: being sent",
        [HANDOVER_DOUBT] = "in doubt: suspended here, and may run there",
        [HANDOVER_GIVEN] = "over by your word, which the other host has not heard yet: destroyed here",
        [HANDOVER_RECEIVING] = "under way: being received",
        [HANDOVER_COMPLETE] = "in doubt: whole and paused here, and may run there",
        [HANDOVER_LIVE] = "done, which the other host has not confirmed yet: it runs here",
    };

    return words[record->state];
}

/* Copies under way are called by more than their name. */
const char *receiving_claim(const char *name)
{
    static const char suffix[] = "--incoming";
    size_t length = strlen(name), more = sizeof(suffix) - 1;
    bool copy = length > more && strcmp(name + length - more, suffix) == 0;

    for (const struct handover_record *record = handover_self.records; record != NULL; record = record->next) {
        bool incoming = record->state == HANDOVER_RECEIVING || record->state == HANDOVER_COMPLETE;

        if (record->state == HANDOVER_GIVEN || record->state == HANDOVER_LIVE || incoming != copy)
            continue;
        if (strncmp(record->name, name, copy ? length - more : length) == 0 &&
            record->name[copy ? length - more : length] == '\0')
            return record_words(record);
    }
    return NULL;
}

bool receiving_doubts(const char *name)
{
    const struct handover_record *record = handover_in_doubt(&handover_self, name);

    return record != NULL && record->state == HANDOVER_DOUBT;
}

static int wait_for_one(struct vane *vane, struct open_link *link, const char *name)
{
    bool interrupted = false;

    say(vane, "Waiting for a domain by %s. Ctrl-C ends that.\n", name);
    while (link->came == 0 && link->failed == 0 && !interrupted)
        interrupted = terminal_interrupted(WAIT_STEP_NS);
    if (!link->stays)
        link->name[0] = '\0';
    if (interrupted)
        return fail(vane, "interrupted; no domain has come by %s", name);
    if (link->came == 0)
        return fail(vane, "%s: %s", link->last, link->error.text);
    say(vane, "%s came by %s.\n", link->last, name);
    json_ok(vane);
    return 0;
}

int cmd_migrate_receive(struct vane *vane, int argc, char **argv)
{
    bool stay = option(&argc, argv, "-d", "--daemon"), stop = option(&argc, argv, "-s", "--stop");
    struct open_link *link;

    (void)option(&argc, argv, "-e", NULL); /* of xl */
    if (check_arguments(vane, argc, argv, 1, 1) != 0)
        return 1;
    if (!channel_known(argv[1]))
        return fail(vane, "there is no link %s; devices lists the links of this machine", argv[1]);
    if (stop) {
        link = link_find(argv[1]);
        if (link == NULL)
            return fail(vane, "no domain is taken from %s anyway", argv[1]);
        link->name[0] = '\0';
        say(vane, "No domain is taken from %s any more.\n", argv[1]);
        json_ok(vane);
        return 0;
    }
    link = link_add(argv[1], stay);
    if (link == NULL)
        return fail(vane, "domains are taken from %u links already, and no more are possible", LINKS_MAX);
    if (!stay)
        return wait_for_one(vane, link, argv[1]);
    say(vane, "Domains that come by %s are taken from now on.\n", argv[1]);
    json_ok(vane);
    return 0;
}

static int show_unsettled(struct vane *vane)
{
    struct json json;

    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    if (handover_self.records == NULL)
        say(vane, "Nothing is in doubt.\n");
    for (const struct handover_record *record = handover_self.records; record != NULL; record = record->next) {
        say(vane, "%s by %s: its hand-over is %s.\n", record->name, record->link, record_words(record));
        json_open(&json, NULL, '{');
        json_string(&json, "name", record->name);
        json_string(&json, "link", record->link);
        json_string(&json, "state", record_words(record));
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_end(&json);
    return 0;
}

int cmd_migrate_settle(struct vane *vane, int argc, char **argv)
{
    struct stream_error error = {.text = ""};
    bool keep;

    if (argc == 1)
        return show_unsettled(vane);
    if (check_arguments(vane, argc, argv, 2, 2) != 0)
        return 1;
    keep = strcmp(argv[2], "keep") == 0;
    if (!keep && strcmp(argv[2], "discard") != 0)
        return fail_usage(vane, "say keep or discard, not \"%s\"", argv[2]);
    if (handover_decide(&handover_self, argv[1], keep, &error) != 0)
        return fail(vane, "%s", error.text);
    if (keep)
        say(vane,
            "%s runs here. If the other host's copy runs, too, there are two of it now: destroy one of them, before "
            "they spoil the disk they share.\n",
            argv[1]);
    else
        say(vane, "%s is destroyed here. If the other host's copy is gone, too, it exists no more.\n", argv[1]);
    json_ok(vane);
    return 0;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The channels of this host by name. Each has a thread that answers what the peer begins; when there is nothing to answer
 * and something unsettled with that peer, it asks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>
#include <pv/time.h>

#include "channel.h"
#include "dom0-tools/machine/serial_port.h"

#define SECOND     1000000000ull
#define NAME_POLLS 50

struct handover_host handover_self;

static const struct channel_acceptor *acceptor;

struct known_link {
    struct link *link;
    struct known_link *next;
};

static struct known_link *links;

void channel_accept(const struct channel_acceptor *new)
{
    acceptor = new;
}

void channel_serve(struct channel *channel)
{
    struct handover_receiver receiver = {.own = NULL};
    struct stream_error error = {.text = ""};
    const struct channel_acceptor *host = acceptor;
    bool takes = host != NULL && host->start(channel->name, &receiver, &error);
    enum handover_outcome outcome = handover_receive(&handover_self, channel, takes ? &receiver : NULL, &error);

    if (takes)
        host->finish(channel->name, &receiver, outcome, &error);
    channel->close(channel);
}

static void settle(struct link *link)
{
    struct stream_error error;
    struct channel *channel = link_open(link, NULL, &error);

    if (channel == NULL)
        return;
    (void)handover_settle(&handover_self, channel);
    channel->close(channel);
}

static void serve_link(void *data)
{
    struct link *link = data;

    for (;;) {
        struct channel *channel = link_await(link, time_monotonic_ns() + SECOND);

        if (channel != NULL)
            channel_serve(channel);
        else if (link_is_up(link) && handover_unsettled(&handover_self, link_name(link)) > 0)
            settle(link);
    }
}

static void add_link(struct serial_port *port)
{
    struct known_link *known = calloc(1, sizeof(*known));

    if (known != NULL)
        known->link = link_new(port);
    if (known == NULL || known->link == NULL || thread_create("link", serve_link, known->link) == NULL) {
        fprintf(stderr, "vane: there is no memory to serve a link\n");
        return; /* what was made stays: there are as few as the machine has ports */
    }
    known->next = links;
    links = known;
}

/* A port says its name only after the machine has started. */
static struct link *find_link(const char *name)
{
    static bool waited;

    for (unsigned int i = 0;; i++) {
        for (struct known_link *known = links; known != NULL; known = known->next)
            if (strcmp(link_name(known->link), name) == 0)
                return known->link;
        if (waited || i == NAME_POLLS) {
            waited = true;
            return NULL;
        }
        thread_sleep_ns(SECOND / NAME_POLLS);
    }
}

bool channel_known(const char *name)
{
    return find_link(name) != NULL;
}

struct channel *channel_open(const char *name, bool (*unwanted)(void), struct stream_error *error)
{
    struct link *link = find_link(name);

    if (link != NULL)
        return link_open(link, unwanted, error);
    snprintf(error->text, sizeof(error->text), "there is no link %s; devices lists the links of this machine", name);
    return NULL;
}

void channel_start(void)
{
    handover_host_start(&handover_self);
    serial_port_listen(add_link);
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A store daemon in a test: clients that send messages as bytes and read replies as bytes, and a platform whose domains
 * are pages of the test's own memory.
 */
#ifndef XENSTORED_HARNESS_H
#define XENSTORED_HARNESS_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../dom0-tools/xenstored/platform.h"
#include "../../dom0-tools/xenstored/xenstored.h"

extern struct xenstored daemon_under_test;

/* A fresh store, which only dom0 can read; and one whose root, and so what dom0 creates, everybody can read. */
void setup_daemon(void);
void setup_open_store(void);
void teardown_daemon(void);

/* A direct connection, privileged for domain 0 only. */
struct client *connect_as(unsigned int domid);

struct reply {
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
};

/* The next message that waits for the client; false if there is none. */
bool next_message(struct client *client, struct reply *reply);

/* Sends one message and returns its reply; events that come along are kept for expect_event. */
struct reply *ask(struct client *client, uint32_t type, uint32_t tx, const void *payload, size_t len);

/* `text` with each '|' turned into a NUL. 0, or the errno value that the reply names. */
int tell(struct client *client, uint32_t type, uint32_t tx, const char *text);

/* The value, or NULL with errno set. Valid until the next call. */
const char *value_of(struct client *client, uint32_t tx, const char *path);
int put(struct client *client, uint32_t tx, const char *path, const char *value);
uint32_t begin(struct client *client);
int end(struct client *client, uint32_t tx, bool commit);

/* Asserts what the next event is, or that there is none. */
void expect_event(struct client *client, const char *path, const char *token);
void expect_silence(struct client *client);

/* The platform: what it was told, what it will say. */
struct fake_domain {
    enum domain_state state;
    struct xenstore_domain_interface *ring;
    bool mapped;
    unsigned int port, notified, unmaps, unbinds;
    bool refuse_map, refuse_bind;
};
extern struct fake_domain fake_domains[1024];
extern char last_log[512];
extern unsigned int log_lines;

/* Makes domain 0 introduce a running domain. */
struct fake_domain *introduce(struct client *dom0, unsigned int domid);

/* Lets the daemon work until it has nothing to do. */
void run_daemon(void);
void signal_domain(unsigned int domid);

#endif

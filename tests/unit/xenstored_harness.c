/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The daemon under test, its clients, and a platform that remembers what it was told; see xenstored_harness.h.
 */
#include <stdarg.h>

#include "xenstored_harness.h"

struct xenstored daemon_under_test;
struct fake_domain fake_domains[1024];
char last_log[512];
unsigned int log_lines;

static struct pending_event {
    struct client *client;
    char path[XENSTORE_PAYLOAD_MAX + 1];
    char token[XENSTORE_PAYLOAD_MAX + 1];
} pending[4096];
static unsigned int pending_first, pending_end;

void setup_daemon(void)
{
    memset(fake_domains, 0, sizeof(fake_domains));
    pending_first = pending_end = 0;
    log_lines = 0;
    ck_assert(xenstored_init(&daemon_under_test));
}

void setup_open_store(void)
{
    struct client *dom0;

    setup_daemon();
    dom0 = connect_as(0);
    ck_assert_int_eq(tell(dom0, XS_SET_PERMS, 0, "/|r0|"), 0);
    client_free(dom0);
}

void teardown_daemon(void)
{
    ck_assert_uint_eq(store_audit(&daemon_under_test.store), 0);
    xenstored_destroy(&daemon_under_test);
    for (unsigned int i = 0; i < 1024; i++) {
        ck_assert(!fake_domains[i].mapped);
        free(fake_domains[i].ring);
    }
}

struct client *connect_as(unsigned int domid)
{
    struct client *client = client_new(&daemon_under_test, domid, domid == 0);

    ck_assert_ptr_nonnull(client);
    return client;
}

bool next_message(struct client *client, struct reply *reply)
{
    if (client_output(client, (char *)&reply->header, sizeof(reply->header)) != sizeof(reply->header))
        return false;
    ck_assert_uint_le(reply->header.len, XENSTORE_PAYLOAD_MAX);
    ck_assert_uint_eq(client_output(client, reply->payload, reply->header.len), reply->header.len);
    reply->payload[reply->header.len] = '\0';
    return true;
}

static void keep_event(struct client *client, const struct reply *reply)
{
    struct pending_event *event = &pending[pending_end++ % 4096];

    event->client = client;
    ck_assert_uint_eq(reply->header.req_id, 0);
    ck_assert_uint_eq(reply->header.tx_id, 0);
    strcpy(event->path, reply->payload);
    strcpy(event->token, reply->payload + strlen(reply->payload) + 1);
    ck_assert_uint_eq(strlen(event->path) + strlen(event->token) + 2, reply->header.len);
}

static void send_bytes(struct client *client, const char *bytes, size_t len)
{
    while (len) {
        size_t taken = client_input(client, bytes, len);

        ck_assert_uint_gt(taken, 0);
        bytes += taken;
        len -= taken;
    }
}

struct reply *ask(struct client *client, uint32_t type, uint32_t tx, const void *payload, size_t len)
{
    static struct reply reply;
    static uint32_t req_id;
    struct xsd_sockmsg header = {type, ++req_id, tx, (uint32_t)len};

    send_bytes(client, (char *)&header, sizeof(header));
    if (len)
        send_bytes(client, payload, len);
    do {
        ck_assert_msg(next_message(client, &reply), "request %u got no reply", type);
        if (reply.header.type == XS_WATCH_EVENT)
            keep_event(client, &reply);
    } while (reply.header.type == XS_WATCH_EVENT);
    ck_assert_uint_eq(reply.header.req_id, req_id);
    ck_assert_uint_eq(reply.header.tx_id, tx);
    ck_assert(reply.header.type == type || reply.header.type == XS_ERROR);
    xenstored_flush(&daemon_under_test);
    return &reply;
}

static int reply_error(const struct reply *reply)
{
    if (reply->header.type != XS_ERROR)
        return 0;
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (!strcmp(reply->payload, xsd_errors[i].errstring))
            return xsd_errors[i].errnum;
    ck_abort_msg("unknown error %s", reply->payload);
    return -1;
}

int tell(struct client *client, uint32_t type, uint32_t tx, const char *text)
{
    static char payload[8192];
    size_t len = strlen(text);

    for (size_t i = 0; i <= len; i++)
        payload[i] = text[i] == '|' ? '\0' : text[i];
    return reply_error(ask(client, type, tx, payload, len));
}

const char *value_of(struct client *client, uint32_t tx, const char *path)
{
    struct reply *reply = ask(client, XS_READ, tx, path, strlen(path) + 1);

    errno = reply_error(reply);
    return errno ? NULL : reply->payload;
}

int put(struct client *client, uint32_t tx, const char *path, const char *value)
{
    char payload[8192];
    int len = snprintf(payload, sizeof(payload), "%s%c%s", path, '\0', value);

    return reply_error(ask(client, XS_WRITE, tx, payload, (size_t)len));
}

uint32_t begin(struct client *client)
{
    struct reply *reply = ask(client, XS_TRANSACTION_START, 0, "", 1);

    ck_assert_uint_eq(reply->header.type, XS_TRANSACTION_START);
    return (uint32_t)strtoul(reply->payload, NULL, 10);
}

int end(struct client *client, uint32_t tx, bool commit)
{
    return tell(client, XS_TRANSACTION_END, tx, commit ? "T|" : "F|");
}

static void collect_events(struct client *client)
{
    static struct reply reply;

    while (next_message(client, &reply)) {
        ck_assert_uint_eq(reply.header.type, XS_WATCH_EVENT);
        keep_event(client, &reply);
    }
}

static struct pending_event *first_event(struct client *client)
{
    collect_events(client);
    for (unsigned int i = pending_first; i != pending_end; i++)
        if (pending[i % 4096].client == client)
            return &pending[i % 4096];
    return NULL;
}

void expect_event(struct client *client, const char *path, const char *token)
{
    struct pending_event *event = first_event(client);

    ck_assert_msg(event != NULL, "expected an event of %s", path);
    ck_assert_str_eq(event->path, path);
    ck_assert_str_eq(event->token, token);
    event->client = NULL;
}

void expect_silence(struct client *client)
{
    struct pending_event *event = first_event(client);

    ck_assert_msg(!event, "unexpected event of %s", event ? event->path : "");
}

struct fake_domain *introduce(struct client *dom0, unsigned int domid)
{
    char text[64];

    fake_domains[domid].state = DOMAIN_RUNNING;
    snprintf(text, sizeof(text), "%u|%u|%u|", domid, 1000 + domid, 5);
    ck_assert_int_eq(tell(dom0, XS_INTRODUCE, 0, text), 0);
    return &fake_domains[domid];
}

void run_daemon(void)
{
    xenstored_flush(&daemon_under_test);
    while (domains_run(&daemon_under_test))
        ;
    xenstored_flush(&daemon_under_test);
}

void signal_domain(unsigned int domid)
{
    domain_event(&daemon_under_test, fake_domains[domid].port);
}

void platform_log(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(last_log, sizeof(last_log), format, args);
    va_end(args);
    log_lines++;
}

enum domain_state platform_domain_state(unsigned int domid)
{
    return domid < 1024 ? fake_domains[domid].state : DOMAIN_GONE;
}

void platform_domains_changed(void)
{
}

struct xenstore_domain_interface *platform_map_ring(unsigned int domid, unsigned long mfn, unsigned int *how)
{
    struct fake_domain *domain = &fake_domains[domid];

    if (domain->refuse_map) {
        errno = EINVAL;
        return NULL;
    }
    ck_assert_uint_eq(mfn, 1000 + domid);
    ck_assert(!domain->mapped);
    if (!domain->ring)
        domain->ring = calloc(1, sizeof(*domain->ring));
    if (!domain->ring)
        return NULL;
    domain->mapped = true;
    *how = domid;
    return domain->ring;
}

void platform_unmap_ring(unsigned int domid, struct xenstore_domain_interface *ring, unsigned int how)
{
    ck_assert_uint_eq(how, domid);
    ck_assert(fake_domains[domid].mapped && fake_domains[domid].ring == ring);
    fake_domains[domid].mapped = false;
    fake_domains[domid].unmaps++;
}

int platform_bind_port(unsigned int domid, unsigned int remote_port)
{
    static unsigned int next_port = 10;

    if (fake_domains[domid].refuse_bind)
        return -EINVAL;
    fake_domains[domid].port = next_port++;
    return (int)fake_domains[domid].port;
}

void platform_unbind_port(unsigned int port)
{
    for (unsigned int i = 0; i < 1024; i++)
        if (fake_domains[i].port == port)
            fake_domains[i].unbinds++;
}

void platform_notify(unsigned int port)
{
    for (unsigned int i = 0; i < 1024; i++)
        if (fake_domains[i].port == port)
            fake_domains[i].notified++;
}

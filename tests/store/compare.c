/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Asks the reference xenstored and ours the same random questions, and compares each answer and the events that it
 * causes at every client: compare DIRECTORY SEED STEPS transactions|guests. Clients 0 and 1 are dom0's, 2 and 3 are the
 * domains 1 and 2. Known and intended differences (docs/store.md) are not asked for.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../dom0-tools/xenstored/platform.h"
#include "../../dom0-tools/xenstored/xenstored.h"

#define CLIENTS    4
#define GUEST(c)   ((c) >= 2)
#define DOMID(c)   ((unsigned int)(c)-1u)
#define EVENTS_MAX 512

struct message_text {
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
};

struct heard {
    unsigned int count;
    char events[EVENTS_MAX][128];
};

static struct side {
    uint32_t transaction;
    struct heard heard;
} reference[CLIENTS], ours[CLIENTS];

static struct xenstored store;
static struct client *clients[CLIENTS];
static int sockets[2], event_pipe;
static volatile struct xenstore_domain_interface *rings[CLIENTS];
static unsigned int differences;

/* Our side has no rings: its clients are connected directly. */
void platform_log(const char *format, ...)
{
}

enum domain_state platform_domain_state(unsigned int domid)
{
    return DOMAIN_RUNNING;
}

void platform_domains_changed(void)
{
}

struct xenstore_domain_interface *platform_map_ring(unsigned int domid, unsigned long mfn, unsigned int *how)
{
    return NULL;
}

void platform_unmap_ring(unsigned int domid, struct xenstore_domain_interface *ring, unsigned int how)
{
}

int platform_bind_port(unsigned int domid, unsigned int remote_port)
{
    return -1;
}

void platform_unbind_port(unsigned int port)
{
}

void platform_notify(unsigned int port)
{
}

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void ring_bell(int c)
{
    uint32_t port = 100 + DOMID(c);

    if (write(event_pipe, &port, sizeof(port)) != sizeof(port))
        fail("event");
}

static void send_reference(int c, const void *bytes, size_t len)
{
    const char *at = bytes;

    if (!GUEST(c)) {
        if (write(sockets[c], bytes, len) != (ssize_t)len)
            fail("send");
        return;
    }
    for (size_t i = 0; i < len; i++) {
        while (rings[c]->req_prod - rings[c]->req_cons == XENSTORE_RING_SIZE) {
            ring_bell(c);
            usleep(200);
        }
        rings[c]->req[MASK_XENSTORE_IDX(rings[c]->req_prod)] = at[i];
        __sync_synchronize();
        rings[c]->req_prod++;
    }
    ring_bell(c);
}

static bool reference_ready(int c)
{
    struct pollfd poll_fd = {.fd = GUEST(c) ? -1 : sockets[c], .events = POLLIN};

    return GUEST(c) ? rings[c]->rsp_cons != rings[c]->rsp_prod : poll(&poll_fd, 1, 0) > 0;
}

static void receive_reference(int c, void *bytes, size_t len)
{
    unsigned int patience = 100000;
    char *at = bytes;

    for (size_t done = 0; done < len;) {
        if (!GUEST(c)) {
            ssize_t got = read(sockets[c], at + done, len - done);

            if (got <= 0)
                fail("the reference is gone");
            done += (size_t)got;
        } else if (reference_ready(c)) {
            at[done++] = rings[c]->rsp[MASK_XENSTORE_IDX(rings[c]->rsp_cons)];
            __sync_synchronize();
            rings[c]->rsp_cons++;
            if (!reference_ready(c))
                ring_bell(c);
        } else if (!patience--) {
            fail("the reference does not answer");
        } else {
            usleep(50);
        }
    }
}

static void next_reference(int c, struct message_text *message)
{
    receive_reference(c, &message->header, sizeof(message->header));
    receive_reference(c, message->payload, message->header.len);
}

static bool next_ours(int c, struct message_text *message)
{
    if (client_output(clients[c], (char *)&message->header, sizeof(message->header)) != sizeof(message->header))
        return false;
    client_output(clients[c], message->payload, message->header.len);
    return true;
}

static void hear(struct heard *heard, const struct message_text *message)
{
    if (heard->count < EVENTS_MAX)
        snprintf(heard->events[heard->count++], sizeof(heard->events[0]), "%.80s %.40s", message->payload,
                 message->payload + strlen(message->payload) + 1);
}

static void ask_both(int c, struct message_text *request, struct message_text *a, struct message_text *b)
{
    size_t len = sizeof(request->header) + request->header.len, done = 0;
    bool in_transaction = request->header.tx_id != 0;

    if (in_transaction)
        request->header.tx_id = reference[c].transaction;
    send_reference(c, request, len);
    for (next_reference(c, a); a->header.type == XS_WATCH_EVENT; next_reference(c, a))
        hear(&reference[c].heard, a);
    if (in_transaction)
        request->header.tx_id = ours[c].transaction;
    while (done < len)
        done += client_input(clients[c], (char *)request + done, len - done);
    xenstored_flush(&store);
    while (next_ours(c, b) && b->header.type == XS_WATCH_EVENT)
        hear(&ours[c].heard, b);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Order and repetition of events say nothing. */
static void normalise(struct heard *heard)
{
    unsigned int kept = 0;

    qsort(heard->events, heard->count, sizeof(heard->events[0]), by_text);
    for (unsigned int i = 0; i < heard->count; i++)
        if (!kept || strcmp(heard->events[kept - 1], heard->events[i]))
            memmove(heard->events[kept++], heard->events[i], sizeof(heard->events[0]));
    heard->count = kept;
}

/* The names of a directory in one order. */
static void sort_names(struct message_text *message)
{
    static char names[1024][64];
    unsigned int count = 0;
    char *out = message->payload;

    for (size_t at = 0; at < message->header.len && count < 1024; at += strlen(message->payload + at) + 1)
        snprintf(names[count++], sizeof(names[0]), "%.63s", message->payload + at);
    qsort(names, count, sizeof(names[0]), by_text);
    for (unsigned int i = 0; i < count; i++)
        out = stpcpy(out, names[i]) + 1;
}

static void print_payload(const char *who, const struct message_text *message)
{
    printf("  %s: type %u \"", who, message->header.type);
    for (uint32_t i = 0; i < message->header.len; i++)
        putchar(message->payload[i] ? message->payload[i] : '|');
    printf("\"\n");
}

static void compare_events(int c)
{
    struct message_text message;
    struct heard *a = &reference[c].heard, *b = &ours[c].heard;

    while (reference_ready(c)) {
        next_reference(c, &message);
        hear(a, &message);
    }
    while (next_ours(c, &message))
        hear(b, &message);
    normalise(a);
    normalise(b);
    if (a->count != b->count || memcmp(a->events, b->events, a->count * sizeof(a->events[0]))) {
        differences++;
        printf("client %d hears\n", c);
        for (unsigned int i = 0; i < a->count; i++)
            printf("  reference: %s\n", a->events[i]);
        for (unsigned int i = 0; i < b->count; i++)
            printf("  ours:      %s\n", b->events[i]);
    }
    memset(a, 0, sizeof(*a));
    memset(b, 0, sizeof(*b));
}

static void step(int c, uint32_t type, bool in_transaction, const char *payload, size_t len)
{
    static struct message_text request, a, b;
    unsigned int before = differences;

    request.header = (struct xsd_sockmsg){type, 7, in_transaction, (uint32_t)len};
    memcpy(request.payload, payload, len);
    ask_both(c, &request, &a, &b);
    if (type == XS_TRANSACTION_START && a.header.type == type && b.header.type == type) {
        reference[c].transaction = (uint32_t)atoi(a.payload);
        ours[c].transaction = (uint32_t)atoi(b.payload);
    } else {
        if (a.header.type == XS_DIRECTORY)
            sort_names(&a);
        differences += a.header.type != b.header.type || a.header.len != b.header.len ||
                       memcmp(a.payload, b.payload, a.header.len);
    }
    if (type == XS_TRANSACTION_END)
        reference[c].transaction = ours[c].transaction = 0;
    usleep(150);
    for (int i = 0; i < CLIENTS; i++)
        compare_events(i);
    if (differences != before) {
        print_payload("request", &request);
        print_payload("reference", &a);
        print_payload("ours", &b);
    }
}

static void connect_all(const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[256];

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
    for (int c = 0; c < 2; c++) {
        sockets[c] = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(sockets[c], (struct sockaddr *)&address, sizeof(address)))
            fail("connect");
        clients[c] = client_new(&store, 0, true);
    }
    snprintf(path, sizeof(path), "%s/events", directory);
    event_pipe = open(path, O_WRONLY);
    for (int c = 2; c < CLIENTS; c++) {
        struct message_text message = {.header = {XS_INTRODUCE, 1, 0, 0}};
        int fd;

        snprintf(path, sizeof(path), "%s/ring%u", directory, DOMID(c));
        fd = open(path, O_RDWR | O_CREAT, 0600);
        if (ftruncate(fd, 4096))
            fail("ring");
        rings[c] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        message.header.len = (uint32_t)sprintf(message.payload, "%u%c1%c5", DOMID(c), '\0', '\0') + 1;
        send_reference(0, &message, sizeof(message.header) + message.header.len);
        next_reference(0, &message);
        clients[c] = client_new(&store, DOMID(c), false);
    }
}

/* The same small world on both sides. */
static void furnish(void)
{
    static const struct {
        uint32_t type;
        const char *payload;
        size_t len;
    } steps[] = {
        {XS_WRITE, "/tool/xenstored\0", 16},
        {XS_WRITE, "/a\0v", 4},
        {XS_WRITE, "/e\0", 3},
        {XS_WRITE, "/local/domain/1/data\0", 21},
        {XS_WRITE, "/local/domain/2/data\0", 21},
        {XS_SET_PERMS, "/local/domain/1\0n0\0r1", 22},
        {XS_SET_PERMS, "/local/domain/1/data\0n1", 24},
        {XS_SET_PERMS, "/local/domain/2/data\0n2\0r1", 27},
        {XS_SET_PERMS, "/a\0n1", 6},
        {XS_SET_PERMS, "/e\0b2", 6},
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        step(0, steps[i].type, false, steps[i].payload, steps[i].len);
}

static const char *random_name(void)
{
    static const char *const names[] = {"/a",
                                        "/a/b",
                                        "/a/b/c",
                                        "/a/d",
                                        "/e",
                                        "/e/f/g",
                                        "/e/f",
                                        "/x-_@1",
                                        "/bad//x",
                                        "/bad/",
                                        "/a.b",
                                        "/",
                                        "/local/domain/1",
                                        "/local/domain/2/data",
                                        "/local/domain/1/data/x",
                                        "/a/b/c/d"};

    return names[(unsigned int)rand() % (sizeof(names) / sizeof(names[0]))];
}

static size_t random_payload(uint32_t type, char *payload)
{
    static const char *const values[] = {"v1", "value two", "", "12345"};
    const char *name = random_name();

    switch (type) {
    case XS_WRITE:
        return (size_t)sprintf(payload, "%s%c%s", name, '\0', values[rand() % 4]);
    case XS_WATCH:
    case XS_UNWATCH:
        return (size_t)sprintf(payload, "%s%ctoken%d", name, '\0', rand() % 2) + 1;
    case XS_SET_PERMS:
        return (size_t)sprintf(payload, "%s%c%c%d%c%c%d", name, '\0', "nrwb"[rand() % 4], rand() % 3, '\0',
                               "nrwb"[rand() % 4], rand() % 3) +
               1;
    case XS_TRANSACTION_START:
        payload[0] = '\0';
        return 1;
    case XS_TRANSACTION_END:
        return (size_t)sprintf(payload, "%c", rand() % 4 ? 'T' : 'F') + 1;
    case XS_GET_DOMAIN_PATH:
    case XS_IS_DOMAIN_INTRODUCED:
        return (size_t)sprintf(payload, "0") + 1;
    default:
        return (size_t)sprintf(payload, "%s", name) + 1;
    }
}

/* One client uses transactions, so that the intended difference in conflicts plays no part; or all, without. */
static void random_step(bool transactions)
{
    static const uint32_t types[] = {XS_DIRECTORY,
                                     XS_READ,
                                     XS_READ,
                                     XS_GET_PERMS,
                                     XS_WATCH,
                                     XS_UNWATCH,
                                     XS_WRITE,
                                     XS_WRITE,
                                     XS_MKDIR,
                                     XS_RM,
                                     XS_SET_PERMS,
                                     XS_GET_DOMAIN_PATH,
                                     XS_IS_DOMAIN_INTRODUCED,
                                     XS_TRANSACTION_START,
                                     XS_TRANSACTION_END};
    unsigned int count = sizeof(types) / sizeof(types[0]) - (transactions ? 0 : 2);
    int c = transactions ? 0 : rand() % CLIENTS;
    uint32_t type = types[(unsigned int)rand() % count];
    bool open = reference[c].transaction != 0;
    char payload[256];
    size_t len = random_payload(type, payload);

    if (open ? type == XS_TRANSACTION_START : type == XS_TRANSACTION_END)
        return;
    step(c, type, open && type != XS_WATCH && type != XS_UNWATCH, payload, len);
}

int main(int argc, char **argv)
{
    long steps;

    if (argc != 5 || !xenstored_init(&store))
        return 2;
    srand((unsigned int)atoi(argv[2]));
    connect_all(argv[1]);
    furnish();
    for (steps = atol(argv[3]); steps && differences < 20; steps--)
        random_step(!strcmp(argv[4], "transactions"));
    printf("%u differences\n", differences);
    return differences != 0;
}

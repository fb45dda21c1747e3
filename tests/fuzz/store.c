/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The whole store daemon behind the wire: dom0, a guest with well-formed messages, and a guest that writes what it likes
 * into its ring, indices included. The store's books agree at the end, and everything can be taken down.
 */
#include "tests/unit/xenstored_harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The harness's assertions, without the runner of unit tests that they report to. */
void _mark_point(const char *file, int line)
{
}

void _ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, expr);
    abort();
}

struct input {
    const uint8_t *data;
    size_t size;
};

static size_t take(struct input *input, void *to, size_t size)
{
    size_t taken = size < input->size ? size : input->size;

    memset(to, 0, size);
    memcpy(to, input->data, taken);
    input->data += taken;
    input->size -= taken;
    return taken;
}

static void drain(struct client *client)
{
    static struct reply reply;

    while (next_message(client, &reply))
        ;
}

/* A message whose header is right but for its type and transaction. */
static void message(struct input *input, struct client *client)
{
    struct {
        uint8_t type, tx, length;
    } step;
    struct xsd_sockmsg header = {0};
    char bytes[sizeof(header) + 256];
    size_t sent = 0, length;

    take(input, &step, sizeof(step));
    header.type = step.type % 28;
    header.tx_id = step.tx % 8;
    header.len = (uint32_t)(step.length < input->size ? step.length : input->size);
    memcpy(bytes, &header, sizeof(header));
    take(input, bytes + sizeof(header), header.len);
    length = sizeof(header) + header.len;
    while (sent < length) {
        size_t taken = client_input(client, bytes + sent, length - sent);

        if (taken == 0)
            break;
        sent += taken;
    }
    xenstored_flush(&daemon_under_test);
    drain(client);
}

/* Bytes at the producer, which then moves as the guest says; now and then an index is anything. */
static void ring(struct input *input, unsigned int domid)
{
    struct xenstore_domain_interface *page = fake_domains[domid].ring;
    struct {
        uint8_t length, what;
        uint32_t index;
    } step;
    uint8_t bytes[256];

    take(input, &step, sizeof(step));
    if (page == NULL || !fake_domains[domid].mapped)
        return;
    take(input, bytes, step.length);
    for (unsigned int i = 0; i < step.length; i++)
        page->req[(page->req_prod + i) % XENSTORE_RING_SIZE] = (char)bytes[i];
    page->req_prod += step.length;
    page->rsp_cons = page->rsp_prod;
    switch (step.what % 16) {
    case 0:
        page->req_prod = step.index;
        break;
    case 1:
        page->req_cons = step.index;
        break;
    case 2:
        page->rsp_cons = step.index;
        break;
    case 3:
        page->rsp_prod = step.index;
        break;
    }
    signal_domain(domid);
    for (unsigned int turns = 0; turns < 64 && domains_run(&daemon_under_test); turns++)
        ;
    xenstored_flush(&daemon_under_test);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct client *dom0, *guest;
    uint8_t who;

    setup_open_store();
    dom0 = connect_as(0);
    guest = connect_as(3);
    introduce(dom0, 2);
    while (input.size > 0) {
        take(&input, &who, 1);
        if (who % 4 == 0)
            message(&input, dom0);
        else if (who % 4 == 1)
            message(&input, guest);
        else
            ring(&input, 2);
    }
    client_free(guest);
    client_free(dom0);
    teardown_daemon();
    return 0;
}

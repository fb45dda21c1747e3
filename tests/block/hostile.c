/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A block frontend that lies: in its nodes, in its ring's indices, in every field of a request. What is asked of the
 * backend is the same each time: an error for the lie, the right data for the next honest request, not a byte where
 * none was due. Whether dom0 and the neighbours noticed is checked from outside.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include <abi/io/blkif_widths.h>
#include <abi/io/protocols.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/pv.h>
#include <pv/threads.h>
#include <pv/time.h>
#include <pv/xenbus.h>

#include "../guests/check.h"

#define FRONT         "device/vbd/51712"
#define PATIENCE_NS   (10ull * 1000 * 1000 * 1000)
#define PAGE_BYTES    4096u
#define UNTOUCHED     0xee
#define NO_ANSWER     99
#define RING_PAGES    4u
#define SEGMENTS_MOST 11u

static struct xs_handle *xs;
static char back[128];
static domid_t backend = 0;
static bool wide; /* which layout the ring has at the moment */
static bool persistent;

static char *ring, *page, *indirect; /* RING_PAGES, one, one */
static grant_ref_t ring_refs[RING_PAGES], page_ref, indirect_ref;
static evtchn_port_t port;
static unsigned int entries;
static uint32_t produced, consumed;

/* One request, before it is laid out. */
struct request {
    uint8_t operation;
    uint8_t inner; /* of an indirect one */
    uint16_t count;
    uint64_t sector;
    struct blkif_request_segment segment; /* all are alike */
    grant_ref_t indirect_ref;
};

static void write_front(const char *node, const char *value)
{
    char path[64];

    snprintf(path, sizeof(path), FRONT "/%s", node);
    (void)xs_write(xs, XBT_NULL, path, value, (unsigned int)strlen(value));
}

static void write_number(const char *node, unsigned long value)
{
    (void)xenbus_printf(xs, FRONT, node, "%lu", value);
}

static void remove_node(const char *node)
{
    char path[64];

    snprintf(path, sizeof(path), FRONT "/%s", node);
    (void)xs_rm(xs, XBT_NULL, path);
}

/* True once the backend's state is this one. */
static bool backend_is(enum xenbus_state wanted)
{
    uint64_t deadline = time_monotonic_ns() + PATIENCE_NS;

    while (xenbus_read_state(xs, back) != wanted) {
        if (time_monotonic_ns() >= deadline)
            return false;
        thread_sleep_ns(1000000);
    }
    return true;
}

static volatile struct blkif_sring *shared(void)
{
    return (volatile struct blkif_sring *)ring;
}

static void fresh_ring(unsigned int pages)
{
    memset(ring, 0, RING_PAGES * PAGE_BYTES);
    shared()->req_event = shared()->rsp_event = 1;
    produced = consumed = 0;
    entries = pages * 32;
}

static void start_over(void)
{
    (void)xenbus_switch_state(xs, FRONT, XenbusStateClosed);
    (void)backend_is(XenbusStateClosed);
    (void)xenbus_switch_state(xs, FRONT, XenbusStateInitialising);
    (void)backend_is(XenbusStateInitWait);
}

static void honest_nodes(void)
{
    remove_node("ring-page-order");
    write_number("ring-ref", ring_refs[0]);
    write_number("event-channel", port);
    write_front("protocol", wide ? XEN_IO_PROTO_ABI_X86_64 : XEN_IO_PROTO_ABI_X86_32);
    write_number("feature-persistent", persistent);
    fresh_ring(1);
}

static bool connect(void)
{
    start_over();
    honest_nodes();
    (void)xenbus_switch_state(xs, FRONT, XenbusStateInitialised);
    if (!backend_is(XenbusStateConnected))
        return false;
    return xenbus_switch_state(xs, FRONT, XenbusStateConnected) == 0;
}

#define FILL_DIRECT(to, from)                                                                                          \
    do {                                                                                                               \
        (to)->operation = (from)->operation;                                                                           \
        (to)->nr_segments = (uint8_t)(from)->count;                                                                    \
        (to)->id = produced;                                                                                           \
        (to)->sector_number = (from)->sector;                                                                          \
        for (unsigned int i = 0; i < SEGMENTS_MOST; i++)                                                               \
            (to)->seg[i] = (from)->segment;                                                                            \
    } while (0)

#define FILL_INDIRECT(to, from)                                                                                        \
    do {                                                                                                               \
        (to)->operation = (from)->operation;                                                                           \
        (to)->indirect_op = (from)->inner;                                                                             \
        (to)->nr_segments = (from)->count;                                                                             \
        (to)->id = produced;                                                                                           \
        (to)->sector_number = (from)->sector;                                                                          \
        for (unsigned int i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++)                                        \
            (to)->indirect_grefs[i] = (from)->indirect_ref;                                                            \
    } while (0)

static void *entry(uint32_t index)
{
    size_t size = wide ? sizeof(union blkif_x86_64_sring_entry) : sizeof(union blkif_x86_32_sring_entry);

    return ring + 64 + (index & (entries - 1)) * size;
}

static void put(const struct request *request)
{
    struct blkif_request_segment *segments = (struct blkif_request_segment *)indirect;
    void *at = entry(produced);

    for (unsigned int i = 0; request->operation == BLKIF_OP_INDIRECT && i < 512; i++)
        segments[i] = request->segment;
    if (request->operation == BLKIF_OP_INDIRECT && wide)
        FILL_INDIRECT((struct blkif_x86_64_request_indirect *)at, request);
    else if (request->operation == BLKIF_OP_INDIRECT)
        FILL_INDIRECT((struct blkif_x86_32_request_indirect *)at, request);
    else if (wide)
        FILL_DIRECT((struct blkif_x86_64_request *)at, request);
    else
        FILL_DIRECT((struct blkif_x86_32_request *)at, request);
    produced++;
}

static void publish(uint32_t producer)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    shared()->req_prod = producer;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    event_notify(port);
}

static int status_at(uint32_t index)
{
    void *at = entry(index);

    return wide ? ((volatile struct blkif_x86_64_response *)at)->status
                : ((volatile struct blkif_x86_32_response *)at)->status;
}

/* The answer to the oldest request that has none yet. */
static int answer(void)
{
    uint64_t deadline = time_monotonic_ns() + PATIENCE_NS;

    while (shared()->rsp_prod == consumed) {
        if (time_monotonic_ns() >= deadline)
            return NO_ANSWER;
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    }
    shared()->rsp_event = consumed + 2;
    return status_at(consumed++);
}

static int ask(const struct request *request)
{
    put(request);
    publish(produced);
    return answer();
}

static struct request honest(uint8_t operation)
{
    return (struct request){.operation = operation,
                            .count = 1,
                            .segment = {.gref = page_ref, .first_sect = 0, .last_sect = 7},
                            .indirect_ref = indirect_ref};
}

/* Every sector of the disk begins with its number. */
static bool read_is_right(uint64_t sector)
{
    struct request request = honest(BLKIF_OP_READ);
    uint32_t first;

    memset(page, UNTOUCHED, PAGE_BYTES);
    request.sector = sector;
    if (ask(&request) != BLKIF_RSP_OKAY)
        return false;
    memcpy(&first, page, sizeof(first));
    return first == (uint32_t)sector;
}

static bool untouched(void)
{
    for (unsigned int i = 0; i < PAGE_BYTES; i++)
        if ((unsigned char)page[i] != UNTOUCHED)
            return false;
    return true;
}

/* A lie is answered as it should, moves no byte into our page, and the next honest request is served. */
static void lie(const struct request *request, int expected, const char *sentence)
{
    memset(page, UNTOUCHED, PAGE_BYTES);
    CHECK_EQ(ask(request), expected, sentence);
    CHECK(untouched(), "and no byte came");
    CHECK(read_is_right(8), "and the next honest request is served");
}

static void prepare_disk(void)
{
    struct request request = honest(BLKIF_OP_WRITE);

    for (uint32_t sector = 0; sector < 64; sector += 8) {
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t number = sector + i;

            memset(page + i * 512, 0x5a, 512);
            memcpy(page + i * 512, &number, sizeof(number));
        }
        request.sector = sector;
        CHECK_EQ(ask(&request), BLKIF_RSP_OKAY, "an honest write is carried out");
    }
    request = honest(BLKIF_OP_FLUSH_DISKCACHE);
    request.count = 0;
    CHECK_EQ(ask(&request), BLKIF_RSP_OKAY, "a flush is carried out");
    CHECK(read_is_right(16), "what was written is read");
}

static void operations(void)
{
    static const uint8_t unknown[] = {BLKIF_OP_RESERVED_1, BLKIF_OP_DISCARD, 7, 255};
    struct request request;

    check_group("operations");
    for (unsigned int i = 0; i < sizeof(unknown); i++) {
        request = honest(unknown[i]);
        lie(&request, BLKIF_RSP_EOPNOTSUPP, "an operation that was not offered is refused as such");
    }
    request = honest(BLKIF_OP_INDIRECT);
    request.inner = BLKIF_OP_INDIRECT;
    lie(&request, BLKIF_RSP_EOPNOTSUPP, "an indirect request inside an indirect one is refused");
    request.inner = BLKIF_OP_FLUSH_DISKCACHE;
    lie(&request, BLKIF_RSP_ERROR, "an indirect flush is refused");
    request = honest(BLKIF_OP_WRITE_BARRIER);
    request.count = 0;
    CHECK_EQ(ask(&request), BLKIF_RSP_OKAY, "an empty barrier is one");
}

static void counts(void)
{
    static const uint16_t direct[] = {0, 12, 255}, far[] = {0, 257, 4097, 65535};
    struct request request;

    check_group("segment counts");
    for (unsigned int i = 0; i < sizeof(direct) / sizeof(direct[0]); i++) {
        request = honest(BLKIF_OP_READ);
        request.count = direct[i];
        lie(&request, BLKIF_RSP_ERROR, "none, or more segments than a request has, is an error");
    }
    for (unsigned int i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        request = honest(BLKIF_OP_INDIRECT);
        request.count = far[i];
        lie(&request, BLKIF_RSP_ERROR, "none, or more segments than were offered, is an error");
    }
    request = honest(BLKIF_OP_READ);
    request.count = SEGMENTS_MOST;
    CHECK_EQ(ask(&request), BLKIF_RSP_OKAY, "the same page in all segments is nobody's business but ours");
    request = honest(BLKIF_OP_INDIRECT);
    request.count = 256;
    CHECK_EQ(ask(&request), BLKIF_RSP_OKAY, "256 indirect segments are served");
}

static void segments(void)
{
    static const struct blkif_request_segment bad[] = {{0, 4, 3}, {0, 0, 8}, {0, 7, 255}, {0, 255, 255}, {0, 255, 0}};
    static const uint8_t how[] = {BLKIF_OP_READ, BLKIF_OP_INDIRECT};

    check_group("segments");
    for (unsigned int i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++) {
        struct request request = honest(how[i % 2]);

        request.segment.first_sect = bad[i / 2].first_sect;
        request.segment.last_sect = bad[i / 2].last_sect;
        lie(&request, BLKIF_RSP_ERROR, "a segment that leaves its page is an error");
    }
}

static void references(void)
{
    grant_ref_t other = (grant_ref_t)grant_access(pv_domid(), virt_to_mfn(page), false);
    grant_ref_t reading = (grant_ref_t)grant_access(backend, virt_to_mfn(page), true);
    grant_ref_t bad[] = {500, 100000, UINT32_MAX, other, reading};
    struct request request;

    check_group("grant references");
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request = honest(BLKIF_OP_READ);
        request.segment.gref = bad[i];
        lie(&request, BLKIF_RSP_ERROR, "a page that was not granted for writing is an error");
        request = honest(BLKIF_OP_INDIRECT);
        request.segment.gref = bad[i];
        lie(&request, BLKIF_RSP_ERROR, "and so in an indirect request");
        if (bad[i] == reading)
            continue;
        request = honest(BLKIF_OP_INDIRECT);
        request.indirect_ref = bad[i];
        lie(&request, BLKIF_RSP_ERROR, "and so for the page of segments");
    }
    CHECK_EQ(grant_end_access(other), 0, "what was never ours to give is not in use");
    CHECK_EQ(grant_end_access(reading), 0, "nothing stays mapped after an error");
}

static void sectors(void)
{
    static const uint64_t bad[] = {1u << 30, UINT64_MAX, UINT64_MAX - 7, 1ull << 63, 1ull << 55};
    struct request request;

    check_group("sectors");
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request = honest(BLKIF_OP_READ);
        request.sector = bad[i];
        lie(&request, BLKIF_RSP_ERROR, "reading past the end is an error");
        request = honest(BLKIF_OP_WRITE);
        request.sector = bad[i];
        lie(&request, BLKIF_RSP_ERROR, "writing past the end is an error");
    }
}

/* A full ring of lies, many times over: answered one by one, in a time that shows nobody waits for a timer. */
static void floods(void)
{
    struct request request = honest(BLKIF_OP_RESERVED_1);
    bool refused = true;

    check_group("floods");
    for (unsigned int round = 0; round < 20; round++) {
        for (unsigned int i = 0; i < entries; i++)
            put(&request);
        publish(produced);
        for (unsigned int i = 0; i < entries; i++)
            refused = refused && answer() == BLKIF_RSP_EOPNOTSUPP;
    }
    CHECK(refused, "a ring full of lies is answered in full");
    for (unsigned int i = 0; i < 10000; i++)
        event_notify(port);
    CHECK(read_is_right(8), "events without requests cost only us");
}

static void indices(void)
{
    static const uint32_t jumps[] = {33, 1000, 0x80000000, UINT32_MAX};

    check_group("indices");
    for (unsigned int i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        CHECK(connect(), "it connects anew");
        CHECK(read_is_right(8), "and works");
        publish(produced + jumps[i]);
        CHECK(backend_is(XenbusStateClosed), "an impossible index has the device cut off");
    }
    CHECK(connect(), "it connects anew");
    shared()->rsp_event = 0x12345678;
    shared()->req_event = 0x87654321;
    CHECK(read_is_right(24), "event indices are our own affair");
    shared()->rsp_prod = 77777;
    consumed = shared()->rsp_prod;
    publish(produced);
    thread_sleep_ns(10000000);
    CHECK(connect(), "a response index that we wrote harms nobody");
    CHECK(read_is_right(8), "and it works");
}

/* A node that is wrong: the device is closed, and an honest beginning opens it again. */
static void wrong_node(const char *node, const char *value, const char *sentence)
{
    start_over();
    honest_nodes();
    if (value != NULL)
        write_front(node, value);
    else
        remove_node(node);
    (void)xenbus_switch_state(xs, FRONT, XenbusStateInitialised);
    CHECK(backend_is(XenbusStateClosed), sentence);
}

static void nodes(void)
{
    static const char *const bad[] = {"", "x", "-1", "4294967296", "18446744073709551616", "0x8", "8 ", "999999"};
    char page_long[2000];

    check_group("nodes");
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        wrong_node("ring-ref", bad[i], "a ring-ref that is none closes the device");
        wrong_node("event-channel", bad[i], "an event-channel that is none closes the device");
    }
    memset(page_long, '9', sizeof(page_long) - 1);
    page_long[sizeof(page_long) - 1] = '\0';
    wrong_node("ring-ref", page_long, "a very long ring-ref closes the device");
    wrong_node("ring-ref", NULL, "a missing ring-ref closes the device");
    wrong_node("event-channel", NULL, "a missing event-channel closes the device");
    wrong_node("protocol", "sparc-abi", "an unknown protocol closes the device");
    wrong_node("ring-page-order", "5", "a ring larger than offered closes the device");
    wrong_node("ring-page-order", "4294967295", "a ring without end closes the device");
    wrong_node("ring-page-order", "1", "a ring without its pages closes the device");
    CHECK(connect(), "after all that it connects");
    CHECK(read_is_right(8), "and works");
}

static void states(void)
{
    static const char *const bad[] = {"", "0", "9", "99", "-1", "abc", "4294967297", "3x"};

    check_group("states");
    CHECK(connect(), "it connects");
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_front("state", bad[i]);
        thread_sleep_ns(2000000);
    }
    for (unsigned int i = 0; i < 300; i++)
        (void)xenbus_switch_state(xs, FRONT, (enum xenbus_state)(i * 7 % 9));
    CHECK(connect(), "after any sequence of states it connects");
    CHECK(read_is_right(8), "and works");
}

/* Several pages in one ring, and the ring's own page as data. */
static void rings(void)
{
    struct request request;
    char node[16];

    check_group("rings");
    start_over();
    honest_nodes();
    remove_node("ring-ref");
    write_number("ring-page-order", 2);
    for (unsigned int i = 0; i < RING_PAGES; i++) {
        snprintf(node, sizeof(node), "ring-ref%u", i);
        write_number(node, ring_refs[i]);
    }
    fresh_ring(RING_PAGES);
    (void)xenbus_switch_state(xs, FRONT, XenbusStateInitialised);
    CHECK(backend_is(XenbusStateConnected), "a ring of four pages connects");
    for (unsigned int i = 0; i < 2 * entries; i++)
        if (!CHECK(read_is_right(i % 32), "and goes around"))
            break;
    CHECK(connect(), "it connects with one page again");
    request = honest(BLKIF_OP_WRITE);
    request.segment.gref = ring_refs[0];
    request.sector = 64;
    CHECK_EQ(ask(&request), BLKIF_RSP_OKAY, "the ring itself can be written to the disk");
    CHECK(read_is_right(8), "and it works");
    CHECK_EQ(grant_end_access(ring_refs[0]), -EBUSY, "a ring in use cannot be taken back");
}

static void all_lies(void)
{
    operations();
    counts();
    segments();
    references();
    sectors();
    floods();
}

static void setup(void)
{
    char *other;

    xs = xs_open(0);
    ring = pages_alloc(RING_PAGES);
    page = pages_alloc(1);
    indirect = pages_alloc(1);
    if (xs == NULL || ring == NULL || page == NULL || indirect == NULL)
        pv_panic("no memory for the test\n");
    other = xs_read(xs, XBT_NULL, FRONT "/backend", NULL);
    snprintf(back, sizeof(back), "%s", other != NULL ? other : "");
    free(other);
    for (unsigned int i = 0; i < RING_PAGES; i++)
        ring_refs[i] = (grant_ref_t)grant_access(backend, virt_to_mfn(ring + i * PAGE_BYTES), false);
    page_ref = (grant_ref_t)grant_access(backend, virt_to_mfn(page), false);
    indirect_ref = (grant_ref_t)grant_access(backend, virt_to_mfn(indirect), false);
    port = (evtchn_port_t)event_alloc_unbound(backend, NULL, NULL);
}

/* The port is bound anew with each connection: the old one is not free while the backend holds it. */
int main(int argc, char **argv)
{
    setup();
    for (unsigned int i = 0; i < 4; i++) {
        wide = i & 1;
        persistent = i & 2;
        printf("hostile: %s-bit ring%s\n", wide ? "64" : "32", persistent ? ", persistent grants" : "");
        CHECK(connect(), "an honest frontend connects");
        prepare_disk();
        all_lies();
    }
    persistent = false;
    indices();
    nodes();
    states();
    rings();
    (void)xs_rm(xs, XBT_NULL, FRONT);
    thread_sleep_ns(50000000);
    return check_summary("blk-hostile") != 0;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The driver of virtio serial ports: bytes keep their order over page and buffer borders, a port has the name and the
 * connection the device says, nobody sleeps through a change, and a device that lies loses its ports and nothing else.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>

#include "dom0-tools/machine/machine.h"
#include "dom0-tools/machine/serial_port.h"
#include "dom0-tools/machine/virtio.h"
#include "driver_fake.h"
#include "virtio_fake.h"
#include "tests/unit/run_suite.h"

#define MULTIPORT 2u
#define ALL       (MULTIPORT | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)
#define QUEUES    20u

enum { CONTROL_TO_DRIVER = 2, CONTROL_TO_DEVICE = 3, PORT1_IN = 4, PORT1_OUT = 5 };
enum { READY, ADD, REMOVE, PORT_READY, CONSOLE, RESIZE, OPEN, NAME };

static uint32_t ports_offered;
static uint16_t bells[QUEUES];
static struct device_side sides[QUEUES];
static struct serial_port *found;
static struct machine_device *devices, **devices_end = &devices;

bool virtio_queue_start(struct virtio_device *device, uint16_t index, struct virtqueue *queue,
                        volatile uint16_t **doorbell)
{
    ck_assert_uint_lt(index, QUEUES);
    *doorbell = &bells[index];
    sides[index] = (struct device_side){.queue = queue};
    return virtqueue_init(queue, 128, device->features & VIRTIO_F_EVENT_IDX, device->features & VIRTIO_F_INDIRECT_DESC);
}

uint64_t virtio_config(const struct virtio_device *device, unsigned int offset, unsigned int bytes)
{
    return offset == 4 && bytes == 4 ? ports_offered : 0;
}

void machine_add(struct machine_device *device)
{
    *devices_end = device;
    devices_end = &device->next;
}

const struct machine_device *machine_next(const struct machine_device *after)
{
    return after != NULL ? after->next : devices;
}

void *dma_run_alloc(unsigned int pages)
{
    return kept[kept_count++] = aligned_alloc(DMA_PAGE_BYTES, pages * DMA_PAGE_BYTES);
}

/* Pages that lie together for us do so for the device. */
uint64_t dma_machine(const void *page)
{
    return (uint64_t)(uintptr_t)page;
}

void thread_yield(void)
{
}

static void says(uint32_t port, uint16_t event, uint16_t value, const char *more, unsigned int length)
{
    struct descriptor chain[VIRTQUEUE_SIZE_MAX];
    unsigned int count;
    uint16_t head;

    ck_assert(fetch(&sides[CONTROL_TO_DRIVER], &head, chain, &count));
    memcpy((void *)(uintptr_t)chain[0].address, &port, 4);
    memcpy((uint8_t *)(uintptr_t)chain[0].address + 4, &event, 2);
    memcpy((uint8_t *)(uintptr_t)chain[0].address + 6, &value, 2);
    memcpy((uint8_t *)(uintptr_t)chain[0].address + 8, more, strlen(more));
    complete(&sides[CONTROL_TO_DRIVER], head, length);
}

static bool ordered(uint32_t *port, uint16_t *event, uint16_t *value)
{
    struct descriptor chain[VIRTQUEUE_SIZE_MAX];
    unsigned int count;
    uint16_t head;

    if (!fetch(&sides[CONTROL_TO_DEVICE], &head, chain, &count))
        return false;
    memcpy(port, (void *)(uintptr_t)chain[0].address, 4);
    memcpy(event, (uint8_t *)(uintptr_t)chain[0].address + 4, 2);
    memcpy(value, (uint8_t *)(uintptr_t)chain[0].address + 6, 2);
    complete(&sides[CONTROL_TO_DEVICE], head, 0);
    return true;
}

static void on_port(struct serial_port *port)
{
    found = port;
}

static struct machine_device *start(uint64_t offered)
{
    static const struct pci_function pci = {.interrupt_line = 10};
    static struct machine_device *all[16]; /* for good */
    static unsigned int count;

    transport = (struct driver_fake){.features = offered};
    ports_offered = 31;
    found = NULL;
    devices = NULL;
    devices_end = &devices;
    serial_port_listen(on_port);
    found = NULL;
    all[count] = virtio_serial_start(&pci, 0);
    return all[count++];
}

static struct serial_port *open_port(void)
{
    ck_assert_str_eq(start(ALL)->problem, "");
    says(1, ADD, 1, "", 8);
    says(1, NAME, 1, "link0", 13);
    says(1, OPEN, 1, "", 8);
    driver_run();
    ck_assert_ptr_nonnull(found);
    return found;
}

START_TEST(test_opens)
{
    static const uint16_t orders[][3] = {{0, READY, 1}, {1, PORT_READY, 1}, {1, OPEN, 1}};
    struct serial_port *port = open_port();
    uint16_t event, value;
    uint32_t number;

    ck_assert_str_eq(serial_port_name(port), "link0");
    ck_assert_uint_eq(serial_port_connection(port), 1);
    for (unsigned int i = 0; i < 3; i++) {
        ck_assert(ordered(&number, &event, &value));
        ck_assert_uint_eq(number, orders[i][0]);
        ck_assert_uint_eq(event, orders[i][1]);
        ck_assert_uint_eq(value, orders[i][2]);
    }
    ck_assert(!ordered(&number, &event, &value));
    says(1, OPEN, 0, "", 8);
    says(1, OPEN, 1, "", 8);
    driver_run();
    ck_assert_uint_eq(serial_port_connection(port), 3);
    ck_assert(devices->link);
}
END_TEST

/* Without named ports it is of no use, and says why. */
START_TEST(test_old_device)
{
    struct machine_device *device = start(VIRTIO_F_EVENT_IDX);

    ck_assert_str_eq(device->problem, "it has no named ports");
    ck_assert(transport.given_up);
}
END_TEST

static uint8_t text[300000], seen[600000];

static size_t leaves(size_t at)
{
    struct descriptor chain[VIRTQUEUE_SIZE_MAX];
    unsigned int count;
    uint16_t head;

    if (!fetch(&sides[PORT1_OUT], &head, chain, &count))
        return at;
    for (unsigned int i = 0; i < count; i++) {
        ck_assert_uint_eq(chain[i].flags & 2, 0);
        memcpy(seen + at, (void *)(uintptr_t)chain[i].address, chain[i].bytes);
        at += chain[i].bytes;
    }
    complete(&sides[PORT1_OUT], head, 0);
    return leaves(at);
}

/* More than all buffers hold: what is not taken is taken when the device has taken its part, in order. */
START_TEST(test_sends)
{
    struct serial_port *port = open_port();
    size_t done = 0, out = 0;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 31 >> 3);
    while (done < sizeof(text)) {
        size_t part = sizeof(text) - done < 7777 ? sizeof(text) - done : 7777, got;

        got = serial_port_write(port, text + done, part);
        done += got;
        if (got < part)
            out = leaves(out);
    }
    serial_port_flush(port);
    out = leaves(out);
    ck_assert_uint_eq(out, sizeof(text));
    ck_assert(memcmp(text, seen, sizeof(text)) == 0);
    serial_port_flush(port); /* there is nothing */
    ck_assert_uint_eq(leaves(0), 0);
    ck_assert_uint_gt(bells[PORT1_OUT], 0);
}
END_TEST

/* A device that takes nothing gets no more than the buffers, and nobody waits in serial_port_write. */
START_TEST(test_full)
{
    struct serial_port *port = open_port();
    size_t most = 0, got;

    while ((got = serial_port_write(port, text, sizeof(text))) > 0)
        most += got;
    ck_assert_uint_eq(most, 8 * 65536);
}
END_TEST

static void arrives(const uint8_t *bytes, uint32_t size, uint32_t said)
{
    struct descriptor chain[VIRTQUEUE_SIZE_MAX];
    unsigned int count;
    uint16_t head;

    ck_assert(fetch(&sides[PORT1_IN], &head, chain, &count));
    ck_assert_uint_eq(chain[0].bytes, DMA_PAGE_BYTES);
    memcpy((void *)(uintptr_t)chain[0].address, bytes, size);
    complete(&sides[PORT1_IN], head, said);
}

/* Far more than the queue holds, in pieces of any size, an empty one among them. */
START_TEST(test_receives)
{
    struct serial_port *port = open_port();
    size_t came = 0, taken = 0, size;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 17 >> 2);
    for (unsigned int i = 0; taken < sizeof(text); i++) {
        uint32_t part = i % 5 == 0 ? 0 : (i * 997) % 4096 + 1;
        const uint8_t *bytes;

        if (part > sizeof(text) - came)
            part = (uint32_t)(sizeof(text) - came);
        arrives(text + came, part, part);
        came += part;
        while (i % 3 == 0 && (bytes = serial_port_peek(port, &size)) != NULL) {
            size = size > 1000 ? 1000 : size;
            ck_assert(memcmp(bytes, text + taken, size) == 0);
            serial_port_consume(port, size);
            taken += size;
        }
    }
    ck_assert_uint_eq(taken, came);
    ck_assert_ptr_null(serial_port_peek(port, &size));
}
END_TEST

/*
 * One interrupt wakes the reader before the thread that takes the control messages: the reader looks, finds nothing
 * changed, and waits for the next moment. The cut that the thread then learns of must be one.
 */
START_TEST(test_cut_is_a_moment)
{
    struct serial_port *port = open_port();
    unsigned int moment;

    says(1, OPEN, 0, "", 8);
    driver_interrupt(1);
    moment = serial_port_moment(port);
    ck_assert(!serial_port_wait(port, moment, 1));
    driver_run();
    ck_assert_uint_eq(serial_port_connection(port), 2);
    ck_assert(serial_port_wait(port, moment, 1));
}
END_TEST

/*
 * Bytes that whoever waits does not take, and buffers that he does not fill, end a wait once and not each: a wait for a
 * peer that says nothing would have no end otherwise, and take all the time there is. Whoever looked before hears of them.
 */
START_TEST(test_waits_end)
{
    struct serial_port *port = open_port();
    unsigned int moment = serial_port_moment(port);
    size_t size;

    arrives((const uint8_t *)"x", 1, 1);
    ck_assert(serial_port_wait(port, moment, 1));
    ck_assert(!serial_port_wait(port, serial_port_moment(port), 1));
    ck_assert(serial_port_wait(port, moment, 1));
    ck_assert(serial_port_peek(port, &size) != NULL && size == 1);
    while (serial_port_write(port, text, sizeof(text)) > 0)
        ;
    moment = serial_port_moment(port);
    ck_assert(!serial_port_wait(port, moment, 1));
    ck_assert_uint_gt(leaves(0), 0);
    ck_assert(serial_port_wait(port, moment, 1));
    ck_assert(!serial_port_wait(port, serial_port_moment(port), 1));
    ck_assert(serial_port_wait(port, moment, 1));
    ck_assert_uint_gt(serial_port_write(port, text, 1), 0);
}
END_TEST

/* Names that a command could not be given, or that another device has, are not taken. */
START_TEST(test_names)
{
    static const char *const bad[] = {"", "a b", "with/slash", "much-too-long-a-name", "\x1b[2J"};

    ck_assert_str_eq(start(ALL)->problem, "");
    says(1, ADD, 1, "", 8);
    driver_run();
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        says(1, NAME, 1, bad[i], 8 + (unsigned int)strlen(bad[i]));
        driver_run();
        ck_assert_str_eq(serial_port_name(found), "serial0.1");
    }
    says(1, NAME, 1, "link0", 13);
    says(2, ADD, 1, "", 8);
    says(2, NAME, 1, "link0", 13);
    driver_run();
    ck_assert_str_eq(serial_port_name(found), "serial0.2");
    says(77, ADD, 1, "", 8); /* more ports than there are queues: never mind */
    says(1, ADD, 1, "", 8);  /* twice */
    driver_run();
    ck_assert_str_eq(serial_port_name(found), "serial0.2");
    ck_assert(!transport.given_up);
}
END_TEST

/* What a device may not say ends it; its ports are disconnected, and stay so. */
START_TEST(test_lies)
{
    for (int lie = 0; lie < 3; lie++) {
        struct serial_port *port = open_port();
        size_t size;

        if (lie == 0)
            says(1, OPEN, 1, "", 3);
        if (lie == 1)
            complete(&sides[PORT1_IN], 500, 1);
        if (lie == 2)
            arrives(text, 1, 5000);
        ck_assert_ptr_null(serial_port_peek(port, &size));
        driver_run();
        ck_assert(transport.given_up);
        ck_assert_uint_eq(serial_port_connection(port), 2);
        ck_assert_str_eq(devices->problem, "it broke the rules of its queues and was switched off");
        while (serial_port_write(port, text, 65536) > 0)
            ck_assert_uint_eq(leaves(0), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("virtio_port");
    TCase *tests = tcase_create("virtio_port");

    tcase_add_test(tests, test_opens);
    tcase_add_test(tests, test_old_device);
    tcase_add_test(tests, test_sends);
    tcase_add_test(tests, test_full);
    tcase_add_test(tests, test_receives);
    tcase_add_test(tests, test_cut_is_a_moment);
    tcase_add_test(tests, test_waits_end);
    tcase_add_test(tests, test_names);
    tcase_add_test(tests, test_lies);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

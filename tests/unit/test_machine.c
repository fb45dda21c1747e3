/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Devices of the machine that say absurd things of themselves, and a device's side of a queue that breaks the rules:
 * each is refused, nothing outside the device's registers is touched, and no walk is endless. And the queue's own
 * arithmetic, whose indices wrap.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/machine/dma.h"
#include "dom0-tools/machine/mmio.h"
#include "dom0-tools/machine/pci.h"
#include "dom0-tools/machine/ports.h"
#include "dom0-tools/machine/virtio.h"
#include "dom0-tools/machine/virtqueue.h"
#include "virtio_fake.h"
#include "tests/unit/run_suite.h"

/* The machine: functions with a configuration space, whose BARs keep only the bits above their size. */
struct fake_function {
    bool present;
    uint8_t config[256];
    uint64_t bar_size[PCI_BARS];
};

static struct fake_function functions[4][32][8];
static uint32_t config_address;
static bool without_pci;

static struct fake_function *addressed(void)
{
    unsigned int bus = config_address >> 16 & 0xff;

    if (bus >= 4)
        return NULL;
    struct fake_function *f = &functions[bus][config_address >> 11 & 31][config_address >> 8 & 7];
    return f->present ? f : NULL;
}

uint32_t port_read(uint16_t port, unsigned int bytes)
{
    uint32_t value = 0xffffffff;
    struct fake_function *f = addressed();

    if (port == 0xcf8)
        return without_pci ? value : config_address;
    ck_assert_uint_ge(port, 0xcfc);
    if (f != NULL)
        memcpy(&value, f->config + (config_address & 0xfc) + (port - 0xcfc), bytes);
    return bytes == 4 ? value : value & ((1u << bytes * 8) - 1);
}

void port_write(uint16_t port, unsigned int bytes, uint32_t value)
{
    struct fake_function *f = addressed();
    unsigned int offset = (config_address & 0xfc) + (port - 0xcfcu);

    if (port == 0xcf8) {
        config_address = value;
        return;
    }
    if (f == NULL)
        return;
    if (offset >= PCI_BAR0 && offset < PCI_BAR0 + 4 * PCI_BARS) {
        unsigned int index = (offset - PCI_BAR0) / 4;
        uint32_t flags = f->config[PCI_BAR0 + 4 * index] & 0xf;
        bool high = index > 0 && f->bar_size[index - 1] && (f->config[PCI_BAR0 + 4 * index - 4] & 7) == 4;
        uint64_t mask = high ? ~(f->bar_size[index - 1] - 1) >> 32 : f->bar_size[index] ? ~(f->bar_size[index] - 1) : 0;

        ck_assert_msg((f->config[PCI_COMMAND] & 3) == 0, "a BAR is moved while it decodes");
        value = (value & (uint32_t)mask) | (high || f->bar_size[index] == 0 ? 0 : flags);
    }
    memcpy(f->config + offset, &value, bytes);
}

static unsigned int found_count;
static struct pci_function found_functions[64];

static void on_found(const struct pci_function *pci)
{
    ck_assert_uint_lt(found_count, 64);
    found_functions[found_count++] = *pci;
}

static struct fake_function *put(unsigned int bus, unsigned int slot, unsigned int function, uint16_t vendor,
                                 uint16_t device)
{
    struct fake_function *f = &functions[bus][slot][function];

    f->present = true;
    memcpy(f->config, &vendor, 2);
    memcpy(f->config + 2, &device, 2);
    return f;
}

static void scan(void)
{
    found_count = 0;
    pci_scan(on_found);
}

START_TEST(test_scan_finds_all)
{
    put(0, 0, 0, 0x8086, 1);
    put(0, 1, 0, 0x8086, 2)->config[PCI_HEADER_TYPE] = 0x80;
    put(0, 1, 3, 0x8086, 3);
    put(0, 2, 1, 0x8086, 4); /* nobody at function 0: nobody asks for the others */
    put(0, 3, 0, 0x8086, 5)->config[PCI_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    functions[0][3][0].config[PCI_SECONDARY_BUS] = 2;
    put(2, 31, 0, VIRTIO_VENDOR, 0x1042)->config[PCI_INTERRUPT_LINE] = 11;
    functions[2][31][0].config[PCI_INTERRUPT_PIN] = 1;
    put(2, 30, 0, VIRTIO_VENDOR, 0x1041)->config[PCI_INTERRUPT_LINE] = 10; /* but no pin */
    scan();
    ck_assert_uint_eq(found_count, 5);
    ck_assert_uint_eq(found_functions[2].function, 3);
    ck_assert_uint_eq(found_functions[3].slot, 30);
    ck_assert_uint_eq(found_functions[3].interrupt_line, 0);
    ck_assert_uint_eq(found_functions[4].bus, 2);
    ck_assert_uint_eq(found_functions[4].interrupt_line, 11);
}
END_TEST

/* Bridges that lead to their own bus, or to each other's, must not be walked for ever. */
START_TEST(test_scan_ends)
{
    put(0, 3, 0, 0x8086, 5)->config[PCI_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    functions[0][3][0].config[PCI_SECONDARY_BUS] = 1;
    put(1, 3, 0, 0x8086, 5)->config[PCI_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    functions[1][3][0].config[PCI_SECONDARY_BUS] = 0;
    put(1, 4, 0, 0x8086, 5)->config[PCI_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    functions[1][4][0].config[PCI_SECONDARY_BUS] = 1;
    put(1, 5, 0, 0x8086, 6);
    scan();
    ck_assert_uint_eq(found_count, 1);
}
END_TEST

START_TEST(test_no_pci)
{
    without_pci = true;
    scan();
    ck_assert_uint_eq(found_count, 0);
}
END_TEST

static const struct pci_function at_slot4 = {.slot = 4, .vendor = VIRTIO_VENDOR, .device = 0x1042};

static void put_bar(struct fake_function *f, unsigned int index, uint64_t base, uint64_t size, uint8_t flags)
{
    uint32_t low = (uint32_t)base | flags, high = (uint32_t)(base >> 32);

    memcpy(f->config + PCI_BAR0 + 4 * index, &low, 4);
    if ((flags & 7) == 4)
        memcpy(f->config + PCI_BAR0 + 4 * index + 4, &high, 4);
    f->bar_size[index] = size;
}

START_TEST(test_bars)
{
    struct fake_function *f = put(0, 4, 0, VIRTIO_VENDOR, 0x1042), before;
    struct pci_bar bar;

    f->config[PCI_COMMAND] = 7;
    put_bar(f, 0, 0xc000, 0x80, 1);
    put_bar(f, 1, 0xfeb00000, 0x1000, 0);
    put_bar(f, 2, 0x12fe000000, 0x4000, 0xc);
    put_bar(f, 4, 0, 0x1000, 0);
    put_bar(f, 5, 0xfe000000, 0x1000, 4); /* 64 bits in the last register */
    before = *f;
    ck_assert(pci_bar_read(&at_slot4, 0, &bar) && !bar.memory && bar.base == 0xc000 && bar.size == 0x80);
    ck_assert(pci_bar_read(&at_slot4, 1, &bar) && bar.memory && bar.base == 0xfeb00000 && bar.size == 0x1000);
    ck_assert(pci_bar_read(&at_slot4, 2, &bar) && bar.memory && bar.base == 0x12fe000000 && bar.size == 0x4000);
    ck_assert(!pci_bar_read(&at_slot4, 4, &bar));
    ck_assert(!pci_bar_read(&at_slot4, 5, &bar));
    ck_assert(!pci_bar_read(&at_slot4, 6, &bar));
    ck_assert_mem_eq(before.config, f->config, 256);
}
END_TEST

/* A list of capabilities that is a circle, or points into the header. */
START_TEST(test_capability_circle)
{
    struct fake_function *f = put(0, 4, 0, VIRTIO_VENDOR, 0x1042);

    ck_assert_uint_eq(pci_capability(&at_slot4, 0, 9), 0);
    f->config[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
    f->config[PCI_CAPABILITIES] = 0x40;
    f->config[0x40] = 5;
    f->config[0x41] = 0x50;
    f->config[0x50] = 5;
    f->config[0x51] = 0x40;
    ck_assert_uint_eq(pci_capability(&at_slot4, 0, 9), 0);
    f->config[0x51] = 0x0c;
    ck_assert_uint_eq(pci_capability(&at_slot4, 0, 9), 0);
    f->config[0x51] = 0x63;
    f->config[0x60] = 9;
    ck_assert_uint_eq(pci_capability(&at_slot4, 0, 9), 0x60);
    f->config[0x61] = 0x60;
    ck_assert_uint_eq(pci_capability(&at_slot4, 0x60, 9), 0x60);
}
END_TEST

/* A virtio device whose registers are memory of exactly its BAR's size, so that the sanitizer sees what goes astray. */
#define BAR_BYTES 0x2000u
#define BAR_BASE  0xfe000000u
#define COMMON_AT 0x0u
#define ISR_AT    0x100u
#define CONFIG_AT 0x200u
#define NOTIFY_AT 0x1000u

static uint8_t *registers;

volatile uint8_t *mmio_map(uint64_t machine, uint64_t bytes)
{
    return bytes <= MMIO_BYTES_MAX ? registers + (machine - BAR_BASE) : NULL;
}

static void put_capability(struct fake_function *f, unsigned int at, uint8_t kind, uint8_t bar, uint32_t offset,
                           uint32_t length)
{
    uint32_t multiplier = 4;

    f->config[at] = 9;
    f->config[at + 1] = kind < 4 ? (uint8_t)(at + 0x14) : 0;
    f->config[at + 2] = 0x14;
    f->config[at + 3] = kind;
    f->config[at + 4] = bar;
    memcpy(f->config + at + 8, &offset, 4);
    memcpy(f->config + at + 12, &length, 4);
    memcpy(f->config + at + 16, &multiplier, 4);
}

#define CAP(kind) (0x40u + ((kind)-1u) * 0x14u)

static void set16(unsigned int at, uint16_t value)
{
    memcpy(registers + at, &value, 2);
}

static struct fake_function *sane_device(void)
{
    struct fake_function *f = put(0, 4, 0, VIRTIO_VENDOR, 0x1042);
    uint32_t features = 1;

    registers = calloc(1, BAR_BYTES);
    put_bar(f, 1, 0xc000, 0x40, 1);
    put_bar(f, 4, BAR_BASE, BAR_BYTES, 4);
    f->config[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
    f->config[PCI_CAPABILITIES] = 0x40;
    put_capability(f, CAP(1), 1, 4, COMMON_AT, 0x38);
    put_capability(f, CAP(2), 2, 4, NOTIFY_AT, 0x1000);
    put_capability(f, CAP(3), 3, 4, ISR_AT, 1);
    put_capability(f, CAP(4), 4, 4, CONFIG_AT, 16);
    memcpy(registers + 4, &features, 4); /* whatever half is selected: bits 0 and 32 */
    set16(18, 2);
    set16(24, 256);
    set16(30, 1);
    return f;
}

static struct virtio_device device;

static bool opens(void)
{
    memset(&device, 0, sizeof(device));
    return virtio_open(&device, &at_slot4);
}

START_TEST(test_device_starts)
{
    struct fake_function *f = sane_device();
    struct virtqueue queue;
    volatile uint16_t *doorbell;

    ck_assert_msg(opens(), "%s", device.problem);
    ck_assert_uint_eq(f->config[PCI_COMMAND] & 7, 6);
    ck_assert(virtio_negotiate(&device, 1 | VIRTIO_F_EVENT_IDX));
    ck_assert_uint_eq(device.features, 1 | VIRTIO_F_VERSION_1);
    ck_assert_msg(virtio_queue_start(&device, 1, &queue, &doorbell), "%s", device.problem);
    ck_assert_uint_eq(queue.size, VIRTQUEUE_SIZE_MAX);
    ck_assert_ptr_eq((const uint8_t *)doorbell, registers + NOTIFY_AT + 4);
    ck_assert_uint_eq(*(uint64_t *)(registers + 32), queue.machine);
    ck_assert_uint_eq(*(uint16_t *)(registers + 24), VIRTQUEUE_SIZE_MAX);
    ck_assert(virtio_start(&device));
    registers[CONFIG_AT + 15] = 7;
    ck_assert_uint_eq(virtio_config(&device, 15, 1), 7);
    ck_assert_uint_eq(virtio_config(&device, 16, 1), 0);
    ck_assert_uint_eq(virtio_config(&device, 12, 8), 0);
    virtio_give_up(&device);
    ck_assert_uint_eq(f->config[PCI_COMMAND] & PCI_COMMAND_MASTER, 0);
}
END_TEST

/* Registers where none can be: outside the BAR, in no BAR, in ports, too few, in a BAR that nobody can map. */
START_TEST(test_absurd_capabilities)
{
    static const struct {
        uint8_t kind, bar;
        uint32_t offset, length;
    } absurd[] = {
        {1, 6, 0, 0x38},      {1, 255, 0, 0x38},        {1, 0, 0, 0x38},
        {1, 1, 0, 0x38},      {1, 4, 0, 0x37},          {1, 4, 2, 0x38},
        {1, 4, 0x1fcc, 0x38}, {1, 4, 0xfffffff0, 0x38}, {1, 4, 0x38, 0xffffffff},
        {2, 4, 0x2000, 2},    {2, 4, 0x1000, 1},        {3, 4, 0x2000, 1},
        {3, 4, 0, 0},         {4, 4, 0x1ffc, 5},
    };

    for (unsigned int i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
        put_capability(sane_device(), CAP(absurd[i].kind), absurd[i].kind, absurd[i].bar, absurd[i].offset,
                       absurd[i].length);
        ck_assert_msg(!opens(), "case %u", i);
        ck_assert_msg(device.problem[0] != '\0', "case %u", i);
        free(registers);
    }
    put_bar(sane_device(), 4, 0x80000000, 0x80000000, 4);
    ck_assert(!opens());
    ck_assert_ptr_nonnull(strstr(device.problem, "cannot be mapped"));
}
END_TEST

/* One kind of registers missing, or none at all: the interface from before 1.0. */
START_TEST(test_legacy_only)
{
    for (unsigned int kind = 1; kind <= 3; kind++) {
        sane_device()->config[CAP(kind)] = 5;
        ck_assert(!opens());
        ck_assert_ptr_nonnull(strstr(device.problem, "before virtio 1.0"));
        free(registers);
    }
}
END_TEST

START_TEST(test_absurd_queues)
{
    static const uint16_t sizes[] = {0, 1, 3, 100, 65535};
    struct virtqueue queue;
    volatile uint16_t *doorbell;

    sane_device();
    ck_assert(opens() && virtio_negotiate(&device, 0));
    for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        set16(24, sizes[i]);
        ck_assert_msg(!virtio_queue_start(&device, 0, &queue, &doorbell), "%u", sizes[i]);
    }
    set16(24, 64);
    ck_assert(!virtio_queue_start(&device, 2, &queue, &doorbell));
    set16(30, 0x400);
    ck_assert(!virtio_queue_start(&device, 0, &queue, &doorbell));
    ck_assert_ptr_nonnull(strstr(device.problem, "doorbell"));
    set16(30, 0x3ff);
    ck_assert(virtio_queue_start(&device, 0, &queue, &doorbell));
    ck_assert_uint_eq(queue.size, 64);
}
END_TEST

START_TEST(test_without_virtio_1)
{
    sane_device();
    memset(registers + 4, 0, 4);
    ck_assert(opens());
    ck_assert(!virtio_negotiate(&device, 1));
}
END_TEST

static struct virtqueue queue;
static int tokens[VIRTQUEUE_SIZE_MAX];

/* Chains of changing length, answered in changing order, until every index has wrapped: nothing is lost or doubled. */
static void churn(uint16_t size, bool event_index, bool indirect)
{
    struct device_side d = {.queue = &queue};
    struct virtqueue_buffer buffers[3];
    uint16_t held[VIRTQUEUE_SIZE_MAX];
    unsigned int holding = 0, out = 0;
    unsigned int adds = 0;
    uint64_t next = 1;

    REQUIRE(virtqueue_init(&queue, size, event_index, indirect));
    for (unsigned int step = 0; adds < 70000; step++) {
        unsigned int count = 1 + step % 3;
        struct descriptor chain[VIRTQUEUE_SIZE_MAX];
        uint32_t bytes;
        uint16_t head;

        for (unsigned int i = 0; i < count; i++)
            buffers[i] = (struct virtqueue_buffer){next++, 512};
        if (virtqueue_add(&queue, buffers, count - 1, 1, &tokens[step % VIRTQUEUE_SIZE_MAX]))
            out++, adds++;
        else
            REQUIRE(count > size || queue.free_count < (indirect ? 1 : count));
        if (step % 7 != 0)
            continue;
        while (holding < VIRTQUEUE_SIZE_MAX && fetch(&d, &head, chain, &count)) {
            REQUIRE(count <= 3);
            for (unsigned int i = 0; i < count; i++) {
                REQUIRE(chain[i].address == chain[0].address + i);
                REQUIRE(!!(chain[i].flags & 2) == (i + 1 == count));
            }
            held[holding++] = head;
        }
        for (unsigned int i = 0; i < holding; i++)
            complete(&d, held[holding - 1 - i], 7);
        holding = 0;
        while (virtqueue_take(&queue, &bytes) != NULL) {
            REQUIRE(bytes == 7);
            out--;
        }
        REQUIRE(out == 0);
        REQUIRE(queue.free_count == size);
        REQUIRE(!queue.broken);
    }
}

START_TEST(test_queue_churn)
{
    churn(128, false, false);
    churn(128, true, true);
    churn(4, true, false);
    churn(2, false, true);
}
END_TEST

/* The rule of the event index against its definition: told exactly when the index asked for is among the new ones. */
START_TEST(test_must_notify)
{
    struct device_side d = {.queue = &queue};
    struct virtqueue_buffer buffer = {4096, 512};

    ck_assert(virtqueue_init(&queue, 128, true, false));
    for (unsigned int round = 0; round < 3000; round++) {
        uint16_t old = queue.available_index, event = (uint16_t)(old + round % 11 - 5);
        unsigned int fresh = round % 5;
        bool wanted = false;
        uint16_t head;
        struct descriptor chain[VIRTQUEUE_SIZE_MAX];
        unsigned int count;
        uint32_t bytes;

        for (unsigned int i = 0; i < fresh; i++) {
            wanted |= (uint16_t)(old + i) == event;
            ck_assert(virtqueue_add(&queue, &buffer, 1, 0, tokens));
        }
        memcpy(used(&queue) + 2 + 4 * 128, &event, 2);
        ck_assert_int_eq(virtqueue_must_notify(&queue), wanted);
        while (fetch(&d, &head, chain, &count))
            complete(&d, head, 0);
        while (virtqueue_take(&queue, &bytes) != NULL)
            ;
        ck_assert(virtqueue_arm(&queue));
        ck_assert_uint_eq(available(&queue)[2 + 128], d.used);
    }
}
END_TEST

/* Arming when something came meanwhile says so: a sleeper would wait for an interrupt that was never sent. */
START_TEST(test_arm_sees_what_came)
{
    struct device_side d = {.queue = &queue};
    struct virtqueue_buffer buffer = {4096, 512};

    for (unsigned int event_index = 0; event_index < 2; event_index++) {
        ck_assert(virtqueue_init(&queue, 8, event_index != 0, false));
        d.used = 0;
        virtqueue_quiet(&queue);
        ck_assert(virtqueue_add(&queue, &buffer, 1, 0, tokens));
        ck_assert(virtqueue_arm(&queue));
        complete(&d, 0, 0);
        ck_assert(!virtqueue_arm(&queue));
    }
}
END_TEST

/* What a device may claim to have used: a chain that is not there, one twice, more than there can be. */
START_TEST(test_hostile_device)
{
    struct virtqueue_buffer buffers[2] = {{4096, 512}, {8192, 512}};
    uint32_t bytes;

    for (unsigned int attack = 0; attack < 5; attack++) {
        struct device_side d = {.queue = &queue};

        ck_assert(virtqueue_init(&queue, 8, true, false));
        ck_assert(virtqueue_add(&queue, buffers, 1, 1, tokens));
        if (attack == 0) {
            complete(&d, 8, 0);
        } else if (attack == 1) {
            complete(&d, 1, 0); /* inside the chain, not its head */
        } else if (attack == 2) {
            complete(&d, 0, 0);
            complete(&d, 0, 0);
            ck_assert_ptr_eq(virtqueue_take(&queue, &bytes), tokens);
        } else if (attack == 3) {
            used(&queue)[1] = 9;
        } else {
            complete(&d, 0xffffffff, 0);
        }
        ck_assert_ptr_null(virtqueue_take(&queue, &bytes));
        ck_assert(queue.broken);
        ck_assert(!virtqueue_add(&queue, buffers, 1, 0, tokens));
        ck_assert(virtqueue_arm(&queue)); /* or its server would spin */
    }
}
END_TEST

START_TEST(test_queue_limits)
{
    struct virtqueue_buffer buffers[VIRTQUEUE_SIZE_MAX + 1];

    memset(buffers, 0, sizeof(buffers));
    ck_assert(virtqueue_init(&queue, 8, false, false));
    ck_assert(!virtqueue_add(&queue, buffers, 0, 0, tokens));
    ck_assert(!virtqueue_add(&queue, buffers, 9, 0, tokens));
    ck_assert(virtqueue_add(&queue, buffers, 8, 0, tokens));
    ck_assert(virtqueue_init(&queue, 8, false, true));
    ck_assert(!virtqueue_add(&queue, buffers, 8, 1, tokens));
    for (unsigned int i = 0; i < 8; i++)
        ck_assert(virtqueue_add(&queue, buffers, 8, 0, tokens));
    ck_assert(!virtqueue_add(&queue, buffers, 1, 0, tokens));
}
END_TEST

static void empty_machine(void)
{
    memset(functions, 0, sizeof(functions));
    without_pci = false;
}

int main(void)
{
    Suite *suite = suite_create("machine");
    TCase *pci = tcase_create("pci"), *virtio = tcase_create("virtio"), *rings = tcase_create("virtqueue");

    tcase_add_checked_fixture(pci, empty_machine, NULL);
    tcase_add_checked_fixture(virtio, empty_machine, NULL);
    tcase_add_test(pci, test_scan_finds_all);
    tcase_add_test(pci, test_scan_ends);
    tcase_add_test(pci, test_no_pci);
    tcase_add_test(pci, test_bars);
    tcase_add_test(pci, test_capability_circle);
    tcase_add_test(virtio, test_device_starts);
    tcase_add_test(virtio, test_absurd_capabilities);
    tcase_add_test(virtio, test_legacy_only);
    tcase_add_test(virtio, test_absurd_queues);
    tcase_add_test(virtio, test_without_virtio_1);
    tcase_add_test(rings, test_queue_churn);
    tcase_add_test(rings, test_must_notify);
    tcase_add_test(rings, test_arm_sees_what_came);
    tcase_add_test(rings, test_hostile_device);
    tcase_add_test(rings, test_queue_limits);
    suite_add_tcase(suite, pci);
    suite_add_tcase(suite, virtio);
    suite_add_tcase(suite, rings);
    return run_suite(suite);
}

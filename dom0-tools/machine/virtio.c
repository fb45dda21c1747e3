/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A virtio device's registers lie where capabilities of its configuration space say: a structure is believed when it
 * lies inside a memory BAR of bearable size, and mapped once with that BAR.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "mmio.h"
#include "virtio.h"

#define VIRTIO_TRANSITIONAL   0x1000
#define VIRTIO_MODERN         0x1040
#define VIRTIO_LAST           0x107f

#define CAPABILITY_VENDOR     0x09
#define CAPABILITY_TYPE       3
#define CAPABILITY_BAR        4
#define CAPABILITY_OFFSET     8
#define CAPABILITY_LENGTH     12
#define CAPABILITY_MULTIPLIER 16
#define CAPABILITIES_MAX      16

enum structure { COMMON = 1, NOTIFY = 2, INTERRUPT = 3, CONFIG = 4, STRUCTURES };

#define DEVICE_FEATURE_SELECT 0
#define DEVICE_FEATURE        4
#define DRIVER_FEATURE_SELECT 8
#define DRIVER_FEATURE        12
#define QUEUES                18
#define STATUS                20
#define GENERATION            21
#define QUEUE_SELECT          22
#define QUEUE_SIZE            24
#define QUEUE_ENABLE          28
#define QUEUE_NOTIFY          30
#define QUEUE_DESCRIPTORS     32
#define QUEUE_AVAILABLE       40
#define QUEUE_USED            48
#define COMMON_BYTES          56

#define STATUS_ACKNOWLEDGE    1
#define STATUS_DRIVER         2
#define STATUS_DRIVER_OK      4
#define STATUS_FEATURES_OK    8
#define RESET_POLLS           100000

static bool problem(struct virtio_device *device, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool problem(struct virtio_device *device, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(device->problem, sizeof(device->problem), format, arguments);
    va_end(arguments);
    return false;
}

static uint8_t read8(const volatile uint8_t *at)
{
    return *at;
}

static uint16_t read16(const volatile uint8_t *at)
{
    return *(const volatile uint16_t *)at;
}

static uint32_t read32(const volatile uint8_t *at)
{
    return *(const volatile uint32_t *)at;
}

static void write16(volatile uint8_t *at, uint16_t value)
{
    *(volatile uint16_t *)at = value;
}

static void write32(volatile uint8_t *at, uint32_t value)
{
    *(volatile uint32_t *)at = value;
}

/* Registers of 64 bits may be written in two halves. */
static void write64(volatile uint8_t *at, uint64_t value)
{
    write32(at, (uint32_t)value);
    write32(at + 4, (uint32_t)(value >> 32));
}

unsigned int virtio_type(const struct pci_function *pci)
{
    if (pci->vendor != VIRTIO_VENDOR)
        return 0;
    if (pci->device > VIRTIO_MODERN && pci->device <= VIRTIO_LAST)
        return pci->device - VIRTIO_MODERN;
    if (pci->device == VIRTIO_TRANSITIONAL)
        return VIRTIO_TYPE_NET;
    if (pci->device == VIRTIO_TRANSITIONAL + 3)
        return VIRTIO_TYPE_CONSOLE;
    return pci->device == VIRTIO_TRANSITIONAL + 1 ? VIRTIO_TYPE_BLOCK : 0;
}

/* Where one structure lies, as its capability says. */
struct place {
    uint8_t bar;
    uint32_t offset, length;
};

static struct place read_place(const struct pci_function *pci, unsigned int at)
{
    return (struct place){.bar = (uint8_t)pci_read(pci, at + CAPABILITY_BAR, 1),
                          .offset = pci_read(pci, at + CAPABILITY_OFFSET, 4),
                          .length = pci_read(pci, at + CAPABILITY_LENGTH, 4)};
}

/* Maps the structure's BAR, once for all that lie in it; NULL with the problem noted. */
static volatile uint8_t *map_place(struct virtio_device *device, const char *what, const struct place *place,
                                   uint32_t least, volatile uint8_t *mapped[PCI_BARS])
{
    struct pci_bar bar;

    if (place->bar >= PCI_BARS || !pci_bar_read(&device->pci, place->bar, &bar) || !bar.memory) {
        (void)problem(device, "its %s registers are in BAR %u, which is no memory", what, place->bar);
        return NULL;
    }
    if (place->length < least || place->offset % 4 != 0 || (uint64_t)place->offset + place->length > bar.size) {
        (void)problem(device, "its %s registers are said to be %u bytes at %#x of a BAR of %llu", what,
                      (unsigned int)place->length, (unsigned int)place->offset, (unsigned long long)bar.size);
        return NULL;
    }
    if (mapped[place->bar] == NULL)
        mapped[place->bar] = mmio_map(bar.base, bar.size);
    if (mapped[place->bar] == NULL) {
        (void)problem(device, "its BAR %u (%llu bytes at %#llx) cannot be mapped", place->bar,
                      (unsigned long long)bar.size, (unsigned long long)bar.base);
        return NULL;
    }
    return mapped[place->bar] + place->offset;
}

/* The first capability of each kind is the one the device prefers. */
static bool find_registers(struct virtio_device *device)
{
    static const struct {
        const char *name;
        uint32_t least;
    } kinds[STRUCTURES] = {[COMMON] = {"common", COMMON_BYTES},
                           [NOTIFY] = {"notify", 2},
                           [INTERRUPT] = {"interrupt", 1},
                           [CONFIG] = {"own", 1}};
    volatile uint8_t *mapped[PCI_BARS] = {NULL}, *found[STRUCTURES] = {NULL};
    unsigned int at = pci_capability(&device->pci, 0, CAPABILITY_VENDOR);

    for (unsigned int i = 0; at != 0 && i < CAPABILITIES_MAX; i++) {
        unsigned int kind = pci_read(&device->pci, at + CAPABILITY_TYPE, 1);
        struct place place = read_place(&device->pci, at);

        if (kind >= COMMON && kind <= CONFIG && found[kind] == NULL) {
            found[kind] = map_place(device, kinds[kind].name, &place, kinds[kind].least, mapped);
            if (found[kind] == NULL)
                return false;
            if (kind == NOTIFY) {
                device->notify_bytes = place.length;
                device->notify_multiplier = pci_read(&device->pci, at + CAPABILITY_MULTIPLIER, 4);
            }
            if (kind == CONFIG)
                device->config_bytes = place.length;
        }
        at = pci_capability(&device->pci, at, CAPABILITY_VENDOR);
    }
    device->common = found[COMMON];
    device->notify = found[NOTIFY];
    device->interrupt_status = found[INTERRUPT];
    device->config = found[CONFIG];
    if (device->common == NULL || device->notify == NULL || device->interrupt_status == NULL)
        return problem(device, "it offers only the interface from before virtio 1.0; QEMU's disable-modern=off helps");
    return true;
}

static bool reset(struct virtio_device *device)
{
    device->common[STATUS] = 0;
    for (unsigned int i = 0; i < RESET_POLLS; i++)
        if (read8(device->common + STATUS) == 0)
            return true;
    return problem(device, "it does not come out of its reset");
}

bool virtio_open(struct virtio_device *device, const struct pci_function *pci)
{
    uint32_t command = pci_read(pci, PCI_COMMAND, 2);

    device->pci = *pci;
    pci_write(pci, PCI_COMMAND, 2,
              (command & ~(uint32_t)PCI_COMMAND_INTX_DISABLE) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    if (!find_registers(device) || !reset(device))
        return false;
    device->common[STATUS] = STATUS_ACKNOWLEDGE;
    device->common[STATUS] = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
    return true;
}

uint64_t virtio_offered(const struct virtio_device *device)
{
    uint64_t features;

    write32(device->common + DEVICE_FEATURE_SELECT, 0);
    features = read32(device->common + DEVICE_FEATURE);
    write32(device->common + DEVICE_FEATURE_SELECT, 1);
    return features | (uint64_t)read32(device->common + DEVICE_FEATURE) << 32;
}

bool virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
    device->features = virtio_offered(device) & (wanted | VIRTIO_F_VERSION_1);
    if (!(device->features & VIRTIO_F_VERSION_1))
        return problem(device, "it does not offer virtio 1.0");
    for (uint32_t half = 0; half < 2; half++) {
        write32(device->common + DRIVER_FEATURE_SELECT, half);
        write32(device->common + DRIVER_FEATURE, (uint32_t)(device->features >> (32 * half)));
    }
    device->common[STATUS] = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;
    if (!(read8(device->common + STATUS) & STATUS_FEATURES_OK))
        return problem(device, "it refuses the features %#llx, which it offered", (unsigned long long)device->features);
    return true;
}

/* The largest power of 2 that both sides can do; 0: absurd. */
static uint16_t queue_size(uint16_t offered_size)
{
    uint16_t size = VIRTQUEUE_SIZE_MAX;

    if (offered_size < 2 || offered_size > 32768 || (offered_size & (offered_size - 1)) != 0)
        return 0;
    while (size > offered_size)
        size /= 2;
    return size;
}

bool virtio_queue_start(struct virtio_device *device, uint16_t index, struct virtqueue *queue,
                        volatile uint16_t **doorbell)
{
    volatile uint8_t *common = device->common;
    uint16_t size;
    uint64_t bell;

    if (index >= read16(common + QUEUES))
        return problem(device, "it has %u queues, and number %u is needed", read16(common + QUEUES), index);
    write16(common + QUEUE_SELECT, index);
    size = queue_size(read16(common + QUEUE_SIZE));
    if (size == 0)
        return problem(device, "its queue %u is said to have %u entries", index, read16(common + QUEUE_SIZE));
    bell = (uint64_t)read16(common + QUEUE_NOTIFY) * device->notify_multiplier;
    if (bell % 2 != 0 || bell + 2 > device->notify_bytes)
        return problem(device, "the doorbell of its queue %u would lie at %#llx of %#x bytes", index,
                       (unsigned long long)bell, (unsigned int)device->notify_bytes);
    if (!virtqueue_init(queue, size, device->features & VIRTIO_F_EVENT_IDX, device->features & VIRTIO_F_INDIRECT_DESC))
        return problem(device, "there is no memory for its queue %u", index);
    *doorbell = (volatile uint16_t *)(device->notify + bell);
    write16(common + QUEUE_SIZE, size);
    write64(common + QUEUE_DESCRIPTORS, queue->machine);
    write64(common + QUEUE_AVAILABLE, virtqueue_available_machine(queue));
    write64(common + QUEUE_USED, virtqueue_used_machine(queue));
    write16(common + QUEUE_ENABLE, 1);
    return true;
}

bool virtio_start(struct virtio_device *device)
{
    device->common[STATUS] = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK;
    if (!(read8(device->common + STATUS) & STATUS_DRIVER_OK))
        return problem(device, "it does not start");
    return true;
}

void virtio_give_up(struct virtio_device *device)
{
    if (device->common != NULL)
        (void)reset(device);
    pci_write(&device->pci, PCI_COMMAND, 2,
              (pci_read(&device->pci, PCI_COMMAND, 2) & ~(uint32_t)PCI_COMMAND_MASTER) | PCI_COMMAND_INTX_DISABLE);
}

static uint64_t config_once(const struct virtio_device *device, unsigned int offset, unsigned int bytes)
{
    switch (bytes) {
    case 1:
        return read8(device->config + offset);
    case 2:
        return read16(device->config + offset);
    case 4:
        return read32(device->config + offset);
    default:
        return read32(device->config + offset) | (uint64_t)read32(device->config + offset + 4) << 32;
    }
}

/* A value in two halves is whole when the device's generation has not moved meanwhile. */
uint64_t virtio_config(const struct virtio_device *device, unsigned int offset, unsigned int bytes)
{
    uint64_t value = 0;

    if (device->config == NULL || offset + bytes > device->config_bytes)
        return 0;
    for (unsigned int i = 0; i < 16; i++) {
        uint8_t generation = read8(device->common + GENERATION);

        value = config_once(device, offset, bytes);
        if (read8(device->common + GENERATION) == generation)
            break;
    }
    return value;
}

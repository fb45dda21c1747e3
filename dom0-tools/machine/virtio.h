/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The modern (1.0) virtio transport over PCI: finding a device's registers, agreeing on features, starting queues.
 * Numbers are the OASIS standard's.
 */
#ifndef MACHINE_VIRTIO_H
#define MACHINE_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"
#include "virtqueue.h"

#define VIRTIO_VENDOR          0x1af4
#define VIRTIO_TYPE_NET        1u
#define VIRTIO_TYPE_BLOCK      2u
#define VIRTIO_TYPE_CONSOLE    3u

#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

struct virtio_device {
    struct pci_function pci;
    volatile uint8_t *common, *notify, *interrupt_status, *config;
    uint32_t notify_bytes, notify_multiplier, config_bytes;
    uint64_t features; /* agreed on */
    char problem[160]; /* why the last function failed, for people */
};

/* The kind of device a PCI function is, 0 when it is no virtio device. */
unsigned int virtio_type(const struct pci_function *pci);

/* Each returns false with the reason in device->problem. First: find and map the registers, and reset the device. */
bool virtio_open(struct virtio_device *device, const struct pci_function *pci);

/* What the device can do. */
uint64_t virtio_offered(const struct virtio_device *device);

/* Takes those of `wanted` that the device offers; VERSION_1 must be among them. */
bool virtio_negotiate(struct virtio_device *device, uint64_t wanted);

/* One queue of at most VIRTQUEUE_SIZE_MAX descriptors and at least 2; *doorbell is what virtio_notify wants. */
bool virtio_queue_start(struct virtio_device *device, uint16_t index, struct virtqueue *queue,
                        volatile uint16_t **doorbell);

/* The device may work from here on. */
bool virtio_start(struct virtio_device *device);

/* After a failure: the device is reset, forgets our memory and stays silent. */
void virtio_give_up(struct virtio_device *device);

static inline void virtio_notify(volatile uint16_t *doorbell, uint16_t index)
{
    *doorbell = index;
}

/* Reads and clears what the device interrupted for: bit 0 its queues, bit 1 its configuration. */
static inline uint8_t virtio_interrupt_status(const struct virtio_device *device)
{
    return *device->interrupt_status;
}

/* The device's own configuration, 1, 2, 4 or 8 bytes; 0 past its end. */
uint64_t virtio_config(const struct virtio_device *device, unsigned int offset, unsigned int bytes);

#endif

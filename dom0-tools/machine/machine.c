/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which drivers there are, and what the scan found for them. Names follow the order of the scan, refused devices
 * included, so that a name means the same device at every start.
 */
#include <stddef.h>
#include <stdio.h>

#include "diskfile.h"
#include "machine.h"
#include "ports.h"
#include "virtio.h"

static struct machine_device *devices, **devices_end = &devices;
static unsigned int disks, cards, serials;

const struct machine_device *machine_next(const struct machine_device *after)
{
    return after != NULL ? after->next : devices;
}

void machine_add(struct machine_device *device)
{
    *devices_end = device;
    devices_end = &device->next;
}

static void on_function(const struct pci_function *pci)
{
    unsigned int type = virtio_type(pci);
    struct machine_device *device;

    if (type == VIRTIO_TYPE_BLOCK)
        device = virtio_disk_start(pci, disks++);
    else if (type == VIRTIO_TYPE_NET)
        device = virtio_card_start(pci, cards++);
    else if (type == VIRTIO_TYPE_CONSOLE)
        device = virtio_serial_start(pci, serials++);
    else
        return;
    if (device == NULL) {
        fprintf(stderr, "vane: no room for the device at PCI %02x:%02x.%u\n", pci->bus, pci->slot, pci->function);
        return;
    }
    if (device->problem[0] != '\0')
        fprintf(stderr, "vane: the %s at PCI %02x:%02x.%u cannot be used: %s\n", device->kind, pci->bus, pci->slot,
                pci->function, device->problem);
    machine_add(device);
}

int machine_start(void)
{
    int rc = ports_open();

    diskfile_mount();
    if (rc == 0)
        pci_scan(on_function);
    return rc;
}

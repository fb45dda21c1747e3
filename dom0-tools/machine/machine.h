/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The devices of the machine that dom0 drives: disks, which become volumes, network cards, which become ports of
 * the switch, and serial ports, which become links to other machines. One that cannot be used is listed all the same, with the reason.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"

struct machine_device {
    char name[16];    /* "/dev/vda", "eth0", "link0" */
    const char *kind; /* "disk", "network card", "serial ports", "link" */
    struct pci_function pci;
    char problem[160]; /* empty: it works */

    uint64_t sectors; /* a disk's, of 512 bytes */
    bool read_only;
    uint8_t address[6]; /* a card's */
    bool link;          /* a card's or a link's: someone is at the other end */

    uint64_t in_requests, in_bytes;   /* reads, frames that came */
    uint64_t out_requests, out_bytes; /* writes, frames that went */
    uint64_t flushes, errors, drops, notifications, interrupts;
    struct machine_device *next;
};

/* Finds the devices and starts them. Reports those that do not work on stderr. 0 or a negative errno. */
int machine_start(void);

/* The devices in the order found, NULL after the last. */
const struct machine_device *machine_next(const struct machine_device *after);

/* Adds a part of a device: a link of a serial device. It stays for ever. */
void machine_add(struct machine_device *device);

/* Drivers: make one device of the kind work. A device that does not has its reason in `problem`. */
struct machine_device *virtio_disk_start(const struct pci_function *pci, unsigned int number);
struct machine_device *virtio_card_start(const struct pci_function *pci, unsigned int number);
struct machine_device *virtio_serial_start(const struct pci_function *pci, unsigned int number);

#endif

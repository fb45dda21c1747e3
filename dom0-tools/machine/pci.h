/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine's PCI functions: configuration space by the ports 0xcf8 and 0xcfc, base address registers, capabilities.
 * What a function says of itself is checked against the standard's limits before it is used.
 */
#ifndef MACHINE_PCI_H
#define MACHINE_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_VENDOR                0x00
#define PCI_DEVICE                0x02
#define PCI_COMMAND               0x04
#define PCI_STATUS                0x06
#define PCI_CLASS                 0x0a
#define PCI_HEADER_TYPE           0x0e
#define PCI_BAR0                  0x10
#define PCI_SECONDARY_BUS         0x19
#define PCI_CAPABILITIES          0x34
#define PCI_INTERRUPT_LINE        0x3c
#define PCI_INTERRUPT_PIN         0x3d

#define PCI_COMMAND_IO            0x001
#define PCI_COMMAND_MEMORY        0x002
#define PCI_COMMAND_MASTER        0x004
#define PCI_COMMAND_INTX_DISABLE  0x400
#define PCI_STATUS_CAPABILITIES   0x010
#define PCI_HEADER_MULTI_FUNCTION 0x80
#define PCI_HEADER_BRIDGE         1
#define PCI_BARS                  6

struct pci_function {
    uint8_t bus, slot, function;
    uint16_t vendor, device;
    uint8_t interrupt_line; /* the interrupt pin of the machine that the firmware chose; 0 or 255: none */
};

static inline bool pci_has_interrupt(const struct pci_function *pci)
{
    return pci->interrupt_line != 0 && pci->interrupt_line != 255;
}

struct pci_bar {
    bool memory; /* otherwise ports */
    uint64_t base, size;
};

/* Any naturally aligned 1, 2 or 4 bytes of a function's configuration space. */
uint32_t pci_read(const struct pci_function *pci, unsigned int offset, unsigned int bytes);
void pci_write(const struct pci_function *pci, unsigned int offset, unsigned int bytes, uint32_t value);

/* Calls `found` for every function that answers, by bus, slot and function. A machine without PCI has none. */
void pci_scan(void (*found)(const struct pci_function *pci));

/* What a base address register decodes, measured with decoding off; false: it is not implemented or not assigned. */
bool pci_bar_read(const struct pci_function *pci, unsigned int index, struct pci_bar *bar);

/* The offset of the first capability (after 0) or of the next one with this id; 0 when there is none. */
unsigned int pci_capability(const struct pci_function *pci, unsigned int after, uint8_t id);

#endif

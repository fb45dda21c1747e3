/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Configuration space and the walk over the buses. The firmware has numbered buses and assigned addresses; nothing of
 * that is changed here. Every walk is bounded: a list of capabilities may be a circle, a bridge lead back to its bus.
 */
#include "pci.h"
#include "ports.h"

#define CONFIG_ADDRESS   0xcf8
#define CONFIG_DATA      0xcfc
#define CONFIG_ENABLE    0x80000000u
#define CAPABILITIES_MAX 48u
#define SLOTS            32u
#define FUNCTIONS        8u

static uint32_t config_address(const struct pci_function *pci, unsigned int offset)
{
    return CONFIG_ENABLE | (uint32_t)pci->bus << 16 | (uint32_t)pci->slot << 11 | (uint32_t)pci->function << 8 |
           (offset & 0xfc);
}

uint32_t pci_read(const struct pci_function *pci, unsigned int offset, unsigned int bytes)
{
    port_write(CONFIG_ADDRESS, 4, config_address(pci, offset));
    return port_read((uint16_t)(CONFIG_DATA + (offset & 3)), bytes);
}

void pci_write(const struct pci_function *pci, unsigned int offset, unsigned int bytes, uint32_t value)
{
    port_write(CONFIG_ADDRESS, 4, config_address(pci, offset));
    port_write((uint16_t)(CONFIG_DATA + (offset & 3)), bytes, value);
}

static bool has_pci(void)
{
    port_write(CONFIG_ADDRESS, 4, CONFIG_ENABLE);
    return port_read(CONFIG_ADDRESS, 4) == CONFIG_ENABLE;
}

/* Buses still to look at, one bit each. A bus gets its bit once: `known` remembers. */
struct buses {
    uint32_t wanted[8], known[8];
};

static void want_bus(struct buses *buses, uint8_t bus)
{
    uint32_t bit = 1u << (bus % 32);

    if (!(buses->known[bus / 32] & bit))
        buses->wanted[bus / 32] |= bit;
    buses->known[bus / 32] |= bit;
}

/* True when the function is there; *multiple: its slot has more. */
static bool scan_function(struct pci_function *pci, struct buses *buses, bool *multiple,
                          void (*found)(const struct pci_function *pci))
{
    uint32_t id = pci_read(pci, PCI_VENDOR, 4);
    uint8_t header;

    if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
        return false;
    header = (uint8_t)pci_read(pci, PCI_HEADER_TYPE, 1);
    *multiple = (header & PCI_HEADER_MULTI_FUNCTION) != 0;
    if ((header & 0x7f) == PCI_HEADER_BRIDGE)
        want_bus(buses, (uint8_t)pci_read(pci, PCI_SECONDARY_BUS, 1));
    pci->vendor = (uint16_t)id;
    pci->device = (uint16_t)(id >> 16);
    pci->interrupt_line = pci_read(pci, PCI_INTERRUPT_PIN, 1) != 0 ? (uint8_t)pci_read(pci, PCI_INTERRUPT_LINE, 1) : 0;
    if ((header & 0x7f) == 0)
        found(pci);
    return true;
}

static void scan_bus(uint8_t bus, struct buses *buses, void (*found)(const struct pci_function *pci))
{
    for (unsigned int slot = 0; slot < SLOTS; slot++) {
        bool multiple = true;

        for (unsigned int function = 0; function < FUNCTIONS && multiple; function++) {
            struct pci_function pci = {.bus = bus, .slot = (uint8_t)slot, .function = (uint8_t)function};
            bool more = multiple;

            if (!scan_function(&pci, buses, &more, found) && function == 0)
                break;
            if (function == 0)
                multiple = more;
        }
    }
}

void pci_scan(void (*found)(const struct pci_function *pci))
{
    struct buses buses = {.wanted = {1}, .known = {1}};
    bool any = has_pci();

    while (any) {
        any = false;
        for (unsigned int bus = 0; bus < 256; bus++) {
            if (!(buses.wanted[bus / 32] >> (bus % 32) & 1))
                continue;
            buses.wanted[bus / 32] &= ~(1u << (bus % 32));
            scan_bus((uint8_t)bus, &buses, found);
            any = true;
        }
    }
}

/* Writes ones and reads back which stick: the size of what the register decodes. */
static uint32_t bar_mask(const struct pci_function *pci, unsigned int offset)
{
    uint32_t value = pci_read(pci, offset, 4), mask;

    pci_write(pci, offset, 4, 0xffffffff);
    mask = pci_read(pci, offset, 4);
    pci_write(pci, offset, 4, value);
    return mask;
}

bool pci_bar_read(const struct pci_function *pci, unsigned int index, struct pci_bar *bar)
{
    unsigned int offset = PCI_BAR0 + 4 * index;
    uint32_t command, low;
    uint64_t mask;

    if (index >= PCI_BARS)
        return false;
    low = pci_read(pci, offset, 4);
    bar->memory = !(low & 1);
    if (bar->memory && (low & 6) == 4 && index + 1 >= PCI_BARS)
        return false;
    command = pci_read(pci, PCI_COMMAND, 2);
    pci_write(pci, PCI_COMMAND, 2, command & ~(uint32_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
    mask = bar_mask(pci, offset) & (bar->memory ? ~(uint64_t)0xf : ~(uint64_t)3);
    bar->base = low & (bar->memory ? ~0xfu : ~3u);
    if (bar->memory && (low & 6) == 4) {
        bar->base |= (uint64_t)pci_read(pci, offset + 4, 4) << 32;
        mask = (mask & 0xffffffff) | (uint64_t)bar_mask(pci, offset + 4) << 32;
    } else if ((uint32_t)mask != 0) {
        mask |= (uint64_t)0xffffffff << 32;
        if (!bar->memory)
            mask |= 0xffff0000; /* a port register may have 16 bits */
    }
    pci_write(pci, PCI_COMMAND, 2, command);
    bar->size = ~mask + 1;
    return (uint32_t)mask != 0 && bar->base != 0 && bar->base + bar->size > bar->base;
}

unsigned int pci_capability(const struct pci_function *pci, unsigned int after, uint8_t id)
{
    unsigned int at;

    if (after == 0 && !(pci_read(pci, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
        return 0;
    at = pci_read(pci, after == 0 ? PCI_CAPABILITIES : after + 1, 1) & 0xfc;
    for (unsigned int i = 0; i < CAPABILITIES_MAX && at >= 0x40; i++) {
        if (pci_read(pci, at, 1) == id)
            return at;
        at = pci_read(pci, at + 1, 1) & 0xfc;
    }
    return 0;
}

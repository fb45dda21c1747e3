/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of learned addresses; see addresses.h. An entry is in one hash chain, and there is at most one for each
 * bridge and address.
 */
#include "addresses.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u

struct address_entry {
    struct address_entry *next;    /* of the chain */
    struct address_entry *of_port; /* the port's next */
    struct switch_port *port;
    uint8_t address[6];
    bool fixed;
    uint64_t seen_ns, order; /* order: which of two was seen later, when the clock does not tell */
};

static struct address_entry *buckets[BUCKETS];
static uint64_t last_order;

static unsigned int hash(const uint8_t address[6])
{
    uint32_t value = 0;

    for (unsigned int i = 0; i < 6; i++)
        value = value * 31 + address[i];
    return (value ^ value >> 8 ^ value >> 16) % BUCKETS;
}

static struct address_entry *find(const char *bridge, const uint8_t address[6])
{
    struct address_entry *entry = buckets[hash(address)];

    while (entry != NULL && (memcmp(entry->address, address, 6) != 0 || strcmp(entry->port->bridge, bridge) != 0))
        entry = entry->next;
    return entry;
}

static void unlink_entry(struct address_entry *entry)
{
    struct address_entry **link = &buckets[hash(entry->address)];

    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    link = &entry->port->addresses;
    while (*link != entry)
        link = &(*link)->of_port;
    *link = entry->of_port;
    entry->port->learned--;
}

static void link_entry(struct address_entry *entry, struct switch_port *port)
{
    struct address_entry **bucket = &buckets[hash(entry->address)];

    entry->port = port;
    entry->next = *bucket;
    *bucket = entry;
    entry->of_port = port->addresses;
    port->addresses = entry;
    port->learned++;
}

/* Of a port's entries before `below` in the order, the last; NULL when there is none. */
static struct address_entry *newest(const struct switch_port *port, uint64_t below)
{
    struct address_entry *best = NULL;

    for (struct address_entry *entry = port->addresses; entry != NULL; entry = entry->of_port)
        if (entry->order < below && (best == NULL || entry->order > best->order))
            best = entry;
    return best;
}

static struct address_entry *oldest(const struct switch_port *port)
{
    struct address_entry *best = NULL;

    for (struct address_entry *entry = port->addresses; entry != NULL; entry = entry->of_port)
        if (!entry->fixed && (best == NULL || entry->order < best->order))
            best = entry;
    return best;
}

/* An entry of nobody's: the one of another port that the address moved away from, the port's own oldest, or a new one. */
static struct address_entry *obtain(struct switch_port *port, struct address_entry *moved)
{
    struct address_entry *entry = port->learned >= ADDRESSES_PER_PORT ? oldest(port) : NULL;

    if (entry != NULL)
        unlink_entry(entry);
    if (moved != NULL)
        unlink_entry(moved);
    if (entry != NULL && moved != NULL)
        free(moved);
    else if (moved != NULL)
        entry = moved;
    return entry != NULL ? entry : malloc(sizeof(*entry));
}

static struct address_entry *take(struct switch_port *port, const uint8_t address[6])
{
    struct address_entry *entry = find(port->bridge, address);

    if (entry != NULL && entry->port == port)
        return entry;
    if (entry != NULL && entry->fixed)
        return NULL;
    entry = obtain(port, entry);
    if (entry == NULL)
        return NULL;
    memset(entry, 0, sizeof(*entry));
    memcpy(entry->address, address, 6);
    link_entry(entry, port);
    return entry;
}

bool address_learn(struct switch_port *port, const uint8_t address[6], uint64_t now_ns)
{
    struct address_entry *entry = take(port, address);

    if (entry == NULL)
        return false;
    entry->seen_ns = now_ns;
    entry->order = ++last_order;
    return true;
}

bool address_fix(struct switch_port *port, const uint8_t address[6])
{
    struct address_entry *entry = take(port, address);

    if (entry == NULL)
        return false;
    entry->fixed = true;
    entry->order = ++last_order;
    return true;
}

struct switch_port *address_find(const char *bridge, const uint8_t address[6], uint64_t now_ns)
{
    struct address_entry *entry = find(bridge, address);

    if (entry == NULL)
        return NULL;
    if (!entry->fixed && now_ns - entry->seen_ns > ADDRESS_AGE_NS) {
        unlink_entry(entry);
        free(entry);
        return NULL;
    }
    return entry->port;
}

void addresses_forget(struct switch_port *port)
{
    struct address_entry *entry;

    while ((entry = port->addresses) != NULL) {
        unlink_entry(entry);
        free(entry);
    }
}

bool address_of_port(const struct switch_port *port, unsigned int index, uint8_t address[6], uint64_t *seen_ns)
{
    struct address_entry *entry = newest(port, UINT64_MAX);

    for (; entry != NULL && index > 0; index--)
        entry = newest(port, entry->order);
    if (entry == NULL)
        return false;
    memcpy(address, entry->address, 6);
    *seen_ns = entry->seen_ns;
    return true;
}

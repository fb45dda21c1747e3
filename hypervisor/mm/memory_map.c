/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory maps in the firmware's format: the pseudo-physical one that a builder gives a domain, and the machine's, for
 * dom0.
 */
#include "internal.h"
#include "boot/boot.h"
#include "guest_access.h"
#include "mm/reservation.h"

#define MAP_MAX 128

struct map_entry {
    u64 start, size;
    u32 type;
} __attribute__((packed));

struct memory_map {
    u32 count;
    struct map_entry entries[];
};

struct map_arg {
    u32 count;
    unsigned long buffer;
};
#define MAP_LAYOUT "wp"

static struct memory_map *copy_in(const struct map_arg *a, int *error)
{
    struct memory_map *map = hv_alloc(sizeof(*map) + a->count * sizeof(struct map_entry));
    *error = -ENOMEM;
    if (map == NULL)
        return NULL;
    map->count = a->count;
    *error = -EFAULT;
    if (copy_from_guest(map->entries, a->buffer, a->count * sizeof(struct map_entry))) {
        hv_free(map);
        return NULL;
    }
    return map;
}

long set_memory_map(unsigned long arg)
{
    u16 domid;
    struct map_arg a;
    int rc;
    if (copy_from_guest(&domid, arg, sizeof(domid)) ||
        read_guest_struct(&a, arg + (current->is_32bit ? 4 : 8), MAP_LAYOUT))
        return -EFAULT;
    if (a.count > MAP_MAX)
        return -EINVAL;
    struct domain *d = memory_domain(domid, &rc);
    if (d == NULL)
        return rc;
    struct memory_map *map = copy_in(&a, &rc);
    if (map) {
        spin_lock(&d->mm.lock);
        struct memory_map *old = d->dying ? map : d->mm.map;
        if (old != map)
            d->mm.map = map;
        spin_unlock(&d->mm.lock);
        hv_free(old);
        rc = 0;
    }
    domain_put(d);
    return rc;
}

/* As many entries as fit; the count of those goes back. */
long get_memory_map(unsigned long arg)
{
    struct domain *d = current->domain;
    struct map_arg a;
    if (read_guest_struct(&a, arg, MAP_LAYOUT))
        return -EFAULT;
    spin_lock(&d->mm.lock);
    int rc = d->mm.map ? 0 : -ENOSYS;
    if (rc == 0) {
        a.count = MIN(a.count, d->mm.map->count);
        if (copy_to_guest(a.buffer, d->mm.map->entries, a.count * sizeof(struct map_entry)))
            rc = -EFAULT;
    }
    spin_unlock(&d->mm.lock);
    if (rc == 0 && write_guest_struct(arg, &a, MAP_LAYOUT))
        rc = -EFAULT;
    return rc;
}

/* The interrupt controllers' pages are ours alone: dom0 must not take them for free address space. */
static const struct map_entry controllers[] = {
    {0xFEC00000, 0x1000, BOOT_RESERVED},
    {0xFEE00000, 0x1000, BOOT_RESERVED},
};

static bool covered(const struct map_entry *e)
{
    for (unsigned i = 0; i < boot_memory.count; i++)
        if (boot_memory.map[i].start <= e->start && e->start < boot_memory.map[i].end)
            return true;
    return false;
}

long machine_memory_map(unsigned long arg)
{
    struct map_arg a;
    if (!current->domain->privileged)
        return -EPERM;
    if (read_guest_struct(&a, arg, MAP_LAYOUT))
        return -EFAULT;
    u32 count = 0;
    for (unsigned i = 0; i < boot_memory.count + ARRAY_SIZE(controllers) && (count < a.count || !a.buffer); i++) {
        struct map_entry e;
        if (i < boot_memory.count) {
            e.start = boot_memory.map[i].start;
            e.size = boot_memory.map[i].end - boot_memory.map[i].start;
            e.type = boot_memory.map[i].type;
        } else {
            e = controllers[i - boot_memory.count];
            if (covered(&e))
                continue;
        }
        if (a.buffer && copy_to_guest(a.buffer + count * sizeof(e), &e, sizeof(e)))
            return -EFAULT;
        count++;
    }
    a.count = count;
    return write_guest_struct(arg, &a, MAP_LAYOUT) ? -EFAULT : 0;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Machine memory for a new domain: in 2 MiB pieces as far as they go, single frames where they do not.
 */
#include "building.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BIG_ORDER 9
#define BATCH     256
#define LIMIT_4G  (1ul << 20)

/* Populates [pfn, pfn + count extents); returns the extents done. */
static unsigned long populate_some(struct building *building, uint64_t pfn, unsigned long count, unsigned int order)
{
    xen_pfn_t frames[BATCH];
    long done;

    for (unsigned long i = 0; i < count; i++)
        frames[i] = (xen_pfn_t)(pfn + ((uint64_t)i << order));
    done = ctl_populate(building->ctl, building->out->domid, count, order, 0, frames);
    if (done <= 0)
        return 0;
    for (unsigned long i = 0; i < (unsigned long)done; i++)
        for (unsigned long j = 0; j < 1ul << order; j++)
            building->mfns[pfn + ((uint64_t)i << order) + j] = frames[i] + j;
    return (unsigned long)done;
}

static int populate_fail(struct building *building, uint64_t done)
{
    struct xen_sysctl_physinfo info = {0};
    int reason = errno;

    (void)ctl_physinfo(building->ctl, &info);
    return build_fail(building->error,
                      "out of memory: %llu MiB asked for, %llu MiB of it could be had, %llu MiB are free now (%s)",
                      (unsigned long long)building->plan->layout.nr_pages / 256, (unsigned long long)done / 256,
                      (unsigned long long)info.free_pages / 256, strerror(reason));
}

static int populate_all(struct building *building)
{
    uint64_t pfn = 0, total = building->plan->layout.nr_pages;
    unsigned int order = BIG_ORDER;

    while (pfn < total) {
        uint64_t extents = (total - pfn) >> order;
        unsigned long done = 0;

        if (extents > 0)
            done = populate_some(building, pfn, extents < BATCH ? (unsigned long)extents : BATCH, order);
        if (done == 0 && order == 0)
            return populate_fail(building, pfn);
        if (done == 0)
            order = 0;
        pfn += (uint64_t)done << order;
    }
    return 0;
}

/* A 32-bit kernel that does not know the extended CR3 needs its top table below 4 GiB. */
static int lower_top_table(struct building *building)
{
    const struct build_plan *plan = building->plan;
    xen_pfn_t frame, pfn = (xen_pfn_t)plan->layout.page_tables.pfn;

    if (plan->image.is_64bit || plan->image.pae != ELF_PAE_YES || building->mfns[pfn] < LIMIT_4G)
        return 0;
    frame = building->mfns[pfn];
    if (ctl_decrease(building->ctl, building->out->domid, 1, 0, &frame) != 1)
        return build_fail(building->error, "exchanging the top page table for one below 4 GiB failed: %s",
                          strerror(errno));
    frame = pfn;
    if (ctl_populate(building->ctl, building->out->domid, 1, 0, XENMEMF_address_bits(32), &frame) != 1)
        return build_fail(building->error, "no free frame below 4 GiB for the top page table: %s", strerror(errno));
    building->mfns[pfn] = frame;
    return 0;
}

int building_populate(struct building *building)
{
    uint64_t pages = building->plan->layout.nr_pages;
    struct xen_sysctl_physinfo info = {0};
    int status;

    building->mfns = malloc(pages * sizeof(*building->mfns));
    if (building->mfns == NULL)
        return build_fail(building->error, "dom0 has no memory left for a table of %llu frames",
                          (unsigned long long)pages);
    if (ctl_claim(building->ctl, building->out->domid, (unsigned long)pages) != 0 && errno == ENOMEM) {
        (void)ctl_physinfo(building->ctl, &info);
        return build_fail(building->error, "out of memory: %llu MiB asked for, %llu MiB are free",
                          (unsigned long long)pages / 256, (unsigned long long)info.free_pages / 256);
    }
    status = populate_all(building);
    (void)ctl_claim(building->ctl, building->out->domid, 0);
    return status == 0 ? lower_top_table(building) : -1;
}

void *building_map(struct building *building, uint64_t pfn, uint64_t pages)
{
    void *addr = xenforeignmemory_map(building->memory, building->out->domid, 3 /* PROT_READ | PROT_WRITE */,
                                      (size_t)pages, building->mfns + pfn, NULL);

    if (addr == NULL)
        build_fail(building->error, "mapping %llu frames of domain %u failed: %s", (unsigned long long)pages,
                   building->out->domid, strerror(errno));
    return addr;
}

void building_unmap(struct building *building, void *addr, uint64_t pages)
{
    xenforeignmemory_unmap(building->memory, addr, (size_t)pages);
}

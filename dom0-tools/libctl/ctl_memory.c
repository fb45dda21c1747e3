/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain's memory, page tables, grant table and event channels, on its behalf.
 */
#include "ctl_internal.h"

#include <errno.h>
#include <string.h>

#include <abi/event_channel.h>
#include <abi/grant_table.h>

static long memory_op(struct ctl *ctl, unsigned int command, void *argument)
{
    return xencall2L(ctl->call, __HYPERVISOR_memory_op, command, (uintptr_t)argument);
}

#define FRAMES_AT  1024 /* in the scratch buffer, behind the structure */
#define FRAMES_MAX ((CTL_SCRATCH - FRAMES_AT) / sizeof(xen_pfn_t))

static long reservation(struct ctl *ctl, unsigned int command, domid_t domid, unsigned long count, unsigned int order,
                        unsigned int flags, xen_pfn_t *frames)
{
    struct xen_memory_reservation *request = (void *)ctl->bytes;
    xen_pfn_t *list = (void *)(ctl->bytes + FRAMES_AT);
    unsigned long done = 0;

    while (done < count) {
        unsigned long chunk = count - done < FRAMES_MAX ? count - done : FRAMES_MAX;
        long result;

        memset(request, 0, sizeof(*request));
        memcpy(list, frames + done, chunk * sizeof(*list));
        set_xen_guest_handle_raw(request->extent_start, list);
        request->nr_extents = chunk;
        request->extent_order = order;
        request->mem_flags = flags;
        request->domid = domid;
        result = memory_op(ctl, command, request);
        if (result < 0)
            return done > 0 ? (long)done : -1;
        memcpy(frames + done, list, (size_t)result * sizeof(*list));
        done += (unsigned long)result;
        if ((unsigned long)result < chunk)
            break;
    }
    return (long)done;
}

long ctl_populate(struct ctl *ctl, domid_t domid, unsigned long count, unsigned int order, unsigned int flags,
                  xen_pfn_t *frames)
{
    return reservation(ctl, XENMEM_populate_physmap, domid, count, order, flags, frames);
}

long ctl_decrease(struct ctl *ctl, domid_t domid, unsigned long count, unsigned int order, xen_pfn_t *frames)
{
    return reservation(ctl, XENMEM_decrease_reservation, domid, count, order, 0, frames);
}

int ctl_claim(struct ctl *ctl, domid_t domid, unsigned long pages)
{
    struct xen_memory_reservation *request = (void *)ctl->bytes;

    memset(request, 0, sizeof(*request));
    request->nr_extents = pages;
    request->domid = domid;
    return memory_op(ctl, XENMEM_claim_pages, request) < 0 ? -1 : 0;
}

struct memory_range {
    uint64_t start, size;
    uint32_t type;
} __attribute__((packed));

int ctl_domain_memory_map(struct ctl *ctl, domid_t domid, uint64_t bytes)
{
    struct xen_foreign_memory_map *map = (void *)ctl->bytes;
    struct memory_range *range = (void *)(ctl->bytes + FRAMES_AT);

    memset(map, 0, sizeof(*map));
    *range = (struct memory_range){0, bytes, 1};
    map->domid = domid;
    map->map.nr_entries = 1;
    set_xen_guest_handle_raw(map->map.buffer, (void *)range);
    return memory_op(ctl, XENMEM_set_memory_map, map) < 0 ? -1 : 0;
}

int ctl_pin_table(struct ctl *ctl, domid_t domid, unsigned int command, xen_pfn_t mfn)
{
    struct mmuext_op *op = (void *)ctl->bytes;

    memset(op, 0, sizeof(*op));
    op->cmd = command;
    op->arg1.mfn = mfn;
    return xencall4(ctl->call, __HYPERVISOR_mmuext_op, (uintptr_t)op, 1, 0, domid) < 0 ? -1 : 0;
}

/* Creates the table's first frames when the domain has none yet. */
int ctl_grant_frame(struct ctl *ctl, domid_t domid, unsigned int index, xen_pfn_t *mfn)
{
    struct xen_mem_acquire_resource *resource = (void *)ctl->bytes;
    xen_pfn_t *frame = (void *)(ctl->bytes + FRAMES_AT);

    memset(resource, 0, sizeof(*resource));
    resource->domid = domid;
    resource->type = XENMEM_resource_grant_table;
    resource->id = XENMEM_resource_grant_table_id_shared;
    resource->frame = index;
    resource->nr_frames = 1;
    set_xen_guest_handle_raw(resource->frame_list, frame);
    if (memory_op(ctl, XENMEM_acquire_resource, resource) < 0)
        return -1;
    *mfn = *frame;
    return 0;
}

int ctl_evtchn_alloc_unbound(struct ctl *ctl, domid_t domid, domid_t remote)
{
    struct evtchn_alloc_unbound *alloc = (void *)ctl->bytes;

    memset(alloc, 0, sizeof(*alloc));
    alloc->dom = domid;
    alloc->remote_dom = remote;
    if (xencall2(ctl->call, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, (uintptr_t)alloc) < 0)
        return -1;
    return (int)alloc->port;
}

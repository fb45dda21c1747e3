/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Taking a trace; see tracing.h.
 */
#include "tracing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "system.h"

#define PAGE_BYTES 4096u
#define LOOK_NS    10000000u /* how often the rings are emptied */
#define INFO_PAGES 16u
#define FIRST_ROOM 4096u

struct rings {
    struct trace_reader readers[TRACE_CPUS];
    unsigned int mapped, pages; /* of each */
    bool made;                  /* by us: given back */
};

static uint64_t read_tsc(void)
{
    return __builtin_ia32_rdtsc();
}

static int refused(struct vane *vane, uint32_t pages)
{
    if (errno == ENOSYS)
        return fail(vane, "this hypervisor cannot trace");
    if (errno == ENOMEM)
        return fail(vane,
                    "there is no memory for trace rings of %u KiB for each CPU; -b names a smaller size, and list -m "
                    "shows who has the memory",
                    pages * 4);
    return fail(vane, "making trace rings of %u KiB failed: %s", pages * 4, strerror(errno));
}

/* Rings that another tool made stay as they are: there can be only one set. */
static int make_rings(struct vane *vane, struct rings *rings, uint32_t pages)
{
    rings->made = ctl_trace(vane->ctl, XEN_SYSCTL_TBUFOP_set_size, pages) == 0;
    return rings->made || errno == EBUSY || errno == EINVAL ? 0 : refused(vane, pages);
}

static void *map_ring(struct vane *vane, const uint32_t *list, unsigned int pages)
{
    xen_pfn_t *frames = calloc(pages, sizeof(*frames));
    void *ring = NULL;

    for (unsigned int i = 0; frames != NULL && i < pages; i++)
        frames[i] = list[i];
    if (frames != NULL)
        ring = xenforeignmemory_map(vane->memory, DOMID_XEN, PROT_READ | PROT_WRITE, pages, frames, NULL);
    free(frames);
    return ring;
}

static int map_listed(struct vane *vane, struct rings *rings, const struct t_info *info, uint32_t bytes,
                      unsigned int cpus)
{
    rings->pages = info->tbuf_size;
    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        uint32_t at = info->mfn_offset[cpu];
        void *ring;

        if (rings->pages == 0 || (at + rings->pages) * sizeof(uint32_t) > bytes)
            return fail(vane, "what the hypervisor says of its trace rings makes no sense");
        ring = map_ring(vane, (const uint32_t *)info + at, rings->pages);
        if (ring == NULL)
            return fail(vane, "mapping the trace ring of CPU %u failed: %s", cpu, strerror(errno));
        trace_reader_init(&rings->readers[cpu], cpu, ring, rings->pages);
        rings->mapped++;
    }
    return 0;
}

static int map_rings(struct vane *vane, struct rings *rings, unsigned int cpus)
{
    xen_pfn_t first, frames[INFO_PAGES];
    uint32_t bytes, pages;
    struct t_info *info;
    int status;

    if (ctl_trace_info(vane->ctl, &first, &bytes) != 0)
        return fail(vane, "asking for the trace rings failed: %s", strerror(errno));
    pages = bytes / PAGE_BYTES;
    if (pages == 0 || pages > INFO_PAGES)
        return fail(vane, "the list of the trace rings has %u pages; 1 to %u are possible", pages, INFO_PAGES);
    for (uint32_t i = 0; i < pages; i++)
        frames[i] = first + i;
    info = xenforeignmemory_map(vane->memory, DOMID_XEN, PROT_READ, pages, frames, NULL);
    if (info == NULL)
        return fail(vane, "mapping the list of the trace rings failed: %s", strerror(errno));
    status = map_listed(vane, rings, info, bytes, cpus);
    (void)xenforeignmemory_unmap(vane->memory, info, pages);
    return status;
}

static void give_back(struct vane *vane, struct rings *rings)
{
    (void)ctl_trace(vane->ctl, XEN_SYSCTL_TBUFOP_disable, 0);
    for (unsigned int cpu = 0; cpu < rings->mapped; cpu++)
        (void)xenforeignmemory_unmap(vane->memory, rings->readers[cpu].ring, rings->pages);
    if (rings->made)
        (void)ctl_trace(vane->ctl, XEN_SYSCTL_TBUFOP_set_size, 0); /* Xen keeps its rings for ever */
}

static bool keep(struct capture *capture, const struct trace_record *record)
{
    struct capture_list *list = &capture->lists[record->cpu];

    if (capture->count == CAPTURE_MAX)
        return false;
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : FIRST_ROOM;
        struct trace_record *records = realloc(list->records, room * sizeof(*records));

        if (records == NULL)
            return false;
        list->records = records;
        list->room = room;
    }
    list->records[list->count++] = *record;
    capture->count++;
    return true;
}

static void empty_rings(struct rings *rings, struct capture *capture)
{
    struct trace_record record;

    for (unsigned int cpu = 0; cpu < rings->mapped; cpu++)
        while (!capture->full && trace_read(&rings->readers[cpu], &record))
            capture->full = !keep(capture, &record);
}

/* What is left in rings from an earlier trace is not ours. */
static void forget_rest(struct rings *rings)
{
    struct trace_record record;

    for (unsigned int cpu = 0; cpu < rings->mapped; cpu++) {
        while (trace_read(&rings->readers[cpu], &record))
            ;
        rings->readers[cpu].lost = rings->readers[cpu].broken = 0;
    }
}

static int record_for(struct vane *vane, struct rings *rings, struct capture *capture, uint64_t duration_ns)
{
    uint64_t end = clock_ns() + duration_ns, now;

    forget_rest(rings);
    capture->from = read_tsc();
    if (ctl_trace(vane->ctl, XEN_SYSCTL_TBUFOP_enable, 0) != 0)
        return fail(vane, "switching tracing on failed: %s", strerror(errno));
    while (!capture->full && !capture->interrupted && (now = clock_ns()) < end) {
        capture->interrupted = terminal_interrupted(end - now < LOOK_NS ? end - now : LOOK_NS);
        empty_rings(rings, capture);
    }
    capture->to = read_tsc(); /* switching off waits for all CPUs: that is not part of it */
    (void)ctl_trace(vane->ctl, XEN_SYSCTL_TBUFOP_disable, 0);
    empty_rings(rings, capture);
    for (unsigned int cpu = 0; cpu < rings->mapped; cpu++) {
        capture->lost += rings->readers[cpu].lost;
        capture->broken += rings->readers[cpu].broken;
    }
    return 0;
}

int capture_take(struct vane *vane, struct capture *capture, uint64_t duration_ns, uint32_t ring_pages)
{
    struct xen_sysctl_physinfo machine;
    struct rings rings;
    int status;

    memset(capture, 0, sizeof(*capture));
    memset(&rings, 0, sizeof(rings));
    if (ctl_physinfo(vane->ctl, &machine) != 0 || machine.cpu_khz == 0)
        return fail(vane, "asking the hypervisor about the machine failed: %s", strerror(errno));
    capture->khz = machine.cpu_khz;
    capture->cpus = machine.nr_cpus < TRACE_CPUS ? machine.nr_cpus : TRACE_CPUS;
    status = make_rings(vane, &rings, ring_pages);
    if (status != 0)
        return status;
    status = map_rings(vane, &rings, capture->cpus);
    if (status == 0 && ctl_trace(vane->ctl, XEN_SYSCTL_TBUFOP_set_evt_mask, TRC_ALL) != 0)
        status = fail(vane, "choosing the events failed: %s", strerror(errno));
    if (status == 0)
        status = record_for(vane, &rings, capture, duration_ns);
    give_back(vane, &rings);
    if (status != 0)
        capture_free(capture);
    return status;
}

void capture_free(struct capture *capture)
{
    for (unsigned int cpu = 0; cpu < TRACE_CPUS; cpu++)
        free(capture->lists[cpu].records);
    memset(capture, 0, sizeof(*capture));
}

const struct trace_record *capture_next(const struct capture *capture, size_t next[TRACE_CPUS])
{
    const struct trace_record *first = NULL;

    for (unsigned int cpu = 0; cpu < capture->cpus; cpu++) {
        const struct capture_list *list = &capture->lists[cpu];

        if (next[cpu] < list->count && (first == NULL || list->records[next[cpu]].tsc < first->tsc))
            first = &list->records[next[cpu]];
    }
    if (first != NULL)
        next[first->cpu]++;
    return first;
}

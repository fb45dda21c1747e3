/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rows of memory that changes hands within one domain: the balloon, grants.
 */
#include <string.h>
#include <pv/grant.h>
#include <pv/paging.h>
#include "bench.h"

#define BATCH 64

/* One page given back and taken again, as a balloon does. */
static void page_row(void)
{
    char *page = pages_alloc(1);
    xen_pfn_t mfn = virt_to_mfn(page);
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, &mfn);
    pte_write(page, 0);
    ROW("memory_op.decrease+populate(1 page)",
        (pv_hypercall2(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, (unsigned long)&r),
         pv_hypercall2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (unsigned long)&r)));
}

static xen_pfn_t batch[BATCH];

static uint64_t move_batch(unsigned command)
{
    struct xen_memory_reservation r = {.nr_extents = BATCH, .domid = DOMID_SELF};
    uint64_t start = bench_ticks();
    long done;

    set_xen_guest_handle(r.extent_start, batch);
    done = pv_hypercall2(__HYPERVISOR_memory_op, command, (unsigned long)&r);
    start = bench_ticks() - start;
    if (done != BATCH)
        printf("failed: memory_op %u did %ld of %u\n", command, done, BATCH);
    return start;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* 64 pages of ours given back and others taken: each half measured alone. */
static void batch_rows(void)
{
    char *pages = pages_alloc(BATCH);
    uint64_t down = ~0ull, up = ~0ull;

    for (unsigned i = 0; i < BATCH; i++) {
        batch[i] = virt_to_mfn(pages + i * PAGE_SIZE);
        pte_write(pages + i * PAGE_SIZE, 0);
    }
    for (unsigned run = 0; run < 32; run++) {
        down = least(down, move_batch(XENMEM_decrease_reservation));
        up = least(up, move_batch(XENMEM_increase_reservation));
    }
    bench_result("memory_op.decrease_reservation(64, per page)", (unsigned long)(down / BATCH));
    bench_result("memory_op.increase_reservation(64, per page)", (unsigned long)(up / BATCH));
}

void bench_reservations(void)
{
    page_row();
    batch_rows();
}

static struct gnttab_copy copy_between(void *from, void *to, unsigned length)
{
    struct gnttab_copy copy;

    memset(&copy, 0, sizeof(copy));
    copy.source.u.gmfn = virt_to_mfn(from);
    copy.dest.u.gmfn = virt_to_mfn(to);
    copy.source.domid = copy.dest.domid = DOMID_SELF;
    copy.len = (uint16_t)length;
    return copy;
}

#define COPY_ROW(name, copy)                                                                                           \
    ROW(name, pv_hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, (unsigned long)&(copy), 1));                   \
    if ((copy).status)                                                                                                 \
    printf("failed: %s %d\n", name, (copy).status)

void bench_grants(void)
{
    char *from = pages_alloc(1), *to = pages_alloc(1), *va = vspace_alloc(1);
    int ref = grant_access(pv_domid(), virt_to_mfn(from), false);
    struct gnttab_copy page = copy_between(from, to, PAGE_SIZE), little = copy_between(from, to, 64), granted = page;
    struct gnttab_map_grant_ref map = {.host_addr = (unsigned long)va, .flags = GNTMAP_host_map};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = (unsigned long)va};

    pte_write(va, 0);
    COPY_ROW("gnttab_copy.4096.gmfn->gmfn", page);
    COPY_ROW("gnttab_copy.64.gmfn->gmfn", little);
    memset(&granted.source.u, 0, sizeof(granted.source.u));
    granted.source.u.ref = (grant_ref_t)ref;
    granted.source.domid = pv_domid();
    granted.flags = GNTCOPY_source_gref;
    COPY_ROW("gnttab_copy.4096.gref->gmfn", granted);
    granted.len = 64;
    COPY_ROW("gnttab_copy.64.gref->gmfn", granted);
    map.ref = (grant_ref_t)ref;
    map.dom = pv_domid();
    ROW("gnttab_map+unmap.self",
        (pv_hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (unsigned long)&map, 1),
         unmap.handle = map.handle,
         pv_hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (unsigned long)&unmap, 1)));
    if (map.status || unmap.status)
        printf("failed: gnttab_map+unmap.self %d %d\n", map.status, unmap.status);
}

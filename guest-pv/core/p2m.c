/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Guest frame to machine frame and back. The first table is the builder's; it is copied to a larger one when the
 * balloon takes the domain past the size it was born with.
 */
#include <errno.h>
#include <string.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "internal.h"

static unsigned long *p2m;
static unsigned long p2m_entries, p2m_capacity;
static bool grown; /* the table is of our own allocation */
static const unsigned long *m2p = (const unsigned long *)MACH2PHYS_VIRT_START;
static unsigned long m2p_entries;

/* What tools walk to find the table: a page of frame numbers of pages of frame numbers of the table's pages. */
#define PER_PAGE   (PAGE_SIZE / sizeof(unsigned long))
#define LIST_PAGES ((DIRECT_MAP_PAGES + PER_PAGE * PER_PAGE - 1) / (PER_PAGE * PER_PAGE))
static unsigned long frame_list[LIST_PAGES * PER_PAGE] __attribute__((aligned(4096)));
static unsigned long frame_list_list[PER_PAGE] __attribute__((aligned(4096)));

void p2m_publish(void)
{
    unsigned long pages = (p2m_entries + PER_PAGE - 1) / PER_PAGE;

    for (unsigned long i = 0; i < pages; i++)
        frame_list[i] = pfn_to_mfn(virt_to_pfn(p2m + i * PER_PAGE));
    for (unsigned long i = 0; i < LIST_PAGES; i++)
        frame_list_list[i] = pfn_to_mfn(virt_to_pfn(frame_list + i * PER_PAGE));
    shared_info->arch.max_pfn = p2m_entries;
    shared_info->arch.pfn_to_mfn_frame_list_list = pfn_to_mfn(virt_to_pfn(frame_list_list));
}

void p2m_find_machine_table(void)
{
    struct xen_machphys_mapping mapping;

    if (HYPERVISOR_memory_op(XENMEM_machphys_mapping, &mapping) == 0) {
        m2p = (const unsigned long *)(unsigned long)mapping.v_start;
        m2p_entries = (unsigned long)mapping.max_mfn + 1;
    } else {
        m2p_entries = (MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) / sizeof(*m2p);
    }
}

void p2m_init(void)
{
    p2m = (unsigned long *)(unsigned long)start_info->mfn_list;
    p2m_entries = start_info->nr_pages < DIRECT_MAP_PAGES ? start_info->nr_pages : DIRECT_MAP_PAGES;
    p2m_capacity = p2m_entries;
    p2m_find_machine_table();
}

unsigned long pfn_limit(void)
{
    return p2m_entries;
}

unsigned long pfn_to_mfn(unsigned long pfn)
{
    return pfn < p2m_entries ? p2m[pfn] : INVALID_P2M;
}

void p2m_set(unsigned long pfn, unsigned long mfn)
{
    if (pfn < p2m_entries)
        p2m[pfn] = mfn;
}

/* The table of the hypervisor may have holes: a missing part reads as "no such frame". */
unsigned long mfn_to_pfn(unsigned long mfn)
{
    unsigned long pfn;

    if (mfn >= m2p_entries)
        return INVALID_P2M;
    if (pfn_to_mfn(m2p[mfn]) == mfn)
        return m2p[mfn];
    pfn = INVALID_P2M;
    return probe_read(&m2p[mfn], &pfn) && pfn_to_mfn(pfn) == mfn ? pfn : INVALID_P2M;
}

unsigned long machine_to_guest_frame(unsigned long mfn)
{
    unsigned long pfn;

    return mfn < m2p_entries && probe_read(&m2p[mfn], &pfn) ? pfn : INVALID_P2M;
}

unsigned long machine_to_guest_frame_known(unsigned long mfn)
{
    return *(const volatile unsigned long *)&m2p[mfn];
}

unsigned long machine_frame_limit(void)
{
    return m2p_entries;
}

/* To twice the size and not just to what is needed: a balloon grows in small steps. The builder's table stays where it
 * is, since the toolstack may know it. */
static int enlarge(unsigned long pfns)
{
    const unsigned long per_page = PAGE_SIZE / sizeof(*p2m);
    unsigned long wanted = pfns > 2 * p2m_capacity ? pfns : 2 * p2m_capacity;
    unsigned long pages = (wanted + per_page - 1) / per_page;
    unsigned long *table = pages_alloc(pages), *old = p2m;

    if (table == NULL)
        return -ENOMEM;
    memcpy(table, p2m, p2m_entries * sizeof(*p2m));
    p2m = table;
    if (grown)
        pages_free(old, p2m_capacity / per_page);
    grown = true;
    p2m_capacity = pages * per_page;
    return 0;
}

int p2m_grow(unsigned long pfns)
{
    if (pfns > DIRECT_MAP_PAGES)
        return -ENOSPC;
    if (pfns > p2m_capacity && enlarge(pfns) != 0)
        return -ENOMEM;
    for (; p2m_entries < pfns; p2m_entries++)
        p2m[p2m_entries] = INVALID_P2M;
    p2m_publish();
    return 0;
}

static unsigned long later(unsigned long end, unsigned long addr, unsigned long size)
{
    unsigned long pfn = (addr + size + PAGE_SIZE - 1) >> PAGE_SHIFT;

    return size != 0 && pfn > end ? pfn : end;
}

static unsigned long later_mfn(unsigned long end, unsigned long mfn)
{
    unsigned long pfn = mfn != 0 ? mfn_to_pfn(mfn) : INVALID_P2M;

    return pfn != INVALID_P2M && pfn >= end ? pfn + 1 : end;
}

unsigned long boot_frames_end(void)
{
    unsigned long end = later(0, (unsigned long)_text, (unsigned long)(_end - _text));

    end = later(end, (unsigned long)start_info, sizeof(*start_info));
    end = later(end, (unsigned long)start_info->mfn_list, start_info->nr_pages * sizeof(unsigned long));
    end = later(end, (unsigned long)start_info->mod_start, start_info->mod_len);
    /* The boot stack is the page behind the page tables. */
    end = later(end, (unsigned long)start_info->pt_base, (start_info->nr_pt_frames + 1) * PAGE_SIZE);
    if (!pv_is_dom0()) {
        end = later_mfn(end, start_info->store_mfn);
        end = later_mfn(end, start_info->console.domU.mfn);
    }
    return end;
}

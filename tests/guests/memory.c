/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * memory_op: reservations going down and up, exchange, what is known about the machine, and what each misuse gets.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/memory.h>
#include <abi/version.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"

static long memory_op(unsigned int command, void *argument)
{
    return HYPERVISOR_memory_op(command, argument);
}

static long reservation(unsigned int command, xen_pfn_t *extents, unsigned long count, unsigned int order,
                        domid_t domid)
{
    struct xen_memory_reservation r = {.nr_extents = count, .extent_order = order, .domid = domid};

    set_xen_guest_handle(r.extent_start, extents);
    return memory_op(command, &r);
}

/* Unmaps a page of ours from the direct mapping. */
static unsigned long take_away(char *page)
{
    unsigned long mfn = virt_to_mfn(page);

    pte_write(page, 0);
    return mfn;
}

static void test_figures(void)
{
    domid_t self = DOMID_SELF, nobody = 0x7123;
    long current = memory_op(XENMEM_current_reservation, &self);

    check_group("figures");
    CHECK(current >= (long)(balloon_current() - 64) && current <= (long)(balloon_current() + 64),
          "the current reservation is what we count, but for a few pages");
    CHECK(memory_op(XENMEM_maximum_reservation, &self) >= current, "the maximum is not below");
    CHECK_EQ(memory_op(XENMEM_current_reservation, &nobody), -XEN_ESRCH, "a domain that does not exist is ESRCH");
    CHECK(memory_op(XENMEM_maximum_ram_page, NULL) > 0x1000, "the highest frame of the machine is known");
    CHECK_EQ(memory_op(XENMEM_current_reservation, (void *)~0xfffUL), -XEN_EFAULT, "an unreadable argument is EFAULT");
    CHECK_EQ(memory_op(63, &self), -XEN_ENOSYS, "an unknown operation is ENOSYS");
}

/* A kernel sizes its tables by these. A map of memory there is only for a guest that was given one. */
static void test_extent(void)
{
    static char entries[20 * 128];
    struct xen_memory_map map = {.nr_entries = 128};
    struct xen_vnuma_topology_info nodes = {.domid = DOMID_SELF};
    domid_t self = DOMID_SELF;
    long last = memory_op(XENMEM_maximum_ram_page, NULL);

    check_group("how far memory goes");
    CHECK_EQ(memory_op(XENMEM_maximum_ram_page, NULL), last, "the machine's last frame stays where it is");
    CHECK_EQ(memory_op(XENMEM_maximum_gpfn, &self), (long)shared_info->arch.max_pfn - 1,
             "the last guest frame is what the kernel said in the shared page");
    set_xen_guest_handle(map.buffer, entries);
    if (pv_is_dom0()) {
        CHECK_EQ(memory_op(XENMEM_machine_memory_map, &map), 0, "dom0 sees the machine's map of memory");
        CHECK(map.nr_entries > 2 && map.nr_entries < 128, "which has a few entries");
    } else {
        CHECK_EQ(memory_op(XENMEM_memory_map, &map), 0, "a guest has a map of memory");
        CHECK(map.nr_entries >= 1, "of one entry at least");
    }
    CHECK_EQ(memory_op(XENMEM_get_vnumainfo, &nodes), -XEN_EOPNOTSUPP, "nodes are not told of");
}

static void test_down_and_up(void)
{
    char *page = pages_alloc(1);
    domid_t self = DOMID_SELF;
    long before = memory_op(XENMEM_current_reservation, &self);
    unsigned long mfn = virt_to_mfn(page);
    xen_pfn_t frame = mfn;
    unsigned foreign = 0;

    check_group("down and up");
    memset(page, 0x5a, PAGE_SIZE);
    frame = take_away(page);
    CHECK_EQ(reservation(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF), 1, "a page can be given back");
    CHECK_EQ(memory_op(XENMEM_current_reservation, &self), before - 1, "and counts no more");
    frame = mfn;
    CHECK_EQ(reservation(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF), 0, "once");
    CHECK_EQ(pte_write(page, pte_make(mfn, PTE_KERNEL_RW)), -16, "it cannot be mapped any more");
    frame = virt_to_pfn(page);
    CHECK_EQ(reservation(XENMEM_populate_physmap, &frame, 1, 0, DOMID_SELF), 1, "a page can be had again");
    CHECK_EQ(memory_op(XENMEM_current_reservation, &self), before, "and counts");
    CHECK_EQ(((const unsigned long *)MACH2PHYS_VIRT_START)[frame], virt_to_pfn(page),
             "its M2P entry is the pfn we asked for");
    CHECK_EQ(pte_write(page, pte_make(frame, PTE_KERNEL_RW)), 0, "it can be mapped");
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        foreign += page[i] != 0 && page[i] != 0x5a;
    CHECK_EQ(foreign, 0, "and holds what we left there, or nothing");
}

/* A balloon that goes up and down without a pause: no page is lost or gained, and the numbers of others do not move. */
static void test_loop(void)
{
    enum { PAGES = 64, ROUNDS = 40 };
    char *pages = pages_alloc(PAGES);
    static xen_pfn_t frames[PAGES];
    domid_t self = DOMID_SELF;
    long before = memory_op(XENMEM_current_reservation, &self), all = 0;

    check_group("down and up in a loop");
    for (unsigned i = 0; i < PAGES; i++)
        frames[i] = take_away(pages + i * PAGE_SIZE);
    for (unsigned round = 0; round < ROUNDS; round++) {
        all += reservation(XENMEM_decrease_reservation, frames, PAGES, 0, DOMID_SELF);
        for (unsigned i = 0; i < PAGES; i++)
            frames[i] = virt_to_pfn(pages + i * PAGE_SIZE);
        all += reservation(XENMEM_populate_physmap, frames, PAGES, 0, DOMID_SELF);
    }
    CHECK_EQ(all, 2 * PAGES * ROUNDS, "every page goes and comes");
    CHECK_EQ(memory_op(XENMEM_current_reservation, &self), before, "and none is left over");
    for (unsigned i = 0; i < PAGES; i++)
        all -= pte_write(pages + i * PAGE_SIZE, pte_make(frames[i], PTE_KERNEL_RW)) == 0;
    CHECK_EQ(all, 2 * PAGES * ROUNDS - PAGES, "all can be mapped again");
}

static void test_increase(void)
{
    xen_pfn_t frames[4] = {0};

    check_group("increase");
    CHECK_EQ(reservation(XENMEM_increase_reservation, frames, 4, 0, DOMID_SELF), 4, "four frames without a place");
    CHECK(frames[0] != 0 && frames[1] != frames[0] && frames[3] != frames[2], "are named");
    CHECK_EQ(reservation(XENMEM_decrease_reservation, frames, 4, 0, DOMID_SELF), 4, "and go back");
    CHECK_EQ(reservation(XENMEM_increase_reservation, frames, 1, 3, DOMID_SELF), 1, "eight frames in one piece");
    CHECK_EQ(frames[0] & 7, 0, "aligned to their size");
    CHECK_EQ(reservation(XENMEM_decrease_reservation, frames, 1, 3, DOMID_SELF), 1, "go back in one piece");
    CHECK_EQ(reservation(XENMEM_increase_reservation, frames, 1, 30, DOMID_SELF), 0,
             "a piece as large as the world is none");
    CHECK_EQ(reservation(XENMEM_increase_reservation, frames, 1, 0, 0x7123), 0,
             "for a domain that does not exist none either");
}

static void test_in_use(void)
{
    char *page = pages_alloc(1);
    xen_pfn_t frame = virt_to_mfn(page);
    domid_t self = DOMID_SELF;
    long before = memory_op(XENMEM_current_reservation, &self);

    check_group("giving back what is mapped");
    *page = 42;
    CHECK_EQ(reservation(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF), 1, "is taken");
    CHECK_EQ(memory_op(XENMEM_current_reservation, &self), before, "but counts until the mapping goes");
    CHECK_EQ(*(volatile char *)page, 42, "and stays usable until then");
    CHECK_EQ(reservation(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF), 1, "a second time no less");
    CHECK_EQ(memory_op(XENMEM_current_reservation, &self), before, "without a change");
    CHECK_EQ(*(volatile char *)page, 42, "to what is mapped");
    pte_write(page, 0);
    CHECK_EQ(memory_op(XENMEM_current_reservation, &self), before - 1, "then it is gone");
    frame = virt_to_pfn(page);
    reservation(XENMEM_populate_physmap, &frame, 1, 0, DOMID_SELF);
    pte_write(page, pte_make(frame, PTE_KERNEL_RW));
}

static void test_exchange(void)
{
    char *page = pages_alloc(1);
    unsigned long old = take_away(page);
    xen_pfn_t in = old, out = virt_to_pfn(page);
    struct xen_memory_exchange x = {
        .in = {.nr_extents = 1, .domid = DOMID_SELF},
        .out = {.nr_extents = 1, .domid = DOMID_SELF},
    };

    check_group("exchange");
    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, &out);
    CHECK_EQ(memory_op(XENMEM_exchange, &x), 0, "a frame can be exchanged for another");
    CHECK_EQ(x.nr_exchanged, 1, "which is counted");
    CHECK(out != old, "and is another");
    CHECK_EQ(((const unsigned long *)MACH2PHYS_VIRT_START)[out], virt_to_pfn(page), "at the place we asked for");
    CHECK_EQ(pte_write(page, pte_make(out, PTE_KERNEL_RW)), 0, "the new one is ours");
    x.nr_exchanged = 0;
    x.out.nr_extents = 2;
    CHECK_EQ(memory_op(XENMEM_exchange, &x), -XEN_EINVAL, "both sides must be of the same size");
}

static bool runs_32bit(void)
{
    static xen_capabilities_info_t text;

    return HYPERVISOR_xen_version(XENVER_capabilities, text) == 0 && strstr(text, "xen-3.0-x86_32p") != NULL;
}

static void test_map_of_machine(void)
{
    struct xen_machphys_mapping mapping = {0};
    struct xen_machphys_mfn_list list = {.max_extents = 4};
    xen_pfn_t extents[4] = {0};

    check_group("machine to physical");
    CHECK_EQ(memory_op(XENMEM_machphys_mapping, &mapping), 0, "where the table is can be asked for");
    CHECK_EQ(mapping.v_start, MACH2PHYS_VIRT_START, "where it always is");
    CHECK(mapping.max_mfn >= 0x1f000 && mapping.v_end > mapping.v_start, "and how far it goes");
    set_xen_guest_handle(list.extent_start, extents);
    CHECK_EQ(memory_op(XENMEM_machphys_mfn_list, &list), 0, "which frames it is made of, too");
    CHECK(list.nr_extents >= 1 && list.nr_extents <= 4 && extents[0] != 0, "in pieces of 2 MiB");
    memset(extents, 0, sizeof(extents));
    CHECK_EQ(memory_op(XENMEM_machphys_compat_mfn_list, &list), runs_32bit() ? 0 : -XEN_EOPNOTSUPP,
             "the table of 32-bit entries is there if there are 32-bit guests");
}

/* The last test: all frames that this kernel has, those it runs on among them, pinned tables and all. What is mapped
 * stays until it is unmapped, so the kernel lives on. */
static void test_everything(void)
{
    domid_t self = DOMID_SELF;
    long before = memory_op(XENMEM_current_reservation, &self), given = 0, after;
    xen_pfn_t frame;

    check_group("everything given back");
    for (unsigned long pfn = 0; pfn < pfn_limit(); pfn++) {
        frame = pfn_to_mfn(pfn);
        given += frame != INVALID_P2M ? reservation(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF) : 0;
    }
    after = memory_op(XENMEM_current_reservation, &self);
    CHECK(given > before / 2 && given <= before, "a kernel may give back all that it has");
    CHECK(after > 0 && after < before, "what it runs on stays, the rest is gone");
}

int main(int argc, char **argv)
{
    test_figures();
    test_extent();
    test_down_and_up();
    test_loop();
    test_increase();
    test_in_use();
    test_exchange();
    test_map_of_machine();
    test_everything();
    check_summary("memory");
    return 0;
}

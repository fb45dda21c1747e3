/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory that moves. A domain gives frames back, takes others, trades them; the lists are the guest's, their lengths
 * are numbers of its choice, and the frames may be in use at the very moment.
 */
#include "attack.h"

/* Frames of the hypervisor's image; soon behind it the heap begins, of which any frame may be this guest's. */
#define IMAGE_FIRST 0x200UL
#define IMAGE_END   0x228UL

static long reserve(unsigned int command, xen_pfn_t *list, unsigned long count, unsigned int order, domid_t domid)
{
    struct xen_memory_reservation r = {.nr_extents = count, .extent_order = order, .domid = domid};

    set_xen_guest_handle(r.extent_start, list);
    return HYPERVISOR_memory_op(command, &r);
}

static unsigned long pages_owned(void)
{
    domid_t self = DOMID_SELF;

    return (unsigned long)HYPERVISOR_memory_op(XENMEM_current_reservation, &self);
}

/* Numbers of extents and their orders multiply to sizes that wrap; a loop over them may never end, an allocation for them
 * be too small. */
static void huge_numbers(void)
{
    static const unsigned long counts[] = {~0UL, ~0UL >> 1, ~0UL >> 4, ~0UL >> 6, 1UL << 31, 0x20000001UL};
    static const unsigned int orders[] = {0, 9, 18, 20, 31, 32, 63, 64, ~0U};
    char *page = vspace_alloc(1), *backing = pages_alloc(1); /* behind it nothing is mapped */
    xen_pfn_t *list = (xen_pfn_t *)(page + PAGE_SIZE) - 4;

    check_group("numbers that are too large");
    pte_write(page, pte_make(virt_to_mfn(backing), PTE_KERNEL_RW));
    for (unsigned int i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (unsigned int j = 0; j < sizeof(orders) / sizeof(orders[0]); j++) {
            long done = reserve(XENMEM_increase_reservation, list, counts[i], orders[j], DOMID_SELF);
            CHECK(done <= 4, "no more than the list holds");
            if (done > 0)
                reserve(XENMEM_decrease_reservation, list, (unsigned long)done, orders[j], DOMID_SELF);
            CHECK(reserve(XENMEM_increase_reservation, list, counts[i], orders[j] | 32, DOMID_SELF) <= 0,
                  "none so large");
        }
    for (unsigned int j = 1; j < sizeof(orders) / sizeof(orders[0]); j++) {
        list[0] = ~0UL;
        CHECK(reserve(XENMEM_decrease_reservation, list, 1, orders[j], DOMID_SELF) == 0, "none given back");
        list[0] = ~0UL << (sizeof(long) * 8 - 12);
        CHECK(reserve(XENMEM_decrease_reservation, list, 1, orders[j], DOMID_SELF) == 0, "none at the end");
    }
    pte_write(page, 0);
    vspace_free(page, 1);
    pages_free(backing, 1);
}

/* Frames of others, of the hypervisor, of nobody; page tables in use, frames mapped elsewhere; twice the same one. */
static void frames_of_others(void)
{
    xen_pfn_t frames[2] = {foreign_mfn(), foreign_mfn()};
    unsigned long before = pages_owned();
    char *page = pages_alloc(1);

    check_group("frames that are not to give");
    CHECK_EQ(reserve(XENMEM_decrease_reservation, frames, 2, 0, DOMID_SELF), 0, "another's");
    for (unsigned long mfn = IMAGE_FIRST; mfn < IMAGE_END; mfn++) {
        frames[0] = mfn;
        CHECK_EQ(reserve(XENMEM_decrease_reservation, frames, 1, 0, DOMID_SELF), 0, "the hypervisor's");
    }
    for (unsigned int domid = 0; domid < 6; domid++) {
        if (domid == pv_domid())
            continue;
        frames[0] = foreign_mfn();
        CHECK(reserve(XENMEM_decrease_reservation, frames, 1, 0, (domid_t)domid) <= 0, "in another's name");
        CHECK(reserve(XENMEM_populate_physmap, frames, 1, 0, (domid_t)domid) <= 0, "nor taken");
    }
    frames[0] = frames[1] = virt_to_mfn(page);
    before = pages_owned();
    set_pte(page, 0);
    CHECK_EQ(reserve(XENMEM_decrease_reservation, frames, 2, 0, DOMID_SELF), 1, "one frame, once");
    CHECK_EQ(pages_owned(), before - 1, "and it counts once");
    frames[0] = virt_to_pfn(page);
    CHECK_EQ(reserve(XENMEM_populate_physmap, frames, 1, 0, DOMID_SELF), 1, "another comes");
    set_pte(page, pte_make(frames[0], PTE_KERNEL_RW));
    frames[0] = shared_info ? start_info->shared_info >> 12 : 0;
    CHECK_EQ(reserve(XENMEM_decrease_reservation, frames, 1, 0, DOMID_SELF), 0, "the shared page is not ours to give");
}

/* The list from which frames are read is also where the answer is written, and it may lie in what is traded: over the
 * argument itself, over a page table, in a page that is given away. */
static void lists_in_odd_places(void)
{
    static struct {
        struct xen_memory_reservation r;
        xen_pfn_t list[64];
    } self;
    char *page = pages_alloc(1);
    unsigned long mfn = virt_to_mfn(page);

    check_group("lists in odd places");
    memset(&self, 0, sizeof(self));
    self.r = (struct xen_memory_reservation){.nr_extents = 8, .domid = DOMID_SELF};
    set_xen_guest_handle(self.r.extent_start, (xen_pfn_t *)&self.r);
    HYPERVISOR_memory_op(XENMEM_decrease_reservation, &self.r);
    set_xen_guest_handle(self.r.extent_start, (xen_pfn_t *)(unsigned long)start_info->pt_base);
    self.r.nr_extents = 4;
    self.r.domid = DOMID_SELF;
    HYPERVISOR_memory_op(XENMEM_populate_physmap, &self.r);
    CHECK(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0) == 0, "a page table as a list is not written");
    *(xen_pfn_t *)page = mfn;
    self.r = (struct xen_memory_reservation){.nr_extents = 1, .domid = DOMID_SELF};
    set_xen_guest_handle(self.r.extent_start, (xen_pfn_t *)page);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &self.r), 1, "a page may name itself");
    CHECK(*(volatile xen_pfn_t *)page == mfn, "and stays while it is mapped");
    CHECK_EQ(set_pte(page, 0), 0, "then it goes");
    CHECK(set_pte(page, pte_make(mfn, PTE_KERNEL_RW)) < 0, "for good");
}

/* A trade checks what it takes, then takes it, then hands over: each step can be refused, with the others half done.
 * Without the privilege none of it is to happen at all. */
static void trades(void)
{
    struct xen_memory_exchange e;
    xen_pfn_t in[2], out[2] = {0x700, 0x701};
    unsigned long before = pages_owned();
    char *page = pages_alloc(2);

    check_group("trades");
    in[0] = virt_to_mfn(page);
    in[1] = virt_to_mfn(page + PAGE_SIZE);
    for (unsigned int how = 0; how < 12; how++) {
        memset(&e, 0, sizeof(e));
        e.in.nr_extents = e.out.nr_extents = 1;
        e.in.domid = e.out.domid = DOMID_SELF;
        set_xen_guest_handle(e.in.extent_start, in);
        set_xen_guest_handle(e.out.extent_start, out);
        switch (how) {
        case 0: /* mapped: in use */
            break;
        case 1:
            in[0] = foreign_mfn();
            break;
        case 2:
            in[0] = top_mfn();
            break;
        case 3:
            e.in.extent_order = e.out.extent_order = ~0U;
            break;
        case 4:
            e.in.nr_extents = ~0UL;
            e.out.nr_extents = ~0UL;
            break;
        case 5:
            e.nr_exchanged = ~0UL;
            break;
        case 6:
            e.in.domid = 0;
            break;
        case 7:
            e.out.domid = 0;
            break;
        case 8:
            e.in.extent_order = 63;
            break;
        case 9:
            e.in.nr_extents = 1UL << (sizeof(long) * 8 - 1);
            e.out.nr_extents = 0;
            e.in.extent_order = 1;
            break;
        case 10:
            set_xen_guest_handle(e.out.extent_start, (xen_pfn_t *)HV_DATA);
            break;
        default:
            set_xen_guest_handle(e.in.extent_start, (xen_pfn_t *)HV_DATA);
            break;
        }
        CHECK(HYPERVISOR_memory_op(XENMEM_exchange, &e) < 0 || how == 9, "is refused");
        in[0] = virt_to_mfn(page);
    }
    CHECK_EQ(pages_owned(), before, "nothing was lost or won");
    memset(page, 0x33, 2 * PAGE_SIZE);
    CHECK(page[0] == 0x33 && page[2 * PAGE_SIZE - 1] == 0x33, "and the pages are still ours");
    pages_free(page, 2);
}

/* A good trade whose answer cannot be written: the new frame is the domain's then, whether it knows it or not. */
static void trade_without_answer(void)
{
    char *page = pages_alloc(1);
    xen_pfn_t in = virt_to_mfn(page), out = virt_to_pfn(page);
    unsigned long before = pages_owned();
    struct xen_memory_exchange e;

    check_group("trades whose answer is lost");
    set_pte(page, 0);
    memset(&e, 0, sizeof(e));
    e.in.nr_extents = e.out.nr_extents = 1;
    e.in.domid = e.out.domid = DOMID_SELF;
    set_xen_guest_handle(e.in.extent_start, &in);
    set_xen_guest_handle(e.out.extent_start, (xen_pfn_t *)HV_DATA);
    CHECK(HYPERVISOR_memory_op(XENMEM_exchange, &e) < 0, "an answer to nowhere");
    CHECK_EQ(pages_owned(), before, "costs no page");
    set_xen_guest_handle(e.in.extent_start, &in);
    set_xen_guest_handle(e.out.extent_start, &out);
    e.nr_exchanged = 0;
    if (set_pte(page, pte_make(in, PTE_KERNEL_RW)) == 0) {
        pages_free(page, 1);
        return;
    }
    CHECK_EQ(pages_owned(), before, "ours or not, it counts");
}

/* What the hypervisor says about memory it says through a list as well. */
static void questions(void)
{
    struct xen_machphys_mfn_list list = {.max_extents = 1};
    unsigned int taken = 0;

    check_group("questions about memory");
    set_xen_guest_handle(list.extent_start, (xen_pfn_t *)HV_DATA);
    CHECK(HYPERVISOR_memory_op(XENMEM_machphys_mfn_list, &list) < 0, "no answer into the hypervisor");
    for (unsigned long command = 0; command < 64; command++)
        if (command != XENMEM_increase_reservation && command != XENMEM_decrease_reservation &&
            command != XENMEM_populate_physmap && command != XENMEM_maximum_ram_page &&
            command != XENMEM_get_sharing_freed_pages && command != XENMEM_get_sharing_shared_pages)
            for (unsigned long from = 1; from; from <<= 7)
                taken += HYPERVISOR_memory_op((unsigned int)(command | from << 6), (void *)0x8UL) >= 0;
    CHECK_EQ(taken, 0, "no question is read from where nothing is");
}

int main(int argc, char **argv)
{
    huge_numbers();
    frames_of_others();
    trades();
    trade_without_answer();
    questions();
    lists_in_odd_places();
    return check_summary("memory");
}

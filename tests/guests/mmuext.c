/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Corners of direct paging: in whose name a frame is mapped, flushes on several vCPUs, recursive tables, cache
 * attributes, entries of the upper levels, and tables that are taken apart while parts are pinned.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"
#include "table_calls.h"

static void test_names(void)
{
    char *page = pages_alloc(1);
    uint64_t slot = pte_slot(page);
    pte_t pte = pte_make(virt_to_mfn(page), PTE_KERNEL_RW);

    check_group("in whose name");
    CHECK_EQ(update(slot, pte, DOMID_SELF), 0, "our own frame in our own name");
    CHECK_EQ(update(slot, pte, pv_domid()), -XEN_ESRCH, "our number is not our name");
    CHECK_EQ(update(slot, pte, 0x7ff5), -XEN_ESRCH, "a reserved number is nobody");
    CHECK_EQ(update(slot, pte, DOMID_SELF | (0x7ff0U + 1) << 16), -XEN_ESRCH,
             "tables of a reserved number are nobody's");
    CHECK_EQ(update(slot, pte, DOMID_SELF | (pv_domid() + 1U) << 16), 0, "those of our own number are ours");
    CHECK_EQ(update(slot, pte, DOMID_SELF | (0x7123U + 1) << 16), -XEN_ESRCH, "those of a domain that does not exist");
    CHECK_EQ(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)page, pte, UVMF_INVLPG, 0x7123), -XEN_ESRCH,
             "a mapping in the name of a domain that does not exist");
    CHECK_EQ(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)page, pte, UVMF_INVLPG, DOMID_SELF), 0,
             "in our own");
    CHECK_EQ(update(slot, pte_make(virt_to_mfn(page), PTE_KERNEL_RO), DOMID_XEN) != 0, 1,
             "our frame is not the hypervisor's");
    pages_free(page, 1);
}

static void test_hypervisor_frames(void)
{
    struct xen_machphys_mfn_list list = {.max_extents = 1};
    xen_pfn_t extents[1] = {0};
    unsigned long *window = vspace_alloc(1);

    check_group("frames of the hypervisor");
    set_xen_guest_handle(list.extent_start, extents);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_machphys_mfn_list, &list), 0, "the table of machine frames names its own");
    if (!pv_is_dom0())
        return;
    CHECK_EQ(map_frames_at(window, extents, 1, DOMID_XEN, PTE_KERNEL_RO, NULL), 0, "dom0 may map it in its name");
    CHECK_EQ(window[5], ((unsigned long *)MACH2PHYS_VIRT_START)[5], "and sees the table");
    unmap_frames_keep(window, 1);
    CHECK(map_frames_at(window, extents, 1, DOMID_XEN, PTE_KERNEL_RW, NULL) != 0, "not writable");
    CHECK(map_frames_at(window, extents, 1, DOMID_SELF, PTE_KERNEL_RO, NULL) != 0, "nor as its own");
    vspace_free(window, 1);
}

static void test_shared_info(void)
{
    xen_pfn_t frame = (unsigned long)(start_info->shared_info >> PAGE_SHIFT);
    struct shared_info *second = map_frames(&frame, 1, DOMID_SELF, PTE_KERNEL_RW, NULL);

    check_group("the shared page");
    CHECK(second != NULL, "can be mapped again");
    if (second == NULL)
        return;
    CHECK_EQ(second->wc_sec, shared_info->wc_sec, "and is the same");
    CHECK(probe_write(&second->evtchn_mask[1], second->evtchn_mask[1]), "writable");
    CHECK(ext(MMUEXT_PIN_L1_TABLE, (unsigned long)frame) < 0, "it is no page table");
    unmap_frames(second, 1);
}

static void test_attributes(void)
{
    char *page = pages_alloc(1);
    pte_t plain = pte_make(virt_to_mfn(page), PTE_KERNEL_RW);

    check_group("cache attributes");
    /* A domain without devices has no use for them, and is refused. */
    bool allowed = pv_is_dom0();
    CHECK_EQ(pte_write(page, plain | PTE_PWT) == 0, allowed, "write-through");
    CHECK_EQ(pte_write(page, plain | PTE_PCD | PTE_PWT) == 0, allowed, "uncached");
    *(volatile char *)page = 1;
    CHECK_EQ(pte_write(page, plain | PTE_PSE) == 0, allowed, "the attribute bit that means a large page elsewhere");
    CHECK_EQ(pte_write(page, plain), 0, "back");
    pages_free(page, 1);
}

static void test_flushes(void)
{
    unsigned long mask = 1;
    struct mmuext_op ops[4];
    unsigned int done = 0;

    check_group("flushes");
    memset(ops, 0, sizeof(ops));
    ops[0].cmd = MMUEXT_TLB_FLUSH_MULTI;
    set_xen_guest_handle(ops[0].arg2.vcpumask, (void *)&mask);
    ops[1].cmd = MMUEXT_INVLPG_MULTI;
    ops[1].arg1.linear_addr = 0x100000;
    set_xen_guest_handle(ops[1].arg2.vcpumask, (void *)&mask);
    ops[2].cmd = MMUEXT_TLB_FLUSH_ALL;
    ops[3].cmd = MMUEXT_INVLPG_LOCAL;
    ops[3].arg1.linear_addr = 0x8000000000000000ULL & ~0UL;
    CHECK_EQ(HYPERVISOR_mmuext_op(ops, 4, &done, DOMID_SELF), 0, "on named vCPUs, on all, of one address");
    CHECK_EQ(done, 4, "each is counted");
    set_xen_guest_handle(ops[0].arg2.vcpumask, (void *)~0xfffUL);
    CHECK_EQ(HYPERVISOR_mmuext_op(ops, 1, &done, DOMID_SELF), -XEN_EINVAL, "a set of vCPUs that cannot be read");
    CHECK_EQ(done, 0, "and counts nothing");
    ops[0].cmd = MMUEXT_TLB_FLUSH_LOCAL;
    ops[1].cmd = 999;
    CHECK_EQ(HYPERVISOR_mmuext_op(ops, 3, &done, DOMID_SELF), -XEN_ENOSYS, "an unknown one ends the list");
    CHECK_EQ(done, 1, "after one");
    CHECK_EQ(HYPERVISOR_mmuext_op(ops, 0, &done, DOMID_SELF), 0, "an empty list is fine");
    CHECK_EQ(HYPERVISOR_update_va_mapping((unsigned long)&mask & PAGE_MASK, pte_read(&mask), UVMF_TLB_FLUSH | UVMF_ALL),
             0, "flush everywhere with a mapping");
    CHECK_EQ(HYPERVISOR_update_va_mapping((unsigned long)&mask & PAGE_MASK, pte_read(&mask),
                                          UVMF_INVLPG | (unsigned long)&mask),
             0, "or on named vCPUs");
}

static void test_levels(void)
{
    pte_t *l1 = new_table(), *l2 = new_table(), *other = new_table();
    const pte_t flags = PTE_P | PTE_RW | PTE_US;

    check_group("tables and levels");
    CHECK_EQ(ext(MMUEXT_PIN_L2_TABLE, virt_to_mfn(l2)), 0, "an empty middle table");
    CHECK_EQ(update(maddr(l2, 0), pte_make(virt_to_mfn(l1), flags), DOMID_SELF), 0, "takes a lowest table");
    CHECK_EQ(update(maddr(l2, 1), pte_make(virt_to_mfn(l1), flags), DOMID_SELF), 0, "twice, if you like");
    CHECK_EQ(update(maddr(l2, 2), pte_make(virt_to_mfn(l2), flags), DOMID_SELF), -XEN_EINVAL,
             "not itself as one, writable");
    CHECK_EQ(update(maddr(l2, 3), pte_make(virt_to_mfn(l1), flags | PTE_PSE), DOMID_SELF), -XEN_EINVAL,
             "no large page");
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(other)), 0, "a table pinned by itself");
    CHECK_EQ(update(maddr(l2, 4), pte_make(virt_to_mfn(other), flags), DOMID_SELF), 0, "can be named from above");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(other)), 0, "and be unpinned");
    CHECK(pages_protect(other, 1, true) != 0, "while it is in use there");
    CHECK_EQ(update(maddr(l2, 4), 0, DOMID_SELF), 0, "until that ends");
    CHECK_EQ(pages_protect(other, 1, true), 0, "then it is free");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(l2)), 0, "the middle table goes with all it holds");
    CHECK_EQ(pages_protect(l1, 1, true), 0, "its lowest tables are free");
    CHECK_EQ(pages_protect(l2, 1, true), 0, "so is it");
    pages_free(l1, 1);
    pages_free(l2, 1);
    pages_free(other, 1);
}

static void test_full_table(void)
{
    pte_t *l1 = pages_alloc(1);
    char *page = pages_alloc(1);

    check_group("a full table");
    for (int i = 0; i < 512; i++)
        l1[i] = pte_make(virt_to_mfn(page), PTE_P | PTE_RW | PTE_US);
    pages_protect(l1, 1, false);
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(l1)), 0, "512 times the same page");
    CHECK(pte_write(page, pte_make(virt_to_mfn(page), PTE_KERNEL_RO)) == 0, "our own mapping may be read-only");
    CHECK(ext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(page)) < 0, "it stays writable by the others: no table");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(l1)), 0, "they go");
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(page)), 0, "and it can be one");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(page)), 0, "for a while");
    pages_protect(page, 1, true);
    pages_protect(l1, 1, true);
    pages_free(l1, 1);
    pages_free(page, 1);
}

int main(int argc, char **argv)
{
    test_names();
    test_hypervisor_frames();
    test_shared_info();
    test_attributes();
    test_flushes();
    test_levels();
    test_full_table();
    check_summary("mmuext");
    return 0;
}

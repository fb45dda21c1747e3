/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames that are not a domain's plain RAM: pages of ours that it may map, devices' memory, descriptor tables, and what
 * was given back while somebody still maps it.
 */
#include <check.h>
#include "mm_fixture.h"
#include "tests/unit/run_suite.h"

START_TEST(test_shared_pages)
{
    void *rw = hv_alloc_pages(0), *ro = hv_alloc_pages(0);
    unsigned long before = free_frames();
    share_page_with_guest(rw, d, true);
    share_page_with_guest(ro, d, false);
    u64 a = pte_of(virt_to_mfn(rw), PTE_P | PTE_RW), b = pte_of(virt_to_mfn(ro), PTE_P | PTE_RW);
    ck_assert_int_eq(l1e_get(&a, d, d->id), 0);
    ck_assert_int_eq(l1e_get(&b, d, d->id), -EBUSY);
    b &= ~PTE_RW;
    ck_assert_int_eq(l1e_get(&b, d, d->id), 0);
    ck_assert_int_eq(page_get_and_type(virt_to_mfn(rw), d, FRAME_L1, false), -EINVAL);
    unshare_page(rw);
    unshare_page(ro);
    ck_assert_uint_eq(free_frames(), before); /* still mapped */
    ck_assert_uint_eq(d->mm.shared_frames, 2);
    l1e_put(a, d);
    l1e_put(b, d);
    ck_assert_uint_eq(free_frames(), before + 2);
    ck_assert_uint_eq(d->mm.shared_frames, 0);
    ck_assert_uint_eq(d->refs, 1);
}
END_TEST

/* What a guest maps is not taken back: it would go on reading, or writing, what is somebody else's. */
START_TEST(test_shared_pages_are_reclaimed_unmapped)
{
    void *shared = hv_alloc_pages(0);
    unsigned long before = free_frames();
    share_page_with_guest(shared, d, true);
    u64 entry = pte_of(virt_to_mfn(shared), PTE_P | PTE_RW);
    ck_assert_int_eq(l1e_get(&entry, d, d->id), 0);
    ck_assert(!reclaim_page(shared));
    l1e_put(entry, d);
    stale_cpus = 0;
    ck_assert(reclaim_page(shared));
    ck_assert_uint_ne(stale_cpus, 0); /* a translation may be left: a flush comes before any new use */
    ck_assert_uint_eq(d->mm.shared_frames, 0);
    ck_assert_int_eq(l1e_get(&entry, d, d->id), -EBUSY);
    share_page_with_guest(shared, d, true); /* ours again, to be freed or shared anew */
    unshare_page(shared);
    ck_assert_uint_eq(free_frames(), before + 1);
}
END_TEST

START_TEST(test_io_frames)
{
    u64 io = pte_of(mfn_of(4), PTE_P | PTE_RW | PTE_PCD), far = pte_of(mfn_of(0xFD000), PTE_P | PTE_RW);
    u64 lapic = pte_of(mfn_of(0xFEE00), PTE_P | PTE_RW), m2p = pte_of(m2p_first, PTE_P);
    d->iopl_trusted = d->privileged = true;
    ck_assert_int_eq(l1e_get(&io, d, d->id), 0);
    ck_assert_int_eq(l1e_get(&far, d, OWNER_IO), 0);
    ck_assert_int_eq(l1e_get(&lapic, d, d->id), -EPERM);
    l1e_put(io, d);
    l1e_put(far, d);
    u64 ram = pte_of(fake_page(d), PTE_P);
    ck_assert_int_eq(l1e_get(&ram, d, OWNER_IO), -EBUSY);
    ck_assert_int_eq(l1e_get(&m2p, d, OWNER_XEN), 0);
    ck_assert_uint_eq(refs(m2p_first), 2);
    l1e_put(m2p, d);
    m2p |= PTE_RW;
    ck_assert_int_eq(l1e_get(&m2p, d, OWNER_XEN), -EBUSY);
    m2p = pte_of(m2p_end, PTE_P);
    ck_assert_int_eq(l1e_get(&m2p, d, OWNER_XEN), -EBUSY);
}
END_TEST

/* Memory that is not RAM, and still nobody's to map: the interrupt controllers are ours, and an address that the CPU does
 * not have would fault with a bit that only the hypervisor could have set. */
START_TEST(test_io_frames_kept_back)
{
    static const unsigned long kept[] = {0xFEE00, 0xFEC00, 0xFD00000, 0xFFFFFFF, 1UL << 28};
    d->iopl_trusted = d->privileged = true;
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
        u64 entry = pte_of(mfn_of(kept[i]), PTE_P);
        ck_assert_int_eq(l1e_get(&entry, d, OWNER_IO), -EPERM);
    }
    u64 after = pte_of(mfn_of(0xFCFFFFF), PTE_P);
    ck_assert_int_eq(l1e_get(&after, d, OWNER_IO), 0);
    ck_assert_int_eq(l1e_get(&after, d, other->id), -EPERM); /* names an owner that no I/O memory has */
}
END_TEST

/* The rings of the trace buffer are shared with domain 0 and asked for in the hypervisor's own name. Nothing else is. */
START_TEST(test_trace_rings)
{
    domain_zero = d;
    void *ring = hv_alloc_pages(0);
    mfn_t own = fake_page(d), theirs = virt_to_mfn(ring);
    share_page_with_guest(ring, d, true);
    u64 entry = pte_of(theirs, PTE_P | PTE_RW);
    ck_assert_int_eq(l1e_get(&entry, other, OWNER_XEN), 0);
    ck_assert_uint_eq(refs(theirs), 2);
    l1e_put(entry, other);
    u64 refused = pte_of(own, PTE_P);
    ck_assert_int_eq(l1e_get(&refused, d, OWNER_XEN), -EBUSY);
    domain_zero = other;
    ck_assert_int_eq(l1e_get(&entry, other, OWNER_XEN), -EBUSY);
    domain_zero = NULL;
    unshare_page(ring);
}
END_TEST

START_TEST(test_descriptors)
{
    struct {
        u64 in, out;
        int ok32, ok64; /* -1 refused; 0 unchanged; 1 changed to out */
    } cases[] = {
        {0x00CF9B000000FFFF, 0x00CFBB000000FFFF, 1, -2}, /* ring 0 code becomes ring 1 */
        {0x00CFFB000000FFFF, 0, 0, 0},
        {0x00AFFB000000FFFF, 0, -1, 0},  /* 64-bit code */
        {0x0000890000000067, 0, -1, -1}, /* TSS */
        {0x0000820000000067, 0, -1, -1}, /* LDT */
        {0x00008E0000080000, 0, -1, -1}, /* interrupt gate */
        {0x0000090000000067, 0, 0, 0},   /* not present */
        {0x00000F0000000000, 0, 0, 0},
        {0x0000800000000000, 0, 0, 0}, /* type 0: the second half of a 64-bit gate */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        u64 e = cases[i].in;
        ck_assert_int_eq(descriptor_ok(d32, &e), cases[i].ok32 >= 0);
        if (cases[i].ok32 >= 0)
            ck_assert_uint_eq(e, cases[i].ok32 ? cases[i].out : cases[i].in);
        e = cases[i].in;
        if (cases[i].ok64 != -2)
            ck_assert_int_eq(descriptor_ok(d, &e), cases[i].ok64 >= 0);
        else
            ck_assert(descriptor_ok(d, &e) && (e >> 45 & 3) == 3);
    }
    u64 gate = 0x0000EC00E0190000; /* a call gate to the kernel's own code segment */
    ck_assert(descriptor_ok(d32, &gate));
    ck_assert_uint_eq(gate >> 45 & 3, 0);
    ck_assert_uint_eq(gate >> 16 & 3, 3);
    gate = 0x0000EC00E0010000; /* to one of ours */
    ck_assert(!descriptor_ok(d32, &gate));
}
END_TEST

START_TEST(test_descriptor_frames)
{
    mfn_t mfn = fake_page(d);
    fake_table(mfn)[5] = 0x00CF9B000000FFFF;
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_DESCRIPTOR, false), 0);
    ck_assert_uint_eq(fake_table(mfn)[5], 0x00CFFB000000FFFF);
    u64 entry = pte_of(mfn, PTE_P | PTE_RW);
    ck_assert_int_eq(l1e_get(&entry, d, d->id), -EBUSY);
    page_put_and_type(mfn);
    ck_assert_int_eq(l1e_get(&entry, d, d->id), 0);
    l1e_put(entry, d);
    fake_table(mfn)[6] = 0x0000890000000067;
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_DESCRIPTOR, false), -EINVAL);
}
END_TEST

/* A frame given back while mapped stays with its owner until the last mapping goes. */
START_TEST(test_freed_while_mapped)
{
    mfn_t mfn = fake_page(d);
    u64 entry = pte_of(mfn, PTE_P | PTE_RW);
    ck_assert_int_eq(l1e_get(&entry, d, d->id), 0);
    unsigned long before = free_frames();
    __atomic_and_fetch(&frame_table[mfn.value].word, ~FW_ALLOCATED, __ATOMIC_SEQ_CST);
    page_put(mfn);
    ck_assert_uint_eq(free_frames(), before);
    ck_assert(page_get(mfn, d)); /* in use as long as anyone maps it */
    page_put(mfn);
    l1e_put(entry, d);
    ck_assert(!page_get(mfn, d));
    ck_assert_uint_eq(free_frames(), before + 1);
    ck_assert_uint_eq(d->mm.tot_pages, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mm special frames");
    TCase *tc = tcase_create("frames");
    tcase_add_checked_fixture(tc, three_domains, three_domains_end);
    tcase_add_test(tc, test_shared_pages);
    tcase_add_test(tc, test_shared_pages_are_reclaimed_unmapped);
    tcase_add_test(tc, test_io_frames);
    tcase_add_test(tc, test_io_frames_kept_back);
    tcase_add_test(tc, test_trace_rings);
    tcase_add_test(tc, test_descriptors);
    tcase_add_test(tc, test_descriptor_frames);
    tcase_add_test(tc, test_freed_while_mapped);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

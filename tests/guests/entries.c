/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Page-table entries bit by bit, at each level, by each call that writes one: which bits are refused, which are dropped
 * or added on the way into the table, and how far a batch comes. Compared with genuine Xen's answers: a kernel reads
 * its entries back and finds there what it expects, or loses a mapping.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "check.h"

static char *data, *other;
static pte_t *l1, *l2, *l3, *l4;

static uint64_t maddr(const void *page, unsigned int slot)
{
    return ((uint64_t)virt_to_mfn(page) << PAGE_SHIFT) + slot * sizeof(pte_t);
}

static long update(uint64_t ptr, pte_t value, unsigned int domid)
{
    struct mmu_update u = {.ptr = ptr, .val = value};

    return HYPERVISOR_mmu_update(&u, 1, NULL, domid);
}

static long ext(unsigned int cmd, const void *page)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = virt_to_mfn(page)};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void note(const char *what, unsigned int number, unsigned int kind, long value)
{
    static char text[96];

    sprintf(text, "%s, %u, %u", what, number, kind);
    CHECK_SAME(value, text);
}

static bool judged(unsigned int bit)
{
    return bit < 12 || bit > 45; /* between: frames that differ from machine to machine */
}

/* What stands in the entry, as a difference from what was asked for: flags in one word, the upper ones folded down. */
static long folded(pte_t stands, pte_t asked)
{
    pte_t difference = stands ^ asked;

    return (long)((difference & 0xfff) | (difference >> 52) << 12);
}

static void sweep_level(const char *name, pte_t *table, unsigned int slot, const void *to, pte_t flags)
{
    for (unsigned int kind = 0; kind < 3; kind++) /* normal and preserve_ad; machphys has its own test */
        for (unsigned int bit = 0; kind != 1 && bit < 64; bit++) {
            pte_t value = pte_make(virt_to_mfn(to), flags) ^ 1ULL << bit;

            if (!judged(bit))
                continue;
            update(maddr(table, slot), 0, DOMID_SELF);
            note(name, bit, kind, update(maddr(table, slot) | kind, value, DOMID_SELF));
            note(name, bit, 10 + kind, table[slot] ? folded(table[slot], value) : -1);
        }
    update(maddr(table, slot), 0, DOMID_SELF);
}

static void sweep_live(const char *name, pte_t flags)
{
    for (unsigned int bit = 0; bit < 64; bit++) {
        pte_t value = pte_make(virt_to_mfn(data), flags) ^ 1ULL << bit;

        if (!judged(bit))
            continue;
        note(name, bit, 0, HYPERVISOR_update_va_mapping((unsigned long)other, value, UVMF_INVLPG));
        note(name, bit, 1, folded(pte_read(other), value));
    }
}

static void test_bits(void)
{
    check_group("bits of entries");
    l1 = pages_alloc(1), l2 = pages_alloc(1), l3 = pages_alloc(1), l4 = pages_alloc(1);
    pages_protect(l1, 1, false);
    pages_protect(l2, 1, false);
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, l1), 0, "a lowest table can be pinned");
    CHECK_EQ(ext(MMUEXT_PIN_L2_TABLE, l2), 0, "and a second one");
    sweep_level("level 1, writable", l1, 3, data, PTE_KERNEL_RW);
    sweep_level("level 1, read-only", l1, 3, data, PTE_KERNEL_RO);
    sweep_level("level 1, bare", l1, 3, data, PTE_P);
    sweep_level("level 1, not present", l1, 3, data, 0);
    sweep_level("level 2", l2, 3, l1, PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D);
    sweep_level("level 2, bare", l2, 3, l1, PTE_P);
    sweep_level("level 2, not present", l2, 3, l1, 0);
#ifdef __x86_64__
    pages_protect(l3, 1, false);
    pages_protect(l4, 1, false);
    CHECK_EQ(ext(MMUEXT_PIN_L3_TABLE, l3), 0, "a third");
    CHECK_EQ(ext(MMUEXT_PIN_L4_TABLE, l4), 0, "and a top one");
    sweep_level("level 3", l3, 3, l2, PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D);
    sweep_level("level 3, bare", l3, 3, l2, PTE_P);
    sweep_level("level 3, not present", l3, 3, l2, 0);
    sweep_level("level 4", l4, 3, l3, PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D);
    sweep_level("level 4, bare", l4, 3, l3, PTE_P);
    sweep_level("level 4, not present", l4, 3, l3, 0);
    for (unsigned int slot = 250; slot < 280; slot++) {
        note("level 4, slot", slot, 0, update(maddr(l4, slot), pte_make(virt_to_mfn(l3), 0x67), DOMID_SELF));
        note("level 4, slot emptied", slot, 0, update(maddr(l4, slot), 0, DOMID_SELF));
    }
#endif
    sweep_live("live, writable", PTE_KERNEL_RW);
    sweep_live("live, read-only", PTE_KERNEL_RO);
    HYPERVISOR_update_va_mapping((unsigned long)other, pte_make(virt_to_mfn(data), PTE_KERNEL_RW), UVMF_INVLPG);
}

static const unsigned int domids[] = {0,         1,         0x7000,        DOMID_SELF, DOMID_IO,
                                      DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_IDLE};

static void test_domains(void)
{
    uint64_t slot = maddr(l1, 5);

    check_group("whose frames, whose tables");
    for (unsigned int i = 0; i < sizeof(domids) / sizeof(domids[0]); i++) {
        unsigned int d = domids[i];

        note("own frame of", d, 0, update(slot, pte_make(virt_to_mfn(data), PTE_KERNEL_RW), d));
        note("nothing of", d, 0, update(slot, 0, d));
        note("in tables of", d, 0,
             update(slot, pte_make(virt_to_mfn(data), PTE_KERNEL_RW), (d + 1) << 16 | DOMID_SELF));
        update(slot, 0, DOMID_SELF);
        note("no frame of", d, 0, update(slot, pte_make(0xffffffffffUL & ~0xfUL, PTE_KERNEL_RW), d));
        note("device frame of", d, 0, update(slot, pte_make(0xe0000, PTE_KERNEL_RW), d));
        note("local APIC of", d, 0, update(slot, pte_make(0xfee00, PTE_KERNEL_RW), d));
        note("frame 0xa0 of", d, 0, update(slot, pte_make(0xa0, PTE_KERNEL_RW), d));
        note("otherdomain", d, 0,
             HYPERVISOR_update_va_mapping_otherdomain((unsigned long)other, pte_make(virt_to_mfn(data), PTE_KERNEL_RW),
                                                      UVMF_INVLPG, d));
        update(slot, 0, DOMID_SELF);
    }
}

static void test_places(void)
{
    pte_t value = pte_make(virt_to_mfn(data), PTE_KERNEL_RW);

    check_group("where entries may be written");
    for (unsigned int i = 0; i < 8; i++) {
        *(volatile uint64_t *)data = 0;
        note("bytes off, in a page of data", i, 0, update(maddr(data, 0) + i, 0x1234567812345678ULL, DOMID_SELF));
        note("which then has", i, 0, (long)*(volatile uint64_t *)data);
        note("bytes off, in a table", i, 0, update(maddr(l1, 7) + i, value, DOMID_SELF));
        note("the entry has", i, 0, folded(l1[7], value));
        update(maddr(l1, 7), 0, DOMID_SELF);
        update(maddr(l1, 8), 0, DOMID_SELF);
    }
    note("past memory", 0, 0, update(1ULL << 50, 0, DOMID_SELF));
    note("highest", 0, 0, update(~7ULL, 0, DOMID_SELF));
    note("shared_info", 0, 0, update(start_info->shared_info, 0, DOMID_SELF));
    note("low memory", 0, 0, update(0x1000, 0, DOMID_SELF));
    note("machphys of a bad frame", 0, 0, update(1ULL << 50 | 1, 5, DOMID_SELF));
    note("machphys of mine", 0, 0, update(maddr(data, 0) | 1, virt_to_pfn(data), DOMID_SELF));
    note("machphys of mine in the middle", 0, 0, update(maddr(data, 9) | 1, virt_to_pfn(data), DOMID_SELF));
    note("machphys of nobody", 0, 0, update(0xfee00000ULL | 1, 5, DOMID_SELF));
}

static void test_batches(void)
{
    struct mmu_update u[6];
    unsigned int done;
    long rc;

    check_group("batches");
    for (unsigned int bad = 0; bad < 6; bad++) {
        for (unsigned int i = 0; i < 6; i++)
            u[i] = (struct mmu_update){.ptr = maddr(l1, 10 + i), .val = pte_make(virt_to_mfn(data), PTE_KERNEL_RW)};
        u[bad].val |= PTE_PSE << 1 << 8 << 36; /* a bit of the address: no such frame */
        u[bad].val |= 1ULL << 50;
        done = 77;
        rc = HYPERVISOR_mmu_update(u, 6, &done, DOMID_SELF);
        note("bad entry", bad, 0, rc);
        note("bad entry, done", bad, 1, done);
        for (unsigned int i = 0; i < 6; i++) {
            note("bad entry, slot", bad, i, l1[10 + i] != 0);
            update(maddr(l1, 10 + i), 0, DOMID_SELF);
        }
    }
    done = 77;
    note("none", 0, 0, HYPERVISOR_mmu_update(u, 0, &done, DOMID_SELF));
    note("none, done", 0, 0, done);
    note("none for a bad domain", 0, 0, HYPERVISOR_mmu_update(u, 0, &done, 0x7000));
    note("none from nowhere", 0, 0, HYPERVISOR_mmu_update(NULL, 0, &done, DOMID_SELF));
    done = 77;
    note("one from nowhere", 0, 0, HYPERVISOR_mmu_update(NULL, 1, &done, DOMID_SELF));
    note("done", 0, 0, done);
    note("many from nowhere", 0, 0, HYPERVISOR_mmu_update(NULL, 0x7fffffff, &done, DOMID_SELF));
    note("preempted flag, none", 0, 0, HYPERVISOR_mmu_update(NULL, 0x80000000, &done, DOMID_SELF));
    note("done", 1, 0, done);
    note("preempted flag, one", 0, 0, HYPERVISOR_mmu_update(NULL, 0x80000001, &done, DOMID_SELF));
    note("done nowhere", 0, 0, HYPERVISOR_mmu_update(u, 1, (unsigned int *)8, DOMID_SELF));
}

static void test_flags(void)
{
    pte_t value = pte_make(virt_to_mfn(data), PTE_KERNEL_RW);
    unsigned long map = 1;

    check_group("flags of update_va_mapping");
    for (unsigned long flags = 0; flags < 16; flags++) {
        note("no map", (unsigned int)flags, 0, HYPERVISOR_update_va_mapping((unsigned long)other, value, flags));
        if (flags < 4)
            note("with a map", (unsigned int)flags, 0,
                 HYPERVISOR_update_va_mapping((unsigned long)other, value, flags | (unsigned long)&map));
    }
    note("map nowhere", 0, 0, HYPERVISOR_update_va_mapping((unsigned long)other, value, 0x1000 | UVMF_INVLPG));
    note("map nowhere, flush", 0, 0,
         HYPERVISOR_update_va_mapping((unsigned long)other, value, 0x1000 | UVMF_TLB_FLUSH));
    note("not aligned", 0, 0, HYPERVISOR_update_va_mapping((unsigned long)other + 5, value, UVMF_INVLPG));
    note("no table there", 0, 0, HYPERVISOR_update_va_mapping(0x3f000000, value, UVMF_INVLPG));
#ifdef __x86_64__
    note("no address", 0, 0, HYPERVISOR_update_va_mapping(0x800000000000UL, value, UVMF_INVLPG));
    note("the hypervisor's", 0, 0, HYPERVISOR_update_va_mapping(0xffff800000000000UL, value, UVMF_INVLPG));
    note("the hypervisor's", 1, 0, HYPERVISOR_update_va_mapping(0xffff82d040000000UL, value, UVMF_INVLPG));
    note("the last page", 0, 0, HYPERVISOR_update_va_mapping(0xfffffffffffff000UL, value, UVMF_INVLPG));
#else
    note("the hypervisor's", 0, 0, HYPERVISOR_update_va_mapping(0xf5800000UL, value, UVMF_INVLPG));
    note("the last page", 0, 0, HYPERVISOR_update_va_mapping(0xfffff000UL, value, UVMF_INVLPG));
#endif
}

static const unsigned long frames[] = {0, 1, 0xa0, 0xe0000, 0xfec00, 0xfee00, 0xfffff, 1UL << 30, ~0UL};

static void ext_case(const char *what, unsigned int cmd, unsigned long mfn, unsigned long arg2, unsigned int domid)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};
    unsigned int done = 77;

    op.arg2.src_mfn = arg2;
    note(what, cmd, domid, HYPERVISOR_mmuext_op(&op, 1, &done, domid));
    note(what, cmd, domid + 1, done);
}

static void test_extended(void)
{
    check_group("mmuext_op");
    for (unsigned int cmd = 0; cmd < 24; cmd++) {
        for (unsigned int i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
            if (cmd < MMUEXT_TLB_FLUSH_LOCAL || cmd > MMUEXT_SET_LDT)
                if (!(cmd == MMUEXT_NEW_USER_BASEPTR && frames[i] == 0))
                    ext_case("frame", cmd, frames[i], frames[i], DOMID_SELF);
        if (cmd == MMUEXT_NEW_BASEPTR || cmd == MMUEXT_NEW_USER_BASEPTR || cmd == MMUEXT_TLB_FLUSH_MULTI ||
            cmd == MMUEXT_INVLPG_MULTI)
            continue; /* the first two would succeed; the others would take a frame's number for an address */
        ext_case("data", cmd, virt_to_mfn(data), virt_to_mfn(data), DOMID_SELF);
        ext_case("a pinned level 1", cmd, virt_to_mfn(l1), virt_to_mfn(data), DOMID_SELF);
        if (cmd == MMUEXT_UNPIN_TABLE)
            ext(MMUEXT_PIN_L1_TABLE, l1);
        ext_case("from a table", cmd, virt_to_mfn(data), virt_to_mfn(l1), DOMID_SELF);
        for (unsigned int i = 0; i < sizeof(domids) / sizeof(domids[0]); i++)
            if (domids[i] != 0 && domids[i] != DOMID_SELF)
                ext_case("of", cmd, virt_to_mfn(data), virt_to_mfn(data), domids[i]);
    }
    ext_case("shared_info", MMUEXT_CLEAR_PAGE, start_info->shared_info >> PAGE_SHIFT, 0, DOMID_SELF);
    ext_case("pin shared_info", MMUEXT_PIN_L1_TABLE, start_info->shared_info >> PAGE_SHIFT, 0, DOMID_SELF);
}

static void test_extended_lists(void)
{
    struct mmuext_op ops[4];
    unsigned int done = 77;

    check_group("lists of mmuext_op");
    for (unsigned int bad = 0; bad < 4; bad++) {
        memset(ops, 0, sizeof(ops));
        for (unsigned int i = 0; i < 4; i++)
            ops[i].cmd = MMUEXT_TLB_FLUSH_LOCAL;
        ops[bad].cmd = 99;
        done = 77;
        note("unknown", bad, 0, HYPERVISOR_mmuext_op(ops, 4, &done, DOMID_SELF));
        note("unknown, done", bad, 0, done);
        ops[bad].cmd = MMUEXT_UNPIN_TABLE;
        ops[bad].arg1.mfn = virt_to_mfn(data);
        note("not pinned", bad, 0, HYPERVISOR_mmuext_op(ops, 4, &done, DOMID_SELF));
        note("not pinned, done", bad, 0, done);
    }
    done = 77;
    note("none", 0, 0, HYPERVISOR_mmuext_op(ops, 0, &done, DOMID_SELF));
    note("none, done", 0, 0, done);
    note("none from nowhere", 0, 0, HYPERVISOR_mmuext_op(NULL, 0, &done, DOMID_SELF));
    note("none of nobody", 0, 0, HYPERVISOR_mmuext_op(NULL, 0, &done, 0x7000));
    note("one from nowhere", 0, 0, HYPERVISOR_mmuext_op(NULL, 1, &done, DOMID_SELF));
    note("flag of continuation", 0, 0, HYPERVISOR_mmuext_op(NULL, 0x80000000, &done, DOMID_SELF));
    note("done nowhere", 0, 0, HYPERVISOR_mmuext_op(ops, 1, (unsigned int *)8, DOMID_SELF));
    ops[0] = (struct mmuext_op){.cmd = MMUEXT_TLB_FLUSH_MULTI};
    note("flush of nowhere's processors", 0, 0, HYPERVISOR_mmuext_op(ops, 1, &done, DOMID_SELF));
    ops[0].cmd = MMUEXT_INVLPG_MULTI;
    note("page of nowhere's processors", 0, 0, HYPERVISOR_mmuext_op(ops, 1, &done, DOMID_SELF));
}

static long set_ldt(unsigned long base, unsigned long entries)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT, .arg1.linear_addr = base, .arg2.nr_ents = entries};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* One without entries has no place: kernels drop theirs so, with whatever address. */
static void test_local_tables(void)
{
    static const unsigned int counts[] = {0, 1, 512, 8192, 8193};
    const unsigned long places[] = {0,
                                    (unsigned long)data,
                                    (unsigned long)data + 8,
                                    0x3f000000,
                                    ~0xfffUL,
#ifdef __x86_64__
                                    0x800000000000UL,
                                    0xffff800000000000UL,
                                    0xffff87fffffff000UL,
#endif
                                    0xf5800000UL,
                                    0xf57ff000UL};

    check_group("where the local table lies");
    for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        for (unsigned int j = 0; j < sizeof(counts) / sizeof(counts[0]); j++)
            note("place", i, counts[j], set_ldt(places[i], counts[j]));
    CHECK_EQ(set_ldt(0, 0), 0, "none");
}

int main(int argc, char **argv)
{
    data = pages_alloc(1);
    other = pages_alloc(1);
    test_bits();
    test_domains();
    test_places();
    test_batches();
    test_flags();
    test_extended();
    test_extended_lists();
    test_local_tables();
    return check_summary("entries") != 0;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Page tables written as if they were memory, by each instruction that a kernel may use for it.
 */
#include <stdint.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "tests/guests/check.h"
#include "emulation.h"

/* Our view of the entry that maps a page, in the table's own read-only mapping. */
static volatile pte_t *entry_of(void *page)
{
    uint64_t slot = pte_slot(page);

    return (volatile pte_t *)((char *)pfn_to_virt(mfn_to_pfn((unsigned long)(slot >> PAGE_SHIFT))) +
                              (slot & ~PAGE_MASK));
}

static void flush_one(void *page)
{
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = (unsigned long)page};

    HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void do_store_pte(void *entry)
{
    *(volatile uint32_t *)entry = *(volatile uint32_t *)entry | 0x200;
}

/* Two entries' bytes, or one's at an odd place: entries are written whole or in aligned parts. */
static void do_store_across(void *entry)
{
    *(volatile uint32_t *)((char *)entry + 6) = 0;
}

static void do_store_unaligned(void *entry)
{
    *(volatile uint16_t *)((char *)entry + 1) = 0;
}

#define AVAILABLE 0x200U

static void test_page_table_arithmetic(volatile uint32_t *low, uint32_t clean)
{
    unsigned char carry;
    uint32_t value = clean | AVAILABLE, old = clean + 1;

    __asm__ volatile("orl %1, %0" : "+m"(*low) : "r"(AVAILABLE));
    CHECK_EQ(*low, clean | AVAILABLE, "OR");
    __asm__ volatile("lock; andl %1, %0" : "+m"(*low) : "i"(~AVAILABLE));
    CHECK_EQ(*low, clean, "LOCK AND with an immediate");
    __asm__ volatile("xorw %w1, %0" : "+m"(*low) : "r"(AVAILABLE));
    CHECK_EQ(*low, clean | AVAILABLE, "XOR of 16 bits");
    __asm__ volatile("subl %2, %0; setc %1" : "+m"(*low), "=q"(carry) : "r"(AVAILABLE));
    CHECK(*low == clean && !carry, "SUB and its carry");
    __asm__ volatile("lock; btsl $9, %0; setc %1" : "+m"(*low), "=q"(carry));
    CHECK(*low == (clean | AVAILABLE) && !carry, "BTS, the bit was clear");
    __asm__ volatile("lock; btrl %2, %0; setc %1" : "+m"(*low), "=q"(carry) : "r"(9));
    CHECK(*low == clean && carry, "BTR by register, the bit was set");
    __asm__ volatile("btcl %1, %0" : "+m"(*(low - 4)) : "r"(4 * 32 + 9));
    CHECK_EQ(*low, clean | AVAILABLE, "BTC with an offset beyond its operand");
    __asm__ volatile("lock; cmpxchgl %3, %1; setz %2" : "+a"(old), "+m"(*low), "=q"(carry) : "r"(clean));
    CHECK(!carry && old == (clean | AVAILABLE) && *low == (clean | AVAILABLE),
          "CMPXCHG that fails loads the old value");
    __asm__ volatile("lock; cmpxchgl %3, %1; setz %2" : "+a"(old), "+m"(*low), "=q"(carry) : "r"(clean));
    CHECK(carry && *low == clean, "CMPXCHG that succeeds");
    __asm__ volatile("xchgl %0, %1" : "+r"(value), "+m"(*low));
    CHECK(value == clean && *low == (clean | AVAILABLE), "XCHG");
    value = (uint32_t) - (int32_t)AVAILABLE;
    __asm__ volatile("lock; xaddl %0, %1" : "+r"(value), "+m"(*low));
    CHECK(value == (clean | AVAILABLE) && *low == clean, "XADD");
}

static void test_page_table_strings(volatile pte_t *entry, pte_t clean)
{
    pte_t source = clean | 2 * AVAILABLE;
    void *from = &source;
    void *to = (void *)(unsigned long)entry;
    unsigned long count = sizeof(pte_t) / 4;

    __asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
    CHECK(*entry == source && count == 0, "REP MOVS of a whole entry");
    CHECK(from == &source + 1 && to == (void *)(unsigned long)(entry + 1), "advances both registers");
    to = (void *)(unsigned long)entry;
    __asm__ volatile("stosl" : "+D"(to) : "a"((uint32_t)clean) : "memory");
    CHECK(*entry == clean, "STOS of its lower half");
}

void test_page_table_writes(void)
{
    char *page = pages_alloc(1), *other = pages_alloc(1);
    volatile pte_t *entry = entry_of(page);
    pte_t clean = *entry, expected = clean ^ 1, target = pte_make(virt_to_mfn(other), PTE_KERNEL_RW);
    unsigned char equal;

    check_group("page-table writes");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0, "the assist can be enabled");
    CHECK(!faults(do_store_pte, (void *)(unsigned long)entry, TRAP_PF), "a write is carried out");
    CHECK(*entry == (clean | AVAILABLE), "by MOV");
    CHECK(faults(do_store_across, (void *)(unsigned long)entry, TRAP_PF), "a write to halves of two entries is not");
    CHECK(faults(do_store_unaligned, (void *)(unsigned long)entry, TRAP_PF), "nor one at an odd address");
    CHECK(*entry == (clean | AVAILABLE), "and the entry stays");
    *(volatile uint32_t *)entry = (uint32_t)clean;
    test_page_table_arithmetic((volatile uint32_t *)entry, (uint32_t)clean);
    test_page_table_strings(entry, clean);
    __asm__ volatile("lock; cmpxchg8b %1; setz %2"
                     : "+A"(expected), "+m"(*entry), "=q"(equal)
                     : "b"((uint32_t)clean), "c"((uint32_t)(clean >> 32)));
    CHECK(!equal, "CMPXCHG8B that fails");
#ifndef __x86_64__
    CHECK(expected == clean, "loads the old value");
    __asm__ volatile("lock; cmpxchg8b %1; setz %2"
                     : "+A"(expected), "+m"(*entry), "=q"(equal)
                     : "b"((uint32_t)target), "c"((uint32_t)(target >> 32)));
    CHECK(equal && *entry == target, "CMPXCHG8B that succeeds");
#else
    *entry = target;
    CHECK((*entry & PTE_ADDR_MASK) == (target & PTE_ADDR_MASK), "a whole entry by MOV");
#endif
    *(volatile uint32_t *)other = 0x12345678;
    flush_one(page);
    CHECK_EQ(*(volatile uint32_t *)page, 0x12345678, "the new mapping is in force");
    *entry = clean;
    flush_one(page);
    CHECK(!faults(do_load, page, TRAP_PF), "and the old one again");
    pages_free(page, 1);
    pages_free(other, 1);
}

static void do_store_table_mapping(void *entry)
{
    *(volatile uint8_t *)entry = *(volatile uint8_t *)entry | PTE_RW;
}

static void do_alias(void *entry)
{
    uint32_t low = (uint32_t)pte_make(virt_to_mfn((void *)((unsigned long)entry & PAGE_MASK)), PTE_KERNEL_RW);

    *(volatile uint32_t *)entry = low;
}

/* A write that would break the rules of direct paging is not done, and the fault is ours. */
void test_bad_page_table_writes(void)
{
    char *page = pages_alloc(1);
    volatile pte_t *entry = entry_of(page);
    volatile pte_t *of_table = entry_of((void *)((unsigned long)entry & PAGE_MASK));
    pte_t clean = *entry, table_entry = *of_table;

    check_group("page-table writes that break the rules");
    CHECK(faults(do_store_table_mapping, (void *)(unsigned long)of_table, TRAP_PF), "a table may not become writable");
    CHECK(fault.error == 3 && fault.address == (unsigned long)of_table, "the fault is that of the write");
    CHECK(*of_table == table_entry, "and nothing has changed");
    CHECK(faults(do_alias, (void *)(unsigned long)entry, TRAP_PF), "nor may it be mapped writable elsewhere");
    CHECK(*entry == clean, "nothing has changed either");
    pages_free(page, 1);
}

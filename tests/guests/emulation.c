/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that the hypervisor carries out for us: privileged ones, port I/O, forced cpuid; in the directory, debug
 * registers and single steps, direct writes to page tables, and call gates. Each must do what the hardware would have done,
 * to registers, flags and memory alike.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"
#include "emulation/emulation.h"

#define MSR_TSC            0x10
#define MSR_PAT            0x277
#define MSR_EFER           0xC0000080
#define MSR_FS_BASE        0xC0000100
#define MSR_GS_BASE        0xC0000101
#define MSR_KERNEL_GS_BASE 0xC0000102
#define MSR_UNKNOWN        0xC0010055

#define CR0_TS             8UL

struct fault fault;

bool faults(void (*fn)(void *arg), void *arg, unsigned int vector)
{
    memset(&fault, 0, sizeof(fault));
    return !fault_catch(fn, arg, &fault) && fault.vector == vector;
}

static void forced_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(subleaf));
}

static void test_cpuid(void)
{
    uint32_t out[4], last[4];

    check_group("forced cpuid");
    forced_cpuid(0x40000000, 0, out);
    CHECK(memcmp(&out[1], "XenVMMXenVMM", 12) == 0, "the hypervisor's leaves bear Xen's signature");
    CHECK(out[0] >= 0x40000004 && out[0] <= 0x40000010, "and say how many there are");
    forced_cpuid(0x40000001, 0, out);
    CHECK_EQ(out[0], 0x00040011, "version 4.17");
    forced_cpuid(0x40000002, 0, out);
    CHECK_EQ(out[1], 0x40000000, "the MSR of hypercall pages");
    CHECK(out[2] & 1, "accessed and dirty bits can be preserved");
    forced_cpuid(0x40000100, 0, out);
    CHECK_EQ(out[0] | out[1] | out[2] | out[3], 0, "other hypervisors' leaves are empty");
    forced_cpuid(0, 0, last);
    CHECK(last[0] >= 1 && last[0] <= 0xD, "basic leaves end at 0xD at the latest");
    forced_cpuid(last[0] + 1, 0, out);
    CHECK_EQ(out[0] | out[1] | out[2] | out[3], 0, "a leaf past the last is empty");
    forced_cpuid(1, 0, out);
    CHECK(out[2] >> 31, "the hypervisor bit is set");
    CHECK(!(out[2] & (1 << 3 | 1 << 5 | 1 << 17 | 1 << 21)), "no MONITOR, VMX, PCID or x2APIC");
    CHECK_EQ(out[2] >> 26 & 1, out[2] >> 27 & 1, "XSAVE and OSXSAVE agree");
    CHECK((out[3] & 0x07008171) == 0x07008171, "FPU TSC MSR PAE CX8 CMOV FXSR SSE SSE2 are there");
    CHECK(!(out[3] & (1 << 3 | 1 << 13)), "no large pages, no global pages");
    forced_cpuid(7, 0, out);
    CHECK(!(out[1] & (1 << 7 | 1 << 20 | 1 << 10)), "no SMEP, SMAP or INVPCID");
    CHECK(!(out[2] & (1 << 2 | 1 << 3)), "no UMIP, no protection keys");
    forced_cpuid(0x80000001, 0, out);
    CHECK(out[3] >> 20 & 1, "no-execute pages");
#ifdef __x86_64__
    CHECK_EQ(out[3] >> 29 & 1, 1, "long mode for a 64-bit kernel");
#else
    CHECK_EQ(out[3] >> 29 & 1, 0, "no long mode for a 32-bit kernel");
#endif
}

unsigned long read_cr(int which)
{
    unsigned long value;

    switch (which) {
    case 0:
        __asm__ volatile("mov %%cr0, %0" : "=r"(value));
        break;
    case 2:
        __asm__ volatile("mov %%cr2, %0" : "=r"(value));
        break;
    case 3:
        __asm__ volatile("mov %%cr3, %0" : "=r"(value));
        break;
    default:
        __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    }
    return value;
}

static void do_write_cr0(void *value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value));
}

static void do_fpu_with_ts(void *cr0)
{
    __asm__ volatile("mov %0, %%cr0\n\tfninit" : : "r"(cr0)); /* nothing between: the compiler uses SSE */
}

void do_load(void *addr)
{
    (void)*(volatile char *)addr;
}

static void test_control_registers(void)
{
    unsigned long cr0, cr3, set;
    char *hole = vspace_alloc(1);

    check_group("control registers");
    cr0 = read_cr(0);
    CHECK((cr0 & 0x80000001UL) == 0x80000001UL && !(cr0 & CR0_TS), "CR0: paging and protection on, TS off");
    __asm__ volatile("mov %1, %%cr0\n\tmov %%cr0, %0\n\tclts" : "=r"(set) : "r"(cr0 | CR0_TS));
    CHECK_EQ(set, cr0 | CR0_TS, "TS can be set by a move to CR0");
    CHECK_EQ(read_cr(0), cr0, "and cleared by CLTS");
    CHECK(faults(do_fpu_with_ts, (void *)(cr0 | CR0_TS), TRAP_NM), "with TS set the FPU faults");
    __asm__ volatile("clts");
    CHECK(faults(do_write_cr0, (void *)(cr0 & ~0x10000UL), TRAP_GP), "write protection cannot be switched off");
    CHECK(faults(do_load, hole + 8, TRAP_PF), "(a page fault)");
    CHECK_EQ(read_cr(2), (unsigned long)hole + 8, "CR2 has its address");
    cr3 = read_cr(3);
#ifdef __x86_64__
    CHECK(mfn_to_pfn(cr3 >> 12) < pfn_limit(), "CR3 names the frame of the level-4 table");
#else
    CHECK(mfn_to_pfn(cr3 >> 12 | (cr3 & 0xFFF) << 20) < pfn_limit(), "CR3 names the frame of the level-3 table");
#endif
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
    CHECK_EQ(read_cr(3), cr3, "and can be written back");
    CHECK((read_cr(4) & 0x20) != 0, "CR4 shows PAE");
    set = read_cr(4);
    __asm__ volatile("mov %0, %%cr4" : : "r"(set | 4));
    CHECK_EQ(read_cr(4), set | 4, "the kernel may reserve the TSC for itself");
    __asm__ volatile("rdtsc" : "=a"(cr0) : : "edx");
    CHECK(cr0 != 0, "and reads it all the same");
    __asm__ volatile("mov %0, %%cr4" : : "r"(set));
    CHECK_EQ(read_cr(4), set, "and takes that back");
    vspace_free(hole, 1);
}

static uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static void do_rdmsr(void *msr)
{
    read_msr((uint32_t)(unsigned long)msr);
}

#ifdef __x86_64__
struct msr_write {
    uint32_t msr;
    uint64_t value;
};

static void do_wrmsr(void *arg)
{
    const struct msr_write *w = arg;

    __asm__ volatile("wrmsr" : : "c"(w->msr), "a"((uint32_t)w->value), "d"((uint32_t)(w->value >> 32)));
}
#endif

static void test_msrs(void)
{
    uint64_t tsc = read_msr(MSR_TSC);
    uint32_t features[4];

    check_group("model-specific registers");
    forced_cpuid(0x80000001, 0, features);
    CHECK(read_msr(MSR_TSC) > tsc, "the TSC advances");
    CHECK(read_msr(MSR_PAT) == 0x050100070406ULL, "the PAT has Xen's layout");
    CHECK_EQ(read_msr(MSR_EFER) & 1, features[3] >> 11 & 1, "EFER shows SYSCALL where it is offered");
    CHECK(faults(do_rdmsr, (void *)(unsigned long)MSR_UNKNOWN, TRAP_GP) && fault.error == 0,
          "an unknown MSR is a fault");
#ifdef __x86_64__
    CHECK(read_msr(MSR_EFER) >> 10 & 1, "EFER shows long mode");
    do_wrmsr(&(struct msr_write){MSR_FS_BASE, 0x123456789ABC});
    CHECK(read_msr(MSR_FS_BASE) == 0x123456789ABC, "the FS base can be set");
    do_wrmsr(&(struct msr_write){MSR_FS_BASE, 0});
    do_wrmsr(&(struct msr_write){MSR_KERNEL_GS_BASE, 0x1000});
    CHECK(read_msr(MSR_KERNEL_GS_BASE) == 0x1000, "the user's GS base too");
    CHECK(faults(do_wrmsr, &(struct msr_write){MSR_GS_BASE, 0x8000000000000000}, TRAP_GP),
          "a non-canonical base faults");
#else
    CHECK(!(read_msr(MSR_EFER) >> 10 & 1), "EFER shows no long mode to a 32-bit kernel");
    CHECK(faults(do_rdmsr, (void *)(unsigned long)MSR_FS_BASE, TRAP_GP), "a 32-bit kernel has no FS base register");
#endif
}

static void do_cli(void *unused)
{
    __asm__ volatile("cli");
}

static void do_sti(void *unused)
{
    __asm__ volatile("sti");
}

static void do_hlt(void *unused)
{
    __asm__ volatile("hlt");
}

static void do_invlpg(void *addr)
{
    __asm__ volatile("invlpg (%0)" : : "r"(addr));
}

static void do_lidt(void *table)
{
    __asm__ volatile("lidt (%0)" : : "r"(table));
}

static void do_inb(void *port)
{
    unsigned char value;

    __asm__ volatile("inb %w1, %0" : "=a"(value) : "d"(port));
}

static void set_iopl(unsigned int level, long expected)
{
    struct physdev_set_iopl op = {.iopl = level};

    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &op), expected, "set_iopl");
}

static void test_privilege(void)
{
    static char table[16];

    check_group("what stays a fault");
    set_iopl(4, -XEN_EINVAL);
    set_iopl(0, 0);
    CHECK(faults(do_cli, NULL, TRAP_GP), "CLI without I/O privilege");
    CHECK(faults(do_inb, (void *)0x80UL, TRAP_GP), "IN without I/O privilege");
    set_iopl(1, 0);
    CHECK(!faults(do_cli, NULL, TRAP_GP), "CLI with it");
    CHECK(!faults(do_sti, NULL, TRAP_GP), "STI with it");
    CHECK(faults(do_hlt, NULL, TRAP_GP), "HLT");
    CHECK(faults(do_invlpg, table, TRAP_GP), "INVLPG");
    CHECK(faults(do_lidt, table, TRAP_GP), "LIDT");
}

static void test_ports(void)
{
    static uint8_t open_map[0x20];
    struct physdev_set_iobitmap map = {.nr_ports = 0x100};
    static char buffer[8] = "abcdefg";
    unsigned long count = 4, value = 0x1122334455667788UL & ~0UL, address;
    char *guard = vspace_alloc(1);

    check_group("ports");
    set_iopl(1, 0);
    __asm__ volatile("inb $0x21, %%al" : "+a"(value));
    CHECK_EQ(value & 0xFF, 0xFF, "a port that is not ours reads as ones");
    CHECK_EQ(value >> 8, (0x1122334455667788UL & ~0UL) >> 8, "and a byte read leaves the rest of the register");
    __asm__ volatile("inl $0x20, %%eax" : "+a"(value));
    CHECK_EQ(value, 0xFFFFFFFFUL, "a doubleword read clears the upper half");
    address = (unsigned long)buffer;
    __asm__ volatile("rep insb" : "+D"(address), "+c"(count) : "d"(0x21) : "memory");
    CHECK(count == 0 && address == (unsigned long)buffer + 4, "REP INSB counts and advances");
    CHECK(memcmp(buffer,
                 "\xff\xff\xff\xff"
                 "efg",
                 8) == 0,
          "and stores what it reads");
    count = 4;
    address = (unsigned long)buffer + 3;
    __asm__ volatile("std\n\trep outsb\n\tcld" : "+S"(address), "+c"(count) : "d"(0x21) : "memory");
    CHECK(count == 0 && address == (unsigned long)buffer - 1, "REP OUTSB goes backwards with DF");
    count = 0;
    __asm__ volatile("rep outsb" : "+S"(guard), "+c"(count) : "d"(0x21) : "memory");
    CHECK(count == 0, "a count of zero touches nothing");
    set_iopl(0, 0);
    memset(open_map, 0xFF, sizeof(open_map));
    open_map[0x80 / 8] = 0xFE;
    set_xen_guest_handle(map.bitmap, open_map);
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_set_iobitmap, &map), 0, "set_iobitmap");
    CHECK(!faults(do_inb, (void *)0x80UL, TRAP_GP), "a clear bit opens a port");
    CHECK(faults(do_inb, (void *)0x81UL, TRAP_GP), "a set one does not");
    CHECK(faults(do_inb, (void *)0x100UL, TRAP_GP), "nor does the end of the map");
    map.nr_ports = 0;
    HYPERVISOR_physdev_op(PHYSDEVOP_set_iobitmap, &map);
    map.nr_ports = 65537;
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_set_iobitmap, &map), -XEN_EINVAL, "a map of too many ports");
    vspace_free(guard, 1);
}

static void do_insb_hole(void *addr)
{
    __asm__ volatile("insb" : "+D"(addr) : "d"(0x21) : "memory");
}

static void do_outsb_hole(void *addr)
{
    __asm__ volatile("outsb" : "+S"(addr) : "d"(0x21) : "memory");
}

static void test_operand_faults(void)
{
    char *hole = vspace_alloc(1), *page = pages_alloc(1);

    check_group("faults inside emulation");
    set_iopl(1, 0);
    CHECK(faults(do_insb_hole, hole + 5, TRAP_PF), "INS to a hole");
    CHECK(fault.address == (unsigned long)hole + 5 && fault.error == 2, "is a write fault at the operand");
    CHECK(faults(do_outsb_hole, hole + 6, TRAP_PF), "OUTS from a hole");
    CHECK(fault.address == (unsigned long)hole + 6 && fault.error == 0, "is a read fault at the operand");
    pages_protect(page, 1, false);
    CHECK(faults(do_insb_hole, page, TRAP_PF) && fault.error == 2,
          "INS to a read-only page: a write fault without more");
    pages_protect(page, 1, true);
    pages_free(page, 1);
    vspace_free(hole, 1);
}

#ifdef __x86_64__
static void do_rdfsbase(void *unused)
{
    unsigned long base;

    __asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0xae, 0xc0" : "=a"(base));
}

static void test_fsgsbase(void)
{
    unsigned long cr4 = read_cr(4), base = 0x123000;
    uint32_t features[4];

    check_group("FSGSBASE");
    forced_cpuid(7, 0, features);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 & ~0x10000UL));
    CHECK(faults(do_rdfsbase, NULL, TRAP_UD), "not switched on, RDFSBASE is unknown");
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 0x10000UL));
    CHECK_EQ(!faults(do_rdfsbase, NULL, TRAP_UD), features[1] & 1, "switched on it works, on processors that have it");
    CHECK_EQ(read_cr(4) >> 16 & 1, features[1] & 1, "and reads as switched on there alone");
    if (!(features[1] & 1))
        return;
    __asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0xae, 0xd0" : : "a"(base));
    HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    CHECK_EQ(read_msr(MSR_FS_BASE), base, "what WRFSBASE wrote is the base");
    do_wrmsr(&(struct msr_write){MSR_FS_BASE, 0});
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}
#endif

int main(int argc, char **argv)
{
    check_open_to_programs();
    test_cpuid();
    test_control_registers();
    test_msrs();
    test_privilege();
    test_ports();
    test_operand_faults();
    test_debug_registers();
#ifdef __x86_64__
    test_fsgsbase();
#endif
    test_single_step();
    test_page_table_writes();
    test_bad_page_table_writes();
#ifndef __x86_64__
    test_call_gates();
#endif
    return check_summary("emulation");
}

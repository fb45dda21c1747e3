/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that the hypervisor carries out for us: privileged ones, port I/O, forced cpuid, and direct writes to
 * page tables. Each must do what the hardware would have done, to registers, flags and memory alike.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"
#include "raw.h"

#define MSR_TSC            0x10
#define MSR_PAT            0x277
#define MSR_EFER           0xC0000080
#define MSR_FS_BASE        0xC0000100
#define MSR_GS_BASE        0xC0000101
#define MSR_KERNEL_GS_BASE 0xC0000102
#define MSR_UNKNOWN        0xC0010055

#define CR0_TS             8UL
#define FLAG_TF            0x100UL

static struct fault fault;

static bool faults(void (*fn)(void *arg), void *arg, unsigned int vector)
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

static unsigned long read_cr(int which)
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

static void do_load(void *addr)
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
static void do_set_dr0(void *value)
{
    __asm__ volatile("mov %0, %%dr0" : : "r"(value));
}
#endif

static volatile unsigned int hits;
static volatile unsigned long hit_dr6;

static bool on_debug(struct trap_frame *frame)
{
    hits++;
    hit_dr6 = (unsigned long)HYPERVISOR_get_debugreg(6);
    frame->flags &= ~FLAG_TF;
    return true;
}

/* With CR4.DE, breakpoints on ports are the hypervisor's to find, since port accesses are. */
static void test_port_breakpoint(void)
{
    unsigned long cr4 = read_cr(4), value = 0;
    struct physdev_set_iopl op = {.iopl = 1};

    HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &op);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 8));
    CHECK_EQ(HYPERVISOR_set_debugreg(0, 0x80), 0, "a port");
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x00020001), 0, "an I/O breakpoint with CR4.DE");
    CHECK_EQ(HYPERVISOR_get_debugreg(7), 0x00020401, "reads back");
    hits = 0;
    __asm__ volatile("inb $0x80, %%al" : "+a"(value));
    CHECK(hits == 1 && (hit_dr6 & 0xF) == 1, "is hit");
    __asm__ volatile("inb $0x81, %%al" : "+a"(value));
    CHECK_EQ(hits, 1, "by its port alone");
    HYPERVISOR_set_debugreg(7, 0);
    CHECK_EQ(HYPERVISOR_get_debugreg(7), 0x400, "nothing of it stays behind");
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
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

static void do_step(void)
{
#ifdef __x86_64__
    __asm__ volatile("pushf\n\torq $0x100, (%%rsp)\n\tpopf\n\tnop" ::: "memory", "cc");
#else
    __asm__ volatile("pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tnop" ::: "memory", "cc");
#endif
}

/* A debugger that finds one reason in DR6 and overlooks the other loses a breakpoint: no reason goes by itself. */
static void test_status_stays(volatile long *watched)
{
    HYPERVISOR_set_debugreg(6, 0);
    HYPERVISOR_set_debugreg(7, 0x000D0001);
    *watched = 3;
    HYPERVISOR_set_debugreg(7, 0);
    do_step();
    CHECK_EQ(hit_dr6 & 0x400F, 0x4001, "DR6 keeps what it told, until the kernel clears it");
    HYPERVISOR_set_debugreg(6, 0);
    do_step();
    CHECK_EQ(hit_dr6 & 0x400F, 0x4000, "which it can");
    HYPERVISOR_set_debugreg(7, 0x000D0001);
    HYPERVISOR_set_debugreg(6, 0x8000);
    HYPERVISOR_set_debugreg(7, 0);
    HYPERVISOR_set_debugreg(6, 0);
    do_step();
    CHECK_EQ(hit_dr6 & 0xC00F, 0x4000, "what it wrote there itself included");
}

static void test_debug_registers(void)
{
    static volatile long watched;
    unsigned long value;

    check_group("debug registers");
    CHECK_EQ(HYPERVISOR_set_debugreg(0, (unsigned long)&watched), 0, "an address of ours");
    __asm__ volatile("mov %%dr0, %0" : "=r"(value));
    CHECK_EQ(value, (unsigned long)&watched, "can be read back by a move");
#ifdef __x86_64__
    CHECK_EQ(HYPERVISOR_set_debugreg(1, 0xFFFF800000000000UL), -XEN_EPERM, "the hypervisor's cannot be watched");
    CHECK(faults(do_set_dr0, (void *)0xFFFF830000000000UL, TRAP_GP), "nor by a move");
#endif
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x2000), -XEN_EPERM, "general detect is not for guests");
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x00020001), -XEN_EPERM, "nor are I/O breakpoints without CR4.DE");
#ifdef __x86_64__
    CHECK_EQ(HYPERVISOR_set_debugreg(1, 0x0000800000000000UL), -XEN_EPERM, "an address that is none cannot be watched");
#endif
    CHECK_EQ(HYPERVISOR_set_debugreg(8, 0), -XEN_ENODEV, "register 8");
    CHECK_EQ(HYPERVISOR_set_debugreg(6, 0), 0, "DR6 is cleared");
    CHECK_EQ(HYPERVISOR_get_debugreg(6), 0xFFFF0FF0L, "but for its fixed bits");
    trap_set_handler(TRAP_DB, on_debug);
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x000D0001), 0, "a write watchpoint");
    CHECK_EQ(HYPERVISOR_get_debugreg(7) & 0xFFFFFFFFL, 0x000D0401L, "DR7 reads back, its fixed bit set");
    watched = 1;
    CHECK_EQ(hits, 1, "hits once");
    CHECK_EQ(hit_dr6 & 0xF, 1, "and DR6 tells which");
    HYPERVISOR_set_debugreg(7, 0);
    watched = 2;
    CHECK_EQ(hits, 1, "switched off it does not");
    test_status_stays(&watched);
    test_port_breakpoint();
    trap_set_handler(TRAP_DB, NULL);
}

static volatile unsigned long step_ip;

static bool on_step(struct trap_frame *frame)
{
    hits++;
    step_ip = frame->ip;
    frame->flags &= ~FLAG_TF;
    return true;
}

static void test_single_step(void)
{
    unsigned long after, value;

    check_group("single step");
    trap_set_handler(TRAP_DB, on_step);
    hits = 0;
#ifdef __x86_64__
    __asm__ volatile("lea 2f(%%rip), %1\n\tpushf\n\torq $0x100, (%%rsp)\n\tpopf\n\tmov %%cr0, %0\n2: nop"
                     : "=&r"(value), "=&r"(after)
                     :
                     : "memory", "cc");
#else
    __asm__ volatile("mov $2f, %1\n\tpushf\n\torl $0x100, (%%esp)\n\tpopf\n\tmov %%cr0, %0\n2: nop"
                     : "=&r"(value), "=&r"(after)
                     :
                     : "memory", "cc");
#endif
    CHECK_EQ(hits, 1, "one step over an emulated instruction");
    CHECK_EQ(step_ip, after, "ends right behind it");
    trap_set_handler(TRAP_DB, NULL);
}

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

static void test_page_table_writes(void)
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
static void test_bad_page_table_writes(void)
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

#ifndef __x86_64__
static volatile unsigned int gate_hits;
static volatile unsigned long gate_sp, gate_words[6];
extern const unsigned long trap_entries[32];
static char gate_stack[4096] __attribute__((aligned(16))), gate_user_stack[4096] __attribute__((aligned(16)));

void gate_target(void);
extern char gate_user[];

__asm__(".pushsection .text\n"
        "gate_target:\n"
        "    push %eax\n"
        "    lea 4(%esp), %eax\n"
        "    mov %eax, %ss:gate_sp\n"
        ".irp i, 0, 1, 2, 3, 4, 5\n"
        "    mov 4 + 4 * \\i(%esp), %eax\n"
        "    mov %eax, %ss:gate_words + 4 * \\i\n"
        ".endr\n"
        "    incl %ss:gate_hits\n"
        "    mov 4 + 4(%esp), %al\n"
        "    and $3, %al\n"
        "    cmp $3, %al\n"
        "    pop %eax\n"
        "    je 1f\n"
        "    lret\n"
        "1:  lret $8\n"
        "gate_user:\n"
        "    push $0x2222\n"
        "    push $0x1111\n"
        "    lcall $0x7, $0\n"
        "gate_user_return:\n"
        "    ud2\n"
        ".popsection");
extern char gate_user_return[];

static void set_gate_descriptor(volatile uint64_t *entry, unsigned int level, unsigned int parameters)
{
    uint32_t offset = (uint32_t)(unsigned long)gate_target;

    *entry = (uint64_t)(offset & 0xFFFF0000) << 32 | (uint64_t)(0x8C00 | level << 13 | parameters) << 32 |
             (uint32_t)FLAT_KERNEL_CS << 16 | (offset & 0xFFFF);
}

static long set_ldt(void *table, unsigned int entries)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT, .arg1.linear_addr = (unsigned long)table, .arg2.nr_ents = entries};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void do_gate_call(void *unused)
{
    __asm__ volatile("lcall $0x7, $0" : : : "memory", "cc");
}

/* Ring 3 calls the kernel through a gate with two parameters, and the kernel goes back by LRET. */
static void test_gate_from_user(void)
{
    struct trap_info gate[2] = {
        {.vector = TRAP_UD, .flags = 4, .cs = FLAT_KERNEL_CS, .address = (unsigned long)raw_escape}};

    HYPERVISOR_stack_switch(FLAT_KERNEL_SS, (unsigned long)gate_stack + sizeof(gate_stack));
    HYPERVISOR_set_trap_table(gate);
    raw_user_run(gate_user, gate_user_stack + sizeof(gate_user_stack), 0x202, 0);
    shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(FLAT_KERNEL_DS));
    trap_set_gate(TRAP_UD, TI_MASK_EVENTS, (void (*)(void))trap_entries[TRAP_UD]);
    CHECK_EQ(gate_hits, 2, "a call gate from user mode");
    CHECK_EQ(gate_sp, (unsigned long)gate_stack + sizeof(gate_stack) - 24, "enters on the kernel's stack");
    CHECK(gate_words[0] == (unsigned long)gate_user_return && (gate_words[1] & 0xFFFF) == 0xE02B,
          "with the return address");
    CHECK(gate_words[2] == 0x1111 && gate_words[3] == 0x2222, "the parameters in their order");
    CHECK(gate_words[4] == (unsigned long)gate_user_stack + sizeof(gate_user_stack) - 8,
          "and the user's stack pointer");
    CHECK_EQ(raw(RAW_IP, 0), (unsigned long)gate_user_return, "LRET goes back to user mode");
}

static void test_call_gates(void)
{
    uint64_t *table = pages_alloc(1);

    check_group("call gates");
    set_gate_descriptor(&table[0], 3, 2);
    pages_protect(table, 1, false);
    CHECK_EQ(set_ldt(table, 1), 0, "a table with call gates is accepted");
    CHECK(!faults(do_gate_call, NULL, TRAP_GP), "a call gate from the kernel");
    CHECK_EQ(gate_hits, 1, "arrives");
    CHECK_EQ(gate_words[1] & 0xFFFF, FLAT_KERNEL_CS, "with the caller's code selector");
    test_gate_from_user();
    set_ldt(NULL, 0);
    CHECK(faults(do_gate_call, NULL, TRAP_GP) && fault.error == 4, "without the table the selector faults");
    pages_protect(table, 1, true);
    pages_free(table, 1);
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

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Privileged instructions that the hypervisor carries out for a guest, those it refuses, and faults in the middle of
 * an emulation: in the operand of an instruction, or in the second half of the instruction itself.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/physdev.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"

static struct fault fault;

static bool survives(void (*fn)(void *), void *arg)
{
    memset(&fault, 0, sizeof(fault));
    return fault_catch(fn, arg, &fault);
}

struct words {
    unsigned int a, b, c, d;
};

static void do_forced_cpuid(void *arg)
{
    struct words *w = arg;

    __asm__ volatile("ud2a\n\t.ascii \"xen\"\n\tcpuid" : "+a"(w->a), "=b"(w->b), "+c"(w->c), "=d"(w->d));
}

static void do_forced_nop(void *arg)
{
    __asm__ volatile("ud2a\n\t.ascii \"xen\"\n\tnop");
}

static struct words forced_cpuid(unsigned int leaf, unsigned int subleaf)
{
    struct words w = {.a = leaf, .c = subleaf};

    survives(do_forced_cpuid, &w);
    return w;
}

static void test_cpuid(void)
{
    struct words w = forced_cpuid(0x40000000, 0);

    check_group("cpuid with the prefix");
    CHECK(w.a >= 0x40000002 && w.a < 0x40000100, "the hypervisor has leaves of its own");
    CHECK(w.b == 0x566e6558 && w.c == 0x65584d4d && w.d == 0x4d4d566e, "and a signature");
    w = forced_cpuid(0x40000001, 0);
    CHECK_EQ(w.a >> 16, 4, "version 4");
    w = forced_cpuid(0x40000002, 0);
    CHECK(w.a == 1 && (w.b & 0xfff) == 0, "one hypercall page, by an MSR");
    w = forced_cpuid(0x40000100, 0);
    CHECK(w.a == 0, "no other hypervisor behind it");
    w = forced_cpuid(1, 0);
    CHECK_EQ(w.c >> 31, 1, "the bit that says hypervisor is set");
    CHECK_EQ(w.c & 1U << 3, 0, "MONITOR is not offered");
    CHECK_EQ(w.c >> 5 & 1, 0, "nor VMX");
    CHECK_EQ(!(w.c & 1U << 27), !(w.c & 1U << 26), "XSAVE and OSXSAVE come together");
    w = forced_cpuid(0x80000001, 0);
    CHECK_EQ(w.c >> 2 & 1, 0, "nor SVM");
    CHECK_EQ(w.d >> 26 & 1, 0, "nor pages of 1 GiB");
    CHECK(!survives(do_forced_nop, NULL) && fault.vector == TRAP_UD,
          "the prefix before anything else is an invalid opcode");
}

struct msr {
    unsigned int number;
    uint64_t value;
};

static void do_rdmsr(void *arg)
{
    struct msr *msr = arg;
    unsigned int low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr->number));
    msr->value = (uint64_t)high << 32 | low;
}

static void do_wrmsr(void *arg)
{
    struct msr *msr = arg;

    __asm__ volatile("wrmsr" ::"c"(msr->number), "a"((unsigned int)msr->value), "d"((unsigned int)(msr->value >> 32)));
}

static bool is_amd(void)
{
    return forced_cpuid(0, 0).b == 0x68747541;
}

static void test_msr(void)
{
    struct msr msr = {.number = 0xc0000080};

    check_group("model-specific registers");
    CHECK(survives(do_rdmsr, &msr), "EFER can be read");
    CHECK_EQ(msr.value >> 12 & 1, 0, "without a trace of SVM");
#ifdef __x86_64__
    CHECK_EQ(msr.value & 0x500, 0x500, "long mode is on");
#endif
    msr.number = 0x277;
    CHECK(survives(do_rdmsr, &msr), "PAT can be read");
    CHECK_EQ(msr.value == 0x050100070406ULL, 1, "and is what every PV guest counts on");
    msr.number = 0x10;
    CHECK(survives(do_rdmsr, &msr) && msr.value != 0, "the time stamp counter can be read");
    msr.number = 0x1b;
    CHECK(survives(do_rdmsr, &msr), "APIC_BASE can be read");
    msr.number = 0xc0010015;
    CHECK_EQ(survives(do_rdmsr, &msr), is_amd(), "AMD's registers are on AMD's processors alone");
    msr.number = 0x3a;
    CHECK_EQ(survives(do_rdmsr, &msr), !is_amd(), "Intel's on Intel's");
    CHECK(is_amd() || msr.value == 1, "where the choice of features is locked, with none chosen");
    msr.number = 0x79;
    CHECK(!survives(do_wrmsr, &msr) && fault.vector == TRAP_GP, "nobody loads microcode by hand");
    msr.number = 0x12345;
    CHECK(!survives(do_rdmsr, &msr) && fault.vector == TRAP_GP && fault.error == 0,
          "one that does not exist is a protection fault");
    CHECK(!survives(do_wrmsr, &msr) && fault.vector == TRAP_GP, "to write, too");
#ifdef __x86_64__
    {
        static unsigned long word = 0x1234;
        unsigned long seen;

        msr = (struct msr){.number = 0xc0000101, .value = (unsigned long)&word};
        CHECK(survives(do_wrmsr, &msr), "the base of gs can be written");
        __asm__ volatile("mov %%gs:0, %0" : "=r"(seen));
        CHECK_EQ(seen, 0x1234, "and serves");
        msr.value = 0;
        CHECK(survives(do_rdmsr, &msr) && msr.value == (unsigned long)&word, "and reads back");
        msr.value = 0x8000000000000000UL;
        CHECK(!survives(do_wrmsr, &msr) && fault.vector == TRAP_GP, "a base that is no address is a protection fault");
    }
#endif
}

/* A kernel believes what it finds in the other vendor's places: caches of sizes that are not so, no clock speed. */
static void test_vendors(void)
{
    struct words w = forced_cpuid(0x80000000, 0);
    struct msr msr = {.number = 0x198};

    check_group("what the vendors do in different ways");
    CHECK_EQ(w.b, is_amd() ? 0x68747541 : 0, "AMD's processors alone repeat their name in the extended leaves");
    w = forced_cpuid(0x80000001, 0);
    CHECK_EQ(w.a != 0, is_amd(), "and their model");
    w = forced_cpuid(0x80000005, 0);
    CHECK(is_amd() || !(w.a | w.b | w.c | w.d), "Intel's have no caches of level 1 there");
    w = forced_cpuid(0x80000006, 0);
    CHECK(is_amd() || !(w.a | w.b | w.d), "of the others only that of level 2");
    CHECK_EQ(survives(do_rdmsr, &msr), !is_amd(), "Intel's say how fast they run in a register");
    msr.number = 0x19c;
    CHECK_EQ(survives(do_rdmsr, &msr), !is_amd(), "and how hot they are");
    CHECK(!survives(do_wrmsr, &msr), "which nobody sets");
    msr.number = 0xc1;
    CHECK_EQ(survives(do_rdmsr, &msr), !is_amd(), "and count what they do");
    CHECK_EQ(survives(do_wrmsr, &msr), !is_amd(), "from where they are told to");
    msr.number = 0x179;
    CHECK(survives(do_rdmsr, &msr), "both say how many banks of machine checks there are");
    CHECK_EQ(msr.value, is_amd() ? 2 : 0x1000c02, "two, and on Intel's what they can do");
#ifdef __i386__
    msr.number = 0xc0000080;
    CHECK(survives(do_rdmsr, &msr), "EFER can be read");
    CHECK_EQ(msr.value & 1, is_amd(), "Intel's processors have no SYSCALL for 32-bit programs");
#endif
}

static void do_read_cr0(void *arg)
{
    __asm__ volatile("mov %%cr0, %0" : "=r"(*(unsigned long *)arg));
}

static void do_read_cr2(void *arg)
{
    __asm__ volatile("mov %%cr2, %0" : "=r"(*(unsigned long *)arg));
}

static void do_write_cr2(void *arg)
{
    __asm__ volatile("mov %0, %%cr2" ::"r"(*(unsigned long *)arg));
}

static void do_read_cr3(void *arg)
{
    __asm__ volatile("mov %%cr3, %0" : "=r"(*(unsigned long *)arg));
}

static void do_write_cr3(void *arg)
{
    __asm__ volatile("mov %0, %%cr3" ::"r"(*(unsigned long *)arg) : "memory");
}

static void do_read_cr4(void *arg)
{
    __asm__ volatile("mov %%cr4, %0" : "=r"(*(unsigned long *)arg));
}

static void do_write_cr4(void *arg)
{
    __asm__ volatile("mov %0, %%cr4" ::"r"(*(unsigned long *)arg));
}

static void do_write_cr0(void *arg)
{
    __asm__ volatile("mov %0, %%cr0" ::"r"(*(unsigned long *)arg));
}

static void do_clts(void *arg)
{
    __asm__ volatile("clts");
}

/* The compiler uses vector registers where it likes: the flag is set and tried in one piece of assembly. */
static void do_write_cr0_fninit(void *arg)
{
    __asm__ volatile("mov %0, %%cr0\n\tfninit" ::"r"(*(unsigned long *)arg));
}

static void do_write_cr0_clts_fninit(void *arg)
{
    unsigned long seen;

    __asm__ volatile("mov %1, %%cr0\n\tmov %%cr0, %0\n\tclts\n\tfninit" : "=&r"(seen) : "r"(*(unsigned long *)arg));
    *(unsigned long *)arg = seen;
}

static void test_control_registers(void)
{
    unsigned long value = 0, top = virt_to_mfn((void *)(unsigned long)start_info->pt_base);

    check_group("control registers");
    CHECK(survives(do_read_cr0, &value), "cr0 can be read");
    CHECK_EQ(value & 0x80000001UL, 0x80000001UL, "paging and protection are on");
    CHECK_EQ(value & 8, 0, "and no task switch pending");
    CHECK(survives(do_clts, NULL), "clts is carried out");
    value |= 8;
    CHECK(!survives(do_write_cr0_fninit, &value) && fault.vector == TRAP_NM,
          "cr0 may be written if only that bit changes");
    CHECK(survives(do_write_cr0_clts_fninit, &value), "and clts clears it");
    CHECK_EQ(value & 8, 8, "after it could be read");
    CHECK(survives(do_read_cr0, &value), "reading it");
    value ^= 0x10000;
    CHECK(!survives(do_write_cr0, &value) && fault.vector == TRAP_GP, "any other change is a protection fault");
    value = 0x12345678;
    CHECK(survives(do_write_cr2, &value), "cr2 can be written");
    value = 0;
    CHECK(survives(do_read_cr2, &value) && value == 0x12345678, "and read");
    CHECK_EQ(trap_cr2(), 0x12345678, "it is the word in vcpu_info");
    CHECK(survives(do_read_cr3, &value), "cr3 can be read");
#ifdef __x86_64__
    CHECK_EQ(value >> PAGE_SHIFT, top, "and names our top table by machine frame");
#else
    CHECK_EQ((value >> PAGE_SHIFT | value << 20), top, "and names our top table by machine frame");
#endif
    CHECK(survives(do_write_cr3, &value), "writing the same value is fine");
    value = 0x7ffff000;
    CHECK(!survives(do_write_cr3, &value) && fault.vector == TRAP_GP,
          "a frame that is no top table is a protection fault");
    CHECK(survives(do_read_cr4, &value), "cr4 can be read");
    CHECK_EQ(value >> 5 & 1, 1, "and shows PAE");
    CHECK(survives(do_write_cr4, &value), "writing what was read is fine");
}

struct port_access {
    unsigned int port, value;
};

static void do_in(void *arg)
{
    struct port_access *p = arg;

    __asm__ volatile("inb %%dx, %%al" : "=a"(p->value) : "d"(p->port));
}

static void do_out(void *arg)
{
    struct port_access *p = arg;

    __asm__ volatile("outb %%al, %%dx" ::"a"(p->value), "d"(p->port));
}

static void do_cli(void *arg)
{
    __asm__ volatile("cli");
}

static void do_sti(void *arg)
{
    __asm__ volatile("sti");
}

static void do_ins(void *arg)
{
    unsigned long count = 1;

    __asm__ volatile("cld\n\trep insb" : "+D"(arg), "+c"(count) : "d"(0x80) : "memory");
}

static void do_outs(void *arg)
{
    unsigned long count = 1;

    __asm__ volatile("cld\n\trep outsb" : "+S"(arg), "+c"(count) : "d"(0x80) : "memory");
}

static void test_ports(void)
{
    struct port_access p = {.port = 0x80, .value = 0};
    struct physdev_set_iopl iopl = {.iopl = 1};
    char byte = 0;
    char *hole = vspace_alloc(1);

    check_group("ports and the privilege to use them");
    CHECK(!survives(do_out, &p) && fault.vector == TRAP_GP && fault.error == 0,
          "without privilege a port is a protection fault");
    CHECK(!survives(do_cli, NULL) && fault.vector == TRAP_GP, "so is cli");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0, "the privilege level can be raised");
    if (pv_is_dom0()) {
        CHECK(survives(do_out, &p), "then a port can be written");
        CHECK(survives(do_in, &p), "and read");
        CHECK(survives(do_ins, &byte), "by string instructions too");
        CHECK(survives(do_outs, &byte), "in both directions");
        CHECK(!survives(do_ins, hole) && fault.vector == TRAP_PF,
              "a string instruction into nothing faults in its operand");
        CHECK_EQ(fault.address, (unsigned long)hole, "at its address");
        CHECK_EQ(fault.error & 3, 2, "as a write");
        CHECK(!survives(do_outs, hole) && fault.vector == TRAP_PF && fault.error == 0, "one out of nothing as a read");
    }
    CHECK(survives(do_cli, NULL), "cli is accepted");
    CHECK_EQ(shared_info->vcpu_info[0].evtchn_upcall_mask, 0, "and ignored: the upcall mask is in shared memory");
    CHECK(survives(do_sti, NULL), "sti likewise");
    iopl.iopl = 4;
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl), -XEN_EINVAL, "there is no level 4");
    iopl.iopl = 0;
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0, "and down again");
    CHECK(!survives(do_in, &p) && fault.vector == TRAP_GP, "the port is closed");
    vspace_free(hole, 1);
}

static void do_lgdt(void *arg)
{
    static const char zero[10];

    __asm__ volatile("lgdt %0" ::"m"(zero));
}

static void do_ltr(void *arg)
{
    __asm__ volatile("ltr %0" ::"r"((unsigned short)8));
}

static void do_hlt(void *arg)
{
    __asm__ volatile("hlt");
}

static void do_rdpmc(void *arg)
{
    unsigned int a, d;

    __asm__ volatile("rdpmc" : "=a"(a), "=d"(d) : "c"(0));
}

static void do_read_dr7(void *arg)
{
    __asm__ volatile("mov %%db7, %0" : "=r"(*(unsigned long *)arg));
}

static void do_write_dr0(void *arg)
{
    __asm__ volatile("mov %0, %%db0" ::"r"(*(unsigned long *)arg));
}

static void do_read_dr0(void *arg)
{
    __asm__ volatile("mov %%db0, %0" : "=r"(*(unsigned long *)arg));
}

static void test_others(void)
{
    unsigned long value = 0x100000;

    check_group("other instructions");
    CHECK(!survives(do_lgdt, NULL) && fault.vector == TRAP_GP, "lgdt is a protection fault");
    CHECK(!survives(do_ltr, NULL) && fault.vector == TRAP_GP, "ltr too");
    CHECK(!survives(do_hlt, NULL) && fault.vector == TRAP_GP, "hlt too");
    CHECK(!survives(do_rdpmc, NULL) && fault.vector == TRAP_GP, "rdpmc too");
    CHECK(survives(do_write_dr0, &value), "debug register 0 can be written");
    value = 0;
    CHECK(survives(do_read_dr0, &value) && value == 0x100000, "and read");
    CHECK_EQ(HYPERVISOR_get_debugreg(0), 0x100000, "by hypercall as well");
    CHECK(survives(do_read_dr7, &value) && value == 0x400, "register 7 has its fixed bit");
    CHECK_EQ(HYPERVISOR_set_debugreg(0, 0), 0, "and back");
}

static unsigned char *code_page;

static void run_code(void *at)
{
    ((void (*)(void))at)();
}

static void test_split_instructions(void)
{
    static const unsigned char clts_ret[] = {0x0f, 0x06, 0xc3};
    static const unsigned char forced[] = {0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2, 0xc3};
    unsigned char *at;

    check_group("instructions across two pages");
    code_page = vspace_alloc(2);
    pte_write(code_page, pte_make(virt_to_mfn(pages_alloc(1)), PTE_KERNEL_RW));
    at = code_page + PAGE_SIZE - 1;
    *at = clts_ret[0];
    CHECK(!survives(run_code, at) && fault.vector == TRAP_PF, "the second byte of clts is not there: a page fault");
    CHECK_EQ(fault.address, (unsigned long)code_page + PAGE_SIZE, "at the second page");
    CHECK_EQ(fault.error & 1, 0, "not present");
    at = code_page + PAGE_SIZE - 5;
    memcpy(at, forced, 5);
    CHECK(!survives(run_code, at), "so is the instruction behind the prefix");
    CHECK_EQ(fault.vector, TRAP_PF, "and it is a page fault as well");
    pte_write(code_page + PAGE_SIZE, pte_make(virt_to_mfn(pages_alloc(1)), PTE_KERNEL_RW));
    memcpy(code_page + PAGE_SIZE - 1, clts_ret, sizeof(clts_ret));
    CHECK(survives(run_code, code_page + PAGE_SIZE - 1), "with the second page it is carried out");
}

int main(int argc, char **argv)
{
    test_cpuid();
    test_msr();
    test_vendors();
    test_control_registers();
    test_ports();
    test_others();
    test_split_instructions();
    check_summary("privileged");
    return 0;
}

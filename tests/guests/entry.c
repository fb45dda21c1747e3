/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Ways into the guest kernel and back that are not exceptions: events out of kernel and user mode, NMIs, what iret
 * does with flags, and how the stack of a frame is chosen.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/nmi.h>
#include <abi/version.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/time.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"
#include "raw.h"

#define MS         1000000ULL
#define FLAG_CF    0x1UL
#define FLAG_FIXED 0x2UL
#define FLAG_TF    0x100UL
#define FLAG_IF    0x200UL
#define FLAG_IOPL  0x3000UL
#define FLAG_NT    0x4000UL
#define FLAG_AC    0x40000UL

#ifdef __x86_64__
#define KERNEL_CS_IN_FRAME 0xe030UL
#define USER_CS            0xe033UL
#define WORDS              7UL
#else
#define KERNEL_CS_IN_FRAME 0xe019UL
#define USER_CS            0xe02bUL
#define WORDS              5UL
#endif

static char kernel_stack[16384] __attribute__((aligned(16)));
static char user_stack[4096] __attribute__((aligned(16)));

static unsigned char upcall_mask(void)
{
    return shared_info->vcpu_info[0].evtchn_upcall_mask;
}

static void set_callback(unsigned int type, unsigned int flags, void (*entry)(void))
{
    CHECK_EQ(trap_set_callback(type, flags, entry), 0, "a callback can be set");
}

static evtchn_port_t port;

/* Masks every other port, or the first entry would at times be for the console's or a timer's event. */
static xen_ulong_t hush(void)
{
    xen_ulong_t open = ~shared_info->evtchn_mask[0] & ~((xen_ulong_t)1 << port);

    for (evtchn_port_t other = 0; other < sizeof(open) * 8; other++)
        if (open >> other & 1)
            event_mask(other);
    if (!(shared_info->evtchn_pending[0] >> port & 1)) {
        shared_info->vcpu_info[0].evtchn_pending_sel = 0;
        shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
    }
    return open;
}

/* Runs in user mode until the first entry into the kernel. */
static void run_until_entry(void *code, unsigned long flags)
{
    raw_user_run(code, user_stack + sizeof(user_stack), flags, 0);
#ifndef __x86_64__
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(FLAT_KERNEL_DS));
#endif
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0; /* its callback is no handler, so nothing may come again */
}

/* The same, with no entry for any event but ours. */
static void run_user(void *code, unsigned long flags)
{
    xen_ulong_t open = hush();

    run_until_entry(code, flags);
    for (evtchn_port_t other = 0; other < sizeof(open) * 8; other++)
        if (open >> other & 1)
            event_unmask(other);
}

static void send(void)
{
    struct evtchn_send op = {.port = port};

    HYPERVISOR_event_channel_op(EVTCHNOP_send, &op);
}

static void test_upcall_from_kernel(unsigned int flags, const char *how)
{
    unsigned long count = raw_count;

    check_group(how);
    set_callback(CALLBACKTYPE_event, flags, raw_upcall);
    shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    send();
    CHECK_EQ(raw_count, count + 1, "an event calls back before its hypercall returns");
    CHECK_EQ(raw(RAW_CS, 0) & 0xffff, KERNEL_CS_IN_FRAME, "out of the kernel");
    CHECK_EQ(raw(RAW_CS, 0) >> RAW_MASK_BITS & 0xff, 0, "with upcalls open");
    CHECK_EQ(raw(RAW_FLAGS, 0) & FLAG_IF, FLAG_IF, "as the interrupt flag says");
    CHECK_EQ(upcall_mask(), 0, "iret leaves them open");
    event_test_and_clear(port);
    shared_info->vcpu_info[0].evtchn_pending_sel = 0;
}

/* The mask stays closed for good when the handler does not use iret: seen by leaving through raw_escape. */
static void test_upcall_from_user(void)
{
    check_group("an event out of user mode");
    set_callback(CALLBACKTYPE_event, 0, raw_escape);
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    timer_set(time_monotonic_ns() + 20 * MS);
    run_until_entry(user_spin, FLAG_IF | FLAG_FIXED);
    CHECK(raw(RAW_IP, 0) >= (unsigned long)user_spin && raw(RAW_IP, 0) < (unsigned long)user_spin + 8,
          "the address is that of the loop");
    CHECK_EQ(raw(RAW_CS, 0) & 0xffff, USER_CS, "the selector that of user mode");
    CHECK_EQ(raw(RAW_CS, 0) >> RAW_MASK_BITS & 0xff, 0, "with upcalls open");
    CHECK_EQ(raw(RAW_SP, 0), (unsigned long)user_stack + sizeof(user_stack), "the stack that of user mode");
    CHECK_EQ(raw_sp, (unsigned long)kernel_stack + sizeof(kernel_stack) - WORDS * sizeof(long),
             "the frame is at the top of the kernel's stack");
    memset((void *)&shared_info->vcpu_info[0].evtchn_pending_sel, 0,
           sizeof(shared_info->vcpu_info[0].evtchn_pending_sel));
}

static void test_pending_at_iret(void)
{
    check_group("an event that waits for iret");
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    send();
    CHECK_EQ(shared_info->vcpu_info[0].evtchn_upcall_pending, 1, "is pending while upcalls are closed");
    run_user(user_undefined, FLAG_IF | FLAG_FIXED);
    CHECK_EQ(raw(RAW_IP, 0), (unsigned long)user_undefined, "it comes before the first instruction of user mode");
    CHECK_EQ(raw(RAW_CS, 0) & 0xffff, USER_CS, "as if out of it");
    event_test_and_clear(port);
    memset((void *)&shared_info->vcpu_info[0].evtchn_pending_sel, 0,
           sizeof(shared_info->vcpu_info[0].evtchn_pending_sel));
}

static void check_flags(unsigned long given, unsigned long mask, unsigned long expected, const char *sentence)
{
    run_user(user_undefined, given);
    CHECK_EQ(raw(RAW_FLAGS, 0) & mask, expected, sentence);
}

static void test_iret_flags(void)
{
    struct physdev_set_iopl iopl = {.iopl = 1};

    check_group("flags given to iret");
    trap_set_gate(TRAP_UD, 4, raw_escape);
    check_flags(FLAG_FIXED | FLAG_IF | FLAG_CF, FLAG_CF, FLAG_CF, "ordinary ones are taken");
    check_flags(FLAG_FIXED, FLAG_IF, 0, "a clear interrupt flag");
    CHECK_EQ(raw(RAW_CS, 0) >> RAW_MASK_BITS & 0xff, 1, "closes upcalls");
    check_flags(FLAG_FIXED | FLAG_IF | FLAG_AC, FLAG_AC, FLAG_AC, "alignment check is the guest's own");
    check_flags(FLAG_FIXED | FLAG_IF | FLAG_IOPL, FLAG_IOPL, 0, "the I/O privilege is not");
    check_flags(FLAG_FIXED | FLAG_IF | FLAG_NT, FLAG_NT, FLAG_NT, "nested task is");
    HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl);
    check_flags(FLAG_FIXED | FLAG_IF, FLAG_IOPL, 0, "a privilege set by hypercall does not show");
    HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_architectural_iopl);
    check_flags(FLAG_FIXED | FLAG_IF | FLAG_IOPL, FLAG_IOPL, FLAG_IOPL, "with the assist it is part of the flags");
    check_flags(FLAG_FIXED | FLAG_IF, FLAG_IOPL, 0, "and iret changes it");
    HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_architectural_iopl);
    iopl.iopl = 0;
    HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl);
}

#ifdef __x86_64__
/* Returns to the next instruction as out of a system call; r11 there. *next: rcx there is its address. */
static unsigned long sysret_flags(unsigned long flags, bool *next)
{
    unsigned long rcx, r11, rip;

    __asm__ volatile("mov %%rsp, %%rbx\n\tpushq %5\n\tpush %%rbx\n\tpush %3\n\tpushq %4\n\tlea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\tpushq $0x100\n\tpushq $1\n\tpushq $2\n\tpushq $3\n\tmov $23, %%eax\n\tsyscall\n"
                     "1: mov %%rcx, %0\n\tmov %%r11, %1\n\tlea 1b(%%rip), %2"
                     : "=&r"(rcx), "=&r"(r11), "=&r"(rip)
                     : "r"(flags), "i"(KERNEL_CS_IN_FRAME), "i"(FLAT_KERNEL_SS)
                     : "rax", "rbx", "rcx", "r11", "memory", "cc");
    *next = rcx == rip;
    return r11;
}

/* A return that is told to be one from a system call leaves what SYSRET leaves: the address in rcx, and in r11 the flags
 * as they are loaded, interrupts on and no privilege, not as the frame has them. */
static void test_sysret(void)
{
    static const struct {
        unsigned long wanted, shown;
        const char *what;
    } tries[] = {
        {FLAG_FIXED | FLAG_IF, FLAG_FIXED | FLAG_IF, "flags are shown in r11"},
        {FLAG_FIXED, FLAG_FIXED | FLAG_IF, "interrupts on, though upcalls are closed"},
        {FLAG_FIXED | FLAG_IF | 0x3000, FLAG_FIXED | FLAG_IF, "no I/O privilege"},
    };
    bool next;

    check_group("iret as from a system call");
    set_callback(CALLBACKTYPE_event, 0, raw_upcall); /* one may come */
    raw_has_error = 0;
    raw_skip = 0;
    for (unsigned int i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        CHECK_EQ(sysret_flags(tries[i].wanted, &next), tries[i].shown, tries[i].what);
        CHECK(next, "and the address in rcx");
        irq_disable();
    }
    set_callback(CALLBACKTYPE_event, 0, raw_escape);
}
#endif

static void test_stacks(void)
{
    unsigned long top = (unsigned long)kernel_stack + sizeof(kernel_stack);

    check_group("the kernel's stack");
    HYPERVISOR_stack_switch(FLAT_KERNEL_SS, top - 8);
    run_user(user_undefined, FLAG_FIXED | FLAG_IF);
#ifdef __x86_64__
    CHECK_EQ(raw_sp, top - 16 - WORDS * 8, "is aligned down to 16 bytes");
#else
    CHECK_EQ(raw_sp, top - 8 - WORDS * 4, "is used as it is");
#endif
    CHECK_EQ(HYPERVISOR_stack_switch(FLAT_KERNEL_SS & ~3UL, top), 0, "a selector without privilege is raised");
    run_user(user_undefined, FLAG_FIXED | FLAG_IF);
    CHECK_EQ(raw_sp, top - WORDS * sizeof(long), "and serves");
}

static void test_nmi(void)
{
    unsigned long count = raw_count;

    check_group("NMI");
    set_callback(CALLBACKTYPE_nmi, 0, raw_return);
    raw_has_error = 0;
    raw_skip = 0;
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    CHECK_EQ(HYPERVISOR_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0, "one to ourselves");
    CHECK_EQ(raw_count, count + 1, "arrives, though upcalls are closed");
    CHECK_EQ(raw(RAW_CS, 0) & 0xffff, KERNEL_CS_IN_FRAME, "out of the kernel");
    CHECK_EQ(raw(RAW_CS, 0) >> RAW_MASK_BITS & 0xff, 1, "which had upcalls closed");
    CHECK_EQ(HYPERVISOR_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0, "another");
    CHECK_EQ(raw_count, count + 2, "arrives after the first was left by iret");
    CHECK_EQ(HYPERVISOR_vcpu_op(VCPUOP_send_nmi, 0, kernel_stack), -XEN_EINVAL, "it takes no argument");
}

/* Enters user mode with what cannot be entered: the kernel gets the exception, as if out of user mode. */
static void try_bad_return(void *code, unsigned long cs, unsigned long ss, unsigned int error, const char *what)
{
    unsigned long good_cs = raw_user_cs, good_ss = raw_user_ss;

    printf("    %s\n", what);
    raw_user_cs = cs;
    raw_user_ss = ss;
    memset(raw_frame, 0, sizeof(raw_frame));
    run_user(code, FLAG_FIXED | FLAG_IF);
    CHECK_EQ(raw(RAW_ERROR, 0), error, "the error code is the selector");
    CHECK_EQ(raw(RAW_IP, 1), (unsigned long)code, "the address is where we wanted to go");
    CHECK_EQ(raw(RAW_CS, 1) & 0xffff, cs, "with the selector we wanted");
    CHECK_EQ(raw(RAW_SP, 1), (unsigned long)user_stack + sizeof(user_stack), "the stack, too");
    CHECK_EQ(raw(RAW_SS, 1) & 0xffff, ss, "and its selector");
    raw_user_cs = good_cs;
    raw_user_ss = good_ss;
}

static void test_bad_returns(void)
{
    check_group("returns that fail");
    trap_set_gate(TRAP_UD, 4, raw_return);
    trap_set_gate(TRAP_GP, 4, raw_escape);
    try_bad_return(user_undefined, 0x1233, raw_user_ss, 0x1230, "a code selector behind the table");
    try_bad_return(user_undefined, raw_user_cs, 0x1233, 0x1230, "a stack selector behind the table");
    try_bad_return(user_undefined, 0xe00b, raw_user_ss, 0xe008, "the hypervisor's code selector");
    try_bad_return(user_undefined, 3, raw_user_ss, 0, "no code selector");
#ifdef __x86_64__
    try_bad_return((void *)0x8000000000000000UL, raw_user_cs, raw_user_ss, 0, "an address that is none");
#endif
}

static bool is_amd(void)
{
    unsigned int a = 0, b, c, d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return b == 0x68747541;
}

static unsigned char sysenter_code[] = {0x0f, 0x34, 0x0f, 0x0b};

/* Out of 32-bit user code, as the vDSO of a kernel of either width executes it on Intel's processors. */
static void sysenter(const char *what, unsigned long flags)
{
    unsigned long good_cs = raw_user_cs, count = raw_count;

    printf("    %s\n", what);
    memset(raw_frame, 0, sizeof(raw_frame));
#ifdef __x86_64__
    raw_user_cs = 0xe023;
#endif
    run_user(sysenter_code, FLAG_FIXED | FLAG_IF | flags);
    raw_user_cs = good_cs;
    CHECK_EQ(raw_count, count + 1, "enters the kernel once");
}

static void test_sysenter(void)
{
    if (is_amd())
        return;
    check_group("sysenter");
    trap_set_gate(TRAP_GP, 4, raw_escape);
    sysenter("without a callback", 0);
    CHECK_EQ(raw(RAW_ERROR, 0), 0, "it is a protection fault");
    CHECK_EQ(raw(RAW_CS, 1) & 3, 3, "of the user");
    set_callback(CALLBACKTYPE_sysenter, CALLBACKF_mask_events, raw_escape);
    sysenter("with one", 0);
    CHECK_EQ(raw(RAW_IP, 0), 0, "the frame has no return address");
    CHECK_EQ(raw(RAW_CS, 0) & 3, 3, "comes from the user");
    CHECK_EQ(raw(RAW_FLAGS, 0) & FLAG_IF, FLAG_IF, "who was open to interrupts");
    CHECK_EQ(raw(RAW_SP, 0), 0, "and has no stack");
    CHECK_EQ(upcall_mask(), 1, "events are masked as asked");
    HYPERVISOR_set_debugreg(6, 0);
    sysenter("with one, single-stepped", FLAG_TF);
    CHECK_EQ(raw(RAW_FLAGS, 0) & FLAG_TF, FLAG_TF, "the kernel sees that its program is, and can go on with it");
    CHECK_EQ(HYPERVISOR_get_debugreg(6) & 0x4000, 0, "no step inside the hypervisor is told");
}

#ifdef __x86_64__
static long mmu_ext(unsigned int command, unsigned long mfn)
{
    struct mmuext_op op = {.cmd = command, .arg1.mfn = mfn};
    unsigned int done;

    return HYPERVISOR_mmuext_op(&op, 1, &done, DOMID_SELF);
}

/* User mode has a top table of its own: here one without the part of the address space where `page` lies. */
static void test_user_table(void)
{
    static unsigned char read_page[12] = {0x48, 0xa1, [10] = 0x0f, [11] = 0x0b};
    pte_t *top = pages_alloc(1), *live = (pte_t *)(unsigned long)start_info->pt_base;
    xen_pfn_t frame = virt_to_mfn(pages_alloc(1));
    unsigned long *page = map_frames(&frame, 1, DOMID_SELF, PTE_KERNEL_RW, NULL);

    check_group("a top table for user mode");
    *page = 0x600df00d;
    memcpy(top, live, 256 * sizeof(*top));
    top[(unsigned long)page >> 39] = 0;
    pages_protect(top, 1, false);
    memcpy(read_page + 2, &page, sizeof(page));
    trap_set_gate(TRAP_UD, 4, raw_escape);
    trap_set_gate(TRAP_PF, 4, raw_escape);
    run_user(read_page, FLAG_FIXED | FLAG_IF);
    CHECK_EQ(raw(RAW_IP, 0), (unsigned long)read_page + 10, "with the kernel's table user code reads the page");
    CHECK_EQ(mmu_ext(MMUEXT_PIN_L4_TABLE, virt_to_mfn(top)), 0, "another table");
    CHECK_EQ(mmu_ext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(top)), 0, "for user mode");
    run_user(read_page, FLAG_FIXED | FLAG_IF);
    CHECK_EQ(raw(RAW_ERROR, 0), 4, "without the page it faults, not present, by the user");
    CHECK_EQ(raw(RAW_IP, 1), (unsigned long)read_page, "at the instruction");
    CHECK_EQ(trap_cr2(), (unsigned long)page, "with the address");
    CHECK_EQ(*page, 0x600df00d, "the kernel still has it");
    CHECK_EQ(mmu_ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(top)), 0, "the table is in use");
    CHECK(pages_protect(top, 1, true) != 0, "even when it is not pinned");
    CHECK_EQ(mmu_ext(MMUEXT_NEW_USER_BASEPTR, (unsigned long)frame), -XEN_EINVAL, "a page of data is no table");
    CHECK_EQ(mmu_ext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(live)), 0, "back");
    CHECK_EQ(pages_protect(top, 1, true), 0, "and the table is an ordinary page again");
    run_user(read_page, FLAG_FIXED | FLAG_IF);
    CHECK_EQ(raw(RAW_IP, 0), (unsigned long)read_page + 10, "user code sees the page again");
    unmap_frames(page, 1);
}

static unsigned char compat_code[16];

/* 32-bit user code of a 64-bit guest, below 4 GiB as all of this program. */
static void run_compat(unsigned char first, unsigned char second, const char *what)
{
    unsigned long good_cs = raw_user_cs;

    printf("    %s\n", what);
    compat_code[0] = first;
    compat_code[1] = second;
    compat_code[2] = 0x0f;
    compat_code[3] = 0x0b;
    memset(raw_frame, 0, sizeof(raw_frame));
    raw_user_cs = 0xe023;
    run_user(compat_code, FLAG_FIXED | FLAG_IF);
    raw_user_cs = good_cs;
}

static void check_compat_frame(int error, unsigned int offset)
{
    CHECK_EQ(raw(RAW_IP, error), (unsigned long)compat_code + offset, "the address");
    CHECK_EQ(raw(RAW_CS, error) & 0xffff, 0xe023, "the 32-bit code selector");
    CHECK_EQ(raw(RAW_FLAGS, error) & FLAG_IF, FLAG_IF, "the interrupt flag");
    CHECK_EQ(raw(RAW_SP, error), (unsigned long)user_stack + sizeof(user_stack), "the stack");
    CHECK_EQ(raw(RAW_SS, error) & 0xffff, 0xe02b, "and its selector");
}

static void test_compat_user(void)
{
    check_group("32-bit user code of a 64-bit kernel");
    trap_set_gate(TRAP_BP, 7, raw_escape);
    trap_set_gate(TRAP_UD, 4, raw_escape);
    trap_set_gate(TRAP_GP, 4, raw_escape);
    trap_set_gate(0x80, 7, raw_escape);
    run_compat(0xcc, 0x90, "breakpoint");
    check_compat_frame(0, 1);
    run_compat(0xcd, 0x80, "int 0x80");
    check_compat_frame(0, 2);
    if (!is_amd())
        return;
    run_compat(0x0f, 0x05, "syscall without a callback: an invalid opcode");
    check_compat_frame(0, 0);
    set_callback(CALLBACKTYPE_syscall32, CALLBACKF_mask_events, raw_escape);
    run_compat(0x0f, 0x05, "syscall with a callback");
    check_compat_frame(0, 2);
    set_callback(CALLBACKTYPE_sysenter, CALLBACKF_mask_events, raw_escape);
    run_compat(0x0f, 0x34, "sysenter, which this processor does not have");
    check_compat_frame(raw_frame[RAW_IP] == 0, 0);
}
#endif

static long gate_with(unsigned long cs, unsigned long address)
{
    struct trap_info table[2];

    memset(table, 0, sizeof(table));
    table[0].vector = TRAP_UD;
    table[0].cs = (uint16_t)cs;
    table[0].address = address;
    return HYPERVISOR_set_trap_table(table);
}

static void test_gates(void)
{
    unsigned long flags;

    check_group("gates");
    raw_has_error = 0;
    raw_skip = 2;
    CHECK_EQ(gate_with(FLAT_KERNEL_CS & ~3UL, (unsigned long)raw_return), 0, "a selector without privilege");
    raw_ud2(&flags);
    CHECK_EQ(raw(RAW_CS, 0) & 0xffff, KERNEL_CS_IN_FRAME, "is raised, and serves");
    CHECK_EQ(gate_with(0, (unsigned long)raw_return), 0, "a null selector is not looked at");
#ifdef __x86_64__
    CHECK_EQ(gate_with(FLAT_KERNEL_CS, 0x8000000000000000UL), -XEN_EINVAL, "an address that is none is");
    CHECK_EQ(gate_with(FLAT_KERNEL_CS, 0xffff830000000000UL), 0, "one of the hypervisor's not");
#else
    CHECK_EQ(gate_with(FLAT_KERNEL_CS, 0xfc000000UL), 0, "nor one of the hypervisor's");
#endif
    gate_with(FLAT_KERNEL_CS, (unsigned long)raw_return);
}

/* INT leaves the direction flag as it is, and a copy by string instructions follows it. */
static void test_direction_flag(void)
{
    static char area[96];
    char *answer = area + 32;
    long rc = __HYPERVISOR_xen_version;
    unsigned long cmd = XENVER_extraversion;

    check_group("a hypercall with the direction flag set");
    memset(area, 0x5a, sizeof(area));
#ifdef __x86_64__
    __asm__ volatile("std; syscall; cld" : "+a"(rc), "+D"(cmd) : "S"(answer) : "rcx", "r11", "memory");
#else
    __asm__ volatile("std; int $0x82; cld" : "+a"(rc), "+b"(cmd) : "c"(answer) : "memory");
#endif
    CHECK_EQ(rc, 0, "succeeds");
    CHECK(memchr(answer, 0, sizeof(xen_extraversion_t)), "and writes forward");
    CHECK_EQ(answer[-1], 0x5a, "not before its buffer");
    CHECK_EQ(answer[-8], 0x5a, "nor further down");
    CHECK_EQ(answer[sizeof(xen_extraversion_t)], 0x5a, "nor behind it");
}

/* Back to the library's own entries. */
static void restore(void)
{
    traps_register();
    set_callback(CALLBACKTYPE_event, CALLBACKF_mask_events, upcall_entry);
    HYPERVISOR_stack_switch(FLAT_KERNEL_SS, (unsigned long)kernel_stack + sizeof(kernel_stack));
    irq_enable();
}

int main(int argc, char **argv)
{
    check_open_to_programs();
    struct evtchn_bind_ipi ipi = {.vcpu = 0};

    irq_disable();
    HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &ipi);
    port = ipi.port;
    event_unmask(port);
    test_upcall_from_kernel(0, "an event out of the kernel");
    test_upcall_from_kernel(CALLBACKF_mask_events, "the same with the flag that masks");
    irq_disable();
    HYPERVISOR_stack_switch(FLAT_KERNEL_SS, (unsigned long)kernel_stack + sizeof(kernel_stack));
#ifdef __x86_64__
    {
        struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR,
                               .arg1.mfn = virt_to_mfn((void *)(unsigned long)start_info->pt_base)};
        unsigned int done;

        HYPERVISOR_mmuext_op(&op, 1, &done, DOMID_SELF);
    }
#endif
    test_upcall_from_user();
    test_pending_at_iret();
    test_iret_flags();
#ifdef __x86_64__
    test_sysret();
#endif
    test_stacks();
    test_nmi();
    test_bad_returns();
    test_sysenter();
#ifdef __x86_64__
    test_user_table();
    test_compat_user();
#endif
    test_gates();
    test_direction_flag();
    restore();
    check_summary("entry");
    return 0;
}

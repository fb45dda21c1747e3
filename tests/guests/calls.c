/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Calls around the others: multicall, version, callbacks, the hypercall page, and numbers that are none.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/features.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"

extern char hypercall_page[];

static void test_numbers(void)
{
    static const unsigned int none[] = {11, 38, 47, 56, 63};

    check_group("numbers");
    for (unsigned int i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        CHECK_EQ(pv_hypercall0(none[i]), -XEN_ENOSYS, "a number without a call is ENOSYS");
    CHECK_EQ(pv_hypercall0(64), -XEN_ENOSYS, "so is one past the table");
    CHECK_EQ(pv_hypercall0(0x80000000UL), -XEN_ENOSYS, "or far past it");
}

static long by_page(unsigned int number, unsigned long a1, unsigned long a2)
{
    long result;
    void *slot = hypercall_page + number * 32;

#ifdef __x86_64__
    __asm__ volatile("call *%1" : "=a"(result), "+r"(slot), "+D"(a1), "+S"(a2)::"rcx", "r11", "memory");
#else
    __asm__ volatile("call *%1" : "=a"(result), "+r"(slot), "+b"(a1), "+c"(a2)::"memory");
#endif
    return result;
}

static void test_page(void)
{
    check_group("the hypercall page");
    CHECK_EQ(by_page(__HYPERVISOR_xen_version, XENVER_version, 0), HYPERVISOR_xen_version(XENVER_version, NULL),
             "a slot does what the bare instruction does");
    CHECK_EQ(by_page(63, 0, 0), -XEN_ENOSYS, "also for a number that is none");
}

static void test_version(void)
{
    static char text[1024];
    struct xen_feature_info features = {0};
    long version = HYPERVISOR_xen_version(XENVER_version, NULL);

    check_group("version");
    CHECK_EQ(version, 4 << 16 | 17, "4.17");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_capabilities, text), 0, "capabilities");
    CHECK(strstr(text, "xen-3.0-x86_64 ") != NULL, "name the 64-bit ABI");
#ifndef __x86_64__
    CHECK(strstr(text, "xen-3.0-x86_32p") != NULL, "and ours");
#endif
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_get_features, &features), 0, "features");
    CHECK(features.submap >> XENFEAT_mmu_pt_update_preserve_ad & 1, "updates can keep accessed and dirty");
    CHECK(features.submap >> XENFEAT_gnttab_map_avail_bits & 1, "grant mappings can set software bits");
    CHECK(!(features.submap >> XENFEAT_auto_translated_physmap & 1), "frames are not translated");
    CHECK(!(features.submap >> XENFEAT_writable_page_tables & 1), "page tables are not writable");
    features.submap_idx = 7;
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_get_features, &features), -XEN_EINVAL, "there is one map of features");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_pagesize, NULL), 4096, "the page size");
    CHECK_EQ(HYPERVISOR_xen_version(99, NULL), -XEN_ENOSYS, "an unknown question is ENOSYS");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_extraversion, NULL), -XEN_EFAULT, "an answer without a place is EFAULT");
}

static void test_multicall(void)
{
    struct multicall_entry calls[4];
    char *page = pages_alloc(1);
    pte_t pte = pte_read(page);

    check_group("multicall");
    memset(calls, 0, sizeof(calls));
    calls[0].op = __HYPERVISOR_xen_version;
    calls[1].op = 63;
    calls[2].op = __HYPERVISOR_xen_version;
    calls[2].args[0] = XENVER_pagesize;
    calls[3].op = __HYPERVISOR_update_va_mapping;
    calls[3].args[0] = (unsigned long)page;
    calls[3].args[1] = (unsigned long)pte;
#ifdef __x86_64__
    calls[3].args[2] = UVMF_INVLPG;
#else
    calls[3].args[2] = (unsigned long)(pte >> 32);
    calls[3].args[3] = UVMF_INVLPG;
#endif
    CHECK_EQ(HYPERVISOR_multicall(calls, 4), 0, "four calls in one");
    CHECK_EQ((long)calls[0].result, 4 << 16 | 17, "each has its result");
    CHECK_EQ((long)calls[1].result, -XEN_ENOSYS, "errors too");
    CHECK_EQ((long)calls[2].result, 4096, "and those behind an error are made");
    CHECK_EQ((long)calls[3].result, 0, "arguments are passed");
    CHECK_EQ(HYPERVISOR_multicall(calls, 0), 0, "none at all is fine");
    CHECK_EQ(HYPERVISOR_multicall((void *)~0xfffUL, 1), -XEN_EFAULT, "an unreadable list is EFAULT");
    calls[0].op = __HYPERVISOR_multicall;
    calls[0].args[0] = (unsigned long)&calls[2];
    calls[0].args[1] = 1;
    CHECK_EQ(HYPERVISOR_multicall(calls, 1), 0, "a multicall inside a multicall");
    CHECK_EQ((long)calls[0].result, -XEN_EINVAL, "is refused");
    pages_free(page, 1);
}

#ifdef __x86_64__
/* An argument of 32 bits comes in a register of 64, and a kernel may leave there what it likes above it. */
static void test_halves(void)
{
    const unsigned long above = 0xABCDEF00UL << 32;
    struct multicall_entry call = {.op = __HYPERVISOR_xen_version};
    struct physdev_set_iopl iopl = {.iopl = 1};

    check_group("the upper half of a register");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_multicall, (unsigned long)&call, above | 1), 0, "a number of calls");
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_fpu_taskswitch, above), 0, "the flag of the FPU");
    __asm__ volatile("fnop");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_physdev_op, above | PHYSDEVOP_set_iopl, (unsigned long)&iopl), 0,
             "a physdev_op");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_set_segment_base, above | SEGBASE_FS, 0), 0, "a segment");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_callback_op, above | CALLBACKOP_unregister, ~0xFFFUL), -XEN_EFAULT,
             "a callback_op");
    CHECK_EQ(pv_hypercall3(__HYPERVISOR_console_io, above | 99, above, 0), pv_is_dom0() ? -XEN_ENOSYS : -XEN_EPERM,
             "a console_io");
    CHECK_EQ(pv_hypercall3(__HYPERVISOR_console_io, CONSOLEIO_write, above, 0), pv_is_dom0() ? 0 : -XEN_EPERM,
             "and how much to write");
}
#endif

/* Makes the calls, of which one is an iret whose frame lies on the stack: back to behind here, with rax 0x1234. */
static long multicall_returning(struct multicall_entry *calls, unsigned int count)
{
    long result = __HYPERVISOR_multicall;

#ifdef __x86_64__
    register struct multicall_entry *list __asm__("rdi") = calls;
    register unsigned long number __asm__("rsi") = count;

    __asm__ volatile(
        "mov %%rsp, %%rbx\n\t"
        "mov %%ss, %%ecx\n\t"
        "lea 1f(%%rip), %%r8\n\t"
        "sub $256, %%rsp\n\t"
        "push %%rcx; push %%rbx; pushf; push $0xe030; push %%r8; push $0; push $1; push $2; push $0x1234\n\t"
        "syscall\n"
        "1: mov %%rbx, %%rsp"
        : "+a"(result), "+r"(list), "+r"(number)
        :
        : "rbx", "rcx", "r8", "r11", "memory");
#else
    __asm__ volatile("mov %%esp, %%edi\n\t"
                     "pushf; push %%cs; push $1f; push $0x1234\n\t"
                     "int $0x82\n"
                     "1: mov %%edi, %%esp"
                     : "+a"(result), "+b"(calls), "+c"(count)
                     :
                     : "edi", "memory");
#endif
    return result;
}

/* A call that leaves takes the list with it: were the rest carried out, then for whoever runs now. */
static void test_multicall_return(void)
{
    struct multicall_entry calls[3];

    check_group("a return among the calls of a multicall");
    memset(calls, 0, sizeof(calls));
    calls[0].op = calls[2].op = __HYPERVISOR_xen_version;
    calls[1].op = __HYPERVISOR_iret;
    calls[2].result = 77;
    CHECK_EQ(multicall_returning(calls, 3), 0x1234, "goes where its frame says, with that frame's registers");
    CHECK_EQ((long)calls[0].result, 4 << 16 | 17, "after the calls before it");
    CHECK_EQ((long)calls[2].result, 77, "and without those behind it");
}

static long register_callback(unsigned int type, unsigned int flags, unsigned long address)
{
    struct callback_register callback = {.type = (uint16_t)type, .flags = (uint16_t)flags};

#ifdef __x86_64__
    callback.address = address;
#else
    callback.address.cs = FLAT_KERNEL_CS;
    callback.address.eip = address;
#endif
    return HYPERVISOR_callback_op(CALLBACKOP_register, &callback);
}

static long unregister_callback(unsigned int type)
{
    struct callback_unregister callback = {.type = (uint16_t)type};

    return HYPERVISOR_callback_op(CALLBACKOP_unregister, &callback);
}

static void test_callbacks(void)
{
    unsigned long here = (unsigned long)test_callbacks;

    check_group("callbacks");
    CHECK_EQ(register_callback(99, 0, here), -XEN_ENOSYS, "an unknown kind is ENOSYS");
    CHECK_EQ(unregister_callback(CALLBACKTYPE_event), -XEN_EINVAL, "the event callback cannot be taken away");
    CHECK_EQ(unregister_callback(CALLBACKTYPE_failsafe), -XEN_EINVAL, "nor the failsafe");
    CHECK_EQ(unregister_callback(99), -XEN_ENOSYS, "nor an unknown one");
    CHECK_EQ(register_callback(CALLBACKTYPE_nmi, 0, here), 0, "an NMI callback can be set");
    CHECK_EQ(unregister_callback(CALLBACKTYPE_nmi), 0, "and taken away");
#ifdef __x86_64__
    CHECK_EQ(register_callback(CALLBACKTYPE_syscall, 0, here), 0, "the entry for system calls");
    CHECK_EQ(register_callback(CALLBACKTYPE_syscall, 0, 0x8000000000000000UL), -XEN_EINVAL, "must be an address");
#endif
    CHECK_EQ(HYPERVISOR_callback_op(99, NULL), sizeof(long) == 8 ? -XEN_ENOSYS : -XEN_EINVAL,
             "an unknown operation is ENOSYS, which 32-bit kernels are told as EINVAL");
}

static void test_console(void)
{
    check_group("console");
    if (pv_is_dom0()) {
        CHECK_EQ(HYPERVISOR_console_io(99, 0, NULL), -XEN_ENOSYS, "an unknown operation is ENOSYS");
        CHECK_EQ(HYPERVISOR_console_io(CONSOLEIO_write, 0, hypercall_page), 0, "writing nothing is fine");
        CHECK_EQ(HYPERVISOR_console_io(CONSOLEIO_write, 5, (char *)~0xfffUL), -XEN_EFAULT, "from nowhere is EFAULT");
    }
}

static void test_assists(void)
{
    check_group("assists");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_4gb_segments), 0, "4 GiB segments");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0,
             "the flag on run state updates");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag), 0, "and off");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, 31), -XEN_EINVAL, "one that does not exist");
    CHECK_EQ(HYPERVISOR_vm_assist(99, 0), -XEN_ENOSYS, "neither on nor off");
}

static void test_stack_switch(void)
{
    check_group("stack_switch");
    CHECK_EQ(HYPERVISOR_stack_switch(FLAT_KERNEL_SS & ~3UL, 0x200000), 0, "a privilege of 0 in the selector is raised");
}

int main(int argc, char **argv)
{
    test_numbers();
    test_page();
    test_version();
    test_multicall();
#ifdef __x86_64__
    test_halves();
#endif
    test_multicall_return();
    test_callbacks();
    test_console();
    test_assists();
    test_stack_switch();
    check_summary("calls");
    return 0;
}

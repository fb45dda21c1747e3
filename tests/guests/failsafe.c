/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The failsafe callback. A segment register keeps working after its descriptor is gone, until the vCPU loses its
 * processor: on the way back the selector cannot be loaded, and the kernel is told through the callback, with the
 * selectors it wanted. Tried with the word "sharing" on the command line: then two vCPUs share one processor.
 */
#include <stdio.h>
#include <string.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/time.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"

#define MS  1000000ULL
#define RPL (sizeof(long) == 8 ? 3U : 1U)

static volatile bool stop;
static uint64_t *gdt;
static unsigned long failsafe_words[12];
static unsigned int failsafes;

static void spin(void *arg)
{
    while (!stop)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
}

static void set_descriptor(unsigned int index, uint64_t value)
{
    CHECK_EQ(HYPERVISOR_update_descriptor(((uint64_t)virt_to_mfn(gdt) << PAGE_SHIFT) + index * 8, value), 0,
             "a descriptor can be set");
}

/* Called by failsafe_record with the stack pointer at entry. */
void failsafe_note(const unsigned long *frame);
void failsafe_note(const unsigned long *frame)
{
    memcpy(failsafe_words, frame, sizeof(failsafe_words));
    failsafes++;
}

void failsafe_record(void);
#ifdef __x86_64__
__asm__(".text\n"
        "failsafe_record:\n"
        "push %rax; push %rdx; push %rsi; push %rdi; push %r8; push %r9; push %r10; push %rbx\n"
        "mov %rsp, %rbx\n"
        "lea 64(%rsp), %rdi\n"
        "and $-16, %rsp\n"
        "call failsafe_note\n"
        "mov %rbx, %rsp\n"
        "pop %rbx; pop %r10; pop %r9; pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rax\n"
        "pop %rcx; pop %r11\n"
        "add $32, %rsp\n"
        "push $0; push %rcx; push %r11; push %rax\n"
        "mov $23, %eax\n"
        "syscall\n");
#define FAILSAFE_FS 4 /* behind rcx, r11, ds, es */
#define FAILSAFE_CS 7
#define CS_IN_FRAME 0xe030
#else
__asm__(".text\n"
        "failsafe_record:\n"
        "push %eax; push %ecx; push %edx; push %ebx\n"
        "mov $0xe021, %eax; mov %eax, %ds; mov %eax, %es\n"
        "mov %esp, %ebx\n"
        "lea 16(%esp), %eax\n"
        "sub $12, %esp\n"
        "push %eax\n"
        "call failsafe_note\n"
        "mov %ebx, %esp\n"
        "pop %ebx; pop %edx; pop %ecx; pop %eax\n"
        "add $16, %esp\n"
        "push %eax\n"
        "mov $23, %eax\n"
        "int $0x82\n");
#define FAILSAFE_FS 2 /* behind ds, es */
#define FAILSAFE_CS 5
#define CS_IN_FRAME 0xe019
#endif

static uint64_t waited(void)
{
    struct vcpu_runstate_info state;

    HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, &state);
    return state.time[RUNSTATE_runnable];
}

/* Yields until we have waited for our processor, which is when somebody else had it. */
static bool lose_processor(void)
{
    uint64_t before = waited(), give_up = time_monotonic_ns() + 300 * MS;

    while (waited() < before + 100000 && time_monotonic_ns() < give_up)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    return waited() >= before + 100000;
}

static unsigned int fs_selector(void)
{
    unsigned int fs;

    __asm__ volatile("mov %%fs, %0" : "=r"(fs));
    return fs & 0xffff;
}

static void test_lost_segment(void)
{
    const uint64_t data = 0x00cf92000000ffffULL | (uint64_t)RPL << 45;
    unsigned long frames[16] = {0};

    check_group("a segment that vanished");
    gdt = pages_alloc(1);
    frames[0] = virt_to_mfn(gdt);
    pages_protect(gdt, 1, false);
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 16), 0, "a descriptor table");
    set_descriptor(5, data);
    __asm__ volatile("mov %0, %%fs" : : "r"(5 * 8 | RPL));
    CHECK(lose_processor(), "the other vCPU runs for a while");
    CHECK_EQ(failsafes, 0, "a good segment is loaded again without a word");
    CHECK_EQ(fs_selector(), 5 * 8 | RPL, "and is still there");
    set_descriptor(5, 0);
    lose_processor();
    CHECK_EQ(failsafes, 1, "a vanished one calls the failsafe callback, once");
    CHECK_EQ(failsafe_words[FAILSAFE_FS] & 0xffff, 5 * 8 | RPL, "which gets the selector that was wanted");
    CHECK_EQ(failsafe_words[FAILSAFE_CS] & 0xffff, CS_IN_FRAME, "and where we were: in the kernel");
    CHECK_EQ(fs_selector(), 0, "the register is empty now");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "sharing") == 0) {
        CHECK(smp_cpu_count() > 1, "there are two vCPUs");
        trap_set_callback(CALLBACKTYPE_failsafe, CALLBACKF_mask_events, failsafe_record);
        irq_disable();
        smp_start(1, spin, NULL);
        test_lost_segment();
        stop = true;
        trap_set_callback(CALLBACKTYPE_failsafe, CALLBACKF_mask_events, failsafe_entry);
        irq_enable();
    }
    CHECK_EQ(failsafes <= 1, 1, "and nothing else");
    check_summary("failsafe");
    return 0;
}

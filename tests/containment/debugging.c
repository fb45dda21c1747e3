/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Debug exceptions. They come between any two instructions, the hypervisor's first ones included: a guest that arranges
 * for one there has it handled on whatever stack and segments are in place.
 */
#include "attack.h"

#ifdef __x86_64__
#define CALL "syscall"
#define SP   "rsp"
#else
#define CALL "int $0x82"
#define SP   "esp"
#endif
#define FLAG_TF 0x100UL

static volatile unsigned long hits;

static bool count_hit(struct trap_frame *frame)
{
    if (frame->vector == TRAP_DB)
        HYPERVISOR_set_debugreg(6, 0xffff0ff0UL);
    hits++;
    return hits < 100000;
}

static unsigned long watched[8] __attribute__((aligned(64)));

static void watch(void *at, unsigned int kind, unsigned int length)
{
    CHECK_EQ(HYPERVISOR_set_debugreg(0, (unsigned long)at), 0, "a breakpoint");
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x401UL | kind << 16 | length << 18), 0, "switched on");
}

static void unwatch(void)
{
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x400), 0, "and off");
}

/* A load of the stack selector holds exceptions back for one instruction. With a watchpoint on its operand the debug
 * exception comes after the next instruction: when that enters the hypervisor, before its first one, where the stack is
 * still the guest's and nothing is saved. By each instruction that enters. */
static void held_back_into_an_entry(void)
{
    unsigned long ss;

    check_group("a debug exception held back into an entry");
    __asm__ volatile("mov %%ss, %0" : "=r"(ss));
    watched[0] = ss;
    watch(&watched[0], 3, 3);
    for (int i = 0; i < 50; i++) {
        long result = __HYPERVISOR_xen_version;
        register unsigned long r1 __asm__(PV_ARG1) = XENVER_version;
        register unsigned long r2 __asm__(PV_ARG2) = 0;
        __asm__ volatile("mov %3, %%ss\n\t" CALL
                         : "+a"(result), "+r"(r1), "+r"(r2)
                         : "m"(watched[0])
                         : PV_HYPERCALL_CLOBBERS);
        CHECK_EQ(result, 4 << 16 | 17, "a hypercall behind it answers");
        __asm__ volatile("mov %0, %%ss\n\tint3" : : "m"(watched[0]));
        __asm__ volatile("mov %0, %%ss\n\tnop" : : "m"(watched[0]));
#ifndef __x86_64__
        __asm__ volatile("mov %0, %%ss\n\tinto" : : "m"(watched[0]));
#endif
    }
    CHECK(hits > 0, "and the exceptions reached the guest");
    unwatch();
}

/* With the trap flag set every instruction is followed by an exception, also the one that enters the hypervisor. */
static void single_steps(void)
{
    check_group("single steps into an entry");
    hits = 0;
    for (int i = 0; i < 20; i++) {
        long result = __HYPERVISOR_xen_version;
        register unsigned long r1 __asm__(PV_ARG1) = XENVER_version;
        register unsigned long r2 __asm__(PV_ARG2) = 0;
        __asm__ volatile("pushf\n\tpushf\n\torl $0x100, (%%" SP ")\n\tpopf\n\t" CALL "\n\tpopf"
                         : "+a"(result), "+r"(r1), "+r"(r2)
                         :
                         : PV_HYPERCALL_CLOBBERS, "cc");
        CHECK_EQ(result, 4 << 16 | 17, "a hypercall stepped over answers");
        __asm__ volatile("pushf\n\tpushf\n\torl $0x100, (%%" SP ")\n\tpopf\n\tint3\n\tpopf" ::: "memory", "cc");
        __asm__ volatile("pushf\n\tpushf\n\torl $0x100, (%%" SP
                         ")\n\tpopf\n\t.byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n\tcpuid\n\tpopf"
                         :
                         :
                         : "eax", "ebx", "ecx", "edx", "memory", "cc");
    }
    CHECK(hits >= 20, "and each step was seen");
}

/* A watchpoint on memory that the hypervisor reads and writes for the guest goes off inside the hypervisor. */
static void inside_copies(void)
{
    static xen_extraversion_t text __attribute__((aligned(64)));
    static struct vcpu_runstate_info state __attribute__((aligned(64)));
    unsigned long sp;

    check_group("watchpoints on what the hypervisor touches");
    for (unsigned int kind = 1; kind < 4; kind += 2)
        for (unsigned int length = 0; length < 4; length++) {
            if (length == 2 && sizeof(long) == 4)
                continue;
            watch(&text, kind, length);
            CHECK_EQ(HYPERVISOR_xen_version(XENVER_extraversion, &text), 0, "a result");
            watch(&state, kind, length);
            CHECK_EQ(HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, &state), 0, "a longer one");
            unwatch();
        }
    __asm__ volatile("mov %%" SP ", %0" : "=r"(sp));
    watch((void *)((sp & ~15UL) - 4 * sizeof(long)), 1, 3);
    for (int i = 0; i < 20; i++)
        __asm__ volatile("int3");
    unwatch();
}

/* Every combination of kinds and lengths, on every place: none may reach the hypervisor's own accesses, and none may be
 * of a kind that the processor refuses to load. */
static void control_register(void)
{
    check_group("the debug control register");
    for (unsigned long bits = 0; bits < 0x10000; bits += 0x37) {
        HYPERVISOR_set_debugreg(7, bits << 16 | 0x455);
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    }
    for (unsigned int i = 0; i < 32; i++)
        HYPERVISOR_set_debugreg(7, 1UL << i);
    HYPERVISOR_set_debugreg(7, 0x400);
    for (unsigned int i = 0; i < 32; i++) {
        HYPERVISOR_set_debugreg(6, 1UL << i);
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    }
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x400), 0, "off at last");
    CHECK_EQ(HYPERVISOR_get_debugreg(7), 0x400, "and nothing is left");
}

/* One exception within the delivery of another, again and again: a breakpoint on the handler's own stack and on its first
 * instruction. It is the guest that runs in circles, not the hypervisor. */
static void debug_by_itself(void *arg)
{
    __asm__ volatile(".byte 0xf1"); /* no gate can refuse this one */
}

static void storms(void)
{
    struct fault fault;
    bool ice = true;

    check_group("storms of exceptions");
    hits = 0;
    for (int i = 0; i < 2000; i++) {
        __asm__ volatile("int3");
        if (ice)
            ice = fault_catch(debug_by_itself, NULL, &fault); /* an emulator may not know it */
    }
    CHECK(hits >= 2000, "all arrive");
}

int main(int argc, char **argv)
{
    trap_set_handler(TRAP_DB, count_hit);
    trap_set_handler(TRAP_BP, count_hit);
    trap_set_handler(TRAP_OF, count_hit);
    held_back_into_an_entry();
    single_steps();
    inside_copies();
    control_register();
    storms();
    return check_summary("debugging");
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a guest leaves in its registers and flags when it enters the hypervisor, and where it asks to be left to.
 */
#include "attack.h"

#ifdef __x86_64__
#define CALL "syscall"
#else
#define CALL "int $0x82"
#endif

/* A hypercall with chosen flags. The flags are ours again behind it. */
static long call_with_flags(unsigned long number, unsigned long a1, unsigned long a2, unsigned long flags)
{
    long result = (long)number;
    register unsigned long r1 __asm__(PV_ARG1) = a1;
    register unsigned long r2 __asm__(PV_ARG2) = a2;

    __asm__ volatile("pushf\n\t"
                     "pushf\n\t"
#ifdef __x86_64__
                     "orq %3, (%%rsp)\n\t"
#else
                     "orl %3, (%%esp)\n\t"
#endif
                     "popf\n\t" CALL "\n\t"
                     "popf"
                     : "+a"(result), "+r"(r1), "+r"(r2)
                     : "r"(flags)
                     : PV_HYPERCALL_CLOBBERS, "cc");
    return result;
}

/* The direction flag decides which way string instructions copy. A gate does not clear it: a kernel that copies
 * arguments with the caller's flag set writes in front of its own buffer, over whatever its stack has there. */
static void direction_flag(void)
{
    struct vcpu_runstate_info state[4];
    xen_extraversion_t extra;
    struct trap_info traps[3] = {{.vector = 0}};

    check_group("the direction flag");
    memset(&extra, 0x5A, sizeof(extra));
    CHECK_EQ(call_with_flags(__HYPERVISOR_xen_version, XENVER_extraversion, (unsigned long)&extra, 0x400), 0,
             "a hypercall with the direction flag set is one like any");
    CHECK(extra[0] == '.', "and copies upwards");
    memset(state, 0xA5, sizeof(state));
    register unsigned long third __asm__(PV_ARG3) = (unsigned long)&state[1];
    __asm__ volatile("" : "+r"(third));
    CHECK_EQ(call_with_flags(__HYPERVISOR_set_trap_table, (unsigned long)&traps[2], 0, 0x400), 0, "so with reading");
    CHECK(((unsigned char *)&state[0])[0] == 0xA5, "nothing in front of a buffer is touched");
}

/* Flags that change how the processor runs (alignment check, nested task, resume) must not follow the guest inside:
 * one of them makes every IRET of the hypervisor fault. */
static void odd_flags(void)
{
    static const unsigned long flags[] = {0x4000 /* NT */, 0x40000 /* AC */, 0x10000 /* RF */, 0x200000 /* ID */,
                                          0x44400};

    check_group("odd flags");
    for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        CHECK_EQ(call_with_flags(__HYPERVISOR_xen_version, XENVER_version, 0, flags[i]), 4 << 16 | 17,
                 "a hypercall with odd flags set answers");
        CHECK_EQ(call_with_flags(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, flags[i]), 0, "one that switches does");
    }
}

int main(int argc, char **argv)
{
    odd_flags();
    direction_flag();
    return check_summary("registers");
}

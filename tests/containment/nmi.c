/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An interrupt that nothing masks, at the worst moment: a processor runs code in a segment that another one has just
 * taken away. It notices when it is to go back there, which is the hypervisor's last instruction. The machine's owner
 * presses the button when told to (tests/system/test_nmi.py); runs as dom0 on two processors.
 */
#include <abi/vcpu.h>
#include "../../guest-pv/core/internal.h"
#include "attack.h"

#define CODE_SLOT 3U
#define PRESENT   (1ULL << 47)
#define MS        1000000ULL
#define PATIENCE  (100000 * MS)
#define TRAP_NMI  2
#ifdef __x86_64__
#define RING    3UL
#define OUR_CS  0xe030UL
#define OUR_OWN 0x00affb000000ffffULL /* flat code of 64 bits, ring 3 */
#else
#define RING    1UL
#define OUR_CS  0xe019UL
#define OUR_OWN 0x00cfbb000000ffffULL /* flat code of 32 bits, ring 1 */
#endif

static uint64_t *gdt;
static volatile bool inside, leave;
static volatile unsigned long told, noticed, error;

static bool interrupted(struct trap_frame *frame)
{
    told++;
    return true;
}

static bool segment_gone(struct trap_frame *frame)
{
    error = frame->error;
    frame->cs = (frame->cs & ~0xffffUL) | OUR_CS;
    noticed++;
    return true;
}

static long take_gdt(void)
{
    unsigned long frame = virt_to_mfn(gdt);

    return HYPERVISOR_set_gdt(&frame, 512);
}

/* Nothing but the NMI disturbs this vCPU while it is there. */
static void stay_there(void *unused)
{
    take_gdt();
    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 1, NULL);
#ifdef __x86_64__
    __asm__ volatile("push %2\n\tlea 1f(%%rip), %%rax\n\tpush %%rax\n\tlretq\n"
                     "1: movb $1, %0\n"
                     "2: pause\n\tcmpb $0, %1\n\tje 2b\n\t"
                     "push %3\n\tlea 3f(%%rip), %%rax\n\tpush %%rax\n\tlretq\n3:"
                     : "+m"(inside)
                     : "m"(leave), "r"(CODE_SLOT * 8 | RING), "r"(OUR_CS | RING)
                     : "rax", "memory", "cc");
#else
    __asm__ volatile("push %2\n\tpush $1f\n\tlret\n"
                     "1: movb $1, %0\n"
                     "2: pause\n\tcmpb $0, %1\n\tje 2b\n\t"
                     "push %3\n\tpush $3f\n\tlret\n3:"
                     : "+m"(inside)
                     : "m"(leave), "r"(CODE_SLOT * 8 | RING), "r"(OUR_CS | RING)
                     : "memory", "cc");
#endif
}

static bool come_true(const volatile bool *what)
{
    uint64_t end = time_monotonic_ns() + PATIENCE;

    while (!*what && time_monotonic_ns() < end)
        time_spin_ns(10000);
    return *what;
}

int main(int argc, char **argv)
{
    uint64_t end;

    gdt = pages_alloc(1);
    gdt[CODE_SLOT] = OUR_OWN;
    pages_protect(gdt, 1, false);
    trap_set_handler(TRAP_NP, segment_gone);
    trap_set_handler(TRAP_NMI, interrupted);
    CHECK_EQ(trap_set_gate(TRAP_NMI, TI_MASK_EVENTS, (void (*)(void))trap_entries[TRAP_NMI]), 0, "a handler of NMIs");
    CHECK_EQ(smp_start(1, stay_there, NULL), 0, "another processor goes");
    CHECK(come_true(&inside), "to code in a segment of ours");
    time_spin_ns(200 * MS); /* a timer that was stopped may still interrupt it once */
    CHECK_EQ(HYPERVISOR_update_descriptor((uint64_t)virt_to_mfn(gdt) << 12 | CODE_SLOT * 8, OUR_OWN & ~PRESENT), 0,
             "and the segment goes");
    printf("taken away: now the NMI\n");
    end = time_monotonic_ns() + PATIENCE;
    while (!(noticed && told) && time_monotonic_ns() < end)
        time_spin_ns(10000);
    CHECK(told > 0, "the machine's NMI is dom0's");
    CHECK_EQ(noticed, 1, "the one that has lost its segment is told so, and nobody else");
    CHECK_EQ(error, CODE_SLOT * 8, "which");
    leave = true;
    while (smp_is_up(1))
        time_spin_ns(10000);
    return check_summary("nmi");
}

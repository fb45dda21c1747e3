/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Return frames. By the iret hypercall a kernel says where it wants to go on: any address, any selector, any flags. The
 * processor checks some of that late, in the middle of the hypervisor's last instruction, some only in one make, and
 * some not at all.
 */
#include "attack.h"

#ifdef __x86_64__
#define OUR_CS 0xe030UL
#define OUR_SS 0xe02bUL
struct frame {
    unsigned long ax, r11, cx, vgcf, ip, cs, flags, sp, ss;
};
#else
#define OUR_CS 0xe019UL
#define OUR_SS 0xe021UL
struct frame {
    unsigned long ax, ip, cs, flags, sp, ss;
};
#endif
#define FLAG_IF 0x200UL

extern char landing_pad[];
__asm__(".text\nlanding_pad: ud2\n ud2");

static bool put_back(struct trap_frame *frame)
{
    frame->cs = (frame->cs & ~0xffffUL) | OUR_CS;
    frame->ss = OUR_SS;
    frame->flags &= ~0x44100UL;
    return false;
}

/* Never comes back by itself: the landing pad raises an exception, or the frame did. */
static void go(void *arg)
{
    struct frame *frame = arg;

    __asm__ volatile("mov %0, %%"
#ifdef __x86_64__
                     "rsp\n\tmov $23, %%eax\n\tsyscall\n\tud2"
#else
                     "esp\n\tmov $23, %%eax\n\tint $0x82\n\tud2"
#endif
                     :
                     : "r"(frame)
                     : "memory");
}

static char new_stack[2 * PAGE_SIZE] __attribute__((aligned(16)));

/* The exception that came of it; 255: none. */
static unsigned int try_frame(unsigned long ip, unsigned long cs, unsigned long flags, unsigned long ss,
                              unsigned long vgcf)
{
    struct fault fault = {.vector = 255};
    /* On the new stack below its middle, where the exception's frame does not overwrite what it comes from. */
    struct frame *frame = (struct frame *)(new_stack + PAGE_SIZE);

    *frame = (struct frame){.ip = ip, .cs = cs, .flags = flags, .sp = (unsigned long)new_stack + PAGE_SIZE, .ss = ss};
#ifdef __x86_64__
    frame->vgcf = vgcf;
#endif
    fault_catch(go, frame, &fault);
    return fault.vector;
}

static unsigned int ring(void)
{
    unsigned int cs;

    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    return cs & 3;
}

/* A return to an address that is none, or the hypervisor's. One make of processor raises the fault in ring 0 after it has
 * switched to the guest's stack pointer already: the hypervisor then runs on a stack of the guest's choice. By the short
 * way (SYSRET) and the long one. */
static void addresses(void)
{
#ifdef __x86_64__
    static const unsigned long places[] = {NON_CANONICAL,
                                           NON_CANONICAL - 2,
                                           NON_CANONICAL - 1,
                                           0xffff7fffffffffffUL,
                                           0x8000000000000000UL,
                                           0xffff800000000000UL,
                                           0xffff828000000000UL,
                                           0xffff830000000000UL,
                                           0xffff87ffffffffffUL,
                                           ~0UL,
                                           ~1UL,
                                           1UL << 46,
                                           1UL << 63};
#else
    static const unsigned long places[] = {0xf5800000UL, 0xf57fffffUL, 0xffffffffUL, 0xfffffffeUL, 0xfc000000UL};
#endif

    check_group("addresses to go on at");
    for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        for (unsigned long vgcf = 0; vgcf <= 0x100; vgcf += 0x100) {
            unsigned int vector = try_frame(places[i], OUR_CS, FLAG_IF | 2, OUR_SS, vgcf);
            CHECK(vector == TRAP_GP || vector == TRAP_PF, "is a fault of the guest's");
        }
    CHECK_EQ(try_frame((unsigned long)landing_pad, OUR_CS, FLAG_IF | 2, OUR_SS, 0), TRAP_UD, "a good one arrives");
    CHECK_EQ(try_frame((unsigned long)landing_pad, OUR_CS, FLAG_IF | 2, OUR_SS, 0x100), TRAP_UD, "either way");
}

/* Selectors of the hypervisor, of nothing, of system segments, of another ring's data. */
static void selectors(void)
{
    unsigned int bad = 0;

    check_group("selectors to go on with");
    for (unsigned long selector = 0xe000; selector < 0xe080; selector++) {
        if (sizeof(long) == 8 && (selector & 3) == 3)
            continue; /* user mode, which has no tables here: the end of the domain, rightly */
        if (sizeof(long) == 4 && ((selector & 3) != 1 || selector == OUR_CS))
            continue;
        bad += try_frame((unsigned long)landing_pad, selector, FLAG_IF | 2, OUR_SS, 0) == 255;
    }
    for (unsigned long selector = 0; selector < 0x10000; selector += 0x1235)
        if (sizeof(long) == 8 ? (selector & 3) != 3 : (selector & 3) == 1)
            bad += try_frame((unsigned long)landing_pad, selector, FLAG_IF | 2, OUR_SS, 0) == 255;
    CHECK_EQ(bad, 0, "each raised an exception or arrived where it was sent");
#ifdef __x86_64__
    for (unsigned long selector = 0; selector < 0x10000; selector += 0x777)
        try_frame((unsigned long)landing_pad, OUR_CS, FLAG_IF | 2, selector, 0);
    for (unsigned long selector = 0xe000; selector < 0xe080; selector++)
        try_frame((unsigned long)landing_pad, OUR_CS, FLAG_IF | 2, selector, 0x100);
#endif
    CHECK_EQ(ring(), sizeof(long) == 8 ? 3 : 1, "and the ring is ours");
}

static unsigned long flags_now(void)
{
    unsigned long flags;

    __asm__ volatile("pushf\n\tpop %0" : "=r"(flags));
    return flags;
}

static unsigned long flags_landed;

static bool note_flags(struct trap_frame *frame)
{
    flags_landed = frame->flags;
    return put_back(frame);
}

/* Flags: the I/O privilege level opens the machine's ports, virtual-8086 mode changes what segments are, a nested task
 * makes the next IRET a task switch, and without the interrupt flag the processor is the guest's for good. */
static void flags(void)
{
    static const unsigned long tries[] = {
        0x3000, 0x20000, 0x80000, 0x100000, 0x4000, 0x10000, 0x40000, 0x200000, 0x3fffff & ~0x100UL, 0, 0xfffffeffUL};

    check_group("flags to go on with");
    trap_set_handler(TRAP_UD, note_flags);
    for (unsigned int i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
        for (unsigned long vgcf = 0; vgcf <= 0x100; vgcf += 0x100) {
            if (sizeof(long) == 4 && (tries[i] & 0x20000))
                continue; /* ends the domain */
            flags_landed = 0;
            try_frame((unsigned long)landing_pad, OUR_CS, tries[i], OUR_SS, vgcf);
            CHECK_EQ(flags_landed & 0x1a3000, 0, "no I/O privilege, no virtual mode, no virtual interrupts");
            CHECK(flags_now() & FLAG_IF, "the processor's own interrupt flag stays set");
        }
    trap_set_handler(TRAP_UD, put_back);
}

int main(int argc, char **argv)
{
    static const unsigned int vectors[] = {TRAP_UD, TRAP_TS, TRAP_NP, TRAP_SS, TRAP_GP, TRAP_PF, TRAP_AC, TRAP_DB};

    for (unsigned int i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        trap_set_handler(vectors[i], put_back);
    addresses();
    selectors();
    flags();
    return check_summary("frames");
}

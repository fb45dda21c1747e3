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
    frame->flags &= ~0x44500UL; /* the direction flag, too: no C code runs with it */
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

#define KEPT_AX  0x11111111UL
#define KEPT_CX  0x22222222UL
#define KEPT_DX  0x33333333UL                   /* 64-bit: r11 */
#define CROSSING (PAGE_SIZE - 2 * sizeof(long)) /* where a frame reaches into the second page */

unsigned long kept_sp;
extern char kept_landing[];

/* By a frame at `at`, to the instruction behind; what the three registers hold there. */
static __attribute__((noinline)) void go_and_look(unsigned long at, unsigned long *found)
{
#ifdef __x86_64__
    __asm__ volatile("mov %%rsp, kept_sp(%%rip)\n\tmov %3, %%rsp\n\tmov $23, %%eax\n\tsyscall\n"
                     "kept_landing:\n\tmov kept_sp(%%rip), %%rsp\n\tmov %%r11, %2"
                     : "=&a"(found[0]), "=&c"(found[1]), "=&d"(found[2])
                     : "D"(at)
                     : "r11", "memory");
#else
    __asm__ volatile("mov %%esp, kept_sp\n\tmov %3, %%esp\n\tmov $23, %%eax\n\tint $0x82\n"
                     "kept_landing:\n\tmov kept_sp, %%esp"
                     : "=a"(found[0]), "=c"(found[1]), "=d"(found[2])
                     : "D"(at), "1"(KEPT_CX), "2"(KEPT_DX)
                     : "memory");
#endif
}

/* A fault of the hypervisor's own on the frame, which it mends and goes on after: on shadow page tables any page's first
 * use is one. What it kept in the meantime where the processor puts the fault's own frame is lost, and the kernel goes
 * on with registers of the hypervisor's. The frame is written at one address and returned by at another, of whose pages
 * nothing has used the second yet. */
static void mended_in_the_middle(void)
{
    char *home = pages_alloc(2), *alias;
    xen_pfn_t frames[2] = {virt_to_mfn(home), virt_to_mfn(home + PAGE_SIZE)};
    struct frame *frame = (struct frame *)(home + CROSSING);
    unsigned long found[3], wrong = 0;

    check_group("frames whose reading faults and is mended");
    *frame = (struct frame){.ax = KEPT_AX, .ip = (unsigned long)kept_landing, .cs = OUR_CS, .flags = FLAG_IF | 2};
#ifdef __x86_64__
    frame->cx = KEPT_CX;
    frame->r11 = KEPT_DX;
    frame->sp = (unsigned long)home + PAGE_SIZE / 2;
    frame->ss = OUR_SS;
#endif
    for (unsigned int i = 0; i < 20; i++) {
        alias = map_frames(frames, 2, DOMID_SELF, PTE_P | PTE_RW | PTE_US, NULL);
        *(volatile char *)alias;
        go_and_look((unsigned long)alias + CROSSING, found);
        wrong += found[0] != KEPT_AX || found[1] != KEPT_CX || found[2] != KEPT_DX;
        unmap_frames(alias, 2);
    }
    CHECK_EQ(wrong, 0, "the registers are those of the frame and of the kernel");
    pages_free(home, 2);
}

int main(int argc, char **argv)
{
    static const unsigned int vectors[] = {TRAP_UD, TRAP_TS, TRAP_NP, TRAP_SS, TRAP_GP, TRAP_PF, TRAP_AC, TRAP_DB};

    for (unsigned int i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        trap_set_handler(vectors[i], put_back);
    addresses();
    selectors();
    flags();
    mended_in_the_middle();
    return check_summary("frames");
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a kernel does besides hypercalls: writes into its page tables as if they were memory, instructions that only a
 * kernel on bare hardware may use, traps. A fault in any of them ends that instruction and nothing more.
 */
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "fuzz.h"
#include "risky.h"

static bool give_up(struct trap_frame *frame)
{
    if (frame->ip < (unsigned long)risky_begin || frame->ip > (unsigned long)risky_end)
        return false;
    frame->ip = (unsigned long)risky_return;
    frame->flags &= ~0x100UL;
    return true;
}

/* Breakpoints and single steps may come anywhere once they are set. */
static bool stop_debugging(struct trap_frame *frame)
{
    if (frame->ip < (unsigned long)risky_begin || frame->ip > (unsigned long)risky_end)
        HYPERVISOR_set_debugreg(7, 0);
    frame->flags &= ~0x100UL;
    return true;
}

/* Our own compiler's code and the library use the registers that fpu_taskswitch takes away. */
static bool give_back_fpu(struct trap_frame *frame)
{
    HYPERVISOR_fpu_taskswitch(0);
    return true;
}

void install_traps(void)
{
    for (unsigned int vector = 0; vector < 20; vector++)
        if (vector != TRAP_NM && vector != 2)
            trap_set_handler(vector, give_up);
    trap_set_handler(TRAP_NM, give_back_fpu);
    trap_set_handler(TRAP_DB, stop_debugging);
}

static const uint32_t msrs[] = {0x10,       0x1b,       0x174,      0x175,      0x176,      0x1a0,      0x277,
                                0x8b,       0xfe,       0x2ff,      0xc0000080, 0xc0000081, 0xc0000082, 0xc0000084,
                                0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0010015, 0x1d9,      0x48,
                                0x6e0,      0x800,      0xda0,      0x1c4,      0x40000000, 0x122,      0x3a};

static unsigned long counter(struct player *p)
{
    switch (draw(p, 6)) {
    case 0:
        return msrs[draw(p, sizeof(msrs) / sizeof(msrs[0]))];
    case 1:
        return (unsigned long)make_value(p, KIND_selector, 0);
    case 2:
        return (unsigned long)wild(p);
    case 3:
        return draw(p, 32);
    default:
        return (unsigned long)make_value(p, KIND_vaddr, 0);
    }
}

static unsigned long accumulator(struct player *p)
{
    switch (draw(p, 16)) {
    case 0:
        return (unsigned long)wild(p);
    case 1:
        return (unsigned long)p->arena + draw(p, ARENA * PAGE_SIZE + 16);
    case 2:
        return draw(p, 64);
    default: /* an entry of what may be a table, or the middle of one */
        return (unsigned long)playground + draw(p, TABLES) * PAGE_SIZE + draw(p, 512) * 8 +
               (draw(p, 8) ? 0 : draw(p, 8));
    }
}

void misbehave(struct player *p)
{
    unsigned int instruction = draw(p, (uint32_t)risky_instruction_count);
    unsigned long a = accumulator(p), c = counter(p), d = (unsigned long)make_value(p, KIND_pte, 0);

    if (trace_calls)
        pv_printk("fuzz: instruction %u a=%lx c=%lx d=%lx\n", instruction, a, c, d);
    risky_run(risky_instructions[instruction], a, c, d);
}

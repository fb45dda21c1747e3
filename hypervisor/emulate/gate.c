/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Far calls and jumps through the call gates of a 32-bit kernel. In long mode the CPU takes none of them: descriptors
 * are kept with privilege level 0, so that every use raises #GP with the gate's selector, and the target selector's
 * RPL remembers the level that the kernel wanted. Here the transfer is made as a 32-bit CPU would make it.
 */
#include "emulate/emulation.h"
#include "guest_access.h"

#define TYPE_CALL_GATE 0xCU

struct gate {
    u16 selector;
    u8 level, parameters;
    u32 offset;
};

static bool is_far(const struct insn *insn)
{
    if (insn->opcode == 0x9A || insn->opcode == 0xEA)
        return true;
    return insn->opcode == 0xFF && insn->mod != 3 && ((insn->reg & 7) == 3 || (insn->reg & 7) == 5);
}

static bool is_jump(const struct insn *insn)
{
    return insn->opcode == 0xEA || (insn->opcode == 0xFF && (insn->reg & 7) == 5);
}

/* The selector that the instruction names. */
static enum outcome far_selector(struct emulation *e, u16 *selector)
{
    unsigned long linear;
    unsigned size = e->insn.operand_size;

    if (e->insn.opcode != 0xFF) {
        *selector = e->insn.selector;
        return EMULATED;
    }
    u64 offset = insn_address(&e->insn, e->regs, e->next_rip) + size;
    if (operand_linear(e, insn_segment(&e->insn), offset & mask_of(e->insn.address_size), 2, false, &linear) == FAULTED)
        return FAULTED;
    return operand_read(e, linear, selector, 2);
}

static bool read_gate(struct vcpu *v, u16 selector, struct gate *gate, bool *present)
{
    u64 d;

    if (!read_descriptor(v, selector, &d) || (d >> 40 & 0x1F) != TYPE_CALL_GATE || (d >> 45 & 3) != 0)
        return false;
    *gate = (struct gate){
        .selector = (u16)(d >> 16 & 0xFFFC),
        .level = d >> 16 & 3,
        .parameters = d >> 32 & 0x1F,
        .offset = (u32)((d & 0xFFFF) | (d >> 48) << 16),
    };
    *present = d >> 47 & 1;
    return true;
}

static enum outcome fault(unsigned vector, unsigned error_code)
{
    inject_trap(vector, error_code);
    return FAULTED;
}

/* Pushes count words; the last one ends up lowest. */
static enum outcome push(struct emulation *e, u16 ss, u32 *sp, const u32 *words, unsigned count)
{
    struct segment_info info;
    u32 low = *sp - count * 4;

    if (!segment_info(e->v, ss, &info) || !info.present || !info.writable)
        return fault(TRAP_SS, 0);
    for (unsigned i = 0; i < count; i++)
        if (operand_write(e, (u32)(info.base + low + (count - 1 - i) * 4), &words[i], 4) == FAULTED)
            return FAULTED;
    *sp = low;
    return EMULATED;
}

/* To the kernel's stack: the caller's ss:esp, the gate's parameters, cs:eip. */
static enum outcome call_inward(struct emulation *e, const struct gate *gate)
{
    struct cpu_regs *regs = e->regs;
    u32 words[2 + 32 + 2], sp = (u32)e->v->kernel_sp;
    unsigned count = 0;

    words[count++] = regs->ss;
    words[count++] = (u32)regs->rsp;
    for (unsigned i = gate->parameters; i--;) {
        unsigned long linear;
        if (operand_linear(e, SEG_SS, (u32)(regs->rsp + i * 4), 4, false, &linear) == FAULTED ||
            operand_read(e, linear, &words[count++], 4) == FAULTED)
            return FAULTED;
    }
    words[count++] = regs->cs;
    words[count++] = (u32)e->next_rip;
    e->as_kernel = true;
    if (push(e, e->v->kernel_ss, &sp, words, count) == FAULTED)
        return FAULTED;
    regs->ss = e->v->kernel_ss;
    regs->rsp = sp;
    return EMULATED;
}

static enum outcome call_across(struct emulation *e)
{
    u32 words[2] = {e->regs->cs, (u32)e->next_rip}, sp = (u32)e->regs->rsp;

    if (push(e, e->regs->ss, &sp, words, 2) == FAULTED)
        return FAULTED;
    e->regs->rsp = sp;
    return EMULATED;
}

static enum outcome transfer(struct emulation *e, const struct gate *gate)
{
    struct segment_info target;
    struct cpu_regs *regs = e->regs;
    unsigned ring = regs->cs & 3, inner;
    bool conforming;
    u64 d;

    if (!read_descriptor(e->v, gate->selector, &d) || !segment_info(e->v, gate->selector, &target) || !target.code ||
        target.dpl == 0 || target.long_mode)
        return fault(TRAP_GP, gate->selector);
    conforming = d >> 42 & 1;
    if (is_jump(&e->insn) && !conforming ? target.dpl != ring : target.dpl > ring)
        return fault(TRAP_GP, gate->selector);
    if (!target.present)
        return fault(TRAP_NP, gate->selector);
    if (gate->offset > target.limit)
        return fault(TRAP_GP, 0);
    inner = conforming ? ring : target.dpl;
    if (!is_jump(&e->insn) && (inner < ring ? call_inward(e, gate) : call_across(e)) == FAULTED)
        return FAULTED;
    regs->cs = (u16)(gate->selector | inner);
    e->next_rip = gate->offset;
    return EMULATED;
}

bool emulate_call_gate(struct vcpu *v, struct cpu_regs *regs)
{
    struct emulation e;
    struct gate gate;
    u16 selector, wanted = (u16)(regs->error_code & 0xFFFC);
    bool present;

    if (!v->is_32bit || !read_gate(v, wanted, &gate, &present) || gate.level < (regs->cs & 3))
        return false;
    if (!present) {
        inject_trap(TRAP_NP, wanted);
        return true;
    }
    switch (emulation_fetch(&e, v, regs)) {
    case FAULTED:
        return true;
    case NOT_EMULATED:
        return false;
    default:
        break;
    }
    if (!is_far(&e.insn) || e.insn.code_bits == 64)
        return false;
    if (far_selector(&e, &selector) == FAULTED)
        return true;
    if ((selector & 0xFFFC) != wanted || gate.level < (selector & 3))
        return false;
    if (transfer(&e, &gate) == EMULATED)
        emulation_finish(v, regs, e.next_rip);
    return true;
}

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest kernel's write to a page that holds one of its page tables, and which it therefore has mapped read-only. As on
 * Xen a guest has to ask for it by vm_assist, dom0 has not. The instruction is decoded, its result computed and handed
 * to mm/, which validates it like an mmu_update. Every read-modify-write is a compare-exchange against what was read;
 * when that has changed, the guest repeats the instruction.
 */
#include "cpu/cpu.h"
#include "emulate/emulation.h"
#include "guest_access.h"

#define FLAG_CF      0x001UL
#define FLAG_ZF      0x040UL
#define STRING_BURST 128

/* The computed operand and the two values of a compare-exchange. */
struct target {
    unsigned long linear;
    unsigned size;
    u64 old;
};

static enum outcome result_of(struct emulation *e, int rc)
{
    if (rc == 0)
        return EMULATED;
    if (rc != -EAGAIN)
        return NOT_EMULATED;
    e->next_rip = e->regs->rip;
    return EMULATED;
}

static bool faulted_here(const struct target *t, unsigned long fault)
{
    return fault >= t->linear && fault < t->linear + t->size;
}

/* Where the ModRM or offset operand lies. The CPU checked it already: it must be what faulted. */
static void locate(struct emulation *e, struct target *t, s64 displace)
{
    u64 offset = insn_address(&e->insn, e->regs, e->next_rip) + (u64)displace;

    t->linear = segment_linear(e, insn_segment(&e->insn), offset & mask_of(e->insn.address_size));
}

static enum outcome store(struct emulation *e, struct target *t, u64 value)
{
    return result_of(e, ptwr_write(e->v, t->linear, t->size, value & mask_of(t->size), NULL));
}

static enum outcome replace(struct emulation *e, struct target *t, u64 value)
{
    u64 expected = t->old;

    return result_of(e, ptwr_write(e->v, t->linear, t->size, value & mask_of(t->size), &expected));
}

static bool load(struct emulation *e, struct target *t)
{
    t->old = 0;
    return copy_from_guest(&t->old, t->linear, t->size) == 0;
}

/* A modified operand is stored first; flags and registers follow only if that worked at once. */
static enum outcome modify(struct emulation *e, struct target *t, u64 value, u64 flags)
{
    enum outcome outcome = replace(e, t, value);

    if (outcome == EMULATED && e->next_rip != e->regs->rip)
        e->regs->rflags = flags;
    return outcome;
}

static enum outcome arithmetic(struct emulation *e, struct target *t)
{
    const struct insn *insn = &e->insn;
    u64 flags = e->regs->rflags, value;
    bool immediate = insn->opcode >= 0x80;
    unsigned op = immediate ? insn->reg & 7 : insn->opcode >> 3;
    u64 operand = immediate ? insn->immediate : register_read(e->regs, insn->reg, t->size, insn->rex);

    if (op == ALU_CMP)
        return NOT_EMULATED;
    value = alu((enum alu_op)op, t->old, operand, t->size, &flags);
    return modify(e, t, value, flags);
}

static enum outcome unary(struct emulation *e, struct target *t)
{
    unsigned op = e->insn.reg & 7;
    u64 flags = e->regs->rflags, value;

    if (e->insn.opcode >= 0xFE) {
        if (op > 1)
            return NOT_EMULATED;
        value = alu_step(op == 1, t->old, t->size, &flags);
    } else if (op == 2) {
        value = ~t->old;
    } else if (op == 3) {
        value = alu(ALU_SUB, 0, t->old, t->size, &flags);
    } else {
        return NOT_EMULATED;
    }
    return modify(e, t, value, flags);
}

static enum outcome exchange(struct emulation *e, struct target *t)
{
    const struct insn *insn = &e->insn;
    u64 ours = register_read(e->regs, insn->reg, t->size, insn->rex), flags = e->regs->rflags;
    bool add = insn->opcode == 0x1C0 || insn->opcode == 0x1C1;
    u64 value = add ? alu(ALU_ADD, t->old, ours, t->size, &flags) : ours;
    enum outcome outcome = modify(e, t, value, flags);

    if (outcome == EMULATED && e->next_rip != e->regs->rip)
        register_write(e->regs, insn->reg, t->size, insn->rex, t->old);
    return outcome;
}

static enum outcome compare_exchange(struct emulation *e, struct target *t)
{
    const struct insn *insn = &e->insn;
    u64 expected = register_read(e->regs, REG_AX, t->size, 0x40), found = expected, flags = e->regs->rflags;
    int rc = ptwr_write(e->v, t->linear, t->size, register_read(e->regs, insn->reg, t->size, insn->rex), &found);

    if (rc && rc != -EAGAIN)
        return NOT_EMULATED;
    alu(ALU_CMP, expected, found, t->size, &flags);
    e->regs->rflags = flags;
    if (rc)
        register_write(e->regs, REG_AX, t->size, 0x40, found);
    return EMULATED;
}

static enum outcome compare_exchange_8b(struct emulation *e, struct target *t)
{
    struct cpu_regs *r = e->regs;
    u64 found = (u32)r->rax | r->rdx << 32;
    int rc = ptwr_write(e->v, t->linear, 8, (u32)r->rbx | r->rcx << 32, &found);

    if (rc && rc != -EAGAIN)
        return NOT_EMULATED;
    r->rflags = rc ? r->rflags & ~FLAG_ZF : r->rflags | FLAG_ZF;
    if (rc) {
        r->rax = (u32)found;
        r->rdx = found >> 32;
    }
    return EMULATED;
}

/* BTS, BTR, BTC: which they are is in the opcode's or in the reg field's lower two bits. */
static enum outcome bit_operation(struct emulation *e, struct target *t, u64 offset)
{
    unsigned op = e->insn.opcode == 0x1BA ? e->insn.reg & 3 : e->insn.opcode >> 3 & 3;
    u64 bit = 1UL << (offset & (t->size * 8 - 1)), value, flags = e->regs->rflags & ~FLAG_CF;

    if (t->old & bit)
        flags |= FLAG_CF;
    value = op == 1 ? t->old | bit : op == 2 ? t->old & ~bit : t->old ^ bit;
    return modify(e, t, value, flags);
}

static enum outcome bit_by_register(struct emulation *e, struct target *t, unsigned long fault)
{
    u64 raw = register_read(e->regs, e->insn.reg, t->size, e->insn.rex);
    unsigned shift = 64 - t->size * 8;
    s64 offset = (s64)(raw << shift) >> shift;

    /* The bit string reaches beyond the operand in both directions. */
    locate(e, t, (offset >> (t->size == 8 ? 6 : t->size == 4 ? 5 : 4)) * (s64)t->size);
    if (!faulted_here(t, fault) || !load(e, t))
        return NOT_EMULATED;
    return bit_operation(e, t, raw);
}

/* Operands that are read, changed and written. */
static enum outcome read_modify_write(struct emulation *e, struct target *t)
{
    unsigned op = e->insn.opcode;

    if (op == 0x1C7) {
        /* CMPXCHG16B would change two entries at once. */
        if ((e->insn.reg & 7) != 1 || e->insn.operand_size == 8)
            return NOT_EMULATED;
        return compare_exchange_8b(e, t);
    }
    if (op == 0x1B0 || op == 0x1B1)
        return compare_exchange(e, t);
    if (!load(e, t))
        return NOT_EMULATED;
    if (op < 0x38 || (op >= 0x80 && op <= 0x83))
        return arithmetic(e, t);
    if (op == 0x86 || op == 0x87 || op == 0x1C0 || op == 0x1C1)
        return exchange(e, t);
    if (op == 0x1BA)
        return e->insn.reg & 4 && e->insn.reg & 3 ? bit_operation(e, t, e->insn.immediate) : NOT_EMULATED;
    return op == 0xF6 || op == 0xF7 || op >= 0xFE ? unary(e, t) : NOT_EMULATED;
}

static enum outcome string_element(struct emulation *e, unsigned long fault)
{
    unsigned width = e->insn.address_size, size = e->insn.operand_size;
    s64 step = e->regs->rflags & X86_EFLAGS_DF ? -(s64)size : (s64)size;
    struct target t = {.size = size};
    bool move = e->insn.opcode < 0xAA;
    u64 value = register_read(e->regs, REG_AX, size, 0x40);
    unsigned long source;

    t.linear = segment_linear(e, SEG_ES, register_address(e->regs, REG_DI, width));
    if (!faulted_here(&t, fault))
        return NOT_EMULATED;
    if (move) {
        enum segment segment = e->insn.segment == SEG_NONE ? SEG_DS : e->insn.segment;
        value = 0;
        if (operand_linear(e, segment, register_address(e->regs, REG_SI, width), size, false, &source) == FAULTED ||
            operand_read(e, source, &value, size) == FAULTED)
            return FAULTED;
    }
    if (store(e, &t, value) != EMULATED)
        return NOT_EMULATED;
    register_advance(e->regs, REG_DI, width, step);
    if (move)
        register_advance(e->regs, REG_SI, width, step);
    return EMULATED;
}

/* Goes on within the page that faulted; another page faults again. */
static enum outcome string_write(struct emulation *e, unsigned long fault)
{
    unsigned width = e->insn.address_size;
    enum outcome outcome;

    if (!e->insn.repeat)
        return string_element(e, fault);
    for (unsigned i = 0; i < STRING_BURST && register_address(e->regs, REG_CX, width); i++) {
        unsigned long at = segment_linear(e, SEG_ES, register_address(e->regs, REG_DI, width));
        if (i && (at ^ fault) >> PAGE_SHIFT)
            break;
        outcome = string_element(e, i ? at : fault);
        if (outcome == FAULTED || (outcome == NOT_EMULATED && i == 0))
            return outcome;
        if (outcome == NOT_EMULATED)
            break;
        register_advance(e->regs, REG_CX, width, -1);
    }
    if (register_address(e->regs, REG_CX, width))
        e->next_rip = e->regs->rip;
    return EMULATED;
}

static enum outcome write_insn(struct emulation *e, unsigned long fault)
{
    const struct insn *insn = &e->insn;
    struct target t = {.size = insn->operand_size};
    unsigned op = insn->opcode;

    if (op == 0xA4 || op == 0xA5 || op == 0xAA || op == 0xAB)
        return string_write(e, fault);
    if (insn->mod == 3)
        return NOT_EMULATED;
    if (op == 0x1AB || op == 0x1B3 || op == 0x1BB)
        return bit_by_register(e, &t, fault);
    if (op == 0x1C7)
        t.size = 8;
    locate(e, &t, 0);
    if (!faulted_here(&t, fault))
        return NOT_EMULATED;
    switch (op) {
    case 0x88:
    case 0x89:
    case 0x1C3:
        return store(e, &t, register_read(e->regs, insn->reg, t.size, insn->rex));
    case 0xA2:
    case 0xA3:
        return store(e, &t, e->regs->rax);
    case 0xC6:
    case 0xC7:
        return insn->reg & 7 ? NOT_EMULATED : store(e, &t, insn->immediate);
    default:
        return read_modify_write(e, &t);
    }
}

bool emulate_page_table_write(struct vcpu *v, struct cpu_regs *regs, unsigned long address)
{
    struct emulation e;
    enum outcome outcome;

    if (!v->domain->privileged && !(v->domain->vm_assist & 1U << VMASST_TYPE_writable_pagetables))
        return false;
    outcome = emulation_fetch(&e, v, regs);
    if (outcome == EMULATED)
        outcome = write_insn(&e, address);
    if (outcome == EMULATED)
        emulation_finish(v, regs, e.next_rip);
    return outcome != NOT_EMULATED;
}

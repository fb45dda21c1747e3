/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Decoding of the instructions that we carry out, and arithmetic on their operands. Nothing here touches guest memory
 * or the CPU, so all of it runs in host tests.
 */
#ifndef HYPERVISOR_EMULATE_DECODE_H
#define HYPERVISOR_EMULATE_DECODE_H

#include "regs.h"

#define INSN_MAX 15

enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_NONE };

/* Opcodes after 0F are 0x100 and up. */
struct insn {
    u16 opcode;
    u8 length;
    u8 code_bits;    /* of the code segment: 16, 32 or 64 */
    u8 operand_size; /* bytes: 1, 2, 4 or 8 */
    u8 address_size; /* bytes: 2, 4 or 8 */
    u8 rex;
    bool lock, repeat; /* F0; F2 or F3 */
    u8 segment;        /* the override, or SEG_NONE */
    u8 mod, reg, rm;   /* reg and rm with REX's bits */
    s8 base, index;    /* register numbers, -1: none */
    u8 scale;          /* 0 to 3 */
    bool rip_relative;
    s64 displacement; /* also the offset of opcodes A2 and A3 */
    u64 immediate;    /* sign-extended to 64 bits; far pointers: the offset */
    u16 selector;     /* of far pointers */
};

enum decode_result { DECODE_OK, DECODE_MORE, DECODE_UNKNOWN };

/* DECODE_MORE: the instruction goes on behind the bytes there are. DECODE_UNKNOWN: none that we emulate. */
enum decode_result decode_insn(struct insn *insn, const u8 *bytes, unsigned count, unsigned code_bits);

static inline bool insn_is_memory(const struct insn *insn)
{
    return insn->mod != 3;
}

/* Offset of the memory operand in its segment, cut to the address size. next_rip is for RIP-relative ones. */
u64 insn_address(const struct insn *insn, const struct cpu_regs *regs, u64 next_rip);
/* The segment of the memory operand. */
enum segment insn_segment(const struct insn *insn);

u64 mask_of(unsigned size);
u64 register_read(const struct cpu_regs *regs, unsigned number, unsigned size, u8 rex);
/* As the CPU does: 32-bit writes clear the upper half, smaller ones leave the rest. */
void register_write(struct cpu_regs *regs, unsigned number, unsigned size, u8 rex, u64 value);
/* A counter or index register of the instruction's address size. */
u64 register_address(const struct cpu_regs *regs, unsigned number, unsigned address_size);
void register_advance(struct cpu_regs *regs, unsigned number, unsigned address_size, s64 step);

enum alu_op { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
/* Result of `a op b`; the six arithmetic flags of *flags are set. */
u64 alu(enum alu_op op, u64 a, u64 b, unsigned size, u64 *flags);
u64 alu_step(bool down, u64 a, unsigned size, u64 *flags); /* INC, DEC: the carry stays */

enum { REG_AX, REG_CX, REG_DX, REG_BX, REG_SP, REG_BP, REG_SI, REG_DI };

#endif

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Registers by number, and the arithmetic whose result a guest writes to a page table, flags included.
 */
#include "emulate/decode.h"

#define FLAG_CF    0x001UL
#define FLAG_PF    0x004UL
#define FLAG_AF    0x010UL
#define FLAG_ZF    0x040UL
#define FLAG_SF    0x080UL
#define FLAG_OF    0x800UL
#define ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

u64 mask_of(unsigned size)
{
    return size >= 8 ? ~0UL : (1UL << size * 8) - 1;
}

/* rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15 */
static const u8 places[16] = {
    offsetof(struct cpu_regs, rax), offsetof(struct cpu_regs, rcx), offsetof(struct cpu_regs, rdx),
    offsetof(struct cpu_regs, rbx), offsetof(struct cpu_regs, rsp), offsetof(struct cpu_regs, rbp),
    offsetof(struct cpu_regs, rsi), offsetof(struct cpu_regs, rdi), offsetof(struct cpu_regs, r8),
    offsetof(struct cpu_regs, r9),  offsetof(struct cpu_regs, r10), offsetof(struct cpu_regs, r11),
    offsetof(struct cpu_regs, r12), offsetof(struct cpu_regs, r13), offsetof(struct cpu_regs, r14),
    offsetof(struct cpu_regs, r15),
};

static u64 *place_of(const struct cpu_regs *regs, unsigned number)
{
    return (u64 *)((char *)(unsigned long)regs + places[number & 15]);
}

/* Without REX, byte registers 4 to 7 are the second bytes of the first four. */
static bool is_high_byte(unsigned number, unsigned size, u8 rex)
{
    return size == 1 && !rex && number >= 4 && number < 8;
}

u64 register_read(const struct cpu_regs *regs, unsigned number, unsigned size, u8 rex)
{
    if (is_high_byte(number, size, rex))
        return *place_of(regs, number - 4) >> 8 & 0xFF;
    return *place_of(regs, number) & mask_of(size);
}

void register_write(struct cpu_regs *regs, unsigned number, unsigned size, u8 rex, u64 value)
{
    u64 mask = size == 4 ? ~0UL : mask_of(size), *place;

    value &= mask_of(size);
    if (is_high_byte(number, size, rex)) {
        place = place_of(regs, number - 4);
        mask = 0xFF00;
        value <<= 8;
    } else {
        place = place_of(regs, number);
    }
    *place = (*place & ~mask) | value;
}

u64 register_address(const struct cpu_regs *regs, unsigned number, unsigned address_size)
{
    return *place_of(regs, number) & mask_of(address_size);
}

void register_advance(struct cpu_regs *regs, unsigned number, unsigned address_size, s64 step)
{
    u64 value = *place_of(regs, number) + (u64)step;

    register_write(regs, number, address_size, 0x40, value);
}

static u64 result_flags(u64 result, unsigned size)
{
    u64 flags = 0;

    if (!__builtin_parity((unsigned)result & 0xFF))
        flags |= FLAG_PF;
    if (!(result & mask_of(size)))
        flags |= FLAG_ZF;
    if (result >> (size * 8 - 1) & 1)
        flags |= FLAG_SF;
    return flags;
}

static u64 sum_flags(u64 a, u64 b, u64 result, unsigned size, bool carry_in)
{
    u64 flags = (a ^ b ^ result) & FLAG_AF, mask = mask_of(size);

    result &= mask;
    if (carry_in ? result <= (a & mask) : result < (a & mask))
        flags |= FLAG_CF;
    if (((a ^ result) & (b ^ result)) >> (size * 8 - 1) & 1)
        flags |= FLAG_OF;
    return flags;
}

static u64 difference_flags(u64 a, u64 b, u64 result, unsigned size, bool borrow_in)
{
    u64 flags = (a ^ b ^ result) & FLAG_AF, mask = mask_of(size);

    a &= mask;
    b &= mask;
    if (borrow_in ? a <= b : a < b)
        flags |= FLAG_CF;
    if (((a ^ b) & (a ^ result)) >> (size * 8 - 1) & 1)
        flags |= FLAG_OF;
    return flags;
}

u64 alu(enum alu_op op, u64 a, u64 b, unsigned size, u64 *flags)
{
    bool carry = (op == ALU_ADC || op == ALU_SBB) && (*flags & FLAG_CF);
    u64 result, extra = 0;

    switch (op) {
    case ALU_ADD:
    case ALU_ADC:
        result = a + b + carry;
        extra = sum_flags(a, b, result, size, carry);
        break;
    case ALU_SUB:
    case ALU_SBB:
    case ALU_CMP:
        result = a - b - carry;
        extra = difference_flags(a, b, result, size, carry);
        break;
    case ALU_OR:
        result = a | b;
        break;
    case ALU_AND:
        result = a & b;
        break;
    default:
        result = a ^ b;
        break;
    }
    *flags = (*flags & ~ARITHMETIC) | extra | result_flags(result, size);
    return result & mask_of(size);
}

u64 alu_step(bool down, u64 a, unsigned size, u64 *flags)
{
    u64 carry = *flags & FLAG_CF, result = alu(down ? ALU_SUB : ALU_ADD, a, 1, size, flags);

    *flags = (*flags & ~FLAG_CF) | carry;
    return result;
}

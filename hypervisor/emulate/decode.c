/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From bytes to a struct insn: prefixes, opcode, ModRM, SIB, displacement, immediate. An opcode that is not in the
 * table is unknown; the length is right for every one that is.
 */
#include "emulate/decode.h"

#define KNOWN   0x01
#define MODRM   0x02
#define SIZED   0x04 /* operands of one byte when the opcode is even */
#define IMM8    0x08
#define IMMZ    0x10 /* 16 or 32 bits by operand size */
#define OFFSET  0x20 /* an address without ModRM */
#define FAR     0x40
#define CONTROL 0x80 /* moves to and from control and debug registers: always registers, full width */

#define REX_B   1
#define REX_X   2
#define REX_R   4
#define REX_W   8

/* The frequent ones first. A range that is SIZED has byte operands at even opcodes. */
static const struct {
    u16 first;
    u8 count, attributes;
} known[] = {
    {0xFA, 2, KNOWN},                    /* CLI STI */
    {0x120, 4, KNOWN | MODRM | CONTROL}, /* MOV to and from control and debug registers */
    {0x130, 3, KNOWN},                   /* WRMSR RDTSC RDMSR */
    {0x106, 1, KNOWN},                   /* CLTS */
    {0x86, 4, KNOWN | MODRM | SIZED},    /* XCHG, MOV */
    {0xE4, 4, KNOWN | IMM8 | SIZED},     /* IN, OUT by immediate */
    {0xEC, 4, KNOWN | SIZED},            /* IN, OUT by DX */
    {0x6C, 4, KNOWN | SIZED},            /* INS, OUTS */
    {0x109, 1, KNOWN},                   /* WBINVD */
    {0x1A2, 1, KNOWN},                   /* CPUID */
    {0x101, 1, KNOWN | MODRM},           /* XSETBV, RDTSCP */
    {0x1B0, 2, KNOWN | MODRM | SIZED},   /* CMPXCHG */
    {0x1C7, 1, KNOWN | MODRM},           /* CMPXCHG8B */
    {0x1BA, 1, KNOWN | MODRM | IMM8},    /* BTS BTR BTC */
    {0x1AB, 1, KNOWN | MODRM},
    {0x1B3, 1, KNOWN | MODRM},
    {0x1BB, 1, KNOWN | MODRM},
    {0x1C0, 2, KNOWN | MODRM | SIZED}, /* XADD */
    {0x1C3, 1, KNOWN | MODRM},         /* MOVNTI */
    {0x80, 1, KNOWN | MODRM | SIZED | IMM8},
    {0x81, 1, KNOWN | MODRM | IMMZ},
    {0x83, 1, KNOWN | MODRM | IMM8},
    {0xA2, 2, KNOWN | OFFSET | SIZED}, /* MOV to an offset */
    {0xA4, 2, KNOWN | SIZED},          /* MOVS, STOS */
    {0xAA, 2, KNOWN | SIZED},
    {0xC6, 1, KNOWN | MODRM | SIZED | IMM8},
    {0xC7, 1, KNOWN | MODRM | IMMZ},
    {0xF6, 2, KNOWN | MODRM | SIZED}, /* NOT, NEG */
    {0xFE, 2, KNOWN | MODRM | SIZED}, /* INC, DEC */
    {0x9A, 1, KNOWN | FAR},           /* far CALL and JMP */
    {0xEA, 1, KNOWN | FAR},
};

static unsigned attributes_of(unsigned opcode)
{
    if (opcode < 0x38 && (opcode & 7) < 2)
        return KNOWN | MODRM | SIZED; /* ADD OR ADC SBB AND SUB XOR to r/m */
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
        if (opcode - known[i].first < known[i].count)
            return known[i].attributes;
    return 0;
}

struct cursor {
    const u8 *bytes;
    unsigned at, count;
    bool short_of;
};

static u64 take(struct cursor *c, unsigned size)
{
    u64 value = 0;

    if (c->at + size > c->count) {
        c->short_of = true;
        return 0;
    }
    for (unsigned i = 0; i < size; i++)
        value |= (u64)c->bytes[c->at + i] << (i * 8);
    c->at += size;
    return value;
}

static u8 take_byte(struct cursor *c)
{
    if (c->at >= c->count) {
        c->short_of = true;
        return 0;
    }
    return c->bytes[c->at++];
}

static s64 take_signed(struct cursor *c, unsigned size)
{
    u64 value = take(c, size);
    unsigned shift = 64 - size * 8;

    return (s64)(value << shift) >> shift;
}

static bool take_prefix(struct insn *insn, u8 byte, bool *operand, bool *address)
{
    switch (byte) {
    case 0x26:
    case 0x2E:
    case 0x36:
    case 0x3E:
        if (insn->code_bits != 64)
            insn->segment = byte >> 3 & 3;
        break;
    case 0x64:
        insn->segment = SEG_FS;
        break;
    case 0x65:
        insn->segment = SEG_GS;
        break;
    case 0x66:
        *operand = true;
        break;
    case 0x67:
        *address = true;
        break;
    case 0xF0:
        insn->lock = true;
        break;
    case 0xF2:
    case 0xF3:
        insn->repeat = true;
        break;
    default:
        if (insn->code_bits == 64 && (byte & 0xF0) == 0x40) {
            insn->rex = byte;
            return true;
        }
        return false;
    }
    insn->rex = 0; /* only a REX right before the opcode counts */
    return true;
}

/* The opcode's first byte, with all prefixes taken. */
static u8 take_prefixes(struct insn *insn, struct cursor *c)
{
    bool operand = false, address = false;
    u8 byte;

    do
        byte = take_byte(c);
    while (!c->short_of && take_prefix(insn, byte, &operand, &address));
    if (insn->code_bits == 64) {
        insn->operand_size = insn->rex & REX_W ? 8 : operand ? 2 : 4;
        insn->address_size = address ? 4 : 8;
    } else {
        insn->operand_size = (insn->code_bits == 32) != operand ? 4 : 2;
        insn->address_size = (insn->code_bits == 32) != address ? 4 : 2;
    }
    return byte;
}

static void take_address16(struct insn *insn, struct cursor *c)
{
    static const s8 bases[8] = {REG_BX, REG_BX, REG_BP, REG_BP, REG_SI, REG_DI, REG_BP, REG_BX};
    static const s8 indices[8] = {REG_SI, REG_DI, REG_SI, REG_DI, -1, -1, -1, -1};

    if (insn->mod == 0 && insn->rm == 6) {
        insn->displacement = take_signed(c, 2);
        return;
    }
    insn->base = bases[insn->rm & 7];
    insn->index = indices[insn->rm & 7];
    if (insn->mod)
        insn->displacement = take_signed(c, insn->mod == 1 ? 1 : 2);
}

static void take_sib(struct insn *insn, struct cursor *c)
{
    u8 sib = take_byte(c);
    unsigned index = (sib >> 3 & 7) | (insn->rex & REX_X ? 8 : 0);

    insn->scale = sib >> 6;
    if (index != REG_SP)
        insn->index = (s8)index;
    if ((sib & 7) == REG_BP && insn->mod == 0)
        insn->displacement = take_signed(c, 4);
    else
        insn->base = (s8)((sib & 7) | (insn->rex & REX_B ? 8 : 0));
}

static void take_address(struct insn *insn, struct cursor *c)
{
    if ((insn->rm & 7) == REG_SP) {
        take_sib(insn, c);
    } else if (insn->mod == 0 && (insn->rm & 7) == REG_BP) {
        insn->rip_relative = insn->code_bits == 64;
        insn->displacement = take_signed(c, 4);
    } else {
        insn->base = (s8)insn->rm;
    }
    if (insn->mod)
        insn->displacement = take_signed(c, insn->mod == 1 ? 1 : 4);
}

static void take_modrm(struct insn *insn, struct cursor *c, bool control)
{
    u8 modrm = take_byte(c);

    insn->mod = control ? 3 : modrm >> 6;
    insn->reg = (u8)((modrm >> 3 & 7) | (insn->rex & REX_R ? 8 : 0));
    insn->rm = (u8)((modrm & 7) | (insn->rex & REX_B ? 8 : 0));
    if (insn->mod == 3)
        return;
    if (insn->address_size == 2)
        take_address16(insn, c);
    else
        take_address(insn, c);
}

static void take_operands(struct insn *insn, struct cursor *c, unsigned attributes)
{
    if ((attributes & SIZED) && !(insn->opcode & 1))
        insn->operand_size = 1;
    if (attributes & CONTROL)
        insn->operand_size = insn->code_bits == 64 ? 8 : 4;
    if (attributes & MODRM) {
        take_modrm(insn, c, attributes & CONTROL);
        if (insn->opcode == 0x1C3 && insn->operand_size == 2) /* MOVNTI has no form of 16 bits */
            insn->operand_size = 4;
    }
    if (attributes & OFFSET)
        insn->displacement = (s64)take(c, insn->address_size);
    if (attributes & IMM8)
        insn->immediate = (u64)take_signed(c, 1);
    if (attributes & IMMZ)
        insn->immediate = (u64)take_signed(c, insn->operand_size == 2 ? 2 : 4);
    if (attributes & FAR) {
        insn->immediate = take(c, insn->operand_size == 2 ? 2 : 4);
        insn->selector = (u16)take(c, 2);
    }
}

enum decode_result decode_insn(struct insn *insn, const u8 *bytes, unsigned count, unsigned code_bits)
{
    struct cursor c = {bytes, 0, count > INSN_MAX ? INSN_MAX : count, false};
    unsigned attributes;

    *insn = (struct insn){.code_bits = (u8)code_bits, .segment = SEG_NONE, .mod = 0, .base = -1, .index = -1};
    insn->opcode = take_prefixes(insn, &c);
    if (insn->opcode == 0x0F && !c.short_of) {
        insn->opcode = (u16)(0x100 | take_byte(&c));
    }
    attributes = attributes_of(insn->opcode);
    if (!c.short_of) {
        if (!attributes || ((attributes & FAR) && code_bits == 64))
            return DECODE_UNKNOWN;
        take_operands(insn, &c, attributes);
    }
    if (c.short_of)
        return c.count >= INSN_MAX ? DECODE_UNKNOWN : DECODE_MORE;
    /* TEST shares an opcode with NOT and NEG, and has an immediate: it writes nothing, so it is none of ours. */
    if ((insn->opcode == 0xF6 || insn->opcode == 0xF7) && (insn->reg & 7) < 2)
        return DECODE_UNKNOWN;
    insn->length = (u8)c.at;
    return DECODE_OK;
}

u64 insn_address(const struct insn *insn, const struct cpu_regs *regs, u64 next_rip)
{
    u64 address = (u64)insn->displacement;

    if (insn->rip_relative)
        address += next_rip;
    if (insn->base >= 0)
        address += register_read(regs, (unsigned)insn->base, 8, 0x40);
    if (insn->index >= 0)
        address += register_read(regs, (unsigned)insn->index, 8, 0x40) << insn->scale;
    return address & mask_of(insn->address_size);
}

enum segment insn_segment(const struct insn *insn)
{
    if (insn->segment != SEG_NONE)
        return insn->segment;
    return insn->base == REG_SP || insn->base == REG_BP ? SEG_SS : SEG_DS;
}

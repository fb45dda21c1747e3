/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The emulator's decoder beside Zydis: whatever ours accepts, and Zydis calls an instruction, has the same length, sizes,
 * prefixes, memory operand and immediate for both. A difference would let a guest have one thing checked and another
 * done. What ours accepts and a CPU refuses raises a fault before anyone decodes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <Zydis/Zydis.h>
#include "emulate/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *bytes;
static unsigned count;

static void differ(const char *what, long long ours, long long theirs)
{
    fprintf(stderr, "%s: ours %llx, Zydis %llx:", what, ours, theirs);
    for (unsigned i = 0; i < count && i < INSN_MAX; i++)
        fprintf(stderr, " %02x", bytes[i]);
    fprintf(stderr, "\n");
    abort();
}

#define SAME(what, ours, theirs)                                                                                       \
    do {                                                                                                               \
        if ((long long)(ours) != (long long)(theirs))                                                                  \
            differ(what, (long long)(ours), (long long)(theirs));                                                      \
    } while (0)

static int number_of(ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE || reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
        return -1;
    return ZydisRegisterGetId(reg);
}

static void compare_memory(const struct insn *insn, const ZydisDecodedOperand *operand)
{
    /* With 32-bit addresses Zydis 4.0 takes an absent base for R13 when REX.B is set; the manuals ignore that bit. */
    if (insn->base >= 0 || insn->address_size != 4 || operand->mem.base != ZYDIS_REGISTER_R13D)
        SAME("base", insn->base, number_of(operand->mem.base));
    SAME("index", insn->index, number_of(operand->mem.index));
    if (insn->index >= 0)
        SAME("scale", 1 << insn->scale, insn->address_size == 2 ? 1 : operand->mem.scale);
    SAME("displacement", insn->displacement, operand->mem.disp.value);
    SAME("relative to rip", insn->rip_relative,
         operand->mem.base == ZYDIS_REGISTER_RIP || operand->mem.base == ZYDIS_REGISTER_EIP);
    /* A near jump takes a DS prefix for a promise about its target, which nobody carries out here. */
    if (insn->opcode != 0xFF && insn_segment(insn) != (enum segment)ZydisRegisterGetId(operand->mem.segment))
        differ("segment", insn_segment(insn), ZydisRegisterGetId(operand->mem.segment));
}

/* String instructions and those with an offset name their memory otherwise. */
static bool by_modrm(const ZydisDecodedInstruction *theirs)
{
    return theirs->attributes & ZYDIS_ATTRIB_HAS_MODRM;
}

/* Members of a group that no one carries out, whose operands are far pointers, or twice as wide, or tables. */
static bool other_sizes(const struct insn *insn)
{
    return insn->opcode == 0x1C7 || insn->opcode == 0x101 ||
           (insn->opcode >= 0xFE && insn->opcode < 0x100 && (insn->reg & 7) > 1);
}

/* Ports and numbers of bits are bytes without a sign. */
static unsigned immediate_size(const struct insn *insn)
{
    return insn->opcode == 0x1BA || (insn->opcode & ~3u) == 0xE4 ? 1 : insn->operand_size;
}

static void compare(const struct insn *insn, const ZydisDecodedInstruction *theirs, const ZydisDecodedOperand *operands)
{
    unsigned opcode = theirs->opcode | (theirs->opcode_map == ZYDIS_OPCODE_MAP_0F ? 0x100u : 0);

    SAME("length", insn->length, theirs->length);
    SAME("opcode", insn->opcode, opcode);
    SAME("map", theirs->opcode_map <= ZYDIS_OPCODE_MAP_0F, true);
    /* Some register forms of 0F 01 have an address of a fixed size in a register, and none of those is carried out. */
    if (insn->opcode != 0x101 || insn->mod != 3)
        SAME("address size", insn->address_size * 8, theirs->address_width);
    SAME("lock", insn->lock, (theirs->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0);
    for (unsigned i = 0; i < theirs->operand_count; i++) {
        const ZydisDecodedOperand *operand = &operands[i];

        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
            by_modrm(theirs) && operand->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM) {
            SAME("memory", insn_is_memory(insn), true);
            compare_memory(insn, operand);
            if (!other_sizes(insn))
                SAME("operand size", insn->operand_size * 8, operand->size);
        }
        if (operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operand->encoding != ZYDIS_OPERAND_ENCODING_NONE &&
            operand->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
            SAME("immediate", insn->immediate & mask_of(immediate_size(insn)),
                 operand->imm.value.u & mask_of(immediate_size(insn)));
    }
}

static void decode(unsigned code_bits)
{
    static const ZydisMachineMode modes[] = {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
                                             ZYDIS_MACHINE_MODE_LONG_64};
    static const ZydisStackWidth widths[] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64};
    unsigned mode = code_bits == 16 ? 0 : code_bits == 32 ? 1 : 2;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction theirs;
    ZydisDecoder decoder;
    struct insn insn;

    if (decode_insn(&insn, bytes, count, code_bits) != DECODE_OK)
        return;
    if (insn.length == 0 || insn.length > INSN_MAX || insn.length > count)
        abort();
    ZydisDecoderInit(&decoder, modes[mode], widths[mode]);
    if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, count, &theirs, operands)))
        compare(&insn, &theirs, operands);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact;

    if (size < 2)
        return 0;
    count = (unsigned)(size - 1 < 24 ? size - 1 : 24);
    exact = malloc(count);
    memcpy(exact, data + 1, count);
    bytes = exact;
    decode(data[0] % 4 == 0 ? 16 : data[0] % 4 == 1 ? 32 : 64);
    free(exact);
    return 0;
}

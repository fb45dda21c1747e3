/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The emulator's decoder against the assembler, and its arithmetic against the CPU that runs the test. A wrong length
 * would make a guest go on inside an instruction; a wrong flag would send it down the wrong branch.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "emulate/decode.h"
#include "tests/unit/run_suite.h"

/* Each record: one byte with the length, then the instruction as the assembler encodes it. A zero ends the list. */
#define RECORD(insn) ".byte 2f - 1f\n1: " insn "\n2:\n"

extern const u8 cases64[], cases32[], cases16[], unknown64[];

__asm__(
    ".pushsection .rodata\n"
    "cases64:\n" RECORD("mov %rax, (%rbx)") RECORD("mov %r9, 8(%r12)") RECORD("mov %eax, 0x12345678(%rbp,%r14,8)")
        RECORD("mov %ax, (%rip)") RECORD("mov %sil, (%rsp)") RECORD("mov %ah, 1(%rsp)") RECORD("movq $-1, 16(%rdi)")
            RECORD("movl $1, (%rax)") RECORD("movw $1, (%rax)") RECORD("movb $1, (%r13)") RECORD(
                "movabs %al, 0x1122334455667788") RECORD("movabs %rax, 0x1122334455667788") RECORD("xchg %rax, (%rdi)")
                RECORD("xchg %cl, (%rdi)") RECORD("lock cmpxchg %rcx, (%rdi)") RECORD("lock cmpxchg %cl, (%rdi)")
                    RECORD("lock cmpxchg8b (%rdi)") RECORD("lock cmpxchg16b 8(%rdi)") RECORD("lock xadd %rax, (%rsi)")
                        RECORD("lock addq $1, (%rsi)") RECORD("lock orl $0x12345, (%rsi)")
                            RECORD("andw $0x1234, (%rsi)") RECORD("andb $1, 0x40(%rsi)") RECORD("sub %r8, (%r8)")
                                RECORD("sbb %r8, (%r8)") RECORD("adc %dl, (%r8)") RECORD("xor %r8, %fs:(%r8)") RECORD(
                                    "lock btsq $3, (%rdi)") RECORD("lock btr %rax, (%rdi)") RECORD("btc %eax, (%rdi)")
                                    RECORD("notq (%rdi)") RECORD("negb (%rdi)") RECORD("lock incq (%rdi)") RECORD(
                                        "decb (%rdi)") RECORD("movnti %rax, (%rdi)") RECORD("movsb") RECORD("rep movsq")
                                        RECORD("rep stosl") RECORD("stosw") RECORD("movsl %gs:(%rsi), %es:(%rdi)")
                                            RECORD("mov %rax, (%ebx,%ecx,2)") RECORD("mov %eax, 0x1000")
                                                RECORD("in %dx, %al") RECORD("in $0x20, %eax") RECORD("out %ax, %dx")
                                                    RECORD("out %al, $0x80") RECORD("rep insb") RECORD("rep outsl")
                                                        RECORD("outsw") RECORD("cli") RECORD("sti") RECORD("clts")
                                                            RECORD("wbinvd") RECORD("rdmsr") RECORD("wrmsr")
                                                                RECORD("rdtsc") RECORD("rdtscp") RECORD("xsetbv")
                                                                    RECORD("cpuid") RECORD("mov %cr0, %rax")
                                                                        RECORD("mov %r15, %cr4") RECORD("mov %cr8, "
                                                                                                        "%rax") RECORD("mov %db7, %rcx") RECORD("mov %rcx, %db0") RECORD("lidt (%rax)") RECORD("invlpg 0x1000(%rax,%rbx,4)") RECORD("lcall *(%rax)") RECORD(".byte 0x48, 0x66, 0x89, 0x03") RECORD(".byte 0x66, 0x67, 0x66, 0x89, 0x44, 0x24, 0x10") RECORD(".byte 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x48, 0x01, 0x03") ".byte 0\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                        ".code32\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                        "cases32:\n" RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                            "mov %eax, (%ebx)") RECORD("mov %ax, 8(%esp,%ebp,4)") RECORD("movl $1, 0xF5800000")
                                                                                                                                                                                                                                                                                                                                                                                                                                                            RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                "mov %eax, 0x1000")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                RECORD("movb %al, 0x12345678") RECORD("lock cmpxchg8b (%edi)")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                    RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                        "xchg %eax, (%edi)")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                        RECORD("mov %eax, (%bx,%si)") RECORD("mov %eax, 0x1234(%di)") RECORD("mov %eax, 4(%bp)") RECORD("mov %ax, 0x1000") RECORD("addr16 mov %ecx, 0x1000") RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "lock orl $2, %gs:(%eax)") RECORD("andl $~1, 4(%eax)")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                            RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                "btsl $0, (%eax)")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    "btr %ecx, (%eax)")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        "rep movsl") RECORD("rep stosl") RECORD("mov %cr3, %eax") RECORD("mov %eax, %cr0")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "mov %eax, %db6") RECORD("in %dx, %eax") RECORD("outb %al, $0x43")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                "rep insw") RECORD("lcall $0x1234, $0x56789abc")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    "ljmp $0x1234, $0x56789abc")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        "data16 lcall $0x1234, $0x5678") RECORD("lcall *(%eax)")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "rdmsr")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            RECORD("notl (%ecx)") RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                "decw (%ecx)")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    "movw $5, %fs:0x10(%ecx)")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        "xsetbv") ".byte 0\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  ".code16\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "cases16:\n" RECORD("mov %ax, (%bx)") RECORD("mov %eax, (%bx,%di)") RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "mov %al, 0x10(%si)")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      RECORD("mov %ax, 0x1234") RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "movw $5, 0x1234")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              "addr32 mov %ax, (%eax,%ecx,2)") RECORD("in %dx, %al")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "rep movsw")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "movl $5, (%bx)") RECORD("mov %cr0, %eax") ".byte 0\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 ".code64\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 /* Not ours: loads, tests, and what writes no memory that we may write for the guest. */
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 "unknown64:\n" RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                     "mov (%rax), %rbx")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                     RECORD("testl $5, (%rax)") RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         "testb $5, (%rax)")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         RECORD("hlt") RECORD("ud2") RECORD("movaps %xmm0, (%rax)") RECORD("push %rax") RECORD("lea (%rax), %rbx") RECORD(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             ".byte 0x9a, 0, 0, 0, 0, 0, 0") RECORD("vzeroall") RECORD("nop") RECORD("invd") RECORD("rdpmc") ".byte 0\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             ".popsection");

static void check_lengths(const u8 *record, unsigned bits, unsigned at_least)
{
    struct insn insn;
    unsigned count = 0;

    for (; *record; record += 1 + *record, count++) {
        u8 bytes[32];
        memset(bytes, 0x90, sizeof(bytes));
        memcpy(bytes, record + 1, *record);
        ck_assert_msg(decode_insn(&insn, bytes, INSN_MAX, bits) == DECODE_OK, "%u-bit case %u is unknown", bits, count);
        ck_assert_msg(insn.length == *record, "%u-bit case %u: length %u, not %u", bits, count, insn.length, *record);
        for (unsigned part = 0; part < *record; part++)
            ck_assert_msg(decode_insn(&insn, bytes, part, bits) == DECODE_MORE, "%u-bit case %u of %u bytes", bits,
                          count, part);
    }
    ck_assert_uint_ge(count, at_least);
}

/* Bug guarded against: an instruction whose length we get wrong, or whose end in the next page we overlook. */
START_TEST(lengths_agree_with_the_assembler)
{
    check_lengths(cases64, 64, 60);
    check_lengths(cases32, 32, 30);
    check_lengths(cases16, 16, 10);
}
END_TEST

START_TEST(others_are_unknown)
{
    struct insn insn;
    unsigned count = 0;

    for (const u8 *record = unknown64; *record; record += 1 + *record, count++) {
        u8 bytes[32] = {0};
        memcpy(bytes, record + 1, *record);
        ck_assert_msg(decode_insn(&insn, bytes, INSN_MAX, 64) == DECODE_UNKNOWN, "case %u is known", count);
    }
    ck_assert_uint_eq(count, 13);
}
END_TEST

/* Bug guarded against: fifteen prefixes without an opcode ask for more bytes for ever. */
START_TEST(fifteen_bytes_are_the_end)
{
    u8 bytes[16];
    struct insn insn;

    memset(bytes, 0x66, sizeof(bytes));
    ck_assert_int_eq(decode_insn(&insn, bytes, 15, 64), DECODE_UNKNOWN);
    bytes[14] = 0x89;
    ck_assert_int_eq(decode_insn(&insn, bytes, 15, 64), DECODE_UNKNOWN);
}
END_TEST

/* Bug guarded against: MOVNTI, which has no 16-bit form, writes half of what a 16-bit code segment asks for. */
START_TEST(movnti_writes_32_bits_at_least)
{
    static const u8 bytes[] = {0x0F, 0xC3, 0x64, 0x22};
    struct insn insn;

    ck_assert_int_eq(decode_insn(&insn, bytes, sizeof(bytes), 16), DECODE_OK);
    ck_assert_uint_eq(insn.operand_size, 4);
}
END_TEST

START_TEST(random_bytes_stay_within_bounds)
{
    struct insn insn;
    unsigned known = 0;

    srand(1);
    for (unsigned i = 0; i < 400000; i++) {
        unsigned count = (unsigned)rand() % (INSN_MAX + 1);
        u8 *bytes = malloc(count ? count : 1); /* so that the sanitizer sees a read past the end */
        for (unsigned j = 0; j < count; j++)
            bytes[j] = (u8)rand();
        unsigned bits = 16U << rand() % 3;
        if (decode_insn(&insn, bytes, count, bits) == DECODE_OK) {
            struct cpu_regs regs;
            memset(&regs, rand(), sizeof(regs));
            known++;
            ck_assert_uint_le(insn.length, count);
            ck_assert_uint_le(insn_address(&insn, &regs, 0), mask_of(insn.address_size));
            ck_assert_uint_lt(insn_segment(&insn), SEG_NONE);
        }
        free(bytes);
    }
    ck_assert_uint_gt(known, 5000);
}
END_TEST

static u64 address_of(const char *bytes, unsigned size, unsigned bits, const struct cpu_regs *regs,
                      enum segment *segment)
{
    struct insn insn;

    ck_assert_int_eq(decode_insn(&insn, (const u8 *)bytes, size, bits), DECODE_OK);
    *segment = insn_segment(&insn);
    return insn_address(&insn, regs, 0x400000 + insn.length);
}

START_TEST(addresses)
{
    struct cpu_regs r = {.rax = 0x1000,
                         .rbx = 0xFFFFFFFFFFFFF000,
                         .rsp = 0x7000,
                         .rbp = 0x8000,
                         .r12 = 0x12000,
                         .r13 = 0x13000,
                         .rsi = 0x100FFF0,
                         .rdi = 0x20};
    enum segment s;

    ck_assert_uint_eq(address_of("\x48\x89\x44\x24\x08", 5, 64, &r, &s), 0x7008); /* 8(%rsp) */
    ck_assert_int_eq(s, SEG_SS);
    ck_assert_uint_eq(address_of("\x89\x45\xF8", 3, 64, &r, &s), 0x7FF8); /* -8(%rbp) */
    ck_assert_int_eq(s, SEG_SS);
    ck_assert_uint_eq(address_of("\x41\x89\x45\x00", 4, 64, &r, &s), 0x13000); /* (%r13) */
    ck_assert_int_eq(s, SEG_DS);
    ck_assert_uint_eq(address_of("\x41\x89\x04\x24", 4, 64, &r, &s), 0x12000);          /* (%r12) */
    ck_assert_uint_eq(address_of("\x42\x89\x04\xE3", 4, 64, &r, &s), 0x8F000);          /* (%rbx,%r12,8) */
    ck_assert_uint_eq(address_of("\x89\x05\x10\x00\x00\x00", 6, 64, &r, &s), 0x400016); /* 0x10(%rip) */
    ck_assert_uint_eq(address_of("\x67\x89\x03", 3, 64, &r, &s), 0xFFFFF000);           /* (%ebx) */
    ck_assert_uint_eq(address_of("\x89\x04\x25\x00\xF0\xFF\xFF", 7, 64, &r, &s), 0xFFFFFFFFFFFFF000); /* absolute */
    ck_assert_uint_eq(address_of("\x89\x05\x00\x00\x80\xF5", 6, 32, &r, &s), 0xF5800000);             /* absolute */
    ck_assert_uint_eq(address_of("\x67\x89\x40\x10", 4, 32, &r, &s), 0xF000); /* 0x10(%bx,%si): wraps at 64 KiB */
    ck_assert_uint_eq(address_of("\x89\x46\xFE", 3, 16, &r, &s), 0x7FFE);     /* -2(%bp) */
    ck_assert_int_eq(s, SEG_SS);
    ck_assert_uint_eq(address_of("\x65\x89\x46\xFE", 4, 16, &r, &s), 0x7FFE);
    ck_assert_int_eq(s, SEG_GS);
    ck_assert_uint_eq(address_of("\x3E\x89\x03", 3, 64, &r, &s),
                      0xFFFFFFFFFFFFF000); /* ds: means nothing in long mode */
    ck_assert_int_eq(s, SEG_DS);
}
END_TEST

START_TEST(registers)
{
    struct cpu_regs r = {.rax = 0x1122334455667788, .r15 = 5};

    ck_assert_uint_eq(register_read(&r, 4, 1, 0), 0x77); /* ah */
    ck_assert_uint_eq(register_read(&r, 4, 1, 0x40), 0); /* spl */
    register_write(&r, 4, 1, 0, 0xAB);
    ck_assert_uint_eq(r.rax, 0x112233445566AB88);
    register_write(&r, 0, 2, 0, 0x12345);
    ck_assert_uint_eq(r.rax, 0x1122334455662345);
    register_write(&r, 0, 4, 0, 0xFFFFFFFF87654321);
    ck_assert_uint_eq(r.rax, 0x87654321);
    register_write(&r, 15, 8, 0x41, 7);
    ck_assert_uint_eq(r.r15, 7);
    register_advance(&r, 15, 2, -8);
    ck_assert_uint_eq(r.r15, 0xFFFF);
    ck_assert_uint_eq(register_address(&r, 15, 2), 0xFFFF);
    r.rcx = 0x1FFFFFFFF;
    register_advance(&r, REG_CX, 4, 1);
    ck_assert_uint_eq(r.rcx, 0); /* a 32-bit write clears the upper half */
}
END_TEST

#define ARITHMETIC_FLAGS 0x8D5UL
#define LOGIC_FLAGS      (ARITHMETIC_FLAGS & ~0x10UL) /* AF is undefined after a logical operation */

/* One operation of the real CPU with the given flags; the type fixes the operand size. */
#define NATIVE(type, name, insn)                                                                                       \
    static u64 name##_##type(u64 a, u64 b, u64 *flags)                                                                 \
    {                                                                                                                  \
        type x = (type)a, y = (type)b;                                                                                 \
        __asm__("sub $128, %%rsp\n\tpush %1\n\tpopf\n\t" insn " %2, %0\n\tpushf\n\tpop %1\n\tadd $128, %%rsp"          \
                : "+r"(x), "+r"(*flags)                                                                                \
                : "r"(y)                                                                                               \
                : "cc");                                                                                               \
        return x;                                                                                                      \
    }
#define NATIVE_SIZES(name)                                                                                             \
    NATIVE(u8, name, #name) NATIVE(u16, name, #name) NATIVE(u32, name, #name) NATIVE(u64, name, #name)
NATIVE_SIZES(add)
NATIVE_SIZES(or)
NATIVE_SIZES(adc)
NATIVE_SIZES(sbb)
NATIVE_SIZES(and)
NATIVE_SIZES(sub)
NATIVE_SIZES(xor)
NATIVE_SIZES(cmp)

#define ROW(name)                                                                                                      \
    {                                                                                                                  \
        name##_u8, name##_u16, name##_u32, name##_u64                                                                  \
    }
static u64 (*const native[8][4])(u64, u64, u64 *) = {ROW(add), ROW(or),  ROW(adc), ROW(sbb),
                                                     ROW(and), ROW(sub), ROW(xor), ROW(cmp)};

static u64 interesting(void)
{
    static const u64 edges[] = {0,
                                1,
                                0x7F,
                                0x80,
                                0xFF,
                                0x7FFF,
                                0x8000,
                                0xFFFF,
                                0x7FFFFFFF,
                                0x80000000,
                                0xFFFFFFFF,
                                0x7FFFFFFFFFFFFFFF,
                                0x8000000000000000,
                                0xFFFFFFFFFFFFFFFF};

    if (rand() & 1)
        return edges[(unsigned)rand() % (sizeof(edges) / sizeof(edges[0]))];
    return (u64)rand() << 33 ^ (u64)rand() << 11 ^ (u64)rand();
}

START_TEST(arithmetic_agrees_with_the_cpu)
{
    static const unsigned sizes[4] = {1, 2, 4, 8};

    srand(2);
    for (unsigned i = 0; i < 100000; i++) {
        unsigned op = (unsigned)rand() & 7, size = (unsigned)rand() & 3;
        bool logic = op == ALU_OR || op == ALU_AND || op == ALU_XOR;
        u64 a = interesting() & mask_of(sizes[size]), b = interesting(), want = logic ? LOGIC_FLAGS : ARITHMETIC_FLAGS;
        u64 real = 0x202 | ((unsigned)rand() & 1), ours = real;
        u64 expected = native[op][size](a, b, &real), result = alu((enum alu_op)op, a, b, sizes[size], &ours);
        if (op != ALU_CMP)
            ck_assert_msg(result == expected, "op %u size %u: %#lx %#lx gives %#lx, not %#lx", op, sizes[size], a, b,
                          result, expected);
        ck_assert_msg((ours & want) == (real & want), "op %u size %u: %#lx %#lx flags %#lx, not %#lx", op, sizes[size],
                      a, b, ours & want, real & want);
    }
}
END_TEST

START_TEST(steps_keep_the_carry)
{
    u64 flags = 1;

    ck_assert_uint_eq(alu_step(false, 0xFF, 1, &flags), 0);
    ck_assert_uint_eq(flags & 0x41, 0x41);
    flags = 0;
    ck_assert_uint_eq(alu_step(true, 0, 4, &flags), 0xFFFFFFFF);
    ck_assert_uint_eq(flags & 0x81, 0x80);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emulate");
    TCase *decode = tcase_create("decode"), *operands = tcase_create("operands");

    tcase_set_timeout(decode, 60);
    tcase_add_test(decode, lengths_agree_with_the_assembler);
    tcase_add_test(decode, others_are_unknown);
    tcase_add_test(decode, fifteen_bytes_are_the_end);
    tcase_add_test(decode, movnti_writes_32_bits_at_least);
    tcase_add_test(decode, random_bytes_stay_within_bounds);
    tcase_add_test(decode, addresses);
    tcase_add_test(operands, registers);
    tcase_add_test(operands, arithmetic_agrees_with_the_cpu);
    tcase_add_test(operands, steps_keep_the_carry);
    suite_add_tcase(suite, decode);
    suite_add_tcase(suite, operands);
    return run_suite(suite);
}

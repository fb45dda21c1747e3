/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions in the hands of a program, of a 32-bit program under a 64-bit kernel, and of a kernel that is entered
 * anew for each: with every I/O privilege, by hypercall and by the architectural assist, run through and single-stepped.
 * Which exception comes, with which error code, place, flags and DR6, or what the registers are then, is compared with
 * genuine Xen: what a kernel may, its programs may not, and where an emulator asks that once too little it is no fault
 * that anybody sees.
 */
#include <stdio.h>
#include <string.h>
#include <abi/physdev.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"
#include "raw.h"

#define FLAG_FIXED    0x2UL
#define FLAG_TF       0x100UL
#define FLAG_IOPL     12
#define VECTORS       32
#define ENTRY_INT80   32
#define ENTRY_CALLS   33 /* and up: syscall, syscall32, sysenter */
#define CR4_TSD       (1UL << 2)
#define CR4_DE        (1UL << 3)
#define CR4_OSXSAVE   (1UL << 18)
#define DR6_FIXED     0xffff0ff0UL
#define ERROR_VECTORS 0x227d00U

/* How the code is entered: as what, and with which data segment. */
struct way {
    const char *name;
    unsigned int cs, data;
    bool kernel, narrow;
};

static const struct way ways[] = {
#ifdef __x86_64__
    {"program", 0xe033, 0xe02b, false, false},
    {"32-bit program", 0xe023, 0xe02b, false, true},
    {"kernel", 0xe030, 0xe02b, true, false},
#else
    {"program", 0xe02b, 0xe033, false, true},
    {"kernel", 0xe019, 0xe021, true, true},
#endif
};

/* The I/O privilege, by hypercall or by iret; what the kernel chose of CR4 beside it. */
struct setup {
    const char *name;
    unsigned int level;
    bool assist;
    unsigned long cr4;
};

static const struct setup setups[] = {
    {"level 0", 0, false, 0},
    {"level 1, time stamps of the kernel's own", 1, false, CR4_TSD},
    {"level 3, extended state", 3, false, CR4_OSXSAVE},
    {"own level 0, debugging extensions", 0, true, CR4_DE},
    {"own level 3", 3, true, 0},
};

struct candidate {
    uint8_t size, bytes[7];
    bool no_values; /* what it gives is this machine's, or this moment's */
};

static const struct candidate candidates[] = {
    {1, {0x90}, false},
    {1, {0xf4}, false},
    {1, {0xfa}, false},
    {1, {0xfb}, false},
    {1, {0x9c}, false},
    {1, {0x9d}, false},
    {1, {0xcc}, false},
    {1, {0xce}, false},
    {1, {0xf1}, false},
    {2, {0xcd, 0x03}, false},
    {2, {0xcd, 0x04}, false},
    {2, {0xcd, 0x80}, false},
    {1, {0x6c}, false},
    {1, {0x6d}, false},
    {1, {0x6e}, false},
    {1, {0x6f}, false},
    {2, {0xe4, 0x21}, false},
    {2, {0xe5, 0x21}, false},
    {2, {0xe6, 0x21}, false},
    {2, {0xe7, 0x21}, false},
    {1, {0xec}, false},
    {1, {0xed}, false},
    {1, {0xee}, false},
    {1, {0xef}, false},
    {2, {0x0f, 0x05}, false},
    {2, {0x0f, 0x34}, false},
    {2, {0x0f, 0x07}, false},
    {2, {0x0f, 0x35}, false},
    {2, {0x0f, 0x06}, false},
    {2, {0x0f, 0x08}, false},
    {2, {0x0f, 0x09}, false},
    {2, {0x0f, 0x0b}, false},
    {2, {0x0f, 0xff}, false},
    {2, {0x0f, 0xb9}, false},
    {2, {0x0f, 0x37}, false},
    {2, {0x0f, 0xaa}, false},
    {2, {0x0f, 0x30}, false},
    {2, {0x0f, 0x31}, true},
    {2, {0x0f, 0x32}, false},
    {2, {0x0f, 0x33}, false},
    {3, {0x0f, 0x00, 0xc0}, true},
    {3, {0x0f, 0x00, 0xc8}, true},
    {3, {0x0f, 0x00, 0xd0}, false},
    {3, {0x0f, 0x00, 0xd8}, false},
    {3, {0x0f, 0x01, 0x03}, true},
    {3, {0x0f, 0x01, 0x0b}, true},
    {3, {0x0f, 0x01, 0x13}, false},
    {3, {0x0f, 0x01, 0x1b}, false},
    {3, {0x0f, 0x01, 0xe0}, true},
    {3, {0x0f, 0x01, 0xf0}, false},
    {3, {0x0f, 0x01, 0x3b}, false},
    {3, {0x0f, 0x01, 0xf8}, false},
    {3, {0x0f, 0x01, 0xf9}, true},
    {3, {0x0f, 0x01, 0xc1}, false},
    {3, {0x0f, 0x01, 0xc8}, false},
    {3, {0x0f, 0x01, 0xc9}, false},
    {3, {0x0f, 0x01, 0xca}, false},
    {3, {0x0f, 0x01, 0xcb}, false},
    {3, {0x0f, 0x01, 0xd0}, false},
    {3, {0x0f, 0x01, 0xd1}, false},
    {3, {0x0f, 0x01, 0xd9}, false},
    {3, {0x0f, 0x01, 0xee}, false},
    {3, {0x0f, 0x01, 0xef}, false},
    {3, {0x0f, 0xae, 0xc0}, true},
    {3, {0x0f, 0xae, 0xd0}, true},
    {3, {0x0f, 0x20, 0xc0}, true},
    {3, {0x0f, 0x20, 0xd0}, false},
    {3, {0x0f, 0x20, 0xe0}, true},
    {3, {0x0f, 0x20, 0xc8}, false},
    {3, {0x0f, 0x22, 0xc0}, false},
    {3, {0x0f, 0x22, 0xd0}, false},
    {3, {0x0f, 0x21, 0xc0}, false},
    {3, {0x0f, 0x21, 0xe0}, false},
    {3, {0x0f, 0x21, 0xf8}, false},
    {3, {0x0f, 0x23, 0xf8}, false},
    {7, {0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2}, false},
    {7, {0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0x31}, false},
    {2, {0x8e, 0xd0}, false},
    {2, {0x8e, 0xd8}, false},
    {2, {0x8e, 0xe0}, false},
    {2, {0x06, 0x90}, false},
    {2, {0x27, 0x90}, false},
    {2, {0x62, 0x03}, false},
    {2, {0x63, 0xc8}, false},
    {2, {0xff, 0x2b}, false},
    {2, {0xff, 0x1b}, false},
    {2, {0xd9, 0xc0}, false},
};

static const uint8_t prefixes[] = {0, 0x66, 0xf2, 0xf3};

static char kernel_stack[16384] __attribute__((aligned(16)));
static char own_stack[4096] __attribute__((aligned(16)));
static uint8_t *code; /* a page of its own, which programs may reach; its last bytes are the operands */
static uint8_t *operands;

static void enter_here(void)
{
    static struct trap_info table[VECTORS + 2];
    unsigned int count = 0;

    for (unsigned int vector = 0; vector < VECTORS; vector++)
        table[count++] = (struct trap_info){.vector = (uint8_t)vector,
                                            .flags = vector == TRAP_BP || vector == TRAP_OF ? 7 : 4,
                                            .cs = FLAT_KERNEL_CS,
                                            .address = (unsigned long)raw_vectors[vector]};
    table[count] = (struct trap_info){
        .vector = 0x80, .flags = 7, .cs = FLAT_KERNEL_CS, .address = (unsigned long)raw_vectors[ENTRY_INT80]};
    HYPERVISOR_set_trap_table(table);
    HYPERVISOR_stack_switch(FLAT_KERNEL_SS, (unsigned long)kernel_stack + sizeof(kernel_stack));
}

static void set_callbacks(void)
{
    static const uint16_t types[] = {CALLBACKTYPE_syscall, CALLBACKTYPE_syscall32, CALLBACKTYPE_sysenter};

    for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        trap_set_callback(types[i], 0, (void (*)(void))raw_vectors[ENTRY_CALLS + i]);
}

static uint8_t *put_word(uint8_t *at, uint8_t opcode, uint32_t word)
{
    *at = opcode;
    memcpy(at + 1, &word, sizeof(word));
    return at + 1 + sizeof(word);
}

static uint8_t *put_bytes(uint8_t *at, const uint8_t *bytes, unsigned int size)
{
    memcpy(at, bytes, size);
    return at + size;
}

/* Segments and registers, flags, the instruction, then all registers to the stack; where the instruction lies. */
static uint8_t *write_code(const struct way *way, const uint8_t *bytes, unsigned int size, unsigned long flags)
{
    static const uint8_t load[] = {0x8e, 0xd8, 0x8e, 0xc0}; /* to ds and es */
    static const uint8_t save[] = {0x50, 0x52, 0x51, 0x56, 0x57, 0x9c, 0x0f, 0x0b};
    uint32_t place = (uint32_t)(unsigned long)operands;
    uint8_t *at = code, *insn;

    at = put_word(at, 0xb8, way->data);
    at = put_bytes(at, load, sizeof(load));
    at = put_word(at, 0xb8, 1); /* rax: for forced cpuid */
    at = put_word(at, 0xb9, 0);
    at = put_word(at, 0xba, 0x21);
    at = put_word(at, 0xbb, place);
    at = put_word(at, 0xbe, place + 16);
    at = put_word(at, 0xbf, place + 32);
    at = put_word(at, 0x68, (uint32_t)flags);
    *at++ = 0x9d;
    insn = at;
    at = put_bytes(at, bytes, size);
    put_bytes(at, save, sizeof(save));
    return insn;
}

static void enter(const struct way *way, unsigned long flags)
{
    raw_user_cs = way->cs;
    raw_user_ss = way->kernel ? FLAT_KERNEL_SS : way->data;
    raw_vector = ~0UL;
    HYPERVISOR_set_debugreg(7, 0);
    HYPERVISOR_set_debugreg(6, DR6_FIXED);
    raw_user_run(code, own_stack + sizeof(own_stack) - 64, FLAG_FIXED | flags, 0);
    __asm__ volatile("cld");
#ifdef __x86_64__
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es\n\tmov %0, %%fs" : : "r"(0));
#else
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(FLAT_KERNEL_DS));
#endif
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    HYPERVISOR_fpu_taskswitch(0);
}

static unsigned int error_words(void)
{
    return raw_vector < 32 && (ERROR_VECTORS >> raw_vector & 1);
}

/* What it all left: the words that the code has pushed, and the operands. */
static unsigned long long values(const struct way *way)
{
    unsigned int stride = way->narrow ? 4 : sizeof(long);
    unsigned long sp = raw(RAW_SP, 0);
    unsigned long long sum = 0;

    if (sizeof(long) == 4 && way->kernel)
        sp = raw_sp + 3 * 4; /* a frame out of the kernel has no stack of its own */
    for (unsigned int i = 0; i < 6; i++) {
        uint32_t word;

        memcpy(&word, (void *)(sp + i * stride), sizeof(word));
        sum = sum * 0x100000001b3ULL + (i == 1 || i == 2 ? word - (uint32_t)(unsigned long)operands : word);
    }
    for (unsigned int i = 0; i < 64; i++)
        sum = sum * 31 + operands[i];
    return sum;
}

static void attempt(const struct way *way, const struct setup *setup, const struct candidate *candidate, uint8_t prefix,
                    bool step)
{
    static char name[96];
    uint8_t bytes[8] = {prefix}, *insn;
    unsigned int skip = prefix != 0, size = candidate->size + skip, at;
    unsigned long place, outcome_flags;

    memcpy(bytes + skip, candidate->bytes, candidate->size);
    for (unsigned int i = 0; i < 64; i++)
        operands[i] = (uint8_t)(i * 7);
    insn = write_code(way, bytes, size, FLAG_FIXED | (step ? FLAG_TF : 0));
    enter(way, setup->assist ? (unsigned long)setup->level << FLAG_IOPL : 0);
    at = (unsigned int)sprintf(name, "%s, %s,", way->name, setup->name);
    for (unsigned int i = 0; i < size; i++)
        at += (unsigned int)sprintf(name + at, "%s%02x", i ? "" : " ", bytes[i]);
    strcpy(name + at, step ? ", stepped" : ", run");
    place = raw(RAW_IP, (int)error_words()) - (unsigned long)insn;
    outcome_flags = raw(RAW_FLAGS, (int)error_words());
    CHECK_SAME((unsigned long long)raw_vector << 52 | (error_words() ? raw(RAW_ERROR, 0) & 0xfffULL : 0) << 40 |
                   (place & 0x3fULL) << 34 | ((unsigned long)HYPERVISOR_get_debugreg(6) & 0xffffULL) << 18 |
                   (outcome_flags & 0x3ffff),
               name);
    if (step || candidate->no_values || raw_vector != TRAP_UD || place != size + 6)
        return;
    strcpy(name + at, ", registers");
    CHECK_SAME(values(way), name);
}

/* SYSCALL of a 64-bit kernel is a hypercall; SYSENTER, where the processor has it there, leaves it without a stack. */
static bool is_way_out(const struct way *way, const struct candidate *candidate)
{
    return way->kernel && !way->narrow && candidate->bytes[0] == 0x0f &&
           (candidate->bytes[1] == 0x05 || candidate->bytes[1] == 0x34);
}

static void test_setup(const struct setup *setup)
{
    struct physdev_set_iopl op = {.iopl = setup->level};
    unsigned long cr4;

    check_group(setup->name);
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | setup->cr4));
    if (setup->assist)
        HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_architectural_iopl);
    HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &op);
    for (unsigned int w = 0; w < sizeof(ways) / sizeof(ways[0]); w++)
        for (unsigned int i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
            if (is_way_out(&ways[w], &candidates[i]))
                continue;
            for (unsigned int p = 0; p < sizeof(prefixes); p++)
                attempt(&ways[w], setup, &candidates[i], prefixes[p], false);
            attempt(&ways[w], setup, &candidates[i], 0, true);
        }
    HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_architectural_iopl);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

int main(int argc, char **argv)
{
#ifdef __x86_64__
    struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR,
                           .arg1.mfn = virt_to_mfn((void *)(unsigned long)start_info->pt_base)};

    HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
#endif
    check_open_to_programs();
    code = pages_alloc(1);
    operands = code + PAGE_SIZE - 128;
    HYPERVISOR_update_va_mapping((unsigned long)code, pte_make(virt_to_mfn(code), PTE_P | PTE_RW | PTE_US),
                                 UVMF_INVLPG);
    irq_disable();
    enter_here();
    set_callbacks();
    for (unsigned int i = 0; i < sizeof(setups) / sizeof(setups[0]); i++)
        test_setup(&setups[i]);
    traps_register();
    irq_enable();
    CHECK(raw_count > 1000, "programs and kernel were entered and left");
    return check_summary("programs") != 0;
}

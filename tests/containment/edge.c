/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The last page below the hole in the address space. Behind its last byte is no address: whatever ends there, a
 * hypercall, a trap, an instruction that was carried out for us, leaves a return address that no processor can go to.
 * Some refuse it in the hypervisor's own last instruction, where the stack is the guest's already; so each way out must
 * look first, or be ready to fail.
 */
#include <pv/event.h>
#include "../../guest-pv/core/internal.h"
#include "../guests/raw.h"
#include "attack.h"

#define EDGE      0x7ffffffff000UL
#define BEHIND    (EDGE + PAGE_SIZE)
#define EDGE_SLOT 255
#define LAST      511
#define FLAG_TF   0x100UL
#define FLAG_IF   0x200UL
#define KERNEL_CS 0xe030UL
#define USER_CS   0xe033UL

static uint8_t *page; /* what is mapped at EDGE, writable elsewhere */
static pte_t *tables[3];
static char kernel_stack[16384] __attribute__((aligned(16)));
static char user_stack[4096] __attribute__((aligned(16)));

static void map_edge(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = top_mfn()};

    check_group("the last page of the lower half");
    page = pages_alloc(1);
    memset(page, 0x90, PAGE_SIZE);
    for (unsigned int level = 0; level < 3; level++) {
        tables[level] = new_table();
        poke(&tables[level][LAST], pte_make(virt_to_mfn(level ? (void *)tables[level - 1] : page), TABLE_FLAGS));
    }
    CHECK_EQ(mmu_update(entry_of(top_mfn(), EDGE_SLOT), pte_make(virt_to_mfn(tables[2]), TABLE_FLAGS)), 0,
             "can be mapped");
    CHECK_EQ(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), 0, "for user mode too");
    CHECK_EQ(HYPERVISOR_stack_switch(0xe02b, (unsigned long)kernel_stack + sizeof(kernel_stack)), 0,
             "and there is a stack for what comes out of it");
}

static void unmap_edge(void)
{
    CHECK_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, 0), 0, "no tables for user mode");
    CHECK_EQ(mmu_update(entry_of(top_mfn(), EDGE_SLOT), 0), 0, "the page goes");
    for (unsigned int level = 3; level--;)
        drop_table(tables[level]);
    pages_free(page, 1);
}

/* Every exception ends in raw_escape. */
static void gates(bool gone)
{
    static struct trap_info table[34];
    unsigned int used = 0;

    for (unsigned int vector = 0; vector < 32; vector++)
        if (vector != 2 /* NMI */)
            table[used++] = (struct trap_info){
                .vector = (uint8_t)vector, .flags = 7, .cs = 0xe033, .address = (unsigned long)raw_escape};
    table[used++] = (struct trap_info){.vector = 0x80, .flags = 7, .cs = 0xe033, .address = (unsigned long)raw_escape};
    if (gone)
        traps_register();
    else
        HYPERVISOR_set_trap_table(table);
}

/* Places the bytes so that they end where the lower half does, and runs them from `skip` on, up to the first entry into
 * the kernel. */
static void run_last(const void *bytes, unsigned int size, bool user, unsigned long flags, unsigned int skip)
{
    memcpy(page + PAGE_SIZE - size, bytes, size);
    memset(raw_frame, 0x4d, sizeof(raw_frame));
    raw_user_cs = user ? USER_CS : KERNEL_CS;
    irq_disable();
    gates(false);
    raw_user_run((void *)(BEHIND - size + skip), user_stack + sizeof(user_stack), FLAG_IF | 2 | flags, 0);
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    gates(true);
    raw_user_cs = USER_CS;
}

/* With an error code the address is one word further on. */
static bool ended_behind(void)
{
    return raw(RAW_IP, false) == BEHIND || raw(RAW_IP, true) == BEHIND;
}

/* The last instruction is `last` bytes long. */
static void trap_at_the_end(const char *what, const void *bytes, unsigned int size, unsigned int last)
{
    printf("    %s\n", what);
    for (unsigned int user = 0; user < 2; user++) {
        run_last(bytes, size, user, 0, 0);
        CHECK(ended_behind(), "the kernel learns the address, which is none");
        CHECK_EQ(raw(RAW_SP, raw(RAW_IP, true) == BEHIND), (unsigned long)user_stack + sizeof(user_stack),
                 "with the stack as it was");
        run_last(bytes, size, user, FLAG_TF, size - last);
        CHECK(ended_behind(), "stepped through, too");
    }
}

/* SYSCALL takes the address behind itself, whatever that is. The hypercall is made; there is no way back from it. */
static void hypercall_at_the_end(void)
{
    static const uint8_t version[] = {0xb8, 17, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05}; /* xen_version(0) */
    static const uint8_t yield[] = {0xb8, 29, 0, 0, 0, 0x31, 0xff, 0x31, 0xf6, 0x0f, 0x05};

    check_group("a hypercall in its last bytes");
    trap_at_the_end("one that is answered", version, sizeof(version), 2);
    trap_at_the_end("one that leaves the processor", yield, sizeof(yield), 2);
}

static void traps_at_the_end(void)
{
    static const uint8_t int80[] = {0xcd, 0x80}, breakpoint[] = {0xcc},
                         forced[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};

    check_group("traps in its last bytes");
    trap_at_the_end("int 0x80", int80, sizeof(int80), 2);
    trap_at_the_end("int3", breakpoint, sizeof(breakpoint), 1);
    trap_at_the_end("the hypervisor's CPUID", forced, sizeof(forced), 7);
}

/* What is carried out ends behind itself like anything. */
static void emulated_at_the_end(void)
{
    static const uint8_t read_cr0[] = {0x0f, 0x20, 0xc0}, read_efer[] = {0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x32};
    uint8_t write_entry[] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xc6, 0x00, 0x00};
    unsigned long entry = (unsigned long)tables[0];

    memcpy(write_entry + 2, &entry, sizeof(entry));
    check_group("privileged instructions in its last bytes");
    run_last(read_cr0, sizeof(read_cr0), false, 0, 0);
    CHECK(ended_behind(), "a control register");
    run_last(read_efer, sizeof(read_efer), false, 0, 0);
    CHECK(ended_behind(), "a model-specific one");
    run_last(read_cr0, sizeof(read_cr0), false, FLAG_TF, 0);
    CHECK(ended_behind(), "stepped through");
    run_last(write_entry, sizeof(write_entry), false, 0, 0);
    CHECK(ended_behind(), "a write to a page table");
}

/* Instructions that begin in the page and have no end: their bytes are fetched by us, too. */
static void cut_by_the_end(void)
{
    static const uint8_t prefixes[] = {0x0f, 0x48, 0x66, 0xf0, 0xe4, 0x2e, 0x80};
    bool all = true;

    check_group("instructions that do not end");
    for (unsigned int i = 0; i < sizeof(prefixes); i++)
        for (unsigned int user = 0; user < 2; user++) {
            run_last(&prefixes[i], 1, user, 0, 0);
            all = all && (raw(RAW_IP, false) == BEHIND - 1 || raw(RAW_IP, true) == BEHIND - 1);
        }
    CHECK(all, "fault where they begin");
}

/* To go there by iret, both forms of it. */
static void returns_behind(void)
{
    check_group("returns to behind it");
    for (unsigned int user = 0; user < 2; user++) {
        run_last("\x90", 1, user, 0, 1);
        CHECK(ended_behind(), "are a fault of the place");
        run_last("\x90", 1, user, 0x44000 /* NT AC */, 1);
        CHECK(ended_behind(), "with odd flags, too");
    }
}

/* Operands that would go on where no address is, for instructions whose operands we copy. */
static void operands_at_the_end(void)
{
    /* mov $EDGE + 4094, %rdi or %rsi; mov $0x80, %edx; ins or outs, 4 bytes; ud2 */
    uint8_t string[] = {0x48, 0xbf, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0xba, 0x80, 0, 0, 0, 0x6d, 0x0f, 0x0b};
    struct physdev_set_iopl iopl = {.iopl = 1};
    bool all = true;

    check_group("operands that reach over the end");
    HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl);
    for (unsigned int out = 0; out < 2; out++) {
        uint8_t code[64 + sizeof(string)];

        string[1] = out ? 0xbe : 0xbf;
        string[15] = out ? 0x6f : 0x6d;
        memset(code, 0x90, sizeof(code));
        memcpy(code, string, sizeof(string));
        run_last(code, sizeof(code), false, 0, 0);
        all = all && (raw(RAW_IP, true) == BEHIND - sizeof(code) + 15);
    }
    CHECK(all, "fault before a port is touched");
    iopl.iopl = 0;
    HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl);
}

/* SYSCALL switches no stack: what a program has in its stack pointer is a number, whatever it points to. */
static void stack_pointers(void)
{
    static const unsigned long pointers[] = {
        0, 8, BEHIND, HV_START, HV_DATA, HV_DATA + 0x100000, ~7UL, 0x5555555555555555};
    uint8_t code[] = {0x48, 0xbc, 0, 0, 0, 0, 0, 0, 0, 0, 0xb8, 23, 0, 0, 0, 0x0f, 0x05};
    bool all = true;

    check_group("stack pointers of user mode");
    for (unsigned int i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
        memcpy(code + 2, &pointers[i], sizeof(pointers[i]));
        run_last(code, sizeof(code), true, 0, 0);
        all = all && raw(RAW_IP, false) == BEHIND && raw(RAW_SP, false) == pointers[i];
    }
    CHECK(all, "are told, and not used");
}

int main(int argc, char **argv)
{
    map_edge();
    trap_set_callback(CALLBACKTYPE_syscall, 0, raw_escape);
    hypercall_at_the_end();
    traps_at_the_end();
    emulated_at_the_end();
    cut_by_the_end();
    returns_behind();
    operands_at_the_end();
    stack_pointers();
    unmap_edge();
    return check_summary("edge");
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Exceptions: registration, dispatch, recovery, report. Every vector masks upcalls on entry; the iret at the end of
 * the entry path puts the mask back to what the interrupted code had.
 */
#include <errno.h>
#include <setjmp.h>
#include <string.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/traps.h>
#include "internal.h"

/* Freestanding compilers do not know what is special about it. */
int setjmp(jmp_buf) __attribute__((returns_twice));

#define VECTOR_UPCALL   256
#define VECTOR_FAILSAFE 257
#define TRAP_COUNT      32

struct fault_context {
    jmp_buf where;
    struct fault *fault;
    struct fault_context *outer;
};

#ifdef __x86_64__
static const uint8_t hypercall_instruction[] = {0x0f, 0x05}; /* syscall */
#else
static const uint8_t hypercall_instruction[] = {0xcd, 0x82}; /* int $0x82 */
#endif
static volatile bool breaks_hypercall;
static trap_handler_t *handlers[TRAP_COUNT];
static struct fault_context *contexts[XEN_LEGACY_MAX_VCPUS];
static struct trap_info trap_table[256];

static const char *const trap_names[TRAP_COUNT] = {
    [TRAP_DE] = "divide error",         [TRAP_DB] = "debug",
    [TRAP_BP] = "breakpoint",           [TRAP_OF] = "overflow",
    [TRAP_BR] = "bound range",          [TRAP_UD] = "invalid opcode",
    [TRAP_NM] = "device not available", [TRAP_DF] = "double fault",
    [TRAP_TS] = "invalid TSS",          [TRAP_NP] = "segment not present",
    [TRAP_SS] = "stack fault",          [TRAP_GP] = "general protection",
    [TRAP_PF] = "page fault",           [TRAP_MF] = "x87 error",
    [TRAP_AC] = "alignment check",      [TRAP_XM] = "SIMD error",
};

unsigned long trap_cr2(void)
{
    return shared_info->vcpu_info[smp_cpu_id()].arch.cr2;
}

trap_handler_t *trap_set_handler(unsigned int vector, trap_handler_t *handler)
{
    trap_handler_t *before;

    if (vector >= TRAP_COUNT)
        return NULL;
    before = handlers[vector];
    handlers[vector] = handler;
    return before;
}

static void trap_entry_set(struct trap_info *entry, unsigned int vector, unsigned int flags, unsigned long address)
{
    entry->vector = (uint8_t)vector;
    entry->flags = (uint8_t)flags;
    entry->cs = FLAT_KERNEL_CS;
    entry->address = address;
}

int trap_set_gate(unsigned int vector, unsigned int flags, void (*entry)(void))
{
    struct trap_info table[2] = {{0}, {0}};

    if (vector > 255 || flags > (3 | TI_MASK_EVENTS))
        return -1;
    trap_entry_set(&table[0], vector, flags, (unsigned long)entry);
    return (int)pv_error(HYPERVISOR_set_trap_table(table));
}

int trap_set_callback(unsigned int type, unsigned int flags, void (*entry)(void))
{
    struct callback_register callback = {.type = (uint16_t)type, .flags = (uint16_t)flags};

#ifdef __x86_64__
    callback.address = (unsigned long)entry;
#else
    callback.address.cs = FLAT_KERNEL_CS;
    callback.address.eip = (unsigned long)entry;
#endif
    return (int)pv_error(HYPERVISOR_callback_op(CALLBACKOP_register, &callback));
}

void traps_register(void)
{
    unsigned int count = 0;

    for (unsigned int vector = 0; vector < TRAP_COUNT; vector++) {
        bool anyone = vector == TRAP_BP || vector == TRAP_OF;

        if (vector != 2 && trap_entries[vector] != 0)
            trap_entry_set(&trap_table[count++], vector, (anyone ? 3 : 0) | TI_MASK_EVENTS, trap_entries[vector]);
    }
    if (HYPERVISOR_set_trap_table(trap_table) != 0)
        pv_shutdown(SHUTDOWN_crash);
}

void traps_init(void)
{
    traps_register();
    if (trap_set_callback(CALLBACKTYPE_event, CALLBACKF_mask_events, upcall_entry) != 0 ||
        trap_set_callback(CALLBACKTYPE_failsafe, CALLBACKF_mask_events, failsafe_entry) != 0)
        pv_panic("callbacks refused\n");
}

/* Runs in place of the instruction that faulted, upcall mask as it was there. */
static void fault_resume(void)
{
    unsigned int cpu = smp_cpu_id();
    struct fault_context *context = contexts[cpu];

    contexts[cpu] = context->outer;
    longjmp(context->where, 1);
}

bool fault_catch(void (*fn)(void *arg), void *arg, struct fault *fault)
{
    unsigned int cpu = smp_cpu_id();
    struct fault_context context = {.fault = fault, .outer = contexts[cpu]};

    if (setjmp(context.where) != 0)
        return false;
    /* The exception handler reads the context behind the compiler's back. */
    contexts[cpu] = &context;
    __asm__ volatile("" ::: "memory");
    fn(arg);
    __asm__ volatile("" ::: "memory");
    contexts[cpu] = context.outer;
    return true;
}

static bool fault_recover(struct trap_frame *frame)
{
    struct fault_context *context = contexts[smp_cpu_id()];

    if (context == NULL)
        return false;
    if (context->fault != NULL) {
        context->fault->vector = (unsigned int)frame->vector;
        context->fault->error = frame->error;
        context->fault->ip = frame->ip;
        context->fault->address = frame->vector == TRAP_PF ? trap_cr2() : 0;
    }
    frame->ip = (unsigned long)fault_resume;
    frame->flags &= ~0x100UL; /* no single steps in there */
#ifdef __x86_64__
    frame->sp = (frame->sp & -16UL) - 8;
#endif
    return true;
}

#ifdef __x86_64__
void trap_print(const struct trap_frame *frame)
{
    pv_printk("rip %lx cs %x rflags %lx rsp %lx ss %x\n", frame->ip, trap_cs(frame), frame->flags, frame->sp,
              (unsigned int)frame->ss & 0xffff);
    pv_printk("rax %016lx rbx %016lx rcx %016lx\n", frame->ax, frame->bx, frame->cx);
    pv_printk("rdx %016lx rsi %016lx rdi %016lx\n", frame->dx, frame->si, frame->di);
    pv_printk("rbp %016lx r8  %016lx r9  %016lx\n", frame->bp, frame->r8, frame->r9);
    pv_printk("r10 %016lx r11 %016lx r12 %016lx\n", frame->r10, frame->r11, frame->r12);
    pv_printk("r13 %016lx r14 %016lx r15 %016lx\n", frame->r13, frame->r14, frame->r15);
}
#else
void trap_print(const struct trap_frame *frame)
{
    pv_printk("eip %08lx cs %x eflags %08lx esp %08lx\n", frame->ip, trap_cs(frame), frame->flags,
              (unsigned long)&frame->sp);
    pv_printk("eax %08lx ebx %08lx ecx %08lx edx %08lx\n", frame->ax, frame->bx, frame->cx, frame->dx);
    pv_printk("esi %08lx edi %08lx ebp %08lx ds %x es %x\n", frame->si, frame->di, frame->bp,
              (unsigned int)frame->ds & 0xffff, (unsigned int)frame->es & 0xffff);
}
#endif

static _Noreturn void trap_report(const struct trap_frame *frame)
{
    const char *name = frame->vector < TRAP_COUNT ? trap_names[frame->vector] : "failsafe callback: a bad selector";

    pv_printk("\nunexpected exception %lu (%s), error code %lx, vCPU %u\n", frame->vector,
              name != NULL ? name : "reserved", frame->error, smp_cpu_id());
    if (frame->vector == TRAP_PF)
        pv_printk("address %lx, %s\n", trap_cr2(), frame->error & 2 ? "write" : "read or fetch");
    trap_print(frame);
    pv_panic("kernel stopped\n");
}

void event_breaks_hypercall(bool on)
{
    breaks_hypercall = on;
}

/* One that goes on later stands before its instruction again, as does one that has not begun. */
static void break_hypercall(struct trap_frame *frame)
{
    const uint8_t *instruction = (const uint8_t *)frame->ip;

    if (!breaks_hypercall || smp_cpu_id() != 0 ||
        memcmp(instruction, hypercall_instruction, sizeof(hypercall_instruction)) != 0)
        return;
    frame->ip += sizeof(hypercall_instruction);
    frame->ax = (unsigned long)-EAGAIN;
}

static void dispatch(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_UPCALL) {
        event_upcall();
        break_hypercall(frame);
        return;
    }
    if (frame->vector < TRAP_COUNT && handlers[frame->vector] != NULL && handlers[frame->vector](frame))
        return;
    if (!fault_recover(frame))
        trap_report(frame);
}

bool trap_dispatch(struct trap_frame *frame)
{
    static bool flag_taken[XEN_LEGACY_MAX_VCPUS];
    unsigned int cpu = smp_cpu_id();
    bool taken = flag_taken[cpu];

    if (frame->vector == TRAP_NM && frame->ip == (unsigned long)trap_fxsave) {
        flag_taken[cpu] = true;
        return false;
    }
    flag_taken[cpu] = false;
    dispatch(frame);
    return taken;
}

struct probe {
    volatile unsigned long *where;
    unsigned long value;
};

static void probe_load(void *arg)
{
    struct probe *probe = arg;

    probe->value = *probe->where;
}

static void probe_store(void *arg)
{
    struct probe *probe = arg;

    *probe->where = probe->value;
}

bool probe_read(const void *addr, unsigned long *value)
{
    struct probe probe = {.where = (volatile unsigned long *)(uintptr_t)addr};

    if (!fault_catch(probe_load, &probe, NULL))
        return false;
    *value = probe.value;
    return true;
}

bool probe_write(void *addr, unsigned long value)
{
    struct probe probe = {.where = addr, .value = value};

    return fault_catch(probe_store, &probe, NULL);
}

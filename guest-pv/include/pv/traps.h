/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Exceptions. The library registers all vectors; one without a handler prints the registers and crashes the domain.
 */
#ifndef PV_TRAPS_H
#define PV_TRAPS_H

#include <pv/pv.h>

#define TRAP_DE 0
#define TRAP_DB 1
#define TRAP_BP 3
#define TRAP_OF 4
#define TRAP_BR 5
#define TRAP_UD 6
#define TRAP_NM 7
#define TRAP_DF 8
#define TRAP_TS 10
#define TRAP_NP 11
#define TRAP_SS 12
#define TRAP_GP 13
#define TRAP_PF 14
#define TRAP_MF 16
#define TRAP_AC 17
#define TRAP_XM 19

/* In a gate's flags: its handler starts with events masked. */
#define TI_MASK_EVENTS 4U

/*
 * Registers at the exception, as saved on the stack; a handler may change them. `cs` has the upcall mask in bits
 * 16..23 (32-bit) or 32..39 (64-bit): use trap_cs and trap_upcall_mask. In 32-bit mode sp and ss exist only when the
 * exception came from an outer ring.
 */
struct trap_frame {
#ifdef __x86_64__
    unsigned long r15, r14, r13, r12, r11, r10, r9, r8;
    unsigned long bp, di, si, dx, cx, bx, ax;
    unsigned long vector, error;
    unsigned long ip, cs, flags, sp, ss;
#else
    unsigned long gs, fs, es, ds;
    unsigned long di, si, bp, dummy_sp, bx, dx, cx, ax;
    unsigned long vector, error;
    unsigned long ip, cs, flags, sp, ss;
#endif
};

static inline unsigned int trap_cs(const struct trap_frame *frame)
{
    return frame->cs & 0xffff;
}

static inline bool trap_upcall_mask(const struct trap_frame *frame)
{
#ifdef __x86_64__
    return (frame->cs >> 32) & 0xff;
#else
    return (frame->cs >> 16) & 0xff;
#endif
}

/* True: handled, resume at frame->ip. False: go on to fault_catch and then to the crash report. */
typedef bool trap_handler_t(struct trap_frame *frame);

/* Installs a handler (NULL removes) and returns the one before. */
trap_handler_t *trap_set_handler(unsigned int vector, trap_handler_t *handler);

/* Where a vector goes. Flags: the privilege level from which `int n` may raise it, and TI_MASK_EVENTS. */
int trap_set_gate(unsigned int vector, unsigned int flags, void (*entry)(void));

/* Where a callback (CALLBACKTYPE_*) goes. Flags: CALLBACKF_*. */
int trap_set_callback(unsigned int type, unsigned int flags, void (*entry)(void));

/* Address of the last page fault of this vCPU. */
unsigned long trap_cr2(void);

struct fault {
    unsigned int vector;
    unsigned long error, ip, address; /* address: of a page fault */
};

/*
 * Runs fn(arg) and returns true when it came back. When it raised an exception nobody handled, execution continues
 * here: false, and *fault says which. Calls may nest. fn must hold no lock that matters.
 */
bool fault_catch(void (*fn)(void *arg), void *arg, struct fault *fault);

/* Reads or writes one word that may not be there. */
bool probe_read(const void *addr, unsigned long *value);
bool probe_write(void *addr, unsigned long value);

void trap_print(const struct trap_frame *frame);

#endif

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where tracing takes hold. While it is off no instruction of it is executed: entry goes through other gates while it is
 * on, and three calls that are made anyway go through a table of pointers.
 */
#ifndef HYPERVISOR_TRACE_H
#define HYPERVISOR_TRACE_H

#include "domain.h"
#include "abi/sysctl.h"

extern struct trace_calls {
    void (*return_work)(struct cpu_regs *regs); /* entry.S calls it: first */
    void (*context_switch)(struct vcpu *prev, struct vcpu *next) NORETURN;
    int (*enqueue)(struct vcpu *v, ns_t now, bool fresh);
} trace_calls;

void trace_sync(void); /* every CPU, when tracing was switched */
long trace_control(struct xen_sysctl_tbuf_op *op);

/* cpu/desc.c: this CPU's SYSCALL, and the gates of all CPUs, by tracing stubs or plainly. */
void cpu_set_syscall(bool traced);
void cpu_set_gates(bool traced);
const void *cpu_plain_gate(unsigned i); /* where the i-th traced one leads while tracing is off */
extern const u8 traced_vectors[];

#endif

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One instruction being carried out for the current vCPU: where it is, its operands in guest memory, how it ends.
 */
#ifndef HYPERVISOR_EMULATE_EMULATION_H
#define HYPERVISOR_EMULATE_EMULATION_H

#include "emulate.h"
#include "emulate/decode.h"
#include "domain.h"

struct emulation {
    struct vcpu *v;
    struct cpu_regs *regs;
    struct insn insn;
    u64 next_rip;
    bool as_kernel; /* memory is accessed on the kernel's behalf, whatever ring the instruction was in */
};

/* What became of it: carried out or to be repeated as it is; nothing done, so the trap is the guest's; or a fault of
 * the instruction itself has been injected. */
enum outcome { EMULATED, NOT_EMULATED, FAULTED };

/* Reads and decodes the instruction at the guest's rip. */
enum outcome emulation_fetch(struct emulation *e, struct vcpu *v, struct cpu_regs *regs);
/* Moves past an instruction that is done: RF goes, a single step traps. */
void emulation_finish(struct vcpu *v, struct cpu_regs *regs, u64 next_rip);

/* The linear address of size bytes at an offset of a segment. An offset past the limit or a non-canonical address
 * injects #GP or #SS. */
enum outcome operand_linear(struct emulation *e, enum segment which, u64 offset, unsigned size, bool write,
                            unsigned long *linear);
/* A linear address without any check of it. */
unsigned long segment_linear(struct emulation *e, enum segment which, u64 offset);
enum outcome operand_read(struct emulation *e, unsigned long linear, void *to, unsigned size);
enum outcome operand_write(struct emulation *e, unsigned long linear, const void *from, unsigned size);

struct segment_info {
    unsigned long base, limit;
    bool present, code, writable, readable, expand_down, big, long_mode;
    u8 dpl;
};
/* The descriptor that a selector means in the current guest's tables; false: it has none, or a system descriptor. */
bool segment_info(struct vcpu *v, u16 selector, struct segment_info *info);
bool read_descriptor(struct vcpu *v, u16 selector, u64 *descriptor);

/* port_io.c */
enum outcome emulate_port_io(struct emulation *e);
enum outcome emulate_string_io(struct emulation *e);
bool iopl_sufficient(struct vcpu *v, const struct cpu_regs *regs);

#endif

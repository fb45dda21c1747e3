/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Privileged instructions of a deprivileged kernel. What is not carried out here stays the #GP that it raised, as on
 * Xen: HLT, INVLPG, LMSW and the table loads have hypercalls. CLI and STI are accepted with enough virtual IOPL and do
 * nothing, since a POPF could never undo them.
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "emulate/emulation.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

static enum outcome read_tsc(struct emulation *e)
{
    u64 tsc = __builtin_ia32_rdtsc();

    if ((e->v->ctrlreg[4] & CR4_TSD) && !guest_in_kernel(e->v, e->regs))
        return NOT_EMULATED;
    e->regs->rax = (u32)tsc;
    e->regs->rdx = tsc >> 32;
    if (e->insn.opcode == 0x101) {
        if (!cpu_features.rdtscp)
            return NOT_EMULATED;
        e->regs->rcx = (u32)e->v->tsc_aux;
    }
    return EMULATED;
}

static enum outcome read_msr(struct emulation *e)
{
    u64 value;

    if (guest_rdmsr(e->v, (u32)e->regs->rcx, &value))
        return NOT_EMULATED;
    e->regs->rax = (u32)value;
    e->regs->rdx = value >> 32;
    return EMULATED;
}

static enum outcome write_msr(struct emulation *e)
{
    u64 value = (u32)e->regs->rax | e->regs->rdx << 32;

    return guest_wrmsr(e->v, (u32)e->regs->rcx, value) ? NOT_EMULATED : EMULATED;
}

static enum outcome read_control(struct emulation *e)
{
    u64 value;

    if (guest_read_cr(e->v, e->insn.reg, &value))
        return NOT_EMULATED;
    register_write(e->regs, e->insn.rm, e->insn.operand_size, e->insn.rex, value);
    return EMULATED;
}

static enum outcome write_control(struct emulation *e)
{
    u64 value = register_read(e->regs, e->insn.rm, e->insn.operand_size, e->insn.rex);
    int rc = guest_write_cr(e->v, e->insn.reg, value);

    if (rc == -ERESTART)
        e->next_rip = e->regs->rip;
    return rc && rc != -ERESTART ? NOT_EMULATED : EMULATED;
}

static enum outcome invalid_debug_register(long rc)
{
    if (rc != -ENODEV)
        return NOT_EMULATED;
    inject_trap(TRAP_UD, 0);
    return FAULTED;
}

static enum outcome read_debug(struct emulation *e)
{
    u64 value;
    long rc = guest_get_debugreg(e->v, e->insn.reg, &value);

    if (rc)
        return invalid_debug_register(rc);
    register_write(e->regs, e->insn.rm, e->insn.operand_size, e->insn.rex, value);
    return EMULATED;
}

static enum outcome write_debug(struct emulation *e)
{
    long rc =
        guest_set_debugreg(e->v, e->insn.reg, register_read(e->regs, e->insn.rm, e->insn.operand_size, e->insn.rex));

    return rc ? invalid_debug_register(rc) : EMULATED;
}

bool guest_xcr0_ok(u64 value)
{
    if ((value & ~cpu_features.xcr0) || !(value & XCR0_X87))
        return false;
    if ((value & XCR0_AVX) && !(value & XCR0_SSE))
        return false;
    return !(value & XCR0_AVX512) || ((value & XCR0_AVX512) == XCR0_AVX512 && (value & XCR0_AVX));
}

static enum outcome set_xcr0(struct emulation *e)
{
    u64 value = (u32)e->regs->rax | e->regs->rdx << 32;

    if (!(e->v->ctrlreg[4] & CR4_OSXSAVE)) {
        inject_trap(TRAP_UD, 0);
        return FAULTED;
    }
    if ((u32)e->regs->rcx || !guest_xcr0_ok(value) || !guest_in_kernel(e->v, e->regs))
        return NOT_EMULATED;
    e->v->xcr0 = value;
    __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)));
    return EMULATED;
}

static void forced_cpuid(struct vcpu *v, struct cpu_regs *regs)
{
    u32 out[4];

    guest_cpuid(v->domain, (u32)regs->rax, (u32)regs->rcx, out);
    regs->rax = out[0];
    regs->rbx = out[1];
    regs->rcx = out[2];
    regs->rdx = out[3];
}

static enum outcome kernel_insn(struct emulation *e)
{
    switch (e->insn.opcode) {
    case 0x106:
        do_fpu_taskswitch(0);
        return EMULATED;
    case 0x109:
        if (e->v->domain->iopl_trusted)
            __asm__ volatile("wbinvd" ::: "memory");
        return EMULATED;
    case 0x120:
        return read_control(e);
    case 0x121:
        return read_debug(e);
    case 0x122:
        return write_control(e);
    case 0x123:
        return write_debug(e);
    case 0x130:
        return write_msr(e);
    case 0x132:
        return read_msr(e);
    default:
        return NOT_EMULATED;
    }
}

static enum outcome any_insn(struct emulation *e)
{
    u16 opcode = e->insn.opcode;

    if (opcode == 0xFA || opcode == 0xFB)
        return iopl_sufficient(e->v, e->regs) ? EMULATED : NOT_EMULATED;
    if ((opcode & ~3U) == 0x6C) /* INS OUTS */
        return emulate_string_io(e);
    if ((opcode & ~0xBU) == 0xE4) /* IN OUT: E4 to E7, EC to EF */
        return emulate_port_io(e);
    if (opcode == 0x101 && e->insn.mod == 3 && (e->insn.rm & 7) == 1) {
        if ((e->insn.reg & 7) == 2)
            return set_xcr0(e);
        if ((e->insn.reg & 7) == 7)
            return read_tsc(e);
    }
    if (opcode == 0x131)
        return read_tsc(e);
    if (opcode == 0x1A2) {
        forced_cpuid(e->v, e->regs);
        return EMULATED;
    }
    return guest_in_kernel(e->v, e->regs) ? kernel_insn(e) : NOT_EMULATED;
}

/* None of them can be locked; of CLI and STI Xen does not notice. */
static enum outcome locked_insn(struct emulation *e)
{
    if (e->insn.opcode == 0xFA || e->insn.opcode == 0xFB)
        return any_insn(e);
    inject_trap(TRAP_UD, 0);
    return FAULTED;
}

bool emulate_privileged(struct vcpu *v, struct cpu_regs *regs)
{
    struct emulation e;
    enum outcome outcome = emulation_fetch(&e, v, regs);

    if (outcome == EMULATED)
        outcome = e.insn.lock ? locked_insn(&e) : any_insn(&e);
    if (outcome == EMULATED)
        emulation_finish(v, regs, e.next_rip);
    else
        v->breakpoint_hits = 0; /* of a port access whose memory operand faulted */
    return outcome != NOT_EMULATED;
}

/* ud2, "xen", cpuid, as a little-endian number. */
#define FORCED_CPUID 0xA20F6E65780B0FUL
#define FORCED_SIZE  7U

/* One read where the page has room for it. Elsewhere byte by byte, so that an ordinary ud2 at the end of a page does not
 * fault on the next. */
static enum outcome match_forced(struct vcpu *v, unsigned long at)
{
    u64 bytes;
    u8 byte;
    bool fault;

    if ((at & ~PAGE_MASK) <= PAGE_SIZE - sizeof(bytes) &&
        guest_words_ok(v->mm.words_hole, at, sizeof(bytes), v->is_32bit)) {
        __asm__ volatile(GUEST_LOADS GUEST_LOAD("(%[at])", "%[bytes]") GUEST_LOADED
                         : [bytes] "=&r"(bytes), "=@ccc"(fault)
                         : [at] "r"(at)
                         : "memory");
        if (!fault)
            return bytes << 8 == FORCED_CPUID << 8 ? EMULATED : NOT_EMULATED;
    }
    for (unsigned i = 0; i < FORCED_SIZE; i++, at = v->is_32bit ? (u32)(at + 1) : at + 1) {
        if (copy_from_guest(&byte, at, 1)) {
            inject_page_fault(at, 0);
            return FAULTED;
        }
        if (byte != (u8)(FORCED_CPUID >> (i * 8)))
            return NOT_EMULATED;
    }
    return EMULATED;
}

bool emulate_forced(struct vcpu *v, struct cpu_regs *regs)
{
    enum outcome outcome = match_forced(v, regs->rip);

    if (outcome == EMULATED) {
        forced_cpuid(v, regs);
        emulation_finish(v, regs, regs->rip + FORCED_SIZE);
    }
    return outcome != NOT_EMULATED;
}

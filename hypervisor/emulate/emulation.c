/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Instruction bytes and operands of an emulated instruction, through the guest's own segments and page tables. Faults
 * are those that the hardware would raise: at the first byte that is missing, and before anything has changed.
 */
#include "cpu/cpu.h"
#include "emulate/emulation.h"
#include "guest_access.h"

#define DR6_ONES        0xFFFF0FF0UL
#define DR6_SINGLE_STEP 0x4000UL
#define FIRST_OWN_BYTE  0xE000UL /* from here on the GDT is ours */
#define PTE_USER        4UL
#define GDT_LIMIT       0xEFFFUL

bool read_descriptor(struct vcpu *v, u16 selector, u64 *descriptor)
{
    unsigned long window = WINDOWS_START + this_cpu()->cpu * (unsigned long)WINDOW_SIZE;
    unsigned long offset = selector & 0xFFF8;

    if (selector & 4) {
        if (offset / 8 >= v->ldt_entries)
            return false;
        offset += WINDOW_LDT;
    } else if (offset == 0 || offset > GDT_LIMIT || (offset < FIRST_OWN_BYTE && offset / 8 >= v->gdt_entries)) {
        return false;
    }
    return copy_safe(descriptor, (const void *)(window + offset), sizeof(*descriptor)) == 0;
}

bool segment_info(struct vcpu *v, u16 selector, struct segment_info *info)
{
    u64 d;

    if (!read_descriptor(v, selector, &d) || !(d >> 44 & 1))
        return false;
    *info = (struct segment_info){
        .base = (d >> 16 & 0xFFFFFF) | (d >> 56) << 24,
        .limit = (d & 0xFFFF) | (d >> 48 & 0xF) << 16,
        .present = d >> 47 & 1,
        .code = d >> 43 & 1,
        .big = d >> 54 & 1,
        .long_mode = d >> 53 & 1,
        .dpl = d >> 45 & 3,
    };
    info->writable = !info->code && (d >> 41 & 1);
    info->readable = !info->code || (d >> 41 & 1);
    info->expand_down = !info->code && (d >> 42 & 1);
    if (d >> 55 & 1)
        info->limit = info->limit << 12 | 0xFFF;
    return true;
}

/* Width and base of the code segment: the flat ones without a look at the table. 0: it is no code segment. */
static unsigned code_segment(struct vcpu *v, u16 cs, unsigned long *base)
{
    struct segment_info info;

    *base = 0;
    if (!v->is_32bit && cs == GUEST64_CS)
        return 64;
    if (v->is_32bit && (cs == GUEST32_CS || cs == GUEST32_USER_CS))
        return 32;
    if (!segment_info(v, cs, &info) || !info.code || !info.present)
        return 0;
    if (info.long_mode)
        return 64;
    *base = info.base;
    return info.big ? 32 : 16;
}

/* The error code never says that the page is present, as on Xen; inject_page_fault knows the user bit. CR2 still holds
 * the faulting byte's address: nothing of ours has faulted since the copy did. Our own range is refused before that. */
static void page_fault(unsigned long linear, unsigned size, unsigned error_code)
{
    unsigned long address = read_cr2();

    if (address < linear || address >= linear + size || !guest_range_ok(linear, size))
        address = linear;
    inject_page_fault(address, error_code);
}

static bool canonical(unsigned long address)
{
    return (unsigned long)((long)(address << 16) >> 16) == address;
}

static enum outcome fetch_bytes(struct emulation *e, unsigned long linear, u8 *bytes, unsigned size)
{
    if (copy_from_guest(bytes, linear, size) == 0)
        return EMULATED;
    page_fault(linear, size, PFEC_INSN);
    return FAULTED;
}

/* The usual case: all the bytes there can be lie in one page, and are there. 16 are read, one more than counts. */
static bool fetch_at_once(const struct vcpu *v, unsigned long linear, u8 *bytes)
{
    u64 low, high;
    bool fault;

    if ((linear & ~PAGE_MASK) > PAGE_SIZE - 16 || !guest_words_ok(v->mm.words_hole, linear, 16, v->is_32bit))
        return false;
    __asm__ volatile(GUEST_LOADS GUEST_LOAD("(%[at])", "%[low]") GUEST_LOAD("8(%[at])", "%[high]") GUEST_LOADED
                     : [low] "=&r"(low), [high] "=&r"(high), "=@ccc"(fault)
                     : [at] "r"(linear)
                     : "memory");
    ((u64 *)bytes)[0] = low;
    ((u64 *)bytes)[1] = high;
    return !fault;
}

enum outcome emulation_fetch(struct emulation *e, struct vcpu *v, struct cpu_regs *regs)
{
    unsigned long base, linear;
    unsigned code_bits = code_segment(v, regs->cs, &base), first;
    enum decode_result result;
    u8 bytes[16] __attribute__((aligned(8)));

    e->v = v;
    e->regs = regs;
    e->as_kernel = false;
    if (code_bits == 0)
        return NOT_EMULATED;
    linear = code_bits == 64 ? regs->rip : (u32)(base + regs->rip);
    if (!canonical(linear))
        return NOT_EMULATED; /* a jump to where no address is */
    first = (unsigned)MIN(INSN_MAX, PAGE_SIZE - (linear & ~PAGE_MASK));
    if (!fetch_at_once(v, linear, bytes) && fetch_bytes(e, linear, bytes, first) == FAULTED)
        return FAULTED;
    result = decode_insn(&e->insn, bytes, first, code_bits);
    if (result == DECODE_MORE) {
        if (fetch_bytes(e, linear + first, bytes + first, INSN_MAX - first) == FAULTED)
            return FAULTED;
        result = decode_insn(&e->insn, bytes, INSN_MAX, code_bits);
    }
    if (result != DECODE_OK)
        return NOT_EMULATED;
    e->next_rip = regs->rip + e->insn.length;
    if (code_bits != 64)
        e->next_rip &= code_bits == 32 ? 0xFFFFFFFF : 0xFFFF;
    return EMULATED;
}

void emulation_finish(struct vcpu *v, struct cpu_regs *regs, u64 next_rip)
{
    u8 hits = v->breakpoint_hits;

    v->breakpoint_hits = 0;
    if (regs->rip == next_rip && !hits)
        return; /* it goes on, or is tried again */
    regs->rip = next_rip;
    regs->rflags &= ~X86_EFLAGS_RF;
    if ((regs->rflags & X86_EFLAGS_TF) || hits) {
        v->debugreg[6] |= DR6_ONES | hits | (regs->rflags & X86_EFLAGS_TF ? DR6_SINGLE_STEP : 0);
        bounce_trap(regs, TRAP_DB, 0);
    }
}

static u16 selector_of(struct emulation *e, enum segment which)
{
    u16 value = 0;

    switch (which) {
    case SEG_CS:
        return e->regs->cs;
    case SEG_SS:
        return e->regs->ss;
    case SEG_ES:
        __asm__ volatile("mov %%es, %0" : "=r"(value));
        break;
    case SEG_FS:
        __asm__ volatile("mov %%fs, %0" : "=r"(value));
        break;
    case SEG_GS:
        __asm__ volatile("mov %%gs, %0" : "=r"(value));
        break;
    default:
        __asm__ volatile("mov %%ds, %0" : "=r"(value));
        break;
    }
    return value;
}

static unsigned long long_mode_base(enum segment which)
{
    if (which == SEG_FS)
        return rdmsr(MSR_FS_BASE);
    return which == SEG_GS ? rdmsr(MSR_GS_BASE) : 0;
}

unsigned long segment_linear(struct emulation *e, enum segment which, u64 offset)
{
    struct segment_info info;

    if (e->insn.code_bits == 64)
        return long_mode_base(which) + offset;
    if (!segment_info(e->v, selector_of(e, which), &info))
        return offset & 0xFFFFFFFF;
    return (u32)(info.base + offset);
}

static bool within_limit(const struct segment_info *info, u64 offset, unsigned size)
{
    u64 last = offset + size - 1;

    if (info->expand_down)
        return offset > info->limit && last <= (info->big ? 0xFFFFFFFF : 0xFFFF);
    return last <= info->limit;
}

enum outcome operand_linear(struct emulation *e, enum segment which, u64 offset, unsigned size, bool write,
                            unsigned long *linear)
{
    struct segment_info info;

    if (e->insn.code_bits == 64) {
        *linear = long_mode_base(which) + offset;
        if (canonical(*linear) && canonical(*linear + size - 1))
            return EMULATED;
    } else if (segment_info(e->v, selector_of(e, which), &info) && info.present &&
               (write ? info.writable : info.readable) && within_limit(&info, offset, size)) {
        *linear = (u32)(info.base + offset);
        return EMULATED;
    }
    inject_trap(which == SEG_SS ? TRAP_SS : TRAP_GP, 0);
    return FAULTED;
}

/* User code of a 32-bit guest may not reach its kernel's pages by having us copy: those are supervisor-only, which the
 * CPU does not check for us. In 64-bit guests the kernel's pages are not mapped then. */
static bool user_may_access(struct emulation *e, unsigned long linear, unsigned size)
{
    if (!e->v->is_32bit || e->as_kernel || guest_in_kernel(e->v, e->regs))
        return true;
    for (unsigned long page = linear & PAGE_MASK; page < linear + size; page += PAGE_SIZE) {
        maddr_t entry = guest_l1e_address(e->v, page);
        if (!entry || !(READ_ONCE(*(u64 *)maddr_to_virt(entry)) & PTE_USER))
            return false;
    }
    return true;
}

enum outcome operand_read(struct emulation *e, unsigned long linear, void *to, unsigned size)
{
    if (user_may_access(e, linear, size) && copy_from_guest(to, linear, size) == 0)
        return EMULATED;
    page_fault(linear, size, 0);
    return FAULTED;
}

enum outcome operand_write(struct emulation *e, unsigned long linear, const void *from, unsigned size)
{
    if (user_may_access(e, linear, size) && copy_to_guest(linear, from, size) == 0)
        return EMULATED;
    page_fault(linear, size, PFEC_WRITE);
    return FAULTED;
}

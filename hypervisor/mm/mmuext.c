/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mmuext_op: pinning page tables, base registers, TLB flushes, the LDT, and whole-page clears and copies.
 */
#include "internal.h"
#include "cpu/cpu.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

#define MMU_PREEMPTED 0x80000000U
#define LDT_MAX       8192

/* The native shape of struct mmuext_op with its unions' fields by width only; the 32-bit one is three words. */
struct op {
    u32 cmd;
    unsigned long arg1, arg2;
};

static size_t stride(const struct vcpu *v)
{
    return v->is_32bit ? 3 * sizeof(u32) : sizeof(struct op);
}

static int read_op(const struct vcpu *v, struct op *op, unsigned long from)
{
    u32 cmd, arg1, arg2;
    if (unlikely(!guest_words_ok(v->mm.words_hole, from, stride(v), v->is_32bit)))
        return -EFAULT;
    GET_GUEST_WORD(cmd, from, fault);
    op->cmd = cmd;
    if (!v->is_32bit) {
        GET_GUEST_WORD(op->arg1, from + 8, fault);
        GET_GUEST_WORD(op->arg2, from + 16, fault);
        return 0;
    }
    GET_GUEST_WORD(arg1, from + 4, fault);
    GET_GUEST_WORD(arg2, from + 8, fault);
    op->arg1 = arg1;
    op->arg2 = arg2;
    return 0;
fault:
    return -EFAULT;
}

int vcpu_bitmap_to_cpus(struct vcpu *v, unsigned long address, u32 *cpus)
{
    struct domain *d = v->domain;
    unsigned bits = v->is_32bit ? 32 : 64;
    *cpus = 0;
    for (unsigned first = 0; first < d->max_vcpus; first += bits) {
        unsigned long word;
        if (read_guest_long(&word, address, first / bits))
            return -EFAULT;
        for (unsigned i = 0; i < bits && first + i < d->max_vcpus; i++)
            if ((word >> i & 1) && d->vcpus[first + i])
                *cpus |= 1U << d->vcpus[first + i]->processor;
    }
    *cpus &= domain_dirty_mask(d);
    return 0;
}

/* Whether a table is pinned travels with its contents. */
static void pin_changed(mfn_t mfn)
{
    if (unlikely(logging_domains))
        frame_written(mfn);
}

static int pin(struct domain *d, mfn_t mfn, enum frame_type type, bool preemptible)
{
    if (!page_get(mfn, d))
        return -EINVAL;
    int rc = page_get_type(mfn, type, preemptible);
    if (rc) {
        page_put(mfn);
        return rc;
    }
    u64 word = __atomic_fetch_or(&frame_table[mfn.value].word, FW_PINNED, __ATOMIC_SEQ_CST);
    pin_changed(mfn);
    if ((word & FW_PINNED) == 0 && !d->dying)
        return 0;
    if ((word & FW_PINNED) == 0) /* a dying domain's pins are taken back: ours may have come too late for that */
        __atomic_fetch_and(&frame_table[mfn.value].word, ~FW_PINNED, __ATOMIC_SEQ_CST);
    else
        rc = -EINVAL;
    table_release(d, mfn);
    return rc;
}

int mm_pin_root(struct domain *d, mfn_t root)
{
    spin_lock(&d->mm.page_lock);
    int rc = pin(d, root, d->is_32bit ? FRAME_L3 : FRAME_L4, false);
    spin_unlock(&d->mm.page_lock);
    return rc;
}

static int op_pin(struct vcpu *v, struct domain *d, const struct op *op)
{
    static const enum frame_type types[] = {FRAME_L1, FRAME_L2, FRAME_L3, FRAME_L4};
    if (op->cmd == MMUEXT_PIN_L4_TABLE && d->is_32bit)
        return 0;
    spin_lock(&d->mm.page_lock);
    int rc = pin(d, mfn_of(op->arg1), types[op->cmd - MMUEXT_PIN_L1_TABLE], true);
    spin_unlock(&d->mm.page_lock);
    return rc;
}

static int op_unpin(struct vcpu *v, struct domain *d, const struct op *op)
{
    mfn_t mfn = mfn_of(op->arg1);
    int rc = -EINVAL;
    if (!page_get(mfn, d))
        return rc;
    spin_lock(&d->mm.page_lock);
    if (clear_pin(mfn)) {
        pin_changed(mfn);
        table_release(d, mfn);
        rc = 0;
    }
    spin_unlock(&d->mm.page_lock);
    page_put(mfn);
    return rc;
}

static int op_new_base(struct vcpu *v, struct domain *d, const struct op *op)
{
    return mfn_valid(mfn_of(op->arg1)) ? vcpu_set_base(v, mfn_of(op->arg1), false, true) : -EINVAL;
}

static int op_new_user_base(struct vcpu *v, struct domain *d, const struct op *op)
{
    mfn_t mfn = mfn_of(op->arg1 ? op->arg1 : INVALID_FRAME);
    if (op->arg1 && !mfn_valid(mfn))
        return -EINVAL;
    return mfn_equal(mfn, v->mm.user_table) ? 0 : vcpu_set_base(v, mfn, true, true);
}

static int op_flush_local(struct vcpu *v, struct domain *d, const struct op *op)
{
    flush_tlb_local();
    return 0;
}

static int op_invlpg_local(struct vcpu *v, struct domain *d, const struct op *op)
{
    if (guest_address_ok(d, op->arg1))
        flush_tlb_one_local(op->arg1);
    return 0;
}

static int op_set_ldt(struct vcpu *v, struct domain *d, const struct op *op)
{
    unsigned long entries = (u32)op->arg2, base = entries ? op->arg1 : 0;
    if ((base & ~PAGE_MASK) || (!d->is_32bit && !guest_address_ok(d, base)) || entries > LDT_MAX)
        return -EINVAL;
    if (v->ldt_entries == entries && v->ldt_base == base)
        return 0;
    invalidate_ldt(v);
    v->ldt_base = base;
    v->ldt_entries = (u32)entries;
    cpu_load_ldt(v);
    return 0;
}

static int op_clear_page(struct vcpu *v, struct domain *d, const struct op *op)
{
    mfn_t mfn = mfn_of(op->arg1);
    if (page_get_and_type(mfn, d, FRAME_WRITABLE, false))
        return -EINVAL;
    clear_pages(mfn_to_virt(mfn), 0);
    page_put_and_type(mfn);
    return 0;
}

static int op_copy_page(struct vcpu *v, struct domain *d, const struct op *op)
{
    mfn_t to = mfn_of(op->arg1), from = mfn_of(op->arg2);
    int rc = -EINVAL;
    if (!page_get(from, d))
        return rc;
    if (page_get_and_type(to, d, FRAME_WRITABLE, false) == 0) {
        copy_page(mfn_to_virt(to), mfn_to_virt(from));
        page_put_and_type(to);
        rc = 0;
    }
    page_put(from);
    return rc;
}

/* Of the CPUs that the operation names by vCPU, or of all that may have translations of d. */
static int op_flush_cpus(struct vcpu *v, struct domain *d, const struct op *op)
{
    u32 cpus;
    if (op->cmd == MMUEXT_TLB_FLUSH_ALL || op->cmd == MMUEXT_INVLPG_ALL)
        cpus = domain_dirty_mask(d);
    else if (vcpu_bitmap_to_cpus(v, op->arg2, &cpus))
        return -EINVAL;
    if (op->cmd == MMUEXT_TLB_FLUSH_MULTI || op->cmd == MMUEXT_TLB_FLUSH_ALL)
        flush_tlb_mask(cpus);
    else if (guest_address_ok(d, op->arg1))
        flush_tlb_one_mask(cpus, op->arg1);
    return 0;
}

static int op_flush_cache(struct vcpu *v, struct domain *d, const struct op *op)
{
    if (!d->iopl_trusted)
        return op->cmd == MMUEXT_FLUSH_CACHE ? -EACCES : -EINVAL;
    __asm__ volatile("wbinvd" : : : "memory");
    return 0;
}

static int op_superpage(struct vcpu *v, struct domain *d, const struct op *op)
{
    return -EOPNOTSUPP;
}

typedef int operation(struct vcpu *v, struct domain *d, const struct op *op);
static operation *const operations[] = {
    [MMUEXT_PIN_L1_TABLE] = op_pin,
    [MMUEXT_PIN_L2_TABLE] = op_pin,
    [MMUEXT_PIN_L3_TABLE] = op_pin,
    [MMUEXT_PIN_L4_TABLE] = op_pin,
    [MMUEXT_UNPIN_TABLE] = op_unpin,
    [MMUEXT_NEW_BASEPTR] = op_new_base,
    [MMUEXT_TLB_FLUSH_LOCAL] = op_flush_local,
    [MMUEXT_INVLPG_LOCAL] = op_invlpg_local,
    [MMUEXT_TLB_FLUSH_MULTI] = op_flush_cpus,
    [MMUEXT_INVLPG_MULTI] = op_flush_cpus,
    [MMUEXT_TLB_FLUSH_ALL] = op_flush_cpus,
    [MMUEXT_INVLPG_ALL] = op_flush_cpus,
    [MMUEXT_FLUSH_CACHE] = op_flush_cache,
    [MMUEXT_SET_LDT] = op_set_ldt,
    [MMUEXT_NEW_USER_BASEPTR] = op_new_user_base,
    [MMUEXT_CLEAR_PAGE] = op_clear_page,
    [MMUEXT_COPY_PAGE] = op_copy_page,
    [MMUEXT_FLUSH_CACHE_GLOBAL] = op_flush_cache,
    [MMUEXT_MARK_SUPER] = op_superpage,
    [MMUEXT_UNMARK_SUPER] = op_superpage,
};

/* Those that make sense for a domain which is not the caller's: its page tables and pages. The others concern the
 * caller's own CPU state or address space. */
#define BIT_OF(cmd) (1U << (cmd))
#define FOREIGN_OK                                                                                                     \
    (BIT_OF(MMUEXT_PIN_L1_TABLE) | BIT_OF(MMUEXT_PIN_L2_TABLE) | BIT_OF(MMUEXT_PIN_L3_TABLE) |                         \
     BIT_OF(MMUEXT_PIN_L4_TABLE) | BIT_OF(MMUEXT_UNPIN_TABLE) | BIT_OF(MMUEXT_CLEAR_PAGE) | BIT_OF(MMUEXT_COPY_PAGE) | \
     BIT_OF(MMUEXT_MARK_SUPER) | BIT_OF(MMUEXT_UNMARK_SUPER))

static int perform(struct vcpu *v, struct domain *d, const struct op *op)
{
    if (op->cmd >= ARRAY_SIZE(operations) || operations[op->cmd] == NULL)
        return -ENOSYS;
    if (op->cmd == MMUEXT_NEW_USER_BASEPTR && v->is_32bit)
        return -EINVAL;
    if (d != v->domain) {
        if (!(FOREIGN_OK >> op->cmd & 1))
            return -EPERM;
        if (d == NULL && operations[op->cmd] != op_superpage)
            return -EINVAL;
    }
    return operations[nospec_index(op->cmd, ARRAY_SIZE(operations))](v, d, op);
}

static int run_batch(unsigned long uops, unsigned count, struct domain *d, unsigned *done)
{
    struct vcpu *v = current;
    for (*done = 0; *done < count; ++*done) {
        struct op op;
        if (old_table_pending(v) || (*done && hypercall_preempt_check()))
            return -ERESTART;
        if (read_op(v, &op, uops + *done * stride(v)))
            return -EFAULT;
        int rc = perform(v, d, &op);
        if (rc)
            return rc;
    }
    return 0;
}

/* What the hypercall ends with when `left` operations from uops on are not done for the reason rc. */
static long finish(int rc, unsigned long uops, unsigned left, unsigned long pdone, unsigned long foreign)
{
    if (rc == 0 && old_table_pending(current))
        return hypercall_continue(__HYPERVISOR_mmuext_op, 4, 0UL, (unsigned long)MMU_PREEMPTED, 0UL, foreign);
    if (rc != -ERESTART)
        return rc;
    return hypercall_continue(__HYPERVISOR_mmuext_op, 4, uops, (unsigned long)(left | MMU_PREEMPTED), pdone, foreign);
}

static long do_batch(unsigned long uops, unsigned count, unsigned long pdone, unsigned long foreign)
{
    unsigned i = 0;
    u32 done = 0;
    struct vcpu *v = current;
    struct page_owner owner;
    if (unlikely(finish_old_table(v)))
        return hypercall_continue(__HYPERVISOR_mmuext_op, 4, uops, (unsigned long)count, pdone, foreign);
    if (unlikely(count == MMU_PREEMPTED && uops == 0))
        return 0;
    if (unlikely(count & MMU_PREEMPTED)) {
        count &= ~MMU_PREEMPTED;
        if (pdone && copy_from_guest(&done, pdone, sizeof(done)))
            done = 0;
    }
    if (!guest_range_ok(uops, count * stride(v)))
        return -EFAULT;
    int rc = page_owner_get(&owner, foreign & 0xFFFF);
    if (rc)
        return rc;
    struct domain *d = owner.domain;
    if (d == NULL && owner.id == v->domain->id)
        d = v->domain;
    if (d == NULL && !v->domain->privileged) /* the special owners have no tables and no pages to write */
        return -EPERM;
    rc = run_batch(uops, count, d, &i);
    page_owner_put(&owner);
    done += i;
    if (pdone && copy_to_guest(pdone, &done, sizeof(done)))
        done = 0; /* what was done is done, though the caller cannot be told how much */
    return finish(rc, uops + i * stride(v), count - i, pdone, foreign);
}

/* One operation of the caller's own is what nearly every call brings. */
long do_mmuext_op(unsigned long uops, unsigned long count, unsigned long pdone, unsigned long foreign)
{
    struct vcpu *v = current;
    struct op op;
    if ((u32)count != 1 || pdone || (u16)foreign != DOMID_SELF || old_table_pending(v))
        return do_batch(uops, (u32)count, pdone, foreign);
    if (unlikely(read_op(v, &op, uops)))
        return -EFAULT;
    int rc = perform(v, v->domain, &op);
    return likely(rc == 0 && !old_table_pending(v)) ? 0 : finish(rc, uops, 1, 0, foreign);
}

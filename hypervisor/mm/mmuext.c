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
    u32 narrow[3];
    if (!v->is_32bit)
        return copy_from_guest(op, from, sizeof(*op));
    if (copy_from_guest(narrow, from, sizeof(narrow)))
        return -EFAULT;
    *op = (struct op){narrow[0], narrow[1], narrow[2]};
    return 0;
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
    if ((word & FW_PINNED) == 0 && !d->dying)
        return 0;
    if ((word & FW_PINNED) == 0) /* a dying domain's pins are taken back: ours may have come too late for that */
        word = __atomic_fetch_and(&frame_table[mfn.value].word, ~FW_PINNED, __ATOMIC_SEQ_CST);
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

static int op_pin(struct domain *d, const struct op *op)
{
    static const enum frame_type types[] = {FRAME_L1, FRAME_L2, FRAME_L3, FRAME_L4};
    if (op->cmd == MMUEXT_PIN_L4_TABLE && d->is_32bit)
        return 0;
    spin_lock(&d->mm.page_lock);
    int rc = pin(d, mfn_of(op->arg1), types[op->cmd - MMUEXT_PIN_L1_TABLE], true);
    spin_unlock(&d->mm.page_lock);
    return rc;
}

static bool clear_pin(mfn_t mfn)
{
    u64 word = frame_word(mfn);
    do {
        if (!(word & FW_PINNED) || !type_is_table(fw_type(word)))
            return false;
    } while (!frame_swap(mfn, &word, word & ~FW_PINNED));
    return true;
}

static int op_unpin(struct domain *d, mfn_t mfn)
{
    int rc = -EINVAL;
    if (!page_get(mfn, d))
        return rc;
    spin_lock(&d->mm.page_lock);
    if (clear_pin(mfn)) {
        table_release(d, mfn);
        rc = 0;
    }
    spin_unlock(&d->mm.page_lock);
    page_put(mfn);
    return rc;
}

static int op_new_user_base(struct vcpu *v, mfn_t mfn)
{
    if (mfn.value == 0)
        mfn = mfn_of(INVALID_FRAME);
    else if (!mfn_valid(mfn))
        return -EINVAL;
    return mfn_equal(mfn, v->mm.user_table) ? 0 : vcpu_set_base(v, mfn, true, true);
}

static int op_set_ldt(struct vcpu *v, unsigned long base, unsigned long entries)
{
    if ((base & ~PAGE_MASK) || !guest_address_ok(v->domain, base) || entries > LDT_MAX)
        return -EINVAL;
    if (v->ldt_entries == entries && v->ldt_base == base)
        return 0;
    invalidate_ldt(v);
    v->ldt_base = base;
    v->ldt_entries = (u32)entries;
    cpu_load_ldt(v);
    return 0;
}

static int op_clear_page(struct domain *d, mfn_t mfn)
{
    if (page_get_and_type(mfn, d, FRAME_WRITABLE, false))
        return -EINVAL;
    memset(mfn_to_virt(mfn), 0, PAGE_SIZE);
    page_put_and_type(mfn);
    return 0;
}

static int op_copy_page(struct domain *d, mfn_t to, mfn_t from)
{
    int rc = -EINVAL;
    if (!page_get(from, d))
        return rc;
    if (page_get_and_type(to, d, FRAME_WRITABLE, false) == 0) {
        memcpy(mfn_to_virt(to), mfn_to_virt(from), PAGE_SIZE);
        page_put_and_type(to);
        rc = 0;
    }
    page_put(from);
    return rc;
}

static int op_flush_multi(struct vcpu *v, const struct op *op)
{
    u32 cpus;
    if (vcpu_bitmap_to_cpus(v, op->arg2, &cpus))
        return -EINVAL;
    if (op->cmd == MMUEXT_TLB_FLUSH_MULTI)
        flush_tlb_mask(cpus);
    else if (guest_address_ok(v->domain, op->arg1))
        flush_tlb_one_mask(cpus, op->arg1);
    return 0;
}

static void flush_cache(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

/* Operations that concern the caller's own CPU state or address space. */
static int own_op(struct vcpu *v, const struct op *op)
{
    struct domain *d = v->domain;
    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR:
        return mfn_valid(mfn_of(op->arg1)) ? vcpu_set_base(v, mfn_of(op->arg1), false, true) : -EINVAL;
    case MMUEXT_NEW_USER_BASEPTR:
        return op_new_user_base(v, mfn_of(op->arg1));
    case MMUEXT_TLB_FLUSH_LOCAL:
        flush_tlb_local();
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        if (guest_address_ok(d, op->arg1))
            flush_tlb_one_local(op->arg1);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        return op_flush_multi(v, op);
    case MMUEXT_TLB_FLUSH_ALL:
        flush_tlb_mask(domain_dirty_mask(d));
        return 0;
    case MMUEXT_INVLPG_ALL:
        if (guest_address_ok(d, op->arg1))
            flush_tlb_one_mask(domain_dirty_mask(d), op->arg1);
        return 0;
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        if (!d->iopl_trusted)
            return op->cmd == MMUEXT_FLUSH_CACHE ? -EACCES : -EINVAL;
        flush_cache();
        return 0;
    default: /* MMUEXT_SET_LDT */
        return op_set_ldt(v, op->arg1, (u32)op->arg2);
    }
}

static int perform(struct vcpu *v, const struct page_owner *owner, const struct op *op)
{
    struct domain *d = owner->domain ? owner->domain : v->domain;
    if (owner->domain == NULL && owner->id != v->domain->id) {
        d = NULL; /* the special owners have no tables and no pages to write */
        if (op->cmd <= MMUEXT_UNPIN_TABLE || op->cmd == MMUEXT_CLEAR_PAGE || op->cmd == MMUEXT_COPY_PAGE)
            return -EINVAL;
    }
    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
        return op_pin(d, op);
    case MMUEXT_UNPIN_TABLE:
        return op_unpin(d, mfn_of(op->arg1));
    case MMUEXT_CLEAR_PAGE:
        return op_clear_page(d, mfn_of(op->arg1));
    case MMUEXT_COPY_PAGE:
        return op_copy_page(d, mfn_of(op->arg1), mfn_of(op->arg2));
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return -EOPNOTSUPP;
    case MMUEXT_NEW_BASEPTR:
    case MMUEXT_NEW_USER_BASEPTR:
    case MMUEXT_TLB_FLUSH_LOCAL:
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
    case MMUEXT_SET_LDT:
        if (op->cmd == MMUEXT_NEW_USER_BASEPTR && v->is_32bit)
            return -EINVAL;
        return d == v->domain ? own_op(v, op) : -EPERM;
    default:
        return -ENOSYS;
    }
}

static int run_batch(unsigned long uops, unsigned count, struct page_owner *owner, unsigned *done)
{
    struct vcpu *v = current;
    for (*done = 0; *done < count; ++*done) {
        struct op op;
        if (old_table_pending(v) || (*done && hypercall_preempt_check()))
            return -ERESTART;
        if (read_op(v, &op, uops + *done * stride(v)))
            return -EFAULT;
        int rc = perform(v, owner, &op);
        if (rc)
            return rc;
    }
    return 0;
}

long do_mmuext_op(unsigned long uops, unsigned long count_arg, unsigned long pdone, unsigned long foreign)
{
    unsigned count = (u32)count_arg, i = 0;
    u32 done = 0;
    struct page_owner owner;
    int rc = finish_old_table(current);
    if (unlikely(rc))
        return hypercall_continue(__HYPERVISOR_mmuext_op, 4, uops, (unsigned long)count, pdone, foreign);
    if (unlikely(count == MMU_PREEMPTED && uops == 0))
        return 0;
    if (unlikely(count & MMU_PREEMPTED)) {
        count &= ~MMU_PREEMPTED;
        if (pdone && copy_from_guest(&done, pdone, sizeof(done)))
            done = 0;
    }
    if (!guest_range_ok(uops, count * stride(current)))
        return -EFAULT;
    rc = page_owner_get(&owner, foreign & 0xFFFF);
    if (rc)
        return rc;
    if (owner.domain == NULL && owner.id != current->domain->id && !current->domain->privileged)
        return -EPERM;
    rc = run_batch(uops, count, &owner, &i);
    page_owner_put(&owner);
    done += i;
    if (pdone && copy_to_guest(pdone, &done, sizeof(done)))
        done = 0; /* what was done is done, though the caller cannot be told how much */
    if (unlikely(rc == -ERESTART))
        return hypercall_continue(__HYPERVISOR_mmuext_op, 4, uops + i * stride(current),
                                  (unsigned long)((count - i) | MMU_PREEMPTED), pdone, foreign);
    if (unlikely(rc == 0 && old_table_pending(current)))
        return hypercall_continue(__HYPERVISOR_mmuext_op, 4, 0UL, (unsigned long)MMU_PREEMPTED, 0UL, foreign);
    return rc;
}

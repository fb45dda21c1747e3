/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hypercall grant_table_op: batches, and the operations about a table as a whole. What goes wrong with one element
 * of a batch is said in its status (GNTST_*); the call itself fails when it cannot read or write the batch.
 */
#include "grant_internal.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

/* A domain named by the caller, as a status: the caller's own, or any for a privileged one. */
static int find_domain(unsigned domid, struct domain **d)
{
    int error;

    *d = domain_get_remote(domid, &error);
    if (*d)
        return GNTST_okay;
    return error == -EPERM ? GNTST_permission_denied : GNTST_bad_domain;
}

/* Grant lock held: writes the frame numbers of the table, 8-byte ones of the status array. */
static int write_frames(const struct domain_grant *g, unsigned count, bool status, unsigned long list)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned long mfn = virt_to_mfn(status ? (void *)g->status[i] : g->shared[i]).value;
        if (status ? copy_to_guest(list + i * 8, &mfn, 8) : write_guest_long(list, i, mfn))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

/* Grant lock held. */
static int set_up_frames(struct domain *d, unsigned count, unsigned long list)
{
    struct domain_grant *g = &d->grant;

    if (count > g->max_frames) {
        guest_logf(LOG_INFO, "d%u is limited to %u grant table frames, %u wanted\n", d->id, g->max_frames, count);
        return GNTST_general_error;
    }
    if (count > g->frames && grant_grow(d, count))
        return GNTST_general_error;
    return write_frames(g, count, false, list);
}

#define SETUP_LAYOUT  "hwhp"
#define STATUS_LAYOUT "whhp"

static long setup_table(unsigned long va)
{
    struct gnttab_setup_table op;
    struct domain *d;
    int status;

    if (read_guest_struct(&op, va, SETUP_LAYOUT))
        return -EFAULT;
    status = find_domain(op.dom, &d);
    if (!status) {
        spin_lock(&d->grant.lock);
        status = set_up_frames(d, op.nr_frames, (unsigned long)op.frame_list.p);
        spin_unlock(&d->grant.lock);
        domain_put(d);
    }
    op.status = (s16)status;
    return copy_to_guest(va + offsetof(struct gnttab_setup_table, status), &op.status, sizeof(op.status));
}

static long get_status_frames(unsigned long va)
{
    struct gnttab_get_status_frames op;
    struct domain *d;
    int status;

    if (read_guest_struct(&op, va, STATUS_LAYOUT))
        return -EFAULT;
    status = find_domain(op.dom, &d);
    if (!status) {
        spin_lock(&d->grant.lock);
        status = op.nr_frames > d->grant.status_frames
                     ? GNTST_general_error
                     : write_frames(&d->grant, op.nr_frames, true, (unsigned long)op.frame_list.p);
        spin_unlock(&d->grant.lock);
        domain_put(d);
    }
    op.status = (s16)status;
    return copy_to_guest(va + offsetof(struct gnttab_get_status_frames, status), &op.status, sizeof(op.status));
}

static long query_size(unsigned long va)
{
    struct gnttab_query_size op;
    struct domain *d;

    if (copy_from_guest(&op, va, sizeof(op)))
        return -EFAULT;
    op.status = (s16)find_domain(op.dom, &d);
    if (!op.status) {
        op.nr_frames = MAX(d->grant.frames, 1U); /* the first comes into being when it is looked at */
        op.max_nr_frames = d->grant.max_frames;
        domain_put(d);
    }
    return copy_to_guest(va, &op, sizeof(op));
}

static long set_version(unsigned long va)
{
    struct domain *d = current->domain;
    struct gnttab_set_version op;
    long error = -EINVAL;

    if (copy_from_guest(&op, va, sizeof(op)))
        return -EFAULT;
    spin_lock(&d->grant.lock);
    if (op.version == 1 || op.version == 2)
        error = grant_set_version(d, op.version);
    op.version = d->grant.version;
    spin_unlock(&d->grant.lock);
    return copy_to_guest(va, &op, sizeof(op)) ? -EFAULT : error;
}

static long get_version(unsigned long va)
{
    struct gnttab_get_version op;
    struct domain *d;
    int error;

    if (copy_from_guest(&op, va, sizeof(op)))
        return -EFAULT;
    d = domain_get_remote(op.dom, &error);
    if (!d)
        return error;
    op.version = d->grant.version;
    domain_put(d);
    return copy_to_guest(va, &op, sizeof(op));
}

/* Grant lock held. */
static int swap_entries(struct domain_grant *g, unsigned a, unsigned b)
{
    const struct grant_active *of_a, *of_b;

    if (a >= g->entries || b >= g->entries)
        return GNTST_bad_gntref;
    if (a == b)
        return GNTST_okay;
    if (MAX(a, b) >= g->recorded && grant_record(g, MAX(a, b)))
        return GNTST_general_error;
    of_a = grant_active_of(g, a);
    of_b = grant_active_of(g, b);
    if (of_a->uses || of_b->uses)
        return GNTST_eagain;
    if (g->version == 2) {
        union grant_entry_v2 entry = *entry_v2(g, a);
        u16 status = *entry_status(g, a);
        *entry_v2(g, a) = *entry_v2(g, b);
        *entry_status(g, a) = *entry_status(g, b);
        *entry_v2(g, b) = entry;
        *entry_status(g, b) = status;
    } else {
        struct grant_entry_v1 entry = *entry_v1(g, a);
        *entry_v1(g, a) = *entry_v1(g, b);
        *entry_v1(g, b) = entry;
    }
    return GNTST_okay;
}

static long swap_one(unsigned long va)
{
    struct domain_grant *g = &current->domain->grant;
    struct gnttab_swap_grant_ref op;

    if (copy_from_guest(&op, va, sizeof(op)))
        return -EFAULT;
    spin_lock(&g->lock);
    op.status = (s16)swap_entries(g, op.ref_a, op.ref_b);
    spin_unlock(&g->lock);
    return copy_to_guest(va + offsetof(struct gnttab_swap_grant_ref, status), &op.status, sizeof(op.status));
}

static void write_back_cache(const char *from, size_t size)
{
    for (size_t i = 0; i < size; i += 16) /* no line is shorter */
        __asm__ volatile("clflush (%0)" : : "r"(from + i) : "memory");
    __asm__ volatile("clflush (%0)\n\tmfence" : : "r"(from + (size ? size - 1 : 0)) : "memory");
}

/* This architecture cannot drop a cache line without writing it back first. Own pages alone. */
static long flush_one(unsigned long va)
{
    struct gnttab_cache_flush op;
    mfn_t mfn;

    if (copy_from_guest(&op, va, sizeof(op)))
        return -EFAULT;
    if (op.offset >= PAGE_SIZE || (u32)op.offset + op.length > PAGE_SIZE ||
        (op.op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN)))
        return -EINVAL;
    if (op.length == 0 || op.op == 0)
        return 0;
    mfn = mfn_of(op.a.dev_bus_addr >> PAGE_SHIFT);
    if (!mfn_valid(mfn))
        return -EINVAL;
    if (!page_get(mfn, current->domain))
        return -EPERM;
    if (op.op & GNTTAB_CACHE_CLEAN)
        write_back_cache((const char *)mfn_to_virt(mfn) + op.offset, op.length);
    page_put(mfn);
    return op.op & GNTTAB_CACHE_CLEAN ? 0 : -EOPNOTSUPP;
}

/* Elements done so far stay done; the guest's call goes on with the rest. */
static long batch(unsigned long cmd, unsigned long va, u32 count, size_t stride, long (*one)(unsigned long va))
{
    for (u32 i = 0; i < count; i++, va += stride) {
        long error;
        if (i && hypercall_preempt_check())
            return hypercall_continue(__HYPERVISOR_grant_table_op, 3, cmd, va, (unsigned long)(count - i));
        error = one(va);
        if (error)
            return error;
    }
    return 0;
}

static long batch_unmap(unsigned long cmd, unsigned long va, u32 count)
{
    bool replace = cmd == GNTTABOP_unmap_and_replace;

    while (count) {
        long done = grant_unmap_some(va, MIN(count, (u32)UNMAP_BATCH), replace);
        if (done < 0)
            return done;
        count -= (u32)done;
        va += (unsigned long)done * sizeof(struct gnttab_unmap_grant_ref);
        if (count && hypercall_preempt_check())
            return hypercall_continue(__HYPERVISOR_grant_table_op, 3, cmd, va, (unsigned long)count);
    }
    return 0;
}

static long single(unsigned long va, u32 count, long (*one)(unsigned long va))
{
    if (count == 0 && current->is_32bit && (one == setup_table || one == get_status_frames))
        return 0; /* whose lists Xen takes apart before it looks at their lengths */
    return count == 1 ? one(va) : -EINVAL;
}

static __attribute__((noinline)) long other_operation(unsigned long cmd, unsigned long va, u32 count)
{
    switch ((u32)cmd) {
    case GNTTABOP_map_grant_ref:
        return batch(cmd, va, count, sizeof(struct gnttab_map_grant_ref), grant_map_one);
    case GNTTABOP_unmap_grant_ref:
    case GNTTABOP_unmap_and_replace:
        return batch_unmap((u32)cmd, va, count);
    case GNTTABOP_transfer:
        return batch(cmd, va, count, guest_struct_size(TRANSFER_LAYOUT), grant_transfer_one);
    case GNTTABOP_swap_grant_ref:
        return batch(cmd, va, count, sizeof(struct gnttab_swap_grant_ref), swap_one);
    case GNTTABOP_cache_flush:
        return batch(cmd, va, count, sizeof(struct gnttab_cache_flush), flush_one);
    case GNTTABOP_setup_table:
        return single(va, count, setup_table);
    case GNTTABOP_query_size:
        return single(va, count, query_size);
    case GNTTABOP_get_status_frames:
        return single(va, count, get_status_frames);
    case GNTTABOP_set_version: /* these two never looked at the count */
        return set_version(va);
    case GNTTABOP_get_version:
        return get_version(va);
    default:
        return -ENOSYS;
    }
}

long do_grant_table_op(unsigned long cmd, unsigned long va, unsigned long count)
{
    if (unlikely((s32)count < 0 || (u32)cmd >= 1U << 12)) /* the upper bits are for continuations */
        return -EINVAL;
    if (likely((u32)cmd == GNTTABOP_copy))
        return grant_copy(va, (u32)count);
    return other_operation(cmd, va, (u32)count);
}

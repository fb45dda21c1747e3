/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * gnttab_copy: bytes from one page to another, each the caller's own frame or another domain's by grant. Both ends are
 * held by a use of the grant (through a transitive entry: of two) and page references for as long as the copy takes.
 */
#include "grant_internal.h"
#include "guest_access.h"

#define NOINLINE  __attribute__((noinline)) /* keeps the common path's frame small */
#define BY_GRANT  (GNTCOPY_source_gref | GNTCOPY_dest_gref)
#define MAX_STEPS 2 /* a transitive entry leads to one, of another domain, that must not be */

struct copy_end {
    mfn_t mfn;
    bool write;
    u32 steps;
    struct {
        struct domain *domain; /* holds a reference, unless it is the caller */
        u32 ref;
    } step[MAX_STEPS];
};

static inline int take_page(mfn_t mfn, const struct domain *owner, bool write)
{
    if (!write)
        return likely(page_get(mfn, owner)) ? GNTST_okay : GNTST_bad_page;
    return likely(!page_get_and_type(mfn, owner, FRAME_WRITABLE, false)) ? GNTST_okay : grant_page_status(mfn, owner);
}

/* A frame of somebody else's, without a grant: it makes a difference whether there is such a domain. */
static NOINLINE int foreign_frame(unsigned domid)
{
    struct domain *d = domain_get(domid);

    if (!d)
        return GNTST_bad_domain;
    domain_put(d);
    return GNTST_permission_denied;
}

static void unwind(struct copy_end *end)
{
    while (end->steps) {
        struct domain *d = end->step[--end->steps].domain;
        grant_unuse(d, end->step[end->steps].ref, !end->write, 1);
        if (d != current->domain)
            domain_put(d);
    }
}

/* The last step's domain owns the page. */
static int follow_grant(struct copy_end *end, unsigned domid, u32 ref, u32 offset, u32 length)
{
    struct domain *own = current->domain;
    unsigned user = own->id;

    for (;;) {
        bool self = domid == own->id || (domid == DOMID_SELF && !end->steps);
        struct domain *d = self ? own : domain_get(domid);
        struct grant_use use;
        int status;

        if (!d)
            return end->steps ? GNTST_general_error : GNTST_bad_domain;
        status = grant_use(d, ref, user, !end->write, false, 1, &use);
        if (status) {
            if (!self)
                domain_put(d);
            return status;
        }
        end->step[end->steps].domain = d;
        end->step[end->steps++].ref = ref;
        end->mfn = use.mfn;
        if (likely(!use.transitive)) {
            if (offset < use.start || offset + length > (u32)use.start + use.length)
                return GNTST_general_error;
            return take_page(use.mfn, d, end->write);
        }
        if (end->steps == MAX_STEPS || use.next_domid == d->id)
            return GNTST_general_error;
        user = d->id;
        domid = use.next_domid;
        ref = use.next_ref;
    }
}

static NOINLINE int take_end(struct copy_end *end, const struct gnttab_copy_ptr *from, u32 length, bool by_grant,
                             bool write)
{
    int status;

    end->write = write;
    end->steps = 0;
    if (by_grant) {
        status = follow_grant(end, from->domid, from->u.ref, from->offset, length);
        if (status)
            unwind(end);
        return status;
    }
    if (from->domid != DOMID_SELF)
        return foreign_frame(from->domid);
    end->mfn = mfn_of(from->u.gmfn);
    return take_page(end->mfn, current->domain, write);
}

static NOINLINE void drop_end(struct copy_end *end)
{
    if (end->write)
        page_put_and_type(end->mfn);
    else
        page_put(end->mfn);
    if (end->steps)
        unwind(end);
}

IN_PLACE void copy_bytes(char *to, const char *from, size_t size)
{
    size_t words = size / 8;

    __asm__ volatile("rep movsq\n\tmov %k3, %k2\n\trep movsb"
                     : "+D"(to), "+S"(from), "+c"(words)
                     : "r"(size % 8)
                     : "memory");
}

/* Between two frames whose owners are known. */
IN_PLACE int copy_frames(const struct gnttab_copy *op, mfn_t from, const struct domain *from_owner, mfn_t to,
                         const struct domain *to_owner)
{
    if (unlikely(!page_get(from, from_owner)))
        return GNTST_bad_page;
    if (unlikely(page_get_and_type(to, to_owner, FRAME_WRITABLE, false))) {
        page_put(from);
        return grant_page_status(to, to_owner);
    }
    if (op->len == PAGE_SIZE)
        copy_page(mfn_to_virt(to), mfn_to_virt(from));
    else
        copy_bytes((char *)mfn_to_virt(to) + op->dest.offset, (char *)mfn_to_virt(from) + op->source.offset, op->len);
    page_put_and_type(to);
    page_put(from);
    return GNTST_okay;
}

/* The granted frame is d's, the other the caller's. */
IN_PLACE int copy_by_grant(const struct gnttab_copy *op, mfn_t granted, const struct domain *d,
                           const struct domain *caller, bool write)
{
    mfn_t from = granted, to = mfn_of(op->dest.u.gmfn);
    const struct domain *from_owner = d, *to_owner = caller;

    if (write) {
        from = mfn_of(op->source.u.gmfn);
        to = granted;
        from_owner = caller;
        to_owner = d;
    }
    return copy_frames(op, from, from_owner, to, to_owner);
}

static NOINLINE int copy_general(const struct gnttab_copy *op)
{
    struct copy_end source, dest;
    u32 length = op->len;
    int status;

    status = take_end(&source, &op->source, length, op->flags & GNTCOPY_source_gref, false);
    if (unlikely(status))
        return status;
    status = take_end(&dest, &op->dest, length, op->flags & GNTCOPY_dest_gref, true);
    if (likely(!status)) {
        copy_bytes((char *)mfn_to_virt(dest.mfn) + op->dest.offset, (char *)mfn_to_virt(source.mfn) + op->source.offset,
                   length);
        drop_end(&dest);
    }
    drop_end(&source);
    return status;
}

/* The common case of backends: one grant, that of a whole page or part of it. */
static NOINLINE int copy_one_grant(const struct gnttab_copy *op)
{
    bool write = op->flags & GNTCOPY_dest_gref;
    const struct gnttab_copy_ptr *by = write ? &op->dest : &op->source, *own = write ? &op->source : &op->dest;
    struct domain *caller = current->domain, *d = caller;
    mfn_t mfn;
    int status;

    if (unlikely(own->domid != DOMID_SELF))
        return foreign_frame(own->domid);
    if (by->domid != caller->id && by->domid != DOMID_SELF)
        d = domain_get(by->domid);
    if (unlikely(!d))
        return GNTST_bad_domain;
    mfn = grant_use_page(d, by->u.ref, caller->id, !write, false, 1);
    if (likely(mfn.value != INVALID_FRAME)) {
        status = copy_by_grant(op, mfn, d, caller, write);
        grant_unuse(d, by->u.ref, !write, 1);
    } else {
        status = copy_general(op);
    }
    if (d != caller)
        domain_put(d);
    return status;
}

IN_PLACE int copy(const struct gnttab_copy *op)
{
    if (op->source.offset + (u32)op->len > PAGE_SIZE || op->dest.offset + (u32)op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    if (op->flags & BY_GRANT)
        return (op->flags & BY_GRANT) == BY_GRANT ? copy_general(op) : copy_one_grant(op);
    if (op->source.domid != DOMID_SELF || op->dest.domid != DOMID_SELF)
        return foreign_frame(op->source.domid != DOMID_SELF ? op->source.domid : op->dest.domid);
    return copy_frames(op, mfn_of(op->source.u.gmfn), current->domain, mfn_of(op->dest.u.gmfn), current->domain);
}

/* As the guest holds them. */
union copy_words {
    struct gnttab_copy op;
    struct compat_gnttab_copy narrow;
    u64 words[5];
};
_Static_assert(sizeof(struct gnttab_copy) == 40 && sizeof(struct compat_gnttab_copy) == 24, "whole words");

/* Looked at anew for each: a linear mapping may have come since the range was found good. */
IN_PLACE int read_copy(union copy_words *to, unsigned long va, bool narrow)
{
    if (unlikely(!guest_words_ok(current->mm.words_hole, va, narrow ? sizeof(to->narrow) : sizeof(to->op), narrow)))
        return -EFAULT;
    GET_GUEST_WORD(to->words[0], va, fault);
    GET_GUEST_WORD(to->words[1], va + 8, fault);
    GET_GUEST_WORD(to->words[2], va + 16, fault);
    if (narrow)
        return 0;
    GET_GUEST_WORD(to->words[3], va + 24, fault);
    GET_GUEST_WORD(to->words[4], va + 32, fault);
    return 0;
fault:
    return -EFAULT;
}

static void widen(struct gnttab_copy *op, const struct compat_gnttab_copy *narrow)
{
    op->source.u.gmfn = narrow->source.u.gmfn;
    op->source.domid = narrow->source.domid;
    op->source.offset = narrow->source.offset;
    op->dest.u.gmfn = narrow->dest.u.gmfn;
    op->dest.domid = narrow->dest.domid;
    op->dest.offset = narrow->dest.offset;
    op->len = narrow->len;
    op->flags = narrow->flags;
}

long grant_copy(unsigned long va, u32 count)
{
    bool narrow = current->is_32bit;
    size_t stride = narrow ? sizeof(struct compat_gnttab_copy) : sizeof(struct gnttab_copy);
    size_t status_at = narrow ? offsetof(struct compat_gnttab_copy, status) : offsetof(struct gnttab_copy, status);
    struct gnttab_copy wide;
    union copy_words in;

    if (unlikely(!guest_range_ok(va, count * stride)))
        return -EFAULT;
    for (; count; count--) {
        s16 status;
        if (unlikely(read_copy(&in, va, narrow)))
            return -EFAULT;
        if (narrow)
            widen(&wide, &in.narrow);
        status = (s16)copy(narrow ? &wide : &in.op);
        PUT_GUEST_WORD(va + status_at, status, fault);
        va += stride;
        if (count > 1 && hypercall_preempt_check())
            return hypercall_continue(__HYPERVISOR_grant_table_op, 3, (unsigned long)GNTTABOP_copy, va,
                                      (unsigned long)(count - 1));
    }
    return 0;
fault:
    return -EFAULT;
}

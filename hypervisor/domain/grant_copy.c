/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * gnttab_copy: bytes from one page to another, each the caller's own frame or another domain's by grant. Both ends are
 * held by a use of the grant (through a transitive entry: of two) and page references for as long as the copy takes.
 */
#include "grant_internal.h"
#include "guest_access.h"

#define MAX_STEPS 2 /* a transitive entry leads to one, of another domain, that must not be */

struct copy_end {
    mfn_t mfn;
    u32 start, length; /* what may be touched */
    bool write;
    unsigned steps;
    struct {
        struct domain *domain; /* holds a reference */
        u32 ref;
    } step[MAX_STEPS];
};

static int take_page(struct copy_end *end, const struct domain *owner)
{
    if (!end->write)
        return page_get(end->mfn, owner) ? GNTST_okay : GNTST_bad_page;
    return page_get_and_type(end->mfn, owner, FRAME_WRITABLE, false) ? GNTST_general_error : GNTST_okay;
}

static void unwind(struct copy_end *end)
{
    while (end->steps) {
        struct domain *d = end->step[--end->steps].domain;
        grant_unuse(d, end->step[end->steps].ref, !end->write, 1);
        domain_put(d);
    }
}

/* The last step's domain owns the page. */
static int follow_grant(struct copy_end *end, unsigned domid, u32 ref)
{
    unsigned user = current->domain->id;

    for (;;) {
        struct domain *d = domid == DOMID_SELF && !end->steps ? domain_get(current->domain->id) : domain_get(domid);
        struct grant_use use;
        int status;

        if (!d)
            return end->steps ? GNTST_general_error : GNTST_bad_domain;
        status = grant_use(d, ref, user, !end->write, false, 1, &use);
        if (status) {
            domain_put(d);
            return status;
        }
        end->step[end->steps].domain = d;
        end->step[end->steps++].ref = ref;
        end->mfn = use.mfn;
        end->start = use.start;
        end->length = use.length;
        if (!use.transitive)
            return take_page(end, d);
        if (end->steps == MAX_STEPS || use.next_domid == d->id)
            return GNTST_general_error;
        user = d->id;
        domid = use.next_domid;
        ref = use.next_ref;
    }
}

static int take_end(struct copy_end *end, const struct gnttab_copy_ptr *from, bool by_grant, bool write)
{
    int status;

    end->write = write;
    end->steps = 0;
    if (by_grant) {
        status = follow_grant(end, from->domid, from->u.ref);
        if (status)
            unwind(end);
        return status;
    }
    if (from->domid != DOMID_SELF)
        return GNTST_permission_denied;
    end->mfn = mfn_of(from->u.gmfn);
    end->start = 0;
    end->length = PAGE_SIZE;
    return take_page(end, current->domain);
}

static void drop_end(struct copy_end *end)
{
    if (end->write)
        page_put_and_type(end->mfn);
    else
        page_put(end->mfn);
    unwind(end);
}

static bool inside(const struct copy_end *end, u32 offset, u32 length)
{
    return offset >= end->start && offset + length <= end->start + end->length;
}

static inline void copy_bytes(char *to, const char *from, size_t size)
{
    size_t words = size / 8, rest = size % 8;

    __asm__ volatile("rep movsq\n\tmov %3, %2\n\trep movsb"
                     : "+D"(to), "+S"(from), "+c"(words)
                     : "r"(rest)
                     : "memory");
}

static int copy(const struct gnttab_copy *op)
{
    struct copy_end source, dest;
    int status;

    if ((u32)op->source.offset + op->len > PAGE_SIZE || (u32)op->dest.offset + op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    status = take_end(&source, &op->source, op->flags & GNTCOPY_source_gref, false);
    if (status)
        return status;
    status = take_end(&dest, &op->dest, op->flags & GNTCOPY_dest_gref, true);
    if (!status) {
        if (!inside(&source, op->source.offset, op->len) || !inside(&dest, op->dest.offset, op->len))
            status = GNTST_general_error;
        else
            copy_bytes((char *)mfn_to_virt(dest.mfn) + op->dest.offset,
                       (char *)mfn_to_virt(source.mfn) + op->source.offset, op->len);
        drop_end(&dest);
    }
    drop_end(&source);
    return status;
}

static int read_copy_pv32(struct gnttab_copy *op, unsigned long va)
{
    struct compat_gnttab_copy narrow;

    if (copy_from_guest(&narrow, va, sizeof(narrow)))
        return -EFAULT;
    op->source.u.gmfn = narrow.source.u.gmfn;
    op->source.domid = narrow.source.domid;
    op->source.offset = narrow.source.offset;
    op->dest.u.gmfn = narrow.dest.u.gmfn;
    op->dest.domid = narrow.dest.domid;
    op->dest.offset = narrow.dest.offset;
    op->len = narrow.len;
    op->flags = narrow.flags;
    return 0;
}

long grant_copy_one(unsigned long va)
{
    bool narrow = current->is_32bit;
    struct gnttab_copy op;
    s16 status;

    if (narrow ? read_copy_pv32(&op, va) : copy_from_guest(&op, va, sizeof(op)))
        return -EFAULT;
    status = (s16)copy(&op);
    va += narrow ? offsetof(struct compat_gnttab_copy, status) : offsetof(struct gnttab_copy, status);
    return copy_to_guest(va, &status, sizeof(status));
}

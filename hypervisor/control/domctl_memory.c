/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * domctl on a domain's pages and on what hardware it may touch. Only dom0 touches any: withdrawing what a domain does
 * not have succeeds, granting it is refused.
 */
#include "control/control.h"
#include "emulate.h"
#include "guest_access.h"

#define FRAME_INFO_MAX 1024
#define PIRQS          256 /* no device interrupt can be passed on */

long domctl_hypercall_init(struct domain *d, struct domctl *c)
{
    mfn_t mfn = mfn_of(c->op.u.hypercall_init.gmfn);

    if (!page_get(mfn, d))
        return -EINVAL;
    if (page_get_type(mfn, FRAME_WRITABLE, false)) {
        page_put(mfn);
        return -EPERM;
    }
    hypercall_page_fill(mfn_to_virt(mfn), d->is_32bit);
    page_put_and_type(mfn);
    return 0;
}

#define WORD_PINNED (1UL << 43) /* mm.h; of a page table */

static bool page_is_pinned(mfn_t mfn)
{
    return READ_ONCE(frame_table[mfn.value].word) & WORD_PINNED;
}

static u32 type_of_frame(struct domain *d, mfn_t mfn)
{
    u32 type = XEN_DOMCTL_PFINFO_NOTAB;

    if (!page_get(mfn, d))
        return XEN_DOMCTL_PFINFO_XTAB;
    switch (page_type(mfn)) {
    case FRAME_L1:
        type = XEN_DOMCTL_PFINFO_L1TAB;
        break;
    case FRAME_L2:
    case FRAME_L2_COMPAT:
        type = XEN_DOMCTL_PFINFO_L2TAB;
        break;
    case FRAME_L3:
        type = XEN_DOMCTL_PFINFO_L3TAB;
        break;
    case FRAME_L4:
        type = XEN_DOMCTL_PFINFO_L4TAB;
        break;
    default:
        break;
    }
    if (type != XEN_DOMCTL_PFINFO_NOTAB && page_is_pinned(mfn))
        type |= XEN_DOMCTL_PFINFO_LPINTAB;
    page_put(mfn);
    return type;
}

/* In: frames, out: their types, in place. A repeat after a preemption would read types: so it is bounded instead. */
long domctl_getpageframeinfo3(struct domain *d, struct domctl *c)
{
    unsigned long array = (unsigned long)c->op.u.getpageframeinfo3.array.p, frame;
    u64 count = c->op.u.getpageframeinfo3.num;

    if (count > FRAME_INFO_MAX)
        return -E2BIG;
    for (u64 i = 0; i < count; i++) {
        if (read_guest_long(&frame, array, i))
            return -EFAULT;
        if (write_guest_long(array, i, type_of_frame(d, mfn_of(frame))))
            return -EFAULT;
    }
    return 0;
}

long domctl_iomem_permission(struct domain *d, struct domctl *c)
{
    const struct xen_domctl_iomem_permission *p = &c->op.u.iomem_permission;

    if (p->first_mfn + p->nr_mfns - 1 < p->first_mfn)
        return -EINVAL;
    if (!p->nr_mfns || (p->first_mfn + p->nr_mfns - 1) >> (cpu_features.physical_bits - PAGE_SHIFT))
        return -EPERM;
    return p->allow_access && !d->iopl_trusted ? -EOPNOTSUPP : 0;
}

long domctl_ioport_permission(struct domain *d, struct domctl *c)
{
    const struct xen_domctl_ioport_permission *p = &c->op.u.ioport_permission;
    u64 end = (u64)p->first_port + p->nr_ports;

    if (!p->nr_ports || end > 65536)
        return -EINVAL;
    return p->allow_access && !d->iopl_trusted ? -EOPNOTSUPP : 0;
}

long domctl_irq_permission(struct domain *d, struct domctl *c)
{
    return c->op.u.irq_permission.pirq < PIRQS ? -EPERM : -EINVAL;
}

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * memory_op's commands other than those that change a reservation, which reservation.c has.
 */
#include "internal.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "mm/reservation.h"
#include "abi/memory.h"

#define M2P_CHUNK          0x200000UL /* the unit in which tools map the M2P */
#define M2P_NATIVE_ENTRIES ((0xFFFF804000000000UL - M2P_START) / 8)
#define M2P_NATIVE_END     0xFFFF804000000000UL
#define M2P_COMPAT_END     0xFFE00000UL

struct domain *memory_domain(unsigned domid, int *error)
{
    struct domain *self = current->domain;
    if (domid == DOMID_SELF)
        domid = self->id;
    struct domain *d = domain_get(domid);
    *error = -ESRCH;
    if (d && d != self && !self->privileged) {
        domain_put(d);
        d = NULL;
        *error = -EPERM;
    }
    return d;
}

/* The same, for a number in the guest's memory. */
static struct domain *memory_domain_at(unsigned long arg, int *error)
{
    u16 domid;
    *error = -EFAULT;
    return copy_from_guest(&domid, arg, sizeof(domid)) ? NULL : memory_domain(domid, error);
}

static long claim(unsigned long arg)
{
    struct reservation r;
    if (read_reservation(&r, arg))
        return -EFAULT;
    if (r.list || r.order || r.flags)
        return -EINVAL;
    struct domain *d = domain_get(r.domid);
    if (d == NULL)
        return -EINVAL;
    long rc = current->domain->privileged ? claim_pages(d, r.nr_extents) : -EPERM;
    domain_put(d);
    return rc;
}

/* A dead domain that is still listed has no shared page. */
static unsigned long maximum_gpfn(const struct domain *d)
{
    const struct shared_info *wide = READ_ONCE(d->shared_info);
    const struct compat_shared_info *narrow = (const void *)wide;
    unsigned long frames = 0;
    if (wide)
        frames = d->is_32bit ? READ_ONCE(narrow->arch.max_pfn) : READ_ONCE(wide->arch.max_pfn);
    return frames ? frames - 1 : 0;
}

static long query_domain(unsigned op, unsigned long arg)
{
    int error;
    struct domain *d = memory_domain_at(arg, &error);
    if (d == NULL)
        return error;
    long rc;
    switch (op) {
    case XENMEM_current_reservation:
        rc = (long)d->mm.tot_pages;
        break;
    case XENMEM_maximum_reservation:
        rc = (long)MIN(d->mm.max_pages, current->is_32bit ? 0x7FFFFFFFUL : ~0UL >> 1);
        break;
    default:
        rc = (long)maximum_gpfn(d);
    }
    domain_put(d);
    return rc;
}

static long machphys_mapping(unsigned long arg)
{
    bool narrow = current->is_32bit;
    struct xen_machphys_mapping m = {
        .v_start = narrow ? COMPAT_VIRT_START : M2P_START,
        .v_end = narrow ? M2P_COMPAT_END : M2P_NATIVE_END,
        .max_mfn = (narrow ? (M2P_COMPAT_END - COMPAT_VIRT_START) / 4 : M2P_NATIVE_ENTRIES) - 1,
    };
    if (current->domain->privileged)
        m.max_mfn = max_frame - 1;
    return write_guest_struct(arg, &m, "lll") ? -EFAULT : 0;
}

/* One machine frame for each 2 MiB of the M2P, of the caller's width or (compat) the 32-bit one. */
static long machphys_mfn_list(unsigned long arg, bool compat)
{
    struct xen_machphys_mfn_list l;
    if (read_guest_struct(&l, arg, "wpw"))
        return -EFAULT;
    unsigned long native_bytes = ROUND_UP(max_frame * 8, M2P_CHUNK);
    unsigned long bytes = compat ? ROUND_UP(max_frame * 4, M2P_CHUNK) : native_bytes;
    mfn_t first = compat ? mfn_add(m2p_first, native_bytes >> PAGE_SHIFT) : m2p_first;
    l.nr_extents = 0;
    for (unsigned long at = 0; at < bytes && l.nr_extents < l.max_extents; at += M2P_CHUNK) {
        if (write_guest_long((unsigned long)l.extent_start.p, l.nr_extents, first.value + (at >> PAGE_SHIFT)))
            return -EFAULT;
        l.nr_extents++;
    }
    return write_guest_struct(arg, &l, "wpw") ? -EFAULT : 0;
}

/* A PV domain keeps its own frame numbers: there is no map of ours to change, whoever asks. */
static long no_physmap(unsigned domid)
{
    int error;
    struct domain *d = memory_domain(domid, &error);
    if (d)
        domain_put(d);
    return d || error == -EPERM ? -EACCES : error;
}

static long remove_from_physmap(unsigned long arg)
{
    struct xen_remove_from_physmap r;
    return read_guest_struct(&r, arg, "hl") ? -EFAULT : no_physmap(r.domid);
}

#define PHYSMAP_LAYOUT       "hhwll"
#define PHYSMAP_BATCH_LAYOUT "hhhhppp"

static long add_to_physmap(unsigned long arg, bool batch)
{
    struct xen_add_to_physmap a;
    struct xen_add_to_physmap_batch b;
    if (batch ? read_guest_struct(&b, arg, PHYSMAP_BATCH_LAYOUT) : read_guest_struct(&a, arg, PHYSMAP_LAYOUT))
        return -EFAULT;
    if (!batch && a.space == XENMAPSPACE_gmfn_foreign)
        return -ENOSYS;
    return no_physmap(batch ? b.domid : a.domid);
}

static long grant_frames(struct domain *d, struct xen_mem_acquire_resource *r)
{
    bool status = r->id == XENMEM_resource_grant_table_id_status;
    if (r->id > XENMEM_resource_grant_table_id_status)
        return -EINVAL;
    for (u32 i = 0; i < r->nr_frames; i++) {
        unsigned long mfn;
        int rc = grant_frame_mfn(d, (unsigned)r->frame + i, status, &mfn);
        if (rc)
            return rc;
        if (write_guest_long((unsigned long)r->frame_list.p, i, mfn))
            return -EFAULT;
    }
    return 0;
}

#define RESOURCE_LAYOUT "hhwwwqp"

static long acquire_resource(unsigned long arg)
{
    struct xen_mem_acquire_resource r;
    int error;
    if (read_guest_struct(&r, arg, RESOURCE_LAYOUT))
        return -EFAULT;
    if (r.pad)
        return -EINVAL;
    struct domain *d = domain_get_remote(r.domid, &error);
    if (d == NULL)
        return error;
    long rc = -EOPNOTSUPP;
    if (d == current->domain) {
        rc = -EPERM;
    } else if (r.type == XENMEM_resource_grant_table && r.frame_list.p == NULL) {
        rc = r.nr_frames || r.id > XENMEM_resource_grant_table_id_status ? -EINVAL : 0;
        r.nr_frames = d->grant.max_frames;
        if (rc == 0 && write_guest_struct(arg, &r, RESOURCE_LAYOUT))
            rc = -EFAULT;
    } else if (r.type == XENMEM_resource_grant_table) {
        rc = r.frame + r.nr_frames > d->grant.max_frames || r.frame > ~0U ? -EINVAL : grant_frames(d, &r);
    }
    domain_put(d);
    return rc;
}

static long vnuma_info(unsigned long arg)
{
    int error;
    struct domain *d = memory_domain_at(arg, &error);
    if (d == NULL)
        return error;
    domain_put(d);
    return -EOPNOTSUPP; /* no domain has a NUMA layout */
}

long memory_op_single(unsigned op, unsigned long arg)
{
    switch (op) {
    case XENMEM_exchange:
        return exchange_memory(arg);
    case XENMEM_maximum_ram_page:
        return (long)max_frame;
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return query_domain(op, arg);
    case XENMEM_machphys_mapping:
        return machphys_mapping(arg);
    case XENMEM_machphys_mfn_list:
        return machphys_mfn_list(arg, current->is_32bit);
    case XENMEM_machphys_compat_mfn_list:
        return machphys_mfn_list(arg, true);
    case XENMEM_memory_map:
        return get_memory_map(arg);
    case XENMEM_set_memory_map:
        return set_memory_map(arg);
    case XENMEM_machine_memory_map:
        return machine_memory_map(arg);
    case XENMEM_add_to_physmap:
        return add_to_physmap(arg, false);
    case XENMEM_add_to_physmap_batch:
        return add_to_physmap(arg, true);
    case XENMEM_remove_from_physmap:
        return remove_from_physmap(arg);
    case XENMEM_claim_pages:
        return claim(arg);
    case XENMEM_acquire_resource:
        return acquire_resource(arg);
    case XENMEM_get_vnumainfo:
        return vnuma_info(arg);
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return 0;
    default:
        return -ENOSYS;
    }
}

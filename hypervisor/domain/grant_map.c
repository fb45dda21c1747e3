/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Mapping another domain's page by a grant, and undoing it.
 *
 * A handle names a mapping. While it exists it holds a reference to the granting domain and a use of its entry; a host
 * mapping's page references belong to the page-table entry, a device mapping's to the handle. So when the mapper
 * overwrites the entry by other means, or dies, the references go with the entry and the handle stays until it is given
 * back. An unmapped page is out of all TLBs before the granter is told and before its references go.
 */
#include "grant_internal.h"
#include "guest_access.h"
#include "table.h"

#define KIND_MASK       (GNTMAP_device_map | GNTMAP_host_map)
#define NO_HANDLE       (~0U)
#define handle_of(g, h) (&(g)->maptrack[(h) / HANDLES_PER_PAGE][(h) % HANDLES_PER_PAGE])

/* Lock held. */
static int more_handles(struct domain_grant *g)
{
    struct grant_maptrack *page;
    unsigned frame = g->maptrack_limit / HANDLES_PER_PAGE;

    if (frame >= g->max_maptrack_frames)
        return -ENOSPC;
    if (!g->maptrack)
        g->maptrack = table_alloc(grant_maptrack_size(g));
    page = g->maptrack ? hv_alloc_pages(0) : NULL;
    if (!page)
        return -ENOMEM;
    for (unsigned i = 0; i < HANDLES_PER_PAGE; i++)
        page[i].ref = g->maptrack_limit + i + 1;
    g->maptrack[frame] = page;
    g->maptrack_limit += HANDLES_PER_PAGE;
    return 0;
}

/* The caller fills the mapping in and then sets its flags: until then it is busy. */
static unsigned take_handle(struct domain *d)
{
    struct domain_grant *g = &d->grant;
    unsigned handle = NO_HANDLE;

    spin_lock(&g->lock);
    if (g->maptrack_free < g->maptrack_limit || !more_handles(g)) {
        handle = g->maptrack_free;
        g->maptrack_free = handle_of(g, handle)->ref;
        handle_of(g, handle)->flags = MAPTRACK_BUSY;
        g->maps_of_others++;
    }
    spin_unlock(&g->lock);
    return handle;
}

/* flags: what is left of the mapping. */
static void release_handle(struct domain *d, unsigned handle, u32 flags)
{
    struct domain_grant *g = &d->grant;
    struct grant_maptrack *map = handle_of(g, handle);

    spin_lock(&g->lock);
    if (!(flags & KIND_MASK)) {
        map->granter = NULL;
        map->ref = g->maptrack_free;
        g->maptrack_free = handle;
        g->maps_of_others--;
        flags = 0;
    }
    map->flags = flags;
    spin_unlock(&g->lock);
}

static int reference_page(mfn_t mfn, const struct domain *owner, bool readonly)
{
    if (readonly)
        return page_get(mfn, owner) ? 0 : -EINVAL;
    return page_get_and_type(mfn, owner, FRAME_WRITABLE, false);
}

/* Why it could not be had: it is not the granter's, or in use under another type. */
int grant_page_status(mfn_t mfn, const struct domain *owner)
{
    return mfn_valid(mfn) && page_owner_id(mfn) == owner->id ? GNTST_general_error : GNTST_bad_page;
}

static void drop_page(mfn_t mfn, bool readonly)
{
    if (readonly)
        page_put(mfn);
    else
        page_put_and_type(mfn);
}

/* The two kinds of mapping, each with its page references, or neither. */
static int enter_mappings(const struct gnttab_map_grant_ref *op, mfn_t mfn, struct domain *granter)
{
    bool readonly = op->flags & GNTMAP_readonly;
    int status;

    if ((op->flags & GNTMAP_device_map) && reference_page(mfn, granter, readonly))
        return grant_page_status(mfn, granter);
    status = GNTST_okay;
    if (op->flags & GNTMAP_host_map) {
        if (reference_page(mfn, granter, readonly)) {
            status = grant_page_status(mfn, granter);
        } else {
            status = grant_map_host(current, op->host_addr, mfn, op->flags);
            if (status)
                drop_page(mfn, readonly);
        }
    }
    if (status && (op->flags & GNTMAP_device_map))
        drop_page(mfn, readonly);
    return status;
}

static unsigned kinds(u32 flags)
{
    return ((flags & GNTMAP_device_map) != 0) + ((flags & GNTMAP_host_map) != 0);
}

static int map_with_handle(struct domain *d, unsigned handle, struct domain *granter, struct gnttab_map_grant_ref *op)
{
    struct grant_maptrack *map = handle_of(&d->grant, handle);
    bool readonly = op->flags & GNTMAP_readonly;
    struct grant_use use;
    int status = grant_use(granter, op->ref, d->id, readonly, true, kinds(op->flags), &use);

    if (status)
        return status;
    status = enter_mappings(op, use.mfn, granter);
    if (status) {
        grant_unuse(granter, op->ref, readonly, kinds(op->flags));
        return status;
    }
    map->granter = granter;
    map->ref = op->ref;
    op->handle = handle;
    op->dev_bus_addr = use.mfn.value << PAGE_SHIFT;
    __atomic_store_n(&map->flags, op->flags & 0xFF, __ATOMIC_RELEASE);
    return GNTST_okay;
}

static int map_grant(struct gnttab_map_grant_ref *op)
{
    struct domain *d = current->domain, *granter;
    unsigned handle;
    int status;

    if (!(op->flags & KIND_MASK))
        return GNTST_bad_gntref;
    granter = domain_get(op->dom);
    if (!granter)
        return GNTST_bad_domain;
    handle = take_handle(d);
    if (handle == NO_HANDLE) {
        domain_put(granter);
        guest_logf(LOG_WARNING, "d%u: all %u handles of grant mappings are in use or out of memory\n", d->id,
                   d->grant.maptrack_limit);
        return GNTST_no_device_space;
    }
    status = map_with_handle(d, handle, granter, op);
    if (status) {
        release_handle(d, handle, 0);
        domain_put(granter);
    }
    return status;
}

long grant_map_one(unsigned long va)
{
    struct gnttab_map_grant_ref op;

    if (copy_from_guest(&op, va, sizeof(op)))
        return -EFAULT;
    op.status = (s16)map_grant(&op);
    return copy_to_guest(va + offsetof(struct gnttab_map_grant_ref, status), &op.status,
                         sizeof(op) - offsetof(struct gnttab_map_grant_ref, status));
}

/* One mapping being undone: of what, and which kinds are gone. */
struct unmap {
    unsigned handle;
    u32 flags, gone;
    struct domain *granter;
    u32 ref;
    mfn_t mfn;
};

/* Makes the handle busy: nobody else can undo it meanwhile. */
static int claim_handle(struct domain *d, unsigned handle, struct unmap *u)
{
    struct domain_grant *g = &d->grant;
    struct grant_maptrack *map;
    int status = GNTST_bad_handle;

    spin_lock(&g->lock);
    if (handle < g->maptrack_limit) {
        map = handle_of(g, handle);
        if (map->flags && !(map->flags & MAPTRACK_BUSY)) {
            *u = (struct unmap){.handle = handle, .flags = map->flags, .granter = map->granter, .ref = map->ref};
            map->flags |= MAPTRACK_BUSY;
            status = GNTST_okay;
        }
    }
    spin_unlock(&g->lock);
    return status;
}

struct unmap_request {
    u64 host_addr, dev_bus_addr, new_addr;
    u32 handle;
};

/* Takes the mapping out of the page tables; what remains is finish_unmap's, after the TLB flush. */
static int begin_unmap(const struct unmap_request *op, struct unmap *u)
{
    struct domain *d = current->domain;
    int status = claim_handle(d, op->handle, u);

    if (status) {
        u->handle = NO_HANDLE;
        return status;
    }
    u->mfn = mfn_of(grant_active_of(&u->granter->grant, u->ref)->mfn);
    if (op->dev_bus_addr && (u->flags & GNTMAP_device_map) && op->dev_bus_addr != u->mfn.value << PAGE_SHIFT)
        return GNTST_bad_dev_addr;
    if (op->host_addr && (u->flags & GNTMAP_host_map)) {
        status = grant_unmap_host(current, op->host_addr, u->mfn, u->flags, op->new_addr);
        if (status)
            return status;
        u->gone |= GNTMAP_host_map;
    }
    if (op->dev_bus_addr && (u->flags & GNTMAP_device_map))
        u->gone |= GNTMAP_device_map;
    return GNTST_okay;
}

static void finish_unmap(struct domain *d, const struct unmap *u)
{
    bool readonly = u->flags & GNTMAP_readonly;
    u32 left = u->flags & ~u->gone;

    for (unsigned i = 0; i < kinds(u->gone); i++) /* before the use ends: one of both has it in the log */
        drop_page(u->mfn, readonly);
    if (u->gone)
        grant_unuse(u->granter, u->ref, readonly, kinds(u->gone));
    release_handle(d, u->handle, left);
    if (!(left & KIND_MASK))
        domain_put(u->granter);
}

#define UNMAP_STRIDE   sizeof(struct gnttab_unmap_grant_ref)
#define REPLACE_STRIDE sizeof(struct gnttab_unmap_and_replace)
_Static_assert(UNMAP_STRIDE == REPLACE_STRIDE &&
                   offsetof(struct gnttab_unmap_grant_ref, handle) ==
                       offsetof(struct gnttab_unmap_and_replace, handle) &&
                   offsetof(struct gnttab_unmap_grant_ref, status) == offsetof(struct gnttab_unmap_and_replace, status),
               "both forms of unmapping differ in the meaning of the second member alone");

/* 1: nothing was done, since what batch[0, u) did with the handle is to be finished first. */
static long unmap_one(unsigned long va, bool replace, const struct unmap *batch, struct unmap *u)
{
    struct gnttab_unmap_grant_ref op;
    struct unmap_request request;

    u->handle = NO_HANDLE;
    if (copy_from_guest(&op, va, sizeof(op)))
        return -EFAULT;
    request = (struct unmap_request){
        .host_addr = op.host_addr,
        .dev_bus_addr = replace ? 0 : op.dev_bus_addr,
        .new_addr = replace ? op.dev_bus_addr : 0,
        .handle = op.handle,
    };
    op.status = (s16)begin_unmap(&request, u);
    if (unlikely(op.status == GNTST_bad_handle))
        while (batch < u)
            if (batch++->handle == op.handle)
                return 1;
    if (unlikely(!guest_words_ok(current->mm.words_hole, va, sizeof(op), current->is_32bit)))
        return -EFAULT;
    PUT_GUEST_WORD(va + offsetof(struct gnttab_unmap_grant_ref, status), op.status, fault);
    return 0;
fault:
    return -EFAULT;
}

long grant_unmap_some(unsigned long va, unsigned count, bool replace)
{
    struct unmap batch[UNMAP_BATCH];
    struct domain *d = current->domain;
    unsigned done = 0;
    bool flush = false;
    long error = 0;

    while (done < count && !error) {
        error = unmap_one(va + done * UNMAP_STRIDE, replace, batch, &batch[done]);
        if (unlikely(error > 0))
            break;
        flush |= batch[done].handle != NO_HANDLE && (batch[done].gone & GNTMAP_host_map);
        done++;
    }
    if (flush)
        flush_tlb_mask(domain_dirty_mask(d));
    for (unsigned i = 0; i < done; i++)
        if (batch[i].handle != NO_HANDLE)
            finish_unmap(d, &batch[i]);
    return error < 0 ? error : (long)done;
}

#define RELEASES_PER_CHECK 64

static void release_claimed(struct domain *d, struct unmap *u)
{
    bool readonly = u->flags & GNTMAP_readonly;

    u->mfn = mfn_of(grant_active_of(&u->granter->grant, u->ref)->mfn);
    if (!readonly) /* before the use ends; its page tables may go much later */
        domain_frame_written(u->granter, u->mfn);
    grant_unuse(u->granter, u->ref, readonly, kinds(u->flags));
    if (u->flags & GNTMAP_device_map)
        drop_page(u->mfn, readonly);
    release_handle(d, u->handle, 0);
    domain_put(u->granter);
}

/* No vCPU of d runs any more; a handle is looked at once, however often this is continued. Host mappings' page
 * references go with d's page tables. */
int grant_release_mappings(struct domain *d)
{
    struct domain_grant *g = &d->grant;
    struct unmap u;

    while (g->maps_of_others && g->released < g->maptrack_limit) {
        if (!claim_handle(d, g->released++, &u))
            release_claimed(d, &u);
        if (g->released % RELEASES_PER_CHECK == 0 && hypercall_preempt_check())
            return -ERESTART;
    }
    grant_unshare(d);
    return 0;
}

void grant_device_frames(struct domain *d, void (*visit)(mfn_t mfn, bool writable))
{
    struct domain_grant *g = &d->grant;

    spin_lock(&g->lock);
    for (unsigned handle = 0; handle < g->maptrack_limit; handle++) {
        const struct grant_maptrack *map = handle_of(g, handle);
        if (map->flags & GNTMAP_device_map) /* then all of it is filled in */
            visit(mfn_of(grant_active_of(&map->granter->grant, map->ref)->mfn), !(map->flags & GNTMAP_readonly));
    }
    spin_unlock(&g->lock);
}

void grant_frames_written(struct domain *d)
{
    struct domain_grant *g = &d->grant;

    spin_lock(&g->lock);
    for (unsigned ref = 0; ref < g->active_entries; ref++) {
        if (grant_active_of(g, ref)->writes)
            domain_frame_written(d, mfn_of(grant_active_of(g, ref)->mfn));
        if (ref % GRANTS_PER_ACTIVE_PAGE == 0)
            (void)hypercall_preempt_check(); /* other CPUs wait for their flushes */
    }
    spin_unlock(&g->lock);
}

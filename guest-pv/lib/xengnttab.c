/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * libxengnttab over guest-pv: both sides, using grants and giving them. A handle remembers each range it mapped or
 * lent, so that closing it leaves nothing behind.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xengnttab.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>

#define NO_NOTIFY UINT32_MAX

struct range {
    struct range *next;
    char *addr;
    uint32_t count;
    uint32_t notify_offset;
    evtchn_port_t notify_port;
    uint32_t ids[]; /* handles of mapped grants, references of lent ones */
};

struct xengntdev_handle {
    struct range *ranges;
    uint32_t mapped, limit;
};

static struct xengntdev_handle *handle_open(unsigned open_flags)
{
    struct xengntdev_handle *handle;

    if (open_flags != 0) {
        errno = EINVAL;
        return NULL;
    }
    handle = calloc(1, sizeof(*handle));
    if (handle != NULL)
        handle->limit = UINT32_MAX;
    return handle;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    return handle_open(open_flags);
}

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    return handle_open(open_flags);
}

int xengnttab_fd(xengnttab_handle *xgt)
{
    return -1;
}

int xengntshr_fd(xengntshr_handle *xgs)
{
    return -1;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

static struct range *range_new(uint32_t count)
{
    struct range *range;

    if (count == 0 || count > 0x10000) {
        errno = EINVAL;
        return NULL;
    }
    range = calloc(1, sizeof(*range) + count * sizeof(range->ids[0]));
    if (range == NULL)
        return NULL;
    range->count = count;
    range->notify_offset = range->notify_port = NO_NOTIFY;
    return range;
}

static void *range_add(struct xengntdev_handle *handle, struct range *range)
{
    range->next = handle->ranges;
    handle->ranges = range;
    handle->mapped += range->count;
    return range->addr;
}

static struct range **range_find(struct xengntdev_handle *handle, const void *addr, uint32_t count)
{
    struct range **link = &handle->ranges;

    while (*link != NULL && ((*link)->addr != addr || (*link)->count != count))
        link = &(*link)->next;
    return link;
}

static void range_remove(struct xengntdev_handle *handle, struct range **link)
{
    struct range *range = *link;

    *link = range->next;
    handle->mapped -= range->count;
    free(range);
}

static void range_notify(const struct range *range)
{
    if (range->notify_offset != NO_NOTIFY)
        *(volatile char *)(range->addr + range->notify_offset) = 0;
    if (range->notify_port != NO_NOTIFY)
        event_notify(range->notify_port);
}

static bool notify_fits(uint32_t offset, evtchn_port_t port, int writable)
{
    return offset == NO_NOTIFY || (offset < PAGE_SIZE && writable);
}

void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t *domids, uint32_t *refs, int prot)
{
    struct range *range = range_new(count);
    domid_t *owners;

    if (range == NULL)
        return NULL;
    owners = calloc(count, sizeof(*owners));
    if (owners == NULL || count > xgt->limit - xgt->mapped) {
        errno = owners == NULL ? ENOMEM : ENOSPC;
        free(owners);
        free(range);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++)
        owners[i] = (domid_t)domids[i];
    range->addr = grant_map(owners, refs, count, !(prot & PROT_WRITE), range->ids);
    free(owners);
    if (range->addr == NULL) {
        free(range);
        return NULL;
    }
    return range_add(xgt, range);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid, uint32_t *refs, int prot)
{
    uint32_t *domids = calloc(count != 0 ? count : 1, sizeof(*domids));
    void *addr;

    if (domids == NULL)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        domids[i] = domid;
    addr = xengnttab_map_grant_refs(xgt, count, domids, refs, prot);
    free(domids);
    return addr;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    return xengnttab_map_grant_refs(xgt, 1, &domid, &ref, prot);
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot,
                                     uint32_t notify_offset, evtchn_port_t notify_port)
{
    void *addr;

    if (!notify_fits(notify_offset, notify_port, prot & PROT_WRITE)) {
        errno = EINVAL;
        return NULL;
    }
    addr = xengnttab_map_grant_ref(xgt, domid, ref, prot);
    if (addr != NULL) {
        xgt->ranges->notify_offset = notify_offset;
        xgt->ranges->notify_port = notify_port;
    }
    return addr;
}

static int unmap_link(xengnttab_handle *xgt, struct range **link)
{
    int rc;

    range_notify(*link);
    rc = grant_unmap((*link)->addr, (*link)->ids, (*link)->count);
    range_remove(xgt, link);
    return rc == 0 ? 0 : fail(-rc);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
    struct range **link = range_find(xgt, start_address, count);

    return *link != NULL ? unmap_link(xgt, link) : fail(EINVAL);
}

int xengnttab_close(xengnttab_handle *xgt)
{
    if (xgt == NULL)
        return 0;
    while (xgt->ranges != NULL)
        (void)unmap_link(xgt, &xgt->ranges);
    free(xgt);
    return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
    xgt->limit = nr_grants;
    return 0;
}

/* One side of a copy: a grant, or a piece of our memory that lies in one page. */
static void copy_side(struct gnttab_copy_ptr *out, const union xengnttab_copy_ptr *side, bool foreign, uint16_t done)
{
    unsigned long addr = (unsigned long)side->virt + done;

    if (foreign) {
        out->u.ref = side->foreign.ref;
        out->offset = (uint16_t)(side->foreign.offset + done);
        out->domid = side->foreign.domid;
        return;
    }
    out->u.gmfn = virt_to_mfn((void *)addr);
    out->offset = (uint16_t)(addr & (PAGE_SIZE - 1));
    out->domid = DOMID_SELF;
}

static uint16_t room(const union xengnttab_copy_ptr *side, bool foreign, uint16_t done, uint16_t left)
{
    unsigned long at = ((unsigned long)side->virt + done) & (PAGE_SIZE - 1);

    return foreign || left <= PAGE_SIZE - at ? left : (uint16_t)(PAGE_SIZE - at);
}

static int copy_segment(xengnttab_grant_copy_segment_t *segment)
{
    bool from = segment->flags & GNTCOPY_source_gref, to = segment->flags & GNTCOPY_dest_gref;
    uint16_t done = 0;

    segment->status = GNTST_okay;
    while (done < segment->len && segment->status == GNTST_okay) {
        struct gnttab_copy copy = {.flags = segment->flags};

        copy.len = room(&segment->source, from, done, (uint16_t)(segment->len - done));
        copy.len = room(&segment->dest, to, done, copy.len);
        copy_side(&copy.source, &segment->source, from, done);
        copy_side(&copy.dest, &segment->dest, to, done);
        if (HYPERVISOR_grant_table_op(GNTTABOP_copy, &copy, 1) != 0)
            return fail(EIO);
        segment->status = copy.status;
        done = (uint16_t)(done + copy.len);
    }
    return 0;
}

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count, xengnttab_grant_copy_segment_t *segs)
{
    for (uint32_t i = 0; i < count; i++) {
        if (copy_segment(&segs[i]) != 0)
            return -1;
    }
    return 0;
}

int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t flags, uint32_t count,
                                   const uint32_t *refs, uint32_t *fd)
{
    return fail(EOPNOTSUPP);
}

int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *xgt, uint32_t fd, uint32_t wait_to_ms)
{
    return fail(EOPNOTSUPP);
}

int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t fd, uint32_t count, uint32_t *refs)
{
    return fail(EOPNOTSUPP);
}

int xengnttab_dmabuf_imp_release(xengnttab_handle *xgt, uint32_t fd)
{
    return fail(EOPNOTSUPP);
}

/* Takes the first `count` references back; -EBUSY when one is in use, after which it and the later ones stay. */
static int end_all(const struct range *range, uint32_t count)
{
    while (count-- > 0) {
        int rc = grant_end_access(range->ids[count]);

        if (rc != 0)
            return rc;
    }
    return 0;
}

void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count, uint32_t *refs, int writable)
{
    struct range *range = count > 0 ? range_new((uint32_t)count) : NULL;
    int gref = 0;

    if (range == NULL) {
        errno = count > 0 ? errno : EINVAL;
        return NULL;
    }
    range->addr = pages_alloc(range->count);
    if (range->addr == NULL)
        gref = -ENOMEM;
    for (uint32_t i = 0; gref >= 0 && i < range->count; i++) {
        gref = grant_access((domid_t)domid, virt_to_mfn(range->addr + i * PAGE_SIZE), !writable);
        if (gref < 0)
            (void)end_all(range, i);
        else
            refs[i] = range->ids[i] = (uint32_t)gref;
    }
    if (gref >= 0)
        return range_add(xgs, range);
    if (range->addr != NULL)
        pages_free(range->addr, range->count);
    free(range);
    errno = -gref;
    return NULL;
}

void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid, uint32_t *ref, int writable,
                                  uint32_t notify_offset, evtchn_port_t notify_port)
{
    void *addr;

    if (!notify_fits(notify_offset, notify_port, 1)) {
        errno = EINVAL;
        return NULL;
    }
    addr = xengntshr_share_pages(xgs, domid, 1, ref, writable);
    if (addr != NULL) {
        xgs->ranges->notify_offset = notify_offset;
        xgs->ranges->notify_port = notify_port;
    }
    return addr;
}

static bool in_use(const struct range *range)
{
    const struct grant_entry_v1 *table = grant_table(NULL);

    for (uint32_t i = 0; i < range->count; i++) {
        if (__atomic_load_n(&table[range->ids[i]].flags, __ATOMIC_SEQ_CST) & (GTF_reading | GTF_writing))
            return true;
    }
    return false;
}

static int unshare_link(xengntshr_handle *xgs, struct range **link)
{
    struct range *range = *link;

    if (in_use(range))
        return fail(EBUSY);
    range_notify(range);
    /* Mapped in the meantime: the page must not be used for anything else, so it is given up for good. */
    if (end_all(range, range->count) == 0)
        pages_free(range->addr, range->count);
    range_remove(xgs, link);
    return 0;
}

int xengntshr_unshare(xengntshr_handle *xgs, void *start_address, uint32_t count)
{
    struct range **link = range_find(xgs, start_address, count);

    return *link != NULL ? unshare_link(xgs, link) : fail(EINVAL);
}

/* A page still in use elsewhere outlives the handle. */
int xengntshr_close(xengntshr_handle *xgs)
{
    if (xgs == NULL)
        return 0;
    while (xgs->ranges != NULL) {
        if (unshare_link(xgs, &xgs->ranges) != 0) {
            range_notify(xgs->ranges);
            range_remove(xgs, &xgs->ranges);
        }
    }
    free(xgs);
    return 0;
}

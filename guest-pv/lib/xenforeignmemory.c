/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * libxenforeignmemory over guest-pv: foreign frames are mapped by mmu_update in the name of their owner.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xenforeignmemory.h>
#include <pv/hypercall.h>
#include <pv/paging.h>

struct xenforeignmemory_handle {
    bool restricted;
    domid_t only;
};

struct xenforeignmemory_resource_handle {
    void *addr;
    unsigned long frames;
};

static uint64_t protection(int prot)
{
    return (prot & PROT_WRITE ? PTE_KERNEL_RW : PTE_KERNEL_RO) | PTE_NX;
}

static bool allowed(const xenforeignmemory_handle *fmem, domid_t domid)
{
    if (!fmem->restricted || fmem->only == domid)
        return true;
    errno = EPERM;
    return false;
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    if (open_flags != 0) {
        errno = EINVAL;
        return NULL;
    }
    return calloc(1, sizeof(xenforeignmemory_handle));
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
    free(fmem);
    return 0;
}

void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom, void *addr, int prot, int flags, size_t pages,
                            const xen_pfn_t *arr, int *err)
{
    if (pages == 0 || dom > UINT16_MAX) {
        errno = EINVAL;
        return NULL;
    }
    if (!allowed(fmem, (domid_t)dom))
        return NULL;
    return map_frames(arr, pages, (domid_t)dom, protection(prot), err);
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages, const xen_pfn_t *arr,
                           int *err)
{
    return xenforeignmemory_map2(fmem, dom, NULL, prot, 0, pages, arr, err);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages)
{
    if (addr == NULL || pages == 0) {
        errno = EINVAL;
        return -1;
    }
    unmap_frames(addr, pages);
    return 0;
}

int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid)
{
    if (fmem->restricted && fmem->only != domid) {
        errno = EACCES;
        return -1;
    }
    fmem->restricted = true;
    fmem->only = domid;
    return 0;
}

static long acquire(struct xen_mem_acquire_resource *request)
{
    long rc = pv_error(HYPERVISOR_memory_op(XENMEM_acquire_resource, request));

    if (rc < 0)
        errno = (int)-rc;
    return rc;
}

/* A PV caller gets machine frames, which belong to the target or to the hypervisor on its behalf. */
xenforeignmemory_resource_handle *xenforeignmemory_map_resource(xenforeignmemory_handle *fmem, domid_t domid,
                                                                unsigned int type, unsigned int id, unsigned long frame,
                                                                unsigned long nr_frames, void **paddr, int prot,
                                                                int flags)
{
    struct xen_mem_acquire_resource request = {
        .domid = domid,
        .type = (uint16_t)type,
        .id = id,
        .nr_frames = (uint32_t)nr_frames,
        .frame = frame,
    };
    xenforeignmemory_resource_handle *fres = NULL;
    xen_pfn_t *frames;

    if (!allowed(fmem, domid))
        return NULL;
    if (nr_frames == 0 || nr_frames > 0x10000) {
        errno = EINVAL;
        return NULL;
    }
    frames = calloc(nr_frames, sizeof(*frames));
    fres = calloc(1, sizeof(*fres));
    if (frames == NULL || fres == NULL)
        goto fail;
    set_xen_guest_handle(request.frame_list, frames);
    if (acquire(&request) < 0)
        goto fail;
    fres->frames = nr_frames;
    fres->addr = map_frames(frames, nr_frames, domid, protection(prot), NULL);
    if (fres->addr == NULL)
        goto fail;
    free(frames);
    *paddr = fres->addr;
    return fres;

fail:
    free(fres);
    free(frames);
    return NULL;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem, xenforeignmemory_resource_handle *fres)
{
    if (fres == NULL)
        return 0;
    unmap_frames(fres->addr, fres->frames);
    free(fres);
    return 0;
}

/* Asking with no frames and no list gives the number of frames there are. */
int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem, domid_t domid, unsigned int type, unsigned int id,
                                   size_t *size)
{
    struct xen_mem_acquire_resource request = {.domid = domid, .type = (uint16_t)type, .id = id};

    if (!allowed(fmem, domid))
        return -1;
    if (acquire(&request) < 0)
        return -1;
    *size = (size_t)request.nr_frames << PAGE_SHIFT;
    return 0;
}

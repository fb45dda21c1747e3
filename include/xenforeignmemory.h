/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory of other domains: source-compatible with the Xen project's libxenforeignmemory 1.4. Needs the privilege over
 * the domain. Failures give NULL or -1 and errno; prot is PROT_READ, optionally with PROT_WRITE (sys/mman.h).
 */
#ifndef XENFOREIGNMEMORY_H
#define XENFOREIGNMEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <abi/xen.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xentoollog_logger;

typedef struct xenforeignmemory_handle xenforeignmemory_handle;

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger, unsigned open_flags);
int xenforeignmemory_close(xenforeignmemory_handle *fmem);

/*
 * Maps the frames arr[0..pages) side by side. With err == NULL the first failure undoes all and gives NULL; otherwise
 * err[i] is 0 or an errno value for each frame and the pages that failed stay unmapped.
 */
void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages,
                           const xen_pfn_t arr[/*pages*/], int err[/*pages*/]);

/* addr is a hint and flags are mmap's: both are ignored here. */
void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom, void *addr, int prot, int flags, size_t pages,
                            const xen_pfn_t arr[/*pages*/], int err[/*pages*/]);

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages);

/* From now on only this domain can be mapped through the handle. */
int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid);

typedef struct xenforeignmemory_resource_handle xenforeignmemory_resource_handle;

/* Maps frames of a XENMEM_resource_* of the domain; *paddr gets the address. */
xenforeignmemory_resource_handle *xenforeignmemory_map_resource(xenforeignmemory_handle *fmem, domid_t domid,
                                                                unsigned int type, unsigned int id, unsigned long frame,
                                                                unsigned long nr_frames, void **paddr, int prot,
                                                                int flags);
int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem, xenforeignmemory_resource_handle *fres);

/* Size of the whole resource, in bytes. */
int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem, domid_t domid, unsigned int type, unsigned int id,
                                   size_t *size);

#ifdef __cplusplus
}
#endif
#endif

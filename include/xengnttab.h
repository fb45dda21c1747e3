/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants from programs: source-compatible with the Xen project's libxengnttab 1.2. xengnttab_* uses what other domains
 * lend, xengntshr_* lends pages of ours. Failures give NULL or -1 and errno. prot is PROT_READ, optionally with
 * PROT_WRITE (sys/mman.h).
 */
#ifndef XENGNTTAB_H
#define XENGNTTAB_H

#include <stdint.h>
#include <abi/grant_table.h>
#include <abi/event_channel.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xentoollog_logger;

typedef struct xengntdev_handle xengnttab_handle;

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned open_flags);

/* Unmaps whatever the handle still has mapped. */
int xengnttab_close(xengnttab_handle *xgt);
int xengnttab_fd(xengnttab_handle *xgt);

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot);

/* All or nothing: one range of count pages, refs[i] of domids[i] at page i. */
void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t *domids, uint32_t *refs, int prot);
void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid, uint32_t *refs, int prot);

/*
 * On unmapping, the byte at notify_offset is zeroed and notify_port signalled; UINT32_MAX (-1) stands for neither.
 */
void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot,
                                     uint32_t notify_offset, evtchn_port_t notify_port);

/* Takes the address and count of one mapping call. */
int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count);

/* Limits how many references the handle may have mapped at once. */
int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants);

/* One copy; GNTCOPY_source_gref / GNTCOPY_dest_gref in flags say which side is `foreign`. status is a GNTST_* value. */
struct xengnttab_grant_copy_segment {
    union xengnttab_copy_ptr {
        void *virt;
        struct {
            uint32_t ref;
            uint16_t offset;
            uint16_t domid;
        } foreign;
    } source, dest;
    uint16_t len;
    uint16_t flags;
    int16_t status;
};

typedef struct xengnttab_grant_copy_segment xengnttab_grant_copy_segment_t;

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count, xengnttab_grant_copy_segment_t *segs);

/* DMA buffers belong to Linux; these answer -1 with EOPNOTSUPP. */
#define GNTDEV_DMA_FLAG_WC       (1 << 0)
#define GNTDEV_DMA_FLAG_COHERENT (1 << 1)
int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t flags, uint32_t count,
                                   const uint32_t *refs, uint32_t *fd);
int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *xgt, uint32_t fd, uint32_t wait_to_ms);
int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t fd, uint32_t count, uint32_t *refs);
int xengnttab_dmabuf_imp_release(xengnttab_handle *xgt, uint32_t fd);

typedef struct xengntdev_handle xengntshr_handle;

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned open_flags);
int xengntshr_close(xengntshr_handle *xgs);
int xengntshr_fd(xengntshr_handle *xgs);

/* Fresh zeroed pages lent to domid; refs gets one reference per page. */
void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count, uint32_t *refs, int writable);
void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid, uint32_t *ref, int writable,
                                  uint32_t notify_offset, evtchn_port_t notify_port);

/* EBUSY while the other side has a page mapped: the pages then stay shared. */
int xengntshr_unshare(xengntshr_handle *xgs, void *start_address, uint32_t count);

#ifdef __cplusplus
}
#endif
#endif

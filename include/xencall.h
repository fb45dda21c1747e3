/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Hypercalls from programs: source-compatible with the Xen project's libxencall 1. Each call returns the hypercall's
 * result, or -1 with errno (the local numbers) when it was negative.
 */
#ifndef XENCALL_H
#define XENCALL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xentoollog_logger;

typedef struct xencall_handle xencall_handle;

/* For xencall_open: the caller promises not to use the handle from several threads at once. */
#define XENCALL_OPENFLAG_NON_REENTRANT (1U << 0)

/* NULL and errno on failure. The logger may be NULL. */
xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned open_flags);
int xencall_close(xencall_handle *xcall);

/* There is no descriptor behind the handle here: -1. */
int xencall_fd(xencall_handle *xcall);

int xencall0(xencall_handle *xcall, unsigned int op);
int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1);
int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2);
int xencall3(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3);
int xencall4(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3, uint64_t arg4);
int xencall5(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3, uint64_t arg4,
             uint64_t arg5);

/* For results that need the full width of a long (memory_op). */
long xencall2L(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2);

/* Memory that may be passed to a hypercall, zeroed; whole pages start on a page boundary. NULL and errno on failure. */
void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t nr_pages);
void xencall_free_buffer_pages(xencall_handle *xcall, void *p, size_t nr_pages);
void *xencall_alloc_buffer(xencall_handle *xcall, size_t size);
void xencall_free_buffer(xencall_handle *xcall, void *p);

/* Non-zero when a hypercall can never answer EFAULT for these buffers: always so here. */
int xencall_buffers_never_fault(xencall_handle *xcall);

#ifdef __cplusplus
}
#endif
#endif

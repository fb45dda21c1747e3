/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * libxencall over guest-pv: programs and kernel are one, so a call is the bare hypercall with its error translated.
 */
#include <errno.h>
#include <stdlib.h>
#include <xencall.h>
#include <pv/hypercall.h>
#include <pv/paging.h>

struct xencall_handle {
    unsigned int flags;
};

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    xencall_handle *xcall;

    if (open_flags & ~XENCALL_OPENFLAG_NON_REENTRANT) {
        errno = EINVAL;
        return NULL;
    }
    xcall = calloc(1, sizeof(*xcall));
    if (xcall != NULL)
        xcall->flags = open_flags;
    return xcall;
}

int xencall_close(xencall_handle *xcall)
{
    free(xcall);
    return 0;
}

int xencall_fd(xencall_handle *xcall)
{
    return -1;
}

static long result(long rc)
{
    if (rc >= 0)
        return rc;
    errno = (int)-pv_error(rc);
    return -1;
}

int xencall0(xencall_handle *xcall, unsigned int op)
{
    return (int)result(pv_hypercall0(op));
}

int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1)
{
    return (int)result(pv_hypercall1(op, (unsigned long)arg1));
}

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
    return (int)result(pv_hypercall2(op, (unsigned long)arg1, (unsigned long)arg2));
}

int xencall3(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
    return (int)result(pv_hypercall3(op, (unsigned long)arg1, (unsigned long)arg2, (unsigned long)arg3));
}

int xencall4(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3, uint64_t arg4)
{
    return (int)result(
        pv_hypercall4(op, (unsigned long)arg1, (unsigned long)arg2, (unsigned long)arg3, (unsigned long)arg4));
}

int xencall5(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3, uint64_t arg4,
             uint64_t arg5)
{
    return (int)result(pv_hypercall5(op, (unsigned long)arg1, (unsigned long)arg2, (unsigned long)arg3,
                                     (unsigned long)arg4, (unsigned long)arg5));
}

long xencall2L(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
    return result(pv_hypercall2(op, (unsigned long)arg1, (unsigned long)arg2));
}

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t nr_pages)
{
    void *pages = pages_alloc(nr_pages);

    if (pages == NULL)
        errno = ENOMEM;
    return pages;
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *p, size_t nr_pages)
{
    if (p != NULL)
        pages_free(p, nr_pages);
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
    return calloc(1, size != 0 ? size : 1);
}

void xencall_free_buffer(xencall_handle *xcall, void *p)
{
    free(p);
}

int xencall_buffers_never_fault(xencall_handle *xcall)
{
    return 1;
}

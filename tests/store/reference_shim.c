/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Preloaded into the reference xenstored so that it runs without a hypervisor: domains 0 to 10 are always there, their
 * rings are files in $REFERENCE_DIR, events arrive as port numbers through a FIFO there, and port 100 + N is domain N's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define DOMAINS   11
#define VIRQ_PORT 50

static char handle; /* its address stands for every library's handle */
static int events;

static int real_open(const char *path, int flags)
{
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");

    return next(path, flags, 0600);
}

static int open_here(const char *name, int flags)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", getenv("REFERENCE_DIR"), name);
    return real_open(path, flags);
}

static int open_page(unsigned int domid)
{
    char name[16];
    int fd;

    snprintf(name, sizeof(name), "ring%u", domid);
    fd = open_here(name, O_RDWR | O_CREAT);
    if (ftruncate(fd, 4096))
        abort();
    return fd;
}

int open(const char *path, int flags, ...)
{
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    va_list args;
    int mode, fd;

    if (!strcmp(path, "/proc/xen/xsd_kva"))
        return open_page(0);
    if (!strcmp(path, "/proc/xen/xsd_port")) {
        fd = open_here("port", O_RDWR | O_CREAT | O_TRUNC);
        if (write(fd, "1\n", 2) != 2)
            abort();
        lseek(fd, 0, SEEK_SET);
        return fd;
    }
    va_start(args, flags);
    mode = va_arg(args, int);
    va_end(args);
    return next(path, flags, mode);
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/events", getenv("REFERENCE_DIR"));
    mkfifo(path, 0600);
    events = real_open(path, O_RDWR);
    return (xenevtchn_handle *)&handle;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned open_flags)
{
    return (xenevtchn_handle *)&handle;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return events;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
    return VIRQ_PORT;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t remote_port)
{
    return 100 + (int)domid;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    return 0;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    uint32_t port;

    return read(events, &port, sizeof(port)) == sizeof(port) ? (int)port : -1;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    return (xengnttab_handle *)&handle;
}

int xengnttab_close(xengnttab_handle *xgt)
{
    return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    int fd = open_page(domid);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);
    return page;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
    return munmap(start_address, count * 4096ul);
}

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *builder_logger, unsigned open_flags)
{
    return (xc_interface *)&handle;
}

int xc_interface_close(xc_interface *xch)
{
    return 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first_domid, unsigned int max_doms, xc_dominfo_t *info)
{
    if (first_domid >= DOMAINS) {
        errno = ESRCH;
        return 0;
    }
    memset(info, 0, sizeof(*info));
    info->domid = first_domid;
    info->running = 1;
    return 1;
}

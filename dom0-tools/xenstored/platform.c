/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the store daemon needs from below, in the embedded dom0: hypercalls through the stable libraries.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <abi/grant_table.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>

#include "../libctl/ctl.h"
#include "daemon.h"
#include "platform.h"
#include "start.h"

#define BATCH 64

enum mapping { BY_GRANT, BY_FRAME };

xenevtchn_handle *platform_evtchn;

static xengnttab_handle *gnttab;
static xenforeignmemory_handle *foreign;
static struct ctl *ctl;

/* A stretch of the hypervisor's list of domains, as it was when it was fetched. */
static struct {
    struct xen_domctl_getdomaininfo infos[BATCH];
    unsigned int first, last; /* the domids that it answers for; none if first > last */
    int count;
} known = {.first = 1};

int platform_start(void)
{
    platform_evtchn = xenevtchn_open(NULL, 0);
    gnttab = xengnttab_open(NULL, 0);
    foreign = xenforeignmemory_open(NULL, 0);
    ctl = ctl_open();
    return platform_evtchn && gnttab && foreign && ctl ? 0 : -errno;
}

void platform_log(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    daemon_vlog("xenstored", format, args);
    va_end(args);
}

void platform_domains_changed(void)
{
    known.first = 1;
    known.last = 0;
}

static bool fetch_from(unsigned int domid)
{
    known.count = ctl_domain_list(ctl, (domid_t)domid, known.infos, BATCH);
    if (known.count < 0)
        return false;
    known.first = domid;
    known.last = known.count == BATCH ? known.infos[BATCH - 1].domain : DOMID_LIMIT;
    return true;
}

static enum domain_state state_of(const struct xen_domctl_getdomaininfo *info)
{
    if (info->flags & XEN_DOMINF_dying)
        return DOMAIN_DYING;
    return info->flags & XEN_DOMINF_shutdown ? DOMAIN_SHUTDOWN : DOMAIN_RUNNING;
}

/* If the hypervisor cannot be asked, the domain counts as running: nothing is taken away on a guess. */
enum domain_state platform_domain_state(unsigned int domid)
{
    if ((domid < known.first || domid > known.last) && !fetch_from(domid))
        return DOMAIN_RUNNING;
    for (int i = 0; i < known.count; i++)
        if (known.infos[i].domain == domid)
            return state_of(&known.infos[i]);
    return DOMAIN_GONE;
}

struct xenstore_domain_interface *platform_map_ring(unsigned int domid, unsigned long mfn, unsigned int *how)
{
    xen_pfn_t frame = mfn;
    void *ring = xengnttab_map_grant_ref(gnttab, domid, GNTTAB_RESERVED_XENSTORE, PROT_READ | PROT_WRITE);

    *how = BY_GRANT;
    if (!ring) {
        *how = BY_FRAME;
        ring = xenforeignmemory_map(foreign, domid, PROT_READ | PROT_WRITE, 1, &frame, NULL);
    }
    return ring;
}

void platform_unmap_ring(unsigned int domid, struct xenstore_domain_interface *ring, unsigned int how)
{
    if (how == BY_GRANT)
        xengnttab_unmap(gnttab, ring, 1);
    else
        xenforeignmemory_unmap(foreign, ring, 1);
}

int platform_bind_port(unsigned int domid, unsigned int remote_port)
{
    int port = xenevtchn_bind_interdomain(platform_evtchn, domid, remote_port);

    return port < 0 ? -errno : port;
}

void platform_unbind_port(unsigned int port)
{
    xenevtchn_unbind(platform_evtchn, port);
}

void platform_notify(unsigned int port)
{
    xenevtchn_notify(platform_evtchn, port);
}

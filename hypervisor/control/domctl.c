/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * domctl: the one entry, its checks in the order that callers may see, and the table of what there is. One at a time
 * runs; a second caller does not wait with interrupts off but repeats its hypercall.
 */
#include "control/control.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

static spinlock_t domctl_lock;

#define HANDLER(name) [XEN_DOMCTL_##name] = domctl_##name

static domctl_handler *const handlers[] = {
    HANDLER(createdomain),     HANDLER(destroydomain),       HANDLER(pausedomain),         HANDLER(unpausedomain),
    HANDLER(getdomaininfo),    HANDLER(setvcpuaffinity),     HANDLER(shadow_op),           HANDLER(max_mem),
    HANDLER(setvcpucontext),   HANDLER(getvcpucontext),      HANDLER(getvcpuinfo),         HANDLER(max_vcpus),
    HANDLER(scheduler_op),     HANDLER(setdomainhandle),     HANDLER(setdebugging),        HANDLER(irq_permission),
    HANDLER(iomem_permission), HANDLER(ioport_permission),   HANDLER(hypercall_init),      HANDLER(settimeoffset),
    HANDLER(getvcpuaffinity),  HANDLER(resumedomain),        HANDLER(subscribe),           HANDLER(set_address_size),
    HANDLER(get_address_size), HANDLER(set_ext_vcpucontext), HANDLER(get_ext_vcpucontext), HANDLER(gettscinfo),
    HANDLER(settscinfo),       HANDLER(getpageframeinfo3),   HANDLER(setvcpuextstate),     HANDLER(getvcpuextstate),
    HANDLER(setnodeaffinity),  HANDLER(getnodeaffinity),     HANDLER(get_vcpu_msrs),       HANDLER(set_vcpu_msrs),
    HANDLER(get_cpu_policy),   HANDLER(set_cpu_policy),      HANDLER(sendtrigger),
};

/* The domain that the call is about; none is needed to create one, and information is given about the next one too. */
static struct domain *find_domain(const struct xen_domctl *op)
{
    if (op->cmd == XEN_DOMCTL_getdomaininfo)
        return domain_get_from(op->domain);
    return op->cmd == XEN_DOMCTL_createdomain ? NULL : domain_get(op->domain);
}

static long run(struct domain *d, struct domctl *c)
{
    domctl_handler *handler = c->op.cmd < ARRAY_SIZE(handlers) ? handlers[c->op.cmd] : NULL;
    long rc = handler ? handler(d, c) : -ENOSYS;

    if (rc != -ERESTART && c->copy_back && copy_to_guest(c->arg, &c->op, sizeof(c->op)))
        rc = -EFAULT;
    return rc;
}

long do_domctl(unsigned long arg)
{
    struct domctl c = {.arg = arg};
    struct domain *d;
    long rc;

    if (copy_from_guest(&c.op, arg, sizeof(c.op)))
        return -EFAULT;
    if (c.op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    bool asks = c.op.cmd == XEN_DOMCTL_getdomaininfo;
    if (asks && c.op.domain >= DOMID_FIRST_RESERVED)
        return current->domain->privileged ? -EINVAL : -EPERM;
    d = find_domain(&c.op);
    if (!current->domain->privileged && (d || asks || c.op.cmd == XEN_DOMCTL_createdomain)) {
        rc = -EPERM;
    } else if (!d && c.op.cmd != XEN_DOMCTL_createdomain) {
        rc = -ESRCH;
    } else if (spin_trylock(&domctl_lock)) {
        rc = run(d, &c);
        spin_unlock(&domctl_lock);
    } else {
        rc = -ERESTART;
    }
    if (d)
        domain_put(d);
    return rc == -ERESTART ? hypercall_continue(__HYPERVISOR_domctl, 1, arg) : rc;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the control domain asks of the hypervisor, one function per operation, over the stable call library: so the same
 * source serves the embedded dom0 and a Linux one. Every function returns 0 (or what its comment says) or -1 with errno.
 * Memory sizes are in pages or KiB as the names say.
 */
#ifndef LIBCTL_CTL_H
#define LIBCTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/xen.h>
#include <abi/domctl.h>
#include <abi/memory.h>
#include <abi/sysctl.h>
#include <abi/version.h>

struct ctl;

struct ctl *ctl_open(void);
void ctl_close(struct ctl *ctl);

/* Life of a domain. The number of the new domain comes back in *domid. */
int ctl_domain_create(struct ctl *ctl, const struct xen_domctl_createdomain *create, domid_t *domid);
int ctl_domain_destroy(struct ctl *ctl, domid_t domid);
int ctl_domain_pause(struct ctl *ctl, domid_t domid);
int ctl_domain_unpause(struct ctl *ctl, domid_t domid);

/*
 * Lets a suspended domain go on, on whatever its suspend call returns: `cancelled` makes that 1, for a guest whose notes
 * say SUSPEND_CANCEL; it then goes on with all it had. The others find what they would find after a restore.
 */
int ctl_domain_resume(struct ctl *ctl, domid_t domid, bool cancelled);

/* Makes it end as if it had done so itself, for a reason SHUTDOWN_*. */
int ctl_domain_shut_down(struct ctl *ctl, domid_t domid, unsigned int reason);
int ctl_domain_max_vcpus(struct ctl *ctl, domid_t domid, unsigned int count);
int ctl_domain_max_mem(struct ctl *ctl, domid_t domid, uint64_t kib);
int ctl_domain_address_size(struct ctl *ctl, domid_t domid, unsigned int bits);
int ctl_domain_get_address_size(struct ctl *ctl, domid_t domid, unsigned int *bits);
int ctl_domain_hypercall_page(struct ctl *ctl, domid_t domid, xen_pfn_t mfn);
int ctl_domain_memory_map(struct ctl *ctl, domid_t domid, uint64_t bytes);

/* ESRCH when there is no such domain. */
int ctl_domain_info(struct ctl *ctl, domid_t domid, struct xen_domctl_getdomaininfo *info);

/* The domains from first_domain on, at most `max`; returns how many. */
int ctl_domain_list(struct ctl *ctl, domid_t first_domain, struct xen_domctl_getdomaininfo *infos, unsigned int max);

/* vCPUs. `context` has the layout of the domain's width and `size` bytes. */
int ctl_vcpu_set_context(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *context, size_t size);
int ctl_vcpu_info(struct ctl *ctl, domid_t domid, unsigned int vcpu, struct xen_domctl_getvcpuinfo *info);
int ctl_vcpu_get_context(struct ctl *ctl, domid_t domid, unsigned int vcpu, void *context, size_t size);

/* XEN_DOMCTL_SENDTRIGGER_*; EINVAL or ENOSYS when a PV guest has no such thing. */
int ctl_vcpu_trigger(struct ctl *ctl, domid_t domid, unsigned int vcpu, unsigned int trigger);
#define CTL_CPU_BYTES 32
int ctl_vcpu_get_affinity(struct ctl *ctl, domid_t domid, unsigned int vcpu, uint8_t hard[CTL_CPU_BYTES],
                          uint8_t soft[CTL_CPU_BYTES]);

/* NULL leaves that one alone. What became effective comes back in the maps. */
int ctl_vcpu_set_affinity(struct ctl *ctl, domid_t domid, unsigned int vcpu, uint8_t *hard, uint8_t *soft, bool force);

int ctl_sched_get(struct ctl *ctl, domid_t domid, struct xen_domctl_sched_credit2 *params);
int ctl_sched_set(struct ctl *ctl, domid_t domid, const struct xen_domctl_sched_credit2 *params);

/* The shortest run before another vCPU may take over, of the whole scheduler, in microseconds. */
int ctl_sched_ratelimit(struct ctl *ctl, unsigned int *microseconds);

/* Memory. populate and decrease return how many extents were done; frames[] is in and out as the ABI says. */
long ctl_populate(struct ctl *ctl, domid_t domid, unsigned long count, unsigned int order, unsigned int flags,
                  xen_pfn_t *frames);
long ctl_decrease(struct ctl *ctl, domid_t domid, unsigned long count, unsigned int order, xen_pfn_t *frames);
/* In: machine frames; out, in their place: XEN_DOMCTL_PFINFO_*, XTAB for one that is not the domain's. At most 1024. */
int ctl_frame_types(struct ctl *ctl, domid_t domid, xen_pfn_t *frames, size_t count);
int ctl_claim(struct ctl *ctl, domid_t domid, unsigned long pages);
int ctl_pin_table(struct ctl *ctl, domid_t domid, unsigned int command, xen_pfn_t mfn);

/* Machine frame i of the domain's grant table. */
int ctl_grant_frame(struct ctl *ctl, domid_t domid, unsigned int index, xen_pfn_t *mfn);

/* A port of `domid` that `remote` may bind to; returns it. */
int ctl_evtchn_alloc_unbound(struct ctl *ctl, domid_t domid, domid_t remote);

/*
 * Saving and restoring. XEN_DOMCTL_SHADOW_OP_*; the bitmap has `pages` bits, one per guest frame; it and the statistics
 * may be NULL. EOPNOTSUPP or EINVAL: this hypervisor has no shadow page tables.
 */
int ctl_shadow_op(struct ctl *ctl, domid_t domid, unsigned int operation, unsigned int mode, void *bitmap,
                  uint64_t pages, struct xen_domctl_shadow_op_stats *stats);
int ctl_vcpu_get_extended(struct ctl *ctl, domid_t domid, unsigned int vcpu,
                          struct xen_domctl_ext_vcpucontext *extended);
int ctl_vcpu_set_extended(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *extended, size_t size);

/* In: room; out: what there is, in bytes or entries. 0 when the machine or the guest has no such state. */
int ctl_vcpu_get_xsave(struct ctl *ctl, domid_t domid, unsigned int vcpu, void *buffer, size_t *size);
int ctl_vcpu_set_xsave(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *buffer, size_t size);
int ctl_vcpu_get_msrs(struct ctl *ctl, domid_t domid, unsigned int vcpu, struct xen_domctl_vcpu_msr *msrs,
                      unsigned int *count);
int ctl_vcpu_set_msrs(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *msrs, unsigned int count);
int ctl_domain_get_tsc(struct ctl *ctl, domid_t domid, struct xen_domctl_tsc_info *tsc);
int ctl_domain_set_tsc(struct ctl *ctl, domid_t domid, const struct xen_domctl_tsc_info *tsc);

/* CPUID leaves and MSRs of a domain's policy. Counts are room before and number after; bad_*: what was refused. */
struct ctl_policy {
    xen_cpuid_leaf_t *leaves;
    xen_msr_entry_t *msrs;
    uint32_t leaf_count, msr_count;
    uint32_t bad_leaf, bad_subleaf, bad_msr;
};
int ctl_policy_get(struct ctl *ctl, domid_t domid, struct ctl_policy *parts);
int ctl_policy_set(struct ctl *ctl, domid_t domid, struct ctl_policy *parts);

/* Pins all in one call; *done of them, also when it fails. */
int ctl_pin_tables(struct ctl *ctl, domid_t domid, const struct mmuext_op *pins, unsigned int count,
                   unsigned int *done);

/* The first frame of the table from machine to guest frames as 32-bit guests see it: what marks their last L2 table. */
int ctl_compat_m2p_frame(struct ctl *ctl, xen_pfn_t *mfn);

/* The machine. */
int ctl_physinfo(struct ctl *ctl, struct xen_sysctl_physinfo *info);
int ctl_scheduler(struct ctl *ctl, unsigned int *id);

/* Reads on from *index (0: from the oldest byte); returns the number of bytes, 0 at the end. */
long ctl_console_read(struct ctl *ctl, char *buffer, size_t size, uint32_t *index, bool clear);
int ctl_debug_keys(struct ctl *ctl, const char *keys);

/* Trace rings: XEN_SYSCTL_TBUFOP_* with its one argument, a size in pages or a mask of events; all CPUs are traced. */
int ctl_trace(struct ctl *ctl, unsigned int command, uint32_t argument);

/* The first frame of what lists the rings, and its size in bytes; 0 when there are no rings. */
int ctl_trace_info(struct ctl *ctl, xen_pfn_t *mfn, uint32_t *bytes);

/* xen_version; returns its result. */
int ctl_version(struct ctl *ctl, unsigned int command, void *buffer, size_t size);

/* Powers off (SHUTDOWN_poweroff) or restarts (SHUTDOWN_reboot) the machine; returns only on failure. */
int ctl_host_shutdown(struct ctl *ctl, unsigned int reason);

#endif

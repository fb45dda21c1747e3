/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * vcpu_op: life, timers and shared areas of a domain's own vCPUs. Source of the facts: vcpu.h.
 */
#ifndef PARAVANE_ABI_VCPU_H
#define PARAVANE_ABI_VCPU_H

#include "xen.h"

#define VCPUOP_initialise                     0  /* struct vcpu_guest_context; -EEXIST if done already */
#define VCPUOP_up                             1  /* no argument; -EINVAL if not initialised */
#define VCPUOP_down                           2  /* no argument */
#define VCPUOP_is_up                          3  /* no argument; returns 0 or 1, -ENOENT beyond the last vCPU */
#define VCPUOP_get_runstate_info              4  /* struct vcpu_runstate_info */
#define VCPUOP_register_runstate_memory_area  5  /* struct vcpu_register_runstate_memory_area */
#define VCPUOP_set_periodic_timer             6  /* struct vcpu_set_periodic_timer */
#define VCPUOP_stop_periodic_timer            7  /* no argument */
#define VCPUOP_set_singleshot_timer           8  /* struct vcpu_set_singleshot_timer; own vCPU only */
#define VCPUOP_stop_singleshot_timer          9  /* no argument; own vCPU only */
#define VCPUOP_register_vcpu_info             10 /* struct vcpu_register_vcpu_info; once */
#define VCPUOP_send_nmi                       11 /* no argument */
#define VCPUOP_get_physid                     12 /* struct vcpu_get_physid; pinned vCPUs of the hardware domain */
#define VCPUOP_register_vcpu_time_memory_area 13 /* struct vcpu_register_time_memory_area */

/* Values of state and indices of time. */
#define RUNSTATE_running  0
#define RUNSTATE_runnable 1
#define RUNSTATE_blocked  2
#define RUNSTATE_offline  3

/* Set in state_entry_time while the hypervisor writes, if VMASST_TYPE_runstate_update_flag is on. */
#define XEN_RUNSTATE_UPDATE (xen_mk_ullong(1) << 63)

struct vcpu_runstate_info {
    int state;
    uint64_t state_entry_time; /* ns */
    uint64_t time[4];          /* ns spent in each state, up to state_entry_time */
};
typedef struct vcpu_runstate_info vcpu_runstate_info_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_runstate_info_t);

struct vcpu_register_runstate_memory_area {
    union {
        XEN_GUEST_HANDLE(vcpu_runstate_info_t) h; /* null: no longer */
        struct vcpu_runstate_info *v;
        uint64_t p;
    } addr;
};
typedef struct vcpu_register_runstate_memory_area vcpu_register_runstate_memory_area_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_register_runstate_memory_area_t);

struct vcpu_set_periodic_timer {
    uint64_t period_ns; /* at least 1 ms */
};
typedef struct vcpu_set_periodic_timer vcpu_set_periodic_timer_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_set_periodic_timer_t);

#define _VCPU_SSHOTTMR_future 0
#define VCPU_SSHOTTMR_future  (1U << _VCPU_SSHOTTMR_future) /* -ETIME if the time has passed already */
struct vcpu_set_singleshot_timer {
    uint64_t timeout_abs_ns; /* system time */
    uint32_t flags;
};
typedef struct vcpu_set_singleshot_timer vcpu_set_singleshot_timer_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_set_singleshot_timer_t);

struct vcpu_register_vcpu_info {
    uint64_t mfn;    /* machine frame of the caller's own */
    uint32_t offset; /* the structure must lie within the page */
    uint32_t rsvd;   /* zero */
};
typedef struct vcpu_register_vcpu_info vcpu_register_vcpu_info_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_register_vcpu_info_t);

struct vcpu_get_physid {
    uint64_t phys_id;
};
typedef struct vcpu_get_physid vcpu_get_physid_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_get_physid_t);
#define xen_vcpu_physid_to_x86_apicid(physid) ((uint32_t)(physid))
#define xen_vcpu_physid_to_x86_acpiid(physid) ((uint32_t)((physid) >> 32))

struct vcpu_register_time_memory_area {
    union {
        XEN_GUEST_HANDLE(vcpu_time_info_t) h; /* null: no longer */
        struct vcpu_time_info *v;
        uint64_t p;
    } addr;
};
typedef struct vcpu_register_time_memory_area vcpu_register_time_memory_area_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_register_time_memory_area_t);

#endif

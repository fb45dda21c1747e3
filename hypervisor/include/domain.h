/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain and its vCPUs. Each room keeps its part in a structure of its own, declared in its own header.
 */
#ifndef HYPERVISOR_DOMAIN_H
#define HYPERVISOR_DOMAIN_H

#include "lib.h"
#include "regs.h"
#include "percpu.h"
#include "mm.h"
#include "sched.h"
#include "time.h"
#include "evtchn.h"
#include "grant.h"
#include "abi/xen.h"
#include "abi/arch_x86.h"
#include "abi/compat.h"
#include "abi/vcpu.h"

#define MAX_VCPUS         32 /* a vcpu_info each in shared_info; more would need register_vcpu_info first */
#define DOMID_LAST_USABLE 0x7FEF

struct guest_entry { /* where a kernel wants to be entered */
    u64 address;
    u16 cs; /* 32-bit kernels choose it; 64-bit: FLAT_KERNEL_CS */
    bool mask_events;
};

struct compact_trap { /* one trap_info, cs and flags kept beside the address */
    u64 address;
    u16 cs;
    u8 flags;
};

/* The first 128 bytes are reached with the short form of an address: what is used most stands there, here and in struct
 * domain. */
struct vcpu {
    struct domain *domain;
    u32 id;
    u32 processor; /* where it runs or last ran */
    bool is_32bit, kernel_mode, initialised, idle;
    bool in_syscall_frame;
    bool nmi_pending, nmi_masked;
    u8 iopl; /* virtual I/O privilege level, as the frame's IOPL field would hold it: 0 to 3 */
    /* vcpu_info: in shared_info, or where register_vcpu_info put it (then info_mfn holds a writable reference). */
    union {
        struct vcpu_info *info;
        struct compat_vcpu_info *compat_info;
    };
    mfn_t info_mfn;
    struct vcpu_mm mm;
    struct compact_trap *traps; /* [256] */
    /* Entry from user mode lands here. */
    u64 kernel_sp;
    u16 kernel_ss;
    bool fpu_dirty;
    u8 breakpoint_hits; /* of the instruction being emulated */
    spinlock_t ldt_lock;
    struct multicall_state {
        bool active, preempted;
        u64 op, args[6];
    } multicall;
    struct cpu_regs regs; /* valid while not on a CPU */
    struct guest_entry event_callback, failsafe_callback, syscall_callback, syscall32_callback, sysenter_callback;
    u64 io_bitmap;
    u32 io_bitmap_ports, gdt_entries;
    u64 ctrlreg[8];  /* virtual CR0 (TS), CR2, CR4 */
    u64 debugreg[8]; /* [5]: enable bits of I/O breakpoints, which DR7 of the CPU does not get */
    u64 fs_base, gs_base_kernel, gs_base_user;
    u64 tsc_aux;
    mfn_t gdt_frames[16];
    u64 ldt_base;
    u32 ldt_entries;
    u32 ldt_mapped;                 /* bit per LDT page in the window */
    u32 ldt_frames[16];             /* mfns */
    void *xsave_block, *xsave_area; /* the area lies in the block, aligned to 64 bytes */
    u64 xcr0;                       /* components it has switched on */
    struct vcpu_sched sched;
    struct vcpu_time time;
    struct vcpu_evtchn evtchn;
};

/* The first two bytes are alike in both widths. */
#define vcpu_upcall_pending(v) (((volatile u8 *)(v)->info)[0])
#define vcpu_upcall_mask(v)    (((volatile u8 *)(v)->info)[1])

#define SHUTDOWN_NONE          0xFF

#define VM_ASSIST_VALID                                                                                                \
    (1UL << VMASST_TYPE_4gb_segments | 1UL << VMASST_TYPE_4gb_segments_notify |                                        \
     1UL << VMASST_TYPE_writable_pagetables | 1UL << VMASST_TYPE_pae_extended_cr3 |                                    \
     1UL << VMASST_TYPE_architectural_iopl | 1UL << VMASST_TYPE_runstate_update_flag | 1UL << VMASST_TYPE_m2p_strict)

enum domain_dying { DOMAIN_ALIVE, DOMAIN_DYING, DOMAIN_DEAD };

struct domain {
    u16 id;
    bool is_32bit, privileged, initial, shutting_down, shut_down, debugger, xs_domain;
    u8 shutdown_code; /* SHUTDOWN_NONE until one is given */
    u8 controller_pauses;
    bool report_pauses; /* a report on what it has written was preempted */
    bool started;       /* by its controller, once: its processor stays what it is */
    u8 dying;           /* enum domain_dying */
    u32 refs;           /* struct lifetime: domain_get / domain_put */
    u32 max_vcpus;
    spinlock_t lock;
    struct vcpu **vcpus; /* [max_vcpus]; entries NULL until created */
    struct domain_evtchn evtchn;
    union {
        struct shared_info *shared_info;
        struct compat_shared_info *compat_shared_info;
    };
    struct domain_mm mm;
    struct domain_grant grant;
    u8 handle[16];
    u64 vm_assist; /* bits 1 << VMASST_TYPE_* */
    u64 hypercall_count, crash_reason;
    bool iopl_trusted; /* dom0: may touch I/O ports and device memory */
    u32 pause_count;
    u32 suspend_port; /* told instead of VIRQ_DOM_EXC when it suspends; 0: none */
    u32 ssidref;
    spinlock_t vcpu_lock; /* serialises VCPUOP_initialise */
    s64 time_offset_seconds;
    u32 address_width; /* 0, or clamp for machine addresses */
    struct domain_sched sched;
    struct domain_time time;
    /* Created by domain_create; freed after the last domain_put. */
    struct domain *next; /* by ascending id */
    char crash_text[120];
};

extern struct domain *domain_zero;
extern struct vcpu *idle_vcpus[MAX_CPUS];

/* Life cycle: domain/domain.c. A new domain is paused once by its controller. DOMID_ANY takes the next free domid. */
#define DOMID_ANY 0x7FF4
struct domain *domain_create(unsigned domid, unsigned flags, unsigned max_vcpus, unsigned max_grant_frames,
                             unsigned max_maptrack_frames, unsigned max_evtchn_port, int *error);
struct vcpu *vcpu_create(struct domain *d, unsigned id);
struct vcpu *idle_vcpu_create(unsigned cpu);
int domain_set_32bit(struct domain *d);    /* before it has pages beyond our own */
int domain_kill(struct domain *d);         /* 0 or -ERESTART, preemptible: all resources given back, then domain_put */
struct domain *domain_get(unsigned domid); /* NULL if none; takes a reference. DOMID_SELF is not resolved. */
/* DOMID_SELF resolves to the caller; another domid only for a privileged caller: NULL and *error -ESRCH or -EPERM. */
struct domain *domain_get_remote(unsigned domid, int *error);
void domain_put(struct domain *d);
struct domain *domain_first(void);              /* iterate under domain_list_lock */
struct domain *domain_get_from(unsigned domid); /* the first with this domid or a higher one; takes a reference */
extern spinlock_t domain_list_lock;

struct domain *domain_get_next(struct domain *d); /* after d, which the caller holds; takes a reference */

/* The toolstack's own pauses: counted, the domain's list shows them. 0, -EINVAL or -EUSERS past 255. */
int domain_controller_pause(struct domain *d);
int domain_controller_unpause(struct domain *d);

/* The guest broke a rule or asked to end. domain_crash prints the report: which rule, registers, stack. */
void domain_crash(struct domain *d, const char *format, ...) PRINTF(2, 3);
void domain_shutdown(struct domain *d, unsigned reason);
void domain_resume(struct domain *d);

/* Trap injection into the current guest (cpu/bounce.c): builds the bounce frame at once. */
void inject_trap(unsigned vector, unsigned error_code);
void inject_software_interrupt(unsigned vector);
void inject_page_fault(unsigned long address, unsigned error_code);
bool vector_has_error_code(unsigned vector);
static inline bool guest_in_kernel(const struct vcpu *v, const struct cpu_regs *regs)
{
    return v->is_32bit ? (regs->cs & 3) == 1 : v->kernel_mode;
}
void toggle_guest_mode(struct vcpu *v); /* 64-bit: kernel <-> user; swaps GS bases and CR3 */
/* Full register context in and out of a vCPU that is not running (domctl, VCPUOP_initialise); native shape. */
int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *context);
void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *context);
void widen_vcpu_context(struct vcpu_guest_context *to, const struct compat_vcpu_guest_context *from);
void narrow_vcpu_context(struct compat_vcpu_guest_context *to, const struct vcpu_guest_context *from);

#endif

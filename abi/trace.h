/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the hypervisor's trace rings hold: one ring of records for each CPU, written by the hypervisor and read by the
 * control domain, which maps the frames as DOMID_XEN's. XEN_SYSCTL_tbuf_op makes the rings and switches them on.
 * Numbers: Xen 4.17, public/trace.h. Events that only this hypervisor writes have names that begin with PARAVANE_ABI_;
 * their numbers are in a subclass that Xen leaves free.
 */
#ifndef PARAVANE_ABI_TRACE_H
#define PARAVANE_ABI_TRACE_H

#include "xen.h"

/* An event is class (bits 16 to 27), subclass (bits 12 to 15) and number. A mask selects by classes and subclasses. */
#define TRC_GEN          0x0001f000
#define TRC_SCHED        0x0002f000
#define TRC_DOM0OP       0x0004f000
#define TRC_HVM          0x0008f000
#define TRC_MEM          0x0010f000
#define TRC_PV           0x0020f000
#define TRC_SHADOW       0x0040f000
#define TRC_HW           0x0080f000
#define TRC_GUEST        0x0800f000
#define TRC_ALL          0x0ffff000
#define TRC_SUBCLS_SHIFT 12

/* The first word of a record: the event, the number of words at its end, and whether the TSC comes between. */
#define TRACE_EXTRA_MAX                7
#define TRACE_EXTRA_SHIFT              28
#define TRC_HD_CYCLE_FLAG              (1UL << 31)
#define TRC_HD_TO_EVENT(x)             ((x)&0x0fffffff)
#define TRC_HD_EXTRA(x)                (((x) >> TRACE_EXTRA_SHIFT) & TRACE_EXTRA_MAX)
#define TRC_HD_INCLUDES_CYCLE_COUNT(x) (!!((x)&TRC_HD_CYCLE_FLAG))

/* The ring itself. Lost: how many, vCPU and domain (16 bits each) that was current, TSC of the first of them. */
#define TRC_LOST_RECORDS      (TRC_GEN + 1)
#define TRC_TRACE_WRAP_BUFFER (TRC_GEN + 2) /* fills the ring's end: skip it */
#define TRC_TRACE_CPU_CHANGE  (TRC_GEN + 3) /* only in files: the CPU of the records that follow */

/* Run states: vCPU and domain; bits 8 and 9 of the event are the old state, 4 and 5 the new one (RUNSTATE_*). */
#define TRC_SCHED_MIN              0x00021000
#define TRC_SCHED_RUNSTATE_CHANGE  (TRC_SCHED_MIN + 1)
#define TRC_SCHED_CONTINUE_RUNNING (TRC_SCHED_MIN + 2) /* vCPU and domain; here: who runs when tracing begins */

/* Domain and vCPU that leave a CPU, then those that come. An idle CPU runs a vCPU of DOMID_IDLE. */
#define TRC_SCHED_VERBOSE 0x00028000
#define TRC_SCHED_SWITCH  (TRC_SCHED_VERBOSE + 10)

/* Ways into the hypervisor. With TRC_64_FLAG addresses have two words. */
#define TRC_64_FLAG              0x100
#define TRC_PV_ENTRY             0x00201000
#define TRC_PV_SUBCALL           0x00202000
#define TRC_PV_TRAP              (TRC_PV_ENTRY + 3) /* rip; vector (15 bits), has an error code (1), error code (16) */
#define TRC_PV_PAGE_FAULT        (TRC_PV_ENTRY + 4) /* rip, address, error code */
#define TRC_PV_HYPERCALL_V2      (TRC_PV_ENTRY + 13)
#define TRC_PV_HYPERCALL_SUBCALL (TRC_PV_SUBCALL + 14) /* inside a multicall */

/* The first word of a hypercall: its number, and from bit 20 on two bits for each argument that follows. */
#define TRC_PV_HYPERCALL_V2_ARG_32(i) (0x1 << (20 + 2 * (i)))
#define TRC_PV_HYPERCALL_V2_ARG_64(i) (0x2 << (20 + 2 * (i)))
#define TRC_PV_HYPERCALL_V2_ARG_MASK  (0xfff00000)

/*
 * Ours. RETURN: a guest goes on: vCPU and domain (16 bits each), bit 0 if to user space, and from bit 8 on the vector by
 * which the CPU had come (0x100: a system call; 0: it came by a hypercall, or the guest is entered elsewhere), rip in two
 * words. USER_CALL: user space calls its kernel; the vector, rip in two words.
 */
#define PARAVANE_ABI_TRC_CROSSING  0x00204000
#define PARAVANE_ABI_TRC_RETURN    (PARAVANE_ABI_TRC_CROSSING + 0x21) /* numbers that xenalyze takes for no event of Xen */
#define PARAVANE_ABI_TRC_USER_CALL (PARAVANE_ABI_TRC_CROSSING + 0x22)
#define PARAVANE_ABI_TRC_USER      0x1 /* to user space */

/*
 * A ring begins with this; the records follow. Both count bytes modulo twice the size of what follows, so that a full
 * ring and an empty one differ. The consumer moves cons, the hypervisor prod.
 */
struct t_buf {
    uint32_t cons;
    uint32_t prod;
};

/* What buffer_mfn points to: pages of each ring, and for each CPU where (in 32-bit words from here) its frames stand. */
struct t_info {
    uint16_t tbuf_size;
    uint16_t mfn_offset[XEN_FLEX_ARRAY_DIM];
};

#endif

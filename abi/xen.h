/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The core of the contract between hypervisor and guests: numbers of hypercalls and virtual interrupts, page-table
 * operations, the pages both sides share. May be included from assembly: constants only then.
 * Source of the facts: xen.h, xen-compat.h.
 */
#ifndef PARAVANE_ABI_XEN_H
#define PARAVANE_ABI_XEN_H

#include "arch_x86.h"

#define __XEN_LATEST_INTERFACE_VERSION__ 0x00040e00
#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#endif

/* Hypercall numbers. Arguments, callers and return codes: hypercalls.tbl and docs/hypercalls.md. */
#define __HYPERVISOR_set_trap_table                0
#define __HYPERVISOR_mmu_update                    1
#define __HYPERVISOR_set_gdt                       2
#define __HYPERVISOR_stack_switch                  3
#define __HYPERVISOR_set_callbacks                 4
#define __HYPERVISOR_fpu_taskswitch                5
#define __HYPERVISOR_sched_op_compat               6
#define __HYPERVISOR_platform_op                   7
#define __HYPERVISOR_set_debugreg                  8
#define __HYPERVISOR_get_debugreg                  9
#define __HYPERVISOR_update_descriptor             10
#define __HYPERVISOR_memory_op                     12
#define __HYPERVISOR_multicall                     13
#define __HYPERVISOR_update_va_mapping             14
#define __HYPERVISOR_set_timer_op                  15
#define __HYPERVISOR_event_channel_op_compat       16
#define __HYPERVISOR_xen_version                   17
#define __HYPERVISOR_console_io                    18
#define __HYPERVISOR_physdev_op_compat             19
#define __HYPERVISOR_grant_table_op                20
#define __HYPERVISOR_vm_assist                     21
#define __HYPERVISOR_update_va_mapping_otherdomain 22
#define __HYPERVISOR_iret                          23
#define __HYPERVISOR_vcpu_op                       24
#define __HYPERVISOR_set_segment_base              25
#define __HYPERVISOR_mmuext_op                     26
#define __HYPERVISOR_xsm_op                        27
#define __HYPERVISOR_nmi_op                        28
#define __HYPERVISOR_sched_op                      29
#define __HYPERVISOR_callback_op                   30
#define __HYPERVISOR_xenoprof_op                   31
#define __HYPERVISOR_event_channel_op              32
#define __HYPERVISOR_physdev_op                    33
#define __HYPERVISOR_hvm_op                        34
#define __HYPERVISOR_sysctl                        35
#define __HYPERVISOR_domctl                        36
#define __HYPERVISOR_kexec_op                      37
#define __HYPERVISOR_tmem_op                       38
#define __HYPERVISOR_argo_op                       39
#define __HYPERVISOR_xenpmu_op                     40
#define __HYPERVISOR_dm_op                         41
#define __HYPERVISOR_hypfs_op                      42
#define __HYPERVISOR_arch_0                        48
#define __HYPERVISOR_arch_1                        49
#define __HYPERVISOR_arch_2                        50
#define __HYPERVISOR_arch_3                        51
#define __HYPERVISOR_arch_4                        52
#define __HYPERVISOR_arch_5                        53
#define __HYPERVISOR_arch_6                        54
#define __HYPERVISOR_arch_7                        55
#define __HYPERVISOR_mca                           __HYPERVISOR_arch_0

/* Virtual interrupts. G: one for the whole system, to its handler domain (dom0 unless changed); V: one per vCPU. */
#define VIRQ_TIMER      0  /* V: a timer of this vCPU expired */
#define VIRQ_DEBUG      1  /* V: asked to dump its state */
#define VIRQ_CONSOLE    2  /* G: characters wait on the hypervisor's console */
#define VIRQ_DOM_EXC    3  /* G: a domain shut down, died or changed */
#define VIRQ_TBUF       4  /* G: trace buffers have records */
#define VIRQ_DEBUGGER   6  /* G: a domain stopped for its debugger */
#define VIRQ_XENOPROF   7  /* V */
#define VIRQ_CON_RING   8  /* G: the console ring has new bytes */
#define VIRQ_PCPU_STATE 9  /* G: a physical CPU came or went */
#define VIRQ_MEM_EVENT  10 /* G */
#define VIRQ_ARGO       11 /* G */
#define VIRQ_ENOMEM     12 /* G: free memory is low */
#define VIRQ_XENPMU     13 /* V */
#define VIRQ_ARCH_0     16
#define VIRQ_ARCH_1     17
#define VIRQ_ARCH_2     18
#define VIRQ_ARCH_3     19
#define VIRQ_ARCH_4     20
#define VIRQ_ARCH_5     21
#define VIRQ_ARCH_6     22
#define VIRQ_ARCH_7     23
#define VIRQ_MCA        VIRQ_ARCH_0 /* G: a machine check was logged */
#define NR_VIRQS        24

/* mmu_update: the two low bits of ptr say what to do; the rest is a machine address. */
#define MMU_NORMAL_PT_UPDATE       0
#define MMU_MACHPHYS_UPDATE        1
#define MMU_PT_UPDATE_PRESERVE_AD  2
#define MMU_PT_UPDATE_NO_TRANSLATE 3

/* mmuext_op commands. */
#define MMUEXT_PIN_L1_TABLE       0
#define MMUEXT_PIN_L2_TABLE       1
#define MMUEXT_PIN_L3_TABLE       2
#define MMUEXT_PIN_L4_TABLE       3
#define MMUEXT_UNPIN_TABLE        4
#define MMUEXT_NEW_BASEPTR        5
#define MMUEXT_TLB_FLUSH_LOCAL    6
#define MMUEXT_INVLPG_LOCAL       7
#define MMUEXT_TLB_FLUSH_MULTI    8
#define MMUEXT_INVLPG_MULTI       9
#define MMUEXT_TLB_FLUSH_ALL      10
#define MMUEXT_INVLPG_ALL         11
#define MMUEXT_FLUSH_CACHE        12
#define MMUEXT_SET_LDT            13
#define MMUEXT_NEW_USER_BASEPTR   15
#define MMUEXT_CLEAR_PAGE         16
#define MMUEXT_COPY_PAGE          17
#define MMUEXT_FLUSH_CACHE_GLOBAL 18
#define MMUEXT_MARK_SUPER         19
#define MMUEXT_UNMARK_SUPER       20

/* update_va_mapping flags: kind of flush in bits 0-1; whom to flush above: this CPU, every CPU, or with UVMF_MULTI the
 * CPUs of the bitmap whose address makes up the remaining bits. */
/* clang-format off */
#define UVMF_NONE           (xen_mk_ulong(0) << 0)
#define UVMF_TLB_FLUSH      (xen_mk_ulong(1) << 0)
#define UVMF_INVLPG         (xen_mk_ulong(2) << 0)
#define UVMF_FLUSHTYPE_MASK (xen_mk_ulong(3) << 0)
#define UVMF_MULTI          (xen_mk_ulong(0) << 2)
#define UVMF_LOCAL          (xen_mk_ulong(0) << 2)
#define UVMF_ALL            (xen_mk_ulong(1) << 2)
/* clang-format on */

#define CONSOLEIO_write                  0
#define CONSOLEIO_read                   1

#define VMASST_CMD_enable                0
#define VMASST_CMD_disable               1

#define VMASST_TYPE_4gb_segments         0  /* 32-bit: emulate accesses above the segment limit (a no-op here) */
#define VMASST_TYPE_4gb_segments_notify  1  /* 32-bit: and tell the guest by trap 15 */
#define VMASST_TYPE_writable_pagetables  2  /* a guest kernel's writes to page tables are emulated; dom0's are anyway */
#define VMASST_TYPE_pae_extended_cr3     3  /* L3 tables may lie above 4 GiB */
#define VMASST_TYPE_architectural_iopl   4  /* IOPL is kept in the guest's eflags image */
#define VMASST_TYPE_runstate_update_flag 5  /* runstate areas carry XEN_RUNSTATE_UPDATE */
#define VMASST_TYPE_m2p_strict           32 /* 64-bit: user page tables do not see the machine-to-guest table */
#define MAX_VMASST_TYPE                  3  /* what old interfaces knew */

/* Domain numbers with a meaning of their own; real domains are below DOMID_FIRST_RESERVED. */
#define DOMID_FIRST_RESERVED       xen_mk_uint(0x7FF0)
#define DOMID_SELF                 xen_mk_uint(0x7FF0) /* the caller */
#define DOMID_IO                   xen_mk_uint(0x7FF1) /* owner of device memory */
#define DOMID_XEN                  xen_mk_uint(0x7FF2) /* owner of what the hypervisor shares */
#define DOMID_COW                  xen_mk_uint(0x7FF3)
#define DOMID_INVALID              xen_mk_uint(0x7FF4)
#define DOMID_IDLE                 xen_mk_uint(0x7FFF)
#define DOMID_MASK                 xen_mk_uint(0x7FFF)

#define XEN_PVCLOCK_TSC_STABLE_BIT (1 << 0)
#define XEN_PVCLOCK_GUEST_STOPPED  (1 << 1)

/* start_info.flags */
#define SIF_PRIVILEGED      (1 << 0)
#define SIF_INITDOMAIN      (1 << 1)
#define SIF_MULTIBOOT_MOD   (1 << 2) /* mod_start points to xen_multiboot_mod_list entries */
#define SIF_MOD_START_PFN   (1 << 3) /* mod_start is a guest frame number, the module is not mapped */
#define SIF_VIRT_P2M_4TOOLS (1 << 4) /* tools can follow a linear p2m in arch_shared_info */
#define SIF_PM_MASK         (0xFF << 8)

#define MAX_GUEST_CMDLINE   1024

#ifndef __ASSEMBLER__

#define XEN_FLEX_ARRAY_DIM

typedef uint16_t domid_t;
typedef uint8_t xen_domain_handle_t[16];

DEFINE_XEN_GUEST_HANDLE(char);
__DEFINE_XEN_GUEST_HANDLE(uchar, unsigned char);
DEFINE_XEN_GUEST_HANDLE(int);
__DEFINE_XEN_GUEST_HANDLE(uint, unsigned int);
DEFINE_XEN_GUEST_HANDLE(long);
__DEFINE_XEN_GUEST_HANDLE(ulong, unsigned long);
DEFINE_XEN_GUEST_HANDLE(void);
DEFINE_XEN_GUEST_HANDLE(uint64_t);
DEFINE_XEN_GUEST_HANDLE(xen_pfn_t);
DEFINE_XEN_GUEST_HANDLE(xen_ulong_t);
__DEFINE_XEN_GUEST_HANDLE(uint8, uint8_t);
__DEFINE_XEN_GUEST_HANDLE(uint16, uint16_t);
__DEFINE_XEN_GUEST_HANDLE(uint32, uint32_t);
__DEFINE_XEN_GUEST_HANDLE(uint64, uint64_t);

/* One page-table write: ptr is the machine address of the entry plus an MMU_* kind in bits 0-1, val the new entry
 * (for MMU_MACHPHYS_UPDATE: ptr names a machine frame, val is the guest frame to record for it). */
struct mmu_update {
    uint64_t ptr;
    uint64_t val;
};
typedef struct mmu_update mmu_update_t;
DEFINE_XEN_GUEST_HANDLE(mmu_update_t);

/* arg1: mfn for pin, unpin, baseptr, clear, copy (destination), mark; linear_addr for invlpg and set_ldt.
 * arg2: nr_ents for set_ldt (descriptors), vcpumask for the multi forms, src_mfn for copy. */
struct mmuext_op {
    unsigned int cmd;
    union {
        xen_pfn_t mfn;
        unsigned long linear_addr;
    } arg1;
    union {
        unsigned int nr_ents;
        XEN_GUEST_HANDLE(const_void) vcpumask;
        xen_pfn_t src_mfn;
    } arg2;
};
typedef struct mmuext_op mmuext_op_t;
DEFINE_XEN_GUEST_HANDLE(mmuext_op_t);

struct multicall_entry {
    xen_ulong_t op, result;
    xen_ulong_t args[6];
};
typedef struct multicall_entry multicall_entry_t;
DEFINE_XEN_GUEST_HANDLE(multicall_entry_t);

/* Time of day since boot, to be read under version (odd: being written; changed: read again).
 * Nanoseconds since tsc_timestamp = (((tsc - tsc_timestamp) shifted left by tsc_shift, right if negative)
 * * tsc_to_system_mul) >> 32. */
struct vcpu_time_info {
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time; /* ns */
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags; /* XEN_PVCLOCK_* */
    uint8_t pad1[2];
};
typedef struct vcpu_time_info vcpu_time_info_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_time_info_t);

/* Per-vCPU part of the shared page, 64 bytes in both widths. Both sides write it at any time. */
struct vcpu_info {
    uint8_t evtchn_upcall_pending;
    uint8_t evtchn_upcall_mask;
    xen_ulong_t evtchn_pending_sel;
    struct arch_vcpu_info arch;
    vcpu_time_info_t time;
};
typedef struct vcpu_info vcpu_info_t;

/* The shared page: vCPU parts, the two bitmaps of 2-level event channels, wall-clock time (wc_*, read under
 * wc_version like vcpu_time_info). A 32-bit guest has the high half of the seconds in arch. */
struct shared_info {
    struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    xen_ulong_t evtchn_pending[sizeof(xen_ulong_t) * 8];
    xen_ulong_t evtchn_mask[sizeof(xen_ulong_t) * 8];
    uint32_t wc_version;
    uint32_t wc_sec;
    uint32_t wc_nsec;
#ifdef __x86_64__
    uint32_t wc_sec_hi;
#define xen_wc_sec_hi wc_sec_hi
#else
#define xen_wc_sec_hi arch.wc_sec_hi
#endif
    struct arch_shared_info arch;
};
typedef struct shared_info shared_info_t;

/* What a PV kernel finds at its entry, in the page that ESI or RSI points to. Addresses are virtual unless said
 * otherwise; shared_info is a machine address, store_mfn and console.domU.mfn are machine frames. */
struct start_info {
    char magic[32]; /* "xen-<major>.<minor>-<architecture>" */
    unsigned long nr_pages;
    unsigned long shared_info;
    uint32_t flags; /* SIF_* */
    xen_pfn_t store_mfn;
    uint32_t store_evtchn;
    union {
        struct {
            xen_pfn_t mfn;
            uint32_t evtchn;
        } domU;
        struct {
            uint32_t info_off; /* of a dom0_vga_console_info, from the start of this structure */
            uint32_t info_size;
        } dom0;
    } console;
    unsigned long pt_base;
    unsigned long nr_pt_frames;
    unsigned long mfn_list;
    unsigned long mod_start;
    unsigned long mod_len; /* bytes */
    int8_t cmd_line[MAX_GUEST_CMDLINE];
    unsigned long first_p2m_pfn;
    unsigned long nr_p2m_frames;
};
typedef struct start_info start_info_t;

struct xen_multiboot_mod_list {
    uint32_t mod_start; /* virtual */
    uint32_t mod_end;
    uint32_t cmdline;
    uint32_t pad; /* zero */
};

/* The screen that the boot loader left to dom0. */
#define XEN_VGATYPE_TEXT_MODE_3 0x03
#define XEN_VGATYPE_VESA_LFB    0x23
#define XEN_VGATYPE_EFI_LFB     0x70
typedef struct dom0_vga_console_info {
    uint8_t video_type;
    union {
        struct {
            uint16_t font_height;
            uint16_t cursor_x, cursor_y;
            uint16_t rows, columns;
        } text_mode_3;
        struct {
            uint16_t width, height;
            uint16_t bytes_per_line;
            uint16_t bits_per_pixel;
            uint32_t lfb_base;
            uint32_t lfb_size; /* units of 64 KiB */
            uint8_t red_pos, red_size;
            uint8_t green_pos, green_size;
            uint8_t blue_pos, blue_size;
            uint8_t rsvd_pos, rsvd_size;
            uint32_t gbl_caps;
            uint16_t mode_attrs;
            uint16_t pad;
            uint32_t ext_lfb_base; /* high half of the base */
        } vesa_lfb;
    } u;
} dom0_vga_console_info_t;
#define xen_vga_console_info   dom0_vga_console_info
#define xen_vga_console_info_t dom0_vga_console_info_t

/* Sixteen bytes in the order in which a UUID is written. */
typedef struct {
    uint8_t a[16];
} xen_uuid_t;

/* A bitmap in the caller's memory: bit n is bit n % 8 of byte n / 8. */
struct xenctl_bitmap {
    XEN_GUEST_HANDLE_64(uint8) bitmap;
    uint32_t nr_bits;
};
typedef struct xenctl_bitmap xenctl_bitmap_t;

#endif /* __ASSEMBLER__ */
#endif

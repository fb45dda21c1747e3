/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a 32-bit guest lays out differently from a 64-bit one, by explicit size and the same in every compilation: the
 * 64-bit hypervisor reads and writes 32-bit guests' structures through these. compat_X is the 32-bit form of struct X
 * or struct xen_X. Structures that are not here are the same in both widths. tests/abi compares them with what the
 * 32-bit compilation of the reference headers says.
 */
#ifndef PARAVANE_ABI_COMPAT_H
#define PARAVANE_ABI_COMPAT_H

#include "xen.h"
#include "event_channel.h"
#include "grant_table.h"
#include "memory.h"
#include "physdev.h"
#include "platform.h"
#include "io/ring.h"

typedef uint32_t compat_ulong_t;
typedef uint32_t compat_pfn_t;
typedef uint32_t compat_handle_t; /* a guest handle: an address */

/* 32-bit x86 aligns 64-bit integers in structures to four bytes. */
typedef uint64_t compat_u64 __attribute__((aligned(4)));

/* The hole of a 32-bit guest and what starts it: 32-bit entries, guest frame by machine frame. */
#define COMPAT_HYPERVISOR_VIRT_START 0xF5800000U
#define COMPAT_MACH2PHYS_VIRT_START  0xF5800000U
#define COMPAT_MACH2PHYS_VIRT_END    0xF6800000U
#define COMPAT_MACH2PHYS_NR_ENTRIES  ((COMPAT_MACH2PHYS_VIRT_END - COMPAT_MACH2PHYS_VIRT_START) >> 2)

/* 2-level event channels of a 32-bit guest. */
#define COMPAT_EVTCHN_2L_NR_CHANNELS 1024

/* Selectors of the flat segments that every 32-bit domain finds in its GDT. */
#define COMPAT_FLAT_RING1_CS 0xe019
#define COMPAT_FLAT_RING1_DS 0xe021
#define COMPAT_FLAT_RING1_SS 0xe021
#define COMPAT_FLAT_RING3_CS 0xe02b
#define COMPAT_FLAT_RING3_DS 0xe033
#define COMPAT_FLAT_RING3_SS 0xe033

/* A PAE CR3 as guests hand it around: the frame number rotated left by 12. */
#define compat_pfn_to_cr3(pfn) (((uint32_t)(pfn) << 12) | ((uint32_t)(pfn) >> 20))
#define compat_cr3_to_pfn(cr3) (((uint32_t)(cr3) >> 12) | ((uint32_t)(cr3) << 20))

struct compat_trap_info {
    uint8_t vector;
    uint8_t flags;
    uint16_t cs;
    compat_ulong_t address;
};

struct compat_cpu_user_regs {
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
    uint32_t esi;
    uint32_t edi;
    uint32_t ebp;
    uint32_t eax;
    uint16_t error_code;
    uint16_t entry_vector;
    uint32_t eip;
    uint16_t cs;
    uint8_t saved_upcall_mask;
    uint8_t _pad0;
    uint32_t eflags;
    uint32_t esp;
    uint16_t ss, _pad1;
    uint16_t es, _pad2;
    uint16_t ds, _pad3;
    uint16_t fs, _pad4;
    uint16_t gs, _pad5;
};

struct compat_vcpu_guest_context {
    struct {
        char x[512];
    } fpu_ctxt;
    compat_ulong_t flags;
    struct compat_cpu_user_regs user_regs;
    struct compat_trap_info trap_ctxt[256];
    compat_ulong_t ldt_base, ldt_ents;
    compat_ulong_t gdt_frames[16], gdt_ents;
    compat_ulong_t kernel_ss, kernel_sp;
    compat_ulong_t ctrlreg[8];
    compat_ulong_t debugreg[8];
    compat_ulong_t event_callback_cs;
    compat_ulong_t event_callback_eip;
    compat_ulong_t failsafe_callback_cs;
    compat_ulong_t failsafe_callback_eip;
    compat_ulong_t vm_assist;
};

struct compat_arch_vcpu_info {
    compat_ulong_t cr2;
    compat_ulong_t pad[5];
};

struct compat_vcpu_info {
    uint8_t evtchn_upcall_pending;
    uint8_t evtchn_upcall_mask;
    compat_ulong_t evtchn_pending_sel;
    struct compat_arch_vcpu_info arch;
    struct vcpu_time_info time;
};

struct compat_arch_shared_info {
    compat_ulong_t max_pfn;
    compat_pfn_t pfn_to_mfn_frame_list_list;
    compat_ulong_t nmi_reason;
    compat_ulong_t p2m_cr3;
    compat_ulong_t p2m_vaddr;
    compat_ulong_t p2m_generation;
    uint32_t wc_sec_hi;
};

struct compat_shared_info {
    struct compat_vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    compat_ulong_t evtchn_pending[32];
    compat_ulong_t evtchn_mask[32];
    uint32_t wc_version;
    uint32_t wc_sec;
    uint32_t wc_nsec;
    struct compat_arch_shared_info arch;
};

struct compat_start_info {
    char magic[32];
    compat_ulong_t nr_pages;
    compat_ulong_t shared_info;
    uint32_t flags;
    compat_pfn_t store_mfn;
    uint32_t store_evtchn;
    union {
        struct {
            compat_pfn_t mfn;
            uint32_t evtchn;
        } domU;
        struct {
            uint32_t info_off;
            uint32_t info_size;
        } dom0;
    } console;
    compat_ulong_t pt_base;
    compat_ulong_t nr_pt_frames;
    compat_ulong_t mfn_list;
    compat_ulong_t mod_start;
    compat_ulong_t mod_len;
    int8_t cmd_line[MAX_GUEST_CMDLINE];
    compat_ulong_t first_p2m_pfn;
    compat_ulong_t nr_p2m_frames;
};

struct compat_mmuext_op {
    uint32_t cmd;
    union {
        compat_pfn_t mfn;
        compat_ulong_t linear_addr;
    } arg1;
    union {
        uint32_t nr_ents;
        compat_handle_t vcpumask;
        compat_pfn_t src_mfn;
    } arg2;
};

struct compat_multicall_entry {
    compat_ulong_t op, result;
    compat_ulong_t args[6];
};

struct compat_callback {
    compat_ulong_t cs;
    compat_ulong_t eip;
};

struct compat_callback_register {
    uint16_t type;
    uint16_t flags;
    struct compat_callback address;
};

struct compat_xennmi_callback {
    compat_ulong_t handler_address;
    compat_ulong_t pad;
};

struct compat_platform_parameters {
    compat_ulong_t virt_start;
};

struct compat_sched_poll {
    compat_handle_t ports;
    uint32_t nr_ports;
    compat_u64 timeout;
};

struct compat_vcpu_runstate_info {
    int32_t state;
    compat_u64 state_entry_time;
    compat_u64 time[4];
};

/* A 32-bit kernel may leave the upper half of the union as it was: read h. */
struct compat_vcpu_register_runstate_memory_area {
    union {
        compat_handle_t h;
        compat_handle_t v;
        compat_u64 p;
    } addr;
};

struct compat_vcpu_register_time_memory_area {
    union {
        compat_handle_t h;
        compat_handle_t v;
        compat_u64 p;
    } addr;
};

/* Shorter than the 64-bit forms by the padding at their ends: never read or written beyond. */
struct compat_vcpu_set_singleshot_timer {
    compat_u64 timeout_abs_ns;
    uint32_t flags;
};

struct compat_memory_reservation {
    compat_handle_t extent_start;
    compat_ulong_t nr_extents;
    uint32_t extent_order;
    uint32_t mem_flags;
    domid_t domid;
};

struct compat_memory_exchange {
    struct compat_memory_reservation in;
    struct compat_memory_reservation out;
    compat_ulong_t nr_exchanged;
};

struct compat_machphys_mfn_list {
    uint32_t max_extents;
    compat_handle_t extent_start;
    uint32_t nr_extents;
};

struct compat_machphys_mapping {
    compat_ulong_t v_start, v_end;
    compat_ulong_t max_mfn;
};

struct compat_add_to_physmap {
    domid_t domid;
    uint16_t size;
    uint32_t space;
    compat_ulong_t idx;
    compat_pfn_t gpfn;
};

struct compat_add_to_physmap_batch {
    domid_t domid;
    uint16_t space;
    uint16_t size;
    union {
        domid_t foreign_domid;
        uint16_t res0;
    } u;
    compat_handle_t idxs;
    compat_handle_t gpfns;
    compat_handle_t errs;
};

struct compat_remove_from_physmap {
    domid_t domid;
    compat_pfn_t gpfn;
};

struct compat_memory_map {
    uint32_t nr_entries;
    compat_handle_t buffer;
};

struct compat_foreign_memory_map {
    domid_t domid;
    struct compat_memory_map map;
};

struct compat_pod_target {
    compat_u64 target_pages;
    compat_u64 tot_pages;
    compat_u64 pod_cache_pages;
    compat_u64 pod_entries;
    domid_t domid;
};

struct compat_mem_acquire_resource {
    domid_t domid;
    uint16_t type;
    uint32_t id;
    uint32_t nr_frames;
    uint32_t pad;
    compat_u64 frame;
    compat_handle_t frame_list;
};

struct compat_reserved_device_memory {
    compat_pfn_t start_pfn;
    compat_ulong_t nr_pages;
};

struct compat_reserved_device_memory_map {
    uint32_t flags;
    uint32_t nr_entries;
    compat_handle_t buffer;
    union {
        physdev_pci_device_t pci;
    } dev;
};

struct compat_gnttab_setup_table {
    domid_t dom;
    uint32_t nr_frames;
    int16_t status;
    compat_handle_t frame_list;
};

struct compat_gnttab_transfer {
    compat_pfn_t mfn;
    domid_t domid;
    grant_ref_t ref;
    int16_t status;
};

struct compat_gnttab_copy {
    struct compat_gnttab_copy_ptr {
        union {
            grant_ref_t ref;
            compat_pfn_t gmfn;
        } u;
        domid_t domid;
        uint16_t offset;
    } source, dest;
    uint16_t len;
    uint16_t flags;
    int16_t status;
};

struct compat_gnttab_get_status_frames {
    uint32_t nr_frames;
    domid_t dom;
    int16_t status;
    compat_handle_t frame_list;
};

struct compat_physdev_pirq_eoi_gmfn {
    compat_pfn_t gmfn;
};

struct compat_physdev_set_iobitmap {
    compat_handle_t bitmap;
    uint32_t nr_ports;
};

struct compat_physdev_apic {
    compat_ulong_t apic_physbase;
    uint32_t reg;
    uint32_t value;
};

struct compat_physdev_map_pirq {
    domid_t domid;
    int32_t type;
    int32_t index;
    int32_t pirq;
    int32_t bus;
    int32_t devfn;
    int32_t entry_nr;
    compat_u64 table_base;
};

struct compat_physdev_op {
    uint32_t cmd;
    union {
        physdev_irq_status_query_t irq_status_query;
        physdev_set_iopl_t set_iopl;
        struct compat_physdev_set_iobitmap set_iobitmap;
        struct compat_physdev_apic apic_op;
        physdev_irq_t irq_op;
    } u;
};

struct compat_xenpf_getidletime {
    compat_handle_t cpumap_bitmap;
    uint32_t cpumap_nr_cpus;
    compat_handle_t idletime;
    compat_u64 now;
};

struct compat_xenpf_firmware_info {
    uint32_t type;
    uint32_t index;
    union {
        struct {
            uint8_t device;
            uint8_t version;
            uint16_t interface_support;
            uint16_t legacy_max_cylinder;
            uint8_t legacy_max_head;
            uint8_t legacy_sectors_per_track;
            compat_handle_t edd_params;
        } disk_info;
        struct {
            uint8_t device;
            uint32_t mbr_signature;
        } disk_mbr_signature;
        struct {
            uint8_t capabilities;
            uint8_t edid_transfer_time;
            compat_handle_t edid;
        } vbeddc_info;
        union compat_xenpf_efi_info {
            uint32_t version;
            struct {
                compat_u64 addr;
                uint32_t nent;
            } cfg;
            struct {
                uint32_t revision;
                uint32_t bufsz;
                compat_handle_t name;
            } vendor;
            struct {
                compat_u64 addr;
                compat_u64 size;
                compat_u64 attr;
                uint32_t type;
            } mem;
            struct {
                uint16_t segment;
                uint8_t bus;
                uint8_t devfn;
                uint16_t vendor;
                uint16_t devid;
                compat_u64 address;
                compat_ulong_t size;
            } pci_rom;
            struct {
                compat_u64 address;
                compat_ulong_t size;
            } apple_properties;
        } efi_info;
        uint8_t kbd_shift_flags;
    } u;
};

#endif

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the contract says about x86: guest handles, register frames, trap tables, selectors, the initial state of a
 * vCPU. A structure has the layout of the width it is compiled for (-m32: 32-bit PAE guests, -m64: 64-bit guests);
 * compat.h has the 32-bit layouts by explicit size. Source of the facts: arch-x86/xen.h, xen-x86_32.h, xen-x86_64.h.
 */
#ifndef PARAVANE_ABI_ARCH_X86_H
#define PARAVANE_ABI_ARCH_X86_H

#ifdef __ASSEMBLER__
#define xen_mk_uint(x)   x
#define xen_mk_ulong(x)  x
#define xen_mk_ullong(x) x
#else
#include <stdint.h>
#define XEN_ABI_SUFFIX_(x, suffix) x##suffix
#define xen_mk_uint(x)             XEN_ABI_SUFFIX_(x, U)
#define xen_mk_ulong(x)            XEN_ABI_SUFFIX_(x, UL)
#define xen_mk_ullong(x)           XEN_ABI_SUFFIX_(x, ULL)
#endif

/* A kernel and its user space share the address space with the hypervisor: the ABI has entry points to register. */
#define XEN_HAVE_PV_GUEST_ENTRY 1
#define XEN_HAVE_PV_UPCALL_MASK 1

/* The first 14 pages of a GDT are the guest's, at most 7168 descriptors; the rest holds the hypervisor's selectors. */
#define FIRST_RESERVED_GDT_PAGE  14
#define FIRST_RESERVED_GDT_BYTE  (FIRST_RESERVED_GDT_PAGE * 4096)
#define FIRST_RESERVED_GDT_ENTRY (FIRST_RESERVED_GDT_BYTE / 8)

/* vCPUs that have their vcpu_info inside shared_info; later ones must register their own. */
#define XEN_LEGACY_MAX_VCPUS 32

#ifdef __i386__

/* Flat 4 GiB segments that every domain finds in its GDT without asking. */
#define FLAT_RING1_CS  0xe019
#define FLAT_RING1_DS  0xe021
#define FLAT_RING1_SS  0xe021
#define FLAT_RING3_CS  0xe02b
#define FLAT_RING3_DS  0xe033
#define FLAT_RING3_SS  0xe033
#define FLAT_KERNEL_CS FLAT_RING1_CS
#define FLAT_KERNEL_DS FLAT_RING1_DS
#define FLAT_KERNEL_SS FLAT_RING1_SS
#define FLAT_USER_CS   FLAT_RING3_CS
#define FLAT_USER_DS   FLAT_RING3_DS
#define FLAT_USER_SS   FLAT_RING3_SS

/* The hole of a PAE guest; it starts with the read-only table of 32-bit entries from machine frame to guest frame. */
#define __HYPERVISOR_VIRT_START_PAE 0xF5800000
#define __MACH2PHYS_VIRT_START_PAE  0xF5800000
#define __MACH2PHYS_VIRT_END_PAE    0xF6800000
#define HYPERVISOR_VIRT_START_PAE   xen_mk_ulong(__HYPERVISOR_VIRT_START_PAE)
#define MACH2PHYS_VIRT_START_PAE    xen_mk_ulong(__MACH2PHYS_VIRT_START_PAE)
#define MACH2PHYS_VIRT_END_PAE      xen_mk_ulong(__MACH2PHYS_VIRT_END_PAE)
#define __HYPERVISOR_VIRT_START     __HYPERVISOR_VIRT_START_PAE
#define __MACH2PHYS_VIRT_START      __MACH2PHYS_VIRT_START_PAE
#define __MACH2PHYS_VIRT_END        __MACH2PHYS_VIRT_END_PAE
#define HYPERVISOR_VIRT_START       xen_mk_ulong(__HYPERVISOR_VIRT_START)
#define MACH2PHYS_VIRT_START        xen_mk_ulong(__MACH2PHYS_VIRT_START)
#define MACH2PHYS_VIRT_END          xen_mk_ulong(__MACH2PHYS_VIRT_END)
#define MACH2PHYS_NR_ENTRIES        ((MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) >> 2)

#else /* __x86_64__ */

/* 64-bit data segments need no descriptor: the null selector serves. Kernel and user space both run in ring 3. */
#define FLAT_RING3_CS32         0xe023
#define FLAT_RING3_CS64         0xe033
#define FLAT_RING3_DS32         0xe02b
#define FLAT_RING3_DS64         0x0000
#define FLAT_RING3_SS32         0xe02b
#define FLAT_RING3_SS64         0xe02b
#define FLAT_KERNEL_DS64        FLAT_RING3_DS64
#define FLAT_KERNEL_DS32        FLAT_RING3_DS32
#define FLAT_KERNEL_DS          FLAT_KERNEL_DS64
#define FLAT_KERNEL_CS64        FLAT_RING3_CS64
#define FLAT_KERNEL_CS32        FLAT_RING3_CS32
#define FLAT_KERNEL_CS          FLAT_KERNEL_CS64
#define FLAT_KERNEL_SS64        FLAT_RING3_SS64
#define FLAT_KERNEL_SS32        FLAT_RING3_SS32
#define FLAT_KERNEL_SS          FLAT_KERNEL_SS64
#define FLAT_USER_DS64          FLAT_RING3_DS64
#define FLAT_USER_DS32          FLAT_RING3_DS32
#define FLAT_USER_DS            FLAT_USER_DS64
#define FLAT_USER_CS64          FLAT_RING3_CS64
#define FLAT_USER_CS32          FLAT_RING3_CS32
#define FLAT_USER_CS            FLAT_USER_CS64
#define FLAT_USER_SS64          FLAT_RING3_SS64
#define FLAT_USER_SS32          FLAT_RING3_SS32
#define FLAT_USER_SS            FLAT_USER_SS64

/* L4 slots 256 to 271 belong to the hypervisor; the read-only table of 64-bit entries starts there. */
#define __HYPERVISOR_VIRT_START 0xFFFF800000000000
#define __HYPERVISOR_VIRT_END   0xFFFF880000000000
#define __MACH2PHYS_VIRT_START  0xFFFF800000000000
#define __MACH2PHYS_VIRT_END    0xFFFF804000000000
#define HYPERVISOR_VIRT_START   xen_mk_ulong(__HYPERVISOR_VIRT_START)
#define HYPERVISOR_VIRT_END     xen_mk_ulong(__HYPERVISOR_VIRT_END)
#define MACH2PHYS_VIRT_START    xen_mk_ulong(__MACH2PHYS_VIRT_START)
#define MACH2PHYS_VIRT_END      xen_mk_ulong(__MACH2PHYS_VIRT_END)
#define MACH2PHYS_NR_ENTRIES    ((MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) >> 3)

/* set_segment_base: which base. The last one loads a selector into the user GS and must not fail for a bad one. */
#define SEGBASE_FS              0
#define SEGBASE_GS_USER         1
#define SEGBASE_GS_KERNEL       2
#define SEGBASE_GS_USER_SEL     3

/* Flag word of the iret frame: set when the interrupted context came in by SYSCALL, so rcx and r11 may be lost. */
#define _VGCF_in_syscall        8
#define VGCF_in_syscall         (1 << _VGCF_in_syscall)
#define VGCF_IN_SYSCALL         VGCF_in_syscall

#endif

#define machine_to_phys_mapping ((unsigned long *)MACH2PHYS_VIRT_START)

/* A prefix that no compiler emits: the hypervisor takes the invalid opcode and emulates the instruction after it. */
#ifdef __ASSEMBLER__
/* clang-format off */
#define XEN_EMULATE_PREFIX .byte 0x0f,0x0b,0x78,0x65,0x6e ;
#define XEN_CPUID          XEN_EMULATE_PREFIX cpuid
/* clang-format on */
#else
#define XEN_EMULATE_PREFIX ".byte 0x0f,0x0b,0x78,0x65,0x6e ; "
#define XEN_CPUID          XEN_EMULATE_PREFIX "cpuid"
#endif

/* CPUID leaves that announce the hypervisor (source: arch-x86/cpuid.h). */
#define XEN_CPUID_FIRST_LEAF                       0x40000000
#define XEN_CPUID_LEAF(i)                          (XEN_CPUID_FIRST_LEAF + (i))
#define XEN_CPUID_SIGNATURE_EBX                    0x566e6558
#define XEN_CPUID_SIGNATURE_ECX                    0x65584d4d
#define XEN_CPUID_SIGNATURE_EDX                    0x4d4d566e
#define _XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD 0
#define XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD  (1u << 0)
#define XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK       (0xffu << 0)
#define XEN_CPUID_MAX_NUM_LEAVES                   5

/* vcpu_guest_context.flags */
#define VGCF_I387_VALID                (1 << 0)
#define VGCF_IN_KERNEL                 (1 << 2)
#define _VGCF_i387_valid               0
#define VGCF_i387_valid                (1 << _VGCF_i387_valid)
#define _VGCF_in_kernel                2
#define VGCF_in_kernel                 (1 << _VGCF_in_kernel)
#define _VGCF_failsafe_disables_events 3
#define VGCF_failsafe_disables_events  (1 << _VGCF_failsafe_disables_events)
#define _VGCF_syscall_disables_events  4
#define VGCF_syscall_disables_events   (1 << _VGCF_syscall_disables_events)
#define _VGCF_online                   5
#define VGCF_online                    (1 << _VGCF_online)

#ifndef __ASSEMBLER__

typedef unsigned long xen_pfn_t;
typedef unsigned long xen_ulong_t;
#define PRI_xen_pfn   "lx"
#define PRIu_xen_pfn  "lu"
#define PRI_xen_ulong "lx"

/* Eight-byte alignment in both widths: control interfaces look the same to a 32-bit and to a 64-bit tool. */
typedef uint64_t uint64_aligned_t __attribute__((aligned(8)));
typedef int64_t int64_aligned_t __attribute__((aligned(8)));

/* A guest handle is a typed pointer into the caller's address space, wrapped so that nobody follows it by accident.
 * XEN_GUEST_HANDLE has the pointer size of the caller, XEN_GUEST_HANDLE_64 is eight bytes in both widths. */
/* clang-format off */
#ifdef __i386__
#define XEN_ABI_HANDLE_(name, type)                                                        \
    typedef struct { type *p; } __guest_handle_##name;                                     \
    typedef struct { union { type *p; uint64_aligned_t q; }; } __guest_handle_64_##name
#define XEN_GUEST_HANDLE_64(name) __guest_handle_64_##name
#else
#define XEN_ABI_HANDLE_(name, type) typedef struct { type *p; } __guest_handle_##name
#define XEN_GUEST_HANDLE_64(name) XEN_GUEST_HANDLE(name)
#endif
#define __DEFINE_XEN_GUEST_HANDLE(name, type) \
    XEN_ABI_HANDLE_(name, type);              \
    XEN_ABI_HANDLE_(const_##name, const type)
/* clang-format on */
#define DEFINE_XEN_GUEST_HANDLE(name) __DEFINE_XEN_GUEST_HANDLE(name, name)
#define __XEN_GUEST_HANDLE(name)      __guest_handle_##name
#define XEN_GUEST_HANDLE(name)        __XEN_GUEST_HANDLE(name)
#define XEN_GUEST_HANDLE_PARAM(name)  XEN_GUEST_HANDLE(name)

/* Clears the whole handle first: in 32-bit code the upper half of an eight-byte handle must read as zero. */
#define set_xen_guest_handle_raw(hnd, val)                                                                             \
    do {                                                                                                               \
        __builtin_memset(&(hnd), 0, sizeof(hnd));                                                                      \
        (hnd).p = val;                                                                                                 \
    } while (0)
#define set_xen_guest_handle(hnd, val) set_xen_guest_handle_raw(hnd, val)

/* One entry of the guest's virtual IDT. flags: bits 0-1 the least privileged ring that may raise it with INT n,
 * bit 2 set masks events on entry. set_trap_table's list ends with an entry whose address is 0. */
struct trap_info {
    uint8_t vector;
    uint8_t flags;
    uint16_t cs;
    unsigned long address;
};
typedef struct trap_info trap_info_t;
DEFINE_XEN_GUEST_HANDLE(trap_info_t);

#define TI_GET_DPL(ti)          ((ti)->flags & 3)
#define TI_GET_IF(ti)           ((ti)->flags & 4)
#define TI_SET_DPL(ti, dpl)     ((ti)->flags |= (dpl))
#define TI_SET_IF(ti, if_value) ((ti)->flags |= (!!(if_value)) << 2)

typedef uint64_t tsc_timestamp_t;

#ifdef __i386__

struct cpu_user_regs {
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
    uint32_t eflags; /* IF reads as the inverse of saved_upcall_mask */
    uint32_t esp;
    uint16_t ss, _pad1;
    uint16_t es, _pad2;
    uint16_t ds, _pad3;
    uint16_t fs, _pad4;
    uint16_t gs, _pad5;
};

struct arch_vcpu_info {
    unsigned long cr2;
    unsigned long pad[5];
};

struct xen_callback {
    unsigned long cs;
    unsigned long eip;
};
typedef struct xen_callback xen_callback_t;

/* A PAE CR3 as guests hand it around: the frame number rotated left by 12, since it may exceed 20 bits. */
#define xen_pfn_to_cr3(pfn) (((unsigned)(pfn) << 12) | ((unsigned)(pfn) >> 20))
#define xen_cr3_to_pfn(cr3) (((unsigned)(cr3) >> 12) | ((unsigned)(cr3) << 20))

#else /* __x86_64__ */

struct cpu_user_regs {
    uint64_t r15;
    uint64_t r14;
    uint64_t r13;
    uint64_t r12;
    uint64_t rbp;
    uint64_t rbx;
    uint64_t r11;
    uint64_t r10;
    uint64_t r9;
    uint64_t r8;
    uint64_t rax;
    uint64_t rcx;
    uint64_t rdx;
    uint64_t rsi;
    uint64_t rdi;
    uint32_t error_code;
    uint32_t entry_vector;
    uint64_t rip;
    uint16_t cs, _pad0[1];
    uint8_t saved_upcall_mask;
    uint8_t _pad1[3];
    uint64_t rflags; /* IF reads as the inverse of saved_upcall_mask */
    uint64_t rsp;
    uint16_t ss, _pad2[3];
    uint16_t es, _pad3[3];
    uint16_t ds, _pad4[3];
    uint16_t fs, _pad5[3];
    uint16_t gs, _pad6[3];
};

/* What the iret hypercall finds at the caller's stack pointer. */
struct iret_context {
    uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};

struct arch_vcpu_info {
    unsigned long cr2;
    unsigned long pad;
};

typedef unsigned long xen_callback_t;

#define xen_pfn_to_cr3(pfn) ((unsigned long)(pfn) << 12)
#define xen_cr3_to_pfn(cr3) ((unsigned long)(cr3) >> 12)

#endif

typedef struct cpu_user_regs cpu_user_regs_t;
DEFINE_XEN_GUEST_HANDLE(cpu_user_regs_t);
typedef struct arch_vcpu_info arch_vcpu_info_t;

/* The whole state of a PV vCPU: input of VCPUOP_initialise and of the domctl that sets a context, output of the one
 * that gets it. ctrlreg[3] (and ctrlreg[1], the user page tables of a 64-bit guest; 0 for none) hold machine frames
 * in the form of xen_pfn_to_cr3. gdt_frames are machine frames, gdt_ents counts descriptors. */
struct vcpu_guest_context {
    struct {
        char x[512]; /* FXSAVE format */
    } fpu_ctxt;
    unsigned long flags; /* VGCF_* */
    struct cpu_user_regs user_regs;
    struct trap_info trap_ctxt[256];
    unsigned long ldt_base, ldt_ents;
    unsigned long gdt_frames[16], gdt_ents;
    unsigned long kernel_ss, kernel_sp;
    unsigned long ctrlreg[8];
    unsigned long debugreg[8];
#ifdef __i386__
    unsigned long event_callback_cs;
    unsigned long event_callback_eip;
    unsigned long failsafe_callback_cs;
    unsigned long failsafe_callback_eip;
#else
    unsigned long event_callback_eip;
    unsigned long failsafe_callback_eip;
    unsigned long syscall_callback_eip;
#endif
    unsigned long vm_assist; /* bit n: VMASST_TYPE n is on */
#ifdef __x86_64__
    uint64_t fs_base;
    uint64_t gs_base_kernel;
    uint64_t gs_base_user;
#endif
};
typedef struct vcpu_guest_context vcpu_guest_context_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_guest_context_t);

/* Filled by the guest for whoever saves, dumps or migrates it: how to find its table from guest frame to machine
 * frame, either as a tree of frame lists or as a linear table at p2m_vaddr in the page tables p2m_cr3. An odd
 * p2m_generation says that the guest is changing it. nmi_reason is written by the hypervisor. */
struct arch_shared_info {
    unsigned long max_pfn;
    xen_pfn_t pfn_to_mfn_frame_list_list;
    unsigned long nmi_reason; /* XEN_NMIREASON_* */
    unsigned long p2m_cr3;
    unsigned long p2m_vaddr;
    unsigned long p2m_generation;
#ifdef __i386__
    uint32_t wc_sec_hi;
#endif
};
typedef struct arch_shared_info arch_shared_info_t;

/* Choices of domain creation that only x86 has. A PV domain has no emulated devices, except that a PV dom0 has the
 * timer: its emulation_flags are 0 or XEN_X86_EMU_PIT. */
#define _XEN_X86_EMU_LAPIC     0
#define XEN_X86_EMU_LAPIC      (1U << _XEN_X86_EMU_LAPIC)
#define _XEN_X86_EMU_HPET      1
#define XEN_X86_EMU_HPET       (1U << _XEN_X86_EMU_HPET)
#define _XEN_X86_EMU_PM        2
#define XEN_X86_EMU_PM         (1U << _XEN_X86_EMU_PM)
#define _XEN_X86_EMU_RTC       3
#define XEN_X86_EMU_RTC        (1U << _XEN_X86_EMU_RTC)
#define _XEN_X86_EMU_IOAPIC    4
#define XEN_X86_EMU_IOAPIC     (1U << _XEN_X86_EMU_IOAPIC)
#define _XEN_X86_EMU_PIC       5
#define XEN_X86_EMU_PIC        (1U << _XEN_X86_EMU_PIC)
#define _XEN_X86_EMU_VGA       6
#define XEN_X86_EMU_VGA        (1U << _XEN_X86_EMU_VGA)
#define _XEN_X86_EMU_IOMMU     7
#define XEN_X86_EMU_IOMMU      (1U << _XEN_X86_EMU_IOMMU)
#define _XEN_X86_EMU_PIT       8
#define XEN_X86_EMU_PIT        (1U << _XEN_X86_EMU_PIT)
#define _XEN_X86_EMU_USE_PIRQ  9
#define XEN_X86_EMU_USE_PIRQ   (1U << _XEN_X86_EMU_USE_PIRQ)
#define _XEN_X86_EMU_VPCI      10
#define XEN_X86_EMU_VPCI       (1U << _XEN_X86_EMU_VPCI)
#define XEN_X86_EMU_ALL        0x7ffU

#define XEN_X86_MSR_RELAXED    (1u << 0)
#define XEN_X86_MISC_FLAGS_MAX XEN_X86_MSR_RELAXED

struct xen_arch_domainconfig {
    uint32_t emulation_flags; /* XEN_X86_EMU_* */
    uint32_t misc_flags;      /* XEN_X86_MSR_RELAXED: unknown MSRs read as zero instead of faulting */
};

/* One line of a CPU policy; a leaf without subleaves says XEN_CPUID_NO_SUBLEAF. */
#define XEN_CPUID_NO_SUBLEAF 0xffffffffu
typedef struct xen_cpuid_leaf {
    uint32_t leaf, subleaf;
    uint32_t a, b, c, d;
} xen_cpuid_leaf_t;
DEFINE_XEN_GUEST_HANDLE(xen_cpuid_leaf_t);

typedef struct xen_msr_entry {
    uint32_t idx;
    uint32_t flags; /* must be zero */
    uint64_t val;
} xen_msr_entry_t;
DEFINE_XEN_GUEST_HANDLE(xen_msr_entry_t);

#endif /* __ASSEMBLER__ */
#endif

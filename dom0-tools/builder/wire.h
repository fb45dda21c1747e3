/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the builder hands to a new domain, in the layout of the domain's width and not of the width this is compiled
 * for: start_info and the first vCPU's context. Names are the ABI's with the width behind them.
 */
#ifndef BUILDER_WIRE_H
#define BUILDER_WIRE_H

#include <stdint.h>

typedef uint64_t wire64_t __attribute__((aligned(8)));

struct start_info_32 {
    char magic[32];
    uint32_t nr_pages;
    uint32_t shared_info;
    uint32_t flags;
    uint32_t store_mfn;
    uint32_t store_evtchn;
    uint32_t console_frame;
    uint32_t console_port;
    uint32_t pt_base;
    uint32_t nr_pt_frames;
    uint32_t mfn_list;
    uint32_t mod_start;
    uint32_t mod_len;
    char cmd_line[1024];
    uint32_t first_p2m_pfn;
    uint32_t nr_p2m_frames;
};

struct start_info_64 {
    char magic[32];
    wire64_t nr_pages;
    wire64_t shared_info;
    uint32_t flags;
    wire64_t store_mfn;
    uint32_t store_evtchn;
    wire64_t console_frame;
    uint32_t console_port;
    wire64_t pt_base;
    wire64_t nr_pt_frames;
    wire64_t mfn_list;
    wire64_t mod_start;
    wire64_t mod_len;
    char cmd_line[1024];
    wire64_t first_p2m_pfn;
    wire64_t nr_p2m_frames;
};

struct cpu_user_regs_32 {
    uint32_t ebx, ecx, edx, esi, edi, ebp, eax;
    uint16_t error_code, entry_vector;
    uint32_t eip;
    uint16_t cs;
    uint8_t saved_upcall_mask, pad0;
    uint32_t eflags, esp;
    uint16_t ss, pad1, es, pad2, ds, pad3, fs, pad4, gs, pad5;
};

struct cpu_user_regs_64 {
    wire64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint32_t error_code, entry_vector;
    wire64_t rip;
    uint16_t cs, pad0;
    uint8_t saved_upcall_mask, pad1[3];
    wire64_t rflags, rsp;
    uint16_t ss, pad2[3], es, pad3[3], ds, pad4[3], fs, pad5[3], gs, pad6[3];
};

struct trap_info_32 {
    uint8_t vector, flags;
    uint16_t cs;
    uint32_t address;
};

struct trap_info_64 {
    uint8_t vector, flags;
    uint16_t cs;
    wire64_t address;
};

struct vcpu_guest_context_32 {
    char fpu_ctxt[512];
    uint32_t flags;
    struct cpu_user_regs_32 user_regs;
    struct trap_info_32 trap_ctxt[256];
    uint32_t ldt_base, ldt_ents;
    uint32_t gdt_frames[16], gdt_ents;
    uint32_t kernel_ss, kernel_sp;
    uint32_t ctrlreg[8], debugreg[8];
    uint32_t event_callback_cs, event_callback_eip, failsafe_callback_cs, failsafe_callback_eip;
    uint32_t vm_assist;
};

struct vcpu_guest_context_64 {
    char fpu_ctxt[512];
    wire64_t flags;
    struct cpu_user_regs_64 user_regs;
    struct trap_info_64 trap_ctxt[256];
    wire64_t ldt_base, ldt_ents;
    wire64_t gdt_frames[16], gdt_ents;
    wire64_t kernel_ss, kernel_sp;
    wire64_t ctrlreg[8], debugreg[8];
    wire64_t event_callback_eip, failsafe_callback_eip, syscall_callback_eip;
    wire64_t vm_assist;
    wire64_t fs_base, gs_base_kernel, gs_base_user;
};

#define WIRE_FLAT_CS_32 0xe019
#define WIRE_FLAT_DS_32 0xe021
#define WIRE_FLAT_CS_64 0xe033
#define WIRE_FLAT_SS_64 0xe02b

/* Where upcall masks lie in a shared_info page: byte 1 of each of the 32 vcpu_info of 64 bytes, in both widths. */
#define WIRE_VCPU_INFO_SIZE  64
#define WIRE_UPCALL_MASK     1
#define WIRE_VCPU_INFO_COUNT 32

#endif

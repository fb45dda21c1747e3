/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Types of the ELF notes, of name "Xen", by which a kernel tells its loader how it wants to be started, and which
 * mark core dumps. Source of the facts: elfnote.h.
 */
#ifndef PARAVANE_ABI_ELFNOTE_H
#define PARAVANE_ABI_ELFNOTE_H

#define XEN_ELFNOTE_INFO                    0
#define XEN_ELFNOTE_ENTRY                   1  /* virtual address of the first instruction */
#define XEN_ELFNOTE_HYPERCALL_PAGE          2  /* virtual address of a page to fill with call stubs */
#define XEN_ELFNOTE_VIRT_BASE               3  /* virtual address of guest frame 0 */
#define XEN_ELFNOTE_PADDR_OFFSET            4  /* subtracted from p_paddr before VIRT_BASE is added */
#define XEN_ELFNOTE_XEN_VERSION             5  /* string: "xen-3.0" */
#define XEN_ELFNOTE_GUEST_OS                6  /* string */
#define XEN_ELFNOTE_GUEST_VERSION           7  /* string */
#define XEN_ELFNOTE_LOADER                  8  /* string: "generic" */
#define XEN_ELFNOTE_PAE_MODE                9  /* string: "yes", "no", "bimodal", with ",extended-cr3" */
#define XEN_ELFNOTE_FEATURES                10 /* string: names joined by |, a leading ! means required */
#define XEN_ELFNOTE_BSD_SYMTAB              11 /* string: "yes" to load the symbol table */
#define XEN_ELFNOTE_HV_START_LOW            12 /* lowest address that the hypervisor may start at, 32-bit */
#define XEN_ELFNOTE_L1_MFN_VALID            13 /* mask and value of a present L1 entry, one or more pairs */
#define XEN_ELFNOTE_SUSPEND_CANCEL          14 /* non-zero: a suspend call that was cancelled returns 1 */
#define XEN_ELFNOTE_INIT_P2M                15 /* virtual address for the initial p2m, instead of behind the kernel */
#define XEN_ELFNOTE_MOD_START_PFN           16 /* non-zero: wants SIF_MOD_START_PFN */
#define XEN_ELFNOTE_SUPPORTED_FEATURES      17 /* bitmap of XENFEAT_* */
#define XEN_ELFNOTE_PHYS32_ENTRY            18 /* entry point of a 32-bit unpaged start; not for PV */
#define XEN_ELFNOTE_MAX                     XEN_ELFNOTE_PHYS32_ENTRY

#define XEN_ELFNOTE_CRASH_INFO              0x1000001
#define XEN_ELFNOTE_CRASH_REGS              0x1000002

#define XEN_ELFNOTE_DUMPCORE_NONE           0x2000000
#define XEN_ELFNOTE_DUMPCORE_HEADER         0x2000001
#define XEN_ELFNOTE_DUMPCORE_XEN_VERSION    0x2000002
#define XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION 0x2000003

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the variants of the kernel without a library tell the domain builder about themselves; rules.mk chooses one by
 * -DVARIANT_... Numbers are of odd widths on purpose: a note says its own size.
 */
#include "../../guest-pv/arch/notes.inc"

#define NOTE_SUPPORTED_FEATURES 17
#define NOTE_MOD_START_PFN      16
#define NOTE_INIT_P2M           15
#define FEATURE_DOM0            (1 << 11)

.macro note_long type, value
    note_begin \type
    .long \value
    note_end
.endm

#if defined(VARIANT_minimal)
/* As little as will do. */
note_string NOTE_XEN_VERSION, "xen-3.0"
note_string NOTE_LOADER, "generic"
note_string NOTE_PAE_MODE, "yes"
note_long NOTE_HYPERCALL_PAGE, hypercall_page

#elif defined(VARIANT_offset)
/* Linked high, and the file says virtual addresses for physical ones. */
note_string NOTE_XEN_VERSION, "xen-3.0"
note_string NOTE_GUEST_OS, "linux"
note_string NOTE_PAE_MODE, "yes"
note_string NOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb|some_feature_to_come"
note_word NOTE_VIRT_BASE, VIRT_BASE
note_word NOTE_PADDR_OFFSET, VIRT_BASE
note_word NOTE_ENTRY, _start
note_word NOTE_HYPERCALL_PAGE, hypercall_page

#elif defined(VARIANT_sections)
/* Linked high with physical addresses, in sections that no program header names, among other people's notes. */
.pushsection .note.Xen, "a", @note
    .align 4
    .long 6, 5, 1
    .asciz "Other"
    .align 4
    .asciz "note"
    .align 4
.popsection
note_string NOTE_XEN_VERSION, "xen-3.0"
note_string NOTE_LOADER, "generic"
note_string NOTE_GUEST_VERSION, "a version longer than any that a loader keeps room for"
note_string NOTE_PAE_MODE, "bimodal"
note_string 999, "of a type to come"
note_word NOTE_VIRT_BASE, VIRT_BASE
note_word NOTE_SUSPEND_CANCEL, 0

#elif defined(VARIANT_apart)
/* The frame list at an address of its own, modules by frame number. */
note_string NOTE_XEN_VERSION, "xen-3.0-x86"
note_string NOTE_LOADER, "generic"
note_string NOTE_PAE_MODE, "yes"
note_word NOTE_VIRT_BASE, VIRT_BASE
note_word NOTE_PADDR_OFFSET, 0
note_word NOTE_HYPERCALL_PAGE, hypercall_page
note_long NOTE_SUPPORTED_FEATURES, FEATURE_DOM0 | 0x31
note_long NOTE_MOD_START_PFN, 1
#ifdef __x86_64__
note_word NOTE_INIT_P2M, 0xffffff8000000000
#endif
note_begin NOTE_L1_MFN_VALID
    .quad 1, 1
note_end

#else
/* No notes: one string. */
.pushsection __xen_guest, "a"
#ifdef __x86_64__
    .ascii "GUEST_OS=linux,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000,HYPERCALL_PAGE=0x100,PAE=yes,LOADER=generic"
#else
    .ascii "GUEST_OS=linux,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,HYPERCALL_PAGE=0x100,PAE=yes[extended-cr3],LOADER=generic"
#endif
    .byte 0
.popsection
#endif

.section .note.GNU-stack, "", @progbits

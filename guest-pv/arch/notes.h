/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * ELF notes for the domain builder, for assembly. Types are those of Xen's public elfnote.h; a number in a note has
 * the width of the kernel.
 */
#ifndef ARCH_NOTES_H
#define ARCH_NOTES_H

.set NOTE_ENTRY, 1
.set NOTE_HYPERCALL_PAGE, 2
.set NOTE_VIRT_BASE, 3
.set NOTE_PADDR_OFFSET, 4
.set NOTE_XEN_VERSION, 5
.set NOTE_GUEST_OS, 6
.set NOTE_GUEST_VERSION, 7
.set NOTE_LOADER, 8
.set NOTE_PAE_MODE, 9
.set NOTE_FEATURES, 10
.set NOTE_L1_MFN_VALID, 13

.macro note_begin type
    .pushsection .note.Xen, "a", @note
    .align 4
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:
.endm

.macro note_end
2:
    .align 4
    .popsection
.endm

.macro note_string type, text
    note_begin \type
    .asciz "\text"
    note_end
.endm

#ifdef __x86_64__
#define NOTE_WORD .quad
#else
#define NOTE_WORD .long
#endif

.macro note_word type, value:vararg
    note_begin \type
    NOTE_WORD \value
    note_end
.endm

#endif

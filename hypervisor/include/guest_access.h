/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading and writing guest memory by the guest's own virtual addresses, in the current address space. A fault inside
 * ends the copy; nothing is ever read twice. Structures that a 32-bit kernel lays out differently are described by a
 * layout string and translated here, and nowhere else; the handler always sees the 64-bit shape.
 *
 * Layout letters: b u8, h u16, w u32, q u64 (4-aligned on i386), Q u64 (8-aligned), l unsigned long, s signed long,
 * p pointer or handle, - a gap of the native shape that a 32-bit one lacks is implied by alignment.
 */
#ifndef HYPERVISOR_GUEST_ACCESS_H
#define HYPERVISOR_GUEST_ACCESS_H

#include "layout.h"
#include "lib.h"

/* 0 or -EFAULT. The address is checked against our own range. */
int copy_from_guest(void *to, unsigned long from, size_t size) MUST_CHECK;
int copy_to_guest(unsigned long to, const void *from, size_t size) MUST_CHECK;
int clear_guest(unsigned long to, size_t size) MUST_CHECK;
/* Size of the structure in either width, its tail padding included. Folds to a constant: layouts are literals. */
static inline __attribute__((always_inline)) size_t layout_size(const char *layout, bool narrow)
{
    size_t offset = 0, widest = 1, count = __builtin_strlen(layout);

#pragma GCC unroll 16
    for (size_t i = 0; i < count; i++) {
        char c = layout[i];
        size_t size = c == 'b' ? 1 : c == 'h' ? 2 : c == 'w' ? 4 : c == 'q' || c == 'Q' ? 8 : narrow ? 4 : 8;
        size_t align = c == 'q' && narrow ? 4 : size;
        offset = (offset + align - 1) / align * align + size;
        widest = align > widest ? align : widest;
    }
    return (offset + widest - 1) / widest * widest;
}

/* In both widths, in one word: the native one's in the upper half. */
#define layout_sizes(layout) ((u32)(layout_size(layout, false) << 16 | layout_size(layout, true)))
int read_guest_layout(void *to, unsigned long from, u32 sizes, const char *layout) MUST_CHECK;
int write_guest_layout(unsigned long to, const void *from, u32 sizes, const char *layout) MUST_CHECK;

/* One structure of the current vCPU's width, as macros so that a literal layout folds. read: from guest into the native
 * shape; write: back. 0 or -EFAULT. */
#define guest_struct_size(layout)            layout_size(layout, current->is_32bit)
#define read_guest_struct(to, from, layout)  read_guest_layout(to, from, layout_sizes(layout), layout)
#define write_guest_struct(to, from, layout) write_guest_layout(to, from, layout_sizes(layout), layout)
/* An unsigned long of the current width, element index of an array. */
int read_guest_long(unsigned long *to, unsigned long array, unsigned long index) MUST_CHECK;
int write_guest_long(unsigned long array, unsigned long index, unsigned long value) MUST_CHECK;
/* True when [va, va+size) does not touch our own range and does not wrap. */
bool guest_range_ok(unsigned long va, size_t size);
/* The straight way to a few words, for what every trap and every call passes: first guest_words_ok(), then these.
 * GUEST_PUT stores one word of the pointer's width and jumps to the label if that faults. For loads a sequence of
 * GUEST_LOAD(source, destination) stands between GUEST_LOADS and GUEST_LOADED in one asm statement, whose outputs are
 * early clobbers but for "=@ccc": that one tells whether one of the loads has faulted. */
#define GUEST_WORDS_MAX 96U
#define GUEST_PUT(to, value, label)                                                                                    \
    __asm__ goto("1: mov %0, %1\n"                                                                                     \
                 ".pushsection .ex_table, \"a\"\n.long 1b - ., %l[" #label "] - .\n.popsection"                        \
                 :                                                                                                     \
                 : "r"((__typeof__(*(to)))(value)), "m"(*(to))                                                         \
                 : "memory"                                                                                            \
                 : label)
#define GUEST_LOADS "clc\n"
#define GUEST_LOAD(from, to)                                                                                           \
    "1: mov " from ", " to "\n.pushsection .ex_table, \"a\"\n.long 1b - ., 3f - .\n.popsection\n"
#define GUEST_LOADED "2:\n.pushsection .text.fixup, \"ax\"\n3: stc; jmp 2b\n.popsection"

bool linear_range_ok(unsigned long va, unsigned long end); /* in mm/linear.c */

/* Whether size bytes at va, GUEST_WORDS_MAX at most, are none of ours. What has no address at all faults by itself. hole
 * is the vCPU's mm.words_hole: what is ours, or everything when linear mappings of level 4 want a closer look. */
#define GUEST_WORDS_HOLE (HV_VIRT_END - HV_VIRT_START + GUEST_WORDS_MAX)
IN_PLACE bool guest_words_ok(unsigned long hole, unsigned long va, size_t size, bool is_32bit)
{
    if (is_32bit)
        return va <= 0x100000000UL - size;
    return likely(va - (HV_VIRT_START - GUEST_WORDS_MAX) >= hole) || linear_range_ok(va, va + size);
}

/* Our own mappings that may fault (M2P holes, guest page-table reads): 0 or -EFAULT. */
int copy_safe(void *to, const void *from, size_t size) MUST_CHECK;

/* One word of a guest's, in a range that was found good (guest_range_ok): if it cannot be reached, on at `fault`. */
#define GUEST_WORD_FAULTS(fault)                                                                                       \
    "\n.pushsection .ex_table, \"a\"\n"                                                                                \
    ".long 1b - ., %l[" #fault "] - .\n"                                                                               \
    ".popsection"
#define GET_GUEST_WORD(to, from, fault)                                                                                \
    __asm__ goto("1: mov %1, %0" GUEST_WORD_FAULTS(fault) : "=r"(to) : "m"(*(const __typeof__(to) *)(from)) : : fault)
#define PUT_GUEST_WORD(to, value, fault)                                                                               \
    __asm__ goto("1: mov %1, %0" GUEST_WORD_FAULTS(fault)                                                              \
                 :                                                                                                     \
                 : "m"(*(__typeof__(value) *)(to)), "r"(value)                                                         \
                 : "memory"                                                                                            \
                 : fault)

/* Continuations. True when the CPU has something more urgent: check at least every 100,000 instructions or so. */
bool hypercall_preempt_check(void);
/* Arranges that the guest repeats the hypercall with these arguments; the handler returns the result of this call. */
long hypercall_continue(unsigned number, unsigned count, ...) MUST_CHECK;

#endif

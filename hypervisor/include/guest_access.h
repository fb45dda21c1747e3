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

#include "lib.h"

/* 0 or -EFAULT. The address is checked against our own range. */
int copy_from_guest(void *to, unsigned long from, size_t size) MUST_CHECK;
int copy_to_guest(unsigned long to, const void *from, size_t size) MUST_CHECK;
int clear_guest(unsigned long to, size_t size) MUST_CHECK;
/* One structure of the current vCPU's width. read: from guest into the native shape; write: back. */
int read_guest_struct(void *to, unsigned long from, const char *layout) MUST_CHECK;
int write_guest_struct(unsigned long to, const void *from, const char *layout) MUST_CHECK;
size_t guest_struct_size(const char *layout); /* in the current width: stride of an array */
/* An unsigned long of the current width, element index of an array. */
int read_guest_long(unsigned long *to, unsigned long array, unsigned long index) MUST_CHECK;
int write_guest_long(unsigned long array, unsigned long index, unsigned long value) MUST_CHECK;
/* True when [va, va+size) does not touch our own range and does not wrap. */
bool guest_range_ok(unsigned long va, size_t size);
/* Our own mappings that may fault (M2P holes, guest page-table reads): 0 or -EFAULT. */
int copy_safe(void *to, const void *from, size_t size) MUST_CHECK;

/* Continuations. True when the CPU has something more urgent: check at least every 100,000 instructions or so. */
bool hypercall_preempt_check(void);
/* Arranges that the guest repeats the hypercall with these arguments; the handler returns the result of this call. */
long hypercall_continue(unsigned number, unsigned count, ...) MUST_CHECK;

#endif

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hypercalls that live in this room.
 */
#ifndef HYPERVISOR_MM_HANDLERS_H
#define HYPERVISOR_MM_HANDLERS_H

long do_mmu_update(unsigned long ureqs, unsigned long count_arg, unsigned long pdone, unsigned long foreign);
long do_mmuext_op(unsigned long uops, unsigned long count_arg, unsigned long pdone, unsigned long foreign);
long do_update_va_mapping(unsigned long va, unsigned long value, unsigned long flags);
long do_update_va_mapping_pv32(unsigned long va, unsigned long low, unsigned long high, unsigned long flags);
long do_update_va_mapping_otherdomain(unsigned long va, unsigned long value, unsigned long flags, unsigned long domid);
long do_update_va_mapping_otherdomain_pv32(unsigned long va, unsigned long low, unsigned long high,
                                           unsigned long flags, unsigned long domid);
long do_set_gdt(unsigned long frame_list, unsigned long entries);
long do_set_gdt_pv32(unsigned long frame_list, unsigned long entries);
long do_update_descriptor(unsigned long maddr, unsigned long descriptor);
long do_update_descriptor_pv32(unsigned long maddr_low, unsigned long maddr_high, unsigned long low,
                               unsigned long high);
long do_memory_op(unsigned long cmd, unsigned long arg);

#endif

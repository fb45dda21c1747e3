/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The virtual address map. A guest's level-4 slots 256 to 271 are ours; a 32-bit guest also sees the compatibility M2P
 * from 0xF5800000. All of ours but the M2Ps is supervisor-only; a 32-bit kernel runs in ring 1, for which
 * supervisor-only is no protection, but everything except the (read-only) compatibility M2P lies above its 4 GiB.
 *
 *   slot 256  0xFFFF800000000000  M2P, read-only to guest kernels, 8 bytes a frame (32-bit: 0xF5800000, 4 bytes)
 *   slot 257  0xFFFF808000000000  the M2Ps again, writable, ours alone
 *   slot 261  0xFFFF828000000000  image; from +512 MiB: stacks, GDT/LDT windows; from +1 GiB: device mappings
 *   slot 262  0xFFFF830000000000  direct map of all RAM, then the frame table is inside it
 */
#ifndef HYPERVISOR_LAYOUT_H
#define HYPERVISOR_LAYOUT_H

#define HV_SLOT_FIRST       256
#define HV_SLOT_LAST        271
#define HV_VIRT_START       0xFFFF800000000000
#define HV_VIRT_END         0xFFFF880000000000

#define M2P_START           0xFFFF800000000000
#define M2P_WRITABLE        0xFFFF808000000000
#define M2P_COMPAT_START    0xF5800000
#define M2P_COMPAT_WRITABLE 0xFFFF80C000000000
#define IMAGE_START         0xFFFF828000000000
#define IMAGE_PHYS          0x200000
#ifndef DIRECTMAP_START /* host unit tests put it elsewhere */
#define DIRECTMAP_START 0xFFFF830000000000
#endif
#define DIRECTMAP_END 0xFFFF880000000000

/* One 32 KiB block a CPU: page 0 guard, 1 #DF stack, 2 NMI stack, 3 #MC and #DB stacks, 4 guard, 5 to 7 the stack. */
#define STACKS_START     0xFFFF828020000000
#define STACK_ORDER_SIZE 0x8000
#define STACK_IST_DF     1
#define STACK_IST_NMI    2
#define STACK_IST_MC     3
#define STACK_GUARD      4

/* A window a CPU: pages 0 to 13 the current vCPU's GDT frames, 14 ours, 15 free; 16 to 31 its LDT frames. */
#define WINDOWS_START 0xFFFF828028000000
#define WINDOW_SIZE   0x20000
#define WINDOW_LDT    0x10000

#define DEVICES_START 0xFFFF828040000000

#endif

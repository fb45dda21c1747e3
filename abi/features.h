/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Numbers of the feature bits that XENVER_get_features reports and that a kernel's ELF notes ask for.
 * Source of the facts: features.h.
 */
#ifndef PARAVANE_ABI_FEATURES_H
#define PARAVANE_ABI_FEATURES_H

#define XENFEAT_writable_page_tables       0 /* the guest need not ask for page-table changes */
#define XENFEAT_writable_descriptor_tables 1
#define XENFEAT_auto_translated_physmap    2
#define XENFEAT_supervisor_mode_kernel     3
#define XENFEAT_pae_pgdir_above_4gb        4
#define XENFEAT_mmu_pt_update_preserve_ad  5 /* MMU_PT_UPDATE_PRESERVE_AD works */
#define XENFEAT_highmem_assist             6 /* MMUEXT_CLEAR_PAGE and MMUEXT_COPY_PAGE work */
#define XENFEAT_gnttab_map_avail_bits      7 /* GNTMAP_guest_avail_mask works */
#define XENFEAT_hvm_callback_vector        8
#define XENFEAT_hvm_safe_pvclock           9
#define XENFEAT_hvm_pirqs                  10
#define XENFEAT_dom0                       11 /* runs as the initial domain, or can */
#define XENFEAT_memory_op_vnode_supported  13 /* XENMEMF_vnode works */
#define XENFEAT_ARM_SMCCC_supported        14
#define XENFEAT_linux_rsdp_unrestricted    15
#define XENFEAT_not_direct_mapped          16
#define XENFEAT_direct_mapped              17

#define XENFEAT_NR_SUBMAPS                 1 /* words of 32 bits */

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A build in progress, shared by the builder's files.
 */
#ifndef BUILDER_BUILDING_H
#define BUILDER_BUILDING_H

#include "builder.h"

struct building {
    struct ctl *ctl;
    xenforeignmemory_handle *memory;
    const struct build_input *input;
    const struct build_plan *plan;
    struct built_domain *out;
    struct build_error *error;
    xen_pfn_t *mfns; /* machine frame of each guest frame */
    xen_pfn_t shared_info_mfn;
};

/* Machine memory for every guest frame (buildmem.c). */
int building_populate(struct building *building);

/* Writes kernel, modules, P2M list and page tables into it (buildimage.c). */
int building_write_image(struct building *building);

/* Maps guest frames [pfn, pfn + pages) writable; NULL and the error set on failure. Undo with building_unmap. */
void *building_map(struct building *building, uint64_t pfn, uint64_t pages);
void building_unmap(struct building *building, void *addr, uint64_t pages);

/* start_info, shared_info, grants, pinning and the first vCPU (buildboot.c). */
int building_boot_state(struct building *building);

/* Bytes of all modules as they lie in the domain, and the first page of a package of modules: -1 when they are too many. */
#define BUILDING_PAGE 4096u
uint64_t building_module_bytes(const struct build_input *input);
int building_module_list(const struct build_input *input, uint8_t page[BUILDING_PAGE]);

#endif

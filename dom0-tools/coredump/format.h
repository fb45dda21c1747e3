/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The file of a dumped domain, as xl dump-core writes it: a 64-bit ELF file of sections and no segments. In this order:
 * headers, notes, the vCPUs' registers, the shared_info page, the table of frames, the frames' contents. Sizes are known
 * before the first byte, so it is written from front to back. Nothing here makes a hypercall.
 */
#ifndef COREDUMP_FORMAT_H
#define COREDUMP_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CORE_PAGE_SIZE       4096u
#define CORE_CONTEXT_SIZE    5168u /* of a 64-bit vCPU; a 32-bit one's 2800 bytes have zeros behind them */
#define CORE_CONTEXT_SIZE_32 2800u
#define CORE_HEAD_MAX        2816u

struct core_shape {
    bool is_64bit; /* the guest */
    unsigned int vcpus;
    uint64_t pages;
};

/* Offsets in the file. The head ends where the contexts begin. */
struct core_layout {
    uint64_t contexts, shared_info, frames, pages, end;
};

/* One element of the table of frames: guest frame and machine frame, in ascending order of the former. */
struct core_frame {
    uint64_t pfn, mfn;
};

/* What the hypervisor says about itself; the widths are those of a 64-bit tool. */
struct core_version {
    uint64_t major, minor;
    char extra[16];
    char compiler[64], compile_by[16], compile_domain[32], compile_date[32];
    char capabilities[1024];
    char changeset[64];
    uint64_t virt_start;
    uint64_t page_size;
};

void core_layout(const struct core_shape *shape, struct core_layout *layout);

/* Headers and notes into out[CORE_HEAD_MAX], zeros behind them; returns layout.contexts. */
size_t core_head(const struct core_shape *shape, const struct core_version *version, void *out);

/*
 * Puts frames in order of pfn and drops those whose pfn the guest gave to another one too, or is at or past the limit:
 * the guest has written what it likes there. Returns how many stay.
 */
size_t core_sort_frames(struct core_frame *frames, size_t count, uint64_t limit);

#endif

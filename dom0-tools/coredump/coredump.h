/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain's memory and registers as a core file. Which frames a domain has is what the hypervisor says, not its own
 * tables: those of a domain that crashed may be the reason why.
 */
#ifndef COREDUMP_COREDUMP_H
#define COREDUMP_COREDUMP_H

#include <xenforeignmemory.h>

#include "dom0-tools/libctl/ctl.h"
#include "format.h"

struct core {
    struct core_shape shape;
    struct core_layout layout;
    struct core_frame *frames;
    uint8_t *contexts; /* shape.vcpus of CORE_CONTEXT_SIZE */
    domid_t domid;
    xen_pfn_t shared_info;
    uint64_t unreadable; /* frames that went away while they were written: zeros */
};

/* Takes data in order; anything but 0 stops and is what core_write returns. */
typedef int core_put(void *own, const void *data, size_t size);

/* Collects registers and frames of a domain that is paused, or of one that runs on. 0, or -1 with errno. */
int core_collect(struct ctl *ctl, domid_t domid, struct core *core);

/* Writes layout.end bytes. */
int core_write(struct ctl *ctl, xenforeignmemory_handle *memory, struct core *core, core_put *put, void *own);

void core_free(struct core *core);

#endif

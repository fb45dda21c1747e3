/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Another domain's memory by machine frame, as the hypervisor gives it to dom0: only frames that are the domain's own.
 * What is read may be anything, and different the next time; so it is copied once and then checked.
 */
#ifndef MIGRATION_VIEW_H
#define MIGRATION_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "migration.h"

#define VIEW_PAGE     4096u
#define VIEW_BATCH    1024u /* frames mapped at once */
#define VIEW_NO_FRAME UINT32_MAX

struct view {
    struct ctl *ctl;
    xenforeignmemory_handle *memory;
    domid_t domid;
    unsigned int bits; /* 32 or 64 */
};

/* Copies whole frames. -1 with errno when one is not the domain's, or is no frame at all. */
int view_read(const struct view *view, const uint32_t *mfns, size_t count, void *pages);
int view_write(const struct view *view, uint32_t mfn, const void *page);

/* At most VIEW_BATCH frames, one behind the other; NULL with errno. With errors: of each frame, and only it is missing. */
void *view_map(const struct view *view, const uint32_t *mfns, size_t count, bool writable, int *errors);
void view_unmap(const struct view *view, void *pages, size_t count);

/* What the hypervisor's table says of a machine frame, whoever owns it; UINT64_MAX: nothing. */
uint64_t view_pfn_of(uint64_t mfn);
uint64_t view_clock_ns(void);
void view_pause_ns(uint64_t ns); /* other threads run; 0: only if they want to */

int migration_fail(struct stream_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest's own table from its frames (pfn) to machine frames (mfn), found the way its shared_info says and copied. The
 * guest writes table, page tables and shared_info as it likes: nothing here is believed before it is checked.
 */
#ifndef MIGRATION_P2M_H
#define MIGRATION_P2M_H

#include "view.h"

struct p2m {
    unsigned int bits;
    uint64_t pages; /* guest frames are 0 to pages - 1 */
    uint32_t *mfns; /* of each; VIEW_NO_FRAME: it has none */
    size_t frame_count;
    uint32_t *frames; /* machine frames of the table itself */
};

/* Frames a table may have at most, whatever the guest says: for a domain that may own `max_pages`. */
uint64_t p2m_limit(uint64_t max_pages);

/* 0, or -1 with the error; nothing is allocated then. */
int p2m_read(const struct view *view, const uint8_t *shared_info, uint64_t limit, struct p2m *p2m,
             struct stream_error *error);
void p2m_free(struct p2m *p2m);

/* The guest frame of a machine frame, when both tables agree that it is this guest's; UINT64_MAX otherwise. */
uint64_t p2m_pfn_of(const struct p2m *p2m, uint64_t mfn);

/* The machine frame in a CR3 of the guest's width, and back. */
uint64_t p2m_cr3_frame(unsigned int bits, uint64_t cr3);
uint64_t p2m_frame_cr3(unsigned int bits, uint64_t frame);

#endif

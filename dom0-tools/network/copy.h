/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copies between guests' pages that are gathered and carried out together: a batch of frames costs one hypercall. A page
 * that its sender did not really grant is delivered as zeros, so that a sender's lie is never the receiver's error.
 */
#ifndef NETWORK_COPY_H
#define NETWORK_COPY_H

#include <abi/grant_table.h>

#include "switch.h"

#define COPY_PAGE_BYTES 4096u

/* Where the bytes go: a page that domid lends us. */
struct copy_target {
    uint16_t domid;
    uint32_t gref;
    uint16_t offset;
    bool *failed; /* set when the page could not be written: valid until copy_flush */
};

/* `bytes` of a piece from `from` on; all of it lies in the target's page. `unreadable` as in struct frame. */
void copy_add(const struct frame_piece *piece, uint32_t from, uint32_t bytes, const struct copy_target *target,
              bool *unreadable);

/* Carries out what was gathered. */
void copy_flush(void);

/* The whole frame into memory of ours, at once; `to` has room for frame->bytes. false: a piece was not readable. */
bool frame_copy(const struct frame *frame, void *to);

#endif

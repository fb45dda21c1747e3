/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The canonical form: where a guest's page tables and registers name machine frames, the stream names guest frames. One
 * rule for both directions: a frame that is not this guest's is never passed on.
 */
#ifndef MIGRATION_CANONICAL_H
#define MIGRATION_CANONICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CANONICAL_ENTRIES 512u
#define CANONICAL_NONE    UINT64_MAX

/* The other number of a frame, or CANONICAL_NONE: machine to guest when saving, guest to machine when restoring. */
struct frame_map {
    uint64_t (*other)(void *own, uint64_t frame);
    void *own;
};

struct table_kind {
    unsigned int bits;    /* of the guest: 32 or 64 */
    unsigned int level;   /* 1 to 4 */
    uint64_t compat_mark; /* machine frame by which a 32-bit guest's last L2 table is told; CANONICAL_NONE: none is */
};

/* What is wrong with a table: its first bad entry. */
struct table_fault {
    unsigned int index;
    uint64_t entry;
    bool large; /* it maps a large page; otherwise its frame is not the guest's */
};

/* `in` may change meanwhile: each entry is read once. 0, or -1 with the fault; `out` is undefined then. */
int canonical_table(const struct table_kind *kind, const struct frame_map *map, const uint64_t *in, uint64_t *out,
                    struct table_fault *fault);

/*
 * vcpu_guest_context of the guest's width, in place: GDT frames and page tables. vCPU 0 has the frame of start_info, too,
 * in EDX: the caller deals with that. 0, or -1 with the name of the field and its frame.
 */
struct context_fault {
    const char *field;
    uint64_t frame;
};

size_t canonical_context_size(unsigned int bits);
int canonical_context(unsigned int bits, bool restoring, const struct frame_map *map, void *context,
                      struct context_fault *fault);
uint64_t canonical_start_info(unsigned int bits, const void *context);
void canonical_set_start_info(unsigned int bits, void *context, uint64_t frame);

#endif

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A pairing heap of nodes that live inside their owners: the smallest key on top, as a signed number. Insertion is O(1),
 * taking any node out is O(log n) amortised, nothing is ever allocated. The caller holds the lock and knows whether a
 * node is inside.
 */
#ifndef HYPERVISOR_SCHED_HEAP_H
#define HYPERVISOR_SCHED_HEAP_H

#include "types.h"

struct heap_node {
    struct heap_node *child, *next; /* first child; next sibling */
    struct heap_node *prev;         /* previous sibling, or the parent of a first child; NULL at the top */
    u64 key;
};

struct heap {
    struct heap_node *top;
};

void heap_insert(struct heap *heap, struct heap_node *node);
void heap_remove(struct heap *heap, struct heap_node *node);

#endif

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The pairing heap of heap.h. Equal keys keep the order of insertion as far as melding does: the older stays on top.
 */
#include "sched/heap.h"

/* Both are tops of separate heaps (their prev and next are not looked at) and may be NULL. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
    if (!a)
        return b;
    if (!b)
        return a;
    if ((s64)b->key < (s64)a->key) {
        struct heap_node *swap = a;

        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    a->next = a->prev = NULL;
    return a;
}

/* Melds a list of siblings in pairs, then the pairs from the last to the first. */
static struct heap_node *meld_siblings(struct heap_node *first)
{
    struct heap_node *pairs = NULL, *result = NULL;

    while (first) {
        struct heap_node *a = first, *b = a->next, *pair;

        first = b ? b->next : NULL;
        pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct heap_node *next = pairs->next;

        result = meld(pairs, result);
        pairs = next;
    }
    if (result)
        result->next = result->prev = NULL;
    return result;
}

void heap_insert(struct heap *heap, struct heap_node *node)
{
    node->child = node->next = node->prev = NULL;
    heap->top = meld(heap->top, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *children = meld_siblings(node->child);

    if (!node->prev) {
        heap->top = children;
        return;
    }
    if (node->prev->child == node)
        node->prev->child = node->next;
    else
        node->prev->next = node->next;
    if (node->next)
        node->next->prev = node->prev;
    heap->top = meld(heap->top, children);
}

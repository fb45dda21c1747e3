/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The pairing heap against a plain array: the top is always the smallest, removal of any node keeps the rest.
 */
#include <stdlib.h>
#include "sched/heap.h"
#include "tests/unit/run_suite.h"

#define NODES 300

START_TEST(top_is_the_smallest_after_anything)
{
    struct heap heap = {0};
    struct heap_node nodes[NODES];
    bool inside[NODES] = {false};

    srand((unsigned)_i + 1);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)rand() % NODES, smallest = NODES;

        if (inside[i]) {
            heap_remove(&heap, &nodes[i]);
        } else {
            nodes[i].key = (u64)rand() % 1000;
            heap_insert(&heap, &nodes[i]);
        }
        inside[i] = !inside[i];
        for (unsigned j = 0; j < NODES; j++)
            if (inside[j] && (smallest == NODES || nodes[j].key < nodes[smallest].key))
                smallest = j;
        if (smallest == NODES)
            ck_assert_ptr_null(heap.top);
        else
            ck_assert_uint_eq(heap.top->key, nodes[smallest].key);
    }
}
END_TEST

START_TEST(sorts)
{
    static struct heap_node nodes[5000];
    struct heap heap = {0};
    u64 last = 0;

    for (unsigned i = 0; i < 5000; i++) {
        nodes[i].key = (i * 2654435761U) % 100003;
        heap_insert(&heap, &nodes[i]);
    }
    for (unsigned i = 0; i < 5000; i++) {
        ck_assert_uint_ge(heap.top->key, last);
        last = heap.top->key;
        heap_remove(&heap, heap.top);
    }
    ck_assert_ptr_null(heap.top);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tc = tcase_create("heap");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, top_is_the_smallest_after_anything, 0, 5);
    tcase_add_test(tc, sorts);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory that comes and goes. First the guest moves its balloon itself: gives memory back, takes it again, and asks
 * for more than its maximum, which is refused with the number. Then it follows memory/target (`mem-set`) and prints
 * each new size, until it is told to stop.
 */
#include <stdio.h>
#include <string.h>
#include <pv/paging.h>
#include <pv/pv.h>
#include <pv/threads.h>

#define KIB(pages)    ((pages) << (PAGE_SHIFT - 10))
#define STEP_PAGES    2048UL /* 8 MiB */
#define EXTRA_PAGES   4096UL
#define LOOK_AGAIN_NS 50000000ULL

/* Writes to all of a fresh range: memory that came back must be usable, and ours alone. */
static bool usable(unsigned long pages)
{
    unsigned char *memory = pages_alloc(pages);
    bool good = memory != NULL;

    if (memory == NULL)
        return false;
    memset(memory, 0xa5, pages * PAGE_SIZE);
    for (unsigned long i = 0; i < pages * PAGE_SIZE; i += 4093)
        good = good && memory[i] == 0xa5;
    pages_free(memory, pages);
    return good;
}

static void shrink_and_grow(void)
{
    unsigned long before = balloon_current(), moved;

    moved = balloon_release(STEP_PAGES);
    printf("balloon: gave back %lu KiB, now %lu KiB\n", KIB(moved), KIB(balloon_current()));
    moved = balloon_claim(before - balloon_current());
    printf("balloon: took %lu KiB again, now %lu KiB\n", KIB(moved), KIB(balloon_current()));
    printf("balloon: the memory is %s\n", usable(STEP_PAGES / 2) ? "usable" : "NOT usable");
}

static void ask_past_maximum(void)
{
    long maximum = balloon_maximum();
    unsigned long before = balloon_current(), got;

    if (maximum < 0) {
        printf("balloon: the hypervisor names no maximum\n");
        return;
    }
    printf("balloon: the maximum is %lu KiB, asking for %lu KiB\n", KIB((unsigned long)maximum),
           KIB((unsigned long)maximum + EXTRA_PAGES));
    got = balloon_set_target((unsigned long)maximum + EXTRA_PAGES);
    printf("balloon: refused past %lu KiB\n", KIB(got));
    balloon_set_target(before);
}

int main(int argc, char **argv)
{
    unsigned long size = balloon_current();

    printf("balloon: dom%u starts with %lu KiB\n", pv_domid(), KIB(size));
    shrink_and_grow();
    ask_past_maximum();
    size = balloon_current();
    printf("balloon: following memory/target from %lu KiB; try: mem-set balloon 24\n", KIB(size));
    for (;;) {
        thread_sleep_ns(LOOK_AGAIN_NS);
        if (balloon_current() == size)
            continue;
        size = balloon_current();
        printf("balloon: now %lu KiB, %lu KiB of it free\n", KIB(size), KIB(pages_free_count()));
    }
}

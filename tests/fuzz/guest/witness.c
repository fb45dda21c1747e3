/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The bystander of the fuzzer: all its memory but a reserve is a pattern that says which page it is, its ticks are due
 * every 10 ms. Says once a second how late the ticks were, and at once when a word is not as it was.
 */
#include <stdio.h>
#include <string.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/pv.h>
#include <pv/threads.h>
#include <pv/time.h>

enum { RESERVE = 512, PAGES_MAX = 16384, TICK_NS = 10000000, CHECKED = 8 };

static uint64_t *pages[PAGES_MAX];
static unsigned int page_count, next, damaged;

static uint64_t pattern(unsigned int page, unsigned int word)
{
    return ((uint64_t)page << 32 | word) * 0x9e3779b97f4a7c15ULL;
}

static void fill(void)
{
    while (page_count < PAGES_MAX && pages_free_count() > RESERVE) {
        uint64_t *page = pages_alloc(1);

        if (page == NULL)
            break;
        for (unsigned int word = 0; word < PAGE_SIZE / 8; word++)
            page[word] = pattern(page_count, word);
        pages[page_count++] = page;
    }
}

static void look(void)
{
    for (unsigned int n = 0; n < CHECKED; n++, next = (next + 1) % page_count)
        for (unsigned int word = 0; word < PAGE_SIZE / 8; word++)
            if (pages[next][word] != pattern(next, word) && damaged++ < 10)
                printf("witness: DAMAGED page %u (mfn %lx) word %u: %llx\n", next, virt_to_mfn(pages[next]), word,
                       (unsigned long long)pages[next][word]);
}

int main(int argc, char **argv)
{
    uint64_t due, latest = 0;
    unsigned int ticks = 0;

    fill();
    printf("witness: %u pages\n", page_count);
    due = time_monotonic_ns();
    for (;;) {
        uint64_t now;

        due += TICK_NS;
        now = time_monotonic_ns();
        if (due > now)
            thread_sleep_ns(due - now);
        now = time_monotonic_ns();
        latest = now > due && now - due > latest ? now - due : latest;
        look();
        if (++ticks % 100 == 0) {
            printf("witness: %u ticks, latest %u us, %u damaged\n", ticks, (unsigned int)(latest / 1000), damaged);
            latest = 0;
        }
    }
}

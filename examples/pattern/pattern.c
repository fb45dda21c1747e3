/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest that fills its memory with patterns, and keeps rewriting and checking all of them: whatever saves, restores or
 * migrates it must not lose, repeat or misplace a single page.
 *   size=MIB   how much memory to use (0: all but a little)   rate=N   pages rewritten per second (2000; 0: none)
 *   pause=MS   between two rounds (100)                        rounds=N  stop after N (0: never)
 *   spoil=N  flip one bit of one page in round N, to see that it is noticed (0: never)
 * A page knows its index and generation, not its frame, and every word follows from those two. A table beside it knows
 * the generation too, so that an older state of a page is noticed.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/suspend.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "pattern.h"

#define MAGIC       0x70617474U
#define WORDS       ((PAGE_SIZE - sizeof(struct page_head)) / sizeof(uint32_t))
#define LEFT_FREE   192UL /* pages, for stacks, tables and the library */
#define YIELD_EVERY 16U
#define MS          1000000ULL

struct page_head {
    uint32_t magic, index, generation, sum;
};

struct page {
    struct page_head head;
    uint32_t words[WORDS];
};

/* One line of the cache for each vCPU. */
static struct progress {
    unsigned long rounds, checked, rewritten;
    unsigned long allowed; /* how many may have been rewritten by now */
} __attribute__((aligned(64))) progress[XEN_LEGACY_MAX_VCPUS];

unsigned int vcpu_count;
unsigned long page_count;
static struct page **pages;
static uint32_t *generations;
static unsigned long rate, pause_ms, started_ms, spoil_round;

void broken(const char *format, ...)
{
    char text[160];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    pv_panic("pattern: BROKEN %s\n", text);
}

void *page_at(unsigned long index)
{
    return pages[index];
}

/* Words of a page are a linear congruential sequence that starts with what the page is. */
static uint32_t first_word(uint32_t index, uint32_t generation)
{
    return (index * 2654435761U) ^ (generation * 40503U) ^ MAGIC;
}

static uint32_t next_word(uint32_t word)
{
    return word * 1664525U + 1013904223U;
}

static void fill(struct page *page, uint32_t index, uint32_t generation)
{
    uint32_t word = first_word(index, generation), sum = 0;

    for (unsigned int i = 0; i < WORDS; i++, word = next_word(word)) {
        page->words[i] = word;
        sum += word;
    }
    page->head = (struct page_head){MAGIC, index, generation, sum};
}

static _Noreturn void report_head(unsigned long index, const struct page_head *head)
{
    broken("page %lu (pfn %lx): its head says %" PRIx32 ", page %" PRIu32 ", generation %" PRIu32
           "; it is of generation %" PRIu32,
           index, virt_to_pfn(pages[index]), head->magic, head->index, head->generation, generations[index]);
}

void page_check(unsigned long index, const void *where)
{
    const struct page *page = where;
    uint32_t word, sum = 0;

    if (page->head.magic != MAGIC || page->head.index != index || page->head.generation != generations[index])
        report_head(index, &page->head);
    word = first_word(page->head.index, page->head.generation);
    for (unsigned int i = 0; i < WORDS; i++, word = next_word(word)) {
        if (page->words[i] != word)
            broken("page %lu (pfn %lx), generation %" PRIu32 ": word %u is %" PRIx32 ", not %" PRIx32, index,
                   virt_to_pfn(pages[index]), page->head.generation, i, page->words[i], word);
        sum += word;
    }
    if (sum != page->head.sum)
        broken("page %lu (pfn %lx), generation %" PRIu32 ": checksum", index, virt_to_pfn(pages[index]),
               page->head.generation);
}

void page_rewrite(unsigned long index, void *where)
{
    fill(where, (uint32_t)index, ++generations[index]);
}

unsigned int random_below(unsigned int limit)
{
    static uint32_t state = 1;

    state = next_word(state);
    return (state >> 8) % limit;
}

/* Rewriting goes round the pages from where it stopped, as far as the rate allows. */
static void rewrite_some(unsigned int cpu, unsigned long *position)
{
    struct progress *own = &progress[cpu];

    for (unsigned int count = 0; count < 64 && own->rewritten < own->allowed; count++) {
        if (!churn_holds(*position)) {
            page_check(*position, pages[*position]); /* rewriting would hide what is wrong with it */
            page_rewrite(*position, pages[*position]);
            own->rewritten++;
        }
        *position += vcpu_count;
        if (*position >= page_count)
            *position = cpu;
    }
}

static void allow_more(unsigned int cpu)
{
    uint64_t ms = time_monotonic_ns() / MS - started_ms;

    progress[cpu].allowed = (unsigned long)(ms * rate / vcpu_count / 1000);
}

/* All pages of one vCPU. `breathe` is where it may be suspended, and others may run. */
static void round_of(unsigned int cpu, unsigned long *position, void (*breathe)(void))
{
    unsigned int until_breath = YIELD_EVERY;

    for (unsigned long index = cpu; index < page_count; index += vcpu_count) {
        if (!churn_holds(index)) {
            page_check(index, pages[index]);
            progress[cpu].checked++;
        }
        if (--until_breath != 0)
            continue;
        until_breath = YIELD_EVERY;
        allow_more(cpu);
        rewrite_some(cpu, position);
        clock_check();
        breathe();
    }
    __atomic_fetch_add(&progress[cpu].rounds, 1, __ATOMIC_SEQ_CST);
}

static void secondary(void *unused)
{
    unsigned int cpu = smp_cpu_id();
    unsigned long position = cpu;

    for (;;) {
        round_of(cpu, &position, smp_safe_point);
        smp_sleep_ns(pause_ms * MS);
    }
}

/* One page at a time: free memory need not be in one piece. */
static bool take_pages(unsigned long wanted)
{
    unsigned long room = pages_free_count() > LEFT_FREE ? pages_free_count() - LEFT_FREE : 0;
    unsigned long beside = (room * (sizeof(*pages) + sizeof(*generations)) >> PAGE_SHIFT) + 2;

    if (wanted == 0 || wanted > room - beside)
        wanted = room > beside ? room - beside : 0;
    pages = pages_alloc((wanted * sizeof(*pages) >> PAGE_SHIFT) + 1);
    generations = pages_alloc((wanted * sizeof(*generations) >> PAGE_SHIFT) + 1);
    if (wanted == 0 || pages == NULL || generations == NULL)
        return false;
    while (page_count < wanted && (pages[page_count] = pages_alloc(1)) != NULL) {
        fill(pages[page_count], (uint32_t)page_count, 0);
        page_count++;
    }
    return page_count > 0;
}

static void report(unsigned long round)
{
    unsigned long checked = 0, rewritten = 0;

    for (unsigned int cpu = 0; cpu < vcpu_count; cpu++) {
        checked += progress[cpu].checked;
        rewritten += progress[cpu].rewritten;
    }
    printf("pattern: round %lu, %lu pages, %lu checks and %lu rewrites so far, all right\n", round, page_count, checked,
           rewritten);
}

static void tell_suspension(void *unused, bool cancelled)
{
    printf("pattern: %s dom%u\n", cancelled ? "goes on as" : "restored as", pv_domid());
}

/* What a save that goes wrong might do to a page. */
static void spoil(void)
{
    unsigned long index;

    do
        index = random_below((unsigned int)page_count);
    while (churn_holds(index));
    pages[index]->words[random_below(WORDS)] ^= 1U << random_below(32);
}

int main(int argc, char **argv)
{
    static struct suspend_hook hook = {.after = tell_suspension};
    unsigned long rounds = pv_option_number("rounds", 0), position = 0;

    spoil_round = pv_option_number("spoil", 0);
    rate = pv_option_number("rate", 2000);
    pause_ms = pv_option_number("pause", 100);
    vcpu_count = smp_cpu_count();
    surroundings_start();
    if (!take_pages(pv_option_number("size", 0) << (20 - PAGE_SHIFT)) || !churn_start()) {
        printf("pattern: not enough memory\n");
        return 1;
    }
    suspend_hook_add(&hook);
    started_ms = (unsigned long)(time_monotonic_ns() / MS);
    printf("pattern: %lu pages, %lu rewritten per second, %u vCPUs\n", page_count, rate, vcpu_count);
    for (unsigned int cpu = 1; cpu < vcpu_count; cpu++)
        if (smp_start(cpu, secondary, NULL) != 0)
            broken("vCPU %u does not start", cpu);
    for (unsigned long round = 1; rounds == 0 || round <= rounds; round++) {
        if (round == spoil_round)
            spoil();
        round_of(0, &position, thread_yield);
        churn();
        surroundings_check();
        report(round);
        thread_sleep_ns(pause_ms * MS);
    }
    printf("pattern: %lu rounds, powering off\n", rounds);
    return 0;
}

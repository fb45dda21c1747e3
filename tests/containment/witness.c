/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A bystander. It fills its pages with words that nobody else can guess the place of, reads them again and again, and
 * says so each half second; whatever an attacker in another domain does, no word may change.
 */
#include <stdint.h>
#include <stdio.h>
#include <pv/paging.h>
#include <pv/threads.h>
#include <pv/time.h>

#define PAGES 1024UL
#define WORDS (PAGES * PAGE_SIZE / sizeof(uint32_t))
#define MS    1000000ULL

static uint32_t wanted(unsigned long word)
{
    return ((uint32_t)word + 1) * 0x9E3779B1U ^ 0x5AFEC0DEU;
}

static unsigned long damaged(const volatile uint32_t *words)
{
    unsigned long count = 0;

    for (unsigned long i = 0; i < WORDS; i += 7)
        if (words[i] != wanted(i) && count++ < 4)
            printf("witness: DAMAGED: word %lx is %08x\n", i, (unsigned int)words[i]);
    return count;
}

/* What an attacker who finds it in his registers has from here. */
static void fill_vectors(void)
{
    static const uint32_t secret[4] = {0x5AFEC0DEU, 0x5AFEC0DEU, 0x5AFEC0DEU, 0x5AFEC0DEU};

    __asm__ volatile("movups %0, %%xmm0\n\tmovups %0, %%xmm1\n\tmovups %0, %%xmm2\n\tmovups %0, %%xmm3\n\t"
                     "movups %0, %%xmm4\n\tmovups %0, %%xmm5\n\tmovups %0, %%xmm6\n\tmovups %0, %%xmm7"
                     :
                     : "m"(secret));
}

int main(int argc, char **argv)
{
    uint32_t *words = pages_alloc(PAGES);

    for (unsigned long i = 0; i < WORDS; i++)
        words[i] = wanted(i);
    for (unsigned long round = 1; damaged(words) == 0; round++) {
        fill_vectors();
        printf("witness: round %lu\n", round);
        thread_sleep_ns(500 * MS);
    }
    for (;;)
        thread_sleep_ns(1000 * MS);
}

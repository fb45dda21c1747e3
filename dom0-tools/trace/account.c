/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Sums by who and what; see account.h. Until it is sorted the table is a hash with open addressing.
 */
#include "account.h"

#include <stdlib.h>

#define NO_SUB_KEY 0x3fffu

unsigned int account_bits(unsigned int depth)
{
    static const unsigned char bits[ACCOUNT_DEPTHS] = {16, 32, 36, 64};

    return bits[depth];
}

trace_who key_who(uint64_t key)
{
    return (trace_who)(key >> 32);
}

enum trace_where key_where(uint64_t key)
{
    return (enum trace_where)(key >> 28 & 0xf);
}

enum trace_doing key_doing(uint64_t key)
{
    return (enum trace_doing)(key >> 24 & 0xf);
}

unsigned int key_code(uint64_t key)
{
    return key >> 14 & 0x3ff;
}

unsigned int key_sub(uint64_t key)
{
    unsigned int sub = key & NO_SUB_KEY;

    return sub == NO_SUB_KEY ? TRACE_NO_SUB : sub;
}

static enum trace_where where_of(unsigned int doing)
{
    switch (doing) {
    case DOING_IDLE:
        return WHERE_IDLE;
    case DOING_KERNEL:
        return WHERE_KERNEL;
    case DOING_USER:
        return WHERE_USER;
    default:
        return WHERE_HYPERVISOR;
    }
}

static uint64_t key_of(const struct trace_span *span)
{
    uint32_t sub = span->sub < NO_SUB_KEY ? span->sub : NO_SUB_KEY;

    return (uint64_t)span->who << 32 | (uint64_t)where_of(span->doing) << 28 | (uint64_t)span->doing << 24 |
           (uint64_t)(span->code & 0x3ffu) << 14 | sub;
}

/* The last line stays for what finds no room. */
static struct account_line *line_of(struct account *account, uint64_t key)
{
    uint32_t at = (uint32_t)(key * 0x9e3779b97f4a7c15u >> 40) % ACCOUNT_MAX;

    while (account->lines[at].count != 0 && account->lines[at].key != key)
        at = (at + 1) % ACCOUNT_MAX;
    if (account->lines[at].count == 0) {
        if (account->used >= ACCOUNT_MAX - 2 && key >> 32 != TRACE_NO_WHO)
            return line_of(account, (uint64_t)TRACE_NO_WHO << 32);
        account->used++;
        account->lines[at].key = key;
    }
    return &account->lines[at];
}

void account_add(struct account *account, const struct trace_span *span)
{
    struct account_line *line = line_of(account, key_of(span));

    line->tsc += span->to - span->from;
    line->count++;
    account->total += span->to - span->from;
}

static int by_key(const void *a, const void *b)
{
    const struct account_line *left = a, *right = b;

    if (!left->count != !right->count)
        return left->count ? -1 : 1;
    return left->key < right->key ? -1 : left->key > right->key;
}

void account_sort(struct account *account)
{
    qsort(account->lines, ACCOUNT_MAX, sizeof(account->lines[0]), by_key);
}

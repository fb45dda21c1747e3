/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How long each vCPU did each thing, and how often: stretches summed up by who and what.
 */
#ifndef TRACE_ACCOUNT_H
#define TRACE_ACCOUNT_H

#include "story.h"

#define ACCOUNT_MAX 4096 /* different things; what comes after is summed up as nobody's */

/*
 * The key orders by domain, vCPU, where (idle, kernel, user, hypervisor), and what: its bits, from the highest: 16, 16, 4,
 * 4 (enum trace_doing), 10 (code), 14 (sub-operation).
 */
struct account_line {
    uint64_t key, tsc, count;
};

struct account {
    struct account_line lines[ACCOUNT_MAX];
    uint32_t used;
    uint64_t total; /* TSC of all */
};

/* How many bits of a key name the frame at a depth: domain, vCPU, where, what. */
#define ACCOUNT_DEPTHS 4
unsigned int account_bits(unsigned int depth);

enum trace_where { WHERE_IDLE, WHERE_KERNEL, WHERE_USER, WHERE_HYPERVISOR };

trace_who key_who(uint64_t key);
enum trace_where key_where(uint64_t key);
enum trace_doing key_doing(uint64_t key);
unsigned int key_code(uint64_t key);
unsigned int key_sub(uint64_t key); /* TRACE_NO_SUB when there is none */

void account_add(struct account *account, const struct trace_span *span);

/* Orders the lines by key. */
void account_sort(struct account *account);

#endif

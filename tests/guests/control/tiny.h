/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Tiny domains: a page of code, a stack, and just the page tables that map them. And what is asked of domains of any
 * size; of the numbers that a call gives back, the last call's are in `domctl`.
 */
#ifndef GUESTS_CONTROL_TINY_H
#define GUESTS_CONTROL_TINY_H

#include <stdbool.h>
#include <stdint.h>
#include <abi/arch_x86.h>
#include <abi/compat.h>
#include "tests/guests/dom0_calls.h"

#define CODE_VA 0x100000UL
#define TINY    8 /* pages of a tiny domain: up to four tables and L2s for a whole PAE L3, code, stack */

/* The page tables and memory of a tiny domain. */
struct tiny {
    int domid;
    bool narrow;
    xen_pfn_t mfn[TINY];
    uint8_t *page[TINY];
    unsigned long root; /* index of the top table */
};

enum { CODE, STACK, L1, L2, L3, L4 };

/* What a tiny domain does: a sched_op that it makes for ever, with the argument at code + 64, or one of these. */
enum { SPINS = -1, CRASHES = -2 };

/* The registers that a tiny domain was made with; whoever asks for a vCPU's finds them here. */
extern union context {
    struct vcpu_guest_context own;
    struct compat_vcpu_guest_context narrow;
} context;

/* A paused domain, or a negative error. */
long tiny_create(struct tiny *t, bool narrow, int code);
long tiny_start(struct tiny *t);

/* The code of a tiny domain anew, while it waits: a call of number `nr` with two arguments, for ever. */
void tiny_write_call(uint8_t *at, bool narrow, uint8_t nr, uint32_t first, uint32_t second);

/* A domain's number, or a negative error. */
int domain_create(unsigned int vcpus);
long domain_destroy(int domid);
long domain_set_vcpus(int domid, unsigned int vcpus);
long domain_set_memory(int domid, unsigned long pages);
long domain_info(int domid);
bool domain_exists(int domid);

/* Waits till the domain has this flag; false if it does not get it. */
bool domain_wait_flag(int domid, uint32_t flag);

/* Its run time, once that is more than `past` or a long time is over. */
uint64_t domain_wait_run(int domid, uint64_t past);

/* Of the domain asked about last. */
unsigned int shutdown_reason(void);

long context_set(int domid, void *from);
long context_get(int domid, unsigned int vcpu);

/* An idle CPU holds a few pages while it cleans them. The most that is free within some time, and whether as much comes
 * to be free again. */
uint64_t free_at_rest(void);
bool free_again(uint64_t before);

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the attackers share: short forms of the memory hypercalls, pages that may become tables, frames of others, a
 * second vCPU that does something again and again. Each attack is a function with a sentence about its class above it;
 * its CHECKs hold when the attack got nowhere.
 */
#ifndef TESTS_CONTAINMENT_ATTACK_H
#define TESTS_CONTAINMENT_ATTACK_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/time.h>
#include <pv/traps.h>
#include "tests/guests/check.h"

#ifdef __x86_64__
#define TOP_LEVEL     4
#define PIN_TOP       MMUEXT_PIN_L4_TABLE
#define HV_START      0xffff800000000000UL
#define HV_DATA       0xffff830000000000UL /* the hypervisor's map of all memory */
#define NON_CANONICAL 0x0000800000000000UL
#else
#define TOP_LEVEL 3
#define PIN_TOP   MMUEXT_PIN_L3_TABLE
#define HV_START  0xf5800000UL
#define HV_DATA   0xf5800000UL
#endif
#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US)

long set_pte(void *addr, pte_t pte);           /* update_va_mapping with INVLPG */
long set_pte_unflushed(void *addr, pte_t pte); /* and without */
long mmu_update_in(uint64_t ptr, uint64_t value, unsigned int domid);
long mmu_update(uint64_t ptr, uint64_t value); /* one request about our own frames */
long mmuext(unsigned int command, unsigned long mfn);
static inline uint64_t entry_of(unsigned long table_mfn, unsigned int slot)
{
    return (uint64_t)table_mfn << 12 | slot * 8;
}

unsigned long top_mfn(void);          /* the table we run on */
unsigned long foreign_mfn(void);      /* RAM that is not ours */
pte_t *new_table(void);               /* a page fit to become a table: zero, mapped read-only */
void drop_table(pte_t *page);         /* once it is none */
void poke(pte_t *entry, pte_t value); /* changes one word of such a page while it is no table */
/* A chain of empty tables, [0] of level 1 upward, each named by slot 0 of the next; not pinned. */
void new_chain(pte_t **tables, unsigned int levels);

/* Name a place that the hypervisor writes vCPU 0's run state, or time, to from now on. */
long register_runstate(void *at);
long register_time(void *at);

/* The timer of vCPU 0 is heard by the attacker from now on, no more by the library, which then cannot sleep. */
void take_timer(event_handler_t *heard);

/* Runs fn on another vCPU until race_stop; false: there is only one. fn must come back when *running is false. */
struct race {
    volatile bool running;
    volatile unsigned long rounds;
    void *arg;
};
bool race_start(struct race *race, void (*fn)(void *race));
void race_stop(struct race *race);

#endif

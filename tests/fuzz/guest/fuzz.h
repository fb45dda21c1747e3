/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hypercall fuzzer: a kernel that calls by the grammar, from several vCPUs. What a vCPU does depends on its seed and,
 * where it uses what a call gave it (ports, handles, frames), on the answers. Damage is meant for the playground; what
 * the kernel needs to go on is hit seldom.
 */
#ifndef TESTS_FUZZ_GUEST_FUZZ_H
#define TESTS_FUZZ_GUEST_FUZZ_H

#include <pv/pv.h>
#include <hypercall_grammar.h>

enum { PLAYERS = 4, PAGES = 64, TABLES = 16, WINDOW = 32, ARENA = 4, RECENT = 32, ELEMENTS = 8 };

struct player {
    uint64_t state;
    unsigned int number;
    int alarm; /* the port that wakes this vCPU */
    volatile unsigned long calls;
    const struct grammar_call *volatile doing;
    char *arena;           /* ARENA mapped pages with unmapped ones around */
    unsigned int cursor;   /* where in its last pages the next argument goes */
    char *argument;        /* what is being filled in the arena */
    uint64_t before;       /* the value whose upper half comes next */
    unsigned int sub;      /* of the call in the making */
    unsigned int elements; /* of its list */
    uint32_t ports[RECENT], handles[RECENT];
    uint64_t mapped[RECENT];
    unsigned int last_mapped;
    uint64_t system_time;
};

extern char *playground, *window;
extern unsigned long frames[PAGES];
extern uint16_t peer; /* the domain that fuzzes beside this one, or this one */
extern bool trace_calls;

static inline uint32_t draw(struct player *p, uint32_t below)
{
    p->state = p->state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(((p->state >> 32) * below) >> 32);
}

static inline uint16_t either_of_us(struct player *p)
{
    return draw(p, 2) ? pv_domid() : peer;
}

/* Sixty-four bits that no one would choose. */
uint64_t wild(struct player *p);

/* A value of a kind, mostly one that makes sense. */
uint64_t make_value(struct player *p, unsigned int kind, unsigned int structure);

/* Fills count elements of a structure somewhere in memory, and returns where. */
unsigned long make_structures(struct player *p, unsigned int structure, unsigned int count);

/* Takes what an answered call left in its structure: ports, handles. */
void harvest(struct player *p, const struct grammar_call *call);

/* Writes to page tables, privileged instructions, traps. */
void misbehave(struct player *p);
void install_traps(void);

#endif

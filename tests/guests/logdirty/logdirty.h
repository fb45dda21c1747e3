/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The domain whose writes are logged: how its memory is laid out, what it tells of its work, and how it is built.
 */
#ifndef GUESTS_LOGDIRTY_H
#define GUESTS_LOGDIRTY_H

#include <stdbool.h>
#include <abi/arch_x86.h>
#include <pv/paging.h>
#include "tests/guests/dom0_calls.h"

#define MAX_VCPUS   4
#define AREA        0x1000000UL /* pages that are not the image's, frame n at n << 12 like those */
#define WINDOWS     0x1200000UL /* a page each, and one for all */
#define OWN_TABLES  0x1400000UL /* 2 MiB each, of a table that the vCPU makes and unmakes */
#define MANY_TABLES 0x10000000UL
#define SLOT(va)    ((va) >> 12 & 511)
#define L2_SLOT(va) ((va) >> 21 & 511)
#define PAGES_MAX   2048

enum {
    SHARED, /* struct shared */
    STACKS = SHARED + 4,
    PRIVATE = STACKS + 2 * MAX_VCPUS,
    DATA = PRIVATE + MAX_VCPUS,
    DATA_PAGES = 64,
    QUIET = DATA + DATA_PAGES, /* never written */
    QUIET_PAGES = 16,
    SCRATCH = QUIET + QUIET_PAGES,     /* becomes a table and a page again */
    DESCRIPTORS = SCRATCH + MAX_VCPUS, /* a GDT each */
    L1_IMAGE = DESCRIPTORS + MAX_VCPUS,
    L1_AREA = L1_IMAGE + 8,
    L1_WINDOWS = L1_AREA + 2,
    L2,
    L3_A,
    L3_B,
    TOP_A,
    TOP_B,
    L1_MANY,
    MANY = 320,
    AREA_PAGES = L1_MANY + MANY
};

struct shared {
    volatile unsigned long operations[MAX_VCPUS];
    volatile unsigned int wrong[MAX_VCPUS]; /* line of the first check that failed */
    volatile unsigned int load_segments;    /* dom0 asks for it */
    unsigned long mfn[AREA_PAGES];
    unsigned long root[2];
    unsigned int vcpus;
    volatile unsigned int generation, page; /* of the window for all: odd while it changes */
};

#define area_va(index) (AREA + (unsigned long)(index)*PAGE_SIZE)

extern struct logged {
    int domid;
    unsigned int vcpus;
    unsigned long count, image_pages;
    unsigned long held; /* pages that every report names */
    xen_pfn_t pfn[PAGES_MAX], mfn[PAGES_MAX];
    char *view, *copy;
} dom;

#define area_index(a) (dom.image_pages + (unsigned long)(a))
#define mfn_at(a)     (dom.mfn[area_index(a)])

/* Where each of its vCPUs begins. */
void guest_main(unsigned long vcpu);

/* A domctl on it. */
long dom_call(unsigned int cmd);

/* Makes it, paused. */
bool dom_build(unsigned int vcpus);
void dom_drop(void);

/* What it shares with us, as it has it now. */
const struct shared *dom_sees(void);

#endif

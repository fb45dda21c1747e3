/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files of the kernel library share with each other and with nobody else.
 */
#ifndef CORE_INTERNAL_H
#define CORE_INTERNAL_H

#include <pv/pv.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Places in the address space; the direct mapping of frames has everything below. */
#ifdef __x86_64__
#define DIRECT_MAP_PAGES (1UL << 20) /* 4 GiB */
#define VSPACE_BASE      0x10000000000UL
#define VSPACE_PAGES     (1UL << 19) /* 2 GiB */
#define HEAP_BASE        0x20000000000UL
#define HEAP_END         (HEAP_BASE + (4UL << 30))
#else
/* All above the direct mapping shares the one L2 table that the hypervisor's own area gave us. */
#define DIRECT_MAP_PAGES 0xc0000UL /* 3 GiB */
#define HEAP_BASE        0xc0000000UL
#define HEAP_END         0xd8000000UL
#define VSPACE_BASE      0xd8000000UL
#define VSPACE_PAGES     0x1d000UL /* up to 0xf5000000 */
#endif

extern char _text[], _etext[], _end[];
extern char boot_stack[];
extern const unsigned long trap_entries[32];
void upcall_entry(void);
void failsafe_entry(void);
void smp_entry(void);
void smp_main(unsigned int cpu);

struct trap_frame;

/* True: the task-switched flag is to be set again on the way out. */
bool trap_dispatch(struct trap_frame *frame);
extern const char trap_fxsave[];
void traps_init(void);
void traps_register(void);

void events_init(void);
void event_upcall(void);

void console_init_early(void);
void console_init(void);

void p2m_init(void);
void p2m_set(unsigned long pfn, unsigned long mfn);
int p2m_grow(unsigned long pfns);

/* First frame that the builder used for nothing. */
unsigned long boot_frames_end(void);

void pages_init(void);
void *table_page_alloc(void);
void table_page_free(void *page);
int tables_build(unsigned long va, unsigned int levels_above_l1);
int table_install(unsigned long va, unsigned int level, unsigned long mfn);
bool table_present(unsigned long va, unsigned int level);
void tlb_flush_range(unsigned long va, unsigned long pages);

/* Between the allocator and the balloon: frames [frontier, top) are ours and unmapped; see pages.c. */
unsigned long pages_take_top(unsigned long *pfns, unsigned long count);
void pages_give_top(unsigned long pfn);
unsigned long pages_take_mapped(unsigned long *pfns, unsigned long count);
void pages_give_mapped(unsigned long pfn);
unsigned long pages_frontier(void);
unsigned long pages_top(void);

void time_init(void);
void threads_init(void);

void services_start(void);

unsigned int fs_init(const void *archive, size_t size);

void pv_start(struct start_info *info);

#endif

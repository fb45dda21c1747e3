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

void shared_info_map(void);
/* Puts a page of ours in its place; reads and writes of the shared page then mean nothing. */
void shared_info_unmap(void);
/* The pages of store and console in start_info: as guest frames while saved, as machine frames while we run. */
void boot_info_to_pfns(void);
void boot_info_to_mfns(void);
void pv_domid_forget(void);

void events_init(void);
void event_upcall(void);
/* After a restore no port has a handler: the ports of before are gone. */
void events_forget(void);

void console_init_early(void);
void console_init(void);
/* Keeps threads from printing and waits until what was printed is taken. False: the lock was not to be had in time. */
bool console_hold(uint64_t deadline_ns);
void console_release(bool held);
/* The toolstack's last copy must have the page as the daemon left it, whose writes count as nobody's. */
void console_touch(void);
void console_resume(bool restored);

void xenbus_ring_touch(void);
void xenbus_ring_resume(bool restored);

void p2m_init(void);
void p2m_set(unsigned long pfn, unsigned long mfn);
int p2m_grow(unsigned long pfns);
/* Tells the toolstack where the table is, in the shared page; machine frames are looked up afresh. */
void p2m_publish(void);
void p2m_find_machine_table(void);

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

/* Pages of others that are mapped by grant; around a suspension, in this order. */
unsigned int grants_mapped(void);
int grants_prepare(void);
void grants_unmap(void);
void grants_map(bool restored);
void grants_settle(void);

/* -EBUSY when one is not at a safe point by the deadline; smp_start_others is called in any case. */
int smp_stop_others(uint64_t deadline_ns);
void smp_start_others(bool restored);

void time_init(void);
void time_bind(void);
/* Blocks a vCPU whose upcalls are masked; any event of its own may end it sooner. */
void time_poll_until(uint64_t deadline_ns);
/* time_monotonic_ns() stands still from the value that the first returns; the second gives how long that was. */
uint64_t time_stop(void);
uint64_t time_go_on(void);
void threads_init(void);

void services_start(void);

unsigned int fs_init(const void *archive, size_t size);

void pv_start(struct start_info *info);

#endif

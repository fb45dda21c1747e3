/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory. Guest frame n (pfn) sits at virtual address n << 12 once it is mapped; frames beyond the builder's mapping
 * get mapped when the allocator first needs them. Everything else (foreign frames, grants, heap, stacks) is mapped in
 * the area above. Page tables are read-only to us; every change is a hypercall.
 */
#ifndef PV_PAGING_H
#define PV_PAGING_H

#include <pv/pv.h>

typedef uint64_t pte_t;

#define PTE_P         0x001ULL
#define PTE_RW        0x002ULL
#define PTE_US        0x004ULL
#define PTE_PWT       0x008ULL
#define PTE_PCD       0x010ULL
#define PTE_A         0x020ULL
#define PTE_D         0x040ULL
#define PTE_PSE       0x080ULL
#define PTE_G         0x100ULL
#define PTE_NX        (1ULL << 63)

#define PTE_ADDR_MASK 0x000ffffffffff000ULL
#define PTE_KERNEL_RW (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_KERNEL_RO (PTE_P | PTE_US | PTE_A)

#define INVALID_P2M   (~0UL)

static inline pte_t pte_make(unsigned long mfn, uint64_t flags)
{
    return ((pte_t)mfn << PAGE_SHIFT) | flags;
}

static inline unsigned long pte_mfn(pte_t pte)
{
    return (unsigned long)((pte & PTE_ADDR_MASK) >> PAGE_SHIFT);
}

/* Frames: how many guest frame numbers exist, and the translation in both directions (INVALID_P2M when there is none). */
unsigned long pfn_limit(void);
unsigned long pfn_to_mfn(unsigned long pfn);
unsigned long mfn_to_pfn(unsigned long mfn);
/* Of any machine frame, whoever owns it: the hypervisor's table, which guests write (control domains only). */
unsigned long machine_to_guest_frame(unsigned long mfn);
/* The same, fast, where the first found an answer within the same page of the table before. */
unsigned long machine_to_guest_frame_known(unsigned long mfn);
unsigned long machine_frame_limit(void);
unsigned long virt_to_mfn(const void *addr); /* any mapped address, by the page tables */
void *pfn_to_virt(unsigned long pfn);
unsigned long virt_to_pfn(const void *addr); /* allocator pages only */

/* Whole pages with a direct mapping, contiguous in pfn and address, zeroed; NULL when none are left. */
void *pages_alloc(unsigned long count);
void pages_free(void *addr, unsigned long count);
unsigned long pages_free_count(void);

/* Reading the live page tables. pte_slot gives the machine address of the entry of addr, 0 when a level is missing. */
pte_t pte_read(const void *addr);
uint64_t pte_slot(const void *addr);

/* Writes one live entry by update_va_mapping with a local invalidation; builds missing levels first. */
int pte_write(void *addr, pte_t pte);
int pages_protect(void *addr, unsigned long count, bool writable);

/* A range of free virtual addresses with an unmapped page on each side; NULL when the area is used up. */
void *vspace_alloc(unsigned long pages);
void vspace_free(void *addr, unsigned long pages);

/*
 * Maps machine frames at a fresh range. domid is DOMID_SELF for our own, a domain number for foreign ones (needs the
 * privilege), DOMID_XEN or DOMID_IO for the hypervisor's. With errors == NULL one failure undoes everything and gives
 * NULL and errno; otherwise errors[i] is 0 or a positive errno for each frame.
 */
void *map_frames(const xen_pfn_t *frames, unsigned long count, domid_t domid, uint64_t flags, int *errors);

/* Fills already reserved addresses; returns 0 or the negative errno of the first failure when errors == NULL. */
int map_frames_at(void *addr, const xen_pfn_t *frames, unsigned long count, domid_t domid, uint64_t flags, int *errors);
void unmap_frames(void *addr, unsigned long count); /* unmaps and frees the range */
void unmap_frames_keep(void *addr, unsigned long count);

/* One range of memory-mapped machine frames: base frame and count. */
void *map_range(unsigned long first_mfn, unsigned long count, domid_t domid, uint64_t flags);

/* The balloon: gives frames back to the hypervisor and takes them again; both return how many moved. */
unsigned long balloon_release(unsigned long pages);
unsigned long balloon_claim(unsigned long pages);
unsigned long balloon_current(void); /* frames we own now */

/* What the domain may own at most (XENMEM_maximum_reservation), in pages; negative errno when refused. */
long balloon_maximum(void);

/* Moves towards a target in pages; returns what was reached. */
unsigned long balloon_set_target(unsigned long pages);

#endif

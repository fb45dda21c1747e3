/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory, as the rest of the hypervisor sees it: frames and their types, allocation, mapping, TLB flushes.
 *
 * A frame's whole state is one 64-bit word, changed by compare-and-swap, so that owner, reference count, type and type
 * count can never be seen torn:
 *
 *   bits  0-22 reference count   23 allocated (holds one reference)   24-38 owner's domid   39-42 type
 *         43 pinned   44 validated   45 busy (someone validates or invalidates it)   46 partial   47-63 type count
 *
 * A partial page is one whose validation (or invalidation, then bit 43 has no meaning and bit 44 is set) was preempted:
 * its type-count field then holds the number of entries done, and it keeps one reference for itself.
 * A free frame's word holds the type FRAME_FREE, an order and the free list's links instead (see mm/buddy.c).
 */
#ifndef HYPERVISOR_MM_H
#define HYPERVISOR_MM_H

#include "lib.h"
#include "layout.h"
#include "abi/xen.h"

struct domain;
struct vcpu;

enum frame_type {
    FRAME_NONE,
    FRAME_WRITABLE,
    FRAME_L1,
    FRAME_L2,
    FRAME_L3,
    FRAME_L4,
    FRAME_L2_COMPAT,  /* a 32-bit guest's fourth L2: its last slots map the compatibility M2P */
    FRAME_DESCRIPTOR, /* GDT or LDT frame */
    FRAME_FREE = 15,
};

struct frame {
    u64 word;
};

#define OWNER_NONE 0x7FFF /* the hypervisor's own; never a domid */
#define OWNER_IO   0x7FF1 /* not RAM: device memory */

extern struct frame *frame_table;
extern unsigned long max_frame; /* first mfn past RAM */
extern unsigned long total_frames, hypervisor_frames;
unsigned long free_frames(void);

static inline bool mfn_valid(mfn_t mfn)
{
    return mfn.value < max_frame;
}

static inline void *mfn_to_virt(mfn_t mfn)
{
    return (void *)(DIRECTMAP_START + (mfn.value << PAGE_SHIFT));
}

static inline void *maddr_to_virt(maddr_t maddr)
{
    return (void *)(DIRECTMAP_START + maddr);
}

static inline maddr_t virt_to_maddr(const void *va) /* direct map only */
{
    return (unsigned long)va - DIRECTMAP_START;
}

static inline mfn_t virt_to_mfn(const void *va)
{
    return mfn_of(virt_to_maddr(va) >> PAGE_SHIFT);
}

/* References. page_get fails unless the frame is RAM, in use and owned by d. page_get_type additionally takes a type
 * reference, validating the frame if it becomes a page or descriptor table: 0, -EINVAL (a bad entry, or the type
 * conflicts), -EBUSY, or -ERESTART (preempted: repeat the call). Puts never fail; putting the last type reference of a
 * large table may be preemptible: page_put_type_preemptible says 0 or -ERESTART (repeat the same call). */
bool page_get(mfn_t mfn, const struct domain *d);
void page_put(mfn_t mfn);
int page_get_and_type(mfn_t mfn, const struct domain *d, enum frame_type type, bool preemptible) MUST_CHECK;
void page_put_and_type(mfn_t mfn);
int page_get_type(mfn_t mfn, enum frame_type type, bool preemptible) MUST_CHECK;
void page_put_type(mfn_t mfn);
int page_put_type_preemptible(mfn_t mfn) MUST_CHECK;
/* Owner as a domid, or OWNER_NONE: only for reports, since it may change at once. */
unsigned page_owner_id(mfn_t mfn);
enum frame_type page_type(mfn_t mfn);
bool page_is_guest_ram(mfn_t mfn);

/* Allocation of our own memory, zeroed; NULL when there is none. Sizes up to 4096: a page-backed slab. */
void *hv_alloc(size_t size);
void hv_free(void *p);
void *hv_alloc_pages(unsigned order);
void hv_free_pages(void *p, unsigned order);
mfn_t frame_alloc(unsigned order, unsigned address_bits); /* INVALID_FRAME when none; not zeroed */
void frame_free(mfn_t mfn, unsigned order);
/* Gives pages of ours (zeroed) to a guest to map: writable_ok or read-only. Undone by unshare_page, which frees the page
 * once nobody maps it, or reclaim_page, which fails while somebody does and leaves freeing it to the caller. */
void share_page_with_guest(void *page, struct domain *d, bool writable_ok);
void unshare_page(void *page);
bool reclaim_page(void *page) MUST_CHECK;

/* A guest's pages: charged to its reservation, in its tot_pages; -ENOMEM past the maximum (logged with the numbers) or
 * when none is free. Scrubbed before anyone else sees them: a frame may come back to who had it last as it was. */
int domain_alloc_frames(struct domain *d, unsigned order, unsigned address_bits, mfn_t *first) MUST_CHECK;
int steal_page(struct domain *d, mfn_t mfn,
               bool keep_accounting) MUST_CHECK; /* for transfer and exchange: no other user */
int assign_page(struct domain *d, mfn_t mfn, bool keep_accounting) MUST_CHECK;
void frame_leaves(struct domain *d, mfn_t mfn); /* what was stolen from d, back to the heap; accounts as they are */
void m2p_set(mfn_t mfn, pfn_t pfn);             /* both M2Ps */
pfn_t m2p_get(mfn_t mfn);
/* Frees all memory of a dying domain: 0 or -ERESTART. */
int domain_relinquish_memory(struct domain *d) MUST_CHECK;
void domain_mm_dump(struct domain *d);
/* Compares every frame's counts with what tables, pins and vCPUs hold; says what is wrong in the log. exact: nobody
 * else (grants, event channels) holds references. Returns how many frames are wrong. */
unsigned long frames_audit(bool exact);

/* Address spaces. */
struct memory_map;
struct linear_count;
struct shadow;
struct domain_mm {
    spinlock_t lock;      /* reservation counts */
    spinlock_t page_lock; /* all changes of this domain's page tables */
    unsigned long tot_pages, max_pages, outstanding_claim;
    u64 parts;                     /* of the machine's memory, each of 64: where it ever owned a frame */
    unsigned long shared_frames;   /* our pages it holds (shared_info, grant table) */
    u64 mark;                      /* what it leaves in frames it gives back; no other domain ever has the same */
    u32 dirty_cpus;                /* CPUs whose CR3 is one of its tables */
    struct domain *next_owner;     /* mm/owner.c: domains that own frames; holds a reference while it is there */
    unsigned long relinquish_next; /* frame where domain_relinquish_memory goes on */
    u32 frames_from, frames_to;    /* bounds of the frames that it ever owned, but for ours */
    u8 relinquish_stage;
    bool linear_below;           /* the table being released is one behind a linear mapping; page lock */
    bool linear_tops;            /* a level-4 table ever held a linear mapping; page lock */
    struct linear_count *linear; /* mm/linear.c; NULL until a linear mapping of another table */
    u64 linear_slots[8];         /* slots of bases that ever held one */
    struct memory_map *map;      /* XENMEM_set_memory_map's, NULL if none */
    struct shadow *shadow;       /* mm/shadow.c; NULL: the CPUs walk the guest's own tables */
    spinlock_t shadow_lock;
    u32 shadow_limit; /* most shadow pages; 0: by the domain's size */
};

struct vcpu_mm {
    mfn_t kernel_table; /* 64-bit: L4; 32-bit: L3. INVALID_FRAME when none. Holds a reference and a type reference. */
    mfn_t user_table;   /* 64-bit only; INVALID_FRAME when none */
    u64 *compat_l4;     /* 32-bit: our L4 whose slot 0 points to the guest's L3 */
    u64 cr3;            /* what the CPU's CR3 shall hold while this vCPU runs */
    mfn_t old_table;    /* a table whose last reference is being dropped preemptibly */
    /* Guest addresses up to the first and from the second on can be copied from and to: between lies what is ours or no
     * address at all. With linear mappings of level 4 there are exceptions, and linear_range_ok knows. */
    unsigned long copy_end, copy_start, words_hole;
};

int vcpu_mm_init(struct vcpu *v);
void vcpu_mm_destroy(struct vcpu *v);
/* Recomputes v->mm.cr3 from kernel_table/user_table and v's mode. */
void vcpu_update_cr3(struct vcpu *v);
void mm_load_cr3(struct vcpu *v);   /* loads v->mm.cr3 on this CPU; keeps the domain's dirty mask */
void mm_toggle_cr3(struct vcpu *v); /* the same after kernel_mode of the current 64-bit vCPU has changed */
int vcpu_set_base(struct vcpu *v, mfn_t table, bool user, bool preemptible); /* takes the type reference */
int mm_pin_root(struct domain *d,
                mfn_t root); /* as the guest's own MMUEXT_PIN would: for a builder's top-level table */
void vcpu_drop_bases(struct vcpu *v);
/* Our slots into a fresh L4. */
void hv_fill_l4(u64 *l4, bool compat);
/* Maps device memory or any frames for ourselves, uncached if asked. */
void *hv_map_device(maddr_t maddr, size_t size);
void mm_boot(void);                /* after the boot allocator knows RAM: frame table, M2P, direct map, W^X */
int mm_map_cpu_area(unsigned cpu); /* a CPU's stacks and descriptor window; 0 or -ENOMEM */
/* For the idle loop, interrupts enabled or not: clears some memory that guests gave back; false when there is none. */
bool mm_idle_work(void);

/* The guest's L1 entry that maps va in the current address space: machine address of the entry, 0 if none. */
maddr_t guest_l1e_address(struct vcpu *v, unsigned long va);
/* Grant maps: pte_maddr (GNTMAP_contains_pte) or va. 0 or a GNTST_* code. The caller has taken the reference (and the
 * writable type reference unless read-only) that the entry needs: from success on it is the entry's, and goes with it
 * when the guest overwrites the entry or dies. unmap removes the entry without dropping them and without a TLB flush:
 * both are then the caller's task. */
int grant_map_host(struct vcpu *v, u64 address, mfn_t mfn, unsigned gntmap_flags);
int grant_unmap_host(struct vcpu *v, u64 address, mfn_t mfn, unsigned gntmap_flags, u64 new_address);
/* A trapped guest write of `size` bytes to a page-table page: merges, validates, performs. X86EMUL-like result in
 * emulate.h. `expected` non-NULL: compare-exchange against it; on mismatch *expected is what was there, result -EAGAIN. */
int ptwr_write(struct vcpu *v, unsigned long va, unsigned size, u64 value, u64 *expected);
/* #PF entry points of mm: true when the fault is solved (LDT page mapped in, spurious, ...). */
bool mm_fixup_ldt_fault(struct vcpu *v, unsigned long offset);
void invalidate_ldt(struct vcpu *v);
/* GDT and LDT. */
long set_gdt_frames(struct vcpu *v, const u64 *frames, unsigned entries);
void destroy_gdt(struct vcpu *v);
/* Puts this vCPU's GDT/LDT frames into this CPU's window, at a context switch. */
void mm_switch_windows(struct vcpu *prev, struct vcpu *next);
bool descriptor_ok(const struct domain *d, u64 *descriptor); /* may adjust DPL; in mm/descriptor.c */

/* Shadow page tables, and on them the log of written frames. The domain is paused by the caller, which serialises all of
 * these, for on and off. -ENOMEM leaves it as it was. */
int shadow_on(struct domain *d) MUST_CHECK;    /* again: empty tables of the size that mm.shadow_limit says now */
void shadow_off(struct domain *d);             /* the log too; nothing when it is off */
unsigned shadow_pages(const struct domain *d); /* how many it may have; 0: off */
bool log_dirty_is_on(const struct domain *d);
int log_dirty_on(struct domain *d) MUST_CHECK;
struct log_report {
    bool clean;
    unsigned long bitmap; /* the caller's, 0: none */
    unsigned long pages;  /* bits it has room for; out: bits it has */
    u32 faults, dirty;    /* out */
};
int log_dirty_report(struct domain *d, struct log_report *r) MUST_CHECK; /* 0, -EINVAL, -EBUSY, -EFAULT, -ERESTART */
/* A page fault of v, which is current, at a guest address: true when a shadow entry was missing. If it was not, the
 * error code is what the guest's own tables would have caused. */
bool shadow_fault(struct vcpu *v, unsigned long va, u32 *error);
/* The frame was written otherwise than through the guest's own addresses. Only while logging_domains is not 0. */
extern u32 logging_domains;
void frame_written(mfn_t mfn);
void domain_frame_written(struct domain *d, mfn_t mfn); /* if it is d's: for who may hold no reference to it */

/* TLB. Masks have a bit per CPU. */
void flush_tlb_local(void);
void flush_tlb_one_local(unsigned long va);
void flush_tlb_mask(u32 mask);
void flush_tlb_one_mask(u32 mask, unsigned long va);
u32 domain_dirty_mask(struct domain *d); /* CPUs that may hold translations of d */

#endif

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files of this room share: the fields of the frame word, page-table entries, and their own calls.
 */
#ifndef HYPERVISOR_MM_INTERNAL_H
#define HYPERVISOR_MM_INTERNAL_H

#include "domain.h"

/* The frame word: see mm.h for the fields and frame.c for the rules. */
#define FW_REF_MASK     0x7FFFFFUL
#define FW_ALLOCATED    (1UL << 23)
#define FW_OWNER_SHIFT  24
#define FW_OWNER_MASK   (0x7FFFUL << FW_OWNER_SHIFT)
#define FW_TYPE_SHIFT   39
#define FW_TYPE_MASK    (0xFUL << FW_TYPE_SHIFT)
#define FW_PINNED       (1UL << 43)
#define FW_SHARED       FW_PINNED /* with type NONE or WRITABLE: a page of ours, shared with its owner */
#define FW_VALIDATED    (1UL << 44)
#define FW_BUSY         (1UL << 45)
#define FW_PARTIAL      (1UL << 46)
#define FW_COUNT_SHIFT  47
#define FW_COUNT_ONE    (1UL << FW_COUNT_SHIFT)
#define FW_COUNT_MASK   (0x1FFFFUL << FW_COUNT_SHIFT)
#define FW_STATE_MASK   (FW_TYPE_MASK | FW_VALIDATED | FW_BUSY | FW_PARTIAL)

#define FW_OWNER(domid) ((unsigned long)(domid) << FW_OWNER_SHIFT)
#define FW_TYPE(type)   ((unsigned long)(type) << FW_TYPE_SHIFT)
#define FW_VALID(type)  (FW_TYPE(type) | FW_VALIDATED)

static inline unsigned fw_owner(u64 word)
{
    return (word & FW_OWNER_MASK) >> FW_OWNER_SHIFT;
}

static inline enum frame_type fw_type(u64 word)
{
    return (enum frame_type)((word & FW_TYPE_MASK) >> FW_TYPE_SHIFT);
}

static inline unsigned long fw_count(u64 word)
{
    return word >> FW_COUNT_SHIFT;
}

/* Somebody holds a reference, and one more fits. A frame that its owner gave back stays its own until the last goes. */
static inline bool fw_refs_room(u64 word)
{
    return (word & FW_REF_MASK) - 1 < FW_REF_MASK - 2;
}

static inline bool type_is_table(enum frame_type type)
{
    return type >= FRAME_L1 && type <= FRAME_L2_COMPAT;
}

static inline bool frame_swap(mfn_t mfn, u64 *expected, u64 desired)
{
    return __atomic_compare_exchange_n(&frame_table[mfn.value].word, expected, desired, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* The words of frames in a row that nobody else changes. */
IN_PLACE void set_frame_words(unsigned long first, unsigned long count, u64 word)
{
    u64 *at = &frame_table[first].word;
    __asm__ volatile("rep stosq" : "+D"(at), "+c"(count) : "a"(word) : "memory");
}

static inline u64 frame_word(mfn_t mfn)
{
    return READ_ONCE(frame_table[nospec_index(mfn.value, max_frame)].word);
}

/* Page-table entries. */
#define PTE_P        0x001UL
#define PTE_RW       0x002UL
#define PTE_US       0x004UL
#define PTE_PWT      0x008UL
#define PTE_PCD      0x010UL
#define PTE_A        0x020UL
#define PTE_D        0x040UL
#define PTE_PSE      0x080UL /* at level 1: PAT */
#define PTE_G        0x100UL
#define PTE_NX       (1UL << 63)
#define PTE_ADDRESS  0x000FFFFFFFFFF000UL
#define PTE_SOFTWARE (0xE00UL | 0x7FF0000000000000UL)
#define PTE_CACHE    (PTE_PWT | PTE_PCD | PTE_PSE)
#define PTE_TABLE    (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static inline mfn_t pte_mfn(u64 entry)
{
    return mfn_of((entry & PTE_ADDRESS) >> PAGE_SHIFT);
}

static inline u64 pte_of(mfn_t mfn, u64 flags)
{
    return (mfn.value << PAGE_SHIFT) | flags;
}

#define COMPAT_L2_FIRST_HV_SLOT 428 /* (0xF5800000 - 3 GiB) >> 21 */
#define COMPAT_VIRT_START       0xF5800000UL

/* pagemap.c */
extern u64 pte_disallowed_address; /* address bits past the CPU's physical width, and NX when it has none */
extern u64 compat_m2p_l2e[512 - COMPAT_L2_FIRST_HV_SLOT];
extern u64 m2p_l4e;
extern mfn_t m2p_first, m2p_end;          /* frames of both M2Ps: dom0 may map them read-only as DOMID_XEN's */
u64 *hv_l1e(unsigned long va, bool make); /* our own level-1 entry for va; make: build the tables above it */

/* frame.c */
int frame_get_type(mfn_t mfn, struct domain *d, enum frame_type type, bool preemptible) MUST_CHECK;
int frame_dismantle_partial(mfn_t mfn, struct domain *d, enum frame_type wanted, bool preemptible) MUST_CHECK;
void give_back_partial(mfn_t mfn, struct domain *d);
bool frame_is_partial(u64 word);
/* Drops a type and a general reference of a table: what is not done within the time slice waits in old_table. */
void table_release(struct domain *d, mfn_t mfn);
/* Continues what table_release left: 0 or -ERESTART. Every MMU hypercall does this first. */
int finish_old_table(struct vcpu *v) MUST_CHECK;
static inline bool old_table_pending(const struct vcpu *v) /* frame 0 is never a guest's: zeroed means none as well */
{
    return v->mm.old_table.value != INVALID_FRAME && v->mm.old_table.value != 0;
}
void hold_old_table(mfn_t mfn); /* takes over the caller's general reference */

/* owner.c: domains that own frames, by domid. A domain stays while it owns one. */
struct domain *owner_domain(unsigned domid);
int charge_frames(struct domain *d, unsigned long count) MUST_CHECK; /* -ENOMEM past the maximum, said in the log */
void uncharge_frames(struct domain *d, unsigned long count);         /* also what steal_page kept in the accounts */
void charge_shared(struct domain *d);
void uncharge_shared(struct domain *d);
/* Which of the 64 parts of the machine's memory a frame lies in: a part has 2^part_shift() frames. */
static inline unsigned part_shift(void)
{
    return 58 - (unsigned)__builtin_clzl(max_frame);
}
void owned_frame_released(mfn_t mfn, u64 word); /* the last reference is gone */

struct domain *owner_next(struct domain *d); /* NULL: the first; for the audit, in no order */

/* validate.c */
unsigned table_entries(const struct domain *d, enum frame_type type);
/* Takes the references of entries [*done, n); on failure *done says how far it came. */
int validate_entries(mfn_t mfn, struct domain *d, enum frame_type type, unsigned *done, bool preemptible) MUST_CHECK;
/* Drops those of entries [0, *done), from the last to the first. */
int release_entries(mfn_t mfn, struct domain *d, enum frame_type type, unsigned *done, bool preemptible) MUST_CHECK;
int validate_descriptors(mfn_t mfn, struct domain *d) MUST_CHECK;

/* entry.c. Callers hold the page lock of the domain whose tables these are. */
int l1e_get(u64 *entry, struct domain *mapper, unsigned owner) MUST_CHECK; /* also adjusts the entry */
u64 l1e_adjust(const struct domain *d, u64 entry);                         /* the bits that are added to a leaf */
void l1e_put(u64 entry, struct domain *mapper);
int l1_get_entries(u64 *table, struct domain *d) MUST_CHECK; /* of a whole table that is BUSY: all or none */
void l1_put_entries(const u64 *table, unsigned count, struct domain *d);
/* An entry of a table of level 2 to 4: -ERESTART and failures may leave the child partial. */
int upper_get(u64 *entry, struct domain *d, enum frame_type type, mfn_t table, unsigned slot,
              bool preemptible) MUST_CHECK;
int upper_put(u64 entry, struct domain *d, mfn_t table, bool preemptible) MUST_CHECK;
enum frame_type child_type(const struct domain *d, enum frame_type type, unsigned slot); /* what an entry points to */
#define KEEP_AD 1U
int l1_update(struct domain *d, u64 *entry, u64 value, unsigned owner, unsigned flags) MUST_CHECK;
int l1_exchange(struct domain *d, u64 *entry, u64 old, u64 value) MUST_CHECK;
int upper_update(struct domain *d, enum frame_type type, mfn_t table, u64 *entry, u64 value, unsigned flags) MUST_CHECK;

/* linear.c */
bool same_level(enum frame_type a, enum frame_type b);
bool linear_get(struct domain *d, enum frame_type type, mfn_t table, mfn_t target, u64 entry);
void linear_leave(struct domain *d, mfn_t table, mfn_t target);
void linear_free(struct domain *d);
void linear_set_range(struct vcpu *v);
/* Before a linear mapping appears in a level-4 table; when one becomes a base, if d ever had such (linear_tops). */
void linear_note_slot(struct domain *d, mfn_t table, unsigned slot);
void linear_note_base(struct domain *d, mfn_t table);

/* walk.c */
u64 *guest_l1e(struct vcpu *v, unsigned long va); /* under v's domain's page lock; NULL if none */

/* shadow.c */
void shadow_set_root(struct vcpu *v);
void shadow_follow(struct domain *d, const u64 *entry);
void shadow_table_gone(struct domain *d, mfn_t mfn);

/* An entry of one of d's tables was stored: before the references of the old one go. Page lock held. */
static inline void entry_stored(struct domain *d, const u64 *entry)
{
    if (unlikely(READ_ONCE(d->mm.shadow) != NULL))
        shadow_follow(d, entry);
}

/* flush.c */
extern u32 stale_cpus; /* CPUs that may hold translations to frames since freed or retyped */
void mark_stale(const struct domain *d);
void flush_stale(void);
void smp_flush_request(u32 mask, unsigned long va, bool one);

/* buddy.c: the heap's free blocks. A dirty block holds what its last owner left. All under its own lock. */
#define HEAP_MAX_ORDER    18
#define HEAP_CLEAN_ENOUGH (64UL << 8)   /* 64 MiB */
#define HEAP_MAX_FRAMES   (168UL << 18) /* what the compatibility M2P's window can show: 168 GiB */
void heap_init(void);
void heap_add(mfn_t first, unsigned long count, bool dirty);
/* A block below frame `limit`, each frame's word set to `word`; INVALID_FRAME when none. */
mfn_t heap_take(unsigned order, unsigned long limit, u64 word, bool *dirty);
void heap_give(mfn_t first, unsigned order, bool dirty);
/* The same out of what no domain has claimed and of a claim of one's own; own NULL: out of all. */
mfn_t take_unclaimed(unsigned long *own, unsigned order, unsigned long limit, bool *dirty);
int heap_take_dirty(unsigned order, u64 word, mfn_t *first);
void heap_give_cleaned(mfn_t first, unsigned order); /* what heap_take_dirty gave */

/* The first word of a dirty frame names the domain that had it last, zero for us. It is written when the frame is given
 * back, whatever a guest had put there; at boot memory holds anything but marks, which contain the time. */
static inline u64 *frame_mark(mfn_t mfn)
{
    return mfn_to_virt(mfn);
}

/* Both M2Ps for frames of RAM in a row that nobody has yet: whoever gets them logs them. */
void m2p_set_row(mfn_t first, pfn_t pfn, unsigned long count);

/* relinquish.c. A table loses its pin: whether it had one, and with it a type and a general reference. */
bool clear_pin(mfn_t mfn);
/* Frames in a row that have become ours and go to the heap together. */
struct frame_run {
    unsigned long first, count;
};
bool frame_run_add(struct domain *d, mfn_t mfn, struct frame_run *run);
void frame_run_end(struct domain *d, struct frame_run *run);
#define WORD_OURS (FW_ALLOCATED | FW_OWNER(OWNER_NONE) | 1)

/* alloc.c */
unsigned long address_limit(unsigned address_bits);

/* owner resolution for hypercalls: a domid or DOMID_SELF, DOMID_IO, DOMID_XEN. 0, -ESRCH or -EPERM; *d holds a
 * reference (NULL for the special owners). */
struct page_owner {
    struct domain *domain;
    unsigned id;
};
int page_owner_get(struct page_owner *owner, unsigned domid) MUST_CHECK;
void page_owner_put(struct page_owner *owner);

/* A CPU mask from a guest's vCPU bitmap at `address`: the CPUs that v's domain's chosen vCPUs may have translations on. */
int vcpu_bitmap_to_cpus(struct vcpu *v, unsigned long address, u32 *cpus) MUST_CHECK;

#define OWNER_XEN 0x7FF2 /* as DOMID_XEN: the M2P, for dom0 to read */

static inline bool guest_address_ok(const struct domain *d, unsigned long va)
{
    return d->is_32bit ? va < COMPAT_VIRT_START : (va < 0x0000800000000000UL || va >= HV_VIRT_END);
}

#endif

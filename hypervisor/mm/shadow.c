/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Shadow page tables: the CPUs of a domain in shadow mode walk tables of ours, filled on demand from the guest's.
 *
 * 1. A present shadow entry is one that the guest's entry allows now: it is present, has its A bit, and for a writable
 *    one is writable, with its D bit, for a frame that the log has already if there is one. We set A and D in the
 *    guest's entry, as the CPU would, before the shadow entry is made.
 * 2. Every change of an entry of a validated table comes by us. It is stored first, then shadow_entry_changed takes the
 *    lock and makes the shadow follow, then the references of the old entry go. Whoever fills holds the lock while it
 *    reads the guest's entries and writes ours. So an entry read there is current or about to be followed up, the
 *    tables on the way are still tables, and no flush of the guest's concerns the shadow: only the TLBs.
 * 3. A table that ceases to be one loses its shadow before the entries in it are released, when no entry leads to it
 *    any more. Its page is parked until all CPUs of the domain were flushed.
 *
 * Tables are found by the guest's frame and level: one frame has several shadows when it is reached by a linear mapping.
 * A 64-bit vCPU's root is the shadow of its level-4 table; a 32-bit one's is our compat_l4 as ever. When pages run out
 * all shadows go but the roots that a CPU may have loaded, and filling begins anew.
 */
#include "mm/shadow.h"
#include "guest_access.h"

#define RESERVE     8  /* more than one fill and a root need */
#define PAGES_FLOOR 64 /* what one instruction can touch at once, twice over */
#define PAGES_MAX   0xFFFFU
#define PTE_COPIED  (PTE_P | PTE_RW | PTE_US | PTE_NX)

static struct shadow_page *find(struct shadow *s, mfn_t mfn, unsigned level)
{
    u32 i = s->pages[mfn.value % s->capacity].head;
    while (i && (s->pages[i].mfn != mfn.value || s->pages[i].level != level))
        i = s->pages[i].next;
    return i ? &s->pages[i] : NULL;
}

static void enter(struct shadow *s, struct shadow_page *page)
{
    u32 *head = &s->pages[page->mfn % s->capacity].head;
    page->next = *head;
    *head = (u32)(page - s->pages);
}

static void give(struct shadow *s, u32 index)
{
    s->pages[index].level = 0;
    s->pages[index].next = s->free;
    s->free = index;
    s->free_count++;
}

static bool root_in_use(struct domain *d, const u64 *table)
{
    u64 cr3 = virt_to_maddr(table);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i] && d->vcpus[i]->mm.cr3 == cr3)
            return true;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (percpu_of(cpu)->cr3_loaded == cr3)
            return true;
    return false;
}

/* A root that is chosen or loaded keeps its page. */
static void drop_all(struct domain *d, struct shadow *s)
{
    s->free = s->free_count = s->parked = 0;
    for (u32 i = 0; i <= s->capacity; i++)
        s->pages[i].head = 0;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i] && d->vcpus[i]->mm.compat_l4)
            d->vcpus[i]->mm.compat_l4[0] = 0;
    for (u32 i = 1; i <= s->allocated; i++) {
        struct shadow_page *page = &s->pages[i];
        if (page->level == 4 && root_in_use(d, page->table)) {
            for (unsigned slot = 0; slot < 512; slot++)
                if (slot < HV_SLOT_FIRST || slot > HV_SLOT_LAST)
                    page->table[slot] = 0;
            enter(s, page);
        } else {
            give(s, i);
        }
    }
    flush_tlb_mask(domain_dirty_mask(d));
}

static bool add_page(struct shadow *s)
{
    u64 *table = s->allocated < s->capacity ? hv_alloc_pages(0) : NULL;
    if (table == NULL)
        return false;
    s->pages[++s->allocated].table = table;
    give(s, s->allocated);
    return true;
}

static void reserve(struct domain *d, struct shadow *s)
{
    while (s->free_count < RESERVE) {
        if (add_page(s))
            continue;
        if (s->parked == 0) {
            drop_all(d, s);
            return;
        }
        flush_tlb_mask(domain_dirty_mask(d));
        while (s->parked) {
            u32 i = s->parked;
            s->parked = s->pages[i].next;
            give(s, i);
        }
    }
}

/* Rule 1 for level 1. Only RAM of a domain is shown: not what a linear mapping could find in tables of ours. */
static u64 shadow_l1e(const struct domain *d, const struct shadow *s, u64 entry)
{
    mfn_t mfn = pte_mfn(entry);
    if ((entry & (PTE_P | PTE_A)) != (PTE_P | PTE_A) || !page_is_guest_ram(mfn))
        return 0;
    u64 flags = (entry & (PTE_COPIED & ~PTE_RW)) | PTE_A;
    if ((entry & (PTE_RW | PTE_D)) == (PTE_RW | PTE_D) && (s->leaves == NULL || log_has(d, s, mfn)))
        flags |= PTE_RW | PTE_D;
    return pte_of(mfn, flags);
}

static void fill_l1(const struct domain *d, const struct shadow *s, struct shadow_page *page, const u64 *guest)
{
    for (unsigned i = 0; i < 512; i++) {
        page->table[i] = shadow_l1e(d, s, READ_ONCE(guest[i]));
        page->writable |= (page->table[i] & PTE_RW) != 0;
    }
}

/* There is a free page: reserve has been called. */
static struct shadow_page *shadow_of(const struct domain *d, struct shadow *s, mfn_t mfn, unsigned level)
{
    struct shadow_page *page = find(s, mfn, level);
    if (page)
        return page;
    page = &s->pages[s->free];
    s->free = page->next;
    s->free_count--;
    page->mfn = (u32)mfn.value;
    page->level = (u8)level;
    page->writable = false;
    clear_pages(page->table, 0);
    if (level == 1)
        fill_l1(d, s, page, mfn_to_virt(mfn));
    else if (level == 4)
        hv_fill_l4(page->table, false);
    else if (level == 2 && page_type(mfn) == FRAME_L2_COMPAT)
        memcpy(page->table + COMPAT_L2_FIRST_HV_SLOT, compat_m2p_l2e, sizeof(compat_m2p_l2e));
    enter(s, page);
    return page;
}

static mfn_t root_table(const struct vcpu *v)
{
    return v->is_32bit || v->kernel_mode ? v->mm.kernel_table : v->mm.user_table;
}

static struct shadow_page *shadow_root(struct vcpu *v, struct shadow *s)
{
    struct shadow_page *root = shadow_of(v->domain, s, root_table(v), v->is_32bit ? 3 : 4);
    if (v->is_32bit) {
        v->mm.compat_l4[0] = virt_to_maddr(root->table) | PTE_TABLE;
    } else {
        root->table[HV_SLOT_FIRST] = ((const u64 *)mfn_to_virt(root_table(v)))[HV_SLOT_FIRST];
        v->mm.cr3 = virt_to_maddr(root->table);
    }
    return root;
}

void shadow_set_root(struct vcpu *v)
{
    struct domain *d = v->domain;
    spin_lock(&d->mm.shadow_lock);
    if (d->mm.shadow) {
        reserve(d, d->mm.shadow);
        shadow_root(v, d->mm.shadow);
    }
    spin_unlock(&d->mm.shadow_lock);
}

/* One walk of the guest's tables: its entries by level, index 0 for level 1. */
struct walk {
    u64 *at[4], entry[4];
    unsigned top;
};

static u64 *slot_of(u64 *table, unsigned long va, unsigned level)
{
    return &table[va >> (3 + 9 * level) & 511];
}

/* Whether the guest's tables allow the access; if not, *error is told whether something is present there. */
static bool walk_guest(const struct vcpu *v, unsigned long va, u32 *error, struct walk *w)
{
    u64 all = PTE_RW | PTE_US, any = 0;
    mfn_t mfn = root_table(v);
    w->top = v->is_32bit ? 3 : 4;
    *error &= ~1U;
    if (mfn.value == INVALID_FRAME)
        return false;
    for (unsigned level = w->top; level > 0; level--) {
        u64 *at = slot_of(mfn_to_virt(mfn), va, level), e = READ_ONCE(*at);
        if (!(e & PTE_P))
            return false;
        w->at[level - 1] = at;
        w->entry[level - 1] = e;
        all &= e;
        any |= e;
        mfn = pte_mfn(e);
        if (level > 1 && (e & PTE_PSE)) { /* of the compatibility M2P; its level-2 shadow has it */
            w->at[0] = NULL;
            break;
        }
        if (!page_is_guest_ram(mfn) || (level > 1 && page_owner_id(mfn) != v->domain->id))
            return false;
    }
    *error |= 1;
    return !((*error & 2) && !(all & PTE_RW)) && !((*error & 4) && !(all & PTE_US)) &&
           !((*error & 16) && (any & PTE_NX));
}

/* False when the guest's entry has just been changed: then the access is tried again. */
static bool set_accessed(struct domain *d, struct shadow *s, struct walk *w, unsigned index, u64 bits)
{
    u64 old = w->entry[index];
    if ((old & bits) == bits)
        return true;
    w->entry[index] |= bits;
    log_frame(d, s, virt_to_mfn(w->at[index]));
    return __atomic_compare_exchange_n(w->at[index], &old, old | bits, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void fill(struct vcpu *v, struct shadow *s, unsigned long va, bool write, struct walk *w)
{
    struct domain *d = v->domain;
    struct shadow_page *page = shadow_root(v, s);
    for (unsigned level = w->top; level > 1; level--) {
        u64 e = w->entry[level - 1], *at = slot_of(page->table, va, level);
        if (level == 2 && (e & PTE_PSE))
            return;
        if (!set_accessed(d, s, w, level - 1, PTE_A))
            return;
        page = shadow_of(d, s, pte_mfn(e), level - 1);
        *at = virt_to_maddr(page->table) | (e & PTE_COPIED) | PTE_A;
    }
    if (!set_accessed(d, s, w, 0, write ? PTE_A | PTE_D : PTE_A))
        return;
    if (write)
        log_frame(d, s, pte_mfn(w->entry[0]));
    u64 shadow = shadow_l1e(d, s, w->entry[0]);
    *slot_of(page->table, va, 1) = shadow;
    page->writable |= (shadow & PTE_RW) != 0;
}

bool shadow_fault(struct vcpu *v, unsigned long va, u32 *error)
{
    struct domain *d = v->domain;
    struct walk w;
    bool ours = false;
    if ((v->is_32bit ? va >> 32 : !guest_address_ok(d, va)) || (*error & 8))
        return false;
    spin_lock(&d->mm.shadow_lock);
    if (d->mm.shadow) {
        d->mm.shadow->faults++;
        ours = walk_guest(v, va, error, &w);
        if (ours) {
            reserve(d, d->mm.shadow);
            fill(v, d->mm.shadow, va, *error & 2, &w);
        }
    }
    spin_unlock(&d->mm.shadow_lock);
    return ours;
}

/* An entry of a table of d has been stored. Rights and references above level 1 change seldom: those are left out. */
void shadow_follow(struct domain *d, const u64 *entry)
{
    mfn_t mfn = virt_to_mfn(entry);
    unsigned slot = ((unsigned long)entry & ~PAGE_MASK) / sizeof(*entry);
    spin_lock(&d->mm.shadow_lock);
    struct shadow *s = d->mm.shadow;
    for (u32 i = s ? s->pages[mfn.value % s->capacity].head : 0; i; i = s->pages[i].next) {
        struct shadow_page *page = &s->pages[i];
        if (page->mfn != mfn.value)
            continue;
        u64 value = page->level == 1 ? shadow_l1e(d, s, READ_ONCE(*entry)) : 0;
        __atomic_store_n(&page->table[slot], value, __ATOMIC_SEQ_CST);
        page->writable |= (value & PTE_RW) != 0;
    }
    if (s)
        log_frame(d, s, mfn);
    spin_unlock(&d->mm.shadow_lock);
}

/* Rule 3. */
void shadow_table_gone(struct domain *d, mfn_t mfn)
{
    spin_lock(&d->mm.shadow_lock);
    struct shadow *s = d->mm.shadow;
    if (s)
        log_frame(d, s, mfn); /* its type travels with its contents */
    for (u32 *link = s ? &s->pages[mfn.value % s->capacity].head : NULL; link && *link;) {
        struct shadow_page *page = &s->pages[*link];
        u32 index = *link;
        if (page->mfn != mfn.value) {
            link = &page->next;
            continue;
        }
        *link = page->next;
        page->level = 0;
        page->next = s->parked;
        s->parked = index;
    }
    spin_unlock(&d->mm.shadow_lock);
}

void shadow_write_protect(struct domain *d, struct shadow *s)
{
    for (u32 i = 1; i <= s->allocated; i++) {
        struct shadow_page *page = &s->pages[i];
        if (page->level != 1 || !page->writable)
            continue;
        page->writable = false;
        for (unsigned slot = 0; slot < 512; slot++)
            page->table[slot] &= ~PTE_RW;
        (void)hypercall_preempt_check(); /* other CPUs wait for their flushes */
    }
    flush_tlb_mask(domain_dirty_mask(d));
}

static void free_shadow(struct shadow *s)
{
    for (u32 i = 1; i <= s->allocated; i++)
        hv_free_pages(s->pages[i].table, 0);
    log_free(s);
    hv_free_pages(s, s->order);
}

static unsigned floor_of(const struct domain *d)
{
    return PAGES_FLOOR + 2 * d->max_vcpus;
}

/* By size: twice what maps all of its memory once, and some for each vCPU. */
static unsigned capacity_of(const struct domain *d)
{
    unsigned long pages = d->mm.shadow_limit;
    if (pages == 0)
        pages = 256 + 32 * d->max_vcpus + MIN(MAX(d->mm.tot_pages, d->mm.max_pages), total_frames) / 128;
    return (unsigned)MIN(MAX(pages, floor_of(d)), PAGES_MAX);
}

static struct shadow *new_shadow(const struct domain *d)
{
    unsigned capacity = capacity_of(d), order = 0;
    size_t size = sizeof(struct shadow) + (capacity + 1) * sizeof(struct shadow_page);
    while (PAGE_SIZE << order < size)
        order++;
    struct shadow *s = hv_alloc_pages(order);
    if (s == NULL)
        return NULL;
    s->capacity = capacity;
    s->order = order;
    while (s->allocated < floor_of(d))
        if (!add_page(s)) {
            free_shadow(s);
            return NULL;
        }
    return s;
}

/* The domain does not run. */
static void reload(struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            vcpu_update_cr3(d->vcpus[i]);
}

static void install(struct domain *d, struct shadow *s)
{
    struct shadow *old = d->mm.shadow;
    spin_lock(&d->mm.shadow_lock);
    if (old && s) {
        s->leaves = old->leaves;
        s->lost = old->lost;
        s->faults = old->faults;
        s->dirty = old->dirty;
        s->next_leaf = old->next_leaf;
        s->reporting = old->reporting;
        old->leaves = NULL;
    }
    d->mm.shadow = s;
    spin_unlock(&d->mm.shadow_lock);
    reload(d);
    if (old)
        free_shadow(old);
}

int shadow_on(struct domain *d)
{
    struct shadow *s = new_shadow(d);
    if (s == NULL)
        return -ENOMEM;
    install(d, s);
    return 0;
}

void shadow_off(struct domain *d)
{
    install(d, NULL);
}

unsigned shadow_pages(const struct domain *d)
{
    return d->mm.shadow ? d->mm.shadow->capacity : 0;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Linear mappings: a page table that is entered in itself shows its entries as memory. Allowed read-only; what an
 * attacker can make of it is a table used at the wrong level, a writable one, or a look at what is not his.
 */
#include "attack.h"

/* An entry that points to its own table makes the processor use entries of one level as those of the level below; if it
 * may be writable the kernel changes its own tables as it likes. At every level, and turned writable afterwards. */
static void writable_self(unsigned int level)
{
    pte_t *chain[4];
    unsigned long mfn;
    unsigned int pin = MMUEXT_PIN_L1_TABLE + level - 1;

    new_chain(chain, level);
    mfn = virt_to_mfn(chain[level - 1]);
    poke(&chain[level - 1][7], pte_make(mfn, TABLE_FLAGS));
    CHECK(mmuext(pin, mfn) < 0, "a table with a writable entry for itself is no table");
    poke(&chain[level - 1][7], pte_make(mfn, PTE_P | PTE_US));
    CHECK_EQ(mmuext(pin, mfn), 0, "a read-only one is allowed");
    CHECK(mmu_update(entry_of(mfn, 7), pte_make(mfn, TABLE_FLAGS)) < 0, "but may not be made writable");
    CHECK(mmu_update(entry_of(mfn, 8), pte_make(mfn, TABLE_FLAGS)) < 0, "nor may a second be");
    CHECK(mmu_update(entry_of(mfn, 7) | MMU_PT_UPDATE_PRESERVE_AD, pte_make(mfn, TABLE_FLAGS | PTE_A | PTE_D)) < 0,
          "nor by an update that keeps marks");
    CHECK_EQ(chain[level - 1][7] & (PTE_P | PTE_RW), PTE_P, "and it stays as it was");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0, "it can be unpinned, and holds itself no longer");
    for (unsigned int i = 0; i < level; i++)
        drop_table(chain[i]);
}

/* Two tables of one level that name each other, or a chain of them, hold references in a circle: nobody gives them back,
 * or giving one back takes more stack than there is. */
static void circle(unsigned int level)
{
    pte_t *chain[3][4];
    unsigned long mfn[3];
    unsigned int pin = MMUEXT_PIN_L1_TABLE + level - 1;

    for (unsigned int i = 0; i < 3; i++) {
        new_chain(chain[i], level);
        mfn[i] = virt_to_mfn(chain[i][level - 1]);
        CHECK_EQ(mmuext(pin, mfn[i]), 0, "a table");
    }
    CHECK(mmu_update(entry_of(mfn[0], 9), pte_make(mfn[1], TABLE_FLAGS)) < 0, "another of its level, writable: never");
    CHECK_EQ(mmu_update(entry_of(mfn[0], 9), pte_make(mfn[1], PTE_P | PTE_US)), 0, "read-only it may");
    CHECK(mmu_update(entry_of(mfn[1], 9), pte_make(mfn[0], PTE_P | PTE_US)) < 0, "but not back");
    CHECK(mmu_update(entry_of(mfn[1], 9), pte_make(mfn[2], PTE_P | PTE_US)) < 0, "and not on to a third");
    CHECK(mmu_update(entry_of(mfn[2], 9), pte_make(mfn[0], PTE_P | PTE_US)) < 0, "nor from one to the first");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn[1]), 0, "the target can be unpinned");
    CHECK(pages_protect(chain[1][level - 1], 1, true) != 0, "but stays a table while it is a target");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn[0]), 0, "until the other goes");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn[2]), 0, "and the third");
    for (unsigned int i = 0; i < 3; i++)
        for (unsigned int j = 0; j < level; j++)
            drop_table(chain[i][j]);
}

/* Level 1 has no tables below it: its own frame is a page like others there, and a page table is never writable. */
static void level_1(void)
{
    pte_t *table = new_table();
    unsigned long mfn = virt_to_mfn(table);

    CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0, "a table");
    CHECK(mmu_update(entry_of(mfn, 1), pte_make(mfn, TABLE_FLAGS)) < 0, "never writable in itself");
    CHECK_EQ(mmu_update(entry_of(mfn, 1), pte_make(mfn, PTE_P | PTE_US)), 0, "read-only it may be");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0, "and it goes all the same");
    drop_table(table);
}

#ifdef __x86_64__
#define SLOT 300UL

static unsigned long window(unsigned long l3, unsigned long l2, unsigned long l1)
{
    return 0xffff000000000000UL | SLOT << 39 | l3 << 30 | l2 << 21 | l1 << 12;
}

/* The hypervisor's own part of the address space hangs in the same level-4 table. Through an entry of that table for
 * itself its tables come into view one level down: what is a map of two megabytes there is a page here. The processor
 * keeps ring 3 out by the supervisor bit, but the hypervisor runs as supervisor when it copies for the guest: if it
 * follows such an address it reads anybody's memory in the guest's name. */
static void hypervisor_seen_through_level_4(void)
{
    unsigned long root = top_mfn(), value;
    unsigned int readable = 0, copied = 0;

    CHECK_EQ(mmu_update(entry_of(root, SLOT), pte_make(root, PTE_P | PTE_US)), 0, "a linear mapping of level 4");
    CHECK(probe_read((void *)window(SLOT, SLOT, SLOT), &value), "shows the kernel its own table");
    CHECK(!probe_write((void *)window(SLOT, SLOT, SLOT), 0), "which it cannot write");
    for (unsigned long slot = 257; slot < 272; slot++) {
        for (unsigned long i = 0; i < 8; i++) {
            readable += probe_read((void *)window(SLOT, slot, i), &value);
            readable += probe_read((void *)window(slot, 0, i), &value);
            readable += probe_read((void *)window(slot, i, 1), &value);
            copied += HYPERVISOR_mmu_update((void *)window(slot, i / 4, i), 1, NULL, DOMID_SELF) != -XEN_EFAULT;
            copied += HYPERVISOR_mmu_update((void *)window(SLOT, slot, i), 1, NULL, DOMID_SELF) != -XEN_EFAULT;
            copied += HYPERVISOR_multicall((void *)window(slot, i / 4, i), 1) != -XEN_EFAULT;
            copied += HYPERVISOR_mmuext_op((void *)window(slot, i / 4, i), 1, NULL, DOMID_SELF) != -XEN_EFAULT;
            copied += HYPERVISOR_grant_table_op(GNTTABOP_copy, (void *)window(slot, i / 4, i), 1) != -XEN_EFAULT;
            copied += HYPERVISOR_xen_version(XENVER_get_features, (void *)window(slot, i / 4, i)) != -XEN_EFAULT;
        }
        CHECK(!probe_read((void *)(window(SLOT, SLOT, SLOT) + slot * 8), &value) || !(value & PTE_US) || slot == 256,
              "no entry of the hypervisor's is open to ring 3");
    }
    CHECK_EQ(readable, 0, "no page of the hypervisor's is readable there");
    CHECK_EQ(copied, 0, "and no hypercall takes its arguments from there");
    for (unsigned long i = 0; i < 4; i++)
        CHECK(!probe_write((void *)window(SLOT, 256, i), 0), "the table of frames neither");
    CHECK_EQ(mmu_update(entry_of(root, SLOT), 0), 0, "the mapping goes");
    CHECK_EQ(mmuext(MMUEXT_TLB_FLUSH_ALL, 0), 0, "and its translations");
}

/* The same through the table of another address space of the domain, and as the user mode's. */
static void hypervisor_seen_through_another(void)
{
    pte_t *top = new_table();
    unsigned long other = virt_to_mfn(top), root = top_mfn(), value;

    CHECK_EQ(mmuext(PIN_TOP, other), 0, "an empty address space");
    CHECK_EQ(mmu_update(entry_of(root, SLOT + 1), pte_make(other, PTE_P | PTE_US)), 0, "entered in the running one");
    for (unsigned long slot = 257; slot < 272; slot++)
        for (unsigned long i = 0; i < 4; i++) {
            unsigned long at = window(slot, 0, i) + (1UL << 39);
            CHECK(!probe_read((void *)at, &value), "shows nothing of the hypervisor's");
            CHECK_EQ(HYPERVISOR_mmu_update((void *)at, 1, NULL, DOMID_SELF), -XEN_EFAULT, "to its copies neither");
        }
    CHECK_EQ(mmu_update(entry_of(root, SLOT + 1), 0), 0, "out again");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, other), 0, "and the other goes");
    drop_table(top);
}

/* Nobody sees anything through a table that is no address space. A hypervisor that shuts the slot of such an attempt all
 * the same takes the kernel's own addresses for the hypervisor's: its hypercalls, and it with them, are at an end. */
static void own_slot_in_another(void)
{
    struct xen_feature_info features = {.submap_idx = 0};
    unsigned long own = (unsigned long)&features >> 39 & 511;
    pte_t *top = new_table();
    unsigned long other = virt_to_mfn(top);

    CHECK_EQ(mmuext(PIN_TOP, other), 0, "an address space that is not used");
    CHECK_EQ(mmu_update(entry_of(other, own), pte_make(other, PTE_P | PTE_US)), 0,
             "entered in itself in the kernel's slot");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_get_features, &features), 0, "takes no address from the kernel");
    CHECK_EQ(mmu_update(entry_of(other, own), 0), 0, "out again");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, other), 0, "and it goes");
    drop_table(top);
}

/* A check of an address is worth nothing if the address can come to mean something else before it is used: the slot
 * changes between a harmless table and the table itself while another processor's hypercalls copy from it. */
static void swap_slot(void *arg)
{
    struct race *race = arg;
    pte_t *const *chain = race->arg;
    unsigned long root = top_mfn();

    while (race->running) {
        mmu_update(entry_of(root, SLOT + 2), pte_make(virt_to_mfn(chain[2]), TABLE_FLAGS));
        mmu_update(entry_of(root, SLOT + 2), pte_make(root, PTE_P | PTE_US));
        race->rounds++;
    }
}

static void slot_swapped_meanwhile(void)
{
    pte_t *chain[4];
    struct race race = {.arg = chain};
    unsigned long at = window(262, 0, 1) + (2UL << 39), copied = 0;
    uint64_t end = time_monotonic_ns() + 300000000ULL;

    new_chain(chain, 3);
    if (!race_start(&race, swap_slot)) {
        for (int i = 0; i < 3; i++)
            drop_table(chain[i]);
        return;
    }
    while (time_monotonic_ns() < end)
        copied += HYPERVISOR_mmu_update((void *)at, 1, NULL, DOMID_SELF) != -XEN_EFAULT;
    race_stop(&race);
    CHECK_EQ(copied, 0, "no copy comes through a slot that changes under it");
    CHECK_EQ(mmu_update(entry_of(top_mfn(), SLOT + 2), 0), 0, "out again");
    for (int i = 0; i < 3; i++)
        drop_table(chain[i]);
}
/* The same for a list of which one word after another is read, with looks at what else waits in between: the words must
 * be the caller's to the end. What was read would show in the table of frames, as the number of a frame just given. */
#define FIRST_TURNED 320
#define ATTEMPTS     180
#define LISTED       512UL
#define OURS         0x7777UL
#define NOT_OURS     0x5ec2e7UL

static volatile unsigned int turn_slot, turned_slot;

static void turn_slot_to_self(void *arg)
{
    struct race *race = arg;
    unsigned long root = top_mfn();

    while (race->running) {
        if (turn_slot != turned_slot) {
            time_spin_ns(turn_slot % 8 * 5000);
            mmu_update(entry_of(root, turn_slot), pte_make(root, PTE_P | PTE_US));
            mmuext(MMUEXT_TLB_FLUSH_ALL, 0);
            turned_slot = turn_slot;
        }
        race->rounds++;
    }
}

/* The first frame of two megabytes: the hypervisor's map of these, taken for an entry of level 1, is a map of it. */
static unsigned long *aligned_page(void *pages, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++, pages = (char *)pages + PAGE_SIZE)
        if (virt_to_mfn(pages) % 512 == 0)
            return pages;
    return NULL;
}

static unsigned long frames_named(unsigned long pfn)
{
    const unsigned long *m2p = (const unsigned long *)HV_START;
    unsigned long found = 0, value;

    for (unsigned long mfn = 0; probe_read((void *)&m2p[mfn], &value); mfn += 512)
        for (unsigned long i = 0; i < 512; i++)
            found += m2p[mfn + i] == pfn;
    return found;
}

static unsigned long populate_at(unsigned long list, unsigned long *words)
{
    struct xen_memory_reservation some = {.nr_extents = LISTED, .domid = DOMID_SELF};
    long got;

    for (unsigned long i = 0; i < LISTED; i++)
        words[i] = OURS;
    some.extent_start.p = (xen_pfn_t *)list;
    got = HYPERVISOR_memory_op(XENMEM_populate_physmap, &some);
    some.extent_start.p = words;
    some.nr_extents = got > 0 ? (unsigned long)got : 0;
    HYPERVISOR_memory_op(XENMEM_decrease_reservation, &some);
    return some.nr_extents;
}

static void list_swapped_meanwhile(void)
{
    void *pages = pages_alloc(1024);
    unsigned long *secret = aligned_page(pages, 1024), *words = pages_alloc(1), root = top_mfn();
    unsigned long mfn = virt_to_mfn(secret), l2 = mfn >> 18, l1 = mfn >> 9 & 511, early = 0;
    pte_t *chain[3] = {new_table(), new_table(), new_table()};
    struct race race = {.arg = NULL};

    CHECK(secret != NULL, "a page of ours lies at the beginning of two megabytes");
    poke(&chain[0][l1], pte_make(virt_to_mfn(words), TABLE_FLAGS));
    poke(&chain[1][l2], pte_make(virt_to_mfn(chain[0]), TABLE_FLAGS));
    poke(&chain[2][262], pte_make(virt_to_mfn(chain[1]), TABLE_FLAGS));
    for (unsigned long i = 0; i < LISTED; i++)
        secret[i] = NOT_OURS;
    if (race_start(&race, turn_slot_to_self)) {
        for (unsigned int slot = FIRST_TURNED; slot < FIRST_TURNED + ATTEMPTS; slot++) {
            mmu_update(entry_of(root, slot), pte_make(virt_to_mfn(chain[2]), TABLE_FLAGS));
            turn_slot = slot;
            early += populate_at(window(262, l2, l1) + ((slot - SLOT) << 39), words) != LISTED;
            while (turned_slot != slot)
                time_spin_ns(1000);
            mmu_update(entry_of(root, slot), 0);
            mmuext(MMUEXT_TLB_FLUSH_ALL, 0);
        }
        race_stop(&race);
        printf("  %lu of %u lists were cut short\n", early, ATTEMPTS);
    }
    CHECK_EQ(frames_named(NOT_OURS), 0, "no word of a list is read through the hypervisor's map of all memory");
    for (int i = 2; i >= 0; i--)
        drop_table(chain[i]);
    pages_free(words, 1);
    pages_free(pages, 1024);
}
#endif

int main(int argc, char **argv)
{
    check_group("linear mappings");
    level_1();
#ifdef __x86_64__
    for (unsigned int level = 2; level <= 4; level++) {
        writable_self(level);
        circle(level);
    }
    slot_swapped_meanwhile();
    hypervisor_seen_through_level_4();
    hypervisor_seen_through_another();
    own_slot_in_another();
    list_swapped_meanwhile();
#else
    writable_self(2);
    circle(2);
#endif
    return check_summary("linear");
}

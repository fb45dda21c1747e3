/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Types and counts of page tables. Everything rests on this: a frame that is a page table is never writable, never used
 * at another level, and its counts end exactly when its uses do.
 */
#include "attack.h"

#ifdef __x86_64__
#define HIGHEST_PIN MMUEXT_PIN_L4_TABLE
#else
#define HIGHEST_PIN MMUEXT_PIN_L2_TABLE
#endif
#define CHAIN_LEVELS (HIGHEST_PIN - MMUEXT_PIN_L1_TABLE + 1)
#define ROUNDS       200

static void drop_chain(pte_t **chain, unsigned int levels)
{
    for (unsigned int i = 0; i < levels; i++)
        drop_table(chain[i]);
}

/* A table of one level used as one of another makes the processor read plain entries as tables or the other way round:
 * what was checked as a page is then walked as a table that nobody checked. Every pair of levels, by pin and by entry. */
static void level_confusion(void)
{
    pte_t *chain[4], *above = new_table();
    unsigned long mfn[4];

    check_group("tables of the wrong level");
    new_chain(chain, CHAIN_LEVELS);
    for (unsigned int i = 0; i < CHAIN_LEVELS; i++)
        mfn[i] = virt_to_mfn(chain[i]);
    CHECK_EQ(mmuext(HIGHEST_PIN, mfn[CHAIN_LEVELS - 1]), 0, "a chain of tables, one of each level");
    for (unsigned int is = 0; is < CHAIN_LEVELS; is++)
        for (unsigned int as = 0; as < CHAIN_LEVELS; as++) {
            if (is == as)
                continue;
            CHECK(mmuext(MMUEXT_PIN_L1_TABLE + as, mfn[is]) < 0, "a table is not pinned at another level");
            if (as + 1 == CHAIN_LEVELS)
                continue;
            poke(above, pte_make(mfn[is], TABLE_FLAGS));
            CHECK(mmuext(MMUEXT_PIN_L2_TABLE + as, virt_to_mfn(above)) < 0, "nor entered at another level");
            poke(above, 0);
            CHECK(mmu_update(entry_of(mfn[as + 1], 1), pte_make(mfn[is], TABLE_FLAGS)) < 0, "nor by an update");
        }
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn[CHAIN_LEVELS - 1]), 0, "the chain goes");
    drop_chain(chain, CHAIN_LEVELS);
    drop_table(above);
}

/* A base register takes a table of the highest level; anything else there is a whole address space of the attacker's
 * making, the hypervisor's part included. */
static void base_of_the_wrong_kind(void)
{
    pte_t *chain[4];
    char *page = pages_alloc(1);

    check_group("base registers");
    new_chain(chain, CHAIN_LEVELS);
    for (unsigned int i = 0; i < CHAIN_LEVELS && i < TOP_LEVEL - 1; i++) {
        CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE + i, virt_to_mfn(chain[i])), 0, "a table of a lower level");
        CHECK(mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(chain[i])) < 0, "is no address space");
        CHECK(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(chain[i])) < 0, "nor one for user mode");
        CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(chain[i])), 0, "it goes");
    }
    CHECK(mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(page)) < 0, "a page of data neither");
    CHECK(mmuext(MMUEXT_NEW_BASEPTR, foreign_mfn()) < 0, "another's frame neither");
    CHECK(mmuext(MMUEXT_NEW_BASEPTR, ~0UL) < 0, "no frame at all neither");
    CHECK(mmuext(MMUEXT_NEW_BASEPTR, ~0UL >> 12) < 0, "however it is written");
    drop_chain(chain, CHAIN_LEVELS);
    pages_free(page, 1);
}

/* The table a processor runs on loses its last pin, or is given back: it must stay a table as long as it is in a base
 * register, or the next owner of the frame owns the processor's translations. */
static void base_taken_away(void)
{
    unsigned long root = top_mfn(), given = root;
    struct xen_memory_reservation back = {.nr_extents = 1, .domid = DOMID_SELF};

    check_group("the table in use");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, root), 0, "the running table can be unpinned");
    CHECK(set_pte((void *)(unsigned long)start_info->pt_base, pte_make(root, PTE_KERNEL_RW)) < 0,
          "but cannot be made writable");
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, root) < 0 && mmuext(MMUEXT_PIN_L2_TABLE, root) < 0, "nor another kind of table");
    CHECK_EQ(mmuext(PIN_TOP, root), 0, "it can be pinned again");
    set_xen_guest_handle(back.extent_start, &given);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &back), 1, "its frame can even be given back");
    CHECK(set_pte((void *)(unsigned long)start_info->pt_base, pte_make(root, PTE_KERNEL_RW)) < 0,
          "and still is a table, not writable");
    for (int i = 0; i < 8; i++) {
        char *page = pages_alloc(1);
        CHECK(virt_to_mfn(page) != root, "and nobody's page meanwhile");
        pages_free(page, 1);
    }
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &back), 1, "a second time that changes nothing");
    CHECK(set_pte((void *)(unsigned long)start_info->pt_base, pte_make(root, PTE_KERNEL_RW)) < 0,
          "or a reference would have gone that the processor needs");
}

/* Failure is the path that nobody walks: a refused pin or update must drop exactly what it had taken. Many of them, then
 * every frame must be as free as before. */
static void failures_do_not_leak(void)
{
    pte_t *chain[4];
    char *page = pages_alloc(1);
    unsigned int top = CHAIN_LEVELS - 1;

    check_group("refusals, many times");
    new_chain(chain, CHAIN_LEVELS);
    poke(&chain[0][0], pte_make(virt_to_mfn(page), PTE_KERNEL_RW));
    poke(&chain[0][511], pte_make(foreign_mfn(), PTE_KERNEL_RW));
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(mmuext(HIGHEST_PIN, virt_to_mfn(chain[top])) < 0, "a bad entry at the very bottom spoils all");
        CHECK(mmuext(MMUEXT_PIN_L1_TABLE + i % CHAIN_LEVELS, virt_to_mfn(chain[i % CHAIN_LEVELS])) < 0,
              "at each level");
    }
    poke(&chain[0][511], 0);
    CHECK_EQ(mmuext(HIGHEST_PIN, virt_to_mfn(chain[top])), 0, "good at last");
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(mmu_update(entry_of(virt_to_mfn(chain[0]), 3), pte_make(virt_to_mfn(chain[top]), PTE_KERNEL_RW)) < 0,
              "a writable mapping of a table");
        CHECK(mmu_update(entry_of(virt_to_mfn(chain[1]), 3), pte_make(virt_to_mfn(page), TABLE_FLAGS)) < 0,
              "data as a table");
        CHECK(mmuext(HIGHEST_PIN, virt_to_mfn(chain[top])) < 0, "a second pin");
    }
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(chain[top])), 0, "unpinned once");
    drop_chain(chain, CHAIN_LEVELS);
    pages_free(page, 1);
}

/* Flags that no guest may set: large pages would map what lies beside the checked frame, address bits past the
 * processor's make it fault, cache attributes make it disagree with itself. At every level, in a new table and in a live
 * one, and as a change of flags that keeps the frame, for which a hypervisor likes to take a short cut. */
static void forbidden_bits(void)
{
    static const pte_t upper[] = {PTE_PSE, PTE_PCD, PTE_PWT, PTE_G, 1ULL << 51, 1ULL << 47};
    static const pte_t lowest[] = {PTE_PSE, PTE_PCD, PTE_PWT, 1ULL << 51, 1ULL << 47};
    pte_t *chain[4];
    char *page = pages_alloc(1);

    check_group("forbidden bits");
    new_chain(chain, CHAIN_LEVELS);
    poke(&chain[0][0], pte_make(virt_to_mfn(page), PTE_KERNEL_RW));
    CHECK_EQ(mmuext(HIGHEST_PIN, virt_to_mfn(chain[CHAIN_LEVELS - 1])), 0, "good tables");
    for (unsigned int level = 1; level < CHAIN_LEVELS; level++)
        for (unsigned int i = 0; i < sizeof(upper) / sizeof(upper[0]); i++) {
            pte_t good = pte_make(virt_to_mfn(chain[level - 1]), TABLE_FLAGS);
            unsigned long mfn = virt_to_mfn(chain[level]);
            CHECK(mmu_update(entry_of(mfn, 0), good | upper[i]) < 0, "not added to a live entry");
            CHECK(mmu_update(entry_of(mfn, 1), good | upper[i]) < 0, "not in a new one");
            CHECK_EQ(chain[level][0] & ~(PTE_A | PTE_D), good, "which stays as it was");
        }
    for (unsigned int i = 0; i < sizeof(lowest) / sizeof(lowest[0]); i++) {
        pte_t good = pte_make(virt_to_mfn(page), TABLE_FLAGS);
        CHECK(mmu_update(entry_of(virt_to_mfn(chain[0]), 0), good | lowest[i]) < 0, "nor at the lowest level");
        CHECK(mmu_update(entry_of(virt_to_mfn(chain[0]), 0) | MMU_PT_UPDATE_PRESERVE_AD, good | lowest[i]) < 0,
              "nor keeping marks");
        CHECK(set_pte(page, good | lowest[i]) < 0, "nor by address");
    }
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(chain[CHAIN_LEVELS - 1])), 0, "gone");
    drop_chain(chain, CHAIN_LEVELS);
    pages_free(page, 1);
}

struct live_write {
    volatile uint32_t *low;
    uint32_t bit;
};

static void set_bit(void *arg)
{
    struct live_write *w = arg;

    __asm__ volatile("lock btsl %1, %0" : "+m"(*w->low) : "r"(w->bit) : "cc");
}

static void plain_or(void *arg)
{
    struct live_write *w = arg;

    __asm__ volatile("orl %1, %0" : "+m"(*w->low) : "r"(1U << w->bit) : "cc");
}

/* A mapping of a page table that is read-only today becomes writable by changing one bit. Every door to that bit: both
 * kinds of update, by address, in another domain's name, and the instructions that the hypervisor emulates. */
static void table_made_writable(void)
{
    pte_t *table = new_table(), value;
    unsigned long mfn = virt_to_mfn(table);
    uint64_t slot = pte_slot(table);
    pte_t *slot_page = pfn_to_virt(mfn_to_pfn((unsigned long)(slot >> 12)));
    struct live_write w = {(volatile uint32_t *)(slot_page + (slot & 0xfff) / 8), 1};
    struct fault fault;

    check_group("one bit between a table and its writer");
    CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0, "a table, mapped read-only");
    value = pte_make(mfn, PTE_KERNEL_RW);
    CHECK(mmu_update(slot, value) < 0, "not by mmu_update");
    CHECK(mmu_update(slot | MMU_PT_UPDATE_PRESERVE_AD, value) < 0, "not keeping marks");
    CHECK(mmu_update(slot | MMU_PT_UPDATE_NO_TRANSLATE, value) < 0, "not untranslated");
    CHECK(set_pte(table, value) < 0, "not by address");
    CHECK(set_pte(table, value | PTE_NX) < 0, "not with other bits changed along");
    CHECK(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)table, value, UVMF_INVLPG, DOMID_SELF) < 0,
          "not in our own name");
    CHECK(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)table, value, UVMF_INVLPG, DOMID_IO) < 0,
          "not as device memory");
    CHECK(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)table, value, UVMF_INVLPG, 0) < 0, "not as dom0's");
    CHECK(!fault_catch(set_bit, &w, &fault), "not by a locked bit instruction on the live entry");
    CHECK(!fault_catch(plain_or, &w, &fault), "nor by an ordinary one");
    CHECK(!probe_write(table, 1), "the table was never writable");
    CHECK(mmuext(MMUEXT_CLEAR_PAGE, mfn) < 0, "nor can it be cleared");
    CHECK(mmuext(MMUEXT_COPY_PAGE, mfn) < 0, "or copied over");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0, "gone");
    drop_table(table);
}

/* An update names its entry by machine address. The low bits are a command, the rest any frame at all: other domains'
 * tables, the hypervisor's memory, devices, frames past the end, an address in the middle of an entry. */
static void addresses_of_entries(void)
{
    pte_t *table = new_table();
    unsigned long mfn = virt_to_mfn(table), foreign = foreign_mfn();

    check_group("machine addresses of entries");
    CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0, "a table");
    for (unsigned int command = 4; command < 8; command++)
        CHECK_EQ(mmu_update(entry_of(mfn, 0) | command, 0x123000), -XEN_ENOSYS, "a command that does not exist");
    CHECK_EQ(table[0], 0, "changes nothing");
    CHECK(mmu_update((uint64_t)foreign << 12, 0) < 0, "another's frame");
    CHECK(mmu_update((uint64_t)foreign << 12 | MMU_MACHPHYS_UPDATE, 5) < 0, "and its number");
    for (unsigned long at = 0; at < 0x300; at += 0x40)
        CHECK(mmu_update((uint64_t)at << 12, ~0ULL) < 0 && mmu_update((uint64_t)at << 12 | MMU_MACHPHYS_UPDATE, 1) < 0,
              "the lowest memory, with the hypervisor's image");
    CHECK(mmu_update(0xfee00000ULL, 0) < 0 && mmu_update(0xa0000, 0) < 0, "device memory");
    CHECK(mmu_update(0xffffffffff000ULL, 0) < 0 && mmu_update(~7ULL, 0) < 0, "past the end");
    CHECK(mmu_update(~7ULL | MMU_MACHPHYS_UPDATE, 0) < 0, "of the frame numbers, too");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0, "gone");
    drop_table(table);
}

/* Whose frames, and whose tables, a guest speaks of is another argument of the call. Without privilege only its own. */
static void in_the_name_of_others(void)
{
    char *page = pages_alloc(1);
    uint64_t slot = pte_slot(page);
    pte_t before = pte_read(page);
    static const unsigned int ids[] = {0, 1, 2, 3, 4, DOMID_IO, DOMID_XEN, 0x7ff3, 0x7ff4, 0x7fef, 0x7fff, 0xffff};

    check_group("in the name of others");
    for (unsigned int i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct mmuext_op pin = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = foreign_mfn()};
        CHECK(mmu_update_in(slot, pte_make(foreign_mfn(), PTE_KERNEL_RO), ids[i]) < 0, "no frame of theirs");
        CHECK(HYPERVISOR_mmuext_op(&pin, 1, NULL, ids[i]) < 0, "no table of theirs");
        CHECK(mmu_update_in((uint64_t)foreign_mfn() << 12, 0, (ids[i] + 1) << 16 | DOMID_SELF) < 0,
              "no entry of theirs");
        CHECK(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)page, pte_make(foreign_mfn(), PTE_KERNEL_RW),
                                                       UVMF_INVLPG, ids[i]) < 0,
              "nor by address");
    }
    CHECK(pte_read(page) == before || (pte_read(page) ^ before) == PTE_D, "and nothing changed");
    pages_free(page, 1);
}

/* A count that wraps reads as "unused" while thousands of mappings exist. One frame mapped more often than its count
 * can hold: the mapping that would be one too many is refused. */
static void count_overflow(void)
{
    enum { TABLES = 300 };
    static pte_t *tables[TABLES];
    unsigned int pinned = 0;
    char *page = pages_alloc(1);

    check_group("more mappings than can be counted");
    for (unsigned int i = 0; i < TABLES; i++) {
        tables[i] = pages_alloc(1);
        for (unsigned int j = 0; j < 512; j++)
            tables[i][j] = pte_make(virt_to_mfn(page), PTE_KERNEL_RW);
        pages_protect(tables[i], 1, false);
    }
    while (pinned < TABLES && mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(tables[pinned])) == 0)
        pinned++;
    CHECK(pinned >= 100, "it can be mapped very often");
    CHECK(pages_protect(page, 1, false) == 0, "however often");
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(page)) < 0, "it is no table while it is mapped writable");
    for (unsigned int i = 0; i < TABLES; i++) {
        if (i < pinned)
            CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(tables[i])), 0, "each gives its mappings back");
        drop_table(tables[i]);
    }
    CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(page)), 0, "and at the end the page is a page");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(page)), 0, "like any");
    pages_protect(page, 1, true);
    pages_free(page, 1);
}

/* Pinning takes a type reference for the guest. Pinned twice, unpinned as something else, or given back while pinned:
 * the reference must be dropped exactly once. */
static void pins(void)
{
    pte_t *table = new_table();
    unsigned long mfn = virt_to_mfn(table);
    struct xen_memory_reservation back = {.nr_extents = 1, .domid = DOMID_SELF};

    check_group("pins");
    CHECK(mmuext(MMUEXT_UNPIN_TABLE, mfn) < 0, "what is not pinned is not unpinned");
    CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0, "pinned");
    for (int i = 0; i < 20; i++)
        CHECK(mmuext(MMUEXT_PIN_L1_TABLE, mfn) < 0, "once");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0, "unpinned");
    for (int i = 0; i < 20; i++)
        CHECK(mmuext(MMUEXT_UNPIN_TABLE, mfn) < 0, "once");
    CHECK(mmuext(MMUEXT_UNPIN_TABLE, foreign_mfn()) < 0 && mmuext(MMUEXT_UNPIN_TABLE, ~0UL) < 0, "nobody else's");
    CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0, "pinned again");
    CHECK_EQ(set_pte(table, 0), 0, "out of sight");
    set_xen_guest_handle(back.extent_start, &mfn);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &back), 1, "and given back while pinned");
    CHECK(mmuext(MMUEXT_UNPIN_TABLE, mfn) < 0 && mmuext(MMUEXT_PIN_L1_TABLE, mfn) < 0, "it is ours no longer");
    CHECK(set_pte(table, pte_make(mfn, PTE_KERNEL_RO)) < 0, "not even to look at");
}

/* The hypervisor's own entries stand among the guest's: in the level-4 table, or in the fourth level-2 table. */
static void reserved_slots(void)
{
    char *page = pages_alloc(1);

    check_group("the hypervisor's slots");
#ifdef __x86_64__
    pte_t *l3 = new_table(), *top = new_table();

    for (unsigned int slot = 256; slot < 272; slot++) {
        CHECK(mmu_update(entry_of(top_mfn(), slot), 0) < 0, "they are not cleared");
        CHECK(mmu_update(entry_of(top_mfn(), slot), pte_make(virt_to_mfn(l3), TABLE_FLAGS)) < 0, "nor replaced");
        CHECK(mmu_update(entry_of(top_mfn(), slot) | MMU_PT_UPDATE_PRESERVE_AD, PTE_US) < 0, "nor marked");
        poke(&top[slot], pte_make(foreign_mfn(), TABLE_FLAGS));
    }
    CHECK_EQ(mmuext(PIN_TOP, virt_to_mfn(top)), 0, "what a new table has there does not count");
    for (unsigned int slot = 256; slot < 272; slot++)
        CHECK(pte_mfn(top[slot]) != foreign_mfn() || !(top[slot] & PTE_P), "and is not there any more");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(top)), 0, "gone");
    drop_table(top);
    drop_table(l3);
#else
    pte_t *top = (pte_t *)(unsigned long)start_info->pt_base;
    unsigned long l2 = pte_mfn(top[3]);
    pte_t *copy = new_table();

    for (unsigned int slot = 428; slot < 512; slot++) {
        CHECK(mmu_update(entry_of(l2, slot), 0) < 0, "they are not cleared");
        CHECK(mmu_update(entry_of(l2, slot), pte_make(virt_to_mfn(page), TABLE_FLAGS)) < 0, "nor replaced");
    }
    for (unsigned int slot = 3; slot < 512; slot += slot < 8 ? 1 : 50)
        CHECK(mmu_update(entry_of(top_mfn(), slot), pte_make(l2, PTE_P)) < 0, "nor is the table above");
    for (unsigned int i = 0; i < 4; i++)
        poke(&copy[i], top[i] & (PTE_ADDR_MASK | PTE_P));
    CHECK(mmuext(PIN_TOP, virt_to_mfn(copy)) < 0, "the fourth level-2 table is in one address space only");
    poke(&copy[3], 0);
    CHECK(mmuext(PIN_TOP, virt_to_mfn(copy)) < 0, "and must be in each");
    poke(&copy[3], top[2] & (PTE_ADDR_MASK | PTE_P));
    CHECK(mmuext(PIN_TOP, virt_to_mfn(copy)) < 0, "an ordinary one does not stand in for it");
    poke(&copy[3], 0);
    poke(&copy[0], pte_make(l2, PTE_P));
    CHECK(mmuext(PIN_TOP, virt_to_mfn(copy)) < 0, "nor it for an ordinary one");
    CHECK(mmuext(MMUEXT_PIN_L2_TABLE, l2) < 0, "also not by a pin");
    poke(&copy[0], 0);
    drop_table(copy);
#endif
    pages_free(page, 1);
}

int main(int argc, char **argv)
{
    level_confusion();
    base_of_the_wrong_kind();
    failures_do_not_leak();
    forbidden_bits();
    table_made_writable();
    addresses_of_entries();
    in_the_name_of_others();
    count_overflow();
    pins();
    reserved_slots();
    base_taken_away();
    return check_summary("tables");
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Tables that are half done. Taking or releasing a large table stops for whatever is urgent and goes on later; in
 * between the guest runs, and may do anything to a table of which only a part is checked. An event that comes at the
 * right moment is all it takes: a kernel can make itself one at any time.
 */
#include <pv/event.h>
#include "attack.h"

#ifdef __x86_64__
#define HIGHEST 4U
#else
#define HIGHEST 2U
#endif
#define CHILDREN 24

static evtchn_port_t port;
static void (*act)(void); /* what the handler does, once */
static unsigned long acted;
static pte_t *tables[HIGHEST], *children[CHILDREN];
static unsigned long mfns[HIGHEST];

/* Each call of ours that is repeated finds the port notified again, so it stops again and again. */
static void in_between(evtchn_port_t p, void *data)
{
    acted++;
    if (act)
        act();
    if (acted < 40)
        event_notify(p);
}

/* The highest table names one below it, that one below, and the lowest but one has many children. */
static void build(void)
{
    new_chain(tables, HIGHEST);
    for (unsigned int i = 0; i < HIGHEST; i++)
        mfns[i] = virt_to_mfn(tables[i]);
    for (unsigned int i = 0; i < CHILDREN; i++) {
        children[i] = new_table();
        poke(&tables[1][i + 1], pte_make(virt_to_mfn(children[i]), TABLE_FLAGS));
    }
}

static void demolish(void)
{
    for (unsigned int i = 0; i < HIGHEST; i++)
        while (mmuext(MMUEXT_UNPIN_TABLE, mfns[i]) == 0)
            ;
    for (unsigned int i = 0; i < CHILDREN; i++)
        mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(children[i]));
    for (unsigned int i = HIGHEST; i-- > 0;)
        drop_table(tables[i]);
    for (unsigned int i = 0; i < CHILDREN; i++)
        drop_table(children[i]);
}

/* An event is pending before the call begins: masked until then, it interrupts the call at its first chance. */
static void with_events(unsigned int command, unsigned long mfn, void (*action)(void))
{
    struct mmuext_op op = {.cmd = command, .arg1.mfn = mfn};

    act = action;
    acted = 0;
    irq_disable();
    event_notify(port);
    ((volatile uint8_t *)&shared_info->vcpu_info[0].evtchn_upcall_mask)[0] = 0; /* and no look at what is pending */
    HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
    irq_enable();
    act = NULL;
}

/* Nothing but the interruptions: the table must be whole in the end. */
static void only_interrupted(void)
{
    check_group("interrupted again and again");
    build();
    with_events(MMUEXT_PIN_L1_TABLE + HIGHEST - 1, mfns[HIGHEST - 1], NULL);
    CHECK(acted > 1, "the handler ran in between");
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE + HIGHEST - 1, mfns[HIGHEST - 1]) < 0, "and the table was pinned in the end");
    with_events(MMUEXT_UNPIN_TABLE, mfns[HIGHEST - 1], NULL);
    demolish();
}

static void retype(void)
{
    for (unsigned int level = 1; level <= HIGHEST; level++)
        for (unsigned int i = 0; i < HIGHEST; i++)
            if (i + 1 != level && mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfns[i]) == 0)
                mmuext(MMUEXT_UNPIN_TABLE, mfns[i]);
}

/* The half-checked table is pinned at another level: what was checked as tables would count as checked pages. */
static void retyped(void)
{
    check_group("retyped half way");
    build();
    with_events(MMUEXT_PIN_L1_TABLE + HIGHEST - 1, mfns[HIGHEST - 1], retype);
    with_events(MMUEXT_UNPIN_TABLE, mfns[HIGHEST - 1], retype);
    demolish();
}

static unsigned int written;

static void rewrite(void)
{
    pte_t evil = pte_make(foreign_mfn(), TABLE_FLAGS);

    for (unsigned int i = 0; i < HIGHEST; i++) {
        written += mmu_update(entry_of(mfns[i], 0), evil) == 0 && tables[i][0] == evil && i > 0;
        mmu_update(entry_of(mfns[i], 400 + i), pte_make(virt_to_mfn(children[i]), TABLE_FLAGS));
    }
    for (unsigned int i = 0; i < HIGHEST; i++)
        if (pages_protect(tables[i], 1, true) ==
            0) { /* it was none: write what we like, and see whether it is looked at */
            tables[i][511] = evil;
            pages_protect(tables[i], 1, false);
        }
}

/* Its entries are changed behind the check: those that were looked at already, or the page is made writable. */
static void rewritten(void)
{
    check_group("rewritten half way");
    build();
    written = 0;
    with_events(MMUEXT_PIN_L1_TABLE + HIGHEST - 1, mfns[HIGHEST - 1], rewrite);
    for (unsigned int i = 0; i < HIGHEST; i++)
        if (mmuext(MMUEXT_PIN_L1_TABLE + i, mfns[i]) == 0 || mmuext(MMUEXT_UNPIN_TABLE, mfns[i]) == 0)
            CHECK(pte_mfn(tables[i][511]) != foreign_mfn() || !(tables[i][511] & PTE_P),
                  "no accepted table names another's frame");
    with_events(MMUEXT_UNPIN_TABLE, mfns[HIGHEST - 1], rewrite);
    demolish();
}

static void take_children(void)
{
    for (unsigned int i = 0; i < CHILDREN; i++) {
        unsigned long mfn = virt_to_mfn(children[i]);
        if (pages_protect(children[i], 1, true) == 0)
            pages_protect(children[i], 1, false);
        if (mmuext(MMUEXT_PIN_L1_TABLE, mfn) == 0)
            mmuext(MMUEXT_UNPIN_TABLE, mfn);
        if (mmuext(MMUEXT_PIN_L2_TABLE, mfn) == 0)
            mmuext(MMUEXT_UNPIN_TABLE, mfn);
    }
}

/* The tables below become something else while the one above counts on them, or lets go of them. */
static void children_taken(void)
{
    check_group("its children taken away");
    build();
    with_events(MMUEXT_PIN_L1_TABLE + HIGHEST - 1, mfns[HIGHEST - 1], take_children);
    for (unsigned int i = 0; i < CHILDREN; i++)
        CHECK(pages_protect(children[i], 1, true) != 0, "every child of an accepted table is a table");
    with_events(MMUEXT_UNPIN_TABLE, mfns[HIGHEST - 1], take_children);
    demolish();
}

static void unpin_and_pin(void)
{
    mmuext(MMUEXT_UNPIN_TABLE, mfns[HIGHEST - 1]);
    mmuext(MMUEXT_PIN_L1_TABLE + HIGHEST - 1, mfns[HIGHEST - 1]);
    mmuext(MMUEXT_PIN_L2_TABLE, mfns[1]);
    mmuext(MMUEXT_UNPIN_TABLE, mfns[1]);
}

/* The same call again from within: it must count once. */
static void nested(void)
{
    check_group("the same call within itself");
    build();
    with_events(MMUEXT_PIN_L1_TABLE + HIGHEST - 1, mfns[HIGHEST - 1], unpin_and_pin);
    with_events(MMUEXT_UNPIN_TABLE, mfns[HIGHEST - 1], unpin_and_pin);
    demolish();
}

/* A table that is named by another of its own level, read-only, and by nothing else: letting go of the one lets go of
 * the other, and when that is interrupted both must be finished, or what the lower one holds is held for ever. */
static void named_by_its_own_level(void)
{
    pte_t *table = new_table();
    unsigned long mfn = virt_to_mfn(table);

    check_group("let go by a table of its own level");
    build();
    CHECK_EQ(mmuext(MMUEXT_PIN_L2_TABLE, mfns[1]), 0, "a table with children");
    CHECK_EQ(mmuext(MMUEXT_PIN_L2_TABLE, mfn), 0, "and one more");
    CHECK_EQ(mmu_update(entry_of(mfn, 9), pte_make(mfns[1], PTE_P | PTE_US)), 0, "which names it");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfns[1]), 0, "that alone keeps it");
    with_events(MMUEXT_UNPIN_TABLE, mfn, NULL);
    CHECK(acted > 1, "it goes, interrupted");
    for (unsigned int i = 0; i < CHILDREN; i++)
        CHECK_EQ(pages_protect(children[i], 1, true), 0, "and no child is left a table");
    drop_table(table);
    demolish();
}

static long pages_owned(void)
{
    domid_t self = DOMID_SELF;

    return HYPERVISOR_memory_op(XENMEM_current_reservation, &self);
}

static void give_back(void)
{
    struct xen_memory_reservation back = {.nr_extents = 1, .domid = DOMID_SELF};
    unsigned long mfn = mfns[HIGHEST - 1];

    set_xen_guest_handle(back.extent_start, &mfn);
    HYPERVISOR_memory_op(XENMEM_decrease_reservation, &back);
}

/* The frame is given back while it is half a table. It may not serve anybody else before the work on it is undone. The
 * frame is lost to us; the audit and the end of the domain say whether it is lost to all. */
static void given_back(void)
{
    long before;

    check_group("given back half way");
    build();
    before = pages_owned();
    with_events(MMUEXT_PIN_L1_TABLE + HIGHEST - 1, mfns[HIGHEST - 1], give_back);
    CHECK(before - pages_owned() <= 1, "given back once, however often that is asked for");
    for (int i = 0; i < 16; i++) {
        char *page = pages_alloc(1);
        CHECK(virt_to_mfn(page) != mfns[HIGHEST - 1], "nobody gets the frame while we see it");
        memset(page, 0xff, PAGE_SIZE);
        pages_free(page, 1);
    }
}

int main(int argc, char **argv)
{
    port = (evtchn_port_t)event_bind_ipi(0, in_between, NULL);
    only_interrupted();
    retyped();
    rewritten();
    children_taken();
    nested();
    named_by_its_own_level();
    given_back();
    return check_summary("partial");
}

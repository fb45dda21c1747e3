/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames taken, given back and traded, with one thing wrong at a time: sizes that do not fit, an element in the middle
 * that is not ours or in use, addresses that cannot be had, a start behind the end. What came of it - the answer, how
 * much was done, whose the frames are then - is compared with genuine Xen: a balloon driver goes on from there.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/memory.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "check.h"

#define MOST 40

static xen_pfn_t in[MOST], out[MOST];

static void note(const char *what, unsigned int a, unsigned int b, long value)
{
    static char text[96];

    sprintf(text, "%s, %u, %u", what, a, b);
    CHECK_SAME(value, text);
}

static long reservation(unsigned int cmd, xen_pfn_t *list, unsigned long extents, unsigned int order,
                        unsigned int flags, domid_t domid)
{
    struct xen_memory_reservation r = {
        .nr_extents = extents, .extent_order = order, .mem_flags = flags, .domid = domid};

    set_xen_guest_handle(r.extent_start, list);
    return HYPERVISOR_memory_op(cmd, &r);
}

static long taken(void)
{
    domid_t self = DOMID_SELF;

    return HYPERVISOR_memory_op(XENMEM_current_reservation, &self);
}

/* Only a frame of our own can be cleared. */
static bool is_ours(unsigned long mfn)
{
    struct mmuext_op op = {.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = mfn};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF) == 0;
}

static unsigned int how_many_ours(const xen_pfn_t *list, unsigned int count, unsigned int order)
{
    unsigned int ours = 0;

    for (unsigned int i = 0; i < count; i++)
        for (unsigned int j = 0; j < 1U << order; j++)
            ours += is_ours(list[i] + j);
    return ours;
}

/* Whatever is ours of it goes back, one by one. */
static void give_back(const xen_pfn_t *list, unsigned int count, unsigned int order)
{
    for (unsigned int i = 0; i < count; i++)
        for (unsigned int j = 0; j < 1U << order; j++) {
            xen_pfn_t frame = list[i] + j;
            if (is_ours(frame))
                reservation(XENMEM_decrease_reservation, &frame, 1, 0, 0, DOMID_SELF);
        }
}

enum odd { NOTHING, NO_FRAME, FIRST_FRAME, HYPERVISORS, MAPPED, TABLE, TWICE, ODDS };

static char *mapped;

static xen_pfn_t odd_frame(enum odd odd)
{
    switch (odd) {
    case NO_FRAME:
        return (xen_pfn_t)~0UL;
    case FIRST_FRAME:
        return 0;
    case HYPERVISORS:
        return 0x200; /* of the image, at 2 MiB */
    case MAPPED:
        return virt_to_mfn(mapped);
    case TABLE:
        return (xen_pfn_t)(pte_slot(mapped) >> 12);
    default:
        return in[0];
    }
}

/* Frames in `in` that are ours and unmapped; with one of them wrong, the right one in `kept`. */
static bool offer(unsigned int count, unsigned int order, enum odd odd, unsigned int at, xen_pfn_t *kept)
{
    memset(out, 0, sizeof(out));
    if (reservation(XENMEM_increase_reservation, in, count, order, 0, DOMID_SELF) != (long)count)
        return CHECK(false, "there is memory for the test");
    *kept = in[at];
    if (odd != NOTHING)
        in[at] = odd_frame(odd);
    return true;
}

static void withdraw(unsigned int count, unsigned int order, enum odd odd, unsigned int at, xen_pfn_t kept)
{
    if (odd == MAPPED || odd == TABLE)
        in[at] = kept;
    give_back(in, count, order);
    if (odd != NOTHING)
        give_back(&kept, 1, order);
}

struct trade {
    unsigned int in_count, in_order, out_count, out_order, in_flags, out_flags, done;
    domid_t in_domain, out_domain;
    enum odd odd;
    unsigned int at;
};

static void trade(const char *what, unsigned int a, unsigned int b, const struct trade *t)
{
    struct xen_memory_exchange x = {
        .in = {.nr_extents = t->in_count, .extent_order = t->in_order, .mem_flags = t->in_flags, .domid = t->in_domain},
        .out = {.nr_extents = t->out_count,
                .extent_order = t->out_order,
                .mem_flags = t->out_flags,
                .domid = t->out_domain},
        .nr_exchanged = t->done};
    xen_pfn_t kept;
    long before, rc;

    if (!offer(t->in_count, t->in_order, t->odd, t->at, &kept))
        return;
    for (unsigned int i = 0; i < MOST; i++)
        out[i] = 0x300000 + i * 0x1000;
    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, out);
    before = taken();
    rc = HYPERVISOR_memory_op(XENMEM_exchange, &x);
    note(what, a, b, rc);
    note("  done", a, b, (long)x.nr_exchanged);
    note("  more or less than before", a, b, taken() - before);
    note("  of the new ours", a, b, how_many_ours(out, t->out_count, t->out_order));
    if (rc == 0 && t->out_count && out[0] < 0x300000) /* a frame's number now, no place */
        note("  place of the first", a, b, (long)((const unsigned long *)MACH2PHYS_VIRT_START)[out[0]]);
    give_back(out, t->out_count, t->out_order);
    withdraw(t->in_count, t->in_order, t->odd, t->at, kept);
}

#define PLAIN(n)                                                                                                       \
    {                                                                                                                  \
        .in_count = n, .out_count = n, .in_domain = DOMID_SELF, .out_domain = DOMID_SELF                               \
    }

static void test_sizes(void)
{
    struct trade t = PLAIN(1);

    check_group("trades of all sizes");
    for (t.in_order = 0; t.in_order < 4; t.in_order++)
        for (t.out_order = 0; t.out_order < 4; t.out_order++)
            for (t.in_count = 1; t.in_count <= 4; t.in_count++) {
                t.out_count = (t.in_count << t.in_order) >> t.out_order;
                trade("sizes", t.in_order << 4 | t.out_order, t.in_count, &t);
                t.out_count++;
                trade("one more", t.in_order << 4 | t.out_order, t.in_count, &t);
            }
}

static void test_odd_elements(void)
{
    static const unsigned int orders[][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 0}};
    struct trade t = PLAIN(4);

    check_group("trades with an element that cannot be had");
    for (unsigned int i = 0; i < 4; i++)
        for (t.odd = NO_FRAME; t.odd < ODDS; t.odd++)
            for (t.at = 0; t.at < 4; t.at++) {
                t.in_order = orders[i][0];
                t.out_order = orders[i][1];
                t.out_count = (t.in_count << t.in_order) >> t.out_order;
                /* One that was traded already may be ours again, by chance. */
                if (t.odd != TWICE || (t.at > 0 && t.out_order == 2))
                    trade("odd", i << 4 | t.odd, t.at, &t);
            }
}

static void test_odd_arguments(void)
{
    static const domid_t domains[] = {DOMID_SELF, 0, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0x7123};
    static const unsigned int flags[] = {0, 1, 12, 13, 20, 32, 63, 64, 255, 0x100, 0x10000, 0x20000, 0x40000};
    struct trade t = PLAIN(4);

    check_group("trades with odd arguments");
    for (t.done = 0; t.done < 7; t.done++)
        trade("a start", t.done, 0, &t);
    for (t.done = 0, t.out_order = 1, t.out_count = 2; t.done < 7; t.done++)
        trade("a start", t.done, 1, &t);
    t = (struct trade)PLAIN(4);
    for (unsigned int i = 0; i < 6; i++)
        for (unsigned int j = 0; j < 6; j++) {
            t.in_domain = domains[i];
            t.out_domain = domains[j];
            if ((t.in_domain != 0 && t.out_domain != 0) || pv_is_dom0())
                trade("domains", i, j, &t);
        }
    t = (struct trade)PLAIN(4);
    for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        t.in_flags = flags[i];
        t.out_flags = 0;
        trade("flags on the one side", flags[i], 0, &t);
        t.out_flags = t.in_flags;
        t.in_flags = 0;
        trade("flags on the other", flags[i], 0, &t);
    }
}

static void test_giving_back(void)
{
    xen_pfn_t kept;

    check_group("giving back with an element that cannot be had");
    for (unsigned int order = 0; order < 3; order++)
        for (enum odd odd = NOTHING; odd < ODDS; odd++)
            for (unsigned int at = 0; at < 4; at++) {
                long before;
                if (odd == MAPPED || odd == TABLE || (odd == TWICE && at == 0) || !offer(4, order, odd, at, &kept))
                    continue;
                before = taken();
                note("back", order << 4 | odd, at,
                     reservation(XENMEM_decrease_reservation, in, 4, order, 0, DOMID_SELF));
                note("  less than before", order << 4 | odd, at, taken() - before);
                note("  of them ours", order << 4 | odd, at, how_many_ours(in, 4, order));
                withdraw(4, order, odd, at, kept);
            }
}

static void test_taking(void)
{
    static const unsigned int flags[] = {0, 1, 11, 12, 13, 20, 32, 63, 64, 255, 0x100, 0x10000, 0x20000, 0x40000};
    static const unsigned int cmds[] = {XENMEM_increase_reservation, XENMEM_populate_physmap};

    check_group("taking");
    for (unsigned int c = 0; c < 2; c++)
        for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
            long before = taken(), rc;
            for (unsigned int k = 0; k < MOST; k++)
                out[k] = 0x300000 + k;
            rc = reservation(cmds[c], out, 4, 1, flags[i], DOMID_SELF);
            note("flags", c, flags[i], rc);
            note("  more than before", c, flags[i], taken() - before);
            note("  ours", c, flags[i], how_many_ours(out, 4, 1));
            give_back(out, 4, 1);
        }
}

int main(int argc, char **argv)
{
    xen_pfn_t room[8];

    mapped = pages_alloc(1);
    /* Room for what the tests take: as many frames as they ever have at once. */
    for (unsigned int i = 0; i < 128; i++) {
        char *page = pages_alloc(1);
        room[0] = virt_to_mfn(page);
        pte_write(page, 0);
        reservation(XENMEM_decrease_reservation, room, 1, 0, 0, DOMID_SELF);
    }
    test_sizes();
    test_odd_elements();
    test_odd_arguments();
    test_giving_back();
    test_taking();
    return check_summary("test-trading");
}

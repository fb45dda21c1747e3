/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers to nonsense: every command of the calls that take one, with an argument of zeros, of ones, null, in a hole,
 * and cut by the end of a page. Which error comes first when several are due is part of the interface, as is what is
 * written back; both are compared with genuine Xen's, so a change of order is seen even where each order makes sense.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/nmi.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"

#define COMMANDS 36U

static char *page, *hole;

enum { ZEROS, ONES, NOTHING, HOLE, CUT, VARIANTS };
static const char *const variant_names[] = {"zeros", "ones", "null", "a hole", "cut"};

/* The argument of a variant; CUT: 4 bytes before the end of the page. */
static char *prepare(unsigned int variant)
{
    memset(page, variant == ONES ? 0xff : 0, PAGE_SIZE);
    if (variant == NOTHING)
        return NULL;
    return variant == HOLE ? hole : variant == CUT ? page + PAGE_SIZE - 4 : page;
}

static int changed(unsigned int variant)
{
    const char was = variant == ONES ? -1 : 0;

    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        if (page[i] != was)
            return 1;
    return 0;
}

static void note(const char *call, unsigned int command, unsigned int variant, long result)
{
    static char text[96];

    sprintf(text, "%s %u with %s", call, command, variant_names[variant]);
    CHECK_SAME((unsigned long long)result << 1 | (variant != CUT && changed(variant)), text);
}

struct sweep {
    const char *name;
    unsigned int call;
    bool second;           /* the pointer is the second argument; else the third, or the second is a count */
    unsigned int middle;   /* the argument between command and pointer */
    uint64_t without;      /* commands that would end or stop the test */
    uint64_t any_positive; /* commands whose result is a number of this machine */
};

static long issue(const struct sweep *s, unsigned int command, char *argument)
{
    if (s->second)
        return pv_hypercall3(s->call, command, (unsigned long)argument, s->middle);
    return pv_hypercall3(s->call, command, s->middle, (unsigned long)argument);
}

#define BIT(n) (1ULL << (n))

static const struct sweep sweeps[] = {
    {"memory_op", __HYPERVISOR_memory_op, true, 0, 0, BIT(2) | BIT(3) | BIT(4) | BIT(14) | BIT(9) | BIT(10)},
    {"xen_version", __HYPERVISOR_xen_version, true, 0, 0, BIT(10)},
    {"grant_table_op", __HYPERVISOR_grant_table_op, true, 1, 0, 0},
    {"grant_table_op of none", __HYPERVISOR_grant_table_op, true, 0, 0, 0},
    {"grant_table_op of too many", __HYPERVISOR_grant_table_op, true, 0xffffffff, 0, 0},
    {"vcpu_op", __HYPERVISOR_vcpu_op, false, 0, BIT(VCPUOP_down) | BIT(VCPUOP_send_nmi), 0},
    {"vcpu_op of another", __HYPERVISOR_vcpu_op, false, 1, BIT(VCPUOP_up), 0},
    {"vcpu_op of none", __HYPERVISOR_vcpu_op, false, 77, 0, 0},
    {"vcpu_op far out", __HYPERVISOR_vcpu_op, false, 0xffffffff, 0, 0},
    {"nmi_op", __HYPERVISOR_nmi_op, true, 0, 0, 0},
    {"sched_op", __HYPERVISOR_sched_op, true, 0,
     BIT(SCHEDOP_shutdown) | BIT(SCHEDOP_block) | BIT(SCHEDOP_poll) | BIT(SCHEDOP_remote_shutdown) |
         BIT(SCHEDOP_watchdog),
     0},
    {"callback_op", __HYPERVISOR_callback_op, true, 0, 0, 0},
    {"event_channel_op", __HYPERVISOR_event_channel_op, true, 0, BIT(EVTCHNOP_reset), 0},
    {"physdev_op", __HYPERVISOR_physdev_op, true, 0, 0, 0},
};

static void sweep(const struct sweep *s)
{
    check_group(s->name);
    for (unsigned int command = 0; command < COMMANDS; command++) {
        if (s->without >> command & 1)
            continue;
        for (unsigned int variant = 0; variant < VARIANTS; variant++) {
            long result;

            irq_disable();
            result = issue(s, command, prepare(variant));
            if (s->call == __HYPERVISOR_callback_op)
                traps_init();
            irq_enable();
            note(s->name, command, variant, result > 0 && s->any_positive >> command & 1 ? 1 : result);
        }
    }
    CHECK_SAME(issue(s, 0xffffffff, page), "the highest command");
    CHECK_SAME(issue(s, 0x80000000, page), "the lowest below zero");
}

int main(int argc, char **argv)
{
    page = pages_alloc(2);
    hole = vspace_alloc(1);
    pte_write(page + PAGE_SIZE, 0);
    for (unsigned int i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++)
        sweep(&sweeps[i]);
    CHECK(page != NULL, "the domain lives on");
    return check_summary("answers") != 0;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whole lives of domains: made, started, held by others, ended by themselves or from outside, alone and by the dozen.
 * None may leave a page behind.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/memory.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/time.h>
#include "tests/guests/check.h"
#include "control.h"
#include "tiny.h"

#define MS    1000000ULL
#define LIVES 200
#define MANY  60

static const int codes[] = {SPINS, SCHEDOP_yield, SCHEDOP_block, SCHEDOP_shutdown, CRASHES};

void test_lives(bool narrow)
{
    uint64_t before = free_at_rest(), ran;
    struct tiny t;

    check_group(narrow ? "lives of 32-bit domains" : "lives of 64-bit domains");
    CHECK_EQ(tiny_create(&t, narrow, SCHEDOP_shutdown), 0, "a domain that switches itself off");
    CHECK_EQ(domain_info(t.domid), 0, "it is known");
    CHECK((domctl.u.getdomaininfo.flags & XEN_DOMINF_paused) != 0, "it begins paused");
    CHECK_EQ(domctl.u.getdomaininfo.tot_pages, TINY, "it has its pages");
    CHECK_EQ(domctl.u.getdomaininfo.max_pages, TINY, "and its limit");
    CHECK_EQ(domctl.u.getdomaininfo.nr_online_vcpus, 1, "and its vCPU");
    CHECK_EQ(tiny_start(&t), 0, "it starts");
    CHECK(domain_wait_flag(t.domid, XEN_DOMINF_shutdown), "it shuts down");
    CHECK_EQ(shutdown_reason(), SHUTDOWN_poweroff, "for the reason it gave");
    CHECK_EQ(domain_destroy(t.domid), 0, "and can be destroyed");
    CHECK(!domain_exists(t.domid), "it is not known any more");

    CHECK_EQ(tiny_create(&t, narrow, CRASHES), 0, "a domain that crashes");
    tiny_start(&t);
    CHECK(domain_wait_flag(t.domid, XEN_DOMINF_shutdown), "it is shut down");
    CHECK_EQ(shutdown_reason(), SHUTDOWN_crash, "as crashed");
    CHECK_EQ(domain_destroy(t.domid), 0, "and goes");

    CHECK_EQ(tiny_create(&t, narrow, SPINS), 0, "a domain that runs for ever");
    tiny_start(&t);
    ran = domain_wait_run(t.domid, 0);
    CHECK(ran > 0, "it has run");
    CHECK_EQ(call(XEN_DOMCTL_pausedomain, (unsigned int)t.domid), 0, "it can be paused");
    domain_info(t.domid);
    ran = domctl.u.getdomaininfo.cpu_time;
    time_spin_ns(30 * MS);
    domain_info(t.domid);
    CHECK_EQ(domctl.u.getdomaininfo.cpu_time, ran, "paused it does not run");
    CHECK(!(domctl.u.getdomaininfo.flags & XEN_DOMINF_running), "and says so");
    tiny_start(&t);
    CHECK(domain_wait_run(t.domid, ran) > ran, "unpaused it does");
    CHECK_EQ(domain_destroy(t.domid), 0, "it can be destroyed while it runs");
    CHECK(free_again(before), "no page is lost");
}

/* A foreign mapping keeps the page, and with it the dead domain's number, until it goes. */
void test_held(void)
{
    uint64_t before = free_at_rest();
    struct tiny t;
    uint8_t *held;

    check_group("a page that someone holds");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, SPINS), 0, "a domain");
    held = map_frames(&t.mfn[CODE], 1, (domid_t)t.domid, PTE_KERNEL_RO, NULL);
    CHECK(held != NULL, "its code is mapped here");
    CHECK_EQ(domain_destroy(t.domid), 0, "it is destroyed");
    CHECK(domain_exists(t.domid) && (domctl.u.getdomaininfo.flags & XEN_DOMINF_dying),
          "it is dying as long as the page is held");
    CHECK_EQ(held[0], 0xeb, "the page is still what it was");
    unmap_frames(held, 1);
    CHECK(!domain_exists(t.domid), "then it is gone");
    CHECK(free_again(before), "and all of it is free");
}

/* What was set aside for a domain that is no more would be missing for ever: few moves that fail, and no guest starts. */
void test_claims_of_the_dead(void)
{
    struct xen_memory_reservation claim = {0};
    struct tiny t;

    check_group("memory set aside");
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(tiny_create(&t, sizeof(long) == 4, SPINS), 0, "a domain");
        system_call(XEN_SYSCTL_physinfo);
        claim.nr_extents = sysctl.u.physinfo.free_pages / 4 * 3;
        claim.domid = (domid_t)t.domid;
        domain_set_memory(t.domid, claim.nr_extents);
        CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), 0, "most of the memory waits for it");
        domain_destroy(t.domid);
    }
}

void test_many(void)
{
    static struct tiny all[MANY];
    uint64_t before = free_at_rest();
    struct xen_domctl_getdomaininfo *list = pages_alloc(8);
    unsigned int made = 0;

    check_group("many");
    for (; made < MANY; made++) {
        if (tiny_create(&all[made], sizeof(long) == 4 || made % 2, codes[made % 5]))
            break;
        tiny_start(&all[made]);
    }
    CHECK_EQ(made, MANY, "all of them start");
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.u.getdomaininfolist.first_domain = (domid_t)all[3].domid;
    sysctl.u.getdomaininfolist.max_domains = 10;
    set_xen_guest_handle(sysctl.u.getdomaininfolist.buffer, list);
    CHECK_EQ(system_call(XEN_SYSCTL_getdomaininfolist), 0, "a part of the list");
    CHECK_EQ(sysctl.u.getdomaininfolist.num_domains, 10, "as long as asked for");
    CHECK_EQ(list[0].domain, all[3].domid, "from the first wanted");
    CHECK_EQ(list[9].domain, all[12].domid, "in order");
    time_spin_ns(50 * MS);
    for (unsigned int i = 0; i < made; i++)
        CHECK_EQ(domain_destroy(all[(i * 7) % MANY].domid), 0, "each goes, whatever it is doing");
    CHECK(free_again(before), "no page is lost");
    pages_free(list, 8);
}

void test_generations(void)
{
    uint64_t before = free_at_rest(), start_ns = time_monotonic_ns();
    unsigned int lives = 0;
    struct tiny t;

    check_group("generations");
    for (unsigned int i = 0; i < LIVES; i++) {
        if (tiny_create(&t, sizeof(long) == 4 || i % 2, codes[i % 5]) || (i % 3 && tiny_start(&t)))
            break;
        if (i % 4 == 0)
            time_spin_ns(i * 5000);
        if (domain_destroy(t.domid))
            break;
        lives++;
    }
    CHECK_EQ(lives, LIVES, "domains live and die one after the other");
    CHECK(free_again(before), "no page is lost");
    printf("  %u lives in %lu ms\n", lives, (unsigned long)((time_monotonic_ns() - start_ns) / MS));
}

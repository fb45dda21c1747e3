/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Other CPUs at work on the same grants and channels: a granter that rewrites its entries, users that map and copy at
 * once, both ends of a channel closing. Whatever order it happens in, at the end every count is zero.
 */
#include <pthread.h>
#include <unistd.h>
#include "evtgnt_fake.h"
#include "domain/grant_internal.h"
#include "tests/unit/run_suite.h"

#define ROUNDS 30000

static struct domain *granter;
static mfn_t page[4];
static volatile int stop;
static unsigned successes;

static void setup(void)
{
    unsigned long mfn;
    fake_setup(4);
    granter = fake_domains[1];
    ck_assert_int_eq(grant_frame_mfn(granter, 0, false, &mfn), 0);
    for (int i = 0; i < 4; i++)
        page[i] = fake_guest_frame(granter);
    stop = 0;
    successes = 0;
}

static volatile int begun; /* not bool: the sanitizer keeps a volatile bool in a register */

/* Rests now and then, at an entry that may be a good one: else no use would ever succeed. */
static void rest(u32 seed)
{
    if (seed >> 27 == 0)
        usleep(10);
}

static void *rewrite_v1(void *unused)
{
    u32 seed = 7;
    begun = 1;
    while (!stop) {
        struct grant_entry_v1 *e = entry_v1(&granter->grant, 9);
        seed = seed * 1664525 + 1013904223;
        /* An honest granter keeps the bits that are not its own; this one does so half of the time. */
        u16 kept = seed >> 31 ? e->flags & (GTF_reading | GTF_writing) : 0;
        __atomic_store_n(&e->flags, kept | (seed >> 16 & 7), __ATOMIC_RELAXED);
        __atomic_store_n(&e->domid, (domid_t)(seed >> 20 & 3), __ATOMIC_RELAXED);
        __atomic_store_n(&e->frame, (u32)page[seed >> 24 & 3].value, __ATOMIC_RELAXED);
        rest(seed);
    }
    return NULL;
}

static void *rewrite_v2(void *unused)
{
    u32 seed = 7;
    begun = 1;
    while (!stop) {
        union grant_entry_v2 *e = entry_v2(&granter->grant, 9);
        seed = seed * 1664525 + 1013904223;
        __atomic_store_n(&e->hdr.flags, (u16)((seed >> 16 & 7) | (seed >> 10 & GTF_sub_page)), __ATOMIC_RELAXED);
        __atomic_store_n(&e->hdr.domid, (domid_t)(seed >> 20 & 3), __ATOMIC_RELAXED);
        __atomic_store_n(&e->full_page.frame, page[seed >> 24 & 3].value, __ATOMIC_RELAXED);
        __atomic_store_n(entry_status(&granter->grant, 9), (u16)(seed >> 8), __ATOMIC_RELAXED);
        rest(seed);
    }
    return NULL;
}

/* What a mapping and a copy do with an entry. */
static void *use_and_unuse(void *domid)
{
    unsigned user = (unsigned)(unsigned long)domid;
    for (unsigned i = 0; i < ROUNDS || (!successes && i < 10 * ROUNDS); i++) {
        struct grant_use use;
        bool readonly = i % 3, for_map = i % 2;
        if (grant_use(granter, 9, user, readonly, for_map, 1 + i % 2, &use))
            continue;
        __atomic_add_fetch(&successes, 1, __ATOMIC_RELAXED);
        ck_assert(use.transitive || use.mfn.value < FAKE_FRAMES);
        grant_unuse(granter, 9, readonly, 1 + i % 2);
    }
    return NULL;
}

static void run(void *(*hostile)(void *))
{
    pthread_t threads[3];
    begun = 0;
    pthread_create(&threads[0], NULL, hostile, NULL);
    while (!begun)
        ;
    pthread_create(&threads[1], NULL, use_and_unuse, (void *)0);
    pthread_create(&threads[2], NULL, use_and_unuse, (void *)2);
    pthread_join(threads[1], NULL);
    pthread_join(threads[2], NULL);
    stop = 1;
    pthread_join(threads[0], NULL);
    ck_assert_uint_eq(grant_active_of(&granter->grant, 9)->reads, 0);
    ck_assert_uint_eq(grant_active_of(&granter->grant, 9)->writes, 0);
    ck_assert_uint_gt(successes, 0);
}

START_TEST(a_granter_that_rewrites_version_1)
{
    run(rewrite_v1);
}
END_TEST

START_TEST(a_granter_that_rewrites_version_2)
{
    fake_run(1, 0);
    ck_assert_int_eq(grant_set_version(granter, 2), 0);
    fake_run(0, 0);
    run(rewrite_v2);
}
END_TEST

/* One user only ever reads: while it does, the granter must see that, whoever else comes and goes. */
static void *read_and_look(void *unused)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct grant_use use;
        if (grant_use(granter, 9, 0, true, true, 1, &use))
            continue;
        ck_assert(entry_v1(&granter->grant, 9)->flags & GTF_reading);
        grant_unuse(granter, 9, true, 1);
    }
    return NULL;
}

static void *write_and_look(void *unused)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct grant_use use;
        if (grant_use(granter, 9, 0, false, true, 1, &use))
            continue;
        ck_assert(entry_v1(&granter->grant, 9)->flags & GTF_writing);
        grant_unuse(granter, 9, false, 1);
    }
    return NULL;
}

START_TEST(the_bits_are_there_as_long_as_the_use)
{
    pthread_t threads[2];
    *entry_v1(&granter->grant, 9) = (struct grant_entry_v1){GTF_permit_access, 0, (u32)page[0].value};
    pthread_create(&threads[0], NULL, read_and_look, NULL);
    pthread_create(&threads[1], NULL, write_and_look, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    ck_assert_uint_eq(entry_v1(&granter->grant, 9)->flags, GTF_permit_access);
}
END_TEST

static void *map_and_unmap(void *vcpu)
{
    struct gnttab_unmap_grant_ref unmap;
    struct gnttab_map_grant_ref map;
    fake_cpu.vcpu = vcpu;
    for (unsigned i = 0; i < ROUNDS / 10; i++) {
        map = (struct gnttab_map_grant_ref){.host_addr = (unsigned long)vcpu,
                                            .dom = 1,
                                            .ref = 9,
                                            .flags = GNTMAP_device_map | (i % 2 ? GNTMAP_readonly : 0)};
        ck_assert_int_eq(do_grant_table_op(GNTTABOP_map_grant_ref, (unsigned long)&map, 1), 0);
        ck_assert_int_eq(map.status, GNTST_okay);
        unmap = (struct gnttab_unmap_grant_ref){.dev_bus_addr = map.dev_bus_addr, .handle = map.handle};
        do /* busy, if another tries a wrong unmapping of it just now */
            ck_assert_int_eq(do_grant_table_op(GNTTABOP_unmap_grant_ref, (unsigned long)&unmap, 1), 0);
        while (unmap.status == GNTST_bad_handle);
        ck_assert_int_eq(unmap.status, GNTST_okay);
        /* Somebody else's handle, perhaps: at most one of us gives it back. */
        unmap.handle ^= 1;
        unmap.dev_bus_addr = 1;
        ck_assert_int_eq(do_grant_table_op(GNTTABOP_unmap_grant_ref, (unsigned long)&unmap, 1), 0);
        ck_assert_int_ne(unmap.status, GNTST_okay);
    }
    return NULL;
}

START_TEST(vcpus_of_one_domain_share_its_handles)
{
    pthread_t threads[3];
    *entry_v1(&granter->grant, 9) = (struct grant_entry_v1){GTF_permit_access, 0, (u32)page[0].value};
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, map_and_unmap, fake_domains[0]->vcpus[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(fake_domains[0]->grant.maps_of_others, 0);
    ck_assert_int_eq(fake_frames[page[0].value].refs, 1);
    ck_assert_uint_eq(entry_v1(&granter->grant, 9)->flags, GTF_permit_access);
}
END_TEST

static void *churn_channels(void *vcpu)
{
    struct domain *d = ((struct vcpu *)vcpu)->domain;
    unsigned other = 5 - d->id; /* domains 2 and 3 */
    fake_cpu.vcpu = vcpu;
    u32 seed = d->id;
    for (unsigned i = 0; i < ROUNDS; i++) {
        seed = seed * 1664525 + 1013904223;
        struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = (domid_t)other};
        struct evtchn_bind_interdomain bind = {.remote_dom = (domid_t)other, .remote_port = seed >> 28};
        struct evtchn_close close = {.port = seed >> 27 & 15};
        if (seed & 1 << 20)
            do_event_channel_op(EVTCHNOP_alloc_unbound, (unsigned long)&alloc);
        do_event_channel_op(EVTCHNOP_bind_interdomain, (unsigned long)&bind);
        evtchn_send(d, seed >> 26 & 15);
        do_event_channel_op(EVTCHNOP_close, (unsigned long)&close);
        close.port = seed >> 24 & 15;
        do_event_channel_op(EVTCHNOP_close, (unsigned long)&close);
    }
    return NULL;
}

START_TEST(both_ends_bind_send_and_close_at_once)
{
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, churn_channels, fake_domains[2]->vcpus[0]);
    pthread_create(&threads[1], NULL, churn_channels, fake_domains[3]->vcpus[0]);
    pthread_create(&threads[2], NULL, churn_channels, fake_domains[3]->vcpus[1]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (unsigned id = 2; id < 4; id++)
        for (unsigned port = 1; port < fake_domains[id]->evtchn.valid_ports; port++) {
            struct evtchn_status here = {.dom = (domid_t)id, .port = port}, there;
            ck_assert_int_eq(evtchn_op(status, &here), 0);
            if (here.status != EVTCHNSTAT_interdomain)
                continue;
            there = (struct evtchn_status){.dom = here.u.interdomain.dom, .port = here.u.interdomain.port};
            ck_assert_int_eq(evtchn_op(status, &there), 0);
            ck_assert_uint_eq(there.status, EVTCHNSTAT_interdomain);
            ck_assert_uint_eq(there.u.interdomain.port, port);
        }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("grant_races");
    TCase *t = tcase_create("races");
    tcase_add_checked_fixture(t, setup, fake_teardown);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, a_granter_that_rewrites_version_1);
    tcase_add_test(t, a_granter_that_rewrites_version_2);
    tcase_add_test(t, the_bits_are_there_as_long_as_the_use);
    tcase_add_test(t, vcpus_of_one_domain_share_its_handles);
    tcase_add_test(t, both_ends_bind_send_and_close_at_once);
    suite_add_tcase(s, t);
    return run_suite(s);
}

/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Event channels, 2-level form: operations, their errors, delivery, limits.
 */
#include <stdlib.h>
#include "evtgnt_fake.h"
#include "tests/unit/run_suite.h"

static void setup(void)
{
    fake_setup(3);
}

static u32 alloc_unbound(unsigned dom, unsigned remote)
{
    struct evtchn_alloc_unbound op = {.dom = (domid_t)dom, .remote_dom = (domid_t)remote};
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), 0);
    return op.port;
}

static u32 bind_interdomain(unsigned remote, u32 port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = (domid_t)remote, .remote_port = port};
    ck_assert_int_eq(evtchn_op(bind_interdomain, &op), 0);
    return op.local_port;
}

static u32 bind_ipi(unsigned vcpu)
{
    struct evtchn_bind_ipi op = {.vcpu = vcpu};
    ck_assert_int_eq(evtchn_op(bind_ipi, &op), 0);
    return op.port;
}

static long send(u32 port)
{
    struct evtchn_send op = {.port = port};
    return evtchn_op(send, &op);
}

static long close_port(u32 port)
{
    struct evtchn_close op = {.port = port};
    return evtchn_op(close, &op);
}

static struct evtchn_status status(unsigned dom, u32 port)
{
    struct evtchn_status op = {.dom = (domid_t)dom, .port = port};
    ck_assert_int_eq(evtchn_op(status, &op), 0);
    return op;
}

static bool pending(unsigned dom, u32 port)
{
    return evtchn_port_pending(fake_domains[dom], port);
}

START_TEST(ports_count_from_one_and_the_lowest_free_is_next)
{
    ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), 1);
    ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), 2);
    ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), 3);
    ck_assert_int_eq(close_port(1), 0);
    ck_assert_int_eq(close_port(3), 0);
    ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), 1);
    ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), 3);
    ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), 4);
}
END_TEST

START_TEST(only_the_privileged_allocate_for_others)
{
    struct evtchn_alloc_unbound op = {.dom = 1, .remote_dom = 0};
    fake_run(1, 0);
    ck_assert_uint_eq(alloc_unbound(1, 0), 1); /* its own number is itself */
    fake_run(2, 0);
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), -EPERM);
    op.dom = 3;
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), -ESRCH);
    fake_run(0, 0);
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), -ESRCH);
    ck_assert_uint_eq(alloc_unbound(1, 0), 2);
}
END_TEST

/* A kernel learns its own number this way, so DOMID_SELF must come back resolved. */
START_TEST(unbound_to_self_shows_the_real_domid)
{
    fake_run(2, 0);
    struct evtchn_status s = status(DOMID_SELF, alloc_unbound(DOMID_SELF, DOMID_SELF));
    ck_assert_uint_eq(s.status, EVTCHNSTAT_unbound);
    ck_assert_uint_eq(s.u.unbound.dom, 2);
}
END_TEST

START_TEST(interdomain_carries_events_both_ways)
{
    u32 theirs = alloc_unbound(1, 0), ours = bind_interdomain(1, theirs);

    ck_assert(pending(0, ours)); /* makes up for what was sent before the binding */
    ck_assert(!pending(1, theirs));
    ck_assert_int_eq(send(ours), 0);
    ck_assert(pending(1, theirs));
    ck_assert_uint_eq(fake_kicks[1][0], 1);
    ck_assert_uint_eq(fake_domains[1]->shared_info->vcpu_info[0].evtchn_upcall_pending, 1);
    ck_assert_uint_eq(fake_domains[1]->shared_info->vcpu_info[0].evtchn_pending_sel, 1);
    struct evtchn_status s = status(1, theirs);
    ck_assert_uint_eq(s.status, EVTCHNSTAT_interdomain);
    ck_assert_uint_eq(s.u.interdomain.dom, 0);
    ck_assert_uint_eq(s.u.interdomain.port, ours);

    /* Pending already: nobody is kicked again. */
    ck_assert_int_eq(send(ours), 0);
    ck_assert_uint_eq(fake_kicks[1][0], 1);
}
END_TEST

START_TEST(binding_is_refused_to_all_but_the_named_domain)
{
    u32 port = alloc_unbound(1, 0);
    struct evtchn_bind_interdomain op = {.remote_dom = 1, .remote_port = port};
    fake_run(2, 0);
    ck_assert_int_eq(evtchn_op(bind_interdomain, &op), -EINVAL);
    fake_run(0, 0);
    op.remote_port = 100000;
    ck_assert_int_eq(evtchn_op(bind_interdomain, &op), -EINVAL);
    op.remote_port = port + 1;
    ck_assert_int_eq(evtchn_op(bind_interdomain, &op), -EINVAL);
    op.remote_dom = 3;
    ck_assert_int_eq(evtchn_op(bind_interdomain, &op), -ESRCH);
    bind_interdomain(1, port);
    op = (struct evtchn_bind_interdomain){.remote_dom = 1, .remote_port = port};
    ck_assert_int_eq(evtchn_op(bind_interdomain, &op), -EINVAL); /* taken */
    ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), 2);          /* refusals took no port */
}
END_TEST

START_TEST(closing_one_end_leaves_the_other_unbound_and_bindable)
{
    u32 theirs = alloc_unbound(1, 0), ours = bind_interdomain(1, theirs);

    ck_assert_int_eq(close_port(ours), 0);
    ck_assert_int_eq(close_port(ours), -EINVAL);
    struct evtchn_status s = status(1, theirs);
    ck_assert_uint_eq(s.status, EVTCHNSTAT_unbound);
    ck_assert_uint_eq(s.u.unbound.dom, 0);
    ck_assert_uint_eq(status(DOMID_SELF, ours).status, EVTCHNSTAT_closed);
    fake_run(1, 0);
    ck_assert_int_eq(send(theirs), 0); /* into the void */
    fake_run(0, 0);
    ck_assert_uint_eq(bind_interdomain(1, theirs), ours);
}
END_TEST

/* A port of a closed channel that stays pending would be delivered to the next user of its number. */
START_TEST(closing_clears_pending)
{
    u32 port = bind_ipi(0);
    ck_assert_int_eq(send(port), 0);
    ck_assert(test_bit(port, fake_domains[0]->shared_info->evtchn_pending));
    ck_assert_int_eq(close_port(port), 0);
    ck_assert(!test_bit(port, fake_domains[0]->shared_info->evtchn_pending));
    ck_assert(!pending(0, port));
}
END_TEST

START_TEST(loopback_binds_to_itself_and_closes)
{
    u32 a = alloc_unbound(DOMID_SELF, DOMID_SELF), b = bind_interdomain(DOMID_SELF, a);
    ck_assert_int_eq(send(b), 0);
    ck_assert(pending(0, a));
    ck_assert_int_eq(close_port(a), 0);
    ck_assert_uint_eq(status(DOMID_SELF, b).status, EVTCHNSTAT_unbound);
    ck_assert_int_eq(close_port(b), 0);
}
END_TEST

START_TEST(masked_events_wait_for_unmask)
{
    u32 port = bind_ipi(2);
    struct shared_info *s = fake_domains[0]->shared_info;
    struct evtchn_unmask op = {.port = port};

    set_bit(port, s->evtchn_mask);
    ck_assert_int_eq(send(port), 0);
    ck_assert(pending(0, port));
    ck_assert_uint_eq(s->vcpu_info[2].evtchn_upcall_pending, 0);
    ck_assert_int_eq(evtchn_op(unmask, &op), 0);
    ck_assert(!test_bit(port, s->evtchn_mask));
    ck_assert_uint_eq(s->vcpu_info[2].evtchn_upcall_pending, 1);
    ck_assert_uint_eq(s->vcpu_info[2].evtchn_pending_sel, 1);
    ck_assert_uint_eq(fake_kicks[0][2], 1);
    op.port = 5000;
    ck_assert_int_eq(evtchn_op(unmask, &op), -EINVAL);
}
END_TEST

START_TEST(sending_needs_a_sendable_port)
{
    struct evtchn_bind_virq virq = {.virq = VIRQ_TIMER, .vcpu = 0};
    ck_assert_int_eq(evtchn_op(bind_virq, &virq), 0);
    ck_assert_int_eq(send(virq.port), -EINVAL);
    ck_assert_int_eq(send(0), -EINVAL);
    ck_assert_int_eq(send(virq.port + 1), -EINVAL);
    ck_assert_int_eq(send(0xFFFFFFFF), -EINVAL);
    ck_assert_int_eq(close_port(0), -EINVAL);
    ck_assert_int_eq(close_port(0xFFFFFFFF), -EINVAL);
}
END_TEST

START_TEST(virqs_are_bound_once_where_they_belong)
{
    struct evtchn_bind_virq op = {.virq = VIRQ_TIMER, .vcpu = 1};
    ck_assert_int_eq(evtchn_op(bind_virq, &op), 0);
    u32 port = op.port;
    ck_assert_int_eq(evtchn_op(bind_virq, &op), -EEXIST);
    op.vcpu = 2;
    ck_assert_int_eq(evtchn_op(bind_virq, &op), 0);
    op.vcpu = 99;
    ck_assert_int_eq(evtchn_op(bind_virq, &op), -ENOENT);
    op = (struct evtchn_bind_virq){.virq = VIRQ_DOM_EXC, .vcpu = 1};
    ck_assert_int_eq(evtchn_op(bind_virq, &op), -EINVAL); /* a global one */
    op.vcpu = 0;
    ck_assert_int_eq(evtchn_op(bind_virq, &op), 0);
    u32 global = op.port;
    op.virq = 24;
    ck_assert_int_eq(evtchn_op(bind_virq, &op), -EINVAL);

    send_guest_vcpu_virq(fake_domains[0]->vcpus[1], VIRQ_TIMER);
    ck_assert(pending(0, port));
    ck_assert_uint_eq(fake_kicks[0][1], 1);
    send_guest_vcpu_virq(fake_domains[0]->vcpus[3], VIRQ_TIMER); /* not bound: nothing */
    ck_assert_uint_eq(fake_kicks[0][3], 0);

    struct evtchn_bind_vcpu move = {.port = port, .vcpu = 3};
    ck_assert_int_eq(evtchn_op(bind_vcpu, &move), -EINVAL); /* the timer of vCPU 1 is vCPU 1's */
    move.port = global;
    ck_assert_int_eq(evtchn_op(bind_vcpu, &move), 0);
    send_global_virq(VIRQ_DOM_EXC);
    ck_assert_uint_eq(fake_kicks[0][3], 1);

    ck_assert_int_eq(close_port(port), 0);
    op = (struct evtchn_bind_virq){.virq = VIRQ_TIMER, .vcpu = 1};
    ck_assert_int_eq(evtchn_op(bind_virq, &op), 0);
}
END_TEST

START_TEST(bind_vcpu_rules)
{
    u32 ipi = bind_ipi(1), unbound = alloc_unbound(DOMID_SELF, 1);
    struct evtchn_bind_vcpu op = {.port = ipi, .vcpu = 0};
    ck_assert_int_eq(evtchn_op(bind_vcpu, &op), -EINVAL);
    op.port = unbound;
    op.vcpu = FAKE_VCPUS;
    ck_assert_int_eq(evtchn_op(bind_vcpu, &op), -ENOENT);
    op.vcpu = 3;
    ck_assert_int_eq(evtchn_op(bind_vcpu, &op), 0);
    ck_assert_uint_eq(status(DOMID_SELF, unbound).vcpu, 3);
    op.port = 77;
    ck_assert_int_eq(evtchn_op(bind_vcpu, &op), -EINVAL);
    op.port = 70000;
    ck_assert_int_eq(evtchn_op(bind_vcpu, &op), -EINVAL);
    struct evtchn_bind_ipi bad = {.vcpu = 4};
    ck_assert_int_eq(evtchn_op(bind_ipi, &bad), -ENOENT);
}
END_TEST

START_TEST(pirqs_are_for_the_trusted_and_once)
{
    struct evtchn_bind_pirq op = {.pirq = 9};
    ck_assert_int_eq(evtchn_op(bind_pirq, &op), 0);
    u32 port = op.port;
    ck_assert_int_eq(evtchn_op(bind_pirq, &op), -EEXIST);
    ck_assert(send_guest_pirq(fake_domains[0], 9));
    ck_assert(pending(0, port));
    ck_assert(!send_guest_pirq(fake_domains[0], 10));
    ck_assert(!send_guest_pirq(fake_domains[0], 0xFFFFFFFF));
    ck_assert_uint_eq(status(DOMID_SELF, port).u.pirq, 9);
    ck_assert_int_eq(close_port(port), 0);
    ck_assert(!send_guest_pirq(fake_domains[0], 9));
    fake_pirq_error = -EBUSY;
    ck_assert_int_eq(evtchn_op(bind_pirq, &op), -EBUSY);
    op.pirq = 100000;
    ck_assert_int_eq(evtchn_op(bind_pirq, &op), -EINVAL);
    fake_run(1, 0);
    op.pirq = 9;
    ck_assert_int_eq(evtchn_op(bind_pirq, &op), -EPERM);
}
END_TEST

START_TEST(status_tells_only_the_owner_and_the_privileged)
{
    struct evtchn_status op = {.dom = 1, .port = 1};
    u32 port = alloc_unbound(1, 0);
    ck_assert_int_eq(evtchn_op(status, &op), 0);
    fake_run(2, 0);
    ck_assert_int_eq(evtchn_op(status, &op), -EPERM);
    op.dom = 3;
    ck_assert_int_eq(evtchn_op(status, &op), -ESRCH);
    op = (struct evtchn_status){.dom = DOMID_SELF, .port = 40000};
    ck_assert_int_eq(evtchn_op(status, &op), -EINVAL);
    ck_assert_uint_eq(port, 1);
}
END_TEST

START_TEST(the_toolstack_limits_ports)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 1};
    for (unsigned i = 1; i <= 1023; i++)
        ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), i);
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), -ENOSPC);
    ck_assert_int_eq(close_port(512), 0);
    ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), 512);
    ck_assert_int_eq(send(1023), 0);
}
END_TEST

/* The bitmaps end at port 1023 for a 32-bit guest, whatever the toolstack allows. */
START_TEST(the_bitmaps_limit_ports)
{
    struct domain *d = fake_domains[1];
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 1};
    evtchn_free(d);
    ck_assert_int_eq(evtchn_init(d, 0xFFFFFFFF), 0);
    fake_run(1, 0);
    for (unsigned i = 1; i < 4096; i++)
        ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), i);
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), -ENOSPC);

    d = fake_domains[2];
    fake_make_32bit(d);
    evtchn_free(d);
    ck_assert_int_eq(evtchn_init(d, 5000), 0);
    fake_run(2, 0);
    for (unsigned i = 1; i < 1024; i++)
        ck_assert_uint_eq(alloc_unbound(DOMID_SELF, 1), i);
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), -ENOSPC);
}
END_TEST

START_TEST(a_32bit_guest_has_its_own_words)
{
    struct domain *d = fake_domains[1];
    fake_make_32bit(d);
    fake_run(1, 0);
    u32 port = 0;
    while (port < 70)
        port = bind_ipi(3);
    ck_assert_int_eq(send(port), 0);
    ck_assert_uint_eq(d->compat_shared_info->evtchn_pending[2], 1U << 6);
    ck_assert_uint_eq(d->compat_shared_info->vcpu_info[3].evtchn_pending_sel, 1U << 2);
    ck_assert_uint_eq(d->compat_shared_info->vcpu_info[3].evtchn_upcall_pending, 1);
}
END_TEST

START_TEST(pollers_wake_for_their_port_only)
{
    struct domain *d = fake_domains[0];
    u32 a = bind_ipi(0), b = bind_ipi(0);

    set_bit(a, d->shared_info->evtchn_mask);
    set_bit(b, d->shared_info->evtchn_mask);
    d->vcpus[1]->sched.poll_port = a;
    d->vcpus[2]->sched.poll_port = 0; /* several */
    d->evtchn.poll_mask = 6;
    ck_assert_int_eq(send(b), 0);
    ck_assert_uint_eq(fake_wakes[0][1], 0);
    ck_assert_uint_eq(fake_wakes[0][2], 1);
    ck_assert_uint_eq(d->evtchn.poll_mask, 2);
    ck_assert_int_eq(send(a), 0);
    ck_assert_uint_eq(fake_wakes[0][1], 1);
    ck_assert_uint_eq(d->evtchn.poll_mask, 0);
}
END_TEST

START_TEST(a_dying_domain_leaves_unbound_ends_and_opens_nothing)
{
    u32 theirs = alloc_unbound(1, 0), ours = bind_interdomain(1, theirs);
    struct domain *d = domain_get(1);
    struct evtchn_alloc_unbound op = {.dom = 1, .remote_dom = 0};
    fake_kill(d);
    ck_assert_uint_eq(status(DOMID_SELF, ours).status, EVTCHNSTAT_unbound);
    ck_assert_int_eq(send(ours), 0);
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), -EINVAL);
    domain_put(d);
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), -ESRCH);
}
END_TEST

START_TEST(destruction_can_be_interrupted)
{
    for (unsigned i = 0; i < 500; i++)
        alloc_unbound(1, 0);
    fake_domains[1]->dying = DOMAIN_DYING;
    fake_cpu.softirq_pending = 1;
    unsigned rounds = 0;
    while (evtchn_destroy(fake_domains[1]) == -ERESTART)
        rounds++;
    fake_cpu.softirq_pending = 0;
    ck_assert_uint_ge(rounds, 10);
    ck_assert_uint_eq(fake_domains[1]->evtchn.active, 1);
}
END_TEST

START_TEST(reset_is_for_oneself_or_a_paused_domain)
{
    struct evtchn_reset op = {.dom = 1};
    alloc_unbound(1, 0);
    ck_assert_int_eq(evtchn_op(reset, &op), -EINVAL);
    fake_domains[1]->controller_pauses = 1;
    ck_assert_int_eq(evtchn_op(reset, &op), 0);
    ck_assert_uint_eq(status(1, 1).status, EVTCHNSTAT_closed);
    fake_run(1, 0);
    bind_ipi(0);
    op.dom = DOMID_SELF;
    ck_assert_int_eq(evtchn_op(reset, &op), 0);
    ck_assert_uint_eq(bind_ipi(0), 1);
    op.dom = 2;
    ck_assert_int_eq(evtchn_op(reset, &op), -EPERM);
}
END_TEST

START_TEST(bad_pointers_and_numbers)
{
    ck_assert_int_eq(do_event_channel_op(EVTCHNOP_send, HV_VIRT_START), -EFAULT);
    ck_assert_int_eq(do_event_channel_op(EVTCHNOP_status, ~0UL), -EFAULT);
    ck_assert_int_eq(do_event_channel_op(14, (unsigned long)fake_guest_memory()), -ENOSYS);
    ck_assert_int_eq(do_event_channel_op(0xFFFFFFFF, (unsigned long)fake_guest_memory()), -ENOSYS);
}
END_TEST

START_TEST(the_old_form_of_the_call)
{
    struct evtchn_op *op = fake_guest_memory();
    op->cmd = EVTCHNOP_bind_ipi;
    op->u.bind_ipi.vcpu = 1;
    ck_assert_int_eq(do_event_channel_op_compat((unsigned long)op), 0);
    ck_assert_uint_eq(op->u.bind_ipi.port, 1);
    op->cmd = EVTCHNOP_send;
    op->u.send.port = 1;
    ck_assert_int_eq(do_event_channel_op_compat((unsigned long)op), 0);
    ck_assert(pending(0, 1));
    op->cmd = EVTCHNOP_reset;
    ck_assert_int_eq(do_event_channel_op_compat((unsigned long)op), -ENOSYS);
    ck_assert_int_eq(do_event_channel_op_compat(HV_VIRT_START), -EFAULT);
}
END_TEST

START_TEST(no_memory_is_an_error_and_nothing_else)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 1};
    while (alloc_unbound(DOMID_SELF, 1) % 128 != 127)
        ;
    fake_allocations_left = 0;
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), -ENOMEM);
    fake_allocations_left = -1;
    ck_assert_int_eq(evtchn_op(alloc_unbound, &op), 0);
    ck_assert_uint_eq(op.port % 128, 0);
    for (int i = 0; i < 3; i++) {
        struct domain d = {.shared_info = fake_domains[0]->shared_info};
        fake_allocations_left = i;
        ck_assert_int_eq(evtchn_init(&d, 1023), -ENOMEM);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("evtchn");
    TCase *t = tcase_create("2-level");
    tcase_add_checked_fixture(t, setup, fake_teardown);
    tcase_add_test(t, ports_count_from_one_and_the_lowest_free_is_next);
    tcase_add_test(t, only_the_privileged_allocate_for_others);
    tcase_add_test(t, unbound_to_self_shows_the_real_domid);
    tcase_add_test(t, interdomain_carries_events_both_ways);
    tcase_add_test(t, binding_is_refused_to_all_but_the_named_domain);
    tcase_add_test(t, closing_one_end_leaves_the_other_unbound_and_bindable);
    tcase_add_test(t, closing_clears_pending);
    tcase_add_test(t, loopback_binds_to_itself_and_closes);
    tcase_add_test(t, masked_events_wait_for_unmask);
    tcase_add_test(t, sending_needs_a_sendable_port);
    tcase_add_test(t, virqs_are_bound_once_where_they_belong);
    tcase_add_test(t, bind_vcpu_rules);
    tcase_add_test(t, pirqs_are_for_the_trusted_and_once);
    tcase_add_test(t, status_tells_only_the_owner_and_the_privileged);
    tcase_add_test(t, the_toolstack_limits_ports);
    tcase_add_test(t, the_bitmaps_limit_ports);
    tcase_add_test(t, a_32bit_guest_has_its_own_words);
    tcase_add_test(t, pollers_wake_for_their_port_only);
    tcase_add_test(t, a_dying_domain_leaves_unbound_ends_and_opens_nothing);
    tcase_add_test(t, destruction_can_be_interrupted);
    tcase_add_test(t, reset_is_for_oneself_or_a_paused_domain);
    tcase_add_test(t, bad_pointers_and_numbers);
    tcase_add_test(t, the_old_form_of_the_call);
    tcase_add_test(t, no_memory_is_an_error_and_nothing_else);
    suite_add_tcase(s, t);
    return run_suite(s);
}

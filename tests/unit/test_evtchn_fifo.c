/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Event channels, FIFO form. The test plays the guest: it owns the event words and consumes the queues, honestly or not.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include "evtgnt_fake.h"
#include "domain/evtchn_internal.h"
#include "tests/unit/run_suite.h"

#define PENDING (1U << EVTCHN_FIFO_PENDING)
#define MASKED  (1U << EVTCHN_FIFO_MASKED)
#define LINKED  (1U << EVTCHN_FIFO_LINKED)
#define BUSY    (1U << EVTCHN_FIFO_BUSY)
#define DEFAULT EVTCHN_FIFO_PRIORITY_DEFAULT

static mfn_t control_frame[FAKE_VCPUS], array_frame;
static u32 *words;

static struct evtchn_fifo_control_block *control(unsigned vcpu)
{
    return (void *)((char *)mfn_to_virt(control_frame[vcpu]) + 64 * vcpu * 2);
}

static long init_control(unsigned vcpu, mfn_t frame, unsigned offset)
{
    struct evtchn_init_control op = {.control_gfn = frame.value, .offset = offset, .vcpu = vcpu};
    long result = evtchn_op(init_control, &op);
    if (!result)
        ck_assert_uint_eq(op.link_bits, EVTCHN_FIFO_LINK_BITS);
    return result;
}

static long expand(mfn_t frame)
{
    struct evtchn_expand_array op = {.array_gfn = frame.value};
    return evtchn_op(expand_array, &op);
}

static void go_fifo(void)
{
    for (unsigned i = 0; i < FAKE_VCPUS; i++) {
        control_frame[i] = fake_guest_frame(fake_domains[0]);
        ck_assert_int_eq(init_control(i, control_frame[i], 128 * i), 0);
    }
    array_frame = fake_guest_frame(fake_domains[0]);
    words = mfn_to_virt(array_frame);
}

static void setup(void)
{
    fake_setup(2);
    go_fifo();
    ck_assert_int_eq(expand(array_frame), 0);
}

static void setup_2l(void)
{
    fake_setup(2);
}

/* References of the guest's pages go before the frames are counted. */
static void reset(void)
{
    struct evtchn_reset op = {.dom = DOMID_SELF};
    long result;
    do
        result = evtchn_op(reset, &op);
    while (result == __HYPERVISOR_event_channel_op); /* as the guest repeats it, after its pending event */
    ck_assert_int_eq(result, 0);
}

static void teardown(void)
{
    fake_run(0, 0);
    reset();
    ck_assert_ptr_null(fake_domains[0]->evtchn.fifo);
    fake_teardown();
}

static u32 bind_ipi(unsigned vcpu)
{
    struct evtchn_bind_ipi op = {.vcpu = vcpu};
    ck_assert_int_eq(evtchn_op(bind_ipi, &op), 0);
    return op.port;
}

static void send(u32 port)
{
    struct evtchn_send op = {.port = port};
    ck_assert_int_eq(evtchn_op(send, &op), 0);
}

static void set_priority(u32 port, unsigned priority)
{
    struct evtchn_set_priority op = {.port = port, .priority = priority};
    ck_assert_int_eq(evtchn_op(set_priority, &op), 0);
}

/* The guest's consumer: head of a queue, 0 when empty; unlinked and no longer pending. */
static u32 consume(unsigned vcpu, unsigned queue)
{
    struct evtchn_fifo_control_block *c = control(vcpu);
    u32 port = c->head[queue], word;

    if (!(c->ready & (1U << queue)))
        return 0;
    word = __atomic_fetch_and(&words[port], ~(LINKED | EVTCHN_FIFO_LINK_MASK), __ATOMIC_SEQ_CST);
    c->head[queue] = word & EVTCHN_FIFO_LINK_MASK;
    if (c->head[queue] == 0)
        __atomic_fetch_and(&c->ready, ~(1U << queue), __ATOMIC_SEQ_CST);
    __atomic_fetch_and(&words[port], ~PENDING, __ATOMIC_SEQ_CST);
    return port;
}

START_TEST(events_are_consumed_in_the_order_they_were_sent)
{
    u32 port[5];
    for (int i = 0; i < 5; i++)
        port[i] = bind_ipi(0);
    for (int i = 4; i >= 0; i--)
        send(port[i]);
    ck_assert_uint_eq(control(0)->ready, 1U << DEFAULT);
    ck_assert_uint_eq(fake_domains[0]->shared_info->vcpu_info[0].evtchn_upcall_pending, 1);
    for (int i = 4; i >= 0; i--)
        ck_assert_uint_eq(consume(0, DEFAULT), port[i]);
    ck_assert_uint_eq(consume(0, DEFAULT), 0);
    send(port[3]); /* after the tail was consumed, the queue starts anew */
    send(port[3]);
    send(port[1]);
    ck_assert_uint_eq(consume(0, DEFAULT), port[3]);
    ck_assert_uint_eq(consume(0, DEFAULT), port[1]);
    ck_assert_uint_eq(consume(0, DEFAULT), 0);
}
END_TEST

START_TEST(each_priority_and_vcpu_has_its_queue)
{
    u32 a = bind_ipi(1), b = bind_ipi(1), c = bind_ipi(2);
    set_priority(a, EVTCHN_FIFO_PRIORITY_MIN);
    set_priority(b, EVTCHN_FIFO_PRIORITY_MAX);
    send(a);
    send(b);
    send(c);
    ck_assert_uint_eq(control(1)->ready, 1U | 1U << 15);
    ck_assert_uint_eq(control(2)->ready, 1U << DEFAULT);
    ck_assert_uint_eq(consume(1, 15), a);
    ck_assert_uint_eq(consume(1, 0), b);
    ck_assert_uint_eq(consume(2, DEFAULT), c);
    struct evtchn_set_priority op = {.port = a, .priority = 16};
    ck_assert_int_eq(evtchn_op(set_priority, &op), -EINVAL);
    op.priority = 1;
    op.port = c + 1;
    ck_assert_int_eq(evtchn_op(set_priority, &op), -EACCES); /* exists, not in use */
    op.port = 100000;
    ck_assert_int_eq(evtchn_op(set_priority, &op), -EINVAL);
}
END_TEST

/* If the old queue still believed this event to be its tail, the next event there would be linked into the new one. */
START_TEST(an_event_that_changes_queue_leaves_no_tail_behind)
{
    u32 mover = bind_ipi(0), stayer = bind_ipi(0);
    send(mover);
    ck_assert_uint_eq(consume(0, DEFAULT), mover);
    set_priority(mover, 3);
    send(mover);
    send(stayer);
    ck_assert_uint_eq(control(0)->ready, 1U << 3 | 1U << DEFAULT);
    ck_assert_uint_eq(consume(0, 3), mover);
    ck_assert_uint_eq(consume(0, 3), 0);
    ck_assert_uint_eq(consume(0, DEFAULT), stayer);
}
END_TEST

START_TEST(masked_events_link_when_unmasked)
{
    u32 port = bind_ipi(0);
    struct evtchn_unmask op = {.port = port};
    words[port] = MASKED;
    send(port);
    ck_assert_uint_eq(words[port], MASKED | PENDING);
    ck_assert_uint_eq(control(0)->ready, 0);
    ck_assert_int_eq(evtchn_op(unmask, &op), 0);
    ck_assert_uint_eq(words[port], PENDING | LINKED);
    ck_assert_uint_eq(consume(0, DEFAULT), port);
    ck_assert_int_eq(evtchn_op(unmask, &op), 0); /* nothing pending: nothing linked */
    ck_assert_uint_eq(words[port], 0);
}
END_TEST

/* A closed port that a queue still links must not become somebody else's. */
START_TEST(a_linked_port_is_not_reused)
{
    u32 a = bind_ipi(0);
    struct evtchn_close op = {.port = a};
    send(a);
    ck_assert_int_eq(evtchn_op(close, &op), 0);
    ck_assert_uint_eq(words[a] & PENDING, 0);
    ck_assert_uint_ne(bind_ipi(0), a);
    words[a] &= ~LINKED;
    ck_assert_uint_eq(bind_ipi(0), a);
}
END_TEST

/* It could make every search for a port long; instead it runs out of ports early. */
START_TEST(a_guest_that_links_everything_runs_out_of_ports)
{
    struct evtchn_bind_ipi op = {.vcpu = 0};
    unsigned got = 0;
    long error;
    for (unsigned i = 0; i < 1024; i++)
        words[i] = LINKED;
    while ((error = evtchn_op(bind_ipi, &op)) == 0)
        ck_assert_uint_lt(got++, 1024);
    ck_assert_int_eq(error, -ENOSPC);
    words[5] = 0;
    ck_assert_uint_eq(bind_ipi(0), 5);
}
END_TEST

START_TEST(hostile_words_do_no_harm)
{
    u32 a = bind_ipi(0), b = bind_ipi(0), c = bind_ipi(0);
    send(a);
    words[a] |= EVTCHN_FIFO_LINK_MASK | BUSY; /* links are never followed */
    send(b);
    ck_assert_uint_eq(words[a] & EVTCHN_FIFO_LINK_MASK, b);
    ck_assert_uint_eq(words[a] & BUSY, 0);
    words[b] &= ~LINKED; /* pretends to have consumed: c starts a queue */
    send(c);
    ck_assert_uint_eq(control(0)->head[DEFAULT], c);
    control(0)->ready = 0xFFFFFFFF;
    memset(control(0)->head, 0xFF, sizeof(control(0)->head));
    send(b);
    memset(words, 0xFF, PAGE_SIZE);
    send(a);
    send(b);
    memset(words, 0, PAGE_SIZE);
    send(a);
    send(b);
    send(c);
}
END_TEST

static volatile int stop; /* not bool: the sanitizer keeps a volatile bool in a register */

static void *scribble(void *unused)
{
    u32 seed = 1;
    while (!stop) {
        seed = seed * 1664525 + 1013904223;
        __atomic_store_n(&words[1 + (seed >> 16) % 4], seed, __ATOMIC_RELAXED);
        __atomic_store_n(&words[1 + (seed >> 20) % 4], LINKED | PENDING, __ATOMIC_RELAXED);
        control(0)->ready = seed;
    }
    return NULL;
}

/* The guest's other CPU rewrites words while we link: every send must end, and soon. */
START_TEST(words_that_change_under_us)
{
    pthread_t thread;
    u32 port[4];
    for (int i = 0; i < 4; i++)
        port[i] = bind_ipi(0);
    stop = 0;
    pthread_create(&thread, NULL, scribble, NULL);
    for (int i = 0; i < 200000; i++)
        evtchn_send(fake_domains[0], port[i % 4]);
    stop = 1;
    pthread_join(thread, NULL);
}
END_TEST

/* The other CPU's changes of the tail word, between our look at it and the link that we write. */
static unsigned changes;

static void mask_it(void *word)
{
    other_cpu = NULL;
    __atomic_fetch_or((u32 *)word, MASKED, __ATOMIC_SEQ_CST);
}

static void consume_it(void *word)
{
    other_cpu = NULL;
    __atomic_fetch_and((u32 *)word, ~(LINKED | PENDING), __ATOMIC_SEQ_CST);
}

static void change_it_every_time(void *word)
{
    changes++;
    __atomic_fetch_xor((u32 *)word, MASKED, __ATOMIC_SEQ_CST);
}

/* A sender that took its link for written though the word had changed would lose the event; and one that left BUSY
 * behind would have the guest wait for it for ever. */
START_TEST(a_tail_masked_while_we_link_is_linked_all_the_same)
{
    u32 tail = bind_ipi(0), next = bind_ipi(0);
    send(tail);
    other_cpu = mask_it;
    send(next);
    ck_assert_ptr_null(other_cpu);
    ck_assert_uint_eq(words[tail], PENDING | MASKED | LINKED | next);
    ck_assert_uint_eq(control(0)->head[DEFAULT], tail);
    ck_assert_uint_eq(words[next], PENDING | LINKED);
}
END_TEST

/* A link behind an event that the guest has just taken off would never be followed: a queue of its own begins. */
START_TEST(a_tail_consumed_while_we_link_is_no_tail)
{
    u32 tail = bind_ipi(0), next = bind_ipi(0);
    send(tail);
    other_cpu = consume_it;
    control(0)->ready = 0;
    send(next);
    ck_assert_uint_eq(words[tail], 0);
    ck_assert_uint_eq(control(0)->head[DEFAULT], next);
    ck_assert_uint_eq(control(0)->ready, 1U << DEFAULT);
}
END_TEST

/* Trying until it works would give a guest's CPU the power to keep another domain's sender in the hypervisor for ever:
 * after a few tries the event is lost, which is the guest's own trouble. */
START_TEST(a_tail_that_never_rests_costs_its_owner_an_event)
{
    u32 tail = bind_ipi(0), next = bind_ipi(0);
    send(tail);
    changes = 0;
    fake_messages = 0;
    other_cpu = change_it_every_time;
    send(next);
    other_cpu = NULL;
    ck_assert_uint_le(changes, 5);
    ck_assert_uint_eq(fake_messages, 1); /* and the administrator can know */
    ck_assert_uint_eq(words[tail] & (BUSY | EVTCHN_FIFO_LINK_MASK), 0);
    ck_assert_uint_eq(consume(0, DEFAULT), tail);
}
END_TEST

START_TEST(events_before_the_array_are_not_lost)
{
    u32 early, later;
    struct evtchn_bind_ipi op = {.vcpu = 0};
    ck_assert_int_eq(evtchn_op(bind_ipi, &op), 0);
    early = op.port;
    send(early); /* in the bitmaps */
    later = bind_ipi(1);
    go_fifo();
    send(later); /* FIFO without words */
    ck_assert(!evtchn_port_pending(fake_domains[0], later));
    ck_assert_int_eq(expand(array_frame), 0);
    ck_assert_uint_eq(consume(0, DEFAULT), early);
    ck_assert_uint_eq(consume(1, DEFAULT), later);
}
END_TEST

START_TEST(control_block_rules)
{
    mfn_t frame = fake_guest_frame(fake_domains[0]), foreign = fake_guest_frame(fake_domains[1]);
    mfn_t table = fake_guest_frame(fake_domains[0]);
    struct evtchn_set_priority priority = {.port = 1, .priority = 1};
    fake_frames[table.value].is_table = true;
    ck_assert_int_eq(evtchn_op(set_priority, &priority), -ENOSYS);
    ck_assert_int_eq(expand(frame), -EOPNOTSUPP);
    ck_assert_int_eq(init_control(FAKE_VCPUS, frame, 0), -ENOENT);
    ck_assert_int_eq(init_control(0, frame, 4), -EINVAL);
    ck_assert_int_eq(init_control(0, frame, PAGE_SIZE - 64), -EINVAL);
    ck_assert_int_eq(init_control(0, frame, 0xFFFFFFF8), -EINVAL);
    ck_assert_int_eq(init_control(0, foreign, 0), -EINVAL);
    ck_assert_int_eq(init_control(0, table, 0), -EINVAL);
    ck_assert_int_eq(init_control(0, mfn_of(1UL << 50), 0), -EINVAL);
    ck_assert_int_eq(init_control(0, frame, PAGE_SIZE - 72), 0);
    ck_assert_int_eq(init_control(0, frame, 0), -EINVAL); /* once only */
    ck_assert_int_eq(fake_frames[frame.value].writable, 1);
    ck_assert_int_eq(expand(table), -EINVAL);
    ck_assert_int_eq(expand(foreign), -EINVAL);
}
END_TEST

START_TEST(the_array_ends)
{
    mfn_t frame = fake_guest_frame(fake_domains[0]);
    for (unsigned i = 1; i < 128; i++)
        ck_assert_int_eq(expand(frame), 0); /* the same page again is the guest's own trouble */
    ck_assert_int_eq(expand(frame), -ENOSPC);
}
END_TEST

START_TEST(ports_past_the_bitmaps)
{
    struct domain *d = fake_domains[0];
    u32 port = 0;
    while (port < 1023)
        port = bind_ipi(0);
    struct evtchn_bind_ipi more = {.vcpu = 0};
    ck_assert_int_eq(evtchn_op(bind_ipi, &more), -ENOSPC);
    send(port);
    ck_assert_uint_eq(consume(0, DEFAULT), port);
    reset();
    ck_assert_int_eq(fake_frames[array_frame.value].writable, 0);
    ck_assert_uint_eq(bind_ipi(0), 1);
    send(1);
    ck_assert(test_bit(1, d->shared_info->evtchn_pending)); /* 2-level again */
}
END_TEST

START_TEST(no_memory_for_queues)
{
    mfn_t frame = fake_guest_frame(fake_domains[0]);
    for (int i = 0; i < 1 + FAKE_VCPUS; i++) {
        fake_allocations_left = i ? 2 : 0; /* what an attempt got for some vCPUs stays for the next */
        ck_assert_int_eq(init_control(0, frame, 0), i < FAKE_VCPUS ? -ENOMEM : 0);
    }
    fake_allocations_left = -1;
    ck_assert_int_eq(fake_frames[frame.value].refs, 2);
}
END_TEST

/* Memory of the bitmaps that lets the domain go to FIFO at the moment somebody first touches it. */
static void *bitmap;
static bool switched;

static void at_first_touch(int signal)
{
    ck_assert_int_eq(mprotect(bitmap, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
    control_frame[0] = fake_guest_frame(fake_domains[0]);
    ck_assert_int_eq(fifo_init_control(fake_domains[0], 0, control_frame[0].value, 0), 0);
    switched = true;
}

/* A sender that has found the domain on bitmaps sets its bit after the domain has read them for the last time: the event
 * was lost, and with it, say, the only notification of a console. */
START_TEST(an_event_between_the_look_and_the_bit_is_not_lost)
{
    struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF, .remote_dom = 1};
    struct evtchn_bind_interdomain bind = {.remote_dom = 0};
    ck_assert_int_eq(evtchn_op(alloc_unbound, &unbound), 0);
    bind.remote_port = unbound.port;
    fake_run(1, 0);
    ck_assert_int_eq(evtchn_op(bind_interdomain, &bind), 0);
    fake_run(0, 0);
    fake_domains[0]->shared_info->evtchn_pending[0] = 0;

    bitmap = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(bitmap, MAP_FAILED);
    fake_domains[0]->evtchn.pending = bitmap;
    switched = false;
    signal(SIGSEGV, at_first_touch);
    ck_assert_int_eq(evtchn_send(fake_domains[1], bind.local_port), 0);
    signal(SIGSEGV, SIG_DFL);
    ck_assert(switched);

    array_frame = fake_guest_frame(fake_domains[0]);
    words = mfn_to_virt(array_frame);
    ck_assert_int_eq(expand(array_frame), 0);
    ck_assert(words[unbound.port] & PENDING);
    ck_assert_uint_eq(consume(0, DEFAULT), unbound.port);
    evtchn_shared_info_changed(fake_domains[0]);
    munmap(bitmap, PAGE_SIZE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("evtchn_fifo");
    TCase *t = tcase_create("queues"), *start = tcase_create("start");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, events_are_consumed_in_the_order_they_were_sent);
    tcase_add_test(t, each_priority_and_vcpu_has_its_queue);
    tcase_add_test(t, an_event_that_changes_queue_leaves_no_tail_behind);
    tcase_add_test(t, masked_events_link_when_unmasked);
    tcase_add_test(t, a_linked_port_is_not_reused);
    tcase_add_test(t, a_guest_that_links_everything_runs_out_of_ports);
    tcase_add_test(t, hostile_words_do_no_harm);
    tcase_add_test(t, words_that_change_under_us);
    tcase_add_test(t, a_tail_masked_while_we_link_is_linked_all_the_same);
    tcase_add_test(t, a_tail_consumed_while_we_link_is_no_tail);
    tcase_add_test(t, a_tail_that_never_rests_costs_its_owner_an_event);
    tcase_add_test(t, the_array_ends);
    tcase_add_test(t, ports_past_the_bitmaps);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(start, setup_2l, teardown);
    tcase_add_test(start, events_before_the_array_are_not_lost);
    tcase_add_test(start, an_event_between_the_look_and_the_bit_is_not_lost);
    tcase_add_test(start, control_block_rules);
    tcase_add_test(start, no_memory_for_queues);
    suite_add_tcase(s, start);
    return run_suite(s);
}

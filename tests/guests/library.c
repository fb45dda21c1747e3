/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The kernel library tested from inside: what other guests, and the embedded dom0, take for granted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xencall.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <pv/event.h>
#include <pv/evtchn_wait.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/threads.h>
#include <pv/time.h>
#include <pv/traps.h>
#include "check.h"

#define MS 1000000ULL

static void test_pages(void)
{
    unsigned long before;
    char *one, *many;
    bool zero = true;

    check_group("pages"); /* the first line of output takes memory for stdio */
    before = pages_free_count();
    one = pages_alloc(1);
    many = pages_alloc(100);
    CHECK(one != NULL && many != NULL, "pages can be allocated");
    for (unsigned long i = 0; i < 100 * PAGE_SIZE; i++)
        zero = zero && many[i] == 0;
    CHECK(zero, "fresh pages hold zeroes");
    memset(many, 0x5a, 100 * PAGE_SIZE);
    CHECK(mfn_to_pfn(virt_to_mfn(many + 7 * PAGE_SIZE)) == virt_to_pfn(many) + 7, "M2P and page tables agree with P2M");
    pages_free(one, 1);
    pages_free(many, 100);
    CHECK_EQ(pages_free_count(), before, "freed pages come back");
    many = pages_alloc(2000);
    CHECK(many != NULL, "8 MiB in one piece, past the builder's mapping");
    if (many != NULL) {
        memset(many, 1, 2000 * PAGE_SIZE);
        pages_free(many, 2000);
    }
    CHECK(pages_alloc(pfn_limit() + 1) == NULL, "more pages than there are is refused");
}

static void test_mapping(void)
{
    char *page = pages_alloc(1);
    xen_pfn_t frames[2] = {virt_to_mfn(page), virt_to_mfn(page)};
    xen_pfn_t bad[2] = {virt_to_mfn(page), 0x1000};
    int errors[2] = {-1, -1};
    unsigned long word;
    char *alias;

    check_group("mapping");
    while (mfn_to_pfn(bad[1]) != INVALID_P2M) /* RAM that is not ours */
        bad[1]++;
    alias = map_frames(frames, 2, DOMID_SELF, PTE_KERNEL_RW, NULL);
    CHECK(alias != NULL, "a frame of ours can be mapped twice more");
    page[5] = 'x';
    CHECK(alias[5] == 'x' && alias[PAGE_SIZE + 5] == 'x', "all mappings show the same memory");
    CHECK(!probe_read(alias - PAGE_SIZE, &word) && !probe_read(alias + 2 * PAGE_SIZE, &word),
          "the pages around a mapping are not mapped");
    unmap_frames(alias, 2);
    CHECK(!probe_read(alias, &word), "an unmapped page faults");
    CHECK(map_frames(bad, 2, DOMID_SELF, PTE_KERNEL_RW, NULL) == NULL, "a frame of somebody else fails the mapping");
    alias = map_frames(bad, 2, DOMID_SELF, PTE_KERNEL_RW, errors);
    CHECK(alias != NULL && errors[0] == 0 && errors[1] != 0, "with an error list the good frames stay mapped");
    CHECK(alias != NULL && alias[5] == 'x', "and can be read");
    unmap_frames(alias, 2);
    CHECK_EQ(pages_protect(page, 1, false), 0, "a page can be made read-only");
    CHECK(!probe_write(page, 1), "writing to it then faults");
    CHECK_EQ(pages_protect(page, 1, true), 0, "and writable again");
    CHECK(probe_write(page, 1), "which works");
    pages_free(page, 1);
    CHECK(!probe_read(NULL, &word), "a null pointer faults");
}

static void divide(void *arg)
{
    unsigned int low = 1, high = 0;

    __asm__ volatile("div %2" : "+a"(low), "+d"(high) : "r"(0));
}

static void undefined(void *arg)
{
    __asm__ volatile("ud2");
}

static void nested(void *arg)
{
    struct fault inner;

    *(bool *)arg = !fault_catch(undefined, NULL, &inner) && inner.vector == TRAP_UD;
    undefined(NULL);
}

static unsigned int breakpoints;

static bool on_breakpoint(struct trap_frame *frame)
{
    breakpoints++;
    return true;
}

static void test_traps(void)
{
    struct fault fault;
    bool inner_ok = false;

    check_group("traps");
    CHECK(!fault_catch(divide, NULL, &fault) && fault.vector == TRAP_DE, "a division by zero is caught");
    CHECK(!fault_catch(undefined, NULL, &fault) && fault.vector == TRAP_UD, "an invalid opcode is caught");
    CHECK(!fault_catch(nested, &inner_ok, &fault) && inner_ok, "catching nests");
    trap_set_handler(TRAP_BP, on_breakpoint);
    __asm__ volatile("int3\n\tint3");
    CHECK_EQ(breakpoints, 2, "a handler sees each breakpoint and execution goes on");
    trap_set_handler(TRAP_BP, NULL);
}

static volatile unsigned int event_count;

static void count_event(evtchn_port_t port, void *data)
{
    event_count++;
}

static void test_events(void)
{
    int port = event_bind_ipi(0, count_event, NULL);
    int other, peer;

    check_group("events");
    CHECK(port > 0, "an IPI port can be bound");
    event_notify((evtchn_port_t)port);
    CHECK_EQ(event_count, 1, "sending runs the handler at once");
    irq_disable();
    event_notify((evtchn_port_t)port);
    CHECK_EQ(event_count, 1, "not while upcalls are masked");
    irq_enable();
    CHECK_EQ(event_count, 2, "but when they open again");
    event_mask((evtchn_port_t)port);
    event_notify((evtchn_port_t)port);
    event_notify((evtchn_port_t)port);
    CHECK_EQ(event_count, 2, "a masked port stays silent");
    event_unmask((evtchn_port_t)port);
    CHECK_EQ(event_count, 3, "and fires once when unmasked");
    CHECK_EQ(event_close((evtchn_port_t)port), 0, "a port can be closed");
    CHECK(event_notify((evtchn_port_t)port) < 0, "a closed port cannot be sent to");
    peer = event_alloc_unbound(pv_domid(), count_event, NULL);
    other = event_bind_interdomain(pv_domid(), (evtchn_port_t)peer, NULL, NULL);
    CHECK(peer > 0 && other > 0, "a channel from ourselves to ourselves");
    event_notify((evtchn_port_t)other);
    CHECK_EQ(event_count, 4, "carries an event to the other end");
    event_close((evtchn_port_t)other);
    event_close((evtchn_port_t)peer);
}

static void test_time(void)
{
    uint64_t start = time_monotonic_ns(), now;
    struct timespec a, b;
    bool forward = true;

    check_group("time");
    for (int i = 0; i < 10000; i++) {
        now = time_monotonic_ns();
        forward = forward && now >= start;
        start = now;
    }
    CHECK(forward, "the monotonic clock never goes back");
    start = time_monotonic_ns();
    time_wallclock(&a);
    thread_sleep_ns(50 * MS);
    now = time_monotonic_ns();
    time_wallclock(&b);
    CHECK(now - start >= 50 * MS, "a sleep lasts at least as long as asked");
    CHECK(now - start < 20000 * MS, "and not for ever");
    CHECK(a.tv_sec > 1600000000 && b.tv_sec >= a.tv_sec, "the wall clock shows this century");
}

static unsigned int turns[3];
static struct waitq gate;
static bool open_gate;
static struct mutex lock;
static unsigned int inside, most_inside;

static void take_turns(void *arg)
{
    unsigned int *turn = arg;

    for (int i = 0; i < 100; i++) {
        ++*turn;
        errno = (int)(turn - turns) + 1;
        thread_yield();
        if (errno != (int)(turn - turns) + 1)
            *turn = 1000;
    }
}

static void wait_at_gate(void *arg)
{
    wait_event(&gate, open_gate);
    mutex_lock(&lock);
    inside++;
    most_inside = inside > most_inside ? inside : most_inside;
    thread_sleep_ns(2 * MS);
    inside--;
    mutex_unlock(&lock);
}

static void test_threads(void)
{
    struct thread *threads[8];
    uint64_t start;

    check_group("threads");
    for (int i = 0; i < 3; i++)
        threads[i] = thread_create("turn", take_turns, &turns[i]);
    for (int i = 0; i < 3; i++)
        thread_join(threads[i]);
    CHECK(turns[0] == 100 && turns[1] == 100 && turns[2] == 100, "threads take turns, each with its own errno");
    for (int i = 0; i < 8; i++)
        threads[i] = thread_create("gate", wait_at_gate, NULL);
    thread_yield();
    CHECK_EQ(most_inside, 0, "nobody passes a closed gate");
    open_gate = true;
    waitq_wake(&gate);
    for (int i = 0; i < 8; i++)
        thread_join(threads[i]);
    CHECK_EQ(most_inside, 1, "a mutex lets one in at a time");
    start = time_monotonic_ns();
    CHECK(!waitq_wait_until(&gate, start + 20 * MS), "waiting with a deadline ends");
    CHECK(time_monotonic_ns() - start >= 20 * MS, "not before the deadline");
}

static void test_heap(void)
{
    enum { BLOCKS = 64 };
    char *blocks[BLOCKS];
    volatile size_t huge = 3UL << 29;
    bool good = true;

    check_group("heap");
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(64 * 1024 + (size_t)i);
        good = good && blocks[i] != NULL;
        if (blocks[i] != NULL)
            memset(blocks[i], i, 64 * 1024 + (size_t)i);
    }
    for (int i = 0; i < BLOCKS; i++)
        good = good && blocks[i][0] == i && blocks[i][64 * 1024] == (i > 0 ? i : blocks[i][64 * 1024]);
    CHECK(good, "4 MiB of blocks keep their contents");
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    CHECK(malloc(huge) == NULL && errno == ENOMEM, "1.5 GiB from a small machine is refused with ENOMEM");
    CHECK(open("/nowhere", O_RDONLY) < 0 && errno == ENOENT, "opening a missing file says ENOENT");
}

static void test_grants(void)
{
    xengnttab_handle *xgt = xengnttab_open(NULL, 0);
    xengntshr_handle *xgs = xengntshr_open(NULL, 0);
    uint32_t refs[4], domids[4];
    char *shared, *mapped;

    check_group("grants");
    for (int i = 0; i < 4; i++)
        domids[i] = pv_domid();
    shared = xengntshr_share_pages(xgs, pv_domid(), 4, refs, 1);
    CHECK(shared != NULL, "pages can be lent, to ourselves");
    mapped = xengnttab_map_grant_refs(xgt, 4, domids, refs, PROT_READ | PROT_WRITE);
    CHECK(mapped != NULL, "and mapped");
    if (shared == NULL || mapped == NULL)
        return;
    strcpy(shared + 2 * PAGE_SIZE, "through the grant");
    CHECK(strcmp(mapped + 2 * PAGE_SIZE, "through the grant") == 0, "both see the same memory");
    mapped[3 * PAGE_SIZE] = 'w';
    CHECK(shared[3 * PAGE_SIZE] == 'w', "in both directions");
    CHECK(xengntshr_unshare(xgs, shared, 4) < 0 && errno == EBUSY, "a mapped page cannot be taken back");
    CHECK_EQ(xengnttab_unmap(xgt, mapped, 4), 0, "the mapping can be undone");
    CHECK(xengnttab_map_grant_ref(xgt, pv_domid(), 500, PROT_READ) == NULL, "a reference never given cannot be mapped");
    CHECK_EQ(xengntshr_unshare(xgs, shared, 4), 0, "then the pages come back");
    xengnttab_close(xgt);
    xengntshr_close(xgs);
}

static void test_evtchn_library(void)
{
    xenevtchn_handle *a = xenevtchn_open(NULL, 0), *b = xenevtchn_open(NULL, 0);
    int port = xenevtchn_bind_unbound_port(a, pv_domid());
    int peer = xenevtchn_bind_interdomain(b, pv_domid(), (evtchn_port_t)port);

    check_group("event channel library");
    CHECK(port > 0 && peer > 0, "both ends can be bound");
    CHECK(!xenevtchn_wait_until(a, time_monotonic_ns() + 5 * MS), "nothing is pending yet");
    xenevtchn_notify(b, (evtchn_port_t)peer);
    CHECK_EQ(xenevtchn_pending(a), port, "the port that fired is reported");
    xenevtchn_notify(b, (evtchn_port_t)peer);
    CHECK(!xenevtchn_is_pending(a), "not again before it is unmasked");
    xenevtchn_unmask(a, (evtchn_port_t)port);
    CHECK_EQ(xenevtchn_pending(a), port, "but then");
    CHECK(xenevtchn_notify(a, 3999) < 0 && errno == EINVAL, "a port of nobody is refused");
    CHECK(xenevtchn_close(a) == 0 && xenevtchn_close(b) == 0, "handles close");
}

static void test_calls(void)
{
    xencall_handle *xcall = xencall_open(NULL, 0);

    check_group("call library");
    CHECK((xencall2(xcall, __HYPERVISOR_xen_version, XENVER_version, 0) >> 16) == 4, "the version is 4.x");
    CHECK(xencall0(xcall, 63) == -1 && errno == ENOSYS, "a hypercall that does not exist is ENOSYS in our numbers");
    xencall_close(xcall);
}

static volatile unsigned int cpus_seen;

static volatile unsigned int fault_seen;

static void touch_nothing(void *arg)
{
    *(volatile char *)arg = 1;
}

static void fault_on_cpu(void *arg)
{
    struct fault fault = {0};

    if (!fault_catch(touch_nothing, (void *)0x70000000UL, &fault))
        fault_seen = fault.vector;
}

static void on_cpu(void *arg)
{
    if (smp_cpu_id() == (unsigned int)(uintptr_t)arg)
        __atomic_fetch_or(&cpus_seen, 1U << smp_cpu_id(), __ATOMIC_SEQ_CST);
}

static bool wait_down(unsigned int cpu)
{
    uint64_t give_up = time_monotonic_ns() + 2000 * MS;

    while (smp_is_up(cpu) && time_monotonic_ns() < give_up)
        thread_sleep_ns(MS);
    return !smp_is_up(cpu);
}

static void test_smp(void)
{
    unsigned int cpus = smp_cpu_count(), expected = 0;

    check_group("vCPUs");
    printf("  %u vCPUs\n", cpus);
    for (unsigned int round = 0; round < 2; round++) {
        for (unsigned int cpu = 1; cpu < cpus; cpu++) {
            CHECK_EQ(smp_start(cpu, on_cpu, (void *)(uintptr_t)cpu), 0, "a vCPU starts");
            CHECK(wait_down(cpu), "and goes down when its function returns");
            expected |= 1U << cpu;
        }
        CHECK_EQ(cpus_seen, expected, "each vCPU ran and knew its number");
        cpus_seen = expected = 0;
    }
    CHECK(smp_start(cpus, on_cpu, NULL) < 0, "a vCPU that does not exist is refused");
    if (cpus > 1) {
        CHECK_EQ(smp_start(1, fault_on_cpu, NULL), 0, "a vCPU starts that will fault");
        CHECK(wait_down(1), "and goes on behind it");
        CHECK_EQ(fault_seen, TRAP_PF, "its trap table has each handler at its vector's place");
    }
}

static void test_balloon(void)
{
    unsigned long before = balloon_current();
    unsigned long gone = balloon_release(3000);
    char *page;

    check_group("balloon");
    CHECK_EQ(gone, 3000, "3000 pages go back");
    CHECK_EQ(balloon_current(), before - 3000, "and are counted");
    CHECK_EQ(balloon_claim(1000), 1000, "1000 come again");
    CHECK_EQ(balloon_set_target(before), before, "the target is reached");
    page = pages_alloc(2500);
    CHECK(page != NULL, "what came is usable");
    if (page != NULL) {
        memset(page, 1, 2500 * PAGE_SIZE);
        pages_free(page, 2500);
    }
}

int main(int argc, char **argv)
{
    test_pages();
    test_mapping();
    test_traps();
    test_events();
    test_time();
    test_threads();
    test_heap();
    test_grants();
    test_evtchn_library();
    test_calls();
    test_smp();
    test_balloon();
    check_summary("library");
    return 0;
}

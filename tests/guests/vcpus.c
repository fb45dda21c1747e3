/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Virtual processors and their time: starting and stopping, misuse, timers, run state, clock, interrupts between them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/nmi.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/threads.h>
#include <pv/time.h>
#include <pv/traps.h>
#include "check.h"

#define MS 1000000ULL

static long vcpu_op(unsigned int command, unsigned int vcpu, void *argument)
{
    return HYPERVISOR_vcpu_op(command, vcpu, argument);
}

static void test_misuse(unsigned int cpus)
{
    struct vcpu_guest_context *context = calloc(1, sizeof(*context));

    check_group("misuse");
    CHECK_EQ(vcpu_op(VCPUOP_is_up, 0, NULL), 1, "we are up");
    CHECK_EQ(vcpu_op(VCPUOP_is_up, cpus, NULL), -XEN_ENOENT, "a vCPU past the last is ENOENT");
    CHECK_EQ(vcpu_op(VCPUOP_is_up, ~0U, NULL), -XEN_ENOENT, "however far");
    CHECK_EQ(vcpu_op(99, 0, NULL), -XEN_ENOSYS, "an operation that does not exist is ENOSYS");
    CHECK_EQ(vcpu_op(VCPUOP_initialise, 0, context), -XEN_EEXIST, "one that runs cannot be initialised");
    if (cpus > 1) {
        CHECK_EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 0, "the second is down");
        CHECK_EQ(vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL, "and cannot be started before it is initialised");
        CHECK_EQ(vcpu_op(VCPUOP_initialise, 1, (void *)~0xfffUL), -XEN_EFAULT, "an unreadable context is EFAULT");
        CHECK(vcpu_op(VCPUOP_initialise, 1, context) < 0, "an empty one names no page tables");
        CHECK_EQ(vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL, "and leaves it as it was");
    }
    free(context);
}

/* Waits for that many, as long as a busy machine may take. */
static bool upcalls_reach(unsigned long wanted)
{
    uint64_t end = time_monotonic_ns() + 10000 * MS;

    while (event_upcalls() < wanted)
        if (time_monotonic_ns() > end)
            return false;
    return true;
}

/* None for 50 ms; one may be the console's own, and on a busy machine at any time. */
static bool no_more_upcalls(void)
{
    unsigned long upcalls = 0;

    for (unsigned int i = 0; i < 20; i++) {
        upcalls = event_upcalls();
        time_spin_ns(50 * MS);
        if (event_upcalls() == upcalls)
            return true;
    }
    return false;
}

static long sleep_by_old_timer(uint64_t until)
{
    long rc = HYPERVISOR_set_timer_op(until);

    HYPERVISOR_sched_op(SCHEDOP_block, NULL);
    return rc;
}

static void test_timers(void)
{
    struct vcpu_set_singleshot_timer shot = {.timeout_abs_ns = 1};
    struct vcpu_set_periodic_timer period = {.period_ns = 1000};
    unsigned long upcalls;
    uint64_t until;

    check_group("timers");
    upcalls = event_upcalls();
    CHECK_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &shot), 0, "a moment in the past is accepted");
    CHECK(upcalls_reach(upcalls + 1), "and fires at once");
    shot.timeout_abs_ns = ~0ULL;
    upcalls = event_upcalls();
    CHECK_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &shot), 0,
             "moments are signed numbers: there is one before the first");
    CHECK(upcalls_reach(upcalls + 1), "which is over, too");
    shot.timeout_abs_ns = 1;
    shot.flags = VCPU_SSHOTTMR_future;
    CHECK_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &shot), 0, "even if it should lie in the future");
    CHECK_EQ(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0, "it can be stopped");
    CHECK_EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &period), -XEN_EINVAL, "a period below a millisecond is refused");
    period.period_ns = 5 * MS;
    CHECK_EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &period), 0, "5 ms are accepted");
    upcalls = event_upcalls();
    CHECK(upcalls_reach(upcalls + 10), "and fire again and again");
    CHECK_EQ(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0, "until stopped");
    time_spin_ns(20 * MS);
    CHECK(no_more_upcalls(), "then no more");
    CHECK_EQ(check_sleep(sleep_by_old_timer, &until), 0, "the old timer call");
    CHECK(time_monotonic_ns() >= until, "works as well");
    CHECK_EQ(HYPERVISOR_set_timer_op(0), 0, "and takes 0 for none");
}

static void test_runstate(void)
{
    static struct vcpu_runstate_info runstate;
    struct vcpu_register_runstate_memory_area area;
    struct vcpu_runstate_info copy;
    uint64_t before, sum;

    check_group("run state");
    CHECK_EQ(vcpu_op(VCPUOP_get_runstate_info, 0, &copy), 0, "can be read");
    CHECK_EQ(copy.state, RUNSTATE_running, "we run");
    sum = copy.time[0] + copy.time[1] + copy.time[2] + copy.time[3];
    CHECK(sum > 0 && sum <= time_monotonic_ns() + MS, "the times add up to no more than there was");
    memset(&area, 0, sizeof(area));
    set_xen_guest_handle(area.addr.h, &runstate);
    CHECK_EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area), 0, "an area can be registered");
    CHECK_EQ(runstate.state, RUNSTATE_running, "and is filled at once");
    before = runstate.time[RUNSTATE_blocked];
    for (int i = 0; i < 10; i++) /* an event may end a sleep early, and the time then counts as running */
        thread_sleep_ns(30 * MS);
    CHECK(runstate.time[RUNSTATE_blocked] >= before + 100 * MS, "sleeping counts as blocked");
    CHECK_EQ(runstate.state, RUNSTATE_running, "and we run again");
    CHECK_EQ(vcpu_op(VCPUOP_get_runstate_info, 99, &copy), -XEN_ENOENT, "of no other than there are");
    set_xen_guest_handle(area.addr.h, (struct vcpu_runstate_info *)NULL);
    (void)vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area);
}

static void test_clock(void)
{
    const volatile struct vcpu_time_info *info = &shared_info->vcpu_info[0].time;

    check_group("clock");
    CHECK_EQ(info->version & 1, 0, "the version is even between updates");
    CHECK(info->tsc_to_system_mul != 0 && info->tsc_shift > -32 && info->tsc_shift < 32, "the scale makes sense");
    CHECK_EQ(shared_info->wc_version & 1, 0, "so does the wall clock's");
    CHECK(shared_info->wc_sec != 0, "which is set");
}

static volatile unsigned int pings;
static volatile bool stop_answering;
static int answer_port;

/* A second vCPU polls its pending word itself: it takes no upcalls. */
static void answer(void *arg)
{
    evtchn_port_t port = (evtchn_port_t)(uintptr_t)arg;

    while (!stop_answering) {
        if (event_test_and_clear(port)) {
            pings++;
            event_notify((evtchn_port_t)answer_port);
        }
        __builtin_ia32_pause();
    }
}

static volatile unsigned int answers;

static void on_answer(evtchn_port_t port, void *data)
{
    answers++;
}

static bool wait_until(volatile unsigned int *what, unsigned int value)
{
    uint64_t give_up = time_monotonic_ns() + 20000 * MS;

    while (*what < value && time_monotonic_ns() < give_up)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    return *what >= value;
}

static void test_interrupts(unsigned int cpus)
{
    int port;

    if (cpus < 2)
        return;
    check_group("interrupts between vCPUs");
    port = event_bind_ipi(1, NULL, NULL);
    answer_port = event_bind_ipi(0, on_answer, NULL);
    CHECK(port > 0 && answer_port > 0, "ports for both directions");
    CHECK_EQ(smp_start(1, answer, (void *)(uintptr_t)port), 0, "the second vCPU starts");
    for (unsigned int i = 1; i <= 20; i++) {
        event_notify((evtchn_port_t)port);
        if (!wait_until(&answers, i))
            break;
    }
    CHECK_EQ(answers, 20, "twenty times there and back");
    CHECK_EQ(pings, 20, "each seen once");
    stop_answering = true;
    while (smp_is_up(1))
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    CHECK_EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 0, "and down again");
    event_close((evtchn_port_t)port);
    event_close((evtchn_port_t)answer_port);
}

static void test_vcpu_info(unsigned int cpus)
{
    char *page = pages_alloc(1);
    struct vcpu_register_vcpu_info info = {.mfn = virt_to_mfn(page), .offset = 4090};
    unsigned int last = cpus - 1;

    /* The one whose vcpu_info moves is not used for anything else. */
    if (cpus < 3)
        return;
    check_group("vcpu_info elsewhere");
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_info, last, &info), -XEN_ENXIO, "it may not cross a page");
    info.offset = 3;
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_info, last, &info), -XEN_ENXIO, "and is aligned");
    info.offset = 128;
    info.mfn = 0x1000;
    while (mfn_to_pfn((unsigned long)info.mfn) != INVALID_P2M)
        info.mfn++;
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_info, last, &info), -XEN_EINVAL, "in a frame of ours");
    info.mfn = virt_to_mfn(page);
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_info, last, &info), 0, "then it can move");
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_info, last, &info), -XEN_EINVAL, "once");
    CHECK_EQ(((struct vcpu_info *)(page + 128))->evtchn_upcall_pending, 1, "something may have happened meanwhile");
}

static volatile uint32_t watched;
static volatile bool armed;
static volatile unsigned int strange_traps;

static void sleep_ms(unsigned int ms)
{
    struct sched_poll poll = {.timeout = time_monotonic_ns() + ms * MS};

    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

static void sleep_with_breakpoint(void *unused)
{
    HYPERVISOR_set_debugreg(0, (unsigned long)&watched);
    HYPERVISOR_set_debugreg(7, 0xd0001); /* four bytes, when written */
    armed = true;
    sleep_ms(200);
    HYPERVISOR_set_debugreg(7, 0);
}

static volatile bool stop_napping;
static volatile unsigned int naps;

static void nap(void *unused)
{
    while (!stop_napping) {
        struct sched_poll poll = {.timeout = time_monotonic_ns() + MS / 50};

        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
        naps++;
    }
}

/* The account of a vCPU that changes its state on another CPU is read whole: half of the old one and half of the new lack
 * the time in between, and kernels that reckon with such times see them go back. */
static void test_account(unsigned int cpus)
{
    uint64_t last = 0, end;
    unsigned int back = 0;

    if (cpus < 2)
        return;
    check_group("the account of another vCPU");
    CHECK_EQ(smp_start(1, nap, NULL), 0, "one that sleeps and wakes");
    CHECK(wait_until(&naps, 10), "again and again");
    for (end = time_monotonic_ns() + 3000 * MS; time_monotonic_ns() < end;) {
        struct vcpu_runstate_info info;
        uint64_t sum;

        vcpu_op(VCPUOP_get_runstate_info, 1, &info);
        sum = info.time[0] + info.time[1] + info.time[2] + info.time[3];
        back += sum < last;
        last = sum;
    }
    CHECK_EQ(back, 0, "its times never add up to less than before");
    stop_napping = true;
    while (smp_is_up(1))
        sleep_ms(10);
}

static bool count_trap(struct trap_frame *frame)
{
    strange_traps++;
    return true;
}

/* The CPU is idle between the one that set it and the one that must not meet it. */
static void test_breakpoints(unsigned int cpus)
{
    if (cpus < 2)
        return;
    check_group("a sleeper's breakpoint");
    trap_set_handler(TRAP_DB, count_trap);
    CHECK_EQ(smp_start(1, sleep_with_breakpoint, NULL), 0, "a vCPU sets a breakpoint and sleeps");
    while (!armed)
        sleep_ms(1);
    sleep_ms(20);
    watched = 1;
    CHECK_EQ(strange_traps, 0, "which is nobody else's, though the CPU was idle meanwhile");
    trap_set_handler(TRAP_DB, NULL);
    while (smp_is_up(1))
        sleep_ms(10);
}

static void test_nmi(void)
{
    struct xennmi_callback callback = {0};

    check_group("NMI");
    CHECK_EQ(vcpu_op(VCPUOP_send_nmi, 0, NULL), 0, "without a handler it waits");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, 99, (unsigned long)&callback), -XEN_ENOSYS,
             "an unknown operation is ENOSYS");
}

int main(int argc, char **argv)
{
    unsigned int cpus = smp_cpu_count();

    test_misuse(cpus);
    test_timers();
    test_runstate();
    test_clock();
    test_vcpu_info(cpus);
    test_interrupts(cpus);
    test_breakpoints(cpus);
    test_account(cpus);
    test_nmi();
    check_summary("vcpus");
    return 0;
}

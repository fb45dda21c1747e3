/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A kernel and its own vCPUs: versions and assists, time and timers, run states, sleeping and polling, starting and
 * stopping other vCPUs. Needs nothing but itself; does more with two vCPUs or more.
 */
#include <stdio.h>
#include <string.h>
#include <abi/compat.h>
#include <abi/errno.h>
#include <abi/nmi.h>
#include <abi/version.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/time.h>
#include "check.h"

#define MS   1000000ULL
#define NONE ((void *)0)

static void *nowhere; /* an address without a page */

static long vcpu_op(unsigned int cmd, unsigned int vcpu, void *arg)
{
    return HYPERVISOR_vcpu_op(cmd, vcpu, arg);
}

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void test_version(void)
{
    static char text[1024];
    struct xen_feature_info features = {0};
    struct xen_platform_parameters platform = {0};
    xen_domain_handle_t handle;

    check_group("version");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_version, NONE), 4 << 16 | 17, "Xen 4.17's interface");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_extraversion, text), 0, "the rest of the version");
    CHECK(text[0] == '.', "begins with a dot");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_extraversion, nowhere), -XEN_EFAULT, "and needs a place");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_capabilities, text), 0, "what guests may be");
    CHECK(begins_with(text, "xen-3.0-x86_64 "), "64-bit ones first");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_changeset, text), 0, "what it was built from");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_compile_info, text), 0, "and how");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_platform_parameters, &platform), 0, "where its memory begins");
    CHECK_EQ(platform.virt_start, sizeof(long) == 8 ? 0xffff800000000000ULL : 0xf5800000UL, "is fixed by the ABI");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_get_features, &features), 0, "the features");
    CHECK((features.submap & (1u << XENFEAT_mmu_pt_update_preserve_ad)) != 0, "that Linux needs");
    CHECK((features.submap & (1u << XENFEAT_gnttab_map_avail_bits)) != 0, "to run");
    CHECK(!(features.submap & (1u << XENFEAT_writable_page_tables)), "page tables are read-only");
    CHECK(!(features.submap & (1u << XENFEAT_auto_translated_physmap)), "addresses are machine addresses");
    CHECK_EQ(!!(features.submap & (1u << XENFEAT_dom0)), pv_is_dom0(), "dom0 and nobody else is dom0");
    features.submap_idx = 1;
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_get_features, &features), -XEN_EINVAL, "there is one word of features");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_pagesize, NONE), 4096, "pages have 4 KiB");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_pagesize, text), -XEN_EINVAL, "which is said only when nothing is given");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_guest_handle, handle), 0, "the domain's UUID");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_commandline, text), 0, "the command line");
    CHECK_EQ(HYPERVISOR_xen_version(77, text), -XEN_ENOSYS, "nothing else");
}

static void test_assists(void)
{
    check_group("assists");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3), 0, "one can be enabled");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, 63), -XEN_EINVAL, "an unknown one cannot");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, 1u << 31), -XEN_EINVAL, "however unknown");
    CHECK_EQ(HYPERVISOR_vm_assist(9, VMASST_TYPE_pae_extended_cr3), -XEN_ENOSYS, "nor done anything else with");
    CHECK_EQ(HYPERVISOR_vm_assist(9, 63), -XEN_EINVAL, "the type is looked at first");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict), sizeof(long) == 8 ? 0 : -XEN_EINVAL,
             "strict M2P is for 64-bit kernels");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_m2p_strict), sizeof(long) == 8 ? 0 : -XEN_EINVAL,
             "and can be given up");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_pae_extended_cr3), 0, "so can the other");
}

static void test_nmi(void)
{
    struct xennmi_callback callback = {.handler_address = 0x1000};

    check_group("nmi");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, XENNMI_register_callback, (unsigned long)&callback), 0, "a handler");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, XENNMI_unregister_callback, 0), 0, "goes again");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, XENNMI_register_callback, (unsigned long)nowhere), -XEN_EFAULT,
             "it has to be somewhere");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, 7, 0), -XEN_ENOSYS, "nothing else");
#ifdef __x86_64__
    callback.handler_address = 1UL << 63;
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, XENNMI_register_callback, (unsigned long)&callback), -XEN_EINVAL,
             "at an address that exists");
#endif
}

static void test_errors(void)
{
    struct vcpu_set_periodic_timer periodic = {.period_ns = 1000};
    struct vcpu_register_vcpu_info place = {.mfn = virt_to_mfn(&place), .offset = 4096 - 32};
    struct vcpu_get_physid physical;

    check_group("vcpu_op refused");
    CHECK_EQ(vcpu_op(VCPUOP_is_up, 4000, NONE), -XEN_ENOENT, "a vCPU that is not there");
    CHECK_EQ(vcpu_op(99, 0, NONE), -XEN_ENOSYS, "an operation that is not there");
    CHECK_EQ(vcpu_op(99, 4000, NONE), -XEN_ENOENT, "the vCPU is looked at first");
    CHECK_EQ(vcpu_op(VCPUOP_is_up, 0, NONE), 1, "the caller is up");
    CHECK_EQ(vcpu_op(VCPUOP_initialise, 0, nowhere), -XEN_EFAULT, "a context that is not there");
    CHECK_EQ(vcpu_op(VCPUOP_up, 0, NONE), 0, "one that is up may be brought up");
    CHECK_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, nowhere), -XEN_EFAULT, "a time that is not there");
    CHECK_EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &periodic), -XEN_EINVAL, "a period of a microsecond");
    CHECK_EQ(vcpu_op(VCPUOP_get_runstate_info, 0, nowhere), -XEN_EFAULT, "run states into nothing");
    CHECK_EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, nowhere), -XEN_EFAULT, "an area named nowhere");
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_info, 0, &place), -XEN_ENXIO, "a vcpu_info across two pages");
    place.offset = 0;
    place.mfn = 1UL << 28;
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_info, 0, &place), -XEN_EINVAL, "or in a page that is not there");
    CHECK_EQ(vcpu_op(VCPUOP_get_physid, 0, &physical), -XEN_EINVAL, "no vCPU is a physical CPU");
    CHECK_EQ(vcpu_op(VCPUOP_send_nmi, 0, &physical), -XEN_EINVAL, "an NMI has no argument");
}

static struct vcpu_runstate_info area __attribute__((aligned(64)));

static uint64_t sum(const struct vcpu_runstate_info *r)
{
    return r->time[0] + r->time[1] + r->time[2] + r->time[3];
}

/* Whatever else wakes us. Events are off from before the timer is set until we sleep, or it could come in between. */
static void sleep_until(uint64_t end)
{
    while (time_monotonic_ns() < end) {
        irq_disable();
        HYPERVISOR_set_timer_op(end);
        HYPERVISOR_sched_op(SCHEDOP_block, NULL);
    }
    irq_enable();
    HYPERVISOR_set_timer_op(0);
}

/* Somebody else may have the processor meanwhile. */
static bool running_grows(uint64_t before, struct vcpu_runstate_info *now)
{
    uint64_t end = time_monotonic_ns() + 10000 * MS;

    do {
        time_spin_ns(5 * MS);
        vcpu_op(VCPUOP_get_runstate_info, 0, now);
    } while (now->time[RUNSTATE_running] < before + 2 * MS && time_monotonic_ns() < end);
    return now->time[RUNSTATE_running] >= before + 2 * MS;
}

/* A machine that is held up between the start of a sleep and its timer sleeps less. */
static bool blocked_grows(uint64_t before, const volatile struct vcpu_runstate_info *now)
{
    uint64_t end = time_monotonic_ns() + 10000 * MS;

    while (now->time[RUNSTATE_blocked] < before + 10 * MS && time_monotonic_ns() < end)
        sleep_until(time_monotonic_ns() + 20 * MS);
    return now->time[RUNSTATE_blocked] >= before + 10 * MS;
}

static void test_runstate(void)
{
    struct vcpu_register_runstate_memory_area registration;
    struct vcpu_runstate_info first, second;
    uint64_t start = time_monotonic_ns();

    check_group("run states");
    CHECK_EQ(vcpu_op(VCPUOP_get_runstate_info, 0, &first), 0, "they can be read");
    CHECK_EQ(first.state, RUNSTATE_running, "who asks is running");
    CHECK_EQ(vcpu_op(VCPUOP_get_runstate_info, 0, &second), 0, "and again");
    CHECK(running_grows(first.time[RUNSTATE_running], &second), "running time grows");
    CHECK(sum(&second) - sum(&first) <= time_monotonic_ns() - start + MS, "no faster than time");
    memset(&registration, 0, sizeof(registration));
    registration.addr.v = &area;
    CHECK_EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &registration), 0, "an area of our own");
    CHECK_EQ(area.state, RUNSTATE_running, "is filled at once");
    CHECK(sum(&area) > 0, "with times");
    CHECK(blocked_grows(first.time[RUNSTATE_blocked], &area), "it counts sleep too");
#ifdef __x86_64__
    registration.addr.p = 1UL << 62;
    CHECK_EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &registration), -XEN_EFAULT, "an impossible address");
#endif
    CHECK(!(area.state_entry_time & XEN_RUNSTATE_UPDATE), "without the update flag unless asked for");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0, "asked for it");
    sleep_until(time_monotonic_ns() + 2 * MS);
    CHECK(!(area.state_entry_time & XEN_RUNSTATE_UPDATE), "is off again when we look");
    HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag);
}

static volatile unsigned int ticks;

static void count(evtchn_port_t port, void *data)
{
    ticks++;
}

static unsigned int ticks_in(uint64_t ns)
{
    unsigned int before = ticks;

    time_spin_ns(ns);
    return ticks - before;
}

/* Spins until `n` ticks came since there were `before`, or the time is over. */
static bool ticked_since(unsigned int before, unsigned int n, uint64_t ns)
{
    uint64_t end = time_monotonic_ns() + ns;

    while (ticks - before < n)
        if (time_monotonic_ns() > end)
            return false;
    return true;
}

static void test_timers(void)
{
    struct vcpu_set_singleshot_timer single = {.timeout_abs_ns = 1, .flags = VCPU_SSHOTTMR_future};
    struct vcpu_set_periodic_timer periodic = {.period_ns = 5 * MS};
    unsigned int before;
    uint64_t wanted;

    check_group("timers");
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NONE);
    HYPERVISOR_set_timer_op(0);
    ticks_in(5 * MS);
    CHECK_EQ(ticks_in(30 * MS), 0, "stopped, nothing ticks");
    before = ticks;
    CHECK_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &single), 0, "a time that is over");
    CHECK(ticked_since(before, 1, 5000 * MS), "is told without another event");
    CHECK_EQ(ticks_in(20 * MS), 0, "once");
    before = ticks;
    wanted = single.timeout_abs_ns = time_monotonic_ns() + 20 * MS;
    CHECK_EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &single), 0, "one 20 ms ahead");
    CHECK(ticked_since(before, 1, 5000 * MS), "comes");
    CHECK(time_monotonic_ns() >= wanted - 100000, "not before its time");
    single.timeout_abs_ns = time_monotonic_ns() + 60 * MS;
    vcpu_op(VCPUOP_set_singleshot_timer, 0, &single);
    CHECK_EQ(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NONE), 0, "one can be stopped");
    CHECK_EQ(ticks_in(80 * MS), 0, "and does not come");
    before = ticks;
    CHECK_EQ(HYPERVISOR_set_timer_op(time_monotonic_ns() + 10 * MS), 0, "the old call sets the same one");
    CHECK(ticked_since(before, 1, 5000 * MS), "that comes");
    before = ticks;
    CHECK_EQ(HYPERVISOR_set_timer_op(1ULL << 62), 0, "a time in a century");
    CHECK(ticked_since(before, 1, 5000 * MS), "is taken for a mistake and comes in a tenth of a second");
    CHECK_EQ(HYPERVISOR_set_timer_op(time_monotonic_ns() + 60 * MS), 0, "one set");
    CHECK_EQ(HYPERVISOR_set_timer_op(0), 0, "and taken back");
    CHECK_EQ(ticks_in(80 * MS), 0, "does not come");
    CHECK_EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &periodic), 0, "every 5 ms");
    CHECK(ticked_since(ticks, 10, 10000 * MS), "ticks come");
    CHECK_EQ(vcpu_op(VCPUOP_stop_periodic_timer, 0, NONE), 0, "until");
    ticks_in(10 * MS);
    CHECK_EQ(ticks_in(30 * MS), 0, "they are stopped");
}

static void test_clock(void)
{
    struct vcpu_time_info *t = &shared_info->vcpu_info[0].time;
    struct timespec day;
    uint64_t last = 0;
    uint32_t version = t->version;
    bool backwards = false;

    check_group("time");
    CHECK(!(version & 1), "the time is not being written while we read it");
    CHECK(t->tsc_to_system_mul != 0, "it has a rate");
    for (int i = 0; i < 100000; i++) {
        uint64_t now = time_monotonic_ns();

        backwards |= now < last;
        last = now;
    }
    CHECK(!backwards, "it never goes back");
    time_wallclock(&day);
    CHECK(day.tv_sec > 1700000000, "the day's time is of this age");
    CHECK(!(shared_info->wc_version & 1), "and whole");
}

static volatile struct vcpu_time_info secondary __attribute__((aligned(64)));

static void test_time_area(void)
{
    struct vcpu_register_time_memory_area registration;

    check_group("time area");
    memset(&registration, 0, sizeof(registration));
    registration.addr.v = (struct vcpu_time_info *)&secondary;
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &registration), 0, "a second place for the time");
    CHECK(secondary.tsc_to_system_mul != 0 && !(secondary.version & 1), "has it");
    registration.addr.p = 0;
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, nowhere), -XEN_EFAULT, "an area named nowhere");
}

static long poll(evtchn_port_t *ports, unsigned int n, uint64_t until)
{
    struct sched_poll arg = {.nr_ports = n, .timeout = until};

    set_xen_guest_handle(arg.ports, ports);
    return HYPERVISOR_sched_op(SCHEDOP_poll, &arg);
}

static evtchn_port_t polled;

static long poll_until(uint64_t until)
{
    return poll(&polled, 1, until);
}

static void test_sleep(void)
{
    evtchn_port_t ports[2];
    uint64_t start, until;
    int port = event_bind_ipi(0, count, NULL);

    check_group("sleep");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_yield, NULL), 0, "giving way");
    CHECK_EQ(HYPERVISOR_sched_op(99, NULL), -XEN_ENOSYS, "nothing of the kind");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_sched_op_compat, SCHEDOP_yield, 0), 0, "the old call does it too");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_sched_op_compat, 77, 0), -XEN_ENOSYS, "and no more");
    ports[0] = polled = (evtchn_port_t)port;
    event_mask(ports[0]);
    CHECK_EQ(check_sleep(poll_until, &until), 0, "waiting for a port");
    CHECK(time_monotonic_ns() >= until - MS, "ends with its time");
    event_notify(ports[0]);
    start = time_monotonic_ns();
    CHECK_EQ(poll(ports, 1, start + 20000 * MS), 0, "when it is pending already");
    CHECK(time_monotonic_ns() < start + 10000 * MS, "at once");
    ports[0] = 0;
    CHECK_EQ(poll(ports, 1, start), -XEN_EINVAL, "port 0");
    ports[0] = 1u << 30;
    CHECK_EQ(poll(ports, 1, start), -XEN_EINVAL, "a port that cannot be");
    CHECK_EQ(poll(ports, 1000, start), -XEN_EINVAL, "too many ports");
    CHECK_EQ(poll(nowhere, 2, start), -XEN_EFAULT, "ports that are nowhere");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_poll, nowhere), -XEN_EFAULT, "nothing to wait for");
    event_test_and_clear((evtchn_port_t)port);
    event_unmask((evtchn_port_t)port);
    start = time_monotonic_ns();
    ticks = 0;
    irq_disable();
    HYPERVISOR_set_timer_op(start + 20 * MS);
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_block, NULL), 0, "sleeping until an event");
    sleep_until(start + 20 * MS);
    CHECK(time_monotonic_ns() >= start + 19 * MS, "takes as long as that takes");
    CHECK(ticks > 0, "the event is delivered");
    event_close((evtchn_port_t)port);
}

static void test_watchdog(void)
{
    struct sched_watchdog dog = {.id = 3, .timeout = 100};
    long first, second;

    check_group("watchdogs");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_watchdog, nowhere), -XEN_EFAULT, "one that is nowhere");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_watchdog, &dog), -XEN_EINVAL, "a number that cannot be");
    dog.id = 1;
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_watchdog, &dog), -XEN_EINVAL, "one that was not started");
    dog.id = 0;
    first = HYPERVISOR_sched_op(SCHEDOP_watchdog, &dog);
    second = HYPERVISOR_sched_op(SCHEDOP_watchdog, &dog);
    CHECK_EQ(first, 1, "the first");
    CHECK_EQ(second, 2, "and a second");
    CHECK_EQ((int)HYPERVISOR_sched_op(SCHEDOP_watchdog, &dog), -XEN_ENOSPC, "but no third");
    dog.id = 1;
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_watchdog, &dog), 0, "it can be put off");
    dog.timeout = 0;
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_watchdog, &dog), 0, "and stopped");
    dog.id = 2;
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_watchdog, &dog), 0, "so can the other");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_watchdog, &dog), -XEN_EINVAL, "once");
}

static void test_others(void)
{
    struct sched_remote_shutdown remote = {.domain_id = 0x7000, .reason = SHUTDOWN_crash};
    struct sched_pin_override pin = {.pcpu = -1};

    check_group("what dom0 may");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &remote), -XEN_ESRCH, "ending a domain that is not there");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_pin_override, &pin), pv_is_dom0() ? -XEN_EINVAL : -XEN_EPERM,
             "ending a pinning that was not begun");
    if (!pv_is_dom0())
        return;
    pin.pcpu = 1 << 20;
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_pin_override, &pin), -XEN_EINVAL, "a CPU that cannot be");
    pin.pcpu = 0;
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_pin_override, &pin), 0, "to CPU 0 for a while");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_yield, NULL), 0, "goes on there");
    pin.pcpu = -1;
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_pin_override, &pin), 0, "and back");
}

static volatile unsigned int beats, stop, up;

static void beat(void *arg)
{
    up++;
    while (!stop)
        beats++;
    up--;
    vcpu_op(VCPUOP_down, (unsigned int)(unsigned long)arg, NONE);
}

static void test_smp(void)
{
    struct vcpu_runstate_info state;
    unsigned int before;

    if (smp_cpu_count() < 2)
        return;
    check_group("several vCPUs");
    CHECK_EQ(vcpu_op(VCPUOP_is_up, 1, NONE), 0, "the second is down at first");
    CHECK_EQ(vcpu_op(VCPUOP_up, 1, NONE), -XEN_EINVAL, "and cannot come up before it has a context");
    CHECK_EQ(smp_start(1, beat, (void *)1), 0, "it is started");
    for (uint64_t end = time_monotonic_ns() + 20000 * MS; !up && time_monotonic_ns() < end;)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    CHECK_EQ(up, 1, "it runs");
    CHECK_EQ(vcpu_op(VCPUOP_is_up, 1, NONE), 1, "it is up");
    CHECK_EQ(vcpu_op(VCPUOP_down, 1, NONE), 0, "it can be taken down from here");
    CHECK_EQ(vcpu_op(VCPUOP_is_up, 1, NONE), 0, "then it is down");
    for (uint64_t end = time_monotonic_ns() + 20000 * MS; time_monotonic_ns() < end;) {
        vcpu_op(VCPUOP_get_runstate_info, 1, &state);
        if (state.state == RUNSTATE_offline)
            break;
    }
    CHECK_EQ(state.state, RUNSTATE_offline, "and soon offline");
    before = beats;
    time_spin_ns(20 * MS);
    CHECK_EQ(beats, before, "it stands still");
    CHECK_EQ(vcpu_op(VCPUOP_up, 1, NONE), 0, "up again");
    for (uint64_t end = time_monotonic_ns() + 20000 * MS; beats == before && time_monotonic_ns() < end;)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    CHECK(beats != before, "it goes on where it was");
    stop = 1;
    for (uint64_t end = time_monotonic_ns() + 20000 * MS; vcpu_op(VCPUOP_is_up, 1, NONE) && time_monotonic_ns() < end;)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    CHECK_EQ(vcpu_op(VCPUOP_is_up, 1, NONE), 0, "it can take itself down");
    CHECK_EQ(vcpu_op(VCPUOP_initialise, 1, &state), -XEN_EEXIST, "it has a context already");
}

/* Last, since it cannot be undone. */
static void test_vcpu_info(void)
{
    struct vcpu_register_vcpu_info place;
    struct vcpu_info *info = pages_alloc(1);
    unsigned int other = smp_cpu_count() > 1 ? 1 : 0;

    check_group("vcpu_info");
    memset(info, 0, PAGE_SIZE);
    place = (struct vcpu_register_vcpu_info){.mfn = virt_to_mfn(info), .offset = 128};
    if (!other)
        return;
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_info, other, &place), 0, "a place of its own");
    info = (struct vcpu_info *)((char *)info + 128);
    CHECK_EQ(info->evtchn_upcall_pending, 1, "everything counts as pending there");
    CHECK_EQ(info->evtchn_pending_sel, ~0UL, "in every word");
    CHECK_EQ(vcpu_op(VCPUOP_register_vcpu_info, other, &place), -XEN_EINVAL, "it moves once");
    CHECK(pages_protect((void *)((unsigned long)info & PAGE_MASK), 1, false) == 0, "the page can be protected");
    CHECK(pages_protect((void *)((unsigned long)info & PAGE_MASK), 1, true) == 0, "and again not");
}

/* The library may have bound it. */
static int timer_port(void)
{
    for (evtchn_port_t port = 1; port < 64; port++) {
        struct evtchn_status status = {.dom = DOMID_SELF, .port = port};

        if (HYPERVISOR_event_channel_op(EVTCHNOP_status, &status) == 0 && status.status == EVTCHNSTAT_virq &&
            status.u.virq == VIRQ_TIMER)
            return (int)port;
    }
    return -1;
}

int main(int argc, char **argv)
{
    int timer;

    nowhere = vspace_alloc(1);
    timer = timer_port();
    if (timer < 0) {
        timer = event_bind_virq(VIRQ_TIMER, 0, count, NULL);
    } else {
        event_clear_handler((evtchn_port_t)timer);
        event_set_handler((evtchn_port_t)timer, count, NULL);
    }
    CHECK(timer > 0, "the timer's event is ours");
    test_version();
    test_assists();
    test_nmi();
    test_errors();
    test_clock();
    test_time_area();
    test_runstate();
    test_timers();
    test_sleep();
    test_watchdog();
    test_others();
    test_smp();
    test_vcpu_info();
    return check_summary("vcpu") != 0;
}

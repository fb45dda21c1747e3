/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Clocks out of the shared page. The hypervisor bumps a version before and after it writes (odd while writing); a
 * reader takes its copy only between two equal even versions.
 */
#include <errno.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/smp.h>
#include <pv/time.h>
#include "internal.h"

/* ticks * mul >> 32 without 128-bit arithmetic. */
static uint64_t scale(uint64_t ticks, uint32_t mul, int shift)
{
    if (shift >= 0)
        ticks <<= shift;
    else
        ticks >>= -shift;
    return (ticks >> 32) * mul + (((ticks & 0xffffffffU) * mul) >> 32);
}

/* The hypervisor's clock plus `offset` is ours. Both change only while no other vCPU runs. */
static uint64_t offset, suspended_ns;
static uint64_t stopped_at, stopped_wall;

static uint64_t host_ns(void)
{
    const volatile struct vcpu_time_info *info = &shared_info->vcpu_info[smp_cpu_id()].time;
    uint64_t stamp, system, now;
    uint32_t version, mul;
    int shift;

    do {
        version = info->version;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        stamp = info->tsc_timestamp;
        system = info->system_time;
        mul = info->tsc_to_system_mul;
        shift = info->tsc_shift;
        now = time_tsc();
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } while ((version & 1) != 0 || version != info->version);
    return system + (now > stamp ? scale(now - stamp, mul, shift) : 0);
}

uint64_t time_monotonic_ns(void)
{
    return host_ns() + offset;
}

uint64_t time_suspended_ns(void)
{
    return suspended_ns;
}

/* Since 1970. */
static uint64_t wall_ns(void)
{
    const volatile struct shared_info *info = shared_info;
    uint32_t version;
    uint64_t seconds, ns;

    do {
        version = info->wc_version;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        seconds = info->wc_sec;
#ifdef __x86_64__
        seconds |= (uint64_t)info->wc_sec_hi << 32;
#else
        seconds |= (uint64_t)info->arch.wc_sec_hi << 32;
#endif
        ns = info->wc_nsec;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } while ((version & 1) != 0 || version != info->wc_version);
    return seconds * 1000000000U + ns + host_ns();
}

void time_wallclock(struct timespec *when)
{
    uint64_t ns = wall_ns();

    when->tv_sec = (time_t)(ns / 1000000000U);
    when->tv_nsec = (long)(ns % 1000000000U);
}

uint64_t time_stop(void)
{
    stopped_wall = wall_ns();
    stopped_at = time_monotonic_ns();
    return stopped_at;
}

/* The wall clock of another host may be behind ours. */
uint64_t time_go_on(void)
{
    uint64_t wall = wall_ns(), away = wall > stopped_wall ? wall - stopped_wall : 0;

    offset = stopped_at - host_ns();
    suspended_ns += away;
    return away;
}

void time_spin_ns(uint64_t ns)
{
    uint64_t end = time_monotonic_ns() + ns;

    while (time_monotonic_ns() < end)
        __builtin_ia32_pause();
}

int timer_set(uint64_t deadline_ns)
{
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = deadline_ns - offset};

    if (deadline_ns == 0)
        return (int)pv_error(HYPERVISOR_vcpu_op(VCPUOP_stop_singleshot_timer, smp_cpu_id(), NULL));
    return (int)pv_error(HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, smp_cpu_id(), &timer));
}

void time_poll_until(uint64_t deadline_ns)
{
    struct sched_poll poll = {.timeout = deadline_ns - offset};

    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

/* The interrupt's only work is to end the idle loop's block. */
static void timer_fired(evtchn_port_t port, void *data)
{
}

/* A toolstack that ends a suspension without a word leaves the port of before bound. */
void time_bind(void)
{
    static int port;
    int bound;

    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    bound = event_bind_virq(VIRQ_TIMER, 0, timer_fired, NULL);
    if (bound == -EEXIST && port > 0)
        bound = event_set_handler((evtchn_port_t)port, timer_fired, NULL) == 0 ? port : bound;
    if (bound < 0)
        pv_panic("no timer interrupt: %d\n", bound);
    port = bound;
}

void time_init(void)
{
    time_bind();
}

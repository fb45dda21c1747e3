/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * System time from the TSC, and what guests are told of it. All CPUs' TSCs are taken to count alike and together, as
 * they do on every machine of the last decade and under the emulator.
 */
#include "sched/clock.h"
#include "sched/runstate.h"
#include "guest_access.h"
#include "emulate.h"

static struct time_scale scale;
static u64 tsc_at_boot, tsc_hz;
static s64 wall_at_boot; /* ns since 1970 at system time 0 */
static spinlock_t wall_lock;

ns_t time_now(void)
{
    return time_scale_apply(&scale, read_tsc() - tsc_at_boot);
}

u64 tsc_khz(void)
{
    return tsc_hz / 1000;
}

void time_boot(void)
{
    tsc_hz = clock_measure_tsc();
    time_scale_set(&scale, tsc_hz);
    tsc_at_boot = read_tsc();
    wall_at_boot = (s64)(clock_read_cmos() * 1000000000);
    logf(LOG_INFO, "TSC %lu.%03lu MHz\n", tsc_hz / 1000000, tsc_hz / 1000 % 1000);
}

/* wc_version is odd while the rest changes; a guest that writes there harms only itself. */
static void write_wall_clock(u32 *version, u32 *sec, u32 *nsec, u32 *sec_hi, u64 wall)
{
    u32 old = READ_ONCE(*version);

    WRITE_ONCE(*version, old | 1);
    barrier();
    WRITE_ONCE(*sec, (u32)(wall / 1000000000));
    WRITE_ONCE(*nsec, (u32)(wall % 1000000000));
    WRITE_ONCE(*sec_hi, (u32)(wall / 1000000000 >> 32));
    barrier();
    WRITE_ONCE(*version, (old | 1) + 1);
}

void update_domain_wallclock(struct domain *d)
{
    u64 wall;

    spin_lock(&wall_lock);
    wall = (u64)(wall_at_boot + d->time_offset_seconds * 1000000000);
    if (!d->shared_info)
        ;
    else if (d->is_32bit)
        write_wall_clock(&d->compat_shared_info->wc_version, &d->compat_shared_info->wc_sec,
                         &d->compat_shared_info->wc_nsec, &d->compat_shared_info->arch.wc_sec_hi, wall);
    else
        write_wall_clock(&d->shared_info->wc_version, &d->shared_info->wc_sec, &d->shared_info->wc_nsec,
                         &d->shared_info->wc_sec_hi, wall);
    spin_unlock(&wall_lock);
}

void time_forget_domain(struct domain *d)
{
    spin_lock(&wall_lock);
    d->shared_info = NULL;
    spin_unlock(&wall_lock);
}

void set_wall_clock(u64 seconds, u32 nanoseconds, ns_t system_time)
{
    spin_lock(&wall_lock);
    wall_at_boot = (s64)(seconds * 1000000000 + nanoseconds - system_time);
    spin_unlock(&wall_lock);
    spin_lock(&domain_list_lock);
    for (struct domain *d = domain_first(); d; d = d->next)
        update_domain_wallclock(d);
    spin_unlock(&domain_list_lock);
}

static void fill_time(struct vcpu_time_info *info)
{
    info->tsc_timestamp = read_tsc();
    info->system_time = time_scale_apply(&scale, info->tsc_timestamp - tsc_at_boot);
    info->tsc_to_system_mul = scale.mul;
    info->tsc_shift = scale.shift;
    info->flags = cpu_features.invariant_tsc ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
}

static void update_secondary(struct vcpu *v, struct vcpu_time_info *info)
{
    unsigned long area = v->time.secondary_area;
    bool borrowed = borrow_kernel_table(v);
    u32 old;

    if (!copy_from_guest(&old, area, sizeof(old))) {
        u32 odd = old | 1, even = odd + 1;

        info->version = odd;
        if (!copy_to_guest(area, &odd, sizeof(odd)) && !copy_to_guest(area, info, sizeof(*info)) &&
            copy_to_guest(area, &even, sizeof(even)))
            guest_logf(LOG_DEBUG, "time area at %lx vanished\n", area);
    }
    return_kernel_table(v, borrowed);
}

/* v is current, or not running at all. The time fields lie at the same place in vcpu_info of both widths. */
void update_vcpu_time(struct vcpu *v)
{
    struct vcpu_time_info *shared = v->info ? &v->info->time : NULL, now = {0};
    u32 version;

    if (!shared)
        return;
    fill_time(&now);
    version = READ_ONCE(shared->version) | 1;
    WRITE_ONCE(shared->version, version);
    barrier();
    shared->tsc_timestamp = now.tsc_timestamp;
    shared->system_time = now.system_time;
    shared->tsc_to_system_mul = now.tsc_to_system_mul;
    shared->tsc_shift = now.tsc_shift;
    shared->flags = now.flags;
    barrier();
    WRITE_ONCE(shared->version, version + 1);
    if (v->time.secondary_area && v == current)
        update_secondary(v, &now);
}

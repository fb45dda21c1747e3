/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Keys typed at the hypervisor's own console, and sysctl's debug_keys.
 */
#include "domain.h"
#include "dev/console.h"
#include "dev/power.h"
#include "lib/symbols.h"

static void help(void);

static void all_domains(void (*show)(struct domain *))
{
    spin_lock(&domain_list_lock);
    for (struct domain *d = domain_first(); d; d = d->next)
        show(d);
    spin_unlock(&domain_list_lock);
}

static void show_domain(struct domain *d)
{
    logf(LOG_ERROR, "d%u: %s-bit, %u vCPUs, %lu of %lu pages%s%s%s\n", d->id, d->is_32bit ? "32" : "64", d->max_vcpus,
         d->mm.tot_pages, d->mm.max_pages, d->pause_count ? ", paused" : "", d->shut_down ? ", shut down" : "",
         d->dying ? ", dying" : "");
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpus[i];
        if (v)
            logf(LOG_ERROR, "  v%u: on CPU %u%s, blocked by %#x, rip %#lx, upcall pending %u mask %u\n", i,
                 v->processor, v->sched.on_cpu ? " now" : "", v->sched.blocked_by, (unsigned long)v->regs.rip,
                 v->info ? vcpu_upcall_pending(v) : 0, v->info ? vcpu_upcall_mask(v) : 0);
    }
}

static void domains(void)
{
    all_domains(show_domain);
}

static void events(void)
{
    all_domains(evtchn_dump);
}

static void grants(void)
{
    all_domains(grant_dump);
}

static void memory(void)
{
    logf(LOG_ERROR, "memory: %lu KiB, free %lu KiB, ours %lu KiB\n", total_frames * 4, free_frames() * 4,
         hypervisor_frames * 4);
    all_domains(domain_mm_dump);
}

static void audit(void)
{
    frames_audit(false);
}

static void registers(void)
{
    print_registers(guest_regs(), 16);
    print_backtrace((unsigned long)__builtin_frame_address(0));
}

/* Each with what it says of itself: the key, and what it shows. */
static const struct {
    void (*run)(void);
    const char *help;
} keys[] = {
    {help, "h this list"},
    {domains, "q domains and their vCPUs"},
    {events, "e event channels"},
    {grants, "g grant tables"},
    {memory, "m memory"},
    {audit, "f audit frames"},
    {sched_dump, "r run queues"},
    {registers, "d registers and stack of this CPU"},
    {machine_restart, "R restart the machine"},
};

static void help(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
        logf(LOG_ERROR, " %s\n", keys[i].help);
}

void debug_key(char key)
{
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].help[0] == key) {
            logf(LOG_ERROR, "'%c' pressed:%s\n", key, keys[i].help + 1);
            keys[i].run();
        }
    }
}

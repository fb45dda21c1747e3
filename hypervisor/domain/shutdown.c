/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How a domain ends its own run: shutdown with a reason that the toolstack reads, resume after a suspend that was called
 * off, and the crash of a guest that broke a rule, with a report of what it was doing. A domain that is shut down keeps
 * everything it has until the toolstack destroys it. dom0's own shutdown is the machine's.
 */
#include "domain.h"
#include "guest_access.h"
#include "cpu/cpu.h"
#include "boot/cmdline.h"
#include "dev/power.h"
#include "lib/symbols.h"
#include "abi/sched.h"

#define STACK_WORDS 16

static void shutdown_machine(unsigned reason)
{
    static const char *const reasons[] = {"halted", "asks for a reboot", "suspended", "crashed", "missed its watchdog"};
    const char *what = reason < ARRAY_SIZE(reasons) ? reasons[reason] : "stopped for an unknown reason";

    logf(LOG_ERROR, "dom0 %s\n", what);
    if (options.audit_frames)
        frames_audit(false);
    if (reason == SHUTDOWN_poweroff || (options.noreboot && reason != SHUTDOWN_reboot))
        machine_poweroff();
    machine_restart();
}

/* Under d->lock: every vCPU stops, this CPU's own on its way out. */
static void stop_vcpus(struct domain *d)
{
    for (u32 i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpus[i];

        if (!v || v->sched.paused_for_shutdown)
            continue;
        v->sched.paused_for_shutdown = true;
        vcpu_pause(v);
    }
}

void domain_shutdown(struct domain *d, unsigned reason)
{
    u32 port = 0;

    spin_lock(&d->lock);
    if (d->shutdown_code == SHUTDOWN_NONE)
        d->shutdown_code = (u8)reason;
    reason = d->shutdown_code;
    if (d->initial) {
        spin_unlock(&d->lock);
        shutdown_machine(reason);
    }
    if (d->shutting_down) {
        spin_unlock(&d->lock);
        return;
    }
    d->shutting_down = true;
    stop_vcpus(d);
    d->shut_down = true;
    if (reason == SHUTDOWN_suspend)
        port = d->suspend_port;
    spin_unlock(&d->lock);
    if (port)
        evtchn_send(d, port);
    else
        send_global_virq(VIRQ_DOM_EXC);
}

void domain_resume(struct domain *d)
{
    domain_pause_sync(d);
    spin_lock(&d->lock);
    d->shutting_down = d->shut_down = false;
    d->shutdown_code = SHUTDOWN_NONE;
    for (u32 i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpus[i];

        if (!v || !v->sched.paused_for_shutdown)
            continue;
        v->sched.paused_for_shutdown = false;
        vcpu_unpause(v);
    }
    spin_unlock(&d->lock);
    domain_unpause(d);
}

static void report_registers(const struct vcpu *v, const struct cpu_regs *r)
{
    logf(LOG_ERROR, "  %s\n",
         v->is_32bit      ? "ring 1 or 3, 32-bit"
         : v->kernel_mode ? "64-bit kernel mode"
                          : "64-bit user mode");
    print_registers(r, v->is_32bit ? 8 : 16);
    logf(LOG_ERROR, "  cr2 %016lx  cr3 %016lx  kernel stack %04x:%016lx\n", v->ctrlreg[2], v->mm.cr3, v->kernel_ss,
         v->kernel_sp);
}

static void report_stack(const struct vcpu *v, unsigned long sp)
{
    size_t word = v->is_32bit ? 4 : 8;

    logf(LOG_ERROR, "  stack from %016lx:\n", sp);
    for (unsigned i = 0; i < STACK_WORDS; i += 4) {
        u64 words[4] = {0};
        unsigned got = 0;

        for (; got < 4; got++)
            if (copy_from_guest(&words[got], sp + (i + got) * word, word))
                break;
        if (got == 4)
            logf(LOG_ERROR, "    %016lx %016lx %016lx %016lx\n", words[0], words[1], words[2], words[3]);
        else {
            logf(LOG_ERROR, "    (not readable)\n");
            return;
        }
    }
}

void domain_crash(struct domain *d, const char *format, ...)
{
    struct vcpu *v = current;
    va_list args;

    if (d->shutting_down)
        return;
    va_start(args, format);
    vsnprintf(d->crash_text, sizeof(d->crash_text), format, args);
    va_end(args);
    if (v->domain == d) {
        logf(LOG_ERROR, "Domain %u (vcpu#%u) crashed on cpu#%u: %s\n", d->id, v->id, this_cpu()->cpu, d->crash_text);
        report_registers(v, guest_regs());
        report_stack(v, guest_regs()->rsp);
    } else {
        logf(LOG_ERROR, "Domain %u crashed: %s\n", d->id, d->crash_text);
    }
    domain_shutdown(d, SHUTDOWN_crash);
}

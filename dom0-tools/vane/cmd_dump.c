/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What one does to a guest that misbehaves: dump-core, trigger, sysrq.
 */
#include "domains.h"
#include "dumping.h"
#include "json.h"
#include "store.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <abi/sched.h>

static void report(struct vane *vane, domid_t domid, const char *path, uint64_t bytes)
{
    struct json json;

    say(vane, "Domain %u: %llu MiB written to %s.\n", domid, (unsigned long long)(bytes >> 20), path);
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_number(&json, "domid", domid);
    json_string(&json, "name", path);
    json_number(&json, "bytes", bytes);
    json_close(&json, '}');
    json_end(&json);
}

int cmd_dump_core(struct vane *vane, int argc, char **argv)
{
    bool crash = option(&argc, argv, "-C", "--crash") || option(&argc, argv, "-c", NULL);
    bool live = option(&argc, argv, "-l", "--live") || option(&argc, argv, "-L", NULL);
    bool reset = option(&argc, argv, "-r", "--reset") || option(&argc, argv, "-R", NULL);
    struct xen_domctl_getdomaininfo info;
    uint64_t bytes;

    if (check_arguments(vane, argc, argv, 2, 2) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    if (info.domain == 0)
        return fail(vane, "domain 0 is the one you are talking to; it cannot write its own memory down");
    if (crash && reset)
        return fail(vane, "--crash and --reset exclude each other");
    if ((crash || reset) && (info.flags & XEN_DOMINF_shutdown) != 0)
        return fail(vane, "domain %u has ended already (%s); dump it without --crash or --reset", info.domain,
                    shutdown_reason_name(shutdown_reason(&info)));
    if (dump_domain(vane, info.domain, argv[2], live, &bytes) != 0)
        return 1;
    report(vane, info.domain, argv[2], bytes);
    if ((crash || reset) && ctl_domain_shut_down(vane->ctl, info.domain, crash ? SHUTDOWN_crash : SHUTDOWN_reboot) != 0)
        return fail(vane, "domain %u was dumped, but ending it failed: %s", info.domain, strerror(errno));
    return 0;
}

static const char *const trigger_names[] = {
    [XEN_DOMCTL_SENDTRIGGER_NMI] = "nmi",     [XEN_DOMCTL_SENDTRIGGER_RESET] = "reset",
    [XEN_DOMCTL_SENDTRIGGER_INIT] = "init",   [XEN_DOMCTL_SENDTRIGGER_POWER] = "power",
    [XEN_DOMCTL_SENDTRIGGER_SLEEP] = "sleep",
};
#define TRIGGERS (sizeof(trigger_names) / sizeof(trigger_names[0]))

static int refused(struct vane *vane, domid_t domid, const char *trigger, uint64_t vcpu)
{
    if (errno == ESRCH)
        return fail(vane, "domain %u has no vCPU %llu", domid, (unsigned long long)vcpu);
    if (errno == ENOSYS || errno == EINVAL)
        return fail(vane, "%s is a line of emulated hardware, which a paravirtualized guest does not have; nmi works",
                    trigger);
    return fail(vane, "sending %s to domain %u failed: %s", trigger, domid, strerror(errno));
}

int cmd_trigger(struct vane *vane, int argc, char **argv)
{
    uint64_t vcpu = 0;
    unsigned int trigger = 0;
    domid_t domid;

    if (check_arguments(vane, argc, argv, 2, 3) != 0 || find_domain(vane, argv[1], &domid) != 0)
        return 1;
    while (trigger < TRIGGERS && strcmp(argv[2], trigger_names[trigger]) != 0)
        trigger++;
    if (domid == 0)
        return fail(vane, "domain 0 is the one you are talking to; debug-keys asks the hypervisor about it");
    if (strcmp(argv[2], "s3resume") == 0) {
        errno = EINVAL;
        return refused(vane, domid, argv[2], 0);
    }
    if (trigger == TRIGGERS)
        return fail_usage(vane, "there is no trigger \"%s\"", argv[2]);
    if (argc > 3 && (!parse_unsigned(argv[3], &vcpu) || vcpu > UINT32_MAX))
        return fail_usage(vane, "\"%s\" is no vCPU's number", argv[3]);
    if (ctl_vcpu_trigger(vane->ctl, domid, (unsigned int)vcpu, trigger) != 0)
        return refused(vane, domid, argv[2], vcpu);
    json_ok(vane);
    return 0;
}

int cmd_sysrq(struct vane *vane, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo info;

    if (check_arguments(vane, argc, argv, 2, 2) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    if (strlen(argv[2]) != 1 || !isgraph((unsigned char)argv[2][0]))
        return fail_usage(vane, "one letter is wanted, not \"%s\"", argv[2]);
    if (info.flags & XEN_DOMINF_shutdown)
        return fail(vane, "domain %u has ended already (%s)", info.domain,
                    shutdown_reason_name(shutdown_reason(&info)));
    if (info.domain == 0)
        return fail(vane, "domain 0 is the one you are talking to; it has no such keys");
    if (!store_write(vane->xs, info.domain, "control/sysrq", "%c", argv[2][0]))
        return fail(vane, "asking domain %u failed: %s", info.domain, strerror(errno));
    json_ok(vane);
    return 0;
}

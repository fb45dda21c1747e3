/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The embedded dom0: store, console backend, the watch over domains, and the prompt, in one image. Options on its
 * command line: vane.run=COMMAND; COMMAND ... runs the rest of the line before the first prompt.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/paging.h>
#include <pv/pv.h>

#include "dom0-tools/block/vbd.h"
#include "dom0-tools/console/console.h"
#include "dom0-tools/machine/machine.h"
#include "dom0-tools/network/netback.h"
#include "dom0-tools/xenstored/start.h"
#include "guest-pv/libc/ramfs.h"
#include "lifecycle.h"
#include "receiving.h"
#include "shell.h"
#include "store.h"

static struct vane vane;

static int start(const char *what, int status)
{
    if (status != 0)
        fprintf(stderr, "vane: %s could not start: %s\n", what, strerror(-status));
    return status;
}

/* Domain 0 gives and takes memory like any other: mem-set 0. What it started with is the most it can have. */
static void start_balloon(void)
{
    struct xen_domctl_getdomaininfo info;

    if (ctl_domain_info(vane.ctl, 0, &info) != 0 ||
        !store_write(vane.xs, 0, "memory/static-max", "%llu", (unsigned long long)info.tot_pages * 4) ||
        !store_write(vane.xs, 0, "memory/target", "%llu", (unsigned long long)info.tot_pages * 4)) {
        fprintf(stderr, "vane: domain 0's memory nodes could not be written: %s\n", strerror(errno));
        return;
    }
    (void)start("the balloon", pv_balloon_start());
}

/* /tmp may hold half of what dom0 has free when it starts. */
static void start_files(void)
{
    ramfs_set_limit((uint64_t)pages_free_count() * PAGE_SIZE / 2);
    mount_add(&ramfs);
}

static void greet(void)
{
    struct xen_sysctl_physinfo info;
    char extra[16] = "";
    int version = ctl_version(vane.ctl, XENVER_version, NULL, 0);

    (void)ctl_version(vane.ctl, XENVER_extraversion, extra, sizeof(extra) - 1);
    printf("Paravane, embedded dom0 (%d-bit). Xen ABI %d.%d%s", (int)sizeof(long) * 8, version >> 16, version & 0xffff,
           extra);
    if (ctl_physinfo(vane.ctl, &info) == 0)
        printf(", %u CPUs, %llu of %llu MiB free", info.nr_cpus, (unsigned long long)info.free_pages / 256,
               (unsigned long long)info.total_pages / 256);
    printf(".\nhelp lists the commands; ls /examples shows configurations to try.\n");
    fflush(stdout);
}

/* The prompt is on the screen, and the line being typed: dmesg shows what the daemons have to say. */
static void keep_quiet(const char *line)
{
}

int main(int argc, char **argv)
{
    const char *commands = strstr(pv_command_line(), "vane.run=");

    if (start("the xenstore", xenstored_start()) != 0 || start("the console backend", console_start()) != 0 ||
        !vane_open(&vane))
        pv_panic("the embedded dom0 cannot work without its services");
    domains_all_recorded = true;
    if (store_add_dom0(vane.xs) != 0)
        fprintf(stderr, "vane: writing dom0's own nodes failed: %s\n", strerror(errno));
    daemon_log_sink = keep_quiet;
    start_files();
    start_balloon();
    (void)start("the network backend", netback_start());
    (void)start("the block backend", vbd_start());
    (void)start("the watch over domains", lifecycle_start());
    (void)start("the machine's devices", machine_start());
    receiving_start();
    greet();
    if (commands != NULL) {
        char *copy = strdup(commands + strlen("vane.run="));

        if (copy != NULL)
            (void)shell_line(&vane, copy);
        free(copy);
    }
    shell_run(&vane);
}

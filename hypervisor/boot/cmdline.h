/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The command line, with Xen's option names where the meaning is the same.
 */
#ifndef HYPERVISOR_BOOT_CMDLINE_H
#define HYPERVISOR_BOOT_CMDLINE_H

#include "lib.h"

struct options {
    u64 dom0_mem, dom0_mem_max; /* bytes; 0: not given */
    unsigned dom0_max_vcpus;    /* 0: as many as CPUs */
    unsigned max_cpus;
    enum log_level log_level, guest_log_level;
    bool audit_frames; /* debug=frames: at each domain's end and the machine's */
    bool noreboot;
    bool serial; /* console=com1 */
    u16 serial_port;
    unsigned serial_baud; /* 0: as the firmware left it */
    bool console_to_ring; /* what dom0 prints goes into our ring too */
    char conswitch;       /* control character that switches the input; 0: none */
    bool switch_at_boot;  /* the input goes to dom0 from the start */
};

extern struct options options;
/* Unknown options and bad values are warnings, said once the console runs: cmdline_warn. */
void cmdline_parse(const char *line);
void cmdline_warn(void);

#endif

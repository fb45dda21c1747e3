/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Builds a PV domain: from a configuration and the bytes of its kernel to a paused domain that is ready to run. A step
 * that fails undoes everything before it and says what failed, on what, against which limit.
 */
#ifndef BUILDER_BUILDER_H
#define BUILDER_BUILDER_H

#include <xenforeignmemory.h>

#include "dom0-tools/config/domain_config.h"
#include "dom0-tools/libctl/ctl.h"
#include "elfimage.h"
#include "layout.h"

#define BUILD_ERROR_SIZE 320
#define BUILD_SLACK_KIB  1024u /* what a domain may own beyond its target, as xl allows */

struct build_error {
    char text[BUILD_ERROR_SIZE];
};

struct build_module {
    const void *data;
    size_t size;
    const char *command_line; /* in a package */
};

/* What goes in: the configuration, and its files. */
struct build_input {
    const struct domain_config *config;
    const void *kernel;
    size_t kernel_size;
    const struct build_module *modules;
    size_t module_count;
    bool module_package; /* the modules go as a list with command lines (SIF_MULTIBOOT_MOD) */
};

/* What comes of reading it, before any domain exists: enough for a dry run. */
struct build_plan {
    struct elf_image image;
    struct layout layout;
    uint64_t module_bytes; /* all modules with the list in front of several */
};

struct built_domain {
    domid_t domid;
    uint8_t uuid[16];
    xen_pfn_t store_mfn, console_frame;
    unsigned int store_port, console_port;
};

/* Checks everything that can be checked without a domain. */
int build_plan(struct ctl *ctl, const struct build_input *input, struct build_plan *plan, struct build_error *error);

/* Builds; the domain is left paused. */
int build_domain(struct ctl *ctl, xenforeignmemory_handle *memory, const struct build_input *input,
                 const struct build_plan *plan, struct built_domain *out, struct build_error *error);

/* Whether the machine has the memory of a configuration now. */
int build_check_free(struct ctl *ctl, const struct domain_config *config, struct build_error *error);

/* A paused domain of out->uuid with its limits, vCPUs, affinity and scheduling, without memory and of no width yet. */
int build_empty(struct ctl *ctl, const struct domain_config *config, struct built_domain *out,
                struct build_error *error);

/* Two ports for dom0 to bind, the store's and the console's, into `out`. 0, or -1 with errno. */
int build_ports(struct ctl *ctl, struct built_domain *out);

/* The grants through which dom0's daemons map store and console rings of out->domid. 0, or -1 with errno. */
int build_grants(struct ctl *ctl, xenforeignmemory_handle *memory, const struct built_domain *out);

int build_fail(struct build_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

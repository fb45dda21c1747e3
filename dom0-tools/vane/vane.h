/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the parts of the command line share: the handles below it, the way results and errors leave it, and the table
 * of verbs. A handler prints its result as text or, when `json` is set, as one JSON value, and returns 0 or 1.
 */
#ifndef VANE_VANE_H
#define VANE_VANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenforeignmemory.h>
#include <xenstore.h>

#include "dom0-tools/libctl/ctl.h"

struct vane {
    struct ctl *ctl;
    struct xs_handle *xs;
    xenforeignmemory_handle *memory;
    bool json;
    bool json_started; /* something was printed, so an error must not follow */
    const char *verb;
    char *error_text; /* not NULL: work behind the user's back, which prints nothing; errors go here */
};

#define VANE_ERROR_SIZE 512

enum completion { COMPLETE_NOTHING, COMPLETE_DOMAIN, COMPLETE_FILE, COMPLETE_VERB };

struct verb {
    const char *name;
    const char *arguments;
    const char *summary;
    const char *help; /* paragraphs and option lines, without the arguments */
    int (*run)(struct vane *vane, int argc, char **argv);
    enum completion completes; /* what the first argument is */
};

extern const struct verb verbs[];
extern const size_t verb_count;

const struct verb *verb_find(const char *name);

/* Opens the handles; false with a message printed. */
bool vane_open(struct vane *vane);
void vane_close(struct vane *vane);

/* Runs one command; argv[0] is the verb. The exit status. */
int vane_run(struct vane *vane, int argc, char **argv);

/* Output. say() is for text results and silent under --json; fail() prints the error and returns 1. */
void say(const struct vane *vane, const char *format, ...) __attribute__((format(printf, 2, 3)));
int fail(struct vane *vane, const char *format, ...) __attribute__((format(printf, 2, 3)));
int fail_usage(struct vane *vane, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True and the option taken out when argv has it (before "--"). option_value also takes `--long=V`, `-sV` and `-s V`. */
bool option(int *argc, char **argv, const char *brief, const char *full);
const char *option_value(int *argc, char **argv, const char *brief, const char *full);

/* The first remaining argument that looks like an option is an error; so is the wrong number of others. */
int check_arguments(struct vane *vane, int argc, char **argv, int least, int most);

/* "64", "64m", "1g", "65536k": KiB, from MiB when there is no letter. */
bool parse_memory(const char *text, uint64_t *kib);
bool parse_unsigned(const char *text, uint64_t *value);

/* The moment this program knows: nanoseconds that only go forward, and seconds since 1970. */
uint64_t clock_ns(void);
uint64_t clock_seconds(void);
void sleep_ns(uint64_t ns);

/* Handlers, by file. */
int cmd_create(struct vane *vane, int argc, char **argv);
int cmd_config(struct vane *vane, int argc, char **argv);

int cmd_list(struct vane *vane, int argc, char **argv);
int cmd_domid(struct vane *vane, int argc, char **argv);
int cmd_domname(struct vane *vane, int argc, char **argv);
int cmd_uptime(struct vane *vane, int argc, char **argv);
int cmd_top(struct vane *vane, int argc, char **argv);

int cmd_info(struct vane *vane, int argc, char **argv);
int cmd_devices(struct vane *vane, int argc, char **argv);
int cmd_dmesg(struct vane *vane, int argc, char **argv);
int cmd_debug_keys(struct vane *vane, int argc, char **argv);
int cmd_trace(struct vane *vane, int argc, char **argv);
int cmd_poweroff(struct vane *vane, int argc, char **argv);

int cmd_pause(struct vane *vane, int argc, char **argv);
int cmd_unpause(struct vane *vane, int argc, char **argv);
int cmd_suspend(struct vane *vane, int argc, char **argv);
int cmd_resume(struct vane *vane, int argc, char **argv);
int cmd_save(struct vane *vane, int argc, char **argv);
int cmd_migrate(struct vane *vane, int argc, char **argv);
int cmd_migrate_receive(struct vane *vane, int argc, char **argv);
int cmd_migrate_settle(struct vane *vane, int argc, char **argv);
int cmd_restore(struct vane *vane, int argc, char **argv);
int cmd_shutdown(struct vane *vane, int argc, char **argv);
int cmd_reboot(struct vane *vane, int argc, char **argv);
int cmd_destroy(struct vane *vane, int argc, char **argv);
int cmd_dump_core(struct vane *vane, int argc, char **argv);
int cmd_trigger(struct vane *vane, int argc, char **argv);
int cmd_sysrq(struct vane *vane, int argc, char **argv);
int cmd_rename(struct vane *vane, int argc, char **argv);

int cmd_vcpu_list(struct vane *vane, int argc, char **argv);
int cmd_vcpu_pin(struct vane *vane, int argc, char **argv);
int cmd_vcpu_set(struct vane *vane, int argc, char **argv);
int cmd_sched_credit2(struct vane *vane, int argc, char **argv);

int cmd_mem_set(struct vane *vane, int argc, char **argv);
int cmd_mem_max(struct vane *vane, int argc, char **argv);
void list_memory(struct vane *vane, const struct xen_domctl_getdomaininfo *infos, unsigned int count); /* list -m */

int cmd_console(struct vane *vane, int argc, char **argv);
int cmd_log(struct vane *vane, int argc, char **argv);

int cmd_block_attach(struct vane *vane, int argc, char **argv);
int cmd_block_detach(struct vane *vane, int argc, char **argv);
int cmd_block_list(struct vane *vane, int argc, char **argv);

int cmd_network_attach(struct vane *vane, int argc, char **argv);
int cmd_network_detach(struct vane *vane, int argc, char **argv);
int cmd_network_list(struct vane *vane, int argc, char **argv);
int cmd_network_switch(struct vane *vane, int argc, char **argv);

int cmd_xenstore_ls(struct vane *vane, int argc, char **argv);
int cmd_xenstore_read(struct vane *vane, int argc, char **argv);
int cmd_xenstore_write(struct vane *vane, int argc, char **argv);
int cmd_xenstore_rm(struct vane *vane, int argc, char **argv);
int cmd_xenstore_control(struct vane *vane, int argc, char **argv);

int cmd_ls(struct vane *vane, int argc, char **argv);
int cmd_cat(struct vane *vane, int argc, char **argv);
int cmd_cp(struct vane *vane, int argc, char **argv);
int cmd_rm(struct vane *vane, int argc, char **argv);
int cmd_mkdir(struct vane *vane, int argc, char **argv);

int cmd_help(struct vane *vane, int argc, char **argv);

#endif

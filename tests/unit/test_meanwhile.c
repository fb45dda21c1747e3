/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What else may happen to a domain while the toolstack waits for the store, the disks or a device: at each single one of
 * its waits, in turn, the domain is destroyed by somebody else, or its name is taken, or so many others end that the list
 * of ends goes round. Guards against a pointer that is kept over a wait, which is how a list that several threads change
 * becomes a use of freed memory; against nodes and devices of a domain that is no more; and against two of one name.
 */
#include <abi/sched.h>
#include <check.h>
#undef fail /* a macro there, a function here */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/console/console.h"
#include "dom0-tools/devices/attach.h"
#include "dom0-tools/network/switch.h"
#include "dom0-tools/vane/devices.h"
#include "dom0-tools/vane/dumping.h"
#include "dom0-tools/vane/ends.h"
#include "dom0-tools/vane/incoming.h"
#include "dom0-tools/vane/lifecycle.h"
#include "dom0-tools/vane/making.h"
#include "dom0-tools/vane/store.h"
#include "dom0-tools/vane/system.h"
#include "dom0-tools/vane/wholefile.h"
#include "dom0-tools/block/vbd.h"
#include "dom0-tools/builder/unpack.h"
#include "dom0-tools/builder/workspace.h"
#include "run_suite.h"

#define DOMAINS 64u
#define OLD     1u
#define WAITS   64u /* more than anything here has */

/* What the hypervisor, the store and the back ends have of a domain. */
static struct {
    bool alive, runs, shut, nodes, devices;
    unsigned int reason;
    uint8_t uuid[16];
} domains[DOMAINS];

static unsigned int last_made, waits_left;
static void (*meanwhile)(void);
static struct vane vane;

/* Where another thread may run. */
static void wait(void)
{
    if (waits_left > 0 && --waits_left == 0)
        meanwhile();
}

/* The hypervisor, which waits for nobody. */

static int known(domid_t domid)
{
    if (domid < DOMAINS && domains[domid].alive)
        return 0;
    errno = ESRCH;
    return -1;
}

static void describe(domid_t domid, struct xen_domctl_getdomaininfo *info)
{
    memset(info, 0, sizeof(*info));
    info->domain = domid;
    info->flags = domains[domid].shut ? XEN_DOMINF_shutdown | domains[domid].reason << XEN_DOMINF_shutdownshift : 0;
    memcpy(info->handle, domains[domid].uuid, sizeof(info->handle));
}

int ctl_domain_info(struct ctl *ctl, domid_t domid, struct xen_domctl_getdomaininfo *info)
{
    if (known(domid) == 0)
        describe(domid, info);
    return known(domid);
}

int ctl_domain_list(struct ctl *ctl, domid_t first, struct xen_domctl_getdomaininfo *infos, unsigned int max)
{
    unsigned int count = 0;

    for (unsigned int i = first; i < DOMAINS && count < max; i++)
        if (domains[i].alive)
            describe((domid_t)i, &infos[count++]);
    return (int)count;
}

int ctl_domain_destroy(struct ctl *ctl, domid_t domid)
{
    int status = known(domid);

    wait();
    if (status == 0)
        domains[domid].alive = false;
    return status;
}

int ctl_domain_pause(struct ctl *ctl, domid_t domid)
{
    return known(domid);
}

int ctl_domain_unpause(struct ctl *ctl, domid_t domid)
{
    if (known(domid) == 0)
        domains[domid].runs = true;
    return known(domid);
}

int ctl_domain_max_mem(struct ctl *ctl, domid_t domid, uint64_t kib)
{
    return known(domid);
}

int ctl_claim(struct ctl *ctl, domid_t domid, unsigned long pages)
{
    return known(domid);
}

int ctl_shadow_op(struct ctl *ctl, domid_t domid, unsigned int operation, unsigned int mode, void *bitmap,
                  uint64_t pages, struct xen_domctl_shadow_op_stats *stats)
{
    return known(domid);
}

/* The builder. */

int build_fail(struct build_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -1;
}

int build_plan(struct ctl *ctl, const struct build_input *input, struct build_plan *plan, struct build_error *error)
{
    return 0;
}

static void appear(domid_t domid, const uint8_t uuid[16])
{
    memset(&domains[domid], 0, sizeof(domains[domid]));
    domains[domid].alive = true;
    memcpy(domains[domid].uuid, uuid, sizeof(domains[domid].uuid));
}

int build_empty(struct ctl *ctl, const struct domain_config *config, struct built_domain *out,
                struct build_error *error)
{
    out->domid = (domid_t)++last_made;
    appear(out->domid, out->uuid);
    return 0;
}

int build_domain(struct ctl *ctl, xenforeignmemory_handle *memory, const struct build_input *input,
                 const struct build_plan *plan, struct built_domain *out, struct build_error *error)
{
    return build_empty(ctl, input->config, out, error);
}

int build_check_free(struct ctl *ctl, const struct domain_config *config, struct build_error *error)
{
    return 0;
}

int build_ports(struct ctl *ctl, struct built_domain *out)
{
    return known(out->domid);
}

int build_grants(struct ctl *ctl, xenforeignmemory_handle *memory, const struct built_domain *out)
{
    return known(out->domid);
}

int whole_file_open(const char *path, struct whole_file *file)
{
    wait();
    *file = (struct whole_file){.data = "", .size = 1};
    return 0;
}

void whole_file_close(struct whole_file *file)
{
}

bool unpack_needed(const void *data, size_t size)
{
    return false;
}

void *unpack(const void *data, size_t size, size_t limit, size_t *out_size, const char **why)
{
    return NULL;
}

void workspace_put(void *memory, size_t size)
{
}

/* The store: whether it has anything of a domain. Nodes can be written of one that is no more. */

bool store_write(struct xs_handle *xs, domid_t domid, const char *node, const char *format, ...)
{
    wait();
    domains[domid].nodes = true;
    return true;
}

int store_add_nodes(struct xs_handle *xs, const struct built_domain *built, const struct domain_config *config)
{
    for (int i = 0; i < 2; i++) {
        wait();
        ck_assert_uint_gt(strlen(config->name), 0);
        domains[built->domid].nodes = true;
    }
    return 0;
}

int store_add_vm(struct xs_handle *xs, const struct built_domain *built, const struct domain_config *config)
{
    return store_add_nodes(xs, built, config);
}

int store_introduce(struct xs_handle *xs, const struct built_domain *built)
{
    wait();
    return known(built->domid);
}

int store_add_domain(struct xs_handle *xs, const struct built_domain *built, const struct domain_config *config)
{
    (void)store_add_nodes(xs, built, config);
    if (store_introduce(xs, built) == 0)
        return 0;
    store_remove_domain(xs, built->domid, built->uuid);
    return -1;
}

void store_remove_domain(struct xs_handle *xs, domid_t domid, const uint8_t uuid[16])
{
    wait();
    domains[domid].nodes = false;
    wait();
}

bool xs_write(struct xs_handle *xs, xs_transaction_t t, const char *path, const void *data, unsigned int len)
{
    wait();
    return true;
}

void *xs_read(struct xs_handle *xs, xs_transaction_t t, const char *path, unsigned int *len)
{
    wait();
    return NULL;
}

/* Devices. */

bool vbd_check(const struct disk *disk, char reason[VBD_REASON_MAX])
{
    wait();
    return true;
}

bool device_exists(struct xs_handle *xs, const struct device_name *name)
{
    return false;
}

int device_attach(struct xs_handle *xs, const struct device_name *name, const struct device_setting *back,
                  const struct device_setting *front, char reason[DEVICE_REASON_SIZE])
{
    wait();
    domains[name->domid].devices = true;
    return 0;
}

void devices_remove_all(struct xs_handle *xs, domid_t domid)
{
    wait();
    domains[domid].devices = false;
}

struct switch_port *switch_next(struct switch_port *after)
{
    return NULL;
}

/* The rest of the program. */

struct console *console_find(domid_t domid)
{
    return NULL;
}

struct console *console_find_dead(domid_t domid)
{
    return NULL;
}

void console_get_info(const struct console *console, struct console_info *info)
{
}

size_t console_log(const struct console *console, uint64_t offset, void *buf, size_t len, uint64_t *at)
{
    return 0;
}

void console_catch_up(domid_t domid)
{
    wait();
}

void console_rename(domid_t domid, const char *name)
{
}

char *dump_crashed(const struct vane *one, domid_t domid, const char *name)
{
    wait();
    return strdup("; its core file is there");
}

int fail(struct vane *one, const char *format, ...)
{
    return 1;
}

uint64_t clock_ns(void)
{
    static uint64_t now;

    return now += 1000000;
}

uint64_t clock_seconds(void)
{
    return 1;
}

void sleep_ns(uint64_t ns)
{
    wait();
}

void terminal_wake(void)
{
}

/* The tests. */

static void read_description(struct domain_config *config)
{
    static const char text[] =
        "name = 'ticker'\nkernel = '/k'\nmemory = 16\ndisk = ['/a,raw,xvda,w', '/b,raw,xvdb,w']\n"
        "vif = ['']\non_reboot = 'restart'\non_watchdog = 'rename-restart'\n"
        "on_crash = 'coredump-restart'\non_poweroff = 'preserve'\n";
    struct config_error error;
    struct config parsed;

    config_init(&parsed);
    ck_assert_int_eq(config_parse(&parsed, "t", text, sizeof(text) - 1, &error), 0);
    memset(config, 0, sizeof(*config));
    if (domain_config_read(&parsed, config, &error) != 0)
        ck_abort_msg("%s", error.text);
    config_free(&parsed);
}

static void start(void)
{
    memset(domains, 0, sizeof(domains));
    last_made = 0;
    waits_left = 0;
    domains_all_recorded = true;
}

/* Whatever came: the records are those of the domains that exist, each of another name, and of no other is anything left. */
static void check_all(void)
{
    for (unsigned int i = 1; i < DOMAINS; i++) {
        const struct domain_record *record = record_find((domid_t)i);

        ck_assert_msg((record != NULL) == domains[i].alive, "domain %u %s", i,
                      record ? "is gone and has a record" : "has no record");
        ck_assert_msg(domains[i].alive || (!domains[i].nodes && !domains[i].devices),
                      "domain %u is gone, not all of it", i);
        for (const struct domain_record *other = record ? record->next : NULL; other != NULL; other = other->next)
            ck_assert_str_ne(other->config.name, record->config.name);
    }
}

static void end(void)
{
    char *notice;

    waits_left = 0;
    while (record_first() != NULL)
        (void)destroy_domain(&vane, record_first()->domid);
    while ((notice = lifecycle_notice()) != NULL)
        free(notice);
}

static domid_t make_old(void)
{
    struct domain_config config;
    struct build_error error;
    struct domain_record *record;

    read_description(&config);
    record = create_domain(&vane, &config, false, &error);
    ck_assert_ptr_nonnull(record);
    return record->domid;
}

static void destroy_newest(void)
{
    (void)destroy_domain(&vane, (domid_t)last_made);
}

/* One arrival from start to end; what came of it. */
static int arrive(domid_t source)
{
    struct domain_config config;
    struct incoming incoming;
    struct build_error error;
    int status;

    read_description(&config);
    status = incoming_make(&vane, &config, source, &incoming, &error);
    domain_config_free(&config);
    if (status == 0 && incoming_complete(&vane, &incoming, &error) == 0) {
        status = incoming_run(&vane, &incoming, source, false, &error);
        ck_assert_msg(source == DOMID_INVALID || status == 0 || domains[source].devices,
                      "the source goes on without its devices: %s", error.text);
        if (status == 0 && source != DOMID_INVALID)
            (void)destroy_domain(&vane, source);
    } else {
        status = -1;
    }
    incoming_discard(&vane, &incoming);
    return status;
}

START_TEST(test_destroyed_on_arrival)
{
    for (int local = 0; local < 2; local++)
        for (unsigned int waits = 1; waits < WAITS; waits++) {
            domid_t source;

            start();
            source = local ? make_old() : DOMID_INVALID;
            meanwhile = destroy_newest;
            waits_left = waits;
            (void)arrive(source);
            check_all();
            ck_assert(waits_left == 0 || domains[last_made].runs);
            ck_assert(waits + 1 < WAITS || waits_left > 0);
            end();
        }
}
END_TEST

/* 1 if it was made. */
static unsigned int make_another(void)
{
    struct domain_config config;
    struct build_error error;

    read_description(&config);
    if (create_domain(&vane, &config, false, &error) != NULL)
        return 1;
    domain_config_free(&config);
    return 0;
}

START_TEST(test_destroyed_in_the_making)
{
    for (unsigned int waits = 1; waits < WAITS; waits++) {
        unsigned int made;

        start();
        meanwhile = destroy_newest;
        waits_left = waits;
        made = make_another();
        check_all();
        ck_assert_uint_eq(made, domains[last_made].runs);
        ck_assert(waits + 1 < WAITS || waits_left > 0);
        end();
    }
}
END_TEST

static unsigned int others_made;

static void take_name(void)
{
    others_made = make_another();
}

/* Both find it free; the second to be there does without. */
START_TEST(test_name_taken)
{
    for (int arrives = 0; arrives < 2; arrives++)
        for (unsigned int waits = 1; waits < WAITS; waits++) {
            start();
            others_made = 0;
            meanwhile = take_name;
            waits_left = waits;
            ck_assert_uint_eq((arrives ? arrive(DOMID_INVALID) == 0 : make_another()) + others_made, 1);
            check_all();
            end();
        }
}
END_TEST

#define OTHERS 100u

static void others_end(void)
{
    for (unsigned int i = 0; i < 32; i++)
        end_add((domid_t)(OTHERS + i), SHUTDOWN_poweroff);
}

/* 32 ends are remembered. */
START_TEST(test_many_ends)
{
    for (unsigned int waits = 1; waits < WAITS; waits++) {
        const struct domain_end *old;

        start();
        domains[make_old()].shut = true;
        domains[OLD].reason = SHUTDOWN_reboot;
        meanwhile = others_end;
        waits_left = waits;
        ck_assert(!lifecycle_check(&vane));
        ck_assert(domains[last_made].runs && last_made > OLD);
        check_all();
        for (domid_t i = OTHERS; i < OTHERS + 32; i++)
            ck_assert(end_find(i) == NULL || !end_find(i)->has_successor);
        old = end_find(OLD);
        ck_assert(old != NULL ? old->successor == last_made : waits_left == 0);
        ck_assert(waits + 1 < WAITS || waits_left > 0);
        others_end();
        end();
    }
}
END_TEST

static void destroy_old(void)
{
    (void)destroy_domain(&vane, OLD);
}

START_TEST(test_destroyed_at_its_end)
{
    static const unsigned int reasons[] = {SHUTDOWN_poweroff, SHUTDOWN_reboot, SHUTDOWN_crash, SHUTDOWN_watchdog};

    for (unsigned int i = 0; i < 4; i++)
        for (unsigned int waits = 1; waits < WAITS; waits++) {
            start();
            ck_assert_uint_eq(make_old(), OLD);
            domains[OLD].shut = true;
            domains[OLD].reason = reasons[i];
            meanwhile = destroy_old;
            waits_left = waits;
            ck_assert(!lifecycle_check(&vane));
            check_all();
            end();
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("meanwhile");
    TCase *tests = tcase_create("meanwhile");

    tcase_add_test(tests, test_destroyed_on_arrival);
    tcase_add_test(tests, test_destroyed_in_the_making);
    tcase_add_test(tests, test_name_taken);
    tcase_add_test(tests, test_many_ends);
    tcase_add_test(tests, test_destroyed_at_its_end);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

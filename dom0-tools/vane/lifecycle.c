/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Life and death of domains. Everything here runs in cooperative threads; a record is looked up again after anything
 * that may have let another thread run.
 */
#define _GNU_SOURCE /* asprintf */
#include "lifecycle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/sched.h>

#include "dom0-tools/builder/unpack.h"
#include "dom0-tools/builder/workspace.h"
#include "dom0-tools/console/console.h"
#include "dom0-tools/devices/attach.h"
#include "devices.h"
#include "dumping.h"
#include "ends.h"
#include "store.h"
#include "system.h"
#include "wholefile.h"

#define NAME_NS           10000000000ull
#define NAME_POLL_NS      20000000u
#define NOTICES_MAX       32
#define FAST_LIFE_SECONDS 10u
#define FAST_RESTARTS_MAX 5
#define REST_FACTOR       19
#define REST_MAX_NS       20000000u

static char *notices[NOTICES_MAX];
static unsigned int notice_first, notice_count;
static unsigned int acting; /* threads that deal with an end just now */

void lifecycle_tell(const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    if (notice_count == NOTICES_MAX)
        free(lifecycle_notice()); /* the oldest makes room */
    notices[(notice_first + notice_count) % NOTICES_MAX] = text;
    notice_count++;
    terminal_wake(); /* the prompt shows it now, not at the next key */
}

char *lifecycle_notice(void)
{
    char *text;

    if (notice_count == 0)
        return NULL;
    text = notices[notice_first];
    notice_first = (notice_first + 1) % NOTICES_MAX;
    notice_count--;
    return text != NULL ? text : strdup("(a message was lost: out of memory)");
}

struct open_files {
    struct whole_file kernel;
    void *unpacked;
    struct whole_file *modules;
    struct build_module *build_modules;
    size_t module_count;
};

static void close_files(struct open_files *files)
{
    if (files->unpacked == NULL)
        whole_file_close(&files->kernel);
    workspace_put(files->unpacked, files->kernel.size);
    for (size_t i = 0; i < files->module_count; i++)
        whole_file_close(&files->modules[i]);
    free(files->modules);
    free(files->build_modules);
}

/* The next one; its name ends at the first blank. */
static int open_module(const struct domain_config *config, struct open_files *files, struct build_error *error)
{
    const char *module = config->modules[files->module_count];
    struct whole_file *file = &files->modules[files->module_count];
    char *name = config->module_package ? strndup(module, strcspn(module, " ")) : strdup(module);
    int status = name != NULL ? whole_file_open(name, file) : -1;

    if (status != 0)
        build_fail(error, "%s %s: %s", config->module_package ? "module" : "ramdisk", name ? name : module,
                   strerror(name ? errno : ENOMEM));
    free(name);
    if (status != 0)
        return -1;
    files->build_modules[files->module_count++] = (struct build_module){file->data, file->size, module};
    return 0;
}

/* A packed kernel is unpacked on the side. */
static int open_kernel(const struct domain_config *config, struct open_files *files, struct build_error *error)
{
    const char *why;
    size_t size;

    if (whole_file_open(config->kernel, &files->kernel) != 0)
        return build_fail(error, "kernel %s: %s", config->kernel, strerror(errno));
    if (!unpack_needed(files->kernel.data, files->kernel.size))
        return 0;
    files->unpacked = unpack(files->kernel.data, files->kernel.size, UNPACK_LIMIT, &size, &why);
    if (files->unpacked == NULL)
        return build_fail(error, "%s: %s", config->kernel, why);
    whole_file_close(&files->kernel);
    files->kernel = (struct whole_file){.data = files->unpacked, .size = size};
    return 0;
}

static int open_files(const struct domain_config *config, struct open_files *files, struct build_error *error)
{
    memset(files, 0, sizeof(*files));
    if (open_kernel(config, files, error) != 0)
        return -1;
    files->modules = calloc(config->module_count + 1, sizeof(*files->modules));
    files->build_modules = calloc(config->module_count + 1, sizeof(*files->build_modules));
    if (files->modules == NULL || files->build_modules == NULL)
        return build_fail(error, "out of memory");
    for (size_t i = 0; i < config->module_count; i++)
        if (open_module(config, files, error) != 0)
            return -1;
    return 0;
}

int plan_domain(struct vane *vane, const struct domain_config *config, struct build_plan *plan,
                struct build_error *error)
{
    struct open_files files;
    struct build_input input;
    int status = open_files(config, &files, error);

    input = (struct build_input){
        config, files.kernel.data, files.kernel.size, files.build_modules, files.module_count, config->module_package};
    if (status == 0)
        status = build_plan(vane->ctl, &input, plan, error);
    close_files(&files);
    return status == 0 ? check_devices(config, error) : status;
}

static int build(struct vane *vane, const struct domain_config *config, struct built_domain *built,
                 struct build_error *error)
{
    struct open_files files;
    struct build_input input;
    struct build_plan *plan = malloc(sizeof(*plan));
    int status;

    if (plan == NULL)
        return build_fail(error, "out of memory");
    status = open_files(config, &files, error);
    input = (struct build_input){
        config, files.kernel.data, files.kernel.size, files.build_modules, files.module_count, config->module_package};
    if (status == 0)
        status = build_plan(vane->ctl, &input, plan, error);
    if (status == 0)
        status = build_domain(vane->ctl, vane->memory, &input, plan, built, error);
    close_files(&files);
    free(plan);
    return status;
}

/* Random as RFC 4122 wants it (version 4), from what little a young machine has. */
void make_uuid(uint8_t uuid[16])
{
    static uint64_t state;

    state ^= clock_ns() * 0x9e3779b97f4a7c15ull + clock_seconds();
    for (unsigned int i = 0; i < 16; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        uuid[i] = (uint8_t)(state >> 24);
    }
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

/* The nodes of the VM belong to whoever else has its UUID. */
static void remove_nodes(struct vane *vane, domid_t domid, const uint8_t uuid[16])
{
    store_remove_domain(vane->xs, domid, record_of_uuid(uuid, domid) == NULL ? uuid : NULL);
}

/* A domain without a record yet. */
static void abandon(struct vane *vane, const struct built_domain *built)
{
    devices_remove_all(vane->xs, built->domid);
    (void)ctl_domain_destroy(vane->ctl, built->domid);
    remove_nodes(vane, built->domid, built->uuid);
}

int shadow_domain(struct vane *vane, domid_t domid, const struct domain_config *config, struct build_error *error)
{
    if (!config->shadow || ctl_shadow_op(vane->ctl, domid, XEN_DOMCTL_SHADOW_OP_ENABLE, 0, NULL, 0, NULL) == 0)
        return 0;
    return build_fail(error, "\"%s\" cannot run on shadow page tables (shadow=1): %s", config->name, strerror(errno));
}

struct domain_record *create_domain(struct vane *vane, struct domain_config *config, bool paused,
                                    struct build_error *error)
{
    struct domain_record *record;
    struct built_domain built;
    domid_t owner;

    if (domain_name_claimed(vane, config->name, &owner)) {
        build_fail(error, "the name \"%s\" is taken by domain %u; destroy it, or choose another with name=NAME",
                   config->name, owner);
        return NULL;
    }
    if (config->has_uuid)
        memcpy(built.uuid, config->uuid, sizeof(built.uuid));
    else
        make_uuid(built.uuid);
    if (check_devices(config, error) != 0 || build(vane, config, &built, error) != 0)
        return NULL;
    if (store_add_domain(vane->xs, &built, config) != 0) {
        build_fail(error, "writing the nodes of domain %u to the xenstore failed: %s", built.domid, strerror(errno));
        (void)ctl_domain_destroy(vane->ctl, built.domid);
        return NULL;
    }
    (void)console_find(built.domid); /* connects its console now, before its first byte */
    give_addresses(config);
    if (shadow_domain(vane, built.domid, config, error) != 0 || attach_devices(vane, built.domid, config, error) != 0) {
        abandon(vane, &built);
        return NULL;
    }
    record = record_add(&built, config);
    if (record == NULL || (!paused && ctl_domain_unpause(vane->ctl, built.domid) != 0)) {
        build_fail(error, "starting domain %u failed: %s", built.domid, strerror(record ? errno : ENOMEM));
        (void)destroy_domain(vane, built.domid);
        return NULL;
    }
    return record;
}

int destroy_domain(struct vane *vane, domid_t domid)
{
    struct domain_record *record = record_find(domid);
    struct xen_domctl_getdomaininfo info;
    int status;

    if (ctl_domain_info(vane->ctl, domid, &info) != 0)
        return -1;
    if (record != NULL)
        record_take_out(record);
    (void)ctl_domain_pause(vane->ctl, domid);
    devices_remove_all(vane->xs, domid);
    status = ctl_domain_destroy(vane->ctl, domid);
    remove_nodes(vane, domid, info.handle);
    if (record != NULL)
        record_free(record);
    return status;
}

static enum domain_action action_for(const struct domain_config *config, unsigned int reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:
        return config->on_poweroff;
    case SHUTDOWN_reboot:
        return config->on_reboot;
    case SHUTDOWN_watchdog:
        return config->on_watchdog;
    case SHUTDOWN_suspend:
        return ACTION_PRESERVE;
    default:
        return config->on_crash;
    }
}

/* Moves the configuration out, so that the record can go and the domain be made again. */
static void take_config(struct domain_record *record, struct domain_config *config)
{
    *config = record->config;
    memset(&record->config, 0, sizeof(record->config));
    record_set_name(record, strdup(config->name));
}

/* A copy of it may be in the making, by a migration that is about to find out that the domain is no more. */
static void wait_for_name(struct vane *vane, const char *name)
{
    uint64_t deadline = clock_ns() + NAME_NS;
    domid_t owner;

    while (domain_name_claimed(vane, name, &owner) && !domain_name_taken(vane, name, &owner) && clock_ns() < deadline)
        sleep_ns(NAME_POLL_NS);
}

static void start_again(struct vane *vane, struct domain_config *config, unsigned int fast_restarts,
                        struct domain_end *end)
{
    struct build_error error;
    char *name = strdup(config->name);
    struct domain_record *record;

    wait_for_name(vane, config->name);
    record = create_domain(vane, config, false, &error);

    if (record == NULL) {
        lifecycle_tell("%s: restarting failed: %s", name ? name : "?", error.text);
        domain_config_free(config);
    } else {
        record->fast_restarts = fast_restarts;
        end->has_successor = true;
        end->successor = record->domid;
        lifecycle_tell("%s: restarted as domain %u", record->config.name, record->domid);
    }
    free(name);
}

/* The old domain stays, under another name, for whoever wants to look into it. */
static bool rename_away(struct vane *vane, struct domain_record *record)
{
    char name[DOMAIN_NAME_MAX + 16];
    char *copy;

    snprintf(name, sizeof(name), "%s-%u", record->config.name, record->domid);
    copy = strdup(name);
    if (copy == NULL)
        return false;
    free(record->config.name);
    record_set_name(record, copy);
    return store_write(vane->xs, record->domid, "name", "%s", name);
}

static void restart(struct vane *vane, struct domain_record *record, bool keep_old, const char *why,
                    struct domain_end *end)
{
    bool accident = !record->asked_to_end && clock_ns() - record->started_ns < FAST_LIFE_SECONDS * 1000000000ull;
    unsigned int fast = accident ? record->fast_restarts + 1 : 0;
    domid_t domid = record->domid;
    struct domain_config config;

    if (fast > FAST_RESTARTS_MAX) {
        lifecycle_tell("%s: ended (%s) within %u s of its start %u times in a row: not restarted any more",
                       record->config.name, why, FAST_LIFE_SECONDS, fast);
        (void)destroy_domain(vane, domid);
        return;
    }
    take_config(record, &config);
    if (!keep_old) { /* it is the same domain to whoever knows it by its UUID */
        memcpy(config.uuid, record->uuid, sizeof(config.uuid));
        config.has_uuid = true;
    }
    if (keep_old) {
        if (record->config.name == NULL || !rename_away(vane, record))
            lifecycle_tell("%s: renaming the ended domain %u failed", config.name, domid);
    } else {
        (void)destroy_domain(vane, domid);
    }
    start_again(vane, &config, fast, end);
}

/* What a domain that crashed said at last, for a notice; empty for one that ended in order. To be freed. */
static char *words_at_end(domid_t domid, unsigned int reason)
{
    char *lines, *text = NULL;

    if (reason != SHUTDOWN_crash && reason != SHUTDOWN_watchdog)
        return strdup("");
    console_catch_up(domid);
    lines = last_words(domid);
    if (lines != NULL && *lines != '\0') {
        lines[strlen(lines) - 1] = '\0'; /* the last newline */
        if (asprintf(&text, "; it last said:\n%s", lines) < 0)
            text = NULL;
    }
    free(lines);
    return text != NULL ? text : strdup("");
}

/*
 * What the user wants to know about an end beyond its reason; one of many in a row is told once. Takes its time: the
 * record may be gone after it.
 */
static char *describe_end(struct vane *vane, domid_t domid, const char *name, enum domain_action action,
                          unsigned int reason, bool again)
{
    bool dumped = action == ACTION_COREDUMP_DESTROY || action == ACTION_COREDUMP_RESTART;
    char *words = again ? NULL : words_at_end(domid, reason), *core = dumped ? dump_crashed(vane, domid, name) : NULL,
         *text;

    if (asprintf(&text, "%s%s", core ? core : "", words ? words : "") < 0)
        text = NULL;
    free(words);
    free(core);
    return text;
}

static void perform(struct vane *vane, struct domain_record *record, enum domain_action action, struct domain_end *end,
                    const char *more)
{
    const char *why = shutdown_reason_name(end->reason), *name = record->config.name;
    domid_t domid = record->domid;

    switch (action) {
    case ACTION_DESTROY:
    case ACTION_COREDUMP_DESTROY:
        lifecycle_tell("%s: domain %u ended (%s) and was destroyed; log %s shows what it printed%s", name, domid, why,
                       name, more);
        (void)destroy_domain(vane, domid);
        break;
    case ACTION_PRESERVE:
        lifecycle_tell("%s: domain %u ended (%s) and is preserved; destroy %s removes it%s", name, domid, why, name,
                       more);
        break;
    case ACTION_RESTART:
    case ACTION_COREDUMP_RESTART:
    case ACTION_RENAME_RESTART:
        if (*more != '\0')
            lifecycle_tell("%s: domain %u ended (%s)%s", name, domid, why, more);
        restart(vane, record, action == ACTION_RENAME_RESTART, why, end);
        break;
    }
}

static void act(struct vane *vane, struct domain_record *record, unsigned int reason)
{
    enum domain_action action = action_for(&record->config, reason);
    struct domain_end *end = end_add(record->domid, reason);
    domid_t domid = record->domid;
    char *name = strdup(record->config.name), *more;
    bool again = record->fast_restarts > 0 && action != ACTION_PRESERVE && action != ACTION_DESTROY;

    record->handled = true;
    more = describe_end(vane, domid, name ? name : "domain", action, reason, again);
    record = record_find(domid);
    if (record != NULL) /* somebody may have destroyed it meanwhile */
        perform(vane, record, action, end, more ? more : "");
    free(name);
    free(more);
}

static bool has_ended(const struct xen_domctl_getdomaininfo *info)
{
    return (info->flags & XEN_DOMINF_shutdown) != 0 && (info->flags & XEN_DOMINF_dying) == 0;
}

/* A domain in the list, which is in the order of their numbers. */
static const struct xen_domctl_getdomaininfo *find_info(const struct xen_domctl_getdomaininfo *infos,
                                                        unsigned int count, domid_t domid)
{
    unsigned int low = 0, high = count;

    while (low < high) {
        unsigned int middle = (low + high) / 2;

        if (infos[middle].domain < domid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && infos[low].domain == domid ? &infos[low] : NULL;
}

/* Suspended because a command asked for it. */
static bool awaited(const struct domain_record *record, const struct xen_domctl_getdomaininfo *info)
{
    return record->suspending && shutdown_reason(info) == SHUTDOWN_suspend;
}

/* One that ended, or vanished through somebody else's hand; acting on it changes the list, so one at a time. */
static bool act_on_one(struct vane *vane)
{
    struct xen_domctl_getdomaininfo *infos;
    unsigned int count;
    bool acted = false;

    infos = record_first() != NULL ? list_domains(vane, &count) : NULL;
    if (infos == NULL)
        return false;
    for (struct domain_record *record = record_first(); record != NULL && !acted; record = record->next) {
        const struct xen_domctl_getdomaininfo *info = find_info(infos, count, record->domid);

        acted = info == NULL || (has_ended(info) && !record->handled && !awaited(record, info));
        if (info == NULL) {
            record_take_out(record);
            devices_remove_all(vane->xs, record->domid);
            remove_nodes(vane, record->domid, record->uuid);
            record_free(record);
        } else if (acted) {
            acting++;
            act(vane, record, shutdown_reason(info));
            acting--;
        }
        if (acted)
            break; /* the record may be gone */
    }
    free(infos);
    return acted;
}

bool lifecycle_check(struct vane *vane)
{
    while (act_on_one(vane))
        ;
    return acting > 0;
}

/* Looking at all domains takes no more than a twentieth of the time, however many end at once. */
static void rest_after(uint64_t spent_ns)
{
    sleep_ns(spent_ns < REST_MAX_NS / REST_FACTOR ? spent_ns * REST_FACTOR : REST_MAX_NS);
}

static void watch_thread(void *arg)
{
    struct vane vane;
    unsigned int count;

    if (!vane_open(&vane) || !xs_watch(vane.xs, "@releaseDomain", "lifecycle")) {
        lifecycle_tell("cannot watch for domains that end: %s", strerror(errno));
        return;
    }
    for (;;) {
        char **event = xs_read_watch(vane.xs, &count);
        uint64_t start;

        if (event == NULL) {
            lifecycle_tell("the xenstore stopped telling about domains that end: %s", strerror(errno));
            return;
        }
        for (; event != NULL; event = xs_check_watch(vane.xs)) /* one look serves all */
            free(event);
        start = clock_ns();
        lifecycle_check(&vane);
        terminal_wake(); /* whoever sits at the console of an ended domain looks again */
        rest_after(clock_ns() - start);
    }
}

int lifecycle_start(void)
{
    return spawn("lifecycle", watch_thread, NULL);
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From a configuration to a running domain, and back to nothing. Whatever fails on the way undoes what was made before it.
 */
#include "making.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/builder/unpack.h"
#include "dom0-tools/builder/workspace.h"
#include "dom0-tools/console/console.h"
#include "dom0-tools/devices/attach.h"
#include "devices.h"
#include "store.h"
#include "system.h"
#include "wholefile.h"

struct open_files {
    struct whole_file kernel;
    void *unpacked;
    struct whole_file *modules;
    struct build_module *build_modules;
    size_t module_count;
};

static int parse_file(struct config *config, const char *path, struct config_error *error)
{
    struct whole_file file;
    int status;

    if (whole_file_open(path, &file) != 0)
        return config_fail(error, NULL, "configuration %s: %s", path, strerror(errno));
    status = config_parse(config, path, file.data, file.size, error);
    whole_file_close(&file);
    return status;
}

int read_config(struct vane *vane, const char *path, int count, char **assignments, struct domain_config *out)
{
    struct config config;
    struct config_error error;
    int status = 0;

    memset(out, 0, sizeof(*out));
    config_init(&config);
    if (path != NULL)
        status = parse_file(&config, path, &error);
    for (int i = 0; i < count && status == 0; i++)
        status = config_override(&config, assignments[i], &error);
    if (status == 0)
        status = domain_config_read(&config, out, &error);
    config_free(&config);
    if (status == 0)
        return 0;
    domain_config_free(out);
    return fail(vane, "%s", error.text);
}

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
    if (record_claims(config->name)) { /* somebody was faster */
        build_fail(error, "the name \"%s\" was taken meanwhile; choose another with name=NAME", config->name);
        abandon(vane, &built);
        return NULL;
    }
    record = record_add(&built, config);
    if (record == NULL || (!paused && ctl_domain_unpause(vane->ctl, built.domid) != 0)) {
        build_fail(error, "starting domain %u failed: %s", built.domid, strerror(record ? errno : ENOMEM));
        if (destroy_domain(vane, built.domid) != 0)
            forget_domain(vane, built.domid, built.uuid);
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

void forget_domain(struct vane *vane, domid_t domid, const uint8_t uuid[16])
{
    struct domain_record *record = record_find(domid);

    if (record != NULL)
        record_take_out(record);
    devices_remove_all(vane->xs, domid);
    remove_nodes(vane, domid, uuid);
    if (record != NULL)
        record_free(record);
}

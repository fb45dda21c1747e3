/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * block-attach, block-detach and block-list. What is attached or detached belongs to the domain's configuration from
 * then on: it is there, or gone, after a reboot too.
 */
#include <stdlib.h>
#include <string.h>

#include "devices.h"
#include "dom0-tools/block/vbd.h"
#include "dom0-tools/devices/attach.h"
#include "json.h"

static bool remember_disk(domid_t domid, const struct disk *disk)
{
    struct domain_record *record = record_find(domid);
    struct disk *more;

    if (record == NULL)
        return true;
    more = realloc(record->config.disks, (record->config.disk_count + 1) * sizeof(*more));
    if (more == NULL)
        return false;
    record->config.disks = more;
    if (!disk_copy(&more[record->config.disk_count], disk))
        return false;
    record->config.disk_count++;
    return true;
}

static void forget_disk(domid_t domid, unsigned int number)
{
    struct domain_record *record = record_find(domid);
    struct domain_config *config = record != NULL ? &record->config : NULL;

    for (size_t i = 0; config != NULL && i < config->disk_count; i++) {
        if (config->disks[i].number != number)
            continue;
        disk_free(&config->disks[i]);
        config->disk_count--;
        memmove(&config->disks[i], &config->disks[i + 1], (config->disk_count - i) * sizeof(config->disks[0]));
        return;
    }
}

/* xl takes the specification in several words, which count as if commas stood between them. */
static char *join_words(int argc, char **argv)
{
    size_t size = 1;
    char *joined;

    for (int i = 0; i < argc; i++)
        size += strlen(argv[i]) + 1;
    joined = calloc(1, size);
    for (int i = 0; joined != NULL && i < argc; i++) {
        if (i > 0)
            strcat(joined, ",");
        strcat(joined, argv[i]);
    }
    return joined;
}

static int attach(struct vane *vane, domid_t domid, const struct disk *disk, bool dry)
{
    char reason[VBD_REASON_MAX];
    struct build_error error;

    if (!vbd_check(disk, reason))
        return fail(vane, "disk %s: %s", disk->vdev, reason);
    if (!dry && attach_disk(vane, domid, disk, &error) != 0)
        return fail(vane, "%s", error.text);
    if (!dry && !remember_disk(domid, disk))
        say(vane, "note: out of memory; after a reboot of the domain the disk will be missing\n");
    json_ok(vane);
    return 0;
}

int cmd_block_attach(struct vane *vane, int argc, char **argv)
{
    bool dry = option(&argc, argv, "-n", "--dry-run");
    struct xen_domctl_getdomaininfo info;
    char why[DISK_ERROR_MAX], *spec;
    struct disk disk;
    int status;

    if (check_arguments(vane, argc, argv, 2, 16) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    if (info.domain == 0)
        return fail(vane, "domain 0 serves the disks and takes none");
    if (info.flags & XEN_DOMINF_dying)
        return fail(vane, "domain %u is being destroyed", info.domain);
    spec = join_words(argc - 2, argv + 2);
    if (spec == NULL)
        return fail(vane, "out of memory");
    status = disk_parse(spec, &disk, why) == 0 ? attach(vane, info.domain, &disk, dry)
                                               : fail(vane, "disk \"%s\": %s", spec, why);
    disk_free(&disk);
    free(spec);
    return status;
}

int cmd_block_detach(struct vane *vane, int argc, char **argv)
{
    bool force = option(&argc, argv, "-f", "--force");
    struct device_name name = {.kind = VBD_KIND};
    struct xen_domctl_getdomaininfo info;
    char reason[DEVICE_REASON_SIZE];

    if (check_arguments(vane, argc, argv, 2, 2) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    name.domid = info.domain;
    if (!disk_number(argv[2], &name.id))
        return fail(vane, "%s names no disk: a name such as xvda, or the number in block-list's first column", argv[2]);
    if (!device_exists(vane->xs, &name))
        return fail(vane, "domain %u has no disk %s; block-list %s shows what it has", info.domain, argv[2], argv[1]);
    if (device_detach(vane->xs, &name, force, reason) != 0)
        return fail(vane, "disk %s of domain %u: %s", argv[2], info.domain, reason);
    forget_disk(info.domain, name.id);
    json_ok(vane);
    return 0;
}

static void json_text_of(struct json *json, struct vane *vane, const struct device_name *name, const char *key,
                         const char *node)
{
    char *value = device_read(vane->xs, name, false, node);

    json_string(json, key, value != NULL ? value : "");
    free(value);
}

static void list_one(struct vane *vane, struct json *json, const struct device_name *name)
{
    int state = device_read_number(vane->xs, name, true, "state");
    int port = device_read_number(vane->xs, name, true, "event-channel");
    int ref = device_read_number(vane->xs, name, true, "ring-ref");
    char *path = device_path(name, false);

    say(vane, "%-5u %-3u %-6u %-5d %-6d %-8d %-30s\n", name->id, 0, name->domid, state, port, ref,
        path != NULL ? path : "");
    json_open(json, NULL, '{');
    json_number(json, "domid", name->domid);
    json_number(json, "vdev", name->id);
    json_text_of(json, vane, name, "dev", "dev");
    json_text_of(json, vane, name, "target", "params");
    json_text_of(json, vane, name, "mode", "mode");
    json_text_of(json, vane, name, "sectors", "sectors");
    json_text_of(json, vane, name, "error", "hotplug-error");
    json_number(json, "backend_domid", 0);
    json_signed(json, "state", state);
    json_signed(json, "backend_state", device_read_number(vane->xs, name, false, "state"));
    json_signed(json, "event_channel", port);
    json_signed(json, "ring_ref", ref);
    json_string(json, "backend", path != NULL ? path : "");
    json_close(json, '}');
    free(path);
}

int cmd_block_list(struct vane *vane, int argc, char **argv)
{
    return list_devices(vane, argc, argv, VBD_KIND,
                        "Vdev  BE  handle state evt-ch ring-ref BE-path                       \n", list_one);
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Devices of a configuration, checked before the domain is made and attached before it runs. The nodes are those that
 * libxl writes.
 */
#include "devices.h"

#include <stdio.h>

#include "dom0-tools/block/vbd.h"
#include "dom0-tools/devices/attach.h"

int check_devices(const struct domain_config *config, struct build_error *error)
{
    char reason[VBD_REASON_MAX];

    for (size_t i = 0; i < config->disk_count; i++)
        if (!vbd_check(&config->disks[i], reason))
            return build_fail(error, "disk %s: %s", config->disks[i].vdev, reason);
    return 0;
}

int attach_disk(struct vane *vane, domid_t domid, const struct disk *disk, struct build_error *error)
{
    struct device_name name = {.domid = domid, .kind = VBD_KIND, .id = disk->number};
    const char *type = disk->cdrom ? "cdrom" : "disk";
    char number[16], reason[DEVICE_REASON_SIZE];
    const struct device_setting back[] = {
        {"params", disk->target},
        {"dev", disk->vdev},
        {"type", "phy"},
        {"mode", disk->read_only ? "r"
                 : disk->shared  ? "w!"
                                 : "w"},
        {"device-type", type},
        {"removable", disk->cdrom ? "1" : "0"},
        {"bootable", "1"},
        {"discard-enable", "0"},
        {NULL, NULL},
    };
    const struct device_setting front[] = {
        {"virtual-device", number}, {"device-type", type}, {"trusted", disk->untrusted ? "0" : "1"}, {NULL, NULL}};

    snprintf(number, sizeof(number), "%u", disk->number);
    if (device_exists(vane->xs, &name))
        return build_fail(error, "disk %s: domain %u has a device of that number already; block-list shows them",
                          disk->vdev, domid);
    if (device_attach(vane->xs, &name, back, front, reason) == 0)
        return 0;
    return build_fail(error, "disk %s: %s", disk->vdev, reason);
}

int attach_devices(struct vane *vane, domid_t domid, const struct domain_config *config, struct build_error *error)
{
    for (size_t i = 0; i < config->disk_count; i++)
        if (attach_disk(vane, domid, &config->disks[i], error) != 0)
            return -1;
    return 0;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Devices of a configuration, checked before the domain is made and attached before it runs. The nodes are those that
 * libxl writes.
 */
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/block/vbd.h"
#include "dom0-tools/devices/attach.h"
#include "dom0-tools/network/switch.h"
#include "json.h"
#include "listing.h"

int check_devices(const struct domain_config *config, struct build_error *error)
{
    char reason[VBD_REASON_MAX];

    for (size_t i = 0; i < config->disk_count; i++)
        if (!vbd_check(&config->disks[i], reason))
            return build_fail(error, "disk %s: %s", config->disks[i].vdev, reason);
    return 0;
}

static const char *mode_of(const struct disk *disk)
{
    if (disk->read_only)
        return "r";
    return disk->shared ? "w!" : "w";
}

int attach_disk(struct vane *vane, domid_t domid, const struct disk *disk, struct build_error *error)
{
    struct device_name name = {.domid = domid, .kind = VBD_KIND, .id = disk->number};
    const char *type = disk->cdrom ? "cdrom" : "disk";
    char number[16], reason[DEVICE_REASON_SIZE];
    const struct device_setting back[] = {
        {"params", disk->target}, {"dev", disk->vdev},     {"type", "phy"},
        {"mode", mode_of(disk)},  {"device-type", type},   {"removable", disk->cdrom ? "1" : "0"},
        {"bootable", "1"},        {"discard-enable", "0"}, {NULL, NULL},
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

static const struct switch_port *port_with(const uint8_t mac[6])
{
    const struct switch_port *port = switch_next(NULL);

    while (port != NULL && memcmp(port->address, mac, sizeof(port->address)) != 0)
        port = port->next;
    return port;
}

void warn_of_duplicates(const struct vane *vane, const struct domain_config *config)
{
    char mac[18];

    for (size_t i = 0; i < config->vif_count; i++) {
        const struct switch_port *port = config->vifs[i].has_mac ? port_with(config->vifs[i].mac) : NULL;

        vif_mac_format(config->vifs[i].mac, mac);
        if (port != NULL)
            say(vane, "note: %s has the address %s too; on one bridge, what is sent to it goes there\n", port->name,
                mac);
    }
}

void give_addresses(struct domain_config *config)
{
    static uint32_t number;

    for (size_t i = 0; i < config->vif_count; i++) {
        while (!config->vifs[i].has_mac) {
            uint64_t mixed = (clock_ns() + clock_seconds() + ++number) * 0x9e3779b97f4a7c15ull;

            vif_config_make_mac(&config->vifs[i], (uint32_t)(mixed >> 32));
            config->vifs[i].has_mac = port_with(config->vifs[i].mac) == NULL;
        }
    }
}

/* `replaced`: the domain whose interface has the same address for now, or DOMID_INVALID. */
static int put_vif(struct vane *vane, domid_t domid, const struct vif_config *vif, domid_t replaced,
                   struct build_error *error)
{
    struct device_name name = {.domid = domid, .kind = "vif", .id = vif->id};
    char mac[18], handle[16], rate[48], mtu[16], other[16], reason[DEVICE_REASON_SIZE];
    struct device_setting back[12] = {
        {"script", vif->script}, {"mac", mac}, {"bridge", vif->bridge}, {"handle", handle}, {"type", "vif"}};
    struct device_setting front[6] = {{"handle", handle}, {"mac", mac}, {"trusted", vif->untrusted ? "0" : "1"}};
    unsigned int backs = 5, fronts = 3;

    vif_mac_format(vif->mac, mac);
    snprintf(handle, sizeof(handle), "%u", vif->id);
    snprintf(rate, sizeof(rate), "%llu,%u", (unsigned long long)vif->rate_bytes, (unsigned int)vif->rate_interval_us);
    snprintf(mtu, sizeof(mtu), "%u", vif->mtu);
    if (vif->name[0] != '\0')
        back[backs++] = (struct device_setting){"vifname", vif->name};
    if (vif->ip[0] != '\0')
        back[backs++] = (struct device_setting){"ip", vif->ip};
    if (vif->rate_bytes != 0)
        back[backs++] = (struct device_setting){"rate", rate};
    if (vif->mtu != 0)
        back[backs++] = front[fronts++] = (struct device_setting){"mtu", mtu};
    if (replaced != DOMID_INVALID)
        back[backs++] = (struct device_setting){"replaces", other};
    snprintf(other, sizeof(other), "%u", replaced);
    if (device_attach(vane->xs, &name, back, front, reason) == 0)
        return 0;
    return build_fail(error, "vif %u: %s", vif->id, reason);
}

int attach_vif(struct vane *vane, domid_t domid, const struct vif_config *vif, struct build_error *error)
{
    return put_vif(vane, domid, vif, DOMID_INVALID, error);
}

static int put_vifs(struct vane *vane, domid_t domid, const struct domain_config *config, domid_t replaced,
                    struct build_error *error)
{
    for (size_t i = 0; i < config->vif_count; i++)
        if (put_vif(vane, domid, &config->vifs[i], replaced, error) != 0)
            return -1;
    return 0;
}

int attach_devices_beside(struct vane *vane, domid_t domid, const struct domain_config *config, domid_t replaced,
                          struct build_error *error)
{
    for (size_t i = 0; i < config->disk_count; i++) {
        struct disk disk = config->disks[i];

        disk.shared = true;
        if (attach_disk(vane, domid, &disk, error) != 0)
            return -1;
    }
    return put_vifs(vane, domid, config, replaced, error);
}

void devices_alone(struct vane *vane, domid_t domid)
{
    const struct domain_record *record;
    char path[80];

    for (size_t i = 0; (record = record_find(domid)) != NULL && i < record->config.disk_count; i++) {
        const struct disk *disk = &record->config.disks[i];
        const char *mode = mode_of(disk);

        snprintf(path, sizeof(path), "/local/domain/0/backend/" VBD_KIND "/%u/%u/mode", domid, disk->number);
        (void)xs_write(vane->xs, XBT_NULL, path, mode, (unsigned int)strlen(mode));
    }
}

int attach_devices(struct vane *vane, domid_t domid, const struct domain_config *config, struct build_error *error)
{
    for (size_t i = 0; i < config->disk_count; i++)
        if (attach_disk(vane, domid, &config->disks[i], error) != 0)
            return -1;
    return put_vifs(vane, domid, config, DOMID_INVALID, error);
}

struct kind_listing {
    const char *kind;
    list_device_t *list_one;
};

static void list_domain(struct vane *vane, struct json *json, const struct xen_domctl_getdomaininfo *info,
                        const void *own)
{
    const struct kind_listing *listing = own;
    struct device_name name = {.domid = info->domain, .kind = listing->kind};
    unsigned int count, *ids = devices_list(vane->xs, name.domid, name.kind, &count);

    for (unsigned int i = 0; i < count; i++) {
        name.id = ids[i];
        listing->list_one(vane, json, &name);
    }
    free(ids);
}

int list_devices(struct vane *vane, int argc, char **argv, const char *kind, const char *heading,
                 list_device_t *list_one)
{
    const struct kind_listing listing = {kind, list_one};

    if (check_arguments(vane, argc, argv, 1, 64) != 0)
        return 1;
    return list_each(vane, argc, argv, heading, list_domain, &listing);
}

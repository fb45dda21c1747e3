/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Disks and network interfaces from libxl's JSON, with the limits that disk.c and vif.c have.
 */
#include <stdlib.h>
#include <string.h>

#include "libxl_json_members.h"

static int read_backend_domain(struct reading *reading, int node)
{
    unsigned int domid;

    if (members_unsigned(reading, node, 0, 0xFFFF, &domid) != 0)
        return -1;
    return domid == 0 ? 0
                      : json_tree_fail(&reading->tree, node, "domain 0 has all devices: there are no driver domains");
}

static int read_target(struct reading *reading, int node)
{
    if (members_string(reading, node, NAMES_MAX, &reading->disk->target) != 0)
        return -1;
    if (reading->disk->target[0] != '\0' && reading->disk->target[0] != '/')
        return json_tree_fail(&reading->tree, node, "\"%s\" must begin with a slash", reading->disk->target);
    return 0;
}

static int read_vdev(struct reading *reading, int node)
{
    struct disk *disk = reading->disk;

    if (members_copy(reading, node, disk->vdev, sizeof(disk->vdev)) != 0)
        return -1;
    return disk_number(disk->vdev, &disk->number)
               ? 0
               : json_tree_fail(&reading->tree, node, "\"%s\" names no disk", disk->vdev);
}

static int read_format(struct reading *reading, int node)
{
    char format[16];

    if (members_copy(reading, node, format, sizeof(format)) != 0)
        return -1;
    if (strcmp(format, "raw") == 0 || strcmp(format, "empty") == 0 || strcmp(format, "unknown") == 0)
        return 0;
    return json_tree_fail(&reading->tree, node, "%s images are not possible here, only raw ones", format);
}

static int read_writable(struct reading *reading, int node)
{
    unsigned int writable;

    if (members_unsigned(reading, node, 0, 1, &writable) != 0)
        return -1;
    reading->disk->read_only = writable == 0;
    return 0;
}

static int read_cdrom(struct reading *reading, int node)
{
    unsigned int cdrom;

    if (members_unsigned(reading, node, 0, 1, &cdrom) != 0)
        return -1;
    reading->disk->cdrom = cdrom != 0;
    return 0;
}

static int read_disk_trusted(struct reading *reading, int node)
{
    bool trusted = true;

    if (json_tree_flag(&reading->tree, node, &trusted) != 0)
        return -1;
    reading->disk->untrusted = !trusted;
    return 0;
}

static int read_shared(struct reading *reading, int node)
{
    return json_tree_flag(&reading->tree, node, &reading->disk->shared);
}

static const struct member disk_members[] = {
    {"backend_domid", read_backend_domain},
    {"backend_domname", members_without_effect},
    {"pdev_path", read_target},
    {"vdev", read_vdev},
    {"backend", NULL},
    {"format", read_format},
    {"script", members_without_effect},
    {"removable", NULL},
    {"readwrite", read_writable},
    {"is_cdrom", read_cdrom},
    {"direct_io_safe", NULL},
    {"discard_enable", NULL},
    {"specification", NULL},
    {"transport", NULL},
    {"colo_enable", NULL},
    {"colo_restore_enable", NULL},
    {"colo_port", NULL},
    {"trusted", read_disk_trusted},
    {"paravane_shared", read_shared},
};

static int check_disk(struct reading *reading, int node)
{
    struct domain_config *out = reading->out;
    struct disk *disk = reading->disk;

    if (disk->vdev[0] == '\0')
        return json_tree_fail(&reading->tree, node, "the disk has no vdev");
    if (disk->target == NULL)
        disk->target = strdup("");
    if (disk->target == NULL)
        return json_tree_fail(&reading->tree, node, "out of memory");
    if (disk->target[0] == '\0' && !disk->cdrom)
        return json_tree_fail(&reading->tree, node, "the disk %s has no pdev_path", disk->vdev);
    disk->read_only = disk->read_only || disk->cdrom;
    for (struct disk *other = out->disks; other != disk; other++)
        if (other->number == disk->number)
            return json_tree_fail(&reading->tree, node, "%s is there twice", disk->vdev);
    return 0;
}

int libxl_json_disks(struct reading *reading, int node)
{
    struct domain_config *out = reading->out;

    if (members_want(reading, node, JSON_ARRAY) != 0)
        return -1;
    for (int i = json_tree_first(&reading->tree, node); i >= 0; i = json_tree_next(&reading->tree, i)) {
        struct disk *more = realloc(out->disks, (out->disk_count + 1) * sizeof(*more));

        if (more == NULL)
            return json_tree_fail(&reading->tree, i, "out of memory");
        out->disks = more;
        reading->disk = &more[out->disk_count++];
        *reading->disk = (struct disk){.read_only = true};
        if (members_read(reading, i, disk_members, COUNT(disk_members)) != 0 || check_disk(reading, i) != 0)
            return -1;
    }
    return 0;
}

static int read_vif_id(struct reading *reading, int node)
{
    reading->vif->has_id = true;
    return members_unsigned(reading, node, 0, VIF_ID_MAX, &reading->vif->id);
}

static int read_mtu(struct reading *reading, int node)
{
    int64_t mtu;

    /* libxl writes 0 where none was given. */
    if (json_tree_integer(&reading->tree, node, 0, VIF_MTU_MAX, &mtu) != 0)
        return -1;
    return mtu == 0 ? 0 : members_unsigned(reading, node, VIF_MTU_MIN, VIF_MTU_MAX, &reading->vif->mtu);
}

static int read_mac(struct reading *reading, int node)
{
    static const uint8_t none[6];
    char text[18];
    uint8_t *mac = reading->vif->mac;

    if (members_copy(reading, node, text, sizeof(text)) != 0)
        return -1;
    if (!vif_mac_parse(text, mac) || (mac[0] & 1) != 0 || memcmp(mac, none, sizeof(none)) == 0)
        return json_tree_fail(&reading->tree, node, "\"%s\" cannot be one interface's address", text);
    reading->vif->has_mac = true;
    return 0;
}

static int read_ip(struct reading *reading, int node)
{
    return members_copy(reading, node, reading->vif->ip, sizeof(reading->vif->ip));
}

static int read_bridge(struct reading *reading, int node)
{
    if (members_copy(reading, node, reading->vif->bridge, sizeof(reading->vif->bridge)) != 0)
        return -1;
    return reading->vif->bridge[0] != '\0' ? 0 : json_tree_fail(&reading->tree, node, "a bridge has a name");
}

static int read_vif_name(struct reading *reading, int node)
{
    return members_copy(reading, node, reading->vif->name, sizeof(reading->vif->name));
}

static int read_script(struct reading *reading, int node)
{
    return members_copy(reading, node, reading->vif->script, sizeof(reading->vif->script));
}

static int read_rate(struct reading *reading, int node)
{
    int64_t rate;

    if (json_tree_integer(&reading->tree, node, 0, UINT32_MAX - 1, &rate) != 0)
        return -1;
    reading->vif->rate_bytes = (uint64_t)rate;
    return 0;
}

static int read_interval(struct reading *reading, int node)
{
    return members_unsigned(reading, node, 0, 60000000, &reading->vif->rate_interval_us);
}

static int read_vif_trusted(struct reading *reading, int node)
{
    bool trusted = true;

    if (json_tree_flag(&reading->tree, node, &trusted) != 0)
        return -1;
    reading->vif->untrusted = !trusted;
    return 0;
}

static const struct member vif_members[] = {
    {"backend_domid", read_backend_domain},
    {"backend_domname", members_without_effect},
    {"devid", read_vif_id},
    {"mtu", read_mtu},
    {"model", NULL},
    {"mac", read_mac},
    {"ip", read_ip},
    {"bridge", read_bridge},
    {"ifname", read_vif_name},
    {"script", read_script},
    {"nictype", NULL},
    {"rate_bytes_per_interval", read_rate},
    {"rate_interval_usecs", read_interval},
    {"gatewaydev", members_without_effect},
    {"trusted", read_vif_trusted},
};

static int check_vif(struct reading *reading, int node)
{
    struct vif_config *vif = reading->vif, *vifs = reading->out->vifs;

    if (!vif->has_id)
        vif->id = (unsigned int)(vif - vifs);
    if (vif->rate_bytes != 0 && vif->rate_interval_us == 0)
        return json_tree_fail(&reading->tree, node, "a rate has an interval");
    for (struct vif_config *other = vifs; other != vif; other++) {
        if (other->id == vif->id)
            return json_tree_fail(&reading->tree, node, "two interfaces have devid %u", vif->id);
        if (other->has_mac && vif->has_mac && memcmp(other->mac, vif->mac, sizeof(vif->mac)) == 0)
            return json_tree_fail(&reading->tree, node, "two interfaces have the same mac");
    }
    return 0;
}

int libxl_json_vifs(struct reading *reading, int node)
{
    struct domain_config *out = reading->out;

    if (members_want(reading, node, JSON_ARRAY) != 0)
        return -1;
    out->vifs = calloc(VIFS_MAX, sizeof(*out->vifs));
    if (out->vifs == NULL)
        return json_tree_fail(&reading->tree, node, "out of memory");
    for (int i = json_tree_first(&reading->tree, node); i >= 0; i = json_tree_next(&reading->tree, i)) {
        if (out->vif_count == VIFS_MAX)
            return json_tree_fail(&reading->tree, i, "at most %u interfaces are possible", VIFS_MAX);
        reading->vif = &out->vifs[out->vif_count++];
        strcpy(reading->vif->bridge, VIF_DEFAULT_BRIDGE);
        strcpy(reading->vif->script, VIF_DEFAULT_SCRIPT);
        if (members_read(reading, i, vif_members, COUNT(vif_members)) != 0 || check_vif(reading, i) != 0)
            return -1;
    }
    return 0;
}

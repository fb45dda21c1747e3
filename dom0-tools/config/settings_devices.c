/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The settings that are lists of things: modules, network interfaces, disks. An entry that cannot be read, or that
 * contradicts one before it, is named.
 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

int read_ramdisk(struct reading *reading, const struct config_value *value)
{
    struct domain_config *out = reading->out;

    if (value->kind != CONFIG_STRING)
        return setting_want(reading, value, "a file name; several files go into modules = [...]");
    if (out->module_package)
        return config_fail(reading->error, &value->place, "there can be a ramdisk or modules, not both");
    return value->string[0] == '\0' ? 0 : setting_add_text(reading, &out->modules, &out->module_count, value->string);
}

int read_modules(struct reading *reading, const struct config_value *value)
{
    struct domain_config *out = reading->out;

    if (value->kind != CONFIG_LIST)
        return setting_want(reading, value, "a list of files, each with its command line behind it");
    if (out->module_count > 0 && !out->module_package)
        return config_fail(reading->error, &value->place, "there can be a ramdisk or modules, not both");
    out->module_package = value->count > 0;
    for (size_t i = 0; i < value->count; i++) {
        if (value->items[i]->kind != CONFIG_STRING || value->items[i]->string[0] == '\0')
            return setting_want(reading, value->items[i], "a list of files, each with its command line behind it");
        if (setting_add_text(reading, &out->modules, &out->module_count, value->items[i]->string) != 0)
            return -1;
    }
    return 0;
}

/* An interface's id is its place in the list, unless it says otherwise. */
static int number_vifs(struct reading *reading, const struct config_value *value)
{
    struct vif_config *vifs = reading->out->vifs;

    for (size_t i = 0; i < reading->out->vif_count; i++) {
        if (!vifs[i].has_id)
            vifs[i].id = (unsigned int)i;
        for (size_t j = 0; j < i; j++) {
            if (vifs[j].id == vifs[i].id)
                return config_fail(reading->error, &value->items[i]->place, "vif: two interfaces have devid %u",
                                   vifs[i].id);
            if (vifs[i].has_mac && vifs[j].has_mac && memcmp(vifs[i].mac, vifs[j].mac, sizeof(vifs[i].mac)) == 0)
                return config_fail(reading->error, &value->items[i]->place, "vif: two interfaces have the same mac");
        }
    }
    return 0;
}

int read_vif(struct reading *reading, const struct config_value *value)
{
    struct domain_config *out = reading->out;
    char reason[160];

    if (value->kind != CONFIG_LIST || value->count > VIFS_MAX)
        return setting_want(reading, value,
                            "a list of at most 64 interfaces such as \"mac=00:16:3e:00:00:01,bridge=xenbr0\"");
    free(out->vifs);
    out->vif_count = 0;
    out->vifs = calloc(value->count + 1, sizeof(*out->vifs));
    if (out->vifs == NULL)
        return config_fail(reading->error, &value->place, "out of memory");
    for (; out->vif_count < value->count; out->vif_count++) {
        const struct config_value *item = value->items[out->vif_count];

        if (item->kind != CONFIG_STRING)
            return setting_want(reading, item, "a list of strings, one for each interface");
        if (vif_config_parse(item->string, &out->vifs[out->vif_count], reason) != 0)
            return config_fail(reading->error, &item->place, "vif: %s", reason);
    }
    return number_vifs(reading, value);
}

static int add_disk(struct reading *reading, const struct config_value *value)
{
    struct domain_config *out = reading->out;
    struct disk disk, *more;
    char why[DISK_ERROR_MAX];

    if (value->kind != CONFIG_STRING)
        return setting_want(reading, value, "a list of disks such as \"/images/root.img,raw,xvda,rw\"");
    if (disk_parse(value->string, &disk, why) != 0) {
        disk_free(&disk);
        return config_fail(reading->error, &value->place, "disk \"%s\": %s", value->string, why);
    }
    more = realloc(out->disks, (out->disk_count + 1) * sizeof(*more));
    if (more == NULL) {
        disk_free(&disk);
        return config_fail(reading->error, &value->place, "out of memory");
    }
    out->disks = more;
    for (size_t i = 0; i < out->disk_count; i++) {
        if (out->disks[i].number == disk.number) {
            disk_free(&disk);
            return config_fail(reading->error, &value->place, "disk \"%s\": %s is taken by %s already", value->string,
                               out->disks[i].vdev, out->disks[i].target);
        }
    }
    out->disks[out->disk_count++] = disk;
    return 0;
}

int read_disks(struct reading *reading, const struct config_value *value)
{
    if (value->kind != CONFIG_LIST)
        return setting_want(reading, value, "a list: disk = [\"/images/root.img,raw,xvda,rw\"]");
    for (size_t i = 0; i < value->count; i++)
        if (add_disk(reading, value->items[i]) != 0)
            return -1;
    return 0;
}

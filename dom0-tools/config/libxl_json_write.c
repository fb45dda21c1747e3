/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A configuration as libxl's JSON: the keys in libxl's order, and what has its default left out, as libxl does.
 */
#include "libxl_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_EVENT_CHANNELS 1023

struct text {
    char *data;
    size_t used, size;
    unsigned int depth;
    bool has_items, failed;
};

static void put(struct text *text, const char *from, size_t size)
{
    while (!text->failed && text->used + size + 1 > text->size) {
        size_t larger = text->size == 0 ? 1024 : 2 * text->size;
        char *data = realloc(text->data, larger);

        text->failed = data == NULL;
        if (data != NULL) {
            text->data = data;
            text->size = larger;
        }
    }
    if (text->failed)
        return;
    memcpy(text->data + text->used, from, size);
    text->used += size;
    text->data[text->used] = '\0';
}

static void new_line(struct text *text)
{
    put(text, "\n", 1);
    for (unsigned int i = 0; i < text->depth; i++)
        put(text, "    ", 4);
}

static void put_quoted(struct text *text, const char *from)
{
    put(text, "\"", 1);
    for (; *from != '\0'; from++) {
        char escape[8];

        if (*from == '"' || *from == '\\')
            snprintf(escape, sizeof(escape), "\\%c", *from);
        else if ((unsigned char)*from < 32)
            snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)*from);
        else
            snprintf(escape, sizeof(escape), "%c", *from);
        put(text, escape, strlen(escape));
    }
    put(text, "\"", 1);
}

/* What comes before every value; the key is NULL in an array. */
static void begin(struct text *text, const char *key)
{
    if (text->has_items)
        put(text, ",", 1);
    if (text->depth > 0)
        new_line(text);
    text->has_items = true;
    if (key == NULL)
        return;
    put_quoted(text, key);
    put(text, ": ", 2);
}

static void open_bracket(struct text *text, const char *key, char bracket)
{
    begin(text, key);
    put(text, &bracket, 1);
    text->depth++;
    text->has_items = false;
}

static void close_bracket(struct text *text, char bracket)
{
    text->depth--;
    new_line(text);
    put(text, &bracket, 1);
    text->has_items = true;
}

/* Nothing at all for a string that is empty. */
static void string(struct text *text, const char *key, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    begin(text, key);
    put_quoted(text, value);
}

static void number(struct text *text, const char *key, uint64_t value)
{
    char digits[24];

    begin(text, key);
    snprintf(digits, sizeof(digits), "%" PRIu64, value);
    put(text, digits, strlen(digits));
}

static void bits(struct text *text, const char *key, const struct cpu_map *map)
{
    open_bracket(text, key, '[');
    for (unsigned int cpu = 0; cpu < DOMAIN_CPUS_MAX; cpu++)
        if (cpu_map_test(map, cpu))
            number(text, NULL, cpu);
    close_bracket(text, ']');
}

static const struct cpu_map *hard_of(const struct domain_config *config, unsigned int vcpu, const struct cpu_map *all)
{
    if (config->pinning != NULL && config->pinning[vcpu].set)
        return &config->pinning[vcpu].hard;
    return config->has_hard ? &config->hard : all;
}

static void write_affinity(struct text *text, const struct domain_config *config)
{
    struct cpu_map all;

    cpu_map_fill(&all);
    if (config->pinning != NULL || (config->has_hard && memcmp(&config->hard, &all, sizeof(all)) != 0)) {
        open_bracket(text, "vcpu_hard_affinity", '[');
        for (unsigned int i = 0; i < config->max_vcpus; i++)
            bits(text, NULL, hard_of(config, i, &all));
        close_bracket(text, ']');
    }
    if (config->has_soft && memcmp(&config->soft, &all, sizeof(all)) != 0) {
        open_bracket(text, "vcpu_soft_affinity", '[');
        for (unsigned int i = 0; i < config->max_vcpus; i++)
            bits(text, NULL, &config->soft);
        close_bracket(text, ']');
    }
}

static void write_create_info(struct text *text, const struct domain_config *config)
{
    char uuid[37];

    open_bracket(text, "c_info", '{');
    string(text, "type", "pv");
    string(text, "name", config->name);
    if (config->has_uuid) {
        uuid_format(config->uuid, uuid);
        string(text, "uuid", uuid);
    }
    close_bracket(text, '}');
}

static void write_scheduling(struct text *text, const struct domain_config *config)
{
    open_bracket(text, "sched_params", '{');
    if (config->weight != 0)
        number(text, "weight", config->weight);
    if (config->cap != 0)
        number(text, "cap", config->cap);
    close_bracket(text, '}');
}

static void write_build_info(struct text *text, const struct domain_config *config)
{
    open_bracket(text, "b_info", '{');
    number(text, "max_vcpus", config->max_vcpus);
    open_bracket(text, "avail_vcpus", '[');
    for (unsigned int i = 0; i < config->vcpus; i++)
        number(text, NULL, i);
    close_bracket(text, ']');
    write_affinity(text, config);
    number(text, "max_memkb", config->max_memory_kib);
    number(text, "target_memkb", config->memory_kib);
    number(text, "max_grant_frames", config->max_grant_frames);
    number(text, "max_maptrack_frames", config->max_maptrack_frames);
    number(text, "max_grant_version", config->max_grant_version);
    write_scheduling(text, config);
    if (config->max_event_channels != DEFAULT_EVENT_CHANNELS)
        number(text, "event_channels", (uint64_t)config->max_event_channels);
    string(text, "kernel", config->kernel);
    string(text, "cmdline", config->command_line);
    if (!config->module_package && config->module_count == 1)
        string(text, "ramdisk", config->modules[0]);
    open_bracket(text, "type.pv", '{');
    close_bracket(text, '}');
    close_bracket(text, '}');
}

static void write_disk(struct text *text, const struct disk *disk)
{
    open_bracket(text, NULL, '{');
    string(text, "pdev_path", disk->target);
    string(text, "vdev", disk->vdev);
    string(text, "format", disk->target[0] == '\0' ? "empty" : "raw");
    if (disk->cdrom)
        number(text, "removable", 1);
    if (!disk->read_only)
        number(text, "readwrite", 1);
    if (disk->cdrom)
        number(text, "is_cdrom", 1);
    if (disk->untrusted)
        string(text, "trusted", "False");
    if (disk->shared)
        string(text, "paravane_shared", "True");
    close_bracket(text, '}');
}

static void write_vif(struct text *text, const struct vif_config *vif)
{
    char mac[18];

    open_bracket(text, NULL, '{');
    number(text, "devid", vif->id);
    if (vif->mtu != 0)
        number(text, "mtu", vif->mtu);
    if (vif->has_mac) {
        vif_mac_format(vif->mac, mac);
        string(text, "mac", mac);
    }
    string(text, "ip", vif->ip);
    string(text, "bridge", vif->bridge);
    string(text, "ifname", vif->name);
    if (strcmp(vif->script, VIF_DEFAULT_SCRIPT) != 0)
        string(text, "script", vif->script);
    string(text, "nictype", "vif");
    if (vif->rate_bytes != 0) {
        number(text, "rate_bytes_per_interval", vif->rate_bytes);
        number(text, "rate_interval_usecs", vif->rate_interval_us);
    }
    if (vif->untrusted)
        string(text, "trusted", "False");
    close_bracket(text, '}');
}

static void write_devices(struct text *text, const struct domain_config *config)
{
    if (config->disk_count > 0) {
        open_bracket(text, "disks", '[');
        for (size_t i = 0; i < config->disk_count; i++)
            write_disk(text, &config->disks[i]);
        close_bracket(text, ']');
    }
    if (config->vif_count > 0) {
        open_bracket(text, "nics", '[');
        for (size_t i = 0; i < config->vif_count; i++)
            write_vif(text, &config->vifs[i]);
        close_bracket(text, ']');
    }
}

/* As libxl spells them: with an underscore, and the renaming last. */
static void write_action(struct text *text, const char *key, enum domain_action action)
{
    char name[32];

    if (action == ACTION_DESTROY)
        return;
    snprintf(name, sizeof(name), "%s", action == ACTION_RENAME_RESTART ? "restart_rename" : domain_action_name(action));
    for (char *at = name; *at != '\0'; at++)
        *at = *at == '-' ? '_' : *at;
    string(text, key, name);
}

static void write_own(struct text *text, const struct domain_config *config)
{
    bool modules = config->module_count > 1 || (config->module_package && config->module_count > 0);

    if (!modules && !config->shadow)
        return;
    open_bracket(text, "paravane", '{');
    if (config->shadow)
        number(text, "shadow", 1);
    if (modules) {
        open_bracket(text, "modules", '[');
        for (size_t i = 0; i < config->module_count; i++)
            string(text, NULL, config->modules[i]);
        close_bracket(text, ']');
    }
    close_bracket(text, '}');
}

char *config_to_json(const struct domain_config *config)
{
    struct text text = {0};

    open_bracket(&text, NULL, '{');
    write_create_info(&text, config);
    write_build_info(&text, config);
    write_devices(&text, config);
    write_action(&text, "on_poweroff", config->on_poweroff);
    write_action(&text, "on_reboot", config->on_reboot);
    write_action(&text, "on_watchdog", config->on_watchdog);
    write_action(&text, "on_crash", config->on_crash);
    write_own(&text, config);
    close_bracket(&text, '}');
    put(&text, "\n", 1);
    if (text.failed) {
        free(text.data);
        return NULL;
    }
    return text.data;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain's configuration as a whole: each setting through its reader, then what involves several of them: the command
 * line, limits that must not contradict each other, names that are missing.
 */
#include "settings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool domain_name_valid(const char *name, const char **why)
{
    size_t length = strlen(name);
    bool number = true;

    if (length == 0 || length >= DOMAIN_NAME_MAX) {
        *why = "a domain's name has 1 to 63 characters";
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        number = number && isdigit((unsigned char)name[i]);
        if (!isalnum((unsigned char)name[i]) && strchr("-_.+:", name[i]) == NULL) {
            *why = "a domain's name consists of letters, digits and - _ . + :";
            return false;
        }
    }
    if (number) {
        *why = "a domain's name cannot be a number: it would look like a domain id";
        return false;
    }
    return true;
}

const char *domain_config_nearest_key(const char *key)
{
    unsigned int best = 4;
    const char *nearest = NULL;

    for (size_t i = 0; i < setting_count; i++) {
        unsigned int distance = edit_distance(key, settings[i].key);

        if (distance < best && distance < strlen(key)) {
            best = distance;
            nearest = settings[i].key;
        }
    }
    return nearest;
}

static int unknown_key(struct reading *reading, const struct config_entry *entry)
{
    const char *nearest = domain_config_nearest_key(entry->key);

    if (nearest == NULL)
        return config_fail(reading->error, &entry->place, "unknown setting \"%s\"", entry->key);
    return config_fail(reading->error, &entry->place, "unknown setting \"%s\"; did you mean \"%s\"?", entry->key,
                       nearest);
}

static int read_setting(struct reading *reading, const struct config_entry *entry)
{
    for (size_t i = 0; i < setting_count; i++) {
        if (strcmp(entry->key, settings[i].key) != 0)
            continue;
        reading->key = entry->key;
        return settings[i].read(reading, entry->value);
    }
    return unknown_key(reading, entry);
}

static const char *text_of(const struct config *config, const char *key)
{
    const struct config_entry *entry = config_find(config, key);

    return entry != NULL && entry->value->kind != CONFIG_LIST ? entry->value->string : NULL;
}

/* `extra` may be a list of strings as well. */
static int join_extra(const struct config *config, char *to, size_t size)
{
    const struct config_entry *entry = config_find(config, "extra");
    size_t used = strlen(to);

    if (entry == NULL)
        return 0;
    if (entry->value->kind != CONFIG_LIST)
        return snprintf(to + used, size - used, "%s%s", used ? " " : "", entry->value->string) < (int)(size - used)
                   ? 0
                   : -1;
    for (size_t i = 0; i < entry->value->count; i++) {
        const struct config_value *item = entry->value->items[i];

        if (item->kind == CONFIG_LIST)
            return -1;
        if (snprintf(to + used, size - used, "%s%s", used ? " " : "", item->string) >= (int)(size - used))
            return -1;
        used = strlen(to);
    }
    return 0;
}

/* cmdline alone, or "root=ROOT EXTRA" as xl joins them. A kernel's command line has 1023 bytes at most. */
static int join_command_line(const struct config *config, struct reading *reading)
{
    const char *whole = text_of(config, "cmdline"), *root = text_of(config, "root");
    char text[1024] = "";

    if (whole != NULL) {
        if (strlen(whole) >= sizeof(text))
            return config_fail(reading->error, &config_find(config, "cmdline")->place,
                               "cmdline has %zu characters: at most %zu fit", strlen(whole), sizeof(text) - 1);
        strcpy(text, whole);
    } else {
        if (root != NULL && snprintf(text, sizeof(text), "root=%s", root) >= (int)sizeof(text))
            return config_fail(reading->error, &config_find(config, "root")->place, "root is too long");
        if (join_extra(config, text, sizeof(text)) != 0)
            return config_fail(reading->error, &config_find(config, "extra")->place,
                               "extra must be strings of at most %zu characters in all", sizeof(text) - 1);
    }
    reading->out->command_line = strdup(text);
    return reading->out->command_line != NULL ? 0 : config_fail(reading->error, NULL, "out of memory");
}

static int check_whole(const struct config *config, struct reading *reading)
{
    struct domain_config *out = reading->out;
    struct config_place file = {config->names != NULL ? config->names->text : "configuration", 0, 0};

    if (config->first != NULL)
        file.file = config->first->place.file;
    if (out->name == NULL)
        return config_fail(reading->error, &file, "name is missing: add name = \"...\"");
    if (out->kernel == NULL || out->kernel[0] == '\0')
        return config_fail(reading->error, &file, "kernel is missing: add kernel = \"FILE\"");
    if (out->max_memory_kib == 0)
        out->max_memory_kib = out->memory_kib;
    if (out->max_memory_kib < out->memory_kib)
        return config_fail(reading->error, &config_find(config, "maxmem")->place,
                           "maxmem (%llu MiB) is less than memory (%llu MiB)",
                           (unsigned long long)out->max_memory_kib / 1024, (unsigned long long)out->memory_kib / 1024);
    if (out->max_vcpus == 0)
        out->max_vcpus = out->vcpus;
    if (out->max_vcpus < out->vcpus)
        return config_fail(reading->error, &config_find(config, "maxvcpus")->place,
                           "maxvcpus (%u) is less than vcpus (%u)", out->max_vcpus, out->vcpus);
    return 0;
}

int domain_config_read(const struct config *config, struct domain_config *out, struct config_error *error)
{
    struct reading reading = {.out = out, .error = error};

    memset(out, 0, sizeof(*out));
    out->memory_kib = 32 * 1024;
    out->vcpus = 1;
    out->on_reboot = ACTION_RESTART;
    out->max_grant_frames = 64;
    out->max_maptrack_frames = 1024;
    out->max_grant_version = 2;
    out->max_event_channels = 1023;
    for (const struct config_entry *entry = config->first; entry != NULL; entry = entry->next)
        if (read_setting(&reading, entry) != 0)
            return -1;
    if (check_whole(config, &reading) != 0)
        return -1;
    return join_command_line(config, &reading);
}

void domain_config_free(struct domain_config *config)
{
    for (size_t i = 0; i < config->module_count; i++)
        free(config->modules[i]);
    for (size_t i = 0; i < config->note_count; i++)
        free(config->notes[i]);
    for (size_t i = 0; i < config->disk_count; i++)
        disk_free(&config->disks[i]);
    free(config->disks);
    free(config->modules);
    free(config->notes);
    free(config->pinning);
    free(config->vifs);
    free(config->name);
    free(config->kernel);
    free(config->command_line);
    memset(config, 0, sizeof(*config));
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of settings and what each does to a domain. A setting whose value has the wrong type or lies outside its
 * limits is an error that names its place; checks that involve several settings come at the end.
 */
#include "domain_config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct domain_config *out;
    struct config_error *error;
    const char *key; /* the key of the setting being read */
};

typedef int setting_reader(struct reading *reading, const struct config_value *value);

static int want(struct reading *reading, const struct config_value *value, const char *what)
{
    return config_fail(reading->error, &value->place, "%s must be %s", reading->key, what);
}

static int copy_text(struct reading *reading, const struct config_value *value, char **to)
{
    if (value->kind == CONFIG_LIST)
        return want(reading, value, "a string, not a list");
    free(*to);
    *to = strdup(value->string);
    return *to != NULL ? 0 : config_fail(reading->error, &value->place, "out of memory");
}

static int read_range(struct reading *reading, const struct config_value *value, int64_t low, int64_t high,
                      int64_t *out)
{
    char *end;

    if (value->kind == CONFIG_LIST)
        return want(reading, value, "a number, not a list");
    *out = value->number;
    if (value->kind == CONFIG_STRING) {
        *out = strtoll(value->string, &end, strncmp(value->string, "0x", 2) == 0 ? 16 : 10);
        if (end == value->string || *end != '\0')
            return want(reading, value, "a number");
    }
    if (*out < low || *out > high)
        return config_fail(reading->error, &value->place, "%s = %lld is out of range: %lld to %lld are possible",
                           reading->key, (long long)*out, (long long)low, (long long)high);
    return 0;
}

static int read_unsigned(struct reading *reading, const struct config_value *value, int64_t low, int64_t high,
                         unsigned int *out)
{
    int64_t number;

    if (read_range(reading, value, low, high, &number) != 0)
        return -1;
    *out = (unsigned int)number;
    return 0;
}

static int add_text(struct reading *reading, char ***list, size_t *count, const char *text)
{
    char **longer = realloc(*list, (*count + 1) * sizeof(*longer));

    if (longer == NULL)
        return config_fail(reading->error, NULL, "out of memory");
    *list = longer;
    longer[*count] = strdup(text);
    if (longer[*count] == NULL)
        return config_fail(reading->error, NULL, "out of memory");
    (*count)++;
    return 0;
}

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

static int read_name(struct reading *reading, const struct config_value *value)
{
    const char *why;

    if (copy_text(reading, value, &reading->out->name) != 0)
        return -1;
    if (!domain_name_valid(reading->out->name, &why))
        return config_fail(reading->error, &value->place, "name = \"%s\": %s", reading->out->name, why);
    return 0;
}

static int read_kernel(struct reading *reading, const struct config_value *value)
{
    return copy_text(reading, value, &reading->out->kernel);
}

static int read_memory(struct reading *reading, const struct config_value *value)
{
    int64_t mib;

    if (read_range(reading, value, 1, DOMAIN_MEMORY_MAX / 1024, &mib) != 0)
        return -1;
    reading->out->memory_kib = (uint64_t)mib * 1024;
    return 0;
}

static int read_maxmem(struct reading *reading, const struct config_value *value)
{
    int64_t mib;

    if (read_range(reading, value, 1, DOMAIN_MEMORY_MAX / 1024, &mib) != 0)
        return -1;
    reading->out->max_memory_kib = (uint64_t)mib * 1024;
    return 0;
}

static int read_vcpus(struct reading *reading, const struct config_value *value)
{
    return read_unsigned(reading, value, 1, DOMAIN_VCPUS_MAX, &reading->out->vcpus);
}

static int read_maxvcpus(struct reading *reading, const struct config_value *value)
{
    return read_unsigned(reading, value, 1, DOMAIN_VCPUS_MAX, &reading->out->max_vcpus);
}

static int read_weight(struct reading *reading, const struct config_value *value)
{
    return read_unsigned(reading, value, 1, 65535, &reading->out->weight);
}

static int read_cap(struct reading *reading, const struct config_value *value)
{
    return read_unsigned(reading, value, 0, 100 * DOMAIN_VCPUS_MAX, &reading->out->cap);
}

static int read_map(struct reading *reading, const struct config_value *value, struct cpu_map *map)
{
    const char *why;

    if (value->kind == CONFIG_LIST)
        return want(reading, value, "CPU numbers such as \"0-3,^2\"");
    if (cpu_map_parse(value->string, map, &why) != 0)
        return config_fail(reading->error, &value->place, "%s = \"%s\": %s", reading->key, value->string, why);
    if (cpu_map_empty(map))
        return config_fail(reading->error, &value->place, "%s = \"%s\" leaves no CPU to run on", reading->key,
                           value->string);
    return 0;
}

/* cpus = ["0-1", "2"]: one entry for each vCPU. */
static int read_pinning(struct reading *reading, const struct config_value *value)
{
    struct domain_config *out = reading->out;

    if (value->count > DOMAIN_VCPUS_MAX)
        return want(reading, value, "a list with at most one entry for each vCPU");
    free(out->pinning);
    out->pinning = calloc(DOMAIN_VCPUS_MAX, sizeof(*out->pinning));
    if (out->pinning == NULL)
        return config_fail(reading->error, &value->place, "out of memory");
    for (size_t i = 0; i < value->count; i++) {
        out->pinning[i].set = true;
        if (read_map(reading, value->items[i], &out->pinning[i].hard) != 0)
            return -1;
    }
    return 0;
}

static int read_cpus(struct reading *reading, const struct config_value *value)
{
    if (value->kind == CONFIG_LIST)
        return read_pinning(reading, value);
    reading->out->has_hard = true;
    return read_map(reading, value, &reading->out->hard);
}

static int read_cpus_soft(struct reading *reading, const struct config_value *value)
{
    reading->out->has_soft = true;
    return read_map(reading, value, &reading->out->soft);
}

static int read_uuid(struct reading *reading, const struct config_value *value)
{
    if (value->kind != CONFIG_STRING || !uuid_parse(value->string, reading->out->uuid))
        return want(reading, value, "a UUID such as \"b1c0aa3e-6b7a-4d0e-9d43-2f3a5c6e7f80\"");
    reading->out->has_uuid = true;
    return 0;
}

static const char *const action_names[] = {
    [ACTION_DESTROY] = "destroy",
    [ACTION_RESTART] = "restart",
    [ACTION_RENAME_RESTART] = "rename-restart",
    [ACTION_PRESERVE] = "preserve",
    [ACTION_COREDUMP_DESTROY] = "coredump-destroy",
    [ACTION_COREDUMP_RESTART] = "coredump-restart",
};

const char *domain_action_name(enum domain_action action)
{
    return action_names[action];
}

static int read_action(struct reading *reading, const struct config_value *value, enum domain_action *out)
{
    const char *name = value->kind == CONFIG_STRING ? value->string : "";

    if (strcmp(name, "soft-reset") == 0)
        return config_fail(reading->error, &value->place,
                           "%s = \"%s\" is not possible here; use destroy, restart, rename-restart, "
                           "preserve, coredump-destroy or coredump-restart",
                           reading->key, name);
    for (unsigned int i = 0; i < sizeof(action_names) / sizeof(action_names[0]); i++) {
        if (strcmp(name, action_names[i]) == 0) {
            *out = (enum domain_action)i;
            return 0;
        }
    }
    return want(
        reading, value,
        "\"destroy\", \"restart\", \"rename-restart\", \"preserve\", \"coredump-destroy\" or \"coredump-restart\"");
}

static int read_on_poweroff(struct reading *reading, const struct config_value *value)
{
    return read_action(reading, value, &reading->out->on_poweroff);
}

static int read_on_reboot(struct reading *reading, const struct config_value *value)
{
    return read_action(reading, value, &reading->out->on_reboot);
}

static int read_on_crash(struct reading *reading, const struct config_value *value)
{
    return read_action(reading, value, &reading->out->on_crash);
}

static int read_on_watchdog(struct reading *reading, const struct config_value *value)
{
    return read_action(reading, value, &reading->out->on_watchdog);
}

static int read_type(struct reading *reading, const struct config_value *value)
{
    if (value->kind == CONFIG_STRING && (strcmp(value->string, "pv") == 0 || strcmp(value->string, "generic") == 0))
        return 0;
    return want(reading, value, "\"pv\": this hypervisor runs paravirtualized domains only");
}

static int read_grant_frames(struct reading *reading, const struct config_value *value)
{
    return read_unsigned(reading, value, 1, 65536, &reading->out->max_grant_frames);
}

static int read_maptrack_frames(struct reading *reading, const struct config_value *value)
{
    return read_unsigned(reading, value, 0, 65536, &reading->out->max_maptrack_frames);
}

static int read_shadow(struct reading *reading, const struct config_value *value)
{
    unsigned int wanted = 0;
    int status = read_unsigned(reading, value, 0, 1, &wanted);

    reading->out->shadow = wanted != 0;
    return status;
}

static int read_grant_version(struct reading *reading, const struct config_value *value)
{
    return read_unsigned(reading, value, 1, 2, &reading->out->max_grant_version);
}

static int read_event_channels(struct reading *reading, const struct config_value *value)
{
    unsigned int count = 0;

    if (read_unsigned(reading, value, 1, 1 << 17, &count) != 0)
        return -1;
    reading->out->max_event_channels = (int)count - 1;
    return 0;
}

static int read_ramdisk(struct reading *reading, const struct config_value *value)
{
    struct domain_config *out = reading->out;

    if (value->kind != CONFIG_STRING)
        return want(reading, value, "a file name; several files go into modules = [...]");
    if (out->module_package)
        return config_fail(reading->error, &value->place, "there can be a ramdisk or modules, not both");
    return value->string[0] == '\0' ? 0 : add_text(reading, &out->modules, &out->module_count, value->string);
}

static int read_modules(struct reading *reading, const struct config_value *value)
{
    struct domain_config *out = reading->out;

    if (value->kind != CONFIG_LIST)
        return want(reading, value, "a list of files, each with its command line behind it");
    if (out->module_count > 0 && !out->module_package)
        return config_fail(reading->error, &value->place, "there can be a ramdisk or modules, not both");
    out->module_package = value->count > 0;
    for (size_t i = 0; i < value->count; i++) {
        if (value->items[i]->kind != CONFIG_STRING || value->items[i]->string[0] == '\0')
            return want(reading, value->items[i], "a list of files, each with its command line behind it");
        if (add_text(reading, &out->modules, &out->module_count, value->items[i]->string) != 0)
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

static int read_vif(struct reading *reading, const struct config_value *value)
{
    struct domain_config *out = reading->out;
    char reason[160];

    if (value->kind != CONFIG_LIST || value->count > VIFS_MAX)
        return want(reading, value, "a list of at most 64 interfaces such as \"mac=00:16:3e:00:00:01,bridge=xenbr0\"");
    free(out->vifs);
    out->vif_count = 0;
    out->vifs = calloc(value->count + 1, sizeof(*out->vifs));
    if (out->vifs == NULL)
        return config_fail(reading->error, &value->place, "out of memory");
    for (; out->vif_count < value->count; out->vif_count++) {
        const struct config_value *item = value->items[out->vif_count];

        if (item->kind != CONFIG_STRING)
            return want(reading, item, "a list of strings, one for each interface");
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
        return want(reading, value, "a list of disks such as \"/images/root.img,raw,xvda,rw\"");
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

static int read_disks(struct reading *reading, const struct config_value *value)
{
    if (value->kind != CONFIG_LIST)
        return want(reading, value, "a list: disk = [\"/images/root.img,raw,xvda,rw\"]");
    for (size_t i = 0; i < value->count; i++)
        if (add_disk(reading, value->items[i]) != 0)
            return -1;
    return 0;
}

/* For keys that other readers deal with, or that need no reading at all. */
static int read_nothing(struct reading *reading, const struct config_value *value)
{
    return 0;
}

static int read_unsupported(struct reading *reading, const struct config_value *value)
{
    char note[CONFIG_ERROR_SIZE];

    if ((value->kind == CONFIG_LIST && value->count == 0) || (value->kind == CONFIG_NUMBER && value->number == 0))
        return 0;
    snprintf(note, sizeof(note), "%s:%u: %s is not supported yet and has no effect", value->place.file,
             value->place.line, reading->key);
    return add_text(reading, &reading->out->notes, &reading->out->note_count, note);
}

static int read_bootloader(struct reading *reading, const struct config_value *value)
{
    return config_fail(
        reading->error, &value->place,
        "bootloader is not possible here; name the guest's kernel with kernel = \"FILE\" (GRUB's PV image, "
        "/boot/grub-x86_64-xen.bin, can load a kernel from the guest's own disk)");
}

struct setting {
    const char *key;
    setting_reader *read;
};

static const struct setting settings[] = {
    {"name", read_name},
    {"kernel", read_kernel},
    {"ramdisk", read_ramdisk},
    {"modules", read_modules},
    {"cmdline", read_nothing},
    {"extra", read_nothing},
    {"root", read_nothing},
    {"memory", read_memory},
    {"maxmem", read_maxmem},
    {"vcpus", read_vcpus},
    {"maxvcpus", read_maxvcpus},
    {"cpus", read_cpus},
    {"cpus_soft", read_cpus_soft},
    {"cpu_weight", read_weight},
    {"cap", read_cap},
    {"uuid", read_uuid},
    {"on_poweroff", read_on_poweroff},
    {"on_reboot", read_on_reboot},
    {"on_crash", read_on_crash},
    {"on_watchdog", read_on_watchdog},
    {"on_soft_reset", read_unsupported},
    {"type", read_type},
    {"builder", read_type},
    {"max_grant_frames", read_grant_frames},
    {"max_maptrack_frames", read_maptrack_frames},
    {"max_grant_version", read_grant_version},
    {"shadow", read_shadow},
    {"max_event_channels", read_event_channels},
    {"bootloader", read_bootloader},
    {"bootloader_args", read_unsupported},
    {"disk", read_disks},
    {"vif", read_vif},
    {"vfb", read_unsupported},
    {"vkb", read_unsupported},
    {"vtpm", read_unsupported},
    {"p9", read_unsupported},
    {"pvcalls", read_unsupported},
    {"pci", read_unsupported},
    {"channel", read_unsupported},
    {"usbctrl", read_unsupported},
    {"usbdev", read_unsupported},
    {"dtdev", read_unsupported},
    {"vsnd", read_unsupported},
    {"vdispl", read_unsupported},
    {"ioports", read_unsupported},
    {"iomem", read_unsupported},
    {"irqs", read_unsupported},
    {"pool", read_unsupported},
    {"nodes", read_unsupported},
    {"vnuma", read_unsupported},
    {"cpuid", read_unsupported},
    {"seclabel", read_unsupported},
    {"init_seclabel", read_unsupported},
    {"driver_domain", read_unsupported},
    {"device_tree", read_unsupported},
    {"passthrough", read_unsupported},
    {"e820_host", read_unsupported},
    {"tsc_mode", read_unsupported},
    {"rtc_timeoffset", read_unsupported},
    {"localtime", read_unsupported},
    {"vmtrace_buf_kb", read_unsupported},
    {"vpmu", read_unsupported},
    {"nomigrate", read_nothing},
    {"serial", read_unsupported},
    {"keymap", read_unsupported},
    {"vnc", read_unsupported},
    {"sdl", read_unsupported},
    {"nographic", read_nothing},
    {"pvshim", read_unsupported},
    {"boot", read_unsupported},
    {"firmware", read_unsupported},
    {"hap", read_unsupported},
    {"acpi", read_unsupported},
    {"apic", read_unsupported},
    {"pae", read_unsupported},
    {"nx", read_unsupported},
    {"viridian", read_unsupported},
    {"shadow_memory", read_unsupported},
    {"videoram", read_unsupported},
    {"device_model_version", read_unsupported},
    {"device_model_override", read_unsupported},
    {"device_model_args", read_unsupported},
    {"xen_platform_pci", read_unsupported},
    {"xend_suspend_evtchn_compat", read_nothing},
};

const char *domain_config_nearest_key(const char *key)
{
    unsigned int best = 4;
    const char *nearest = NULL;

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
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
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
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

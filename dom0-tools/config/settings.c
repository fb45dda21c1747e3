/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of settings and what each does to a domain. A setting whose value has the wrong type or lies outside its
 * limits is an error that names its place; lists of files and devices are read in settings_devices.c.
 */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int setting_want(struct reading *reading, const struct config_value *value, const char *what)
{
    return config_fail(reading->error, &value->place, "%s must be %s", reading->key, what);
}

static int copy_text(struct reading *reading, const struct config_value *value, char **to)
{
    if (value->kind == CONFIG_LIST)
        return setting_want(reading, value, "a string, not a list");
    free(*to);
    *to = strdup(value->string);
    return *to != NULL ? 0 : config_fail(reading->error, &value->place, "out of memory");
}

static int read_range(struct reading *reading, const struct config_value *value, int64_t low, int64_t high,
                      int64_t *out)
{
    char *end;

    if (value->kind == CONFIG_LIST)
        return setting_want(reading, value, "a number, not a list");
    *out = value->number;
    if (value->kind == CONFIG_STRING) {
        *out = strtoll(value->string, &end, strncmp(value->string, "0x", 2) == 0 ? 16 : 10);
        if (end == value->string || *end != '\0')
            return setting_want(reading, value, "a number");
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

int setting_add_text(struct reading *reading, char ***list, size_t *count, const char *text)
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
        return setting_want(reading, value, "CPU numbers such as \"0-3,^2\"");
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
        return setting_want(reading, value, "a list with at most one entry for each vCPU");
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
        return setting_want(reading, value, "a UUID such as \"b1c0aa3e-6b7a-4d0e-9d43-2f3a5c6e7f80\"");
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
    return setting_want(
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
    return setting_want(reading, value, "\"pv\": this hypervisor runs paravirtualized domains only");
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
    return setting_add_text(reading, &reading->out->notes, &reading->out->note_count, note);
}

static int read_bootloader(struct reading *reading, const struct config_value *value)
{
    return config_fail(
        reading->error, &value->place,
        "bootloader is not possible here; name the guest's kernel with kernel = \"FILE\" (GRUB's PV image, "
        "/boot/grub-x86_64-xen.bin, can load a kernel from the guest's own disk)");
}

const struct setting settings[] = {
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

const size_t setting_count = sizeof(settings) / sizeof(settings[0]);

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a configuration means: the settings of one PV domain, checked and with their defaults filled in. Every key that
 * xl.cfg knows is known here; those without effect on a PV domain here are listed in `notes`, an unknown one is an error.
 */
#ifndef CONFIG_DOMAIN_CONFIG_H
#define CONFIG_DOMAIN_CONFIG_H

#include "config.h"
#include "vif.h"
#include "disk.h"

#define DOMAIN_NAME_MAX   64
#define DOMAIN_VCPUS_MAX  32 /* what shared_info has a vcpu_info for */
#define DOMAIN_CPUS_MAX   256
#define DOMAIN_MEMORY_MAX (1ull << 34) /* KiB: 16 TiB */

enum domain_action {
    ACTION_DESTROY,
    ACTION_RESTART,
    ACTION_RENAME_RESTART,
    ACTION_PRESERVE,
    ACTION_COREDUMP_DESTROY,
    ACTION_COREDUMP_RESTART,
};

struct cpu_map {
    uint8_t bits[DOMAIN_CPUS_MAX / 8];
};

struct vcpu_pinning {
    bool set;
    struct cpu_map hard;
};

struct domain_config {
    char *name, *kernel, *command_line;
    char **modules; /* the RAM disk, or what `modules` lists: a file, and behind a blank its command line */
    size_t module_count;
    bool module_package; /* they came from `modules` */
    uint64_t memory_kib, max_memory_kib;
    unsigned int vcpus, max_vcpus;
    unsigned int weight, cap; /* weight 0: the scheduler's default */
    uint8_t uuid[16];
    bool has_uuid;
    bool has_hard, has_soft;
    struct cpu_map hard, soft;
    struct vcpu_pinning *pinning; /* of max_vcpus, NULL when all are alike */
    enum domain_action on_poweroff, on_reboot, on_crash, on_watchdog;
    bool shadow; /* it runs on shadow page tables from the start */
    unsigned int max_grant_frames, max_maptrack_frames, max_grant_version;
    int max_event_channels; /* the highest port number */
    struct vif_config *vifs;
    size_t vif_count;
    struct disk *disks;
    size_t disk_count;
    char **notes; /* sentences for the user: what was accepted and has no effect */
    size_t note_count;
};

/* Takes the meaning out of a parsed file. 0, or -1 with the error; `out` is to be freed in both cases. */
int domain_config_read(const struct config *config, struct domain_config *out, struct config_error *error);
void domain_config_free(struct domain_config *config);

/* "0-3,^2,7", "all" or "none". 0, or -1 and *why. */
int cpu_map_parse(const char *text, struct cpu_map *map, const char **why);
void cpu_map_fill(struct cpu_map *map);
bool cpu_map_test(const struct cpu_map *map, unsigned int cpu);
bool cpu_map_empty(const struct cpu_map *map);

/* As xl writes it: "0-3,7", or "all" when the first `cpus` are in. The text always fits 1024 bytes. */
void cpu_map_format(const struct cpu_map *map, unsigned int cpus, char *text, size_t size);

bool uuid_parse(const char *text, uint8_t uuid[16]);
void uuid_format(const uint8_t uuid[16], char text[37]);

const char *domain_action_name(enum domain_action action);

/* The known key closest to a mistyped one, or NULL when none is close. */
const char *domain_config_nearest_key(const char *key);

/* Levenshtein distance in which two letters changed about count one, the measure of "close": also for mistyped verbs. */
unsigned int edit_distance(const char *a, const char *b);

/* Letters, digits and "-_.+:" only, not empty, not all digits (that is a domain id). */
bool domain_name_valid(const char *name, const char **why);

#endif

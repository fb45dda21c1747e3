/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of settings: what reads each, and what the readers share. Only the files of this directory see it.
 */
#ifndef DOM0_CONFIG_SETTINGS_H
#define DOM0_CONFIG_SETTINGS_H

#include "domain_config.h"

struct reading {
    struct domain_config *out;
    struct config_error *error;
    const char *key; /* the key of the setting being read */
};

typedef int setting_reader(struct reading *reading, const struct config_value *value);

struct setting {
    const char *key;
    setting_reader *read;
};

extern const struct setting settings[];
extern const size_t setting_count;

/* "KEY must be WHAT", with the place of the value; -1. */
int setting_want(struct reading *reading, const struct config_value *value, const char *what);

/* A copy of the text at the list's end. */
int setting_add_text(struct reading *reading, char ***list, size_t *count, const char *text);

setting_reader read_ramdisk, read_modules, read_vif, read_disks;

#endif

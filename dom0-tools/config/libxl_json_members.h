/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files that read libxl's JSON share: tables of keys, each with what reads its value, or with nothing for what
 * changes nothing here. A reader returns 0, or -1 with the error.
 */
#ifndef CONFIG_LIBXL_JSON_MEMBERS_H
#define CONFIG_LIBXL_JSON_MEMBERS_H

#include "json_tree.h"
#include "libxl_json.h"

#define NAMES_MAX    4096u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct reading {
    struct json_tree tree;
    struct domain_config *out;
    struct disk *disk; /* the ones being read */
    struct vif_config *vif;
    struct cpu_map *hard, *soft; /* of DOMAIN_VCPUS_MAX vCPUs */
    size_t hard_count, soft_count;
    bool is_pv;
};

typedef int value_reader(struct reading *reading, int node);

struct member {
    const char *key;
    value_reader *read; /* NULL: without effect */
};

/* Each member by its table; one that is not there is noted, one that is there twice refused, null passed over. */
int members_read(struct reading *reading, int node, const struct member *members, size_t count);

int members_note(struct reading *reading, const char *words);
int members_note_key(struct reading *reading, int node, const char *words);
int members_want(struct reading *reading, int node, enum json_kind kind);

/* `size` counts the NUL. */
int members_copy(struct reading *reading, int node, char *to, size_t size);
/* In place of what *to was, to be freed. */
int members_string(struct reading *reading, int node, size_t most, char **to);
int members_unsigned(struct reading *reading, int node, int64_t low, int64_t high, unsigned int *out);

/* Settings that do something on a host that libxl manages: noted, unless there is nothing in them. */
value_reader members_without_effect;

value_reader libxl_json_disks, libxl_json_vifs;

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The syntax of xl.cfg files: `key = value` and `key += value` lines, values being strings, numbers and nested lists.
 * This half knows no key; domain_config.h gives them their meaning. Every value remembers where it stood.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_ERROR_SIZE 256
#define CONFIG_DEPTH_MAX  16

enum config_kind { CONFIG_STRING, CONFIG_NUMBER, CONFIG_LIST };

struct config_place {
    const char *file; /* owned by the config */
    unsigned int line, column;
};

struct config_value {
    enum config_kind kind;
    struct config_place place;
    char *string; /* of a string; of a number, its spelling */
    int64_t number;
    struct config_value **items; /* of a list */
    size_t count;
};

struct config_entry {
    struct config_entry *next;
    struct config_place place;
    char *key;
    struct config_value *value;
};

struct config_name {
    struct config_name *next;
    char text[];
};

struct config {
    struct config_entry *first, **last;
    struct config_name *names; /* of the files read */
};

/* What went wrong, as one line that names the place. */
struct config_error {
    char text[CONFIG_ERROR_SIZE];
};

void config_init(struct config *config);
void config_free(struct config *config);

/* Adds what the text says; a later setting of the same key replaces the earlier. 0, or -1 with the error. */
int config_parse(struct config *config, const char *name, const char *text, size_t size, struct config_error *error);

/*
 * Adds one `key=value` given on a command line. What is neither a quoted string, a number nor a list counts as a
 * string, so that `name=web1` needs no inner quotes.
 */
int config_override(struct config *config, const char *assignment, struct config_error *error);

const struct config_entry *config_find(const struct config *config, const char *key);

/* A control character, in ASCII or the block of Unicode beyond it, at the start of a text: one that a terminal acts upon,
 * and that no string of a configuration may have. Tabs and ends of lines are none. */
bool config_is_control(const char *text);

/* Formats "file:line:column: text" into the error; returns -1. */
int config_fail(struct config_error *error, const struct config_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

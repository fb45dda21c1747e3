/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Writes one JSON value to the standard output, piece by piece: commas and quoting are done here. All of it is silent
 * unless the command was given --json.
 */
#ifndef VANE_JSON_H
#define VANE_JSON_H

#include "vane.h"

struct json {
    struct vane *vane;
    unsigned int depth;
    bool has_items[16];
};

void json_begin(struct json *json, struct vane *vane);
void json_end(struct json *json);

/* A container opens with '{' or '['; the key is NULL in lists and at the top. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
void json_string(struct json *json, const char *key, const char *value);
void json_text(struct json *json, const char *key, const char *value, size_t length);
void json_number(struct json *json, const char *key, uint64_t value);
void json_signed(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);

/* Nanoseconds as seconds with nine decimals. */
void json_seconds(struct json *json, const char *key, uint64_t ns);

/* {"KEY": VALUE}, for commands with one result; and {"ok": true}. */
void json_single(struct vane *vane, const char *key, const char *value);
void json_ok(struct vane *vane);

#endif

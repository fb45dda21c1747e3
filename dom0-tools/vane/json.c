/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON output.
 */
#include "json.h"

#include <stdio.h>
#include <string.h>

static bool off(const struct json *json)
{
    return !json->vane->json;
}

static void quote(const char *text, size_t length)
{
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c == '\n')
            fputs("\\n", stdout);
        else if (c < 0x20 || c >= 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void item(struct json *json, const char *key)
{
    if (json->has_items[json->depth])
        fputs(", ", stdout);
    json->has_items[json->depth] = true;
    if (key != NULL) {
        quote(key, strlen(key));
        fputs(": ", stdout);
    }
}

void json_begin(struct json *json, struct vane *vane)
{
    memset(json, 0, sizeof(*json));
    json->vane = vane;
    if (!off(json))
        vane->json_started = true;
}

void json_end(struct json *json)
{
    if (!off(json))
        putchar('\n');
}

void json_open(struct json *json, const char *key, char bracket)
{
    if (off(json))
        return;
    item(json, key);
    putchar(bracket);
    if (json->depth + 1 < sizeof(json->has_items))
        json->depth++;
    json->has_items[json->depth] = false;
}

void json_close(struct json *json, char bracket)
{
    if (off(json))
        return;
    putchar(bracket);
    json->depth--;
}

void json_text(struct json *json, const char *key, const char *value, size_t length)
{
    if (off(json))
        return;
    item(json, key);
    quote(value, length);
}

void json_string(struct json *json, const char *key, const char *value)
{
    json_text(json, key, value, strlen(value));
}

void json_number(struct json *json, const char *key, uint64_t value)
{
    if (off(json))
        return;
    item(json, key);
    printf("%llu", (unsigned long long)value);
}

void json_signed(struct json *json, const char *key, int64_t value)
{
    if (off(json))
        return;
    item(json, key);
    printf("%lld", (long long)value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    if (off(json))
        return;
    item(json, key);
    fputs(value ? "true" : "false", stdout);
}

void json_seconds(struct json *json, const char *key, uint64_t ns)
{
    if (off(json))
        return;
    item(json, key);
    printf("%llu.%09llu", (unsigned long long)(ns / 1000000000u), (unsigned long long)(ns % 1000000000u));
}

void json_single(struct vane *vane, const char *key, const char *value)
{
    struct json json;

    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_string(&json, key, value);
    json_close(&json, '}');
    json_end(&json);
}

void json_ok(struct vane *vane)
{
    struct json json;

    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_bool(&json, "ok", true);
    json_close(&json, '}');
    json_end(&json);
}

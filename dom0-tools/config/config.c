/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Parser of xl.cfg syntax: one pass over the text, one character of look-ahead. An error says what was expected, what
 * stands there instead, and where.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct config *config;
    struct config_error *error;
    const char *at, *end;
    struct config_place place;
};

int config_fail(struct config_error *error, const struct config_place *place, const char *format, ...)
{
    va_list args;
    int used = 0;

    if (place != NULL && place->line != 0)
        used = snprintf(error->text, sizeof(error->text), "%s:%u:%u: ", place->file, place->line, place->column);
    else if (place != NULL)
        used = snprintf(error->text, sizeof(error->text), "%s: ", place->file);
    if (used < 0 || (size_t)used >= sizeof(error->text))
        used = 0;
    va_start(args, format);
    vsnprintf(error->text + used, sizeof(error->text) - (size_t)used, format, args);
    va_end(args);
    return -1;
}

static int out_of_memory(struct reader *reader)
{
    return config_fail(reader->error, &reader->place, "out of memory");
}

void config_init(struct config *config)
{
    config->first = NULL;
    config->last = &config->first;
    config->names = NULL;
}

static void free_value(struct config_value *value)
{
    if (value == NULL)
        return;
    for (size_t i = 0; i < value->count; i++)
        free_value(value->items[i]);
    free(value->items);
    free(value->string);
    free(value);
}

static void free_entry(struct config_entry *entry)
{
    free_value(entry->value);
    free(entry->key);
    free(entry);
}

void config_free(struct config *config)
{
    while (config->first != NULL) {
        struct config_entry *entry = config->first;

        config->first = entry->next;
        free_entry(entry);
    }
    while (config->names != NULL) {
        struct config_name *name = config->names;

        config->names = name->next;
        free(name);
    }
    config->last = &config->first;
}

static const char *keep_name(struct config *config, const char *text)
{
    size_t length = strlen(text) + 1;
    struct config_name *name = malloc(sizeof(*name) + length);

    if (name == NULL)
        return NULL;
    memcpy(name->text, text, length);
    name->next = config->names;
    config->names = name;
    return name->text;
}

static int look(const struct reader *reader)
{
    return reader->at < reader->end ? (unsigned char)*reader->at : -1;
}

static void step(struct reader *reader)
{
    if (*reader->at == '\n') {
        reader->place.line++;
        reader->place.column = 1;
    } else {
        reader->place.column++;
    }
    reader->at++;
}

/* Spaces, comments and continued lines; line ends only where they mean nothing. */
static void skip_blank(struct reader *reader, bool across_lines)
{
    for (;;) {
        int c = look(reader);

        if (c == ' ' || c == '\t' || c == '\r' || (across_lines && c == '\n')) {
            step(reader);
        } else if (c == '\\' && reader->at + 1 < reader->end && reader->at[1] == '\n') {
            step(reader);
            step(reader);
        } else if (c == '#') {
            while (look(reader) != '\n' && look(reader) != -1)
                step(reader);
        } else {
            return;
        }
    }
}

static int expected(struct reader *reader, const char *what)
{
    int c = look(reader);

    if (c == -1)
        return config_fail(reader->error, &reader->place, "expected %s, but the file ends here", what);
    if (c == '\n')
        return config_fail(reader->error, &reader->place, "expected %s, but the line ends here", what);
    if (isprint(c))
        return config_fail(reader->error, &reader->place, "expected %s, found '%c'", what, c);
    return config_fail(reader->error, &reader->place, "expected %s, found byte 0x%02x", what, (unsigned int)c);
}

static int digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* The character after a backslash; in numbers as in C. */
static int read_escape(struct reader *reader, char *out)
{
    static const char letters[] = "abfnrtv", meanings[] = "\a\b\f\n\r\t\v";
    int c = look(reader);
    const char *letter = c > 0 ? strchr(letters, c) : NULL;

    if (c == -1 || c == '\n')
        return expected(reader, "a character after the backslash");
    if (letter != NULL) {
        *out = meanings[letter - letters];
        step(reader);
        return 0;
    }
    if (c == 'x') {
        step(reader);
        if (reader->end - reader->at < 2 || digit(reader->at[0]) > 15 || digit(reader->at[1]) > 15)
            return expected(reader, "two hexadecimal digits after \\x");
        *out = (char)(digit(reader->at[0]) * 16 + digit(reader->at[1]));
        step(reader);
        step(reader);
    } else {
        *out = (char)c;
        step(reader);
    }
    if (*out == '\0')
        return config_fail(reader->error, &reader->place, "a string cannot contain a zero byte");
    return 0;
}

bool config_is_control(const char *text)
{
    unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F || (c == 0xC2 && next >= 0x80 && next < 0xA0);
}

static int no_controls(struct reader *reader, const struct config_place *start, const char *text)
{
    for (; *text != '\0'; text++)
        if (config_is_control(text))
            return config_fail(reader->error, start, "a string cannot contain a control character (here 0x%02x)",
                               (unsigned char)*text);
    return 0;
}

static int read_string(struct reader *reader, struct config_value *value)
{
    struct config_place start = reader->place;
    int quote = look(reader);
    size_t length = 0;

    step(reader);
    value->kind = CONFIG_STRING;
    value->string = malloc((size_t)(reader->end - reader->at) + 1);
    if (value->string == NULL)
        return out_of_memory(reader);
    while (look(reader) != quote) {
        int c = look(reader);
        char out = (char)c;

        if (c == -1 || c == '\n')
            return config_fail(reader->error, &start, "this string is not closed: expected %c before the %s ends",
                               quote, c == -1 ? "file" : "line");
        if (c == 0)
            return expected(reader, "text");
        step(reader);
        if (c == '\\' && read_escape(reader, &out) != 0)
            return -1;
        value->string[length++] = out;
    }
    value->string[length] = '\0';
    step(reader);
    return no_controls(reader, &start, value->string);
}

static int read_number(struct reader *reader, struct config_value *value)
{
    struct config_place start = reader->place;
    const char *from = reader->at;
    char *end;
    size_t length;

    if (look(reader) == '-')
        step(reader);
    while (isalnum(look(reader)))
        step(reader);
    length = (size_t)(reader->at - from);
    value->kind = CONFIG_NUMBER;
    value->string = malloc(length + 1);
    if (value->string == NULL)
        return out_of_memory(reader);
    memcpy(value->string, from, length);
    value->string[length] = '\0';
    errno = 0;
    value->number = strtoll(value->string, &end, strncmp(value->string, "0x", 2) == 0 ? 16 : 10);
    if (errno == ERANGE)
        return config_fail(reader->error, &start, "the number %s is too large", value->string);
    if (end == value->string || *end != '\0')
        return config_fail(reader->error, &start, "expected a number, found %s (text needs quotes)", value->string);
    return 0;
}

static int read_value(struct reader *reader, struct config_value **out, unsigned int depth);

static int append_item(struct reader *reader, struct config_value *list, struct config_value *item)
{
    struct config_value **items = realloc(list->items, (list->count + 1) * sizeof(*items));

    if (items == NULL)
        return out_of_memory(reader);
    list->items = items;
    list->items[list->count++] = item;
    return 0;
}

static int read_list(struct reader *reader, struct config_value *list, unsigned int depth)
{
    struct config_place start = reader->place;

    list->kind = CONFIG_LIST;
    if (depth == CONFIG_DEPTH_MAX)
        return config_fail(reader->error, &start, "lists are nested more than %d deep", CONFIG_DEPTH_MAX);
    step(reader);
    for (skip_blank(reader, true); look(reader) != ']'; skip_blank(reader, true)) {
        struct config_value *item = NULL;

        if (look(reader) == -1)
            return config_fail(reader->error, &start, "this list is not closed: expected ] before the file ends");
        if (read_value(reader, &item, depth + 1) != 0 || append_item(reader, list, item) != 0) {
            free_value(item);
            return -1;
        }
        skip_blank(reader, true);
        if (look(reader) == ',')
            step(reader);
        else if (look(reader) != ']')
            return look(reader) == -1
                       ? config_fail(reader->error, &start, "this list is not closed: expected ] before the file ends")
                       : expected(reader, "',' or ']' after a list item");
    }
    step(reader);
    return 0;
}

static int read_value(struct reader *reader, struct config_value **out, unsigned int depth)
{
    struct config_value *value = calloc(1, sizeof(*value));
    int c = look(reader), status;

    if (value == NULL)
        return out_of_memory(reader);
    value->place = reader->place;
    if (c == '"' || c == '\'')
        status = read_string(reader, value);
    else if (c == '[')
        status = read_list(reader, value, depth);
    else if (c != -1 && (isalnum(c) || c == '-'))
        status = read_number(reader, value);
    else
        status = expected(reader, "a string in quotes, a number or a list");
    if (status != 0) {
        free_value(value);
        return -1;
    }
    *out = value;
    return 0;
}

const struct config_entry *config_find(const struct config *config, const char *key)
{
    for (const struct config_entry *entry = config->first; entry != NULL; entry = entry->next)
        if (strcmp(entry->key, key) == 0)
            return entry;
    return NULL;
}

static int join_strings(struct reader *reader, struct config_value *to, const struct config_value *more)
{
    size_t old = strlen(to->string), extra = strlen(more->string) + 1;
    char *joined = realloc(to->string, old + extra);

    if (joined == NULL)
        return out_of_memory(reader);
    memcpy(joined + old, more->string, extra);
    to->string = joined;
    return 0;
}

/* key += value: lists grow by the items, strings by the text. `more` is used up whatever happens. */
static int extend(struct reader *reader, struct config_value *to, struct config_value *more)
{
    int status = 0;

    if (to->kind != more->kind || to->kind == CONFIG_NUMBER)
        status = config_fail(reader->error, &more->place, "+= joins two lists or two strings");
    else if (to->kind == CONFIG_STRING)
        status = join_strings(reader, to, more);
    while (status == 0 && to->kind == CONFIG_LIST && more->count > 0) {
        status = append_item(reader, to, more->items[0]);
        if (status == 0)
            memmove(more->items, more->items + 1, --more->count * sizeof(*more->items));
    }
    free_value(more);
    return status;
}

static int store(struct reader *reader, struct config_entry *entry, bool add)
{
    struct config_entry *old = (struct config_entry *)config_find(reader->config, entry->key);

    if (old == NULL) {
        *reader->config->last = entry;
        reader->config->last = &entry->next;
        return 0;
    }
    if (add) {
        int status = extend(reader, old->value, entry->value);

        entry->value = NULL;
        free_entry(entry);
        return status;
    }
    free_value(old->value);
    old->value = entry->value;
    old->place = entry->place;
    entry->value = NULL;
    free_entry(entry);
    return 0;
}

static int read_key(struct reader *reader, struct config_entry *entry)
{
    const char *from = reader->at;
    size_t length;

    if (!isalpha(look(reader)) && look(reader) != '_')
        return expected(reader, "the name of a setting");
    while (look(reader) != -1 && (isalnum(look(reader)) || look(reader) == '_'))
        step(reader);
    length = (size_t)(reader->at - from);
    entry->key = malloc(length + 1);
    if (entry->key == NULL)
        return out_of_memory(reader);
    memcpy(entry->key, from, length);
    entry->key[length] = '\0';
    return 0;
}

static int read_operator(struct reader *reader, const char *key, bool *add)
{
    char what[96];

    skip_blank(reader, false);
    *add = look(reader) == '+';
    if (*add)
        step(reader);
    if (look(reader) != '=') {
        snprintf(what, sizeof(what), "'=' after %.64s", key);
        return expected(reader, what);
    }
    step(reader);
    skip_blank(reader, false);
    return 0;
}

static int read_entry_end(struct reader *reader)
{
    skip_blank(reader, false);
    if (look(reader) == -1)
        return 0;
    if (look(reader) != '\n' && look(reader) != ';')
        return expected(reader, "the end of the line or ';' after a setting");
    step(reader);
    return 0;
}

static int read_entry(struct reader *reader)
{
    struct config_entry *entry = calloc(1, sizeof(*entry));
    bool add;

    if (entry == NULL)
        return out_of_memory(reader);
    entry->place = reader->place;
    if (read_key(reader, entry) != 0 || read_operator(reader, entry->key, &add) != 0 ||
        read_value(reader, &entry->value, 0) != 0 || read_entry_end(reader) != 0) {
        free_entry(entry);
        return -1;
    }
    return store(reader, entry, add);
}

int config_parse(struct config *config, const char *name, const char *text, size_t size, struct config_error *error)
{
    struct reader reader = {.config = config, .error = error, .at = text, .end = text + size};

    reader.place = (struct config_place){keep_name(config, name), 1, 1};
    if (reader.place.file == NULL)
        return config_fail(error, NULL, "%s: out of memory", name);
    for (;;) {
        skip_blank(&reader, true);
        if (look(&reader) == ';')
            step(&reader);
        else if (look(&reader) == -1)
            return 0;
        else if (read_entry(&reader) != 0)
            return -1;
    }
}

static bool is_literal(const char *value)
{
    char *end;

    if (value[0] == '"' || value[0] == '\'' || value[0] == '[')
        return true;
    (void)strtoll(value, &end, strncmp(value, "0x", 2) == 0 ? 16 : 10);
    return end != value && *end == '\0';
}

static char *quote_override(const char *assignment, const char *value)
{
    size_t length = strlen(assignment), used = (size_t)(value - assignment);
    char *text = malloc(used + 2 * (length - used) + 3);

    if (text == NULL)
        return NULL;
    memcpy(text, assignment, used);
    if (is_literal(value)) {
        memcpy(text + used, value, length - used + 1);
        return text;
    }
    text[used++] = '"';
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            text[used++] = '\\';
        text[used++] = *value;
    }
    text[used++] = '"';
    text[used] = '\0';
    return text;
}

int config_override(struct config *config, const char *assignment, struct config_error *error)
{
    const char *equals = strchr(assignment, '=');
    char *text;
    int status;

    if (equals == NULL || equals == assignment)
        return config_fail(error, NULL, "\"%s\" is not of the form key=value", assignment);
    text = quote_override(assignment, equals + 1);
    if (text == NULL)
        return config_fail(error, NULL, "out of memory");
    status = config_parse(config, "command line", text, strlen(text), error);
    free(text);
    return status;
}

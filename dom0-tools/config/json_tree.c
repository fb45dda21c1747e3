/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See json_tree.h. After check_tokens() every token lies within its parent, every member of an object is a string with one
 * value behind it, and no chain of parents is longer than the depth allows: the rest of the file relies on that.
 */
#include "json_tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include "/usr/include/jsmn.h"

static const jsmntok_t *token_of(const struct json_tree *tree, int node)
{
    return (const jsmntok_t *)tree->tokens + node;
}

static int fail_at(const struct json_tree *tree, size_t offset, const char *what)
{
    return config_fail(tree->error, NULL, "the configuration is no JSON at offset %zu: %s", offset, what);
}

static const char *check_parent(const struct json_tree *tree, int node)
{
    const jsmntok_t *token = token_of(tree, node), *parent = token_of(tree, token->parent);

    switch (parent->type) {
    case JSMN_OBJECT:
        if (token->type != JSMN_STRING || token->size != 1)
            return "a member of an object must be a string, a colon and a value";
        break;
    case JSMN_ARRAY:
        if (token->type == JSMN_STRING && token->size != 0)
            return "an array has no keys";
        break;
    case JSMN_STRING:
        if (token->parent != node - 1 || (token->type == JSMN_STRING && token->size != 0))
            return "a key has one value";
        parent = token_of(tree, parent->parent); /* an object: the key itself was found good before */
        break;
    default:
        return "a number, true, false or null has nothing in it";
    }
    return token->start > parent->start && token->end < parent->end ? NULL : "brackets do not match";
}

static const char *check_primitive(const struct json_tree *tree, const jsmntok_t *token)
{
    const char *text = tree->text + token->start;
    size_t size = (size_t)(token->end - token->start), digits = 0;

    if (*text == 't' || *text == 'f' || *text == 'n') {
        for (unsigned int i = 0; i < 3; i++) {
            static const char *const words[] = {"true", "false", "null"};

            if (size == strlen(words[i]) && memcmp(text, words[i], size) == 0)
                return NULL;
        }
        return "only true, false and null are words";
    }
    for (size_t i = *text == '-'; i < size; i++, digits++)
        if (strchr("0123456789+-.eE", text[i]) == NULL)
            return "this is not a number";
    return digits > 0 ? NULL : "a number has digits";
}

static unsigned int depth_of(const struct json_tree *tree, int node)
{
    unsigned int depth = 0;

    for (node = token_of(tree, node)->parent; node >= 0 && depth <= 2 * JSON_DEPTH_MAX; depth++)
        node = token_of(tree, node)->parent;
    return depth;
}

static int check_tokens(const struct json_tree *tree)
{
    if (tree->count == 0 || token_of(tree, 0)->type != JSMN_OBJECT)
        return fail_at(tree, 0, "it must be an object");
    for (int i = 0; i < tree->count; i++) {
        const jsmntok_t *token = token_of(tree, i);
        const char *why = NULL;

        if (i > 0 && (token->parent < 0 || token->parent >= i))
            why = "something follows the object";
        else if (depth_of(tree, i) > 2 * JSON_DEPTH_MAX)
            why = "it is nested too deeply";
        else if (i > 0)
            why = check_parent(tree, i);
        if (why == NULL && token->type == JSMN_PRIMITIVE)
            why = check_primitive(tree, token);
        if (why != NULL)
            return fail_at(tree, (size_t)token->start, why);
    }
    return 0;
}

int json_tree_parse(struct json_tree *tree, const char *text, struct config_error *error)
{
    size_t size = strnlen(text, JSON_SIZE_MAX + 1);
    jsmn_parser parser;

    *tree = (struct json_tree){.text = text, .error = error};
    if (size > JSON_SIZE_MAX)
        return config_fail(error, NULL, "the configuration has more than %u bytes", JSON_SIZE_MAX);
    for (size_t i = 0; i < size; i++)
        if (config_is_control(text + i))
            return fail_at(tree, i, "a control character cannot come here");
    tree->tokens = calloc(JSON_NODES_MAX, sizeof(jsmntok_t));
    if (tree->tokens == NULL)
        return config_fail(error, NULL, "out of memory for the configuration");
    jsmn_init(&parser);
    tree->count = jsmn_parse(&parser, text, size, tree->tokens, JSON_NODES_MAX);
    if (tree->count == JSMN_ERROR_NOMEM)
        return config_fail(error, NULL, "the configuration has more than %u values and keys", JSON_NODES_MAX);
    if (tree->count == JSMN_ERROR_PART)
        return fail_at(tree, size, "it ends too early");
    if (tree->count < 0)
        return fail_at(tree, parser.pos, "this cannot come here");
    return check_tokens(tree);
}

void json_tree_free(struct json_tree *tree)
{
    free(tree->tokens);
    tree->tokens = NULL;
}

enum json_kind json_tree_kind(const struct json_tree *tree, int node)
{
    switch (token_of(tree, node)->type) {
    case JSMN_OBJECT:
        return JSON_OBJECT;
    case JSMN_ARRAY:
        return JSON_ARRAY;
    case JSMN_STRING:
        return JSON_STRING;
    default:
        return JSON_PRIMITIVE;
    }
}

bool json_tree_is_null(const struct json_tree *tree, int node)
{
    return json_tree_kind(tree, node) == JSON_PRIMITIVE && tree->text[token_of(tree, node)->start] == 'n';
}

int json_tree_first(const struct json_tree *tree, int node)
{
    return node + 1 < tree->count && token_of(tree, node + 1)->parent == node ? node + 1 : -1;
}

int json_tree_next(const struct json_tree *tree, int node)
{
    int parent = token_of(tree, node)->parent;

    for (int i = node + 1; i < tree->count && token_of(tree, i)->start < token_of(tree, parent)->end; i++)
        if (token_of(tree, i)->parent == parent)
            return i;
    return -1;
}

bool json_tree_is_key(const struct json_tree *tree, int node, const char *key)
{
    const jsmntok_t *token = token_of(tree, node);
    size_t size = (size_t)(token->end - token->start);

    return strlen(key) == size && memcmp(tree->text + token->start, key, size) == 0;
}

bool json_tree_repeats(const struct json_tree *tree, int first, int node)
{
    const jsmntok_t *token = token_of(tree, node);
    size_t size = (size_t)(token->end - token->start);

    for (int i = first; i != node; i = json_tree_next(tree, i)) {
        const jsmntok_t *other = token_of(tree, i);

        if ((size_t)(other->end - other->start) == size &&
            memcmp(tree->text + other->start, tree->text + token->start, size) == 0)
            return true;
    }
    return false;
}

/* From the root down: a key's name behind a dot, an array's element as its number in brackets. */
void json_tree_path(const struct json_tree *tree, int node, char *path, size_t size)
{
    const jsmntok_t *token = token_of(tree, node);
    size_t used;

    path[0] = '\0';
    if (token->parent < 0)
        return;
    json_tree_path(tree, token->parent, path, size);
    used = strlen(path);
    if (token_of(tree, token->parent)->type == JSMN_ARRAY) {
        int index = 0;

        for (int i = json_tree_first(tree, token->parent); i >= 0 && i < node; i = json_tree_next(tree, i))
            index++;
        snprintf(path + used, size - used, "[%d]", index);
    } else if (token_of(tree, token->parent)->type == JSMN_OBJECT) {
        int length = token->end - token->start;

        snprintf(path + used, size - used, "%s%.*s", used > 0 ? "." : "", length < 48 ? length : 48,
                 tree->text + token->start);
    }
}

int json_tree_fail(const struct json_tree *tree, int node, const char *format, ...)
{
    char path[96], words[160];
    va_list args;

    json_tree_path(tree, node, path, sizeof(path));
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    return config_fail(tree->error, NULL, "%s, at offset %d of the configuration: %s", path[0] != '\0' ? path : "it",
                       token_of(tree, node)->start, words);
}

static unsigned int hex_of(const char *from)
{
    char digits[5] = {from[0], from[1], from[2], from[3], '\0'};

    return (unsigned int)strtoul(digits, NULL, 16);
}

static size_t put_utf8(char *to, unsigned int point)
{
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = {0, 0, 0xC0, 0xE0, 0xF0};

    for (size_t i = size - 1; i > 0; i--, point >>= 6)
        to[i] = (char)(0x80 | (point & 0x3F));
    to[0] = (char)(heads[size] | point);
    return size;
}

/*
 * One \uXXXX, or a pair of them that is one character; `from` is behind the u and jsmn has seen to four digits there. The
 * bytes read, or 0 for a character that cannot be.
 */
static size_t take_unicode(const char *from, const char *end, char *to, size_t *put)
{
    unsigned int point = end - from >= 4 ? hex_of(from) : 0;
    size_t taken = 4;

    if (point >= 0xD800 && point < 0xDC00 && end - from >= 10 && from[4] == '\\' && from[5] == 'u') {
        unsigned int low = hex_of(from + 6);

        if (low >= 0xDC00 && low < 0xE000) {
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
            taken = 10;
        }
    }
    if (point == 0 || (point >= 0xD800 && point < 0xE000))
        return 0;
    *put = put_utf8(to, point);
    return taken;
}

static bool has_control(const char *text)
{
    while (*text != '\0' && !config_is_control(text))
        text++;
    return *text != '\0';
}

/* Undoes the escapes; an unescaped text is never longer. False for a character that cannot be. */
static bool unescape(const char *from, const char *end, char *to)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    const char *start = to;

    while (from < end) {
        const char *letter;
        size_t put = 1, taken = 1;

        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        from++;
        letter = strchr(letters, *from);
        if (*from == 'u') {
            taken = take_unicode(++from, end, to, &put);
            if (taken == 0)
                return false;
        } else
            *to = letter != NULL ? meanings[letter - letters] : *from;
        from += taken;
        to += put;
    }
    *to = '\0';
    return !has_control(start);
}

char *json_tree_string(const struct json_tree *tree, int node)
{
    const jsmntok_t *token = token_of(tree, node);
    char *text;

    if (token->type != JSMN_STRING) {
        json_tree_fail(tree, node, "it must be a string");
        return NULL;
    }
    text = malloc((size_t)(token->end - token->start) + 1);
    if (text == NULL)
        json_tree_fail(tree, node, "out of memory");
    else if (!unescape(tree->text + token->start, tree->text + token->end, text)) {
        json_tree_fail(tree, node, "there is an escaped character that cannot be");
        free(text);
        text = NULL;
    }
    return text;
}

int json_tree_integer(const struct json_tree *tree, int node, int64_t low, int64_t high, int64_t *out)
{
    const jsmntok_t *token = token_of(tree, node);
    char digits[24], *end;
    size_t size = (size_t)(token->end - token->start);

    if (token->type != JSMN_PRIMITIVE || strchr("tfn", tree->text[token->start]) != NULL)
        return json_tree_fail(tree, node, "it must be a number");
    if (size >= sizeof(digits))
        return json_tree_fail(tree, node, "the number has %zu digits", size);
    memcpy(digits, tree->text + token->start, size);
    digits[size] = '\0';
    errno = 0;
    *out = strtoll(digits, &end, 10);
    if (*end != '\0')
        return json_tree_fail(tree, node, "%s is not a whole number", digits);
    if (errno != 0 || *out < low || *out > high)
        return json_tree_fail(tree, node, "%s is out of range: %lld to %lld are possible", digits, (long long)low,
                              (long long)high);
    return 0;
}

int json_tree_flag(const struct json_tree *tree, int node, bool *out)
{
    enum json_kind kind = json_tree_kind(tree, node);

    if ((kind == JSON_STRING && json_tree_is_key(tree, node, "True")) ||
        (kind == JSON_PRIMITIVE && json_tree_is_key(tree, node, "true")))
        *out = true;
    else if ((kind == JSON_STRING && json_tree_is_key(tree, node, "False")) ||
             (kind == JSON_PRIMITIVE && json_tree_is_key(tree, node, "false")))
        *out = false;
    else if (kind != JSON_STRING || !json_tree_is_key(tree, node, "<default>"))
        return json_tree_fail(tree, node, "it must be \"True\", \"False\" or \"<default>\"");
    return 0;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Objects of libxl's JSON by their tables of keys, and the kinds of values that many keys have.
 */
#include "libxl_json_members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int members_note(struct reading *reading, const char *words)
{
    struct domain_config *out = reading->out;
    char **longer = realloc(out->notes, (out->note_count + 1) * sizeof(*longer));

    if (longer == NULL)
        return config_fail(reading->tree.error, NULL, "out of memory");
    out->notes = longer;
    longer[out->note_count] = strdup(words);
    if (longer[out->note_count] == NULL)
        return config_fail(reading->tree.error, NULL, "out of memory");
    out->note_count++;
    return 0;
}

int members_note_key(struct reading *reading, int node, const char *words)
{
    char path[96], sentence[CONFIG_ERROR_SIZE];

    json_tree_path(&reading->tree, node, path, sizeof(path));
    snprintf(sentence, sizeof(sentence), "saved configuration: %s %s", path, words);
    return members_note(reading, sentence);
}

int members_want(struct reading *reading, int node, enum json_kind kind)
{
    if (json_tree_kind(&reading->tree, node) == kind)
        return 0;
    return json_tree_fail(&reading->tree, node, "it must be %s", kind == JSON_OBJECT ? "an object" : "an array");
}

int members_read(struct reading *reading, int node, const struct member *members, size_t count)
{
    const struct json_tree *tree = &reading->tree;
    int first = json_tree_first(tree, node);
    unsigned int seen = 0;

    if (members_want(reading, node, JSON_OBJECT) != 0)
        return -1;
    for (int key = first; key >= 0; key = json_tree_next(tree, key)) {
        const struct member *member = NULL;

        if (++seen > JSON_MEMBERS_MAX)
            return json_tree_fail(tree, key, "an object has at most %u keys", JSON_MEMBERS_MAX);
        for (size_t i = 0; i < count && member == NULL; i++)
            member = json_tree_is_key(tree, key, members[i].key) ? &members[i] : NULL;
        if (json_tree_repeats(tree, first, key))
            return json_tree_fail(tree, key, "the key is there twice");
        if (member == NULL && members_note_key(reading, key, "is not known and has no effect") != 0)
            return -1;
        if (member == NULL || member->read == NULL || json_tree_is_null(tree, key + 1))
            continue;
        if (member->read(reading, key + 1) != 0)
            return -1;
    }
    return 0;
}

int members_copy(struct reading *reading, int node, char *to, size_t size)
{
    char *text = json_tree_string(&reading->tree, node);
    size_t length = text != NULL ? strlen(text) : 0;

    if (text == NULL)
        return -1;
    if (length < size)
        memcpy(to, text, length + 1);
    free(text);
    return length < size ? 0
                         : json_tree_fail(&reading->tree, node, "it has %zu characters: at most %zu are possible",
                                          length, size - 1);
}

int members_string(struct reading *reading, int node, size_t most, char **to)
{
    free(*to);
    *to = json_tree_string(&reading->tree, node);
    if (*to == NULL)
        return -1;
    if (strlen(*to) > most)
        return json_tree_fail(&reading->tree, node, "it has %zu characters: at most %zu are possible", strlen(*to),
                              most);
    return 0;
}

int members_unsigned(struct reading *reading, int node, int64_t low, int64_t high, unsigned int *out)
{
    int64_t value;

    if (json_tree_integer(&reading->tree, node, low, high, &value) != 0)
        return -1;
    *out = (unsigned int)value;
    return 0;
}

int members_without_effect(struct reading *reading, int node)
{
    enum json_kind kind = json_tree_kind(&reading->tree, node);

    if ((kind == JSON_OBJECT || kind == JSON_ARRAY) && json_tree_first(&reading->tree, node) < 0)
        return 0;
    return members_note_key(reading, node, "has no effect here");
}

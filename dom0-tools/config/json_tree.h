/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A JSON text as a tree of nodes, for texts that strangers wrote: jsmn finds the tokens, what it lets through and JSON
 * does not is refused here, and size, depth and number of nodes are bounded. A node is an index; -1 is none.
 */
#ifndef CONFIG_JSON_TREE_H
#define CONFIG_JSON_TREE_H

#include "config.h"

#define JSON_SIZE_MAX    (1u << 20)
#define JSON_NODES_MAX   (1u << 15)
#define JSON_DEPTH_MAX   16u
#define JSON_MEMBERS_MAX 512u

enum json_kind { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_PRIMITIVE };

struct json_tree {
    const char *text;
    void *tokens; /* of jsmn */
    int count;
    struct config_error *error;
};

/* The text must outlive the tree. 0, or -1 with the error; to be freed in both cases. Node 0 is the root, an object. */
int json_tree_parse(struct json_tree *tree, const char *text, struct config_error *error);
void json_tree_free(struct json_tree *tree);

enum json_kind json_tree_kind(const struct json_tree *tree, int node);
bool json_tree_is_null(const struct json_tree *tree, int node);

/* The elements of an array, or the keys of an object: the first, and the one after. A key's value is node + 1. */
int json_tree_first(const struct json_tree *tree, int node);
int json_tree_next(const struct json_tree *tree, int node);
bool json_tree_is_key(const struct json_tree *tree, int node, const char *key);
/* Whether `node` has the same text as one of its siblings from `first` on, up to itself. */
bool json_tree_repeats(const struct json_tree *tree, int first, int node);

/* "b_info.max_vcpus", cut short to fit. */
void json_tree_path(const struct json_tree *tree, int node, char *path, size_t size);

/* "b_info.max_vcpus, at offset 123: ..." into the error. Returns -1. */
int json_tree_fail(const struct json_tree *tree, int node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A string's text, to be freed; NULL with the error. */
char *json_tree_string(const struct json_tree *tree, int node);
int json_tree_integer(const struct json_tree *tree, int node, int64_t low, int64_t high, int64_t *out);
/* libxl's "True", "False" and "<default>", which leaves *out alone; or true and false. */
int json_tree_flag(const struct json_tree *tree, int node, bool *out);

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The copy-on-write tree; see node.h for the rule it keeps.
 */
#include <stdlib.h>
#include <string.h>

#include <abi/io/xs_wire.h>

#include "node.h"

struct value *value_new(const void *bytes, size_t len)
{
    struct value *value = malloc(sizeof(*value) + len);

    if (!value)
        return NULL;
    value->refs = 1;
    value->len = (unsigned int)len;
    if (len)
        memcpy(value->bytes, bytes, len);
    return value;
}

struct value *value_get(struct value *value)
{
    if (value)
        value->refs++;
    return value;
}

void value_put(struct value *value)
{
    if (value && --value->refs == 0)
        free(value);
}

static struct node *node_new(const char *name, size_t len, struct value *value, struct perm_set *perms, uint64_t gen)
{
    struct node *node = calloc(1, sizeof(*node) + len + 1);

    if (!node)
        return NULL;
    node->refs = 1;
    node->name_len = (unsigned int)len;
    memcpy(node->name, name, len);
    node->value = value_get(value);
    node->perms = perm_set_get(perms);
    node->generation = node->children_generation = node->subtree_generation = gen;
    return node;
}

struct node *node_new_root(struct perm_set *perms, uint64_t generation)
{
    return node_new("", 0, NULL, perms, generation);
}

struct node *node_get(struct node *node)
{
    node->refs++;
    return node;
}

/* Frees without recursion, because a guest chooses how deep its tree is. */
void node_put(struct node *node)
{
    struct node *doomed = NULL;

    if (!node || --node->refs)
        return;
    node->next_free = NULL;
    for (doomed = node; doomed;) {
        struct node *victim = doomed;

        doomed = victim->next_free;
        for (unsigned int i = 0; i < victim->nr_children; i++) {
            struct node *child = victim->children[i];

            if (--child->refs == 0) {
                child->next_free = doomed;
                doomed = child;
            }
        }
        value_put(victim->value);
        perm_set_put(victim->perms);
        free(victim->children);
        free(victim);
    }
}

static int compare_name(const struct node *node, const char *name, size_t len)
{
    size_t common = node->name_len < len ? node->name_len : len;

    for (size_t i = 0; i < common; i++) /* most differ soon: quicker than memcmp */
        if (node->name[i] != name[i])
            return (unsigned char)node->name[i] - (unsigned char)name[i];
    return (node->name_len > len) - (node->name_len < len);
}

static bool is_named(const struct node *node, const char *name, size_t len)
{
    return node->name_len == len && memcmp(node->name, name, len) == 0;
}

/* Index of the child, or of the place where it belongs. Who asks for a child mostly asks for it again. */
static unsigned int child_index(struct node *node, const char *name, size_t len, bool *found)
{
    unsigned int low = 0, high = node->nr_children;

    *found = node->recent_child < high && is_named(node->children[node->recent_child], name, len);
    if (*found)
        return node->recent_child;
    while (low < high) {
        unsigned int middle = low + (high - low) / 2;
        int order = compare_name(node->children[middle], name, len);

        if (order == 0) {
            *found = true;
            node->recent_child = middle;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct node *node_child(struct node *node, const char *name, size_t len)
{
    bool found;
    unsigned int index = child_index(node, name, len, &found);

    return found ? node->children[index] : NULL;
}

static const char *next_component(const char *path, size_t *len)
{
    const char *slash;

    if (*path == '/')
        path++;
    slash = strchr(path, '/');
    *len = slash != NULL ? (size_t)(slash - path) : strlen(path);
    return path;
}

struct node *node_find_nearest(struct node *root, const char *path, const char **rest)
{
    struct node *node = root;
    size_t len;

    for (;;) {
        const char *name = next_component(path, &len);
        struct node *child = len ? node_child(node, name, len) : NULL;

        if (!child) {
            *rest = len ? path : "";
            return node;
        }
        node = child;
        path = name + len;
    }
}

struct node *node_find(struct node *root, const char *path)
{
    const char *rest;
    struct node *node = node_find_nearest(root, path, &rest);

    return *rest ? NULL : node;
}

unsigned int path_components(const char *rest)
{
    unsigned int count = 0;
    size_t len;

    for (;;) {
        rest = next_component(rest, &len);
        if (!len)
            return count;
        count++;
        rest += len;
    }
}

static struct node *node_copy(const struct node *from)
{
    struct node *copy = node_new(from->name, from->name_len, from->value, from->perms, from->generation);

    if (!copy)
        return NULL;
    copy->children_generation = from->children_generation;
    copy->subtree_generation = from->subtree_generation;
    if (from->nr_children) {
        copy->children = malloc(from->nr_children * sizeof(*copy->children));
        if (!copy->children) {
            node_put(copy);
            return NULL;
        }
        memcpy(copy->children, from->children, from->nr_children * sizeof(*copy->children));
        copy->nr_children = copy->max_children = from->nr_children;
        for (unsigned int i = 0; i < copy->nr_children; i++)
            node_get(copy->children[i]);
    }
    return copy;
}

/* Makes the node in the slot one that only the slot refers to. */
static struct node *node_own(struct node **slot)
{
    struct node *copy;

    if ((*slot)->refs == 1)
        return *slot;
    copy = node_copy(*slot);
    if (!copy)
        return NULL;
    node_put(*slot);
    *slot = copy;
    return copy;
}

/* Makes every node on the first `len` bytes of the path, all of which exist, exclusive to this tree. */
static struct node *tree_own(struct node **root, const char *path, size_t len, uint64_t generation)
{
    const char *end = path + len;
    struct node *node = node_own(root);
    size_t name_len;

    while (node) {
        bool found;
        unsigned int index;

        node->subtree_generation = generation;
        path = next_component(path, &name_len);
        if (path >= end || !name_len)
            return node;
        index = child_index(node, path, name_len, &found);
        if (!found)
            return NULL;
        node = node_own(&node->children[index]);
        path += name_len;
    }
    return NULL;
}

static bool reserve_child(struct node *node)
{
    unsigned int wanted = node->max_children ? node->max_children * 2 : 4;
    struct node **larger;

    if (node->nr_children < node->max_children)
        return true;
    larger = realloc(node->children, wanted * sizeof(*larger));
    if (!larger)
        return false;
    node->children = larger;
    node->max_children = wanted;
    return true;
}

/* There is room, and no child of this name yet. Takes over the caller's reference. */
static void insert_child(struct node *node, struct node *child)
{
    bool found;
    unsigned int index = child_index(node, child->name, child->name_len, &found);

    for (unsigned int at = node->nr_children++; at > index; at--) /* newlib's memmove goes up byte by byte */
        node->children[at] = node->children[at - 1];
    node->children[index] = child;
    node->recent_child = index;
}

/* The nodes that `rest` names, one below the other; only the last one has the value. */
static struct node *new_chain(const char *rest, struct value *value, struct perm_set *perms, uint64_t generation)
{
    struct node *first = NULL, *last = NULL;
    size_t len;

    for (;;) {
        struct node *node;
        const char *name = next_component(rest, &len);

        rest = name + len;
        node = node_new(name, len, *rest ? NULL : value, perms, generation);
        if (!node || (last && !reserve_child(last))) {
            node_put(node);
            node_put(first);
            return NULL;
        }
        if (last)
            insert_child(last, node);
        else
            first = node;
        last = node;
        if (!*rest)
            return first;
    }
}

static bool tree_create(struct node **root, const char *path, const char *rest, struct node *chain, uint64_t generation)
{
    struct node *parent;

    if (!chain)
        return false;
    parent = tree_own(root, path, (size_t)(rest - path), generation);
    if (!parent || !reserve_child(parent)) {
        node_put(chain);
        return false;
    }
    insert_child(parent, chain);
    parent->children_generation = generation;
    return true;
}

bool tree_write(struct node **root, const char *path, const char *rest, struct value *value, bool keep,
                struct perm_set *perms, uint64_t generation)
{
    struct node *node;

    if (*rest)
        return tree_create(root, path, rest, new_chain(rest, value, perms, generation), generation);
    if (keep)
        return true;
    node = tree_own(root, path, strlen(path), generation);
    if (!node)
        return false;
    value_get(value);
    value_put(node->value);
    node->value = value;
    node->generation = generation;
    return true;
}

bool tree_set_perms(struct node **root, const char *path, struct perm_set *perms, uint64_t generation)
{
    struct node *node = tree_own(root, path, strlen(path), generation);

    if (!node)
        return false;
    perm_set_get(perms);
    perm_set_put(node->perms);
    node->perms = perms;
    node->generation = generation;
    return true;
}

bool tree_remove(struct node **root, const char *path, uint64_t generation)
{
    const char *name = strrchr(path, '/');
    struct node *parent = tree_own(root, path, (size_t)(name - path), generation);
    struct node *victim;
    unsigned int index;
    bool found;

    if (!parent)
        return false;
    index = child_index(parent, name + 1, strlen(name + 1), &found);
    if (!found)
        return false;
    victim = parent->children[index];
    memmove(&parent->children[index], &parent->children[index + 1],
            (parent->nr_children - index - 1) * sizeof(*parent->children));
    parent->nr_children--;
    parent->children_generation = generation;
    node_put(victim);
    return true;
}

struct walk_level {
    struct node *node;
    unsigned int next_child;
    unsigned int path_len;
};

static struct walk_level walk_stack[NODE_DEPTH_MAX];

/* The child's name replaces what lay behind the parent's path; false if it does not fit. */
static bool append_child(char *path, const struct walk_level *level, const struct node *child)
{
    if (level->path_len + 1 + child->name_len > XENSTORE_ABS_PATH_MAX)
        return false;
    path[level->path_len] = '/';
    memcpy(path + level->path_len + 1, child->name, child->name_len + 1);
    return true;
}

void node_walk(struct node *node, struct node *parent, char *path, node_visit_t *visit, void *arg)
{
    unsigned int depth = 0, len = (unsigned int)strlen(path);

    if (visit(arg, path, node, parent) != WALK_ON)
        return;
    walk_stack[0] = (struct walk_level){node, 0, len == 1 ? 0 : len};
    for (;;) {
        struct walk_level *level = &walk_stack[depth];
        struct node *child;
        enum walk verdict;

        if (level->next_child == level->node->nr_children) {
            if (depth-- == 0)
                break;
            continue;
        }
        child = level->node->children[level->next_child++];
        if (depth + 1 == NODE_DEPTH_MAX || !append_child(path, level, child))
            continue;
        verdict = visit(arg, path, child, level->node);
        if (verdict == WALK_STOP)
            break;
        if (verdict == WALK_ON)
            walk_stack[++depth] = (struct walk_level){child, 0, level->path_len + 1 + child->name_len};
    }
    path[len] = '\0';
}

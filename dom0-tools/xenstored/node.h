/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The tree. Nodes are shared between versions of it: a transaction holds a reference to the root it started from, and a
 * change copies exactly those nodes on its path that somebody else still refers to. So a snapshot costs one reference,
 * and a change that nobody watches over costs no copy at all.
 *
 * The rule that this file keeps: a node with more than one reference is never modified, but for its guess which child
 * will be asked for next. An operation that fails for want of memory leaves a tree with the same contents.
 */
#ifndef XENSTORED_NODE_H
#define XENSTORED_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perms.h"

/* The longest path has 3072 bytes, so no node is deeper than that many one-letter names. */
#define NODE_DEPTH_MAX 1537

struct value {
    unsigned int refs;
    unsigned int len;
    char bytes[];
};

struct node {
    unsigned int refs;
    unsigned int nr_children;
    unsigned int max_children;
    unsigned int name_len;
    unsigned int recent_child; /* where one was found or put last; a guess */
    struct node **children;    /* sorted by name; holds a reference to each */
    struct value *value;       /* NULL when empty */
    struct perm_set *perms;
    struct node *next_free;
    uint64_t generation;          /* of the last change of value or permissions, or of the creation */
    uint64_t children_generation; /* of the last child added or removed */
    uint64_t subtree_generation;  /* of the last change of any kind at or below this node */
    char name[];
};

struct value *value_new(const void *bytes, size_t len);
struct value *value_get(struct value *value);
void value_put(struct value *value);

/* A tree of one root without children. */
struct node *node_new_root(struct perm_set *perms, uint64_t generation);
struct node *node_get(struct node *node);
void node_put(struct node *node);

/* Paths here are absolute and canonical. NULL when there is no such node. */
struct node *node_find(struct node *root, const char *path);

/* The deepest existing node on the path; `*rest` points at what remains of it, "" when the path exists in full. */
struct node *node_find_nearest(struct node *root, const char *path, const char **rest);
struct node *node_child(struct node *node, const char *name, size_t len);

/* How many nodes the remainder of a path names. */
unsigned int path_components(const char *rest);

/*
 * Changes. `*root` may be replaced by a copy. `generation` must be new. False: out of memory, nothing has changed.
 * tree_write creates what is missing, which is `rest` as node_find_nearest says, with the given permissions; with keep
 * set, an existing node stays as it is.
 */
bool tree_write(struct node **root, const char *path, const char *rest, struct value *value, bool keep,
                struct perm_set *perms, uint64_t generation);
bool tree_set_perms(struct node **root, const char *path, struct perm_set *perms, uint64_t generation);

/* The node must exist and not be the root. */
bool tree_remove(struct node **root, const char *path, uint64_t generation);

/*
 * Visits a node and everything below it, parents first. `path` is the node's path and must lie in a buffer of
 * XENSTORE_ABS_PATH_MAX + 1 bytes, which grows and shrinks with the walk. No visitor may walk again or change the tree.
 */
enum walk { WALK_ON, WALK_SKIP_CHILDREN, WALK_STOP };
typedef enum walk node_visit_t(void *arg, const char *path, struct node *node, struct node *parent);
void node_walk(struct node *node, struct node *parent, char *path, node_visit_t *visit, void *arg);

#endif

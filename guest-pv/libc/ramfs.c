/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Directories are lists of nodes. A file's pages hang on index pages, which hang on an array: a sparse file costs what
 * was written, and everything but the array is whole pages, which go back as they came. An unlinked node lives until
 * its last close.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "ramfs.h"

#define SLOTS (RAMFS_PAGE / sizeof(void *)) /* in an index page */

struct node {
    struct node *parent, *next, *children;
    char name[RAMFS_NAME_MAX];
    bool is_directory;
    mode_t mode;
    time_t modified;
    uint64_t size;
    void ***index; /* index_count pages of SLOTS pages each, NULL where nothing was written */
    size_t index_count;
    unsigned int opened;
    bool unlinked;
};

static struct node root = {.is_directory = true, .mode = 0777};
static uint64_t pages_used, pages_limit = UINT64_MAX / RAMFS_PAGE;

uint64_t ramfs_used(void)
{
    return pages_used * RAMFS_PAGE;
}

uint64_t ramfs_limit(void)
{
    return pages_limit * RAMFS_PAGE;
}

void ramfs_set_limit(uint64_t bytes)
{
    pages_limit = bytes / RAMFS_PAGE;
}

static void *page_get(void)
{
    void *page = pages_used < pages_limit ? ramfs_page_get() : NULL;

    pages_used += page != NULL;
    return page;
}

static void page_put(void *page)
{
    if (page == NULL)
        return;
    ramfs_page_put(page);
    pages_used--;
}

/* The slot of a page, with the index made if wanted; NULL: there is none. */
static void **slot(struct node *node, uint64_t page, bool make)
{
    size_t at = (size_t)(page / SLOTS);

    if (at >= node->index_count) {
        size_t count = 2 * node->index_count > at + 1 ? 2 * node->index_count : at + 1;
        void ***grown = make ? realloc(node->index, count * sizeof(*grown)) : NULL;

        if (grown == NULL)
            return NULL;
        memset(grown + node->index_count, 0, (count - node->index_count) * sizeof(*grown));
        node->index = grown;
        node->index_count = count;
    }
    if (node->index[at] == NULL && make)
        node->index[at] = page_get();
    return node->index[at] != NULL ? &node->index[at][page % SLOTS] : NULL;
}

/* Gives back whole pages from `first` on. */
static void drop_pages(struct node *node, uint64_t first)
{
    for (size_t at = (size_t)(first / SLOTS); at < node->index_count; at++) {
        size_t from = at == first / SLOTS ? (size_t)(first % SLOTS) : 0;

        if (node->index[at] == NULL)
            continue;
        for (size_t i = from; i < SLOTS; i++) {
            page_put(node->index[at][i]);
            node->index[at][i] = NULL;
        }
        if (from == 0) {
            page_put(node->index[at]);
            node->index[at] = NULL;
        }
    }
}

static int node_resize(void *own, uint64_t size)
{
    struct node *node = own;

    if (size > RAMFS_FILE_MAX)
        return -EFBIG;
    if (size < node->size) {
        void **last = size % RAMFS_PAGE != 0 ? slot(node, size / RAMFS_PAGE, false) : NULL;

        drop_pages(node, (size + RAMFS_PAGE - 1) / RAMFS_PAGE);
        if (last != NULL && *last != NULL) /* it must read as zeros when the file grows again */
            memset((char *)*last + size % RAMFS_PAGE, 0, RAMFS_PAGE - (size_t)(size % RAMFS_PAGE));
    }
    node->size = size;
    node->modified = time(NULL);
    return 0;
}

static ssize_t node_read(void *own, uint64_t offset, void *buffer, size_t size)
{
    struct node *node = own;
    size_t done = 0;

    if (node->is_directory)
        return -EISDIR;
    if (offset >= node->size)
        return 0;
    if (size > node->size - offset)
        size = (size_t)(node->size - offset);
    while (done < size) {
        size_t within = (size_t)((offset + done) % RAMFS_PAGE), left = RAMFS_PAGE - within;
        size_t part = left < size - done ? left : size - done;
        void **page = slot(node, (offset + done) / RAMFS_PAGE, false);

        if (page != NULL && *page != NULL)
            memcpy((char *)buffer + done, (char *)*page + within, part);
        else
            memset((char *)buffer + done, 0, part);
        done += part;
    }
    return (ssize_t)done;
}

/* As much as there is room for; -ENOSPC when that is nothing. */
static ssize_t node_write(void *own, uint64_t offset, const void *buffer, size_t size)
{
    struct node *node = own;
    size_t done = 0;

    if (offset > RAMFS_FILE_MAX || size > RAMFS_FILE_MAX - offset)
        return -EFBIG;
    while (done < size) {
        size_t within = (size_t)((offset + done) % RAMFS_PAGE), left = RAMFS_PAGE - within;
        size_t part = left < size - done ? left : size - done;
        void **page = slot(node, (offset + done) / RAMFS_PAGE, true);

        if (page == NULL || (*page == NULL && (*page = page_get()) == NULL))
            break;
        memcpy((char *)*page + within, (const char *)buffer + done, part);
        done += part;
    }
    if (done > 0 && offset + done > node->size)
        node->size = offset + done;
    node->modified = time(NULL);
    return done == 0 && size > 0 ? -ENOSPC : (ssize_t)done;
}

static void node_describe(void *own, struct stat *st)
{
    const struct node *node = own;

    st->st_mode = node->mode | (node->is_directory ? S_IFDIR : S_IFREG);
    st->st_size = (off_t)node->size;
    st->st_mtime = node->modified;
}

static uint64_t node_size(void *own)
{
    return ((const struct node *)own)->size;
}

static void node_free(struct node *node)
{
    drop_pages(node, 0);
    free(node->index);
    free(node);
}

static void node_close(void *own)
{
    struct node *node = own;

    if (--node->opened == 0 && node->unlinked)
        node_free(node);
}

static const struct file_methods methods = {.read = node_read,
                                            .write = node_write,
                                            .resize = node_resize,
                                            .describe = node_describe,
                                            .size = node_size,
                                            .close = node_close};

static struct node *child(struct node *directory, const char *name, size_t length)
{
    struct node *node = directory->children;

    while (node != NULL && (strncmp(node->name, name, length) != 0 || node->name[length] != '\0'))
        node = node->next;
    return node;
}

/* The node, or NULL with the directory it would be in and its name there; no directory: ENOENT or ENOTDIR. */
static struct node *lookup(const char *path, struct node **directory, const char **name, int *error)
{
    struct node *at = &root;

    *error = -ENOENT;
    *directory = NULL;
    *name = path;
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        bool last = path[length] == '\0';

        if (!at->is_directory) {
            *error = -ENOTDIR;
            *directory = NULL;
            return NULL;
        }
        *directory = last ? at : NULL;
        *name = path;
        at = length < RAMFS_NAME_MAX ? child(at, path, length) : NULL;
        if (at == NULL) {
            *error = length < RAMFS_NAME_MAX ? -ENOENT : -ENAMETOOLONG;
            *directory = length < RAMFS_NAME_MAX ? *directory : NULL;
            return NULL;
        }
        path += last ? length : length + 1;
    }
    return at;
}

static struct node *find(const char *path, int *error)
{
    struct node *directory;
    const char *name;

    return lookup(path, &directory, &name, error);
}

/* Behind those that are there: a listing shows the oldest first. */
static void link_in(struct node *node, struct node *directory, const char *name)
{
    struct node **at = &directory->children;

    while (*at != NULL)
        at = &(*at)->next;
    memset(node->name, 0, sizeof(node->name));
    strncpy(node->name, name, RAMFS_NAME_MAX - 1);
    node->parent = directory;
    node->next = NULL;
    *at = node;
}

static void take_out(struct node *node)
{
    struct node **at = &node->parent->children;

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    node->parent = node->next = NULL;
}

static struct node *make(struct node *directory, const char *name, mode_t mode, bool is_directory)
{
    struct node *node = calloc(1, sizeof(*node));

    if (node == NULL)
        return NULL;
    node->is_directory = is_directory;
    node->mode = mode & 0777;
    node->modified = time(NULL);
    link_in(node, directory, name);
    return node;
}

static int fs_open(const char *path, int flags, mode_t mode, const struct file_methods **how, void **own)
{
    bool writing = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
    struct node *directory, *node;
    const char *name;
    int error;

    node = lookup(path, &directory, &name, &error);
    if (node == NULL) {
        if ((flags & O_CREAT) == 0 || directory == NULL)
            return error;
        node = make(directory, name, mode, false);
        if (node == NULL)
            return -ENOSPC;
    } else if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
        return -EEXIST;
    }
    if (node->is_directory && writing)
        return -EISDIR;
    if ((flags & O_TRUNC) != 0)
        node_resize(node, 0);
    node->opened++;
    *how = &methods;
    *own = node;
    return 0;
}

static int fs_describe(const char *path, struct stat *st)
{
    int error;
    struct node *node = find(path, &error);

    if (node == NULL)
        return error;
    node_describe(node, st);
    return 0;
}

static int fs_entry(const char *path, unsigned int index, char *name, size_t size)
{
    int error;
    struct node *node = find(path, &error);

    if (node == NULL)
        return error;
    if (!node->is_directory)
        return -ENOTDIR;
    for (node = node->children; node != NULL && index > 0; index--)
        node = node->next;
    if (node == NULL)
        return -ENOENT;
    memset(name, 0, size);
    strncpy(name, node->name, size - 1);
    return 0;
}

static int fs_unlink(const char *path)
{
    int error;
    struct node *node = find(path, &error);

    if (node == NULL)
        return error;
    if (node == &root)
        return -EBUSY;
    if (node->children != NULL)
        return -ENOTEMPTY;
    take_out(node);
    node->unlinked = true;
    if (node->opened == 0)
        node_free(node);
    return 0;
}

static bool is_below(const struct node *node, const struct node *ancestor)
{
    while (node != NULL && node != ancestor)
        node = node->parent;
    return node != NULL;
}

static int fs_rename(const char *from, const char *to)
{
    struct node *source, *target, *directory;
    const char *name;
    int error;

    source = find(from, &error);
    if (source == NULL)
        return error;
    target = lookup(to, &directory, &name, &error);
    if (directory == NULL)
        return target == &root || source == &root ? -EBUSY : error;
    if (target == source)
        return 0;
    if (is_below(directory, source))
        return -EINVAL;
    if (target != NULL && target->is_directory != source->is_directory)
        return target->is_directory ? -EISDIR : -ENOTDIR;
    error = target != NULL ? fs_unlink(to) : 0;
    if (error != 0)
        return error;
    take_out(source);
    link_in(source, directory, name);
    return 0;
}

static int fs_make_directory(const char *path, mode_t mode)
{
    struct node *directory;
    const char *name;
    int error;

    if (lookup(path, &directory, &name, &error) != NULL)
        return -EEXIST;
    if (directory == NULL)
        return error;
    return make(directory, name, mode, true) != NULL ? 0 : -ENOSPC;
}

struct mount ramfs = {.name = "tmp",
                      .open = fs_open,
                      .describe = fs_describe,
                      .entry = fs_entry,
                      .unlink = fs_unlink,
                      .rename = fs_rename,
                      .make_directory = fs_make_directory};

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads a ustar archive. Nothing in it is trusted: sizes are checked against the archive, names are bounded, and a
 * header with a wrong checksum ends the archive. A file with holes (GNU tar's type S, up to four stretches of data) gets
 * memory of its own, zeroed: a blank disk takes a header in the archive.
 */
#include <stdlib.h>
#include <string.h>
#include "files.h"

#define BLOCK 512

struct ustar {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
    char type, linkname[100], magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8], prefix[155];
    char pad[12];
};

/* The rest of a header of type S, from byte 386 on; realsize is the file's, the header's size that of the data. */
#define SPARSE_AT      386
#define SPARSE_ENTRIES 4

struct sparse {
    struct {
        char offset[12], size[12];
    } entry[SPARSE_ENTRIES];
    char extended, realsize[12];
};

static struct file **files;
static unsigned int file_count, file_capacity;

static uint64_t octal(const char *text, size_t size)
{
    uint64_t value = 0;

    while (size > 0 && *text == ' ')
        text++, size--;
    for (; size > 0 && *text >= '0' && *text <= '7'; text++, size--)
        value = value << 3 | (uint64_t)(*text - '0');
    return value;
}

/* The checksum counts its own field as blanks. */
static bool checksum_fits(const struct ustar *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    unsigned int sum = 0;

    for (size_t i = 0; i < BLOCK; i++) {
        bool own = i >= offsetof(struct ustar, checksum) && i < offsetof(struct ustar, type);

        sum += own ? ' ' : bytes[i];
    }
    return sum == octal(header->checksum, sizeof(header->checksum));
}

/* Copies a component over out; ".." takes the one before away. */
static size_t add_component(char *out, size_t used, const char *from, size_t size)
{
    if (size == 0 || (size == 1 && from[0] == '.'))
        return used;
    if (size == 2 && from[0] == '.' && from[1] == '.') {
        while (used > 0 && out[used - 1] != '/')
            used--;
        return used > 0 ? used - 1 : 0;
    }
    if (used + size + 2 > FILES_PATH_MAX)
        return FILES_PATH_MAX;
    if (used > 0)
        out[used++] = '/';
    memcpy(out + used, from, size);
    return used + size;
}

bool files_normalise(const char *path, char *out)
{
    size_t used = 0;

    while (*path != '\0') {
        size_t size = strcspn(path, "/");

        used = add_component(out, used, path, size);
        if (used >= FILES_PATH_MAX)
            return false;
        path += size;
        path += strspn(path, "/");
    }
    out[used] = '\0';
    return true;
}

const struct file *files_at(unsigned int index)
{
    return index < file_count ? files[index] : NULL;
}

static struct file *find_exact(const char *path)
{
    for (unsigned int i = 0; i < file_count; i++) {
        if (strcmp(files[i]->path, path) == 0)
            return files[i];
    }
    return NULL;
}

const struct file *files_find(const char *path)
{
    char normal[FILES_PATH_MAX];

    return files_normalise(path, normal) ? find_exact(normal) : NULL;
}

static struct file *add_entry(const char *path)
{
    struct file *file = find_exact(path);

    if (file != NULL)
        return file;
    if (file_count == file_capacity) {
        unsigned int capacity = file_capacity != 0 ? 2 * file_capacity : 32;
        struct file **grown = realloc(files, capacity * sizeof(*files));

        if (grown == NULL)
            return NULL;
        files = grown;
        file_capacity = capacity;
    }
    file = calloc(1, sizeof(*file));
    if (file == NULL)
        return NULL;
    strncpy(file->path, path, FILES_PATH_MAX - 1);
    file->is_directory = true;
    file->mode = 0555;
    files[file_count++] = file;
    return file;
}

/* An archive may name a file without its directories. */
static void add_parents(const char *path)
{
    char parent[FILES_PATH_MAX];

    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t size = (size_t)(slash - path);

        memcpy(parent, path, size);
        parent[size] = '\0';
        add_entry(parent);
    }
}

/* The contents with the holes filled, or NULL: no memory, or it does not add up. */
static char *fill_holes(const struct ustar *header, const char *data, size_t size, size_t *realsize)
{
    const struct sparse *sparse = (const struct sparse *)((const char *)header + SPARSE_AT);
    uint64_t whole = octal(sparse->realsize, sizeof(sparse->realsize));
    char *out =
        sparse->extended == '\0' && whole <= FILES_SPARSE_MAX ? calloc(1, whole != 0 ? (size_t)whole : 1) : NULL;

    if (out == NULL)
        return NULL;
    for (unsigned int i = 0; i < SPARSE_ENTRIES; i++) {
        uint64_t offset = octal(sparse->entry[i].offset, sizeof(sparse->entry[i].offset));
        uint64_t count = octal(sparse->entry[i].size, sizeof(sparse->entry[i].size));

        if (offset > whole || count > whole - offset || count > size) {
            free(out);
            return NULL;
        }
        memcpy(out + (size_t)offset, data, (size_t)count);
        data += count;
        size -= (size_t)count;
    }
    *realsize = (size_t)whole;
    return out;
}

static void add_from_header(const struct ustar *header, const char *data, size_t size)
{
    char name[sizeof(header->prefix) + sizeof(header->name) + 2] = "", path[FILES_PATH_MAX];
    bool sparse = header->type == 'S';
    size_t used = 0;
    struct file *file;

    if (header->prefix[0] != '\0' && !sparse) {
        used = strnlen(header->prefix, sizeof(header->prefix));
        memcpy(name, header->prefix, used);
        name[used++] = '/';
    }
    memcpy(name + used, header->name, strnlen(header->name, sizeof(header->name)));
    if (!files_normalise(name, path))
        return;
    if (sparse && (data = fill_holes(header, data, size, &size)) == NULL)
        return;
    add_parents(path);
    file = add_entry(path);
    if (file == NULL)
        return;
    file->is_directory = header->type == '5';
    file->data = data;
    file->size = size;
    file->mode = (uint32_t)octal(header->mode, sizeof(header->mode)) & 0777;
    file->mtime = (uint32_t)octal(header->mtime, sizeof(header->mtime));
}

unsigned int files_load(const void *archive, size_t size)
{
    const char *at = archive, *end = at + size;

    add_entry("");
    while ((size_t)(end - at) >= BLOCK) {
        const struct ustar *header = (const struct ustar *)at;
        uint64_t length = octal(header->size, sizeof(header->size));

        if (memcmp(header->magic, "ustar", 5) != 0 || !checksum_fits(header))
            break;
        at += BLOCK;
        if (length > (uint64_t)(end - at))
            break;
        if (header->type == '0' || header->type == '\0' || header->type == '5' || header->type == 'S')
            add_from_header(header, at, header->type == '5' ? 0 : (size_t)length);
        length = (length + BLOCK - 1) & ~(uint64_t)(BLOCK - 1);
        at += length > (uint64_t)(end - at) ? (size_t)(end - at) : (size_t)length;
    }
    return file_count;
}

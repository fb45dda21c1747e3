/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Node permissions; see perms.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "perms.h"

struct perm_set *perm_set_new(const struct xs_permissions *entries, unsigned int count)
{
    struct perm_set *perms = malloc(sizeof(*perms) + count * sizeof(*entries));

    if (!perms)
        return NULL;
    perms->refs = 1;
    perms->count = count;
    memcpy(perms->entries, entries, count * sizeof(*entries));
    return perms;
}

struct perm_set *perm_set_get(struct perm_set *perms)
{
    perms->refs++;
    return perms;
}

void perm_set_put(struct perm_set *perms)
{
    if (perms && --perms->refs == 0)
        free(perms);
}

struct perm_set *perm_set_with_owner(const struct perm_set *perms, unsigned int owner)
{
    struct perm_set *copy = perm_set_new(perms->entries, perms->count);

    if (copy)
        copy->entries[0].id = owner;
    return copy;
}

static bool parse_letter(char letter, unsigned int *bits)
{
    switch (letter) {
    case 'n':
        *bits = XS_PERM_NONE;
        return true;
    case 'r':
        *bits = XS_PERM_READ;
        return true;
    case 'w':
        *bits = XS_PERM_WRITE;
        return true;
    case 'b':
        *bits = XS_PERM_READ | XS_PERM_WRITE;
        return true;
    default:
        return false;
    }
}

static bool parse_entry(const char *string, struct xs_permissions *entry)
{
    unsigned int id = 0;

    if (!parse_letter(*string++, &entry->perms) || !*string)
        return false;
    for (; *string; string++) {
        if (*string < '0' || *string > '9')
            return false;
        id = id * 10 + (unsigned int)(*string - '0');
        if (id >= DOMID_LIMIT)
            return false;
    }
    entry->id = id;
    return true;
}

int perm_set_parse(const char *strings, size_t len, struct perm_set **out)
{
    unsigned int count = 0;
    struct perm_set *perms;
    const char *at = strings;

    if (!len || strings[len - 1] != '\0')
        return EINVAL;
    for (size_t i = 0; i < len; i++)
        count += strings[i] == '\0';
    perms = malloc(sizeof(*perms) + count * sizeof(perms->entries[0]));
    if (!perms)
        return ENOMEM;
    perms->refs = 1;
    perms->count = count;
    for (unsigned int i = 0; i < count; i++, at += strlen(at) + 1) {
        if (!parse_entry(at, &perms->entries[i])) {
            free(perms);
            return EINVAL;
        }
    }
    *out = perms;
    return 0;
}

size_t perm_set_print(const struct perm_set *perms, char *buf, size_t size)
{
    static const char letters[] = "nrwb";
    size_t used = 0;

    for (unsigned int i = 0; i < perms->count; i++) {
        char text[16];
        size_t len =
            (size_t)snprintf(text, sizeof(text), "%c%u", letters[perms->entries[i].perms & 3], perms->entries[i].id) +
            1;

        if (used + len <= size)
            memcpy(buf + used, text, len);
        used += len;
    }
    return used;
}

/* The first entry that names the domain after the owner's entry. */
static const struct xs_permissions *find_entry(const struct perm_set *perms, unsigned int id)
{
    for (unsigned int i = 1; i < perms->count; i++)
        if (perms->entries[i].id == id)
            return &perms->entries[i];
    return NULL;
}

unsigned int perm_bits(const struct client *client, const struct perm_set *perms)
{
    const struct xs_permissions *own, *target = NULL;

    if (client->privileged || perms->entries[0].id == client->domid ||
        (client->has_target && perms->entries[0].id == client->target))
        return XS_PERM_READ | XS_PERM_WRITE | XS_PERM_OWNER;
    own = find_entry(perms, client->domid);
    if (client->has_target)
        target = find_entry(perms, client->target);
    if (own || target)
        return (own ? own->perms : 0) | (target ? target->perms : 0);
    return perms->entries[0].perms;
}

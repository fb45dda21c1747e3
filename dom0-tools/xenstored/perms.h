/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Permissions of a node: parsing, printing, and the question who may do what.
 */
#ifndef XENSTORED_PERMS_H
#define XENSTORED_PERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenstore_lib.h>

struct client;

/* Shared by reference and never modified. Entry 0 is the owner with the rights of everyone who is not listed. */
struct perm_set {
    unsigned int refs;
    unsigned int count;
    struct xs_permissions entries[];
};

struct perm_set *perm_set_new(const struct xs_permissions *entries, unsigned int count);
struct perm_set *perm_set_get(struct perm_set *perms);
void perm_set_put(struct perm_set *perms);

/* The same entries with another owner. */
struct perm_set *perm_set_with_owner(const struct perm_set *perms, unsigned int owner);

/* Parses consecutive NUL-terminated strings ("b0", "r7"). EINVAL, ENOMEM; 0 with a new set in `*out`. */
int perm_set_parse(const char *strings, size_t len, struct perm_set **out);

/* Writes the strings, each with its NUL; returns the bytes needed, which may be more than `size`: then none is cut. */
size_t perm_set_print(const struct perm_set *perms, char *buf, size_t size);

/* XS_PERM_READ, _WRITE and _OWNER bits that the client has on a node with these permissions. */
unsigned int perm_bits(const struct client *client, const struct perm_set *perms);

#endif

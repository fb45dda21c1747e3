/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The verbs that print a table with something of each domain: lines for people, or an array of objects under --json.
 */
#ifndef VANE_LISTING_H
#define VANE_LISTING_H

#include "domains.h"

struct json;

typedef void list_domain_t(struct vane *vane, struct json *json, const struct xen_domctl_getdomaininfo *info,
                           const void *own);

/* The heading, then list_one for each domain that the arguments name, for all without any. A wrong name is told before
 * anything is printed. 0 or 1, as a verb's. */
int list_each(struct vane *vane, int argc, char **argv, const char *heading, list_domain_t *list_one, const void *own);

#endif

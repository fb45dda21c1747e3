/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A table with something of each domain.
 */
#include "listing.h"

#include <stdlib.h>

#include "json.h"

int list_each(struct vane *vane, int argc, char **argv, const char *heading, list_domain_t *list_one, const void *own)
{
    struct xen_domctl_getdomaininfo *infos;
    unsigned int count;
    struct json json;

    infos = named_domains(vane, argc, argv, &count);
    if (infos == NULL)
        return 1;
    say(vane, "%s", heading);
    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    for (unsigned int i = 0; i < count; i++)
        list_one(vane, &json, &infos[i], own);
    json_close(&json, ']');
    json_end(&json);
    free(infos);
    return 0;
}

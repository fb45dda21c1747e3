/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain's nodes in the xenstore, as toolstacks write them: what a guest finds about itself, and what it may write.
 */
#ifndef VANE_STORE_H
#define VANE_STORE_H

#include "dom0-tools/builder/builder.h"
#include "vane.h"

/* Writes all nodes of a new domain and introduces it to the daemon. 0, or -1 with errno; nothing is left then. */
int store_add_domain(struct xs_handle *xs, const struct built_domain *built, const struct domain_config *config);

/*
 * The same in steps, for a domain whose rings are not there yet: its nodes (without those of its VM, which it may share
 * with the domain it replaces); the rings' and the introduction; the VM's. 0, or -1 with errno.
 */
int store_add_nodes(struct xs_handle *xs, const struct built_domain *built, const struct domain_config *config);
int store_introduce(struct xs_handle *xs, const struct built_domain *built);
int store_add_vm(struct xs_handle *xs, const struct built_domain *built, const struct domain_config *config);

/* Takes them away again and tells the daemon that the domain is gone. Without a UUID its VM's nodes stay. */
void store_remove_domain(struct xs_handle *xs, domid_t domid, const uint8_t uuid[16]);

/* The root of dom0's own nodes, once at start. */
int store_add_dom0(struct xs_handle *xs);

/* printf-formatted value to /local/domain/DOMID/NODE, keeping the node's permissions. */
bool store_write(struct xs_handle *xs, domid_t domid, const char *node, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The value, to be freed; NULL when there is none. */
char *store_read(struct xs_handle *xs, domid_t domid, const char *node);
bool store_read_number(struct xs_handle *xs, domid_t domid, const char *node, uint64_t *value);

#endif

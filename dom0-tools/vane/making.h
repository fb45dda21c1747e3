/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Domains coming and going: making one from its configuration, and ending one.
 */
#ifndef VANE_MAKING_H
#define VANE_MAKING_H

#include "domains.h"

/* What a file (NULL: none) and assignments behind it say. 0, or 1 with the error printed and nothing to be freed. */
int read_config(struct vane *vane, const char *path, int count, char **assignments, struct domain_config *out);

/*
 * Makes and starts (or leaves paused) a domain. The configuration is taken over when it succeeds. NULL with the error
 * set, and nothing left behind, when it does not.
 */
struct domain_record *create_domain(struct vane *vane, struct domain_config *config, bool paused,
                                    struct build_error *error);

/* What its configuration says about shadow page tables, before it runs. 0, or -1 with the error. */
int shadow_domain(struct vane *vane, domid_t domid, const struct domain_config *config, struct build_error *error);

/* Ends a domain at once and takes away everything that belonged to it. 0, or -1 with errno. */
int destroy_domain(struct vane *vane, domid_t domid);

/* Checks a configuration and its files without making anything. 0, or -1 with the error. */
int plan_domain(struct vane *vane, const struct domain_config *config, struct build_plan *plan,
                struct build_error *error);

/* A random UUID. */
void make_uuid(uint8_t uuid[16]);

/* One that has vanished without us: only what belonged to it goes, and its record if it has one. */
void forget_domain(struct vane *vane, domid_t domid, const uint8_t uuid[16]);

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain's devices as the command line deals with them: from what its configuration says to nodes in the store.
 */
#ifndef VANE_DEVICES_H
#define VANE_DEVICES_H

#include "domains.h"

struct device_name;
struct json;

/* Whether every device of a configuration can be had now. 0, or -1 with the error. */
int check_devices(const struct domain_config *config, struct build_error *error);

/*
 * Next to the domain that it replaces: its disks are opened although that one writes to them, until devices_alone is
 * called when that one is gone. 0, or -1 with the error.
 */
int attach_devices_beside(struct vane *vane, domid_t domid, const struct domain_config *config, domid_t replaced,
                          struct build_error *error);
void devices_alone(struct vane *vane, domid_t domid);

/* Gives a new domain its devices; it must not have run yet. 0, or -1 with the error. */
int attach_devices(struct vane *vane, domid_t domid, const struct domain_config *config, struct build_error *error);

/* Interfaces without an address get one that no other has; it belongs to the configuration from then on. */
void give_addresses(struct domain_config *config);

/* Notes for the user about addresses that interfaces of other domains have already. */
void warn_of_duplicates(const struct vane *vane, const struct domain_config *config);

int attach_vif(struct vane *vane, domid_t domid, const struct vif_config *vif, struct build_error *error);

int attach_disk(struct vane *vane, domid_t domid, const struct disk *disk, struct build_error *error);

typedef void list_device_t(struct vane *vane, struct json *json, const struct device_name *name);

/* The verbs that list the devices of one kind of the domains that argv names: a heading, and list_one for each device. A
 * wrong name is told before anything is printed. */
int list_devices(struct vane *vane, int argc, char **argv, const char *kind, const char *heading,
                 list_device_t *list_one);

#endif

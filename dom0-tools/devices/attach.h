/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The toolstack's side of devices: making their nodes, waiting for the backend to take them up, and taking them away.
 * Everything goes through the store; the backend may be anybody who follows it.
 */
#ifndef DEVICES_ATTACH_H
#define DEVICES_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/xen.h>
#include <xenstore.h>

#define DEVICE_REASON_SIZE 256

struct device_name {
    domid_t domid; /* whose frontend it is */
    const char *kind;
    unsigned int id;
};

/* A node below the device's directory. */
struct device_setting {
    const char *node;
    const char *value;
};

/*
 * Makes both directories in one transaction and waits until the backend has the device ready for its frontend. `back`
 * and `front` end with a NULL node; what every device has (frontend, frontend-id, online, state, backend, backend-id)
 * is added. 0, or -1 with the reason, and nothing is left then.
 */
int device_attach(struct xs_handle *xs, const struct device_name *name, const struct device_setting *back,
                  const struct device_setting *front, char reason[DEVICE_REASON_SIZE]);

/*
 * Takes a device away. Without `force` the guest is asked and has ten seconds to let go; when it does not, the device
 * stays, and goes when the guest closes it and the call is made again. 0, or -1 with the reason.
 */
int device_detach(struct xs_handle *xs, const struct device_name *name, bool force, char reason[DEVICE_REASON_SIZE]);

/* Removes what there is at the path and below; where memory lacks, until there is some, for a while. */
void nodes_remove(struct xs_handle *xs, const char *path);

/* Takes all devices of a domain away that has ended, unasked, and waits until the backends have let go of its memory. */
void devices_remove_all(struct xs_handle *xs, domid_t domid);

/* The ids of a domain's devices of one kind, ascending; *count of them, to be freed. NULL when there are none. */
unsigned int *devices_list(struct xs_handle *xs, domid_t domid, const char *kind, unsigned int *count);

bool device_exists(struct xs_handle *xs, const struct device_name *name);

/* The path of a device's directory: the guest's or the backend's. To be freed. */
char *device_path(const struct device_name *name, bool front);

/* A node's value, to be freed; NULL when there is none. The number is -1 then, or when it is not a number. */
char *device_read(struct xs_handle *xs, const struct device_name *name, bool front, const char *node);
int device_read_number(struct xs_handle *xs, const struct device_name *name, bool front, const char *node);

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The toolstack's side of a domain that comes from a stream. In order: check, make, somebody fills it from the stream,
 * complete, and, when the domain it comes from is gone for good, run. Up to complete any step may fail and the source
 * goes on with all it had; discard leaves nothing behind. Until run it is called "NAME--incoming".
 */
#ifndef VANE_INCOMING_H
#define VANE_INCOMING_H

#include "domains.h"

struct incoming {
    struct built_domain built; /* number and ports after incoming_make; the frames are the caller's to fill in */
    char name[DOMAIN_NAME_MAX + 1];
    bool made;
};

/*
 * Whether there is room for the domain: memory, name and disks. `source` is the domain of this host it is to replace,
 * which has the name and the disks now, or DOMID_INVALID. 0, or -1 with the error. Makes nothing.
 */
int incoming_check(struct vane *vane, const struct domain_config *config, domid_t source, struct build_error *error);

/*
 * A paused domain without memory that has limits, vCPUs, ports, nodes of the store, devices that wait for their front
 * ends, and a record. Its memory is claimed: what fills it cannot run out of it. Its width is set by what fills it.
 * Takes the configuration's contents over on success. Next to a source, its disks are open twice until that is gone.
 */
int incoming_make(struct vane *vane, struct domain_config *config, domid_t source, struct incoming *incoming,
                  struct build_error *error);

/* It has its memory, built.store_mfn and console_frame are known: grants, store and console. 0, or -1 with the error. */
int incoming_complete(struct vane *vane, struct incoming *incoming, struct build_error *error);

/*
 * It gets its name, and runs unless `paused`. A source of this host is suspended for good: its devices are taken away
 * when memory can no longer make this fail, as after a failure it goes on with them.
 */
int incoming_run(struct vane *vane, struct incoming *incoming, domid_t source, bool paused, struct build_error *error);

/* Also after a failed incoming_make, and when somebody has destroyed it meanwhile. */
void incoming_discard(struct vane *vane, struct incoming *incoming);

#endif

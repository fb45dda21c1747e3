/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Domains that leave and arrive, as save, restore and migrate do it: the stream with its configuration in front, the
 * guest asked to suspend in the middle, and everything of the toolstack that a domain takes along.
 */
#ifndef VANE_MOVING_H
#define VANE_MOVING_H

#include "dom0-tools/migration/migration.h"
#include "incoming.h"
#include "suspending.h"

struct departure {
    struct vane *vane;
    domid_t domid;
    char name[DOMAIN_NAME_MAX + 1];
    bool live, verify;
    bool logging; /* which pages it writes */
    struct migration_limits limits;
    bool (*cancelled)(void *own); /* may be NULL */
    void (*progress)(void *own, const struct migration_progress *progress);
    void *own;
    const char *json; /* the configuration that goes along, of departure_config */
    bool suspended;   /* it stands still: resume or destroy it */
    struct migration_totals totals;
};

/*
 * The domain's configuration as it is now, with what it has of memory and vCPUs. NULL with the error printed, also when
 * it is in no state to suspend.
 */
char *departure_config(struct vane *vane, domid_t domid);

/* The whole of xl's format. 0, or -1 with the error, and the guest runs on. */
int departure_send(struct departure *departure, const struct byte_sink *sink, struct stream_error *error);

/* The guest goes on here. 0, or -1 with errno. */
int departure_resume(struct departure *departure);

/* What became of a domain that was not moved, for a sentence that begins with its name. */
const char *departure_fate(const struct departure *departure);

struct arrival {
    struct vane *vane;
    domid_t source;                /* of this host, which it replaces; DOMID_INVALID: none */
    const char *offered;           /* the name that it must have; NULL: any */
    struct domain_config *instead; /* of the stream's; taken over once the domain exists; NULL: the stream's counts */
    struct incoming incoming;
    struct migration_result result;
    uint64_t bytes;
};

/* Up to a domain that is whole and paused. 0, or -1 with the error and nothing left behind. */
int arrival_receive(struct arrival *arrival, const struct byte_source *source, struct stream_error *error);
int arrival_run(struct arrival *arrival, bool paused, struct stream_error *error);

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The domains that exist, by number and by name; and the records of those created here, which carry what is needed to
 * restart them. The hypervisor's list is the truth; a record is dropped once its domain is gone.
 */
#ifndef VANE_DOMAINS_H
#define VANE_DOMAINS_H

#include "dom0-tools/builder/builder.h"
#include "dom0-tools/config/domain_config.h"
#include "vane.h"

struct domain_record {
    struct domain_record *next, *next_in_bucket;
    uint32_t name_hash; /* of config.name */
    domid_t domid;
    uint8_t uuid[16];
    uint64_t started_ns;
    uint64_t boot_max_kib;      /* the maximum its kernel was told at its start; mem-max moves the one in config */
    unsigned int fast_restarts; /* in a row, of a domain that ended by itself soon after its start */
    bool asked_to_end;          /* by a command: a restart then is no accident */
    uint64_t arrived_ns;        /* it came from a stream and ran from then on; 0: it was built here */
    bool suspending;            /* by a command, which deals with what comes of it */
    bool handled;               /* its end was acted upon; what is left of it stays for inspection */
    uint64_t console_seen;      /* how much of its console the user has read */
    unsigned int holds;
    struct domain_config config;
};

/* Set in the embedded dom0: nobody but this program makes domains, so the records know every name except domain 0's. */
extern bool domains_all_recorded;

/* Takes over the configuration. NULL when memory is short. */
struct domain_record *record_add(const struct built_domain *built, struct domain_config *config);

/*
 * Taking a record out of the list comes before anything that lets other threads run: who took it out is the one to end
 * the domain and to free it.
 */
void record_take_out(struct domain_record *record);
void record_free(struct domain_record *record);

/* Keeps a record from being freed while the store is asked about it; then it may be out of the list. Ends with a free. */
void record_hold(struct domain_record *record);

/* Takes over the new name, which may be NULL; the old one is the caller's. */
void record_set_name(struct domain_record *record, char *name);
struct domain_record *record_find(domid_t domid);
struct domain_record *record_first(void);

/* The name of a domain, to be freed; NULL when it has none. */
char *name_of_domain(struct vane *vane, domid_t domid);

/* A domain by number or name. 0, or 1 with the error printed. */
int find_domain(struct vane *vane, const char *text, domid_t *domid);
int find_domain_info(struct vane *vane, const char *text, struct xen_domctl_getdomaininfo *info);

/* True when some domain has this name. */
bool domain_name_taken(struct vane *vane, const char *name, domid_t *owner);

/* What a domain is called behind its name until it has arrived. */
#define INCOMING_SUFFIX "--incoming"

/* True when some domain has this name, or will have it when it has arrived. */
bool domain_name_claimed(struct vane *vane, const char *name, domid_t *owner);

/* The same of the domains created here. Asks nobody, so that what it says holds until another thread runs. */
bool record_claims(const char *name);

/* Another domain with this UUID: the one that a domain replaces, or is replaced by. NULL when there is none. */
struct domain_record *record_of_uuid(const uint8_t uuid[16], domid_t other_than);

/* All domains, to be freed; NULL with the error printed. */
struct xen_domctl_getdomaininfo *list_domains(struct vane *vane, unsigned int *count);

/* The domains that the arguments name, all without any; to be freed. NULL with the error printed. */
struct xen_domctl_getdomaininfo *named_domains(struct vane *vane, int argc, char **argv, unsigned int *count);

/* "poweroff", "reboot", "suspend", "crash", ... of an ended domain; valid until the next call. */
const char *shutdown_reason_name(unsigned int reason);
unsigned int shutdown_reason(const struct xen_domctl_getdomaininfo *info);

#endif

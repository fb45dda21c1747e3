/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See incoming.h. Whoever types destroy may end the domain between any two steps, so each looks its record up again.
 */
#include "incoming.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"
#include "dom0-tools/console/console.h"
#include "dom0-tools/devices/attach.h"
#include "lifecycle.h"
#include "making.h"
#include "store.h"

int incoming_check(struct vane *vane, const struct domain_config *config, domid_t source, struct build_error *error)
{
    domid_t owner;

    if (domain_name_claimed(vane, config->name, &owner) && owner != source)
        return build_fail(error, "the name \"%s\" is taken by domain %u; rename or destroy that one first",
                          config->name, owner);
    if (build_check_free(vane->ctl, config, error) != 0)
        return -1;
    return source == DOMID_INVALID ? check_devices(config, error) : 0;
}

static struct domain_record *record_of(const struct incoming *incoming, struct build_error *error)
{
    struct domain_record *record = incoming->made ? record_find(incoming->built.domid) : NULL;

    if (record == NULL)
        build_fail(error, "domain %u, which was to become \"%s\", was destroyed meanwhile", incoming->built.domid,
                   incoming->name);
    return record;
}

/* The record keeps the name under which the domain waits; the other stays in `incoming`. */
static int add_record(struct incoming *incoming, struct domain_config *config, domid_t source,
                      struct build_error *error)
{
    char *name = config->name, *waiting;

    if (source == DOMID_INVALID && record_claims(name))
        return build_fail(error, "the name \"%s\" was taken meanwhile", name);
    snprintf(incoming->name, sizeof(incoming->name), "%s", name);
    waiting = malloc(strlen(name) + sizeof(INCOMING_SUFFIX));
    if (waiting == NULL)
        return build_fail(error, "out of memory");
    sprintf(waiting, "%s" INCOMING_SUFFIX, name);
    config->name = waiting;
    if (record_add(&incoming->built, config) == NULL) {
        config->name = name;
        free(waiting);
        return build_fail(error, "out of memory");
    }
    free(name);
    return 0;
}

static int add_nodes(struct vane *vane, const struct incoming *incoming, const struct domain_config *config,
                     struct build_error *error)
{
    domid_t domid = incoming->built.domid;

    if (store_add_nodes(vane->xs, &incoming->built, config) == 0 &&
        store_write(vane->xs, domid, "name", "%s" INCOMING_SUFFIX, config->name))
        return 0;
    return build_fail(error, "writing the nodes of domain %u to the xenstore failed: %s", domid, strerror(errno));
}

/* The limit leaves room for a balloon that has not reached its target yet; incoming_run sets it as mem-set does. */
static int claim(struct vane *vane, struct incoming *incoming, const struct domain_config *config,
                 struct build_error *error)
{
    domid_t domid = incoming->built.domid;

    if (ctl_domain_max_mem(vane->ctl, domid, config->max_memory_kib + BUILD_SLACK_KIB) != 0 ||
        build_ports(vane->ctl, &incoming->built) != 0)
        return build_fail(error, "preparing domain %u failed: %s", domid, strerror(errno));
    if (ctl_claim(vane->ctl, domid, (unsigned long)(config->memory_kib / 4)) != 0 && errno == ENOMEM)
        return build_check_free(vane->ctl, config, error) != 0
                   ? -1
                   : build_fail(error, "the machine's free memory was claimed by another domain");
    return 0;
}

int incoming_make(struct vane *vane, struct domain_config *config, domid_t source, struct incoming *incoming,
                  struct build_error *error)
{
    domid_t domid;
    int status;

    memset(incoming, 0, sizeof(*incoming));
    if (config->has_uuid)
        memcpy(incoming->built.uuid, config->uuid, sizeof(incoming->built.uuid));
    else
        make_uuid(incoming->built.uuid);
    if (build_empty(vane->ctl, config, &incoming->built, error) != 0)
        return -1;
    incoming->made = true;
    domid = incoming->built.domid;
    give_addresses(config);
    status = claim(vane, incoming, config, error);
    if (status == 0)
        status = add_nodes(vane, incoming, config, error);
    if (status == 0)
        status = source == DOMID_INVALID ? attach_devices(vane, domid, config, error)
                                         : attach_devices_beside(vane, domid, config, source, error);
    if (status == 0)
        status = add_record(incoming, config, source, error);
    if (status != 0)
        incoming_discard(vane, incoming);
    return status;
}

int incoming_complete(struct vane *vane, struct incoming *incoming, struct build_error *error)
{
    struct domain_record *record = record_of(incoming, error);

    if (record == NULL)
        return -1;
    (void)ctl_claim(vane->ctl, record->domid, 0);
    if (shadow_domain(vane, record->domid, &record->config, error) != 0)
        return -1;
    if (build_grants(vane->ctl, vane->memory, &incoming->built) != 0)
        return build_fail(error, "the grants of the rings of domain %u could not be written: %s", record->domid,
                          strerror(errno));
    if (store_introduce(vane->xs, &incoming->built) != 0)
        return build_fail(error, "introducing domain %u to the xenstore failed: %s", incoming->built.domid,
                          strerror(errno));
    (void)console_find(incoming->built.domid); /* connects its console now, before its first byte */
    return 0;
}

/* The nodes of a domain that was destroyed meanwhile come back by this; incoming_discard takes them away. */
static int take_name(struct vane *vane, struct domain_record *record, const struct incoming *incoming)
{
    char *copy = strdup(incoming->name);

    if (copy == NULL || !store_write(vane->xs, record->domid, "name", "%s", incoming->name)) {
        free(copy);
        return -1;
    }
    console_rename(record->domid, incoming->name);
    free(record->config.name);
    record_set_name(record, copy);
    return store_add_vm(vane->xs, &incoming->built, &record->config);
}

static int let_run(struct vane *vane, struct incoming *incoming, bool paused, struct build_error *error)
{
    struct domain_record *record = record_of(incoming, error);

    if (record == NULL)
        return -1;
    record->started_ns = record->arrived_ns = clock_ns();
    if (!paused && ctl_domain_unpause(vane->ctl, record->domid) != 0)
        return build_fail(error, "starting domain %u failed: %s", record->domid, strerror(errno));
    incoming->made = false;
    (void)ctl_domain_max_mem(vane->ctl, record->domid, record->config.memory_kib + BUILD_SLACK_KIB);
    devices_alone(vane, record->domid);
    return 0;
}

/* Whoever hears of a failure lets the source go on, which it cannot without its devices: from there on nothing fails. */
static int take_over(struct vane *vane, struct incoming *incoming, domid_t source, bool paused,
                     struct build_error *error)
{
    if (source == DOMID_INVALID)
        return let_run(vane, incoming, paused, error);
    /* What the one before it has asked of its disks must have ended before this one writes to them. */
    devices_remove_all(vane->xs, source);
    if (let_run(vane, incoming, paused, error) != 0) {
        lifecycle_tell("%s: %s; the one that it came from is destroyed, too", incoming->name, error->text);
        incoming_discard(vane, incoming);
    }
    return 0;
}

int incoming_run(struct vane *vane, struct incoming *incoming, domid_t source, bool paused, struct build_error *error)
{
    struct domain_record *record = record_of(incoming, error);
    int status;

    if (record == NULL)
        return -1;
    record_hold(record);
    status = take_name(vane, record, incoming);
    record_free(record);
    if (status != 0)
        return build_fail(error, "domain %u could not be given its name \"%s\": %s", incoming->built.domid,
                          incoming->name, strerror(errno));
    if (record_of(incoming, error) == NULL)
        return -1;
    return take_over(vane, incoming, source, paused, error);
}

void incoming_discard(struct vane *vane, struct incoming *incoming)
{
    if (!incoming->made)
        return;
    incoming->made = false;
    if (destroy_domain(vane, incoming->built.domid) != 0)
        forget_domain(vane, incoming->built.domid, incoming->built.uuid);
}

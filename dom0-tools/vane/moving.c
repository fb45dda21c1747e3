/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The toolstack around a saved domain; see moving.h.
 */
#include "moving.h"

#include <abi/sched.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ballooning.h"
#include "dom0-tools/config/libxl_json.h"
#include "store.h"

static unsigned int online_vcpus(struct vane *vane, domid_t domid, const struct domain_config *config)
{
    unsigned int count = 0;
    char node[40];

    for (unsigned int i = 0; i < config->max_vcpus; i++) {
        char *text;

        snprintf(node, sizeof(node), "cpu/%u/availability", i);
        text = store_read(vane->xs, domid, node);
        count += text != NULL && strcmp(text, "online") == 0;
        free(text);
    }
    return count > 0 ? count : config->vcpus;
}

/* Said before anything is sent or written. */
static bool can_suspend(struct vane *vane, const struct xen_domctl_getdomaininfo *info)
{
    if ((info->flags & XEN_DOMINF_shutdown) && shutdown_reason(info) == SHUTDOWN_suspend)
        fail(vane, "domain %u is suspended already; resume it first", info->domain);
    else if (info->flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))
        fail(vane, "domain %u has ended (%s): there is nothing to be moved", info->domain,
             shutdown_reason_name(shutdown_reason(info)));
    else if (info->flags & XEN_DOMINF_paused)
        fail(vane, "domain %u is paused and cannot suspend; unpause it first", info->domain);
    else
        return true;
    return false;
}

char *departure_config(struct vane *vane, domid_t domid)
{
    struct domain_record *record = record_find(domid);
    struct xen_domctl_getdomaininfo info;
    struct domain_config config;
    unsigned int vcpus;
    uint64_t memory_kib;
    char *json;

    if (record == NULL || ctl_domain_info(vane->ctl, domid, &info) != 0) {
        fail(vane, "domain %u was not created here: its configuration is not known", domid);
        return NULL;
    }
    if (!can_suspend(vane, &info))
        return NULL;
    config = record->config;
    vcpus = online_vcpus(vane, domid, &config);
    memory_kib = ballooning_target(vane, &info);
    record = record_find(domid); /* it may have ended while the store was asked */
    if (record == NULL) {
        fail(vane, "domain %u has ended: there is nothing to be moved", domid);
        return NULL;
    }
    config = record->config; /* a view of it: nothing in it is freed */
    config.memory_kib = memory_kib;
    config.vcpus = vcpus;
    memcpy(config.uuid, record->uuid, sizeof(config.uuid));
    config.has_uuid = true;
    json = config_to_json(&config);
    if (json == NULL)
        fail(vane, "out of memory for the configuration of domain %u", domid);
    return json;
}

static int suspend_guest(void *own, struct stream_error *error)
{
    struct departure *departure = own;
    struct suspending how = {.cancelled = departure->cancelled, .own = departure->own};

    if (suspend_domain(departure->vane, departure->domid, &how) == 0) {
        departure->suspended = true;
        return 0;
    }
    snprintf(error->text, sizeof(error->text), "domain %u (%s) %s", departure->domid, departure->name, how.reason);
    return -1;
}

static void show_progress(void *own, const struct migration_progress *progress)
{
    struct departure *departure = own;

    departure->progress(departure->own, progress);
}

static bool is_cancelled(void *own)
{
    struct departure *departure = own;

    return departure->cancelled(departure->own);
}

static struct migration_source source_of(struct departure *departure)
{
    const struct domain_record *record = record_find(departure->domid);

    return (struct migration_source){
        .ctl = departure->vane->ctl,
        .memory = departure->vane->memory,
        .domid = departure->domid,
        .live = departure->live,
        .shadow = record != NULL && record->config.shadow,
        .verify = departure->verify,
        .limits = departure->limits,
        .suspend = suspend_guest,
        .progress = departure->progress != NULL ? show_progress : NULL,
        .cancelled = departure->cancelled != NULL ? is_cancelled : NULL,
        .own = departure,
    };
}

static void stop_logging(struct departure *departure)
{
    struct migration_source source = source_of(departure);

    if (departure->logging)
        migration_stop_logging(&source);
    departure->logging = false;
}

int departure_resume(struct departure *departure)
{
    stop_logging(departure);
    if (!departure->suspended)
        return 0;
    departure->suspended = false;
    return resume_domain(departure->vane, departure->domid);
}

static int send(struct departure *departure, struct stream_writer *writer, struct stream_error *error)
{
    struct migration_source source = source_of(departure);

    departure->logging = departure->live;
    if (stream_write_file_header(writer, departure->json) == 0 && stream_write_outer_begin(writer) == 0 &&
        migration_save(&source, writer, &departure->totals, error) != 0)
        return -1;
    if (stream_write_outer_end(writer) == 0)
        return 0;
    if (error->text[0] == '\0')
        snprintf(error->text, sizeof(error->text), "writing failed after %llu KiB: %s",
                 (unsigned long long)(writer->offset >> 10), strerror(-writer->failed));
    return -1;
}

int departure_send(struct departure *departure, const struct byte_sink *sink, struct stream_error *error)
{
    struct stream_writer writer;
    int status;

    error->text[0] = '\0';
    stream_writer_start(&writer, sink);
    status = send(departure, &writer, error);
    departure->totals.bytes = writer.offset;
    if (status != 0)
        (void)departure_resume(departure);
    return status;
}

const char *departure_fate(const struct departure *departure)
{
    struct xen_domctl_getdomaininfo info;

    if (ctl_domain_info(departure->vane->ctl, departure->domid, &info) != 0 || (info.flags & XEN_DOMINF_dying))
        return "has ended";
    if (!(info.flags & XEN_DOMINF_shutdown))
        return "runs on here";
    return shutdown_reason(&info) == SHUTDOWN_suspend ? "is suspended (resume lets it go on)" : "has ended";
}

static int take_config(struct stream_reader *reader, struct domain_config *config, struct stream_error *error)
{
    struct config_error why;
    char *json = stream_read_file_header(reader);
    int status;

    if (json == NULL)
        return -1;
    status = config_from_json(json, config, &why);
    free(json);
    if (status == 0)
        return 0;
    domain_config_free(config);
    snprintf(error->text, sizeof(error->text), "the configuration in the stream: %s", why.text);
    return -1;
}

static int refuse(struct stream_error *error, const struct build_error *why)
{
    snprintf(error->text, sizeof(error->text), "%.*s", (int)sizeof(error->text) - 1, why->text);
    return -1;
}

/* The configuration of the stream, or the one that the user gives instead; it is the arrival's own from then on. */
static int make(struct arrival *arrival, struct stream_reader *reader, struct stream_error *error)
{
    struct domain_config config;
    struct build_error why;
    int status;

    if (take_config(reader, &config, error) != 0)
        return -1;
    if (arrival->offered != NULL && strcmp(config.name, arrival->offered) != 0) {
        snprintf(error->text, sizeof(error->text), "\"%s\" was offered, and \"%.100s\" was sent", arrival->offered,
                 config.name);
        domain_config_free(&config);
        return -1;
    }
    if (arrival->instead != NULL) {
        domain_config_free(&config);
        config = *arrival->instead;
    }
    status = incoming_check(arrival->vane, &config, arrival->source, &why);
    if (status == 0)
        status = incoming_make(arrival->vane, &config, arrival->source, &arrival->incoming, &why);
    if (arrival->instead == NULL)
        domain_config_free(&config); /* empty when it was taken over */
    else
        *arrival->instead = config;
    return status == 0 ? 0 : refuse(error, &why);
}

static int fill(struct arrival *arrival, struct stream_reader *reader, struct stream_error *error)
{
    struct incoming *incoming = &arrival->incoming;
    struct migration_target target = {
        .ctl = arrival->vane->ctl,
        .memory = arrival->vane->memory,
        .domid = incoming->built.domid,
        .store_port = incoming->built.store_port,
        .console_port = incoming->built.console_port,
    };
    struct build_error why;

    if (stream_read_outer_begin(reader) != 0 || migration_restore(&target, reader, &arrival->result) != 0 ||
        stream_read_outer_end(reader) != 0)
        return -1;
    incoming->built.store_mfn = arrival->result.store_mfn;
    incoming->built.console_frame = arrival->result.console_mfn;
    return incoming_complete(arrival->vane, incoming, &why) == 0 ? 0 : refuse(error, &why);
}

int arrival_receive(struct arrival *arrival, const struct byte_source *source, struct stream_error *error)
{
    struct stream_reader reader;
    int status;

    error->text[0] = '\0';
    stream_reader_start(&reader, source, error);
    if (make(arrival, &reader, error) != 0)
        return -1;
    status = fill(arrival, &reader, error);
    arrival->bytes = reader.offset;
    if (status != 0)
        incoming_discard(arrival->vane, &arrival->incoming);
    return status;
}

int arrival_run(struct arrival *arrival, bool paused, struct stream_error *error)
{
    struct build_error why;

    if (incoming_run(arrival->vane, &arrival->incoming, arrival->source, paused, &why) == 0)
        return 0;
    incoming_discard(arrival->vane, &arrival->incoming);
    return refuse(error, &why);
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * save: a domain into a file or onto a disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "making.h"
#include "moving.h"
#include "outfile.h"
#include "system.h"

#define BESIDE_PAGES (1u << 20) /* configuration, registers, page numbers */

enum aftermath { AFTER_DESTROY, AFTER_RUN, AFTER_PAUSE };

struct saved {
    struct departure departure;
    struct outfile file;
    bool told; /* the file has said what is wrong with it */
    enum aftermath aftermath;
    uint64_t started_ns, took_ns, stood_ns;
};

static int put(void *own, const void *data, size_t size)
{
    struct saved *saved = own;

    saved->told = outfile_put(&saved->file, data, size) != 0;
    return saved->told ? -EIO : 0;
}

static bool interrupted(void *own)
{
    return terminal_interrupted(0);
}

/* What becomes of the domain now that its file is whole. */
static int finish(struct saved *saved)
{
    struct departure *departure = &saved->departure;
    struct vane *vane = departure->vane;
    int status;

    saved->took_ns = clock_ns() - saved->started_ns;
    if (saved->aftermath == AFTER_DESTROY) {
        saved->stood_ns = clock_ns() - departure->totals.suspended_ns;
        status = destroy_domain(vane, departure->domid);
        return status == 0 ? 0
                           : fail(vane, "%s was saved; destroying domain %u failed: %s", departure->name,
                                  departure->domid, strerror(errno));
    }
    if (saved->aftermath == AFTER_PAUSE)
        (void)ctl_domain_pause(vane->ctl, departure->domid);
    status = departure_resume(departure);
    saved->stood_ns = clock_ns() - departure->totals.suspended_ns;
    return status == 0 ? 0
                       : fail(vane, "%s was saved; resuming domain %u failed: %s", departure->name, departure->domid,
                              strerror(errno));
}

/* The error was printed by the file. */
static int tell_fate(const struct departure *departure)
{
    say(departure->vane, "%s %s and was not saved\n", departure->name, departure_fate(departure));
    return 1;
}

static int save_to_file(struct saved *saved, const char *path, uint64_t expected)
{
    struct byte_sink sink = {.own = saved, .write = put};
    struct stream_error error;

    if (outfile_open(&saved->file, saved->departure.vane, path, expected) != 0)
        return 1;
    if (departure_send(&saved->departure, &sink, &error) != 0) {
        outfile_abandon(&saved->file);
        if (saved->told)
            return tell_fate(&saved->departure);
        return fail(saved->departure.vane, "%s %s and was not saved: %s", saved->departure.name,
                    departure_fate(&saved->departure), error.text);
    }
    if (outfile_close(&saved->file) != 0) {
        (void)departure_resume(&saved->departure);
        return tell_fate(&saved->departure);
    }
    return finish(saved);
}

static const char *what_now(enum aftermath aftermath)
{
    return aftermath == AFTER_RUN     ? "it runs on"
           : aftermath == AFTER_PAUSE ? "it is paused; unpause lets it go on"
                                      : "restore brings it back";
}

static void report(const struct saved *saved, const char *path)
{
    const struct departure *departure = &saved->departure;
    struct vane *vane = departure->vane;
    struct json json;

    say(vane, "saved %s to %s (%llu.%llu MiB in %llu.%llu s); stood still %llu ms; %s\n", departure->name, path,
        (unsigned long long)(departure->totals.bytes >> 20),
        (unsigned long long)((departure->totals.bytes & 0xfffff) * 10 >> 20),
        (unsigned long long)(saved->took_ns / 1000000000), (unsigned long long)(saved->took_ns / 100000000 % 10),
        (unsigned long long)((saved->stood_ns + 500000) / 1000000), what_now(saved->aftermath));
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_string(&json, "name", departure->name);
    json_string(&json, "file", path);
    json_number(&json, "bytes", departure->totals.bytes);
    json_number(&json, "pages", departure->totals.pages);
    json_number(&json, "rounds", departure->totals.rounds);
    json_number(&json, "took_ns", saved->took_ns);
    json_number(&json, "stood_still_ns", saved->stood_ns);
    json_close(&json, '}');
    json_end(&json);
}

static int save(struct saved *saved, const char *path)
{
    struct departure *departure = &saved->departure;
    struct vane *vane = departure->vane;
    struct xen_domctl_getdomaininfo info;
    char *json;
    int status;

    if (ctl_domain_info(vane->ctl, departure->domid, &info) != 0)
        return fail(vane, "asking for domain %u failed: %s", departure->domid, strerror(errno));
    if (outfile_check_room(vane, path, "the saved domain", info.tot_pages * 4096 + BESIDE_PAGES) != 0)
        return 1;
    json = departure_config(vane, departure->domid);
    if (json == NULL)
        return 1;
    departure->json = json;
    saved->started_ns = clock_ns();
    status = save_to_file(saved, path, info.tot_pages * 4096);
    free(json);
    if (status == 0)
        report(saved, path);
    return status;
}

int cmd_save(struct vane *vane, int argc, char **argv)
{
    bool checkpoint = option(&argc, argv, "-c", "--checkpoint"), pause = option(&argc, argv, "-p", "--pause");
    bool live = option(&argc, argv, "-l", "--live");
    struct saved *saved;
    domid_t domid;
    char *name;
    int status;

    if (check_arguments(vane, argc, argv, 2, 2) != 0 || find_domain(vane, argv[1], &domid) != 0)
        return 1;
    if (domid == 0)
        return fail(vane, "domain 0 is the one you are talking to; it cannot be saved");
    saved = calloc(1, sizeof(*saved));
    name = name_of_domain(vane, domid);
    if (saved == NULL || name == NULL) {
        free(saved);
        free(name);
        return fail(vane, "out of memory");
    }
    saved->departure = (struct departure){.vane = vane, .domid = domid, .live = live, .cancelled = interrupted};
    strncpy(saved->departure.name, name, DOMAIN_NAME_MAX);
    saved->aftermath = pause ? AFTER_PAUSE : checkpoint ? AFTER_RUN : AFTER_DESTROY;
    free(name);
    status = save(saved, argv[2]);
    free(saved);
    return status;
}

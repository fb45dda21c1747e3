/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * restore: a domain out of a file or from a disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "infile.h"
#include "json.h"
#include "making.h"
#include "moving.h"
#include "system.h"

#define LOOK_EVERY (1u << 20)

struct restored {
    struct arrival arrival;
    struct infile file;
    uint64_t started_ns;
    uint64_t looked_at; /* byte of the file at which the keyboard was looked at */
    bool interrupted;
};

static ssize_t read_on(void *own, void *data, size_t size)
{
    struct restored *restored = own;

    if (restored->file.bytes - restored->looked_at >= LOOK_EVERY) {
        restored->looked_at = restored->file.bytes;
        restored->interrupted = terminal_interrupted(0);
    }
    return restored->interrupted ? -EINTR : infile_read(&restored->file, data, size);
}

static void report(const struct restored *restored, bool paused)
{
    const struct arrival *arrival = &restored->arrival;
    struct vane *vane = arrival->vane;
    uint64_t took = clock_ns() - restored->started_ns;
    const struct domain_record *record = record_find(arrival->incoming.built.domid);
    struct json json;

    for (size_t i = 0; record != NULL && i < record->config.note_count; i++)
        say(vane, "note: %s\n", record->config.notes[i]);
    say(vane, "restored %s as domain %u (%u-bit, %llu MiB in %llu.%llu s); %s\n", arrival->incoming.name,
        arrival->incoming.built.domid, arrival->result.bits, (unsigned long long)(arrival->result.pages >> 8),
        (unsigned long long)(took / 1000000000), (unsigned long long)(took / 100000000 % 10),
        paused ? "it is paused; unpause lets it go on" : "it is running");
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_string(&json, "name", arrival->incoming.name);
    json_number(&json, "domid", arrival->incoming.built.domid);
    json_number(&json, "pages", arrival->result.pages);
    json_number(&json, "bytes", arrival->bytes);
    json_number(&json, "took_ns", took);
    json_bool(&json, "paused", paused);
    json_close(&json, '}');
    json_end(&json);
}

static int restore(struct restored *restored, const char *path, bool paused)
{
    struct byte_source source = {.own = restored, .read = read_on};
    struct vane *vane = restored->arrival.vane;
    struct stream_error error;
    int status;

    if (infile_open(&restored->file, path) != 0)
        return fail(vane, "%s: %s", path, strerror(errno));
    status = arrival_receive(&restored->arrival, &source, &error);
    infile_close(&restored->file);
    if (status == 0)
        status = arrival_run(&restored->arrival, paused, &error);
    if (status != 0 && restored->interrupted)
        return fail(vane, "%s: interrupted; nothing was restored", path);
    if (status != 0)
        return fail(vane, "%s: %s", path, error.text);
    report(restored, paused);
    return 0;
}

int cmd_restore(struct vane *vane, int argc, char **argv)
{
    bool paused = option(&argc, argv, "-p", "--paused");
    struct domain_config instead = {0};
    struct restored *restored;
    int status = 0;

    (void)option(&argc, argv, "-e", NULL); /* of xl: what waits for the end of the domain here is no process */
    (void)option(&argc, argv, "-d", NULL);
    if (check_arguments(vane, argc, argv, 1, 2) != 0)
        return 1;
    restored = calloc(1, sizeof(*restored));
    if (restored == NULL)
        return fail(vane, "out of memory");
    restored->arrival = (struct arrival){.vane = vane, .source = DOMID_INVALID};
    restored->started_ns = clock_ns();
    if (argc > 2) {
        status = read_config(vane, argv[1], 0, NULL, &instead);
        restored->arrival.instead = &instead;
    }
    if (status == 0)
        status = restore(restored, argv[argc > 2 ? 2 : 1], paused);
    domain_config_free(&instead);
    free(restored);
    return status;
}

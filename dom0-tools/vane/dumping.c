/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain's core file; see dumping.h.
 */
#define _GNU_SOURCE /* asprintf */
#include "dumping.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/coredump/coredump.h"
#include "outfile.h"

static int put(void *own, const void *data, size_t size)
{
    return outfile_put(own, data, size);
}

static int write_core(struct vane *vane, struct core *core, const char *path, uint64_t *bytes)
{
    struct outfile *file = malloc(sizeof(*file));
    int status;

    if (file == NULL)
        return fail(vane, "out of memory");
    status = outfile_open(file, vane, path, core->layout.end);
    if (status == 0) {
        status = core_write(vane->ctl, vane->memory, core, put, file);
        if (status != 0)
            outfile_abandon(file);
        else
            status = outfile_close(file);
    }
    *bytes = core->layout.end;
    free(file);
    return status;
}

static int dump_paused(struct vane *vane, domid_t domid, const char *path, uint64_t *bytes)
{
    struct core core;
    int status;

    if (core_collect(vane->ctl, domid, &core) != 0)
        return fail(vane, "looking at domain %u failed: %s", domid, strerror(errno));
    status = outfile_check_room(vane, path, "the core file", core.layout.end);
    if (status == 0)
        status = write_core(vane, &core, path, bytes);
    if (status == 0 && core.unreadable > 0)
        say(vane, "note: %llu pages went away meanwhile and are zeros in the file\n",
            (unsigned long long)core.unreadable);
    core_free(&core);
    return status;
}

int dump_domain(struct vane *vane, domid_t domid, const char *path, bool live, uint64_t *bytes)
{
    int status;

    if (!live && ctl_domain_pause(vane->ctl, domid) != 0)
        return fail(vane, "pausing domain %u failed: %s", domid, strerror(errno));
    status = dump_paused(vane, domid, path, bytes);
    if (!live)
        (void)ctl_domain_unpause(vane->ctl, domid);
    return status;
}

char *dump_crashed(const struct vane *vane, domid_t domid, const char *name)
{
    char error[VANE_ERROR_SIZE] = "", *path, *text;
    struct vane silent = *vane;
    uint64_t bytes;

    silent.error_text = error;
    (void)mkdir(DUMP_DIRECTORY, 0755); /* mostly it is there */
    if (asprintf(&path, DUMP_DIRECTORY "/%s-%u.core", name, domid) < 0)
        return NULL;
    if (dump_domain(&silent, domid, path, false, &bytes) == 0) {
        if (asprintf(&text, "; its core file is %s", path) < 0)
            text = NULL;
    } else if (asprintf(&text, "; there is no core file: %s", error) < 0) {
        text = NULL;
    }
    free(path);
    return text;
}

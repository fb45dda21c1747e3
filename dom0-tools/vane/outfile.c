/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Writing a file in order; see outfile.h.
 */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest-pv/libc/mounts.h"
#include "guest-pv/libc/ramfs.h"
#include "system.h"

#define TELL_NS    1000000000ull
#define BLOCK_SIZE 512u /* that st_blocks counts */

static unsigned long long mib(uint64_t bytes)
{
    return (unsigned long long)(bytes >> 20);
}

uint64_t file_bytes(const struct stat *st)
{
    return S_ISBLK(st->st_mode) ? (uint64_t)st->st_blocks * BLOCK_SIZE : (uint64_t)st->st_size;
}

static bool has_screen(const struct outfile *file)
{
    return !file->vane->json && file->vane->error_text == NULL;
}

static void end_progress(struct outfile *file)
{
    if (file->told && has_screen(file))
        terminal_write("\r\033[K", 4);
    file->told = false;
}

static const char *reason(int error)
{
    switch (error) {
    case EROFS:
        return "read-only, or not there; what can be written are files in /tmp, and disks in /dev as devices shows "
               "them";
    case EBUSY:
        return "busy: a domain has it; block-list shows the disks of each";
    default:
        return strerror(error);
    }
}

static int failed(struct outfile *file)
{
    int error = errno;

    end_progress(file);
    if (error == ENOSPC && file->is_new)
        return fail(file->vane,
                    "%s: no space left after %llu MiB: /tmp holds %llu of at most %llu MiB; rm something, or give dom0 "
                    "more memory (dom0_mem=)",
                    file->path, mib(file->written), mib(ramfs_used()), mib(ramfs_limit()));
    if (error == ENOSPC)
        return fail(file->vane, "%s ends after %llu KiB", file->path, (unsigned long long)(file->written >> 10));
    return fail(file->vane, "%s: %s", file->path, reason(error));
}

int outfile_check_room(struct vane *vane, const char *path, const char *what, uint64_t size)
{
    uint64_t room = ramfs_limit() > ramfs_used() ? ramfs_limit() - ramfs_used() : 0, needed = size + size / 256;
    struct stat st = {.st_size = 0};
    struct place place;
    bool there = stat(path, &st) == 0;

    if (there && S_ISBLK(st.st_mode) && file_bytes(&st) < size)
        return fail(vane, "%s: %s takes %llu MiB, the disk has %llu", path, what, mib(size) + 1, mib(file_bytes(&st)));
    if (place_find(path, &place) != 0 || place.mount != &ramfs)
        return 0;
    room += there ? file_bytes(&st) : 0;
    if (needed <= room)
        return 0;
    return fail(vane,
                "%s: %s takes %llu MiB, /tmp has room for %llu; name a disk (/dev/vda), or give dom0 more memory "
                "(dom0_mem=)",
                path, what, mib(needed) + 1, mib(room));
}

int outfile_open(struct outfile *file, struct vane *vane, const char *path, uint64_t expected)
{
    struct stat st;
    bool there = stat(path, &st) == 0;

    file->vane = vane;
    file->path = path;
    file->written = 0;
    file->expected = expected;
    file->buffered = file->head_size = 0;
    file->told = false;
    file->told_ns = clock_ns();
    file->is_new = !there || S_ISREG(st.st_mode);
    file->holds_old = there && file->is_new;
    file->fd = open(path, O_WRONLY | (file->is_new ? O_CREAT : 0), 0644);
    return file->fd < 0 ? failed(file) : 0;
}

/* Once a second, from the second second on. */
static int tell(struct outfile *file)
{
    char line[100];

    if (clock_ns() - file->told_ns < TELL_NS)
        return 0;
    if (file->vane->error_text == NULL && terminal_interrupted(0)) {
        end_progress(file);
        return fail(file->vane, "%s: interrupted after %llu MiB", file->path, mib(file->written));
    }
    file->told_ns = clock_ns();
    file->told = true;
    snprintf(line, sizeof(line), "\r%llu of %llu MiB\033[K", mib(file->written), mib(file->expected));
    if (has_screen(file))
        terminal_write(line, strlen(line));
    return 0;
}

/*
 * A disk begins with zeros until all that follows is on it: half of what is written now and half of what was there before
 * must not look like one whole.
 */
static void hold_head(struct outfile *file)
{
    if (file->is_new || file->written > 0 || file->head_size > 0)
        return;
    file->head_size = file->buffered < sizeof(file->head) ? file->buffered : sizeof(file->head);
    memcpy(file->head, file->buffer, file->head_size);
    memset(file->buffer, 0, file->head_size);
}

static int put_head(struct outfile *file)
{
    if (file->head_size == 0)
        return 0;
    if (fsync(file->fd) != 0 || lseek(file->fd, 0, SEEK_SET) != 0 ||
        write(file->fd, file->head, file->head_size) != (long)file->head_size)
        return failed(file);
    return 0;
}

static int flush(struct outfile *file)
{
    size_t done = 0;

    if (file->holds_old && ftruncate(file->fd, 0) != 0)
        return failed(file);
    file->holds_old = false;
    hold_head(file);
    while (done < file->buffered) {
        long put = write(file->fd, file->buffer + done, file->buffered - done);

        if (put == 0)
            errno = ENOSPC;
        if (put <= 0)
            return failed(file);
        done += (size_t)put;
        file->written += (uint64_t)put;
    }
    file->buffered = 0;
    return tell(file);
}

int outfile_put(struct outfile *file, const void *data, size_t size)
{
    const char *from = data;

    while (size > 0) {
        size_t room = sizeof(file->buffer) - file->buffered, part = size < room ? size : room;

        memcpy(file->buffer + file->buffered, from, part);
        file->buffered += part;
        from += part;
        size -= part;
        if (file->buffered == sizeof(file->buffer) && flush(file) != 0)
            return 1;
    }
    return 0;
}

int outfile_close(struct outfile *file)
{
    if (flush(file) != 0 || put_head(file) != 0 || (fsync(file->fd) != 0 && failed(file) != 0)) {
        outfile_abandon(file);
        return 1;
    }
    end_progress(file);
    (void)close(file->fd);
    return 0;
}

void outfile_abandon(struct outfile *file)
{
    (void)close(file->fd);
    if (file->is_new && !file->holds_old)
        (void)unlink(file->path);
}

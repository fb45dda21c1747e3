/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What newlib expects below it. Descriptors 0 to 2 are the console, the rest read files of the RAM disk; whatever
 * needs processes or writing answers with an honest errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>
#include <abi/sched.h>
#include <pv/console.h>
#include <pv/time.h>
#include "../core/internal.h"
#include "files.h"

#define DESCRIPTORS   64
#define FIRST_FILE_FD 3

static struct {
    const struct file *file;
    size_t offset;
} open_files[DESCRIPTORS];

int execve(const char *path, char *const argv[], char *const envp[]);

unsigned int fs_init(const void *archive, size_t size)
{
    return files_load(archive, size);
}

static int fail(int error)
{
    errno = error;
    return -1;
}

static bool is_console(int fd)
{
    return fd >= 0 && fd < FIRST_FILE_FD;
}

static bool is_open(int fd)
{
    return fd >= FIRST_FILE_FD && fd < DESCRIPTORS && open_files[fd].file != NULL;
}

int open(const char *path, int flags, ...)
{
    const struct file *file = files_find(path);

    if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0)
        return fail(EROFS);
    if (file == NULL)
        return fail(ENOENT);
    for (int fd = FIRST_FILE_FD; fd < DESCRIPTORS; fd++) {
        if (open_files[fd].file == NULL) {
            open_files[fd].file = file;
            open_files[fd].offset = 0;
            return fd;
        }
    }
    return fail(EMFILE);
}

int close(int fd)
{
    if (is_console(fd))
        return 0;
    if (!is_open(fd))
        return fail(EBADF);
    open_files[fd].file = NULL;
    return 0;
}

static _READ_WRITE_RETURN_TYPE read_console(char *buffer, size_t size)
{
    size_t count;

    if (size == 0)
        return 0;
    fflush(stdout);
    count = console_read(buffer, size, WAIT_FOREVER);
    for (size_t i = 0; i < count; i++) {
        if (buffer[i] == '\r')
            buffer[i] = '\n';
    }
    return (int)count;
}

_READ_WRITE_RETURN_TYPE read(int fd, void *buffer, size_t size)
{
    const struct file *file;
    size_t left;

    if (is_console(fd))
        return read_console(buffer, size);
    if (!is_open(fd))
        return fail(EBADF);
    file = open_files[fd].file;
    if (file->is_directory)
        return fail(EISDIR);
    left = open_files[fd].offset < file->size ? file->size - open_files[fd].offset : 0;
    if (size > left)
        size = left;
    memcpy(buffer, file->data + open_files[fd].offset, size);
    open_files[fd].offset += size;
    return (int)size;
}

_READ_WRITE_RETURN_TYPE write(int fd, const void *buffer, size_t size)
{
    if (!is_console(fd))
        return fail(is_open(fd) ? EROFS : EBADF);
    console_write(buffer, size);
    return (int)size;
}

off_t lseek(int fd, off_t offset, int whence)
{
    if (is_console(fd))
        return fail(ESPIPE);
    if (!is_open(fd))
        return fail(EBADF);
    if (whence == SEEK_CUR)
        offset += (off_t)open_files[fd].offset;
    else if (whence == SEEK_END)
        offset += (off_t)open_files[fd].file->size;
    else if (whence != SEEK_SET)
        return fail(EINVAL);
    if (offset < 0)
        return fail(EINVAL);
    open_files[fd].offset = (size_t)offset;
    return offset;
}

static void describe(const struct file *file, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_mode = (mode_t)(file->mode | (file->is_directory ? S_IFDIR : S_IFREG));
    st->st_size = (off_t)file->size;
    st->st_nlink = 1;
    st->st_blksize = 4096;
    st->st_mtime = (time_t)file->mtime;
}

int fstat(int fd, struct stat *st)
{
    if (is_console(fd)) {
        memset(st, 0, sizeof(*st));
        st->st_mode = S_IFCHR | 0666;
        return 0;
    }
    if (!is_open(fd))
        return fail(EBADF);
    describe(open_files[fd].file, st);
    return 0;
}

int stat(const char *path, struct stat *st)
{
    const struct file *file = files_find(path);

    if (file == NULL)
        return fail(ENOENT);
    describe(file, st);
    return 0;
}

int isatty(int fd)
{
    return is_console(fd) ? 1 : fail(ENOTTY);
}

int gettimeofday(struct timeval *tv, void *zone)
{
    struct timespec now;

    time_wallclock(&now);
    tv->tv_sec = now.tv_sec;
    tv->tv_usec = now.tv_nsec / 1000;
    return 0;
}

/* CLOCK_TICKS of newlib are those of CLOCKS_PER_SEC. */
clock_t times(struct tms *tms)
{
    clock_t now = (clock_t)(time_monotonic_ns() / (1000000000U / CLOCKS_PER_SEC));

    if (tms != NULL)
        *tms = (struct tms){.tms_utime = now};
    return now;
}

void _exit(int code)
{
    if (code == 0)
        pv_shutdown(SHUTDOWN_poweroff);
    pv_panic("program ended with code %d\n", code);
}

int kill(pid_t pid, int signal)
{
    if (pid != getpid())
        return fail(ESRCH);
    pv_panic("program ended by signal %d\n", signal);
}

pid_t getpid(void)
{
    return 1;
}

int fork(void)
{
    return fail(ENOSYS);
}

int wait(int *status)
{
    return fail(ECHILD);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    return fail(ENOSYS);
}

int link(const char *from, const char *to)
{
    return fail(EROFS);
}

int unlink(const char *path)
{
    return fail(EROFS);
}

int mkdir(const char *path, mode_t mode)
{
    return fail(EROFS);
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What newlib expects below it. Descriptors 0 to 2 are the console, the rest are files of the RAM disk or of a mount;
 * whatever needs processes answers with an honest errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
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
#include "mounts.h"

#define DESCRIPTORS   64
#define FIRST_FILE_FD 3

static struct open_file {
    const struct file_methods *methods; /* NULL: free */
    void *own;
    uint64_t offset;
    int flags;
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

static struct open_file *file_of(int fd)
{
    if (fd >= FIRST_FILE_FD && fd < DESCRIPTORS && open_files[fd].methods != NULL)
        return &open_files[fd];
    errno = EBADF;
    return NULL;
}

static int open_ramdisk(const char *path, int flags, struct open_file *open)
{
    const struct file *file = files_find(path);

    if (file == NULL)
        return (flags & O_CREAT) != 0 ? -EROFS : -ENOENT;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0)
        return file->is_directory ? -EISDIR : -EROFS;
    open->methods = &ramdisk_methods;
    open->own = (void *)file; /* its methods only read */
    return 0;
}

/* The descriptor is taken before the mount may wait, and filled after. */
static int open_at(struct open_file *open, const char *path, int flags, mode_t mode)
{
    struct open_file found = {.flags = flags};
    struct place place;
    int error = place_find(path, &place);

    if (error == 0 && place.mount == NULL)
        error = open_ramdisk(place.path, flags, &found);
    else if (error == 0)
        error = place.mount->open(place.path, flags, mode, &found.methods, &found.own);
    *open = found;
    if (error != 0)
        open->methods = NULL;
    return error;
}

int open(const char *path, int flags, ...)
{
    static const struct file_methods taken;
    mode_t mode = 0;
    va_list args;
    int error;

    if ((flags & O_CREAT) != 0) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    for (int fd = FIRST_FILE_FD; fd < DESCRIPTORS; fd++) {
        if (open_files[fd].methods != NULL)
            continue;
        open_files[fd].methods = &taken;
        error = open_at(&open_files[fd], path, flags, mode);
        return error == 0 ? fd : fail(-error);
    }
    return fail(EMFILE);
}

int close(int fd)
{
    struct open_file *file;

    if (is_console(fd))
        return 0;
    file = file_of(fd);
    if (file == NULL)
        return -1;
    if (file->methods->close != NULL)
        file->methods->close(file->own);
    file->methods = NULL;
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

/* A count, or errno is set. */
static int done(ssize_t result)
{
    return result < 0 ? fail((int)-result) : (int)result;
}

_READ_WRITE_RETURN_TYPE read(int fd, void *buffer, size_t size)
{
    struct open_file *file;
    ssize_t got;

    if (is_console(fd))
        return read_console(buffer, size);
    file = file_of(fd);
    if (file == NULL)
        return -1;
    if (file->methods->read == NULL || (file->flags & O_ACCMODE) == O_WRONLY)
        return fail(EBADF);
    got = file->methods->read(file->own, file->offset, buffer, size < INT_MAX ? size : INT_MAX);
    file->offset += got > 0 ? (uint64_t)got : 0;
    return done(got);
}

_READ_WRITE_RETURN_TYPE write(int fd, const void *buffer, size_t size)
{
    struct open_file *file;
    ssize_t put;

    if (is_console(fd)) {
        console_write(buffer, size);
        return (int)size;
    }
    file = file_of(fd);
    if (file == NULL)
        return -1;
    if (file->methods->write == NULL || (file->flags & O_ACCMODE) == O_RDONLY)
        return fail(EBADF);
    if ((file->flags & O_APPEND) != 0)
        file->offset = file->methods->size(file->own);
    put = file->methods->write(file->own, file->offset, buffer, size < INT_MAX ? size : INT_MAX);
    file->offset += put > 0 ? (uint64_t)put : 0;
    return done(put);
}

/* Where a file goes on; what off_t cannot say is EOVERFLOW, and reading and writing in order go beyond it. */
off_t lseek(int fd, off_t offset, int whence)
{
    struct open_file *file;
    int64_t base = 0;

    if (is_console(fd))
        return fail(ESPIPE);
    file = file_of(fd);
    if (file == NULL)
        return -1;
    if (whence == SEEK_CUR)
        base = (int64_t)file->offset;
    else if (whence == SEEK_END)
        base = (int64_t)file->methods->size(file->own);
    else if (whence != SEEK_SET)
        return fail(EINVAL);
    if (base + offset < 0)
        return fail(EINVAL);
    if (sizeof(off_t) < sizeof(base) && base + offset > INT32_MAX)
        return fail(EOVERFLOW);
    file->offset = (uint64_t)(base + offset);
    return (off_t)file->offset;
}

int ftruncate(int fd, off_t size)
{
    struct open_file *file = file_of(fd);

    if (file == NULL)
        return -1;
    if (file->methods->resize == NULL || (file->flags & O_ACCMODE) == O_RDONLY || size < 0)
        return fail(EINVAL);
    return done(file->methods->resize(file->own, (uint64_t)size));
}

int fsync(int fd)
{
    struct open_file *file;

    if (is_console(fd))
        return 0;
    file = file_of(fd);
    if (file == NULL)
        return -1;
    return file->methods->sync != NULL ? done(file->methods->sync(file->own)) : 0;
}

static void describe_any(struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_nlink = 1;
    st->st_blksize = 4096;
}

int fstat(int fd, struct stat *st)
{
    struct open_file *file;

    describe_any(st);
    if (is_console(fd)) {
        st->st_mode = S_IFCHR | 0666;
        return 0;
    }
    file = file_of(fd);
    if (file == NULL)
        return -1;
    file->methods->describe(file->own, st);
    return 0;
}

int stat(const char *path, struct stat *st)
{
    const struct file *file;
    struct place place;
    int error = place_find(path, &place);

    if (error != 0)
        return fail(-error);
    describe_any(st);
    if (place.mount != NULL)
        return done(place.mount->describe(place.path, st));
    file = files_find(place.path);
    if (file == NULL)
        return fail(ENOENT);
    ramdisk_describe(file, st);
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
    struct place place;
    int error = place_find(path, &place);

    if (error == 0 && (place.mount == NULL || place.mount->unlink == NULL))
        error = -EROFS;
    return error != 0 ? fail(-error) : done(place.mount->unlink(place.path));
}

int rmdir(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return -1;
    return S_ISDIR(st.st_mode) ? unlink(path) : fail(ENOTDIR);
}

int mkdir(const char *path, mode_t mode)
{
    struct place place;
    int error = place_find(path, &place);

    if (error == 0 && (place.mount == NULL || place.mount->make_directory == NULL))
        error = -EROFS;
    return error != 0 ? fail(-error) : done(place.mount->make_directory(place.path, mode));
}

int rename(const char *from, const char *to)
{
    struct place source, target;
    int error = place_find(from, &source);

    if (error == 0)
        error = place_find(to, &target);
    if (error != 0)
        return fail(-error);
    if (source.mount == NULL || source.mount->rename == NULL)
        return fail(EROFS);
    if (source.mount != target.mount)
        return fail(EXDEV);
    return done(source.mount->rename(source.path, target.path));
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Volumes over files outside the RAM disk, when the file system below says no: each call of the C library may fail, and
 * the guest's request must then end once, with that error, and leave neither a descriptor nor a name behind.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dom0-tools/block/volume_file.h"
#include "tests/unit/run_suite.h"

/* The next call of this kind fails with this error. */
static enum call { NONE, OPEN, READ, WRITE, SEEK, SYNC, CALLOC } failing;
static int failure;
static unsigned int short_moves;

static bool fails(enum call call)
{
    if (failing != call)
        return false;
    failing = NONE;
    errno = failure;
    return true;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    return fails(OPEN) ? -1 : __real_open(path, flags);
}

ssize_t __real_read(int fd, void *to, size_t bytes);
ssize_t __wrap_read(int fd, void *to, size_t bytes)
{
    if (short_moves && bytes > 100) {
        short_moves--;
        bytes = 100;
    }
    return fails(READ) ? -1 : __real_read(fd, to, bytes);
}

ssize_t __real_write(int fd, const void *from, size_t bytes);
ssize_t __wrap_write(int fd, const void *from, size_t bytes)
{
    if (short_moves && bytes > 100) {
        short_moves--;
        bytes = 100;
    }
    return fails(WRITE) ? -1 : __real_write(fd, from, bytes);
}

off_t __real_lseek(int fd, off_t offset, int whence);
off_t __wrap_lseek(int fd, off_t offset, int whence)
{
    return fails(SEEK) ? -1 : __real_lseek(fd, offset, whence);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd)
{
    return fails(SYNC) ? -1 : __real_fsync(fd);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails(CALLOC) ? NULL : __real_calloc(count, size);
}

static unsigned int registered;

int volume_register(struct volume *volume)
{
    registered++;
    return 0;
}

void volume_unregister(struct volume *volume)
{
    registered--;
}

static char name[] = "/tmp/blockfileXXXXXX";
static int lowest_fd, last_status, ended;

static int next_fd(void)
{
    int fd = dup(0);

    (void)close(fd);
    return fd;
}

static void setup(void)
{
    int fd = mkstemp(strcpy(name, "/tmp/blockfileXXXXXX"));

    ck_assert_int_eq(ftruncate(fd, 4096), 0);
    (void)close(fd);
    failing = NONE;
    short_moves = 0;
    lowest_fd = next_fd();
}

static void teardown(void)
{
    (void)unlink(name);
    ck_assert_int_eq(next_fd(), lowest_fd); /* no descriptor was left open */
    ck_assert_uint_eq(registered, 0);
}

static struct volume *must_open(void)
{
    struct volume *volume = volume_of_mounted(name, "disk");

    ck_assert_ptr_nonnull(volume);
    ck_assert_str_eq(volume->name, "disk");
    return volume;
}

static void close_it(struct volume *volume)
{
    volume->operations->close(volume);
}

static int refused(const char *path)
{
    errno = 0;
    ck_assert_ptr_null(volume_of_mounted(path, "disk"));
    return errno;
}

static void done(struct volume_request *request, int status)
{
    last_status = status;
    ended++;
}

static int submit(struct volume *volume, enum volume_operation operation, void *data)
{
    struct volume_segment segments[2] = {{.data = data, .bytes = 512}, {.data = (char *)data + 512, .bytes = 512}};
    struct volume_request request = {.operation = operation, .sector = 2, .segments = segments, .done = done};

    request.segment_count = operation == VOLUME_FLUSH ? 0 : 2;
    ended = 0;
    volume->operations->submit(volume, &request);
    ck_assert_int_eq(ended, 1);
    return last_status;
}

static int failed_submit(struct volume *volume, enum volume_operation operation, enum call call, int error)
{
    static char data[1024];

    failing = call;
    failure = error;
    return submit(volume, operation, data);
}

/* A full disk, a broken one: the guest hears which, and its next request is carried out as if nothing had been. */
START_TEST(errors_reach_the_guest)
{
    struct volume *volume = must_open();

    ck_assert_int_eq(failed_submit(volume, VOLUME_WRITE, WRITE, ENOSPC), -ENOSPC);
    ck_assert_int_eq(failed_submit(volume, VOLUME_READ, READ, EIO), -EIO);
    ck_assert_int_eq(failed_submit(volume, VOLUME_READ, SEEK, EOVERFLOW), -EOVERFLOW);
    ck_assert_int_eq(failed_submit(volume, VOLUME_FLUSH, SYNC, EDQUOT), -EDQUOT); /* it relies on what a flush says */
    ck_assert_int_eq(failed_submit(volume, VOLUME_FLUSH, NONE, 0), 0);
    ck_assert_int_eq(failed_submit(volume, VOLUME_WRITE, NONE, 0), 0);
    close_it(volume);
}
END_TEST

/* A call that moves less than it was asked for has not failed; the rest must follow, at the right place. */
START_TEST(short_moves_are_continued)
{
    struct volume *volume = must_open();
    char data[1024], back[1024];

    for (unsigned int i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7);
    short_moves = 5;
    ck_assert_int_eq(submit(volume, VOLUME_WRITE, data), 0);
    ck_assert_uint_eq(short_moves, 0);
    memset(back, 0, sizeof(back));
    short_moves = 5;
    ck_assert_int_eq(submit(volume, VOLUME_READ, back), 0);
    ck_assert_int_eq(memcmp(data, back, sizeof(data)), 0);
    close_it(volume);
}
END_TEST

/* What cannot be written can still be read; what cannot be opened for another reason is not tried again. */
START_TEST(a_file_that_may_only_be_read)
{
    static const int reasons[] = {EROFS, EACCES};
    char data[1024];

    for (unsigned int i = 0; i < 2; i++) {
        failing = OPEN;
        failure = reasons[i];
        struct volume *volume = must_open();
        ck_assert(volume->read_only);
        ck_assert_int_eq(submit(volume, VOLUME_READ, data), 0);
        ck_assert_int_eq(submit(volume, VOLUME_WRITE, data), -EBADF); /* even if nobody above looked */
        close_it(volume);
    }
    failing = OPEN;
    failure = EMFILE;
    ck_assert_int_eq(refused(name), EMFILE);
}
END_TEST

START_TEST(what_is_no_image)
{
    ck_assert_int_eq(refused("/dev/null"), EINVAL); /* no regular file: it has no size to keep requests within */
    ck_assert_int_eq(refused("/tmp"), EISDIR);
    failing = OPEN;
    failure = EROFS;
    ck_assert_int_eq(refused("/tmp"), EISDIR); /* also where a directory can be opened */
    failing = CALLOC;
    failure = ENOMEM;
    ck_assert_int_eq(refused(name), ENOMEM);
    ck_assert_int_eq(truncate(name, 1000), 0);
    ck_assert_int_eq(refused(name), EINVAL); /* the last sector would be a part of one */
    ck_assert_int_eq(truncate(name, 0), 0);
    ck_assert_int_eq(refused(name), EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("block_file");
    TCase *tc = tcase_create("errors");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, errors_reach_the_guest);
    tcase_add_test(tc, short_moves_are_continued);
    tcase_add_test(tc, a_file_that_may_only_be_read);
    tcase_add_test(tc, what_is_no_image);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

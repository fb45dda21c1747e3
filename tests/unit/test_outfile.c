/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files that dom0 writes in order: what is on a disk while one is written over an older one, and afterwards.
 */
#include <check.h>
#undef fail /* a macro of it, and our function */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/vane/outfile.h"
#include "dom0-tools/vane/system.h"
#include "guest-pv/libc/mounts.h"
#include "guest-pv/libc/ramfs.h"
#include "tests/unit/run_suite.h"

#define SIZE (2 * OUTFILE_BUFFER + 700)

struct mount ramfs;

uint64_t ramfs_used(void)
{
    return 0;
}

uint64_t ramfs_limit(void)
{
    return 0;
}

int place_find(const char *path, struct place *place)
{
    return -1;
}

uint64_t clock_ns(void)
{
    return 0;
}

bool terminal_interrupted(uint64_t ns)
{
    return false;
}

void terminal_write(const char *text, size_t size)
{
}

int fail(struct vane *vane, const char *format, ...)
{
    return 1;
}

static struct vane vane;
static struct outfile file;
static char path[] = "/tmp/outfile-XXXXXX", disk[SIZE], image[SIZE];

/* A file of the host stands for a disk that has an older image on it. */
static void open_disk(void)
{
    int fd = mkstemp(path);

    memset(disk, 'o', sizeof(disk));
    memset(image, 'n', sizeof(image));
    ck_assert_int_eq(write(fd, disk, sizeof(disk)), sizeof(disk));
    close(fd);
    ck_assert_int_eq(outfile_open(&file, &vane, path, SIZE), 0);
    close(file.fd);
    file.fd = open(path, O_WRONLY);
    ck_assert_int_ge(file.fd, 0);
    file.is_new = file.holds_old = false;
}

static void read_disk(void)
{
    int fd = open(path, O_RDONLY);

    memset(disk, 0, sizeof(disk));
    ck_assert_int_ge(read(fd, disk, sizeof(disk)), 0);
    close(fd);
    unlink(path);
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
}

START_TEST(test_whole)
{
    open_disk();
    ck_assert_int_eq(outfile_put(&file, image, SIZE), 0);
    ck_assert_int_eq(outfile_close(&file), 0);
    read_disk();
    ck_assert_mem_eq(disk, image, SIZE);
}
END_TEST

/* The new beginning with the old end would be read as one saved domain. */
START_TEST(test_half_has_no_beginning)
{
    static const char zeros[512];

    open_disk();
    ck_assert_int_eq(outfile_put(&file, image, OUTFILE_BUFFER), 0);
    outfile_abandon(&file);
    read_disk();
    ck_assert_mem_eq(disk, zeros, sizeof(zeros));
    ck_assert_int_eq(disk[512], 'n');
}
END_TEST

START_TEST(test_less_than_a_sector)
{
    open_disk();
    ck_assert_int_eq(outfile_put(&file, image, 100), 0);
    ck_assert_int_eq(outfile_close(&file), 0);
    read_disk();
    ck_assert_mem_eq(disk, image, 100);
}
END_TEST

/* An older file must not be lost to a command that fails before it has anything to write: a guest that does not suspend. */
START_TEST(test_older_file_stays)
{
    open_disk();
    close(file.fd);
    ck_assert_int_eq(outfile_open(&file, &vane, path, SIZE), 0);
    ck_assert_int_eq(outfile_put(&file, image, 100), 0);
    outfile_abandon(&file);
    ck_assert_int_eq(outfile_open(&file, &vane, path, SIZE), 0);
    outfile_abandon(&file);
    read_disk();
    ck_assert_int_eq(disk[0], 'o');
    ck_assert_int_eq(disk[SIZE - 1], 'o');
}
END_TEST

/* Of a longer one nothing may follow the end of what was written over it. */
START_TEST(test_older_file_is_replaced)
{
    struct stat st;

    open_disk();
    close(file.fd);
    ck_assert_int_eq(outfile_open(&file, &vane, path, SIZE), 0);
    ck_assert_int_eq(outfile_put(&file, image, 100), 0);
    ck_assert_int_eq(outfile_close(&file), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 100);
    read_disk();
    ck_assert_mem_eq(disk, image, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outfile");
    TCase *tests = tcase_create("disk");

    tcase_add_test(tests, test_whole);
    tcase_add_test(tests, test_half_has_no_beginning);
    tcase_add_test(tests, test_less_than_a_sector);
    tcase_add_test(tests, test_older_file_stays);
    tcase_add_test(tests, test_older_file_is_replaced);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

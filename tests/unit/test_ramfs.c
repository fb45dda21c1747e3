/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files in memory: what is written is read back, what is removed gives its pages back, and a full file system says so
 * without harm. Pages are counted and each is an allocation of its own, so the sanitizer sees a byte past its end.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "guest-pv/libc/mounts.h"
#include "guest-pv/libc/ramfs.h"
#include "tests/unit/run_suite.h"

static unsigned int pages_out, pages_available;

void *ramfs_page_get(void)
{
    if (pages_out == pages_available)
        return NULL;
    pages_out++;
    return calloc(1, RAMFS_PAGE);
}

void ramfs_page_put(void *page)
{
    pages_out--;
    free(page);
}

struct open_file {
    const struct file_methods *methods;
    void *own;
};

static int open_file(struct open_file *file, const char *path, int flags)
{
    return ramfs.open(path, flags, 0644, &file->methods, &file->own);
}

static struct open_file made(const char *path)
{
    struct open_file file;

    ck_assert_int_eq(open_file(&file, path, O_RDWR | O_CREAT), 0);
    return file;
}

static void put(struct open_file *file, uint64_t offset, const char *text)
{
    ck_assert_int_eq(file->methods->write(file->own, offset, text, strlen(text)), (int)strlen(text));
}

static void expect(struct open_file *file, uint64_t offset, const char *text)
{
    char buffer[64];
    size_t length = strlen(text);

    ck_assert_int_eq(file->methods->read(file->own, offset, buffer, length), (int)length);
    ck_assert(memcmp(buffer, text, length) == 0);
}

static void setup(void)
{
    pages_available = 64;
    ramfs_set_limit(64 * RAMFS_PAGE);
}

static void make_and_drop(const char *path)
{
    struct open_file file = made(path);

    file.methods->close(file.own);
}

/* Guards against pages or offsets mixed up where a write crosses a page. */
START_TEST(reads_what_was_written_across_pages)
{
    struct open_file file = made("across");
    char large[3 * RAMFS_PAGE + 17], back[sizeof(large) + 100];

    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)(i * 31 + i / 255);
    ck_assert_int_eq(file.methods->write(file.own, 100, large, sizeof(large)), (int)sizeof(large));
    ck_assert_uint_eq(file.methods->size(file.own), 100 + sizeof(large));
    memset(back, 'x', sizeof(back));
    ck_assert_int_eq(file.methods->read(file.own, 0, back, sizeof(back)), (int)sizeof(back));
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(back[i], 0);
    ck_assert(memcmp(back + 100, large, sizeof(large)) == 0);
    ck_assert_int_eq(file.methods->read(file.own, file.methods->size(file.own), back, 1), 0);
    file.methods->close(file.own);
    ck_assert_int_eq(ramfs.unlink("across"), 0);
    ck_assert_uint_eq(pages_out, 0);
}
END_TEST

/* Guards against a hole that costs memory, or shows what a page held before. */
START_TEST(holes_cost_nothing_and_read_as_zeros)
{
    struct open_file file = made("sparse");
    char zeros[8] = "unclean";

    put(&file, RAMFS_FILE_MAX - 3, "end");
    ck_assert_uint_le(pages_out, 2);
    ck_assert_int_eq(file.methods->read(file.own, 12345, zeros, 8), 8);
    ck_assert(memcmp(zeros, "\0\0\0\0\0\0\0", 8) == 0);
    ck_assert_int_eq(file.methods->write(file.own, RAMFS_FILE_MAX - 1, "ab", 2), -EFBIG);
    ck_assert_int_eq(file.methods->write(file.own, UINT64_MAX - 1, "ab", 2), -EFBIG);
    file.methods->close(file.own);
    ck_assert_int_eq(ramfs.unlink("sparse"), 0);
    ck_assert_uint_eq(pages_out, 0);
}
END_TEST

/* Guards against old bytes that come back when a file is cut and grows again. */
START_TEST(cut_and_grown_reads_as_zeros)
{
    struct open_file file = made("cut");
    char buffer[6];

    put(&file, 0, "abcdef");
    put(&file, 5 * RAMFS_PAGE, "far");
    ck_assert_int_eq(file.methods->resize(file.own, 2), 0);
    ck_assert_int_eq(file.methods->resize(file.own, 6 * RAMFS_PAGE), 0);
    ck_assert_int_eq(file.methods->read(file.own, 0, buffer, 6), 6);
    ck_assert(memcmp(buffer, "ab\0\0\0\0", 6) == 0);
    ck_assert_int_eq(file.methods->read(file.own, 5 * RAMFS_PAGE, buffer, 3), 3);
    ck_assert(memcmp(buffer, "\0\0\0", 3) == 0);
    ck_assert_int_eq(file.methods->resize(file.own, RAMFS_FILE_MAX + 1), -EFBIG);
    file.methods->close(file.own);
    ck_assert_int_eq(open_file(&file, "cut", O_WRONLY | O_TRUNC), 0);
    ck_assert_uint_eq(file.methods->size(file.own), 0);
    ck_assert_uint_eq(pages_out, 0);
    file.methods->close(file.own);
    ramfs.unlink("cut");
}
END_TEST

/* Guards against pages taken from under somebody who still reads, and against those that never come back. */
START_TEST(removed_while_open_lives_until_closed)
{
    struct open_file file = made("open"), other;

    put(&file, 0, "still here");
    ck_assert_int_eq(open_file(&other, "open", O_RDONLY), 0);
    ck_assert_int_eq(ramfs.unlink("open"), 0);
    ck_assert_int_eq(open_file(&other, "open", O_RDONLY), -ENOENT);
    expect(&file, 0, "still here");
    file.methods->close(file.own);
    expect(&file, 6, "here");
    file.methods->close(file.own);
    ck_assert_uint_eq(pages_out, 0);
}
END_TEST

/* Guards against a full file system that loses what it had, or is full for ever. */
START_TEST(full_says_so_and_recovers)
{
    struct open_file file = made("full"), small = made("small");
    char *large = calloc(100, RAMFS_PAGE);

    put(&small, 0, "kept");
    ck_assert_int_eq(file.methods->write(file.own, 0, large, 100 * RAMFS_PAGE), 61 * RAMFS_PAGE);
    ck_assert_int_eq(file.methods->write(file.own, 61 * RAMFS_PAGE, "x", 1), -ENOSPC);
    ck_assert_uint_eq(ramfs_used(), 64 * RAMFS_PAGE);
    ck_assert_uint_eq(ramfs_limit(), 64 * RAMFS_PAGE);
    expect(&small, 0, "kept");
    file.methods->resize(file.own, 0);
    put(&small, RAMFS_PAGE, "more");
    pages_available = pages_out; /* below the limit, but nothing left below us */
    ck_assert_int_eq(file.methods->write(file.own, 0, "x", 1), -ENOSPC);
    file.methods->close(file.own);
    small.methods->close(small.own);
    ramfs.unlink("full");
    ramfs.unlink("small");
    ck_assert_uint_eq(pages_out, 0);
    ck_assert_uint_eq(ramfs_used(), 0);
    free(large);
}
END_TEST

START_TEST(directories)
{
    struct open_file file;
    struct stat st;
    char name[RAMFS_NAME_MAX];

    ck_assert_int_eq(ramfs.make_directory("d", 0755), 0);
    ck_assert_int_eq(ramfs.make_directory("d", 0755), -EEXIST);
    ck_assert_int_eq(ramfs.make_directory("", 0755), -EEXIST);
    ck_assert_int_eq(ramfs.make_directory("no/d", 0755), -ENOENT);
    make_and_drop("d/f");
    ck_assert_int_eq(ramfs.make_directory("d/f/x", 0755), -ENOTDIR);
    ck_assert_int_eq(ramfs.describe("d", &st), 0);
    ck_assert(S_ISDIR(st.st_mode));
    ck_assert_int_eq(ramfs.describe("d/f/x", &st), -ENOTDIR);
    ck_assert_int_eq(open_file(&file, "d", O_RDWR), -EISDIR);
    ck_assert_int_eq(open_file(&file, "d/f", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
    ck_assert_int_eq(ramfs.unlink("d"), -ENOTEMPTY);
    ck_assert_int_eq(ramfs.unlink(""), -EBUSY);
    ck_assert_int_eq(ramfs.entry("d", 0, name, sizeof(name)), 0);
    ck_assert_str_eq(name, "f");
    ck_assert_int_eq(ramfs.entry("d", 1, name, sizeof(name)), -ENOENT);
    ck_assert_int_eq(ramfs.entry("d/f", 0, name, sizeof(name)), -ENOTDIR);
    ck_assert_int_eq(ramfs.unlink("d/f"), 0);
    ck_assert_int_eq(ramfs.unlink("d"), 0);
    ck_assert_int_eq(ramfs.entry("", 0, name, sizeof(name)), -ENOENT);
}
END_TEST

/* Guards against a name that runs over its field, and against a directory moved into itself. */
START_TEST(names_and_renames)
{
    char longest[RAMFS_NAME_MAX + 1];
    struct open_file file = made("a"), other;

    memset(longest, 'n', sizeof(longest) - 1);
    longest[RAMFS_NAME_MAX] = '\0';
    ck_assert_int_eq(open_file(&other, longest, O_CREAT | O_RDWR), -ENAMETOOLONG);
    ck_assert_int_eq(ramfs.rename("a", longest), -ENAMETOOLONG);
    longest[RAMFS_NAME_MAX - 1] = '\0';
    put(&file, 0, "moved");
    ck_assert_int_eq(ramfs.rename("a", longest), 0);
    ck_assert_int_eq(open_file(&other, "a", O_RDONLY), -ENOENT);
    other = made("b");
    put(&other, 0, "goes");
    other.methods->close(other.own);
    ck_assert_int_eq(ramfs.rename(longest, "b"), 0);
    ck_assert_int_eq(open_file(&other, "b", O_RDONLY), 0);
    expect(&other, 0, "moved");
    other.methods->close(other.own);
    file.methods->close(file.own);
    ramfs.make_directory("d", 0755);
    ramfs.make_directory("d/e", 0755);
    ck_assert_int_eq(ramfs.rename("d", "d/e/f"), -EINVAL);
    ck_assert_int_eq(ramfs.rename("d", "b"), -ENOTDIR);
    ck_assert_int_eq(ramfs.rename("b", "d"), -EISDIR);
    ck_assert_int_eq(ramfs.rename("b", "nowhere/b"), -ENOENT);
    ck_assert_int_eq(ramfs.rename("", "d/x"), -EINVAL);
    ck_assert_int_eq(ramfs.rename("b", ""), -EBUSY);
    ck_assert_int_eq(ramfs.rename("b", "b"), 0);
    ck_assert_int_eq(ramfs.rename("b", "d/e/b"), 0);
    ck_assert_int_eq(ramfs.unlink("d/e/b"), 0);
    ck_assert_int_eq(ramfs.unlink("d/e"), 0);
    ck_assert_int_eq(ramfs.unlink("d"), 0);
    ck_assert_uint_eq(pages_out, 0);
}
END_TEST

/* Random writes, cuts and reads against a plain array. */
START_TEST(agrees_with_an_array)
{
    enum { SIZE = 20 * RAMFS_PAGE };
    struct open_file file = made("model");
    char *model = calloc(1, SIZE), *buffer = malloc(SIZE);
    size_t length = 0;

    srand(7);
    for (int round = 0; round < 3000; round++) {
        size_t at = (size_t)rand() % SIZE, count = (size_t)rand() % (SIZE - at);

        if (round % 7 == 0) {
            ck_assert_int_eq(file.methods->resize(file.own, at), 0);
            if (at < length)
                memset(model + at, 0, length - at);
            length = at;
        } else if (round % 2) {
            memset(model + at, round, count);
            ck_assert_int_eq(file.methods->write(file.own, at, model + at, count), (int)count);
            length = count > 0 && at + count > length ? at + count : length;
        } else {
            size_t left = at < length ? length - at : 0;

            left = left < count ? left : count;
            ck_assert_int_eq(file.methods->read(file.own, at, buffer, count), (int)left);
            ck_assert(memcmp(buffer, model + at, left) == 0);
        }
        ck_assert_uint_eq(file.methods->size(file.own), length);
    }
    file.methods->close(file.own);
    ramfs.unlink("model");
    ck_assert_uint_eq(pages_out, 0);
    free(model);
    free(buffer);
}
END_TEST

/* Guards against /tmpfile taken for a file of /tmp, and ../ that leaves a mount by its side door. */
START_TEST(paths_lead_to_their_mount)
{
    static struct mount other = {.name = "dev"};
    struct place place;
    char longest[2 * FILES_PATH_MAX];

    mount_add(&ramfs);
    mount_add(&other);
    ck_assert_int_eq(place_find("/tmp/a/../b", &place), 0);
    ck_assert_ptr_eq(place.mount, &ramfs);
    ck_assert_str_eq(place.path, "b");
    ck_assert_int_eq(place_find("tmp", &place), 0);
    ck_assert_ptr_eq(place.mount, &ramfs);
    ck_assert_str_eq(place.path, "");
    ck_assert_int_eq(place_find("/tmpfile", &place), 0);
    ck_assert_ptr_null(place.mount);
    ck_assert_int_eq(place_find("/tmp/../dev//vda", &place), 0);
    ck_assert_ptr_eq(place.mount, &other);
    ck_assert_str_eq(place.path, "vda");
    ck_assert_int_eq(place_find("/", &place), 0);
    ck_assert_ptr_null(place.mount);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    ck_assert_int_eq(place_find(longest, &place), -ENAMETOOLONG);
    ck_assert_str_eq(mount_name(0), "tmp");
    ck_assert_str_eq(mount_name(1), "dev");
    ck_assert_ptr_null(mount_name(2));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ramfs");
    TCase *files = tcase_create("files");

    tcase_add_checked_fixture(files, setup, NULL);
    tcase_add_test(files, reads_what_was_written_across_pages);
    tcase_add_test(files, holes_cost_nothing_and_read_as_zeros);
    tcase_add_test(files, cut_and_grown_reads_as_zeros);
    tcase_add_test(files, removed_while_open_lives_until_closed);
    tcase_add_test(files, full_says_so_and_recovers);
    tcase_add_test(files, directories);
    tcase_add_test(files, names_and_renames);
    tcase_add_test(files, agrees_with_an_array);
    tcase_add_test(files, paths_lead_to_their_mount);
    suite_add_tcase(suite, files);
    return run_suite(suite);
}

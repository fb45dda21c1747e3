/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The RAM disk a guest reads its files from may be truncated or lie: whatever it holds, nothing outside it is read and
 * every file lies inside. And printing in handlers, which must never write past its buffer.
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guest-pv/core/format.h"
#include "guest-pv/libc/files.h"
#include "tests/unit/run_suite.h"

#define BLOCK 512

/* An archive in a buffer of exactly its size, so that the sanitizer sees a read behind it. */
struct archive {
    char *bytes;
    size_t size;
};

static void put_checksum(char *header)
{
    unsigned int sum = 0;

    memset(header + 148, ' ', 8);
    for (int i = 0; i < BLOCK; i++)
        sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
}

static char *add(struct archive *a, const char *name, const char *data, size_t length, char type)
{
    size_t padded = (length + BLOCK - 1) / BLOCK * BLOCK;
    char *header;

    a->bytes = realloc(a->bytes, a->size + BLOCK + padded);
    header = a->bytes + a->size;
    memset(header, 0, BLOCK + padded);
    memcpy(header, name, strlen(name) < 100 ? strlen(name) : 100);
    memcpy(header + 100, "0000644", 7);
    snprintf(header + 124, 12, "%011zo", length);
    header[156] = type;
    memcpy(header + 257, "ustar", 5);
    memcpy(header + BLOCK, data, length);
    put_checksum(header);
    a->size += BLOCK + padded;
    return header;
}

static bool inside(const struct archive *a, const struct file *file)
{
    return file->size == 0 || (file->data >= a->bytes && file->data + file->size <= a->bytes + a->size);
}

static void check_all_inside(const struct archive *a)
{
    const struct file *file;

    for (unsigned int i = 0; (file = files_at(i)) != NULL; i++)
        ck_assert_msg(inside(a, file), "%s lies outside the archive", file->path);
}

START_TEST(finds_files_and_implied_directories)
{
    struct archive a = {0};
    const struct file *file;

    add(&a, "boot/kernel", "image", 5, '0');
    add(&a, "./etc//motd", "hello\n", 6, '0');
    add(&a, "empty/", "", 0, '5');
    files_load(a.bytes, a.size);
    file = files_find("/boot/kernel");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(file->size, 5);
    ck_assert(memcmp(file->data, "image", 5) == 0);
    ck_assert_ptr_nonnull(files_find("etc/motd"));
    ck_assert_ptr_eq(files_find("/boot/../boot/./kernel"), file);
    ck_assert(files_find("boot")->is_directory);
    ck_assert(files_find("/")->is_directory);
    ck_assert(files_find("/empty")->is_directory);
    ck_assert_ptr_null(files_find("/boot/kernel/x"));
    ck_assert_ptr_null(files_find("/nothing"));
    check_all_inside(&a);
    free(a.bytes);
}
END_TEST

/* A header of type S with the entries (offset, size) given, its data behind it. */
static void add_sparse(struct archive *a, const char *name, size_t realsize, const size_t entries[4][2],
                       const char *data, size_t length)
{
    char *header = add(a, name, data, length, 'S');

    for (unsigned int i = 0; i < 4; i++) {
        snprintf(header + 386 + 24 * i, 12, "%011zo", entries[i][0]);
        snprintf(header + 398 + 24 * i, 12, "%011zo", entries[i][1]);
    }
    snprintf(header + 483, 12, "%011zo", realsize);
    put_checksum(header);
}

/* A disk image with little on it: the holes read as zeros, the data lie where they belong. */
START_TEST(fills_holes)
{
    static const size_t blank[4][2] = {{100000, 0}}, some[4][2] = {{0, 3}, {5000, 4}, {9999, 1}};
    struct archive a = {0};
    const struct file *file;

    add_sparse(&a, "blank", 100000, blank, "", 0);
    add_sparse(&a, "some", 10000, some, "onefour!", 8);
    add(&a, "behind", "x", 1, '0');
    files_load(a.bytes, a.size);
    file = files_find("blank");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(file->size, 100000);
    for (size_t i = 0; i < file->size; i++)
        ck_assert_int_eq(file->data[i], 0);
    file = files_find("some");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(file->size, 10000);
    ck_assert(memcmp(file->data, "one\0", 4) == 0);
    ck_assert(memcmp(file->data + 4999, "\0four\0", 6) == 0);
    ck_assert_int_eq(file->data[9999], '!');
    ck_assert_ptr_nonnull(files_find("behind"));
    free(a.bytes);
}
END_TEST

/* Data outside the file, more data than there are, a size beyond all memory: no such file, and nothing is touched. */
START_TEST(refuses_holes_that_lie)
{
    static const size_t outside[4][2] = {{90, 20}}, far[4][2] = {{077777777777, 1}}, more[4][2] = {{0, 50}, {60, 20}},
                        none[4][2] = {{0, 0}};
    struct archive a = {0};

    add_sparse(&a, "outside", 100, outside, "12345678901234567890", 20);
    add_sparse(&a, "far", 100, far, "1", 1);
    add_sparse(&a, "more", 100, more, "12345", 5);
    add_sparse(&a, "huge", 077777777777, none, "", 0);
    add_sparse(&a, "extended", 100, none, "", 0);
    a.bytes[a.size - BLOCK + 482] = 1;
    put_checksum(a.bytes + a.size - BLOCK);
    files_load(a.bytes, a.size);
    ck_assert_ptr_null(files_find("outside"));
    ck_assert_ptr_null(files_find("far"));
    ck_assert_ptr_null(files_find("more"));
    ck_assert_ptr_null(files_find("huge"));
    ck_assert_ptr_null(files_find("extended"));
    free(a.bytes);
}
END_TEST

START_TEST(refuses_a_size_past_the_end)
{
    struct archive a = {0};
    char *header = add(&a, "liar", "data", 4, '0');

    memcpy(header + 124, "00000100000", 11);
    put_checksum(header);
    files_load(a.bytes, a.size);
    ck_assert_ptr_null(files_find("/liar"));
    free(a.bytes);
}
END_TEST

START_TEST(stops_at_a_wrong_checksum)
{
    struct archive a = {0};
    char *header;

    add(&a, "good", "1", 1, '0');
    header = add(&a, "broken", "2", 1, '0');
    header[0] = 'X';
    files_load(a.bytes, a.size);
    ck_assert_ptr_nonnull(files_find("good"));
    ck_assert_ptr_null(files_find("Xroken"));
    free(a.bytes);
}
END_TEST

START_TEST(takes_names_without_an_end)
{
    struct archive a = {0};
    char name[101];

    memset(name, 'n', 100);
    name[100] = '\0';
    add(&a, name, "x", 1, '0');
    files_load(a.bytes, a.size);
    ck_assert_ptr_nonnull(files_find(name));
    free(a.bytes);
}
END_TEST

START_TEST(survives_every_truncation)
{
    struct archive a = {0};

    add(&a, "one", "first file", 10, '0');
    add(&a, "two", "second", 6, '0');
    for (size_t size = 0; size <= a.size; size += 7) {
        struct archive cut = {malloc(size != 0 ? size : 1), size};

        memcpy(cut.bytes, a.bytes, size);
        files_load(cut.bytes, size);
        free(cut.bytes);
    }
    free(a.bytes);
}
END_TEST

START_TEST(survives_noise)
{
    unsigned int seed = 1;

    for (int round = 0; round < 2000; round++) {
        struct archive a = {0};
        char *header = add(&a, "victim", "0123456789", 10, '0');

        for (int i = 0; i < 4; i++) {
            seed = seed * 1664525 + 1013904223;
            header[(seed >> 8) % BLOCK] = (char)(seed >> 24);
        }
        if (round % 2)
            put_checksum(header);
        files_load(a.bytes, a.size);
        free(a.bytes);
    }
}
END_TEST

START_TEST(normalises_paths_within_bounds)
{
    char out[FILES_PATH_MAX], longest[2 * FILES_PATH_MAX];

    ck_assert(files_normalise("//a/./b/../c/", out));
    ck_assert_str_eq(out, "a/c");
    ck_assert(files_normalise("../../..", out));
    ck_assert_str_eq(out, "");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    ck_assert(!files_normalise(longest, out));
}
END_TEST

static size_t print(char *out, size_t size, const char *format, ...)
{
    va_list args;
    size_t length;

    va_start(args, format);
    length = format_text(out, size, format, args);
    va_end(args);
    return length;
}

START_TEST(prints_like_printf)
{
    char text[64];

    print(text, sizeof(text), "%d %u %x %08lx %5d|%05d", -5, 7U, 0xabcU, 0x1234UL, 42, -42);
    ck_assert_str_eq(text, "-5 7 abc 00001234    42|-0042");
    print(text, sizeof(text), "%s %c %% %lld %p", (char *)NULL, 'x', -1LL, (void *)0x1000);
    ck_assert_str_eq(text, "(null) x % -1 0x1000");
}
END_TEST

START_TEST(cuts_what_does_not_fit)
{
    char *text = malloc(5);

    ck_assert_uint_eq(print(text, 5, "%s and more %d", "abcdefgh", 7), 4);
    ck_assert_str_eq(text, "abcd");
    ck_assert_uint_eq(print(text, 0, "%d", 1), 0);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guestfiles");
    TCase *files = tcase_create("files"), *format = tcase_create("format");

    tcase_add_test(files, finds_files_and_implied_directories);
    tcase_add_test(files, fills_holes);
    tcase_add_test(files, refuses_holes_that_lie);
    tcase_add_test(files, refuses_a_size_past_the_end);
    tcase_add_test(files, stops_at_a_wrong_checksum);
    tcase_add_test(files, takes_names_without_an_end);
    tcase_add_test(files, survives_every_truncation);
    tcase_add_test(files, survives_noise);
    tcase_add_test(files, normalises_paths_within_bounds);
    tcase_add_test(format, prints_like_printf);
    tcase_add_test(format, cuts_what_does_not_fit);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, format);
    return run_suite(suite);
}

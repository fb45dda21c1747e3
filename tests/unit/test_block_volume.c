/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Volumes: a request that reaches past the end, or writes where it may not, moves no byte; two writers are not let at
 * one image; and an image that was cut short is recognised by what its own contents say.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/block/image.h"
#include "dom0-tools/block/volume.h"
#include "guest-pv/libc/files.h"
#include "tests/unit/run_suite.h"

#define SECTORS 16u

static char image[SECTORS * VOLUME_SECTOR_SIZE];
static struct file files[] = {
    {.path = "images/a", .data = image, .size = sizeof(image), .mode = 0644},
    {.path = "images/ro", .data = image, .size = sizeof(image), .mode = 0444},
    {.path = "images/odd", .data = image, .size = 1000, .mode = 0644},
    {.path = "images/empty", .data = image, .size = 0, .mode = 0644},
    {.path = "images", .is_directory = true},
};

/* The files that volume.c finds, and paths as they are normalised: without their leading slash. */
bool files_normalise(const char *path, char *out)
{
    if (strlen(path) >= FILES_PATH_MAX)
        return false;
    strcpy(out, path + strspn(path, "/"));
    return true;
}

const struct file *files_find(const char *path)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (strcmp(files[i].path, path + strspn(path, "/")) == 0)
            return &files[i];
    return NULL;
}

static int last_status, ended;

static void done(struct volume_request *request, int status)
{
    last_status = status;
    ended++;
}

static int submit(struct volume *volume, enum volume_operation operation, uint64_t sector, void *data, uint32_t bytes)
{
    struct volume_segment segment = {.data = data, .bytes = bytes};
    struct volume_request request = {.operation = operation,
                                     .sector = sector,
                                     .segments = &segment,
                                     .segment_count = operation == VOLUME_FLUSH ? 0 : 1,
                                     .done = done};

    ended = 0;
    volume_submit(volume, &request);
    ck_assert_int_eq(ended, 1);
    return last_status;
}

START_TEST(reads_and_writes_in_place)
{
    struct volume *volume = volume_open("/images/a", true, false);
    char data[1024], back[1024];

    ck_assert_ptr_nonnull(volume);
    ck_assert_uint_eq(volume->sectors, SECTORS);
    memset(data, 'x', sizeof(data));
    ck_assert_int_eq(submit(volume, VOLUME_WRITE, 3, data, 1024), 0);
    ck_assert_int_eq(image[3 * 512], 'x');
    ck_assert_int_eq(image[5 * 512], 0);
    ck_assert_int_eq(submit(volume, VOLUME_READ, 3, back, 1024), 0);
    ck_assert(memcmp(data, back, 1024) == 0);
    ck_assert_int_eq(submit(volume, VOLUME_FLUSH, 0, NULL, 0), 0);
    volume_close(volume, true);
    ck_assert_ptr_null(volume_next(NULL));
}
END_TEST

START_TEST(nothing_past_the_end)
{
    struct volume *volume = volume_open("/images/a", true, false);
    char data[4096] = {0};

    ck_assert_int_eq(submit(volume, VOLUME_WRITE, SECTORS - 8, data, 4096), 0);
    ck_assert_int_eq(submit(volume, VOLUME_WRITE, SECTORS - 7, data, 4096), -EIO);
    ck_assert_int_eq(submit(volume, VOLUME_READ, SECTORS, data, 512), -EIO);
    ck_assert_int_eq(submit(volume, VOLUME_READ, UINT64_MAX, data, 512), -EIO);
    ck_assert_int_eq(submit(volume, VOLUME_READ, UINT64_MAX - 1, data, 4096), -EIO);
    ck_assert_int_eq(submit(volume, VOLUME_READ, 0, data, 0), -EINVAL);
    ck_assert_int_eq(submit(volume, VOLUME_READ, 0, data, 100), -EINVAL);
    ck_assert_int_eq(submit(volume, VOLUME_READ, 0, data, 8192), -EINVAL);
    volume_close(volume, true);
}
END_TEST

START_TEST(read_only_stays_as_it_is)
{
    struct volume *volume;
    char data[512];

    memset(data, 'y', sizeof(data));
    errno = 0;
    ck_assert_ptr_null(volume_open("/images/ro", true, false));
    ck_assert_int_eq(errno, EROFS);
    volume = volume_open("/images/ro", false, false);
    ck_assert_ptr_nonnull(volume);
    image[0] = 'k';
    ck_assert_int_eq(submit(volume, VOLUME_WRITE, 0, data, 512), -EROFS);
    ck_assert_int_eq(image[0], 'k');
    volume_close(volume, false);
}
END_TEST

START_TEST(one_writer_alone)
{
    struct volume *reader = volume_open("/images/a", false, false), *second = volume_open("/images/a", false, false);

    ck_assert_ptr_eq(reader, second);
    ck_assert_ptr_null(volume_open("/images/a", true, false));
    ck_assert_int_eq(errno, EBUSY);
    volume_close(second, false);
    volume_close(reader, false);
    second = volume_open("/images/a", true, false);
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_null(volume_open("/images/a", false, false));
    ck_assert_int_eq(errno, EBUSY);
    ck_assert_ptr_eq(volume_open("/images/a", true, true), second);
    volume_close(second, true);
    volume_close(second, true);
    ck_assert_ptr_null(volume_next(NULL));
}
END_TEST

static int reason(const char *name)
{
    errno = 0;
    ck_assert_ptr_null(volume_open(name, false, false));
    ck_assert_ptr_null(volume_next(NULL));
    return errno;
}

START_TEST(no_such_image)
{
    char longest[400];

    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    ck_assert_int_eq(reason("/images/none"), ENOENT);
    ck_assert_int_eq(reason("/images/odd"), EINVAL);
    ck_assert_int_eq(reason("/images/empty"), EINVAL);
    ck_assert_int_eq(reason("/images"), EISDIR);
    ck_assert_int_eq(reason(longest), ENAMETOOLONG);
}
END_TEST

/* A file outside the RAM disk works the same, and one that was cut while in use gives errors and no bytes. */
START_TEST(files_elsewhere)
{
    char name[] = "/tmp/volumeXXXXXX", data[1024], back[1024];
    int fd = mkstemp(name);
    struct volume *volume;

    ck_assert_int_eq(ftruncate(fd, 4096), 0);
    volume = volume_open(name, true, false);
    ck_assert_ptr_nonnull(volume);
    ck_assert_uint_eq(volume->sectors, 8);
    memset(data, 'z', sizeof(data));
    ck_assert_int_eq(submit(volume, VOLUME_WRITE, 6, data, 1024), 0);
    ck_assert_int_eq(submit(volume, VOLUME_READ, 6, back, 1024), 0);
    ck_assert(memcmp(data, back, sizeof(data)) == 0);
    ck_assert_int_eq(submit(volume, VOLUME_FLUSH, 0, NULL, 0), 0);
    ck_assert_ptr_null(volume_open(name, true, false));
    ck_assert_int_eq(ftruncate(fd, 1024), 0);
    ck_assert_int_eq(submit(volume, VOLUME_READ, 6, back, 1024), -EIO);
    volume_close(volume, true);
    ck_assert_ptr_null(volume_next(NULL));
    unlink(name);
    ck_assert_int_eq(reason(name), ENOENT);
    close(fd);
}
END_TEST

START_TEST(a_name_is_registered_once)
{
    static struct volume disk = {.name = "/dev/vda", .sectors = 4};
    static struct volume other = {.name = "/dev/vda", .sectors = 4};

    ck_assert_int_eq(volume_register(&disk), 0);
    ck_assert_int_eq(volume_register(&other), -EEXIST);
}
END_TEST

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

START_TEST(claims_of_images)
{
    uint8_t *head = calloc(1, IMAGE_HEAD_BYTES);
    const char *what;

    ck_assert_uint_eq(image_claimed_sectors(head, IMAGE_HEAD_BYTES, &what), 0);
    put32(head + 1024 + 4, 1000);
    put32(head + 1024 + 24, 2);
    head[1024 + 56] = 0x53;
    head[1024 + 57] = 0xef;
    ck_assert_uint_eq(image_claimed_sectors(head, IMAGE_HEAD_BYTES, &what), 8000);
    put32(head + 1024 + 24, 1u << 31);
    ck_assert_uint_eq(image_claimed_sectors(head, IMAGE_HEAD_BYTES, &what), 0);
    memset(head + 1024, 0, 1024);
    head[510] = 0x55;
    head[511] = 0xaa;
    head[446 + 4] = 0x83;
    put32(head + 446 + 8, 2048);
    put32(head + 446 + 12, 4096);
    ck_assert_uint_eq(image_claimed_sectors(head, IMAGE_HEAD_BYTES, &what), 6144);
    ck_assert_str_eq(what, "its partition table");
    head[446] = 0x12; /* no flag of a partition table: a boot sector's code */
    ck_assert_uint_eq(image_claimed_sectors(head, IMAGE_HEAD_BYTES, &what), 0);
    memcpy(head + 512, "EFI PART", 8);
    put32(head + 512 + 32, 99);
    ck_assert_uint_eq(image_claimed_sectors(head, IMAGE_HEAD_BYTES, &what), 100);
    memset(head + 512, 0, 8);
    memcpy(head + 32768, "\1CD001\1", 7);
    put32(head + 32768 + 80, 5);
    ck_assert_uint_eq(image_claimed_sectors(head, IMAGE_HEAD_BYTES, &what), 20);
    free(head);
}
END_TEST

/* An image of any length is looked at no further than its end. */
START_TEST(claims_of_short_images)
{
    for (size_t size = 512; size <= IMAGE_HEAD_BYTES; size += 512) {
        uint8_t *head = malloc(size);
        const char *what;

        memset(head, 0x55, size);
        head[511] = 0xaa;
        (void)image_claimed_sectors(head, size, &what);
        free(head);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("block_volume");
    TCase *volumes = tcase_create("volumes"), *images = tcase_create("images");

    tcase_add_test(volumes, reads_and_writes_in_place);
    tcase_add_test(volumes, nothing_past_the_end);
    tcase_add_test(volumes, read_only_stays_as_it_is);
    tcase_add_test(volumes, one_writer_alone);
    tcase_add_test(volumes, no_such_image);
    tcase_add_test(volumes, files_elsewhere);
    tcase_add_test(volumes, a_name_is_registered_once);
    tcase_add_test(images, claims_of_images);
    tcase_add_test(images, claims_of_short_images);
    suite_add_tcase(suite, volumes);
    suite_add_tcase(suite, images);
    return run_suite(suite);
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Packed kernels: gzip and lz4 of the building machine pack, our code unpacks, the bytes must be the same; and no damage
 * may lead outside the buffers (which the sanitizer watches).
 */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/builder/unpack.h"
#include "dom0-tools/builder/workspace.h"
#include "tests/unit/run_suite.h"

#define SIZE 300000

static uint8_t original[SIZE];

/* Text-like, with runs and repetitions, and a stretch of noise. */
static void make_original(unsigned int seed)
{
    for (size_t i = 0; i < SIZE;) {
        unsigned int kind = (unsigned int)rand_r(&seed) % 4, length = 1 + (unsigned int)rand_r(&seed) % 400;
        size_t from = i ? (size_t)rand_r(&seed) % i : 0;

        for (; length > 0 && i < SIZE; length--, i++)
            original[i] = kind == 0   ? (uint8_t)rand_r(&seed)
                          : kind == 1 ? 0
                          : kind == 2 ? original[from++]
                                      : (uint8_t)("kernel "[i % 7]);
    }
}

/* What a program of the building machine makes of the original; NULL when there is no such program. */
static uint8_t *pack(const char *command, size_t *size)
{
    char name[] = "/tmp/unpackXXXXXX", line[128];
    int file = mkstemp(name);
    uint8_t *packed = malloc(2 * SIZE);
    FILE *pipe;

    ck_assert(file >= 0 && write(file, original, SIZE) == SIZE);
    close(file);
    snprintf(line, sizeof(line), "%s < %s 2>/dev/null", command, name);
    pipe = popen(line, "r");
    *size = fread(packed, 1, 2 * SIZE, pipe);
    pclose(pipe);
    unlink(name);
    if (*size > 0)
        return packed;
    free(packed);
    return NULL;
}

static void expect_same(const uint8_t *packed, size_t size)
{
    uint8_t *copy = malloc(size), *out;
    const char *why = "";
    size_t out_size;

    memcpy(copy, packed, size);
    ck_assert(unpack_needed(copy, size));
    out = unpack(copy, size, UNPACK_LIMIT, &out_size, &why);
    ck_assert_msg(out != NULL, "%s", why);
    ck_assert_uint_eq(out_size, SIZE);
    ck_assert(memcmp(out, original, SIZE) == 0);
    workspace_put(out, out_size);
    free(copy);
}

START_TEST(gzip_round_trip)
{
    static const char *const commands[] = {"gzip -1", "gzip -6", "gzip -9"};

    for (unsigned int i = 0; i < 9; i++) {
        uint8_t *packed;
        size_t size;

        make_original(i);
        packed = pack(commands[i % 3], &size);
        ck_assert_msg(packed != NULL, "gzip is missing");
        expect_same(packed, size);
        free(packed);
    }
}
END_TEST

/* A Linux boot image as far as the header matters. */
static uint8_t *make_bzimage(const uint8_t *payload, size_t payload_size, bool add_size, size_t *size)
{
    uint32_t offset = 64, length = (uint32_t)payload_size + (add_size ? 4 : 0), unpacked = SIZE;
    uint8_t *image = calloc(1, 3 * 512 + offset + length);

    image[0x1f1] = 2;
    memcpy(image + 0x202, "HdrS", 4);
    image[0x206] = 15;
    image[0x207] = 2;
    memcpy(image + 0x248, &offset, 4);
    memcpy(image + 0x24c, &length, 4);
    memcpy(image + 3 * 512 + offset, payload, payload_size);
    if (add_size)
        memcpy(image + 3 * 512 + offset + payload_size, &unpacked, 4);
    *size = 3 * 512 + offset + length;
    return image;
}

static void boot_image_round_trip(const char *command, bool add_size)
{
    uint8_t *packed, *image;
    size_t size, image_size;

    make_original(77);
    packed = pack(command, &size);
    if (packed == NULL)
        return; /* that program is not installed here */
    image = make_bzimage(packed, size, add_size, &image_size);
    expect_same(image, image_size);
    free(image);
    free(packed);
}

START_TEST(boot_images)
{
    boot_image_round_trip("gzip -9", false);
    boot_image_round_trip("lz4 -l -9", true);
    boot_image_round_trip("lz4 -l -1", true);
}
END_TEST

/* What the packer makes of a kernel in a packing that is unknown here. */
START_TEST(lz4_alone)
{
    static const uint32_t unpacked = SIZE;
    uint8_t *packed;
    size_t size;

    make_original(78);
    packed = pack("lz4 -l -9", &size);
    if (packed == NULL)
        return;
    packed = realloc(packed, size + 4);
    memcpy(packed + size, &unpacked, 4);
    expect_same(packed, size + 4);
    free(packed);
}
END_TEST

/* LZ4's older frame by hand, so that it is tested where there is no lz4: literals, a far copy, an overlapping run. */
START_TEST(lz4_by_hand)
{
    static const uint8_t payload[] = {0x02, 0x21, 0x4c, 0x18, 14,  0, 0, 0, /* one block of 14 bytes */
                                      0x44, 'a',  'b',  'c',  'd', 4, 0,    /* abcd, then 8 from 4 back */
                                      0x1f, 'x',  1,    0,    0,            /* x, then 15 + 0 + 4 from 1 back */
                                      0x10, '!',                            /* the last literal */
                                      33,   0,    0,    0};
    uint8_t *image, *out;
    const char *why = "";
    size_t size, out_size;

    image = make_bzimage(payload, sizeof(payload), false, &size);
    out = unpack(image, size, UNPACK_LIMIT, &out_size, &why);
    ck_assert_msg(out != NULL, "%s", why);
    ck_assert_uint_eq(out_size, 33);
    ck_assert(memcmp(out, "abcdabcdabcdxxxxxxxxxxxxxxxxxxxx!", 33) == 0);
    workspace_put(out, out_size);
    free(image);
}
END_TEST

START_TEST(damage)
{
    static const char *const commands[] = {"gzip -9", "lz4 -l -9"};
    unsigned int seed = 3;

    make_original(5);
    for (unsigned int c = 0; c < 2; c++) {
        size_t size, image_size;
        uint8_t *packed = pack(commands[c], &size), *image;

        if (packed == NULL)
            continue;
        image = make_bzimage(packed, size, c == 1, &image_size);
        for (unsigned int round = 0; round < 300; round++) {
            size_t cut = rand_r(&seed) % 3 ? image_size : (size_t)rand_r(&seed) % image_size, out_size;
            uint8_t *copy = malloc(cut ? cut : 1);
            const char *why = NULL;
            void *out;

            memcpy(copy, image, cut);
            for (unsigned int i = 0; i < 3 && cut > 0; i++)
                copy[(size_t)rand_r(&seed) % (rand_r(&seed) % 2 && cut > 1700 ? 1700 : cut)] = (uint8_t)rand_r(&seed);
            out = unpack(copy, cut, 4 * SIZE, &out_size, &why);
            ck_assert(out != NULL || why != NULL);
            workspace_put(out, out_size);
            free(copy);
        }
        free(image);
        free(packed);
    }
}
END_TEST

START_TEST(what_is_not_packed)
{
    const char *why;
    size_t size;

    ck_assert(!unpack_needed("\177ELF............", 16));
    ck_assert(!unpack_needed("", 0));
    ck_assert(unpack("\x1f\x8b\x08\0\0\0\0\0", 8, UNPACK_LIMIT, &size, &why) == NULL);
    ck_assert(unpack("\xfd"
                     "7zXZ\0....................",
                     24, UNPACK_LIMIT, &size, &why) == NULL);
    ck_assert(strstr(why, "not known here") != NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unpack");
    TCase *tests = tcase_create("all");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, gzip_round_trip);
    tcase_add_test(tests, boot_images);
    tcase_add_test(tests, lz4_alone);
    tcase_add_test(tests, lz4_by_hand);
    tcase_add_test(tests, damage);
    tcase_add_test(tests, what_is_not_packed);
    return run_suite(suite);
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Disks in xl's syntax: every form of xl-disk-configuration(5) means the same disk, and what cannot be had is refused
 * with the reason and not passed over.
 */
#include <check.h>
#include <string.h>

#include "dom0-tools/config/disk.h"
#include "tests/unit/run_suite.h"

static struct disk disk;
static char why[DISK_ERROR_MAX];

static void teardown(void)
{
    disk_free(&disk);
}

static int parse(const char *spec)
{
    disk_free(&disk);
    why[0] = '\0';
    return disk_parse(spec, &disk, why);
}

/* The first block of equivalent examples of the manual page, and blanks. */
START_TEST(same_disk_in_all_forms)
{
    static const char *const forms[] = {
        "/dev/vg/guest-volume,,hda",
        "/dev/vg/guest-volume,raw,hda,rw",
        "format=raw, vdev=hda, access=rw, target=/dev/vg/guest-volume",
        "raw:/dev/vg/guest-volume,hda,w",
        "phy:/dev/vg/guest-volume,hda,w",
        "tap:aio:/dev/vg/guest-volume,hda,w",
        "vg/guest-volume,,hda,w",
        "  vdev=hda,\t/dev/vg/guest-volume",
        "/dev/vg/guest-volume,,hda,,backendtype=phy,no-discard,direct-io-safe,backend=0",
        "vdev=hda,format=,access=,target=/dev/vg/guest-volume",
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        ck_assert_msg(parse(forms[i]) == 0, "%s: %s", forms[i], why);
        ck_assert_str_eq(disk.target, "/dev/vg/guest-volume");
        ck_assert_str_eq(disk.vdev, "hda");
        ck_assert_uint_eq(disk.number, 768);
        ck_assert(!disk.read_only && !disk.cdrom && !disk.shared);
    }
}
END_TEST

START_TEST(same_cdrom_in_all_forms)
{
    static const char *const forms[] = {
        "/root/image.iso,,hdc,cdrom",
        "/root/image.iso,,hdc,,cdrom",
        "/root/image.iso,raw,hdc,devtype=cdrom",
        "format=raw, vdev=hdc, access=ro, devtype=cdrom, target=/root/image.iso",
        "raw:/root/image.iso,hdc:cdrom,ro",
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        ck_assert_msg(parse(forms[i]) == 0, "%s: %s", forms[i], why);
        ck_assert_str_eq(disk.target, "/root/image.iso");
        ck_assert_uint_eq(disk.number, 22 << 8);
        ck_assert(disk.read_only && disk.cdrom);
    }
    ck_assert_int_eq(parse(",hdc:cdrom,r"), 0);
    ck_assert_str_eq(disk.target, "");
    ck_assert(disk.cdrom);
}
END_TEST

START_TEST(access_words)
{
    ck_assert_int_eq(parse("/i,,xvda,r"), 0);
    ck_assert(disk.read_only);
    ck_assert_int_eq(parse("/i,,xvda,ro"), 0);
    ck_assert(disk.read_only);
    ck_assert_int_eq(parse("/i,,xvda,w!"), 0);
    ck_assert(!disk.read_only && disk.shared);
    ck_assert_int_eq(parse("/i,,xvda,untrusted"), 0);
    ck_assert(disk.untrusted);
}
END_TEST

/* target= takes all that follows, commas and blanks too. */
START_TEST(target_by_name_takes_the_rest)
{
    ck_assert_int_eq(parse(",,xvda,target=/images/a, b=c ,ro"), 0);
    ck_assert_str_eq(disk.target, "/images/a, b=c ,ro");
    ck_assert(!disk.read_only);
}
END_TEST

START_TEST(numbers_of_names)
{
    static const struct {
        const char *name;
        unsigned int number;
    } good[] = {
        {"xvda", 51712},
        {"xvda1", 51713},
        {"xvdb", 51728},
        {"xvdp15", 51967},
        {"xvdq", 1u << 28 | 16 << 8},
        {"xvda16", 1u << 28 | 16},
        {"xvdtq37", 1u << 28 | 536 << 8 | 37},
        {"d536p37", 1u << 28 | 536 << 8 | 37},
        {"d0", 51712},
        {"d0p0", 51712},
        {"d1p2", 51730},
        {"sda", 2048},
        {"sdb3", 2067},
        {"sdp15", 2303},
        {"hda", 768},
        {"hdb2", 834},
        {"hdc", 5632},
        {"hdd63", 5759},
        {"51712", 51712},
        {"0xca00", 51712},
    };
    static const char *const bad[] = {"",         "xvd",    "xvda256", "xvda01", "xvdA",  "sdq",    "sda16",
                                      "hde",      "hda64",  "d",       "dp1",    "d0p",   "d0p256", "vda",
                                      "xvdaaaaa", "xvda1x", "0",       "-1",     "51712x"};
    unsigned int number;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(disk_number(good[i].name, &number), "%s", good[i].name);
        ck_assert_msg(number == good[i].number, "%s: %u and not %u", good[i].name, number, good[i].number);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!disk_number(bad[i], &number), "%s", bad[i]);
}
END_TEST

START_TEST(refusals_name_the_reason)
{
    static const struct {
        const char *spec, *reason;
    } bad[] = {
        {"/i,qcow2,xvda,w", "qemu-img convert"},
        {"qcow2:/i,xvda,w", "qemu-img convert"},
        {"/i,vhd,xvda", "only raw"},
        {"/i,,vda", "names no disk"},
        {"/i", "vdev is missing"},
        {",,xvda", "target is missing"},
        {"/i,,xvda,x", "access=x is unknown"},
        {"/i,,xvda,w,extra", "one too many"},
        {"/i,,xvda,w,colour=red", "no parameter \"colour\""},
        {"/i,,xvda,vdev=xvdb", "given twice"},
        {"/i,,xvda,w,access=r", "given twice"},
        {"/i,,xvda,w,cdrom", "cannot be written"},
        {"/i,,xvda,backend=storage", "no driver domains"},
        {"/i,,xvda,script=block-nbd", "no block scripts"},
        {"nbd:/i,xvda,w", "not possible"},
        {"/i,,xvda,specification=virtio", "only xen"},
        {"/i,,xvda,backendtype=standalone", "backendtype=standalone"},
        {"/i,,xvda,devtype=floppy", "devtype=floppy"},
        {"/i,,xvda,colo-host=a", "COLO"},
        {"", "vdev is missing"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(parse(bad[i].spec) == -1, "%s was taken", bad[i].spec);
        ck_assert_msg(strstr(why, bad[i].reason) != NULL, "%s: %s", bad[i].spec, why);
    }
}
END_TEST

START_TEST(survives_noise)
{
    static const char letters[] = "=,:/ axvdrw!targetformat0";
    unsigned int seed = 1;
    char spec[40];

    for (int round = 0; round < 20000; round++) {
        size_t length = 0;

        for (; length < 30; length++) {
            seed = seed * 1664525 + 1013904223;
            spec[length] = letters[(seed >> 16) % (sizeof(letters) - 1)];
        }
        spec[(seed >> 8) % 31] = '\0';
        spec[30] = '\0';
        if (parse(spec) != 0)
            ck_assert_msg(why[0] != '\0', "%s is refused without a reason", spec);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("disk");
    TCase *tests = tcase_create("syntax");

    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, same_disk_in_all_forms);
    tcase_add_test(tests, same_cdrom_in_all_forms);
    tcase_add_test(tests, access_words);
    tcase_add_test(tests, target_by_name_takes_the_rest);
    tcase_add_test(tests, numbers_of_names);
    tcase_add_test(tests, refusals_name_the_reason);
    tcase_add_test(tests, survives_noise);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

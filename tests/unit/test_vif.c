/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The syntax of network interfaces: what xl accepts is accepted, and what is wrong is named.
 */
#include <check.h>
#include <string.h>

#include "../../dom0-tools/config/vif.h"
#include "tests/unit/run_suite.h"

/* The manual's examples, with what they mean. */
START_TEST(test_good)
{
    struct vif_config vif;
    char reason[160], mac[18];

    ck_assert_int_eq(vif_config_parse("", &vif, reason), 0);
    ck_assert(!vif.has_mac && !vif.has_id && strcmp(vif.bridge, "xenbr0") == 0 && vif.rate_bytes == 0);
    vif_config_make_mac(&vif, 0xffffffff);
    vif_mac_format(vif.mac, mac);
    ck_assert_str_eq(mac, "00:16:3e:7f:ff:ff");
    ck_assert_int_eq(vif_config_parse("mac=00:16:3E:74:3d:76,model=rtl8139,bridge=xenbr1", &vif, reason), 0);
    vif_mac_format(vif.mac, mac);
    ck_assert_str_eq(mac, "00:16:3e:74:3d:76");
    ck_assert_str_eq(vif.bridge, "xenbr1");
    vif_config_make_mac(&vif, 0);
    ck_assert_uint_eq(vif.mac[3], 0x74);
    ck_assert_int_eq(vif_config_parse(" MAC=00:16:3e:00:00:01 , untrusted,mtu=9000, devid=7,vifname=web,ip=10.0.0.1,,",
                                      &vif, reason),
                     0);
    ck_assert(vif.untrusted && vif.mtu == 9000 && vif.has_id && vif.id == 7);
    ck_assert_str_eq(vif.name, "web");
    ck_assert_str_eq(vif.ip, "10.0.0.1");
    ck_assert_int_eq(vif_config_parse("type=vif,backend=0,script=/x,trusted", &vif, reason), 0);
    ck_assert(!vif.untrusted);
}
END_TEST

static const struct {
    const char *text;
    uint64_t bytes;
    uint32_t interval;
} rates[] = {
    {"rate=10Mb/s", 62500, 50000},          {"rate=250KB/s", 12500, 50000},   {"rate=1MB/s@20ms", 20000, 20000},
    {"rate=1GB/s@1s", 1000000000, 1000000}, {"rate=8000b/s@10ms", 10, 10000}, {"rate=100B/s@500000us", 50, 500000},
};

START_TEST(test_rates)
{
    struct vif_config vif;
    char reason[160];

    ck_assert_int_eq(vif_config_parse(rates[_i].text, &vif, reason), 0);
    ck_assert_uint_eq(vif.rate_bytes, rates[_i].bytes);
    ck_assert_uint_eq(vif.rate_interval_us, rates[_i].interval);
}
END_TEST

static const char *const wrong[][2] = {
    {"mac=00:16:3e:00:00", "mac=00:16:3e:00:00"},
    {"mac=00:16:3e:00:00:01:02", "is no address"},
    {"mac=0016:3e:00:00:001", "is no address"},
    {"mac=ff:ff:ff:ff:ff:ff", "group"},
    {"mac=00:00:00:00:00:00", "zero"},
    {"rate=", "is none"},
    {"rate=10", "is none"},
    {"rate=10MB", "is none"},
    {"rate=-1MB/s", "is none"},
    {"rate=10MB/s@", "is none"},
    {"rate=10MB/s@0ms", "is none"},
    {"rate=10MB/s@61s", "is none"},
    {"rate=99999999999999999999GB/s", "is none"},
    {"rate=999GB/s@60s", "are possible"},
    {"rate=1B/s@1ms", "are possible"},
    {"mtu=0x", "mtu=0x"},
    {"mtu=65501", "65500"},
    {"devid=-1", "0 to 63"},
    {"bridge=", "wants a name"},
    {"bridge=a23456789012345678901234567890123", "at most 31"},
    {"nic", "\"nic\""},
    {"macc=1", "\"macc\""},
    {"netdev=eth0", "bridge=NAME"},
};

START_TEST(test_wrong)
{
    struct vif_config vif;
    char reason[160] = "";
    const char *wanted = wrong[_i][1];

    ck_assert_int_eq(vif_config_parse(wrong[_i][0], &vif, reason), -1);
    ck_assert_msg(strstr(reason, wanted) != NULL, "%s", reason);
}
END_TEST

/* A text of any length and with any bytes: the reason fits its place. */
START_TEST(test_long)
{
    struct vif_config vif;
    char text[1000], reason[160];

    for (unsigned int length = 1; length < sizeof(text); length++) {
        memset(text, 'x', length);
        text[length] = '\0';
        ck_assert_int_eq(vif_config_parse(text, &vif, reason), -1);
        ck_assert_uint_lt(strlen(reason), sizeof(reason));
        memcpy(text, "script=", length < 7 ? length : 7);
        (void)vif_config_parse(text, &vif, reason);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vif");
    TCase *tests = tcase_create("vif");

    tcase_add_test(tests, test_good);
    tcase_add_loop_test(tests, test_rates, 0, sizeof(rates) / sizeof(rates[0]));
    tcase_add_loop_test(tests, test_wrong, 0, sizeof(wrong) / sizeof(wrong[0]));
    tcase_add_test(tests, test_long);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

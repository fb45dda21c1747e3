/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Configurations in libxl's JSON: what goes out comes back, what Xen's tools wrote is understood, and a text that breaks a
 * rule is refused with its key and offset, or with its offset where it is no JSON at all.
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dom0-tools/config/json_tree.h"
#include "dom0-tools/config/libxl_json.h"
#include "tests/unit/run_suite.h"

static struct config_error error;

static void read_config_file(const char *text, struct domain_config *out)
{
    struct config config;

    config_init(&config);
    ck_assert_msg(config_parse(&config, "test", text, strlen(text), &error) == 0, "%s", error.text);
    ck_assert_msg(domain_config_read(&config, out, &error) == 0, "%s", error.text);
    config_free(&config);
}

static const char rich[] =
    "name = 'web-1'\nshadow = 1\n"
    "kernel = '/guests/kernel'\n"
    "extra = 'quiet path=C:\\\\x said=\"\\\\\"'\n"
    "memory = 128\nmaxmem = 256\nvcpus = 2\nmaxvcpus = 4\n"
    "cpus = ['0-1', '2', '0,3', '5']\ncpus_soft = '1'\n"
    "cpu_weight = 512\ncap = 150\n"
    "uuid = 'b1c0aa3e-6b7a-4d0e-9d43-2f3a5c6e7f80'\n"
    "on_poweroff = 'preserve'\non_reboot = 'rename-restart'\n"
    "on_crash = 'coredump-restart'\non_watchdog = 'coredump-destroy'\n"
    "max_grant_frames = 32\nmax_maptrack_frames = 0\nmax_grant_version = 1\nshadow = 1\n"
    "max_event_channels = 200\n"
    "modules = ['/a b', '/c -x']\n"
    "disk = ['/images/root.img,raw,xvda,rw', 'file:/shared.img,xvdb,w!',\n"
    "        '/dev/vda,raw,hdc:cdrom,r', ',,xvde,r,cdrom', 'untrusted,/i,raw,xvdf,ro']\n"
    "vif = ['mac=00:16:3e:01:02:03,bridge=lan,rate=1MB/s@20ms,mtu=9000,vifname=w0,ip=10.0.0.2',\n"
    "       'devid=7,untrusted,script=own']\n";

static void expect_same_devices(const struct domain_config *a, const struct domain_config *b)
{
    ck_assert_uint_eq(a->disk_count, b->disk_count);
    for (size_t i = 0; i < a->disk_count; i++) {
        ck_assert_str_eq(a->disks[i].target, b->disks[i].target);
        ck_assert_str_eq(a->disks[i].vdev, b->disks[i].vdev);
        ck_assert_uint_eq(a->disks[i].number, b->disks[i].number);
        ck_assert_int_eq(a->disks[i].read_only, b->disks[i].read_only);
        ck_assert_int_eq(a->disks[i].cdrom, b->disks[i].cdrom);
        ck_assert_int_eq(a->disks[i].shared, b->disks[i].shared);
        ck_assert_int_eq(a->disks[i].untrusted, b->disks[i].untrusted);
    }
    ck_assert_uint_eq(a->vif_count, b->vif_count);
    for (size_t i = 0; i < a->vif_count; i++) {
        const struct vif_config *left = &a->vifs[i], *right = &b->vifs[i];

        ck_assert_int_eq(left->has_mac, right->has_mac);
        ck_assert_mem_eq(left->mac, right->mac, 6);
        ck_assert_uint_eq(left->id, right->id);
        ck_assert_str_eq(left->bridge, right->bridge);
        ck_assert_str_eq(left->name, right->name);
        ck_assert_str_eq(left->script, right->script);
        ck_assert_str_eq(left->ip, right->ip);
        ck_assert_uint_eq(left->mtu, right->mtu);
        ck_assert_uint_eq(left->rate_bytes, right->rate_bytes);
        ck_assert_uint_eq(left->rate_interval_us, right->rate_interval_us);
        ck_assert_int_eq(left->untrusted, right->untrusted);
    }
}

static void expect_same(const struct domain_config *a, const struct domain_config *b)
{
    ck_assert_str_eq(a->name, b->name);
    ck_assert_str_eq(a->kernel, b->kernel);
    ck_assert_str_eq(a->command_line, b->command_line);
    ck_assert_uint_eq(a->module_count, b->module_count);
    ck_assert_int_eq(a->module_package, b->module_package);
    ck_assert_int_eq(a->shadow, b->shadow);
    for (size_t i = 0; i < a->module_count; i++)
        ck_assert_str_eq(a->modules[i], b->modules[i]);
    ck_assert_uint_eq(a->memory_kib, b->memory_kib);
    ck_assert_uint_eq(a->max_memory_kib, b->max_memory_kib);
    ck_assert_uint_eq(a->vcpus, b->vcpus);
    ck_assert_uint_eq(a->max_vcpus, b->max_vcpus);
    ck_assert_uint_eq(a->weight, b->weight);
    ck_assert_uint_eq(a->cap, b->cap);
    ck_assert_int_eq(a->has_uuid, b->has_uuid);
    ck_assert_mem_eq(a->uuid, b->uuid, 16);
    ck_assert_int_eq(a->has_hard, b->has_hard);
    ck_assert_mem_eq(&a->hard, &b->hard, sizeof(a->hard));
    ck_assert_int_eq(a->has_soft, b->has_soft);
    ck_assert_mem_eq(&a->soft, &b->soft, sizeof(a->soft));
    ck_assert_int_eq(a->on_poweroff, b->on_poweroff);
    ck_assert_int_eq(a->on_reboot, b->on_reboot);
    ck_assert_int_eq(a->on_crash, b->on_crash);
    ck_assert_int_eq(a->on_watchdog, b->on_watchdog);
    ck_assert_uint_eq(a->max_grant_frames, b->max_grant_frames);
    ck_assert_uint_eq(a->max_maptrack_frames, b->max_maptrack_frames);
    ck_assert_uint_eq(a->max_grant_version, b->max_grant_version);
    ck_assert_int_eq(a->shadow, b->shadow);
    ck_assert_int_eq(a->max_event_channels, b->max_event_channels);
    expect_same_devices(a, b);
}

/* To all CPUs is the same as none. */
static void forget_affinity(struct domain_config *config)
{
    config->has_hard = config->has_soft = false;
    memset(&config->hard, 0, sizeof(config->hard));
    memset(&config->soft, 0, sizeof(config->soft));
}

/* Guards against a setting that a domain has before it is saved and lacks when it is back. */
START_TEST(what_is_written_comes_back)
{
    static const char *const files[] = {
        rich,
        "name = 'a'\nkernel = '/k'\n",
        "name = 'a'\nkernel = '/k'\nramdisk = '/initrd'\nmaxvcpus = 32\ncpus = '1,3'\ncpus_soft = '0-7'\n",
        "name = 'a'\nkernel = '/k'\ncpus = 'all'\ncpus_soft = 'all'\nvif = ['', '', '']\n",
        "name = 'a'\nkernel = '/k'\nextra = \"two\\nlines,\\ta \\xc3\\xa9 and a \\xff\"\n",
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct domain_config before, after;
        char *text;

        read_config_file(files[i], &before);
        text = config_to_json(&before);
        ck_assert_ptr_nonnull(text);
        ck_assert_msg(config_from_json(text, &after, &error) == 0, "%s in\n%s", error.text, text);
        ck_assert_uint_eq(after.note_count, 0);
        if (i == 3)
            forget_affinity(&before);
        expect_same(&before, &after);
        ck_assert_int_eq(before.pinning != NULL, after.pinning != NULL);
        for (unsigned int j = 0; before.pinning != NULL && j < before.max_vcpus; j++)
            ck_assert_mem_eq(&before.pinning[j].hard, &after.pinning[j].hard, sizeof(struct cpu_map));
        free(text);
        domain_config_free(&before);
        domain_config_free(&after);
    }
}
END_TEST

/* What Xen 4.17's xl put into a saved domain, with settings of every kind that it has. */
static const char genuine[] =
    "{\n \"c_info\": {\"type\": \"pv\", \"name\": \"linux\", \"uuid\": \"7fb7671c-cc9f-4efd-a89a-c375faf3ed9b\",\n"
    "  \"run_hotplug_scripts\": \"True\"},\n"
    " \"b_info\": {\"max_vcpus\": 3, \"avail_vcpus\": [0, 1],\n"
    "  \"vcpu_hard_affinity\": [[0, 2], [0, 2], [0, 2]],\n"
    "  \"max_memkb\": 163840, \"target_memkb\": 114688, \"video_memkb\": 0,\n"
    "  \"sched_params\": {\"sched\": \"credit2\", \"weight\": 256, \"cap\": 0}, \"claim_mode\": \"True\",\n"
    "  \"kernel\": \"\\/guests\\/vmlinuz\", \"cmdline\": \"console=hvc0 \\\"\\u00e9\\ud83d\\ude00\\\"\", \"ramdisk\": "
    "\"/guests/initrd\",\n"
    "  \"type.pv\": {\n\n  }, \"arch_arm\": {\n  }, \"arch_x86\": {\"msr_relaxed\": \"False\"}},\n"
    " \"disks\": [{\"pdev_path\": \"/guests/disk.img\", \"vdev\": \"xvda\", \"format\": \"raw\", \"readwrite\": 1,\n"
    "   \"colo_restore_enable\": \"False\"}],\n"
    " \"nics\": [{\"devid\": 0, \"mac\": \"00:16:3e:00:00:01\", \"bridge\": \"xenbr0\", \"nictype\": \"vif\"}],\n"
    " \"vfbs\": [{\"devid\": 0}], \"pcidevs\": [], \"of_the_future\": {\"a\": [1, {}]},\n"
    " \"on_reboot\": \"restart\", \"on_crash\": \"soft_reset\", \"on_soft_reset\": \"soft_reset\"\n}\n";

/* Guards against a domain of Xen's that could not be taken over, or would lose something without a word. */
START_TEST(what_xl_wrote_is_understood)
{
    struct domain_config config;

    ck_assert_msg(config_from_json(genuine, &config, &error) == 0, "%s", error.text);
    ck_assert_str_eq(config.name, "linux");
    ck_assert_str_eq(config.kernel, "/guests/vmlinuz");
    ck_assert_str_eq(config.command_line, "console=hvc0 \"\xC3\xA9\xF0\x9F\x98\x80\"");
    ck_assert_uint_eq(config.module_count, 1);
    ck_assert_str_eq(config.modules[0], "/guests/initrd");
    ck_assert_uint_eq(config.memory_kib, 114688);
    ck_assert_uint_eq(config.max_memory_kib, 163840);
    ck_assert_uint_eq(config.vcpus, 2);
    ck_assert_uint_eq(config.max_vcpus, 3);
    ck_assert_uint_eq(config.weight, 256);
    ck_assert(config.has_hard && cpu_map_test(&config.hard, 2) && !cpu_map_test(&config.hard, 1));
    ck_assert_int_eq(config.on_poweroff, ACTION_DESTROY);
    ck_assert_int_eq(config.on_reboot, ACTION_RESTART);
    ck_assert_int_eq(config.on_crash, ACTION_DESTROY);
    ck_assert_int_eq(config.max_event_channels, 1023);
    ck_assert_uint_eq(config.disk_count, 1);
    ck_assert_int_eq(config.disks[0].read_only, false);
    ck_assert_uint_eq(config.vif_count, 1);
    ck_assert_str_eq(config.vifs[0].script, VIF_DEFAULT_SCRIPT);
    ck_assert_uint_eq(config.note_count, 3);
    ck_assert_str_eq(config.notes[0], "saved configuration: vfbs has no effect here");
    ck_assert_str_eq(config.notes[1], "saved configuration: of_the_future is not known and has no effect");
    ck_assert_ptr_nonnull(strstr(config.notes[2], "on_crash is soft_reset"));
    domain_config_free(&config);
}
END_TEST

#define C              "\"c_info\": {\"type\": \"pv\", \"name\": \"x\"}"
#define M              "\"target_memkb\": 4096, \"max_vcpus\": 2"
#define WITH(members)  "{" C ", \"b_info\": {" M "}, " members "}"
#define BUILD(members) "{" C ", \"b_info\": {" M ", " members "}}"

static const struct {
    const char *text, *words;
} bad[] = {
    {"", "no JSON at offset 0"},
    {"[]", "no JSON at offset 0: it must be an object"},
    {"{", "no JSON at offset 1: it ends too early"},
    {"{\"a\": 1} {}", "no JSON at offset 9: something follows the object"},
    {"{\"a\" 1}", "no JSON at offset"},
    {"{\"a\"}", "no JSON at offset 2: a member of an object must be"},
    {"{\"a\"}:1,", "no JSON at offset"},
    {"{1: 2}", "no JSON at offset 1: this cannot come here"},
    {"{\"a\": 1 2}", "no JSON at offset"},
    {"{\"a\": {\"b\": 1]}", "no JSON at offset"},
    {"{\"a\": [\"b\": 1]}", "no JSON at offset"},
    {"{\"a\": [1: 1]}", "no JSON at offset"},
    {"{\"a\": nul}", "no JSON at offset 6: only true, false and null are words"},
    {"{\"a\": 1x}", "no JSON at offset 6: this is not a number"},
    {"{\"a\": -}", "no JSON at offset 6: a number has digits"},
    {"{\"a\": \"\\x\"}", "no JSON at offset"},
    {"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", "it is nested too deeply"},
    {"{}", "no c_info.type"},
    {"{\"c_info\": 3}", "c_info, at offset 11 of the configuration: it must be an object"},
    {"{\"c_info\": {\"type\": \"hvm\"}}", "c_info.type, at offset 21 of the configuration: hvm guests cannot"},
    {"{\"c_info\": {\"type\": [\"pv\"]}}", "c_info.type, at offset 20 of the configuration: it must be a string"},
    {"{\"c_info\": {\"type\": \"pv\"}}", "no c_info.name"},
    {"{\"c_info\": {\"type\": \"pv\", \"name\": \"a b\"}}", "c_info.name, at offset 35"},
    {"{\"c_info\": {\"type\": \"pv\", \"name\": \"../x\"}}", "a domain's name consists of"},
    {"{\"c_info\": {\"type\": \"pv\", \"type\": \"pv\"}}",
     "c_info.type, at offset 27 of the configuration: the key is there twice"},
    {"{\"c_info\": {\"name\": \"\\u0000\"}}", "an escaped character that cannot be"},
    {"{\"c_info\": {\"name\": \"\\ud800x\"}}", "an escaped character that cannot be"},
    {"{\"c_info\": {\"uuid\": \"7fb7671c\"}}", "\"7fb7671c\" is no UUID"},
    {"{" C "}", "no b_info.target_memkb"},
    {"{" C ", \"b_info\": {\"target_memkb\": 4096}}", "no b_info.max_vcpus"},
    {BUILD("\"type.hvm\": {}"), "b_info.type.hvm, at offset 101 of the configuration: only PV guests"},
    {BUILD("\"max_memkb\": 4095"), "b_info.max_memkb (4095) is less than target_memkb (4096)"},
    {BUILD("\"max_memkb\": 0"), "0 is out of range: 1 to 17179869184"},
    {BUILD("\"max_memkb\": 99999999999999999999"), "out of range"},
    {BUILD("\"max_memkb\": 1e3"), "1e3 is not a whole number"},
    {BUILD("\"max_memkb\": \"4096\""), "it must be a number"},
    {BUILD("\"max_memkb\": 000000000000000000000000000001"), "the number has 30 digits"},
    {BUILD("\"avail_vcpus\": [0, 1, 2]"), "b_info.avail_vcpus has 3 vCPUs: max_vcpus is 2"},
    {BUILD("\"avail_vcpus\": [32]"),
     "b_info.avail_vcpus[0], at offset 105 of the configuration: 32 is out of range: 0 to 31"},
    {BUILD("\"avail_vcpus\": []"), "it must not be empty"},
    {BUILD("\"avail_vcpus\": 1"), "it must be an array"},
    {BUILD("\"vcpu_hard_affinity\": [[256]]"), "b_info.vcpu_hard_affinity[0][0], at offset"},
    {BUILD("\"event_channels\": 131072"), "out of range: 0 to 131071"},
    {BUILD("\"max_grant_version\": 3"), "out of range: 1 to 2"},
    {BUILD("\"sched_params\": {\"weight\": 0}"), "b_info.sched_params.weight, at offset"},
    {BUILD("\"ramdisk\": \"/a\", \"type.pv\": {\"ramdisk\": \"/b\"}"), "there can be a ramdisk or modules, not both"},
    {WITH("\"on_crash\": \"explode\""), "on_crash, at offset 103 of the configuration: this is no action"},
    {WITH("\"on_crash\": 3"), "it must be an action"},
    {WITH("\"disks\": {}"), "disks, at offset 99 of the configuration: it must be an array"},
    {WITH("\"disks\": [1]"), "disks[0], at offset 100 of the configuration: it must be an object"},
    {WITH("\"disks\": [{}]"), "the disk has no vdev"},
    {WITH("\"disks\": [{\"vdev\": \"xvda\"}]"), "the disk xvda has no pdev_path"},
    {WITH("\"disks\": [{\"vdev\": \"zip\"}]"),
     "disks[0].vdev, at offset 110 of the configuration: \"zip\" names no disk"},
    {WITH("\"disks\": [{\"pdev_path\": \"../x\"}]"), "\"../x\" must begin with a slash"},
    {WITH("\"disks\": [{\"format\": \"qcow2\"}]"), "qcow2 images are not possible here"},
    {WITH("\"disks\": [{\"backend_domid\": 3}]"), "there are no driver domains"},
    {WITH("\"disks\": [{\"vdev\": \"xvda\", \"is_cdrom\": 1}, {\"vdev\": \"xvda\", \"is_cdrom\": 1}]"),
     "disks[1], at offset"},
    {WITH("\"nics\": [{}, {\"devid\": 0}]"),
     "nics[1], at offset 103 of the configuration: two interfaces have devid 0"},
    {WITH("\"nics\": [{\"mac\": \"01:00:00:00:00:00\"}]"), "cannot be one interface's address"},
    {WITH("\"nics\": [{\"mtu\": 20}]"), "20 is out of range: 68 to 65500"},
    {WITH("\"nics\": [{\"bridge\": \"\"}]"), "a bridge has a name"},
    {WITH("\"nics\": [{\"bridge\": \"0123456789012345678901234567890123456789\"}]"),
     "it has 40 characters: at most 31"},
    {WITH("\"nics\": [{\"rate_bytes_per_interval\": 5}]"), "a rate has an interval"},
    {WITH("\"nics\": [{\"trusted\": \"maybe\"}]"), "it must be \"True\", \"False\" or"},
    {WITH("\"paravane\": {\"modules\": [1]}"), "paravane.modules[0], at offset"},
    {WITH("\"paravane\": {\"modules\": [\"\"]}"), "a file has a name"},
    {WITH("\"paravane\": {\"shadow\": 2}"), "paravane.shadow, at offset"},
    /* A peer's words are shown at the prompt: they do not steer its terminal. */
    {WITH("\"nics\": [{\"bridge\": \"\\u001b[2J\"}]"), "an escaped character that cannot be"},
    {WITH("\"nics\": [{\"bridge\": \"\\u009b2J\"}]"), "an escaped character that cannot be"},
    {WITH("\"nics\": [{\"bridge\": \"\\b\"}]"), "an escaped character that cannot be"},
    {WITH("\"nics\": [{\"bridge\": \"\\u0000\"}]"), "an escaped character that cannot be"},
    {WITH("\"nics\": [{\"bridge\": \"\033[2J\"}]"), "a control character"},
    {WITH("\"nics\": [{\"bridge\": \"\302\233"
          "2J\"}]"),
     "a control character"},
};

/* Guards against a configuration that gets around the limits that a user's file has, or is refused without a place. */
START_TEST(bad_ones_are_refused)
{
    struct domain_config config;

    ck_assert_msg(config_from_json(bad[_i].text, &config, &error) == -1, "%s was taken", bad[_i].text);
    ck_assert_msg(strstr(error.text, bad[_i].words) != NULL, "\"%s\" lacks \"%s\"", error.text, bad[_i].words);
    domain_config_free(&config);
}
END_TEST

static char *repeat(const char *head, const char *item, size_t count, const char *tail)
{
    char *text = malloc(strlen(head) + count * strlen(item) + strlen(tail) + 1), *at = stpcpy(text, head);

    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, item);
    strcpy(at, tail);
    return text;
}

/* Guards against a small text that takes the machine's memory or minutes to read. */
START_TEST(floods_are_bounded)
{
    char *floods[] = {
        repeat("{\"a\": [", "{},", 300000, "{}]}"),
        repeat("{\"a\": ", "[", 500000, ""),
        repeat("{", "\"k\": 1,", 15000, "\"k\": 1}"),
        repeat("{\"disks\": [", "{\"a\": [1,2,3,4,5,6,7,8,9,0]},", 2500, "{}]}"),
        repeat("{\"a\": \"", "0123456789abcdef", 65536, "\"}"),
    };

    for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        struct domain_config config;

        ck_assert_int_eq(config_from_json(floods[i], &config, &error), -1);
        domain_config_free(&config);
        free(floods[i]);
    }
}
END_TEST

/* Guards against a crash for anything that changes or cuts a good text. */
START_TEST(broken_texts_do_no_harm)
{
    char *text = strdup(genuine);
    size_t size = strlen(text);
    struct domain_config config;

    srand(3);
    for (unsigned int i = 0; i < 3000; i++) {
        size_t at = (size_t)rand() % size;
        char kept = text[at];

        text[at] = i < size ? '\0' : (char)(rand() % 255 + 1);
        if (config_from_json(text, &config, &error) != 0)
            ck_assert_str_ne(error.text, "");
        domain_config_free(&config);
        text[at] = kept;
    }
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libxl_json");
    TCase *tests = tcase_create("all");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_is_written_comes_back);
    tcase_add_test(tests, what_xl_wrote_is_understood);
    tcase_add_loop_test(tests, bad_ones_are_refused, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(tests, floods_are_bounded);
    tcase_add_test(tests, broken_texts_do_no_harm);
    return run_suite(suite);
}

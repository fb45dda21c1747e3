/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Configurations: what xl accepts is accepted, and a mistake is named with its file, line and column.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/config/domain_config.h"
#include "tests/unit/run_suite.h"

static struct config config;
static struct domain_config domain;
static struct config_error error;

static int parse(const char *text)
{
    size_t size = strlen(text);
    char *copy = malloc(size ? size : 1);
    int status;

    memcpy(copy, text, size); /* no terminating zero: the parser must stop by itself */
    config_free(&config);
    config_init(&config);
    memset(&error, 0, sizeof(error));
    status = config_parse(&config, "guest.cfg", copy, size, &error);
    free(copy);
    return status;
}

static int load(const char *text)
{
    domain_config_free(&domain);
    if (parse(text) != 0)
        return -1;
    return domain_config_read(&config, &domain, &error);
}

static const struct config_value *value_of(const char *key)
{
    const struct config_entry *entry = config_find(&config, key);

    ck_assert_msg(entry != NULL, "no %s", key);
    return entry->value;
}

static void setup(void)
{
    config_init(&config);
    memset(&domain, 0, sizeof(domain));
}

static void teardown(void)
{
    config_free(&config);
    domain_config_free(&domain);
}

START_TEST(values)
{
    ck_assert_msg(parse("# a comment\n"
                        "a = \"one\"\n"
                        "b='two # not a comment' # one\n"
                        "c = 12; d = 0x1F ;e=-3\r\n"
                        "f = [ 'x', [\"y\", 5,], # inside\n"
                        "      'z',\n"
                        "    ]\n"
                        "g = \"quote \\\" and \\x41 and \\n\"\n"
                        "h = []\n"
                        "i = \\\n 7") == 0,
                  "%s", error.text);
    ck_assert_str_eq(value_of("a")->string, "one");
    ck_assert_str_eq(value_of("b")->string, "two # not a comment");
    ck_assert_int_eq(value_of("c")->number, 12);
    ck_assert_int_eq(value_of("d")->number, 31);
    ck_assert_int_eq(value_of("e")->number, -3);
    ck_assert_uint_eq(value_of("f")->count, 3);
    ck_assert_uint_eq(value_of("f")->items[1]->count, 2);
    ck_assert_int_eq(value_of("f")->items[1]->items[1]->number, 5);
    ck_assert_str_eq(value_of("f")->items[2]->string, "z");
    ck_assert_str_eq(value_of("g")->string, "quote \" and A and \n");
    ck_assert_uint_eq(value_of("h")->count, 0);
    ck_assert_int_eq(value_of("i")->number, 7);
}
END_TEST

START_TEST(later_wins_and_plus_adds)
{
    ck_assert_msg(parse("a=1\na=2\nl=['p']\nl+=['q','r']\ns='x'\ns += 'y'\nn += 4") == 0, "%s", error.text);
    ck_assert_int_eq(value_of("a")->number, 2);
    ck_assert_uint_eq(value_of("l")->count, 3);
    ck_assert_str_eq(value_of("l")->items[2]->string, "r");
    ck_assert_str_eq(value_of("s")->string, "xy");
    ck_assert_int_eq(value_of("n")->number, 4);
}
END_TEST

static void refused(const char *text, const char *message)
{
    ck_assert_msg(parse(text) != 0, "accepted: %s", text);
    ck_assert_str_eq(error.text, message);
}

START_TEST(syntax_errors_name_the_place)
{
    refused("name \"x\"", "guest.cfg:1:6: expected '=' after name, found '\"'");
    refused("\n\nname = ", "guest.cfg:3:8: expected a string in quotes, a number or a list, but the file ends here");
    refused("name =\nmemory=3",
            "guest.cfg:1:7: expected a string in quotes, a number or a list, but the line ends here");
    refused("name = web", "guest.cfg:1:8: expected a number, found web (text needs quotes)");
    refused("a = 'x\nb = 1", "guest.cfg:1:5: this string is not closed: expected ' before the line ends");
    refused("a = \"x", "guest.cfg:1:5: this string is not closed: expected \" before the file ends");
    /* What a peer's configuration may not have, which this guest's becomes when it is migrated. */
    refused("a = \"\\x1b[2J\"", "guest.cfg:1:5: a string cannot contain a control character (here 0x1b)");
    refused("a = 'x\302\233'", "guest.cfg:1:5: a string cannot contain a control character (here 0xc2)");
    refused("l = ['a' 'b']", "guest.cfg:1:10: expected ',' or ']' after a list item, found '''");
    refused("l = ['a',\n'b'\n", "guest.cfg:1:5: this list is not closed: expected ] before the file ends");
    refused("a = 1 b = 2", "guest.cfg:1:7: expected the end of the line or ';' after a setting, found 'b'");
    refused("= 3", "guest.cfg:1:1: expected the name of a setting, found '='");
    refused("a = 99999999999999999999", "guest.cfg:1:5: the number 99999999999999999999 is too large");
    refused("a = 12k", "guest.cfg:1:5: expected a number, found 12k (text needs quotes)");
    refused("a = '\\x4'", "guest.cfg:1:8: expected two hexadecimal digits after \\x, found '4'");
    refused("a = [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "guest.cfg:1:21: lists are nested more than 16 deep");
    refused("a = 1\na += [2]", "guest.cfg:2:6: += joins two lists or two strings");
    refused("\x01", "guest.cfg:1:1: expected the name of a setting, found byte 0x01");
}
END_TEST

START_TEST(overrides)
{
    ck_assert(parse("name='a'\nmemory=64\nextra='x'") == 0);
    ck_assert_msg(config_override(&config, "memory=128", &error) == 0, "%s", error.text);
    ck_assert_msg(config_override(&config, "name=web-1", &error) == 0, "%s", error.text);
    ck_assert_msg(config_override(&config, "extra=say \"hi\" \\", &error) == 0, "%s", error.text);
    ck_assert_msg(config_override(&config, "l=['q', 2]", &error) == 0, "%s", error.text);
    ck_assert_int_eq(value_of("memory")->number, 128);
    ck_assert_str_eq(value_of("name")->string, "web-1");
    ck_assert_str_eq(value_of("extra")->string, "say \"hi\" \\");
    ck_assert_uint_eq(value_of("l")->count, 2);
    ck_assert(config_override(&config, "memory", &error) != 0);
    ck_assert_str_eq(error.text, "\"memory\" is not of the form key=value");
    ck_assert(config_override(&config, "l=['q'", &error) != 0);
    ck_assert_str_eq(error.text, "command line:1:3: this list is not closed: expected ] before the file ends");
}
END_TEST

START_TEST(domain_settings)
{
    ck_assert_msg(load("name = 'g'\nkernel='/boot/k'\nramdisk='/boot/r'\nmemory=64\nmaxmem=128\nvcpus=2\nmaxvcpus='4'\n"
                       "root='/dev/xvda'\nextra='quiet'\ncpus='0-2,^1'\ncpu_weight=512\ncap=50\n"
                       "on_crash='preserve'\nuuid='01234567-89ab-cdef-0123-456789abcdef'\ntype='pv'\n"
                       "max_event_channels=255\nvif=['bridge=x']\nvfb=['x']\ndisk=[]\n") == 0,
                  "%s", error.text);
    ck_assert_str_eq(domain.name, "g");
    ck_assert_uint_eq(domain.memory_kib, 64 * 1024);
    ck_assert_uint_eq(domain.max_memory_kib, 128 * 1024);
    ck_assert_uint_eq(domain.max_vcpus, 4);
    ck_assert_str_eq(domain.command_line, "root=/dev/xvda quiet");
    ck_assert(cpu_map_test(&domain.hard, 0) && !cpu_map_test(&domain.hard, 1) && cpu_map_test(&domain.hard, 2));
    ck_assert_uint_eq(domain.weight, 512);
    ck_assert_int_eq(domain.on_crash, ACTION_PRESERVE);
    ck_assert_int_eq(domain.on_reboot, ACTION_RESTART);
    ck_assert_int_eq(domain.on_poweroff, ACTION_DESTROY);
    ck_assert_uint_eq(domain.uuid[15], 0xef);
    ck_assert_int_eq(domain.max_event_channels, 254);
    ck_assert_uint_eq(domain.note_count, 1);
    ck_assert_str_eq(domain.notes[0], "guest.cfg:18: vfb is not supported yet and has no effect");
    ck_assert_uint_eq(domain.vif_count, 1);
    ck_assert_str_eq(domain.vifs[0].bridge, "x");
}
END_TEST

static void domain_refused(const char *text, const char *message)
{
    ck_assert_msg(load(text) != 0, "accepted: %s", text);
    ck_assert_str_eq(error.text, message);
}

START_TEST(wrong_settings)
{
    domain_refused("name='g'\nkernel='k'\nmemroy=3",
                   "guest.cfg:3:1: unknown setting \"memroy\"; did you mean \"memory\"?");
    domain_refused("zzzzzzzzzzz=3", "guest.cfg:1:1: unknown setting \"zzzzzzzzzzz\"");
    domain_refused("kernel='k'", "guest.cfg: name is missing: add name = \"...\"");
    domain_refused("name='g'", "guest.cfg: kernel is missing: add kernel = \"FILE\"");
    domain_refused("name=['g']", "guest.cfg:1:6: name must be a string, not a list");
    domain_refused("name='17'",
                   "guest.cfg:1:6: name = \"17\": a domain's name cannot be a number: it would look like a "
                   "domain id");
    domain_refused("name='a/b'",
                   "guest.cfg:1:6: name = \"a/b\": a domain's name consists of letters, digits and - _ . + :");
    domain_refused("memory='lots'", "guest.cfg:1:8: memory must be a number");
    domain_refused("memory=0", "guest.cfg:1:8: memory = 0 is out of range: 1 to 16777216 are possible");
    domain_refused("vcpus=33", "guest.cfg:1:7: vcpus = 33 is out of range: 1 to 32 are possible");
    domain_refused("name='g'\nkernel='k'\nmemory=64\nmaxmem=32",
                   "guest.cfg:4:1: maxmem (32 MiB) is less than memory (64 MiB)");
    domain_refused("on_crash='soft-reset'", "guest.cfg:1:10: on_crash = \"soft-reset\" is not possible here; "
                                            "use destroy, restart, rename-restart, preserve, "
                                            "coredump-destroy or coredump-restart");
    domain_refused("on_crash='explode'",
                   "guest.cfg:1:10: on_crash must be \"destroy\", \"restart\", \"rename-restart\", "
                   "\"preserve\", \"coredump-destroy\" or \"coredump-restart\"");
    domain_refused("type='hvm'",
                   "guest.cfg:1:6: type must be \"pv\": this hypervisor runs paravirtualized domains only");
    domain_refused("uuid='xyz'", "guest.cfg:1:6: uuid must be a UUID such as \"b1c0aa3e-6b7a-4d0e-9d43-2f3a5c6e7f80\"");
    domain_refused("cpus='3-1'", "guest.cfg:1:6: cpus = \"3-1\": a CPU range must go from a lower to a higher number");
    domain_refused("cpus='1,^1'", "guest.cfg:1:6: cpus = \"1,^1\" leaves no CPU to run on");
}
END_TEST

/* A mistake in one disk of several is named at its own place. */
START_TEST(disks_of_a_domain)
{
    ck_assert_msg(load("name='g'\nkernel='k'\ndisk=['/i/a.img,,xvda', 'vdev=xvdb, access=ro, target=/i/b.img']") == 0,
                  "%s", error.text);
    ck_assert_uint_eq(domain.disk_count, 2);
    ck_assert_uint_eq(domain.disks[1].number, 51728);
    ck_assert(domain.disks[1].read_only);
    ck_assert(load("name='g'\nkernel='k'\ndisk=['/i/a.img,,xvda',\n'/i/b.img,,d0']") != 0);
    ck_assert_str_eq(error.text, "guest.cfg:4:1: disk \"/i/b.img,,d0\": xvda is taken by /i/a.img already");
    ck_assert(load("name='g'\nkernel='k'\ndisk=['/i/a.img,qcow2,xvda']") != 0);
    ck_assert_ptr_nonnull(
        strstr(error.text, "guest.cfg:3:7: disk \"/i/a.img,qcow2,xvda\": format=qcow2 is not possible"));
    ck_assert(load("name='g'\nkernel='k'\ndisk='/i/a.img,,xvda'") != 0);
    ck_assert_ptr_nonnull(strstr(error.text, "disk must be a list"));
    ck_assert(load("name='g'\nkernel='k'\ndisk=[['/i/a.img']]") != 0);
    ck_assert_ptr_nonnull(strstr(error.text, "disk must be a list of disks"));
}
END_TEST

START_TEST(cpu_maps)
{
    struct cpu_map map;
    const char *why;
    char text[64];

    ck_assert(cpu_map_parse("0-3, 7 ,^2", &map, &why) == 0);
    cpu_map_format(&map, 16, text, sizeof(text));
    ck_assert_str_eq(text, "0-1,3,7");
    ck_assert(cpu_map_parse("all", &map, &why) == 0);
    cpu_map_format(&map, 16, text, sizeof(text));
    ck_assert_str_eq(text, "all");
    ck_assert(cpu_map_parse("256", &map, &why) != 0);
    ck_assert(cpu_map_parse("", &map, &why) != 0);
    ck_assert(cpu_map_parse("1,", &map, &why) != 0);
    ck_assert(cpu_map_parse("99999999999999999999", &map, &why) != 0);
}
END_TEST

/* No text may make the parser loop, overrun or leak. */
START_TEST(random_text)
{
    static const char alphabet[] = "ab='\"[],;#\n\\x0 1-+";
    unsigned int seed = 99;
    char text[64];

    for (unsigned int round = 0; round < 100000; round++) {
        unsigned int length = (unsigned int)rand_r(&seed) % (sizeof(text) - 1);

        for (unsigned int i = 0; i < length; i++)
            text[i] = alphabet[(unsigned int)rand_r(&seed) % (sizeof(alphabet) - 1)];
        text[length] = '\0';
        (void)load(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("all");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, values);
    tcase_add_test(tests, later_wins_and_plus_adds);
    tcase_add_test(tests, syntax_errors_name_the_place);
    tcase_add_test(tests, overrides);
    tcase_add_test(tests, domain_settings);
    tcase_add_test(tests, disks_of_a_domain);
    tcase_add_test(tests, wrong_settings);
    tcase_add_test(tests, cpu_maps);
    tcase_add_test(tests, random_text);
    return run_suite(suite);
}

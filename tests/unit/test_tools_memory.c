/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What create, save and restore do with what a user or another host wrote, with each of their allocations failing in
 * turn. Each refuses with words or does without, and (says the address sanitizer) gives back what it had and frees
 * nothing twice.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/config/libxl_json.h"
#include "dom0-tools/migration/migration.h"
#include "short_memory.h"
#include "tests/fuzz/fake_domain.h"
#include "tests/stream/sample.h"

/* All kinds of values, lists, devices and notes. */
static const char text[] =
    "name = 'web-1'\n"
    "kernel = '/guests/kernel'\n"
    "root = '/dev/xvda1 ro'\nextra = 'quiet said=\"\"'\n"
    "memory = 128\nmaxmem = 256\nvcpus = 2\nmaxvcpus = 4\n"
    "cpus = ['0-1', '2', '0,3', '5']\ncpus_soft = '1'\n"
    "uuid = 'b1c0aa3e-6b7a-4d0e-9d43-2f3a5c6e7f80'\n"
    "on_crash = 'coredump-restart'\n"
    "modules = ['/a b', '/c -x']\n"
    "disk = ['/images/root.img,raw,xvda,rw', 'file:/shared.img,xvdb,w!', ',,xvde,r,cdrom']\n"
    "vif = ['mac=00:16:3e:01:02:03,bridge=lan,rate=1MB/s@20ms', 'devid=7,untrusted,script=own']\n";

static struct config_error error;

static int parse(struct config *config)
{
    int status;

    config_init(config);
    status = config_parse(config, "test", text, strlen(text), &error);
    return status == 0 ? config_override(config, "memory=64", &error) : status;
}

static int read_text(struct domain_config *out)
{
    struct config config;
    int status = parse(&config);

    memset(out, 0, sizeof(*out));
    if (status == 0)
        status = domain_config_read(&config, out, &error);
    config_free(&config);
    return status;
}

/* Guards against a list, a disk or a value that is lost, or freed twice, when the next one cannot be had. */
START_TEST(configuration_file)
{
    unsigned int refused = 0;
    bool met = true;

    for (unsigned int number = 1; met; number++) {
        struct domain_config config;
        int status;

        error.text[0] = '\0';
        memory_fails_at(number);
        status = read_text(&config);
        met = memory_failed();
        refused += status != 0;
        ck_assert_msg((status == 0) == !met, "allocation %u: %d, %s", number, status, error.text);
        ck_assert_msg(status == 0 || strstr(error.text, "out of memory") != NULL, "allocation %u: \"%s\"", number,
                      error.text);
        domain_config_free(&config);
    }
    ck_assert_uint_gt(refused, 50);
}
END_TEST

/* Guards against half of a text that passes for all of it. */
START_TEST(configuration_to_stream)
{
    struct domain_config config;
    unsigned int refused = 0;
    char *whole, *json;
    bool met = true;

    ck_assert_int_eq(read_text(&config), 0);
    whole = config_to_json(&config);
    for (unsigned int number = 1; met; number++) {
        memory_fails_at(number);
        json = config_to_json(&config);
        met = memory_failed();
        refused += json == NULL;
        ck_assert_msg((json == NULL) == met, "allocation %u", number);
        if (json != NULL)
            ck_assert_str_eq(json, whole);
        free(json);
    }
    ck_assert_uint_gt(refused, 0);
    free(whole);
    domain_config_free(&config);
}
END_TEST

/* Guards against what was read before being lost, and against a configuration that lacks something unnoticed. */
START_TEST(configuration_from_stream)
{
    struct domain_config config;
    unsigned int refused = 0;
    char *json;
    bool met = true;

    ck_assert_int_eq(read_text(&config), 0);
    json = config_to_json(&config);
    domain_config_free(&config);
    for (unsigned int number = 1; met; number++) {
        int status;

        error.text[0] = '\0';
        memory_fails_at(number);
        status = config_from_json(json, &config, &error);
        met = memory_failed();
        refused += status != 0;
        ck_assert_msg((status == 0) == !met, "allocation %u: %d, %s", number, status, error.text);
        ck_assert_msg(status == 0 || strstr(error.text, "out of memory") != NULL, "allocation %u: \"%s\"", number,
                      error.text);
        domain_config_free(&config);
    }
    ck_assert_uint_gt(refused, 10);
    free(json);
}
END_TEST

static int restore(struct memory *memory, struct stream_error *why)
{
    struct byte_source source = memory_source(memory);
    struct migration_target target = {.domid = 1, .store_port = 5, .console_port = 6};
    struct migration_result result;
    struct stream_reader reader;
    char *json;
    int status;

    memory->at = 0;
    fake_domain_reset();
    why->text[0] = '\0';
    stream_reader_start(&reader, &source, why);
    json = stream_read_file_header(&reader);
    status = json != NULL ? stream_read_outer_begin(&reader) : -1;
    if (status == 0)
        status = migration_restore(&target, &reader, &result);
    fake_domain_check(status == 0);
    free(json);
    return status;
}

/* Guards against records kept for the end, and pages mapped, that a restore which gives up forgets. */
START_TEST(saved_domain)
{
    static const struct sample samples[] = {{8, 4, 16, 1, true, false}, {4, 4, 13, 3, true, false}};
    struct memory memory = {0};
    struct stream_error why;
    unsigned int refused = 0;
    bool met = true;

    sample_write(&memory, &samples[_i], sample_json);
    for (unsigned int number = 1; met; number++) {
        int status;

        memory_fails_at(number);
        status = restore(&memory, &why);
        met = memory_failed();
        refused += status != 0;
        ck_assert_msg((status == 0) == !met, "allocation %u: %d, %s", number, status, why.text);
        ck_assert_msg(status == 0 || strstr(why.text, "out of memory") != NULL, "allocation %u: \"%s\"", number,
                      why.text);
    }
    ck_assert_uint_gt(refused, 10);
    memory_free(&memory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools memory");
    TCase *tcase = tcase_create("memory");
    SRunner *runner;
    int failures;

    tcase_add_test(tcase, configuration_file);
    tcase_add_test(tcase, configuration_to_stream);
    tcase_add_test(tcase, configuration_from_stream);
    tcase_add_loop_test(tcase, saved_domain, 0, 2);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * create: from a configuration file and what the command line says on top of it to a running domain.
 */
#include "console.h"
#include "json.h"
#include "devices.h"
#include "making.h"
#include "vane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void show_notes(const struct vane *vane, const struct domain_config *config)
{
    for (size_t i = 0; i < config->note_count; i++)
        say(vane, "note: %s\n", config->notes[i]);
}

static void json_config(struct json *json, const struct domain_config *config)
{
    json_string(json, "name", config->name);
    json_string(json, "kernel", config->kernel);
    json_open(json, "modules", '[');
    for (size_t i = 0; i < config->module_count; i++)
        json_string(json, NULL, config->modules[i]);
    json_close(json, ']');
    json_string(json, "cmdline", config->command_line);
    json_number(json, "memory_kib", config->memory_kib);
    json_number(json, "max_memory_kib", config->max_memory_kib);
    json_number(json, "vcpus", config->vcpus);
    json_number(json, "max_vcpus", config->max_vcpus);
    json_string(json, "on_poweroff", domain_action_name(config->on_poweroff));
    json_string(json, "on_reboot", domain_action_name(config->on_reboot));
    json_string(json, "on_crash", domain_action_name(config->on_crash));
    json_open(json, "disks", '[');
    for (size_t i = 0; i < config->disk_count; i++) {
        json_open(json, NULL, '{');
        json_string(json, "vdev", config->disks[i].vdev);
        json_string(json, "target", config->disks[i].target);
        json_bool(json, "read_only", config->disks[i].read_only);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_open(json, "notes", '[');
    for (size_t i = 0; i < config->note_count; i++)
        json_string(json, NULL, config->notes[i]);
    json_close(json, ']');
}

static void say_part(const struct vane *vane, const char *name, const struct layout_part *part)
{
    if (part->pages == 0)
        return;
    say(vane, "  %-12s frames %6llu to %6llu", name, (unsigned long long)part->pfn,
        (unsigned long long)(part->pfn + part->pages - 1));
    if (part->virt != 0 || part->pfn == 0)
        say(vane, ", address 0x%llx\n", (unsigned long long)part->virt);
    else
        say(vane, ", not mapped at the start\n");
}

static void say_plan(const struct vane *vane, const struct domain_config *config, const struct build_plan *plan)
{
    const struct layout *layout = &plan->layout;

    say(vane, "%s: %s (%d-bit%s%s), %llu MiB, %u vCPUs, command line \"%s\"\n", config->name, config->kernel,
        plan->image.is_64bit ? 64 : 32, plan->image.guest_os[0] ? ", " : "", plan->image.guest_os,
        (unsigned long long)config->memory_kib / 1024, config->vcpus, config->command_line);
    say(vane, "  entry 0x%llx, mapped from 0x%llx to 0x%llx\n", (unsigned long long)plan->image.entry,
        (unsigned long long)layout->main.virt, (unsigned long long)layout->main.virt_end);
    say_part(vane, "kernel", &layout->kernel);
    say_part(vane, "modules", &layout->module);
    say_part(vane, "P2M list", &layout->p2m);
    say_part(vane, "start_info", &layout->start_info);
    say_part(vane, "xenstore", &layout->xenstore);
    say_part(vane, "console", &layout->console);
    say_part(vane, "page tables", &layout->page_tables);
    say_part(vane, "boot stack", &layout->boot_stack);
    for (size_t i = 0; i < config->disk_count; i++)
        say(vane, "  disk %-7s %s, %s\n", config->disks[i].vdev, config->disks[i].target,
            config->disks[i].read_only ? "read-only" : "writable");
    say(vane, "Nothing was created (dry run).\n");
}

static int dry_run(struct vane *vane, const struct domain_config *config)
{
    struct build_plan *plan = malloc(sizeof(*plan));
    struct build_error error;
    struct json json;
    domid_t owner;
    int status;

    if (plan == NULL)
        return fail(vane, "out of memory");
    status = plan_domain(vane, config, plan, &error);
    if (status == 0 && domain_name_taken(vane, config->name, &owner))
        status = build_fail(&error, "the name \"%s\" is taken by domain %u", config->name, owner);
    if (status != 0) {
        free(plan);
        return fail(vane, "%s", error.text);
    }
    show_notes(vane, config);
    warn_of_duplicates(vane, config);
    say_plan(vane, config, plan);
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_bool(&json, "dry_run", true);
    json_config(&json, config);
    json_number(&json, "width", plan->image.is_64bit ? 64 : 32);
    json_number(&json, "pages_used", plan->layout.used_pages);
    json_close(&json, '}');
    json_end(&json);
    free(plan);
    return 0;
}

static void report(struct vane *vane, const struct domain_record *record, bool paused, uint64_t took_ns)
{
    struct json json;

    show_notes(vane, &record->config);
    say(vane, "Domain %u (%s) %s.\n", record->domid, record->config.name,
        paused ? "is created and paused; unpause starts it" : "is running");
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_number(&json, "domid", record->domid);
    json_config(&json, &record->config);
    json_bool(&json, "paused", paused);
    json_number(&json, "took_ns", took_ns);
    json_close(&json, '}');
    json_end(&json);
}

int cmd_create(struct vane *vane, int argc, char **argv)
{
    bool attach = option(&argc, argv, "-c", "--console"), paused = option(&argc, argv, "-p", "--paused");
    bool dry = option(&argc, argv, "-n", "--dry-run") || option(&argc, argv, "-n", "--dryrun");
    const char *file = option_value(&argc, argv, "-f", "--defconfig");
    uint64_t start = clock_ns();
    struct domain_record *record;
    struct domain_config config;
    struct build_error error;
    domid_t domid;
    bool named;
    int status;

    if (file != NULL) {
        for (int i = argc; i > 0; i--) /* there is room: the option and its value were taken out */
            argv[i + 1] = argv[i];
        argv[1] = (char *)file;
        argc++;
    }
    if (check_arguments(vane, argc, argv, 1, 64) != 0)
        return 1;
    named = strchr(argv[1], '=') == NULL; /* the file; it need not be there */
    if (read_config(vane, named ? argv[1] : NULL, argc - 1 - named, argv + 1 + named, &config) != 0)
        return 1;
    if (dry) {
        status = dry_run(vane, &config);
        domain_config_free(&config);
        return status;
    }
    /* With -c nothing is missed either way; starting after the console is attached shows it as it happens. */
    warn_of_duplicates(vane, &config);
    record = create_domain(vane, &config, true, &error);
    if (record == NULL) {
        domain_config_free(&config);
        return fail(vane, "%s", error.text);
    }
    domid = record->domid;
    report(vane, record, paused, clock_ns() - start);
    if (!paused && ctl_domain_unpause(vane->ctl, domid) != 0)
        return fail(vane, "starting domain %u failed: %s", domid, strerror(errno));
    return attach && !vane->json ? console_session(vane, domid) : 0;
}

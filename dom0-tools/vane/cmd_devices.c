/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * devices: the machine's disks, network cards and links, as dom0 drives them.
 */
#include "json.h"
#include "vane.h"

#include <stdio.h>
#include <string.h>

#include "dom0-tools/machine/machine.h"

static bool is_disk(const struct machine_device *device)
{
    return strcmp(device->kind, "disk") == 0;
}

static bool is_card(const struct machine_device *device)
{
    return strcmp(device->kind, "network card") == 0;
}

static void print_address(const struct machine_device *device, char *text, size_t size)
{
    const uint8_t *a = device->address;

    snprintf(text, size, "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void describe(const struct machine_device *device, char *text, size_t size)
{
    char address[18];

    if (device->problem[0] != '\0') {
        snprintf(text, size, "not used: %s", device->problem);
    } else if (is_disk(device)) {
        snprintf(text, size, "%llu MiB%s", (unsigned long long)device->sectors / 2048,
                 device->read_only ? ", read-only" : "");
    } else if (is_card(device)) {
        print_address(device, address, sizeof(address));
        snprintf(text, size, "%s, link %s", address, device->link ? "up" : "down");
    } else if (strcmp(device->kind, "link") == 0) {
        snprintf(text, size, "link to another machine, %s", device->link ? "up" : "down");
    } else {
        snprintf(text, size, "serial ports");
    }
}

static void print_json(struct json *json, const struct machine_device *device)
{
    char where[16], address[18];

    json_open(json, NULL, '{');
    json_string(json, "name", device->name);
    json_string(json, "kind", device->kind);
    snprintf(where, sizeof(where), "%02x:%02x.%u", device->pci.bus, device->pci.slot, device->pci.function);
    json_string(json, "pci", where);
    if (device->problem[0] != '\0')
        json_string(json, "problem", device->problem);
    if (is_disk(device)) {
        json_number(json, "sectors", device->sectors);
        json_bool(json, "read_only", device->read_only);
        json_number(json, "flushes", device->flushes);
    } else {
        if (is_card(device)) {
            print_address(device, address, sizeof(address));
            json_string(json, "address", address);
        }
        json_bool(json, "link", device->link);
        json_number(json, "drops", device->drops);
    }
    json_number(json, "in_requests", device->in_requests);
    json_number(json, "in_bytes", device->in_bytes);
    json_number(json, "out_requests", device->out_requests);
    json_number(json, "out_bytes", device->out_bytes);
    json_number(json, "errors", device->errors);
    json_number(json, "notifications", device->notifications);
    json_number(json, "interrupts", device->interrupts);
    json_close(json, '}');
}

static void print_line(struct vane *vane, const struct machine_device *device)
{
    char text[200];

    describe(device, text, sizeof(text));
    say(vane, "%-10s %02x:%02x.%u  %10llu %12llu %10llu %12llu %6llu  %s\n", device->name, device->pci.bus,
        device->pci.slot, device->pci.function, (unsigned long long)device->in_requests,
        (unsigned long long)device->in_bytes / 1024, (unsigned long long)device->out_requests,
        (unsigned long long)device->out_bytes / 1024, (unsigned long long)(device->errors + device->drops), text);
}

int cmd_devices(struct vane *vane, int argc, char **argv)
{
    const struct machine_device *device = machine_next(NULL);
    struct json json;

    if (check_arguments(vane, argc, argv, 0, 0) != 0)
        return 1;
    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    if (device == NULL)
        say(vane, "The machine has no disk, no network card and no link that could be used.\n");
    else
        say(vane, "%-10s %-7s  %10s %12s %10s %12s %6s  %s\n", "Name", "PCI", "In", "In KiB", "Out", "Out KiB",
            "Errors", "What it is");
    for (; device != NULL; device = machine_next(device)) {
        print_line(vane, device);
        print_json(&json, device);
    }
    json_close(&json, ']');
    json_end(&json);
    return 0;
}

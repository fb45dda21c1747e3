/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * network-attach, network-detach, network-list and network-switch. What is attached or detached belongs to the domain's
 * configuration from then on: it is there, or gone, after a reboot too.
 */
#include <stdlib.h>
#include <string.h>

#include "devices.h"
#include "dom0-tools/devices/attach.h"
#include "dom0-tools/network/switch.h"
#include "json.h"

#define KIND        "vif"
#define SECOND_NS   1000000000ull
#define SPEC_LENGTH 256

static void remember(domid_t domid, const struct vif_config *vif, struct vane *vane)
{
    struct domain_record *record = record_find(domid);
    struct vif_config *more;

    if (record == NULL)
        return;
    more = realloc(record->config.vifs, (record->config.vif_count + 1) * sizeof(*more));
    if (more == NULL) {
        say(vane, "note: out of memory; after a reboot of the domain the interface will be missing\n");
        return;
    }
    record->config.vifs = more;
    more[record->config.vif_count] = *vif;
    more[record->config.vif_count++].has_id = true;
}

static void forget(domid_t domid, unsigned int id)
{
    struct domain_record *record = record_find(domid);
    struct domain_config *config = record != NULL ? &record->config : NULL;

    for (size_t i = 0; config != NULL && i < config->vif_count; i++) {
        if (config->vifs[i].id != id)
            continue;
        config->vif_count--;
        memmove(&config->vifs[i], &config->vifs[i + 1], (config->vif_count - i) * sizeof(config->vifs[0]));
        return;
    }
}

/* xl takes the specification in several words, which count as if commas stood between them. */
static int join_words(struct vane *vane, int argc, char **argv, char spec[SPEC_LENGTH])
{
    spec[0] = '\0';
    for (int i = 0; i < argc; i++) {
        if (strlen(spec) + strlen(argv[i]) + 2 > SPEC_LENGTH)
            return fail(vane, "the specification is too long: at most %d characters are possible", SPEC_LENGTH - 1);
        if (i > 0)
            strcat(spec, ",");
        strcat(spec, argv[i]);
    }
    return 0;
}

/* The lowest number that the domain does not use. */
static unsigned int free_id(struct vane *vane, domid_t domid)
{
    struct device_name name = {.domid = domid, .kind = KIND};

    while (name.id <= VIF_ID_MAX && device_exists(vane->xs, &name))
        name.id++;
    return name.id;
}

static int attach(struct vane *vane, domid_t domid, struct vif_config *vif)
{
    struct domain_config config = {.vifs = vif, .vif_count = 1};
    struct build_error error;
    struct json json;
    char mac[18];

    warn_of_duplicates(vane, &config);
    give_addresses(&config);
    if (attach_vif(vane, domid, vif, &error) != 0)
        return fail(vane, "%s", error.text);
    remember(domid, vif, vane);
    vif_mac_format(vif->mac, mac);
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_number(&json, "devid", vif->id);
    json_string(&json, "mac", mac);
    json_close(&json, '}');
    json_end(&json);
    return 0;
}

int cmd_network_attach(struct vane *vane, int argc, char **argv)
{
    bool dry = option(&argc, argv, "-n", "--dry-run");
    struct xen_domctl_getdomaininfo info;
    char spec[SPEC_LENGTH], reason[160];
    struct vif_config vif;

    if (check_arguments(vane, argc, argv, 1, 16) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    if (info.domain == 0)
        return fail(vane, "domain 0 has the switch and takes no interface");
    if (info.flags & XEN_DOMINF_dying)
        return fail(vane, "domain %u is being destroyed", info.domain);
    if (join_words(vane, argc - 2, argv + 2, spec) != 0)
        return 1;
    if (vif_config_parse(spec, &vif, reason) != 0)
        return fail(vane, "interface \"%s\": %s", spec, reason);
    if (!vif.has_id)
        vif.id = free_id(vane, info.domain);
    if (vif.id > VIF_ID_MAX)
        return fail(vane, "domain %u has %u interfaces already: more are not possible", info.domain, VIF_ID_MAX + 1);
    if (!dry)
        return attach(vane, info.domain, &vif);
    json_ok(vane);
    return 0;
}

/* An interface by its number or its address. */
static bool find_vif(struct vane *vane, domid_t domid, const char *text, unsigned int *id)
{
    unsigned int count, *ids = devices_list(vane->xs, domid, KIND, &count);
    bool by_mac, found = false;
    uint8_t wanted[6], mac[6];
    uint64_t number;

    by_mac = vif_mac_parse(text, wanted);
    for (unsigned int i = 0; i < count && !found; i++) {
        struct device_name name = {.domid = domid, .kind = KIND, .id = ids[i]};
        char *value = device_read(vane->xs, &name, false, "mac");

        found = by_mac ? value != NULL && vif_mac_parse(value, mac) && memcmp(mac, wanted, sizeof(mac)) == 0
                       : parse_unsigned(text, &number) && number == ids[i];
        *id = ids[i];
        free(value);
    }
    free(ids);
    return found;
}

int cmd_network_detach(struct vane *vane, int argc, char **argv)
{
    bool force = option(&argc, argv, "-f", "--force");
    struct xen_domctl_getdomaininfo info;
    struct device_name name = {.kind = KIND};
    char reason[DEVICE_REASON_SIZE];

    if (check_arguments(vane, argc, argv, 2, 2) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    name.domid = info.domain;
    if (!find_vif(vane, info.domain, argv[2], &name.id))
        return fail(vane, "domain %u has no interface %s; network-list %s shows what it has", info.domain, argv[2],
                    argv[1]);
    if (device_detach(vane->xs, &name, force, reason) != 0)
        return fail(vane, "interface %s of domain %u: %s", argv[2], info.domain, reason);
    forget(info.domain, name.id);
    json_ok(vane);
    return 0;
}

static void json_node(struct json *json, struct vane *vane, const struct device_name *name, const char *key)
{
    char *value = device_read(vane->xs, name, false, key);

    if (value != NULL)
        json_string(json, key, value);
    free(value);
}

static int front_number(struct vane *vane, const struct device_name *name, const char *node, const char *otherwise)
{
    int number = device_read_number(vane->xs, name, true, node);

    return number >= 0 || otherwise == NULL ? number : device_read_number(vane->xs, name, true, otherwise);
}

static void list_one(struct vane *vane, struct json *json, const struct device_name *name)
{
    char *mac = device_read(vane->xs, name, false, "mac"), *path = device_path(name, false);
    int state = front_number(vane, name, "state", NULL);
    int port = front_number(vane, name, "event-channel", "event-channel-tx");
    int tx = front_number(vane, name, "tx-ring-ref", NULL), rx = front_number(vane, name, "rx-ring-ref", NULL);

    say(vane, "%-3u %-2u %s%6d %5d %6d %5d/%-11d %-30s\n", name->id, 0, mac != NULL ? mac : "", (int)name->id, state,
        port, tx, rx, path != NULL ? path : "");
    json_open(json, NULL, '{');
    json_number(json, "domid", name->domid);
    json_number(json, "devid", name->id);
    json_string(json, "mac", mac != NULL ? mac : "");
    json_node(json, vane, name, "bridge");
    json_node(json, vane, name, "rate");
    json_node(json, vane, name, "ip");
    json_node(json, vane, name, "hotplug-error");
    json_number(json, "backend_domid", 0);
    json_signed(json, "state", state);
    json_signed(json, "backend_state", device_read_number(vane->xs, name, false, "state"));
    json_signed(json, "event_channel", port);
    json_signed(json, "tx_ring_ref", tx);
    json_signed(json, "rx_ring_ref", rx);
    json_string(json, "backend", path != NULL ? path : "");
    json_close(json, '}');
    free(mac);
    free(path);
}

int cmd_network_list(struct vane *vane, int argc, char **argv)
{
    return list_devices(
        vane, argc, argv, KIND,
        "Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       \n", list_one);
}

struct seen {
    uint8_t address[6];
    uint64_t age_ns;
};

/* The addresses learned on the port of that name, if it is still there; to be freed. */
static struct seen *copy_addresses(const char *name, unsigned int *count)
{
    const struct switch_port *port = switch_next(NULL);
    struct seen *all;

    *count = 0;
    while (port != NULL && strcmp(port->name, name) != 0)
        port = switch_next((struct switch_port *)port);
    all = port != NULL && port->learned > 0 ? calloc(port->learned, sizeof(*all)) : NULL;
    while (all != NULL && *count < port->learned &&
           switch_learned(port, *count, all[*count].address, &all[*count].age_ns))
        (*count)++;
    return all;
}

static void show_addresses(struct vane *vane, struct json *json, const char *name)
{
    unsigned int count;
    struct seen *all = copy_addresses(name, &count);
    char text[18];

    json_open(json, "addresses", '[');
    for (unsigned int i = 0; i < count; i++) {
        vif_mac_format(all[i].address, text);
        say(vane, "    %s %8llu s\n", text, (unsigned long long)(all[i].age_ns / SECOND_NS));
        json_open(json, NULL, '{');
        json_string(json, "mac", text);
        json_number(json, "age_seconds", all[i].age_ns / SECOND_NS);
        json_close(json, '}');
    }
    json_close(json, ']');
    free(all);
}

static void show_port(struct vane *vane, struct json *json, const struct switch_port *port, bool addresses)
{
    say(vane, "%-15s %-15s %9llu %11llu %9llu %11llu %7llu %5llu %5u\n", port->bridge, port->name,
        (unsigned long long)port->received, (unsigned long long)port->received_bytes,
        (unsigned long long)port->delivered, (unsigned long long)port->delivered_bytes,
        (unsigned long long)port->dropped, (unsigned long long)port->refused, port->learned);
    json_open(json, NULL, '{');
    json_string(json, "bridge", port->bridge);
    json_string(json, "port", port->name);
    json_number(json, "in_frames", port->received);
    json_number(json, "in_bytes", port->received_bytes);
    json_number(json, "out_frames", port->delivered);
    json_number(json, "out_bytes", port->delivered_bytes);
    json_number(json, "dropped", port->dropped);
    json_number(json, "bad", port->refused);
    json_number(json, "mtu", port->mtu);
    if (addresses)
        show_addresses(vane, json, port->name);
    json_close(json, '}');
}

/* The ports of a bridge, or all. Printing lets other threads run and ports may go meanwhile: these are copies. */
static struct switch_port *copy_ports(const char *bridge, unsigned int *count)
{
    struct switch_port *all = NULL, *grown;

    *count = 0;
    for (struct switch_port *port = switch_next(NULL); port != NULL; port = switch_next(port)) {
        if (bridge != NULL && strcmp(port->bridge, bridge) != 0)
            continue;
        grown = realloc(all, (*count + 1) * sizeof(*all));
        if (grown == NULL)
            break;
        all = grown;
        all[(*count)++] = *port;
    }
    return all;
}

int cmd_network_switch(struct vane *vane, int argc, char **argv)
{
    bool addresses = option(&argc, argv, "-a", "--addresses");
    struct switch_port *ports;
    unsigned int count;
    struct json json;

    if (check_arguments(vane, argc, argv, 0, 1) != 0)
        return 1;
    ports = copy_ports(argc == 2 ? argv[1] : NULL, &count);
    if (count == 0 && argc == 2)
        return fail(vane, "there is no bridge %s: a bridge exists as long as an interface is on it", argv[1]);
    say(vane, "%-15s %-15s %9s %11s %9s %11s %7s %5s %5s\n", "Bridge", "Port", "In", "InBytes", "Out", "OutBytes",
        "Drop", "Bad", "Addrs");
    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    for (unsigned int i = 0; i < count; i++)
        show_port(vane, &json, &ports[i], addresses);
    json_close(&json, ']');
    json_end(&json);
    free(ports);
    return 0;
}

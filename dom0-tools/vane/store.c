/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain's nodes. Most are dom0's and readable by the domain: what is made below a node has its access. A few belong to
 * the domain, so that it may write there. Nobody looks at them before the domain is introduced, so they are written one
 * by one, and taken away together when one fails.
 */
#include "store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/devices/attach.h"

#define PATH_SIZE 128

/* After the first failure the rest is passed over. */
struct writer {
    struct xs_handle *xs;
    domid_t domid;
    bool failed;
    char base[64];
};

static void set_access(struct writer *writer, const char *path, bool own)
{
    struct xs_permissions permissions[2] = {{own ? writer->domid : 0, XS_PERM_NONE}, {writer->domid, XS_PERM_READ}};

    if (!writer->failed)
        writer->failed = !xs_set_permissions(writer->xs, XBT_NULL, path, permissions, own ? 1 : 2);
}

static void put_path(struct writer *writer, const char *path, const char *value)
{
    if (!writer->failed)
        writer->failed = !xs_write(writer->xs, XBT_NULL, path, value, (unsigned int)strlen(value));
}

static void put(struct writer *writer, const char *node, const char *format, ...)
{
    char path[PATH_SIZE], value[256];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s/%s", writer->base, node);
    put_path(writer, path, value);
}

/* The base itself, with the access that all below it gets. */
static void make_base(struct writer *writer)
{
    if (!writer->failed)
        writer->failed = !xs_mkdir(writer->xs, XBT_NULL, writer->base);
    set_access(writer, writer->base, false);
}

/* An empty node of the domain's own. */
static void put_own(struct writer *writer, const char *node)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/%s", writer->base, node);
    put_path(writer, path, "");
    set_access(writer, path, true);
}

static void put_vm(struct writer *writer, const struct built_domain *built, const struct domain_config *config)
{
    char uuid[37], base[sizeof(writer->base)];

    memcpy(base, writer->base, sizeof(base));
    uuid_format(built->uuid, uuid);
    snprintf(writer->base, sizeof(writer->base), "/vm/%s", uuid);
    make_base(writer);
    put(writer, "name", "%s", config->name);
    put(writer, "uuid", "%s", uuid);
    put(writer, "image/ostype", "linux");
    put(writer, "image/kernel", "%s", config->kernel);
    if (config->module_count > 0)
        put(writer, "image/ramdisk", "%s", config->modules[0]);
    put(writer, "image/cmdline", "%s", config->command_line);
    put(writer, "start_time", "%llu.00", (unsigned long long)clock_seconds());
    memcpy(writer->base, base, sizeof(base));
    put(writer, "vm", "/vm/%s", uuid);
}

static void put_own_directories(struct writer *writer)
{
    static const char *const own[] = {"control/shutdown",
                                      "control/feature-suspend",
                                      "control/feature-poweroff",
                                      "control/feature-reboot",
                                      "control/sysrq",
                                      "device/suspend/event-channel",
                                      "data",
                                      "drivers",
                                      "feature",
                                      "attr",
                                      "error",
                                      "console/tty"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        put_own(writer, own[i]);
}

static void put_memory(struct writer *writer, const struct domain_config *config)
{
    put(writer, "memory/static-max", "%llu", (unsigned long long)config->max_memory_kib);
    put(writer, "memory/target", "%llu", (unsigned long long)config->memory_kib);
    put(writer, "memory/videoram", "0");
}

static void put_cpus(struct writer *writer, const struct domain_config *config)
{
    char node[32];

    for (unsigned int i = 0; i < config->max_vcpus; i++) {
        snprintf(node, sizeof(node), "cpu/%u/availability", i);
        put(writer, node, "%s", i < config->vcpus ? "online" : "offline");
    }
}

static void put_console(struct writer *writer, const struct built_domain *built)
{
    put(writer, "console/backend", "/local/domain/0/backend/console/%u/0", built->domid);
    put(writer, "console/backend-id", "0");
    put(writer, "console/limit", "1048576");
    put(writer, "console/type", "xenconsoled");
    put(writer, "console/output", "pty");
    put(writer, "console/port", "%u", built->console_port);
    put(writer, "console/ring-ref", "%lu", (unsigned long)built->console_frame);
}

static void put_console_backend(struct writer *writer, const struct built_domain *built)
{
    char base[sizeof(writer->base)];

    memcpy(base, writer->base, sizeof(base));
    snprintf(writer->base, sizeof(writer->base), "/local/domain/0/backend/console/%u/0", built->domid);
    make_base(writer);
    put(writer, "frontend", "%s/console", base);
    put(writer, "frontend-id", "%u", built->domid);
    put(writer, "online", "1");
    put(writer, "state", "1");
    put(writer, "protocol", "vt100");
    memcpy(writer->base, base, sizeof(base));
}

static void put_all(struct writer *writer, const struct built_domain *built, const struct domain_config *config)
{
    make_base(writer);
    put(writer, "name", "%s", config->name);
    put(writer, "domid", "%u", built->domid);
    put_own_directories(writer);
    put(writer, "control/platform-feature-multiprocessor-suspend", "1");
    put(writer, "control/platform-feature-xs_reset_watches", "1");
    put_memory(writer, config);
    put_cpus(writer, config);
    put(writer, "store/port", "%u", built->store_port);
    put(writer, "store/ring-ref", "%lu", (unsigned long)built->store_mfn);
    put_console(writer, built);
    put_console_backend(writer, built);
}

static struct writer start(struct xs_handle *xs, const struct built_domain *built)
{
    struct writer writer = {.xs = xs, .domid = built->domid};

    snprintf(writer.base, sizeof(writer.base), "/local/domain/%u", built->domid);
    return writer;
}

int store_add_nodes(struct xs_handle *xs, const struct built_domain *built, const struct domain_config *config)
{
    struct writer writer = start(xs, built);

    put_all(&writer, built, config);
    return writer.failed ? -1 : 0;
}

int store_add_vm(struct xs_handle *xs, const struct built_domain *built, const struct domain_config *config)
{
    struct writer writer = start(xs, built);

    put_vm(&writer, built, config);
    return writer.failed ? -1 : 0;
}

int store_introduce(struct xs_handle *xs, const struct built_domain *built)
{
    if (!store_write(xs, built->domid, "store/ring-ref", "%lu", (unsigned long)built->store_mfn) ||
        !store_write(xs, built->domid, "console/ring-ref", "%lu", (unsigned long)built->console_frame))
        return -1;
    return xs_introduce_domain(xs, built->domid, built->store_mfn, built->store_port) ? 0 : -1;
}

int store_add_domain(struct xs_handle *xs, const struct built_domain *built, const struct domain_config *config)
{
    int reason;

    if (store_add_nodes(xs, built, config) == 0 && store_add_vm(xs, built, config) == 0 &&
        xs_introduce_domain(xs, built->domid, built->store_mfn, built->store_port))
        return 0;
    reason = errno;
    store_remove_domain(xs, built->domid, built->uuid);
    errno = reason;
    return -1;
}

/* Its nodes first: a domain that nothing mentions any more is released without a search of the whole store. */
void store_remove_domain(struct xs_handle *xs, domid_t domid, const uint8_t uuid[16])
{
    char path[PATH_SIZE], text[37];

    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    nodes_remove(xs, path);
    snprintf(path, sizeof(path), "/local/domain/0/backend/console/%u", domid);
    nodes_remove(xs, path);
    if (uuid != NULL) {
        uuid_format(uuid, text);
        snprintf(path, sizeof(path), "/vm/%s", text);
        nodes_remove(xs, path);
    }
    (void)xs_release_domain(xs, domid);
}

int store_add_dom0(struct xs_handle *xs)
{
    static const struct {
        const char *path, *value;
    } nodes[] = {
        {"/local/domain/0/name", "Domain-0"},
        {"/local/domain/0/domid", "0"},
        {"/local/domain/0/vm", "/vm/00000000-0000-0000-0000-000000000000"},
        {"/vm/00000000-0000-0000-0000-000000000000/name", "Domain-0"},
        {"/vm/00000000-0000-0000-0000-000000000000/uuid", "00000000-0000-0000-0000-000000000000"},
        {"/tool/xenstored", ""},
    };

    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        if (!xs_write(xs, XBT_NULL, nodes[i].path, nodes[i].value, (unsigned int)strlen(nodes[i].value)))
            return -1;
    return 0;
}

bool store_write(struct xs_handle *xs, domid_t domid, const char *node, const char *format, ...)
{
    char path[PATH_SIZE], value[256];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, node);
    return xs_write(xs, XBT_NULL, path, value, (unsigned int)strlen(value));
}

char *store_read(struct xs_handle *xs, domid_t domid, const char *node)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, node);
    return xs_read(xs, XBT_NULL, path, NULL);
}

bool store_read_number(struct xs_handle *xs, domid_t domid, const char *node, uint64_t *value)
{
    char *text = store_read(xs, domid, node);
    bool good = text != NULL && parse_unsigned(text, value);

    free(text);
    return good;
}

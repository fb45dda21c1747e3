/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A program as it would be written for libxenstore 4. It uses every call and every constant of the library, and has to
 * compile and link unchanged against Debian's library and against ours, in both widths. The pointers below have the
 * types that libxenstore documents, so that a parameter that differs is a compile error.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>
#include <xen/io/xs_wire.h>

static struct xs_handle *(*const open_calls[])(void) = {xs_daemon_open, xs_domain_open, xs_daemon_open_readonly};
static void (*const close_calls[])(struct xs_handle *) = {xs_close, xs_daemon_close, xs_daemon_destroy_postfork};
static struct xs_handle *(*const open_call)(unsigned long) = xs_open;
static char **(*const directory)(struct xs_handle *, xs_transaction_t, const char *, unsigned int *) = xs_directory;
static void *(*const read_call)(struct xs_handle *, xs_transaction_t, const char *, unsigned int *) = xs_read;
static bool (*const write_call)(struct xs_handle *, xs_transaction_t, const char *, const void *,
                                unsigned int) = xs_write;
static bool (*const path_calls[])(struct xs_handle *, xs_transaction_t, const char *) = {xs_mkdir, xs_rm};
static bool (*const restrict_call)(struct xs_handle *, unsigned) = xs_restrict;
static struct xs_permissions *(*const get_perms)(struct xs_handle *, xs_transaction_t, const char *,
                                                 unsigned int *) = xs_get_permissions;
static bool (*const set_perms)(struct xs_handle *, xs_transaction_t, const char *, struct xs_permissions *,
                               unsigned int) = xs_set_permissions;
static bool (*const watch_calls[])(struct xs_handle *, const char *, const char *) = {xs_watch, xs_unwatch};
static int (*const fileno_call)(struct xs_handle *) = xs_fileno;
static char **(*const check_call)(struct xs_handle *) = xs_check_watch;
static char **(*const event_call)(struct xs_handle *, unsigned int *) = xs_read_watch;
static xs_transaction_t (*const start_call)(struct xs_handle *) = xs_transaction_start;
static bool (*const end_call)(struct xs_handle *, xs_transaction_t, bool) = xs_transaction_end;
static bool (*const introduce)(struct xs_handle *, unsigned int, unsigned long, unsigned int) = xs_introduce_domain;
static bool (*const target)(struct xs_handle *, unsigned int, unsigned int) = xs_set_target;
static bool (*const domain_calls[])(struct xs_handle *, unsigned int) = {xs_resume_domain, xs_release_domain,
                                                                         xs_is_domain_introduced};
static char *(*const home)(struct xs_handle *, unsigned int) = xs_get_domain_path;
static char *(*const control_calls[])(struct xs_handle *, const char *, void *, unsigned int) = {xs_control_command,
                                                                                                 xs_debug_command};
static int (*const suspend_port)(int) = xs_suspend_evtchn_port;
static const char *(*const places[])(void) = {xs_daemon_rundir, xs_daemon_socket, xs_daemon_socket_ro};
static bool (*const write_all)(int, const void *, unsigned int) = xs_write_all;
static bool (*const strings_to_perms)(struct xs_permissions *, unsigned int, const char *) = xs_strings_to_perms;

static const unsigned long constants[] = {
    XS_OPEN_READONLY,
    XS_OPEN_SOCKETONLY,
    XS_UNWATCH_FILTER,
    XBT_NULL,
    XS_PERM_NONE,
    XS_PERM_READ,
    XS_PERM_WRITE,
    XS_PERM_ENOENT_OK,
    XS_PERM_OWNER,
    XS_PERM_IGNORE,
    XS_WATCH_PATH,
    XS_WATCH_TOKEN,
    XENSTORE_ABS_PATH_MAX,
    XENSTORE_REL_PATH_MAX,
    XENSTORE_PAYLOAD_MAX,
    XENSTORE_RING_SIZE,
    MAX_STRLEN(unsigned int),
    XS_CONTROL,
    XS_DIRECTORY_PART,
    XS_TYPE_COUNT,
};

static void list(struct xs_handle *xs, const char *path)
{
    unsigned int num, len, nr_perms;
    char **names = directory(xs, XBT_NULL, path, &num);
    struct xs_permissions *perms = get_perms(xs, XBT_NULL, path, &nr_perms);

    for (unsigned int i = 0; names && i < num; i++) {
        char *child, *value;

        if (asprintf(&child, "%s/%s", path, names[i]) < 0)
            abort();
        value = read_call(xs, XBT_NULL, child, &len);
        printf("%s = \"%s\" (%u bytes)\n", child, value ? value : strerror(errno), len);
        free(value);
        free(child);
    }
    if (perms)
        printf("%s belongs to domain %u\n", path, perms[0].id);
    free(names);
    free(perms);
}

static void change(struct xs_handle *xs)
{
    struct xs_permissions perms[] = {{.id = 0, .perms = XS_PERM_NONE}, {.id = 1, .perms = XS_PERM_READ}};
    xs_transaction_t t;

    do {
        t = start_call(xs);
        if (t == XBT_NULL)
            return;
        write_call(xs, t, "data/compat", "value", 5);
        set_perms(xs, t, "data/compat", perms, sizeof(perms) / sizeof(perms[0]));
    } while (!end_call(xs, t, false) && errno == EAGAIN);
}

int main(int argc, char **argv)
{
    struct xs_handle *xs = open_call(XS_UNWATCH_FILTER);
    size_t errors = sizeof(xsd_errors) / sizeof(xsd_errors[0]);
    unsigned int num;
    char **event;

    if (!xs) {
        fprintf(stderr, "no store: %s (of %zu errors that it knows by name)\n", strerror(errno), errors);
        return 1;
    }
    change(xs);
    list(xs, argc > 1 ? argv[1] : "data");
    watch_calls[0](xs, "data", "token");
    while ((event = argc > 2 ? event_call(xs, &num) : check_call(xs))) {
        printf("%s %s below: %d\n", event[XS_WATCH_PATH], event[XS_WATCH_TOKEN],
               xs_path_is_subpath("data", event[XS_WATCH_PATH]));
        free(event);
    }
    printf("%d %p %p %p %p %p %p %p %p %p %lu\n", fileno_call(xs), (void *)restrict_call, (void *)introduce,
           (void *)target, (void *)domain_calls[0], (void *)home, (void *)control_calls[0], (void *)suspend_port,
           (void *)places[0], (void *)strings_to_perms, constants[0]);
    printf("%p %p %p\n", (void *)open_calls[0], (void *)path_calls[0], (void *)write_all);
    close_calls[0](xs);
    return 0;
}

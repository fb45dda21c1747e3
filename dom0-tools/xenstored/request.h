/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Carrying out requests: what the handlers in request_*.c share. A handler checks everything first and changes the store
 * last; it returns 0 after it has replied, or the errno value that the client gets.
 */
#ifndef XENSTORED_REQUEST_H
#define XENSTORED_REQUEST_H

#include "xenstored.h"

struct request {
    struct xenstored *xenstored;
    struct client *client;
    const struct xsd_sockmsg *header;
    char *payload; /* len bytes and a NUL */
    size_t len;
    struct transaction *transaction; /* NULL outside */
};

/* Splits a payload of NUL-terminated strings. Returns how many, at most `max`; -1 if the last one has no end. */
int request_strings(const struct request *request, const char **strings, int max);

/* The payload as exactly one string, or NULL. */
const char *request_one_string(const struct request *request);

/* Parses a domid below DOMID_LIMIT. */
bool request_domid(const char *string, unsigned int *domid);

/* ENOMEM or 0. */
int request_reply(struct request *request, const void *bytes, size_t len);
int request_reply_string(struct request *request, const char *string);

/* Cannot fail. Always 0. */
int request_ok(struct request *request);

/* The tree that the request sees. */
struct node *request_root(const struct request *request);

/* Tells the watches of a change that the live tree has undergone. */
void report_change(struct xenstored *xenstored, const char *path, const struct perm_set *before, struct node *removed);

typedef int request_handler_t(struct request *request);

request_handler_t do_directory, do_directory_part, do_read, do_get_perms, do_write, do_mkdir, do_rm, do_set_perms;
request_handler_t do_transaction_start, do_transaction_end;
request_handler_t do_watch, do_unwatch, do_reset_watches;
request_handler_t do_introduce, do_release, do_get_domain_path, do_is_domain_introduced, do_resume, do_set_target;
request_handler_t do_control;

#endif

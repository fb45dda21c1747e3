/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests about transactions and watches.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "request.h"

int do_transaction_start(struct request *request)
{
    struct client *client = request->client;
    struct transaction *transaction;
    char id[16];
    int error;

    if (request->transaction)
        return EBUSY;
    if (!client_within(client, QUOTA_TRANSACTIONS, client->nr_transactions + 1ul))
        return ENOSPC;
    error = xenstored_begin_transaction(client, &transaction);
    if (error)
        return error;
    snprintf(id, sizeof(id), "%u", (unsigned int)transaction->id);
    error = request_reply_string(request, id);
    if (error)
        xenstored_end_transaction(request->xenstored, transaction);
    return error;
}

static bool nodes_fit(struct client *client, const struct transaction *transaction)
{
    int added = ledger_nodes(&transaction->ledger, client->domid);
    unsigned long nodes = client->xenstored->store.accounts[client->domid].nodes + (unsigned long)added;

    return added <= 0 || client_within(client, QUOTA_NODES, nodes);
}

/*
 * The tree as it was before tells which permissions and which children a change has taken away. What came and went inside
 * the transaction is nobody's business.
 */
static void report_deeds(struct xenstored *xenstored, const struct transaction *transaction, struct node *before)
{
    const struct deed *deed;

    STAILQ_FOREACH(deed, &transaction->deeds, link)
    {
        struct node *node = node_find(before, deed->path);

        if (node || node_find(xenstored->store.root, deed->path))
            report_change(xenstored, deed->path, node ? node->perms : NULL,
                          deed->change.kind == CHANGE_REMOVE ? node : NULL);
    }
}

static int commit(struct request *request)
{
    struct xenstored *xenstored = request->xenstored;
    struct transaction *transaction = request->transaction;
    struct node *before;
    int error;

    if (!transaction_may_commit(transaction, &xenstored->store))
        return EAGAIN;
    if (!nodes_fit(request->client, transaction))
        return ENOSPC;
    before = node_get(xenstored->store.root);
    error = transaction_commit(transaction, &xenstored->store);
    if (!error) {
        request_ok(request);
        report_deeds(xenstored, transaction, before);
        xenstored_age_transactions(xenstored);
    }
    node_put(before);
    return error;
}

int do_transaction_end(struct request *request)
{
    const char *verdict = request_one_string(request);
    int error = 0;

    if (!request->transaction)
        return ENOENT;
    if (!verdict || (strcmp(verdict, "T") && strcmp(verdict, "F")))
        return EINVAL;
    /* No longer the client's, so that ageing cannot doom it under our hands. */
    xenstored_detach_transaction(request->xenstored, request->transaction);
    if (*verdict == 'T')
        error = commit(request);
    else
        request_ok(request);
    transaction_free(request->transaction);
    return error;
}

/* The absolute form of what a client wants to watch, and how much of it the client does not see in events. */
static int watch_path(const struct request *request, const char *name, char *path, size_t *skip)
{
    bool relative;

    *skip = 0;
    if (*name == '@') {
        if (strlen(name) > XENSTORE_REL_PATH_MAX)
            return EINVAL;
        strcpy(path, name);
        return 0;
    }
    if (!path_resolve(request->client->domid, name, path, &relative))
        return EINVAL;
    if (relative)
        *skip = path_home_len(request->client->domid);
    return 0;
}

static int watch_depth(const char *name, const char *depth_string, unsigned int *depth)
{
    unsigned long value;

    *depth = WATCH_ANY_DEPTH;
    if (!depth_string)
        return 0;
    if (!parse_number(depth_string, UINT32_MAX - 1, &value) || (*name == '@' && value != 1))
        return EINVAL;
    *depth = (unsigned int)value;
    return 0;
}

int do_watch(struct request *request)
{
    struct client *client = request->client;
    const char *strings[4];
    int count = request_strings(request, strings, 4), error;
    char path[PATH_BUFFER];
    unsigned int depth;
    struct watch *watch;
    size_t skip;

    if (count != 2 && count != 3)
        return EINVAL;
    error = watch_path(request, strings[0], path, &skip);
    if (!error)
        error = watch_depth(strings[0], count == 3 ? strings[2] : NULL, &depth);
    if (error)
        return error;
    if (!client_within(client, QUOTA_WATCHES, client->nr_watches + 1ul))
        return E2BIG;
    error = watch_add(client, path, skip, strings[1], depth, &watch);
    if (error)
        return error;
    request_ok(request);
    client_send_event(client, watch, path);
    return 0;
}

int do_unwatch(struct request *request)
{
    const char *strings[3];
    char path[PATH_BUFFER];
    struct watch *watch;
    size_t skip;

    if (request_strings(request, strings, 3) != 2)
        return EINVAL;
    if (watch_path(request, strings[0], path, &skip))
        return ENOENT; /* nobody can have set that watch */
    watch = watch_find(request->client, path, strings[1]);
    if (!watch)
        return ENOENT;
    watch_remove(watch);
    return request_ok(request);
}

int do_reset_watches(struct request *request)
{
    client_reset(request->client, false);
    return request_ok(request);
}

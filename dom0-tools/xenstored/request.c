/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From a message to its handler and back; see request.h.
 */
#include <errno.h>
#include <string.h>

#include "platform.h"
#include "request.h"

int request_strings(const struct request *request, const char **strings, int max)
{
    const char *at = request->payload, *end = request->payload + request->len;
    int count = 0;

    if (request->len && end[-1] != '\0')
        return -1;
    for (; at < end && count < max; at += strlen(at) + 1)
        strings[count++] = at;
    return count;
}

const char *request_one_string(const struct request *request)
{
    if (!request->len || strlen(request->payload) + 1 != request->len)
        return NULL;
    return request->payload;
}

bool request_domid(const char *string, unsigned int *domid)
{
    unsigned long value;

    if (!parse_number(string, DOMID_LIMIT - 1, &value))
        return false;
    *domid = (unsigned int)value;
    return true;
}

struct node *request_root(const struct request *request)
{
    if (request->transaction && request->transaction->root)
        return request->transaction->root;
    return request->xenstored->store.root;
}

static void send_message(struct request *request, struct message *message, uint32_t type)
{
    client_send(request->client, message, type, request->header->req_id, request->header->tx_id);
}

int request_reply(struct request *request, const void *bytes, size_t len)
{
    struct message *message;

    if (len > XENSTORE_PAYLOAD_MAX)
        return E2BIG;
    message = message_new(len);
    if (!message)
        return ENOMEM;
    if (len)
        memcpy(message->bytes + sizeof(struct xsd_sockmsg), bytes, len);
    send_message(request, message, request->header->type);
    return 0;
}

int request_reply_string(struct request *request, const char *string)
{
    return request_reply(request, string, strlen(string) + 1);
}

/* The client's spare message is there, because no request is taken without. */
static void send_short(struct request *request, const char *string, uint32_t type)
{
    struct message *message = request->client->spare;
    size_t size = strlen(string) + 1;

    request->client->spare = NULL;
    message->watch = NULL;
    message->len = sizeof(struct xsd_sockmsg) + size;
    memcpy(message->bytes + sizeof(struct xsd_sockmsg), string, size);
    send_message(request, message, type);
}

int request_ok(struct request *request)
{
    send_short(request, "OK", request->header->type);
    return 0;
}

static void send_error(struct request *request, int error)
{
    const char *name = "EINVAL";

    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (xsd_errors[i].errnum == error)
            name = xsd_errors[i].errstring;
    send_short(request, name, XS_ERROR);
}

/* What the table says about a kind of request. */
#define TRANSACTIONAL 1u /* its tx_id counts; that of the others is ignored */
#define PRIVILEGED    2u

struct request_kind {
    const char *name;
    request_handler_t *handler;
    unsigned int flags;
};

static const struct request_kind kinds[XS_TYPE_COUNT] = {
    [XS_CONTROL] = {"CONTROL", do_control, PRIVILEGED},
    [XS_DIRECTORY] = {"DIRECTORY", do_directory, TRANSACTIONAL},
    [XS_READ] = {"READ", do_read, TRANSACTIONAL},
    [XS_GET_PERMS] = {"GET_PERMS", do_get_perms, TRANSACTIONAL},
    [XS_WATCH] = {"WATCH", do_watch, 0},
    [XS_UNWATCH] = {"UNWATCH", do_unwatch, 0},
    [XS_TRANSACTION_START] = {"TRANSACTION_START", do_transaction_start, TRANSACTIONAL},
    [XS_TRANSACTION_END] = {"TRANSACTION_END", do_transaction_end, TRANSACTIONAL},
    [XS_INTRODUCE] = {"INTRODUCE", do_introduce, PRIVILEGED},
    [XS_RELEASE] = {"RELEASE", do_release, PRIVILEGED},
    [XS_GET_DOMAIN_PATH] = {"GET_DOMAIN_PATH", do_get_domain_path, 0},
    [XS_WRITE] = {"WRITE", do_write, TRANSACTIONAL},
    [XS_MKDIR] = {"MKDIR", do_mkdir, TRANSACTIONAL},
    [XS_RM] = {"RM", do_rm, TRANSACTIONAL},
    [XS_SET_PERMS] = {"SET_PERMS", do_set_perms, TRANSACTIONAL},
    [XS_IS_DOMAIN_INTRODUCED] = {"IS_DOMAIN_INTRODUCED", do_is_domain_introduced, PRIVILEGED},
    [XS_RESUME] = {"RESUME", do_resume, PRIVILEGED},
    [XS_SET_TARGET] = {"SET_TARGET", do_set_target, PRIVILEGED},
    [XS_RESET_WATCHES] = {"RESET_WATCHES", do_reset_watches, 0},
    [XS_DIRECTORY_PART] = {"DIRECTORY_PART", do_directory_part, TRANSACTIONAL},
};

static int find_transaction(struct request *request)
{
    struct transaction *transaction;

    LIST_FOREACH(transaction, &request->client->transactions, link)
    {
        if (transaction->id == request->header->tx_id) {
            request->transaction = transaction;
            return 0;
        }
    }
    return ENOENT;
}

static int perform(struct request *request)
{
    const struct request_kind *kind;
    int error = 0;

    if (request->header->type >= XS_TYPE_COUNT || !kinds[request->header->type].handler)
        return ENOSYS;
    kind = &kinds[request->header->type];
    if (request->xenstored->trace)
        platform_log("d%u: %s %s (transaction %u)", request->client->domid, kind->name, request->payload,
                     request->header->tx_id);
    if ((kind->flags & PRIVILEGED) && !request->client->privileged)
        return EACCES;
    if ((kind->flags & TRANSACTIONAL) && request->header->tx_id)
        error = find_transaction(request);
    return error ? error : kind->handler(request);
}

void xenstored_request(struct client *client, const struct xsd_sockmsg *header, char *payload)
{
    struct request request = {client->xenstored, client, header, payload, header->len, NULL};
    int error = perform(&request);

    if (error)
        send_error(&request, error);
}

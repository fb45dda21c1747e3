/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * CONTROL: commands to the daemon itself, for dom0 only. Each answers with text.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "platform.h"
#include "request.h"

/* Text that is cut where the reply is full. */
struct text {
    char bytes[XENSTORE_PAYLOAD_MAX];
    size_t len;
};

static void __attribute__((format(printf, 2, 3))) text_add(struct text *text, const char *format, ...)
{
    size_t room = sizeof(text->bytes) - text->len;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text->bytes + text->len, room, format, args);
    va_end(args);
    if (len > 0)
        text->len += (size_t)len < room ? (size_t)len : room - 1;
}

static int control_check(struct request *request, const char **args, int count)
{
    unsigned int wrong = store_audit(&request->xenstored->store);

    if (!wrong)
        return request_ok(request);
    platform_log("check: the books of %u domains do not agree with the tree", wrong);
    return EIO;
}

static int control_log(struct request *request, const char **args, int count)
{
    if (count != 1 || (strcmp(args[0], "on") && strcmp(args[0], "off")))
        return EINVAL;
    request->xenstored->trace = !strcmp(args[0], "on");
    return request_ok(request);
}

static int control_print(struct request *request, const char **args, int count)
{
    if (count != 1)
        return EINVAL;
    platform_log("%s", args[0]);
    return request_ok(request);
}

struct census {
    unsigned long nodes, bytes;
};

static enum walk count_node(void *arg, const char *path, struct node *node, struct node *parent)
{
    struct census *census = arg;

    census->nodes++;
    census->bytes += sizeof(*node) + node->name_len + 1 + node->max_children * sizeof(*node->children);
    census->bytes += node->value ? sizeof(*node->value) + node->value->len : 0;
    return WALK_ON;
}

static int control_memreport(struct request *request, const char **args, int count)
{
    struct xenstored *xenstored = request->xenstored;
    struct census census = {0, 0};
    unsigned int clients = 0, watches = 0, transactions = 0;
    char path[PATH_BUFFER] = "/";
    struct client *client;
    struct text text = {.len = 0};

    node_walk(xenstored->store.root, NULL, path, count_node, &census);
    TAILQ_FOREACH(client, &xenstored->clients, link)
    {
        clients++;
        watches += client->nr_watches;
        transactions += client->nr_transactions;
    }
    text_add(&text, "nodes %lu, %lu bytes\nconnections %u\nwatches %u\ntransactions %u\n", census.nodes, census.bytes,
             clients, watches, transactions);
    return request_reply(request, text.bytes, text.len + 1);
}

static int show_quotas(struct request *request)
{
    struct text text = {.len = 0};

    for (enum quota quota = 0; quota < QUOTA_COUNT; quota++)
        text_add(&text, "%-18s %8u  %s\n", quota_name(quota), request->xenstored->quotas[quota], quota_describe(quota));
    return request_reply(request, text.bytes, text.len + 1);
}

static int set_quota(struct request *request, const char *name, const char *number)
{
    unsigned long value;

    if (!parse_number(number, UINT32_MAX, &value))
        return EINVAL;
    for (enum quota quota = 0; quota < QUOTA_COUNT; quota++) {
        if (!strcmp(name, quota_name(quota))) {
            request->xenstored->quotas[quota] = (unsigned int)value;
            return request_ok(request);
        }
    }
    return EINVAL;
}

static int show_usage(struct request *request, unsigned int domid)
{
    struct xenstored *xenstored = request->xenstored;
    struct domain *domain = domain_find(xenstored, domid);
    struct text text = {.len = 0};

    if (!domain)
        return ENOENT;
    text_add(&text, "Domain %u:\n%-18s %8u\n%-18s %8u\n%-18s %8u\n", domid, "nodes",
             xenstored->store.accounts[domid].nodes, "watches", domain->client->nr_watches, "transactions",
             domain->client->nr_transactions);
    for (enum quota quota = 0; quota < QUOTA_COUNT; quota++)
        if (domain->client->violations[quota])
            text_add(&text, "limit of %s hit %u times\n", quota_name(quota), domain->client->violations[quota]);
    return request_reply(request, text.bytes, text.len + 1);
}

static int control_quota(struct request *request, const char **args, int count)
{
    unsigned int domid;

    if (count == 0)
        return show_quotas(request);
    if (count == 3 && !strcmp(args[0], "set"))
        return set_quota(request, args[1], args[2]);
    if (count == 1 && request_domid(args[0], &domid))
        return show_usage(request, domid);
    return EINVAL;
}

/* True when something that happens at the path is something the watch wants to hear of. */
static bool watch_covers(const struct watch *watch, const char *path)
{
    size_t len = strlen(watch->path);

    if (!strcmp(watch->path, "/"))
        return true;
    return !strncmp(watch->path, path, len) && (path[len] == '\0' || path[len] == '/');
}

/* What a domain listens to, one watched path in a line; with a path given, only what covers that. */
static int control_watches(struct request *request, const char **args, int count)
{
    struct text text = {.len = 0};
    unsigned int domid;
    struct client *client;
    struct watch *watch;

    if (count < 1 || count > 2 || !request_domid(args[0], &domid))
        return EINVAL;
    TAILQ_FOREACH(client, &request->xenstored->clients, link)
    {
        if (client->domid != domid)
            continue;
        LIST_FOREACH(watch, &client->watches, link)
        {
            if (count == 1 || watch_covers(watch, args[1]))
                text_add(&text, "%s\n", watch->path);
        }
    }
    return request_reply(request, text.bytes, text.len + 1);
}

static int control_help(struct request *request, const char **args, int count);

static const struct control {
    const char *name;
    int (*handler)(struct request *request, const char **args, int count);
    const char *arguments;
} controls[] = {
    {"check", control_check, ""},
    {"help", control_help, ""},
    {"log", control_log, "on|off"},
    {"memreport", control_memreport, ""},
    {"print", control_print, "<string>"},
    {"quota", control_quota, "[set <name> <value>|<domid>]"},
    {"watches", control_watches, "<domid> [<path>]"},
};

static int control_help(struct request *request, const char **args, int count)
{
    struct text text = {.len = 0};

    text_add(&text, "Supported commands:\n");
    for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
        text_add(&text, "\t%s\t%s\n", controls[i].name, controls[i].arguments);
    return request_reply(request, text.bytes, text.len + 1);
}

int do_control(struct request *request)
{
    const char *strings[8];
    int count = request_strings(request, strings, 8);

    if (count < 1)
        return EINVAL;
    for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
        if (!strcmp(strings[0], controls[i].name))
            return controls[i].handler(request, strings + 1, count - 1);
    return EINVAL;
}

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests about domains. Those that manage are dom0's alone; the table in request.c says which.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "platform.h"
#include "request.h"

static bool one_domid(const struct request *request, unsigned int *domid)
{
    const char *string = request_one_string(request);

    return string && request_domid(string, domid);
}

/* The frame number is a signed decimal; a number with the top bit set may come as a negative one. */
static bool parse_frame(const char *string, unsigned long *frame)
{
    char *end;

    errno = 0;
    *frame = strtoul(string, &end, 10);
    return !errno && end != string && *end == '\0';
}

int do_introduce(struct request *request)
{
    const char *strings[4];
    unsigned long frame, port;
    unsigned int domid;
    int error;

    if (request_strings(request, strings, 4) < 3 || !request_domid(strings[0], &domid) || !domid ||
        !parse_frame(strings[1], &frame) || !parse_number(strings[2], UINT32_MAX, &port))
        return EINVAL;
    error = domain_introduce(request->xenstored, domid, frame, (unsigned int)port);
    return error ? error : request_ok(request);
}

static int connected_domain(const struct request *request, struct domain **domain)
{
    unsigned int domid;

    if (!one_domid(request, &domid) || !domid)
        return EINVAL;
    *domain = domain_find(request->xenstored, domid);
    return *domain ? 0 : ENOENT;
}

int do_release(struct request *request)
{
    struct domain *domain;
    int error = connected_domain(request, &domain);
    enum domain_state state;

    if (error)
        return error;
    platform_domains_changed();
    state = platform_domain_state(domain->domid);
    request_ok(request);
    domain_release(domain, state == DOMAIN_GONE || state == DOMAIN_DYING);
    return 0;
}

int do_resume(struct request *request)
{
    struct domain *domain;
    int error = connected_domain(request, &domain);

    if (error)
        return error;
    domain->shut_down = false;
    return request_ok(request);
}

int do_set_target(struct request *request)
{
    const char *strings[3];
    unsigned int domid, target;
    struct domain *domain;

    if (request_strings(request, strings, 3) < 2 || !request_domid(strings[0], &domid) ||
        !request_domid(strings[1], &target))
        return EINVAL;
    domain = domain_find(request->xenstored, domid);
    if (!domain || !domain_find(request->xenstored, target))
        return ENOENT;
    domain->client->has_target = true;
    domain->client->target = target;
    return request_ok(request);
}

int do_get_domain_path(struct request *request)
{
    unsigned int domid;
    char path[40];

    if (!one_domid(request, &domid))
        return EINVAL;
    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    return request_reply_string(request, path);
}

int do_is_domain_introduced(struct request *request)
{
    unsigned int domid;

    if (!one_domid(request, &domid))
        return EINVAL;
    return request_reply_string(request, domid == 0 || domain_find(request->xenstored, domid) ? "T" : "F");
}

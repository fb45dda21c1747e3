/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A conversation with a guest. Output is read from the backend's log by offset and not from the listener, which only
 * wakes: nothing is lost or shown twice, and a slow terminal slows nobody down. Input waits here until the guest has
 * room; while it waits the terminal is not read further, which holds up whoever pastes.
 */
#include "console.h"
#include "domains.h"
#include "ends.h"
#include "lifecycle.h"
#include "system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/console/console.h"

#define ESCAPE_KEY   0x1d /* Ctrl-] */
#define CHUNK        512u
#define SHOW_AT_ONCE 16u /* chunks, before the keyboard is looked at */
#define PENDING      4096u
#define RETRY_NS     5000000u
#define PATIENCE_NS  3000000000ull

enum outcome { GOES_ON, LEFT, ENDED };

struct session {
    struct vane *vane;
    domid_t domid;
    struct console_sink sink;
    bool gone;
    struct guest_text shown;
    char pending[PENDING];
    size_t pending_count;
    uint64_t stuck_since; /* the guest has taken nothing since then */
};

static void on_bytes(void *arg, const char *bytes, size_t length)
{
    struct session *session = arg;

    if (length == 0)
        session->gone = true;
    terminal_wake();
}

/* A serial line shows a newline that has no carriage return as a staircase. */
static void write_text(struct guest_text *text, const char *bytes, size_t size)
{
    size_t from = 0;

    for (size_t i = 0; i < size; i++) {
        char before = i > 0 ? bytes[i - 1] : text->last;

        if (bytes[i] != '\n' || before == '\r')
            continue;
        terminal_write_raw(bytes + from, i - from);
        terminal_write_raw("\r", 1);
        from = i;
    }
    terminal_write_raw(bytes + from, size - from);
    if (size > 0)
        text->last = bytes[size - 1];
}

bool show_guest_text(domid_t domid, struct guest_text *text, unsigned int chunks)
{
    char buffer[CHUNK];

    for (; chunks > 0; chunks--) {
        const struct console *console = console_find(domid);
        uint64_t from;
        size_t got;

        if (console == NULL)
            console = console_find_dead(domid);
        got = console != NULL ? console_log(console, text->offset, buffer, sizeof(buffer), &from) : 0;
        if (got == 0)
            return false;
        text->offset = from + got;
        write_text(text, buffer, got);
    }
    return true;
}

/* Gives the guest what it has room for; a guest that never reads gets nothing more after a while. */
static void push(struct session *session)
{
    ssize_t took = console_input(session->domid, session->pending, session->pending_count);

    if (took < 0)
        took = (ssize_t)session->pending_count;
    session->pending_count -= (size_t)took;
    memmove(session->pending, session->pending + took, session->pending_count);
    if (took > 0 || session->pending_count == 0)
        session->stuck_since = clock_ns();
    if (session->pending_count < PENDING || clock_ns() - session->stuck_since < PATIENCE_NS)
        return;
    say(session->vane, "\n[the guest does not read its console: %zu bytes typed were dropped]\n",
        session->pending_count);
    fflush(stdout);
    session->pending_count = 0;
}

/* Takes what was typed; false when the escape key was among it. What was typed behind it is lost. */
static bool take_keys(struct session *session, uint64_t deadline)
{
    char *to = session->pending + session->pending_count;
    size_t got = terminal_read(to, PENDING - session->pending_count, deadline);
    const char *escape = memchr(to, ESCAPE_KEY, got);

    session->pending_count += escape != NULL ? (size_t)(escape - to) : got;
    return escape == NULL;
}

/* A domain that has ended and is preserved keeps its console, and will never say anything again. */
static bool has_stopped(const struct session *session, unsigned int *reason)
{
    struct xen_domctl_getdomaininfo info;

    if (ctl_domain_info(session->vane->ctl, session->domid, &info) != 0 || (info.flags & XEN_DOMINF_shutdown) == 0)
        return false;
    *reason = shutdown_reason(&info);
    return true;
}

static enum outcome step(struct session *session)
{
    bool more = show_guest_text(session->domid, &session->shown, SHOW_AT_ONCE);
    uint64_t deadline = UINT64_MAX;
    unsigned int reason;

    if (session->gone)
        return more ? GOES_ON : ENDED;
    if (!more && has_stopped(session, &reason)) {
        console_catch_up(session->domid);
        (void)show_guest_text(session->domid, &session->shown, UINT32_MAX);
        return ENDED;
    }
    push(session);
    if (session->pending_count == PENDING) {
        sleep_ns(RETRY_NS);
        return GOES_ON;
    }
    if (more || session->pending_count > 0)
        deadline = clock_ns() + (more ? 0 : RETRY_NS);
    if (take_keys(session, deadline))
        return GOES_ON;
    push(session);
    return LEFT;
}

/* Speaks with one domain until it ends or the user leaves. The sink is attached. */
static enum outcome converse(struct session *session)
{
    struct domain_record *record;
    enum outcome outcome;

    session->stuck_since = clock_ns();
    do
        outcome = step(session);
    while (outcome == GOES_ON);
    console_detach(&session->sink);
    record = record_find(session->domid);
    if (record != NULL)
        record->console_seen = session->shown.offset;
    return outcome;
}

static int attach(struct session *session, domid_t domid)
{
    const struct domain_record *record = record_find(domid);

    session->domid = domid;
    session->gone = false;
    session->pending_count = 0;
    session->shown = (struct guest_text){.offset = record != NULL ? record->console_seen : 0};
    session->sink = (struct console_sink){.bytes = on_bytes, .arg = session};
    return console_attach(domid, &session->sink);
}

/* The domain ended: says how, and goes on with the one that took its place, if there is one. */
static bool follow(struct session *session, const char *name)
{
    const struct domain_end *end;
    unsigned int reason;

    while (lifecycle_check(session->vane))
        sleep_ns(RETRY_NS);
    end = end_find(session->domid);
    if (end != NULL)
        reason = end->reason;
    else if (!has_stopped(session, &reason)) {
        say(session->vane, "\n[%s: the domain was destroyed]\n", name);
        return false;
    }
    say(session->vane, "\n[%s: the domain has ended (%s)", name, shutdown_reason_name(reason));
    if (end == NULL || !end->has_successor) {
        say(session->vane, "]\n");
        return false;
    }
    say(session->vane, "; it goes on as domain %u]\n", end->successor);
    fflush(stdout);
    return attach(session, end->successor) == 0;
}

int console_session(struct vane *vane, domid_t domid)
{
    struct session *session = calloc(1, sizeof(*session));
    char *name = name_of_domain(vane, domid);
    enum outcome outcome;

    if (session == NULL || attach(session, domid) != 0) {
        free(session);
        free(name);
        return fail(vane, "domain %u has no console yet or any more; log %u shows what it printed", domid, domid);
    }
    session->vane = vane;
    say(vane, "Console of %s (domain %u). Ctrl-] leaves it.\n", name ? name : "?", domid);
    do {
        fflush(stdout);
        outcome = converse(session);
    } while (outcome == ENDED && follow(session, name ? name : "?"));
    if (outcome == LEFT)
        say(vane, "\n[%s: left; it runs on]\n", name ? name : "?");
    free(name);
    free(session);
    return 0;
}

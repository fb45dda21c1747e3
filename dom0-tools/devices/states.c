/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The states of a device's two ends. What is to be done follows from three facts alone, read anew at each event: do the
 * backend's nodes still exist, is the device online, and which state does the frontend say it is in. So events may be
 * merged or doubled by whoever writes quickly, and nothing is done twice. A fact that could not be read decides nothing.
 * The frontend's word is hostile: it only ever chooses among the steps below.
 */
#include <errno.h>
#include <string.h>

#include "entry.h"

void entry_set_state(struct entry *entry, XenbusState state)
{
    if (entry->device.state == state)
        return;
    entry->device.state = state;
    if (!backend_write(&entry->device, "state", "%d", (int)state) && errno != ENOENT)
        entry_report(&entry->device, "its state could not be written: %s", strerror(errno));
}

void entry_disconnect(struct entry *entry)
{
    entry->device.kind->disconnect(&entry->device);
    entry->connected = false;
}

/* Who asks for a device writes our state as well: it may not hide that the device is closed already. */
static void confirm_closed(struct entry *entry)
{
    uint64_t told;

    if (backend_read_number(&entry->device, false, "state", &told) && told != XenbusStateClosed)
        (void)backend_write(&entry->device, "state", "%d", (int)XenbusStateClosed);
}

static void close_device(struct entry *entry)
{
    if (entry->device.state == XenbusStateClosed) {
        confirm_closed(entry);
        return;
    }
    entry_set_state(entry, XenbusStateClosing);
    if (entry->created)
        entry_disconnect(entry);
    entry_set_state(entry, XenbusStateClosed);
}

static void connect(struct entry *entry)
{
    int status;

    entry_disconnect(entry);
    status = entry->device.kind->connect(&entry->device);
    if (status == 0) {
        entry->connected = true;
        entry_set_state(entry, XenbusStateConnected);
        return;
    }
    entry->cut = true; /* the reason is reported; trying again waits for the frontend to start over */
    close_device(entry);
}

/* A number in the store, 0 when there is none; false when memory lacks. */
static bool look_up(const struct entry *entry, bool front, const char *node, uint64_t *number)
{
    errno = 0;
    if (!backend_read_number(&entry->device, front, node, number))
        *number = 0;
    return errno != ENOMEM;
}

/* The frontend is new, or starts over: a kernel after its boot loader, a driver loaded again. */
static void begin(struct entry *entry, bool online)
{
    entry->cut = false;
    if (!online) {
        close_device(entry);
        return;
    }
    if (entry->connected)
        entry_disconnect(entry);
    entry_set_state(entry, XenbusStateInitWait);
}

/* Only from Connected: a guest cannot skip the checks of connecting this way. */
static void reconfigure(struct entry *entry, bool online)
{
    if (!online) {
        close_device(entry);
    } else if (entry->connected && entry->device.state == XenbusStateConnected) {
        if (entry->device.kind->reconfigure != NULL)
            entry->device.kind->reconfigure(&entry->device);
        entry_set_state(entry, XenbusStateReconfigured);
    }
}

/* The frontend is ready. */
static void serve(struct entry *entry, bool online)
{
    if (!entry->cut && !entry->connected && online)
        connect(entry);
    else if (!online && entry->connected) /* the toolstack asks: the frontend sees it and closes */
        entry_set_state(entry, XenbusStateClosing);
    else if (!online)
        close_device(entry);
    else if (entry->device.state == XenbusStateReconfigured)
        entry_set_state(entry, XenbusStateConnected);
}

bool entry_follow(struct entry *entry)
{
    uint64_t online, state;

    if (!look_up(entry, false, "online", &online) || !look_up(entry, true, "state", &state))
        return false;
    if (entry->cut)
        close_device(entry);
    switch (state <= XenbusStateReconfigured ? state : XenbusStateUnknown) {
    case XenbusStateInitialising:
        begin(entry, online);
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        serve(entry, online);
        break;
    case XenbusStateReconfiguring:
        reconfigure(entry, online);
        break;
    case XenbusStateClosing: /* it still ends its work */
        if (entry->connected)
            entry_set_state(entry, XenbusStateClosing);
        else
            close_device(entry);
        break;
    case XenbusStateClosed:
        entry->cut = false;
        close_device(entry);
        break;
    case XenbusStateUnknown:
        close_device(entry);
        break;
    default:
        if (!online)
            close_device(entry);
        break;
    }
    return true;
}

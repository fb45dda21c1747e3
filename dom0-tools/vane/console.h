/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The user at a guest's console: what the guest prints appears, what is typed goes there, Ctrl-] comes back.
 */
#ifndef VANE_CONSOLE_H
#define VANE_CONSOLE_H

#include "vane.h"

/*
 * Until Ctrl-] or the domain's end; goes on with the domain that takes its place when it reboots. Starts with what the
 * user has not seen yet.
 */
int console_session(struct vane *vane, domid_t domid);

/* How much of a domain's log has been shown. */
struct guest_text {
    uint64_t offset;
    char last;
};

/* Shows the log from there on, at most so many pieces of 512 bytes; true when there may be more. */
bool show_guest_text(domid_t domid, struct guest_text *text, unsigned int chunks);

#endif

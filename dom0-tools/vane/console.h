/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The user at a guest's console: what the guest prints appears, what is typed goes there, Ctrl-] comes back.
 */
#ifndef VANE_CONSOLE_H
#define VANE_CONSOLE_H

#include "vane.h"

/* Until Ctrl-] or the domain's end. Starts with what the user has not seen yet. */
int console_session(struct vane *vane, domid_t domid);

#endif

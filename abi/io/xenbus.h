/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * States that front and back ends publish as a decimal number under their "state" key.
 * Source of the facts: io/xenbus.h.
 */
#ifndef PARAVANE_ABI_IO_XENBUS_H
#define PARAVANE_ABI_IO_XENBUS_H

enum xenbus_state {
    XenbusStateUnknown = 0,
    XenbusStateInitialising = 1,
    XenbusStateInitWait = 2,    /* a back end waits for details from its front end */
    XenbusStateInitialised = 3, /* a front end waits for its back end */
    XenbusStateConnected = 4,
    XenbusStateClosing = 5,
    XenbusStateClosed = 6,
    XenbusStateReconfiguring = 7,
    XenbusStateReconfigured = 8
};
typedef enum xenbus_state XenbusState;

#endif

/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The network backend of the embedded dom0: serves the guests' interfaces ("vif" devices in the store).
 */
#ifndef NETWORK_NETBACK_H
#define NETWORK_NETBACK_H

/* 0 or a negative errno. */
int netback_start(void);

#endif
